"""Tiny networks for the scenarios, which keep a record of what passed through them.

Both sides of the wall build them, with weights from a generator of their own: equal arguments give
equal networks.
"""

import torch
from torch import nn


class Tape(list):
    """A network's passes, in order. Copies of the network go on writing here."""

    def __deepcopy__(self, memo) -> "Tape":
        return self


class Recorded(nn.Module):
    """A network that notes every pass: input, output, mode, and whether gradients were recorded."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner, self.tape = inner, Tape()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = [each.clone() for each in statistics(self)]
        out = self.inner(x)
        unchanged = all(torch.equal(a, b) for a, b in zip(before, statistics(self), strict=True))
        self.tape.append({
            "input": x.detach().clone(), "output": out.detach().clone(), "training": self.training,
            "gradients": out.requires_grad, "statistics_changed": not unchanged,
        })  # fmt: skip
        return out


class RecordedSGD(torch.optim.SGD):
    """Plain gradient descent that keeps the gradients of every step."""

    def __init__(self, parameters, lr: float):
        super().__init__(parameters, lr=lr)
        self.steps: list[list[torch.Tensor]] = []

    def step(self, closure=None):
        if closure is not None:  # it computes the loss and its gradients
            with torch.enable_grad():
                loss = closure()
        self.steps.append([gradient_of(p) for group in self.param_groups for p in group["params"]])
        super().step()
        return None if closure is None else loss


def pair(
    features: int, dim: int, seed: int, batch_norm: bool = False, size: tuple[int, int] | None = None
) -> tuple[nn.Module, nn.Module]:
    """An encoder, images (batch, 3, H, W) → (batch, features), and a projector, → (batch, dim).

    Without batch norm a row's embedding depends on its own image alone, in every mode. The encoder takes the mean over
    all places, or, where the `size` (H, W) of the images is given, has weights for each of them.
    """
    generator = torch.Generator().manual_seed(seed)
    if size is None:
        read = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, features)]
    else:
        read = [nn.Flatten(), nn.Linear(3 * size[0] * size[1], features)]
    encoder = nn.Sequential(*read, *norm(features, batch_norm))
    layers = [nn.Linear(features, dim), *norm(dim, batch_norm), nn.Tanh(), nn.Linear(dim, dim)]
    return Recorded(draw(encoder, generator)), Recorded(draw(nn.Sequential(*layers), generator))


def norm(features: int, wanted: bool) -> list[nn.Module]:
    return [nn.BatchNorm1d(features)] if wanted else []


@torch.no_grad()
def draw(network: nn.Module, generator: torch.Generator) -> nn.Module:
    """Give the network random weights, and batch norm statistics that are not those of any batch."""
    for value in [*network.parameters(), *statistics(network)]:
        if value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.weight.abs_().add_(0.5)
            module.running_var.abs_().add_(0.5)
    return network


def statistics(*networks: nn.Module) -> list[torch.Tensor]:
    """The buffers: what batch norm keeps of the batches that it has seen."""
    return [buffer for network in networks for buffer in network.buffers()]


def parameters(*networks: nn.Module) -> list[torch.Tensor]:
    return [each for network in networks for each in network.parameters()]


def modes(*networks: nn.Module) -> list[bool]:
    return [network.training for network in networks]


def gradient_of(parameter: torch.Tensor) -> torch.Tensor:
    """A copy of the gradient; zeros where there is none."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.detach().clone()
