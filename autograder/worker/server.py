"""The fork server: imports PyTorch once inside the sandbox, then forks a fresh worker for every item.

It never runs student code itself. It takes three commands, one JSON line each, over a socket that workers do not
inherit: `spawn` (with the worker's two file descriptors), `kill`, and end of file. It answers with events:
`ready`, `spawned`, and `exited` with the worker's status and, where the server ended it, the reason.
"""
import ctypes
import gc
import importlib
import itertools
import json
import os
import select
import signal
import socket
import stat
import sys
import time
import traceback

POLL_SECONDS = 0.02  # how soon the end of a worker is noticed
SCAN_SECONDS = 0.1  # how often what it and its children use is added up
START_OF_STACK = 25  # among the fields of /proc/PID/stat that follow the name (proc(5): field 28)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


class Server:
    def __init__(self, config: dict):
        self.config = config
        self.control = socket.socket(fileno=config["control_fd"])
        self.control.set_inheritable(False)
        self.worker = 0  # its process id; 0 when there is none
        self.next_scan = 0.0
        self.loaded: set[str] = set()

    def run(self) -> None:
        if sys.platform == "linux":
            # Orphans of a worker become children of the server, so that none can hide from end_all.
            prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.tell({"event": "ready"})
        while True:
            readable, _, _ = select.select([self.control], [], [], POLL_SECONDS if self.worker else None)
            if readable and not self.obey():
                break
            if self.worker:
                self.watch()
        end_all(self.config["private_pids"], self.worker)

    def obey(self) -> bool:
        """Handle one command; False at end of file."""
        data, fds, _, _ = socket.recv_fds(self.control, 4096, 2)
        if not data:
            return False
        command = json.loads(data)
        if command["command"] == "spawn":
            self.preload(command["preload"])
            self.spawn(fds, command["limits"])
        elif command["command"] == "kill" and self.worker:
            self.end(command.get("reason"))
        return True

    def preload(self, entries: list[str]) -> None:
        """Import "module", or import it and call its function ("module:function"), once in the server's life."""
        for entry in entries:
            if entry in self.loaded:
                continue
            self.loaded.add(entry)
            module, _, function = entry.partition(":")
            try:
                imported = importlib.import_module(module)
                if function:
                    getattr(imported, function)()
            except Exception as error:  # the student's own import will say so
                print(f"could not import {module}: {error}", file=sys.stderr)
        gc.freeze()  # fewer pages copied after a fork

    def spawn(self, fds: list[int], limits: dict) -> None:
        self.limits = limits
        pid = os.fork()
        if pid == 0:
            run_worker(self.config, self.control, fds, limits)
        for fd in fds:
            os.close(fd)
        self.worker = pid
        self.tell({"event": "spawned"})

    def watch(self) -> None:
        """Notice that the worker ended, and end it where it and its children outgrew the limits together."""
        pid, status = os.waitpid(self.worker, os.WNOHANG)
        if pid:
            self.end(None, status)
            return
        if time.monotonic() < self.next_scan:
            return
        self.next_scan = time.monotonic() + SCAN_SECONDS
        members = descendants(os.getpid())
        if len(members) > self.limits["processes"]:
            self.end("processes")
        elif own_bytes(members) > self.limits["memory_bytes"] * 1.1:
            self.end("memory")

    def end(self, reason: str | None, status: int | None = None) -> None:
        """Kill all that the worker left, say how the worker itself ended, and remove the files that it left."""
        statuses = end_all(self.config["private_pids"], self.worker)
        status = statuses.get(self.worker, status)
        self.worker = 0
        self.tell({"event": "exited", "code": os.waitstatus_to_exitcode(status), "reason": reason})
        for folder in [self.config["scratch"]] + ["/dev/shm"] * self.config["private_pids"]:
            try:
                empty(folder)
                os.utime(folder, (0, 0))  # the next item shall not learn when the last one wrote here
            except OSError as error:
                print(f"could not empty {folder}: {error}", file=sys.stderr)

    def tell(self, event: dict) -> None:
        self.control.sendall(json.dumps(event).encode() + b"\n")


def run_worker(config: dict, control: socket.socket, fds: list[int], limits: dict) -> None:
    """In the forked child: confine it, then serve requests until the grader hangs up. Never returns."""
    status = 1
    try:
        from autograder.worker import confine, worker

        control.close()
        os.setsid()
        if sys.platform == "linux":
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        requests = keep_only(fds)
        confine.apply(config, limits)
        worker.serve(requests, config, limits)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def keep_only(fds: list[int]) -> socket.socket:
    """Make the output pipe this process's stdout and stderr, and keep no other descriptor than the request socket."""
    request_fd, output_fd = fds
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    os.closerange(3, request_fd)
    os.closerange(request_fd + 1, 4096)
    return socket.socket(fileno=request_fd)


def end_all(private_pids: bool, worker: int) -> dict[int, int]:
    """Kill every process that the worker left, also those that detached themselves; their wait statuses by process id.

    Whatever loses its parent becomes a child of the server, so all are dead once it has no child left.
    """
    statuses = {}
    while True:
        if private_pids:
            # In a process-id namespace of its own, -1 reaches all but the server and the namespace's init, at one stroke.
            kill(-1)
        else:
            # Without a pause: a process that makes another and ends is caught only by whoever is faster.
            for pid in children() if sys.platform == "linux" else filter(None, [worker]):
                kill(pid)
        try:
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                statuses[found[0]] = found[1]
        except ChildProcessError:
            return statuses


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def children() -> list[int]:
    """The server's children."""
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children") as file:  # one read; the server has one thread
            return [int(pid) for pid in file.read().split()]
    except OSError:  # a kernel without it
        return descendants(me)


def empty(folder: str) -> None:
    """Remove all that is in `folder`, however deep it is nested and whoever may open it.

    What is in a subfolder is moved up, so that no path grows long and nothing recurses.
    """
    fresh = itertools.count()
    while names := os.listdir(folder):
        for name in names:
            path = os.path.join(folder, name)
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            for inner in os.listdir(path):
                below = os.path.join(path, inner)
                if stat.S_ISDIR(os.lstat(below).st_mode):
                    os.chmod(below, 0o700)  # only who may write to a folder may move it
                os.rename(below, free_name(folder, fresh))
            os.rmdir(path)


def free_name(folder: str, numbers) -> str:
    """A path in `folder` at which nothing is."""
    return next(path for n in numbers if not os.path.lexists(path := os.path.join(folder, f"moved-{n}")))


def descendants(root: int) -> list[int]:
    """All processes below `root`, from /proc; empty where there is no /proc."""
    parents: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    for name in names:
        if name.isdigit() and (parent := parent_of(int(name))):
            parents.setdefault(parent, []).append(int(name))
    found, todo = [], [root]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def stat_fields(pid: int) -> list[str]:
    """State, parent and so on, from /proc/PID/stat; empty when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def parent_of(pid: int) -> int:
    fields = stat_fields(pid)
    return int(fields[1]) if fields else 0


def private_bytes(pid: int) -> int:
    """Resident memory that is not a file's: anonymous pages and shared memory."""
    total = 0
    try:
        with open(f"/proc/{pid}/status", errors="replace") as file:
            for line in file:
                if line.startswith(("RssAnon:", "RssShmem:")):
                    total += int(line.split()[1]) * 1024
    except OSError:
        pass
    return total


def own_bytes(members: list[int]) -> int:
    """The private memory of processes, without what they got from the server when they were forked.

    A fork starts with the server's pages, shared until they are written to. A program that was started since does not: its
    stack begins elsewhere.
    """
    inherited, stack = private_bytes(os.getpid()), start_of_stack(os.getpid())
    return sum(max(0, private_bytes(pid) - inherited * (start_of_stack(pid) == stack)) for pid in members)


def start_of_stack(pid: int) -> str:
    return "".join(stat_fields(pid)[START_OF_STACK:][:1])


def prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main() -> None:
    config = json.loads(sys.argv[1])
    sys.path.insert(0, config["code"])
    for name in ("numpy", "torch", "autograder.worker.worker", "autograder.worker.confine"):
        importlib.import_module(name)
    Server(config).run()


if __name__ == "__main__":
    main()
