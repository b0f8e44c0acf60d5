"""What a failure says of the call that failed."""
from pathlib import Path

import pytest
import torch

from autograder import expect, messages, rubric
from autograder.forkserver import Crash, ForkServer
from autograder.student import Call, StudentError
from autograder.worker import wire


def test_a_small_call_is_code_to_paste():
    text = messages.how_to_repeat(Call("call", "vicreg.variance_loss", (torch.eye(2),), {"gamma": 2.0}))
    assert text.startswith("Input (Python code; leave out the margin when you paste it):\n")
    code = "\n".join(line.strip() for line in text.splitlines()[1:])
    compile(code, "pasted", "exec")
    assert "torch.tensor([[1.0, 0.0], [0.0, 1.0]])" in code and "gamma=2.0" in code


def test_a_large_call_does_not_ask_to_be_pasted():
    text = messages.how_to_repeat(Call("call", "warmup.normalize", (torch.rand(3, 9, 9, 3),), {}))
    assert text.startswith("Input:\n") and "float32 (3, 9, 9, 3), too large to print" in text


def test_where_a_large_input_is_made_is_told_for_a_public_item_only():
    public, hidden = (next(each for each in rubric.load().items() if each.visibility == kind) for kind in ("public", "hidden"))
    large, small = (Call("call", "warmup.normalize", (torch.rand(1, size, size, 3),), {}) for size in (9, 2))
    place = "test_values in autograder/checks/public/test_warmup.py"
    told = [messages.explain(public, expect.Mismatch("1", "2"), call, check=place) for call in (large, small)]
    assert told[0].splitlines()[-1] == f"The input is made in {place}." and place not in told[1]
    assert place not in messages.explain(hidden, expect.Mismatch("1", "2"), large, check=place)


def test_a_scenario_names_the_function_that_it_called():
    text = messages.how_to_repeat(Call("scenario", "twice", ("clustering.kmeans", torch.eye(2)), {"k": 2}))
    assert text.startswith("Input:    clustering.kmeans, called twice with the same arguments and global random")


def test_a_hidden_item_says_that_memory_ran_out():
    item = next(each for each in rubric.load().items() if each.id == "neighbors.memory")
    frames = [{"file": "assignment/neighbors.py", "line": 244, "function": "nearest_neighbors"}]
    error = {"kind": "memory", "type": "RuntimeError", "bases": ["RuntimeError"], "frames": frames, "message": "17000 rows"}
    told = messages.explain(item, StudentError(error, Call("call", "neighbors.nearest_neighbors", (), {})), None, memory_mib=2048)
    assert "the code ran out of memory (the limit is 2048 MiB): RuntimeError at assignment/neighbors.py, line 244" in told
    assert "17000" not in told and told.startswith("A call stopped before it could be seen whether this property holds: ")


def test_a_hidden_item_that_was_looked_at_does_not_hold():
    item = next(each for each in rubric.load().items() if each.id == "neighbors.memory")
    for error in (expect.Mismatch("1", "2"), StudentError({"kind": "unsendable"}, Call("call", "neighbors.x", (), {}))):
        assert messages.explain(item, error, None).startswith("This property does not hold: ")
    told = messages.explain(item, Crash("timeout", "stopped after 10 s: the time limit"), None)
    assert told.startswith("A call stopped before") and told.endswith("stopped after 10 s: the time limit")


def test_a_tuple_of_tensors_is_described_part_by_part():
    value = (torch.tensor([1, 0, 1]), torch.zeros(4, 7), None)
    text = expect.describe(value)
    assert text.startswith("tuple of 3: tensor int64 (3,) [1, 0, 1]; tensor float32 (4, 7) (min 0, ")
    assert messages.without_values(text) == "a value of type tuple"
    assert expect.describe([1, 2]) == "list [1, 2]" and expect.describe(()) == "tuple ()"
    assert messages.without_values(expect.describe([torch.ones(2)])) == "a value of type list"


@pytest.mark.parametrize(
    "printed, shown",
    [
        ("/code/assignment/vicreg.py:3: UserWarning: x", "assignment/vicreg.py:3: UserWarning: x"),
        ("'/staged/assignment/vicreg.py' at 0x7f12", "'assignment/vicreg.py' at 0x…"),
        ("a/code/b file:///code/x", "a/code/b file:///code/x"),
    ],
)
def test_what_is_printed_names_files_as_tracebacks_do(printed, shown):
    server = ForkServer(Path("/staged"), None)
    assert server.neutral(printed) == shown


def test_a_tensor_that_cannot_be_sent_says_why():
    came = wire.unpack(wire.pack(torch.ones(3, device="meta")))
    with pytest.raises(expect.Mismatch, match=r"Tensor \(torch.float32, on the device meta\)"):
        expect.tensor(came)
