"""The networks of the exercise: two encoders f (images to representations) and the projector h.

y = f(x)   representations, (N, 128)      what is used downstream
z = h(y)   embeddings, (N, 512)           what the VICReg loss sees
"""

from torch import Tensor, nn

from .torchvision_compat import import_torchvision


class Encoder(nn.Module):
    """The encoder f of the exercise: a ResNet-18 for 32x32 images, without pretrained weights.

    The first convolution is 3x3 with stride 1 (no padding, with bias) and the max-pool is gone, because the
    usual 7x7 stride 2 stem would leave little of a 32x32 image. The head is Linear
    512 -> 512, batch norm, ReLU, Linear 512 -> dim.

    Takes normalized float images (N, 3, 32, 32) and returns representations (N, dim). In train mode N must be
    at least 2 (batch norm). Imports torchvision when it is built.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, arXiv 1512.03385.
    """

    def __init__(self, dim: int = 128):
        super().__init__()
        import_torchvision()
        from torchvision.models import resnet18

        self.backbone = resnet18(weights=None)
        self.backbone.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1)
        self.backbone.maxpool = nn.Identity()
        self.backbone.fc = nn.Linear(512, 512)
        self.head = nn.Sequential(nn.BatchNorm1d(512), nn.ReLU(inplace=True), nn.Linear(512, dim))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images))  # (N, dim)


class SmallEncoder(nn.Module):
    """A small encoder with the interface of `Encoder`, for laptops and for grading.

    Four stages of 3x3 convolution, batch norm, ReLU; each but the first halves the resolution and doubles the
    channels (width, 2 width, 4 width, 8 width); then global average pooling and a head of three linear layers
    with batch norm and ReLU in between. The default width suits the data set `shapes`; photographs want 16
    or 32.

    Takes normalized float images (N, 3, 32, 32), any height and width of at least 8, and returns
    representations (N, dim). In train mode N must be at least 2 (batch norm).
    """

    def __init__(self, width: int = 8, dim: int = 128):
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        stages = [_stage(3, width, stride=1)]
        stages += [_stage(before, after, stride=2) for before, after in zip(widths, widths[1:])]
        self.stages = nn.Sequential(*stages)
        features = widths[-1]
        # One linear layer would do for VICReg. The deeper head makes the ablation honest: without the
        # variance term less of what random features happen to know comes through it.
        hidden = [layer for _ in range(2) for layer in _hidden(features)]
        self.head = nn.Sequential(*hidden, nn.Linear(features, dim))

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stages(images)  # (N, 8 width, 4, 4)
        return self.head(maps.mean(dim=(2, 3)))  # (N, dim)


def _hidden(features: int) -> list[nn.Module]:
    return [nn.Linear(features, features), nn.BatchNorm1d(features), nn.ReLU(inplace=True)]


def _stage(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        # Batch norm subtracts the mean, so a bias in front of it would do nothing.
        nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class Projector(nn.Sequential):
    """The projector h: Linear in_dim -> dim, batch norm, ReLU, Linear, batch norm, ReLU, Linear.

    Takes representations (N, in_dim) and returns embeddings (N, dim). In train mode N must be at least 2.
    """

    def __init__(self, in_dim: int = 128, dim: int = 512):
        super().__init__(
            *(nn.Linear(in_dim, dim), nn.BatchNorm1d(dim), nn.ReLU(inplace=True)),
            *(nn.Linear(dim, dim), nn.BatchNorm1d(dim), nn.ReLU(inplace=True)),
            nn.Linear(dim, dim),
        )


def make_encoder(name: str) -> nn.Module:
    """Build an encoder by name: "resnet18" (`Encoder`) or "small" (`SmallEncoder`).

    Raises ValueError for another name.
    """
    encoders = {"resnet18": Encoder, "small": SmallEncoder}
    if name not in encoders:
        raise ValueError(f"unknown encoder {name!r}: choose one of {', '.join(encoders)}")
    return encoders[name]()
