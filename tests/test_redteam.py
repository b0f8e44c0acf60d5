"""Every attack is graded for real, through the command line, and must come out as the threat list says."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from autograder import expect, messages, sandbox, staging
from autograder.forkserver import ForkServer
from autograder.proofs import redteam
from autograder.proofs.redteam import graders, outcomes, run
from autograder.report import ItemResult, Report, TaskResult
from autograder.student import Call, error_class
from autograder.worker import server as fork_server
from autograder.worker import wire

PROJECT = Path(__file__).resolve().parent.parent
# One or two of each kind of what wins credit or loses results on other graders; all are run by `make test-all`.
IN_CI = {
    "patches-comparisons",
    "ships-shadow-modules",
    "reads-the-reference",
    "returns-what-equals-everything",
    "has-a-syntax-error",
}
QUICK = {
    "exits-on-import",
    "forges-a-results-file",
    "answers-the-pipe-itself",
    # refused before anything is run
    "hands-in-a-link",
    "zips-a-path-that-leads-out",
    "zips-a-bomb",
    "zips-a-file-without-a-name",
}
MODES = run.modes()


def marks(mode: str, name: str) -> list:
    if mode == MODES[0] and name in QUICK:
        return []
    return [pytest.mark.slow, *([pytest.mark.ci] if mode == MODES[0] and name in IN_CI else [])]


CASES = [
    pytest.param(
        mode, each, id=f"{mode}-row{each.row}-{each.name}",
        marks=marks(mode, each.name),
    )
    for mode in MODES
    for each in redteam.attacks()
    if mode in each.modes
]  # fmt: skip


@pytest.fixture(scope="module")
def outcomes_of(tmp_path_factory, request):
    """The outcomes of all attacks that were asked for, by mode and name."""
    given = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    asked = {mode: [each["attack"] for each in given if "attack" in each and each["mode"] == mode] for mode in MODES}
    found = {}
    for mode, attacks in asked.items():
        done = run.grade(attacks, tmp_path_factory.mktemp(mode), mode) if attacks else []
        found.update({(mode, each.name): each for each in done})
    return found


@pytest.mark.parametrize("mode, attack", CASES)
def test_attack_earns_nothing_and_costs_nothing_else(mode, attack, outcomes_of):
    outcome = outcomes_of[mode, attack.name]
    assert outcome.held, outcome.broken


PLAYED = [
    pytest.param(mode, each, id=f"{mode}-row{each.row}-{each.name}", marks=[] if each.row == 16 and mode == MODES[0] else pytest.mark.slow)
    for mode in MODES
    for each in redteam.scenarios()
    if mode in each.modes
]


@pytest.mark.parametrize("mode, scenario", PLAYED)
def test_scenario_holds(mode, scenario, tmp_path):
    outcome = run.play(scenario, tmp_path, mode)
    assert outcome.held, outcome.broken


@pytest.mark.slow
def test_a_class_of_300_killed_in_the_middle_goes_on(tmp_path):
    """Row 35 as it is written: kill -9 at submission 150 of 300."""
    told = graders.killed_and_started_again(run.Bench(tmp_path, MODES[0]), size=300, at=150)
    assert "no torn file" in told


def test_every_row_has_an_attack_and_stands_in_the_documentation():
    known = [*redteam.attacks(), *redteam.scenarios()]
    assert {each.row for each in known} == {0, *redteam.ROWS}
    assert len({each.name for each in known}) == len(known)
    text = (PROJECT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = {int(number) for number in re.findall(r"^\| (\d+) \|", text, re.M)}
    assert rows == set(redteam.ROWS)
    for each in known:
        assert f"| {each.tried} |" in text, f"docs/security.md does not list {each.name} with what it tries"


def test_what_does_not_hold_is_said():
    """The red team's own judgment: it can fail."""
    item = ItemResult("vicreg.variance_value", "t", "public", "passed", 1.0, 1.0)
    report = Report("x", 1.0, 1.0, "none", [], [TaskResult("vicreg", "Task 2: t", 1.0, 1.0, [item])])
    outcomes.sound(report)
    outcomes.full_marks(report)
    for check in (outcomes.nothing, outcomes.rejected("x"), outcomes.lost("crashed"), outcomes.failed(item.id)):
        with pytest.raises(redteam.Broken):
            check(report)
    item.verdict = "grader_fault"
    with pytest.raises(redteam.Broken, match="fault"):
        outcomes.sound(report)
    item.verdict, item.message = "failed", "LEAK"
    with pytest.raises(redteam.Broken, match="LEAK"):
        outcomes.sound(report)


def test_grading_from_inside_a_submission_imports_none_of_it(tmp_path):
    """The trusted process takes `assignment.provided` from the project, wherever the command is typed."""
    provided = tmp_path / "assignment" / "provided"
    provided.mkdir(parents=True)
    for package in (provided.parent, provided):
        (package / "__init__.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    command = [sys.executable, "-m", "autograder", "grade", ".", "--out", "out", "--task", "warmup"]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=env, timeout=120)
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("arguments, code", [(["--row", "22", "--json"], 0), (["--row", "77"], 2), (["--out", "."], 2)])
def test_the_command_tells_what_became_of_each(arguments, code):
    command = [sys.executable, "-m", "autograder", "redteam", *arguments]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)
    assert result.returncode == code, result.stdout + result.stderr
    if code:
        assert len(result.stderr.splitlines()) == 1
    else:
        told = json.loads(result.stdout)
        assert {each["row"] for each in told} == {22} and all(each["held"] and "rejected" in each["happened"] for each in told)


# -- holes that the red team found, each by the piece that was at fault -----------------------------------------------


def test_a_submission_with_many_blank_lines_is_read_at_once(tmp_path):
    """A pattern over several lines took time with the square of their number: hours for a megabyte."""
    (tmp_path / "assignment").mkdir()
    (tmp_path / "assignment" / "a.py").write_text("\n" * 500_000 + "  import sklearn\nfrom matplotlib import pyplot\n")
    wanted = ForkServer(tmp_path, sandbox.choose("none")).wanted(("sklearn", "torchvision"))
    assert wanted == ["sklearn.linear_model", "matplotlib.font_manager"]


def test_folders_are_emptied_however_deep_they_are(tmp_path):
    """shutil.rmtree recurses, and its RecursionError made a whole grading the grader's fault, with full marks."""
    home = os.getcwd()
    (tmp_path / "inner" / "closed" / "moved-0").mkdir(parents=True)
    (tmp_path / "inner" / "file").write_text("")
    (tmp_path / "inner" / "link").symlink_to(PROJECT)
    os.chmod(tmp_path / "inner" / "closed", 0)
    try:
        os.chdir(tmp_path / "inner")
        for _ in range(2000):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(home)
    fork_server.empty(str(tmp_path / "inner"))
    assert not list((tmp_path / "inner").iterdir()) and (PROJECT / "tests").is_dir()


def test_a_tensor_may_be_named_once_only():
    """A tensor of 60 MB that is named a thousand times took 60 GB in whoever compared its entries."""
    body = wire.pack([torch.ones(2), torch.ones(2)])
    assert len(wire.unpack(body)) == 2
    with pytest.raises(wire.WireError):
        wire.unpack(body.replace(b'{"tensor": "1"}', b'{"tensor": "0"}'))


def test_a_boolean_is_true_or_false():
    """A byte of 140 is true for torch and counts as 140 in a sum."""
    body = wire.pack(torch.tensor([True, False]))
    with pytest.raises(wire.WireError, match="boolean"):
        wire.unpack(body[:-2] + b"\x8c\x00")


def test_a_file_that_cannot_be_read_is_the_submissions_fault(tmp_path, monkeypatch):
    """It was the grader's, with full marks."""

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "vicreg.py").write_text("")
    monkeypatch.setattr(staging, "open_warily", denied)
    with pytest.raises(staging.SubmissionError, match="Permission denied"):
        staging.read_folder(tmp_path).files[staging.PurePosixPath("vicreg.py")]()


def test_a_pipe_put_in_a_files_place_does_not_block(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "vicreg.py")
    monkeypatch.setattr(staging, "check_regular", lambda *_: None)  # it was a file when it was looked at
    with pytest.raises(staging.SubmissionError, match="not a regular file"):
        staging.read_limited(tmp_path / "vicreg.py", staging.PurePosixPath("vicreg.py"))


@pytest.mark.parametrize(
    "came, told",
    [
        ("str 'LEAK'", "a value of type str"),
        ("list [1, 2]", "a value of type list"),
        ("a value of type assignment.vicreg.LEAK", "a value of another type"),
        ("shape (3, 4)", "shape (3, 4)"),
        ("shape (31415926, 4)", "another shape"),
        ("None (is a `return` missing?)", "None (is a `return` missing?)"),
    ],
)
def test_hidden_items_tell_kinds_and_no_values(came, told):
    assert messages.without_values(came) == told


def test_hidden_items_name_only_what_python_and_the_release_name():
    call = Call("call", "vicreg.variance_loss", (), {})

    def error(**told):
        return error_class(tuple(told.get("bases", ())))(told, call)

    assert messages.builtin_name(error(type="LEAK", bases=["ValueError", "Exception"])) == "ValueError"
    assert messages.builtin_name(error(type="LEAK")) == "an exception"
    place = {"file": "assignment/vicreg.py", "line": 7, "function": "variance_loss"}
    assert messages.released_place([place]) == " at assignment/vicreg.py, line 7, in variance_loss"
    assert messages.released_place([{**place, "function": "LEAK"}]) == " at assignment/vicreg.py, line 7"
    for odd in ({"file": "assignment/LEAK.py"}, {"file": "/etc/passwd"}, {"line": "LEAK"}, {"line": 10**9}):
        assert messages.released_place([{**place, **odd}]) == ""


def test_long_values_are_described_by_their_beginning():
    text = expect.describe([list(range(10**6))] * 1000)
    assert text.startswith("list [[0, 1, 2") and len(text) < 100
