"""Task 9 in other styles."""

import numpy as np
import torch

from autograder.proofs.variants import variant
from solutions.clustering import project_2d

KMEANS, MAP, SCORE = "clustering.kmeans", "clustering.project_with_centers", "clustering.silhouette"


@variant(KMEANS, "scikit-learn's labels and centers, arrays out")
def as_scikit_says(x, k=10, seed=0):
    from sklearn.cluster import KMeans

    found = KMeans(n_clusters=k, n_init=10, random_state=seed).fit(np.asarray(x))
    return found.labels_, found.cluster_centers_


@variant(KMEANS, "scikit-learn's defaults: one start by k-means++")
def scikit_defaults(x, k=10, seed=0):
    from sklearn.cluster import KMeans

    model = KMeans(k, random_state=seed)
    labels = model.fit_predict(np.asarray(x))
    return torch.from_numpy(labels).long(), torch.from_numpy(model.cluster_centers_).float()


@variant(KMEANS, "scikit-learn's MiniBatchKMeans, means computed again")
def mini_batches(x, k=10, seed=0):
    from sklearn.cluster import MiniBatchKMeans

    if len(x) < k:
        raise ValueError("too few rows")
    x = torch.as_tensor(x)
    labels = MiniBatchKMeans(k, n_init=10, random_state=seed).fit_predict(x.numpy())
    return labels, np.stack([x.numpy()[labels == j].mean(axis=0) for j in range(k)])


@variant(KMEANS, "Lloyd in torch, k-means++ by multinomial, ten starts")
def lloyd_torch(x, k=10, seed=0):
    x = torch.as_tensor(x)
    n = x.shape[0]
    if k > n:
        raise ValueError(f"cannot make {k} clusters of {n} rows")
    generator = torch.Generator().manual_seed(seed)
    best = None
    for _ in range(10):
        chosen = [torch.randint(n, (1,), generator=generator).item()]
        while len(chosen) < k:
            squares = torch.cdist(x, x[chosen]).min(dim=1).values ** 2
            chosen.append(torch.multinomial(squares / squares.sum(), 1, generator=generator).item())
        centers = x[chosen].clone()
        for _ in range(100):
            labels = torch.cdist(x, centers).argmin(dim=1)
            new = centers.clone()
            for j in range(k):
                members = x[labels == j]
                if len(members) > 0:
                    new[j] = members.mean(dim=0)
            moved = (new - centers).abs().max()
            centers = new
            if moved == 0:
                break
        inertia = ((x - centers[labels]) ** 2).sum()
        if len(labels.unique()) == k and (best is None or inertia < best[0]):
            best = (inertia, labels, centers)
    return best[1], best[2]


@variant(KMEANS, "Lloyd in NumPy by one-hot products, one start by k-means++, empty clusters get the farthest row")
def lloyd_numpy(x, k=10, seed=0):
    x = np.asarray(x, dtype=np.float64)
    if k > len(x):
        raise ValueError("k > N")
    random = np.random.default_rng(seed)
    centers = x[[random.integers(len(x))]]
    for _ in range(k - 1):
        squares = ((x[:, None] - centers) ** 2).sum(2).min(1)
        centers = np.vstack([centers, x[random.choice(len(x), p=squares / squares.sum())]])
    for _ in range(300):
        squares = ((x[:, None] - centers) ** 2).sum(2)
        labels = squares.argmin(1)
        for j in np.setdiff1d(np.arange(k), labels):
            labels[squares[np.arange(len(x)), labels].argmax()] = j
        one_hot = np.eye(k)[labels]
        new = one_hot.T @ x / one_hot.sum(0)[:, None]
        if np.allclose(new, centers, rtol=0, atol=1e-12):
            break
        centers = new
    return labels, centers


@variant(KMEANS, "SciPy's kmeans2, the best of five seeds")
def by_scipy(x, k=10, seed=0):
    from scipy.cluster.vq import kmeans2

    x = np.asarray(x, dtype=float)
    if len(x) < k:
        raise ValueError("fewer rows than clusters")
    best = (np.inf, None, None)
    for start in range(5):
        centers, labels = kmeans2(x, k, iter=50, minit="++", seed=1000 * seed + start, missing="warn")
        inertia = ((x - centers[labels]) ** 2).sum()
        if len(np.unique(labels)) == k and inertia < best[0]:
            best = (inertia, labels, centers)
    return torch.as_tensor(best[1], dtype=torch.int64), torch.as_tensor(best[2], dtype=torch.float32)


@variant(KMEANS, "ten random starts, a list of labels, a named tuple")
def random_starts(x, k=10, seed=0):
    from collections import namedtuple

    x = torch.as_tensor(x).float()
    if k > len(x):
        raise ValueError("k")
    g = torch.Generator()
    g.manual_seed(seed)
    runs = []
    for _ in range(10):
        c = x[torch.randperm(len(x), generator=g)[:k]]
        for _ in range(25):
            d = (x.unsqueeze(1) - c.unsqueeze(0)).pow(2).sum(-1)
            label = d.argmin(1)
            c = torch.stack([x[label == j].mean(0) if bool((label == j).any()) else c[j] for j in range(k)])
        runs.append((float(d.min(1).values.sum()), label, c))
    _, label, c = min(runs, key=lambda run: run[0])
    return namedtuple("Clustering", "labels centers")(label.tolist(), c)


@variant(MAP, "scikit-learn's t-SNE, perplexity of 30 or N - 1, arrays out")
def tsne(x, centers, seed=0):
    from sklearn.manifold import TSNE

    together = np.vstack([np.asarray(x), np.asarray(centers)])
    mapped = TSNE(n_components=2, perplexity=min(30, len(together) - 1), random_state=seed).fit_transform(together)
    return mapped[: -len(centers)], mapped[-len(centers) :]


@variant(MAP, "t-SNE from a random start, small perplexity, centers first in the map")
def tsne_random(x, centers, seed=0):
    from sklearn.manifold import TSNE

    k = len(centers)
    together = torch.cat([torch.as_tensor(centers), torch.as_tensor(x)])
    perplexity = max(1.0, min(15.0, (len(together) - 1) / 3))
    model = TSNE(2, perplexity=perplexity, init="random", learning_rate="auto", random_state=seed)
    mapped = torch.from_numpy(model.fit_transform(together.numpy()))
    return mapped[k:], mapped[:k]


@variant(MAP, "split of project_2d, a list")
def by_split(x, centers, seed=0):
    both = np.concatenate((x, centers), axis=0)
    return list(torch.split(project_2d(both, "tsne", seed), [len(x), len(centers)]))


@variant(SCORE, "scikit-learn")
def by_scikit(x, labels):
    from sklearn.metrics import silhouette_score

    return silhouette_score(np.asarray(x), np.asarray(labels))


@variant(SCORE, "a loop over rows, then over clusters")
def loops(x, labels):
    x, labels = torch.as_tensor(x), torch.as_tensor(labels)
    names = labels.unique()
    if len(names) < 2 or len(names) >= len(x):
        raise ValueError("silhouette needs at least 2 and at most N - 1 clusters")
    scores = []
    for i in range(len(x)):
        distance = torch.linalg.norm(x - x[i], dim=1)
        same = labels == labels[i]
        if same.sum() == 1:
            scores.append(0.0)
            continue
        a = distance[same].sum().item() / (same.sum().item() - 1)
        b = min(distance[labels == name].mean().item() for name in names if name != labels[i])
        scores.append((b - a) / max(a, b) if max(a, b) > 0 else 0.0)
    return sum(scores) / len(scores)


@variant(SCORE, "torch.cdist by products, blocks of 1000 rows, means by index_add")
def blocks(x, labels):
    x = torch.as_tensor(x).float()
    _, c, n = torch.unique(torch.as_tensor(labels), return_inverse=True, return_counts=True)
    if n.numel() == 1 or n.numel() == len(x):
        raise ValueError("one cluster, or only clusters of one row")
    parts = []
    for start in range(0, len(x), 1000):
        d = torch.cdist(x[start : start + 1000], x)
        own = c[start : start + 1000]
        d[torch.arange(len(d)), start + torch.arange(len(d))] = 0
        sums = torch.zeros(len(d), len(n)).index_add_(1, c, d)
        rows = torch.arange(len(d))
        a = sums[rows, own] / (n[own] - 1).clamp(min=1)
        mean = sums / n
        mean[rows, own] = float("inf")
        b = mean.min(dim=1)[0]
        parts.append(torch.where(n[own] > 1, (b - a) / torch.max(a, b).clamp(min=1e-12), torch.zeros_like(a)))
    return torch.cat(parts).mean()


@variant(SCORE, "all distances by SciPy, a dictionary of clusters")
def by_dictionary(x, labels):
    from scipy.spatial.distance import pdist, squareform

    labels = np.asarray(labels)
    members = {name: np.flatnonzero(labels == name) for name in set(labels.tolist())}
    if len(members) == 1 or len(members) == len(labels):
        raise ValueError(f"{len(members)} clusters")
    distances = squareform(pdist(np.asarray(x)))
    s = np.zeros(len(labels))
    for name, rows in members.items():
        if len(rows) > 1:
            a = distances[np.ix_(rows, rows)].sum(axis=1) / (len(rows) - 1)
            others = [distances[np.ix_(rows, other)].mean(axis=1) for key, other in members.items() if key != name]
            b = np.min(others, axis=0)
            s[rows] = (b - a) / np.maximum(np.maximum(a, b), 1e-300)
    return float(s.mean())
