"""Training on an NVIDIA GPU, where launching a ResNet-18's kernels takes longer than running them.

The steps are those of `train_vicreg`, on batches of the same size in an order drawn in the same way. Three things differ:
a step is recorded once as a CUDA graph and then replayed, views are drawn for many batches at once, and the terms
of the loss are read once an epoch, so that the GPU never waits for Python.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from ..training import Views, evaluate_loss, train_step
from ..vicreg import VICRegTerms

BATCHES_AT_ONCE = 32  # whose views are drawn together: 200 MB of them for 256 images of 32 × 32
REAL_STEPS = 3  # before the recording: at first use libraries choose their kernels, which cannot be recorded


class Recorded:
    """A function of CUDA tensors, run as it is a few times, then recorded, then replayed for inputs of that shape.

    Everything that it reads and writes besides (weights, their gradients, the optimizer's state) has to stay where
    it is in memory. Inputs of another shape are passed to the function itself.

    Source: CUDA graphs in PyTorch's notes on CUDA semantics, "Whole-network capture".
    """

    def __init__(self, function: Callable[..., tuple[torch.Tensor, ...]]):
        self.function, self.calls, self.graph = function, 0, None
        self.inputs, self.outputs = (), ()

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        """The function's outputs, stacked."""
        if self.graph is None:
            if self.calls < REAL_STEPS:
                self.calls += 1
                return self.aside(inputs)
            self.record(inputs)
        if [each.shape for each in inputs] != [each.shape for each in self.inputs]:
            return torch.stack(self.function(*inputs))
        for place, value in zip(self.inputs, inputs):
            place.copy_(value)
        self.graph.replay()
        return torch.stack(self.outputs)

    def aside(self, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """A real step on a stream of its own, as a recording is."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            outputs = torch.stack(self.function(*inputs))
        torch.cuda.current_stream().wait_stream(stream)
        return outputs

    def record(self, inputs: tuple[torch.Tensor, ...]) -> None:
        """Note down the kernels of one call; none of them runs."""
        self.inputs = tuple(each.clone() for each in inputs)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.outputs = self.function(*self.inputs)


def train_vicreg_on_gpu(
    encoder: nn.Module,
    projector: nn.Module,
    images: torch.Tensor,
    epochs: int,
    *,
    batch_size: int,
    views: Views,
    lr: float,
    test_images: np.ndarray | torch.Tensor | None = None,
    **weights: float,
) -> dict[str, list[VICRegTerms]]:
    """`train_vicreg` for networks and images on a CUDA device: the same arguments, and the same history.

    `views` gets the indices of several batches at once.
    """
    parameters = [*encoder.parameters(), *projector.parameters()]
    optimizer = torch.optim.Adam(
        parameters, lr=lr, betas=(0.9, 0.999), weight_decay=1e-6, fused=True, capturable=True
    )
    step = Recorded(partial(train_step, encoder, projector, optimizer, **weights))
    encoder.train()
    projector.train()
    history = {"train": [], "test": []}
    for _ in range(epochs):
        found = []
        for rows in torch.randperm(len(images)).split(BATCHES_AT_ONCE * batch_size):
            pairs = zip(*(view.split(batch_size) for view in views(rows)))
            found += [step(*pair) for pair in pairs if len(pair[0]) > 1]
        history["train"] += [VICRegTerms(*row) for row in torch.stack(found).tolist()]
        if test_images is not None:
            terms = evaluate_loss(encoder, projector, test_images, batch_size, **weights)
            history["test"].append(VICRegTerms(*map(float, terms)))
    return history
