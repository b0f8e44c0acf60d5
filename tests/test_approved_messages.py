"""What a student reads about typical mistakes. Each text has been read and approved by a person.

    python -m tests.test_approved_messages           write them anew; then read `git diff` and commit what is right
    python -m tests.test_approved_messages vicreg    those of one module

Each file in approved_messages/ is what the console shows after one mistake was graded behind the wall; the page that
students get back holds the same words.
"""
import html as markup
import io
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from autograder import grading, rubric, sandbox
from autograder.misconceptions import Entry, entries
from autograder.misconceptions.mutants import SOLUTIONS, override_source
from autograder.report import CODE_HEADING, Report
from autograder.sinks import console, html
from autograder.tasks import task_of

APPROVED = Path(__file__).parent / "approved_messages"
PROJECT = Path(__file__).parent.parent
QUICK = {"warmup.normalize", "evaluation.retrieve"}  # the others in `make test-all`


def approved() -> dict[str, Entry]:
    """The mistakes that have an approved text, by the name of its file."""
    return {file_name(each): each for each in entries() if (APPROVED / file_name(each)).exists()}


def file_name(entry: Entry) -> str:
    words = re.sub(r"[^\w]+", "-", entry.name).strip("-")
    return f"{entry.target}--{words}.txt"


def graded(entry: Entry) -> Report:
    """The report of the reference with this mistake in it, for the mistake's task."""
    full = rubric.load()
    with tempfile.TemporaryDirectory() as folder:
        submission = Path(folder, "submission")
        submission.mkdir()
        for name in full.files:
            shutil.copy(SOLUTIONS / name, submission)
        with open(submission / f"{entry.task_module}.py", "a", encoding="utf-8") as file:
            file.write(override_source(entry))
        return grading.grade(submission, full.only([task_of(entry.target)]), full, sandbox.choose())


def shown(report: Report) -> str:
    """The console's summary, without the line about the sandbox."""
    output = io.StringIO()
    console.summary(Console(file=output, width=120), report)
    return "".join(line for line in output.getvalue().splitlines(keepends=True) if not line.startswith("Sandbox:")).lstrip("\n")


def on_the_page(report: Report) -> str:
    """The text of the web page, with single spaces."""
    return " ".join(markup.unescape(re.sub(r"<[^>]+>", " ", html.render(report))).split())


def rounded(text: str) -> str:
    """Numbers with five digits or more to four of them: the last ones differ between processors where something is learned."""
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.4g}", text)


CASES = [pytest.param(each, id=name, marks=() if each.target in QUICK else pytest.mark.slow) for name, each in approved().items()]


@pytest.mark.parametrize("entry", CASES)
def test_what_a_student_reads_is_what_was_approved(entry):
    report = graded(entry)
    assert rounded(shown(report)) == rounded((APPROVED / file_name(entry)).read_text(encoding="utf-8"))
    page = on_the_page(report)
    for item in report.items():
        message = item.message.replace(CODE_HEADING, "Input (to paste into Python):")  # where the page has no margin
        for text in (*message.splitlines(), item.hint, item.misconception or ""):
            assert " ".join(text.split()) in page


def test_the_checks_that_make_large_inputs_are_where_the_texts_say():
    told = {place for name in approved() for place in re.findall(r"made in (\w+) in (\S+)\.$", (APPROVED / name).read_text("utf-8"), re.M)}
    assert len(told) >= 5
    for check, file in told:
        assert f"def {check}(student" in (PROJECT / file).read_text(encoding="utf-8")


def test_there_are_forty_and_each_belongs_to_a_mistake():
    assert len(approved()) >= 40
    assert {path.name for path in APPROVED.iterdir()} == set(approved())


def test_every_item_has_an_approved_failure():
    text = "\n".join(path.read_text(encoding="utf-8") for path in APPROVED.iterdir())
    failed = set(re.findall(r"^[✗!] (?:failed|crashed) +(.*)  0/", text, re.MULTILINE))
    open_items = {item.id for item in rubric.load().items() if item.title not in failed}
    assert open_items == {"representations.probe_accuracy"}  # blocked by every mistake that it shows


def write(names: list[str]) -> None:
    """Grade the approved mistakes again, and those named "module.function: name", and write what a student reads."""
    chosen = [each for each in entries() if f"{each.target}: {each.name}" in names]
    chosen += [each for each in approved().values() if not names or each.target in names or each.task_module in names]
    APPROVED.mkdir(exist_ok=True)
    for number, entry in enumerate(chosen, start=1):
        print(f"{number} of {len(chosen)}: {entry.target}: {entry.name}", flush=True)
        (APPROVED / file_name(entry)).write_text(shown(graded(entry)), encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1:])
