"""The figures of the exercise, as matplotlib Figures that belong to nobody: no pyplot, no global state.

A notebook shows a returned Figure by itself; `save_figure` writes it to a file.
"""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

# Okabe and Ito's colors, which color-blind readers can tell apart, without the too light yellow, and three more.
PALETTE = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"),
    *("#56B4E9", "#000000", "#8C564B", "#999999", "#4B2E83"),
)
# So that no class is told by its color alone.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "p")
_TERMS = ("invariance", "variance", "covariance")
_TRAIN_COLOR, _TEST_COLOR = PALETTE[5], PALETTE[3]
_LINES = ("-", "--", "-.", ":")
_BAR_COLOR, _OTHER_BAR_COLOR = PALETTE[0], "#A6A6A6"
_TILE = 0.62  # inches that a small image is wide
_MARGIN = 0.06  # white between two small images, in widths of one


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


def scatter_2d(points, labels, class_names: Sequence[str], title: str = "") -> Figure:
    """A map of the plane, one point an image, with color and marker by class.

    points: (N, 2), array or tensor. labels: (N,) integers, which index class_names. The axes are the components 1
    and 2, or those of t-SNE where the title says so. Raises ValueError for other shapes.
    """
    return scatter_grid({title: points}, labels, class_names)


def scatter_grid(maps: dict, labels, class_names: Sequence[str]) -> Figure:
    """Maps of the same images side by side, {title: points (N, 2)}, with one legend. See `scatter_2d`."""
    figure = Figure(figsize=(5.2 * len(maps) + 1.6, 4.8), layout="constrained")
    panels = figure.subplots(1, len(maps), squeeze=False)[0]
    for axes, (title, points) in zip(panels, maps.items()):
        _draw_points(axes, *_checked(points, labels, class_names), class_names)
        axis = "t-SNE" if "t-SNE" in title else "component"
        axes.set(title=title, xlabel=f"{axis} 1", ylabel=f"{axis} 2")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", title="class", markerscale=2)
    return figure


def _checked(points, labels, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    points, labels = _array(points), _array(labels)
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


def _array(values) -> np.ndarray:
    """Also a tensor that carries a gradient or lies on a GPU."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def cluster_maps(
    points, labels, class_names: Sequence[str], clusters, centers_2d, title: str = ""
) -> Figure:
    """The same map twice, colored by class and by cluster; each center is a black disk with its number.

    points: (N, 2). labels: (N,), which index class_names. clusters: (N,) integers from 0 to k - 1.
    centers_2d: (k, 2), where the map puts the centers. A cluster's color says nothing about a class of that
    color. Raises ValueError for shapes that do not fit.
    """
    centers = _array(centers_2d)
    if centers.ndim != 2 or centers.shape[1] != 2:
        raise ValueError(f"expected centers_2d of shape (k, 2), got {centers.shape}")
    cluster_names = [f"cluster {number}" for number in range(len(centers))]
    panels = {"classes": (labels, class_names), "clusters": (clusters, cluster_names)}
    figure = Figure(figsize=(13, 4.8), layout="constrained")
    figure.suptitle(title)
    for axes, (heading, (numbers, names)) in zip(figure.subplots(1, 2), panels.items()):
        _draw_points(axes, *_checked(points, numbers, names), names)
        _draw_centers(axes, centers)
        axes.set(title=heading, xlabel="t-SNE 1", ylabel="t-SNE 2")
        legend = axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), markerscale=2)
        legend.legend_handles[-1].set_sizes([60])  # the center's, which is large as it is
    return figure


def _draw_centers(axes: Axes, centers: np.ndarray) -> None:
    axes.scatter(*centers.T, s=130, color="black", edgecolors="white", zorder=3, label="center")
    for number, center in enumerate(centers):
        style = {"color": "white", "fontsize": 7, "fontweight": "bold", "zorder": 4}
        axes.text(*center, str(number), ha="center", va="center_baseline", **style)


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


def retrieval_grid(
    queries, nearest, farthest, names: Sequence[str] = (), hits=None, title: str = ""
) -> Figure:
    """One row a query: the query, the images nearest to it, those farthest from it; all uint8.

    queries: (Q, H, W, 3). nearest, farthest: (Q, k, H, W, 3). names: the queries' classes.
    hits: a pair of boolean arrays (Q, k), for nearest and farthest: True frames the image, as one of the
    query's class. Raises ValueError for other shapes.
    """
    groups = {"query": _images(queries, "queries", 4)[:, None]}
    groups |= {"nearest": _images(nearest, "nearest", 5), "farthest": _images(farthest, "farthest", 5)}
    if len({len(images) for images in groups.values()}) > 1:
        rows = ", ".join(f"{len(images)} {name}" for name, images in groups.items())
        raise ValueError(f"expected as many rows of nearest and farthest as queries, got {rows}")
    marks = [None] + ([None, None] if hits is None else [_array(each).astype(bool) for each in hits])
    widths = [images.shape[1] for images in groups.values()]
    size = (_TILE * sum(widths) + 1.9, _TILE * len(queries) + 0.3 * (1 + bool(title) + (hits is not None)))
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(wspace=0.08)
    panels = figure.subplots(1, 3, width_ratios=widths)
    for axes, (heading, images), framed in zip(panels, groups.items(), marks, strict=True):
        _draw_tiles(axes, images, framed)
        axes.set_title(heading, fontsize="medium")
    _name_rows(panels[0], names)
    figure.suptitle(title)
    if hits is not None:
        _explain_frame(figure, "of the query's class")
    return figure


def image_rows(images: dict, title: str = "", framed: dict | None = None, frame: str = "") -> Figure:
    """A row of images for each name: {name: uint8 (n, H, W, 3)}, where n may differ.

    framed: {name: booleans (n,)}, which images get a frame; `frame` is what the legend calls it.
    """
    if not images:
        raise ValueError("expected at least one row of images, got none")
    rows = {name: _images(row, name, 4) for name, row in images.items()}
    columns = max(len(row) for row in rows.values())
    height = _TILE * len(rows) + (0.4 if title else 0.1) + (0.3 if framed is not None else 0)
    size = (_TILE * columns + 0.1 * max(map(len, rows)) + 0.5, height)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    marks = None if framed is None else [_array(framed[name]).astype(bool) for name in rows]
    _draw_tiles(axes, list(rows.values()), marks)
    _name_rows(axes, list(rows))
    axes.set_title(title)
    if framed is not None:
        _explain_frame(figure, frame)
    return figure


def _explain_frame(figure: Figure, name: str) -> None:
    frame = Rectangle((0, 0), 1, 1, fill=False, edgecolor=PALETTE[0], linewidth=2.5)
    figure.legend([frame], [name], loc="outside lower center", fontsize="small")


def _images(images, what: str, ndim: int) -> np.ndarray:
    images = _array(images)
    if images.dtype != np.uint8 or images.ndim != ndim or images.shape[-1] != 3 or not images.size:
        shape = "(n, H, W, 3)" if ndim == 4 else "(Q, k, H, W, 3)"
        raise ValueError(f"expected {what}: uint8 images {shape}, got {images.dtype} {images.shape}")
    return images


def _draw_tiles(axes: Axes, rows: Sequence, framed: Sequence | None = None) -> None:
    """Image c of row r at (c, r), one unit wide, the first row on top; framed where framed[r][c] is."""
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            left, right, bottom, top = c + _MARGIN, c + 1 - _MARGIN, r + 1 - _MARGIN, r + _MARGIN
            axes.imshow(image, extent=(left, right, bottom, top), interpolation="nearest")
            if framed is not None and framed[r][c]:
                box = {"fill": False, "edgecolor": PALETTE[0], "linewidth": 2.5}
                axes.add_patch(Rectangle((left, top), 1 - 2 * _MARGIN, 1 - 2 * _MARGIN, **box))
    columns = max(map(len, rows))
    axes.set(xlim=(0, columns), ylim=(len(rows), 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(np.arange(len(names)) + 0.5, names)
    axes.tick_params(left=False)


def roc_curves(curves: dict, title: str = "") -> Figure:
    """ROC curves, {name: (fpr, tpr, auc)}, with the area under each in the legend, and guessing's diagonal.

    fpr, tpr: rates in [0, 1], (points,) each. auc: a number. Raises ValueError for other shapes.
    """
    figure = Figure(figsize=(4.9, 4.9), layout="constrained")
    axes = figure.subplots()
    for i, (name, (fpr, tpr, auc)) in enumerate(curves.items()):
        fpr, tpr = _array(fpr), _array(tpr)
        if fpr.ndim != 1 or fpr.shape != tpr.shape:
            raise ValueError(f"expected fpr and tpr of one shape (points,), got {fpr.shape} and {tpr.shape}")
        style = {"color": PALETTE[i % len(PALETTE)], "linestyle": _LINES[i % len(_LINES)], "linewidth": 2}
        axes.plot(fpr, tpr, label=f"{name}: AUC {_array(auc):.3f}", **style)
    axes.plot([0, 1], [0, 1], color="#767676", linewidth=1, label="guessing: AUC 0.500")
    axes.set(title=title, xlabel="false positive rate", ylabel="true positive rate")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    return figure


def bars(
    values: dict, xlabel: str, chance: float | None = None, title: str = "", highlight: Sequence[str] = ()
) -> Figure:
    """Horizontal bars from 0, the first on top, each with its value: {name: value or (mean, sd)}.

    An sd becomes an error bar and "± sd"; None in its place is as good as no sd. A value of None or NaN is
    said in words, not drawn as 0. chance: where to draw the line of guessing. highlight: a name or several,
    which stand out from the others. Raises ValueError if there is nothing, or a pair is none.
    """
    if not values:
        raise ValueError("expected at least one value to draw, got none")
    numbers = {name: _mean_and_sd(name, value) for name, value in values.items()}
    marked = {highlight} if isinstance(highlight, str) else set(highlight or values)
    height = 0.5 * len(values) + (1.5 if chance is not None else 1.1)
    figure = Figure(figsize=(6.8, height), layout="constrained")
    axes = figure.subplots()
    for row, (name, (mean, sd)) in enumerate(numbers.items()):
        _draw_bar(axes, row, mean, sd, _BAR_COLOR if name in marked else _OTHER_BAR_COLOR)
    if chance is not None:
        axes.axvline(chance, color="black", linestyle=":", linewidth=1.5, label=f"guessing ({chance:.3g})")
        figure.legend(loc="outside lower right", fontsize="small")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(numbers)), list(numbers))
    low, high, last = _bar_limits(numbers, chance)
    axes.set(ylim=(len(numbers) - 0.4, -0.6), xlim=(low, high), xlabel=xlabel)
    figure.suptitle(title)
    axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= last])
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _mean_and_sd(name: str, value) -> tuple[float, float]:
    """NaN for what is not known."""
    pair = value if isinstance(value, (tuple, list)) else (value, None)
    if len(pair) != 2:
        raise ValueError(f"expected a value or (mean, sd) for {name!r}, got {len(pair)} numbers")
    mean, sd = (float("nan") if each is None else float(_array(each)) for each in pair)
    return mean, sd


def _draw_bar(axes: Axes, row: int, mean: float, sd: float, color: str) -> None:
    if not np.isfinite(mean):
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # over the line of guessing
        style = {"va": "center", "style": "italic", "bbox": box}
        axes.annotate("no value", (0, row), (5, 0), textcoords="offset points", **style)
        return
    text, sign = f"{mean:.3f}", -1 if mean < 0 else 1
    end = mean
    axes.barh(row, mean, color=color, height=0.65)
    if np.isfinite(sd):
        axes.errorbar(mean, row, xerr=sd, color="black", capsize=4, linewidth=1.2)
        text, end = f"{text} ± {sd:.3f}", mean + sign * sd
    align = "left" if sign > 0 else "right"
    axes.annotate(text, (end, row), (5 * sign, 0), textcoords="offset points", va="center", ha=align)


def _bar_limits(
    numbers: dict[str, tuple[float, float]], chance: float | None
) -> tuple[float, float, float]:
    """The ends of the axis, with 0 and room for the numbers, and the last tick: no accuracy is 1.2."""
    ends = [mean + sign * np.nan_to_num(sd) for mean, sd in numbers.values() for sign in (-1, 1)]
    ends = [end for end in [*ends, chance or 0, 0] if np.isfinite(end)]
    low, high = min(min(ends), 0), max(max(ends), 0)
    room = 0.34 * (high - low or 1)
    right = high + room * (high > 0 or low == 0)
    fractions = all(mean <= 1 for mean, _ in numbers.values() if np.isfinite(mean))
    return low - room * (low < 0), right, min(right, 1.0) if fractions else right


def notice(text: str, title: str = "") -> Figure:
    """A figure that says in words why there is nothing to see, in place of one that would show noise."""
    lines = fill(text, 64)
    figure = Figure(figsize=(6.4, 0.24 * lines.count("\n") + (1.5 if title else 1.1)), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xticks=[], yticks=[], facecolor="#F4F4F4")
    axes.spines[:].set_color("#999999")
    axes.text(0.5, 0.5, lines, ha="center", va="center", wrap=True, parse_math=False)
    return figure


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write the figure to `path` (the suffix says the format), making its folder; returns the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return path
