"""Data sets by name or from a file: `load("shapes")`, `load("cifar10")`, `load("my/images.npz")`."""

import re
import socket
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from .shapes import SHAPE_NAMES, make_shapes
from .torchvision_compat import import_torchvision

# Per-channel mean and standard deviation of CIFAR-10's training images, for pixel values in [0, 1].
CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.247, 0.243, 0.261)

CIFAR10_NAMES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
DIGIT_NAMES = tuple("0123456789")
SIDE = 32  # pixels, of every image that `load` returns

_DOWNLOAD_TIMEOUT = 20.0  # seconds without an answer, after which the network counts as absent


class DatasetError(Exception):
    """Data that cannot be had or used. The message is one sentence that names file and array."""


@dataclass(frozen=True)
class Budget:
    """How much data and training one run gets."""

    n_train: int
    n_test: int
    epochs: int
    batch_size: int
    lr: float


# For `shapes` with SmallEncoder: at most 45 s on two cores. Calibrated by `python -m benchmarks.shapes`
# (docs/data.md).
LAPTOP_BUDGET = Budget(n_train=2048, n_test=1000, epochs=40, batch_size=256, lr=3e-3)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images uint8 (N, 32, 32, 3) and labels int64 (N,), which index `class_names`, in two splits."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]


def load(
    name: str | Path = "shapes",
    n_train: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    root: str | Path | None = None,
) -> Dataset:
    """Load a data set: "shapes", "digits", "cifar10", "mnist", or the path of an .npz file.

    - shapes: generated (see `make_shapes`); n_train and n_test default to the laptop budget.
    - digits: scikit-learn's 1,797 8x8 digits, enlarged bilinearly; 1,437 train, 360 test, stratified.
    - cifar10, mnist: through torchvision, downloaded into `root` (default: torch's cache) where absent.
      MNIST's 28x28 digits are enlarged bilinearly, with three equal channels.
    - an .npz file: Keras's array names x_train, y_train, x_test, y_test. Images are uint8 (N, 32, 32, 3), or
      gray ones of MNIST's shape (N, 28, 28). Labels are integers 0 to C-1, (N,) or (N, 1), and each of them
      is in y_train at least once.

    n_train and n_test keep the first images of each split, as many as there are; `seed` is for shapes alone.

    Raises DatasetError, with a one-sentence message, when the data cannot be had or is not as described here,
    and ValueError when n_train or n_test is negative.
    """
    if min(n_train or 0, n_test or 0) < 0:
        raise ValueError(f"n_train and n_test must be at least 0, got {n_train} and {n_test}")
    if name == "shapes":
        return _shapes(n_train, n_test, seed)
    if name == "digits":
        return _first(_digits(), n_train, n_test)
    if name in _TORCHVISION:
        return _first(_from_torchvision(str(name), root), n_train, n_test)
    return _first(_from_npz(Path(name).expanduser()), n_train, n_test)


def _first(data: Dataset, n_train: int | None, n_test: int | None) -> Dataset:
    return replace(
        data,
        **{"x_train": data.x_train[:n_train], "y_train": data.y_train[:n_train]},
        **{"x_test": data.x_test[:n_test], "y_test": data.y_test[:n_test]},
    )


def _shapes(n_train: int | None, n_test: int | None, seed: int) -> Dataset:
    n_train = LAPTOP_BUDGET.n_train if n_train is None else n_train
    n_test = LAPTOP_BUDGET.n_test if n_test is None else n_test
    train, test = make_shapes(n_train, 2 * seed), make_shapes(n_test, 2 * seed + 1)  # no seed serves twice
    return Dataset("shapes", *train, *test, SHAPE_NAMES)


def _digits() -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)  # (1797, 64), values 0 to 16
    rgb = _enlarged(images.reshape(-1, 8, 8) * (255 / 16))  # (1797, 32, 32, 3)
    split = train_test_split(rgb, labels.astype(np.int64), test_size=360, stratify=labels, random_state=0)
    x_train, x_test, y_train, y_test = (np.ascontiguousarray(part) for part in split)
    return Dataset("digits", x_train, y_train, x_test, y_test, DIGIT_NAMES)


def _enlarged(gray: np.ndarray) -> np.ndarray:
    """Gray images (N, h, w), values 0 to 255, as colored ones: uint8 (N, 32, 32, 3)."""
    small = torch.from_numpy(gray)[:, None]
    size = {"size": (SIDE, SIDE), "mode": "bilinear"}
    parts = [functional.interpolate(part.float(), **size).round().byte() for part in small.split(4096)]
    return torch.cat(parts).permute(0, 2, 3, 1).repeat(1, 1, 1, 3).numpy()


def gray28(images: np.ndarray) -> np.ndarray:
    """Gray images as MNIST has them before they are loaded: uint8 (N, 32, 32, 3) to (N, 28, 28)."""
    large = torch.as_tensor(images)[:, None, ..., 0].float()  # (N, 1, 32, 32)
    size = {"size": (28, 28), "mode": "bilinear", "antialias": True}
    return functional.interpolate(large, **size).round().byte()[:, 0].numpy()


# ---- torchvision -------------------------------------------------------------------------------------------

_TORCHVISION = {"cifar10": ("CIFAR10", CIFAR10_NAMES), "mnist": ("MNIST", DIGIT_NAMES)}


def _from_torchvision(name: str, root: str | Path | None) -> Dataset:
    class_name, class_names = _TORCHVISION[name]
    folder = Path(torch.hub.get_dir()).parent / "datasets" if root is None else Path(root).expanduser()
    try:
        import_torchvision()
        from torchvision import datasets

        with _socket_timeout(_DOWNLOAD_TIMEOUT):
            make = getattr(datasets, class_name)
            splits = [make(folder, train=train, download=True) for train in (True, False)]
    except (OSError, RuntimeError, ImportError, HTTPException) as error:
        raise DatasetError(_how_to_bring(name, folder, error)) from error
    return Dataset(name, *_images_and_labels(splits[0]), *_images_and_labels(splits[1]), class_names)


def _images_and_labels(split) -> tuple[np.ndarray, np.ndarray]:
    images = np.asarray(split.data)
    images = _enlarged(images) if images.ndim == 3 else images
    return images, np.asarray(split.targets, dtype=np.int64)


def _how_to_bring(name: str, folder: Path, error: Exception) -> str:
    causes = re.findall(r"<urlopen error (.*?)>", str(error))  # MNIST: one for each mirror, in several lines
    reason = causes[0] if causes else " ".join(str(error).split())[:200] or type(error).__name__
    return (
        f"{name} is not in {folder} and could not be downloaded ({reason}): bring it as a Keras-style "
        f".npz file (arrays x_train, y_train, x_test, y_test) and give its path instead of the name."
    )


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """torchvision sets no timeout: behind a firewall that drops packets, it would hang for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


# ---- .npz files --------------------------------------------------------------------------------------------


def _from_npz(path: Path) -> Dataset:
    x_train, y_train, x_test, y_test = _read_npz(path)
    images = [_check_images(path, name, x) for name, x in (("x_train", x_train), ("x_test", x_test))]
    labels = [_check_labels(path, name, y) for name, y in (("y_train", y_train), ("y_test", y_test))]
    for split, x, y in zip(("train", "test"), images, labels):
        if len(x) != len(y):
            counts = f"x_{split} has {len(x)} images and y_{split} has {len(y)} labels"
            raise DatasetError(f"{path}: x_{split} and y_{split} must have the same length, but {counts}.")
    n_classes = _check_classes(path, *labels)
    return Dataset(path.stem, images[0], labels[0], images[1], labels[1], _class_names(path, n_classes))


def _class_names(path: Path, n_classes: int) -> tuple[str, ...]:
    if n_classes == 10 and "cifar" in path.name.lower():
        return CIFAR10_NAMES
    return tuple(f"class {label}" for label in range(n_classes))


def _read_npz(path: Path) -> list[np.ndarray]:
    """The four arrays, unchecked but for being arrays. Nothing is ever unpickled."""
    if not path.exists():
        names = ", ".join(("shapes", "digits", *_TORCHVISION))
        raise DatasetError(
            f"{path}: there is no such file; expected one of the names {names}, or the path of an .npz file."
        )
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise DatasetError(
            f"{path}: expected an .npz file (a zip archive of arrays), but this is none, or it is cut short."
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            return [_read_array(path, archive, name) for name in ("x_train", "y_train", "x_test", "y_test")]
    except (OSError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path}: expected an .npz file, but it cannot be opened ({error}).") from error


def _read_array(path: Path, archive, name: str) -> np.ndarray:
    if name not in archive.files:
        present = ", ".join(archive.files) or "none"
        raise DatasetError(
            f"{path}: the array {name} is missing; expected x_train, y_train, x_test, y_test, got {present}."
        )
    try:
        array = archive[name]
    # A damaged archive can fail in the zip, in the decompressor or in the array's header: no common base
    # class.
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        what = "holds Python objects" if "Object arrays" in reason else f"is damaged ({reason})"
        raise DatasetError(
            f"{path}: expected {name} to be a plain array of numbers, but it {what}."
        ) from error
    if not isinstance(array, np.ndarray):  # numpy hands out a member that is no array as bytes
        raise DatasetError(f"{path}: expected {name} to be an array, but it is not in NumPy's format.")
    return array


def _check_images(path: Path, name: str, x: np.ndarray) -> np.ndarray:
    """uint8 (N, 32, 32, 3), N at least 1, from that or from gray (N, 28, 28) or (N, 28, 28, 1)."""
    gray = x.shape[1:] in ((28, 28), (28, 28, 1))
    if x.dtype != np.uint8 or not (gray or x.shape[1:] == (SIDE, SIDE, 3)) or len(x) == 0:
        raise DatasetError(
            f"{path}: {name} must hold at least one image, uint8 (N, 32, 32, 3) or gray (N, 28, 28), "
            f"but it is {x.dtype} {x.shape}."
        )
    return _enlarged(x.reshape(-1, 28, 28)) if gray else x


def _check_labels(path: Path, name: str, y: np.ndarray) -> np.ndarray:
    """int64 (N,), from integers (N,) or (N, 1) that are not negative."""
    if y.dtype.kind not in "iu" or y.shape not in ((y.size,), (y.size, 1)):
        expected = "must hold integer labels, (N,) or (N, 1)"
        raise DatasetError(f"{path}: {name} {expected}, but it is {y.dtype} {y.shape}.")
    if y.size and (y.min() < 0 or y.max() > np.iinfo(np.int64).max):
        raise DatasetError(
            f"{path}: {name} must hold labels 0 to C-1, but they range from {y.min()} to {y.max()}."
        )
    return y.reshape(-1).astype(np.int64)


def _check_classes(path: Path, y_train: np.ndarray, y_test: np.ndarray) -> int:
    """The number of classes C: y_train has each of 0 to C-1, y_test no others."""
    present = np.unique(y_train)
    classes = len(present)
    if classes < 2 or present[-1] != classes - 1:
        found = ", ".join(map(str, present[:12])) + (", ..." if classes > 12 else "")
        raise DatasetError(
            f"{path}: y_train must hold every label from 0 to C-1 for at least two classes, but its "
            f"{classes} distinct labels are {found}{f' {present[-1]}' if classes > 12 else ''}."
        )
    unknown = np.setdiff1d(y_test, present)
    if len(unknown):
        expected = f"y_test must hold labels from 0 to {classes - 1}, as y_train does"
        raise DatasetError(f"{path}: {expected}, but it holds {', '.join(map(str, unknown[:12]))} as well.")
    return classes
