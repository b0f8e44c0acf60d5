"""Data by name and from files: what comes out, and what is said when nothing can come out."""

import dataclasses
import io
import socket
import zipfile

import numpy as np
import pytest
from PIL import Image

from assignment.provided import datasets
from assignment.provided.datasets import LAPTOP_BUDGET, DatasetError, load

TRAIN, TEST = 12, 6  # images in the files made here, of 3 classes


def good_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (TRAIN, 32, 32, 3), dtype=np.uint8),
        "y_train": np.arange(TRAIN) % 3,
        "x_test": rng.integers(0, 256, (TEST, 32, 32, 3), dtype=np.uint8),
        "y_test": np.arange(TEST) % 3,
    }


def write(path, **changes):
    """Write a good file with some arrays changed (None: left out)."""
    arrays = {name: array for name, array in (good_arrays() | changes).items() if array is not None}
    np.savez(path, **arrays)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.npz"


def assert_is_dataset(data, n_train: int, n_test: int) -> None:
    for images, labels, n in ((data.x_train, data.y_train, n_train), (data.x_test, data.y_test, n_test)):
        assert images.shape == (n, 32, 32, 3) and images.dtype == np.uint8
        assert labels.shape == (n,) and labels.dtype == np.int64
        assert set(labels) <= set(range(len(data.class_names)))


def test_shapes_has_the_laptop_budget_by_default_and_disjoint_splits():
    data = load("shapes")
    assert_is_dataset(data, LAPTOP_BUDGET.n_train, LAPTOP_BUDGET.n_test)
    assert not {x.tobytes() for x in data.x_train} & {x.tobytes() for x in data.x_test}
    assert len(data.class_names) == 10


def test_shapes_of_different_seeds_share_no_split():
    splits = [split.tobytes() for seed in range(3) for split in load_splits(seed)]
    assert len(set(splits)) == 6


def load_splits(seed):
    data = load("shapes", n_train=20, n_test=20, seed=seed)
    return data.x_train, data.x_test


def test_digits_are_enlarged_and_stratified():
    data = load("digits")
    assert_is_dataset(data, 1437, 360)
    assert np.bincount(data.y_test).min() >= 34
    assert data.x_train.min() == 0 and data.x_train.max() == 255
    assert np.array_equal(load("digits").x_test, data.x_test)


def test_sizes_keep_the_first_images_and_at_most_what_is_there(path):
    write(path)
    arrays = good_arrays()
    data = load(path, n_train=5, n_test=100)
    assert_is_dataset(data, 5, TEST)
    assert np.array_equal(data.x_train, arrays["x_train"][:5]) and np.array_equal(
        data.y_test, arrays["y_test"]
    )
    with pytest.raises(ValueError, match="-1"):
        load(path, n_train=-1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint64])
@pytest.mark.parametrize("column", [False, True])
def test_npz_labels_of_any_integer_type_and_both_shapes(path, dtype, column):
    labels = (np.arange(TRAIN) % 3).astype(dtype)
    data = load(str(write(path, y_train=labels[:, None] if column else labels)))
    assert_is_dataset(data, TRAIN, TEST)
    assert np.array_equal(data.y_train, labels)
    assert data.name == "mine" and data.class_names == ("class 0", "class 1", "class 2")


def test_npz_of_ten_classes_with_cifar_in_its_name_has_cifars_class_names(tmp_path):
    labels = {"y_train": np.arange(TRAIN) % 10}
    assert load(write(tmp_path / "My-CIFAR.npz", **labels)).class_names[3] == "cat"
    assert load(write(tmp_path / "other.npz", **labels)).class_names[3] == "class 3"
    assert load(write(tmp_path / "cifar3.npz")).class_names[0] == "class 0"


@pytest.mark.parametrize("channel", [(), (1,)])
def test_gray_images_of_mnists_shape_are_enlarged_and_get_three_channels(path, channel):
    gray = np.random.default_rng(1).integers(0, 256, (TRAIN, 28, 28, *channel), dtype=np.uint8)
    images = load(write(path, x_train=gray)).x_train
    assert images.shape == (TRAIN, 32, 32, 3) and images.dtype == np.uint8
    assert (images == images[..., :1]).all()
    for large, small in zip(images[..., 0], gray.reshape(TRAIN, 28, 28)):
        expected = np.asarray(Image.fromarray(small).resize((32, 32), Image.Resampling.BILINEAR), dtype=float)
        assert np.abs(large - expected).max() <= 1  # Pillow rounds after each axis


def test_gray28_gives_back_what_was_enlarged(path):
    strokes = np.zeros((TRAIN, 28, 28), dtype=np.uint8)
    strokes[:, 4:24, 13:16] = 255
    small = datasets.gray28(load(write(path, x_train=strokes)).x_train)
    assert small.shape == (TRAIN, 28, 28) and small.dtype == np.uint8
    assert np.abs(small.astype(float) - strokes).mean() < 8 and small[:, 8:20, 14].min() > 200


X, Y = good_arrays()["x_train"], good_arrays()["y_train"]
BAD_ARRAYS = {
    "missing": ({"y_test": None}, ["y_test", "missing", "x_train, y_train, x_test"]),
    "float images": ({"x_train": X / 255}, ["x_train", "uint8 (N, 32, 32, 3)", "float64 (12, 32, 32, 3)"]),
    "channels first": (
        {"x_test": np.moveaxis(X, 3, 1)},
        ["x_test", "(N, 32, 32, 3)", "uint8 (12, 3, 32, 32)"],
    ),
    "other size": ({"x_train": X[:, :30]}, ["x_train", "(N, 32, 32, 3)", "(12, 30, 32, 3)"]),
    "one image": ({"x_train": X[0]}, ["x_train", "(N, 32, 32, 3)", "(32, 32, 3)"]),
    "scalar": ({"x_train": np.uint8(3)}, ["x_train", "(N, 32, 32, 3)", "uint8 ()"]),
    "no images": ({"x_test": X[:0], "y_test": Y[:0]}, ["x_test", "at least one image", "(0, 32, 32, 3)"]),
    "float labels": ({"y_train": Y * 1.0}, ["y_train", "integer labels", "float64 (12,)"]),
    "bool labels": ({"y_train": Y > 0}, ["y_train", "integer labels", "bool (12,)"]),
    "one-hot labels": ({"y_train": np.eye(3, dtype=int)[Y]}, ["y_train", "(N,) or (N, 1)", "(12, 3)"]),
    "negative label": ({"y_test": np.arange(TEST) - 1}, ["y_test", "0 to C-1", "from -1 to 4"]),
    "huge label": (
        {"y_train": Y.astype(np.uint64) + np.uint64(2**63)},
        ["y_train", "0 to C-1", "9223372036854775808"],
    ),
    "labels from 1": ({"y_train": Y + 1}, ["y_train", "every label from 0 to C-1", "1, 2, 3"]),
    "a gap": ({"y_train": Y * 2}, ["y_train", "0 to C-1", "0, 2, 4"]),
    "one class": (
        {"y_train": Y * 0, "y_test": np.zeros(TEST, int)},
        ["y_train", "two classes", "1 distinct"],
    ),
    "unknown class": ({"y_test": np.arange(TEST)}, ["y_test", "0 to 2", "3, 4, 5"]),
    "lengths": ({"y_train": Y[:-1]}, ["same length", "x_train has 12", "y_train has 11"]),
    "objects": ({"y_train": Y.astype(object)}, ["y_train", "plain array of numbers", "Python objects"]),
    "strings": ({"y_train": Y.astype(str)}, ["y_train", "integer labels", "<U"]),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_a_bad_array_is_named_with_what_was_expected_and_what_came(path, case):
    changes, words = BAD_ARRAYS[case]
    before = write(path, **changes).read_bytes()
    assert_explained(path, words)
    assert path.read_bytes() == before


def assert_explained(path, words):
    with pytest.raises(DatasetError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".")
    for word in [path.name, *words]:
        assert word in message


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, -1, -30])
def test_a_file_cut_short(path, keep):
    whole = write(path).read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    assert_explained(path, [".npz file"])


@pytest.mark.parametrize("compress", [False, True])
def test_a_damaged_array_is_named(path, compress):
    (np.savez_compressed if compress else np.savez)(path, **good_arrays())
    damaged = bytearray(path.read_bytes())
    damaged[5000:5100] = bytes(100)  # inside x_train, the first array
    path.write_bytes(damaged)
    assert_explained(path, ["x_train", "damaged"])


def test_files_of_other_kinds(path, tmp_path):
    path.write_bytes(b"not a zip at all" * 100)
    assert_explained(path, ["zip archive of arrays"])
    np.save(tmp_path / "one.npy", X)
    assert_explained(tmp_path / "one.npy", ["zip archive of arrays"])
    assert_explained(tmp_path, ["zip archive of arrays"])
    assert_explained(tmp_path / "absent.npz", ["no such file", "shapes, digits, cifar10, mnist"])


def test_a_zip_of_something_else(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert_explained(path, ["x_train is missing", "readme.txt"])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train", "hello")
    assert_explained(path, ["x_train", "NumPy's format"])


def test_a_header_that_promises_more_than_memory_holds(path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 10**6)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", header.getvalue())
    assert_explained(path, ["x_train", "damaged"])


@pytest.mark.parametrize("name", ["cifar10", "mnist"])
def test_offline_one_sentence_says_how_to_bring_the_data(name, tmp_path, monkeypatch):
    def no_network(*args, **kwargs):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    with pytest.raises(DatasetError) as caught:
        load(name, root=tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    for word in (
        name,
        "Network is unreachable",
        "x_train, y_train, x_test, y_test",
        "give its path instead of the name",
    ):
        assert word in message
    assert socket.getdefaulttimeout() is None


def test_datasets_of_torchvision_come_in_the_common_form(monkeypatch):
    datasets.import_torchvision()
    import torchvision.datasets

    class Fake:
        def __init__(self, root, train, download):
            n = 20 if train else 10
            self.data, self.targets = np.full((n, 28, 28), 7, np.uint8), list(range(10)) * (n // 10)

    monkeypatch.setattr(torchvision.datasets, "MNIST", Fake)
    data = load("mnist", n_test=4)
    assert_is_dataset(data, 20, 4)
    assert data.class_names[9] == "9" and data.x_train[0, 16, 16].tolist() == [7, 7, 7]


def test_the_budget_cannot_be_changed_by_accident():
    with pytest.raises(dataclasses.FrozenInstanceError):
        LAPTOP_BUDGET.epochs = 1
