"""What a failure says of the call that failed."""
import torch

from autograder import messages
from autograder.student import Call


def test_a_small_call_is_code_to_paste():
    text = messages.how_to_repeat(Call("call", "vicreg.variance_loss", (torch.eye(2),), {"gamma": 2.0}))
    assert text.startswith("Input (to paste into Python):\n")
    code = "\n".join(line.strip() for line in text.splitlines()[1:])
    compile(code, "pasted", "exec")
    assert "torch.tensor([[1.0, 0.0], [0.0, 1.0]])" in code and "gamma=2.0" in code


def test_a_large_call_does_not_ask_to_be_pasted():
    text = messages.how_to_repeat(Call("call", "warmup.normalize", (torch.rand(3, 9, 9, 3),), {}))
    assert text.startswith("Input:\n") and "float32 (3, 9, 9, 3), too large to print" in text


def test_a_scenario_names_the_function_that_it_called():
    text = messages.how_to_repeat(Call("scenario", "twice", ("clustering.kmeans", torch.eye(2)), {"k": 2}))
    assert text.startswith("Input:    clustering.kmeans, called twice with the same arguments and global random")
