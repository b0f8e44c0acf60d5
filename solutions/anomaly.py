"""Task 8: anomaly detection. What lies far from everything that the encoder saw in training is anomalous."""

import numpy as np
import torch

from .neighbors import nearest_neighbors


def gray_to_rgb32(images: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Gray images in the format of the training images: 32 × 32 pixels, three channels.

    What was in the image is still there, upright and whole: a black border (or one that repeats its edge) and
    a change of size are both right. The three channels are equal. Values keep their range 0…255; `normalize`
    comes later, with the encoder.

    Args:
        images: uint8, (N, 28, 28), NumPy array or tensor, on any device.

    Returns:
        uint8, (N, 32, 32, 3), on the same device.

    >>> gray_to_rgb32(np.zeros((5, 28, 28), dtype=np.uint8)).shape
    torch.Size([5, 32, 32, 3])
    """
    ### BEGIN SOLUTION
    framed = torch.nn.functional.pad(torch.as_tensor(images), (2, 2, 2, 2))  # (N, 32, 32)
    return framed[..., None].repeat(1, 1, 1, 3)
    ### END SOLUTION


def inverse_density(
    test: np.ndarray | torch.Tensor, reference: np.ndarray | torch.Tensor, k: int = 2
) -> torch.Tensor:
    """How far each test representation lies from the training set: large where the density is low.

        score(y) = (1/k) Σ_{r ∈ N_k(y)} ‖y − r‖₂

    N_k(y) are the k rows of the reference that are nearest to y. The mean distance grows as the density of the
    training set around y falls, hence the name. Test rows are no rows of the reference, so nothing is left
    out: where a test row equals a row of the reference, that distance of 0 counts.

    Args:
        test: (M, dim), the representations y to be scored.
        reference: (N, dim), representations of the training set, the normal data.
        k: number of neighbors, at most N.

    Returns:
        float tensor, (M,), on the device of `test`: higher is more anomalous.

    Source: Bergman, Cohen and Hoshen, Deep Nearest Neighbor Anomaly Detection,
    2020, equation 2 (with squared distances).

    >>> inverse_density(torch.tensor([[0.0], [9.0]]), torch.tensor([[0.0], [1.0], [5.0]]), k=2)
    tensor([0.5000, 6.0000])
    """
    ### BEGIN SOLUTION
    distances, _ = nearest_neighbors(test, reference, k)  # (M, k)
    return torch.as_tensor(distances).mean(dim=1)
    ### END SOLUTION


def roc(
    labels: np.ndarray | torch.Tensor, scores: np.ndarray | torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Receiver operating characteristic: all trades between finding anomalies and raising false alarms.

    For a threshold t, every row with score ≥ t raises an alarm:

        fpr(t) = share of the normal rows (label 0) with score ≥ t
        tpr(t) = share of the anomalies (label 1) with score ≥ t

    The area under the curve is the probability that an anomaly scores higher than a normal row, where a tie
    counts one half.

    Args:
        labels: 1 for an anomaly, 0 for a normal row, (M,), both present.
        scores: higher is more anomalous, (M,).

    Returns:
        (fpr, tpr, auc): two float vectors of the same length, the points of the curve from (0, 0) to (1, 1)
        in order, neither ever decreasing; and the area under it, a float. Points between two others on a
        straight line may be there or not.

    Raises:
        ValueError: only one class is present.

    Source: Fawcett, An introduction to ROC analysis, 2006, algorithms 1 and 2.

    >>> roc(torch.tensor([0, 1, 0, 1]), torch.tensor([0.1, 0.9, 0.5, 0.5]))[2]
    0.875
    """
    ### BEGIN SOLUTION
    is_anomaly = torch.as_tensor(labels).cpu() == 1
    if is_anomaly.all() or not is_anomaly.any():
        raise ValueError("labels must hold both 0 (normal) and 1 (anomaly)")
    values, rank = torch.unique(torch.as_tensor(scores).detach().cpu(), return_inverse=True)  # ties share a rank

    def share_above(rows: torch.Tensor) -> torch.Tensor:
        counts = torch.bincount(rank[rows], minlength=len(values)).flip(0)  # the highest score first
        return torch.cat([torch.zeros(1), counts.cumsum(0)]).double() / rows.sum()

    fpr, tpr = share_above(~is_anomaly), share_above(is_anomaly)
    return fpr, tpr, torch.trapezoid(tpr, fpr).item()
    ### END SOLUTION


def most_anomalous(scores: np.ndarray | torch.Tensor, n: int = 7) -> torch.Tensor:
    """Which rows to look at first: the indices of the n highest scores.

    Args:
        scores: higher is more anomalous, (M,).
        n: how many, at most M.

    Returns:
        int64, (n,), in either order; which of equal scores are taken is free.

    >>> most_anomalous(torch.tensor([0.5, 3.0, 0.1]), n=1)
    tensor([1])
    """
    ### BEGIN SOLUTION
    return torch.as_tensor(scores).topk(n).indices
    ### END SOLUTION
