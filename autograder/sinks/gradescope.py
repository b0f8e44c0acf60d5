"""results.json as Gradescope reads it: a test for each item, in the rubric's order, with its points.

Gradescope knows `passed` and `failed`; our verdict stands in the test's tags and begins its output, and one that is neither
of the two follows the name. `score` is the total with the bonus points on top, so it can exceed the assignment's points,
as extra credit does there. Public items are visible at once, hidden ones as `hidden` says. Students always see the text above
the tests, so it counts public items alone while others are hidden: each submission would else be a question about these.
"""
import dataclasses

from autograder.report import ItemResult, Report, TaskResult, summed
from autograder.sinks import finite, number, one_line, plain, verdicts_in_words
from autograder.sinks.console import MARKS
from autograder.sinks.json import dumps

FILE = "results.json"
VISIBILITIES = ("hidden", "after_due_date", "after_published", "visible")
MEANINGS = {
    "not_attempted": "Nothing written here yet.",
    "grader_fault": "The grader could not judge this; no points are lost by it. Please tell your instructor.",
}
SHOWN = {
    "hidden": "are not shown here",
    "after_due_date": "are shown after the due date",
    "after_published": "are shown when grades are published",
}


def render(report: Report, hidden: str = "after_published", seconds: float | None = None) -> str:
    """The report as results.json. `hidden` is the visibility of hidden items, `seconds` the time that grading took.

    Raises ValueError for an unknown visibility, and for points that are not finite.
    """
    return dumps(results(report, hidden, seconds))


def results(report: Report, hidden: str = "after_published", seconds: float | None = None) -> dict:
    """The same as plain data, to which a caller may add."""
    if hidden not in VISIBILITIES:
        raise ValueError(f"{hidden!r} is no visibility; Gradescope knows {', '.join(VISIBILITIES)}")
    tests = [test(task, item, index, hidden) for task in report.tasks for index, item in enumerate(task.items, start=1)]
    spent = sum(item.seconds for item in report.items()) if seconds is None else seconds
    return {
        "score": finite(round(report.total + report.bonus, 6)),
        "execution_time": round(finite(spent), 1),
        "output": summary(report, hidden),
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": tests,
        "extra_data": of_report(report),
    }


def of_report(report: Report) -> dict:
    """What Gradescope keeps and does not show."""
    points = {name: finite(getattr(report, name)) for name in ("total", "max_total", "bonus", "max_bonus")}
    return {**points, "sandbox": plain(report.sandbox), "tasks": {each.id: finite(each.points) for each in report.tasks}}


def summary(report: Report, hidden: str = "visible") -> str:
    """What stands above the tests. Where some are hidden: points and verdicts of the public ones, and how many others wait."""
    shown = report if hidden == "visible" else public_part(report)
    waiting = len(report.items()) - len(shown.items())
    lines = [f"Public checks: {points(shown)}" if waiting else points(shown), verdicts_in_words(shown)]
    if waiting:
        lines.append(f"{waiting} more checks {SHOWN[hidden]}; nothing here tells how they came out.")
    lines += [f"Note: {one_line(note)}" for note in report.notes]
    lines.append(f"Sandbox: {one_line(report.sandbox)}")
    if faults := shown.count("grader_fault"):
        lines.append(f"The grader itself failed on {faults} items, which cost no points. Instructors, please grade again.")
    return "\n".join(lines)


def points(report: Report) -> str:
    bonus = f", and {number(report.bonus)} of {number(report.max_bonus)} bonus points on top" if report.max_bonus else ""
    return f"{number(report.total)} of {number(report.max_total)} points{bonus}"


def public_part(report: Report) -> Report:
    """The report as if there were no hidden items."""
    tasks = [public_items(task) for task in report.tasks]
    (total, most), (bonus, most_bonus) = summed(tasks, False), summed(tasks, True)
    return dataclasses.replace(report, total=total, max_total=most, bonus=bonus, max_bonus=most_bonus, tasks=tasks)


def public_items(task: TaskResult) -> TaskResult:
    items = [item for item in task.items if item.visibility == "public"]
    earned, most = sum(item.points for item in items), sum(item.max_points for item in items)
    return dataclasses.replace(task, points=earned, max_points=most, items=items)


def test(task: TaskResult, item: ItemResult, index: int, hidden: str) -> dict:
    _, word, _ = MARKS[item.verdict]
    told = "" if item.verdict in ("passed", "failed") else f" [{word}]"
    mistake = {"misconception": plain(item.misconception)} if item.misconception else {}
    return {
        "name": f"{one_line(item.title)}{' (bonus)' if task.bonus else ''}{told}",
        "name_format": "text",
        "number": f"{task_number(task)}.{index}",
        "score": finite(item.points),
        "max_score": finite(item.max_points),
        "status": "passed" if item.verdict == "passed" else "failed",
        "output": output(item),
        "output_format": "text",
        "visibility": "visible" if item.visibility == "public" else hidden,
        "tags": [task.id, item.verdict, item.visibility] + ["bonus"] * task.bonus,
        "extra_data": {"id": item.id, "verdict": item.verdict, **mistake},
    }


def task_number(task: TaskResult) -> str:
    """The number in "Task 2: The VICReg loss", or the id where a title has none."""
    return task.title.partition(":")[0].removeprefix("Task ") if task.title.startswith("Task ") else task.id


def output(item: ItemResult) -> str:
    """The verdict, why, and what to look at."""
    mark, word, _ = MARKS[item.verdict]
    hint = f"Hint: {item.hint}" if item.hint else ""
    return plain("\n".join(part for part in (f"{mark} {word}", item.message or MEANINGS.get(item.verdict, ""), hint) if part))
