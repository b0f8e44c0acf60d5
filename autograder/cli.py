"""`python -m autograder`: `check` for students, `grade` for instructors and CI, and what proves the verdicts."""
import argparse
import importlib
import importlib.util
import sys

from rich.console import Console

from autograder import interrupts
from autograder.commands import EXIT_INTERRUPTED, EXIT_USAGE, UsageError
from autograder.rubric import RubricError
from autograder.sandbox import SandboxError

# In the order of `--help`. Students' copies hold the first alone.
COMMANDS = ("check", "grade", "certify", "calibrate", "redteam")


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    # A job that CI cancels cleans up and keeps what it finished, as under Ctrl-C.
    interrupts.install()
    try:
        options = parser().parse_args(argv)
        return options.run(options, Console(stderr=options.json, highlight=False))
    except (RubricError, SandboxError, UsageError) as error:
        print(f"autograder: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print("autograder: interrupted; what was finished is kept", file=sys.stderr)
        return EXIT_INTERRUPTED


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m autograder", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = f"autograder.commands.{name}"
        if importlib.util.find_spec(module) is not None:
            importlib.import_module(module).register(commands)
    return top
