"""What a GPU does in another order comes out as the reference has it."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch

from assignment.provided.models import Projector, SmallEncoder
from solutions import training
from solutions.evaluation import linear_probe
from solutions.reproduce import gpu
from solutions.training import evaluate_loss, train_step, train_vicreg
from solutions.warmup import normalize

N, BATCH, LR = 300, 64, 3e-4  # four whole batches, and one of 44 images


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (N, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def fixed_views(images: torch.Tensor):
    """Views that differ, and do not depend on how many are drawn at once."""
    noise = torch.randn(2, N, 3, 32, 32, generator=torch.Generator().manual_seed(1)).to(images.device)
    return lambda rows: tuple(normalize(images[rows]) + 0.3 * each[rows] for each in noise)


def networks(device: str = "cpu"):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SmallEncoder(8).to(device), Projector().to(device)


def history_of(train, images, **options) -> torch.Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        history = train(*networks(images.device.type), images, 3, batch_size=BATCH, lr=LR, **options)
    return {split: torch.tensor(terms) for split, terms in history.items()}


def test_an_epoch_takes_the_steps_of_the_reference(images, monkeypatch):
    """Exactly: the same batches in the same order. Recording needs a GPU, so the steps are made one by one here."""
    monkeypatch.setattr(gpu, "BATCHES_AT_ONCE", 2)
    views = fixed_views(images)

    def one_by_one(encoder, projector, images, epochs, batch_size, lr):
        optimizer = torch.optim.Adam([*encoder.parameters(), *projector.parameters()], lr=lr, weight_decay=1e-6)
        step = partial(train_step, encoder, projector, optimizer)
        terms = [gpu.epoch_of_terms(lambda *pair: torch.stack(step(*pair)), views, N, batch_size) for _ in range(epochs)]
        return {"train": [each for epoch in terms for each in epoch]}

    expected = history_of(train_vicreg, images, views=views)["train"]
    assert expected.shape == (15, 4)
    torch.testing.assert_close(history_of(one_by_one, images)["train"], expected, rtol=0, atol=0)


def test_a_last_batch_of_one_image_is_left_out():
    views = lambda rows: (rows, rows + 100)
    found = [(a.tolist(), b.tolist()) for a, b in gpu.pairs(views, torch.arange(5), 2)]
    assert found == [([0, 1], [100, 101]), ([2, 3], [102, 103])]


def test_the_test_loss_is_that_of_the_reference(images, monkeypatch):
    plain = lambda batch: (normalize(batch), normalize(batch.flip(2)))
    for module in (gpu, training):
        monkeypatch.setattr(module, "two_views", plain)
    monkeypatch.setattr(gpu, "BATCHES_AT_ONCE", 2)
    encoder, projector = (network.eval() for network in networks())
    evaluate = lambda *pair: torch.stack(gpu.embedded_loss(encoder, projector, *pair))
    with torch.no_grad():
        found = gpu.mean_terms(evaluate, images, BATCH)
    expected = evaluate_loss(encoder, projector, images, BATCH)
    torch.testing.assert_close(torch.tensor(found), torch.stack(expected), rtol=1e-5, atol=0)


@pytest.mark.parametrize("names", [[3, 7, 40], [9, -2]])
def test_the_probe_predicts_what_the_reference_predicts(names):
    """Both stop where no slope exceeds 1e-4: rows at the border between two classes may fall either way."""
    draws, names = torch.Generator().manual_seed(0), torch.tensor(names)
    centers = torch.randn(len(names), 12, generator=draws)
    rows = torch.randint(len(names), (900,), generator=draws)
    x = centers[rows] + 2 * torch.randn(900, 12, generator=draws)
    x[:, 5] = 1.0  # a column without spread
    train, test = slice(None, 600), slice(600, None)
    found = gpu.linear_probe_on_gpu(x[train], names[rows[train]], x[test], torch.device("cpu"))
    expected = linear_probe(x[train], names[rows[train]], x[test])
    assert (found == expected).float().mean() > 0.99
    assert 0.6 < (found == names[rows[test]]).float().mean() < 0.95


class OneByOne(gpu.Recorded):
    """A recording that needs no GPU: to replay it is to call the function again."""

    def call(self):
        return torch.stack(self.function(*self.views))

    def record(self):
        self.graph = SimpleNamespace(replay=lambda: setattr(self, "terms", self.function(*self.views)))


def test_training_is_that_of_the_reference(images, monkeypatch):
    """All of it but the recording: optimizer, modes, weights of the loss, the incomplete last batch, the test loss."""
    monkeypatch.setattr(gpu, "Recorded", OneByOne)
    monkeypatch.setattr(gpu, "fused", lambda encoder: encoder)
    for module in (gpu, training):  # views that do not depend on how many are drawn at once
        monkeypatch.setattr(module, "two_views", lambda batch: (normalize(batch), normalize(batch.flip(2))))
    options = {"views": fixed_views(images), "test_images": images[:100], "var_weight": 10.0}
    expected, found = (history_of(train, images, **options) for train in (train_vicreg, gpu.train_vicreg_on_gpu))
    assert expected["train"].shape == (15, 4) and expected["test"].shape == (3, 4)
    for split in expected:  # the fused optimizer rounds otherwise, by 1e-6 of a step
        torch.testing.assert_close(found[split], expected[split], rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_recorded_steps_are_the_steps_of_the_reference(images):
    """Fused kernels round otherwise, and training lets such differences grow: after 15 steps they are near 1e-3."""
    images, test_images = images.cuda(), images[:100].cuda()
    options = {"views": fixed_views(images), "test_images": test_images}
    expected, found = (history_of(train, images, **options) for train in (train_vicreg, gpu.train_vicreg_on_gpu))
    torch.testing.assert_close(found["train"][:5], expected["train"][:5], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found["train"], expected["train"], rtol=2e-2, atol=2e-3)
    torch.testing.assert_close(found["test"], expected["test"], rtol=5e-2, atol=5e-3)  # other draws of the views
