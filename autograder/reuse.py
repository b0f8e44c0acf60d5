"""What a stored report is still good for: which of its verdicts hold, why others do not, and what has changed.

A verdict is kept where nothing that it rests on has changed. The unit is the task: its checks share files, and may share a
training run. A changed submission is graded again as a whole, for any of its files may import or read any other.
"""
import dataclasses
import functools
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path

from autograder import receipt
from autograder.report import ItemResult, Report, clean
from autograder.rubric import Item, Rubric, Task

SCHEMA = Path(__file__).with_name("report.schema.json")
# How messages.py begins to tell of a hidden item. Its own module imports PyTorch.
PROPERTIES = ("This property does not hold: ", "A call stopped before it could be seen whether this property holds: ")


class Unusable(Exception):
    """A stored report from which nothing can be kept; the message says why."""


@dataclasses.dataclass
class Plan:
    """What is kept from a stored report, and by task why the rest is not."""

    kept: dict[str, ItemResult]
    reasons: dict[str, list[str]]


@dataclasses.dataclass(frozen=True)
class Change:
    """One item that came out differently than in the stored report."""

    item: str
    before: ItemResult
    after: ItemResult
    reasons: tuple[str, ...]

    def describe(self) -> str:
        verdicts = dict.fromkeys(each.verdict.replace("_", " ") for each in (self.before, self.after))
        points = dict.fromkeys(f"{each.points:g}" for each in (self.before, self.after))
        why = "; ".join(self.reasons) or "nothing in the receipt has changed"
        return f"{self.item}: {' → '.join(verdicts)}, {' → '.join(points)} points ({why})"


# -- the stored report ----------------------------------------------------------------------------------------------


def load(path: Path) -> Report | None:
    """The report stored in `path`; None where there is none. Raises Unusable for one that is not as it was written."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"cannot be read ({type(error).__name__})") from None
    import jsonschema  # takes over a second, and mostly nothing is stored

    try:
        data = json.loads(text, parse_constant=refuse)
        validator().validate(data)
    except (ValueError, RecursionError):
        raise Unusable("is not valid JSON") from None
    except jsonschema.ValidationError as error:
        raise Unusable(f"does not fit report.schema.json (at {error.json_path})") from None
    report = Report.from_dict(data)
    if not report.receipt:
        raise Unusable("has no receipt")
    if receipt.of_results(report) != report.receipt["results"]:
        raise Unusable("was changed after it was written")
    return report


def refuse(constant: str):
    raise ValueError(f"{constant} is no number of a report")


@functools.cache
def validator():
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


# -- what is kept ---------------------------------------------------------------------------------------------------


def plan(stored: Report, now: dict, rubric: Rubric, full_rubric: Rubric) -> Plan:
    """What of a stored report holds under the receipt `now` for the tasks of `rubric`."""
    everywhere = reasons_for_all(stored, now)
    before = {task.id: {item.id: item for item in task.items} for task in stored.tasks}
    asked = {task.id for task in rubric.tasks}
    kept, reasons = {}, {}
    for task in rubric.tasks:  # what a task builds on stands above it
        found = everywhere + reasons_for_task(stored.receipt, now, task)
        for other in builds_on(task, full_rubric):
            if reasons.get(other):
                found.append(f"{other}, on which it builds, is graded again")
            elif other in before and other not in asked:
                found.append(f"{other}, on which it builds, is left out now")
        reasons[task.id] = found
        if not found:
            kept |= {item.id: renewed(before[task.id][item.id], item, stored, full_rubric) for item in task.items}
    return Plan(kept, reasons)


def reasons_for_all(stored: Report, now: dict) -> list[str]:
    """What has changed that may change any verdict."""
    old, reasons = stored.receipt, []
    if changed := differing(old["submission"], now["submission"]):
        reasons.append(f"the submission changed: {', '.join(changed)}")
    if stored.count("grader_fault"):
        reasons.append("the grader had failed")
    if any(note.startswith("rejected before running") for note in stored.notes):
        reasons.append("the submission had been refused")
    if old["sandbox"] != now["sandbox"]:
        reasons.append(f"the sandbox changed: {old['sandbox'].partition(':')[0]} → {now['sandbox'].partition(':')[0]}")
    for name in differing(old["versions"], now["versions"]):
        reasons.append(f"{name} {old['versions'].get(name, 'unknown')} → {now['versions'].get(name, 'unknown')}")
    if old["grader"] != now["grader"]:
        reasons.append("the grader's own code changed")
    if old["handed_out"] != now["handed_out"]:
        reasons.append("the files handed out changed")
    return reasons


def reasons_for_task(old: dict, now: dict, task: Task) -> list[str]:
    """What has changed that one task's verdicts rest on."""
    if task.id not in old["checks"] or any(item.id not in old["rubric"] for item in task.items):
        return ["not graded before"]
    reasons = []
    if old["checks"][task.id] != now["checks"][task.id]:
        reasons.append(f"the checks of {task.id} changed")
    for part, words in (("reference", "the reference of"), ("mistakes", "the known mistakes in")):
        changed = [each for each in now["calls"][task.id] if old[part].get(each) != now[part][each]]
        if changed:
            reasons.append(f"{words} {', '.join(changed)} changed")
    rules = [item.id for item in task.items if old["rubric"][item.id]["rules"] != now["rubric"][item.id]["rules"]]
    if rules:
        reasons.append(f"the rubric: limits, prerequisites, visibility or seeds of {', '.join(rules)} changed")
    return reasons


def builds_on(task: Task, full_rubric: Rubric) -> list[str]:
    """The other tasks whose results a task's verdicts or messages depend on."""
    named = {name for item in task.items for name in (*item.requires, *item.uses)}
    above = [each.id for each in full_rubric.tasks if named & {each.id, *(item.id for item in each.items)}]
    return [name for name in above if name != task.id]


def differing(old: dict, now: dict) -> list[str]:
    return sorted(name for name in old.keys() | now.keys() if old.get(name) != now.get(name))


# -- points and words, for which nothing has to be run ----------------------------------------------------------------


def renewed(result: ItemResult, item: Item, stored: Report, full_rubric: Rubric) -> ItemResult:
    """A kept result with the points, title and hint that the rubric has now, also where a message quotes them."""
    return dataclasses.replace(
        result,
        title=item.title,
        points=item.points if result.verdict == "passed" else 0.0,
        max_points=item.points,
        hint=item.hint if result.verdict in ("failed", "crashed") else "",
        message=reworded(result, item, titles(stored, full_rubric)),
    )


def titles(stored: Report, full_rubric: Rubric) -> dict[str, str]:
    """From the titles in a stored report to those that the items have now."""
    now = {item.id: item.title for item in full_rubric.items()}
    return {item.title: now[item.id] for item in stored.items() if item.id in now}


def reworded(result: ItemResult, item: Item, titles: dict[str, str]) -> str:
    """The message with the item's own property, and the titles of items that it points to, as they read now."""
    message = re.sub("“(.*?)”", lambda match: f"“{titles.get(match[1], match[1])}”", result.message)
    lines = message.split("\n")
    stated = ((number, words) for number, line in enumerate(lines) for words in PROPERTIES if line.startswith(words))
    if item.visibility == "hidden" and (first := next(stated, None)):
        lines[first[0]] = f"{first[1]}{item.property or item.title}."
    return clean("\n".join(lines))


# -- what has changed -------------------------------------------------------------------------------------------------


def changes(stored: Report, now: Report, reasons: dict[str, list[str]]) -> list[Change]:
    """The items that ended in another verdict or with other points than before."""
    before = {item.id: item for item in stored.items()}
    found = []
    for task in now.tasks:
        for item in task.items:
            old = before.get(item.id)
            if old is None or (old.verdict, old.points) == (item.verdict, item.points):
                continue
            why = list(reasons.get(task.id, []))
            if not math.isclose(old.max_points, item.max_points):
                why.append(f"the rubric: points of {item.id} {old.max_points:g} → {item.max_points:g}")
            found.append(Change(item.id, old, item, tuple(why)))
    return found


def gain(changes: Iterable[Change]) -> float:
    """Points won or lost by these changes."""
    return round(sum(each.after.points - each.before.points for each in changes), 6)
