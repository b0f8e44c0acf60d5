"""Fixtures of the checks. Under the grader `student` is the submission; under a plain `pytest` it is the reference,
so that authors can write and debug a check without grading anything."""
import hypothesis
import pytest
from hypothesis.internal.conjecture import providers

from autograder.student import reference as new_reference

# The same examples for everyone, always; a failing example is shrunk but never stored.
hypothesis.settings.register_profile(
    "grading",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=20,
    report_multiple_bugs=False,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("grading")
# Hypothesis also tries numbers from the source of whichever of our modules are loaded: other examples after other gradings.
providers._get_local_constants = lambda: providers._local_constants
_SHARED = pytest.StashKey[dict]()


@pytest.fixture
def student(request):
    """The submission under test: `student.vicreg.variance_loss(z)`."""
    grader = request.config.pluginmanager.get_plugin("grading")
    if grader is None:
        yield new_reference(request.node.name)
    else:
        yield from grader.provide_student(request.node)


@pytest.fixture
def shared(request) -> dict:
    """What the checks of one submission have in common, such as one training run."""
    grader = request.config.pluginmanager.get_plugin("grading")
    return request.config.stash.setdefault(_SHARED, {}) if grader is None else grader.cache


@pytest.fixture
def reference(request):
    """The reference solution, in this process (hidden checks only: students do not have it)."""
    return new_reference("reference/" + request.node.name, trusted=True)
