"""Receipts, and what hangs on them: what is kept, resuming, who gained and lost; the lock; scores.csv; the same report anywhere."""
import csv
import dataclasses
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import pytest

from autograder import lock, messages, receipt, report, reuse, rubric, sandbox
from autograder.report import ItemResult, Report
from autograder.sinks import lms_csv

PROJECT = Path(__file__).resolve().parent.parent
ITEM_LINE = re.compile(r"^[✓✗!·?-] ", re.M)  # one verdict that was found now
FORMULA = '=HYPERLINK("http:x";"y"), "Müller"'


def grade(*arguments, cwd=PROJECT, **environment) -> subprocess.CompletedProcess:
    env = {**os.environ, "PYTHONPATH": str(cwd), "COLUMNS": "200", **environment}
    command = [sys.executable, "-m", "autograder", "grade", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, encoding="utf-8", env=env, timeout=600)


def submission(folder: Path, **changed: str) -> Path:
    """The reference, with source put at the end of some of its modules."""
    folder.mkdir(parents=True)
    for name in rubric.load().files:
        shutil.copy(PROJECT / "solutions" / name, folder)
    for module, source in changed.items():
        with open(folder / f"{module}.py", "a", encoding="utf-8") as file:
            file.write(f"\n\n{source}")
    return folder


def results(path: Path) -> dict:
    """A report without what may differ between two gradings of the same."""
    data = json.loads((path / "report.json").read_text(encoding="utf-8"))
    for item in (item for task in data["tasks"] for item in task["items"]):
        del item["seconds"]
    return {**data, "submission": ""}


MISTAKE = "def normalize(images):\n    return torch.as_tensor(images).permute(0, 3, 1, 2) / 255.0\n"


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A right and a wrong submission, graded for one task. Tests that grade again take a copy of the reports."""
    base = tmp_path_factory.mktemp("graded")
    given = [submission(base / "right"), submission(base / FORMULA, warmup=MISTAKE)]
    first = grade(*given, "--out", base / "out", "--task", "warmup")
    assert first.returncode == 0, first.stdout + first.stderr
    return given, base / "out", first.stdout


@pytest.fixture
def again(graded, tmp_path):
    """A function that grades both again into a copy of their reports."""
    given, out, _ = graded
    shutil.copytree(out, tmp_path / "out")

    def run(*options):
        result = grade(*given, "--out", tmp_path / "out", *(options or ("--task", "warmup")))
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run


# -- the receipt ----------------------------------------------------------------------------------------------------


def test_a_receipt_names_all_that_the_verdicts_rest_on_and_nothing_of_the_machine(graded):
    given, out, _ = graded
    found = json.loads((out / "right" / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, json.loads(reuse.SCHEMA.read_text(encoding="utf-8")))
    told = found["receipt"]
    assert set(told["submission"]) == set(rubric.load().files)
    assert set(told["rubric"]) == {item["id"] for task in found["tasks"] for item in task["items"]}
    assert set(told["checks"]) == {"warmup"} and told["calls"] == {"warmup": ["warmup"]}
    assert set(told["versions"]) == {"python", "platform", *receipt.PACKAGES}
    for private in (str(out), str(PROJECT), str(Path.home()), sys.prefix):
        assert private not in json.dumps(told)


def test_the_checks_of_a_task_are_found_with_what_they_import():
    full = rubric.load()
    parts = receipt.of_grading(full, full, sandbox.choose("none"))
    assert len(set(parts["checks"].values())) == len(full.tasks)  # none is empty, or all of them
    assert parts["calls"]["training"] == ["warmup", "augmentations", "vicreg", "training", "evaluation"]
    assert parts["calls"]["anomaly"] == ["warmup", "neighbors", "anomaly"]
    names = {path.name for path in receipt.checks_of("representations", set())}
    assert {"test_representations.py", "test_representations_hidden.py", "thresholds.py", "expect.py"} <= names


def test_each_known_mistake_stands_in_the_file_of_its_module():
    """`mistakes` in a receipt is by module: one that stood elsewhere would be missed."""
    from autograder import misconceptions

    for entry in misconceptions.entries():
        assert entry.function.__module__.rpartition(".")[2] == entry.task_module, entry


def test_what_known_mistakes_import_belongs_to_them(tmp_path, monkeypatch):
    for name in ("autograder", "solutions", "assignment"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "notebooks"))
    monkeypatch.setattr(receipt, "PROJECT", tmp_path)
    full, confinement = rubric.load(), sandbox.choose("none")
    before = receipt.of_grading(full.only(["anomaly"]), full, confinement)
    with open(tmp_path / "autograder" / "misconceptions" / "observing.py", "a") as file:
        file.write("# what is asked about exceptions\n")
    after = receipt.of_grading(full.only(["anomaly"]), full, confinement)
    assert before["mistakes"]["anomaly"] != after["mistakes"]["anomaly"]
    assert {name for name in before if before[name] != after[name]} == {"mistakes"}


def test_imports_are_followed_into_functions_and_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(receipt, "PROJECT", tmp_path)
    files = {
        "autograder/checks/a.py": "import os\ndef f():\n    from autograder import b",
        "autograder/b.py": "from autograder.c.d import x",
        "autograder/c/__init__.py": "",
        "autograder/c/d.py": "from . import e\nfrom ..f import y",
        "autograder/c/e.py": "import solutions.g",
        "autograder/f.py": "this is no Python",
        "solutions/g.py": "from .h import z",
        "solutions/h.py": "",
        "autograder/other.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = receipt.closure([tmp_path / "autograder/checks/a.py"])
    assert {path.relative_to(tmp_path).as_posix() for path in found} == set(files) - {"autograder/other.py"}


# -- what is kept, and what is not ------------------------------------------------------------------------------------


def made(*verdicts_by_task: tuple) -> tuple[Report, rubric.Rubric, dict]:
    """A stored report of some tasks with every item in the given verdict, the rubric's part, and the receipt of now."""
    full = rubric.load()
    part = full.only([task for task, _ in verdicts_by_task])
    verdicts = dict(verdicts_by_task)
    found = {}
    for task in part.tasks:
        for item in task.items:
            verdict = verdicts[task.id]
            points = item.points if verdict == "passed" else 0.0
            found[item.id] = ItemResult(item.id, item.title, item.visibility, verdict, points, item.points)
    parts = receipt.of_grading(part, full, sandbox.choose("none"))
    stored = report.build("s", part, found, "none", [])
    stored.receipt = receipt.complete(stored, parts, {"vicreg.py": "0" * 32})
    return stored, part, json.loads(json.dumps(stored.receipt))


def again_for(stored, part, now, full=None) -> dict[str, list[str]]:
    """The tasks that would be graded again, and why."""
    plan = reuse.plan(stored, now, part, full or rubric.load())
    again = {task: reasons for task, reasons in plan.reasons.items() if reasons}
    kept = {item.id for task in part.tasks if task.id not in again for item in task.items}
    assert set(plan.kept) == kept
    return again


ALL = ("warmup", "vicreg", "training", "retrieval")


@pytest.mark.parametrize(
    "change, tasks, words",
    [
        (lambda now: None, "", ""),
        (lambda now: now["submission"].update({"vicreg.py": "1" * 32}), "all", "the submission changed: vicreg.py"),
        (lambda now: now["submission"].clear(), "all", "the submission changed: vicreg.py"),
        (lambda now: now["versions"].update(torch="9.9"), "all", "torch 2.13"),
        (lambda now: now.update(grader="1" * 32), "all", "the grader's own code changed"),
        (lambda now: now.update(handed_out="1" * 32), "all", "the files handed out changed"),
        (lambda now: now.update(sandbox="bubblewrap: no network"), "all", "the sandbox changed: none → bubblewrap"),
        (lambda now: now["checks"].update(warmup="1" * 32), "warmup", "the checks of warmup changed"),
        # training requires vicreg.gradient
        (lambda now: now["checks"].update(vicreg="1" * 32), "vicreg training", "the checks of vicreg changed"),
        (lambda now: now["reference"].update(evaluation="1" * 32), "training retrieval", "the reference of evaluation changed"),
        (lambda now: now["mistakes"].update(training="1" * 32), "training", "the known mistakes in training changed"),
        (lambda now: now["rubric"]["retrieval.nearest"].update(rules="1" * 32), "retrieval", "of retrieval.nearest changed"),
        (lambda now: now["rubric"]["retrieval.nearest"].update(points=9, words="1" * 32), "", ""),
    ],
)  # fmt: skip
def test_only_what_a_change_touches_is_graded_again(change, tasks, words):
    stored, part, now = made(*((task, "passed") for task in ALL))
    change(now)
    again = again_for(stored, part, now)
    assert set(again) == set(ALL if tasks == "all" else tasks.split())
    assert not words or any(words in reason for reasons in again.values() for reason in reasons)


def test_a_grader_fault_and_a_refusal_are_never_kept():
    stored, part, now = made(("warmup", "grader_fault"), ("vicreg", "passed"))
    assert set(again_for(stored, part, now)) == {"warmup", "vicreg"}
    stored, part, now = made(("warmup", "failed"))
    stored.notes = ["rejected before running: no"]
    assert set(again_for(stored, part, now)) == {"warmup"}


def test_what_was_graded_alone_or_together_is_told_apart():
    stored, part, now = made(("training", "passed"))
    both = rubric.load().only(["vicreg", "training"])
    wider = receipt.of_grading(both, rubric.load(), sandbox.choose("none")) | {"submission": now["submission"]}
    assert set(again_for(stored, both, wider)) == {"vicreg", "training"}  # an item may be blocked now
    stored, part, now = made(("vicreg", "failed"), ("training", "blocked"), ("warmup", "passed"))
    assert set(again_for(stored, part.only(["training", "warmup"]), now)) == {"training"}


def test_an_unchanged_submission_is_kept_and_its_files_are_not_touched(graded, again, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/*")}
    printed = again()
    assert printed.count("unchanged since the last grading; verdict kept") == 2
    assert not ITEM_LINE.search(printed) and "Changes since" not in printed
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/*")} == before


def test_points_and_words_of_the_rubric_need_no_run(graded, again, tmp_path):
    """They are applied to the stored verdicts, and give what a fresh grading gives."""
    text = (PROJECT / "autograder" / "rubric.toml").read_text(encoding="utf-8")
    head, item, rest = text.partition('id = "warmup.values"\n')
    rest = rest.replace("points = 0.5", "points = 1.5", 1).replace("hint = ", 'hint = "New. " # ', 1)
    text = (head + item + rest).replace("normalize: batches and images of other sizes", "normalize: other sizes")
    (tmp_path / "rubric.toml").write_text(text, encoding="utf-8")
    options = ("--task", "warmup", "--rubric", tmp_path / "rubric.toml")
    printed = again(*options)
    assert printed.count("verdict kept, with the rubric's new points and words") == 2 and not ITEM_LINE.search(printed)
    assert "right: +1 points" in printed and "1 gained points, 0 lost points" in printed
    assert "warmup.values: passed, 0.5 → 1.5 points (the rubric: points of warmup.values 0.5 → 1.5)" in printed
    applied = results(tmp_path / "out" / FORMULA)
    assert "New. " in json.dumps(applied) and "normalize: other sizes" in json.dumps(applied)
    printed = again(*options, "--fresh")
    assert len(ITEM_LINE.findall(printed)) == 8 and "0 gained points, 0 lost points, 2 have the same" in printed
    assert results(tmp_path / "out" / FORMULA) == applied


def test_words_are_renewed_where_a_message_quotes_them():
    full = rubric.load()
    by_id = {item.id: item for item in full.items()}
    hidden, above = by_id["training.step_gradient"], by_id["vicreg.gradient"]
    old = dataclasses.replace(above, title="an old title")
    told = "Not run: it builds on “an old title”, which has not passed yet."
    blocked = ItemResult(hidden.id, "x", "hidden", "blocked", 0.0, 1.0, told)
    task = report.TaskResult("vicreg", "t", 0, 0, [ItemResult(old.id, old.title, "public", "failed", 0.0, 1.0)])
    stored = Report("s", 0, 0, "none", [], [task])
    renewed = reuse.renewed(blocked, hidden, stored, full)
    assert renewed.message == f"Not run: it builds on “{above.title}”, which has not passed yet."
    for words in (messages.PROPERTY, messages.STOPPED):
        failed = dataclasses.replace(blocked, verdict="failed", message=f"{words}old.\nCame:     x")
        renewed = reuse.renewed(failed, hidden, stored, full)
        assert renewed.message == f"{words}{hidden.property or hidden.title}.\nCame:     x"
    assert renewed.title == hidden.title and renewed.hint == hidden.hint


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda text: text[: len(text) // 2], "is not valid JSON"),
        (lambda text: "[" * 100_000, "is not valid JSON"),
        (lambda text: text.replace('"seconds": 0', '"seconds": NaN'), "is not valid JSON"),
        (lambda text: text.replace('"verdict": "passed"', '"verdict": "fine"'), "does not fit report.schema.json"),
        (lambda text: text.replace('"receipt"', '"no_receipt"'), "does not fit report.schema.json"),
        (lambda text: text.replace('"verdict": "failed"', '"verdict": "passed"'), "was changed after it was written"),
        (lambda text: text.replace('"total": ', '"total": 1'), "was changed after it was written"),
        (lambda text: text.replace('"points": 0', '"points": 9', 1), "was changed after it was written"),
    ],
)
def test_a_damaged_or_altered_report_is_not_used(graded, tmp_path, damage, words):
    text = (graded[1] / FORMULA / "report.json").read_text(encoding="utf-8")
    assert damage(text) != text
    (tmp_path / "report.json").write_text(damage(text), encoding="utf-8")
    with pytest.raises(reuse.Unusable, match=words):
        reuse.load(tmp_path / "report.json")


@pytest.mark.slow
def test_a_damaged_report_is_graded_again_and_says_so(graded, again, tmp_path):
    path = tmp_path / "out" / "right" / "report.json"
    whole = results(path.parent)
    path.write_text("{")
    printed = again()
    assert "The stored report is not valid JSON; graded again." in printed and len(ITEM_LINE.findall(printed)) == 4
    assert results(path.parent) == whole


def test_whatever_pytest_loads_for_the_checks_belongs_to_the_grader(monkeypatch, tmp_path):
    """A conftest.py may replace what any check is given."""
    copied = tmp_path / "project"
    shutil.copytree(PROJECT / "autograder", copied / "autograder", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    for name in ("solutions", "assignment"):
        (copied / name).symlink_to(PROJECT / name)
    monkeypatch.setattr(receipt, "PROJECT", copied)
    full = rubric.load()
    part, confinement = full.only(["warmup"]), sandbox.Confinement("none", None, False)
    before = receipt.of_grading(part, full, confinement)["grader"]
    (copied / "autograder" / "checks" / "hidden" / "conftest.py").write_text("fixed = 1\n")
    assert receipt.of_grading(part, full, confinement)["grader"] != before


@pytest.mark.slow
def test_after_a_change_of_a_check_only_its_task_is_graded_again(tmp_path):
    """In a copy of the project whose check of task 0 becomes stricter than the reference."""
    project = tmp_path / "project"
    for name in ("autograder", "assignment", "solutions"):
        shutil.copytree(PROJECT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", "reproduce"))
    given = [submission(tmp_path / "s")]
    options = ["--out", tmp_path / "out", "--task", "warmup", "--task", "retrieval"]
    assert grade(*given, *options, cwd=project).returncode == 0
    retrieval = results(tmp_path / "out" / "s")["tasks"][1]
    check = project / "autograder" / "checks" / "hidden" / "test_warmup_hidden.py"
    text = check.read_text(encoding="utf-8")
    stricter = re.sub(r'(item\("warmup\.sizes"\)\n(?:@.*\n)*def .*:\n)', r'\1    expect.true(False, "more", "less")\n', text)
    check.write_text(stricter, encoding="utf-8")
    printed = grade(*given, *options, cwd=project).stdout
    assert "graded again: warmup (the checks of warmup changed); the rest is kept" in printed
    assert len(ITEM_LINE.findall(printed)) == 4
    assert "warmup.sizes: passed → failed, 0.5 → 0 points (the checks of warmup changed)" in printed
    assert "0 gained points, 1 lost points, 0 have the same" in printed
    assert results(tmp_path / "out" / "s")["tasks"][1] == retrieval
    kept = results(tmp_path / "out" / "s")
    assert grade(*given, *options, "--fresh", cwd=project).returncode == 0
    assert results(tmp_path / "out" / "s") == kept


# -- interrupted ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_killed_grading_goes_on_where_it_was(tmp_path):
    """kill -9 in the middle of the third of five: no torn file, nothing graded twice, no process or folder left."""
    given = [submission(tmp_path / f"s{number}") for number in range(5)]
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-u", "-m", "autograder", "grade", *map(str, given), "--task", "warmup"]
    command += ["--out", str(tmp_path / "out")]
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=env)
    lines = []
    while "3 of 5" not in "".join(lines[-2:]) or not ITEM_LINE.match(lines[-1]):
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    graded = [each.parent.name for each in sorted((tmp_path / "out").glob("*/report.json"))]
    assert graded == ["s0", "s1"]
    for name in graded:
        reuse.load(tmp_path / "out" / name / "report.json")
    (tmp_path / "out" / "s2").mkdir(exist_ok=True)
    (tmp_path / "out" / "s2" / ".report.json.abcdefgh").write_text("{")  # what a kill in the middle of writing leaves
    printed = grade(*given, "--out", tmp_path / "out", "--task", "warmup", TMPDIR=str(tmp_path / "tmp")).stdout
    assert printed.count("verdict kept") == 2 and len(ITEM_LINE.findall(printed)) == 3 * 4
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*(f"s{n}" for n in range(5)), "scores.csv"]
    assert {path.name for path in (tmp_path / "out").glob("*/*")} == {"report.json", "report.html"}
    assert not list((tmp_path / "tmp").iterdir())
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert str(tmp_path) not in left


# -- the lock ---------------------------------------------------------------------------------------------------------


def test_a_second_grading_of_one_folder_ends_at_once(tmp_path):
    (tmp_path / "out").mkdir()
    with lock.held(tmp_path / "out", False, print):
        second = grade(PROJECT / "solutions", "--out", tmp_path / "out", "--task", "warmup")
    assert second.returncode == 2 and second.stderr.count("\n") == 1
    assert re.search(rf"process {os.getpid()} on \S+ has been grading into this folder since 20\d\d-.* UTC", second.stderr)
    assert not list((tmp_path / "out").iterdir())


def hold(folder: Path, ready) -> None:
    with lock.held(folder, False, print):
        ready.set()
        signal.pause()


def test_the_lock_ends_with_its_holder(tmp_path):
    """Also after kill -9, whose file is still there; the scratch folder of the killed goes, too."""
    ready = multiprocessing.get_context("spawn").Event()
    process = multiprocessing.get_context("spawn").Process(target=hold, args=(tmp_path / "out", ready))
    process.start()
    assert ready.wait(60)
    with pytest.raises(lock.Held, match=f"process {process.pid} on "):
        with lock.held(tmp_path / "out", False, print):
            pass
    scratch = json.loads((tmp_path / "out" / lock.FILE).read_text())["scratch"]
    assert Path(scratch).is_dir()
    process.kill()
    process.join()
    assert (tmp_path / "out" / lock.FILE).exists()
    with lock.held(tmp_path / "out", False, print) as own:
        assert own.is_dir() and not Path(scratch).exists()
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_waiting_for_the_lock(tmp_path):
    said = []
    ready = multiprocessing.get_context("spawn").Event()
    process = multiprocessing.get_context("spawn").Process(target=hold, args=(tmp_path / "out", ready))
    process.start()
    assert ready.wait(60)

    def say(text: str) -> None:
        said.append(text)
        process.kill()  # the holder ends while we wait

    with lock.held(tmp_path / "out", True, say):
        assert (tmp_path / "out" / lock.FILE).exists()
    process.join()
    assert len(said) == 1 and said[0].startswith("Waiting: process ")


@pytest.mark.parametrize("found", ["", "[]", "{", '{"scratch": "/etc"}', '{"scratch": 3}'])
def test_a_lock_file_that_holds_anything_does_no_harm(tmp_path, found):
    (tmp_path / lock.FILE).write_text(found)
    with lock.held(tmp_path, False, print):
        pass
    assert not (tmp_path / lock.FILE).exists() and Path("/etc").is_dir()


# -- scores.csv -------------------------------------------------------------------------------------------------------


def test_scores_hold_all_reports_of_the_folder(graded):
    _, out, _ = graded
    data = (out / "scores.csv").read_bytes()
    assert data.startswith('\ufeff"name","total","max_total",'.encode()) and data.count(b"\r\n") == 3
    rows = list(csv.DictReader(data.decode("utf-8-sig").splitlines()))
    assert [row["name"] for row in rows] == ["'" + FORMULA, "right"]
    assert rows[1]["total"] == rows[1]["warmup"] == rows[1]["max_total"] == "2" and rows[1]["passed"] == "4"
    assert float(rows[0]["total"]) < 2 and int(rows[0]["failed"]) > 0 and rows[0]["note"] == ""


@pytest.mark.parametrize(
    "name", ['=HYPERLINK("http://x";"y")', '"quoted"', "Müller, Jörg", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "a\nb", "x;y"]
)
def test_names_stay_names_in_a_spreadsheet(name):
    stored, _, _ = made(("warmup", "passed"))
    stored.submission, stored.notes = name, [f"rejected before running: {name}"]
    text = lms_csv.render([stored])
    header, row = csv.reader(text.removeprefix("\ufeff").splitlines())
    assert len(header) == len(row) and text.count("\r\n") == 2
    assert not row[0].startswith(lms_csv.FORMULA) and row[-1].startswith("rejected before running")
    assert row[0].removeprefix("'") == report.clean(name).replace("\n", " ")
    assert [float(cell) for cell in row[1:-1]]  # numbers stay numbers


def test_a_task_that_was_not_graded_is_an_empty_cell():
    both, one = made(("warmup", "passed"), ("vicreg", "failed"))[0], made(("warmup", "passed"))[0]
    header, first, second = csv.reader(lms_csv.render([one, both], ["vicreg", "warmup"]).removeprefix("\ufeff").splitlines())
    at = header.index("vicreg")
    assert header[at : at + 2] == ["vicreg", "warmup"] and first[at : at + 2] == ["", "2"] and second[at : at + 2] == ["0", "2"]


# -- the same report anywhere -----------------------------------------------------------------------------------------


NOISY = (
    "def normalize(images):\n"
    "    import numpy as np\n"
    "    print(normalize, object(), np.random.default_rng().random())\n"
    "    raise ValueError(f'{object()} {__file__} {sorted(set(\"xyz\"), key=hash)}')\n"
)


@pytest.mark.slow
def test_a_report_does_not_depend_on_its_surroundings(tmp_path):
    """Threads, hash seed, locale, time zone, temporary and current folder; a zip in another order under another name."""
    given = submission(tmp_path / "one", warmup=NOISY)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for path in sorted(given.iterdir(), reverse=True):
            archive.writestr(zipfile.ZipInfo(f"assignment/{path.name}", (1999, 1, 1, 0, 0, 0)), path.read_bytes())
    (tmp_path / "elsewhere").mkdir()
    options = ["--task", "warmup", "--sandbox", "none"]  # nothing hides the paths
    first = grade(given, "--out", tmp_path / "out", *options, OMP_NUM_THREADS="1", PYTHONHASHSEED="0", LC_ALL="C", TZ="UTC")
    second = grade(
        tmp_path / "two.zip", "--out", tmp_path / "out", *options, OMP_NUM_THREADS="8", PYTHONHASHSEED="1",
        LC_ALL="xx_YY.UTF-8", TZ="Asia/Tokyo", TMPDIR=str(tmp_path / "elsewhere"),
    )  # fmt: skip
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    one, two = results(tmp_path / "out" / "one"), results(tmp_path / "out" / "two")
    assert one == two
    assert "at 0x…" in json.dumps(one, ensure_ascii=False) and str(tmp_path) not in json.dumps(one)


@pytest.mark.slow
def test_examples_do_not_depend_on_which_modules_are_loaded(tmp_path, monkeypatch):
    """Hypothesis collects numbers from the source of loaded modules; not under the grader's profile."""
    script = """
import sys, hypothesis
from hypothesis import given, strategies
sys.path.insert(0, {folder!r})
import autograder.checks.conftest
{load}
drawn = []
@hypothesis.settings(max_examples=500)
@given(strategies.integers())
def check(n):
    drawn.append(n)
check()
print(drawn)
"""
    (tmp_path / "some_module.py").write_text("\n".join(f"x{n} = {100_000_007 * n}" for n in range(1, 200)))
    runs = [
        subprocess.run(
            [sys.executable, "-c", script.format(folder=str(tmp_path), load=load)], cwd=PROJECT, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )
        for load in ("", "import some_module")
    ]  # fmt: skip
    assert runs[0].returncode == 0, runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
