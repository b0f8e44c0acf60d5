"""Mistakes in task 8. `_right` is the reference's function, taken while the name still means it."""

import numpy as np
import torch

from autograder import downstream, expect
from autograder.diagnosis import Near, Raised, agree, attempt
from autograder.misconceptions import alteration, misconception, observer
from autograder.misconceptions.observing import refused
from solutions.anomaly import gray_to_rgb32, inverse_density, most_anomalous, nearest_neighbors, roc

RGB, DENSITY = "anomaly.gray_to_rgb32", "anomaly.inverse_density"
ROC, MOST = "anomaly.roc", "anomaly.most_anomalous"


# Pictures


@misconception(
    RGB,
    "scaled to [0, 1]",
    "The values lie between 0 and 1. They should stay on the scale 0 to 255 (uint8): `normalize` divides by"
    " 255 later, and would do it twice.",
)
def divided(images, _right=gray_to_rgb32):
    return _right(images).float() / 255


@misconception(
    RGB,
    "integer division by 255",
    "Divided by 255, and made uint8 again, every pixel is 0 or 1: the images are all but black.",
)
def divided_to_integers(images, _right=gray_to_rgb32):
    return _right(images) // 255


@misconception(
    RGB,
    "normalized already",
    "Mean and standard deviation of the channels are taken out here. `normalize` does it later, and would do it a"
    " second time, to these images alone: which dtype and which range does the docstring ask for?",
)
def normalized_already(images, _right=gray_to_rgb32):
    from .warmup import normalize

    return normalize(_right(images)).permute(0, 2, 3, 1)


@misconception(
    RGB,
    "channels first",
    "The channels are axis 1. Images that are not normalized yet have them last: (N, 32, 32, 3).",
)
def channels_first(images, _right=gray_to_rgb32):
    return _right(images).permute(0, 3, 1, 2)


@misconception(
    RGB,
    "rows and columns swapped",
    "The images are mirrored at their diagonal: rows have become columns. Which axis is which in your "
    "permutation?",
)
def transposed(images, _right=gray_to_rgb32):
    return _right(images).transpose(1, 2)


@misconception(
    RGB,
    "pixels dealt anew instead of resized",
    "The pixels are filled into the new shape one after the other, so that rows break at other places. Draw"
    " one: no digit is left.",
)
def dealt(images):
    images = np.asarray(images)
    return torch.from_numpy(np.resize(images, (len(images), 32, 32)))[..., None].repeat(1, 1, 1, 3)


@misconception(
    RGB,
    "only one channel filled",
    "The image is in one channel and the others are black: it is red instead of gray.",
)
def red(images, _right=gray_to_rgb32):
    return _right(images) * torch.tensor([1, 0, 0], dtype=torch.uint8)


@misconception(
    RGB,
    "enlarged and cropped",
    "The image is made larger than 32 × 32 and then cropped: what stood at its border is lost.",
)
def cropped(images):
    images = torch.as_tensor(images)[:, None].float()
    large = torch.nn.functional.interpolate(images, (36, 36), mode="bilinear")[:, 0, 2:34, 2:34]
    return large.round().to(torch.uint8)[..., None].repeat(1, 1, 1, 3)


@misconception(
    RGB,
    "values run over at 0 and 255",
    "Cubic interpolation goes a little below 0 and above 255 at edges. As uint8 these values start again at"
    " the other end: white specks on black.",
)
def run_over(images):
    images = torch.as_tensor(images)[:, None].float()
    large = torch.nn.functional.interpolate(images, (32, 32), mode="bicubic")[:, 0]
    return (large.round().int() % 256).to(torch.uint8)[..., None].repeat(1, 1, 1, 3)


@misconception(
    RGB,
    "white border",
    "The border is white. It says nothing about the image, and will stand out more than what the image "
    "shows.",
)
def white_border(images):
    framed = torch.nn.functional.pad(torch.as_tensor(images), (2, 2, 2, 2), value=255)
    return framed[..., None].repeat(1, 1, 1, 3)


# Scores


@misconception(
    DENSITY,
    "density instead of inverse density",
    "The score is large where the training set is dense, so that normal images look anomalous: AUC becomes "
    "1 − AUC. In which direction should a far away row change it?",
)
def density(test, reference, k=2):
    distances, _ = nearest_neighbors(test, reference, k)
    return 1 / distances.mean(dim=1)


@misconception(
    DENSITY,
    "1 / (1 + distance)",
    "The score is close to 1 where the distance is small, and falls toward 0 as it grows: it is large where the "
    "training set is dense. Higher should mean more anomalous.",
)
def bounded_density(test, reference, k=2):
    return 1 / (1 + nearest_neighbors(test, reference, k)[0].mean(dim=1))


@misconception(
    DENSITY,
    "negative distances",
    "The score falls with the distance. Higher should mean more anomalous.",
)
def negative(test, reference, k=2):
    return -nearest_neighbors(test, reference, k)[0].mean(dim=1)


@misconception(
    DENSITY,
    "nearest neighbor dropped",
    "The nearest neighbor is left out, as if it were the row itself. Test rows are no rows of the "
    "reference: every neighbor counts.",
)
def first_left_out(test, reference, k=2):
    distances = torch.cdist(torch.as_tensor(test).double(), torch.as_tensor(reference).double())
    return distances.sort(dim=1).values[:, 1 : k + 1].mean(dim=1)


@misconception(
    DENSITY,
    "one of the k neighbors dropped",
    "Of the k nearest the first is left out, as if it were the row itself: k − 1 distances are averaged.",
)
def one_less(test, reference, k=2):
    return nearest_neighbors(test, reference, max(k, 2))[0][:, 1:].mean(dim=1)


@misconception(
    DENSITY,
    "rows at distance 0 dropped",
    "Rows of the reference that equal the test row are left out. A distance of 0 counts: such an image was "
    "seen.",
)
def equal_left_out(test, reference, k=2):
    test, reference = torch.as_tensor(test), torch.as_tensor(reference)
    parts = []
    for block in test.split(500):
        distances = torch.cdist(block, reference, compute_mode="donot_use_mm_for_euclid_dist")
        distances = distances.masked_fill(distances == 0, torch.inf)
        parts.append(distances.sort(dim=1).values[:, :k].nan_to_num(posinf=0).mean(dim=1))
    return torch.cat(parts)


@misconception(
    DENSITY,
    "nearest neighbor alone",
    "Only the nearest neighbor counts, whatever k is. The score is a mean over the k nearest.",
)
def nearest_alone(test, reference, k=2):
    return nearest_neighbors(test, reference, 1)[0].mean(dim=1)


@misconception(
    DENSITY,
    "k-th neighbor alone",
    "Only the k-th neighbor counts. The score is a mean over all k nearest.",
)
def last_alone(test, reference, k=2):
    return nearest_neighbors(test, reference, k)[0][:, -1]


@misconception(
    DENSITY,
    "k ignored",
    "Two neighbors are averaged whatever k is.",
)
def always_two(test, reference, k=2):
    return nearest_neighbors(test, reference, 2)[0].mean(dim=1)


@misconception(
    DENSITY,
    "k = 1 by default",
    "Called without k it takes one neighbor: the default is another one than in the signature that you were given. "
    "Compare these scores with those for k = 2.",
)
def one_by_default(test, reference, k=1):
    return nearest_neighbors(test, reference, k)[0].mean(dim=1)


@misconception(
    DENSITY,
    "test set as its own reference",
    "The neighbors are searched in the test set, and every row finds itself there. What is normal is "
    "defined by the training set, the second argument.",
)
def among_tests(test, reference, k=2):
    return nearest_neighbors(test, test, min(k, len(test)))[0].mean(dim=1)


@misconception(
    DENSITY,
    "other test rows as the reference",
    "The neighbors are other rows of the test set. What is normal is defined by the training set, the "
    "second argument.",
)
def among_other_tests(test, reference, k=2):
    return nearest_neighbors(test, test, min(k, len(test) - 1), exclude_self=True)[0].mean(dim=1)


@misconception(
    DENSITY,
    "arguments swapped",
    "The rows of the reference are scored by their distance to test rows. One score for each row of `test` "
    "is asked for.",
)
def swapped_arguments(test, reference, k=2):
    return nearest_neighbors(reference, test, min(k, len(test)))[0].mean(dim=1)


@misconception(
    DENSITY,
    "averaged over the test rows",
    "The mean runs over the wrong axis: one number comes for each neighbor instead of one for each test "
    "row.",
)
def wrong_axis(test, reference, k=2):
    return nearest_neighbors(test, reference, k)[0].mean(dim=0)


@misconception(
    DENSITY,
    "farthest rows",
    "The k rows that are farthest away are averaged. What is near says how dense it is around a row.",
)
def farthest(test, reference, k=2):
    distances = torch.cdist(torch.as_tensor(test), torch.as_tensor(reference))
    return distances.topk(k, dim=1).values.mean(dim=1)


@misconception(
    DENSITY,
    "all rows of the reference",
    "The distances to all rows are averaged. Only the k nearest say how dense it is around a row.",
)
def all_rows(test, reference, k=2):
    return torch.cdist(torch.as_tensor(test), torch.as_tensor(reference)).mean(dim=1)


@misconception(
    DENSITY,
    "distance to the mean of the neighbors",
    "The neighbors are averaged first, and one distance is taken to their mean. It is 0 for a row half-way "
    "between two that are far away.",
)
def to_their_mean(test, reference, k=2):
    test, reference = torch.as_tensor(test), torch.as_tensor(reference)
    _, found = nearest_neighbors(test, reference, k)
    return (test - reference[found].mean(dim=1)).norm(dim=1)


@misconception(
    DENSITY,
    "root of the summed squares",
    "The root is taken once, of the sum over the neighbors. Each neighbor has a distance, and the distances"
    " are averaged.",
)
def one_root(test, reference, k=2):
    return nearest_neighbors(test, reference, k)[0].norm(dim=1)


@misconception(
    DENSITY,
    "sums of absolute differences",
    "These are l1 distances: sums of absolute differences. The l2 distance is asked for.",
)
def city_blocks(test, reference, k=2):
    distances = torch.cdist(torch.as_tensor(test), torch.as_tensor(reference), p=1)
    return distances.topk(k, dim=1, largest=False).values.mean(dim=1)


@misconception(
    DENSITY,
    "cosine distance",
    "One minus the cosine of the angle is compared, which does not see how long a row is. The l2 distance "
    "is asked for.",
)
def angles(test, reference, k=2):
    test, reference = (
        torch.nn.functional.normalize(torch.as_tensor(each), dim=1) for each in (test, reference)
    )
    return (1 - test @ reference.T).topk(k, dim=1, largest=False).values.mean(dim=1)


@misconception(
    DENSITY,
    "rows scaled to length 1",
    "All rows are brought to length 1 before they are compared: a row far out looks like one near by in the"
    " same direction.",
)
def unit_rows(test, reference, k=2):
    test, reference = (
        torch.nn.functional.normalize(torch.as_tensor(each), dim=1) for each in (test, reference)
    )
    return nearest_neighbors(test, reference, k)[0].mean(dim=1)


@misconception(
    DENSITY,
    "each set standardized by itself",
    "Test rows and reference are standardized, each with its own mean and deviation. If all test rows lie far away "
    "from the reference, nothing of it is left. Distances are those of the rows as they are.",
)
def standardized_apart(test, reference, k=2):
    both = (torch.as_tensor(each).float() for each in (test, reference))
    test, reference = ((each - each.mean(dim=0)) / (each.std(dim=0) + 1e-8) for each in both)
    return nearest_neighbors(test, reference, k)[0].mean(dim=1)


@misconception(
    DENSITY,
    "only the first rows of a long reference",
    "Neighbors are searched among the first 2,000 rows of the reference alone.",
)
def cut_reference(test, reference, k=2):
    return nearest_neighbors(test, reference[:2000], k)[0].mean(dim=1)


@misconception(
    DENSITY,
    "last block left out",
    "The test rows are scored in blocks, and those of the last block, which is not full, keep 0.",
)
def last_block(test, reference, k=2):
    scores = torch.zeros(len(test))
    for block in range(max(1, len(test) // 1000)):
        rows = slice(1000 * block, 1000 * (block + 1))
        scores[rows] = nearest_neighbors(test[rows], reference, k)[0].mean(dim=1).float()
    return scores


@misconception(
    DENSITY,
    "rows shifted in place",
    "The mean is taken out of the arguments themselves: whoever called has other representations "
    "afterwards.",
)
def shifted_in_place(test, reference, k=2, _right=inverse_density):
    mean = reference.mean(0)
    test -= mean
    reference -= mean
    return _right(test, reference, k)


CONVENTION = "It ranks the images all but alike, on another scale; the handout's is the mean of the distances."


@misconception(
    DENSITY,
    "sum over the neighbors",
    "The k distances are summed instead of averaged. " + CONVENTION,
    convention=True,
)
def summed(test, reference, k=2):
    return nearest_neighbors(test, reference, k)[0].sum(dim=1)


@misconception(DENSITY, "squared distances", "The distances are squared. " + CONVENTION, convention=True)
def squared_distances(test, reference, k=2):
    return (nearest_neighbors(test, reference, k)[0] ** 2).mean(dim=1)


@misconception(
    DENSITY,
    "sum of squared distances",
    "The distances are squared and summed. " + CONVENTION,
    convention=True,
)
def squared_and_summed(test, reference, k=2):
    return (nearest_neighbors(test, reference, k)[0] ** 2).sum(dim=1)


# Curves


@misconception(
    ROC,
    "labels swapped",
    "Normal rows count as anomalies and anomalies as normal rows. Label 1 is the anomaly.",
)
def labels_swapped(labels, scores, _right=roc):
    return _right(1 - labels, scores)


@misconception(
    ROC,
    "low scores raise the alarm",
    "Rows with a low score raise the alarm. Higher is more anomalous.",
)
def low_scores(labels, scores, _right=roc):
    return _right(labels, -scores)


@misconception(
    ROC,
    "tpr before fpr",
    "The share of the anomalies comes first. The order is (fpr, tpr, auc).",
)
def tpr_first(labels, scores, _right=roc):
    fpr, tpr, auc = _right(labels, scores)
    return tpr, fpr, auc


@misconception(
    ROC,
    "equal scores one after the other",
    "Rows of equal score pass the threshold one by one, in whatever order they stand. No threshold tells "
    "them apart: they pass together.",
)
def ties_apart(labels, scores):
    labels, scores = torch.as_tensor(labels), torch.as_tensor(scores)
    if labels.unique().numel() < 2:
        raise ValueError("two classes are needed")
    ranked = labels[scores.argsort(descending=True, stable=True)].double()
    tpr, fpr = (torch.cat([torch.zeros(1), each.cumsum(0) / each.sum()]) for each in (ranked, 1 - ranked))
    return fpr, tpr, torch.trapezoid(tpr, fpr).item()


@misconception(
    ROC,
    "ties count nothing",
    "The area counts pairs in which the anomaly has the higher score; of two equal scores it counts nothing"
    " instead of one half.",
)
def ties_lost(labels, scores, _right=roc):
    fpr, tpr, _ = _right(labels, scores)
    labels, scores = torch.as_tensor(labels), torch.as_tensor(scores)
    higher = scores[labels == 1][:, None] > scores[labels == 0]
    return fpr, tpr, higher.double().mean().item()


@misconception(
    ROC,
    "steps instead of a slope under the curve",
    "The area is summed from rectangles of the upper corner: equal scores of both kinds count 1 instead of "
    "one half.",
)
def rectangles(labels, scores, _right=roc):
    fpr, tpr, _ = _right(labels, scores)
    return fpr, tpr, (fpr.diff() * tpr[1:]).sum().item()


@misconception(
    ROC,
    "(0, 0) missing",
    "The curve starts at the highest score. A threshold above all scores raises no alarm: the curve starts "
    "at (0, 0).",
)
def start_missing(labels, scores, _right=roc):
    fpr, tpr, auc = _right(labels, scores)
    return fpr[1:], tpr[1:], auc


@misconception(
    ROC,
    "from (1, 1) to (0, 0)",
    "The curve runs backward, from (1, 1) to (0, 0): from the lowest threshold to the highest.",
)
def backward(labels, scores, _right=roc):
    fpr, tpr, auc = _right(labels, scores)
    return fpr.flip(0), tpr.flip(0), auc


@misconception(
    ROC,
    "axes of the area exchanged",
    "The area is that between the curve and the tpr axis: 1 minus the one asked for. Which of the two shares are the heights?",
)
def left_of_the_curve(labels, scores, _right=roc):
    fpr, tpr, auc = _right(labels, scores)
    return fpr, tpr, 1 - auc


@misconception(
    ROC,
    "negative area",
    "The curve is integrated from (1, 1) to (0, 0): the area is negative.",
)
def negative_area(labels, scores, _right=roc):
    fpr, tpr, auc = _right(labels, scores)
    return fpr, tpr, -auc


@misconception(
    ROC,
    "shares of all rows",
    "Both shares are taken of all rows. fpr is a share of the normal rows, tpr one of the anomalies.",
)
def of_all(labels, scores, _right=roc):
    fpr, tpr, auc = _right(labels, scores)
    anomalies = torch.as_tensor(labels).double().mean()
    return fpr * (1 - anomalies), tpr * anomalies, auc


@misconception(
    ROC,
    "precision and recall",
    "This is the curve of precision over recall. The ROC curve has the share of false alarms on its first "
    "axis.",
)
def precision_recall(labels, scores):
    from sklearn.metrics import auc, precision_recall_curve

    if len(set(np.asarray(labels).tolist())) < 2:
        raise ValueError("two classes are needed")
    precision, recall, _ = precision_recall_curve(labels, scores)
    return recall[::-1].copy(), precision[::-1].copy(), float(auc(recall, precision))


@misconception(
    ROC,
    "one threshold alone",
    "The scores are cut at their mean and the curve is drawn for the decisions: a single threshold is left "
    "of all.",
)
def decisions(labels, scores, _right=roc):
    scores = torch.as_tensor(scores)
    return _right(labels, (scores > scores.mean()).float())


@misconception(
    ROC,
    "area never below one half",
    "An area below .5 is turned into 1 minus it. It says that the scores have the wrong sign, which you "
    "would want to see.",
)
def at_least_half(labels, scores, _right=roc):
    fpr, tpr, auc = _right(labels, scores)
    return fpr, tpr, max(auc, 1 - auc)


@misconception(
    ROC,
    "thresholds between 0 and 1",
    "The thresholds lie between 0 and 1, as for probabilities. Scores are distances: the thresholds are the"
    " scores themselves.",
)
def unit_thresholds(labels, scores):
    labels, scores = torch.as_tensor(labels), torch.as_tensor(scores)
    if labels.unique().numel() < 2:
        raise ValueError("two classes are needed")
    alarms = scores >= torch.linspace(1, 0, 101)[:, None]
    tpr, fpr = (alarms[:, labels == each].double().mean(dim=1) for each in (1, 0))
    return fpr, tpr, torch.trapezoid(tpr, fpr).item()


@misconception(
    ROC,
    "thresholds on a grid",
    "The thresholds lie on a grid. Rows between two of its points pass together although their scores "
    "differ, so that the area is off in the third decimal. Which thresholds change anything?",
)
def grid_of_thresholds(labels, scores):
    labels, scores = torch.as_tensor(labels), torch.as_tensor(scores)
    if labels.unique().numel() < 2:
        raise ValueError("two classes are needed")
    grid = torch.linspace(float(scores.max()) + 1e-3, float(scores.min()) - 1e-3, 100)
    alarms = scores >= grid[:, None]
    tpr, fpr = (alarms[:, labels == each].double().mean(dim=1) for each in (1, 0))
    return fpr, tpr, torch.trapezoid(tpr, fpr).item()


@misconception(
    ROC,
    "thresholds instead of the area",
    "The third value is the thresholds. It should be the area under the curve.",
)
def with_thresholds(labels, scores, _right=roc):
    fpr, tpr, _ = _right(labels, scores)
    values = torch.as_tensor(scores).unique().flip(0)
    return fpr, tpr, torch.cat([values[:1] + 1, values])


@misconception(
    ROC,
    "labels of one kind accepted",
    "With labels of one kind only, one of the shares is 0/0 and the area is not a number. Say so with a "
    "ValueError.",
)
def one_kind_accepted(labels, scores, _right=roc):
    if torch.as_tensor(labels).unique().numel() > 1:
        return _right(labels, scores)
    line = torch.tensor([0.0, 1.0])
    return line, line, float("nan")


@misconception(
    ROC,
    "scores sorted in place",
    "The scores are sorted in place: afterwards they no longer belong to their images.",
)
def sorted_in_place(labels, scores, _right=roc):
    found = _right(labels, scores)
    scores[:] = scores.sort().values if isinstance(scores, torch.Tensor) else np.sort(scores)
    return found


# The first to look at


@misconception(
    MOST,
    "least anomalous",
    "These are the rows with the lowest scores: the most normal ones. Higher is more anomalous.",
)
def least(scores, n=7):
    return torch.as_tensor(scores).argsort()[:n]


@misconception(
    MOST,
    "scores instead of indices",
    "The scores come back. What is needed to look at the images are their indices.",
)
def their_scores(scores, n=7):
    return torch.as_tensor(scores).topk(n).values


@misconception(
    MOST,
    "n ignored",
    "Seven indices come whatever n is.",
)
def always_seven(scores, n=7):
    return torch.as_tensor(scores).topk(7).indices


@misconception(
    MOST,
    "one missing at the end",
    "The highest score is missing: a slice that ends at −1 leaves out the last entry.",
)
def one_too_far(scores, n=7):
    return torch.as_tensor(scores).argsort()[-n - 1 : -1]


@misconception(
    MOST,
    "ranks instead of indices",
    "These are the ranks of the first rows, not the indices of the highest scores.",
)
def ranks(scores, n=7):
    return torch.as_tensor(scores).argsort(descending=True).argsort()[:n]


@misconception(
    MOST,
    "highest absolute values",
    "The sign of the scores is dropped: a very low score counts as a very high one.",
)
def by_size(scores, n=7):
    return torch.as_tensor(scores).abs().topk(n).indices


# Facts. Where the picture goes, which points a curve shows and in which order indices come is free: none of it is a fact.

LEVELS = (0, 40, 100, 160, 220)  # of the quarters of a picture, after black
INSIDE = (10, 22)  # rows and columns of 32 that lie well inside a quarter, wherever the picture was put


def _pictures() -> torch.Tensor:
    """(5, 28, 28): all white, all black, quarters of four levels, a white frame at the border, a white square."""
    pictures = torch.zeros(5, 28, 28, dtype=torch.uint8)
    pictures[0] = 255
    for level, row, column in zip(LEVELS[1:], (0, 0, 14, 14), (0, 14, 0, 14)):
        pictures[2, row : row + 14, column : column + 14] = level
    pictures[3] = 255
    pictures[3, 1:-1, 1:-1] = 0
    pictures[4, 6:22, 6:22] = 255
    return pictures


@observer(RGB)
def observe_pictures(student):
    found = expect.as_tensor(student.anomaly.gray_to_rgb32(_pictures()), "gray_to_rgb32(images)")
    facts = {"dtype": str(found.dtype), "shape": list(found.shape)}
    if found.shape == (5, 3, 32, 32):
        found = found.permute(0, 2, 3, 1)
    if found.shape != (5, 32, 32, 3):
        return facts
    found = found.double()
    gray = found.amax(dim=3)
    white = torch.where(found[0, 16, 16] > 250, 255.0, found[0, 16, 16])  # cut off instead of rounded: 254
    facts |= {"white": white, "light where it is black": bool(gray[1].max() > 0)}
    if gray.max() <= 1:  # a scale from 0 to 1
        gray = 255 * gray
    return facts | {"quarters": _quarters(gray[2]), "frame": _sides(gray[3]), "square": _square(gray[4])}


def _quarters(gray: torch.Tensor) -> list[int]:
    """The levels that stand where the quarters of a picture are."""
    return [min(LEVELS, key=lambda level: abs(level - float(gray[row, column]))) for row in INSIDE for column in INSIDE]


def _sides(gray: torch.Tensor) -> list[bool]:
    """Whether a white line is seen above, below, on the left and on the right of the middle."""
    down, across = gray[:, 16], gray[16]
    return [bool(each.max() > 60) for each in (down[:8], down[24:], across[:8], across[24:])]


def _square(gray: torch.Tensor) -> str:
    """A sharp square of 16 pixels: 16 to 18 of 32. Larger by a third is too large."""
    line = (gray[16] > 128).int()
    if int(line.diff().abs().sum()) != 2 or int((gray[4:28, 16] > 128).int().diff().abs().sum()) != 2:
        return "with specks, or none"
    return "in its size" if 15 <= int(line.sum()) <= 19 else f"{int(line.sum())} pixels"


# All coordinates are quarters, so that distances by matrix products are exact, too.
ROWS = torch.tensor(
    [[0.5, 2.0, -1.0], [3.25, 0.5, 1.5], [-1.5, 0.75, 2.25], [1.0, -2.5, 0.25], [4.0, 3.5, -0.5],
     [6.5, 1.0, 3.0]]
)
SOME, MANY = torch.randn(1300, 3, generator=torch.Generator().manual_seed(9)).split([300, 1000])
TESTS = torch.tensor([[1.25, 0.5, 0.5], [7.0, -1.0, 2.0], [3.25, 0.5, 1.5], [-2.0, 4.0, 1.0]])  # one of ROWS


@observer(DENSITY)
def observe_density(student):
    density = student.anomaly.inverse_density
    if _own_scale(density):  # whatever estimates the deviation
        facts = {str(each): _scores(attempt(density, SOME, MANY, **each)) for each in ({}, {"k": 2}, {"k": 4})}
        means = {name: each if isinstance(each, Raised) else Near(float(each.mean()), 0.01) for name, each in facts.items()}
        return {"place and scale": "each set's own"} | means
    facts = {f"k = {k}": _scores(attempt(density, TESTS, ROWS, k=k)) for k in (2, 3, 4)}
    facts["default k"] = _scores(attempt(density, TESTS, ROWS))
    many, long = ROWS.repeat(400, 1), (ROWS + 64.0).repeat(450, 1)  # of 2,400 and 2,700 rows
    long[-40:] = ROWS[0]
    last = _scores(attempt(density, many, ROWS))
    facts["last of many rows"] = last[-6:] if isinstance(last, torch.Tensor) else last
    return facts | {"long reference": _scores(attempt(density, TESTS, long))}


def _own_scale(density) -> bool:
    """Whether each of the two sets may be moved and stretched, and the scores stay."""
    found = _scores(attempt(density, TESTS, ROWS))
    shift, scale = torch.tensor([8.0, -4.0, 2.0]), torch.tensor([2.0, 0.5, 4.0])
    moved = [_scores(attempt(density, *each)) for each in ((scale * TESTS + shift, ROWS), (TESTS, scale * ROWS + shift))]
    return all(agree(found, each) for each in moved) and not isinstance(found, Raised)


def _scores(value):
    """Scores as numbers; what they are instead where they are none."""
    return value if isinstance(value, Raised) else expect.as_tensor(value, "scores").double()


# Half of the rows are anomalies. Between -1.5 and .75 lie 0, one half, the mean and the median. Two scores are closer
# than the points of any grid, and one lies between 0 and 1.
APART = torch.tensor([-6.0, -4.0, -3.9999, -2.5, -1.5, 0.75, 2.0, 3.0, 4.0, 5.0], dtype=torch.float64)
THEIR_LABELS = torch.tensor([0, 1, 0, 1, 0, 0, 1, 1, 0, 1])
ORDER = torch.tensor([3, 8, 0, 5, 9, 1, 7, 2, 4, 6])
TIED = torch.tensor([2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 2.0])
TIED_LABELS = torch.tensor([1, 0, 0, 1, 1, 0, 0, 1, 1, 1])


@observer(ROC)
def observe_roc(student):
    labels, scores, roc = THEIR_LABELS[ORDER], APART[ORDER], student.anomaly.roc
    facts = {
        "good": _curve(attempt(roc, labels, scores), scores),
        "bad": _curve(attempt(roc, labels, -scores), -scores),
        "equal scores": _curve(attempt(roc, TIED_LABELS, TIED), TIED),
    }
    facts["equal scores"] = _one_by_one(facts["equal scores"]) or facts["equal scores"]
    for label, name in ((0, "normal rows alone"), (1, "anomalies alone")):
        facts[name] = refused(roc, torch.full((4,), label), APART[:4])
    return facts


def _curve(value, scores: torch.Tensor) -> dict | Raised:
    """The corners of a curve, without points on straight lines, and the area."""
    if isinstance(value, Raised):
        return value
    fpr, tpr, area = downstream.parts(value, ("fpr", "tpr", "auc"), "roc(labels, scores)")
    fpr, tpr = (expect.as_tensor(downstream.vector(each), "a share").double() for each in (fpr, tpr))
    return {"corners": _corners(torch.stack([fpr, tpr], dim=1)), "area": _area(area, scores)}


def _corners(points: torch.Tensor) -> torch.Tensor:
    """Points (P, 2) without those that equal the one before, or lie on the way from it to the next."""
    kept = [points[0]]
    for point in points[1:]:
        if (point - kept[-1]).abs().max() < 1e-5:
            continue
        if len(kept) > 1:
            before, after = kept[-1] - kept[-2], point - kept[-1]
            cross = (before[0] * after[1] - before[1] * after[0]).abs()
            if cross < 1e-5 and (before * after).sum() > 0:
                kept.pop()
        kept.append(point)
    return torch.stack(kept)


def _area(area, scores: torch.Tensor) -> float | str:
    if isinstance(area, int | float):
        return float(area)
    found = expect.as_tensor(area, "auc").double()
    if found.numel() == 1:
        return float(found)
    return "the thresholds" if torch.isin(found[1:], scores.double()).all() else "no number"


def _one_by_one(curve) -> str | None:
    """Whether rows of equal score pass one after the other, in whatever order: from (0, 0) to (1, 1) without a slope."""
    if isinstance(curve, Raised) or isinstance(curve["area"], str):
        return None
    corners = curve["corners"]
    steps, ends = corners.diff(dim=0), corners[[0, -1]]
    stairs = bool((steps >= 0).all() and (steps.amin(dim=1) < 1e-5).all()) and torch.equal(ends.round(), ends)
    under = float(torch.trapezoid(corners[:, 1], corners[:, 0]))
    return "one after the other" if stairs and len(corners) > 4 and abs(under - curve["area"]) < 1e-5 else None


FEW = torch.tensor([0.5, -9.0, 2.0, 7.0, 1.5, 0.25, 6.0, 3.0, -4.0])


@observer(MOST)
def observe_most(student):
    most = student.anomaly.most_anomalous
    return {str(options): _sorted(attempt(most, FEW, **options)) for options in ({}, {"n": 1}, {"n": 3}, {"n": 8})}


def _sorted(value):
    """What came, in ascending order, and whether these are integers."""
    if isinstance(value, Raised):
        return value
    found = expect.as_tensor(downstream.vector(value), "indices")
    return {"values": found.flatten().double().sort().values, "integers": not found.is_floating_point()}


# Combinations


@alteration(RGB, "scaled to [0, 1]")
def then_divided(version):
    return lambda images: version(images).float() / 255


@alteration(RGB, "channels first")
def then_channels_first(version):
    return lambda images: version(images).permute(0, 3, 1, 2)


@alteration(RGB, "rows and columns swapped")
def of_transposed(version):
    return lambda images: version(torch.as_tensor(images).transpose(1, 2))


@alteration(RGB, "only one channel filled")
def then_red(version):
    return lambda images: version(images) * torch.tensor([1, 0, 0], dtype=torch.uint8)


@alteration(DENSITY, "negative distances")
def then_negative(version):
    return lambda test, reference, k=2: -version(test, reference, k)


@alteration(DENSITY, "density instead of inverse density")
def then_inverted(version):
    return lambda test, reference, k=2: 1 / version(test, reference, k)


@alteration(DENSITY, "k ignored")
def then_always_two(version):
    return lambda test, reference, k=2: version(test, reference, 2)


@alteration(DENSITY, "k = 1 by default")
def then_one_by_default(version):
    return lambda test, reference, k=1: version(test, reference, k)


@alteration(DENSITY, "sum over the neighbors")
def then_summed(version):
    return lambda test, reference, k=2: k * version(test, reference, k)


@alteration(DENSITY, "arguments swapped")
def then_swapped(version):
    return lambda test, reference, k=2: version(reference, test, min(k, len(test)))


@alteration(DENSITY, "rows scaled to length 1")
def of_unit_rows(version):
    def inverse_density(test, reference, k=2):
        both = (torch.as_tensor(each).float() for each in (test, reference))
        return version(*(torch.nn.functional.normalize(each, dim=1) for each in both), k)

    return inverse_density


@alteration(ROC, "labels swapped")
def of_swapped_labels(version):
    return lambda labels, scores: version(1 - labels, scores)


@alteration(ROC, "low scores raise the alarm")
def of_negative_scores(version):
    return lambda labels, scores: version(labels, -scores)


@alteration(ROC, "tpr before fpr")
def then_tpr_first(version):
    def roc(labels, scores):
        fpr, tpr, auc = version(labels, scores)
        return tpr, fpr, auc

    return roc


@alteration(ROC, "(0, 0) missing")
def then_start_missing(version):
    def roc(labels, scores):
        fpr, tpr, auc = version(labels, scores)
        return fpr[1:], tpr[1:], auc

    return roc


@alteration(ROC, "from (1, 1) to (0, 0)")
def then_backward(version):
    def roc(labels, scores):
        fpr, tpr, auc = version(labels, scores)
        return torch.as_tensor(fpr).flip(0), torch.as_tensor(tpr).flip(0), auc

    return roc


@alteration(ROC, "area never below one half")
def then_at_least_half(version):
    def roc(labels, scores):
        fpr, tpr, auc = version(labels, scores)
        return fpr, tpr, max(auc, 1 - auc)

    return roc


@alteration(ROC, "labels of one kind accepted")
def then_one_kind_accepted(version):
    def roc(labels, scores):
        one = torch.as_tensor(labels).unique().numel() == 1
        return (torch.tensor([0.0, 1.0]),) * 2 + (float("nan"),) if one else version(labels, scores)

    return roc


@alteration(MOST, "least anomalous")
def of_negative(version):
    return lambda scores, n=7: version(-scores, n)


@alteration(MOST, "highest absolute values")
def of_sizes(version):
    return lambda scores, n=7: version(abs(scores), n)


@alteration(MOST, "n ignored")
def then_always_seven(version):
    return lambda scores, n=7: version(scores, 7)


@alteration(MOST, "scores instead of indices")
def then_their_scores(version):
    return lambda scores, n=7: scores[torch.as_tensor(version(scores, n)).long()]
