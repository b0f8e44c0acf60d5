"""Packages that are the reference but for a known mistake, a right variant, or another change of a module's source."""
import ast
import contextlib
import importlib.machinery
import inspect
import itertools
import linecache
import os
import sys
import textwrap
import types
from collections.abc import Iterator
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


def package_with(*entries: Entry) -> contextlib.AbstractContextManager[str]:
    """`package_of` the reference with the entries put in, the later ones on top."""
    sources: dict[str, str] = {}
    for entry in entries:
        module = entry.task_module
        sources[module] = sources.get(module, source_of(module)) + override_source(entry)
    return package_of(sources)


def source_of(module: str) -> str:
    """The reference's own source of a module."""
    return (SOLUTIONS / f"{module}.py").read_text(encoding="utf-8")


@contextlib.contextmanager
def package_of(sources: dict[str, str]) -> Iterator[str]:
    """The name of a package that is the reference with other sources of some modules, for as long as the block runs.

    Nothing is written: changed modules live in memory, the others are read from solutions/, each package's own copies.
    """
    name = f"mutant_{next(_numbers)}"  # never used twice: imports are by name
    package = types.ModuleType(name)
    package.__path__ = [str(SOLUTIONS)]
    sys.modules[name] = package
    finder = _Changed(name, sources)
    sys.meta_path.insert(0, finder)
    try:
        yield name
    finally:
        sys.meta_path.remove(finder)
        for module in [each for each in sys.modules if each.partition(".")[0] == name]:
            del sys.modules[module]
        for module in sources:
            linecache.cache.pop(finder.path(module), None)


class _Changed:
    """Finds and loads the changed modules of one package."""

    def __init__(self, package: str, sources: dict[str, str]):
        self.package, self.sources = package, sources

    def path(self, module: str) -> str:
        """What tracebacks show; no such file exists."""
        return f"{os.sep}{self.package}{os.sep}{module}.py"

    def find_spec(self, name: str, path=None, target=None):
        package, _, module = name.rpartition(".")
        if package != self.package or module not in self.sources:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=self.path(module))

    def create_module(self, spec):
        return None

    def exec_module(self, module) -> None:
        name = module.__name__.rpartition(".")[2]
        path, source = self.path(name), self.sources[name]
        linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)  # for the lines in tracebacks
        exec(compile(source, path, "exec"), module.__dict__)
