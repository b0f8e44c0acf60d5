"""Stubs: what is cut out, what is refused; the committed ones are up to date and give nothing away."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from release import cli as command
from release import packing, stubs
from autograder.tasks import TASK_OF_FUNCTION, TASK_OF_MODULE, task_id

ROOT = Path(__file__).resolve().parent.parent
MODULES = list(TASK_OF_MODULE)

SOLUTION = '''"""Task 2."""

import torch
### BEGIN SOLUTION
import math

SECRET = 3


def _helper(x):
    return x * SECRET


### END SOLUTION


def given(x):
    """Is handed out."""
    return x


def wanted(x, y=2.0):
    """Docstring stays."""
    ### BEGIN SOLUTION
    hidden = _helper(x)  # (N,)
    return hidden ** math.pi
    ### END SOLUTION
'''

STUB = '''"""Task 2."""

import torch


def given(x):
    """Is handed out."""
    return x


def wanted(x, y=2.0):
    """Docstring stays."""
    # TODO vicreg: write the body of wanted, in place of the next line.
    raise NotImplementedError("TODO vicreg: wanted")
'''


@pytest.fixture
def tree(tmp_path):
    """A small repository, whose stubs are not made yet."""
    (tmp_path / "solutions").mkdir()
    for module in MODULES:
        (tmp_path / "solutions" / f"{module}.py").write_text(SOLUTION)
    return tmp_path


def test_stub_keeps_what_is_given_and_cuts_the_rest():
    assert stubs.make_stub(SOLUTION, "vicreg", "vicreg.py") == STUB


def test_task_may_differ_between_functions_of_a_module(monkeypatch):
    monkeypatch.setitem(TASK_OF_FUNCTION, ("vicreg", "wanted"), "retrieval")
    assert task_id("vicreg", "wanted") == "retrieval"
    assert task_id("vicreg", "given") == "vicreg"
    assert '"TODO retrieval: wanted"' in stubs.make_stub(SOLUTION, "vicreg", "vicreg.py")


@pytest.mark.parametrize(
    "text, message",
    [
        ("x = 1\n### BEGIN SOLUTION\ny = 2\n", "a.py:2: solution begins here and never ends"),
        ("### END SOLUTION\n", "a.py:1: solution ends here, but none has begun"),
        (
            "### BEGIN SOLUTION\n\n### BEGIN SOLUTION\n### END SOLUTION\n",
            "a.py:3: solution begins inside the one",
        ),
        ("### BEGIN SOLUTION\n### END SOLUTION\n### END SOLUTION\n", "a.py:3: solution ends here"),
        ("# BEGIN SOLUTION\n", 'a.py:1: a marker line is "### BEGIN SOLUTION" or'),
        ("x = 1  ### BEGIN SOLUTION\n", "a.py:1: a marker line is"),
        ("### begin solution\n", "a.py:1: a marker line is"),
        (
            "if True:\n    ### BEGIN SOLUTION\n    x = 1\n    ### END SOLUTION\n",
            "a.py:2: solution is indented",
        ),
    ],
)
def test_bad_markers_are_errors_with_file_and_line(text, message):
    with pytest.raises(stubs.MarkerError, match=message):
        stubs.make_stub(text, "vicreg", "a.py")


def run(tree, *arguments, capsys):
    code = command.main(["stubs", *arguments], root=tree)
    return code, *capsys.readouterr()


def test_command_writes_then_has_nothing_to_do(tree, capsys):
    code, out, _ = run(tree, capsys=capsys)
    assert code == 0
    assert out.splitlines() == [f"wrote {Path('assignment', module)}.py" for module in MODULES]
    assert run(tree, capsys=capsys)[:2] == (0, "the stubs are up to date\n")
    assert run(tree, "--check", capsys=capsys)[:2] == (0, "the stubs are up to date\n")
    assert sorted(path.name for path in (tree / "assignment").iterdir()) == sorted(f"{m}.py" for m in MODULES)


def test_check_shows_the_difference_and_the_command_and_writes_nothing(tree, capsys):
    run(tree, capsys=capsys)
    drifted = tree / "assignment" / "vicreg.py"
    drifted.write_text(drifted.read_text().replace("Docstring stays", "Docstring drifts"))
    (tree / "assignment" / "warmup.py").unlink()
    before = drifted.read_text()
    code, out, _ = run(tree, "--check", capsys=capsys)
    assert code == 1
    assert '-    """Docstring drifts."""' in out
    assert "+++ assignment/warmup.py (generated)" in out
    assert out.endswith("    python -m release stubs\n")
    assert drifted.read_text() == before
    assert not (tree / "assignment" / "warmup.py").exists()


def test_an_error_is_one_sentence_and_writes_nothing(tree, capsys):
    broken = tree / "solutions" / MODULES[-1]
    broken.with_suffix(".py").write_text("### BEGIN SOLUTION\n")
    code, out, error = run(tree, capsys=capsys)
    assert (code, out) == (2, "")
    assert error == f"error: solutions/{MODULES[-1]}.py:1: solution begins here and never ends\n"
    assert not (tree / "assignment").exists()


@pytest.mark.parametrize(
    "content, message", [("def f(:\n", "vicreg.py:1: not valid Python"), (None, "No such file")]
)
def test_unreadable_solutions_are_errors(tree, capsys, content, message):
    path = tree / "solutions" / "vicreg.py"
    path.unlink() if content is None else path.write_text(content)
    code, _, error = run(tree, capsys=capsys)
    assert code == 2
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_failed_write_leaves_no_traces(tree, monkeypatch):
    monkeypatch.setattr(packing.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        stubs.write_stubs(tree)
    assert list((tree / "assignment").iterdir()) == []


def test_help_has_examples():
    done = subprocess.run(
        [sys.executable, "-m", "release", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "python -m release stubs --check" in done.stdout


# The committed stubs


def test_committed_stubs_are_up_to_date():
    changes = stubs.difference(ROOT)
    assert not changes, f"{changes}\nrun: python -m release stubs"


def telling(line):
    """Whether a line of a solution would give something away, as a bracket or a docstring would not."""
    return len(line) > 24 and not line.startswith(('"""', "@", "import ", "from "))


@pytest.mark.parametrize("module", MODULES)
def test_no_solution_line_survives_in_the_student_tree(module):
    text = (ROOT / "solutions" / f"{module}.py").read_text(encoding="utf-8")
    secrets = {line for line in stubs.solution_lines(text, module) if telling(line)}
    assert secrets
    for path in (ROOT / "assignment").rglob("*"):
        if path.suffix in (".py", ".md", ".ipynb", ".toml", ".txt"):
            handed_out = {line.strip() for line in path.read_text(encoding="utf-8").splitlines()}
            assert not secrets & handed_out, path
            assert "SOLUTION" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("module", MODULES)
def test_every_function_of_a_stub_is_open_and_documented(module):
    stub = importlib.import_module(f"assignment.{module}")
    functions = [f for _, f in inspect.getmembers(stub, inspect.isfunction) if f.__module__ == stub.__name__]
    assert functions
    for function in functions:
        arguments = [None] * len(inspect.signature(function).parameters)
        kinds = [p.kind for p in inspect.signature(function).parameters.values()]
        arguments = arguments[: sum(kind is not inspect.Parameter.VAR_KEYWORD for kind in kinds)]
        todo = f"TODO {task_id(module, function.__name__)}: {function.__name__}"
        with pytest.raises(NotImplementedError, match=f"^{todo}$"):
            function(*arguments)
        assert "Returns:" in function.__doc__
        assert ">>> " in function.__doc__


@pytest.mark.parametrize("module", MODULES)
def test_stub_and_solution_have_the_same_signatures(module):
    def signatures(package):
        tree = ast.parse((ROOT / package / f"{module}.py").read_text(encoding="utf-8"))
        functions = [
            node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        ]
        return {node.name: ast.unparse(node.args) for node in functions}

    assert signatures("assignment") == signatures("solutions")


def test_importing_the_student_package_does_not_import_torch():
    code = "import sys, assignment; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_an_interrupt_ends_with_one_sentence(monkeypatch, capsys):
    def interrupt(root):
        raise KeyboardInterrupt

    monkeypatch.setattr(command.gate, "run", interrupt)
    assert command.main(["gate"]) == 130
    assert capsys.readouterr().err == "interrupted; no file is half written\n"
