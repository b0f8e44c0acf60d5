"""Task 1: what each transform must do whatever it draws, and what it does when nothing is left to chance.

Tolerances of .02 leave room for submissions that go through 8-bit images (1/255 = .004 for each rounding).
"""
import numpy as np
import pytest
import torch

from autograder import expect, limits, measure

TRANSFORMS = ["random_resized_crop", "random_flip", "color_jitter", "random_grayscale", "random_blur"]
MEAN = torch.tensor([0.4914, 0.4822, 0.4465]).view(3, 1, 1)
STD = torch.tensor([0.247, 0.243, 0.261]).view(3, 1, 1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.item("augmentations.range")
@pytest.mark.parametrize("name", TRANSFORMS)
def test_range(student, name):
    images = torch.rand(24, 3, 32, 32, generator=generator()).round()  # black, white and full colors: jitter must clip
    views = getattr(student.augmentations, name)(images)
    views = expect.tensor(views, (24, 3, 32, 32), torch.float32, what=f"{name}(images)")
    low, high = float(views.min()), float(views.max())
    # 1e-4: rounding in float32; unclipped jitter leaves the range by .1 and more.
    expect.true(low >= -1e-4 and high <= 1 + 1e-4, f"{name}(images) in [0, 1]", f"values from {low:.3g} to {high:.3g}")


MIN_CROPPED = limits.at_least_of(1, 40, "crops with less than .8 of the width")


@pytest.mark.item("augmentations.crop")
def test_crop_is_an_upright_part_of_the_image(student):
    flat = torch.full((2, 3, 32, 32), 0.4)
    expect.close(student.augmentations.random_resized_crop(flat), flat, rtol=0.0, atol=0.02, what="a crop of a flat image")
    images = measure.ramps(40)  # red grows from left to right, green from top to bottom
    views = expect.tensor(student.augmentations.random_resized_crop(images), (40, 3, 32, 32), what="the crops")
    width, height, _, _ = measure.crop_boxes(views.float())
    # At least sqrt(.2 · 3/4) = .39 of the width and of the height is left; a mirrored or turned view has less than .05.
    expect.true(bool((width > 0.2).all()), "crops in which left stays left", "mirrored, turned or flat ones")
    expect.true(bool((height > 0.2).all()), "crops in which up stays up", "mirrored, turned or flat ones")
    MIN_CROPPED.check(int((width < 0.8).sum()), "crops of different sizes", "whole images only")
    blue = views[:, 2]
    expect.true(bool(((blue - 0.5).abs() < 0.02).all()), "the channels to be cropped together", "mixed channels")


@pytest.mark.item("augmentations.flip")
def test_flip(student):
    images = torch.tensor([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]).view(1, 1, 2, 3).repeat(2, 3, 1, 1)
    never = student.augmentations.random_flip(images, p=0.0)
    expect.close(never, images, rtol=0.0, atol=0.02, what="random_flip(images, p=0.0)", note="as it came in")
    always = student.augmentations.random_flip(images, p=1.0)
    mirrored = torch.tensor([0.4, 0.2, 0.0, 1.0, 0.8, 0.6]).view(1, 1, 2, 3).repeat(2, 3, 1, 1)
    expect.close(always, mirrored, rtol=0.0, atol=0.02, what="random_flip(images, p=1.0)", note="left is right, up stays up")


MIN_BRIGHTNESSES = limits.at_least(0.02, "deviation of 8 images' brightness", "log")


@pytest.mark.item("augmentations.jitter")
def test_jitter_of_strength_zero(student):
    images = torch.rand(2, 3, 2, 2, generator=generator())
    views = student.augmentations.color_jitter(images, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0)
    expect.close(views, images, rtol=0.0, atol=0.02, what="color_jitter with all strengths 0", note="as it came in")
    flat = torch.full((8, 3, 2, 2), 0.5)
    views = expect.tensor(student.augmentations.color_jitter(flat), (8, 3, 2, 2), what="color_jitter of gray images")
    one_color = bool((views - views[:, :1, :1, :1]).abs().max() < 0.02)
    expect.true(one_color, "a flat gray image to stay flat and gray", "different values within an image")
    wanted, came = "images of different brightness", "the same for all (one draw for the batch?)"
    MIN_BRIGHTNESSES.check(float(views.std()), wanted, came)


@pytest.mark.item("augmentations.grayscale")
def test_grayscale(student):
    images = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.2, 0.4, 0.6]]).view(4, 3, 1, 1)
    never = student.augmentations.random_grayscale(images, p=0.0)
    expect.close(never, images, rtol=0.0, atol=0.02, what="random_grayscale(images, p=0.0)", note="as it came in")
    gray = torch.tensor([0.299, 0.587, 0.114, 0.363]).view(4, 1, 1, 1).repeat(1, 3, 1, 1)
    # The nearest wrong variant, the plain mean of the channels, is off by .034 for red.
    always = student.augmentations.random_grayscale(images, p=1.0)
    expect.close(always, gray, rtol=0.0, atol=0.02, what="random_grayscale(images, p=1.0)",
                 note=".2989 red + .587 green + .114 blue")  # fmt: skip


# σ ≥ .35 in 7 of 8 draws, which gives less than .95 in the center of a blurred point.
MIN_BLURRED = limits.at_least_of(1, 12, "points that are blurred")
MIN_SIGMAS = limits.at_least(0.01, "deviation of 12 blurred centers", "log")


@pytest.mark.item("augmentations.blur")
def test_blur(student):
    point = torch.zeros(12, 3, 7, 7)
    point[:, :, 3, 3] = 1.0
    never = student.augmentations.random_blur(point, p=0.0)
    expect.close(never, point, rtol=0.0, atol=0.02, what="random_blur(images, p=0.0)", note="as it came in")
    views = expect.tensor(student.augmentations.random_blur(point, p=1.0), (12, 3, 7, 7), what="random_blur(images, p=1.0)")
    views = views.float()
    outside = views.clone()
    outside[:, :, 2:5, 2:5] = 0
    expect.true(float(outside.abs().max()) < 0.02, "a kernel of 3 × 3 pixels", "a bright point that spreads further")
    # Nine roundings to 8 bits may lose .035.
    kept = views.sum(dim=(2, 3))
    expect.true(float((kept - 1).abs().max()) < 0.05, "weights that add up to 1", f"{float(kept.min()):.3g} to {float(kept.max()):.3g}")
    center = views[:, 0, 3, 3]
    # A Gaussian of σ ≤ 2 has .131 or more in its center, a box .111.
    expect.true(float(center.min()) > 0.12, "a center with .13 of the weight or more (σ ≤ 2)", f"{float(center.min()):.3g}")
    MIN_BLURRED.check(int((center < 0.95).sum()), "a blurred point", "the point as it was")
    MIN_SIGMAS.check(float(center.std()), "a σ drawn for each image", "the same blur for all images")
    # A red of 1 must not reach the other channels, whose kernel is that of red. Rounding to 8 bits leaves .004 in each.
    color = torch.tensor([1.0, 0.6, 0.3]).view(3, 1, 1)
    views = student.augmentations.random_blur(point * color, p=1.0)
    views = expect.tensor(views, (12, 3, 7, 7), what="random_blur(images, p=1.0)").float()
    wanted = views[:, :1] * color
    worst = int((views - wanted).abs().amax(dim=(1, 2, 3)).argmax())
    expect.close(views[worst, :, 3, 3:5], wanted[worst, :, 3, 3:5], rtol=0.0, atol=0.02,
                 what="the center of a point of color (1, .6, .3), blurred, and the pixel to its right",
                 note="in each channel the kernel of the first: one σ for the image, no other channel added")  # fmt: skip


def denormalized(views, n: int, what: str) -> torch.Tensor:
    return expect.tensor(views, (n, 3, 32, 32), torch.float32, what=what) * STD + MEAN


# Noise has a mean of .5, times a factor in [.6, 1.4] for each image: for 24 images .48 with a deviation of .024.
# Integer division gives .00.
MIN_MEAN, MAX_MEAN = limits.at_least(0.33, "mean of views of noise"), limits.at_most(0.64, "mean of views of noise, from above")


@pytest.mark.item("augmentations.augment")
@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_augment(student, kind):
    black = torch.zeros(4, 32, 32, 3, dtype=torch.uint8)
    noise = torch.randint(0, 256, (24, 32, 32, 3), dtype=torch.uint8, generator=generator(1))
    if kind == "array":
        black, noise = black.numpy(), noise.numpy()
    # Black stays black in every transform, so normalization is all that is left.
    views = expect.tensor(student.augmentations.augment(black), (4, 3, 32, 32), torch.float32, what="augment(images)")
    wanted = (-MEAN / STD).expand(4, 3, 32, 32)
    note = "black images, normalized once: −1.989, −1.984 and −1.711 in the three channels"
    expect.close(views, wanted, rtol=0.0, atol=0.02, what="augment of black images", note=note)
    red = np.full((8, 32, 32, 3), [200, 60, 60], dtype=np.uint8)
    red = red if kind == "array" else torch.from_numpy(red)
    views = denormalized(student.augmentations.augment(red), 8, "augment(images)")
    # The hue turns by a tenth of the circle at most, so red stays the largest (or equal, where the view is gray).
    kept = bool((views[:, 0] >= views.amax(dim=1) - 0.02).all())
    expect.true(kept, "red to be the first channel of red images", "another channel that is larger")
    views = denormalized(student.augmentations.augment(noise), 24, "augment(images)")
    low, high = float(views.min()), float(views.max())
    expect.true(low >= -1e-3 and high <= 1 + 1e-3, "views in [0, 1] before the normalization",
                f"values from {low:.3g} to {high:.3g} where it is undone")  # fmt: skip
    mean = float(views.mean())
    for limit in (MIN_MEAN, MAX_MEAN):
        limit.check(mean, "a mean of about .5 for noise, the normalization undone", f"{mean:.3g}")
    dark = torch.ones(4, 32, 32, 3, dtype=torch.uint8)
    views = student.augmentations.augment(dark.numpy() if kind == "array" else dark)
    # 1/255 times a factor of at most 1.4, over a deviation of .243, is .023; without the division by 255 it is 2.4 and more.
    expect.close(views, wanted, rtol=0.0, atol=0.1, what="augment of images of ones",
                 note="stored values go to 255: a 1 is as good as black, also where no other value is in the batch")  # fmt: skip


MIN_DIFFERENCE = limits.at_least(0.02, "difference of two views, the smallest of 8 images", "log")


@pytest.mark.item("augmentations.two_views")
def test_two_views(student):
    images = torch.zeros(16, 32, 32, 3, dtype=torch.uint8)
    images[8:] = torch.randint(100, 256, (8, 32, 32, 3), dtype=torch.uint8, generator=generator())
    pair = student.augmentations.two_views(images)
    is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2
    expect.true(is_pair, "a pair of tensors from two_views(images)", expect.describe(pair) if not is_pair else "")
    view_a, view_b = (denormalized(each, 16, "each view") for each in pair)
    for view in (view_a, view_b):
        bright = view.mean(dim=(1, 2, 3)) > 0.1
        expect.true(bool((bright == (torch.arange(16) >= 8)).all()), "row i of both views from image i", "rows in another order")
    differences = (view_a - view_b).abs().amax(dim=(1, 2, 3))[8:]
    equal = f"equal views for {int((differences < MIN_DIFFERENCE.value).sum())} of 8 images"
    MIN_DIFFERENCE.check(float(differences.min()), "two different views of each image", equal)
