"""Task 9 (bonus): do the representations fall into groups, and are these the classes?"""

import numpy as np
import torch

from .evaluation import project_2d


def kmeans(
    x: np.ndarray | torch.Tensor, k: int = 10, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Divide the rows into k groups with a small sum of squared distances to the centers of the groups.

        inertia = Σ_i ‖x_i − c_{l_i}‖²,    c_j = mean of the rows with label j

    A single start can end in a bad local optimum: use k-means++ and several starts, and keep the best.

    Args:
        x: (N, dim), with at least k different rows.
        k: number of clusters; none of them is empty.
        seed: makes the result deterministic; global random generators are left alone.

    Returns:
        (labels, centers), on the CPU: int64 (N,), values 0…k−1, the cluster of every row; and float
        (k, dim), row j is the mean of the rows with label j.

    Raises:
        ValueError: k > N.

    Source: Lloyd, Least squares quantization in PCM, 1982; Arthur and Vassilvitskii, k-means++, 2007.

    >>> labels, centers = kmeans(torch.tensor([[0.0], [1.0], [8.0], [9.0]]), k=2)
    >>> bool(labels[0] == labels[1] != labels[2] == labels[3]), sorted(centers.flatten().tolist())
    (True, [0.5, 8.5])
    """
    # TODO clustering: write the body of kmeans, in place of the next line.
    raise NotImplementedError("TODO clustering: kmeans")


def project_with_centers(
    x: np.ndarray | torch.Tensor, centers: np.ndarray | torch.Tensor, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """A t-SNE map of the rows and of the cluster centers, in the same plane.

    t-SNE gives no function that could be applied to new points, and two runs have nothing to do with each
    other: points and centers must go through it together.

    Args:
        x: (N, dim).
        centers: (k, dim).
        seed: makes the map deterministic; global random generators are left alone.

    Returns:
        (points, centers in the plane): float, on the CPU, (N, 2) and (k, 2), in the order of the arguments.
        Also for few rows: the perplexity stays below N + k.

    Source: van der Maaten and Hinton, Visualizing data using t-SNE, 2008.

    >>> points, centers_2d = project_with_centers(torch.arange(12.0).view(6, 2), torch.ones(1, 2))
    >>> points.shape, centers_2d.shape
    (torch.Size([6, 2]), torch.Size([1, 2]))
    """
    # TODO clustering: write the body of project_with_centers, in place of the next line.
    raise NotImplementedError("TODO clustering: project_with_centers")


def silhouette(x: np.ndarray | torch.Tensor, labels: np.ndarray | torch.Tensor) -> float:
    """How much closer rows are to their own cluster than to the next one, −1…1, in the original dimension.

        s_i = (b_i − a_i) / max(a_i, b_i),    result = (1/N) Σ_i s_i

    a_i is the mean ℓ2 distance of row i to the other rows of its cluster, b_i the smallest, over the other
    clusters, of its mean distances to their rows. s_i = 0 for a cluster of one row, and where a_i = b_i = 0.

    Args:
        x: (N, dim), on any device. The computation goes through it in parts: memory stays bounded.
        labels: any integers, (N,).

    Returns:
        the mean silhouette, a float.

    Raises:
        ValueError: all rows have the same label, or each its own.

    Source: Rousseeuw, Silhouettes, 1987.

    >>> round(silhouette(torch.tensor([[0.0], [1.0], [8.0], [9.0]]), torch.tensor([5, 5, 2, 2])), 3)
    0.875
    """
    # TODO clustering: write the body of silhouette, in place of the next line.
    raise NotImplementedError("TODO clustering: silhouette")
