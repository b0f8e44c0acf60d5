"""Mistakes in task 6. `_right` is the reference's function, taken while the name still means it."""

import numpy as np
import torch

from autograder.misconceptions import misconception, probe
from solutions.neighbors import mine_neighbors, nearest_neighbors, neighbor_views, normalize

SEARCH, MINE = "neighbors.nearest_neighbors", "neighbors.mine_neighbors"
VIEWS = "neighbors.neighbor_views"

# Rows of different length around (2, 1, 0), with all distances between them different.
ROWS = torch.tensor(
    [[2.0, 1.5, 0.25], [4.5, 2.0, 0.5], [0.5, 0.25, -1.0], [9.0, 4.0, 1.0], [2.25, -3.0, 0.75],
     [3.0, 5.5, -2.5]]
)
probe(SEARCH, ROWS[:2], ROWS[2:], k=2)
probe(SEARCH, ROWS, ROWS, k=3, exclude_self=True)
probe(SEARCH, ROWS, ROWS, k=2)
# Equal rows, for which rounding makes |q|² + |b|² − 2 q·b negative here and there.
ROUNDED = 3 * torch.randn(40, 16, generator=torch.Generator().manual_seed(0))
probe(SEARCH, ROUNDED, ROUNDED, k=1)
probe(MINE, ROWS)
probe(MINE, ROWS, k=1)


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
    parts = [torch.cdist(each, bank, **exact).sort(dim=1, stable=True) for each in queries.split(500)]
    distances, found = (torch.cat(each)[:, 1 : k + 1] for each in zip(*parts))
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
    "Rows are ranked by their dot product with the query. That prefers long rows, wherever they lie.",
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
