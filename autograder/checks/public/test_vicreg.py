"""Task 2: the loss on examples small enough to compute by hand."""
import pytest
import torch

from autograder import expect, measure

# 4 rows, 3 columns: one constant (σ = .01), one with σ < 1, one with σ > 1, where the hinge is 0.
SPREADS = torch.tensor([[5.0, 0.0, 0.0], [5.0, 1.0, 4.0], [5.0, 0.0, 0.0], [5.0, 1.0, 4.0]])
# C = 1/3 [[20, 8, 8], [8, 6, 2], [8, 2, 4]], so c = 2 (64 + 64 + 4) / 9 / 3.
CORRELATED = torch.tensor([[1.0, 0.0, 2.0], [3.0, 1.0, 2.0], [5.0, 0.0, 4.0], [7.0, 3.0, 4.0]])
COVARIANCE = {"ours": 88 / 9, "divided by |B|": 88 / 9 * 9 / 16}
VIEW_A = torch.tensor([[0.0, 1.0, 0.3], [0.5, 0.2, 0.1], [1.0, 0.0, 0.2], [0.3, 0.4, 0.0]])
VIEW_B = torch.tensor([[0.2, 1.2, 0.0], [0.5, 0.0, 0.6], [0.9, 0.3, 0.2], [0.0, 0.4, 1.0]])
VIEWS_VARIANCE = (1.2233926, 1.3273460)  # of both views together, from the unbiased and from the biased variance
# float32 rounds at 1e-6 of these sums. The nearest wrong variant anywhere below (ε outside the root) is off by 3e-3.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def variance_options(unbiased: float, biased: float) -> dict[str, float]:
    """Either variance is right; half of it is the convention of the paper's published code."""
    return {"unbiased": unbiased, "biased": biased, "halved": unbiased / 2, "halved, biased": biased / 2}


SPREAD_LOSS = variance_options(0.4708544, 0.4966333)  # (.99 + 1 − sqrt(1/3 + ε)) / 3 and (.99 + 1 − sqrt(1/4 + ε)) / 3


@pytest.mark.item("vicreg.invariance_value")
def test_invariance_value(student):
    z_a = torch.tensor([[1.0, 2.0, 3.0], [0.0, -1.0, 2.0]])
    z_b = torch.tensor([[2.0, 4.0, 3.0], [0.0, 0.0, -1.0]])  # squared differences 1, 4, 0 and 0, 1, 9
    options = {"ours": 15 / 6, "summed over the columns": 15 / 2}
    measure.one_of(student.vicreg.invariance_loss(z_a, z_b), options, **CLOSE, what="invariance_loss(z_a, z_b)")
    measure.one_of(student.vicreg.invariance_loss(z_b, z_a), options, **CLOSE, what="invariance_loss(z_b, z_a)")
    measure.one_of(student.vicreg.invariance_loss(z_a, z_a), {"zero": 0.0}, **CLOSE, what="invariance_loss(z_a, z_a)")


@pytest.mark.item("vicreg.variance_value")
def test_variance_value(student):
    measure.one_of(student.vicreg.variance_loss(SPREADS), SPREAD_LOSS, **CLOSE, what="variance_loss(z)")


@pytest.mark.item("vicreg.variance_constant")
def test_variance_of_a_constant(student):
    z = torch.full((4, 3), 2.0)
    options = variance_options(0.99, 0.99)  # γ − sqrt(ε)
    measure.one_of(student.vicreg.variance_loss(z), options, **CLOSE, what="variance_loss of constant embeddings")
    found = student.vicreg.variance_loss(z, gamma=2.0, eps=0.25)
    measure.one_of(found, variance_options(1.5, 1.5), **CLOSE, what="variance_loss(z, gamma=2.0, eps=0.25)")


@pytest.mark.item("vicreg.covariance_value")
def test_covariance_value(student):
    measure.one_of(student.vicreg.covariance_loss(CORRELATED), COVARIANCE, **CLOSE, what="covariance_loss(z)")


@pytest.mark.item("vicreg.covariance_zero")
def test_covariance_of_uncorrelated_columns(student):
    z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    for each, kind in ((z, "uncorrelated columns"), (z + 5, "uncorrelated columns whose mean is 5")):
        found = student.vicreg.covariance_loss(each)
        measure.one_of(found, {"zero": 0.0}, **CLOSE, what=f"covariance_loss of {kind}")


def terms_of(value, what: str = "vicreg_loss(z_a, z_b)"):
    """The value after its type and its four fields were found right."""
    names = ("total", "invariance", "variance", "covariance")
    is_named = isinstance(value, dict) and all(name in value for name in names)
    expect.true(is_named, f"{what} to be a VICRegTerms with the fields {', '.join(names)}", expect.describe(value))
    for name in names:
        expect.scalar(value[name], what=f"`{name}` of {what}")
    return value


@pytest.mark.item("vicreg.total")
def test_total(student):
    terms = terms_of(student.vicreg.vicreg_loss(VIEW_A, VIEW_B))
    what = "`{}` of vicreg_loss(z_a, z_b)"
    s, v, c = terms["invariance"], terms["variance"], terms["covariance"]
    measure.one_of(s, {"ours": 0.1375, "summed over the columns": 0.4125}, **CLOSE, what=what.format("invariance"))
    measure.one_of(v, variance_options(*VIEWS_VARIANCE), **CLOSE, what=what.format("variance"))
    c_options = {"ours": 0.0394759, "divided by |B|": 0.0394759 * 9 / 16}
    measure.one_of(c, c_options, **CLOSE, what=what.format("covariance"))
    check_total(terms, (25, 25, 1), "vicreg_loss(z_a, z_b)")
    weighted = student.vicreg.vicreg_loss(VIEW_A, VIEW_B, inv_weight=2.0, var_weight=3.0, cov_weight=5.0)
    what = "vicreg_loss(z_a, z_b, inv_weight=2.0, var_weight=3.0, cov_weight=5.0)"
    check_total(terms_of(weighted, what), (2, 3, 5), what)


def check_total(terms, weights, what: str) -> None:
    """`total` is the weighted sum of the returned terms; the variance may be halved in it, as in the published code."""
    s, v, c = (float(terms[name]) for name in ("invariance", "variance", "covariance"))
    inv, var, cov = weights
    options = {"ours": inv * s + var * v + cov * c, "halved": inv * s + var * v / 2 + cov * c}
    measure.one_of(terms["total"], options, **CLOSE, what=f"`total` of {what}, for the other terms that came with it,")


@pytest.mark.item("vicreg.convention")
def test_convention(student):
    z = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    found = measure.one_of(student.vicreg.invariance_loss(z, -z), {"ours": 20 / 6, "sum": 20 / 2}, **CLOSE,
                           what="invariance_loss(z_a, z_b)")  # fmt: skip
    expect.true(found == "ours", "the squared differences averaged over the d columns (the handout's convention)",
                "their sum over the columns: the convention of the paper's equation 5, d times ours")  # fmt: skip
    found = measure.one_of(student.vicreg.variance_loss(SPREADS), SPREAD_LOSS, **CLOSE, what="variance_loss(z)")
    ours, biased = SPREAD_LOSS["unbiased"], SPREAD_LOSS["biased"]
    expect.true(
        "halved" not in found,
        f"variance_loss(z), the term of one branch, to be {expect.number(ours)} ({expect.number(biased)} with the "
        "biased variance; vicreg_loss adds the two branches)",
        f"{expect.number(SPREAD_LOSS[found])}, half of that: the convention of the paper's published code",
    )
    found = measure.one_of(student.vicreg.covariance_loss(CORRELATED), COVARIANCE, **CLOSE, what="covariance_loss(z)")
    expect.true(found == "ours", "covariances divided by |B| − 1 (equation 3)", "covariances divided by |B|")
    terms = terms_of(student.vicreg.vicreg_loss(VIEW_A, VIEW_B, inv_weight=0.0, cov_weight=0.0))
    options = variance_options(*(25 * each for each in VIEWS_VARIANCE))
    found = measure.one_of(terms["total"], options, **CLOSE, what="`total`")
    expect.true("halved" not in found,
                "vicreg_loss: the variance terms of both branches added (the handout's convention)",
                "half of that: the convention of the paper's published code")  # fmt: skip


@pytest.mark.item("vicreg.gradient")
@pytest.mark.parametrize("function", ["invariance_loss", "variance_loss", "covariance_loss", "vicreg_loss"])
def test_gradient_reaches_every_view(student, function):
    names = ("z",) if function in ("variance_loss", "covariance_loss") else ("z_a", "z_b")
    views = [VIEW_A[:3], VIEW_B[:3]][: len(names)]
    output = "total" if function == "vicreg_loss" else None
    grads = student.gradient(f"vicreg.{function}", *views, wrt=tuple(range(len(views))), output=output)
    for grad in measure.gradients(grads, [(3, 3)] * len(names), what=function, names=names):
        expect.true(bool(grad.any()), f"the gradient of {function} not to be 0", "zeros everywhere")
