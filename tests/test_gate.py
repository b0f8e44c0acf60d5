"""The gate holds, and it can fail: each condition is broken once."""
import shutil
from pathlib import Path

import pytest

from autograder import rubric
from release import gate

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture
def copy(tmp_path):
    for name in ("assignment", "solutions"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.ci
@pytest.mark.slow
def test_every_condition_holds():
    failed = {name: problems for name, problems in gate.conditions(PROJECT) if problems}
    assert not failed


def test_a_changed_stub_is_noticed(copy):
    (copy / "assignment" / "vicreg.py").write_text("")
    assert gate.stale_stubs(copy)


def test_a_surviving_solution_line_is_noticed(copy):
    text = (copy / "solutions" / "training.py").read_text()
    (copy / "assignment" / "training.py").write_text(text)
    problems = gate.surviving_lines(copy)
    assert any("marker" in each for each in problems) and any("loss" in each or "optim" in each for each in problems)


def test_an_unexpected_file_is_noticed(copy):
    (copy / "assignment" / "answers.txt").write_text("42")
    (copy / "assignment" / "provided" / "weights.bin").write_text("42")
    assert gate.unexpected_files(copy, rubric.load().files) == ["answers.txt", "provided/weights.bin"]


def test_a_stub_that_is_not_a_stub_is_noticed(copy):
    shutil.copy(copy / "solutions" / "warmup.py", copy / "assignment" / "warmup.py")
    rules = rubric.load().only(["warmup"])
    assert gate.grade_stubs(copy, rules) and not gate.grade_reference(copy, rules)
    (copy / "solutions" / "warmup.py").write_text("def normalize(images):\n    return images\n")
    assert gate.grade_reference(copy, rules)
