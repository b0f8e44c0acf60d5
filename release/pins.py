"""What of constraints.txt, the lock, some packages need, by what is installed here."""

import importlib.metadata
from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def needed_lines(lock: str, packages: Iterable[str]) -> str:
    """The lines of the lock for these packages and all that they need, in the lock's order."""
    lines = [line for line in lock.splitlines() if line and not line.startswith("#")]
    pinned = {canonicalize_name(Requirement(line).name): line for line in lines}
    needed = closure(packages, set(pinned))
    return "".join(f"{line}\n" for name, line in pinned.items() if name in needed)


def closure(packages: Iterable[str], pinned: set[str]) -> set[str]:
    """These packages and all that they need on any system, as far as they are pinned."""
    found, todo = set(), [(name, ()) for name in packages]
    while todo:
        name, extras = todo.pop()
        if (name, extras) in found or name not in pinned:  # what a CUDA build brings is not in the lock: torch pins it
            continue
        found.add((name, extras))
        todo += [(canonicalize_name(each.name), tuple(sorted(each.extras))) for each in needs(name, extras)]
    return {name for name, _ in found}


def needs(name: str, extras: tuple[str, ...]) -> list[Requirement]:
    """What an installed package asks for, on whatever system and Python. The lock knows which of it applies where."""
    try:
        wanted = [Requirement(each) for each in importlib.metadata.requires(name) or []]
    except importlib.metadata.PackageNotFoundError:  # it is for another system
        return []
    return [each for each in wanted if not asks_for_extra(each) or any(each.marker.evaluate({"extra": x}) for x in extras)]


def asks_for_extra(requirement: Requirement) -> bool:
    return requirement.marker is not None and "extra ==" in str(requirement.marker)
