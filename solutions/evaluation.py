"""Tasks 4 and 5: look at the learned representations, measure them with a linear probe, retrieve images."""

import numpy as np
import torch
from torch import nn

from .warmup import normalize
### BEGIN SOLUTION


def _one_blas_thread():
    """Context in which linear algebra keeps to one thread; what was set before comes back.

    scikit-learn's products are small here. On a busy machine, threads that wait for each other at every one of
    them turned a probe of 0.2 s into one of 22 s.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")


### END SOLUTION


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
    ### BEGIN SOLUTION
    device = next(encoder.parameters(), torch.empty(0)).device  # the CPU, if it has none
    modes = [(module, module.training) for module in encoder.modules()]
    encoder.eval()
    try:
        with torch.no_grad():
            batches = torch.as_tensor(images).split(batch_size)
            return torch.cat([encoder(normalize(batch.to(device))) for batch in batches])
    finally:
        for module, training in modes:
            module.training = training
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    x = torch.as_tensor(representations).detach().cpu().numpy()  # (N, dim)
    if x.shape[1] == 1:
        x = np.pad(x, ((0, 0), (0, 1)))  # a line in the plane
    if method == "pca":
        mapping = PCA(n_components=2, svd_solver="full")
    elif method == "tsne":
        # The start by PCA is divided by its spread; where all rows are equal, that is 0/0 and crashes t-SNE.
        start = "pca" if (x != x[0]).any() else "random"
        mapping = TSNE(perplexity=min(30.0, (len(x) - 1) / 3), init=start, random_state=seed)
    else:
        raise ValueError(f'method must be "pca" or "tsne", not {method!r}')
    with _one_blas_thread():
        points = mapping.fit_transform(x)  # (N, 2)
    return torch.from_numpy(points.astype(np.float32))
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train_x, train_y, test_x = (torch.as_tensor(x).detach().cpu().numpy() for x in (train_x, train_y, test_x))
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    with _one_blas_thread():
        predictions = probe.fit(train_x, train_y).predict(test_x)  # (M,)
    return torch.from_numpy(predictions.astype(np.int64))
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    x = torch.as_tensor(representations).detach()
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    if not 1 <= k <= len(x) - 1:
        raise ValueError(f"k must lie between 1 and the {len(x) - 1} other rows, not at {k}")
    found = []
    for query in torch.as_tensor(queries).tolist():  # few queries: a row of exact distances for each
        distances = torch.linalg.vector_norm(x - x[query], dim=1)  # (N,)
        distances[query] = -torch.inf if farthest else torch.inf  # never its own neighbor
        found.append(distances.topk(k, largest=farthest).indices)
    return torch.stack(found) if found else torch.empty(0, k, dtype=torch.int64, device=x.device)
    ### END SOLUTION
