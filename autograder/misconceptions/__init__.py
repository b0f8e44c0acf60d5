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
import dataclasses
import functools
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable


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


def misconception(target: str, name: str, told: str, convention: bool = False) -> Callable:
    """Register the decorated function as a known mistake in `target` ("module.function")."""

    def register(function: Callable) -> Callable:
        if any(each.target == target and each.name == name for each in _entries):
            raise ValueError(f"{target}: a second misconception with the name {name!r}")
        _entries.append(Entry(target, name, function, told, convention))
        return function

    return register


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
