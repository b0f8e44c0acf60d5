"""Mistakes that are measured at thresholds and are in no list of known ones, written as those of `autograder.misconceptions` are."""

import torch
import torch.nn.functional as F

from autograder.misconceptions import Entry
from solutions.augmentations import (
    _factor,
    _gray,
    _normalize,
    _shift_hue,
    _uniform,
    color_jitter,
    random_blur,
    random_flip,
    random_grayscale,
    random_resized_crop,
)
from solutions.training import train_vicreg
from solutions.warmup import normalize

TRAIN = "training.train_vicreg"


def nothing(encoder, projector, images, *args, **options):
    return {"train": [], "test": []}


def no_variance(*args, _right=train_vicreg, **options):
    return _right(*args, **{**options, "var_weight": 0.0})


def invariance_alone(*args, _right=train_vicreg, **options):
    return _right(*args, **{**options, "var_weight": 0.0, "cov_weight": 0.0})


def no_covariance(*args, _right=train_vicreg, **options):
    return _right(*args, **{**options, "cov_weight": 0.0})


def uncropped(images, scale=(0.2, 1.0)):
    return images.clone()


def clipped_at_the_end(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    images = images * _factor(images, brightness)
    mean = _gray(images).mean(dim=(1, 2, 3), keepdim=True)
    images = images.lerp_(mean, 1 - _factor(images, contrast))
    images = images.lerp_(_gray(images), 1 - _factor(images, saturation)).clamp_(0, 1)
    return _shift_hue(images, _uniform(images, -hue, hue, 1, 1, 1)).clamp_(0, 1)


def large_crops(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    views = random_resized_crop(views, scale=(0.5, 1.0))
    return _normalize(random_blur(random_grayscale(color_jitter(random_flip(views)))))


def weak_brightness(images):
    views = random_flip(random_resized_crop(torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255))
    return _normalize(random_blur(random_grayscale(color_jitter(views, brightness=0.2))))


def weak_contrast(images):
    views = random_flip(random_resized_crop(torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255))
    return _normalize(random_blur(random_grayscale(color_jitter(views, contrast=0.2))))


def first_outputs(images, dim=1024, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = normalize(torch.as_tensor(images))
    for channels in (3, 32, 32, 32):
        x = F.conv2d(x, torch.randn(32, channels, 5, 5, generator=generator) / (25 * channels) ** 0.5)
    return x.flatten(1)[:, :dim]


MISTAKES = [
    Entry(TRAIN, "untrained", nothing),
    Entry(TRAIN, "no variance term", no_variance),
    Entry(TRAIN, "invariance alone", invariance_alone),
    Entry(TRAIN, "no covariance term", no_covariance),
    Entry("augmentations.random_resized_crop", "whole images", uncropped),
    Entry("augmentations.color_jitter", "clipped at the end", clipped_at_the_end),
    Entry("augmentations.augment", "crops of a half and more", large_crops),
    Entry("augmentations.augment", "brightness too weak", weak_brightness),
    Entry("augmentations.augment", "contrast too weak", weak_contrast),
    Entry("laplacian.random_features", "the first outputs instead of a projection", first_outputs),
]
