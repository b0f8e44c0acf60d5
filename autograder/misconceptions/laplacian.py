"""Known mistakes in task 7."""

import numpy as np
import torch

from autograder.misconceptions import misconception, probe
from solutions.laplacian import F, knn_graph, laplacian_eigenmaps
from solutions.laplacian import nearest_neighbors, normalize, random_features

FEATURES, GRAPH, CODES = "laplacian.random_features", "laplacian.knn_graph", "laplacian.laplacian_eigenmaps"
# Codes have no probes: their signs are free. The checks themselves say which eigenvectors came.
_points = torch.randn(14, 3, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
probe(GRAPH, _points + 1.5, 3)
probe(GRAPH, _points[:6, :2].clone(), 2)


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
    "There are three convolutions. The network of this task has four.",
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
    "There are 1024 features, whatever the argument dim says.",
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
    "np.linalg.eig returns its eigenvalues in no order: the first columns are not those of the smallest.",
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
    "There are N − 1 non-trivial eigenvectors. Where more are asked for, too few columns come back "
    "without a word.",
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
