"""`nbgrader export`: a table of totals, and one of every question with its points and comments.

    grades.csv              a row for each student and assignment
    grades-questions.csv    a row for each student and question, with what was typed in formgrader

`--to NAME.csv` names the first; the second gets its name from it.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from nbgrader.api import Assignment, Gradebook, MissingEntry, Student, SubmittedAssignment
from nbgrader.plugins import ExportPlugin

from autograder import rubric
from autograder.report import write_atomically
from autograder.sinks.lms_csv import BYTE_ORDER_MARK, harmless, number

TOTALS = (
    "assignment", "student_id", "last_name", "first_name", "submitted", "late_hours", "late_penalty",
    "total", "max_total", "bonus", "max_bonus", "to_grade_by_hand",
)  # fmt: skip
QUESTIONS = (
    "assignment", "student_id", "notebook", "question", "bonus", "graded", "points", "max_points", "by_checks",
    "needs_a_look", "comment",
)  # fmt: skip


class PerQuestionExport(ExportPlugin):
    """Totals and single questions. Bonus points stand beside the total, as in our own reports; nbgrader's sum has them in."""

    def export(self, gradebook: Gradebook) -> None:
        dest = Path(self.to or "grades.csv")
        totals, rows = [], []
        for assignment, student, submission in self.chosen(gradebook):
            found = list(question_rows(assignment, student, submission))
            rows += found
            totals.append(total_row(assignment, student, submission, found))
        names = list(dict.fromkeys(row["question"] for row in rows))
        questions = dest.with_name(f"{dest.stem}-questions{dest.suffix}")
        write_atomically(dest, table((*TOTALS, *names), totals))
        write_atomically(questions, table(QUESTIONS, rows))
        self.log.info("Exported %d rows to %s and %d to %s", len(totals), dest, len(rows), questions)

    def chosen(self, gradebook: Gradebook) -> Iterator[tuple[Assignment, Student, SubmittedAssignment | None]]:
        """Each assignment and student that was asked for, with the submission if there is one."""
        assignments, students = set(map(str, self.assignment)), set(map(str, self.student))
        for assignment in sorted(gradebook.assignments, key=lambda each: each.name):
            for student in sorted(gradebook.students, key=lambda each: each.id):
                if (assignments and assignment.name not in assignments) or (students and student.id not in students):
                    continue
                try:
                    yield assignment, student, gradebook.find_submission(assignment.name, student.id)
                except MissingEntry:
                    yield assignment, student, None


def bonus_ids() -> set[str]:
    rules = rubric.load()
    return {each.id for each in (*rules.tasks, *rules.questions) if each.bonus}


def question_rows(assignment, student, submission) -> Iterator[dict]:
    """A row for each cell with points, in the notebooks' order; without a submission, with no points."""
    bonus = bonus_ids()
    for notebook in assignment.notebooks:
        mine = next((each for each in submission.notebooks if each.name == notebook.name), None) if submission else None
        grades = {grade.name: grade for grade in mine.grades} if mine else {}
        comments = {comment.name: comment.comment for comment in mine.comments} if mine else {}
        for cell in notebook.grade_cells:
            grade = grades.get(cell.name)
            yield {
                "assignment": assignment.name, "student_id": student.id, "notebook": notebook.name, "question": cell.name,
                "bonus": int(cell.name in bonus), "graded": how(grade, cell),
                "points": grade.score if grade else 0.0, "max_points": cell.max_score,
                "by_checks": grade.auto_score if grade and grade.auto_score is not None else "",
                "needs_a_look": int(bool(grade and grade.needs_manual_grade)), "comment": comments.get(cell.name) or "",
            }  # fmt: skip


def how(grade, cell) -> str:
    """Where the points come from."""
    if grade is None:
        return "not submitted"
    if grade.manual_score is not None:
        return "by hand"
    if cell.cell_type == "code":
        return "not scored" if grade.auto_score is None else "by checks"
    return "not yet" if grade.needs_manual_grade else "not answered"


def total_row(assignment, student, submission, rows: list[dict]) -> dict:
    """The sums of a student's rows, less what nbgrader deducts for lateness, and every question's points."""
    penalty = (submission.late_submission_penalty or 0.0) if submission else 0.0
    late = submission.total_seconds_late / 3600 if submission else 0.0
    total, most, bonus, most_bonus = (
        sum(row[key] for row in rows if row["bonus"] == which) for which in (0, 1) for key in ("points", "max_points")
    )
    return {
        "assignment": assignment.name, "student_id": student.id,
        "last_name": student.last_name or "", "first_name": student.first_name or "",
        "submitted": f"{submission.timestamp:%Y-%m-%d %H:%M:%S}" if submission and submission.timestamp else "",
        "late_hours": round(late, 2), "late_penalty": penalty,
        "total": max(0.0, total - penalty), "max_total": most, "bonus": bonus, "max_bonus": most_bonus,
        "to_grade_by_hand": sum(row["needs_a_look"] for row in rows),
        **{row["question"]: row["points"] for row in rows},
    }  # fmt: skip


def table(names, rows: list[dict]) -> str:
    """CSV as our own scores.csv, every cell quoted: for spreadsheets, and harmless there."""
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    for row in rows:
        writer.writerow({key: harmless(value) if isinstance(value, str) else number(value) for key, value in row.items()})
    return BYTE_ORDER_MARK + text.getvalue()
