"""Ctrl-C and SIGTERM end the command, also where Python would drop them.

An interrupt is an exception, and one that is raised in a callback of the garbage collector or in a destructor goes
nowhere: Python prints it and carries on. One in thirty fell there. It is kept here, and raised between two items.
"""
import signal
import sys

_dropped = False


def install() -> None:
    """Let SIGTERM interrupt, as Ctrl-C does, and keep interrupts that Python drops."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report = sys.unraisablehook

    def keep(dropped) -> None:
        global _dropped
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            _dropped = True
        else:
            report(dropped)

    sys.unraisablehook = keep


def raise_dropped() -> None:
    """Raise KeyboardInterrupt if one was dropped since the last time."""
    global _dropped
    if _dropped:
        _dropped = False
        raise KeyboardInterrupt
