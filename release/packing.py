"""Writes what a command has put together, {path: bytes}, as a folder or, where the name ends in .zip, as an archive.

Nothing that is there is replaced without being asked for, and nothing is ever deleted. The same files give the same bytes.
"""

import argparse
import io
import os
import stat
import tempfile
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

EARLIEST = (1980, 1, 1, 0, 0, 0)  # what a zip can say; the true times would differ from copy to copy
UNTOUCHED = {".git", ".venv", "__pycache__"}  # of folders that are written to again
OWN_FOLDERS = ("assignment", "autograder", "benchmarks", "demo", "docs", "release", "solutions", "tests", ".ci", ".git", ".github")
Files = Mapping[str, bytes]


class PackingError(ValueError):
    """The copy cannot be made or written; the message says why, and what to do."""


def add_options(command: argparse.ArgumentParser) -> None:
    """What the packing commands have in common."""
    command.add_argument("out", type=Path, metavar="OUT", help="a folder, or an archive where it ends in .zip")
    command.add_argument("--force", action="store_true", help="replace what is there; a folder's other files stay")
    command.add_argument("--dry-run", action="store_true", help="write nothing; list what would be written")


def write(out: Path, files: Files, folder: str, force: bool, root: Path) -> list[str]:
    """Write the files to `out`; `folder` is their folder inside an archive. Returns files there that are none of them.

    Raises PackingError where something is in the way, and OSError.
    """
    check_target(out, force, root)
    if is_archive(out):
        write_atomically(out, archive(files, folder))
        return []
    for name, data in files.items():
        write_atomically(out / name, data)
    return [name for name in present(out) if name not in files]


def is_archive(out: Path) -> bool:
    return out.suffix.lower() == ".zip"


def check_target(out: Path, force: bool, root: Path) -> None:
    """Raise PackingError unless `out` may be written."""
    here, project = out.resolve(), root.resolve()
    if not is_archive(out) and (project.is_relative_to(here) or any((here / each).is_dir() for each in ("solutions", "release"))):
        raise PackingError(f"{out} holds this project itself: name another folder")
    if not is_archive(out):
        refuse_project(out, root)
    if is_archive(out) == out.is_dir() and out.exists():
        raise PackingError(f"{out} is a {'folder' if out.is_dir() else 'file'}: name another place")
    if not force and (out.is_file() or out.is_dir() and present(out)):
        raise PackingError(f"{out} is there already: name another place, or replace it with --force")


def refuse_project(folder: Path, root: Path) -> None:
    """Raise PackingError for this project's folder and those in it that are its own: nothing may be written among its sources."""
    here, project = folder.resolve(), root.resolve()
    if here == project or any(here.is_relative_to(project / each) for each in OWN_FOLDERS):
        raise PackingError(f"{folder} is a folder of this project itself: name another one")


def present(folder: Path) -> list[str]:
    """The files in a folder, by their paths in it, but for those of Git and of Python."""
    paths = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if not path.is_dir())
    return [path.as_posix() for path in paths if not UNTOUCHED & set(path.parts)]


def archive(files: Files, folder: str = "", programs: Collection[str] = ()) -> bytes:
    """A zip, in which everything lies in `folder` if that is named; in order of names, all of the same time.

    Those named in `programs` can be executed where it is unpacked.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{folder}/{name}" if folder else name, EARLIEST)
            entry.create_system, entry.compress_type = 3, zipfile.ZIP_DEFLATED  # Unix, whoever packs: the mode counts
            entry.external_attr = (stat.S_IFREG | (0o755 if name in programs else 0o644)) << 16
            made.writestr(entry, files[name])
    return packed.getvalue()


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """A reader sees the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(temporary, mode)  # mkstemp keeps the file from everybody else
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def listing(files: Files) -> str:
    """A line for each file: its size and its path."""
    return "".join(f"{len(files[name]):>9,}  {name}\n" for name in sorted(files))


def told(files: Files) -> str:
    return f"{len(files)} files of {sum(map(len, files.values())) / 1e6:.1f} MB"
