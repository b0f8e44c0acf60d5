"""The part of a submission that our grader looks at: what a student may have written, without the checks handed out."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

HANDED_OUT = "autograder"  # at the top of each submission: the students' copy of the checks
CODE = {".py", ".ini", ".toml", ".cfg", ".pth", ".so"}  # what staging.py takes, or takes notice of


@contextlib.contextmanager
def of(submission: Path) -> Iterator[Path]:
    """A copy of these files for the time of a grading, links as links, so that the grader refuses them."""
    with tempfile.TemporaryDirectory(prefix="own-files-") as folder:
        into = Path(folder, submission.parent.name)
        shutil.copytree(submission, into, symlinks=True, ignore=lambda base, names: ignored(submission, Path(base), names))
        yield into


def ignored(submission: Path, base: Path, names: list[str]) -> list[str]:
    return [name for name in names if not taken(base / name, top=base == submission)]


def taken(path: Path, top: bool) -> bool:
    if top and path.name == HANDED_OUT:
        return False
    return path.is_symlink() or path.is_dir() or path.suffix in CODE
