"""Every threshold lies where its calibration says it may, and the page says what was measured."""

import ast
import dataclasses
import importlib
import inspect
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from autograder import cli, expect, limits, rubric
from autograder.limits import Limit
from autograder.proofs import harness
from autograder.proofs.calibration import items, judging, measuring, pages
from autograder.proofs.calibration.items import BY_ID, ITEMS
from autograder.proofs.calibration.measuring import REFERENCE
from autograder.proofs.calibration.tails import Tail, count_outside, on_scale

RESULTS = harness.ROOT / "docs" / "calibration"
LIMITS = [(item, path) for item in ITEMS for path in item.limits]

# Checks that compare with a number and are no threshold items, and why.
EXACT = {
    "augmentations.range": "rounding: no draw leads out of the range",
    "augmentations.any_size": "the smallest of 300 crops, and those that come nearest to a border: otherwise once in 10¹⁷",
    "training.evaluate_mean": "rounding",
    "training.history": "rounding",
    "representations.map": "rounding",
    "representations.maps": "a linear map leaves rounding; t-SNE at any perplexity from 5 to 30 leaves .025 or more",
    "laplacian.affine": "rounding",
    "laplacian.graph_properties": "rounding",
    "laplacian.graph_many": "rounding, and the data are fixed",
    "laplacian.graph_neighbors": "the data are fixed, and the reference's affinities are all equal",
    "anomaly.rgb_images": "the pictures are fixed, and the reference draws nothing",
}


def stored(item) -> dict:
    return measuring.load(RESULTS / f"{item.id}.json")


def id_of(item) -> str:
    return item.id


# Which items have a threshold


def source_of(check: harness.Check) -> tuple[str, dict[str, ast.FunctionDef]]:
    """The check's own name, and all functions of its file."""
    function = inspect.unwrap(check.function)
    function = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    tree = ast.parse(Path(function.__code__.co_filename).read_text(encoding="utf-8"))
    return function.__name__, {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def reached(check: harness.Check) -> list[ast.FunctionDef]:
    """The check and what it uses of its own file."""
    name, functions = source_of(check)
    todo, found = [name], {}
    while todo:
        name = todo.pop()
        if name in functions and name not in found:
            found[name] = functions[name]
            todo += [node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)]
    return list(found.values())


def number_in(node: ast.AST) -> bool:
    """Whether a side of a comparison is a number other than 0 and 1, a named one, or a product with one."""
    if isinstance(node, ast.UnaryOp):
        return number_in(node.operand)
    if isinstance(node, ast.BinOp):
        return number_in(node.left) or number_in(node.right)
    if isinstance(node, ast.Name):
        return node.id.isupper()
    return isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value not in (0, 1)


def compares_with_a_number(node: ast.AST) -> bool:
    orders = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
    return isinstance(node, ast.Compare) and any(
        isinstance(sign, orders) and (number_in(left) or number_in(right))
        for left, sign, right in zip([node.left, *node.comparators], node.ops, node.comparators)
    )


def uses_a_limit(node: ast.AST) -> bool:
    """measure.frequency, measure.uniform, limits.count_fits, or LIMIT.check."""
    if not isinstance(node, ast.Attribute):
        return False
    owner = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
    return f"{owner}.{node.attr}" in ("measure.frequency", "measure.uniform", "limits.count_fits") or node.attr == "check"


@pytest.mark.parametrize("item", rubric.load().items(), ids=id_of)
def test_whatever_is_compared_with_a_number_is_calibrated_or_exact(item):
    check = next(each for each in harness.checks(item.id.split(".")[0]) if each.item == item.id)
    nodes = [node for function in reached(check) for node in ast.walk(function)]
    assert any(map(uses_a_limit, nodes)) == (item.id in BY_ID)
    if item.id not in BY_ID:
        assert any(map(compares_with_a_number, nodes)) == (item.id in EXACT)


def test_every_limit_of_the_checks_belongs_to_one_item():
    declared = []
    for visibility in ("public", "hidden"):
        for path in (harness.CHECKS / visibility).glob("*.py"):
            module = importlib.import_module(f"autograder.checks.{visibility}.{path.stem}")
            names = [name for name, each in vars(module).items() if isinstance(each, Limit)]
            declared += [f"{visibility}.{path.stem}:{name}" for name in names]
    assert sorted(path for _, path in LIMITS) == sorted(declared)
    for item in ITEMS:
        names = [item.limit(path).name for path in item.limits]
        assert len(set(names)) == len(names), f"{item.id}: two limits of one name would be taken for one"


def test_the_items_are_those_of_the_rubric_in_its_order():
    order = [item.id for item in rubric.load().items()]
    assert [item.id for item in ITEMS] == sorted(BY_ID, key=order.index)


@pytest.mark.parametrize("item", ITEMS, ids=id_of)
def test_what_has_to_be_caught_is_measured_there(item):
    names = {path.split(":")[1] for path in item.limits}
    assert item.caught and set(item.caught) <= names | {"counts"}
    assert {each for chosen in item.caught.values() for each in chosen} <= set(item.wrong())


# What was measured


@pytest.mark.parametrize("item", ITEMS, ids=id_of)
def test_thresholds_lie_in_their_bands(item):
    assert judging.faults(item, stored(item)["runs"]) == []


@pytest.mark.parametrize("item", ITEMS, ids=id_of)
def test_the_stored_summary_is_that_of_the_runs_and_of_the_thresholds_of_today(item):
    table = stored(item)
    assert_same(judging.summary(item, table["runs"]), table["summary"])


def assert_same(one, other) -> None:
    """Equal, numbers up to what another build of the libraries may change."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-12)
    else:
        assert one == other


@pytest.mark.parametrize("item", ITEMS, ids=id_of)
def test_seeds_are_enough_and_complete(item):
    runs = stored(item)["runs"]
    assert list(runs) == [REFERENCE, *item.wrong()]
    for method, each in runs.items():
        assert list(each) == [str(seed) for seed in range(len(each))]
        assert len(each) >= (judging.MIN_SEEDS if method == REFERENCE else judging.MIN_WRONG_SEEDS)


def test_the_page_is_made_from_the_results_and_every_item_has_a_picture():
    page = pages.page_of(RESULTS).read_text(encoding="utf-8")
    assert page == pages.render(RESULTS), "run `python -m autograder calibrate --resume`"
    for item in ITEMS:
        picture = (RESULTS / f"{item.id}.png").read_bytes()
        assert picture.startswith(b"\x89PNG") and f"{item.id}.png" in page
    assert {path.stem for path in RESULTS.iterdir()} == set(BY_ID)


SLOWEST = ("clustering", "laplacian.features_many", "latent_optimization", "representations.probe_accuracy", "training")


@pytest.mark.parametrize(
    "item",
    [pytest.param(each, marks=pytest.mark.slow if each.id.startswith(SLOWEST) else [], id=each.id) for each in ITEMS],
)
def test_a_check_still_measures_what_was_calibrated(item):
    """Up to another machine's rounding, which training and t-SNE make large: within the spread of the seeds."""
    runs = stored(item)["runs"][REFERENCE]
    found = measuring.measure(item, "solutions", 0, {})
    assert not found["refused"]
    assert list(found["values"]) == list(runs["0"]["values"]) and list(found["counts"]) == list(runs["0"]["counts"])
    for path in item.limits:
        limit = item.limit(path)
        if not limit.out_of:
            before = on_scale(judging.values_of(runs, limit), limit.scale)
            now = float(on_scale(found["values"][limit.name], limit.scale))
            assert abs(now - before.mean()) <= 6 * before.std(ddof=1) + 1e-3
    for name, (_, n, *_) in found["counts"].items():
        assert n == pytest.approx(runs["0"]["counts"][name][1], rel=0.2)


# A wrong threshold does not slip through


def altered(monkeypatch, path: str, value: float) -> None:
    module, name = path.split(":")
    module = importlib.import_module(f"autograder.checks.{module}")
    monkeypatch.setattr(module, name, dataclasses.replace(getattr(module, name), value=value))


@pytest.mark.parametrize("item, path", LIMITS, ids=[f"{item.id}-{path.split(':')[1]}" for item, path in LIMITS])
def test_a_threshold_beyond_its_band_is_told(item, path, monkeypatch):
    runs, limit, name = stored(item)["runs"], item.limit(path), path.split(":")[1]
    if limit.out_of:
        beyond = [limit.out_of if limit.is_smallest else 0] if varies(runs, limit) else []
        beyond += [0 if limit.is_smallest else limit.out_of] if name in item.caught else []
    else:
        row = stored(item)["summary"]["limits"][name]
        side = 1 if limit.is_smallest else -1
        beyond = [row["edge"] + side * 1e-3 * max(abs(row["edge"]), 1e-3)]
        beyond += [row["reach"] - side * 1e-3 * max(abs(row["reach"]), 1e-3)] if row["reach"] is not None else []
    for value in beyond:
        altered(monkeypatch, path, value)
        assert judging.faults(item, runs), f"{limit.name} at {value:g}"


def varies(runs: dict, limit: Limit) -> bool:
    full = limit.out_of if limit.is_smallest else 0
    return any(run["counts"][limit.name][0] != full for run in runs[REFERENCE].values())


@pytest.mark.parametrize("deviations", [2.5, 40.0])
def test_narrower_or_wider_limits_of_frequencies_are_told(deviations, monkeypatch):
    monkeypatch.setattr(limits, "DEVIATIONS", deviations)
    item = BY_ID["augmentations.frequencies"]
    assert judging.faults(item, stored(item)["runs"])


def test_too_few_seeds_and_a_refused_reference_are_told():
    item = BY_ID["retrieval.precision"]
    runs = stored(item)["runs"]
    few = {method: dict(list(each.items())[:5]) for method, each in runs.items()}
    told = " ".join(judging.faults(item, few))
    assert "5 seeds of the reference instead of 30" in told and "too few seeds of" in told
    broken = {**runs[REFERENCE], "0": {**runs[REFERENCE]["0"], "refused": "Mismatch: x"}}
    assert any("was refused" in each for each in judging.faults(item, {**runs, REFERENCE: broken}))


# The estimates


def test_a_tail_is_the_larger_of_the_normal_and_of_students():
    values = [0.80, 0.82, 0.84, 0.85, 0.87, 0.83]
    limit = limits.at_least(0.7, "x")
    z = (np.mean(values) - 0.7) / np.std(values, ddof=1)
    wanted = {"normal": stats.norm.sf(z), "Student": stats.t.sf(z / math.sqrt(1 + 1 / 6), 5)}
    assert Tail.of(values, limit).below(0.7) == pytest.approx(wanted)
    mirrored = Tail.of([-each for each in values], limits.at_most(-0.7, "x"))
    assert mirrored.below(-0.7) == pytest.approx(wanted)
    share = Tail.of(values, limits.at_least(0.7, "x", "share"))
    assert share.values == pytest.approx([math.asin(math.sqrt(each)) for each in values])


@pytest.mark.parametrize("scale", ["plain", "log", "share"])
@pytest.mark.parametrize("is_smallest", [True, False])
def test_at_the_edge_the_most_careful_model_has_the_probability_asked_for(scale, is_smallest):
    values = np.random.default_rng(0).uniform(0.5, 0.6, 30)
    tail = Tail.of(values, Limit("x", 0.0, is_smallest, scale))
    edge = tail.edge(1e-3)
    assert (edge < values.min()) if is_smallest else (edge > values.max())
    assert max(tail.below(edge).values()) == pytest.approx(1e-3)
    assert 1 - tail.below(tail.reach(0.05))["Student"] == pytest.approx(0.05)


def test_values_that_are_not_normal_get_the_heavier_tail():
    values = [0.9] * 25 + [0.5, 0.6, 0.95, 0.7, 0.91]
    tail = Tail.of(values, limits.at_least(0.1, "x"))
    found = tail.below(0.1)
    assert tail.shapiro < 0.01 and found["Gumbel"] > found["normal"]
    z = (np.mean(values) - 0.1) / np.std(values, ddof=1)
    assert found["Gumbel"] == pytest.approx(-math.expm1(-math.exp(-z * math.pi / math.sqrt(6) - np.euler_gamma)))


def test_equal_values_leave_nothing_to_chance():
    tail = Tail.of([1.0] * 30, limits.at_most(1.035, "x", "log"))
    assert max(tail.below(1.035).values()) < 1e-15 and min(tail.below(0.9).values()) > 0.999


def test_counts_have_their_exact_tails_at_the_worst_share_in_the_interval():
    counts = [[120, 240, *limits.likely_counts(240, 0.5)]] * 30
    low, high = limits.likely_counts(240, 0.5)
    assert (low, high) == (78, 162)
    exact = stats.binom.cdf(low - 1, 240, 0.5) + stats.binom.sf(high, 240, 0.5)
    assert exact < count_outside(counts) < 1e-5
    always = count_outside([[8, 8, 7, 8]] * 30)  # 240 of 240: a share of .978 is possible
    share = stats.beta.ppf(0.005, 240, 1)
    assert always == pytest.approx(stats.binom.cdf(6, 8, share))


# The limits themselves


def test_a_limit_stops_a_check_unless_what_comes_is_noted():
    accuracy, beside = limits.at_least(0.8, "accuracy"), limits.at_least_of(7, 8, "beside")
    for limit, right, wrong in ((accuracy, 0.8, 0.79), (beside, 7, 6), (limits.at_most(0.5, "told"), 0.5, 0.51)):
        limit.check(right, "", "")
        for value in (wrong, math.nan):
            with pytest.raises(expect.Mismatch, match="expected much; came little"):
                limit.check(value, "much", "little")
    with limits.noted() as notes:
        for value in (0.9, 0.2, 0.7):
            accuracy.check(value, "", "")
        beside.check(3, "", "")
        assert limits.count_fits(100, 100, 0.5, "a flip") and limits.count_fits(50, 100, 0.5, "a flip")
    assert notes.values == {"accuracy": 0.2}
    assert notes.counts == {
        "beside": [3, 8, 7, 8, None], "a flip": [100, 100, 23, 77, 0.5], "a flip #2": [50, 100, 23, 77, 0.5],
    }  # fmt: skip
    assert not limits.count_fits(100, 100, 0.5, "a flip")


# The command


def calibrate(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-W", "ignore", "-m", "autograder", "calibrate", *map(str, arguments)]
    return subprocess.run(command, cwd=harness.ROOT, capture_output=True, text=True, timeout=600)


def test_wrong_usage_is_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for arguments, told in (
        (["no.such_item"], "no.such_item is no threshold item"),
        (["retrieval.precision", "--seeds", "1"], "2 or more"),
        (["retrieval.precision", "--seeds", "0"], "2 or more"),
        (["retrieval.precision", "--out", tmp_path / "file"], "is a file"),
    ):
        assert cli.main(["calibrate", *map(str, arguments)]) == 2
        errors = capsys.readouterr().err
        assert told in errors and errors.count("\n") == 1


def test_an_interrupted_calibration_goes_on_where_it_stopped(tmp_path, monkeypatch):
    item, made, measure = BY_ID["augmentations.crop"], [], measuring.measure

    def third_is_interrupted(item, package, seed, shared):
        made.append(seed)
        if len(made) == 3:
            raise KeyboardInterrupt
        return measure(item, package, seed, shared)

    monkeypatch.setattr(measuring, "measure", third_is_interrupted)
    monkeypatch.setattr(items.Item, "wrong", lambda self: {})
    with pytest.raises(KeyboardInterrupt):
        measuring.calibrate([item], 4, 2, tmp_path, False, lambda *_: None)
    assert list(measuring.load(tmp_path / "augmentations.crop.json")["runs"][REFERENCE]) == ["0", "1"]
    measuring.calibrate([item], 4, 2, tmp_path, True, lambda *_: None)
    assert made == [0, 1, 2, 2, 3]
    assert measuring.finish(tmp_path, item)[REFERENCE].keys() == {"0", "1", "2", "3"}
    measuring.calibrate([item], 2, 2, tmp_path, False, lambda *_: None)
    assert made[5:] == [0, 1]


@pytest.mark.slow
def test_a_cheap_item_calibrated_anew_gives_the_same_values(tmp_path):
    item = BY_ID["retrieval.precision"]
    result = calibrate(item.id, "--seeds", 4, "--wrong-seeds", 3, "--out", tmp_path / "again", "--json")
    assert result.returncode == 1 and "4 seeds of the reference instead of 30" in result.stderr
    assert list(json.loads(result.stdout)) == [item.id]
    again = measuring.load(tmp_path / "again" / f"{item.id}.json")
    before = stored(item)["runs"]
    assert list(again["runs"]) == list(before)
    for method, runs in again["runs"].items():
        for seed, run in runs.items():
            assert run["values"] == pytest.approx(before[method][seed]["values"], abs=5e-3)
            assert bool(run["refused"]) == bool(before[method][seed]["refused"])
    assert (tmp_path / "again.md").read_text(encoding="utf-8").count("![") == 1
    assert (tmp_path / "again" / f"{item.id}.png").exists()
