"""The threshold items: which limits each has, and which mistakes are measured there.

To add one: hold its quantities against limits (autograder/limits.py) in the check, which takes the seed of its data as
`seed=0`, and put an entry here. `python -m autograder calibrate ITEM` does the rest.
"""

import dataclasses
import functools
import importlib

from autograder import misconceptions
from autograder.limits import Limit
from autograder.misconceptions import Entry
from autograder.proofs import harness
from autograder.proofs.calibration.mistakes import MISTAKES


@dataclasses.dataclass(frozen=True)
class Item:
    """A threshold item of the rubric. Mistakes are named "module.function: name"; "module.function" stands for all there."""

    id: str
    limits: tuple[str, ...] = ()  # "module:NAME" of each, below autograder.checks; none where the check only counts
    mistakes: tuple[str, ...] = ()  # what is measured beside the reference
    caught: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)  # what each limit has to catch
    group: str = ""  # items of one group share what a submission does, such as a training run

    def check(self) -> harness.Check:
        return next(each for each in harness.checks(self.id.split(".")[0]) if each.item == self.id)

    def limit(self, path: str) -> Limit:
        """The limit as it stands in the check today."""
        module, name = path.split(":")
        return getattr(importlib.import_module(f"autograder.checks.{module}"), name)

    def wrong(self) -> dict[str, Entry]:
        """The mistakes by name, in the order of the entry."""
        found = {}
        for name in self.mistakes:
            fitting = {each: entry for each, entry in known_mistakes().items() if name in (each, entry.target)}
            if not fitting:
                raise LookupError(f"{self.id}: there is no mistake {name!r}")
            found |= fitting
        return found


@functools.cache
def known_mistakes() -> dict[str, Entry]:
    """All that can be measured, by name; conventions are right."""
    every = [*misconceptions.entries(), *MISTAKES]
    return {f"{each.target}: {each.name}": each for each in every if not each.convention}


STEP, TRAIN = "training.train_step", "training.train_vicreg"
UNTRAINED, NO_VARIANCE = f"{TRAIN}: untrained", f"{TRAIN}: no variance term"
ALONE, NO_COVARIANCE = f"{TRAIN}: invariance alone", f"{TRAIN}: no covariance term"
SAME_VIEW, OTHER_IMAGES = f"{TRAIN}: second view is the first", f"{TRAIN}: views of different images"
WRONG_TRAINING = (
    UNTRAINED, NO_VARIANCE, ALONE, NO_COVARIANCE, SAME_VIEW, OTHER_IMAGES,
    f"{STEP}: gradients not set to zero", f"{STEP}: second branch detached", f"{STEP}: loss on representations",
    f"{STEP}: eval mode during training", f"{TRAIN}: optimizer without the projector",
    f"{TRAIN}: optimizer without the encoder", f"{TRAIN}: SGD instead of Adam",
    "vicreg.variance_loss: no hinge", "vicreg.variance_loss: hinge reversed", "vicreg.variance_loss: square root missing",
    "vicreg.covariance_loss: diagonal kept", "vicreg.vicreg_loss: one branch only",
)  # fmt: skip
CROP, FLIP, JITTER, GRAY, BLUR, AUGMENT, VIEWS = (
    f"augmentations.{name}" for name in (
        "random_resized_crop", "random_flip", "color_jitter", "random_grayscale", "random_blur", "augment", "two_views",
    )
)  # fmt: skip
RETRIEVE, PROBE = "evaluation.retrieve", "evaluation.linear_probe"
NEAREST, MINE, PARTNERS = (f"neighbors.{name}" for name in ("nearest_neighbors", "mine_neighbors", "neighbor_views"))
FEATURES, GRAPH, EIGENMAPS = (f"laplacian.{name}" for name in ("random_features", "knn_graph", "laplacian_eigenmaps"))
RGB, DENSITY = "anomaly.gray_to_rgb32", "anomaly.inverse_density"
KMEANS, MAP = "clustering.kmeans", "clustering.project_with_centers"
LATENTS = "latent_optimization.optimize_latents"

ITEMS = [
    Item("augmentations.crop", ("public.test_augmentations:MIN_CROPPED",), (CROP,)),
    Item("augmentations.jitter", ("public.test_augmentations:MIN_BRIGHTNESSES",), (JITTER,)),
    Item("augmentations.blur", ("public.test_augmentations:MIN_BLURRED", "public.test_augmentations:MIN_SIGMAS"), (BLUR,)),
    Item("augmentations.augment", ("public.test_augmentations:MIN_MEAN", "public.test_augmentations:MAX_MEAN"), (AUGMENT,)),
    Item("augmentations.two_views", ("public.test_augmentations:MIN_DIFFERENCE",), (VIEWS,)),
    Item("augmentations.frequencies", (), (FLIP, GRAY, BLUR)),
    Item("augmentations.blur_strength", (), (BLUR,)),
    Item("augmentations.crop_boxes", ("hidden.test_augmentations_hidden:MIN_ASPECTS",), (CROP,)),
    Item("augmentations.crop_scale", (
        "hidden.test_augmentations_hidden:MIN_AREA", "hidden.test_augmentations_hidden:MAX_AREA",
    ), (CROP,)),
    Item("augmentations.jitter_factors", (), (JITTER,)),
    Item("augmentations.all_in_augment", tuple(
        f"hidden.test_augmentations_hidden:{name}"
        for name in ("MIN_MOVED", "MIN_VARIED", "MIN_BRIGHTNESS", "MAX_BRIGHTNESS", "MIN_TURNED")
    ), (AUGMENT, CROP, FLIP, JITTER, GRAY)),
    Item("augmentations.independent_views", (), (VIEWS, FLIP)),
    Item("training.no_collapse", ("hidden.thresholds:MIN_SPREAD", "hidden.thresholds:MIN_RANK"), WRONG_TRAINING, {
        "MIN_SPREAD": (UNTRAINED, NO_VARIANCE, ALONE),
        "MIN_RANK": (NO_VARIANCE, ALONE, NO_COVARIANCE),
    }, group="training"),
    Item("representations.probe_accuracy", ("hidden.thresholds:MIN_ACCURACY",), WRONG_TRAINING, {
        "MIN_ACCURACY": (UNTRAINED, NO_VARIANCE, ALONE, NO_COVARIANCE, SAME_VIEW, OTHER_IMAGES),
    }, group="training"),
    Item("representations.probe_quality", ("hidden.test_representations_hidden:MIN_QUALITY",), (PROBE,)),
    Item("retrieval.precision", ("hidden.digits:MIN_PRECISION", "hidden.digits:MAX_FARTHEST"), (RETRIEVE,)),
    Item("neighbors.draws", (), (PARTNERS,)),
    Item("neighbors.agreement", ("hidden.digits:MIN_AGREEMENT",), (MINE, NEAREST)),
    Item("laplacian.features", ("public.test_laplacian:MIN_CHANGE",), (FEATURES,)),
    Item("laplacian.features_many", ("hidden.test_laplacian_hidden:MIN_DIRECTIONS",), (FEATURES,)),
    Item("laplacian.receptive_field", (
        "hidden.test_laplacian_hidden:MAX_BORDER", "hidden.test_laplacian_hidden:MIN_REACH",
    ), (FEATURES,)),
    Item("laplacian.probe", ("hidden.test_laplacian_hidden:MIN_ACCURACY",), (EIGENMAPS, GRAPH)),
    Item("anomaly.digits", ("hidden.test_anomaly_hidden:MIN_AUC",), (RGB, DENSITY)),
    Item("clustering.one_map", ("public.test_clustering:MIN_OWN",), (MAP,)),
    Item("clustering.optimum", ("hidden.test_clustering_hidden:MAX_RATIO",), (KMEANS,)),
    Item("clustering.overlap", ("hidden.test_clustering_hidden:MAX_SAVED",), (KMEANS,)),
    Item("clustering.curved", (
        "hidden.test_clustering_hidden:MAX_EXPLAINED", "hidden.test_clustering_hidden:MIN_BESIDE",
    ), (MAP,)),
    Item("clustering.far_centers", ("hidden.test_clustering_hidden:MIN_AWAY",), (MAP,)),
    Item("latent_optimization.start", ("public.test_latent_optimization:MAX_TOLD",), (LATENTS,)),
    Item("latent_optimization.steps", ("public.test_latent_optimization:MAX_STILL",), (LATENTS,)),
    Item("latent_optimization.content", ("hidden.test_latent_optimization_hidden:MIN_DIGITS",), (LATENTS,)),
    Item("latent_optimization.spread", (
        "hidden.test_latent_optimization_hidden:MIN_SPREAD", "hidden.test_latent_optimization_hidden:MIN_RANK",
    ), (LATENTS,)),
    Item("latent_optimization.untrained", ("hidden.test_latent_optimization_hidden:MIN_SHAPES",), (LATENTS,)),
]  # fmt: skip
BY_ID = {item.id: item for item in ITEMS}
