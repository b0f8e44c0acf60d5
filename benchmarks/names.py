"""What does the diagnosis say of mistakes that it does not know? `python -m benchmarks.names`

Each mutant of benchmarks.mutation that a check catches takes the student's place, and the diagnosis is asked about every
function of the reference that runs what was changed, in its own module and in others. It knows the mistakes in
autograder/misconceptions/, and a mutant is seldom one of them: mostly it should be silent. Whatever it names is judged by
hand, and docs/mutation/names.toml says whether what the student would be told is true, and why.
"""

import argparse
import ast
import collections
import dataclasses
import functools
import math
import os
import random
import re
import sys
import time
import tomllib
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # a known mistake asks for more threads: a forked process would wait for ever

import torch
from rich.console import Console
from rich.progress import Progress

from autograder import diagnosis, interrupts, misconceptions
from autograder.misconceptions.mutants import package_of, source_of
from autograder.proofs import harness
from autograder.student import LocalChannel
from autograder.tasks import TASK_OF_MODULE
from benchmarks import mutation
from benchmarks.mutation import Mutant

JUDGMENTS = mutation.RECORD / "names.toml"
EPILOG = """
examples:
  python -m benchmarks.names vicreg warmup
  python -m benchmarks.names --sample 100
  python -m benchmarks.names --out docs/mutation/names.json --resume

exit codes: 0 every name is judged in docs/mutation/names.toml, 1 some are not, 2 wrong usage, 130 interrupted (what was
            asked is in OUT; --resume goes on)
"""


# Whom to ask about


@functools.cache
def concerned(module: str, changed: str) -> tuple[str, ...]:
    """The functions in which mistakes can be named that use this name at the top level of the module, the nearest first."""
    found = [f"{module}.{changed}"]
    for current in found:
        found += [name for name, used in uses().items() if current in used and name not in found]
    return tuple(name for name in found if name in misconceptions.nameable())


@functools.cache
def uses() -> dict[str, set[str]]:
    """The names at the top level of solutions/ that each function (or constant) there uses, as "module.name"."""
    found = {}
    for module in TASK_OF_MODULE:
        tree = ast.parse(source_of(module))
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.level == 1]
        imported = {alias.name: f"{node.module}.{alias.name}" for node in imports for alias in node.names}
        for node in tree.body:
            used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            for name in [node.name] if hasattr(node, "name") else used:
                found[f"{module}.{name}"] = {imported.get(each, f"{module}.{each}") for each in used - {name}}
    return found


def changed_name(mutant: Mutant) -> str:
    """The function at the top level that is changed, or the constant."""
    return mutant.function.split("#")[0] or re.match(r"\w+", mutant.removed).group()


def caught(module: str, verdicts: mutation.Results) -> list[Mutant]:
    """The mutants of a module that a check caught."""
    outcomes = verdicts.get(module, {})
    passed = ("", mutation.SURVIVED, mutation.TIMEOUT)
    return [each for each in mutation.mutants(module) if outcomes.get(each.id, "").split(" ")[0] not in passed]


def sample(chosen: dict[str, list[Mutant]], count: int) -> dict[str, list[Mutant]]:
    """About `count` of them, always the same: from each module its share, and at least one."""
    share = min(1, count / max(1, sum(map(len, chosen.values()))))
    found = {}
    for module, those in chosen.items():
        drawn = random.Random(module).sample(range(len(those)), math.ceil(share * len(those)))
        found[module] = [those[place] for place in sorted(drawn)]
    return found


# Asking


def ask(mutant: Mutant) -> list[str]:
    """The mistakes that are named, as "function: name"; where time runs out, those that were named by then."""
    return mutation.last_told([], _ask, mutant)[0]


def _ask(mutant: Mutant, told) -> None:
    """In a process of its own: tells the names anew after each function."""
    mutation.limit_itself()
    found: dict[str, None] = {}
    with package_of({mutant.module: mutant.source}) as package, harness.one_thread():
        asked = diagnosis.Diagnosis(LocalChannel(package), {})
        for target in concerned(mutant.module, changed_name(mutant)):
            found |= dict.fromkeys(f"{each.target}: {each.name}" for each in asked.of(target))
            told.send((list(found), False))
    told.send((list(found), True))


def prepare(todo: list[Mutant], progress: Progress) -> None:
    """Find the facts of all known mistakes once, for the processes that are forked afterwards."""
    targets = dict.fromkeys(target for each in todo for target in concerned(each.module, changed_name(each)))
    with harness.one_thread():
        for target in progress.track(list(targets), description="known mistakes"):
            entries = [(entry,) for entry in misconceptions.entries(target)]
            right = [(), *((freedom,) for freedom in misconceptions.freedoms(target))]
            for each in right + entries + diagnosis.freely(entries, target) + diagnosis.pairs_within(target):
                diagnosis.facts_of(target, *each)


# What was found, and what was judged by hand. Results, as in benchmarks.mutation: {module: {mutant's id: what `ask` returned}}


@dataclasses.dataclass(frozen=True)
class Judgment:
    """Whether what the student would be told is true of the mutant."""

    right: bool
    why: str


@functools.cache
def judgments() -> dict[tuple[str, ...], Judgment]:
    """By the mutant's key and the name."""
    entries = tomllib.loads(JUDGMENTS.read_text(encoding="utf-8"))["judgment"]
    return {
        (each["module"], *lines, name): Judgment(each["right"], each["why"])
        for each in entries
        for lines in each["mutants"]
        for name in each["names"]
    }


def verdict(mutant: Mutant, names: list[str]) -> str:
    """What the names of one mutant are together: "silent", "right", "wrong" where one is, or "not judged" where one is not."""
    if not names:
        return "silent"
    found = [judgments().get((*mutant.key, name)) for name in names]
    if None in found:
        return "not judged"
    return "right" if all(each.right for each in found) else "wrong"


def counts(outcomes: dict[str, list[str]], module: str) -> dict[str, int]:
    found = collections.Counter(verdict(each, outcomes[each.id]) for each in mutation.mutants(module) if each.id in outcomes)
    row = {"asked": len(outcomes), "silent": found["silent"], "named": len(outcomes) - found["silent"]}
    return row | {name: found[name] for name in ("right", "wrong", "not judged")}


def table(rows: dict[str, dict[str, int]]) -> str:
    """The counts of each module, and of all, in Markdown."""
    rows = rows | {"all": {name: sum(row[name] for row in rows.values()) for name in next(iter(rows.values()))}}
    names = list(rows["all"])
    lines = [f"| module | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {module} | {' | '.join(str(row[name]) for name in names)} |" for module, row in rows.items()]
    return "\n".join(lines)


def open_names(outcomes: dict[str, list[str]], module: str) -> list[tuple[Mutant, str]]:
    """The mutants with each name that is not judged yet."""
    given = [(each, name) for each in mutation.mutants(module) for name in outcomes.get(each.id, [])]
    return [(mutant, name) for mutant, name in given if (*mutant.key, name) not in judgments()]


# The command


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    console = Console(highlight=False, soft_wrap=True)
    torch.set_num_threads(1)
    interrupts.install()  # SIGTERM is a Ctrl-C, too
    try:
        ask_all(options, console)
    except KeyboardInterrupt:
        print(f"benchmarks.names: interrupted; what was asked is in {options.out}, --resume goes on", file=sys.stderr)
        return 130
    console.print("\n" + table({module: counts(options.results[module], module) for module in options.modules}), markup=False)
    left = [each for module in options.modules for each in open_names(options.results[module], module)]
    for mutant, name in left:
        lines = f"{mutant.module}.{mutant.function}\n- {mutant.removed}\n+ {mutant.added}"
        console.print(f"\n{lines}\n{name}: {told(name)}", markup=False)
    return int(bool(left))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    found = argparse.ArgumentParser("python -m benchmarks.names", description=__doc__, epilog=EPILOG, formatter_class=raw)
    found.add_argument("modules", nargs="*", metavar="MODULE", help="of solutions/ (default: all)")
    found.add_argument("--out", type=Path, default=Path("build/names.json"), help="the names (default: %(default)s)")
    found.add_argument("--resume", action="store_true", help="ask only about mutants that OUT does not know")
    found.add_argument("--sample", type=int, metavar="N", help="ask about N mutants or a few more, some of each module")
    options = found.parse_args(arguments)
    if unknown := set(options.modules) - set(TASK_OF_MODULE):
        found.error(f"there is no module {min(unknown)!r}; the modules are {', '.join(TASK_OF_MODULE)}")
    if options.sample is not None and options.sample < 1:
        found.error("--sample takes a number from 1 on")
    options.modules = options.modules or list(TASK_OF_MODULE)
    try:
        options.results = mutation.read(options.out)
    except (OSError, ValueError) as error:
        found.error(f"{options.out} holds no results: {error}")
    return options


def ask_all(options, console: Console) -> None:
    """Ask about what is asked for, and save the names at the end, also at an early one."""
    results, chosen = options.results, {module: caught(module, verdicts()) for module in options.modules}
    if options.sample is not None:
        chosen = sample(chosen, options.sample)
    for module in options.modules:
        known = results.get(module, {}) if options.resume else {}
        results[module] = {each.id: known[each.id] for each in mutation.mutants(module) if each.id in known}
    todo = [each for module in chosen for each in chosen[module] if each.id not in results[module]]
    console.print(f"{len(todo)} mutants to ask about", markup=False)
    start = time.monotonic()
    with mutation.kept(results, options.out), Progress(console=console, disable=not console.is_terminal) as progress:
        prepare(todo, progress)
        for mutant in progress.track(todo, description="mutants"):
            results[mutant.module][mutant.id] = ask(mutant)
    console.print(f"asked in {time.monotonic() - start:.0f} s", markup=False)


def verdicts() -> mutation.Results:
    return mutation.read(mutation.RECORD / "results.json")


def told(name: str) -> str:
    """What the student reads about the mistake "function: name"."""
    return next(each.told for each in misconceptions.entries() if f"{each.target}: {each.name}" == name)


if __name__ == "__main__":
    sys.exit(main())
