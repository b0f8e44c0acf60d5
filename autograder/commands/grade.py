"""`python -m autograder grade`: submissions with all checks, for instructors and CI."""
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from autograder import grading, lock, receipt, report, reuse, rubric, sandbox
from autograder.commands import (
    EXIT_FAULT, EXIT_OK, UsageError, Wanted, add_command, add_grading_options, add_writing_option, write,
)  # fmt: skip
from autograder.rubric import RubricError
from autograder.sandbox import SandboxError
from autograder.sinks import console as terminal
from autograder.sinks import formats, json, lms_csv

EXAMPLES = """
examples:
  python -m autograder grade submissions/*.zip --out graded
  python -m autograder grade alice/ --out graded --task vicreg --task training
  python -m autograder grade alice.zip --out graded --require-sandbox --json
  python -m autograder grade submissions/*.zip --out graded --write junit --write gradescope
  python -m autograder grade alice.zip --out graded --write markdown="$GITHUB_STEP_SUMMARY"

A submission is a folder or zip that is, or holds, the student's assignment/ folder. Each gets OUT/<its name>/report.json
and report.html, and a file for each --write (docs/sinks.md); OUT/scores.csv has a row for each report in OUT. The same command
again goes on after an interrupt: a report is kept where nothing that it rests on has changed (docs/reproducibility.md),
verdicts of a time or memory limit included.
Where something has changed, what it touches is graded again, and what that changed is listed at the end.

exit codes: 0 graded (whatever the points), 2 wrong usage, rubric or sandbox, or another grading holds OUT,
            3 graded, but the grader itself failed on some item, 130 interrupted
"""
ALWAYS = (Wanted("json"), Wanted("html"))
SCORES = "scores.csv"


def register(commands) -> None:
    grade = add_command(commands, "grade", "grade submissions with all checks", EXAMPLES)
    add_grading_options(grade)
    grade.add_argument("submissions", nargs="+", metavar="SUBMISSION", type=Path, help="a folder or a zip file")
    grade.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the reports go")
    grade.add_argument("--task", action="append", default=[], dest="tasks", help="only this task (may be repeated)")
    grade.add_argument("--require-sandbox", action="store_true", help="refuse to run code that is not fully confined")
    grade.add_argument("--fresh", action="store_true", help="grade everything again, whatever is stored in OUT")
    grade.add_argument("--wait", action="store_true", help="wait while another grading writes into OUT")
    add_writing_option(grade, "OUT/<submission>/")
    grade.set_defaults(run=run)


def run(options, console: Console) -> int:
    full = rubric.load(options.rubric)
    part = full.only(options.tasks)
    confinement = sandbox.choose(options.sandbox, options.require_sandbox)
    names = output_names(options.submissions)
    if options.out.exists() and not options.out.is_dir():
        raise UsageError(f"{options.out} is a file; --out names a folder")
    if len(names) > 1 and (named := [each for each in options.written if each.path]):
        raise UsageError(f"{named[0].path} cannot hold {len(names)} reports: use --write {named[0].format} without a file")
    session = Session(options.out, part, full, confinement, options.fresh, console, options.written)
    with locked(options.out, options.wait, session.say):
        try:
            console.print(f"Sandbox: {confinement.describe()}", markup=False, soft_wrap=True)
            for number, (path, name) in enumerate(names.items(), start=1):
                console.rule(Text(f"{number} of {len(names)}: {terminal.name(name)}"), align="left")
                session.grade(path, name)
                if session.is_broken(name):
                    session.say(f"The grader fails on its own reference, too: stopped after {number} of {len(names)} submissions.")
                    break
        finally:
            session.save_scores()
    if options.json:
        print(json.dumps([each.as_dict() for each in session.reports.values()]), end="")
    else:
        console.print(terminal.scoreboard(list(session.reports.values())))
    session.tell_changes()
    session.say(f"Reports: {options.out}/<submission>/report.html and report.json; all points: {options.out}/scores.csv")
    return closing_code(list(session.reports.values()))


def output_names(submissions: list[Path]) -> dict[Path, str]:
    """A folder name for each submission. Raises UsageError for one that is not there or that clashes, also with our files."""
    names: dict[Path, str] = {}
    for path in submissions:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
        name = path.resolve().name.removesuffix(".zip").strip(". ") or "submission"
        if name.casefold() in (SCORES, lock.FILE):  # some systems take capitals for the same
            raise UsageError(f"{path} would be reported as {name!r}, which is a file of ours in --out: rename it")
        if name in names.values():
            raise UsageError(f"two submissions would both be reported as {name!r}: rename one of them")
        names[path] = name
    return names


@contextlib.contextmanager
def locked(out: Path, wait: bool, say) -> Iterator[None]:
    """Alone in OUT, without what a killed grading left there, and with all temporary files in one place.

    Raises UsageError where somebody else grades into it, or where it cannot be made.
    """
    try:
        with lock.held(out, wait, say) as scratch:
            remove_temporary(out)
            tempfile.tempdir = str(scratch)
            try:
                yield
            finally:
                tempfile.tempdir = None
    except lock.Unwritable as error:
        raise UsageError(f"{error}; name another folder with --out") from None
    except lock.Held as held:
        raise UsageError(f"{held}; wait for it with --wait, or name another folder with --out") from None


def remove_temporary(out: Path) -> None:
    """What a killed grading may leave in OUT."""
    for pattern in (f".{SCORES}.*", *(f"*/.{sink.FILE}.*" for sink in formats().values())):
        for path in out.glob(pattern):
            path.unlink()


class Session:
    """One run of the command: what all its submissions share, and what came out."""

    def __init__(self, out: Path, part, full, confinement, fresh: bool, console: Console, written: list[Wanted]):
        self.out, self.part, self.full, self.confinement = out, part, full, confinement
        self.fresh, self.console, self.written = fresh, console, [*ALWAYS, *written]
        self.receipt = receipt.of_grading(part, full, confinement)
        self.reports: dict[str, report.Report] = {}  # by the name of their folder
        self.changes: dict[str, list[reuse.Change]] = {}  # by submission, for those that were graded again
        self.failed_by_reference: set[str] | None = None  # items at which the grader fails whoever is graded

    def say(self, text: str) -> None:
        self.console.print(terminal.harmless(text), markup=False, soft_wrap=True)

    def grade(self, path: Path, name: str) -> None:
        """Grade one submission, or keep what is stored of it, and write its reports."""
        stored = self.stored(name)
        files, plan = {}, None

        def keep(found: dict[str, str]) -> dict:
            nonlocal plan
            files.update(found)
            plan = self.plan(stored, files)
            return plan.kept

        result = self.grade_one(path, keep)
        result.submission = report.clean(name)
        result.receipt = receipt.complete(result, self.receipt, files)
        for note in result.notes:
            self.say(f"  │ Note: {note}")
        if plan is None:  # refused, or the grader failed: a note says so
            plan = reuse.Plan({}, {task.id: result.notes[-1:] for task in self.part.tasks})
        if stored is not None:
            changes = reuse.changes(stored, result, plan.reasons)
            if changes or len(plan.kept) < len(result.items()):
                self.changes[result.submission] = changes
        save(result, self.out / name, self.written)
        self.reports[name] = result

    def stored(self, name: str) -> report.Report | None:
        """The report of an earlier run, if it is there and whole."""
        try:
            return reuse.load(self.out / name / "report.json")
        except reuse.Unusable as reason:
            self.say(f"The stored report {reason}; graded again.")
            return None

    def plan(self, stored: report.Report | None, files: dict[str, str]) -> reuse.Plan:
        """What is kept of the stored report; says so."""
        if stored is None:
            return reuse.Plan({}, {})
        plan = reuse.plan(stored, {**self.receipt, "submission": files}, self.part, self.full)
        if self.fresh:
            return reuse.Plan({}, {task: reasons or ["graded again by --fresh"] for task, reasons in plan.reasons.items()})
        again = [task for task, reasons in plan.reasons.items() if reasons]
        if not again:
            applied = stored.receipt["rubric"] != self.receipt["rubric"]
            self.say("unchanged since the last grading; verdict kept" + applied * ", with the rubric's new points and words")
        elif plan.kept:
            why = dict.fromkeys(reason for task in again for reason in plan.reasons[task])
            self.say(f"graded again: {', '.join(again)} ({'; '.join(why)}); the rest is kept")
        else:
            self.say(f"graded again: {'; '.join(plan.reasons[again[0]])}")
        if dropped := [task.id for task in stored.tasks if task.id not in plan.reasons]:
            self.say(f"not asked for now, so no longer in the report: {', '.join(dropped)}")
        return plan

    def grade_one(self, path: Path, keep) -> report.Report:
        """A failure of the grader itself costs this report's items nothing and ends nothing else."""
        try:
            return grading.grade(
                path, self.part, self.full, self.confinement, lambda item: terminal.item_line(self.console, item), keep
            )
        except (RubricError, SandboxError):
            raise
        except Exception as error:
            self.say(report.clean(f"The grader failed on {path}: {type(error).__name__}: {error}").replace("\n", " "))
            return grading.faulted(path.name, self.part, self.confinement, error)

    def is_broken(self, name: str) -> bool:
        """Whether the grader failed on this submission, at an item that its own reference does not pass either.

        Then it would fail on everybody. A fault that only one submission brings about must not stop the others' grading.
        """
        faults = {item.id for item in self.reports[name].items() if item.verdict == "grader_fault"}
        if faults and self.failed_by_reference is None:
            self.say("The grader failed; trying it on the reference ...")
            own = grading.grade(receipt.PROJECT / "solutions", self.part, self.full, self.confinement)
            self.failed_by_reference = {item.id for item in own.items() if item.verdict != "passed"}
        return bool(faults) and bool(faults & self.failed_by_reference)

    def save_scores(self) -> None:
        """scores.csv, of all reports in the folder."""
        found = []
        for path in sorted(self.out.glob("*/report.json")):
            try:
                found.append(self.reports.get(path.parent.name) or reuse.load(path))
            except reuse.Unusable as reason:
                self.say(f"{path.parent.name} is not in scores.csv: its report {reason}.")
        if found:
            order = [task.id for task in self.full.tasks]
            report.write_atomically(self.out / SCORES, lms_csv.render(found, order))

    def tell_changes(self) -> None:
        """Who gained and who lost points against the stored reports, and why."""
        if not self.changes:
            return
        self.say("Changes since the last grading:")
        for name, found in self.changes.items():
            if found:
                self.say(f"  {name}: {reuse.gain(found):+g} points")
            for change in found:
                self.say(f"    {change.describe()}")
        gains = [reuse.gain(found) for found in self.changes.values()]
        gained, lost = sum(each > 0 for each in gains), sum(each < 0 for each in gains)
        self.say(f"  {gained} gained points, {lost} lost points, {len(gains) - gained - lost} have the same.")


def save(result, folder: Path, written: Sequence[Wanted] = ALWAYS) -> None:
    """Write what is not there as it should be: a kept report stays as it is."""
    for each in written:
        path, text = each.file(folder), each.render(result)
        if not path.is_file() or path.read_bytes() != text.encode():
            write(path, text)


def closing_code(reports: list) -> int:
    faults = sum(each.count("grader_fault") for each in reports)
    if not faults:
        return EXIT_OK
    print(f"autograder: {faults} items could not be judged; mend the grader and grade these again", file=sys.stderr)
    return EXIT_FAULT
