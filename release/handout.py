"""The handout: the questions' words in assignment/README.md, and the same page as HTML, assignment/handout.html.

README.md is written by hand, but for the prompts of the discussion questions: what stands between a line
`**Question Q4** (3 points)` and `<!-- end of question -->` is put there from autograder/rubric.toml. handout.html is one
file that needs no network and no script; formulas become MathML, which browsers draw themselves.
"""
import re
from pathlib import Path

import jinja2
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.tree import SyntaxTreeNode
from markupsafe import Markup, escape
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from autograder import rubric
from autograder.rubric import Question
from autograder.sinks import html

HERE = Path(__file__).parent
END = "<!-- end of question -->"
QUESTION = re.compile(rf"^\*\*Question (\w+)\*\* \([^)\n]*\)\n.*?^{END}$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
CHOICE = re.compile(r"(?<!\])\[[^\[\]\n]*(?:\n[^\[\]\n]+)?\](?![(\[])")  # [one / another], but no link
# MathML takes bars for operators between two things, with space around them; here they are brackets.
BAR = re.compile(r"<mo>(&#x0007C;|&#x02016;)</mo>")
# A prime is drawn high and small already; as the superscript that TeX makes of it, it would be a speck.
PRIME = re.compile(r"<(msup|msubsup)>(<mi>[^<]*</mi>)(<mi>[^<]*</mi>)?<mi>(&#x02032;)</mi></\1>")


class HandoutError(ValueError):
    """The handout cannot be made as it is written; the message says what and where."""


def all_handouts(root: Path) -> dict[Path, str]:
    """What README.md and handout.html should contain. Raises HandoutError, RubricError and OSError."""
    readme = root / "assignment" / "README.md"
    text = fill_questions(readme.read_text(encoding="utf-8"), rubric.load().questions)
    return {readme: text, readme.with_name("handout.html"): render(text)}


def fill_questions(text: str, questions: tuple[Question, ...]) -> str:
    """The handout with the prompt of every question in its place. Raises HandoutError unless each has one place."""
    known = {question.id: question for question in questions}
    places = [match[1].lower() for match in QUESTION.finditer(text)]
    if sorted(places) != sorted(known):
        wrong = sorted(set(places) ^ set(known)) or sorted({each for each in places if places.count(each) > 1})
        raise HandoutError(
            f"assignment/README.md: {wrong[0]!r} must be a question of rubric.toml and have one place, which is a "
            f"line **Question {wrong[0].upper()}** (… points), and later a line {END}"
        )
    return QUESTION.sub(lambda match: place(known[match[1].lower()]), text)


def place(question: Question) -> str:
    """A question as it stands in the handout."""
    points = f"{question.points:g} {'bonus ' if question.bonus else ''}points"
    return f"**Question {question.id.upper()}** ({points})\n\n{question.prompt.strip()}\n\n{END}"


def open_choices(root: Path) -> list[str]:
    """What an instructor has still to choose: the [brackets] of the parts marked INSTRUCTOR, comments and code aside."""
    text = (root / "assignment" / "README.md").read_text(encoding="utf-8")
    parts = re.findall(r"<!-- INSTRUCTOR:.*?-->\n+(.*?)(?=^#|^<!--|\Z)", text, re.MULTILINE | re.DOTALL)
    return [each for part in parts for each in CHOICE.findall(COMMENT.sub("", part))]


def render(text: str) -> str:
    """The handout as one HTML page. Raises HandoutError for a formula that cannot be shown."""
    reader = parser()
    tokens = reader.parse(text)
    title, contents = headings(SyntaxTreeNode(tokens))
    end = next(index for index, token in enumerate(tokens) if token.type == "heading_close") + 1  # of the title
    body = reader.renderer.render(tokens[end:], reader.options, {})
    body = body.replace("<p><strong>Question ", '<div class="question">\n<p><strong>Question ')
    body = body.replace("<table>", '<div class="scroll" tabindex="0">\n<table>').replace("</table>", "</table>\n</div>")
    style = html.style() + Markup((HERE / "handout.css").read_text(encoding="utf-8"))
    folder = jinja2.FileSystemLoader(HERE)
    page = jinja2.Environment(loader=folder, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return page.get_template("handout.html.jinja").render(title=title, contents=contents, body=Markup(body), style=style)


def parser() -> MarkdownIt:
    """GitHub's Markdown as far as the handout uses it: tables, formulas, headings with GitHub's addresses."""
    reader = MarkdownIt("commonmark").enable("table")
    dollarmath_plugin(reader, allow_space=False, allow_digits=False, allow_labels=False, renderer=formula)
    anchors_plugin(reader, min_level=2, max_level=3, slug_func=address)
    reader.add_render_rule("html_block", comment)
    reader.add_render_rule("html_inline", comment)
    return reader


def headings(page: SyntaxTreeNode) -> tuple[str, list[tuple[str, str]]]:
    """The title, and (address, words) of each section, for the table of contents."""
    found = [node for node in page.children if node.type == "heading"]
    sections = [node for node in found if node.tag == "h2"]
    return words(found[0]), [(node.attrs["id"], words(node)) for node in sections]


def words(node: SyntaxTreeNode) -> str:
    """The text of a heading, without the id of its task, which is for the heading itself."""
    text = "".join(each.content for each in node.walk() if each.type in ("text", "code_inline"))
    return re.sub(r" \(\w+\)$", "", text)


def address(heading: str) -> str:
    """GitHub's address of a heading: small letters, no punctuation, a hyphen for each space."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def formula(tex: str, options: dict) -> str:
    """A formula as MathML, which says its TeX as well."""
    tex = tex.strip()
    display = "block" if options["display_mode"] else "inline"
    try:
        math = convert(tex, display=display)
    except Exception as error:
        raise HandoutError(f"assignment/README.md: the formula {tex!r} cannot be read: {error!r}") from error
    if "\\" in math or tex.count("{") != tex.count("}"):  # an unknown command comes out as it went in
        raise HandoutError(f"assignment/README.md: the formula {tex!r} has a command or brace that the HTML page cannot show")
    math = BAR.sub(r'<mo form="prefix" stretchy="false" lspace="0.06em" rspace="0.06em">\1</mo>', math)
    math = PRIME.sub(primed, math)
    return math.replace("<math ", f'<math alttext="{escape(" ".join(tex.split()))}" ', 1)


def primed(match: re.Match) -> str:
    base = f'<mrow>{match[2]}<mo lspace="0" rspace="0">{match[4]}</mo></mrow>'
    return f"<msub>{base}{match[3]}</msub>" if match[3] else base


def comment(self: RendererHTML, tokens: list, index: int, options: dict, env: dict) -> str:
    """Comments are for whoever edits the source; other HTML has no place in the handout."""
    if COMMENT.sub("", tokens[index].content).strip():
        raise HandoutError(f"assignment/README.md: HTML in the text: {tokens[index].content.strip()[:80]!r}")
    return "</div>\n" if tokens[index].content.strip() == END else ""  # of the question
