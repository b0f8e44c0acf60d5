"""Known mistakes: what to tell whoever makes one, and mutants that prove that the checks catch it.

An entry is a small function with a mistake in it, written as a student might have written it:

    @misconception("vicreg.variance_loss", "square root missing", "You compare the variance itself with γ …")
    def no_square_root(z, gamma=1.0, eps=1e-4):
        return F.relu(gamma - z.var(dim=0) - eps).mean()

The source of the function, put at the end of the reference's module, makes a mutant (`override_source`). So it may use
only what that module has imported or defines, and must not call the function that it replaces.

Only graders have this package: an entry with one mistake is nearly a solution.
"""
import ast
import copy
import dataclasses
import functools
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable

import numpy as np
import torch

from autograder.worker import wire


@dataclasses.dataclass(frozen=True)
class Entry:
    """A function that stands in for `target` ("module.function"): a misconception, or a variant in the tests."""

    target: str
    name: str
    function: Callable
    told: str = ""  # to the student: what it is, why it is wrong, what to look at; never the line to write
    convention: bool = False  # another convention of the literature rather than an error

    @property
    def task_module(self) -> str:
        return self.target.split(".")[0]


Misconception = Entry
_entries: list[Entry] = []
_probes: dict[str, list[tuple[tuple, dict]]] = {}  # by target: (args, kwargs)


def misconception(target: str, name: str, told: str, convention: bool = False) -> Callable:
    """Register the decorated function as a known mistake in `target` ("module.function")."""

    def register(function: Callable) -> Callable:
        if any(each.target == target and each.name == name for each in _entries):
            raise ValueError(f"{target}: a second misconception with the name {name!r}")
        _entries.append(Entry(target, name, function, told, convention))
        return function

    return register


def probe(target: str, *args, **kwargs) -> None:
    """Register arguments on which the known mistakes in `target` differ from each other and from the right answer.

    Only for functions whose result depends on nothing but their arguments: without probes nothing is ever named.
    """
    _probes.setdefault(target, []).append((args, kwargs))


def probed() -> set[str]:
    """The functions that have probes."""
    _load_all()
    return set(_probes)


@functools.cache
def _load_all() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def entries(target: str | None = None) -> list[Entry]:
    """All registered mistakes, or those of one "module.function" (or of one "module")."""
    _load_all()
    return [each for each in _entries if target is None or target in (each.target, each.task_module)]


def override_source(entry: Entry) -> str:
    """Source that, at the end of the reference's module, replaces the target by the entry's function."""
    source = textwrap.dedent(inspect.getsource(entry.function))
    node = ast.parse(source).body[0]  # its line number is that of `def`, after the decorators
    body = "\n".join(source.splitlines()[node.lineno - 1 :])
    return f"\n\n{body}\n\n\n{entry.target.split('.')[1]} = {entry.function.__name__}\n"


# Which mistake is it? By comparing values; only functions whose result depends on nothing but their arguments.

RECORDED = 50  # of the latest calls that are compared
LARGEST = 50_000  # numbers in a call: every known mistake is run on it, in the grader's own memory
RTOL, ATOL = 1e-4, 1e-6  # float32 of a submission beside float64 here; the probes keep mistakes 1e-3 apart


def name_mistake(student, target: str, calls: list) -> Misconception | None:
    """The one known mistake in `target` that gives what the submission gave; None where it is none or not only one.

    `calls` are the recorded pairs of Call and value of a failed item. The submission is asked for a few more values;
    these calls leave no trace in `student.calls`. What it raises is swallowed, save for exceptions that are no Exception
    (a worker that died).
    """
    if target not in probed():
        return None
    samples = [
        (call.args, call.kwargs, value)
        for call, value in list(calls)
        if call.op == "call" and call.target == target and _size((call.args, call.kwargs)) <= LARGEST
    ]
    asked = _ask(student, target)
    if asked is None:
        return None
    samples = asked + samples[-RECORDED:]  # probes are small, and tell most mistakes apart before a large input comes
    module, function = target.split(".")
    if _explains(getattr(importlib.import_module(f"solutions.{module}"), function), samples):
        return None
    found = [entry for entry in entries(target) if _explains(entry.function, samples)]
    return found[0] if len(found) == 1 else None


def _size(value) -> int:
    """How many numbers there are in arguments."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return sum(_size(each) for each in value)
    return int(np.prod(value.shape)) if hasattr(value, "shape") else 1


def _ask(student, target: str) -> list[tuple] | None:
    """The submission's values for the probes of `target`, as (args, kwargs, value); None if it raised."""
    from autograder.student import NotAttempted, StudentError

    module, function = target.split(".")
    before = list(student.calls)
    try:
        call = getattr(getattr(student, module), function)
        return [(args, kwargs, call(*args, **kwargs)) for args, kwargs in _probes[target]]
    except (StudentError, NotAttempted):
        return None
    finally:
        student.calls[:] = before  # the last call is what a failure shows


def _explains(function: Callable, samples: list[tuple]) -> bool:
    """Whether `function` gives the recorded value for every sample."""
    for args, kwargs, value in samples:
        try:
            ours = _numbers(function(*[copy.deepcopy(each) for each in args], **kwargs))
            theirs = _numbers(value)
        except Exception:  # an input that this mistake cannot digest, or a value that is no number
            return False
        same = len(ours) == len(theirs) and all(a.shape == b.shape for a, b in zip(ours, theirs))
        if not same or not all(torch.allclose(a, b, RTOL, ATOL, equal_nan=True) for a, b in zip(ours, theirs)):
            return False
    return True


def _numbers(value) -> list[torch.Tensor]:
    """A result as a flat list of float64 tensors; raises TypeError where it is something else."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return [number for each in value for number in _numbers(each)]
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic, int, float)):
        value = torch.as_tensor(value)
        if value.layout is torch.strided:
            return [value.detach().double()]
    sparse = value if isinstance(value, wire.Sparse) else wire.as_sparse(value)
    if sparse is not None:
        return [sparse.dense()]
    raise TypeError(type(value).__name__)
