"""`python -m solutions.reproduce`: every question answered, interrupts survived, small budgets told."""

import io
import json
import math
import pickle
import shutil
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from assignment.provided.datasets import Budget, load
from solutions.reproduce import __main__ as command
from solutions.reproduce import checkpoints, questions, run
from solutions.reproduce.clock import Clock
from solutions.reproduce.presets import CPU, HANDOUT, LAPTOP, PRESETS
from solutions.reproduce.progress import Steps

TINY = ["--epochs", "1", "--train-images", "700", "--test-images", "60", "--threads", "1"]


def reproduce(out: Path, *options: str, seeds: int = 1) -> int:
    return command.main(["--out", str(out), "--seeds", str(seeds), *TINY, *options])


def results_of(out: Path) -> dict:
    def refuse(name):
        raise AssertionError(f"{name} in results.json")

    return json.loads((out / "results.json").read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.fixture(scope="module", autouse=True)
def quick():
    """t-SNE and free codes take most of the time of a tiny run."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(questions, "MAP_POINTS", 100)
        patched.setattr(questions, "MIN_STEPS", 3)  # a tiny run has no more
        patched.setitem(PRESETS, "laptop", replace(LAPTOP, latent_steps=20))
        yield


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """One tiny run of everything, which many tests look at."""
    folder = tmp_path_factory.mktemp("run")
    assert reproduce(folder) == 0
    return folder


@pytest.fixture(scope="module")
def two_seeds(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    assert reproduce(folder, "--questions", "q3", "A", seeds=2) == 0
    return folder


@pytest.fixture(scope="module")
def first_question(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    assert reproduce(folder, "--questions", "Q1") == 0
    return folder


@pytest.fixture
def finished(first_question, tmp_path) -> Path:
    """A finished run of Q1, to be damaged."""
    return shutil.copytree(first_question, tmp_path / "run")


# ---- what comes out ----------------------------------------------------------------------------------------


@pytest.mark.ci
@pytest.mark.slow
def test_every_question_has_an_answer_and_every_figure_both_formats(out):
    results = results_of(out)
    assert set(results["numbers"]) == set(results["figures"]) == set(questions.QUESTIONS)
    assert all(results["numbers"][each] for each in questions.QUESTIONS if each != "Q2")
    assert all(results["figures"].values()) and set(results["too small"]) == {"Q6"}
    names = {name for figures in results["figures"].values() for name in figures}
    for name in names:
        with Image.open(out / "figures" / f"{name}.png") as picture:
            picture.verify()
        assert (out / "figures" / f"{name}.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")
    assert {path.stem for path in (out / "figures").iterdir()} == names
    assert (out / "report.html").exists() and (out / "results.md").exists()
    shares = [each for numbers in results["numbers"].values() for each in numbers.values() if each["unit"]]
    assert len(shares) > 15 and all(0 <= value <= 1 for each in shares for value in each["values"])


@pytest.mark.ci
@pytest.mark.slow
def test_numbers_are_means_over_the_seeds(two_seeds):
    results = results_of(two_seeds)
    assert results["seeds"] == [0, 1] and results["settings"]["epochs"] == 1
    for numbers in results["numbers"].values():
        for number in numbers.values():
            assert len(number["values"]) == 2 and all(map(math.isfinite, number["values"]))
            assert number["mean"] == pytest.approx(statistics.fmean(number["values"]))
            assert number["sd"] == pytest.approx(statistics.stdev(number["values"]))


@pytest.mark.ci
@pytest.mark.slow
def test_seeds_differ_and_each_decides_everything(out, two_seeds):
    one, two = results_of(out)["numbers"], results_of(two_seeds)["numbers"]
    assert set(two) == {"Q3", "A"}
    for question, numbers in two.items():
        for name, number in numbers.items():
            assert one[question][name]["values"] == number["values"][:1] and one[question][name]["sd"] is None
    first, second = two["Q3"]["probe accuracy: VICReg"]["values"]
    assert first != second


def test_nothing_leaks_out(tmp_path):
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    assert reproduce(tmp_path, "--questions", "Q1") == 0
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads


def test_a_budget_too_small_says_so_instead_of_showing_noise(tmp_path):
    assert (
        command.main(["--out", str(tmp_path), "--epochs", "1", "--train-images", "40", "--test-images", "10"])
        == 0
    )
    results = results_of(tmp_path)
    assert set(results["too small"]) == set(questions.QUESTIONS)
    assert not any(results["numbers"][each] for each in results["too small"])
    for each in results["too small"]:
        assert results["figures"][each] == [f"too_small_{each.lower()}"]
        assert "too small for this question" in " ".join(
            (tmp_path / "report.html").read_text(encoding="utf-8").split()
        )


def test_a_subset_is_drawn_from_a_file_that_is_sorted_by_class():
    data = load("shapes", n_train=80, n_test=40)
    order = np.argsort(data.y_train, kind="stable")
    budget = Budget(n_train=60, n_test=40, epochs=1, batch_size=30, lr=1e-3)
    part = run.subset(replace(data, x_train=data.x_train[order], y_train=data.y_train[order]), budget)
    assert len(part.x_train) == len(part.y_train) == 60 and len(np.unique(part.y_train)) == 10
    assert len(part.x_test) == 40
    assert all(any((row == other).all() for other in data.x_train) for row in part.x_train[:5])


def test_a_subset_of_a_sorted_file_is_shuffled_and_of_a_shuffled_one_kept_in_order():
    data = load("shapes", n_train=200, n_test=100)
    order = np.argsort(data.y_train, kind="stable")
    budget = Budget(n_train=200, n_test=100, epochs=1, batch_size=30, lr=1e-3)
    part = run.subset(replace(data, x_train=data.x_train[order], y_train=data.y_train[order]), budget)
    assert len(np.unique(part.y_train[:60])) == 10  # questions look at the first so many
    images = {x.tobytes(): y for x, y in zip(data.x_train, data.y_train)}
    assert all(images[x.tobytes()] == y for x, y in zip(part.x_train, part.y_train))
    assert np.array_equal(run.subset(data, budget).y_train, data.y_train)


@pytest.fixture
def rare_class(tmp_path) -> Path:
    """Two classes, one of them with a single training image."""
    data = load("shapes", n_train=900, n_test=60)
    labels = np.zeros(900, dtype=np.int64)
    labels[7] = 1
    np.savez(tmp_path / "rare.npz", x_train=data.x_train, y_train=labels, x_test=data.x_test, y_test=data.y_test % 2)
    return tmp_path / "rare.npz"


def test_a_class_too_rare_for_a_probe_is_said(rare_class, tmp_path):
    tiny = ["--epochs", "1", "--train-images", "900", "--threads", "1", "--data", str(rare_class)]
    assert command.main(["--out", str(tmp_path / "out"), *tiny, "--questions", "Q3", "Q7", "LO"]) == 0
    assert set(results_of(tmp_path / "out")["too small"]) == {"Q3", "Q7", "LO"}


@pytest.mark.slow
def test_images_that_are_all_the_same_make_no_clusters(tmp_path):
    same, labels = np.full((700, 32, 32, 3), 7, dtype=np.uint8), np.arange(700) % 10
    np.savez(tmp_path / "same.npz", x_train=same, y_train=labels, x_test=same[:60], y_test=labels[:60])
    assert reproduce(tmp_path / "out", "--data", str(tmp_path / "same.npz"), "--questions", "C") == 0
    assert "make no 10 clusters" in results_of(tmp_path / "out")["too small"]["C"]


@pytest.mark.slow
def test_a_question_too_small_for_a_later_seed_alone_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(questions, "few_labels", lambda each: "too few" if each.seed else "")
    assert reproduce(tmp_path, "--questions", "Q3", seeds=2) == 0
    results = results_of(tmp_path)
    assert results["numbers"]["Q3"] == {} and results["too small"] == {"Q3": "too few"}


def test_the_presets_are_those_of_the_exercise():
    assert list(PRESETS) == ["laptop", "cpu", "handout"]
    assert HANDOUT.budget == Budget(n_train=50_000, n_test=10_000, epochs=30, batch_size=256, lr=3e-4)
    assert HANDOUT.encoder_name() == "ResNet-18" and HANDOUT.manifold_images == 10_000
    assert LAPTOP.data == "shapes" and (CPU.data, CPU.anomalies) == ("cifar10", "mnist")


# ---- interrupts --------------------------------------------------------------------------------------------


@pytest.mark.ci
@pytest.mark.slow
def test_an_interrupted_run_resumes_where_it_was(out, tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    some = ["--questions", "Q1", "Q4", "Q8", "A"]
    with monkeypatch.context() as patched:
        patched.setattr(questions, "inverse_density", interrupt)
        assert reproduce(tmp_path, *some) == command.EXIT_INTERRUPTED
    assert "goes on with --resume" in capsys.readouterr().err and not (tmp_path / "results.json").exists()
    monkeypatch.setattr(run, "train_vicreg", interrupt)  # all networks are there already
    monkeypatch.setattr(questions, "project_2d", interrupt)  # and so are the answers before A
    assert reproduce(tmp_path, *some, "--resume") == 0
    resumed, whole = results_of(tmp_path)["numbers"], results_of(out)["numbers"]
    assert set(resumed) == {"Q1", "Q4", "Q8", "A"}
    for question, numbers in resumed.items():
        assert {name: each["values"] for name, each in numbers.items()} == {
            name: each["values"] for name, each in whole[question].items()
        }


@pytest.mark.slow
def test_resuming_draws_figures_that_are_gone(tmp_path):
    assert reproduce(tmp_path, "--questions", "Q1", "Q3") == 0
    before = results_of(tmp_path)
    (tmp_path / "figures" / "loss.svg").unlink()
    assert reproduce(tmp_path, "--questions", "Q1", "Q3", "--resume") == 0
    assert (tmp_path / "figures" / "loss.svg").exists()
    assert results_of(tmp_path)["numbers"] == before["numbers"]


@pytest.mark.slow
def test_the_time_of_a_resumed_run_is_that_of_all_its_parts(tmp_path):
    assert reproduce(tmp_path, "--questions", "Q1") == 0
    before = results_of(tmp_path)
    assert reproduce(tmp_path, "--questions", "Q1", "--resume") == 0
    steps = sum(sum(taken) for taken in before["seconds"].values())
    assert results_of(tmp_path)["total seconds"] >= round(steps, 1)


@pytest.mark.ci
@pytest.mark.slow
def test_a_run_is_not_overwritten_unasked(out, capsys):
    assert reproduce(out) == command.EXIT_USAGE
    assert "--resume goes on with it, --force begins anew" in capsys.readouterr().err


@pytest.mark.ci
@pytest.mark.slow
def test_other_settings_are_not_mixed_into_a_run(out, capsys):
    assert reproduce(out, "--epochs", "2", "--resume") == command.EXIT_USAGE
    assert "other settings (preset)" in capsys.readouterr().err


@pytest.mark.slow
def test_force_begins_anew(tmp_path):
    assert reproduce(tmp_path, "--questions", "Q1") == 0
    stale = tmp_path / "checkpoints" / "seed-0" / "q3-with-figures.json"
    stale.write_text("{}")
    (tmp_path / "mine.txt").write_text("mine")
    assert reproduce(tmp_path, "--questions", "Q1", "--force", "--epochs", "2") == 0
    assert results_of(tmp_path)["settings"]["epochs"] == 2
    assert not stale.exists() and (tmp_path / "mine.txt").exists()
    assert reproduce(tmp_path, "--questions", "Q3", "--force") == 0
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {"probe"}


@pytest.mark.parametrize("options", [(), ("--force",), ("--resume",)], ids=["plain", "force", "resume"])
def test_a_folder_of_someone_elses_is_left_alone(options, tmp_path, capsys):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "model.pt").write_text("mine")
    assert reproduce(tmp_path, "--questions", "Q1", *options) == command.EXIT_USAGE
    assert "choose another folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["model.pt"]


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('a checkpoint ran code')",)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # a weight
    path.write_bytes(content)


def plain_text(path: Path) -> None:
    path.write_text("hello world")


def rigged(path: Path) -> None:
    torch.save({"encoder": Bomb()}, path, pickle_module=pickle)


@pytest.mark.parametrize("damage", [cut_short, rigged, one_bit, plain_text])
def test_a_damaged_checkpoint_is_refused_and_never_run(damage, finished, capsys):
    damage(finished / "checkpoints" / "seed-0" / "vicreg.pt")
    assert reproduce(finished, "--questions", "Q3", "--resume") == command.EXIT_USAGE
    error = capsys.readouterr().err
    assert "vicreg.pt is damaged" in error and len(error.splitlines()) == 1


@pytest.mark.parametrize("part", ["encoder", "history"])
def test_a_checkpoint_of_another_network_is_refused(part, finished, capsys):
    path = finished / "checkpoints" / "seed-0" / "vicreg.pt"
    torch.save(torch.load(path, weights_only=True) | {part: {}}, path)
    assert reproduce(finished, "--questions", "Q3", "--resume") == command.EXIT_USAGE
    assert "of another network" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "remedy", "contents"),
    [
        ("settings", "--force", ["{", "[]"]),
        ("seed-0/q1-with-figures", "delete it", ["{", "[]", "{}", '{"figures": []}']),
    ],
)
def test_damaged_json_is_refused(name, remedy, contents, finished, capsys):
    for content in contents:
        (finished / "checkpoints" / f"{name}.json").write_text(content)
        assert reproduce(finished, "--questions", "Q1", "--resume") == command.EXIT_USAGE
        error = capsys.readouterr().err
        assert "is damaged" in error and remedy in error and len(error.splitlines()) == 1


def test_resuming_a_part_keeps_the_other_answers(finished):
    assert reproduce(finished, "--questions", "Q2", "--resume") == 0
    assert set(results_of(finished)["numbers"]) == {"Q1", "Q2"}


def test_a_second_run_in_a_folder_is_refused(finished, capsys):
    held = checkpoints.Checkpoints(finished / "checkpoints")
    held.lock()
    for option in ("--resume", "--force"):
        assert reproduce(finished, "--questions", "Q1", option) == command.EXIT_USAGE
        assert "another run is at work" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["report.html", "results.json", "figures/loss.png"])
def test_outputs_of_someone_elses_are_left_alone(name, tmp_path, capsys):
    (tmp_path / "figures").mkdir()
    (tmp_path / name).write_text("mine")
    assert reproduce(tmp_path, "--questions", "Q1") == command.EXIT_USAGE
    assert "settings.json is missing: choose another folder" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "mine"


def test_a_file_with_the_name_of_the_generated_data_is_a_file(tmp_path):
    data = load("shapes", n_train=400, n_test=60)
    keep = {split: getattr(data, f"y_{split}") < 3 for split in ("train", "test")}
    arrays = {f"{x}_{split}": getattr(data, f"{x}_{split}")[keep[split]] for split in keep for x in "xy"}
    np.savez(tmp_path / "shapes.npz", **arrays)
    assert reproduce(tmp_path / "out", "--questions", "Q1", "--data", str(tmp_path / "shapes.npz")) == 0
    assert results_of(tmp_path / "out")["data"]["classes"] == 3


def test_a_full_disk_gives_one_sentence(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device", "vicreg.pt")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert reproduce(tmp_path, "--questions", "Q1") == command.EXIT_USAGE
    assert capsys.readouterr().err.splitlines() == ["reproduce: cannot read or write vicreg.pt: No space left on device"]


def test_an_interrupt_while_writing_leaves_no_torn_file(tmp_path):
    def torn(path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoints.write_atomically(tmp_path / "x.png", torn)
    assert not list(tmp_path.iterdir())


# ---- usage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seeds", "0"], "--seeds must be at least 1"),
        (["--questions", "Q5"], "there is no question 'Q5'"),
        (["--device", "toaster"], "there is no device 'toaster' here"),
        (["--device", "cpu:x"], "there is no device 'cpu:x' here"),
        (["--test-images", "1"], "training and test need at least 2 images"),
        (["--data", "absent.npz"], "there is no such file"),
        (["--data", ""], "--data must be neither empty"),
        (["--anomalies", ""], "--anomalies must be neither empty"),
    ],
)
def test_wrong_usage_gives_one_sentence_and_exit_code_2(options, said, tmp_path, capsys):
    assert command.main(["--out", str(tmp_path / "out"), *options]) == command.EXIT_USAGE
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_an_out_that_is_a_file_gives_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert reproduce(tmp_path / "file") == command.EXIT_USAGE
    assert len(capsys.readouterr().err.splitlines()) == 1


# ---- progress ----------------------------------------------------------------------------------------------


def test_a_step_starts_moves_and_ends():
    told = []
    clock = Clock(lambda *step: told.append(step))
    for _ in range(2):
        with clock.step("work", 3) as advance:
            for _ in range(3):
                advance()
    assert told == [("work", done, 3) for done in (0, 1, 2, 2, 3)] * 2
    assert set(clock.seconds) == {"work"}


def test_without_a_terminal_progress_is_plain_lines(monkeypatch):
    output, now = io.StringIO(), [0.0]
    monkeypatch.setattr("solutions.reproduce.progress.time.monotonic", lambda: now[0])
    with Steps(Console(file=output)) as steps:
        for done in range(11):
            steps("training [bold]", done, 10)
            now[0] += 2.0
        steps("short", 0, 1)
        steps("short", 1, 1)
    lines = output.getvalue().splitlines()
    assert [line.split()[2] for line in lines] == ["30%", "60%", "90%", "100%"]
    assert "\x1b" not in output.getvalue() and "[bold]" in lines[0]


def test_on_a_terminal_progress_is_bars():
    output = io.StringIO()
    with Steps(Console(file=output, force_terminal=True, width=80)) as steps:
        steps("training", 0, 10)
        steps("training", 10, 10)
    assert "100%" in output.getvalue() and "━" in output.getvalue()


def test_on_a_terminal_old_steps_make_room_for_the_one_at_work():
    with Steps(Console(file=io.StringIO(), force_terminal=True, width=80, height=10)) as steps:
        for number in range(20):
            steps(f"step {number}", 0, 1)
            steps(f"step {number}", 1, 1)
        steps("step 3", 0, 1)
        shown = [task.description for task in steps.bars.tasks if task.visible]
    assert shown == ["step 3", *(f"step {number}" for number in range(15, 20))]
