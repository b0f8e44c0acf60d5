"""What the runs of an item say: the false rejects, the band in which each threshold may lie, and what is caught."""

from autograder import limits
from autograder.limits import Limit
from autograder.proofs.calibration.items import Item
from autograder.proofs.calibration.measuring import REFERENCE, is_sound, same
from autograder.proofs.calibration.tails import Tail, count_outside

FALSE_REJECTS = 1e-4  # of an item, at most
CAUGHT = 0.95  # of the runs of a mistake that a limit has to catch, at least
MIN_SEEDS, MIN_WRONG_SEEDS = 30, 10


def summary(item: Item, runs: dict) -> dict:
    """All that docs/calibration.md says about an item, from its runs by method and seed."""
    right = list(runs[REFERENCE].values())
    here = {path.split(":")[1]: item.limit(path) for path in item.limits}
    counts = count_rows(right, {limit.name: limit for limit in here.values()})
    measured = {name: limit for name, limit in here.items() if not limit.out_of}
    share = FALSE_REJECTS / max(1, len(measured) + len(counts))
    rows = {name: limit_row(item, name, limit, runs, share) for name, limit in measured.items()}
    refused = [each["refused"] for each in right if each["refused"]]
    total = sum(each["false_reject"] for each in (*rows.values(), *counts.values()))
    mistakes = {name: mistake_row(each, runs[REFERENCE], here.values()) for name, each in runs.items() if name != REFERENCE}
    for name, row in mistakes.items():
        row["required"] = any(name in names for names in item.caught.values())
        row["fitted"] = max((each["caught"][name] for each in rows.values() if name in each["caught"]), default=None)
    return {
        "seeds": len(right), "refused": refused, "false_reject": total, "limits": rows, "counts": counts,
        "mistakes": mistakes,
    }  # fmt: skip


def limit_row(item: Item, name: str, limit: Limit, runs: dict, share: float) -> dict:
    """One threshold: what the reference has there, and the band."""
    values = values_of(runs[REFERENCE], limit)
    tail = Tail.of(values, limit)
    models = tail.below(limit.value)
    wrong = {each: values_of(runs[each], limit) for each in item.caught.get(name, ()) if each in runs}
    caught = {each: Tail.of(came, limit) for each, came in wrong.items() if len(came) > 1}
    reached = [each.reach(1 - CAUGHT) for each in caught.values()]
    furthest = (max if limit.is_smallest else min)(reached) if reached else None
    return {
        "name": limit.name, "threshold": limit.value, "is_smallest": limit.is_smallest, "scale": limit.scale,
        "smallest": min(values), "mean": sum(values) / len(values), "largest": max(values), "shapiro": tail.shapiro,
        "models": models, "false_reject": max(models.values()), "edge": tail.edge(share), "reach": furthest,
        "caught": {each: Tail.below(tail, limit.value)["Student"] for each, tail in caught.items()},
    }  # fmt: skip


def values_of(runs: dict, limit: Limit) -> list[float]:
    found = [each["values"].get(limit.name) for each in runs.values()]
    return [each for each in found if each is not None]


def count_rows(runs: list[dict], by_name: dict[str, Limit]) -> dict[str, dict]:
    """Each count of the reference: how often what is counted happens, and the exact tails."""
    names = {name: None for each in runs for name in each["counts"]}
    rows = {}
    for name in names:
        came = [in_limits_of_today(name, each["counts"][name], by_name) for each in runs if name in each["counts"]]
        hits, draws = (sum(each[i] for each in came) for i in (0, 1))
        rows[name] = {
            "share": hits / draws, "expected": came[0][4], "n": came[0][1], "smallest": came[0][2], "largest": came[0][3],
            "false_reject": count_outside(came),
        }  # fmt: skip
    return rows


def in_limits_of_today(name: str, count: list, by_name: dict[str, Limit]) -> list:
    """A stored count with the smallest and the largest right one by the check as it is now."""
    came, n, low, high, p = count
    limit = by_name.get(name.split(" #")[0])
    if limit is not None:
        low, high = limit.counts()
    elif p is not None:
        low, high = limits.likely_counts(n, p)
    return [came, n, low, high, p]


def mistake_row(runs: dict, right: dict, here) -> dict:
    """How often a mistake was refused: by a limit, or before by an exact property.

    It has not reached the limits where each run is refused before, or changes nothing of what is held against them.
    """
    by_limit = {seed: missed(each, here) for seed, each in runs.items()}
    before = [each["refused"] for each in runs.values() if each["refused"]]
    caught = sum(bool(by_limit[seed] or each["refused"]) for seed, each in runs.items())
    limited = [name for names in by_limit.values() for name in names]
    return {
        "seeds": len(runs), "caught": caught, "rate": caught / len(runs), "before": len(before),
        "told": before[0] if before else "", "by": {name: limited.count(name) for name in dict.fromkeys(limited)},
        "reached": not all(each["refused"] or same(each, right[seed]) for seed, each in runs.items()),
    }  # fmt: skip


def missed(run: dict, here) -> list[str]:
    """The limits, as they are today, that one run misses."""
    by_name = {limit.name: limit for limit in here}
    found = [name for name, value in run["values"].items() if value is None or not by_name[name].holds(value)]
    counts = {name: in_limits_of_today(name, count, by_name) for name, count in run["counts"].items()}
    return found + [name for name, (count, _, low, high, _) in counts.items() if not low <= count <= high]


def faults(item: Item, runs: dict) -> list[str]:
    """What is wrong with the thresholds of an item as they are today, in sentences; none: all is well."""
    found = summary(item, runs)
    said = []
    if found["seeds"] < MIN_SEEDS:
        said.append(f"{item.id}: {found['seeds']} seeds of the reference instead of {MIN_SEEDS}")
    if found["refused"]:
        said.append(f"{item.id}: the reference was refused: {found['refused'][0]}")
    if not found["false_reject"] < FALSE_REJECTS:
        said.append(f"{item.id}: false rejects of {found['false_reject']:.1e}")
    said += [f"{item.id}: {name} does not run" for name, each in runs.items() if not all(map(is_sound, each.values()))]
    for row in found["limits"].values():
        said += [f"{item.id}: {text}" for text in band_faults(row)]
    for name in item.wrong():
        row = found["mistakes"].get(name)
        if row is None or row["seeds"] < MIN_WRONG_SEEDS:
            said.append(f"{item.id}: too few seeds of {name}")
        elif row["required"] and row["rate"] < CAUGHT:
            said.append(f"{item.id}: catches {name} in {row['rate']:.0%} of the runs")
    return said


def band_faults(row: dict) -> list[str]:
    """Whether a threshold lies between the mistakes that it has to catch and where the reference would miss it."""
    side = 1 if row["is_smallest"] else -1
    said = []
    if side * row["threshold"] > side * row["edge"]:
        said.append(f"{row['name']}: {row['threshold']:g} is beyond {row['edge']:.4g}, which the reference needs")
    if row["reach"] is not None and not side * row["threshold"] > side * row["reach"]:
        said.append(f"{row['name']}: {row['threshold']:g} does not catch what reaches {row['reach']:.4g}")
    return said

