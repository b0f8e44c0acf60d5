"""The batched augmentation beside torchvision's per-image pipeline: `python -m benchmarks.augmentation`.

Both make the same list of transforms with the same parameters. torchvision's is timed in three forms, one
image at a time: v1 transforms on Pillow images, v2 transforms on Pillow images, and v2 transforms on tensors.
All read the same uint8 images and end with a normalized float batch. Rounds are interleaved, so that a busy
machine slows all of them alike, and the ratio is taken against the fastest of the three. One thread.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from assignment.provided.datasets import CIFAR_MEAN, CIFAR_STD
from assignment.provided.shapes import make_shapes
from assignment.provided.torchvision_compat import import_torchvision
from solutions.augmentations import augment

import_torchvision()

from PIL import Image  # noqa: E402
from torchvision import transforms as v1  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

Pipeline = Callable[[torch.Tensor], torch.Tensor]  # uint8 (N, 32, 32, 3) -> float (N, 3, 32, 32)
NAMES = ["batched", "torchvision v1, Pillow", "torchvision v2, Pillow", "torchvision v2, tensors"]


def transform_list(library, to_float: list) -> list:
    """The list of `augment` in torchvision's terms; `library` is its module v1 or v2."""
    return [
        library.RandomResizedCrop(32, scale=(0.2, 1.0)),
        library.RandomHorizontalFlip(0.5),
        library.ColorJitter(0.4, 0.4, 0.2, 0.1),
        library.RandomGrayscale(0.2),
        library.RandomApply([library.GaussianBlur(3)], 0.5),
        *to_float,
        library.Normalize(CIFAR_MEAN, CIFAR_STD),
    ]


def pipelines() -> dict[str, Pipeline]:
    """What is timed, by name."""
    v1_pillow = v1.Compose(transform_list(v1, [v1.ToTensor()]))
    v2_float = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    v2_pillow = v2.Compose(transform_list(v2, v2_float))
    v2_tensor = v2.Compose(transform_list(v2, [v2.ToDtype(torch.float32, scale=True)]))
    by_image = [
        lambda images: torch.stack([v1_pillow(Image.fromarray(image)) for image in images.numpy()]),
        lambda images: torch.stack([v2_pillow(Image.fromarray(image)) for image in images.numpy()]),
        lambda images: torch.stack([v2_tensor(image) for image in images.permute(0, 3, 1, 2)]),
    ]
    return dict(zip(NAMES, [augment, *by_image], strict=True))


def seconds(pipeline: Pipeline, images: torch.Tensor, repeats: int) -> float:
    """Mean time of one call, over `repeats` calls."""
    start = time.perf_counter()
    for _ in range(repeats):
        pipeline(images)
    return (time.perf_counter() - start) / repeats


def measure(images: torch.Tensor, rounds: int) -> dict[str, list[float]]:
    """Views per second of each pipeline in each round, after a round to warm up."""
    speeds = {name: [] for name in NAMES}
    for turn in range(rounds + 1):
        for name, pipeline in pipelines().items():
            speed = len(images) / seconds(pipeline, images, repeats=10 if name == "batched" else 1)
            speeds[name] += [speed] if turn else []
    return speeds


def report(speeds: dict[str, list[float]]) -> str:
    """A table of the speeds, and the ratio of the medians to the fastest peer."""
    lines = [f"{'views per second per core':26} {'min':>8} {'median':>8} {'max':>8}"]
    for name, values in speeds.items():
        lines.append(f"{name:26} {min(values):8,.0f} {statistics.median(values):8,.0f} {max(values):8,.0f}")
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    peer = max(NAMES[1:], key=medians.get)
    lines.append(f"ratio of medians: {medians['batched'] / medians[peer]:.1f} (peer: {peer}, the fastest)")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.augmentation",
        description="Time the batched augmentation beside torchvision's per-image pipelines, on one thread.",
    )
    parser.add_argument("--batch", type=int, default=256, help="images in a batch (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=11, help="interleaved rounds (default: %(default)s)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images = torch.as_tensor(make_shapes(options.batch, seed=0)[0])
    print(f"batches of {options.batch}, {options.rounds} rounds, 1 thread")
    print(report(measure(images, options.rounds)))


if __name__ == "__main__":
    main()
