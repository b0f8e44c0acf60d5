"""Task 7: Laplacian eigenmaps of features from an untrained network."""

import numpy as np
import torch
from torch.nn import functional as F

from .neighbors import nearest_neighbors
from .warmup import normalize

### BEGIN SOLUTION
IMAGES_AT_ONCE = 500  # 500 images of 32 × 32 take 0.2 GB on their way through the network
DENSE_ROWS = 400  # up to here a dense solver is the faster one, and surely finds repeated eigenvalues


def _draw(*shape: int, generator: torch.Generator, device: torch.device) -> torch.Tensor:
    """Weights of standard deviation 1/√fan-in, which keep the size of what passes through.

    Drawn on the CPU: a seed means the same weights on every device.
    """
    fan_in = int(np.prod(shape[1:]))
    return (torch.randn(shape, generator=generator) / fan_in**0.5).to(device)


def _adjacency_spectrum(normalized, trivial: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` largest eigenvalues of D^−½ W D^−½, and their vectors, in the complement of `trivial`.

    Args:
        normalized: D^−½ W D^−½, sparse, (N, N).
        trivial: orthonormal eigenvectors of eigenvalue 1, (N, parts), one for each part of the graph.
    """
    from scipy.sparse.linalg import LinearOperator, eigsh

    n = len(trivial)

    def apply(u: np.ndarray) -> np.ndarray:  # moves the trivial vectors from eigenvalue 1 to −2, below all
        return normalized @ u - 3 * (trivial @ (trivial.T @ u))

    if n <= max(DENSE_ROWS, 4 * count):
        values, vectors = np.linalg.eigh(apply(np.eye(n)))  # ascending
    else:
        start = np.random.default_rng(0).standard_normal(n)
        operator = LinearOperator((n, n), matvec=apply, matmat=apply, dtype=np.float64)
        values, vectors = eigsh(operator, k=count, which="LA", v0=start)
    order = np.argsort(-values)[:count]
    return values[order], vectors[:, order]


def _trivial_vectors(parts: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """D^½ times the indicator of each part of the graph, orthonormal, (N, number of parts)."""
    indicators = np.eye(parts.max() + 1)[parts] * np.sqrt(degrees)[:, None]  # (N, parts)
    return indicators / np.linalg.norm(indicators, axis=0)


def _contrasts(trivial: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Eigenvectors of λ = 0 that are orthogonal to D^½ 1, (N, parts − 1): none if it is connected."""
    constant = trivial.T @ np.sqrt(degrees)  # D^½ 1 in the basis of the parts, (parts,)
    basis = np.linalg.qr(np.column_stack([constant, np.eye(len(constant))]))[0]  # its first column: D^½ 1
    return trivial @ basis[:, 1 : len(constant)]


### END SOLUTION


def random_features(images: np.ndarray | torch.Tensor, dim: int = 1024, seed: int = 0) -> torch.Tensor:
    """Features of images from a network that was never trained.

        x = P · flatten(conv₄(conv₃(conv₂(conv₁(normalize(image))))))

    Four convolutions (kernel 5, stride 1, 32 channels, no padding) with nothing between them, neither
    non-linearity nor batch norm, then a linear projection P to `dim` numbers. All weights are random; x is
    an affine function of the pixels. Bias, initialization and projection are yours to choose.

    Args:
        images: uint8, (N, 32, 32, 3), NumPy array or tensor; they are normalized here, not augmented.
        dim: number of features.
        seed: of all weights. The same seed gives the same features, another seed others; torch's global
            generator is left alone.

    Returns:
        float32 tensor, (N, dim), on the device of `images`; row i depends on image i alone. It carries no
        gradient. Let the images go through the network in batches, lest memory runs out.

    >>> random_features(np.zeros((3, 32, 32, 3), dtype=np.uint8), dim=7).shape
    torch.Size([3, 7])
    """
    ### BEGIN SOLUTION
    images = torch.as_tensor(images)
    n, height, width, channels = images.shape
    draws = {"generator": torch.Generator().manual_seed(seed), "device": images.device}
    kernels = [_draw(32, each, 5, 5, **draws) for each in (channels, 32, 32, 32)]
    projection = _draw(dim, 32 * (height - 16) * (width - 16), **draws)
    features = torch.empty(n, dim, device=images.device)
    with torch.no_grad():
        for start in range(0, n, IMAGES_AT_ONCE):
            x = normalize(images[start : start + IMAGES_AT_ONCE])  # (batch, 3, 32, 32)
            for kernel in kernels:
                x = F.conv2d(x, kernel)  # at the end (batch, 32, 16, 16)
            features[start : start + len(x)] = x.flatten(1) @ projection.T
    return features
    ### END SOLUTION


def knn_graph(x: np.ndarray | torch.Tensor, n_neighbors: int):
    """The affinities W between rows: who is a neighbor of whom.

        W_ij = 1  if j is one of the n nearest of i, or i one of the n nearest of j;  W_ij = 0 otherwise

    nearest in the ℓ2 distance; a row is no neighbor of itself. (Heat-kernel weights exp(−‖x_i − x_j‖² / t) in
    place of the ones are as good, or others that fall with the distance; so is one neighbor more.) W is
    symmetric, not negative, and has a zero diagonal.

    Args:
        x: (N, dim), NumPy array or tensor, on any device.
        n_neighbors: n, from 1 to N − 1.

    Returns:
        W, (N, N), in any sparse type of SciPy or PyTorch; the reference returns a `scipy.sparse.csr_array` of
        float64.

    Raises:
        ValueError: n_neighbors is not between 1 and N − 1.

    Source: Belkin and Niyogi, Laplacian Eigenmaps for Dimensionality Reduction and Data Representation
    (2003), section 2, steps 1 and 2.

    >>> knn_graph(torch.tensor([[0.0], [1.0], [2.5]]), n_neighbors=1).toarray().tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    ### BEGIN SOLUTION
    from scipy.sparse import csr_array

    x = torch.as_tensor(x)
    if not 1 <= n_neighbors < len(x):
        raise ValueError(f"n_neighbors must be from 1 to N - 1 = {len(x) - 1}, not {n_neighbors}")
    _, indices = nearest_neighbors(x, x, n_neighbors, exclude_self=True)  # (N, n)
    rows = np.repeat(np.arange(len(x)), n_neighbors)
    ones = np.ones(len(rows))
    nearest = csr_array((ones, (rows, torch.as_tensor(indices).cpu().numpy().ravel())), shape=(len(x), len(x)))
    return nearest.maximum(nearest.T).tocsr()
    ### END SOLUTION


def laplacian_eigenmaps(x: np.ndarray | torch.Tensor, n_components: int, n_neighbors: int) -> torch.Tensor:
    """Codes of rows in which neighbors lie close together: eigenvectors of the graph's Laplacian.

        L y = λ D y,    L = D − W,    D_ii = Σ_j W_ij (the degrees)

    for the smallest λ, in ascending order. W is `knn_graph(x, n_neighbors)`. The constant vector solves this
    with λ = 0 and tells nothing; it is dropped. With u = D^½ y the same problem is a symmetric one,

        D^−½ W D^−½ u = (1 − λ) u

    whose *largest* eigenvalues are wanted: what Lanczos' method finds quickly (`scipy.sparse.linalg.eigsh`).

    Where the graph falls into several parts, λ = 0 has more eigenvectors, constant on each part. They tell
    the parts apart, and come first.

    Args:
        x: (N, dim), NumPy array or tensor.
        n_components: columns of the codes, from 1 to N − 1.
        n_neighbors: of the graph, from 1 to N − 1.

    Returns:
        float32 tensor, (N, n_components), on the device of `x`; column j is the eigenvector y of the j-th
        smallest λ. Sign and scale are free; the reference has Σ_i D_ii y_i² = Σ_i D_ii, so that entries are
        of size 1. (D^½ y in place of y is the convention of the symmetric normalized Laplacian.)

    Raises:
        ValueError: n_components or n_neighbors is not between 1 and N − 1.

    Source: Belkin and Niyogi (2003), section 2, step 3.

    >>> codes = laplacian_eigenmaps(torch.tensor([[0.0], [1.0], [2.5], [4.5]]), n_components=1, n_neighbors=1)
    >>> ((codes / codes[0]).flatten() * 10).round().tolist()
    [10.0, 5.0, -5.0, -10.0]
    """
    ### BEGIN SOLUTION
    from scipy.sparse import csr_array, diags_array
    from scipy.sparse.csgraph import connected_components

    x = torch.as_tensor(x)
    if not 1 <= n_components < len(x):
        raise ValueError(f"n_components must be from 1 to N - 1 = {len(x) - 1}, not {n_components}")
    affinity = knn_graph(x, n_neighbors)
    if isinstance(affinity, torch.Tensor):
        affinity = affinity.to_dense().numpy()
    affinity = csr_array(affinity, dtype=float)
    degrees = affinity.sum(axis=1)  # (N,)
    scale = diags_array(1 / np.sqrt(degrees))
    trivial = _trivial_vectors(connected_components(affinity, directed=False)[1], degrees)
    vectors = _contrasts(trivial, degrees)[:, :n_components]
    if vectors.shape[1] < n_components:
        missing = n_components - vectors.shape[1]
        _, rest = _adjacency_spectrum((scale @ affinity @ scale).tocsr(), trivial, missing)
        vectors = np.column_stack([vectors, rest])
    codes = scale @ vectors * np.sqrt(degrees.sum())
    return torch.from_numpy(codes.astype(np.float32)).to(x.device)
    ### END SOLUTION
