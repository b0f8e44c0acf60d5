"""The two commands through their front door: what they print, write and return."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

PROJECT = Path(__file__).resolve().parent.parent
SCHEMA = json.loads((PROJECT / "autograder" / "report.schema.json").read_text())


def autograder(*arguments, cwd=PROJECT, **options) -> subprocess.CompletedProcess:
    env = {**os.environ, "PYTHONPATH": str(PROJECT), "COLUMNS": "160"}
    command = [sys.executable, "-m", "autograder", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=env, timeout=300, **options)


def reference(folder: Path) -> Path:
    shutil.copytree(PROJECT / "solutions", folder, ignore=shutil.ignore_patterns("__*"))
    return folder


def heed_interrupts() -> None:
    """For a child process: a job that a shell started in the background ignores SIGINT, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The stubs, the reference, an empty folder and a broken zip, graded for one task."""
    base = tmp_path_factory.mktemp("graded")
    shutil.copytree(PROJECT / "assignment", base / "stubs" / "assignment")
    reference(base / "reference, with a comma")
    (base / "empty").mkdir()
    (base / "broken.zip").write_bytes(b"PK not a zip")
    names = ["stubs", "reference, with a comma", "empty", "broken.zip"]
    result = autograder("grade", *(base / name for name in names), "--out", base / "out", "--task", "vicreg", "--json")
    return result, base / "out"


def test_grade_writes_a_valid_report_for_each(graded):
    result, out = graded
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    assert [each["submission"] for each in printed] == ["stubs", "reference, with a comma", "empty", "broken"]
    for each in printed:
        jsonschema.validate(each, SCHEMA)
        assert json.loads((out / each["submission"] / "report.json").read_text()) == each
        assert (out / each["submission"] / "report.html").read_text().startswith("<!")
    assert sorted(path.name for path in out.iterdir()) == sorted([*(each["submission"] for each in printed), "scores.csv"])


def test_grade_gives_the_right_points(graded):
    stubs, full, empty, broken = json.loads(graded[0].stdout)
    assert full["total"] == full["max_total"] > 0
    assert stubs["total"] == empty["total"] == broken["total"] == 0
    verdicts = {item["verdict"] for item in stubs["tasks"][0]["items"]}
    assert verdicts <= {"not_attempted", "blocked"}
    assert any("missing files" in note for note in empty["notes"])
    assert any("not a readable zip" in note for note in broken["notes"])
    assert "sandbox" in full and full["sandbox"]


def test_check_explains_what_failed(tmp_path):
    folder = reference(tmp_path / "assignment")
    with open(folder / "vicreg.py", "a") as file:
        file.write("\n\ndef invariance_loss(z_a, z_b):\n    print('here')\n    return (z_a - z_b).abs().mean()\n")
    result = autograder("check", "vicreg", cwd=tmp_path)
    assert result.returncode == 1
    order = [result.stdout.index(word) for word in ("Expected:", "Came:", "Input", "Hint:")]
    assert order == sorted(order)
    assert "from assignment.vicreg import invariance_loss" in result.stdout
    assert "\x1b" not in result.stdout  # no colors into a pipe
    assert re.search(r"Your code printed:\n.*here", result.stdout)


def test_the_pasteable_input_runs_as_printed(tmp_path):
    folder = shutil.copytree(PROJECT / "assignment", tmp_path / "assignment")
    shutil.copy(PROJECT / "solutions" / "vicreg.py", folder)
    with open(folder / "vicreg.py", "a") as file:
        file.write("\n\ndef invariance_loss(z_a, z_b):\n    return (z_a - z_b).abs().mean()\n")
    text = autograder("check", "vicreg", "--json", cwd=tmp_path).stdout
    messages = [item["message"] for task in json.loads(text)["tasks"] for item in task["items"]]
    snippets = [re.search(r"Input \(Python code; .*\):\n((?:    .*\n?)+)", each) for each in messages]
    codes = [re.sub(r"^    ", "", match.group(1), flags=re.M) for match in snippets if match]
    assert codes
    for code in codes:
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, (code, done.stderr)


def test_check_passes_on_the_reference_and_shows_the_first_verdict_soon(tmp_path):
    reference(tmp_path / "assignment")
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-u", "-m", "autograder", "check", "warmup"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=env) as process:
        first = process.stdout.readline()
        rest = process.stdout.read()
    assert "passed" in first and process.returncode == 0, first + rest


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["check", "nope"], "no task 'nope'"),
        (["check", "--dir", "/"], "no assignment files in"),
        (["grade", "/does/not/exist", "--out", "x"], "does not exist"),
        (["grade", "solutions", "assignment/../solutions", "--out", "x"], "rename one of them"),
        (["grade", "{tmp}/Scores.csv", "--out", "{tmp}/x"], "would be reported as 'Scores.csv', which is a file of ours in --out"),
        (["grade", "{tmp}/scores.csv.zip", "--out", "{tmp}/x"], "would be reported as 'scores.csv', which is a file of ours"),
        (["grade", "solutions", "--out", "/proc/nope/x"], "/proc/nope/x cannot be made or written to (No such file or directory)"),
        (["grade", "solutions", "--out", "README.md/x"], "README.md/x cannot be made or written to (Not a directory)"),
        (["grade", "solutions", "--out", "x", "--rubric", "README.md"], "not valid TOML"),
        (["grade", "solutions"], "--out"),
    ],
)
def test_wrong_usage_gives_one_sentence_and_exit_code_2(arguments, words, tmp_path):
    for name in ("Scores.csv", "scores.csv.zip"):
        (tmp_path / name).mkdir()
    result = autograder(*(each.format(tmp=tmp_path) for each in arguments))
    assert result.returncode == 2 and words in result.stderr and "Traceback" not in result.stderr


def test_a_rubric_that_disagrees_with_the_checks_stops_at_the_start(tmp_path):
    text = (PROJECT / "autograder" / "rubric.toml").read_text()
    first = re.search(r'id = "(warmup\.\w+)"', text).group(1)
    (tmp_path / "rubric.toml").write_text(text.replace(f'id = "{first}"', 'id = "warmup.unknown"', 1))
    result = autograder("grade", PROJECT / "solutions", "--out", tmp_path / "out", "--rubric", tmp_path / "rubric.toml")
    assert result.returncode == 2 and not (tmp_path / "out").exists()
    assert first in result.stderr or "warmup.unknown" in result.stderr, result.stderr


def test_help_has_examples():
    for command in ("check", "grade"):
        text = autograder(command, "--help").stdout
        assert "examples:" in text and "exit codes:" in text


@pytest.mark.parametrize("stop", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=[pytest.mark.ci, pytest.mark.slow])])
def test_an_interrupt_leaves_valid_files_and_nothing_else(tmp_path, stop):
    for number in range(3):
        reference(tmp_path / f"s{number}")
    command = [sys.executable, "-u", "-m", "autograder", "grade", *(str(tmp_path / f"s{n}") for n in range(3))]
    command += ["--out", str(tmp_path / "out"), "--task", "vicreg"]
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, preexec_fn=heed_interrupts
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "out" / "s0" / "report.html").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(stop)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted" in error and "Traceback" not in error
    for path in (tmp_path / "out").rglob("*"):
        if path.name == "report.json":
            jsonschema.validate(json.loads(path.read_text()), SCHEMA)
        assert path.is_dir() or path.name in ("report.json", "report.html", "scores.csv")
    assert not list((tmp_path / "tmp").iterdir())


def test_watch_runs_again_on_a_save(tmp_path):
    folder = shutil.copytree(PROJECT / "assignment", tmp_path / "assignment")
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-u", "-m", "autograder", "check", "--watch", "warmup", "vicreg"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=env, preexec_fn=heed_interrupts
    )
    try:
        first = read_until(process, "Watching")
        shutil.copy(PROJECT / "solutions" / "warmup.py", folder / "warmup.py")
        second = read_until(process, "Watching")
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert "Task 0:" in first and "Task 2:" not in first  # only the first open task is explained
    assert "Task 2:" in second and "Task 0:" not in second


def read_until(process, word: str) -> str:
    text = ""
    for line in process.stdout:
        text += line
        if word in line:
            return text
    raise AssertionError(f"ended without {word!r}: {text}")


def test_require_sandbox_and_its_absence(tmp_path):
    reference(tmp_path / "s")
    common = ["grade", tmp_path / "s", "--out", tmp_path / "out", "--task", "warmup", "--sandbox", "none"]
    refused = autograder(*common, "--require-sandbox")
    assert refused.returncode == 2 and "a sandbox was required" in refused.stderr
    graded = autograder(*common)
    assert graded.returncode == 0
    report = json.loads((tmp_path / "out" / "s" / "report.json").read_text())
    assert report["total"] == report["max_total"] and report["sandbox"].startswith("none")
