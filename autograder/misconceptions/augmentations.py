"""Mistakes in task 1. What these functions return is random: observers read what was drawn, and how often."""
import torch

from assignment.provided.datasets import CIFAR_MEAN, CIFAR_STD
from autograder import measure
from autograder.diagnosis import Near
from autograder.misconceptions import alteration, misconception, observer
from solutions.augmentations import (
    _blur_matrix,
    _chosen,
    _crop_sizes,
    _crop_starts,
    _factor,
    _gray,
    _normalize,
    _resize_matrix,
    _separable,
    _shift_hue,
    _uniform,
    augment,
    color_jitter,
    random_blur,
    random_flip,
    random_grayscale,
    random_resized_crop,
)

ONE_DRAW = "You draw once for the whole batch, so all images get the same. Each image needs its own draw."
SWAPPED = "With p = 1 nothing happens and with p = 0 it always does: p and 1 − p have changed places."


@misconception("augmentations.random_resized_crop", "one draw for the batch", ONE_DRAW)
def crop_once(images, scale=(0.2, 1.0)):
    size = images.shape[-1]
    h, w = _crop_sizes(images[:1], scale)
    rows = _resize_matrix(_crop_starts(images[:1], h, size), h, size)
    columns = _resize_matrix(_crop_starts(images[:1], w, size), w, size)
    return _separable(images, rows.expand(len(images), -1, -1), columns.expand(len(images), -1, -1)).clamp(0, 1)


@misconception(
    "augmentations.random_resized_crop",
    "area used as side length",
    "You take the drawn number as the length of a side. It is a share of the area, so small crops come out far too small.",
)
def area_as_side(images, scale=(0.2, 1.0)):
    size = images.shape[-1]
    h = w = (size * _uniform(images, *scale)).round().clamp(1, size)
    rows = _resize_matrix(_crop_starts(images, h, size), h, size)
    return _separable(images, rows, _resize_matrix(_crop_starts(images, w, size), w, size)).clamp(0, 1)


@misconception(
    "augmentations.random_resized_crop",
    "square crops only",
    "Your rectangles are all square. The aspect is drawn as well, from 3/4 to 4/3.",
)
def square_crops(images, scale=(0.2, 1.0)):
    size = images.shape[-1]
    length = (size * _uniform(images, *scale).sqrt()).round().clamp(1, size)
    rows = _resize_matrix(_crop_starts(images, length, size), length, size)
    return _separable(images, rows, _resize_matrix(_crop_starts(images, length, size), length, size)).clamp(0, 1)


@misconception(
    "augmentations.random_resized_crop",
    "always in the center",
    "Your rectangles all have the center of the image in theirs. Their place is random, too.",
)
def central_crops(images, scale=(0.2, 1.0)):
    size = images.shape[-1]
    h, w = _crop_sizes(images, scale)
    rows = _resize_matrix(((size - h) / 2).floor(), h, size)
    return _separable(images, rows, _resize_matrix(((size - w) / 2).floor(), w, size)).clamp(0, 1)


@misconception(
    "augmentations.random_resized_crop",
    "always in the corner",
    "Your rectangles all begin in the upper left corner. Their place is random, too.",
)
def corner_crops(images, scale=(0.2, 1.0)):
    size = images.shape[-1]
    h, w = _crop_sizes(images, scale)
    rows = _resize_matrix(torch.zeros_like(h), h, size)
    return _separable(images, rows, _resize_matrix(torch.zeros_like(w), w, size)).clamp(0, 1)


@misconception(
    "augmentations.random_resized_crop",
    "scale ignored",
    "Your crops do not keep to the argument `scale`: with scale=(0.25, 0.25) their areas still vary. Do you use both numbers?",
)
def scale_ignored(images, scale=(0.2, 1.0)):
    size = images.shape[-1]
    h, w = _crop_sizes(images, (0.2, 1.0))
    rows = _resize_matrix(_crop_starts(images, h, size), h, size)
    return _separable(images, rows, _resize_matrix(_crop_starts(images, w, size), w, size)).clamp(0, 1)


@misconception(
    "augmentations.random_resized_crop",
    "rows and columns exchanged",
    "Your crops are turned over the diagonal: rows have become columns.",
)
def transposed_crop(images, scale=(0.2, 1.0)):
    size = images.shape[-1]
    h, w = _crop_sizes(images, scale)
    rows = _resize_matrix(_crop_starts(images, h, size), h, size)
    return _separable(images, rows, _resize_matrix(_crop_starts(images, w, size), w, size)).clamp(0, 1).mT


@misconception(
    "augmentations.random_resized_crop",
    "size of 32 built in",
    "Your crops are 32 × 32 whatever the size of the image. They should be as large as the image that came in.",
)
def always_32(images, scale=(0.2, 1.0)):
    h, w = _crop_sizes(images, scale)
    y, x = _crop_starts(images, h, images.shape[-2]), _crop_starts(images, w, images.shape[-1])
    out = []
    for i in range(len(images)):
        part = images[i : i + 1, :, int(y[i]) : int(y[i] + h[i]), int(x[i]) : int(x[i] + w[i])]
        out.append(torch.nn.functional.interpolate(part, size=(32, 32), mode="bilinear"))
    return torch.cat(out).clamp(0, 1)


@misconception("augmentations.random_flip", "one draw for the batch", ONE_DRAW)
def flip_once(images, p=0.5):
    return images.flip(-1) if torch.rand(()) < p else images.clone()


@misconception("augmentations.random_flip", "p and 1 − p swapped", SWAPPED)
def flip_swapped(images, p=0.5):
    out = images.clone()
    chosen = _chosen(images, 1 - p)
    out[chosen] = images[chosen].flip(-1)
    return out


@misconception(
    "augmentations.random_flip",
    "vertical instead of horizontal",
    "You turn the images upside down. Left and right should change places.",
)
def vertical_flip(images, p=0.5):
    out = images.clone()
    chosen = _chosen(images, p)
    out[chosen] = images[chosen].flip(-2)
    return out


@misconception(
    "augmentations.random_flip",
    "turned by 180 degrees",
    "You reverse rows and columns, which turns the image. A mirror image has its rows in place.",
)
def turned(images, p=0.5):
    out = images.clone()
    chosen = _chosen(images, p)
    out[chosen] = images[chosen].flip(-2, -1)
    return out


@misconception(
    "augmentations.random_flip",
    "input changed in place",
    "You write the mirrored images into the tensor that you were given. Whoever called you still needs it.",
)
def flip_in_place(images, p=0.5):
    chosen = _chosen(images, p)
    images[chosen] = images[chosen].flip(-1)
    return images


@misconception("augmentations.random_flip", "p ignored", "The argument `p` makes no difference to your flips.")
def flip_p_ignored(images, p=0.5):
    out = images.clone()
    chosen = _chosen(images, 0.5)
    out[chosen] = images[chosen].flip(-1)
    return out


@misconception("augmentations.color_jitter", "one draw for the batch", ONE_DRAW)
def jitter_once(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    one = images[:1]
    images = (images * _factor(one, brightness)).clamp(0, 1)
    mean = _gray(images).mean(dim=(1, 2, 3), keepdim=True)
    images = images.lerp(mean, 1 - _factor(one, contrast)).clamp(0, 1)
    images = images.lerp(_gray(images), 1 - _factor(one, saturation)).clamp(0, 1)
    return _shift_hue(images, _uniform(one, -hue, hue, 1, 1, 1)).clamp(0, 1)


@misconception(
    "augmentations.color_jitter",
    "values outside [0, 1]",
    "A bright pixel times a factor above 1 leaves [0, 1]. What comes back has to be in the range again.",
)
def not_clipped(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    images = images * _factor(images, brightness)
    mean = _gray(images).mean(dim=(1, 2, 3), keepdim=True)
    images = images.lerp(mean, 1 - _factor(images, contrast))
    images = images.lerp(_gray(images), 1 - _factor(images, saturation))
    return _shift_hue(images, _uniform(images, -hue, hue, 1, 1, 1))


@misconception(
    "augmentations.color_jitter",
    "factors between 0 and the strength",
    "Your factors lie in [0, strength], so images turn nearly black. The strength says how far a factor may be from 1.",
)
def factors_around_zero(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    images = (images * _uniform(images, 0, brightness, 1, 1, 1)).clamp(0, 1)
    mean = _gray(images).mean(dim=(1, 2, 3), keepdim=True)
    images = images.lerp(mean, 1 - _uniform(images, 0, contrast, 1, 1, 1)).clamp(0, 1)
    images = images.lerp(_gray(images), 1 - _uniform(images, 0, saturation, 1, 1, 1)).clamp(0, 1)
    return _shift_hue(images, _uniform(images, -hue, hue, 1, 1, 1)).clamp(0, 1)


@misconception(
    "augmentations.color_jitter",
    "factors between 1 and 1 + strength",
    "Your factors are never below 1: images only get brighter. They lie on both sides of 1.",
)
def only_brighter(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    images = (images * _uniform(images, 1, 1 + brightness, 1, 1, 1)).clamp(0, 1)
    mean = _gray(images).mean(dim=(1, 2, 3), keepdim=True)
    images = images.lerp(mean, 1 - _uniform(images, 1, 1 + contrast, 1, 1, 1)).clamp(0, 1)
    images = images.lerp(_gray(images), 1 - _uniform(images, 1, 1 + saturation, 1, 1, 1)).clamp(0, 1)
    return _shift_hue(images, _uniform(images, 0, hue, 1, 1, 1)).clamp(0, 1)


@misconception(
    "augmentations.color_jitter",
    "a factor for each pixel",
    "You draw a number for each pixel, which is noise. One factor belongs to a whole image.",
)
def factor_per_pixel(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    images = (images * (1 + brightness * (2 * torch.rand_like(images) - 1))).clamp(0, 1)
    mean = _gray(images).mean(dim=(1, 2, 3), keepdim=True)
    images = images.lerp(mean, 1 - _factor(images, contrast)).clamp(0, 1)
    images = images.lerp(_gray(images), 1 - _factor(images, saturation)).clamp(0, 1)
    return _shift_hue(images, _uniform(images, -hue, hue, 1, 1, 1)).clamp(0, 1)


@misconception(
    "augmentations.color_jitter",
    "contrast around 0",
    "Your contrast multiplies the image, which is brightness again. Contrast stretches it around its own mean.",
)
def contrast_around_zero(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    images = (images * _factor(images, brightness)).clamp(0, 1)
    images = (images * _factor(images, contrast)).clamp(0, 1)
    images = images.lerp(_gray(images), 1 - _factor(images, saturation)).clamp(0, 1)
    return _shift_hue(images, _uniform(images, -hue, hue, 1, 1, 1)).clamp(0, 1)


@misconception(
    "augmentations.color_jitter",
    "contrast around .5",
    "You stretch around a fixed gray, so the contrast changes the brightness as well. It is around the image's own mean.",
)
def contrast_around_half(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    images = (images * _factor(images, brightness)).clamp(0, 1)
    images = images.lerp(torch.zeros_like(images) + 0.5, 1 - _factor(images, contrast)).clamp(0, 1)
    images = images.lerp(_gray(images), 1 - _factor(images, saturation)).clamp(0, 1)
    return _shift_hue(images, _uniform(images, -hue, hue, 1, 1, 1)).clamp(0, 1)


@misconception(
    "augmentations.color_jitter",
    "contrast around each channel's mean",
    "You stretch each channel around its own mean, so a contrast of 0 leaves a color. The mean is that of the gray image, one number.",
)
def contrast_by_channel(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    images = (images * _factor(images, brightness)).clamp(0, 1)
    images = images.lerp(images.mean(dim=(2, 3), keepdim=True), 1 - _factor(images, contrast)).clamp(0, 1)
    images = images.lerp(_gray(images), 1 - _factor(images, saturation)).clamp(0, 1)
    return _shift_hue(images, _uniform(images, -hue, hue, 1, 1, 1)).clamp(0, 1)


@misconception(
    "augmentations.color_jitter",
    "saturation toward the plain mean",
    "You take the plain mean of the channels for gray. The eye sees green brighter than blue: the weights are in the docstring.",
)
def saturation_toward_mean(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    images = (images * _factor(images, brightness)).clamp(0, 1)
    mean = _gray(images).mean(dim=(1, 2, 3), keepdim=True)
    images = images.lerp(mean, 1 - _factor(images, contrast)).clamp(0, 1)
    images = images.lerp(images.mean(dim=1, keepdim=True), 1 - _factor(images, saturation)).clamp(0, 1)
    return _shift_hue(images, _uniform(images, -hue, hue, 1, 1, 1)).clamp(0, 1)


@misconception(
    "augmentations.color_jitter",
    "hue left alone",
    "The hue of your images does not move.",
)
def no_hue(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
    images = (images * _factor(images, brightness)).clamp(0, 1)
    mean = _gray(images).mean(dim=(1, 2, 3), keepdim=True)
    images = images.lerp(mean, 1 - _factor(images, contrast)).clamp(0, 1)
    return images.lerp(_gray(images), 1 - _factor(images, saturation)).clamp(0, 1)


@misconception("augmentations.random_grayscale", "one draw for the batch", ONE_DRAW)
def gray_once(images, p=0.2):
    return _gray(images).expand(-1, 3, -1, -1).clone() if torch.rand(()) < p else images.clone()


@misconception("augmentations.random_grayscale", "p and 1 − p swapped", SWAPPED)
def gray_swapped(images, p=0.2):
    out = images.clone()
    chosen = _chosen(images, 1 - p)
    out[chosen] = _gray(images[chosen]).expand(-1, 3, -1, -1)
    return out


@misconception(
    "augmentations.random_grayscale",
    "plain mean of the channels",
    "You average the channels. The eye sees green brighter than blue: the weights are in the docstring.",
)
def plain_mean(images, p=0.2):
    out = images.clone()
    chosen = _chosen(images, p)
    out[chosen] = images[chosen].mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    return out


@misconception(
    "augmentations.random_grayscale",
    "weights in the order BGR",
    "Your weights of red and blue have changed places.",
)
def bgr_weights(images, p=0.2):
    out = images.clone()
    chosen = _chosen(images, p)
    out[chosen] = _gray(images[chosen].flip(1)).expand(-1, 3, -1, -1)
    return out


@misconception("augmentations.random_blur", "one draw for the batch", ONE_DRAW)
def blur_once(images, p=0.5):
    if torch.rand(()) >= p:
        return images.clone()
    sigma = _uniform(images[:1], 0.1, 2.0)
    rows, columns = (_blur_matrix(sigma, size).expand(len(images), -1, -1) for size in images.shape[-2:])
    return _separable(images, rows, columns).clamp(0, 1)


@misconception("augmentations.random_blur", "one σ for the batch", ONE_DRAW)
def one_sigma(images, p=0.5):
    chosen = _chosen(images, p)
    sigma = _uniform(images[:1], 0.1, 2.0)
    rows, columns = (_blur_matrix(sigma, size).expand(len(chosen), -1, -1) for size in images.shape[-2:])
    out = images.clone()
    out[chosen] = _separable(images[chosen], rows, columns).clamp(0, 1)
    return out


@misconception("augmentations.random_blur", "p and 1 − p swapped", SWAPPED)
def blur_swapped(images, p=0.5):
    chosen = _chosen(images, 1 - p)
    sigma = _uniform(images[chosen], 0.1, 2.0)
    rows, columns = (_blur_matrix(sigma, size) for size in images.shape[-2:])
    out = images.clone()
    out[chosen] = _separable(images[chosen], rows, columns).clamp(0, 1)
    return out


@misconception(
    "augmentations.random_blur",
    "a box instead of a Gaussian",
    "All nine pixels have the same weight. A Gaussian has most in the center, the more the smaller σ is.",
)
def box_blur(images, p=0.5):
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="reflect")
    out = images.clone()
    chosen = _chosen(images, p)
    out[chosen] = torch.nn.functional.avg_pool2d(padded, 3, stride=1)[chosen]
    return out


@misconception("augmentations.random_blur", "σ is fixed", "Every blur has the same σ. It is drawn anew for each image.")
def fixed_sigma(images, p=0.5):
    chosen = _chosen(images, p)
    sigma = torch.ones(len(chosen), device=images.device, dtype=images.dtype)
    rows, columns = (_blur_matrix(sigma, size) for size in images.shape[-2:])
    out = images.clone()
    out[chosen] = _separable(images[chosen], rows, columns).clamp(0, 1)
    return out


@misconception(
    "augmentations.random_blur",
    "zeros beyond the border",
    "Beyond the border you count zeros, so every blurred image gets a dark frame. What should a flat image become?",
)
def zero_padded_blur(images, p=0.5):
    n, channels, height, width = images.shape
    line = torch.exp(-torch.tensor([1.0, 0.0, 1.0]) / (2 * _uniform(images, 0.1, 2.0, 1) ** 2))  # (N, 3)
    kernel = (line[:, :, None] * line[:, None, :]) / line.sum(dim=1).square().view(-1, 1, 1)
    kernel = kernel.repeat_interleave(channels, dim=0)[:, None]  # (N·C, 1, 3, 3)
    blurred = torch.nn.functional.conv2d(images.reshape(1, -1, height, width), kernel, padding=1, groups=n * channels)
    out = images.clone()
    chosen = _chosen(images, p)
    out[chosen] = blurred.view_as(images)[chosen]
    return out


@misconception(
    "augmentations.augment",
    "not normalized",
    "Your views stay in [0, 1]. The last step of a view is the normalization of task 0.",
)
def augment_not_normalized(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    return random_blur(random_grayscale(color_jitter(random_flip(random_resized_crop(views)))))


@misconception(
    "augmentations.augment",
    "normalized twice",
    "Mean and standard deviation are applied twice, perhaps once in a helper.",
)
def augment_normalized_twice(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    views = random_blur(random_grayscale(color_jitter(random_flip(random_resized_crop(views)))))
    return _normalize(_normalize(views))


@misconception(
    "augmentations.augment",
    "normalized before the transforms",
    "You normalize first, but jitter and grayscale expect images in [0, 1].",
)
def augment_normalized_first(images):
    views = _normalize(torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255)
    return random_blur(random_grayscale(color_jitter(random_flip(random_resized_crop(views)))))


@misconception(
    "augmentations.augment",
    "mean and standard deviation swapped",
    "You take out the standard deviation and divide by the mean. Which of the two shifts, and which scales?",
)
def augment_swapped(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    views = random_blur(random_grayscale(color_jitter(random_flip(random_resized_crop(views)))))
    mean, std = torch.tensor((0.247, 0.243, 0.261)), torch.tensor((0.4914, 0.4822, 0.4465))
    return (views - mean.view(3, 1, 1)) / std.view(3, 1, 1)


@misconception(
    "augmentations.augment",
    "channels read as BGR",
    "The channels come in as red, green, blue and should leave in that order; yours are reversed.",
)
def augment_bgr(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float().flip(1) / 255
    views = random_blur(random_grayscale(color_jitter(random_flip(random_resized_crop(views)))))
    return _normalize(views)


@misconception(
    "augmentations.augment",
    "rows and columns exchanged",
    "Rows have become columns: (N, 3, W, H). Follow each axis to its new place.",
)
def augment_transposed(images):
    views = torch.as_tensor(images).permute(0, 3, 2, 1).float() / 255
    views = random_blur(random_grayscale(color_jitter(random_flip(random_resized_crop(views)))))
    return _normalize(views)


@misconception(
    "augmentations.augment",
    "integer division",
    "The division is made among integers, which leaves only 0 and 1. Look at the dtype at that point.",
)
def augment_integer_division(images):
    views = (torch.as_tensor(images).permute(0, 3, 1, 2) // 255).float()
    views = random_blur(random_grayscale(color_jitter(random_flip(random_resized_crop(views)))))
    return _normalize(views)


@misconception(
    "augmentations.augment",
    "not divided by 255",
    "The transforms expect images in [0, 1], and yours go up to 255: what is then cut to [0, 1] is all white.",
)
def augment_not_divided(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float()
    return _normalize(random_blur(random_grayscale(color_jitter(random_flip(random_resized_crop(views))))))


@misconception("augmentations.augment", "one draw for the batch", ONE_DRAW)
def augment_once(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    n, _, h, w = views.shape
    views = random_flip(random_resized_crop(views.reshape(1, -1, h, w)))  # one image of many channels
    views = views.view(n, 3, h, w).transpose(0, 1).reshape(1, 3, -1, w)  # one tall image
    views = random_grayscale(color_jitter(views)).view(3, n, h, w).transpose(0, 1)
    return _normalize(random_blur(views.reshape(1, -1, h, w)).view(n, 3, h, w))


@misconception("augmentations.augment", "no crop", "Your views show the whole image: the crop is missing.")
def augment_no_crop(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    return _normalize(random_blur(random_grayscale(color_jitter(random_flip(views)))))


@misconception("augmentations.augment", "no flip", "Your views are never mirrored.")
def augment_no_flip(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    return _normalize(random_blur(random_grayscale(color_jitter(random_resized_crop(views)))))


@misconception("augmentations.augment", "no color jitter", "The colors of your views do not change.")
def augment_no_jitter(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    return _normalize(random_blur(random_grayscale(random_flip(random_resized_crop(views)))))


@misconception("augmentations.augment", "no grayscale", "None of your views is gray.")
def augment_no_grayscale(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    return _normalize(random_blur(color_jitter(random_flip(random_resized_crop(views)))))


@misconception("augmentations.augment", "no blur", "None of your views is blurred.")
def augment_no_blur(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    return _normalize(random_grayscale(color_jitter(random_flip(random_resized_crop(views)))))


@misconception(
    "augmentations.augment",
    "crops smaller than a fifth",
    "Some of your crops have less than a fifth of the image. Which range of areas do you call the crop with, or does it take one of its own?",
)
def augment_small_crops(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    views = random_resized_crop(views, scale=(0.08, 1.0))
    return _normalize(random_blur(random_grayscale(color_jitter(random_flip(views)))))


@misconception(
    "augmentations.augment",
    "jitter for some images only",
    "Some of your views keep the brightness of their image. The color jitter has no probability here: every image gets it.",
)
def augment_jitter_some(images):
    views = random_flip(random_resized_crop(torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255))
    chosen = torch.rand(len(views), 1, 1, 1, device=views.device) < 0.8
    views = torch.where(chosen, color_jitter(views), views)
    return _normalize(random_blur(random_grayscale(views)))


@misconception(
    "augmentations.augment",
    "saturation too strong",
    "The saturation of your views varies more than it should. Not all strengths of the color jitter are the same: compare yours one by one.",
)
def augment_saturation(images):
    views = random_flip(random_resized_crop(torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255))
    return _normalize(random_blur(random_grayscale(color_jitter(views, saturation=0.4))))


@misconception(
    "augmentations.augment",
    "gray too seldom",
    "Fewer of your views are gray than should be. Which probability is used where you give none?",
)
def augment_gray_seldom(images):
    views = random_flip(random_resized_crop(torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255))
    return _normalize(random_blur(random_grayscale(color_jitter(views), p=0.1)))


@misconception(
    "augmentations.augment",
    "every view blurred",
    "You blur every view. The blur has a probability: count how many views should stay sharp.",
)
def augment_always_blurred(images):
    views = random_flip(random_resized_crop(torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255))
    return _normalize(random_blur(random_grayscale(color_jitter(views)), p=1.0))


@misconception(
    "augmentations.two_views",
    "both views equal",
    "Both views are the same draw, so the invariance has nothing to learn.",
)
def equal_views(images):
    view = augment(images)
    return view, view.clone()


@misconception(
    "augmentations.two_views",
    "one view not augmented",
    "One of your views is the image itself, only normalized. Both are random.",
)
def one_plain_view(images):
    return _normalize(torch.as_tensor(images).permute(0, 3, 1, 2).contiguous().float() / 255), augment(images)


@misconception(
    "augmentations.two_views",
    "normalized twice",
    "The views are normalized once more, although `augment` does it already.",
)
def normalized_twice_views(images):
    return _normalize(augment(images)), _normalize(augment(images))


@misconception(
    "augmentations.two_views",
    "rows in another order",
    "Row i of your two views does not come from the same image.",
)
def shuffled_views(images):
    return augment(images), augment(images)[torch.randperm(len(images))]


@misconception(
    "augmentations.two_views",
    "seed set inside",
    "You set the seed in the function, so every call gives the same views, and other random numbers are spoiled, too.",
)
def seeded_views(images):
    torch.manual_seed(0)
    return augment(images), augment(images)


@misconception(
    "augmentations.two_views",
    "second view made from the first",
    "Your second view is the first one mirrored. Both are drawn from the image, independently from the first step on.",
)
def mirrored_view(images):
    view = augment(images)
    return view, view.flip(-1)


# What tells these mistakes apart. Draws differ from one right solution to the next, so nothing here depends on which
# numbers were drawn: only on what happened to an image, how often, and whether its neighbors in the batch shared it.

ROUNDED = 0.02  # 8-bit images leave 1/255 for each rounding
MEAN = torch.tensor(CIFAR_MEAN, dtype=torch.float64).view(3, 1, 1)
STD = torch.tensor(CIFAR_STD, dtype=torch.float64).view(3, 1, 1)
BATCHES, ROWS = 16, 32  # that a probability is read from
SLACK = 0.16  # five deviations of the difference of two such shares: 5 √2 · .5 / √512


def _random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def _read(images: torch.Tensor, reader, call, times: int = 8):
    """What `reader` finds in the views (times, N, 3, H, W) that a few calls return; else what they are instead."""
    found = [call() for _ in range(times)]
    for each in found:
        if not isinstance(each, torch.Tensor) or each.shape != images.shape:
            return f"{type(each).__name__} {list(getattr(each, 'shape', []))}"
    return reader(torch.stack(found).double())


def _became(options: dict[str, torch.Tensor]):
    """A reader: the options that images have become, "other" for what is none of them."""

    def reader(views: torch.Tensor) -> list[str]:
        # (options, times, N)
        off = torch.stack([(views - each).abs().amax(dim=(2, 3, 4)) for each in options.values()])
        found = torch.where(off.amin(dim=0) < ROUNDED, off.argmin(dim=0), len(options))
        return [[*options, "other"][i] for i in found.unique().tolist()]

    return reader


def _moved(images: torch.Tensor):
    """What happened to an image, for `_shares`: anything."""
    return lambda views: (views - images).abs().amax(dim=(2, 3, 4)) > ROUNDED


def _shares(transform, images: torch.Tensor, happened) -> dict:
    """How often `happened(views)`, by default and with another probability."""

    def reader(views: torch.Tensor) -> str | Near:
        return _share(happened(views))

    return {
        "by default": _read(images, reader, lambda: transform(images), BATCHES),
        "p = 0.75": _read(images, reader, lambda: transform(images, p=0.75), BATCHES),
    }


def _share(happened: torch.Tensor) -> str | Near:
    """How often it happened, (times, N): a share, or that it happened to whole batches."""
    if bool((happened == happened[:, :1]).all()):
        found = happened[:, 0]
        return "always" if found.all() else "to all or none of a batch" if found.any() else "never"
    seen = happened[happened.any(dim=1)]  # where σ is the same for a batch, it may be too small to be seen in any
    return Near(float(seen.double().mean()), SLACK)


@observer("augmentations.random_flip")
def observe_flip(student):
    flip, images = student.augmentations.random_flip, _random(ROWS, 3, 4, 4)
    options = {"as it was": images, "mirrored": images.flip(-1)}
    options |= {"upside down": images.flip(-2), "turned": images.flip(-2, -1)}
    return {
        "p = 0": _read(images, _became(options), lambda: flip(images, p=0.0)),
        "p = 1": _read(images, _became(options), lambda: flip(images, p=1.0)),
        **_shares(flip, images, _moved(images)),
    }


@observer("augmentations.random_grayscale")
def observe_grayscale(student):
    images = torch.eye(3).view(3, 3, 1, 1).repeat(11, 1, 2, 2)[:ROWS]  # red, green and blue ones
    weights = {"gray": (0.2989, 0.587, 0.114), "mean": (1 / 3, 1 / 3, 1 / 3), "BGR": (0.114, 0.587, 0.2989)}
    options = {"as it was": images}
    for name, each in weights.items():
        options[name] = (images * torch.tensor(each).view(3, 1, 1)).sum(dim=1, keepdim=True).expand_as(images)
    gray = student.augmentations.random_grayscale
    return {
        "p = 0": _read(images, _became(options), lambda: gray(images, p=0.0)),
        "p = 1": _read(images, _became(options), lambda: gray(images, p=1.0)),
        **_shares(gray, images, _moved(images)),
    }


@observer("augmentations.random_blur")
def observe_blur(student):
    blur, points = student.augmentations.random_blur, torch.zeros(ROWS, 3, 7, 7)
    points[:, :, 3, 3] = 1.0
    flat = torch.full((ROWS, 3, 5, 5), 0.5)
    return {
        "brightest with p = 1": _read(points / 2, lambda v: "brighter" if v.max() > 0.6 else "not brighter", lambda: blur(points / 2, p=1.0), 1),
        "blurred with p = 0": _read(points, lambda v: bool(_moved(points)(v).any()), lambda: blur(points, p=0.0), 4),
        "kernels": _read(points, _kernels, lambda: blur(points), BATCHES),  # else one of eight draws is all that is seen
        "flat images": _read(flat, lambda v: "dark at the border" if _moved(flat)(v).any() else "flat", lambda: blur(flat)),
        **_shares(blur, points, lambda views: views[:, :, 0, 3, 3] < 1 - ROUNDED),
    }


def _kernels(views: torch.Tensor) -> dict:
    """What the kernels that blurred a point are, and whether those of a batch have the same σ."""
    batches = [each[each[:, 0, 3, 3] < 1 - ROUNDED] for each in views]
    batches = [each for each in batches if len(each)]
    if not batches:
        return {"kernel": "not seen"}
    alike = all(each[:, 0, 3, 3].max() - each[:, 0, 3, 3].min() < ROUNDED for each in batches)
    always = all(bool((each[:, 0, 3, 3] - batches[0][0, 0, 3, 3]).abs().max() < ROUNDED) for each in batches)
    views = torch.cat(batches)
    center, side, corner = views[:, 0, 3, 3], views[:, 0, 3, 4], views[:, 0, 4, 4]
    inner = views[:, :, 2:5, 2:5]
    # None of the weight is lost, and none lies outside.
    whole = all(bool((each.sum(dim=(2, 3)) - 1).abs().max() < 0.05) for each in (views, inner))
    is_box = bool((inner - 1 / 9).abs().max() < 0.01)
    is_gauss = bool((corner * center - side**2).abs().max() < 0.01 and center.min() > 0.12)
    # The weight of the center deviates by .25 among those that are visible, of which there are about 110.
    weight = Near(float(center.mean()), 5 * 2**0.5 * 0.25 / 110**0.5)
    return {
        "kernel": "box" if is_box and whole else "Gaussian" if is_gauss and whole else "other",
        "σ": "always the same" if always else "the same for all of a batch" if alike else weight,
    }


# Crops


@observer("augmentations.random_resized_crop")
def observe_crop(student):
    crop, images, small = student.augmentations.random_resized_crop, measure.ramps(48), measure.ramps(2, size=24)
    return {
        "shape of small ones": _read(small, lambda views: "as it was", lambda: crop(small), 1),
        "a quarter of the area": _read(images, _area, lambda: crop(images, scale=(0.25, 0.25)), 3),
        "boxes": _read(images, _boxes, lambda: crop(images), 4),
    }


def _area(views: torch.Tensor) -> str | Near:
    """The area of crops that should all have the same, whichever way they lie."""
    area = torch.zeros(len(views) * views.shape[1], dtype=views.dtype)
    for each in (views, views.mT):
        width, height, _, _ = measure.crop_boxes(each.flatten(0, 1))
        area = torch.maximum(area, (width * height).abs())
    # Rounding to pixels is .06 of each side, a deviation of .01; areas from .2 to 1 have one of .2.
    return "varied" if area.std() > 0.08 else Near(float(area.mean()), 0.05)


def _boxes(views: torch.Tensor) -> dict:
    """What the boxes of crops of ramps say about the draws."""
    for way, each in (("upright", views), ("turned over the diagonal", views.mT)):
        boxes = measure.crop_boxes(each.flatten(0, 1))
        width, height, x, y = (of.view(views.shape[:2]) for of in boxes)  # (times, N)
        if bool((width > 0.05).all() and (height > 0.05).all()):
            break
    else:
        return {"way": "none"}
    if bool((width.std(dim=1) < 0.01).all() and (x.std(dim=1) < 0.01).all()):
        return {"way": way, "drawn": "once for a batch"}
    aspect = (width / height).log()
    alike = "square" if aspect.mean().abs() < 0.08 else "all the same"
    aspects = "varied" if aspect.std() > 0.08 else alike  # .17; .03 for rounding
    area = Near(float((width * height).mean()), 0.12)  # deviations are .2, and small crops are misread by a pixel
    return {"way": way, "area": area, "aspects": aspects, "across": _places(width, x), "down": _places(height, y)}


def _places(length: torch.Tensor, center: torch.Tensor) -> str:
    """Where crops begin, of those that leave .3 of the side free: from 0 at the start to 1 at the end."""
    place = ((center - length / 2) / (1 - length))[1 - length > 0.3]
    names = {"start": 0.0, "center": 0.5, "end": 1.0}
    alike = [name for name, where in names.items() if ((place - where).abs() < 0.15).double().mean() > 0.95]
    return alike[0] if alike else "varied"


# Colors


@observer("augmentations.color_jitter")
def observe_jitter(student):
    jitter, images = student.augmentations.color_jitter, _random(24, 3, 8, 8)
    options = {"as it was": images, "black": 0 * images}

    def in_range(views: torch.Tensor) -> bool:
        return bool(views.min() > -1e-4 and views.max() < 1 + 1e-4)

    facts = {
        "strengths of 0": _read(images, _became(options), lambda: jitter(images, 0.0, 0.0, 0.0, 0.0), 1),
        "in range": _read(images, in_range, lambda: jitter(images), 1),
        "brightness": _drawn(jitter, "brightness", (0.5, 0.5, 0.5)),
    }
    if facts["strengths of 0"] == ["as it was"]:  # else none of the others can be looked at alone
        facts["contrast"] = _drawn(jitter, "contrast", (0.2, 0.2, 0.2))
        facts["saturation"] = _drawn(jitter, "saturation", (0.7, 0.4, 0.3))
        facts["hue"] = _drawn(jitter, "hue", (0.8, 0.2, 0.2))
        facts["contrast of green"] = _blended(jitter, "contrast")
        facts["saturation of green"] = _blended(jitter, "saturation")
    return facts


def _blended(jitter, kept: str):
    """What flat green images are moved toward."""
    images = torch.tensor((0.3, 0.7, 0.3)).view(3, 1, 1).repeat(40, 1, 4, 4)
    off = {name: 0.0 for name in ("brightness", "contrast", "saturation", "hue") if name != kept}
    return _read(images, lambda views: _toward(views[..., 0, 0]), lambda: jitter(images, **off))


def _toward(pixels: torch.Tensor) -> str:
    """The value that stays where it is, of those that can be told: gray is .535, the plain mean .433."""
    factors = (pixels[..., 1] - pixels[..., 0]) / 0.4  # (times, N)
    seen = (1 - factors).abs() > 0.1
    if not seen.any():
        return "nothing"
    pivot = float(((pixels[..., 1] - 0.7 * factors) / (1 - factors))[seen].median())
    return "gray" if abs(pivot - 0.535) < 0.03 else "the plain mean" if abs(pivot - 0.433) < 0.03 else "another value"


def _drawn(jitter, kept: str, color: tuple[float, float, float]):
    """What one property does alone to images of one color, the right half brighter for the contrast."""
    images = torch.tensor(color).view(3, 1, 1).repeat(20, 1, 4, 4)
    if kept == "contrast":
        images[:, :, :, 2:] = 0.6
    off = {name: 0.0 for name in ("brightness", "contrast", "saturation", "hue") if name != kept}
    return _read(images, lambda views: _strengths(kept, views), lambda: jitter(images, **off))


def _strengths(kept: str, views: torch.Tensor) -> dict:
    """The range of the factors (or turns of the hue) in images of two halves, and for how many each was drawn."""
    halves = views[..., :2], views[..., 2:]  # (times, N, 3, 4, 2)
    if max(float((each.amax(dim=(3, 4)) - each.amin(dim=(3, 4))).max()) for each in halves) > ROUNDED:
        return {"drawn": "within an image"}
    left, right = (each[..., 0, 0] for each in halves)  # (times, N, 3)
    chroma = left.amax(dim=2) - left.amin(dim=2)
    if kept == "hue" and max(float((left.amax(dim=2) - 0.8).abs().max()), float((chroma - 0.6).abs().max())) > ROUNDED:
        return {"drawn": "in another space than HSV"}  # where value and chroma stay: .8 and .6 of the color that is turned
    found, width, neutral = {
        "brightness": lambda: (left.mean(dim=2) / 0.5, 0.8, 1.0),
        "contrast": lambda: ((right - left).mean(dim=2) / 0.4, 0.8, 1.0),
        "saturation": lambda: (chroma / 0.4, 0.4, 1.0),
        "hue": lambda: ((measure.hue(left.flatten(0, 1)).view(chroma.shape) + 0.5) % 1 - 0.5, 0.2, 0.0),
    }[kept]()
    facts = {"around": _pivot(left.mean(dim=2), found)} if kept == "contrast" else {}
    if bool((found.amax(dim=1) - found.amin(dim=1) < 0.05 * width).all()):
        still = bool((found - neutral).abs().max() < 0.1 * width)
        return facts | {"drawn": "never" if still else "once for a batch"}
    # None of 160 uniform draws lies in the last eighth once in 10⁹; the rest is for rounding and clipping.
    slack = width / 8 + min(0.05, 0.1 * width)
    return facts | {"smallest": Near(float(found.min()), slack), "largest": Near(float(found.max()), slack)}


def _pivot(moved: torch.Tensor, factor: torch.Tensor) -> str:
    """The value that contrast leaves alone, from where it moved 0.2."""
    seen = (1 - factor).abs() > 0.1
    if not seen.any():
        return "nowhere"
    pivot = float(((moved - 0.2 * factor) / (1 - factor))[seen].median())
    names = {"the image's mean": 0.4, "0": 0.0, "one half": 0.5}
    near = [name for name, value in names.items() if abs(pivot - value) < 0.04]
    return near[0] if near else "elsewhere"


# Whole views


@observer("augmentations.augment")
def observe_augment(student):
    black = torch.zeros(12, 32, 32, 3, dtype=torch.uint8)
    split = black.clone()  # dark on the left, bright and red on the right
    split[:, :, 16:] = torch.tensor([200, 100, 60], dtype=torch.uint8)
    flat = torch.tensor([160, 90, 80], dtype=torch.uint8).repeat(12, 32, 32, 1)
    noise = (255 * _random(12, 32, 32, 3)).to(torch.uint8)

    def read(images: torch.Tensor, reader, times: int):
        return _read(images.permute(0, 3, 1, 2), reader, lambda: student.augmentations.augment(images), times)

    facts = {"normalized": read(black, _normalization, 1)}
    if facts["normalized"] in NORMALIZATIONS:
        mean, std = NORMALIZATIONS[facts["normalized"]]
        facts["noise"] = read(noise, lambda views: _levels(views * std + mean), 4)
        facts["split"] = read(split, lambda views: _sides(views * std + mean), 16)
        facts["flat"] = read(flat, lambda views: _colors(views * std + mean), 32)  # gray for whole batches: one in five
        facts["soft"] = read(measure.stripes(12), lambda views: _softened(views * std + mean), 32)
        even, gray = torch.full_like(black, 128), measure.bands(12, (80, 80, 80), (130, 130, 130))
        facts["brightness"] = read(even, lambda views: _brightnesses(views * std + mean), 32)
        facts["contrast"] = read(gray, lambda views: _contrasts(views * std + mean), 16)
        reds = measure.bands(48, (90, 45, 40), (140, 95, 90))
        facts["reds"] = read(reds, lambda views: _reds(views * std + mean), 24)
    return facts


NORMALIZATIONS = {
    "once": (MEAN, STD),
    "twice": (MEAN + STD * MEAN, STD * STD),
    "never, or too early": (torch.zeros(3, 1, 1), torch.ones(3, 1, 1)),
    "with mean and deviation swapped": (STD, MEAN),
}


def _normalization(views: torch.Tensor) -> str:
    """How black images were normalized: they are black in every view."""
    for name, (mean, std) in NORMALIZATIONS.items():
        if (views * std + mean).abs().max() < ROUNDED * std.min():
            return name
    return f"in another way: {[round(float(each), 1) for each in views.mean(dim=(0, 1, 3, 4))]}"


def _levels(views: torch.Tensor) -> dict:
    """The range and mean of noise: brightness makes it deviate by .02, by .06 if it is drawn once for a batch."""
    inside = bool(views.min() > -1e-3 and views.max() < 1 + 1e-3)
    return {"in range": inside, "mean": Near(float(views.mean()), 0.25)}


def _sides(views: torch.Tensor) -> dict:
    """How the edge of images lies that are dark on the left."""
    gray = views.mean(dim=2)  # (times, N, H, W)
    across, down = (gray.mean(dim=each).diff(dim=2).abs().amax(dim=2) for each in (2, 3))
    lying = down > across
    gray = torch.where(lying[:, :, None, None], gray.mT, gray)
    left, right = gray[..., 1].mean(dim=2), gray[..., -2].mean(dim=2)
    seen = (left - right).abs() > 0.2 * gray.amax(dim=(1, 2, 3))[:, None]  # both sides are in the crop
    bright = (gray > gray.amax(dim=(2, 3), keepdim=True) / 2).double().mean(dim=(2, 3))
    moved = (bright - 0.5).abs() > 2.5 / 32
    return {"lying": _often(lying, seen), "mirrored": _often(left > right, seen), "moved": _often(moved, seen)}


def _colors(views: torch.Tensor) -> dict:
    """How the color of flat images of (160, 90, 80) varies."""
    pixels = views[..., 16, 16]  # (times, N, 3)
    chroma = pixels.amax(dim=2) - pixels.amin(dim=2)
    seen = chroma > 0.05
    luma = pixels @ torch.tensor([0.2989, 0.587, 0.114], dtype=torch.float64)
    hue = (measure.hue(pixels.flatten(0, 1)).view(chroma.shape) + 0.25) % 1  # red is far from where 1 meets 0
    vivid = (chroma / pixels.amax(dim=2))[seen]
    return {
        "gray": _often(chroma < ROUNDED, chroma >= 0),
        "largest channel": [_often(pixels.argmax(dim=2) == channel, seen) for channel in range(3)],
        "saturation": Near(float(vivid.mean()), 0.15) if len(vivid) else "none",
        "luma": _varies(luma, chroma >= 0),
        "hue": _varies(hue, seen),
    }


def _softened(views: torch.Tensor) -> dict:
    """How often the edges of stripes are softer than a crop leaves them, and how small crops are."""
    flat = views.flatten(0, 1)
    sharpness, widths = measure.sharpness(flat).view(views.shape[:2]), measure.widths(flat)
    soft = sharpness < measure.SOFT
    # Of the large ones .38 to .43 where half is blurred, .68 and more where all are; 220 of them.
    large = widths.view(views.shape[:2]) > 0.7
    share = float(soft[large].double().mean()) if large.sum() > 100 else 0.0
    at_all = _often(soft, ~sharpness.isnan())
    narrow, rather = (int((widths.nan_to_num(0) < least).sum()) for least in (0.34, 0.55))  # about 13 and 50 of 384
    return {
        "at all": at_all,
        "most of the large": share > 0.55 and at_all != "for whole batches",
        "crops": "tiny" if narrow > 3 else "small" if rather > 12 else "large",
    }


def _brightnesses(views: torch.Tensor) -> dict:
    """How much the brightness of gray images varies, and whether some keep theirs: .04 of right views, .22 where p is .8."""
    factors = views[..., 16, 16].mean(dim=2) * 255 / 128  # (times, N)
    still = float(((factors - 1).abs() < 0.01).double().mean())
    return {"varies": _strength(factors, factors > 0, 0.231), "left alone": "some" if still > 0.12 else "none"}


def _contrasts(views: torch.Tensor) -> str:
    dark, bright = (each.view(views.shape[:2]) for each in measure.two_levels(views.mean(dim=2).flatten(0, 1)))
    total = bright + dark
    return _strength((bright - dark) / total.clamp(min=0.05) * 210 / 50, total > 0.05, 0.231)


def _reds(views: torch.Tensor) -> dict:
    """How often bands of two reds become gray, and how much their saturation and hue vary."""
    pixels = views[..., 16, 16]  # (times, N, 3)
    chroma = pixels.amax(dim=2) - pixels.amin(dim=2)
    colored = chroma > 0.04
    dark, bright = (each.view(chroma.shape) for each in measure.two_levels(views.amax(dim=2).flatten(0, 1)))
    hue = (measure.hue(pixels.flatten(0, 1)).view(chroma.shape) + 0.25) % 1
    whole = bool((colored == colored[:, :1]).all())
    # Of 1152: .2 or .1, with deviations of .012 and .009.
    often = "often" if float((~colored).double().mean()) > 0.147 else "seldom"
    return {
        "gray": "for whole batches" if whole else often,
        "saturation": _strength(chroma / (bright - dark).clamp(min=0.01), colored, 0.115),
        "hue": _strength(hue, colored, 0.058),
    }


def _strength(values: torch.Tensor, seen: torch.Tensor, asked: float) -> str:
    """How much values (times, N) deviate within batches, beside the deviation that is asked for."""
    within = [each[where].std() for each, where in zip(values, seen) if where.sum() > 4]
    if not within:
        return "not seen"
    share = float(torch.stack(within).square().mean().sqrt()) / asked
    return "none" if share < 0.1 else "weak" if share < 0.75 else "as asked" if share < 1.4 else "strong"


def _often(happened: torch.Tensor, seen: torch.Tensor) -> str | Near:
    """The share of those that are seen, some 100 to 200. As good as always or never is told from what is seldom."""
    batches = [each[where] for each, where in zip(happened, seen) if where.any()]
    if not batches:
        return "not seen"
    share = float(torch.cat(batches).double().mean())
    if share < 0.02 or share > 0.98:
        return "never" if share < 0.02 else "always"
    return "for whole batches" if all(bool((each == each[0]).all()) for each in batches) else Near(share, 0.35)


def _varies(values: torch.Tensor, seen: torch.Tensor) -> str:
    """Whether values differ within batches, or only from batch to batch."""
    batches = [each[where] for each, where in zip(values, seen) if where.sum() > 1]
    if len(batches) < 2:
        return "not seen"
    within = torch.stack([each.std() for each in batches]).mean()
    between = torch.stack([each.mean() for each in batches]).std()
    return "within a batch" if within > 0.02 else "from batch to batch" if between > 0.02 else "not at all"


@observer("augmentations.two_views")
def observe_two_views(student):
    images = (_random(32, 32, 32, 3) * 127 + 128).to(torch.uint8)
    images[:10] = 0  # which rows are dark tells their order
    pairs = [student.augmentations.two_views(images) for _ in range(2)]
    if not all(isinstance(each, tuple | list) and len(each) == 2 for each in pairs):
        return {"views": "not two"}
    each = iter(view for pair in zip(*pairs) for view in pair)  # both first views, then both second ones
    return {"views": _read(images.permute(0, 3, 1, 2), lambda views: _pair(images, views), lambda: next(each), 4)}


def _pair(images: torch.Tensor, views: torch.Tensor) -> dict:
    """What two views of the images have to do with each other, called twice: (view, again, other, again)."""
    view, _, other, _ = views
    plain = (images.permute(0, 3, 1, 2) / 255 - MEAN) / STD
    drawn = [each for each in (views[:2], views[2:]) if (each - plain).abs().max() > ROUNDED]
    in_place = [_in_place(view), _in_place(other)]
    black = [_normalization(each[:, :10]).split(":")[0] for each in (views[:2], views[2:])] if all(in_place) else []
    return {
        "rows in place": in_place,
        "normalized": black,
        "not augmented": 2 - len(drawn),
        "second from first": _became({"equal": view[10:], "mirrored": view[10:].flip(-1)})(other[None, 10:]),
        "the same at the next call": any(bool((one - two).abs().max() < 1e-6) for one, two in drawn),
    }


def _in_place(view: torch.Tensor) -> bool:
    """Whether the first ten rows, and no others, are dark, by whatever means they were normalized."""
    level = view.mean(dim=(1, 2, 3))
    return bool(level[:10].max() < level[10:].min())


# Combinations. A transform that sees the batch as one image of many channels draws once.


@alteration("augmentations.random_flip", "one draw for the batch")
def and_flip_once(version):
    def random_flip(images, p=0.5):
        return version(images.reshape(1, -1, *images.shape[2:]), p).view_as(images)

    return random_flip


@alteration("augmentations.random_flip", "p and 1 − p swapped")
def and_flip_swapped(version):
    def random_flip(images, p=0.5):
        return version(images, 1 - p)

    return random_flip


@alteration("augmentations.random_flip", "vertical instead of horizontal")
def and_vertical(version):
    def random_flip(images, p=0.5):
        return version(images.mT, p).mT

    return random_flip


@alteration("augmentations.random_flip", "input changed in place")
def and_flip_in_place(version):
    def random_flip(images, p=0.5):
        return images.copy_(version(images, p))

    return random_flip


@alteration("augmentations.random_flip", "p ignored")
def and_flip_p_ignored(version):
    def random_flip(images, p=0.5):
        return version(images)

    return random_flip


@alteration("augmentations.random_grayscale", "one draw for the batch")
def and_gray_once(version):
    def random_grayscale(images, p=0.2):
        return version(images, 1.0) if torch.rand(()) < p else version(images, 0.0)

    return random_grayscale


@alteration("augmentations.random_grayscale", "p and 1 − p swapped")
def and_gray_swapped(version):
    def random_grayscale(images, p=0.2):
        return version(images, 1 - p)

    return random_grayscale


@alteration("augmentations.random_grayscale", "weights in the order BGR")
def and_bgr_weights(version):
    def random_grayscale(images, p=0.2):
        return version(images.flip(1), p).flip(1)

    return random_grayscale


@alteration("augmentations.random_blur", "one draw for the batch")
def and_blur_once(version):
    def random_blur(images, p=0.5):
        return version(images.reshape(1, -1, *images.shape[2:]), p).view_as(images)

    return random_blur


@alteration("augmentations.random_blur", "one σ for the batch")
def and_one_sigma(version):
    def random_blur(images, p=0.5):
        one = images.reshape(1, -1, *images.shape[2:])
        blurred = version(one, 1.0)
        if torch.equal(blurred, one):  # p and 1 − p have changed places below
            blurred, p = version(one, 0.0), 1 - p
        return torch.where(torch.rand(len(images), 1, 1, 1) < p, blurred.view_as(images), images)

    return random_blur


@alteration("augmentations.random_blur", "p and 1 − p swapped")
def and_blur_swapped(version):
    def random_blur(images, p=0.5):
        return version(images, 1 - p)

    return random_blur


@alteration("augmentations.color_jitter", "hue left alone")
def and_no_hue(version):
    def color_jitter(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
        return version(images, brightness, contrast, saturation, 0.0)

    return color_jitter


@alteration("augmentations.color_jitter", "contrast around 0")
def and_contrast_around_zero(version):
    def color_jitter(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
        images = version(images, brightness, 0.0, saturation, hue)
        return (images * _factor(images, contrast)).clamp(0, 1)

    return color_jitter


@alteration("augmentations.color_jitter", "contrast around .5")
def and_contrast_around_half(version):
    def color_jitter(images, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1):
        images = version(images, brightness, 0.0, saturation, hue)
        return (0.5 + (images - 0.5) * _factor(images, contrast)).clamp(0, 1)

    return color_jitter


@alteration("augmentations.random_resized_crop", "one draw for the batch")
def and_crop_once(version):
    def random_resized_crop(images, scale=(0.2, 1.0)):
        return version(images.reshape(1, -1, *images.shape[2:]), scale).view_as(images)

    return random_resized_crop


@alteration("augmentations.random_resized_crop", "scale ignored")
def and_scale_ignored(version):
    def random_resized_crop(images, scale=(0.2, 1.0)):
        return version(images)

    return random_resized_crop


@alteration("augmentations.random_resized_crop", "rows and columns exchanged")
def and_transposed_crop(version):
    def random_resized_crop(images, scale=(0.2, 1.0)):
        return version(images, scale).mT

    return random_resized_crop


@alteration("augmentations.augment", "not normalized")
def and_not_normalized(version):
    def augment(images):
        return version(images) * torch.tensor(CIFAR_STD).view(3, 1, 1) + torch.tensor(CIFAR_MEAN).view(3, 1, 1)

    return augment


@alteration("augmentations.augment", "normalized twice")
def and_normalized_twice(version):
    def augment(images):
        return _normalize(version(images))

    return augment


@alteration("augmentations.augment", "channels read as BGR")
def and_bgr(version):
    def augment(images):
        return version(torch.as_tensor(images).flip(-1))

    return augment


@alteration("augmentations.augment", "rows and columns exchanged")
def and_transposed(version):
    def augment(images):
        return version(torch.as_tensor(images).transpose(1, 2))

    return augment


@alteration("augmentations.two_views", "rows in another order")
def and_shuffled(version):
    def two_views(images):
        view, other = version(images)
        return view, other[torch.randperm(len(other))]

    return two_views


@alteration("augmentations.two_views", "seed set inside")
def and_seeded(version):
    def two_views(images):
        torch.manual_seed(0)
        return version(images)

    return two_views
