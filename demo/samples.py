"""Three submissions to grade: the reference, the untouched stubs, the reference with three mistakes."""

from collections.abc import Callable
from pathlib import Path

from autograder.misconceptions import entries
from autograder.misconceptions.mutants import override_source

PROJECT = Path(__file__).resolve().parent.parent
# What published solutions of this exercise got wrong: (function, name of the known mistake).
MISTAKES = (
    ("augmentations.random_resized_crop", "one draw for the batch"),
    ("vicreg.variance_loss", "square root missing"),
    ("evaluation.extract_representations", "train mode"),
)


def build(folder: Path, files: tuple[str, ...]) -> list[Path]:
    """Make the samples in `folder`, each with the student's `files`, and return their paths."""
    makers: dict[str, Callable[[str], str]] = {
        "reference": solution,
        "untouched-stubs": stub,
        "three-mistakes": mistaken,
    }
    for name, source in makers.items():
        package = folder / name / "assignment"
        package.mkdir(parents=True)
        for file in files:
            (package / file).write_text(source(file), encoding="utf-8")
    return [folder / name for name in makers]


def solution(file: str) -> str:
    return (PROJECT / "solutions" / file).read_text(encoding="utf-8")


def stub(file: str) -> str:
    return (PROJECT / "assignment" / file).read_text(encoding="utf-8")


def mistaken(file: str) -> str:
    """The solution, with each mistake in this file put over the right function."""
    here = [each for each in MISTAKES if each[0].startswith(f"{Path(file).stem}.")]
    return solution(file) + "".join(override_source(known(*each)) for each in here)


def known(target: str, name: str):
    """The entry among the misconceptions. Raises LookupError, naming those there are, when there is none."""
    found = {entry.name: entry for entry in entries(target)}
    if name not in found:
        raise LookupError(f"no misconception {name!r} of {target}; there are: {', '.join(found) or 'none'}")
    return found[name]
