"""The trusted side of the wall: starts a fork server in the sandbox and gets fresh workers from it."""
import contextlib
import dataclasses
import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from autograder import sandbox
from autograder.worker.server import empty

START_SECONDS = 120  # importing PyTorch on a cold disk can take long
KILL_SECONDS = 5
KEPT_OUTPUT = 8 * 1024  # bytes of a worker's output that are kept from its start
MAX_ANSWERS = 256 * 1024**2  # bytes that a worker may send in all; checks keep them until their item is done
WORKER_SOURCE = Path(__file__).parent / "worker"
# Libraries that the fork server imports once, before it forks the first worker of a task that names them in the
# rubric; otherwise each worker would pay for them. "optimizers": torch.optim imports its compiler at first use.
LIBRARIES = {
    "optimizers": "torch._dynamo",
    "sklearn": "sklearn.linear_model",
    "torchvision": "assignment.provided.torchvision_compat:import_torchvision",
    "matplotlib": "matplotlib.font_manager",
}
ALWAYS = ("matplotlib",)  # of every task: what it would keep in files for the next import does not outlive an item


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one worker may use. Seconds are wall-clock."""

    call_seconds: float = 10.0
    seconds: float = 120.0
    memory_bytes: int = 2 * 1024**3
    processes: int = 16
    file_bytes: int = 64 * 1024**2
    threads: int = 1
    return_memory: bool = False  # freed memory goes back to the system at once, which is slower


class Crash(BaseException):
    """Student code took its worker down, or had to be stopped. Not an Exception: hypothesis must not retry it."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind, self.message = kind, message


class ServerGone(Exception):
    """The fork server itself ended or does not answer."""


class ForkServer:
    """One sandbox for one submission. Use as a context manager; `spawn` gives workers, one at a time."""

    def __init__(self, code: Path, confinement: sandbox.Confinement, package: str = "assignment"):
        self.code, self.confinement, self.package = code, confinement, package
        self.process: subprocess.Popen | None = None
        self.scratch, self.pending = "", b""

    def __enter__(self) -> "ForkServer":
        try:
            self.launch()
        except BaseException:  # Ctrl-C as well: nothing half-started stays behind
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def launch(self) -> None:
        """Start the server without waiting for it: the grader's own imports can go on meanwhile."""
        self.scratch = tempfile.mkdtemp(prefix="grading-")
        prefix, code, scratch = sandbox.command(self.confinement, self.code, Path(self.scratch))
        self.hand_over()
        self.control, theirs = socket.socketpair()
        config = {
            "control_fd": theirs.fileno(),
            "code": code,
            "scratch": scratch,
            "package": self.package,
            "private_pids": self.confinement.mode == "bubblewrap",
            "landlock": sandbox.landlock_rules(self.confinement, self.code, scratch),
        }
        script = f"{code}/autograder/worker/server.py"
        # Not "-I", which would ignore the hash seed in `sandbox.environment`; the environment is ours alone anyway.
        python = [sys.executable, "-P", "-s", "-B", "-u", script, json.dumps(config)]
        self.log = tempfile.TemporaryFile()
        env = {} if prefix else sandbox.environment(scratch)
        self.process = subprocess.Popen(
            [*prefix, *python], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env=env, cwd="/", start_new_session=True, **self.confinement.identity(),
        )  # fmt: skip
        theirs.close()
        self.ready, self.pending = False, b""

    def hand_over(self) -> None:
        """Where student code runs as another user: let that user read the staged tree, and own the scratch folder."""
        if identity := self.confinement.identity():
            os.chmod(self.code, 0o755)
            os.chown(self.scratch, identity["user"], identity["group"])

    def wanted(self, libraries: tuple[str, ...]) -> list[str]:
        """Those of `libraries` (and ALWAYS) that the submission itself imports, and what it cannot help importing."""
        text = b"\n".join(path.read_bytes() for path in sorted((self.code / self.package).glob("*.py")))
        mentioned = {name for name in LIBRARIES if re.search(rb"^[ \t]*(import|from)[ \t]+%s\b|import_%s\(" % ((name.encode(),) * 2), text, re.M)}
        return [LIBRARIES[name] for name in (*libraries, *ALWAYS) if name == "optimizers" or name in mentioned]

    def wait_ready(self) -> None:
        if not self.ready:
            self.expect("ready", START_SECONDS)
            self.ready = True

    def spawn(self, limits: Limits, libraries: tuple[str, ...] = ()) -> "Worker":
        """A fresh worker, with `libraries` (names in LIBRARIES) loaded where they are of use. Raises ServerGone when the sandbox cannot give one."""
        self.wait_ready()
        ours, theirs = socket.socketpair()
        read_end, write_end = os.pipe()
        worker = Worker(self, ours, read_end, limits)
        command = {"command": "spawn", "limits": dataclasses.asdict(limits), "preload": self.wanted(libraries)}
        try:
            socket.send_fds(self.control, [json.dumps(command).encode()], [theirs.fileno(), write_end])
            self.expect("spawned", START_SECONDS)
        except (OSError, ServerGone) as error:
            worker.close()
            raise ServerGone(self.last_words() or str(error)) from error
        finally:
            theirs.close()
            os.close(write_end)
        return worker

    def kill_worker(self, reason: str | None = None) -> dict:
        """End the current worker with all it started; returns how it ended."""
        try:
            self.control.sendall(json.dumps({"command": "kill", "reason": reason}).encode())
            return self.expect("exited", KILL_SECONDS)
        except (OSError, ServerGone):
            self.restart()
            return {"code": None, "reason": "server"}

    def expect(self, event: str, seconds: float) -> dict:
        """The next event of this kind. Raises ServerGone when it does not come in time."""
        deadline = time.monotonic() + seconds
        while True:
            line, found, rest = self.pending.partition(b"\n")
            if found:
                self.pending = rest
                told = json.loads(line)
                if told["event"] == event:
                    return told
                continue
            self.control.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self.control.recv(65536)
            except TimeoutError:
                raise ServerGone(f"no answer from the sandbox within {seconds:g} s") from None
            if not data:
                raise ServerGone(self.last_words() or "the sandbox ended unexpectedly")
            self.pending += data

    def last_words(self) -> str:
        """The end of what the server wrote to its error output: the reason it could not start."""
        self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, self.log.tell() - 2000))
        return self.log.read().decode(errors="replace").strip()

    def neutral(self, text: str) -> str:
        """Text of a worker without what differs from run to run: where its files lie, and addresses of objects."""
        for path, name in ((str(self.code), "/code"), (self.scratch, "/tmp"), ("/scratch", "/tmp")):
            text = text.replace(path, name) if path else text
        text = re.sub(r"(?<![\w./-])/code/", "", text)  # files are named as in tracebacks: assignment/vicreg.py
        return re.sub(r"\bat 0x[0-9a-f]+", "at 0x…", text)

    def restart(self) -> None:
        self.stop()
        self.launch()

    def stop(self) -> None:
        """End the sandbox and remove its scratch folder; harmless when there is none."""
        if self.process is not None:
            with contextlib.suppress(OSError):
                self.control.close()
            try:
                self.process.wait(timeout=0.2 if self.confinement.mode == "bubblewrap" else KILL_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
            self.log.close()
        if self.scratch:
            with contextlib.suppress(OSError):
                empty(self.scratch)
                os.rmdir(self.scratch)
            self.scratch = ""


class Worker:
    """One forked process that answers requests. Everything it says is untrusted."""

    def __init__(self, server: ForkServer, requests: socket.socket, output_fd: int, limits: Limits):
        self.server, self.requests, self.limits = server, requests, limits
        self.deadline = time.monotonic() + limits.seconds
        self.output, self.output_bytes, self.alive, self.greeted = bytearray(), 0, True, False
        self.room = MAX_ANSWERS
        self.output_fd, self.keeping = output_fd, threading.Lock()
        self.drain = threading.Thread(target=self._drain, daemon=True)
        self.drain.start()

    def request(self, message: dict) -> dict:
        """Send one request and wait for its reply. Raises Crash when the worker dies, stalls or talks nonsense."""
        from autograder.worker import wire  # imports PyTorch: only now, so that the server starts first

        seconds = min(self.limits.call_seconds, self.deadline - time.monotonic())
        deadline = time.monotonic() + max(0.0, seconds)
        try:
            if not self.greeted:
                wire.receive(self.requests, deadline)
                self.greeted = True
            wire.send(self.requests, message, deadline)
            body = wire.receive_body(self.requests, deadline, min(self.room, wire.MAX_FRAME))
            self.room -= len(body)
            reply = wire.unpack(body)
        except TimeoutError:
            self.end("timeout")
            raise Crash("timeout", self.why_stopped(seconds)) from None
        except (EOFError, OSError):
            raise self.autopsy() from None
        except wire.WireError as error:
            self.end("protocol")
            raise Crash("protocol", f"the worker sent something that is no answer ({error})") from None
        if not isinstance(reply, dict) or not ({"value", "error"} & reply.keys()):
            self.end("protocol")
            raise Crash("protocol", "the worker sent something that is no answer")
        return reply

    def why_stopped(self, seconds: float) -> str:
        """Which time limit was met, in words that are the same every time."""
        if seconds == self.limits.call_seconds:
            return f"stopped after {seconds:g} s: the time limit"
        return "stopped: all calls of this item together took longer than the time limit"

    def autopsy(self) -> Crash:
        """Why the worker is gone, as the fork server saw it."""
        self.alive = False
        try:
            told = self.server.expect("exited", 1.0)
        except ServerGone:
            told = self.server.kill_worker()
        reason, code = told.get("reason"), told.get("code")
        if reason == "memory":
            return Crash("memory", "the code and its processes used more memory than allowed")
        if reason == "processes":
            return Crash("processes", f"the code started more than {self.limits.processes} processes")
        if reason == "server":
            return Crash("exit", "the code ended the process it ran in, and the process around it")
        if code is not None and code < 0:
            return Crash("signal", f"the process died of signal {-code}")
        return Crash("exit", f"the code ended its process (exit status {code})")

    def end(self, reason: str | None = None) -> None:
        if self.alive:
            self.alive = False
            self.server.kill_worker(reason)

    def close(self) -> None:
        """End the worker and everything that it started."""
        self.requests.close()
        self.end()

    def printed(self) -> str:
        """The start of what student code has written to stdout and stderr until now."""
        deadline = time.monotonic() + 0.5
        while self.drain.is_alive() and not self.drained() and time.monotonic() < deadline:
            time.sleep(0.002)
        return self.server.neutral(bytes(self.output).decode("utf-8", errors="replace"))

    def drained(self) -> bool:
        """Whether the pipe is empty: what was written before the last reply has been read, and kept."""
        try:
            with self.keeping:
                return not select.select([self.output_fd], [], [], 0)[0]
        except (OSError, ValueError):  # closed meanwhile
            return True

    def _drain(self) -> None:
        with open(self.output_fd, "rb", buffering=0) as pipe:
            chunk = b"..."
            while chunk:
                select.select([pipe], [], [])
                with self.keeping:  # nobody looks between the two lines
                    chunk = pipe.read(1 << 20)
                    self.output += chunk[: max(0, KEPT_OUTPUT - len(self.output))]
                self.output_bytes += len(chunk)
