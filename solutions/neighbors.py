"""Task 6: mine neighbors among representations, to train on them instead of on generated views."""

### BEGIN SOLUTION
import contextlib

### END SOLUTION
import numpy as np
import torch

from .warmup import normalize

### BEGIN SOLUTION
ENTRIES = 2**23  # of any temporary matrix: 32 MiB in float32, 64 MiB in float64
CPU_BLOCK = 2**22  # distances at once on a CPU: caches like fewer, threads that wait for each other like more
SPARE = 8  # candidates beyond k that are measured exactly


@contextlib.contextmanager
def _full_precision(device: torch.device):
    """Matrix products in the full precision of their dtype (no TF32, no autocast), inside alone."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False), torch.no_grad():
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _refuse(queries: torch.Tensor, bank: torch.Tensor, k: int, exclude_self: bool) -> None:
    """ValueError for what cannot be answered."""
    if queries.dim() != 2 or bank.dim() != 2 or queries.shape[1] != bank.shape[1]:
        shapes = f"{tuple(queries.shape)} and {tuple(bank.shape)}"
        raise ValueError(f"queries and bank must be matrices of the same width, not {shapes}")
    if exclude_self and len(queries) != len(bank):
        raise ValueError(
            f"exclude_self needs the same rows twice, not {len(queries)} queries and {len(bank)} bank rows"
        )
    others = len(bank) - exclude_self
    if not 1 <= k <= others:
        raise ValueError(f"k must lie between 1 and the {others} rows that a query can have, not at {k}")


def _candidates(queries, bank, own, count: int, center, dtype):
    """The `count` rows that seem nearest, by products in `dtype`: (|q − b|² − |q|², indices), sorted.

    Squares are summed around `center`: far from the origin, their differences would be nothing but rounding.
    """
    width = max(1, bank.shape[1])
    columns = max(1, min(2**13, ENTRIES // width))
    rows = max(1, min((CPU_BLOCK if bank.device.type == "cpu" else ENTRIES) // columns, ENTRIES // width))
    best = torch.full((len(queries), count), torch.inf, dtype=dtype, device=bank.device)
    index = torch.zeros(best.shape, dtype=torch.int64, device=bank.device)
    for start in range(0, len(bank), columns):
        block = bank[start : start + columns].to(dtype) - center  # (c, dim)
        norms = block.square().sum(dim=1)
        for first in range(0, len(queries), rows):
            part = slice(first, first + rows)
            near = torch.addmm(norms, queries[part].to(dtype) - center, block.T, alpha=-2)  # (r, c)
            _hide(near, own, part, start)
            values, found = _smallest(near, min(count, near.shape[1]))
            values, order = torch.cat([best[part], values], dim=1).topk(count, largest=False)
            best[part], index[part] = values, torch.cat([index[part], found + start], dim=1).gather(1, order)
    return best, index


def _smallest(values, count: int, stride: int = 32):
    """`values.topk(count, largest=False)`, twice as fast where there are many columns.

    The columns are dealt into groups. The `count` smallest lie in those `count` groups with the least minima.
    """
    groups = values.shape[1] // stride
    if groups < 4 * count:
        return values.topk(count, largest=False)
    dealt = values[:, : groups * stride].view(len(values), stride, groups)
    chosen = dealt.amin(dim=1).topk(count, largest=False).indices  # (r, count)
    members = torch.arange(stride, device=values.device)[:, None] * groups  # (stride, 1)
    rest = torch.arange(groups * stride, values.shape[1], device=values.device)
    columns = torch.cat([(chosen[:, None] + members).flatten(1), rest.expand(len(values), -1)], dim=1)
    values, order = values.gather(1, columns).topk(count, largest=False)
    return values, columns.gather(1, order)


def _hide(near, own, part: slice, start: int) -> None:
    """Put a query's own row, where it lies in these columns (start, start + 1, …), out of reach."""
    if own is not None:
        column = own[part] - start
        inside = ((column >= 0) & (column < near.shape[1])).nonzero().squeeze(1)
        near[inside, column[inside]] = torch.inf


def _measure(queries, bank, index):
    """Distances of query i to the rows index[i], from the differences themselves: 0 for equal rows."""
    rows = max(1, ENTRIES // max(1, index.shape[1] * bank.shape[1]))
    parts = zip(queries.split(rows), index.split(rows))
    return torch.cat([torch.linalg.vector_norm(q[:, None] - bank[i], dim=2) for q, i in parts])


def _lengths(x, center):
    """‖x[i] − center‖, block by block."""
    parts = x.split(max(1, ENTRIES // max(1, x.shape[1])))
    return torch.cat([torch.linalg.vector_norm(part.to(center.dtype) - center, dim=1) for part in parts])


def _search(queries, bank, own, k: int, dtype):
    """(distances, indices, whether they are certain), from k + SPARE candidates that are measured exactly.

    Row i is certain when no other row can be nearer than its k. All rows but the candidates seem farther than
    the last of them, and rounding moves |b|² − 2 q·b, sums of `dim` products in any order, by no more than
    about dim · eps / 2 · (|q| + |b|)² (N. Higham, Accuracy and Stability of Numerical Algorithms, §3.1).
    """
    others = len(bank) - (own is not None)
    count = min(k + SPARE, others)
    center = bank.mean(dim=0).to(dtype)
    seeming, index = _candidates(queries, bank, own, count, center, dtype)
    distances, order = _measure(queries, bank, index).sort(dim=1)
    index = index.gather(1, order)
    if count == others:
        return distances[:, :k], index[:, :k], torch.ones(len(queries), dtype=torch.bool, device=bank.device)
    lengths = _lengths(queries, center)
    slack = (bank.shape[1] + 16) * torch.finfo(dtype).eps * (lengths + _lengths(bank, center).max()).square()
    certain = distances[:, k - 1].to(dtype).square() <= seeming[:, -1] + lengths.square() - slack
    return distances[:, :k], index[:, :k], certain


def _directly(query, bank, own, k: int):
    """(distances, indices) of one query, from all differences."""
    parts = bank.split(max(1, ENTRIES // max(1, bank.shape[1])))
    distances = torch.cat([torch.linalg.vector_norm(part - query, dim=1) for part in parts])  # (N,)
    if own is not None:
        distances[own] = torch.inf
    return distances.topk(k, largest=False)


### END SOLUTION


def nearest_neighbors(
    queries: np.ndarray | torch.Tensor, bank: np.ndarray | torch.Tensor, k: int, exclude_self: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k nearest rows of `bank` for every query, exactly, without a queries × bank matrix in memory.

        distances[i, j] = ‖queries[i] − bank[indices[i, j]]‖₂ ,  distances[i, 0] ≤ distances[i, 1] ≤ …

    Equal rows have distance 0, and ties come in any order. Distances are computed block by block, so that
    memory does not grow with M · N (here: a few blocks of at most 2²³ numbers, 32 MiB each in float32).

    Args:
        queries: (M, dim), NumPy array or tensor.
        bank: (N, dim), the rows that are searched.
        k: how many neighbors, at least 1.
        exclude_self: `queries` is `bank`, and row i must not find itself: index i never stands in row i, also
            when another row equals it.

    Returns:
        distances, float, (M, k), ascending in each row, and indices into `bank`, int64, (M, k); tensors on
        the device of `queries`.

    Raises:
        ValueError: k below 1 or above the number of rows that there are (one less with `exclude_self`), or
            matrices of different widths.

    >>> nearest_neighbors(torch.tensor([[0.0]]), torch.tensor([[3.0], [1.0], [-2.0]]), k=2)
    (tensor([[1., 2.]]), tensor([[1, 2]]))
    """
    ### BEGIN SOLUTION
    queries = torch.as_tensor(queries).detach()
    bank = torch.as_tensor(bank, device=queries.device).detach()
    _refuse(queries, bank, k, exclude_self)
    dtype = torch.promote_types(torch.promote_types(queries.dtype, bank.dtype), torch.float32)
    queries, bank = queries.to(dtype), bank.to(dtype)
    own = torch.arange(len(queries), device=bank.device) if exclude_self else None
    with _full_precision(bank.device):
        distances, indices, certain = _search(queries, bank, own, k, dtype)
        again = (~certain).nonzero().squeeze(1)  # near-ties, or close to each other and far from the center
        if len(again) and dtype == torch.float32 and bank.device.type != "mps":  # which has no float64
            mine = None if own is None else own[again]
            better = _search(queries[again], bank, mine, k, torch.float64)
            for all_rows, some in zip((distances, indices, certain), better):
                all_rows[again] = some
        for i in (~certain).nonzero().squeeze(1).tolist():  # more ties than candidates: many equal rows
            distances[i], indices[i] = _directly(queries[i], bank, i if exclude_self else None, k)
    return distances, indices
    ### END SOLUTION


def mine_neighbors(representations: np.ndarray | torch.Tensor, k: int = 3) -> torch.Tensor:
    """The k nearest other rows of every row: the images that take the place of generated neighbors.

    Distances are ℓ2, in the space of the representations y = f(x) of one and the same encoder.

    Args:
        representations: (N, dim), NumPy array or tensor; row i for image i.
        k: neighbors per row, at most N − 1.

    Returns:
        int64 tensor, (N, k), nearest first; i is never among the neighbors of i.

    Raises:
        ValueError: k below 1 or above N − 1.

    >>> mine_neighbors(torch.tensor([[0.0], [1.0], [5.0], [7.0]]), k=1).flatten()
    tensor([1, 0, 3, 2])
    """
    ### BEGIN SOLUTION
    return nearest_neighbors(representations, representations, k, exclude_self=True)[1]
    ### END SOLUTION


def neighbor_views(
    images: np.ndarray | torch.Tensor, neighbors: np.ndarray | torch.Tensor, batch: np.ndarray | torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Two views without any augmentation: the images of a batch, and one mined neighbor of each.

    The neighbor is drawn uniformly among the k of its image, for every image on its own and anew at every
    call, from torch's global generator. Both batches are normalized and nothing else.

    Args:
        images: all images, uint8, (N, H, W, 3), NumPy array or tensor.
        neighbors: int64, (N, k), as `mine_neighbors` returns it.
        batch: int64, (B,), which images make up the batch.

    Returns:
        float32 tensors (B, 3, H, W), (B, 3, H, W); row i of the second shows a neighbor of image batch[i].

    >>> images = np.array([0, 0, 255, 255], dtype=np.uint8).reshape(4, 1, 1, 1).repeat(3, axis=3)
    >>> view, other = neighbor_views(images, torch.tensor([[1], [0], [3], [2]]), torch.tensor([2, 0]))
    >>> view.shape, torch.equal(view, other)
    (torch.Size([2, 3, 1, 1]), True)
    """
    ### BEGIN SOLUTION
    images, neighbors = torch.as_tensor(images), torch.as_tensor(neighbors)
    batch = torch.as_tensor(batch, device=neighbors.device)
    drawn = torch.randint(neighbors.shape[1], (len(batch),)).to(neighbors.device)  # (B,), columns
    partners = neighbors[batch, drawn]
    return normalize(images[batch.to(images.device)]), normalize(images[partners.to(images.device)])
    ### END SOLUTION
