"""Mistakes in task 10. `_right` is the reference's function, taken while the name still means it."""

import numpy as np
import torch

from autograder import expect
from autograder.diagnosis import Raised, attempt
from autograder.misconceptions import misconception, observer
from solutions.latent_optimization import (
    _own_draws,
    _shared_by_views,
    _textures_of_views,
    augment,
    covariance_loss,
    optimize_latents,
    variance_loss,
)

TARGET = "latent_optimization.optimize_latents"


@misconception(
    TARGET,
    "the three terms alone",
    "The codes are optimized under VICReg's three terms and nothing else. These are fulfilled by any codes "
    "that are equal for both views, spread out and uncorrelated; which image a code belongs to "
    "changes nothing.",
)
def three_terms(images, dim=16, steps=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randn(2, len(images), dim, generator=generator).requires_grad_()
    optimizer = torch.optim.Adam([codes], lr=0.1)
    for _ in range(steps):
        z_a, z_b = codes
        loss = 25 * (z_a - z_b).square().mean() + 25 * (variance_loss(z_a) + variance_loss(z_b))
        loss = loss + covariance_loss(z_a) + covariance_loss(z_b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return codes.detach()[0]


@misconception(
    TARGET,
    "codes not optimized",
    "The codes stay where they were drawn, for any number of steps. They have to be among the optimizer's "
    "parameters, with a learning rate, and what comes back is what became of them.",
)
def frozen_codes(images, dim=16, steps=200, seed=0):
    target = _shared_by_views(_textures_of_views(torch.as_tensor(images), seed))
    codes = torch.randn(len(images), dim, generator=torch.Generator().manual_seed(seed))
    weight = torch.zeros(dim, target.shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        (codes @ weight - target).square().mean().backward()
        optimizer.step()
    return codes


@misconception(
    TARGET,
    "learning rate of the codes far too small",
    "The codes hardly leave their random start. Each of them gets a gradient from its own image alone, "
    "divided by the number of images: they need a much larger learning rate than the generator.",
)
def slow_codes(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    from unittest import mock

    with mock.patch.dict(globals(), CODE_LR=1e-4):
        return _right(images, dim, steps, seed)


@misconception(
    TARGET,
    "attraction without repulsion",
    "Codes are only pulled together, and collapse to one point. Something has to keep them apart.",
)
def pulled_together(images, dim=16, steps=200, seed=0):
    codes = torch.randn(len(images), dim, generator=torch.Generator().manual_seed(seed))
    for _ in range(steps):
        codes = codes + 0.1 * (codes.mean(dim=0) - codes)
    return codes.round(decimals=4)


@misconception(
    TARGET,
    "one direction only",
    "All numbers of a code are the same: the codes lie on a line. The covariance term has to keep columns "
    "from repeating each other.",
)
def one_direction(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    return _right(images, dim, steps, seed)[:, :1].expand(-1, dim).clone()


@misconception(
    TARGET,
    "principal components of the pixels",
    "These are principal components of the images: they have content before the first step. The codes should "
    "start at random, and get their content by being optimized.",
)
def principal_components(images, dim=16, steps=200, seed=0):
    x = torch.as_tensor(images).flatten(1).float()
    noise = torch.randn(len(x), dim, generator=torch.Generator().manual_seed(seed))
    u, s, _ = torch.linalg.svd(x - x.mean(dim=0), full_matrices=False)
    found = (u * s)[:, :dim]
    return torch.nn.functional.pad(found, (0, dim - found.shape[1])) + noise * (1 + steps) * 1e-3


@misconception(
    TARGET,
    "codes computed from the images at the start",
    "The start of a code is computed from its image, by fixed random weights. That is an (untrained) "
    "encoder; free codes start without any content.",
)
def started_from_images(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    x = torch.as_tensor(images).flatten(1).float() / 255
    weight = torch.randn(x.shape[1], dim, generator=torch.Generator().manual_seed(seed))
    return x @ weight / 32 if steps == 0 else _right(images, dim, steps, seed)


@misconception(
    TARGET,
    "an encoder",
    "A network computes the codes from the images. That is what amortization means; here every code is a "
    "free parameter of its own.",
)
def amortized(images, dim=16, steps=200, seed=0):
    target = _shared_by_views(_textures_of_views(torch.as_tensor(images), seed))
    generator = torch.Generator().manual_seed(seed)
    weight = (torch.randn(target.shape[1], dim, generator=generator) / 10).requires_grad_()
    back = (torch.randn(dim, target.shape[1], generator=generator) / 10).requires_grad_()
    optimizer = torch.optim.Adam([weight, back], lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        (target @ weight @ back - target).square().mean().backward()
        optimizer.step()
    return (target @ weight).detach()


@misconception(
    TARGET,
    "seed not used",
    "Codes, generator or views are drawn from the global generator, and the argument seed is not used: every "
    "call gives other codes.",
)
def unseeded(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    return _right(images, dim, steps, int(torch.randint(0, 10_000, (1,))))


@misconception(
    TARGET,
    "only the codes seeded",
    "The codes are drawn with the seed, and something else is not, such as the views: it comes from the global generator, "
    "wherever that happens to be.",
)
def unseeded_views(images, dim=16, steps=200, seed=0):
    images = torch.as_tensor(images)
    codes = torch.randn(len(images), dim, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    weight = torch.zeros(dim, images[0].numel(), requires_grad=True)
    optimizer = torch.optim.Adam([codes, weight], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        (codes @ weight - augment(images).flatten(1)).square().mean().backward()
        optimizer.step()
    return codes.detach()


@misconception(
    TARGET,
    "always the same seed",
    "The seed is fixed inside: another seed gives the same codes.",
)
def fixed_seed(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    return _right(images, dim, steps, 0)


@misconception(
    TARGET,
    "global seed set",
    "The seed of torch's global generator is set inside the function: all later draws of the program repeat.",
)
def global_seed(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    torch.manual_seed(seed)
    return _right(images, dim, steps, seed)


@misconception(
    TARGET,
    "NumPy's global seed set",
    "np.random.seed is called inside the function: all later draws of the program repeat. Whose draws change when you "
    "set it, and where could draws of your own come from?",
)
def numpy_seed(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    np.random.seed(seed)
    return _right(images, dim, steps, seed)


@misconception(
    TARGET,
    "dim ignored",
    "The length of the codes does not follow the argument dim.",
)
def always_sixteen(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    return _right(images, 16, steps, seed)


@misconception(
    TARGET,
    "steps ignored",
    "The number of updates is fixed inside: after 0 steps, the codes already know their images.",
)
def always_all_steps(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    return _right(images, dim, 100, seed)


@misconception(
    TARGET,
    "order lost",
    "The rows are in the order in which images were drawn for a batch, not in that of the images: codes and "
    "labels no longer belong together.",
)
def order_lost(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return _right(images, dim, steps, seed)[order]


@misconception(
    TARGET,
    "views of other images",
    "In every step, the code of an image has to reproduce views of whichever images the draw put into that "
    "row: the views are shuffled and the codes are not.",
)
def other_images(images, dim=16, steps=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = _shared_by_views(_textures_of_views(torch.as_tensor(images), seed))
    codes = torch.randn(len(images), dim, generator=generator).requires_grad_()
    weight = torch.randn(dim, target.shape[1], generator=generator).requires_grad_()
    optimizer = torch.optim.Adam([codes, weight], lr=0.1)
    for _ in range(steps):
        shuffled = target[torch.randperm(len(target), generator=generator)]
        optimizer.zero_grad()
        (codes @ weight - shuffled).square().mean().backward()
        optimizer.step()
    return codes.detach()


@misconception(
    TARGET,
    "position in the batch taken as index",
    "Codes are looked up by the position in the batch: all batches share the first rows, and the code of an "
    "image is that of many images.",
)
def batch_positions(images, dim=16, steps=200, seed=0, batch=32):
    generator = torch.Generator().manual_seed(seed)
    target = _shared_by_views(_textures_of_views(torch.as_tensor(images), seed))
    codes = torch.randn(len(images), dim, generator=generator).requires_grad_()
    weight = torch.randn(dim, target.shape[1], generator=generator).requires_grad_()
    optimizer = torch.optim.Adam([codes, weight], lr=0.1)
    for _ in range(steps):
        chosen = torch.randperm(len(target), generator=generator)[:batch]
        optimizer.zero_grad()
        (codes[: len(chosen)] @ weight - target[chosen]).square().mean().backward()
        optimizer.step()
    return codes.detach()


@misconception(
    TARGET,
    "codes of both views below each other",
    "There are two rows for each image, one for each view. The caller wants one: the mean of both, or one of "
    "them.",
)
def both_views(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    found = _right(images, dim, steps, seed)
    return torch.cat([found, found])


@misconception(
    TARGET,
    "a pair of codes",
    "A pair comes back, codes of the one and of the other view. The caller wants one code for each image.",
)
def pair(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    found = _right(images, dim, steps, seed)
    return found, found


@misconception(
    TARGET,
    "one column an image",
    "The codes are the columns. Row i should be the code of image i.",
)
def columns(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    return _right(images, dim, steps, seed).T


@misconception(
    TARGET,
    "incomplete last batch dropped",
    "Images of an incomplete last batch have no code. Every image needs its row.",
)
def last_batch_dropped(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    size = min(8, len(images))
    return _right(images[: len(images) // size * size], dim, steps, seed)


@misconception(
    TARGET,
    "a singular matrix inverted",
    "With fewer images than features, a covariance matrix has no inverse. Add a small multiple of the "
    "identity, or leave out the directions without variance.",
)
def singular(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    if steps:
        features = torch.as_tensor(images)[:, ::4, ::4].flatten(1).double()
        torch.linalg.cholesky(torch.cov(features.T))
    return _right(images, dim, steps, seed)


@misconception(
    TARGET,
    "images changed in place",
    "The images that were passed in are changed: the caller's arrays are not yours to write into.",
)
def images_in_place(images, dim=16, steps=200, seed=0, _right=optimize_latents):
    images //= 2
    return _right(images, dim, steps, seed)


@misconception(
    TARGET,
    "divided by a spread of zero",
    "For two images NaN comes out: of a division by a spread that is 0 or undefined, say, or of the root of a number "
    "below 0.",
)
def divided_by_zero(images, dim=16, steps=200, seed=0):
    with _own_draws(seed):
        codes = torch.zeros(len(images), dim)
        return (codes - codes.mean(dim=0)) / codes.std(dim=0)


# Facts. Which repair was chosen is free, so that nothing is said about the content of codes, but for the start: only whose
# code an image moves, and how far. That codes learn from other images' views does not show here, and is not named.

ROWS = 34  # more than a batch of 32, and no multiple of the usual smaller ones
_generator = torch.Generator().manual_seed(10)
_fine = torch.randint(-40, 41, (32, 32, 3), generator=_generator)
TEXTURED = torch.rand(40, generator=_generator) < 0.5
LEVEL = torch.randint(0, 4, (40,), generator=_generator)
# A level for each, and the same texture in half of them: whatever is linear in the pixels is linear in these two.
START = (100 + 20 * LEVEL.view(-1, 1, 1, 1) + TEXTURED.view(-1, 1, 1, 1) * _fine).to(torch.uint8)
NOISE = torch.randint(0, 256, (ROWS, 32, 32, 3), generator=_generator).to(torch.uint8)
SMOOTH = torch.linspace(60, 200, 12).view(12, 1, 1, 1) + torch.linspace(-30, 30, 32).view(32, 1, 1) * torch.ones(32, 3)
SMOOTH = SMOOTH.to(torch.uint8)
FEW = torch.where(torch.arange(12).view(-1, 1, 1, 1) % 2 == 0, NOISE[:12], SMOOTH)


@observer(TARGET)
def observe_latents(student):
    optimize = student.latent_optimization.optimize_latents
    for steps in (1, 10):  # what goes wrong later may be a learning rate that is too large
        two = _form(attempt(optimize, NOISE[:2], dim=5, steps=steps), 2)
        if two in ("a singular matrix", "not finite"):
            return {f"two images, {steps} steps": two}
    found = attempt(optimize, NOISE, dim=5, steps=2, seed=1)
    facts = {"form": _form(found, ROWS)}
    if facts["form"] == "other columns":
        fewer = attempt(optimize, NOISE, dim=3, steps=0, seed=1)
        facts["form"] = "as many columns for any dim" if getattr(fewer, "shape", None) == found.shape else "other columns"
    if facts["form"] != "one row an image":
        return facts
    facts["start"] = _start(optimize)
    if facts["start"] == "few directions of the pixels":
        return facts
    if TARGET not in student.mutated:  # else the second call has other images
        facts["seed"] = _use_of_seed(student)
        if facts["seed"] in ("not used", "not used for views"):  # the rest is of other draws
            return facts
    facts["still"] = _still(_codes(optimize, NOISE, dim=5, steps=0), expect.as_tensor(found, "codes").double())
    if facts["still"] == "all" and facts["start"] != "random":
        return facts | {"start": "tells the images"}
    return facts | (_moves(optimize) if facts["still"] == "none" else {})


def _moves(optimize) -> dict:
    """How far codes move in 20 steps, and whose code an image moves."""
    start, later = (_codes(optimize, FEW, dim=4, steps=steps) for steps in (0, 20))
    deviation = start.std(dim=0).mean()
    if (later - start).abs().max() < 0.015 * deviation:  # a learning rate of 1e-3 goes farther
        return {"moved": "hardly"}
    shares = torch.linalg.svdvals(later - later.mean(dim=0))
    return {
        "moved": "to one point" if later.std(dim=0).mean() < 0.2 * deviation else "far",
        "one direction": bool(shares[1] < 1e-3 * shares[0]),
        "an image moves": _whose(optimize, later),
    }


def _codes(optimize, images: torch.Tensor, **options) -> torch.Tensor:
    return expect.as_tensor(optimize(images, **({"seed": 1} | options)), "codes").double()


def _form(value, rows: int) -> str | Raised:
    """Of codes of five numbers for so many images."""
    if isinstance(value, Raised):
        return "a singular matrix" if "LinAlgError" in value.type_name else value
    if isinstance(value, tuple | list):
        return f"{len(value)} parts"
    found = expect.as_tensor(value, "codes")
    if not found.isfinite().all():
        return "not finite"
    shapes = {"one row an image": (rows, 5), "two rows an image": (2 * rows, 5), "one column an image": (5, rows)}
    for name, shape in shapes.items():
        if found.shape == shape:
            return name
    if found.dim() == 2 and found.shape[1] == 5 and len(found) < rows:
        return "rows missing"
    return "other columns" if found.dim() == 2 and len(found) == rows else "other"


def _use_of_seed(student) -> str | list[str]:
    """What two calls with one seed give (the scenario `twice`), at the start and after two steps; and another seed."""
    start, after = (student.run("twice", TARGET, NOISE[:4], dim=3, steps=steps, seed=7) for steps in (0, 2))
    for came, name in ((start, "not used"), (after, "not used for views")):
        first, again = (expect.as_tensor(each, "codes").double() for each in came["values"])
        if not torch.allclose(first, again, 1e-3, 1e-3):
            return name
    other = _codes(student.latent_optimization.optimize_latents, NOISE[:4], dim=3, steps=0, seed=8)
    if torch.allclose(other, expect.as_tensor(start["values"][0], "codes").double(), 1e-3, 1e-6):
        return "always the same"
    return sorted({str(each) for came in (start, after) for each in came["generators_changed"]})


def _start(optimize) -> str:
    """What codes after 0 steps tell about their images; where they tell something, whether it is so after 10 steps."""
    found = _codes(optimize, START, dim=4, steps=0)
    columns = torch.stack([TEXTURED, LEVEL, torch.ones(40)], dim=1).double()
    is_linear = _explained(found, columns) > 0.99
    if not is_linear and _explained(columns[:, :1], torch.nn.functional.pad(found, (0, 1), value=1.0)) < 0.6:  # by chance, .1
        return "random"
    spread = found.std(dim=0)
    if is_linear and (spread > 0.02 * spread.max()).sum() < 4:
        return "few directions of the pixels"
    # There are eight different images. An encoder has equal codes for equal ones, also by views: .998.
    kinds = torch.nn.functional.one_hot(2 * LEVEL + TEXTURED.long()).double()
    later = _explained(_codes(optimize, START, dim=4, steps=10), kinds)
    return "computed from the image, and later" if later > 0.996 else "computed from the image" if later < 0.9 else "of the image"


def _explained(values: torch.Tensor, columns: torch.Tensor) -> float:
    """The share of the variance of values that is linear in the columns."""
    left = values - columns @ torch.linalg.lstsq(columns, values, driver="gelsd").solution
    return float(1 - left.square().sum() / (values - values.mean(dim=0)).square().sum().clamp(min=1e-30))


def _still(before: torch.Tensor, after: torch.Tensor) -> str:
    """Which rows do not move in two steps."""
    still = (before - after).abs().amax(dim=1) == 0
    if still.all() or not still.any():
        return "all" if still.all() else "none"
    return "the last" if torch.equal(still, still.sort().values) else "some"


def _whose(optimize, before: torch.Tensor) -> str:
    """Whose code another image in the place of one moves most: that of another row, where that stands out three times of four.

    Some repairs let an image move all codes. That is "free", as is its own.
    """
    others = 0
    for row in (2, 5, 8, 11):
        changed = FEW.clone()
        changed[row] = SMOOTH[row] if row % 2 == 0 else NOISE[row]
        moved = (_codes(optimize, changed, dim=4, steps=20) - before).norm(dim=1)
        first, second = moved.topk(2)[0].tolist()
        if first == 0:
            return "none"
        if int(moved.argmax()) == row:
            break
        others += first > 2 * second
    return "another's" if others >= 3 else "free"
