"""Progress of named steps: bars on a terminal, plain lines elsewhere."""

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_SECONDS = 5.0  # between two lines about the same step, where there is no terminal
LEAST_SECONDS = 0.5  # a shorter step gets no line there


class Steps:
    """Call it with (name of the step, how much is done, how much there is); use it as a context."""

    def __init__(self, console: Console):
        self.console = console
        self.tasks, self.started, self.told = {}, {}, {}
        name = TextColumn("{task.description:<34}", markup=False)
        percent = TextColumn("{task.percentage:>3.0f}%")
        bars = Progress(name, BarColumn(30), percent, TimeElapsedColumn(), console=console)
        self.bars = bars if console.is_terminal else None

    def __enter__(self):
        if self.bars:
            self.bars.start()
        return self

    def __exit__(self, *_):
        if self.bars:
            self.bars.stop()

    def __call__(self, step: str, done: int, total: int) -> None:
        (self.show_bar if self.bars else self.print_line)(step, done, total)

    def show_bar(self, step: str, done: int, total: int) -> None:
        if step not in self.tasks:
            self.tasks[step] = self.bars.add_task(step, total=total)
        elif done == 0:  # the same step once more
            self.bars.reset(self.tasks[step], total=total, visible=True)
        self.bars.update(self.tasks[step], completed=done)
        if done >= total:
            self.hide_old()

    def hide_old(self) -> None:
        """A terminal cuts off at its lower end what is too high for it: there the steps at work would be."""
        finished = [task.id for task in self.bars.tasks if task.finished and task.visible]
        for task in finished[: -max(self.console.height // 2, 1)]:
            self.bars.update(task, visible=False)

    def print_line(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == 0:
            self.started[step] = self.told[step] = now
            return
        finished = done >= total and now - self.started[step] >= LEAST_SECONDS
        if finished or now - self.told[step] >= PLAIN_SECONDS:
            self.told[step] = now
            line = f"{step:<34} {100 * done // max(total, 1):>3}%  {now - self.started[step]:5.1f} s"
            self.console.print(line, markup=False, soft_wrap=True)
