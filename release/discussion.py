"""The discussion questions for those who grade them: criteria and model answers, and that no student gets them.

    python -m release discussion                     every question with its tick list and model answer
    python -m release discussion OUT/results.json    the same, with the numbers of a run of solutions.reproduce

Each question of the rubric has a file solutions/discussion/<id>.md with the headings `## Criteria` (lines
`- 0.5: what the answer has to say`, which sum to the question's points), `## Model answer`, and, where there are
any, `## Sources` and `## Measured with` (Python, indented). Where a number belongs, a model answer has
`{{Q3/probe accuracy: VICReg}}`.
"""

import dataclasses
import json
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path

from autograder import rubric

ROOT = Path(__file__).resolve().parent.parent
HEADINGS = ("Criteria", "Model answer", "Sources", "Measured with")
CRITERION = re.compile(r"- (\d+(?:\.\d+)?): (.+)", re.DOTALL)
MARK = re.compile(r"\{\{([A-Z0-9]+)/([^{}]+)\}\}")
RUN = 10  # words in a row that students also have: fewer may be chance
TEXTS = (".md", ".py", ".ipynb", ".toml", ".html", ".txt")


class DiscussionError(ValueError):
    """A file of answers is not as described above; the message begins with its name."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What an instructor has for one question."""

    id: str
    criteria: tuple[tuple[float, str], ...]  # points and what has to be said for them
    model: str  # Markdown
    sources: str = ""
    measured: str = ""  # Python that measures what the model answer quotes

    @property
    def points(self) -> float:
        return sum(points for points, _ in self.criteria)


def parse_answer(text: str, name: str) -> Answer:
    """The answer in a file's text. Raises DiscussionError for a missing part or an unreadable criterion.

    >>> text = "## Criteria\\n- 0.5: says a\\n- 1: says b,\\n  and c\\n\\n## Model answer\\nIt is a."
    >>> parse_answer(text, "q.md").points
    1.5
    """
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    sections = {heading.strip(): body.strip("\n") for heading, body in zip(parts[1::2], parts[2::2])}
    if unknown := set(sections) - set(HEADINGS):
        raise DiscussionError(f"{name}: the heading {sorted(unknown)[0]!r} is none of {', '.join(HEADINGS)}")
    for heading in HEADINGS[:2]:
        if not sections.get(heading, "").strip():
            raise DiscussionError(f"{name}: the part `## {heading}` is missing or empty")
    criteria = []
    for line in re.split(r"\n(?=- )", sections["Criteria"]):
        match = CRITERION.fullmatch(line.strip())
        if not match:
            told = "a criterion is `- 0.5: what the answer has to say`"
            raise DiscussionError(f"{name}: {told}, not `{line.strip()[:60]}`")
        criteria.append((float(match[1]), " ".join(match[2].split())))
    sources, measured = (sections.get(heading, "") for heading in HEADINGS[2:])
    return Answer(Path(name).stem, tuple(criteria), sections["Model answer"], sources, textwrap.dedent(measured))


def read_answers(root: Path = ROOT) -> dict[str, Answer]:
    """All answers, by the id of their question. Raises DiscussionError and OSError."""
    folder = root / "solutions" / "discussion"
    answers = (parse_answer(path.read_text(encoding="utf-8"), path.name) for path in sorted(folder.glob("*.md")))
    return {answer.id: answer for answer in answers}


def criteria(question: str, root: Path = ROOT) -> tuple[tuple[float, str], ...]:
    """Points and text of each tick of a question, e.g. for a grading form."""
    return read_answers(root)[question].criteria


def problems(root: Path, questions: Iterable[rubric.Question]) -> list[str]:
    """What is wrong with the answers as a whole: missing or superfluous ones, points that do not sum up."""
    try:
        answers = read_answers(root)
    except DiscussionError as error:
        return [str(error)]
    questions = {question.id: question for question in questions}
    found = [f"{id}: solutions/discussion/{id}.md is missing" for id in questions if id not in answers]
    found += [f"{id}.md: the rubric has no such question" for id in answers if id not in questions]
    for id in questions.keys() & answers.keys():
        points, sum_ = questions[id].points, answers[id].points
        if sum_ != points:
            found.append(f"{id}.md: the criteria sum to {sum_:g} points, the rubric gives {points:g}")
    return sorted(found)


# ---- nothing of it reaches students ------------------------------------------------------------------------


def leaks(root: Path) -> list[str]:
    """Passages of criteria and model answers that also stand in assignment/ or in the rubric, which students get."""
    paths = [path for path in sorted((root / "assignment").rglob("*")) if path.suffix in TEXTS]
    if (rules := root / "autograder" / "rubric.toml").exists():
        paths.append(rules)
    texts = {path: f" {' '.join(words(path.read_text(encoding='utf-8')))} " for path in paths}
    found = []
    for answer in read_answers(root).values():
        secret = (answer.model, *(text for _, text in answer.criteria))
        passages = [passage for text in secret for passage in runs(text)]
        for path, text in texts.items():
            leaked = next((passage for passage in passages if f" {passage} " in text), None)
            if leaked:
                found.append(f"{path.relative_to(root)}: “{leaked}” stands in {answer.id}.md")
    return found


def words(text: str) -> list[str]:
    """Words and numbers in small letters; tags of HTML and the escaped line ends of a notebook are none."""
    return re.findall(r"\w+", re.sub(r"<[a-z/][^>]*>|\\n", " ", text).lower())


def runs(text: str) -> list[str]:
    """Every sentence of at least half of RUN words, and every RUN words in a row."""
    text = MARK.sub(" ", text)  # names of numbers are no secret
    sentences = [words(sentence) for sentence in re.split(r"(?<=[.:;?!])\s+|\n\s*\n|\n- ", text)]
    every = words(text)
    rows = [every[start : start + RUN] for start in range(len(every) - RUN + 1)]
    return [" ".join(row) for row in (*sentences, *rows) if len(row) >= RUN // 2]


# ---- the page for those who grade --------------------------------------------------------------------------


def grading_page(root: Path = ROOT, results: Path | None = None) -> str:
    """The page with the numbers of a results.json, if one is given. Raises DiscussionError and OSError."""
    questions = rubric.load().questions
    if found := problems(root, questions):
        raise DiscussionError(found[0])
    return page(questions, read_answers(root), read_numbers(results) if results else {})


def read_numbers(path: Path) -> dict[str, str]:
    """The numbers of a results.json by their marks, "0.781 ± 0.010" each. Raises DiscussionError and OSError."""
    try:
        numbers = json.loads(path.read_text(encoding="utf-8"))["numbers"]
        return {
            f"{question}/{name}": f"{number['mean']:.3f}" + ("" if number["sd"] is None else f" ± {number['sd']:.3f}")
            for question, all_of_it in numbers.items()
            for name, number in all_of_it.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DiscussionError(f"{path} is no results.json of `python -m solutions.reproduce`") from error


def fill(text: str, numbers: dict[str, str]) -> str:
    """Put numbers in the places of their marks.

    >>> numbers = {"Q3/probe accuracy: VICReg": "0.781 ± 0.010"}
    >>> fill("It is {{Q3/probe accuracy: VICReg}}; pixels: {{Q3/probe accuracy: raw pixels}}.", numbers)
    'It is 0.781 ± 0.010; pixels: (not measured).'
    """
    return MARK.sub(lambda match: numbers.get(f"{match[1]}/{match[2]}", "(not measured)"), text)


def page(questions: Iterable[rubric.Question], answers: dict[str, Answer], numbers: dict[str, str]) -> str:
    """Markdown: prompt, tick list and model answer of every question."""
    parts = ["# Discussion questions: tick lists and model answers (not for students)"]
    for question in questions:
        answer = answers[question.id]
        ticks = "\n".join(f"- [ ] {points:g}: {text}" for points, text in answer.criteria)
        bonus = "bonus, " if question.bonus else ""
        parts += [f"## {question.id.upper()} {question.title} ({bonus}{question.points:g} points)"]
        parts += [question.prompt.strip()]
        parts += ["### Criteria", ticks, "### Model answer", fill(answer.model, numbers)]
        parts += ["### Sources", answer.sources.strip()] if answer.sources else []
    return "\n\n".join(parts) + "\n"
