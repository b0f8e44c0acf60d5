"""What comes near a known mistake, and is another one, is not called by its name."""

import pytest
import torch

from autograder.diagnosis import diagnose
from autograder.misconceptions import Entry, mutants
from autograder.student import LocalChannel, Student
from solutions.augmentations import _blur_matrix, _chosen, _separable
from solutions.laplacian import random_features
from solutions.neighbors import nearest_neighbors
from solutions.warmup import normalize


def two_iterations(x, k=10, seed=0):
    import numpy
    from sklearn.cluster import KMeans

    found = KMeans(k, n_init=1, max_iter=2, random_state=seed).fit(numpy.asarray(x))
    return torch.from_numpy(found.labels_), torch.from_numpy(found.cluster_centers_)


def one_iteration(x, k=10, seed=0):
    import numpy
    from sklearn.cluster import KMeans

    found = KMeans(k, n_init=1, max_iter=1, random_state=seed).fit(numpy.asarray(x))
    return torch.from_numpy(found.labels_), torch.from_numpy(found.cluster_centers_)


def strides(images, dim=1024, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, channels = normalize(images), 3
    for stride in (2, 2, 1):  # to 14, 5 and 1 places: 32 numbers, and none of them an average
        kernel = torch.randn(32, channels, 5, 5, generator=generator) / (25 * channels) ** 0.5
        x, channels = torch.nn.functional.conv2d(x, kernel, stride=stride), 32
    return x.flatten(1) @ torch.randn(32, dim, generator=generator)


def centered(images, dim=1024, seed=0, _right=random_features):
    x = _right(images, dim, seed)
    return x - x.mean(dim=0)


def averaged_distances(x, n_neighbors):
    from sklearn.neighbors import kneighbors_graph

    w = kneighbors_graph(x.numpy(), n_neighbors, mode="distance")
    return (w + w.T) / 2


def scaled_by_scikit(test, reference, k=2):
    from sklearn.preprocessing import StandardScaler

    test, reference = (torch.from_numpy(StandardScaler().fit_transform(each.numpy())) for each in (test, reference))
    return nearest_neighbors(test, reference, k)[0].mean(dim=1)


def anyones_neighbor(images, neighbors, batch):
    partner = neighbors[batch].flatten()[torch.randint(neighbors.shape[1] * len(batch), (1,))]
    return normalize(images[batch]), normalize(images[partner.expand(len(batch))])


def sigma_of_one_and_a_half(images, p=0.5):
    chosen, out = _chosen(images, p), images.clone()
    rows, columns = (_blur_matrix(torch.full((len(chosen),), 1.5), size) for size in images.shape[-2:])
    out[chosen] = _separable(images[chosen], rows, columns).clamp(0, 1)
    return out


def negative_below_the_root(z, gamma=1.0, eps=1e-4):
    return torch.relu(gamma - torch.sqrt(-z.var(dim=0) - eps)).mean()


@pytest.mark.parametrize(
    "target, function, names",
    [
        ("clustering.kmeans", two_iterations, []),
        ("clustering.kmeans", one_iteration, ["one step only"]),
        ("laplacian.random_features", strides, []),
        ("laplacian.random_features", centered, []),
        ("laplacian.knn_graph", averaged_distances, ["distances as affinities"]),
        ("anomaly.inverse_density", scaled_by_scikit, ["each set standardized by itself"]),
        ("neighbors.neighbor_views", anyones_neighbor, ["one partner for the whole batch"]),
        ("augmentations.random_blur", sigma_of_one_and_a_half, ["σ is fixed"]),
        ("vicreg.variance_loss", negative_below_the_root, []),
    ],
)
def test_what_comes_near_a_known_mistake_is_told_from_it(target, function, names):
    with mutants.package_with(Entry(target, function.__name__, function)) as package:
        assert [each.name for each in diagnose(Student(LocalChannel(package), "near"), target, [])] == names


def by_product_without_a_look_at_k(representations, queries, k=5, farthest=False):
    products = representations[queries] @ representations.T
    products[torch.arange(len(queries)), queries] = torch.inf if farthest else -torch.inf
    return products.topk(k, largest=not farthest).indices


@pytest.mark.parametrize("k, names", [(3, ["dot product instead of ℓ2"]), (9, [])])
def test_a_mistake_is_not_blamed_for_the_exception_that_is_missing(k, names):
    function, rows = by_product_without_a_look_at_k, torch.arange(27.0).view(9, 3)
    with mutants.package_with(Entry("evaluation.retrieve", function.__name__, function)) as package:
        student = Student(LocalChannel(package), "k")
        student.evaluation.retrieve(rows, torch.tensor([0, 4]), k=k)
        assert [each.name for each in diagnose(student, "evaluation.retrieve", list(student.calls))] == names
