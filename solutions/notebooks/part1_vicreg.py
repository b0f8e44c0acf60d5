# %% [markdown] id="title"
# # Part 1: VICReg
#
# Tasks 0 to 4, questions Q1 to Q4. You write functions in the files next to this folder (`assignment/warmup.py` and so
# on); this notebook checks them, trains with them, draws the figures and holds your answers.
#
# - Edit a function, **save the file**, and run the cell again: changed files are loaded anew by themselves.
# - `check("vicreg")` says the same as `python -m autograder check vicreg` in a terminal. It never stops the notebook.
# - A cell that ends with `NotImplementedError` waits for a function of yours, or for a cell further up.
# - What each task asks, with the equations: the handout, `assignment/README.md`.

# %% id="setup"
# %load_ext autoreload
# %autoreload 2
# %matplotlib inline
import os
import sys
from pathlib import Path

# Before PyTorch is loaded: threads that wait for each other without end make a busy laptop many times slower.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

# The folder that holds assignment/: the current one, or one above it.
folders = [Path.cwd(), *Path.cwd().parents]
root = next(each for each in folders if (each / "assignment" / "provided").is_dir())
sys.path.insert(0, str(root))

import numpy as np
import torch

from assignment import augmentations, evaluation, training, vicreg, warmup
from assignment.provided import plots
from assignment.provided.datasets import LAPTOP_BUDGET, Budget, load
from assignment.provided.models import Projector, make_encoder
from assignment.provided.notebook import Results, accuracy, as_pixels
from assignment.provided.notebook import load_encoder, save_encoder, with_progress
from autograder.notebook import check

made = Results()  # what one cell makes and another needs

# %% [markdown] id="about-settings"
# ## Settings
#
# The one cell to change between laptop and GPU. Parts 1 to 4 must agree on `DATA`, `ENCODER` and `BUDGET`, because later
# parts use the networks that earlier ones have trained.

# %% id="settings"
# Generated images, a small encoder: trains in about a minute on a laptop.
DATA, ENCODER, BUDGET = "shapes", "small", LAPTOP_BUDGET

# CIFAR-10 and the exercise's encoder, on a GPU. DATA may also be the path of an .npz file.
# DATA, ENCODER = "cifar10", "resnet18"
# BUDGET = Budget(n_train=50_000, n_test=10_000, epochs=30, batch_size=256, lr=3e-4)

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SEED = 0

# %% id="data"
data = load(DATA, BUDGET.n_train, BUDGET.n_test)
images = torch.as_tensor(data.x_train).to(DEVICE)  # uint8 (N, 32, 32, 3)
test_images = torch.as_tensor(data.x_test).to(DEVICE)
print(
    f"{data.name}: {len(images):,} training, {len(test_images):,} test images, on {DEVICE}"
)
examples = {
    name: data.x_train[data.y_train == label][:7]
    for label, name in enumerate(data.class_names)
}
plots.image_rows(examples, title="Seven training images of each class")

# %% [markdown] id="task-warmup"
# ## Task 0: Warm-up
#
# Run the check before you have written anything. Then write something wrong on purpose, save, run it again and read what
# it says; then make it right.

# %% id="check-warmup"
check("warmup")

# %% id="try-warmup"
normalized = warmup.normalize(images[:256])  # (256, 3, 32, 32)
print(
    f"shape {tuple(normalized.shape)}, mean {normalized.mean():.2f}, sd {normalized.std():.2f}"
)

# %% [markdown] id="task-augmentations"
# ## Task 1: Augmentations
#
# The checks find most slips; your eyes find the rest. Does the class of an image survive? Does everything vary that is
# supposed to, and in each image on its own?

# %% id="check-augmentations"
check("augmentations")

# %% id="try-augmentations"
torch.manual_seed(SEED)
few = images[:6]
views = [as_pixels(augmentations.augment(few)) for _ in range(9)]
rows = np.stack([few.cpu().numpy(), *views], axis=1)  # (6, 10, 32, 32, 3)
names = [data.class_names[label] for label in data.y_train[:6]]
plots.image_grid(rows, names, "Training images, and nine views of each")

# %% [markdown] id="task-vicreg"
# ## Task 2: VICReg loss

# %% id="check-vicreg"
check("vicreg")

# %% [markdown] id="about-try-vicreg"
# Four batches of embeddings whose terms you can tell before you run the cell. Can you?

# %% id="try-vicreg"
torch.manual_seed(SEED)
noise = torch.randn(1000, 8)
batches = {
    "constant (collapsed)": (torch.ones(1000, 8), torch.ones(1000, 8)),
    "unrelated noise": (noise, torch.randn(1000, 8)),
    "the same noise twice": (noise, noise),
    "eight equal columns": (noise[:, :1].expand(-1, 8), noise[:, :1].expand(-1, 8)),
}
for name, (z_a, z_b) in batches.items():
    terms = vicreg.vicreg_loss(z_a, z_b)
    numbers = [
        f"{term} {getattr(terms, term):.2f}"
        for term in ("invariance", "variance", "covariance")
    ]
    print(f"{name:<22}", *numbers)

# %% [markdown] id="task-training"
# ## Task 3: Training

# %% id="check-training"
check("training")

# %% [markdown] id="about-train"
# ### Train
#
# The longest cell of this part: about a minute on a laptop (`shapes`), some minutes on a GPU (CIFAR-10). It saves the
# encoder in `trained/vicreg.pt`, so after a restart of the kernel you can leave it out; the curves are gone then.

# %% id="train"
torch.manual_seed(SEED)
encoder, projector = make_encoder(ENCODER).to(DEVICE), Projector().to(DEVICE)
views = with_progress(
    lambda batch: augmentations.two_views(images[batch]),
    len(images),
    BUDGET.epochs,
    BUDGET.batch_size,
)
made.history = training.train_vicreg(
    encoder,
    projector,
    images,
    BUDGET.epochs,
    BUDGET.batch_size,
    test_images,
    views,
    BUDGET.lr,
)
print("saved:", save_encoder("vicreg", encoder, ENCODER, DATA).name)

# %% id="curves"
plots.loss_curves(made.history, title="VICReg")

# %% [markdown] question="q1"

# %% [markdown] id="task-representations"
# ## Task 4: Representations and probe

# %% id="check-representations"
check("representations")

# %% id="extract"
made.encoder = load_encoder("vicreg", ENCODER, DATA, DEVICE)
made.train = evaluation.extract_representations(made.encoder, images)  # (N, 128)
made.test = evaluation.extract_representations(made.encoder, test_images)

# %% id="maps"
some = slice(0, 1000)  # t-SNE of more points takes long
maps = {
    "PCA": evaluation.project_2d(made.test[some], "pca", SEED),
    "t-SNE": evaluation.project_2d(made.test[some], "tsne", SEED),
}
plots.scatter_grid(maps, data.y_test[some], data.class_names)

# %% [markdown] question="q2"

# %% [markdown] id="about-probe"
# ### Linear probe
#
# Beside it: the same probe on an encoder that nobody has trained, and on raw pixels (of at most 2,048 training images,
# because 3,072 numbers an image make it slow).

# %% id="probe"
torch.manual_seed(SEED)
untrained = make_encoder(ENCODER).to(DEVICE)
inputs = {
    "VICReg": (made.train, made.test),
    "untrained encoder": tuple(
        evaluation.extract_representations(untrained, x) for x in (images, test_images)
    ),
    "raw pixels": (images[:2048].flatten(1) / 255, test_images.flatten(1) / 255),
}
probes = {}
for name, (train, test) in inputs.items():
    predicted = evaluation.linear_probe(train, data.y_train[: len(train)], test)
    probes[name] = accuracy(predicted, data.y_test)
made.probes = probes
chance = 1 / len(data.class_names)
plots.bars(
    made.probes, "test accuracy of a linear probe", chance=chance, highlight=["VICReg"]
)

# %% [markdown] question="q3"

# %% [markdown] id="about-no-variance"
# ### Ablation: no variance term
#
# The same training with μ = 0. It takes as long as the first.

# %% id="train-no-variance"
torch.manual_seed(SEED)
encoder, projector = make_encoder(ENCODER).to(DEVICE), Projector().to(DEVICE)
views = with_progress(
    lambda batch: augmentations.two_views(images[batch]),
    len(images),
    BUDGET.epochs,
    BUDGET.batch_size,
)
made.history_no_variance = training.train_vicreg(
    encoder,
    projector,
    images,
    BUDGET.epochs,
    BUDGET.batch_size,
    test_images,
    views,
    BUDGET.lr,
    var_weight=0.0,
)
made.encoder_no_variance = encoder
plots.loss_curves(made.history_no_variance, title="without the variance term")

# %% id="probe-no-variance"
train, test = (
    evaluation.extract_representations(made.encoder_no_variance, x)
    for x in (images, test_images)
)
made.test_no_variance = test
predicted = evaluation.linear_probe(train, data.y_train, test)
bars = {**made.probes, "no variance term": accuracy(predicted, data.y_test)}
plots.bars(
    bars,
    "test accuracy of a linear probe",
    chance=1 / len(data.class_names),
    highlight=["no variance term"],
)

# %% id="map-no-variance"
points = evaluation.project_2d(made.test_no_variance[:1000], "pca", SEED)
plots.scatter_2d(points, data.y_test[:1000], data.class_names, "PCA, no variance term")

# %% [markdown] question="q4"

# %% [markdown] id="next"
# Part 2, `part2_ablations.ipynb`, goes on with the encoder that you have just trained and saved.
