"""Exact neighbors: ours beside scikit-learn's brute force and faiss's IndexFlatL2. `python -m benchmarks.neighbors`

Every row of N × D normal numbers searches its 3 nearest other rows. All three have the same threads, and take turns
within a round; the best of the rounds counts, and ratios are within one run. What they find is compared: distances
have to agree, indices where no two rows are tied within rounding. Exits with 1 where they do not.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from solutions.neighbors import nearest_neighbors

SIZES = ((2_000, 128), (10_000, 128), (10_000, 1024), (50_000, 128), (50_000, 1024))
K = 3
Found = tuple[np.ndarray, np.ndarray]  # distances and indices, (N, K)


def ours(x: np.ndarray) -> Found:
    return tuple(each.numpy() for each in nearest_neighbors(x, x, K, exclude_self=True))


def sklearn_brute(x: np.ndarray) -> Found:
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=K, algorithm="brute").fit(x).kneighbors()


def faiss_flat(x: np.ndarray) -> Found:
    import faiss

    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x)
    squares, found = index.search(x, K + 1)  # no two rows are equal here: the first is the row itself
    return np.sqrt(np.maximum(squares[:, 1:], 0)), found[:, 1:]


def methods() -> dict[str, Callable]:
    found = {"ours": ours, "scikit-learn brute": sklearn_brute}
    try:
        import faiss  # noqa: F401

        found["faiss IndexFlatL2"] = faiss_flat
    except ImportError:
        print("faiss-cpu is not installed: left out")
    return found


def set_threads(threads: int):
    torch.set_num_threads(threads)
    if "faiss" in sys.modules:
        sys.modules["faiss"].omp_set_num_threads(threads)
    return threadpool_limits(limits=threads)


def compare(found: Found, wanted: Found) -> tuple[float, float]:
    """The largest relative difference of distances, and the share of indices that are the same."""
    (distances, indices), (right, rows) = found, wanted
    return float(np.abs(distances / right - 1).max()), float((indices == rows).mean())


def measure(x: np.ndarray, rounds: int) -> bool:
    """Print a row of the table for each method; whether all agree with ours."""
    best: dict[str, float] = {}
    found: dict[str, Found] = {}
    searches = methods()
    for _ in range(rounds):
        for name, search in searches.items():
            start = time.perf_counter()
            found[name] = search(x)
            best[name] = min(best.get(name, np.inf), time.perf_counter() - start)
    agree = True
    for name, seconds in best.items():
        off, same = compare(found[name], found["ours"])
        agree &= off < 1e-3 and same > 0.999
        ratio = seconds / best["ours"]
        size = f"{len(x):,} × {x.shape[1]}"
        print(f"| {size} | {name} | {seconds:.2f} s | {ratio:.2f} | {off:.0e} | {same:.5f} |", flush=True)
    return agree


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3, help="of sizes up to 10,000 (default 3; larger ones have 1)")
    parser.add_argument("--largest", type=int, default=50_000, help="leave out sizes with more rows")
    args = parser.parse_args()
    methods()  # imports faiss, if it is there
    print(f"{args.threads} threads, the {K} nearest of every row, best of {args.rounds} rounds")
    print("| rows | method | time | × ours | distances differ by | same indices |\n|---|---|---|---|---|---|")
    agree = True
    with set_threads(args.threads):
        for count, width in SIZES:
            if count <= args.largest:
                x = np.random.default_rng(0).standard_normal((count, width), dtype=np.float32)
                agree &= measure(x, args.rounds if count <= 10_000 else 1)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
