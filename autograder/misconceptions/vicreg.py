"""Mistakes in task 2. "seen" says that published solutions have made it."""
import torch
import torch.nn.functional as F

from autograder.misconceptions import alteration, freedom, misconception, observer, probe, probe_gradient
from solutions.vicreg import VICRegTerms, covariance_loss, invariance_loss, variance_loss

# The invariance term


@misconception(
    "vicreg.invariance_loss",
    "summed over the columns",
    "You add the squared differences over the d columns, as the paper's equation 5 does. That is d times our value, and "
    "the weights of the loss would have to be smaller by as much. The handout's convention is the mean over columns.",
    convention=True,
)
def summed_over_columns(z_a, z_b):
    return (z_a - z_b).pow(2).sum(dim=1).mean()


@misconception(
    "vicreg.invariance_loss",
    "norm instead of squared error",
    "This is the mean distance between the two embeddings of an image. The equation has the squared error; the "
    "distance is its root, and has another gradient.",
)
def norm(z_a, z_b):
    return (z_a - z_b).norm(dim=1).mean()


@misconception(
    "vicreg.invariance_loss",
    "norm divided by d",
    "You divide the distance between the two embeddings of an image by d. MSE is the mean of the squares: no root is taken "
    "of their sum.",
)
def norm_over_d(z_a, z_b):
    return (z_a - z_b).norm(dim=1).mean() / z_a.shape[1]


@misconception(
    "vicreg.invariance_loss",
    "sum instead of mean",
    "You add over rows and columns. A larger batch would then have a larger loss; look at what 1/|B| and the M in MSE say.",
)
def summed(z_a, z_b):
    return (z_a - z_b).pow(2).sum()


@misconception(
    "vicreg.invariance_loss",
    "not averaged over the batch",
    "You average over the columns but add over the batch. Look at 1/|B| in the equation.",
)
def not_averaged_over_rows(z_a, z_b):
    return (z_a - z_b).pow(2).mean(dim=1).sum()


@misconception(
    "vicreg.invariance_loss",
    "always divided by 256",
    "You divide by 256, however many rows the batch has. The last batch of an epoch is smaller: look at 1/|B|.",
)
def by_256_rows(z_a, z_b):
    return (z_a - z_b).pow(2).mean(dim=1).sum() / 256


@misconception(
    "vicreg.invariance_loss",
    "absolute instead of squared differences",
    "You average absolute differences. MSE is the mean of squares.",
)
def absolute(z_a, z_b):
    return (z_a - z_b).abs().mean()


@misconception(
    "vicreg.invariance_loss",
    "root of the mean square",
    "You take the square root of the mean squared error; the equation has none in this term.",
)
def rooted(z_a, z_b):
    return (z_a - z_b).pow(2).mean().sqrt()


@misconception(
    "vicreg.invariance_loss",
    "second view detached",
    "No gradient reaches the second view. VICReg treats both views alike and needs no stop-gradient.",
)
def second_view_detached(z_a, z_b):
    return F.mse_loss(z_a, z_b.detach())


@misconception(
    "vicreg.invariance_loss",
    "graph lost on the way through numpy",
    "The value is right, but it was computed outside torch, so there is nothing to differentiate.",
)
def through_numpy(z_a, z_b):
    return torch.tensor(((z_a.detach().numpy() - z_b.detach().numpy()) ** 2).mean())


# The variance term


@misconception(
    "vicreg.variance_loss",
    "square root missing",
    "You compare the variance itself with γ. The hinge is on the standard deviation: look at the definition of σ_j.",
)
def no_square_root(z, gamma=1.0, eps=1e-4):  # seen, 1.89 times the right value on a normal batch
    return F.relu(gamma - (z.var(dim=0) + eps)).mean()


@misconception(
    "vicreg.variance_loss",
    "square root and ε missing",
    "You compare the variance itself with γ, without ε. Look at the definition of σ_j.",
)
def no_square_root_no_eps(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - z.var(dim=0)).mean()


@misconception(
    "vicreg.variance_loss",
    "ε of 1e-3",
    "Your ε is ten times too large: 10⁻⁴ is not 10e-4. Constant embeddings then give .968 instead of .99.",
)
def eps_too_large(z, gamma=1.0, eps=1e-3):  # seen twice
    return F.relu(gamma - torch.sqrt(z.var(dim=0) + eps)).mean()


@misconception(
    "vicreg.variance_loss",
    "ε outside the square root",
    "You add ε to the standard deviation. It belongs to the variance: only there does it keep the gradient of the root "
    "finite where a column is constant. Constant embeddings give .9999 instead of .99.",
)
def eps_outside(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - (z.std(dim=0) + eps)).mean()


@misconception(
    "vicreg.variance_loss",
    "ε missing",
    "There is no ε in your standard deviation, so its gradient is infinite where a column is constant. Constant "
    "embeddings give 1 instead of .99.",
)
def no_eps(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - z.std(dim=0)).mean()


@misconception(
    "vicreg.variance_loss",
    "ε always 1e-4",
    "The argument `eps` makes no difference to your result.",
)
def fixed_eps(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - torch.sqrt(z.var(dim=0) + 1e-4)).mean()


@misconception(
    "vicreg.variance_loss",
    "ε always 1e-3",
    "Your ε is ten times too large, 10⁻⁴ is not 10e-4, and the argument `eps` makes no difference to your result. Constant "
    "embeddings give .968 instead of .99.",
)
def fixed_eps_too_large(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - torch.sqrt(z.var(dim=0) + 10e-4)).mean()


@misconception(
    "vicreg.variance_loss",
    "γ always 1",
    "The argument `gamma` makes no difference to your result.",
)
def fixed_gamma(z, gamma=1.0, eps=1e-4):
    return F.relu(1 - torch.sqrt(z.var(dim=0) + eps)).mean()


@misconception(
    "vicreg.variance_loss",
    "variance along the features",
    "You take the spread of the numbers within one embedding. What must not collapse is each column over the batch: "
    "look at which index runs in Var_j.",
)
def along_features(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - torch.sqrt(z.var(dim=1) + eps)).mean()


@misconception(
    "vicreg.variance_loss",
    "one variance for all entries",
    "You take one variance of the whole matrix. Each column has its own; one lively column must not make up for dead ones.",
)
def of_everything(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - torch.sqrt(z.var() + eps))


@misconception(
    "vicreg.variance_loss",
    "no hinge",
    "A column that spreads more than γ enters your sum as a negative number, and hides others that spread too little. "
    "Above γ a column should cost nothing and earn nothing: look at max(0, ·).",
)
def no_hinge(z, gamma=1.0, eps=1e-4):
    return (gamma - torch.sqrt(z.var(dim=0) + eps)).mean()


@misconception(
    "vicreg.variance_loss",
    "hinge reversed",
    "You punish columns that spread more than γ. The term is there to prevent collapse: which side of γ should cost?",
)
def hinge_reversed(z, gamma=1.0, eps=1e-4):
    return F.relu(torch.sqrt(z.var(dim=0) + eps) - gamma).mean()


@misconception(
    "vicreg.variance_loss",
    "hinge squared",
    "The hinge enters squared; the equation has it as it is, so that the pull stays the same near γ.",
)
def hinge_squared(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - torch.sqrt(z.var(dim=0) + eps)).pow(2).mean()


@misconception(
    "vicreg.variance_loss",
    "hinge of the mean",
    "You average the standard deviations before the hinge, so a lively column makes up for a dead one. The hinge is "
    "inside the sum over j.",
)
def hinge_of_the_mean(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - torch.sqrt(z.var(dim=0) + eps).mean())


@misconception(
    "vicreg.variance_loss",
    "sum instead of mean over the columns",
    "You add over the d columns. Look at the factor in front of the sum: yours is d times too large.",
)
def summed_over_d(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - torch.sqrt(z.var(dim=0) + eps)).sum()


@misconception(
    "vicreg.variance_loss",
    "variance not centered",
    "You average the squares without taking out the mean of the column first: that is no variance.",
)
def not_centered_variance(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - torch.sqrt(z.pow(2).mean(dim=0) + eps)).mean()


@misconception(
    "vicreg.variance_loss",
    "a fixed batch size in the divisor",
    "You divide by a number that is right only for batches of 256. The last batch of an epoch is smaller.",
)
def fixed_batch_size_variance(z, gamma=1.0, eps=1e-4):
    var = (z - z.mean(dim=0)).pow(2).sum(dim=0) / 255
    return F.relu(gamma - torch.sqrt(var + eps)).mean()


@misconception(
    "vicreg.variance_loss",
    "always divided by 256",
    "You divide by 256, however many rows the batch has. The last batch of an epoch is smaller, and its variance comes out "
    "too small.",
)
def variance_by_256(z, gamma=1.0, eps=1e-4):
    var = (z - z.mean(dim=0)).pow(2).sum(dim=0) / 256
    return F.relu(gamma - torch.sqrt(var + eps)).mean()


@misconception(
    "vicreg.variance_loss",
    "sum / B - 1",
    "Division comes before subtraction: you divide by |B| and then take 1 from every variance. Below 1 that leaves a negative "
    "number, whose root is NaN. Parentheses.",
)
def variance_precedence(z, gamma=1.0, eps=1e-4):
    var = (z - z.mean(dim=0)).pow(2).sum(dim=0) / len(z) - 1
    return F.relu(gamma - torch.sqrt(var + eps)).mean()


@misconception(
    "vicreg.variance_loss",
    "halved variance",
    "Your variance term is half of ours: the convention of the paper's published code, which averages it over the two "
    "branches. The handout adds the branches, as the paper's equation 6 does.",
    convention=True,
)
def halved(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - torch.sqrt(z.var(dim=0) + eps)).mean() / 2


@misconception(
    "vicreg.variance_loss",
    "no gradient recorded",
    "The value is right, but it was computed where torch records no gradient, so training cannot use it.",
)
def without_gradient(z, gamma=1.0, eps=1e-4):
    with torch.no_grad():
        return F.relu(gamma - torch.sqrt(z.var(dim=0) + eps)).mean()


@misconception(
    "vicreg.variance_loss",
    "input centered in place",
    "You subtract the mean from the embeddings that you were given, in place. Whoever called you still needs them.",
)
def in_place(z, gamma=1.0, eps=1e-4):
    z -= z.mean(dim=0)
    return F.relu(gamma - torch.sqrt(z.var(dim=0) + eps)).mean()


@misconception(
    "vicreg.variance_loss",
    "float32 whatever comes in",
    "Your result is float32 also for float64 embeddings. Look for a conversion, or for a tensor that you make without a dtype.",
)
def always_float32(z, gamma=1.0, eps=1e-4):
    return F.relu(gamma - torch.sqrt(z.float().var(dim=0) + eps)).mean()


# The covariance term


@misconception(
    "vicreg.covariance_loss",
    "divided by |B|",
    "Your covariances are divided by |B|; equation 3 says |B| − 1. The difference is small in large batches.",
    convention=True,
)
def divided_by_n(z):
    centered = z - z.mean(dim=0)
    cov = centered.T @ centered / len(z)
    return (cov - torch.diag(cov.diagonal())).pow(2).sum() / z.shape[1]


@misconception(
    "vicreg.covariance_loss",
    "sum / B - 1",
    "Division comes before subtraction: you divide by |B| and then take 1 from every entry. Parentheses.",
)
def precedence(z):  # seen, 248 times the right value
    centered = z - z.mean(dim=0)
    cov = centered.T @ centered / len(z) - 1
    return (cov - torch.diag(cov.diagonal())).pow(2).sum() / z.shape[1]


@misconception(
    "vicreg.covariance_loss",
    "a fixed batch size in the divisor",
    "You divide by a number that is right only for batches of 256. The last batch of an epoch is smaller.",
)
def fixed_batch_size(z):  # seen
    centered = z - z.mean(dim=0)
    cov = centered.T @ centered / 255
    return (cov - torch.diag(cov.diagonal())).pow(2).sum() / z.shape[1]


@misconception(
    "vicreg.covariance_loss",
    "always divided by 256",
    "You divide by 256, however many rows the batch has. The last batch of an epoch is smaller, and equation 3 says |B| − 1.",
)
def covariance_by_256(z):
    centered = z - z.mean(dim=0)
    cov = centered.T @ centered / 256
    return (cov - torch.diag(cov.diagonal())).pow(2).sum() / z.shape[1]


@misconception(
    "vicreg.covariance_loss",
    "covariances not divided",
    "Your covariances are sums over the batch: nothing divides them by |B| − 1.",
)
def not_divided(z):
    centered = z - z.mean(dim=0)
    cov = centered.T @ centered
    return (cov - torch.diag(cov.diagonal())).pow(2).sum() / z.shape[1]


@misconception(
    "vicreg.covariance_loss",
    "diagonal kept",
    "Your sum includes i = j: the variances of the columns, which this term must leave alone.",
)
def diagonal_kept(z):
    centered = z - z.mean(dim=0)
    return (centered.T @ centered / (len(z) - 1)).pow(2).sum() / z.shape[1]


@misconception(
    "vicreg.covariance_loss",
    "not centered",
    "The mean of each column is still in your products, so embeddings far from 0 look correlated. Look at z_i − z̄.",
)
def not_centered(z):
    cov = z.T @ z / (len(z) - 1)
    return (cov - torch.diag(cov.diagonal())).pow(2).sum() / z.shape[1]


@misconception(
    "vicreg.covariance_loss",
    "centered along the features",
    "You subtract from each embedding the mean of its own numbers. z̄ is the mean embedding of the batch, one number per "
    "column.",
)
def centered_along_features(z):
    centered = z - z.mean(dim=1, keepdim=True)
    cov = centered.T @ centered / (len(z) - 1)
    return (cov - torch.diag(cov.diagonal())).pow(2).sum() / z.shape[1]


@misconception(
    "vicreg.covariance_loss",
    "1/d missing",
    "You add the squared covariances and stop there: yours is d times too large. Look at the factor in front of the sum.",
)
def not_divided_by_d(z):
    centered = z - z.mean(dim=0)
    cov = centered.T @ centered / (len(z) - 1)
    return (cov - torch.diag(cov.diagonal())).pow(2).sum()


@misconception(
    "vicreg.covariance_loss",
    "divided by d − 1",
    "The sum over the pairs of columns is divided by d − 1. The 1 is taken from |B|, in the covariances; the factor of the sum is 1/d.",
)
def divided_by_one_column_less(z):
    centered = z - z.mean(dim=0)
    cov = centered.T @ centered / (len(z) - 1)
    return (cov - torch.diag(cov.diagonal())).pow(2).sum() / max(z.shape[1] - 1, 1)


@misconception(
    "vicreg.covariance_loss",
    "mean over the off-diagonal entries",
    "You divide by the number of entries that you add, d (d − 1). The equation divides by d.",
)
def mean_off_diagonal(z):
    n, dim = z.shape
    centered = z - z.mean(dim=0)
    cov = centered.T @ centered / (n - 1)
    return (cov - torch.diag(cov.diagonal())).pow(2).sum() / (dim * (dim - 1))


@misconception(
    "vicreg.covariance_loss",
    "mean over the whole matrix",
    "You divide by d², all entries of the matrix. The equation divides by d.",
)
def mean_of_matrix(z):
    centered = z - z.mean(dim=0)
    cov = centered.T @ centered / (len(z) - 1)
    return (cov - torch.diag(cov.diagonal())).pow(2).mean()


@misconception(
    "vicreg.covariance_loss",
    "B × B instead of d × d",
    "Your matrix has a row for each image: it compares images with each other. C compares columns, and is d × d.",
)
def gram(z):
    centered = z - z.mean(dim=0)
    cov = centered @ centered.T / (len(z) - 1)
    return (cov - torch.diag(cov.diagonal())).pow(2).sum() / z.shape[1]


@misconception(
    "vicreg.covariance_loss",
    "correlation instead of covariance",
    "Your columns are divided by their standard deviations first, as Barlow Twins does. VICReg uses covariances; the "
    "spread is the business of the variance term.",
)
def correlation(z):
    corr = torch.corrcoef(z.T)
    return (corr - torch.diag(corr.diagonal())).pow(2).sum() / z.shape[1]


@misconception(
    "vicreg.covariance_loss",
    "not squared",
    "You add the covariances themselves, so that positive and negative ones cancel. The equation squares each.",
)
def not_squared(z):
    centered = z - z.mean(dim=0)
    cov = centered.T @ centered / (len(z) - 1)
    return (cov - torch.diag(cov.diagonal())).sum() / z.shape[1]


@misconception(
    "vicreg.covariance_loss",
    "absolute values instead of squares",
    "You add the sizes of the covariances; the equation adds their squares.",
)
def absolute_covariances(z):
    centered = z - z.mean(dim=0)
    cov = centered.T @ centered / (len(z) - 1)
    return (cov - torch.diag(cov.diagonal())).abs().sum() / z.shape[1]


@misconception(
    "vicreg.covariance_loss",
    "each pair once",
    "You add the entries above the diagonal only. The sum runs over i ≠ j: every pair counts twice.",
)
def upper_triangle(z):
    centered = z - z.mean(dim=0)
    return (centered.T @ centered / (len(z) - 1)).triu(1).pow(2).sum() / z.shape[1]


# All together


@misconception(
    "vicreg.vicreg_loss",
    "halved variance",
    "Your variance term is the average of the two branches, half of ours: the convention of the paper's published code. "
    "The handout adds the branches, as the paper's equation 6 does.",
    convention=True,
)
def variance_averaged(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v = invariance_loss(z_a, z_b), (variance_loss(z_a) + variance_loss(z_b)) / 2
    c = covariance_loss(z_a) + covariance_loss(z_b)
    return VICRegTerms(inv_weight * s + var_weight * v + cov_weight * c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "halved variance in the total",
    "In your total the variance counts half, as in the paper's published code. The handout adds the two branches.",
    convention=True,
)
def variance_averaged_in_total(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v = invariance_loss(z_a, z_b), variance_loss(z_a) + variance_loss(z_b)
    c = covariance_loss(z_a) + covariance_loss(z_b)
    return VICRegTerms(inv_weight * s + var_weight * v / 2 + cov_weight * c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "branches averaged",
    "You average variance and covariance over the two branches. The equation adds them; only the variance is halved, "
    "and only in the paper's published code.",
)
def branches_averaged(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):  # seen
    s, v = invariance_loss(z_a, z_b), (variance_loss(z_a) + variance_loss(z_b)) / 2
    c = (covariance_loss(z_a) + covariance_loss(z_b)) / 2
    return VICRegTerms(inv_weight * s + var_weight * v + cov_weight * c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "covariance averaged",
    "You average the covariance term over the two branches. The equation adds them.",
)
def covariance_averaged(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v = invariance_loss(z_a, z_b), variance_loss(z_a) + variance_loss(z_b)
    c = (covariance_loss(z_a) + covariance_loss(z_b)) / 2
    return VICRegTerms(inv_weight * s + var_weight * v + cov_weight * c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "one branch only",
    "Variance and covariance are those of the first view alone. Both branches count.",
)
def one_branch(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v, c = invariance_loss(z_a, z_b), variance_loss(z_a), covariance_loss(z_a)
    return VICRegTerms(inv_weight * s + var_weight * v + cov_weight * c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "the first branch twice",
    "You add the variance and the covariance of the first view to themselves; those of the second never enter.",
)
def first_branch_twice(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v, c = invariance_loss(z_a, z_b), 2 * variance_loss(z_a), 2 * covariance_loss(z_a)
    return VICRegTerms(inv_weight * s + var_weight * v + cov_weight * c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "terms returned weighted",
    "Your total is right, but the three terms come back multiplied by their weights. They are asked for as they are, so "
    "that runs with different weights can be compared.",
)
def terms_weighted(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s = inv_weight * invariance_loss(z_a, z_b)
    v = var_weight * (variance_loss(z_a) + variance_loss(z_b))
    c = cov_weight * (covariance_loss(z_a) + covariance_loss(z_b))
    return VICRegTerms(s + v + c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "weights applied twice",
    "Each weight enters your total twice, once in the term and once in the sum.",
)
def weights_twice(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v = invariance_loss(z_a, z_b), variance_loss(z_a) + variance_loss(z_b)
    c = covariance_loss(z_a) + covariance_loss(z_b)
    return VICRegTerms(inv_weight**2 * s + var_weight**2 * v + cov_weight**2 * c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "weights applied twice, in the terms and in the total",
    "The terms come back weighted, and your total weights them once more.",
)
def weights_twice_and_returned(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s = inv_weight * invariance_loss(z_a, z_b)
    v = var_weight * (variance_loss(z_a) + variance_loss(z_b))
    c = cov_weight * (covariance_loss(z_a) + covariance_loss(z_b))
    return VICRegTerms(inv_weight * s + var_weight * v + cov_weight * c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "total without weights",
    "Your total is the plain sum of the three terms: the weights do not enter.",
)
def not_weighted(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v = invariance_loss(z_a, z_b), variance_loss(z_a) + variance_loss(z_b)
    c = covariance_loss(z_a) + covariance_loss(z_b)
    return VICRegTerms(s + v + c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "weights always 25, 25, 1",
    "The arguments for the weights make no difference to your result, so an ablation would change nothing.",
)
def fixed_weights(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v = invariance_loss(z_a, z_b), variance_loss(z_a) + variance_loss(z_b)
    c = covariance_loss(z_a) + covariance_loss(z_b)
    return VICRegTerms(25 * s + 25 * v + c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "weights exchanged",
    "The weights of variance and covariance have changed places in your total.",
)
def weights_exchanged(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v = invariance_loss(z_a, z_b), variance_loss(z_a) + variance_loss(z_b)
    c = covariance_loss(z_a) + covariance_loss(z_b)
    return VICRegTerms(inv_weight * s + cov_weight * v + var_weight * c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "terms in another order",
    "The values are right, but two of them stand in each other's field. Look at the order of the fields.",
)
def terms_exchanged(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v = invariance_loss(z_a, z_b), variance_loss(z_a) + variance_loss(z_b)
    c = covariance_loss(z_a) + covariance_loss(z_b)
    return VICRegTerms(inv_weight * s + var_weight * v + cov_weight * c, s, c, v)


@misconception(
    "vicreg.vicreg_loss",
    "cross-covariance of the two views",
    "Your covariance is between the columns of Z and those of Z', as in Barlow Twins. VICReg has one covariance matrix for "
    "each branch.",
)
def cross_covariance(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v = invariance_loss(z_a, z_b), variance_loss(z_a) + variance_loss(z_b)
    cross = (z_a - z_a.mean(dim=0)).T @ (z_b - z_b.mean(dim=0)) / (len(z_a) - 1)
    c = (cross - torch.diag(cross.diagonal())).pow(2).sum() / z_a.shape[1]
    return VICRegTerms(inv_weight * s + var_weight * v + cov_weight * c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "one branch detached",
    "No gradient reaches the second branch through the variance and covariance terms, so nothing keeps it from collapse.",
)
def branch_detached(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v = invariance_loss(z_a, z_b), variance_loss(z_a) + variance_loss(z_b.detach())
    c = covariance_loss(z_a) + covariance_loss(z_b.detach())
    return VICRegTerms(inv_weight * s + var_weight * v + cov_weight * c, s, v, c)


@misconception(
    "vicreg.vicreg_loss",
    "the total alone",
    "Only the total comes back. The three terms are asked for, too: they are what the figures of the report show.",
)
def only_the_total(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    v, c = variance_loss(z_a) + variance_loss(z_b), covariance_loss(z_a) + covariance_loss(z_b)
    return inv_weight * invariance_loss(z_a, z_b) + var_weight * v + cov_weight * c


@misconception(
    "vicreg.vicreg_loss",
    "total as a plain number",
    "Your total is a number without a graph, so there is nothing to differentiate.",
)
def total_as_number(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
    s, v = invariance_loss(z_a, z_b), variance_loss(z_a) + variance_loss(z_b)
    c = covariance_loss(z_a) + covariance_loss(z_b)
    return VICRegTerms((inv_weight * s + var_weight * v + cov_weight * c).item(), s.item(), v.item(), c.item())


# Probes: B ≠ D, means off zero, constant columns

_generator = torch.Generator().manual_seed(2022)


def _batch(rows: int, columns: int) -> torch.Tensor:
    noise = torch.randn(rows, columns, generator=_generator, dtype=torch.float64)
    return noise * torch.linspace(0.2, 3, columns, dtype=torch.float64) + 1.5


_tall, _tall_b, _wide, _wide_b = _batch(6, 4), _batch(6, 4), _batch(3, 5), _batch(3, 5)
_constant = torch.full((4, 3), 2.0, dtype=torch.float64)
probe("vicreg.invariance_loss", _tall, _tall_b)
probe("vicreg.invariance_loss", _wide, _wide_b)
probe("vicreg.variance_loss", _tall)
probe("vicreg.variance_loss", _wide)
probe("vicreg.variance_loss", _constant, gamma=0.05)  # .04 with ε = 1e-4 in the root, .0499 outside, .05 without
probe("vicreg.variance_loss", _tall, gamma=2.0, eps=0.25)
probe("vicreg.variance_loss", 60 * _tall, gamma=20.0)  # variances that stay above 0 where 1 is taken from them
probe("vicreg.covariance_loss", _tall)
probe("vicreg.covariance_loss", _wide)
probe("vicreg.vicreg_loss", _tall, _tall_b)
probe("vicreg.vicreg_loss", _wide, _wide_b, inv_weight=2.0, var_weight=3.0, cov_weight=5.0)
for _name, _inputs in (("invariance_loss", (_tall, _tall_b)), ("variance_loss", (_tall,)), ("covariance_loss", (_tall,))):
    probe_gradient(f"vicreg.{_name}", *_inputs, wrt=tuple(range(len(_inputs))))
probe_gradient("vicreg.vicreg_loss", _tall, _tall_b, wrt=(0, 1), output="total")


@observer("vicreg.variance_loss")
def observe_dtype(student):
    return str(student.vicreg.variance_loss(_tall).dtype)


# The same mistakes as changes of any version, for two of them together


@freedom("vicreg.variance_loss")
def biased_variance(version):
    return lambda z, gamma=1.0, eps=1e-4: version(z * ((len(z) - 1) / len(z)) ** 0.5, gamma, eps)


@alteration("vicreg.invariance_loss", "summed over the columns")
def and_summed_over_columns(version):
    return lambda z_a, z_b: version(z_a, z_b) * z_a.shape[1]


@alteration("vicreg.invariance_loss", "not averaged over the batch")
def and_not_averaged(version):
    return lambda z_a, z_b: version(z_a, z_b) * len(z_a)


@alteration("vicreg.invariance_loss", "always divided by 256")
def and_by_256_rows(version):
    return lambda z_a, z_b: version(z_a, z_b) * len(z_a) / 256


@alteration("vicreg.invariance_loss", "root of the mean square")
def and_rooted(version):
    return lambda z_a, z_b: version(z_a, z_b).sqrt()


@alteration("vicreg.invariance_loss", "second view detached")
def and_second_view_detached(version):
    return lambda z_a, z_b: version(z_a, z_b.detach())


@alteration("vicreg.variance_loss", "ε of 1e-3")
def and_eps_too_large(version):
    return lambda z, gamma=1.0, eps=1e-3: version(z, gamma, eps)


@alteration("vicreg.variance_loss", "ε always 1e-4")
def and_fixed_eps(version):
    return lambda z, gamma=1.0, eps=1e-4: version(z, gamma, 1e-4)


@alteration("vicreg.variance_loss", "ε always 1e-3")
def and_fixed_eps_too_large(version):
    return lambda z, gamma=1.0, eps=1e-4: version(z, gamma, 1e-3)


@alteration("vicreg.variance_loss", "γ always 1")
def and_fixed_gamma(version):
    return lambda z, gamma=1.0, eps=1e-4: version(z, 1.0, eps)


@alteration("vicreg.variance_loss", "variance along the features")
def and_along_features(version):
    return lambda z, gamma=1.0, eps=1e-4: version(z.T, gamma, eps)


@alteration("vicreg.variance_loss", "always divided by 256")
def and_variance_by_256(version):
    return lambda z, gamma=1.0, eps=1e-4: version(z * ((len(z) - 1) / 256) ** 0.5, gamma, eps)


@alteration("vicreg.variance_loss", "sum instead of mean over the columns")
def and_summed_over_d(version):
    return lambda z, gamma=1.0, eps=1e-4: version(z, gamma, eps) * z.shape[1]


@alteration("vicreg.variance_loss", "halved variance")
def and_halved(version):
    return lambda z, gamma=1.0, eps=1e-4: version(z, gamma, eps) / 2


@alteration("vicreg.variance_loss", "no gradient recorded")
def and_without_gradient(version):
    return lambda z, gamma=1.0, eps=1e-4: version(z.detach(), gamma, eps)


@alteration("vicreg.covariance_loss", "divided by |B|")
def and_divided_by_n(version):
    return lambda z: version(z) * ((len(z) - 1) / len(z)) ** 2


@alteration("vicreg.covariance_loss", "always divided by 256")
def and_covariance_by_256(version):
    return lambda z: version(z * ((len(z) - 1) / 256) ** 0.5)


@alteration("vicreg.covariance_loss", "covariances not divided")
def and_not_divided(version):
    return lambda z: version(z) * (len(z) - 1) ** 2


@alteration(
    "vicreg.covariance_loss",
    "1/d missing",
    instead_of=("mean over the off-diagonal entries", "mean over the whole matrix", "divided by d − 1"),
)
def and_without_d(version):
    return lambda z: version(z) * z.shape[1]


@alteration("vicreg.covariance_loss", "each pair once")
def and_each_pair_once(version):
    return lambda z: version(z) / 2


@alteration("vicreg.covariance_loss", "correlation instead of covariance")
def and_of_correlations(version):
    return lambda z: version((z - z.mean(dim=0)) / z.std(dim=0))


@alteration("vicreg.vicreg_loss", "weights exchanged")
def and_weights_exchanged(version):
    return lambda z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0: version(
        z_a, z_b, inv_weight, cov_weight, var_weight
    )


@alteration("vicreg.vicreg_loss", "weights always 25, 25, 1")
def and_fixed_weights(version):
    return lambda z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0: version(z_a, z_b)


@alteration("vicreg.vicreg_loss", "total without weights")
def and_not_weighted(version):
    def changed(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
        terms = version(z_a, z_b, inv_weight, var_weight, cov_weight)
        return terms._replace(total=terms.invariance + terms.variance + terms.covariance)

    return changed


@alteration("vicreg.vicreg_loss", "terms in another order")
def and_terms_exchanged(version):
    def changed(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
        terms = version(z_a, z_b, inv_weight, var_weight, cov_weight)
        return terms._replace(variance=terms.covariance, covariance=terms.variance)

    return changed


@alteration("vicreg.vicreg_loss", "halved variance")
def and_variance_averaged(version):
    def changed(z_a, z_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0):
        terms = version(z_a, z_b, inv_weight, var_weight / 2, cov_weight)
        return terms._replace(variance=terms.variance / 2)

    return changed
