"""The web page: every verdict is told, student text never becomes markup; report.json fits its schema."""

import dataclasses
import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
import torch

from autograder import messages
from autograder.report import CODE_HEADING, VERDICTS, ItemResult, Report, TaskResult, split_code
from autograder.sinks import html, markdown
from autograder.sinks import json as json_sink
from autograder.student import Call

SCHEMA = Path(html.__file__).parent.parent / "report.schema.json"
HOSTILE = {
    "a script": "<script>alert(1)</script>",
    "an event": '<img src=x onerror="alert(1)">',
    "an end of the message": "</pre></td><h1>100 points</h1>",
    "an end of the style": "</style><script>alert(1)</script>",
    "quotes": "\" onmouseover='alert(1)' x=\"",
    "a template": "{{ 7 * 7 }}{% raw %}",
    "an entity": "&lt;script&gt; &amp; &#60;b&#62;",
    "a comment": "<!-- ",
    "a log command": "\n::error::forged\n##[error]forged",
    "NUL": "a\x00b",
    "ANSI": "\x1b[31mred\x1b[0m\x1b]8;;http://example.org\x07link",
    "right to left": "\u202eevil\u202c \u2066x\u2069 \u200f",
    "a lone surrogate": "\udcff\ud800",
    "an address": "javascript:alert(1)",
}


def make_item(verdict="passed", **changes) -> ItemResult:
    done = verdict in ("passed", "grader_fault")
    points = 2.0 if done else 0.0
    made = ItemResult(f"vicreg.{verdict}", f"Title of {verdict}", "public", verdict, points, 2.0)
    made.seconds = 0.25
    return dataclasses.replace(made, **changes)


def make_report(*items: ItemResult, **changes) -> Report:
    earned, most = sum(item.points for item in items), sum(item.max_points for item in items)
    task = TaskResult("vicreg", "Task 2: The VICReg loss", earned, most, list(items))
    return dataclasses.replace(Report("alice", earned, most, "bubblewrap: no network", [], [task]), **changes)


class Page(HTMLParser):
    """What a browser makes of a page: its tags with their attributes, and its text by tag."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = [], [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        for tag in self.open:
            self.texts[tag] = self.texts.get(tag, "") + data


@pytest.mark.parametrize("verdict", VERDICTS)
def test_each_verdict_has_its_own_word_and_sign(verdict):
    text = html.render(make_report(make_item(verdict)))
    head = text[: text.index("<footer>")]
    mark, word, _ = html.MARKS[verdict]
    assert f'class="verdict {verdict}"' in head and mark in head and word in head
    for other in set(VERDICTS) - {verdict}:
        assert f'class="verdict {other}"' not in head


def test_all_that_the_report_knows_is_on_the_page():
    message = "Expected: 1\nCame:     2"
    item = make_item("failed", message=message, hint="Look there.", misconception="square root missing")
    hidden = make_item("passed", visibility="hidden")
    report = make_report(item, hidden, notes=["missing files: training.py"])
    text = Page(html.render(report)).texts["body"]
    shown = ("alice", "2 of 4 points", "bubblewrap: no network", "missing files: training.py")
    shown += ("Task 2: The VICReg loss", "known mistake: square root missing")
    shown += ("Title of failed", "vicreg.failed", "0 of 2", "0.25 s", "public", "hidden")
    assert [each for each in shown if each not in text] == []
    assert text.index("Expected: 1") < text.index("Came:     2") < text.index("Hint: Look there.")


def test_another_convention_is_no_mistake():
    told = [f"This is what comes of {kind} in f, “n”: …" for kind in ("another convention", "a known mistake")]
    convention, mistake, both = (make_item("failed", message=text, misconception="n") for text in (*told, "\n".join(told)))
    page = html.render(make_report(convention))
    assert '<span class="label">another convention: n</span>' in page and "known mistake" not in page.split("<pre")[0]
    assert "another convention" in markdown.render(make_report(convention)).split("What did not pass")[0]
    for item in (mistake, both):
        assert '<span class="label mistake">known mistake: n</span>' in html.render(make_report(item))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_a_student_wrote_becomes_markup(text):
    harmless = Page(html.render(hostile_report("x")))
    rendered = html.render(hostile_report(text))
    page = Page(rendered)
    assert page.tags == harmless.tags
    assert [name for name, _ in page.attributes] == [name for name, _ in harmless.attributes]
    rendered.encode("utf-8")
    invisible = {chr(code) for code in range(32)} - {"\n"} | set("\x7f\u202e\u202c\u2066\u2069\u200f")
    assert not invisible & set(rendered)
    assert "::error" not in rendered and "##[" not in rendered


def hostile_report(text: str) -> Report:
    changes = dict.fromkeys(("title", "message", "hint", "misconception"), text)
    report = make_report(make_item("failed", **changes), submission=text, notes=[text], sandbox=text)
    report.tasks[0].title = text
    return report


def test_a_message_is_shown_as_it_was_written():
    message = "Came:     <b> & 'x' :: \"y\"\n    indented"
    page = Page(html.render(make_report(make_item("failed", message=message))))
    assert page.texts["pre"].strip("\n") == message


def test_code_to_paste_stands_alone_and_without_margin():
    call = Call("call", "vicreg.variance_loss", (torch.eye(2),), {"gamma": 2.0})
    message = f"Expected: 1\nCame:     2\n{messages.how_to_repeat(call)}\nYour code printed:\n    here"
    page = html.render(make_report(make_item("failed", message=message)))
    before, code, after = (unescape(each) for each in re.findall(r"<pre[^>]*>\n(.*?)</pre>", page, re.DOTALL))
    compile(code, "pasted", "exec")
    assert code.startswith("import torch\nfrom assignment.vicreg import variance_loss\n")
    assert (before, after) == ("Expected: 1\nCame:     2", "Your code printed:\n    here")


@pytest.mark.parametrize("text", ["", "x", f"x\n{CODE_HEADING}", f"    {CODE_HEADING}\n    x"])
def test_a_message_without_code_is_one_part(text):
    assert split_code(text) == (text, "", "")


def test_the_page_needs_nothing_from_elsewhere():
    page = Page(html.render(hostile_report('<a href="http://example.org">')))
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(page.tags)
    assert not [value for name, value in page.attributes if name in ("src", "href", "action")]
    assert "url(" not in html.style() and "@import" not in html.style()
    assert any("default-src 'none'" in (value or "") for _, value in page.attributes)


def test_a_report_without_points_or_items_has_a_page():
    assert "0 of 0 points" in Page(html.render(Report("empty", 0, 0, "none", [], []))).texts["body"]


def test_the_scoreboard_links_to_reports():
    reports = [make_report(make_item("passed")), make_report(make_item("blocked"), submission="<b>bob</b>")]
    page = Page(str(html.scoreboard(reports, {"alice": "graded/alice/report.html"})))
    assert ("href", "graded/alice/report.html") in page.attributes and "b" not in page.tags
    shown = ("2 of 2", "1 passed", "1 blocked", "<b>bob</b>")
    assert [each for each in shown if each not in page.texts["tr"]] == []


# ---- the schema --------------------------------------------------------------------------------------------


def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_report_fits_the_schema(verdict):
    other = make_item("failed", misconception="m", id="vicreg.other")
    validator().validate(json.loads(json_sink.render(make_report(make_item(verdict), other, notes=["n"]))))


def test_the_schema_names_the_verdicts_and_every_field():
    schema = validator().schema
    assert schema["$defs"]["item"]["properties"]["verdict"]["enum"] == list(VERDICTS)
    parts = (schema, schema["$defs"]["task"], schema["$defs"]["item"])
    for part, kind in zip(parts, (Report, TaskResult, ItemResult)):
        names = {field.name for field in dataclasses.fields(kind)}
        assert set(part["properties"]) == set(part["required"]) == names
        assert part["additionalProperties"] is False


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.pop("sandbox"),
        lambda data: data.update(extra=1),
        lambda data: data.update(total=-1),
        lambda data: data["tasks"][0]["items"][0].update(verdict="fine"),
        lambda data: data["tasks"][0]["items"][0].update(visibility="secret"),
        lambda data: data["tasks"][0]["items"][0].update(points="2"),
        lambda data: data["tasks"][0]["items"][0].update(id="variance"),
        lambda data: data["tasks"][0]["items"][0].pop("misconception"),
    ],
)
def test_the_schema_refuses_what_is_no_report(spoil):
    data = make_report(make_item("failed")).as_dict()
    spoil(data)
    assert not validator().is_valid(data)
