# %% [markdown] id="title"
# # Part 4 (bonus): Latent optimization
#
# Task 10 and its question: a way to learn codes without an encoder that works. Needs the encoder that part 1 has trained
# (`trained/vicreg.pt`) to compare with, and your functions of tasks 0, 1, 2 and 4. Question Q5 (part 2) is the theory of it.

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

from assignment import evaluation, latent_optimization
from assignment.provided import plots
from assignment.provided.datasets import LAPTOP_BUDGET, Budget, load
from assignment.provided.models import make_encoder
from assignment.provided.notebook import Results, accuracy, load_encoder
from autograder.notebook import check

made = Results()  # what one cell makes and another needs

# %% [markdown] id="about-settings"
# ## Settings
#
# `DATA`, `ENCODER` and `BUDGET` as in part 1.

# %% id="settings"
# Generated images, a small encoder.
DATA, ENCODER, BUDGET = "shapes", "small", LAPTOP_BUDGET
LATENT_IMAGES = 2_048  # at most: the first training images; each has a code of its own

# CIFAR-10 and the exercise's encoder, on a GPU. DATA may also be the path of an .npz file.
# DATA, ENCODER, LATENT_IMAGES = "cifar10", "resnet18", 10_000
# BUDGET = Budget(n_train=50_000, n_test=10_000, epochs=30, batch_size=256, lr=3e-4)

CODE_DIM, STEPS = 16, 200
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SEED = 0

# %% id="data"
data = load(DATA, BUDGET.n_train, BUDGET.n_test)
images = torch.as_tensor(data.x_train[:LATENT_IMAGES]).to(DEVICE)  # uint8 (N, 32, 32, 3)
labels = data.y_train[:LATENT_IMAGES]
print(f"{data.name}: codes for {len(images):,} images, on {DEVICE}")

# %% [markdown] id="task-latent-optimization"
# ## Task 10: A repair that works

# %% id="check-latent-optimization"
check("latent_optimization")

# %% id="optimize"
made.codes = {
    "latent optimization, repaired": latent_optimization.optimize_latents(
        images, dim=CODE_DIM, steps=STEPS, seed=SEED
    ),
    "codes before the first step": latent_optimization.optimize_latents(
        images, dim=CODE_DIM, steps=0, seed=SEED
    ),
}

# %% [markdown] id="about-probe"
# ### Probe
#
# Free codes exist only for the images that were optimized, so the probe is trained on 90 % of them and tested on the
# other 10 %, for the encoders as well. The question also asks for plain latent optimization, without your repair: add its
# codes to the comparison.

# %% id="probe"
train_rows, test_rows = train_test_split(
    np.arange(len(labels)), test_size=0.1, stratify=labels, random_state=SEED
)
torch.manual_seed(SEED)
untrained, trained = (
    make_encoder(ENCODER).to(DEVICE),
    load_encoder("vicreg", ENCODER, DATA, DEVICE),
)
inputs = {name: torch.as_tensor(codes).float() for name, codes in made.codes.items()}
inputs["untrained encoder"] = evaluation.extract_representations(untrained, images)
inputs["VICReg (amortized)"] = evaluation.extract_representations(trained, images)
probes = {}
for name, x in inputs.items():
    predicted = evaluation.linear_probe(x[train_rows], labels[train_rows], x[test_rows])
    probes[name] = accuracy(predicted, labels[test_rows])
chance = 1 / len(data.class_names)
plots.bars(
    probes,
    "accuracy of a linear probe on the other 10 %",
    chance=chance,
    highlight=["latent optimization, repaired"],
)

# %% id="map"
points = evaluation.project_2d(
    torch.as_tensor(made.codes["latent optimization, repaired"])[:1000], "tsne", SEED
)
plots.scatter_2d(
    points, labels[:1000], data.class_names, title="t-SNE of the repaired codes"
)

# %% [markdown] question="lo"
