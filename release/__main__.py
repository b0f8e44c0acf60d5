"""Command line of `release`: `python -m release stubs [--check]` and `python -m release gate`."""

import argparse
import sys
from pathlib import Path

from . import gate, stubs

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = """examples:
  python -m release stubs           write assignment/*.py from solutions/*.py
  python -m release stubs --check   change nothing; show what would change, and exit with 1 if anything would
  python -m release gate            prove that the stubs earn nothing, the reference everything, and nothing leaks
"""


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line; exit code 0: done, 1: the stubs are out of date (--check), 2: an error."""
    parser = argparse.ArgumentParser(
        prog="python -m release", description="Turn solutions/ into what students receive.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = commands.add_parser("stubs", help="make the stubs in assignment/ from the solutions")
    command.add_argument("--check", action="store_true", help="only compare; exit with 1 on a difference")
    commands.add_parser("gate", help="check all that must hold before a release")
    options = parser.parse_args(arguments)
    try:
        if options.command == "gate":
            return gate.run(root)
        return _check(root) if options.check else _write(root)
    except SyntaxError as error:
        print(f"error: {error.filename}:{error.lineno}: not valid Python: {error.msg}", file=sys.stderr)
    except (stubs.MarkerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    return 2


def _write(root: Path) -> int:
    written = stubs.write_stubs(root)
    for path in written:
        print(f"wrote {path.relative_to(root)}")
    if not written:
        print("the stubs are up to date")
    return 0


def _check(root: Path) -> int:
    changes = stubs.difference(root)
    if not changes:
        print("the stubs are up to date")
        return 0
    print(changes)
    print("assignment/ does not fit solutions/. To make the stubs again:\n\n    python -m release stubs")
    return 1


if __name__ == "__main__":
    sys.exit(main())
