"""What holds for all tests: one thread, the same examples on every run, and who runs beside whom."""

import os
import re

os.environ.setdefault("OMP_NUM_THREADS", "1")  # also for the commands and notebooks that tests start

import hypothesis
import pytest
import torch
from xdist.scheduler import LoadScopeScheduling

from autograder.tasks import task_id

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


# First, lest one runs alone at the end.
SLOWEST = ("test_redteam", "test_reproduce", "test_notebooks", "test_gate", "test_demo", "test_cli", "test_wall", "test_verdicts")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem not in SLOWEST)


class ByFileOrTask(LoadScopeScheduling):
    """Tests of a file run in one process, so that a fixture of the file is made once; check suites are cut by task."""

    def _split_scope(self, nodeid: str) -> str:
        target = re.search(r"\[(\w+)\.(\w+): ", nodeid)
        file = nodeid.partition("::")[0]
        return f"{file} {task_id(*target.groups())}" if target else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return ByFileOrTask(config, log)
