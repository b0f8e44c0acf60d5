"""Task 3: train an encoder and a projector with the VICReg loss."""

### BEGIN SOLUTION
import contextlib

### END SOLUTION
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from .augmentations import two_views
from .vicreg import VICRegTerms, vicreg_loss

Views = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
### BEGIN SOLUTION


@contextlib.contextmanager
def _eval_mode(*networks: nn.Module):
    """Put the networks into eval mode, and afterwards each submodule back into the mode that it had."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    try:
        for network in networks:
            network.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training


def _batches(order: torch.Tensor, batch_size: int) -> list[torch.Tensor]:
    """Cut the indices into batches; a last one of a single row goes: the loss and batch norm need two."""
    if len(order) < 2 or batch_size < 2:
        raise ValueError(f"a batch needs 2 images or more; got {len(order)} images, batch_size={batch_size}")
    return [batch for batch in order.split(batch_size) if len(batch) > 1]


def _beside(images: np.ndarray | torch.Tensor, *networks: nn.Module) -> torch.Tensor:
    """The images as a tensor on the device of the networks' parameters."""
    parameters = (parameter for network in networks for parameter in network.parameters())
    return torch.as_tensor(images).to(next(parameters).device)


### END SOLUTION


def train_step(
    encoder: nn.Module,
    projector: nn.Module,
    optimizer: torch.optim.Optimizer,
    view_a: torch.Tensor,
    view_b: torch.Tensor,
    **weights: float,
) -> VICRegTerms:
    """One step on one batch: the loss of the embeddings z = h(f(x)) and z' = h(f(x')), and its gradient.

    Each view goes through the networks in a pass of its own, so that batch norm sees one branch at a time (both
    in one pass count as right, too). Networks that come in train mode stay in it, and the gradients of earlier
    steps do not count.

    Args:
        encoder: f, float images (batch, 3, H, W) → representations (batch, dim).
        projector: h, representations → embeddings (batch, d).
        optimizer: holds the parameters of both; steps exactly once.
        view_a: x, first views, float (batch, 3, H, W), batch ≥ 2.
        view_b: x', second views of the same images.
        weights: passed on to `vicreg_loss` (`inv_weight`, `var_weight`, `cov_weight`).

    Returns:
        The terms before the step, detached.

    >>> encoder, projector = nn.Flatten(), nn.Linear(12, 2)
    >>> optimizer = torch.optim.SGD(projector.parameters(), lr=0.1)
    >>> terms = train_step(encoder, projector, optimizer, torch.zeros(4, 3, 2, 2), torch.zeros(4, 3, 2, 2))
    >>> terms.variance  # all embeddings are equal
    tensor(1.9800)
    """
    ### BEGIN SOLUTION
    optimizer.zero_grad()
    z_a = projector(encoder(view_a))  # (batch, d)
    z_b = projector(encoder(view_b))  # (batch, d)
    terms = vicreg_loss(z_a, z_b, **weights)
    terms.total.backward()
    optimizer.step()
    return VICRegTerms(*(term.detach() for term in terms))
    ### END SOLUTION


def evaluate_loss(
    encoder: nn.Module,
    projector: nn.Module,
    images: np.ndarray | torch.Tensor,
    batch_size: int = 256,
    **weights: float,
) -> VICRegTerms:
    """Mean terms of the loss on images that are not trained on.

    The views are drawn with the training augmentation (`two_views`): without it the invariance would be 0. No
    gradients; eval mode while it runs, and afterwards both networks are in the mode that they had, the
    batch-norm statistics untouched.

    Args:
        encoder: f, float images → representations.
        projector: h, representations → embeddings.
        images: uint8, (N, H, W, 3), NumPy array or tensor, on any device, N ≥ 2.
        batch_size: images per batch; a last batch of a single image is left out.
        weights: passed on to `vicreg_loss`; they matter for `total` alone.

    Returns:
        `VICRegTerms` of detached 0-d tensors: the mean over the batches, weighted by their sizes or not.

    Raises:
        ValueError: fewer than two images, or batches of fewer than two.

    >>> encoder, projector = nn.Flatten(), nn.Linear(12, 2).eval()
    >>> evaluate_loss(encoder, projector, np.zeros((5, 2, 2, 3), dtype=np.uint8), batch_size=2).invariance
    tensor(0.)
    >>> encoder.training, projector.training
    (True, False)
    """
    ### BEGIN SOLUTION
    images = _beside(images, encoder, projector)
    batches = _batches(torch.arange(len(images)), batch_size)
    sums, rows = 0, 0
    with _eval_mode(encoder, projector), torch.no_grad():
        for batch in batches:
            view_a, view_b = two_views(images[batch])
            terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
            sums = sums + len(batch) * torch.stack(terms)  # (4,)
            rows += len(batch)
    return VICRegTerms(*(sums / rows))
    ### END SOLUTION


def train_vicreg(
    encoder: nn.Module,
    projector: nn.Module,
    images: np.ndarray | torch.Tensor,
    epochs: int,
    batch_size: int = 256,
    test_images: np.ndarray | torch.Tensor | None = None,
    views: Views | None = None,
    lr: float = 3e-4,
    **weights: float,
) -> dict[str, list[VICRegTerms]]:
    """Train encoder and projector with VICReg, in place.

    Adam over the parameters of both networks (learning rate `lr`, betas (0.9, 0.999), weight decay 1e-6).
    Every epoch visits every image once, in a new random order; a last batch of a single image is left out,
    because batch norm and the loss need two. Both networks come in train mode, train in it and stay in it.

    Args:
        encoder: f, float images (batch, 3, H, W) → representations (batch, dim).
        projector: h, representations → embeddings (batch, d).
        images: uint8, (N, H, W, 3), NumPy array or tensor; moved once to the device of the networks.
        epochs: how often every image is visited.
        batch_size: images per step.
        test_images: uint8 (M, H, W, 3); if given, `evaluate_loss` runs on them after every epoch.
        views: from a batch of indices into `images` (int64 tensor (batch,), on the CPU) to the pair of views
            that is trained on; by default `two_views` of these images.
        lr: learning rate.
        weights: passed on to `vicreg_loss`.

    Returns:
        `{"train": [terms of every batch], "test": [terms of every epoch]}`, `VICRegTerms` of floats; "test"
        is empty without `test_images`.

    Raises:
        ValueError: fewer than two images, or batches of fewer than two.

    >>> encoder, projector, images = nn.Flatten(), nn.Linear(12, 2), np.zeros((5, 2, 2, 3), dtype=np.uint8)
    >>> history = train_vicreg(encoder, projector, images, epochs=3, batch_size=2)
    >>> len(history["train"]), len(history["test"])  # 2 + 2 images an epoch, and one left out
    (6, 0)
    """
    ### BEGIN SOLUTION
    images = _beside(images, encoder, projector)
    views = views or (lambda batch: two_views(images[batch]))
    parameters = [*encoder.parameters(), *projector.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=lr, betas=(0.9, 0.999), weight_decay=1e-6)
    encoder.train()
    projector.train()
    history = {"train": [], "test": []}
    for _ in range(epochs):
        for batch in _batches(torch.randperm(len(images)), batch_size):
            terms = train_step(encoder, projector, optimizer, *views(batch), **weights)
            history["train"].append(VICRegTerms(*map(float, terms)))
        if test_images is not None:
            terms = evaluate_loss(encoder, projector, test_images, batch_size, **weights)
            history["test"].append(VICRegTerms(*map(float, terms)))
    return history
    ### END SOLUTION
