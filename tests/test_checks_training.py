"""Checks of training and representations: every known mistake is caught, every other right style passes."""

import importlib
import tomllib

import pytest

from autograder import diagnosis
from autograder.expect import Mismatch
from autograder.misconceptions import entries, mutants
from autograder.proofs import harness
from autograder.proofs.calibration.items import NO_VARIANCE, OTHER_IMAGES, UNTRAINED, known_mistakes
from autograder.proofs.variants import variants
from autograder.student import StudentError
from tests.chosen import first_of_each_function

POINTS = {"training": 12, "representations": 8}
TASKS = {"training": "training", "evaluation": "representations"}  # by module; its `retrieve` is task 5
THRESHOLDS = ("training.no_collapse", "representations.probe_accuracy")  # each takes seconds
MISTAKES = [each for module in TASKS for each in entries(module) if each.target != "evaluation.retrieve"]
VARIANTS = [each for module in TASKS for each in variants(module) if each.target != "evaluation.retrieve"]


def name_of(entry) -> str:
    return f"{entry.target}: {entry.name}"


def failures(package: str, task: str, stop: bool = False) -> dict:
    """What the checks raised, by item, without those that train for seconds; `stop`: only the first."""
    found: dict = {}
    with harness.one_thread():
        for check in harness.checks(task):
            error = (
                None if check.item in THRESHOLDS or (stop and found) else harness.run_check(check, package)[0]
            )
            found |= {} if error is None else {check.item: error}
    return found


def threshold_failures(package: str) -> set[str]:
    shared: dict = {}
    with harness.one_thread():
        chosen = [check for task in POINTS for check in harness.checks(task) if check.item in THRESHOLDS]
        return {check.item for check in chosen if harness.run_check(check, package, shared)[0] is not None}


@pytest.mark.parametrize("task", POINTS)
def test_every_item_has_one_check_and_points_add_up(task):
    with open(harness.ROOT / "autograder" / "rubric.toml", "rb") as file:
        table = {each["id"]: each for each in tomllib.load(file)["task"]}[task]
    items = {item["id"]: item["visibility"] for item in table["item"]}
    assert {check.item: check.visibility for check in harness.checks(task)} == items
    assert sum(item["points"] for item in table["item"]) == POINTS[task]


@pytest.mark.slow  # the gate grades the reference
def test_reference_passes_all_checks_with_one_training_run():
    with mutants.package_with() as package:
        assert [failures(package, task) for task in POINTS] == [{}, {}]
        assert threshold_failures(package) == set()


@pytest.mark.parametrize("entry", first_of_each_function(VARIANTS), ids=name_of)
def test_variant_passes(entry):
    with mutants.package_with(entry) as package:
        assert failures(package, TASKS[entry.task_module]) == {}


@pytest.mark.parametrize("entry", first_of_each_function(MISTAKES), ids=name_of)
def test_mistake_is_caught(entry):
    with mutants.package_with(entry) as package:
        found = failures(package, TASKS[entry.task_module], stop=True)
    assert found
    (error,) = found.values()
    assert isinstance(error, Mismatch | StudentError)
    assert not isinstance(error, NameError | ImportError), "the entry itself does not run"


@pytest.mark.parametrize("entry", first_of_each_function(MISTAKES), ids=name_of)
def test_diagnosis_names_this_mistake_or_none(entry):
    with mutants.package_with(entry) as package, harness.one_thread():
        for check in harness.checks(TASKS[entry.task_module]):
            error, student = harness.run_check(check, package) if check.item not in THRESHOLDS else (None, None)
            if error is not None and student.calls:
                break
        found = diagnosis.diagnose(student, diagnosis.target_of(student.calls[-1][0]), student.calls)
    assert found in ((entry,), ())


CONVENTIONS = [each for each in entries("vicreg") if each.convention]
ODD = {"ε of 1e-3", "norm instead of squared error", "diagonal kept", "branches averaged"}
ODD_LOSSES = [each for each in entries("vicreg") if each.name in ODD]


@pytest.mark.parametrize("entry", [*CONVENTIONS, *ODD_LOSSES, *variants("vicreg.vicreg_loss")], ids=name_of)
def test_the_loss_is_not_judged_again(entry):
    """Another convention, or a mistake that task 2 has told, costs nothing in task 3."""
    with mutants.package_with(entry) as package:
        assert failures(package, "training") == {}


@pytest.mark.slow
@pytest.mark.parametrize("entry", [each for each in CONVENTIONS if "|B|" not in each.name], ids=name_of)
def test_thresholds_accept_other_conventions(entry):
    with mutants.package_with(entry) as package:
        assert threshold_failures(package) == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", [UNTRAINED, NO_VARIANCE, OTHER_IMAGES])
def test_thresholds_tell_wrong_training(name):
    with mutants.package_with(known_mistakes()[name]) as package:
        found = threshold_failures(package)
    assert found == ({"representations.probe_accuracy"} if name == OTHER_IMAGES else set(THRESHOLDS))


def test_a_failed_training_run_is_not_repeated():
    with mutants.package_with() as package:
        runs = []
        importlib.import_module(f"{package}.training").train_vicreg = lambda *args, **options: (
            runs.append(1) or 1 / 0
        )
        assert threshold_failures(package) == set(THRESHOLDS)
    assert runs == [1]
