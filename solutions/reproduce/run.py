"""One seed of one preset: its data, its networks (trained when first asked for), their representations."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from assignment.provided.datasets import Budget, Dataset
from assignment.provided.models import Projector

from ..augmentations import two_views
from ..evaluation import extract_representations, linear_probe
from ..neighbors import mine_neighbors, neighbor_views
from ..training import train_vicreg
from ..vicreg import VICRegTerms
from .checkpoints import Checkpoints, RunError
from .clock import Clock
from .gpu import linear_probe_on_gpu, train_vicreg_on_gpu
from .presets import Preset

UNTRAINED, VICREG, NO_VARIANCE = "untrained encoder", "VICReg", "no variance term"
ONE_EPOCH = "no generated neighbors, 1 epoch"
NO_GENERATED = "no generated neighbors"  # as many epochs as VICReg
SAME_IMAGES = "VICReg on the same images"  # as the eigenmaps of Q7


@dataclass(eq=False)
class Run:
    """What the questions ask for. Everything is made once, from the seed alone."""

    preset: Preset
    data: Dataset  # normal images, cut to the budget
    anomalies: np.ndarray  # uint8 (M, 32, 32, 3)
    seed: int
    device: torch.device
    checkpoints: Checkpoints
    clock: Clock
    made: dict[tuple[str, ...], object] = field(default_factory=dict)

    @functools.cached_property
    def images(self) -> torch.Tensor:
        """The training images, on the device."""
        return torch.from_numpy(self.data.x_train).to(self.device)

    def once(self, *key: str, make: Callable[[], object]):
        """What `make` gives, made when first asked for under this key."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    def encoder(self, method: str) -> nn.Module:
        return self.model(method)[0]

    def history(self, method: str) -> dict[str, list[VICRegTerms]]:
        """The terms of the loss: "train", every batch, and "test", every epoch."""
        return {
            split: [VICRegTerms(*row) for row in rows.tolist()]
            for split, rows in self.model(method)[1].items()
        }

    def model(self, method: str) -> tuple[nn.Module, dict]:
        """The encoder of a method, trained or read from a checkpoint, and the history of its training."""
        if method == SAME_IMAGES and self.preset.manifold_images >= len(self.data.x_train):
            method = VICREG  # which saw the same images, then
        return self.once("model", method, make=lambda: self.trained(method))

    def trained(self, method: str) -> tuple[nn.Module, dict]:
        encoder, projector = self.networks()
        if method == UNTRAINED:
            return encoder, {}
        found = self.checkpoints.tensors(self.seed, method, lambda: self.train(method, encoder, projector))
        try:
            encoder.load_state_dict(found["encoder"])
            history = found["history"]
            if history["train"].shape[1:] != (4,) or (method == VICREG and history["test"].shape[1:] != (4,)):
                raise TypeError("no terms of a loss")
            return encoder, history
        except (RuntimeError, KeyError, TypeError, AttributeError) as error:
            path = self.checkpoints.path(self.seed, method, "pt")
            raise RunError(
                f"{path} is of another network, or of other code: delete it and resume again"
            ) from error

    def networks(self) -> tuple[nn.Module, nn.Module]:
        """Encoder and projector with this seed's weights: all methods start from the same."""
        with self.seeded():
            pair = self.preset.encoder(), Projector()
        return tuple(accelerated(network.to(self.device)) for network in pair)

    def train(self, method: str, encoder: nn.Module, projector: nn.Module) -> dict:
        images, options, views = self.recipe(method)
        budget = self.preset.budget
        epochs = options.pop("epochs", budget.epochs)
        steps = epochs * steps_of(budget, len(images))
        with self.clock.step(f"training: {method}", steps) as advance, self.seeded():

            def counted(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
                for _ in rows.split(budget.batch_size):
                    advance()
                return views(rows)

            options |= {"batch_size": budget.batch_size, "lr": budget.lr, "views": counted}
            training = train_vicreg_on_gpu if images.is_cuda else train_vicreg
            history = training(encoder, projector, images, epochs, **options)
        history = {split: torch.tensor(rows) for split, rows in history.items()}  # (batches or epochs, 4)
        state = {name: value.detach().cpu() for name, value in encoder.state_dict().items()}
        return {"encoder": state, "history": history}

    def recipe(self, method: str) -> tuple[torch.Tensor, dict, Callable]:
        """A method as images to train on, options of `train_vicreg`, and its views."""
        images = self.images[: self.preset.manifold_images] if method == SAME_IMAGES else self.images
        options = {}
        if method == VICREG:
            options["test_images"] = torch.from_numpy(self.data.x_test).to(self.device)
        if method == NO_VARIANCE:
            options["var_weight"] = 0.0
        if method == ONE_EPOCH:
            options["epochs"] = 1
        if method in (ONE_EPOCH, NO_GENERATED):
            mined = self.mined.to(images.device)
            return images, options, lambda batch: neighbor_views(images, mined, batch)
        return images, options, lambda batch: two_views(images[batch])

    @functools.cached_property
    def mined(self) -> torch.Tensor:
        """Q6: the 3 nearest neighbors of each training image in VICReg's representations, int64 (N, 3)."""
        representations = self.representations(VICREG, "train").to(self.device)
        with self.clock.step("mining neighbors"):
            return torch.as_tensor(mine_neighbors(representations, k=3)).cpu()

    def representations(self, method: str, split: str) -> torch.Tensor:
        """float (N, 128), on the CPU; `split` is "train", "test" or "anomalies"."""
        return self.once("representations", method, split, make=lambda: self.extract(method, split))

    def extract(self, method: str, split: str) -> torch.Tensor:
        images = self.anomalies if split == "anomalies" else getattr(self.data, f"x_{split}")
        encoder = self.encoder(method)
        with self.clock.step("extracting representations"):
            return extract_representations(encoder, images).float().cpu()

    def classify(self, train_x: torch.Tensor, train_y: np.ndarray, test_x: torch.Tensor) -> np.ndarray:
        """The labels that a linear probe predicts for the test rows, on the device."""
        if self.device.type == "cuda":
            return linear_probe_on_gpu(train_x, train_y, test_x, self.device).numpy()
        return np.asarray(linear_probe(train_x, train_y, test_x))

    @contextlib.contextmanager
    def seeded(self) -> Iterator[None]:
        """Torch's global generators begin at the seed, and are left as they were."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.seed)
            yield


def steps_of(budget: Budget, images: int) -> int:
    """Batches of one epoch; a last one of a single image is left out."""
    full, rest = divmod(images, budget.batch_size)
    return full + (rest > 1)


def subset(data: Dataset, budget: Budget, seed: int = 0) -> Dataset:
    """As many images as the budget has, drawn at random, because a file may be sorted by class."""
    rng = np.random.default_rng(seed)
    parts = {}
    for split, n in (("train", budget.n_train), ("test", budget.n_test)):
        x, y = getattr(data, f"x_{split}"), getattr(data, f"y_{split}")
        rows = np.arange(len(x)) if len(x) <= n else np.sort(rng.choice(len(x), n, replace=False))
        if class_by_class(y):  # many questions look at the first so many images
            rows = rng.permutation(rows)
        parts |= {f"x_{split}": x[rows], f"y_{split}": y[rows]}
    return replace(data, **parts)


def class_by_class(labels: np.ndarray) -> bool:
    """Whether the label changes from row to row less than half as often as in a random order."""
    if len(labels) < 2:
        return False
    shares = np.bincount(labels) / len(labels)
    return np.mean(labels[1:] != labels[:-1]) < (1 - np.sum(shares**2)) / 2


def accelerated(network: nn.Module) -> nn.Module:
    """Channels-last weights (on a CPU, too, they are faster), and on a GPU forward passes in bfloat16, if it has it.

    The loss stays in float32: only the networks' own passes run in lower precision.
    """
    device = next(network.parameters()).device
    if device.type == "mps":  # where batch norm has wrong gradients in channels-last: pytorch issue 175189
        return network
    network = network.to(memory_format=torch.channels_last)
    # GPUs before Ampere emulate bfloat16, slower than float32.
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        network.forward = _in_bfloat16(network.forward)
    return network


def _in_bfloat16(forward: Callable) -> Callable:
    @functools.wraps(forward)
    def mixed(x: torch.Tensor) -> torch.Tensor:
        x = x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
        with torch.autocast("cuda", torch.bfloat16):
            return forward(x).float()

    return mixed


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" is the first of cuda, mps and cpu that is there. Raises RunError."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(each for each, available in there.items() if available))
    if not there.get(name.partition(":")[0], False):
        here = " or ".join(each for each in there if there[each])
        raise RunError(f"there is no device {name!r} here: choose {here}, or auto")
    try:
        device = torch.empty(0, device=name).device
    except RuntimeError as error:  # cuda:9, cpu:x
        raise RunError(f"there is no device {name!r} here ({str(error).splitlines()[0]})") from error
    if device.type == "cuda":
        torch.cuda.set_device(device)  # streams and graphs belong to the current one
    return device


@contextlib.contextmanager
def threads(number: int) -> Iterator[None]:
    """Torch and scikit-learn with that many threads, but no more than there are cores to run them."""
    before = torch.get_num_threads()
    number = min(number, os.cpu_count() or 1)
    torch.set_num_threads(number)
    try:
        with threadpool_limits(number, user_api="openmp"):
            yield
    finally:
        torch.set_num_threads(before)
