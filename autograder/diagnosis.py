"""Which known mistake is behind a failure?

The submission is asked for a few facts about the function that failed: its values on the probes, its gradients, or what
an observer reads from it. Each known mistake, put into the reference, has been asked for the same. A mistake is named
where it alone agrees with the submission on every fact, and the reference does not. Where nothing agrees, the
mistakes of the functions that it builds on are put in as well, then combinations of two in the same function.

A wrong name is worse than none: whatever is ambiguous stays unnamed, and so does what builds on a function with a mistake
that is not known.
"""
import ast
import contextlib
import copy
import dataclasses
import functools
import importlib
import itertools
import math
import warnings

import numpy as np
import torch

from autograder import misconceptions
from autograder.expect import Mismatch
from autograder.misconceptions import Entry, mutants
from autograder.student import LocalChannel, NotAttempted, Student, StudentError
from autograder.worker import wire

RECORDED = 50  # of the latest calls that are compared
LARGEST = 50_000  # numbers in a call: every known mistake is run on it, in the grader's own memory
RTOL, ATOL = 1e-4, 1e-6  # float32 of a submission beside float64 here; the probes keep mistakes 1e-3 apart

# The function that a scenario runs. `twice` has it as its first argument.
SCENARIOS = {
    "step": "training.train_step",
    "evaluate": "training.evaluate_loss",
    "loop": "training.train_vicreg",
    "extract": "evaluation.extract_representations",
    "project": "evaluation.project_2d",
}


@dataclasses.dataclass(frozen=True)
class Near:
    """A fact about random draws: equal to another within `slack`."""

    value: float
    slack: float


@dataclasses.dataclass(frozen=True)
class Raised:
    """A fact: the call raised an exception of this type."""

    type_name: str


def target_of(call) -> str:
    """The function that a recorded call is about; a scenario's name where it is about no single one."""
    if call.op != "scenario":
        return call.target
    return call.args[0] if call.target == "twice" else SCENARIOS.get(call.target, call.target)


def diagnose(student: Student, target: str, calls: list, asked: dict | None = None) -> tuple[Entry, ...]:
    """The known mistakes that give what the submission gave: one, seldom two or more, mostly none.

    `calls` are the recorded pairs of Call and value of a failed item. The submission is asked for a few more values;
    these calls leave no trace in `student`. What it raises is a fact; what ends its worker (Crash) goes on upward.
    `asked` keeps the submission's facts, by function, for the next failed item.
    """
    diagnosis = Diagnosis(student._channel, {} if asked is None else asked)
    for each in dict.fromkeys([target, *(target_of(call) for call, _ in reversed(calls))]):
        samples = _samples(each, calls)
        if not diagnosis.finds_right(each, samples):  # where it does: an item may ask about side effects only at its end
            return diagnosis.named(each, samples)
    return ()


class Diagnosis:
    """One submission, and the facts that it has been asked for."""

    def __init__(self, channel, asked: dict):
        self.channel, self.asked = channel, asked

    def of(self, target: str, samples: list[tuple] = ()) -> tuple[Entry, ...]:
        """The mistakes that explain the facts about `target` and the samples, calls of it with their values."""
        return () if self.finds_right(target, samples) else self.named(target, samples)

    def named(self, target: str, samples: list[tuple]) -> tuple[Entry, ...]:
        """The same, where something is known to be wrong."""
        facts = self.facts(target) if target in misconceptions.nameable() else None
        if facts is None:
            return ()
        entries = [(entry,) for entry in misconceptions.entries(target)]
        wrong = [helper for helper in functions_called(target) if self.is_wrong(helper)]
        found_below = [self.of(helper) for helper in wrong]
        if not all(found_below):  # what is unknown below could look like anything up here
            return ()
        below = tuple(itertools.chain.from_iterable(found_below))
        if below:  # known from facts of its own: whatever else is wrong here, is wrong on top of it
            orders = [[below], [(*each, *below) for each in [*entries, *freely(entries, target)]]]
        else:
            # A function that raises looks like any two mistakes that do not fit together.
            orders = [entries, freely(entries, target), [] if raises(facts) else pairs_within(target)]
        for candidates in orders:
            found = [each for each in candidates if explain(each, target, facts, samples)]
            if found:
                return mistakes(found[0]) if len({names(each) for each in found}) == 1 else ()
        return ()

    def is_wrong(self, target: str) -> bool:
        """Whether a function that is written does not give the right facts."""
        return target in misconceptions.nameable() and self.facts(target) is not None and not self.finds_right(target)

    def finds_right(self, target: str, samples: list[tuple] = ()) -> bool:
        """Whether nothing in the facts about `target` and the samples is wrong."""
        if target not in misconceptions.nameable() or self.facts(target) is None:
            return False
        right = [(), *((freedom,) for freedom in misconceptions.freedoms(target))]
        return any(explain(each, target, self.facts(target), samples) for each in right)

    def facts(self, target: str) -> dict | None:
        """What the submission answers; None where the function is not written, or ends its worker."""
        if target not in self.asked:
            self.asked[target] = None  # a worker that ends is not asked again
            with contextlib.suppress(NotAttempted):
                self.asked[target] = observe(Student(self.channel, f"diagnosis/{target}"), target)
        return self.asked[target]


def raises(fact) -> bool:
    """Whether an exception is among the facts."""
    if isinstance(fact, dict | list | tuple):
        return any(map(raises, fact.values() if isinstance(fact, dict) else fact))
    return isinstance(fact, Raised)


def freely(entries: list[tuple], target: str) -> list[tuple[Entry, ...]]:
    """Each mistake on top of another right way to do the rest."""
    return [(*each, freedom) for each in entries for freedom in misconceptions.freedoms(target)]


def pairs_within(target: str) -> list[tuple[Entry, ...]]:
    """Combinations of two mistakes in one function: an entry, and one that can be put on top of it."""
    both = itertools.product(misconceptions.entries(target), misconceptions.alterations(target))
    return [(entry, change) for entry, change in both if entry.name not in (change.name, *change.instead_of)]


def mistakes(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The entries without those that are no mistakes."""
    return tuple(each for each in entries if each.name)


def names(entries: tuple[Entry, ...]) -> frozenset[str]:
    return frozenset(f"{each.target}: {each.name}" for each in mistakes(entries))


def explain(entries: tuple[Entry, ...], target: str, facts: dict, samples: list[tuple]) -> bool:
    """Whether the reference with these entries put in gives the facts and the values of the samples."""
    if not agree(facts, facts_of(target, *entries)):
        return False
    if not samples:
        return True
    module, name = target.split(".")
    with mutants.package_with(*entries) as package, _contained():
        function = getattr(importlib.import_module(f"{package}.{module}"), name)
        return all(_same(target, _value(function, args, kwargs), value) for args, kwargs, value in samples)


def observe(student: Student, target: str) -> dict:
    """The facts about `target` in a submission, with what it changed that it should not."""
    facts = {f"probe {number}": _answer(student, target, each) for number, each in enumerate(misconceptions.probes(target))}
    observer = misconceptions.observer_of(target)
    if observer is not None:
        facts["observed"] = attempt(observer, student)
    return facts | {"changed": sorted(student.mutated | student.changed_settings)}


def _answer(student: Student, target: str, probe: misconceptions.Probe):
    if probe.wrt:
        return attempt(student.gradient, target, *probe.args, wrt=probe.wrt, output=probe.output, **probe.kwargs)
    module, function = target.split(".")
    return attempt(getattr(getattr(student, module), function), *probe.args, **probe.kwargs)


def attempt(call, *args, **kwargs):
    """What a call returns, or that it raised; of an observer, also that what came cannot be read (not finite, another shape)."""
    try:
        return call(*args, **kwargs)
    except StudentError as error:
        return Raised(error.type_name if error.kind == "exception" else error.kind)
    except Mismatch:
        return Raised("Mismatch")


@functools.lru_cache(maxsize=10_000)
def facts_of(target: str, *entries: Entry) -> dict:
    """The facts about `target` in the reference, with the entries put in."""
    with mutants.package_with(*entries) as package, _contained():
        return observe(Student(LocalChannel(package), f"diagnosis/{target}"), target)


@contextlib.contextmanager
def _contained():
    """What a mistake changes in PyTorch, or warns of, stays inside: here it runs in the grader's own process."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)


@functools.cache
def functions_called(target: str) -> tuple[str, ...]:
    """The task functions with known mistakes that the reference of `target` calls, also through helpers of its own."""
    module, name = target.split(".")
    tree = ast.parse((mutants.SOLUTIONS / f"{module}.py").read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    imported = {
        alias.name: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    known, found, todo = misconceptions.nameable(), [], [name]
    for current in todo:
        for each in ast.walk(functions[current]):
            used = each.id if isinstance(each, ast.Name) else None
            full = imported.get(used, f"{module}.{used}")
            if full in known and full != target:
                found.append(full)
            elif used in functions and used not in todo:
                todo.append(used)
    return tuple(dict.fromkeys(found))


# Comparing


def agree(a, b) -> bool:
    """Whether two facts are the same, within the rounding of float32 or the slack that one of them states."""
    if isinstance(a, Near) or isinstance(b, Near):
        return isinstance(a, Near) and isinstance(b, Near) and abs(a.value - b.value) <= max(a.slack, b.slack)
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(agree(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(agree(x, y) for x, y in zip(a, b))
    if isinstance(a, bool | str | Raised | None) or isinstance(b, bool | str | Raised | None):
        return type(a) is type(b) and a == b
    return _close(_number(a), _number(b))


def _close(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    if a is None or b is None:  # of types that do not travel
        return a is b
    return a.shape == b.shape and torch.allclose(a, b, RTOL, ATOL, equal_nan=True)


def _number(value) -> torch.Tensor | None:
    """A number, array, tensor or sparse matrix as a float64 tensor; None for anything else."""
    if isinstance(value, torch.Tensor | np.ndarray | np.generic | int | float):
        value = torch.as_tensor(value)
        if value.layout is torch.strided:
            return value.detach().double()
    sparse = value if isinstance(value, wire.Sparse) else wire.as_sparse(value)
    return None if sparse is None else sparse.dense()


# The calls that the failed item made


def _samples(target: str, calls: list) -> list[tuple]:
    """The recorded calls of the target that are small enough, as (args, kwargs, value)."""
    chosen = [
        (call.args, call.kwargs, value)
        for call, value in calls
        if call.op == "call" and call.target == target and _size((call.args, call.kwargs)) <= LARGEST
    ]
    return chosen[-RECORDED:] if misconceptions.probes(target) else chosen[-1:]  # of an observed one, what the item ended at


def _same(target: str, a, b) -> bool:
    """Whether two values of a call agree. Those of an observed function depend on random draws: both are there, or none is."""
    return agree(a, b) if misconceptions.probes(target) else (a is None) == (b is None)


def _size(value) -> int:
    """How many numbers there are in arguments."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return sum(_size(each) for each in value)
    return math.prod(value.shape) if hasattr(value, "shape") else 1


def _value(function, args: tuple, kwargs: dict):
    """What a function gives, as it would come over the wire; None where it raises, as in the records."""
    try:
        return wire.unpack(wire.pack(function(*copy.deepcopy(args), **copy.deepcopy(kwargs))))
    except Exception:
        return None
