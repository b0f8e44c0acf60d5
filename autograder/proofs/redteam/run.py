"""Grades the red team's submissions as anybody would, through the command line, and says what became of each."""
import concurrent.futures
import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from autograder import sandbox
from autograder.proofs.redteam import PROJECT, Attack, Broken, Scenario, append, build, fill
from autograder.proofs.redteam.outcomes import happened, must, one_line, sound
from autograder.report import Report

AT_ONCE = 2  # runs of the command at a time, one for each core of a small machine
PATIENCE = 240  # seconds for one attack, starting included: four items that run into their limits need 60
MOST_MEMORY = 2 * 1024**3  # bytes that the grader's own process may take, whatever it is sent
LEFT_BEHIND = b"left-by-the-red-team"  # in the command line of what an attack tries to leave running
BYSTANDER = "an-honest-bystander"  # graded last in each run: it must have full marks, whoever came before


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of an attack or a scenario. `broken` says why the grader did not hold; empty where it did."""

    name: str
    row: int
    tried: str
    happened: str
    broken: str = ""
    seconds: float = 0.0

    @property
    def held(self) -> bool:
        return not self.broken


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of the command: its exit code, all it printed, the grader's own peak memory, and what it left running."""

    code: int
    output: str
    errors: str
    peak: int
    left: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Bench:
    """What a scenario has at hand: an empty folder, the sandbox, and the command line."""

    base: Path
    mode: str

    def start(self, *arguments, cwd: Path = PROJECT, **env: str) -> subprocess.Popen:
        """`python -m autograder` with these arguments, in a process group of its own."""
        return start([str(each) for each in arguments], self.base, cwd, env)

    def grade(self, *submissions, out: Path, cwd: Path = PROJECT, options: Iterable[str] = ()) -> Run:
        arguments = ["grade", *map(str, submissions), "--out", str(out), "--sandbox", self.mode, *options]
        return finish(start(arguments, self.base, cwd, {}), PATIENCE)

    def honest(self, name: str) -> Path:
        """A right submission."""
        return fill(self.base / "submissions" / name)

    def wrong(self, name: str) -> Path:
        """A submission with one mistake."""
        folder = self.honest(name)
        append(folder, "def variance_loss(z, gamma=1.0, eps=1e-4):\n    return z.sum() * 0 + 7.0\n")
        return folder


def modes() -> list[str]:
    """The sandboxes that this machine offers, the strongest first."""
    found = ["bubblewrap"] if sandbox.working_bubblewrap() else []
    return found + (["landlock"] if sandbox.landlock_works() else []) + ["none"]


def start(arguments: list[str], base: Path, cwd: Path, env: dict[str, str]) -> subprocess.Popen:
    base.mkdir(parents=True, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix="tmp-", dir=base)  # what is left there afterwards was left by the grader
    env = {**os.environ, "SECRET_OF_THE_GRADER": "1", "TMPDIR": temporary, "OMP_NUM_THREADS": "1", **env}
    with open(f"{temporary}.out", "wb") as output, open(f"{temporary}.err", "wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "autograder", *arguments], cwd=cwd, env=env, stdout=output, stderr=errors,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    process.temporary = temporary
    return process


def finish(process: subprocess.Popen, seconds: float, progress: Callable[[], None] = lambda: None) -> Run:
    """Wait for a run that `start` began. Broken where it does not end in time."""
    deadline, peak, base = time.monotonic() + seconds, 0, process.temporary
    while process.poll() is None:
        peak = max(peak, peak_bytes(process.pid))
        progress()
        if time.monotonic() > deadline:
            os.killpg(process.pid, 9)
            process.wait()
            raise Broken(f"the grader hung: it did not end within {seconds:g} s")
        time.sleep(0.1)
    output, errors = (Path(base + suffix).read_text(encoding="utf-8", errors="replace") for suffix in (".out", ".err"))
    return Run(process.returncode, output, errors, peak, tuple(remains(base)))


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had until now; 0 where there is no /proc."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def remains(temporary: str) -> Iterator[str]:
    """Files in the grader's folder for temporary ones, and processes that an attack left running."""
    yield from (f"the file {name}" for name in os.listdir(temporary))
    time.sleep(0.2)  # what was killed just now is gone after that
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if LEFT_BEHIND in path.read_bytes():
                yield f"the process {path.parent.name}"
        except OSError:
            pass


def grade(attacks: list[Attack], base: Path, mode: str = "auto", tell: Callable[[Outcome], None] = lambda _: None) -> list[Outcome]:
    """Build and grade `attacks`, at most AT_ONCE runs at a time; `tell` hears of each outcome when it is known."""
    groups: dict[tuple, list[Attack]] = {}
    for each in attacks:
        groups.setdefault((each.tasks, each.limits), []).append(each)
    jobs = [part for members in groups.values() for part in halves(members)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(grade_group, job, base / f"run-{n}", mode, tell) for n, job in enumerate(jobs)]
        found = {each.name: each for one in running for each in one.result()}
    return [found[each.name] for each in attacks]


def halves(attacks: list[Attack]) -> list[list[Attack]]:
    """Runs of about the same length; a few attacks are not worth a second run, with an honest submission of its own."""
    return [attacks] if len(attacks) < 8 else [attacks[first::AT_ONCE] for first in range(AT_ONCE)]


def grade_group(attacks: list[Attack], base: Path, mode: str, tell: Callable[[Outcome], None]) -> list[Outcome]:
    """One run of the command over attacks with the same tasks and limits, and over an honest submission after them."""
    folders = [build(each, base / "submissions") for each in attacks] + [fill(base / "submissions" / BYSTANDER)]
    options = ["--rubric", str(changed_rubric(base, dict(attacks[0].limits))), "--sandbox", mode]
    options += [part for task in attacks[0].tasks for part in ("--task", task)]
    out, told = base / "out", {}

    def look() -> None:
        for each in attacks:
            if each.name not in told and (out / each.name / "report.html").exists():
                told[each.name] = judge(each, out)
                tell(told[each.name])

    try:
        arguments = ["grade", *map(str, folders), "--out", str(out), *options]
        run = finish(start(arguments, base, PROJECT, {}), PATIENCE * len(folders), look)
        look()
        trouble = disorder(run, out)
    except Broken as error:
        trouble = str(error)
    for each in attacks:
        if each.name not in told:
            told[each.name] = Outcome(each.name, each.row, each.tried, "it has no report", trouble or "it has no report")
            tell(told[each.name])
    # Whoever of the run is to blame: none of them held.
    return [dataclasses.replace(told[each.name], broken=told[each.name].broken or trouble) for each in attacks]


def disorder(run: Run, out: Path) -> str:
    """What is wrong with a run as a whole; empty where nothing is."""
    try:
        must(run.code == 0, f"exit code {run.code}: {run.output[-1500:]}{run.errors[-1500:]}")
        must("Traceback" not in run.errors, run.errors[-1500:])
        must(not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", run.output), "control characters on the terminal")
        must(not re.search(r"^\s*(::|##\[)", run.output, re.M), "a command to a CI service on the terminal")
        must(run.peak < MOST_MEMORY, f"the grader took {run.peak / 1024**2:.0f} MiB")
        must(not run.left, f"left behind: {', '.join(run.left)}")
        honest = read(out, BYSTANDER)
        must(honest.total == honest.max_total, f"an honest submission in the same run has {honest.total:g} points")
    except Broken as error:
        return str(error)
    except (OSError, ValueError) as error:
        return f"an honest submission in the same run has no whole report ({error})"
    return ""


def judge(attack: Attack, out: Path) -> Outcome:
    """Hold an attack's report against what must have happened."""
    try:
        report = read(out, attack.name)
        seconds = sum(item.seconds for item in report.items())
        outcome = Outcome(attack.name, attack.row, attack.tried, happened(report), "", round(seconds, 3))
    except (OSError, ValueError, TypeError, KeyError) as error:
        return Outcome(attack.name, attack.row, attack.tried, "its report is torn", f"{type(error).__name__}: {error}")
    try:
        sound(report)
        attack.check(report)
        must((out / attack.name / "report.html").stat().st_size > 1000, "an empty report.html")
    except Broken as error:
        return dataclasses.replace(outcome, broken=str(error))
    return outcome


def read(out: Path, name: str) -> Report:
    return Report.from_dict(json.loads((out / name / "report.json").read_text(encoding="utf-8")))


def changed_rubric(folder: Path, limits: dict[str, float]) -> Path:
    """The real rubric with other limits."""
    text = (PROJECT / "autograder" / "rubric.toml").read_text(encoding="utf-8")
    for name, value in limits.items():
        text, times = re.subn(rf"^{name} = \S+", f"{name} = {value:g}", text, flags=re.M)
        assert times == 1, name
    path = folder / "rubric.toml"
    path.write_text(text, encoding="utf-8")
    return path


def play(scenario: Scenario, base: Path, mode: str) -> Outcome:
    """Play one scenario."""
    started = time.monotonic()
    base.mkdir(parents=True, exist_ok=True)
    try:
        told, broken = scenario.play(Bench(base, mode)), ""
    except Broken as error:
        told, broken = "it did not hold", str(error)
    seconds = round(time.monotonic() - started, 3)
    return Outcome(scenario.name, scenario.row, scenario.tried, one_line(told), broken, seconds)
