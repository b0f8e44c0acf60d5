"""Command line of `release`: `python -m release stubs [--check]`, `notebooks`, `handout` likewise, `discussion`, `gate`,
and `nbgrader`, `nbgrader-autograde` for courses that use nbgrader."""

import argparse
import sys
from pathlib import Path

from autograder import interrupts
from autograder.rubric import RubricError
from autograder.sandbox import SandboxError

from . import discussion, gate, handout, notebooks, stubs
from .nbgrader import course
from .nbgrader.course import CourseError

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = """examples:
  python -m release stubs           write assignment/*.py from solutions/*.py
  python -m release stubs --check   change nothing; show what would change, and exit with 1 if anything would
  python -m release notebooks       write assignment/notebooks/*.ipynb from solutions/notebooks/*.py (--check as above)
  python -m release handout         put the questions into assignment/README.md and make assignment/handout.html
  python -m release discussion > grading.md                     tick lists and model answers, for those who grade
  python -m release discussion OUT/results.json > grading.md    the same with the numbers of a run
  python -m release gate            prove that the stubs earn nothing, the reference everything, and nothing leaks
  python -m release nbgrader ~/course                         write a course for nbgrader (docs/nbgrader.md)
  python -m release nbgrader-autograde ~/course vicreg        grade what nbgrader has collected
"""
NBGRADER_EXAMPLES = """examples:
  python -m release nbgrader ~/course                                   all tasks, as the assignment "vicreg"
  python -m release nbgrader ~/course --dry-run                         only say what would be written
  python -m release nbgrader ~/course --assignment warmup --task warmup --task augmentations
                                                                        another assignment, with two tasks
  python -m release nbgrader ~/course --force                           again, after a change in rubric or repository

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


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line; exit code 0: done, 1: generated files are out of date (--check), 2: an error."""
    parser = argparse.ArgumentParser(
        prog="python -m release", description="Turn solutions/ into what students receive.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_text in (
        ("stubs", "make the stubs in assignment/ from the solutions"),
        ("notebooks", "make the notebooks in assignment/ from their sources"),
        ("handout", "put the questions into the handout and make its HTML page"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument("--check", action="store_true", help="only compare; exit with 1 on a difference")
    answers = commands.add_parser("discussion", help="print tick lists and model answers of the discussion questions")
    answers.add_argument("results", nargs="?", type=Path, help="results.json of `python -m solutions.reproduce`")
    commands.add_parser("gate", help="check all that must hold before a release")
    _add_nbgrader(commands)
    options = parser.parse_args(arguments)
    if options.command == "nbgrader-autograde":
        interrupts.install()
    try:
        return _run(options, root)
    except SyntaxError as error:
        print(f"error: {error.filename}:{error.lineno}: not valid Python: {error.msg}", file=sys.stderr)
    except (stubs.MarkerError, notebooks.NotebookError, handout.HandoutError, discussion.DiscussionError,
            CourseError, RubricError, SandboxError, OSError) as error:  # fmt: skip
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept", file=sys.stderr)
        return 130
    return 2


def _run(options, root: Path) -> int:
    if options.command == "gate":
        return gate.run(root)
    if options.command.startswith("nbgrader"):
        return _nbgrader(options, root)
    if options.command == "discussion":
        sys.stdout.write(discussion.grading_page(root, options.results))
        return 0
    makers = {"stubs": stubs.all_stubs, "notebooks": notebooks.all_notebooks, "handout": handout.all_handouts}
    made = makers[options.command](root)
    code = (_check if options.check else _write)(options.command, made, root)
    if options.command == "handout" and (choices := handout.open_choices(root)):
        print(f"note: assignment/README.md leaves {len(choices)} choices to you; the first is {choices[0]}")
    return code


def _add_nbgrader(commands) -> None:
    texts = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    told = "write a course for nbgrader, or one more assignment into it"
    course = commands.add_parser("nbgrader", help=told, description=told, epilog=NBGRADER_EXAMPLES, **texts)
    course.add_argument("course", type=Path, metavar="COURSE", help="the course's folder")
    course.add_argument("--assignment", default="vicreg", metavar="NAME", help="its name in nbgrader (default: vicreg)")
    course.add_argument("--task", action="append", default=[], dest="tasks", help="only this task (may be repeated)")
    course.add_argument("--force", action="store_true", help="replace the assignment in source/ (never the configuration)")
    course.add_argument("--dry-run", action="store_true", help="only say what would be written")
    told = "repair and grade what nbgrader has collected, student by student"
    grade = commands.add_parser("nbgrader-autograde", help=told, description=told, epilog=AUTOGRADE_EXAMPLES, **texts)
    grade.add_argument("course", type=Path, metavar="COURSE", help="the course's folder")
    grade.add_argument("assignment", metavar="ASSIGNMENT", help="the assignment's name in nbgrader")
    grade.add_argument("--student", action="append", default=[], dest="students", help="only this one (may be repeated)")
    grade.add_argument("--dry-run", action="store_true", help="only list whose submissions would be graded")


def _nbgrader(options, root: Path) -> int:
    if options.command == "nbgrader":
        return course.build(options.course, options.assignment, options.tasks, options.force, options.dry_run, root)
    from .nbgrader import batch  # takes seconds: nbgrader, and the grader with PyTorch

    return batch.run(options.course, options.assignment, options.students, options.dry_run)


def _write(what: str, made: dict[Path, str], root: Path) -> int:
    written = stubs.write_changed(made)
    for path in written:
        print(f"wrote {path.relative_to(root)}")
    if not written:
        print(f"the {what} {'are' if what.endswith('s') else 'is'} up to date")
    return 0


def _check(what: str, made: dict[Path, str], root: Path) -> int:
    changes = stubs.compare(made, root)
    if not changes:
        print(f"the {what} {'are' if what.endswith('s') else 'is'} up to date")
        return 0
    print(changes)
    source = "autograder/rubric.toml or itself" if what == "handout" else "solutions/"
    print(f"assignment/ does not fit {source}. To make the {what} again:\n\n    python -m release {what}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
