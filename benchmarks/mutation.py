"""Mutation testing of the checks: does a small change in the reference go unnoticed? `python -m benchmarks.mutation`

mutmut's operators change one place of solutions/*.py at a time. Each mutant takes the student's place, in a process of
its own: the checks of its task run, then those of the tasks that build on it, until one refuses it. The reference that
hidden checks compare with stays as it is. A mutant that no check refuses survives: it is no other program, or one that
the exercise allows (docs/mutation/survivors.toml says which and why), or the checks have a hole.

What is mutated: the code between the markers of solutions/, that is, what students write. Left out, as nothing is to be
learned from them: annotations, imports, decorators, docstrings, the messages of exceptions; and None in the place of an
argument wherever the argument can also be left out, for mutmut does both.
"""

import argparse
import collections
import contextlib
import dataclasses
import difflib
import functools
import hashlib
import json
import multiprocessing
import os
import re
import resource
import signal
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import libcst as cst
import torch
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider, WhitespaceInclusivePositionProvider
from mutmut.mutation.mutators import mutation_operators
from rich.console import Console
from rich.progress import Progress

from autograder import interrupts, rubric
from autograder.misconceptions.mutants import package_of
from autograder.proofs import harness
from autograder.student import LocalChannel
from autograder.tasks import TASK_OF_FUNCTION, TASK_OF_MODULE
from autograder.worker import confine

RECORD = harness.ROOT / "docs" / "mutation"
REASONS = RECORD / "survivors.toml"
KINDS = ("equivalent", "freedom", "unseen")
CPU_SECONDS = 60  # for all checks of one mutant; the reference takes 12 at most
WALL_SECONDS = 600  # without a word: one that waits takes no CPU time
TRAINING = ("training.no_collapse", "representations.probe_accuracy")  # both train, for 7 s, and once for both
SURVIVED, TIMEOUT = "survived", "timeout"
EPILOG = """
examples:
  python -m benchmarks.mutation vicreg warmup
  python -m benchmarks.mutation --out docs/mutation/results.json --resume
  python -m benchmarks.mutation --out docs/mutation/results.json --survivors   (after a check became stricter)

exit codes: 0 every survivor has a reason in docs/mutation/survivors.toml, 1 some have none, 2 wrong usage, or a check
            that refuses the reference itself, 130 interrupted (what was judged is in OUT; --resume goes on)
"""


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change of one module. `removed` and `added` are the lines that differ, without what is around them."""

    module: str
    function: str  # at the top level; with #2, #3, … where the same lines change in the same way again
    operator: str
    removed: str
    added: str
    source: str = dataclasses.field(repr=False)

    @property
    def id(self) -> str:
        """Names the changed program: it stays while the code between the markers does."""
        return hashlib.sha256(f"{self.module}\n{between_markers(self.source)}".encode()).hexdigest()[:12]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What a reason in survivors.toml goes by."""
        return self.module, self.function, self.removed, self.added


def marked_lines(source: str) -> set[int]:
    """The numbers of the lines between BEGIN SOLUTION and END SOLUTION."""
    found, inside = set(), False
    for number, line in enumerate(source.splitlines(), start=1):
        if line.strip() in ("### BEGIN SOLUTION", "### END SOLUTION"):
            inside = "BEGIN" in line
        elif inside:
            found.add(number)
    return found


def between_markers(source: str) -> str:
    wanted = marked_lines(source)
    return "\n".join(line for number, line in enumerate(source.splitlines(), start=1) if number in wanted)


# Making mutants


class Places(cst.CSTVisitor):
    """Collects (operator, where, what comes there) for the nodes of the marked lines."""

    METADATA_DEPENDENCIES = (PositionProvider, WhitespaceInclusivePositionProvider)
    LEFT_OUT = (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom, cst.Raise)

    def __init__(self, lines: set[int]):
        super().__init__()
        self.lines = lines
        self.found: list[tuple[str, CodeRange, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        position = self.get_metadata(PositionProvider, node, None)
        if position and position.start.line in self.lines:
            where = self.get_metadata(WhitespaceInclusivePositionProvider, node)
            for kind, operator in mutation_operators:
                if isinstance(node, kind):
                    self.found += [(operator.__name__, where, each) for each in operator(node) if not redundant(node, each)]
        return not isinstance(node, self.LEFT_OUT)


def redundant(node: cst.CSTNode, mutated: cst.CSTNode) -> bool:
    """Whether an argument became None that another mutant leaves out."""
    same_count = isinstance(node, cst.Call) and isinstance(mutated, cst.Call) and len(node.args) == len(mutated.args) > 1
    return same_count and node.func is mutated.func


@functools.cache
def mutants(module: str) -> tuple[Mutant, ...]:
    """All mutants of solutions/<module>.py, each program once, in the order of its lines."""
    source = (harness.ROOT / "solutions" / f"{module}.py").read_text(encoding="utf-8")
    wrapper = MetadataWrapper(cst.parse_module(source))
    places = Places(marked_lines(source))
    wrapper.visit(places)
    found, seen, repeated = [], {source}, collections.Counter()
    for operator, where, mutated in places.found:
        text = replaced(source, where, wrapper.module.code_for_node(mutated))
        if text in seen:
            continue
        seen.add(text)
        function, *lines = difference(source, text)
        repeated[function, *lines] += 1
        times = repeated[function, *lines]
        name = function if times == 1 else f"{function}#{times}"
        found.append(Mutant(module, name, operator.removeprefix("operator_"), *lines, text))
    return tuple(found)


def replaced(source: str, where: CodeRange, code: str) -> str:
    """`source` with `code` in one place (libcst can do that itself, 50 times slower)."""
    lines = source.splitlines(keepends=True)
    first, last = lines[where.start.line - 1][: where.start.column], lines[where.end.line - 1][where.end.column :]
    return "".join([*lines[: where.start.line - 1], first, code, last, *lines[where.end.line :]])


def difference(before: str, after: str) -> tuple[str, str, str]:
    """The function at the top level that is changed ("" outside), the lines that go, and those that come."""
    old, new = before.splitlines(), after.splitlines()
    changes = [each for each in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if each[0] != "equal"]
    start, end = changes[0][1], changes[-1][2]
    removed, added = old[start:end], new[start : changes[-1][4]]
    heads = [re.match(r"(?:def|class) (\w+)|(?=\S)", line) for line in old[: start + 1]]
    heads = [each for each in heads if each and not re.match(r"[)#@]", each.string)]
    return heads[-1].group(1) or "", *(" ".join(map(str.strip, lines)) for lines in (removed, added))


# Judging them


def own_tasks(module: str) -> list[str]:
    return [TASK_OF_MODULE[module], *(task for (name, _), task in TASK_OF_FUNCTION.items() if name == module)]


def other_tasks(module: str) -> list[str]:
    """The tasks whose modules import this one; for training, the one that probes what was trained."""
    found = ["representations"] if module == "training" else []
    for name in TASK_OF_MODULE:
        text = (harness.ROOT / "solutions" / f"{name}.py").read_text(encoding="utf-8")
        if re.search(rf"^from \.{module} import", text, re.MULTILINE):
            found += own_tasks(name)
    return [task for task in dict.fromkeys(found) if task not in own_tasks(module)]


@functools.cache
def checks(module: str, others: bool) -> tuple[harness.Check, ...]:
    """The checks that a mutant of the module has to pass: those of its own tasks, then of those that build on it.

    The two that train are for mutants of the training alone, and last: they are too coarse and too slow for others.
    """
    tasks = own_tasks(module) + (other_tasks(module) if others else [])
    found = [check for task in tasks for check in harness.checks(task)]
    found = [check for check in found if module == "training" or check.item not in TRAINING]
    return tuple(sorted(found, key=lambda check: check.item in TRAINING))


def judge(mutant: Mutant) -> str:
    """The item that refuses it; or "timeout <item>"; or "survived".

    The checks of other tasks run where those of its own let it pass and no reason says that they may.
    """
    item, too_slow = last_told("", _try_checks, mutant, not may_survive(mutant))
    return f"{TIMEOUT} {item}" if too_slow else item


def last_told(nothing, work: Callable, *arguments) -> tuple:
    """What `work`, in a process of its own, told last, and whether it was too slow; `nothing` where it told nothing.

    `work` gets the arguments and a connection, on which it sends pairs: what it tells, and whether it is done.
    """
    context = multiprocessing.get_context("fork")  # PyTorch is there already
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*arguments, theirs), daemon=True)
    process.start()
    theirs.close()
    last, over, waiting = nothing, False, True
    try:
        while not over and (waiting := ours.poll(WALL_SECONDS)):
            last, over = ours.recv()
    except EOFError:  # the process is gone: too slow, or brought down
        process.join()
    finally:
        process.kill()
        process.join()
        ours.close()
    return last, not waiting or process.exitcode == -signal.SIGXCPU


def _try_checks(mutant: Mutant, others: bool, told) -> None:
    """In a process of its own: tells each check before it runs, and at the end the verdict."""
    limit_itself()
    shared: dict = {}
    full = rubric.load()
    items = {item.id: full.worker_limits(item) for item in full.items()}
    harness.LocalChannel = Limited
    with package_of({mutant.module: mutant.source}) as name, harness.one_thread():
        for check in checks(mutant.module, others):
            told.send((check.item, False))
            Limited.seconds = items[check.item].call_seconds
            if items[check.item].return_memory:
                confine.return_freed_memory()
            error, _ = harness.run_check(check, name, shared)
            if error is not None:
                told.send((f"{TIMEOUT} {check.item}" if isinstance(error, TooSlow) else check.item, True))
                return
    told.send((SURVIVED, True))


class TooSlow(BaseException):
    """A call took longer than the grader waits; no Exception, so that no check takes it for the mutant's own."""


class Limited:
    """A LocalChannel with the grader's limit of a call, in CPU time, lest a busy machine count.

    It is none by its type, so that checks about memory run in full, as they do where the grader limits it.
    """

    seconds: float

    def __init__(self, package: str):
        self.inner = LocalChannel(package)

    def request(self, message: dict) -> dict:
        start = time.process_time()
        reply = self.inner.request(message)
        if time.process_time() - start > self.seconds:
            raise TooSlow
        return reply


def limit_itself() -> None:
    """No output, no more memory than the grader gives a submission, and an end of the time. Ctrl-C is for the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    memory = int(rubric.load().limits["memory_mib"]) * 1024**2
    confine.set_limit(resource.RLIMIT_DATA, confine.data_bytes() + memory)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))


def refused_reference(module: str) -> str | None:
    """The item that refuses the reference itself. Also loads, before the first fork, all that checks import."""
    shared: dict = {}
    with package_of({}) as name, harness.one_thread():
        for check in checks(module, True):
            if check.item not in TRAINING and harness.run_check(check, name, shared)[0] is not None:
                return check.item
    return None


# Results: {module: {mutant's id: what `judge` returned}}

Results = dict[str, dict[str, str]]


def read(path: Path) -> Results:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(results: Results, path: Path) -> None:
    """Whole or not at all; in the order of the mutants."""
    ordered = {
        module: {mutant.id: results[module][mutant.id] for mutant in mutants(module) if mutant.id in results[module]}
        for module in sorted(results)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why a survivor may survive; or, of kind "closed", why it survives no more."""

    kind: str
    why: str


@functools.cache
def reasons() -> dict[tuple[str, str, str, str], Reason]:
    """By the mutant's key."""
    entries = tomllib.loads(REASONS.read_text(encoding="utf-8"))["reason"]
    return {(each["module"], *lines): Reason(each["kind"], each["why"]) for each in entries for lines in each["mutants"]}


def may_survive(mutant: Mutant) -> bool:
    return mutant.key in reasons() and reasons()[mutant.key].kind in KINDS


def counts(outcomes: dict[str, str], module: str) -> dict[str, int]:
    """How many of the module's mutants were noticed, how many before checks became stricter, and what the others are."""
    found = collections.Counter({"mutants": len(outcomes)})
    for mutant in mutants(module):
        outcome = outcomes.get(mutant.id)
        reason = reasons().get(mutant.key)
        if outcome == SURVIVED:
            found[reason.kind if may_survive(mutant) else "left"] += 1
        elif outcome is not None:
            found["timed out" if outcome.startswith(TIMEOUT) else "caught"] += 1
            found["at first"] += reason is None
    return {name: found[name] for name in ("mutants", "at first", "caught", "timed out", *KINDS, "left")}


def score(count: dict[str, int]) -> float:
    """The share that is noticed, of all mutants that are another program."""
    return (count["caught"] + count["timed out"]) / max(1, count["mutants"] - count["equivalent"])


def table(rows: dict[str, dict[str, int]]) -> str:
    """The counts of each module, and of all, in Markdown."""
    rows = rows | {"all": {name: sum(row[name] for row in rows.values()) for name in next(iter(rows.values()))}}
    names = list(rows["all"])
    lines = [f"| module | {' | '.join(names)} | score |", "|---" * (len(names) + 2) + "|"]
    for module, row in rows.items():
        lines.append(f"| {module} | {' | '.join(str(row[name]) for name in names)} | {score(row):.1%} |")
    return "\n".join(lines)


def reason_table(modules: list[str]) -> str:
    """The reasons with how many mutants each is for, in Markdown."""
    found = collections.Counter((key[0], reason) for key, reason in reasons().items() if key[0] in modules)
    order = [*KINDS, "closed"]
    rows = sorted(found.items(), key=lambda row: (modules.index(row[0][0]), order.index(row[0][1].kind)))
    lines = [f"| {module} | {reason.kind} | {count} | {reason.why} |" for (module, reason), count in rows]
    return "\n".join(["| module | kind | mutants | reason |", "|---|---|---|---|", *lines])


# The command


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    console = Console(stderr=options.json, highlight=False, soft_wrap=True)
    modules, results = options.modules, options.results
    torch.set_num_threads(1)
    interrupts.install()  # SIGTERM is a Ctrl-C, too
    try:
        for module in modules:
            if not judge_module(module, results, options, console):
                return 2
    except KeyboardInterrupt:
        print(f"benchmarks.mutation: interrupted; what was judged is in {options.out}, --resume goes on", file=sys.stderr)
        return 130
    rows = {module: counts(results[module], module) for module in modules}
    left = [each for module in modules for each in unexplained(results[module], module)]
    if options.json:
        print(json.dumps({"modules": rows, "left": [each.key for each in left]}, indent=2))
    else:
        console.print("\n" + table(rows), markup=False)
        if options.reasons:
            console.print("\n" + reason_table(modules), markup=False)
        for mutant in left:
            console.print(f"\n{mutant.module}.{mutant.function or '(module)'}\n- {mutant.removed}\n+ {mutant.added}", markup=False)
    return int(bool(left))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    found = argparse.ArgumentParser("python -m benchmarks.mutation", description=__doc__, epilog=EPILOG, formatter_class=raw)
    found.add_argument("modules", nargs="*", metavar="MODULE", help="of solutions/ (default: all)")
    found.add_argument("--out", type=Path, default=Path("build/mutation.json"), help="the results (default: %(default)s)")
    which = found.add_mutually_exclusive_group()
    which.add_argument("--resume", action="store_true", help="judge only the mutants that OUT does not know")
    which.add_argument("--survivors", action="store_true", help="judge only those, and the ones that survived in OUT")
    found.add_argument("--reasons", action="store_true", help="list the reasons of survivors, too")
    found.add_argument("--json", action="store_true", help="the counts as JSON on standard output")
    options = found.parse_args(arguments)
    if unknown := set(options.modules) - set(TASK_OF_MODULE):
        found.error(f"there is no module {min(unknown)!r}; the modules are {', '.join(TASK_OF_MODULE)}")
    options.modules = options.modules or list(TASK_OF_MODULE)
    try:
        options.results = read(options.out)
    except (OSError, ValueError) as error:
        found.error(f"{options.out} holds no results: {error}")
    return options


def judge_module(module: str, results: Results, options, console: Console) -> bool:
    """Judge what is asked for, and save it at the end, also at an early one. False: a check refuses the reference itself."""
    known = results.get(module, {}) if options.resume or options.survivors else {}
    outcomes = {each.id: known[each.id] for each in mutants(module) if each.id in known}
    todo = [each for each in mutants(module) if each.id not in known or (options.survivors and known[each.id] == SURVIVED)]
    results[module] = outcomes
    console.print(f"{module}: {len(todo)} of {len(mutants(module))} mutants to judge", markup=False)
    if todo and (item := refused_reference(module)):
        print(f"benchmarks.mutation: {item} refuses the reference itself; nothing can be judged", file=sys.stderr)
        return False
    start = time.monotonic()
    with kept(results, options.out), Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        for mutant in progress.track(todo, description=module):
            outcomes[mutant.id] = judge(mutant)
    noticed = sum(outcome != SURVIVED for outcome in outcomes.values())
    text = f"{module}: judged in {time.monotonic() - start:.0f} s; {noticed} of {len(outcomes)} are noticed"
    console.print(text, markup=False)
    return True


@contextlib.contextmanager
def kept(results: Results, path: Path) -> Iterator[None]:
    """Whatever ends the block, the results are saved."""
    try:
        yield
    finally:
        write(results, path)


def unexplained(outcomes: dict[str, str], module: str) -> list[Mutant]:
    return [each for each in mutants(module) if outcomes.get(each.id) == SURVIVED and not may_survive(each)]


if __name__ == "__main__":
    sys.exit(main())
