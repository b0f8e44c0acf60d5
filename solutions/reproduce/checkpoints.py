"""What a run has finished, on disk: trained networks and answered questions. `--resume` goes on from there."""

import fcntl
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from .files import write_atomically

OUTPUTS = ("report.html", "results.json", "results.md", "figures")


class RunError(Exception):
    """A run that cannot be done as it was asked for; the message says what to do."""


class Checkpoints:
    """The finished parts of a run, under `folder`/seed-<n>/."""

    def __init__(self, folder: Path):
        self.folder = folder

    def open(self, settings: dict, resume: bool, force: bool) -> None:
        """Make the folder this run's own. Raises RunError where it holds another run, or this one unasked."""
        path = self.folder / "settings.json"
        if not path.exists():
            self.refuse_foreign()
        self.lock()
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

    def refuse_foreign(self) -> None:
        """Raise RunError where a run would write over what it has not made."""
        mine = [self.folder.parent / name for name in OUTPUTS if (self.folder.parent / name).exists()]
        mine += self.folder.glob("[!.]*")  # .name: unfinished when a run was killed
        if mine:
            told = f"{mine[0]} is no run's, for {self.folder / 'settings.json'} is missing"
            raise RunError(f"{told}: choose another folder, or move it away")

    def lock(self) -> None:
        """Keep other runs out, until this process ends. Raises RunError where one is at work."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.held = open(self.folder / ".lock", "w")  # the lock goes with the file
        try:
            fcntl.flock(self.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f"another run is at work in {self.folder.parent}: let it end first") from error

    def clear(self) -> None:
        """Delete what the run has finished, and nothing else; its settings last, so that the rest has an owner."""
        for answer in self.folder.glob("seed-*/*.json"):
            for name in figures_in(answer):
                for suffix in ("png", "svg"):
                    (self.folder.parent / "figures" / f"{Path(name).name}.{suffix}").unlink(missing_ok=True)
        for each in self.folder.glob("seed-*"):
            shutil.rmtree(each)
        (self.folder / "settings.json").unlink(missing_ok=True)

    def tensors(self, seed: int, name: str, make: Callable[[], dict]) -> dict:
        """The dictionary of tensors (and plain data) under this name; made and stored where there is none."""
        path = self.path(seed, name, "pt")
        if path.exists():
            return read_tensors(path)
        value, buffer = make(), io.BytesIO()
        torch.save(value, buffer)  # which reports a full disk as an error of its own
        write_atomically(path, lambda unfinished: unfinished.write_bytes(buffer.getbuffer()))
        return value

    def answer(
        self, seed: int, question: str, make: Callable[[], dict], complete: Callable[[dict], bool]
    ) -> dict:
        """The plain data under this name; made and stored where there is none, or none that is complete."""
        path = self.path(seed, question, "json")
        if path.exists():
            found = read_json(path)
            if not is_answer(found):
                raise RunError(f"{path} is damaged (no answer): delete it and resume again")
            if complete(found):
                return found
        value = make()
        write_atomically(path, json.dumps(value, indent=1) + "\n")
        return value

    def path(self, seed: int, name: str, suffix: str) -> Path:
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        return self.folder / f"seed-{seed}" / f"{slug}.{suffix}"


def read_tensors(path: Path) -> dict:
    """What `tensors` has stored. Raises RunError for a file that is not as it was written."""
    try:
        with zipfile.ZipFile(path) as archive:
            if (damaged := archive.testzip()) is not None:  # torch leaves the checksums of its archive alone
                raise zipfile.BadZipFile(damaged)
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # whatever torch and its unpickler come upon
        raise RunError(f"{path} is damaged ({type(error).__name__}): delete it and resume again") from error


def is_answer(found: dict) -> bool:
    """Whether this is what `answer_one` makes."""
    kinds = {"numbers": dict, "figures": list, "too small": str, "seconds": dict}
    if not all(isinstance(found.get(name), kind) for name, kind in kinds.items()):
        return False
    return all(isinstance(each, (int, float)) for name in ("numbers", "seconds") for each in found[name].values())


def figures_in(answer: Path) -> list[str]:
    try:
        return [str(name) for name in json.loads(answer.read_text(encoding="utf-8"))["figures"]]
    except (ValueError, KeyError, TypeError):  # damaged: what it had drawn is not known
        return []


def read_json(path: Path, remedy: str = "delete it and resume again") -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path} is damaged (not JSON): {remedy}") from error
    if not isinstance(found, dict):
        raise RunError(f"{path} is damaged (not an object): {remedy}")
    return found
