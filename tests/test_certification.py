"""The committed certification is of today's entries, and certifying again gives the same."""
import collections
import json
import random
import re
import subprocess
import sys

import pytest

from autograder import cli, misconceptions, rubric
from autograder.commands import certify as command
from autograder.commands.certify import HERE, PAGE, RESULTS
from autograder.proofs.certification import judging, results
from autograder.proofs.variants import variants

COMMITTED = results.load(RESULTS)


def test_results_cover_everything():
    assert set(COMMITTED) == {job.key for job in results.work()}


def sums() -> collections.Counter:
    return sum(results.counts(COMMITTED).values(), collections.Counter())


def test_enough_is_certified():
    assert sums()["mistakes"] >= 120 and sums()["variants"] >= 60


UNNAMED = {"latent_optimization.optimize_latents: views of other images"}  # a free choice of repair may look the same


def test_no_mistake_passes_and_nothing_right_is_refused_or_misnamed():
    row = sums()
    assert row["caught hidden"] == row["mistakes"] and row["charged elsewhere"] == row["misnamed"] == row["pairs wrong"] == 0
    unnamed = {f"{each.target}: {each.name}" for each in results.outcomes(COMMITTED, "mistake") if not each.rightly_named()}
    assert unnamed <= UNNAMED
    assert row["refused"] == 0


def test_the_page_shows_the_results():
    assert PAGE.read_text(encoding="utf-8") == results.page(COMMITTED)


def named_in(cell: str) -> list[tuple[str, str]]:
    """What a cell like `module.function`: “name”, “name”; `module.other`: “name” has: pairs of function and name."""
    target, found = "", []
    for function, name in re.findall(r"`(\w+\.\w+)`: |“([^”]+)”", cell):
        target = function or target
        found += [(target, name)] if name else []
    return found


def test_the_list_of_mistakes_has_an_entry_or_a_reason_in_every_row():
    known = {(each.target, each.name) for each in misconceptions.entries()}
    lines = (HERE / "docs" / "mistakes.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|") and line not in ("| mistake | entry |", "|---|---|")]
    assert rows
    for row in rows:
        _, cell = row.strip("| ").split(" | ")
        # Whatever stands in these quotes in the second column is a name, so that none can be misspelled into prose.
        assert set(named_in(cell)) <= known, row
        assert named_in(cell) or re.fullmatch(r"none: .+\.", cell), row


def test_every_item_is_failed_by_some_mistake():
    failed = {item for each in results.outcomes(COMMITTED, "mistake") for item in each.failed()}
    built_on_training = {"representations.probe_accuracy"}  # blocked by every mistake that it shows
    assert {item.id for item in rubric.load().items()} - failed == built_on_training


@pytest.mark.slow
@pytest.mark.parametrize("kind, count", [("mistake", 12), ("variant", 4), ("pairs", 3)])
def test_certifying_again_gives_the_same(kind, count):
    jobs = [job for job in results.work() if job.kind == kind and job.key in COMMITTED]
    for job in random.Random(2026).sample(jobs, count):
        assert json.loads(json.dumps(job.perform())) == COMMITTED[job.key]


@pytest.mark.slow
def test_the_rubric_names_every_task_that_a_check_builds_on():
    """Otherwise a mistake in one task could cost points in another."""
    full, reached_by = rubric.load(), judging.functions_reached()
    for item in full.items():
        reached = {judging.task_of(each) for each in reached_by[item.id] if each in misconceptions.nameable()}
        named = {name.partition(".")[0] for name in (*item.requires, *item.uses)}
        assert reached <= named | {full.task_of(item.id).id}, item.id


def test_an_alteration_is_the_mistake_that_it_is_called_after():
    from autograder import diagnosis

    for target in sorted(misconceptions.nameable()):
        entries = {entry.name: entry for entry in misconceptions.entries(target)}
        for change in misconceptions.alterations(target):
            assert diagnosis.agree(diagnosis.facts_of(target, change), diagnosis.facts_of(target, entries[change.name])), change.name


def certify(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "autograder", "certify", *arguments]
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300)


@pytest.mark.slow  # the first time it traces which check calls what
def test_the_command_tells_and_returns_what_it_found():
    result = certify("warmup", "--only", "variants", "--json")
    found = json.loads(result.stdout)
    assert result.returncode == 0 and len(found) == len(variants("warmup"))
    assert "certifying" in result.stderr


def test_writing_a_part_keeps_the_rest(tmp_path, monkeypatch):
    stored = tmp_path / "results.json"
    results.save(stored, COMMITTED)
    made = []

    def perform(todo, found, *_):
        made.extend(job.key for job in todo)
        found |= {job.key: COMMITTED[job.key] for job in todo}
        return {}

    monkeypatch.setattr(command, "RESULTS", stored)
    monkeypatch.setattr(command, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(command, "perform", perform)
    assert cli.main(["certify", "warmup", "--write"]) == 0
    assert sorted(made) == sorted(key for key in COMMITTED if ": warmup." in key)
    assert results.load(stored) == COMMITTED and (tmp_path / "page.md").read_text(encoding="utf-8") == results.page(COMMITTED)


def test_an_unknown_function_is_a_clear_error():
    result = certify("vicreg.no_such_loss")
    assert result.returncode == 2 and "nothing to certify in vicreg.no_such_loss" in result.stderr
