"""summary.md: the report as Markdown, made for a job summary of GitHub Actions, and readable wherever Markdown is.

No text of a student's becomes markup: outside of blocks every sign that Markdown, GitHub or HTML gives a meaning is written
by its number, and what is said about an item stands between <pre> tags, where nothing but HTML has a meaning.
A summary may have 1 MiB; explanations that no longer fit are counted instead, and the tables are always whole.
"""
import re

from autograder.report import ItemResult, Report, TaskResult
from autograder.sinks import misconception_label, number, one_line, plain, verdicts_in_words, without_log_commands
from autograder.sinks.console import MARKS

FILE = "summary.md"
MAX_BYTES = 1_000_000  # GitHub takes 1 MiB for each step, and somebody may add a line
MAX_LINE = 300  # characters of a name or a note
MARKUP = re.compile(r"""[!"#$&*.:<>@\[\\\]_`{|}~]""")  # markup, or the start of an address, an emoji, a name
QUIET = ("passed", "not_attempted")  # verdicts that need no explanation


def render(report: Report) -> str:
    """The report as Markdown of less than 1 MB. Raises ValueError for points that are not finite."""
    parts = [headline(report), notes(report), table(report), *map(items, report.tasks)]
    text = "\n".join(part for part in parts if part)
    return text + explanations(report, MAX_BYTES - len(text.encode()))


def headline(report: Report) -> str:
    bonus = f", and {number(report.bonus)} of {number(report.max_bonus)} bonus points" if report.max_bonus else ""
    points = f"**{number(report.total)} of {number(report.max_total)} points**{bonus}"
    return f"# {quoted(report.submission)}\n\n{points}: {verdicts_in_words(report)}\n"


def notes(report: Report) -> str:
    told = [("Sandbox", report.sandbox), *(("Note", note) for note in report.notes)]
    return "".join(f"- {kind}: {quoted(text)}\n" for kind, text in told)


def table(report: Report) -> str:
    return "\n".join(["| task | points | of | |", "|---|--:|--:|---|", *map(task_row, report.tasks)]) + "\n"


def task_row(task: TaskResult) -> str:
    """A task's points, and a sign for the verdict of each of its items."""
    marks = "".join(MARKS[item.verdict][0] for item in task.items)
    return f"| {escaped(task.title)} | {number(task.points)} | {number(task.max_points)} | {marks} |"


def items(task: TaskResult) -> str:
    """One task's items, to be unfolded."""
    rows = ["| verdict | item | points | of | |", "|---|---|--:|--:|---|", *map(row, task.items)]
    return folded(f"{escaped(task.title)}: {number(task.points)} of {number(task.max_points)} points", "\n".join(rows))


def row(item: ItemResult) -> str:
    mark, word, _ = MARKS[item.verdict]
    mistake = f"<br>{escaped(misconception_label(item))}" if item.misconception else ""
    points = f"{number(item.points)} | {number(item.max_points)}"
    return f"| {mark} {word} | {escaped(item.title)}{mistake} | {points} | {item.visibility} |"


def explanations(report: Report, room: int) -> str:
    """Why items did not pass, as many as fit into `room` bytes."""
    told = [explanation(item) for item in report.items() if item.verdict not in QUIET and (item.message or item.hint)]
    shown, used = [], 500  # for the heading and the last line
    for text in told:
        used += len(text.encode())
        if used > room:
            break
        shown.append(text)
    if len(shown) < len(told):
        shown.append(f"{len(told) - len(shown)} more explanations do not fit here; report&#46;html has them all.\n")
    return "\n## What did not pass\n\n" + "\n".join(shown) if told else ""


def explanation(item: ItemResult) -> str:
    mark, word, _ = MARKS[item.verdict]
    message = f"<pre>{in_block(item.message)}</pre>\n" if item.message else ""
    hint = f"\n<b>Hint:</b> {escaped(item.hint, 2000)}\n" if item.hint else ""
    return folded(f"{mark} {word}: {escaped(item.title)}", message + hint)


def folded(title: str, content: str) -> str:
    """A line that unfolds. The empty lines let what is inside be Markdown again."""
    return f"\n<details><summary>{title}</summary>\n\n{content}\n\n</details>\n"


def escaped(text: str, limit: int = MAX_LINE) -> str:
    """A text on one line that no reader of Markdown takes for anything else."""
    return MARKUP.sub(by_number, one_line(text, limit))


def quoted(text: str) -> str:
    """The same for what students choose: as code, in which GitHub does not look for people and issues."""
    return f"<code>{escaped(text)}</code>"


def in_block(text: str) -> str:
    """A text for between <pre> tags."""
    text = re.sub(r"[&<>\"@`]", by_number, plain(text))
    return without_log_commands(text, lambda character: f"&#{ord(character)};")


def by_number(found: re.Match) -> str:
    return f"&#{ord(found.group())};"
