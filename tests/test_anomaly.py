"""The reference of task 8: ties, duplicates, blocks, other types of input, errors."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve

from solutions import neighbors
from solutions.anomaly import gray_to_rgb32, inverse_density, most_anomalous, roc


def random_rows(count, width, seed=0, dtype=torch.float32):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def by_hand(test, reference, k):
    rows = [(reference.double() - row.double()).norm(dim=1).sort().values[:k].mean() for row in test]
    return torch.stack(rows)


@pytest.mark.parametrize("convert", [torch.from_numpy, np.asarray])
def test_pictures_keep_their_pixels_inside_a_black_border(convert):
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    found = gray_to_rgb32(convert(images))
    assert found.shape == (4, 32, 32, 3) and found.dtype == torch.uint8
    assert (found[:, 2:30, 2:30].numpy() == images[..., None]).all()
    assert found.long().sum() == 3 * images.astype(int).sum()


def test_pictures_are_no_views_of_each_other():
    found = gray_to_rgb32(np.zeros((2, 28, 28), dtype=np.uint8))
    found[0, 0, 0, 0] = 9
    assert found.sum() == 9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_scores_are_those_of_a_loop(dtype, k):
    test, reference = random_rows(20, 6, 1, dtype) * 2, random_rows(31, 6, 2, dtype) + 1
    torch.testing.assert_close(inverse_density(test, reference, k).double(), by_hand(test, reference, k))


def test_scores_over_several_blocks(monkeypatch):
    monkeypatch.setattr(neighbors, "CPU_BLOCK", 2**12)
    monkeypatch.setattr(neighbors, "ENTRIES", 2**12)
    test, reference = random_rows(333, 4, 3), random_rows(2500, 4, 4)
    torch.testing.assert_close(inverse_density(test, reference).double(), by_hand(test, reference, 2))


def test_scores_count_equal_rows():
    reference = torch.tensor([[1.0, 2.0], [1.0, 2.0], [4.0, 6.0]])
    scores = inverse_density(reference[[0, 2]], reference)
    assert scores.tolist() == [0.0, 2.5]  # (0 + 0) / 2 and (0 + 5) / 2


def test_scores_of_equal_rows_far_from_the_origin_are_zero():
    reference = random_rows(600, 8, 5) + 1e4
    assert (inverse_density(reference, reference, k=1) == 0).all()


def test_scores_of_arrays():
    test, reference = random_rows(5, 3, 6).numpy(), random_rows(9, 3, 7).numpy()
    expected = inverse_density(torch.from_numpy(test), torch.from_numpy(reference), k=3)
    assert torch.equal(inverse_density(test, reference, k=3), expected)


@pytest.mark.parametrize("k", [0, 4])
def test_more_neighbors_than_rows(k):
    with pytest.raises(ValueError, match="k"):
        inverse_density(torch.zeros(2, 3), torch.zeros(3, 3), k)


@pytest.mark.parametrize("levels", [2, 5, 10**6])
@pytest.mark.parametrize("count", [5, 200])
def test_curve_is_scikit_learns(levels, count):
    generator = np.random.default_rng(count)
    labels = generator.integers(0, 2, count)
    labels[:2] = 0, 1
    scores = generator.integers(0, levels, count) / 7.0
    fpr, tpr, auc = roc(labels, scores)
    expected = roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(fpr, expected[0], atol=1e-12)
    np.testing.assert_allclose(tpr, expected[1], atol=1e-12)
    assert type(auc) is float and auc == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_curve_of_equal_scores_is_the_diagonal():
    fpr, tpr, auc = roc(torch.tensor([1, 0, 0]), torch.ones(3))
    assert (fpr.tolist(), tpr.tolist(), auc) == ([0, 1], [0, 1], 0.5)


@pytest.mark.parametrize("scores, area", [([1.0, 2.0, 3.0, 4.0], 1.0), ([4.0, 3.0, 2.0, 1.0], 0.0)])
def test_perfect_and_reversed_scores(scores, area):
    assert roc(torch.tensor([0, 0, 1, 1]), torch.tensor(scores, requires_grad=True))[2] == area


def test_swapped_labels_mirror_the_curve():
    generator = torch.Generator().manual_seed(11)
    labels = torch.randint(0, 2, (50,), generator=generator)
    scores = torch.randint(0, 9, (50,), generator=generator).float()
    labels[:2] = torch.tensor([0, 1])
    fpr, tpr, auc = roc(labels, scores)
    mirrored = roc(1 - labels, scores)
    assert torch.equal(fpr, mirrored[1]) and torch.equal(tpr, mirrored[0])
    assert auc + mirrored[2] == pytest.approx(1)


@pytest.mark.parametrize("label", [0, 1])
def test_one_kind_of_labels(label):
    with pytest.raises(ValueError, match="both"):
        roc(torch.full((3,), label), torch.rand(3))


def test_highest_scores():
    scores = np.array([0.5, -9.0, 2.0, 2.0, 7.0])
    assert set(most_anomalous(scores, n=3).tolist()) == {2, 3, 4}
    assert most_anomalous(torch.arange(10.0)).tolist() == [9, 8, 7, 6, 5, 4, 3]


def test_arguments_stay_as_they_were():
    test, reference, scores = random_rows(5, 3, 8), random_rows(9, 3, 9), random_rows(1, 6, 10)[0]
    labels = torch.tensor([0, 1, 0, 1, 1, 0])
    arguments = [test, reference, scores, labels]
    before = [each.clone() for each in arguments]
    inverse_density(test, reference)
    roc(labels, scores)
    most_anomalous(scores, n=2)
    assert all(torch.equal(a, b) for a, b in zip(arguments, before))
