"""The gate: what must hold before anything is released. `python -m release gate`, also run by the tests."""
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autograder import grading, rubric, sandbox
from autograder.report import Report

from . import discussion, handout, notebooks, stubs

ALLOWED = {"README.md", "handout.html", "__init__.py"}  # in assignment/, beside the students' own files and provided/


def run(root: Path) -> int:
    """Run every condition, print a line each, and return 0 when all hold."""
    failures = 0
    for name, problems in conditions(root):
        failures += bool(problems)
        print(f"{'ok  ' if not problems else 'FAIL'}  {name}", flush=True)
        for problem in problems[:10]:
            print(f"      {problem}")
    return 1 if failures else 0


def conditions(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Each condition's name and what contradicts it."""
    rules = rubric.load()
    yield "every item has a title and a hint", [i.id for i in rules.items() if not (i.title and i.hint)]
    yield "the stubs are what the solutions generate", stale_stubs(root)
    yield "the notebooks are what their sources generate", stale_notebooks(root)
    yield "the handout asks the rubric's questions, and its HTML page is up to date", stale_handout(root)
    yield "no solution line survives in assignment/", surviving_lines(root)
    yield "nothing unexpected lies in assignment/", unexpected_files(root, rules.files)
    unanswered = discussion.problems(root, rules.questions)
    yield "every discussion question has criteria and a model answer", unanswered
    yield "no passage of these reaches students", [] if unanswered else discussion.leaks(root)
    yield "every untouched stub is “not attempted” and earns nothing", grade_stubs(root, rules)
    yield "the reference earns every point", grade_reference(root, rules)


def stale_stubs(root: Path) -> list[str]:
    return ["run: python -m release stubs"] if stubs.difference(root) else []


def stale_notebooks(root: Path) -> list[str]:
    """Also those whose source is gone."""
    stale = [f"run: {notebooks.COMMAND}"] if notebooks.difference(root) else []
    present = set((root / "assignment" / "notebooks").glob("*.ipynb"))
    return stale + [f"delete {path.name}: it has no source" for path in sorted(present - notebooks.all_notebooks(root).keys())]


def stale_handout(root: Path) -> list[str]:
    try:
        return ["run: python -m release handout"] if stubs.compare(handout.all_handouts(root), root) else []
    except handout.HandoutError as error:
        return [str(error)]


def surviving_lines(root: Path) -> list[str]:
    """Lines that stand between solution markers and also in the student's tree. Short ones prove nothing."""
    released = {path: path.read_text(encoding="utf-8") for path in sorted((root / "assignment").rglob("*.py"))}
    cells = notebooks.code_lines(root)
    found = []
    for solution in sorted((root / "solutions").glob("*.py")):
        for line in stubs.solution_lines(solution.read_text(encoding="utf-8"), str(solution)):
            if len(line.strip()) < 25 or line.strip().startswith(("import ", "from ", "#", '"""')):
                continue
            same_name = released.get(root / "assignment" / solution.name, "")
            if line.strip() in cells or line.strip() in [each.strip() for each in same_name.splitlines()]:
                found.append(f"{solution.name}: {line.strip()}")
    for path, text in released.items():
        if "### BEGIN SOLUTION" in text or "### END SOLUTION" in text:
            found.append(f"{path.name}: a solution marker")
    return found


def unexpected_files(root: Path, files: tuple[str, ...]) -> list[str]:
    base, made = root / "assignment", notebooks.all_notebooks(root)
    found = []
    for path in sorted(base.rglob("*")):
        relative = path.relative_to(base)
        if path.is_dir() or {"__pycache__", ".ipynb_checkpoints"} & set(relative.parts):
            continue
        given = relative.parts[0] == "provided" and path.suffix == ".py" or path in made
        if not given and str(relative) not in ALLOWED | set(files):
            found.append(str(relative))
    return found


def grade_stubs(root: Path, rules: rubric.Rubric) -> list[str]:
    report = grade(root / "assignment", rules)
    return [f"{i.id}: {i.verdict}, {i.points:g} points" for i in report.items() if i.verdict != "not_attempted" or i.points]


def grade_reference(root: Path, rules: rubric.Rubric) -> list[str]:
    report = grade(root / "solutions", rules)
    return [f"{i.id}: {i.verdict}: {i.message}" for i in report.items() if i.verdict != "passed" or i.points != i.max_points]


def grade(folder: Path, rules: rubric.Rubric) -> Report:
    with tempfile.TemporaryDirectory() as base:
        submission = Path(base, "submission")
        submission.mkdir()
        for name in rules.files:
            (submission / name).write_bytes((folder / name).read_bytes())
        return grading.grade(submission, rules, rubric.load(), sandbox.choose())
