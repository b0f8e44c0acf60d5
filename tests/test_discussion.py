"""Discussion questions: every one can be graded, its points add up, and no answer reaches students."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from autograder import rubric
from release import discussion, gate
from release.cli import main

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = {question.id: question for question in rubric.load().questions}
BY_ID = pytest.mark.parametrize("id", QUESTIONS)


def answer(id: str) -> discussion.Answer:
    path = ROOT / "solutions" / "discussion" / f"{id}.md"
    return discussion.parse_answer(path.read_text(encoding="utf-8"), path.name)


def test_the_points_by_hand_are_20_and_a_bonus_of_6():
    assert sum(question.points for question in QUESTIONS.values() if not question.bonus) == 20
    assert sum(question.points for question in QUESTIONS.values() if question.bonus) == 6


def test_answers_and_questions_correspond():
    assert discussion.problems(ROOT, QUESTIONS.values()) == []
    assert {*discussion.read_answers()} == {*QUESTIONS}


@BY_ID
def test_criteria_sum_to_the_points_in_few_ticks(id):
    criteria = discussion.criteria(id)
    assert sum(points for points, _ in criteria) == QUESTIONS[id].points
    assert 2 <= len(criteria) <= 6
    assert {points for points, _ in criteria} <= {0.5, 1.0}


@BY_ID
def test_criteria_say_what_is_not_enough(id):
    assert any("not enough" in text or "no repair" in text for _, text in discussion.criteria(id))


@BY_ID
def test_a_model_answer_is_as_long_as_a_good_answer(id):
    assert 150 <= len(discussion.MARK.sub("0", answer(id).model).split()) <= 400


@BY_ID
def test_marks_name_numbers_that_reproduce_writes(id):
    # docs/results.md holds the tables that solutions/reproduce has written, with a heading for each question.
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\w+): (.*?)(?=^##)", results + "\n##", re.MULTILINE | re.DOTALL))
    for question, name in discussion.MARK.findall(answer(id).model):
        assert f"\n| {name} | " in sections[question]
    assert "{{" not in discussion.MARK.sub("", answer(id).model)


@pytest.mark.parametrize(
    ("id", "rows"),
    [
        ("q4", {0.1: (0.062, 0.0125), 0.01: (0.044, 0.00125), 0.001: (0.0062, 0.000125)}),
        pytest.param("c", {2: (0.32,), 5: (0.14,), 128: (0.006,), "map": (0.32,)}, marks=pytest.mark.slow),
    ],
)
def test_the_quoted_measurements_hold(id, rows):
    found = measure(id)
    assert {name: tuple(values) for name, *values in found} == {
        name: pytest.approx(values, rel=0.1) for name, values in rows.items()
    }


def test_free_codes_reach_the_minimum_and_tell_nothing():
    for total, held_out, trained in measure("q5"):
        assert total < 1e-5
        assert held_out < 0.17  # .10 and three standard errors of 205 images
        assert trained < 0.25


def measure(id: str) -> list[tuple]:
    """What the code in an answer's `## Measured with` prints."""
    printed = []
    with torch.random.fork_rng(devices=[]):
        exec(answer(id).measured, {"print": lambda *values: printed.append(values)})
    return printed


@BY_ID
def test_prompts_can_be_quoted_in_a_page(id):
    lines = QUESTIONS[id].prompt.strip().splitlines()
    assert max(map(len, lines)) <= 110 and not any(line.startswith("#") for line in lines)


# ---- nothing reaches students ------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "assignment", tmp_path / "assignment", ignore=ignored)
    shutil.copytree(ROOT / "solutions" / "discussion", tmp_path / "solutions" / "discussion")
    (tmp_path / "autograder").mkdir()
    shutil.copy(ROOT / "autograder" / "rubric.toml", tmp_path / "autograder")
    return tmp_path


def test_no_passage_of_an_answer_stands_in_what_students_receive():
    assert discussion.leaks(ROOT) == []


@BY_ID
def test_a_leaked_sentence_is_noticed_wherever_it_stands(copy, id):
    criterion = answer(id).criteria[0][1]
    sentence = max(re.split(r"(?<=[.:;])\s+", answer(id).model), key=len)
    (copy / "assignment" / "notebooks").mkdir(exist_ok=True)
    cell = sentence.replace('"', "'").replace("\n", '\\n",\n "')
    (copy / "assignment" / "notebooks" / "leak.ipynb").write_text(f'{{"source": ["{cell}"]}}', encoding="utf-8")
    (copy / "assignment" / "leak.html").write_text(f"<p>{criterion.replace(' ', ' <em> ', 1)}</p>", encoding="utf-8")
    with open(copy / "autograder" / "rubric.toml", "a", encoding="utf-8") as file:
        file.write("\n# " + criterion.upper().replace(" ", "\n# ", 1))
    found = "\n".join(discussion.leaks(copy))
    assert "leak.ipynb: “" in found and "leak.html: “" in found and "rubric.toml: “" in found
    assert f"stands in {id}.md" in found


def test_the_gate_looks_at_the_answers(copy, monkeypatch):
    others = "stale_stubs stale_notebooks surviving_lines unexpected_files grade_stubs grade_reference"
    for name in others.split():
        monkeypatch.setattr(gate, name, lambda *_: [])
    assert not any(problems for _, problems in gate.conditions(copy))
    (copy / "assignment" / "hints.md").write_text(answer("q4").criteria[-1][1], encoding="utf-8")
    assert any("q4.md" in problem for _, problems in gate.conditions(copy) for problem in problems)
    (copy / "assignment" / "hints.md").unlink()
    (copy / "solutions" / "discussion" / "q4.md").unlink()
    assert any("q4.md is missing" in problem for _, problems in gate.conditions(copy) for problem in problems)


# ---- reading and showing them ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("## Criteria\n- 1: a", "Model answer` is missing"),
        ("## Criteria\n\n## Model answer\nm", "Criteria` is missing or empty"),
        ("## Criteria\n- one: a\n\n## Model answer\nm", "not `- one: a`"),
        ("## Criteria\n- 1: a\n## Answer\nm", "'Answer' is none of"),
    ],
)
def test_a_file_that_is_not_as_described_is_refused_by_name(text, told):
    with pytest.raises(discussion.DiscussionError, match=re.escape(told)) as caught:
        discussion.parse_answer(text, "q1.md")
    assert str(caught.value).startswith("q1.md: ")


def test_wrong_sums_and_superfluous_answers_are_told(copy):
    (copy / "solutions" / "discussion" / "q9.md").write_text("## Criteria\n- 1: a\n## Model answer\nm")
    (copy / "solutions" / "discussion" / "q1.md").write_text("## Criteria\n- 0.5: a\n## Model answer\nm")
    told = discussion.problems(copy, QUESTIONS.values())
    assert told == [
        "q1.md: the criteria sum to 0.5 points, the rubric gives 2",
        "q9.md: the rubric has no such question",
    ]


def test_the_page_shows_every_question_with_its_numbers(tmp_path, capsys):
    results = tmp_path / "results.json"
    results.write_text('{"numbers": {"Q3": {"probe accuracy: VICReg": {"mean": 0.6179, "sd": null}}}}')
    assert main(["discussion", str(results)]) == 0
    page = capsys.readouterr().out
    assert "reaches 0.618" in page and "{{" not in page
    assert all(question.prompt.strip() in page for question in QUESTIONS.values())
    assert page.count("- [ ] ") == sum(len(discussion.criteria(id)) for id in QUESTIONS)


def test_a_missing_answer_is_one_line(copy, capsys):
    (copy / "solutions" / "discussion" / "q4.md").unlink()
    assert main(["discussion"], copy) == 2
    assert capsys.readouterr().err == "error: q4: solutions/discussion/q4.md is missing\n"


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"numbers": [1]}', '{"numbers": {"Q1": {"a": 3}}}', "\0"])
def test_a_file_that_is_no_results_file_is_one_line(content, tmp_path, capsys):
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    assert main(["discussion", str(tmp_path / "results.json")]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ") and shown.err.count("\n") == 1 and not shown.out
