"""The two checks that train: what the student's own loss, views and loop make of 768 images of `shapes`.

Images alone go to the worker. The labels stay here, and so does the probe that scores the representations.
Both checks share one training run of a submission. Everything is seeded, so that the same submission gets the
same grade.
"""

import contextlib
import functools

import numpy as np
import torch

from assignment.provided.shapes import make_shapes
from autograder import expect, limits
from autograder.forkserver import Crash
from autograder.student import NotAttempted, StudentError

# Disk, ring, rows, columns: told apart after 240 steps, and not before. With a fifth class, plus, which some runs take for a
# ring, one right run in thirty was below .78.
CLASSES = (0, 1, 7, 8)
N_TRAIN, N_HELD_OUT = 768, 1000
SETTINGS = {"width": 16, "features": 64, "dim": 128}
OPTIONS = {"epochs": 20, "batch_size": 64, "lr": 3e-3}

# What the reference and wrong ways of training have: docs/calibration.md.
MIN_ACCURACY = limits.at_least(0.85, "held-out accuracy", "share")
MIN_SPREAD = limits.at_least(0.25, "spread of the embeddings", "share")  # below: a collapse of all columns
MIN_RANK = limits.at_least(3.0, "effective rank of the representations", "log")  # below: a collapse to few directions


@functools.cache
def data(seed: int = 0) -> tuple[np.ndarray, torch.Tensor, np.ndarray, torch.Tensor]:
    """Training images and labels, held-out images and labels: 16 x 16 pixels, so that training is fast."""
    return *subset(N_TRAIN, 90_001 + 2 * seed), *subset(N_HELD_OUT, 90_002 + 2 * seed)


def subset(count: int, seed: int) -> tuple[np.ndarray, torch.Tensor]:
    """`count` images of the classes above, uint8 (count, 16, 16, 3), and labels 0, 1, ... (count,)."""
    images, labels = make_shapes(3 * count, seed)
    chosen = np.flatnonzero(np.isin(labels, CLASSES))[:count]
    small = images[chosen].reshape(count, 16, 2, 16, 2, 3).mean(axis=(2, 4)).round().astype(np.uint8)
    return small, torch.from_numpy(np.searchsorted(CLASSES, labels[chosen]))


def trained(student, reference, shared: dict, seed: int = 0) -> dict[str, torch.Tensor]:
    """Representations and embeddings after the student's training, which runs once for both checks.

    `seed` is that of images, weights and views.
    """
    key = "train_on_shapes", type(student._channel).__name__, seed
    if key not in shared:
        try:
            shared[key] = run(student, {**OPTIONS, **weights(student, reference)}, seed)
        except (StudentError, NotAttempted, Crash, expect.Mismatch) as error:
            shared[key] = error
    if isinstance(shared[key], BaseException):
        raise shared[key]
    return shared[key]


def run(student, options: dict, seed: int) -> dict[str, torch.Tensor]:
    images, _, held_out, _ = data(seed)
    came = student.run("train_on_shapes", images, held_out, {**SETTINGS, "seed": seed}, options)
    shapes = {"train": (N_TRAIN, 64), "held_out": (N_HELD_OUT, 64), "embeddings": (N_HELD_OUT, 128)}
    return {
        name: expect.tensor(came[name], shape, torch.float32, what=name) for name, shape in shapes.items()
    }


def weights(student, reference) -> dict[str, float]:
    """Weights that make a loss of another convention ours: invariance summed over d, variance halved."""
    z = torch.randn(2, 16, 8, generator=torch.Generator().manual_seed(0)) / 2
    dim, found = z.shape[-1], {}
    for name, factor, instead in (("inv_weight", dim, 25.0 / SETTINGS["dim"]), ("var_weight", 0.5, 50.0)):
        alone = {each: float(each == name) for each in ("inv_weight", "var_weight", "cov_weight")}
        ours, theirs = (each.vicreg.vicreg_loss(*z, **alone) for each in (reference, student))
        with contextlib.suppress(
            AttributeError, TypeError, ValueError, RuntimeError
        ):  # task 2 judges what is returned
            if abs(float(theirs.total) / float(ours.total) / factor - 1) < 0.1:
                found[name] = instead
    return found


def accuracy(features: dict[str, torch.Tensor], train_y: torch.Tensor, held_out_y: torch.Tensor) -> float:
    """Held-out accuracy of a linear probe: ridge regression on one column per class."""
    mean, std = features["train"].mean(dim=0), features["train"].std(dim=0) + 1e-6
    scaled = [(features[name] - mean) / std for name in ("train", "held_out")]
    train, held_out = (torch.nn.functional.pad(each, (0, 1), value=1.0).double() for each in scaled)
    targets = torch.nn.functional.one_hot(train_y, len(CLASSES)).double()
    ridge = 0.01 * len(train) * torch.eye(train.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(train.T @ train + ridge, train.T @ targets)  # (features + 1, classes)
    return float(((held_out @ weight).argmax(dim=1) == held_out_y).double().mean())


def spread(embeddings: torch.Tensor) -> float:
    """Mean standard deviation of the columns, each counted up to the 1 that the variance term asks for."""
    return float(embeddings.double().std(dim=0).clamp(max=1).mean())


def effective_rank(features: torch.Tensor) -> float:
    """How many directions are used, 1 to d: exp of the entropy of the covariance's normalized eigenvalues."""
    centered = features.double() - features.double().mean(dim=0)
    values = torch.linalg.svdvals(centered).square()
    share = values / values.sum().clamp(min=1e-30)
    return float(torch.exp(-torch.special.xlogy(share, share).sum()))
