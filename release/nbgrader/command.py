"""The command lines of `python -m release nbgrader` and `nbgrader-autograde`."""

import argparse
import sys
from pathlib import Path

from autograder import interrupts

from ..student.command import tell_open_choices
from . import course

COURSE_EXAMPLES = """examples:
  python -m release nbgrader ~/course                                   all tasks, as the assignment "vicreg"
  python -m release nbgrader ~/course --dry-run                         only say what would be written
  python -m release nbgrader ~/course --assignment warmup --task warmup --task augmentations
                                                                        another assignment, with two tasks
  python -m release nbgrader ~/course --force                           again, after a change in rubric or repository

Files of your own in source/ stay, and go out with the others. With --force, notebooks of ours go whose tasks are left out.

exit codes: 0 done, 2 an error, or something would be overwritten
"""
AUTOGRADE_EXAMPLES = """examples:
  python -m release nbgrader-autograde ~/course vicreg                  everybody who has submitted
  python -m release nbgrader-autograde ~/course vicreg --student alice  one of them (may be repeated)

Takes the place of `nbgrader autograde`: repairs each submission, grades it through nbgrader, and goes on whatever happens.
Run it again at any time: what has not changed is not run again, scores and comments given by hand are kept.

exit codes: 0 every submission is scored, 2 an error, 3 some are not, or the grader itself failed on some item,
            130 interrupted
"""


def register(commands) -> None:
    """Add both commands' parsers."""
    add_course(commands)
    add_autograde(commands)


def add_course(commands) -> None:
    told, form = "write a course for nbgrader, or one more assignment into it", argparse.RawDescriptionHelpFormatter
    command = commands.add_parser("nbgrader", help=told, description=told, epilog=COURSE_EXAMPLES, formatter_class=form)
    command.add_argument("course", type=Path, metavar="COURSE", help="the course's folder")
    command.add_argument("--assignment", default="vicreg", metavar="NAME", help="its name in nbgrader (default: vicreg)")
    command.add_argument("--task", action="append", default=[], dest="tasks", help="only this task (may be repeated)")
    command.add_argument("--force", action="store_true", help="replace our files in source/ (never the configuration)")
    command.add_argument("--dry-run", action="store_true", help="only say what would be written")
    command.set_defaults(run=build)


def add_autograde(commands) -> None:
    told, form = "repair and grade what nbgrader has collected, student by student", argparse.RawDescriptionHelpFormatter
    command = commands.add_parser(
        "nbgrader-autograde", help=told, description=told, epilog=AUTOGRADE_EXAMPLES, formatter_class=form
    )
    command.add_argument("course", type=Path, metavar="COURSE", help="the course's folder")
    command.add_argument("assignment", metavar="ASSIGNMENT", help="the assignment's name in nbgrader")
    command.add_argument("--student", action="append", default=[], dest="students", help="only this one (may be repeated)")
    command.add_argument("--dry-run", action="store_true", help="only list whose submissions would be graded")
    command.set_defaults(run=autograde)


def build(options, root: Path) -> int:
    """Write the course. Raises CourseError, PackingError, RubricError and OSError."""
    code = course.build(options.course, options.assignment, options.tasks, options.force, options.dry_run, root)
    tell_open_choices(root)
    return code


def autograde(options, root: Path) -> int:
    """Grade what was collected. Raises CourseError, RubricError, SandboxError and OSError."""
    from . import batch  # takes seconds: nbgrader, and the grader with PyTorch

    interrupts.install()
    try:
        return batch.run(options.course, options.assignment, options.students, options.dry_run)
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept", file=sys.stderr)
        return 130
