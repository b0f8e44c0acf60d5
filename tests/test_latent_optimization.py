"""The reference of task 10: what its codes know, and that they know it from the images."""

import numpy as np
import pytest
import torch

from assignment.provided.models import SmallEncoder
from assignment.provided.shapes import make_shapes
from autograder.checks.hidden.test_latent_optimization_hidden import accuracy, effective_rank, spread
from solutions.evaluation import extract_representations
from solutions.latent_optimization import (
    _random_filters,
    _shared_by_views,
    _texture,
    _textures_of_views,
    optimize_latents,
)


def test_codes_tell_more_than_an_untrained_encoder():
    images, labels = make_shapes(300, seed=5)
    torch.manual_seed(0)
    untrained = extract_representations(SmallEncoder(), images).double()
    codes = optimize_latents(images).double()
    # Measured: .88 to .93 for codes, .13 to .25 for untrained encoders.
    assert accuracy(codes, torch.from_numpy(labels)) > accuracy(untrained, torch.from_numpy(labels)) + 0.4


def test_zero_steps_look_at_nothing():
    dark, bright = np.zeros((4, 32, 32, 3), np.uint8), np.full((4, 32, 32, 3), 255, np.uint8)
    assert torch.equal(optimize_latents(dark, steps=0), optimize_latents(bright, steps=0))


def test_one_image_is_refused():
    with pytest.raises(ValueError, match="2 images"):
        optimize_latents(np.zeros((1, 32, 32, 3), np.uint8))


def test_equal_images_give_finite_codes():
    assert torch.isfinite(optimize_latents(np.full((3, 32, 32, 3), 9, np.uint8), dim=5, steps=20)).all()


def test_global_generator_is_left_alone():
    torch.manual_seed(3)
    before, seed = torch.get_rng_state(), torch.initial_seed()
    optimize_latents(make_shapes(4)[0], dim=2, steps=2)
    assert torch.equal(before, torch.get_rng_state())
    assert seed == torch.initial_seed()


def test_texture_forgets_sign_brightness_and_contrast():
    views = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    filters = _random_filters(0)
    assert torch.allclose(_texture(views, filters), _texture(5 - 2 * views, filters), atol=5e-3)


def test_features_are_measured_in_units_of_how_views_differ():
    generator = torch.Generator().manual_seed(0)
    content, noise = torch.randn(500, 2, generator=generator), torch.randn(4, 500, 2, generator=generator)
    # Two columns of equal spread: in the first all views of an image agree, in the second they hardly do.
    features = content * torch.tensor([1.0, 0.1]) + noise * torch.tensor([0.1, 1.0])
    target = _shared_by_views(features)
    assert target[:, 0].std() > 5 * target[:, 1].std()
    assert abs(np.corrcoef(target[:, 0], content[:, 0])[0, 1]) > 0.99


def test_views_differ_and_follow_the_seed():
    images = make_shapes(3)[0]
    first = _textures_of_views(torch.from_numpy(images), 0)
    assert not torch.equal(first[0], first[1])
    assert torch.equal(first, _textures_of_views(torch.from_numpy(images), 0))
    assert not torch.equal(first, _textures_of_views(torch.from_numpy(images), 1))


def test_measures_of_collapse():
    codes = torch.randn(200, 4, generator=torch.Generator().manual_seed(0)).double()
    assert effective_rank(codes) > 3.8
    assert effective_rank(codes[:, :1].expand(-1, 4)) < 1.01
    assert spread(codes) > 0.9
    assert spread(1 + 1e-4 * codes) < 1e-3
