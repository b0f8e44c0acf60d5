"""Task 10: other repairs than the reference's, each in a style of its own. Which one is used is free."""

import numpy as np
import torch
from torch import nn

from autograder.proofs.variants import variant
from solutions.latent_optimization import _shared_by_views, _textures_of_views

TARGET = "latent_optimization.optimize_latents"


@variant(TARGET, "a code for each view, the three terms, and a generator of random features")
def codes_for_both_views(images, dim=16, steps=200, seed=0):
    from .augmentations import two_views
    from .vicreg import vicreg_loss

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        codes = nn.Parameter(torch.randn(2, len(images), dim))
        if steps < 1:
            return codes.detach().mean(dim=0)
        conv = nn.Conv2d(3, 48, 5, padding=2, bias=False)
        conv.weight.data -= conv.weight.data.mean(dim=(2, 3), keepdim=True)
        generator = nn.Linear(dim, 48)
        with torch.no_grad():
            views = [two_views(images) for _ in range(2)]
            looks = [torch.stack([conv(x).abs().mean(dim=(2, 3)) for x in side]) for side in zip(*views)]
            targets = [(look.mean(dim=0) / look.mean(dim=(0, 2))[:, None]).log() for look in looks]
            both = torch.cat(targets)
            targets = [(each - both.mean(dim=0)) / (both.std(dim=0) + 1e-6) for each in targets]
        groups = [{"params": [codes], "lr": 0.1}, {"params": generator.parameters(), "lr": 0.02}]
        optimizer = torch.optim.Adam(groups)
        for _ in range(steps):
            optimizer.zero_grad()
            rebuilt = sum((generator(z) - t).square().mean() for z, t in zip(codes, targets))
            (25 * rebuilt + vicreg_loss(codes[0], codes[1]).total).backward()
            optimizer.step()
    return codes.mean(dim=0).detach()


@variant(TARGET, "NumPy, gradients by hand, an array comes back")
def by_hand(images, dim=16, steps=200, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(len(images), dim)).astype(np.float32)
    x = np.asarray(images).astype(np.float32).mean(axis=3)  # gray
    x = (x - x.mean(axis=(1, 2), keepdims=True)) / (x.std(axis=(1, 2), keepdims=True) + 1)
    # Power spectra: the same for an image that is shifted, mirrored in both axes, or of opposite sign.
    power = np.log(np.abs(np.fft.fft2(x))[:, :12, :12] + 1).reshape(len(x), -1)
    target = (power - power.mean(axis=0)) / (power.std(axis=0) + 1e-3)
    weight = (rng.normal(size=(dim, target.shape[1])) / np.sqrt(dim)).astype(np.float32)
    for _ in range(steps):
        residual = codes @ weight - target
        codes -= 1.0 * (residual @ weight.T) / np.linalg.norm(weight, 2) ** 2
        residual = codes @ weight - target
        weight -= 1.0 * (codes.T @ residual) / np.linalg.norm(codes, 2) ** 2
    return codes


@variant(TARGET, "neighbors of random features attract each other, variance and covariance hold codes apart")
def attracted_neighbors(images, dim=16, steps=200, seed=0):
    from .vicreg import covariance_loss, variance_loss
    from .warmup import normalize

    generator = torch.Generator().manual_seed(seed)
    codes = torch.randn(len(images), dim, generator=generator).requires_grad_()
    filters = torch.randn(64, 3, 5, 5, generator=generator)
    filters = filters - filters.mean(dim=(2, 3), keepdim=True)
    x = normalize(images)
    x = (x - x.mean(dim=(1, 2, 3), keepdim=True)) / (x.std(dim=(1, 2, 3), keepdim=True) + 1e-3)
    answers = [nn.functional.conv2d(each, filters, padding=2).abs().flatten(2) for each in x.split(100)]
    answers = torch.cat(answers)
    looks = torch.cat([answers.mean(dim=2), answers.std(dim=2)], dim=1)
    looks = (looks - looks.mean(dim=0)) / (looks.std(dim=0) + 1e-6)
    distances = torch.cdist(looks, looks).fill_diagonal_(float("inf"))
    near = distances.topk(min(8, len(looks) - 1), largest=False).indices
    optimizer = torch.optim.Adam([codes], lr=0.1)
    for _ in range(steps):
        attraction = (codes[:, None] - codes[near]).square().mean()
        loss = 5 * attraction + 25 * variance_loss(codes) + covariance_loss(codes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return codes.detach()


@variant(TARGET, "alternating least squares, float64")
def alternating(images, dim=16, steps=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randn(len(images), dim, generator=generator, dtype=torch.float64)
    if steps == 0:
        return codes
    target = _shared_by_views(_textures_of_views(torch.as_tensor(images), seed)).double()
    ridge = 1e-2 * torch.eye(dim, dtype=torch.float64)
    for _ in range(min(steps, 50)):
        weight = torch.linalg.solve(codes.T @ codes + ridge, codes.T @ target)
        codes = target @ weight.T @ torch.linalg.inv(weight @ weight.T + ridge)
    return codes


@variant(TARGET, "an embedding table in minibatches, and a contrastive generator on the sphere")
def contrastive(images, dim=16, steps=200, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        table = nn.Embedding(len(images), dim)
        if steps == 0:
            return table.weight.detach().clone()
        features = _textures_of_views(torch.as_tensor(images), seed)  # (views, N, features)
        features = (features - features.mean(dim=(0, 1))) / (features.std(dim=(0, 1)) + 1e-6)
        features = nn.functional.normalize(features, dim=2)
        net = nn.Sequential(nn.Linear(dim, 64), nn.ReLU(), nn.Linear(64, features.shape[2]))
        groups = [{"params": table.parameters(), "lr": 0.1}, {"params": net.parameters()}]
        optimizer = torch.optim.Adam(groups, lr=0.01)
        for _ in range(steps):
            batch = torch.randperm(len(images))[:128]
            made = nn.functional.normalize(net(nn.functional.normalize(table(batch), dim=1)), dim=1)
            view = features[torch.randint(len(features), (1,)).item(), batch]
            loss = nn.functional.cross_entropy(view @ made.T / 0.1, torch.arange(len(batch)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return nn.functional.normalize(table.weight.detach(), dim=1)
