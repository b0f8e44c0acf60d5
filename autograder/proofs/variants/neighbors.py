"""Task 6 in other styles."""

import numpy as np
import torch

from autograder.proofs.variants import variant
from solutions.neighbors import nearest_neighbors, normalize

SEARCH, MINE = "neighbors.nearest_neighbors", "neighbors.mine_neighbors"
VIEWS = "neighbors.neighbor_views"


@variant(SEARCH, "cdist in blocks of queries, own distance infinite")
def by_cdist(queries, bank, k, exclude_self=False):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    if k < 1 or k > len(bank) - int(exclude_self) or queries.shape[1] != bank.shape[1]:
        raise ValueError(f"k = {k} with {len(bank)} rows of width {bank.shape[1]}")
    distances, found = [], []
    for start in range(0, len(queries), 512):
        block = torch.cdist(queries[start : start + 512], bank)
        if exclude_self:
            rows = torch.arange(len(block))
            block[rows, start + rows] = float("inf")
        nearest = torch.topk(block, k, largest=False)
        distances.append(nearest.values)
        found.append(nearest.indices)
    return torch.cat(distances), torch.cat(found)


@variant(SEARCH, "matrix products in blocks, clamped before the root, full sort")
def by_products(queries, bank, k, exclude_self=False):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    n = bank.shape[0]
    if not 0 < k <= (n - 1 if exclude_self else n):
        raise ValueError("there are not so many neighbors")
    if queries.shape[1] != bank.shape[1]:
        raise ValueError("other widths")
    norms = (bank**2).sum(1)
    distances = torch.empty(len(queries), k, dtype=queries.dtype)
    indices = torch.empty(len(queries), k, dtype=torch.long)
    for start in range(0, len(queries), 300):
        q = queries[start : start + 300]
        squares = (q**2).sum(1, keepdim=True) - 2 * q @ bank.T + norms
        if exclude_self:
            squares[torch.arange(len(q)), torch.arange(start, start + len(q))] = torch.inf
        squares, order = squares.clamp_min(0).sort(dim=1)
        distances[start : start + 300], indices[start : start + 300] = squares[:, :k].sqrt(), order[:, :k]
    return distances, indices


@variant(SEARCH, "a loop over the queries, differences written out, arrays out")
def one_query_at_a_time(queries, bank, k, exclude_self=False):
    queries, bank = np.asarray(queries), np.asarray(bank)
    if queries.shape[1] != bank.shape[1] or not 1 <= k <= len(bank) - (1 if exclude_self else 0):
        raise ValueError("k or widths")
    distances, indices = np.empty((len(queries), k)), np.empty((len(queries), k), dtype=np.int64)
    for i, query in enumerate(queries):
        row = np.linalg.norm(bank - query, axis=1)
        if exclude_self:
            row[i] = np.inf
        few = np.argpartition(row, k - 1)[:k]
        few = few[np.argsort(row[few])]
        distances[i], indices[i] = row[few], few
    return distances, indices


@variant(SEARCH, "scikit-learn, k + 1 neighbors, own index removed")
def with_scikit(queries, bank, k, exclude_self=False):
    from sklearn.neighbors import NearestNeighbors

    queries, bank = np.asarray(queries), np.asarray(bank)
    if k < 1 or k + exclude_self > len(bank) or queries.shape[1] != bank.shape[1]:
        raise ValueError("k")
    search = NearestNeighbors(n_neighbors=k + exclude_self, algorithm="brute").fit(bank)
    distances, found = search.kneighbors(queries)
    if exclude_self:
        keep = found != np.arange(len(found))[:, None]
        keep[keep.all(axis=1), -1] = False  # itself is not among k + 1 where many rows are equal
        distances, found = distances[keep].reshape(-1, k), found[keep].reshape(-1, k)
    return torch.from_numpy(distances), torch.from_numpy(found)


@variant(SEARCH, "scipy's k-d tree, asked for two more than needed")
def with_tree(queries, bank, k, exclude_self=False):
    from scipy.spatial import cKDTree

    queries, bank = np.asarray(queries), np.asarray(bank)
    if not 1 <= k <= len(bank) - exclude_self:
        raise ValueError("k is out of range")
    if queries.shape[1] != bank.shape[1]:
        raise ValueError("different numbers of columns")
    distances, found = cKDTree(bank).query(queries, k=list(range(1, k + 1 + exclude_self)))
    if exclude_self:
        own = found == np.arange(len(found))[:, None]
        own[~own.any(axis=1), -1] = True
        distances, found = (each[~own].reshape(len(found), k) for each in (distances, found))
    return distances, found.astype(np.int64)


@variant(SEARCH, "blocks of queries and of the bank, candidates merged")
def two_loops(queries, bank, k, exclude_self=False):
    queries, bank = torch.as_tensor(queries), torch.as_tensor(bank)
    if queries.shape[-1] != bank.shape[-1] or k <= 0 or k >= len(bank) + (not exclude_self):
        raise ValueError("impossible")
    results = []
    for i in range(0, len(queries), 1000):
        best, index = torch.empty(0), torch.empty(0)
        for j in range(0, len(bank), 700):
            block = torch.cdist(queries[i : i + 1000], bank[j : j + 700])
            columns = torch.arange(j, j + block.shape[1]).expand(len(block), -1)
            if exclude_self:
                rows = torch.arange(i, i + len(block))[:, None]
                block = torch.where(rows == columns, torch.inf, block)
            if j:
                block, columns = torch.cat([best, block], 1), torch.cat([index, columns], 1)
            order = block.argsort(dim=1)[:, :k]
            best, index = block.gather(1, order), columns.gather(1, order)
        results.append((best, index))
    return torch.cat([a for a, _ in results]), torch.cat([b for _, b in results])


@variant(MINE, "NumPy array from scikit-learn's graph of neighbors")
def mined_by_scikit(representations, k=3):
    from sklearn.neighbors import NearestNeighbors

    # Asked without rows, it leaves out each row itself, by its index.
    return NearestNeighbors(n_neighbors=k).fit(np.asarray(representations)).kneighbors(return_distance=False)


@variant(MINE, "a loop over rows, own distance infinite, list stacked")
def mined_by_loop(representations, k=3):
    if not 0 < k < len(representations):
        raise ValueError(f"{k} of {len(representations)} rows")
    x, found = torch.as_tensor(representations), []
    for i in range(len(x)):
        distances = (x - x[i]).pow(2).sum(dim=1)
        distances[i] = float("inf")
        found.append(distances.sort().indices[:k])
    return torch.stack(found)


@variant(MINE, "all but the row itself from a search for k + 1")
def mined_by_filter(representations, k=3):
    found = nearest_neighbors(representations, representations, k + 1)[1].tolist()
    return torch.tensor([[j for j in row if j != i][:k] for i, row in enumerate(found)])


@variant(MINE, "cdist at once, int32")
def mined_by_cdist(representations, k=3):
    if not 0 < k < len(representations):
        raise ValueError(f"{k} of {len(representations)} rows")
    x = torch.as_tensor(representations)
    distances = torch.cdist(x, x)
    distances.fill_diagonal_(float("inf"))
    return distances.argsort(dim=1)[:, :k].int()


@variant(VIEWS, "a loop with Python's random.choice")
def by_choice(images, neighbors, batch):
    import random

    partners = [random.choice(neighbors[int(i)].tolist()) for i in batch]
    images = torch.as_tensor(images)
    return normalize(images[batch]), normalize(images[partners])


@variant(VIEWS, "NumPy's generator, both batches normalized at once")
def by_numpy(images, neighbors, batch):
    rows, table = np.asarray(batch), np.asarray(neighbors)
    drawn = np.random.randint(0, table.shape[1], size=len(rows))
    both = normalize(np.asarray(images)[np.concatenate([rows, table[rows, drawn]])])
    return both[: len(rows)], both[len(rows) :]


@variant(VIEWS, "random columns by argmax of noise, gather, everything normalized before")
def by_gather(images, neighbors, batch):
    everything = normalize(images)
    candidates = neighbors[batch]
    column = torch.rand(candidates.shape).argmax(dim=1, keepdim=True)
    return [everything[batch], everything[candidates.gather(1, column).squeeze(1)]]


@variant(VIEWS, "multinomial, normalization written out")
def by_multinomial(images, neighbors, batch):
    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.247, 0.243, 0.261])
    images = torch.as_tensor(images)
    column = torch.multinomial(torch.ones(neighbors.shape[1]), len(batch), replacement=True)
    a, b = images[batch], images[neighbors[batch, column]]
    return tuple(((x / 255 - mean) / std).permute(0, 3, 1, 2).contiguous() for x in (a, b))
