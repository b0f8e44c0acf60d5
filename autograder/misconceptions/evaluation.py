"""Mistakes in tasks 4 and 5. `_right` is the reference's function, taken while the name still means it."""

import numpy as np
import torch
from torch import nn

from autograder.diagnosis import agree, attempt
from autograder.misconceptions import alteration, misconception, observer
from autograder.misconceptions.observing import refused
from autograder.worker import networks
from solutions.evaluation import _one_blas_thread, extract_representations, linear_probe, normalize, project_2d, retrieve

EXTRACT, MAP, PROBE = "evaluation.extract_representations", "evaluation.project_2d", "evaluation.linear_probe"


@misconception(
    EXTRACT,
    "train mode",
    "The encoder runs in train mode: batch norm then uses the batch, and the representation of an image "
    "depends on the images beside it.",
)
def without_eval(encoder, images, batch_size=500):
    with torch.no_grad():
        return torch.cat([encoder(normalize(batch)) for batch in torch.as_tensor(images).split(batch_size)])


@misconception(
    EXTRACT,
    "frozen parameters, but train mode",
    "requires_grad = False stops gradients, not batch norm: in train mode it still uses the batch, and "
    "moves its statistics.",
)
def frozen_in_train_mode(encoder, images, batch_size=500):
    for parameter in encoder.parameters():
        parameter.requires_grad = False
    return torch.cat([encoder(normalize(batch)) for batch in torch.as_tensor(images).split(batch_size)])


@misconception(
    EXTRACT,
    "embeddings instead of representations",
    "What comes back has passed a projector. Representations are what the encoder returns.",
)
def embeddings(encoder, images, batch_size=500, _right=extract_representations):
    y = _right(encoder, images, batch_size)
    return nn.Linear(y.shape[1], 512)(y).detach()


@misconception(
    EXTRACT,
    "order lost",
    "The rows are in another order than the images: labels and indices no longer belong to them. A loader "
    "that shuffles does this silently.",
)
def shuffled(encoder, images, batch_size=500, _right=extract_representations):
    images = torch.as_tensor(images)
    return _right(encoder, images[torch.randperm(len(images))], batch_size)


@misconception(
    EXTRACT,
    "eval mode never undone",
    "The encoder is left in eval mode: training that goes on afterwards is no longer the same.",
)
def left_in_eval(encoder, images, batch_size=500, _right=extract_representations):
    found = _right(encoder, images, batch_size)
    encoder.eval()
    return found


@misconception(
    EXTRACT,
    "always train mode afterwards",
    "The encoder is in train mode afterwards, whatever it was in before. Remember the mode, and put it back.",
)
def left_in_train(encoder, images, batch_size=500, _right=extract_representations):
    found = _right(encoder, images, batch_size)
    encoder.train()
    return found


@misconception(
    EXTRACT,
    "gradients recorded",
    "The representations carry the graph of the whole encoder, for all images. That takes memory, and "
    "nobody uses it.",
)
def with_gradients(encoder, images, batch_size=500, _right=extract_representations):
    import contextlib
    from unittest import mock

    with mock.patch("torch.no_grad", contextlib.nullcontext):
        return _right(encoder, images, batch_size)


@misconception(
    EXTRACT,
    "not normalized",
    "The images are scaled to [0, 1] and not normalized: the encoder was trained on normalized views.",
)
def not_normalized(encoder, images, batch_size=500, _right=extract_representations):
    from unittest import mock

    with mock.patch.dict(globals(), normalize=lambda images: images.permute(0, 3, 1, 2).float() / 255):
        return _right(encoder, images, batch_size)


@misconception(
    EXTRACT,
    "not divided by 255",
    "The encoder gets values up to 255: it was trained on normalized views.",
)
def raw_bytes(encoder, images, batch_size=500, _right=extract_representations):
    from unittest import mock

    with mock.patch.dict(globals(), normalize=lambda images: images.permute(0, 3, 1, 2).float()):
        return _right(encoder, images, batch_size)


@misconception(
    EXTRACT,
    "normalized twice",
    "Mean and standard deviation are taken out twice.",
)
def normalized_twice(encoder, images, batch_size=500, _right=extract_representations):
    from unittest import mock

    def twice(images, _once=normalize):
        mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.247, 0.243, 0.261])
        return (_once(images) - mean.view(3, 1, 1)) / std.view(3, 1, 1)

    with mock.patch.dict(globals(), normalize=twice):
        return _right(encoder, images, batch_size)


@misconception(
    EXTRACT,
    "augmented",
    "The representations are those of random views. At test time an image is normalized and nothing else.",
)
def augmented(encoder, images, batch_size=500, _right=extract_representations):
    from unittest import mock

    from .augmentations import augment

    with mock.patch.dict(globals(), normalize=augment):
        return _right(encoder, images, batch_size)


@misconception(
    EXTRACT,
    "incomplete last batch dropped",
    "The images of an incomplete last batch are missing. Every image needs its row.",
)
def last_batch_dropped(encoder, images, batch_size=500, _right=extract_representations):
    size = min(batch_size, len(images))
    return _right(encoder, images[: len(images) // size * size], batch_size)


@misconception(
    EXTRACT,
    "last batch only",
    "Only the representations of the last batch come back.",
)
def last_batch_only(encoder, images, batch_size=500, _right=extract_representations):
    start = (len(images) - 1) // batch_size * batch_size
    return _right(encoder, images[start:], batch_size)


@misconception(
    EXTRACT,
    "all images at once",
    "Every image goes through the encoder in one pass, whatever batch_size is. A hundred fit into memory, 50,000 do not.",
)
def all_at_once(encoder, images, batch_size=500, _right=extract_representations):
    return _right(encoder, images, len(images))


@misconception(
    EXTRACT,
    "standardized",
    "The representations are standardized with their own mean and standard deviation. They should be what "
    "the encoder returns, else those of two data sets cannot be compared.",
)
def standardized(encoder, images, batch_size=500, _right=extract_representations):
    y = _right(encoder, images, batch_size)
    return (y - y.mean(dim=0)) / (y.std(dim=0) + 1e-6)


@misconception(
    EXTRACT,
    "seed set inside",
    "The seed of torch's global generator is set inside the function: all later draws of the program repeat.",
)
def extract_with_seed(encoder, images, batch_size=500, _right=extract_representations):
    torch.manual_seed(0)
    return _right(encoder, images, batch_size)


@misconception(
    MAP,
    "first two columns",
    "These are the first two columns of the representations. Principal components are the directions of "
    "largest variance.",
)
def first_columns(representations, method="pca", seed=0, _right=project_2d):
    return (
        torch.as_tensor(representations)[:, :2] if method == "pca" else _right(representations, method, seed)
    )


@misconception(
    MAP,
    "not centered",
    "The mean is not taken out: the first direction then mostly points to it.",
)
def not_centered(representations, method="pca", seed=0, _right=project_2d):
    if method != "pca":
        return _right(representations, method, seed)
    u, s, _ = torch.linalg.svd(torch.as_tensor(representations), full_matrices=False)
    return u[:, :2] * s[:2]


@misconception(
    MAP,
    "smallest components",
    "These are the directions of smallest variance. Eigenvalues of a symmetric matrix come in ascending "
    "order.",
)
def smallest_components(representations, method="pca", seed=0, _right=project_2d):
    if method != "pca":
        return _right(representations, method, seed)
    x = torch.as_tensor(representations)
    x = x - x.mean(dim=0)
    return x @ torch.linalg.eigh(x.T @ x)[1][:, :2]


@misconception(
    MAP,
    "perplexity of 30 for few points",
    "t-SNE's perplexity must be smaller than the number of points.",
)
def fixed_perplexity(representations, method="pca", seed=0, _right=project_2d):
    from sklearn.manifold import TSNE

    if method != "tsne":
        return _right(representations, method, seed)
    return TSNE(perplexity=30, random_state=seed).fit_transform(np.asarray(representations))


@misconception(
    MAP,
    "seed not used",
    "t-SNE starts at random, and the argument seed is not used: every call gives another map.",
)
def unseeded(representations, method="pca", seed=0, _right=project_2d):
    from sklearn.manifold import TSNE

    if method != "tsne":
        return _right(representations, method, seed)
    x = np.asarray(representations)
    return TSNE(perplexity=min(30, (len(x) - 1) / 3), init="random").fit_transform(x)


@misconception(
    MAP,
    "global seed set",
    "NumPy's or torch's global seed is set inside the function: all later draws of the program repeat. "
    "Pass the seed on.",
)
def global_seed(representations, method="pca", seed=0, _right=project_2d):
    np.random.seed(seed)
    torch.manual_seed(seed)
    return _right(representations, method, seed)


@misconception(
    MAP,
    "unknown method not refused",
    "Any other method is taken for PCA. A misspelled name should be a ValueError.",
)
def anything_goes(representations, method="pca", seed=0, _right=project_2d):
    return _right(representations, method if method == "tsne" else "pca", seed)


@misconception(
    MAP,
    "PCA instead of t-SNE",
    "The map for \"tsne\" is that of the first two principal components. t-SNE keeps neighbors together, and is not linear.",
)
def linear_tsne(representations, method="pca", seed=0, _right=project_2d):
    return _right(representations, "pca" if method == "tsne" else method, seed)


@misconception(
    PROBE,
    "nearest neighbors instead of a linear layer",
    "The probe asks the nearest training rows. It is to tell what one linear layer can read from the representations.",
)
def neighbors_probe(train_x, train_y, test_x):
    from sklearn.neighbors import KNeighborsClassifier

    probe = KNeighborsClassifier(5).fit(np.asarray(train_x), np.asarray(train_y))
    return torch.as_tensor(probe.predict(np.asarray(test_x)))


@misconception(
    PROBE,
    "a kernel or a hidden layer",
    "The probe bends: it can tell apart what no linear layer can. Then its accuracy tells of the probe rather than of the "
    "representations.",
)
def kernel_probe(train_x, train_y, test_x):
    from sklearn.svm import SVC

    return torch.as_tensor(SVC(C=10).fit(np.asarray(train_x), np.asarray(train_y)).predict(np.asarray(test_x)))


@misconception(
    PROBE,
    "one label for every row",
    "Every row gets the same label, wherever it lies: nothing was learned. Do the weights change in training, and are those "
    "the ones that predict?",
)
def never_steps(train_x, train_y, test_x):
    return torch.full((len(test_x),), int(torch.as_tensor(train_y).min()))


@misconception(
    PROBE,
    "class indices instead of labels",
    "What comes back are the numbers 0, 1, 2, … of the classes, not the labels that they stand for in "
    "train_y.",
)
def indices_returned(train_x, train_y, test_x, _right=linear_probe):
    classes, indices = np.unique(np.asarray(train_y), return_inverse=True)
    return _right(train_x, indices, test_x)


@misconception(
    PROBE,
    "numbered in order of appearance",
    "The classes are numbered as they appear, and translated back as if they were sorted.",
)
def order_of_appearance(train_x, train_y, test_x, _right=linear_probe):
    train_y = np.asarray(train_y)
    appearance = list(dict.fromkeys(train_y.tolist()))
    found = _right(train_x, np.array([appearance.index(each) for each in train_y.tolist()]), test_x)
    return torch.as_tensor(sorted(appearance))[found]


@misconception(
    PROBE,
    "test rows standardized by their own statistics",
    "Test rows are standardized with the mean and standard deviation of the test rows. The same row then "
    "means something else in other company.",
)
def own_statistics(train_x, train_y, test_x, _right=linear_probe):
    train_x, test_x = torch.as_tensor(train_x), torch.as_tensor(test_x)
    test_x = (test_x - test_x.mean(dim=0)) / (test_x.std(dim=0, correction=0) + 1e-6)
    return _right((train_x - train_x.mean(dim=0)) / train_x.std(dim=0), train_y, test_x)


@misconception(
    PROBE,
    "another preprocessing for test rows",
    "Training rows are standardized and test rows are not. Whatever is done to one has to be done to the other.",
)
def only_train_standardized(train_x, train_y, test_x, _right=linear_probe):
    from sklearn.preprocessing import StandardScaler

    return _right(StandardScaler().fit_transform(np.asarray(train_x)), train_y, test_x)


@misconception(
    PROBE,
    "test rows standardized, training rows not",
    "Test rows are standardized with the statistics of the training rows, but the layer was trained on rows that are not.",
)
def only_test_standardized(train_x, train_y, test_x, _right=linear_probe):
    from sklearn.preprocessing import StandardScaler

    return _right(train_x, train_y, StandardScaler().fit(np.asarray(train_x)).transform(np.asarray(test_x)))


@misconception(
    PROBE,
    "standardized together with the test rows",
    "Mean and standard deviation are those of training and test rows together, so the layer that is fitted, and the label of a "
    "test row, depend on which other test rows there are. What may be known when it is fitted?",
)
def standardized_together(train_x, train_y, test_x):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    train_x, train_y, test_x = (np.asarray(each) for each in (train_x, train_y, test_x))
    scaler = StandardScaler().fit(np.concatenate([train_x, test_x]))
    with _one_blas_thread():
        probe = LogisticRegression(max_iter=1000).fit(scaler.transform(train_x), train_y)
        return torch.from_numpy(probe.predict(scaler.transform(test_x)).astype(np.int64))


@misconception(
    PROBE,
    "training rows of length 1, test rows as they are",
    "Training rows are divided by their length and test rows are not. Whatever is done to one has to be done to the other.",
)
def only_train_of_length_one(train_x, train_y, test_x, _right=linear_probe):
    return _right(nn.functional.normalize(torch.as_tensor(train_x)), train_y, test_x)


@misconception(
    PROBE,
    "train and test swapped",
    "The probe is trained on the test rows.",
)
def trained_on_test(train_x, train_y, test_x, _right=linear_probe):
    count = min(len(train_x), len(test_x))
    return _right(torch.as_tensor(test_x)[:count], torch.as_tensor(train_y)[:count], test_x)


@misconception(
    PROBE,
    "trained on the test rows, asked about the training rows",
    "Two arguments are in each other's place: the layer is fitted to the test rows, with the labels of the training rows, "
    "and labels the training rows.",
)
def rows_exchanged(train_x, train_y, test_x, _right=linear_probe):
    return _right(test_x, train_y, train_x)


@misconception(
    PROBE,
    "predictions for the training rows",
    "The predictions are those of training rows. The caller asks about the test rows.",
)
def predicts_train(train_x, train_y, test_x, _right=linear_probe):
    return _right(train_x, train_y, train_x)


@misconception(
    PROBE,
    "softmax before the cross-entropy",
    "cross_entropy applies the softmax itself. With another one before it the gradient is tiny, and the "
    "probe hardly learns.",
)
def softmax_before_loss(train_x, train_y, test_x):
    train_x, test_x = torch.as_tensor(train_x), torch.as_tensor(test_x)
    classes, targets = torch.as_tensor(train_y).unique(return_inverse=True)
    layer = nn.Linear(train_x.shape[1], len(classes))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(layer(train_x).softmax(dim=1), targets).backward()
        optimizer.step()
    return classes[layer(test_x).argmax(dim=1)]


@misconception(
    PROBE,
    "not trained long enough",
    "The loss has hardly begun to fall when the training stops. Plot it.",
)
def one_epoch(train_x, train_y, test_x):
    train_x, test_x = torch.as_tensor(train_x), torch.as_tensor(test_x)
    classes, targets = torch.as_tensor(train_y).unique(return_inverse=True)
    layer = nn.Linear(train_x.shape[1], len(classes))
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
    for _ in range(10):
        optimizer.zero_grad()
        nn.functional.cross_entropy(layer(train_x), targets).backward()
        optimizer.step()
    return classes[layer(test_x).argmax(dim=1)]


@misconception(
    PROBE,
    "regression on the label numbers",
    "The labels are treated as quantities: a class numbered between two others need not lie between them.",
)
def regression(train_x, train_y, test_x):
    train_x, test_x, train_y = (torch.as_tensor(each) for each in (train_x, test_x, train_y))
    classes, targets = train_y.unique(return_inverse=True)
    ones = torch.ones(len(train_x), 1)
    solution = torch.linalg.lstsq(torch.cat([train_x, ones], dim=1), targets[:, None].float()).solution
    found = (test_x @ solution[:-1] + solution[-1]).squeeze(1).round().long()
    return classes[found.clamp(0, len(classes) - 1)]


@misconception(
    PROBE,
    "scores instead of labels",
    "One score for each class comes back. The caller wants the label of the best.",
)
def scores(train_x, train_y, test_x, _right=linear_probe):
    found = _right(train_x, train_y, test_x)
    return nn.functional.one_hot(found).float()


@misconception(
    PROBE,
    "rows changed in place",
    "The rows that were passed in are changed: the caller's arrays are not yours to write into.",
)
def rows_in_place(train_x, train_y, test_x, _right=linear_probe):
    train_x -= train_x.mean(0)
    return _right(train_x, train_y, test_x)


# Task 5.

RETRIEVE = "evaluation.retrieve"


@misconception(
    RETRIEVE,
    "the query retrieves itself",
    "The nearest row of every query is the query itself, at distance 0. It should be left out.",
)
def query_counted(representations, queries, k=5, farthest=False):
    x = torch.as_tensor(representations)
    if not 1 <= k < len(x):
        raise ValueError(f"k = {k} for {len(x)} rows")
    return torch.cdist(x[queries], x).topk(k, largest=farthest).indices


@misconception(
    RETRIEVE,
    "one row short",
    "The query is among the k that are searched, and is then dropped: k − 1 rows are left.",
)
def one_row_short(representations, queries, k=5, farthest=False):
    x = torch.as_tensor(representations)
    if not 1 <= k < len(x):
        raise ValueError(f"k = {k} for {len(x)} rows")
    found = torch.cdist(x[queries], x).argsort(dim=1, descending=farthest)
    return found[:, :k] if farthest else found[:, 1:k]


@misconception(
    RETRIEVE,
    "first column dropped instead of the query",
    "k + 1 rows are searched and the first is dropped. Where another row equals the query, the first "
    "need not be the "
    "query itself.",
)
def first_row_dropped(representations, queries, k=5, farthest=False):
    x = torch.as_tensor(representations)
    if not 1 <= k < len(x):
        raise ValueError(f"k = {k} for {len(x)} rows")
    found = torch.cdist(x[queries], x).argsort(dim=1, stable=True)
    return found[:, 1:].flip(1)[:, :k] if farthest else found[:, 1 : k + 1]


@misconception(
    RETRIEVE,
    "nearest and farthest swapped",
    "farthest=False gives the farthest rows, and farthest=True the nearest. Large distances are far.",
)
def nearest_for_farthest(representations, queries, k=5, farthest=False, _right=retrieve):
    return _right(representations, queries, k, not farthest)


@misconception(
    RETRIEVE,
    "farthest ignored",
    "The nearest rows come back also for farthest=True.",
)
def farthest_ignored(representations, queries, k=5, farthest=False, _right=retrieve):
    return _right(representations, queries, k)


@misconception(
    RETRIEVE,
    "nearest last",
    "The nearest rows are there, but the nearest of them comes last.",
)
def nearest_last(representations, queries, k=5, farthest=False, _right=retrieve):
    return _right(representations, queries, k, farthest).flip(1)


@misconception(
    RETRIEVE,
    "the farthest among the k nearest",
    "Distances are computed for the nearest rows alone, so the farthest of these are still near.",
)
def farthest_of_few(representations, queries, k=5, farthest=False, _right=retrieve):
    x = torch.as_tensor(representations)
    few = _right(x, queries, min(2 * k, len(x) - 1))
    return few.flip(1)[:, :k] if farthest else few[:, :k]


@misconception(
    RETRIEVE,
    "cosine instead of ℓ2",
    "The rows are scaled to length 1 first: this ranks by angle. Two rows in the same direction can be "
    "far apart.",
)
def retrieve_by_angle(representations, queries, k=5, farthest=False, _right=retrieve):
    x = torch.as_tensor(representations)
    return _right(x / x.norm(dim=1, keepdim=True).clamp(min=1e-12), queries, k, farthest)


@misconception(
    RETRIEVE,
    "dot product instead of ℓ2",
    "Rows are ranked by their dot product with the query. That prefers long rows in the query's direction, however far "
    "away they are.",
)
def retrieve_by_product(representations, queries, k=5, farthest=False):
    x = torch.as_tensor(representations)
    if not 1 <= k < len(x):
        raise ValueError(f"k = {k} for {len(x)} rows")
    products = x[queries] @ x.T
    products[torch.arange(len(queries)), queries] = torch.inf if farthest else -torch.inf
    return products.topk(k, largest=not farthest).indices


@misconception(
    RETRIEVE,
    "ℓ1 instead of ℓ2",
    "The absolute differences are added up. ℓ2 is the square root of the sum of squares.",
)
def retrieve_manhattan(representations, queries, k=5, farthest=False):
    x = torch.as_tensor(representations)
    if not 1 <= k < len(x):
        raise ValueError(f"k = {k} for {len(x)} rows")
    distances = torch.cdist(x[queries], x, p=1)
    distances[torch.arange(len(queries)), queries] = -torch.inf if farthest else torch.inf
    return distances.topk(k, largest=farthest).indices


@misconception(
    RETRIEVE,
    "the first rows as queries",
    "The rows 0, 1, 2, … are taken as queries, however many there are. `queries` says which rows they are.",
)
def first_rows(representations, queries, k=5, farthest=False, _right=retrieve):
    return _right(representations, torch.arange(len(queries)), k, farthest)


@misconception(
    RETRIEVE,
    "positions among the others",
    "The query's row is taken out before the search, and the indices then count the rows that are left: "
    "those behind "
    "the query are off by one.",
)
def shifted_indices(representations, queries, k=5, farthest=False, _right=retrieve):
    found, queries = _right(representations, queries, k, farthest), torch.as_tensor(queries)
    return found - (found > queries[:, None]).long()


@misconception(
    RETRIEVE,
    "queries left out of each other's lists",
    "All queries are taken out of the rows that are searched. Only the query itself should be missing "
    "from its own list.",
)
def other_queries_hidden(representations, queries, k=5, farthest=False):
    x = torch.as_tensor(representations)
    if not 1 <= k < len(x):
        raise ValueError(f"k = {k} for {len(x)} rows")
    distances = torch.cdist(x[queries], x)
    distances[:, queries] = -torch.inf if farthest else torch.inf
    return distances.topk(k, largest=farthest).indices


@misconception(
    RETRIEVE,
    "k not used",
    "Five rows come back, whatever k is. Where does k enter your code?",
)
def always_five(representations, queries, k=5, farthest=False, _right=retrieve):
    return _right(representations, queries, 5, farthest)


@misconception(
    RETRIEVE,
    "k not checked",
    "Nothing looks at k. A query has one row less than there are to find: any k beyond that, and one below 1, is a "
    "ValueError.",
)
def retrieve_unchecked(representations, queries, k=5, farthest=False):
    x = torch.as_tensor(representations)
    distances = torch.cdist(x[queries], x)
    distances[torch.arange(len(queries)), queries] = -torch.inf if farthest else torch.inf
    return distances.argsort(dim=1, descending=farthest)[:, :k]


@misconception(
    RETRIEVE,
    "indices within a batch",
    "The rows are searched in batches, and the indices count rows of the batch instead of rows of the "
    "whole set.",
)
def within_batches(representations, queries, k=5, farthest=False, _right=retrieve):
    return _right(representations, queries, k, farthest) % 256


@misconception(
    RETRIEVE,
    "order lost",
    "The representations are shuffled before the search (a loader may do it silently), so the indices "
    "name other rows.",
)
def retrieve_shuffled(representations, queries, k=5, farthest=False, _right=retrieve):
    x = torch.as_tensor(representations)
    return _right(x[torch.randperm(len(x))], queries, k, farthest)


@misconception(
    RETRIEVE,
    "rows changed in place",
    "The rows that were passed in are changed: the caller's arrays are not yours to write into.",
)
def retrieve_in_place(representations, queries, k=5, farthest=False, _right=retrieve):
    found = _right(representations, queries, k, farthest)
    representations[queries] = np.inf
    return found


# What tells these mistakes apart. Solvers, signs and scales, random starts and the order of equal rows are free.

ATOL = 1e-3  # float32 leaves 1e-6; rows of other images are off by 1e-2 or more


def _as_tensor(value):
    """A number array as a tensor; everything else by its type."""
    return torch.as_tensor(value) if isinstance(value, torch.Tensor | np.ndarray) else type(value).__name__


# Representations

NETWORK = {"features": 3, "dim": 4, "seed": 1, "batch_norm": True}
IMAGES = torch.randint(0, 256, (7, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
IMAGES = (IMAGES * torch.linspace(0.3, 1, 7).view(7, 1, 1, 1)).to(torch.uint8)  # of different brightness
MEAN, STD = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.247, 0.243, 0.261])


@observer(EXTRACT)
def observe_extraction(student):
    equal = attempt(_extract, student, IMAGES[:1].repeat(4, 1, 1, 1), True)
    drawn = isinstance(equal, dict) and _spread(equal["representations"]) > ATOL
    # Not 7 in batches in train mode: the last one is a single image.
    runs = {"at once": (True, None), "in batches": (False, 3)}
    return {"drawn": drawn} | {name: attempt(_extracted, student, drawn, *run) for name, run in runs.items()}


def _extract(student, images, training: bool, batch_size: int | None = None) -> dict:
    return student.run("extract", images, NETWORK, training, batch_size)


def _spread(rows) -> float:
    rows = _as_tensor(rows)
    return 0.0 if isinstance(rows, str) or not len(rows) else float((rows - rows[:1]).abs().max())


def _extracted(student, drawn: bool, training: bool, batch_size: int | None) -> dict:
    came = _extract(student, IMAGES, training, batch_size)
    most = came["most_at_once"]
    return {
        "rows": "drawn" if drawn else _rows(student, _as_tensor(came["representations"])),
        "mode kept": came["modes"] == [training],
        "unchanged": all(map(torch.equal, came["before"], came["after"])),
        "gradients": came["attached"],
        "larger batches": most > (batch_size or 500) and ("all at once" if most >= len(IMAGES) else most),
        "trainable": came["trainable"],
        "seed set": came["reseeded"],
    }


def _rows(student, found):
    """Which images the rows are of, and in which way; the rows, where they are of none."""
    if isinstance(found, str) or found.dim() != 2:
        return found
    if found.shape[1] != NETWORK["features"]:
        return "another width" if len(found) == len(IMAGES) else list(found.shape)
    for name, expected in _representations(student):
        near = (found[:, None] - expected).abs().amax(dim=2) < ATOL  # (rows, images)
        if near.any(dim=1).all():
            which = near.long().argmax(dim=1).tolist()
            return [name, sorted(which), "in order" if which == sorted(which) else "in another order"]
    return found


def _representations(student):
    """Ways to represent the images, by name. The submission's own `normalize` is judged elsewhere."""
    scaled = (IMAGES.double() / 255).permute(0, 3, 1, 2).float()
    mean, std = MEAN.view(3, 1, 1), STD.view(3, 1, 1)
    encoder, _ = networks.pair(**NETWORK)
    with torch.no_grad():
        right = encoder.eval()((scaled - mean) / std)
        yield "right", right
        own = _as_tensor(student.warmup.normalize(IMAGES))
        if not isinstance(own, str) and own.shape == scaled.shape:
            yield "right", encoder(own.float())
        yield "not normalized", encoder(scaled)
        yield "not divided", encoder(255 * scaled)
        yield "normalized twice", encoder(((scaled - mean) / std - mean) / std)
        for correction in (0, 1):
            yield "standardized", (right - right.mean(dim=0)) / right.std(dim=0, correction=correction)
        yield "train mode", encoder.train()((scaled - mean) / std)


# Maps


@observer(MAP)
def observe_map(student):
    few = torch.tensor([[0.0, 1.0, 2.0], [4.0, 0.5, 1.0], [-3.0, 2.0, 0.0], [1.0, -5.0, 3.0], [2.0, 2.5, -1.0]])
    runs = {method: attempt(student.run, "project", few, method, 3) for method in ("pca", "tsne")}
    done = [each for each in runs.values() if isinstance(each, dict)]
    return {
        "components": attempt(_components, student),
        "another method": _outcome(attempt(student.evaluation.project_2d, few, method="mds")),
        "raised": {method: came for method, came in runs.items() if not isinstance(came, dict)},
        "repeated": all(_agree(*each["maps"]) for each in done),
        "generators left alone": all(each["generators_left_alone"] for each in done),
        "linear t-SNE": attempt(_tsne_is_pca, student),
        "t-SNE of 100 rows": _outcome(attempt(student.evaluation.project_2d, torch.eye(100), method="tsne")),
    }


def _tsne_is_pca(student) -> bool:
    x = torch.randn(24, 5, generator=torch.Generator().manual_seed(3)) * torch.tensor([5.0, 3.0, 1.0, 0.5, 0.2])
    points = _as_tensor(student.evaluation.project_2d(x, method="tsne"))
    x = x - x.mean(dim=0)
    return all(_correlation(column, each) > 0.999 for column, each in zip(points.T, _directions(x)))


def _outcome(value):
    return "a value" if isinstance(value, torch.Tensor | np.ndarray) else value


def _agree(first, again) -> bool:
    first, again = _as_tensor(first), _as_tensor(again)
    if isinstance(first, str) or isinstance(again, str) or first.shape != again.shape:
        return False
    return torch.allclose(first, again, rtol=ATOL, atol=ATOL)


def _components(student) -> list[str]:
    """What the two columns of a map by PCA are, up to sign, scale and shift."""
    generator = torch.Generator().manual_seed(2)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=generator))[0]
    stretched = torch.randn(30, 4, generator=generator) * torch.tensor([5.0, 2.0, 0.5, 0.2])
    x = stretched @ turn + torch.tensor([3.0, -1.0, 2.0, 5.0])
    found = _as_tensor(student.evaluation.project_2d(x, method="pca"))
    if isinstance(found, str) or found.shape != (30, 2):
        return ["other shapes"]
    options = {f"component {i + 1}": each for i, each in enumerate(_directions(x - x.mean(dim=0)))}
    options |= {f"not centered {i + 1}": each for i, each in enumerate(_directions(x))}
    options |= {f"column {i + 1}": each for i, each in enumerate(x.T)}
    names = []
    for column in found.T:
        names.append(next((name for name, each in options.items() if _correlation(column, each) > 0.999), "other"))
    return sorted(names) if set(names) == {"component 3", "component 4"} else names  # the smallest in either order


def _directions(x: torch.Tensor) -> torch.Tensor:
    """What the rows are along the singular vectors, one vector each."""
    return torch.linalg.svd(x, full_matrices=False)[2] @ x.T


def _correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1].abs())


# The probe

CENTERS = torch.tensor([[2.0, 0.0, 0.0], [-2.0, 1.0, 0.0], [0.0, -2.0, 1.5], [0.0, 2.0, -1.5]])
WIDE = CENTERS.repeat(1, 400)  # the same in many dimensions: a few small steps will do there
LABELS = torch.tensor([3, 7, 19, 40])
TRAIN = torch.tensor([2, 0, 3, 1]).repeat(10)  # the clusters of the training rows; sorted would be another order
TEST = torch.tensor([1, 2, 3, 0])[TRAIN]  # test row i is never of the cluster of training row i, nor the other way round
FAR = (torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) + 1.5).repeat(1, 20)  # mean 1.5, deviation 1
PREPARED = {
    "as they are": lambda x: x,
    "standardized": lambda x: x - 1.5,
    "standardized, undone": lambda x: x + 1.5,
    "of length 1": torch.nn.functional.normalize,
}


@observer(PROBE)
def observe_probe(student):
    probe = student.evaluation.linear_probe
    labels = attempt(_predicted, probe, CENTERS, TEST)
    facts = {"labels": labels, "as many as training rows": attempt(_as_many_as_training_rows, probe) is True}
    if labels == "one label for all":
        facts["far rows"] = attempt(_labels_far_away, probe)
    if labels == "right":
        facts["one cluster alone"] = attempt(_one_cluster_alone, probe)
        facts["far rows beside"] = attempt(_beside_far_rows, probe)
        facts["right for test rows"] = attempt(_preparations, probe)
        facts["bends"] = attempt(_bends, probe)
    elif _depends_on_the_start(probe, labels) and attempt(_predicted, probe, WIDE, TEST[:12]) == "right":
        facts["labels"] = "drawn, but right in many dimensions"
    else:
        return facts
    facts["many classes"] = attempt(_learns_many_classes, probe)
    if labels == "right" and not facts["many classes"]:
        # Scores in the thousands: after a softmax no gradient is left, and each start stays what it was.
        large = [attempt(_predicted, probe, 1e4 * CENTERS, TEST) for _ in range(3)]
        facts["large numbers"] = "right" in large
    return facts


def _around(centers: torch.Tensor, clusters: torch.Tensor, spread: float, seed: int) -> torch.Tensor:
    noise = torch.randn(len(clusters), centers.shape[1], generator=torch.Generator().manual_seed(seed))
    return centers[clusters] + spread * noise


def _predicted(probe, centers: torch.Tensor, clusters: torch.Tensor):
    """Which label test rows of these clusters get; the clusters are ten spreads apart."""
    spread = 0.1 * float(centers.abs().max())
    found = _as_tensor(probe(_around(centers, TRAIN, spread, 3), LABELS[TRAIN], _around(centers, clusters, spread, 4)))
    if isinstance(found, str) or found.shape != clusters.shape:
        return found if isinstance(found, str) else "scores" if found.dim() == 2 else list(found.shape)
    if torch.equal(found.long(), LABELS[clusters]):
        return "right"
    if len(found.unique()) == 1:
        return "one label for all"
    return [found[clusters == each].unique().tolist() for each in range(len(LABELS))]


def _preparations(probe) -> list[str]:
    """What has to be done to test rows, far from the origin, for their labels to be right. Where nothing has to, more may do."""
    train_x, test_x = _around(FAR, TRAIN, 0.1, 3), _around(FAR, TEST, 0.1, 4)
    found = {name: _as_tensor(probe(train_x, LABELS[TRAIN], prepare(test_x))) for name, prepare in PREPARED.items()}
    right = [name for name, labels in found.items() if agree(labels, LABELS[TEST])]
    return right[:1] if "as they are" in right else right


def _depends_on_the_start(probe, labels) -> bool:
    """Whether other calls, with other seeds, give other labels."""
    return any(attempt(_predicted, probe, CENTERS, TEST) != labels for _ in range(2))


def _one_cluster_alone(probe) -> str:
    """Scaled by their own statistics, the rows of one cluster lie all around."""
    found = [_predicted(probe, CENTERS, TEST[TEST == each]) for each in (0, 2)]
    if found == ["right", "right"]:
        return "right"
    lists = [each for each in found if isinstance(each, list) and isinstance(each[0], list)]  # else a shape, say
    scattered = [len({label for one in each for label in one}) > 2 for each in lists]
    return "scattered" if len(lists) == 2 and all(scattered) else "wrong"


def _beside_far_rows(probe) -> str:
    """Scaled by rows far away, those near are too small for anything but the largest class to be learned."""
    train, test = torch.tensor([0, 1, 0, 2, 0, 3]).repeat(10), torch.arange(4).repeat(5)
    far = 1e4 * torch.randn(20, 60, generator=torch.Generator().manual_seed(7))
    rows = torch.cat([_around(FAR, test, 0.1, 4), far])
    found = _as_tensor(probe(_around(FAR, train, 0.1, 3), LABELS[train], rows))
    return found if isinstance(found, str) else "right" if agree(found[:20], LABELS[test]) else "wrong"


def _labels_far_away(probe) -> str:
    """Rows that are scaled otherwise than those trained on have other labels far out; where nothing was learned, never."""
    far = 1e4 * torch.randn(200, 3, generator=torch.Generator().manual_seed(7))
    found = _as_tensor(probe(_around(CENTERS, TRAIN, 0.2, 3), LABELS[TRAIN], far))
    return found if isinstance(found, str) else "several labels" if len(found.unique()) > 1 else "one label"


def _bends(probe) -> list:
    """What share of four corners of a square is right, diagonal by diagonal: of ten rows each, and of two, as neighbors see them."""
    corners, found = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]), []
    for count in (10, 2):
        rows = torch.arange(4).repeat(count)
        y = torch.where(rows < 2, 3, 8)
        labels = _as_tensor(probe(_around(corners, rows, 0.02, 8), y, _around(corners, rows, 0.02, 9)))
        right = labels if isinstance(labels, str) else float((labels == y).double().mean())
        found.append("linear" if isinstance(right, float) and 0.1 < right < 0.9 else right)
    return found


def _as_many_as_training_rows(probe) -> bool:
    x = _around(CENTERS, TRAIN, 0.2, 5)
    return len(_as_tensor(probe(x, LABELS[TRAIN], x[:12]))) == len(TRAIN)


def _learns_many_classes(probe) -> bool:
    """The right variants reach .9 here, a softmax too many .4."""
    generator = torch.Generator().manual_seed(6)
    centers, y = torch.randn(20, 16, generator=generator), torch.randint(0, 20, (1000,), generator=generator)
    x = _around(centers, y, 1.0, 7)
    found = _as_tensor(probe(x[:800], y[:800], x[800:]))
    return not isinstance(found, str) and found.shape == (200,) and bool((found == y[800:]).double().mean() > 0.55)


# Retrieval

ROWS = torch.randn(10, 3, generator=torch.Generator().manual_seed(8)) * torch.linspace(0.5, 4, 10)[:, None] + 1.5
QUERIES = torch.tensor([4, 0, 5])


@observer(RETRIEVE)
def observe_retrieval(student):
    find = student.evaluation.retrieve
    nearest, again = (attempt(_found, find, ROWS, QUERIES, k=3) for _ in range(2))
    if not isinstance(nearest, torch.Tensor) or not isinstance(again, torch.Tensor):
        return {"nearest": nearest}
    if not torch.equal(nearest, again):
        return {"nearest": "drawn"}
    facts = {
        "nearest": nearest,
        "farthest, in any order": attempt(_sorted_rows, find, ROWS, QUERIES, k=2, farthest=True),
        "by default": attempt(_found, find, ROWS, torch.tensor([1, 3])),
    }
    if torch.equal(nearest.long(), _other_rows(ROWS, QUERIES, 3)):  # else what comes depends on how ties are broken
        facts["own among equal rows"] = attempt(_own_among_equal_rows, find)
        facts["of many"] = attempt(_among_many, find)
    if _is_right(facts):  # else there is enough to say
        facts["k checked"] = [refused(find, ROWS, QUERIES, k=k) == "ValueError" for k in (0, len(ROWS))]
    return facts


def _is_right(facts: dict) -> bool:
    far = _other_rows(ROWS, QUERIES, 2, farthest=True).sort(dim=1).values
    by_default = _other_rows(ROWS, torch.tensor([1, 3]), 5)
    among_many = facts.get("own among equal rows") == [False, False] and facts["of many"] == "right"
    return among_many and agree(facts["farthest, in any order"], far) and agree(facts["by default"], by_default)


def _other_rows(x: torch.Tensor, queries: torch.Tensor, k: int, farthest: bool = False) -> torch.Tensor:
    """The right answer, where no distances are equal."""
    distances = torch.cdist(x[queries], x)
    distances[torch.arange(len(queries)), queries] = -torch.inf if farthest else torch.inf
    return distances.topk(k, largest=farthest).indices


def _found(find, *args, **options):
    return _as_tensor(find(*args, **options))


def _sorted_rows(find, *args, **options):
    found = _found(find, *args, **options)
    return found if isinstance(found, str) else found.sort(dim=-1).values


def _own_among_equal_rows(find) -> list[bool]:
    """Whether a query is in its own list, though rows 0, 10 and 11 are equal; near and far."""
    queries = torch.tensor([0, 10, 11])
    x = torch.cat([ROWS, ROWS[:1], ROWS[:1]])
    lists = [_found(find, rows, queries, k=4, farthest=far) for rows, far in ((x, False), (x[:1].repeat(12, 1), True))]
    return [bool((each == queries[:, None]).any()) for each in lists]


def _among_many(find):
    """1200 numbers: the indices, or how they count if they begin anew every so many rows."""
    x = (torch.arange(1200) ** 2 % 1201).double()[:, None]
    x = x + torch.linspace(0, 0.4, 1200).double()[:, None]
    queries = torch.arange(7, 1200, 131)
    right, found = _other_rows(x, queries, 1)[:, 0], _found(find, x, queries, k=1)
    if isinstance(found, str) or found.shape != (len(queries), 1):
        return found
    if torch.equal(found[:, 0].long(), right):
        return "right"
    anew = any(torch.equal(found[:, 0].long(), right % size) for size in range(2, 1200))
    return "begin anew" if anew else found


# Combinations. Not for maps and the probe, which take too long to try them all.


@alteration(EXTRACT, "eval mode never undone")
def with_eval_mode_left(version):
    def extract_representations(encoder, *args, **options):
        found = version(encoder, *args, **options)
        encoder.eval()
        return found

    return extract_representations


@alteration(EXTRACT, "always train mode afterwards")
def with_train_mode_set(version):
    def extract_representations(encoder, *args, **options):
        found = version(encoder, *args, **options)
        encoder.train()
        return found

    return extract_representations


@alteration(EXTRACT, "standardized")
def then_standardized(version):
    def extract_representations(*args, **options):
        y = version(*args, **options)
        return (y - y.mean(dim=0)) / (y.std(dim=0) + 1e-6)

    return extract_representations


@alteration(EXTRACT, "seed set inside")
def with_a_seed(version):
    def extract_representations(*args, **options):
        torch.manual_seed(0)
        return version(*args, **options)

    return extract_representations


@alteration(EXTRACT, "gradients recorded")
def without_no_grad(version):
    import contextlib
    from unittest import mock

    def extract_representations(*args, **options):
        with mock.patch("torch.no_grad", contextlib.nullcontext):
            return version(*args, **options)

    return extract_representations


@alteration(RETRIEVE, "farthest ignored")
def with_the_nearest_always(version):
    return lambda representations, queries, k=5, farthest=False: version(representations, queries, k)


@alteration(RETRIEVE, "nearest last")
def in_reversed_order(version):
    return lambda *args, **options: version(*args, **options).flip(1)


@alteration(RETRIEVE, "cosine instead of ℓ2")
def of_scaled_rows(version):
    def retrieve(representations, *args, **options):
        x = torch.as_tensor(representations)
        return version(x / x.norm(dim=1, keepdim=True).clamp(min=1e-12), *args, **options)

    return retrieve


@alteration(RETRIEVE, "the first rows as queries")
def of_the_first_rows(version):
    def retrieve(representations, queries, *args, **options):
        return version(representations, torch.arange(len(queries)), *args, **options)

    return retrieve


@alteration(RETRIEVE, "k not used")
def with_five_always(version):
    return lambda representations, queries, k=5, farthest=False: version(representations, queries, 5, farthest)
