"""Task 7: the reference beside dense linear algebra and scikit-learn, and odd graphs."""

import importlib
import math

import numpy as np
import pytest
import torch
from scipy import linalg, sparse

from autograder import expect, measure
from autograder.misconceptions import mutants
from autograder.proofs import harness
from benchmarks import laplacian as benchmark
from solutions import laplacian

public = importlib.import_module("autograder.checks.public.test_laplacian")
hidden = importlib.import_module("autograder.checks.hidden.test_laplacian_hidden")


def dense(w) -> torch.Tensor:
    return torch.from_numpy(w.toarray())


@pytest.mark.parametrize("x, nearest", [(public.POINTS, public.NEAREST), (public.LINE, public.LINE_NEAREST), (public.GROUPS, public.GROUPS_NEAREST)])
def test_the_lists_of_the_public_examples_are_right(x, nearest):
    distances, order = hidden.distances_of(x).sort(dim=1)
    count = len(nearest[0])
    assert order[:, :count].tolist() == nearest
    assert (distances[:, 1 : count + 1] - distances[:, :count]).min() > 1e-3  # no ties, also in float32
    for n in (count, count - 1):
        assert measure.eigenvalues(torch.maximum(public.joined(nearest, n), public.joined(nearest, n).T))[1] > 0.01  # connected


def test_spectra_of_known_graphs():
    x = torch.tensor([[0.0], [1.0], [2.1], [3.3], [4.6], [6.0], [7.5]])  # with one neighbor each: a path
    codes = laplacian.laplacian_eigenmaps(x, n_components=6, n_neighbors=1).double()
    w = dense(laplacian.knn_graph(x, 1))
    values, off = measure.residuals(codes, w, w.sum(dim=1))
    assert torch.allclose(values, 1 - torch.cos(torch.arange(1, 7) * math.pi / 6).double(), atol=1e-6) and off.max() < 1e-6
    angle = torch.arange(9) * 2 * math.pi / 9
    ring = torch.stack([angle.cos(), angle.sin()], dim=1)
    codes = laplacian.laplacian_eigenmaps(ring, n_components=2, n_neighbors=2).double()
    assert torch.allclose(codes.norm(dim=1), torch.full((9,), math.sqrt(2), dtype=torch.float64), atol=1e-6)  # a circle again


@pytest.mark.parametrize("n, k", [(60, 5), (60, 59), (laplacian.DENSE_ROWS + 60, 12), (900, 20)])
def test_codes_are_those_of_a_dense_generalized_solver(n, k):
    x = hidden.cloud(n, 6, seed=n)
    w = dense(laplacian.knn_graph(x, 8))
    codes = laplacian.laplacian_eigenmaps(x, k, 8)
    assert codes.dtype == torch.float32 and measure.eigenmaps(codes, [w], "codes") == "y"
    degrees = w.sum(dim=1)
    assert torch.allclose((degrees[:, None] * codes**2).sum(dim=0), degrees.sum(), rtol=1e-4)
    wanted = linalg.eigh(np.diag(degrees) - w.numpy(), np.diag(degrees), eigvals_only=True)[1 : k + 1]
    assert np.allclose(measure.residuals(codes, w, degrees)[0], wanted, atol=1e-5)


def test_codes_are_the_same_every_time_and_on_scaled_inputs():
    x = hidden.cloud(500, 6, seed=1)
    first = laplacian.laplacian_eigenmaps(x, 6, 8)
    assert torch.equal(first, laplacian.laplacian_eigenmaps(x.numpy(), 6, 8))
    assert torch.allclose(first, laplacian.laplacian_eigenmaps(4 * x.double(), 6, 8), atol=1e-4)


@pytest.mark.parametrize("sizes", [(14, 11), (14, 11, 9, 8), (300, 250, 7)])
def test_parts_of_a_graph_come_first_and_no_vector_is_lost(sizes):
    x = torch.cat([hidden.cloud(size, 3, seed=i) + 40.0 * i for i, size in enumerate(sizes)])
    w = dense(laplacian.knn_graph(x, 4))
    for k in (1, len(sizes) - 1, len(sizes) + 2):
        codes = laplacian.laplacian_eigenmaps(x, k, 4)
        assert measure.eigenmaps(codes, [w], "codes") == "y"  # including every eigenvalue 0 but that of the constant vector
    parts = codes[:, : len(sizes) - 1].split(sizes)
    assert max(float(part.std(dim=0).max()) for part in parts) < 1e-5
    assert torch.pdist(torch.stack([part[0] for part in parts])).min() > 0.1


def test_equal_rows_are_joined_and_coded():
    x = hidden.cloud(20, 3, seed=2).repeat(6, 1)
    w = laplacian.knn_graph(x, 3)
    assert (w.diagonal() == 0).all() and (w != w.T).nnz == 0 and w.sum(axis=1).min() >= 3
    codes = laplacian.laplacian_eigenmaps(x, 5, 3)
    assert torch.isfinite(codes).all() and measure.eigenmaps(codes, [dense(w)], "codes") == "y"
    assert torch.isfinite(laplacian.laplacian_eigenmaps(torch.zeros(12, 3), 4, 3)).all()


@pytest.mark.parametrize("components, neighbors, told", [(8, 3, "n_components"), (20, 3, "n_components"), (0, 3, "n_components"),
                                                         (2, 8, "n_neighbors"), (2, 0, "n_neighbors")])  # fmt: skip
def test_what_cannot_be_computed_is_refused_in_a_sentence(components, neighbors, told):
    with pytest.raises(ValueError, match=rf"^{told} must be from 1 to N - 1 = 7, not \d+$"):
        laplacian.laplacian_eigenmaps(hidden.cloud(8, 3, 0), components, neighbors)


def test_graph_joins_whom_scikit_joins():
    from sklearn.neighbors import kneighbors_graph

    x = hidden.cloud(700, 8, seed=4)
    nearest = kneighbors_graph(x.numpy(), 7, include_self=False)
    w = laplacian.knn_graph(x, 7)
    assert sparse.issparse(w) and w.format == "csr" and abs(w - nearest.maximum(nearest.T)).sum() == 0


def test_features_do_not_depend_on_the_batches(monkeypatch):
    images = public.noise(7, seed=1)
    whole = laplacian.random_features(images, dim=20, seed=3)
    monkeypatch.setattr(laplacian, "IMAGES_AT_ONCE", 3)
    parts = laplacian.random_features(images.numpy(), dim=20, seed=3)
    assert torch.allclose(whole, parts, atol=1e-4) and not whole.requires_grad and whole.dtype == torch.float32
    assert laplacian.random_features(images[:0], dim=4).shape == (0, 4)
    assert 0.5 < laplacian.random_features(images, dim=200).std() < 3  # of the size of what goes in


# What the checks' own tools tell.

PATH = torch.diag(torch.ones(5, dtype=torch.float64), 1) + torch.diag(torch.ones(5, dtype=torch.float64), -1)


def generalized() -> torch.Tensor:
    return torch.from_numpy(linalg.eigh((torch.diag(PATH.sum(1)) - PATH).numpy(), torch.diag(PATH.sum(1)).numpy())[1])


def test_signs_scales_and_rotations_are_free():
    y = generalized()
    assert measure.eigenmaps(y[:, 1:4] * torch.tensor([-3.0, 1e-4, 5e3]), [PATH], "codes") == "y"
    assert measure.eigenmaps(PATH.sum(1).sqrt()[:, None] * y[:, 1:4], [PATH], "codes") == "D^½ y"
    full = 1 - torch.eye(6, dtype=torch.float64)  # every vector but the constant one has λ = 1.2
    turned = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert measure.eigenmaps(turned - turned.mean(dim=0), [full], "codes") == "y"


@pytest.mark.parametrize(
    "columns, told",
    [
        (lambda y: y[:, :2], "the trivial eigenvector"), (lambda y: y[:, [2, 1]], "λ = 0.691, 0.191 instead of 0.191, 0.691"),
        (lambda y: y[:, [1, 1]], "repeat"), (lambda y: y[:, [1, 2]] * torch.tensor([1.0, 0.0]), "zeros"),
        (lambda y: y[:, [5, 4]], "λ = 2"), (lambda y: y[:, [1, 2]] ** 3, "no eigenvectors"),
        (lambda y: torch.linalg.eigh(torch.diag(PATH.sum(1)) - PATH)[1][:, 1:3], "without the degrees"),
    ],
)  # fmt: skip
def test_what_came_instead_is_told(columns, told):
    with pytest.raises(expect.Mismatch, match=told):
        measure.eigenmaps(columns(generalized()).clone(), [PATH], "codes")


def test_a_mistake_in_nearest_neighbors_is_not_charged_to_the_graph():
    source = (
        "\n\ndef nearest_neighbors(queries, bank, k, exclude_self=False):\n"
        "    scores = torch.as_tensor(queries) @ torch.as_tensor(bank).T\n"
        "    if exclude_self:\n        scores.fill_diagonal_(-torch.inf)\n"
        "    return scores.topk(k, dim=1)\n"
    )
    with mutants.package_of({"neighbors": mutants.source_of("neighbors") + source}) as package:
        outcomes = harness.run_checks(package, "laplacian")
    lost = {item for item, error in outcomes.items() if error is not None}
    assert not {each for each in lost if each.startswith("laplacian.graph") or "eigenmaps" in each}


def test_benchmark_runs_and_agrees(capsys):
    benchmark.main(["--images", "300", "--dim", "32", "--components", "4", "--neighbors", "6", "--solvers", "arpack"])
    out = capsys.readouterr().out
    assert "edges that differ 0.00%" in out and "smallest cosine of the subspaces 1.0000" in out
