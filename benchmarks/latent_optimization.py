"""Which repairs of latent optimization work? `python -m benchmarks.latent_optimization`

Every method gives one code (or representation) for each training image of `shapes`, or of DATA. A linear
probe learns the labels of 90 % of them, stratified, and is tested on the other 10 %; each number is the
mean over five such splits, with minimum and maximum over the seeds. Only the last two rows use an encoder.
Exits with 1 when the reference does not beat the untrained encoder in every seed.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from sklearn.model_selection import StratifiedShuffleSplit
from torch import nn

from assignment.provided.datasets import LAPTOP_BUDGET, Dataset, load
from assignment.provided.models import Projector, SmallEncoder
from solutions import latent_optimization as reference
from solutions.augmentations import two_views
from solutions.evaluation import extract_representations, linear_probe
from solutions.training import train_vicreg
from solutions.vicreg import covariance_loss, variance_loss, vicreg_loss
from solutions.warmup import normalize

SPLITS = 5
UNTRAINED = "untrained encoder (128)"
REFERENCE = "reference: views of random features, weighted, linear generator"


def descend(codes: torch.Tensor, others: list, loss: Callable, steps: int) -> torch.Tensor:
    """Adam on the codes and on the other parameters (a generator's), `steps` times; the codes, detached."""
    groups = [{"params": [codes], "lr": reference.CODE_LR}]
    if others:
        groups.append({"params": others, "lr": reference.GENERATOR_LR})
    optimizer = torch.optim.Adam(groups)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(codes).backward()
        optimizer.step()
    return codes.detach()


def start(*shape: int) -> torch.Tensor:
    return torch.randn(*shape).requires_grad_()


def apart(codes: torch.Tensor) -> torch.Tensor:
    """Variance and covariance terms, with the reference's weights."""
    return variance_loss(codes) + 0.04 * covariance_loss(codes)


def standardized(features: torch.Tensor) -> torch.Tensor:
    return (features - features.mean(dim=0)) / (features.std(dim=0) + 1e-6)


def small(images: torch.Tensor) -> torch.Tensor:
    """Normalized float images at 16 x 16 as rows: a generator of pixels fits into the budget."""
    return nn.functional.avg_pool2d(images, 2).flatten(1)


def mlp(n_in: int, n_out: int, hidden: int = 256) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, hidden), nn.ReLU(), nn.Linear(hidden, n_out))


# Free codes


def plain(images, dim, steps, seed):
    """The three terms alone."""
    both = start(2, len(images), dim)
    return descend(both, [], lambda z: vicreg_loss(z[0], z[1]).total, steps)[0]


def pixels(make_generator: Callable, sphere: bool = False) -> Callable:
    """GLO: the generator reproduces the pixels of the image."""

    def run(images, dim, steps, seed):
        target, net = standardized(small(normalize(images))), make_generator(dim)
        unit = (lambda z: nn.functional.normalize(z, dim=1) * dim**0.5) if sphere else (lambda z: z)
        loss = lambda z: (net(unit(z)) - target).square().mean() + (0 if sphere else apart(z))  # noqa: E731
        return unit(descend(start(len(images), dim), list(net.parameters()), loss, steps))

    return run


def linear_to_pixels(dim: int) -> nn.Module:
    return nn.Linear(dim, 768)


def mlp_to_pixels(dim: int) -> nn.Module:
    return mlp(dim, 768)


def conv_to_pixels(dim: int) -> nn.Module:
    up = [nn.Linear(dim, 512), nn.Unflatten(1, (32, 4, 4)), nn.ReLU()]
    up += [nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 3, 4, 2, 1), nn.Flatten()]
    return nn.Sequential(*up)


def both_views_pixels(images, dim, steps, seed):
    """A code for each of two views, each reproduces its view's pixels; the three terms over the pairs."""
    targets, net = [standardized(small(view)) for view in two_views(images)], mlp_to_pixels(dim)

    def loss(z):
        rebuilt = sum((net(each) - target).square().mean() for each, target in zip(z, targets))
        return 25 * rebuilt + vicreg_loss(z[0], z[1]).total

    return descend(start(2, len(images), dim), list(net.parameters()), loss, steps).mean(dim=0)


def crops(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Random squares and flips of float images, at 16 x 16, and their parameters (place, size, flip)."""
    n = len(images)
    size, flip = 0.45 + 0.55 * torch.rand(n), torch.randint(0, 2, (n,)) * 2.0 - 1
    x, y = ((torch.rand(n) * 2 - 1) * (1 - size) for _ in range(2))
    zero = torch.zeros(n)
    theta = torch.stack([torch.stack([size * flip, zero, x], 1), torch.stack([zero, size, y], 1)], 1)
    grid = nn.functional.affine_grid(theta, (n, 3, 16, 16), align_corners=False)
    views = nn.functional.grid_sample(images, grid, align_corners=False)
    return views.flatten(1), torch.stack([size, flip, x, y], 1)


def told_the_crop(images, dim, steps, seed):
    """The generator gets the code and where the view was cut out, so that the code need not hold it."""
    views = [crops(normalize(images)) for _ in range(8)]
    net, draws = mlp(dim + 4, 768), iter(range(10**9))

    def loss(z):
        view, where = views[next(draws) % len(views)]
        return (net(torch.cat([z, where], dim=1)) - view).square().mean() + apart(z)

    return descend(start(len(images), dim), list(net.parameters()), loss, steps)


def features(images, seed: int, views: bool = True) -> torch.Tensor:
    """The reference's fixed random features (views, N, features), or those of the images alone (1, N, …)."""
    if views:
        return reference._textures_of_views(images, seed)
    filters = reference._random_filters(seed)
    return torch.cat([reference._texture(each, filters) for each in normalize(images).split(256)])[None]


def random_features(make_generator: Callable, views: bool = True, weighted: bool = False) -> Callable:
    """The generator reproduces fixed random features: of the image, or their mean over its views."""

    def run(images, dim, steps, seed):
        found = features(images, seed, views)
        target = reference._shared_by_views(found) if weighted else standardized(found.mean(dim=0))
        net = make_generator(dim, target.shape[1])
        loss = lambda z: (net(z) - target).square().mean() + apart(z)  # noqa: E731
        return descend(start(len(images), dim), list(net.parameters()), loss, steps)

    return run


def both_views_features(images, dim, steps, seed):
    """A code for each of two groups of views reproduces its features; the three terms over the pairs."""
    found = features(images, seed)
    targets = [standardized(each.mean(dim=0)) for each in found.chunk(2)]
    net = nn.Linear(dim, targets[0].shape[1])

    def loss(z):
        rebuilt = sum((net(each) - target).square().mean() for each, target in zip(z, targets))
        return 25 * rebuilt + vicreg_loss(z[0], z[1]).total

    return descend(start(2, len(images), dim), list(net.parameters()), loss, steps).mean(dim=0)


def attraction(weighted: bool) -> Callable:
    """No generator: codes of neighbors (8 nearest in feature space) attract each other."""

    def run(images, dim, steps, seed):
        found = features(images, seed)
        looks = reference._shared_by_views(found) if weighted else standardized(small(normalize(images)))
        near = torch.cdist(looks, looks).fill_diagonal_(float("inf")).topk(8, largest=False).indices
        loss = lambda z: 0.2 * (z[:, None] - z[near]).square().mean() + apart(z)  # noqa: E731
        return descend(start(len(images), dim), [], loss, steps)

    return run


def contrastive(images, dim, steps, seed):
    """Of all codes in a batch, an image's own has to generate what is most like its view (InfoNCE)."""
    found = features(images, seed)
    found = nn.functional.normalize((found - found.mean(dim=(0, 1))) / found.std(dim=(0, 1)), dim=2)
    net, draws = mlp(dim, found.shape[2]), iter(range(10**9))

    def loss(z):
        batch = torch.randperm(len(z))[:512]
        made = nn.functional.normalize(net(z[batch]), dim=1)
        alike = found[next(draws) % len(found), batch] @ made.T / 0.1  # (batch, batch)
        return nn.functional.cross_entropy(alike, torch.arange(len(batch)))

    return descend(start(len(images), dim), list(net.parameters()), loss, steps)


def repair(images, dim, steps, seed):
    return reference.optimize_latents(images, dim=dim, steps=steps, seed=seed)


# What they are held against


def raw(images, dim, steps, seed):
    return normalize(images).flatten(1)


def targets_alone(images, dim, steps, seed):
    return reference._shared_by_views(features(images, seed))


def untrained(images, dim, steps, seed):
    return extract_representations(SmallEncoder(), images)


def amortized(images, dim, steps, seed):
    encoder, budget = SmallEncoder(), LAPTOP_BUDGET
    train_vicreg(encoder, Projector(), images, budget.epochs, batch_size=budget.batch_size, lr=budget.lr)
    return extract_representations(encoder, images)


METHODS = {
    "plain: the three terms": plain,
    "GLO, pixels, linear generator": pixels(linear_to_pixels),
    "GLO, pixels, MLP": pixels(mlp_to_pixels),
    "GLO, pixels, MLP, codes on a sphere": pixels(mlp_to_pixels, sphere=True),
    "GLO, pixels, convolutional": pixels(conv_to_pixels),
    "pixels of both views, a code each, three terms": both_views_pixels,
    "pixels of crops, generator told where": told_the_crop,
    "neighbors of pixels attract": attraction(weighted=False),
    "neighbors of weighted features attract": attraction(weighted=True),
    "random features of the image, linear": random_features(nn.Linear, views=False),
    "random features of the image, MLP": random_features(mlp, views=False),
    "mean over views, linear": random_features(nn.Linear),
    "mean over views, MLP": random_features(mlp),
    "both views, a code each, three terms, linear": both_views_features,
    "weighted by within-image scatter, MLP": random_features(mlp, weighted=True),
    "contrastive generator, MLP": contrastive,
    REFERENCE: repair,
    "its targets themselves (128), no codes": targets_alone,
    "raw pixels (3,072)": raw,
    UNTRAINED: untrained,
    "VICReg, amortized (128)": amortized,
}


def splits(labels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return StratifiedShuffleSplit(SPLITS, test_size=0.1, random_state=0).split(labels, labels)


def probe(codes: torch.Tensor, labels: np.ndarray) -> float:
    """Accuracy on 10 % of the codes, after training on the other 90 %; the mean over SPLITS splits."""
    found = [
        np.mean(np.asarray(linear_probe(codes[train], labels[train], codes[test])) == labels[test])
        for train, test in splits(labels)
    ]
    return float(np.mean(found))


def measure(method: Callable, data: Dataset, args, seed: int) -> tuple[float, float]:
    """Accuracy, and CPU seconds without the probe."""
    torch.manual_seed(seed)
    images, begin = torch.from_numpy(data.x_train), time.process_time()
    codes = method(images, args.dim, args.steps, seed).detach()
    seconds = time.process_time() - begin
    return probe(codes, data.y_train), seconds


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="shapes", help="a name or .npz file for `load`")
    parser.add_argument("--n-train", type=int, default=2048)
    parser.add_argument("--dim", type=int, default=16)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="methods with this text in their name")
    return parser.parse_args()


def main() -> int:
    args = parse()
    torch.set_num_threads(args.threads)
    data, found = load(args.data, n_train=args.n_train), {}
    settings = f"dim={args.dim}, steps={args.steps}, {args.seeds} seeds"
    print(f"{data.name}: {len(data.x_train):,} images, {settings}\n")
    print("| | mean | min | max | CPU s |\n|---|---|---|---|---|", flush=True)
    for name, method in METHODS.items():
        if args.only in name:
            rows = np.array([measure(method, data, args, seed) for seed in range(args.seeds)])
            found[name] = rows[:, 0]
            mean, low, high = rows[:, 0].mean(), rows[:, 0].min(), rows[:, 0].max()
            print(f"| {name} | {mean:.3f} | {low:.3f} | {high:.3f} | {rows[:, 1].mean():.1f} |", flush=True)
    missed = REFERENCE in found and UNTRAINED in found and found[REFERENCE].min() <= found[UNTRAINED].max()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
