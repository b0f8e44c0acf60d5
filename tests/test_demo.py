"""The demo: whole figures and numbers, three samples, one page, and plain words when something is wrong."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

import demo.__main__ as command
from assignment.provided.datasets import Budget, Dataset, load
from autograder import rubric
from autograder.report import ItemResult, Report, TaskResult
from demo import samples
from demo.progress import Steps
from solutions import reproduce as figures

PROJECT = Path(command.__file__).resolve().parent.parent
TINY = Budget(n_train=60, n_test=40, epochs=2, batch_size=30, lr=3e-3)
FIGURES = {"views", "loss", "loss_invariance", "loss_variance", "loss_covariance", "maps", "probe"}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load("shapes", n_train=80, n_test=40)


@pytest.fixture(scope="module")
def told() -> list:
    return []


@pytest.fixture(scope="module")
def results(data, told, tmp_path_factory):
    """One tiny run, which many tests look at."""
    out = tmp_path_factory.mktemp("figures")
    return figures.reproduce(data, out, budget=TINY, threads=1, progress=lambda *step: told.append(step))


def a_report(name: str, verdict: str = "passed") -> Report:
    item = ItemResult("vicreg.value", "Value", "public", verdict, 2.0, 2.0)
    return Report(name, 2.0, 2.0, "none", [], [TaskResult("vicreg", "Task 2", 2.0, 2.0, [item])])


# ---- figures and numbers -----------------------------------------------------------------------------------


def test_every_figure_is_there_as_png_and_svg(results):
    assert set(results.figures) == FIGURES
    for path in results.figures.values():
        with Image.open(path) as picture:
            picture.verify()
        assert path.with_suffix(".svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")
    expected = {f"{name}{end}" for name in FIGURES for end in (".png", ".svg")}
    assert {path.name for path in path.parent.iterdir()} - expected == {"results.json"}


def test_the_numbers_are_written_with_their_settings(results):
    numbers = json.loads((results.figures["loss"].parent / "results.json").read_text(encoding="utf-8"))
    assert numbers["linear probe"] == results.accuracies
    assert set(results.accuracies) == {"raw pixels", "untrained encoder", "VICReg"}
    assert all(0 <= accuracy <= 1 for accuracy in results.accuracies.values())
    assert (numbers["train images"], numbers["test images"], numbers["budget"]["epochs"]) == (60, 40, 2)
    assert [len(numbers["history"][split]) for split in ("train", "test")] == [4, 2]


def test_progress_starts_moves_and_ends_in_every_step(results, told):
    steps = list(dict.fromkeys(step for step, _, _ in told))
    assert steps[2] == "training with VICReg" and steps[-1] == "figures"
    for step in steps:
        counts = [(done, total) for name, done, total in told if name == step]
        assert counts == sorted(counts) and counts[0][0] == 0 and counts[-1][0] == counts[-1][1]
    assert len([1 for name, _, _ in told if name == "training with VICReg"]) == 6  # start, four batches, end


def test_a_seed_decides_everything_and_nothing_leaks_out(data, results, tmp_path, monkeypatch):
    monkeypatch.setattr(figures.plots, "save_figure", lambda figure, path: path.touch() or path)  # for speed
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    again = figures.reproduce(data, tmp_path, budget=TINY, threads=1)
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads
    assert again.accuracies == results.accuracies and again.history == results.history


def test_a_subset_is_drawn_from_a_file_that_is_sorted_by_class(data):
    order = np.argsort(data.y_train, kind="stable")
    part = figures.subset(replace(data, x_train=data.x_train[order], y_train=data.y_train[order]), TINY)
    assert len(part.x_train) == len(part.y_train) == 60 and len(np.unique(part.y_train)) == 10
    assert len(part.x_test) == 40
    assert all(any((row == other).all() for other in data.x_train) for row in part.x_train[:5])


def test_an_interrupt_leaves_no_torn_figure(data, tmp_path, monkeypatch):
    def interrupted(figure, path):
        Path(path).write_bytes(b"half a picture")
        raise KeyboardInterrupt

    monkeypatch.setattr(figures.plots, "save_figure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        figures.reproduce(data, tmp_path, budget=TINY, threads=1)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []


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
def quick(monkeypatch, results):
    """The command with both halves replaced by something instant."""
    reports = [a_report("reference"), a_report("untouched-stubs"), a_report("three-mistakes")]
    monkeypatch.setattr(command, "learn", lambda *_: results)
    monkeypatch.setattr(command, "grade_samples", lambda *_: reports)
    return reports


def test_the_last_line_is_the_path_of_the_page(quick, tmp_path, capsys):
    assert command.main(["--out", str(tmp_path / "new")]) == 0
    page = Path(capsys.readouterr().out.splitlines()[-1])
    assert page == tmp_path / "new" / "index.html"
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 4
    assert 'href="graded/three-mistakes/report.html"' in text and "square root missing" in text
    assert "60 training and 40 test images, 2 epochs" in text


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


def test_the_name_of_the_data_cannot_become_markup(results, tmp_path):
    hostile = replace(results, data=replace(results.data, name="<script>x</script>"))
    page = command.write_page(tmp_path, hostile, [a_report("<b>")], 1.0).read_text(encoding="utf-8")
    assert "<script" not in page and "<b>" not in page


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


# ---- progress ----------------------------------------------------------------------------------------------


def test_without_a_terminal_progress_is_plain_lines(monkeypatch):
    output, now = io.StringIO(), [0.0]
    monkeypatch.setattr("demo.progress.time.monotonic", lambda: now[0])
    with Steps(Console(file=output)) as steps:
        for done in range(11):
            steps("training [bold]", done, 10)
            now[0] += 2.0
    lines = output.getvalue().splitlines()
    assert [line.split()[2] for line in lines] == ["30%", "60%", "90%", "100%"]
    assert "\x1b" not in output.getvalue() and "[bold]" in lines[0]


def test_on_a_terminal_progress_is_bars():
    output = io.StringIO()
    with Steps(Console(file=output, force_terminal=True, width=80)) as steps:
        steps("training", 0, 10)
        steps("training", 10, 10)
    assert "100%" in output.getvalue() and "━" in output.getvalue()


# ---- all of it ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_whole_demo(tmp_path):
    out = tmp_path / "out"
    line = [sys.executable, "-m", "demo", "--out", str(out)]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(out / "index.html")
    names = ("reference", "untouched-stubs", "three-mistakes")
    texts = [(out / "graded" / name / "report.json").read_text(encoding="utf-8") for name in names]
    reference, stubs, mistaken = (Report.from_dict(json.loads(text)) for text in texts)
    assert reference.total == reference.max_total and stubs.total == 0
    assert 0 < mistaken.total < mistaken.max_total
    assert {item.misconception for item in mistaken.items()} >= {"square root missing"}
    numbers = json.loads((out / "figures" / "results.json").read_text())
    assert numbers["linear probe"]["VICReg"] > 0.7
