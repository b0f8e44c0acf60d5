"""Task 10 on a handful of images: what holds for every repair, whichever it is."""

import pytest
import torch

from autograder import expect, limits

TARGET = "latent_optimization.optimize_latents"


def images(count: int, seed: int = 0) -> torch.Tensor:
    """Noise of random brightness, uint8 (count, 32, 32, 3)."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 64, (count, 32, 32, 3), generator=generator)
    return (noise + torch.randint(0, 192, (count, 1, 1, 1), generator=generator)).to(torch.uint8)


def codes(value, count: int, dim: int, what: str = "optimize_latents(...)") -> torch.Tensor:
    """Codes as float64, after type, shape, dtype and finiteness were found right."""
    found = expect.tensor(value, (count, dim), what=what)
    expect.true(
        found.is_floating_point(), f"{what} of a float dtype", f"dtype {expect.dtype_text(found.dtype)}"
    )
    return found.double()


@pytest.mark.item("latent_optimization.format")
def test_format(student):
    optimize = student.latent_optimization.optimize_latents
    codes(optimize(images(10), dim=4, steps=3), 10, 4, "optimize_latents(images, dim=4, steps=3)")
    codes(optimize(images(8).numpy(), steps=2, seed=5), 8, 16, "the codes of a NumPy array, by default")


@pytest.mark.item("latent_optimization.few_images")
def test_few_images(student):
    # Fewer images than a usual batch, and than numbers in a code; steps enough for a division by 0 to show.
    for count, dim in ((2, 3), (3, 5), (5, 24)):
        found = student.latent_optimization.optimize_latents(images(count), dim=dim, steps=10)
        codes(found, count, dim, f"the codes of {count} images, dim={dim}")


# By chance, codes tell .03 of the group. A principal component of these images, or an untrained encoder, tells .9 or more.
MAX_TOLD = limits.at_most(0.5, "share of the group that codes tell at the start", "share")


@pytest.mark.item("latent_optimization.start")
def test_start(student, seed=0):
    check_start(student, 2 * seed, ((3, 2 * seed), (6, 2 * seed + 1)))


def check_start(student, drawn: int, starts: tuple) -> None:
    """For each number of dimensions and each seed in `starts`: codes do not tell two groups of images apart."""
    dark, bright = images(120, seed=drawn) // 8, 255 - images(120, seed=drawn + 1) // 8
    half = torch.arange(120) % 2 == 0
    mixed = torch.where(half.view(-1, 1, 1, 1), dark, bright)
    for dim, start in starts:
        found = student.latent_optimization.optimize_latents(mixed, dim=dim, steps=0, seed=start)
        found = codes(found, 120, dim, "the codes after 0 steps")
        told = explained(found, half)
        what = "codes after 0 steps that tell nothing about the images"
        came = f"codes that tell dark from bright images (R² = {told:.2f}; by chance, about 0.03)"
        MAX_TOLD.check(told, what, came)


def explained(found: torch.Tensor, group: torch.Tensor) -> float:
    """R² of the linear regression of a group's indicator on the codes."""
    scaled = (found - found.mean(dim=0)) / (found.std(dim=0) + 1e-9)
    columns = torch.nn.functional.pad(scaled, (0, 1), value=1.0)
    wanted = group.double()
    solution = torch.linalg.lstsq(columns, wanted[:, None], driver="gelsd").solution
    residual = wanted - (columns @ solution).squeeze(1)
    return float(1 - residual.square().sum() / (wanted - wanted.mean()).square().sum())


# Half may rest: batches may be small and drawn at random.
MAX_STILL = limits.at_most_of(6, 12, "codes that do not move")


@pytest.mark.item("latent_optimization.steps")
def test_steps(student, seed=0):
    check_steps(student, seed, 3 + seed)


def check_steps(student, drawn: int, start: int) -> None:
    optimize = student.latent_optimization.optimize_latents
    few, more = (codes(optimize(images(12, drawn), dim=4, steps=n, seed=start), 12, 4) for n in (0, 30))
    still = (few - more).abs().amax(dim=1) <= 1e-6 * (1 + few.abs().max())
    # However small a learning rate is: codes that are never updated, or steps that is never read, give 0.
    # Rounding in float32 at a size of 1 gives 1e-7.
    count = int(still.sum())
    wanted = f"codes that move in 30 steps (seed={start}), away from where 0 steps leave them"
    MAX_STILL.check(count, wanted, f"{count} of 12 codes that did not move")


@pytest.mark.item("latent_optimization.seed")
def test_seed(student):
    check_seeds(student, 0, 7, 8)


def check_seeds(student, drawn: int, one: int, two: int) -> None:
    given = images(9, drawn)
    came = student.run("twice", TARGET, given, dim=4, steps=4, seed=one)
    first, again = (codes(each, 9, 4) for each in came["values"])
    # The same code on the same numbers; threads may sum in another order, and 4 steps amplify that little.
    expect.close(again, first, rtol=1e-3, atol=1e-3, what="a second run with the same seed")
    other = codes(student.latent_optimization.optimize_latents(given, dim=4, steps=4, seed=two), 9, 4)
    expect.true(
        not torch.allclose(first, other, rtol=1e-3, atol=1e-6),
        f"other codes for seed={two} than for seed={one}: they start at random",
        "the same codes",
    )
