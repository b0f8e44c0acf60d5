"""Right solutions of task 2 in other styles."""
import torch
import torch.nn.functional as F

from autograder.proofs.variants import variant
from solutions.vicreg import VICRegTerms, covariance_loss, invariance_loss, variance_loss


@variant("vicreg.invariance_loss", "mean of squares")
def mean_of_squares(z_a, z_b):
    return ((z_a - z_b) ** 2).mean()


@variant("vicreg.invariance_loss", "mean over columns, then over the batch")
def two_means(z_a, z_b):
    return (z_a - z_b).square().mean(dim=1).mean(dim=0)


@variant("vicreg.invariance_loss", "a loop over images")
def invariance_loop(z_a, z_b):
    total = 0
    for a, b in zip(z_a, z_b):
        total = total + F.mse_loss(a, b)
    return total / len(z_a)


@variant("vicreg.invariance_loss", "squared norm, divided by d")
def squared_norm(z_a, z_b):
    return torch.linalg.norm(z_a - z_b, dim=1).pow(2).mean() / z_a.size(1)


@variant("vicreg.invariance_loss", "a loss module")
def mse_module(z_a, z_b):
    return torch.nn.MSELoss(reduction="sum")(z_a, z_b) / z_a.numel()


@variant("vicreg.variance_loss", "clamp, power, biased")
def clamped(z, gamma=1.0, eps=1e-4):
    return (gamma - (z.var(dim=0, unbiased=False) + eps) ** 0.5).clamp(min=0).mean()


@variant("vicreg.variance_loss", "torch.maximum and correction")
def with_maximum(z, gamma=1.0, eps=1e-4):
    sigma = (torch.var(z, 0, correction=1) + eps).sqrt()
    return torch.maximum(torch.zeros_like(sigma), gamma - sigma).sum() / z.shape[1]


@variant("vicreg.variance_loss", "where")
def with_where(z, gamma=1.0, eps=1e-4):
    sigma = torch.sqrt(z.var(dim=0) + eps)
    return torch.where(sigma < gamma, gamma - sigma, torch.zeros_like(sigma)).mean()


@variant("vicreg.variance_loss", "hinge_embedding_loss")
def with_hinge_embedding_loss(z, gamma=1.0, eps=1e-4):
    sigma = torch.sqrt(z.var(dim=0) + eps)
    return F.hinge_embedding_loss(sigma, -torch.ones_like(sigma), margin=gamma)


@variant("vicreg.variance_loss", "a mask")
def with_mask(z, gamma=1.0, eps=1e-4):
    gap = gamma - torch.sqrt(z.var(dim=0) + eps)
    return (gap * (gap > 0)).mean()


@variant("vicreg.variance_loss", "loops")
def variance_loops(z, gamma=1.0, eps=1e-4):
    n, dim = z.shape
    total = 0.0
    for j in range(dim):
        mean = sum(z[i, j] for i in range(n)) / n
        var = sum((z[i, j] - mean) ** 2 for i in range(n)) / (n - 1)
        total = total + max(torch.zeros((), dtype=z.dtype), gamma - torch.sqrt(var + eps))
    return total / dim


@variant("vicreg.variance_loss", "mean of squares minus square of the mean, biased")
def second_moment(z, gamma=1.0, eps=1e-4):
    var = ((z**2).mean(0) - z.mean(0) ** 2).clamp(min=0)
    return F.relu(gamma - torch.sqrt(var + eps)).mean()


@variant("vicreg.variance_loss", "a module with numpy's names")
def variance_module(z, gamma=1.0, eps=1e-4):
    class Variance(torch.nn.Module):
        def forward(self, x):
            centered = torch.sub(x, x.mean(axis=0, keepdims=True))
            sigma = torch.sqrt((centered * centered).mean(axis=0) + eps)
            return torch.nn.ReLU()(gamma - sigma).mean()

    return Variance()(z)


@variant("vicreg.covariance_loss", "torch.cov and a mask")
def with_torch_cov(z):
    cov = torch.cov(z.T)
    mask = ~torch.eye(z.shape[1], dtype=torch.bool)
    return cov[mask].pow(2).sum() / z.shape[1]


@variant("vicreg.covariance_loss", "1 - eye")
def one_minus_eye(z):
    centered = z - z.mean(dim=0, keepdim=True)
    cov = centered.transpose(0, 1).matmul(centered) / (z.size(0) - 1)
    return ((cov * (1 - torch.eye(z.size(1), dtype=z.dtype))) ** 2).sum() / z.size(1)


@variant("vicreg.covariance_loss", "fill_diagonal_")
def with_fill_diagonal(z):
    centered = z - z.mean(dim=0)
    squares = (centered.T @ centered / (len(z) - 1)).pow(2).clone()
    return squares.fill_diagonal_(0).sum() / z.shape[1]


@variant("vicreg.covariance_loss", "squares minus squared diagonal")
def minus_diagonal(z):
    cov = torch.cov(z.mT, correction=1)
    return (cov.square().sum() - cov.diagonal().square().sum()) / z.shape[1]


@variant("vicreg.covariance_loss", "averaged outer products")
def outer_products(z):
    mean = z.mean(dim=0)
    cov = sum(torch.outer(row - mean, row - mean) for row in z) / (len(z) - 1)
    return (cov - torch.diag(torch.diag(cov))).pow(2).sum() / z.shape[1]


@variant("vicreg.covariance_loss", "einsum, and the published code's off_diagonal")
def with_einsum(z):
    n, d = z.shape
    x = z - z.mean(dim=0)
    cov = torch.einsum("ni,nj->ij", x, x) / (n - 1)
    off = cov.flatten()[:-1].view(d - 1, d + 1)[:, 1:].flatten()
    return off.pow_(2).sum().div(d)


@variant("vicreg.covariance_loss", "loops")
def covariance_loops(z):
    n, dim = z.shape
    mean = z.mean(0)
    total = 0
    for i in range(dim):
        for j in range(dim):
            if i != j:
                total = total + (((z[:, i] - mean[i]) * (z[:, j] - mean[j])).sum() / (n - 1)) ** 2
    return total / dim


@variant("vicreg.covariance_loss", "twice the upper triangle, batched outer products")
def upper_triangle_twice(z):
    centered = z - z.mean(0)
    cov = torch.bmm(centered.unsqueeze(2), centered.unsqueeze(1)).sum(0) / (len(z) - 1)
    return 2 * torch.triu(cov, diagonal=1).pow(2).sum() / z.shape[1]


@variant("vicreg.vicreg_loss", "keywords")
def with_keywords(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    inv = invariance_loss(z_a, z_b)
    var = sum(variance_loss(z) for z in (z_a, z_b))
    cov = sum(covariance_loss(z) for z in (z_a, z_b))
    loss = sum(weight * term for weight, term in zip((inv_weight, var_weight, cov_weight), (inv, var, cov)))
    return VICRegTerms(invariance=inv, variance=var, covariance=cov, total=loss)


@variant("vicreg.vicreg_loss", "a named tuple of one's own, all in one function")
def own_tuple(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    from collections import namedtuple

    def both(f):
        return f(z_a) + f(z_b)

    s = F.mse_loss(z_a, z_b)
    v = both(lambda z: F.relu(1 - torch.sqrt(z.var(0) + 1e-4)).mean())
    c = both(lambda z: torch.cov(z.T).pow(2).sum() - torch.cov(z.T).diagonal().pow(2).sum()) / z_a.shape[1]
    terms = namedtuple("Terms", "total invariance variance covariance")
    return terms(inv_weight * s + var_weight * v + cov_weight * c, s, v, c)
