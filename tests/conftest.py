"""What holds for all tests: one thread, and the same examples on every run."""

import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("tests", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small tensors gain nothing from more threads, and lose much on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded():
    """No test depends on what an earlier one has drawn."""
    torch.manual_seed(0)
