"""Task 1: random views of images, a whole batch at a time.

Every function draws independently for each image, from torch's global generator, and leaves its input as it
was. The reference draws on the device of the images and loops over no images; a loop over images with
torchvision's transforms is right too, only slower.
"""

import numpy as np
import torch

from assignment.provided.datasets import CIFAR_MEAN, CIFAR_STD


def random_resized_crop(images: torch.Tensor, scale: tuple[float, float] = (0.2, 1.0)) -> torch.Tensor:
    """Cut a random rectangle out of each image and resize it to the size of the image.

    The area of the rectangle is drawn uniformly from `scale` (fractions of the image's area), its aspect
    (width / height) from 3/4 to 4/3, uniformly in its logarithm; its place is uniform among those where it
    fits. Rectangles that stick out are drawn again. Resizing is bilinear here; any interpolation is fine.

    Args:
        images: float, (N, 3, H, W), in [0, 1].
        scale: smallest and largest area; an area, not a side length.

    Returns:
        A new tensor with the shape, dtype, device and range of `images`.

    >>> random_resized_crop(torch.rand(4, 3, 32, 32)).shape
    torch.Size([4, 3, 32, 32])
    """
    # TODO augmentations: write the body of random_resized_crop, in place of the next line.
    raise NotImplementedError("TODO augmentations: random_resized_crop")


def random_flip(images: torch.Tensor, p: float = 0.5) -> torch.Tensor:
    """Mirror each image with probability p: left becomes right.

    Args:
        images: float, (N, 3, H, W), in [0, 1].
        p: probability of a flip, drawn for each image.

    Returns:
        A new tensor with the shape, dtype, device and range of `images`.

    >>> random_flip(torch.tensor([0.0, 0.5, 1.0]).expand(1, 3, 1, 3), p=1)[0, 0]
    tensor([[1.0000, 0.5000, 0.0000]])
    """
    # TODO augmentations: write the body of random_flip, in place of the next line.
    raise NotImplementedError("TODO augmentations: random_flip")


def color_jitter(
    images: torch.Tensor,
    brightness: float = 0.4,
    contrast: float = 0.4,
    saturation: float = 0.2,
    hue: float = 0.1,
) -> torch.Tensor:
    """Change brightness, contrast, saturation and hue of each image a little.

    With x the image, and for each image factors b, c, s drawn uniformly from [1 − strength, 1 + strength]
    (never below 0):

        brightness  x ← b x
        contrast    x ← c x + (1 − c) · mean of gray(x) over the image
        saturation  x ← s x + (1 − s) · gray(x)
        hue         the hue of HSV moves by a draw from [−hue, hue], as a fraction of the full circle

    with gray = .2989 red + .587 green + .114 blue. Each of the first three is followed by clipping to [0, 1].
    The reference applies them in this order; torchvision draws the order, and any order is fine.

    Args:
        images: float, (N, 3, H, W), in [0, 1].
        brightness: strength; 0 leaves the images alone.
        contrast: strength.
        saturation: strength.
        hue: largest turn of the hue, at most 0.5.

    Returns:
        A new tensor with the shape, dtype, device and range of `images`.

    >>> color_jitter(torch.full((2, 3, 4, 4), 0.5), brightness=0)[0, :, 0, 0]  # gray, no contrast, no hue
    tensor([0.5000, 0.5000, 0.5000])
    """
    # TODO augmentations: write the body of color_jitter, in place of the next line.
    raise NotImplementedError("TODO augmentations: color_jitter")


def random_grayscale(images: torch.Tensor, p: float = 0.2) -> torch.Tensor:
    """Take the color out of each image with probability p.

    A gray image has .2989 red + .587 green + .114 blue in all three channels.

    Args:
        images: float, (N, 3, H, W), in [0, 1].
        p: probability, drawn for each image.

    Returns:
        A new tensor with the shape, dtype, device and range of `images`.

    >>> random_grayscale(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1), p=1).flatten()
    tensor([0.2989, 0.2989, 0.2989])
    """
    # TODO augmentations: write the body of random_grayscale, in place of the next line.
    raise NotImplementedError("TODO augmentations: random_grayscale")


def random_blur(images: torch.Tensor, p: float = 0.5) -> torch.Tensor:
    """Blur each image with probability p, with a Gaussian on 3 × 3 pixels.

    The weight of a pixel at distance (i, j), i and j in −1…1, is proportional to exp(−(i² + j²) / 2σ²), and
    the nine sum to 1; σ is drawn uniformly from [0.1, 2] for each image. The image is reflected at its border
    (without repeating the border pixel).

    Args:
        images: float, (N, 3, H, W), in [0, 1].
        p: probability, drawn for each image.

    Returns:
        A new tensor with the shape, dtype, device and range of `images`.

    >>> random_blur(torch.full((1, 3, 4, 4), 0.5), p=1).unique()  # nothing to blur
    tensor([0.5000])
    """
    # TODO augmentations: write the body of random_blur, in place of the next line.
    raise NotImplementedError("TODO augmentations: random_blur")


def augment(images: np.ndarray | torch.Tensor) -> torch.Tensor:
    """One random view of each image: x = T(I).

    In this order, with the default arguments: `random_resized_crop`, `random_flip`, `color_jitter`,
    `random_grayscale`, `random_blur`, and then the normalization of `warmup.normalize`.

    Args:
        images: uint8, (N, H, W, 3), NumPy array or tensor; it is not changed.

    Returns:
        float32 tensor, (N, 3, H, W), normalized, on the device of `images`.

    >>> augment(np.zeros((2, 32, 32, 3), dtype=np.uint8)).shape
    torch.Size([2, 3, 32, 32])
    """
    # TODO augmentations: write the body of augment, in place of the next line.
    raise NotImplementedError("TODO augmentations: augment")


def two_views(images: np.ndarray | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two views of each image, x = T(I) and x' = T'(I), drawn independently.

    Args:
        images: uint8, (N, H, W, 3), NumPy array or tensor; it is not changed.

    Returns:
        Two tensors as `augment` returns them; row i of both belongs to image i.

    >>> view_a, view_b = two_views(np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3))
    >>> bool((view_a == view_b).all())
    False
    """
    # TODO augmentations: write the body of two_views, in place of the next line.
    raise NotImplementedError("TODO augmentations: two_views")
