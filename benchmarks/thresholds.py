"""How far apart are right and wrong training at the thresholds? `python -m benchmarks.thresholds`

Trains the reference and known mistakes as the checks do (autograder/checks/hidden/thresholds.py), each with
several seeds for data, weights and views, and prints what the checks measure. Exits with 1 when the reference
misses a threshold, or when a mistake passes both checks.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import torch

from autograder.checks.hidden import thresholds
from autograder.worker import scenarios
from solutions.augmentations import augment
from solutions.training import train_vicreg


def with_views(pair: Callable) -> Callable:
    """Training on the views that `pair` makes of a batch of images."""

    def train(encoder, projector, images, **options):
        images = torch.as_tensor(images)
        return train_vicreg(encoder, projector, images, views=lambda batch: pair(images[batch]), **options)

    return train


def same_view(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    view = augment(images)
    return view, view


def other_images(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return augment(images), augment(images.roll(1, dims=0))


def nothing(encoder, projector, images, **options) -> None:
    """Leaves the networks untrained."""


REFERENCE = "reference"
METHODS = {
    REFERENCE: train_vicreg,
    "untrained": nothing,
    "no variance term": partial(train_vicreg, var_weight=0.0),
    "invariance alone": partial(train_vicreg, var_weight=0.0, cov_weight=0.0),
    "no covariance term": partial(train_vicreg, cov_weight=0.0),
    "same view twice": with_views(same_view),
    "views of other images": with_views(other_images),
}


def measure(train: Callable, seed: int) -> tuple[float, float, float, float]:
    """Accuracy, spread of the embeddings, effective rank of the representations, and CPU seconds."""
    images, train_y, held_out, held_out_y = thresholds.data(seed)
    package = SimpleNamespace(function=lambda target: train)
    start = time.process_time()
    settings = {**thresholds.SETTINGS, "seed": seed}
    found = scenarios.train_on_shapes(package, images, held_out, settings, thresholds.OPTIONS)
    seconds = time.process_time() - start
    accuracy = thresholds.accuracy(found, train_y, held_out_y)
    return (
        accuracy,
        thresholds.spread(found["embeddings"]),
        thresholds.effective_rank(found["held_out"]),
        seconds,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="of the reference (default 10)")
    parser.add_argument("--wrong-seeds", type=int, default=5, help="of each mistake (default 5)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    limits = thresholds.MIN_ACCURACY, thresholds.MIN_SPREAD, thresholds.MIN_RANK
    print("thresholds: accuracy {}, spread {}, effective rank {}".format(*limits))
    print(
        "| | seeds | accuracy | spread | effective rank | CPU seconds |\n|---|---|---|---|---|---|",
        flush=True,
    )
    missed = 0
    for name, train in METHODS.items():
        rows = [measure(train, seed) for seed in range(args.seeds if name == REFERENCE else args.wrong_seeds)]
        passed = [[value >= limit for value, limit in zip(row, limits)] for row in rows]
        wrong = not all(map(all, passed)) if name == REFERENCE else any(map(all, passed))
        missed |= wrong
        cells = " | ".join(f"{min(column):.3f} to {max(column):.3f}" for column in zip(*rows))
        print(f"| {name} | {len(rows)} | {cells} |{' MISSED' if wrong else ''}", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
