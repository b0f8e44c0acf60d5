"""Grades one submission: stage it, start its sandbox, run the checks, build the report."""
import contextlib
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from autograder import interrupts, receipt, report, sandbox, staging
from autograder.forkserver import ForkServer
from autograder.report import ItemResult, Report
from autograder.rubric import Rubric, RubricError

CHECKS = Path(__file__).parent / "checks"


def grade(
    submission: Path,
    rubric: Rubric,
    full_rubric: Rubric,
    confinement: sandbox.Confinement,
    on_item: Callable[[ItemResult], None] = lambda result: None,
    keep: Callable[[dict[str, str]], dict[str, ItemResult]] = lambda files: {},
) -> Report:
    """Grade one folder or zip against `rubric` (the part of `full_rubric` that was asked for).

    A submission that cannot be used still gets a whole report. Raises RubricError when checks and rubric disagree.
    `keep` is given the digests of the student's files and returns results that need not be found again, by item id.
    """
    name = submission.resolve().name.removesuffix(".zip")
    with tempfile.TemporaryDirectory(prefix="staged-") as folder:
        code = Path(folder)
        try:
            staged = staging.stage(submission, rubric.files, code)
        except staging.SubmissionError as error:
            return rejected(name, rubric, confinement, str(error), on_item)
        results = keep(receipt.of_submission(code, set(rubric.files) - set(staged.missing)))
        if any(item.id not in results for item in rubric.items()):
            with ForkServer(code, confinement) as server:
                results = run_checks(rubric, full_rubric, server, on_item, results)
    notes = list(staged.notes)
    if staged.missing:
        notes.append(f"missing files, counted as not attempted: {', '.join(staged.missing)}")
    return report.build(name, rubric, results, confinement.describe(), notes)


def run_checks(rubric: Rubric, full_rubric: Rubric, server: ForkServer, on_item, kept: dict = {}) -> dict[str, ItemResult]:
    """The results by item id: those that are `kept`, and those of all other items, which are run."""
    # Imported only now, while the fork server imports PyTorch on the other core.
    import pytest

    from autograder.plugin import GradingPlugin

    plugin = GradingPlugin(rubric, full_rubric, server, on_item)
    plugin.results.update(kept)
    folders = [CHECKS / "public"]
    if any(item.visibility == "hidden" for item in rubric.items()):
        folders.append(CHECKS / "hidden")
    # Nothing of the surroundings may reach the run: no plugins, no options, no configuration but ours.
    options = ["-c", str(CHECKS / "pytest.ini"), "--rootdir", str(CHECKS), "--import-mode=importlib", "--capture=no"]
    options += ["-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:warnings", "-p", "no:faulthandler"]
    options += ["-p", "no:unraisableexception"]  # it would replace the hook of interrupts.py
    while missing := [item for item in rubric.items() if item.id not in plugin.results]:
        with quiet_environment(), one_thread():
            code = pytest.main([*options, *map(str, folders)], plugins=[Named(plugin)])
        if code == pytest.ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        interrupts.raise_dropped()
        if plugin.problems:
            raise RubricError(plugin.problems[0])
        if stopped_at := [item for item in missing if item.id not in plugin.results]:
            plugin.give_up(stopped_at[0], f"pytest ended with {code!r}")  # and go on with those after it
    return plugin.results


class Named:
    """Registers the grading plugin under the name that the checks' fixtures look for."""

    def __init__(self, plugin):
        self.plugin = plugin

    def pytest_configure(self, config) -> None:
        config.pluginmanager.register(self.plugin, "grading")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Our own computations on one thread: a sum in another order has other last digits."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def quiet_environment() -> Iterator[None]:
    """pytest without what the user's shell would add to it, and libraries that are loaded now on one thread, too."""
    changed = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    changed |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the values a student returned; they cost nothing
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def rejected(name: str, rubric: Rubric, confinement, reason: str, on_item) -> Report:
    """The report of a submission that was refused before any of it ran."""
    message = f"Expected: a submission that can be graded\nCame:     {reason}"
    results = same_for_all(rubric, "failed", message, "Submit again.")
    for result in results.values():
        on_item(result)
    return report.build(name, rubric, results, confinement.describe(), [f"rejected before running: {reason}"])


def faulted(name: str, rubric: Rubric, confinement, error: Exception) -> Report:
    """The report where the grader itself failed: no points are lost, and it says so."""
    message = f"The grader failed ({type(error).__name__}: {error}). No points are lost by it; it must be graded again."
    results = same_for_all(rubric, "grader_fault", message)
    return report.build(name, rubric, results, confinement.describe(), [message])


def same_for_all(rubric: Rubric, verdict: str, message: str, hint: str = "") -> dict[str, ItemResult]:
    message = report.clean(message)
    return {
        item.id: ItemResult(
            item.id, item.title, item.visibility, verdict, item.points if verdict == "grader_fault" else 0.0,
            item.points, message, hint,
        )
        for item in rubric.items()
    }  # fmt: skip
