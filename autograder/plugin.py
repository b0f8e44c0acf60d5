"""The pytest plugin that turns checks into verdicts: order, prerequisites, a fresh worker each, and what each outcome means."""
import collections
import dataclasses
import importlib.util
import re
import time
from collections.abc import Callable, Iterator

import pytest

from autograder import interrupts, messages
from autograder.expect import Mismatch
from autograder.forkserver import Crash, ForkServer, ServerGone, Worker
from autograder.report import COMES_OF, CONVENTION, MISTAKE, ItemResult, clean
from autograder.rubric import Item, Rubric, RubricError, match_checks
from autograder.student import NotAttempted, Student, StudentError, reference
from autograder.tasks import task_of


class GraderFault(Exception):
    """The grader could not judge: never the student's loss."""


class Spent:
    """What a student talks to when there is no time left: the first call ends the check.

    In the fixture itself pytest takes a Crash, which is no Exception, for its own end, and fails all later checks.
    """

    def __init__(self, message: str):
        self.message = message

    def request(self, message: dict) -> dict:
        raise Crash("timeout", self.message)


class GradingPlugin:
    """One run of the checks over one submission. Registered in pytest under the name "grading"."""

    def __init__(self, rubric: Rubric, full_rubric: Rubric, server: ForkServer, on_item: Callable[[ItemResult], None]):
        self.rubric, self.full_rubric, self.server, self.on_item = rubric, full_rubric, server, on_item
        self.deadline = time.monotonic() + rubric.limits["submission_seconds"]
        self.items = {item.id: item for item in rubric.items()}
        self.results: dict[str, ItemResult] = {}
        self.problems: list[str] = []  # why the checks cannot be run at all
        self.asked: dict = {}  # what the diagnosis knows of this submission, by function
        self.cache: dict = {}  # what checks of one submission share, such as one training run
        self.left: collections.Counter = collections.Counter()  # how many of an item's parameters are still to run
        self.started: dict[str, float] = {}
        self.students: dict[str, Student] = {}
        self.workers: dict[str, Worker] = {}

    # -- collection -------------------------------------------------------------------------------------------------

    def pytest_collectreport(self, report) -> None:
        if report.failed:
            self.problems.append(f"{report.nodeid}: {str(report.longrepr).strip().splitlines()[-1]}")

    def pytest_collection_modifyitems(self, items: list) -> None:
        """Hold the checks against the rubric, and put them into its order; run none where they disagree."""
        try:
            self.match(items)
        except RubricError as error:
            self.problems.append(str(error))
        if self.problems:
            items.clear()
            return
        order = {name: position for position, name in enumerate(self.items)}
        items[:] = sorted((each for each in items if id_of(each) in order), key=lambda each: order[id_of(each)])
        self.left = collections.Counter(id_of(each) for each in items)

    def match(self, items: list) -> None:
        names = {id_of(each) for each in items}
        visible = {item.visibility for item in self.rubric.items()}
        match_checks(self.full_rubric if len(visible) != 1 else self.full_rubric.only(visibility=visible.pop()), names)

    # -- running ----------------------------------------------------------------------------------------------------

    def pytest_runtest_protocol(self, item, nextitem) -> bool | None:
        """Do not run what builds on something that did not pass, nor the rest of an item that is already decided."""
        interrupts.raise_dropped()
        entry = self.items[id_of(item)]
        self.left[entry.id] -= 1
        if entry.id in self.results:
            return skip(item, nextitem)
        blocker = self.blocker(entry)
        # Where the requirement was only left out, the item is run: it may be a stub itself, which is "not attempted".
        if blocker is None or blocker.verdict == "not_attempted":
            self.started.setdefault(entry.id, time.monotonic())
            return None
        self.finish(self.blocked(entry, blocker))
        return skip(item, nextitem)

    def in_order(self) -> list[ItemResult]:
        """The results until now in the rubric's order, whichever of them were kept from an earlier grading."""
        return [self.results[name] for name in self.items if name in self.results]

    def blocker(self, entry: Item) -> ItemResult | None:
        """A requirement that has not passed, among those that were run; one that was attempted before one that was not."""
        unmet = [
            result
            for name in entry.requires
            for result in self.in_order()
            if result.verdict != "passed" and name in (result.id, self.full_rubric.task_of(result.id).id)
        ]
        return min(unmet, key=lambda result: result.verdict == "not_attempted", default=None)

    def suspect(self, entry: Item) -> ItemResult | None:
        """Something that this item's code may build on, and that has failed itself."""
        failed = (result for result in self.in_order() if result.verdict in ("failed", "crashed"))
        named = (each for each in failed if set(entry.uses) & {each.id, self.full_rubric.task_of(each.id).id})
        return next(named, None)

    def blocked(self, entry: Item, blocker: ItemResult) -> ItemResult:
        message = f"Not run: it builds on “{blocker.title}”, which has not passed yet."
        return self.new_result(entry, "blocked", message)

    def provide_student(self, node) -> Iterator[Student]:
        """A student in a fresh worker, for the `student` fixture."""
        entry = self.items[id_of(node)]
        left = self.deadline - time.monotonic()
        if left <= 0:
            seconds = self.rubric.limits["submission_seconds"]
            yield Student(Spent(f"the time limit of the whole submission ({seconds:g} s) was used up before this item"))
            return
        worker = self.spawn(entry, left)
        self.workers[entry.id] = worker
        student = self.students[entry.id] = Student(worker, f"{self.rubric.version}/{entry.id}")
        yield student
        worker.close()

    def spawn(self, entry: Item, left: float) -> Worker:
        limits = self.rubric.worker_limits(entry)
        limits = dataclasses.replace(limits, seconds=min(limits.seconds, left))
        libraries = self.full_rubric.task_of(entry.id).libraries
        try:
            return self.server.spawn(limits, libraries)
        except ServerGone:
            self.server.restart()  # an earlier item may have brought it down; that is no reason to lose this one
        try:
            return self.server.spawn(limits, libraries)
        except ServerGone as error:
            raise GraderFault(f"the sandbox could not start: {error}") from error

    # -- verdicts ---------------------------------------------------------------------------------------------------

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        yield
        entry = self.items[id_of(item)]
        if call.when == "call" or (call.excinfo is not None and call.when == "setup"):
            error = call.excinfo.value if call.excinfo else None
            if not isinstance(error, (KeyboardInterrupt, pytest.exit.Exception)):
                self.pending = self.judge(entry, error, item)
        if call.when == "teardown" and hasattr(self, "pending"):
            result = self.pending
            del self.pending
            if result.verdict != "passed" or self.left[entry.id] == 0:
                self.finish(result)

    def judge(self, entry: Item, error: BaseException | None, node) -> ItemResult:
        """The verdict that an item's outcome stands for."""
        error = unwrap(error)
        blocker = self.blocker(entry)
        if blocker is not None and error is not None and not isinstance(error, NotAttempted):
            return self.blocked(entry, blocker)
        if error is None:
            return self.new_result(entry, "passed")
        if isinstance(error, NotAttempted):
            return self.unwritten(entry, error)
        if isinstance(error, StudentError):
            crashed = error.kind in ("exception", "memory")
            return self.explained(entry, "crashed" if crashed else "failed", error, node)
        if isinstance(error, Crash):
            return self.explained(entry, "crashed", error, node)
        if isinstance(error, (AssertionError, pytest.fail.Exception)):
            return self.explained(entry, "failed", error, node)
        return self.arbitrate(entry, error, node)

    def unwritten(self, entry: Item, error: NotAttempted) -> ItemResult:
        """A stub was reached: one of this task, or one of another task, which this one's code calls."""
        found = re.fullmatch(r"TODO (\w+): (\w+)", str(error)) if error.called else None
        task = found and next((each for each in self.full_rubric.tasks if each.id == found[1]), None)
        if task is None or task is self.full_rubric.task_of(entry.id) or not messages.is_released(found[2]):
            return self.new_result(entry, "not_attempted", messages.unwritten(entry, error))
        message = f"Not run to its end: it calls {found[2]} of Task {task.number}, which is still to be written."
        return self.new_result(entry, "blocked", message)

    def arbitrate(self, entry: Item, error: BaseException, node) -> ItemResult:
        """A check broke. If it holds for the reference, the student's values broke it; otherwise it is our fault."""
        if not isinstance(error, GraderFault) and self.reference_passes(node):
            odd = Mismatch("a result that the check can work with", f"one on which it stopped ({type(error).__name__})", False)
            return self.explained(entry, "failed", odd, node)
        return self.faulted(entry, f"{type(error).__name__}: {error}")

    def faulted(self, entry: Item, reason: str) -> ItemResult:
        message = f"The grader could not judge this item ({reason}). No points are lost by it."
        return self.new_result(entry, "grader_fault", message)

    def give_up(self, entry: Item, reason: str) -> None:
        """An item at which the run itself broke down."""
        self.finish(self.faulted(entry, reason))

    def reference_passes(self, node) -> bool:
        if importlib.util.find_spec("solutions") is None:
            return True  # a student's own copy, where no points are at stake
        try:
            trusted = reference(node.name)
            arguments = {name: node.funcargs[name] for name in node._fixtureinfo.argnames}
            node.obj(**{**arguments, "student": trusted})
        except Exception:
            return False
        return True

    def explained(self, entry: Item, verdict: str, error: BaseException, node) -> ItemResult:
        student, worker = self.students.get(entry.id), self.workers.get(entry.id)
        call = student.calls[-1][0] if student and student.calls else None
        printed = clean(worker.printed(), messages.MAX_PRINTED) if worker else ""  # before diagnosis makes calls of its own
        try:
            check = f"{node.originalname} in autograder/checks/public/{node.path.name}"
            message = messages.explain(entry, error, call, printed, self.rubric.limits["memory_mib"], check)
        except Exception:  # a forged reply may hold anything; it may spoil the words, never the verdict
            message = "Expected: the check to hold\nCame:     something that cannot be shown"
        known = self.diagnose(student, error) if student is not None else ()
        message += "".join(f"\n{told(each)}" for each in known)
        suspect = self.suspect(entry)
        if suspect is not None and not any(self.is_of(each, entry) for each in known):
            verdict = "blocked"
            message = f"It builds on “{suspect.title}”, which has not passed either: look there first.\n{message}"
        result = self.new_result(entry, verdict, message)
        result.misconception = " + ".join(each.name for each in known) or None
        if result.hint and known and not self.calls_one_of(known, student):
            functions = " and ".join(dict.fromkeys(each.target.partition(".")[2] for each in known))
            result.hint = f"Mend {functions} first: what this item looks at is built on it."
        return result

    def calls_one_of(self, known: tuple, student: Student) -> bool:
        """Whether the check calls a function itself that a known mistake lies in; otherwise the item's hint is about another one."""
        from autograder.diagnosis import target_of

        return not {target_of(call) for call, _ in student.calls}.isdisjoint(each.target for each in known)

    def is_of(self, mistake, entry: Item) -> bool:
        """Whether a known mistake lies in the task of this item."""
        return task_of(mistake.target) == self.full_rubric.task_of(entry.id).id

    def diagnose(self, student: Student, error: BaseException) -> tuple:
        """The known mistakes behind a failure, where the mistakes are at hand (students do not have them)."""
        if not student.calls or isinstance(error, Crash):
            return ()
        try:
            from autograder import diagnosis

            return diagnosis.diagnose(student, diagnosis.target_of(student.calls[-1][0]), list(student.calls), self.asked)
        except (Crash, Exception):  # the student's code runs once more here: whatever it does, the verdict stands
            return ()

    def new_result(self, entry: Item, verdict: str, message: str = "") -> ItemResult:
        earned = entry.points if verdict in ("passed", "grader_fault") else 0.0
        hint = "" if verdict in ("passed", "blocked", "not_attempted", "grader_fault") else entry.hint
        seconds = round(time.monotonic() - self.started[entry.id], 3) if entry.id in self.started else 0.0
        text = clean(self.server.neutral(message))
        return ItemResult(entry.id, entry.title, entry.visibility, verdict, earned, entry.points, text, hint, None, seconds)

    def finish(self, result: ItemResult) -> None:
        self.results[result.id] = result
        for kept in (self.students, self.workers):  # with all values that came; they are looked at no more
            kept.pop(result.id, None)
        self.on_item(result)


def skip(item, nextitem) -> bool:
    """Leave an item out, but still tear down what only it and those before it needed."""
    item.session._setupstate.teardown_exact(nextitem)
    return True


def id_of(node) -> str:
    marker = node.get_closest_marker("item")
    if marker is None or not marker.args:
        raise RubricError(f'the check {node.nodeid} has no @pytest.mark.item("<id>")')
    return marker.args[0]


def told(entry) -> str:
    """What a student reads about a known mistake."""
    kind = CONVENTION if entry.convention else MISTAKE
    return f"{COMES_OF} {kind} in {entry.target.partition('.')[2]}, “{entry.name}”: {entry.told}"


def unwrap(error: BaseException | None) -> BaseException | None:
    """Hypothesis reports a check that fails only sometimes as a group; the first failure inside is what happened."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error
