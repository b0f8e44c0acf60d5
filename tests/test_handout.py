"""The handout: complete, in step with the rubric, readable on GitHub and as a page that needs nothing else."""

import ast
import dataclasses
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from autograder import rubric
from release import cli as command
from release import gate, handout, stubs
from autograder.tasks import TASK_OF_MODULE, task_id

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "assignment" / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "assignment" / "handout.html").read_text(encoding="utf-8")
RULES = rubric.load()
PROSE = re.sub(r"```.*?```|`[^`\n]*`", "", README, flags=re.DOTALL)
BLOCKS = re.findall(r"^\$\$\n(.*?)\n\$\$$", PROSE, re.MULTILINE | re.DOTALL)
LINES = re.sub(r"^\$\$\n.*?\n\$\$$", "", PROSE, flags=re.MULTILINE | re.DOTALL)
INLINE = re.findall(r"\$([^$]+)\$", LINES)
VOID = {"meta", "br", "hr", "mspace", "img"}


def section(task):
    """The text below a task's heading."""
    start = README.index(f"(`{task.id}`)\n")
    return README[start : README.index("\n## ", start)]


class Reader(HTMLParser):
    """Collects tags, ids, links and texts; complains about tags that don't fit together."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.texts = [], set(), [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [value for name, value in attributes.items() if name in ("href", "src")]
        assert not any(name.startswith("on") for name in attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag in VOID or self.open.pop() == tag, f"line {self.getpos()[0]}"

    def handle_data(self, data):
        if not {"style", "code"} & set(self.open):
            self.texts.append(data)


@pytest.fixture(scope="module")
def page():
    reader = Reader()
    reader.feed(PAGE)
    assert not reader.open
    return reader


@pytest.fixture
def copy(tmp_path):
    """A checkout that holds the handout alone."""
    (tmp_path / "assignment").mkdir()
    for name in ("README.md", "handout.html"):
        shutil.copy(ROOT / "assignment" / name, tmp_path / "assignment" / name)
    return tmp_path


# In step with rubric and solutions


def test_the_committed_handout_is_up_to_date():
    changes = stubs.compare(handout.all_handouts(ROOT), ROOT)
    assert not changes, f"{changes}\nrun: python -m release handout"


def test_every_task_has_its_section_in_the_rubrics_order():
    headings = re.findall(r"^## Task (\d+) — .+ \(`(\w+)`\)$", README, re.MULTILINE)
    assert headings == [(str(task.number), task.id) for task in RULES.tasks]


@pytest.mark.parametrize("question", RULES.questions, ids=lambda question: question.id)
def test_a_question_stands_word_for_word_in_the_section_of_its_task(question):
    points = f"{question.points:g} {'bonus ' if question.bonus else ''}points"
    wanted = f"\n**Question {question.id.upper()}** ({points})\n\n{question.prompt.strip()}\n"
    assert README.count(wanted) == 1
    assert wanted in section(RULES.find_task(question.task))


def test_the_table_of_tasks_has_the_rubrics_points():
    rows = re.findall(r"^\| (\d+) [^|]+\| `(\w+)` \| `([\w.]+)` \|[^|]*\| (\d+) \| ([^|]*)\|$", README, re.MULTILINE)
    assert [(int(number), task) for number, task, *_ in rows] == [(task.number, task.id) for task in RULES.tasks]
    for (_, _, file, checks, questions), task in zip(rows, RULES.tasks):
        assert file in RULES.files
        asked = [f"{each.id.upper()}: {each.points:g}" for each in RULES.questions if each.task == task.id]
        assert questions.strip() == ", ".join(asked)
        if task.items:
            assert float(checks) == sum(item.points for item in task.items), task.id
    plain = [int(checks) for (*_, checks, _), task in zip(rows, RULES.tasks) if not task.bonus]
    by_hand = sum(each.points for each in RULES.questions if not each.bonus)
    assert (sum(plain), by_hand) == (80, 20)


@pytest.mark.parametrize("module", TASK_OF_MODULE)
def test_every_function_is_named_in_the_section_of_its_task(module):
    tree = ast.parse((ROOT / "assignment" / f"{module}.py").read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    for function in (name for name in names if not name.startswith("_")):
        assert f"`{function}" in section(RULES.find_task(task_id(module, function))), function


def test_the_plots_that_it_names_exist():
    from assignment.provided import plots

    names = set(re.findall(r"`plots\.(\w+)`", README)) - {"py"}
    assert names and all(hasattr(plots, name) for name in names)


def test_a_changed_prompt_comes_into_the_handout():
    first = dataclasses.replace(RULES.questions[0], prompt="\nWhy, in \\1 words?\n", points=1.5, bonus=True)
    text = handout.fill_questions(README, (first, *RULES.questions[1:]))
    assert f"**Question {first.id.upper()}** (1.5 bonus points)\n\nWhy, in \\1 words?\n\n{handout.END}" in text
    assert RULES.questions[0].prompt.strip() not in text
    assert handout.fill_questions(text, RULES.questions) == README


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("**Question Q4**", "**Frage Q4**"),
        lambda text: text.replace("**Question Q4**", "**Question Q44**"),
        lambda text: text.replace(handout.END, "", 1),
        lambda text: text + "\n" + handout.place(RULES.questions[3]),
    ],
    ids=["no place", "unknown", "no end", "two places"],
)
def test_every_question_needs_one_place(change):
    with pytest.raises(handout.HandoutError, match=r"'q\w+' must be a question of rubric.toml and have one place"):
        handout.fill_questions(change(README), RULES.questions)


# The command and the gate


def test_the_command_says_what_it_did_and_what_is_left_to_choose(copy, capsys):
    assert command.main(["handout", "--check"], root=copy) == 0
    assert capsys.readouterr().out.startswith("the handout is up to date\nnote: assignment/README.md leaves ")
    (copy / "assignment" / "handout.html").unlink()
    assert command.main(["handout", "--check"], root=copy) == 1
    assert "\n    python -m release handout\n" in capsys.readouterr().out
    assert command.main(["handout"], root=copy) == 0
    assert capsys.readouterr().out.startswith("wrote assignment/handout.html\n")
    assert (copy / "assignment" / "handout.html").read_text(encoding="utf-8") == PAGE


def test_the_choices_are_the_instructors_and_end_when_made(copy):
    readme = copy / "assignment" / "README.md"
    choices = handout.open_choices(copy)
    assert "[date and time]" in choices and all(each in README for each in choices)
    text = README
    for each in choices:
        text = text.replace(each, "something")
    readme.write_text(text, encoding="utf-8")
    assert handout.open_choices(copy) == []


def test_an_error_is_one_sentence(copy, capsys):
    readme = copy / "assignment" / "README.md"
    readme.write_text(README.replace(r"\sum_i", r"\summe_i", 1), encoding="utf-8")
    assert command.main(["handout"], root=copy) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: assignment/README.md: the formula") and error.count("\n") == 1
    assert gate.stale_handout(copy) == [error.removeprefix("error: ").strip()]


def test_the_gate_notices_a_stale_page(copy):
    assert gate.stale_handout(copy) == []
    (copy / "assignment" / "handout.html").write_text("old")
    assert gate.stale_handout(copy) == ["run: python -m release handout"]


# Formulas


@pytest.mark.parametrize("tex", dict.fromkeys(BLOCKS + INLINE))
def test_a_formula_is_one_that_github_and_the_page_can_show(tex):
    assert "<math" in handout.formula(tex, {"display_mode": True})
    assert tex == tex.strip() and "$" not in tex
    # GitHub's Markdown reads the text before its formulas are drawn: no escaped punctuation, nothing that could begin
    # emphasis, no column separator of a table.
    assert not re.search(r"\\[^A-Za-z]|[*|<>]|[^\w\s\\]_\w", tex), tex


def test_formulas_stand_where_both_find_them():
    assert len(BLOCKS) > 10 and len(INLINE) > 30
    assert LINES.count("$") == 2 * len(INLINE)
    around = re.findall(r"(.)\$[^$]+\$(.)", LINES, re.DOTALL)
    assert {before for before, _ in around} <= set(" \n(") and {after for _, after in around} <= set(" \n.,:;?)")
    assert PAGE.count("<math ") == len(BLOCKS) + len(INLINE)


@pytest.mark.parametrize("tex", [r"\foo{x}", r"\left( x", r"{x"])
def test_a_formula_that_cannot_be_shown_is_an_error(tex):
    with pytest.raises(handout.HandoutError, match="formula"):
        handout.render(f"# Title\n\n$$\n{tex}\n$$\n")


def test_a_formula_says_its_tex_and_sets_bars_and_primes_as_mathematicians_do():
    made = handout.formula(r"\lvert z_i' \rvert & 1", {"display_mode": False})
    assert 'alttext="\\lvert z_i&#39; \\rvert &amp; 1"' in made
    assert "<msub><mrow><mi>z</mi>" in made and made.count('stretchy="false" lspace="0.06em"') == 2


# The page


def test_the_page_needs_nothing_but_itself(page):
    assert not page.tags & {"script", "link", "iframe", "img", "object", "embed", "form"}
    assert "default-src 'none'" in PAGE and "@import" not in PAGE and "url(" not in PAGE
    outside = [link for link in page.links if not link.startswith("#")]
    assert all(link.startswith("https://arxiv.org/") for link in outside)


def test_links_within_the_page_lead_somewhere(page):
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_no_source_is_left_in_the_text(page):
    text = " ".join(page.texts)
    assert not re.search(r"\$|\\|\*\*|`|<!--|\]\(|^#", text, re.MULTILINE)
    assert "INSTRUCTOR" not in PAGE and handout.END not in PAGE
    assert "ol" not in page.tags  # a line of prose that begins with a number, taken for a list


def test_contents_name_every_section(page):
    sections = re.findall(r"^## (.+)$", README, re.MULTILINE)
    assert PAGE.count('<li><a href="#') == len(sections)
    assert '<a href="#task-5--retrieval-retrieval">Task 5 — Retrieval</a>' in PAGE


def test_wide_tables_scroll_and_questions_stand_out():
    assert PAGE.count("<table>") == PAGE.count('<div class="scroll" tabindex="0">\n<table>') > 10
    assert PAGE.count('<div class="question">') == len(RULES.questions)


def test_other_html_is_refused():
    with pytest.raises(handout.HandoutError, match="HTML in the text: '<script>"):
        handout.render("# Title\n\n<script>alert(1)</script>\n")
    assert "secret" not in handout.render("# Title\n\ntext <!-- secret --> text\n\n<!-- secret\n\nsecret -->\n")
