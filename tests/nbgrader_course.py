"""Courses and submissions for the tests of the way through nbgrader."""

import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat

from autograder.misconceptions import mutants

ROOT = Path(__file__).resolve().parent.parent
TASKS = ("warmup", "retrieval")  # quick ones, of two notebooks, and Q8 is asked with the second
FILES = ("warmup.py", "evaluation.py")  # what students write for them
MAXIMUM = 6
PART1, PART2 = "part1_vicreg.ipynb", "part2_ablations.ipynb"
NOBODY = 65534  # an uid without rights


class Course:
    """A course, the exchange beside it and students' folders, all below one folder; commands run as one user."""

    def __init__(self, base: Path, uid: int | None = None, root: Path = ROOT):
        self.base, self.uid, self.root = base, uid, root
        self.path, self.exchange = base / "ssl", base / "exchange"
        for folder in (base / "home", self.exchange):
            folder.mkdir(parents=True, exist_ok=True)
        self.exchange.chmod(0o777)
        self.own(base)

    def own(self, folder: Path) -> None:
        """Give everything to the user of this course."""
        for path in (folder, *folder.rglob("*")) if self.uid is not None else ():
            os.chown(path, self.uid, self.uid, follow_symlinks=False)

    def run(self, *command: str, cwd: Path | None = None, code: int | None = 0, seconds: int = 1500) -> str:
        """The output of a command in the course's folder; `code` None: any exit code."""
        environment = {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.defpath)), "HOME": str(self.base / "home"),
            "OMP_NUM_THREADS": "1", "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8",
        }  # fmt: skip
        user = become(self.uid) if self.uid is not None else []
        done = subprocess.run(
            [*user, *command], cwd=cwd or self.path, env=environment, capture_output=True, text=True, timeout=seconds
        )
        output = done.stdout + done.stderr
        assert code is None or done.returncode == code, f"{command} ended with {done.returncode}:\n{output[-4000:]}"
        return output

    def release_command(self, *arguments: str, code: int | None = 0) -> str:
        return self.run(sys.executable, "-m", "release", *arguments, cwd=self.root, code=code)

    def make(self, assignment: str = "vicreg", tasks=TASKS) -> None:
        """Write the course, generate and release the assignment."""
        config = self.path / "nbgrader_config.py"
        new = not config.exists()
        self.release_command("nbgrader", str(self.path), "--assignment", assignment, *by_task(tasks))
        with config.open("a") as file:
            file.write(f'c.Exchange.root = "{self.exchange}"\nc.ExchangeCollect.check_owner = False\n' * new)
        self.run("nbgrader", "generate_assignment", assignment)
        self.run("nbgrader", "release_assignment", assignment)

    def fetch(self, student: str, assignment: str = "vicreg") -> Path:
        """A student's copy, by nbgrader's own command."""
        home = self.base / "students" / student
        home.mkdir(parents=True, exist_ok=True)
        (home / "nbgrader_config.py").write_text(
            f'c = get_config()\nc.CourseDirectory.course_id = "ssl"\nc.Exchange.root = "{self.exchange}"\n'
        )
        self.own(self.base / "students")
        self.run("nbgrader", "fetch_assignment", assignment, cwd=home)
        return home / assignment

    def submit(self, student: str, assignment: str = "vicreg") -> None:
        self.run("nbgrader", "submit", assignment, cwd=self.base / "students" / student)

    def hand_in(self, student: str, folder: Path, when: str = "2030-01-01 12:00:00.000000 UTC", assignment: str = "vicreg") -> Path:
        """What `nbgrader submit` of this student would leave in the exchange, without the seconds that it takes."""
        inbound = self.exchange / "ssl" / "inbound" / f"{student}+{assignment}+{when}+xyz"
        shutil.copytree(folder, inbound, symlinks=True)
        (inbound / "timestamp.txt").write_text(when)
        (inbound / "submission_secret.txt").write_text(student)
        self.own(inbound)
        return inbound

    def autograde(self, *arguments: str, assignment: str = "vicreg", code: int | None = 0) -> str:
        return self.release_command("nbgrader-autograde", str(self.path), assignment, *arguments, code=code)

    def export(self) -> tuple[dict[tuple[str, str], dict], list[dict]]:
        """The totals by assignment and student, and the rows of questions."""
        import csv

        self.run("nbgrader", "export", "--to", "grades.csv")
        tables = []
        for name in ("grades.csv", "grades-questions.csv"):
            with open(self.path / name, encoding="utf-8-sig", newline="") as file:
                tables.append(list(csv.DictReader(file)))
        return {(row["assignment"], row["student_id"]): row for row in tables[0]}, tables[1]


@functools.cache
def become(uid: int) -> list[str]:
    """The beginning of a command that runs as another user, who can write nothing of ours.

    Where that user could not even read this Python (in a folder of root's), reading is allowed; files that are closed to their
    owner are then no test any more, but all that is written is.
    """
    plain = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    reachable = subprocess.run([*plain, "sh", "-c", 'test -x "$0"', sys.executable]).returncode == 0
    return plain if reachable else [*plain, *reading]


def by_task(tasks) -> list[str]:
    return [part for task in tasks for part in ("--task", task)]


# ---- submissions ----------------------------------------------------------------------------------------------------


def put_code(folder: Path, source: Callable[[str], str] = lambda module: mutants.source_of(module)) -> None:
    """Write the students' files for TASKS."""
    for name in FILES:
        (folder / "assignment" / name).write_text(source(name.removesuffix(".py")), encoding="utf-8")


def read(folder: Path, name: str):
    return nbformat.read(folder / name, as_version=4)


def answer(folder: Path, text: str, question: str = "q8", name: str = PART2) -> None:
    """Type an answer in words."""
    change(folder, name, lambda nb: cell_of(nb, question).update(source=text))


def cell_of(notebook, grade_id: str):
    return next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def change(folder: Path, name: str, edit: Callable) -> None:
    """Edit a notebook, also in ways that the format forbids."""
    notebook = read(folder, name)
    edit(notebook)
    (folder / name).write_text(json.dumps(notebook), encoding="utf-8")


@dataclasses.dataclass(frozen=True)
class Fault:
    """Something that students' machines do to a submission, and what repairing it must say."""

    name: str
    apply: Callable[[Path], None]
    told: str = ""  # in the output of the command
    points: float = MAXIMUM
    answer_lost: bool = False
