"""Staging: the right files are found, nothing else is used, and what cannot be trusted is refused with a reason."""
import io
import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder import staging
from release.student import files

FILES = ("warmup.py", "vicreg.py")


def stage(tmp_path: Path, submission: Path) -> tuple[staging.Staged, Path]:
    into = tmp_path / "staged"
    into.mkdir()
    return staging.stage(submission, FILES, into), into / "assignment"


def make_zip(path: Path, members: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("inside", ["", "assignment", "alice/assignment", "alice/homework"])
@pytest.mark.parametrize("zipped", [False, True])
def test_the_assignment_is_found_wherever_it_lies(tmp_path, inside, zipped):
    submission = tmp_path / "alice"
    folder = submission / inside
    folder.mkdir(parents=True)
    (folder / "vicreg.py").write_text("mine = 1")
    if zipped:
        submission = make_zip(tmp_path / "a.zip", {f"{inside}/vicreg.py".lstrip("/"): "mine = 1", "__MACOSX/vicreg.py": "x"})
    staged, where = stage(tmp_path, submission)
    assert (where / "vicreg.py").read_text() == "mine = 1"
    assert staged.missing == ["warmup.py"] and "NotImplementedError" in (where / "warmup.py").read_text()


def test_only_the_students_own_files_are_taken(tmp_path):
    folder = tmp_path / "bob" / "assignment"
    (folder / "provided").mkdir(parents=True)
    (folder / "vicreg.py").write_text("")
    (folder / "provided" / "models.py").write_text("evil = 1")
    (folder / "conftest.py").write_text("evil = 1")
    staged, where = stage(tmp_path, tmp_path / "bob")
    assert "evil" not in (where / "provided" / "models.py").read_text() and not (where / "conftest.py").exists()
    assert any("models.py" in note for note in staged.notes) and any("conftest.py" in note for note in staged.notes)


@pytest.mark.parametrize("inside", ["", "ssl-assignment/"])
def test_a_whole_copy_gives_no_notes_on_what_was_handed_out(tmp_path, inside):
    copy = {f"{inside}{name}": data for name, data in files.collect(staging.PROJECT).items()}
    staged, _ = stage(tmp_path, make_zip(tmp_path / "whole.zip", copy))
    assert [note for note in staged.notes if "not used" in note] == []


def test_of_a_whole_copy_files_that_were_not_handed_out_are_noted(tmp_path):
    odd = ["autograder/mine.py", "autograder/checks/hidden/test_warmup_hidden.py", "autograder/proofs/redteam.py", "helpers.py"]
    mine = dict.fromkeys(["assignment/vicreg.py", "autograder/notebook.py", "old/autograder/notebook.py", *odd], "x = 1")
    staged, _ = stage(tmp_path, make_zip(tmp_path / "whole.zip", mine))
    listed = ", ".join(sorted([*odd, "old/autograder/notebook.py"]))
    assert staged.notes == [f"files that are not part of the assignment; not used: {listed}"]


def test_nothing_secret_is_laid_out(tmp_path):
    staging.lay_out_release(tmp_path)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.py")}
    assert not [name for name in names if name.startswith("autograder/") and not name.startswith(("autograder/worker/", "autograder/__init__"))]
    assert not any("solution" in name or "check" in name or "misconception" in name for name in names)


def test_an_empty_folder_is_graded_as_not_attempted(tmp_path):
    (tmp_path / "empty").mkdir()
    staged, _ = stage(tmp_path, tmp_path / "empty")
    assert staged.missing == list(FILES) and "none of the assignment's files" in staged.notes[0]


def test_two_copies_at_the_same_depth_are_refused(tmp_path):
    for name in ("old", "new"):
        (tmp_path / "s" / name).mkdir(parents=True)
        (tmp_path / "s" / name / "vicreg.py").write_text("")
    with pytest.raises(staging.SubmissionError, match="more than once .*name each of several"):
        stage(tmp_path, tmp_path / "s")


def test_links_and_special_files_are_refused(tmp_path):
    for kind in ("link", "folder link", "fifo"):
        folder = tmp_path / kind
        folder.mkdir()
        if kind == "link":
            (folder / "vicreg.py").symlink_to("/etc/passwd")
        elif kind == "folder link":
            (folder / "assignment").symlink_to(staging.PROJECT / "solutions")
        else:
            os.mkfifo(folder / "vicreg.py")
        with pytest.raises(staging.SubmissionError, match="symbolic link|regular file"):
            staging.stage(folder, FILES, tmp_path / f"into {kind}")


@pytest.mark.parametrize("name", ["../vicreg.py", "/etc/vicreg.py", "a/../../vicreg.py", "a\\vicreg.py"])
def test_unsafe_paths_in_a_zip_are_refused(tmp_path, name):
    with pytest.raises(staging.SubmissionError, match="unsafe path"):
        stage(tmp_path, make_zip(tmp_path / "z.zip", {name: ""}))


def test_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("vicreg.py")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(staging.SubmissionError, match="link"):
        stage(tmp_path, tmp_path / "z.zip")


def test_a_zip_bomb_is_refused_without_being_unpacked(tmp_path):
    bomb = make_zip(tmp_path / "z.zip", {"vicreg.py": bytes(300 * 1024 * 1024)})
    assert bomb.stat().st_size < 1_000_000
    with pytest.raises(staging.SubmissionError, match="larger than"):
        stage(tmp_path, bomb)


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "z.zip").write_bytes(b"not a zip")
    with pytest.raises(staging.SubmissionError, match="not a readable zip"):
        stage(tmp_path, tmp_path / "z.zip")


@pytest.mark.parametrize("name", ["a" * 256, "/".join(["a"] * 51), "/".join(["a" * 200] * 6), "ä" * 128])
def test_names_that_no_file_can_have_are_refused(tmp_path, name):
    """Wherever they stand: a fault of the grader, which they were, would give full points."""
    for number, place in enumerate(("assignment", "autograder", ".")):
        archive = make_zip(tmp_path / f"{number}.zip", {"assignment/vicreg.py": "", f"{place}/{name}.py": ""})
        with pytest.raises(staging.SubmissionError, match="too long, or too many folders deep"):
            staging.stage(archive, FILES, tmp_path / str(number))


def test_a_folder_is_refused_before_it_is_followed_too_deep(tmp_path):
    deep = tmp_path / "submission" / "/".join(["a"] * 60)
    deep.mkdir(parents=True)
    with pytest.raises(staging.SubmissionError, match="too many folders deep"):
        stage(tmp_path, tmp_path / "submission")


@given(st.lists(st.text(max_size=300), min_size=1, max_size=3, unique_by=lambda name: name.encode(errors="replace")), st.sampled_from(["", "assignment/", "autograder/"]))
def test_any_names_in_a_zip_only_ever_raise_one_error(tmp_path_factory, names, place):
    folder = tmp_path_factory.mktemp("names")
    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(place + name.encode(errors="replace").decode()), b"")
    try:
        stage(folder, folder / "z.zip")
    except staging.SubmissionError:
        pass


whole = io.BytesIO()
with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as _archive:
    _archive.writestr("assignment/vicreg.py", "x = 1\n" * 50)
    _archive.writestr("assignment/notes.txt", "hello")


@given(st.lists(st.tuples(st.integers(0, len(whole.getvalue()) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_zips_only_ever_raise_one_error(tmp_path_factory, damage):
    data = bytearray(whole.getvalue())
    for position, value in damage:
        data[position] = value
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "z.zip").write_bytes(bytes(data))
    try:
        stage(folder, folder / "z.zip")
    except staging.SubmissionError:
        pass
