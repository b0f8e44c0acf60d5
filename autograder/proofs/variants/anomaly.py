"""Task 8 in other styles."""

import numpy as np
import torch

from autograder.proofs.variants import variant
from solutions.anomaly import nearest_neighbors

RGB, DENSITY = "anomaly.gray_to_rgb32", "anomaly.inverse_density"
ROC, MOST = "anomaly.roc", "anomaly.most_anomalous"


@variant(RGB, "np.pad and np.stack")
def padded_array(images):
    images = np.pad(np.asarray(images), ((0, 0), (2, 2), (2, 2)), mode="constant")
    return np.stack([images] * 3, axis=-1)


@variant(RGB, "a view of a canvas, the image in a corner")
def in_a_corner(images):
    canvas = torch.zeros(len(images), 32, 32, dtype=torch.uint8)
    canvas[:, 4:, :28] = torch.as_tensor(images)
    return canvas.unsqueeze(-1).expand(-1, -1, -1, 3)


@variant(RGB, "bilinear interpolation, rounded")
def interpolated(images):
    images = torch.as_tensor(images).unsqueeze(1).float()
    images = torch.nn.functional.interpolate(images, size=32, mode="bilinear", align_corners=False)
    return images.round().to(torch.uint8).expand(-1, 3, -1, -1).permute(0, 2, 3, 1)


@variant(RGB, "nearest-neighbor enlargement")
def repeated_pixels(images):
    lines = torch.arange(32) * 28 // 32
    return torch.as_tensor(images)[:, lines][:, :, lines][..., None].repeat_interleave(3, dim=3)


@variant(RGB, "cubic interpolation, clamped, truncated")
def cubic(images):
    images = torch.as_tensor(images)[:, None].float().repeat(1, 3, 1, 1)
    images = torch.nn.functional.interpolate(images, (32, 32), mode="bicubic", align_corners=True)
    return images.clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()


@variant(RGB, "one PIL image at a time")
def by_pil(images):
    from PIL import Image

    pictures = [Image.fromarray(np.asarray(each)).convert("RGB") for each in images]
    return torch.from_numpy(np.stack([np.array(each.resize((32, 32), Image.LANCZOS)) for each in pictures]))


@variant(RGB, "torchvision, one image at a time, Pad and Grayscale")
def torchvision_pad(images):
    from assignment.provided.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision import transforms

    framed = transforms.Compose([transforms.ToPILImage(), transforms.Pad(2, padding_mode="edge")])
    pipeline = transforms.Compose([framed, transforms.Grayscale(3), transforms.PILToTensor()])
    return torch.stack([pipeline(np.asarray(each)[..., None]).permute(1, 2, 0) for each in images])


@variant(RGB, "torchvision, resized at once")
def torchvision_resize(images):
    from assignment.provided.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision.transforms.v2 import functional

    images = functional.resize(torch.as_tensor(images)[:, None], [32, 32], antialias=True)
    return images.permute(0, 2, 3, 1).repeat(1, 1, 1, 3)


@variant(DENSITY, "cdist and sort")
def by_cdist(test, reference, k=2):
    test, reference = torch.as_tensor(test), torch.as_tensor(reference)
    return torch.cdist(test, reference).sort(dim=1)[0][:, :k].mean(1)


@variant(DENSITY, "scikit-learn's NearestNeighbors, an array")
def by_scikit(test, reference, k=2):
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k).fit(np.asarray(reference))
    return search.kneighbors(np.asarray(test))[0].mean(axis=1)


@variant(DENSITY, "a loop over test rows, argpartition")
def by_loop(test, reference, k=2):
    test, reference, scores = np.asarray(test), np.asarray(reference), []
    for row in test:
        distances = np.sqrt(((reference - row) ** 2).sum(axis=1))
        scores.append(np.partition(distances, k - 1)[:k].sum() / k)
    return torch.tensor(np.array(scores))


@variant(DENSITY, "matrix products in blocks, clamped")
def by_products(test, reference, k=2):
    test, reference = torch.as_tensor(test), torch.as_tensor(reference)
    scores = []
    for block in test.split(256):
        squares = block.square().sum(1, keepdim=True) + reference.square().sum(1) - 2 * block @ reference.T
        scores.append(squares.clamp(min=0).sqrt().topk(k, largest=False).values.mean(dim=-1))
    return torch.cat(scores)


@variant(DENSITY, "a k-d tree of SciPy")
def by_tree(test, reference, k=2):
    from scipy.spatial import KDTree

    distances, _ = KDTree(np.asarray(reference)).query(np.asarray(test), k=list(range(1, k + 1)))
    return torch.as_tensor(distances).float().mean(dim=1)


@variant(DENSITY, "from the indices, differences anew")
def from_indices(test, reference, k=2):
    test, reference = torch.as_tensor(test), torch.as_tensor(reference)
    _, found = nearest_neighbors(test, reference, k)
    return torch.linalg.norm(reference[found] - test[:, None], dim=-1).mean(dim=1)


@variant(ROC, "scikit-learn, points on straight lines dropped")
def by_scikit_roc(labels, scores):
    from sklearn.metrics import auc, roc_curve

    labels, scores = np.asarray(labels), np.asarray(scores)
    if len(np.unique(labels)) != 2:
        raise ValueError("one class only")
    fpr, tpr, _ = roc_curve(labels, scores)
    return fpr, tpr, auc(fpr, tpr)


@variant(ROC, "scikit-learn, every threshold kept, roc_auc_score, tensors")
def by_scikit_all(labels, scores):
    from sklearn.metrics import roc_auc_score, roc_curve

    if len(set(labels.tolist())) < 2:
        raise ValueError("one class only")
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    return torch.tensor(fpr), torch.tensor(tpr), float(roc_auc_score(labels, scores))


@variant(ROC, "a loop over thresholds, own trapezoids, lists")
def by_thresholds(labels, scores):
    labels, scores = np.asarray(labels), np.asarray(scores)
    positive, negative = scores[labels == 1], scores[labels == 0]
    if not len(positive) or not len(negative):
        raise ValueError("both classes are needed")
    fpr, tpr, area = [0.0], [0.0], 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        fpr.append(float((negative >= threshold).mean()))
        tpr.append(float((positive >= threshold).mean()))
        area += (fpr[-1] - fpr[-2]) * (tpr[-1] + tpr[-2]) / 2
    return torch.tensor(fpr), torch.tensor(tpr), area


@variant(ROC, "all pairs for the area, float32")
def by_pairs(labels, scores):
    labels, scores = torch.as_tensor(labels).bool(), torch.as_tensor(scores)
    if labels.all() or (~labels).all():
        raise ValueError("one class")
    positive, negative = scores[labels], scores[~labels]
    difference = positive[:, None] - negative
    auc = ((difference > 0).float() + 0.5 * (difference == 0).float()).mean()
    thresholds = torch.cat([torch.tensor([torch.inf]), scores.sort(descending=True).values])
    tpr = (positive >= thresholds[:, None]).float().mean(dim=1)
    fpr = (negative >= thresholds[:, None]).float().mean(dim=1)
    return fpr, tpr, auc.item()


@variant(ROC, "cumulative sums, last of equal scores, rank sum for the area, a NumPy number")
def by_ranks(labels, scores):
    from scipy.stats import rankdata

    labels, scores = np.asarray(labels).astype(float), np.asarray(scores)
    order = np.argsort(-scores, kind="mergesort")
    hits, n1, n0 = np.cumsum(labels[order]), labels.sum(), (1 - labels).sum()
    if n1 * n0 == 0:
        raise ValueError("one class")
    last = np.r_[np.flatnonzero(np.diff(scores[order])), len(scores) - 1]
    tpr, fpr = hits[last] / n1, (1 + last - hits[last]) / n0
    auc = (rankdata(scores)[labels == 1].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
    return np.r_[0, fpr], np.r_[0, tpr], auc


@variant(MOST, "argsort from the back, an array")
def by_argsort(scores, n=7):
    return np.argsort(np.asarray(scores))[::-1][:n].copy()


@variant(MOST, "argpartition")
def by_partition(scores, n=7):
    return np.argpartition(np.asarray(scores), len(scores) - n)[-n:]


@variant(MOST, "ascending, sorted by Python, int32")
def by_python(scores, n=7):
    return torch.tensor(sorted(range(len(scores)), key=lambda i: float(scores[i]))[len(scores) - n :]).int()
