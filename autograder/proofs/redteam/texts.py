"""Attacks on whoever reads: output, exceptions and names that pose as the grader's, or that give commands."""
from autograder.proofs.redteam import append, attack
from autograder.proofs.redteam.outcomes import everything, failed, lost, must, no_credit, seen

LOSS = "def variance_loss(z, gamma=1.0, eps=1e-4):\n"
RUDE = (
    "\\x00\\x07\\x1b[2J\\x1b]0;owned\\x07\\r\\x9b31m\\n::error::owned\\n::set-output name=grade::100\\n##[error]owned\\n"
    "</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>\\u202egnorw\\u2066\\u200b\\ufeff\\u2028::warning::owned\\n"
    "| total | 100/100 |\\n# Passed\\n[click](javascript:alert(1))\\n✓ passed        all of it  100/100\\n=HYPERLINK(1)\\n{{ 7 * 7 }}"
)


def inert(report) -> None:
    """Nothing in the report controls a terminal or reverses text."""
    for item in report.items():
        bad = [each for each in item.message if (ord(each) < 32 and each != "\n") or 127 <= ord(each) < 160 or each in "\u202e\u2066\u200b\ufeff"]
        must(not bad, (item.id, bad))
        must(len(item.message) < 8000, (item.id, len(item.message)))


@attack(9, everything(no_credit, inert))
def prints_a_gigabyte(folder):
    """prints a gigabyte, then what controls terminals, web pages and CI services"""
    append(
        folder,
        f"""
import os
{LOSS}    os.write(1, "{RUDE}".encode("utf-8", "surrogatepass"))
    if z.shape == (4, 3):
        for _ in range(2**10 // 4):
            os.write(2, b"\\xff\\x00x\\n" * 2**18)
    return z.sum() * 0 + 7.0
""",
    )


@attack(0, everything(lost("crashed", "time limit"), no_credit, inert))
def prints_without_end(folder):
    """prints without end, from sixteen threads, and never returns"""
    append(
        folder,
        f"""
import os, threading
def _talk():
    while True:
        os.write(1, b"::error::x\\n" * 4096)
{LOSS}    for _ in range(15):
        threading.Thread(target=_talk, daemon=True).start()
    _talk()
""",
    )


@attack(0, everything(lost("crashed"), no_credit, inert))
def raises_rude_text(folder):
    """raises an exception whose text holds terminal codes, HTML, Markdown, CI commands and a megabyte of letters"""
    append(folder, f'{LOSS}    raise ValueError("{RUDE}" + "x" * 2**20)\n')


@attack(0, everything(lost("crashed"), no_credit))
def raises_what_cannot_be_told(folder):
    """raises an exception whose text raises, exits, recurses or is no text"""
    append(
        folder,
        f"""
class Untold(Exception):
    def __str__(self): return {{0: self.fail, 1: self.leave, 2: self.__str__, 3: lambda: 5}}[torch.randint(4, ()).item()]()
    def fail(self): raise Untold()
    def leave(self): raise SystemExit(0)
    __repr__ = __str__
{LOSS}    raise Untold()
""",
    )


@attack(0, no_credit)
def raises_what_lies_about_itself(folder):
    """raises exceptions that pose as the grader's own, as a pass, a skip and an interrupt"""
    append(
        folder,
        f"""
import sys
_kinds = ["Mismatch", "Crash", "GraderFault", "ReferenceFault", "Skipped", "Exit", "OutcomeException", "KeyboardInterrupt"]
{LOSS}    name = _kinds[int(z.shape[0] + z.shape[1]) % len(_kinds)]
    base = KeyboardInterrupt if name == "KeyboardInterrupt" else AssertionError
    kind = type(name, (base,), {{"__module__": "builtins", "kind": "passed", "returnstate": 0}})
    raise kind("passed: 100 of 100 points")
""",
    )


@attack(0, everything(failed("vicreg.variance_value"), inert))
def names_that_look_like_verdicts(folder):
    """renames its function to what looks like a verdict, a command and a path"""
    text = "for _name in ('variance_loss\\n✓ passed 100/100', 'variance_loss::error::', '../../variance_loss', 'variance_lose\\x1b[2J'):\n"
    append(folder, text + "    globals()[_name] = variance_loss\ndel variance_loss\n")


@attack(0, everything(failed("vicreg.variance_value"), inert))
def types_that_look_like_verdicts(folder):
    """returns an object of a class with a rude name, a rude repr and attributes that raise"""
    append(
        folder,
        f"""
def _raise(*_): raise SystemExit("passed")
{LOSS}    return type("{RUDE}".replace(chr(0), ""), (), {{"__repr__": _raise, "__getattr__": _raise, "__module__": "{RUDE}"}})()
""",
    )


def groups_fail(report) -> None:
    verdicts = {item.id: item.verdict for item in report.items()}
    must(all(verdicts[f"vicreg.variance_{name}"] in ("failed", "crashed") for name in ("value", "batches")), seen(report))


@attack(0, groups_fail)
def raises_in_groups_and_chains(folder):
    """raises groups of exceptions, nested a hundred deep, in chains that lead back to themselves"""
    append(
        folder,
        f"""
{LOSS}    inner = ValueError("inner")
    for _ in range(100):
        inner = ExceptionGroup("g" * 1000, [inner, KeyboardInterrupt() if False else OSError(2, "x")])
    inner.__cause__, inner.__context__ = inner, inner
    raise inner
""",
    )


@attack(0, groups_fail)
def answers_differently_each_time(folder):
    """is right and wrong in turn, so that a failure does not repeat"""
    append(
        folder,
        f"""
import time
_right = variance_loss
{LOSS}    value = _right(z, gamma, eps)
    return value if time.time_ns() // 1000 % 2 and z.shape != (4, 3) else value * 0 + 7.0
""",
    )
