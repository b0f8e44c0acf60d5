"""The generated data set: deterministic, balanced, of any size, with figures that deserve their names."""

import subprocess
import sys

import numpy as np
import pytest

from assignment.provided.shapes import _FIGURES, SHAPE_NAMES, make_shapes


@pytest.mark.parametrize("n", [0, 1, 9, 10, 257, np.int64(600)])
def test_any_size_balanced_and_in_range(n):
    images, labels = make_shapes(n, seed=3)
    assert images.shape == (n, 32, 32, 3) and images.dtype == np.uint8
    assert labels.shape == (n,) and labels.dtype == np.int64
    counts = np.bincount(labels, minlength=10)
    assert len(counts) == len(SHAPE_NAMES) == 10 and counts.max() - counts.min() <= 1


@pytest.mark.parametrize(
    ("n", "error"),
    [(-1, ValueError), (2.0, TypeError), ("3", TypeError), (None, TypeError), (True, TypeError)],
)
def test_a_wrong_n_is_refused(n, error):
    with pytest.raises(error, match="n must be"):
        make_shapes(n)


def test_labels_are_shuffled():
    labels = make_shapes(1000)[1]
    assert np.mean(labels[1:] == labels[:-1]) < 0.2
    assert len(set(labels[:10])) < 10 or len(set(labels[10:20])) < 10


def test_the_seed_alone_decides_the_images():
    np.random.seed(1)
    images, labels = make_shapes(300, seed=5)
    np.random.seed(2)
    again, same = make_shapes(300, seed=5)
    assert np.array_equal(images, again) and np.array_equal(labels, same)
    assert not np.array_equal(images, make_shapes(300, seed=6)[0])


def test_numpys_global_generator_is_left_alone():
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    make_shapes(10)
    assert np.array_equal(before, np.random.get_state()[1])


def test_another_process_with_other_thread_counts_makes_the_same_images():
    code = (
        "import zlib; from assignment.provided.shapes import make_shapes; "
        "print(zlib.crc32(make_shapes(300, seed=5)[0].tobytes()))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={
                "OMP_NUM_THREADS": threads,
                "OPENBLAS_NUM_THREADS": threads,
                "PYTHONPATH": ":".join(sys.path),
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "4")
    }
    assert len(outputs) == 1 and outputs.pop().strip()


def test_brightness_color_and_place_do_not_tell_the_class():
    images, labels = make_shapes(4000, seed=8)
    x = images / 255.0
    features = {
        "brightness": x.mean((1, 2, 3)),
        "color cast": x.mean((1, 2))[:, 0] - x.mean((1, 2))[:, 2],
        "left or right": x[:, :, :16].mean((1, 2, 3)) - x[:, :, 16:].mean((1, 2, 3)),
    }
    for name, values in features.items():
        means = np.array([values[labels == c].mean() for c in range(10)])
        # The classes' means differ by far less than images of one class do (measured: below 0.15).
        assert means.std() < 0.25 * values.std(), name


def test_images_are_near_gray():
    images = make_shapes(500, seed=9)[0].astype(float)
    cast = images.mean((1, 2)).max(1) - images.mean((1, 2)).min(1)
    assert cast.max() < 20 and cast.mean() > 1


@pytest.fixture(scope="module")
def masks():
    """Each figure on a 65 x 65 grid of two radii to each side, {name: bool array}."""
    x = np.linspace(-2, 2, 65, dtype=np.float32)
    return {
        name: figure(x[None, None], x[None, :, None])[0] < 0 for name, figure in zip(SHAPE_NAMES, _FIGURES)
    }


def test_a_horizontal_flip_turns_no_figure_into_another(masks):
    for name, mask in masks.items():
        assert (mask == mask[:, ::-1]).mean() > 0.97, name  # an edge that falls on the grid may go either way
        for other, mask_of_other in masks.items():
            assert other == name or (mask_of_other != mask[:, ::-1]).mean() > 0.02, (name, other)


def test_figures_are_as_they_are_called(masks):
    middle = {name: bool(mask[32, 32]) for name, mask in masks.items()}
    assert {name for name in SHAPE_NAMES if not middle[name]} == {
        "ring",
        "frame",
        "rows",
        "columns",
        "checkerboard",
    }
    assert np.array_equal(masks["rows"], masks["columns"].T)
    assert masks["triangle"][38].sum() > 2 * masks["triangle"][24].sum() > 0  # wider at its base, below
    assert masks["plus"][32].sum() > 2 * masks["cross"][32].sum()
    for name, mask in masks.items():
        edge = np.concatenate(
            [mask[:10].ravel(), mask[-10:].ravel(), mask[:, :10].ravel(), mask[:, -10:].ravel()]
        )
        assert mask.any() and not edge.any(), name
