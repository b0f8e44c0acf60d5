"""A submitted notebook as the release has it, with the student's answers, figures and own cells put in.

What nbgrader reads (grade ids, points, locks) never comes from a submission: students, editors and converters delete,
copy, rename and strip cells.
"""

import copy
import re

import nbformat
from nbformat import NotebookNode

from autograder.report import clean

MAX_TEXT = 20_000  # characters of one output, and of one cell that a student added
MAX_ANSWER = 100_000
MAX_FIGURE = 2_000_000  # characters of one figure in base64
MAX_FIGURES = 40  # of one notebook
FIGURES = ("image/png", "image/jpeg")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
Groups = dict[str | None, list[NotebookNode]]


def rebuild(submitted: NotebookNode, released: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The notebook to grade, and what was wrong with the submitted one.

    The cells of the release that nbgrader knows, in their order; in answers the student's text, the last copy of each. All
    other cells of the submission follow the one that they followed there, without metadata.
    """
    known = {cell.metadata.nbgrader.grade_id: cell for cell in released.cells if "nbgrader" in cell.metadata}
    answers, groups, notes = sort_cells(submitted, known)
    cells = groups[None]
    for grade_id, cell in known.items():
        cells += [canonical(cell, answers.get(grade_id)), *groups[grade_id]]
    number_ids(cells)
    limit_figures(cells)
    made = nbformat.v4.new_notebook(cells=cells, metadata=released.metadata)
    made.nbformat_minor = released.nbformat_minor
    return made, notes


def sort_cells(submitted: NotebookNode, known: dict[str, NotebookNode]) -> tuple[dict[str, NotebookNode], Groups, list[str]]:
    """The cells with answers by grade_id, the other cells by the known one that they follow, and what was wrong."""
    answers, seen, notes = {}, [], []
    groups: Groups = {None: [], **{grade_id: [] for grade_id in known}}
    last = None
    for cell in submitted.cells:
        grade_id = identify(cell, known)
        if grade_id is None:
            if name := claimed(cell):
                notes.append(f"unknown cell {clean(str(name), 80)!r} kept as an ordinary one")
            groups[last].append(plain(cell))
            continue
        if grade_id in seen:
            notes.append(f"cell {grade_id!r} was there more than once; the last copy counts")
        if is_answer(known[grade_id]):
            groups[last] += [plain(answers[grade_id])] if grade_id in answers else []
            answers[grade_id] = cell
        elif cell.source.strip() != known[grade_id].source.strip():
            notes.append(f"the locked cell {grade_id!r} was changed; the released one was taken, the change stands beside it")
            groups[grade_id].append(plain(cell))
        seen.append(grade_id)
        last = grade_id
    notes += [f"cell {grade_id!r} was missing; restored" for grade_id in known if grade_id not in seen]
    return answers, groups, list(dict.fromkeys(notes))


def identify(cell: NotebookNode, known: dict[str, NotebookNode]) -> str | None:
    """The grade_id that a cell has, by nbgrader's metadata, or where these are gone by the cell's own id."""
    if (name := claimed(cell)) is not None:
        return name if isinstance(name, str) and name in known else None
    ids = {released.id: grade_id for grade_id, released in known.items()}
    return ids.get(cell.get("id"))


def claimed(cell: NotebookNode):
    """The grade_id in a cell's metadata, which may be anything; None where there is none, or no metadata of nbgrader's form."""
    data = cell.metadata.get("nbgrader")
    return data.get("grade_id") if isinstance(data, dict) else None


def is_answer(cell: NotebookNode) -> bool:
    return bool(cell.metadata.nbgrader.get("solution"))


def canonical(cell: NotebookNode, answer: NotebookNode | None) -> NotebookNode:
    """A cell of the release, with an answer if there is one."""
    made = nbformat.from_dict(copy.deepcopy(cell))
    if answer is not None:
        made.source = clean(answer.source, MAX_ANSWER)
        attach(made, answer)
    if made.cell_type == "code":
        made.outputs, made.execution_count = [], None
    return made


def plain(cell: NotebookNode) -> NotebookNode:
    """A student's own cell: source and harmless outputs, nothing that anybody but a reader would take notice of."""
    source = clean(cell.source, MAX_TEXT)
    if cell.cell_type != "code":
        made = nbformat.v4.new_markdown_cell(source)
        attach(made, cell)
    else:
        outputs = [each for each in map(harmless, cell.get("outputs", [])) if each]
        made = nbformat.v4.new_code_cell(source, outputs=outputs)
    made.id = cell.get("id", made.id)
    return made


def attach(made: NotebookNode, cell: NotebookNode) -> None:
    """Pictures that were pasted into a text: a sketch may be an answer."""
    found = cell.get("attachments")
    for name, data in found.items() if isinstance(found, dict) else ():
        if isinstance(data, dict) and (shown := pictures(data)):
            made.setdefault("attachments", NotebookNode())[clean(str(name), 200)] = NotebookNode(shown)


def harmless(output: NotebookNode) -> NotebookNode | None:
    """A figure, or the text of an output; neither HTML nor scripts. Figures are what answers refer to."""
    kind = output.get("output_type")
    if kind == "stream":
        return nbformat.v4.new_output("stream", name="stdout", text=text_of(output.get("text")))
    if kind == "error":
        name, value = text_of(output.get("ename")), text_of(output.get("evalue"))
        return nbformat.v4.new_output("stream", name="stdout", text=f"{name}: {value}")
    data = output.get("data") if isinstance(output.get("data"), dict) else {}
    shown = pictures(data)
    if not shown and "text/plain" in data:
        shown = {"text/plain": text_of(data["text/plain"])}
    return nbformat.v4.new_output("display_data", data=shown) if shown else None


def pictures(data: dict) -> dict[str, str]:
    """What of an output or an attachment is a picture of tolerable size."""
    found = {kind: text_of(data[kind], MAX_FIGURE + 1) for kind in FIGURES if kind in data}
    return {kind: text for kind, text in found.items() if len(text) <= MAX_FIGURE and BASE64.fullmatch(text)}


def text_of(value, limit: int = MAX_TEXT) -> str:
    """Text that a notebook may hold as lines, or as anything else."""
    text = "".join(map(str, value)) if isinstance(value, list) else str(value or "")
    return text[:limit] if limit > MAX_TEXT else clean(text, limit)


def limit_figures(cells: list[NotebookNode]) -> None:
    """Keep the last figures of each notebook, lest a page grows without end."""
    outputs = [(cell, output) for cell in cells for output in cell.get("outputs", []) if output.output_type == "display_data"]
    for cell, output in outputs[:-MAX_FIGURES]:
        cell.outputs.remove(output)


def number_ids(cells: list[NotebookNode]) -> None:
    """Every id once, and none that the format forbids."""
    released = {cell.id for cell in cells if "nbgrader" in cell.metadata}
    taken = set(released)
    for number, cell in enumerate(cells):
        if "nbgrader" in cell.metadata:
            continue
        if cell.id in taken or not isinstance(cell.id, str) or not re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", cell.id):
            cell.id = f"added-{number}"
        taken.add(cell.id)
