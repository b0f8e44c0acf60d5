import sys
from pathlib import Path

# `python -m` puts the current folder first on the import path. Where that is a submission, its `assignment` package
# must not be what the trusted process imports.
PROJECT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(PROJECT)] + [entry for entry in sys.path if Path(entry or ".").resolve() not in (PROJECT, Path.cwd())]

try:
    from autograder.cli import main  # takes seconds: Ctrl-C may come meanwhile
except KeyboardInterrupt:
    sys.exit("autograder: interrupted before anything was done")

sys.exit(main())
