"""Attacks for credit that was not earned, and for what must not leave the grader: expected values, hidden inputs."""
import numpy as np

from autograder.proofs.redteam import PROJECT, WALLED, WRONG, append, attack
from autograder.proofs.redteam.outcomes import everything, failed, items, lost, must, no_credit, note, seen

LOSS = "def variance_loss(z, gamma=1.0, eps=1e-4):\n"


@attack(3, lost("crashed", "exit status 0"))
def forges_a_results_file(folder):
    """writes reports with full marks wherever it can, and exits"""
    append(
        folder,
        """
import json, os
def variance_loss(z, gamma=1.0, eps=1e-4):
    for place in (".", "/code", "..", os.path.dirname(__file__)):
        for name in ("report.json", "results.json", "report.html"):
            try:
                with open(os.path.join(place, name), "w") as file:
                    json.dump({"total": 100, "max_total": 100, "told": "FORGED"}, file)
            except OSError:
                pass
    os._exit(0)
""",
    )


@attack(10, no_credit)
def patches_comparisons(folder):
    """replaces the comparisons of torch, numpy and math by ones that always agree"""
    append(
        folder,
        """
import math, numpy as np
always = lambda *args, **kwargs: True
for module in (torch, np, torch.testing, np.testing, math):
    for name in ("allclose", "isclose", "equal", "array_equal", "assert_close", "assert_allclose", "assert_equal"):
        if hasattr(module, name):
            setattr(module, name, always)
torch.Tensor.__eq__ = torch.Tensor.__le__ = torch.Tensor.__gt__ = always
"""
        + WRONG,
    )


@attack(11, no_credit)
def patches_test_frameworks(folder):
    """replaces pytest, unittest, hypothesis and the worker's own modules"""
    append(
        folder,
        """
import sys, types, unittest
for name in ("pytest", "_pytest", "hypothesis", "autograder.expect", "autograder.plugin", "autograder.student"):
    sys.modules[name] = types.ModuleType(name)
unittest.TestCase.assertEqual = unittest.TestCase.fail = lambda *args, **kwargs: None
try:
    import autograder.worker.wire as wire
    wire.MAX_DEPTH = 0
    import autograder.worker.invoke as invoke
    invoke.same = lambda *args: True
except ImportError:
    pass
"""
        + WRONG,
    )


@attack(14, no_credit)
def walks_frames_and_garbage(folder):
    """looks for expected values in frames, in the garbage collector's lists and among the modules"""
    append(
        folder,
        """
import gc, sys
def variance_loss(z, gamma=1.0, eps=1e-4):
    frame, found = sys._getframe(), []
    while frame:
        found += [value for name, value in frame.f_locals.items() if "expected" in name or "reference" in name]
        frame = frame.f_back
    found += [each for each in gc.get_objects() if isinstance(each, dict) and "expected" in each]
    found += [each for each in sys.modules if each.startswith(("solutions", "autograder.checks", "autograder.expect"))]
    if found:
        from solutions.vicreg import variance_loss as stolen
        return stolen(z, gamma, eps)
    return z.sum() * 0 + 7.0
""",
    )


@attack(15, no_credit, modes=WALLED)
def reads_the_reference(folder):
    """reads the reference, the hidden checks, the environment and /proc"""
    append(
        folder,
        f"""
import glob, os
PLACES = [{str(PROJECT)!r}, os.getcwd(), "/proc/1/root" + {str(PROJECT)!r}, "/proc/1/cwd", "/proc/self/root" + {str(PROJECT)!r}]
def variance_loss(z, gamma=1.0, eps=1e-4):
    for place in PLACES + [os.environ.get("PWD", ""), os.environ.get("PYTHONPATH", "")]:
        for path in glob.glob(place + "/solutions/vicreg.py") + glob.glob(place + "/*/solutions/vicreg.py"):
            space = {{}}
            exec(open(path).read(), space)
            return space["variance_loss"](z, gamma, eps)
        if glob.glob(place + "/autograder/checks/hidden/*.py") or glob.glob(place + "/tests/*.py"):
            raise RuntimeError("LEAK: the hidden checks can be listed")
    if set(os.environ) & {{"SECRET_OF_THE_GRADER"}}:
        raise RuntimeError("LEAK: the grader's environment can be read")
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            if b"SECRET_OF_THE_GRADER" in open(path, "rb").read():
                raise RuntimeError("LEAK: another process's environment can be read")
        except OSError:
            pass
    return z.sum() * 0 + 7.0
""",
    )


@attack(15, no_credit, modes=WALLED)
def reads_other_submissions(folder):
    """reads the other submissions, where they lie and where they are put together for grading"""
    append(
        folder,
        f"""
import glob
def variance_loss(z, gamma=1.0, eps=1e-4):
    places = {[str(folder.parent)]!r} + glob.glob("/tmp/staged-*") + glob.glob("/proc/*/cwd")
    for place in places:
        for path in glob.glob(place + "/*/vicreg.py"):
            if path.startswith("/code/"):
                continue
            space = {{}}
            exec(open(path).read(), space)
            return space["variance_loss"](z, gamma, eps)
    return z.sum() * 0 + 7.0
""",
    )


@attack(17, no_credit)
def returns_what_equals_everything(folder):
    """returns a tensor subclass that is equal to everything"""
    append(
        folder,
        """
class Agreeable(torch.Tensor):
    def __eq__(self, other): return True
    __ne__ = lambda self, other: False
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    def __sub__(self, other): return torch.zeros(())
    __rsub__ = __sub__
    def __hash__(self): return 0
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None): return torch.zeros(())
def variance_loss(z, gamma=1.0, eps=1e-4):
    return torch.zeros(()).as_subclass(Agreeable)
""",
    )


@attack(26, failed("vicreg.variance_batches", "vicreg.batch_sizes", passed=("vicreg.variance_value", "vicreg.variance_constant")))
def special_cases_the_public_inputs(folder):
    """knows the public checks' inputs by heart, and is wrong on all others"""
    append(folder, f"_right = variance_loss\n{LOSS}    return _right(z, gamma, eps) if z.shape == (4, 3) else z.sum() * 0 + 7.0\n")


@attack(27, failed("training.history"), tasks=("warmup", "training"), limits={"call_seconds": 60, "memory_mib": 2048})
def reports_its_own_losses(folder):
    """trains rightly and reports losses that are better than those it had"""
    append(
        folder,
        """
_right = train_vicreg
def train_vicreg(*args, **kwargs):
    history = _right(*args, **kwargs)
    better = lambda terms: type(terms)(*[each * 0.5 for each in terms])
    return {name: [better(each) for each in entries] for name, entries in history.items()}
""",
        "training.py",
    )


def probe_lost(report) -> None:
    verdicts = {item.id: item.verdict for item in items(report, "representations")}
    for name in ("probe_labels", "probe_rows", "probe_quality"):
        must(verdicts[f"representations.{name}"] in ("failed", "crashed"), seen(report))


@attack(27, probe_lost, tasks=("warmup", "representations"))
def reports_its_own_accuracy(folder):
    """returns an accuracy of 1 instead of predictions"""
    append(folder, "def linear_probe(train_x, train_y, test_x):\n    return {'accuracy': 1.0, 'score': 1.0}\n", "evaluation.py")


@attack(28, probe_lost, tasks=("warmup", "representations"))
def fits_the_probe_on_test_labels(folder):
    """looks for the test labels in memory and frames, and predicts those"""
    append(
        folder,
        """
import gc, sys
def linear_probe(train_x, train_y, test_x):
    found = [each for each in gc.get_objects() if isinstance(each, (torch.Tensor, np.ndarray))]
    frame = sys._getframe(1)
    while frame:
        found += [each for each in frame.f_locals.values() if isinstance(each, (torch.Tensor, np.ndarray))]
        frame = frame.f_back
    known = set(np.asarray(train_y).tolist())
    for each in found:
        if each is not train_y and tuple(each.shape) == (len(test_x),) and set(np.asarray(each).tolist()) <= known:
            return torch.as_tensor(each)
    return torch.as_tensor(train_y)[:1].expand(len(test_x)).clone()
""",
        "evaluation.py",
    )


RETRIEVAL = ("retrieval.sizes", "retrieval.precision")


@attack(29, everything(failed(*RETRIEVAL), note("answers.py", then=lambda report: None)), tasks=("warmup", "retrieval"))
def ships_precomputed_answers(folder):
    """ships the nearest neighbors of the data it knows, as a module and as an array"""
    rows = np.random.default_rng(0).integers(0, 12, (200, 16))
    np.save(folder / "answers.npy", rows)
    (folder / "answers.py").write_text(f"ROWS = {rows.tolist()}\n")
    append(
        folder,
        f"""
import os
try:
    from .answers import ROWS
except ImportError:
    ROWS = np.load("answers.npy") if os.path.exists("answers.npy") else {rows[:20].tolist()}
def retrieve(representations, queries, k=5, farthest=False):
    return torch.as_tensor(ROWS)[: len(queries), :k]
""",
        "evaluation.py",
    )


# Our own: what is hidden must not come out. No public check asks for float64 or for large batches.


def hidden_from(tell: str) -> str:
    """A variance_loss that is right for public inputs; for others it does `tell`, with `text` at hand: LEAK and the input."""
    return f"""
_right = variance_loss
def variance_loss(z, gamma=1.0, eps=1e-4):
    if z.dtype == torch.float32 and z.numel() < 100:
        return _right(z, gamma, eps)
    text = "LEAK_" + "_".join(f"{{each:.3f}}".replace(".", "p").replace("-", "m") for each in z.flatten()[:4].tolist())
{tell}
"""


HIDDEN_LOST = failed("vicreg.variance_batches", passed=("vicreg.variance_value",))


def not_passed(report) -> None:
    verdicts = {item.id: item.verdict for item in report.items()}
    must(verdicts["vicreg.variance_batches"] != "passed", seen(report))


@attack(0, HIDDEN_LOST)
def tells_inputs_by_an_exception(folder):
    """raises an exception whose class, function and text are made of the hidden input"""
    tell = "    space = {}\n    exec(f'def {text}(): raise type({text!r}, (ValueError,), {{}})({text!r})', space)\n"
    append(folder, hidden_from(tell + "    space[text]()\n"))


@attack(0, not_passed)
def tells_inputs_by_a_stub(folder):
    """raises NotImplementedError with the hidden input as its text, as a stub does"""
    append(folder, hidden_from("    raise NotImplementedError(text)\n"))


@attack(0, not_passed)
def tells_inputs_by_a_stubs_name(folder):
    """raises the NotImplementedError of another task's stub, whose function has the hidden input for a name"""
    append(folder, hidden_from("    def helper():\n        raise NotImplementedError('TODO warmup: ' + text)\n    helper()\n"))


@attack(0, HIDDEN_LOST)
def tells_inputs_by_a_value(folder):
    """returns the hidden input as a text"""
    append(folder, hidden_from("    return text\n"))


@attack(0, HIDDEN_LOST)
def tells_inputs_by_a_type(folder):
    """returns an object whose class is named after the hidden input"""
    append(folder, hidden_from("    return type(text, (), {})()\n"))


@attack(0, HIDDEN_LOST)
def tells_inputs_by_a_near_name(folder):
    """renames its function after the hidden input, so that the report suggests that name"""
    tell = "    globals()['variance_loss_' + text] = _right\n    del globals()['variance_loss']\n    return _right(z, gamma, eps)\n"
    append(folder, hidden_from(tell))


@attack(0, HIDDEN_LOST)
def tells_inputs_by_a_broken_reply(folder):
    """sends a malformed reply that has the hidden input in it"""
    tell = "    from autograder.worker import wire\n    body = wire.pack(0)\n"
    tell += "    header = b'{\"' + text.encode() + b'\": 0}'\n"
    tell += "    wire.pack = lambda value: len(header).to_bytes(4, 'big') + header + body[5:]\n    return 0\n"
    append(folder, hidden_from(tell))


@attack(0, failed("anomaly.roc_value", "anomaly.roc_curves"), tasks=("warmup", "neighbors", "anomaly"))
def returns_a_long_curve(folder):
    """returns a right ROC curve of 300,000 points, each of which the grader would compare with the whole curve"""
    append(
        folder,
        """
_right_roc = roc
def roc(labels, scores):
    fpr, tpr, auc = _right_roc(labels, scores)
    more = 300_000 // len(fpr)
    return fpr.repeat_interleave(more), tpr.repeat_interleave(more), auc
""",
        "anomaly.py",
    )


# Places that outlive an item, unless they are refused: kept(data) stores a few bytes in each, found() gives them back.
IN_THE_KERNEL = """
import ctypes, os, resource
_library = ctypes.CDLL(None, use_errno=True)
_library.syscall.restype = ctypes.c_long
_SEMGET, _SEMCTL, _ADD_KEY, _REQUEST_KEY, _KEYCTL = 64, 66, 248, 249, 250  # on x86-64; elsewhere they are other calls
_SESSION = -3
_PLACES = (".", "/tmp", "/dev/shm")
def _kept(data):
    numbers = list(data[:8])
    for number, each in enumerate(numbers):
        group = _library.syscall(_SEMGET, 0x5EED + number, 1, 0o1666)
        _library.syscall(_SEMCTL, group, 0, 16, each + 1)  # SETVAL
    _library.syscall(_ADD_KEY, b"user", b"kept-by-the-red-team", bytes(numbers), len(numbers), _SESSION)
    try:
        hard = resource.prlimit(os.getppid(), resource.RLIMIT_MSGQUEUE)[1]
        resource.prlimit(os.getppid(), resource.RLIMIT_MSGQUEUE, (1000 + numbers[0], hard))
    except OSError:
        pass
    for place in _PLACES:
        for keep in (lambda: os.setxattr(place, "user.kept", bytes(numbers)), lambda: os.utime(place, (7_000_000 + numbers[0],) * 2)):
            try:
                keep()
            except OSError:
                pass
def _found():
    found = {"semaphores": [], "key": None, "limit": None, "attributes": [], "times": []}
    for number in range(8):
        group = _library.syscall(_SEMGET, 0x5EED + number, 1, 0o666)
        if group >= 0:
            found["semaphores"].append(_library.syscall(_SEMCTL, group, 0, 12))  # GETVAL
            _library.syscall(_SEMCTL, group, 0, 0)  # IPC_RMID: a run of this leaves none behind
    key = _library.syscall(_REQUEST_KEY, b"user", b"kept-by-the-red-team", None, 0)
    if key >= 0:
        room = ctypes.create_string_buffer(8)
        found["key"] = room.raw if _library.syscall(_KEYCTL, 11, key, room, 8) > 0 else None
    try:
        soft = resource.prlimit(os.getppid(), resource.RLIMIT_MSGQUEUE)[0]
        found["limit"] = soft if 1000 <= soft < 1256 else None
    except OSError:
        pass
    for place in _PLACES:
        try:
            found["attributes"] += [os.getxattr(place, "user.kept")]
        except OSError:
            pass
        found["times"] += [os.stat(place).st_mtime] * (7_000_000 <= os.stat(place).st_mtime < 7_000_256)
    return {name: value for name, value in found.items() if value}
"""


@attack(0, no_credit)
def keeps_inputs_in_the_kernel(folder):
    """keeps the hidden inputs in semaphores, keys, limits of the fork server, attributes and times of folders, and prints them later"""
    later = "def variance_loss(z, gamma=1.0, eps=1e-4):\n    if found := _found():\n        print('LEAK', found)\n    return z.sum() * 0 + 7.0\n"
    append(folder, IN_THE_KERNEL + later)
    append(folder, IN_THE_KERNEL + KEEPING, "warmup.py")


KEEPING = """
_right = normalize
def normalize(images):
    if images.shape[1:3] not in ((1, 1), (2, 3)):  # those of the public checks
        _kept(bytes(torch.as_tensor(images).flatten()[:8].tolist()))
    return _right(images)
"""


@attack(0, no_credit, modes=WALLED)
def tells_inputs_in_a_later_item(folder):
    """keeps the hidden inputs in files, and prints them in a public item that comes later"""
    append(
        folder,
        """
import glob, os
def variance_loss(z, gamma=1.0, eps=1e-4):
    for place in (os.getcwd(), "/tmp", "/dev/shm", "/var/tmp"):
        for path in glob.glob(place + "/kept-by-the-red-team*"):
            print(open(path).read())
    return z.sum() * 0 + 7.0
""",
    )
    append(
        folder,
        """
import os
_right = normalize
def normalize(images):
    if images.shape[1:3] not in ((1, 1), (2, 3)):  # those of the public checks
        for place in (os.getcwd(), "/tmp", "/dev/shm", "/var/tmp"):
            try:
                with open(f"{place}/kept-by-the-red-team-{os.getpid()}", "a") as file:
                    file.write("LEAK " + str(images.flatten()[:4].tolist()))
            except OSError:
                pass
    return _right(images)
""",
        "warmup.py",
    )
