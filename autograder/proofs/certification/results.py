"""All that is to be certified, what came out of it, and the page that shows it."""
import collections
import dataclasses
import json
from pathlib import Path

from autograder import misconceptions
from autograder.misconceptions import Entry
from autograder.proofs.certification import judging
from autograder.proofs.variants import variants
from autograder.report import write_atomically

PAIRS_AT_ONCE = 10  # in one job


@dataclasses.dataclass(frozen=True)
class Job:
    """One thing to certify, small enough to be sent to another process: its parts are found there by name."""

    kind: str  # "mistake", "variant" or "pairs"
    target: str
    name: str  # of the entry; for pairs, the number of the first

    @property
    def key(self) -> str:
        return f"{self.kind}: {self.target}: {self.name}"

    def perform(self) -> dict:
        """Plain data: what happened. Raises RuntimeError, which every process can take, for whatever breaks."""
        try:
            return self._perform()
        except Exception as error:
            raise RuntimeError(f"{type(error).__name__}: {error}") from None

    def _perform(self) -> dict:
        if self.kind == "pairs":
            chosen = judging.pairs(self.target)[int(self.name) :][:PAIRS_AT_ONCE]
            found = {f"{each.first.name} + {each.second.name}": each.verdict() for each in chosen}
            wrong = [name for name, verdict in found.items() if verdict == "wrong"]
            return {"verdicts": collections.Counter(found.values()), "wrong": wrong}
        entries = misconceptions.entries if self.kind == "mistake" else variants
        entry = next(each for each in entries(self.target) if each.name == self.name)
        certify = judging.certify_mistake if self.kind == "mistake" else judging.certify_variant
        return dataclasses.asdict(certify(entry))


def work(targets: list[str] = (), only: str | None = None) -> list[Job]:
    """The jobs for these modules or functions (none: for all)."""

    def wanted(target: str) -> bool:
        return not targets or any(each in (target, target.partition(".")[0]) for each in targets)

    def of(kind: str, entries: list[Entry]) -> list[Job]:
        return [Job(kind, each.target, each.name) for each in entries if wanted(each.target)]

    jobs = of("mistake", misconceptions.entries()) + of("variant", variants())
    for target in sorted(filter(wanted, misconceptions.nameable())):
        jobs += [Job("pairs", target, str(n)) for n in range(0, len(judging.pairs(target)), PAIRS_AT_ONCE)]
    return [job for job in jobs if only is None or job.kind == only.removesuffix("s") or job.kind == only]


def load(path: Path) -> dict[str, dict]:
    """Results by the key of their job; none where there is no file yet."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def save(path: Path, results: dict[str, dict]) -> None:
    ordered = {key: results[key] for key in sorted(results)}
    write_atomically(path, json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")


def outcomes(results: dict[str, dict], kind: str) -> list[judging.Outcome]:
    return [judging.Outcome(**each) for key, each in results.items() if key.startswith(f"{kind}: ")]


def faults(results: dict[str, dict]) -> list[str]:
    """What must not be, one sentence each."""
    found = []
    for each in outcomes(results, "mistake"):
        what = f"{each.target}, “{each.name}”"
        if not each.caught("hidden"):
            found.append(f"{what}: {'only public items fail' if each.caught() else 'no item fails'}")
        if each.elsewhere():
            found.append(f"{what}: costs points in another task ({', '.join(each.elsewhere())})")
        if each.wrongly_named():
            found.append(f"{what}: is called “{'”, “'.join(each.wrongly_named())}”")
        if not each.rightly_named():
            found.append(f"{what}: is not named")
    for each in outcomes(results, "variant"):
        if each.verdicts:
            found.append(f"{each.target}, right variant “{each.name}”: refused by {', '.join(each.verdicts)}")
        if each.wrongly_named():
            found.append(f"{each.target}, right variant “{each.name}”: is called “{'”, “'.join(each.wrongly_named())}”")
    for key, each in results.items():
        found += [f"{key.split(': ')[1]}, two mistakes, “{pair}”: something else is named" for pair in each.get("wrong", [])]
    return found


def counts(results: dict[str, dict]) -> dict[str, collections.Counter]:
    """How many of what, by function."""
    table: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for each in outcomes(results, "mistake"):
        row = table[each.target]
        row["mistakes"] += 1
        row["caught"] += each.caught()
        row["caught hidden"] += each.caught("hidden")
        row["charged elsewhere"] += bool(each.elsewhere())
        row["named"] += each.rightly_named()
        row["misnamed"] += bool(each.wrongly_named())
    for each in outcomes(results, "variant"):
        table[each.target]["variants"] += 1
        table[each.target]["refused"] += bool(each.verdicts)
    for key, each in results.items():
        if key.startswith("pairs: "):
            row = table[key.split(": ")[1]]
            for verdict, count in each["verdicts"].items():
                row["pairs"] += count
                row[f"pairs {verdict}"] += count
    return dict(sorted(table.items()))


COLUMNS = {
    "mistakes": "mistakes",
    "caught": "caught",
    "caught hidden": "by a hidden item",
    "charged elsewhere": "charged elsewhere",
    "named": "named",
    "misnamed": "misnamed",
    "variants": "right variants",
    "refused": "refused",
    "pairs": "pairs",
    "pairs both": "both named",
    "pairs one": "one named",
    "pairs none": "none named",
    "pairs third": "are a third",
    "pairs wrong": "misnamed",
}


def table(results: dict[str, dict]) -> str:
    """The counts as a table in Markdown, with a row of sums."""
    rows = counts(results)
    total = sum(rows.values(), collections.Counter())
    lines = ["| function | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, row in [*rows.items(), ("**all**", total)]:
        lines.append(f"| {name} | " + " | ".join(str(row[column]) for column in COLUMNS) + " |")
    return "\n".join(lines)


OPEN = {"mistake": "mistakes", "variant": "right variants", "pairs": f"groups of up to {PAIRS_AT_ONCE} pairs"}
PAGE = """# Certification: known mistakes and right variants, put to the checks

Made by `python -m autograder certify --write`; the results stand in [certification/results.json](certification/results.json),
and the tests hold that they cover every known mistake. {open}

- A **mistake** (`autograder/misconceptions/`) is put into the reference in place of the right function. It is *caught* when
  an item fails (*by a hidden item*: one whose inputs students cannot see; another convention is told by a public item), *charged elsewhere* when an item
  of another task is lost other than by being blocked, *named* when the diagnosis gives its name at an item that fails,
  *misnamed* when it ever gives another.
- A **right variant** (`autograder/proofs/variants/`) is *refused* when any item of any task fails.
- A **pair** is two mistakes that meet: in one function, in a function and one that it calls, or in two that it calls. The
  diagnosis may name both, one or none of them; *are a third* where two mistakes together are a third one exactly.
  Pairs that do not meet are diagnosed apart, each from facts of its own function.

{table}

Only those items run whose check reaches the function on the reference; all others cannot change. Everything runs in one
process through the same checks and prerequisites as a grading; `tests/test_redteam.py` and `tests/test_verdicts.py`
are about the wall. One right variant, `covariance_loss` as a loop over all pairs of columns, was not put to the two items that train for
20 epochs: grading stops these after two minutes, as the handout says, and it would take them more than 20.

## What is not as it should be

{faults}
"""


def write_page(path: Path, results: dict[str, dict]) -> None:
    write_atomically(path, page(results))


def page(results: dict[str, dict]) -> str:
    told = "\n".join(f"- {fault}" for fault in faults(results)) or "Nothing."
    left = collections.Counter(job.kind for job in work() if job.key not in results)
    missing = [f"{left[kind]} {words}" for kind, words in OPEN.items() if left[kind]]
    still = f"Not run yet: {' and '.join(missing)}." if missing else "Nothing is left to be run."
    return PAGE.format(table=table(results), faults=told, open=still)
