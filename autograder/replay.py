"""What training should have done, computed from the student's own loss.

The checks of task 3 ask whether the loop is right, not the loss: a student who halves the variance, or made a
mistake there, has been told so by task 2. So the networks are run on the trusted side, and the student's
`vicreg_loss` gives the loss of their embeddings, and its gradient.
"""

import contextlib
from collections.abc import Iterator

import torch

from autograder import expect
from autograder.expect import Mismatch
from autograder.worker import networks, wire

FIELDS = ("total", "invariance", "variance", "covariance")


@contextlib.contextmanager
def unlisted(student) -> Iterator[None]:
    """Calls made inside are not those that a failure shows."""
    count = len(student.calls)
    yield
    del student.calls[count:]


def terms(value, what: str) -> dict[str, torch.Tensor]:
    """The four fields of a named tuple, each a finite scalar."""
    named = isinstance(value, wire.Named) and all(name in value for name in FIELDS)
    if not named:
        expected = f"{what} to be a named tuple with the fields {', '.join(FIELDS)}"
        raise Mismatch(expected, expect.describe(value), values=False)
    return {name: expect.scalar(value[name], what=f"{what}.{name}") for name in FIELDS}


def close_terms(found: dict, expected: dict, what: str, note: str = "", fields=FIELDS) -> None:
    # float32 networks and another order of summation give 1e-6; the nearest mistake among those known (the
    # mean over batches taken over one too many) is off by more than 1e-2.
    for name in fields:
        expect.close(found[name], expected[name], rtol=1e-3, atol=1e-4, what=f"{what}.{name}", note=note)


def loss(student, z_a: torch.Tensor, z_b: torch.Tensor, **weights) -> dict[str, torch.Tensor]:
    """The student's own `vicreg_loss` of these embeddings."""
    with unlisted(student):
        return terms(student.vicreg.vicreg_loss(z_a, z_b, **weights), "vicreg_loss(z_a, z_b)")


def gradients(student, encoder, projector, view_a, view_b, **weights) -> list[torch.Tensor]:
    """The gradient of the student's total loss with respect to all parameters of both networks."""
    parameters = networks.parameters(encoder, projector)
    for parameter in parameters:
        parameter.grad = None
    z = [projector(encoder(view)) for view in (view_a, view_b)]
    with unlisted(student):
        found = student.gradient(
            "vicreg.vicreg_loss", *(each.detach() for each in z), wrt=(0, 1), output="total", **weights
        )
    # Where there is nothing to follow, a loop that does nothing would follow it.
    flat = not weights and not any(
        gradient is not None and torch.as_tensor(gradient).any() for gradient in found
    )
    expect.true(
        not flat, "vicreg_loss(z_a, z_b).total to depend on the embeddings", "a gradient of 0 everywhere"
    )
    for embedding, gradient in zip(z, found, strict=True):
        if gradient is not None:
            what = "the gradient of vicreg_loss(z_a, z_b).total"
            embedding.backward(expect.tensor(gradient, tuple(embedding.shape), what=what).to(embedding.dtype))
    return [networks.gradient_of(each) for each in parameters]


def close_lists(found: list, expected: list, what: str, rtol: float = 1e-3, atol: float = 1e-5) -> None:
    """Compare lists of tensors; the default tolerances are those of gradients in float32."""
    expect.true(len(found) == len(expected), f"{what} of {len(expected)} parameters", f"{len(found)} of them")
    for one, other in zip(found, expected):
        expect.close(one, other, rtol=rtol, atol=atol, what=what)


def images_of(view: torch.Tensor, made: list[dict]) -> list | None:
    """The first pixels of the images that a view was made of; None for what is none of the views that were made."""
    return next((each["images"] for each in made if torch.equal(each["view"], view)), None)


def pairs(tape: list[dict], key: str, batch_size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What passed through a network for the two views of each batch, pass after pass or both in one pass."""
    found = [expect.tensor(each[key], what="what passed through the network") for each in tape]
    if any(len(each) > batch_size for each in found) and not any(len(each) % 2 for each in found):
        return [tuple(each.tensor_split(2)) for each in found]
    if len(found) % 2 or any(len(a) != len(b) for a, b in zip(found[::2], found[1::2])):
        came = f"{len(found)} passes with {', '.join(str(len(each)) for each in found[:8])} rows"
        raise Mismatch("both views of every batch to pass through the networks", came or "no pass")
    return list(zip(found[::2], found[1::2]))
