"""The figures of tasks 0 to 4: train the reference on a data set, look at it, measure it.

Questions 1 to 3 of the exercise: the terms of the loss, the representations of test images in the plane, and
a linear probe, beside what the same probe makes of raw pixels and of an untrained encoder.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from assignment.provided import plots
from assignment.provided.datasets import CIFAR_MEAN, CIFAR_STD, Budget, Dataset
from assignment.provided.models import Projector, make_encoder

from .augmentations import augment, two_views
from .evaluation import extract_representations, linear_probe, project_2d
from .training import train_vicreg

Progress = Callable[[str, int, int], None]  # name of the step, how much of it is done, how much there is
MAP_POINTS = 1000  # test images in the maps: t-SNE of as many takes seconds
RAW_ROWS = 2048  # training images of the probe on raw pixels: 3,072 features a row make it slow
VICREG, UNTRAINED, RAW = "VICReg", "untrained encoder", "raw pixels"


@dataclass(frozen=True)
class Results:
    """What came out: test accuracies of the linear probe by features, and figures by name.

    A figure's path is that of its PNG, which has an SVG beside it, and `results.json` with all numbers.
    """

    data: Dataset  # the part that was used
    budget: Budget
    accuracies: dict[str, float]
    figures: dict[str, Path]
    history: dict[str, list]
    encoder: nn.Module
    seconds: dict[str, float]  # wall-clock, by step


def reproduce(
    data: Dataset,
    out: Path,
    *,
    budget: Budget,
    encoder: str | Callable[[], nn.Module] = "small",
    progress: Progress = lambda step, done, total: None,
    seed: int = 0,
    threads: int = 2,
) -> Results:
    """Train with VICReg within `budget`; write figures (PNG and SVG) and `results.json` into `out`.

    encoder: a name for `make_encoder`, or what builds one: () → network, images to representations (N, 128).
    progress: called often, see `Progress`. seed: of the weights, views, subset of images and maps.
    threads: of torch, while this runs; what was set before comes back, and so does torch's global generator.
    Every file is written whole or not at all. Raises ValueError for fewer than two images in a split.
    """
    data, out = subset(data, budget, seed), Path(out)
    clock = _Clock(progress)
    with _threads(threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make_encoder(encoder) if isinstance(encoder, str) else encoder()
        accuracies = _baselines(data, network, clock)
        history = _train(data, network, budget, clock)
        y_test, accuracies[VICREG] = _probe_encoder(data, network, clock, f"linear probe: {VICREG}")
        drawn = {"views": views_figure(data)} | _loss_figures(history) | _maps(data, y_test, seed, clock)
        drawn["probe"] = probe_bars(accuracies, len(data.class_names), data.name)
        with clock.step("figures", len(drawn)) as advance:
            figures = {name: _save(figure, out / f"{name}.png", advance) for name, figure in drawn.items()}
    results = Results(data, budget, accuracies, figures, history, network, clock.seconds)
    _write_numbers(results, out / "results.json")
    return results


def subset(data: Dataset, budget: Budget, seed: int = 0) -> Dataset:
    """As many images as the budget has, drawn at random, because a file may be sorted by class."""
    rng = np.random.default_rng(seed)
    parts = {}
    for split, n in (("train", budget.n_train), ("test", budget.n_test)):
        x, y = getattr(data, f"x_{split}"), getattr(data, f"y_{split}")
        rows = np.arange(len(x)) if len(x) <= n else np.sort(rng.choice(len(x), n, replace=False))
        parts |= {f"x_{split}": x[rows], f"y_{split}": y[rows]}
    return replace(data, **parts)


class _Clock:
    """Passes progress on and keeps the time of each step."""

    def __init__(self, progress: Progress):
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


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Torch with that many threads, but no more than there are cores to run them."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(number, os.cpu_count() or 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


# ---- numbers -----------------------------------------------------------------------------------------------


def _train(data: Dataset, encoder: nn.Module, budget: Budget, clock: _Clock) -> dict[str, list]:
    """Question 1. The history of `train_vicreg`, whose views tell how far it is."""
    images = torch.from_numpy(data.x_train)
    batches = len([size for size in _batch_sizes(len(images), budget.batch_size) if size > 1])
    with clock.step("training with VICReg", budget.epochs * batches) as advance:

        def views(batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            advance()
            return two_views(images[batch])

        options = {"batch_size": budget.batch_size, "lr": budget.lr, "test_images": data.x_test}
        return train_vicreg(encoder, Projector(), images, budget.epochs, views=views, **options)


def _batch_sizes(n: int, batch_size: int) -> list[int]:
    return [min(batch_size, n - start) for start in range(0, n, batch_size)]


def _baselines(data: Dataset, encoder: nn.Module, clock: _Clock) -> dict[str, float]:
    """Accuracies that training has to beat."""
    accuracies = {}
    with clock.step(f"linear probe: {RAW}"):
        images = data.x_train[:RAW_ROWS], data.x_test
        train, test = (torch.from_numpy(x).flatten(1) / 255 for x in images)  # (N, 3072)
        accuracies[RAW] = _accuracy(linear_probe(train, data.y_train[:RAW_ROWS], test), data.y_test)
    _, accuracies[UNTRAINED] = _probe_encoder(data, encoder, clock, f"linear probe: {UNTRAINED}")
    return accuracies


def _probe_encoder(data: Dataset, encoder: nn.Module, clock: _Clock, step: str) -> tuple[torch.Tensor, float]:
    """Question 3. The test representations (M, dim), and the accuracy of a linear probe on them."""
    with clock.step(step):
        train, test = (extract_representations(encoder, x) for x in (data.x_train, data.x_test))
        return test, _accuracy(linear_probe(train, data.y_train, test), data.y_test)


def _accuracy(predicted: torch.Tensor, labels: np.ndarray) -> float:
    return float(np.mean(predicted.numpy() == labels))


def _write_numbers(results: Results, path: Path) -> None:
    history = {split: [terms._asdict() for terms in results.history[split]] for split in results.history}
    numbers = {
        "data": results.data.name,
        "train images": len(results.data.x_train),
        "test images": len(results.data.x_test),
        "budget": asdict(results.budget),
        "linear probe": results.accuracies,
        "seconds": results.seconds,
        "history": history,
    }
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


# ---- figures -----------------------------------------------------------------------------------------------


def views_figure(data: Dataset, rows: int = 4, views: int = 9) -> Figure:
    """Training images, each beside random views of it: what the network is told to call the same."""
    images = torch.from_numpy(data.x_train[:rows])  # (rows, 32, 32, 3)
    normalized = torch.stack([augment(images) for _ in range(views)], dim=1)  # (rows, views, 3, 32, 32)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (CIFAR_MEAN, CIFAR_STD))
    pixels = (normalized * std + mean).clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 1, 3, 4, 2)
    names = [data.class_names[label] for label in data.y_train[:rows]]
    return plots.image_grid(torch.cat([images[:, None], pixels], dim=1).numpy(), names)


def _loss_figures(history: dict[str, list]) -> dict[str, Figure]:
    """Question 1: the three terms, one figure each and all in one."""
    terms = ("invariance", "variance", "covariance")
    single = {f"loss_{term}": plots.loss_curve(history, term) for term in terms}
    return {"loss": plots.loss_curves(history)} | single


def _maps(data: Dataset, representations: torch.Tensor, seed: int, clock: _Clock) -> dict[str, Figure]:
    """Question 2: PCA and t-SNE of test representations, under one legend."""
    some, labels = representations[:MAP_POINTS], data.y_test[:MAP_POINTS]
    maps = {}
    for title, method in (("PCA", "pca"), ("t-SNE", "tsne")):
        with clock.step(f"{title} of {len(some):,} test images"):
            maps[title] = project_2d(some, method, seed)
    return {"maps": plots.scatter_grid(maps, labels, data.class_names)}


def probe_bars(accuracies: dict[str, float], classes: int, title: str = "") -> Figure:
    """Accuracies in [0, 1] as horizontal bars, with a line where guessing among `classes` would be."""
    figure = Figure(figsize=(6.4, 0.55 * len(accuracies) + 1.1), layout="constrained")
    axes = figure.subplots()
    names = list(accuracies)
    colors = [plots.PALETTE[0] if name == VICREG else plots.PALETTE[8] for name in names]
    bars = axes.barh(names, list(accuracies.values()), color=colors, height=0.65)
    axes.bar_label(bars, fmt="{:.3f}", padding=4)
    axes.axvline(1 / classes, color="black", linestyle=":", linewidth=1, label=f"guessing (1 in {classes})")
    axes.set(xlim=(0, 1), xlabel="linear probe: test accuracy", title=title)
    axes.legend(fontsize="small", loc="lower right")
    return figure


def _save(figure: Figure, path: Path, advance: Callable[[], None]) -> Path:
    """Write the figure as SVG and as PNG, the latter to `path`, which is returned."""
    for each in (path.with_suffix(".svg"), path):
        unfinished = plots.save_figure(figure, each.with_name(f".{each.name}"))
        os.replace(unfinished, each)  # whole, also under Ctrl-C
    advance()
    return path
