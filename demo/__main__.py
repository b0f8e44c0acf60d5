"""See VICReg learn, and three submissions graded: run it, then open the page whose path it prints last."""

import argparse
import base64
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

EXIT_OK, EXIT_USAGE, EXIT_FAULT, EXIT_INTERRUPTED = 0, 2, 3, 130
LEAST = 20  # images a split must have for a probe that means anything
TEMPLATES = Path(__file__).parent


def main(argv: list[str] | None = None) -> int:
    """Run the demo and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    names = "shapes, digits, cifar10, mnist or an .npz file (default: shapes)"
    parser.add_argument("--data", default="shapes", help=names)
    parser.add_argument("--out", type=Path, default=Path("demo-out"), metavar="DIR", help="default: demo-out")
    options = parser.parse_args(argv)
    # Threads that wait spin for a moment only: without end it made training ten times slower on a busy machine, and
    # not at all it makes it half as fast on an idle one.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    # These import PyTorch: not before the options are right.
    from assignment.provided.datasets import DatasetError
    from solutions.reproduce.checkpoints import RunError

    try:
        return run(options.data, options.out, Console(highlight=False))
    except (DatasetError, RunError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print("demo: interrupted; every file that is there is whole", file=sys.stderr)
        return EXIT_INTERRUPTED
    except OSError as error:
        where = error.filename or options.out
        print(f"demo: cannot write to {where}: {error.strerror or error}", file=sys.stderr)
        return EXIT_USAGE


def run(name: str, out: Path, console: Console) -> int:
    """Both halves, with the page written after each."""
    from autograder.sinks.console import scoreboard

    start = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    learned = learn(name, out, console)
    for features, accuracy in learned.accuracies().items():
        console.print(f"linear probe on {features:<18} {accuracy:.3f}")
    if reason := learned.results["too small"].get("Q3"):
        console.print(f"no linear probe: {reason}", markup=False, soft_wrap=True)
    page = write_page(out, learned, [], time.monotonic() - start)
    console.print()
    reports = grade_samples(out, console)
    console.print()
    console.print(scoreboard(reports))
    seconds = time.monotonic() - start
    write_page(out, learned, reports, seconds)
    console.print(f"Everything took {seconds:.0f} s. The page with figures and feedback:")
    print(page)
    return EXIT_FAULT if any(report.count("grader_fault") for report in reports) else EXIT_OK


# ---- the first half: learning ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Learned:
    """What the first half came to: the content of results.json, and the folder that holds it."""

    results: dict
    folder: Path

    def accuracies(self) -> dict[str, float]:
        """Test accuracies of the linear probe, by features; the best last."""
        found = {
            key.removeprefix("probe accuracy: "): value["mean"]
            for key, value in self.results["numbers"]["Q3"].items()
        }
        return dict(sorted(found.items(), key=lambda pair: pair[1]))

    def seconds(self) -> dict[str, float]:
        return {step: sum(taken) for step, taken in self.results["seconds"].items()}

    def figures(self) -> dict[str, Path]:
        """The figures of this run that the page shows, and those that say why one is missing."""
        names = [name for drawn in self.results["figures"].values() for name in drawn]
        wanted = [name for name in names if name in CAPTIONS or name.startswith("too_small")]
        return {name: self.folder / "figures" / f"{name}.png" for name in wanted}

    def words(self) -> str:
        """The budget as the page tells it."""
        data, settings = self.results["data"], self.results["settings"]
        return in_words(
            data["train images"],
            data["test images"],
            settings["epochs"],
            settings["batch_size"],
            settings["lr"],
        )


def affordable(name: str):
    """The preset of the training: what leaves the whole demo within three minutes on two cores."""
    from solutions.reproduce.presets import LAPTOP

    # On CIFAR-10 a wider encoder, which affords fewer epochs in the same time, was a little worse.
    return LAPTOP if name == "shapes" else LAPTOP.resized(n_train=8192, n_test=1000, epochs=12)


def learn(name: str, out: Path, console: Console) -> Learned:
    """Questions 1 to 3. Raises DatasetError when the data cannot be had or are too few."""
    import torch

    from assignment.provided.datasets import DatasetError, load
    from solutions.reproduce.pipeline import Request, reproduce
    from solutions.reproduce.progress import Steps

    data, preset = load(name), affordable(name)
    for split in ("train", "test"):
        if (count := len(getattr(data, f"x_{split}"))) < LEAST:
            needed = f"the demo needs at least {LEAST} images in x_{split}"
            raise DatasetError(f"{name}: {needed}, but there are {count}.")
    budget = preset.budget
    sizes = min(budget.n_train, len(data.x_train)), min(budget.n_test, len(data.x_test))
    words = in_words(*sizes, budget.epochs, budget.batch_size, budget.lr)
    console.print(
        f"Questions 1 to 3 with the reference, on {data.name}: {words}", markup=False, soft_wrap=True
    )
    request = Request(
        preset, out / "learned", questions=("Q1", "Q2", "Q3"), force=True, command="python -m demo",
        # Beside other work two threads wait for each other longer than one needs; OMP_NUM_THREADS=1 is the way out.
        threads=min(2, torch.get_num_threads()),
    )
    with Steps(console) as steps:
        return Learned(reproduce(request, lambda seed: data, data.x_test[:0], steps), request.out)


def in_words(train: int, test: int, epochs: int, batch_size: int, lr: float) -> str:
    """The budget as the page and the terminal tell it."""
    sizes = f"{train:,} training and {test:,} test images"
    return f"{sizes}, {epochs} epochs in batches of {batch_size}, learning rate {lr:g}, the small encoder"


# ---- the second half: grading ------------------------------------------------------------------------------


def grade_samples(out: Path, console: Console) -> list:
    """Grade the samples as `python -m autograder grade` does; the reports go to OUT/graded."""
    from autograder import rubric, sandbox
    from demo import samples
    from solutions.reproduce.progress import Steps

    whole, confinement = rubric.load(), sandbox.choose()
    console.print("Three submissions, as `python -m autograder grade` grades them", markup=False)
    console.print(f"Sandbox: {confinement.describe()}", markup=False, soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="samples-") as folder, Steps(console) as steps:
        paths = samples.build(Path(folder), whole.files)
        return [grade_sample(path, out / "graded" / path.name, whole, confinement, steps) for path in paths]


def grade_sample(path: Path, out: Path, whole, confinement, steps):
    from autograder import grading
    from autograder.commands import grade

    step, total, done = f"grading {path.name}", len(whole.items()), 0

    def on_item(_) -> None:
        nonlocal done
        done += 1
        steps(step, done, total)

    steps(step, 0, total)
    try:
        report = grading.grade(path, whole, whole, confinement, on_item)
    except Exception as error:  # the report says it, and the exit code
        report = grading.faulted(path.name, whole, confinement, error)
    grade.save(report, out)
    return report


# ---- the page ----------------------------------------------------------------------------------------------

CAPTIONS = {
    "views": "Task 1. Training images, each at the left of nine random views of it.",
    "loss": "Question 1. The terms of the loss: every training batch, and the test images once per epoch.",
    "maps": "Question 2. Representations of test images in the plane. The colors are the classes, "
    "which training never saw.",
    "probe": "Question 3. One linear layer on frozen features: test accuracy, beside what it makes of "
    "features that nobody trained.",
}


def write_page(out: Path, learned: Learned, reports: list, seconds: float) -> Path:
    """OUT/index.html, with the figures inside it and links to the submissions' reports."""
    from autograder import report
    from autograder.sinks import html

    pictures = learned.figures().items()
    figures = {name: (embedded(path), CAPTIONS.get(name, "Too few images.")) for name, path in pictures}
    links = {each.submission: f"graded/{each.submission}/report.html" for each in reports}
    template = html.environment(TEMPLATES).get_template("page.html.jinja")
    text = template.render(
        learned=learned, figures=figures, reports=reports,
        links=links, seconds=seconds, mistakes=mistakes(),
    )  # fmt: skip
    report.write_atomically(out / "index.html", text)
    return out / "index.html"


def embedded(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()


def mistakes() -> tuple[tuple[str, str], ...]:
    from demo.samples import MISTAKES

    return MISTAKES


if __name__ == "__main__":
    sys.exit(main())
