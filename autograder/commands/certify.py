"""`python -m autograder certify`: every known mistake is caught, charged once and named; no right variant is refused."""
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console

from autograder.commands import EXIT_OK, EXIT_OPEN, UsageError, add_command

HERE = Path(__file__).resolve().parent.parent.parent
RESULTS = HERE / "docs" / "certification" / "results.json"
PAGE = HERE / "docs" / "certification.md"
EXAMPLES = """
examples:
  python -m autograder certify vicreg.variance_loss     one function, in a minute or so
  python -m autograder certify vicreg training          the functions of two modules
  python -m autograder certify --jobs 2 --write         all, for docs/certification.md (hours on two cores)
  python -m autograder certify --jobs 2 --write --resume    the rest, after an interruption

Each mistake in autograder/misconceptions/ must be caught by a hidden item, cost points in no other task, and be named
by the diagnosis or not at all; each variant in autograder/proofs/variants/ must pass every item; of each pair of mistakes
that meet in one function, nothing wrong may be named.

exit codes: 0 all of it holds, 1 something does not, 2 wrong usage, 130 interrupted
"""


def register(commands) -> None:
    command = add_command(commands, "certify", "put known mistakes and right variants to the checks", EXAMPLES)
    command.add_argument("targets", nargs="*", metavar="TARGET", help="modules or module.function (default: all)")
    command.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at once (default 1)")
    command.add_argument("--only", choices=("mistakes", "variants", "pairs"), help="one part alone")
    command.add_argument("--write", action="store_true", help="write docs/certification.md and its results; what is not asked for stays")
    command.add_argument("--resume", action="store_true", help="keep what those results hold already")
    command.add_argument("--json", action="store_true", help="print the results as JSON")
    command.set_defaults(run=run)


def run(options, console: Console) -> int:
    from autograder.proofs.certification import results as certification

    work = certification.work(options.targets, options.only)
    if not work:
        raise UsageError(f"nothing to certify in {' '.join(options.targets)}: name modules or functions such as vicreg.variance_loss")
    if options.jobs < 1:
        raise UsageError("--jobs must be 1 or more")
    results = kept(certification) if options.resume or options.write else {}
    if not options.resume:
        asked = {job.key for job in work}
        results = {key: result for key, result in results.items() if key not in asked}
    todo = [job for job in work if job.key not in results]
    keep = (lambda: certification.save(RESULTS, results)) if options.write else (lambda: None)
    try:
        broken = perform(todo, results, options.jobs, console, keep)
    finally:
        keep()
    if options.write:
        certification.write_page(PAGE, results)
    results = {job.key: results[job.key] for job in work if job.key in results}
    if options.json:
        print(json.dumps(results, indent=2, ensure_ascii=False))
    else:
        console.print(certification.table(results), markup=False, soft_wrap=True)
    faults = certification.faults(results) + [f"{key}: {type(error).__name__}: {error}" for key, error in broken.items()]
    for fault in faults:
        console.print(f"  ✗ {fault}", markup=False, soft_wrap=True)
    return EXIT_OPEN if faults else EXIT_OK


def kept(certification) -> dict:
    """The stored results, without those of entries that are no more."""
    stored = certification.load(RESULTS)
    return {job.key: stored[job.key] for job in certification.work() if job.key in stored}


def perform(todo: list, results: dict, jobs: int, console: Console, keep) -> dict[str, BaseException]:
    """Run the jobs in processes of their own, and take in each result as it comes; returns what broke, by key."""
    from autograder.proofs.certification import judging
    from solutions.reproduce.progress import Steps

    with console.status("Tracing which checks reach which functions ..."):
        judging.functions_reached()
    broken: dict[str, BaseException] = {}
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    try:
        with Steps(console) as steps:
            steps("certifying", 0, len(todo))
            running = {pool.submit(job.perform): job for job in todo}
            for done, future in enumerate(as_completed(running), start=1):
                if future.exception() is None:
                    results[running[future].key] = future.result()
                else:
                    broken[running[future].key] = future.exception()
                steps("certifying", done, len(todo))
                if done % 20 == 0:
                    keep()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return broken
