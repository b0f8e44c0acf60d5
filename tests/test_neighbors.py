"""The search for neighbors: exact whatever the rows are, in bounded memory, and without traces."""

import numpy as np
import pytest
import torch

from solutions import neighbors
from solutions.neighbors import mine_neighbors, nearest_neighbors, neighbor_views


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def random_rows(count, width, seed=0, dtype=torch.float32):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def by_hand(queries, bank, k, exclude_self=False):
    """Distances alone: ties may come in any order."""
    rows = torch.stack([(bank.double() - query.double()).norm(dim=1) for query in queries])
    return (rows.fill_diagonal_(torch.inf) if exclude_self else rows).sort(dim=1).values[:, :k]


def assert_exact(queries, bank, k, exclude_self=False):
    distances, indices = nearest_neighbors(queries, bank, k, exclude_self)
    wanted = by_hand(queries, bank, k, exclude_self)
    named = torch.stack([(bank[i].double() - q.double()).norm(dim=1) for q, i in zip(queries, indices)])
    torch.testing.assert_close(distances.double(), wanted, rtol=2e-6, atol=0)
    torch.testing.assert_close(named, wanted, rtol=2e-6, atol=0)  # the indices name rows at these distances
    if exclude_self:
        assert (indices != torch.arange(len(queries))[:, None]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_many_rows_in_several_blocks(dtype, monkeypatch):
    monkeypatch.setattr(neighbors, "CPU_BLOCK", 2**14)
    monkeypatch.setattr(neighbors, "ENTRIES", 2**13)  # 1,024 columns of width 8 at a time
    x = random_rows(2503, 8, dtype=dtype)
    assert_exact(x, x, 3, exclude_self=True)
    assert_exact(x[:90], x[90:], 5)


@pytest.mark.parametrize("shift", [0.0, 1e2, 1e4, 1e6])
def test_far_from_the_origin(shift):
    x = random_rows(1500, 4) + shift
    assert_exact(x, x, 4, exclude_self=True)


def test_tight_clusters_far_apart():
    """Squared distances within a cluster are far below the rounding of a float32 product."""
    centers = 1e3 * random_rows(10, 6, seed=1)
    x = (centers[:, None] + 1e-2 * random_rows(400, 6).view(10, 40, 6)).flatten(0, 1)
    assert_exact(x, x, 3, exclude_self=True)


@pytest.mark.parametrize("different", [1, 3])
def test_equal_rows_are_at_distance_zero(different):
    x = random_rows(different, 8).repeat(300, 1)
    distances, indices = nearest_neighbors(x, x, 3, exclude_self=True)
    assert (distances == 0).all()
    assert (indices != torch.arange(len(x))[:, None]).all()
    assert (nearest_neighbors(x, x, 2)[0] == 0).all()


def test_k_up_to_the_whole_bank():
    x = random_rows(300, 3)
    assert_exact(x[:20], x, 300)
    assert_exact(x, x, 299, exclude_self=True)


def test_types_and_arrays():
    x = random_rows(20, 3)
    distances, indices = nearest_neighbors(x.numpy(), x.double().numpy(), np.int64(2))
    assert (distances.dtype, indices.dtype) == (torch.float64, torch.int64)
    assert nearest_neighbors(x.half(), x.half(), 2)[0].dtype == torch.float32
    assert nearest_neighbors(torch.arange(6)[:, None], torch.arange(6)[:, None], 2)[0][0].tolist() == [0, 1]
    distances, indices = nearest_neighbors(x[:0], x, 2)
    assert distances.shape == indices.shape == (0, 2)


def test_settings_and_gradients_stay_out():
    x = random_rows(50, 4).requires_grad_()
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):  # as inside a mixed-precision training
            distances, _ = nearest_neighbors(x, x, 3, exclude_self=True)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert not distances.requires_grad
    torch.testing.assert_close(distances.double(), by_hand(x, x, 3, True).detach(), rtol=2e-6, atol=0)


def test_refusals_are_one_clear_sentence():
    x = random_rows(5, 3)
    with pytest.raises(ValueError, match=r"k must lie between 1 and the 5 rows .* not at 6$"):
        nearest_neighbors(x, x, 6)
    with pytest.raises(ValueError, match=r"k must lie between 1 and the 4 rows .* not at 5$"):
        mine_neighbors(x, k=5)
    with pytest.raises(ValueError, match="not at 0$"):
        nearest_neighbors(x, x, 0)
    with pytest.raises(ValueError, match=r"same width, not \(5, 3\) and \(5, 2\)$"):
        nearest_neighbors(x, x[:, :2], 1)
    with pytest.raises(ValueError, match="the same rows twice"):
        nearest_neighbors(x[:3], x, 1, exclude_self=True)


def test_no_temporary_grows_with_the_number_of_pairs():
    """The largest allocation, whatever the number of rows: 2²³ numbers, and less than that where rows are few."""
    from torch.profiler import ProfilerActivity, profile

    x = random_rows(12_000, 16)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as report:
        nearest_neighbors(x, x, 3, exclude_self=True)
    largest = max((abs(event.cpu_memory_usage) for event in report.events()), default=0)
    assert 0 < largest <= 4 * 2**23 < 12_000**2 * 4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    x = random_rows(5000, 32)
    distances, indices = nearest_neighbors(x.cuda(), x.cuda(), 3, exclude_self=True)
    assert distances.is_cuda and indices.is_cuda
    torch.testing.assert_close(distances.cpu().double(), by_hand(x, x, 3, True), rtol=2e-6, atol=0)
    images = torch.randint(0, 256, (5000, 2, 2, 3), dtype=torch.uint8).cuda()
    assert all(view.is_cuda for view in neighbor_views(images, indices, torch.arange(7)))
