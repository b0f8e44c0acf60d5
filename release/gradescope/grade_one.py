"""Grades the one submission that Gradescope has laid out, and tells supervise.py what comes out, line by line.

    python grade_one.py /autograder 5       5 is the descriptor that lines of JSON go to
    python grade_one.py --check             only what setup.sh asks: that all can be loaded, and how student code is confined
"""
import contextlib
import json
import os
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
sys.path.insert(0, str(SOURCE))

from rich.console import Console  # noqa: E402

from autograder import grading, interrupts, rubric, sandbox, staging  # noqa: E402
from autograder.report import ItemResult, Report  # noqa: E402
from autograder.rubric import Rubric, RubricError  # noqa: E402
from autograder.sinks import console as terminal  # noqa: E402

USERS = (os.environ.get("AUTOGRADER_USER", "student"), "nobody")  # whom student code may run as, the first that works


def main(root: Path, told: int) -> int:
    """Grade what lies in root/submission. Raises RubricError where checks and rubric disagree."""
    os.umask(0o022)  # student code must be able to read what is put together for it
    interrupts.install()
    settings = json.loads((SOURCE / "gradescope.json").read_text(encoding="utf-8"))
    full = rubric.load()
    part = full.only(settings["tasks"])

    def tell(**data) -> None:
        os.write(told, json.dumps(data).encode() + b"\n")

    try:
        confinement, notes = strongest()
    except sandbox.SandboxError as error:
        tell(refused=str(error))
        return 2
    log = Console(width=120, highlight=False)
    say("\n".join([f"Sandbox: {confinement.describe()}", *notes, ""]))

    def done(item: ItemResult) -> None:
        tell(item=vars(item))
        with log.capture() as line:
            terminal.item_line(log, item)
        say(line.get())

    tell(tasks=skeleton(part), sandbox=confinement.describe())
    report = grade(root / "submission", part, full, confinement, done)
    report.notes += notes
    tell(report=report.as_dict())
    return 0


def say(text: str) -> None:
    """For the instructor. A log that cannot be written to must not cost a student anything."""
    with contextlib.suppress(OSError):
        os.write(1, text.encode())


def grade(folder: Path, part: Rubric, full: Rubric, confinement, done) -> Report:
    """A failure of the grader itself costs no points, as in `python -m autograder grade`."""
    submission, note = find_submission(folder, full.files)
    try:
        report = grading.grade(submission, part, full, confinement, done)
    except RubricError:
        raise
    except Exception as error:
        report = grading.faulted("submission", part, confinement, error)
    report.submission, report.notes = "submission", [*note, *report.notes]
    return report


def strongest() -> tuple[sandbox.Confinement, list[str]]:
    """The strongest confinement that works here, with another user for student code.

    Raises SandboxError where student code would run as root, except in a trial.
    """
    for user in USERS:
        try:
            return sandbox.choose(user=user), []
        except sandbox.SandboxError:
            continue
    if os.geteuid() == 0 and "AUTOGRADER_TRIAL" not in os.environ:
        raise sandbox.SandboxError(f"student code would run as root, for it can be run neither as {' nor as '.join(USERS)}")
    return sandbox.choose(), ["student code ran as the same user as the grader: no other one could be used"]


def find_submission(folder: Path, files: tuple[str, ...]) -> tuple[Path, list[str]]:
    """The submission: the folder itself, or the one zip file in it where it holds none of the student's files."""
    try:
        names = {path.name for path in staging.read_folder(folder).files}
    except staging.SubmissionError:
        return folder, []  # to be refused, with the reason
    zips = [path for path in folder.glob("*.zip") if path.is_file() and not path.is_symlink()]
    if names & set(files) or len(zips) != 1:
        return folder, []
    return zips[0], [f"graded what is in {' '.join(zips[0].name.split())}"]


def skeleton(part: Rubric) -> list[dict]:
    """All that is to be graded, as tasks with items."""
    return [
        {"id": task.id, "title": title(task), "bonus": task.bonus, "items": [*map(entry, task.items)]} for task in part.tasks
    ]


def title(task: rubric.Task) -> str:
    return f"Task {task.number}: {task.title}{' (bonus)' if task.bonus else ''}"


def entry(item: rubric.Item) -> dict:
    return {"id": item.id, "title": item.title, "visibility": item.visibility, "max_points": item.points}


def check() -> int:
    """Load what grading loads, and say how student code will be confined."""
    import pytest  # noqa: F401

    from autograder import plugin  # noqa: F401

    try:
        print(f"{len(rubric.load().items())} items. Sandbox: {strongest()[0].describe()}")
    except sandbox.SandboxError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["--check"] else main(Path(sys.argv[1]), int(sys.argv[2])))
