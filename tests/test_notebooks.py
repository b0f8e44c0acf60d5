"""The students' notebooks: what they are made from, what is in them, and that they run.

Executed in a copy of what a student receives, with the stubs or with the reference in their place. So that this takes
seconds, the fast tests put a cell after the settings that shrinks them and leaves the checks out (TINY); nothing in the
notebooks knows about it. The slow tests run them as they are.
"""

import json
import shutil
from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient

from assignment.provided import notebook as provided
from assignment.provided.models import make_encoder
from autograder import report, rubric
from autograder.notebook import Shown, student_folder
from release import gate, notebooks
from release.cli import main
from solutions.warmup import normalize

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "assignment" / "notebooks"
PARTS = ("part1_vicreg", "part2_ablations", "part3_downstream", "part4_latent_optimization")
TINY = """
from assignment.provided.datasets import Budget
BUDGET = Budget(n_train=256, n_test=64, epochs=2, batch_size=64, lr=3e-3)
COMPONENTS, STEPS = 8, 5
check = print
"""
QUESTIONS = {question.id: question for question in rubric.load().questions}


def read(part: str):
    return nbformat.read(FOLDER / f"{part}.ipynb", as_version=4)


# ---- from text to notebook ---------------------------------------------------------------------------------------

SOURCE = """# %% [markdown] id="about"
# # Title
#
# Text, *really*.

# %% id="setup"
# %load_ext autoreload
# A comment.
x = 1


# %% id="more"
def f():
    return x
"""


def cells(text: str) -> list:
    return json.loads(notebooks.make_notebook(text, "part.py", QUESTIONS))["cells"]


def test_text_and_code_become_cells_and_magics_are_no_comments():
    about, setup, more = cells(SOURCE)
    assert (about["cell_type"], about["id"]) == ("markdown", "about")
    assert "".join(about["source"]) == "# Title\n\nText, *really*."
    assert (setup["cell_type"], setup["id"]) == ("code", "setup")
    assert "".join(setup["source"]) == "%load_ext autoreload\n# A comment.\nx = 1"
    assert "".join(more["source"]) == "def f():\n    return x"


def test_ids_stay_when_texts_and_other_cells_change():
    before = [cell["id"] for cell in cells(SOURCE)]
    after = [
        cell["id"]
        for cell in cells(
            SOURCE.replace("Title", "Another").replace("# %% id", '# %% id="new"\ny = 2\n\n# %% id', 1)
        )
    ]
    assert [each for each in after if each != "new"] == before


def test_a_question_becomes_its_prompt_with_points_and_an_empty_place_for_the_answer():
    prompt, answer = cells('# %% [markdown] question="q4"\n')
    text = "".join(prompt["source"])
    assert text.startswith("### Question Q4 (3 points)") and QUESTIONS["q4"].prompt.strip() in text
    assert "".join(answer["source"]) == notebooks.ANSWER
    assert (prompt["id"], answer["id"]) == ("question-q4", "answer-q4")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# %%\nx = 1\n", "part.py:1: a cell begins with"),
        ('# %% id="a"\n# %% id="a"\n', "part.py:2: the id 'a' is used twice"),
        ('# %% id="A b"\n', "part.py:1: an id has small letters"),
        ('# %% question="q1"\n', "part.py:1: a question is a [markdown] cell"),
        ('# %% [markdown] question="q99"\n', "part.py: the rubric has no question 'q99'"),
        ('x = 1\n# %% id="a"\n', "part.py:1: text stands above the first cell"),
    ],
)
def test_a_wrong_source_is_refused_with_file_and_line(text, told):
    with pytest.raises(notebooks.NotebookError) as error:
        cells(text)
    assert str(error.value).startswith(told)


# ---- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path):
    shutil.copytree(ROOT / "solutions" / "notebooks", tmp_path / "solutions" / "notebooks")
    shutil.copytree(FOLDER, tmp_path / "assignment" / "notebooks")
    return tmp_path


def test_the_notebooks_are_what_their_sources_generate():
    assert not notebooks.difference(ROOT), f"run: {notebooks.COMMAND}"


def test_check_notices_a_stale_notebook_and_prints_the_command(tree, capsys):
    source = tree / "solutions" / "notebooks" / "part1_vicreg.py"
    source.write_text(source.read_text().replace("# # Part 1: VICReg", "# # Part 1: Something else"))
    before = (tree / "assignment" / "notebooks" / "part1_vicreg.ipynb").read_text()
    assert main(["notebooks", "--check"], tree) == 1
    shown = capsys.readouterr().out
    assert '+    "# Part 1: Something else' in shown and "\n    python -m release notebooks\n" in shown
    assert (tree / "assignment" / "notebooks" / "part1_vicreg.ipynb").read_text() == before
    assert gate.stale_notebooks(tree) == ["run: python -m release notebooks"]
    assert main(["notebooks"], tree) == 0 and main(["notebooks", "--check"], tree) == 0
    assert gate.stale_notebooks(tree) == []


def test_a_run_notebook_counts_as_stale(tree):
    path = tree / "assignment" / "notebooks" / "part1_vicreg.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].execution_count = 7
    nbformat.write(notebook, path)
    assert gate.stale_notebooks(tree)


def test_a_notebook_without_a_source_is_noticed(tree):
    (tree / "assignment" / "notebooks" / "answers.ipynb").write_text("{}")
    assert gate.stale_notebooks(tree) == ["delete answers.ipynb: it has no source"]
    assert "notebooks/answers.ipynb" in gate.unexpected_files(tree, ())


# ---- what is in them ---------------------------------------------------------------------------------------------


def test_there_are_four():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_a_notebook_is_valid_and_was_never_run(part):
    notebook = read(part)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata == notebooks.METADATA
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    for cell in notebook.cells:
        assert cell.metadata == {} and cell.source
        assert cell.cell_type == "markdown" or (cell.outputs == [] and cell.execution_count is None)


def test_every_question_stands_in_exactly_one_notebook():
    found = [
        cell.id.removeprefix("answer-")
        for part in PARTS
        for cell in read(part).cells
        if cell.id.startswith("answer-")
    ]
    assert sorted(found) == sorted(QUESTIONS)


def test_every_task_is_checked_in_exactly_one_notebook():
    sources = [cell.source for part in PARTS for cell in read(part).cells if cell.id.startswith("check-")]
    assert sorted(sources) == sorted(f'check("{task.id}")' for task in rubric.load().tasks)


# ---- they run ----------------------------------------------------------------------------------------------------


@pytest.fixture
def student(tmp_path, monkeypatch):
    """What a student receives, with the stubs; the kernel keeps its own files here, too."""
    hidden = shutil.ignore_patterns("__pycache__", "hidden", "misconceptions")
    shutil.copytree(ROOT / "assignment", tmp_path / "assignment", ignore=hidden)
    shutil.copytree(ROOT / "autograder", tmp_path / "autograder", ignore=hidden)
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    monkeypatch.setenv(
        "GOMP_SPINCOUNT", "20000"
    )  # as in `solutions.reproduce`: waiting threads must not spin on a busy machine
    monkeypatch.setenv(
        "OMP_NUM_THREADS", "1"
    )  # on a busy machine, waiting threads make t-SNE of 64 points take 40 s
    return tmp_path


def put_reference(folder: Path) -> None:
    for name in rubric.load().files:
        shutil.copy(ROOT / "solutions" / name, folder / "assignment" / name)


def execute(folder: Path, part: str, where: str, tiny: bool = True, seconds: int = 120):
    """The notebook after a run in which errors stop no cell; the kernel starts in the folder `where`."""
    notebook = nbformat.read(folder / "assignment" / "notebooks" / f"{part}.ipynb", as_version=4)
    if tiny:
        place = [cell.id for cell in notebook.cells].index("settings") + 1
        notebook.cells.insert(place, nbformat.v4.new_code_cell(TINY, id="tiny"))
    path = {"metadata": {"path": str(folder / where)}}
    return NotebookClient(
        notebook, timeout=seconds, kernel_name="python3", allow_errors=True, resources=path
    ).execute()


def errors(notebook) -> list[tuple[str, str, str]]:
    """(id of the cell, exception, message) of all that was raised."""
    outputs = ((cell.id, each) for cell in notebook.cells for each in cell.get("outputs", []))
    return [(cell, each.ename, each.evalue) for cell, each in outputs if each.output_type == "error"]


def missing_figures(notebook) -> list[str]:
    """Cells that tell of a figure instead of showing it."""
    results = (
        (cell.id, each.data) for cell in notebook.cells for each in cell.get("outputs", []) if "data" in each
    )
    return [
        cell
        for cell, data in results
        if data.get("text/plain", "").startswith("<Figure") and "image/png" not in data
    ]


@pytest.mark.parametrize("part", [PARTS[0], *(pytest.param(part, marks=pytest.mark.slow) for part in PARTS[1:])])
def test_with_untouched_stubs_nothing_but_notimplementederror_occurs(student, part):
    notebook = execute(student, part, "assignment/notebooks")
    found = errors(notebook)
    assert {name for _, name, _ in found} == {"NotImplementedError"}, found
    cells = {cell for cell, _, _ in found}
    assert not cells & {"setup", "settings", "data"} and not any(cell.startswith("check-") for cell in cells)


def run_all(folder: Path, where: str, tiny: bool, seconds: int, parts: tuple[str, ...] = PARTS) -> dict:
    """Notebooks in order, for later ones use what earlier ones have trained: none may end with an error."""
    for name in rubric.load().files:
        shutil.copy(ROOT / "solutions" / name, folder / "assignment" / name)
    done = {}
    for part in parts:
        done[part] = execute(folder, part, where, tiny, seconds)
        assert errors(done[part]) == []
        assert not missing_figures(done[part])
    return done


def checks_of(notebook) -> dict[str, dict]:
    """What each check showed, by MIME type."""
    cells = (cell for cell in notebook.cells if cell.id.startswith("check-"))
    return {cell.id: cell.outputs[-1].data for cell in cells}


@pytest.mark.ci
@pytest.mark.slow
def test_with_the_reference_every_cell_of_the_first_runs(student):
    run_all(student, ".", tiny=True, seconds=120, parts=PARTS[:1])


@pytest.mark.slow
def test_with_the_reference_every_cell_runs(student):
    run_all(student, ".", tiny=True, seconds=120)


@pytest.mark.slow
def test_with_the_reference_every_cell_runs_as_it_is_and_all_checks_pass(student, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    for notebook in run_all(student, "assignment/notebooks", tiny=False, seconds=1800).values():
        for told in checks_of(notebook).values():
            assert "✓ passed" in told["text/html"]
            assert not any(mark in told["text/html"] for mark in ("✗ ", "! crashed", "not attempted")), told[
                "text/plain"
            ]


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_with_untouched_stubs_every_check_says_not_attempted(student, part):
    for told in checks_of(execute(student, part, ".", tiny=False)).values():
        assert "· not attempted" in told["text/html"]
        assert not any(mark in told["text/html"] for mark in ("✗ ", "! crashed", "✓ ")), told["text/plain"]


# ---- check(...) in a cell ----------------------------------------------------------------------------------------

WRONG = """

def normalize(images):
    print("<script>alert(1)</script>")
    return torch.as_tensor(images).permute(0, 3, 1, 2) / 255
"""


def test_a_red_check_is_shown_with_its_hint_and_raises_nothing(student):
    with open(student / "assignment" / "warmup.py", "a", encoding="utf-8") as file:
        file.write(WRONG)
    setup = next(cell.source for cell in read("part1_vicreg").cells if cell.id == "setup")
    sources = {"setup": setup, "check-wrong": 'check("warmup")', "check-unknown": 'check("warmpu")'}
    cells = [nbformat.v4.new_code_cell(source, id=name) for name, source in sources.items()]
    path = student / "assignment" / "notebooks" / "part1_vicreg.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    notebook = execute(student, "part1_vicreg", "assignment/notebooks", tiny=False)
    assert errors(notebook) == []
    told = checks_of(notebook)
    page = told["check-wrong"]["text/html"]
    assert "✗ failed" in page and "Expected: normalize(images)" in page and "<b>Hint:</b>" in page
    assert "✗ failed" in told["check-wrong"]["text/plain"] and "Hint: " in told["check-wrong"]["text/plain"]
    assert "there is no task &#x27;warmpu&#x27;" in told["check-unknown"]["text/html"]


def test_what_a_student_wrote_is_text_and_no_markup():
    item = report.ItemResult(
        "a.b", "t", "public", "crashed", 0, 1, "<img src=x onerror=alert(1)>", "<b>", None
    )
    page = Shown(
        report.Report("s", 0, 1, "none", ["<i>"], [report.TaskResult("a", "<T>", 0, 1, [item])])
    )._repr_html_()
    assert not any(each in page for each in ("<img", "<b><b>", "<T>", "<i>")) and "&lt;img" in page


def test_the_students_folder_is_found_from_inside_and_from_elsewhere(student, tmp_path_factory, monkeypatch):
    for where in (".", "assignment", "assignment/notebooks"):
        monkeypatch.chdir(student / where)
        assert student_folder() == student
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert student_folder() == ROOT


# ---- what the notebooks are given ----------------------------------------------------------------------------------


def test_a_result_that_nobody_has_made_is_not_implemented_yet():
    made = provided.Results()
    with pytest.raises(NotImplementedError, match="There is no made.history yet"):
        made.history
    made.history = [1]
    assert made.history == [1] and not hasattr(made, "_repr_html_")


def test_weights_come_back_and_wrong_ones_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(provided, "TRAINED", tmp_path / "trained")
    with pytest.raises(NotImplementedError, match="part1_vicreg.ipynb"):
        provided.load_encoder("vicreg", "small", "shapes")
    encoder = make_encoder("small")
    path = provided.save_encoder("vicreg", encoder, "small", "shapes")
    assert [each.name for each in path.parent.iterdir()] == ["vicreg.pt"]
    loaded = provided.load_encoder("vicreg", "small", "shapes")
    assert not loaded.training
    for name, value in encoder.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    with pytest.raises(
        ValueError, match="trained on 'shapes', but the settings above say 'small' and 'cifar10'"
    ):
        provided.load_encoder("vicreg", "small", "cifar10")


def test_pixels_are_what_was_normalized():
    images = torch.randint(0, 256, (2, 5, 6, 3), dtype=torch.uint8)
    assert (provided.as_pixels(normalize(images)) == images.numpy()).all()


def test_progress_counts_batches_and_passes_the_views_on(capsys):
    views = provided.with_progress(lambda batch: (batch, batch), images=5, epochs=2, batch_size=2)
    assert [views(number) for number in range(6)] == [(number, number) for number in range(6)]
    assert "6/6" in capsys.readouterr().out
