"""The reference solutions against independent oracles: loops, torchvision, known zeros, frequencies."""

import doctest
import importlib
import math

import numpy as np
import pytest
import torch
from torch import nn

from assignment.provided.datasets import CIFAR_MEAN, CIFAR_STD
from assignment.provided.torchvision_compat import import_torchvision
from solutions import augmentations, evaluation, training, vicreg, warmup
from solutions.vicreg import VICRegTerms

import_torchvision()

from torchvision import transforms  # noqa: E402
from torchvision.transforms import functional as TF  # noqa: E402

MODULES = ["warmup", "augmentations", "vicreg", "training", "evaluation"]
TRANSFORMS = ["random_resized_crop", "random_flip", "color_jitter", "random_grayscale", "random_blur"]
EXACT = {"rtol": 1e-9, "atol": 1e-12}  # float64 against float64: the same formula, summed in another order


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Small tensors gain nothing from more threads, and lose much on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def uint8_images(n, height=8, width=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", MODULES)
def test_doctests_pass(name):
    results = doctest.testmod(importlib.import_module(f"solutions.{name}"))
    assert results.attempted > 0
    assert results.failed == 0


# Task 0


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_normalize_equals_torchvision(make):
    images = uint8_images(5, 6, 9)
    wanted = torch.stack([TF.normalize(TF.to_tensor(image), CIFAR_MEAN, CIFAR_STD) for image in images])
    out = warmup.normalize(make(images))
    assert out.dtype == torch.float32
    assert out.shape == (5, 3, 6, 9)
    torch.testing.assert_close(out, wanted, rtol=0, atol=1e-6)


def test_normalize_ignores_the_default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        assert warmup.normalize(uint8_images(2)).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


# Task 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (1, 3, 1, 1), (2, 3, 1, 7), (3, 3, 32, 32), (5, 3, 20, 33)])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform_keeps_shape_dtype_range_and_input(name, shape, dtype):
    images = torch.rand(shape, dtype=dtype)
    before = images.clone()
    out = getattr(augmentations, name)(images)
    assert out.shape == shape
    assert out.dtype == dtype
    assert torch.equal(images, before)
    assert ((out >= 0) & (out <= 1)).all()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform_returns_a_new_tensor(name):
    images = torch.rand(4, 3, 8, 8)
    out = getattr(augmentations, name)(images)
    assert out.data_ptr() != images.data_ptr()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform_is_drawn_per_image_from_the_global_generator(name):
    transform = getattr(augmentations, name)
    images = torch.rand(3, 16, 16).expand(64, -1, -1, -1)
    torch.manual_seed(1)
    first = transform(images)
    torch.manual_seed(1)
    again = transform(images)
    assert torch.equal(first, again)
    assert len(first.flatten(1).unique(dim=0)) > 1
    assert not torch.equal(transform(images), again)


def test_crop_equals_torchvision_for_given_boxes():
    images = torch.rand(40, 3, 20, 33, dtype=torch.float64)
    height, width = augmentations._crop_sizes(images, (0.2, 1.0))
    top = augmentations._crop_starts(images, height, 20)
    left = augmentations._crop_starts(images, width, 33)
    rows = augmentations._resize_matrix(top, height, 20)
    columns = augmentations._resize_matrix(left, width, 33)
    out = augmentations._separable(images, rows, columns)
    boxes = torch.stack([top, left, height, width], dim=1).int().tolist()
    # antialias changes nothing where an image is enlarged, as crops are.
    wanted = [
        TF.resized_crop(image, *box, [20, 33], antialias=False)
        for image, box in zip(images, boxes, strict=True)
    ]
    torch.testing.assert_close(out, torch.stack(wanted), rtol=0, atol=1e-9)


def test_crop_sizes_and_places_are_distributed_as_torchvision_has_them():
    n = 4000
    images = torch.zeros(n, 3, 32, 32)
    height, width = augmentations._crop_sizes(images, (0.2, 1.0))
    top = augmentations._crop_starts(images, height, 32)
    ours = torch.stack([top, height, width, height * width, width / height], dim=1)
    crop = transforms.RandomResizedCrop(32, scale=(0.2, 1.0))
    drawn = torch.tensor([crop.get_params(images[0], crop.scale, crop.ratio) for _ in range(n)]).float()
    top, _, height, width = drawn.unbind(1)
    theirs = torch.stack([top, height, width, height * width, width / height], dim=1)
    for mine, peer in zip(ours.T, theirs.T, strict=True):
        # Two-sample Kolmogorov-Smirnov: at 1.95 sqrt(2 / n), p = .001.
        values = torch.cat([mine, peer]).unique()
        below = [(sample[:, None] <= values).float().mean(0) for sample in (mine, peer)]
        assert (below[0] - below[1]).abs().max() < 1.95 * math.sqrt(2 / n)


def test_crop_of_a_full_scale_square_is_often_the_image_itself():
    images = torch.rand(50, 3, 32, 32)
    out = augmentations.random_resized_crop(images, scale=(1.0, 1.0))
    same = [torch.allclose(a, b, atol=1e-6) for a, b in zip(out, images, strict=True)]
    assert any(same)


@pytest.mark.parametrize("place", ["first", "last"])
def test_crop_reaches_every_border(place):
    pixels = torch.arange(16) / 15
    images = pixels.expand(500, 3, 16, 16)
    out = augmentations.random_resized_crop(images)[:, 0, 0, 0 if place == "first" else -1]
    assert (out == (0 if place == "first" else 1)).any()


def test_flip_mirrors_left_and_right():
    images = torch.rand(6, 3, 5, 7)
    assert torch.equal(augmentations.random_flip(images, p=1), torch.flip(images, dims=[3]))
    assert torch.equal(augmentations.random_flip(images, p=0), images)


@pytest.mark.parametrize("name, p", [("random_flip", 0.3), ("random_grayscale", 0.2), ("random_blur", 0.7)])
def test_probability_by_frequency(name, p):
    images = torch.rand(2000, 3, 6, 6)
    changed = (getattr(augmentations, name)(images, p=p) != images).flatten(1).any(1).float().mean()
    assert abs(changed - p) < 4 * math.sqrt(p * (1 - p) / 2000)  # four standard deviations


def test_grayscale_equals_torchvision():
    images = torch.rand(6, 3, 5, 7)
    wanted = TF.rgb_to_grayscale(images, num_output_channels=3)
    torch.testing.assert_close(augmentations.random_grayscale(images, p=1), wanted)


NO_JITTER = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}


def test_no_jitter_changes_nothing():
    images = torch.rand(8, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(augmentations.color_jitter(images, **NO_JITTER), images, **EXACT)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_jitter_factor_equals_torchvision_and_is_uniform(name):
    images = 0.4 + 0.2 * torch.rand(400, 3, 6, 6, dtype=torch.float64)  # too tame to be clipped
    out = augmentations.color_jitter(images, **{**NO_JITTER, name: 0.4})
    gray = TF.rgb_to_grayscale(images)
    fixed = {
        "brightness": 0 * gray,
        "contrast": gray.mean((2, 3), keepdim=True).expand_as(gray),
        "saturation": gray,
    }
    pivot = fixed[name]
    factor = ((out - pivot).abs().sum((1, 2, 3)) / (images - pivot).abs().sum((1, 2, 3))).tolist()
    adjust = getattr(TF, f"adjust_{name}")
    wanted = torch.stack([adjust(image, f) for image, f in zip(images, factor, strict=True)])
    torch.testing.assert_close(out, wanted, rtol=0, atol=1e-9)
    counts = np.histogram(factor, bins=4, range=(0.6, 1.4))[0]
    assert counts.sum() == 400
    assert (abs(counts - 100) < 4 * math.sqrt(75)).all()  # four standard deviations of a count


def test_jitter_clips_as_torchvision_does():
    images = torch.rand(30, 3, 6, 6, dtype=torch.float64)
    out = augmentations.color_jitter(images, **{**NO_JITTER, "brightness": 0.4})
    brightest = images.flatten(1).argmin(1)  # the darkest pixel is never clipped and tells the factor
    factor = out.flatten(1).gather(1, brightest[:, None]) / images.flatten(1).gather(1, brightest[:, None])
    wanted = [TF.adjust_brightness(image, f.item()) for image, f in zip(images, factor, strict=True)]
    torch.testing.assert_close(out, torch.stack(wanted), rtol=0, atol=1e-9)


@pytest.mark.parametrize("shift", [-0.5, -0.3, -0.1, 0.0, 0.05, 0.1, 0.37, 0.5])
def test_hue_equals_torchvision(shift):
    images = torch.rand(6, 3, 9, 9, dtype=torch.float64)
    images[0] = 0.5  # gray
    images[1, 1] = images[1, 0]  # two channels alike
    images[2] = torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1)
    out = augmentations._shift_hue(images, torch.full((6, 1, 1, 1), shift, dtype=torch.float64))
    # torchvision works in float32 here; a hue that is off by .001 shows as 6e-3.
    torch.testing.assert_close(out, TF.adjust_hue(images, shift), rtol=0, atol=2e-6)


def test_hue_shifts_stay_in_their_range():
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(2000, 3, 1, 1)
    out = augmentations.color_jitter(red, **{**NO_JITTER, "hue": 0.1})[:, :, 0, 0]
    shift = (out[:, 1] - out[:, 2]) / 6  # near red, green grows with the hue and blue with its negative
    assert shift.abs().max() <= 0.1 + 1e-6
    assert shift.min() < -0.095
    assert shift.max() > 0.095
    assert shift.mean().abs() < 4 * 0.1 / math.sqrt(3 * 2000)


@pytest.mark.parametrize("size", [(2, 2), (5, 9)])
def test_blur_equals_torchvision(size):
    images = torch.rand(5, 3, *size, dtype=torch.float64)
    sigma = torch.tensor([0.1, 0.3, 0.7, 1.2, 2.0], dtype=torch.float64)
    rows, columns = (augmentations._blur_matrix(sigma, n) for n in size)
    out = augmentations._separable(images, rows, columns)
    wanted = [TF.gaussian_blur(image, [3, 3], [s.item()] * 2) for image, s in zip(images, sigma, strict=True)]
    torch.testing.assert_close(out, torch.stack(wanted), rtol=0, atol=1e-6)  # torchvision's kernel is float32


def test_blur_draws_sigma_uniformly():
    images = torch.zeros(1000, 3, 5, 5, dtype=torch.float64)
    images[:, :, 2, 2] = 1
    out = augmentations.random_blur(images, p=1)
    sigma = (-0.5 / (out[:, 0, 2, 1] / out[:, 0, 2, 2]).log()).sqrt()
    counts = np.histogram(sigma, bins=5, range=(0.1, 2.0))[0]
    assert counts.sum() == 1000
    assert (abs(counts - 200) < 4 * math.sqrt(160)).all()
    torch.testing.assert_close(out.sum((2, 3)), torch.ones(1000, 3, dtype=torch.float64))


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_augment_accepts_arrays_and_tensors(make):
    images = uint8_images(3, 10, 12)
    before = images.copy()
    out = augmentations.augment(make(images))
    assert out.dtype == torch.float32
    assert out.shape == (3, 3, 10, 12)
    assert np.array_equal(images, before)
    assert augmentations.augment(make(images[:0])).shape == (0, 3, 10, 12)


def test_augment_is_distributed_as_torchvision_has_it():
    ramp = np.linspace(0, 255, 32).astype(np.uint8)
    across, down = np.broadcast_arrays(ramp, ramp[:, None])
    image = np.stack([across, down, np.full((32, 32), 90, np.uint8)], axis=2)
    pipeline = transforms.Compose([
        transforms.ToTensor(),
        transforms.RandomResizedCrop(32, scale=(0.2, 1.0), antialias=False),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(0.4, 0.4, 0.2, 0.1),
        transforms.RandomGrayscale(0.2),
        transforms.RandomApply([transforms.GaussianBlur(3)], 0.5),
        transforms.Normalize(CIFAR_MEAN, CIFAR_STD),
    ])  # fmt: skip
    n = 1000
    ours = augmentations.augment(np.repeat(image[None], n, axis=0))
    theirs = torch.stack([pipeline(image) for _ in range(n)])
    for statistic in (lambda x: x.mean((2, 3)), lambda x: x.std((2, 3)), lambda x: x[:, :, 4, 27]):
        mine, peer = statistic(ours), statistic(theirs)  # (N, 3)
        error = torch.sqrt((mine.var(0) + peer.var(0)) / n)
        assert ((mine.mean(0) - peer.mean(0)).abs() < 4 * error + 0.01).all()  # .01: another order of colors
        torch.testing.assert_close(mine.std(0), peer.std(0), rtol=0.1, atol=0.01)


def test_two_views_are_two_draws_of_the_same_images():
    images = np.zeros((40, 8, 8, 3), dtype=np.uint8)
    images[::2] = 255
    view_a, view_b = augmentations.two_views(images)
    bright = torch.arange(40) % 2 == 0
    for view in (view_a, view_b):
        assert view[bright].mean((1, 2, 3)).min() > view[~bright].mean((1, 2, 3)).max()
    assert not torch.equal(view_a, view_b)


# Task 2


def loop_variance(z, gamma=1.0, eps=1e-4):
    n, dim = z.shape
    total = 0.0
    for j in range(dim):
        mean = sum(z[i, j].item() for i in range(n)) / n
        variance = sum((z[i, j].item() - mean) ** 2 for i in range(n)) / (n - 1)
        total += max(0.0, gamma - math.sqrt(variance + eps))
    return total / dim


def loop_covariance(z):
    cov = torch.cov(z.T)
    dim = z.shape[1]
    return sum(cov[i, j].item() ** 2 for i in range(dim) for j in range(dim) if i != j) / dim


def embeddings(n=7, dim=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    scale = torch.linspace(0.2, 1.6, dim, dtype=torch.float64)
    return 3 + scale * torch.randn(n, dim, generator=generator, dtype=torch.float64)


def test_invariance_equals_a_loop():
    z_a, z_b = embeddings(seed=1), embeddings(seed=2)
    wanted = sum(((a - b) ** 2).sum().item() / 5 for a, b in zip(z_a, z_b, strict=True)) / 7
    assert vicreg.invariance_loss(z_a, z_b).item() == pytest.approx(wanted, rel=1e-12)
    assert vicreg.invariance_loss(z_a, z_a) == 0


@pytest.mark.parametrize("n, dim", [(2, 3), (7, 5), (64, 9)])
def test_variance_and_covariance_equal_loops(n, dim):
    z = embeddings(n, dim)
    assert vicreg.variance_loss(z).item() == pytest.approx(loop_variance(z), rel=1e-12)
    assert vicreg.variance_loss(z, 2.0, 0.3).item() == pytest.approx(loop_variance(z, 2.0, 0.3), rel=1e-12)
    assert vicreg.covariance_loss(z).item() == pytest.approx(loop_covariance(z), rel=1e-10)


def test_known_values():
    constant = torch.full((6, 4), 2.5, dtype=torch.float64)
    assert vicreg.variance_loss(constant).item() == pytest.approx(0.99, rel=1e-12)
    assert vicreg.covariance_loss(constant) == 0
    assert vicreg.variance_loss(100 * torch.eye(4, dtype=torch.float64)) == 0
    uncorrelated = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert vicreg.covariance_loss(uncorrelated) == 0


def test_loss_has_its_symmetries():
    z_a, z_b = embeddings(seed=1), embeddings(seed=2)
    wanted = torch.stack(vicreg.vicreg_loss(z_a, z_b))
    order = torch.randperm(7)
    for other in [(z_b, z_a), (z_a[order], z_b[order]), (z_a + 5, z_b + 5), (z_a.flip(1), z_b.flip(1))]:
        torch.testing.assert_close(torch.stack(vicreg.vicreg_loss(*other)), wanted, **EXACT)


def test_terms_are_unweighted_and_sums_over_branches():
    z_a, z_b = embeddings(seed=1), embeddings(seed=2)
    terms = vicreg.vicreg_loss(z_a, z_b, inv_weight=3.0, var_weight=5.0, cov_weight=7.0)
    assert isinstance(terms, VICRegTerms)
    assert terms.variance.item() == pytest.approx(loop_variance(z_a) + loop_variance(z_b), rel=1e-12)
    assert terms.covariance.item() == pytest.approx(loop_covariance(z_a) + loop_covariance(z_b), rel=1e-10)
    weighted = 3 * terms.invariance + 5 * terms.variance + 7 * terms.covariance
    torch.testing.assert_close(terms.total, weighted, **EXACT)
    default = vicreg.vicreg_loss(z_a, z_b)
    wanted = 25 * default.invariance + 25 * default.variance + default.covariance
    torch.testing.assert_close(default.total, wanted, **EXACT)


def test_gradients_equal_finite_differences():
    z_a, z_b = embeddings(seed=1).requires_grad_(), embeddings(seed=2).requires_grad_()
    assert torch.autograd.gradcheck(vicreg.invariance_loss, (z_a, z_b))
    assert torch.autograd.gradcheck(vicreg.variance_loss, (z_a,))
    assert torch.autograd.gradcheck(vicreg.covariance_loss, (z_a,))
    assert torch.autograd.gradcheck(lambda a, b: vicreg.vicreg_loss(a, b).total, (z_a, z_b))


def test_gradient_is_finite_for_constant_embeddings():
    z = torch.zeros(4, 3, requires_grad=True)
    vicreg.vicreg_loss(z, z).total.backward()
    assert torch.isfinite(z.grad).all()


# Task 3


def networks(seed=0):
    torch.manual_seed(seed)
    encoder = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 6)
    )
    projector = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8))
    return encoder, projector


def state(*modules):
    return [tensor.clone() for module in modules for tensor in module.state_dict().values()]


def assert_same_state(first, second):
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def modes(*modules):
    return [part.training for module in modules for part in module.modules()]


def test_train_step_is_one_step_down_the_gradient_of_the_loss():
    encoder, projector = networks()
    views = torch.rand(5, 3, 8, 8), torch.rand(5, 3, 8, 8)
    parameters = [*encoder.parameters(), *projector.parameters()]
    loss = vicreg.vicreg_loss(*(projector(encoder(view)) for view in views), cov_weight=3.0).total
    gradients = torch.autograd.grad(loss, parameters)
    wanted = [p.detach() - 0.1 * g for p, g in zip(parameters, gradients, strict=True)]
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)  # left over from an earlier step
    terms = training.train_step(
        encoder, projector, torch.optim.SGD(parameters, lr=0.1), *views, cov_weight=3.0
    )
    torch.testing.assert_close([p.detach() for p in parameters], wanted)
    torch.testing.assert_close(terms.total, loss.detach())
    assert not terms.total.requires_grad
    assert all(modes(encoder, projector))


def test_evaluate_loss_leaves_modes_statistics_and_gradients_alone():
    encoder, projector = networks()
    encoder[1].eval()
    projector.eval()
    before = state(encoder, projector), modes(encoder, projector)
    terms = training.evaluate_loss(encoder, projector, uint8_images(9), batch_size=4)
    assert_same_state(state(encoder, projector), before[0])
    assert modes(encoder, projector) == before[1]
    assert all(parameter.grad is None for parameter in encoder.parameters())
    assert all(torch.isfinite(term) and not term.requires_grad for term in terms)


def test_evaluate_loss_restores_modes_after_an_error():
    encoder, projector = networks()
    with pytest.raises(RuntimeError):
        training.evaluate_loss(encoder, projector, uint8_images(4, 5, 5))
    assert all(modes(encoder, projector))


def test_evaluate_loss_is_the_mean_over_batches_of_two_views(monkeypatch):
    encoder, projector = networks()
    encoder.eval(), projector.eval()
    monkeypatch.setattr(
        training, "two_views", lambda images: (warmup.normalize(images), -warmup.normalize(images))
    )
    images = uint8_images(9)
    out = training.evaluate_loss(encoder, projector, images, batch_size=4, var_weight=2.0)  # 4 + 4
    sums = torch.zeros(4)
    for part in (images[:4], images[4:8]):
        x = warmup.normalize(part)
        z_a, z_b = projector(encoder(x)), projector(encoder(-x))
        sums += torch.stack(vicreg.vicreg_loss(z_a, z_b, var_weight=2.0)).detach()
    torch.testing.assert_close(torch.stack(out), sums / 2)


@pytest.mark.parametrize("n, batch_size", [(1, 4), (0, 4), (5, 1)])
def test_too_few_images_are_refused(n, batch_size):
    with pytest.raises(ValueError, match="2 images or more"):
        training.evaluate_loss(*networks(), uint8_images(n), batch_size=batch_size)
    with pytest.raises(ValueError, match="2 images or more"):
        training.train_vicreg(*networks(), uint8_images(n), 1, batch_size=batch_size)


@pytest.mark.parametrize("n, sizes", [(8, [4, 4]), (9, [4, 4]), (10, [4, 4, 2])])
def test_every_epoch_visits_every_image_once_in_a_new_order(n, sizes):
    seen, images = [], torch.from_numpy(uint8_images(n))

    def views(batch):
        seen.append(batch)
        return augmentations.two_views(images[batch])

    training.train_vicreg(*networks(), images, epochs=3, batch_size=4, views=views)
    assert [len(batch) for batch in seen] == 3 * sizes
    epochs = [torch.cat(seen[i : i + len(sizes)]).tolist() for i in range(0, len(seen), len(sizes))]
    assert all(len(set(epoch)) == sum(sizes) and max(epoch) < n for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != sorted(epochs[2])


def test_training_is_adam_with_the_settings_of_the_task():
    images = torch.from_numpy(uint8_images(6))
    view = warmup.normalize(images)
    encoder, projector = networks()
    training.train_vicreg(
        encoder,
        projector,
        images,
        3,
        batch_size=6,
        lr=1e-2,
        views=lambda i: (view[i], 2 * view[i]),
        inv_weight=4.0,
    )
    twin_encoder, twin_projector = networks()
    parameters = [*twin_encoder.parameters(), *twin_projector.parameters()]
    adam = torch.optim.Adam(parameters, lr=1e-2, weight_decay=1e-6)
    for _ in range(3):
        order = torch.randperm(6)
        training.train_step(twin_encoder, twin_projector, adam, view[order], 2 * view[order], inv_weight=4.0)
    torch.testing.assert_close(state(encoder, projector), state(twin_encoder, twin_projector))


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_history_has_floats_for_every_batch_and_every_epoch(make):
    encoder, projector = networks()
    encoder.eval()
    history = training.train_vicreg(
        encoder, projector, make(uint8_images(10)), 3, batch_size=4, test_images=make(uint8_images(5, seed=1))
    )
    assert list(map(len, history.values())) == [9, 3]
    assert all(isinstance(value, float) for terms in history["train"] + history["test"] for value in terms)
    assert all(modes(encoder, projector))
    assert all(terms.invariance > 0 for terms in history["test"])


def test_training_lowers_the_loss():
    images = torch.from_numpy(uint8_images(64))
    x = warmup.normalize(images)
    history = training.train_vicreg(
        *networks(), images, 20, batch_size=32, lr=3e-3, views=lambda batch: (x[batch], x[batch].flip(3))
    )
    totals = [terms.total for terms in history["train"]]
    assert np.mean(totals[-4:]) < 0.8 * np.mean(totals[:4])


# Task 4


def test_representations_are_those_of_single_images_in_order():
    encoder, _ = networks()
    encoder[1].running_mean += 0.3
    encoder[2].eval()
    before, before_modes = state(encoder), modes(encoder)
    images = uint8_images(11)
    out = evaluation.extract_representations(encoder, images, batch_size=4)
    assert_same_state(state(encoder), before)
    assert modes(encoder) == before_modes
    assert not out.requires_grad
    encoder.eval()
    wanted = torch.cat([encoder(warmup.normalize(image[None])) for image in images]).detach()
    torch.testing.assert_close(out, wanted, rtol=1e-5, atol=1e-6)
    tensor = evaluation.extract_representations(encoder, torch.from_numpy(images), batch_size=500)
    torch.testing.assert_close(tensor, out, rtol=1e-5, atol=1e-6)


def test_pca_equals_the_singular_value_decomposition():
    x = embeddings(30, 6)
    points = evaluation.project_2d(x, "pca")  # up to signs
    u, s, _ = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    torch.testing.assert_close(points.abs(), (u * s)[:, :2].abs().float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [2, 3, 5, 40])
@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_projection_works_for_few_points_and_is_deterministic(method, n):
    x = embeddings(n, 6)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    points = evaluation.project_2d(x, method, seed=3)
    assert points.shape == (n, 2)
    assert torch.isfinite(points).all()
    assert torch.equal(points, evaluation.project_2d(x.numpy(), method, seed=3))
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_equal_representations_have_a_map(method):
    assert evaluation.project_2d(torch.ones(12, 4), method).isfinite().all()


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_rows_of_one_number_have_a_map(method):
    x = torch.cat([torch.zeros(10, 1), torch.ones(10, 1)]) + 0.01 * torch.arange(20).view(20, 1)
    points = evaluation.project_2d(x, method)
    assert points.shape == (20, 2) and torch.cdist(points[:10], points[10:]).min() > 0


def test_tsne_keeps_clusters_apart():
    x = torch.cat([torch.randn(20, 5), torch.randn(20, 5) + 30])
    points = evaluation.project_2d(x, "tsne")
    centers = points[:20].mean(0), points[20:].mean(0)
    nearer = (points - centers[0]).norm(dim=1) < (points - centers[1]).norm(dim=1)
    assert nearer.tolist() == [True] * 20 + [False] * 20


def test_unknown_projection_is_refused():
    with pytest.raises(ValueError, match='"pca" or "tsne", not \'umap\''):
        evaluation.project_2d(embeddings(), "umap")


def clusters(n, seed):
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 4, (n,), generator=generator)
    centers = 4 * torch.randn(4, 6, generator=torch.Generator().manual_seed(99))
    x = (centers[y] + torch.randn(n, 6, generator=generator)) * torch.logspace(-3, 3, 6)
    return x, torch.tensor([9, -2, 40, 3])[y]


def test_probe_separates_clusters_with_any_labels_and_scales():
    (train_x, train_y), (test_x, test_y) = clusters(400, 0), clusters(200, 1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    predictions = evaluation.linear_probe(train_x, train_y, test_x)
    assert predictions.dtype == torch.int64
    assert (predictions == test_y).float().mean() > 0.98
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])


def test_probe_is_deterministic_and_predicts_every_row_alone():
    (train_x, train_y), (test_x, _) = clusters(300, 0), clusters(50, 1)
    predictions = evaluation.linear_probe(train_x, train_y, test_x)
    again = evaluation.linear_probe(train_x.numpy(), train_y.numpy(), test_x.numpy().copy())
    assert torch.equal(predictions, again)
    order = torch.randperm(50)
    assert torch.equal(evaluation.linear_probe(train_x, train_y, test_x[order]), predictions[order])
    assert torch.equal(evaluation.linear_probe(train_x, train_y, test_x[:1]), predictions[:1])


def test_probe_is_linear():
    x = torch.randn(400, 2)
    predictions = evaluation.linear_probe(x, (x.prod(1) > 0).long(), x)  # exclusive or: no line divides it
    assert ((x.prod(1) > 0) == predictions).float().mean() < 0.7
