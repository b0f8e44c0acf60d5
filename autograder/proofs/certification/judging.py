"""Puts known mistakes and right variants into the reference, and grades them.

    certify_mistake(entry)   caught, by which items, at whose cost, under which name
    certify_variant(entry)   which items refuse a right solution
    Pair(...).verdict()      what is named where two mistakes meet

Everything runs in this process, without the wall, through the same checks and the same rules of prerequisites as in a
grading. Only those items run whose check reaches the function on the reference: nothing else can change.
"""
import contextlib
import dataclasses
import functools
import hashlib
import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from autograder import diagnosis, misconceptions, rubric
from autograder.misconceptions import Entry, mutants
from autograder.proofs import harness
from autograder.report import write_atomically
from autograder.rubric import Item
from autograder.student import LocalChannel, NotAttempted, Student
from autograder.tasks import task_of

KEPT = mutants.SOLUTIONS.parent / "build" / "certification"


@dataclasses.dataclass
class Outcome:
    """What became of one entry: the verdict of every item that is not passed, and the mistakes named there."""

    target: str
    name: str
    convention: bool = False
    verdicts: dict[str, str] = dataclasses.field(default_factory=dict)
    named: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def failed(self, visibility: str | None = None) -> list[str]:
        """The items that are lost, other than by being blocked."""
        items = full_rubric().items()
        chosen = {item.id for item in items if visibility in (None, item.visibility)}
        return [item for item, verdict in self.verdicts.items() if verdict == "failed" and item in chosen]

    def elsewhere(self) -> list[str]:
        """The items of other tasks that are lost, other than by being blocked."""
        return [item for item in self.failed() if full_rubric().task_of(item).id != task_of(self.target)]

    def caught(self, visibility: str | None = None) -> bool:
        """By an item of this visibility; a convention is told, by the public item that is about conventions."""
        return bool(self.failed(None if self.convention else visibility))

    def rightly_named(self) -> bool:
        return any(names == [self.name] for names in self.named.values())

    def wrongly_named(self) -> list[str]:
        """Other names than its own; a variant has none of its own."""
        return sorted({name for names in self.named.values() for name in names} - {self.name})


@functools.cache
def full_rubric() -> rubric.Rubric:
    return rubric.load()


def certify_mistake(entry: Entry) -> Outcome:
    """Grade the reference with this mistake in it, and name what it can at every item that fails."""
    outcome = Outcome(entry.target, entry.name, entry.convention)
    asked: dict = {}
    for item, error, student in run_items([entry]):
        found = ()
        if student is not None and student.calls:
            found = diagnosis.diagnose(student, diagnosis.target_of(student.calls[-1][0]), student.calls, asked)
            outcome.named[item] = [each.name for each in found]
        outcome.verdicts[item] = verdict_of(full_item(item), error, found, outcome.verdicts)
    return outcome


# Right, and far too slow to train with: grading stops there after two minutes, as the handout says.
TOO_SLOW = {"vicreg.covariance_loss: loops": {"training.no_collapse", "representations.probe_accuracy"}}


def certify_variant(entry: Entry) -> Outcome:
    """Grade the reference with this right variant in it: nothing may be lost, and no mistake be seen in it."""
    left_out = TOO_SLOW.get(f"{entry.target}: {entry.name}", set())
    lost = {item: "failed" for item, _, _ in run_items([entry], left_out)}
    with mutants.package_with(entry) as package, harness.one_thread():
        found = diagnosis.Diagnosis(LocalChannel(package), {}).of(entry.target)
    return Outcome(entry.target, entry.name, verdicts=lost, named={"": [each.name for each in found]})


def run_items(entries: list[Entry], left_out: Iterable[str] = ()) -> Iterator[tuple[str, BaseException | None, Student | None]]:
    """Every item that is not passed, with the error (None: blocked) and the student that made it.

    An item of another task is not run where it uses something that is lost: pass or fail, no points are lost by it there.
    """
    lost: set[str] = set()
    shared: dict = {}
    with mutants.package_with(*entries) as package, harness.one_thread():
        own = {task_of(entry.target) for entry in entries}
        for item in items_reaching({entry.target for entry in entries}):
            if item.id in left_out:
                continue
            blocks = item.requires if full_rubric().task_of(item.id).id in own else (*item.requires, *item.uses)
            if lost & names_of(blocks):
                lost.add(item.id)
                yield item.id, None, None
                continue
            error, student = harness.run_check(check_of(item.id), package, shared)
            if error is not None:
                lost.add(item.id)
                yield item.id, error, student


def verdict_of(item: Item, error: BaseException | None, found: tuple[Entry, ...], lost: Iterable[str]) -> str:
    """As the plugin decides: what builds on something that did not pass is blocked, save for a mistake of its own."""
    if isinstance(error, NotAttempted):
        return "not_attempted"
    own = any(task_of(each.target) == full_rubric().task_of(item.id).id for each in found)
    return "blocked" if error is None or (not own and set(lost) & names_of(item.uses)) else "failed"


def names_of(requirements: Iterable[str]) -> set[str]:
    """The items that are meant by ids of tasks and items."""
    tasks = {task.id: {item.id for item in task.items} for task in full_rubric().tasks}
    return set().union(*(tasks.get(name, {name}) for name in requirements))


def full_item(name: str) -> Item:
    return next(item for item in full_rubric().items() if item.id == name)


@functools.cache
def check_of(item: str) -> harness.Check:
    return next(check for check in harness.checks(full_rubric().task_of(item).id) if check.item == item)


# Two mistakes at once

# Two mistakes that together are a third: (function, the two) -> its name. Which of them was made cannot be seen.
TOGETHER = {
    ("vicreg.invariance_loss", frozenset({"summed over the columns", "not averaged over the batch"})): "sum instead of mean",
    ("vicreg.invariance_loss", frozenset({"norm divided by d", "summed over the columns"})): "norm instead of squared error",
    ("vicreg.vicreg_loss", frozenset({"covariance averaged", "halved variance"})): "branches averaged",
    (
        "vicreg.vicreg_loss",
        frozenset({"weights applied twice, in the terms and in the total", "total without weights"}),
    ): "terms returned weighted",
    ("warmup.normalize", frozenset({"mean not subtracted", "only the mean"})): "not normalized",
    ("warmup.normalize", frozenset({"normalized twice", "mean not subtracted"})): "divided by the variance",
    ("anomaly.inverse_density", frozenset({"squared distances", "sum over the neighbors"})): "sum of squared distances",
    ("anomaly.roc", frozenset({"labels swapped", "tpr before fpr"})): "axes of the area exchanged",
    ("anomaly.roc", frozenset({"axes of the area exchanged", "tpr before fpr"})): "labels swapped",
    ("anomaly.roc", frozenset({"axes of the area exchanged", "labels swapped"})): "tpr before fpr",
    # With the seed of the entry the one draw is column 0.
    ("neighbors.neighbor_views", frozenset({"one draw for the whole batch", "seed set inside"})): "always the nearest",
}


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two mistakes that meet in `top`: one in it and one in a function that it calls, two in such functions, or both in it."""

    top: str
    first: Entry
    second: Entry

    def verdict(self) -> str:
        """What the diagnosis of these functions names: "both", "one", "none", a "third" that they are, or something "wrong"."""
        with mutants.package_with(self.first, self.second) as package, harness.one_thread():
            asked = diagnosis.Diagnosis(LocalChannel(package), {})
            targets = dict.fromkeys((self.top, self.first.target, self.second.target))
            found = {(each.target, each.name) for target in targets for each in asked.of(target)}
        made = {(self.first.target, self.first.name), (self.second.target, self.second.name)}
        if found - made:
            third = TOGETHER.get((self.top, frozenset({self.first.name, self.second.name})))
            return "third" if found == {(self.top, third)} else "wrong"
        return {2: "both", 1: "one", 0: "none"}[len(found)]


def pairs(top: str) -> list[Pair]:
    """The pairs that meet in this function."""
    own = misconceptions.entries(top)
    helpers = [misconceptions.entries(helper) for helper in diagnosis.functions_called(top)]
    found = [(a, b) for entries in helpers for a in own for b in entries]
    found += [both for one, other in itertools.combinations(helpers, 2) for both in itertools.product(one, other)]
    found += diagnosis.pairs_within(top)
    return [Pair(top, *each) for each in found]


# Which items can change?


def items_reaching(targets: set[str]) -> list[Item]:
    """The items, in the rubric's order, whose check calls one of the functions on the reference."""
    reached = functions_reached()
    return [item for item in full_rubric().items() if targets & set(reached[item.id])]


@functools.cache
def functions_reached() -> dict[str, list[str]]:
    """By item: the functions of the reference that run, one calling the other, when its check does.

    This takes a minute, so it is kept until a check or the reference changes.
    """
    digest = hashlib.sha256()
    for path in sorted([*mutants.SOLUTIONS.glob("*.py"), *harness.CHECKS.rglob("*.py")]):
        digest.update(path.read_bytes())
    kept = KEPT / f"reached-{digest.hexdigest()[:16]}.json"
    if not kept.exists():
        found = {item.id: sorted(reached_by(item.id)) for item in full_rubric().items()}
        write_atomically(kept, json.dumps(found))
    return json.loads(kept.read_text(encoding="utf-8"))


def reached_by(item: str) -> set[str]:
    with traced() as reached, harness.one_thread():
        error, _ = harness.run_check(check_of(item), "solutions")
    if error is not None:
        raise RuntimeError(f"the reference fails {item}: {error!r}")
    return reached


@contextlib.contextmanager
def traced() -> Iterator[set[str]]:
    """Collects the functions of solutions/ that are called inside, as "module.function"."""
    reached: set[str] = set()
    folder = str(mutants.SOLUTIONS)

    def note(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(folder):
            reached.add(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield reached
    finally:
        sys.setprofile(before)
