"""The report shows every number and figure, says what is missing, and lets nothing become markup."""

import os
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from assignment.provided import plots
from solutions.reproduce import report
from solutions.reproduce.questions import QUESTIONS

VOID = {"meta", "img", "br", "hr", "link", "input"}
HOSTILE = "<script>alert(1)</script> & \"quoted\" | 'x' {{ 7 * 7 }}"


def number(*values: float, unit: str = "accuracy") -> dict:
    mean = sum(values) / len(values)
    sd = (sum((x - mean) ** 2 for x in values) / (len(values) - 1)) ** 0.5 if len(values) > 1 else None
    return {"values": list(values), "mean": mean, "sd": sd, "unit": unit}


def sample() -> dict:
    """Two seeds; Q6 too small for all, C missing, one figure without a file."""
    probe = {"probe accuracy: VICReg": number(0.91, 0.89), "probe accuracy: raw pixels": number(0.12, 0.14)}
    return {
        "preset": "laptop",
        "command": "python -m solutions.reproduce --preset laptop --out results --seeds 2",
        "date": "2026-01-31",
        "data": {"name": "shapes", "train images": 2048, "test images": 1000, "anomalies": 360},
        "hardware": {"cpu": "Some CPU", "cores": 2, "gpu": None, "torch": "2.13.0"},
        "settings": {"epochs": 40, "batch_size": 256, "encoder": "small encoder of width 8"},
        "seeds": [0, 1],
        "numbers": {
            "Q1": {"test loss: total (last epoch)": number(7.125, 7.375, unit="")},
            "Q3": probe | {"probe accuracy: untrained encoder": number(0.2, 0.3)},
            "Q4": {"probe accuracy: no variance term": number(0.21, 0.19)},
            "Q6": {},
            "Q7": {"probe accuracy: random features": number(0.161, 0.163)},
            "A": {"AUC: VICReg": number(0.875, 0.885, unit="area")},
        },
        "figures": {"Q1": ["loss"], "Q3": ["probe"], "Q4": [], "Q6": [], "Q7": [], "A": ["roc", "anomalous"]},
        "too small": {"Q6": "64 images have no neighbors worth mining"},
        "seconds": {"training: VICReg": [35.0, 37.0], "linear probes": [0.5, 0.7]},
        "total seconds": 172.4,
    }


@pytest.fixture
def out(tmp_path) -> Path:
    """A folder with all figures of the sample but `anomalous`."""
    folder = tmp_path / "results"
    for name in ("loss", "probe", "roc"):
        for suffix in ("png", "svg"):
            plots.save_figure(plots.bars({name: 0.5}, "x"), folder / "figures" / f"{name}.{suffix}")
    return folder


class Page(HTMLParser):
    """Tags with attributes, text, and whether every element is closed where it should be."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.open, self.problems, self.texts, self.cells, self.rows = [], [], [], [], [], []
        self.feed(text)
        self.close()
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)
        if self.open and {"td", "th"} & set(self.open) and data.strip():
            self.rows[-1].append(" ".join(data.split()))

    def all(self, tag: str, attribute: str) -> list[str]:
        return [given[attribute] for name, given in self.tags if name == tag and attribute in given]


def written(out: Path, results: dict) -> tuple[Page, str]:
    report.write(out, results)
    return Page((out / "report.html").read_text("utf-8")), (out / "results.md").read_text("utf-8")


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(out):
    page, _ = written(out, sample())
    assert not page.problems and not page.open
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for address in page.all("a", "href"):
        assert address[1:] in ids if address.startswith("#") else "://" not in address, address
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert all(address.startswith("data:image/png;base64,") for address in page.all("img", "src"))
    assert all(page.all("img", "alt")) and page.all("html", "lang") == ["en"]


def test_all_questions_are_in_the_contents_and_have_a_section(out):
    page, text = written(out, sample())
    for question, entry in QUESTIONS.items():
        assert f"#{question}" in page.all("a", "href") and entry.title in page.text
        assert f"## {question}: {entry.title}" in text


def test_each_number_is_shown_with_its_spread_beside_the_published_one(out):
    page, text = written(out, sample())
    assert ["probe accuracy: VICReg", "0.900 ± 0.014", "0.6179", "0.60–0.75"] in page.rows
    assert ["probe accuracy: raw pixels", "0.130 ± 0.014", "–", "–"] in page.rows
    assert ["test loss: total (last epoch)", "7.250 ± 0.177"] in page.rows
    assert "| probe accuracy: VICReg | 0.900 ± 0.014 | 0.6179 | 0.60–0.75 |" in text
    for told in ("2 seeds", "Some CPU, 2 cores, PyTorch 2.13.0", "2026-01-31", "172 s", sample()["command"]):
        assert told in page.text and told in text


def test_what_is_missing_is_said_and_never_zero(out):
    page, text = written(out, sample())
    assert "too small for this question: 64 images have no neighbors worth mining." in page.text
    same = next(row for row in page.rows if row[0] == "probe accuracy: no generated neighbors, 1 epoch")
    assert "too small a budget" in same and "0.4985" in same
    eigenmaps = next(row for row in page.rows if row[0] == "probe accuracy: Laplacian eigenmaps")
    assert {"not measured", "0.10 (never computed)", "Quoted, never computed: see below."} <= set(eigenmaps)
    assert ["silhouette: VICReg", "not run", "0.104", "0.087–0.114"] in page.rows
    assert "| silhouette: VICReg | not run | 0.104 | 0.087–0.114 |" in text
    assert not re.search(r"(?<![\d.])0\.000", page.text + text)


def test_a_small_number_does_not_look_like_zero(out):
    results = sample()
    results["numbers"]["Q1"]["test loss: invariance (last epoch)"] = number(0.00012, 0.00012)
    page, text = written(out, results)
    assert ["test loss: invariance (last epoch)", "1.2e-04 ± 0.000"] in page.rows and "1.2e-04" in text


def test_a_missing_figure_is_named_and_the_others_are_linked(out):
    page, _ = written(out, sample())
    assert "The figure anomalous is missing" in page.text
    assert len(page.all("img", "src")) == 3
    assert {"figures/loss.svg", "figures/probe.svg", "figures/roc.svg"} <= set(page.all("a", "href"))
    assert all((out / address).exists() for address in page.all("a", "href") if address.endswith(".svg"))


def test_a_broken_figure_file_is_a_missing_one(out):
    (out / "figures" / "loss.png").write_bytes(b"")
    page, _ = written(out, sample())
    assert "The figure loss is missing" in page.text


@pytest.mark.parametrize(
    ("part", "change"),
    [
        (lambda results: results, {"command": HOSTILE}),
        (lambda results: results["data"], {"name": HOSTILE}),
        (lambda results: results["hardware"], {"cpu": HOSTILE}),
        (lambda results: results["numbers"]["Q3"], {HOSTILE: number(0.5)}),
        (lambda results: results["too small"], {"Q6": HOSTILE}),
        (lambda results: results["seconds"], {HOSTILE: [1.0]}),
        (lambda results: results["figures"], {"Q1": [HOSTILE]}),
        (lambda results: results["settings"], {"encoder": HOSTILE}),
    ],
    ids=["command", "data", "hardware", "number", "too small", "step", "figure", "setting"],
)
def test_nothing_becomes_markup(out, part, change):
    results = sample()
    part(results).update(change)
    page, text = written(out, results)
    assert "script" not in {tag for tag, _ in page.tags} and not page.problems
    assert "<script>alert(1)</script>" in page.text and "{{ 7 * 7 }}" in page.text
    prose = [line for line in text.splitlines() if not line.startswith("    ")]  # indented is code, as it is
    assert not re.search(r"(?<!\\)<script", "\n".join(prose))


def test_tables_of_the_markdown_have_as_many_cells_in_every_row(out):
    results = sample()
    results["numbers"]["Q3"]["a | b"] = number(0.5)
    _, text = written(out, results)
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) > 5
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_another_experiment_is_called_so(out):
    page, text = written(out, sample())
    told = "shapes instead of CIFAR-10, 2,048 training images instead of 50,000, small encoder of width 8"
    for each in (page.text, text.replace("\\", "")):
        assert "It is another experiment" in each and told in each
    assert "Published, CIFAR-10: one report" in page.text


def test_the_same_experiment_is_compared_and_the_epochs_named(out):
    results = sample()
    results["data"] |= {"name": "cifar10", "train images": 50_000}
    results["settings"] |= {"encoder": "ResNet-18", "epochs": 30}
    page, text = written(out, results)
    for each in (page.text, text):
        assert "another experiment" not in each and "30 epochs instead of 10" in each


def test_orderings_are_counted_seed_by_seed(out):
    results = sample()
    results["numbers"]["Q4"]["probe accuracy: no variance term"] = number(0.25, 0.2)
    page, text = written(out, results)
    told = "The untrained encoder over no variance term (probe)"
    assert [told, "✗", "1 of 2 seeds", "+0.025, at least -0.050"] in page.rows
    assert ["Anomaly AUC of VICReg over .8", "✓", "2 of 2 seeds", "+0.080, at least +0.075"] in page.rows
    assert ["VICReg over Laplacian eigenmaps (probe, same images)", "numbers missing"] in page.rows
    assert f"| {told} | **no**: 1 of 2 seeds | +0.025, at least -0.050 |" in text


def test_one_seed_has_no_spread_and_a_diverged_number_is_none(out):
    results = sample()
    results["seeds"] = [0]
    results["numbers"] = {"Q3": {"probe accuracy: VICReg": number(0.5), "x": number(float("nan"))}}
    page, text = written(out, results)
    assert ["probe accuracy: VICReg", "0.500", "0.6179", "0.60–0.75"] in page.rows
    assert "not a number: it diverged" in page.text and "nan" not in page.text.lower().replace("nant", "")
    assert "±" not in page.text and "±" not in text


def test_both_files_are_put_in_place_whole(out, monkeypatch):
    moved, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (moved.append(Path(b).name), replace(a, b)))
    report.write(out, sample())
    assert moved == ["report.html", "results.md"]
    assert {path.name for path in out.iterdir()} == {"figures", "report.html", "results.md"}


def test_a_failure_leaves_the_old_report(out, monkeypatch):
    report.write(out, sample())
    before = (out / "report.html").read_bytes()
    broken = sample()
    del broken["hardware"]
    with pytest.raises(KeyError):
        report.write(out, broken)
    assert (out / "report.html").read_bytes() == before


def test_published_numbers_and_words_belong_to_questions_that_exist():
    published = tomllib.loads((report.HERE / "published.toml").read_text("utf-8"))
    words = tomllib.loads((report.HERE / "words.toml").read_text("utf-8"))
    assert {each["question"] for each in published["number"] + published["remark"]} <= set(QUESTIONS)
    assert list(words["questions"]) == list(QUESTIONS)
    values = {each["value"] for each in published["number"] if "value" in each}
    assert values == {0.6179, 0.1255, 0.4985, 0.10, 0.862, 0.104, 0.142}
    assert [each["key"] for each in published["number"] if not each.get("computed", True)] == [
        "probe accuracy: Laplacian eigenmaps"
    ]
    told = " ".join(each["text"] for each in published["remark"])
    assert ".998" in told and "averages the" in told
