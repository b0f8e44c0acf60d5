"""scores.csv: one row a submission, for a spreadsheet or a learning platform.

Starts with a byte order mark: without one, Excel reads UTF-8 as the system's old code page and garbles Müller.
Platforms and Python ("utf-8-sig") skip it. Quoting is that of RFC 4180, of every cell: where Excel expects semicolons
between cells, one in a name would otherwise begin another. A text that a spreadsheet would take for a formula gets an
apostrophe in front, for names come from students.
"""
import csv
import io
from collections.abc import Iterable, Sequence

from autograder.report import VERDICTS, Report
from autograder.sinks import LOG_COMMANDS, apart, number, plain

BYTE_ORDER_MARK = "\ufeff"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # what a cell must not start with
TOLD = ("rejected before running", "The grader failed")  # how notes begin on a whole submission (grading.py)


def render(reports: Iterable[Report], order: Sequence[str] = ()) -> str:
    """The table as text. Each task of a report is a column, in this order; where it was not graded, the cell is empty."""
    reports = list(reports)
    found = dict.fromkeys(task.id for report in reports for task in report.tasks)
    tasks = [task for task in order if task in found] + [task for task in found if task not in order]
    text = io.StringIO()
    table = csv.writer(text, quoting=csv.QUOTE_ALL)  # RFC 4180: commas, CRLF, quotes doubled
    table.writerow(["name", "total", "max_total", "bonus", "max_bonus", *tasks, *VERDICTS, "note"])
    for report in reports:
        points = {task.id: number(task.points) for task in report.tasks}
        totals = map(number, (report.total, report.max_total, report.bonus, report.max_bonus))
        counts = [report.count(verdict) for verdict in VERDICTS]
        note = next((each for each in report.notes if each.startswith(TOLD)), "")
        shown = [points.get(task, "") for task in tasks]
        table.writerow([harmless(report.submission), *totals, *shown, *counts, harmless(note)])
    return BYTE_ORDER_MARK + text.getvalue()


def harmless(text: str) -> str:
    """Text that no spreadsheet runs as a formula and no CI service as a command, on one line."""
    text = apart(plain(text).replace("\n", " "), LOG_COMMANDS[1:])  # "::" counts at the start of a line, where ours have a quote
    return f"'{text}" if text.startswith(FORMULA) else text
