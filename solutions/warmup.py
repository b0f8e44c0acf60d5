"""Task 0 (warm-up): turn stored images into what a network eats."""

import numpy as np
import torch

from assignment.provided.datasets import CIFAR_MEAN, CIFAR_STD


def normalize(images: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Scale images to [0, 1], move the channels to the front, and standardize each channel.

        out[n, c, h, w] = (images[n, h, w, c] / 255 − mean[c]) / std[c]

    with mean = `CIFAR_MEAN` and std = `CIFAR_STD` (imported above; three numbers each: red, green, blue).
    This is all that happens to an image at test time.

    Args:
        images: uint8, (N, H, W, 3), NumPy array or tensor; it is not changed.

    Returns:
        float32 tensor, (N, 3, H, W), on the device of `images`.

    >>> normalize(torch.zeros(2, 4, 5, 3, dtype=torch.uint8)).shape
    torch.Size([2, 3, 4, 5])
    >>> white = normalize(np.full((1, 1, 1, 3), 255, dtype=np.uint8))
    >>> [round(value, 3) for value in white.flatten().tolist()]
    [2.059, 2.131, 2.121]
    """
    ### BEGIN SOLUTION
    images = torch.as_tensor(images)
    mean = torch.tensor(CIFAR_MEAN, dtype=torch.float32, device=images.device).view(3, 1, 1)
    std = torch.tensor(CIFAR_STD, dtype=torch.float32, device=images.device).view(3, 1, 1)
    unit = images.permute(0, 3, 1, 2).contiguous().float() / 255  # (N, 3, H, W)
    return (unit - mean) / std
    ### END SOLUTION
