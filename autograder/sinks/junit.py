"""junit.xml: a test suite for each task, a test case for each item, for CI services and whatever else reads JUnit's XML.

JUnit knows four outcomes, and we have six: `failed` is a failure, `crashed` and `grader_fault` are errors of these types,
`not_attempted` and `blocked` are skipped, with that word as their message. Points and verdicts are properties, as
pytest writes them. Each suite repeats the totals of the whole report, for the format has no place above it.
"""
import xml.etree.ElementTree as xml

from autograder.report import ItemResult, Report, TaskResult
from autograder.sinks import finite, number, one_line, plain, without_log_commands

FILE = "junit.xml"
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
OUTCOMES = {
    "failed": "failure",
    "crashed": "error",
    "grader_fault": "error",
    "not_attempted": "skipped",
    "blocked": "skipped",
}


def render(report: Report) -> str:
    """The report as XML that is well-formed whatever a student wrote. Raises ValueError for a number that is not finite."""
    root = xml.Element("testsuites", {"name": one_line(report.submission), **counts(report.items())})
    del root.attrib["skipped"]  # which JUnit's schemas have for a suite only
    for task in report.tasks:
        suite = xml.SubElement(root, "testsuite", {"name": one_line(task.title), **counts(task.items)})
        add_properties(suite, {**of_report(report), **of_task(task)})
        for item in task.items:
            add_case(suite, task, item)
    xml.indent(root)
    text = xml.tostring(root, encoding="unicode")
    return HEAD + without_log_commands(text, lambda character: f"&#{ord(character)};") + "\n"


def counts(items: list[ItemResult]) -> dict[str, str]:
    """How many test cases there are, and how many of each of JUnit's outcomes, with the time that they took."""
    outcomes = [OUTCOMES.get(item.verdict) for item in items]
    names = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    found = {name: str(outcomes.count(outcome)) for name, outcome in names.items()}
    return {"tests": str(len(items)), **found, "time": seconds(sum(item.seconds for item in items))}


def of_report(report: Report) -> dict[str, str]:
    points = {name: number(getattr(report, name)) for name in ("total", "max_total", "bonus", "max_bonus")}
    notes = {f"note_{index}": one_line(note) for index, note in enumerate(report.notes, start=1)}
    return {"submission": one_line(report.submission), "sandbox": one_line(report.sandbox), **points, **notes}


def of_task(task: TaskResult) -> dict[str, str]:
    points = {"points": number(task.points), "max_points": number(task.max_points)}
    return {"task": task.id, **points, "is_bonus": str(task.bonus).lower()}


def add_case(suite: xml.Element, task: TaskResult, item: ItemResult) -> None:
    name = {"classname": task.id, "name": one_line(item.title), "time": seconds(item.seconds)}
    case = xml.SubElement(suite, "testcase", name)
    told = {"id": item.id, "verdict": item.verdict, "visibility": item.visibility}
    points = {"points": number(item.points), "max_points": number(item.max_points)}
    mistake = {"misconception": one_line(item.misconception)} if item.misconception else {}
    add_properties(case, {**told, **points, **mistake})
    if item.verdict in OUTCOMES:
        word = item.verdict.replace("_", " ")
        outcome = xml.SubElement(case, OUTCOMES[item.verdict], {"type": item.verdict, "message": word})
        outcome.text = explained(item)


def explained(item: ItemResult) -> str:
    """The message and the hint, as text."""
    return plain("\n".join(part for part in (item.message, item.hint and f"Hint: {item.hint}") if part))


def add_properties(element: xml.Element, values: dict[str, str]) -> None:
    properties = xml.SubElement(element, "properties")
    for name, value in values.items():
        xml.SubElement(properties, "property", {"name": name, "value": value})


def seconds(value: float) -> str:
    return f"{finite(value):.3f}"
