"""What a report's verdicts rest on, as short digests: the receipt in report.json.

Equal receipts mean equal verdicts, points and messages. `docs/reproducibility.md` explains each part for instructors.
A digest covers bytes, not meaning: a changed comment counts as a change. That costs a grading and can hide nothing.
"""
import ast
import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import platform
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from autograder import staging
from autograder.report import Report
from autograder.rubric import Item, Rubric
from autograder.sandbox import Confinement

PROJECT = Path(__file__).resolve().parent.parent
DIGITS = 32  # of a SHA-256, in hex
PACKAGES = (
    "torch", "numpy", "scikit-learn", "scipy", "torchvision", "pillow", "safetensors", "threadpoolctl", "hypothesis", "pytest",
)  # fmt: skip
OURS = ("autograder", "solutions")  # packages that imports are followed into; `assignment` is handed out as a whole
# Where the machinery that gives and words every verdict begins; what these files import belongs to it.
GRADER = ("autograder/grading.py", "autograder/plugin.py", "autograder/checks/pytest.ini")
FOR_ALL = (("autograder/worker", "*.py"), ("autograder/checks", "**/conftest.py"))  # folder, and which of its files


def of_grading(rubric: Rubric, full_rubric: Rubric, confinement: Confinement) -> dict:
    """All of the receipt but what belongs to one submission: `rubric` is the part that is graded."""
    others = [path for folder, pattern in FOR_ALL for path in (PROJECT / folder).glob(pattern)]
    grader = closure([*map(PROJECT.joinpath, GRADER), *others])
    calls = {task.id: modules_of(task.id, full_rubric, grader) for task in rubric.tasks}
    called = [name for name in module_names(full_rubric) if any(name in names for names in calls.values())]
    return {
        "sandbox": confinement.describe(),
        "versions": versions(),
        "grader": digest_of(grader),
        "handed_out": handed_out(),
        "checks": {task.id: digest_of(checks_of(task.id, grader)) for task in rubric.tasks},
        "calls": calls,
        "reference": {name: digest_of(closure([reference(name)])) for name in called},
        "mistakes": {name: digest_of(closure([mistakes(name)]) - grader) for name in called},
        "rubric": {item.id: of_item(item, full_rubric) for item in rubric.items()},
    }


def of_submission(code: Path, names: Iterable[str]) -> dict[str, str]:
    """A digest of each of the student's own files that were taken into the staged tree."""
    return {name: digest((code / "assignment" / name).read_bytes()) for name in sorted(names)}


def of_results(report: Report) -> str:
    """One digest of all verdicts, points and messages; times are left out, for they differ from run to run."""
    items = [dataclasses.asdict(item) for item in report.items()]
    told = [{key: value for key, value in item.items() if key != "seconds"} for item in items]
    sums = [report.total, report.max_total, report.bonus, report.max_bonus]
    sums += [[task.id, task.title, task.points, task.max_points, task.bonus] for task in report.tasks]
    return digest_of_data([told, report.notes, sums])


def complete(report: Report, of_grading: dict, files: dict[str, str]) -> dict:
    """The whole receipt of a report."""
    return {"results": of_results(report), "submission": files, **of_grading}


def of_item(item: Item, full_rubric: Rubric) -> dict:
    """Of one item: its points, the rules that decide about it, and the words that only describe it."""
    task = full_rubric.task_of(item.id)
    named = {*item.requires, *item.uses}
    rules = {
        "version": full_rubric.version,  # the seeds come of it
        "limits": full_rubric.limits,
        "task": [task.number, task.libraries],
        "item": [item.visibility, item.seconds, item.return_memory, item.requires, item.uses],
        "builds on": [each.id for above in full_rubric.tasks for each in above.items if {each.id, above.id} & named],
    }
    return {
        "points": item.points,
        "rules": digest_of_data(rules),
        "words": digest_of_data([item.title, item.hint, item.property, task.title, task.bonus]),
    }


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def handed_out() -> str:
    """A digest of the files that every submission gets from the release: those given, and the stubs."""
    with tempfile.TemporaryDirectory(prefix="staged-") as folder:
        staging.lay_out_release(Path(folder))
        tree = Path(folder, "assignment")
        found = sorted((path.relative_to(tree).as_posix(), path) for path in tree.rglob("*") if path.is_file())
        return digest_of_data([[name, digest(path.read_bytes())] for name, path in found])


# -- which files a verdict rests on ---------------------------------------------------------------------------------


def module_names(rubric: Rubric) -> list[str]:
    return [name.removesuffix(".py") for name in rubric.files]


def reference(module: str) -> Path:
    return PROJECT / "solutions" / f"{module}.py"


def mistakes(module: str) -> Path:
    return PROJECT / "autograder" / "misconceptions" / f"{module}.py"


def checks_of(task: str, grader: set[Path]) -> set[Path]:
    """The files with a task's checks, and what they import that is not the grader's anyway."""
    marker = re.compile(rf"""\bitem\(\s*["']{re.escape(task)}\.""")
    files = sorted((PROJECT / "autograder" / "checks").rglob("test_*.py"))
    return closure(path for path in files if marker.search(read(path))) - grader


def modules_of(task: str, rubric: Rubric, grader: set[Path]) -> list[str]:
    """The modules of an assignment that a task's checks call, by name or in a scenario, with what those import.

    Any mention counts: a module too many costs a grading, one too few would keep a verdict that no longer holds.
    """
    names = module_names(rubric)
    text = "\n".join(read(path) for path in checks_of(task, grader))
    if ".run(" in text:
        text += read(PROJECT / "autograder" / "worker" / "scenarios.py")
    called = [name for name in names if re.search(rf"""\.{name}\.|["']{name}[."']""", text)]
    used = {path.stem for path in closure(map(reference, called)) if path.parent == PROJECT / "solutions"}
    return [name for name in names if name in used]


def closure(paths: Iterable[Path]) -> set[Path]:
    """These files, and all of ours that they import, directly or not, at the top or inside functions."""
    found, todo = set(), list(paths)
    while todo:
        path = todo.pop()
        if path not in found and path.is_file():
            found.add(path)
            todo += imported(path) if path.suffix == ".py" else []
    return found


def imported(path: Path) -> list[Path]:
    """The files of ours that a file's import statements name."""
    names = imports_in(path.read_bytes(), path.relative_to(PROJECT).parent.parts)
    return [file for parts in names for end in range(1, len(parts) + 1) for file in files_of(parts[:end])]


@functools.cache
def imports_in(source: bytes, package: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What may be a module of ours among the names that the source of a module in `package` imports."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # grading will say so
        return []
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = (*base, *(node.module.split(".") if node.module else ()))
            names += [start, *((*start, alias.name) for alias in node.names)]
    return [parts for parts in names if parts[:1] and parts[0] in OURS]


def files_of(module: tuple[str, ...]) -> list[Path]:
    path = PROJECT.joinpath(*module)
    return [path.with_suffix(".py"), path / "__init__.py"]


# -- digests --------------------------------------------------------------------------------------------------------


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:DIGITS]


def digest_of(paths: Iterable[Path]) -> str:
    """One digest of several files, with their places in the project; files that are not there are left out."""
    found = sorted((path.relative_to(PROJECT).as_posix(), path) for path in paths if path.is_file())
    return digest_of_data([[name, digest(path.read_bytes())] for name, path in found])


def digest_of_data(data) -> str:
    return digest(json.dumps(data, sort_keys=True).encode())
