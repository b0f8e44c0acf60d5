"""Writes a course that nbgrader accepts: notebooks with its cells, the students' files, configuration and gradebook.

    COURSE/nbgrader_config.py           how nbgrader grades: with our preprocessors
    COURSE/gradebook.db                 points and comments
    COURSE/source/ASSIGNMENT/*.ipynb    a notebook for each part: a locked test cell for each task, a cell for each answer
    COURSE/source/ASSIGNMENT/           the files that students edit, what is given, the checks that they may run, their guide

nbgrader copies `source/` to students almost as it is. So nothing lies there that they must not have: solutions, hidden
checks, known mistakes and criteria stay in this repository, and are read from here while grading.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import nbformat
from rich.console import Console

from autograder import rubric
from autograder.report import write_atomically
from release import notebooks, packing
from release.student.files import collect

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = "nbgrader_config.py"
TEMPLATE = Path(__file__).with_name("config.py.txt")
SCHEMA = 3  # of nbgrader's metadata
# Of the copy for students; its README tells of folders as nbgrader does not lay them out.
GOES_OUT = ("assignment/", "autograder/", "docs/", "LICENSE", "constraints.txt", "environment.yml")
OWN_NOTEBOOKS = "assignment/notebooks/"  # nbgrader's copies of them lie at the top


class CourseError(ValueError):
    """The course cannot be written, or is not as it was written; the message says what to do."""


# ---- what students receive ----------------------------------------------------------------------------------------


def student_files(root: Path) -> dict[str, bytes]:
    """What goes out beside the notebooks, by its path in the assignment: own and given files, checks, guide, packages.

    As in the copy for students, of which this is a part. Raises PackingError, RubricError and OSError.
    """
    return {name: data for name, data in collect(root).items() if name.startswith(GOES_OUT) and not name.startswith(OWN_NOTEBOOKS)}


# ---- notebooks ----------------------------------------------------------------------------------------------------


def make_notebooks(root: Path, part: rubric.Rubric) -> dict[str, str]:
    """The notebooks of the tasks in `part` by file name, with nbgrader's cells. Raises CourseError."""
    made = {}
    for path, text in notebooks.all_notebooks(root).items():
        notebook = nbformat.reads(text, as_version=4)
        if mark(notebook, part):
            made[path.name] = nbformat.writes(notebook) + "\n"
    found = {grade_id for text in made.values() for grade_id in test_cells(nbformat.reads(text, as_version=4))}
    if missing := [task.id for task in part.tasks if task.id not in found]:
        raise CourseError(f'no notebook has the cell check("{missing[0]}"), which would hold the points of that task')
    return made


def mark(notebook, part: rubric.Rubric) -> int:
    """Turn checks and questions into nbgrader's cells; how many of them bear points."""
    tasks = {f"check-{task.id.replace('_', '-')}": task for task in part.tasks}
    asked = {question.id: question for question in questions(part)}
    for cell in notebook.cells:
        kind, _, name = cell.id.partition("-")
        if cell.id in tasks:
            task = tasks[cell.id]
            describe(cell, task.id, points=sum(item.points for item in task.items), locked=True)
        elif kind == "question" and name in asked:
            describe(cell, cell.id, locked=True)
        elif kind == "answer" and name in asked:
            describe(cell, name, points=asked[name].points, solution=True)
    return sum("points" in cell.metadata.get("nbgrader", {}) for cell in notebook.cells)


def questions(part: rubric.Rubric) -> list[rubric.Question]:
    """The discussion questions that belong to the tasks in `part`."""
    tasks = {task.id for task in part.tasks}
    return [question for question in part.questions if question.task in tasks]


def describe(cell, grade_id: str, points: float | None = None, locked: bool = False, solution: bool = False) -> None:
    """nbgrader's metadata: a test (points, locked), an answer graded by hand (points, solution) or a text to read."""
    graded = {} if points is None else {"points": points}
    cell.metadata["nbgrader"] = {
        "schema_version": SCHEMA, "grade_id": grade_id, "grade": points is not None, "solution": solution,
        "locked": locked, "task": False, **graded,
    }  # fmt: skip


def test_cells(notebook) -> dict[str, float]:
    """The locked cells whose points our grader gives: their maxima by grade_id, which is the task's id."""
    return maxima(notebook, "code", "locked")


def answer_cells(notebook) -> dict[str, float]:
    """The cells whose points are given by hand: their maxima by grade_id, which is the question's id."""
    return maxima(notebook, "markdown", "solution")


def maxima(notebook, cell_type: str, mark_: str) -> dict[str, float]:
    data = [cell.metadata.get("nbgrader", {}) for cell in notebook.cells if cell.cell_type == cell_type]
    return {each["grade_id"]: float(each["points"]) for each in data if each.get("grade") and each.get(mark_)}


def graded_tasks(released: Path) -> dict[str, float]:
    """The maxima of all tasks that a released assignment grades, by id. Raises CourseError where there is none."""
    if found := everywhere(released, test_cells):
        return found
    raise CourseError(f"{released} holds no graded notebook: run `nbgrader generate_assignment {released.name}` first")


def everywhere(released: Path, cells: Callable) -> dict[str, float]:
    """What `cells` finds in all notebooks of an assignment."""
    found = {}
    for path in sorted(released.glob("*.ipynb")):
        found |= cells(nbformat.read(path, as_version=4))
    return found


def asked_part(full: rubric.Rubric, points: dict[str, float], assignment: str) -> rubric.Rubric:
    """The part of the rubric for these tasks. Raises CourseError where its points are not those of the course."""
    chosen = task_options(points, full)
    known = {task.id: sum(item.points for item in task.items) for task in full.tasks}
    compare_points(known, points, assignment, chosen, "grades the task")
    return full.only(points)


def check_questions(part: rubric.Rubric, full: rubric.Rubric, points: dict[str, float], assignment: str) -> None:
    """Raise CourseError where the points of questions are not those of the course: who grades by hand sees the rubric's."""
    chosen = task_options([task.id for task in part.tasks], full)
    known = {question.id: question.points for question in full.questions}
    compare_points(known, points, assignment, chosen, "asks the question")


def task_options(tasks: Collection[str], full: rubric.Rubric) -> str:
    """What chooses these tasks on the command line; nothing for all of them."""
    return "" if len(tasks) == len(full.tasks) else "".join(f" --task {each}" for each in tasks)


def compare_points(known: dict[str, float], points: dict[str, float], assignment: str, chosen: str, does: str) -> None:
    for name, given in points.items():
        if name not in known:
            raise CourseError(f"{assignment} {does} {name!r}, which the rubric does not have (any more)")
        if abs(known[name] - given) > 1e-9:
            again = f"`make assignment`, `python -m release nbgrader COURSE --assignment {assignment}{chosen} --force`"
            told = f"run {again}, then `nbgrader generate_assignment {assignment} --force`"
            raise CourseError(f"the rubric gives {known[name]:g} points for {name}, {assignment} {given:g}: {told}")


# ---- the course ---------------------------------------------------------------------------------------------------


def plan(root: Path, course: Path, assignment: str, part: rubric.Rubric) -> dict[Path, bytes]:
    """Every file of the course but the gradebook, by its path, with what it should hold. Raises CourseError and PackingError."""
    source = course / "source" / assignment
    made = {course / CONFIG: configuration(course, root, part.files).encode()}
    made |= {source / name: text.encode() for name, text in make_notebooks(root, part).items()}
    return made | {source / name: data for name, data in student_files(root).items()}


def configuration(course: Path, root: Path, files: Iterable[str]) -> str:
    edited = [f"assignment/{name}" for name in files]
    values = {"{{REPOSITORY}}": repr(str(root)), "{{COURSE}}": repr(course.resolve().name), "{{EDITED}}": repr(edited)}
    text = TEMPLATE.read_text(encoding="utf-8")
    for mark_, value in values.items():
        text = text.replace(mark_, value)
    return text


def check_place(course: Path, may_replace: bool, root: Path) -> None:
    """Raise CourseError where the folder is something else than a course, PackingError where it is this project's."""
    packing.refuse_project(course, root)
    if course.exists() and not course.is_dir():
        raise CourseError(f"{course} is a file; name a folder")
    if not may_replace and course.is_dir() and any(course.iterdir()) and not (course / CONFIG).exists():
        raise CourseError(f"{course} is not empty and no course: name another folder, or take --force")


def stale_notebooks(made: dict[Path, bytes], source: Path, root: Path) -> list[Path]:
    """Notebooks of this project that an earlier command wrote, with more tasks, and that do not belong there any more."""
    ours = (source / path.name for path in notebooks.all_notebooks(root))
    return [path for path in ours if path not in made and path.is_file()]


def refuse_overwriting(made: dict[Path, bytes], stale: list[Path], course: Path) -> None:
    """Raise CourseError where writing would destroy files that somebody has changed, or notebooks."""
    mine = [(path, data) for path, data in made.items() if path.name != CONFIG and path.exists()]
    if changed := [path for path, data in mine if path.read_bytes() != data]:
        first = changed[0].relative_to(course)
        raise CourseError(f"{first} in {course} is not as it would be written: --force replaces it, --dry-run shows all")
    if stale:
        first = stale[0].relative_to(course)
        raise CourseError(f"{first} in {course} does not belong to these tasks: --force removes it, --dry-run shows all")


def write(made: dict[Path, bytes]) -> list[Path]:
    """Write what is not there yet or another. Returns the changed."""
    changed = [path for path, data in made.items() if not path.exists() or path.read_bytes() != data]
    changed = [path for path in changed if path.name != CONFIG or not path.exists()]  # it is the instructor's now
    for path in changed:
        write_atomically(path, made[path].decode("utf-8"))
    return changed


def make_gradebook(course: Path) -> bool:
    """Make the gradebook, whole or not at all, where there is none; whether it was made."""
    path = course.resolve() / "gradebook.db"
    if path.exists():
        return False
    print("making the gradebook ...", flush=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".gradebook-") as folder, programs_beside_python():
        from nbgrader.api import Gradebook

        Gradebook(f"sqlite:///{folder}/gradebook.db", path.parent.name).close()
        os.replace(Path(folder, "gradebook.db"), path)
    return True


@contextlib.contextmanager
def programs_beside_python() -> Iterator[None]:
    """nbgrader calls `alembic` by its name, which lies beside this Python even where no environment is active."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), before))
    try:
        yield
    finally:
        os.environ["PATH"] = before


def build(course: Path, assignment: str, tasks: list[str], force: bool, dry_run: bool, root: Path = ROOT) -> int:
    """The command: write the course, or say what would be written. Raises CourseError, PackingError, RubricError and OSError."""
    check_name(assignment)
    part = rubric.load().only(tasks)
    check_place(course, force or dry_run, root)
    source = course / "source" / assignment
    with Console(stderr=True).status("Putting the course together, and looking for what it must not hold ..."):
        made = plan(root, course, assignment, part)
        stale = stale_notebooks(made, source, root)
    if dry_run:
        return tell_plan(made, stale, course)
    if not force:
        refuse_overwriting(made, stale, course)
    changed = write(made)
    for path in stale:
        path.unlink()
    tell_written(changed, stale, source)
    made_now = make_gradebook(course)
    print(f"{'made' if made_now else 'kept'} {course / 'gradebook.db'}")
    if made[course / CONFIG] != (course / CONFIG).read_bytes():
        print(f"kept {course / CONFIG}, which differs from what would be written now: delete it to get a new one")
    if not changed and not stale:
        print("the course is up to date")
    tell_others(made, source)
    tell_next(course, assignment, part)
    return 0


def tell_written(changed: list[Path], stale: list[Path], source: Path) -> None:
    """Configuration and notebooks by name, the other files as a number."""
    named = [path for path in changed if path.name == CONFIG or path.suffix == ".ipynb"]
    for path in named:
        print(f"wrote {path}")
    if others := len(changed) - len(named):
        print(f"wrote {others} files below {source}: what students get beside the notebooks")
    for path in stale:
        print(f"removed {path}")


def tell_others(made: dict[Path, bytes], source: Path) -> None:
    """Files that an instructor has put there: nbgrader hands them out with ours."""
    if others := [name for name in packing.present(source) if source / name not in made]:
        told = f"note: {len(others)} other files in {source} were left as they are, and go out, too"
        print(f"{told}; the first is {others[0]}", file=sys.stderr)


def tell_plan(made: dict[Path, bytes], stale: list[Path], course: Path) -> int:
    for path, data in made.items():
        state = "new" if not path.exists() else "same" if path.read_bytes() == data else "changes"
        state = "kept" if state == "changes" and path.name == CONFIG else state
        print(f"{state:8} {path}")
    for path in stale:
        print(f"{'removes':8} {path}")
    print(f"{'same' if (course / 'gradebook.db').exists() else 'new':8} {course / 'gradebook.db'}")
    return 0


def tell_next(course: Path, assignment: str, part: rubric.Rubric) -> None:
    by_checks = {bonus: sum(i.points for t in part.tasks if t.bonus == bonus for i in t.items) for bonus in (False, True)}
    by_hand = {bonus: sum(q.points for q in questions(part) if q.bonus == bonus) for bonus in (False, True)}
    print(
        f"{len(part.tasks)} tasks with {by_checks[False]:g} points by checks, {len(questions(part))} questions with "
        f"{by_hand[False]:g} points by hand, bonus {by_checks[True]:g} and {by_hand[True]:g}"
    )
    print(f"next:\n  cd {course}\n  nbgrader generate_assignment {assignment}\n  nbgrader release_assignment {assignment}")


def check_name(assignment: str) -> None:
    """Raise CourseError for a name that nbgrader, or a path, could not bear."""
    if not assignment.replace("-", "").replace("_", "").isalnum() or not assignment.isascii() or assignment[0] in "-_":
        raise CourseError(f"an assignment's name has letters, digits, - and _, not {assignment!r}")
