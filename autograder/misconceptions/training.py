"""Mistakes in task 3.

`_right` is the reference's function, taken while the name still means it. Where a mistake is a small change
in the middle of the reference, the entry runs the reference with one of the names that it uses replaced.
"""

import contextlib
import itertools
from collections.abc import Iterable

import torch
from torch import nn

from autograder import replay
from autograder.diagnosis import attempt
from autograder.expect import Mismatch
from autograder.misconceptions import alteration, misconception, observer
from autograder.worker import networks, wire
from solutions.training import (
    VICRegTerms,
    _batches,
    _beside,
    _eval_mode,
    evaluate_loss,
    train_step,
    train_vicreg,
    two_views,
    vicreg_loss,
)

STEP, EVALUATE, TRAIN = "training.train_step", "training.evaluate_loss", "training.train_vicreg"


@misconception(
    STEP,
    "gradients not set to zero",
    "The gradients of earlier batches are still there when the optimizer steps: backward() adds to them. "
    "Look at what happens to p.grad between two calls.",
)
def no_zero_grad(encoder, projector, optimizer, view_a, view_b, **weights):
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
    terms.total.backward()
    optimizer.step()
    return VICRegTerms(*(term.detach() for term in terms))


@misconception(
    STEP,
    "gradients set to zero after backward",
    "The gradients are thrown away before the optimizer sees them. Look at the order of the lines.",
)
def zero_grad_too_late(encoder, projector, optimizer, view_a, view_b, **weights):
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
    terms.total.backward()
    optimizer.zero_grad()
    optimizer.step()
    return VICRegTerms(*(term.detach() for term in terms))


@misconception(
    STEP,
    "second view ignored",
    "Both branches get the same view, so the invariance term is 0 and nothing is learned from the "
    "augmentation. Follow each view to the loss.",
)
def same_view_twice(encoder, projector, optimizer, view_a, view_b, **weights):
    optimizer.zero_grad()
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_a)), **weights)
    terms.total.backward()
    optimizer.step()
    return VICRegTerms(*(term.detach() for term in terms))


@misconception(
    STEP,
    "second branch detached",
    "No gradient flows through the second view. VICReg trains both branches alike; a stop-gradient belongs "
    "to other methods.",
)
def detached_branch(encoder, projector, optimizer, view_a, view_b, **weights):
    optimizer.zero_grad()
    with torch.no_grad():
        z_b = projector(encoder(view_b))
    terms = vicreg_loss(projector(encoder(view_a)), z_b, **weights)
    terms.total.backward()
    optimizer.step()
    return VICRegTerms(*(term.detach() for term in terms))


@misconception(
    STEP,
    "loss on representations",
    "The loss compares representations: the projector is left out. Look at which of y and z stands in the "
    "equations.",
)
def step_on_representations(encoder, projector, optimizer, view_a, view_b, **weights):
    optimizer.zero_grad()
    terms = vicreg_loss(encoder(view_a), encoder(view_b), **weights)
    terms.total.backward()
    optimizer.step()
    return VICRegTerms(*(term.detach() for term in terms))


@misconception(
    STEP,
    "two steps",
    "The optimizer steps twice on the same gradient. One batch, one step.",
)
def steps_twice(encoder, projector, optimizer, view_a, view_b, **weights):
    optimizer.zero_grad()
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
    terms.total.backward()
    optimizer.step()
    optimizer.step()
    return VICRegTerms(*(term.detach() for term in terms))


@misconception(STEP, "no step", "Nothing changes the parameters: the optimizer never steps.")
def never_steps(encoder, projector, optimizer, view_a, view_b, **weights):
    optimizer.zero_grad()
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
    terms.total.backward()
    return VICRegTerms(*(term.detach() for term in terms))


@misconception(
    STEP,
    "weights not passed on",
    "train_step takes the weights of the terms and does not hand them to vicreg_loss: an ablation would "
    "train the full loss.",
)
def weights_dropped(encoder, projector, optimizer, view_a, view_b, **weights):
    optimizer.zero_grad()
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)))
    terms.total.backward()
    optimizer.step()
    return VICRegTerms(*(term.detach() for term in terms))


@misconception(
    STEP,
    "terms returned weighted",
    "The returned terms are multiplied by their weights. Only total is weighted; the curves of the report "
    "are of the terms themselves.",
)
def weighted_terms(
    encoder, projector, optimizer, view_a, view_b, inv_weight=25.0, var_weight=25.0, cov_weight=1.0
):
    optimizer.zero_grad()
    terms = vicreg_loss(
        projector(encoder(view_a)), projector(encoder(view_b)), inv_weight, var_weight, cov_weight
    )
    terms.total.backward()
    optimizer.step()
    total, invariance, variance, covariance = (term.detach() for term in terms)
    return VICRegTerms(total, inv_weight * invariance, var_weight * variance, cov_weight * covariance)


@misconception(
    STEP,
    "total only",
    "Only the total comes back. The report needs all four terms. What does vicreg_loss give you, and what of it gets lost?",
)
def only_total(encoder, projector, optimizer, view_a, view_b, **weights):
    optimizer.zero_grad()
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
    terms.total.backward()
    optimizer.step()
    return terms.total.item()


@misconception(
    STEP,
    "gradient of the invariance alone",
    "Only the invariance term is differentiated. The networks are trained on the total.",
)
def invariance_only(encoder, projector, optimizer, view_a, view_b, **weights):
    optimizer.zero_grad()
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
    terms.invariance.backward()
    optimizer.step()
    return VICRegTerms(*(term.detach() for term in terms))


@misconception(
    STEP,
    "eval mode during training",
    "The networks are in eval mode while they train: batch norm then uses its running statistics and never "
    "updates them.",
)
def step_in_eval_mode(encoder, projector, optimizer, view_a, view_b, **weights):
    encoder.eval()
    projector.eval()
    optimizer.zero_grad()
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
    terms.total.backward()
    optimizer.step()
    return VICRegTerms(*(term.detach() for term in terms))


@misconception(
    STEP,
    "views changed in place",
    "The views that were passed in are changed: the caller's tensors are not yours to write into.",
)
def views_in_place(encoder, projector, optimizer, view_a, view_b, **weights):
    optimizer.zero_grad()
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
    terms.total.backward()
    optimizer.step()
    view_a.clamp_(0, 1)
    return VICRegTerms(*(term.detach() for term in terms))


@misconception(
    EVALUATE,
    "eval mode never undone",
    "The networks are put into eval mode and stay there: what is trained after the first test pass is no "
    "longer trained in the same way. Look at the modes before and after.",
)
def eval_not_undone(encoder, projector, *args, _right=evaluate_loss, **options):
    terms = _right(encoder, projector, *args, **options)
    encoder.eval()
    projector.eval()
    return terms


@misconception(
    EVALUATE,
    "always train mode afterwards",
    "The networks are in train mode afterwards, whatever they were in before. Remember the mode, and put "
    "it back.",
)
def train_mode_afterwards(encoder, projector, *args, _right=evaluate_loss, **options):
    terms = _right(encoder, projector, *args, **options)
    encoder.train()
    projector.train()
    return terms


@misconception(
    EVALUATE,
    "train mode during the test pass",
    "The test images go through the networks in train mode, so they enter the running statistics of batch "
    "norm. no_grad does not prevent that.",
)
def test_pass_in_train_mode(*args, _right=evaluate_loss, **options):
    from unittest import mock

    with mock.patch.dict(globals(), _eval_mode=lambda *networks: contextlib.nullcontext()):
        return _right(*args, **options)


@misconception(
    EVALUATE,
    "only the encoder in eval mode",
    "The projector has batch norm too, and is in train mode during the test pass.",
)
def projector_in_train_mode(*args, _right=evaluate_loss, **options):
    from unittest import mock

    with mock.patch.dict(globals(), _eval_mode=lambda encoder, projector, _both=_eval_mode: _both(encoder)):
        return _right(*args, **options)


@misconception(
    EVALUATE,
    "test loss on representations",
    "The test loss compares representations, the training loss embeddings: the two curves cannot be "
    "compared.",
)
def evaluate_representations(encoder, projector, *args, _right=evaluate_loss, **options):
    return _right(encoder, nn.Identity(), *args, **options)


@misconception(
    EVALUATE,
    "test views without augmentation",
    "Both test views are the plain image, so the test invariance is 0 by construction. Use the views of "
    "the training.",
)
def deterministic_views(*args, _right=evaluate_loss, **options):
    from unittest import mock

    from .warmup import normalize

    with mock.patch.dict(globals(), two_views=lambda images: (normalize(images), normalize(images))):
        return _right(*args, **options)


@misconception(
    EVALUATE,
    "one view against the plain image",
    "Only one of the two test views is augmented. Training compares two random views.",
)
def one_plain_view(*args, _right=evaluate_loss, **options):
    from unittest import mock

    from .warmup import normalize

    with mock.patch.dict(
        globals(), two_views=lambda images, _both=two_views: (_both(images)[0], normalize(images))
    ):
        return _right(*args, **options)


@misconception(
    EVALUATE,
    "the same random view twice",
    "One random view is used for both branches, so the test invariance is 0. Draw twice.",
)
def one_view_twice(*args, _right=evaluate_loss, **options):
    from unittest import mock

    with mock.patch.dict(globals(), two_views=lambda images, _both=two_views: (_both(images)[0],) * 2):
        return _right(*args, **options)


@misconception(
    EVALUATE,
    "gradients recorded",
    "The test pass records gradients that nobody uses: that takes memory and time, and the returned terms "
    "keep them alive.",
)
def evaluate_with_gradients(*args, _right=evaluate_loss, **options):
    from unittest import mock

    with mock.patch("torch.no_grad", contextlib.nullcontext):
        return _right(*args, **options)


@misconception(
    EVALUATE,
    "last batch only",
    "What is returned are the terms of the last batch, not the mean over all of them.",
)
def last_batch_only(encoder, projector, images, batch_size=256, **weights):
    images, terms = _beside(images, encoder, projector), []
    with _eval_mode(encoder, projector), torch.no_grad():
        for batch in _batches(torch.arange(len(images)), batch_size):
            view_a, view_b = two_views(images[batch])
            terms.append(torch.stack(vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)))))
    return VICRegTerms(*terms[-1])


@misconception(
    EVALUATE,
    "sum over the batches",
    "The terms of the batches are added up and not divided: the loss then grows with the number of test "
    "images.",
)
def sum_over_batches(encoder, projector, images, batch_size=256, **weights):
    images, terms = _beside(images, encoder, projector), []
    with _eval_mode(encoder, projector), torch.no_grad():
        for batch in _batches(torch.arange(len(images)), batch_size):
            view_a, view_b = two_views(images[batch])
            terms.append(torch.stack(vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)))))
    return VICRegTerms(*torch.stack(terms).sum(dim=0))


@misconception(
    EVALUATE,
    "divided by a rounded number of batches",
    "The sum over the batches is divided by len(images) // batch_size, which leaves out an incomplete "
    "last batch that is in the sum.",
)
def rounded_count(encoder, projector, images, batch_size=256, **weights):
    images, terms = _beside(images, encoder, projector), []
    with _eval_mode(encoder, projector), torch.no_grad():
        for batch in _batches(torch.arange(len(images)), batch_size):
            view_a, view_b = two_views(images[batch])
            terms.append(torch.stack(vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)))))
    return VICRegTerms(*(torch.stack(terms).sum(dim=0) / max(1, len(images) // batch_size)))


@misconception(
    EVALUATE,
    "a last batch of a single image",
    "A single row has no variance: the last batch turns the mean into NaN.",
)
def single_row_evaluated(*args, _right=evaluate_loss, **options):
    from unittest import mock

    with mock.patch.dict(globals(), _batches=torch.Tensor.split):
        return _right(*args, **options)


@misconception(
    EVALUATE,
    "seed set inside",
    "The seed of torch's global generator is set inside the function: all later draws of the program repeat.",
)
def evaluate_with_seed(*args, _right=evaluate_loss, **options):
    torch.manual_seed(0)
    return _right(*args, **options)


@misconception(
    EVALUATE,
    "images changed in place",
    "The images that were passed in are changed: the caller's arrays are not yours to write into.",
)
def images_in_place(encoder, projector, images, *args, _right=evaluate_loss, **options):
    terms = _right(encoder, projector, images, *args, **options)
    images //= 2
    return terms


@misconception(
    TRAIN,
    "optimizer without the projector",
    "The optimizer holds the encoder's parameters alone, so the projector stays what it was at the start.",
)
def encoder_only(encoder, *args, _right=train_vicreg, **options):
    from unittest import mock

    adam = torch.optim.Adam
    with mock.patch(
        "torch.optim.Adam", lambda parameters, **settings: adam(encoder.parameters(), **settings)
    ):
        return _right(encoder, *args, **options)


@misconception(
    TRAIN,
    "optimizer without the encoder",
    "The optimizer holds the projector's parameters alone, so the encoder stays what it was at the start.",
)
def projector_only(encoder, projector, *args, _right=train_vicreg, **options):
    from unittest import mock

    adam = torch.optim.Adam
    with mock.patch(
        "torch.optim.Adam", lambda parameters, **settings: adam(projector.parameters(), **settings)
    ):
        return _right(encoder, projector, *args, **options)


@misconception(
    TRAIN,
    "learning rate 3e-3",
    "The default learning rate is ten times too large: 3 · 10⁻⁴ is not 3 * 10e-4.",
)
def ten_times_the_rate(*args, lr=3 * 10e-4, _right=train_vicreg, **options):
    return _right(*args, lr=lr, **options)


@misconception(
    TRAIN,
    "learning rate ignored",
    "The argument lr is not used: the optimizer always has the default.",
)
def rate_ignored(*args, lr=None, _right=train_vicreg, **options):
    return _right(*args, **options)


@misconception(
    TRAIN,
    "learning rate always 3e-3",
    "The argument lr is not used, and the rate is ten times too large: 3 · 10⁻⁴ is not 3 * 10e-4.",
)
def always_ten_times_the_rate(*args, lr=None, _right=train_vicreg, **options):
    return _right(*args, lr=3 * 10e-4, **options)


@misconception(
    TRAIN,
    "no weight decay in the gradients",
    "No weight decay of 1e-6 reaches the gradients, as Adam's does: it is left out, or it is AdamW's, which shrinks the "
    "parameters instead.",
)
def no_weight_decay(*args, _right=train_vicreg, **options):
    from unittest import mock

    adam = torch.optim.Adam
    with mock.patch("torch.optim.Adam", lambda parameters, lr, **settings: adam(parameters, lr=lr)):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "other betas",
    "Adam's betas are not those of the handout, (0.9, 0.999).",
)
def other_betas(*args, _right=train_vicreg, **options):
    from unittest import mock

    adam = torch.optim.Adam
    with mock.patch(
        "torch.optim.Adam", lambda parameters, lr, **_: adam(parameters, lr, (0.5, 0.9), weight_decay=1e-6)
    ):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "SGD instead of Adam",
    "The optimizer is plain gradient descent; the handout asks for Adam.",
)
def plain_sgd(*args, _right=train_vicreg, **options):
    from unittest import mock

    with mock.patch("torch.optim.Adam", lambda parameters, lr, **_: torch.optim.SGD(parameters, lr)):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "a new optimizer on the way",
    "The optimizer is made again while training goes on, for every batch or every epoch, and forgets its moments. Make it once.",
)
def new_optimizer_each_batch(*args, _right=train_vicreg, **options):
    from unittest import mock

    def step(encoder, projector, optimizer, *views, _step=train_step, **weights):
        parameters, lr = [*encoder.parameters(), *projector.parameters()], optimizer.defaults["lr"]
        anew = torch.optim.Adam(parameters, lr=lr, weight_decay=1e-6)
        return _step(encoder, projector, anew, *views, **weights)

    with mock.patch.dict(globals(), train_step=step):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "not shuffled",
    "The images come in the same order in every epoch, so that each always has the same company in its "
    "batch. Look at the indices.",
)
def not_shuffled(*args, _right=train_vicreg, **options):
    from unittest import mock

    with mock.patch("torch.randperm", torch.arange):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "not shuffled without `views`",
    "Without the argument `views` the images come in the same order in every epoch. The order is to be random with the "
    "default views, too.",
)
def not_shuffled_by_default(encoder, projector, images, *args, views=None, _right=train_vicreg, **options):
    from unittest import mock

    randperm = torch.arange if views is None else torch.randperm
    with mock.patch("torch.randperm", randperm):
        return _right(encoder, projector, images, *args, views=views, **options)


@misconception(
    TRAIN,
    "default views of the first images",
    "The default views are always made of the first images, whatever the batch. Which images should a batch of indices "
    "choose?",
)
def default_views_of_first(encoder, projector, images, *args, views=None, _right=train_vicreg, **options):
    views = views or (lambda batch: two_views(torch.as_tensor(images)[: len(batch)]))
    return _right(encoder, projector, images, *args, views=views, **options)


@misconception(
    TRAIN,
    "test pass before each epoch",
    "The test loss is evaluated before each epoch: its first entry is that of the untrained networks, and the last epoch has "
    "none.",
)
def tested_before(encoder, projector, images, epochs, batch_size=256, test_images=None, views=None, lr=3e-4, **weights):
    images = _beside(images, encoder, projector)
    views = views or (lambda batch: two_views(images[batch]))
    optimizer = torch.optim.Adam([*encoder.parameters(), *projector.parameters()], lr=lr, weight_decay=1e-6)
    encoder.train(), projector.train()
    history = {"train": [], "test": []}
    for _ in range(epochs):
        if test_images is not None:
            terms = evaluate_loss(encoder, projector, test_images, batch_size, **weights)
            history["test"].append(VICRegTerms(*map(float, terms)))
        for batch in _batches(torch.randperm(len(images)), batch_size):
            terms = train_step(encoder, projector, optimizer, *views(batch), **weights)
            history["train"].append(VICRegTerms(*map(float, terms)))
    return history


@misconception(
    TRAIN,
    "shuffled once",
    "The order is drawn once, before the first epoch. Every epoch needs a new one.",
)
def shuffled_once(encoder, projector, images, *args, _right=train_vicreg, **options):
    from unittest import mock

    order = torch.randperm(len(images))
    with mock.patch("torch.randperm", lambda count: order):
        return _right(encoder, projector, images, *args, **options)


@misconception(
    TRAIN,
    "images drawn with replacement",
    "Indices are drawn independently: an epoch shows some images twice and others never.",
)
def with_replacement(*args, _right=train_vicreg, **options):
    from unittest import mock

    with mock.patch("torch.randperm", lambda count: torch.randint(count, (count,))):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "second view is the first",
    "The same tensor serves as both views, so the invariance term is 0. Each view needs a draw of its own.",
)
def one_tensor_twice(*args, _right=train_vicreg, **options):
    from unittest import mock

    def step(encoder, projector, optimizer, view_a, view_b, _step=train_step, **weights):
        return _step(encoder, projector, optimizer, view_a, view_a, **weights)

    with mock.patch.dict(globals(), train_step=step):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "views of different images",
    "The rows of the second view are in another order than those of the first: the pairs are not of the "
    "same image.",
)
def shuffled_pairs(*args, _right=train_vicreg, **options):
    from unittest import mock

    def step(encoder, projector, optimizer, view_a, view_b, _step=train_step, **weights):
        return _step(encoder, projector, optimizer, view_a, view_b.roll(1, 0), **weights)

    with mock.patch.dict(globals(), train_step=step):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "views ignored",
    "The callable `views` is not used: training always has the default views.",
)
def views_ignored(*args, views=None, _right=train_vicreg, **options):
    return _right(*args, **options)


@misconception(
    TRAIN,
    "views get images instead of indices",
    "`views` is called with the images of a batch; it expects their indices.",
)
def views_of_images(encoder, projector, images, *args, views=None, _right=train_vicreg, **options):
    tensor = torch.as_tensor(images)
    asked = (lambda batch: views(tensor[batch])) if views else None
    return _right(encoder, projector, images, *args, views=asked, **options)


@misconception(
    TRAIN,
    "weights of the loss not passed on",
    "train_vicreg takes the weights of the terms and does not hand them on: an ablation would train the "
    "full loss.",
)
def training_weights_dropped(*args, _right=train_vicreg, **options):
    kept = {name: value for name, value in options.items() if not name.endswith("_weight")}
    return _right(*args, **kept)


@misconception(
    TRAIN,
    "a last batch of a single row",
    "Batch norm cannot normalize a single row. Look at the size of the last batch when batch_size does "
    "not divide the number of images.",
)
def single_row_kept(*args, _right=train_vicreg, **options):
    from unittest import mock

    with mock.patch.dict(globals(), _batches=torch.Tensor.split):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "one training entry an epoch",
    "The history has one training entry an epoch; one for every batch is asked for.",
)
def entry_per_epoch(encoder, projector, images, epochs, *args, _right=train_vicreg, **options):
    history = _right(encoder, projector, images, epochs, *args, **options)
    batches = len(history["train"]) // epochs
    return {**history, "train": history["train"][batches - 1 :: batches]}


@misconception(
    TRAIN,
    "tested after the last epoch only",
    "The test images are evaluated once, at the end. The report shows them once per epoch.",
)
def tested_once(
    encoder,
    projector,
    images,
    epochs,
    batch_size=256,
    test_images=None,
    *args,
    _right=train_vicreg,
    **options,
):
    history = _right(encoder, projector, images, epochs, batch_size, None, *args, **options)
    if test_images is not None:
        history["test"].append(evaluate_loss(encoder, projector, test_images, batch_size))
    return history


@misconception(
    TRAIN,
    "test loss of the training images",
    "The test terms are computed on training images. Look at what evaluate_loss is given.",
)
def tested_on_train(encoder, projector, images, *args, _right=train_vicreg, **options):
    from unittest import mock

    def evaluate(encoder, projector, test_images, *rest, _evaluate=evaluate_loss):
        return _evaluate(encoder, projector, images, *rest)

    with mock.patch.dict(globals(), evaluate_loss=evaluate):
        return _right(encoder, projector, images, *args, **options)


@misconception(
    TRAIN,
    "an own test pass in eval mode, never undone",
    "The test pass leaves the networks in eval mode, and the next epoch trains in it. Look at the modes "
    "in the second epoch.",
)
def own_test_pass_in_eval(*args, _right=train_vicreg, **options):
    from unittest import mock

    def evaluate(encoder, projector, *rest, _evaluate=evaluate_loss):
        terms = _evaluate(encoder, projector, *rest)
        encoder.eval()
        return terms

    with mock.patch.dict(globals(), evaluate_loss=evaluate):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "an own test pass in train mode",
    "The test images go through the networks in train mode, so they enter the running statistics of batch "
    "norm. Compare these before and after the test pass.",
)
def own_test_pass_in_train(*args, _right=train_vicreg, **options):
    from unittest import mock

    @torch.no_grad()
    def evaluate(encoder, projector, images, *rest):
        view_a, view_b = two_views(images)
        return vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)))

    with mock.patch.dict(globals(), evaluate_loss=evaluate):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "an own test loss on representations",
    "The test loss compares representations, the training loss embeddings: the two curves cannot be "
    "compared.",
)
def own_test_loss_on_representations(*args, _right=train_vicreg, **options):
    from unittest import mock

    def evaluate(encoder, projector, *rest, _evaluate=evaluate_loss):
        return _evaluate(encoder, nn.Identity(), *rest)

    with mock.patch.dict(globals(), evaluate_loss=evaluate):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "an own test pass without augmentation",
    "Both test views are the plain image, so the test invariance is 0 by construction. Use the views of "
    "the training.",
)
def own_test_pass_without_augmentation(*args, _right=train_vicreg, **options):
    from unittest import mock

    def evaluate(encoder, projector, images, *rest):
        with _eval_mode(encoder, projector), torch.no_grad():
            z = projector(encoder(torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255))
        return vicreg_loss(z, z)

    with mock.patch.dict(globals(), evaluate_loss=evaluate):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "seed set inside",
    "The seed of torch's global generator is set inside the function: all later draws of the program repeat.",
)
def training_with_seed(*args, _right=train_vicreg, **options):
    torch.manual_seed(42)
    return _right(*args, **options)


@misconception(
    TRAIN,
    "thread count changed",
    "The function changes torch's number of threads for the whole program.",
)
def threads_changed(*args, _right=train_vicreg, **options):
    torch.set_num_threads(2 if torch.get_num_threads() == 1 else 1)
    return _right(*args, **options)


# What tells these mistakes apart. The expected losses and gradients come from the submission's own `vicreg_loss`, as in
# the checks: a mistake there is no mistake here. Order and noise are drawn, so what they decide is told in words.

NETWORK = {"features": 3, "dim": 4, "seed": 4}
NORMED = {**NETWORK, "batch_norm": True}
WEIGHTS = {"inv_weight": 2.0, "var_weight": 3.0, "cov_weight": 5.0}


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _named(value: torch.Tensor, options: Iterable[tuple], atol: float = 1e-4):
    """The name of the option that the value equals. Else the value, which only the same mistake gives."""
    # As in `replay`: float32 in another order gives 1e-6.
    near = (name for name, option in options if torch.allclose(value, option.to(value), 1e-3, atol))
    return next(near, value)


def _read(reader, *args, **kwargs):
    """What a reader finds, or what it expected and did not find."""
    try:
        return reader(*args, **kwargs)
    except Mismatch as mismatch:
        return mismatch.expected


def _loss(student, z_a, z_b, **weights) -> torch.Tensor:
    """The four terms of the submission's own loss."""
    return torch.stack([each.double() for each in replay.loss(student, z_a, z_b, **weights).values()])


def _returned(value, options: list[tuple]):
    """Which terms came back; in words where it is no named tuple of them."""
    if isinstance(value, float | torch.Tensor):
        return "a single value"
    if not isinstance(value, wire.Named) or not set(replay.FIELDS) <= set(value):
        return type(value).__name__
    found = torch.tensor([float(value[name]) for name in replay.FIELDS], dtype=torch.float64)
    return _named(found, options) if torch.isfinite(found).all() else "not finite"


# One step


@observer(STEP)
def observe_step(student):
    view_a, view_b = _random(2, 5, 3, 1, 1, seed=1)
    came = student.run("step", view_a, view_b, NETWORK, WEIGHTS, times=2)
    steps = [torch.cat([each.flatten() for each in step]) for step in came["steps"]]
    passes = came["encoder"] + came["projector"]
    return {
        "returned": _returned(came["terms"][0], _step_terms(student, view_a, view_b)),
        "steps": len(steps),
        "gradient": _named(steps[0], _step_gradients(student, view_a, view_b)) if steps else "none",
        "next gradient": "of other views" if student.mutated else _next_gradient(steps),
        "projector": bool(came["projector"]),
        "modes": [came["modes"], all(each["training"] for each in passes)],
        "seed set": came["reseeded"],
    }


def _next_gradient(steps: list[torch.Tensor]):
    """The learning rate is 0, so the second step should have the gradient of the first."""
    if len(steps) < 2:
        return "none"
    return _named(steps[-1], [("the same", steps[0]), ("added", 2 * steps[0])])


def _step_terms(student, view_a, view_b) -> list[tuple]:
    encoder, projector = networks.pair(**NETWORK)
    with torch.no_grad():
        y_a, y_b = encoder(view_a), encoder(view_b)
        z_a, z_b = projector(y_a), projector(y_b)
    right = _loss(student, z_a, z_b, **WEIGHTS)
    return [
        ("right", right),
        ("weighted", right * torch.tensor([1.0, *WEIGHTS.values()])),
        ("without the weights", _loss(student, z_a, z_b)),
        ("of one view", _loss(student, z_a, z_a, **WEIGHTS)),
        ("of one view", _loss(student, z_b, z_b, **WEIGHTS)),
        ("of representations", _loss(student, y_a, y_b, **WEIGHTS)),
    ]


def _step_gradients(student, view_a, view_b) -> list[tuple]:
    encoder, projector = networks.pair(**NETWORK)
    parameters = networks.parameters(encoder, projector)

    def gradient(one=view_a, other=view_b, network=projector, detached=False, output="total", weights=WEIGHTS):
        z = [network(encoder(each)) for each in (one, other)]
        return _gradient(student, parameters, z[0], z[1].detach() if detached else z[1], output, weights)

    return [
        ("right", gradient()),
        ("zero", torch.zeros(sum(each.numel() for each in parameters))),
        ("without the weights", gradient(weights={})),
        ("of one view", gradient(other=view_a)),
        ("of one view", gradient(one=view_b)),
        ("of representations", gradient(network=nn.Identity())),
        ("of the first branch", gradient(detached=True)),
        ("of the invariance", gradient(output="invariance")),
    ]


def _gradient(student, parameters, z_a, z_b, output: str = "total", weights: dict | None = None) -> torch.Tensor:
    """The gradient of the submission's own loss of these embeddings, for all parameters in one vector."""
    for parameter in parameters:
        parameter.grad = None
    with replay.unlisted(student):
        inputs = z_a.detach(), z_b.detach()
        found = student.gradient("vicreg.vicreg_loss", *inputs, wrt=(0, 1), output=output, **(weights or {}))
    for z, gradient in zip((z_a, z_b), found):
        if gradient is not None and z.requires_grad:
            z.backward(gradient)
    return torch.cat([networks.gradient_of(each).flatten() for each in parameters])


# The test loss


@observer(EVALUATE)
def observe_evaluation(student):
    # 11 = 4 + 4 + 3 images, 9 = 4 + 4 + 1, 8 = 4 + 4
    runs = ((11, [True, True]), (9, [False, False]), (8, [True, False]))
    return {f"{n} images": attempt(_evaluated, student, n, modes) for n, modes in runs}


def _evaluated(student, n: int, modes: list[bool]) -> dict:
    """The images of a batch are equal, so that the rows of a view are equal if nothing is drawn for them."""
    images = torch.zeros(n, 4, 4, 3, dtype=torch.uint8)
    images[4:] = 255  # so that the loss of the first batch is another than that of the rest
    came = student.run("evaluate", images, NORMED, modes, 4)
    passes = came["encoder"] + came["projector"]
    tape, seen = (came["projector"], came["encoder"]) if came["projector"] else (came["encoder"], ())
    outputs = _read(replay.pairs, tape, "output", 4, came["made"], seen)
    return {
        "modes afterwards": came["modes"],
        "train mode": [any(each["training"] for each in came[name]) for name in ("encoder", "projector")],
        "unchanged": all(map(torch.equal, came["before"], came["after"])),
        "gradients": came["attached"] or any(each["gradients"] for each in passes),
        "projector": bool(came["projector"]),
        "views": _read(_drawn, came["encoder"], 4),
        "mean": outputs if isinstance(outputs, str) else _returned(came["terms"], _means(student, outputs, n // 4)),
        "seed set": came["reseeded"],
    }


def _drawn(passes: list[dict], batch_size: int) -> str:
    """How the views of equal images were made."""

    def plain(view) -> bool:
        return torch.equal(view, view[:1].expand_as(view))

    if all(plain(each["input"]) for each in passes):
        return "plain images"
    pairs = [pair for pair in replay.pairs(passes, "input", batch_size) if len(pair[0]) > 1]
    if any(torch.equal(a, b) for a, b in pairs):
        return "the same view twice"
    return "one view and the plain image" if any(plain(a) or plain(b) for a, b in pairs) else "two random views"


def _means(student, pairs: list[tuple], rounded_count: int) -> list[tuple]:
    """Ways to make one loss from those of the batches."""
    pairs = [pair for pair in pairs if len(pair[0]) > 1]
    sizes = torch.tensor([len(a) for a, _ in pairs]).double()
    terms = torch.stack([_loss(student, *pair) for pair in pairs])
    return [
        ("mean", sizes @ terms / sizes.sum()),
        ("mean", terms.mean(dim=0)),
        ("last", terms[-1]),
        ("sum", terms.sum(dim=0)),
        ("by a rounded count", terms.sum(dim=0) / rounded_count),
    ]


# The loop

TABLES = _random(2, 12, 3, 2, 2, seed=2)  # what `views` gives
VIEWS = [{"view": table, "images": list(range(12))} for table in TABLES]
KINDS = {(2, 2): "views", (5, 6): "training images", (4, 4): "test images"}  # what a network sees, by its size
CONSTANT = {"inv_weight": 0.0, "var_weight": 0.0, "cov_weight": 1e-12}  # a loss that is, for Adam, just not zero


def _indexed(n: int) -> torch.Tensor:
    """Training images whose values are their indices."""
    return torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).repeat(1, 5, 6, 3)


@observer(TRAIN)
def observe_training(student):
    epochs, by_default = attempt(_epochs, student), attempt(_default_views, student)
    # Wrong pairs are the same mistake with `views` and without.
    wrong = {each.pop("pairs") for each in (epochs, by_default) if isinstance(each, dict)} - {"right"}
    return {
        "wrong pairs": sorted(wrong),
        "epochs": epochs,
        "default views": by_default,
        "optimizer": attempt(_optimized, student, 4, 0.05, WEIGHTS),
        "weight decay": attempt(_optimized, student, 1, 0.02, CONSTANT),  # a whole step with it, none without
        "default rate": attempt(_default_rate, student),
    }


def _epochs(student) -> dict:
    """Three epochs of three batches, each with a test pass on equal images."""
    test_images = torch.full((4, 4, 4, 3), 128, dtype=torch.uint8)
    came = student.run("loop", _indexed(12), NORMED, {"epochs": 3, "batch_size": 4}, *TABLES, test_images)
    encoder, projector, history = came["encoder"], came["projector"], came["history"]
    kinds = [KINDS.get(tuple(each["input"].shape[2:]), "others") for each in encoder]
    in_training = [kind == kinds[0] for kind in kinds]
    embedded = len(projector) == len(encoder)  # otherwise, all of the projector's passes are taken for training
    train = _chosen(encoder, in_training) + (_chosen(projector, in_training) if embedded else projector)
    test = _chosen(encoder, in_training, False) + (_chosen(projector, in_training, False) if embedded else [])
    pairs = _read(replay.pairs, _chosen(encoder, in_training), "input", 4, VIEWS)
    first = _chosen(encoder, in_training, False)[: max(1, in_training.count(False) // 3)]
    return {
        "passes": [kind for kind, _ in itertools.groupby(kinds)],
        "order": _order(came["batches"]),
        "pairs": pairs if isinstance(pairs, str) else _pairing(came["batches"], pairs),
        "modes": [sorted({each["training"] for each in passes}) for passes in (train, test)],
        "statistics changed": [sorted({each["statistics_changed"] for each in passes}) for passes in (train, test)],
        "embedded": embedded,
        "test views": _read(_drawn, first, 4) if first else "none",
        "history": {name: len(history[name]) for name in ("train", "test")},
        "seed set": came["reseeded"],
    }


def _chosen(passes: list, flags: list[bool], wanted: bool = True) -> list:
    return [each for each, flag in zip(passes, flags) if flag == wanted]


def _order(batches: list[list[int]]) -> list[str]:
    """What is odd about the indices that `views` was asked for."""
    if not batches or max(map(len, batches)) > 12:
        return ["no indices"]
    thirds = len(batches) // 3
    epochs = [sum(batches[i : i + thirds], []) for i in range(0, 3 * thirds, thirds)] if thirds else [sum(batches, [])]
    odd = {
        "twice": any(len(set(each)) < len(each) for each in epochs),
        "not all": any(len(set(each)) < 12 for each in epochs),
        "sorted": epochs[0] == sorted(epochs[0]),
        "repeated": all(each == epochs[0] for each in epochs),
    }
    return [name for name, holds in odd.items() if holds]


def _pairing(batches: list[list[int]], pairs: list[tuple]) -> str:
    """Whether the networks saw what `views` gave for these indices."""
    for rows, (a, b) in zip(batches, pairs):
        if torch.equal(a, b):
            return "the same view twice"
        wanted = TABLES[0][rows], TABLES[1][rows]
        if not any(torch.equal(a, one) and torch.equal(b, other) for one, other in (wanted, wanted[::-1])):
            same = all(torch.equal(_sorted(each), _sorted(right)) for each, right in zip((a, b), wanted))
            return "different images" if same else "other views"
    return "right"


def _sorted(view: torch.Tensor) -> torch.Tensor:
    """The same for all orders of the rows."""
    return view.flatten(1).sort(dim=0).values


def _default_views(student) -> dict:
    """9 = 4 + 4 + 1 images, and 12 in three epochs, without `views`."""
    came = student.run("loop", _indexed(9), NETWORK, {"epochs": 1, "batch_size": 4})
    pairs, made = _read(replay.pairs, came["encoder"], "input", 4, came["made"]), came["made"]
    return {
        "order": _order_of_made(student.run("loop", _indexed(12), NETWORK, {"epochs": 3, "batch_size": 4})),
        "pairs": pairs if isinstance(pairs, str) else _pairing_of_made(pairs, made),
        "a single row": any(len(each["input"]) == 1 for each in came["encoder"]),
        "seed set": came["reseeded"],
    }


def _pairing_of_made(pairs: list[tuple], made: list[dict]) -> str:
    """Whether both views of a pair are of the same images; views of their own making are taken for right."""
    if any(torch.equal(a, b) for a, b in pairs):
        return "the same view twice"

    differ = any(replay.images_of(a, made) != replay.images_of(b, made) for a, b in pairs)
    return "different images" if differ else "right"


def _order_of_made(came: dict) -> list[str]:
    """As `_order`, from the images whose views the encoder saw; views of their own making are taken for right."""
    pairs = _read(replay.pairs, came["encoder"], "input", 4, came["made"])
    if isinstance(pairs, str):
        return [pairs]
    shown = [replay.images_of(a, came["made"]) for a, _ in pairs]
    return [] if None in shown else _order(shown)


def _moves(came: dict) -> list[torch.Tensor]:
    """What became of encoder and projector. The last bias is left out: the loss does not depend on it."""
    before = [torch.cat([each.detach().flatten() for each in one.parameters()]) for one in networks.pair(**NETWORK)]
    after = torch.cat([each.flatten() for each in came["after"]]).split([len(each) for each in before])
    moves = [now - then for now, then in zip(after, before)]
    return [moves[0], moves[1][: -NETWORK["dim"]]]


def _default_rate(student) -> str:
    """Adam's first step moves every parameter by the learning rate."""
    came = student.run("loop", _indexed(8), NETWORK, {"epochs": 1, "batch_size": 8}, *TABLES[:, :8])
    moves = torch.cat(_moves(came)).abs()
    return f"{float(moves[moves > 0].median()):.0e}" if moves.any() else "none"


def _optimized(student, steps: int, lr: float, weights: dict) -> dict:
    """Whose way the parameters went in a few steps, each of them on all images."""
    options = {"epochs": steps, "batch_size": 8, "lr": lr, **weights}
    came = student.run("loop", _indexed(8), NETWORK, options, *TABLES[:, :8])
    pairs, moves = _read(replay.pairs, came["encoder"], "input", 8, VIEWS), _moves(came)
    moved = [bool(each.abs().max() > 0.01 * lr) for each in moves]
    if isinstance(pairs, str) or not any(moved):
        return {"moved": moved}
    ways = ((name, _replayed(student, pairs, moved, *how)) for name, *how in _optimizers(lr, weights))
    return {"moved": moved, "way": _named(torch.cat(moves), ways, atol=0.03 * lr)}


def _optimizers(lr: float, weights: dict) -> list[tuple]:
    """Ways to take the steps: a name, what makes the optimizer, the weights of the loss, whether each step makes it."""

    def adam(rate: float = lr, betas: tuple = (0.9, 0.999), decay: float = 1e-6):
        return lambda parameters: torch.optim.Adam(parameters, rate, betas, weight_decay=decay)

    return [
        ("Adam", adam(), weights, False),
        ("Adam without weight decay", adam(decay=0.0), weights, False),
        ("Adam without the weights of the loss", adam(), {}, False),
        ("Adam with the default rate", adam(rate=3e-4), weights, False),
        ("Adam with ten times the default rate", adam(rate=3e-3), weights, False),
        ("Adam with other betas", adam(betas=(0.5, 0.9)), weights, False),
        ("Adam made anew", adam(), weights, True),
        ("SGD", lambda parameters: torch.optim.SGD(parameters, lr), weights, False),
    ]


def _replayed(student, pairs, moved: list[bool], make, weights: dict, anew: bool) -> torch.Tensor:
    """Where such an optimizer takes the networks that it has."""
    pair = networks.pair(**NETWORK)
    parameters = networks.parameters(*(network for network, has_moved in zip(pair, moved) if has_moved))
    optimizer = make(parameters)
    for views in pairs:
        _gradient(student, networks.parameters(*pair), *_embeddings(pair, views), weights=weights)
        optimizer = make(parameters) if anew else optimizer
        optimizer.step()
    return torch.cat(_moves({"after": [each.detach() for each in networks.parameters(*pair)]}))


def _embeddings(pair, views) -> list[torch.Tensor]:
    encoder, projector = pair
    return [projector(encoder(view)) for view in views]


# Combinations. Not in the loop: a look at it takes too long to try them all.


@alteration(STEP, "second view ignored")
def with_the_first_view_twice(version):
    def train_step(encoder, projector, optimizer, view_a, view_b, **weights):
        return version(encoder, projector, optimizer, view_a, view_a, **weights)

    return train_step


@alteration(STEP, "loss on representations")
def without_the_projector(version):
    def train_step(encoder, projector, *args, **weights):
        return version(encoder, nn.Identity(), *args, **weights)

    return train_step


@alteration(STEP, "weights not passed on")
def with_default_weights(version):
    return lambda *args, **weights: version(*args)


@alteration(STEP, "total only")
def giving_the_total(version):
    return lambda *args, **weights: version(*args, **weights)[0]


@alteration(STEP, "eval mode during training")
def in_eval_mode(version):
    def train_step(encoder, projector, *args, **weights):
        return version(encoder.eval(), projector.eval(), *args, **weights)

    return train_step


@alteration(EVALUATE, "eval mode never undone")
def with_eval_mode_left(version):
    def evaluate_loss(encoder, projector, *args, **options):
        terms = version(encoder, projector, *args, **options)
        encoder.eval(), projector.eval()
        return terms

    return evaluate_loss


@alteration(EVALUATE, "always train mode afterwards")
def with_train_mode_set(version):
    def evaluate_loss(encoder, projector, *args, **options):
        terms = version(encoder, projector, *args, **options)
        encoder.train(), projector.train()
        return terms

    return evaluate_loss


@alteration(EVALUATE, "test loss on representations")
def without_the_embeddings(version):
    def evaluate_loss(encoder, projector, *args, **options):
        return version(encoder, nn.Identity(), *args, **options)

    return evaluate_loss


@alteration(EVALUATE, "seed set inside")
def with_a_seed(version):
    def evaluate_loss(*args, **options):
        torch.manual_seed(0)
        return version(*args, **options)

    return evaluate_loss
