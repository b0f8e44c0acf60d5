"""Tasks 4 and 5: look at the learned representations, measure them with a linear probe, retrieve images."""

import numpy as np
import torch
from torch import nn

from .warmup import normalize


def extract_representations(
    encoder: nn.Module, images: np.ndarray | torch.Tensor, batch_size: int = 500
) -> torch.Tensor:
    """Representations y = f(x) of all images, in their order, without augmentation.

    Images are only normalized. No gradients; eval mode while it runs (so that a representation depends on its
    own image alone), and afterwards the encoder is in the mode that it had.

    Args:
        encoder: f, float images (batch, 3, H, W) → representations (batch, dim).
        images: uint8, (N, H, W, 3), NumPy array or tensor, on any device.
        batch_size: images per forward pass; it does not change the result.

    Returns:
        float tensor, (N, dim), row i for image i, on the device of the encoder's parameters.

    >>> encoder = nn.Sequential(nn.Flatten(), nn.Linear(12, 7))
    >>> extract_representations(encoder, np.zeros((5, 2, 2, 3), dtype=np.uint8), batch_size=2).shape
    torch.Size([5, 7])
    """
    # TODO representations: write the body of extract_representations, in place of the next line.
    raise NotImplementedError("TODO representations: extract_representations")


def project_2d(
    representations: np.ndarray | torch.Tensor, method: str = "pca", seed: int = 0
) -> torch.Tensor:
    """A map of the representations in the plane, for a scatter plot.

    Args:
        representations: (N, dim), N ≥ 2.
        method: "pca" (linear, first two principal components) or "tsne" (t-SNE, with a perplexity of 30 or,
            where there are few points, fewer: it must stay below N).
        seed: makes the map deterministic; global random generators are left alone.

    Returns:
        float32 tensor on the CPU, (N, 2).

    Raises:
        ValueError: unknown method.

    >>> project_2d(torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [2.0, 0.0, 1.0]])).abs().round()
    tensor([[1., 0.],
            [0., 0.],
            [1., 0.]])
    """
    # TODO representations: write the body of project_2d, in place of the next line.
    raise NotImplementedError("TODO representations: project_2d")


def linear_probe(
    train_x: np.ndarray | torch.Tensor, train_y: np.ndarray | torch.Tensor, test_x: np.ndarray | torch.Tensor
) -> torch.Tensor:
    """Fit one linear layer (softmax cross-entropy) to frozen representations; predict labels of test rows.

    The representations are standardized with the mean and standard deviation of the training rows.
    Deterministic; a test row is predicted alone, whatever the number and order of the others.

    Args:
        train_x: (N, dim).
        train_y: integer labels from 0, (N,), at least two different ones; they need not be 0…C−1.
        test_x: (M, dim).

    Returns:
        integers, (M,), labels that occur in `train_y`; here an int64 tensor on the CPU.

    >>> train_x, train_y = torch.tensor([[0.0], [1.0], [4.0], [5.0]]), torch.tensor([7, 7, 3, 3])
    >>> linear_probe(train_x, train_y, torch.tensor([[6.0], [-1.0]]))
    tensor([3, 7])
    """
    # TODO representations: write the body of linear_probe, in place of the next line.
    raise NotImplementedError("TODO representations: linear_probe")


def retrieve(
    representations: np.ndarray | torch.Tensor,
    queries: np.ndarray | torch.Tensor,
    k: int = 5,
    farthest: bool = False,
) -> torch.Tensor:
    """The k rows nearest to (or farthest from) each query in ℓ2 distance ‖y_q − y_i‖₂, among all other rows.

    Args:
        representations: (N, dim), row i for image i.
        queries: integers, (Q,): which rows are the queries.
        k: how many rows to find, 1 ≤ k ≤ N − 1.
        farthest: the k farthest rows instead of the k nearest.

    Returns:
        int64 tensor, (Q, k), indices into `representations`: the nearest first, or the farthest first (either
        order of the farthest is fine). A query is never among its own, also when another row equals it.

    Raises:
        ValueError: k below 1 or above N − 1.

    >>> representations = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    >>> retrieve(representations, torch.tensor([0, 3]), k=2)
    tensor([[1, 2],
            [2, 1]])
    >>> retrieve(representations, torch.tensor([0, 3]), k=1, farthest=True)
    tensor([[3],
            [0]])
    """
    # TODO retrieval: write the body of retrieve, in place of the next line.
    raise NotImplementedError("TODO retrieval: retrieve")
