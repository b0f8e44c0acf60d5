"""Mistakes in task 6. `_right` is the reference's function, taken while the name still means it."""

import numpy as np
import torch

from autograder import lookup
from autograder.diagnosis import agree
from autograder.misconceptions import alteration, misconception, observer
from autograder.student import StudentError
from solutions.neighbors import mine_neighbors, nearest_neighbors, neighbor_views, normalize

SEARCH, MINE = "neighbors.nearest_neighbors", "neighbors.mine_neighbors"
VIEWS = "neighbors.neighbor_views"

# Rows of different length around (2, 1, 0), with all distances and all angles between them different.
ROWS = torch.tensor(
    [[2.0, 1.5, 0.25], [4.5, 2.0, 0.5], [0.5, 0.25, -1.0], [9.0, 3.0, 2.5], [2.25, -3.0, 0.75],
     [3.0, 5.5, -2.5]]
)
# Equal rows, for which rounding makes |q|² + |b|² − 2 q·b negative here and there.
ROUNDED = 3 * torch.randn(40, 16, generator=torch.Generator().manual_seed(0))


@misconception(
    SEARCH,
    "squared distances",
    "The distances are squared: the square root of the sum of squares is missing. The order is right, "
    "the numbers "
    "are not lengths.",
)
def squared(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    distances, found = _right(queries, bank, k, exclude_self)
    return distances**2, found


@misconception(
    SEARCH,
    "exclude_self ignored",
    "With exclude_self=True a row still finds itself, at distance 0: the first of its neighbors says "
    "nothing.",
)
def self_counted(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    return _right(queries, bank, k)


@misconception(
    SEARCH,
    "one neighbor short",
    "The row itself is among the k that are searched, and is then dropped: k − 1 neighbors are left.",
)
def one_short(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    distances, found = _right(queries, bank, k)
    return (distances[:, 1:], found[:, 1:]) if exclude_self else (distances, found)


@misconception(
    SEARCH,
    "the nearest always dropped",
    "The nearest row is dropped also without exclude_self, where the queries are not rows of the bank.",
)
def always_dropped(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    if k < 1 or k >= len(bank) + (not exclude_self):
        raise ValueError("k")
    distances, found = torch.cdist(queries, bank).sort(dim=1)
    return distances[:, 1 : k + 1], found[:, 1 : k + 1]


@misconception(
    SEARCH,
    "first column dropped instead of the row itself",
    "k + 1 neighbors are searched and the first is dropped. Where another row equals row i, the first "
    "need not be i, "
    "and i stays among its own neighbors.",
)
def first_dropped(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    if not exclude_self:
        return _right(queries, bank, k)
    if not 1 <= k < len(bank) or queries.shape[1] != bank.shape[1]:
        raise ValueError("k, or widths")
    exact = {"compute_mode": "donot_use_mm_for_euclid_dist"}
    parts = []
    for each in queries.split(500):
        distances, order = torch.cdist(each, bank, **exact).sort(dim=1, stable=True)
        parts.append((distances[:, 1 : k + 1].clone(), order[:, 1 : k + 1].clone()))  # else all are kept
    distances, found = (torch.cat(each) for each in zip(*parts))
    return distances, found


@misconception(
    SEARCH,
    "all rows at distance 0 dropped",
    "Every row at distance 0 is left out, not only the row itself: equal rows are neighbors, too.",
)
def zeros_dropped(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    if not exclude_self:
        return _right(queries, bank, k)
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    if not 1 <= k < len(bank):
        raise ValueError("k")
    parts = []
    for each in queries.split(500):
        distances = torch.cdist(each, bank, compute_mode="donot_use_mm_for_euclid_dist")
        parts.append(distances.masked_fill(distances == 0, torch.inf).topk(k, largest=False))
    return torch.cat([each[0] for each in parts]), torch.cat([each[1] for each in parts])


@misconception(
    SEARCH,
    "the farthest",
    "These are the rows with the largest distances. What does your sort or topk put first?",
)
def farthest_found(queries, bank, k, exclude_self=False):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    parts = [torch.cdist(each, bank).topk(k) for each in queries.split(500)]
    return torch.cat([each[0] for each in parts]), torch.cat([each[1] for each in parts])


@misconception(
    SEARCH,
    "not sorted",
    "The k nearest are there, but not in order: the nearest should come first.",
)
def unsorted(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    distances, found = _right(queries, bank, k, exclude_self)
    return distances.flip(1), found.flip(1)


@misconception(
    SEARCH,
    "cosine instead of ℓ2",
    "The rows are scaled to length 1 first: this ranks by angle. Two rows in the same direction can be "
    "far apart.",
)
def cosine(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    queries, bank = (torch.as_tensor(each) for each in (queries, bank))
    unit = [each / each.norm(dim=1, keepdim=True) for each in (queries, bank)]
    return _right(*unit, k, exclude_self)


@misconception(
    SEARCH,
    "dot product instead of ℓ2",
    "Rows are ranked by their dot product with the query. That prefers long rows in the query's direction, however far "
    "away they are.",
)
def dot_product(queries, bank, k, exclude_self=False):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    if not 1 <= k <= len(bank) - exclude_self:
        raise ValueError("k")
    products = queries @ bank.T
    if exclude_self:
        products.fill_diagonal_(-torch.inf)
    found = products.topk(k).indices
    return (queries[:, None] - bank[found]).norm(dim=2), found


@misconception(
    SEARCH,
    "ℓ1 instead of ℓ2",
    "The absolute differences are added up. ℓ2 is the square root of the sum of squares.",
)
def manhattan(queries, bank, k, exclude_self=False):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    if not 1 <= k <= len(bank) - exclude_self or queries.shape[1] != bank.shape[1]:
        raise ValueError("k, or widths")
    distances = torch.cat([torch.cdist(each, bank, p=1) for each in queries.split(500)])
    if exclude_self:
        distances.fill_diagonal_(torch.inf)
    return distances.topk(k, largest=False)


@misconception(
    SEARCH,
    "cross term not doubled",
    "In |q|² + |b|² − 2 q·b the product counts twice.",
)
def cross_term_once(queries, bank, k, exclude_self=False):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    if not 1 <= k <= len(bank) - exclude_self or queries.shape[1] != bank.shape[1]:
        raise ValueError("k, or widths")
    squared = queries.square().sum(1)[:, None] + bank.square().sum(1) - queries @ bank.T
    if exclude_self:
        squared.fill_diagonal_(torch.inf)
    squared, found = squared.topk(k, largest=False)
    return squared.clamp(min=0).sqrt(), found


@misconception(
    SEARCH,
    "NaN for equal rows",
    "|q|² + |b|² − 2 q·b of equal rows is 0 only up to rounding, and the square root of a negative "
    "number is NaN.",
)
def nan_for_equal(queries, bank, k, exclude_self=False):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    if not 1 <= k <= len(bank) - exclude_self or queries.shape[1] != bank.shape[1]:
        raise ValueError("k, or widths")
    squared = queries.square().sum(1)[:, None] + bank.square().sum(1) - 2 * queries @ bank.T
    if exclude_self:
        squared.fill_diagonal_(torch.inf)
    squared, found = squared.topk(k, largest=False)
    return squared.sqrt(), found


@misconception(
    SEARCH,
    "each block searched in its own rows",
    "Queries are cut into blocks, and each block is searched among its own rows only. Every query has to "
    "meet the "
    "whole bank.",
)
def within_blocks(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    if len(queries) != len(bank) or len(bank) <= 1000:
        return _right(queries, bank, k, exclude_self)
    parts = [_right(q, b, k, exclude_self) for q, b in zip(queries.split(900), bank.split(900))]
    return torch.cat([each[0] for each in parts]), torch.cat([each[1] for each in parts])


@misconception(
    SEARCH,
    "indices count from the block's first row",
    "The bank is searched block by block, and the indices count rows of the block instead of rows of the "
    "bank.",
)
def local_indices(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    if len(bank) <= 1000:
        return _right(queries, bank, k, exclude_self)
    distances, found = _right(queries, bank, k, exclude_self)
    return distances, found % 1000


@misconception(
    SEARCH,
    "the diagonal of each block excluded",
    "The diagonal of every block of distances is put out of reach. Row i of a later block is not column "
    "i of the bank.",
)
def block_diagonal(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    if not 1 <= k <= len(bank) - exclude_self or queries.shape[1] != bank.shape[1]:
        raise ValueError("k, or widths")
    parts = []
    for each in queries.split(1000):
        distances = torch.cdist(each, bank, compute_mode="donot_use_mm_for_euclid_dist")
        if exclude_self:
            distances.fill_diagonal_(torch.inf)
        parts.append(distances.topk(k, largest=False))
    return torch.cat([each[0] for each in parts]), torch.cat([each[1] for each in parts])


@misconception(
    SEARCH,
    "incomplete last block dropped",
    "The queries of an incomplete last block are missing.",
)
def last_block_dropped(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    distances, found = _right(queries, bank, k, exclude_self)
    whole = len(found) if len(found) < 1000 else len(found) // 1000 * 1000
    return distances[:whole], found[:whole]


@misconception(
    SEARCH,
    "too large a k not refused",
    "k is cut down to what is there. The caller asked for k columns and gets fewer, without a word.",
)
def k_cut_down(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    return _right(queries, bank, min(k, len(bank) - exclude_self), exclude_self)


@misconception(
    SEARCH,
    "k not checked",
    "Nothing looks at k, so topk fails in its own words, or finds the row itself after all. Too large a k is a "
    "ValueError, before the search.",
)
def k_not_checked(queries, bank, k, exclude_self=False):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    distances, found = [], []
    for start in range(0, len(queries), 512):
        block = torch.cdist(queries[start : start + 512], bank)
        if exclude_self:
            rows = torch.arange(len(block))
            block[rows, start + rows] = torch.inf
        nearest = block.topk(k, largest=False)
        distances.append(nearest.values)
        found.append(nearest.indices)
    return torch.cat(distances), torch.cat(found)


@misconception(
    SEARCH,
    "the row itself not counted off",
    "With exclude_self only N − 1 rows can be found. For k = N the row itself, or a row at infinite "
    "distance, fills up.",
)
def own_row_fills_up(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    if exclude_self and k == len(bank):
        return tuple(torch.cat([each, each[:, :1]], dim=1) for each in _right(queries, bank, k - 1, True))
    return _right(queries, bank, k, exclude_self)


@misconception(
    SEARCH,
    "indices before distances",
    "Indices come first and distances second. The caller expects (distances, indices).",
)
def swapped_pair(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    return _right(queries, bank, k, exclude_self)[::-1]


@misconception(
    SEARCH,
    "queries and bank swapped",
    "For every row of the bank the nearest queries come back. It is the other way round.",
)
def roles_swapped(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    return _right(bank, queries, k, exclude_self)


@misconception(
    SEARCH,
    "bank changed in place",
    "The rows that were passed in are changed: the caller's arrays are not yours to write into.",
)
def bank_in_place(queries, bank, k, exclude_self=False, _right=nearest_neighbors):
    found = _right(queries, bank, k, exclude_self)
    bank -= bank.mean(0)
    return found


@misconception(
    MINE,
    "the row itself counts as a neighbor",
    "Every row is its own first neighbor, at distance 0. Training on it shows the same image twice.",
)
def mines_itself(representations, k=3):
    return nearest_neighbors(representations, representations, k)[1]


@misconception(
    MINE,
    "one neighbor short",
    "The row itself is among the k that are searched, and is then dropped: k − 1 neighbors are left.",
)
def mines_one_short(representations, k=3):
    return nearest_neighbors(representations, representations, k)[1][:, 1:]


@misconception(
    MINE,
    "first column dropped instead of the row itself",
    "k + 1 neighbors are searched and the first is dropped. Where another row equals row i, the first "
    "need not be i, "
    "and i stays among its own neighbors.",
)
def mines_first_dropped(representations, k=3):
    x = torch.as_tensor(representations)
    parts = [torch.cdist(each, x).sort(dim=1, stable=True)[1] for each in x.split(500)]
    return torch.cat(parts)[:, 1 : k + 1]


@misconception(
    MINE,
    "neighbors within a batch",
    "Neighbors are searched in batches, and the indices count rows of the batch. They have to name rows "
    "of the whole "
    "data set.",
)
def mines_in_batches(representations, k=3, _right=mine_neighbors):
    return torch.cat([_right(each, k) for each in torch.as_tensor(representations).split(256)])


@misconception(
    MINE,
    "k not used",
    "The number of neighbors is fixed. It should be the argument k.",
)
def k_not_used(representations, k=3, _right=mine_neighbors):
    return _right(representations, 3)


@misconception(
    MINE,
    "order lost",
    "The representations are shuffled before the search (a loader may do it silently), so the indices "
    "name other "
    "images.",
)
def mines_shuffled(representations, k=3, _right=mine_neighbors):
    x = torch.as_tensor(representations)
    return _right(x[torch.randperm(len(x))], k)


@misconception(
    MINE,
    "cosine instead of ℓ2",
    "The representations are scaled to length 1 first: this ranks by angle instead of by distance.",
)
def mines_by_angle(representations, k=3, _right=mine_neighbors):
    x = torch.as_tensor(representations)
    return _right(x / x.norm(dim=1, keepdim=True), k)


@misconception(
    MINE,
    "standardized first",
    "Every dimension is standardized before the search. The distances are then others than those of the "
    "representations.",
)
def mines_standardized(representations, k=3, _right=mine_neighbors):
    x = torch.as_tensor(representations)
    return _right((x - x.mean(dim=0)) / x.std(dim=0), k)


@misconception(
    MINE,
    "distances instead of indices",
    "The distances come back. What is needed are the indices of the images.",
)
def mines_distances(representations, k=3):
    return nearest_neighbors(representations, representations, k, exclude_self=True)[0]


@misconception(
    MINE,
    "farthest mined",
    "These are the rows that are farthest away.",
)
def mines_farthest(representations, k=3):
    x = torch.as_tensor(representations)
    return torch.cdist(x, x).topk(k).indices


@misconception(
    VIEWS,
    "one draw for the whole batch",
    "The same column is drawn for all images of a batch: their neighbors are not drawn independently.",
)
def one_draw(images, neighbors, batch):
    images, neighbors = torch.as_tensor(images), torch.as_tensor(neighbors)
    partners = neighbors[batch, int(torch.randint(neighbors.shape[1], ()))]
    return normalize(images[batch]), normalize(images[partners])


@misconception(
    VIEWS,
    "always the nearest",
    "The second view is always the first neighbor. One of the k should be drawn at random.",
)
def always_nearest(images, neighbors, batch):
    images = torch.as_tensor(images)
    return normalize(images[batch]), normalize(images[torch.as_tensor(neighbors)[batch, 0]])


@misconception(
    VIEWS,
    "the last neighbor never drawn",
    "One of the k columns never comes: the upper end of the range is too small.",
)
def last_never(images, neighbors, batch):
    images, neighbors = torch.as_tensor(images), torch.as_tensor(neighbors)
    drawn = torch.randint(neighbors.shape[1] - 1, (len(batch),))
    return normalize(images[batch]), normalize(images[neighbors[batch, drawn]])


@misconception(
    VIEWS,
    "one draw for each image, for ever",
    "An image has the same partner each time it comes: the draw depends on the image, and is not made anew.",
)
def fixed_partner(images, neighbors, batch):
    images, neighbors, batch = torch.as_tensor(images), torch.as_tensor(neighbors), torch.as_tensor(batch)
    partners = neighbors[batch, batch % neighbors.shape[1]]
    return normalize(images[batch]), normalize(images[partners])


@misconception(
    VIEWS,
    "seed set inside",
    "A seed is set inside the function: every call makes the same draws.",
)
def views_with_seed(images, neighbors, batch, _right=neighbor_views):
    torch.manual_seed(0)
    return _right(images, neighbors, batch)


@misconception(
    VIEWS,
    "row of the batch instead of row of the data set",
    "`neighbors` is read at 0, 1, 2, … instead of at batch[0], batch[1], …: the partners belong to other "
    "images.",
)
def position_in_batch(images, neighbors, batch):
    images, neighbors = torch.as_tensor(images), torch.as_tensor(neighbors)
    rows = torch.arange(len(batch))
    partners = neighbors[rows, torch.randint(neighbors.shape[1], (len(batch),))]
    return normalize(images[batch]), normalize(images[partners])


@misconception(
    VIEWS,
    "partners drawn among all images",
    "The second view shows any image of the data set. It should be a mined neighbor.",
)
def any_image(images, neighbors, batch):
    images = torch.as_tensor(images)
    return normalize(images[batch]), normalize(images[torch.randint(len(images), (len(batch),))])


@misconception(
    VIEWS,
    "one partner for the whole batch",
    "Every image of a batch stands beside one and the same other image. Each image needs a neighbor of its own, from "
    "its own row of `neighbors`.",
)
def one_partner(images, neighbors, batch):
    images, row = torch.as_tensor(images), torch.as_tensor(neighbors)[batch[0]]
    partner = row[torch.randint(len(row), (1,))].expand(len(batch))
    return normalize(images[batch]), normalize(images[partner])


@misconception(
    VIEWS,
    "the same image twice",
    "Both views show the same image: the neighbor does not come into it.",
)
def same_image(images, neighbors, batch):
    view = normalize(torch.as_tensor(images)[batch])
    return view, view.clone()


@misconception(
    VIEWS,
    "two neighbors instead of image and neighbor",
    "Both views are neighbors. The first should be the image itself.",
)
def two_neighbors(images, neighbors, batch, _right=neighbor_views):
    return _right(images, neighbors, batch)[1], _right(images, neighbors, batch)[1]


@misconception(
    VIEWS,
    "not normalized",
    "The images are scaled to [0, 1] and not normalized: the encoder expects normalized views.",
)
def views_not_normalized(images, neighbors, batch, _right=neighbor_views):
    from unittest import mock

    with mock.patch.dict(globals(), normalize=lambda images: images.permute(0, 3, 1, 2).float() / 255):
        return _right(images, neighbors, batch)


@misconception(
    VIEWS,
    "normalized twice",
    "Mean and standard deviation are taken out twice: `normalize` does all of it, once, from the pixels as they are.",
)
def views_normalized_twice(images, neighbors, batch, _right=neighbor_views):
    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.247, 0.243, 0.261])
    first, second = _right(images, neighbors, batch)
    return tuple((each - mean.view(3, 1, 1)) / std.view(3, 1, 1) for each in (first, second))


@misconception(
    VIEWS,
    "not divided by 255",
    "Mean and standard deviation are those of images in [0, 1], and yours still go up to 255 when they are taken out.",
)
def views_not_divided(images, neighbors, batch, _right=neighbor_views):
    from unittest import mock

    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.247, 0.243, 0.261])
    with mock.patch.dict(globals(), normalize=lambda images: ((images - mean) / std).permute(0, 3, 1, 2)):
        return _right(images, neighbors, batch)


@misconception(
    VIEWS,
    "only the image normalized",
    "The image is normalized and its neighbor is not: the two views of a pair lie on different scales. "
    "Print the smallest and the largest value of both.",
)
def only_the_image_normalized(images, neighbors, batch):
    images, neighbors = torch.as_tensor(images), torch.as_tensor(neighbors)
    partners = neighbors[batch, torch.randint(neighbors.shape[1], (len(batch),))]
    return normalize(images[batch]), images[partners].permute(0, 3, 1, 2).float() / 255


@misconception(
    VIEWS,
    "augmented",
    "The views are augmented. Here mined neighbors take the place of generated ones: images are "
    "normalized, no more.",
)
def views_augmented(images, neighbors, batch, _right=neighbor_views):
    from unittest import mock

    from .augmentations import augment

    with mock.patch.dict(globals(), normalize=augment):
        return _right(images, neighbors, batch)


@misconception(
    VIEWS,
    "channels last",
    "The channels are still the last axis. An encoder wants (B, 3, H, W).",
)
def channels_last(images, neighbors, batch, _right=neighbor_views):
    return tuple(each.permute(0, 2, 3, 1) for each in _right(images, neighbors, batch))


@misconception(
    VIEWS,
    "neighbors changed in place",
    "The table of neighbors is written into: the next call sees another one.",
)
def neighbors_in_place(images, neighbors, batch, _right=neighbor_views):
    found = _right(images, neighbors, batch)
    neighbors[:] = neighbors.flip(1) if isinstance(neighbors, torch.Tensor) else np.flip(neighbors, 1)
    return found


# What tells these mistakes apart. An observer stops at what is wrong already in a simple case: there is enough to say.

EQUAL = torch.tensor([[0.0, 0, 0], [8, 1, 0], [0, 9, 3], [1, 2, 9], [9, 9, 5]])[[0, 1, 0, 2, 0, 3, 0, 1, 0, 4, 0]]
SCATTERED = torch.randn(40, 3, generator=torch.Generator().manual_seed(7))
# Quartets of rows: i and i ± 1 are at distance 1, i and i ± HALF at 2, all others further away. Whole numbers, so
# that products are exact; more rows than a block mostly has, and the last block incomplete.
HALF = 2114
_center = torch.cartesian_prod(torch.arange(0.0, 330, 10), torch.arange(0.0, 330, 10))[: HALF // 2]
_pairs = _center.repeat_interleave(2, dim=0) + torch.tensor([[0.0, 0.0], [1.0, 0.0]]).repeat(HALF // 2, 1)
QUARTETS = torch.cat([_pairs, _pairs + torch.tensor([0.0, 2.0])])
_row = torch.arange(2 * HALF)
PARTNERS = torch.stack([_row + 1 - 2 * (_row % 2), (_row + HALF) % (2 * HALF)], dim=1)


@observer(SEARCH)
def observe_search(student):
    search = student.neighbors.nearest_neighbors
    facts = {
        "other rows": _found(search(ROWS[:2], ROWS[2:], k=2)),
        "its own rows": _found(search(ROWS, ROWS, k=2)),
        "all but itself": _found(search(ROWS, ROWS, k=3, exclude_self=True)),
        "NaN": _has_nan(_two(search(ROUNDED, ROUNDED, k=1))),
    }
    apart = torch.cdist(ROWS, ROWS).fill_diagonal_(torch.inf).topk(3, largest=False)
    if facts["NaN"] or not agree(facts["all but itself"], list(apart)):
        return facts | {"itself among forty": _finds_itself(search)}
    facts |= _ties(_two(search(EQUAL, EQUAL, k=2, exclude_self=True))[-1])
    if not facts["itself among equal rows"] and facts["equal rows"] == "found":
        facts["many rows"] = _many_rows(*_two(search(QUARTETS, QUARTETS, k=2, exclude_self=True)))
    if facts.get("many rows") != "right":
        return facts
    facts["k above N"] = _refusal(search, ROWS[:2], ROWS[2:], k=5)
    facts["k = N, all but itself"] = _refusal(search, ROWS, ROWS, k=6, exclude_self=True)
    if facts["k above N"] == facts["k = N, all but itself"] == "refused":
        facts["k = 0"] = _refusal(search, ROWS, ROWS, k=0)
        facts["other widths"] = _refusal(search, ROWS, ROWS[:, :2], k=1)
    return facts


@observer(MINE)
def observe_mining(student):
    mine = student.neighbors.mine_neighbors
    found = [mine(SCATTERED), mine(SCATTERED)]
    if not agree(*found):
        # Of a graph whose nodes are in another order, how often each is found stays the same.
        return {"rows": "others at each call", "how often each is found": _counts(found[0])}
    facts = {"rows": found[0], "by default": mine(ROWS), "k = 1": mine(ROWS, k=1)}
    right = torch.cdist(SCATTERED, SCATTERED).fill_diagonal_(torch.inf).topk(3, largest=False).indices
    if not agree(found[0], right):
        return facts
    facts |= _ties(mine(EQUAL, k=2))
    if not facts["itself among equal rows"] and facts["equal rows"] == "found":
        facts["many rows"] = _many_rows(None, mine(QUARTETS, k=2))
    return facts | {"k = N": _refusal(mine, ROWS, k=6)} if facts.get("many rows") == "right" else facts


def _two(value) -> list:
    """Distances and indices, or two views, in whatever holds the two."""
    value = list(value.values()) if isinstance(value, dict) else value
    return list(value) if isinstance(value, tuple | list) else [value]


def _found(value) -> list:
    """Distances and indices of few rows. From sums that are subtracted, 0 comes out as up to .02."""
    each = [torch.as_tensor(each) for each in _two(value)]
    return [one.where(one.abs() > lookup.NEAR, 0) if one.is_floating_point() else one for one in each]


def _has_nan(values: list) -> bool:
    return any(bool(torch.as_tensor(each).isnan().any()) for each in values)


def _finds_itself(search) -> bool:
    """Whether a row of forty is its own neighbor. One of six may be there because no other candidate is left."""
    found = torch.as_tensor(_two(search(SCATTERED, SCATTERED, k=1, exclude_self=True))[-1])
    return found.shape == (40, 1) and bool((found == torch.arange(40)[:, None]).any())


def _refusal(search, *args, **kwargs) -> str:
    """What happens to a request that cannot be answered."""
    try:
        value = search(*args, **kwargs)
    except ValueError:
        return "refused"
    except StudentError as error:
        return error.type_name
    return f"{len(torch.as_tensor(_two(value)[-1])[0])} columns"


def _ties(found) -> dict:
    """Of the neighbors of EQUAL, where row 0 is there six times: ties come in any order."""
    found = torch.as_tensor(found)
    if found.shape != (len(EQUAL), 2) or found.is_floating_point():
        return {"itself among equal rows": False, "equal rows": f"{found.dtype} {list(found.shape)}"}
    own = torch.arange(len(EQUAL))[:, None]
    six = (EQUAL == EQUAL[0]).all(dim=1)
    equal = bool((EQUAL[found.long()][six] == EQUAL[0]).all())
    return {"itself among equal rows": bool((found == own).any()), "equal rows": "found" if equal else "left out"}


def _many_rows(distances, found) -> str:
    """What became of the neighbors of QUARTETS, whatever the size of blocks."""
    found = torch.as_tensor(found)
    if found.shape != PARTNERS.shape:
        return "fewer rows" if found.shape[0] < len(PARTNERS) else "another shape"
    if (found == _row[:, None]).any():
        return "itself in the first rows, too" if (found == _row[:, None])[:50].any() else "itself in later rows"
    if distances is not None:
        near, far = (torch.as_tensor(distances) - torch.tensor([1.0, 2.0])).abs().amax(dim=0) < 0.1
        if not (near and far):
            if near and (found[:, 0] == found[:, 1]).any():
                return "the nearest twice"
            return "only near in the order of rows" if near else "not the nearest"
    wrong = found != PARTNERS
    if not wrong.any():
        return "right"
    if not (found > PARTNERS).any():
        return "smaller indices"
    # A search within blocks never finds what is far away in the order of rows, from the first row on.
    return f"others, in the first rows in columns {wrong[:50].all(dim=0).nonzero().flatten().tolist()}"


def _counts(found) -> list:
    """How often each row is found, in order of size."""
    found = torch.as_tensor(found)
    return [] if found.is_floating_point() else found.flatten().bincount(minlength=40).sort().values.tolist()


# Views

_generator = torch.Generator().manual_seed(8)
PICTURES = torch.randint(0, 256, (24, 8, 8, 3), dtype=torch.uint8, generator=_generator)
_others = torch.stack([torch.randperm(23, generator=_generator)[:4] + 1 for _ in range(24)])
TABLE = (torch.arange(24)[:, None] + _others) % 24  # four other images for each
BATCH = (torch.arange(10).repeat(2) * 7 % 24)[torch.randperm(20, generator=_generator)]  # ten images, each twice
PLAIN = ("scaled to [0, 1]", "0 to 255")
_images, _normalized = PICTURES.permute(0, 3, 1, 2).float(), lookup.normalized(PICTURES)
_mean, _std = lookup.MEAN.view(3, 1, 1), lookup.STD.view(3, 1, 1)
TABLES = dict(zip(PLAIN, (_images / 255, _images))) | {
    "normalized": _normalized, "twice": (_normalized - _mean) / _std, "not divided": (_images - _mean) / _std,
}  # fmt: skip


@observer(VIEWS)
def observe_views(student):
    pairs = [_two(student.neighbors.neighbor_views(PICTURES, TABLE, BATCH)) for _ in range(8)]
    if any(len(each) != 2 for each in pairs):
        return {"views": "not two"}
    kinds, images = zip(*[_shown(torch.as_tensor(each)) for pair in pairs for each in pair])
    one, other = (sorted(set(each)) for each in (kinds[::2], kinds[1::2]))
    if one == ["normalized"] and all(each.startswith(PLAIN) for each in other):
        other = ["not normalized"]  # in whatever else it is as it was
    facts = {"views": one + other}
    if any(each is None for each in images):
        return facts | {"random": not agree(pairs[0][0], pairs[1][0])}
    first, second = torch.stack(images[::2]), torch.stack(images[1::2])  # (8, 20)
    options = {"the image": BATCH[:, None], "a neighbor": TABLE[BATCH], "a neighbor of image 0, 1, …": TABLE[:20]}
    options["a neighbor's neighbor"] = TABLE[TABLE[BATCH]].flatten(1)
    facts |= {"first": _whose(first, options), "second": _whose(second, options)}
    return facts | _columns(second, options.get(facts["second"], TABLE[BATCH]))


def _shown(view: torch.Tensor) -> tuple[str, torch.Tensor | None]:
    """How images were made into a view, and which ones."""
    layout = ""
    if view.shape == (20, 8, 8, 3):
        layout, view = ", channels last", view.permute(0, 3, 1, 2)
    if view.shape != (20, 3, 8, 8):
        return f"shape {list(view.shape)}", None
    for name, table in TABLES.items():
        equal = (view[:, None] - table).abs().amax(dim=(2, 3, 4)) < 1e-3  # (20, 24)
        if equal.any(dim=1).all():
            return name + layout, equal.long().argmax(dim=1)
    return "not an image as it is" + layout, None


def _whose(shown: torch.Tensor, options: dict[str, torch.Tensor]) -> str:
    found = [name for name, rows in options.items() if (shown[:, :, None] == rows).any(dim=2).all()]
    if found:
        return found[0]
    if (shown == shown[:, :1]).all():
        return "one image for all"
    return "any images" if _is_spread(shown) else "other images"


def _is_spread(shown: torch.Tensor) -> bool:
    """Whether partners (8, 20) come from the whole data set, each image's own from most of it.

    Of 16 independent draws among 24 images 12 differ, 9 or more in the mean over ten images. Four columns of some other row, or
    a step on from a neighbor, give no more than 4 an image; the lists of a batch, however they are mixed, hold only their own.
    """
    listed = TABLE[BATCH].unique()
    order = BATCH.argsort(stable=True)
    by_image = shown[:, order].view(8, 10, 2).transpose(0, 1).flatten(1)  # (10, 16)
    different = sum(len(each.unique()) for each in by_image) / len(by_image)
    return bool((~torch.isin(shown, listed)).any()) and len(shown.unique()) >= 20 and different >= 9


def _columns(shown: torch.Tensor, rows: torch.Tensor) -> dict:
    """How the columns were drawn, in eight calls with one batch."""
    hit = shown[:, :, None] == rows  # (8, 20, columns)
    if rows.shape[1] == 1 or not hit.any(dim=2).all():
        return {}
    column = hit.long().argmax(dim=2)
    order = BATCH.argsort(stable=True)
    facts = {
        "one for a batch": bool((column == column[:, :1]).all()),
        "one for an image": bool((column[:, order[::2]] == column[:, order[1::2]]).all()),
        "the same at each call": bool((column == column[0]).all()),
    }
    if all(facts.values()) or not any(facts.values()):  # in between, too little is drawn to see every column
        facts["columns"] = column.unique().tolist()
    return facts


# Combinations


@alteration(SEARCH, "squared distances")
def and_squared(version):
    def nearest_neighbors(queries, bank, k, exclude_self=False):
        distances, found = version(queries, bank, k, exclude_self)
        return distances**2, found

    return nearest_neighbors


@alteration(SEARCH, "exclude_self ignored")
def and_self_counted(version):
    def nearest_neighbors(queries, bank, k, exclude_self=False):
        return version(queries, bank, k)

    return nearest_neighbors


@alteration(SEARCH, "not sorted")
def and_unsorted(version):
    def nearest_neighbors(queries, bank, k, exclude_self=False):
        distances, found = version(queries, bank, k, exclude_self)
        return distances.flip(1), found.flip(1)

    return nearest_neighbors


@alteration(SEARCH, "cosine instead of ℓ2")
def and_cosine(version):
    def nearest_neighbors(queries, bank, k, exclude_self=False):
        queries, bank = (torch.nn.functional.normalize(torch.as_tensor(each)) for each in (queries, bank))
        return version(queries, bank, k, exclude_self)

    return nearest_neighbors


@alteration(SEARCH, "indices before distances")
def and_swapped_pair(version):
    def nearest_neighbors(queries, bank, k, exclude_self=False):
        return version(queries, bank, k, exclude_self)[::-1]

    return nearest_neighbors


@alteration(SEARCH, "the row itself not counted off")
def and_own_row_fills_up(version):
    def nearest_neighbors(queries, bank, k, exclude_self=False):
        if exclude_self and k == len(bank):
            return tuple(torch.cat([each, each[:, :1]], dim=1) for each in version(queries, bank, k - 1, True))
        return version(queries, bank, k, exclude_self)

    return nearest_neighbors


@alteration(MINE, "cosine instead of ℓ2")
def and_mines_by_angle(version):
    def mine_neighbors(representations, k=3):
        return version(torch.nn.functional.normalize(torch.as_tensor(representations)), k)

    return mine_neighbors


@alteration(MINE, "standardized first")
def and_mines_standardized(version):
    def mine_neighbors(representations, k=3):
        x = torch.as_tensor(representations)
        return version((x - x.mean(dim=0)) / x.std(dim=0), k)

    return mine_neighbors


@alteration(MINE, "k not used")
def and_k_not_used(version):
    def mine_neighbors(representations, k=3):
        return version(representations, 3)

    return mine_neighbors


@alteration(VIEWS, "one draw for the whole batch")
def and_one_draw(version):
    def neighbor_views(images, neighbors, batch):
        column = int(torch.randint(neighbors.shape[1], ()))
        return version(images, neighbors[:, column : column + 1], batch)

    return neighbor_views


@alteration(VIEWS, "always the nearest")
def and_always_nearest(version):
    def neighbor_views(images, neighbors, batch):
        return version(images, neighbors[:, :1], batch)

    return neighbor_views


@alteration(VIEWS, "the last neighbor never drawn")
def and_last_never(version):
    def neighbor_views(images, neighbors, batch):
        return version(images, neighbors[:, :-1], batch)

    return neighbor_views


@alteration(VIEWS, "seed set inside")
def and_views_with_seed(version):
    def neighbor_views(images, neighbors, batch):
        torch.manual_seed(0)
        return version(images, neighbors, batch)

    return neighbor_views


@alteration(VIEWS, "channels last")
def and_channels_last(version):
    def neighbor_views(images, neighbors, batch):
        return tuple(each.permute(0, 2, 3, 1) for each in version(images, neighbors, batch))

    return neighbor_views
