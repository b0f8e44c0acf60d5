"""What a check sees of a submission: its modules as attributes, its functions as callables, its errors as exceptions.

`student.vicreg.variance_loss(z)` calls the function, in a confined worker or, for the reference, in this process; the
check cannot tell the difference. Values come back as plain tensors, arrays, numbers and containers.
"""
import builtins
import dataclasses
import functools
import hashlib

from autograder.worker import wire
from autograder.worker.invoke import Invoker


class StudentError(Exception):
    """The student's code raised an exception. It is also an instance of the built-in type that was raised."""

    def __init__(self, error: dict, call: "Call"):
        super().__init__(str(error.get("message", "")))
        self.type_name = str(error.get("type", "Exception"))
        self.message = str(error.get("message", ""))
        self.kind = str(error.get("kind", "exception"))
        self.frames = [frame for frame in listed(error.get("frames")) if isinstance(frame, dict)]
        self.bases = [str(each) for each in listed(error.get("bases"))]
        self.near = [str(each) for each in listed(error.get("near"))]
        self.call = call


class ReferenceFault(Exception):
    """The reference itself failed: the grader's fault."""


class NotAttempted(BaseException):
    """The function still raises NotImplementedError. Not an Exception, so that hypothesis does not retry it.

    `called`: the student's own code called it, from another function.
    """

    def __init__(self, message: str = "", called: bool = False):
        super().__init__(message)
        self.called = called


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a student's function, kept so that a failure can show it and diagnosis can repeat it."""

    op: str  # "call", "gradient" or "scenario"
    target: str  # "vicreg.variance_loss", or a scenario's name
    args: tuple
    kwargs: dict
    wrt: tuple[int, ...] = ()
    output: str | None = None


class LocalChannel:
    """Answers requests in this process, from a trusted package: the reference, or an author's own."""

    def __init__(self, package: str = "solutions"):
        self.invoke = Invoker(package)

    def request(self, message: dict) -> dict:
        import torch

        # Through the wire format and back: what a check receives is of the same types on both sides of the wall.
        message = wire.unpack(wire.pack(message))
        with torch.random.fork_rng(devices=[]):
            reply = self.invoke(message)
        # An invoker takes every exception for the code's own. Here this one is somebody's who wants the grader to end.
        if "KeyboardInterrupt" in reply.get("error", {}).get("bases", []):
            raise KeyboardInterrupt
        return wire.unpack(wire.pack(reply))


class Student:
    """A submission (or the reference) as checks use it."""

    def __init__(self, channel, seed: str = "", trusted: bool = False):
        self._channel, self._seed, self._count, self._trusted = channel, seed, 0, trusted
        self.calls: list[tuple[Call, object]] = []  # with the value each one returned, the latest last
        self.mutated: set[str] = set()  # functions that changed an input in place
        self.changed_settings: set[str] = set()  # global settings that a function left changed

    def __getattr__(self, module: str) -> "ModuleProxy":
        if module.startswith("_"):
            raise AttributeError(module)
        return ModuleProxy(self, module)

    def gradient(self, target: str, *args, wrt: int | tuple[int, ...] = 0, output: str | None = None, **kwargs):
        """The gradient of a scalar function ("module.function") with respect to the positional arguments in `wrt`.

        `output` names the field of a named tuple to differentiate. Returns one tensor, or a list for a tuple `wrt`;
        an argument that the output does not depend on gives None. Raises StudentError (kind "no_gradient") when the
        output carries no gradient at all.
        """
        positions = (wrt,) if isinstance(wrt, int) else wrt
        grads = self._perform(Call("gradient", target, args, kwargs, positions, output))
        return grads[0] if isinstance(wrt, int) and isinstance(grads, list) and grads else grads

    def run(self, scenario: str, *args, **kwargs):
        """Run a scenario (autograder/worker/scenarios.py): for what needs models, optimizers or callables."""
        return self._perform(Call("scenario", scenario, args, kwargs))

    def _perform(self, call: Call):
        self._count += 1
        self.calls.append((call, None))  # before the call, so that a crash can show it
        digest = hashlib.sha256(f"{self._seed}/{self._count}".encode()).digest()
        message = {
            "op": call.op, "target": call.target, "args": list(call.args), "kwargs": call.kwargs,
            "wrt": list(call.wrt), "output": call.output, "seed": int.from_bytes(digest[:4], "big"),
        }  # fmt: skip
        reply = self._channel.request(message)
        if "error" in reply:
            self._raise(reply["error"], call)
        self._note_side_effects(reply, call)
        self.calls[-1] = (call, reply["value"])
        return reply["value"]

    def _raise(self, error, call: Call):
        error = error if isinstance(error, dict) else {}
        bases = [str(each) for each in listed(error.get("bases"))]
        if self._trusted:
            raise ReferenceFault(f"{call.target}: {error.get('type', error.get('kind'))}: {error.get('message', '')}")
        known = [each for each in dict.fromkeys(bases) if hasattr(builtins, each)]
        told = error_class(tuple(known))(error, call)
        if "NotImplementedError" in bases and raised_by_hand(told.frames):
            raise NotAttempted(told.message, called=len(told.frames) > 1)
        raise told

    def _note_side_effects(self, reply: dict, call: Call) -> None:
        if reply.get("mutated"):
            self.mutated.add(call.target)
        self.changed_settings.update(str(each) for each in listed(reply.get("changed_settings")))


class ModuleProxy:
    """One module of a submission."""

    def __init__(self, student: Student, name: str):
        self._student, self._name = student, name

    def __getattr__(self, function: str):
        def call(*args, **kwargs):
            return self._student._perform(Call("call", f"{self._name}.{function}", args, kwargs))

        call.__name__ = function
        return call


@functools.cache
def error_class(bases: tuple[str, ...]) -> type[StudentError]:
    """StudentError joined with the first built-in Exception in `bases`, so that `pytest.raises(ValueError)` works."""
    for name in bases:
        base = getattr(builtins, name, None)
        if isinstance(base, type) and issubclass(base, Exception) and base is not Exception:
            try:
                joined = type(f"Student{name}", (StudentError, base), {})
                joined({}, None)
                return joined
            except TypeError:  # of another memory layout (OSError) or other arguments (UnicodeDecodeError): its base may do
                continue
    return StudentError


def raised_by_hand(frames: list[dict]) -> bool:
    """Whether the last line names the exception, as a stub does. PyTorch raises it, too, for a dtype it cannot handle."""
    return not frames or "NotImplementedError" in str(frames[-1].get("code", ""))


def listed(value) -> list:
    """`value` where it is a list; a worker can put anything in its place."""
    return value if isinstance(value, list) else []


def reference(seed: str = "", trusted: bool = False) -> Student:
    """The reference, called in this process: as a stand-in for a student, or `trusted` as what others are held against."""
    return Student(LocalChannel("solutions"), seed, trusted)
