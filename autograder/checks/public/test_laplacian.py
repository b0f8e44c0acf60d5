"""Task 7 on a few images and on graphs of a dozen points."""

import pytest
import torch

from autograder import expect, limits, measure
from autograder.student import NotAttempted, StudentError

FLAT = torch.full((1, 32, 32, 3), 128, dtype=torch.uint8)


def noise(count: int, seed: int, high: int = 256) -> torch.Tensor:
    """Images of independent pixels below `high`, (count, 32, 32, 3): task 7 has images of CIFAR-10's size."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, high, (count, 32, 32, 3), dtype=torch.uint8, generator=generator)


def features_of(value, count: int, dim: int, what: str) -> torch.Tensor:
    """Features in float64, after it was found that they are floats of the right shape."""
    found = expect.tensor(value, (count, dim), what=what)
    dtype = expect.dtype_text(found.dtype)
    expect.true(found.is_floating_point(), f"{what} in floating point", f"dtype {dtype}")
    return found.double()


def same_features(found: torch.Tensor, expected: torch.Tensor, scale: float, what: str, note: str) -> None:
    """Equal up to rounding: float32 gives 1e-6 of what images differ by, a batch norm .1 or more."""
    expect.close(found, expected, rtol=0, atol=1e-3 * scale, what=what, note=note)


# Two draws of the weights differ by about as much as two images do.
MIN_CHANGE = limits.at_least(0.05, "difference of two seeds' features, relative", "log")


@pytest.mark.item("laplacian.features")
def test_features(student, seed=0):
    images, one, two = noise(5, seed), 2 * seed + 1, 2 * seed + 2
    what = f"random_features(images, dim=6, seed={one})"
    found = features_of(student.laplacian.random_features(images, dim=6, seed=one), 5, 6, what)
    scale = float(found.std(dim=0).mean())
    expect.true(scale > 0, f"{what} to differ from image to image", "equal rows")
    again = features_of(student.laplacian.random_features(images.numpy(), dim=6, seed=one), 5, 6, what)
    same_features(again, found, scale, what, "what the first call with this seed gave")
    other = features_of(student.laplacian.random_features(images, dim=6, seed=two), 5, 6, "random_features(...)")
    change = float((other - found).abs().mean()) / scale
    MIN_CHANGE.check(change, f"other features for seed={two} than for seed={one}", "the same")
    for rows, company in (([2], "alone"), ([4, 3, 2, 1, 0], "in another order"), ([0, 0, 0, 1], "among copies")):
        part = student.laplacian.random_features(images[rows], dim=6, seed=one)
        part = features_of(part, len(rows), 6, "random_features(...)")
        note = f"as before; these images are {company}"
        same_features(part, found[rows], scale, f"the features of images {rows}", note)
    what = "random_features(images)"
    default = features_of(student.laplacian.random_features(images[:2]), 2, 1024, what)
    seeded = features_of(student.laplacian.random_features(images[:2], seed=0), 2, 1024, what)
    same_features(default, seeded, float(seeded.std()), what, "its default seed is 0")


@pytest.mark.item("laplacian.affine")
def test_affine(student):
    for seed in range(3):
        check_affine(student, 32, seed, 10 + seed)


def check_affine(student, dim: int, seed: int, drawn: int) -> None:
    """A sum of pixels is a sum of features, when those of a black image are taken out."""
    a, b = noise(1, drawn, 128), noise(1, drawn + 10, 128)
    images = torch.cat([torch.zeros_like(a), a, b, a + b])
    f = features_of(student.laplacian.random_features(images, dim=dim, seed=seed), 4, dim, "random_features(...)")
    # float32 is off by 1e-6 of what images differ by; a ReLU between the layers by 1, a tanh at the end by .5.
    off = (f[3] - f[1] - f[2] + f[0]).norm() / (f[1] - f[0]).norm().clamp(min=1e-12)
    wanted = "f(a + b) − f(0) to be f(a) − f(0) + f(b) − f(0), as no layer is non-linear"
    expect.true(off < 2e-3, wanted, f"two sides whose difference is {float(off):.2g} times as long as f(a) − f(0)")


# Points in the plane. The three nearest of each, nearest first; no two distances from a point are equal.
POINTS = torch.tensor(
    [[0.0, 0.0], [0.3, 0.9], [1.3, 0.2], [1.9, 1.4], [3.1, 0.5], [3.4, 2.1], [4.7, 1.2], [6.5, 0.8]]
)
NEAREST = [[1, 2, 3], [0, 2, 3], [1, 0, 3], [2, 4, 5], [3, 5, 6], [6, 4, 3], [5, 4, 7], [6, 5, 4]]
# On a line, with gaps that grow: the two nearest of each.
LINE = torch.tensor([[0.0], [1.0], [2.1], [3.4], [5.0], [6.9], [9.3]])
LINE_NEAREST = [[1, 2], [0, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 4]]


def joined(nearest: list[list[int]], count: int) -> torch.Tensor:
    """Entry i, j is 1 where j is one of the `count` nearest of i."""
    table = torch.zeros(len(nearest), len(nearest), dtype=torch.float64)
    return table.scatter_(1, torch.tensor(nearest)[:, :count], 1.0)


def graph_of(student, x, n_neighbors: int) -> torch.Tensor:
    """knn_graph's W as a dense float64 matrix."""
    value = student.laplacian.knn_graph(x, n_neighbors)
    return expect.matrix(value, (len(x), len(x)), what=f"knn_graph(x, {n_neighbors})").double()


def own_graph(student, x, n_neighbors: int) -> list[torch.Tensor]:
    """The submission's own W in a list, made symmetric in both usual ways; an empty list if it is of no use."""
    count = len(student.calls)
    try:
        own = graph_of(student, x, n_neighbors)
    except (StudentError, NotAttempted, expect.Mismatch):
        return []
    finally:
        del student.calls[count:]  # the last call is what a failure shows
    return [each for each in (torch.maximum(own, own.T), (own + own.T) / 2) if measure.usable(each)]


def own_neighbors(student, x, n_neighbors: int) -> torch.Tensor | None:
    """Entry i, j is 1 where j is among the nearest of i by the submission's own nearest_neighbors, if it works."""
    count = len(student.calls)
    try:
        found = student.neighbors.nearest_neighbors(x, x, n_neighbors, exclude_self=True)
        found = list(found.values()) if isinstance(found, dict) else found  # a named tuple
        table = expect.tensor(found[1], (len(x), n_neighbors), what="indices").long()
        return torch.zeros(len(x), len(x), dtype=torch.float64).scatter_(1, table, 1.0).fill_diagonal_(0)
    except (StudentError, NotAttempted, expect.Mismatch, TypeError, KeyError, IndexError, RuntimeError):
        return None
    finally:
        del student.calls[count:]


@pytest.mark.item("laplacian.graph_properties")
def test_graph_properties(student):
    for x, n_neighbors in ((POINTS, 2), (LINE.numpy(), 2), (LINE, 1)):
        what = f"knn_graph(x, {n_neighbors})"
        w = graph_of(student, x, n_neighbors)
        smallest = f"a smallest of {expect.number(w.min())}"
        expect.true(bool((w >= 0).all()), f"{what} without negative entries", smallest)
        loops = int((w.diagonal() != 0).sum())
        wanted = f"zeros on the diagonal of {what}: no row is its own neighbor"
        expect.true(not loops, wanted, f"{loops} other entries")
        i, j = divmod(int((w - w.T).abs().argmax()), len(x))
        # An average of two equal numbers is exact; a one-sided neighborhood differs by the whole weight.
        even = bool((w - w.T).abs().max() <= 1e-5 * w.max())
        came = f"W[{i}, {j}] = {expect.number(w[i, j])} and W[{j}, {i}] = {expect.number(w[j, i])}"
        expect.true(even, f"{what} to be symmetric", came)


@pytest.mark.item("laplacian.graph_neighbors")
def test_graph_neighbors(student):
    for x, nearest, n_neighbors in ((POINTS, NEAREST, 2), (LINE, LINE_NEAREST, 1)):
        w = graph_of(student, x, n_neighbors)
        wanted, spare = joined(nearest, n_neighbors), joined(nearest, n_neighbors + 1)
        what = f"knn_graph(x, {n_neighbors})"
        own = own_neighbors(student, x, n_neighbors)
        check_neighbors(w, wanted, spare, own, what)
        check_weights(w, torch.cdist(x.double(), x.double()), wanted if own is None else own, what)


def check_neighbors(w, wanted, spare, own, what: str) -> None:
    """Each row is joined to its own nearest, and to nobody who is far from both sides.

    Where the submission's own nearest_neighbors is wrong, that is judged in task 6, and here who is joined by it.
    """
    if own is not None and (w[(own + own.T) > 0] > 0).all() and (w[(own + own.T) == 0].abs() == 0).all():
        return
    absent = ((wanted > 0) & (w <= 0)).nonzero()
    if len(absent):
        i, j = absent[0].tolist()
        nearest = wanted[i].nonzero().flatten().tolist()
        raise expect.Mismatch(
            f"positive entries in {what} that join row {i} to its nearest rows, {nearest}",
            f"{expect.number(w[i, j])} at [{i}, {j}]; {positive_in(w[i], i)}",
        )
    # One neighbor more than asked for is let pass.
    strange = ((spare + spare.T == 0) & (w != 0)).fill_diagonal_(False).nonzero()
    if len(strange):
        i, j = strange[0].tolist()
        wanted = f"{what} to join only rows of which one is among the nearest of the other"
        raise expect.Mismatch(wanted, f"{expect.number(w[i, j])} at [{i}, {j}]")


def positive_in(row, i: int) -> str:
    """Where a row of W has positive entries, in words."""
    columns = (row > 0).nonzero().flatten().tolist()
    return f"row {i} has positive entries at {columns}" if columns else f"row {i} has no positive entry"


def check_weights(w, distances, wanted, what: str) -> None:
    """Affinities do not grow with the distance, among edges that one side asked for, and that both did."""
    w = torch.maximum(w, w.T)  # that it is symmetric is another item's question
    asked = torch.triu(wanted + wanted.T, diagonal=1)
    for times in (1, 2):
        edges = asked == times
        if edges.sum() < 3 or w[edges].std() <= 1e-6 * w[edges].abs().mean():
            continue
        # Heat kernels give -1 to -.9, also with a width for each row; distances 1, their squares .95.
        r = float(torch.corrcoef(torch.stack([w[edges], distances[edges]]))[0, 1])
        wanted = f"affinities in {what}: larger where rows are closer"
        expect.true(r < 0.3, wanted, f"a correlation of {r:.2f} with the distance")


# Two groups of four. The five nearest of each: its own group, then two of the other one.
GROUPS = torch.tensor(
    [[0.0, 0.0], [0.2, 1.1], [1.1, 0.3], [1.3, 1.6], [4.5, 0.4], [5.2, 1.45], [5.9, 0.1], [6.35, 1.3]]
)
GROUPS_NEAREST = [
    [1, 2, 3, 4, 5], [0, 2, 3, 4, 5], [0, 1, 3, 4, 5], [1, 2, 0, 4, 5],
    [5, 6, 7, 2, 3], [7, 4, 6, 3, 2], [7, 4, 5, 2, 3], [5, 6, 4, 3, 2],
]  # fmt: skip


def graphs(student, x, nearest: list[list[int]]) -> list[torch.Tensor]:
    """The graphs that the codes may belong to: symmetric in any way, any weights, a row counted with itself.

    scikit-learn's SpectralEmbedding counts a row as its own first neighbor. Whatever else the submission's own
    knn_graph does is judged in its own items, and not again here.
    """
    n = len(nearest[0])
    lists = [joined(nearest, count) for count in (n, n - 1)]
    return [each for a in lists for each in (torch.maximum(a, a.T), (a + a.T) / 2)] + own_graph(student, x, n)


EXAMPLES = [(POINTS, NEAREST, 2), (LINE, LINE_NEAREST, 3), (GROUPS, GROUPS_NEAREST, 1)]


def convention_of(student, x, nearest, n_components: int) -> str:
    what = f"laplacian_eigenmaps(x, {n_components}, {len(nearest[0])})"
    codes = student.laplacian.laplacian_eigenmaps(x, n_components=n_components, n_neighbors=len(nearest[0]))
    codes = expect.tensor(codes, (len(x), n_components), what=what)
    return measure.eigenmaps(codes, graphs(student, x, nearest), what)


@pytest.mark.item("laplacian.eigenmaps_value")
def test_eigenmaps_value(student):
    for x, nearest, n_components in EXAMPLES:
        convention_of(student, x, nearest, n_components)
        convention_of(student, x.double().numpy(), nearest, n_components)


@pytest.mark.item("laplacian.convention")
def test_convention(student):
    for x, nearest, n_components in EXAMPLES[:2]:
        found = convention_of(student, x, nearest, n_components)
        came = "eigenvectors D^½ y of the symmetric normalized Laplacian: another convention in use"
        expect.true(found == "y", "eigenvectors y of L y = λ D y (the handout's convention)", came)
