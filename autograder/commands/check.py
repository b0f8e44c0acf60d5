"""`python -m autograder check`: the public checks, for students."""
import time
from pathlib import Path

from rich.console import Console

from autograder import grading, rubric, sandbox
from autograder.commands import EXIT_OK, EXIT_OPEN, UsageError, add_command, add_grading_options, add_writing_option, write
from autograder.sinks import console as terminal
from autograder.sinks import json

WATCH_SECONDS = 0.3  # how often --watch looks for a saved file

EXAMPLES = """
examples:
  python -m autograder check                 all tasks
  python -m autograder check vicreg          one task (its number works too: check 2)
  python -m autograder check --watch         again at every save, showing the first open task
  python -m autograder check --write html    the results as a page, report.html

exit codes: 0 everything passed, 1 something has not passed yet, 2 wrong usage, 130 interrupted
"""


def register(commands) -> None:
    check = add_command(commands, "check", "run the public checks on your own work", EXAMPLES)
    add_grading_options(check)
    check.add_argument("tasks", nargs="*", metavar="TASK", help="task ids or numbers (default: all)")
    check.add_argument("--dir", type=Path, default=Path(), help="where your assignment/ folder is (default: here)")
    check.add_argument("--watch", action="store_true", help="run again whenever a file is saved")
    add_writing_option(check, "this folder")
    check.set_defaults(run=run)


def run(options, console: Console) -> int:
    full = rubric.load(options.rubric)
    part = full.only(options.tasks, visibility="public")
    confinement = sandbox.choose(options.sandbox)
    folder = own_folder(options.dir, full.files)
    if options.watch and options.written:
        raise UsageError("--watch shows the open task at every save, and writes nothing: leave out --write")
    if options.watch:
        return watch(folder, part, full, confinement, console)
    result = grading.grade(folder, part, full, confinement, lambda item: terminal.item_line(console, item))
    for each in options.written:
        write(each.file(Path()), each.render(result))
    if options.json:
        print(json.render(result), end="")
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
