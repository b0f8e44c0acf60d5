"""Known mistakes in task 7."""

import contextlib

import numpy as np
import torch

from autograder import expect, measure
from autograder.diagnosis import Raised, attempt
from autograder.misconceptions import alteration, misconception, observer
from autograder.misconceptions.observing import refused
from autograder.student import NotAttempted, StudentError
from solutions.laplacian import F, knn_graph, laplacian_eigenmaps
from solutions.laplacian import nearest_neighbors, normalize, random_features

FEATURES, GRAPH, CODES = "laplacian.random_features", "laplacian.knn_graph", "laplacian.laplacian_eigenmaps"


@misconception(
    FEATURES,
    "a ReLU between the layers",
    "The layers are followed by a non-linearity. The network of this task is linear: look at the list of "
    "its parts.",
)
def with_relu(images, dim=1024, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, channels = normalize(images), 3
    for _ in range(4):
        kernel = torch.randn(32, channels, 5, 5, generator=generator) / (25 * channels) ** 0.5
        x = F.relu(F.conv2d(x, kernel))
        channels = 32
    x = x.flatten(1)
    return x @ torch.randn(x.shape[1], dim, generator=generator) / x.shape[1] ** 0.5


@misconception(
    FEATURES,
    "a tanh after the last layer",
    "The features pass through a non-linearity at the end. The network of this task is linear up to its "
    "last number.",
)
def tanh_at_the_end(images, dim=1024, seed=0, _right=random_features):
    return torch.tanh(_right(images, dim, seed))


@misconception(
    FEATURES,
    "max pooling",
    "There is a pooling that takes the largest value. That is no linear function of the pixels.",
)
def with_pooling(images, dim=1024, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, channels = normalize(images), 3
    for _ in range(4):
        x = F.conv2d(x, torch.randn(32, channels, 5, 5, generator=generator) / (25 * channels) ** 0.5)
        channels = 32
    x = F.max_pool2d(x, 2).flatten(1)
    return x @ torch.randn(x.shape[1], dim, generator=generator) / x.shape[1] ** 0.5


@misconception(
    FEATURES,
    "batch norm in train mode",
    "A batch norm in train mode stands between the layers: the features of an image then depend on the "
    "others in its batch.",
)
def with_batch_norm(images, dim=1024, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, channels = normalize(images), 3
    for _ in range(4):
        x = F.conv2d(x, torch.randn(32, channels, 5, 5, generator=generator) / (25 * channels) ** 0.5)
        x = F.batch_norm(x, None, None, training=True)
        channels = 32
    x = x.flatten(1)
    return x @ torch.randn(x.shape[1], dim, generator=generator) / x.shape[1] ** 0.5


@misconception(
    FEATURES,
    "standardized over the images",
    "The features are standardized with the mean and deviation of the images at hand. The same image then "
    "has other features in other company.",
)
def standardized(images, dim=1024, seed=0, _right=random_features):
    x = _right(images, dim, seed)
    return (x - x.mean(dim=0)) / (x.std(dim=0) + 1e-6)


FITTED = (
    "The network of this task is random and sees no image before it is used, so that the features of an image depend on"
    " that image alone. Compare those of an image among others with those of the image by itself."
)


@misconception(FEATURES, "fitted to the images", "The weights are fitted to the images at hand. " + FITTED)
def fitted(images, dim=1024, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = normalize(images).flatten(1)
    encoder = torch.randn(3072, dim, generator=generator) / 3072**0.5
    decoder = torch.randn(dim, 3072, generator=generator) / dim**0.5
    weights = [encoder.requires_grad_(), decoder.requires_grad_()]
    optimizer = torch.optim.Adam(weights, lr=1e-3)
    for _ in range(5):
        optimizer.zero_grad()
        F.mse_loss(x @ encoder @ decoder, x).backward()
        optimizer.step()
    return (x @ encoder).detach()


@misconception(
    FEATURES,
    "principal components of the images",
    "The projection is that onto the principal components of the images at hand: fitted, and no more columns than "
    "there are images. " + FITTED,
)
def principal_components(images, dim=1024, seed=0):
    x = normalize(images).flatten(1)
    x = x - x.mean(dim=0)
    return x @ torch.linalg.svd(x, full_matrices=False).Vh[:dim].T


@misconception(
    FEATURES,
    "principal components, fewer images than features refused",
    "The projection is that onto the principal components of the images at hand: fitted, and impossible where there "
    "are fewer images than features. " + FITTED,
)
def principal_components_or_none(images, dim=1024, seed=0):
    x = normalize(images).flatten(1)
    return x @ torch.pca_lowrank(x, q=dim)[2]


@misconception(
    FEATURES,
    "seed not used",
    "The weights come from the global generator, whatever the seed: every call has another network.",
)
def seed_unused(images, dim=1024, seed=0, _right=random_features):
    return _right(images, dim, int(torch.randint(0, 1000000, ())))


@misconception(
    FEATURES,
    "the same weights for every seed",
    "The weights are those of one fixed seed. The argument seed is not used.",
)
def seed_fixed(images, dim=1024, seed=0, _right=random_features):
    return _right(images, dim, 0)


@misconception(
    FEATURES,
    "global seed set",
    "torch's global seed is set inside the function and stays so: all later draws of the program repeat.",
)
def global_seed(images, dim=1024, seed=0, _right=random_features):
    torch.manual_seed(seed)
    return _right(images, dim, seed)


@misconception(
    FEATURES,
    "images augmented",
    "The images are augmented before they go in. The graph is one of the images themselves: they are only "
    "normalized.",
)
def augmented(images, dim=1024, seed=0, _right=random_features):
    images = torch.as_tensor(images)
    flipped = torch.rand(len(images)) < 0.5
    return _right(torch.where(flipped[:, None, None, None], images.flip(2), images), dim, seed)


@misconception(
    FEATURES,
    "new weights for every batch",
    "Every batch goes through a network of its own: features of images in different batches cannot be "
    "compared.",
)
def weights_for_each_batch(images, dim=1024, seed=0, _right=random_features):
    images = torch.as_tensor(images)
    return torch.cat([_right(batch, dim, seed + i) for i, batch in enumerate(images.split(64))])


@misconception(
    FEATURES,
    "last batch dropped",
    "Images that do not fill a batch are left out. Every image needs its row.",
)
def last_batch_dropped(images, dim=1024, seed=0, _right=random_features):
    images = torch.as_tensor(images)
    batches = images.split(64)
    return torch.cat([_right(each, dim, seed) for each in batches if len(each) == len(batches[0])])


@misconception(
    FEATURES,
    "averaged over the image",
    "The outputs of the last convolution are averaged over all places. That leaves 32 numbers, and a "
    "projection cannot make more than 32 directions of them.",
)
def averaged(images, dim=1024, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, channels = normalize(images), 3
    for _ in range(4):
        x = F.conv2d(x, torch.randn(32, channels, 5, 5, generator=generator) / (25 * channels) ** 0.5)
        channels = 32
    return x.mean(dim=(2, 3)) @ torch.randn(32, dim, generator=generator)


@misconception(
    FEATURES,
    "padded",
    "The convolutions pad their input with zeros, so that the image keeps its size. Here it shrinks by 4 "
    "in every layer.",
)
def padded(images, dim=1024, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, channels = normalize(images), 3
    for _ in range(4):
        kernel = torch.randn(32, channels, 5, 5, generator=generator) / (25 * channels) ** 0.5
        x = F.conv2d(x, kernel, padding=2)
        channels = 32
    x = x.flatten(1)
    return x @ torch.randn(x.shape[1], dim, generator=generator) / x.shape[1] ** 0.5


@misconception(
    FEATURES,
    "kernels of 3",
    "The kernels are 3 × 3. With kernels of 5 a feature of the last layer sees 17 × 17 pixels.",
)
def kernel_of_3(images, dim=1024, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, channels = normalize(images), 3
    for _ in range(4):
        x = F.conv2d(x, torch.randn(32, channels, 3, 3, generator=generator) / (9 * channels) ** 0.5)
        channels = 32
    x = x.flatten(1)
    return x @ torch.randn(x.shape[1], dim, generator=generator) / x.shape[1] ** 0.5


@misconception(
    FEATURES,
    "three layers",
    "An output of your last convolution sees 13 × 13 pixels, as with three kernels of 5 one after the other. The four "
    "of this network see 17 × 17.",
)
def three_layers(images, dim=1024, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, channels = normalize(images), 3
    for _ in range(3):
        x = F.conv2d(x, torch.randn(32, channels, 5, 5, generator=generator) / (25 * channels) ** 0.5)
        channels = 32
    x = x.flatten(1)
    return x @ torch.randn(x.shape[1], dim, generator=generator) / x.shape[1] ** 0.5


@misconception(
    FEATURES,
    "axes reshaped instead of permuted",
    "(N, H, W, 3) became (N, 3, H, W) by view or reshape. That cuts the same numbers into other pieces: a "
    "channel is then a third of the image's rows, colors mixed.",
)
def reshaped(images, dim=1024, seed=0, _right=random_features):
    images = torch.as_tensor(images)
    return _right(images.reshape(len(images), 3, 32, 32).permute(0, 2, 3, 1).contiguous(), dim, seed)


@misconception(
    FEATURES,
    "dim not used",
    "There are 1024 features, whatever the argument dim says. Where does dim enter your network?",
)
def dim_unused(images, dim=1024, seed=0, _right=random_features):
    return _right(images, 1024, seed)


@misconception(
    GRAPH,
    "asymmetric",
    "W is not symmetric: j is among the nearest of i without i being among those of j. An edge joins "
    "both.",
)
def asymmetric(x, n_neighbors):
    from scipy.sparse import csr_array

    x = torch.as_tensor(x)
    _, indices = nearest_neighbors(x, x, n_neighbors, exclude_self=True)
    rows = np.repeat(np.arange(len(x)), n_neighbors)
    return csr_array((np.ones(len(rows)), (rows, indices.numpy().ravel())), shape=(len(x), len(x)))


@misconception(
    GRAPH,
    "each row among its own neighbors",
    "A row is its own nearest neighbor here: W has ones on the diagonal, and every row one real neighbor "
    "too few.",
)
def self_counted(x, n_neighbors):
    from sklearn.neighbors import kneighbors_graph

    w = kneighbors_graph(np.asarray(x), n_neighbors, include_self=True)
    return w.maximum(w.T)


@misconception(
    GRAPH,
    "one neighbor short",
    "A row counts as its own nearest neighbor. Its entry is taken out afterwards, but then only n − 1 "
    "neighbors are left.",
)
def one_short(x, n_neighbors):
    from sklearn.neighbors import kneighbors_graph

    w = kneighbors_graph(np.asarray(x), n_neighbors, include_self=True).tolil()
    w.setdiag(0)
    w = w.tocsr()
    return w.maximum(w.T)


@misconception(
    GRAPH,
    "first neighbor dropped unseen",
    "n + 1 neighbors are asked for, and the first is dropped as the row itself. Where a row stands twice, "
    "the first may be its double, and the row stays among its own neighbors.",
)
def first_dropped(x, n_neighbors):
    from scipy.sparse import csr_array

    x = torch.as_tensor(x)
    indices = (x[:, None] - x).norm(dim=2).argsort(dim=1, stable=True)[:, 1 : n_neighbors + 1]
    rows = np.repeat(np.arange(len(x)), n_neighbors)
    w = csr_array((np.ones(indices.numel()), (rows, indices.numpy().ravel())), shape=(len(x), len(x)))
    return w.maximum(w.T)


@misconception(
    GRAPH,
    "self-loops",
    "W has ones on the diagonal. A row is no neighbor of itself.",
)
def self_loops(x, n_neighbors, _right=knn_graph):
    from scipy.sparse import eye_array

    return _right(x, n_neighbors) + eye_array(len(x))


@misconception(
    GRAPH,
    "distances as affinities",
    "The entries are distances: the closer two rows, the smaller their affinity. It should be the other "
    "way round, or 1 for all.",
)
def distances_as_affinities(x, n_neighbors):
    from scipy.sparse import csr_array

    x = torch.as_tensor(x)
    distances, indices = nearest_neighbors(x, x, n_neighbors, exclude_self=True)
    rows = np.repeat(np.arange(len(x)), n_neighbors)
    values = distances.double().numpy().ravel()
    w = csr_array((values, (rows, indices.numpy().ravel())), shape=(len(x), len(x)))
    return w.maximum(w.T)


@misconception(
    GRAPH,
    "negative distances as affinities",
    "The entries are negative. An affinity is 0 or more, and larger for closer rows.",
)
def negative_distances(x, n_neighbors):
    from scipy.sparse import csr_array

    x = torch.as_tensor(x)
    distances, indices = nearest_neighbors(x, x, n_neighbors, exclude_self=True)
    rows = np.repeat(np.arange(len(x)), n_neighbors)
    values = -distances.double().numpy().ravel()
    w = csr_array((values, (rows, indices.numpy().ravel())), shape=(len(x), len(x)))
    return w.minimum(w.T)


@misconception(
    GRAPH,
    "mutual neighbors only",
    "Rows are joined only where each is among the nearest of the other. Some rows then have fewer than n "
    "neighbors, or none.",
)
def mutual_only(x, n_neighbors, _right=knn_graph):
    from scipy.sparse import csr_array

    x = torch.as_tensor(x)
    _, indices = nearest_neighbors(x, x, n_neighbors, exclude_self=True)
    rows = np.repeat(np.arange(len(x)), n_neighbors)
    w = csr_array((np.ones(len(rows)), (rows, indices.numpy().ravel())), shape=(len(x), len(x)))
    return w.minimum(w.T)


@misconception(
    GRAPH,
    "farthest instead of nearest",
    "Every row is joined to the rows farthest from it. Are your distances sorted the way that your slice "
    "expects?",
)
def farthest(x, n_neighbors):
    from scipy.sparse import csr_array

    x = torch.as_tensor(x)
    indices = torch.cdist(x, x).topk(n_neighbors, dim=1).indices
    rows = np.repeat(np.arange(len(x)), n_neighbors)
    w = csr_array((np.ones(indices.numel()), (rows, indices.numpy().ravel())), shape=(len(x), len(x)))
    return w.maximum(w.T)


@misconception(
    GRAPH,
    "nearest by dot product",
    "Neighbors are those of the largest dot product. A long row is then everybody's neighbor; distances "
    "are asked for.",
)
def by_dot_product(x, n_neighbors):
    from scipy.sparse import csr_array

    x = torch.as_tensor(x)
    indices = (x @ x.T).fill_diagonal_(-torch.inf).topk(n_neighbors, dim=1).indices
    rows = np.repeat(np.arange(len(x)), n_neighbors)
    w = csr_array((np.ones(indices.numel()), (rows, indices.numpy().ravel())), shape=(len(x), len(x)))
    return w.maximum(w.T)


@misconception(
    GRAPH,
    "all rows joined",
    "Every row is joined to every other by a heat kernel. Only the nearest are asked for, on one side or "
    "the other.",
)
def all_joined(x, n_neighbors):
    from scipy.sparse import csr_array

    x = torch.as_tensor(x).double()
    return csr_array(torch.exp(-torch.cdist(x, x).square()).fill_diagonal_(0).numpy())


@misconception(
    CODES,
    "trivial eigenvector kept",
    "The first column is constant: it solves the equation with λ = 0 for every graph, and tells nothing "
    "about the rows.",
)
def trivial_kept(x, n_components, n_neighbors):
    from scipy.linalg import eigh

    if n_components >= len(x):
        raise ValueError("too many components")
    w = knn_graph(x, n_neighbors).toarray()
    d = np.diag(w.sum(1))
    return eigh(d - w, d)[1][:, :n_components]


@misconception(
    CODES,
    "dropped after counting",
    "There is a column too few: the trivial eigenvector is dropped from n_components vectors. How many "
    "have to be computed?",
)
def one_too_few(x, n_components, n_neighbors):
    from scipy.linalg import eigh

    w = knn_graph(x, n_neighbors).toarray()
    d = np.diag(w.sum(1))
    return eigh(d - w, d)[1][:, 1:n_components]


@misconception(
    CODES,
    "two eigenvectors dropped",
    "The first non-trivial eigenvector is missing: only one is trivial in a connected graph.",
)
def two_dropped(x, n_components, n_neighbors):
    from scipy.linalg import eigh

    if n_components >= len(x):
        raise ValueError("too many components")
    w = knn_graph(x, n_neighbors).toarray()
    d = np.diag(w.sum(1))
    return eigh(d - w, d)[1][:, 2 : n_components + 2]


@misconception(
    CODES,
    "largest instead of smallest",
    "These are the eigenvectors of the largest λ: neighbors lie as far from each other as they can. Of "
    "the Laplacian the smallest are wanted, of the normalized adjacency the largest.",
)
def largest(x, n_components, n_neighbors):
    from scipy.linalg import eigh

    if n_components >= len(x):
        raise ValueError("too many components")
    w = knn_graph(x, n_neighbors).toarray()
    d = np.diag(w.sum(1))
    return eigh(d - w, d)[1][:, ::-1][:, :n_components].copy()


@misconception(
    CODES,
    "largest in absolute value",
    "Among the eigenvalues of the normalized adjacency, those of the largest absolute value were taken. "
    "Strongly negative ones belong to the largest λ of the Laplacian.",
)
def largest_magnitude(x, n_components, n_neighbors):
    if n_components >= len(x):
        raise ValueError("too many components")
    w = knn_graph(x, n_neighbors).toarray()
    root = np.sqrt(w.sum(1))
    values, vectors = np.linalg.eigh(w / root / root[:, None])
    order = np.argsort(-np.abs(values))[1 : n_components + 1]
    return vectors[:, order] / root[:, None]


@misconception(
    CODES,
    "order reversed",
    "The right eigenvectors came in the opposite order. The column of the smallest λ comes first.",
)
def descending(x, n_components, n_neighbors, _right=laplacian_eigenmaps):
    return _right(x, n_components, n_neighbors).flip(1)


@misconception(
    CODES,
    "not normalized",
    "These are the eigenvectors of L y = λ y. Here the degrees stand on the right-hand side: L y = λ D y.",
)
def unnormalized(x, n_components, n_neighbors):
    if n_components >= len(x):
        raise ValueError("too many components")
    w = knn_graph(x, n_neighbors).toarray()
    return np.linalg.eigh(np.diag(w.sum(1)) - w)[1][:, 1 : n_components + 1]


@misconception(
    CODES,
    "eigenvectors of the affinity matrix",
    "These are the eigenvectors of W. The degrees of the rows are missing.",
)
def of_affinity(x, n_components, n_neighbors):
    if n_components >= len(x):
        raise ValueError("too many components")
    w = knn_graph(x, n_neighbors).toarray()
    return np.linalg.eigh(w)[1][:, ::-1][:, 1 : n_components + 1].copy()


@misconception(
    CODES,
    "a symmetric solver for a matrix that is not symmetric",
    "D⁻¹ W is not symmetric, but the solver (eigh, eigsh) takes it for symmetric: it reads only one half "
    "of the matrix.",
)
def half_read(x, n_components, n_neighbors):
    if n_components >= len(x):
        raise ValueError("too many components")
    w = knn_graph(x, n_neighbors).toarray()
    return np.linalg.eigh(np.eye(len(w)) - w / w.sum(1)[:, None])[1][:, 1 : n_components + 1]


@misconception(
    CODES,
    "eigenvalues not sorted",
    "Your columns are eigenvectors, but in no order of their eigenvalues, and so not those of the smallest. Some solvers, "
    "np.linalg.eig among them, give them in no order.",
)
def unsorted(x, n_components, n_neighbors):
    if n_components >= len(x):
        raise ValueError("too many components")
    w = knn_graph(x, n_neighbors).toarray()
    return np.linalg.eig(np.eye(len(w)) - w / w.sum(1)[:, None])[1].real[:, 1 : n_components + 1]


@misconception(
    CODES,
    "multiplied by D^½ instead of divided",
    "u = D^½ y means y = D^−½ u. You multiply by the root of the degrees where you have to divide.",
)
def multiplied(x, n_components, n_neighbors, _right=laplacian_eigenmaps):
    degrees = torch.from_numpy(knn_graph(x, n_neighbors).toarray().sum(1))
    return _right(x, n_components, n_neighbors) * degrees[:, None]


@misconception(
    CODES,
    "divided by D instead of D^½",
    "u = D^½ y means y = D^−½ u: the root of the degrees, not the degrees.",
)
def divided_twice(x, n_components, n_neighbors, _right=laplacian_eigenmaps):
    degrees = torch.from_numpy(knn_graph(x, n_neighbors).toarray().sum(1))
    return _right(x, n_components, n_neighbors) / degrees.sqrt()[:, None]


@misconception(
    CODES,
    "rows for columns",
    "Eigenvectors are the columns of what a solver returns. You took rows.",
)
def rows_for_columns(x, n_components, n_neighbors):
    from scipy.linalg import eigh

    if n_components >= len(x):
        raise ValueError("too many components")
    w = knn_graph(x, n_neighbors).toarray()
    d = np.diag(w.sum(1))
    return eigh(d - w, d)[1][1 : n_components + 1].T.copy()


@misconception(
    CODES,
    "graph of all pairs",
    "The Laplacian is that of a graph in which every row is joined to every other (rbf). Only the nearest "
    "neighbors are joined.",
)
def of_all_pairs(x, n_components, n_neighbors):
    from sklearn.manifold import SpectralEmbedding

    if n_components >= len(x):
        raise ValueError("too many components")
    return SpectralEmbedding(n_components, affinity="rbf").fit_transform(np.asarray(x))


@misconception(
    CODES,
    "distances as affinities",
    "The graph has distances for affinities: what is far apart is pulled together.",
)
def of_distances(x, n_components, n_neighbors):
    from scipy.linalg import eigh
    from sklearn.neighbors import kneighbors_graph

    if n_components >= len(x):
        raise ValueError("too many components")
    w = kneighbors_graph(np.asarray(x), n_neighbors, mode="distance").toarray()
    w = np.maximum(w, w.T) + 1e-9 * (1 - np.eye(len(w)))
    d = np.diag(w.sum(1))
    return eigh(d - w, d)[1][:, 1 : n_components + 1]


@misconception(
    CODES,
    "number of neighbors not used",
    "The graph has a fixed number of neighbors, whatever the argument n_neighbors says.",
)
def fixed_neighbors(x, n_components, n_neighbors, _right=laplacian_eigenmaps):
    return _right(x, n_components, min(7, len(x) - 1))


@misconception(
    CODES,
    "as many components as rows not refused",
    "There are N − 1 non-trivial eigenvectors. Where more are asked for, too few columns come back, or the trivial one "
    "among them, without a word.",
)
def too_many_let_pass(x, n_components, n_neighbors, _right=laplacian_eigenmaps):
    return _right(x, min(n_components, len(x) - 1), n_neighbors)


@misconception(
    CODES,
    "rows changed in place",
    "The rows that were passed in are changed: the caller's arrays are not yours to write into.",
)
def rows_in_place(x, n_components, n_neighbors, _right=laplacian_eigenmaps):
    x -= x.mean(0)
    return _right(x, n_components, n_neighbors)


@misconception(
    CODES,
    "D^½ y instead of y",
    "These are the eigenvectors of the symmetric normalized Laplacian, D^½ y in the handout's notation: "
    "another convention in use.",
    convention=True,
)
def symmetric_convention(x, n_components, n_neighbors, _right=laplacian_eigenmaps):
    degrees = torch.from_numpy(knn_graph(x, n_neighbors).toarray().sum(1))
    return _right(x, n_components, n_neighbors) * degrees.sqrt()[:, None]


# Features of random weights. What shows is how they depend on the images, not their values.


def _noise(count: int, seed: int, high: int = 256) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, high, (count, 32, 32, 3), dtype=torch.uint8, generator=generator)


@observer(FEATURES)
def observe_features(student):
    features, images = student.laplacian.random_features, _noise(130, 1)
    found = _features(features, images, dim=40, seed=1)
    rows = "missing" if len(found) < 130 else "too many" if len(found) > 130 else "one an image"
    if found.shape == (130, 40) and (few := _of_few(features, images)) is not None:
        return {"rows": rows, "39 images": few}  # whatever became of the seed
    facts = {"rows": rows, "columns": list(found.shape[1:]), "seed": _use_of_seed(student)}
    if found.shape != (130, 40) or facts["seed"] in ("not used", "not used for the images"):  # the rest is of other draws
        return facts
    facts["depend on"] = _company(features, images, found)
    if facts["depend on"] == "the others":
        return facts | {"seed": "of a start, or none"}
    if facts["depend on"] != "the image":
        return facts
    facts["kind"] = _linearity(features)
    if facts["kind"] != "affine":
        return facts
    shares = torch.linalg.svdvals(found - found.mean(dim=0))
    facts["directions"] = int((shares > 1e-4 * shares[0]).sum())
    facts["a pixel's place"] = _use_of_place(features)
    return facts | ({"field": _receptive_field(features)} if facts["directions"] == 40 else {})


def _features(features, images: torch.Tensor, **options) -> torch.Tensor:
    return expect.as_tensor(features(images, **options), "random_features(...)").double()


def _use_of_seed(student) -> str:
    """What two calls with one seed give (the scenario `twice`), for noise and for an image that augmentations leave alone."""
    both = torch.cat([torch.zeros(1, 32, 32, 3, dtype=torch.uint8), _noise(10, 2)])
    came = student.run("twice", FEATURES, both, dim=6, seed=3)
    first, again = (expect.as_tensor(each, "random_features(...)").double() for each in came["values"])
    slack = 1e-3 * float((first[1:] - first[0]).abs().mean())
    black, noise = ((a - b).abs().max() <= slack for a, b in ((first[0], again[0]), (first[1:], again[1:])))
    if not (black and noise):
        return "not used for the images" if black else "not used"
    other = expect.as_tensor(student.laplacian.random_features(both, dim=6, seed=4), "random_features(...)").double()
    if other.shape == first.shape and (other - first).abs().max() <= slack:
        return "always the same"
    return "used" if came["generators_left_alone"] else "set globally"


def _of_few(features, images: torch.Tensor) -> str | None:
    """What 39 images with 40 features give, if that is less than what 40 images give; None if not."""
    few, enough = (attempt(_features, features, images[:count], dim=40, seed=1) for count in (39, 40))
    if isinstance(enough, Raised) or enough.shape != (40, 40):
        return None
    return "refused" if isinstance(few, Raised) else "39 columns" if few.shape == (39, 39) else None


def _company(features, images: torch.Tensor, found: torch.Tensor) -> str:
    """What else than the image its features depend on: the others in the batch, or its place among them."""
    if found.mean(dim=0).abs().max() < 1e-3 and (found.std(dim=0) - 1).abs().max() < 0.02:
        return "mean and deviation of all"
    slack = 1e-3 * float(found.std(dim=0).mean())
    for name, rows in (("the others", [2, 1]), ("the place", [129, 128])):
        part = _features(features, images[rows], dim=40, seed=1)
        if part.shape != (2, 40) or not (part - found[rows]).abs().max() <= slack:
            if _is_blind_to_contrast(features):
                return f"{name}, blind to contrast"
            return f"{name}, column by column" if _scaled_alone(features, images, found) else name
    return "the image"


def _scaled_alone(features, images: torch.Tensor, found: torch.Tensor) -> bool:
    """Whether in other company all that changes is the place and scale of each column."""
    part, whole = (each - each.mean(dim=0) for each in (_features(features, images[:20], dim=40, seed=1), found[:20]))
    left = part - whole * (part * whole).sum(dim=0) / whole.square().sum(dim=0)
    return bool(left.norm() < 1e-3 * part.norm())


def _is_blind_to_contrast(features) -> bool:
    """Whether an image alone gives what it gives at twice the contrast: so does a norm over all places and images."""
    faint = _noise(1, 3, 120)
    f, twice = (_features(features, each, dim=40, seed=1) for each in (faint, 2 * faint))
    return bool(f.norm() > 0 and (f - twice).norm() < 0.02 * f.norm())


def _linearity(features) -> str:
    """What kind of function of the pixels the features are."""
    a, b, flat = _noise(1, 10, 100), _noise(1, 20, 100), torch.full((1, 32, 32, 3), 50, dtype=torch.uint8)
    shades = torch.arange(208, 232, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 32, 32, 3)
    f = _features(features, torch.cat([torch.zeros_like(flat), a, b, a + b, flat, a + flat, shades]), dim=32, seed=2)
    if _adds_up(f):
        return "affine"
    inner = f[:, f.abs().amax(dim=0) < 0.98]
    if inner.numel() and _adds_up(inner.atanh()):
        return "tanh of affine"
    if f.min() >= 0:
        return "not negative"
    if (f.norm(dim=1) - 1).abs().max() < 1e-3:
        return "of length 1"
    # A largest value stays in its place when all values rise alike; what a ReLU lets through is another set then.
    if _adds_up(f[[0, 1, 4, 5]]):
        return "affine in the brightness"
    bends = f[6:].diff(n=2, dim=0).norm(dim=1) / (f[-1] - f[6]).norm()  # 4e-6 where it is straight, 3e-4 for a GELU or tanh
    return "in straight pieces" if float((bends < 3e-5).double().mean()) > 0.3 else "curved"


def _adds_up(f: torch.Tensor) -> bool:
    """Whether features of 0, a, b and a + b (the first four rows) are those of an affine function."""
    return bool((f[3] - f[1] - f[2] + f[0]).norm() < 2e-3 * (f[1] - f[0]).norm())


def _use_of_place(features) -> str:
    """Whether it matters where inside an image a bright pixel lies. What is averaged over all places has .09, others .93."""
    images = torch.full((1 + len(INNER), 32, 32, 3), 128, dtype=torch.uint8)
    for image, (row, column) in zip(images[1:], INNER):
        image[row, column] = 228
    f = _features(features, images, dim=40, seed=4)
    moved = f[1:] - f[0]
    return "counts" if (moved - moved.mean(dim=0)).norm() > 0.3 * moved.norm() else "does not count"


INNER = [(15, 15), (16, 16), (15, 17), (17, 14), (14, 16), (16, 13), (13, 15), (18, 16)]
THIRD = [(10, column) for column in (6, 11, 16, 21, 26)]  # at the border, where rows are read as channels


def _ring(distance: int) -> list[tuple[int, int]]:
    """Twelve pixels at this distance from the border, three at each side."""
    far = 31 - distance
    above_and_below = [(row, each) for each in (12, 16, 19) for row in (distance, far)]
    return above_and_below + [(each, column) for each in (13, 15, 18) for column in (distance, far)]


def _receptive_field(features) -> str:
    """What a pixel weighs at the border and four pixels away from it, relative to an inner one.

    Logarithms, smallest to largest of 4 draws: four 5 × 5 convolutions -6.6 to -6.4 and -2.2 to -2.0 (of positive
    weights -10.7 and -3.2), three of them -4.9 to -4.7 and -1.3, 3 × 3 kernels -4.5 to -4.2 and -.5 to -.4,
    padding -1 and -.1.
    """
    pixels = [*INNER, *_ring(0), *_ring(4), *THIRD]
    images = torch.full((1 + len(pixels), 32, 32, 3), 128, dtype=torch.uint8)
    for image, (row, column) in zip(images[1:], pixels):
        image[row, column] = 228
    f = _features(features, images, dim=256, seed=3)
    inner, border, fourth, third = (each.mean() for each in (f[1:] - f[0]).square().sum(dim=1).split([8, 12, 12, 5]))
    border, fourth, third = (float((each / inner).log()) for each in (border, fourth, third))
    if third < -3:
        return "rows read as channels"
    if border > -1.5:
        return "padded"
    if border < -5.6 and fourth < -1.7:
        return "17 pixels"
    if -5.4 < border < -4.4 and -1.6 < fourth < -1.0:
        return "13 pixels"
    return "9 pixels" if -4.9 < border < -3.8 and -0.75 < fourth < -0.2 else "other"


# Graphs. Their weights are free, and so is how they are made symmetric: what counts is who is joined.

POINTS = torch.randn(14, 3, generator=torch.Generator().manual_seed(7), dtype=torch.float64) + 1.5
FLAT = POINTS[:6, :2].clone()
TWICE = torch.tensor([[0.0, 0.0], [0.0, 0.0], [2.0, 1.0], [2.0, 1.0], [5.0, 0.5], [5.0, 0.5]])


@observer(GRAPH)
def observe_graph(student):
    graph = student.laplacian.knn_graph
    return {
        "of 14 rows": _joined(attempt(graph, POINTS, 3), POINTS),
        "of 6 rows": _joined(attempt(graph, FLAT, 2), FLAT),
        "of rows that stand twice": _joined(attempt(graph, TWICE, 1), TWICE),
    }


def _joined(value, x: torch.Tensor) -> dict | Raised:
    """Who is joined, and whether by affinities: larger where rows are closer, or all alike."""
    if isinstance(value, Raised):
        return value
    w = expect.matrix(value, (len(x), len(x)), what="knn_graph(...)").double()
    symmetric = bool((w - w.T).abs().max() <= 1e-5 * w.abs().max())
    facts = {"edges": (w != 0).double(), "negative": bool((w < 0).any()), "symmetric": symmetric}
    edges = (w != 0).fill_diagonal_(False)
    values, distances = w[edges], torch.cdist(x.double(), x.double())[edges]
    if len(values) > 2 and values.std() > 1e-6 * values.abs().mean() and distances.std() > 0:
        r = float(torch.corrcoef(torch.stack([values, distances]))[0, 1])  # averages of ones and zeros have some
        r = float(values[0].sign()) if _are_averages(values, distances) else r
        facts["weights"] = "as distances" if r > 0.99 else "as negative distances" if r < -0.9999 else "free"
    return {"weights": "free"} | facts


def _are_averages(values: torch.Tensor, distances: torch.Tensor) -> bool:
    """Whether all values are multiples of the distances, halved where only one of two rows has the other as its neighbor."""
    share = values / distances
    share = share / share[share.abs().argmax()]
    return bool(torch.minimum((share - 1).abs(), (share - 0.5).abs()).max() < 1e-3)


# Codes. Signs, scales and, within the handout's freedom, the graph are free: which eigenvectors of which problem came?

CLOUD = torch.randn(15, 3, generator=torch.Generator().manual_seed(12), dtype=torch.float64)
CLOUD = CLOUD * torch.linspace(0.4, 1.6, 15)[:, None]  # so that degrees differ
N_COMPONENTS = 6


@observer(CODES)
def observe_codes(student):
    eigenmaps = student.laplacian.laplacian_eigenmaps
    facts = {"as many columns as rows": refused(eigenmaps, CLOUD[:6], n_components=6, n_neighbors=3)}
    for n in (4, 6):
        found = _which(attempt(eigenmaps, CLOUD, n_components=N_COMPONENTS, n_neighbors=n), _graphs(student, n))
        facts[f"n = {n}"] = found
    both = [found for found in (facts["n = 4"], facts["n = 6"]) if isinstance(found, dict)]
    graphs, choices = ({found[key] for found in both} for key in ("graph", "which"))
    for found in both:
        if len(graphs) == 1 and found["graph"].endswith(" neighbors"):
            found["graph"] = "of always as many neighbors"
        if "in no order" in choices:  # of some graphs, this order may be one by chance
            found["which"] = "in no order"
    return facts


def _graphs(student, n: int) -> dict[str, list[torch.Tensor]]:
    """The affinities that codes may come from: as asked (the submission's own, or scikit-learn's, which counts a row as
    its own first neighbor), and others."""
    distances = torch.cdist(CLOUD, CLOUD)
    order = distances.clone().fill_diagonal_(-1.0).argsort(dim=1)[:, 1:]
    nearest = {count: torch.zeros(15, 15, dtype=torch.float64).scatter_(1, order[:, :count], 1.0) for count in range(2, 14)}
    graphs = {"as asked": [*_own_graph(student, n), nearest[n], nearest[n - 1]]}
    graphs |= {f"of {count} neighbors": [nearest[count]] for count in range(2, 14) if count not in (n, n - 1)}
    graphs["of distances"] = [nearest[count] * distances for count in (n, n - 1)]
    kernels = [torch.exp(-distances.square() * gamma) for gamma in (1 / 3, 0.5, 1.0)]
    graphs["of all pairs"] = [w.clone().fill_diagonal_(diagonal) for w in kernels for diagonal in (0.0, 1.0)]
    symmetric = {name: [both for w in each for both in (torch.maximum(w, w.T), (w + w.T) / 2)] for name, each in graphs.items()}
    return {name: [w for w in each if measure.usable(w)] for name, each in symmetric.items()}


def _own_graph(student, n: int) -> list[torch.Tensor]:
    """The submission's own W, in a list that is empty where there is none of use."""
    with contextlib.suppress(StudentError, NotAttempted, expect.Mismatch):
        return [expect.matrix(student.laplacian.knn_graph(CLOUD, n), (15, 15)).double()]
    return []


def _problems(w: torch.Tensor) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Symmetric matrices whose eigenvectors, the smallest first, may have come, and what the codes are to be multiplied with."""
    degrees, one = w.sum(dim=1), torch.ones(len(w), dtype=torch.float64)
    normalized = torch.eye(len(w)) - w / (degrees * degrees[:, None]).sqrt()
    problems = {f"D^{p:g} y": (normalized, degrees ** (0.5 - p)) for p in (0, 0.5, 1, -0.5)}
    problems |= {"without degrees": (degrees.diag() - w, one), "of W": (-w, one)}
    walk = torch.eye(len(w)) - w / degrees[:, None]
    halves = {"lower": walk.tril(), "upper": walk.triu()}
    return problems | {f"{name} half": (half + half.T - half.diag().diag(), one) for name, half in halves.items()}


def _which(codes, graphs: dict[str, list[torch.Tensor]]) -> dict | Raised:
    """Of which graph and problem the codes are eigenvectors, and of which eigenvalues."""
    if isinstance(codes, Raised):
        return codes
    codes = expect.as_tensor(codes, "codes").double()
    found = {"columns": list(codes.shape), "graph": "none", "problem": "none", "which": "none"}
    if codes.dim() != 2 or len(codes) != len(CLOUD) or not codes.isfinite().all():
        return found
    for graph, candidates in graphs.items():
        for w in candidates:
            for problem, (matrix, factor) in _problems(w).items():
                numbers = _numbers(codes * factor[:, None], matrix)
                if numbers is not None:
                    return found | {"graph": graph, "problem": problem, "which": _choice(numbers, matrix)}
            if _are_rows(codes, w):
                return found | {"graph": graph, "which": "rows"}
    return found


def _numbers(u: torch.Tensor, matrix: torch.Tensor) -> list[int] | None:
    """Of each column of u, the number of its eigenvalue, 0 for the smallest; None where one of them is no eigenvector."""
    u = u / u.norm(dim=0)
    values = (u * (matrix @ u)).sum(dim=0)
    off = (matrix @ u - values * u).norm(dim=0)
    if not (off < measure.RESIDUAL * matrix.norm() / len(matrix) ** 0.5).all():
        return None
    return (torch.linalg.eigvalsh(matrix)[:, None] - values).abs().argmin(dim=0).tolist()


def _choice(numbers: list[int], matrix: torch.Tensor) -> str:
    count, most = len(numbers), len(matrix) - 1
    by_size = (1 - torch.linalg.eigvalsh(matrix)).abs().argsort(descending=True).tolist()
    names = {
        "the smallest": range(1, count + 1), "the trivial one and the smallest": range(count),
        "the smallest but one": range(2, count + 2), "the smallest, backward": range(count, 0, -1),
        "the largest": range(most, most - count, -1), "the largest in absolute value": by_size[1 : count + 1],
        "the largest in absolute value, backward": by_size[count:0:-1],
    }  # fmt: skip
    found = [name for name, each in names.items() if list(each) == numbers]
    steps = torch.tensor(numbers).diff()
    rest = torch.tensor([number for number in numbers if number]).diff()  # without the trivial one, wherever that came
    return found[0] if found else str(numbers) if (steps < 0).all() or (rest > 0).all() else "in no order"


def _are_rows(codes: torch.Tensor, w: torch.Tensor) -> bool:
    """Whether rows of the matrix of eigenvectors came, whatever their signs."""
    root, count = w.sum(dim=1).sqrt(), codes.shape[1]
    u = torch.linalg.eigh(_problems(w)["D^0 y"][0])[1]
    options = [each[first : first + count].T.abs() for each in (u, u / root[:, None]) for first in (0, 1)]
    return any(each.shape == codes.shape and (codes.abs() / codes.norm() - each / each.norm()).norm() < 1e-2 for each in options)


# Combinations


@alteration(GRAPH, "self-loops")
def then_self_loops(version):
    def knn_graph(x, n_neighbors):
        from scipy.sparse import eye_array

        return version(x, n_neighbors) + eye_array(len(x))

    return knn_graph


@alteration(GRAPH, "distances as affinities")
def then_distances(version):
    def knn_graph(x, n_neighbors):
        x = torch.as_tensor(x).double()
        return version(x, n_neighbors).multiply(torch.cdist(x, x).numpy()).tocsr()

    return knn_graph


@alteration(GRAPH, "negative distances as affinities")
def then_negative_distances(version):
    def knn_graph(x, n_neighbors):
        x = torch.as_tensor(x).double()
        return version(x, n_neighbors).multiply(-torch.cdist(x, x).numpy()).tocsr()

    return knn_graph


@alteration(CODES, "order reversed")
def then_descending(version):
    return lambda x, n_components, n_neighbors: torch.as_tensor(version(x, n_components, n_neighbors)).flip(1)


@alteration(CODES, "D^½ y instead of y")
def then_symmetric_convention(version):
    def laplacian_eigenmaps(x, n_components, n_neighbors):
        degrees = torch.from_numpy(knn_graph(x, n_neighbors).toarray().sum(1))
        return torch.as_tensor(version(x, n_components, n_neighbors)) * degrees.sqrt()[:, None]

    return laplacian_eigenmaps


@alteration(CODES, "number of neighbors not used")
def then_fixed_neighbors(version):
    return lambda x, n_components, n_neighbors: version(x, n_components, min(7, len(x) - 1))


@alteration(CODES, "as many components as rows not refused")
def then_too_many_let_pass(version):
    return lambda x, n_components, n_neighbors: version(x, min(n_components, len(x) - 1), n_neighbors)
