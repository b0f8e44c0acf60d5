"""The commands of `python -m autograder`, one module each, and what they share.

A module has `register(commands)`, which adds its parser, with a function `run(options, console) -> exit code`. Listed in cli.py.
"""
import argparse
from pathlib import Path

from autograder import rubric, sandbox

EXIT_OK, EXIT_OPEN, EXIT_USAGE, EXIT_FAULT, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


class UsageError(Exception):
    """The command cannot do what was asked; the message says what to change."""


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
