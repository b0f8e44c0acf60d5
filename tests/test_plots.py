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
    figure = plots.scatter_2d(points, labels, ["cat", "dog", "absent class", "x"][:3], title="PCA")
    (axes,) = figure.axes
    assert [len(cloud.get_offsets()) for cloud in axes.collections] == [10, 10, 10]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["cat", "dog", "absent class"]
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("PCA", "component 1", "component 2")


def test_two_maps_share_one_legend(tmp_path):
    points, labels = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 10
    figure = plots.scatter_grid({"PCA": points, "t-SNE": points}, labels, [f"class {i}" for i in range(10)])
    assert len(figure.axes) == 2 and len(figure.legends) == 1
    assert [axes.get_xlabel() for axes in figure.axes] == ["component 1", "t-SNE 1"]
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


def pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 8, 8, 3), dtype=np.uint8)


def texts(legend) -> list[str]:
    return [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize("wrap", [np.array, torch.tensor, lambda x: torch.tensor(x, requires_grad=True)])
def test_roc_curves_have_their_auc_in_the_legend(wrap):
    fpr, tpr = [0.0, 0.2, 1.0], [0.0, 0.7, 1.0]
    figure = plots.roc_curves({"VICReg": (wrap(fpr), wrap(tpr), wrap(0.8625)), "other": (fpr, fpr, 0.5)}, "A")
    (axes,) = figure.axes
    assert texts(axes.get_legend()) == ["VICReg: AUC 0.863", "other: AUC 0.500", "guessing: AUC 0.500"]
    assert axes.lines[0].get_xydata() == pytest.approx(np.column_stack([fpr, tpr]))
    assert axes.lines[-1].get_xydata().tolist() == [[0, 0], [1, 1]]
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()  # not told by color alone
    assert axes.get_xlabel() and axes.get_ylabel() and axes.get_title() == "A"


@pytest.mark.parametrize("tpr", [np.zeros(2), np.zeros((3, 1))])
def test_roc_rates_that_do_not_fit_are_refused(tpr):
    with pytest.raises(ValueError, match=r"^expected fpr and tpr of one shape"):
        plots.roc_curves({"x": (np.zeros(3), tpr, 0.5)})


@pytest.mark.parametrize("wrap", [np.array, torch.tensor])
def test_retrieval_grid_shows_each_image_in_its_place(wrap, tmp_path):
    queries, near, far = pictures(3), pictures(3, 5), 255 - pictures(3, 5)
    hits = np.eye(3, 5, dtype=bool), np.zeros((3, 5), dtype=bool)
    figure = plots.retrieval_grid(*map(wrap, (queries, near, far)), ["a", "b", "c"], hits, "VICReg")
    query, nearest, farthest = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["query", "nearest", "farthest"]
    assert [label.get_text() for label in query.get_yticklabels()] == ["a", "b", "c"]
    for axes, images in ((query, queries), (nearest, near), (farthest, far)):
        shown = np.stack([tile.get_array() for tile in axes.images])
        assert (shown == images.reshape(shown.shape)).all()
    left, right, bottom, top = nearest.images[7].get_extent()  # row 1, column 2
    assert (int(left), int(right), int(top), int(bottom)) == (2, 2, 1, 1)
    assert [(int(box.get_x()), int(box.get_y())) for box in nearest.patches] == [(0, 0), (1, 1), (2, 2)]
    assert not farthest.patches and texts(figure.legends[0]) == ["of the query's class"]
    plots.save_figure(figure, tmp_path / "retrieval.svg")


def test_retrieval_grid_without_names_and_hits():
    figure = plots.retrieval_grid(pictures(2), pictures(2, 3), pictures(2, 4))
    assert not figure.legends and not any(axes.patches for axes in figure.axes)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ((pictures(2), pictures(3, 5), pictures(2, 5)), "got 2 query, 3 nearest, 2 farthest"),
        ((pictures(2), pictures(2), pictures(2, 5)), "nearest: uint8 images (Q, k, H, W, 3)"),
        ((pictures(2) / 255, pictures(2, 5), pictures(2, 5)), "got float64"),
        ((pictures(0), pictures(0, 5), pictures(0, 5)), "(0, 8, 8, 3)"),
    ],
)
def test_images_that_do_not_fit_are_refused(images, words):
    with pytest.raises(ValueError) as caught:
        plots.retrieval_grid(*images)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_image_rows_frame_what_is_named():
    framed = {"a": [True, False], "b": [True]}
    figure = plots.image_rows({"a": pictures(2), "b": pictures(1)}, framed=framed, frame="anomaly")
    boxes = [patch.get_xy()[0] > 1 for patch in figure.axes[0].patches]
    assert boxes == [False, False]  # both in the first column
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["anomaly"]


def test_image_rows_may_have_different_lengths(tmp_path):
    figure = plots.image_rows({"VICReg": torch.tensor(pictures(7)), "short": pictures(2)}, "anomalies")
    (axes,) = figure.axes
    assert len(axes.images) == 9 and axes.get_title() == "anomalies"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["VICReg", "short"]
    plots.save_figure(figure, tmp_path / "rows.png")


@pytest.mark.parametrize("rows", [{}, {"a": pictures(2, 2)}, {"a": np.zeros((2, 8, 8, 3))}])
def test_image_rows_refuses_what_is_no_row(rows):
    with pytest.raises(ValueError, match="^expected"):
        plots.image_rows(rows)


@pytest.mark.parametrize("wrap", [np.array, torch.tensor])
def test_cluster_maps_have_classes_clusters_and_centers(wrap):
    points, centers = np.random.default_rng(0).normal(size=(30, 2)), np.arange(8.0).reshape(4, 2)
    labels, clusters = np.arange(30) % 3, np.arange(30) % 4
    names = ["cat", "dog", "eel"]
    left, right = plots.cluster_maps(wrap(points), wrap(labels), names, wrap(clusters), wrap(centers)).axes
    assert texts(left.get_legend()) == ["cat", "dog", "eel", "center"]
    assert texts(right.get_legend()) == [*(f"cluster {i}" for i in range(4)), "center"]
    assert [len(cloud.get_offsets()) for cloud in left.collections] == [10, 10, 10, 4]
    assert [len(cloud.get_offsets()) for cloud in right.collections] == [8, 8, 7, 7, 4]
    for axes in (left, right):
        assert axes.collections[-1].get_offsets().tolist() == centers.tolist()
        assert axes.collections[-1].get_facecolor().tolist() == [[0, 0, 0, 1]]
        assert [text.get_text() for text in axes.texts] == ["0", "1", "2", "3"]
        assert axes.get_title() and axes.get_xlabel() and axes.get_ylabel()


@pytest.mark.parametrize(
    ("clusters", "centers", "words"),
    [([0, 1], (2, 3), "(2, 3)"), ([0, 2], (2, 2), "0 to 2"), ([0, 1, 1], (2, 2), "(3,)")],
)
def test_clusters_and_centers_that_do_not_fit_are_refused(clusters, centers, words):
    with pytest.raises(ValueError) as caught:
        plots.cluster_maps(np.zeros((2, 2)), [0, 1], ["a", "b"], np.array(clusters), np.zeros(centers))
    assert words in str(caught.value)


def test_bars_say_mean_sd_and_guessing(tmp_path):
    values = {"VICReg": (0.873, 0.012), "one seed": (0.5, None), "plain": torch.tensor(0.25), "not run": None}
    figure = plots.bars(values, "accuracy", chance=0.1, title="probe", highlight="VICReg")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(values)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first on top
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.873, 0.5, 0.25])  # and none for None
    assert [text.get_text() for text in axes.texts] == ["0.873 ± 0.012", "0.500", "0.250", "no value"]
    assert texts(figure.legends[0]) == ["guessing (0.1)"] and axes.get_xlabel() == "accuracy"
    colors = [bar.get_facecolor() for bar in axes.patches]
    assert colors[0] != colors[1] == colors[2]
    plots.save_figure(figure, tmp_path / "bars.png")


def test_bars_without_highlight_are_of_one_color_and_reach_below_zero():
    (axes,) = plots.bars({"a": -0.2, "b": (0.1, 0.02), "nan": float("nan")}, "silhouette").axes
    assert len({bar.get_facecolor() for bar in axes.patches}) == 1
    assert axes.get_xlim()[0] < -0.2 and axes.get_xlim()[1] > 0.12
    assert [text.get_text() for text in axes.texts] == ["-0.200", "0.100 ± 0.020", "no value"]


def test_bars_beyond_one_keep_their_ticks():
    (axes,) = plots.bars({"seconds": 30.0}, "s").axes
    assert max(axes.get_xticks()) > 25


@pytest.mark.parametrize("values", [{}, {"a": (1, 2, 3)}])
def test_bars_refuses_what_is_no_value(values):
    with pytest.raises(ValueError, match="^expected"):
        plots.bars(values, "accuracy")


def test_a_notice_says_all_its_words(tmp_path):
    words = "Laplacian eigenmaps need at least 200 images; this run has 64, " * 3
    figure = plots.notice(words + "<b> $x$", "Q7")
    assert " ".join(figure.axes[0].texts[0].get_text().split()) == (words + "<b> $x$")
    assert figure.axes[0].get_title() == "Q7"
    plots.save_figure(figure, tmp_path / "notice.svg")


def test_pyplot_is_not_touched():
    code = (
        "import sys; from assignment.provided import plots; plots.loss_curves({}); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True
    )
    assert done.stdout.strip() == "False", done.stderr
