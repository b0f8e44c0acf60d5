"""How fast grading is: a warm worker beside a cold one, and a whole submission beside a plain run of the same checks.

    python -m benchmarks.grading                 everything
    python -m benchmarks.grading --starts 50     more rounds of starting a worker

Peers: for starting, a fresh Python that imports PyTorch and makes the same first call; for grading, pytest on the same
checks with the reference in its own process (no wall, no workers). Prints medians and their ratios; judges nothing.
"""
import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from autograder import grading, rubric, sandbox, staging
from autograder.forkserver import ForkServer, Limits

PROJECT = Path(__file__).resolve().parent.parent
REQUEST = {"op": "call", "target": "warmup.normalize", "args": [torch.zeros(1, 4, 4, 3, dtype=torch.uint8)], "kwargs": {}, "seed": 0}


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def prepare(folder: Path) -> None:
    """A staged reference, as a submission would be staged."""
    staging.stage(PROJECT / "solutions", rubric.load().files, folder)


def first_call(server: ForkServer) -> None:
    worker = server.spawn(Limits())
    assert "value" in worker.request(REQUEST)
    worker.close()


def cold_process(code: Path) -> None:
    script = "import torch\nfrom assignment.warmup import normalize\nnormalize(torch.zeros(1, 4, 4, 3, dtype=torch.uint8))"
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", script], cwd=code, env=env, check=True)


def cold_sandbox(code: Path, confinement: sandbox.Confinement) -> None:
    with ForkServer(code, confinement) as server:
        first_call(server)


def benchmark_starts(rounds: int) -> None:
    confinement = sandbox.choose()
    print(f"sandbox: {confinement.describe()}")
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder)
        prepare(code)
        with ForkServer(code, confinement) as server:
            first_call(server)
            warm = [timed(lambda: first_call(server)) for _ in range(rounds)]
            spawn = [timed(lambda: server.spawn(Limits()).close()) for _ in range(rounds)]
        cold = [timed(lambda: cold_process(code)) for _ in range(5)]
        boxed = [timed(lambda: cold_sandbox(code, confinement)) for _ in range(5)]
    row("warm: fork and end a confined worker", spawn)
    row("warm: fork, import the submission, one call", warm)
    row("cold: a new Python, the same call, no wall", cold)
    row("cold: a new sandbox, the same call", boxed)
    ratio = statistics.median(cold) / statistics.median(warm)
    print(f"a warm call takes 1/{ratio:.0f} of a cold one\n")


def benchmark_grade(rounds: int) -> None:
    rules = rubric.load()
    whole, plain = [], []
    for _ in range(rounds):  # in turn, so that a drift of the machine's speed meets both
        plain.append(timed(plain_pytest))
        whole.append(timed(lambda: grading.grade(PROJECT / "solutions", rules, rules, sandbox.choose())))
    row(f"grade: all {len(rules.items())} items behind the wall", whole)
    row("peer: pytest, the reference in process, no wall", plain)
    print(f"behind the wall it takes {statistics.median(whole) / statistics.median(plain):.2f} times as long")


def plain_pytest() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(grading.CHECKS)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    with contextlib.suppress(subprocess.CalledProcessError):
        subprocess.run(command, cwd=PROJECT, env=env, check=True, capture_output=True)


def row(name: str, seconds: list[float]) -> None:
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    print(f"{name:<50} min {low * 1000:8.1f}   median {middle * 1000:8.1f}   max {high * 1000:8.1f}  ms  (n={len(seconds)})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=20, metavar="N", help="rounds of starting a worker (20)")
    parser.add_argument("--grades", type=int, default=3, metavar="N", help="rounds of grading the reference (3; 0: none)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    benchmark_starts(options.starts)
    if options.grades:
        benchmark_grade(options.grades)


if __name__ == "__main__":
    main()
