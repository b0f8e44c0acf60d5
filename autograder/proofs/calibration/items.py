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
    caught: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)  # what each limit, by NAME, has to catch
    seeds: int = 30  # of the reference; more where a count that never varied is to be believed
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
    f"{STEP}: gradients not set to zero", f"{STEP}: second branch detached", f"{TRAIN}: optimizer without the projector",
    "vicreg.variance_loss: no hinge", "vicreg.covariance_loss: diagonal kept", "vicreg.vicreg_loss: one branch only",
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



def named(target: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{target}: {name}" for name in names)


ONE_DRAW = "one draw for the batch"
DRAWN, DRAWN_HIDDEN = "public.test_augmentations", "hidden.test_augmentations_hidden"
LATENT, LATENT_HIDDEN = "public.test_latent_optimization", "hidden.test_latent_optimization_hidden"
NOTHING_LEARNED = named(
    LATENTS, "the three terms alone", "codes not optimized", "learning rate of the codes far too small", "order lost",
)  # fmt: skip

# In `caught`, "counts" stands for the frequencies of an item.
ITEMS = [
    Item("augmentations.crop", (f"{DRAWN}:MIN_CROPPED",), (CROP,), {"MIN_CROPPED": named(CROP, "whole images")}),
    Item("augmentations.jitter", (f"{DRAWN}:MIN_BRIGHTNESSES",), (JITTER,), {"MIN_BRIGHTNESSES": named(JITTER, ONE_DRAW)}),
    Item("augmentations.blur", (f"{DRAWN}:MIN_BLURRED", f"{DRAWN}:MIN_SIGMAS"), (BLUR,), {
        "MIN_SIGMAS": named(BLUR, ONE_DRAW, "one σ for the batch"),
    }),
    Item("augmentations.augment", (f"{DRAWN}:MIN_MEAN", f"{DRAWN}:MAX_MEAN"), (AUGMENT,), {
        "MIN_MEAN": named(AUGMENT, "integer division"), "MAX_MEAN": named(AUGMENT, "not divided by 255"),
    }),
    Item("augmentations.two_views", (f"{DRAWN}:MIN_DIFFERENCE",), (VIEWS,), {
        "MIN_DIFFERENCE": named(VIEWS, "both views equal"),
    }),
    Item("augmentations.frequencies", (), (FLIP, GRAY, BLUR), {"counts": (
        *named(FLIP, ONE_DRAW, "p and 1 − p swapped", "vertical instead of horizontal", "p ignored"),
        *named(GRAY, ONE_DRAW, "p and 1 − p swapped"), *named(BLUR, ONE_DRAW, "p and 1 − p swapped"),
    )}),
    Item("augmentations.blur_strength", (), (BLUR,), {"counts": named(BLUR, ONE_DRAW)}),
    Item("augmentations.crop_boxes", (f"{DRAWN_HIDDEN}:MIN_ASPECTS",), (CROP,), {
        "MIN_ASPECTS": named(CROP, ONE_DRAW, "square crops only"),
        "counts": named(CROP, "always in the center", "always in the corner"),
    }),
    Item("augmentations.crop_scale", (f"{DRAWN_HIDDEN}:MIN_AREA", f"{DRAWN_HIDDEN}:MAX_AREA"), (CROP,), {
        "MIN_AREA": named(CROP, "area used as side length"), "MAX_AREA": named(CROP, "scale ignored"),
    }),
    Item("augmentations.jitter_factors", (f"{DRAWN_HIDDEN}:MIN_SQUEEZED",), (JITTER,), {
        "MIN_SQUEEZED": named(JITTER, "clipped at the end"),
        "counts": named(
            JITTER, ONE_DRAW, "factors between 1 and 1 + strength", "a factor for each pixel", "hue left alone",
        ),
    }),
    Item("augmentations.all_in_augment", tuple(
        f"{DRAWN_HIDDEN}:{name}" for name in (
            "MIN_MOVED", "MIN_VARIED", "MIN_BRIGHTNESS", "MAX_BRIGHTNESS", "MIN_TURNED", "MIN_SOFTENED",
            "MAX_SOFTENED", "MAX_NARROW", "MIN_NARROW", "MAX_STILL",
        )
    ), (AUGMENT, CROP, FLIP, JITTER, GRAY, BLUR), {
        "MIN_MOVED": (*named(AUGMENT, "no crop"), *named(CROP, "always in the center", "whole images")),
        "MIN_VARIED": named(AUGMENT, "no color jitter"),
        "MAX_BRIGHTNESS": named(JITTER, "factors between 1 and 1 + strength"),
        "MIN_TURNED": named(JITTER, "hue left alone"),
        "MIN_SOFTENED": named(AUGMENT, "no blur"),
        "MAX_SOFTENED": named(AUGMENT, "every view blurred"),
        "MAX_NARROW": named(AUGMENT, "crops smaller than a fifth"),
        "MIN_NARROW": named(AUGMENT, "crops of a half and more"),
        "counts": (
            *named(AUGMENT, "no flip", "no grayscale"), *named(FLIP, "vertical instead of horizontal"),
            *named(GRAY, "p and 1 − p swapped"),
            *named(AUGMENT, "gray too seldom", "brightness too weak", "contrast too weak", "saturation too strong"),
            *named(AUGMENT, "jitter for some images only"),
        ),
    }),
    Item("augmentations.independent_views", (), (VIEWS, FLIP), {"counts": (
        *named(VIEWS, "both views equal", "second view made from the first"), *named(FLIP, "vertical instead of horizontal"),
    )}),
    Item("training.no_collapse", ("hidden.thresholds:MIN_SPREAD", "hidden.thresholds:MIN_RANK"), WRONG_TRAINING, {
        "MIN_SPREAD": (UNTRAINED, NO_VARIANCE, ALONE), "MIN_RANK": (NO_VARIANCE, ALONE, NO_COVARIANCE),
    }, group="training"),
    Item("representations.probe_quality", ("hidden.test_representations_hidden:MIN_QUALITY",), (PROBE,), {
        "MIN_QUALITY": named(
            PROBE, "numbered in order of appearance", "another preprocessing for test rows", "train and test swapped",
            "not trained long enough", "regression on the label numbers",
        ),
    }),
    Item("representations.probe_accuracy", ("hidden.thresholds:MIN_ACCURACY",), WRONG_TRAINING, {
        "MIN_ACCURACY": (UNTRAINED, NO_VARIANCE, ALONE, NO_COVARIANCE, SAME_VIEW, OTHER_IMAGES),
    }, group="training"),
    Item("retrieval.precision", ("hidden.digits:MIN_PRECISION", "hidden.digits:MAX_FARTHEST"), (RETRIEVE,), {
        "MIN_PRECISION": named(RETRIEVE, "nearest and farthest swapped", "dot product instead of ℓ2", "order lost"),
        "MAX_FARTHEST": named(
            RETRIEVE, "nearest and farthest swapped", "farthest ignored", "the farthest among the k nearest",
        ),
    }),
    Item("neighbors.draws", (), (PARTNERS,), {"counts": named(
        PARTNERS, "one draw for the whole batch", "always the nearest", "the last neighbor never drawn",
        "one draw for each image, for ever", "seed set inside",
    )}),
    Item("neighbors.agreement", ("hidden.digits:MIN_AGREEMENT",), (MINE, NEAREST), {"MIN_AGREEMENT": (
        *named(MINE, "neighbors within a batch", "order lost", "farthest mined"),
        *named(NEAREST, "the farthest", "dot product instead of ℓ2", "each block searched in its own rows"),
    )}),
    Item("laplacian.features", ("public.test_laplacian:MIN_CHANGE",), (FEATURES,), {
        "MIN_CHANGE": named(FEATURES, "the same weights for every seed"),
    }),
    Item("laplacian.features_many", ("hidden.test_laplacian_hidden:MIN_DIRECTIONS",), (FEATURES,), {
        "MIN_DIRECTIONS": named(FEATURES, "averaged over the image"),
    }),
    Item("laplacian.receptive_field", (
        "hidden.test_laplacian_hidden:MAX_BORDER", "hidden.test_laplacian_hidden:MIN_REACH",
    ), (FEATURES,), {
        "MAX_BORDER": named(FEATURES, "padded", "kernels of 3", "three layers", "axes reshaped instead of permuted"),
        "MIN_REACH": named(FEATURES, "the first outputs instead of a projection"),
    }),
    Item("laplacian.probe", ("hidden.test_laplacian_hidden:MIN_ACCURACY",), (EIGENMAPS, GRAPH), {"MIN_ACCURACY": (
        *named(EIGENMAPS, "largest instead of smallest", "rows for columns"), *named(GRAPH, "farthest instead of nearest"),
    )}),
    Item("anomaly.digits", ("hidden.test_anomaly_hidden:MIN_AUC",), (RGB, DENSITY), {"MIN_AUC": (
        *named(RGB, "integer division by 255", "pixels dealt anew instead of resized"),
        *named(
            DENSITY, "density instead of inverse density", "negative distances", "test set as its own reference",
            "other test rows as the reference", "farthest rows", "all rows of the reference",
        ),
    )}),
    Item("clustering.one_map", ("public.test_clustering:MIN_OWN",), (MAP,), {"MIN_OWN": named(
        MAP, "centers mapped separately", "centers not mapped", "centers by PCA among points by t-SNE",
        "cut at the wrong place",
    )}, seeds=100),
    Item("clustering.optimum", ("hidden.test_clustering_hidden:MAX_RATIO",), (KMEANS,), {"MAX_RATIO": named(
        KMEANS, "one start at random rows",
    )}),
    Item("clustering.overlap", ("hidden.test_clustering_hidden:MAX_SAVED",), (KMEANS,), {"MAX_SAVED": named(
        KMEANS, "one step only", "columns standardized",
    )}),
    Item("clustering.curved", (
        "hidden.test_clustering_hidden:MIN_CURVED", "hidden.test_clustering_hidden:MIN_BESIDE",
    ), (MAP,), {
        "MIN_CURVED": named(MAP, "PCA instead of t-SNE"),
        "MIN_BESIDE": named(
            MAP, "centers mapped separately", "centers not mapped", "centers by PCA among points by t-SNE",
            "cut at the wrong place",
        ),
    }, seeds=60),
    Item("clustering.far_centers", ("hidden.test_clustering_hidden:MIN_AWAY",), (MAP,), {"MIN_AWAY": named(
        MAP, "centers put at the mean of their rows in the map", "centers put among the rows nearest to them",
    )}),
    Item("latent_optimization.start", (f"{LATENT}:MAX_TOLD",), (LATENTS,), {"MAX_TOLD": named(
        LATENTS, "principal components of the pixels", "codes computed from the images at the start",
    )}),
    Item("latent_optimization.steps", (f"{LATENT}:MAX_STILL",), (LATENTS,), {"MAX_STILL": named(
        LATENTS, "codes not optimized", "steps ignored",
    )}),
    Item("latent_optimization.content", (f"{LATENT_HIDDEN}:MIN_DIGITS",), (LATENTS,), {"MIN_DIGITS": NOTHING_LEARNED}),
    Item("latent_optimization.spread", (f"{LATENT_HIDDEN}:MIN_SPREAD", f"{LATENT_HIDDEN}:MIN_RANK"), (LATENTS,), {
        "MIN_SPREAD": named(LATENTS, "attraction without repulsion"), "MIN_RANK": named(LATENTS, "one direction only"),
    }),
    Item("latent_optimization.untrained", (f"{LATENT_HIDDEN}:MIN_SHAPES",), (LATENTS,), {"MIN_SHAPES": NOTHING_LEARNED}),
]  # fmt: skip
BY_ID = {item.id: item for item in ITEMS}
