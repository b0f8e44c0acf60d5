"""Task 1: random views of images, a whole batch at a time.

Every function draws independently for each image, from torch's global generator, and leaves its input as it
was. The reference draws on the device of the images and loops over no images; a loop over images with
torchvision's transforms is right too, only slower.
"""

### BEGIN SOLUTION
import math

### END SOLUTION
import numpy as np
import torch

from assignment.provided.datasets import CIFAR_MEAN, CIFAR_STD
### BEGIN SOLUTION

RATIO = (3 / 4, 4 / 3)  # aspect (width / height) of a crop
ATTEMPTS = 10  # at a crop that fits, before the largest central one is taken, as torchvision does
SIGMA = (0.1, 2.0)  # standard deviation of the blur, in pixels
PIECE = 64  # images at once on a CPU: what stays in its cache, and in memory that need not be asked for again


def _uniform(images: torch.Tensor, low: float, high: float, *extra: int) -> torch.Tensor:
    """Uniform draws, (N, *extra), with the device and dtype of the images."""
    return torch.rand(len(images), *extra, device=images.device, dtype=images.dtype) * (high - low) + low


def _factor(images: torch.Tensor, strength: float) -> torch.Tensor:
    """A factor around 1 for each image, (N, 1, 1, 1)."""
    return _uniform(images, max(0.0, 1 - strength), 1 + strength, 1, 1, 1)


def _chosen(images: torch.Tensor, p: float) -> torch.Tensor:
    """Indices of the images that a transform of probability p applies to."""
    return (torch.rand(len(images), device=images.device) < p).nonzero().squeeze(1)


def _separable(images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Apply to every image its own linear map of rows (N, H', H) and of columns (N, W', W)."""
    n, channels, height, width = images.shape
    out = images.reshape(n, channels * height, width) @ columns.mT  # (N, C·H, W')
    return rows[:, None] @ out.view(n, channels, height, columns.shape[1])  # (N, C, H', W')


def _crop_sizes(images: torch.Tensor, scale: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Height and width of random crops in whole pixels, each (N,)."""
    height, width = images.shape[-2:]
    area = height * width * _uniform(images, *scale, ATTEMPTS)  # (N, ATTEMPTS)
    ratio = _uniform(images, math.log(RATIO[0]), math.log(RATIO[1]), ATTEMPTS).exp()
    h, w = (area / ratio).sqrt().round(), (area * ratio).sqrt().round()
    fits = (h > 0) & (h <= height) & (w > 0) & (w <= width)
    first = fits.to(torch.uint8).argmax(dim=1, keepdim=True)  # (N, 1)
    found = fits.any(dim=1)  # (N,)
    h = torch.where(found, h.gather(1, first).squeeze(1), max(1, min(height, round(width / RATIO[0]))))
    w = torch.where(found, w.gather(1, first).squeeze(1), max(1, min(width, round(height * RATIO[1]))))
    return h, w


def _crop_starts(images: torch.Tensor, length: torch.Tensor, size: int) -> torch.Tensor:
    """Where a crop of `length` (N,) out of `size` pixels begins, (N,): every place with equal probability."""
    places = size - length + 1
    return torch.minimum((places * _uniform(images, 0, 1)).floor(), places - 1)


def _resize_matrix(start: torch.Tensor, length: torch.Tensor, size: int) -> torch.Tensor:
    """Bilinear map from the `length` pixels at `start` to `size` pixels, (N, size, size)."""
    pixels = torch.arange(size, device=start.device, dtype=start.dtype)
    # Where each new pixel looks, first inside the crop: (N, size).
    source = (pixels + 0.5) * (length / size)[:, None] - 0.5
    source = torch.minimum(source.clamp_(min=0), length[:, None] - 1) + start[:, None]
    return (source[:, :, None] - pixels).abs_().neg_().add_(1).clamp_(min=0)  # a tent around there


def _blur_matrix(sigma: torch.Tensor, size: int) -> torch.Tensor:
    """Gaussian of three taps as a linear map of `size` pixels, reflected at the border, (N, size, size)."""
    pixels = torch.arange(size, device=sigma.device)
    before = (pixels - 1).abs().clamp(max=size - 1)
    after = (size - 1 - (size - 2 - pixels).abs()).clamp(min=0)
    eye = torch.eye(size, device=sigma.device, dtype=sigma.dtype)
    tap = torch.exp(-0.5 / sigma**2)  # beside a center of 1
    tap = (tap / (1 + 2 * tap)).view(-1, 1, 1)
    return eye + tap * (eye[before] + eye[after] - 2 * eye)


def _gray(images: torch.Tensor) -> torch.Tensor:
    """Luma (ITU-R 601-2, as Pillow and torchvision have it), (N, 1, H, W)."""
    red, green, blue = images.split(1, dim=1)
    return (0.2989 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114)


def _hue(images: torch.Tensor, high: torch.Tensor, chroma: torch.Tensor) -> torch.Tensor:
    """Hue of HSV, (N, 1, H, W); 1 is the full circle, red is 0, green 1/3, blue 2/3."""
    red, green, blue = images.split(1, dim=1)
    chroma = chroma.clamp(min=1e-12)  # any hue will do for a gray pixel
    at_blue = (red - green).div_(chroma).add_(4)
    at_green = (blue - red).div_(chroma).add_(2)
    at_red = (green - blue).div_(chroma)
    return torch.where(high == red, at_red, torch.where(high == green, at_green, at_blue)).div_(6)


def _shift_hue(images: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Turn the hue by `shift` (N, 1, 1, 1) at the same value and saturation, in HSV."""
    high, low = images.amax(dim=1, keepdim=True), images.amin(dim=1, keepdim=True)
    chroma = high - low  # (N, 1, H, W)
    hue = _hue(images, high, chroma).add_(shift)
    # A channel's share of the chroma is a tent (cut off at 1) around the channel's own place on the circle.
    place = torch.arange(3, device=images.device, dtype=images.dtype).div_(3).view(3, 1, 1)
    turn = hue - place  # (N, 3, H, W)
    share = turn.sub_(turn.round()).abs_().mul_(-6).add_(2).clamp_(0, 1)
    return share.mul_(chroma).add_(low)


def _normalize(images: torch.Tensor) -> torch.Tensor:
    """Standardize the channels of float images in [0, 1]."""
    mean = torch.tensor(CIFAR_MEAN, device=images.device, dtype=images.dtype).view(3, 1, 1)
    std = torch.tensor(CIFAR_STD, device=images.device, dtype=images.dtype).view(3, 1, 1)
    return (images - mean).div_(std)


def _augment_piece(images: torch.Tensor) -> torch.Tensor:
    """The work of `augment`."""
    views = images.permute(0, 3, 1, 2).contiguous().float() / 255  # (N, 3, H, W)
    for transform in (random_resized_crop, random_flip, color_jitter, random_grayscale, random_blur):
        views = transform(views)
    return _normalize(views)


### END SOLUTION


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
    ### BEGIN SOLUTION
    height, width = images.shape[-2:]
    h, w = _crop_sizes(images, scale)
    rows = _resize_matrix(_crop_starts(images, h, height), h, height)  # (N, H, H)
    columns = _resize_matrix(_crop_starts(images, w, width), w, width)  # (N, W, W)
    return _separable(images, rows, columns).clamp_(0, 1)
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    chosen = _chosen(images, p)
    out = images.clone()
    out[chosen] = images[chosen].flip(-1)
    return out
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    images = (images * _factor(images, brightness)).clamp_(0, 1)
    mean = _gray(images).mean(dim=(1, 2, 3), keepdim=True)  # (N, 1, 1, 1)
    images = images.lerp_(mean, 1 - _factor(images, contrast)).clamp_(0, 1)
    images = images.lerp_(_gray(images), 1 - _factor(images, saturation)).clamp_(0, 1)
    return _shift_hue(images, _uniform(images, -hue, hue, 1, 1, 1)).clamp_(0, 1)
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    chosen = _chosen(images, p)
    out = images.clone()
    out[chosen] = _gray(images[chosen]).expand(-1, 3, -1, -1)
    return out
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    chosen = _chosen(images, p)
    blurred = images[chosen]  # (chosen, 3, H, W)
    sigma = _uniform(blurred, *SIGMA)  # (chosen,)
    rows, columns = (_blur_matrix(sigma, size) for size in images.shape[-2:])
    out = images.clone()
    out[chosen] = _separable(blurred, rows, columns).clamp_(0, 1)
    return out
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    images = torch.as_tensor(images)
    pieces = images.split(PIECE) if images.device.type == "cpu" else [images]
    return torch.cat([_augment_piece(piece) for piece in pieces])
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    return augment(images), augment(images)
    ### END SOLUTION
