"""Runs the questions for every seed; writes figures, results.json, report.html and results.md."""

import json
import os
import platform
import statistics
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from textwrap import fill

import numpy as np
import torch
from matplotlib.figure import Figure

from assignment.provided import plots
from assignment.provided.datasets import Dataset

from . import report
from .checkpoints import Checkpoints, RunError
from .clock import Clock, Progress
from .files import write_atomically
from .presets import Preset
from .questions import QUESTIONS, Answer, little_training
from .run import VICREG, Run, subset, threads

Load = Callable[[int], Dataset]  # a data set, by seed


@dataclass(frozen=True)
class Request:
    """What is wanted: a preset, seeds and questions, on which device, and how an earlier run is met."""

    preset: Preset
    out: Path
    seeds: tuple[int, ...] = (0,)
    questions: tuple[str, ...] = tuple(QUESTIONS)
    device: torch.device = torch.device("cpu")
    threads: int = 2
    resume: bool = False
    force: bool = False
    command: str = ""


def reproduce(
    request: Request, load: Load, anomalies: np.ndarray, progress: Progress = lambda *_: None
) -> dict:
    """Answer the questions for all seeds, and return what is in results.json.

    load: the normal data by seed, which is cut to the budget. anomalies: uint8 (M, 32, 32, 3).
    progress: called often, see `Progress`. Every file is written whole or not at all; what is finished is kept in
    `out`/checkpoints. Raises RunError where `out` holds another run, and for fewer than two images.
    """
    data, budget = load(request.seeds[0]), request.preset.budget
    if min(len(data.x_train), budget.n_train, len(data.x_test), budget.n_test) < 2:
        raise RunError("training and test need at least 2 images each: batch norm and the loss compare images")
    checkpoints = Checkpoints(request.out / "checkpoints")
    checkpoints.open(settings_of(request, data, anomalies), request.resume, request.force)
    if request.resume:
        request = replace(request, questions=with_stored(request, checkpoints))
    answers: dict[int, dict[str, dict]] = {}
    start = time.perf_counter()
    with threads(request.threads):
        for seed in request.seeds:
            data = subset(load(seed), budget, seed)
            told = progress if len(request.seeds) == 1 else prefixed(progress, f"seed {seed}: ")
            run = Run(request.preset, data, anomalies, seed, request.device, checkpoints, Clock(told))
            answers[seed] = answer_all(run, request)
    results = gathered(request, answers, data, anomalies)
    # Of a run that was resumed, this command took only the last part.
    steps = sum(sum(taken) for taken in results["seconds"].values())
    results["total seconds"] = round(max(steps, time.perf_counter() - start), 1)
    draw_bars(results, request.out / "figures")
    write_atomically(request.out / "results.json", json.dumps(results, indent=1) + "\n")
    report.write(request.out, results)
    return results


def with_stored(request: Request, checkpoints: Checkpoints) -> tuple[str, ...]:
    """The questions that are wanted, and those that an earlier part of the run has answered."""

    def stored(question: str) -> bool:
        names = (name_of(question, seed, request) for seed in request.seeds)
        return all(checkpoints.path(seed, name, "json").exists() for seed, name in zip(request.seeds, names))

    return tuple(each for each in QUESTIONS if each in request.questions or stored(each))


def name_of(question: str, seed: int, request: Request) -> str:
    """What an answer is stored as. Figures are drawn for the first seed."""
    return f"{question} with figures" if seed == request.seeds[0] else question


def settings_of(request: Request, data: Dataset, anomalies: np.ndarray) -> dict:
    """What has to be the same for a run to be resumed."""
    return {
        "preset": json.loads(json.dumps(asdict(request.preset))),
        "device": request.device.type,
        "threads": request.threads,  # they add in another order, so that trainings end elsewhere
        "torch": torch.__version__,
        "data": f"{data.name}, checksum {checksum(data.x_train, data.y_train, data.x_test, data.y_test):08x}",
        "anomalies": f"{len(anomalies)} images, checksum {checksum(anomalies):08x}",
    }


def checksum(*arrays: np.ndarray) -> int:
    value = 0
    for array in arrays:
        value = zlib.crc32(np.ascontiguousarray(array), value)
    return value


def prefixed(progress: Progress, prefix: str) -> Progress:
    return lambda step, done, total: progress(prefix + step, done, total)


def answer_all(run: Run, request: Request) -> dict[str, dict]:
    """The answers of one seed."""
    draw = run.seed == request.seeds[0]

    def complete(answer: dict) -> bool:
        files = (f"{figure}.{suffix}" for figure in answer["figures"] for suffix in ("svg", "png"))
        paths = [request.out / "figures" / file for file in files]
        return all(path.exists() and path.stat().st_size for path in paths)

    return {
        each: run.checkpoints.answer(
            run.seed, name_of(each, run.seed, request), lambda: answer_one(run, each, request.out, draw), complete
        )
        for each in request.questions
    }


def answer_one(run: Run, question: str, out: Path, draw: bool) -> dict:
    """Numbers, names of the figures that were written, and seconds by step."""
    run.clock.seconds = {}
    reason = little_training(run)
    answer = Answer(too_small=reason) if reason else QUESTIONS[question].answer(run, draw)
    if answer.too_small and draw and not answer.numbers:
        figure = plots.notice(
            f"The budget of this run is too small for this question: {answer.too_small}.",
            QUESTIONS[question].title,
        )
        answer.figures = {f"too_small_{question.lower()}": figure}
    with run.clock.step(f"{question}: figures", max(len(answer.figures), 1)) as advance:
        for name, figure in answer.figures.items():
            save(figure, out / "figures" / f"{name}.png")
            advance()
    figures = list(answer.figures)
    return {
        "numbers": answer.numbers,
        "figures": figures,
        "too small": answer.too_small,
        "seconds": run.clock.seconds,
    }


def save(figure: Figure, path: Path) -> None:
    """The figure as SVG and as PNG."""
    for each in (path.with_suffix(".svg"), path):
        write_atomically(each, lambda unfinished: plots.save_figure(figure, unfinished))


def gathered(request: Request, answers: dict[int, dict], data: Dataset, anomalies: np.ndarray) -> dict:
    """results.json: each number over all seeds, and how it came about."""
    first = answers[request.seeds[0]]
    too_small = {each: [answers[seed][each]["too small"] for seed in request.seeds] for each in first}
    return {
        "preset": request.preset.name,
        "command": request.command,
        "date": time.strftime("%Y-%m-%d"),
        "data": {
            "name": data.name, "train images": len(data.x_train), "test images": len(data.x_test), "anomalies": len(anomalies),
            "classes": len(data.class_names),
        },
        "hardware": hardware(request.device, request.threads),
        "settings": asdict(request.preset.budget) | {"encoder": request.preset.encoder_name()},
        "seeds": list(request.seeds),
        "numbers": {each: summed_up(each, [answers[seed][each]["numbers"] for seed in request.seeds]) for each in first},
        "figures": {each: first[each]["figures"] for each in first},
        "too small": {each: next(filter(None, reasons)) for each, reasons in too_small.items() if any(reasons)},
        "seconds": seconds_by_step(answers.values()),
    }  # fmt: skip


def summed_up(question: str, numbers: list[dict[str, float]]) -> dict[str, dict]:
    """{name: values, mean and standard deviation over the seeds} for the names that every seed has."""
    names = [name for name in numbers[0] if all(name in each for each in numbers)]
    return {name: spread([each[name] for each in numbers], unit_of(name)) for name in names}


def spread(values: list[float], unit: str) -> dict:
    sd = statistics.stdev(values) if len(values) > 1 else None
    return {"values": values, "mean": statistics.fmean(values), "sd": sd, "unit": unit}


def unit_of(name: str) -> str:
    units = {
        "probe accuracy": "accuracy",
        "precision": "share",
        "pairs": "share",
        "cluster purity": "share",
        "AUC": "area",
    }
    return next((unit for start, unit in units.items() if name.startswith(start)), "")


def seconds_by_step(answers: Iterable[dict]) -> dict[str, list[float]]:
    """Wall-clock seconds of each step, a value for each seed that took it."""
    found: dict[str, list[float]] = {}
    for seed in answers:
        total: dict[str, float] = {}
        for answer in seed.values():
            for step, seconds in answer["seconds"].items():
                total[step] = total.get(step, 0.0) + seconds
        for step, seconds in total.items():
            found.setdefault(step, []).append(round(seconds, 2))
    return found


def hardware(device: torch.device, threads: int) -> dict:
    return {
        "cpu": cpu_name(), "cores": os.cpu_count(), "threads": min(threads, os.cpu_count() or 1), "device": device.type,
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "torch": torch.__version__, "python": platform.python_version(), "system": platform.system(),
    }  # fmt: skip


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def draw_bars(results: dict, folder: Path) -> None:
    """The figures that show numbers over all seeds, put before the question's others."""
    for question, numbers in results["numbers"].items():
        if (wanted := QUESTIONS[question].bars) is None or not numbers:
            continue
        name, start, axis = wanted
        bars = {
            key.removeprefix(start): (value["mean"], value["sd"])
            if value["sd"] is not None
            else value["mean"]
            for key, value in numbers.items()
            if key.startswith(start)
        }
        chance = 1 / results["data"]["classes"]
        highlight = [key for key in bars if key.startswith(VICREG)]
        left_out = fill(results["too small"].get(question, ""), 70)  # the figure, too, says what is missing
        figure = plots.bars(bars, axis, chance, title=left_out, highlight=highlight)
        save(figure, folder / f"{name}.png")
        results["figures"][question] = [name, *results["figures"][question]]
