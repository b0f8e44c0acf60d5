"""`--try`: the archive unpacked as Gradescope lays it out, with the reference and the stubs as submissions."""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jsonschema

from autograder.rubric import Rubric

SCHEMA = Path(__file__).with_name("results.schema.json")
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


def start_and_wait(root: Path) -> dict:
    """Run it, counting the items as they are told, and read what it wrote."""
    grading = subprocess.Popen(
        [root / "run_autograder"], cwd=root, env=environment(root), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    count = 0
    for line in grading.stdout:
        count += line[:1] in "✓✗!·-?"
        if sys.stderr.isatty():
            print(f"\r      {count} items", end="\r", file=sys.stderr, flush=True)
    grading.wait()
    found = json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    return found
