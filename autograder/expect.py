"""What a check says when a value is not what it should be: expected, came, and in which order things are looked at.

Type first, then shape, then dtype, then finiteness, then values: a student who returns an array of the wrong shape
must not be told about its third decimal.
"""
import reprlib

import numpy as np
import torch

from autograder.worker.wire import Sparse, Unsupported

SHOWN = 24  # a tensor of more entries is summarized
PARTS = 4  # a tuple or list of more is not described part by part
ARRAYS = (torch.Tensor, np.ndarray, Sparse)
BRIEF = reprlib.Repr()  # looks at no more of a container than is shown
BRIEF.maxlist = BRIEF.maxtuple = BRIEF.maxdict = BRIEF.maxstring = BRIEF.maxother = BRIEF.maxlong = 80


class Mismatch(AssertionError):
    """A property does not hold. `expected` and `came` are complete phrases for the student."""

    def __init__(self, expected: str, came: str, values: bool = True):
        super().__init__(f"expected {expected}; came {came}")
        self.expected, self.came = expected, came
        self.values = values  # whether a value is in the phrases (False: only types and shapes)


def true(holds, expected: str, came: str) -> None:
    """For a property that is no comparison of two tensors."""
    if not holds:
        raise Mismatch(expected, came)


def tensor(value, shape: tuple | None = None, dtype: torch.dtype | None = None, *, what: str = "the result",
           finite: bool = True) -> torch.Tensor:  # fmt: skip
    """`value` as a tensor, after its type, shape, dtype and finiteness were found right (None: any).

    A numpy array is as good as a tensor. In `shape`, None stands for any size.
    """
    found = as_tensor(value, what)
    if shape is not None and not fits(found.shape, shape):
        raise Mismatch(f"{what} of shape {shape_text(shape)}", f"shape {shape_text(found.shape)}", values=False)
    if found.is_complex():  # NaN would slip through below, and comparing would drop the imaginary part
        raise Mismatch(f"{what} of real numbers", f"dtype {dtype_text(found.dtype)}", values=False)
    if dtype is not None and found.dtype != dtype:
        raise Mismatch(f"{what} of dtype {dtype_text(dtype)}", f"dtype {dtype_text(found.dtype)}", values=False)
    if finite and found.is_floating_point() and not torch.isfinite(found).all():
        kinds = " and ".join(name for name, test in (("NaN", torch.isnan), ("infinity", torch.isinf)) if test(found).any())
        raise Mismatch(f"{what} to be finite", f"{kinds} in {summary(found)}")
    return found


def matrix(value, shape: tuple[int, int], *, what: str = "the result") -> torch.Tensor:
    """`value`, sparse of any kind or dense, as a dense tensor; after type, shape and finiteness were found right."""
    if not isinstance(value, Sparse):
        return tensor(value, shape, what=what)
    if not fits(value.shape, shape):  # before it is written out: any shape can be claimed
        raise Mismatch(f"{what} of shape {shape_text(shape)}", f"shape {shape_text(value.shape)}", values=False)
    if value.values.is_complex():
        raise Mismatch(f"{what} of real numbers", f"dtype {dtype_text(value.values.dtype)}", values=False)
    return tensor(value.dense(), what=what)


def scalar(value, *, what: str = "the result", dtype: torch.dtype | None = None) -> torch.Tensor:
    """`value` as a 0-dimensional tensor. A plain number will do."""
    if type(value) in (int, float):
        value = torch.tensor(float(value), dtype=torch.float64)
    return tensor(value, (), dtype, what=what)


def close(value, expected, *, rtol: float, atol: float, what: str = "the result", note: str = "") -> None:
    """Compare with `expected`, entry by entry, after type, shape and finiteness. `note` explains the expectation.

    Every caller says in a comment why its tolerance is what it is.
    """
    expected = torch.as_tensor(expected)
    found = scalar(value, what=what) if expected.dim() == 0 else tensor(value, tuple(expected.shape), what=what)
    ours, theirs = expected.double(), found.double()
    wrong = (ours - theirs).abs() > atol + rtol * ours.abs()
    if not wrong.any():
        return
    because = f" ({note})" if note else ""
    if expected.dim() == 0:
        raise Mismatch(f"{what} to be {number(ours)}{because}", number(theirs))
    came = f"{summary(found)}; {int(wrong.sum())} of {wrong.numel()} entries differ"
    worst = np.unravel_index(int((ours - theirs).abs().argmax()), tuple(ours.shape))
    index = ", ".join(str(int(i)) for i in worst)
    came += f", most at [{index}]: {number(theirs[worst])} instead of {number(ours[worst])}"
    # Shown in the dtype that came: only values are compared here, and a dtype of ours would read as a demand.
    shown = expected.to(found.dtype) if found.is_floating_point() and expected.is_floating_point() else expected
    raise Mismatch(f"{what} to be {summary(shown)}{because}", came)


def as_tensor(value, what: str) -> torch.Tensor:
    if isinstance(value, Unsupported):
        raise Mismatch(f"{what} to be a plain tensor or array", f"a value of type {value.type_name}", values=False)
    if type(value) is torch.Tensor:
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return torch.from_numpy(np.array(value))
    raise Mismatch(f"{what} to be a tensor or array", describe(value), values=False)


def describe(value) -> str:
    """Type first, then shape and dtype, in words; part by part where a short tuple or list holds tensors."""
    if isinstance(value, (tuple, list)) and len(value) <= PARTS and any(isinstance(each, ARRAYS) for each in value):
        return f"{type(value).__name__} of {len(value)}: {'; '.join(describe_part(each) for each in value)}"
    return describe_part(value)


def describe_part(value) -> str:
    """The same of a value that is not taken apart: what is nested deeper is only abbreviated."""
    if value is None:
        return "None (is a `return` missing?)"
    if isinstance(value, Unsupported):
        return f"a value of type {value.type_name}"
    if isinstance(value, Sparse):
        return f"a sparse matrix ({value.type_name}) of shape {shape_text(value.shape)}"
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return summary(value)
    text = BRIEF.repr(value)
    return f"{type(value).__name__} {text if len(text) < 80 else text[:77] + '...'}"


def summary(value) -> str:
    """A tensor in one line: kind, dtype, shape, and the values where there are few."""
    kind = "array" if isinstance(value, np.ndarray) else "tensor"
    found = torch.as_tensor(value)
    head = f"{kind} {dtype_text(found.dtype)} {shape_text(found.shape)}"
    if found.numel() <= SHOWN:
        return f"{head} {values_text(found)}"
    if found.dtype == torch.bool:
        return head
    finite = found.double()[torch.isfinite(found.double())]
    if not finite.numel():
        return head
    return f"{head} (min {number(finite.min())}, mean {number(finite.mean())}, max {number(finite.max())})"


def values_text(found: torch.Tensor) -> str:
    if found.dim() == 0:
        return number(found)
    return "[" + ", ".join(values_text(each) for each in found) + "]"


def number(value) -> str:
    value = value.item() if isinstance(value, torch.Tensor) else value
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def shape_text(shape) -> str:
    sizes = ["any" if each is None else str(int(each)) for each in shape]
    return "(" + ", ".join(sizes) + ("," if len(sizes) == 1 else "") + ")"


def dtype_text(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def fits(found, wanted) -> bool:
    return len(found) == len(wanted) and all(w is None or int(f) == w for f, w in zip(found, wanted))


class value_error:
    """The call inside has to raise ValueError."""

    def __init__(self, call: str):
        self.call = call

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _) -> bool:
        if kind is None:
            raise Mismatch(f"{self.call} to raise ValueError", "no exception")
        return issubclass(kind, ValueError)
