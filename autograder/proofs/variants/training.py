"""Task 3 in other styles."""

import numpy as np
import torch

from autograder.proofs.variants import variant
from solutions.training import VICRegTerms, evaluate_loss, train_step, two_views, vicreg_loss

STEP, EVALUATE, TRAIN = "training.train_step", "training.evaluate_loss", "training.train_vicreg"


@variant(STEP, "attached terms, gradients set to zero just before backward")
def attached(encoder, projector, optimizer, view_a, view_b, **weights):
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
    optimizer.zero_grad(set_to_none=False)
    terms.total.backward()
    optimizer.step()
    return terms


@variant(STEP, "the optimizer calls a closure, which computes the loss and its gradients")
def closure(encoder, projector, optimizer, view_a, view_b, **weights):
    optimizer.zero_grad()
    kept = []

    def loss():
        kept.append(vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights))
        kept[0].total.backward()
        return kept[0].total

    optimizer.step(loss)
    return VICRegTerms(*(each.detach() for each in kept[0]))


@variant(STEP, "both views in one pass")
def one_pass(encoder, projector, optimizer, view_a, view_b, **weights):
    z_a, z_b = projector(encoder(torch.cat([view_a, view_b]))).chunk(2)
    terms = vicreg_loss(z_a, z_b, **weights)
    optimizer.zero_grad()
    terms.total.backward()
    optimizer.step()
    return terms


@variant(STEP, "gradients of the networks set to zero, train mode set, a named tuple of its own with floats")
def own_tuple(encoder, projector, optimizer, view_a, view_b, **weights):
    from collections import namedtuple

    encoder.train()
    projector.train()
    encoder.zero_grad()
    projector.zero_grad()
    y_a, y_b = encoder(view_a), encoder(view_b)
    loss = vicreg_loss(projector(y_a), projector(y_b), **weights)
    loss[0].backward()
    optimizer.step()
    terms = namedtuple("Terms", "total invariance variance covariance")
    return terms(*[each.item() for each in loss])


@variant(STEP, "autograd.grad, gradients assigned")
def assigned_gradients(encoder, projector, optimizer, view_a, view_b, **weights):
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    for parameter, gradient in zip(parameters, torch.autograd.grad(terms.total, parameters)):
        parameter.grad = gradient
    optimizer.step()
    optimizer.zero_grad()
    return VICRegTerms(*[each.detach().clone() for each in terms])


@variant(STEP, "both views in one pass, their rows in turn")
def rows_in_turn(encoder, projector, optimizer, view_a, view_b, **weights):
    pairs = torch.stack([view_a, view_b], dim=1)
    z_a, z_b = projector(encoder(pairs.flatten(0, 1))).unflatten(0, (-1, 2)).unbind(1)
    terms = vicreg_loss(z_a, z_b, **weights)
    optimizer.zero_grad()
    terms.total.backward()
    optimizer.step()
    return terms


@variant(STEP, "second view first, both representations in one pass of the projector")
def second_view_first(encoder, projector, optimizer, view_a, view_b, **weights):
    optimizer.zero_grad()
    z_b, z_a = projector(torch.cat([encoder(view) for view in (view_b, view_a)])).tensor_split(2)
    terms = vicreg_loss(z_a, z_b, **weights)
    terms.total.backward()
    optimizer.step()
    return terms


@variant(EVALUATE, "unweighted mean, floats, modes of the two networks restored")
def unweighted(encoder, projector, images, batch_size=256, **weights):
    was_training = encoder.training, projector.training
    encoder.eval()
    projector.eval()
    sums, count = np.zeros(4), 0
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            if len(batch) < 2:
                continue
            view_a, view_b = two_views(batch)
            sums += [
                float(each)
                for each in vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
            ]
            count += 1
    encoder.train(was_training[0])
    projector.train(was_training[1])
    return VICRegTerms(*(float(each) for each in sums / count))


@variant(EVALUATE, "copies of the networks, inference mode, both views in one pass")
def copies(encoder, projector, images, batch_size=256, **weights):
    import copy

    model = torch.nn.Sequential(copy.deepcopy(encoder), copy.deepcopy(projector)).eval()
    found = []
    with torch.inference_mode():
        for batch in torch.as_tensor(images).split(batch_size):
            if len(batch) > 1:
                z_a, z_b = model(torch.cat(two_views(batch))).chunk(2)
                found.append(torch.stack(vicreg_loss(z_a, z_b, **weights)))
    return VICRegTerms(*torch.stack(found).mean(dim=0).clone())


@variant(EVALUATE, "DataLoader, augment called twice, incomplete last batch dropped where there is another")
def loader(encoder, projector, images, batch_size=256, **weights):
    from torch.utils.data import DataLoader, TensorDataset

    from .augmentations import augment

    modes = [each.training for each in (encoder, projector)]
    for each in (encoder, projector):
        each.eval()
    data = TensorDataset(torch.as_tensor(images))
    collected = {name: [] for name in VICRegTerms._fields}
    for (batch,) in DataLoader(data, batch_size=batch_size, drop_last=len(images) > batch_size):
        with torch.no_grad():
            z = [projector(encoder(augment(batch))) for _ in range(2)]
            for name, value in zip(collected, vicreg_loss(*z, **weights)):
                collected[name].append(value)
    for each, mode in zip((encoder, projector), modes):
        each.train(mode)
    return VICRegTerms(**{name: torch.stack(values).mean() for name, values in collected.items()})


@variant(EVALUATE, "a Dataset that draws two views of one image at a time, and a DataLoader")
def image_by_image(encoder, projector, images, batch_size=256, **weights):
    from torch.utils.data import DataLoader, Dataset

    class TwoViews(Dataset):
        def __len__(self):
            return len(images)

        def __getitem__(self, index):
            view_a, view_b = two_views(images[index : index + 1])
            return view_a[0], view_b[0]

    networks = torch.nn.ModuleList([encoder, projector])
    modes = encoder.training, projector.training
    networks.eval()
    found, rows = [], []
    with torch.no_grad():
        for view_a, view_b in DataLoader(TwoViews(), batch_size=batch_size):
            if len(view_a) > 1:
                found.append(torch.stack(vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)))
                rows.append(len(view_a))
    for network, mode in zip(networks, modes):
        network.train(mode)
    return VICRegTerms(*(torch.stack(found) * torch.tensor(rows)[:, None]).sum(0) / sum(rows))


@variant(EVALUATE, "views of all images drawn first, all embeddings of the first view before those of the second")
def all_views_first(encoder, projector, images, batch_size=256, **weights):
    views = two_views(torch.as_tensor(images))
    modes = encoder.training, projector.training
    encoder.eval(), projector.eval()
    with torch.no_grad():
        z_a, z_b = ([projector(encoder(batch)) for batch in view.split(batch_size)] for view in views)
        terms = [torch.stack(vicreg_loss(*pair, **weights)) for pair in zip(z_a, z_b) if len(pair[0]) > 1]
    encoder.train(modes[0]), projector.train(modes[1])
    return VICRegTerms(*torch.stack(terms).mean(dim=0))


@variant(EVALUATE, "encoder view by view, both representations in one pass of the projector, their rows in turn")
def rows_in_turn_for_the_projector(encoder, projector, images, batch_size=256, **weights):
    modes = encoder.training, projector.training
    encoder.eval(), projector.eval()
    terms = []
    with torch.no_grad():
        for batch in torch.as_tensor(images).split(batch_size):
            if len(batch) < 2:
                continue
            y = torch.stack([encoder(view) for view in two_views(batch)], dim=1)
            z_a, z_b = projector(y.flatten(0, 1)).unflatten(0, (-1, 2)).unbind(1)
            terms.append(torch.stack(vicreg_loss(z_a, z_b, **weights)))
    encoder.train(modes[0]), projector.train(modes[1])
    return VICRegTerms(*torch.stack(terms).mean(dim=0))


@variant(EVALUATE, "all representations first, then all embeddings of the first view, then those of the second")
def representations_first(encoder, projector, images, batch_size=256, **weights):
    modes = encoder.training, projector.training
    encoder.eval(), projector.eval()
    with torch.no_grad():
        batches = [batch for batch in torch.as_tensor(images).split(batch_size) if len(batch) > 1]
        y = [[encoder(view) for view in two_views(batch)] for batch in batches]
        z_a, z_b = ([projector(each) for each in one_view] for one_view in zip(*y))
        terms = [torch.stack(vicreg_loss(*pair, **weights)) for pair in zip(z_a, z_b)]
    encoder.train(modes[0]), projector.train(modes[1])
    return VICRegTerms(*torch.stack(terms).mean(dim=0))


@variant(TRAIN, "DataLoader over indices, incomplete last batch dropped, attached terms")
def index_loader(
    encoder, projector, images, epochs, batch_size=256, test_images=None, views=None, lr=3e-4, **weights
):
    from torch.utils.data import DataLoader

    images = torch.as_tensor(images)
    if views is None:

        def views(batch):
            return two_views(images[batch])

    parameters = list(encoder.parameters()) + list(projector.parameters())
    optimizer = torch.optim.Adam(parameters, lr=lr, betas=(0.9, 0.999), weight_decay=1e-6)
    batches = DataLoader(range(len(images)), batch_size=batch_size, shuffle=True, drop_last=True)
    history = {"train": [], "test": []}
    for _ in range(epochs):
        encoder.train()
        projector.train()
        for batch in batches:
            view_a, view_b = views(batch)
            terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
            optimizer.zero_grad()
            terms.total.backward()
            optimizer.step()
            history["train"].append(terms)
        if test_images is not None:
            history["test"].append(evaluate_loss(encoder, projector, test_images, batch_size))
    return history


@variant(TRAIN, "NumPy permutation, array indices, a single last row added to the batch before")
def numpy_order(
    encoder, projector, images, epochs, batch_size=256, test_images=None, views=None, lr=3e-4, **weights
):
    optimizer = torch.optim.Adam(
        [{"params": encoder.parameters()}, {"params": projector.parameters()}], lr=lr, weight_decay=1e-6
    )
    rng = np.random.default_rng()
    history = {"train": [], "test": []}
    for _ in range(epochs):
        order = rng.permutation(len(images))
        starts = list(range(0, len(images), batch_size))
        if len(images) - starts[-1] == 1 and len(starts) > 1:
            starts.pop()
        for start, stop in zip(starts, [*starts[1:], len(images)]):
            rows = order[start:stop]
            pair = views(rows) if views is not None else two_views(images[rows])
            history["train"].append(train_step(encoder, projector, optimizer, *pair, **weights))
        if test_images is not None:
            history["test"].append(evaluate_loss(encoder, projector, test_images, batch_size=batch_size))
    return history


@variant(TRAIN, "shuffled Python list, a test pass of its own in eval mode, train mode at each epoch")
def own_test_pass(
    encoder, projector, images, epochs, batch_size=256, test_images=None, views=None, lr=3e-4, **weights
):
    import random

    make_views = views if views is not None else lambda rows: two_views(torch.as_tensor(images)[rows])
    optimizer = torch.optim.Adam([*encoder.parameters(), *projector.parameters()], lr, weight_decay=1e-6)
    train, test = [], []
    for _ in range(epochs):
        encoder.train(), projector.train()
        order = list(range(len(images)))
        random.shuffle(order)
        while len(order) > 1:
            rows, order = order[:batch_size], order[batch_size:]
            view_a, view_b = make_views(rows)
            train.append(train_step(encoder, projector, optimizer, view_a, view_b, **weights))
        if test_images is None:
            continue
        encoder.eval(), projector.eval()
        sums, count = torch.zeros(4), 0
        with torch.no_grad():
            for batch in torch.as_tensor(test_images).split(batch_size):
                if len(batch) > 1:
                    view_a, view_b = two_views(batch)
                    sums += torch.stack(
                        vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)))
                    ) * len(batch)
                    count += len(batch)
        test.append(VICRegTerms(*(sums / count).tolist()))
    return {"train": train, "test": test}


@variant(TRAIN, "default views of a whole epoch drawn before its batches, networks in a list")
def views_of_an_epoch(
    encoder, projector, images, epochs, batch_size=256, test_images=None, views=None, lr=3e-4, **weights
):
    networks = [encoder, projector]
    optimizer = torch.optim.Adam([p for network in networks for p in network.parameters()], lr=lr, weight_decay=1e-6)
    history = {"train": [], "test": []}
    for _ in range(epochs):
        for network in networks:
            network.train()
        batches = [batch for batch in torch.randperm(len(images)).split(batch_size) if len(batch) > 1]
        if views is None:
            drawn = [view.split(batch_size) for view in two_views(torch.as_tensor(images)[torch.cat(batches)])]
        for number, batch in enumerate(batches):
            pair = views(batch) if views is not None else [view[number] for view in drawn]
            history["train"].append(train_step(encoder, projector, optimizer, *pair, **weights))
        if test_images is not None:
            history["test"].append(evaluate_loss(encoder, projector, test_images, batch_size))
    return history
