"""Task 6 with many rows, with equal rows, and on handwritten digits whose labels stay here."""

import pytest
import torch

from autograder import expect, limits, lookup
from autograder.checks.hidden import digits
from autograder.checks.public.test_neighbors import refused
from autograder.expect import Mismatch
from autograder.student import LocalChannel
from autograder.worker.wire import Named


def pair(value, shape: tuple, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    value = tuple(value.values()) if isinstance(value, Named) else value
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise Mismatch("two tensors, distances and indices", expect.describe(value))
    distances = expect.tensor(value[0], shape, what="the distances")
    return distances.double(), lookup.indices(value[1], shape, rows, dtype=torch.int64, what="the indices")


@pytest.mark.item("neighbors.sizes")
def test_sizes(student):
    generator = torch.Generator().manual_seed(1)
    for count, rows, width, k, dtype in (
        (1, 40, 6, 4, torch.float32),
        (50, 7, 3, 7, torch.float64),  # the whole bank
        (33, 90, 1, 1, torch.float64),
        (70, 120, 30, 5, torch.float32),
    ):
        # Rows of very different length, away from the origin: angles and dot products rank them otherwise.
        x = torch.randn(count + rows, width, generator=generator, dtype=dtype)
        x = x * (3 * torch.rand(len(x), 1, generator=generator, dtype=dtype) + 1) + 1
        queries, bank = x[:count], x[count:]
        came, found = pair(student.neighbors.nearest_neighbors(queries, bank, k=k), (count, k), rows)
        distances = lookup.true_distances(queries, bank)
        lookup.nearest(found, distances, what="the indices")
        # Squares that are summed before they are subtracted are off by less than lookup.NEAR; squared
        # distances,
        # or those of other rows, by far more in nearly every row.
        expect.close(came, distances.gather(1, found), rtol=1e-3, atol=lookup.NEAR, what="the distances")
    # Distances of 10,000: beyond the numbers that some write for "infinite".
    x = 2000 * torch.randn(50, 16, generator=generator)
    value = student.neighbors.nearest_neighbors(x, x, k=3, exclude_self=True)
    came, found = pair(value, (50, 3), 50)
    distances = lookup.true_distances(x, x, torch.arange(50))
    lookup.nearest(found, distances, what="the indices")
    expect.close(came, distances.gather(1, found), rtol=1e-3, atol=0, what="the distances")
    search = student.neighbors.nearest_neighbors
    for k, exclude_self in ((51, False), (50, True), (0, True), (-3, False)):
        refused(lambda: search(x, x, k=k, exclude_self=exclude_self), f"k = {k}")


@pytest.mark.item("neighbors.many_rows")
def test_many_rows(student):
    generator = torch.Generator().manual_seed(2)
    queries, bank = (2 * torch.randn(rows, 6, generator=generator) for rows in (2701, 5203))
    # Of every block of queries, also of a short last one. Blocks of 1,024 rows of the bank, or of another power of two, leave
    # one of a single row, which has no three nearest.
    some = torch.cat([torch.arange(0, 2701, 9), torch.arange(2690, 2701)])
    _, found = pair(student.neighbors.nearest_neighbors(queries, bank[:4097], k=3), (2701, 3), 4097)
    lookup.nearest(found[some], lookup.true_distances(queries[some], bank[:4097]), what="the indices")
    # More than 4,096 of them, a usual size of a block; of width 4, so that all differences at once still fit.
    x = bank[:4501, :4]
    some = torch.cat([torch.arange(0, 4501, 13), torch.arange(4490, 4501)])
    value = student.neighbors.nearest_neighbors(x, x, k=4, exclude_self=True)
    distances = lookup.true_distances(x[some], x, some)
    lookup.nearest(pair(value, (4501, 4), 4501)[1][some], distances, what="the indices")


@pytest.mark.item("neighbors.duplicates")
def test_duplicates(student):
    generator = torch.Generator().manual_seed(3)
    x = 3 * torch.randn(60, 16, generator=generator)
    x = torch.cat([x, x[:20], x[10:15], x[12:13].repeat(8, 1)])  # row 12 is there eleven times
    x[59] = x[12] + 0.25  # one away from them: its own nearest, with eleven ties behind
    own = torch.arange(len(x))
    value = student.neighbors.nearest_neighbors(x, x, k=3, exclude_self=True)
    came, found = pair(value, (len(x), 3), len(x))
    wanted = lookup.true_distances(x, x, own)
    lookup.nearest(found, wanted, what="the indices")
    # A distance of 0 is up to .02 where squares are summed first; the next rows are 1 or 7 away, and NaN was
    # told above.
    expect.close(came, wanted.gather(1, found), rtol=1e-2, atol=0.1, what="the distances")
    came, found = pair(student.neighbors.nearest_neighbors(x, x, k=2), (len(x), 2), len(x))
    expect.close(came[:, 0], torch.zeros(len(x)), rtol=0, atol=0.1, what="the distance to an equal row")
    mined = student.neighbors.mine_neighbors(x, k=4)
    mined = lookup.indices(mined, (len(x), 4), len(x), what="the neighbors")
    lookup.nearest(mined, wanted, what="the neighbors")


@pytest.mark.item("neighbors.memory")
def test_memory(student):
    # All distances of 17,000 rows of float64 at once take 2.3 GB, more than a worker may have; in blocks of up to
    # 1,000 queries a few copies of them fit. Slow is fine: argsort needs 40 s. Where nothing limits memory (the
    # project's own tests, in process), this can only show that many rows are searched, and fewer do.
    rows = 3_000 if isinstance(student._channel, LocalChannel) else 17_000
    x = 10 * torch.randn(rows, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    _, found = pair(student.neighbors.nearest_neighbors(x, x, k=1, exclude_self=True), (rows, 1), rows)
    some = torch.arange(0, rows, 331)
    lookup.nearest(found[some], lookup.true_distances(x[some], x, some), what="the indices")


ROWS, K, TIMES = 40, 4, 50


@pytest.mark.item("neighbors.draws")
def test_draws(student, seed=0):
    generator = torch.Generator().manual_seed(5 + seed)
    # Noise, higher than wide: other axes than those of the images, or a flip now and then, show.
    images = torch.randint(0, 256, (ROWS, 3, 2, 3), dtype=torch.uint8, generator=generator)
    others = [torch.randperm(ROWS - 1, generator=generator)[:K] for _ in range(ROWS)]
    neighbors = torch.stack([(each + i + 1) % ROWS for i, each in enumerate(others)])
    batch = torch.arange(ROWS).repeat(TIMES)[torch.randperm(ROWS * TIMES, generator=generator)]
    first, second = (columns(student, images, neighbors, batch) for _ in range(2))
    # Of 2,000 independent draws, 1 / K = 1/4 each. Any draw that is shared is off by far more.
    for k in range(K):
        likely("each of its neighbors as often", first == k, f"neighbor {k + 1}")
    likely("draws that differ between calls", first == second, "the same in two calls")
    likely("a draw for each image of a batch", first[1:] == first[:-1], "the same in the next row")
    order = batch.argsort(stable=True)
    by_image = first[order].view(ROWS, TIMES)
    again = by_image[:, 1:] == by_image[:, :-1]
    likely("a new draw each time an image comes", again, "the same the next time")


def columns(student, images, neighbors, batch) -> torch.Tensor:
    """Which of its neighbors, 0 to K − 1, stands beside each image of the batch."""
    value = student.neighbors.neighbor_views(images, neighbors, batch)
    value = tuple(value.values()) if isinstance(value, Named) else value
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise Mismatch("two batches", expect.describe(value))
    shown, other = (lookup.which_image(student, each, images, len(batch), what="a batch") for each in value)
    hit = neighbors[batch] == other[:, None]  # (B, K)
    right = torch.equal(shown, batch) and hit.any(dim=1).all()
    expect.true(right, "images and neighbors of theirs", "others")
    return hit.long().argmax(dim=1)


def likely(wanted: str, happened: torch.Tensor, name: str) -> None:
    """`happened`, one bool a draw, for about a K-th of the draws."""
    n, count = happened.numel(), int(happened.sum())
    expect.true(limits.count_fits(count, n, 1 / K, name), wanted, f"{name}: {count} of {n}")


@pytest.mark.item("neighbors.agreement")
def test_agreement(student, seed=0):
    x, labels = digits.features(seed)
    found = lookup.indices(student.neighbors.mine_neighbors(x), (len(x), 3), len(x), what="the neighbors")
    expect.true((found != torch.arange(len(x))[:, None]).all(), "no row among its own neighbors", "some")
    share = digits.precision(found, labels, labels)
    wanted = f"an agreement of {digits.MIN_AGREEMENT.value} or more"
    digits.MIN_AGREEMENT.check(share, wanted, str(share))


@pytest.mark.item("neighbors.side_effects")
def test_side_effects(student):
    generator = torch.Generator().manual_seed(6)
    x = torch.randn(30, 5, generator=generator)
    images = torch.randint(0, 256, (30, 2, 2, 3), dtype=torch.uint8, generator=generator)
    neighbors, batch = torch.randint(0, 30, (30, 3), generator=generator), torch.tensor([4, 9, 0])
    for rows, pictures in ((x, images), (x.numpy(), images.numpy())):
        student.neighbors.nearest_neighbors(rows, rows, k=2, exclude_self=True)
        student.neighbors.nearest_neighbors(rows[:4], rows[4:], k=2)
        student.neighbors.mine_neighbors(rows)
        student.neighbors.neighbor_views(pictures, neighbors, batch)
    expect.true(not student.mutated, "arguments to be left as they were", "changed ones")
    expect.true(not student.changed_settings, "global settings to be left as they were", "changed ones")
