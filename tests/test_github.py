"""GitHub: the workflows' permissions, each of their scripts as a runner would run it, and student output without effect."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from autograder import report
from autograder.report import ItemResult, Report, TaskResult
from autograder.sinks import github
from release import packing
from release.cli import main
from release.github import command
from release.student import files, leaks

ROOT = Path(__file__).resolve().parent.parent
STUDENT = "template/.github/workflows/checks.yml"
INSTRUCTOR = "instructor/.github/workflows/grade.yml"
SCRIPTS = ROOT / "release" / "github"
HOSTILE = '''

def normalize(images):
    print("::error::pwned\\n::stop-commands::pwned\\n::set-output name=pwned::1\\n##[error]pwned")
    print("x" * 2_000_000)
    raise RuntimeError("\\n::error::pwned\\n##[error]pwned\\r::warning::pwned <script>alert(1)</script> | **pwned** %0A::error::pwned")
'''
OLD_COMMAND = re.compile(r"##\[(\w[\w-]*)")
NEW_COMMAND = re.compile(r"\s*::([\w-]+)( [^:]*(?::(?!:)[^:]*)*)?::(.*)")


def workflow(name: str) -> dict:
    return yaml.safe_load((SCRIPTS / name).read_text(encoding="utf-8"))


def steps(name: str) -> list[dict]:
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def script(name: str, step: str) -> str:
    return next(each["run"] for each in steps(name) if each.get("name") == step)


def run(text: str, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    """A step as the runner starts it, with files for its summary and outputs."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    given = {"GITHUB_STEP_SUMMARY": str(folder / "summary"), "GITHUB_OUTPUT": str(folder / "output"), **variables}
    given["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
    return subprocess.run(bash, cwd=folder, capture_output=True, text=True, env={**environment, **given})


def commands(log: str) -> list[tuple[str, str]]:
    """(command, text) of what GitHub's runner would obey in a log: two notations, and a word that ends a pause."""
    obeyed, paused = [], None
    for line in re.split(r"\r\n|\r|\n", log):
        if paused:
            paused = None if line.strip() == f"::{paused}::" else paused
        elif found := NEW_COMMAND.match(line):
            obeyed.append((found[1], found[3]))
            paused = found[3] if found[1] == "stop-commands" else None
        elif found := OLD_COMMAND.search(line):
            obeyed.append((found[1], line))
    assert not paused, "the log ends while commands are stopped"
    return obeyed


# ---- what is written -----------------------------------------------------------------------------------------------


def test_it_writes_a_template_without_secrets_and_the_instructors_workflow_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "collect", lambda root: {"assignment/warmup.py": b"", "README.md": b""})
    assert main(["github", str(tmp_path / "out")]) == 0
    written = packing.present(tmp_path / "out")
    workflows = [".github/workflows/checks.yml", ".gitignore", "README.md", "assignment/warmup.py"]
    assert written == ["instructor/.github/workflows/grade.yml", *(f"template/{name}" for name in workflows)]
    assert main(["github", str(tmp_path / "out")]) == 2
    for path in (tmp_path / "out" / "template" / ".github").rglob("*.yml"):
        assert "${{ secrets" not in path.read_text() and "autograder grade" not in path.read_text()


@pytest.mark.parametrize("name", [STUDENT, INSTRUCTOR])
def test_a_workflow_may_only_read_and_takes_no_text_into_its_scripts(name):
    made = workflow(name)
    assert made["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in made["jobs"].values())
    assert all(job["timeout-minutes"] <= 30 for job in made["jobs"].values())
    assert not [step for step in steps(name) if "${{" in step.get("run", "")]
    checkouts = [step["with"] for step in steps(name) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts and all(each["persist-credentials"] is False for each in checkouts)


def test_nothing_but_a_push_or_a_person_starts_them():
    assert set(workflow(STUDENT)[True]) == {"push", "workflow_dispatch"}  # YAML takes `on` for true
    assert set(workflow(INSTRUCTOR)[True]) == {"workflow_dispatch"}


def test_the_secret_is_given_to_the_step_that_fetches_and_to_no_other():
    text = (SCRIPTS / INSTRUCTOR).read_text(encoding="utf-8")
    assert text.count("secrets.STUDENTS_READ_TOKEN") == text.count("${{ secrets.") == 1
    holder = next(step for step in steps(INSTRUCTOR) if "secrets." in str(step))
    assert holder["uses"].startswith("actions/checkout@") and "run" not in holder
    assert "--require-sandbox" in script(INSTRUCTOR, "Grade")


# ---- the student's workflow ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A student's repository with hostile output, after both scripts: (folder, log, exit code of the second)."""
    folder = tmp_path_factory.mktemp("student")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leaks, "find", lambda made, root: [])  # takes its time, and has tests of its own
        made = command.collect(ROOT)
    for name, data in made.items():
        if name.startswith("template/"):
            packing.write_atomically(folder / name.removeprefix("template/"), data)
    with open(folder / "assignment" / "warmup.py", "a", encoding="utf-8") as file:
        file.write(HOSTILE)
    checks = script(STUDENT, "Run the public checks").replace("check --json", "check warmup --json")
    first = run(checks, folder)
    assert first.returncode == 0, first.stderr
    second = run(script(STUDENT, "Show what came out"), folder)
    return folder, first.stdout + first.stderr, second.stdout + second.stderr, second.returncode


def test_what_student_code_prints_is_no_command(hostile):
    folder, checks, shown, code = hostile
    assert [name for name, _ in commands(checks)] == ["remove-matcher", "stop-commands"]
    obeyed = commands(shown)
    assert [name for name, _ in obeyed] == ["stop-commands", "error", "error"]
    assert code == 1 and "pwned" in shown  # it is told, as text
    assert not any(text.startswith("pwned") for _, text in obeyed)
    assert not (folder / "output").exists()


def test_the_summary_and_the_page_are_small_and_hold_the_output_as_text(hostile):
    folder = hostile[0]
    summary = (folder / "summary").read_text(encoding="utf-8")
    page = (folder / "reports" / "report.html").read_text(encoding="utf-8")
    assert "Warm-up" in summary and len(summary.encode()) < 1_000_000 and len(page) < 1_000_000
    assert "<script>alert" not in summary + page and "**pwned**" not in re.sub(r"<pre>.*?</pre>", "", summary, flags=re.DOTALL)


def test_annotations_stand_at_the_function(hostile):
    found = re.findall(r"^::error title=(.*?),file=assignment/warmup.py,line=(\d+)::", hostile[2], re.MULTILINE)
    lines = (hostile[0] / "assignment" / "warmup.py").read_text(encoding="utf-8").splitlines()
    assert len(found) == 2 and all("def normalize(" in lines[int(number) - 1] for _, number in found)


def test_without_a_report_the_run_fails_and_says_so(tmp_path):
    done = run(script(STUDENT, "Show what came out"), ROOT, GITHUB_STEP_SUMMARY=str(tmp_path / "summary"))
    assert done.returncode == 2 and commands(done.stdout)[0][0] == "error" and not (tmp_path / "summary").exists()


def big_report(count: int, message: str = "no") -> Report:
    items = [ItemResult(f"vicreg.i{n}", f"variance_loss: {n}", "public", "failed", 0, 1, report.clean(message)) for n in range(count)]
    return Report("s", 0, count, "none", [], [TaskResult("vicreg", "Task 2", 0, count, items)])


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, 1), (10, 10), (11, 10), (120, 10)])
def test_there_are_at_most_ten_annotations_and_none_is_lost_without_a_word(count, shown):
    made = github.annotations(big_report(count), ROOT)
    assert len(made) == shown
    assert (f"{count - 9} more items" in "".join(made)) == (count > 10)


def test_text_of_an_annotation_is_escaped():
    made = github.annotations(big_report(1, "100 %\r\n::error::x" + "y" * 2_000_000), ROOT)[0]
    assert "\n" not in made and "\r" not in made and "100 %25%0A::error::x" in made and len(made) < 3000
    assert "title=✗ failed%3A variance_loss%3A 0,file=assignment/vicreg.py,line=" in made
    assert github.escape_property("a,b:c%\n") == "a%2Cb%3Ac%25%0A"


def test_an_untouched_copy_is_not_red(tmp_path, capsys):
    untouched = big_report(2)
    for item in untouched.items():
        item.verdict = "not_attempted"
    (tmp_path / "report.json").write_text(json.dumps(untouched.as_dict()))
    assert github.main([str(tmp_path / "report.json")]) == 0
    assert [name for name, _ in commands(capsys.readouterr().out)] == ["stop-commands"]


# ---- the instructor's workflow -------------------------------------------------------------------------------------


def test_the_list_of_repositories_becomes_a_matrix(tmp_path):
    done = run(script(INSTRUCTOR, "Read the list"), tmp_path, REPOSITORIES="org/vicreg-alice  org/vicreg.b_o")
    assert done.returncode == 0, done.stderr
    key, _, value = (tmp_path / "output").read_text().strip().partition("=")
    assert key == "repositories" and json.loads(value) == ["org/vicreg-alice", "org/vicreg.b_o"]


@pytest.mark.parametrize("name", ["alice", "a/b/c", "../x", 'o/"x', "o/$(id)", "o/x\n::error::pwned", "-o/x", "*"])
def test_what_is_no_repository_is_refused(name, tmp_path):
    done = run(script(INSTRUCTOR, "Read the list"), tmp_path, REPOSITORIES=name)
    assert done.returncode == 1 and not (tmp_path / "output").exists()
    assert commands(done.stdout + done.stderr) == []


@pytest.mark.slow
def test_grading_beside_the_own_checkout_gives_a_report_a_summary_and_scores(tmp_path):
    """Hostile files in the submission: an autograder of its own, and output that looks like commands."""
    fetched = next(step["with"] for step in steps(INSTRUCTOR) if step.get("name") == "Fetch the submission")
    leave = shutil.ignore_patterns(".git", ".venv", "__pycache__", "docs", "tests", "benchmarks")
    shutil.copytree(ROOT, tmp_path / "grader", ignore=leave)
    theirs = tmp_path / fetched["path"]
    shutil.copytree(ROOT / "assignment", theirs / "assignment")
    (theirs / "autograder").mkdir()
    (theirs / "autograder" / "__main__.py").write_text("print('pwned')")
    with open(theirs / "assignment" / "warmup.py", "a", encoding="utf-8") as file:
        file.write(HOSTILE)
    done = run(script(INSTRUCTOR, "Grade"), tmp_path, REPOSITORY="org/vicreg-alice", STUDENTS_READ_TOKEN="not to be seen")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [name for name, _ in commands(done.stdout)] == ["remove-matcher", "stop-commands"]
    assert (tmp_path / "output").read_text() == "name=org--vicreg-alice\n"
    assert 0 < (tmp_path / "summary").stat().st_size < 1_000_000
    made = json.loads((tmp_path / "graded" / "org--vicreg-alice" / "report.json").read_text(encoding="utf-8"))
    assert made["max_total"] == 80 and made["total"] == 0 and (tmp_path / "graded" / "scores.csv").is_file()


GRADE = """import pathlib, sys
submission, out = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[4])
(out / submission.name).mkdir(parents=True)
(out / submission.name / "summary.md").write_text((submission / "mine.txt").read_text())
(out / "scores.csv").write_text(f"name,total\\n{submission.name},1\\n")
"""


def test_repositories_of_the_same_name_and_other_owners_can_be_told_apart(tmp_path):
    rows = []
    for owner in ("alice", "bob"):
        runner = tmp_path / owner
        for folder in ("grader/autograder", "submission/.git"):
            (runner / folder).mkdir(parents=True)
        (runner / "submission" / "mine.txt").write_text(owner)
        (runner / "grader" / "autograder" / "__main__.py").write_text(GRADE)
        done = run(script(INSTRUCTOR, "Grade"), runner, REPOSITORY=f"{owner}/vicreg")
        assert done.returncode == 0, done.stderr
        assert (runner / "summary").read_text() == owner and not list(runner.rglob(".git"))
        rows += (runner / "graded" / "scores.csv").read_text().splitlines()[1:]
    assert rows == ["alice--vicreg,1", "bob--vicreg,1"]


def test_the_scores_of_all_artifacts_get_one_head(tmp_path):
    for name in ("org--a", "org--b"):
        (tmp_path / "graded" / name).mkdir(parents=True)
        (tmp_path / "graded" / name / "scores.csv").write_text(f"submission,total\n{name},1\n")
    done = run(script(INSTRUCTOR, "Put the scores together"), tmp_path)
    assert done.returncode == 0 and (tmp_path / "scores.csv").read_text() == "submission,total\norg--a,1\norg--b,1\n"


def test_the_scores_of_a_single_artifact_are_found_where_github_unpacks_them(tmp_path):
    (tmp_path / "graded").mkdir()
    (tmp_path / "graded" / "scores.csv").write_text("submission,total\norg--a,1\n")
    done = run(script(INSTRUCTOR, "Put the scores together"), tmp_path)
    assert done.returncode == 0 and (tmp_path / "scores.csv").read_text() == "submission,total\norg--a,1\n"


def test_no_scores_at_all_are_an_error_in_words(tmp_path):
    done = run(script(INSTRUCTOR, "Put the scores together"), tmp_path)
    assert done.returncode == 1 and "no submission was graded" in done.stdout and not (tmp_path / "scores.csv").exists()
