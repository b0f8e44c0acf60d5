"""What a run has finished, on disk: trained networks and answered questions. `--resume` goes on from there."""

import json
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from .files import write_atomically


class RunError(Exception):
    """A run that cannot be done as it was asked for; the message says what to do."""


class Checkpoints:
    """The finished parts of a run, under `folder`/seed-<n>/."""

    def __init__(self, folder: Path):
        self.folder = folder

    def open(self, settings: dict, resume: bool, force: bool) -> None:
        """Make the folder this run's own. Raises RunError where it holds another run, or this one unasked."""
        path = self.folder / "settings.json"
        if not path.exists() and any(self.folder.glob("[!.]*")):  # .name: unfinished when a run was killed
            raise RunError(f"{self.folder} holds files that are no run's: choose another folder")
        if force:
            self.clear()
        if path.exists():
            if not resume:
                raise RunError(
                    f"{self.folder.parent} holds a run already: --resume goes on with it, --force begins anew"
                )
            before = read_json(path, "--force begins anew")
            different = [name for name in settings if before.get(name) != settings[name]]
            if different:
                raise RunError(
                    f"{path}: that run had other settings ({', '.join(different)}): repeat its options to resume it, "
                    "or --force to begin anew"
                )
        write_atomically(path, json.dumps(settings, indent=1) + "\n")

    def clear(self) -> None:
        """Delete what the run has finished, and nothing else; its settings last, so that the rest has an owner."""
        for each in self.folder.glob("seed-*"):
            shutil.rmtree(each)
        (self.folder / "settings.json").unlink(missing_ok=True)

    def tensors(self, seed: int, name: str, make: Callable[[], dict]) -> dict:
        """The dictionary of tensors (and plain data) under this name; made and stored where there is none."""
        path = self.path(seed, name, "pt")
        if not path.exists():
            value = make()
            write_atomically(path, lambda unfinished: torch.save(value, unfinished))
            return value
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise RunError(
                f"{path} is damaged ({type(error).__name__}): delete it and resume again"
            ) from error

    def answer(
        self, seed: int, question: str, make: Callable[[], dict], complete: Callable[[dict], bool]
    ) -> dict:
        """The plain data under this name; made and stored where there is none, or none that is complete."""
        path = self.path(seed, question, "json")
        if path.exists() and complete(found := read_json(path)):
            return found
        value = make()
        write_atomically(path, json.dumps(value, indent=1) + "\n")
        return value

    def path(self, seed: int, name: str, suffix: str) -> Path:
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        return self.folder / f"seed-{seed}" / f"{slug}.{suffix}"


def read_json(path: Path, remedy: str = "delete it and resume again") -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path} is damaged (not JSON): {remedy}") from error
    if not isinstance(found, dict):
        raise RunError(f"{path} is damaged (not an object): {remedy}")
    return found
