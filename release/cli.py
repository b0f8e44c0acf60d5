"""Command line of `release`: `stubs [--check]`, `notebooks`, `handout` likewise, `discussion`, `gate`, and the packing commands."""

import argparse
import sys
from pathlib import Path

from autograder.rubric import RubricError
from autograder.sandbox import SandboxError

from . import discussion, gate, gradescope, handout, notebooks, packing, stubs
from .github import command as github
from .nbgrader import command as nbgrader
from .nbgrader.course import CourseError
from .student import command as student

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = """examples:
  python -m release stubs           write assignment/*.py from solutions/*.py
  python -m release stubs --check   change nothing; show what would change, and exit with 1 if anything would
  python -m release notebooks       write assignment/notebooks/*.ipynb from solutions/notebooks/*.py (--check as above)
  python -m release handout         put the questions into assignment/README.md and make assignment/handout.html
  python -m release discussion > grading.md                     tick lists and model answers, for those who grade
  python -m release discussion OUT/results.json > grading.md    the same with the numbers of a run
  python -m release gate            prove that the stubs earn nothing, the reference everything, and nothing leaks
  python -m release student student.zip                         pack what a student gets (--help says more)
  python -m release github ../course                            the same with workflows for GitHub, and one that grades
  python -m release gradescope autograder.zip                   pack the autograder for Gradescope (--help says more)
  python -m release nbgrader ~/course                           write a course for nbgrader (docs/nbgrader.md)
  python -m release nbgrader-autograde ~/course vicreg          grade what nbgrader has collected
"""


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line; exit code 0: done, 1: out of date (--check), 2: an error, 130: interrupted."""
    options = make_parser().parse_args(arguments)
    try:
        if hasattr(options, "run"):
            return options.run(options, root)
        if options.command == "gate":
            return gate.run(root)
        if options.command == "discussion":
            sys.stdout.write(discussion.grading_page(root, options.results))
            return 0
        makers = {"stubs": stubs.all_stubs, "notebooks": notebooks.all_notebooks, "handout": handout.all_handouts}
        made = makers[options.command](root)
        code = (_check if options.check else _write)(options.command, made, root)
        if options.command == "handout" and (choices := handout.open_choices(root)):
            print(f"note: assignment/README.md leaves {len(choices)} choices to you; the first is {choices[0]}")
        return code
    except SyntaxError as error:
        print(f"error: {error.filename}:{error.lineno}: not valid Python: {error.msg}", file=sys.stderr)
    except (stubs.MarkerError, notebooks.NotebookError, handout.HandoutError, discussion.DiscussionError,
            packing.PackingError, CourseError, RubricError, SandboxError, OSError) as error:  # fmt: skip
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; no file is half written", file=sys.stderr)
        return 130
    return 2


def make_parser() -> argparse.ArgumentParser:
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
    for module in (student, github, gradescope, nbgrader):
        module.register(commands)
    return parser


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
