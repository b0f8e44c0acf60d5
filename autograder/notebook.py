"""The checks inside a notebook: `from autograder.notebook import check`, then `check("vicreg")` in a cell.

Runs `python -m autograder check` in a process of its own on the files as they are saved, so it says what a terminal
would say, whatever the kernel has loaded. A red check is a result to read, not an exception: the cells below still run.
"""

import json
import os
import signal
import subprocess
import sys
from html import escape
from pathlib import Path

from IPython.display import HTML, display

from autograder.report import ItemResult, Report, TaskResult
from autograder.sinks.console import MARKS

PROJECT = Path(__file__).resolve().parent.parent
COLORS = {
    "passed": "#1a7f37",
    "failed": "#cf222e",
    "crashed": "#8250df",
    "blocked": "#9a6700",
}  # on light and on dark
OTHER = "#6e7781"
SECONDS_TO_END = 5  # for an interrupted run to clean up after itself


def check(*tasks: str) -> None:
    """Run the public checks of these tasks (ids or numbers; none: all) on your saved files, and show what came out."""
    name = escape(", ".join(tasks) or "all tasks")
    handle = display(HTML(f"<i>Checking {name} …</i>"), display_id=True)
    try:
        code, output, errors = _run([*map(str, tasks), "--json", "--dir", str(student_folder())])
    except KeyboardInterrupt:
        handle.update(HTML("<i>Interrupted.</i>"))
        return
    try:
        report = Report.from_dict(json.loads(output))
    except (ValueError, KeyError, TypeError):
        handle.update(
            HTML(_pre(errors.strip() or f"The checks ended with exit code {code} and said nothing."))
        )
        return
    handle.update(Shown(report))


def student_folder() -> Path:
    """The folder that holds assignment/: the current one or the nearest above it, else the one beside the autograder."""
    try:
        here = Path.cwd()
    except OSError:  # the kernel's folder has been moved or deleted
        return PROJECT
    holders = (folder for folder in (here, *here.parents) if (folder / "assignment" / "provided").is_dir())
    return next(holders, PROJECT)


def _run(arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `python -m autograder check`."""
    environment = {
        name: value for name, value in os.environ.items() if name != "MPLBACKEND"
    }  # the kernel's own
    process = subprocess.Popen(
        [sys.executable, "-m", "autograder", "check", *arguments],
        **{"cwd": PROJECT, "env": environment, "stdin": subprocess.DEVNULL},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"},
    )
    try:
        output, errors = process.communicate()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    return process.returncode, output, errors


class Shown:
    """A report as a notebook shows it: HTML, and plain text where that is all there is."""

    def __init__(self, report: Report):
        self.report = report

    def _repr_html_(self) -> str:
        notes = "".join(f"<div>Note: {escape(note)}</div>" for note in self.report.notes)
        tasks = "".join(_task_html(task) for task in self.report.tasks)
        return f'<div style="max-width: 60em">{notes}{tasks}</div>'

    def __repr__(self) -> str:
        return "\n".join(line for task in self.report.tasks for line in task_lines(task))


def _task_html(task: TaskResult) -> str:
    done = all(item.verdict == "passed" for item in task.items)
    color = COLORS["passed"] if done else OTHER
    heading = (
        f"<b>{escape(task.title)}</b>: {task.points:g} of {task.max_points:g} points in the checks that ran"
    )
    items = "".join(_item_html(item) for item in task.items)
    return f'<div style="border-left: 4px solid {color}; padding-left: 0.8em; margin: 0.6em 0">{heading}{items}</div>'


def _item_html(item: ItemResult) -> str:
    mark, word, _ = MARKS[item.verdict]
    color = COLORS.get(item.verdict, OTHER)
    points = f'<span style="color: {OTHER}">{item.points:g}/{item.max_points:g}</span>'
    line = f'<div><b style="color: {color}">{mark} {word}</b>&ensp;{escape(item.title)}&ensp;{points}</div>'
    if item.verdict in ("passed", "not_attempted"):
        return line
    hint = f"<div><b>Hint:</b> {escape(item.hint)}</div>" if item.hint else ""
    return f'{line}<div style="margin: 0.2em 0 0.8em 1.5em">{_pre(item.message)}{hint}</div>'


def _pre(text: str) -> str:
    """Text as it stands, wrapped between words; JupyterLab would break numbers."""
    wrap = "white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere"
    frame = "margin: 0.3em 0; padding: 0.4em 0.6em; border: 1px solid #8c959f66; border-radius: 4px"
    return f'<pre style="{wrap}; {frame}">{escape(text)}</pre>'


def task_lines(task: TaskResult, which: str = " in the checks that ran") -> list[str]:
    """A task's results as lines of text: its points, each verdict in words, and why something did not pass."""
    lines = [f"{task.title}: {task.points:g} of {task.max_points:g} points{which}"]
    for item in task.items:
        mark, word, _ = MARKS[item.verdict]
        lines.append(f"  {mark} {word:<13} {item.title}  {item.points:g}/{item.max_points:g}")
        if item.verdict not in ("passed", "not_attempted"):
            lines += [f"    | {line}" for line in item.message.splitlines()]
            lines += [f"    | Hint: {item.hint}"] if item.hint else []
    return lines
