"""The checks of warm-up, augmentations and loss: every known mistake is caught, every other right style passes."""
import dataclasses
import tomllib

import pytest
import torch

from autograder import diagnosis, limits
from autograder.diagnosis import diagnose
from autograder.misconceptions import entries, mutants
from autograder.misconceptions.mutants import override_source
from autograder.proofs import harness
from autograder.proofs.variants import variants
from autograder.student import Call, LocalChannel, Student, StudentError, reference
from tests.chosen import first_of_each_function

TASKS = ["warmup", "augmentations", "vicreg"]
MISTAKES = [each for task in TASKS for each in entries(task)]
VARIANTS = [each for task in TASKS for each in variants(task)]
EXACT = [each for each in MISTAKES if each.task_module != "augmentations"]


def name_of(entry) -> str:
    return f"{entry.target}: {entry.name}"


def failed(outcomes: dict) -> dict:
    return {item: repr(error) for item, error in outcomes.items() if error is not None}


@pytest.mark.parametrize("task", TASKS)
def test_every_item_has_one_check_and_points_add_up(task):
    with open(harness.ROOT / "autograder" / "rubric.toml", "rb") as file:
        table = {each["id"]: each for each in tomllib.load(file)["task"]}[task]
    items = {item["id"]: item["visibility"] for item in table["item"]}
    assert {check.item: check.visibility for check in harness.checks(task)} == items
    assert len(harness.checks(task)) == len(items)
    assert sum(item["points"] for item in table["item"]) == {"warmup": 2, "augmentations": 12, "vicreg": 16}[task]
    assert all(item["title"] and item["hint"] for item in table["item"])


@pytest.mark.slow  # the gate grades the reference
@pytest.mark.parametrize("task", TASKS)
def test_reference_passes(task):
    with mutants.package_with() as package:
        assert failed(harness.run_checks(package, task)) == {}


@pytest.mark.parametrize("entry", first_of_each_function(VARIANTS), ids=name_of)
def test_variant_passes(entry):
    with mutants.package_with(entry) as package:
        assert failed(harness.run_checks(package, entry.task_module)) == {}


@pytest.mark.parametrize("entry", MISTAKES, ids=name_of)
def test_mistake_is_caught(entry):
    with mutants.package_with(entry) as package:
        outcomes = harness.run_checks(package, entry.task_module, stop=not entry.convention)
    assert failed(outcomes)
    if entry.convention:  # told, and no more than its own item lost
        assert set(failed(outcomes)) == {"vicreg.convention"}


@pytest.mark.parametrize("items", [2, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize("entry", EXACT, ids=name_of)
def test_diagnosis_names_the_mistake_at_the_first_items_that_fail(entry, items):
    with mutants.package_with(entry) as package, harness.one_thread():
        diagnosed = 0
        for check in harness.checks(entry.task_module):
            error, student = harness.run_check(check, package)
            if error is None:
                continue
            before = list(student.calls)
            assert diagnose(student, entry.target, student.calls) == (entry,)
            assert len(student.calls) == len(before)
            diagnosed += 1
            if diagnosed == items:  # the rest takes long and is more of the same
                break


@pytest.mark.parametrize("entry", [each for each in VARIANTS if each.task_module != "augmentations"], ids=name_of)
def test_diagnosis_is_silent_about_right_solutions(entry):
    with mutants.package_with(entry) as package:
        assert diagnose(Student(LocalChannel(package)), entry.target, []) == ()


def test_diagnosis_is_silent_about_unknown_and_random_functions():
    student = reference()
    assert diagnose(student, "augmentations.random_flip", []) == ()
    assert diagnose(student, "vicreg.nothing", []) == ()
    odd = (Call("call", "vicreg.variance_loss", (torch.ones(3, 2),), {}), "no number")
    assert diagnose(student, "vicreg.variance_loss", [odd]) == ()


class Dead(BaseException):
    pass


@pytest.mark.parametrize("error", [Dead, None])
def test_diagnosis_swallows_what_a_submission_raises_and_nothing_else(error):
    class Broken:
        def request(self, message, seconds=None):
            if error is None:
                return {"error": {"type": "ValueError", "bases": ["ValueError"], "message": "no"}}
            raise error

    student = Student(Broken())
    if error is None:
        assert diagnose(student, "vicreg.covariance_loss", []) == ()
    else:
        with pytest.raises(Dead):
            diagnose(student, "vicreg.covariance_loss", [])


def test_diagnosis_leaves_large_calls_alone():
    """Each known mistake would be run on them, in the grader: 17,000 rows took 9 GB."""
    large = Call("call", "vicreg.covariance_loss", (torch.zeros(diagnosis.LARGEST + 1, 1),), {})
    small = dataclasses.replace(large, args=(torch.zeros(4, 3),))
    kept = diagnosis._samples(large.target, [(large, 0.0), (small, 0.0)])
    assert [args for args, _, _ in kept] == [small.args]


def test_lost_gradient_is_named():
    entry = next(each for each in EXACT if each.name == "no gradient recorded")
    check = next(each for each in harness.checks("vicreg") if each.item == "vicreg.gradient")
    with mutants.package_with(entry) as package:
        error, _ = harness.run_check(check, package)
    assert isinstance(error, StudentError) and error.kind == "no_gradient"


def test_override_source_leaves_the_decorator_out():
    for entry in MISTAKES + VARIANTS:
        source = override_source(entry)
        assert "@misconception" not in source and "@variant" not in source
        compile(source, entry.name, "exec")


def test_what_is_told_is_no_code():
    for entry in MISTAKES:
        assert entry.told.endswith((".", "?")) and "torch.sqrt" not in entry.told and "return" not in entry.told


@pytest.mark.parametrize("n, p", [(120, 0.5), (240, 0.2), (240, 0.8), (240, 0.1768), (400, 0.28), (60, 0.25)])
def test_a_right_frequency_is_refused_less_than_once_in_a_million(n, p):
    from scipy.stats import binom

    low, high = limits.likely_counts(n, p)
    refused = sum(binom.pmf(k, n, p) for k in range(n + 1) if not low <= k <= high)
    assert refused < 1e-6


def test_naming_a_mistake_leaves_the_grader_its_default_dtype():
    """The samples of a failed item are computed with the mistake in the grader's own process."""
    (entry,) = (each for each in entries("warmup.normalize") if each.name == "default dtype changed")
    images = torch.zeros(1, 1, 1, 3, dtype=torch.uint8)
    with mutants.package_with(entry) as package:
        student = Student(LocalChannel(package))
        student.warmup.normalize(images)
        assert diagnose(student, entry.target, student.calls) == (entry,)
    assert torch.get_default_dtype() == torch.float32
