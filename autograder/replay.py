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
    """The first pixels of the images that the rows of a view were made of; None where a row is none of those made.

    Row by row, for views may be drawn image by image, or of all images before the first batch.
    """
    known = {bytes_of(row): first for each in made for row, first in zip(each["view"], each["images"])}
    found = [known.get(bytes_of(row)) for row in view]
    return None if None in found else found


def bytes_of(row: torch.Tensor) -> tuple:
    return tuple(row.shape), row.contiguous().numpy().tobytes()


# How the two views of every batch may pass through a network: each takes the passes, and returns the pairs.


def in_halves(passes: list[torch.Tensor]) -> list[tuple]:
    return [tuple(each.tensor_split(2)) for each in passes]


def alternating(passes: list[torch.Tensor]) -> list[tuple]:
    return [(each[0::2], each[1::2]) for each in passes]


def one_after_the_other(passes: list[torch.Tensor]) -> list[tuple]:
    return list(zip(passes[::2], passes[1::2]))


def one_view_of_all_first(passes: list[torch.Tensor]) -> list[tuple]:
    return list(zip(passes[: len(passes) // 2], passes[len(passes) // 2 :]))


def arrangements(passes: list[torch.Tensor], batch_size: int) -> list:
    """Those that are possible by the number of rows, the usual one first."""
    if any(len(each) > batch_size for each in passes) and not any(len(each) % 2 for each in passes):
        return [in_halves, alternating]
    return [
        each for each in (one_after_the_other, one_view_of_all_first)
        if len(passes) % 2 == 0 and all(len(a) == len(b) for a, b in each(passes))
    ]  # fmt: skip


def pairs(tape: list[dict], key: str, batch_size: int, made: list[dict] = (), seen: list[dict] = ()) -> list[tuple]:
    """What passed through a network for the two views of each batch, pass after pass or both in one pass.

    Where several arrangements are possible, that in which both views of a pair are of the same images, by `made`.
    `seen`: the passes of the encoder, where `tape` is that of the projector, which may be arranged otherwise.
    """
    found, inputs = ([expect.tensor(each[name], what="what passed through the network") for each in tape] for name in (key, "input"))
    possible = arrangements(found, batch_size)
    if not possible:
        came = f"{len(found)} passes with {', '.join(str(len(each)) for each in found[:8])} rows"
        raise Mismatch("both views of every batch to pass through the networks", came or "no pass")
    made = represented(seen, made) if seen else made
    fitting = (each for each in possible if all(of_the_same(a, b, made) for a, b in each(inputs)))
    return next(fitting, possible[0])(found)


def represented(seen: list[dict], made: list[dict]) -> list[dict]:
    """The representations of the views `made`, in the same form: what the projector sees in their place."""
    passes = ((expect.tensor(each["output"]), images_of(expect.tensor(each["input"]), made)) for each in seen)
    return [{"view": view, "images": images} for view, images in passes if images is not None]


def of_the_same(a: torch.Tensor, b: torch.Tensor, made: list[dict]) -> bool:
    """Whether row i of both views is of the same image."""
    names = images_of(a, made)
    return names is not None and names == images_of(b, made)
