"""What the notebooks need besides your functions and the figures: results to pass on, weights on disk, small helpers."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from .datasets import CIFAR_MEAN, CIFAR_STD
from .models import make_encoder

TRAINED = Path(__file__).resolve().parents[2] / "trained"  # beside assignment/
MADE_IN = {
    "vicreg": "the section “Train” of part1_vicreg.ipynb (Task 3)",
    "no_generated_neighbors": "the section on Task 6 of part2_ablations.ipynb",
}


class Results:
    """What one cell makes and another needs: `made.history = ...`, later `plots.loss_curves(made.history)`.

    Reading a result that is not there yet raises NotImplementedError, which says so, instead of a NameError.
    """

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        raise _not_yet(
            f"There is no made.{name} yet. A cell further up makes it: run that one first. If it stopped at a TODO, "
            "that function is what to write next."
        )


def _not_yet(message: str) -> NotImplementedError:
    """A NotImplementedError that a notebook shows as one sentence, without a traceback."""
    error = NotImplementedError(message)
    error._render_traceback_ = lambda: [f"NotImplementedError: {message}"]
    return error


def save_encoder(name: str, encoder: nn.Module, kind: str, data: str) -> Path:
    """Write the weights to trained/<name>.pt, whole or not at all; `kind` and `data` are ENCODER and DATA."""
    TRAINED.mkdir(exist_ok=True)
    path = TRAINED / f"{name}.pt"
    unfinished = path.with_suffix(".unfinished")
    weights = {key: value.cpu() for key, value in encoder.state_dict().items()}
    torch.save({"encoder": kind, "data": str(data), "weights": weights}, unfinished)
    os.replace(unfinished, path)
    return path


def load_encoder(name: str, kind: str, data: str, device: str = "cpu") -> nn.Module:
    """The encoder that `save_encoder` wrote, in eval mode.

    Raises NotImplementedError, saying which notebook trains it, when there is none yet, and ValueError when it
    belongs to other settings.
    """
    path = TRAINED / f"{name}.pt"
    if not path.is_file():
        raise _not_yet(
            f"There is no {path.parent.name}/{path.name} yet: {MADE_IN[name]} trains this encoder and saves it."
        )
    saved = torch.load(path, map_location="cpu", weights_only=True)
    if (saved["encoder"], saved["data"]) != (kind, str(data)):
        raise ValueError(
            f"{path.name} is a {saved['encoder']!r} encoder trained on {saved['data']!r}, but the settings above say "
            f"{kind!r} and {str(data)!r}: change them, or train again in {MADE_IN[name]}."
        )
    encoder = make_encoder(kind)
    encoder.load_state_dict(saved["weights"])
    return encoder.to(device).eval()


def with_progress(views: Callable, images: int, epochs: int, batch_size: int) -> Callable:
    """The same `views`, for `train_vicreg`, with a bar that tells how far training is."""
    bar = tqdm(total=epochs * -(-images // batch_size), file=sys.stdout, ncols=80, unit="batch")

    def counted(batch):
        bar.update()
        if bar.n == bar.total:
            bar.close()
        return views(batch)

    return counted


def as_numpy(values) -> np.ndarray:
    """An array from an array, or from a tensor on any device."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def accuracy(predicted, labels) -> float:
    """Fraction of equal labels, from 0 to 1."""
    return float(np.mean(as_numpy(predicted) == as_numpy(labels)))


def as_pixels(images: Tensor) -> np.ndarray:
    """Normalized float images (..., 3, H, W) as uint8 (..., H, W, 3), to look at."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (CIFAR_MEAN, CIFAR_STD))
    pixels = (images.detach().cpu() * std + mean).clamp(0, 1) * 255
    return pixels.round().to(torch.uint8).movedim(-3, -1).numpy()
