"""Task 6 on a few points and on small images."""

import pytest
import torch

from autograder import expect, lookup
from autograder.expect import Mismatch
from autograder.worker.wire import Named

BANK = torch.tensor([[3.75, 1.25], [-1.0, -2.75], [-0.75, 2.5], [1.0, -1.25], [1.0, 3.25]])
QUERIES = torch.tensor([[2.25, 0.5], [-2.0, 0.0], [-1.25, -1.0]])
CALL = "nearest_neighbors(queries, bank, k)"


def pair(value, shape: tuple, rows: int, what: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The distances and indices that were returned; types, shapes and range are right."""
    value = tuple(value.values()) if isinstance(value, Named) else value
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise Mismatch(f"{what} to return two tensors, distances and indices", expect.describe(value))
    distances = expect.tensor(value[0], shape, what=f"the distances of {what}")
    floats = distances.is_floating_point()
    expect.true(floats, f"floating-point distances of {what}", f"dtype {expect.dtype_text(distances.dtype)}")
    found = lookup.indices(value[1], shape, rows, dtype=torch.int64, what=f"the indices of {what}")
    return distances, found


@pytest.mark.item("neighbors.nearest")
def test_nearest(student):
    distances = lookup.true_distances(QUERIES, BANK)
    for queries, bank, k in ((QUERIES, BANK, 2), (QUERIES.numpy(), BANK.numpy(), 5)):
        _, found = pair(student.neighbors.nearest_neighbors(queries, bank, k=k), (3, k), 5, CALL)
        lookup.nearest(found, distances, what=f"the indices of {CALL}")


@pytest.mark.item("neighbors.distances")
def test_distances(student):
    for queries, k in ((QUERIES, 3), (QUERIES[:1], 5)):
        came, _ = pair(student.neighbors.nearest_neighbors(queries, BANK, k=k), (len(queries), k), 5, CALL)
        wanted = lookup.true_distances(queries, BANK).sort(dim=1).values[:, :k]
        # No two distances are equal, and all are above 1, where squares that are summed before they are
        # subtracted
        # are right to 1e-5; squared distances are off by more than .1 in every row.
        expect.close(came, wanted, rtol=1e-3, atol=1e-3, what=f"the distances of {CALL}", note="ascending")


@pytest.mark.item("neighbors.self")
def test_self(student):
    points = torch.cat([QUERIES, BANK])
    own = torch.arange(8)
    for k in (1, 3, 7):
        what = "nearest_neighbors(x, x, k, exclude_self=True)"
        value = student.neighbors.nearest_neighbors(points, points, k=k, exclude_self=True)
        found = pair(value, (8, k), 8, what)[1]
        lookup.nearest(found, lookup.true_distances(points, points, own), what=f"the indices of {what}")
    what = "nearest_neighbors(x, x, k)"
    found = pair(student.neighbors.nearest_neighbors(points, points, k=2), (8, 2), 8, what)[1]
    lookup.nearest(found, lookup.true_distances(points, points), what=f"the indices of {what}")


@pytest.mark.item("neighbors.errors")
def test_errors(student):
    search = student.neighbors.nearest_neighbors
    refused(lambda: search(QUERIES, BANK, k=6), "k = 6 for a bank of 5 rows")
    refused(lambda: search(BANK, BANK, k=5, exclude_self=True), "k = 5 for 5 rows with exclude_self=True")
    refused(lambda: search(QUERIES, BANK, k=0), "k = 0")
    refused(lambda: search(QUERIES, BANK, k=-1), "k = -1")
    refused(lambda: search(QUERIES, BANK[:, :1], k=1), "queries of width 2 for a bank of width 1")
    for k in (5, -1):
        refused(lambda: student.neighbors.mine_neighbors(BANK, k=k), f"mine_neighbors(representations, k={k}) of 5 rows")


def refused(call, what: str) -> None:
    """The call has to raise ValueError. Another exception is shown as it is."""
    try:
        value = call()
    except ValueError:
        return
    values = value if isinstance(value, (tuple, list)) else [value]
    came = ", ".join(map(expect.describe, values))
    raise Mismatch(f"a ValueError for {what}", came)


@pytest.mark.item("neighbors.mine")
def test_mine(student):
    x = torch.cat([QUERIES, BANK])
    distances = lookup.true_distances(x, x, torch.arange(8))
    for rows, options, k in ((x, {}, 3), (x.numpy(), {"k": 2}, 2), (x, {"k": 7}, 7)):
        what = f"mine_neighbors(representations{', k=' + str(k) if options else ''})"
        found = lookup.indices(student.neighbors.mine_neighbors(rows, **options), (8, k), 8, what=what)
        lookup.nearest(found, distances, what=what)


COLORS = torch.tensor([[0, 0, 0], [250, 0, 0], [0, 250, 0], [0, 0, 250], [90, 90, 90], [250, 250, 0]])
IMAGES = COLORS.to(torch.uint8).view(6, 1, 1, 3)
NEIGHBORS = torch.tensor([[1, 2], [0, 5], [4, 5], [0, 4], [3, 2], [2, 1]])
# Wider than high, no two numbers of an image alike: other axes show, and so does a flip. And images of nothing but 0 and 1,
# as they are in [0, 1] as well: what is divided by 255 must not depend on the largest value.
NOISE = torch.stack([torch.randperm(18, generator=torch.Generator().manual_seed(i)) for i in range(6)])
NOISE = (14 * NOISE).to(torch.uint8).view(6, 2, 3, 3)
DARK = (IMAGES > 0).to(torch.uint8)


@pytest.mark.item("neighbors.views")
def test_views(student):
    what = "neighbor_views(images, neighbors, batch)"
    colors = (IMAGES, [4, 0, 5]), (IMAGES.numpy(), [2, 2, 1, 3])
    for images, rows in (*colors, (NOISE, [5, 1, 3]), (NOISE, [0, 2, 4]), (DARK, [0, 5])):
        batch = torch.tensor(rows)
        value = student.neighbors.neighbor_views(images, NEIGHBORS, batch)
        value = tuple(value.values()) if isinstance(value, Named) else value
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            raise Mismatch(f"{what} to return two batches", expect.describe(value))
        shown = lookup.which_image(student, value[0], torch.as_tensor(images), len(rows), what="the first batch")
        same = torch.equal(shown, batch)
        expect.true(same, f"the images {rows} in the first batch", f"the images {shown.tolist()}")
        other = lookup.which_image(student, value[1], torch.as_tensor(images), len(rows), what="the second batch")
        hit = (NEIGHBORS[batch] == other[:, None]).any(dim=1).all()
        wanted = f"one of {NEIGHBORS[batch].tolist()} in each row of the second batch"
        expect.true(hit, wanted, f"the images {other.tolist()}")
