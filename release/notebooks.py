"""Notebooks from text: solutions/notebooks/*.py (py:percent) -> assignment/notebooks/*.ipynb, without outputs.

    # %% [markdown] id="loss"        a text cell: the comment lines below it
    # %% id="loss-check"             a code cell; a line `# %autoreload 2` in it is a magic, not a comment
    # %% [markdown] question="q1"    the prompt and points of a question of the rubric, and an empty cell for the answer

Ids are written out, so that they stay when the text changes: a student's cells can be compared with ours.
"""

import ast
import dataclasses
import re
from pathlib import Path

import nbformat

from autograder import rubric

from . import stubs

COMMAND = "python -m release notebooks"
ANSWER = "*Your answer:*"
MARKER = re.compile(r"# %%(?P<markdown> \[markdown\])? (?P<key>id|question)=\"(?P<value>[^\"]*)\"")
MAGIC = re.compile(r"# (%[a-z_]+\b.*)")
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}


class NotebookError(ValueError):
    """A notebook's source is not as described above; the message begins with file and line."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell of a source: `question` stands for two cells of the notebook."""

    kind: str  # "markdown", "code" or "question"
    id: str  # of a question: the question's
    text: str


def read_cells(text: str, name: str) -> list[Cell]:
    """The cells of a py:percent text. Raises NotebookError, with `name` and the line, for a wrong marker."""
    cells, kind, key, lines = [], "", "", []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith("# %%"):
            lines.append(line)
            continue
        if kind:
            cells.append(_cell(kind, key, lines))
        elif any(lines):
            raise NotebookError(f"{name}:{number - 1}: text stands above the first cell")
        kind, key, lines = *_marker(line, f"{name}:{number}"), []
        if any(key == cell.id for cell in cells):
            raise NotebookError(f"{name}:{number}: the id {key!r} is used twice")
    return cells + [_cell(kind, key, lines)] if kind else []


def _marker(line: str, where: str) -> tuple[str, str]:
    """Kind and id that a marker line asks for."""
    match = MARKER.fullmatch(line)
    if not match:
        raise NotebookError(
            f'{where}: a cell begins with `# %% id="..."` or `# %% [markdown] id="..."`, not `{line}`'
        )
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", match["value"]):
        raise NotebookError(f"{where}: an id has small letters, digits and hyphens, not {match['value']!r}")
    if match["key"] == "question":
        if not match["markdown"]:
            raise NotebookError(f"{where}: a question is a [markdown] cell")
        return "question", match["value"]
    return "markdown" if match["markdown"] else "code", match["value"]


def _cell(kind: str, key: str, lines: list[str]) -> Cell:
    if kind == "code":
        lines = [re.sub(rf"^{MAGIC.pattern}$", r"\1", line) for line in lines]
    else:
        lines = [re.sub(r"^# ?", "", line) for line in lines]
    return Cell(kind, key, "\n".join(lines).strip("\n"))


def make_notebook(text: str, name: str, questions: dict[str, rubric.Question]) -> str:
    """The notebook of a source, as JSON.

    Raises NotebookError for a wrong marker or an unknown question, SyntaxError where the source is no Python.
    """
    ast.parse(text, filename=name)
    cells = []
    for cell in read_cells(text, name):
        if cell.kind == "code":
            cells.append(nbformat.v4.new_code_cell(cell.text, id=cell.id))
        elif cell.kind == "markdown":
            cells.append(nbformat.v4.new_markdown_cell(cell.text, id=cell.id))
        elif cell.id not in questions:
            raise NotebookError(f"{name}: the rubric has no question {cell.id!r}")
        else:
            cells += _question_cells(questions[cell.id])
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    notebook.nbformat_minor = 5  # the first with cell ids
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _question_cells(question: rubric.Question) -> list:
    bonus = "bonus, " if question.bonus else ""
    unit = "point" if question.points == 1 else "points"
    heading = f"### Question {question.id.upper()} ({bonus}{question.points:g} {unit}): {question.title}"
    return [
        nbformat.v4.new_markdown_cell(
            f"{heading}\n\n{question.prompt.strip()}", id=f"question-{question.id}"
        ),
        nbformat.v4.new_markdown_cell(ANSWER, id=f"answer-{question.id}"),
    ]


def all_notebooks(root: Path) -> dict[Path, str]:
    """What each notebook should contain, by its path. Raises NotebookError and OSError."""
    questions = {question.id: question for question in rubric.load().questions}
    made = {}
    for source in sorted((root / "solutions" / "notebooks").glob("*.py")):
        text = make_notebook(source.read_text(encoding="utf-8"), str(source.relative_to(root)), questions)
        made[root / "assignment" / "notebooks" / f"{source.stem}.ipynb"] = text
    return made


def difference(root: Path) -> str:
    """Unified diff from the notebooks as they are to what they should be; empty if they are the same."""
    return stubs.compare(all_notebooks(root), root)


def write_notebooks(root: Path) -> list[Path]:
    """Write the notebooks that are out of date; returns their paths. All are made before the first is written."""
    return stubs.write_changed(all_notebooks(root))


def code_lines(root: Path) -> set[str]:
    """The stripped lines of the code cells that students receive."""
    made = (nbformat.reads(text, as_version=4) for text in all_notebooks(root).values())
    cells = (cell for notebook in made for cell in notebook.cells if cell.cell_type == "code")
    return {line.strip() for cell in cells for line in cell.source.splitlines()}
