"""Task 3 with other seeds and sizes; autograder/replay.py says where the expected values come from."""

from collections.abc import Iterator

import pytest
import torch

from autograder import expect, replay
from autograder.checks.hidden import thresholds
from autograder.checks.public.test_training import check_order, check_pairs, rows_made, rows_of
from autograder.worker import networks

NETWORK = {"features": 4, "dim": 6, "seed": 2}  # no batch norm: a row's embedding depends on its image alone
NORMED = {"features": 4, "dim": 6, "seed": 3, "batch_norm": True}
WEIGHTS = {"inv_weight": 3.0, "var_weight": 11.0, "cov_weight": 7.0}


def random_images(n: int, low: int, high: int, seed: int) -> torch.Tensor:
    """Images told by their first pixel, which is different in each."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 5, 6, 3), dtype=torch.uint8, generator=generator)
    images[:, 0, 0, 0] = torch.linspace(low, high, n).to(torch.uint8)
    return images


@pytest.mark.item("training.step_gradient")
def test_step_gradient(student):
    generator = torch.Generator().manual_seed(1)
    for batch, size, weights in ((2, 1, {}), (9, 3, WEIGHTS), (33, 2, {"var_weight": 0.0})):
        view_a, view_b = torch.randn(2, batch, 3, size, size + 1, generator=generator) + 0.5
        expected = replay.gradients(student, *networks.pair(**NETWORK), view_a, view_b, **weights)
        came = student.run("step", view_a, view_b, NETWORK, weights)
        expect.true(
            len(came["steps"]) == 1,
            "one step of the optimizer in a call of train_step",
            f"{len(came['steps'])}",
        )
        replay.close_lists(came["steps"][0], expected, "the gradient at the step")


@pytest.mark.item("training.evaluate_mean")
def test_evaluate_mean(student):
    # 11 = 4 + 4 + 3, 9 = 4 + 4 + 1 (a variance of one row is NaN), 8 = 4 + 4
    for n, images, weights in (
        (11, random_images(11, 0, 200, 4), {}),
        (9, random_images(9, 0, 90, 5).numpy(), {}),
        (8, random_images(8, 1, 9, 6), WEIGHTS),
    ):
        modes = [True, n == 8]
        came = student.run("evaluate", images, NORMED, modes, 4, **weights)
        found = replay.terms(came["terms"], "evaluate_loss(...)")
        made = came["made"]
        check_pairs(replay.pairs(came["encoder"], "input", 4, made), made)
        expect.true(came["modes"] == modes, "both networks in the mode that they were in", "another mode")
        recorded = came["attached"] or any(each["gradients"] for each in came["encoder"] + came["projector"])
        expect.true(not recorded, "no gradients to be recorded", "results that carry gradients")
        outputs = replay.pairs(came["projector"], "output", 4, made, came["encoder"])
        batches = [pair for pair in outputs if len(pair[0]) > 1]
        rows = sum(len(a) for a, _ in batches)
        expect.true(rows >= n - n % 4, "every full batch to be evaluated", f"{rows} of {n} images")
        expected = [replay.loss(student, *pair, **weights) for pair in batches]
        check_mean(found, expected, [len(a) for a, _ in batches])


def check_mean(found: dict, expected: list[dict], sizes: list[int]) -> None:
    """A mean over the batches, weighted by their sizes or not."""
    for name in replay.FIELDS:
        values = torch.stack([each[name].double() for each in expected])
        weights = torch.tensor(sizes).double()
        means = values.mean(), (values * weights).sum() / weights.sum()
        # As in `replay.close_terms`: rounding in float32 gives 1e-6.
        near = any(abs(found[name].double() - mean) <= 1e-4 + 1e-3 * mean.abs() for mean in means)
        if not near:
            expect.close(found[name], means[1], rtol=1e-3, atol=1e-4, what=f"the mean {name}")


@pytest.mark.item("training.optimizer")
def test_optimizer(student):
    tables = torch.randn(2, 8, 3, 2, 2, generator=torch.Generator().manual_seed(7))
    images = random_images(8, 0, 80, 8)
    for epochs, options in (
        (2, {}),
        (2, {"lr": 0.01, **WEIGHTS}),
        (2, {"lr": 0.02, "inv_weight": 0.0, "var_weight": 0.0, "cov_weight": 1e-12}),
        (30, {"lr": 0.01}),
    ):
        given = {"epochs": epochs, "batch_size": 4, **options}
        came = student.run("loop", images, NETWORK, given, tables[0], tables[1])
        lr = options.pop("lr", 3e-4)
        pair, before = networks.pair(**NETWORK), networks.pair(**NETWORK)
        expect.true(
            len(came["batches"]) == 2 * epochs, f"{epochs} epochs of 2 batches", f"{len(came['batches'])} batches"
        )
        replay_loop(student, pair, came["batches"], tables, lr, options)
        moved = [now - then for now, then in zip(came["after"], networks.parameters(*before))]
        expected = [now - then for now, then in zip(networks.parameters(*pair), networks.parameters(*before))]
        # The four steps move a parameter by about 4 lr. A weight decay of 1e-6 shows where the gradient is
        # all but zero, in the third case: Adam then moves by lr, without weight decay by nothing. How long
        # Adam remembers shows after many steps: a second beta of .99 is off by 20 times the tolerance after 60.
        # The last bias is left out: the loss does not depend on it, and Adam makes whole steps of its
        # rounding noise.
        what = f"the way that a parameter went in {2 * epochs} steps"
        replay.close_lists(moved[:-1], expected[:-1], what, rtol=0.05, atol=0.1 * lr)


def replay_loop(student, pair, batches: list, tables, lr: float, weights: dict) -> None:
    parameters = networks.parameters(*pair)
    optimizer = torch.optim.Adam(parameters, lr=lr, betas=(0.9, 0.999), weight_decay=1e-6)
    for rows in batches:
        gradients = replay.gradients(student, *pair, tables[0][rows], tables[1][rows], **weights)
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient
        optimizer.step()


@pytest.mark.item("training.history")
def test_history(student):
    images, test_images = random_images(10, 0, 90, 9), random_images(7, 150, 210, 10)
    tables = torch.randn(2, 10, 3, 2, 2, generator=torch.Generator().manual_seed(11))
    options = {"epochs": 3, "batch_size": 5, "lr": 0.01}
    came = student.run("loop", images, NORMED, options, tables[0], tables[1], test_images)
    history = came["history"]
    keys = sorted(map(str, history)) if isinstance(history, dict) else None
    expect.true(
        keys == ["test", "train"], 'a dict with the keys "train" and "test"', expect.describe(history)[:100]
    )
    train, test = by_kind(came, tables)
    expect.true(
        len(test) == 3, "the test images to be evaluated after each of 3 epochs", f"{len(test)} test passes"
    )
    kinds = [each["input"].shape[1:] == tables.shape[2:] for each in came["encoder"]]  # whether of training images
    after = "the test images to be evaluated after each epoch, the last pass being theirs"
    expect.true(kinds[0] and not kinds[-1], after, "a test pass before the first epoch")
    for part in test:
        check_test_views(part["encoder"], came["made"])
    check_order(came["batches"], 3, 10)
    batches = replay.pairs(train["projector"], "output", 5, rows_made(tables), train["encoder"])
    check_entries(student, history["train"], [[pair] for pair in batches], "train")
    passes = [replay.pairs(part["projector"], "output", 5, came["made"], part["encoder"]) for part in test]
    check_entries(student, history["test"], passes, "test")
    alone = student.run("loop", images, NETWORK, options)
    expect.true(not alone["history"].get("test"), "no test terms without test images", "some")
    pairs = replay.pairs(alone["encoder"], "input", 5, alone["made"])
    check_pairs(pairs, alone["made"])
    if alone["made"]:
        check_order(rows_of(pairs, alone["made"], images), 3, 10, "with the default views")


def by_kind(came: dict, tables) -> tuple[dict, list[dict]]:
    """The passes for training batches, and those for test images by epoch, as lists by network."""
    train, test, was_train = {"encoder": [], "projector": []}, [], True
    for passes in steps_of(came["encoder"], came["projector"]):
        is_train = passes["encoder"][0]["input"].shape[1:] == tables.shape[2:]  # the test images are larger
        right = all(one["training"] == one["statistics_changed"] == is_train for name in passes for one in passes[name])
        expect.true(
            right, "train mode for training batches and eval mode for test images, throughout", "another mode"
        )
        if was_train and not is_train:
            test.append({"encoder": [], "projector": []})
        for name in passes:
            (train if is_train else test[-1])[name].extend(passes[name])
        was_train = is_train
    return train, test


def steps_of(encoder: list[dict], projector: list[dict]) -> Iterator[dict[str, list]]:
    """Passes of the encoder with those of the projector for the same rows: one each, or two of one and one of the other."""
    left = {"encoder": list(encoder), "projector": list(projector)}
    while any(left.values()):
        taken, rows = {name: [] for name in left}, dict.fromkeys(left, 0)
        while not rows["encoder"] == rows["projector"] > 0:
            shorter = min(rows, key=rows.get)
            expect.true(left[shorter], "the embeddings of every pass to be used", "representations alone")
            taken[shorter].append(left[shorter].pop(0))
            rows[shorter] += len(taken[shorter][-1]["input"])
        yield taken


def check_test_views(passes: list, made: list) -> None:
    """Two different views of each image, and of test images (the first pixel is 150 or more)."""
    for a, b in replay.pairs(passes, "input", 5, made):
        expect.true(
            bool((a != b).any()), "two different random views of the test images", "the same view twice"
        )
    shown = {code for each in made for code in each["images"]}
    expect.true(
        min(shown, default=150) >= 150, "the test terms to be those of the test images", "training images"
    )


def check_entries(student, entries, passes: list, name: str) -> None:
    """One entry for each list of pairs in `passes`: the student's own loss of these embeddings."""
    is_list = isinstance(entries, (list, tuple))
    expected = f'history["{name}"] with {len(passes)} entries'
    expect.true(
        is_list and len(entries) == len(passes),
        expected,
        f"{len(entries) if is_list else type(entries).__name__}",
    )
    for entry, pairs in zip(entries, passes):
        found = replay.terms(entry, f'an entry of history["{name}"]')
        check_mean(found, [replay.loss(student, *pair) for pair in pairs], [len(a) for a, _ in pairs])


@pytest.mark.item("training.last_batch")
def test_last_batch(student):
    for n, batch_size, visited in ((9, 4, (8, 9)), (11, 4, (8, 11)), (4, 4, (4,)), (2, 2, (2,))):
        images = random_images(n, 0, 100, 12)
        tables = torch.randn(2, n, 3, 2, 2, generator=torch.Generator().manual_seed(13))
        came = student.run(
            "loop", images, NORMED, {"epochs": 2, "batch_size": batch_size}, tables[0], tables[1]
        )
        rows = [len(each["input"]) for each in came["encoder"]]
        expect.true(min(rows, default=0) > 1, "batches of two rows or more", f"batches of {rows} rows")
        seen = sum(map(len, came["batches"])) / 2
        expect.true(seen in visited, f"{' or '.join(map(str, visited))} of {n} images an epoch", f"{seen:g}")
        for entry in came["history"]["train"]:
            replay.terms(entry, 'an entry of history["train"]')
        finite = all(torch.isfinite(each).all() for each in came["after"] if each.is_floating_point())
        expect.true(finite, "parameters and batch-norm statistics to stay finite", "NaN or infinity")


@pytest.mark.item("training.no_collapse")
def test_no_collapse(student, reference, shared, seed=0):
    found = thresholds.trained(student, reference, shared, seed)
    spread, rank = thresholds.spread(found["embeddings"]), thresholds.effective_rank(found["held_out"])
    thresholds.MIN_SPREAD.check(spread, "embeddings of different images to differ", f"a spread of {spread:.3f}")
    thresholds.MIN_RANK.check(
        rank, "representations that use several directions", f"an effective rank of {rank:.1f}"
    )


@pytest.mark.item("training.side_effects")
def test_side_effects(student):
    view_a, view_b = torch.randn(2, 5, 3, 2, 2, generator=torch.Generator().manual_seed(14))
    came = [student.run("step", view_a, view_b, NETWORK, {})]
    images = random_images(10, 0, 90, 15)
    for each in (images, images.numpy()):
        came.append(student.run("evaluate", each, NETWORK, [True, True]))
        options = {"epochs": 1, "batch_size": 4}
        came.append(student.run("loop", each, NETWORK, options, test_images=images.numpy()))
    expect.true(not student.mutated, "images and views to be left as they were", "changed ones")
    settings = ", ".join(sorted(student.changed_settings))
    expect.true(not settings, "global settings to be left as they were", f"a change of {settings}")
    expect.true(
        not any(each["reseeded"] for each in came), "no seed of a global generator to be set", "one that was set"
    )
