"""The student's copy: what is in it and what is not, that it repeats, and that a student can work with it."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autograder import grading, rubric, sandbox
from release import gate, packing, stubs
from release.cli import main
from release.student import files, leaks, requirements, rules

ROOT = Path(__file__).resolve().parent.parent
# What `check` and a notebook's check(...) import. A module more is one that students can read: see that they may.
AUTOGRADER = """
__init__.py __main__.py checks/conftest.py checks/pytest.ini cli.py commands/__init__.py commands/check.py downstream.py
expect.py forkserver.py grading.py interrupts.py limits.py lookup.py measure.py messages.py notebook.py plugin.py receipt.py
replay.py report.py rubric.py rubric.toml sandbox.py sinks/__init__.py sinks/console.py sinks/github.py sinks/html.py
sinks/report.html.jinja sinks/style.css staging.py student.py tasks.py worker/__init__.py worker/confine.py worker/invoke.py
worker/networks.py worker/scenarios.py worker/server.py worker/wire.py worker/worker.py
""".split()
FROM_ELSEWHERE = ["sinks/json.py", "sinks/markdown.py"]  # formats that `check` can write, where there are any
INSTRUCTORS = ("mutmut", "faiss-cpu", "pytest-xdist", "latex2mathml", "libcst", "nbgrader")
MISTAKE = """

def normalize(images):
    print("::error::not a command")
    return torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "student.zip"
    assert main(["student", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def packed(archive):
    """The copy's files, {path: bytes}."""
    with zipfile.ZipFile(archive) as opened:
        return {name.removeprefix(f"{files.FOLDER}/"): opened.read(name) for name in opened.namelist()}


@pytest.fixture
def copy(archive, tmp_path):
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    return tmp_path / files.FOLDER


def check(python: str | Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-m", "autograder", "check", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def write_solution(folder: Path) -> None:
    """The warm-up as a student who has solved it would have it."""
    shutil.copy(ROOT / "solutions" / "warmup.py", folder / "assignment" / "warmup.py")


# ---- what is in it -----------------------------------------------------------------------------------------------


def test_of_the_autograder_there_is_what_check_imports_and_nothing_else(packed):
    there = {name.removeprefix("autograder/") for name in packed if name.startswith("autograder/")}
    public = {f"checks/public/{path.name}" for path in (ROOT / "autograder/checks/public").glob("*.py")}
    assert there - public - set(FROM_ELSEWHERE) == set(AUTOGRADER)
    assert public <= there


def test_around_it_there_is_the_assignment_and_how_to_install(packed):
    around = {name for name in packed if not name.startswith(("autograder/", "assignment/"))}
    assert around == {"README.md", "LICENSE", "constraints.txt", "environment.yml", "docs/students.md"}
    own = {name.removeprefix("assignment/") for name in packed if name.startswith("assignment/")}
    released = (path.relative_to(ROOT / "assignment") for path in (ROOT / "assignment").rglob("*") if path.is_file())
    assert own == {str(path) for path in released if not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)}


def test_no_line_of_a_solution_is_in_any_file(packed):
    together = "\n".join(data.decode() for data in packed.values())
    for path in (ROOT / "solutions").glob("*.py"):
        lines = stubs.solution_lines(path.read_text(encoding="utf-8"), path.name)
        telling = [line for line in lines if leaks.is_telling(line)]
        assert not [line for line in telling if f"{line}\n" in together], path.name
    assert stubs.BEGIN not in "".join(data.decode() for name, data in packed.items() if name.startswith("assignment"))
    assert not gate.surviving_lines(ROOT)


def test_the_rubric_has_the_public_items_as_they_are_and_no_word_of_the_hidden_ones(packed):
    text = packed["autograder/rubric.toml"].decode()
    full = rubric.load()
    assert rules.parsed(text) == full.only(visibility="public")
    hidden = [item for item in full.items() if item.visibility == "hidden"]
    assert hidden and not [item.id for item in hidden if f'"{item.id}"' in text or item.title in text]


def test_a_comment_goes_with_the_hidden_item_below_it_and_one_of_its_own_stays():
    text = (ROOT / "autograder" / "rubric.toml").read_text(encoding="utf-8")
    above = '[[task.item]]\nid = "warmup.sizes"'
    assert above in text and rules.parsed(text).only(visibility="public")
    for comment in ("# SECRET\n", "# a\n# SECRET\n"):
        assert rules.public_part(text.replace(above, comment + above)) == rules.public_part(text)
    assert "# of its own" in rules.public_part(text.replace(above, f"# of its own\n\n{above}"))


def test_what_must_not_be_in_it_is_noticed_wherever_it_stands():
    planted = {
        "autograder/checks/hidden/test_vicreg_hidden.py": "passage of test_vicreg_hidden.py",
        "autograder/misconceptions/vicreg.py": "tells of vicreg.py",
        "autograder/rubric.toml": "tells of warmup.sizes",
        "solutions/vicreg.py": "has a line of vicreg.py",
        "solutions/discussion/q4.md": "tells of q4.md",
    }
    found = leaks.find({f"docs/{number}.md": (ROOT / source).read_bytes() for number, source in enumerate(planted)}, ROOT)
    for number, told in enumerate(planted.values()):
        assert any(each.startswith(f"docs/{number}.md") and told in each for each in found), told


def test_a_place_that_is_not_for_students_is_noticed(packed):
    assert not [name for name in packed if leaks.PLACES.match(name)]
    for name in ("solutions/a.py", "autograder/diagnosis.py", "autograder/commands/grade.py", "autograder/checks/hidden/x.py"):
        assert leaks.PLACES.match(name)


def test_the_installation_is_a_part_of_the_lock_for_every_system(packed):
    lock = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in packed["constraints.txt"].decode().splitlines() if not line.startswith("#")]
    assert set(lines) < set(lock) and lines == [line for line in lock if line in lines]
    names = {line.partition("==")[0] for line in lines}
    assert {"torch", "pytest", "hypothesis", "jupyterlab", "appnope", "landlockpy", "rfc3987-syntax"} <= names
    assert not names & set(INSTRUCTORS)


def test_an_import_that_nothing_serves_is_refused():
    with pytest.raises(packing.PackingError, match="nosuchmodule is imported in the copy"):
        requirements.constraints("", {"a.py": b"import nosuchmodule"})


# ---- how it is written -------------------------------------------------------------------------------------------


def test_two_runs_give_the_same_bytes_and_names_in_order(archive, packed, monkeypatch):
    monkeypatch.setattr(leaks, "find", lambda made, root: [])  # takes its time
    assert packing.archive(files.collect(ROOT), files.FOLDER) == archive.read_bytes()
    assert packing.archive(dict(reversed(packed.items())), files.FOLDER) == archive.read_bytes()


def test_nothing_is_replaced_without_force_and_nothing_deleted_with_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(files, "collect", lambda root: {"a/b.txt": b"new"})
    for out in (tmp_path / "copy", tmp_path / "copy.zip"):
        assert main(["student", str(out), "--dry-run"]) == 0 and not out.exists()
        assert "        3  a/b.txt\n" in capsys.readouterr().out
        assert main(["student", str(out)]) == 0
        for line in (["student", str(out)], ["student", str(out), "--dry-run"]):
            assert main(line) == 2
            assert capsys.readouterr().err.endswith("is there already: name another place, or replace it with --force\n")
        assert main(["student", str(out), "--dry-run", "--force"]) == 0
    (tmp_path / "copy" / "mine.txt").write_text("mine")
    (tmp_path / "copy" / "a" / "b.txt").write_text("old")
    assert main(["student", str(tmp_path / "copy"), "--force"]) == 0
    assert "1 other files there were left as they are; the first is mine.txt" in capsys.readouterr().err
    assert (tmp_path / "copy" / "a" / "b.txt").read_text() == "new" and (tmp_path / "copy" / "mine.txt").exists()


def test_it_is_not_written_over_the_project(tmp_path, capsys):
    assert main(["student", str(ROOT), "--force"]) == 2
    assert main(["student", str(ROOT.parent), "--force"]) == 2
    assert capsys.readouterr().err.count("holds this project itself") == 2
    for name in packing.OWN_FOLDERS:
        assert main(["student", str(ROOT / name / "copy"), "--force"]) == 2
    assert capsys.readouterr().err.count("is a folder of this project itself") == len(packing.OWN_FOLDERS)


def test_all_folders_of_the_project_are_known():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no checkout of Git's")
    folders = {name.split("/")[0].strip('"') for name in done.stdout.splitlines() if "/" in name}
    assert folders | {".git"} == set(packing.OWN_FOLDERS)


def test_stale_stubs_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gate, "stale_stubs", lambda root: ["run: python -m release stubs"])
    assert main(["student", str(tmp_path / "out")]) == 2 and not (tmp_path / "out").exists()
    assert "run make assignment" in capsys.readouterr().err


# ---- it works ----------------------------------------------------------------------------------------------------


def follow_the_handout(python: str | Path, folder: Path) -> None:
    """Task 0 as the handout asks for it: before anything is written, with a mistake, and right."""
    told = check(python, folder, "warmup")
    assert told.returncode == 1 and told.stdout.count("· not attempted") == 2 and "0 of 1 points" in told.stdout, told.stderr
    with open(folder / "assignment" / "warmup.py", "a", encoding="utf-8") as file:
        file.write(MISTAKE)
    told = check(python, folder, "warmup")
    assert told.returncode == 1 and "✗ failed" in told.stdout and "Hint:" in told.stdout and "Expected:" in told.stdout
    assert "\n::error::" not in told.stdout
    write_solution(folder)
    told = check(python, folder, "warmup")
    assert told.returncode == 0 and told.stdout.count("✓ passed") == 2 and "1 of 1 points" in told.stdout, told.stdout


def test_a_student_can_check_the_warmup_with_it(copy):
    told = check(sys.executable, copy, "warmup")
    assert told.returncode == 1 and told.stdout.count("· not attempted") == 2 and "0 of 1 points" in told.stdout, told.stderr


@pytest.mark.slow
def test_a_python_below_tmp_is_there_for_every_item(copy, tmp_path, monkeypatch):
    """A copy that is unpacked below /tmp, with its .venv: scratch space, which is emptied after each item, lies elsewhere."""
    if sandbox.choose().mode != "bubblewrap" or not tmp_path.is_relative_to("/tmp"):
        pytest.skip("needs bubblewrap, and a temporary folder below /tmp")
    library = tmp_path / "python" / "lib"
    library.mkdir(parents=True)
    (library / "data.txt").write_text("here")
    real = sandbox.runtime_paths()
    monkeypatch.setattr(sandbox, "runtime_paths", lambda: (*real, library))
    warmup = copy / "assignment" / "warmup.py"
    warmup.write_text(f"def normalize(images):\n    assert open({str(library / 'data.txt')!r}).read() == 'here'\n    raise NotImplementedError\n")
    full = rubric.load()
    told = grading.grade(copy, full.only(["warmup"], visibility="public"), full, sandbox.choose())
    assert [(item.verdict, item.message) for item in told.items() if item.verdict != "not_attempted"] == []


@pytest.mark.slow
def test_a_mistake_gets_its_hint_and_the_solution_its_points(copy):
    follow_the_handout(sys.executable, copy)


@pytest.mark.slow
def test_all_public_checks_run_in_it_and_pass_with_the_reference(copy):
    for name in rubric.load().files:
        shutil.copy(ROOT / "solutions" / name, copy / "assignment" / name)
    told = check(sys.executable, copy)
    assert told.returncode == 0, told.stdout[-3000:]


@pytest.mark.slow
def test_a_fresh_installation_of_its_own_constraints_is_all_that_a_student_needs(copy):
    """The lines of its README, one after the other, and a notebook."""
    readme = (copy / "README.md").read_text(encoding="utf-8")
    commands = ["python3 -m venv .venv", ". .venv/bin/activate", "python -m pip install -r constraints.txt"]
    assert all(f"    {each}\n" in readme for each in commands) and "    python -m autograder check warmup " in readme
    script = "\n".join(["set -e", commands[0].replace("python3", sys.executable), *commands[1:], "python -m pip list --format=freeze"])
    done = subprocess.run(["bash", "-c", script], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not [name for name in INSTRUCTORS if f"\n{name}==" in done.stdout]
    follow_the_handout(copy / ".venv" / "bin" / "python", copy)
    run_notebook(copy)


NOTEBOOK = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read("part1_vicreg.ipynb", as_version=4)
NotebookClient(notebook, timeout=900, kernel_name="python3", allow_errors=True).execute()
nbformat.write(notebook, sys.argv[1])
"""


def run_notebook(folder: Path) -> None:
    """Part 1 with the warm-up solved, by the copy's own Python: nothing but what is still to be written goes wrong."""
    command = [folder / ".venv" / "bin" / "python", "-c", NOTEBOOK, folder / "executed.ipynb"]
    done = subprocess.run(command, cwd=folder / "assignment" / "notebooks", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    cells = {cell["id"]: cell for cell in json.loads((folder / "executed.ipynb").read_text(encoding="utf-8"))["cells"]}
    outputs = [output for cell in cells.values() for output in cell.get("outputs", [])]
    assert {output["ename"] for output in outputs if output["output_type"] == "error"} == {"NotImplementedError"}
    assert "✓ passed" in str(cells["check-warmup"]["outputs"]) and "· not attempted" in str(cells["check-vicreg"]["outputs"])
