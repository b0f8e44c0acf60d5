"""The figures hold what they should, and touch no global state of matplotlib."""

import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
import torch

from assignment.provided import plots


class Terms(NamedTuple):
    total: float
    invariance: float
    variance: float
    covariance: float


def history(batches: int, epochs: int, wrap=float):
    def terms(count, shift):
        return [Terms(*(wrap(shift + 1 / (i + 1) + k) for k in range(4))) for i in range(count)]

    return {"train": terms(batches, 0.0), "test": terms(epochs, 0.5)}


@pytest.mark.parametrize("wrap", [float, torch.tensor, lambda x: torch.tensor(x, requires_grad=True)])
def test_loss_curves_show_every_batch_and_every_epoch(wrap):
    panels = plots.loss_curves(history(12, 3, wrap)).axes
    assert [axes.get_title() for axes in panels] == ["invariance", "variance", "covariance"]
    for k, axes in enumerate(panels, start=1):
        train, test = axes.lines
        assert train.get_ydata() == pytest.approx([1 / (i + 1) + k for i in range(12)])
        assert test.get_xdata().tolist() == [4, 8, 12]
        assert test.get_ydata() == pytest.approx([0.5 + 1 / (i + 1) + k for i in range(3)])
        assert axes.get_xlabel() and axes.get_ylabel()


@pytest.mark.parametrize("given", [history(5, 0), history(0, 2), {"train": history(5, 0)["train"]}, {}])
def test_loss_curves_of_part_of_a_history(given, tmp_path):
    assert plots.save_figure(plots.loss_curves(given), tmp_path / "part.png").stat().st_size > 0


def test_loss_curves_survive_a_diverged_run(tmp_path):
    bad = {"train": [Terms(*[float("nan")] * 4), Terms(*[float("inf")] * 4)], "test": []}
    plots.save_figure(plots.loss_curves(bad), tmp_path / "diverged.png")


def test_loss_curve_is_one_term_in_a_figure_of_its_own():
    (axes,) = plots.loss_curve(history(4, 2), "total").axes
    assert axes.get_title() == "total" and len(axes.lines) == 2


def test_scatter_has_every_point_once_and_every_class_in_the_legend():
    points, labels = torch.randn(30, 2), torch.arange(30) % 3
    figure = plots.scatter_2d(points, labels, ["cat", "dog", "absent class", "x"][:3], title="PCA", axis="PC")
    (axes,) = figure.axes
    assert [len(cloud.get_offsets()) for cloud in axes.collections] == [10, 10, 10]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["cat", "dog", "absent class"]
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("PCA", "PC 1", "PC 2")


def test_two_maps_share_one_legend(tmp_path):
    points, labels = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 10
    figure = plots.scatter_grid({"PCA": points, "t-SNE": points}, labels, [f"class {i}" for i in range(10)])
    assert len(figure.axes) == 2 and len(figure.legends) == 1
    assert len(figure.legends[0].get_texts()) == 10
    assert plots.save_figure(figure, tmp_path / "new" / "maps.png").exists()


def test_a_class_without_points_is_no_error():
    plots.scatter_2d(np.zeros((2, 2)), np.array([0, 2]), ["a", "b", "c"])


@pytest.mark.parametrize(
    ("points", "labels", "words"),
    [
        ((5, 3), [0] * 5, "(5, 3)"),
        ((5, 2), [0] * 4, "(4,)"),
        ((2, 2), [0, 3], "0 to 3"),
        ((2, 2), [-1, 0], "-1 to 0"),
    ],
)
def test_points_and_labels_that_do_not_fit_are_refused(points, labels, words):
    with pytest.raises(ValueError) as caught:
        plots.scatter_2d(np.zeros(points), np.array(labels), ["a", "b"])
    assert words in str(caught.value)


def test_thirty_classes_have_thirty_looks():
    looks = {
        (plots.PALETTE[i % len(plots.PALETTE)], plots.MARKERS[i % len(plots.MARKERS)]) for i in range(30)
    }
    assert len(looks) == 30


def test_image_grid(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 32, 32, 3), dtype=np.uint8)
    figure = plots.image_grid(images, ["first", "second"])
    assert len(figure.axes) == 10 and figure.axes[5].get_ylabel() == "second"
    plots.save_figure(figure, tmp_path / "grid.pdf")


def test_pyplot_is_not_touched():
    code = (
        "import sys; from assignment.provided import plots; plots.loss_curves({}); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True
    )
    assert done.stdout.strip() == "False", done.stderr
