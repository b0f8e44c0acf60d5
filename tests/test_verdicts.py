"""Six verdicts, kept apart: a small set of checks over submissions that end each way."""
import shutil
import sys
from pathlib import Path

import pytest

from autograder import grading, interrupts, rubric, sandbox
from autograder.plugin import GradingPlugin
from autograder.rubric import RubricError

CHECKS = '''
import pytest, torch
from autograder import expect
from hypothesis import given, strategies as st

@pytest.mark.item("vicreg.value")
def test_value(student):
    z = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    expect.close(student.vicreg.invariance_loss(z, z + 1), 1.0, rtol=1e-5, atol=0, what="invariance_loss(z, z + 1)")

@pytest.mark.item("vicreg.shrunk")
@given(n=st.integers(2, 9))
def test_shrunk(student, n):
    expect.close(student.vicreg.invariance_loss(torch.zeros(n, 2), torch.zeros(n, 2)), 0.0, rtol=0, atol=0)

@pytest.mark.item("vicreg.builds_on_value")
def test_builds_on_value(student):
    student.vicreg.variance_loss(torch.eye(3))

@pytest.mark.item("vicreg.careless")
def test_careless(student):
    table = {0: "zero"}
    assert table[int(student.vicreg.covariance_loss(torch.zeros(3, 2)).item())]

@pytest.mark.item("vicreg.broken")
def test_broken(student, reference):
    reference.vicreg.no_such_function()
'''
RULES = [
    ("value", []), ("shrunk", []), ("builds_on_value", ["vicreg.value"]), ("careless", []), ("broken", []),
]  # fmt: skip

USES: dict[str, list[str]] = {}
PROJECT = Path(grading.__file__).resolve().parents[1]


@pytest.fixture
def grade(tmp_path, monkeypatch):
    """Grade a vicreg.py (text) with the checks above; the items by their short name."""
    checks = tmp_path / "checks"
    (checks / "public").mkdir(parents=True)
    for name in ("conftest.py", "pytest.ini"):
        shutil.copy(grading.CHECKS / name, checks)
    (checks / "public" / "test_small.py").write_text(CHECKS)
    monkeypatch.setattr(grading, "CHECKS", checks)

    def run(text: str | None):
        folder = tmp_path / "submission"
        folder.mkdir()
        if text is not None:
            (folder / "vicreg.py").write_text(text)
        rules = rubric.load(write_rubric(tmp_path))
        report = grading.grade(folder, rules, rules, sandbox.choose())
        return {item.id.split(".")[1]: item for item in report.items()}

    return run


def write_rubric(folder: Path, rules=tuple(RULES)) -> Path:
    text = rubric.DEFAULT.read_text()
    text = text[: text.index("[[task]]")] + '[[task]]\nid = "vicreg"\nnumber = 2\ntitle = "loss"\n'
    for name, requires in rules:
        text += f'[[task.item]]\nid = "vicreg.{name}"\ntitle = "the {name}"\npoints = 2\nvisibility = "public"\n'
        text += f'requires = {requires!r}\nuses = {USES.get(name, [])!r}\nhint = "look"\n'
    path = folder / "rubric.toml"
    path.write_text(text)
    return path


GOOD = """
import torch
def invariance_loss(a, b): return ((a - b) ** 2).mean()
def variance_loss(z): return z.sum()
def covariance_loss(z): return z.sum() * 0
"""


def test_passed_and_grader_fault(grade):
    items = grade(GOOD)
    assert [items[name].verdict for name, _ in RULES] == ["passed"] * 4 + ["grader_fault"]
    assert items["broken"].points == 2 and "No points are lost" in items["broken"].message


def test_failed_blocks_what_builds_on_it_and_nothing_else(grade):
    items = grade(GOOD.replace("** 2", ".abs() * 3"))
    assert items["value"].verdict == "failed" and items["value"].points == 0
    assert "to be 1" in items["value"].message and "Came:     3" in items["value"].message
    assert items["builds_on_value"].verdict == "blocked" and "the value" in items["builds_on_value"].message
    assert items["shrunk"].verdict == items["careless"].verdict == "passed"


def test_the_smallest_failing_input_is_shown(grade):
    items = grade(GOOD.replace("((a - b) ** 2).mean()", "a.sum() + len(a)"))
    assert "torch.tensor([[0.0, 0.0], [0.0, 0.0]])" in items["shrunk"].message


def test_crashed_by_exception_shows_the_students_line(grade):
    items = grade(GOOD.replace("((a - b) ** 2).mean()", "a.reshape(-1, 7)"))
    message = items["shrunk"].message
    assert items["shrunk"].verdict == "crashed" and "RuntimeError" in message
    assert "assignment/vicreg.py, line 3" in message and "a.reshape(-1, 7)" in message


def test_not_attempted_is_told_from_blocked_and_failed(grade):
    items = grade(None)
    assert {items[name].verdict for name in ("value", "shrunk", "builds_on_value", "careless")} == {"not_attempted"}


def test_what_builds_on_an_open_item_is_blocked_when_it_fails_itself(grade):
    text = GOOD.replace("return ((a - b) ** 2).mean()", "raise NotImplementedError('TODO')")
    assert grade(text.replace("z.sum()\n", "z @ 1\n", 1))["builds_on_value"].verdict == "blocked"


@pytest.fixture(scope="module")
def without_neighbors(tmp_path_factory):
    """The reference's Task 7 above the stubs of Task 6, graded by the public checks."""
    folder = tmp_path_factory.mktemp("submission") / "assignment"
    shutil.copytree(PROJECT / "solutions", folder, ignore=shutil.ignore_patterns("notebooks", "discussion", "reproduce"))
    shutil.copy(PROJECT / "assignment" / "neighbors.py", folder)
    rules = rubric.load()
    report = grading.grade(folder, rules.only(["laplacian"], visibility="public"), rules, sandbox.choose())
    return {item.id: item for item in report.items()}


def test_what_calls_the_stub_of_another_task_is_blocked_and_says_by_what(without_neighbors):
    graph = without_neighbors["laplacian.graph_neighbors"]
    assert graph.verdict == "blocked" and "calls nearest_neighbors of Task 6" in graph.message
    assert without_neighbors["laplacian.features"].verdict == "passed"


def test_what_fails_above_a_failure_is_blocked_and_says_where_to_look(grade, monkeypatch):
    monkeypatch.setitem(USES, "shrunk", ["vicreg.value"])
    items = grade(GOOD.replace("** 2", ".abs() * 3 + 1"))
    assert items["shrunk"].verdict == "blocked" and items["value"].verdict == "failed"
    assert "builds on “the value”" in items["shrunk"].message and "Expected:" in items["shrunk"].message
    assert "builds on" not in items["value"].message


def test_a_check_that_stumbles_over_a_students_value_is_the_students(grade):
    items = grade(GOOD.replace("z.sum() * 0", "z.sum() * 0 + 5"))
    assert items["careless"].verdict == "failed" and items["careless"].points == 0


def test_an_answer_that_changes_from_call_to_call_fails(grade):
    items = grade(GOOD.replace("((a - b) ** 2).mean()", "((a - b) ** 2).mean() + (hash(str(__import__('time').time())) % 2)"))
    assert items["shrunk"].verdict == "failed"


def test_a_grader_that_breaks_down_at_one_item_still_judges_the_others(grade, monkeypatch):
    judge = GradingPlugin.judge

    def breaks_down(self, entry, error, node):
        if entry.id == "vicreg.shrunk":
            raise ZeroDivisionError("a defect of the grader")
        return judge(self, entry, error, node)

    monkeypatch.setattr(GradingPlugin, "judge", breaks_down)
    items = grade(GOOD.replace("z.sum() * 0", "z.sum() * 0 + 5"))
    verdicts = [items[name].verdict for name, _ in RULES]
    assert verdicts == ["passed", "grader_fault", "passed", "failed", "grader_fault"]


def test_an_interrupt_inside_the_reference_is_no_verdict(grade, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("solutions.vicreg.no_such_function", interrupted, raising=False)
    with pytest.raises(KeyboardInterrupt):
        grade(GOOD)


def test_an_interrupt_that_python_drops_still_ends_grading(grade, monkeypatch):
    class Destructor:
        def __del__(self):
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(interrupts.signal, "signal", lambda *_: None)
    interrupts.install()
    Destructor()
    with pytest.raises(KeyboardInterrupt):
        grade(GOOD)


def test_rubric_and_checks_that_disagree_stop_everything(grade, tmp_path, monkeypatch):
    rules = rubric.load(write_rubric(tmp_path, (*RULES, ("extra", []))))
    with pytest.raises(RubricError, match="vicreg.extra"):
        grading.grade(tmp_path / "checks", rules, rules, sandbox.choose())
