"""Puts together the tree that a worker imports: the released assignment, with only the student's own files replaced."""
import dataclasses
import io
import os
import shutil
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

PROJECT = Path(__file__).resolve().parent.parent
RELEASED = PROJECT / "assignment"
MAX_FILE = 1024 * 1024  # bytes of one student file
MAX_MEMBERS = 20_000  # files of one submission
MAX_DEPTH, MAX_NAME, MAX_PATH = 50, 255, 1000  # folders below each other; bytes of one name, and of a whole path
MAX_DIRECTORY = 8 * 1024 * 1024  # bytes of a zip's table of contents, which takes ten times as much once it is read
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # other methods are unpacked at one stroke, whatever comes out
# Of autograder/, what students' copies do not hold.
KEPT_BACK = ("autograder/checks/hidden", "autograder/misconceptions", "autograder/proofs")
SKIPPED = {"__pycache__", "__MACOSX", ".git", ".ipynb_checkpoints", ".venv", "venv", "node_modules", ".idea", ".vscode"}


class SubmissionError(Exception):
    """The submission cannot be used at all; the message says why, on one line, whatever the names in it hold."""

    def __init__(self, message: str):
        super().__init__(" ".join(message.split()))


@dataclasses.dataclass
class Staged:
    """What was taken from a submission: `missing` files count as not attempted, `notes` go into the report."""

    missing: list[str]
    notes: list[str]


@dataclasses.dataclass(frozen=True)
class Source:
    """A submission's files, by path inside it, wherever they lie: {path: reader of its bytes}."""

    files: dict[PurePosixPath, object]


def stage(submission: Path, files: Iterable[str], into: Path) -> Staged:
    """Build `into` from the release and the submission (a folder or zip). Raises SubmissionError when it is refused."""
    lay_out_release(into)
    try:
        return take(submission, tuple(files), into)
    except (RecursionError, ValueError) as error:
        # Nobody knows such a submission, and a fault of the grader would give it full points.
        raise SubmissionError(f"its names or files cannot be read ({type(error).__name__}: {str(error)[:200]})") from None


def take(submission: Path, files: tuple[str, ...], into: Path) -> Staged:
    """Put the student's own files into the tree that was laid out."""
    source = read_zip(submission) if submission.is_file() else read_folder(submission)
    root, note = find_assignment(source, files)
    staged = Staged([], [note] if note else [])
    for name in files:
        reader = source.files.get(root / name) if root is not None else None
        if reader is None:
            staged.missing.append(name)
        else:
            (into / "assignment" / name).write_bytes(reader())
    staged.notes += extras(source, root, files)
    staged.notes = [" ".join(each.split()) for each in staged.notes]  # a name may hold line breaks
    return staged


def lay_out_release(into: Path) -> None:
    """The released assignment and the worker's code, without anything that must stay outside the wall."""
    ignored = shutil.ignore_patterns("__pycache__", "*.md", "*.html", "notebooks", ".*")
    shutil.copytree(RELEASED, into / "assignment", ignore=ignored)
    shutil.copytree(PROJECT / "autograder" / "worker", into / "autograder" / "worker", ignore=ignored)
    shutil.copy(PROJECT / "autograder" / "__init__.py", into / "autograder")


def read_folder(folder: Path) -> Source:
    """Refuses links and anything that is no regular file: what is graded must lie inside the submission."""
    if not folder.is_dir():
        raise SubmissionError(f"{folder.name} is neither a folder nor a zip file")
    found = {}
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if each not in SKIPPED)
        for name in folders:  # before they are entered
            check_name(PurePosixPath(Path(base, name).relative_to(folder).as_posix()))
        for name in sorted(names) + [each for each in folders if os.path.islink(os.path.join(base, each))]:
            path = Path(base, name)
            relative = PurePosixPath(path.relative_to(folder).as_posix())
            check_name(relative)
            if path.suffix == ".py" or path.is_symlink():
                check_regular(path, relative)
            found[relative] = lambda path=path, relative=relative: read_limited(path, relative)
            if len(found) > MAX_MEMBERS:
                raise SubmissionError(f"the submission holds more than {MAX_MEMBERS} files")
    return Source(found)


def check_name(path: PurePosixPath) -> None:
    """Refuse what this system could not have as a path of a file, or hardly."""
    sizes = [len(os.fsencode(part)) for part in path.parts]
    if len(sizes) > MAX_DEPTH or max(sizes) > MAX_NAME or sum(sizes) > MAX_PATH:
        raise SubmissionError(f"a path in it is too long, or too many folders deep: {str(path)[:60]} …")


def check_regular(path: Path, relative: PurePosixPath) -> None:
    if path.is_symlink():
        raise SubmissionError(f"{relative} is a symbolic link; submit the file itself")
    if not stat.S_ISREG(path.lstat().st_mode):
        raise SubmissionError(f"{relative} is not a regular file")


def read_limited(path: Path, relative: PurePosixPath) -> bytes:
    check_regular(path, relative)
    try:
        with open(path, "rb", opener=open_warily) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # replaced since it was looked at
                raise SubmissionError(f"{relative} is not a regular file")
            return within_limit(file.read(MAX_FILE + 1), relative)
    except OSError as error:
        raise SubmissionError(f"{relative} cannot be read ({error.strerror})") from None


def open_warily(name: str, flags: int) -> int:
    """No link, and no waiting for whoever is at the other end of a pipe."""
    return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def within_limit(data: bytes, name) -> bytes:
    if len(data) > MAX_FILE:
        raise SubmissionError(f"{name} is larger than {MAX_FILE // 1024} KiB")
    return data


class Archive(io.FileIO):
    """A zip file. Its table of contents is read at one stroke, and refused where it is too long for a submission."""

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY:
            raise zipfile.BadZipFile("its table of contents is too long")
        return super().read(size)


def read_zip(path: Path) -> Source:
    """Reads names only; contents are read, capped, when a file is taken."""
    try:
        with Archive(path) as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except Exception as error:  # a damaged file can raise nearly anything
        raise SubmissionError(f"{path.name} is not a readable zip file ({error})") from None
    if len(members) > MAX_MEMBERS:
        raise SubmissionError(f"the submission holds more than {MAX_MEMBERS} files")
    found = {}
    for member in members:
        name = PurePosixPath(member.filename)
        if not name.name or name.is_absolute() or ".." in name.parts or "\\" in member.filename or "\0" in member.filename:
            raise SubmissionError(f"the zip holds the unsafe path {member.filename!r}")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise SubmissionError(f"the zip holds {member.filename!r}, which is a link or a special file")
        if member.is_dir() or SKIPPED & set(name.parts):
            continue
        check_name(name)
        if name in found and name.suffix == ".py":
            raise SubmissionError(f"the zip holds {member.filename!r} twice")
        found[name] = lambda member=member: read_member(path, member)
    return Source(found)


def read_member(path: Path, member: zipfile.ZipInfo) -> bytes:
    try:
        if member.compress_type not in PACKED:
            raise NotImplementedError("it is packed by another method than deflate")
        with Archive(path) as whole, zipfile.ZipFile(whole) as archive, archive.open(member) as file:
            return within_limit(file.read(MAX_FILE + 1), member.filename)
    except SubmissionError:
        raise
    except Exception as error:  # a damaged or locked file can raise nearly anything
        raise SubmissionError(f"{member.filename} in {path.name} cannot be read ({error})") from None


def find_assignment(source: Source, files: tuple[str, ...]) -> tuple[PurePosixPath | None, str]:
    """The folder inside the submission that holds the student's files, and a note where there is none."""
    folders: dict[PurePosixPath, int] = {}
    for path in source.files:
        if path.name in files and len(path.parts) <= 5:
            folders[path.parent] = folders.get(path.parent, 0) + 1
    named = [folder for folder in folders if folder.name == "assignment"]
    candidates = named or list(folders)
    if not candidates:
        return None, f"the submission holds none of the assignment's files ({', '.join(files)})"
    if len(candidates) > 1:
        # An old copy often lies deeper; only a tie is ambiguous.
        candidates.sort(key=lambda folder: (len(folder.parts), -folders[folder], str(folder)))
        if len(candidates[0].parts) == len(candidates[1].parts):
            both = " and ".join(str(folder) for folder in candidates[:2])
            raise SubmissionError(
                f"the submission holds the assignment more than once ({both}); submit one of them, "
                "or name each of several submissions by itself"
            )
        return candidates[0], f"graded {candidates[0]}; ignored the copy in {candidates[1]}"
    return candidates[0], ""


def extras(source: Source, root: PurePosixPath | None, files: tuple[str, ...]) -> list[str]:
    """Notes on code that was submitted but not used: files beside the student's own, and altered given ones.

    Not on the checks that were handed out, which are submitted with a whole copy: nobody needs to look at these.
    """
    ignored, altered = [], []
    for path, reader in source.files.items():
        relative = path.relative_to(root) if root is not None and path.is_relative_to(root) else path
        if was_handed_out(path, root):
            continue
        if str(relative) in files or path.suffix not in {".py", ".ini", ".toml", ".cfg", ".pth", ".so"}:
            continue
        released = RELEASED / relative
        if released.is_file():
            if reader() != released.read_bytes():
                altered.append(str(relative))
        else:
            ignored.append(str(relative))
    notes = []
    if altered:
        notes.append(f"altered files that are not yours to edit; the released ones were used: {listing(altered)}")
    if ignored:
        notes.append(f"files that are not part of the assignment; not used: {listing(ignored)}")
    return notes


def was_handed_out(path: PurePosixPath, root: PurePosixPath | None) -> bool:
    """Whether a file has the path of one in the autograder/ that students have beside their assignment/."""
    if root is None or root.name != "assignment" or not path.is_relative_to(root.parent):
        return False
    relative = path.relative_to(root.parent)
    kept_back = any(relative.is_relative_to(each) for each in KEPT_BACK)
    return relative.parts[0] == "autograder" and not kept_back and (PROJECT / relative).is_file()


def listing(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
