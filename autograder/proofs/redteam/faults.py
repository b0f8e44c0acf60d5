"""Honest faults: they cost what they must and nothing else; and right solutions of other kinds, which cost nothing."""
import shutil

from autograder import rubric
from autograder.misconceptions.mutants import override_source
from autograder.proofs.redteam import PROJECT, append, attack
from autograder.proofs.redteam.outcomes import full_marks, items, lost, must, note, only_task_lost, seen

NAMES = rubric.load().files


@attack(18, lost("failed", "NaN"))
def returns_nan(folder):
    """returns NaN"""
    append(folder, "def variance_loss(z, gamma=1.0, eps=1e-4):\n    return z.sum() * float('nan')\n")


@attack(18, lost("failed", "infinity"))
def returns_infinity(folder):
    """returns infinity"""
    append(folder, "def variance_loss(z, gamma=1.0, eps=1e-4):\n    return (z * 0).sum() + float('inf')\n")


def only_side_effects_lost(report) -> None:
    """The grader's own copies are untouched: only the item on side effects fails, and names the function."""
    must([each[:2] for each in seen(report)] == [("vicreg.side_effects", "failed")], seen(report))


@attack(19, only_side_effects_lost)
def changes_its_inputs_in_place(folder):
    """overwrites its inputs after it has used them"""
    append(
        folder,
        """
_right = covariance_loss
def covariance_loss(z):
    value = _right(z)
    if not z.requires_grad:
        z.zero_()
    return value
""",
    )


@attack(23, only_task_lost("vicreg", "crashed", "assignment/vicreg.py", "SyntaxError"))
def is_not_utf8(folder):
    """is written in Latin-1"""
    with open(folder / "vicreg.py", "ab") as file:
        file.write('\nname = "caf\xe9"\n'.encode("latin-1"))


@attack(23, only_task_lost("vicreg", "crashed", "assignment/vicreg.py", "SyntaxError"))
def has_a_syntax_error(folder):
    """has a syntax error"""
    append(folder, "def broken(:\n    pass\n")


@attack(23, full_marks)
def has_a_bom_and_crlf(folder):
    """begins with a byte order mark, and ends its lines as Windows does"""
    for name in NAMES:
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode("utf-8"))


@attack(24, note("missing files", "vicreg.py", then=only_task_lost("vicreg", "not_attempted")))
def misses_a_file(folder):
    """lacks a file"""
    (folder / "vicreg.py").unlink()


@attack(24, lost("failed", "variance_loss(z: torch.Tensor, gamma: float=1.0, eps: float=0.0001)", "variance_los"))
def renames_a_function(folder):
    """has a function under another name"""
    append(folder, "variance_los = varianse_loss = variance_loss\ndel variance_loss\n")


@attack(25, lost("failed", "shape ()", "shape (1,)"))
def returns_the_wrong_shape(folder):
    """returns a tensor of one entry instead of a number"""
    append(folder, "right = variance_loss\ndef variance_loss(z, gamma=1.0, eps=1e-4):\n    return right(z, gamma, eps)[None]\n")


LOSS = "right = variance_loss\ndef variance_loss(z, gamma=1.0, eps=1e-4):\n"


@attack(25, lost("failed", "variance_loss of float32 embeddings of dtype float32", "dtype float16"))
def returns_the_wrong_dtype(folder):
    """returns half the precision"""
    append(folder, f"{LOSS}    return right(z, gamma, eps).half()\n")


@attack(25, lost("failed", "dtype int64"))
def returns_integers(folder):
    """returns an integer"""
    append(folder, f"{LOSS}    return right(z, gamma, eps).long()\n")


@attack(25, lost("failed", "a plain tensor", "on the device meta"))
def returns_from_another_device(folder):
    """returns a tensor on a device that holds no values"""
    append(folder, f"{LOSS}    return right(z, gamma, eps).to('meta')\n")


@attack(25, lost("failed", "to carry a gradient"))
def loses_the_gradient(folder):
    """detaches its input"""
    append(folder, "right = variance_loss\ndef variance_loss(z, gamma=1.0, eps=1e-4):\n    return right(z.detach(), gamma, eps)\n")


def only_settings_lost(report) -> None:
    """The item on side effects may fail; nothing else may."""
    others = [item for item in report.items() if item.verdict != "passed"]
    must(len(others) <= 1 and report.total >= report.max_total - 2, seen(report))


# Deterministic mode makes PyTorch import its compiler, which takes 2 s on an idle machine.
@attack(30, only_settings_lost, limits={"call_seconds": 20})
def changes_global_settings(folder):
    """changes seeds, default dtype, number of threads and deterministic mode"""
    append(
        folder,
        """
import random
_right = invariance_loss
def invariance_loss(z_a, z_b):
    value = _right(z_a, z_b)
    torch.manual_seed(0); random.seed(0)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    return value
""",
    )


@attack(31, full_marks)
def prints_warnings(folder):
    """warns and prints in every call"""
    append(
        folder,
        """
import warnings
_quiet = variance_loss
def variance_loss(z, gamma=1.0, eps=1e-4):
    warnings.warn("this is only a warning")
    print("hello", flush=True)
    return _quiet(z, gamma, eps)
""",
    )


def variant(folder, target: str, name: str) -> None:
    """Put one of the right solutions of autograder/proofs/variants into the submission."""
    from autograder.proofs.variants import variants

    (entry,) = [each for each in variants(target) if each.name == name]
    append(folder, override_source(entry), f"{entry.task_module}.py")


@attack(32, full_marks, tasks=("laplacian", "representations"), limits={"call_seconds": 30, "memory_mib": 2048})
def turns_eigenvectors(folder):
    """has eigenvectors turned inside their eigenspaces, and components of opposite sign"""
    variant(folder, "laplacian.laplacian_eigenmaps", "random walk matrix with np.linalg.eig, sorted, rotated inside eigenspaces")
    variant(folder, "evaluation.project_2d", "PCA by the covariance matrix, whitened and of opposite sign, float64 array")


@attack(32, full_marks, tasks=("neighbors", "retrieval"), limits={"call_seconds": 30, "memory_mib": 2048})
def orders_ties_otherwise(folder):
    """breaks ties in the order of its own search, and gives other dtypes"""
    variant(folder, "neighbors.mine_neighbors", "cdist at once, int32")
    append(
        folder,
        """
_right = retrieve
def retrieve(representations, queries, k=5, farthest=False):
    x = torch.as_tensor(representations).flip(0)  # ties now come in the opposite order
    return len(x) - 1 - _right(x, len(x) - 1 - torch.as_tensor(queries), k, farthest)
""",
        "evaluation.py",
    )


def untouched(report) -> None:
    must(report.total == 0, seen(report))
    must(all(item.verdict in ("not_attempted", "blocked") for item in report.items()), seen(report))
    must(all(len(item.message.splitlines()) == 1 for item in report.items()), seen(report))
    must(items(report, "warmup")[0].verdict == "not_attempted", seen(report))


@attack(33, untouched)
def leaves_the_stubs(folder):
    """hands in the untouched stubs"""
    for name in NAMES:
        shutil.copy(PROJECT / "assignment" / name, folder / name)
