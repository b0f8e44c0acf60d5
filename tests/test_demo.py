"""The demo: whole figures and numbers, three samples, one page, and plain words when something is wrong."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import demo.__main__ as command
from assignment.provided.datasets import load
from autograder import grading, rubric, sandbox
from autograder.report import ItemResult, Report, TaskResult
from demo import samples
from solutions.reproduce import questions
from solutions.reproduce.pipeline import Request, reproduce
from solutions.reproduce.presets import LAPTOP

PROJECT = Path(command.__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """One tiny run of the first half, which many tests look at."""
    folder, data = tmp_path_factory.mktemp("learned"), load("shapes", n_train=60, n_test=60)
    preset = LAPTOP.resized(n_train=60, n_test=60, epochs=2)
    request = Request(preset, folder, questions=("Q1", "Q2", "Q3"), threads=1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(questions, "MIN_STEPS", 2)
        return command.Learned(reproduce(request, lambda seed: data, data.x_test[:0]), folder)


def a_report(name: str, verdict: str = "passed") -> Report:
    item = ItemResult("vicreg.value", "Value", "public", verdict, 2.0, 2.0)
    return Report(name, 2.0, 2.0, "none", [], [TaskResult("vicreg", "Task 2", 2.0, 2.0, [item])])


# ---- samples -----------------------------------------------------------------------------------------------


def test_the_samples_are_three_submissions(tmp_path):
    files = rubric.load().files
    paths = samples.build(tmp_path, files)
    assert [path.name for path in paths] == ["reference", "untouched-stubs", "three-mistakes"]
    folders = [path / "assignment" for path in paths]
    texts = [{file: (folder / file).read_text(encoding="utf-8") for file in files} for folder in folders]
    reference, stubs, mistaken = texts
    assert "raise NotImplementedError" in stubs["vicreg.py"]
    assert "raise NotImplementedError" not in reference["vicreg.py"]
    assert len(samples.MISTAKES) == 3
    changed = {file for file in files if mistaken[file] != reference[file]}
    assert changed == {f"{target.split('.')[0]}.py" for target, _ in samples.MISTAKES}
    for file in changed:
        compile(mistaken[file], file, "exec")


def test_an_unknown_mistake_is_named():
    with pytest.raises(LookupError, match="square root missing"):
        samples.known("vicreg.variance_loss", "no such mistake")


# ---- the command -------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch, learned):
    """The command with both halves replaced by something instant."""
    reports = [a_report("reference"), a_report("untouched-stubs"), a_report("three-mistakes")]
    monkeypatch.setattr(command, "learn", lambda *_: learned)
    monkeypatch.setattr(command, "grade_samples", lambda *_: reports)
    return reports


def test_the_last_line_is_the_path_of_the_page(quick, tmp_path, capsys):
    assert command.main(["--out", str(tmp_path / "new")]) == 0
    page = Path(capsys.readouterr().out.splitlines()[-1])
    assert page == tmp_path / "new" / "index.html"
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 4
    assert 'href="graded/three-mistakes/report.html"' in text and "square root missing" in text
    assert "60 training and 60 test images, 2 epochs" in text


def test_a_sample_is_graded_and_its_report_written(tmp_path, monkeypatch):
    """One task of the reference, through all that the demo calls for a sample."""
    whole, grade, told = rubric.load(), grading.grade, []
    monkeypatch.setattr(grading, "grade", lambda path, _, full, *rest: grade(path, full.only(["warmup"]), full, *rest))
    path, *_ = samples.build(tmp_path / "samples", whole.files)
    report = command.grade_sample(path, tmp_path / "graded", whole, sandbox.choose(), lambda *step: told.append(step))
    assert report.total == report.max_total == 2 and report.count("passed") == len(report.items())
    assert told[-1] == ("grading reference", 4, len(whole.items()))
    stored = (tmp_path / "graded" / "report.json").read_text(encoding="utf-8")
    assert json.loads(stored) == report.as_dict()
    assert (tmp_path / "graded" / "report.html").stat().st_size > 1000


def test_a_grader_fault_is_not_passed_over(quick, tmp_path):
    quick[0] = a_report("reference", "grader_fault")
    assert command.main(["--out", str(tmp_path)]) == command.EXIT_FAULT


def test_an_interrupt_while_grading_leaves_a_page(quick, tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "grade_samples", interrupted)
    assert command.main(["--out", str(tmp_path)]) == command.EXIT_INTERRUPTED
    assert "Not finished" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Traceback" not in capsys.readouterr().err


def test_the_name_of_the_data_cannot_become_markup(learned, tmp_path):
    named = learned.results["data"] | {"name": "<script>x</script>"}
    hostile = replace(learned, results=learned.results | {"data": named})
    page = command.write_page(tmp_path, hostile, [a_report("<b>")], 1.0).read_text(encoding="utf-8")
    assert "<script" not in page and "<b>" not in page


def test_a_figure_of_an_earlier_run_is_not_shown(learned, tmp_path):
    results = learned.results | {"figures": {"Q1": ["views", "loss"]}, "numbers": {"Q3": {}}}
    page = command.write_page(tmp_path, replace(learned, results=results), [], 1.0).read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 2 and "Test accuracy of a linear probe" not in page


def test_few_images_give_a_page_that_says_so(tmp_path, monkeypatch, capsys):
    x, y = np.zeros((30, 32, 32, 3), np.uint8), np.arange(30) % 3
    x[..., 0] = 80 * y[:, None, None]
    np.savez(tmp_path / "few.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    monkeypatch.setattr(command, "grade_samples", lambda *_: [a_report("reference")])
    assert command.main(["--data", str(tmp_path / "few.npz"), "--out", str(tmp_path / "out")]) == 0
    assert "no linear probe: " in capsys.readouterr().out
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3 and "Too few images." in page  # one for each question


def few_images(path: Path) -> Path:
    x, y = np.zeros((4, 32, 32, 3), np.uint8), np.array([0, 1, 0, 1])
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    return path


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "absent.npz", "there is no such file"),
        (lambda folder: few_images(folder / "few.npz"), "at least 20 images in x_train, but there are 4"),
    ],
)
def test_bad_data_gives_one_sentence_and_exit_code_2(make, said, tmp_path, capsys):
    assert command.main(["--data", str(make(tmp_path)), "--out", str(tmp_path / "out")]) == command.EXIT_USAGE
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1
    assert not (tmp_path / "out" / "index.html").exists()


def test_an_out_that_is_a_file_gives_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert command.main(["--out", str(tmp_path / "file")]) == command.EXIT_USAGE
    assert len(capsys.readouterr().err.splitlines()) == 1


# ---- all of it ---------------------------------------------------------------------------------------------


@pytest.mark.ci
@pytest.mark.slow
def test_the_whole_demo(tmp_path):
    out = tmp_path / "out"
    line = [sys.executable, "-m", "demo", "--out", str(out)]
    one = os.environ | {"OMP_NUM_THREADS": "1"}  # other tests run beside it
    done = subprocess.run(line, cwd=PROJECT, env=one, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(out / "index.html")
    names = ("reference", "untouched-stubs", "three-mistakes")
    texts = [(out / "graded" / name / "report.json").read_text(encoding="utf-8") for name in names]
    reference, stubs, mistaken = (Report.from_dict(json.loads(text)) for text in texts)
    assert reference.total == reference.max_total and stubs.total == 0
    assert 0 < mistaken.total < mistaken.max_total
    assert {item.misconception for item in mistaken.items()} >= {"square root missing"}
    results = json.loads((out / "learned" / "results.json").read_text(encoding="utf-8"))
    assert results["hardware"]["threads"] == 1
    assert results["numbers"]["Q3"]["probe accuracy: VICReg"]["mean"] > 0.7
