"""A worker's replies may hold anything: they may cost the submission an item, and never earn one or stop the grader."""
import builtins
import struct

import pytest
import torch

from autograder import diagnosis, expect, grading, messages, replay, rubric, sandbox
from autograder.proofs import redteam
from autograder.student import Call, NotAttempted, Student, StudentError, error_class
from autograder.worker import networks, wire

CALL = Call("call", "vicreg.variance_loss", (), {})
EXCEPTIONS = [name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)]


class Forged:
    """A channel that answers everything with the same reply."""

    def __init__(self, reply: dict):
        self.reply = reply

    def request(self, message, seconds=None):
        return self.reply


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_builtin_exception_can_be_raised_again(name):
    bases = [base.__name__ for base in getattr(builtins, name).__mro__]
    assert isinstance(error_class(tuple(bases))({"bases": bases, "message": "told"}, CALL), StudentError)


def test_decoding_errors_are_still_value_errors():
    assert issubclass(error_class(("UnicodeDecodeError", "UnicodeError", "ValueError")), ValueError)


@pytest.mark.parametrize("key", ["bases", "frames", "near"])
def test_errors_of_odd_form_are_student_errors(key):
    with pytest.raises(StudentError):
        Student(Forged({"error": {key: 5}})).vicreg.variance_loss(torch.ones(2, 2))


@pytest.mark.parametrize(
    "code, wanted", [('raise NotImplementedError("TODO")', NotAttempted), ("return -torch.ones(2).bool()", StudentError)]
)
def test_only_what_is_raised_by_hand_is_not_attempted(code, wanted):
    error = {"bases": ["NotImplementedError", "RuntimeError"], "message": "m", "frames": [{"code": code}]}
    with pytest.raises(wanted):
        Student(Forged({"error": error})).vicreg.variance_loss(torch.ones(2, 2))


def test_settings_of_odd_form_are_none():
    student = Student(Forged({"value": 1, "changed_settings": 5}))
    assert student.vicreg.variance_loss(torch.ones(2, 2)) == 1 and not student.changed_settings


def test_a_forged_function_name_is_no_path():
    for name in ("\0.x", "/etc/passwd.x", str(messages.RELEASED.parent / "solutions" / "vicreg") + ".variance_loss"):
        assert messages.released_arguments(name) is None


def test_a_long_header_is_refused_before_it_is_read():
    header = b"[" + b"{}," * (wire.MAX_HEADER // 3) + b"{}]"
    with pytest.raises(wire.WireError, match="header"):
        wire.unpack(struct.pack(">I", len(header)) + header)


def test_complex_nan_equals_nothing():
    with pytest.raises(expect.Mismatch, match="real"):
        expect.close(torch.tensor(complex("nan")), torch.tensor(3.0), rtol=1e-3, atol=1e-3)


def sparse(shape, indices=((), ()), values=()):
    return wire.Sparse("forged", shape, torch.tensor(indices, dtype=torch.int64), torch.tensor(values))


def test_a_sparse_matrix_of_a_claimed_size_is_not_written_out():
    huge = sparse((2**31, 2**31))
    with pytest.raises(expect.Mismatch, match="shape"):
        expect.matrix(huge, (5, 5), what="knn_graph(x, 2)")
    with pytest.raises(expect.Mismatch, match="a sparse matrix"):
        expect.tensor(huge, (5, 5))
    with pytest.raises(ValueError, match="too large"):
        diagnosis._number(huge)


def test_sparse_and_dense_matrices_are_the_same_to_a_check():
    eye = sparse((2, 2), ((0, 1), (0, 1)), (1.0, 1.0))
    for value in (eye, torch.eye(2), torch.eye(2).numpy()):
        assert torch.equal(expect.matrix(value, (2, 2)).double(), torch.eye(2, dtype=torch.float64))
    for wrong, told in ((None, "return"), ([[1.0]], "list"), (wire.Unsupported("x.Graph"), "x.Graph"), (torch.ones(2), "shape")):
        with pytest.raises(expect.Mismatch, match=told):
            expect.matrix(wrong, (2, 2))
    for odd, told in ((complex(1, 0), "real"), (float("nan"), "NaN")):
        with pytest.raises(expect.Mismatch, match=told):
            expect.matrix(sparse((2, 2), ((0,), (1,)), (odd,)), (2, 2))


def test_a_loss_without_slope_cannot_be_trained_on():
    student = Student(Forged({"value": [torch.zeros(4, 4), torch.zeros(4, 4)]}))
    views = torch.randn(2, 4, 3, 1, 1)
    with pytest.raises(expect.Mismatch, match="depend on the embeddings"):
        replay.gradients(student, *networks.pair(features=3, dim=4, seed=0), *views)


def graded(tmp_path, text: str, task: str, file: str = "vicreg.py"):
    folder = redteam.build(redteam.Attack("hostile", 21, "", lambda each: redteam.append(each, text, file), None), tmp_path)
    full = rubric.load()
    report = grading.grade(folder, full.only([task]), full, sandbox.choose())
    return {item.id: item for item in report.items()}


WRONG_TWICE = """
def variance_loss(z, gamma=1.0, eps=1e-4):
    if z.shape == (6, 4):  # a shape that diagnosis asks for
        b"\\xff".decode()
    return z.sum() * 0 + 7.0
"""


@pytest.mark.parametrize("breaks", ["nothing", "explain", "diagnosis"])
def test_a_verdict_stands_whatever_becomes_of_its_explanation(tmp_path, monkeypatch, breaks):
    def broken(*_):
        raise ZeroDivisionError

    if breaks == "explain":
        monkeypatch.setattr(messages, "explain", broken)
    elif breaks == "diagnosis":
        monkeypatch.setattr(diagnosis, "diagnose", broken)
    items = graded(tmp_path, WRONG_TWICE, "vicreg")
    assert items["vicreg.variance_value"].verdict == "failed" and items["vicreg.invariance_value"].verdict == "passed"
    assert not any(item.verdict == "grader_fault" for item in items.values())


@pytest.mark.slow
def test_a_function_that_a_scenario_misses_is_named(tmp_path):
    items = graded(tmp_path, "train_one_step = train_step\ndel train_step\n", "training", "training.py")
    item = items["training.step_terms"]
    assert item.verdict == "failed" and "train_step(encoder" in item.message and "train_one_step" in item.message
