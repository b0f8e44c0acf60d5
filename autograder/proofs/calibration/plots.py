"""One picture for each item: what the reference and the mistakes have, and where the limits are."""

import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from autograder import limits
from autograder.proofs.calibration.items import Item
from autograder.proofs.calibration.judging import values_of
from autograder.proofs.calibration.measuring import REFERENCE

RIGHT, WRONG, LINE, BAND = "#1a7f37", "#c2410c", "#111111", "#d8f0dd"
MOST_COLUMNS = 3
NAMES_WIDTH, PANEL_WIDTH, ROW_HEIGHT = 3.6, 3.6, 0.2  # inches
DEVIATIONS = "largest deviation of a count, in standard deviations"


def draw(item: Item, runs: dict, found: dict, path: Path) -> None:
    """Write the picture of an item, whole or not at all."""
    shown = {name: each for name, each in runs.items() if name == REFERENCE or found["mistakes"][name]["reached"]}
    panels = panels_of(item, found)
    columns = min(MOST_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    size = NAMES_WIDTH + columns * PANEL_WIDTH, rows * (1.2 + ROW_HEIGHT * (len(shown) + 1))
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, sharey=True, layout="constrained")
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    for axis, panel in zip(axes.flat, panels):
        panel(axis, shown)
    for axis in axes[:, 0]:
        axis.set_yticks(range(len(shown)), labels(list(shown)), fontsize=8)
        axis.set_ylim(len(shown) - 0.4, -0.6)
    figure.suptitle(item.id, fontsize=10)
    save(figure, path)


def labels(methods: list[str]) -> list[str]:
    """Names of mistakes, with their functions where there are several."""
    functions = {method.partition(": ")[0] for method in methods[1:]}
    mark = "." if len(functions) > 1 else ": "
    return [REFERENCE, *(method.partition(mark)[2] for method in methods[1:])]


def save(figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, dpi=80, format="png", metadata={"Software": None})
    plt.close(figure)
    temporary.replace(path)


def panels_of(item: Item, found: dict) -> list:
    """A function for each panel: one for each threshold, one for each count with a limit of its own, one for frequencies."""
    here = {path.split(":")[1]: item.limit(path) for path in item.limits}
    panels = [
        (lambda axis, runs, name=name, limit=limit: draw_limit(axis, runs, limit, found["limits"][name]))
        for name, limit in here.items() if not limit.out_of
    ]  # fmt: skip
    panels += [
        (lambda axis, runs, limit=limit: draw_count(axis, runs, limit)) for limit in here.values() if limit.out_of
    ]
    if any(row["expected"] is not None for row in found["counts"].values()):
        panels.append(draw_frequencies)
    return panels


def dots(axis, row: int, values: list[float], method: str) -> None:
    """Values of one method, moved up and down a little so that none hides another."""
    shift = np.random.default_rng(row).uniform(-0.25, 0.25, len(values))
    color = RIGHT if method == REFERENCE else WRONG
    axis.scatter(values, row + shift, s=9, color=color, alpha=0.6, linewidths=0, zorder=3)


def draw_limit(axis, runs: dict, limit, row: dict) -> None:
    for number, (method, each) in enumerate(runs.items()):
        dots(axis, number, values_of(each, limit), method)
    ends = [row["edge"], row["threshold"] if row["reach"] is None else row["reach"]]
    if row["reach"] is not None:
        axis.axvspan(min(ends), max(ends), color=BAND, zorder=0)
    else:
        axis.axvline(row["edge"], color=RIGHT, linestyle=":", linewidth=1)
    if limit.scale == "log" and wide([v for each in runs.values() for v in values_of(each, limit)]):
        axis.set_xscale("log")
    finish(axis, limit, limit.name)


def wide(values: list[float]) -> bool:
    return min(values) > 0 and max(values) > 20 * min(values)


def draw_count(axis, runs: dict, limit) -> None:
    for number, (method, each) in enumerate(runs.items()):
        counts = [run["counts"].get(limit.name) for run in each.values()]
        dots(axis, number, [count[0] for count in counts if count], method)
    finish(axis, limit, f"{limit.name}, of {limit.out_of}")


def finish(axis, limit, name: str) -> None:
    axis.axvline(limit.value, color=LINE, linestyle="--", linewidth=1.2)
    axis.set_xlabel(f"{name}: {'at least' if limit.is_smallest else 'at most'} {limit.value:g}", fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(axis="y", color="#eeeeee", zorder=-1)


def draw_frequencies(axis, runs: dict) -> None:
    for number, (method, each) in enumerate(runs.items()):
        dots(axis, number, [deviation for run in each.values() if (deviation := furthest(run["counts"])) is not None], method)
    axis.axvline(limits.DEVIATIONS, color=LINE, linestyle="--", linewidth=1.2)
    axis.set_xlabel(f"{DEVIATIONS}: at most {limits.DEVIATIONS:g}", fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(axis="y", color="#eeeeee", zorder=-1)


def furthest(counts: dict) -> float | None:
    found = [abs(count - n * p) / (n * p * (1 - p)) ** 0.5 for count, n, _, _, p in counts.values() if p is not None and n]
    return max(found, default=None)
