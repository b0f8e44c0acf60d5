"""What GitHub Actions shows of a report: the failures in the run's log, marked at the students' functions, and a summary.

    python -m autograder.sinks.github report.json --summary "$GITHUB_STEP_SUMMARY" --html report.html

The log of a step is also a way to give the runner commands: a line `::error::…` is one, and so is `##[…]` anywhere in a
line. So the report's text stands between `::stop-commands::` and a word that nobody can guess, and an annotation's text is
escaped. What a student's code prints has no effect, whatever it is. Exit code 1: something failed; 2: there is no report.
"""
import argparse
import contextlib
import json
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from autograder.report import ItemResult, Report
from autograder.sinks import console as terminal
from autograder.sinks import html
from autograder.tasks import TASK_OF_FUNCTION, TASK_OF_MODULE

MOST = 10  # GitHub shows ten errors of a step
MAX_MESSAGE = 2000  # characters of an annotation
LEVELS = {"failed": "error", "crashed": "error", "grader_fault": "warning"}
ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}  # in this order: % first
PROPERTY_ESCAPES = {**ESCAPES, ":": "%3A", ",": "%2C"}


def escape_data(text: str) -> str:
    """A text as the message of a workflow command.

    >>> escape_data("50 %\\n::error::no")
    '50 %25%0A::error::no'
    """
    return escaped(text, ESCAPES)


def escape_property(text: str) -> str:
    """A text as a property of a workflow command.

    >>> escape_property("a,b: c")
    'a%2Cb%3A c'
    """
    return escaped(text, PROPERTY_ESCAPES)


def escaped(text: str, escapes: dict[str, str]) -> str:
    for character, code in escapes.items():
        text = text.replace(character, code)
    return text


def annotations(report: Report, folder: Path = Path()) -> list[str]:
    """At most MOST commands, one for each item that failed, in the rubric's order; the last one counts those that are left.

    folder: the repository, in which the functions are looked for.
    """
    told = [item for item in report.items() if item.verdict in LEVELS]
    shown = told if len(told) <= MOST else told[: MOST - 1]
    commands = [annotation(item, folder) for item in shown]
    if len(shown) < len(told):
        commands.append(f"::error title=And more::{len(told) - len(shown)} more items have not passed; the summary lists them.")
    return commands


def annotation(item: ItemResult, folder: Path) -> str:
    """The command that marks an item's function."""
    mark, word, _ = terminal.MARKS[item.verdict]
    message = item.message[:MAX_MESSAGE] + (f"\nHint: {item.hint}" if item.hint else "")
    given = {"title": f"{mark} {word}: {item.title}", **place(item, folder)}
    properties = ",".join(f"{name}={escape_property(str(value))}" for name, value in given.items())
    return f"::{LEVELS[item.verdict]} {properties}::{escape_data(message)}"


def place(item: ItemResult, folder: Path) -> dict[str, str | int]:
    """The file and the line of the function that an item's title begins with; the file alone where it is not found."""
    task, function = item.id.partition(".")[0], item.title.partition(":")[0]
    modules = {each: module for module, each in TASK_OF_MODULE.items()}
    modules |= {each: module for (module, _), each in TASK_OF_FUNCTION.items()}
    if task not in modules:
        return {}
    file = f"assignment/{modules[task]}.py"
    with contextlib.suppress(OSError):
        lines = (folder / file).read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, start=1):
            if re.match(rf"def {re.escape(function)}\(", line):
                return {"file": file, "line": number}
    return {"file": file}


@contextlib.contextmanager
def stopped_commands() -> Iterator[None]:
    """While this lasts, the runner takes no line of the log for a command."""
    word = secrets.token_hex(32)
    print(f"::stop-commands::{word}", flush=True)
    try:
        yield
    finally:
        print(f"\n::{word}::", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Show the report in a file to GitHub's runner."""
    parser = argparse.ArgumentParser(prog="python -m autograder.sinks.github", description="Show a report on GitHub Actions.")
    parser.add_argument("report", type=Path, help="report.json")
    parser.add_argument("--folder", type=Path, default=Path(), help="the student's repository (default: here)")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="append the report as Markdown: $GITHUB_STEP_SUMMARY")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as a web page")
    options = parser.parse_args(arguments)
    try:
        report = Report.from_dict(json.loads(options.report.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        print("::error title=No report::The checks ended without a report; the log of the step before says why.")
        return 2
    show(report, options)
    return 1 if any(item.verdict in ("failed", "crashed") for item in report.items()) else 0


def show(report: Report, options: argparse.Namespace) -> None:
    with stopped_commands():
        terminal.summary(Console(file=sys.stdout, highlight=False, width=120), report)
    for command in annotations(report, options.folder):
        print(command)
    if options.html:
        options.html.write_text(html.render(report), encoding="utf-8")
    if options.summary:
        from autograder.sinks import markdown

        with open(options.summary, "a", encoding="utf-8") as file:
            file.write(markdown.render(report))


if __name__ == "__main__":
    sys.exit(main())
