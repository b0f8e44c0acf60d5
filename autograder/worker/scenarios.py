"""What runs next to student code where a check needs networks, optimizers or callables.

Each scenario takes the student's package (`package.training.train_step`) and plain data, and returns plain
data: what happened, never whether it was right. The first paragraph of its docstring is shown to students as
the input.
"""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch

from autograder.worker import networks
from autograder.worker.invoke import seed_everything, watched_seeds


def step(package, view_a, view_b, network: dict, weights: dict, times: int = 1) -> dict:
    """train_step(encoder, projector, optimizer, view_a, view_b, **weights) on tiny networks in train mode,
    with plain gradient descent over the parameters of both as the optimizer, at learning rate 0.

    Returns the terms of every call, the gradients at every step of the optimizer, and what passed through the
    networks.
    """
    encoder, projector = networks.pair(**network)
    optimizer = networks.RecordedSGD(networks.parameters(encoder, projector), lr=0.0)
    terms = []
    with watched_seed() as seed:
        for _ in range(times):
            terms.append(
                package.function("training.train_step")(
                    encoder, projector, optimizer, view_a, view_b, **weights
                )
            )
    return {
        "terms": terms, "steps": optimizer.steps, "modes": networks.modes(encoder, projector),
        "encoder": list(encoder.tape), "projector": list(projector.tape), **seed,
    }  # fmt: skip


def evaluate(package, images, network: dict, modes: list, batch_size: int | None = None, **weights) -> dict:
    """evaluate_loss(encoder, projector, images, batch_size, **weights) on tiny networks, with two_views
    replaced by one that adds random noise to the images.

    `modes`: whether encoder and projector are in train mode before. Returns the terms, what passed through
    the networks, the views that were made, and the networks' parameters, statistics and modes before and
    after, and whether the parameters can still be trained.
    """
    encoder, projector = networks.pair(**network)
    encoder.train(modes[0])
    projector.train(modes[1])
    before = state_of(encoder, projector)
    options = weights if batch_size is None else {"batch_size": batch_size, **weights}
    with noisy_views(package) as made, watched_seed() as seed:
        terms = package.function("training.evaluate_loss")(encoder, projector, images, **options)
    attached = (
        any(getattr(each, "requires_grad", False) for each in terms) if isinstance(terms, tuple) else False
    )
    touched = any(each.grad is not None for each in networks.parameters(encoder, projector))
    return {
        "terms": terms, "attached": attached or touched, "made": made, "before": before,
        "after": state_of(encoder, projector), "modes": networks.modes(encoder, projector),
        "trainable": all(each.requires_grad for each in networks.parameters(encoder, projector)),
        "encoder": list(encoder.tape), "projector": list(projector.tape), **seed,
    }  # fmt: skip


def loop(package, images, network: dict, options: dict, table_a=None, table_b=None, test_images=None) -> dict:
    """train_vicreg(encoder, projector, images, ...) on tiny networks that begin in train mode.

    `options`: epochs, batch_size, lr, weights. With the tables, `views` is a callable that takes rows from
    them; without, the default is used, with such a two_views. Returns the
    history, the batches of indices that `views` was asked for, the views that were made, what passed
    through the networks, and their modes afterwards.
    """
    encoder, projector = networks.pair(**network)
    batches: list[list[int]] = []

    def views(batch):
        rows = np.asarray(batch).reshape(-1).tolist()
        batches.append(rows)
        return table_a[rows], table_b[rows]

    if table_a is not None:
        options = {**options, "views": views}
    if test_images is not None:
        options = {**options, "test_images": test_images}
    with noisy_views(package) as made, watched_seed() as seed:
        history = package.function("training.train_vicreg")(encoder, projector, images, **options)
    return {
        "history": history, "batches": batches, "made": made, "after": state_of(encoder, projector),
        "modes": networks.modes(encoder, projector),
        "encoder": list(encoder.tape), "projector": list(projector.tape), **seed,
    }  # fmt: skip


def extract(package, images, network: dict, training: bool, batch_size: int | None = None) -> dict:
    """extract_representations(encoder, images, batch_size) with a tiny encoder that ends in batch norm.

    Returns the representations, the most images in one pass, and the encoder's parameters, statistics and mode
    before and after.
    """
    encoder, _ = networks.pair(**network)
    encoder.train(training)
    before = state_of(encoder)
    options = {} if batch_size is None else {"batch_size": batch_size}
    with watched_seed() as seed:
        found = package.function("evaluation.extract_representations")(encoder, images, **options)
    return {
        "representations": found, "attached": bool(getattr(found, "requires_grad", False)),
        "most_at_once": max((len(each["input"]) for each in encoder.tape), default=0),
        "before": before, "after": state_of(encoder), "modes": networks.modes(encoder),
        "trainable": all(each.requires_grad for each in encoder.parameters()), **seed,
    }  # fmt: skip


def project(package, representations, method: str, seed: int) -> dict:
    """project_2d(representations, method, seed), twice, with global random generators in different states.

    Returns both maps, and whether the global generators were left alone.
    """
    came = twice(package, "evaluation.project_2d", representations, method=method, seed=seed)
    return {"maps": came["values"], "generators_left_alone": came["generators_left_alone"]}


def twice(package, target: str, *args, **kwargs) -> dict:
    """`target`, called twice with the same arguments and global random generators in different states.

    target: "module.function". Returns both values, and which global generators were not left alone.
    """
    found, changed = [], set()
    for state in (1, 2):
        torch.manual_seed(state)
        np.random.seed(state)
        before = torch.get_rng_state(), np.random.get_state()[1].copy()
        found.append(package.function(target)(*args, **kwargs))
        if not torch.equal(before[0], torch.get_rng_state()):
            changed.add("torch")
        if not np.array_equal(before[1], np.random.get_state()[1]):
            changed.add("numpy")
    return {"values": found, "generators_left_alone": not changed, "generators_changed": sorted(changed)}


def train_on_shapes(package, images, held_out, settings: dict, options: dict) -> dict:
    """train_vicreg on a few hundred images of the data set `shapes`, with your own loss, views and loop.

    Returns, in eval mode, the representations of the training and of the held-out images, and the embeddings
    of the latter. No labels come here.
    """
    from assignment.provided.models import Projector, SmallEncoder

    seed_everything(settings["seed"])  # whichever item runs this
    encoder = SmallEncoder(width=settings["width"], dim=settings["features"])
    projector = Projector(in_dim=settings["features"], dim=settings["dim"])
    sizes = []
    hook = encoder.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[-2:]))
    package.function("training.train_vicreg")(encoder, projector, images, **options)
    hook.remove()
    size = sizes[-1] if sizes else images.shape[1:3]
    train, held_out = features_of(encoder, images, size), features_of(encoder, held_out, size)
    with torch.no_grad():
        return {"train": train, "held_out": held_out, "embeddings": projector.eval()(held_out)}


def features_of(encoder, images, size) -> torch.Tensor:
    """Representations in eval mode, by the grader's own code: a student's task 4 is judged elsewhere.

    `size` is that of the views that the encoder was trained on: some students crop to 32 x 32, whatever comes.
    """
    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.247, 0.243, 0.261])
    encoder.eval()
    found = []
    with torch.no_grad():
        for batch in torch.as_tensor(images).split(256):
            x = ((batch.float() / 255 - mean) / std).permute(0, 3, 1, 2)
            if x.shape[-2:] != size:
                x = torch.nn.functional.interpolate(x, tuple(size), mode="bilinear")
            found.append(encoder(x))
    return torch.cat(found)


def state_of(*each) -> list[torch.Tensor]:
    """Copies of all parameters and batch norm statistics."""
    return [value.detach().clone() for value in [*networks.parameters(*each), *networks.statistics(*each)]]


@contextlib.contextmanager
def watched_seed() -> Iterator[dict]:
    """Whether the code inside set the seed of a global generator."""
    told: dict = {}
    with watched_seeds() as seeded:
        yield told
    told["reseeded"] = bool(seeded)


@contextlib.contextmanager
def noisy_views(package) -> Iterator[list]:
    """Put cheap random views in the place of the student's augmentations, and keep what was made.

    A mistake in task 1 is then no mistake here. The images are told by their first pixel.
    """
    made: list[dict] = []

    def augment(images, *_, **__):
        images = torch.as_tensor(images)
        view = images.permute(0, 3, 1, 2).float() / 255
        view = view + 0.3 * torch.randn(view.shape)
        made.append({"images": images[:, 0, 0, 0].tolist(), "view": view})
        return view.clone()

    def two_views(images, *_, **__):
        return tuple(augment(images) for _ in range(2))

    with contextlib.ExitStack() as stack:
        for module in (package.augmentations, package.training):
            for function in (augment, two_views):
                stack.enter_context(replaced(module, function))
        yield made


@contextlib.contextmanager
def replaced(module, function) -> Iterator[None]:
    """`function` in the place of the module's own of that name, if it has one."""
    name = function.__name__
    if not hasattr(module, name):
        yield
        return
    before = getattr(module, name)
    setattr(module, name, function)
    try:
        yield
    finally:
        setattr(module, name, before)
