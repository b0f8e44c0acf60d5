"""One report, many formats: what is read back from each is what the report says, and no text in it does any harm."""
import collections
import csv
import dataclasses
import io
import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from markdown_it import MarkdownIt
from nbgrader.utils import determine_grade
from rich.console import Console

from autograder import grading, rubric, sandbox, sinks
from autograder.misconceptions import entries
from autograder.misconceptions.mutants import override_source
from autograder.proofs import redteam
from autograder.report import VERDICTS, ItemResult, Report, TaskResult
from autograder.sinks import console, gradescope, lms_csv, markdown
from autograder.sinks import json as json_sink
from release.nbgrader import course
from release.nbgrader.preprocessors import outputs

PROJECT = Path(__file__).resolve().parent.parent
QUICK = ("warmup", "vicreg", "retrieval")
FAULTY = ("warmup.normalize", "vicreg.variance_loss", "vicreg.covariance_loss", "evaluation.retrieve")
ATTACKS = (
    "exits-on-import", "sys-exit-in-a-function", "forges-a-results-file", "prints-a-gigabyte", "raises-rude-text",
    "names-that-look-like-verdicts", "raises-what-lies-about-itself", "types-that-look-like-verdicts", "returns-nan",
    "hands-in-a-link",
)  # fmt: skip


# -- what each format says --------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Read:
    """What was read back from a format: points by task in the report's order, and the verdicts, counted or in order."""

    total: float
    max_total: float
    bonus: float
    tasks: list[float]
    verdicts: list[str] | collections.Counter


class Cells(HTMLParser):
    """The text of an HTML page, by element: (tag, class, text), for elements without others of the same kind in them."""

    def __init__(self, page: str):
        super().__init__()
        self.found, self.open, self.tags = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in ("meta", "br", "img", "link", "hr", "input"):
            self.open.append([tag, dict(attrs).get("class") or "", ""])

    def handle_endtag(self, tag):
        while self.open:
            done = self.open.pop()
            self.found.append(tuple(done))
            if self.open:
                self.open[-1][2] += done[2]
            if done[0] == tag:
                return

    def handle_data(self, data):
        if self.open:
            self.open[-1][2] += data

    def texts(self, tag: str, kind: str = "") -> list[str]:
        return [" ".join(text.split()) for name, of, text in self.found if name == tag and of.startswith(kind)]


def points(text: str) -> list[float]:
    return [float(each) for each in re.findall(r"\d+(?:\.\d+)?", text)]


WORDS = {word: verdict for verdict, (_, word, _) in console.MARKS.items()}


def read_json(text: str, report: Report) -> Read:
    found = Report.from_dict(json.loads(text))
    tasks = [task.points for task in found.tasks]
    return Read(found.total, found.max_total, found.bonus, tasks, [item.verdict for item in found.items()])


def read_html(text: str, report: Report) -> Read:
    page = Cells(text)
    total, most, *bonus = points(page.texts("p", "total")[0])
    tasks = [points(each)[0] for each in page.texts("caption")]
    verdicts = [WORDS[each.split(" ", 1)[1]] for each in page.texts("span", "verdict")]
    counted, explained = len({*verdicts} & {item.verdict for item in report.items()}), len(VERDICTS)
    return Read(total, most, bonus[0] if bonus else 0.0, tasks, verdicts[counted:-explained])


IN_JUNIT = {
    "failed": "failure", "crashed": "error", "grader_fault": "error", "not_attempted": "skipped", "blocked": "skipped",
}  # fmt: skip


def read_junit(text: str, report: Report) -> Read:
    suites = list(xml.fromstring(text))
    told = [properties(suite) for suite in suites]
    cases = [case for suite in suites for case in suite.findall("testcase")]
    for case in cases:  # JUnit's own outcome, which is all that most readers show
        verdict = properties(case)["verdict"]
        kinds = [(each.tag, each.get("type")) for each in case if each.tag != "properties"]
        assert kinds == ([] if verdict == "passed" else [(IN_JUNIT[verdict], verdict)])
    assert sum(float(properties(case)["points"]) for case in cases) == sum(float(each["points"]) for each in told)
    totals = [float(told[0][name]) for name in ("total", "max_total", "bonus")]
    return Read(*totals, [float(each["points"]) for each in told], [properties(case)["verdict"] for case in cases])


def properties(element: xml.Element) -> dict[str, str]:
    return {each.get("name"): each.get("value") for each in element.find("properties")}


def read_markdown(text: str, report: Report) -> Read:
    page = Cells(rendered(text))
    total, most, *bonus = points(page.texts("p")[0].partition(":")[0])
    cells = page.texts("td")
    tasks = [float(each) for each in cells[1 : 4 * len(report.tasks) : 4]]
    verdicts = [WORDS[each.split(" ", 1)[1]] for each in cells[4 * len(report.tasks) :: 5]]
    return Read(total, most, bonus[0] if bonus else 0.0, tasks, verdicts)


def rendered(text: str) -> str:
    """As GitHub would show it: tables, HTML, addresses that become links."""
    return MarkdownIt("gfm-like", {"html": True, "linkify": True}).render(text)


def read_gradescope(text: str, report: Report) -> Read:
    found = json.loads(text)
    by_task = collections.defaultdict(float)
    for test in found["tests"]:
        by_task[test["tags"][0]] += test["score"]
        assert test["output"].split("\n")[0].split(" ", 1)[1] == console.MARKS[test["tags"][1]][1]
        assert (test["status"] == "passed") == (test["tags"][1] == "passed")
    extra = found["extra_data"]
    assert math.isclose(found["score"], extra["total"] + extra["bonus"]) and math.isclose(found["score"], sum(by_task.values()))
    assert by_task == extra["tasks"]
    verdicts = [each["tags"][1] for each in found["tests"]]
    return Read(extra["total"], extra["max_total"], extra["bonus"], list(by_task.values()), verdicts)


def read_csv(text: str, report: Report) -> Read:
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    counts = collections.Counter({verdict: int(row[verdict]) for verdict in VERDICTS})
    tasks = [float(row[task.id]) for task in report.tasks]
    return Read(float(row["total"]), float(row["max_total"]), float(row["bonus"]), tasks, +counts)


def read_console(text: str, report: Report) -> Read:
    lines = [line for line in text.partition("----")[0].splitlines() if line]
    items = iter([float(re.search(r"  ([\d.]+)/[\d.]+$", line)[1]) for line in lines])
    tasks = [sum(next(items) for _ in task.items) for task in report.tasks]
    total, most, *bonus = points(re.search(r"^[\d.]+ of [\d.]+ points.* in the checks", text, re.M)[0])
    return Read(total, most, bonus[0] if bonus else 0.0, tasks, [WORDS[line[2:15].strip()] for line in lines])


def on_the_console(report: Report) -> str:
    """A line for each item, then the summary and the scoreboard."""
    output = io.StringIO()
    terminal = Console(file=output, width=160)
    for item in report.items():
        console.item_line(terminal, item)
    output.write("----\n")
    console.summary(terminal, report)
    terminal.print(console.scoreboard([report]))
    return output.getvalue()


def in_nbgrader(report: Report) -> list:
    """The test cells of nbgrader's notebooks, one a task, as they come back from a file."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f'check("{task.id}")') for task in report.tasks])
    for cell, task in zip(notebook.cells, report.tasks):
        course.describe(cell, task.id, points=task.max_points, locked=True)
        cell.outputs = outputs(task, report)
    return nbformat.reads(nbformat.writes(notebook), as_version=4).cells


def read_nbgrader(cells: list, report: Report) -> Read:
    """What nbgrader makes of the cells, of which its gradebook is the sum, and the verdicts that are shown below each."""
    scores = [determine_grade(cell) for cell in cells]
    total, most, bonus = (
        sum(score[which] for score, task in zip(scores, report.tasks) if task.bonus == of_bonus)
        for which, of_bonus in ((0, False), (1, False), (0, True))
    )
    shown = [line for cell in cells for line in cell.outputs[0].text.splitlines() if re.match(r"  [^ ] ", line)]
    return Read(total, most, bonus, [score for score, _ in scores], [WORDS[line[4:17].strip()] for line in shown])


RENDERERS = {name: sink.render for name, sink in sinks.formats().items()}
RENDERERS |= {"lms_csv": lambda report: lms_csv.render([report]), "console": on_the_console}
RENDERERS |= {"nbgrader": in_nbgrader}
READERS = {
    "json": read_json, "html": read_html, "junit": read_junit, "markdown": read_markdown, "gradescope": read_gradescope,
    "lms_csv": read_csv, "console": read_console, "nbgrader": read_nbgrader,
}  # fmt: skip


def check_agreement(report: Report) -> None:
    """Every format says the same as the report."""
    verdicts = [item.verdict for item in report.items()]
    for name, read in READERS.items():
        found = read(RENDERERS[name](report), report)
        expected = [report.total, report.max_total, report.bonus, *(task.points for task in report.tasks)]
        assert [found.total, found.max_total, found.bonus, *found.tasks] == pytest.approx(expected, abs=1e-9), name
        assert found.verdicts == (collections.Counter(verdicts) if name == "lms_csv" else verdicts), name


def test_every_sink_has_a_reader_here():
    assert set(RENDERERS) == set(READERS)


def test_the_example_of_the_guide_is_a_format(tmp_path, monkeypatch):
    """docs/sinks.md: a new file is all that it takes."""
    guide = (PROJECT / "docs" / "sinks.md").read_text(encoding="utf-8").partition("## How to add one")[2]
    source = "\n".join(line[4:] for line in guide.splitlines() if line.startswith("    ") or not line)
    (tmp_path / "tap.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(sinks, "__path__", [*sinks.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "autograder.sinks.tap", raising=False)
    found = sinks.formats.__wrapped__()
    monkeypatch.delitem(sys.modules, "autograder.sinks.tap")
    lines = found["tap"].render(six_verdicts()).splitlines()
    assert found["tap"].FILE == "results.tap" and lines[1] == "1..12" and lines[2] == "ok 1 - Title of passed # passed"
    assert set(found) == {*sinks.formats(), "tap"}


# -- graded submissions -----------------------------------------------------------------------------------------------


def faulty(folder: Path, index: int) -> Path:
    """The reference with one known mistake: five in each of four functions."""
    entry = entries(FAULTY[index % 4])[index // 4]
    redteam.append(redteam.fill(folder), override_source(entry), f"{entry.task_module}.py")
    return folder


def submission(name: str, base: Path) -> Path:
    if name.startswith("faulty-"):
        return faulty(base / name, int(name.partition("-")[2]))
    if name in ATTACKS:
        return redteam.build(next(each for each in redteam.attacks() if each.name == name), base)
    return {"reference": PROJECT / "solutions", "stubs": PROJECT / "assignment"}[name]


def graded(name: str, tasks, base: Path) -> Report:
    full = rubric.load()
    if name in ATTACKS:
        full = dataclasses.replace(full, limits={**full.limits, **redteam.SHORT})
    return grading.grade(submission(name, base), full.only(tasks), full, sandbox.choose())


ALL = ["reference", "stubs", *(f"faulty-{index}" for index in range(20)), *ATTACKS]
FAST = {"reference": ["warmup"], "faulty-0": ["warmup"], "raises-rude-text": ["vicreg"]}


@pytest.mark.parametrize("name", FAST)
def test_all_formats_agree_about_a_submission(name, tmp_path):
    check_agreement(graded(name, FAST[name], tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_all_formats_agree_about_twenty_mistakes_and_ten_attacks(name, tmp_path):
    report = graded(name, QUICK, tmp_path)
    check_agreement(report)
    assert (report.total == report.max_total) == (name == "reference")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reference", "stubs", "faulty-1"])
def test_all_formats_agree_about_all_tasks(name, tmp_path):
    report = graded(name, [], tmp_path)
    check_agreement(report)
    assert report.max_bonus and (report.bonus == report.max_bonus) == (name != "stubs")


# -- a report with everything in it -----------------------------------------------------------------------------------


def item(task: str, verdict: str, worth: float = 1.5, **changes) -> ItemResult:
    earned = worth if verdict in ("passed", "grader_fault") else 0.0
    message = "" if verdict == "passed" else "Expected: 1\nCame:     2"
    made = ItemResult(f"{task}.{verdict}", f"Title of {verdict}", "public", verdict, earned, worth, message, "Look there.")
    return dataclasses.replace(made, **changes)


def task_of(name: str, title: str, items: list[ItemResult], bonus: bool = False) -> TaskResult:
    return TaskResult(name, title, sum(each.points for each in items), sum(each.max_points for each in items), items, bonus)


def six_verdicts(**changes) -> Report:
    """All verdicts in a task, and in a bonus task with other points."""
    main = task_of("vicreg", "Task 2: The VICReg loss", [item("vicreg", verdict) for verdict in VERDICTS])
    bonus = [item("clustering", verdict, 0.25) for verdict in VERDICTS]
    more = task_of("clustering", "Task 9: Clustering (bonus)", bonus, True)
    made = Report("alice", main.points, main.max_points, "bubblewrap: no network", ["a note"], [main, more])
    return dataclasses.replace(made, **{"bonus": more.points, "max_bonus": more.max_points, **changes})


def test_the_six_verdicts_can_be_told_apart_in_every_format():
    check_agreement(six_verdicts())


def test_fractions_of_points_are_the_same_in_every_format():
    parts = [item("vicreg", "passed", 0.125), item("vicreg", "failed", 1.0625), item("vicreg", "passed", 12.000025)]
    main = task_of("vicreg", "Task 2: The VICReg loss", parts)
    report = six_verdicts(tasks=[main], total=main.points, max_total=main.max_points, bonus=0.0, max_bonus=0.0)
    for name in ("json", "html", "junit", "markdown", "gradescope", "lms_csv"):
        found = READERS[name](RENDERERS[name](report), report)
        assert (found.total, found.max_total) == pytest.approx((12.125025, 13.187525), abs=1e-9), name
    assert "0.125 of 0.125" in RENDERERS["html"](report)


@pytest.mark.parametrize("name", ["junit", "markdown", "gradescope", "html"])
def test_messages_hints_and_mistakes_are_told(name):
    report = six_verdicts()
    report.tasks[0].items[1].misconception = "square root missing"
    text = RENDERERS[name](report)
    if name == "junit":
        root = xml.fromstring(text)
        text = "\n".join([*root.itertext(), *(each.get("value") for each in root.iter("property"))])
    elif name == "gradescope":
        found = json.loads(text)
        text = "\n".join([found["output"], *(f"{each['output']} {each['extra_data']}" for each in found["tests"])])
    else:
        text = "\n".join(each for _, _, each in Cells(rendered(text) if name == "markdown" else text).found)
    for told in ("Expected: 1\nCame:     2", "Look there.", "square root missing", "a note", "bubblewrap: no network"):
        assert told in text, (name, told)


# -- hostile text -----------------------------------------------------------------------------------------------------

HOSTILE = {
    "control characters": "".join(map(chr, range(32))) + "\x7f\x80\x9b31m",
    "CDATA": "]]></failure><![CDATA[",
    "log commands": "\n::error::owned\n::set-output name=grade::100\n##[error]owned\n##vso[task.complete]\n##teamcity[x]",
    "a script": "<script>alert(1)</script></pre></details><img src=x onerror=alert(1)><!-- ",
    "a table": "| total | 100 | 100 |\n|---|---|---|\n| a || b \\| c |",
    "backticks": "```\n# 100 points\n````\n`x` ~~~\n</summary>",
    "Markdown": "# 100\n\n- x\n\n[click](javascript:alert(1)) ![x](http://example.org/x.png) <http://example.org> **b** _e_",
    "names": "@someone #1 $x$ :smile: someone/something@abcdef1",
    "addresses": "http://example.org www.example.org someone@example.org",
    "NUL": "a\x00b",
    "lone surrogates": "\udcff\ud800 \udfff",
    "no characters": "\ufffe\uffff\U0001ffff",
    "right to left": "\u202egnorw\u2066\u200b\ufeff\u2028\u2029",
    "a formula": '=HYPERLINK("http://x";"y")',
    "a megabyte": "x" * 2**20,
    "a megabyte of markup": "<|&`::" * 2**18,
    "entities": "&lt;b&gt; &#60;b&#62; &amp;amp;",
    "escapes": "\\u003a\\u003aerror:: \\n \\",
    "a template": "{{ 7 * 7 }}",
}  # fmt: skip


def hostile(text: str) -> Report:
    """A report with this text wherever there may be text of anybody's."""
    report = six_verdicts(submission=text or "x", notes=[text], sandbox=text)
    if len(text) > 10**5:  # a long one in one message: 50 MB of JSON prove no more
        report.tasks[0].items[1].message = text
        return report
    for task in report.tasks:
        task.title = text
        for each in task.items:
            each.title = each.message = each.hint = each.misconception = text
    return report


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("name", sorted(READERS.keys() - {"nbgrader"}))  # that: tests/test_nbgrader.py
def test_hostile_text_stays_text(name, text):
    rendered_text = RENDERERS[name](hostile(text))
    rendered_text.encode("utf-8")
    allowed = "\n\r" if name == "lms_csv" else "\n"
    controls = {chr(code) for code in [*range(32), *range(127, 160)]} - set(allowed)
    assert not (controls | set("\u202e\u2066\u200b")) & set(rendered_text)
    for line in rendered_text.splitlines():
        assert not line.lstrip().startswith("::"), line[:80]
        assert not re.search(r"##(\[|vso\[|teamcity\[)", line)
    found = READERS[name](rendered_text, hostile("x")) if name != "console" else None
    assert found is None or (found.total, found.bonus) == (3.0, 0.5)


def is_shown(text: str) -> str:
    """What of a hostile text must be found again, without white space: all that is printable, as far as 200 characters."""
    return re.sub(r"\s+", "", sinks.plain(text))[:200]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_can_be_read_in_every_format(text):
    def squeezed(found: str) -> str:
        return re.sub(r"\s+", "", found)

    report = hostile(text)
    expected = is_shown(text[:50_000])
    page, summary = Cells(RENDERERS["html"](report)), Cells(rendered(RENDERERS["markdown"](report)))
    assert expected in squeezed("".join(each for tag, _, each in page.found if tag == "pre"))
    assert any(expected in squeezed(each) for tag, _, each in summary.found if tag in ("pre", "code"))
    assert expected in squeezed(xml.fromstring(RENDERERS["junit"](report)).find(".//failure").text)
    assert expected in squeezed(json.loads(RENDERERS["gradescope"](report))["tests"][1]["output"])
    assert json.loads(RENDERERS["json"](report))["tasks"][0]["items"][1]["message"] == text
    assert len(text) > 10**5 or expected.lstrip("'") in squeezed(RENDERERS["lms_csv"](report).replace('""', '"'))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_markdown_gets_no_markup_from_hostile_text(text):
    harmless = Cells(rendered(markdown.render(hostile("x" * len(text)))))
    found = Cells(rendered(markdown.render(hostile(text))))
    assert collections.Counter(found.tags) == collections.Counter(harmless.tags)
    source = markdown.render(hostile(text))
    outside = re.sub(r"<pre>.*?</pre>", "", source, flags=re.S)
    assert "@" not in source and not re.search(r"[#*_\[\]`~$\\]", re.sub(r"&#\d+;|^#+ |\*\*", "", outside, flags=re.M))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_xml_gets_no_markup_from_hostile_text(text):
    def shape(root: xml.Element) -> list:
        return [(each.tag, sorted(each.attrib)) for each in root.iter()]

    assert shape(xml.fromstring(RENDERERS["junit"](hostile(text)))) == shape(xml.fromstring(RENDERERS["junit"](hostile("x" * len(text)))))


def test_a_cell_of_the_table_stays_one_where_semicolons_stand_between_cells():
    text = lms_csv.render([six_verdicts(submission="a;=1+1")]).removeprefix("\ufeff")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    assert len(rows[1]) == 1 and '"a;=1+1"' in text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", sorted(READERS.keys() - {"console", "nbgrader"}))
def test_no_file_holds_a_number_that_is_none(name, value):
    report = six_verdicts(total=value)
    with pytest.raises(ValueError):
        RENDERERS[name](report)


def test_a_summary_has_less_than_a_megabyte_and_counts_what_is_left_out():
    worst = sinks.MAX_TEXT * "<"
    many = [item("vicreg", "failed", title=worst, message=worst, hint=worst) for _ in range(130)]
    report = six_verdicts(tasks=[task_of("vicreg", worst, many)], notes=[worst] * 9)
    text = markdown.render(report)
    assert len(text.encode()) < 10**6
    shown = text.count("<pre>")
    assert 0 < shown < 130 and f"{130 - shown} more explanations do not fit here" in text
    assert rendered(text).count("<tr>") == 1 + 1 + 1 + 130


def test_gradescope_hides_only_hidden_items():
    report = six_verdicts()
    report.tasks[0].items[0].visibility = "hidden"
    for hidden in gradescope.VISIBILITIES:
        first, *others = gradescope.results(report, hidden)["tests"]
        assert first["visibility"] == hidden and {each["visibility"] for each in others} == {"visible"}
    with pytest.raises(ValueError, match="no visibility"):
        gradescope.results(report, "never")


@pytest.mark.parametrize("hidden", ["hidden", "after_due_date", "after_published"])
def test_what_students_see_at_gradescope_tells_nothing_about_a_hidden_item(hidden):
    def report(verdict: str) -> Report:
        tasks = [task_of("vicreg", "Task 2", [item("vicreg", "passed"), item("vicreg", verdict, visibility="hidden")])]
        tasks.append(task_of("clustering", "Task 9", [item("clustering", verdict, 0.25, visibility="hidden")], True))
        sums = {"total": tasks[0].points, "max_total": 3.0, "bonus": tasks[1].points, "max_bonus": 0.25}
        return six_verdicts(tasks=tasks, **sums)

    found = {verdict: gradescope.results(report(verdict), hidden) for verdict in VERDICTS}
    (told,) = {each["output"] for each in found.values()}
    assert told.splitlines()[:2] == ["Public checks: 1.5 of 1.5 points", "1 passed"] and "2 more checks are " in told
    assert {(each["score"], each["extra_data"]["total"]) for each in found.values()} == {(1.5, 1.5), (3.25, 3.0)}
    assert len({gradescope.results(report(verdict), "visible")["output"] for verdict in VERDICTS}) == len(VERDICTS)


# -- the command line -------------------------------------------------------------------------------------------------


def run(*arguments, cwd: Path = PROJECT) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "autograder", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, encoding="utf-8", timeout=300)


def test_grade_writes_what_it_is_asked_for_also_from_a_stored_report(tmp_path):
    out = tmp_path / "out"
    asked = ["grade", PROJECT / "assignment", "--out", out, "--task", "warmup"]
    first = run(*asked, "--write", "junit", "--write", f"markdown={tmp_path / 'step.md'}")
    assert first.returncode == 0, first.stderr
    assert {path.name for path in (out / "assignment").iterdir()} == {"report.json", "report.html", "junit.xml"}
    (out / "assignment" / ".junit.xml.abc").write_text("<")  # of a killed grading
    second = run(*asked, "--write", "gradescope")
    assert "verdict kept" in second.stdout
    assert {path.name for path in (out / "assignment").iterdir()} == {"report.json", "report.html", "junit.xml", "results.json"}
    report = Report.from_dict(json.loads((out / "assignment" / "report.json").read_text("utf-8")))
    assert (out / "assignment" / "junit.xml").read_text("utf-8") == RENDERERS["junit"](report)
    assert (tmp_path / "step.md").read_text("utf-8") == markdown.render(report)
    assert json.loads((out / "assignment" / "results.json").read_text("utf-8"))["score"] == 0


def test_check_writes_into_a_file_and_into_a_pipe(tmp_path):
    done = run("check", "warmup", "--write", f"json={tmp_path / 'r.json'}", "--write", "junit=/dev/stdout", "--dir", PROJECT)
    assert done.returncode == 1, done.stderr
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["max_total"] > 0
    assert '<testsuites name="assignment"' in done.stdout and Path("/dev/stdout").is_symlink()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["check", "--write", "pdf"], "there is no format 'pdf'; there are gradescope, html, json, junit, markdown"),
        (["check", "--write", "junit="], "'junit=' names no file"),
        (["check", "--write", "junit=."], "'junit=.' names no file"),
        (["check", "--watch", "--write", "junit"], "leave out --write"),
        (["grade", "solutions", "assignment", "--out", "{out}", "--write", "junit={out}/x"], "cannot hold 2 reports"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_line(arguments, told, tmp_path):
    done = run(*[each.format(out=tmp_path / "out") for each in arguments])
    assert done.returncode == 2 and told in done.stderr.splitlines()[-1] and not (tmp_path / "out").exists()


def test_json_survives_what_utf_8_does_not_have():
    assert json.loads(json_sink.dumps({"a": "\udcff::\\::##["}).encode()) == {"a": "\udcff::\\::##["}
