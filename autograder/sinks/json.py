"""report.json: the report as it is, for programs. Its schema is report.schema.json."""
import json
import re

from autograder.report import Report
from autograder.sinks import without_log_commands

FILE = "report.json"
UNSEEN = re.compile(r"[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")  # JSON may hold them as they are


def render(report: Report) -> str:
    """The whole report as JSON. Raises ValueError for a number that is not finite."""
    return dumps(report.as_dict())


def dumps(data: object) -> str:
    """JSON in UTF-8 with nothing in it that controls or hides text, or gives a CI service a command. ValueError for NaN."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A lone surrogate cannot be encoded; as \udc80 it is JSON's own way to write one.
    text = text.encode("utf-8", errors="backslashreplace").decode("utf-8")
    return without_log_commands(UNSEEN.sub(lambda found: escaped(found.group()), text), escaped)


def escaped(character: str) -> str:
    return f"\\u{ord(character):04x}"
