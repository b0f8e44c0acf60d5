"""Task 4 on tiny encoders and a handful of points."""

import pytest
import torch

from autograder import expect
from autograder.expect import Mismatch
from autograder.worker import networks

NETWORK = {"features": 3, "dim": 4, "seed": 0, "batch_norm": True}  # the encoder ends in batch norm
IMAGES = torch.tensor(
    [[0, 0, 0], [250, 0, 0], [0, 250, 0], [0, 0, 250], [90, 90, 90], [250, 250, 0], [30, 200, 120]]
)
IMAGES = IMAGES.to(torch.uint8).view(7, 1, 1, 3)  # 7 images of a single pixel
PLACED = {"features": 3, "dim": 4, "seed": 1, "batch_norm": True, "size": (2, 3)}  # has weights for each place
PICTURES = (37 * torch.arange(144) % 256).to(torch.uint8).view(8, 2, 3, 3)  # 8 images of 2 rows and 3 columns
MEAN, STD = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.247, 0.243, 0.261])


def by_hand(images: torch.Tensor, network: dict) -> torch.Tensor:
    """Representations in eval mode of images that are normalized once, and not augmented."""
    encoder, _ = networks.pair(**network)
    with torch.no_grad():
        return encoder.eval()(((images.float() / 255 - MEAN) / STD).permute(0, 3, 1, 2))


def extracted(student, images, network: dict, training: bool, batch_size: int | None) -> torch.Tensor:
    """What a student's extract_representations returned; its type, shape and dtype are right."""
    found = student.run("extract", images, network, training, batch_size)["representations"]
    return expect.tensor(
        found, (len(images), network["features"]), torch.float32, what="extract_representations(...)"
    )


ORDER = "row i belongs to image i, normalized once, in eval mode"


def check_rows(student, found: torch.Tensor, images: torch.Tensor, network: dict, order: str = ORDER) -> None:
    """Row i is the representation of image i. A mistake in the student's `normalize` is judged by task 0."""
    expected = by_hand(images, network)
    # Rounding in float32 gives 1e-6, also where batches are of another size; batch norm in train mode, images
    # that are not normalized or two rows that changed places are off by more than 1e-1.
    bounds = {"rtol": 1e-4, "atol": 1e-4, "what": "extract_representations(...)"}
    try:
        expect.close(found, expected, **bounds, note=order)
    except Mismatch:
        if not agrees_with_own_normalize(student, found, images, network):
            raise


def agrees_with_own_normalize(student, found, images, network: dict) -> bool:
    count = len(student.calls)
    inputs = expect.tensor(
        student.warmup.normalize(images), (len(images), 3, *images.shape[1:3]), torch.float32
    )
    del student.calls[count:]
    with torch.no_grad():
        return torch.allclose(networks.pair(**network)[0].eval()(inputs), found, rtol=1e-4, atol=1e-4)


@pytest.mark.item("representations.rows")
def test_rows(student):
    for images, batch_size in ((IMAGES, None), (IMAGES, 3), (IMAGES.numpy(), 2)):
        found = extracted(student, images, NETWORK, True, batch_size)
        check_rows(student, found, IMAGES, NETWORK)
    found = extracted(student, PICTURES, PLACED, True, 1)
    check_rows(student, found, PICTURES, PLACED, "of the images as they are: not flipped, turned, cut or blurred")


@pytest.mark.item("representations.state")
def test_state(student):
    for training in (True, False):
        came = student.run("extract", IMAGES, NETWORK, training, 3)
        mode = "train" if training else "eval"
        now = "train" if came["modes"][0] else "eval"
        expect.true(
            came["modes"] == [training], f"an encoder that was in {mode} mode to be left in it", f"{now} mode"
        )
        same = all(torch.equal(a, b) for a, b in zip(came["before"], came["after"], strict=True))
        expect.true(same, "parameters and batch-norm statistics to stay what they were", "changed ones")
        expect.true(
            not came["attached"], "representations without a gradient", "a tensor with requires_grad=True"
        )
        expect.true(
            came["trainable"], "an encoder that can still be trained", "parameters with requires_grad=False"
        )


@pytest.mark.item("representations.map")
def test_map(student):
    generator = torch.Generator().manual_seed(0)
    stretch = torch.tensor(
        [[5.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.3, 0.0], [0.0, 0.0, 0.0, 0.1]]
    )
    turn = torch.linalg.qr(torch.randn(4, 4, generator=generator))[0]
    x = torch.randn(30, 4, generator=generator) @ stretch @ turn + torch.tensor([3.0, -1.0, 2.0, 5.0])
    found = expect.tensor(
        student.evaluation.project_2d(x, method="pca"), (30, 2), what='project_2d(x, method="pca")'
    )
    check_pca(found.double(), x.double())
    for method, points in (("pca", x), ("tsne", x[:7].numpy())):
        first, again = student.run("project", points, method, 3)["maps"]
        for each in (first, again):
            expect.tensor(each, (len(points), 2), what=f"the {method} map")
        # The same code on the same numbers; threads may sum in another order.
        expect.close(again, first, rtol=1e-3, atol=1e-3, what=f"a second {method} map with the same seed")
    with expect.value_error("project_2d(x, method='mds')"):
        student.evaluation.project_2d(x, method="mds")


def check_pca(found: torch.Tensor, x: torch.Tensor) -> None:
    """The first two principal components, up to sign, scale of both (whitening) and a shift."""
    centered = x - x.mean(dim=0)
    u, s, _ = torch.linalg.svd(centered, full_matrices=False)
    points = found - found.mean(dim=0)
    for column, name in ((0, "first"), (1, "second")):
        cosine = (u[:, column] @ points[:, column]).abs() / points[:, column].norm().clamp(min=1e-12)
        # float32 gives 1 - 1e-6; the columns in the wrong order 0, coordinates that are not turned about .9.
        what = f"column {column} to be the {name} principal component (correlation 1 or -1)"
        expect.true(cosine > 0.999, what, f"a correlation of {expect.number(cosine)}")


def labels_of(value, count: int, known: tuple, what: str = "linear_probe(...)") -> torch.Tensor:
    """Predicted labels, after it was found that they are integers that occur in the training labels."""
    found = expect.tensor(value, (count,), what=what)
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise Mismatch(f"{what} with integer labels", f"dtype {expect.dtype_text(found.dtype)}", values=False)
    among = set(found.tolist()) <= set(known)
    expect.true(
        among,
        f"labels among those of train_y, {sorted(known)}",
        f"{sorted(set(found.tolist()) - set(known))[:5]}",
    )
    return found


def clusters(centers, labels, each: int, spread: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`each` points around every center, in random order, with their labels."""
    generator = torch.Generator().manual_seed(seed)
    centers, labels = torch.tensor(centers), torch.tensor(labels)
    rows = torch.randperm(len(centers) * each, generator=generator) % len(centers)
    return centers[rows] + spread * torch.randn(len(rows), centers.shape[1], generator=generator), labels[
        rows
    ]


CORNERS = [[1.5, 0.0, 0.0], [-1.5, 0.5, 0.0], [0.0, -1.5, 1.0]]


@pytest.mark.item("representations.probe_labels")
def test_probe_labels(student):
    # Clusters 3 apart with a spread of .2: every linear classifier that was trained at all separates them.
    train_x, train_y = clusters(CORNERS, [3, 40, 7], 20, 0.2, 0)
    test_x, test_y = clusters(CORNERS, [3, 40, 7], 4, 0.2, 1)
    for arguments in ((train_x, train_y, test_x), (train_x.numpy(), train_y.numpy(), test_x.numpy())):
        found = labels_of(student.evaluation.linear_probe(*arguments), 12, (3, 7, 40))
        right = "the label of the cluster that each test row lies in"
        expect.close(
            found.long(), test_y, rtol=0, atol=0, what="linear_probe(train_x, train_y, test_x)", note=right
        )
    check_two_labels(student)


def check_two_labels(student) -> None:
    """Two clusters on either side of 0 in each of 60 columns: a few small steps are enough."""
    sides = [[1.0, -1.0] * 30, [-1.0, 1.0] * 30]
    (train_x, train_y), (test_x, test_y) = clusters(sides, [8, 3], 20, 0.2, 2), clusters(sides, [8, 3], 4, 0.2, 3)
    found = labels_of(student.evaluation.linear_probe(train_x, train_y, test_x), 8, (3, 8))
    right = "with two labels, too, the label of the cluster that each test row lies in"
    expect.close(found.long(), test_y, rtol=0, atol=0, what="linear_probe(train_x, train_y, test_x)", note=right)
