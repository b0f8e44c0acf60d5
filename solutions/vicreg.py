"""Task 2: the VICReg loss, term by term.

Bardes, Ponce & LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning",
ICLR 2022, arXiv 2105.04906; the equation numbers below are the paper's. Symbols: Z is `z`, one batch of
embeddings, with a row z_i per image and d columns; Z' is the batch of the other views, row by row of the same
images.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F


class VICRegTerms(NamedTuple):
    """The loss and its three parts, each a 0-d tensor through which gradients flow (a float in a history).

    `total` is weighted; `invariance`, `variance` and `covariance` are not, and the last two are sums over
    both branches.
    """

    total: torch.Tensor
    invariance: torch.Tensor
    variance: torch.Tensor
    covariance: torch.Tensor


def invariance_loss(z_a: torch.Tensor, z_b: torch.Tensor) -> torch.Tensor:
    """How far apart the two views of an image are embedded (the paper's equation 5).

        s(Z, Z') = (1/|B|) Σ_i MSE(z_i, z'_i)

    Convention: MSE is the mean of the squared differences over the d columns. The paper's equation 5 sums
    over them instead (d times our value); its published code takes the mean, as we do.

    Args:
        z_a: Z, embeddings of the first views, (batch, dim).
        z_b: Z', embeddings of the second views of the same images, (batch, dim).

    Returns:
        0-d tensor, 0 only where Z equals Z'.

    >>> invariance_loss(torch.zeros(4, 3), torch.full((4, 3), 2.0))
    tensor(4.)
    """
    ### BEGIN SOLUTION
    return F.mse_loss(z_a, z_b)
    ### END SOLUTION


def variance_loss(z: torch.Tensor, gamma: float = 1.0, eps: float = 1e-4) -> torch.Tensor:
    """Hinge that keeps the spread of every embedding column above γ (the paper's equations 1 and 2).

        v(Z) = (1/d) Σ_j max(0, γ − σ_j),    σ_j = sqrt(Var_j + ε)

    Conventions: Var_j is the variance of column j over the batch, unbiased (divided by |B| − 1) here; the
    biased one is fine too. ε = 1e-4 stands inside the square root: it keeps the gradient finite where a
    column is constant. For one branch.

    Args:
        z: Z, embeddings, (batch, dim), batch ≥ 2.
        gamma: γ, the spread that is asked of each column.
        eps: ε, see above.

    Returns:
        0-d tensor ≥ 0. Constant embeddings give γ − sqrt(ε), which is .99 with the defaults.

    >>> variance_loss(torch.full((8, 5), 3.0))
    tensor(0.9900)
    """
    ### BEGIN SOLUTION
    std = torch.sqrt(z.var(dim=0) + eps)  # (dim,)
    return F.relu(gamma - std).mean()
    ### END SOLUTION


def covariance_loss(z: torch.Tensor) -> torch.Tensor:
    """Squared covariances between different embedding columns (the paper's equations 3 and 4).

        C(Z) = 1/(|B| − 1) Σ_i (z_i − z̄)(z_i − z̄)ᵀ,    c(Z) = (1/d) Σ_{i≠j} C_ij²

    Conventions: C is d × d (covariance, not correlation) and divided by |B| − 1; the sum of the squares is
    divided by d, not by the d (d − 1) entries that it has. For one branch.

    Args:
        z: Z, embeddings, (batch, dim), batch ≥ 2.

    Returns:
        0-d tensor ≥ 0, 0 where the columns are uncorrelated.

    >>> covariance_loss(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))  # C = [[2, 2], [2, 2]]
    tensor(4.)
    """
    ### BEGIN SOLUTION
    n, dim = z.shape
    centered = z - z.mean(dim=0)  # (batch, dim)
    cov = centered.T @ centered / (n - 1)  # (dim, dim)
    off_diagonal = cov - torch.diag(cov.diagonal())  # (dim, dim)
    return off_diagonal.pow(2).sum() / dim
    ### END SOLUTION


def vicreg_loss(
    z_a: torch.Tensor,
    z_b: torch.Tensor,
    inv_weight: float = 25.0,
    var_weight: float = 25.0,
    cov_weight: float = 1.0,
) -> VICRegTerms:
    """The VICReg loss and its parts (the paper's equation 6).

        L = λ s(Z, Z') + μ [v(Z) + v(Z')] + ν [c(Z) + c(Z')]

    Convention: the variance and covariance terms are sums over the two branches, not averages. The published
    code halves the variance (and only that); we follow the equation.

    Args:
        z_a: Z, embeddings of the first views, (batch, dim).
        z_b: Z', embeddings of the second views, (batch, dim).
        inv_weight: λ.
        var_weight: μ.
        cov_weight: ν.

    Returns:
        `VICRegTerms`: `total` = L; `invariance` = s(Z, Z'), `variance` = v(Z) + v(Z') and
        `covariance` = c(Z) + c(Z') without their weights.

    >>> vicreg_loss(torch.zeros(4, 3), torch.full((4, 3), 2.0)).variance
    tensor(1.9800)
    """
    ### BEGIN SOLUTION
    invariance = invariance_loss(z_a, z_b)
    variance = variance_loss(z_a) + variance_loss(z_b)
    covariance = covariance_loss(z_a) + covariance_loss(z_b)
    total = inv_weight * invariance + var_weight * variance + cov_weight * covariance
    return VICRegTerms(total, invariance, variance, covariance)
    ### END SOLUTION
