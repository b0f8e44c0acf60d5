"""What holds for all tests: one thread, and the same examples on every run."""

import hypothesis
import pytest
import torch

from release.tasks import task_id

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


def pytest_collection_modifyitems(items):
    """Which tests run in one process (`--dist loadgroup`): those of a file; of the suites of checks, those of a task."""
    for item in items:
        given = getattr(item, "callspec", None)
        entry = given.params.get("entry") if given else None
        task = task_id(*entry.target.split(".")) if entry is not None else ""
        item.add_marker(pytest.mark.xdist_group(f"{item.path.stem} {task}"))
