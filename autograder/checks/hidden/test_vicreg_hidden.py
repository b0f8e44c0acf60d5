"""Task 2, hidden: the terms and their gradients on generated batches, beside the reference.

Batches are chosen to tell mistakes apart: never as many rows as columns, few rows, means off zero, columns that are
(nearly) constant, spreads on both sides of the hinge, float32 and float64.
"""
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from autograder import expect, measure
from autograder.checks.public.test_vicreg import terms_of

# A hidden item shows no input, so none is shrunk: that takes seconds, this milliseconds.
unshrunk = settings(phases=[Phase.explicit, Phase.generate])
FIELDS = ("total", "invariance", "variance", "covariance")
SPREADS = (0.0, 1e-3, 0.3, 1.0, 3.0)  # of the columns; the hinge is at 1


@st.composite
def batches(draw, count: int = 1):
    """`count` batches of one shape and dtype, as a list."""
    rows, columns = draw(st.integers(2, 6)), draw(st.integers(2, 5))
    columns += rows == columns
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    offset = draw(st.sampled_from([0.0, 2.0]))
    spreads = torch.tensor(draw(st.lists(st.sampled_from(SPREADS), min_size=columns, max_size=columns)))
    noise = torch.randn(count, rows, columns, generator=generator, dtype=torch.float64)
    return [(each * spreads + offset).to(dtype) for each in noise]


def large(rows: int, columns: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator) * torch.linspace(0.1, 2.0, columns) + 0.5


def shrunk(z: torch.Tensor) -> torch.Tensor:
    """The same embeddings, so much closer to their mean that the unbiased variance becomes the biased one of `z`."""
    mean = z.mean(dim=0)
    return mean + (z - mean) * ((len(z) - 1) / len(z)) ** 0.5


def tolerance(z: torch.Tensor) -> dict[str, float]:
    """float32 with means up to 2 and E[z²] − E[z]² keeps three digits of a variance; float64 is exact.

    The nearest wrong variant, ε outside the root, is off by 1e-2 / d ≥ 1.6e-3 for every constant column.
    """
    return {"rtol": 1e-3, "atol": 2e-4} if z.dtype == torch.float32 else {"rtol": 1e-4, "atol": 1e-5}


def variance_options(reference, *batches, **arguments) -> dict[str, float]:
    """The sum over the batches, for either variance, whole and halved."""
    whole = sum(float(reference.vicreg.variance_loss(z, **arguments)) for z in batches)
    biased = sum(float(reference.vicreg.variance_loss(shrunk(z), **arguments)) for z in batches)
    return {"unbiased": whole, "biased": biased, "halved": whole / 2, "halved, biased": biased / 2}


def covariance_options(reference, *batches) -> dict[str, float]:
    whole = sum(float(reference.vicreg.covariance_loss(z)) for z in batches)
    return {"ours": whole, "divided by |B|": whole * ((len(batches[0]) - 1) / len(batches[0])) ** 2}


def invariance_options(reference, z_a, z_b) -> dict[str, float]:
    mean = float(reference.vicreg.invariance_loss(z_a, z_b))
    return {"ours": mean, "summed over the columns": mean * z_a.shape[1]}


@pytest.mark.item("vicreg.invariance_batches")
@unshrunk
@given(pair=batches(2))
def test_invariance(student, reference, pair):
    found = student.vicreg.invariance_loss(*pair)
    measure.one_of(found, invariance_options(reference, *pair), **tolerance(pair[0]), what="invariance_loss(z_a, z_b)")


@pytest.mark.item("vicreg.variance_batches")
@unshrunk
@given(batch=batches())
def test_variance(student, reference, batch):
    (z,) = batch
    for arguments in ({}, {"gamma": 2.0, "eps": 0.25}):  # a γ or ε that is ignored is off by .2 and more
        found = student.vicreg.variance_loss(z, **arguments)
        measure.one_of(found, variance_options(reference, z, **arguments), **tolerance(z), what="variance_loss(z, ...)")


@pytest.mark.item("vicreg.covariance_batches")
@unshrunk
@given(batch=batches())
def test_covariance(student, reference, batch):
    (z,) = batch
    found = student.vicreg.covariance_loss(z)
    measure.one_of(found, covariance_options(reference, z), **tolerance(z), what="covariance_loss(z)")


@pytest.mark.item("vicreg.batch_sizes")
@pytest.mark.parametrize("rows, columns", [(96, 16), (17, 40), (2, 64)])
def test_larger_batches(student, reference, rows, columns):
    z = large(rows, columns, seed=rows)
    found = student.vicreg.variance_loss(z)
    measure.one_of(found, variance_options(reference, z), **tolerance(z), what="variance_loss(z)")
    found = student.vicreg.covariance_loss(z)
    measure.one_of(found, covariance_options(reference, z), **tolerance(z), what="covariance_loss(z)")


@pytest.mark.item("vicreg.weights")
@unshrunk
@given(pair=batches(2), weights=st.tuples(*[st.sampled_from([0.0, 1.0, 2.5, 25.0])] * 3))
def test_weights(student, reference, pair, weights):
    z_a, z_b = pair
    terms = student.vicreg.vicreg_loss(z_a, z_b, *weights)
    names = ("invariance", "variance", "covariance")
    is_named = isinstance(terms, dict) and {*names, "total"} <= set(terms)
    expect.true(is_named, "a VICRegTerms with its four fields", expect.describe(terms))
    options = (invariance_options(reference, z_a, z_b), variance_options(reference, z_a, z_b),
               covariance_options(reference, z_a, z_b))  # fmt: skip
    for name, each in zip(names, options):
        measure.one_of(terms[name], each, **tolerance(z_a), what=f"`{name}`")
    s, v, c = (weight * float(terms[name]) for weight, name in zip(weights, names))
    total = {"ours": s + v + c, "halved": s + v / 2 + c}
    measure.one_of(terms["total"], total, **tolerance(z_a), what="`total`, for the other terms that came with it,")


SLOPED = torch.tensor([[0.1, 1.0, 4.0], [0.4, 0.2, -2.0], [0.3, 0.9, 1.0], [-0.2, 0.7, 6.0], [0.5, 0.1, 2.0]])
SLOPED_B = torch.tensor([[0.3, 0.8, 1.0], [0.1, 0.5, 0.0], [0.4, 0.2, 3.0], [0.2, 0.0, 5.0], [-0.3, 0.6, 2.0]])


@pytest.mark.item("vicreg.gradient_values")
@pytest.mark.parametrize(
    "function, output, pair",
    [("invariance_loss", None, True), ("variance_loss", None, False), ("covariance_loss", None, False),
     *[("vicreg_loss", field, True) for field in FIELDS]],
)  # fmt: skip
def test_gradient(student, function, output, pair):
    args = [SLOPED.double(), SLOPED_B.double()][: 1 + pair]
    grads = student.gradient(f"vicreg.{function}", *args, wrt=tuple(range(len(args))), output=output)
    if isinstance(grads, list):  # what a term does not depend on has a slope of 0, and other items ask whether it should
        grads = [torch.zeros(5, 3) if each is None else each for each in grads]
    names = ("z_a", "z_b")[: len(args)]
    value = function if output is None else f"`{output}` of {function}"
    for position, grad in enumerate(measure.gradients(grads, [(5, 3)] * len(args), what=value, names=names)):
        what = f"the gradient of {value} with respect to {names[position]}"
        compare_slopes(student, function, output, args, position, grad, what)


def compare_slopes(student, function: str, output, args: list, position: int, grad, what: str) -> None:
    """Finite differences of the submission's own function along three directions: any convention will do.

    Central differences with a step of 1e-3 are off by 1e-6 here, by up to 1e-3 of the value where the submission works
    in float32; a part of the graph that is missing changes a slope by a tenth of it or more.
    """

    def value(moved) -> float:
        found = getattr(student.vicreg, function)(*[moved if i == position else each for i, each in enumerate(args)])
        return float(expect.scalar(found if output is None else found[output], what=function))

    for seed in range(3):
        direction = torch.randn(5, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        up, down = value(args[position] + 1e-3 * direction), value(args[position] - 1e-3 * direction)
        expect.close((grad.double() * direction).sum(), (up - down) / 2e-3, rtol=5e-3, atol=2e-3 * max(1.0, abs(up)),
                     what=f"{what}, along a direction,")  # fmt: skip


@pytest.mark.item("vicreg.gradient_finite")
def test_gradient_where_a_column_is_constant(student):
    z = torch.tensor([[3.0, 0.0], [3.0, 0.5], [3.0, 1.0]])
    grad = student.gradient("vicreg.variance_loss", z)
    expect.tensor(grad, (3, 2), what="the gradient of variance_loss with a constant column")


@pytest.mark.item("vicreg.dtype")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_dtype(student, dtype):
    z_a, z_b = SLOPED.to(dtype), SLOPED_B.to(dtype)
    for name, args in (("invariance_loss", (z_a, z_b)), ("variance_loss", (z_a,)), ("covariance_loss", (z_a,))):
        value = getattr(student.vicreg, name)(*args)
        expect.tensor(value, (), dtype, what=f"{name} of {expect.dtype_text(dtype)} embeddings")
    terms = terms_of(student.vicreg.vicreg_loss(z_a, z_b))
    for name in FIELDS:
        expect.tensor(terms[name], (), dtype, what=f"`{name}` of vicreg_loss of {expect.dtype_text(dtype)} embeddings")


@pytest.mark.item("vicreg.side_effects")
def test_side_effects(student):
    student.vicreg.invariance_loss(SLOPED, SLOPED_B)
    student.vicreg.variance_loss(SLOPED)
    student.vicreg.covariance_loss(SLOPED)
    student.vicreg.vicreg_loss(SLOPED, SLOPED_B)
    names = ", ".join(sorted(each.split(".")[-1] for each in student.mutated))
    expect.true(not names, "the functions to leave their inputs as they were", f"embeddings changed by {names}")
    changed = ", ".join(sorted(student.changed_settings))
    expect.true(not changed, "the functions to leave global settings alone", f"a change of {changed}")
