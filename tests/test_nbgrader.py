"""The way through nbgrader: courses, repaired submissions, the same points as our grader alone, feedback and export."""

import contextlib
import csv
import dataclasses
import functools
import html.parser
import json
import os
import pwd
import shutil
import stat
import sys
import tempfile
import zipfile
from pathlib import Path

import jinja2
import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.utils import determine_grade

from autograder import reuse, rubric, sandbox
from autograder.misconceptions import entries, mutants
from autograder.proofs.variants import variants
from autograder.report import VERDICTS, ItemResult, Report, TaskResult
from autograder.sinks.console import MARKS
from release import cli as command
from release import discussion
from release.nbgrader import batch, course, export, own_files, repair
from release.nbgrader.pages import ShowCriteria, harmless_markdown
from release.nbgrader.preprocessors import WIDTH, GradeSubmission, Rebuild, outputs
from release.nbgrader.rebuild import rebuild
from release.student import leaks
from tests import nbgrader_faults
from tests.nbgrader_course import (
    MAXIMUM, NOBODY, PART1, PART2, ROOT, TASKS, Course, answer, by_task, cell_of, change, put_code, read,
)  # fmt: skip

RULES = rubric.load()
TEXT = "The nearest images share colors rather than classes, see the figure."


# ---- the course that is written -------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def _collected_once():
    """Looking for what must not go out takes seconds, and the files are the same each time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(course, "student_files", functools.cache(course.student_files))
        yield


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A course with one quick task, and nbgrader for it."""
    folder = tmp_path_factory.mktemp("small") / "ssl"
    assert command.main(["nbgrader", str(folder), "--task", "warmup"]) == 0
    return folder, NbGraderAPI(config=batch.configuration(folder))


@pytest.fixture(scope="module")
def made(small, tmp_path_factory):
    """A course with everything. Its gradebook is a copy, for nbgrader takes seconds to make one."""
    folder = tmp_path_factory.mktemp("course") / "ssl"
    course.write(course.plan(ROOT, folder, "vicreg", RULES))
    shutil.copy(small[0] / "gradebook.db", folder)
    return folder


@pytest.fixture
def source(made):
    return made / "source" / "vicreg"


def cells(folder: Path) -> list:
    return [cell for path in sorted(folder.glob("*.ipynb")) for cell in nbformat.read(path, as_version=4).cells]


def graded(folder: Path) -> dict[str, dict]:
    """nbgrader's metadata of all cells with points, by grade_id."""
    found = [cell.metadata.get("nbgrader", {}) for cell in cells(folder)]
    return {data["grade_id"]: data for data in found if data.get("grade")}


def test_every_task_has_one_locked_test_cell_with_the_points_of_the_rubric(source):
    tests = {name: data for name, data in graded(source).items() if data["locked"]}
    assert {name: data["points"] for name, data in tests.items()} == {
        task.id: sum(item.points for item in task.items) for task in RULES.tasks
    }
    assert not any(data["solution"] for data in tests.values())


def test_every_question_has_a_cell_for_the_answer_that_is_graded_by_hand(source):
    answers = {name: data for name, data in graded(source).items() if data["solution"]}
    assert {name: data["points"] for name, data in answers.items()} == {each.id: each.points for each in RULES.questions}
    prompts = {cell.metadata.nbgrader.grade_id: cell for cell in cells(source) if cell.id.startswith("question-")}
    for question in RULES.questions:
        assert question.prompt.strip() in prompts[f"question-{question.id}"].source
        assert prompts[f"question-{question.id}"].metadata.nbgrader.locked


def test_nbgrader_takes_the_metadata_of_every_cell(source):
    checked = [cell for cell in cells(source) if "nbgrader" in cell.metadata]
    assert len(checked) == len(RULES.tasks) + 2 * len(RULES.questions)
    for cell in checked:
        MetadataValidator().validate_cell(cell)


def test_nothing_goes_out_that_students_must_not_have(source):
    files = {path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    assert {f"assignment/{name}" for name in RULES.files} <= set(files)
    assert {"docs/students.md", "constraints.txt", "environment.yml", "LICENSE"} <= set(files)
    assert "autograder/checks/public/test_warmup.py" in files
    assert leaks.find(files, ROOT) == []
    secret = discussion.read_answers()["q1"].model
    assert leaks.find({"leak.md": secret.encode()}, ROOT), "the comparison finds nothing, whatever lies there"


def test_the_configuration_keeps_what_students_write_and_names_our_preprocessors(made):
    config = batch.configuration(made)
    kept = config.Autograde.exclude_overwriting["vicreg"]
    assert kept == [f"assignment/{name}" for name in RULES.files]
    assert not [each for each in config.Autograde.autograde_preprocessors if each.endswith(".Execute")]
    assert config.CourseDirectory.db_url == f"sqlite:///{made}/gradebook.db?timeout=60"


def test_a_part_of_the_tasks_gives_the_notebooks_that_they_need(tmp_path):
    made = course.make_notebooks(ROOT, RULES.only(TASKS))
    assert set(made) == {PART1, PART2}
    for name, text in made.items():
        (tmp_path / name).write_text(text)
    assert set(graded(tmp_path)) == {*TASKS, "q8"}


# ---- the command ----------------------------------------------------------------------------------------------------


def state(folder: Path) -> dict:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_writing_again_changes_nothing_and_refuses_to_replace_what_was_changed(made, source, capsys):
    before = state(made)
    assert command.main(["nbgrader", str(made)]) == 0
    assert "the course is up to date" in capsys.readouterr().out
    for path in (source / PART1, source / "assignment" / "warmup.py"):
        path.write_text("mine")
        assert command.main(["nbgrader", str(made)]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {path.relative_to(made)} in ") and error.count("\n") == 1 and "--force" in error
        assert path.read_text() == "mine"
        assert command.main(["nbgrader", str(made), "--force"]) == 0
        assert state(made) == before
        capsys.readouterr()


def test_files_of_the_instructors_own_stay_and_are_told(made, source, capsys):
    data = source / "assignment" / "data" / "mine.npz"
    data.parent.mkdir()
    data.write_bytes(b"\x00mine")
    for force in ([], ["--force"]):
        assert command.main(["nbgrader", str(made), *force]) == 0
        told = f"note: 1 other files in {source} were left as they are, and go out, too; the first is assignment/data/mine.npz\n"
        assert told in capsys.readouterr().err and data.read_bytes() == b"\x00mine"
    shutil.rmtree(data.parent)


def test_with_fewer_tasks_only_notebooks_of_ours_are_removed_and_only_by_force(small, capsys):
    folder, _ = small
    source = folder / "source" / "vicreg"
    (source / PART2).write_text("of an assignment with more tasks")
    (source / "mine.ipynb").write_text("mine")
    asked = ["nbgrader", str(folder), "--task", "warmup"]
    assert command.main([*asked, "--dry-run"]) == 0
    assert f"removes  {source / PART2}\n" in capsys.readouterr().out
    assert command.main(asked) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: source/vicreg/{PART2} in {folder} does not belong to these tasks: --force removes it")
    assert (source / PART2).exists()
    assert command.main([*asked, "--force"]) == 0
    out = capsys.readouterr().out
    assert f"removed {source / PART2}\n" in out and "mine.ipynb" not in out and "up to date" not in out
    assert not (source / PART2).exists() and (source / "mine.ipynb").read_text() == "mine"
    (source / "mine.ipynb").unlink()


@pytest.mark.parametrize("name", [".", "solutions", "docs/course"])
def test_a_course_is_not_written_among_the_sources_of_this_project(name, capsys):
    assert command.main(["nbgrader", str(ROOT / name), "--force"]) == 2
    assert "is a folder of this project itself: name another one" in capsys.readouterr().err
    assert not (ROOT / name / "nbgrader_config.py").exists()


def test_choices_left_in_the_handout_are_told(made, capsys):
    assert command.main(["nbgrader", str(made), "--dry-run"]) == 0
    assert "note: assignment/README.md leaves 11 choices to you; the first is [" in capsys.readouterr().err


def test_the_configuration_is_the_instructors_once_it_is_written(made, capsys):
    config = made / "nbgrader_config.py"
    original = config.read_text()
    config.write_text(original + "# mine\n")
    assert command.main(["nbgrader", str(made), "--force"]) == 0
    assert "nbgrader_config.py, which differs from what would be written now: delete it" in capsys.readouterr().out
    assert config.read_text().endswith("# mine\n")
    config.unlink()
    assert command.main(["nbgrader", str(made)]) == 2  # a folder without one might be anything
    assert command.main(["nbgrader", str(made), "--force"]) == 0
    assert config.read_text() == original


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    assert command.main(["nbgrader", str(tmp_path / "c"), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert f"new      {tmp_path / 'c' / 'nbgrader_config.py'}" in out and "gradebook.db" in out
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["nbgrader", "{}/c", "--task", "vicregg"], "there is no task 'vicregg'"),
        (["nbgrader", "{}/c", "--assignment", "../x"], "an assignment's name has letters, digits, - and _"),
        (["nbgrader", "{}/file"], "is a file; name a folder"),
        (["nbgrader", "{}"], "is not empty and no course"),
        (["nbgrader-autograde", "{}/c", "vicreg"], "is no course: write one with"),
    ],
)
def test_errors_are_one_sentence(tmp_path, capsys, arguments, told):
    (tmp_path / "file").write_text("")
    assert command.main([each.format(tmp_path) for each in arguments]) == 2
    error = capsys.readouterr().err
    assert told in error and error.startswith("error: ") and error.count("\n") == 1
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("name", ["nbgrader", "nbgrader-autograde"])
def test_help_has_examples_and_exit_codes(name, capsys):
    with pytest.raises(SystemExit):
        command.main([name, "--help"])
    out = capsys.readouterr().out
    assert f"python -m release {name} ~/course" in out and "exit codes:" in out


# ---- cells of a submission ------------------------------------------------------------------------------------------


@pytest.fixture
def released(source):
    return {path.name: nbformat.read(path, as_version=4) for path in sorted(source.glob("*.ipynb"))}


def copy(notebook):
    return nbformat.from_dict(json.loads(json.dumps(notebook)))


def test_an_untouched_notebook_comes_out_with_the_same_cells(released):
    for notebook in released.values():
        made, notes = rebuild(copy(notebook), notebook)
        assert notes == []
        assert [(cell.id, cell.source) for cell in made.cells] == [(cell.id, cell.source) for cell in notebook.cells]
        nbformat.validate(made)


def test_the_last_copy_of_an_answer_counts_and_the_others_stay_to_be_read(released):
    wanted = released[PART1]
    mine = copy(wanted)
    first = cell_of(mine, "q1")
    first.source = "the first"
    second = copy(first)
    second.source = "the second"
    mine.cells.append(second)
    made, notes = rebuild(mine, wanted)
    assert cell_of(made, "q1").source == "the second"
    assert [cell.metadata for cell in made.cells if cell.source == "the first"] == [{}]
    assert notes == ["cell 'q1' was there more than once; the last copy counts"]
    assert len({cell.id for cell in made.cells}) == len(made.cells)


def test_deleted_cells_are_restored_in_their_order(released):
    wanted, mine = released[PART1], copy(released[PART1])
    nbgrader_faults.delete_graded(mine)
    made, notes = rebuild(mine, wanted)
    order = [cell.metadata.nbgrader.grade_id for cell in wanted.cells if "nbgrader" in cell.metadata]
    assert [cell.metadata.nbgrader.grade_id for cell in made.cells if "nbgrader" in cell.metadata] == order
    assert "cell 'vicreg' was missing; restored" in notes


def test_points_and_outputs_of_a_submission_mean_nothing(released):
    wanted, mine = released[PART1], copy(released[PART1])
    nbgrader_faults.forge_points(mine)
    nbgrader_faults.unlock(mine)
    made, notes = rebuild(mine, wanted)
    for cell in made.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            released_cell = cell_of(wanted, cell.metadata.nbgrader.grade_id)
            assert cell.metadata == released_cell.metadata
            assert cell.get("outputs", []) == []
    assert any("locked cell 'vicreg' was changed" in note for note in notes)


def test_without_metadata_cells_are_known_by_their_ids(released):
    wanted, mine = released[PART1], copy(released[PART1])
    cell_of(mine, "q1").source = TEXT
    nbgrader_faults.strip_metadata(mine)
    made, notes = rebuild(mine, wanted)
    assert cell_of(made, "q1").source == TEXT and notes == []


def test_unknown_cells_stay_as_ordinary_ones(released):
    wanted, mine = released[PART1], copy(released[PART1])
    cell_of(mine, "q1").source = TEXT
    cell_of(mine, "q1").metadata.nbgrader.grade_id = "q99"
    made, notes = rebuild(mine, wanted)
    assert [cell.metadata for cell in made.cells if cell.source == TEXT] == [{}]
    assert notes == ["unknown cell 'q99' kept as an ordinary one", "cell 'q1' was missing; restored"]


@pytest.mark.parametrize("odd", [None, "text", ["no", "mapping"], 3])
def test_metadata_of_any_type_in_a_cell_of_the_students_own_does_no_harm(released, odd):
    wanted, mine = released[PART1], copy(released[PART1])
    mine.cells.append(nbformat.v4.new_markdown_cell(TEXT, metadata={"nbgrader": odd}))
    made, notes = rebuild(mine, wanted)
    assert [cell.metadata for cell in made.cells if cell.source == TEXT] == [{}] and notes == []


def test_figures_and_text_of_outputs_stay_and_what_could_act_does_not(released):
    wanted, mine = released[PART1], copy(released[PART1])
    code = next(cell for cell in mine.cells if cell.cell_type == "code")
    figure = {"image/png": "iVBORw0KGgo=", "text/html": "<script>alert(1)</script>"}
    html = {"text/html": "<img src=x onerror=alert(1)>", "text/plain": "a table"}
    forged = {"image/png": '"><script>alert(1)</script>'}
    datas = (figure, html, forged, {"application/javascript": "alert(1)"}, {"image/svg+xml": "<svg onload='alert(1)'/>"})
    code.outputs = [nbformat.v4.new_output("display_data", data=data) for data in datas]
    code.outputs.append(nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=["<b>"]))
    made, _ = rebuild(mine, wanted)
    shown = next(cell for cell in made.cells if cell.id == code.id).outputs
    assert [each.get("data", each.get("text")) for each in shown] == [
        {"image/png": "iVBORw0KGgo="}, {"text/plain": "a table"}, "ValueError: no",
    ]  # fmt: skip
    assert "script" not in json.dumps(made.cells[made.cells.index(next(c for c in made.cells if c.id == code.id))].outputs)


# ---- files of a submission ------------------------------------------------------------------------------------------


@pytest.fixture
def submission(tmp_path, source):
    """A folder as `nbgrader collect` leaves it."""
    folder = tmp_path / "submitted" / "alice" / "vicreg"
    shutil.copytree(source, folder)
    (folder / "timestamp.txt").write_text("2030-01-01 12:00:00.000000 UTC")
    (folder / "submission_secret.txt").write_text("secret")
    return folder


QUICK = ("invalid-json", "empty", "list", "empty-object", "deep", "misnamed", "misnamed-both", "in-a-folder", "no-notebook",
         "directory", "extra", "no-timestamp", "no-secret", "odd-timestamp", "long-timestamp", "early-timestamp", "closed-folder", "odd-own-cells", "links", "notebook-link", "pipe", "damaged")  # fmt: skip


@pytest.mark.parametrize("fault", [each for each in nbgrader_faults.FAULTS if each.name in QUICK], ids=lambda each: each.name)
def test_a_submission_is_repaired_and_what_was_done_is_told(submission, source, tmp_path, fault):
    before = state(submission)
    fault.apply(submission)
    notes = repair.repair(submission, source, tmp_path / "aside")
    assert fault.told in "\n".join(notes)
    for path in source.glob("*.ipynb"):
        nbformat.validate(nbformat.read(submission / path.name, as_version=4))
    assert not [path for path in submission.rglob("*") if path.is_symlink() or not stat.S_IFMT(path.stat().st_mode)]
    for name in RULES.files:
        path = submission / "assignment" / name
        assert path.read_bytes() == before[path]
    assert [note for note in repair.repair(submission, source, tmp_path / "aside") if "is no notebook" not in note] == []


def test_what_a_link_leads_to_keeps_its_permissions(submission, source, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "theirs.txt").write_text("theirs")
    (outside / "theirs.txt").chmod(0o444)
    outside.chmod(0o555)
    (submission / "closed").mkdir()
    for name, target in (("folder", outside), ("file", outside / "theirs.txt"), ("nowhere", tmp_path / "nowhere")):
        (submission / "closed" / name).symlink_to(target)
    (submission / "closed").chmod(0o055)
    notes = repair.repair(submission, source, tmp_path / "aside")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (outside, outside / "theirs.txt")] == [0o555, 0o444]
    assert not list((submission / "closed").iterdir()) and len(notes) == 4


@pytest.mark.parametrize("text", ["2026-12-01 10:00:00 CET", "2026-12-01 10:00:00 +0100", "2026-12-01T10:00:00+01:00\n"])
def test_a_time_that_nbgrader_reads_stays(submission, text):
    (submission / "timestamp.txt").write_text(text)
    assert list(repair.mend_timestamp(submission)) == [] and (submission / "timestamp.txt").read_text() == text


def test_a_sound_submission_is_left_alone(submission, source, tmp_path):
    before = state(submission)
    assert repair.repair(submission, source, tmp_path / "aside") == []
    assert state(submission) == before and not (tmp_path / "aside").exists()


def test_what_cannot_be_read_is_kept_aside_each_time(submission, source, tmp_path):
    for number in range(2):
        (submission / PART1).write_text(f"broken {number}")
        repair.repair(submission, source, tmp_path / "aside")
    assert {path.read_text() for path in (tmp_path / "aside").iterdir()} == {"broken 0", "broken 1"}


def test_answers_in_a_damaged_notebook_are_saved(submission, source, tmp_path):
    answer(submission, TEXT)
    change(submission, PART2, nbgrader_faults.no_source)
    repair.repair(submission, source, tmp_path / "aside")
    made, _ = rebuild(read(submission, PART2), read(source, PART2))
    assert cell_of(made, "q8").source == TEXT


def test_the_grader_sees_the_students_files_and_not_the_checks_handed_out(submission):
    with own_files.of(submission) as folder:
        seen = {path.relative_to(folder).parts[0] for path in folder.rglob("*.py")}
    assert seen == {"assignment"}


# ---- feedback -------------------------------------------------------------------------------------------------------


def result(verdict: str) -> ItemResult:
    points = 1.0 if verdict in ("passed", "grader_fault") else 0.0
    return ItemResult(f"vicreg.{verdict}", f"item {verdict}", "public", verdict, points, 1.0, "Expected: a\nCame:     b", "Look.")


def graded_cell(task: TaskResult, points: float):
    cell = nbformat.v4.new_code_cell('check("vicreg")')
    course.describe(cell, "vicreg", points=points, locked=True)
    cell.outputs = outputs(task, Report("alice", 0, 0, "none", ["a note"], [task]))
    return cell


def test_each_verdict_is_told_in_words_and_nbgrader_reads_the_points():
    items = [result(verdict) for verdict in VERDICTS]
    cell = graded_cell(TaskResult("vicreg", "Task 2: VICReg", 2.0, 6.0, items), 6)
    text = cell.outputs[0].text
    lines = text.splitlines()
    for verdict in VERDICTS:
        mark, word, _ = MARKS[verdict]
        assert [line for line in lines if line.strip().startswith(f"{mark} {word} ") and f"item {verdict}" in line], verdict
    assert "Note: a note" in text and "The grader could not judge everything here" in text
    assert text.count("Hint: Look.") == 4  # neither where all is well nor where nothing was written
    assert determine_grade(cell) == (2.0, 6.0)


@pytest.mark.parametrize("points", [0.0, 0.5, 7.5, 16.0])
def test_points_arrive_in_nbgrader_as_they_are(points):
    cell = graded_cell(TaskResult("vicreg", "Task 2: VICReg", points, 16.0, [result("failed")]), 16)
    assert determine_grade(cell) == (points, 16.0)


def test_criteria_are_shown_in_formgrader_alone(released):
    shown = [ShowCriteria().preprocess(copy(released[PART1]), each)[0] for each in ({"submission_id": "x"}, {"nbgrader": {}}, {})]
    texts = ["\n".join(cell.source for cell in notebook.cells) for notebook in shown]
    ticks = discussion.read_answers()["q1"].criteria
    assert all(text in texts[0] for _, text in ticks)
    assert "Criteria for Q1" in texts[0] and "Criteria" not in texts[1] + texts[2]


def test_long_lines_are_wrapped_and_code_is_not():
    long = ItemResult("vicreg.a", "a title", "public", "failed", 0.0, 1.0, f"Expected: {'word ' * 60}\n    code({'1, ' * 60})", "w " * 90)
    lines = graded_cell(TaskResult("vicreg", "Task 2: VICReg", 0.0, 1.0, [long]), 1).outputs[0].text.splitlines()
    code = [line for line in lines if "code(" in line]
    assert len(code) == 1 and code[0].count("1, ") == 60
    assert all(len(line) <= WIDTH for line in lines if line not in code)
    assert sum(line.count("word") for line in lines) == 60
    assert all(line.startswith("    | ") for line in lines[3:])


HOSTILE = [
    "<script>alert(1)</script>",
    "a <img src=x onerror=alert(1)> b",
    "[link](javascript:alert(1))",
    "![picture](javascript:alert(1))",
    "[link](<javascript:alert(1)> \"x\")",
    "![\" onerror=alert(1)](x)",
    "# heading <img src=x onerror=alert(1)>",
    "$<img src=x onerror=alert(1)>$",
    "$$<script>alert(1)</script>$$",
    "\\begin{equation}<script>alert(1)</script>\\end{equation}",
    "```mermaid\n</pre><script>alert(1)</script>\n```",
    "```python\n<script>alert(1)</script>\n```",
    "```<script>\n<script>alert(1)</script>\n```",
    "`<script>alert(1)</script>`",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "<https://x.org/\"onmouseover=alert(1)>",
]


@pytest.mark.parametrize("source", HOSTILE)
def test_html_in_an_answer_is_shown_as_text(source):
    page = html.parser.HTMLParser()
    seen = []
    page.handle_starttag = lambda tag, attributes: seen.append((tag, dict(attributes)))
    page.feed(harmless_markdown(jinja2.runtime.Context(jinja2.Environment(), {}, "", {}), source))
    for tag, attributes in seen:
        assert tag not in ("script", "iframe", "object", "embed", "style", "svg"), seen
        assert not [name for name in attributes if name.startswith("on")], seen
        assert not [value for value in attributes.values() if (value or "").strip().lower().startswith("javascript:")], seen


def test_text_formulas_and_pasted_pictures_of_an_answer_stay(released):
    wanted, mine = released[PART1], copy(released[PART1])
    cell_of(mine, "q1").update(source="**bold** $a<b$ ![sketch](attachment:s.png)", attachments={"s.png": {"image/png": "aGk="}, "x": 1})
    made, _ = rebuild(mine, wanted)
    cell = cell_of(made, "q1")
    nbformat.validate(made)
    shown = harmless_markdown(jinja2.runtime.Context(jinja2.Environment(), {"cell": cell}, "", {}), cell.source)
    assert "<strong>bold</strong> $a&lt;b$" in shown and 'src="data:image/png;base64,aGk="' in shown


def test_points_of_course_and_rubric_must_agree():
    with pytest.raises(course.CourseError, match="the rubric gives 2 points for warmup, first 3: run `make assignment`, .* --task warmup --force"):
        course.asked_part(RULES, {"warmup": 3.0}, "first")
    with pytest.raises(course.CourseError, match="first grades the task 'gone', which the rubric does not have"):
        course.asked_part(RULES, {"gone": 3.0}, "first")
    assert [task.id for task in course.asked_part(RULES, {"warmup": 2.0}, "first").tasks] == ["warmup"]
    part = RULES.only(["retrieval"])
    with pytest.raises(course.CourseError, match="the rubric gives 2 points for q8, first 5: run .* --task retrieval --force"):
        course.check_questions(part, RULES, {"q8": 5.0}, "first")
    course.check_questions(part, RULES, {"q8": 2.0}, "first")


# ---- the summary ----------------------------------------------------------------------------------------------------


def test_the_summary_says_who_was_not_scored_and_what_the_gradebook_had(capsys):
    fine = batch.Outcome("alice", [], points=5, most=6, by_hand=1, late=7200, before=4)
    lost = batch.Outcome("bob", ["x"], problem="stale: warmup.py", before=3)
    assert batch.line(fine) == "alice: 5 of 6 points by checks, before 4, 2 h late, 1 to grade by hand"
    assert batch.line(lost) == "bob: NOT SCORED (stale: warmup.py; the 3 points of an earlier grading were taken back)"
    assert batch.summarize([fine, lost], 2) == 3
    out = capsys.readouterr().out
    assert "1 of 2 submissions scored" in out and "NOT SCORED: 1: bob" in out and "alice (4 → 5)" in out
    assert batch.summarize([fine], 2) == 0


def test_a_cell_of_an_export_stays_one_where_semicolons_stand_between_cells():
    text = export.table(("student_id", "points"), [{"student_id": "a;=1+1", "points": 0.125}, {"student_id": "b"}])
    assert text == '\ufeff"student_id","points"\r\n"a;=1+1","0.125"\r\n"b",""\r\n'


# ---- everything together, with one submission -----------------------------------------------------------------------


def collect(folder: Path, student: str, code: str) -> Path:
    into = folder / "submitted" / student / "vicreg"
    shutil.copytree(folder / "release" / "vicreg", into)
    (into / "timestamp.txt").write_text("2030-01-01 12:00:00.000000 UTC")
    (into / "submission_secret.txt").write_text("secret")
    (into / "assignment" / "warmup.py").write_text(code)
    return into


def exported(folder: Path) -> list[tuple]:
    """What the export says of the task: who, where the points come from, the points, and whether somebody has to look."""
    with contextlib.chdir(folder), Gradebook(f"sqlite:///{folder}/gradebook.db", folder.name) as book:
        export.PerQuestionExport(to="grades.csv").export(book)
    with open(folder / "grades-questions.csv", encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["question"] == "warmup"]
    return [(row["student_id"], row["graded"], row["points"], row["needs_a_look"]) for row in rows]


def test_a_submission_is_scored_and_a_failure_leaves_no_stale_score_unnoticed(small, capsys, monkeypatch):
    folder, api = small
    assert api.generate_assignment("vicreg")["success"]
    submitted = collect(folder, "alice", mutants.source_of("warmup"))
    assert batch.run(folder, "vicreg") == 0
    assert "alice: 2 of 2 points by checks" in capsys.readouterr().out
    assert api.generate_feedback("vicreg")["success"]
    page = (folder / "feedback" / "alice" / "vicreg" / "part1_vicreg.html").read_text()
    assert "Score: 2.0 / 2.0" in page and page.count("✓ passed") == 4

    # A new submission that nbgrader cannot grade, for once: its database would keep the old score.
    (submitted / "assignment" / "warmup.py").write_text("raise ValueError('at import')\n")
    monkeypatch.setattr(batch.Class, "autograde", lambda self, student: "disk full")
    assert batch.run(folder, "vicreg") == 3
    out = capsys.readouterr().out
    assert "alice: NOT SCORED (disk full; the 2 points of an earlier grading were taken back)" in out
    assert exported(folder) == [("alice", "not scored", "0", "1")]
    monkeypatch.setattr(batch.Class, "autograde", lambda self, student: "")  # says it has, and has not
    assert batch.run(folder, "vicreg") == 3
    assert "NOT SCORED (stale: assignment/warmup.py of the graded copy is not the submitted one" in capsys.readouterr().out
    monkeypatch.undo()
    assert batch.run(folder, "vicreg") == 0
    assert "alice: 0 of 2 points by checks" in capsys.readouterr().out
    assert exported(folder) == [("alice", "by checks", "0", "0")]


def test_an_interrupt_and_a_missing_sandbox_end_the_command_and_leave_submissions_alone(small, monkeypatch, capsys):
    folder, api = small
    assert api.generate_assignment("vicreg")["success"]
    submitted = collect(folder, "ian", mutants.source_of("warmup"))
    (submitted / PART1).write_text((submitted / PART1).read_text().replace("Part 1", "Part one"))
    before = state(submitted)

    def fail(error):
        def grade(self, resources):
            raise error

        monkeypatch.setattr(GradeSubmission, "grade", grade)

    fail(KeyboardInterrupt())
    assert command.main(["nbgrader-autograde", str(folder), "vicreg", "--student", "ian"]) == 130
    assert state(submitted) == before
    capsys.readouterr()
    fail(OSError("disk full"))
    assert batch.run(folder, "vicreg", ["ian"]) == 3
    assert "ian: NOT SCORED (OSError: disk full)" in capsys.readouterr().out
    assert state(submitted) == before and not (folder / "set-aside").exists()

    monkeypatch.setattr(batch, "configuration", lambda course: with_sandbox_required(course))
    monkeypatch.setattr(sandbox, "choose", lambda mode, required: (_ for _ in ()).throw(sandbox.SandboxError(f"{mode} {required}")))
    assert command.main(["nbgrader-autograde", str(folder), "vicreg"]) == 2
    assert capsys.readouterr().err == "error: auto True\n"


read_configuration = batch.configuration


def with_sandbox_required(folder: Path):
    config = read_configuration(folder)
    config.GradeSubmission.require_sandbox = True
    return config


def test_a_notebook_that_nbgrader_cannot_grade_is_replaced_and_kept(small, monkeypatch, capsys):
    folder, api = small
    assert api.generate_assignment("vicreg")["success"]
    submitted = collect(folder, "jo", mutants.source_of("warmup"))
    original = (submitted / PART1).read_text().replace("Part 1", "a notebook that breaks something")
    (submitted / PART1).write_text(original)
    real = Rebuild.preprocess

    def break_on_it(self, nb, resources):
        if "breaks something" in nb.cells[0].source:
            raise RecursionError("too deep")
        return real(self, nb, resources)

    monkeypatch.setattr(Rebuild, "preprocess", break_on_it)
    assert batch.run(folder, "vicreg", ["jo"]) == 0
    out = capsys.readouterr().out
    assert "jo: 2 of 2 points by checks" in out
    assert "repaired: part1_vicreg.ipynb could not be graded (RecursionError: too deep): a blank copy" in out
    assert (folder / "set-aside" / "vicreg" / "jo" / PART1).read_text() == original


class Alone(batch.Class):
    """A class of one, without nbgrader: grading fails as long as some notebook breaks something."""

    def __init__(self, base: Path, released: Path):
        self.base, self.released = base, released

    def folder(self, kind: str, student: str) -> Path:
        return self.base / kind / student / "vicreg"

    def aside(self, student: str) -> Path:
        return self.base / "aside"

    def autograde(self, student: str) -> str:
        texts = [path.read_text() for path in self.folder("submitted", student).glob("*.ipynb")]
        return "broken" if any("breaks something" in text for text in texts) else ""


@pytest.mark.parametrize("found_out", [True, False])
def test_of_several_notebooks_only_the_one_that_cannot_be_rebuilt_is_replaced(submission, source, tmp_path, monkeypatch, found_out):
    answer(submission, TEXT)
    (submission / PART1).write_text((submission / PART1).read_text().replace("Part 1", "Part 1 breaks something"))

    def fail_on_it(submitted, released):
        if found_out and "breaks something" in submitted.cells[0].source:
            raise RecursionError("too deep")

    monkeypatch.setattr(batch, "rebuild", fail_on_it)
    outcome = batch.Outcome("alice", [])
    assert Alone(tmp_path, source).autograde_blank("alice", "broken", outcome) == ""
    assert (submission / PART1).read_bytes() == (source / PART1).read_bytes()
    assert (TEXT in (submission / PART2).read_text()) == found_out
    assert len(outcome.repaired) == (1 if found_out else len(list(source.glob("*.ipynb"))))


# ---- a whole class, by the commands that an instructor types ---------------------------------------------------------


def ways() -> dict[str, dict[str, str]]:
    """Sources of the students' files by the name of a student: the reference, right and wrong ways, and broken ones."""
    reference = {name: mutants.source_of(name) for name in ("warmup", "evaluation")}
    found = {"reference": reference, "half": {"warmup": reference["warmup"]}, "stubs": {}}
    for kind, known in (("right", variants), ("wrong", entries)):
        for target, count in (("warmup.normalize", 3), ("evaluation.retrieve", 3)):
            for number, entry in enumerate(known(target)[:count]):
                module = target.split(".")[0]
                source = reference[module] + mutants.override_source(entry)
                found[f"{kind}-{module}-{number}"] = {**reference, module: source}
    found["no-python"] = {**reference, "warmup": "def normalize(:\n"}
    found["exits"] = {**reference, "warmup": "import os\nos._exit(0)\n"}
    found["prints"] = {**reference, "warmup": "print('x' * 10_000_000)\n" + reference["warmup"]}
    return found


@dataclasses.dataclass
class Graded:
    """A class after all of an instructor's commands."""

    course: Course
    output: str  # of our command
    names: dict[str, nbgrader_faults.Fault | None]
    totals: dict
    questions: list


def hand_in_all(made: Course) -> dict:
    """More than forty submissions; one of them by the student's own commands."""
    me = pwd.getpwuid(os.getuid() if made.uid is None else made.uid).pw_name  # as whom nbgrader submits
    template = made.fetch(me)
    put_code(template)
    answer(template, TEXT)
    made.own(template)
    made.submit(me)
    names: dict = {me: None}
    for name, sources in ways().items():
        folder = made.hand_in(name, template)
        for file in ("warmup", "evaluation"):
            stub = made.path / "release" / "vicreg" / "assignment" / f"{file}.py"
            (folder / "assignment" / f"{file}.py").write_text(sources.get(file, stub.read_text()))
        made.own(folder)
        names[name] = None
    for fault in nbgrader_faults.FAULTS:  # what is damaged is damaged after `collect`, which refuses some of it
        made.hand_in(fault.name, template)
        names[fault.name] = fault
    return names


@pytest.fixture(scope="module", params=["ourselves", "another-user"])
def group(request, tmp_path_factory):
    uid = NOBODY if request.param == "another-user" else None
    if uid is not None and (os.getuid() != 0 or shutil.which("setpriv") is None):
        pytest.skip("to become another user takes root and setpriv")
    base = Path(tempfile.mkdtemp(prefix="nbgrader-class-"))
    base.chmod(0o755)
    made = Course(base, uid)
    made.make()
    names = hand_in_all(made)
    made.run("nbgrader", "collect", "vicreg")
    for student, fault in names.items():
        if fault is not None:
            fault.apply(made.path / "submitted" / student / "vicreg")
    made.own(made.path / "submitted")
    output = made.autograde()
    made.run("nbgrader", "generate_feedback", "vicreg")
    made.run("nbgrader", "release_feedback", "vicreg")
    yield Graded(made, output, names, *made.export())
    shutil.rmtree(base, ignore_errors=True)


@pytest.mark.slow
def test_everybody_is_scored(group):
    assert len(group.names) >= 40
    assert f"{len(group.names)} of {len(group.names)} submissions scored" in group.output
    assert "NOT SCORED" not in group.output
    assert {student for _, student in group.totals} == set(group.names)


@pytest.mark.slow
def test_each_score_is_what_the_grader_gives_alone(group):
    out, of_code, same = group.course.base / "alone", {}, {}
    for name in group.names:  # those with the same files get the same grade, and need not be graded alone more than once
        folder = group.course.path / "submitted" / name / "vicreg" / "assignment"
        code = tuple((folder / f"{module}.py").read_bytes() for module in ("warmup", "evaluation"))
        if code not in of_code:
            of_code[code] = name
            shutil.copytree(folder, group.course.base / "inputs" / name / "assignment")
        same[name] = of_code[code]
    assert len(of_code) > 12
    inputs = [str(group.course.base / "inputs" / name) for name in of_code.values()]
    group.course.own(group.course.base / "inputs")
    group.course.run(sys.executable, "-m", "autograder", "grade", *inputs, "--out", str(out), *by_task(TASKS), cwd=ROOT)
    for name in group.names:
        alone = reuse.load(out / same[name] / "report.json")
        points = {row["question"]: float(row["by_checks"]) for row in group.questions if row["student_id"] == name and row["by_checks"]}
        assert {task.id: points[task.id] for task in alone.tasks} == {task.id: task.points for task in alone.tasks}, name


@pytest.mark.slow
def test_faults_cost_nothing_and_answers_wait_to_be_read(group):
    for name, fault in group.names.items():
        if fault is None:
            continue
        assert fault.told in group.output, name
        assert float(group.totals["vicreg", name]["total"]) == fault.points, name
        (row,) = [each for each in group.questions if each["student_id"] == name and each["question"] == "q8"]
        assert row["graded"] == ("not answered" if fault.answer_lost else "not yet"), name


@pytest.mark.slow
def test_right_ways_earn_everything_and_wrong_ones_do_not(group):
    for name in group.names:
        total = float(group.totals["vicreg", name]["total"])
        if name.startswith("right") or name in ("reference", "prints"):
            assert total == MAXIMUM, name
        if name.startswith("wrong") or name in ("stubs", "half", "no-python", "exits"):
            assert total < MAXIMUM, name
    assert float(group.totals["vicreg", "stubs"]["total"]) == 0


@pytest.mark.slow
def test_nothing_of_a_submission_has_run_outside_the_sandbox(group):
    assert not list(group.course.path.rglob("ran"))
    assert not Path("/tmp/nbgrader-shadow-ran").exists()


@pytest.mark.slow
def test_feedback_reaches_the_student_and_holds_no_criteria(group):
    home = group.course.base / "students" / next(iter(group.names))
    group.course.run("nbgrader", "fetch_feedback", "vicreg", cwd=home)
    pages = list((home / "vicreg" / "feedback").rglob("*.html"))
    assert {page.name for page in pages} == {"part1_vicreg.html", "part2_ablations.html"}
    for page in (group.course.path / "feedback").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "Criteria for" not in text and "alert(1)" not in text, page
    text = (group.course.path / "feedback" / "stubs" / "vicreg" / PART1.replace("ipynb", "html")).read_text(encoding="utf-8")
    assert text.count("· not attempted") == 4


@pytest.mark.slow
def test_a_second_run_finds_everything_as_it_is(group):
    output = group.course.autograde()
    assert "other points than before" not in output and "NOT SCORED" not in output
    assert group.course.export()[0] == group.totals


# ---- the course of a term -------------------------------------------------------------------------------------------


def repository(folder: Path) -> Path:
    """A checkout of its own, whose rubric may change."""
    left_out = shutil.ignore_patterns("__pycache__", ".*", "build", "calibration", "tests", "benchmarks")
    return Path(shutil.copytree(ROOT, folder, ignore=left_out))


@pytest.mark.slow
def test_late_work_new_work_a_second_assignment_and_another_rubric(tmp_path):
    root = repository(tmp_path / "repository")
    made = Course(tmp_path, root=root)
    made.make(tasks=["warmup"])
    made.run("nbgrader", "db", "assignment", "add", "vicreg", "--duedate=2030-01-01 00:00:00 UTC")
    template = made.path / "release" / "vicreg"
    inbound = made.hand_in("bob", template, "2030-01-01 02:00:00.000000 UTC")
    made.hand_in("carol", template, "2029-12-31 12:00:00.000000 UTC")
    made.run("nbgrader", "collect", "vicreg")
    output = made.autograde()
    assert "bob: 0 of 2 points by checks, 2 h late" in output and "late (see AssignLatePenalties" in output
    assert made.export()[0]["vicreg", "bob"]["late_hours"] == "2"
    assert made.export()[0]["vicreg", "carol"]["late_hours"] == "0"

    # The same student again, with everything right; carol does nothing.
    again = made.hand_in("bob", inbound, "2030-01-01 03:00:00.000000 UTC")
    (again / "assignment" / "warmup.py").write_text(mutants.source_of("warmup"))
    assert "bob: 0 of 2 points" in made.autograde()  # not collected yet
    made.run("nbgrader", "collect", "vicreg", "--update")
    output = made.autograde()
    assert "bob: 2 of 2 points by checks, before 0, 3 h late" in output and "other points than before: 1: bob (0 → 2)" in output

    # A second assignment in the same course leaves the first alone.
    made.make("bonus", tasks=["retrieval"])
    made.hand_in("bob", made.path / "release" / "bonus", assignment="bonus")
    made.run("nbgrader", "collect", "bonus")
    assert "bob: 0 of 4 points by checks" in made.autograde(assignment="bonus")
    totals, _ = made.export()
    assert (totals["vicreg", "bob"]["total"], totals["bonus", "bob"]["total"]) == ("2", "0")
    assert totals["bonus", "carol"]["submitted"] == ""

    # Other points in the rubric: refused until the assignment is made again, then applied without running anything.
    rules = root / "autograder" / "rubric.toml"
    rules.write_text(rules.read_text().replace('rows stay rows"\npoints = 0.5', 'rows stay rows"\npoints = 1.5'))
    output = made.autograde(code=2)
    assert "error: the rubric gives 3 points for warmup, vicreg 2: run `make assignment`, `python -m release nbgrader COURSE" in output
    made.release_command("nbgrader", str(made.path), "--task", "warmup", "--force")
    made.run("nbgrader", "generate_assignment", "vicreg", "--force")
    output = made.autograde()
    assert "bob: 3 of 3 points by checks, before 2" in output
    assert made.export()[0]["vicreg", "bob"]["max_total"] == "3"


@pytest.mark.slow
def test_archives_of_a_learning_platform_are_collected_from_any_folder(tmp_path):
    made = Course(tmp_path)
    made.make(tasks=["warmup"])
    config = made.path / "nbgrader_config.py"
    config.write_text(config.read_text().replace("# c.FileNameCollectorPlugin", "c.FileNameCollectorPlugin"))
    archives = made.path / "downloaded" / "vicreg" / "archive"
    archives.mkdir(parents=True)
    template = made.path / "release" / "vicreg"
    for student, folder, code in (("ada", "", mutants.source_of("warmup")), ("ben-2", "my work/vicreg/", "raise ValueError\n")):
        with zipfile.ZipFile(archives / f"{student}.zip", "w") as archive:
            archive.write(template / PART1, folder + PART1)
            archive.writestr(f"{folder}assignment/warmup.py", code)
            archive.writestr(f"{folder}.ipynb_checkpoints/{PART1}", "{}")
            archive.writestr(f"__MACOSX/{folder}assignment/._warmup.py", "no code")
            archive.writestr(f"{folder}.venv/assignment/warmup.py", "no code")
    made.run("nbgrader", "zip_collect", "vicreg")
    found = {path.relative_to(made.path / "submitted").as_posix() for path in (made.path / "submitted").rglob("*") if path.is_file()}
    assert found == {f"{who}/vicreg/{name}" for who in ("ada", "ben-2") for name in (PART1, "assignment/warmup.py")}
    output = made.autograde()
    assert "ada: 2 of 2 points by checks" in output and "ben-2: 0 of 2 points by checks" in output
    assert "timestamp.txt was missing: the time of the newest file is taken" in output
