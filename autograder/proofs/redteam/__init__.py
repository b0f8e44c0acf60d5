"""The red team: submissions that attack the grader or carry a fault, and scenarios that strain the grader itself.

An attack is one small function that changes a folder holding the reference, so that whatever credit it loses, it loses
by what it does. Its docstring is the one line that says what it tries:

    @attack(1, lost("crashed", "exit status 0"))
    def exits_in_a_function(folder):
        \"\"\"ends the process in a function\"\"\"
        append(folder, "import os\\ndef variance_loss(z, gamma=1.0, eps=1e-4):\\n    os._exit(0)\\n")

The row is that of the threat list (docs/security.md); 0 stands for an attack of our own. `check(report)`, made by a
function of outcomes.py, says what must have happened. A scenario runs the command line in some way of its own:

    @scenario(36)
    def two_graders_on_one_folder(bench):
        \"\"\"two graders write to one folder at once\"\"\"
        ...
        return "what happened"

run.py builds and grades all of them through `python -m autograder grade`, as anybody would.
"""
import dataclasses
import functools
import importlib
import inspect
import pkgutil
import shutil
from collections.abc import Callable
from pathlib import Path

from autograder import rubric
from autograder.report import Report

PROJECT = Path(__file__).resolve().parents[3]
ROWS = range(1, 39)
EVERYWHERE = ("bubblewrap", "landlock", "none")
WALLED = ("bubblewrap", "landlock")  # what they promise, nothing promises without a wall
SHORT = {"call_seconds": 3, "memory_mib": 512}  # an endless loop costs each of its items the whole limit


class Broken(AssertionError):
    """The grader did not hold: the message says what happened instead."""


@dataclasses.dataclass(frozen=True)
class Attack:
    """A submission. `prepare` changes a folder that holds the reference; what it returns, if anything, is submitted."""

    name: str
    row: int
    tried: str
    prepare: Callable[[Path], Path | None]
    check: Callable[[Report], None]
    tasks: tuple[str, ...] = ("warmup", "vicreg")
    modes: tuple[str, ...] = EVERYWHERE  # the sandboxes under which `check` must hold
    limits: tuple[tuple[str, float], ...] = tuple(SHORT.items())  # of the rubric, changed


@dataclasses.dataclass(frozen=True)
class Scenario:
    """Something that is done to the grader. `play(bench)` says what happened, and raises Broken where it did not hold."""

    name: str
    row: int
    tried: str
    play: Callable
    modes: tuple[str, ...] = EVERYWHERE


_attacks: list[Attack] = []
_scenarios: list[Scenario] = []


def attack(row: int, check: Callable[[Report], None], **options) -> Callable:
    """Register the decorated function as an attack; `options` are fields of Attack."""

    def register(prepare):
        limits = tuple({**SHORT, **options.pop("limits", {})}.items())
        _attacks.append(Attack(named(prepare), row, told(prepare), prepare, check, limits=limits, **options))
        return prepare

    return register


def scenario(row: int, **options) -> Callable:
    """Register the decorated function as a scenario; `options` are fields of Scenario."""

    def register(play):
        _scenarios.append(Scenario(named(play), row, told(play), play, **options))
        return play

    return register


def named(function: Callable) -> str:
    return function.__name__.replace("_", "-")


def told(function: Callable) -> str:
    """The docstring, one line. ValueError where there is none: every attack says what it tries."""
    text = " ".join((inspect.getdoc(function) or "").split())
    if not text:
        raise ValueError(f"the attack {function.__name__} has no docstring that says what it tries")
    return text


@functools.cache
def _load_all() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def attacks() -> list[Attack]:
    """All attacks, by row; our own come last."""
    _load_all()
    return sorted(_attacks, key=lambda each: each.row or len(ROWS) + 1)


def scenarios() -> list[Scenario]:
    _load_all()
    return sorted(_scenarios, key=lambda each: each.row or len(ROWS) + 1)


def build(attack: Attack, folder: Path) -> Path:
    """The attack's submission, in a folder of its own below `folder`: a folder, or the file that it prepared."""
    target = folder / attack.name
    fill(target)
    return attack.prepare(target) or target


def fill(folder: Path) -> Path:
    """A folder with the reference in it: a right submission."""
    folder.mkdir(parents=True)
    for name in rubric.load().files:
        shutil.copy(PROJECT / "solutions" / name, folder / name)
    return folder


def append(folder: Path, text: str, file: str = "vicreg.py") -> None:
    """Put code at the end of one of the student's files."""
    with open(folder / file, "a", encoding="utf-8") as handle:
        handle.write("\n\n" + text)


# A loss that is wrong without any attack: what an attack has to get credit for.
WRONG = "\n\ndef variance_loss(z, gamma=1.0, eps=1e-4):\n    return z.sum() * 0 + 7.0\n"
