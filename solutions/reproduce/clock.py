"""Passes progress on, and keeps the time of each step."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]  # name of the step, how much of it is done, how much there is


class Clock:
    """`seconds` holds the wall-clock time of each step, summed where a step comes twice."""

    def __init__(self, progress: Progress = lambda step, done, total: None):
        self.progress, self.seconds = progress, {}

    @contextmanager
    def step(self, name: str, total: int = 1) -> Iterator[Callable[[], None]]:
        """One step of `total` parts; the context's value is to be called after each part but the last."""
        start, done = time.perf_counter(), 0

        def advance() -> None:
            nonlocal done
            done += 1
            self.progress(name, min(done, total - 1), total)

        self.progress(name, 0, total)
        yield advance
        self.progress(name, total, total)
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 2)
