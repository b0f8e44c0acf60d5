"""Train the reference, answer every question of the exercise, and write figures, numbers and a report."""

import argparse
import os
import shlex
import signal
import sys
from pathlib import Path

from rich.console import Console

SIZES = ("seeds", "threads", "epochs", "train-images", "test-images")
EXIT_OK, EXIT_USAGE, EXIT_INTERRUPTED = 0, 2, 130
EXAMPLES = """
examples:
  python -m solutions.reproduce --out results                          about 3 minutes on two cores
  python -m solutions.reproduce --out results --seeds 5                mean ± sd for every number
  python -m solutions.reproduce --out results --seeds 5 --resume       goes on where it was interrupted
  python -m solutions.reproduce --preset cpu --out results-cpu --data cifar10.npz --anomalies mnist.npz
  python -m solutions.reproduce --preset handout --out results-gpu     all of CIFAR-10: for a GPU
  python -m solutions.reproduce --out results --questions Q1 Q3 A

exit codes: 0 done, 2 wrong usage, data or folder, 130 interrupted (--resume goes on)
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    # Threads that wait spin for a moment only: without end it made training ten times slower on a busy machine, and
    # not at all it makes it half as fast on an idle one.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # what an Apple GPU lacks, the CPU does
    # A job that is canceled keeps what it finished, as under Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(parser().parse_args(argv), argv)
    except KeyboardInterrupt:
        print("reproduce: interrupted; the same command goes on with --resume (in place of --force)", file=sys.stderr)
        return EXIT_INTERRUPTED


def parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        "python -m solutions.reproduce", description=__doc__, epilog=EXAMPLES, formatter_class=form
    )
    top.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="where figures, report.html and results.json go",
    )
    top.add_argument(
        "--preset",
        default="laptop",
        choices=("laptop", "cpu", "handout"),
        help="how much of all (default: laptop)",
    )
    top.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="repeat everything with seeds 0 to N-1"
    )
    top.add_argument("--questions", nargs="+", metavar="Q", help="only these: Q1 Q2 Q3 Q4 Q6 Q7 Q8 A C LO")
    names = "shapes, digits, cifar10, mnist or an .npz file"
    top.add_argument("--data", metavar="DATA", help=f"normal images: {names} (default: the preset's)")
    top.add_argument(
        "--anomalies",
        metavar="DATA",
        help="anomalies: test images of such a data set (default: the preset's)",
    )
    top.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    top.add_argument("--threads", type=int, default=2, metavar="N", help="on the CPU (default: 2)")
    add_sizes(top)
    again = top.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", action="store_true", help="go on with the run in DIR, from what it has finished"
    )
    again.add_argument(
        "--force", action="store_true", help="begin anew, deleting what the run in DIR has finished"
    )
    return top


def add_sizes(top: argparse.ArgumentParser) -> None:
    for name in SIZES[2:]:
        top.add_argument(f"--{name}", type=int, metavar="N", help="instead of the preset's")


def run(options: argparse.Namespace, argv: list[str] | None) -> int:
    for name in ("out", "data", "anomalies"):
        if str(getattr(options, name)) in ("", "."):  # a shell variable that is not set
            return refuse(f"--{name} must be neither empty nor the current folder")
    for name in SIZES:
        value = getattr(options, name.replace("-", "_"))
        if value is not None and value < 1:
            return refuse(f"--{name} must be at least 1, not {value}")
    # These import PyTorch: not before the options are right.
    from assignment.provided.datasets import DatasetError

    from .checkpoints import RunError

    try:
        return work(options, sys.argv[1:] if argv is None else argv)
    except (DatasetError, RunError) as error:
        return refuse(str(error))
    except OSError as error:
        return refuse(f"cannot read or write {error.filename or options.out}: {error.strerror or error}")


def refuse(reason: str) -> int:
    print(f"reproduce: {reason}", file=sys.stderr)
    return EXIT_USAGE


def work(options: argparse.Namespace, argv: list[str]) -> int:
    from assignment.provided.datasets import load

    from .pipeline import Request, reproduce
    from .progress import Steps
    from .run import choose_device

    request = Request(
        preset_of(options), options.out, tuple(range(options.seeds)), questions_of(options.questions),
        choose_device(options.device), options.threads, options.resume, options.force,
        "python -m solutions.reproduce " + shlex.join(argv),
    )  # fmt: skip
    preset, console = request.preset, Console(highlight=False)
    console.print(f"{preset.name}: {preset.told}. Device: {request.device}.", markup=False, soft_wrap=True)
    with Steps(console) as steps:
        steps("loading data", 0, 1)
        odd = load(preset.anomalies if options.anomalies is None else options.anomalies)
        odd = odd.x_test[: preset.budget.n_test]
        name = preset.data if options.data is None else options.data
        data = load(name)
        steps("loading data", 1, 1)
        generated = name == "shapes"  # each seed has images of its own
        results = reproduce(
            request, lambda seed: load("shapes", seed=seed) if generated else data, odd, steps
        )
    print_numbers(results, console)
    console.print(f"Everything took {results['total seconds']:.0f} s. The report:")
    print(options.out / "report.html")
    return EXIT_OK


def preset_of(options: argparse.Namespace):
    from .presets import PRESETS

    return PRESETS[options.preset].resized(
        epochs=options.epochs, n_train=options.train_images, n_test=options.test_images
    )


def questions_of(names: list[str] | None) -> tuple[str, ...]:
    """The questions of these names, in the exercise's order. Raises RunError for one that does not exist."""
    from .checkpoints import RunError
    from .questions import QUESTIONS

    known = {each.upper(): each for each in QUESTIONS}
    for name in names or []:
        if name.upper() not in known:
            raise RunError(
                f"there is no question {name!r} to run: choose among {', '.join(QUESTIONS)} (Q5 is theory)"
            )
    return tuple(each for each in QUESTIONS if not names or each.upper() in map(str.upper, names))


def print_numbers(results: dict, console: Console) -> None:
    for question, numbers in results["numbers"].items():
        for name, value in numbers.items():
            sd = "" if value["sd"] is None else f" ± {value['sd']:.3f}"
            console.print(f"{question:<3} {name:<66} {value['mean']:.3f}{sd}", markup=False, soft_wrap=True)
        if reason := results["too small"].get(question):
            console.print(f"{question:<3} too small: {reason}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
