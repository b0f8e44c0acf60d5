# %% [markdown] id="title"
# # Part 2: Ablations
#
# Tasks 5 to 7, questions Q5 to Q8: VICReg, peeled back until only Laplacian eigenmaps are left. Needs the encoder that
# part 1 has trained (`trained/vicreg.pt`) and your functions of tasks 0 to 4.

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
from sklearn.model_selection import train_test_split

from assignment import augmentations, evaluation, laplacian, neighbors, training
from assignment.provided import plots
from assignment.provided.datasets import LAPTOP_BUDGET, Budget, load
from assignment.provided.models import Projector, make_encoder
from assignment.provided.notebook import Results, accuracy, as_numpy
from assignment.provided.notebook import load_encoder, save_encoder, with_progress
from autograder.notebook import check

made = Results()  # what one cell makes and another needs

# %% [markdown] id="about-settings"
# ## Settings
#
# `DATA`, `ENCODER` and `BUDGET` as in part 1.

# %% id="settings"
# Generated images, a small encoder: about two minutes for the whole notebook on a laptop.
DATA, ENCODER, BUDGET = "shapes", "small", LAPTOP_BUDGET
COMPONENTS = 64  # dimension of the eigenmap codes

# CIFAR-10 and the exercise's encoder, on a GPU. DATA may also be the path of an .npz file.
# DATA, ENCODER, COMPONENTS = "cifar10", "resnet18", 128
# BUDGET = Budget(n_train=50_000, n_test=10_000, epochs=30, batch_size=256, lr=3e-4)

EIGENMAP_IMAGES = 10_000  # at most: the first training images
GRAPH_NEIGHBORS = 10
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SEED = 0

# %% id="data"
data = load(DATA, BUDGET.n_train, BUDGET.n_test)
images = torch.as_tensor(data.x_train).to(DEVICE)  # uint8 (N, 32, 32, 3)
test_images = torch.as_tensor(data.x_test).to(DEVICE)
chance = 1 / len(data.class_names)
print(
    f"{data.name}: {len(images):,} training, {len(test_images):,} test images, on {DEVICE}"
)

# %% id="extract"
made.encoder = load_encoder("vicreg", ENCODER, DATA, DEVICE)
made.train = evaluation.extract_representations(made.encoder, images)  # (N, 128)
made.test = evaluation.extract_representations(made.encoder, test_images)

# %% [markdown] id="theory"
# ## No amortization: theory
#
# The first ablation is for pen and paper. (Part 4 builds what this question finds missing.)

# %% [markdown] question="q5"

# %% [markdown] id="task-retrieval"
# ## Task 5: Retrieval

# %% id="check-retrieval"
check("retrieval")

# %% [markdown] id="about-queries"
# One random training image of each class is a query. The same queries serve all methods, so they come from those images
# that eigenmaps will see, too, and are searched among these.

# %% id="queries"
n = min(EIGENMAP_IMAGES, len(images))
rng = np.random.default_rng(SEED)
queries = np.array(
    [
        rng.choice(np.flatnonzero(data.y_train[:n] == label))
        for label in np.unique(data.y_train[:n])
    ]
)


def show_retrieval(codes, method):
    """The 5 nearest and 5 farthest images of each query; frames mark its class."""
    near, far = (
        as_numpy(evaluation.retrieve(codes, queries, k=5, farthest=each))
        for each in (False, True)
    )
    wanted = data.y_train[queries][:, None]
    hits = data.y_train[near] == wanted, data.y_train[far] == wanted
    names = [data.class_names[label] for label in data.y_train[queries]]
    return plots.retrieval_grid(
        data.x_train[queries],
        data.x_train[near],
        data.x_train[far],
        names,
        hits,
        title=method,
    )


# %% id="retrieval-vicreg"
show_retrieval(made.train[:n], "VICReg")

# %% [markdown] id="task-neighbors"
# ## Task 6: No generated neighbors
#
# Training without augmentations: the second view of an image is one of its nearest neighbors in the representations of
# part 1's encoder.

# %% id="check-neighbors"
check("neighbors")

# %% id="mine"
made.neighbors = neighbors.mine_neighbors(made.train, k=3)  # (N, 3)
found = as_numpy(made.neighbors)
agreement = np.mean(data.y_train[found] == data.y_train[:, None])
print(
    f"mined neighbors of the same class: {agreement:.2f} (at random: about {chance:.2f})"
)
rows = np.concatenate(
    [data.x_train[queries][:, None], data.x_train[found[queries]]], axis=1
)
names = [data.class_names[label] for label in data.y_train[queries]]
plots.image_grid(rows, names, "Images, and their three mined neighbors")

# %% [markdown] id="about-train-neighbors"
# ### Train on mined neighbors
#
# Twice: for one epoch, as the exercise recommends for CIFAR-10 (196 steps there, but only 8 on `shapes`), and for as many
# epochs as VICReg had. The latter encoder is saved in `trained/no_generated_neighbors.pt`, for part 3.


# %% id="train-neighbors"
def train_on_neighbors(epochs):
    """A new encoder, trained on pairs of neighbors."""
    torch.manual_seed(SEED)
    encoder, projector = make_encoder(ENCODER).to(DEVICE), Projector().to(DEVICE)
    views = with_progress(
        lambda batch: neighbors.neighbor_views(images, made.neighbors, batch),
        len(images),
        epochs,
        BUDGET.batch_size,
    )
    training.train_vicreg(
        encoder, projector, images, epochs, BUDGET.batch_size, views=views, lr=BUDGET.lr
    )
    return encoder


made.encoder_1_epoch = train_on_neighbors(epochs=1)
encoder = train_on_neighbors(BUDGET.epochs)
print("saved:", save_encoder("no_generated_neighbors", encoder, ENCODER, DATA).name)

# %% id="probe-neighbors"
made.encoder_neighbors = load_encoder("no_generated_neighbors", ENCODER, DATA, DEVICE)
torch.manual_seed(SEED)
encoders = {
    "VICReg": made.encoder,
    "no generated neighbors, same epochs": made.encoder_neighbors,
    "no generated neighbors, 1 epoch": made.encoder_1_epoch,
    "untrained encoder": make_encoder(ENCODER).to(DEVICE),
}
probes = {}
for name, encoder in encoders.items():
    train, test = (
        evaluation.extract_representations(encoder, x) for x in (images, test_images)
    )
    probes[name] = accuracy(
        evaluation.linear_probe(train, data.y_train, test), data.y_test
    )
plots.bars(
    probes,
    "test accuracy of a linear probe",
    chance=chance,
    highlight=["no generated neighbors, same epochs"],
)

# %% [markdown] question="q6"

# %% [markdown] id="task-laplacian"
# ## Task 7: Laplacian eigenmaps
#
# No training at all: features of an untrained network, a graph of nearest neighbors, the eigenvectors of its Laplacian.

# %% id="check-laplacian"
check("laplacian")

# %% id="eigenmaps"
made.features = torch.as_tensor(
    laplacian.random_features(images[:n], seed=SEED)
).float()  # (n, 1024)
codes = laplacian.laplacian_eigenmaps(made.features, COMPONENTS, GRAPH_NEIGHBORS)
codes = torch.as_tensor(codes).float()
made.codes = codes / codes.std(dim=0)  # their scale is free: columns of spread 1

# %% id="map-eigenmaps"
points = evaluation.project_2d(made.codes[:1000], "tsne", SEED)
plots.scatter_2d(
    points,
    data.y_train[:n][:1000],
    data.class_names,
    title="t-SNE of Laplacian eigenmaps",
)

# %% [markdown] id="about-split"
# An eigenmap has no code for a new image, so the probe is trained on 90 % of the codes and tested on the other 10 %,
# stratified by class. For comparison: a VICReg that has seen the same images and no others, probed in the same way. (On
# `shapes` that is the encoder of part 1; on CIFAR-10 the cell trains one.)


# %% id="vicreg-same-images"
def train_vicreg_on(some):
    """A new encoder, trained on these images."""
    torch.manual_seed(SEED)
    encoder, projector = make_encoder(ENCODER).to(DEVICE), Projector().to(DEVICE)
    views = with_progress(
        lambda batch: augmentations.two_views(some[batch]),
        len(some),
        BUDGET.epochs,
        BUDGET.batch_size,
    )
    training.train_vicreg(
        encoder,
        projector,
        some,
        BUDGET.epochs,
        BUDGET.batch_size,
        views=views,
        lr=BUDGET.lr,
    )
    return encoder


made.encoder_same_images = (
    made.encoder if n == len(images) else train_vicreg_on(images[:n])
)

# %% id="probe-eigenmaps"
train_rows, test_rows = train_test_split(
    np.arange(n), test_size=0.1, stratify=data.y_train[:n], random_state=SEED
)
inputs = {
    "Laplacian eigenmaps": made.codes,
    "random features": made.features,
    "VICReg on the same images": evaluation.extract_representations(
        made.encoder_same_images, images[:n]
    ),
}
probes = {}
for name, x in inputs.items():
    predicted = evaluation.linear_probe(
        x[train_rows], data.y_train[train_rows], x[test_rows]
    )
    probes[name] = accuracy(predicted, data.y_train[test_rows])
plots.bars(
    probes,
    "accuracy of a linear probe on the other 10 %",
    chance=chance,
    highlight=["Laplacian eigenmaps"],
)

# %% [markdown] question="q7"

# %% [markdown] id="compare-retrieval"
# ## Retrieval, compared
#
# The queries of Task 5 again, now with the two other methods; the grid of VICReg stands above.

# %% id="retrieval-neighbors"
codes = evaluation.extract_representations(made.encoder_neighbors, images[:n])
show_retrieval(codes, "no generated neighbors")

# %% id="retrieval-eigenmaps"
show_retrieval(made.codes, "Laplacian eigenmaps")

# %% [markdown] question="q8"

# %% [markdown] id="next"
# Part 3, `part3_downstream.ipynb`, uses both encoders.
