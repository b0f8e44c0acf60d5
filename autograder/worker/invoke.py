"""Answers one request: call a student function, take its gradient, or run a scenario.

The same code serves a confined worker (package `assignment`) and, in the trusted process, the reference (package
`solutions`), so that a check means the same on both sides.
"""
import builtins
import contextlib
import difflib
import importlib
import linecache
import os
import random
import sys
import traceback
from collections.abc import Iterator
from unittest import mock

import numpy as np
import torch

MAX_MESSAGE = 2000  # characters of an exception's text


ENTROPY = random.Random()  # in a worker, what NumPy's generators without a seed start from


class Missing(Exception):
    """The module has no such function."""

    def __init__(self, name: str, near: list[str]):
        super().__init__(name)
        self.name, self.near = name, near


class NoGradient(Exception):
    """The result does not depend differentiably on the input."""


class Package:
    """Attribute access to a package's modules: `package.vicreg.variance_loss`."""

    def __init__(self, name: str):
        self.package_name = name

    def __getattr__(self, module: str):
        return importlib.import_module(f"{self.package_name}.{module}")

    def function(self, target: str):
        """The function that `target` ("module.function") names; raises Missing with the near matches."""
        module_name, function_name = target.split(".")
        module = getattr(self, module_name)
        function = getattr(module, function_name, None)
        if not callable(function):
            names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
            raise Missing(target, difflib.get_close_matches(function_name, names, n=3, cutoff=0.5))
        return function


class Invoker:
    """Turns a request (plain data) into a reply (plain data, or an error described as plain data)."""

    def __init__(self, package: str):
        self.package = Package(package)

    def __call__(self, request: dict) -> dict:
        seed_everything(request["seed"])
        settings, changed = global_settings(), []
        arguments = [*request["args"], *request["kwargs"].values()]
        originals = [copy_of(each) for each in arguments]
        try:
            with watched_seeds() as seeded:
                value = getattr(self, f"_{request['op']}")(request)
            if request["op"] != "scenario":  # a scenario seeds by itself, and watches the student's functions alone
                changed += seeded
            mutated = [i for i, (now, before) in enumerate(zip(arguments, originals)) if not same(now, before)]
        except BaseException as error:  # SystemExit and KeyboardInterrupt are the student's, too
            return {"error": describe(error, self.package.package_name)}
        finally:
            changed += restore(settings)
        return {"value": value, "mutated": mutated, "changed_settings": changed}

    def _call(self, request: dict):
        return self.package.function(request["target"])(*request["args"], **request["kwargs"])

    def _gradient(self, request: dict):
        function = self.package.function(request["target"])
        args = list(request["args"])
        leaves = [args[i].detach().clone().requires_grad_() for i in request["wrt"]]
        for i, leaf in zip(request["wrt"], leaves):
            args[i] = leaf
        output = function(*args, **request["kwargs"])
        if request["output"] is not None:
            output = getattr(output, request["output"])
        if not isinstance(output, torch.Tensor) or not output.requires_grad:
            raise NoGradient(request["target"])
        return list(torch.autograd.grad(output, leaves, allow_unused=True))

    def _scenario(self, request: dict):
        from autograder.worker import scenarios

        return getattr(scenarios, request["target"])(self.package, *request["args"], **request["kwargs"])


def seed_everything(seed: int) -> None:
    # Not `torch.manual_seed`: without a GPU it stores a stack trace for each kind of device, which took as long as the
    # call itself. Grading is on the CPU.
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
    ENTROPY.seed(seed)


def seed_new_generators() -> None:
    """Let `np.random.default_rng()` without a seed draw the same numbers in every grading. For good: in a worker only."""
    np.random.bit_generator.randbits = ENTROPY.getrandbits


@contextlib.contextmanager
def watched_seeds() -> Iterator[list[str]]:
    """Which global generators the code inside seeds and leaves so. Drawing from them, or setting a state back, is no seeding."""
    told, seeded, before = [], set(), torch.initial_seed()

    def noting(function, note, name: str):
        def called(*args, **kwargs):
            note(name)
            return function(*args, **kwargs)

        return called

    with contextlib.ExitStack() as stack:
        for module, seed, restore in ((np.random, "seed", "set_state"), (random, "seed", "setstate")):
            name = "the seed of np.random" if module is np.random else "the seed of random"
            stack.enter_context(mock.patch.object(module, seed, noting(getattr(module, seed), seeded.add, name)))
            stack.enter_context(mock.patch.object(module, restore, noting(getattr(module, restore), seeded.discard, name)))
        yield told
    told += sorted(seeded) + ["the seed of torch"] * (torch.initial_seed() != before)


# What a submission must leave alone, by the name a student knows it by: how it is read and set.
SETTINGS = {
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch's thread count": (torch.get_num_threads, torch.set_num_threads),
    "torch's deterministic mode": (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    "whether gradients are recorded": (torch.is_grad_enabled, torch.set_grad_enabled),
    "numpy's error handling": (np.geterr, lambda handling: np.seterr(**handling)),
}


def global_settings() -> dict:
    return {name: read() for name, (read, _) in SETTINGS.items()}


def restore(before: dict) -> list[str]:
    """Set back what has changed, and name it: the next call, and the diagnosis, begin as the first did."""
    changed = [name for name, value in global_settings().items() if value != before[name]]
    for name in changed:
        SETTINGS[name][1](before[name])
    return changed


def copy_of(value):
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    return value.copy() if isinstance(value, np.ndarray) else value


def same(now, before) -> bool:
    if isinstance(before, torch.Tensor):
        return bool(now.shape == before.shape and torch.equal(torch.nan_to_num(now.detach()), torch.nan_to_num(before)))
    return not isinstance(before, np.ndarray) or np.array_equal(now, before)


def describe(error: BaseException, package: str) -> dict:
    """An exception as plain data: its type, text, and the frames that lie in the student's files."""
    if isinstance(error, Missing):
        return {"kind": "missing", "message": error.name, "near": error.near}
    if isinstance(error, NoGradient):
        return {"kind": "no_gradient", "name": str(error)}
    kind = "memory" if is_out_of_memory(error) else "exception"
    bases = [base.__name__ for base in type(error).__mro__ if getattr(builtins, base.__name__, None) is base]
    return {
        "kind": kind,
        "type": type(error).__name__,
        "bases": bases,
        "message": text_of(error),
        "frames": student_frames(error, package),
    }


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    signs = ("can't allocate memory", "bad_alloc", "could not create a memory")  # PyTorch's allocator, C++, oneDNN
    return isinstance(error, RuntimeError) and any(sign in text_of(error) for sign in signs)


def text_of(error: BaseException) -> str:
    try:
        return str(error)[:MAX_MESSAGE]
    except BaseException:  # the text is made by the student's code, too
        return "(its text could not be read)"


def student_frames(error: BaseException, package: str) -> list[dict]:
    """File, line, function and source line of each frame inside `package`, outermost first."""
    marker = f"{os.sep}{package}{os.sep}"
    frames = [
        {"file": shorten(frame.filename, marker), "line": frame.lineno, "function": frame.name, "code": frame.line or ""}
        for frame in traceback.extract_tb(error.__traceback__)
        if marker in frame.filename
    ]
    if isinstance(error, SyntaxError) and error.filename and marker in error.filename:
        frames.append(syntax_frame(error, marker))
    return frames[-8:]


def syntax_frame(error: SyntaxError, marker: str) -> dict:
    line = error.lineno or undecodable_line(error.filename)
    code = (error.text or linecache.getline(error.filename, line)).strip()
    return {"file": shorten(error.filename, marker), "line": line, "function": "", "code": code[:200]}


def undecodable_line(path: str) -> int:
    """The first line that is not UTF-8 (Python's own message gives no line for it)."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 0


def shorten(path: str, marker: str) -> str:
    return marker.strip(os.sep) + "/" + path.split(marker, 1)[1]


def use_package_from(folder: str) -> None:
    """Import the packages in `folder` before any others of the same name."""
    if folder not in sys.path:
        sys.path.insert(0, folder)
