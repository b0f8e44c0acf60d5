"""`--try`: the archive unpacked as Gradescope lays it out, with the reference and the stubs as submissions."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import jsonschema

from autograder.rubric import Rubric

SCHEMA = Path(__file__).with_name("results.schema.json")
END_SECONDS = 20  # for supervise.py to stop the grader and write its last results
METADATA = {"id": 1, "created_at": "2026-01-01T12:00:00.000000-07:00", "previous_submissions": [], "users": []}


def run(files: dict[str, bytes], part: Rubric) -> int:
    """Grade both, say what came out, and return 0 where the reference has all points and the stubs none."""
    points = sum(item.points for item in part.items())
    held = [grade(files, name, wanted) for name, wanted in (("solutions", points), ("assignment", 0.0))]
    return 0 if all(held) else 1


def grade(files: dict[str, bytes], submission: str, wanted: float) -> bool:
    """Grade what lies in one of the archive's own folders; whether it has the wanted score."""
    what = {"solutions": "the reference", "assignment": "the stubs"}[submission]
    print(f"trying {what} ...", flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gradescope-") as base:
        root = lay_out(Path(base), files)
        for name, data in files.items():
            if name.startswith(f"{submission}/") and name.count("/") == 1:
                (root / "submission" / name.partition("/")[2]).write_bytes(data)
        found = start_and_wait(root)
    held = found["score"] == wanted and found["extra_data"]["complete"]
    seconds = time.monotonic() - start
    print(f"{'ok  ' if held else 'FAIL'}  {what}: {found['score']:g} points, {wanted:g} expected, {seconds:.0f} s", flush=True)
    if not held:
        print(f"      {found['output']}")
    return held


def lay_out(root: Path, files: dict[str, bytes]) -> Path:
    """Gradescope's folders, with the archive unpacked."""
    for name, data in files.items():
        path = root / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "run_autograder").write_bytes(files["run_autograder"])
    (root / "run_autograder").chmod(0o755)
    (root / "submission").mkdir()
    (root / "results").mkdir()
    (root / "submission_metadata.json").write_text(json.dumps(METADATA))
    return root


def environment(root: Path) -> dict[str, str]:
    """What lets run_autograder run elsewhere than at Gradescope, also as root: what is tried is the instructor's own code."""
    return {**os.environ, "AUTOGRADER_ROOT": str(root), "AUTOGRADER_PYTHON": sys.executable, "AUTOGRADER_TRIAL": "1"}


def count_items(lines: Iterable[str]) -> None:
    """Show how many items are done, on a terminal."""
    count = 0
    for line in lines:
        count += line[:1] in "✓✗!·-?"
        if sys.stderr.isatty():
            print(f"\r      {count} items", end="\r", file=sys.stderr, flush=True)


def end(grading: subprocess.Popen) -> None:
    """Wait for it; where it has not come to its end, make it stop, with all that it started."""
    try:
        grading.wait(1)
    except subprocess.TimeoutExpired:
        os.killpg(grading.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            grading.communicate(timeout=END_SECONDS)  # to the end of its output, which its grader holds open
    with contextlib.suppress(ProcessLookupError):
        os.killpg(grading.pid, signal.SIGKILL)
    grading.wait()


def start_and_wait(root: Path) -> dict:
    """Run it, counting the items as they are told, and read what it wrote."""
    grading = subprocess.Popen(
        [root / "run_autograder"], cwd=root, env=environment(root), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        count_items(grading.stdout)
    finally:  # also under Ctrl-C: nothing may write into the folder once it is removed
        end(grading)
    found = json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    return found
