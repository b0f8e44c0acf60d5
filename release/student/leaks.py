"""What a copy would give away: places, lines of the reference, passages of hidden checks, mistakes and model answers.

The copy is put together from what may be handed out, so nothing of this should ever be found; it is looked for all the same.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from autograder import rubric

from .. import discussion, stubs
from ..packing import Files

PLACES = re.compile(
    r"(solutions|release|demo|tests|benchmarks)/|autograder/(checks/hidden|misconceptions|proofs)/"
    r"|autograder/(diagnosis|commands/(?!(__init__|check)\.py))"
)
SECRET = ("checks/hidden", "misconceptions", "proofs")
PASSAGE = 5  # lines in a row that also stand in a secret file: fewer are a habit of writing
LETTERS = 25  # a shorter line proves nothing
# Lines of the reference that anybody would write, and the given files do.
USUAL = {"images = torch.as_tensor(images)", "np.random.seed(seed % 2**32)", "if test_images is not None:"}
Texts = dict[str, str]


def find(files: Files, root: Path) -> list[str]:
    """What a copy would give away, a sentence each; nothing is an empty list."""
    texts = {name: data.decode("utf-8").replace('\\"', '"') for name, data in sorted(files.items())}
    found = [f"{name} is not for students" for name in texts if PLACES.match(name)]
    found += solution_lines(texts, root) + secret_rows(texts, root)
    told = {**hidden_items(root), **explanations(root)}
    found += standing_in(texts, told)
    return found + standing_in({name: f" {' '.join(discussion.words(text))} " for name, text in texts.items()}, answers(root))


def solution_lines(texts: Texts, root: Path) -> list[str]:
    """Lines that stand between solution markers and in the copy."""
    lines = {name: {bare(line) for line in text.splitlines()} for name, text in texts.items()}
    found = []
    for path in sorted((root / "solutions").glob("*.py")):
        secret = set(filter(is_telling, stubs.solution_lines(path.read_text(encoding="utf-8"), path.name)))
        found += [f"{name} has a line of {path.name}: {line}" for name in texts for line in sorted(secret & lines[name])]
    return found


def bare(line: str) -> str:
    """A line of a module, or of a notebook's JSON, without what stands around it."""
    return re.sub(r'^"|(\\n)?",?$', "", line.strip()).strip()


def is_telling(line: str) -> bool:
    return len(line) >= LETTERS and line not in USUAL and not line.startswith(("import ", "from ", "#", '"""', "@"))


def secret_rows(texts: Texts, root: Path) -> list[str]:
    """Rows of lines that stand in a secret file, too."""
    rows = {row: name for name, text in texts.items() for row in rows_of(text)}
    found = []
    for path in secret_files(root):
        both = [row for row in rows_of(path.read_text(encoding="utf-8")) if row in rows]
        found += [f"{rows[row]} has a passage of {path.name}: {row[0]}" for row in both[:1]]
    return found


def rows_of(text: str) -> Iterator[tuple[str, ...]]:
    """Every PASSAGE lines in a row, without empty ones and imports, that together say something."""
    lines = [bare(line) for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("import ", "from "))]
    rows = (tuple(lines[start : start + PASSAGE]) for start in range(len(lines) - PASSAGE + 1))
    return (row for row in rows if sum(map(len, row)) >= PASSAGE * LETTERS)


def secret_files(root: Path) -> Iterator[Path]:
    for folder in SECRET:
        yield from sorted((root / "autograder" / folder).rglob("*.py"))


def hidden_items(root: Path) -> dict[str, str]:
    """The words of hidden items, and whose they are; but what a public item says, too, is no secret."""
    items = rubric.load(root / "autograder" / "rubric.toml").items()
    public = {word for item in items if item.visibility == "public" for word in (item.title, item.hint)}
    hidden = [item for item in items if item.visibility == "hidden"]
    told = {word: item.id for item in hidden for word in (item.title, item.hint, item.property)}
    return {word: name for word, name in told.items() if word and word not in public} | {f'"{item.id}"': item.id for item in hidden}


def explanations(root: Path) -> dict[str, str]:
    """What known mistakes are explained with, and in which file: the texts after the name in each @misconception(...)."""
    found = {}
    for path in secret_files(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "misconception":
                words = [each.value for each in node.args[2:] if isinstance(each, ast.Constant)]
                found |= {word: path.name for word in words if isinstance(word, str) and len(word) >= LETTERS}
    return found


def answers(root: Path) -> dict[str, str]:
    """The passages of criteria and model answers, and in which file, as the copy's words are compared."""
    found = {}
    for answer in discussion.read_answers(root).values():
        told: Iterable[str] = (answer.model, *(text for _, text in answer.criteria))
        found |= {f" {passage} ": f"{answer.id}.md" for text in told for passage in discussion.runs(text)}
    return found


def standing_in(texts: Texts, secret: dict[str, str]) -> list[str]:
    """The secret words that stand in a text. One search in all texts at once, for that is nearly always in vain."""
    together = "\0".join(texts.values())
    present = [word for word in secret if word in together]
    return [f"{name} tells of {secret[word]}: “{word.strip()}”" for word in present for name, text in texts.items() if word in text]
