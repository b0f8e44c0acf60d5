"""`python -m autograder grade`: submissions with all checks, for instructors and CI."""
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from autograder import grading, report, rubric, sandbox
from autograder.commands import EXIT_FAULT, EXIT_OK, UsageError, add_command, add_grading_options
from autograder.rubric import RubricError
from autograder.sandbox import SandboxError
from autograder.sinks import console as terminal

EXAMPLES = """
examples:
  python -m autograder grade submissions/*.zip --out graded
  python -m autograder grade alice/ --out graded --task vicreg --task training
  python -m autograder grade alice.zip --out graded --require-sandbox --json

A submission is a folder or zip that is, or holds, the student's assignment/ folder.
Each gets OUT/<its name>/report.json and report.html.

exit codes: 0 graded (whatever the points), 2 wrong usage, rubric or sandbox,
            3 graded, but the grader itself failed on some item, 130 interrupted
"""


def register(commands) -> None:
    grade = add_command(commands, "grade", "grade submissions with all checks", EXAMPLES)
    add_grading_options(grade)
    grade.add_argument("submissions", nargs="+", metavar="SUBMISSION", type=Path, help="a folder or a zip file")
    grade.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the reports go")
    grade.add_argument("--task", action="append", default=[], dest="tasks", help="only this task (may be repeated)")
    grade.add_argument("--require-sandbox", action="store_true", help="refuse to run code that is not fully confined")
    grade.set_defaults(run=run)


def run(options, console: Console) -> int:
    full = rubric.load(options.rubric)
    part = full.only(options.tasks)
    confinement = sandbox.choose(options.sandbox, options.require_sandbox)
    names = output_names(options.submissions)
    if options.out.exists() and not options.out.is_dir():
        raise UsageError(f"{options.out} is a file; --out names a folder")
    console.print(f"Sandbox: {confinement.describe()}", markup=False, soft_wrap=True)
    reports = []
    for number, (path, name) in enumerate(names.items(), start=1):
        console.rule(Text(f"{number} of {len(names)}: {report.clean(name)}"), align="left")
        result = grade_one(path, part, full, confinement, console)
        result.submission = report.clean(name)
        for note in result.notes:
            console.print(f"  │ Note: {note}", markup=False, soft_wrap=True)
        save(result, options.out / name)
        reports.append(result)
    if options.json:
        print(json.dumps([each.as_dict() for each in reports], indent=2))
    else:
        console.print(terminal.scoreboard(reports))
        console.print(f"Reports: {options.out}/<submission>/report.html and report.json", markup=False, soft_wrap=True)
    return closing_code(reports)


def output_names(submissions: list[Path]) -> dict[Path, str]:
    """A folder name for each submission. Raises UsageError for one that is not there or that clashes."""
    names: dict[Path, str] = {}
    for path in submissions:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
        name = path.resolve().name.removesuffix(".zip").strip(". ") or "submission"
        if name in names.values():
            raise UsageError(f"two submissions would both be reported as {name!r}: rename one of them")
        names[path] = name
    return names


def grade_one(path: Path, part, full, confinement, console: Console):
    """Grade one submission; a failure of the grader itself costs this report's items nothing and ends nothing else."""
    try:
        return grading.grade(path, part, full, confinement, lambda item: terminal.item_line(console, item))
    except (RubricError, SandboxError):
        raise
    except Exception as error:
        text = report.clean(f"The grader failed on {path}: {type(error).__name__}: {error}")
        console.print(text.replace("\n", " "), markup=False, soft_wrap=True)
        return grading.faulted(path.name, part, confinement, error)


def save(result, folder: Path) -> None:
    from autograder.sinks import html

    report.write_atomically(folder / "report.json", report.to_json(result))
    report.write_atomically(folder / "report.html", html.render(result))


def closing_code(reports: list) -> int:
    faults = sum(each.count("grader_fault") for each in reports)
    if not faults:
        return EXIT_OK
    print(f"autograder: {faults} items could not be judged; mend the grader and grade these again", file=sys.stderr)
    return EXIT_FAULT
