"""Task 10 (bonus): a repair of latent optimization, VICReg without an amortized encoder."""

import numpy as np
import torch
from torch import nn

from .augmentations import augment
from .vicreg import covariance_loss, variance_loss


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
    # TODO latent_optimization: write the body of optimize_latents, in place of the next line.
    raise NotImplementedError("TODO latent_optimization: optimize_latents")
