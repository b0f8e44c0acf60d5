"""The terminal: one line an item while grading runs, then failures explained, or a scoreboard of submissions.

Every line that may hold student text starts with a gutter, so that nothing a student prints can pose as ours, or as a
command to a CI service that reads its log (`::error::`). Other commands count anywhere in a line (`##[error]`), and names
stand at the start of one: they are taken apart.
"""
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from autograder.report import ItemResult, Report, TaskResult
from autograder.sinks import LOG_COMMANDS, apart, one_line, plain

MARKS = {
    "passed": ("✓", "passed", "green"),
    "failed": ("✗", "failed", "red"),
    "crashed": ("!", "crashed", "magenta"),
    "not_attempted": ("·", "not attempted", "dim"),
    "blocked": ("-", "blocked", "yellow"),
    "grader_fault": ("?", "grader fault", "bold blue"),
}


def gutter(text: str) -> list[Text]:
    """The lines of a text of anybody's, each behind a gutter."""
    return [Text(f"  │ {apart(line, LOG_COMMANDS[1:])}") for line in plain(text).splitlines()]


def name(text: str) -> str:
    """A name on one line, which commands nothing wherever it stands."""
    return apart(one_line(text), LOG_COMMANDS)


def harmless(text: str) -> str:
    """Lines of ours in which there may be names, wherever they stand."""
    return apart(plain(text), LOG_COMMANDS)


def item_line(console: Console, result: ItemResult) -> None:
    """One verdict, as soon as it is known."""
    mark, word, style = MARKS[result.verdict]
    line = Text.assemble((f"{mark} {word:<13}", style), f" {name(result.title)}")
    line.append(f"  {result.points:g}/{result.max_points:g}", "dim")
    console.print(line, soft_wrap=True)


def explanation(console: Console, result: ItemResult) -> None:
    """Why an item did not pass: the message, then the hint."""
    if result.verdict in ("passed", "not_attempted"):
        return
    item_line(console, result)
    for line in gutter(result.message):
        console.print(line, soft_wrap=True)
    if result.hint:
        console.print(Text(f"  │ Hint:     {name(result.hint)}", "cyan"), soft_wrap=True)
    console.print()


def task_summary(console: Console, task: TaskResult) -> None:
    console.print(Text(f"{name(task.title)}: {task.points:g} of {task.max_points:g} points", "bold"))
    for item in task.items:
        explanation(console, item)
    if waiting := [item for item in task.items if item.verdict == "not_attempted"]:
        console.print(Text(f"  │ Not attempted yet: {len(waiting)} items, the first of them “{name(waiting[0].title)}”"), soft_wrap=True)


def summary(console: Console, report: Report, tasks: list[TaskResult] | None = None) -> None:
    """A student's view of a run: what is open, explained, then the points."""
    for note in report.notes:
        console.print(Text(f"  │ Note: {name(note)}", "yellow"), soft_wrap=True)
    for task in tasks if tasks is not None else report.tasks:
        if any(item.verdict != "passed" for item in task.items):
            console.print()
            task_summary(console, task)
    parts = [(report.total, report.max_total, "points"), (report.bonus, report.max_bonus, "bonus points")]
    shown = [f"{came:g} of {most:g} {what}" for came, most, what in parts if most]
    console.print(f"[bold]{', and '.join(shown) or 'No points'}[/] in the checks that ran.")
    console.print(f"[dim]Sandbox: {escape(name(report.sandbox))}[/]", soft_wrap=True)


def scoreboard(reports: list[Report]) -> Table:
    """One row a submission: the total, how many items ended in which verdict, and where points were lost."""
    caption = "  ".join(f"{mark} {word}" for mark, word, _ in MARKS.values())
    table = Table(title="Scoreboard", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1), caption=caption)
    table.add_column("submission", overflow="fold", max_width=28)
    table.add_column(f"total\n/{reports[0].max_total:g}", justify="right", style="bold", no_wrap=True)
    if reports[0].max_bonus:
        table.add_column(f"bonus\n/{reports[0].max_bonus:g}", justify="right", no_wrap=True)
    table.add_column("items", no_wrap=True)
    table.add_column("points lost in tasks")
    for report in reports:
        counts = " ".join(f"{MARKS[each][0]}{report.count(each)}" for each in MARKS if report.count(each))
        bonus = [f"{report.bonus:g}"] if reports[0].max_bonus else []
        table.add_row(Text(name(report.submission)), f"{report.total:g}", *bonus, counts, lost(report))
    return table


def lost(report: Report) -> str:
    """Tasks by number, each with the points that it lacks: "T1:3, T4:0.5"."""
    if not report.total and not report.bonus:
        return "all"
    numbers = [name(task.title).partition(":")[0].replace("Task ", "T") for task in report.tasks]
    missing = [task.max_points - task.points for task in report.tasks]
    return ", ".join(f"{number}:{points:g}" for number, points in zip(numbers, missing) if points) or "none"
