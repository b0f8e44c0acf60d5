"""What nbgrader runs instead of executing notebooks; nbgrader_config.py names these classes."""

import io
import re
import textwrap
from pathlib import Path

import nbformat
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from nbformat import NotebookNode
from rich.console import Console
from traitlets import Bool, Unicode

from autograder import notebook as shown
from autograder import rubric, sandbox
from autograder.commands.grade import Session, locked
from autograder.report import Report, TaskResult

from . import course, own_files
from .rebuild import rebuild

WIDTH = 96  # characters of a line, on nbgrader's pages
GUTTER = re.compile(r"(    \| )?")  # of why something did not pass
GRADED = "graded"  # folder of the course for whole reports, by assignment and student


class CoursePreprocessor(NbGraderPreprocessor):
    """Knows where the course keeps what a notebook belongs to."""

    def folder(self, kind: str, resources, student: str | None = None) -> Path:
        """The folder of an assignment under `kind`: "release" (of all), "autograded" (of a student) and so on."""
        names = resources["nbgrader"]
        places = CourseDirectory(parent=self)
        student = student or (names["student"] if kind != "release" else ".")
        return Path(places.format_path(getattr(places, f"{kind}_directory"), student, names["assignment"]))


class Rebuild(CoursePreprocessor):
    """Puts a submitted notebook together anew, from the release (rebuild.py)."""

    def preprocess(self, nb: NotebookNode, resources):
        names = resources["nbgrader"]
        path = self.folder("release", resources) / f"{names['notebook']}.ipynb"
        made, notes = rebuild(nb, nbformat.read(path, as_version=4))
        for note in notes:
            self.log.warning("%s, %s: %s", names["student"], names["notebook"], note)
        return made, resources


class GradeSubmission(CoursePreprocessor):
    """Grades the submission's files with our grader, and writes points and feedback into the test cells as outputs.

    nbgrader then reads them as it reads the outputs of an executed cell. All tasks of the assignment are graded at once, for
    they build on each other; the report is kept, so that the next notebook of the same submission, and the next grading,
    run nothing again that has not changed.
    """

    sandbox = Unicode("auto", help="Which confinement to use, as in `python -m autograder grade`.").tag(config=True)
    require_sandbox = Bool(False, help="Refuse to grade where files and network are not out of reach.").tag(config=True)
    fresh = Bool(False, help="Grade everything anew, whatever reports are stored.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources):
        mine = course.test_cells(nb)
        if not mine:  # only questions in words
            return nb, resources
        report = self.grade(resources)
        results = {task.id: task for task in report.tasks}
        for cell in nb.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            if name in mine:
                cell.outputs, cell.execution_count = outputs(results[name], report), 1
        return nb, resources

    def grade(self, resources) -> Report:
        """The report of the whole submission. Raises CourseError where rubric and course disagree, SandboxError."""
        names = resources["nbgrader"]
        full = rubric.load()
        part = course.asked_part(full, course.graded_tasks(self.folder("release", resources)), names["assignment"])
        confinement = sandbox.choose(self.sandbox, self.require_sandbox)
        out = Path(CourseDirectory(parent=self).root, GRADED, names["assignment"])
        quiet = Console(file=io.StringIO())
        session = Session(out, part, full, confinement, self.fresh, quiet, [])
        with locked(out, True, self.log.info), own_files.of(self.folder("autograded", resources)) as submission:
            session.grade(submission, names["student"])
        return session.reports[names["student"]]


def outputs(task: TaskResult, report: Report) -> list[NotebookNode]:
    """Feedback as a printed text, then the points as the cell's value: a plain number is what nbgrader takes for points."""
    lines = [f"Note: {note}" for note in report.notes]
    if any(item.verdict == "grader_fault" for item in task.items):
        lines.append("The grader could not judge everything here. No points are lost by that; it will be looked at.")
    lines += shown.task_lines(task, "")
    text = "\n".join(part for line in lines for part in wrapped(line)) + "\n"
    points = min(max(float(task.points), 0.0), task.max_points)
    return [
        nbformat.v4.new_output("stream", name="stdout", text=text),
        nbformat.v4.new_output("execute_result", data={"text/plain": repr(points)}, execution_count=1),
    ]


def wrapped(line: str) -> list[str]:
    """A line as pages show it, which cut what is too long. Code, which is indented once more, stays on its line."""
    gutter = GUTTER.match(line)[0]
    text = line[len(gutter) :]
    if len(line) <= WIDTH or text.startswith("    "):
        return [line]
    further = gutter + " " * 10 * text.startswith(("Expected:", "Came:", "Hint:"))
    return textwrap.wrap(line, WIDTH, subsequent_indent=further, break_on_hyphens=False)
