"""Handwritten digits for the thresholds of retrieval and mining. Labels stay here."""

import functools

import torch

from autograder import limits

# What the reference and mistakes have: docs/calibration.md. One neighbor short or the query itself in the list is told before:
# the shape, or the index.
MIN_PRECISION = limits.at_least(0.8, "precision of the 5 nearest", "share")
MAX_FARTHEST = limits.at_most(0.4, "precision of the 5 farthest", "share")
MIN_AGREEMENT = limits.at_least(0.8, "agreement of the mined neighbors", "share")


@functools.cache
def features(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """scikit-learn's 1797 digits in random order: features (1797, 32) and labels (1797,).

    The features are random directions of the pixels, away from the origin: dot products say little.
    """
    from sklearn.datasets import load_digits

    generator = torch.Generator().manual_seed(seed)
    pixels, labels = load_digits(return_X_y=True)
    pixels, labels = torch.from_numpy(pixels).float() / 16, torch.from_numpy(labels)
    order = torch.randperm(len(labels), generator=generator)
    x = pixels[order] @ torch.randn(64, 32, generator=generator) / 2
    return x + 3 * torch.randn(32, generator=generator), labels[order]


def queries(labels: torch.Tensor, each: int = 10) -> torch.Tensor:
    """`each` rows of every class, in the order of the classes."""
    return torch.cat([(labels == label).nonzero().squeeze(1)[:each] for label in range(10)])


def precision(found: torch.Tensor, wanted: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of the rows found, (Q, k), that are of the wanted class, (Q,)."""
    return float((labels[found] == wanted[:, None]).double().mean())
