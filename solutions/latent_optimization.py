"""Task 10 (bonus): a repair of latent optimization, VICReg without an amortized encoder."""

### BEGIN SOLUTION
import contextlib
import random
from collections.abc import Iterator

### END SOLUTION
import numpy as np
import torch
from torch import nn

from .augmentations import augment
from .vicreg import covariance_loss, variance_loss
### BEGIN SOLUTION

VIEWS = 4  # of each image; the more, the less the mean over them still holds of a single crop
FILTERS, SIDE = 64, 5  # of the fixed random features
SHRINKAGE = 0.01  # share of a multiple of the identity in the covariance within images
VAR_WEIGHT, COV_WEIGHT = 1.0, 0.04  # beside the reconstruction: 25 : 25 : 1, as in VICReg
CODE_LR, GENERATOR_LR = 0.1, 0.01


@contextlib.contextmanager
def _own_draws(seed: int) -> Iterator[None]:
    """Draws inside depend on `seed`, for augmentations may use any generator; afterwards all are as they were."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _random_filters(seed: int) -> torch.Tensor:
    """Fixed filters (FILTERS, 3, SIDE, SIDE) of norm 1, blind to brightness. Nothing trains them."""
    filters = torch.randn(FILTERS, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    filters -= filters.mean(dim=(2, 3), keepdim=True)
    return filters / filters.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


def _texture(views: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """How strongly each filter answers in a view: mean and spread over its places, (N, 2 · FILTERS).

    The absolute value makes light on dark and dark on light the same, the statistics over all places forget
    where the object is, and the contrast is taken out before.
    """
    mean, std = views.mean(dim=(1, 2, 3), keepdim=True), views.std(dim=(1, 2, 3), keepdim=True)
    answers = nn.functional.conv2d((views - mean) / (std + 1e-3), filters, padding=SIDE // 2).abs_()
    answers = answers.flatten(2)  # (N, FILTERS, H·W)
    return torch.cat([answers.mean(dim=2), answers.std(dim=2)], dim=1)


def _textures_of_views(images: torch.Tensor, seed: int) -> torch.Tensor:
    """Features of VIEWS random views of every image, (VIEWS, N, features)."""
    filters = _random_filters(seed).to(images.device)
    with _own_draws(seed), torch.no_grad():
        views = ([augment(piece) for piece in images.split(256)] for _ in range(VIEWS))
        return torch.stack([torch.cat([_texture(piece, filters) for piece in pieces]) for pieces in views])


def _shared_by_views(features: torch.Tensor) -> torch.Tensor:
    """What all views of an image have in common, (N, features), with variance 1 on average.

    The mean over the views, in units of how far views of one image differ: with S the covariance of the
    features within images, rows are multiplied by S^(-1/2). The squared error of a reconstruction is then a
    log-likelihood whose noise is what the augmentations change.
    """
    views, n, _ = features.shape
    features = (features - features.mean(dim=(0, 1))) / (features.std(dim=(0, 1)) + 1e-6)
    mean = features.mean(dim=0)  # (N, features)
    residual = (features - mean).flatten(0, 1)
    within = residual.T @ residual / ((views - 1) * n)  # (features, features)
    floor = SHRINKAGE * within.diagonal().mean() + 1e-6
    values, vectors = torch.linalg.eigh(within)
    target = mean @ (vectors / (values.clamp(min=0) + floor).sqrt()) @ vectors.T
    return target / (target.std() + 1e-6)


### END SOLUTION


def optimize_latents(
    images: np.ndarray | torch.Tensor, dim: int = 16, steps: int = 200, seed: int = 0
) -> torch.Tensor:
    """Representations without an encoder: every image's code is a free parameter, found by gradient descent.

    Free codes under VICReg's three terms alone learn nothing about the images (Q5 asks why). Repair that: add
    something that only a code which knows its image can do well. Which repair you choose is up to you; say in
    your answer which one it is, and why it works. Two rules: the codes are free parameters, started at random,
    one row an image; and no network maps images to codes. A repair works when a linear probe reads more from
    the codes than from an untrained encoder.

    Args:
        images: uint8, (N, H, W, 3), NumPy array or tensor, N ≥ 2; it is not changed.
        dim: numbers in the code of one image.
        steps: updates of the codes; after 0 steps they are as they were drawn and know nothing of the images.
        seed: makes the codes deterministic; global random generators are left alone.

    Returns:
        float tensor, (N, dim), detached: row i is the code of image i.

    Raises:
        ValueError: fewer than two images.

    Source: Bardes, Ponce & LeCun, "VICReg", ICLR 2022, arXiv 2105.04906 (the terms); for codes that are optimized
    together with a network, Bojanowski, Joulin, Lopez-Paz & Szlam, "Optimizing the Latent Space of Generative
    Networks", ICML 2018, arXiv 1707.05776.

    >>> optimize_latents(np.zeros((5, 8, 8, 3), dtype=np.uint8), dim=3, steps=2).shape
    torch.Size([5, 3])
    """
    ### BEGIN SOLUTION
    images = torch.as_tensor(images)
    if len(images) < 2:
        raise ValueError(f"the variance of the codes needs 2 images or more; got {len(images)}")
    draws = torch.Generator().manual_seed(seed)
    codes = torch.randn(len(images), dim, generator=draws).to(images.device).requires_grad_()  # (N, dim)
    if steps == 0:
        return codes.detach()
    target = _shared_by_views(_textures_of_views(images, seed))  # (N, features)
    # A linear generator: from what it can use, a linear probe can read. A deeper one hides content in folds.
    weight = torch.randn(dim, target.shape[1], generator=draws) / dim**0.5
    weight = weight.to(images.device).requires_grad_()  # (dim, features)
    groups = [{"params": [codes], "lr": CODE_LR}, {"params": [weight], "lr": GENERATOR_LR}]
    optimizer = torch.optim.Adam(groups)
    for _ in range(steps):
        error = (codes @ weight - target).square().mean()  # one code for all views: invariance is exact
        loss = error + VAR_WEIGHT * variance_loss(codes) + COV_WEIGHT * covariance_loss(codes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return codes.detach()
    ### END SOLUTION
