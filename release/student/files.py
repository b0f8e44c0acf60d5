"""Which files a student gets. Of the autograder these are the ones that `check` and the notebooks import."""

from pathlib import Path

from autograder import receipt, rubric

from .. import gate, notebooks
from ..packing import PackingError
from . import leaks, requirements, rules

HERE = Path(__file__).parent
FOLDER = "ssl-assignment"  # inside an archive
AUTOGRADER = Path("autograder")
# What a student starts: everything that these files import goes with them.
STARTS = (
    "__main__.py", "notebook.py", "commands/check.py", "checks/conftest.py", "checks/public/*.py", "worker/*.py",
    "sinks/html.py", "sinks/markdown.py", "sinks/github.py",
)  # fmt: skip
DATA = ("checks/pytest.ini", "sinks/report.html.jinja", "sinks/style.css")
# Imported where it is there, to name known mistakes; what it builds on are the mistakes and the reference.
KEPT_BACK = ("diagnosis.py", "misconceptions", "proofs", "checks/hidden")
GIVEN = ("README.md", "handout.html", "__init__.py")  # in assignment/, beside the students' own files


def collect(root: Path) -> dict[str, bytes]:
    """The whole copy, {path in it: bytes}.

    Raises PackingError where assignment/ is not as it should be or something would be given away; RubricError, OSError.
    """
    refuse_stale(root)
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in [*assignment(root), *autograder(root)]}
    files["autograder/rubric.toml"] = rules.public_part((root / AUTOGRADER / "rubric.toml").read_text(encoding="utf-8")).encode()
    files["constraints.txt"] = requirements.constraints((root / "constraints.txt").read_text(encoding="utf-8"), files).encode()
    files |= {name: (HERE / name).read_bytes() for name in ("README.md", "environment.yml")}
    files |= {name: (root / name).read_bytes() for name in ("LICENSE", "docs/students.md")}
    if found := leaks.find(files, root):
        raise PackingError(f"the copy would give something away: {found[0]}")
    return files


def refuse_stale(root: Path) -> None:
    """Raise PackingError unless assignment/ is what solutions/ and the rubric make of it."""
    found = [*gate.stale_stubs(root), *gate.stale_notebooks(root), *gate.stale_handout(root), *gate.surviving_lines(root)]
    if found:
        raise PackingError(f"assignment/ is not as it should be ({found[0]}): run make assignment, and look at what changed")


def assignment(root: Path) -> list[Path]:
    """Stubs, handout, notebooks, and provided/."""
    folder = root / "assignment"
    own = [folder / name for name in (*GIVEN, *rubric.load(root / AUTOGRADER / "rubric.toml").files)]
    return [*own, *sorted((folder / "provided").glob("*.py")), *notebooks.all_notebooks(root)]


def autograder(root: Path) -> list[Path]:
    """The modules that STARTS import, directly or not, at the top or inside functions, and the data that they read."""
    base = root / AUTOGRADER
    found, todo = set(), [path for pattern in STARTS for path in base.glob(pattern)]
    while todo:
        path = todo.pop()
        if path not in found and path.is_file() and is_for_students(path, base):
            found.add(path)
            todo += receipt.imported(path)
    return sorted(found) + [base / name for name in DATA]


def is_for_students(path: Path, base: Path) -> bool:
    return path.is_relative_to(base) and not any(path.is_relative_to(base / name) for name in KEPT_BACK)
