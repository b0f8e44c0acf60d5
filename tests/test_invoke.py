"""What a call of a student's function is noted for: arguments and global settings that it left changed."""

import sys
import types

import pytest

from autograder.worker.invoke import Invoker

NONE, TORCH, NUMPY, PYTHON = [], ["the seed of torch"], ["the seed of np.random"], ["the seed of random"]
BODIES = {
    "nothing": ("return x", NONE),
    "draws": ("torch.rand(3), np.random.rand(3), random.random()\n    return x", NONE),
    "own generators": ("torch.Generator().manual_seed(1), np.random.default_rng(1), random.Random(1)\n    return x", NONE),
    "torch's seed": ("torch.manual_seed(7)\n    return x", TORCH),
    "NumPy's seed": ("np.random.seed(7)\n    return x", NUMPY),
    "Python's seed": ("random.seed(7)\n    return x", PYTHON),
    "all three": ("torch.manual_seed(7), np.random.seed(7), random.seed(7)\n    return x", NUMPY + PYTHON + TORCH),
    "in a fork": ("with torch.random.fork_rng():\n        torch.manual_seed(7)\n    return x", NONE),
    "put back": (
        "a, b, c = torch.get_rng_state(), np.random.get_state(), random.getstate()\n"
        "    torch.manual_seed(7), np.random.seed(7), random.seed(7)\n"
        "    torch.set_rng_state(a), np.random.set_state(b), random.setstate(c)\n    return x",
        NONE,
    ),
    "default dtype": ("torch.set_default_dtype(torch.float64)\n    return x", ["torch's default dtype"]),
}


@pytest.mark.parametrize("name", BODIES)
def test_seeds_and_settings_that_stay_changed_are_named(name, monkeypatch):
    body, expected = BODIES[name]
    module = types.ModuleType("of_a_student.work")
    exec(f"import random\nimport numpy as np\nimport torch\ndef f(x):\n    {body}", module.__dict__)
    package = types.ModuleType("of_a_student")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "of_a_student", package)
    monkeypatch.setitem(sys.modules, "of_a_student.work", module)
    request = {"op": "call", "target": "work.f", "args": [1], "kwargs": {}, "seed": 3}
    reply = Invoker("of_a_student")(request)
    assert reply == {"value": 1, "mutated": [], "changed_settings": expected}
