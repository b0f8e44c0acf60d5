"""Which task a function belongs to: the one table behind the TODOs of the stubs."""

TASK_OF_MODULE = {
    "warmup": "warmup",
    "augmentations": "augmentations",
    "vicreg": "vicreg",
    "training": "training",
    "evaluation": "representations",
    "neighbors": "neighbors",
    "laplacian": "laplacian",
    "anomaly": "anomaly",
    "clustering": "clustering",
    "latent_optimization": "latent_optimization",
}
# Exceptions, where tasks share a module: (module, function) -> task.
TASK_OF_FUNCTION: dict[tuple[str, str], str] = {("evaluation", "retrieve"): "retrieval"}


def task_id(module: str, function: str) -> str:
    """The task that `function` of `solutions/<module>.py` belongs to; KeyError for an unknown module."""
    return TASK_OF_FUNCTION.get((module, function), TASK_OF_MODULE[module])


def task_of(target: str) -> str:
    """The same for "module.function"."""
    return task_id(*target.split("."))
