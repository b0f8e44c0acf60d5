"""The commands of `python -m autograder`, one module each, and what they share.

A module has `register(commands)`, which adds its parser, with a function `run(options, console) -> exit code`. Listed in cli.py.
"""
import argparse
import dataclasses
from pathlib import Path

from autograder import report, rubric, sandbox, sinks

EXIT_OK, EXIT_OPEN, EXIT_USAGE, EXIT_FAULT, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


class UsageError(Exception):
    """The command cannot do what was asked; the message says what to change."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A format that --write asks for, and the file that it names, if it names one."""

    format: str
    path: Path | None = None

    def file(self, folder: Path) -> Path:
        """Where it goes: the file that was named, or the format's usual one in `folder`."""
        return self.path or folder / sinks.formats()[self.format].FILE

    def render(self, result: report.Report) -> str:
        return sinks.formats()[self.format].render(result)


def add_command(commands, name: str, help_text: str, examples: str) -> argparse.ArgumentParser:
    """A parser for one command, with examples below its options."""
    return commands.add_parser(
        name, help=help_text, description=help_text, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_grading_options(command: argparse.ArgumentParser) -> None:
    """The options of commands that run checks over submissions."""
    command.add_argument("--json", action="store_true", help="print the report as JSON on standard output")
    command.add_argument("--sandbox", choices=sandbox.MODES, default="auto", help="which confinement to use")
    command.add_argument("--rubric", type=Path, default=rubric.DEFAULT, help="another rubric file")


def add_writing_option(command: argparse.ArgumentParser, where: str) -> None:
    """`--write`, for commands that make a report; `where` says into which folder it writes."""
    names = ", ".join(f"{name} ({sink.FILE})" for name, sink in sinks.formats().items())
    command.add_argument(
        "--write", action="append", default=[], type=wanted, dest="written", metavar="FORMAT[=FILE]",
        help=f"write the report as FORMAT into {where}, or into FILE (may be repeated); formats: {names}",
    )  # fmt: skip


def wanted(text: str) -> Wanted:
    """What an argument of --write asks for. Raises ArgumentTypeError for a format that there is not."""
    name, named, file = text.partition("=")
    if name not in sinks.formats():
        raise argparse.ArgumentTypeError(f"there is no format {name!r}; there are {', '.join(sinks.formats())}")
    if named and (not file or Path(file).is_dir()):
        raise argparse.ArgumentTypeError(f"{text!r} names no file")
    return Wanted(name, Path(file) if named else None)


def write(path: Path, text: str) -> None:
    """Write a report's text. Raises UsageError where that cannot be done."""
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):  # /dev/stdout must stay what it is
            path.write_text(text, encoding="utf-8")
        else:
            report.write_atomically(path, text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})") from None
