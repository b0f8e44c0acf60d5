import signal
import sys

from autograder import interrupts

interrupts.install()
try:
    from release.cli import main  # takes seconds: Ctrl-C may come meanwhile

    code = main()
except KeyboardInterrupt:
    print("interrupted; no file is half written", file=sys.stderr)
    code = 128 + signal.SIGINT
sys.exit(code)
