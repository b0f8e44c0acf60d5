"""Every attack is graded for real, through the command line, and must come out as the threat list says."""
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redteam

from autograder import sandbox
from autograder.report import Report

PROJECT = Path(__file__).resolve().parent.parent


def start(folders, out: Path, *options: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "autograder", "grade", *map(str, folders), "--out", str(out), *options]
    env = {**os.environ, "SECRET_OF_THE_GRADER": "1"}
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def finish(process: subprocess.Popen) -> None:
    output, errors = process.communicate(timeout=500)
    assert process.returncode == 0, output[-3000:] + errors[-3000:]
    assert "\x1b" not in output and "Traceback" not in errors


def read(out: Path, name: str) -> Report:
    return Report.from_dict(json.loads((out / name / "report.json").read_text(encoding="utf-8")))


def short_limits(folder: Path) -> Path:
    """The real rubric with less patience: an endless loop costs each of its items the whole limit."""
    text = (PROJECT / "autograder" / "rubric.toml").read_text(encoding="utf-8")
    path = folder / "rubric.toml"
    path.write_text(text.replace("call_seconds = 10", "call_seconds = 3").replace("memory_mib = 2048", "memory_mib = 512"))
    return path


@pytest.fixture(scope="module")
def graded(tmp_path_factory, request) -> Path:
    """All attacks that were asked for, graded by two runs of the command at once, one for each core."""
    base = tmp_path_factory.mktemp("redteam")
    given = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    folders = [redteam.build(each["attack"], base / "submissions") for each in given if "attack" in each]
    options = ["--task", "warmup", "--task", "vicreg", "--rubric", str(short_limits(base))]
    # A folder of reports belongs to one run at a time.
    runs = [start(folders[half::2], base / f"out{half}", *options) for half in (0, 1)]
    for run in runs:
        finish(run)
    for folder in (base / "out1").glob("*/"):
        folder.rename(base / "out0" / folder.name)
    return base / "out0"


# Ten seconds each and more; and honest faults, which harm nobody but their authors.
LONG = {
    "memory-bomb-of-lists",
    "loops-and-swallows-everything",
    "long-call-that-ignores-signals",
    "changes-global-settings",
    "reads-other-submissions",
    "returns-nan",
    "returns-infinity",
    "is-not-utf8",
    "has-a-bom-and-crlf",
    "misses-a-file",
    "renames-a-function",
    "returns-the-wrong-shape",
    "loses-the-gradient",
    "prints-warnings",
    "leaves-the-stubs",
}


@pytest.mark.parametrize(
    "attack",
    [pytest.param(each, marks=pytest.mark.slow) if each.name in LONG else each for each in redteam.ATTACKS],
    ids=lambda each: f"row{each.row}-{each.name}",
)
def test_attack_earns_nothing_and_costs_nothing_else(attack, graded):
    report = read(graded, attack.name)
    attack.check(report)
    assert "LEAK" not in json.dumps(report.as_dict())
    assert report.count("grader_fault") == 0
    assert (graded / attack.name / "report.html").stat().st_size > 1000


def test_no_connection_leaves_the_sandbox(tmp_path):
    """Row 16: a listener on this machine is not reached, over TCP or UDP, and the submission is told why."""
    if not sandbox.choose().network:
        pytest.skip("no bubblewrap here, so the network cannot be cut off")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        tcp.settimeout(0.2)
        udp.settimeout(0.2)
        source = f"""
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", {udp.getsockname()[1]}))
socket.create_connection(("127.0.0.1", {tcp.getsockname()[1]}), timeout=2)
"""
        talker = redteam.Attack("connects", 16, lambda folder: redteam.append(folder, source), redteam.full_marks)
        finish(start([redteam.build(talker, tmp_path / "in")], tmp_path / "out", "--task", "vicreg"))
        with pytest.raises(TimeoutError):
            tcp.accept()
        with pytest.raises(TimeoutError):
            udp.recv(1)
    report = read(tmp_path / "out", "connects")
    assert report.total == 0 and all("Error" in item.message for item in report.items() if item.verdict == "crashed")


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
