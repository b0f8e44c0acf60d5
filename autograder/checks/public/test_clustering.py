"""Task 9 on a few groups that lie far apart."""

import pytest
import torch

from autograder import downstream, expect, limits
from autograder.expect import Mismatch

# Three groups of 2, 3 and 4 rows, 30 apart; distances inside are 1 to 3. Their means are GROUP_MEANS.
GROUPS = torch.tensor([[0, 0], [30, 1], [0, 2], [1, 31], [30, -1], [1, 29], [33, 0], [3, 31], [3, 29]]).float()
MEMBERS = torch.tensor([0, 1, 0, 2, 1, 2, 1, 2, 2])
GROUP_MEANS = torch.tensor([[0.0, 1.0], [31.0, 0.0], [2.0, 30.0]])


@pytest.mark.item("clustering.groups")
def test_groups(student):
    for options in ({}, {"seed": 3}):
        # Both are exact here but for rounding, 1e-6; medians or members instead of means are .02 or more away.
        labels, means = downstream.clusters(student.clustering.kmeans(GROUPS, k=3, **options), GROUPS, 3, 1e-3)
        together, wanted = (each[:, None] == each for each in (labels, MEMBERS))
        what = "rows {0, 2}, {1, 4, 6} and {3, 5, 7, 8} to be the clusters, whatever their numbers"
        expect.true(torch.equal(together, wanted), what, f"labels {labels.tolist()}")


@pytest.mark.item("clustering.too_many")
def test_too_many(student):
    refused(lambda: student.clustering.kmeans(GROUPS[:3], k=4), "kmeans of 3 rows in 4 clusters")


def refused(call, what: str) -> None:
    """The call has to raise ValueError. Another exception is shown as it is."""
    try:
        found = call()
    except ValueError:
        return
    raise Mismatch(f"{what} to raise ValueError", expect.describe(found))


# In one map, a center lies among its own rows. Mapped apart from them, or in another order, it hardly ever does
# for all five (by chance, .2 to the fifth power); with their first two coordinates, all lie near the origin.
MIN_OWN = limits.at_least_of(23, 25, "rows of their own group nearest to the centers")


@pytest.mark.item("clustering.one_map")
def test_one_map(student, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centers = 12 * torch.eye(5)
    x = (centers[:, None] + 0.5 * torch.randn(5, 12, 5, generator=generator)).flatten(0, 1)  # (60, 5)
    members = torch.arange(5).repeat_interleave(12)
    order = torch.randperm(60, generator=generator)
    points, centers_2d = downstream.mapped(student.clustering.project_with_centers(x[order], centers), 60, 5)
    nearest = members[order][torch.cdist(centers_2d, points).topk(5, largest=False).indices]  # (5, 5)
    count = int((nearest == torch.arange(5)[:, None]).sum())
    MIN_OWN.check(count, "every center to lie among the rows of its own group, in the map of both",
                  f"5 centers of whose 25 nearest rows, 5 each, {count} are of their own group")  # fmt: skip


# Two groups on a line, {0, 2} and {7, 9, 12}: a and b by hand,
#   0: 2 and 28/3    2: 2 and 22/3    7: 3.5 and 6    9: 2.5 and 8    12: 4 and 11
ON_A_LINE = torch.tensor([[0.0], [7.0], [2.0], [12.0], [9.0]])
LINE_LABELS = torch.tensor([4, -1, 4, -1, -1])
LINE_SILHOUETTE = ((1 - 6 / 28) + (1 - 6 / 22) + 2.5 / 6 + 5.5 / 8 + 7 / 11) / 5


def check_silhouette(student, x, labels, expected: float, note: str = "") -> None:
    # A plain number in float32 is off by 1e-7; the nearest mistakes by 1e-2.
    wanted = torch.tensor(expected, dtype=torch.float64)
    found = student.clustering.silhouette(x, labels)
    expect.close(found, wanted, rtol=0, atol=1e-4, what="silhouette(x, labels)", note=note)


@pytest.mark.item("clustering.silhouette_value")
def test_silhouette_value(student):
    check_silhouette(student, ON_A_LINE, LINE_LABELS, LINE_SILHOUETTE)
    # Labels that do not fit the rows; a and b of each: 5 and 1.5, 5 and 4.5, 3 and 2.5, 3 and 3.5.
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [3.0, 0.0]])
    check_silhouette(student, x, torch.tensor([0, 0, 1, 1]), (-3.5 / 5 - 0.5 / 5 - 0.5 / 3 + 0.5 / 3.5) / 4)
    third = torch.tensor([[0.0], [1.0], [10.0], [11.0], [40.0], [42.0]])
    labels = torch.tensor([2, 2, 7, 7, 5, 5])  # b is the distance to the nearest other cluster, not to all others
    expected = ((1 - 1 / 10.5) + (1 - 1 / 9.5)) * 2 / 6 + ((1 - 2 / 29.5) + (1 - 2 / 31.5)) / 6
    check_silhouette(student, third, labels, expected)


@pytest.mark.item("clustering.silhouette_edges")
def test_silhouette_edges(student):
    x = torch.tensor([[0.0], [1.0], [5.0]])
    expected = (4 / 5 + 3 / 4 + 0) / 3  # the row at 5 is alone
    check_silhouette(student, x, torch.tensor([1, 1, 3]), expected, "a cluster of one row scores 0, and counts")
    for labels in (torch.tensor([2, 2, 2]), torch.tensor([0, 1, 2])):
        few = "one cluster" if labels[0] == labels[1] else "as many clusters as rows"
        refused(lambda: student.clustering.silhouette(x, labels), f"silhouette of {few}")
