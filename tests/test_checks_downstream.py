"""The checks of tasks 5 to 10: every known mistake is caught, every other right style passes."""

import functools

import pytest

from autograder import rubric
from autograder.diagnosis import diagnose
from autograder.expect import Mismatch
from autograder.misconceptions import entries, mutants, nameable
from autograder.proofs import harness
from autograder.proofs.variants import variants
from autograder.student import StudentError
from autograder.tasks import task_of
from tests.chosen import first_of_each_function

POINTS = {
    "retrieval": 4,
    "neighbors": 9,
    "laplacian": 9,
    "anomaly": 8,
    "clustering": 12,
    "latent_optimization": 12,
}


MISTAKES = [each for each in entries() if task_of(each.target) in POINTS]
LONG = {  # two and a half seconds and more
    "clustered on the t-SNE map",
    "a ReLU between the layers",
    "learning rate of the codes far too small",
    "views of other images",
    "position in the batch taken as index",
    "order lost",
    "one direction only",
    "NaN where a and b are 0",
    "the diagonal of each block excluded",
    "each block searched in its own rows",
}
VARIANTS = [each for each in variants() if task_of(each.target) in POINTS]
NAMEABLE = [each for each in MISTAKES if each.target in nameable()]


def name_of(entry) -> str:
    return f"{entry.target}: {entry.name}"


def long_ones_marked(entries) -> list:
    """Of the bonus tasks, whose functions take longest, one entry a function is left to the fast tests."""
    seen: set = set()
    marked = []
    for each in entries:
        is_long = each.name in LONG or (each.target in seen and task_of(each.target) in ("clustering", "latent_optimization"))
        marked.append(pytest.param(each, marks=pytest.mark.slow) if is_long else each)
        seen |= set() if is_long else {each.target}
    return marked


def is_about(entry, student) -> bool:
    """Whether the function with the mistake was called last, and is one that the diagnosis knows."""
    return entry in NAMEABLE and student.calls and student.calls[-1][0].target == entry.target


def assert_named_right_or_not_at_all(entry, student) -> None:
    """A wrong name is worse than none."""
    if is_about(entry, student):
        assert diagnose(student, entry.target, student.calls) in ((entry,), ())


def failed(outcomes: dict) -> dict:
    return {item: repr(error) for item, error in outcomes.items() if error is not None}


@functools.cache
def items_of(task: str) -> dict[str, str]:
    return {item.id: item.visibility for item in rubric.load().find_task(task).items}


@pytest.mark.parametrize("task", POINTS)
def test_every_item_has_one_check_and_points_add_up(task):
    assert {check.item: check.visibility for check in harness.checks(task)} == items_of(task)
    assert len(harness.checks(task)) == len(items_of(task))
    assert sum(item.points for item in rubric.load().find_task(task).items) == POINTS[task]


@pytest.mark.slow  # the gate grades the reference
@pytest.mark.parametrize("task", POINTS)
def test_reference_passes(task):
    with mutants.package_with() as package:
        assert failed(harness.run_checks(package, task)) == {}


@pytest.mark.parametrize("entry", first_of_each_function(VARIANTS), ids=name_of)
def test_variant_passes(entry):
    with mutants.package_with(entry) as package:
        assert failed(harness.run_checks(package, task_of(entry.target))) == {}


@pytest.mark.parametrize("entry", long_ones_marked(MISTAKES), ids=name_of)
def test_mistake_is_caught_and_named_right_or_not_at_all(entry):
    outcomes = {}
    with mutants.package_with(entry) as package, harness.one_thread():
        for check in harness.checks(task_of(entry.target)):
            error, student = harness.run_check(check, package)
            outcomes[check.item] = error
            if error is not None:
                assert_named_right_or_not_at_all(entry, student)
                if not entry.convention:
                    break
    found = [error for error in outcomes.values() if error is not None]
    assert found
    assert all(isinstance(error, Mismatch | StudentError) for error in found)
    assert not any(isinstance(error, NameError | ImportError) for error in found), (
        "the entry itself does not run"
    )
    if entry.convention:  # told, and no more than its own item lost
        assert set(failed(outcomes)) == {f"{task_of(entry.target)}.convention"}


@pytest.mark.slow  # beyond the first item that fails
@pytest.mark.parametrize("entry", NAMEABLE, ids=name_of)
def test_diagnosis_names_this_mistake_or_none_at_every_item(entry):
    with mutants.package_with(entry) as package, harness.one_thread():
        for check in harness.checks(task_of(entry.target)):
            error, student = harness.run_check(check, package)
            if error is not None:
                assert_named_right_or_not_at_all(entry, student)


@pytest.mark.slow
@pytest.mark.parametrize("entry", [each for each in VARIANTS if each.target in nameable()], ids=name_of)
def test_diagnosis_is_silent_about_right_solutions(entry):
    with mutants.package_with(entry) as package, harness.one_thread():
        for check in harness.checks(task_of(entry.target)):
            _, student = harness.run_check(check, package)
            assert diagnose(student, entry.target, student.calls) == ()
