"""Runs the checks of threshold items over seeds, and keeps what each run had in one JSON file for each item.

A file is valid at every moment: an interrupted calibration goes on where it stopped.
"""

import json
import math
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import sklearn
import torch

from autograder import limits, report, rubric
from autograder.misconceptions import mutants
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
    values = {name: value if math.isfinite(value) else None for name, value in found.values.items()}
    return {"values": values, "counts": found.counts, "refused": error, "seconds": seconds}


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
        self.summary: dict = {}  # made when all is measured
        kept = load(self.path) if resume and self.path.exists() else {}
        is_same = kept.get("head", {}).get("versions") == versions()
        runs = kept["runs"] if is_same else {}
        self.runs = {method: {seed: run for seed, run in each.items() if is_sound(run)} for method, each in runs.items()}

    def wants(self, method: str, seed: int) -> bool:
        return str(seed) not in self.runs.get(method, {})

    def add(self, method: str, seed: int, found: dict) -> None:
        self.runs.setdefault(method, {})[str(seed)] = found
        if time.monotonic() - self.written > WRITE_SECONDS:
            self.write()

    def in_order(self) -> dict[str, dict]:
        """The runs of what the item names today."""
        return {method: self.runs[method] for method in (REFERENCE, *self.item.wrong()) if method in self.runs}

    def write(self) -> None:
        head = {"item": self.item.id, "versions": versions()}
        lines = [
            f"{dumped(method)}: {{\n" + ",\n".join(f"  {dumped(seed)}: {dumped(run)}" for seed, run in runs.items()) + "\n }"
            for method, runs in self.in_order().items()
        ]  # one line for each run
        summary = json.dumps(self.summary, indent=1, ensure_ascii=False)
        text = f'{{\n"head": {dumped(head)},\n"summary": {summary},\n"runs": {{\n ' + ",\n ".join(lines) + "\n}\n}\n"
        report.write_atomically(self.path, text)
        self.written = time.monotonic()


def is_sound(run: dict) -> bool:
    """Whether the mistake itself ran: it does not where its file was edited while it was measured."""
    return not run["refused"].startswith(("StudentNameError", "StudentImportError"))


def dumped(value) -> str:
    return json.dumps(value, ensure_ascii=False)


def same(run: dict, other: dict) -> bool:
    return (run["values"], run["counts"]) == (other["values"], other["counts"])


def load(path: Path) -> dict:
    """The head and the runs of a file, by method and seed."""
    return json.loads(path.read_text(encoding="utf-8"))


def groups(items: list[Item]) -> list[list[Item]]:
    """Items that share what a submission does, together."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.group or item.id, []).append(item)
    return list(found.values())


def methods(group: list[Item], seeds: int | None, wrong_seeds: int) -> dict[str, int]:
    """What is measured, the reference first, and with how many seeds."""
    names = {name: wrong_seeds for item in group for name in item.wrong()}
    return {REFERENCE: seeds or max(item.seeds for item in group), **names}


def calibrate(items: list[Item], seeds: int | None, wrong_seeds: int, folder: Path, resume: bool, told: Callable) -> None:
    """Measure what is not there yet; `told(name of the group, done, all)` is called after every measurement.

    `seeds`: of the reference; None for what each item asks for.
    """
    for group in groups(items):
        results = {item.id: Results(folder, item, resume) for item in group}
        name, numbers, done = group[0].group or group[0].id, methods(group, seeds, wrong_seeds), 0
        told(name, 0, sum(numbers.values()))
        try:
            for method, count in numbers.items():
                for _ in measured(method, count, group, results):
                    done += 1
                    told(name, done, sum(numbers.values()))
        finally:
            for each in results.values():
                each.write()


def measured(method: str, seeds: int, group: list[Item], results: dict[str, "Results"]) -> Iterator[int]:
    """Measure one method with every seed, for the items of the group that it concerns; yields each seed when it is done."""
    items = [item for item in group if method == REFERENCE or method in item.wrong()]
    entries = [] if method == REFERENCE else [items[0].wrong()[method]]
    with mutants.package_with(*entries) as package:
        for seed in range(seeds):
            shared: dict = {}
            for item in items:
                if results[item.id].wants(method, seed):
                    results[item.id].add(method, seed, measure(item, package, seed, shared))
            yield seed


def finish(folder: Path, item: Item) -> dict:
    """Put the summary and the picture beside the runs of an item, which are returned."""
    from autograder.proofs.calibration import judging, plots

    results = Results(folder, item, resume=True)
    runs = results.in_order()
    results.summary = judging.summary(item, runs)
    results.write()
    plots.draw(item, runs, results.summary, results.path.with_suffix(".png"))
    return runs
