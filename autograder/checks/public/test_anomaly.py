"""Task 8 on three pictures, a handful of points and seven scores."""

import pytest
import torch

from autograder import downstream, expect

LINE = torch.arange(28.0)
CENTER = torch.exp(-((LINE[:, None] - 9) ** 2 + (LINE - 17) ** 2) / 128)
PICTURES = torch.stack([(20 + 6 * LINE).expand(28, 28), (190 - 6 * LINE)[:, None].expand(28, 28), 200 * CENTER])
PICTURES = PICTURES.round().to(torch.uint8)  # brighter to the right, darker downward, a spot above at the right
# Nearest-neighbor enlargement moves a pixel by up to .82, which is 5 gray levels on the ramps and 16 on the
# spot; bilinear and bicubic stay within 2. Turned, mirrored, cropped or rescaled pictures are off by 10 to 200.
SLACK = torch.tensor([6.5, 6.5, 18.0])

# All on one line through the origin: the distances are 5 times the differences of these numbers.
REFERENCE = torch.tensor([0.0, 6.0, 1.0, 2.2])[:, None] * torch.tensor([3.0, -4.0])
TEST = torch.tensor([0.0, 1.6, 10.0])[:, None] * torch.tensor([3.0, -4.0])
# k: the mean of the k distances, as asked for, and other conventions
DENSITIES = {
    1: {"ours": [0.0, 3.0, 20.0], "squared": [0.0, 9.0, 400.0]},
    2: {
        "ours": [2.5, 3.0, 29.5], "sum": [5.0, 6.0, 59.0],
        "squared": [12.5, 9.0, 960.5], "squared sum": [25.0, 18.0, 1921.0],
    },
}  # fmt: skip
CONVENTIONS = {
    "sum": "their sum: k times ours",
    "squared": "the mean of the squared distances: a convention in use, which ranks almost alike",
    "squared sum": "the sum of the squared distances: a convention in use, which ranks almost alike",
}


@pytest.mark.item("anomaly.rgb")
def test_rgb(student):
    for images in (PICTURES, PICTURES.numpy()):
        found = student.anomaly.gray_to_rgb32(images)
        downstream.check_picture(found, PICTURES, SLACK, what="gray_to_rgb32(images)")


def convention(student, test, reference, k: int) -> str:
    options = {name: torch.tensor(values) for name, values in DENSITIES[k].items()}
    # The line has exact distances, float32 moves them by 1e-6, and those by matrix products by 2e-3 near 0. The
    # nearest mistakes are off by .1 or more somewhere.
    return downstream.score_convention(student, test, reference, k, options, rtol=1e-3, atol=1e-2)


@pytest.mark.item("anomaly.density_value")
def test_density_value(student):
    for test, reference, k in ((TEST, REFERENCE, 2), (TEST.numpy(), REFERENCE.numpy(), 1)):
        convention(student, test, reference, k)


@pytest.mark.item("anomaly.convention")
def test_convention(student):
    name = convention(student, TEST, REFERENCE, 2)
    wanted = "the mean over the k nearest neighbors of the l2 distance (the handout's convention)"
    expect.true(name == "ours", wanted, CONVENTIONS.get(name, name))


# Rows of equal score pass a threshold together, one of each class at .9 and at .4.
LABELS = torch.tensor([0, 1, 0, 1, 1, 0, 0])
SCORES = torch.tensor([0.1, 0.9, 0.9, 0.4, 0.8, 0.4, 0.2])
VERTICES = torch.tensor([[0, 0], [1 / 4, 1 / 3], [1 / 4, 2 / 3], [1 / 2, 1], [1, 1]])


@pytest.mark.item("anomaly.roc_value")
def test_roc_value(student):
    downstream.check_roc(student.anomaly.roc(LABELS, SCORES), VERTICES, 9 / 12)
    swapped = VERTICES.flip(1)  # what was an anomaly is normal now
    downstream.check_roc(student.anomaly.roc(1 - LABELS.numpy(), SCORES.numpy()), swapped, 3 / 12)
    two = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    downstream.check_roc(student.anomaly.roc(LABELS, torch.full((7,), 0.5)), two, 0.5)


@pytest.mark.item("anomaly.roc_errors")
def test_roc_errors(student):
    refuses_one_kind(student, SCORES[:4])


def refuses_one_kind(student, scores: torch.Tensor) -> None:
    for label, kind in ((0, "normal"), (1, "anomalous")):
        try:
            came = student.anomaly.roc(torch.full((len(scores),), label), scores)
        except ValueError:
            continue
        wanted = f"roc(labels, scores) to raise a ValueError where all rows are {kind}"
        raise expect.Mismatch(wanted, expect.describe(came))


def check_highest(student, given, n: int | None) -> None:
    """The indices of the n highest scores, in any order, whichever of equal ones."""
    options, scores = {} if n is None else {"n": n}, torch.as_tensor(given)
    count = 7 if n is None else n
    what = f"most_anomalous(scores{'' if n is None else f', n={n}'})"
    found = downstream.integers(student.anomaly.most_anomalous(given, **options), count, what)
    valid = bool(((found >= 0) & (found < len(scores))).all()) and len(set(found.tolist())) == count
    expect.true(valid, f"{what} to be {count} different indices, 0 to {len(scores) - 1}", f"{found.tolist()}")
    wanted, came = (each.sort().values.tolist() for each in (scores.topk(count).values, scores[found]))
    highest = scores.sort(descending=True, stable=True).indices[:count].tolist()
    phrase = f"{what} to be {'the index of the highest score' if count == 1 else f'the indices of the {count} highest scores'}"
    order = " in any order" if count > 1 else ""
    expect.true(wanted == came, f"{phrase}, {highest}{order}", f"indices {found.tolist()}")


@pytest.mark.item("anomaly.most_anomalous")
def test_most_anomalous(student):
    scores = torch.tensor([0.5, -3.0, 2.5, 9.0, 0.25, 2.0, 7.0, 2.5, 6.0, 1.0, -8.0])
    for given, n in ((scores, None), (scores, 3), (scores.numpy(), 1), (scores, 11)):
        check_highest(student, given, n)
