"""What a student reads about an item: expected, came, the smallest input as code to paste, what the code printed.

A hidden item says only which property does not hold, or could not be looked at, and where in the student's own file an exception was raised: its
inputs and values stay with the grader, and so does the exception's text, into which student code could copy them.
"""
import ast
import builtins
import re

import numpy as np
import torch

from autograder.expect import Mismatch, dtype_text, shape_text
from autograder.forkserver import Crash
from autograder.report import CODE_HEADING, MARGIN
from autograder.rubric import Item
from autograder.staging import RELEASED
from autograder.student import Call, NotAttempted, StudentError

PRINTABLE = 64  # numbers of an input that are written out
TOO_LARGE = "too large to print"
PROPERTY = "This property does not hold: "
STOPPED = "A call stopped before it could be seen whether this property holds: "
MAX_PRINTED = 600  # characters of a student's own output


def explain(
    item: Item, error: BaseException, call: Call | None, printed: str = "", memory_mib: int | None = None, check: str = ""
) -> str:
    """The whole message of a failed or crashed item. `memory_mib`: what it was allowed; `check`: where its check is to be read."""
    if item.visibility == "hidden":
        return explain_hidden(item, error, memory_mib)
    parts = [outcome(error)]
    if call is not None and getattr(error, "kind", "") != "missing":
        parts.append(how_to_repeat(call, getattr(error, "call", None)))
        if TOO_LARGE in parts[-1] and check:
            parts.append(f"The input is made in {check}.")
    if printed.strip():
        parts.append("Your code printed:\n" + indent(printed.strip()[:MAX_PRINTED]))
    return "\n".join(part for part in parts if part)


def explain_hidden(item: Item, error: BaseException, memory_mib: int | None = None) -> str:
    stopped = isinstance(error, Crash) or getattr(error, "kind", "") in ("exception", "memory")
    told = f"{STOPPED if stopped else PROPERTY}{item.property or item.title}."
    if isinstance(error, Mismatch) and not error.values:
        return f"{told}\nExpected: {error.expected}\nCame:     {without_values(error.came)}"
    if isinstance(error, StudentError):
        if error.kind == "missing":
            return missing_function(error, hidden=True)
        if error.kind == "no_gradient":
            return f"{told}\n{outcome(error)}"
        if error.kind == "unsendable":
            return f"{told}\nCame:     a result that cannot be read"
        came = f"{builtin_name(error)}{released_place(error.frames)}"
        if error.kind == "memory":  # PyTorch raises a mere RuntimeError, and its text stays with the grader
            limit = "" if memory_mib is None else f" (the limit is {memory_mib} MiB)"
            came = f"the code ran out of memory{limit}: {came}"
        return f"{told}\nCame:     {came}"
    if isinstance(error, Crash):
        return f"{told}\nCame:     {error.message}"
    return told


# Student code chooses the names of its classes and functions, what a value prints as, and the sizes of a shape: in a hidden
# item each of them could carry the input out. What follows leaves only words of ours, of Python and of the release.


def without_values(came: str) -> str:
    """What came, with nothing of a value but its kind."""
    kind = came.partition(" ")[0]
    if kind in ("str", "int", "float", "bool", "complex", "list", "tuple", "dict", "Named", "tensor", "array"):
        return "a named tuple of other fields" if kind == "Named" else f"a value of type {kind}"
    if came.startswith("a value of type"):
        return "a value of another type"
    if came.startswith("a sparse matrix"):
        return "a sparse matrix"
    sizes = re.fullmatch(r"shape \((.*)\)", came)
    if sizes and (came.count(",") > 4 or any(len(each) > 6 for each in sizes[1].split(", "))):
        return "another shape"
    return came


def builtin_name(error: StudentError) -> str:
    """The exception's type, or the nearest built-in one that it is made from."""
    known = (name for name in [error.type_name, *error.bases] if isinstance(getattr(builtins, name, None), type))
    return next((name for name in known if issubclass(getattr(builtins, name), BaseException)), "an exception")


def released_place(frames: list[dict]) -> str:
    """The last frame's file and line, with the function's name where the release has it."""
    frame = frames[-1] if frames else {}
    file, line, function = frame.get("file"), frame.get("line"), frame.get("function")
    module = re.fullmatch(r"assignment/(\w+)\.py", str(file))
    if not module or not (RELEASED / f"{module[1]}.py").is_file() or type(line) is not int or not 0 < line < 100_000:
        return ""
    known = released_arguments(f"{module[1]}.{function}") is not None
    return where({"file": file, "line": line, "function": function if known else ""})


def unwritten(item: Item, error: NotAttempted) -> str:
    """A stub's own text; in a hidden item only where it is one of the release."""
    stub = re.fullmatch(r"TODO \w+: (\w+)", str(error))
    if item.visibility == "hidden" and not (stub and is_released(stub[1])):
        return "Not attempted yet."
    return f"Not attempted yet ({error})."


def is_released(function: str) -> bool:
    """Whether a stub of this name is in the release."""
    return any(released_arguments(f"{path.stem}.{function}") is not None for path in RELEASED.glob("*.py"))


def outcome(error: BaseException) -> str:
    """Expected and came, in two lines."""
    if isinstance(error, Mismatch):
        return f"Expected: {error.expected}\nCame:     {error.came}"
    if isinstance(error, StudentError):
        return student_error(error)
    if isinstance(error, Crash):
        return f"Expected: the call to return\nCame:     {error.message}"
    return f"Expected: the check to hold\nCame:     {str(error) or type(error).__name__}"


def student_error(error: StudentError) -> str:
    if error.kind == "missing":
        return missing_function(error)
    if error.kind == "no_gradient":
        came = "a result without one (.item(), .detach(), float(), .numpy() or torch.no_grad() on the way?)"
        function = error.call.target.split(".")[-1]
        value = f"`{error.call.output}` of {function}" if error.call.output else f"the result of {function}"
        return f"Expected: {value} to carry a gradient back to the input\nCame:     {came}"
    if error.kind == "unsendable":
        return f"Expected: plain tensors, arrays or numbers\nCame:     a result that cannot be read ({error.type_name})"
    lines = [f"Expected: the call to return\nCame:     {error.type_name}: {error.message or '(no text)'}"]
    for frame in error.frames[-3:]:
        lines.append(f"          {where(frame).strip()}: {frame.get('code', '')}")
    return "\n".join(lines)


def missing_function(error: StudentError, hidden: bool = False) -> str:
    """The function was renamed or removed: give the signature that is expected."""
    name = error.call.target if error.call.op != "scenario" else error.message
    if hidden:
        told = signature(name) if released_arguments(name) is not None else "a function of the assignment"
        return f"Expected: {told}\nCame:     no function of that name"
    came = "no function of that name"
    module = name.split(".")[0]
    near = [each for each in error.near if released_arguments(f"{module}.{each}") is None]
    if near:
        came += f"; is it the one you call {' or '.join(near)}?"
    return f"Expected: {signature(name)}\nCame:     {came}"


def signature(target: str) -> str:
    """The function as the released stub declares it."""
    module, _, function = target.partition(".")
    arguments = released_arguments(target)
    if arguments is None:
        return f"the function {target}"
    return f"assignment/{module}.py to define {function}({ast.unparse(arguments)})"


def released_arguments(target: str) -> ast.arguments | None:
    """The parameters of a function in the release (a submission's own copy is never parsed here)."""
    module, _, function = target.partition(".")
    if not module.isidentifier():
        return None
    try:
        tree = ast.parse((RELEASED / f"{module}.py").read_text(encoding="utf-8"))
    except (OSError, SyntaxError):
        return None
    return next((node.args for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function), None)


def parameter_names(call: Call) -> list[str]:
    """A name for each argument of a call: the parameter's own where it is known."""
    arguments = released_arguments(call.target)
    known = [each.arg for each in arguments.args] if arguments else []
    positional = [known[i] if i < len(known) else f"x{i}" for i in range(len(call.args))]
    return positional + list(call.kwargs)


def where(frame: dict | None) -> str:
    if not frame:
        return ""
    inside = f", in {frame['function']}" if frame.get("function") else ""
    return f" at {frame.get('file')}, line {frame.get('line')}{inside}"


def how_to_repeat(call: Call, failed: Call | None = None) -> str:
    """Code to paste that makes the same call."""
    call = failed or call
    if call.op == "scenario":
        return f"Input:    {scenario_text(call)}"
    module, function = call.target.split(".")
    lines = [f"from assignment.{module} import {function}"]
    names = []
    for i, (name, value) in enumerate(zip(parameter_names(call), [*call.args, *call.kwargs.values()])):
        literal = as_code(value)
        if len(literal) <= 30 and i not in call.wrt:
            names.append(literal)
            continue
        names.append(name)
        lines.append(f"{name} = {literal}")
        if i in call.wrt:
            lines.append(f"{name}.requires_grad_()")
    given = names[: len(call.args)] + [f"{key}={name}" for key, name in zip(call.kwargs, names[len(call.args) :])]
    expression = f"{function}({', '.join(given)})"
    if call.op == "gradient":
        suffix = f".{call.output}" if call.output else ""
        lines += [f"{expression}{suffix}.backward()", f"print({', '.join(f'{names[i]}.grad' for i in call.wrt)})"]
    else:
        lines.append(f"print({expression})")
    text = "\n".join(lines)
    imports = [f"import {m}" + (" as np" if m == "numpy" else "") for m, mark in (("numpy", "np."), ("torch", "torch.")) if mark in text]
    heading = "Input:" if TOO_LARGE in text else CODE_HEADING
    return f"{heading}\n" + indent("\n".join([*imports, text]))


def scenario_text(call: Call) -> str:
    """The first sentence of a scenario's docstring: what was run. `target` in it stands for the function's name."""
    from autograder.worker import scenarios

    doc = getattr(scenarios, call.target, None).__doc__ or call.target
    sentence = " ".join(doc.strip().split("\n\n")[0].split())
    return sentence.replace("`target`", str(call.args[0])) if call.args else sentence


def as_code(value) -> str:
    """A Python expression that makes `value`."""
    if isinstance(value, torch.Tensor):
        return tensor_code(value.detach())
    if isinstance(value, np.ndarray):
        return array_code(value)
    if isinstance(value, (list, tuple)):
        inner = ", ".join(as_code(each) for each in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    return repr(value)


def tensor_code(value: torch.Tensor) -> str:
    default = value.dtype in (torch.float32, torch.int64, torch.bool)
    dtype = "" if default else f", dtype={value.dtype}"
    array = value.cpu().float().numpy() if value.dtype == torch.bfloat16 else value.cpu().numpy()
    if value.numel() > 4 and is_constant(array):
        return f"torch.full({tuple(value.shape)}, {digits(array.flat[0])}, dtype={value.dtype})"
    if value.numel() > PRINTABLE:
        return f"...  # a tensor {dtype_text(value.dtype)} {shape_text(value.shape)}, {TOO_LARGE}"
    return f"torch.tensor({nested(array)}{dtype})"


def array_code(value: np.ndarray) -> str:
    if value.size > 4 and is_constant(value):
        return f"np.full({value.shape}, {digits(value.flat[0])}, dtype=np.{value.dtype})"
    if value.size > PRINTABLE:
        return f"...  # an array {value.dtype} {shape_text(value.shape)}, {TOO_LARGE}"
    return f"np.array({nested(value)}, dtype=np.{value.dtype})"


def is_constant(array: np.ndarray) -> bool:
    return bool((array == array.flat[0]).all())


def nested(array: np.ndarray) -> str:
    if array.ndim == 0:
        return digits(array[()])
    return "[" + ", ".join(nested(each) for each in array) + "]"


def digits(number) -> str:
    """The shortest text that gives the number back in its own precision."""
    text = str(number)
    return f'float("{text}")' if text in ("nan", "inf", "-inf") else text


def indent(text: str) -> str:
    return "\n".join(MARGIN + line for line in text.splitlines())
