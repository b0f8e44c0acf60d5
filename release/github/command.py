"""The command line of `python -m release github`."""

import argparse
from pathlib import Path

from .. import packing
from ..student import command as student
from ..student import files

HERE = Path(__file__).parent
FOLDER = "github"  # inside an archive
EXAMPLES = """examples:
  python -m release github ../course             OUT/template and OUT/instructor
  python -m release github ../course --dry-run   only list what would be written
  python -m release github ../course --force     write them again; a .git there stays

OUT/template is what students start from: their copy (as `python -m release student` packs it), and a workflow that runs the
public checks on each push. Make it a template repository. OUT/instructor holds a workflow for your own private repository
with this project: it grades with the hidden checks, and never belongs into a repository that students can read.
docs/github.md goes through all of it.

exit codes: 0 done, 2 an error, or something would be overwritten
"""


def register(commands) -> None:
    """Add the command's parser."""
    told = "write a template repository for GitHub, and the workflow that grades"
    form = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser("github", help=told, description=told, epilog=EXAMPLES, formatter_class=form)
    packing.add_options(command)
    command.set_defaults(run=run)


def run(options, root: Path) -> int:
    """Do what the command line asks. Raises PackingError, RubricError and OSError."""
    return student.pack(options, root, collect, FOLDER)


def collect(root: Path) -> dict[str, bytes]:
    """Both repositories' files, {path: bytes}. Raises PackingError, RubricError and OSError."""
    made = {f"template/{name}": data for name, data in files.collect(root).items()}
    paths = [path for part in ("template", "instructor") for path in sorted((HERE / part).rglob("*")) if path.is_file()]
    return made | {path.relative_to(HERE).as_posix(): path.read_bytes() for path in paths}
