"""`python -m autograder`: `check` for students, `grade` for instructors and CI."""
import argparse
import json
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from autograder import grading, interrupts, report, rubric, sandbox
from autograder.rubric import RubricError
from autograder.sandbox import SandboxError
from autograder.sinks import console as terminal

EXIT_OK, EXIT_OPEN, EXIT_USAGE, EXIT_FAULT, EXIT_INTERRUPTED = 0, 1, 2, 3, 130
WATCH_SECONDS = 0.3  # how often --watch looks for a saved file

CHECK_EXAMPLES = """
examples:
  python -m autograder check                 all tasks
  python -m autograder check vicreg          one task (its number works too: check 2)
  python -m autograder check --watch         again at every save, showing the first open task

exit codes: 0 everything passed, 1 something has not passed yet, 2 wrong usage, 130 interrupted
"""
GRADE_EXAMPLES = """
examples:
  python -m autograder grade submissions/*.zip --out graded
  python -m autograder grade alice/ --out graded --task vicreg --task training
  python -m autograder grade alice.zip --out graded --require-sandbox --json

A submission is a folder or zip that is, or holds, the student's assignment/ folder.
Each gets OUT/<its name>/report.json and report.html.

exit codes: 0 graded (whatever the points), 2 wrong usage, rubric or sandbox,
            3 graded, but the grader itself failed on some item, 130 interrupted
"""


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(argv)
    console = Console(stderr=options.json, highlight=False)
    # A job that CI cancels cleans up and keeps what it finished, as under Ctrl-C.
    interrupts.install()
    try:
        return options.run(options, console)
    except (RubricError, SandboxError, UsageError) as error:
        print(f"autograder: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print("autograder: interrupted; what was finished is kept", file=sys.stderr)
        return EXIT_INTERRUPTED


class UsageError(Exception):
    """The command cannot do what was asked; the message says what to change."""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m autograder", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    check = add_command(commands, "check", "run the public checks on your own work", CHECK_EXAMPLES)
    check.add_argument("tasks", nargs="*", metavar="TASK", help="task ids or numbers (default: all)")
    check.add_argument("--dir", type=Path, default=Path(), help="where your assignment/ folder is (default: here)")
    check.add_argument("--watch", action="store_true", help="run again whenever a file is saved")
    check.set_defaults(run=run_check)
    grade = add_command(commands, "grade", "grade submissions with all checks", GRADE_EXAMPLES)
    grade.add_argument("submissions", nargs="+", metavar="SUBMISSION", type=Path, help="a folder or a zip file")
    grade.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the reports go")
    grade.add_argument("--task", action="append", default=[], dest="tasks", help="only this task (may be repeated)")
    grade.add_argument("--require-sandbox", action="store_true", help="refuse to run code that is not fully confined")
    grade.set_defaults(run=run_grade)
    return top


def add_command(commands, name: str, help_text: str, examples: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name, help=help_text, description=help_text, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--json", action="store_true", help="print the report as JSON on standard output")
    command.add_argument("--sandbox", choices=sandbox.MODES, default="auto", help="which confinement to use")
    command.add_argument("--rubric", type=Path, default=rubric.DEFAULT, help="another rubric file")
    return command


# -- check ---------------------------------------------------------------------------------------------------------


def run_check(options, console: Console) -> int:
    full = rubric.load(options.rubric)
    part = full.only(options.tasks, visibility="public")
    confinement = sandbox.choose(options.sandbox)
    folder = own_folder(options.dir, full.files)
    if options.watch:
        return watch(folder, part, full, confinement, console)
    result = grading.grade(folder, part, full, confinement, lambda item: terminal.item_line(console, item))
    if options.json:
        print(report.to_json(result), end="")
    else:
        terminal.summary(console, result)
    return EXIT_OK if result.count("passed") == len(result.items()) else EXIT_OPEN


def own_folder(start: Path, files: tuple[str, ...]) -> Path:
    """The student's assignment folder: the one named, or the one inside it."""
    for folder in (start, start / "assignment"):
        if any((folder / name).is_file() for name in files):
            return folder.resolve()
    raise UsageError(f"no assignment files in {start.resolve()}: go to the folder that holds assignment/, or name it with --dir")


def watch(folder: Path, part, full, confinement, console: Console) -> int:
    """Check, show the first open task, wait for a save, and again, until Ctrl-C."""
    while True:
        state = saved(folder, full.files)
        console.clear()
        console.print("[dim]Checking ...[/]")
        result = grading.grade(folder, part, full, confinement)
        open_tasks = [task for task in result.tasks if any(item.verdict != "passed" for item in task.items)]
        terminal.summary(console, result, open_tasks[:1])
        console.print("[dim]Watching for a save; Ctrl-C ends.[/]")
        while saved(folder, full.files) == state:
            time.sleep(WATCH_SECONDS)


def saved(folder: Path, files: tuple[str, ...]) -> list:
    """What changes when a student saves a file."""
    stats = [(folder / name).stat() if (folder / name).exists() else None for name in files]
    return [stat and (stat.st_mtime_ns, stat.st_size) for stat in stats]


# -- grade ---------------------------------------------------------------------------------------------------------


def run_grade(options, console: Console) -> int:
    full = rubric.load(options.rubric)
    part = full.only(options.tasks)
    confinement = sandbox.choose(options.sandbox, options.require_sandbox)
    names = output_names(options.submissions)
    if options.out.exists() and not options.out.is_dir():
        raise UsageError(f"{options.out} is a file; --out names a folder")
    console.print(f"Sandbox: {confinement.describe()}", markup=False, soft_wrap=True)
    reports = []
    for number, (path, name) in enumerate(names.items(), start=1):
        console.rule(Text(f"{number} of {len(names)}: {report.clean(name)}"), align="left")
        result = grade_one(path, part, full, confinement, console)
        result.submission = report.clean(name)
        for note in result.notes:
            console.print(f"  │ Note: {note}", markup=False, soft_wrap=True)
        save(result, options.out / name)
        reports.append(result)
    if options.json:
        print(json.dumps([each.as_dict() for each in reports], indent=2))
    else:
        console.print(terminal.scoreboard(reports))
        console.print(f"Reports: {options.out}/<submission>/report.html and report.json", markup=False, soft_wrap=True)
    return closing_code(reports)


def output_names(submissions: list[Path]) -> dict[Path, str]:
    """A folder name for each submission. Raises UsageError for one that is not there or that clashes."""
    names: dict[Path, str] = {}
    for path in submissions:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
        name = path.resolve().name.removesuffix(".zip").strip(". ") or "submission"
        if name in names.values():
            raise UsageError(f"two submissions would both be reported as {name!r}: rename one of them")
        names[path] = name
    return names


def grade_one(path: Path, part, full, confinement, console: Console):
    """Grade one submission; a failure of the grader itself costs this report's items nothing and ends nothing else."""
    try:
        return grading.grade(path, part, full, confinement, lambda item: terminal.item_line(console, item))
    except (RubricError, SandboxError):
        raise
    except Exception as error:
        text = report.clean(f"The grader failed on {path}: {type(error).__name__}: {error}")
        console.print(text.replace("\n", " "), markup=False, soft_wrap=True)
        return grading.faulted(path.name, part, confinement, error)


def save(result, folder: Path) -> None:
    from autograder.sinks import html

    report.write_atomically(folder / "report.json", report.to_json(result))
    report.write_atomically(folder / "report.html", html.render(result))


def closing_code(reports: list) -> int:
    faults = sum(each.count("grader_fault") for each in reports)
    if not faults:
        return EXIT_OK
    print(f"autograder: {faults} items could not be judged; mend the grader and grade these again", file=sys.stderr)
    return EXIT_FAULT
