"""Follows the guides for instructors and students: each command is run as it stands, and prints what stands below it."""

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder import rubric
from autograder.misconceptions import entries
from autograder.misconceptions.mutants import override_source
from tests.guides import Change, Command, agree, blocks, steps
from tests.nbgrader_course import answer

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# What cannot be done again in a minute, or only by hand, and the test that does it.
INSTALLS = "test_student_copy.py::test_a_fresh_installation_of_its_own_constraints_is_all_that_a_student_needs"
FORMGRADER = (
    "test_nbgrader_browser.py::test_points_feedback_and_criteria_stand_in_formgrader_and_what_is_typed_there_is_exported"
)
ELSEWHERE = {
    "python3 -m venv .venv": INSTALLS,
    ". .venv/bin/activate": INSTALLS,
    "python3 -m venv .venv && . .venv/bin/activate": INSTALLS,
    "python -m pip install -r constraints.txt": INSTALLS,
    "jupyter lab": FORMGRADER,
}


class Place:
    """A home folder with a copy of the project in it, and a shell that goes through a guide."""

    def __init__(self, base: Path):
        self.home, self.project = base / "home", base / "home" / "project"
        copy_project(self.project)
        self.folder = self.project
        programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
        self.environment = {
            "PATH": programs, "HOME": str(self.home), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "COLUMNS": "120",
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "GIT_CONFIG_GLOBAL": str(self.home / ".gitconfig"),
        }  # fmt: skip
        (self.home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n")

    def run(self, command: str) -> tuple[int, str]:
        """Exit code and output of a command; the folder that it changes to is that of the next one."""
        after = self.home / ".folder"
        text = f"{command}\ncode=$?\npwd > {after}\nexit $code"
        done = subprocess.run(
            ["bash", "-c", text], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1500,
        )  # fmt: skip
        self.folder = Path(after.read_text().strip())
        return done.returncode, done.stdout.replace(str(self.home), "~").replace("\ufeff", "")  # a terminal does not show the mark of a CSV

    def must(self, command: str) -> None:
        """Run a command that is no part of the guide."""
        code, output = self.run(command)
        assert code == 0, f"{command} ended with {code}:\n{output}"

    def patch(self, change: str) -> None:
        """Apply a change that a guide shows."""
        subprocess.run(["git", "apply", "-"], cwd=self.project, input=change, text=True, check=True)


def copy_project(folder: Path) -> None:
    """All that Git would hand over, as it is now."""
    names = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in names.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


@dataclasses.dataclass(frozen=True)
class Guide:
    """How a page is followed: what must be there, and what somebody does by hand, before the command that begins so."""

    before: dict[str, Callable[[Place], None]]
    said: dict[str, str] = dataclasses.field(default_factory=dict)  # what a reader puts in place of these words
    fails: tuple[str, ...] = ()  # beginnings of commands that are meant to end with 1


# ---- what people do by hand -----------------------------------------------------------------------------------------


def put(folder: Path, mistakes: dict[str, str] | None = None) -> None:
    """A student's assignment/: the reference, with this text at the end of a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in rubric.load().files:
        text = (ROOT / "solutions" / name).read_text(encoding="utf-8")
        (folder / name).write_text(text + (mistakes or {}).get(name, ""), encoding="utf-8")


NO_MEAN = override_source(next(each for each in entries("warmup.normalize") if each.name == "mean not subtracted"))
MINUS_ONE = """

def normalize(images):
    return torch.as_tensor(images).permute(0, 3, 1, 2).float() / 127.5 - 1
"""


def three_submissions(place: Place) -> None:
    for name, mistake in (("alice", ""), ("bob", NO_MEAN), ("carol", MINUS_ONE)):
        put(place.project / "submissions" / name / "assignment", {"warmup.py": mistake})


def own_images(place: Place) -> None:
    import numpy as np

    from assignment.provided.shapes import make_shapes

    (x, y), (x_test, y_test) = make_shapes(2560, seed=0), make_shapes(500, seed=1)
    np.savez(place.project / "mine.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)


def to_project(place: Place) -> None:
    place.folder = place.project


def repository(place: Place) -> None:
    """An empty one to push to, and a checkout of the project."""
    place.must("git init -q --bare -b main ~/empty.git")
    to_project(place)


def checkout(place: Place) -> None:
    to_project(place)
    place.must("git init -q -b main && git add . && git commit -q -m 'Begin'")


def student_copy(place: Place) -> None:
    """The folder that a student has, as a clone of a repository."""
    to_project(place)
    place.must("python -m release student ~/mine && git init -q --bare -b main ~/mine.git && cd ~/mine && git init -q -b main")
    place.must("git add . && git commit -q -m Begin && git remote add origin ~/mine.git && git push -q -u origin main")


def written_loss(place: Place) -> None:
    put(place.home / "mine" / "assignment")


def zipped(place: Place) -> None:
    three_submissions(place)
    for name in ("alice", "bob"):
        shutil.make_archive(str(place.project / "submissions" / name), "zip", place.project / "submissions" / name)
        shutil.rmtree(place.project / "submissions" / name)
    shutil.rmtree(place.project / "submissions" / "carol")
    shutil.copy(place.project / "submissions" / "alice.zip", place.project)


# ---- with nbgrader


COURSE, EXCHANGE = "ssl", "/srv/nbgrader/exchange"


def exchange(place: Place) -> None:
    """Put the line in force that names the exchange; it lies in the home folder here."""
    config = place.home / COURSE / "nbgrader_config.py"
    text = config.read_text(encoding="utf-8")
    assert f'# c.Exchange.root = "{EXCHANGE}"' in text
    own = place.home / "exchange"
    own.mkdir()
    own.chmod(0o777)
    config.write_text(text.replace(f'# c.Exchange.root = "{EXCHANGE}"', f'c.Exchange.root = "{own}"\nc.ExchangeCollect.check_owner = False'))
    in_course(place)


def in_course(place: Place) -> None:
    place.folder = place.home / COURSE


def as_student(place: Place) -> None:
    """The configuration that the guide shows."""
    shown = next(block for _, _, block in blocks((DOCS / "nbgrader.md").read_text(encoding="utf-8")) if "c = get_config()" in block)
    (place.home / "nbgrader_config.py").write_text("\n".join(shown).replace(EXCHANGE, str(place.home / "exchange")))
    place.folder = place.home


def work(place: Place) -> None:
    """Ada writes everything, Ben with a mistake and an answer, Cleo an answer alone; their machines do the rest."""
    fetched, kept = place.home / "vicreg", place.home / "as-fetched"
    shutil.copytree(fetched, kept)
    for name in ("ben", "cleo", "ada"):
        shutil.rmtree(fetched)
        shutil.copytree(kept, fetched)
        if name != "cleo":
            put(fetched / "assignment", {"warmup.py": NO_MEAN if name == "ben" else ""})
        if name != "ada":
            answer(fetched, "Color rather than class.", question="q8", name="part2_ablations.ipynb")
        if name == "ben":
            (fetched / "part1_vicreg.ipynb").rename(fetched / "part1_vicreg (1).ipynb")
        if name == "cleo":
            (fetched / "part3_downstream.ipynb").write_text("{")
        if name != "ada":
            place.must(f"nbgrader submit vicreg --student={name}")


GUIDES = {
    "instructors.md": Guide({"python -m autograder grade": three_submissions, "python -m demo": own_images}),
    "students.md": Guide(
        {"python -m autograder check": student_copy, "git add assignment": written_loss},
        fails=("python -m autograder check",),
    ),
    "github.md": Guide(
        {"python -m release github": repository, "mkdir": checkout},
        said={"<the address of an empty repository>": "~/empty.git"}, fails=("python -m autograder check",),
    ),
    "gradescope.md": Guide({}, said={"ADDRESS": "https://example.org/cpu"}),
    "sinks.md": Guide(
        {"python -m autograder grade": zipped}, said={"$GITHUB_STEP_SUMMARY": "summary.md"}, fails=("python -m autograder check",)
    ),
    "nbgrader.md": Guide(
        {
            "nbgrader generate_assignment": exchange, "nbgrader fetch_assignment": as_student, "nbgrader submit": work,
            "nbgrader collect": in_course, "python -m release nbgrader-autograde": to_project, "jupyter lab": in_course,
        },
        said={"nbgrader submit vicreg": "nbgrader submit vicreg --student=ada", EXCHANGE: "~/exchange"},
    ),
}  # fmt: skip


# ---- following them -------------------------------------------------------------------------------------------------


def test_what_is_done_elsewhere_is_done_there():
    for name in ELSEWHERE.values():
        file, _, test = name.partition("::")
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), name


@pytest.mark.ci
@pytest.mark.slow
@pytest.mark.parametrize("page", GUIDES)
def test_a_guide_works_as_it_stands(page, tmp_path):
    guide, place, done = GUIDES[page], Place(tmp_path), set()
    for step in steps(DOCS / page):
        if isinstance(step, Change):
            place.patch(step.text)
            continue
        for beginning, prepare in guide.before.items():
            if step.text.startswith(beginning) and beginning not in done:
                done.add(beginning)
                prepare(place)
        if step.text not in ELSEWHERE:
            follow(guide, step, place, page)


def follow(guide: Guide, step: Command, place: Place, page: str) -> None:
    """Run one command, and compare what it prints."""
    command = step.text
    for word, meant in guide.said.items():
        command = command.replace(word, meant)
    code, output = place.run(command)
    where = f"docs/{page}:{step.line}: {step.text}\n"
    assert code == (1 if step.text.startswith(guide.fails) and guide.fails else 0), f"{where}ended with {code}:\n{output}"
    if step.printed:
        for word, meant in guide.said.items():
            output = output.replace(meant, word)
        assert agree(step.printed, output), f"{where}prints\n{output}"
