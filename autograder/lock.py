"""One grading at a time for one folder of reports.

The lock is the system's own (flock) on a small file in the folder, so it ends with its holder, whichever way that ends:
a file that a killed grading left behind blocks nobody. The file says who holds the lock, for whoever meets it.
"""
import contextlib
import datetime
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None

FILE = ".grading.lock"
SCRATCH = "autograder-"  # how the names of scratch folders begin


class Held(Exception):
    """Somebody else holds the lock; the message says who, and since when."""


class Unwritable(Exception):
    """The folder cannot be made or written to; the message says why."""


@contextlib.contextmanager
def held(folder: Path, wait: bool, say: Callable[[str], None]) -> Iterator[Path]:
    """Hold the lock on `folder`, which is made where it is missing. Yields a scratch folder, removed at the end.

    A scratch folder that a killed holder left is removed as well. Raises Held when somebody else has the lock, unless
    `wait`, and Unwritable. What there is to tell is given to `say`.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = acquire(folder, wait, say)
    except OSError as error:
        raise Unwritable(f"{folder} cannot be made or written to ({error.strerror})") from None
    scratch = tempfile.mkdtemp(prefix=SCRATCH)
    try:
        remove_scratch(record(file).get("scratch"))
        write(file, scratch)
        yield Path(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.unlink(folder / FILE)  # while it is locked: `acquire` of another sees that its file is gone
        file.close()
        with contextlib.suppress(OSError):
            for each in made:
                each.rmdir()  # nothing was graded: leave no empty folder


def acquire(folder: Path, wait: bool, say: Callable[[str], None]):
    """The lock's file, open and locked."""
    while True:
        file = open(folder / FILE, "a+", encoding="utf-8")
        try:
            lock(file, wait, say)
        except BaseException:
            file.close()
            raise
        # The holder before may have removed the file between the two lines above; then another one counts.
        if os.path.exists(folder / FILE) and os.path.samestat(os.fstat(file.fileno()), os.stat(folder / FILE)):
            return file
        file.close()


def lock(file, wait: bool, say: Callable[[str], None]) -> None:
    if fcntl is None:
        say("This system has no file locks: make sure that no other grading writes into this folder.")
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise Held(holder(file)) from None
        say(f"Waiting: {holder(file)}.")
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:  # a network drive may have none
        say(f"No lock on this folder ({error.strerror}): make sure that no other grading writes into it.")


def write(file, scratch: str) -> None:
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    told = {"pid": os.getpid(), "host": socket.gethostname(), "since": now, "scratch": scratch}
    file.truncate(0)
    file.write(json.dumps(told) + "\n")
    file.flush()


def record(file) -> dict:
    """What the lock's holder, or the last one, has written; empty where that cannot be read."""
    file.seek(0)
    try:
        found = json.loads(file.read())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def holder(file) -> str:
    found = record(file)
    if not {"pid", "host", "since"} <= found.keys():
        return "another grading writes into this folder"
    return f"process {found['pid']} on {found['host']} has been grading into this folder since {found['since']}"


def remove_scratch(path) -> None:
    """The scratch folder of a holder that was killed, if it is one: of our name, where we would make it, and our own."""
    if not isinstance(path, str) or not os.path.isdir(path) or os.path.islink(path):
        return
    ours = os.path.basename(path).startswith(SCRATCH) and os.stat(path).st_uid == os.getuid()
    if ours and os.path.dirname(path) == tempfile.gettempdir():
        shutil.rmtree(path, ignore_errors=True)
