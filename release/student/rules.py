"""The rubric that students get: public items and questions. Titles and hints of hidden items would tell what is checked."""

import re
import tempfile
from pathlib import Path

from autograder import rubric

from ..packing import PackingError

HIDDEN_ITEM = re.compile(r'(#.*\n)*\[\[task\.item\]\]\n(.*\n)*visibility = "hidden"$', re.MULTILINE)


def public_part(text: str) -> str:
    """The text of a rubric.toml without its hidden items and the comments right above them; all else stays as it is written.

    Raises PackingError where something other than the hidden items would be lost, and RubricError.
    """
    kept = "".join(block for block in blocks(text) if not HIDDEN_ITEM.match(block))
    if parsed(kept) != parsed(text).only(visibility="public"):
        raise PackingError("autograder/rubric.toml without its hidden items would be another rubric: write each item on lines of its own")
    return kept


def blocks(text: str) -> list[str]:
    """The text cut before each [table]. A comment right above a table goes with the table; one with a blank line below does not.

    >>> blocks("# a\\n\\nx = 1\\n[[b]]\\ny = 2\\n\\n# c\\n# d\\n[c]\\n\\n# e\\n\\n[f]\\n")
    ['# a\\n\\nx = 1\\n', '[[b]]\\ny = 2\\n\\n', '# c\\n# d\\n[c]\\n\\n', '# e\\n\\n', '[f]\\n']
    """
    made, comment = [""], ""
    for line in text.splitlines(keepends=True):
        if line.startswith("#"):
            comment += line
            continue
        own_paragraph = comment and not line.strip() and made[-1].endswith("\n\n")
        if line.startswith("[") or own_paragraph:
            made.append("")
        made[-1] += comment + line
        comment = ""
    made[-1] += comment
    return [block for block in made if block]


def parsed(text: str) -> rubric.Rubric:
    """The rubric of a text. Raises RubricError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rubric.toml")
        path.write_text(text, encoding="utf-8")
        return rubric.load(path)
