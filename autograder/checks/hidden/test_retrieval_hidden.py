"""Task 5 on other sizes, on rows that occur twice, and on handwritten digits whose labels stay here."""

import pytest
import torch

from autograder import expect, lookup
from autograder.checks.hidden import digits


@pytest.mark.item("retrieval.sizes")
def test_sizes(student):
    generator = torch.Generator().manual_seed(5)
    for rows, width, count, k, dtype, size in (
        (30, 1, 4, 3, torch.float64, 1),
        (6, 9, 6, 5, torch.float32, 1),  # all rows but the query
        (2500, 12, 30, 7, torch.float32, 1),
        (300, 5, 1, 1, torch.float64, 1),
        (40, 16, 5, 4, torch.float32, 2000),  # distances of 10,000: beyond numbers that stand for "infinite"
    ):
        # Rows of very different length, away from the origin: angles and dot products rank them otherwise.
        scale = 4 * torch.rand(rows, 1, generator=generator, dtype=dtype) + 1
        x = scale * torch.randn(rows, width, generator=generator, dtype=dtype) + 2
        x = size * x
        queries = torch.randperm(rows, generator=generator)[:count]
        distances = lookup.true_distances(x[queries], x, queries)
        for farthest in (False, True):
            what = f"retrieve(..., farthest={farthest})"
            found = student.evaluation.retrieve(x, queries, k=k, farthest=farthest)
            found = lookup.indices(found, (count, k), rows, what=what)
            lookup.nearest(found, distances, what=what, farthest=farthest)
    with expect.value_error("retrieve(representations, queries, k=30) on 30 rows"):
        student.evaluation.retrieve(torch.arange(90.0).view(30, 3), torch.tensor([4]), k=30)


@pytest.mark.item("retrieval.duplicates")
def test_duplicates(student):
    generator = torch.Generator().manual_seed(6)
    x = 2 * torch.randn(12, 4, generator=generator)
    x = x[torch.tensor([0, 1, 2, 3, 2, 4, 5, 0, 6, 2, 7, 8, 9, 0])]  # rows 0, 7, 13 are equal, and 2, 4, 9
    queries = torch.tensor([13, 2, 7, 9, 4, 0])
    for rows, farthest in ((x, False), (x, True), (x[:1].repeat(14, 1), True)):  # at last, all rows are equal
        distances = lookup.true_distances(rows[queries], rows, queries)
        found = student.evaluation.retrieve(rows, queries, k=4, farthest=farthest)
        found = lookup.indices(found, (6, 4), 14, what="retrieve(...)")
        lookup.nearest(found, distances, what="retrieve(...)", farthest=farthest)


@pytest.mark.item("retrieval.precision")
def test_precision(student, seed=0):
    x, labels = digits.features(seed)
    queries = digits.queries(labels)
    shares = []
    for farthest in (False, True):
        found = student.evaluation.retrieve(x, queries, k=5, farthest=farthest)
        found = lookup.indices(found, (len(queries), 5), len(x), what="retrieve(...)")
        expect.true((found != queries[:, None]).all(), "the query in neither list", "the query itself")
        shares.append(digits.precision(found, labels[queries], labels))
    for limit, share, words in zip((digits.MIN_PRECISION, digits.MAX_FARTHEST), shares, ("a precision of", "at most")):
        limit.check(share, f"{words} {limit.value}", str(share))


@pytest.mark.item("retrieval.side_effects")
def test_side_effects(student):
    points = torch.randn(9, 4, generator=torch.Generator().manual_seed(7)) + 1
    some = torch.tensor([8, 1, 1])
    for x, queries in ((points, some), (points.numpy(), some.numpy())):
        for farthest in (False, True):
            student.evaluation.retrieve(x, queries, k=2, farthest=farthest)
    expect.true(not student.mutated, "arguments to be left as they were", "changed ones")
    settings = ", ".join(sorted(student.changed_settings))
    expect.true(not settings, "global settings to be left as they were", f"a change of {settings}")
