"""Limits on what is random or learned: an accuracy, a spread, how often something is drawn.

A right submission can miss such a limit by bad luck. How seldom it does, and how surely a wrong one misses it, is measured by
`python -m autograder calibrate` (docs/calibration.md). It runs the checks as they are, inside `noted()`: no limit stops them
there, and what came is kept.
"""

import contextlib
import dataclasses
import math
from collections.abc import Iterator

from autograder import expect

DEVIATIONS = 5.5  # of a binomial count from its mean, at most


@dataclasses.dataclass(frozen=True)
class Limit:
    """A threshold for one quantity, and which side of it is right."""

    name: str
    value: float
    is_smallest: bool
    scale: str = "plain"  # on which the quantity is about normal: plain, log or share (arcsine of the root)
    out_of: int = 0  # of how many a count is

    def holds(self, found: float) -> bool:
        return found >= self.value if self.is_smallest else found <= self.value

    def counts(self) -> tuple[int, int]:
        """The smallest and the largest count that is right."""
        return (int(self.value), self.out_of) if self.is_smallest else (0, int(self.value))

    def check(self, found: float, expected: str, came: str) -> None:
        """A Mismatch where `found` is on the wrong side; NaN always is."""
        if _notes is None:
            expect.true(self.holds(found), expected, came)
        elif self.out_of:
            _notes.add_count(self.name, int(found), self.out_of, *self.counts())
        else:
            _notes.add(self, float(found))


def at_least(value: float, name: str, scale: str = "plain") -> Limit:
    return Limit(name, value, True, scale)


def at_most(value: float, name: str, scale: str = "plain") -> Limit:
    return Limit(name, value, False, scale)


def at_least_of(value: int, out_of: int, name: str) -> Limit:
    return Limit(name, value, True, "binomial", out_of)


def at_most_of(value: int, out_of: int, name: str) -> Limit:
    return Limit(name, value, False, "binomial", out_of)


def count_fits(count: int, n: int, p: float, name: str) -> bool:
    """Whether `count` of `n` independent draws fits a probability p: within DEVIATIONS standard deviations."""
    low, high = likely_counts(n, p)
    if _notes is not None:
        _notes.add_count(name, count, n, low, high, p)
        return True
    return low <= count <= high


def likely_counts(n: int, p: float) -> tuple[int, int]:
    """The smallest and the largest count that fits."""
    slack = DEVIATIONS * (n * p * (1 - p)) ** 0.5
    return math.ceil(n * p - slack), math.floor(n * p + slack)


class Notes:
    """What was held against limits while a check ran."""

    def __init__(self):
        self.values: dict[str, float] = {}  # by the limit's name; the worst, where it was used more than once
        self.counts: dict[str, list] = {}  # [count, n, smallest, largest that is right, probability or None]

    def add(self, limit: Limit, found: float) -> None:
        before = self.values.get(limit.name, found)
        is_worse = found < before if limit.is_smallest else found > before
        self.values[limit.name] = found if is_worse or math.isnan(found) else before

    def add_count(self, name: str, count: int, n: int, low: int, high: int, p: float | None = None) -> None:
        uses = sum(each.split(" #")[0] == name for each in self.counts)
        self.counts[f"{name} #{uses + 1}" if uses else name] = [count, n, low, high, p]


_notes: Notes | None = None


@contextlib.contextmanager
def noted() -> Iterator[Notes]:
    """Inside, no limit stops a check; what was held against limits is in the notes."""
    global _notes
    before, _notes = _notes, Notes()
    try:
        yield _notes
    finally:
        _notes = before
