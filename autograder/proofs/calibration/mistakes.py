"""Ways to train wrongly that are no mistake of one function, written as those of `autograder.misconceptions` are."""

from autograder.misconceptions import Entry
from solutions.training import train_vicreg

TRAIN = "training.train_vicreg"


def nothing(encoder, projector, images, *args, **options):
    return {"train": [], "test": []}


def no_variance(*args, _right=train_vicreg, **options):
    return _right(*args, **{**options, "var_weight": 0.0})


def invariance_alone(*args, _right=train_vicreg, **options):
    return _right(*args, **{**options, "var_weight": 0.0, "cov_weight": 0.0})


def no_covariance(*args, _right=train_vicreg, **options):
    return _right(*args, **{**options, "cov_weight": 0.0})


MISTAKES = [
    Entry(TRAIN, "untrained", nothing),
    Entry(TRAIN, "no variance term", no_variance),
    Entry(TRAIN, "invariance alone", invariance_alone),
    Entry(TRAIN, "no covariance term", no_covariance),
]
