"""The report: one tree of plain data that every sink renders. `report.schema.json` is its JSON Schema."""
import dataclasses
import os
import re
import tempfile
from pathlib import Path

VERDICTS = ("passed", "failed", "crashed", "not_attempted", "blocked", "grader_fault")
MAX_TEXT = 6000  # characters of one message
CODE_HEADING = "Input (Python code; leave out the margin when you paste it):"
COMES_OF = "This is what comes of"  # how a message tells of a known mistake, or of a convention that is as right as ours
MISTAKE, CONVENTION = "a known mistake", "another convention"
MARGIN = "    "  # before each line of code in a message


@dataclasses.dataclass
class ItemResult:
    """One item's outcome. `seconds` is wall-clock; `misconception` the name of a recognized mistake, or None."""

    id: str
    title: str
    visibility: str
    verdict: str
    points: float
    max_points: float
    message: str = ""
    hint: str = ""
    misconception: str | None = None
    seconds: float = 0.0


@dataclasses.dataclass
class TaskResult:
    id: str
    title: str
    points: float
    max_points: float
    items: list[ItemResult]
    bonus: bool = False  # counts beside the total, not in it


@dataclasses.dataclass
class Report:
    submission: str
    total: float
    max_total: float
    sandbox: str
    notes: list[str]
    tasks: list[TaskResult]
    bonus: float = 0.0  # points in bonus tasks; `total` is without them
    max_bonus: float = 0.0
    receipt: dict = dataclasses.field(default_factory=dict)  # what the verdicts rest on (receipt.py); empty for `check`

    def items(self) -> list[ItemResult]:
        return [item for task in self.tasks for item in task.items]

    def count(self, verdict: str) -> int:
        return sum(item.verdict == verdict for item in self.items())

    def as_dict(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> "Report":
        tasks = [TaskResult(**{**task, "items": [ItemResult(**item) for item in task["items"]]}) for task in data["tasks"]]
        return cls(**{**data, "tasks": tasks})


def build(submission: str, rubric, results: dict[str, ItemResult], sandbox: str, notes: list[str]) -> Report:
    """Join the items' results into the tree, in the rubric's order, with all text made harmless."""
    tasks = []
    for task in rubric.tasks:
        items = [results[item.id] for item in task.items]
        points, most = sum(each.points for each in items), sum(each.max_points for each in items)
        title = f"Task {task.number}: {task.title}{' (bonus)' if task.bonus else ''}"
        tasks.append(TaskResult(task.id, title, round(points, 6), round(most, 6), items, task.bonus))
    notes = [clean(note) for note in notes]
    return Report(clean(submission), *summed(tasks, False), sandbox, notes, tasks, *summed(tasks, True))


def summed(tasks: list[TaskResult], bonus: bool) -> tuple[float, float]:
    """Points earned and to be had in the bonus tasks, or in the others."""
    chosen = [task for task in tasks if task.bonus == bonus]
    return round(sum(task.points for task in chosen), 6), round(sum(task.max_points for task in chosen), 6)


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text that may hold anything a student wrote, with control characters made visible and its length capped."""
    text = text.encode("utf-8", errors="backslashreplace").decode("utf-8")
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    # C0 and C1 controls, and the marks that reverse or hide text
    text = re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", visible, text)
    return text if len(text) <= limit else text[:limit] + f"\n… ({len(text) - limit} more characters)"


def visible(match: re.Match) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def split_code(message: str) -> tuple[str, str, str]:
    """What stands before the code to paste, the code without its margin, and what stands after it.

    Only a heading at the start of a line counts, and only the first: what a student's code prints has a margin itself.
    """
    before, heading, rest = f"\n{message}".partition(f"\n{CODE_HEADING}\n")
    if not heading:
        return message, "", ""
    lines = rest.split("\n")
    count = next((i for i, line in enumerate(lines) if not line.startswith(MARGIN)), len(lines))
    code = "\n".join(line.removeprefix(MARGIN) for line in lines[:count])
    return before.removeprefix("\n"), code, "\n".join(lines[count:])


def kind_of_misconception(item: ItemResult) -> str:
    """CONVENTION where conventions alone were recognized in an item that has a `misconception`, else MISTAKE."""
    told = [line for line in item.message.split("\n") if line.startswith(COMES_OF)]
    only = told and all(line.startswith(f"{COMES_OF} {CONVENTION} in ") for line in told)
    return CONVENTION if only else MISTAKE


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all, also under Ctrl-C and kill -9."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
