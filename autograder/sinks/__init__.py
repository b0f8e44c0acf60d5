"""Ways to write a report. Each module here that names a `FILE` is a format, and `--write` finds it by its module's name.

Such a module has `FILE`, the name of what it writes, and `render(report) -> str`. It gets the tree of report.py and decides
nothing; escaping for its format is its own duty, with the help of what stands below. docs/sinks.md shows how to add one.
`console` is for terminals, and `lms_csv` makes one table of many reports.
"""
import functools
import importlib
import math
import pkgutil
from types import ModuleType

from autograder.report import MAX_TEXT, ItemResult, Report, clean, kind_of_misconception

# What CI services take for a command when they meet it in a log, into which someone may well print a file of ours.
LOG_COMMANDS = ("::", "##[", "##vso[", "##teamcity[")


@functools.cache
def formats() -> dict[str, ModuleType]:
    """The sinks that write one report into one file, by name."""
    modules = [importlib.import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__)]
    return {each.__name__.rpartition(".")[2]: each for each in modules if hasattr(each, "FILE")}


def plain(text: str, limit: int = 2 * MAX_TEXT) -> str:
    """Text that anybody may have written, without control characters and lone surrogates, and not too long.

    Twice the limit of a report's own text, which was already cut there and says so at its end.
    """
    return clean(text, limit).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")  # XML has neither


def one_line(text: str, limit: int = 2 * MAX_TEXT) -> str:
    """The same on one line."""
    return " ".join(plain(text, limit).split())


def number(value: float) -> str:
    """Points as text, without zeros at the end. Raises ValueError for what is not finite: no format has such points."""
    return f"{finite(value):.10g}"


def finite(value: float) -> float:
    """The number itself. Raises ValueError where it is NaN or infinite."""
    if not math.isfinite(value):
        raise ValueError(f"a report holds the number {value}, which no sink may write")
    return value


def apart(text: str, commands: tuple[str, ...]) -> str:
    """Text with a blank in what a CI service would take for a command."""
    for command in commands:
        text = text.replace(command, f"{command[:-1]} {command[-1]}")
    return text


def without_log_commands(text: str, escape) -> str:
    """Text in a file format where `escape(character)` means the character: nothing in it is a command to a CI service."""
    for command in LOG_COMMANDS:
        text = text.replace(command, "".join(escape(each) for each in command[:2]) + command[2:])
    return text


def misconception_label(item: ItemResult) -> str:
    """What a known mistake in an item is called, or a convention that is as right as ours."""
    return f"{kind_of_misconception(item).removeprefix('a ')}: {item.misconception}"


def verdicts_in_words(report: Report) -> str:
    """How many items came out how: "3 passed, 1 not attempted"."""
    from autograder.sinks.console import MARKS

    counted = ((report.count(verdict), word) for verdict, (_, word, _) in MARKS.items())
    return ", ".join(f"{count} {word}" for count, word in counted if count) or "no items"
