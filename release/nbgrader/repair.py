"""Between `nbgrader collect` and autograde: whatever a submission lacks that nbgrader would stumble over.

Everything that is changed is told, and a file that cannot be used is kept in COURSE/set-aside/ASSIGNMENT/STUDENT/.
"""

import datetime
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbgrader.utils import parse_utc

from autograder.report import clean

from .rebuild import claimed

ASIDE = "set-aside"
TIMESTAMP = "timestamp.txt"
SECRET = "submission_secret.txt"
MAX_NOTEBOOK = 200 * 1024**2  # bytes; what is larger is not read
MAX_TIMESTAMP = 100  # bytes; a longer file holds something else


def repair(submission: Path, released: Path, aside: Path) -> list[str]:
    """Make a submission fit to be graded; returns what was changed, a line each."""
    notes = [*allow_access(submission), *remove_links(submission), *clear_folders(submission, released, aside)]
    notes += [*mend_timestamp(submission), *mend_secret(submission)]
    wanted = {path.name: path for path in sorted(released.glob("*.ipynb"))}
    notes += find_misnamed(submission, wanted)
    for name, blank in wanted.items():
        notes += mend_notebook(submission / name, blank, aside)
    others = [path.name for path in sorted(submission.glob("*.ipynb")) if path.name not in wanted]
    return notes + [f"{clean(name, 80)} is no notebook of this assignment: not graded" for name in others]


# ---- files ----------------------------------------------------------------------------------------------------------


def remove_links(submission: Path) -> Iterator[str]:
    """Links, pipes and the like: what they lead to is not the student's submission. All folders must be open by then."""
    for path in tree(submission):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            path.unlink()
            what = "a symbolic link" if stat.S_ISLNK(mode) else "no regular file"
            yield f"{shown(path, submission)} was {what}: removed"


def tree(folder: Path) -> list[Path]:
    """Everything below a folder, links not followed."""
    found = [Path(base, name) for base, folders, names in os.walk(folder) for name in (*folders, *names)]
    return sorted(found)


def allow_access(submission: Path) -> Iterator[str]:
    """Students' modes travel along; who grades must be able to read. Folders first, lest what is in them stays unseen.

    Files and folders of the submission alone: what a link leads to is somebody else's.
    """
    todo = [submission]
    while todo:
        path = todo.pop()
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            continue
        needed = 0o700 if stat.S_ISDIR(mode) else 0o600
        if mode & needed != needed:
            path.chmod(stat.S_IMODE(mode) | needed)
            yield f"{shown(path, submission)} could not be read: its permissions were changed"
        todo += sorted(path.iterdir()) if stat.S_ISDIR(mode) else []


def clear_folders(submission: Path, released: Path, aside: Path) -> Iterator[str]:
    """A file where the release has a folder: nbgrader could not copy the release's files into it."""
    for folder in tree(released):
        path = submission / folder.relative_to(released)
        if folder.is_dir() and path.is_file():
            kept = set_aside(path, aside)
            yield f"{shown(path, submission)} was a file where the assignment has a folder: moved to {kept}"


def mend_timestamp(submission: Path) -> Iterator[str]:
    """nbgrader's feedback needs a time of submission that it can read; else that of the newest file is taken."""
    path = submission / TIMESTAMP
    if is_timestamp(path):
        return
    why = "could not be read" if path.exists() else "was missing"
    if path.is_dir():
        shutil.rmtree(path)
    times = [each.stat().st_mtime for each in tree(submission) if each.is_file() and each != path]
    newest = datetime.datetime.fromtimestamp(max(times, default=0), datetime.timezone.utc)
    path.write_text(f"{newest:%Y-%m-%d %H:%M:%S.%f} UTC\n", encoding="utf-8")
    yield f"{TIMESTAMP} {why}: the time of the newest file is taken, {newest:%Y-%m-%d %H:%M} UTC"


def is_timestamp(path: Path) -> bool:
    """Whether nbgrader can read a time from this file: it parses the whole of it, and converts it to UTC."""
    try:
        if path.stat().st_size > MAX_TIMESTAMP:
            return False
        text = path.read_text(encoding="utf-8").strip()
        return bool(text) and parse_utc(text) is not None
    except (OSError, ValueError, OverflowError, TypeError):  # what dates, time zones and files raise
        return False


def mend_secret(submission: Path) -> Iterator[str]:
    """`nbgrader release_feedback` ends for the whole class where a submission lacks the file that proves whose it is."""
    path = submission / SECRET
    if not path.is_file():
        shutil.rmtree(path, ignore_errors=True)
        path.write_text(secrets.token_urlsafe(16), encoding="utf-8")
        yield f"{SECRET} was missing: a new one was made, with which the student cannot fetch the feedback; send it"


def shown(path: Path, submission: Path) -> str:
    return clean(str(path.relative_to(submission)), 200).replace("\n", " ")


# ---- notebooks ------------------------------------------------------------------------------------------------------


def find_misnamed(submission: Path, wanted: dict[str, Path]) -> Iterator[str]:
    """A missing notebook that lies there under another name or in a folder, told by its cells, or as the only candidate."""
    missing = [name for name in wanted if not (submission / name).exists()]
    if not missing:
        return
    strays = [path for path in sorted(submission.rglob("*.ipynb")) if path.is_file() and is_stray(path, submission, wanted)]
    for name in missing:
        fitting = [path for path in strays if path.name == name] or [path for path in strays if fits(path, wanted[name])]
        if not fitting and len(missing) == len(strays) == 1:
            fitting = strays
        if len(fitting) == 1:
            strays.remove(fitting[0])
            yield f"{shown(fitting[0], submission)} was renamed to {name}"
            fitting[0].rename(submission / name)


def is_stray(path: Path, submission: Path, wanted: Iterable[str]) -> bool:
    inside = path.relative_to(submission).parts
    hidden = any(part.startswith(".") for part in inside)
    return not hidden and not (len(inside) == 1 and path.name in wanted)


def fits(path: Path, released: Path) -> bool:
    """Whether a notebook has cells of the released one, by their ids, and of those most."""
    try:
        mine = ids(nbformat.read(path, as_version=4))
    except Exception:  # a damaged file can raise nearly anything
        return False
    theirs = ids(nbformat.read(released, as_version=4))
    return 2 * len(mine & theirs) > len(theirs)


def ids(notebook) -> set[str]:
    return {each for each in map(claimed, notebook.cells) if isinstance(each, str)}


def mend_notebook(path: Path, blank: Path, aside: Path) -> list[str]:
    """A notebook that nbgrader can read: as it is, what can be saved of it, or the released one."""
    if not path.exists():
        shutil.copyfile(blank, path)
        return [f"{path.name} was missing: a blank copy was put in its place"]
    if path.is_file() and is_sound(path):
        return []
    kept = set_aside(path, aside)
    saved = salvage(kept) if kept.is_file() else None
    if saved is not None:
        nbformat.write(saved, path)
        return [f"{path.name} was damaged: {len(saved.cells)} cells were saved, the original is {kept}"]
    shutil.copyfile(blank, path)
    return [f"{path.name} could not be read: a blank copy was put in its place, the original is {kept}"]


def is_sound(path: Path) -> bool:
    """Whether it is a notebook as the format has it."""
    try:
        if path.stat().st_size > MAX_NOTEBOOK:
            return False
        nbformat.validate(nbformat.read(path, as_version=4))
        return True
    except Exception:  # a damaged file can raise nearly anything
        return False


def set_aside(path: Path, aside: Path) -> Path:
    """Move a file out of the submission, beside what is there already."""
    return Path(shutil.move(path, free_name(path.name, aside)))


def keep_aside(name: str, data: bytes, aside: Path) -> Path:
    """Write what a file held, beside what is there already."""
    kept = free_name(name, aside)
    kept.write_bytes(data)
    return kept


def free_name(name: str, aside: Path) -> Path:
    """A path in `aside` that nothing has yet: part1.ipynb, part1-1.ipynb and so on."""
    aside.mkdir(parents=True, exist_ok=True)
    path, number = aside / name, 0
    while path.exists():
        number += 1
        path = aside / f"{Path(name).stem}-{number}{Path(name).suffix}"
    return path


def salvage(path: Path) -> nbformat.NotebookNode | None:
    """The text of the cells of something that is nearly a notebook; None where there is none."""
    if path.stat().st_size > MAX_NOTEBOOK:
        return None
    try:
        cells = json.loads(path.read_bytes().decode("utf-8", errors="replace"))["cells"]
        made = [cell for cell in map(salvage_cell, cells) if cell is not None]
    except Exception:
        return None
    return nbformat.v4.new_notebook(cells=made) if made else None


def salvage_cell(cell) -> nbformat.NotebookNode | None:
    if not isinstance(cell, dict) or not isinstance(cell.get("source"), str | list):
        return None
    source = cell["source"] if isinstance(cell["source"], str) else "".join(map(str, cell["source"]))
    make = nbformat.v4.new_code_cell if cell.get("cell_type") == "code" else nbformat.v4.new_markdown_cell
    made = make(source)
    data = cell.get("metadata")
    grade = data.get("nbgrader") if isinstance(data, dict) else None
    if isinstance(grade, dict) and isinstance(grade.get("grade_id"), str):
        made.metadata["nbgrader"] = {"grade_id": grade["grade_id"]}
    return made
