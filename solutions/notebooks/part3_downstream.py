# %% [markdown] id="title"
# # Part 3: Downstream
#
# Task 8 (anomaly detection) and task 9 (clustering, a bonus), with questions A and C. Needs the encoders that parts 1 and
# 2 have trained (`trained/vicreg.pt`, `trained/no_generated_neighbors.pt`) and your functions of tasks 0, 4 and 6.

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

from assignment import anomaly, clustering, evaluation
from assignment.provided import plots
from assignment.provided.datasets import LAPTOP_BUDGET, Budget, gray28, load
from assignment.provided.notebook import Results, as_numpy, load_encoder
from autograder.notebook import check

made = Results()  # what one cell makes and another needs

# %% [markdown] id="about-settings"
# ## Settings
#
# `DATA`, `ENCODER` and `BUDGET` as in part 1.

# %% id="settings"
# Generated images, a small encoder; scikit-learn's digits are the anomalies.
DATA, ENCODER, BUDGET, ANOMALIES = "shapes", "small", LAPTOP_BUDGET, "digits"

# CIFAR-10 and the exercise's encoder, on a GPU. DATA, ANOMALIES: also paths of .npz files.
# DATA, ENCODER, ANOMALIES = "cifar10", "resnet18", "mnist"
# BUDGET = Budget(n_train=50_000, n_test=10_000, epochs=30, batch_size=256, lr=3e-4)

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SEED = 0

# %% id="data"
data = load(DATA, BUDGET.n_train, BUDGET.n_test)
images = torch.as_tensor(data.x_train).to(DEVICE)  # uint8 (N, 32, 32, 3)
# The loader has made them 32 x 32 and colored, which is what you write in Task 8: here they are as MNIST has them.
gray = gray28(load(ANOMALIES, n_test=BUDGET.n_test).x_test)  # uint8 (M, 28, 28)
print(f"{data.name}: {len(images):,} training, {len(data.x_test):,} test images")
print(f"{ANOMALIES}: {len(gray):,} anomalies")

# %% id="extract"
made.encoders = {
    "VICReg": load_encoder("vicreg", ENCODER, DATA, DEVICE),
    "no generated neighbors": load_encoder(
        "no_generated_neighbors", ENCODER, DATA, DEVICE
    ),
}
made.train = {
    name: evaluation.extract_representations(encoder, images)
    for name, encoder in made.encoders.items()
}

# %% [markdown] id="task-anomaly"
# ## Task 8: Anomaly detection
#
# The training images are what is normal. Test images of the same data set have label 0, images of the other one label 1.

# %% id="check-anomaly"
check("anomaly")

# %% id="mixed"
made.odd = as_numpy(anomaly.gray_to_rgb32(gray))  # uint8 (M, 32, 32, 3)
made.mixed = np.concatenate([data.x_test, made.odd])
labels = np.concatenate(
    [np.zeros(len(data.x_test), dtype=np.int64), np.ones(len(made.odd), dtype=np.int64)]
)
plots.image_rows({"normal": data.x_test[:7], "anomalies": made.odd[:7]})

# %% id="scores"
scores = {}
for name, encoder in made.encoders.items():
    tested = evaluation.extract_representations(
        encoder, torch.as_tensor(made.mixed).to(DEVICE)
    )
    scores[name] = as_numpy(anomaly.inverse_density(tested, made.train[name], k=2))
made.scores = scores

# %% id="roc"
plots.roc_curves(
    {name: anomaly.roc(labels, scores) for name, scores in made.scores.items()}
)

# %% id="most-anomalous"
top = {
    name: as_numpy(anomaly.most_anomalous(scores, n=7))
    for name, scores in made.scores.items()
}
plots.image_rows(
    {name: made.mixed[rows] for name, rows in top.items()},
    title="The 7 most anomalous images of each model",
    framed={name: labels[rows] == 1 for name, rows in top.items()},
    frame="anomaly",
)

# %% [markdown] question="a"

# %% [markdown] id="task-clustering"
# ## Task 9 (bonus): Clustering
#
# k-means with ten clusters on the training representations; silhouettes in the original dimension (of at most 10,000
# images, because every pair of images counts); maps of 1,000 images.

# %% id="check-clustering"
check("clustering")

# %% id="cluster"
clusters = {}
for name, x in made.train.items():
    found, centers = clustering.kmeans(x, k=10, seed=SEED)
    clusters[name] = found, centers
    score = clustering.silhouette(x[:10_000], found[:10_000])
    print(f"silhouette, {name}: {float(score):.3f}")
made.clusters = clusters


# %% id="show-clusters"
def show_clusters(name):
    """The map of a model's training images, colored by class and by cluster."""
    found, centers = made.clusters[name]
    points, centers_2d = clustering.project_with_centers(
        made.train[name][:1000], centers, seed=SEED
    )
    return plots.cluster_maps(
        points,
        data.y_train[:1000],
        data.class_names,
        found[:1000],
        centers_2d,
        title=name,
    )


# %% id="map-vicreg"
show_clusters("VICReg")

# %% id="map-neighbors"
show_clusters("no generated neighbors")

# %% [markdown] question="c"
