"""Mistakes in task 1. What these functions return is random, so they are mutants for the tests; none is diagnosed by value."""
import torch

from autograder.misconceptions import misconception
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
    "The argument `scale` makes no difference to your crops.",
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
    "The transforms expect images in [0, 1], and yours go up to 255.",
)
def augment_not_divided(images):
    views = torch.as_tensor(images).permute(0, 3, 1, 2).float()
    return _normalize(random_blur(random_grayscale(color_jitter(random_flip(random_resized_crop(views))))))


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
