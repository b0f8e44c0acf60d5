"""Task 7 in other styles."""

import numpy as np
import torch

from autograder.proofs.variants import variant
from solutions.laplacian import F, knn_graph, nearest_neighbors, normalize

FEATURES, GRAPH, CODES = "laplacian.random_features", "laplacian.knn_graph", "laplacian.laplacian_eigenmaps"


@variant(FEATURES, "nn.Sequential with PyTorch's own weights and biases, seeded inside fork_rng")
def sequential(images, dim=1024, seed=0):
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Conv2d(channels, 32, kernel_size=5) for channels in (3, 32, 32, 32)]
        network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 16 * 16, dim)).eval()
    with torch.no_grad():
        return torch.cat([network(normalize(batch)) for batch in torch.as_tensor(images).split(128)])


@variant(FEATURES, "uniform positive weights, an orthogonal projection, one image at a time, NumPy float64 out")
def one_at_a_time(images, dim=1024, seed=0):
    generator = torch.Generator().manual_seed(seed)
    kernels = [torch.rand(32, c, 5, 5, generator=generator) - 0.3 for c in (3, 32, 32, 32)]
    basis = torch.linalg.qr(torch.randn(8192, dim, generator=generator))[0]
    rows = []
    for image in torch.as_tensor(images):
        x = normalize(image[None])
        for kernel in kernels:
            x = F.conv2d(x, kernel)
        rows.append((x.reshape(1, -1) @ basis)[0].double().numpy())
    return np.stack(rows)


@variant(FEATURES, "state of the generator put back by hand, a sparse random projection, gradients left on")
def put_back(images, dim=1024, seed=0):
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    network = torch.nn.Sequential(*[torch.nn.Conv2d(c, 32, 5, bias=False) for c in (3, 32, 32, 32)])
    chosen = torch.rand(8192, dim) < 0.05
    signs = torch.where(torch.rand(8192, dim) < 0.5, -1.0, 1.0)
    torch.set_rng_state(state)
    return network(normalize(images)).flatten(1) @ (chosen * signs)


@variant(FEATURES, "weights from NumPy's generator, means over batches of 32 of nothing")
def numpy_weights(images, dim=1024, seed=0):
    rng = np.random.default_rng(seed)
    kernels = [torch.from_numpy(rng.normal(0, 0.05, (32, c, 5, 5)).astype(np.float32)) for c in (3, 32, 32, 32)]
    projection = torch.from_numpy(rng.normal(0, 0.01, (8192, dim)).astype(np.float32))
    found = []
    for start in range(0, len(images), 32):
        x = normalize(np.asarray(images)[start : start + 32])
        for kernel in kernels:
            x = torch.nn.functional.conv2d(x, kernel, bias=torch.full((32,), 0.1))
        found.append(x.flatten(1) @ projection)
    return torch.cat(found)


@variant(GRAPH, "scikit-learn, averaged with its transpose")
def by_scikit(x, n_neighbors):
    from sklearn.neighbors import kneighbors_graph

    w = kneighbors_graph(np.asarray(x), n_neighbors, mode="connectivity", include_self=False)
    return 0.5 * (w + w.T)


@variant(GRAPH, "heat kernel over distances of nearest_neighbors, torch sparse COO")
def heat_kernel(x, n_neighbors):
    x = torch.as_tensor(x)
    distances, indices = nearest_neighbors(x, x, n_neighbors, exclude_self=True)
    weights = torch.exp(-(distances**2) / 1.0)
    rows = torch.arange(len(x)).repeat_interleave(n_neighbors)
    w = torch.sparse_coo_tensor(torch.stack([rows, indices.flatten()]), weights.flatten(), (len(x), len(x)))
    return ((w + w.T) / 2).coalesce()


@variant(GRAPH, "full distance matrix and topk, torch CSR, a dense detour")
def full_matrix(x, n_neighbors):
    if not 0 < n_neighbors < len(x):
        raise ValueError(f"{n_neighbors} neighbors among {len(x)} rows")
    x = torch.as_tensor(x)
    distances = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(float("inf"))
    w = torch.zeros_like(distances)
    w.scatter_(1, distances.topk(n_neighbors, largest=False).indices, 1)
    return ((w + w.T) > 0).float().to_sparse_csr()


@variant(GRAPH, "loops over rows, lil_matrix of booleans")
def loops(x, n_neighbors):
    from scipy.sparse import lil_matrix

    if not 0 < n_neighbors < len(x):
        raise ValueError(f"{n_neighbors} neighbors among {len(x)} rows")
    x = np.asarray(x)
    w = lil_matrix((len(x), len(x)), dtype=bool)
    for i in range(len(x)):
        order = np.argsort(((x - x[i]) ** 2).sum(1))
        for j in [each for each in order if each != i][:n_neighbors]:
            w[i, j] = w[j, i] = True
    return w


@variant(GRAPH, "k-d tree, the own index removed, weights of the heat kernel with a width for each row, dense")
def tree(x, n_neighbors):
    from scipy.spatial import cKDTree

    if not 0 < n_neighbors < len(x):
        raise ValueError(f"{n_neighbors} neighbors among {len(x)} rows")
    x = np.asarray(x, dtype=np.float64)
    distances, indices = cKDTree(x).query(x, k=min(n_neighbors + 12, len(x)))
    width = distances[:, n_neighbors] + 0.1
    w = np.zeros((len(x), len(x)))
    for i in range(len(x)):
        others = [(d, j) for d, j in zip(distances[i], indices[i]) if j != i][:n_neighbors]
        for d, j in others:
            w[i, j] = w[j, i] = np.exp(-(d**2) / (width[i] * width[j]))
    return w


@variant(CODES, "scikit-learn's SpectralEmbedding, as it is")
def spectral_embedding(x, n_components, n_neighbors):
    import warnings

    from sklearn.manifold import SpectralEmbedding

    if n_components >= len(x):
        raise ValueError("n_components must be smaller than the number of rows")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        embedding = SpectralEmbedding(n_components, affinity="nearest_neighbors", n_neighbors=n_neighbors, random_state=0)
        return embedding.fit_transform(np.asarray(x))


@variant(CODES, "SpectralEmbedding of the own graph")
def precomputed(x, n_components, n_neighbors):
    import warnings

    from sklearn.manifold import SpectralEmbedding

    if n_components >= len(x):
        raise ValueError("n_components must be smaller than the number of rows")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        embedding = SpectralEmbedding(n_components, affinity="precomputed", eigen_solver="arpack", random_state=0)
        return embedding.fit_transform(knn_graph(x, n_neighbors).toarray())


@variant(CODES, "SpectralEmbedding with one neighbor more, for the row itself")
def one_more(x, n_components, n_neighbors):
    from sklearn.manifold import SpectralEmbedding

    if n_components >= len(x):
        raise ValueError("n_components must be smaller than the number of rows")
    return SpectralEmbedding(n_components, n_neighbors=n_neighbors + 1, random_state=1).fit_transform(np.asarray(x))


@variant(CODES, "dense generalized problem with SciPy, graph of many parts refused")
def generalized(x, n_components, n_neighbors):
    import scipy.linalg
    from scipy.sparse.csgraph import connected_components

    if n_components > len(x) - 1:
        raise ValueError(f"only {len(x) - 1} components can be had")
    w = knn_graph(x, n_neighbors)
    if connected_components(w)[0] > 1:
        raise ValueError("the graph is not connected: take more neighbors")
    w = w.toarray()
    d = np.diag(w.sum(axis=0))
    return -3.0 * scipy.linalg.eigh(d - w, d, subset_by_index=[1, n_components])[1]


@variant(CODES, "float32 with torch.linalg.eigh")
def with_torch(x, n_components, n_neighbors):
    if n_components >= len(x):
        raise ValueError("n_components too large")
    w = torch.from_numpy(knn_graph(x, n_neighbors).toarray()).float()
    inverse_root = torch.diag(w.sum(dim=1).pow(-0.5))
    laplacian = torch.eye(len(w)) - inverse_root @ w @ inverse_root
    vectors = torch.linalg.eigh(laplacian).eigenvectors
    return inverse_root @ vectors[:, 1 : n_components + 1]


@variant(CODES, "csgraph's Laplacian, shift-invert, NumPy's dense solver for many components")
def shift_invert(x, n_components, n_neighbors):
    from scipy.sparse import csgraph
    from scipy.sparse.linalg import eigsh

    n = len(x)
    if n_components >= n:
        raise ValueError("n_components must be below N")
    laplacian, root = csgraph.laplacian(knn_graph(x, n_neighbors), normed=True, return_diag=True)
    if n_components + 1 > n // 2:
        vectors = np.linalg.eigh(laplacian.toarray())[1][:, : n_components + 1]
    else:
        values, vectors = eigsh(laplacian.tocsc(), k=n_components + 1, sigma=-1e-3, which="LM")
        vectors = vectors[:, np.argsort(values)]
    return vectors[:, 1:] / root[:, None]


@variant(CODES, "random walk matrix with np.linalg.eig, sorted, rotated inside eigenspaces")
def random_walk(x, n_components, n_neighbors):
    if n_components >= len(x):
        raise ValueError("n_components must be below N")
    w = knn_graph(x, n_neighbors).toarray()
    values, vectors = np.linalg.eig(w / w.sum(axis=1, keepdims=True))
    order = np.argsort(-values.real)
    return vectors.real[:, order[1 : n_components + 1]]


@variant(CODES, "heat kernel inside a graph of its own, the graph function with it")
def own_heat(x, n_components, n_neighbors):
    import scipy.linalg

    if n_components >= len(x):
        raise ValueError("n_components must be below N")
    w = knn_graph(x, n_neighbors).toarray()
    d = w.sum(axis=1)
    vectors = scipy.linalg.eigh(np.diag(d) - w, np.diag(d))[1]
    return torch.tensor(vectors[:, 1 : 1 + n_components] * np.sqrt(len(x)))
