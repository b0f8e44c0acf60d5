"""Tasks 4 and 5 in other styles."""

import numpy as np
import torch
from torch import nn

from autograder.proofs.variants import variant
from solutions.evaluation import normalize

EXTRACT, MAP, PROBE = "evaluation.extract_representations", "evaluation.project_2d", "evaluation.linear_probe"
RETRIEVE = "evaluation.retrieve"


@variant(EXTRACT, "a loop over slices, NumPy array out")
def slices(encoder, images, batch_size=500):
    was_training = encoder.training
    encoder.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            found.append(encoder(normalize(images[start : start + batch_size])).cpu().numpy())
    encoder.train(was_training)
    return np.concatenate(found)


@variant(EXTRACT, "DataLoader of a TensorDataset, not shuffled")
def loader(encoder, images, batch_size=500):
    from torch.utils.data import DataLoader, TensorDataset

    mode = encoder.training
    encoder.eval()
    result = torch.empty(0)
    for (batch,) in DataLoader(TensorDataset(torch.as_tensor(images)), batch_size=batch_size, shuffle=False):
        with torch.no_grad():
            result = torch.cat([result, encoder(normalize(batch))])
    encoder.train(mode)
    return result


@variant(EXTRACT, "one image at a time, detached")
def one_by_one(encoder, images, batch_size=500):
    training = encoder.training
    encoder.eval()
    rows = [encoder(normalize(images[i : i + 1])).detach()[0] for i in range(len(images))]
    encoder.train(training)
    return torch.stack(rows)


@variant(EXTRACT, "normalization written out with torch, on a copy of the encoder")
def deep_copy(encoder, images, batch_size=500):
    import copy

    frozen = copy.deepcopy(encoder).eval().requires_grad_(False)
    mean, std = np.array([0.4914, 0.4822, 0.4465]), np.array([0.247, 0.243, 0.261])
    x = torch.from_numpy((np.asarray(images) / 255 - mean) / std).permute(0, 3, 1, 2).float()
    return torch.vstack([frozen(each) for each in x.split(batch_size)])


@variant(MAP, "PCA by torch's SVD, t-SNE from scikit-learn with init pca")
def by_svd(representations, method="pca", seed=0):
    x = torch.as_tensor(representations).float()
    if method == "pca":
        x = x - x.mean(dim=0)
        return x @ torch.linalg.svd(x, full_matrices=False)[2][:2].T
    if method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(30, len(x) // 4)
        return TSNE(n_components=2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(
            x.numpy()
        )
    raise ValueError("method")


@variant(MAP, "PCA by the covariance matrix, whitened and of opposite sign, float64 array")
def by_covariance(representations, method="pca", seed=0):
    from sklearn.manifold import TSNE

    x = np.asarray(representations, dtype=np.float64)
    if method not in ("pca", "tsne"):
        raise ValueError(f"unknown method {method}")
    if method == "tsne":
        return TSNE(perplexity=max(1, min(30, len(x) - 2)), init="random", random_state=seed).fit_transform(x)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    return -(x - x.mean(axis=0)) @ vectors[:, ::-1][:, :2] / np.sqrt(values[::-1][:2])


@variant(PROBE, "Adam on the whole batch")
def adam(train_x, train_y, test_x):
    train_x, test_x = torch.as_tensor(train_x).float(), torch.as_tensor(test_x).float()
    classes, targets = torch.unique(torch.as_tensor(train_y), return_inverse=True)
    layer = nn.Linear(train_x.shape[1], len(classes))
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.cross_entropy(layer(train_x), targets).backward()
        optimizer.step()
    with torch.no_grad():
        return classes[layer(test_x).argmax(dim=1)]


@variant(PROBE, "SGD over shuffled minibatches, labels up to the largest as classes")
def sgd(train_x, train_y, test_x):
    from torch.utils.data import DataLoader, TensorDataset

    train_x, train_y, test_x = (
        torch.as_tensor(train_x),
        torch.as_tensor(train_y).long(),
        torch.as_tensor(test_x),
    )
    layer = nn.Linear(train_x.shape[1], int(train_y.max()) + 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    for _ in range(30):
        for x, y in DataLoader(TensorDataset(train_x, train_y), batch_size=64, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(layer(x), y).backward()
            optimizer.step()
    return layer(test_x).argmax(dim=1).numpy()


@variant(PROBE, "L-BFGS")
def lbfgs(train_x, train_y, test_x):
    train_x, test_x = torch.as_tensor(train_x), torch.as_tensor(test_x)
    classes = sorted(set(np.asarray(train_y).tolist()))
    targets = torch.tensor([classes.index(each) for each in np.asarray(train_y).tolist()])
    layer = nn.Linear(train_x.shape[1], len(classes))
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(layer(train_x), targets) + 1e-4 * layer.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return torch.tensor(classes)[layer(test_x).detach().argmax(dim=1)]


@variant(PROBE, "scikit-learn without scaling, NumPy array out")
def scikit(train_x, train_y, test_x):
    from sklearn.linear_model import LogisticRegression

    train_x, train_y, test_x = (np.asarray(each) for each in (train_x, train_y, test_x))
    return LogisticRegression(max_iter=500).fit(train_x, train_y).predict(test_x)


@variant(PROBE, "scikit-learn's SGDClassifier with log loss")
def scikit_sgd(train_x, train_y, test_x):
    from sklearn.linear_model import SGDClassifier

    probe = SGDClassifier(loss="log_loss", random_state=0, max_iter=200)
    return torch.from_numpy(probe.fit(np.asarray(train_x), np.asarray(train_y)).predict(np.asarray(test_x)))


@variant(RETRIEVE, "cdist, full sort, own index removed, the least far of the farthest first")
def retrieve_by_sort(representations, queries, k=5, farthest=False):
    if not 0 < k < len(representations):
        raise ValueError(f"{k} of {len(representations)} rows")
    x = torch.as_tensor(representations)
    order = torch.cdist(x[queries], x).argsort(dim=1)
    order = torch.stack([row[row != query] for row, query in zip(order, torch.as_tensor(queries))])
    return order[:, -k:] if farthest else order[:, :k]


@variant(RETRIEVE, "NumPy loop over the queries, argsort, array out")
def retrieve_by_loop(representations, queries, k=5, farthest=False):
    if not 0 < k < len(representations):
        raise ValueError(f"{k} of {len(representations)} rows")
    x, found = np.asarray(representations), []
    for query in np.asarray(queries):
        distances = np.sqrt(((x - x[query]) ** 2).sum(axis=1))
        order = [i for i in np.argsort(-distances if farthest else distances) if i != query]
        found.append(order[:k])
    return np.array(found)


@variant(RETRIEVE, "squares of matrix products, distance to itself infinite, int32")
def retrieve_by_products(representations, queries, k=5, farthest=False):
    if not 0 < k < len(representations):
        raise ValueError(f"{k} of {len(representations)} rows")
    x = torch.as_tensor(representations)
    norms = (x**2).sum(dim=1)
    squares = norms[queries][:, None] + norms[None] - 2 * x[queries] @ x.T
    if farthest:
        squares = -squares
    squares[torch.arange(len(queries)), queries] = float("inf")
    return squares.topk(k, dim=1, largest=False).indices.to(torch.int32)


@variant(RETRIEVE, "scikit-learn's NearestNeighbors and scipy's cdist")
def retrieve_with_scikit(representations, queries, k=5, farthest=False):
    from scipy.spatial.distance import cdist
    from sklearn.neighbors import NearestNeighbors

    if not 0 < k < len(representations):
        raise ValueError(f"{k} of {len(representations)} rows")
    x, queries = np.asarray(representations), np.asarray(queries)
    if farthest:
        distances = cdist(x[queries], x)
        distances[np.arange(len(queries)), queries] = -1
        return distances.argsort(axis=1)[:, ::-1][:, :k].copy()
    found = NearestNeighbors(n_neighbors=len(x)).fit(x).kneighbors(x[queries], return_distance=False)
    return np.stack([row[row != query][:k] for row, query in zip(found, queries)])


@variant(RETRIEVE, "the task 6 search with all rows, nearest cut off the front and farthest off the end")
def retrieve_with_task_6(representations, queries, k=5, farthest=False):
    from .neighbors import nearest_neighbors

    if not 0 < k < len(representations):
        raise ValueError(f"{k} of {len(representations)} rows")
    x = torch.as_tensor(representations)
    found = nearest_neighbors(x[queries], x, len(x))[1]
    found = found[found != torch.as_tensor(queries)[:, None]].view(len(queries), -1)
    return found[:, -k:].flip(1) if farthest else found[:, :k]
