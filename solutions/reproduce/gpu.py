"""What takes longest, for an NVIDIA GPU: the same steps, in an order that does not let the GPU wait for Python.

`train_vicreg_on_gpu` launches few kernels, because launching those of a ResNet-18 one by one takes longer than running
them: a step is recorded once as a CUDA graph and then replayed, the encoder's small kernels are fused by PyTorch's
compiler, views are drawn for many batches at once, and the terms of the loss are read once an epoch.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import nn

from ..augmentations import two_views
from ..training import Views, _eval_mode, train_step
from ..vicreg import VICRegTerms, vicreg_loss

BATCHES_AT_ONCE = 32  # whose views are drawn together: 200 MB of them for 256 images of 32 × 32
REAL_CALLS = 3  # before the recording: at first use libraries choose their kernels, which cannot be recorded
Terms = Callable[[torch.Tensor, torch.Tensor], VICRegTerms]  # of two views


class Recorded:
    """A function of two views whose kernels are recorded after a few ordinary calls, and from then on replayed.

    What else the function reads and writes (weights, the optimizer's state) has to stay where it is in memory. Views
    of another shape than the first, as of an incomplete last batch, are left to `otherwise`.

    Source: PyTorch's notes on CUDA semantics, "CUDA graphs", whole-network capture.
    """

    def __init__(self, function: Terms, otherwise: Terms):
        self.function, self.otherwise = function, otherwise
        self.calls, self.graph, self.views, self.terms = 0, None, (), ()

    def __call__(self, *views: torch.Tensor) -> torch.Tensor:
        """The terms as one tensor, (4,)."""
        self.views = self.views or tuple(view.clone() for view in views)
        if views[0].shape != self.views[0].shape:
            return torch.stack(self.otherwise(*views))
        for place, view in zip(self.views, views):
            place.copy_(view)
        self.calls += 1
        if self.calls <= REAL_CALLS:
            return self.call()
        if self.graph is None:
            self.record()
        self.graph.replay()
        return torch.stack(self.terms)

    def call(self) -> torch.Tensor:
        """A real call, on a stream of its own, as it will be when recorded."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            terms = torch.stack(self.function(*self.views))
        torch.cuda.current_stream().wait_stream(stream)
        return terms

    def record(self) -> None:
        """Note down the kernels of one call; none of them runs."""
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.terms = self.function(*self.views)


def train_vicreg_on_gpu(
    encoder: nn.Module,
    projector: nn.Module,
    images: torch.Tensor,
    epochs: int,
    *,
    batch_size: int,
    views: Views,
    lr: float,
    test_images: torch.Tensor | None = None,
    **weights: float,
) -> dict[str, list[VICRegTerms]]:
    """`train_vicreg` where networks and images are on a CUDA device: the same steps, and the same history.

    views: gets the indices of several batches at once. test_images: uint8 tensor on the same device. The rest is as in
    `train_vicreg`, but without defaults.
    """
    step, evaluate = recorded_steps(encoder, projector, lr, weights)
    encoder.train()
    projector.train()
    history = {"train": [], "test": []}
    for _ in range(epochs):
        history["train"] += epoch_of_terms(step, views, len(images), batch_size)
        if test_images is not None:
            with _eval_mode(encoder, projector), torch.no_grad():
                history["test"].append(mean_terms(evaluate, test_images, batch_size))
    return history


def epoch_of_terms(step: Callable, views: Views, n: int, batch_size: int) -> list[VICRegTerms]:
    """The terms of every batch of an epoch over n images, read when all steps are done."""
    terms = [step(*pair) for pair in pairs(views, torch.randperm(n), batch_size)]
    return [VICRegTerms(*row) for row in torch.stack(terms).tolist()]


def recorded_steps(encoder, projector, lr: float, weights: dict) -> tuple[Recorded, Recorded]:
    """A step of training, and the loss of two views without one."""
    parameters = [*encoder.parameters(), *projector.parameters()]
    optimizer = torch.optim.Adam(
        parameters, lr=lr, betas=(0.9, 0.999), weight_decay=1e-6, fused=True, capturable=True
    )

    def step(encoder: nn.Module) -> Terms:
        return partial(train_step, encoder, projector, optimizer, **weights)

    evaluate = partial(embedded_loss, encoder, projector, **weights)
    return Recorded(step(fused(encoder)), otherwise=step(encoder)), Recorded(evaluate, otherwise=evaluate)


def fused(encoder: nn.Module) -> nn.Module:
    """The same network, compiled: a fifth less time a step. Where there is no compiler, it stays as it is."""
    torch._dynamo.config.suppress_errors = True
    return torch.compile(encoder, dynamic=False)


def embedded_loss(encoder, projector, view_a, view_b, **weights: float) -> VICRegTerms:
    return vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)


def pairs(views: Views, rows: torch.Tensor, batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The views of these images, batch by batch; a last batch of a single image is left out."""
    for some in rows.split(BATCHES_AT_ONCE * batch_size):
        parts = zip(*(view.split(batch_size) for view in views(some)))
        yield from (pair for pair in parts if len(pair[0]) > 1)


def mean_terms(evaluate: Callable, images: torch.Tensor, batch_size: int) -> VICRegTerms:
    """What `evaluate_loss` returns, as floats."""
    batches = list(pairs(lambda rows: two_views(images[rows]), torch.arange(len(images)), batch_size))
    sizes = torch.tensor([float(len(view)) for view, _ in batches], device=images.device)
    terms = torch.stack([evaluate(*pair) for pair in batches])  # (batches, 4)
    return VICRegTerms(*(sizes @ terms / sizes.sum()).tolist())


def linear_probe_on_gpu(train_x, train_y, test_x, device: torch.device) -> torch.Tensor:
    """`linear_probe` on a device: the same standardization, loss and penalty, minimized by L-BFGS in float64.

    The penalty is scikit-learn's for C = 1, as a share of the mean loss: ‖W‖² / 2N, the bias left out. Of two classes
    scikit-learn fits w alone, where the scores are ±w·x / 2: that is ‖W‖² / N.
    """
    train_x, test_x = (torch.as_tensor(x).to(device, torch.float64) for x in (train_x, test_x))
    names, labels = torch.as_tensor(train_y).to(device).unique(return_inverse=True)
    mean, std = train_x.mean(dim=0), train_x.std(dim=0, correction=0)
    std = torch.where(std > 0, std, 1.0)
    train_x, test_x = (train_x - mean) / std, (test_x - mean) / std  # (N, dim), (M, dim)
    weight = train_x.new_zeros(len(names), train_x.shape[1], requires_grad=True)
    bias = train_x.new_zeros(len(names), requires_grad=True)
    penalty = (1 if len(names) == 2 else 0.5) / len(train_x)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=1000, tolerance_grad=1e-4, history_size=10, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scores = nn.functional.linear(train_x, weight, bias)  # (N, C)
        value = nn.functional.cross_entropy(scores, labels) + penalty * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return names[nn.functional.linear(test_x, weight, bias).argmax(dim=1)].cpu()
