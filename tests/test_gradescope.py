"""The archive for Gradescope: what is in it, and what its run_autograder writes in folders laid out as Gradescope's."""
import ast
import concurrent.futures
import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import jsonschema
import pytest

from autograder import grading, rubric, sandbox
from autograder.proofs import redteam
from autograder.report import Report
from autograder.sinks import gradescope as sink
from release import cli as command
from release import gradescope
from release.gradescope import trial

PROJECT = Path(__file__).resolve().parent.parent
SCHEMA = json.loads((gradescope.HERE / "results.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
WAIT = 120  # seconds for one grading of the warm-up, on a machine that does much else


def run_command(*arguments) -> tuple[int, str, str]:
    """`python -m release gradescope`, in this process: exit code, output, errors."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = command.main(["gradescope", *map(str, arguments)])
    return code, out.getvalue(), errors.getvalue()


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "autograder.zip"
    code, _, errors = run_command(path, "--task", "warmup")
    assert code == 0, errors
    return path


class Site:
    """Gradescope's folders, with the archive unpacked and one submission."""

    def __init__(self, base: Path, archive: Path, submission: Path | None, **settings):
        with zipfile.ZipFile(archive) as packed:
            self.root = trial.lay_out(base, {name: packed.read(name) for name in packed.namelist()})
        if submission is not None:
            shutil.rmtree(self.root / "submission")
            shutil.copytree(submission, self.root / "submission", symlinks=True)
        path = self.root / "source" / "gradescope.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))

    def start(self) -> subprocess.Popen:
        return subprocess.Popen(
            [self.root / "run_autograder"], cwd=self.root, env=trial.environment(self.root), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, seconds: float = WAIT) -> dict:
        process = self.start()
        self.output = process.communicate(timeout=seconds)[0]
        assert process.returncode == 0
        return self.results()

    def results(self) -> dict:
        """results.json, which must always be valid, and hold what sums up."""

        def refuse(constant: str):
            raise ValueError(f"{constant} is no number in JSON")

        found = json.loads((self.root / "results" / "results.json").read_text(encoding="utf-8"), parse_constant=refuse)
        VALIDATOR.validate(found)
        assert found["score"] == pytest.approx(sum(test["score"] for test in found["tests"]))
        assert found["stdout_visibility"] == "hidden"
        return found

    def processes(self, script: str) -> list[int]:
        """Those that run a script of this site, by their command lines."""
        wanted, found = str(self.root / "source" / script).encode(), []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if wanted in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return found


def verdicts(found: dict) -> list[str]:
    return [test["extra_data"]["verdict"] for test in found["tests"]]


def submission(base: Path, source: str = "") -> Path:
    """The reference, with source put at the end of the warm-up."""
    folder = redteam.fill(base / "given")
    redteam.append(folder, source, "warmup.py")
    return folder


NO_DIVISION = "def normalize(images):\n    return torch.as_tensor(images).permute(0, 3, 1, 2).float()\n"
SLOW = "import time\n_right = normalize\ndef normalize(images):\n    time.sleep({seconds})\n    return _right(images)\n"
HOSTILE = """
import os, signal, subprocess
def normalize(images):
    told = []
    for path in ("/results/results.json", "/results/results.json.new", "/source/gradescope.json"):
        try:
            with open({root!r} + path, "w") as file:
                file.write('{{"score": 1000, "tests": []}}')
            told.append("written")
        except OSError:
            pass
    for pid in {{os.getppid(), *(int(name) for name in os.listdir("/proc") if name.isdigit())}} - {{1, os.getpid()}}:
        try:
            os.kill(pid, signal.SIGSTOP if pid == os.getppid() else 0)
        except OSError:
            pass
    raise ValueError(" ".join(told) + "::error::owned ]]> <script> \\x00 \\ud800" + "x" * 10**6)
"""


# -- graded as at Gradescope ------------------------------------------------------------------------------------------

LATE = {
    "id": 7,
    "created_at": "2026-08-09T12:00:00.000000-07:00",
    "assignment": {"due_date": "2026-07-01T00:00:00.000000-07:00", "late_due_date": None, "total_points": "80.0"},
    "previous_submissions": [{"submission_time": "2026-06-30T00:00:00.000000-07:00", "score": 99.0, "results": {"score": 99.0}}],
}


def graded_late(base: Path, archive: Path) -> Site:
    site = Site(base, archive, submission(base))
    (site.root / "submission_metadata.json").write_text(json.dumps(LATE))
    return site


def zipped(base: Path, archive: Path) -> Site:
    site, given = Site(base, archive, None), submission(base, NO_DIVISION)
    with zipfile.ZipFile(site.root / "submission" / "work.zip", "w") as packed:
        for path in given.iterdir():
            packed.write(path, f"assignment/{path.name}")
    return site


def attacked(base: Path, archive: Path) -> Site:
    return Site(base, archive, submission(base, HOSTILE.format(root=str(base))))


def without_time(base: Path, archive: Path) -> Site:
    return Site(base, archive, submission(base, SLOW.format(seconds=8)), seconds=10.0)


KINDS = {"late": graded_late, "attack": attacked, "no time": without_time}


@pytest.fixture(scope="module")
def sites(archive, tmp_path_factory) -> dict[str, tuple[Site, dict]]:
    """All of these, two at a time, with what they wrote."""

    def grade(make) -> tuple[Site, dict]:
        site = make(tmp_path_factory.mktemp("autograder"), archive)
        return site, site.run()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(KINDS, pool.map(grade, KINDS.values())))


@pytest.mark.ci
@pytest.mark.slow
def test_neither_a_late_nor_an_earlier_submission_changes_points(sites):
    site, found = sites["late"]
    assert found["score"] == 2.0 and set(verdicts(found)) == {"passed"} and found["extra_data"]["complete"]
    assert [test["visibility"] for test in found["tests"]] == ["visible"] * 2 + ["after_published"] * 2
    assert 0 < found["execution_time"] < WAIT
    assert found["output"].splitlines()[-1].startswith("Sandbox: ") and "Sandbox: " in site.output
    assert found["output"].startswith("Public checks: 1 of 1 points\n2 passed\n2 more checks") and "2 of 2 points" in site.output
    assert ("as the user" in found["output"]) != ("ran as the same user as the grader" in found["output"])


@pytest.mark.slow
def test_a_zip_in_the_submission_is_graded(archive, tmp_path):
    found = zipped(tmp_path, archive).run()
    assert 0 < found["score"] < 2 and "failed" in verdicts(found) and "Note: graded what is in work.zip" in found["output"]


@pytest.mark.ci
@pytest.mark.slow
def test_an_attack_gets_nothing_and_its_text_does_no_harm(sites):
    if not sandbox.choose().files:
        pytest.skip("without a wall student code may write what the user who grades may write")
    site, found = sites["attack"]
    assert set(verdicts(found)) == {"crashed"} and found["score"] == 0 and found["extra_data"]["complete"]
    text = (site.root / "results" / "results.json").read_text("utf-8")
    assert "::" not in text and "written" not in text and len(text) < 100_000
    assert json.loads((site.root / "source" / "gradescope.json").read_text())["tasks"] == ["warmup"]


@pytest.mark.ci
@pytest.mark.slow
def test_a_grading_without_time_ends_with_what_is_known(sites):
    site, found = sites["no time"]
    assert re.search("[01] of 4 items were graded: the time ran out", found["output"]) and not found["extra_data"]["complete"]
    assert verdicts(found)[1:] == ["not_graded"] * 3 and found["score"] < 1
    for test in found["tests"][1:]:
        assert "[not graded]" in test["name"] and test["output"].startswith("Not graded: the time ran out.") and test["score"] == 0
    assert not site.processes("grade_one.py") and found["execution_time"] < 30


def wait_for(condition, what: str):
    deadline = time.monotonic() + WAIT
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds the process to kill in /proc")
@pytest.mark.parametrize("victim", ["grade_one.py", pytest.param("supervise.py", marks=pytest.mark.slow)])
def test_after_sigkill_results_are_valid_and_what_was_graded_counts(archive, tmp_path, victim):
    site = Site(tmp_path, archive, submission(tmp_path, SLOW.format(seconds=2.1)))
    process = site.start()
    results = site.root / "results" / "results.json"
    wait_for(results.exists, "a placeholder")
    wait_for(lambda: [v for v in verdicts(site.results()) if v == "passed"], "the first item")
    for pid in site.processes(victim):
        os.kill(pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=WAIT)
    found = site.results()
    for pid in site.processes("grade_one.py"):  # Gradescope ends the container
        os.kill(pid, signal.SIGKILL)
    assert process.returncode == 0 and "ended with status" in output
    assert 0 < found["score"] < 2 and {*verdicts(found)} == {"passed", "not_graded"} and not found["extra_data"]["complete"]
    why = {"grade_one.py": "the grader was killed", "supervise.py": "still running, or was ended from outside"}[victim]
    assert why in found["output"]


@pytest.mark.slow
def test_nobody_needs_to_listen(archive, tmp_path):
    """A log that ends early costs no points."""
    site = Site(tmp_path, archive, submission(tmp_path))
    process = site.start()
    process.stdout.close()
    assert process.wait(WAIT) == 0 and site.results()["score"] == 2 and site.results()["extra_data"]["complete"]


@pytest.mark.skipif(os.geteuid() != 0 or sandbox.runs_as("nobody"), reason="for root, where no other user can run this Python")
def test_nothing_is_graded_where_student_code_would_run_as_root(archive, tmp_path, monkeypatch):
    real = trial.environment
    monkeypatch.setattr(trial, "environment", lambda root: {k: v for k, v in real(root).items() if k != "AUTOGRADER_TRIAL"})
    found = Site(tmp_path, archive, submission(tmp_path)).run()
    assert found["score"] == 0 and not found["extra_data"]["complete"]
    assert "student code would run as root, for it can be run neither as student nor as nobody" in found["output"]


def test_without_python_the_placeholder_stays(archive, tmp_path, monkeypatch):
    site = Site(tmp_path, archive, None)
    monkeypatch.setattr(trial, "environment", lambda root: {**os.environ, "AUTOGRADER_ROOT": str(root)})
    found = site.run()
    assert found["score"] == 0 and found["tests"] == [] and "could not be started" in found["output"]
    assert "ended with status 127" in site.output


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stubs", "empty", "faulty", "link"])
def test_other_submissions(archive, tmp_path, kind):
    given = tmp_path / "given"
    if kind == "stubs":
        shutil.copytree(PROJECT / "assignment", given)
    elif kind == "faulty":
        submission(tmp_path, NO_DIVISION)
    else:
        given.mkdir()
        if kind == "link":
            (given / "warmup.py").symlink_to(PROJECT / "solutions" / "warmup.py")
    found = Site(tmp_path / "site", archive, given).run()
    expected = {"stubs": {"not_attempted"}, "empty": {"not_attempted"}, "link": {"failed"}}.get(kind)
    assert found["extra_data"]["complete"]
    if kind == "faulty":
        assert 0 < found["score"] < 2
    else:
        assert set(verdicts(found)) == expected and found["score"] == 0
        told = {"stubs": "", "empty": "the submission holds none of the assignment's files", "link": "is a symbolic link"}[kind]
        assert told in found["output"]


@pytest.mark.slow
def test_the_archive_grades_as_the_command_line_does(tmp_path):
    """All tasks, with the bonus tasks on top of the score; also a proof that the archive lacks no file."""
    assert run_command(tmp_path / "a.zip")[0] == 0
    given = submission(tmp_path, NO_DIVISION)
    found = Site(tmp_path / "site", tmp_path / "a.zip", given).run(600)
    full = rubric.load()
    report: Report = grading.grade(given, full, full, sandbox.choose())
    expected = sink.results(report)
    assert found["score"] == expected["score"] > report.max_total and report.bonus == report.max_bonus
    assert found["tests"] == expected["tests"]


# -- the archive ------------------------------------------------------------------------------------------------------


def test_the_archive_has_what_gradescope_asks_for_and_what_grading_needs(archive):
    with zipfile.ZipFile(archive) as packed:
        names = set(packed.namelist())
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in packed.infolist()}
    assert {"setup.sh", "run_autograder", "supervise.py", "grade_one.py", "gradescope.json", "requirements.txt"} <= names
    assert modes["setup.sh"] == modes["run_autograder"] == 0o755 and modes["supervise.py"] == 0o644
    ours = ("checks/hidden/test_warmup_hidden.py", "checks/pytest.ini", "rubric.toml", "misconceptions/warmup.py", "worker/server.py")
    assert {f"autograder/{name}" for name in ours} <= names
    assert {f"{folder}/warmup.py" for folder in ("assignment", "solutions")} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests/", "docs/", "solutions/discussion"))]
    assert archive.stat().st_mode & 0o777 == 0o600 and archive.stat().st_size < 10**7


def test_the_same_files_give_the_same_archive(archive, tmp_path):
    assert run_command(tmp_path / "again.zip", "--task", "warmup")[0] == 0
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def imported(source: str) -> set[str]:
    """Top-level modules from elsewhere that a source imports."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - set(gradescope.FOLDERS)


def test_all_that_is_packed_can_be_imported_with_the_packages_that_are_installed(archive):
    """What the archive's files import is a package of requirements.txt; only notebooks need more."""
    with zipfile.ZipFile(archive) as packed:
        lines = packed.read("requirements.txt").decode().splitlines()
        sources = {name: packed.read(name).decode() for name in packed.namelist() if name.endswith(".py")}
    assert all("==" in line for line in lines) and "http" not in "".join(lines)
    installed = {line.partition("==")[0].replace("-", "_") for line in lines} | {"sklearn", "PIL"}
    missing = {name: found for name, text in sources.items() if (found := imported(text) - installed)}
    assert {name.rpartition("/")[2] for name in missing} <= {"notebook.py"} and "torch" in installed, missing


def test_settings_are_in_the_archive(tmp_path):
    code, told, _ = run_command(
        tmp_path / "a.zip", "--hidden-items", "hidden", "--timeout", "20", "--extra-index-url", "https://example.org/cpu"
    )
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        settings, conf = json.loads(packed.read("gradescope.json")), packed.read("pip.conf").decode()
    assert code == 0 and settings == {"hidden_items": "hidden", "tasks": [], "seconds": 20 * 60 - gradescope.RESERVE_SECONDS}
    assert conf == "[global]\nextra-index-url = https://example.org/cpu\n"
    assert "Autograder points at Gradescope: 80 (up to 24 more are a bonus)" in told and "note:" not in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{out}/there.zip"], "exists: name another file, or replace it with --force"),
        (["{out}/a.tar"], "does not end in .zip"),
        (["{out}/folder.zip", "--force"], "is a folder"),
        (["{out}/none/a.zip"], "is no folder"),
        (["{out}/a.zip", "--task", "nothing"], "there is no task 'nothing'"),
        (["{out}/a.zip", "--timeout", "41"], "--timeout must be from 2 to 40 minutes"),
        (["{out}/a.zip", "--timeout", "nan"], "--timeout must be from 2 to 40 minutes"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(arguments, told, tmp_path):
    (tmp_path / "there.zip").write_text("kept")
    (tmp_path / "folder.zip").mkdir()
    code, _, errors = run_command(*[each.format(out=tmp_path) for each in arguments])
    assert code == 2 and told in errors and errors.count("\n") == 1 and errors.startswith("error: ")
    assert (tmp_path / "there.zip").read_text() == "kept" and not (tmp_path / "a.zip").exists()


def test_a_dry_run_writes_nothing_and_force_replaces(tmp_path):
    out = tmp_path / "a.zip"
    out.write_text("old")
    code, told, errors = run_command(out, "--dry-run", "--task", "warmup")
    assert code == 2 and "run_autograder" in told and "would write" not in told and "--force" in errors
    code, told, _ = run_command(out, "--dry-run", "--force", "--task", "warmup")
    assert code == 0 and "would write" in told and out.read_text() == "old"
    assert run_command(out, "--force", "--task", "warmup")[0] == 0 and zipfile.is_zipfile(out)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_stale_assignment_is_not_packed(tmp_path, monkeypatch):
    monkeypatch.setattr(gradescope.stubs, "difference", lambda root: "-old\n+new")
    code, _, errors = run_command(tmp_path / "a.zip")
    assert code == 2 and "run python -m release stubs" in errors and not (tmp_path / "a.zip").exists()


# -- setup.sh ---------------------------------------------------------------------------------------------------------

FAKE = """#!/bin/sh
case "$1 $2" in
  "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo "venv" >> "{log}" ;;
  *) echo "$@" >> "{log}"; echo "conf=$PIP_CONFIG_FILE" >> "{log}" ;;
esac
"""


@pytest.mark.parametrize("address", ["", "https://example.org/cpu"])
def test_setup_installs_the_pinned_packages(tmp_path, address):
    assert run_command(tmp_path / "a.zip", *(["--extra-index-url", address] if address else []))[0] == 0
    site, log = Site(tmp_path / "site", tmp_path / "a.zip", None), tmp_path / "log"
    fakes = tmp_path / "bin"
    fakes.mkdir()
    for name in ("python3.13", "python3"):
        (fakes / name).write_text(FAKE.format(log=log))
        (fakes / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{fakes}:/usr/bin:/bin", "AUTOGRADER_ROOT": str(site.root), "AUTOGRADER_USER": "nobody"}
    done = subprocess.run(["bash", site.root / "source" / "setup.sh"], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = log.read_text().splitlines()
    conf = f"{site.root}/source/pip.conf" if address else ""
    assert f"-m pip install --disable-pip-version-check --no-cache-dir -r {site.root}/source/requirements.txt" in lines
    assert f"conf={conf}" in lines and "venv" in lines and any("grade_one.py --check" in line for line in lines)
    assert (site.root / "source").stat().st_mode & 0o777 == 0o700


def test_setup_says_which_python_is_needed(archive, tmp_path):
    site, fakes = Site(tmp_path / "site", archive, None), tmp_path / "bin"
    fakes.mkdir()
    for name in ("python3", "python3.13", "python3.12", "python3.11", "apt-get"):
        (fakes / name).write_text("#!/bin/sh\nexit 1\n")
        (fakes / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{fakes}:/usr/bin:/bin", "AUTOGRADER_ROOT": str(site.root)}
    done = subprocess.run(["bash", site.root / "source" / "setup.sh"], env=env, capture_output=True, text=True)
    assert done.returncode == 1 and "choose Ubuntu 24.04 or newer as the base image" in done.stderr


# -- another user for student code ------------------------------------------------------------------------------------

WHO = """
def normalize(images):
    import os
    found = [os.getuid(), os.getgid(), os.getgroups()]
    for path in ({secret!r}, "/etc/shadow"):
        try:
            found.append(open(path).read(3))
        except OSError as error:
            found.append(type(error).__name__)
    raise ValueError(str(found))
"""
GRADE_AS_NOBODY = """
import sys
sys.path.insert(0, {project!r})
from pathlib import Path
from autograder import grading, rubric, sandbox
full = rubric.load()
report = grading.grade(Path({given!r}), full.only(["warmup"]), full, sandbox.choose("none", user="nobody"))
print(report.sandbox, report.items()[0].message, sep="\\n")
"""


@pytest.fixture
def open_python(tmp_path_factory):
    """A Python that everybody may start, with the packages of this one."""
    system = Path("/usr/bin") / f"python3.{sys.version_info.minor}"
    if os.geteuid() != 0 or not system.exists():
        pytest.skip("only root can start a process as another user, who needs a Python of the system")
    base = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    base.chmod(0o755)
    done = subprocess.run([system, "-m", "venv", "--without-pip", base / "venv"], capture_output=True)
    site = next((base / "venv" / "lib").glob("python3*/site-packages"), None)
    if done.returncode or site is None:
        pytest.skip("the system's Python makes no virtual environments")
    (site / "shared.pth").write_text(f"{Path(pytest.__file__).parent.parent}\n")
    yield base / "venv" / "bin" / "python"
    shutil.rmtree(base)


@pytest.mark.slow
def test_student_code_runs_as_a_user_who_may_open_nothing_of_ours(open_python, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("abc")
    tmp_path.chmod(0o700)
    script = GRADE_AS_NOBODY.format(project=str(PROJECT), given=str(submission(tmp_path, WHO.format(secret=str(secret)))))
    done = subprocess.run([open_python, "-c", script], capture_output=True, text=True, timeout=WAIT)
    if "student code cannot be run as" in done.stderr:
        pytest.skip("this checkout's packages are not open to everybody")
    assert "as the user nobody, who has no rights" in done.stdout, done.stderr
    assert "[65534, 65534, [], 'PermissionError', 'PermissionError']" in done.stdout


@pytest.mark.parametrize("user", ["root", "there-is-nobody-of-this-name"])
def test_a_user_who_cannot_be_used_is_refused(user):
    with pytest.raises(sandbox.SandboxError, match="cannot be run as the user"):
        sandbox.choose(user=user)
