"""The two checks that train: what the student's own loss, views and loop make of 512 images of `shapes`.

Images alone go to the worker. The labels stay here, and so does the probe that scores the representations. Both checks
share one training run of a submission. Everything is seeded, so that the same submission gets the same grade.
"""
import functools

import numpy as np
import torch

from assignment.provided.shapes import make_shapes
from autograder import expect
from autograder.forkserver import Crash
from autograder.student import NotAttempted, StudentError

CLASSES = (0, 1, 5, 7, 8)  # disk, ring, plus, rows, columns: told apart after 160 steps, but not before
N_TRAIN, N_HELD_OUT = 512, 1000
SETTINGS = {"seed": 0, "width": 16, "features": 64, "dim": 128}
OPTIONS = {"epochs": 25, "batch_size": 64, "lr": 3e-3}

# PLACEHOLDER
MIN_ACCURACY = 0.75
MIN_SPREAD = 0.25
MIN_RANK = 3.0


@functools.cache
def data(seed: int = 0) -> tuple[np.ndarray, torch.Tensor, np.ndarray, torch.Tensor]:
    """Training images and labels, held-out images and labels: 16 x 16 pixels, so that training takes seconds."""
    return *subset(N_TRAIN, 90_001 + 2 * seed), *subset(N_HELD_OUT, 90_002 + 2 * seed)


def subset(count: int, seed: int) -> tuple[np.ndarray, torch.Tensor]:
    """`count` images of the classes above, uint8 (count, 16, 16, 3), and labels 0, 1, ... (count,)."""
    images, labels = make_shapes(3 * count, seed)
    chosen = np.flatnonzero(np.isin(labels, CLASSES))[:count]
    small = images[chosen].reshape(count, 16, 2, 16, 2, 3).mean(axis=(2, 4)).round().astype(np.uint8)
    return small, torch.from_numpy(np.searchsorted(CLASSES, labels[chosen]))


def trained(student, reference, shared: dict) -> dict[str, torch.Tensor]:
    """Representations and embeddings after the student's training, which runs once for both checks."""
    key = "train_on_shapes", type(student._channel).__name__
    if key not in shared:
        try:
            shared[key] = run(student, {**OPTIONS, **weights(student, reference)})
        except (StudentError, NotAttempted, Crash, expect.Mismatch) as error:
            shared[key] = error
    if isinstance(shared[key], BaseException):
        raise shared[key]
    return shared[key]


def run(student, options: dict) -> dict[str, torch.Tensor]:
    images, _, held_out, _ = data()
    came = student.run("train_on_shapes", images, held_out, SETTINGS, options)
    shapes = {"train": (N_TRAIN, 64), "held_out": (N_HELD_OUT, 64), "embeddings": (N_HELD_OUT, 128)}
    return {name: expect.tensor(came[name], shape, torch.float32, what=name) for name, shape in shapes.items()}


def weights(student, reference) -> dict[str, float]:
    """Weights that make a loss of another convention ours: the invariance summed over d, the variance halved."""
    z_a, z_b = torch.randn(2, 16, 8, generator=torch.Generator().manual_seed(0)) / 2
    ours = reference.vicreg.vicreg_loss(z_a, z_b)
    theirs = student.vicreg.vicreg_loss(z_a, z_b)
    found = {}
    try:
        if abs(float(theirs.invariance / ours.invariance) - 8) < 0.1:
            found["inv_weight"] = 25.0 / SETTINGS["dim"]
        if abs(float(theirs.variance / ours.variance) - 0.5) < 0.05:
            found["var_weight"] = 50.0
    except (AttributeError, TypeError, ValueError, RuntimeError):
        pass  # not the named tuple that it should be, which is judged by task 2
    return found


def accuracy(features: dict[str, torch.Tensor], train_y: torch.Tensor, held_out_y: torch.Tensor) -> float:
    """Held-out accuracy of a linear probe: ridge regression on one column per class."""
    mean, std = features["train"].mean(dim=0), features["train"].std(dim=0) + 1e-6
    train, held_out = (torch.nn.functional.pad((features[name] - mean) / std, (0, 1), value=1.0).double() for name in ("train", "held_out"))
    targets = torch.nn.functional.one_hot(train_y, len(CLASSES)).double()
    ridge = 0.01 * len(train) * torch.eye(train.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(train.T @ train + ridge, train.T @ targets)  # (features + 1, classes)
    return float(((held_out @ weight).argmax(dim=1) == held_out_y).double().mean())


def spread(embeddings: torch.Tensor) -> float:
    """Mean over the columns of their standard deviation, counted up to the 1 that the variance term asks for."""
    return float(embeddings.double().std(dim=0).clamp(max=1).mean())


def effective_rank(features: torch.Tensor) -> float:
    """exp of the entropy of the covariance's normalized eigenvalues: how many directions are used, from 1 to d."""
    centered = features.double() - features.double().mean(dim=0)
    values = torch.linalg.svdvals(centered).square()
    share = values / values.sum().clamp(min=1e-30)
    return float(torch.exp(-torch.special.xlogy(share, share).sum()))
