"""Right solutions in other styles than the reference's. Every check has to pass them.

    @variant("vicreg.variance_loss", "clamp and ** 0.5")
    def clamped(z, gamma=1.0, eps=1e-4):
        return (gamma - (z.var(dim=0) + eps) ** 0.5).clamp(min=0).mean()

The mechanism is that of `autograder.misconceptions`: the function's source is put at the end of the reference's
module, may use what that module imports and defines, and imports anything else itself.
"""
import functools
import importlib
import pkgutil
from collections.abc import Callable

from autograder.misconceptions import Entry

_variants: list[Entry] = []


def variant(target: str, name: str) -> Callable:
    """Register the decorated function as a right solution of `target` ("module.function")."""

    def register(function: Callable) -> Callable:
        _variants.append(Entry(target, name, function))
        return function

    return register


@functools.cache
def _load_all() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def variants(target: str | None = None) -> list[Entry]:
    """All registered variants, or those of one "module.function" (or of one "module")."""
    _load_all()
    return [each for each in _variants if target is None or target in (each.target, each.task_module)]
