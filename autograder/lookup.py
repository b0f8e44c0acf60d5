"""Which rows did a submission find? Judged by the distances of the rows that are named: ties are free."""
import torch

from autograder import expect
from autograder.expect import Mismatch

# Squares that are summed before they are subtracted (matrix products, torch.cdist) are off by up to 2e-2
# in a distance
# near 0, and rank rows that are nearer to each other than that as they like. The checks' rows lie about 1
# apart.
NEAR = 0.03
MEAN, STD = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.247, 0.243, 0.261])


def indices(value, shape: tuple, rows: int, *, what: str, dtype: torch.dtype | None = None) -> torch.Tensor:
    """`value` as int64 indices into `rows` rows, no index twice in a row."""
    found = expect.tensor(value, shape, dtype, what=what)
    if found.is_floating_point() or found.dtype == torch.bool:
        raise Mismatch(f"{what} of integers", f"dtype {expect.dtype_text(found.dtype)}", values=False)
    found = found.long()
    inside = bool(((found >= 0) & (found < rows)).all())
    expect.true(inside, f"{what} to lie between 0 and {rows - 1}", expect.summary(found))
    ordered = found.sort(dim=1).values
    once = not (ordered[:, 1:] == ordered[:, :-1]).any()
    expect.true(once, f"{what} to name no row twice for one query", expect.summary(found))
    return found


def true_distances(
    queries: torch.Tensor, bank: torch.Tensor, own: torch.Tensor | None = None
) -> torch.Tensor:
    """ℓ2 distances (M, N) in float64, from differences; NaN where a query meets itself (row i is bank "
    "row own[i])."""
    bank = bank.double()
    distances = torch.stack([torch.linalg.vector_norm(bank - query, dim=1) for query in queries.double()])
    if own is not None:
        distances[torch.arange(len(own)), own] = torch.nan
    return distances


def nearest(found: torch.Tensor, distances: torch.Tensor, *, what: str, farthest: bool = False) -> None:
    """The rows found are the nearest (farthest, in any order) in `distances`, nearest first, and never "
    "NaN ones."""
    came = distances.gather(1, found)  # (M, k)
    own = came.isnan().any(dim=1).nonzero()
    if len(own):
        at = int(own[0])
        raise Mismatch(f"{what} never to hold the query's own row", f"row {at}: {found[at].tolist()}")
    # Row by row in order; NaN sorts behind everything, so it is put out of the way first.
    others = distances.nan_to_num(nan=-torch.inf if farthest else torch.inf)
    best = others.topk(found.shape[1], largest=farthest)
    came = came.sort(dim=1, descending=True).values if farthest else came
    wrong = ((came - best.values).abs() > NEAR + 1e-3 * best.values).any(dim=1).nonzero()
    if not len(wrong):
        return
    at = int(wrong[0])
    kind = "farthest from" if farthest else "nearest to"
    raise Mismatch(
        f"{what} to hold the rows {kind} the query{'' if farthest else ', nearest first'}: "
        f"{best.indices[at].tolist()} in row {at}",
        f"{found[at].tolist()}; {len(wrong)} of {len(found)} rows are wrong",
    )


def normalized(images: torch.Tensor) -> torch.Tensor:
    """uint8 (N, H, W, 3) → float32 (N, 3, H, W), as at test time."""
    return ((images.float() / 255 - MEAN) / STD).permute(0, 3, 1, 2)


def which_image(student, view, images: torch.Tensor, count: int, *, what: str) -> torch.Tensor:
    """Index of the image that each of the `count` rows of `view` shows, normalized.

    Where no image fits, the student's own `normalize` decides: a mistake there is judged by task 0.
    """
    n, height, width, _ = images.shape
    found = expect.tensor(view, (count, 3, height, width), what=what)
    for table in (lambda: normalized(images), lambda: _own_normalized(student, images)):
        shown = _matches(found, table())
        if shown is not None:
            return shown
    wanted = f"{what} to show images of the data set in float32, normalized once and not augmented"
    raise Mismatch(wanted, _done_to(images, found) + expect.summary(found))


def _done_to(images: torch.Tensor, found: torch.Tensor) -> str:
    """What `found` shows instead of the images, where that can be told."""
    n, height, width, _ = images.shape
    mean, std = (each.view(3, 1, 1) for each in (MEAN, STD))
    ways = {
        "some of them mirrored: ": torch.cat([normalized(images), normalized(images).flip(3)]),
        "their axes reshaped, not permuted: ": (images.reshape(n, 3, height, width) / 255 - mean) / std,
        "images that were not divided by 255: ": (images.permute(0, 3, 1, 2) - mean) / std,
        "the right values in another dtype: ": normalized(images).to(found.dtype),
    }
    return next((name for name, table in ways.items() if _matches(found, table) is not None), "")


def _own_normalized(student, images: torch.Tensor) -> torch.Tensor:
    count = len(student.calls)
    n, height, width, _ = images.shape
    found = expect.tensor(student.warmup.normalize(images), (n, 3, height, width), what="normalize(images)")
    del student.calls[count:]  # a failure shows the call before
    return found


def _matches(found: torch.Tensor, table: torch.Tensor) -> torch.Tensor | None:
    """For each row of `found` the equal row of `table`; None where one has none."""
    if found.dtype != table.dtype:
        return None
    # Images of the checks differ by 8 of 255 or more somewhere, .12 after normalization; rounding gives 1e-6.
    equal = torch.stack([(table - row).abs().amax(dim=(1, 2, 3)) < 1e-3 for row in found])  # (B, N)
    return equal.long().argmax(dim=1) if equal.any(dim=1).all() else None
