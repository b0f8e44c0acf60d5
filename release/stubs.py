"""Stubs from solutions: what stands between the markers goes, a TODO comes.

    ### BEGIN SOLUTION
    ...
    ### END SOLUTION

Inside a function, a marked region becomes a comment and
`raise NotImplementedError("TODO <task>: <function>")`; outside of one (helpers and imports that only the
solution needs) it vanishes. Everything else is handed out as it is.
"""

import ast
import difflib
import re
from pathlib import Path

from autograder.tasks import TASK_OF_MODULE, task_id

from . import packing

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"
Region = tuple[int, int]  # line numbers, from 1, of the two markers of a solution


class MarkerError(ValueError):
    """A marker is unclosed, nested, stray or misspelled; the message begins with file and line."""


def find_regions(text: str, name: str) -> list[Region]:
    """Line numbers of the markers of each solution in `text`.

    Raises MarkerError, with `name` and the line, for a marker without its partner, inside another region, or
    not alone in its line.
    """
    regions, begin = [], None
    for number, line in enumerate(text.splitlines(), start=1):
        if not re.search(r"#\s*(BEGIN|END)\s+SOLUTION", line, re.IGNORECASE):
            continue
        marker = line.strip()
        if marker not in (BEGIN, END):
            raise MarkerError(f'{name}:{number}: a marker line is "{BEGIN}" or "{END}", not "{marker}"')
        if marker == BEGIN and begin is not None:
            raise MarkerError(f"{name}:{number}: solution begins inside the one that began in line {begin}")
        if marker == END and begin is None:
            raise MarkerError(f"{name}:{number}: solution ends here, but none has begun")
        if marker == END:
            regions.append((begin, number))
        begin = number if marker == BEGIN else None
    if begin is not None:
        raise MarkerError(f"{name}:{begin}: solution begins here and never ends")
    return regions


def solution_lines(text: str, name: str) -> list[str]:
    """The lines between the markers, stripped, without empty ones."""
    lines = text.splitlines()
    inside = [line.strip() for begin, end in find_regions(text, name) for line in lines[begin : end - 1]]
    return [line for line in inside if line]


def _function_around(tree: ast.Module, line: int) -> str | None:
    """Name of the innermost function that a line lies in, None at the top level."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    around = [node for node in functions if node.lineno < line <= node.end_lineno]
    return max(around, key=lambda node: node.lineno).name if around else None


def make_stub(text: str, module: str, name: str) -> str:
    """The stub of a solution module.

    Args:
        text: its source.
        module: its name without package, as in `autograder.tasks`.
        name: its file name, for error messages.

    Raises MarkerError, and SyntaxError where `text` is no Python.
    """
    lines = text.splitlines()
    tree = ast.parse(text, filename=name)
    for begin, end in reversed(find_regions(text, name)):
        indent = lines[begin - 1].removesuffix(BEGIN)
        function = _function_around(tree, begin)
        if bool(indent) != bool(function):
            raise MarkerError(f"{name}:{begin}: solution is indented, but in no function (or the reverse)")
        lines[begin - 1 : end] = _todo(indent, task_id(module, function), function) if function else []
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)) + "\n"


def _todo(indent: str, task: str, function: str) -> list[str]:
    return [
        f"{indent}# TODO {task}: write the body of {function}, in place of the next line.",
        f'{indent}raise NotImplementedError("TODO {task}: {function}")',
    ]


def all_stubs(root: Path) -> dict[Path, str]:
    """What each stub should contain, by its path. Raises MarkerError, SyntaxError and OSError."""
    stubs = {}
    for module in TASK_OF_MODULE:
        source = root / "solutions" / f"{module}.py"
        stub = make_stub(source.read_text(encoding="utf-8"), module, str(source.relative_to(root)))
        stubs[root / "assignment" / f"{module}.py"] = stub
    return stubs


def difference(root: Path) -> str:
    """Unified diff from the stubs as they are to the stubs as they should be; empty if they are the same."""
    return compare(all_stubs(root), root)


def write_stubs(root: Path) -> list[Path]:
    """Write the stubs that are out of date; returns their paths. All are made before the first is written."""
    return write_changed(all_stubs(root))


def compare(files: dict[Path, str], root: Path) -> str:
    """Unified diff from the files below `root` as they are to the texts that they should have."""
    parts = []
    for path, wanted in files.items():
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        name = str(path.relative_to(root))
        lines = present.splitlines(keepends=True), wanted.splitlines(keepends=True)
        parts += difflib.unified_diff(*lines, fromfile=name, tofile=f"{name} (generated)")
    return "".join(parts)


def write_changed(files: dict[Path, str]) -> list[Path]:
    """Write the files whose text is another; returns their paths."""
    written = []
    for path, wanted in files.items():
        if not path.exists() or path.read_text(encoding="utf-8") != wanted:
            packing.write_atomically(path, wanted.encode())
            written.append(path)
    return written
