"""docs/calibration.md, from the results of all items."""

from pathlib import Path

import jinja2

from autograder import report
from autograder.proofs.calibration import judging
from autograder.proofs.calibration.items import ITEMS
from autograder.proofs.calibration.measuring import load

HERE = Path(__file__).parent


def page_of(folder: Path) -> Path:
    """The page beside the folder of results."""
    return folder.with_name(f"{folder.name}.md")


def render(folder: Path) -> str:
    """The page for the items whose results are in the folder."""
    found = [(item, load(path)) for item in ITEMS if (path := folder / f"{item.id}.json").exists()]
    finished = [(item, table) for item, table in found if table["summary"]]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), trim_blocks=True, lstrip_blocks=True, autoescape=False,
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"number": number, "rate": rate, "short": short}
    rows = [
        {
            "id": item.id, **judging.summary(item, table["runs"]), "seconds": seconds(table),
            "versions": table["head"]["versions"],
        }
        for item, table in finished
    ]  # fmt: skip
    return environment.get_template("calibration.md.jinja").render(
        items=rows, folder=folder.name, wanted=judging.FALSE_REJECTS, minutes=sum(row["seconds"] for row in rows) / 60
    )


def seconds(table: dict) -> float:
    return sum(run["seconds"] for runs in table["runs"].values() for run in runs.values())


def write(folder: Path) -> Path:
    report.write_atomically(page_of(folder), render(folder))
    return page_of(folder)


def number(value: float) -> str:
    """Four digits at most; rounding is nothing."""
    return "0" if abs(value) < 1e-9 else f"{value:.4g}"


def rate(value: float) -> str:
    """A probability, as a power of ten where it is small."""
    if value < 1e-15:
        return "< 1e-15"
    return f"{value:.0e}" if value < 0.01 else f"{value:.2f}"


def short(method: str) -> str:
    return method.replace("|", "\\|")
