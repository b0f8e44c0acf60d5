"""What happens to notebooks and folders between a student's desk and the grader, deliberately or not."""

import json
import os
import shutil
from pathlib import Path

import nbformat

from tests.nbgrader_course import PART1, PART2, Fault, change, read


def both(folder: Path, edit) -> None:
    for name in (PART1, PART2):
        change(folder, name, edit)


def duplicate_cells(notebook) -> None:
    notebook.cells += [nbformat.from_dict(json.loads(json.dumps(cell))) for cell in notebook.cells]


def delete_graded(notebook) -> None:
    notebook.cells = [cell for cell in notebook.cells if not cell.metadata.get("nbgrader", {}).get("grade")]


def rename_graded(notebook) -> None:
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.grade_id = "renamed-" + cell.metadata.nbgrader.grade_id


def strip_metadata(notebook) -> None:
    for cell in notebook.cells:
        cell.metadata = {}


def strip_all(notebook) -> None:
    for cell in notebook.cells:
        cell.metadata = {}
        del cell["id"]
    notebook.nbformat_minor = 4


def unlock(notebook) -> None:
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.update(locked=False, solution=True, grade=True, points=1000, schema_version=2)


def forge_points(notebook) -> None:
    for cell in notebook.cells:
        data = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and data.get("grade"):
            data["points"] = 100
            cell.source = "100"
            value = {"output_type": "execute_result", "data": {"text/plain": "100"}, "metadata": {}, "execution_count": 1}
            cell.outputs = [nbformat.from_dict(value)]


def wrong_types(notebook) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code" and "nbgrader" in cell.metadata:
            cell.cell_type = "markdown"
            del cell["outputs"], cell["execution_count"]


def odd_metadata(notebook) -> None:
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader = ["no", "mapping"]


def odd_own_cells(notebook) -> None:
    """Cells of the student's own, with something else than a mapping where nbgrader has one."""
    for odd in (None, "text", ["no", "mapping"], 3):
        notebook.cells.append(nbformat.v4.new_markdown_cell("mine", metadata={"nbgrader": odd}))


def closed_folder(folder: Path) -> None:
    """A folder that only others may read, with a link out of it that must lead nowhere."""
    (folder / "closed").mkdir()
    os.symlink("/etc", folder / "closed" / "everything")
    (folder / "closed").chmod(0o055)


def huge_outputs(notebook) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="x" * 2_000_000)]
    line = nbformat.v4.new_output("display_data", data={"text/html": "<script>alert(1)</script>" + "y" * 30_000_000})
    notebook.cells[1].outputs = [line]


def no_source(notebook) -> None:
    """Damaged, but with cells that can be read."""
    for cell in notebook.cells[:2]:
        del cell["source"]


def write(name: str, data: bytes):
    return lambda folder: (folder / name).write_bytes(data) and None


def make_deep(folder: Path) -> None:
    (folder / PART2).write_bytes(b"[" * 100_000)


def misname(folder: Path) -> None:
    (folder / PART1).rename(folder / "part1_vicreg (1) final.ipynb")


def misname_both(folder: Path) -> None:
    (folder / PART1).rename(folder / "a.ipynb")
    (folder / PART2).rename(folder / "b.ipynb")


def move_into_folder(folder: Path) -> None:
    (folder / "work").mkdir()
    (folder / PART2).rename(folder / "work" / PART2)


def only_code(folder: Path) -> None:
    for name in (PART1, PART2):
        (folder / name).unlink()


def directory_for_notebook(folder: Path) -> None:
    (folder / PART1).unlink()
    (folder / PART1).mkdir()


def extra_notebook(folder: Path) -> None:
    shutil.copy(folder / PART1, folder / "scratch.ipynb")


def drop_timestamp(folder: Path) -> None:
    (folder / "timestamp.txt").unlink()


def drop_secret(folder: Path) -> None:
    (folder / "submission_secret.txt").unlink()


def shadow_packages(folder: Path) -> None:
    """Names that somebody imports: were one of them run, it would leave a mark."""
    mark = f"open({str(folder / 'ran')!r}, 'w').write('ran')\n"
    marked = "import pathlib\npathlib.Path('/tmp/nbgrader-shadow-ran').touch()\n" + mark
    for name in ("torch", "nbgrader_config", "sitecustomize", "conftest", "nbformat", "autograder_plugin", "release"):
        (folder / f"{name}.py").write_text(marked)
        (folder / "assignment" / f"{name}.py").write_text(marked)
    (folder / "nbgrader").mkdir()
    (folder / "nbgrader" / "__init__.py").write_text(marked)
    (folder / "autograder" / "grading.py").write_text(marked)
    (folder / "autograder" / "__init__.py").write_text(marked)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
    (folder / "rubric.toml").write_text("version = 1\n")


def links(folder: Path) -> None:
    os.symlink("/etc", folder / "everything")
    os.symlink("/etc/passwd", folder / "assignment" / "passwd.py")


def notebook_link(folder: Path) -> None:
    (folder / PART1).rename(folder / "elsewhere.txt")
    os.symlink(folder / "elsewhere.txt", folder / PART1)


def file_for_folder(folder: Path) -> None:
    shutil.rmtree(folder / "docs")
    (folder / "docs").write_text("my notes")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "assignment" / "pipe.py")


def lock_away(folder: Path) -> None:
    (folder / "assignment" / "warmup.py").chmod(0)
    (folder / PART1).chmod(0o200)


def large_file(folder: Path) -> None:
    (folder / "trained.bin").write_bytes(b"\0" * 20_000_000)


def odd_names(folder: Path) -> None:
    (folder / "assignment" / "ünï cødé\n%s {x}.py").write_text("1/0\n")
    (folder / "-rf").write_text("")


def old_format(folder: Path) -> None:
    notebook = nbformat.convert(read(folder, PART2), 3)
    (folder / PART2).write_text(nbformat.v3.writes_json(notebook))


def latin1(folder: Path) -> None:
    text = json.dumps(read(folder, PART2), ensure_ascii=False).replace("Retrieval", "Résumé")
    (folder / PART2).write_bytes(text.encode("latin-1", errors="replace"))


FAULTS = [
    Fault("duplicated", lambda f: both(f, duplicate_cells)),
    Fault("deleted", lambda f: both(f, delete_graded), answer_lost=True),
    Fault("renamed", lambda f: both(f, rename_graded), answer_lost=True),
    Fault("stripped", lambda f: both(f, strip_metadata)),
    Fault("stripped-ids", lambda f: both(f, strip_all), answer_lost=True),
    Fault("unlocked", lambda f: both(f, unlock)),
    Fault("forged", lambda f: both(f, forge_points)),
    Fault("cell-types", lambda f: both(f, wrong_types)),
    Fault("odd-metadata", lambda f: both(f, odd_metadata)),
    Fault("odd-own-cells", lambda f: both(f, odd_own_cells)),
    Fault("huge", lambda f: both(f, huge_outputs)),
    Fault("damaged", lambda f: both(f, no_source), "was damaged"),
    Fault("invalid-json", write(PART2, b'{"cells": ['), "part2_ablations.ipynb could not be read", answer_lost=True),
    Fault("empty", write(PART2, b""), "part2_ablations.ipynb could not be read", answer_lost=True),
    Fault("nulls", write(PART2, b"\0" * 5000), "part2_ablations.ipynb could not be read", answer_lost=True),
    Fault("list", write(PART2, b"[]"), "part2_ablations.ipynb could not be read", answer_lost=True),
    Fault("empty-object", write(PART2, b"{}"), "part2_ablations.ipynb could not be read", answer_lost=True),
    Fault("deep", make_deep, "part2_ablations.ipynb could not be read", answer_lost=True),
    Fault("misnamed", misname, "(1) final.ipynb was renamed to part1_vicreg.ipynb"),
    Fault("misnamed-both", misname_both, "b.ipynb was renamed to part2_ablations.ipynb"),
    Fault("in-a-folder", move_into_folder, "work/part2_ablations.ipynb was renamed to part2_ablations.ipynb"),
    Fault("no-notebook", only_code, "part1_vicreg.ipynb was missing: a blank copy", answer_lost=True),
    Fault("directory", directory_for_notebook, "part1_vicreg.ipynb could not be read"),
    Fault("extra", extra_notebook, "scratch.ipynb is no notebook of this assignment"),
    Fault("no-timestamp", drop_timestamp, "timestamp.txt was missing"),
    Fault("no-secret", drop_secret, "submission_secret.txt was missing"),
    Fault("odd-timestamp", write("timestamp.txt", b"yesterday \xff"), "timestamp.txt could not be read"),
    Fault("long-timestamp", write("timestamp.txt", b"2026-12-01 10:00:00 UTC" + b" " * 90 + b"junk"), "timestamp.txt could not be read"),
    Fault("early-timestamp", write("timestamp.txt", b"0001-01-01T00:00:00+12:00"), "timestamp.txt could not be read"),
    Fault("shadow", shadow_packages),
    Fault("file-for-folder", file_for_folder, "docs was a file where the assignment has a folder: moved to"),
    Fault("links", links, "everything was a symbolic link: removed"),
    Fault("notebook-link", notebook_link, "part1_vicreg.ipynb was a symbolic link: removed"),
    Fault("pipe", pipe, "assignment/pipe.py was no regular file: removed"),
    Fault("locked-away", lock_away),
    Fault("closed-folder", closed_folder, "closed/everything was a symbolic link: removed"),
    Fault("large", large_file),
    Fault("odd-names", odd_names),
    Fault("old-format", old_format),
    Fault("latin1", latin1, "was damaged"),
]
