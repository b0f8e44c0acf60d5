"""The figures of the exercise, as matplotlib Figures that belong to nobody: no pyplot, no global state.

A notebook shows a returned Figure by itself; `save_figure` writes it to a file.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colors, which color-blind readers can tell apart, without the too light yellow, and three
# more.
PALETTE = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"),
    *("#56B4E9", "#000000", "#8C564B", "#999999", "#4B2E83"),
)
# So that no class is told by its color alone.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "p")
_TERMS = ("invariance", "variance", "covariance")
_TRAIN_COLOR, _TEST_COLOR = PALETTE[5], PALETTE[3]


def loss_curves(history: dict[str, Sequence], title: str = "") -> Figure:
    """The three terms of the loss, a panel each: every training batch, and the test set once per epoch.

    history is {"train": [terms of every batch], "test": [terms of every epoch]}, where terms have the
    attributes invariance, variance and covariance (numbers or tensors of one element). "test" may be empty or
    absent.
    """
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    for axes, term in zip(figure.subplots(1, len(_TERMS)), _TERMS):
        _draw_term(axes, history, term)
    figure.suptitle(title)
    return figure


def loss_curve(history: dict[str, Sequence], term: str) -> Figure:
    """One term of the loss, as a figure of its own; `term` may also be "total". See `loss_curves`."""
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    _draw_term(figure.subplots(), history, term)
    return figure


def _draw_term(axes: Axes, history: dict[str, Sequence], term: str) -> None:
    train, test = (_values(history.get(split, ()), term) for split in ("train", "test"))
    axes.plot(
        np.arange(1, len(train) + 1), train, color=_TRAIN_COLOR, linewidth=1, label="train (every batch)"
    )
    if len(test):
        # Epoch e ends after e / epochs of the batches; without a training curve the unit is the epoch.
        ends = np.arange(1, len(test) + 1) * (len(train) / len(test) if len(train) else 1)
        axes.plot(ends, test, color=_TEST_COLOR, marker="o", markersize=4, label="test (every epoch)")
    axes.set(title=term, xlabel="training batch", ylabel=f"{term} term", ylim=_limits(train, test))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def _values(terms: Sequence, name: str) -> np.ndarray:
    values = (getattr(term, name) for term in terms)
    return np.array([float(value.detach() if hasattr(value, "detach") else value) for value in values])


def _limits(train: np.ndarray, test: np.ndarray) -> tuple[float, float] | None:
    """From 0 to over the curves without the first few batches, whose peak would flatten the rest."""
    values = np.concatenate([train[len(train) // 30 :], test])
    values = values[np.isfinite(values)]
    return (0, 1.1 * values.max()) if len(values) and values.max() > 0 else None


def scatter_2d(
    points, labels, class_names: Sequence[str], title: str = "", axis: str = "component"
) -> Figure:
    """A map of the plane, one point an image, with color and marker by class.

    points: (N, 2), array or tensor. labels: (N,) integers, which index class_names. The axes are named `axis`
    1 and 2. Raises ValueError for other shapes.
    """
    return scatter_grid({title: points}, labels, class_names, axis)


def scatter_grid(maps: dict, labels, class_names: Sequence[str], axis: str = "component") -> Figure:
    """Maps of the same images side by side, {title: points (N, 2)}, with one legend. See `scatter_2d`."""
    figure = Figure(figsize=(5.2 * len(maps) + 1.6, 4.8), layout="constrained")
    panels = figure.subplots(1, len(maps), squeeze=False)[0]
    for axes, (title, points) in zip(panels, maps.items()):
        _draw_points(axes, *_checked(points, labels, class_names), class_names)
        axes.set(title=title, xlabel=f"{axis} 1", ylabel=f"{axis} 2")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", title="class", markerscale=2)
    return figure


def _checked(points, labels, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    points, labels = np.asarray(points), np.asarray(labels)
    if points.shape != (len(labels), 2) or labels.ndim != 1:
        raise ValueError(f"expected points (N, 2) and labels (N,), got {points.shape} and {labels.shape}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(class_names):
        raise ValueError(
            f"labels range from {labels.min()} to {labels.max()} for {len(class_names)} class names"
        )
    return points, labels


def _draw_points(axes: Axes, points: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> None:
    for label, name in enumerate(class_names):
        x, y = points[labels == label].T
        style = {"color": PALETTE[label % len(PALETTE)], "marker": MARKERS[label % len(MARKERS)]}
        axes.scatter(x, y, s=12, alpha=0.7, linewidths=0, label=name, **style)


def image_grid(images, row_names: Sequence[str] = (), title: str = "") -> Figure:
    """Rows of small images: uint8 (rows, columns, H, W, 3), with a name at the left of each row."""
    images = np.asarray(images)
    rows, columns = images.shape[:2]
    figure = Figure(figsize=(0.62 * columns + 1.2, 0.62 * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for (row, column), axes in np.ndenumerate(panels):
        axes.imshow(images[row, column])
        axes.set(xticks=[], yticks=[])
        if column == 0 and row < len(row_names):
            axes.set_ylabel(row_names[row], rotation=0, ha="right", va="center")
    figure.suptitle(title)
    return figure


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write the figure to `path` (the suffix says the format), making its folder; returns the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return path
