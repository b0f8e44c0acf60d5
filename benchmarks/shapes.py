"""Is `shapes` as hard as it should be? `python -m benchmarks.shapes --seeds 10` gives docs/data.md its table.

For each seed: new train and test images, then the accuracy of a linear probe on raw pixels, on an untrained
SmallEncoder, on one trained with VICReg within LAPTOP_BUDGET, and on one trained without the variance term.
Also how many images a second are made, beside a loop that makes one at a time. Exits with 1 when a limit is
not held.
"""

import argparse
import sys
import time

import numpy as np
import torch

from assignment.provided.datasets import LAPTOP_BUDGET, Dataset, load
from assignment.provided.models import Projector, SmallEncoder
from assignment.provided.shapes import _draw, make_shapes
from solutions.evaluation import extract_representations, linear_probe
from solutions.training import train_vicreg

# What has to hold over the seeds: row -> (statistic, comparison, limit).
LIMITS = {
    "raw pixels": [(max, "<=", 0.35)],
    "untrained encoder": [(max, "<=", 0.50)],
    "VICReg": [(np.mean, ">=", 0.75), (min, ">=", 0.70)],
    "no variance term": [(max, "<=", 0.30)],
    # Wall time of the least disturbed run: what else a machine is busy with is not the budget's doing.
    "seconds to train": [(min, "<=", 45.0)],
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="torch threads (default 2)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.threads} threads, {LAPTOP_BUDGET}", flush=True)
    print_throughput()
    table = {row: [] for row in LIMITS}
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        for row, value in measure(seed).items():
            table[row].append(value)
        print(
            f"seed {seed}: " + ", ".join(f"{row} {values[-1]:.3f}" for row, values in table.items()),
            flush=True,
        )
    return print_table(table)


def measure(seed: int) -> dict[str, float]:
    """One seed's row of the table: four accuracies, and how long VICReg took."""
    data = load("shapes", seed=seed)
    pixels = [torch.from_numpy(x).flatten(1) / 255 for x in (data.x_train, data.x_test)]
    results = {"raw pixels": probe(data, *pixels)}
    torch.manual_seed(seed)
    results["untrained encoder"] = probe_encoder(data, SmallEncoder())
    encoder, results["seconds to train"] = train(data, seed)
    results["VICReg"] = probe_encoder(data, encoder)
    encoder, _ = train(data, seed, var_weight=0.0)
    results["no variance term"] = probe_encoder(data, encoder)
    return results


def train(data: Dataset, seed: int, **weights: float) -> tuple[SmallEncoder, float]:
    """Train within the laptop budget; returns the encoder and the seconds it took."""
    torch.manual_seed(seed)
    encoder, projector = SmallEncoder(), Projector()
    budget = {name: getattr(LAPTOP_BUDGET, name) for name in ("epochs", "batch_size", "lr")}
    start = time.perf_counter()
    train_vicreg(encoder, projector, data.x_train, **budget, **weights)
    return encoder, time.perf_counter() - start


def probe_encoder(data: Dataset, encoder: SmallEncoder) -> float:
    return probe(data, *(extract_representations(encoder, x) for x in (data.x_train, data.x_test)))


def probe(data: Dataset, train_x: torch.Tensor, test_x: torch.Tensor) -> float:
    return float(np.mean(np.asarray(linear_probe(train_x, data.y_train, test_x)) == data.y_test))


def print_throughput(n: int = 10_000, n_loop: int = 1_000) -> None:
    """Images per second of one core, vectorized and one at a time: the best of three runs each."""
    together = max(_rate(lambda: make_shapes(n), n) for _ in range(3))
    alone = max(_rate(lambda: _one_by_one(n_loop), n_loop) for _ in range(3))
    print(
        f"make_shapes: {together:,.0f} images/s; one by one: {alone:,.0f}; ratio {together / alone:.1f}",
        flush=True,
    )


def _rate(work, n: int) -> float:
    start = time.process_time()
    work()
    return n / (time.process_time() - start)


def _one_by_one(n: int) -> None:
    """The peer: the same drawing code, called for each image."""
    rng = np.random.default_rng(0)
    for label in np.arange(n) % 10:
        _draw(label[None], rng)


def print_table(table: dict[str, list[float]]) -> int:
    """Print mean, minimum and maximum beside the limits; returns 1 if one is not held, else 0."""
    missed = 0
    print(f"\n| {'':<17} |   mean |    min |    max | limit |\n|---|---|---|---|---|")
    for row, values in table.items():
        held = {
            f"{f.__name__} {sign} {limit:g}": _holds(f(values), sign, limit) for f, sign, limit in LIMITS[row]
        }
        limits = ", ".join(text + ("" if ok else " MISSED") for text, ok in held.items())
        print(f"| {row:<17} | {np.mean(values):6.3f} | {min(values):6.3f} | {max(values):6.3f} | {limits} |")
        missed |= not all(held.values())
    return int(missed)


def _holds(value: float, sign: str, limit: float) -> bool:
    return value <= limit if sign == "<=" else value >= limit


if __name__ == "__main__":
    sys.exit(main())
