"""The rubric that students get: public items and questions. Titles and hints of hidden items would tell what is checked."""

import re
import tempfile
from pathlib import Path

from autograder import rubric

from ..packing import PackingError

HIDDEN = re.compile(r'^visibility = "hidden"$', re.MULTILINE)


def public_part(text: str) -> str:
    """The text of a rubric.toml without its hidden items; all else stays as it is written, comments included.

    Raises PackingError where something other than the hidden items would be lost, and RubricError.
    """
    kept = "".join(block for block in blocks(text) if not (block.startswith("[[task.item]]") and HIDDEN.search(block)))
    if parsed(kept) != parsed(text).only(visibility="public"):
        raise PackingError("autograder/rubric.toml without its hidden items would be another rubric: write each item on lines of its own")
    return kept


def blocks(text: str) -> list[str]:
    """The text cut before each [table]. A comment above a table goes with the table.

    >>> blocks("# a\\nx = 1\\n[[b]]\\ny = 2\\n\\n# c\\n[c]\\n")
    ['# a\\nx = 1\\n', '[[b]]\\ny = 2\\n\\n', '# c\\n', '[c]\\n']
    """
    return [block for block in re.split(r"^(?=\[)|(?<=\n\n)(?=#)", text, flags=re.MULTILINE) if block]


def parsed(text: str) -> rubric.Rubric:
    """The rubric of a text. Raises RubricError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rubric.toml")
        path.write_text(text, encoding="utf-8")
        return rubric.load(path)
