"""Mistakes in task 0."""
import torch

from autograder.misconceptions import alteration, misconception, probe
from solutions.warmup import CIFAR_MEAN, CIFAR_STD


@misconception(
    "warmup.normalize",
    "not divided by 255",
    "Mean and standard deviation are those of images in [0, 1], and yours still go up to 255. What happens first?",
)
def not_divided(images):
    unit = torch.as_tensor(images).permute(0, 3, 1, 2).float()
    return (unit - torch.tensor(CIFAR_MEAN).view(3, 1, 1)) / torch.tensor(CIFAR_STD).view(3, 1, 1)


@misconception(
    "warmup.normalize",
    "divided by 256",
    "The brightest pixel is 255 and should become 1; yours stays a little below.",
)
def divided_by_256(images):
    unit = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 256
    return (unit - torch.tensor(CIFAR_MEAN).view(3, 1, 1)) / torch.tensor(CIFAR_STD).view(3, 1, 1)


@misconception(
    "warmup.normalize",
    "integer division",
    "The division is made among integers, which leaves only 0 and 1. Look at the dtype at that point.",
)
def integer_division(images):
    unit = (torch.as_tensor(images).permute(0, 3, 1, 2) // 255).float()
    return (unit - torch.tensor(CIFAR_MEAN).view(3, 1, 1)) / torch.tensor(CIFAR_STD).view(3, 1, 1)


@misconception(
    "warmup.normalize",
    "not normalized",
    "The values are scaled to [0, 1] and no further: the mean and standard deviation of the channels are not used.",
)
def not_normalized(images):
    return torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255


@misconception(
    "warmup.normalize",
    "normalized twice",
    "Mean and standard deviation are applied twice. Follow one pixel through your steps.",
)
def normalized_twice(images):
    mean, std = torch.tensor(CIFAR_MEAN).view(3, 1, 1), torch.tensor(CIFAR_STD).view(3, 1, 1)
    unit = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    return ((unit - mean) / std - mean) / std


@misconception(
    "warmup.normalize",
    "mean not subtracted",
    "The values are divided by the standard deviation, but not centered. What should the mean pixel become?",
)
def only_the_deviation(images):
    return torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255 / torch.tensor(CIFAR_STD).view(3, 1, 1)


@misconception(
    "warmup.normalize",
    "only the mean",
    "The mean is taken out, but the channels are not brought to unit standard deviation.",
)
def only_the_mean(images):
    return torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255 - torch.tensor(CIFAR_MEAN).view(3, 1, 1)


@misconception(
    "warmup.normalize",
    "mean and standard deviation swapped",
    "You take out the standard deviation and divide by the mean. Which of the two shifts, and which scales?",
)
def swapped(images):
    unit = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    return (unit - torch.tensor(CIFAR_STD).view(3, 1, 1)) / torch.tensor(CIFAR_MEAN).view(3, 1, 1)


@misconception(
    "warmup.normalize",
    "multiplied by the standard deviation",
    "A channel of large spread should come out smaller; yours is multiplied by its standard deviation.",
)
def multiplied(images):
    unit = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    return (unit - torch.tensor(CIFAR_MEAN).view(3, 1, 1)) * torch.tensor(CIFAR_STD).view(3, 1, 1)


@misconception(
    "warmup.normalize",
    "divided by the variance",
    "You divide by the square of the standard deviation, so the channels come out about four times too wide. What spread should "
    "they have afterwards, and which of the two numbers measures it in the unit of the values?",
)
def divided_by_variance(images):
    unit = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    return (unit - torch.tensor(CIFAR_MEAN).view(3, 1, 1)) / torch.tensor(CIFAR_STD).square().view(3, 1, 1)


@misconception(
    "warmup.normalize",
    "channels read as BGR",
    "The channels come in as red, green, blue and should leave in that order; yours are reversed.",
)
def bgr(images):
    unit = torch.as_tensor(images).permute(0, 3, 1, 2).float().flip(1) / 255
    return (unit - torch.tensor(CIFAR_MEAN).view(3, 1, 1)) / torch.tensor(CIFAR_STD).view(3, 1, 1)


@misconception(
    "warmup.normalize",
    "constants in the order BGR",
    "The pixels are in the right place, but red is normalized with the constants of blue.",
)
def bgr_constants(images):
    unit = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor(CIFAR_MEAN).flip(0).view(3, 1, 1), torch.tensor(CIFAR_STD).flip(0).view(3, 1, 1)
    return (unit - mean) / std


@misconception(
    "warmup.normalize",
    "rows and columns exchanged",
    "The channels are in front, but rows have become columns: (N, 3, W, H). Follow each axis to its new place.",
)
def transposed(images):
    unit = torch.as_tensor(images).permute(0, 3, 2, 1).float() / 255
    return (unit - torch.tensor(CIFAR_MEAN).view(3, 1, 1)) / torch.tensor(CIFAR_STD).view(3, 1, 1)


@misconception(
    "warmup.normalize",
    "reshaped instead of permuted",
    "The shape is right, but the values were only cut up differently: a channel now holds pieces of all three. "
    "Changing the shape of a tensor and moving its axes are two things.",
)
def reshaped(images):
    images = torch.as_tensor(images)
    n, height, width, channels = images.shape
    unit = images.reshape(n, channels, height, width).float() / 255
    return (unit - torch.tensor(CIFAR_MEAN).view(3, 1, 1)) / torch.tensor(CIFAR_STD).view(3, 1, 1)


@misconception(
    "warmup.normalize",
    "channels left at the end",
    "The values are right, but a network wants the channels in front of rows and columns.",
)
def channels_last(images):
    return (torch.as_tensor(images).float() / 255 - torch.tensor(CIFAR_MEAN)) / torch.tensor(CIFAR_STD)


@misconception(
    "warmup.normalize",
    "each batch normalized with its own statistics",
    "You compute mean and standard deviation from the images at hand, so a pixel's value depends on its neighbors in "
    "the batch. The constants of the data set are given.",
)
def own_statistics(images):
    unit = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    mean, std = unit.mean(dim=(0, 2, 3), keepdim=True), unit.std(dim=(0, 2, 3), keepdim=True)
    return (unit - mean) / std


@misconception(
    "warmup.normalize",
    "default dtype changed",
    "You set PyTorch's default dtype, which holds for everything that runs after you. Give a dtype to the tensors that you "
    "make instead.",
)
def default_dtype_changed(images):
    torch.set_default_dtype(torch.float64)
    unit = torch.as_tensor(images).permute(0, 3, 1, 2).double() / 255
    return ((unit - torch.tensor(CIFAR_MEAN).view(3, 1, 1)) / torch.tensor(CIFAR_STD).view(3, 1, 1)).float()


@misconception(
    "warmup.normalize",
    "seed set inside",
    "You set the seed of torch's global generator: whatever is drawn after a call repeats. Nothing is random here; leave seeds to "
    "who calls you.",
)
def seed_set(images):
    torch.manual_seed(0)
    unit = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
    return (unit - torch.tensor(CIFAR_MEAN).view(3, 1, 1)) / torch.tensor(CIFAR_STD).view(3, 1, 1)


_pixels = torch.randint(0, 256, (2, 3, 5, 3), generator=torch.Generator().manual_seed(2022), dtype=torch.uint8)
probe("warmup.normalize", _pixels)
probe("warmup.normalize", _pixels[:1, :2, :2].clone())


# The same mistakes as changes of any version, for two of them together


@alteration("warmup.normalize", "mean not subtracted")
def and_only_the_deviation(version):
    return lambda images: version(images) + (torch.tensor(CIFAR_MEAN) / torch.tensor(CIFAR_STD)).view(3, 1, 1)


@alteration("warmup.normalize", "only the mean")
def and_only_the_mean(version):
    return lambda images: version(images) * torch.tensor(CIFAR_STD).view(3, 1, 1)


@alteration(
    "warmup.normalize",
    "divided by the variance",
    instead_of=("not normalized", "only the mean", "multiplied by the standard deviation"),
)
def and_divided_by_variance(version):
    return lambda images: version(images) / torch.tensor(CIFAR_STD).view(3, 1, 1)


@alteration("warmup.normalize", "channels read as BGR")
def and_bgr(version):
    return lambda images: version(torch.as_tensor(images).flip(-1))


@alteration("warmup.normalize", "rows and columns exchanged")
def and_transposed(version):
    return lambda images: version(images).transpose(2, 3)


@alteration("warmup.normalize", "channels left at the end")
def and_channels_last(version):
    return lambda images: version(images).permute(0, 2, 3, 1)
