"""The red team: submissions that attack the grader or carry a fault, one function an attack.

Each is the reference with something added, so that whatever credit it loses, it loses by what it does. The row is that
of the project's threat list (docs/security.md); `check(report)` says what must have happened.
"""
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

from autograder.report import ItemResult, Report

PROJECT = Path(__file__).resolve().parent.parent
FILES = ("warmup.py", "augmentations.py", "vicreg.py", "training.py", "evaluation.py")
WRONG = "\n\ndef variance_loss(z, gamma=1.0, eps=1e-4):\n    return z.sum() * 0 + 7.0\n"


@dataclasses.dataclass
class Attack:
    name: str
    row: int
    prepare: Callable[[Path], None]  # changes a folder that holds the reference
    check: Callable[[Report], None]


ATTACKS: list[Attack] = []


def attack(row: int, check: Callable[[Report], None]):
    def register(prepare):
        ATTACKS.append(Attack(prepare.__name__.replace("_", "-"), row, prepare, check))
        return prepare

    return register


def build(attack: Attack, folder: Path) -> Path:
    """The attack's submission folder."""
    target = folder / attack.name
    target.mkdir(parents=True)
    for name in FILES:
        shutil.copy(PROJECT / "solutions" / name, target / name)
    attack.prepare(target)
    return target


def append(folder: Path, text: str, file: str = "vicreg.py") -> None:
    with open(folder / file, "a", encoding="utf-8") as handle:
        handle.write("\n\n" + text)


# -- what must have happened ----------------------------------------------------------------------------------------


def items(report: Report, task: str) -> list[ItemResult]:
    return next(each for each in report.tasks if each.id == task).items


def lost(verdict: str, *words: str):
    """Some vicreg item has this verdict and says each of `words`; none of the attacked ones has points; warmup is whole."""

    def check(report: Report) -> None:
        hit = [item for item in items(report, "vicreg") if item.verdict == verdict]
        assert hit, [(item.id, item.verdict) for item in report.items()]
        assert all(item.points == 0 for item in report.items() if item.verdict != "passed")
        for word in words:
            assert any(word.lower() in item.message.lower() for item in hit), (word, [item.message for item in hit])
        whole(report, "warmup")

    return check


def no_credit(report: Report) -> None:
    """The wrong variance_loss of this attack earned nothing: it fails as it does without the attack."""
    failed = [item for item in items(report, "vicreg") if item.verdict in ("failed", "crashed")]
    assert any("variance" in item.id for item in failed), [(item.id, item.verdict) for item in report.items()]
    whole(report, "warmup")


def full_marks(report: Report) -> None:
    assert report.total == report.max_total, [(i.id, i.verdict, i.message) for i in report.items() if i.verdict != "passed"]


def whole(report: Report, task: str) -> None:
    assert all(item.verdict == "passed" for item in items(report, task)), items(report, task)


def note(*words: str, then=full_marks):
    def check(report: Report) -> None:
        for word in words:
            assert any(word in each for each in report.notes), report.notes
        then(report)

    return check


def only_task_lost(task: str, verdict: str, *words: str):
    """Everything in `task` has this verdict, with these words in each message; the other tasks are whole."""

    def check(report: Report) -> None:
        for item in items(report, task):
            assert item.verdict in (verdict, "blocked"), (item.id, item.verdict, item.message)
            if item.verdict == verdict:
                assert all(word in item.message for word in words), item.message
        whole(report, "warmup" if task != "warmup" else "vicreg")

    return check


# -- attacks --------------------------------------------------------------------------------------------------------


@attack(1, only_task_lost("vicreg", "crashed", "exit status 0"))
def exits_on_import(folder):
    append(folder, "import os\nos._exit(0)\n")


@attack(2, lost("crashed", "SystemExit"))
def sys_exit_in_a_function(folder):
    append(folder, "import sys\ndef variance_loss(z, gamma=1.0, eps=1e-4):\n    sys.exit(0)\n")


@attack(3, lost("crashed", "exit status 0"))
def forges_a_results_file(folder):
    append(
        folder,
        """
import json, os
def variance_loss(z, gamma=1.0, eps=1e-4):
    for place in (".", "/tmp", "/code", "..", "/", os.path.dirname(__file__)):
        for name in ("report.json", "results.json", "report.html"):
            try:
                with open(os.path.join(place, name), "w") as file:
                    json.dump({"total": 100, "max_total": 100, "forged": True}, file)
            except OSError:
                pass
    os._exit(0)
""",
    )


# Every item of an endless function waits for its time limit, and warmup has few items.
@attack(4, only_task_lost("warmup", "crashed", "time limit"))
def loops_and_swallows_everything(folder):
    append(
        folder,
        """
def normalize(images):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
""",
        "warmup.py",
    )


@attack(5, only_task_lost("warmup", "crashed", "time limit"))
def long_call_that_ignores_signals(folder):
    append(
        folder,
        """
import signal
def normalize(images):
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    big = torch.ones(3000, 3000, dtype=torch.float64)
    for _ in range(1000):
        big = big @ big
    return big.sum()
""",
        "warmup.py",
    )


@attack(6, lost("crashed", "memory"))
def memory_bomb_of_tensors(folder):
    append(folder, "def variance_loss(z, gamma=1.0, eps=1e-4):\n    return torch.ones(10**12).sum()\n")


@attack(6, lost("crashed", "memory"))
def memory_bomb_of_lists(folder):
    append(
        folder,
        """
def variance_loss(z, gamma=1.0, eps=1e-4):
    kept = []
    while True:
        kept.append(bytes(8) * 1000000)
""",
    )


@attack(10, no_credit)
def patches_comparisons(folder):
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


@attack(12, note("conftest.py", then=no_credit))
def ships_pytest_files(folder):
    append(folder, WRONG)
    hook = "import pytest\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
    hook += "    out = yield\n    out.get_result().outcome = 'passed'\n"
    for name in ("conftest.py", "pytest_plugin.py"):
        (folder / name).write_text(hook)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-k nothing'\n")


@attack(13, note("numpy.py", "altered", "provided/models.py"))
def ships_shadow_modules(folder):
    for name in ("sitecustomize.py", "usercustomize.py", "numpy.py", "torch.py", "json.py"):
        (folder / name).write_text("raise SystemExit('a shadow module was imported')\n")
    (folder / "provided").mkdir()
    (folder / "provided" / "models.py").write_text("raise SystemExit('an altered given module was imported')\n")


@attack(14, no_credit)
def walks_frames_and_garbage(folder):
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


@attack(15, no_credit)
def reads_the_reference(folder):
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


@attack(15, no_credit)
def reads_other_submissions(folder):
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


@attack(18, lost("failed", "NaN"))
def returns_nan(folder):
    append(folder, "def variance_loss(z, gamma=1.0, eps=1e-4):\n    return z.sum() * float('nan')\n")


@attack(18, lost("failed", "infinity"))
def returns_infinity(folder):
    append(folder, "def variance_loss(z, gamma=1.0, eps=1e-4):\n    return (z * 0).sum() + float('inf')\n")


@attack(20, no_credit)
def returns_a_malicious_pickle(folder):
    append(
        folder,
        """
import os
class Bomb:
    def __reduce__(self): return (os.system, ("touch /tmp/unpickled",))
def variance_loss(z, gamma=1.0, eps=1e-4):
    return Bomb()
""",
    )


@attack(21, no_credit)
def answers_the_pipe_itself(folder):
    append(
        folder,
        """
import json, os, socket, stat, struct
def frame(value):
    header = json.dumps(value).encode()
    empty = b"{}" + b" " * 6
    body = struct.pack(">I", len(header)) + header + struct.pack("<Q", len(empty)) + empty
    return struct.pack(">Q", len(body)) + body
def variance_loss(z, gamma=1.0, eps=1e-4):
    forged = frame({"dict": [["value", True], ["verdict", "passed"], ["points", 100]]})
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                os.write(fd, forged * 3 + b"\\xff" * 64)
        except OSError:
            pass
    return z.sum() * 0 + 7.0
""",
    )


@attack(23, only_task_lost("vicreg", "crashed", "assignment/vicreg.py", "SyntaxError"))
def is_not_utf8(folder):
    with open(folder / "vicreg.py", "ab") as file:
        file.write('\nname = "caf\xe9"\n'.encode("latin-1"))


@attack(23, only_task_lost("vicreg", "crashed", "assignment/vicreg.py", "SyntaxError"))
def has_a_syntax_error(folder):
    append(folder, "def broken(:\n    pass\n")


@attack(23, full_marks)
def has_a_bom_and_crlf(folder):
    for name in FILES:
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode("utf-8"))


@attack(24, note("missing files", "vicreg.py", then=only_task_lost("vicreg", "not_attempted")))
def misses_a_file(folder):
    (folder / "vicreg.py").unlink()


@attack(24, lost("failed", "variance_loss(z: torch.Tensor, gamma: float=1.0, eps: float=0.0001)", "variance_los"))
def renames_a_function(folder):
    append(folder, "variance_los = varianse_loss = variance_loss\ndel variance_loss\n")


@attack(25, lost("failed", "shape ()", "shape (1,)"))
def returns_the_wrong_shape(folder):
    append(folder, "right = variance_loss\ndef variance_loss(z, gamma=1.0, eps=1e-4):\n    return right(z, gamma, eps)[None]\n")


@attack(25, lost("failed", "carries a gradient"))
def loses_the_gradient(folder):
    append(folder, "right = variance_loss\ndef variance_loss(z, gamma=1.0, eps=1e-4):\n    return right(z.detach(), gamma, eps)\n")


def only_settings_lost(report: Report) -> None:
    """The item on side effects may fail; nothing else may."""
    others = [item for item in report.items() if item.verdict != "passed"]
    assert len(others) <= 1 and report.total >= report.max_total - 2, [(i.id, i.verdict, i.message) for i in others]


@attack(30, only_settings_lost)
def changes_global_settings(folder):
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


def untouched(report: Report) -> None:
    assert report.total == 0
    assert all(item.verdict in ("not_attempted", "blocked") for item in report.items()), report.items()
    assert all(len(item.message.splitlines()) == 1 for item in report.items())


@attack(33, untouched)
def leaves_the_stubs(folder):
    for name in FILES:
        shutil.copy(PROJECT / "assignment" / name, folder / name)
