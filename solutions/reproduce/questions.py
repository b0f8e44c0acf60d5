"""The questions of the exercise, one function each: numbers for every seed, figures for the first.

A question that the budget is too small for says why, and shows neither numbers nor noise.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.model_selection import train_test_split

from assignment.provided import plots
from assignment.provided.datasets import CIFAR_MEAN, CIFAR_STD

from ..anomaly import inverse_density, most_anomalous, roc
from ..augmentations import augment
from ..clustering import kmeans, project_with_centers, silhouette
from ..evaluation import project_2d, retrieve
from ..laplacian import laplacian_eigenmaps, random_features
from ..latent_optimization import optimize_latents
from ..vicreg import vicreg_loss
from .run import NO_GENERATED, NO_VARIANCE, ONE_EPOCH, SAME_IMAGES, UNTRAINED, VICREG, Run, steps_of

MIN_STEPS = 100  # of a training: fewer teach a network next to nothing
MIN_EPOCH_STEPS = 100  # of the single epoch of Q6, for the same reason
MIN_TEST_IMAGES = 50  # with 50, an accuracy of .5 has a standard deviation of .07
MAP_POINTS = 1000  # images in a map: t-SNE of as many takes seconds
RAW_ROWS = 2048  # training images of the probe on raw pixels: 3,072 features a row make it slow
QUERIES = 500  # of the retrieval's precision; the figure shows one a class
SHOWN = 5  # nearest and farthest images of a query
ANOMALOUS = 7
EIGENMAPS, FEATURES, RAW = "Laplacian eigenmaps", "random features", "raw pixels"
PROBE, PRECISION, FAR = "probe accuracy: ", "precision of the 5 nearest: ", "precision of the 5 farthest: "


@dataclass
class Answer:
    """What one seed gave: numbers by name, figures by name; or why there is nothing to show."""

    numbers: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    too_small: str = ""


@dataclass(frozen=True)
class Question:
    """A question's title, what answers it, and the bars that are drawn of its numbers over all seeds."""

    title: str
    answer: Callable[[Run, bool], Answer]  # (run, whether figures are wanted)
    bars: tuple[str, str, str] | None = None  # name of the figure, what all its numbers begin with, axis


def little_training(run: Run) -> str:
    """Why no question can be answered, all of which look at a trained network; empty if they can."""
    steps = run.preset.budget.epochs * steps_of(run.preset.budget, len(run.images))
    if steps >= MIN_STEPS:
        return ""
    return f"{steps} training steps teach the network next to nothing: {MIN_STEPS} are needed, by more epochs or images"


# ---- Q1 to Q4: VICReg, and without the variance term -------------------------------------------------------


def training_curves(run: Run, draw: bool) -> Answer:
    """Q1. The terms of the loss."""
    history = run.history(VICREG)
    terms = ("total", "invariance", "variance", "covariance")
    numbers = {f"test loss: {term} (last epoch)": getattr(history["test"][-1], term) for term in terms}
    figures = {}
    if draw:
        with run.seeded():
            figures["views"] = views_figure(run)
        figures["loss"] = plots.loss_curves(history)
        figures |= {f"loss_{term}": plots.loss_curve(history, term) for term in terms[1:]}
    return Answer(numbers, figures)


def views_figure(run: Run, rows: int = 4, views: int = 9) -> Figure:
    """Training images, each beside random views of it: what the network is told to call the same."""
    images = run.images[:rows].cpu()  # (rows, 32, 32, 3)
    normalized = torch.stack([augment(images) for _ in range(views)], dim=1)  # (rows, views, 3, 32, 32)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (CIFAR_MEAN, CIFAR_STD))
    pixels = (normalized * std + mean).clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 1, 3, 4, 2)
    names = [run.data.class_names[label] for label in run.data.y_train[:rows]]
    return plots.image_grid(torch.cat([images[:, None], pixels], dim=1).numpy(), names)


def maps(run: Run, draw: bool) -> Answer:
    """Q2. PCA and t-SNE of test representations."""
    return mapped(run, VICREG, "maps", {"PCA": "pca", "t-SNE": "tsne"}) if draw else Answer()


def mapped(run: Run, method: str, name: str, methods: dict[str, str]) -> Answer:
    """Maps of test representations, under one legend."""
    if len(run.data.x_test) < MIN_TEST_IMAGES:
        found = f"a map of {len(run.data.x_test)} test images shows no structure"
        return Answer(too_small=f"{found}: {MIN_TEST_IMAGES} are needed")
    some, labels = run.representations(method, "test")[:MAP_POINTS], run.data.y_test[:MAP_POINTS]
    drawn = {}
    for title, how in methods.items():
        with run.clock.step(f"maps of {len(some):,} test images"):
            drawn[title] = project_2d(some, how, run.seed)
    return Answer(figures={name: plots.scatter_grid(drawn, labels, run.data.class_names)})


def probes(run: Run, draw: bool) -> Answer:
    """Q3. The linear probe, beside what it makes of features that nobody trained."""
    if reason := few_labels(run):
        return Answer(too_small=reason)
    return Answer(
        {
            PROBE + VICREG: probe(run, VICREG),
            PROBE + UNTRAINED: probe(run, UNTRAINED),
            PROBE + RAW: raw_probe(run),
        }
    )


def few_labels(run: Run) -> str:
    counts = np.bincount(run.data.y_train, minlength=len(run.data.class_names))
    if counts.min() >= 5 and len(run.data.y_test) >= MIN_TEST_IMAGES:
        return ""
    needed = f"5 training images of each class and {MIN_TEST_IMAGES} test images"
    return f"a probe needs {needed}, or it measures chance"


def probe(run: Run, method: str) -> float:
    """Test accuracy of a linear layer on the representations of a method."""

    def fit() -> float:
        train, test = (run.representations(method, split) for split in ("train", "test"))
        with run.clock.step("linear probes"):
            return accuracy(run.classify(train, run.data.y_train, test), run.data.y_test)

    return run.once("probe", method, make=fit)


def raw_probe(run: Run) -> float:
    with run.clock.step(f"linear probe: {RAW}"):
        train, test = (
            torch.from_numpy(x).flatten(1) / 255 for x in (run.data.x_train[:RAW_ROWS], run.data.x_test)
        )
        return accuracy(run.classify(train, run.data.y_train[:RAW_ROWS], test), run.data.y_test)


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(predicted == labels))


def no_variance(run: Run, draw: bool) -> Answer:
    """Q4. The same map and probe for a training without the variance term."""
    if reason := few_labels(run):
        return Answer(too_small=reason)
    answer = mapped(run, NO_VARIANCE, "maps_no_variance", {"PCA": "pca"}) if draw else Answer()
    numbers = {PROBE + name: probe(run, name) for name in (VICREG, NO_VARIANCE, UNTRAINED)}
    return Answer(numbers, answer.figures, answer.too_small)


# ---- Q6 to Q8: mined neighbors, eigenmaps, retrieval -------------------------------------------------------


def no_generated_neighbors(run: Run, draw: bool) -> Answer:
    """Q6. Training on mined neighbors instead of augmented views."""
    if reason := few_labels(run):
        return Answer(too_small=reason)
    same = run.data.y_train[run.mined.numpy()] == run.data.y_train[:, None]
    numbers = {"pairs of mined neighbors of the same class": float(same.mean())}
    names = {VICREG: VICREG, NO_GENERATED: f"{NO_GENERATED}, same epochs", UNTRAINED: UNTRAINED}
    steps = steps_of(run.preset.budget, len(run.images))
    if steps < MIN_EPOCH_STEPS:
        note = (
            f"one epoch is {steps} steps on these images, too few to learn from: only “same epochs” is shown"
        )
    else:
        note, names = "", names | {ONE_EPOCH: ONE_EPOCH}
    return Answer(numbers | {PROBE + told: probe(run, name) for name, told in names.items()}, {}, note)


def eigenmaps(run: Run, draw: bool) -> Answer:
    """Q7. Laplacian eigenmaps, probed beside what they were made from and beside VICReg."""
    n = manifold_size(run)
    if n < 10 * run.preset.components:
        return Answer(
            too_small=f"{n} images do not carry {run.preset.components} eigenmaps: 10 images for each are needed"
        )
    labels = run.data.y_train[:n]
    if reason := few_to_split(labels):
        return Answer(too_small=reason)
    codes = {EIGENMAPS: eigenmap_codes(run), FEATURES: untrained_features(run)}
    codes[SAME_IMAGES] = run.representations(SAME_IMAGES, "train")[:n]
    numbers = {PROBE + name: split_probe(run, code, labels) for name, code in codes.items()}
    if not draw:
        return Answer(numbers)
    with run.clock.step(f"maps of {min(n, MAP_POINTS):,} codes"):
        points = project_2d(codes[EIGENMAPS][:MAP_POINTS], "tsne", run.seed)
    figure = plots.scatter_2d(
        points, labels[:MAP_POINTS], run.data.class_names, "t-SNE of Laplacian eigenmaps"
    )
    return Answer(numbers, {"eigenmaps": figure})


def manifold_size(run: Run) -> int:
    return min(run.preset.manifold_images, len(run.data.x_train))


def untrained_features(run: Run) -> torch.Tensor:
    """Features of an untrained linear CNN, (n, 1024)."""

    def compute() -> torch.Tensor:
        with run.clock.step("random features"):
            return torch.as_tensor(random_features(run.images[: manifold_size(run)], seed=run.seed)).cpu()

    return run.once("random features", make=compute)


def eigenmap_codes(run: Run) -> torch.Tensor:
    """(n, components), scaled to unit variance: eigenvectors are of norm 1, whatever n."""
    return run.once("eigenmaps", make=lambda: compute_eigenmaps(run))


def compute_eigenmaps(run: Run) -> torch.Tensor:
    features = untrained_features(run)
    with run.clock.step(f"Laplacian eigenmaps of {len(features):,} images"):
        codes = laplacian_eigenmaps(
            features.to(run.device), run.preset.components, run.preset.graph_neighbors
        )
    codes = torch.as_tensor(codes).float().cpu()
    return codes / codes.std(dim=0)


def few_to_split(labels: np.ndarray) -> str:
    """Why `split_probe` cannot be had; empty if it can."""
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    enough = len(counts) > 1 and counts.min() > 1 and len(labels) >= 10 * len(counts)
    return "" if enough else "each class needs images among the 90 % that a probe learns and the 10 % it is tested on"


def split_probe(run: Run, codes: torch.Tensor, labels: np.ndarray) -> float:
    """A probe on 90 % of the codes, tested on the other 10 %, stratified: for codes of the training images alone."""
    rows = np.arange(len(codes))
    train, test = train_test_split(rows, test_size=0.1, stratify=labels, random_state=run.seed)
    with run.clock.step("linear probes"):
        return accuracy(run.classify(codes[train], labels[train], codes[test]), labels[test])


def retrieval(run: Run, draw: bool) -> Answer:
    """Q8. The nearest and the farthest images, by method, for the same queries."""
    n, labels = manifold_size(run), run.data.y_train
    if n < max(100, 10 * run.preset.components):
        return Answer(
            too_small=f"among {n} images nearest and farthest mean little, and there are no eigenmaps"
        )
    codes = {name: run.representations(name, "train")[:n] for name in (VICREG, NO_GENERATED)}
    codes[EIGENMAPS] = eigenmap_codes(run)
    rng = np.random.default_rng(run.seed)
    queries = rng.choice(n, min(QUERIES, n), replace=False)
    shown = np.array([rng.choice(np.flatnonzero(labels[:n] == label)) for label in np.unique(labels[:n])])
    numbers, figures = {}, {}
    for name, code in codes.items():
        with run.clock.step("retrieval"):
            near, far = (np.asarray(retrieve(code, queries, SHOWN, farthest)) for farthest in (False, True))
        numbers[PRECISION + name] = float((labels[near] == labels[queries, None]).mean())
        numbers[FAR + name] = float((labels[far] == labels[queries, None]).mean())
        if draw:
            figures[f"retrieval_{slug(name)}"] = retrieval_figure(run, code, shown)
    return Answer(numbers, figures)


def retrieval_figure(run: Run, code: torch.Tensor, queries: np.ndarray) -> Figure:
    near, far = (np.asarray(retrieve(code, queries, SHOWN, farthest)) for farthest in (False, True))
    images, labels = run.data.x_train, run.data.y_train
    names = [run.data.class_names[label] for label in labels[queries]]
    hits = labels[near] == labels[queries, None], labels[far] == labels[queries, None]
    return plots.retrieval_grid(images[queries], images[near], images[far], names, hits)


# ---- A, C, LO ----------------------------------------------------------------------------------------------


def anomalies(run: Run, draw: bool) -> Answer:
    """A1-A3. Test images are normal, the other data set's are anomalies; the training images are the reference."""
    reference, normal, odd = run.data.x_train, run.data.x_test, run.anomalies
    if min(len(reference), len(normal), len(odd)) < 20:
        sizes = f"{len(reference)} training images, {len(normal)} normal images and {len(odd)} anomalies"
        return Answer(too_small=f"{sizes} are too few for a ROC curve: 20 of each are needed")
    labels = np.concatenate([np.zeros(len(normal), dtype=np.int64), np.ones(len(odd), dtype=np.int64)])
    images = np.concatenate([normal, odd])
    curves, rows = {}, {}
    for name in (VICREG, NO_GENERATED, UNTRAINED):
        train, *tested = (
            run.representations(name, split).to(run.device) for split in ("train", "test", "anomalies")
        )
        with run.clock.step("anomaly scores"):
            scores = torch.as_tensor(inverse_density(torch.cat(tested), train, k=2)).cpu()
        curves[name] = roc(labels, scores)
        rows[name] = np.asarray(most_anomalous(scores, ANOMALOUS))
    numbers = {f"AUC: {name}": float(curve[2]) for name, curve in curves.items()}
    if not draw:
        return Answer(numbers)
    shown = {name: rows[name] for name in (VICREG, NO_GENERATED)}
    pictures = plots.image_rows(
        {name: images[found] for name, found in shown.items()},
        framed={name: labels[found] == 1 for name, found in shown.items()},
        frame="anomaly",
    )
    return Answer(numbers, {"roc": plots.roc_curves(curves), "anomalous": pictures})


def clusters(run: Run, draw: bool) -> Answer:
    """C1-C3. k-means on training representations, its silhouette, and how far clusters are classes."""
    classes = len(run.data.class_names)
    if len(run.data.x_train) < 20 * classes or len(np.unique(run.data.y_train)) < 2:
        return Answer(
            too_small=f"{classes} clusters of {len(run.data.x_train)} images: 20 images for each are needed"
        )
    numbers, figures = {}, {}
    for name in (VICREG, NO_GENERATED):
        x = run.representations(name, "train")
        if (different := len(x.unique(dim=0))) < classes:
            return Answer(too_small=f"{different} different representations ({name}) make no {classes} clusters")
        with run.clock.step("k-means and silhouettes"):
            found, centers = (torch.as_tensor(part) for part in kmeans(x, classes, run.seed))
            for label, groups in (("silhouette", found), ("silhouette of the classes", run.data.y_train)):
                numbers[f"{label}: {name}"] = float(silhouette(x.to(run.device), groups))
        numbers[f"cluster purity: {name}"] = purity(np.asarray(found), run.data.y_train)
        if draw:
            with run.clock.step("t-SNE with centers"):
                points, mapped_centers = project_with_centers(x[:MAP_POINTS], centers, run.seed)
            arguments = (
                points,
                run.data.y_train[:MAP_POINTS],
                run.data.class_names,
                found[:MAP_POINTS],
                mapped_centers,
            )
            figures[f"clusters_{slug(name)}"] = plots.cluster_maps(*arguments)
    return Answer(numbers, figures)


def purity(found: np.ndarray, labels: np.ndarray) -> float:
    """The share of images that are of the commonest class in their cluster."""
    return sum(np.bincount(labels[found == cluster]).max() for cluster in np.unique(found)) / len(labels)


def latents(run: Run, draw: bool) -> Answer:
    """LO. Free codes with the repair and without, beside encoders, on the same images."""
    n = min(run.preset.latent_images, len(run.data.x_train))
    if n < 50 * len(run.data.class_names):
        return Answer(
            too_small=f"{n} images leave a tenth of {n // 10} to test codes on: 50 for each class are needed"
        )
    images, labels, preset = run.images[:n], run.data.y_train[:n], run.preset
    if reason := few_to_split(labels):
        return Answer(too_small=reason)
    with run.clock.step("repaired latent optimization"):
        repaired = optimize_latents(images, preset.latent_dim, preset.latent_steps, run.seed)
    with run.clock.step("plain latent optimization"):
        plain = plain_latents(n, preset.latent_dim, preset.latent_steps, run.seed)
    codes = {
        "repaired latent optimization": torch.as_tensor(repaired).float().cpu(),
        "plain latent optimization": plain,
    }
    codes |= {UNTRAINED: run.representations(UNTRAINED, "train")[:n]}
    codes |= {f"{VICREG} (amortized)": run.representations(VICREG, "train")[:n]}
    return Answer({PROBE + name: split_probe(run, code, labels) for name, code in codes.items()})


def plain_latents(n: int, dim: int, steps: int, seed: int) -> torch.Tensor:
    """Q5's ablation as it stands: free codes under the three terms alone. Both views of an image share its code."""
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randn(n, dim, generator=generator).mul_(0.1).requires_grad_()
    optimizer = torch.optim.Adam([codes], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        vicreg_loss(codes, codes).total.backward()
        optimizer.step()
    return codes.detach()


def slug(name: str) -> str:
    return name.lower().replace(" ", "_")


QUESTIONS = {
    "Q1": Question("Training with VICReg: the three terms", training_curves),
    "Q2": Question("Maps of the representations", maps),
    "Q3": Question("Linear probe", probes, ("probe", PROBE, "test accuracy of a linear probe")),
    "Q4": Question("Ablation: no variance term", no_variance, ("probe_no_variance", PROBE, "test accuracy of a linear probe")),
    "Q6": Question("Ablation: no generated neighbors", no_generated_neighbors,
                   ("probe_neighbors", PROBE, "test accuracy of a linear probe")),
    "Q7": Question("Ablation: Laplacian eigenmaps", eigenmaps,
                   ("probe_eigenmaps", PROBE, "accuracy of a linear probe on the other 10 %")),
    "Q8": Question("Retrieval", retrieval, ("precision", PRECISION, "share of the 5 nearest with the query's class")),
    "A": Question("Anomaly detection", anomalies),
    "C": Question("Clustering (bonus)", clusters),
    "LO": Question("Latent optimization (bonus)", latents,
                   ("probe_latents", PROBE, "accuracy of a linear probe on the other 10 %")),
}  # fmt: skip
