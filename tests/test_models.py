"""The given networks: interface, layers as the handout says, and no torchvision where none is needed."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from assignment.provided.models import Encoder, Projector, SmallEncoder, make_encoder


@pytest.mark.parametrize("name", ["small", "resnet18"])
def test_encoders_share_one_interface(name):
    encoder = make_encoder(name)
    images = torch.randn(3, 3, 32, 32)
    representations = encoder(images)
    assert representations.shape == (3, 128) and representations.dtype == torch.float32
    representations.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())
    encoder.eval()
    with torch.no_grad():
        assert torch.allclose(encoder(images)[:1], encoder(images[:1]), atol=1e-5)


def test_the_dimension_can_be_chosen():
    assert SmallEncoder(width=4, dim=7)(torch.randn(2, 3, 32, 32)).shape == (2, 7)
    assert Encoder(dim=9)(torch.randn(2, 3, 32, 32)).shape == (2, 9)


def test_resnet_is_changed_as_the_handout_says():
    encoder = Encoder()
    conv = encoder.backbone.conv1
    assert (conv.kernel_size, conv.stride, conv.padding, conv.bias is not None) == (
        (3, 3),
        (1, 1),
        (0, 0),
        True,
    )
    assert not any(isinstance(module, nn.MaxPool2d) for module in encoder.modules())
    assert (encoder.backbone.fc.in_features, encoder.backbone.fc.out_features) == (512, 512)
    assert [type(layer) for layer in encoder.head] == [nn.BatchNorm1d, nn.ReLU, nn.Linear]
    assert (encoder.head[2].in_features, encoder.head[2].out_features) == (512, 128)


def test_projector_is_as_the_handout_says():
    block = [nn.Linear, nn.BatchNorm1d, nn.ReLU]
    projector = Projector()
    assert [type(layer) for layer in projector] == [*block, *block, nn.Linear]
    assert [layer.weight.shape for layer in projector if isinstance(layer, nn.Linear)] == [
        (512, 128),
        (512, 512),
        (512, 512),
    ]
    assert projector(torch.randn(2, 128)).shape == (2, 512)


def test_small_is_much_smaller():
    small, large = (sum(p.numel() for p in make_encoder(name).parameters()) for name in ("small", "resnet18"))
    assert small < large / 50


def test_an_unknown_encoder_is_refused():
    with pytest.raises(ValueError, match="'vgg'.*resnet18, small"):
        make_encoder("vgg")


def test_torchvision_is_imported_only_where_it_is_needed():
    code = (
        "import sys; from assignment.provided import datasets, models, plots, shapes; "
        "models.make_encoder('small'); datasets.load('shapes', 4, 4); print('torchvision' in sys.modules); "
        "models.make_encoder('resnet18'); print('torchvision' in sys.modules); "
        "import torchvision.transforms.v2, torchvision.datasets, torchvision.models"
    )
    environment = {"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"], done.stderr
    assert done.returncode == 0, done.stderr
