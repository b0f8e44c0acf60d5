"""Mutation testing: mutants are what they should be, judged as they should be, and the record is that of today's code."""

import ast
import collections
import dataclasses
import json
import random
import re
import time

import pytest

from autograder.tasks import TASK_OF_MODULE
from benchmarks import mutation, names

MODULES = list(TASK_OF_MODULE)
RECORDED = mutation.read(mutation.RECORD / "results.json")
NAMED = mutation.read(mutation.RECORD / "names.json")
PAGE = (mutation.harness.ROOT / "docs" / "mutation.md").read_text(encoding="utf-8")
AGAIN = "run `python -m benchmarks.mutation {} --out docs/mutation/results.json --resume`"


def source_of(module: str) -> str:
    return (mutation.harness.ROOT / "solutions" / f"{module}.py").read_text(encoding="utf-8")


def changed(module: str, old: str, new: str) -> mutation.Mutant:
    """A mutant made by hand."""
    source = source_of(module)
    assert source.count(old) == 1
    return mutation.Mutant(module, "by hand", "none", old, new, source.replace(old, new))


@pytest.mark.parametrize("module", MODULES)
def test_mutants_differ_from_the_reference_only_between_the_markers(module):
    source = source_of(module).splitlines()
    marked = mutation.marked_lines(source_of(module))
    outside = [line for number, line in enumerate(source, start=1) if number not in marked]
    for mutant in mutation.mutants(module):
        ast.parse(mutant.source)
        wanted = mutation.marked_lines(mutant.source)
        lines = mutant.source.splitlines()
        assert [line for number, line in enumerate(lines, start=1) if number not in wanted] == outside


@pytest.mark.parametrize("module", MODULES)
def test_every_mutant_has_a_name_of_its_own(module):
    found = mutation.mutants(module)
    assert len({mutant.id for mutant in found}) == len({mutant.key for mutant in found}) == len(found) > 30


def test_messages_annotations_and_imports_are_left_alone():
    for module in MODULES:
        for mutant in mutation.mutants(module):
            assert not re.match(r"(raise|import|from|@)\b", mutant.removed)


def test_no_record_is_stale():
    """What was judged, and what reasons were given for, is what mutmut makes of today's solutions/."""
    assert list(RECORDED) == sorted(MODULES)
    for module in MODULES:
        ids = [mutant.id for mutant in mutation.mutants(module)]
        assert list(RECORDED[module]) == ids, AGAIN.format(module)
    keys = {mutant.key for module in MODULES for mutant in mutation.mutants(module)}
    assert mutation.reasons().keys() <= keys


def test_every_survivor_has_a_reason_and_every_reason_a_survivor():
    survivors = {
        mutant.key for module in MODULES for mutant in mutation.mutants(module) if RECORDED[module][mutant.id] == "survived"
    }
    allowed = {key for key, reason in mutation.reasons().items() if reason.kind in mutation.KINDS}
    closed = {key for key, reason in mutation.reasons().items() if reason.kind == "closed"}
    assert survivors == allowed and len(allowed) + len(closed) == len(mutation.reasons())
    assert all(len(reason.why) > 20 and reason.why.endswith(".") for reason in mutation.reasons().values())


def test_no_mutant_has_two_reasons():
    entries = mutation.tomllib.loads(mutation.REASONS.read_text(encoding="utf-8"))["reason"]
    keys = [(each["module"], *lines) for each in entries for lines in each["mutants"]]
    assert [key for key, times in collections.Counter(keys).items() if times > 1] == []


def test_the_table_of_the_page_is_that_of_the_results():
    rows = {module: mutation.counts(RECORDED[module], module) for module in MODULES}
    assert mutation.table(rows) in PAGE and mutation.reason_table(MODULES) in PAGE
    assert all(row["left"] == 0 for row in rows.values())


def test_the_tasks_that_build_on_a_module():
    assert mutation.own_tasks("evaluation") == ["representations", "retrieval"]
    assert mutation.other_tasks("neighbors") == ["laplacian", "anomaly"]
    assert mutation.other_tasks("vicreg") == ["training", "latent_optimization"]


def test_verdicts(tmp_path):
    """The reference survives; a wrong constant is named by an item; what never ends, or ends the process, is caught."""
    line = "    unit = images.permute(0, 3, 1, 2).contiguous().float() / 255  # (N, 3, H, W)\n"
    assert mutation.judge(changed("warmup", line, line)) == "survived"
    assert mutation.judge(changed("warmup", line, line.replace("255", "256"))) == "warmup.values"
    assert mutation.judge(changed("warmup", line, line + "    import os; os._exit(0)\n")) == "warmup.values"


def test_a_mutant_that_never_ends_is_caught(monkeypatch):
    monkeypatch.setattr(mutation, "CPU_SECONDS", 1)
    line = "    images = torch.as_tensor(images)\n"
    start = time.monotonic()
    assert mutation.judge(changed("warmup", line, line + "    while True: pass\n")) == "timeout warmup.values"
    assert time.monotonic() - start < 60


def test_interrupted_runs_go_on(tmp_path, monkeypatch, capsys):
    """What was judged before Ctrl-C is kept, and judged no second time."""
    few = mutation.mutants("warmup")[:5]
    monkeypatch.setattr(mutation, "mutants", lambda module: few)
    judged = []

    def judge(mutant):
        if len(judged) == 3:
            judged.append(None)
            raise KeyboardInterrupt
        judged.append(mutant)
        return "warmup.values"

    monkeypatch.setattr(mutation, "judge", judge)
    monkeypatch.setattr(mutation, "refused_reference", lambda module: None)
    out = tmp_path / "results.json"
    assert mutation.main(["warmup", "--out", str(out)]) == 130
    assert len(json.loads(out.read_text())["warmup"]) == 3 and "--resume" in capsys.readouterr().err
    assert mutation.main(["warmup", "--out", str(out), "--resume", "--json"]) == 0
    assert [mutant for mutant in judged if mutant] == list(few)
    told = json.loads(capsys.readouterr().out)
    assert told["modules"]["warmup"]["mutants"] == 5 and told["left"] == []


def test_survivors_without_a_reason_are_shown(tmp_path, monkeypatch, capsys):
    few = [dataclasses.replace(each, function="elsewhere") for each in mutation.mutants("warmup")[:2]]
    monkeypatch.setattr(mutation, "mutants", lambda module: few)
    monkeypatch.setattr(mutation, "judge", lambda mutant: "survived")
    monkeypatch.setattr(mutation, "refused_reference", lambda module: None)
    assert mutation.main(["warmup", "--out", str(tmp_path / "results.json")]) == 1
    shown = capsys.readouterr().out
    assert all(f"- {mutant.removed}\n+ {mutant.added}" in shown for mutant in few)


@pytest.mark.parametrize("arguments", [["nothing"], ["--resume", "--survivors"], ["--out", __file__]])
def test_wrong_usage_is_one_sentence(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        mutation.main(arguments)
    assert ended.value.code == 2 and "Traceback" not in capsys.readouterr().err


# Names (benchmarks/names.py)


def test_the_diagnosis_was_asked_about_every_mutant_that_is_caught():
    for module in MODULES:
        wanted = [mutant.id for mutant in names.caught(module, RECORDED)]
        assert list(NAMED[module]) == wanted, "run `python -m benchmarks.names --out docs/mutation/names.json --resume`"


def test_every_name_is_judged_and_every_judgment_is_of_a_name():
    found = {
        (*mutant.key, name) for module in MODULES for mutant in mutation.mutants(module) for name in NAMED[module].get(mutant.id, [])
    }
    assert names.judgments().keys() == found
    assert all(names.told(key[-1]) for key in found)
    assert all(len(judgment.why) > 20 and judgment.why.endswith(".") for judgment in names.judgments().values())


def test_the_table_of_names_on_the_page_is_that_of_the_record():
    assert names.table({module: names.counts(NAMED[module], module) for module in MODULES}) in PAGE


def test_the_functions_that_run_what_was_changed():
    assert names.concerned("vicreg", "vicreg_loss") == (
        "vicreg.vicreg_loss", "training.train_step", "training.evaluate_loss", "training.train_vicreg",
    )  # fmt: skip
    assert "clustering.project_with_centers" in names.concerned("evaluation", "project_2d")
    assert names.concerned("neighbors", "SPARE")[0] == "neighbors.nearest_neighbors"


def test_a_sample_has_mutants_of_every_module():
    chosen = {module: names.caught(module, RECORDED) for module in MODULES}
    drawn = names.sample(chosen, 100)
    assert drawn == names.sample(chosen, 100) and 100 <= sum(map(len, drawn.values())) < 115
    assert all(set(drawn[module]) <= set(chosen[module]) and drawn[module] for module in MODULES)


def test_a_known_mistake_is_named_and_an_exception_is_not(monkeypatch):
    monkeypatch.setattr(names, "concerned", lambda module, changed: ("warmup.normalize",))
    assert names.ask(changed("warmup", ".float() / 255", ".float() / 256")) == ["warmup.normalize: divided by 256"]
    assert names.ask(changed("warmup", "permute(0, 3, 1, 2)", "permute(0, 3, 1)")) == []


def test_interrupted_questions_go_on(tmp_path, monkeypatch, capsys):
    """What was asked before Ctrl-C is kept, and asked no second time; what is not judged is shown."""
    few, asked = names.caught("warmup", RECORDED)[:4], []
    monkeypatch.setattr(names, "caught", lambda module, verdicts: few)
    monkeypatch.setattr(names, "prepare", lambda todo, progress: None)

    def ask(mutant):
        asked.append(mutant)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return [] if mutant is few[0] else ["warmup.normalize: only the mean"]

    monkeypatch.setattr(names, "ask", ask)
    out = tmp_path / "names.json"
    assert names.main(["warmup", "--out", str(out)]) == 130
    assert len(json.loads(out.read_text())["warmup"]) == 2 and "--resume" in capsys.readouterr().err
    assert names.main(["warmup", "--out", str(out), "--resume"]) == 1
    assert asked == few[:3] + few[2:]
    shown = capsys.readouterr().out
    assert "| warmup | 4 | 1 | 3 | 0 | 0 | 3 |" in shown and names.told("warmup.normalize: only the mean") in shown


@pytest.mark.parametrize("arguments", [["nothing"], ["--sample", "0"], ["--out", __file__]])
def test_wrong_usage_of_names_is_one_sentence(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        names.main(arguments)
    assert ended.value.code == 2 and "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_a_sample_is_judged_as_it_was(module):
    """Five mutants that were noticed and two that survived, drawn with a fixed seed."""
    by_outcome = {"noticed": [], "survived": []}
    for mutant in mutation.mutants(module):
        by_outcome["survived" if RECORDED[module][mutant.id] == "survived" else "noticed"].append(mutant)
    draw = random.Random(0)
    for name, count in (("noticed", 5), ("survived", 2)):
        for mutant in draw.sample(by_outcome[name], min(count, len(by_outcome[name]))):
            assert (mutation.judge(mutant) == "survived") == (name == "survived"), mutant.key
