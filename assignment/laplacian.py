"""Task 7: Laplacian eigenmaps of features from an untrained network."""

import numpy as np
import torch
from torch.nn import functional as F

from .neighbors import nearest_neighbors
from .warmup import normalize


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
    # TODO laplacian: write the body of random_features, in place of the next line.
    raise NotImplementedError("TODO laplacian: random_features")


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
    # TODO laplacian: write the body of knn_graph, in place of the next line.
    raise NotImplementedError("TODO laplacian: knn_graph")


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
    # TODO laplacian: write the body of laplacian_eigenmaps, in place of the next line.
    raise NotImplementedError("TODO laplacian: laplacian_eigenmaps")
