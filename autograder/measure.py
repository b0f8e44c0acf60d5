"""What checks work out from a submission's outputs: which convention a value follows, what was drawn for a view."""
import torch

from autograder import expect, limits


def one_of(value, options: dict[str, float], *, rtol: float, atol: float, what: str) -> str:
    """The name of the option that the scalar `value` equals. Equal to none: it is compared with the first."""
    found = expect.scalar(value, what=what).double()
    for name, wanted in options.items():
        wanted = torch.as_tensor(wanted, dtype=torch.float64)
        if (found - wanted).abs() <= atol + rtol * wanted.abs():
            return name
    first = torch.as_tensor(next(iter(options.values())), dtype=torch.float64)
    expect.close(value, first, rtol=rtol, atol=atol, what=what)
    raise AssertionError("unreachable: the first option was refused and accepted")


def gradients(value, shapes: list[tuple], *, what: str, names: tuple[str, ...]) -> list[torch.Tensor]:
    """The gradients that `student.gradient` returned, after each was found to be there, of its shape and finite."""
    found = value if isinstance(value, list) and len(value) == len(names) else [value] * len(names)
    for grad, name in zip(found, names):
        one = f"the gradient of {what} with respect to {name}"
        expect.true(grad is not None, one, f"none: the result does not depend on {name} (is it detached?)")
    return [expect.tensor(g, s, what=f"the gradient of {what} with respect to {n}") for g, s, n in zip(found, shapes, names)]


# What was drawn for a view, read from images made for it.


def frequency(happened: torch.Tensor, p: float, what: str) -> None:
    """`happened`, one bool an image, has probability p for each image on its own."""
    n, count = len(happened), int(happened.sum())
    expect.true(limits.count_fits(count, n, p, what), f"{what} for about {p:.0%} of the images, drawn for each on its own",
                f"{count} of {n}")  # fmt: skip


def uniform(draws: torch.Tensor, low: float, high: float, slack: float, what: str) -> None:
    """`draws`, one an image, spread evenly over [low, high]: none outside by more than `slack`, a quarter in each quarter."""
    smallest, largest = float(draws.min()), float(draws.max())
    inside = smallest >= low - slack and largest <= high + slack
    wanted = f"{what} between {low:g} and {high:g}"
    expect.true(inside, wanted, f"{what} between {smallest:.3g} and {largest:.3g}")
    quarter = ((draws - low) / (high - low) * 4).floor().clamp(0, 3).long()
    counts = torch.bincount(quarter, minlength=4)
    quarters = [f"{what}, {name} quarter" for name in ("first", "second", "third", "fourth")]
    even = all(limits.count_fits(int(count), len(draws), 0.25, name) for count, name in zip(counts, quarters))
    expect.true(even, f"{wanted}, drawn evenly for each image on its own", f"{counts.tolist()} in the four quarters")


def ramps(n: int, size: int | tuple[int, int] = 32) -> torch.Tensor:
    """Images whose red tells the column and whose green tells the row, each from 0 to 1; blue is .5. (n, 3, H, W).

    `size` is (H, W), or one number for both.
    """
    height, width = size if isinstance(size, tuple) else (size, size)
    down, across = ((torch.arange(length) + 0.5) / length for length in (height, width))
    red, green = across.expand(height, width), down[:, None].expand(height, width)
    return torch.stack([red, green, torch.full((height, width), 0.5)]).repeat(n, 1, 1, 1)


def crop_boxes(views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(width, height, center x, center y) of the crops of `ramps`, as fractions of the image; a mirrored crop has width < 0.

    From the middle half of the view, where no border disturbs; right to a pixel or so for any interpolation.
    """
    height, width = views.shape[-2:]
    rows, columns = (slice(size // 4, size - size // 4) for size in (height, width))
    across = views[:, 0, rows, columns].mean(dim=1)
    down = views[:, 1, rows, columns].mean(dim=2)
    return _slope(across) * width, _slope(down) * height, across.mean(1), down.mean(1)


def _slope(lines: torch.Tensor) -> torch.Tensor:
    """By how much lines (n, length) climb from one place to the next, from the means of their halves."""
    half = lines.shape[1] // 2
    return (lines[:, half:].mean(1) - lines[:, :half].mean(1)) / half


def stripes(n: int) -> torch.Tensor:
    """Gray stripes three pixels wide, too faint for the jitter to clip. uint8, (n, 32, 32, 3)."""
    line = torch.where(torch.arange(32) // 3 % 2 == 0, 50, 150).to(torch.uint8)
    return line.view(1, 1, 32, 1).repeat(n, 32, 1, 3)


SOFT = 0.55  # sharpness: .63 and more in unblurred views of a bilinear crop, .59 of a bicubic one; .33 where σ = 2


def sharpness(views: torch.Tensor) -> torch.Tensor:
    """Of the edges in views (n, 3, 32, 32) of `stripes`: 1 for a step at the size of the image; NaN where no edges are.

    An edge that is enlarged s-fold climbs by 1/s a pixel: s times that is left when the distance of the edges tells s.
    """
    climbs = _lines(views).diff(dim=1)
    return climbs.square().sum(dim=1) / climbs.abs().sum(dim=1) / widths(views)


def widths(views: torch.Tensor) -> torch.Tensor:
    """Of the crops in views (n, 3, 32, 32) of `stripes`, as shares of the image; NaN where fewer than three edges are left."""
    lines = _lines(views)
    climbs, is_edge = lines.diff(dim=1), (lines > 0.5).int().diff(dim=1) != 0  # (n, W - 1)
    places = torch.arange(climbs.shape[1]) + (0.5 - lines[:, :-1]) / climbs
    first, last = (places.where(is_edge, none).aminmax(dim=1)[which] for which, none in ((0, torch.inf), (1, -torch.inf)))
    count = is_edge.sum(dim=1)
    return (3 * (count - 1) / (last - first)).where(count >= 3, torch.nan)


def _lines(views: torch.Tensor) -> torch.Tensor:
    """A line (n, W) across each view of `stripes`, from 0 to 1."""
    lines = views.double().mean(dim=1)[:, 8:-8, 1:-1].mean(dim=1)  # no border, whatever a blur does there
    low, high = (lines.quantile(each, dim=1, keepdim=True) for each in (0.1, 0.9))
    return (lines - low) / (high - low).clamp(min=1e-6)


def bands(n: int, dark: tuple[int, int, int], bright: tuple[int, int, int]) -> torch.Tensor:
    """Bands of two colors, eight pixels wide: a crop always shows both. uint8, (n, 32, 32, 3)."""
    is_bright = (torch.arange(32) // 8 % 2 == 1).view(32, 1)
    line = torch.where(is_bright, torch.tensor(bright), torch.tensor(dark)).to(torch.uint8)
    return line.repeat(n, 32, 1, 1)


def two_levels(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The dark and the bright level (n,) of maps (n, H, W) of bands: the medians below and above the middle of both."""
    lines = maps[:, 8:-8].mean(dim=1)  # (n, W)
    is_bright = lines > (lines.amin(dim=1, keepdim=True) + lines.amax(dim=1, keepdim=True)) / 2
    return tuple(lines.where(chosen, torch.nan).nanmedian(dim=1).values for chosen in (~is_bright, is_bright))


def hue(pixels: torch.Tensor) -> torch.Tensor:
    """Hue of HSV in [0, 1) of colors (n, 3) that are not gray."""
    red, green, blue = pixels.unbind(1)
    high, chroma = pixels.amax(1), pixels.amax(1) - pixels.amin(1)
    sector = torch.where(high == red, (green - blue) / chroma,
                         torch.where(high == green, (blue - red) / chroma + 2, (red - green) / chroma + 4))  # fmt: skip
    return (sector / 6) % 1


# Which eigenvectors the columns of a code are. Sign, scale and rotations inside an eigenspace say nothing about right or wrong.

RESIDUAL = 2e-3  # of an eigenvector, relative: solvers in float32 leave 1e-5, other problems' vectors .02 and more
EIGENVALUE = 2e-3  # two eigenvalues that are closer than this may change places


def eigenmaps(codes: torch.Tensor, affinities: list[torch.Tensor], what: str) -> str:
    """Which convention `codes` (N, k) follow: "y" or "D^½ y". Mismatch where they are the eigenmaps of none of the graphs.

    A graph is W (N, N), dense, without rows of zeros. What came is told by the first one.
    """
    for affinity in affinities:
        for name in ("y", "D^½ y"):
            if eigenmaps_mistake(codes, affinity, name) is None:
                return name
    wanted = f"{what} to be the eigenvectors of L y = λ D y with the smallest λ save that of the constant one, in ascending order"
    raise expect.Mismatch(wanted, what_came(codes, affinities[0]), values=False)


def what_came(codes: torch.Tensor, affinity: torch.Tensor) -> str:
    """How `codes` miss the eigenmaps of the graph: by the convention, or by another problem, that they fit best."""
    unweighted = torch.ones(len(affinity), dtype=torch.float64)
    mistakes = [eigenmaps_mistake(codes, affinity, name) for name in ("y", "D^½ y")]
    named = [each for each in mistakes if each != NO_EIGENVECTORS]
    if not named and (residuals(codes, affinity, unweighted)[1] < RESIDUAL).all():
        return "eigenvectors of L y = λ y, without the degrees"
    return named[0] if named else NO_EIGENVECTORS


NO_EIGENVECTORS = "columns that are no eigenvectors of this problem"


def eigenmaps_mistake(codes: torch.Tensor, affinity: torch.Tensor, convention: str) -> str | None:
    """None where the columns of `codes` are the eigenmaps of W in this convention, otherwise what they are instead."""
    degrees = affinity.sum(dim=1)
    y = codes.double() / (degrees.sqrt()[:, None] if convention == "D^½ y" else 1.0)
    if (y.abs().amax(dim=0) == 0).any():
        return "a column of zeros"
    values, off = residuals(y, affinity, degrees)
    if not (off < RESIDUAL).all():
        return NO_EIGENVECTORS
    if flat := [i for i in range(y.shape[1]) if y[:, i].std() < 1e-3 * y[:, i].abs().max()]:
        return f"a constant column ({flat[0]}): the trivial eigenvector, of λ = 0"
    u = degrees.sqrt()[:, None] * y
    if torch.linalg.svdvals(u / u.norm(dim=0)).min() < 0.1:
        return "columns that repeat each other"
    wanted = eigenvalues(affinity)[1 : 1 + y.shape[1]]
    if ((values - wanted).abs() < EIGENVALUE).all():
        return None
    came, right = (", ".join(f"{each:.3g}" for each in of[:4]) for of in (values, wanted))
    return f"eigenvectors of λ = {came}, … instead of {right}, …" if y.shape[1] > 4 else f"eigenvectors of λ = {came} instead of {right}"


def residuals(y: torch.Tensor, affinity: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each column of y: its Rayleigh quotient λ, and how far it is from solving (D − W) y = λ · weights · y, relative."""
    y = y.double()
    applied = affinity.sum(dim=1)[:, None] * y - affinity @ y  # L y
    norms = (weights[:, None] * y * y).sum(dim=0)
    values = (y * applied).sum(dim=0) / norms
    off = applied - values * weights[:, None] * y
    return values, ((off * off / weights[:, None]).sum(dim=0) / norms).sqrt()


def eigenvalues(affinity: torch.Tensor) -> torch.Tensor:
    """All λ of L y = λ D y, ascending."""
    scale = affinity.sum(dim=1).rsqrt()
    return torch.linalg.eigvalsh(torch.eye(len(affinity), dtype=torch.float64) - scale[:, None] * affinity * scale)


def usable(affinity: torch.Tensor) -> bool:
    """Whether W has a spectrum to compare with: symmetric, not negative, and no row without a neighbor."""
    symmetric = torch.allclose(affinity, affinity.T, rtol=1e-5, atol=1e-8)
    return symmetric and bool((affinity >= 0).all() and (affinity.sum(dim=1) > 0).all())


def curved(points: torch.Tensor, x: torch.Tensor) -> float:
    """What share of the spread of a map `points` (n, 2) no linear map of x (n, dim) explains: 0 to 1."""
    design = torch.nn.functional.pad(x.double(), (0, 1), value=1.0)
    left = points - design @ torch.linalg.lstsq(design, points).solution
    return float(left.square().sum() / (points - points.mean(dim=0)).square().sum().clamp(min=1e-30))
