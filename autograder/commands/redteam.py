"""`python -m autograder redteam`: hostile and faulty submissions, graded for real, and what became of each."""
import dataclasses
import json
import shutil
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder import sandbox
from autograder.commands import EXIT_OK, EXIT_OPEN, UsageError, add_command
from autograder.report import clean

EXAMPLES = """
examples:
  python -m autograder redteam                          everything, with the strongest sandbox here (about 15 minutes)
  python -m autograder redteam --row 4 --row 21         two rows of the threat list (docs/security.md)
  python -m autograder redteam --row 0 --sandbox none   the attacks of our own that need no sandbox to fail
  python -m autograder redteam --row 22 --out tried     keep the submissions and their reports

exit codes: 0 the grader held, 1 it did not, somewhere, 2 wrong usage, or a sandbox that is not there, 130 interrupted
"""


def register(commands) -> None:
    command = add_command(commands, "redteam", "attack the grader, and see whether it holds", EXAMPLES)
    command.add_argument("--row", type=int, action="append", default=[], dest="rows", metavar="N", help="only this row; 0 for our own")
    command.add_argument("--sandbox", choices=sandbox.MODES, default="auto", help="which confinement to use")
    command.add_argument("--out", type=Path, metavar="DIR", help="keep submissions and reports here")
    command.add_argument("--json", action="store_true", help="print the results as JSON on standard output")
    command.set_defaults(run=run)


def run(options, console: Console) -> int:
    from autograder.proofs import redteam
    from autograder.proofs.redteam.run import grade, play

    mode = sandbox.choose(options.sandbox).mode
    chosen = [each for each in [*redteam.attacks(), *redteam.scenarios()] if not options.rows or each.row in options.rows]
    if missing := set(options.rows) - {each.row for each in chosen}:
        raise UsageError(f"there is no row {min(missing)}; the rows are 0 (our own) to {max(redteam.ROWS)}")
    if options.out and options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise UsageError(f"{options.out} is not an empty folder")
    fitting = [each for each in chosen if mode in each.modes]
    base = options.out or Path(tempfile.mkdtemp(prefix="redteam-"))
    base.mkdir(parents=True, exist_ok=True)
    base = base.resolve()
    console.print(f"Sandbox: {sandbox.choose(options.sandbox).describe()}", markup=False, soft_wrap=True)
    if len(fitting) < len(chosen):
        console.print(f"{len(chosen) - len(fitting)} of {len(chosen)} ask for more of a sandbox, and are left out.")
    done = []

    def tell(outcome) -> None:
        done.append(outcome)
        console.print(line(len(done), len(fitting), outcome), soft_wrap=True)

    try:
        outcomes = grade([each for each in fitting if isinstance(each, redteam.Attack)], base / "attacks", mode, tell)
        for each in fitting:
            if isinstance(each, redteam.Scenario):
                outcomes.append(play(each, base / "scenarios" / each.name, mode))
                tell(outcomes[-1])
    finally:
        if not options.out:
            shutil.rmtree(base, ignore_errors=True)
    outcomes.sort(key=lambda each: each.row or max(redteam.ROWS) + 1)
    if options.json:
        print(json.dumps([{**dataclasses.asdict(each), "held": each.held} for each in outcomes], indent=2, ensure_ascii=False))
    else:
        show(outcomes, console)
    return EXIT_OK if all(each.held for each in outcomes) else EXIT_OPEN


def line(number: int, count: int, outcome) -> Text:
    """Progress: one line an attack."""
    verdict = ("held  ", "green") if outcome.held else ("BROKEN", "bold red")
    return Text.assemble(f"{number:3} of {count}  ", verdict, f"  row {outcome.row or '-'}: {outcome.name}")


def show(outcomes: list, console: Console) -> None:
    table = Table(title="Red team", title_justify="left", padding=(0, 1))
    for name, style in (("row", {"justify": "right"}), ("what was tried", {}), ("what happened", {}), ("", {"no_wrap": True})):
        table.add_column(name, **style)
    for each in outcomes:
        verdict = Text("held", "green") if each.held else Text("BROKEN", "bold red")
        table.add_row(str(each.row or "-"), Text(each.tried), Text(clean(each.happened)), verdict)
    console.print(table)
    for each in outcomes:
        if not each.held:
            console.print(f"{each.name}: {clean(each.broken, 1500)}", markup=False, soft_wrap=True)
    held = sum(each.held for each in outcomes)
    console.print(f"{held} of {len(outcomes)} held.")
