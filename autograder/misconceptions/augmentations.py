"""Mistakes in task 1. What these functions return is random: observers at the end read what was drawn, and how often."""
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


# What tells these mistakes apart. Draws differ from one right solution to the next, so nothing here depends on which
# numbers were drawn: only on what happened to an image, how often, and whether its neighbors in the batch shared it.

ROUNDED = 0.02  # 8-bit images leave 1/255 for each rounding
MEAN = torch.tensor(CIFAR_MEAN, dtype=torch.float64).view(3, 1, 1)
STD = torch.tensor(CIFAR_STD, dtype=torch.float64).view(3, 1, 1)
BATCHES, ROWS = 16, 32  # that a probability is read from
SLACK = 0.16  # five deviations of the difference of two such shares: 5 √2 · .5 / √512


def _random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def _read(value, images: torch.Tensor, reader):
    """What `reader` finds in the views of the images; their shape, where it is not that of the images."""
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return reader(value.double()) if value.shape == images.shape else list(value.shape)


def _what_happened(views: torch.Tensor, options: dict[str, torch.Tensor]) -> list[str]:
    """The options that the images of a batch have become, "other" for what is none of them."""
    off = torch.stack([(views - each).abs().amax(dim=(1, 2, 3)) for each in options.values()])  # (options, N)
    names = [*options, "other"]
    found = torch.where(off.amin(dim=0) < ROUNDED, off.argmin(dim=0), len(options))
    return [names[i] for i in found.unique().tolist()]


def _extremes(transform, images: torch.Tensor, options: dict[str, torch.Tensor]) -> dict:
    """What happened where nothing is left to chance, in a few batches: one alone may have been lucky."""
    facts = {}
    for p in (0.0, 1.0):
        batches = [_read(transform(images, p=p), images, lambda views: views) for _ in range(8)]
        odd = [each for each in batches if not isinstance(each, torch.Tensor)]
        repeated = {name: each.repeat(8, 1, 1, 1) for name, each in options.items()}
        facts[f"p = {p:g}"] = odd[0] if odd else _what_happened(torch.cat(batches), repeated)
    return facts


def _share(batches: list[torch.Tensor]) -> str | Near:
    """How often something happened (one bool an image): a share, or that it happened to whole batches."""
    happened = torch.stack(batches)  # (batches, images)
    if bool((happened == happened[:, :1]).all()):
        found = happened[:, 0]
        return "always" if found.all() else "to all or none of a batch" if found.any() else "never"
    seen = happened[happened.any(dim=1)]  # where σ is the same for a batch, it may be too small to be seen in any
    return Near(float(seen.double().mean()), SLACK)


def _shares(transform, images: torch.Tensor, happened) -> dict:
    """How often `happened(views)`, by default and with another probability."""
    facts = {}
    for name, keywords in (("by default", {}), ("p = 0.75", {"p": 0.75})):
        batches = [_read(transform(images, **keywords), images, happened) for _ in range(BATCHES)]
        odd = [each for each in batches if not isinstance(each, torch.Tensor)]
        facts[name] = odd[0] if odd else _share(batches)
    return facts


def _moved(images: torch.Tensor):
    return lambda views: (views - images).abs().amax(dim=(1, 2, 3)) > ROUNDED


@observer("augmentations.random_flip")
def observe_flip(student):
    images = _random(ROWS, 3, 4, 4)
    options = {"as it was": images, "mirrored": images.flip(-1), "upside down": images.flip(-2), "turned": images.flip(-2, -1)}
    flip = student.augmentations.random_flip
    return _extremes(flip, images, options) | _shares(flip, images, _moved(images))


@observer("augmentations.random_grayscale")
def observe_grayscale(student):
    images = torch.eye(3).view(3, 3, 1, 1).repeat(11, 1, 2, 2)[:ROWS]  # red, green and blue ones
    weights = {"gray": (0.2989, 0.587, 0.114), "plain mean": (1 / 3, 1 / 3, 1 / 3), "weights of BGR": (0.114, 0.587, 0.2989)}
    options = {"as it was": images}
    for name, each in weights.items():
        options[name] = (images * torch.tensor(each).view(3, 1, 1)).sum(dim=1, keepdim=True).expand_as(images)
    gray = student.augmentations.random_grayscale
    return _extremes(gray, images, options) | _shares(gray, images, _moved(images))


@observer("augmentations.random_blur")
def observe_blur(student):
    points = torch.zeros(ROWS, 3, 7, 7)
    points[:, :, 3, 3] = 1.0
    blur = student.augmentations.random_blur
    calm = [_read(blur(points, p=0.0), points, lambda views: bool(_moved(points)(views).any())) for _ in range(4)]
    facts = {"blurred with p = 0": calm if not all(isinstance(each, bool) for each in calm) else any(calm)}
    batches = [_read(blur(points), points, lambda views: views) for _ in range(8)]
    if all(isinstance(each, torch.Tensor) for each in batches):
        facts |= _kernels(batches)
    return facts | _shares(blur, points, lambda views: views[:, 0, 3, 3] < 1 - ROUNDED)


def _kernels(batches: list[torch.Tensor]) -> dict:
    """What the kernels that blurred a point are, and whether those of a batch have the same σ."""
    visible = [each[each[:, 0, 3, 3] < 1 - ROUNDED] for each in batches]
    alike = all(each[:, 0, 3, 3].max() - each[:, 0, 3, 3].min() < ROUNDED for each in visible if len(each))
    views = torch.cat(visible)
    if not len(views):
        return {"kernel": "not seen"}
    inner = views[:, :, 2:5, 2:5]
    center, side, corner = views[:, 0, 3, 3], views[:, 0, 3, 4], views[:, 0, 4, 4]
    whole = [(each.sum(dim=(2, 3)) - 1).abs().max() < 0.05 for each in (views, inner)]  # none is lost, none lies outside
    box = (inner - 1 / 9).abs().max() < 0.01
    gauss = (corner * center - side**2).abs().max() < 0.01 and center.min() > 0.12
    facts = {"kernel": "box" if box else "Gaussian" if gauss and all(whole) else "other"}
    # The weight of the center deviates by .25 among those that are visible, of which there are about 110.
    return facts | {"σ": "the same for all of a batch" if alike else Near(float(center.mean()), 5 * 2**0.5 * 0.25 / 110**0.5)}


# Crops


@observer("augmentations.random_resized_crop")
def observe_crop(student):
    crop, images, small = student.augmentations.random_resized_crop, measure.ramps(48), measure.ramps(2, size=24)
    batches = [_read(crop(images), images, _upright) for _ in range(4)]
    facts = {
        "shape of small ones": _read(crop(small), small, lambda views: "as it was"),
        "which way": [each if isinstance(each, list) else each[0] for each in batches],
        "a quarter of the area": _areas([_read(crop(images, scale=(0.25, 0.25)), images, lambda views: views) for _ in range(3)]),
    }
    if all(isinstance(each, tuple) and each[0] != "other" for each in batches):
        facts |= _boxes([each[1] for each in batches])
    return facts


def _upright(views: torch.Tensor) -> tuple[str, list[torch.Tensor]]:
    """Which way the crops of ramps lie, and their boxes, read in the right direction."""
    for name, each in (("upright", views), ("turned over the diagonal", views.mT)):
        width, height, x, y = measure.crop_boxes(each)
        if bool((width > 0.05).all() and (height > 0.05).all()):
            return name, [width, height, x, y]
    return "other", []


def _areas(batches: list) -> str | Near:
    """The area of crops that should all have the same, whichever way they lie."""
    if not all(isinstance(each, torch.Tensor) for each in batches):
        return "of another shape"
    views = torch.cat(batches)
    areas = [width * height for width, height, _, _ in (measure.crop_boxes(each) for each in (views, views.mT))]
    area = torch.maximum(*(each.abs() for each in areas))
    # Rounding to pixels is .06 of each side, a deviation of .01; areas from .2 to 1 have one of .2.
    return "varied" if area.std() > 0.08 else Near(float(area.mean()), 0.05)


def _boxes(batches: list[list[torch.Tensor]]) -> dict:
    """What the boxes of a few batches say about the draws."""
    width, height, x, y = (torch.stack(each) for each in zip(*batches))  # (batches, images)
    if bool((width.std(dim=1) < 0.01).all() and (x.std(dim=1) < 0.01).all()):
        return {"draws": "one for each batch"}
    # Deviations are .2 for areas; interpolation by the nearest pixel misreads aspects, and the sizes of small crops.
    area, aspect = width * height, (width / height).log()
    facts = {"area": Near(float(area.mean()), 0.12), "aspects": "varied" if aspect.std() > 0.08 else "all the same"}
    return facts | {"across": _places(width, x), "down": _places(height, y)}


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
    nothing = _read(jitter(images, 0.0, 0.0, 0.0, 0.0), images, lambda views: _what_happened(views, {"as it was": images, "black": 0 * images}))
    inside = _read(jitter(images), images, lambda views: bool(views.min() > -1e-4 and views.max() < 1 + 1e-4))
    facts = {"strengths of 0": nothing, "in range": inside, "brightness": _draws(jitter, "brightness", (0.5, 0.5, 0.5))}
    if nothing != ["as it was"]:  # the others cannot be looked at alone
        return facts
    for name, color in (("contrast", (0.2, 0.2, 0.2)), ("saturation", (0.7, 0.4, 0.3)), ("hue", (0.8, 0.2, 0.2))):
        facts[name] = _draws(jitter, name, color)
    return facts


def _draws(jitter, kept: str, color: tuple[float, float, float]) -> dict:
    """What one property does alone to images of one color, the right half brighter for the contrast."""
    images = torch.tensor(color).view(3, 1, 1).repeat(20, 1, 4, 4)
    if kept == "contrast":
        images[:, :, :, 2:] = 0.6
    off = {name: 0.0 for name in ("brightness", "contrast", "saturation", "hue") if name != kept}
    batches = [_read(jitter(images, **off), images, lambda views: views) for _ in range(8)]
    odd = [each for each in batches if not isinstance(each, torch.Tensor)]
    if odd:
        return {"shape": odd[0]}
    views = torch.stack(batches)  # (8, 20, 3, 4, 4)
    halves = views[..., :2], views[..., 2:]
    if max(float((each.amax(dim=(3, 4)) - each.amin(dim=(3, 4))).max()) for each in halves) > ROUNDED:
        return {"drawn": "within an image"}
    left, right = (each[..., 0, 0] for each in halves)  # (8, 20, 3)
    found, width = _strengths(kept, left, right)  # (8, 20)
    around = {"around": _pivot(left, found)} if kept == "contrast" else {}
    if bool((found.amax(dim=1) - found.amin(dim=1) < 0.05 * width).all()):
        neutral = 0.0 if kept == "hue" else 1.0
        still = bool((found - neutral).abs().max() < 0.1 * width)
        return {"drawn": "never" if still else "once for a batch"} | around
    # Of 160 uniform draws, none in an eighth of the range, once in 10⁹; another .05 for rounding and clipping.
    slack = width / 8 + min(0.05, 0.1 * width)
    return {"smallest": Near(float(found.min()), slack), "largest": Near(float(found.max()), slack)} | around


def _strengths(kept: str, left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The factors (or turns of the hue) that give these colors, and the length of the range they should lie in."""
    if kept == "brightness":
        return left.mean(dim=-1) / 0.5, 0.8
    if kept == "contrast":
        return (right - left).mean(dim=-1) / 0.4, 0.8
    if kept == "saturation":
        return (left.amax(dim=-1) - left.amin(dim=-1)) / 0.4, 0.4
    turns = measure.hue(left.flatten(0, 1)).view(left.shape[:-1])
    return (turns + 0.5) % 1 - 0.5, 0.2


def _pivot(left: torch.Tensor, factor: torch.Tensor) -> str:
    """The value that contrast leaves alone, from where it moved 0.2."""
    seen = (1 - factor).abs() > 0.1
    if not seen.any():
        return "nowhere"
    pivot = float(((left.mean(dim=-1) - 0.2 * factor) / (1 - factor))[seen].median())
    names = {"the image's mean": 0.4, "0": 0.0, "one half": 0.5}
    near = [name for name, value in names.items() if abs(pivot - value) < 0.04]
    return near[0] if near else "elsewhere"


# Whole views


@observer("augmentations.augment")
def observe_augment(student):
    black = torch.zeros(4, 32, 32, 3, dtype=torch.uint8)
    noise = (255 * _random(48, 32, 32, 3)).to(torch.uint8)
    split = black.repeat(50, 1, 1, 1)  # dark on the left, bright and red on the right
    split[:, :, 16:] = torch.tensor([200, 100, 60], dtype=torch.uint8)
    flat = torch.tensor([160, 90, 80], dtype=torch.uint8).repeat(200, 32, 32, 1)

    def found(images: torch.Tensor, reader):
        return _read(student.augmentations.augment(images), images.permute(0, 3, 1, 2), reader)

    facts = {"normalized": found(black, _normalization)}
    if facts["normalized"] not in [*NORMALIZATIONS]:
        return facts
    mean, std = NORMALIZATIONS[facts["normalized"]]
    for name, images, reader in (("noise", noise, _levels), ("split", split, _sides), ("flat", flat, _colors)):
        facts[name] = found(images, lambda views: reader(views * std + mean))
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
    return f"in another way: {[round(float(each), 1) for each in views.mean(dim=(0, 2, 3))]}"


def _levels(views: torch.Tensor) -> dict:
    """The range and mean of noise: the mean of 48 views deviates by .02, for their brightness."""
    inside = bool(views.min() > -1e-3 and views.max() < 1 + 1e-3)
    return {"in range": inside, "mean": Near(float(views.mean()), 0.12)}


def _sides(views: torch.Tensor) -> dict:
    """How the edge of images lies that are dark on the left: shares of 200 views."""
    gray = views.mean(dim=1)  # (N, H, W)
    across, down = (gray.mean(dim=each).diff(dim=1).abs().amax(dim=1) for each in (1, 2))
    lying = float((down > across).double().mean()) > 0.5
    gray = gray.mT if lying else gray
    left, right = gray[:, :, 1].mean(1), gray[:, :, -2].mean(1)
    seen = (left - right).abs() > 0.2 * gray.max()  # both sides are in the crop
    bright = (gray > gray.amax(dim=(1, 2), keepdim=True) / 2).double().mean(dim=(1, 2))
    moved = ((bright - 0.5).abs() > 2.5 / 32)[seen]
    return {
        "edge": "lying" if lying else "standing",
        "mirrored": _often((left > right)[seen]),
        "moved": _often(moved),
    }


def _colors(views: torch.Tensor) -> dict:
    """How the color of flat images of (160, 90, 80) varies: among 200 of them."""
    pixels = views[:, :, 16, 16]
    chroma = pixels.amax(1) - pixels.amin(1)
    colored, vivid = pixels[chroma > 0.05], (chroma / pixels.amax(1))[chroma > 0.05]
    luma = pixels @ torch.tensor([0.2989, 0.587, 0.114], dtype=torch.float64)
    turns = (measure.hue(colored) + 0.25) % 1  # red lies at .25, far from where the circle closes
    return {
        "gray": _often(chroma < ROUNDED),
        "largest channel": [_often(colored.argmax(dim=1) == channel) for channel in range(3)],
        "saturation": Near(float(vivid.mean()), 0.15) if len(vivid) else "none",
        "luma varies": bool(luma.std() > 0.02),
        "hue varies": bool(len(turns) and turns.std() > 0.02),
    }


def _often(happened: torch.Tensor) -> str | Near:
    """The share, of some 100 to 200 bools; what is as good as always or never is told from what is seldom."""
    if not len(happened):
        return "not seen"
    share = float(happened.double().mean())
    return "never" if share < 0.02 else "always" if share > 0.98 else Near(share, 0.35)


@observer("augmentations.two_views")
def observe_two_views(student):
    images = (_random(32, 32, 32, 3) * 127 + 128).to(torch.uint8)
    images[:10] = 0  # which rows are dark tells their order
    pairs = [student.augmentations.two_views(images) for _ in range(2)]
    if not all(isinstance(each, tuple | list) and len(each) == 2 for each in pairs):
        return {"views": "not two"}
    stored = images.permute(0, 3, 1, 2)
    views = [_read(each, stored, lambda view: view) for pair in pairs for each in pair]
    if odd := [each for each in views if not isinstance(each, torch.Tensor)]:
        return {"views": odd[0]}
    plain = [_what_happened(each, {"plain": (stored / 255 - MEAN) / STD}) == ["plain"] for each in views]
    again = [bool((one - two).abs().max() < 1e-6) for one, two, same in zip(views[:2], views[2:], plain) if not same]
    view, other = views[:2]
    return {
        "rows in place": [_in_place(each) for each in views[:2]],
        "how many not augmented": sum(plain[:2]),
        "second from first": _what_happened(other[10:], {"equal": view[10:], "mirrored": view[10:].flip(-1)}),
        "the same at the next call": any(again),
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
        blurred = version(images.reshape(1, -1, *images.shape[2:]), 1.0).view_as(images)
        return torch.where(torch.rand(len(images), 1, 1, 1) < p, blurred, images)

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
