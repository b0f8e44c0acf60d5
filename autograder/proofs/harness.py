"""Runs checks in this process on packages built from the reference: mutants with a known mistake, and variants.

    with mutants.package_with(entry) as package:
        outcomes = run_checks(package, "vicreg")   # {item id: None, or the exception that the check raised}

No pytest inside pytest: a check is a plain function that asks for `student` and `reference`, so it is called as one.
Prerequisites are not looked at: every check runs.
"""
import contextlib
import dataclasses
import functools
import importlib.util
import inspect
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import torch

from autograder.student import LocalChannel, Student, reference

ROOT = Path(__file__).resolve().parent.parent.parent
CHECKS = ROOT / "autograder" / "checks"


@dataclasses.dataclass(frozen=True)
class Check:
    """One check function, its item id, and the arguments that its `parametrize` marks give (one dict a case)."""

    item: str
    visibility: str
    function: Callable
    cases: tuple[dict, ...]


@functools.cache
def checks(task: str) -> tuple[Check, ...]:
    """The checks of a task, public ones first, in the order of their files."""
    found = []
    with _grading_profile():
        for visibility, suffix in (("public", ""), ("hidden", "_hidden")):
            path = CHECKS / visibility / f"test_{task}{suffix}.py"
            if path.exists():
                functions = [each for name, each in vars(_load(path)).items() if name.startswith("test_")]
                found += [_check(function, visibility) for function in functions]
    return tuple(found)


@contextlib.contextmanager
def _grading_profile() -> Iterator[None]:
    """Hypothesis' profile of the grader, and afterwards the one that the tests have."""
    before = hypothesis.settings.get_current_profile_name()
    _load(CHECKS / "conftest.py")  # registers it
    hypothesis.settings.load_profile("grading")
    try:
        yield
    finally:
        hypothesis.settings.load_profile(before)


@functools.cache
def _load(path: Path):
    """A file of checks as a module, under a name that no other import uses."""
    spec = importlib.util.spec_from_file_location(f"harness_{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _check(function: Callable, visibility: str) -> Check:
    marks = getattr(function, "pytestmark", [])
    items = [mark.args[0] for mark in marks if mark.name == "item"]
    assert len(items) == 1, f"{function.__name__}: exactly one item mark is needed"
    tables = [_cases(*mark.args) for mark in marks if mark.name == "parametrize"]
    cases = tuple({k: v for row in rows for k, v in row.items()} for rows in itertools.product(*tables))
    parameters = inspect.signature(function).parameters.values()
    needed = {each.name for each in parameters if each.default is each.empty}  # a `seed` has a default
    unknown = needed - {"student", "reference", "shared"} - set(cases[0])
    assert not unknown, f"{function.__name__}: the harness has no fixture {', '.join(sorted(unknown))}"
    return Check(items[0], visibility, function, cases)


def _cases(names: str | list, values) -> list[dict]:
    """The rows of a `parametrize` mark, each as a dict."""
    names = [each.strip() for each in names.split(",")] if isinstance(names, str) else list(names)
    rows = []
    for value in values:
        is_param = hasattr(value, "marks")  # pytest.param(...)
        row = value.values if is_param else value if len(names) > 1 else (value,)
        rows.append(dict(zip(names, row, strict=True)))
    return rows


def run_check(check: Check, package: str, shared: dict | None = None) -> tuple[BaseException | None, Student]:
    """What the check raised (None: it passed), with the student that it had, whose calls are recorded.

    `shared` is what the checks of one submission have in common; nothing, where it is left out.
    """
    shared = {} if shared is None else shared
    with one_thread():  # the next check has a fresh worker when it grades
        return _run_cases(check, package, shared)


def _run_cases(check: Check, package: str, shared: dict) -> tuple[BaseException | None, Student]:
    for case in check.cases:
        student = Student(LocalChannel(package), seed=check.item)
        trusted = reference("reference/" + check.item, trusted=True)
        fixtures = {"student": student, "reference": trusted, "shared": shared}
        wanted = inspect.signature(check.function).parameters
        try:
            with _grading_profile():
                check.function(**case, **{name: value for name, value in fixtures.items() if name in wanted})
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # NotAttempted and pytest's own outcomes are no Exceptions
            return error, student
    return None, student


def run_checks(package: str, task: str, stop: bool = False) -> dict[str, BaseException | None]:
    """{item id: None, or what its check raised}; `stop` ends the run at the first that raised."""
    outcomes = {}
    with one_thread():
        for check in checks(task):
            outcomes[check.item], _ = run_check(check, package)
            if stop and outcomes[check.item] is not None:
                break
    return outcomes


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Tiny tensors gain nothing from more threads. What a mistake sets for all of PyTorch ends here, too."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
