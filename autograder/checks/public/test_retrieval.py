"""Task 5 on seven points of the plane."""

import pytest
import torch

from autograder import expect, lookup
from autograder.expect import Mismatch

POINTS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [4.0, 4.0], [-3.0, 0.5], [6.0, -1.0], [0.5, -5.0]])
QUERIES = torch.tensor([3, 0])


@pytest.mark.item("retrieval.nearest")
def test_nearest(student):
    distances = lookup.true_distances(POINTS[QUERIES], POINTS, QUERIES)
    what = "retrieve(representations, queries, k)"
    for x, queries, k in ((POINTS, QUERIES, 2), (POINTS.numpy(), QUERIES.numpy(), 3)):
        found = lookup.indices(student.evaluation.retrieve(x, queries, k=k), (2, k), 7, what=what)
        lookup.nearest(found, distances, what=what)
    five = "retrieve(representations, queries)"
    found = lookup.indices(student.evaluation.retrieve(POINTS, QUERIES), (2, 5), 7, what=five)
    lookup.nearest(found, distances, what=five)


@pytest.mark.item("retrieval.farthest")
def test_farthest(student):
    distances = lookup.true_distances(POINTS[QUERIES], POINTS, QUERIES)
    what = "retrieve(representations, queries, k, farthest=True)"
    for k in (1, 3):
        found = student.evaluation.retrieve(POINTS, QUERIES, k=k, farthest=True)
        found = lookup.indices(found, (2, k), 7, what=what)
        lookup.nearest(found, distances, what=what, farthest=True)


@pytest.mark.item("retrieval.errors")
def test_errors(student):
    for k, farthest in ((7, False), (0, False), (9, True), (-1, True)):
        what = f"retrieve(representations, queries, k={k}, farthest={farthest}) on 7 rows"
        try:
            value = student.evaluation.retrieve(POINTS, QUERIES, k=k, farthest=farthest)
        except ValueError:
            continue
        raise Mismatch(f"a ValueError from {what}", expect.describe(value))
