"""Runs the checks of threshold items over seeds, and keeps what each run had in one JSON file for each item.

A file is valid at every moment: an interrupted calibration goes on where it stopped.
"""

import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import sklearn
import torch

from autograder import limits, report, rubric
from autograder.proofs import harness
from autograder.proofs.calibration.items import Item
from autograder.student import LocalChannel, Student, reference

REFERENCE = "reference"
WRITE_SECONDS = 2.0  # how often a file is written while cheap measurements are made


def versions() -> dict[str, str]:
    found = {module.__name__: module.__version__ for module in (torch, numpy, sklearn)}
    return {"python": platform.python_version(), **found}


def measure(item: Item, package: str, seed: int, shared: dict) -> dict:
    """What a package had at the limits of one item. Seed 0 is what is graded."""
    check, version = item.check(), rubric.load().version
    draws = f"{version}/{item.id}" if seed == 0 else f"{version}/{item.id}/{seed}"
    begun, error = time.process_time(), ""
    with limits.noted() as found, harness.one_thread():
        try:
            for case in check.cases:
                call(check, case, Student(LocalChannel(package), draws), seed, shared)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # NotAttempted is no Exception
            error = f"{type(raised).__name__}: {raised}"[:200]
    seconds = round(time.process_time() - begun, 3)
    return {"values": found.values, "counts": found.counts, "refused": error, "seconds": seconds}


def call(check: harness.Check, case: dict, student: Student, seed: int, shared: dict) -> None:
    """The check with what it asks for; those without data of their own have no `seed`."""
    code = check.function.__code__
    fixtures = {"student": student, "shared": shared, "seed": seed}
    fixtures["reference"] = reference(f"reference/{check.item}/{seed}", trusted=True)
    asked = code.co_varnames[: code.co_argcount]
    check.function(**case, **{name: value for name, value in fixtures.items() if name in asked})


class Results:
    """The measurements of one item, as they stand in its file."""

    def __init__(self, folder: Path, item: Item, resume: bool):
        self.path, self.item, self.written = folder / f"{item.id}.json", item, 0.0
        kept = json.loads(self.path.read_text(encoding="utf-8")) if resume and self.path.exists() else {}
        same = kept.get("versions") == versions()
        self.runs: dict[str, dict[str, dict]] = kept["runs"] if same else {}

    def has(self, method: str, seed: int) -> bool:
        return str(seed) in self.runs.get(method, {})

    def add(self, method: str, seed: int, found: dict) -> None:
        self.runs.setdefault(method, {})[str(seed)] = found
        if time.monotonic() - self.written > WRITE_SECONDS:
            self.write()

    def write(self) -> None:
        table = {"item": self.item.id, "versions": versions(), "runs": self.runs}
        report.write_atomically(self.path, json.dumps(table, indent=1, ensure_ascii=False) + "\n")
        self.written = time.monotonic()


def groups(items: list[Item]) -> list[list[Item]]:
    """Items that share what a submission does, together."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.group or item.id, []).append(item)
    return list(found.values())


def steps(group: list[Item], seeds: int, wrong_seeds: int) -> Iterator[tuple[str, range, list[Item]]]:
    """What is to be measured: each method with its seeds, and the items of the group that it concerns."""
    yield REFERENCE, range(seeds), group
    names = {name: None for item in group for name in item.wrong()}
    for name in names:
        yield name, range(wrong_seeds), [item for item in group if name in item.wrong()]


def calibrate(items: list[Item], seeds: int, wrong_seeds: int, folder: Path, resume: bool, told: Callable) -> None:
    """Measure all; `told(item ids, method, seed)` is called after every measurement."""
    for group in groups(items):
        results = {item.id: Results(folder, item, resume) for item in group}
        try:
            for method, numbers, concerned in steps(group, seeds, wrong_seeds):
                measure_method(method, numbers, concerned, results, told)
        finally:
            for each in results.values():
                each.write()


def measure_method(method: str, seeds: range, items: list[Item], results: dict, told: Callable) -> None:
    entries = [] if method == REFERENCE else [items[0].wrong()[method]]
    with tempfile.TemporaryDirectory() as folder, harness.package_with(Path(folder), *entries) as package:
        for seed in seeds:
            shared: dict = {}
            for item in items:
                if not results[item.id].has(method, seed):
                    results[item.id].add(method, seed, measure(item, package, seed, shared))
            told(items, method, seed)
