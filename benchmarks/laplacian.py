"""Laplacian eigenmaps beside scikit-learn's: `python -m benchmarks.laplacian [--full] [--data FILE]`.

One run times three things on the same features, and compares what came out:
    the kNN graph      ours (`knn_graph`) beside `sklearn.neighbors.kneighbors_graph`
    the eigenvectors   ours (Lanczos on the normalized adjacency) beside `SpectralEmbedding` on our graph, with its solvers
                       arpack and lobpcg (one that fails is told)
    what they are      the largest difference of an eigenvalue, the smallest cosine between the spanned subspaces, and the
                       accuracy of a linear probe on 90 % of the codes, tested on the other 10 %
Without --data the images are those of the embedded data set `shapes`; FILE is an .npz with Keras's array names.
"""

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

from assignment.provided import datasets
from solutions import laplacian
from solutions.evaluation import linear_probe


def timed(function: Callable, *args, **kwargs) -> tuple[object, float]:
    """What a call returns, and its seconds."""
    start = time.perf_counter()
    value = function(*args, **kwargs)
    return value, time.perf_counter() - start


def scikit_graph(features: torch.Tensor, n_neighbors: int):
    """The graph of `knn_graph`, with scikit-learn's neighbor search."""
    from sklearn.neighbors import kneighbors_graph

    nearest = kneighbors_graph(features.numpy(), n_neighbors, include_self=False)
    return nearest.maximum(nearest.T)


def our_codes(affinity, n_components: int) -> np.ndarray:
    """`laplacian_eigenmaps` of a graph that is there already: what remains is the eigenproblem."""
    known, laplacian.knn_graph = laplacian.knn_graph, lambda *_: affinity
    try:
        rows = torch.empty(affinity.shape[0], 1)
        return laplacian.laplacian_eigenmaps(rows, n_components, 1).double().numpy()
    finally:
        laplacian.knn_graph = known


def scikit_codes(affinity, n_components: int, solver: str) -> np.ndarray:
    from scipy.sparse import csr_matrix
    from sklearn.manifold import SpectralEmbedding

    model = SpectralEmbedding(n_components, affinity="precomputed", eigen_solver=solver, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit_transform(csr_matrix(affinity))


def rayleigh(codes: np.ndarray, affinity) -> tuple[np.ndarray, np.ndarray]:
    """λ = yᵀLy / yᵀDy of each column, and D^½ y as orthonormal columns."""
    degrees = np.asarray(affinity.sum(axis=1)).ravel()
    weighted = (codes * codes * degrees[:, None]).sum(axis=0)
    values = 1 - (codes * (affinity @ codes)).sum(axis=0) / weighted
    return values, np.linalg.qr(codes * np.sqrt(degrees)[:, None])[0]


def agreement(ours: np.ndarray, theirs: np.ndarray, affinity) -> str:
    """How far the eigenvalues are apart, and how well one subspace holds the other (1: they are the same)."""
    (values, basis), (others, other_basis) = rayleigh(ours, affinity), rayleigh(theirs, affinity)
    cosines = np.linalg.svd(basis.T @ other_basis, compute_uv=False)
    return f"eigenvalues differ by up to {np.abs(values - others).max():.1e}, smallest cosine of the subspaces {cosines.min():.6f}"


def probe(codes: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of a linear probe on a stratified tenth of the codes."""
    test = np.zeros(len(labels), dtype=bool)
    test[np.argsort(labels, kind="stable")[::10]] = True
    codes = codes.astype(np.float32)
    return float((linear_probe(codes[~test], labels[~test], codes[test]).numpy() == labels[test]).mean())


def compare_graphs(features: torch.Tensor, n_neighbors: int, rounds: int = 3):
    """Time both neighbor searches, in turns, and keep the best of each; returns our graph."""
    own, other = [], []
    for _ in range(rounds):
        ours, seconds = timed(laplacian.knn_graph, features, n_neighbors)
        own.append(seconds)
        theirs, seconds = timed(scikit_graph, features, n_neighbors)
        other.append(seconds)
    own, other = min(own), min(other)
    different = abs(ours - theirs).sum() / ours.sum()
    print(f"kNN graph: ours {own:.2f} s, scikit-learn {other:.2f} s, ratio {other / own:.1f}; edges that differ {different:.2%}")
    return ours


def compare_codes(affinity, n_components: int, labels: np.ndarray, solvers: list[str]) -> None:
    """Time our eigen-solver and scikit-learn's; print ratios and agreement."""
    ours, own = timed(our_codes, affinity, n_components)
    print(f"eigenvectors, ours: {own:.2f} s, probe {probe(ours, labels):.3f}")
    for solver in solvers:
        try:
            theirs, other = timed(scikit_codes, affinity, n_components, solver)
        except Exception as error:  # a solver that gives up is a finding
            print(f"eigenvectors, SpectralEmbedding({solver}): failed, {type(error).__name__}: {str(error)[:80]}")
            continue
        print(f"eigenvectors, SpectralEmbedding({solver}): {other:.2f} s, ratio {other / own:.1f}, probe {probe(theirs, labels):.3f}")
        print(f"    {agreement(ours, theirs, affinity)}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.laplacian", description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="shapes", help="an .npz file or a data set's name (default: %(default)s)")
    parser.add_argument("--images", type=int, default=2000, help="(default: %(default)s)")
    parser.add_argument("--dim", type=int, default=256, help="of the random features (default: %(default)s)")
    parser.add_argument("--components", type=int, default=32, help="(default: %(default)s)")
    parser.add_argument("--neighbors", type=int, default=15, help="(default: %(default)s)")
    parser.add_argument("--full", action="store_true", help="the exercise's size: 10,000 images, 1024 features, 128 components")
    parser.add_argument("--solvers", nargs="*", default=["arpack", "lobpcg"], help="of scikit-learn (default: both)")
    options = parser.parse_args(arguments)
    if options.full:
        options.images, options.dim, options.components = 10_000, 1024, 128
    data = datasets.load(options.data, n_train=options.images, n_test=10)
    features, seconds = timed(laplacian.random_features, data.x_train, options.dim)
    print(f"{len(features):,} images of {data.name}, {options.dim} random features ({seconds:.1f} s), {options.components} components, "
          f"{options.neighbors} neighbors, {torch.get_num_threads()} threads")  # fmt: skip
    affinity = compare_graphs(features, options.neighbors)
    compare_codes(affinity, options.components, data.y_train, options.solvers)


if __name__ == "__main__":
    main()
