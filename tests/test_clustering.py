"""The reference of task 9: k-means, a map of points and centers, the silhouette."""

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score

from solutions import clustering
from solutions.clustering import kmeans, project_with_centers, silhouette


def rows(n: int, dim: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", [torch.Tensor.clone, torch.Tensor.numpy, torch.Tensor.double])
def test_labels_and_means_of_their_rows(kind):
    x = rows(90, 4)
    labels, centers = kmeans(kind(x), k=6, seed=1)
    assert labels.dtype == torch.int64 and labels.shape == (90,) and centers.shape == (6, 4)
    assert sorted(set(labels.tolist())) == list(range(6))
    for j in range(6):
        torch.testing.assert_close(centers[j].float(), x[labels == j].mean(dim=0))


def test_rows_belong_to_the_nearest_center():
    x = rows(200, 3)
    labels, centers = kmeans(x, k=5)
    nearest = torch.cdist(x, centers).argmin(dim=1)
    assert (nearest == labels).float().mean() > 0.97  # scikit-learn stops a little short of the last change


def test_as_many_clusters_as_rows_and_no_more():
    x = rows(5, 2)
    labels, centers = kmeans(x, k=5)
    torch.testing.assert_close(centers[labels], x)
    with pytest.raises(ValueError):
        kmeans(x, k=6)


def test_seeds_and_global_generators():
    x = rows(60, 3)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, again = kmeans(x, k=8, seed=4), kmeans(x, k=8, seed=4)
    maps = [project_with_centers(x[:12], first[1], seed=2) for _ in range(2)]
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert torch.equal(maps[0][0], maps[1][0]) and torch.equal(maps[0][1], maps[1][1])
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])


@pytest.mark.parametrize("n, k", [(2, 1), (3, 1), (2, 2), (9, 3)])
def test_a_map_of_few_points(n, k):
    points, centers = project_with_centers(rows(n, 5).numpy(), rows(k, 5, seed=1))
    assert points.shape == (n, 2) and centers.shape == (k, 2)
    assert torch.isfinite(points).all() and torch.isfinite(centers).all()


def test_centers_lie_among_their_rows():
    groups = 10 * torch.eye(4)
    x = (groups[:, None] + 0.3 * rows(40, 4).view(4, 10, 4)).flatten(0, 1)
    points, centers = project_with_centers(x, groups)
    nearest = torch.cdist(centers, points).argmin(dim=1) // 10
    assert nearest.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("n, clusters", [(12, 2), (40, 7), (300, 10)])
def test_silhouette_agrees_with_scikit_learn(n, clusters):
    x = rows(n, 5, seed=n)
    labels = torch.arange(n) % clusters * 7 - 3
    x[:, 0] += labels
    labels[0] = 99  # alone
    assert silhouette(x, labels) == pytest.approx(silhouette_score(x.numpy(), labels.numpy()), abs=1e-6)
    assert silhouette(x.numpy(), labels.numpy()) == pytest.approx(silhouette(x, labels))


def test_silhouette_in_parts(monkeypatch):
    x, labels = rows(50, 3), torch.arange(50) % 4
    whole = silhouette(x, labels)
    for entries in (1, 50, 170):  # 1, 1 and 3 rows at a time
        monkeypatch.setattr(clustering, "_ENTRIES", entries)
        assert silhouette(x, labels) == pytest.approx(whole, abs=1e-6)


def test_silhouette_of_equal_rows():
    equal = torch.full((6, 3), 1e3 + 0.1)
    assert silhouette(equal, torch.tensor([0, 0, 0, 1, 1, 1])) == 0.0
    two = torch.cat([equal[:3], equal[3:] + 1])
    assert silhouette(two, torch.tensor([0, 0, 0, 1, 1, 1])) == pytest.approx(1)


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 1, 2]])
def test_silhouette_needs_two_clusters_and_one_of_two_rows(labels):
    with pytest.raises(ValueError, match="clusters"):
        silhouette(rows(3, 2), torch.tensor(labels))
