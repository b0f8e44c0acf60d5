"""Right solutions of task 1 in other styles: torchvision one image at a time, loops, numpy, 8-bit images."""
import numpy as np
import torch

from solutions.augmentations import (
    CIFAR_MEAN,
    CIFAR_STD,
    _normalize,
    augment,
    color_jitter,
    random_blur,
    random_flip,
    random_grayscale,
    random_resized_crop,
)
from autograder.proofs.variants import variant


@variant("augmentations.random_resized_crop", "torchvision, one image at a time")
def crop_torchvision(images, scale=(0.2, 1.0)):
    from assignment.provided.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision import transforms

    crop = transforms.RandomResizedCrop(tuple(images.shape[-2:]), scale=scale, antialias=True)
    return torch.stack([crop(image) for image in images])


@variant("augmentations.random_resized_crop", "torchvision, nearest neighbor")
def crop_nearest(images, scale=(0.2, 1.0)):
    from assignment.provided.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision import transforms

    nearest = transforms.InterpolationMode.NEAREST
    crop = transforms.RandomResizedCrop(tuple(images.shape[-2:]), scale=scale, interpolation=nearest)
    return torch.stack([crop(image) for image in images])


@variant("augmentations.random_resized_crop", "a loop with python's random and bicubic interpolation")
def crop_loop(images, scale=(0.2, 1.0)):
    import math
    import random

    height, width = images.shape[-2:]
    out = []
    for image in images:
        while True:
            area = height * width * random.uniform(*scale)
            aspect = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
            h, w = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
            if h <= height and w <= width:
                break
        y, x = random.randint(0, height - h), random.randint(0, width - w)
        part = image[None, :, y : y + h, x : x + w]
        out.append(torch.nn.functional.interpolate(part, size=(height, width), mode="bicubic")[0])
    return torch.stack(out).clamp(0, 1)


@variant("augmentations.random_resized_crop", "an affine grid for the whole batch")
def crop_grid(images, scale=(0.2, 1.0)):
    n = len(images)
    area = torch.empty(n).uniform_(*scale)
    aspect = torch.exp(torch.empty(n).uniform_(np.log(3 / 4), np.log(4 / 3)))
    w, h = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = w, h
    theta[:, 0, 2] = (torch.rand(n) * 2 - 1) * (1 - w)
    theta[:, 1, 2] = (torch.rand(n) * 2 - 1) * (1 - h)
    grid = torch.nn.functional.affine_grid(theta, list(images.shape), align_corners=False)
    return torch.nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False).clamp(0, 1)


@variant("augmentations.random_flip", "torchvision, one image at a time")
def flip_torchvision(images, p=0.5):
    from assignment.provided.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision import transforms

    flip = transforms.RandomHorizontalFlip(p)
    return torch.stack([flip(image) for image in images])


@variant("augmentations.random_flip", "where with a mask")
def flip_where(images, p=0.5):
    mask = torch.bernoulli(torch.full((len(images), 1, 1, 1), float(p))).bool()
    return torch.where(mask, torch.flip(images, dims=[3]), images)


@variant("augmentations.random_flip", "numpy and back")
def flip_numpy(images, p=0.5):
    out = images.numpy().copy()
    for i in range(len(out)):
        if np.random.rand() < p:
            out[i] = out[i, :, :, ::-1]
    return torch.from_numpy(out)


@variant("augmentations.color_jitter", "torchvision, one image at a time, in a random order")
def jitter_torchvision(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    from assignment.provided.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision import transforms

    jitter = transforms.ColorJitter(brightness, contrast, saturation, hue)
    return torch.stack([jitter(image) for image in images])


@variant("augmentations.color_jitter", "torchvision on 8-bit images")
def jitter_pillow(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    from assignment.provided.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision import transforms

    one = transforms.Compose(
        [transforms.ToPILImage(), transforms.ColorJitter(brightness, contrast, saturation, hue), transforms.ToTensor()]
    )
    return torch.stack([one(image) for image in images])


@variant("augmentations.color_jitter", "a loop over images with functional transforms")
def jitter_loop(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    from assignment.provided.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision.transforms import functional as TF

    out = []
    for image in images:
        image = TF.adjust_hue(image, float(torch.empty(1).uniform_(-hue, hue)))
        image = TF.adjust_saturation(image, float(torch.empty(1).uniform_(1 - saturation, 1 + saturation)))
        image = TF.adjust_contrast(image, float(torch.empty(1).uniform_(1 - contrast, 1 + contrast)))
        out.append(TF.adjust_brightness(image, float(torch.empty(1).uniform_(1 - brightness, 1 + brightness))))
    return torch.stack(out)


@variant("augmentations.random_grayscale", "torchvision, one image at a time")
def gray_torchvision(images, p=0.2):
    from assignment.provided.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision import transforms

    gray = transforms.RandomGrayscale(p)
    return torch.stack([gray(image) for image in images])


@variant("augmentations.random_grayscale", "einsum, weights .299 .587 .114")
def gray_einsum(images, p=0.2):
    gray = torch.einsum("nchw,c->nhw", images, torch.tensor([0.299, 0.587, 0.114]))[:, None].repeat(1, 3, 1, 1)
    mask = (torch.rand(len(images)) < p).float().view(-1, 1, 1, 1)
    return mask * gray.clamp(0, 1) + (1 - mask) * images


@variant("augmentations.random_blur", "torchvision, one image at a time")
def blur_torchvision(images, p=0.5):
    from assignment.provided.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision import transforms

    blur = transforms.RandomApply([transforms.GaussianBlur(3)], p=p)
    return torch.stack([blur(image) for image in images])


@variant("augmentations.random_blur", "a grouped convolution, border repeated")
def blur_convolution(images, p=0.5):
    n, channels, height, width = images.shape
    sigma = torch.empty(n, 1).uniform_(0.1, 2.0)
    line = torch.exp(-torch.tensor([-1.0, 0.0, 1.0]) ** 2 / (2 * sigma**2))
    line = line / line.sum(dim=1, keepdim=True)
    kernel = (line[:, :, None] * line[:, None, :]).repeat_interleave(channels, dim=0)[:, None]
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="replicate").reshape(1, n * channels, height + 2, width + 2)
    blurred = torch.nn.functional.conv2d(padded, kernel, groups=n * channels).view_as(images)
    return torch.where(torch.rand(n, 1, 1, 1) < p, blurred, images).clamp(0, 1)


@variant("augmentations.augment", "torchvision's pipeline on 8-bit images")
def augment_pillow(images):
    from assignment.provided.torchvision_compat import import_torchvision

    import_torchvision()
    from torchvision import transforms

    pipeline = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.RandomResizedCrop(tuple(images.shape[1:3]), scale=(0.2, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.4, 0.4, 0.2, 0.1),
            transforms.RandomGrayscale(0.2),
            transforms.RandomApply([transforms.GaussianBlur(3)], p=0.5),
            transforms.ToTensor(),
            transforms.Normalize(CIFAR_MEAN, CIFAR_STD),
        ]
    )
    return torch.stack([pipeline(image) for image in np.asarray(images)])


@variant("augmentations.augment", "another order, in one expression")
def augment_other_order(images):
    x = torch.as_tensor(images).movedim(3, 1).to(torch.float32).div(255)
    return _normalize(random_flip(random_resized_crop(random_grayscale(color_jitter(random_blur(x))))))


@variant("augmentations.two_views", "one pass over doubled images, a list")
def two_views_at_once(images):
    images = torch.as_tensor(images)
    return list(augment(torch.cat([images, images])).chunk(2))
