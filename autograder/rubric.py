"""Reads rubric.toml: tasks, items, points, limits and the words a student sees. Every inconsistency is a RubricError."""
import dataclasses
import tomllib
from collections.abc import Iterable
from pathlib import Path

from autograder.forkserver import LIBRARIES, Limits

DEFAULT = Path(__file__).with_name("rubric.toml")
VISIBILITIES = ("public", "hidden")


class RubricError(Exception):
    """The rubric contradicts itself or the checks; the message says where and what to do."""


@dataclasses.dataclass(frozen=True)
class Item:
    id: str
    title: str
    points: float
    visibility: str
    hint: str
    requires: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    property: str = ""
    seconds: float = 0.0  # limit of one call; 0 stands for the rubric's default
    return_memory: bool = False  # the check is about memory: what the code frees goes back to the system at once


@dataclasses.dataclass(frozen=True)
class Task:
    id: str
    number: int
    title: str
    items: tuple[Item, ...]
    libraries: tuple[str, ...] = ()  # loaded once before the task's workers are forked
    bonus: bool = False  # its points come on top of the total


@dataclasses.dataclass(frozen=True)
class Question:
    """A discussion question, answered in words and graded by hand (criteria: solutions/discussion/<id>.md)."""

    id: str
    task: str  # the task whose section of the handout asks it
    title: str
    points: float
    prompt: str  # Markdown
    bonus: bool = False  # its points come on top of the total


@dataclasses.dataclass(frozen=True)
class Rubric:
    version: int
    files: tuple[str, ...]
    tasks: tuple[Task, ...]
    limits: dict
    questions: tuple[Question, ...] = ()

    def items(self) -> list[Item]:
        return [item for task in self.tasks for item in task.items]

    def task_of(self, item_id: str) -> Task:
        return next(task for task in self.tasks for item in task.items if item.id == item_id)

    def worker_limits(self, item: Item) -> Limits:
        call = item.seconds or self.limits["call_seconds"]
        return Limits(
            call_seconds=call,
            seconds=max(self.limits["item_seconds"], call),
            memory_bytes=int(self.limits["memory_mib"]) * 1024**2,
            processes=int(self.limits["processes"]),
            file_bytes=int(self.limits["file_mib"]) * 1024**2,
            return_memory=item.return_memory,
        )

    def only(self, names: Iterable[str] = (), visibility: str | None = None) -> "Rubric":
        """The part for the named tasks (ids or numbers; none: all) and one visibility."""
        wanted = [self.find_task(name) for name in names] or list(self.tasks)
        tasks = []
        for task in self.tasks:
            items = tuple(item for item in task.items if visibility in (None, item.visibility))
            if task in wanted and items:
                tasks.append(dataclasses.replace(task, items=items))
        return dataclasses.replace(self, tasks=tuple(tasks))

    def find_task(self, name: str) -> Task:
        for task in self.tasks:
            if name in (task.id, str(task.number)):
                return task
        known = ", ".join(f"{task.number} {task.id}" for task in self.tasks)
        raise RubricError(f"there is no task {name!r}; the tasks are: {known}")


def load(path: Path = DEFAULT) -> Rubric:
    """The rubric in `path`. Raises RubricError naming the file and the entry that is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RubricError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RubricError(f"{path}: not valid TOML: {error}") from None
    try:
        tasks = tuple(parse_task(each) for each in data["task"])
        questions = tuple(Question(**each) for each in data.get("question", []))
        rubric = Rubric(data["version"], tuple(data["assignment"]["files"]), tasks, data["limits"], questions)
    except KeyError as error:
        raise RubricError(f"{path}: the key {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise RubricError(f"{path}: {error}") from None
    validate(rubric, path)
    return rubric


def parse_task(data: dict) -> Task:
    items = tuple(parse_item(each, data["id"]) for each in data.get("item", []))
    libraries = tuple(data.get("libraries", ()))
    if unknown := set(libraries) - set(LIBRARIES):
        raise ValueError(f"task {data['id']!r} names the unknown library {sorted(unknown)[0]!r}")
    return Task(data["id"], int(data["number"]), data["title"], items, libraries, bool(data.get("bonus", False)))


def parse_item(data: dict, task: str) -> Item:
    known = {field.name for field in dataclasses.fields(Item)}
    if unknown := set(data) - known:
        raise ValueError(f"item {data.get('id', '?')!r} of task {task!r} has the unknown key {sorted(unknown)[0]!r}")
    for key in ("id", "title", "hint"):
        if not isinstance(data.get(key), str) or not data[key].strip():
            raise ValueError(f"item {data.get('id', '?')!r} of task {task!r} needs a {key}")
    for key in ("title", "property"):
        if "\n" in data.get(key, ""):
            raise ValueError(f"item {data['id']!r} has a {key} of more than one line")
    if not data["id"].startswith(task + "."):
        raise ValueError(f"item {data['id']!r} stands under task {task!r}, so its id must start with {task + '.'!r}")
    names = {key: tuple(data.get(key, ())) for key in ("requires", "uses")}
    return Item(**{**data, **names, "points": float(data.get("points", 0))})


def validate(rubric: Rubric, path: Path) -> None:
    seen = {task.id for task in rubric.tasks}
    for item in rubric.items():
        if item.id in seen:
            raise RubricError(f"{path}: the id {item.id!r} is used twice")
        if item.visibility not in VISIBILITIES:
            raise RubricError(f"{path}: {item.id}: visibility is {item.visibility!r}, not public or hidden")
        if not 0 <= item.points < 1000:
            raise RubricError(f"{path}: {item.id}: points must be a number from 0 to 999, not {item.points:g}")
        for name in (*item.requires, *item.uses):
            if name not in seen:
                verb = "requires" if name in item.requires else "uses"
                raise RubricError(f"{path}: {item.id} {verb} {name!r}, which does not stand above it")
        seen.add(item.id)
    tasks = {task.id for task in rubric.tasks}
    for question in rubric.questions:
        if question.id in seen:
            raise RubricError(f"{path}: the id {question.id!r} is used twice")
        if question.task not in tasks:
            raise RubricError(f"{path}: question {question.id!r} belongs to {question.task!r}, which is no task")
        if not 0 <= question.points < 1000:
            raise RubricError(f"{path}: {question.id}: points must be a number from 0 to 999, not {question.points}")
        seen.add(question.id)


def match_checks(rubric: Rubric, checks: Iterable[str]) -> None:
    """Raise RubricError unless items and checks correspond one to one."""
    checks = list(checks)
    items = {item.id for item in rubric.items()}
    for name in checks:
        if name not in items:
            raise RubricError(f"a check is marked {name!r}, but no line of the rubric has that id: add one, or correct the marker")
    for item in rubric.items():
        if item.id not in checks:
            raise RubricError(f"the rubric names the item {item.id!r}, but no check is marked with it")
