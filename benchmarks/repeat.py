"""Does the same submission get the same report, every time and everywhere?

    python -m benchmarks.repeat                                                100 gradings of each, all tasks: hours
    python -m benchmarks.repeat --task warmup --task vicreg --task retrieval   the same for quick tasks
    python -m benchmarks.repeat --times 8                                      each of the surroundings at least once
    python -m benchmarks.repeat --minutes 30                                   whatever can be graded in that time
    python -m benchmarks.repeat --only reference --only import-crash           some submissions alone
    python -m benchmarks.repeat --jobs 8                                       as many gradings at once, on a large machine
    python -m benchmarks.repeat --keep FILE                                    go on where an interrupted run into FILE ended

Grades the reference and five faulty submissions again and again, each time in the next of several surroundings: number of
threads, hash seed, locale, time zone, temporary and current folder, a busy machine, two gradings at once; as a folder with
files in another order, with other times, or as a zip. One process grades all of them, up to three times over. Counts the
different reports of each: everything but the seconds and the submission's name must be the same. Prints the first
difference where there is one, and exits with 1.
"""
import argparse
import contextlib
import dataclasses
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from autograder import receipt, rubric, sandbox

PROJECT = Path(__file__).resolve().parent.parent
BURST = 3  # gradings of a submission in one process: the later ones must not see what the earlier ones left there


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """How one grading differs from another that must come out the same."""

    name: str
    environment: dict = dataclasses.field(default_factory=dict)
    busy: int = 0  # processes that compute meanwhile
    gradings: int = 1  # at once
    shape: str = "folder"  # of the submission: "folder", "shuffled" or "zip"
    elsewhere: bool = False  # with another current folder, and another one for temporary files


SURROUNDINGS = (
    Surroundings("one thread, hash seed 0", {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}),
    Surroundings("two threads, hash seed 1, C locale", {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "1", "LC_ALL": "C"}),
    Surroundings("eight threads, a time zone, a zip", {"OMP_NUM_THREADS": "8", "TZ": "Asia/Kathmandu"}, shape="zip"),
    Surroundings("de_DE.UTF-8, random hash seed", {"LC_ALL": "de_DE.UTF-8", "PYTHONHASHSEED": "random"}),
    Surroundings("another current and temporary folder, files in another order", elsewhere=True, shape="shuffled"),
    Surroundings("two busy loops beside it", busy=2),
    Surroundings("two gradings at once", gradings=2),
)  # fmt: skip

# Put at the end of the reference's modules.
FAULTY = {
    "no-square-root": {
        "vicreg": """
def variance_loss(z, gamma=1.0, eps=1e-4):
    print("variance", z.var(dim=0)[:3], variance_loss)
    return F.relu(gamma - (z.var(dim=0) + eps)).mean()
"""
    },
    "wrong-axis-no-hinge": {
        "vicreg": """
def variance_loss(z, gamma=1.0, eps=1e-4):
    return (gamma - torch.sqrt(z.var(dim=1) + eps)).mean()
"""
    },
    "no-zero-grad-eval-stays": {
        "training": """
def train_step(encoder, projector, optimizer, view_a, view_b, **weights):
    terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
    terms.total.backward()
    optimizer.step()
    return VICRegTerms(*(term.detach() for term in terms))


@torch.no_grad()
def evaluate_loss(encoder, projector, images, batch_size=256, **weights):
    encoder.eval()
    projector.eval()
    images, sums, rows = torch.as_tensor(images), 0, 0
    for batch in images.split(batch_size):
        view_a, view_b = two_views(batch)
        terms = vicreg_loss(projector(encoder(view_a)), projector(encoder(view_b)), **weights)
        sums, rows = sums + len(batch) * torch.stack(terms), rows + len(batch)
    return VICRegTerms(*(sums / rows))
"""
    },
    "import-crash": {"evaluation": "\nimport some_package_that_is_not_here\n"},
    "unseeded": {
        "neighbors": """
_exact = nearest_neighbors


def nearest_neighbors(queries, bank, k, exclude_self=False):
    distances, indices = _exact(queries, bank, k, exclude_self)
    print(object(), hash("text"), set("abc"))
    return distances + torch.from_numpy(np.random.default_rng().random(distances.shape)).to(distances), indices
""",
        "laplacian": """
def random_features(images, dim=1024, seed=0):
    features = np.random.default_rng().normal(size=(len(images), dim))
    return torch.from_numpy(features).float()
""",
        "warmup": """
def normalize(images):
    raise RuntimeError(f"{object()} {normalize} in {__file__}: {sorted(set('xyz'), key=hash)}")
""",
    },
}


def main() -> int:
    options = parser().parse_args()
    names = options.only or ["reference", *FAULTY]
    kept = Kept(options.keep, names, options.task, options.times)
    with tempfile.TemporaryDirectory(prefix="repeat-") as base:
        found = repeat(names, options, Path(base), kept)
    for name, reports in found.items():
        seen = different(reports)
        points = " or ".join(dict.fromkeys(f"{report['total']:g}" for _, report in seen))
        print(f"{name:<26}{len(reports):>5} gradings {len(seen):>4} different reports   {points} points")
        if len(seen) > 1 and all("tasks" in report for _, report in seen[:2]):
            print(difference(*seen[:2]))
    return int(any(len(different(reports)) != 1 for reports in found.values()))


def parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog="python -m benchmarks.repeat", description=__doc__, formatter_class=raw)
    top.add_argument("--times", type=int, default=100, help="gradings of each submission (default: 100)")
    top.add_argument("--minutes", type=float, default=math.inf, help="begin nothing new after this time")
    top.add_argument("--jobs", type=int, default=1, metavar="N", help="surroundings at once (default: 1)")
    top.add_argument("--keep", type=Path, metavar="FILE", help="write each report's digest there, and count those that are there")
    top.add_argument("--task", action="append", default=[], help="only this task (may be repeated)")
    top.add_argument("--only", action="append", default=[], choices=["reference", *FAULTY], help="only this submission")
    return top


class Kept:
    """The gradings of earlier runs of the same, a line of JSON for each turn in `path`; nothing is kept where it is None."""

    def __init__(self, path: Path | None, names: list[str], tasks: list[str], times: int):
        self.path, self.turns = path, {}
        full = rubric.load()
        rests_on = receipt.of_grading(full.only(tasks) if tasks else full, full, sandbox.choose())
        self.of = receipt.digest_of_data([names, tasks, times, FAULTY, [each.name for each in SURROUNDINGS], rests_on])
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
        for line in map(json.loads, lines):
            if line["of"] != self.of:
                raise SystemExit(f"{path} is of other submissions, tasks, times or code: give another file, or remove it")
            self.turns[line["turn"]] = line["reports"]

    def add(self, turn: int, reports: list[tuple]) -> None:
        """Note of each report its digest and points."""
        self.turns[turn] = reports
        if self.path and reports:
            with open(self.path, "a", encoding="utf-8") as file:
                short = [(name, {"receipt": {"results": each["receipt"]["results"]}, "total": each["total"]}) for name, each in reports]
                file.write(json.dumps({"of": self.of, "turn": turn, "reports": short}) + "\n")


def repeat(names: list[str], options: argparse.Namespace, base: Path, kept: Kept) -> dict[str, list]:
    """Grade each submission so many times; returns by name the reports, each with the surroundings that it comes from."""
    shapes = {name: build(name, base / name) for name in names}
    found: dict[str, list] = {name: [] for name in names}
    started = time.perf_counter()

    def take(number: int, each: Surroundings, rounds: int) -> list[tuple]:
        if number in kept.turns:
            return kept.turns[number]
        if time.perf_counter() - started > 60 * options.minutes:
            return []
        return grade({name: shapes[name][each.shape] for name in names}, each, options.task, rounds, base / f"turn{number}")

    with ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(take, number, *turn): (number, turn[0].name) for number, turn in enumerate(turns(options.times))}
        for future in as_completed(running):
            number, where = running[future]
            if number not in kept.turns:
                kept.add(number, future.result())
            for name, report in future.result():
                found[name].append((where, report))
            counts = ", ".join(str(len(different(reports))) for reports in found.values())
            done, passed = len(found[names[0]]), time.perf_counter() - started
            print(f"{passed:5.0f} s: {done:>3} gradings of each, {counts} different reports (last: {where})", flush=True)
    return found


def turns(times: int) -> list[tuple[Surroundings, int]]:
    """Which surroundings come, and how often one process grades everything there: each comes once before any comes again."""
    found, done = [], 0
    while done < times:
        each = SURROUNDINGS[len(found) % len(SURROUNDINGS)]
        left = max(1, len(SURROUNDINGS) - len(found))  # surroundings that have not had their first turn
        found.append((each, min(BURST, math.ceil((times - done) / each.gradings / left))))
        done += found[-1][1] * each.gradings
    return found


def different(reports: list) -> list:
    """The first of each kind of report."""
    kinds: dict[str, tuple] = {}
    for where, report in reports:
        kinds.setdefault(report["receipt"]["results"], (where, report))
    return list(kinds.values())


def build(name: str, base: Path) -> dict[str, Path]:
    """The submission in each of its shapes."""
    files = {}
    for file in rubric.load().files:
        source = (PROJECT / "solutions" / file).read_text(encoding="utf-8")
        files[file] = source + FAULTY.get(name, {}).get(file.removesuffix(".py"), "")
    shapes = {"folder": base / "a", "shuffled": base / "renamed, with a comma" / "assignment", "zip": base / "b.zip"}
    for shape, order in (("folder", list(files)), ("shuffled", sorted(files, reverse=True))):
        shapes[shape].mkdir(parents=True)
        for number, file in enumerate(order):
            (shapes[shape] / file).write_text(files[file], encoding="utf-8")
            os.utime(shapes[shape] / file, (10**9 + number, 10**9 + number))
    with zipfile.ZipFile(shapes["zip"], "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(files):
            archive.writestr(f"hand-in/assignment/{file}", files[file])
    return shapes | {"shuffled": shapes["shuffled"].parent}


def grade(given: dict[str, Path], surroundings: Surroundings, tasks: list[str], rounds: int, base: Path) -> list[tuple]:
    """Names and reports of `rounds` gradings of each in each of the processes that the surroundings ask for."""
    copies = [copy_of(path, f"{number} {name}", base) for number in range(rounds) for name, path in given.items()]
    with busy(surroundings.busy):
        running = [start(copies, surroundings, tasks, base / f"out{number}") for number in range(surroundings.gradings)]
        outputs = [process.communicate() for process in running]
    for process, (_, error) in zip(running, outputs):
        if process.returncode != 0:
            raise SystemExit(f"grade ended with {process.returncode}: {error[-2000:]}")
    shutil.rmtree(base)
    reports = [report for output, _ in outputs for report in json.loads(output)]
    return [(report["submission"].partition(" ")[2], report) for report in reports]


def copy_of(submission: Path, name: str, base: Path) -> Path:
    """Each grading of a run needs a name of its own."""
    target = base / "copies" / f"{name}{submission.suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copytree(submission, target) if submission.is_dir() else shutil.copy(submission, target))


def start(copies: list[Path], surroundings: Surroundings, tasks: list[str], out: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "autograder", "grade", *map(str, copies), "--out", str(out), "--fresh", "--json"]
    command += [part for task in tasks for part in ("--task", task)]
    env = {**os.environ, "PYTHONPATH": str(PROJECT), **surroundings.environment}
    folder = PROJECT
    if surroundings.elsewhere:
        folder = out.parent / "elsewhere"
        folder.mkdir(exist_ok=True)
        env["TMPDIR"] = str(folder)
    return subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, encoding="utf-8",
    )  # fmt: skip


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that keep a core each from doing anything else."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for each in loops:
            each.kill()
            each.wait()


def difference(one: tuple[str, dict], two: tuple[str, dict]) -> str:
    """Where two reports differ first."""
    (where, first), (elsewhere, second) = one, two
    pairs = zip(items(first), items(second), strict=True)
    for a, b in pairs:
        for key in a:
            if key != "seconds" and a[key] != b[key]:
                return f"  {a['id']}, {key}\n  {where}:\n    {a[key]}\n  {elsewhere}:\n    {b[key]}"
    return f"  the notes\n  {where}:\n    {first['notes']}\n  {elsewhere}:\n    {second['notes']}"


def items(report: dict) -> Iterator[dict]:
    return (item for task in report["tasks"] for item in task["items"])


if __name__ == "__main__":
    sys.exit(main())
