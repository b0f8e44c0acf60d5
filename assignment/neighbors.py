"""Task 6: mine neighbors among representations, to train on them instead of on generated views."""

import numpy as np
import torch

from .warmup import normalize


def nearest_neighbors(
    queries: np.ndarray | torch.Tensor, bank: np.ndarray | torch.Tensor, k: int, exclude_self: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k nearest rows of `bank` for every query, exactly, without a queries × bank matrix in memory.

        distances[i, j] = ‖queries[i] − bank[indices[i, j]]‖₂ ,  distances[i, 0] ≤ distances[i, 1] ≤ …

    Equal rows have distance 0, and ties come in any order. Distances are computed block by block, so that
    memory does not grow with M · N (here: a few blocks of at most 2²³ numbers, 32 MiB each in float32).

    Args:
        queries: (M, dim), NumPy array or tensor.
        bank: (N, dim), the rows that are searched.
        k: how many neighbors, at least 1.
        exclude_self: `queries` is `bank`, and row i must not find itself: index i never stands in row i, also
            when another row equals it.

    Returns:
        distances, float, (M, k), ascending in each row, and indices into `bank`, int64, (M, k); tensors on
        the device of `queries`.

    Raises:
        ValueError: k below 1 or above the number of rows that there are (one less with `exclude_self`), or
            matrices of different widths.

    >>> nearest_neighbors(torch.tensor([[0.0]]), torch.tensor([[3.0], [1.0], [-2.0]]), k=2)
    (tensor([[1., 2.]]), tensor([[1, 2]]))
    """
    # TODO neighbors: write the body of nearest_neighbors, in place of the next line.
    raise NotImplementedError("TODO neighbors: nearest_neighbors")


def mine_neighbors(representations: np.ndarray | torch.Tensor, k: int = 3) -> torch.Tensor:
    """The k nearest other rows of every row: the images that take the place of generated neighbors.

    Distances are ℓ2, in the space of the representations y = f(x) of one and the same encoder.

    Args:
        representations: (N, dim), NumPy array or tensor; row i for image i.
        k: neighbors per row, at most N − 1.

    Returns:
        int64 tensor, (N, k), nearest first; i is never among the neighbors of i.

    Raises:
        ValueError: k below 1 or above N − 1.

    >>> mine_neighbors(torch.tensor([[0.0], [1.0], [5.0], [7.0]]), k=1).flatten()
    tensor([1, 0, 3, 2])
    """
    # TODO neighbors: write the body of mine_neighbors, in place of the next line.
    raise NotImplementedError("TODO neighbors: mine_neighbors")


def neighbor_views(
    images: np.ndarray | torch.Tensor, neighbors: np.ndarray | torch.Tensor, batch: np.ndarray | torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Two views without any augmentation: the images of a batch, and one mined neighbor of each.

    The neighbor is drawn uniformly among the k of its image, for every image on its own and anew at every
    call, from torch's global generator. Both batches are normalized and nothing else.

    Args:
        images: all images, uint8, (N, H, W, 3), NumPy array or tensor.
        neighbors: int64, (N, k), as `mine_neighbors` returns it.
        batch: int64, (B,), which images make up the batch.

    Returns:
        float32 tensors (B, 3, H, W), (B, 3, H, W); row i of the second shows a neighbor of image batch[i].

    >>> images = np.array([0, 0, 255, 255], dtype=np.uint8).reshape(4, 1, 1, 1).repeat(3, axis=3)
    >>> view, other = neighbor_views(images, torch.tensor([[1], [0], [3], [2]]), torch.tensor([2, 0]))
    >>> view.shape, torch.equal(view, other)
    (torch.Size([2, 3, 1, 1]), True)
    """
    # TODO neighbors: write the body of neighbor_views, in place of the next line.
    raise NotImplementedError("TODO neighbors: neighbor_views")
