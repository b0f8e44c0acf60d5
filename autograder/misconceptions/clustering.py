"""Known mistakes in task 9."""

import numpy as np
import torch

from autograder.misconceptions import misconception, probe
from solutions.clustering import kmeans, project_2d, project_with_centers, silhouette

KMEANS, MAP, SCORE = "clustering.kmeans", "clustering.project_with_centers", "clustering.silhouette"
# The clusters of k-means, their numbers and a map of t-SNE are free: only the silhouette has probes.
_points = torch.randn(16, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64) + 1
_labels = torch.tensor([2, 0, 1, 0, 2, 1, 1, 2, 0, 0, 0, 3, 2, 1, 0, 0])  # 3 is alone
probe(SCORE, _points, _labels)
probe(SCORE, _points[:9, :2] * 3, _labels[:9])
probe(SCORE, torch.zeros(6, 2).index_fill(0, torch.tensor([4]), 3.0), _labels[:6])


@misconception(
    KMEANS,
    "one start at random rows",
    "The first centers are k random rows, and there is one start only. It often ends with two centers in one "
    "group and one center for two groups. Look at how starts are chosen, and how many there are.",
)
def one_random_start(x, k=10, seed=0):
    from sklearn.cluster import KMeans

    found = KMeans(k, init="random", n_init=1, random_state=seed).fit(np.asarray(x))
    return torch.from_numpy(found.labels_), torch.from_numpy(found.cluster_centers_)


@misconception(
    KMEANS,
    "the first k rows as the only start",
    "The first centers are the first k rows, whatever they are. Two of them in one group are rarely parted "
    "again. Look at how starts are chosen, and how many there are.",
)
def first_rows(x, k=10, seed=0):
    x = torch.as_tensor(x)
    if k > len(x):
        raise ValueError(f"k = {k} for {len(x)} rows")
    centers = x[:k].clone()
    for _ in range(100):
        labels = torch.cdist(x, centers).argmin(dim=1)
        members = [x[labels == j] for j in range(k)]
        centers = torch.stack([rows.mean(dim=0) if len(rows) else c for rows, c in zip(members, centers)])
    return labels, centers


@misconception(
    KMEANS,
    "one step only",
    "Rows are assigned once and centers averaged once. Both steps have to alternate until nothing moves.",
)
def one_step(x, k=10, seed=0):
    from sklearn.cluster import kmeans_plusplus

    x = torch.as_tensor(x)
    if k > len(x):
        raise ValueError(f"k = {k} for {len(x)} rows")
    start = torch.from_numpy(kmeans_plusplus(x.numpy(), k, random_state=seed)[0])
    labels = torch.cdist(x, start).argmin(dim=1)
    return labels, torch.stack([x[labels == j].mean(dim=0) for j in range(k)])


@misconception(
    KMEANS,
    "rows as centers",
    "The centers are rows of x, the ones nearest to the means. The centers of k-means are the means.",
)
def rows_as_centers(x, k=10, seed=0, _right=kmeans):
    labels, centers = _right(x, k, seed)
    x = torch.as_tensor(x)
    return labels, x[torch.cdist(centers, x).argmin(dim=1)]


@misconception(
    KMEANS,
    "medians instead of means",
    "The centers are medians of their rows. They minimize another sum than that of the squared distances.",
)
def medians(x, k=10, seed=0, _right=kmeans):
    labels, _ = _right(x, k, seed)
    x = torch.as_tensor(x)
    return labels, torch.stack([x[labels == j].median(dim=0).values for j in range(k)])


@misconception(
    KMEANS,
    "centers in another order than labels",
    "The centers are right, but row j is not the center of label j. What was sorted, or counted, between "
    "labels and centers?",
)
def other_order(x, k=10, seed=0, _right=kmeans):
    labels, centers = _right(x, k, seed)
    return labels, centers[labels.bincount(minlength=k).argsort(stable=True)].roll(1, 0)


@misconception(
    KMEANS,
    "centers of the first assignment",
    "The centers are those from which the steps started. The labels have changed since then.",
)
def old_centers(x, k=10, seed=0, _right=kmeans):
    from sklearn.cluster import kmeans_plusplus

    labels, centers = _right(x, k, seed)
    x = torch.as_tensor(x)
    start = torch.from_numpy(kmeans_plusplus(x.numpy(), k, random_state=seed)[0])
    return labels, start[torch.cdist(centers, start).argmin(dim=1)]


@misconception(
    KMEANS,
    "seed not used",
    "The starts come from a generator that the seed does not set: every call numbers, or finds, other clusters.",
)
def unseeded(x, k=10, seed=0):
    from sklearn.cluster import KMeans

    found = KMeans(k, n_init=10).fit(np.asarray(x))
    return torch.from_numpy(found.labels_).long(), torch.from_numpy(found.cluster_centers_)


@misconception(
    KMEANS,
    "global seed set",
    "A global seed is set inside the function and stays so: all later draws of the program repeat.",
)
def global_seed(x, k=10, seed=0, _right=kmeans):
    torch.manual_seed(seed)
    np.random.seed(seed)
    return _right(x, k, seed)


@misconception(
    KMEANS,
    "clustered on the t-SNE map",
    "The clusters were found in the plane of a t-SNE map, which tears groups apart and closes gaps. Clusters are "
    "those of the representations; the map is for looking only.",
)
def clustered_on_map(x, k=10, seed=0, _right=kmeans):
    x = torch.as_tensor(x)
    labels, _ = _right(project_2d(x, method="tsne", seed=seed), k, seed)
    return labels, torch.stack([x[labels == j].mean(dim=0) for j in range(k)])


@misconception(
    KMEANS,
    "centers in the plane",
    "The centers have two coordinates: they were found on a map. They belong into the space of x.",
)
def centers_on_map(x, k=10, seed=0, _right=kmeans):
    return _right(project_2d(x, method="tsne", seed=seed), k, seed)


@misconception(
    KMEANS,
    "columns standardized",
    "The columns are scaled to equal deviations before they are clustered. The distances are then others than "
    "those of the rows that were given.",
)
def standardized(x, k=10, seed=0, _right=kmeans):
    x = torch.as_tensor(x)
    labels, _ = _right((x - x.mean(dim=0)) / (x.std(dim=0) + 1e-9), k, seed)
    return labels, torch.stack([x[labels == j].mean(dim=0) for j in range(k)])


@misconception(
    KMEANS,
    "rows scaled to length 1",
    "Each row is divided by its length before it is clustered. The distances are then those of directions.",
)
def rows_scaled(x, k=10, seed=0, _right=kmeans):
    x = torch.as_tensor(x)
    labels, _ = _right(x / (x.norm(dim=1, keepdim=True) + 1e-9), k, seed)
    return labels, torch.stack([x[labels == j].mean(dim=0) for j in range(k)])


@misconception(
    KMEANS,
    "empty clusters",
    "Clusters can end without a row: the starts are points anywhere in the range of the data. What becomes of a "
    "center that is nearest to no row?",
)
def empty_clusters(x, k=10, seed=0):
    x = torch.as_tensor(x)
    low, high = x.amin(dim=0), x.amax(dim=0)
    centers = low + (high - low) * torch.rand(k, x.shape[1], generator=torch.Generator().manual_seed(seed))
    for _ in range(100):
        labels = torch.cdist(x, centers).argmin(dim=1)
        members = [x[labels == j] for j in range(k)]
        centers = torch.stack([rows.mean(dim=0) if len(rows) else c for rows, c in zip(members, centers)])
    return labels, centers


@misconception(
    KMEANS,
    "labels from 1",
    "The labels run from 1 to k. Row j of the centers belongs to label j, and the first row is row 0.",
)
def labels_from_one(x, k=10, seed=0, _right=kmeans):
    labels, centers = _right(x, k, seed)
    return labels + 1, centers


@misconception(
    KMEANS,
    "centers and labels swapped",
    "The centers come first and the labels second. The docstring has them the other way round.",
)
def swapped(x, k=10, seed=0, _right=kmeans):
    labels, centers = _right(x, k, seed)
    return centers, labels


@misconception(
    KMEANS,
    "k not used",
    "There are 10 clusters, or as many as rows, whatever the argument k says.",
)
def k_unused(x, k=10, seed=0, _right=kmeans):
    return _right(x, min(10, len(x)), seed)


@misconception(
    KMEANS,
    "fewer clusters than asked for, in silence",
    "Where there are fewer rows than clusters, k is lowered in silence. The docstring asks for a ValueError.",
)
def fewer_in_silence(x, k=10, seed=0, _right=kmeans):
    return _right(x, min(k, len(x)), seed)


@misconception(
    KMEANS,
    "x centered in place",
    "The mean is subtracted from x itself: the caller's representations are no longer the same afterwards.",
)
def in_place(x, k=10, seed=0, _right=kmeans):
    x = torch.as_tensor(x)
    mean = x.mean(dim=0)
    x -= mean
    labels, centers = _right(x, k, seed)
    return labels, centers + mean


@misconception(
    MAP,
    "centers mapped separately",
    "Points and centers went through t-SNE in two runs. Two maps have nothing to do with each other.",
)
def separately(x, centers, seed=0):
    twice = torch.cat([torch.as_tensor(centers)] * 2)  # one point alone has no map
    return project_2d(x, "tsne", seed), project_2d(twice, "tsne", seed)[: len(centers)]


@misconception(
    MAP,
    "centers not mapped",
    "The centers are not mapped at all: these are two of their coordinates in the original space.",
)
def not_mapped(x, centers, seed=0):
    return project_2d(x, method="tsne", seed=seed), torch.as_tensor(centers)[:, :2]


@misconception(
    MAP,
    "centers by PCA among points by t-SNE",
    "The points were mapped by t-SNE and the centers by PCA: two planes that have nothing in common.",
)
def centers_by_pca(x, centers, seed=0):
    x, centers = torch.as_tensor(x), torch.as_tensor(centers)
    together = project_2d(torch.cat([x, centers]), method="pca", seed=seed)
    return project_2d(x, method="tsne", seed=seed), together[len(x) :]


@misconception(
    MAP,
    "centers put at the mean of their rows in the map",
    "Only the points were mapped; each center was put at the mean of the map's positions of its rows. In t-SNE the "
    "mean of rows does not go to the mean of their positions, and a center without rows has no place at all.",
)
def mean_of_positions(x, centers, seed=0):
    x, centers = torch.as_tensor(x), torch.as_tensor(centers)
    points = project_2d(x, method="tsne", seed=seed)
    distances = torch.cdist(x, centers)
    own = [points[distances.argmin(dim=1) == j] for j in range(len(centers))]
    nearest = points[distances.argmin(dim=0)]
    return points, torch.stack([rows.mean(dim=0) if len(rows) else nearest[j] for j, rows in enumerate(own)])


@misconception(
    MAP,
    "centers put among the rows nearest to them",
    "Only the points were mapped; each center was put at the mean of the map's positions of the rows next to it. "
    "Where a center lies far from all rows, the map should show it.",
)
def mean_of_nearest(x, centers, seed=0):
    x, centers = torch.as_tensor(x), torch.as_tensor(centers)
    points = project_2d(x, method="tsne", seed=seed)
    nearest = torch.cdist(centers, x).topk(min(5, len(x)), largest=False).indices
    return points, points[nearest].mean(dim=1)


@misconception(
    MAP,
    "PCA instead of t-SNE",
    "The map is the plane of the first two principal components. The task asks for t-SNE.",
)
def pca(x, centers, seed=0):
    x, centers = torch.as_tensor(x), torch.as_tensor(centers)
    together = project_2d(torch.cat([x, centers]), method="pca", seed=seed)
    return together[: len(x)], together[len(x) :]


@misconception(
    MAP,
    "perplexity too large for few points",
    "The perplexity is the same for any number of points. t-SNE demands that it stays below that number.",
)
def perplexity_fixed(x, centers, seed=0):
    from sklearn.manifold import TSNE

    x, centers = np.asarray(x), np.asarray(centers)
    together = TSNE(perplexity=30, random_state=seed).fit_transform(np.concatenate([x, centers]))
    return torch.from_numpy(together[: len(x)]), torch.from_numpy(together[len(x) :])


@misconception(
    MAP,
    "perplexity not below the number of rows",
    "The perplexity falls for few points, but it does not stay below the number of rows that go into the map. "
    "How many are these?",
)
def perplexity_of_points(x, centers, seed=0):
    from sklearn.manifold import TSNE

    x, centers = np.asarray(x), np.asarray(centers)
    together = TSNE(perplexity=min(30, len(x) + 2), random_state=seed).fit_transform(np.concatenate([x, centers]))
    return torch.from_numpy(together[: len(x)]), torch.from_numpy(together[len(x) :])


@misconception(
    MAP,
    "cut at the wrong place",
    "Points and centers are in one map, but it is cut as if the centers came first. Which rows went in first?",
)
def cut_wrong(x, centers, seed=0):
    x, centers = torch.as_tensor(x), torch.as_tensor(centers)
    together = project_2d(torch.cat([x, centers]), method="tsne", seed=seed)
    return together[len(centers) :], together[: len(centers)]


@misconception(
    MAP,
    "not cut",
    "There is one map of points and centers, and it is returned in one piece. Two parts are asked for.",
)
def not_cut(x, centers, seed=0):
    return project_2d(torch.cat([torch.as_tensor(x), torch.as_tensor(centers)]), method="tsne", seed=seed)


@misconception(
    MAP,
    "seed of the map not used",
    "The start of t-SNE comes from a generator that the seed does not set: every call gives another map.",
)
def map_unseeded(x, centers, seed=0):
    from sklearn.manifold import TSNE

    x, centers = np.asarray(x), np.asarray(centers)
    both = np.concatenate([x, centers])
    together = TSNE(perplexity=min(30, (len(both) - 1) / 3), init="random").fit_transform(both)
    return torch.from_numpy(together[: len(x)]), torch.from_numpy(together[len(x) :])


@misconception(
    MAP,
    "global seed set for the map",
    "A global seed is set inside the function and stays so: all later draws of the program repeat.",
)
def map_global_seed(x, centers, seed=0, _right=project_with_centers):
    np.random.seed(seed)
    return _right(x, centers, seed)


@misconception(
    SCORE,
    "on the t-SNE map",
    "The silhouette was computed in the plane of a t-SNE map, where groups look far better separated than they "
    "are. In which dimension is it to be computed?",
)
def on_map(x, labels, _right=silhouette):
    return _right(project_2d(x, method="tsne"), labels)


@misconception(
    SCORE,
    "on the plane of a PCA",
    "The silhouette was computed in two principal components. In which dimension is it to be computed?",
)
def on_pca(x, labels, _right=silhouette):
    return _right(project_2d(x, method="pca"), labels)


@misconception(
    SCORE,
    "labels not used",
    "The silhouette is that of a clustering found here, not of the labels that were given.",
)
def of_other_labels(x, labels, _right=silhouette):
    return _right(x, kmeans(x, k=len(torch.as_tensor(labels).unique()))[0])


@misconception(
    SCORE,
    "squared distances",
    "The distances are squared: a root is missing. The silhouette is one of mean distances.",
)
def squared(x, labels):
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(np.asarray(x), np.asarray(labels), metric="sqeuclidean"))


@misconception(
    SCORE,
    "cosine distances",
    "The distances are those of directions (cosine). The silhouette here is one of ℓ2 distances.",
)
def cosine(x, labels):
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(np.asarray(x), np.asarray(labels), metric="cosine"))


@misconception(
    SCORE,
    "the row itself counted in a",
    "The mean distance a counts the row's distance 0 to itself. Over how many other rows is it the mean?",
)
def itself_counted(x, labels):
    x, labels = torch.as_tensor(x), torch.as_tensor(labels)
    if not 1 < len(labels.unique()) < len(x):
        raise ValueError("needs 2 to N - 1 clusters")
    total = 0.0
    for i in range(len(x)):
        distances = (x - x[i]).norm(dim=1)
        a = distances[labels == labels[i]].mean()
        b = min(distances[labels == j].mean() for j in labels.unique() if j != labels[i])
        alone = (labels == labels[i]).sum() == 1
        total += 0.0 if alone else float((b - a) / torch.maximum(a, b).clamp(min=1e-12))
    return total / len(x)


@misconception(
    SCORE,
    "b of the farthest cluster",
    "The mean distance b is that to the farthest of the other clusters. Smallest or largest?",
)
def farthest_cluster(x, labels):
    x, labels = torch.as_tensor(x), torch.as_tensor(labels)
    if not 1 < len(labels.unique()) < len(x):
        raise ValueError("needs 2 to N - 1 clusters")
    total = 0.0
    for i in range(len(x)):
        distances, own = (x - x[i]).norm(dim=1), labels == labels[i]
        if own.sum() > 1:
            a = distances[own].sum() / (own.sum() - 1)
            b = max(distances[labels == j].mean() for j in labels.unique() if j != labels[i])
            total += float((b - a) / torch.maximum(a, b))
    return total / len(x)


@misconception(
    SCORE,
    "b over all other rows",
    "The mean distance b runs over the rows of all other clusters together. It belongs to one of them: which?",
)
def all_others(x, labels):
    x, labels = torch.as_tensor(x), torch.as_tensor(labels)
    if not 1 < len(labels.unique()) < len(x):
        raise ValueError("needs 2 to N - 1 clusters")
    total = 0.0
    for i in range(len(x)):
        distances, own = (x - x[i]).norm(dim=1), labels == labels[i]
        if own.sum() > 1:
            a, b = distances[own].sum() / (own.sum() - 1), distances[~own].mean()
            total += float((b - a) / torch.maximum(a, b))
    return total / len(x)


@misconception(
    SCORE,
    "b to the nearest row",
    "The distance b is that to the nearest row of another cluster. It is a mean over the rows of a cluster.",
)
def nearest_row(x, labels):
    x, labels = torch.as_tensor(x), torch.as_tensor(labels)
    if not 1 < len(labels.unique()) < len(x):
        raise ValueError("needs 2 to N - 1 clusters")
    total = 0.0
    for i in range(len(x)):
        distances, own = (x - x[i]).norm(dim=1), labels == labels[i]
        if own.sum() > 1:
            a, b = distances[own].sum() / (own.sum() - 1), distances[~own].min()
            total += float((b - a) / torch.maximum(a, b).clamp(min=1e-12))
    return total / len(x)


@misconception(
    SCORE,
    "distances to centers",
    "The distances are those to the centers of the clusters. The silhouette takes the mean of the distances to "
    "their rows.",
)
def to_centers(x, labels):
    x = torch.as_tensor(x)
    names, cluster = torch.as_tensor(labels).unique(return_inverse=True)
    if not 1 < len(names) < len(x):
        raise ValueError("needs 2 to N - 1 clusters")
    centers = torch.stack([x[cluster == j].mean(dim=0) for j in range(len(names))])
    distances = torch.cdist(x, centers)
    a = distances.gather(1, cluster[:, None])[:, 0]
    b = distances.scatter(1, cluster[:, None], torch.inf).amin(dim=1)
    s = (b - a) / torch.maximum(a, b)
    return float(torch.where(cluster.bincount()[cluster] == 1, 0.0, s).nan_to_num().mean())


@misconception(
    SCORE,
    "a cluster of one row scores 1",
    "A row that is alone in its cluster has a = 0 here, and so scores 1. By definition it scores 0.",
)
def alone_scores_one(x, labels, _right=silhouette):
    counts = torch.as_tensor(labels).unique(return_counts=True)[1]
    return _right(x, labels) + float((counts == 1).sum()) / len(labels)


@misconception(
    SCORE,
    "clusters of one row left out",
    "Rows that are alone in their cluster are left out of the mean. They score 0, and count.",
)
def alone_left_out(x, labels, _right=silhouette):
    counts = torch.as_tensor(labels).unique(return_counts=True)[1]
    return _right(x, labels) * len(labels) / max(1, len(labels) - int((counts == 1).sum()))


@misconception(
    SCORE,
    "NaN for a cluster of one row",
    "A row that is alone in its cluster gives 0/0, and the mean becomes NaN. By definition it scores 0.",
)
def alone_is_nan(x, labels, _right=silhouette):
    counts = torch.as_tensor(labels).unique(return_counts=True)[1]
    value = _right(x, labels)
    return float("nan") if (counts == 1).any() else value


@misconception(
    SCORE,
    "NaN where a and b are 0",
    "Rows that are equal, in two clusters, have a = b = 0: 0/0 makes the mean NaN. They score 0.",
)
def zero_by_zero(x, labels):
    x, labels = torch.as_tensor(x), torch.as_tensor(labels)
    if not 1 < len(labels.unique()) < len(x):
        raise ValueError("needs 2 to N - 1 clusters")
    total = 0.0
    for i in range(len(x)):
        distances, own = (x - x[i]).norm(dim=1), labels == labels[i]
        if own.sum() > 1:
            a = distances[own].sum() / (own.sum() - 1)
            b = torch.stack([distances[labels == j].mean() for j in labels.unique() if j != labels[i]]).min()
            total += float((b - a) / torch.maximum(a, b))
    return total / len(x)


@misconception(
    SCORE,
    "no ValueError",
    "One cluster, or as many as there are rows, gives a number. There is no silhouette then, but a ValueError.",
)
def no_error(x, labels, _right=silhouette):
    return _right(x, labels) if 1 < len(torch.as_tensor(labels).unique()) < len(x) else 0.0


@misconception(
    SCORE,
    "sum instead of mean",
    "The scores of the rows are added up. The result is their mean, between −1 and 1.",
)
def summed(x, labels, _right=silhouette):
    return _right(x, labels) * len(x)


@misconception(
    SCORE,
    "sign reversed",
    "The sign is reversed: rows that are nearer to their own cluster have to score above 0.",
)
def reversed_sign(x, labels, _right=silhouette):
    return -_right(x, labels)


@misconception(
    SCORE,
    "mean of the clusters' means",
    "The scores are averaged within each cluster first, and then over clusters. All rows count alike.",
)
def mean_of_means(x, labels):
    from sklearn.metrics import silhouette_samples

    labels = np.asarray(labels)
    s = silhouette_samples(np.asarray(x), labels)
    return float(np.mean([s[labels == j].mean() for j in np.unique(labels)]))


@misconception(
    SCORE,
    "divided by b",
    "The difference is divided by b, not by the larger of a and b. That can fall below −1.",
)
def divided_by_b(x, labels):
    x, labels = torch.as_tensor(x), torch.as_tensor(labels)
    if not 1 < len(labels.unique()) < len(x):
        raise ValueError("needs 2 to N - 1 clusters")
    total = 0.0
    for i in range(len(x)):
        distances, own = (x - x[i]).norm(dim=1), labels == labels[i]
        if own.sum() > 1:
            a = distances[own].sum() / (own.sum() - 1)
            b = min(distances[labels == j].mean() for j in labels.unique() if j != labels[i])
            total += float(1 - a / b.clamp(min=1e-12))
    return total / len(x)


@misconception(
    SCORE,
    "ratio of the means",
    "a and b are averaged over all rows before they are compared. Each row has its own score.",
)
def ratio_of_means(x, labels):
    x, labels = torch.as_tensor(x), torch.as_tensor(labels)
    if not 1 < len(labels.unique()) < len(x):
        raise ValueError("needs 2 to N - 1 clusters")
    a, b = [], []
    for i in range(len(x)):
        distances, own = (x - x[i]).norm(dim=1), labels == labels[i]
        if own.sum() > 1:
            a.append(distances[own].sum() / (own.sum() - 1))
            b.append(min(distances[labels == j].mean() for j in labels.unique() if j != labels[i]))
    a, b = sum(a) / len(x), sum(b) / len(x)
    return float((b - a) / max(a, b))


@misconception(
    SCORE,
    "labels taken for 0 to C − 1",
    "The loop runs over the numbers 0, 1, 2, … Labels can be any integers, with gaps or below 0.",
)
def labels_from_zero(x, labels):
    x, labels = torch.as_tensor(x), torch.as_tensor(labels).long()
    if not 1 < len(labels.unique()) < len(x):
        raise ValueError("needs 2 to N - 1 clusters")
    count = len(labels.unique())
    distances = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    members = torch.nn.functional.one_hot(labels % count, count).to(x)
    sums, sizes, own = distances @ members, members.sum(dim=0), (labels % count)[:, None]
    a = sums.gather(1, own)[:, 0] / (sizes[own[:, 0]] - 1)
    b = (sums / sizes).scatter(1, own, torch.inf).amin(dim=1)
    s = (b - a) / torch.maximum(a, b)
    return float(torch.where(sizes[own[:, 0]] > 1, s, 0.0).nan_to_num().mean())
