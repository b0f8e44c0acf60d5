"""The report: results.json in tables beside published numbers, with figures and words; as HTML and Markdown.

Both pages are functions of the results and of the figures' files. `published.toml` and `words.toml` hold what
no run measures.
"""

import base64
import functools
import math
import re
import statistics
import struct
import tomllib
from dataclasses import dataclass
from pathlib import Path

import jinja2

from .files import write_atomically
from .questions import QUESTIONS

HERE = Path(__file__).parent
DPI = 120  # of the PNGs (`plots.save_figure`); a page has 96
WIDE = 700  # pixels of a page; wider figures are scrolled on small screens, not shrunk


@dataclass(frozen=True)
class Row:
    """One number of a table; `present` is False where `ours` says in words why there is none."""

    name: str
    ours: str
    present: bool
    one_report: str
    others: str
    note: str


@dataclass(frozen=True)
class Order:
    """An expected ordering and whether it held; `held` is None where a number is missing."""

    told: str
    held: bool | None
    seeds: str  # "4 of 5 seeds"
    margin: str


@dataclass(frozen=True)
class Picture:
    """A figure; `address` is a data URL, or empty where the file is missing."""

    name: str
    caption: str
    address: str
    width: int  # in pixels of a page
    height: int

    @property
    def wide(self) -> bool:
        return self.width > WIDE


@dataclass(frozen=True)
class Section:
    """All that the report says about one question."""

    id: str
    title: str
    shown: str
    why: str
    reason: str  # why all or some numbers are missing, or empty
    rows: list[Row]
    pictures: list[Picture]
    remarks: list[dict]

    @property
    def published(self) -> bool:
        return any(row.one_report or row.others for row in self.rows)


def write(out: Path, results: dict) -> None:
    """Write `out`/report.html and `out`/results.md. Figures are read from `out`/figures.

    results: what is in results.json. A figure whose file is missing is said to be missing; a number that is
    missing is shown as not run, too small or not measured, never as 0.
    """
    content = view(results, Path(out) / "figures")
    for template, name in (("report.html.jinja", "report.html"), ("results.md.jinja", "results.md")):
        write_atomically(Path(out) / name, environment().get_template(template).render(content))


def view(results: dict, figures: Path) -> dict:
    """What the templates show."""
    published, words = read_toml("published.toml"), read_toml("words.toml")
    asked = [*QUESTIONS, *(each for each in results["numbers"] if each not in QUESTIONS)]
    sections = [section(question, results, published, words, figures) for question in asked]
    return {
        "results": results,
        "sections": sections,
        "orders": [order(entry, results["numbers"]) for entry in words["ordering"]],
        "setting": published["setting"],
        "differences": differences(results, published["setting"]),
        "same": same_experiment(results, published["setting"]),
        "seeds": seeds_in_words(len(results["seeds"])),
        "hardware": hardware_in_words(results["hardware"]),
        "steps": [(step, statistics.fmean(each)) for step, each in results["seconds"].items() if each],
    }


@functools.cache
def read_toml(name: str) -> dict:
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


@functools.cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=jinja2.select_autoescape(enabled_extensions=["html.jinja"], default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(md=markdown, seconds=seconds, joined=joined, one_line=one_line)
    return made


# ---- one question ------------------------------------------------------------------------------------------


def section(question: str, results: dict, published: dict, words: dict, figures: Path) -> Section:
    told = words["questions"].get(question, {})
    names = results["figures"].get(question, [])
    return Section(
        id=question,
        title=QUESTIONS[question].title if question in QUESTIONS else question,
        shown=one_line(told.get("shown", "")),
        why=one_line(told.get("why", "")),
        reason=reason(question, results),
        rows=rows(question, results, published["number"]),
        pictures=[picture(name, words["figures"], figures) for name in names],
        remarks=[each for each in published["remark"] if each["question"] == question],
    )


def reason(question: str, results: dict) -> str:
    """Why numbers of the question are missing; empty if none are."""
    if question not in results["numbers"]:
        return "This question was not part of this run."
    if why := results["too small"].get(question, ""):
        some = "part of this question" if results["numbers"][question] else "this question"
        return f"The budget of this run is too small for {some}: {why}."
    return ""


def rows(question: str, results: dict, published: list[dict]) -> list[Row]:
    """Our numbers, then those that were published and that this run does not have."""
    ours = results["numbers"].get(question, {})
    theirs = {each["key"]: each for each in published if each["question"] == question}
    keys = [*ours, *(key for key in theirs if key not in ours)]
    return [row(key, ours.get(key), theirs.get(key, {}), missing(question, results)) for key in keys]


def row(key: str, number: dict | None, theirs: dict, why_missing: str) -> Row:
    value = decimals(theirs["value"]) if "value" in theirs else ""
    if value and not theirs.get("computed", True):
        value += " (never computed)"
    others = "–".join(map(decimals, theirs["others"])) if "others" in theirs else ""
    text = why_missing if number is None else measured(number)
    return Row(key, text, number is not None, value, others, theirs.get("note", ""))


def missing(question: str, results: dict) -> str:
    if question not in results["numbers"]:
        return "not run"
    return "too small a budget" if question in results["too small"] else "not measured"


def measured(number: dict) -> str:
    """Mean and standard deviation."""
    if not math.isfinite(number["mean"]):
        return "not a number: it diverged"
    sd = "" if number["sd"] is None else f" ± {short(number['sd'])}"
    return short(number["mean"]) + sd


def short(value: float) -> str:
    """Three decimals, unless they would make a small number look like 0.

    >>> short(0.12345), short(0.0), short(-0.00012)
    ('0.123', '0.000', '-1.2e-04')
    """
    return f"{value:.1e}" if 0 < abs(value) < 0.0005 else f"{value:.3f}"


def decimals(value: float) -> str:
    """As published: at least two decimals.

    >>> decimals(0.1), decimals(0.862), decimals(0.6179)
    ('0.10', '0.862', '0.6179')
    """
    return max(f"{value:.2f}", f"{value:.4f}".rstrip("0"), key=len)


def picture(name: str, captions: dict[str, str], folder: Path) -> Picture:
    kind = "too_small" if name.startswith("too_small") else name  # one for each question
    caption = captions.get(kind, name.replace("_", " "))
    try:
        png = (folder / f"{name}.png").read_bytes()
        width, height = struct.unpack(">II", png[16:24])  # PNG: the header's first two numbers
    except (OSError, struct.error):
        return Picture(name, caption, "", 0, 0)
    scale = 96 / DPI
    address = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    return Picture(name, caption, address, round(width * scale), round(height * scale))


# ---- the whole run -----------------------------------------------------------------------------------------


def order(entry: dict, numbers: dict) -> Order:
    """An expected ordering, held against the values of each seed."""
    high, low = (values_of(entry[side], numbers) for side in ("higher", "lower"))
    if isinstance(entry["lower"], float):
        low = [entry["lower"]] * len(high)
    margins = [more - less for more, less in zip(high, low)]
    if not margins or len(high) != len(low) or not all(map(math.isfinite, margins)):
        return Order(entry["told"], None, "numbers missing", "")
    held = sum(margin > 0 for margin in margins)
    smallest = f", at least {min(margins):+.3f}" if len(margins) > 1 else ""
    seeds = f"{held} of {seeds_in_words(len(margins))}"
    return Order(entry["told"], held == len(margins), seeds, f"{statistics.fmean(margins):+.3f}{smallest}")


def values_of(place: list[str] | float, numbers: dict) -> list[float]:
    if isinstance(place, float):
        return []
    question, key = place
    return numbers.get(question, {}).get(key, {}).get("values", [])


def differences(results: dict, setting: dict) -> list[str]:
    """What is not as in the published experiments."""
    ours = {"data": results["data"]["name"], "train images": results["data"]["train images"]}
    ours |= {name: results["settings"].get(name, "unknown") for name in ("encoder", "epochs")}
    different = [name for name in setting if plain(ours[name]) != plain(setting[name])]
    return [in_words(name, ours[name], setting[name]) for name in different]


def same_experiment(results: dict, setting: dict) -> bool:
    """Whether only the number of epochs can differ."""
    return len(differences(results, setting | {"epochs": results["settings"].get("epochs")})) == 0


def plain(value: object) -> str:
    """Names that differ in case and hyphens alone are the same: CIFAR-10 and cifar10."""
    return re.sub(r"[^a-z0-9]", "", str(value).lower())


def in_words(name: str, ours: object, theirs: object) -> str:
    unit = {"train images": " training images", "epochs": " epochs"}.get(name, "")
    return f"{counted(ours)}{unit} instead of {counted(theirs)}"


def counted(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def seeds_in_words(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def hardware_in_words(hardware: dict) -> str:
    """What is known of the machine, in one line."""
    known = {name: value for name, value in hardware.items() if value not in (None, "")}
    parts = [str(known[name]) for name in ("gpu", "cpu") if name in known]
    threads = "{} thread" if known.get("threads") == 1 else "{} threads"
    forms = {"cores": "{} cores", "threads": threads, "torch": "PyTorch {}", "python": "Python {}"}
    return ", ".join(parts + [form.format(known[name]) for name, form in forms.items() if name in known])


# ---- filters -----------------------------------------------------------------------------------------------


def markdown(text: object) -> str:
    """Text for a Markdown page or table: one line, no markup, no HTML."""
    return re.sub(r"([\\`*_\[\]<>|#&])", r"\\\1", one_line(text))


def one_line(text: object) -> str:
    return " ".join(str(text).split())


def joined(parts: list[str]) -> str:
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + "".join(parts[-1:])


def seconds(number: float) -> str:
    """As people say it.

    >>> seconds(3.25), seconds(172.4), seconds(2400)
    ('3.2 s', '172 s', '40 min')
    """
    if number >= 600:
        return f"{number / 60:.0f} min"
    return f"{number:.1f} s" if number < 10 else f"{number:.0f} s"
