"""Packages in which one or a few functions of the reference are replaced: by a known mistake, or by a right variant."""
import ast
import contextlib
import importlib
import inspect
import itertools
import sys
import textwrap
import types
from collections.abc import Iterable, Iterator
from pathlib import Path

from autograder.misconceptions import Entry

SOLUTIONS = Path(__file__).resolve().parent.parent.parent / "solutions"
_numbers = itertools.count()


def override_source(entry: Entry) -> str:
    """Source that, at the end of the reference's module, replaces (or changes) the target by the entry's function."""
    source = textwrap.dedent(inspect.getsource(entry.function))
    node = ast.parse(source).body[0]  # its line number is that of `def`, after the decorators
    body = "\n".join(source.splitlines()[node.lineno - 1 :])
    name = entry.target.split(".")[1]
    value = f"{entry.function.__name__}({name})" if entry.changes else entry.function.__name__
    return f"\n\n{body}\n\n\n{name} = {value}\n"


@contextlib.contextmanager
def package_with(entries: Iterable[Entry]) -> Iterator[str]:
    """The name of a package that is the reference with the entries put in, for as long as the block runs.

    Nothing is written: changed modules live in memory, the others are read from solutions/, each package's own copies.
    """
    name = f"mutant_in_memory_{next(_numbers)}"  # unlike those that the tests write to disk: imports are by name
    package = types.ModuleType(name)
    package.__path__ = [str(SOLUTIONS)]
    sys.modules[name] = package
    overrides: dict[str, str] = {}
    for entry in entries:
        overrides[entry.task_module] = overrides.get(entry.task_module, "") + override_source(entry)
    finder = _Overridden(name, overrides)
    sys.meta_path.insert(0, finder)
    try:
        yield name
    finally:
        sys.meta_path.remove(finder)
        for module in [each for each in sys.modules if each.partition(".")[0] == name]:
            del sys.modules[module]


class _Overridden:
    """Finds and loads the changed modules of one package."""

    def __init__(self, package: str, overrides: dict[str, str]):
        self.package, self.overrides = package, overrides

    def find_spec(self, name: str, path=None, target=None):
        package, _, module = name.rpartition(".")
        if package != self.package or module not in self.overrides:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=str(SOLUTIONS / f"{module}.py"))

    def create_module(self, spec):
        return None

    def exec_module(self, module) -> None:
        name = module.__name__.rpartition(".")[2]
        path = SOLUTIONS / f"{name}.py"
        source = path.read_text(encoding="utf-8") + self.overrides[name]
        exec(compile(source, f"{self.package}/{name}.py", "exec"), module.__dict__)
