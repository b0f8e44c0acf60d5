"""Grades a whole class through nbgrader, student by student: what is damaged is repaired, and nobody's fault stops it."""

import contextlib
import dataclasses
import json
import logging
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGrader, NbGraderAPI
from nbgrader.coursedir import CourseDirectory

from autograder import rubric, sandbox
from autograder.report import Report, clean

from . import course as courses
from . import repair
from .preprocessors import GRADED
from .rebuild import rebuild

EXIT_OK, EXIT_FAULT = 0, 3


@dataclasses.dataclass
class Outcome:
    """What became of one student's submission."""

    student: str
    repaired: list[str]
    problem: str = ""  # empty: scored
    points: float = 0.0
    most: float = 0.0
    faults: int = 0  # items that the grader could not judge
    by_hand: int = 0  # answers that wait for somebody to read them
    late: float = 0.0  # seconds
    before: float | None = None  # points by checks of the grading before


class Class:
    """One assignment of a course, as nbgrader's configuration describes it.

    Raises CourseError where it is not there, RubricError, and SandboxError where the sandbox that is asked for is missing.
    """

    def __init__(self, course: Path, assignment: str):
        courses.check_name(assignment)
        if not (course / courses.CONFIG).is_file():
            raise courses.CourseError(f"{course} is no course: write one with `python -m release nbgrader {course}`")
        self.assignment, self.course = assignment, course.resolve()
        config = configuration(self.course)
        with silence():
            self.api = NbGraderAPI(config=config)
        self.api.log.setLevel(logging.ERROR)  # what it says is read by `autograde`, and shown nowhere else
        self.api.log.handlers.clear()
        self.api.log.propagate = False
        self.places: CourseDirectory = self.api.coursedir
        self.released = self.folder("release", ".")
        self.tasks = courses.graded_tasks(self.released)
        self.check()
        chosen = config.GradeSubmission
        sandbox.choose(chosen.get("sandbox", "auto"), chosen.get("require_sandbox", False))  # or nobody could be graded

    def check(self) -> None:
        """Before anything is graded: course, rubric and gradebook must know the same assignment. Raises CourseError."""
        full = rubric.load()
        part = courses.asked_part(full, self.tasks, self.assignment)
        questions = courses.everywhere(self.released, courses.answer_cells)
        courses.check_questions(part, full, questions, self.assignment)
        with self.gradebook() as book:
            try:
                book.find_assignment(self.assignment)
            except MissingEntry:
                told = f"run `nbgrader generate_assignment {self.assignment} --force` in {self.course}"
                raise courses.CourseError(f"the gradebook does not know {self.assignment}: {told}") from None

    def gradebook(self) -> Gradebook:
        return Gradebook(self.places.db_url, self.places.course_id)

    def folder(self, kind: str, student: str) -> Path:
        return Path(self.places.format_path(getattr(self.places, f"{kind}_directory"), student, self.assignment))

    def students(self) -> list[str]:
        """Those who have submitted."""
        return sorted(path.parent.name for path in self.folder("submitted", "x").parent.parent.glob(f"*/{self.assignment}"))

    # ---- one student ------------------------------------------------------------------------------------------------

    def grade(self, student: str) -> Outcome:
        """Repair and grade one submission. Whatever goes wrong is told in the outcome."""
        outcome = Outcome(student, [])
        try:
            outcome.before = self.scored(student)
            outcome.repaired += repair.repair(self.folder("submitted", student), self.released, self.aside(student))
            failed = self.autograde(student)
            if failed:
                failed = self.autograde_blank(student, failed, outcome)
            outcome.problem = failed or self.stale(student)
            self.read(outcome)
        except courses.CourseError as error:
            outcome.problem = str(error)
        except Exception as error:  # of one submission, or of the system beneath; the others are still to be graded
            outcome.problem = clean(f"{type(error).__name__}: {error}", 300).replace("\n", " ")
        if outcome.problem:
            self.take_back(outcome)
        return outcome

    def aside(self, student: str) -> Path:
        return self.course / repair.ASIDE / self.assignment / student

    def autograde(self, student: str) -> str:
        """Grade through nbgrader; the reason where that failed. Raises KeyboardInterrupt, which nbgrader swallows."""
        done = self.api.autograde(self.assignment, student, force=True, create=True)
        if done["success"]:
            return ""
        told = (done.get("log", "") + done.get("error", "")).splitlines()
        if any(line.startswith("KeyboardInterrupt") for line in told):
            raise KeyboardInterrupt
        lines = [line for line in told if ": " in line and "Error" in line]
        return clean(lines[-1].strip() if lines else "nbgrader failed without a reason", 300)

    def autograde_blank(self, student: str, failed: str, outcome: Outcome) -> str:
        """The last resort: blank notebooks, so that at least the files are graded; if that helps nothing, all is as before.

        Blank are those alone that cannot be rebuilt; where all can, the reason lies elsewhere, and all are tried blank.
        """
        submission = self.folder("submitted", student)
        names = [path.name for path in sorted(self.released.glob("*.ipynb"))]
        names = [name for name in names if not can_rebuild(submission / name, self.released / name)] or names
        before = {name: (submission / name).read_bytes() for name in names}
        for name in names:
            (submission / name).write_bytes((self.released / name).read_bytes())
        try:
            if self.autograde(student):
                raise courses.CourseError(failed)
        except BaseException:
            for name, data in before.items():
                (submission / name).write_bytes(data)
            raise
        for name, data in before.items():
            kept = repair.keep_aside(name, data, self.aside(student))
            outcome.repaired.append(f"{name} could not be graded ({failed}): a blank copy was put in its place, the original is {kept}")
        return ""

    def stale(self, student: str) -> str:
        """Why the scores in the gradebook are not those of the submission, if so: nbgrader keeps old ones after a failure."""
        submitted, autograded = self.folder("submitted", student), self.folder("autograded", student)
        files = [repair.TIMESTAMP, *(f"assignment/{name}" for name in rubric.load().files)]
        for name in files:
            mine, graded = ((folder / name).read_bytes() if (folder / name).is_file() else None for folder in (submitted, autograded))
            if mine != graded:
                return f"stale: {name} of the graded copy is not the submitted one"
        report = self.report(student)
        with self.gradebook() as book:
            noted = self.auto_scores(book, student)
        for task in report.tasks:
            if noted.get(task.id) is None or abs(noted[task.id] - task.points) > 1e-6:
                return f"stale: the gradebook has {noted.get(task.id)} points for {task.id}, the grader gives {task.points:g}"
        return ""

    def report(self, student: str) -> Report:
        path = self.course / GRADED / self.assignment / student / "report.json"
        return Report.from_dict(json.loads(path.read_text(encoding="utf-8")))

    def auto_scores(self, book: Gradebook, student: str) -> dict[str, float | None]:
        found = book.find_submission(self.assignment, student).notebooks
        return {grade.name: grade.auto_score for notebook in found for grade in notebook.grades if grade.name in self.tasks}

    def scored(self, student: str) -> float | None:
        """The points by checks in the gradebook; None before the first grading."""
        with self.gradebook() as book:
            try:
                scores = self.auto_scores(book, student).values()
            except MissingEntry:
                return None
        return sum(scores) if scores and None not in scores else None

    def take_back(self, outcome: Outcome) -> None:
        """Remove the points by checks of an earlier grading, which nbgrader keeps after a failure: they may be of other files."""
        try:
            with self.gradebook() as book, contextlib.suppress(MissingEntry):
                for notebook in book.find_submission(self.assignment, outcome.student).notebooks:
                    for grade in notebook.grades:
                        if grade.name in self.tasks:
                            grade.auto_score, grade.needs_manual_grade = None, True
                book.db.commit()
        except Exception as error:  # of the system beneath, as a full disk; the others are still to be graded
            outcome.before = None
            outcome.problem += clean(f"; the gradebook may still have earlier points: {type(error).__name__}: {error}", 300)

    def read(self, outcome: Outcome) -> None:
        """What the gradebook says of the submission now."""
        with self.gradebook() as book:
            try:
                submission = book.find_submission(self.assignment, outcome.student)
            except MissingEntry:
                return
            grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
            outcome.points = sum(grade.auto_score or 0 for grade in grades if grade.name in self.tasks)
            outcome.by_hand = sum(bool(grade.needs_manual_grade) for grade in grades)
            outcome.late = submission.total_seconds_late
        outcome.most = sum(self.tasks.values())
        if not outcome.problem:
            outcome.faults = self.report(outcome.student).count("grader_fault")


def can_rebuild(path: Path, released: Path) -> bool:
    """Whether a submitted notebook can be put together anew, as our preprocessor does."""
    try:
        rebuild(nbformat.read(path, as_version=4), nbformat.read(released, as_version=4))
        return True
    except Exception:  # what is in a submission can raise nearly anything
        return False


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Without nbgrader's complaint about an exchange that only collecting needs."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def configuration(course: Path):
    """What nbgrader itself would read, started in the course's folder."""
    app = NbGrader()
    app.log.setLevel(logging.ERROR)
    with contextlib.chdir(course):
        app.load_config_file()
    return app.config


def run(course: Path, assignment: str, students: Iterable[str] = (), dry_run: bool = False) -> int:
    """The command: grade everybody who has submitted, or those named. Raises as `Class` does."""
    group = Class(course, assignment)
    known, chosen = group.students(), list(students)
    if unknown := [name for name in chosen if name not in known]:
        raise courses.CourseError(f"{unknown[0]} has submitted nothing for {assignment}")
    if not known:
        raise courses.CourseError(f"nobody has submitted {assignment}: run `nbgrader collect {assignment}` in {group.course} first")
    todo = chosen or known
    if dry_run:
        print("\n".join(todo))
        return EXIT_OK
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries, about notebooks: what matters is told below
        outcomes = [grade_aloud(group, student, f"[{number}/{len(todo)}]") for number, student in enumerate(todo, start=1)]
    return summarize(outcomes, len(known))


def grade_aloud(group: Class, student: str, place: str) -> Outcome:
    """Grade one student and print what came out."""
    begin = time.monotonic()
    show_progress(f"{place} {student} ...")
    outcome = group.grade(student)
    show_progress("")
    print(f"{place} {line(outcome)}  {time.monotonic() - begin:.1f} s", flush=True)
    for note in outcome.repaired:
        print(f"    repaired: {note}", flush=True)
    return outcome


def show_progress(text: str) -> None:
    """Who is being graded, on a terminal alone; a log has the finished lines."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def line(outcome: Outcome) -> str:
    """One student's result in words."""
    if outcome.problem:
        lost = "" if outcome.before is None else f"; the {outcome.before:g} points of an earlier grading were taken back"
        return f"{outcome.student}: NOT SCORED ({outcome.problem}{lost})"
    parts = [f"{outcome.student}: {outcome.points:g} of {outcome.most:g} points by checks"]
    if outcome.before is not None and outcome.before != outcome.points:
        parts.append(f"before {outcome.before:g}")
    if outcome.late > 0:
        parts.append(f"{duration(outcome.late)} late")
    if outcome.by_hand:
        parts.append(f"{outcome.by_hand} to grade by hand")
    if outcome.faults:
        parts.append(f"{outcome.faults} items that the grader could not judge")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """In the largest unit that leaves a number of at least one.

    >>> duration(7200), duration(90), duration(200_000)
    ('2 h', '2 min', '2.3 d')
    """
    units = ((86400, "d"), (3600, "h"), (60, "min"))
    size, unit = next((each for each in units if seconds >= each[0]), (1, "s"))
    return f"{seconds / size:.{1 if unit == 'd' else 0}f} {unit}"


def summarize(outcomes: list[Outcome], known: int) -> int:
    """What whoever started it needs to know at the end; returns the exit code."""
    failed = [each.student for each in outcomes if each.problem]
    repaired = [each.student for each in outcomes if each.repaired]
    faulty = [each.student for each in outcomes if each.faults]
    changed = [each for each in outcomes if not each.problem and each.before not in (None, each.points)]
    late = [each.student for each in outcomes if each.late > 0]
    print(f"\n{len(outcomes) - len(failed)} of {len(outcomes)} submissions scored ({known} submitted)")
    for what, names in (
        ("repaired", repaired),
        ("late (see AssignLatePenalties in nbgrader for penalties)", late),
        ("other points than before", [f"{each.student} ({each.before:g} → {each.points:g})" for each in changed]),
        ("the grader could not judge some items; look at their feedback", faulty),
        ("NOT SCORED", failed),
    ):
        if names:
            print(f"  {what}: {len(names)}: {', '.join(names)}")
    waiting = sum(each.by_hand for each in outcomes)
    if waiting:
        print(f"  {waiting} answers wait to be graded by hand in formgrader")
    return EXIT_FAULT if failed or faulty else EXIT_OK
