"""The rubric: whatever contradicts itself or the checks is an error at start that says where."""
import re

import pytest

from autograder import rubric

HEAD = """
version = 1
[assignment]
files = ["vicreg.py"]
[limits]
call_seconds = 1
item_seconds = 1
submission_seconds = 1
memory_mib = 1
processes = 1
file_mib = 1
[[task]]
id = "vicreg"
number = 2
title = "T"
"""
ITEM = '[[task.item]]\nid = "vicreg.a"\ntitle = "t"\npoints = 1\nvisibility = "public"\nhint = "h"\n'


def load(tmp_path, text: str) -> rubric.Rubric:
    path = tmp_path / "rubric.toml"
    path.write_text(text)
    return rubric.load(path)


def test_the_shipped_rubric_is_whole():
    loaded = rubric.load()
    assert [task.number for task in loaded.tasks] == sorted(task.number for task in loaded.tasks)
    assert all(item.title and item.hint for item in loaded.items())
    for task in loaded.tasks:
        assert {item.visibility for item in task.items} == {"public", "hidden"}, task.id


@pytest.mark.parametrize(
    "text, message",
    [
        ("not toml [", "not valid TOML"),
        ("version = 1", "key .* is missing"),
        (HEAD + ITEM + ITEM, "used twice"),
        (HEAD + ITEM.replace("public", "secret"), "not public or hidden"),
        (HEAD + ITEM.replace("vicreg.a", "other.a"), "must start with 'vicreg.'"),
        (HEAD + ITEM.replace('hint = "h"', 'hint = ""'), "needs a hint"),
        (HEAD + ITEM.replace('title = "t"\npoints', "points"), "needs a title"),
        (HEAD + ITEM.replace("points = 1", "points = -1"), "points must be"),
        (HEAD + ITEM.replace("points = 1", "points = nan"), "points must be"),
        (HEAD + ITEM + 'requires = ["vicreg.b"]\n', "does not stand above"),
        (HEAD + ITEM + "pionts = 3\n", "unknown key 'pionts'"),
    ],
)
def test_contradictions_are_named(tmp_path, text, message):
    with pytest.raises(rubric.RubricError, match=message):
        load(tmp_path, text)


def test_checks_and_items_must_match_one_to_one(tmp_path):
    loaded = load(tmp_path, HEAD + ITEM)
    rubric.match_checks(loaded, ["vicreg.a"])
    with pytest.raises(rubric.RubricError, match="'vicreg.b'.*no line of the rubric"):
        rubric.match_checks(loaded, ["vicreg.a", "vicreg.b"])
    with pytest.raises(rubric.RubricError, match="'vicreg.a', but no check"):
        rubric.match_checks(loaded, [])


def test_tasks_are_found_by_id_and_by_number(tmp_path):
    loaded = load(tmp_path, HEAD + ITEM)
    assert loaded.only(["2"]) == loaded.only(["vicreg"]) == loaded
    with pytest.raises(rubric.RubricError, match=re.escape("no task 'nope'; the tasks are: 2 vicreg")):
        loaded.only(["nope"])


def test_the_shipped_checks_match_the_shipped_rubric():
    """As the command finds it: an item without a check, or the reverse, stops it at once."""
    import ast

    from autograder.grading import CHECKS

    marked = []
    for path in CHECKS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.item":
                marked.append((ast.literal_eval(node.args[0]), path.parent.name))
    rubric.match_checks(rubric.load(), [name for name, _ in marked])
    assert len(marked) == len(set(marked))
    visibility = {item.id: item.visibility for item in rubric.load().items()}
    assert all(visibility[name] == folder for name, folder in marked)
