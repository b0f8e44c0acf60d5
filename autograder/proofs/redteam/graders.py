"""What is done to the grader itself: a network to be reached, a reference that breaks, a kill, a second grader, names."""
import csv
import json
import os
import shutil
import signal
import socket
import time
from pathlib import Path

from autograder import sandbox
from autograder.proofs.redteam import PROJECT, WALLED, append, scenario
from autograder.proofs.redteam.outcomes import must
from autograder.proofs.redteam.run import Bench, finish, read

WARMUP = ("--task", "warmup")


@scenario(16, modes=WALLED)
def opens_a_connection(bench: Bench) -> str:
    """opens connections to a listener on this machine, over TCP and UDP"""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        tcp.settimeout(0.2)
        udp.settimeout(0.2)
        folder = bench.honest("connects")
        append(
            folder,
            f"""
import socket
def _try(kind, port):
    try:
        with socket.socket(socket.AF_INET, kind) as connection:
            connection.settimeout(2)
            connection.connect(("127.0.0.1", port))
            connection.send(b"x")
    except OSError as error:
        return type(error).__name__
    return "sent"
raise RuntimeError(_try(socket.SOCK_DGRAM, {udp.getsockname()[1]}) + " and " + _try(socket.SOCK_STREAM, {tcp.getsockname()[1]}))
""",
        )
        run = bench.grade(folder, out=bench.base / "out", options=["--task", "vicreg"])
        must(run.code == 0, run.errors)
        for receive in (tcp.accept, lambda: udp.recv(1)):
            try:
                receive()
            except TimeoutError:
                continue
            must(False, "the connection came through")
    report = read(bench.base / "out", "connects")
    told = next(item.message for item in report.items() if item.verdict == "crashed")
    must(report.total == 0 and "sent" not in told, told)
    return f"nothing arrived: {told.splitlines()[1].partition('RuntimeError: ')[2]}"


def copy_of_project(folder: Path) -> Path:
    """The grader with all it needs, to be broken."""
    ignored = shutil.ignore_patterns("__pycache__", "*.ipynb", "*.html")
    for name in ("autograder", "assignment", "solutions"):
        shutil.copytree(PROJECT / name, folder / name, ignore=ignored)
    return folder


@scenario(34)
def a_reference_that_breaks(bench: Bench) -> str:
    """breaks the reference, and grades three right submissions"""
    project = copy_of_project(bench.base / "project")
    append(project / "solutions", "def covariance_loss(z):\n    raise ZeroDivisionError('the reference is broken')\n")
    folders = [bench.honest(name) for name in ("first", "second", "third")]
    run = bench.grade(*folders, out=bench.base / "out", cwd=project, options=["--task", "vicreg"])
    must(run.code == 3, f"exit code {run.code}: {run.errors[-1000:]}")
    must("could not be judged" in run.errors and "Traceback" not in run.errors, run.errors[-1000:])
    must("stopped after 1 of 3 submissions" in run.output, "went on although it fails on its own reference")
    must(not (bench.base / "out" / "second").exists(), "graded the second submission")
    report = read(bench.base / "out", "first")
    must(report.count("grader_fault") > 0, "no grader fault")
    must(report.total == report.max_total, f"lost points: {report.total:g}")
    return f"{report.count('grader_fault')} items called the grader's fault, no points lost, stopped after the first, exit code 3"


@scenario(35)
def a_kill_in_the_middle(bench: Bench) -> str:
    """kills the grader with SIGKILL in the middle of a class, and starts it again"""
    return killed_and_started_again(bench, size=5, at=2)


def killed_and_started_again(bench: Bench, size: int, at: int) -> str:
    """Kill the grader when `at` submissions of `size` are graded; the first of them is wrong."""
    names = [f"{number:03}" for number in range(1, size + 1)]  # the order in which they are graded
    folders = [bench.honest(name) for name in names]
    append(folders[0], "def normalize(images):\n    return torch.zeros(len(images), 3, 32, 32)\n", "warmup.py")
    out = bench.base / "out"
    arguments = ["grade", *folders, "--out", out, "--sandbox", bench.mode, *WARMUP]
    process = bench.start(*arguments)
    deadline = time.monotonic() + 60 + 20 * at
    while not (out / names[at - 1] / "report.html").exists():
        must(process.poll() is None and time.monotonic() < deadline, "the class was not graded")
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    whole = {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*/report.json") if json.loads(path.read_text())}
    must(set(names[:at]) <= set(whole) and len(whole) < size, f"{len(whole)} reports at the kill")
    run = finish(bench.start(*arguments), 60 + 20 * (size - at))
    must(run.code == 0, run.errors[-1000:])
    for name, written in whole.items():
        must((out / name / "report.json").stat().st_mtime_ns == written, f"{name} was graded twice")
    kept = run.output.count("verdict kept")
    must(kept == len(whole), f"{kept} verdicts kept of {len(whole)}")
    wrong, *right = (read(out, name) for name in names)
    must(all(report.total == report.max_total for report in right), "a right submission lost points")
    must(wrong.total < wrong.max_total, "the wrong submission")
    torn = [path.name for path in out.rglob("*") if path.name not in ("report.json", "report.html", "scores.csv") and path.is_file()]
    must(not torn, f"left in the folder: {torn}")
    return f"{kept} verdicts kept, {size - kept} submissions graded by the second run, no torn file"


@scenario(36)
def two_graders_on_one_folder(bench: Bench) -> str:
    """starts a second grader on a folder that one is grading into"""
    out = bench.base / "out"
    first = bench.start("grade", *(bench.honest(name) for name in ("a", "b", "c")), "--out", out, "--sandbox", bench.mode, *WARMUP)
    deadline = time.monotonic() + 120
    while not out.is_dir() or not any(out.iterdir()):
        must(first.poll() is None and time.monotonic() < deadline, "the first grader did not start")
        time.sleep(0.005)
    second = bench.grade(bench.wrong("d"), out=out, options=WARMUP)
    run = finish(first, 240)
    must(second.code == 2 and "has been grading into this folder" in second.errors, f"the second ended with {second.code}: {second.errors}")
    must(run.code == 0 and all(read(out, name).total == read(out, name).max_total for name in ("a", "b", "c")), run.errors)
    again = bench.grade(bench.base / "submissions" / "d", out=out, options=WARMUP)
    must(again.code == 0 and read(out, "d").total > 0, again.errors)
    return "the second was refused with exit code 2 and said who holds the folder; nothing was lost"


NAMES = ('=HYPERLINK("http:example.org";"open")', "comma, quote \" and 'tick'", "@SUM(A1:A9)", "-2+3", "Zoë Müller\u202e", "line\nbreak", "＝1+1")
COMMANDS = ("::error::owned", "x\n::error::owned", "##[error]owned")


@scenario(37)
def names_that_a_spreadsheet_would_run(bench: Bench) -> str:
    """hands in folders whose names are formulas or commands, and hold commas, quotes and line breaks"""
    folders = [bench.honest(name) for name in (*NAMES, *COMMANDS)]
    out = bench.base / "out"
    run = bench.grade(*folders, out=out, options=WARMUP)
    must(run.code == 0, run.errors[-1000:])
    with open(out / "scores.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    must(len(rows) == 1 + len(folders) and len({len(row) for row in rows}) == 1, f"rows of {[len(row) for row in rows]} cells")
    for row in rows[1:]:
        for cell in row:
            must(not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝")) and "\n" not in cell, f"a cell that runs: {cell!r}")
        must(float(row[1]) == float(row[2]) > 0, row)
    obeyed = [line for line in run.output.splitlines() if line.lstrip().startswith("::") or "##[" in line]
    must(not obeyed, f"a line that commands a CI service: {obeyed[:1]}")
    return f"{len(folders)} rows of {len(rows[0])} cells, none of which begins a formula; no line of the log is a command"


@scenario(0, modes=("landlock",))
def sockets_of_other_kinds(bench: Bench) -> str:
    """opens sockets of every family and type with Landlock alone, which knows TCP only"""
    folder = bench.honest("sockets")
    append(
        folder,
        """
import socket
_open = []
for _family in range(2, 46):
    for _kind in (1, 2, 3, 5):
        try:
            socket.socket(_family, _kind).close()
            _open.append((_family, _kind))
        except OSError:
            pass
if _open:
    raise RuntimeError(f"ESCAPED: {_open}")
""",
    )
    must(sandbox.landlock_works(), "no Landlock here")
    run = bench.grade(folder, out=bench.base / "out", options=["--task", "vicreg"])
    report = read(bench.base / "out", "sockets")
    must(run.code == 0 and report.total == report.max_total, [item.message for item in report.items() if item.message][:1])
    return "none could be opened but those within the machine (AF_UNIX)"
