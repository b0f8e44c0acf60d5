"""Task 0: normalize."""
import numpy as np
import pytest
import torch

from autograder import expect

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.247, 0.243, 0.261)
# float32 rounds at 1e-7 of values up to 2.1. The nearest wrong variants: / 256 is off by 1.6e-2, ImageNet's mean by 1e-2.
CLOSE = {"rtol": 0.0, "atol": 1e-4}


def expected(pixels) -> torch.Tensor:
    """(N, 3, H, W) for pixels (N, H, W, 3), entry by entry as the equation has it."""
    out = torch.zeros(len(pixels), 3, len(pixels[0]), len(pixels[0][0]), dtype=torch.float64)
    for n, c, h, w in np.ndindex(*out.shape):
        out[n, c, h, w] = (int(pixels[n][h][w][c]) / 255 - MEAN[c]) / STD[c]
    return out


@pytest.mark.item("warmup.values")
@pytest.mark.parametrize("kind", [np.array, torch.tensor], ids=["array", "tensor"])
def test_values(student, kind):
    colors = [[[[0, 0, 0]]], [[[255, 255, 255]]], [[[51, 102, 204]]]]  # three images of one pixel
    dark = [[[[0, 1, 1]]], [[[1, 0, 0]]], [[[0, 0, 0]]]]  # no image of values in [0, 1] yet: 1 is 1 / 255
    for pixels, note in ((colors, ""), (dark, "dark images are divided by 255 as all others are")):
        images = kind(pixels, dtype=np.uint8 if kind is np.array else torch.uint8)
        found = expect.tensor(student.warmup.normalize(images), (3, 3, 1, 1), torch.float32, what="normalize(images)")
        expect.close(found, expected(pixels), **CLOSE, what="normalize(images)", note=note)


@pytest.mark.item("warmup.layout")
def test_layout(student):
    images = np.arange(18, dtype=np.uint8).reshape(1, 2, 3, 3) * 14  # 2 rows, 3 columns
    found = expect.tensor(student.warmup.normalize(images), (1, 3, 2, 3), torch.float32, what="normalize(images)")
    expect.close(found, expected(images), **CLOSE, what="normalize(images)",
                 note="out[n, c, h, w] is made from images[n, h, w, c]")  # fmt: skip
