"""What the checks of tasks 8 and 9 work out from a submission's outputs: pictures, scores, curves, clusters."""

from collections.abc import Iterator

import torch

from autograder import expect
from autograder.forkserver import Crash
from autograder.student import NotAttempted, StudentError

SIDE = 32


def integers(value, count: int | None, what: str) -> torch.Tensor:
    """`value` as int64 (count,), after it was found to hold integers. A list will do."""
    found = expect.tensor(vector(value), (count,), what=what)
    if found.is_floating_point() or found.dtype == torch.bool:
        raise expect.Mismatch(f"{what} to be integers", f"dtype {expect.dtype_text(found.dtype)}", values=False)
    return found.long()


def vector(value):
    """A list of numbers as a tensor; everything else as it is."""
    if not isinstance(value, list) or not value:
        return value
    try:
        numbers = [each.item() if hasattr(each, "item") else each for each in value]
        return torch.tensor(numbers) if all(type(each) in (int, float) for each in numbers) else value
    except (ValueError, RuntimeError, OverflowError):  # an entry of several numbers; an integer that is too large
        return value


def parts(value, names: tuple[str, ...], what: str) -> list:
    """The parts of a tuple, named or not, or of a list; refused where their number is another."""
    if isinstance(value, dict):  # that is what a named tuple arrives as
        value = tuple(value.values())
    if not isinstance(value, (tuple, list)) or len(value) != len(names):
        came = f"{len(value)} values" if isinstance(value, (tuple, list)) else expect.describe(value)
        raise expect.Mismatch(f"{what} to return ({', '.join(names)})", came, values=False)
    return list(value)


# Pictures


def check_picture(value, images: torch.Tensor, slack: torch.Tensor, what: str) -> None:
    """`value` shows the gray `images` (N, 28, 28) in color: whole, upright, in their range, enlarged or in a border.

    `slack`, (N,): how far a pixel may be off, for any interpolation.
    """
    found = expect.tensor(value, (len(images), SIDE, SIDE, 3), torch.uint8, what=what)
    expect.true(
        (found == found[..., :1]).all(), f"{what} with three equal channels", "channels that are different"
    )
    fits = any(_within(found[..., 0], *each, slack[:, None, None]) for each in _placements(images.float()))
    wanted = f"{what} to show the images as they were, in 0 to 255, enlarged or in a border"
    expect.true(fits, wanted, f"pictures that are neither: {expect.summary(found)}")


def _placements(images: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """All pictures that count as right, (N, 32, 32), with what of them is the image rather than its border."""
    for size in range(images.shape[-1], SIDE + 1):
        scaled = torch.nn.functional.interpolate(images[:, None], (size, size), mode="bilinear")[:, 0]
        for top in range(SIDE + 1 - size):
            for left in range(SIDE + 1 - size):
                around = (left, SIDE - size - left, top, SIDE - size - top)
                inside = torch.nn.functional.pad(torch.ones(size, size), around) > 0
                yield torch.nn.functional.pad(scaled, around), inside


def _within(gray: torch.Tensor, picture: torch.Tensor, inside: torch.Tensor, slack: torch.Tensor) -> bool:
    """A border is black, or repeats what is near: it is no brighter than the picture."""
    off = torch.where(inside, (gray - picture).abs(), gray - picture.amax(dim=(1, 2), keepdim=True))
    return bool((off <= slack).all())


# Scores

DEFAULT_K = 2  # of inverse_density


def score_convention(
    student, test, reference, k: int | None, options: dict[str, torch.Tensor], *, rtol: float, atol: float
) -> str:
    """Which of the `options` the student's inverse_density gives; the first is ours. None of them: a Mismatch.

    Without k it is called so, too. A mistake in the student's own nearest_neighbors is judged by task 6: scores that
    follow from it are right here.
    """
    what = f"inverse_density(test, reference{'' if k is None else f', k={k}'})"
    value = student.anomaly.inverse_density(test, reference, **({} if k is None else {"k": k}))
    found = expect.tensor(value, (len(test),), what=what)
    if not found.is_floating_point():
        raise expect.Mismatch(f"{what} to be floating point", f"dtype {expect.dtype_text(found.dtype)}", values=False)
    if torch.allclose(found.double(), options["ours"].double(), rtol, atol):
        return "ours"
    own = _own_distances(student, test, reference, DEFAULT_K if k is None else k)
    for sums in ({} if own is None else power_sums(own), options):
        for name, wanted in sums.items():
            if torch.allclose(found.double(), wanted.double(), rtol, atol):
                return name
    expect.close(value, next(iter(options.values())), rtol=rtol, atol=atol, what=what)
    raise AssertionError("unreachable: the first option was refused and accepted")


def power_sums(distances: torch.Tensor) -> dict[str, torch.Tensor]:
    """Scores by convention, of distances (M, k): Σ_j d_j^p / c."""
    names = {"ours": (1, distances.shape[1]), "sum": (1, 1), "squared": (2, distances.shape[1]), "squared sum": (2, 1)}
    return {name: (distances.double() ** p).sum(dim=1) / c for name, (p, c) in names.items()}


def _own_distances(student, test, reference, k: int) -> torch.Tensor | None:
    """What the student's nearest_neighbors says, None where it says nothing of use; leaves no trace in `calls`."""
    count = len(student.calls)
    try:
        value = student.neighbors.nearest_neighbors(test, reference, k)
        distances, _ = parts(value, ("distances", "indices"), "nearest_neighbors")
        return expect.tensor(distances, (len(test), k))
    except (StudentError, NotAttempted, Crash, expect.Mismatch):
        return None
    finally:
        del student.calls[count:]


# Curves


MAX_POINTS = 10_000  # of a curve: what they are compared with takes memory for each


def check_roc(value, vertices: torch.Tensor, auc: float) -> None:
    """`value` is (fpr, tpr, auc) of the curve that runs straight from vertex to vertex, (P, 2): fpr, tpr."""
    fpr, tpr, area = parts(value, ("fpr", "tpr", "auc"), "roc(labels, scores)")
    fpr = expect.tensor(vector(fpr), (None,), what="fpr").double()
    expect.true(len(fpr) <= MAX_POINTS, f"a curve of at most {MAX_POINTS} points", f"{len(fpr)} points")
    tpr = expect.tensor(vector(tpr), (len(fpr),), what="tpr").double()
    # float32 gives 1e-7; a tie that counts 0 or 1 instead of one half is off by 1e-3 or more here.
    expect.close(area, torch.tensor(auc, dtype=torch.float64), rtol=0, atol=1e-5, what="auc")
    points = torch.stack([fpr, tpr], dim=1)  # (P, 2)
    ends = len(points) > 1 and bool((points[0].abs() + (points[-1] - 1).abs() < 1e-5).all())
    expect.true(ends, "a curve from (0, 0) to (1, 1)", f"fpr {expect.summary(fpr)}, tpr {expect.summary(tpr)}")
    expect.true((points.diff(dim=0) >= -1e-6).all(), "fpr and tpr that never decrease", f"{expect.summary(points)}")
    off = _distance_to_polyline(points, vertices.double()).max()
    expect.true(
        off < 1e-5, "points on the ROC curve (rows of equal score pass a threshold together)", f"{expect.summary(points)}"
    )
    # Any points on the curve will do; a hundred thresholds at equal distances are off by up to .01.
    under = float(torch.trapezoid(tpr, fpr))
    expect.true(
        abs(under - auc) < 0.02, f"an area under the points of the curve of {auc:.3g}", f"one of {under:.3g}"
    )


def _distance_to_polyline(points: torch.Tensor, vertices: torch.Tensor) -> torch.Tensor:
    start, step = vertices[:-1], vertices.diff(dim=0)  # (S, 2)
    along = ((points[:, None] - start) * step).sum(dim=2) / step.square().sum(dim=1).clamp(min=1e-30)
    nearest = start + along.clamp(0, 1)[..., None] * step  # (P, S, 2)
    return (points[:, None] - nearest).norm(dim=2).amin(dim=1)


# Clusters


def clusters(value, x: torch.Tensor, k: int, slack: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels and centers of a clustering of x, both well formed, no cluster empty, every center the mean of its members.

    `slack`: how far a center may lie from that mean, in standard deviations of x.
    """
    labels, centers = parts(value, ("labels", "centers"), f"kmeans(x, k={k})")
    labels = integers(labels, len(x), "labels")
    centers = expect.tensor(centers, (k, x.shape[1]), what="centers").double()
    names = sorted(set(labels.tolist()))
    expect.true(names == list(range(k)), f"labels 0 to {k - 1}, each of them at least once", f"labels {names[:24]}")
    means = torch.stack([x[labels == j].double().mean(dim=0) for j in range(k)])
    off = float((centers - means).norm(dim=1).max() / spread(x))
    expect.true(off <= slack, "center j to be the mean of the rows with label j",
                f"a center that is {off:.3g} standard deviations of x away from it")  # fmt: skip
    return labels, means


def mapped(value, n: int, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A map of n rows and k centers, after both were found well formed."""
    points, centers = parts(value, ("points", "centers in the plane"), "project_with_centers(x, centers)")
    points = expect.tensor(points, (n, 2), what="the points").double()
    return points, expect.tensor(centers, (k, 2), what="the centers in the plane").double()


def spread(x: torch.Tensor) -> float:
    """Root of the summed variances of the columns."""
    return float(x.double().var(dim=0, correction=0).sum().sqrt())


def inertia(x: torch.Tensor, labels: torch.Tensor, means: torch.Tensor) -> float:
    return float((x.double() - means[labels]).square().sum())
