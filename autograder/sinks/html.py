"""The web page: one self-contained HTML file a report. No network, no script; a student's text stays text.

The template escapes everything; what is marked safe here is our own style sheet and the output of `inert`.
"""
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from autograder.report import CONVENTION, VERDICTS, Report, kind_of_misconception, split_code
from autograder.sinks import misconception_label, number, plain, without_log_commands
from autograder.sinks.console import MARKS

FILE = "report.html"
TEMPLATES = Path(__file__).parent
MEANINGS = {
    "passed": "does what it should",
    "failed": "ran, and did something else than it should",
    "crashed": "stopped with an exception, or was stopped at a limit of time or memory",
    "not_attempted": "not written yet",
    "blocked": "builds on something that has not passed yet; not run, or run in vain",
    "grader_fault": "the grader could not judge it; no points are lost by that",
}


def render(report: Report) -> str:
    """The report as one HTML page."""
    return environment().get_template("report.html.jinja").render(report=report)


def scoreboard(reports: Sequence[Report], links: Mapping[str, str] = {}) -> Markup:
    """A table with a row for each task and a column for each submission, for another page that holds `style()`.

    links: from the submission's name to the address of its report.
    """
    return Markup(environment().get_template("scoreboard.html.jinja").render(reports=reports, links=links))


def style() -> Markup:
    """The style sheet, as text for a <style> element."""
    return Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))


@functools.cache
def environment(*folders: Path) -> jinja2.Environment:
    """The templates of this folder and of `folders`, with our filters."""
    loader = jinja2.FileSystemLoader([TEMPLATES, *folders])
    made = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(inert=inert, points=number, seconds=seconds, split_code=split_code, label=misconception_label)
    made.tests.update(convention=lambda item: kind_of_misconception(item) == CONVENTION)
    made.globals.update(style=style, scoreboard=scoreboard, marks=MARKS, meanings=MEANINGS, verdicts=VERDICTS)
    return made


def inert(text: str) -> Markup:
    """Text that anybody may have written, to look at only: no tags, control characters or log commands."""
    return Markup(without_log_commands(str(escape(plain(text))), lambda character: f"&#{ord(character)};"))


def seconds(spent: float) -> str:
    return f"{spent:.2f} s" if spent < 10 else f"{spent:.0f} s"
