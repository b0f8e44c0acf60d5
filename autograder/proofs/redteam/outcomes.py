"""What must have happened: functions that look at a report and raise Broken, or that make such a function."""
from collections.abc import Callable

from autograder.proofs.redteam import Broken
from autograder.report import ItemResult, Report

MARKS = ("LEAK", "ESCAPED", "FORGED")  # what an attack writes where it succeeded


def must(holds, why) -> None:
    """Raise Broken unless `holds`."""
    if not holds:
        raise Broken(str(why))


def items(report: Report, task: str) -> list[ItemResult]:
    return next(each for each in report.tasks if each.id == task).items


def seen(report: Report) -> list[tuple[str, str, str]]:
    """The items that did not pass, for a message."""
    return [(item.id, item.verdict, item.message[:300]) for item in report.items() if item.verdict != "passed"]


def sound(report: Report) -> None:
    """Holds after every attack: nothing leaked or escaped, no fault of the grader, and no points without a pass."""
    import json

    text = json.dumps(report.as_dict(), ensure_ascii=False)
    for mark in MARKS:
        must(mark not in text, f"{mark} in the report: {text[max(0, text.find(mark) - 200) : text.find(mark) + 200]}")
    must(report.count("grader_fault") == 0, f"a grader fault, which costs no points: {seen(report)}")
    must(all(item.points == 0 for item in report.items() if item.verdict != "passed"), seen(report))


def lost(verdict: str, *words: str, task: str = "vicreg", whole_task: str = "warmup") -> Callable[[Report], None]:
    """Some item of `task` has this verdict and says each of `words`; `whole_task` is whole."""

    def check(report: Report) -> None:
        hit = [item for item in items(report, task) if item.verdict == verdict]
        must(hit, seen(report))
        for word in words:
            must(any(word.lower() in item.message.lower() for item in hit), (word, seen(report)))
        whole(report, whole_task)

    return check


def failed(*ids: str, passed: tuple[str, ...] = ()) -> Callable[[Report], None]:
    """These items earned nothing, and those in `passed` all of their points."""

    def check(report: Report) -> None:
        verdicts = {item.id: item.verdict for item in report.items()}
        for name in ids:
            must(verdicts[name] in ("failed", "crashed"), (name, verdicts[name]))
        for name in passed:
            must(verdicts[name] == "passed", (name, verdicts[name], seen(report)))

    return check


def no_credit(report: Report) -> None:
    """The wrong variance_loss of this attack earned nothing; the losses that were left alone passed, and so did warmup."""
    verdicts = {item.id: item.verdict for item in items(report, "vicreg")}
    for name in ("vicreg.variance_value", "vicreg.variance_constant", "vicreg.variance_batches"):
        must(verdicts[name] in ("failed", "crashed"), (name, verdicts[name]))
    whole(report, "warmup")


def full_marks(report: Report) -> None:
    must(report.total == report.max_total, seen(report))


def own_loss(report: Report) -> None:
    """It may have cost the submission items that are right; the other task is whole."""
    whole(report, "warmup")


def nothing(report: Report) -> None:
    must(report.total == 0, seen(report))


def whole(report: Report, task: str) -> None:
    must(all(item.verdict == "passed" for item in items(report, task)), seen(report))


def note(*words: str, then: Callable[[Report], None] = full_marks) -> Callable[[Report], None]:
    """The report's notes say each of `words`, and `then` holds."""

    def check(report: Report) -> None:
        for word in words:
            must(any(word in each for each in report.notes), (word, report.notes))
        then(report)

    return check


def rejected(*words: str) -> Callable[[Report], None]:
    """Refused before any of it ran, for a reason that has `words` in it."""
    return note("rejected before running", *words, then=nothing)


def only_task_lost(task: str, verdict: str, *words: str, other: str = "") -> Callable[[Report], None]:
    """Everything in `task` has this verdict, with these words in each message; the other task is whole."""

    def check(report: Report) -> None:
        for item in items(report, task):
            must(item.verdict in (verdict, "blocked"), seen(report))
            if item.verdict == verdict:
                must(all(word in item.message for word in words), seen(report))
        whole(report, other or ("warmup" if task != "warmup" else "vicreg"))

    return check


def everything(*checks: Callable[[Report], None]) -> Callable[[Report], None]:
    """All of `checks` hold."""

    def check(report: Report) -> None:
        for each in checks:
            each(report)

    return check


def happened(report: Report) -> str:
    """A report in one line: what the items came to, why, and what was left of the rest."""
    for each in report.notes:
        if each.startswith("rejected before running"):
            return one_line(f"{each}; 0 of {report.max_total:g} points")
    parts = []
    for verdict, word in (("crashed", "crashed"), ("failed", "failed"), ("not_attempted", "not attempted"), ("blocked", "not run")):
        hit = [item for item in report.items() if item.verdict == verdict]
        if hit:
            why = f" ({came(hit[0])})" if verdict in ("crashed", "failed") else ""
            parts.append(f"{len(hit)} item{'s' if len(hit) > 1 else ''} {word}{why}")
    if not parts:
        return f"all {len(report.items())} items passed, full marks"
    kept = [task.title.partition(":")[0] for task in report.tasks if task.points == task.max_points]
    parts.append(f"{report.total:g} of {report.max_total:g} points" + (f", {' and '.join(kept)} whole" if kept else ""))
    return one_line("; ".join(parts))


def came(item: ItemResult) -> str:
    """What came instead, as the item's message has it."""
    lines = [line for line in item.message.splitlines() if line.startswith("Came:")] or item.message.splitlines()
    return lines[0].removeprefix("Came:").strip() if lines else ""


def one_line(text: str, limit: int = 160) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
