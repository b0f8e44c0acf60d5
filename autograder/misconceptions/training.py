"""Mistakes in task 3.

`_right` is the reference's function, taken while the name still means it. Where a mistake is a small change
in the middle of the reference, the entry runs the reference with one of the names that it uses replaced.
"""

import contextlib

import torch
from torch import nn

from autograder.misconceptions import misconception
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
    "Only the total comes back. The report needs all four terms: return what vicreg_loss returns.",
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
    "weight decay missing",
    "The optimizer has no weight decay; the handout asks for 1e-6.",
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
    "a new optimizer for every batch",
    "The optimizer is made again for every batch and forgets its moments. Make it once.",
)
def new_optimizer_each_batch(*args, _right=train_vicreg, **options):
    from unittest import mock

    def step(encoder, projector, optimizer, *views, _step=train_step, **weights):
        parameters = [*encoder.parameters(), *projector.parameters()]
        return _step(
            encoder, projector, torch.optim.Adam(parameters, optimizer.defaults["lr"]), *views, **weights
        )

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

    with mock.patch.dict(globals(), two_views=lambda images, _both=two_views: (_both(images)[0],) * 2):
        return _right(*args, **options)


@misconception(
    TRAIN,
    "views of different images",
    "The rows of the second view are in another order than those of the first: the pairs are not of the "
    "same image.",
)
def shuffled_pairs(*args, _right=train_vicreg, **options):
    from unittest import mock

    with mock.patch.dict(
        globals(), two_views=lambda images, _both=two_views: (_both(images)[0], _both(images.roll(1, 0))[1])
    ):
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
    torch.set_num_threads(torch.get_num_threads() + 1)
    return _right(*args, **options)
