"""What nbgrader's pages show, in formgrader and as feedback: criteria for who grades, and students' text without its HTML."""

import nbformat
from jinja2 import pass_context
from markupsafe import escape
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode

from release import discussion


class Renderer(IPythonRenderer):
    """nbconvert's own, but for diagrams, whose text it puts into the page as it is."""

    def block_mermaidjs(self, code: str) -> str:
        return f"<pre>{escape(code)}</pre>\n"


@pass_context
def harmless_markdown(context, source: str) -> str:
    """Markdown as HTML, in which HTML that somebody wrote stays text.

    nbgrader's own templates let it through, `sanitize_html` or not. Then a script in an answer acts in formgrader with the
    rights of whoever reads it.
    """
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = Renderer(escape=True, allow_harmful_protocols=False, attachments=attachments, anchor_link_text="")
    return MarkdownWithMath(renderer=renderer).render(source)


class ShowCriteria(Preprocessor):
    """Criteria and model answer above each answer, on formgrader's page and in no file."""

    def preprocess(self, nb: NotebookNode, resources):
        if "submission_id" not in resources or "nbgrader" in resources:  # nbgrader's own steps, which write files
            return nb, resources
        answers = discussion.read_answers()
        cells = []
        for cell in nb.cells:
            data = cell.metadata.get("nbgrader", {})
            if data.get("solution") and data.get("grade_id") in answers:
                cells.append(nbformat.v4.new_markdown_cell(criteria(answers[data["grade_id"]])))
            cells.append(cell)
        nb.cells = cells
        return nb, resources


def criteria(answer: discussion.Answer) -> str:
    """For the one who grades: what to tick, and the model answer."""
    ticks = "\n".join(f"- {points:g}: {text}" for points, text in answer.criteria)
    model = "\n".join(f"> {line}" for line in discussion.fill(answer.model, {}).splitlines())
    return f"**Criteria for {answer.id.upper()}** (only you see this)\n\n{ticks}\n\n**Model answer**\n\n{model}"
