"""`python -m autograder calibrate`: how seldom a right submission misses a threshold, and how surely a wrong one does."""

import json
from pathlib import Path

from rich.console import Console

from autograder.commands import EXIT_OK, EXIT_OPEN, UsageError, add_command

OUT = Path(__file__).resolve().parent.parent.parent / "docs" / "calibration"
EXAMPLES = """
examples:
  python -m autograder calibrate retrieval.precision       one item, in a minute or so
  python -m autograder calibrate training.no_collapse representations.probe_accuracy
  python -m autograder calibrate --resume                  all of them, or what is missing (about an hour of one core)

Each threshold item is measured with the reference and with known mistakes, over seeds of data, weights and draws.
OUT/<item>.json has every value, OUT/<item>.png shows them, OUT.md has the tables. Every measurement is kept at once:
after an interruption `--resume` goes on. The items are those of autograder/proofs/calibration/items.py.

exit codes: 0 every threshold lies in its band, 1 some do not, 2 wrong usage, 130 interrupted
"""


def register(commands) -> None:
    command = add_command(commands, "calibrate", "measure the thresholds with right and wrong submissions", EXAMPLES)
    command.add_argument("items", nargs="*", metavar="ITEM", help="threshold items (default: all)")
    command.add_argument("--seeds", type=int, metavar="N", help="of the reference (default 30, or what the item says)")
    command.add_argument("--wrong-seeds", type=int, default=10, metavar="N", help="of each mistake (default 10)")
    command.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="where the results go (docs/calibration)")
    command.add_argument("--resume", action="store_true", help="keep what DIR holds already, and measure the rest")
    command.add_argument("--json", action="store_true", help="print the summaries as JSON")
    command.set_defaults(run=run)


def run(options, console: Console) -> int:
    from autograder.proofs.calibration import judging, measuring, pages

    items = chosen(options.items)
    if any(count is not None and count < 2 for count in (options.wrong_seeds, options.seeds)):
        raise UsageError("--seeds and --wrong-seeds must be 2 or more: one value has no spread")
    if options.out.exists() and not options.out.is_dir():
        raise UsageError(f"{options.out} is a file; --out names a folder")
    measure(items, options, console)
    faults, summaries = [], {}
    for item in items:
        runs = measuring.finish(options.out, item)
        summaries[item.id] = judging.summary(item, runs)
        faults += judging.faults(item, runs)
    page = pages.write(options.out)
    if options.json:
        print(json.dumps(summaries, indent=2, ensure_ascii=False))
    for fault in faults:
        console.print(f"  ✗ {fault}", markup=False, soft_wrap=True)
    console.print(f"Results: {options.out}, {page}", markup=False, soft_wrap=True)
    return EXIT_OPEN if faults else EXIT_OK


def chosen(names: list[str]) -> list:
    """The items of these names, all for none."""
    from autograder.proofs.calibration.items import BY_ID, ITEMS

    unknown = [name for name in names if name not in BY_ID]
    if unknown:
        raise UsageError(f"{unknown[0]} is no threshold item: there are {', '.join(BY_ID)}")
    return [BY_ID[name] for name in names] or ITEMS


def measure(items: list, options, console: Console) -> None:
    from autograder.proofs.calibration import measuring
    from solutions.reproduce.progress import Steps

    with Steps(console) as steps:
        measuring.calibrate(items, options.seeds, options.wrong_seeds, options.out, options.resume, steps)
