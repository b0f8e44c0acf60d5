"""The command line of `python -m release student`."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from .. import handout, packing
from . import files

EXAMPLES = """examples:
  python -m release student student.zip             an archive to hand out
  python -m release student ../student              a folder, e.g. to look at first
  python -m release student student.zip --dry-run   only list what would be in it
  python -m release student student.zip --force     write it again

It holds stubs, notebooks, handout, given files, the public checks and the `check` command; nothing of the reference, the
hidden checks, the known mistakes or the model answers (which is looked for before anything is written). The same
repository gives the same bytes. docs/students.md is the guide that goes with it.

exit codes: 0 done, 2 an error, or something would be overwritten
"""


def register(commands) -> None:
    """Add the command's parser."""
    told = "pack what a student gets: a folder, or an archive where OUT ends in .zip"
    form = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser("student", help=told, description=told, epilog=EXAMPLES, formatter_class=form)
    packing.add_options(command)
    command.set_defaults(run=run)


def run(options, root: Path) -> int:
    """Do what the command line asks. Raises PackingError, RubricError and OSError."""
    return pack(options, root, files.collect, files.FOLDER)


def pack(options, root: Path, collect, folder: str) -> int:
    """Write what `collect(root)` makes, or list it. Raises PackingError, RubricError and OSError."""
    if not options.dry_run:
        packing.check_target(options.out, options.force, root)
    with Console(stderr=True).status("Putting the copy together, and looking for what it must not hold ..."):
        made = collect(root)
    finish(options, made, root, folder)
    tell_open_choices(root)
    return 0


def finish(options, made: packing.Files, root: Path, folder: str) -> None:
    """Write the files or list them, and say so. Raises PackingError and OSError."""
    if options.dry_run:
        print(packing.listing(made), end="")
        packing.check_target(options.out, options.force, root)
        print(f"would write {options.out}: {packing.told(made)}")
        return
    others = packing.write(options.out, made, folder, options.force, root)
    print(f"wrote {options.out}: {packing.told(made)}")
    if others:
        print(f"note: {len(others)} other files there were left as they are; the first is {others[0]}", file=sys.stderr)


def tell_open_choices(root: Path) -> None:
    """What an instructor has still to choose in the handout, which students are about to get."""
    if choices := handout.open_choices(root):
        print(f"note: assignment/README.md leaves {len(choices)} choices to you; the first is {choices[0]}", file=sys.stderr)
