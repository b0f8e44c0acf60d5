"""Task 9 (bonus): do the representations fall into groups, and are these the classes?"""

import numpy as np
import torch

from .evaluation import project_2d
### BEGIN SOLUTION
from .evaluation import _one_blas_thread

_ENTRIES = 2**24  # distances that silhouette holds at once: 64 MiB in float32
### END SOLUTION


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
    ### BEGIN SOLUTION
    from sklearn.cluster import KMeans

    x = torch.as_tensor(x).detach().cpu()
    with _one_blas_thread():
        found = KMeans(n_clusters=k, n_init=10, random_state=seed).fit(x.numpy()).labels_
    if len(np.unique(found)) < k:  # equal rows cannot be divided: a center would be the mean of no rows
        raise ValueError(f"x has fewer than {k} different rows, but {k} clusters are asked for")
    labels = torch.from_numpy(found.astype(np.int64))
    centers = torch.stack([x[labels == j].mean(dim=0) for j in range(k)])  # exact, also short of convergence
    return labels, centers
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    x, centers = (torch.as_tensor(each).detach().cpu() for each in (x, centers))
    together = project_2d(torch.cat([x, centers]), method="tsne", seed=seed)  # (N + k, 2)
    return together[: len(x)], together[len(x) :]
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    x = torch.as_tensor(x).detach()
    names, cluster = torch.as_tensor(labels).to(x.device).unique(return_inverse=True)  # (C,), (N,)
    if not 1 < len(names) < len(x):
        raise ValueError(f"needs 2 to N - 1 clusters, but the {len(x)} rows have {len(names)} different labels")
    members = torch.nn.functional.one_hot(cluster).to(x)  # (N, C)
    sizes = members.sum(dim=0)  # (C,)
    total = 0.0
    for rows in torch.arange(len(x), device=x.device).split(max(1, _ENTRIES // len(x))):
        # By differences: by products, equal rows would be 1e-4 apart, and a and b nothing but that noise.
        exact = "donot_use_mm_for_euclid_dist"
        sums = torch.cdist(x[rows], x, compute_mode=exact) @ members  # (rows, C)
        own = cluster[rows, None]
        a = sums.gather(1, own)[:, 0] / (sizes[cluster[rows]] - 1).clamp(min=1)
        b = (sums / sizes).scatter(1, own, torch.inf).amin(dim=1)
        s = (b - a) / torch.maximum(a, b).clamp(min=torch.finfo(x.dtype).tiny)
        total += s[sizes[cluster[rows]] > 1].sum().item()
    return total / len(x)
    ### END SOLUTION
