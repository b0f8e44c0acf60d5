"""Task 3 on tiny networks. The expected loss comes from the student's own `vicreg_loss`."""

import pytest
import torch

from autograder import expect, replay
from autograder.worker import networks

NETWORK = {"features": 3, "dim": 4, "seed": 0}  # no batch norm: a row's embedding depends on its image alone
NORMED = {"features": 3, "dim": 4, "seed": 1, "batch_norm": True}
VIEW_A = torch.tensor([[0.5, -1.0, 0.2], [1.5, 0.3, -0.4], [-0.7, 0.8, 1.1], [0.1, -0.6, 0.9]]).view(
    4, 3, 1, 1
)
VIEW_B = torch.tensor([[0.9, -0.5, 0.0], [1.0, 0.7, -0.8], [-0.2, 1.2, 0.6], [-0.3, -0.1, 1.4]]).view(
    4, 3, 1, 1
)
# Image i is told by its value, 10 (i + 1); 4 x 4 pixels are enough for the networks above.
IMAGES = (10 * torch.arange(1, 13, dtype=torch.uint8)).view(12, 1, 1, 1).expand(12, 4, 4, 3).contiguous()


@pytest.mark.item("training.step_terms")
def test_step_terms(student):
    weights = {"inv_weight": 2.0, "var_weight": 3.0, "cov_weight": 5.0}
    encoder, projector = networks.pair(**NETWORK)
    for given, note in (({}, "default weights"), (weights, f"weights {weights}")):
        with torch.no_grad():
            expected = replay.loss(student, projector(encoder(VIEW_A)), projector(encoder(VIEW_B)), **given)
        found = student.run("step", VIEW_A, VIEW_B, NETWORK, given)["terms"][0]
        found = replay.terms(found, "train_step(...)")
        replay.close_terms(
            found, expected, "train_step(...)", f"{note}: vicreg_loss of the embeddings of both views"
        )


@pytest.mark.item("training.step_update")
def test_step_update(student):
    expected = replay.gradients(student, *networks.pair(**NETWORK), VIEW_A, VIEW_B)
    came = student.run("step", VIEW_A, VIEW_B, NETWORK, {}, times=2)
    steps = came["steps"]
    expect.true(len(steps) == 2, "two calls of train_step to make 2 steps of the optimizer", f"{len(steps)}")
    # A gradient kept from the first call doubles that of the second; without one branch half is missing.
    replay.close_lists(
        steps[0], expected, "the gradient at the first step (that of total, through both views)"
    )
    replay.close_lists(
        steps[1], expected, "the gradient at a second step on the same batch (learning rate 0)"
    )
    expect.true(
        came["modes"] == [True, True],
        "networks that were in train mode to stay in it",
        "a network in eval mode",
    )
    trained = all(each["training"] for each in came["encoder"] + came["projector"])
    expect.true(trained, "both networks in train mode while they see the batch", "a pass in eval mode")


@pytest.mark.item("training.evaluate_state")
def test_evaluate_state(student):
    for modes in ([True, True], [False, False], [True, False]):
        came = student.run("evaluate", IMAGES, NORMED, modes)
        words = [["eval", "train"][mode] for mode in modes]
        in_eval = not any(each["training"] for each in came["encoder"] + came["projector"])
        expect.true(in_eval, "both networks in eval mode while the loss is evaluated", "a pass in train mode")
        left = f"{words[0]} mode for the encoder and {words[1]} mode for the projector, as before"
        now = [["eval", "train"][mode] for mode in came["modes"]]
        expect.true(came["modes"] == modes, left, f"{now[0]} mode and {now[1]} mode")
        same = all(torch.equal(a, b) for a, b in zip(came["before"], came["after"], strict=True))
        expect.true(same, "parameters and batch-norm statistics to stay what they were", "changed ones")
        still = "networks that can be trained on afterwards"
        expect.true(came["trainable"], still, "parameters with requires_grad=False")
        recorded = came["attached"] or any(each["gradients"] for each in came["encoder"] + came["projector"])
        expect.true(not recorded, "no gradients to be recorded", "results that carry gradients")


@pytest.mark.item("training.evaluate_views")
def test_evaluate_views(student):
    came = student.run("evaluate", IMAGES, NETWORK, [True, True])
    inputs = replay.pairs(came["encoder"], "input", 12, came["made"])
    outputs = replay.pairs(came["projector"], "output", 12, came["made"], came["encoder"])
    expect.true(
        sum(len(a) for a, _ in inputs) == 12, "two views of each of the 12 images", f"{len(inputs)} batches"
    )
    check_pairs(inputs, came["made"])
    called = "the projector to be called: the loss compares embeddings"
    expect.true(len(came["projector"]) > 0, called, "no pass through the projector")
    one = "the embeddings of 12 images, from the projector, to be one batch (batch_size is 256)"
    expect.true(len(outputs) == 1, one, f"{len(outputs)} batches for the projector")
    expected = replay.loss(student, *outputs[0])
    found = replay.terms(came["terms"], "evaluate_loss(...)")
    replay.close_terms(found, expected, "evaluate_loss(...)", "vicreg_loss of the embeddings of both views")


def check_pairs(pairs: list, made: list) -> None:
    """The two views of a batch are of the same images, and each was drawn for itself, in every epoch anew."""
    for a, b in pairs:
        differ = (a != b).flatten(1).any(dim=1).all()
        expect.true(bool(differ), "two different random views of every image", "the same view twice")
        names = [replay.images_of(view, made) for view in (a, b)]
        if made:  # else the views are not from `augment` or `two_views`, and cannot be recognized
            expect.true(
                None not in names, "the encoder to see views as two_views returns them", "something else"
            )
            expect.true(
                names[0] == names[1], "row i of both views to be of the same image", "different images"
            )
    if made:
        drawn = [replay.bytes_of(row) for pair in pairs for view in pair for row in view]
        again = "a view that the encoder has seen before"
        expect.true(len(set(drawn)) == len(drawn), "new random views whenever an image is seen", again)


@pytest.mark.item("training.loop_order")
def test_loop_order(student):
    tables = torch.randn(2, 12, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    options = {"epochs": 3, "batch_size": 5}
    came = student.run("loop", IMAGES, NETWORK, options, tables[0], tables[1])
    check_order(came["batches"], 3, 12)
    check_mixed(came["batches"], 3)
    check_seen(came, tables)
    check_left_in_train_mode(came)
    came = student.run("loop", IMAGES.numpy(), NETWORK, options)
    pairs = replay.pairs(came["encoder"], "input", 5, came["made"])
    check_pairs(pairs, came["made"])
    check_left_in_train_mode(came)
    if came["made"]:
        batches = rows_of(pairs, came["made"], IMAGES)
        check_order(batches, 3, 12, "with the default views")
        check_mixed(batches, 3, "with the default views")


def check_left_in_train_mode(came: dict) -> None:
    """Without test images: some evaluate by hand, in eval mode, and come back to train mode at the next epoch."""
    left = "networks that came in train mode to be in it afterwards"
    expect.true(all(came["modes"]), left, "a network that was left in eval mode")


def rows_made(tables: torch.Tensor) -> list[dict]:
    """The views that `views` takes from tables; an image's index stands for its first pixel."""
    return [{"view": table, "images": list(range(len(table)))} for table in tables]


def rows_of(pairs: list, made: list, images: torch.Tensor) -> list[list[int]]:
    """The indices of the images in each batch, told by their first pixels; -1 for what is none of them."""
    rows = {first: row for row, first in enumerate(images[:, 0, 0, 0].tolist())}
    return [[rows.get(first, -1) for first in replay.images_of(view, made)] for view, _ in pairs]


def check_order(batches: list, epochs: int, count: int, which: str = "from the callable `views`") -> None:
    """Each epoch, in batches of 5, visits each of `count` images once, in a random order of its own."""
    orders = split_epochs(batches, epochs, which)
    for rows in orders:
        complete = len(rows) in (count, count - count % 5) and len(set(rows)) == len(rows) and set(rows) <= set(range(count))
        expected = f"every epoch to visit each of the {count} images once (an incomplete last batch may be dropped)"
        expect.true(complete, expected, f"an epoch with the indices {rows}, {which}")
    # Right orders fail this by chance with a probability below 1e-6 (10 images in one given order: 3e-7).
    expect.true(orders[0] != sorted(orders[0]), "a random order of the images", f"the order {orders[0]}, {which}")
    expect.true(orders[0] != orders[1] != orders[2], "a new order in every epoch", f"{orders[0]} again, {which}")
    # One order that is only turned or reversed: all but one of the pairs of neighbors are neighbors again. Random orders
    # have that with a probability of 8 * 10 / 10! = 2e-5 at most, and both times with 5e-10.
    first, second, third = ({frozenset(pair) for pair in zip(rows, rows[1:])} for rows in orders)
    kept = len(first & second) >= len(first) - 1 and len(second & third) >= len(second) - 1
    came = f"{orders[0]}, then {orders[1]}: one order, begun elsewhere or reversed, {which}"
    expect.true(not kept, "a new random order in every epoch", came)


def check_mixed(batches: list, epochs: int, which: str = "from the callable `views`") -> None:
    """Other images meet in the batches of another epoch.

    12 images in batches of 5 make 8,316 or more sets of batches: three epochs have the same by chance with 1.4e-8.
    """
    each = len(batches) // epochs
    sets = [{frozenset(rows) for rows in batches[i * each : (i + 1) * each]} for i in range(epochs)]
    same = all(one == sets[0] for one in sets)
    came = f"the batches {[sorted(rows) for rows in batches[:each]]} in every epoch, {which}"
    expect.true(not same, "batches of other images in every epoch: all images are shuffled, then cut into batches", came)


def split_epochs(batches: list, epochs: int, which: str) -> list[list[int]]:
    """The indices of each epoch, in order."""
    expected = f"{epochs} epochs with the same number of batches, {which}"
    expect.true(batches and len(batches) % epochs == 0, expected, f"{len(batches)} batches")
    each = len(batches) // epochs
    return [sum(batches[i * each : (i + 1) * each], []) for i in range(epochs)]


def check_seen(came: dict, tables: torch.Tensor) -> None:
    """The networks, in train mode, saw what `views` returned; which of the two views first is free."""
    seen = replay.pairs(came["encoder"], "input", 5, rows_made(tables))
    expect.true(len(seen) == len(came["batches"]), "one step for each call of `views`", f"{len(seen)} steps")
    for rows, (a, b) in zip(came["batches"], seen):
        same = any(torch.equal(a, one[rows]) and torch.equal(b, other[rows]) for one, other in (tables, tables.flip(0)))
        expect.true(same, "the encoder to see the two views that `views` returned", "other images")
    trained = all(each["training"] for each in came["encoder"] + came["projector"])
    expect.true(trained, "both networks in train mode while they are trained", "a pass in eval mode")
