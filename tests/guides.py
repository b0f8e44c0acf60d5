"""Reads guides: which commands stand in them, what these print, and which changes of files. `tests/test_guides.py` follows them."""

import dataclasses
import re
from pathlib import Path

PROGRAMS = ("python", "python3", "make", "git", "nbgrader", "jupyter", "conda", "unzip", "zip", "cp", "mkdir", "cd", ".")
# What another machine, or any change of the code, makes another number: times, and how much is packed.
VARYING = re.compile(r"\d+(\.\d+)? (s\b|files\b|MB\b)")


@dataclasses.dataclass(frozen=True)
class Command:
    """A command, and what is said to come of it: lines in which `…` stands for what was left out. None: nothing is said."""

    text: str
    printed: tuple[str, ...] | None
    line: int


@dataclasses.dataclass(frozen=True)
class Change:
    """A change in files, as a unified diff."""

    text: str


def steps(page: Path) -> list[Command | Change]:
    """All commands and changes of a page in Markdown, in their order."""
    found = []
    for line, language, block in blocks(page.read_text(encoding="utf-8")):
        if language == "diff":
            found.append(Change("\n".join(block) + "\n"))
        elif any(each.startswith("$ ") for each in block):
            found += with_output(block, line)
        elif block[0].split(" ")[0] in PROGRAMS:
            found += [Command(each.partition("  #")[0].rstrip(), None, line + n) for n, each in enumerate(block) if each]
    return found


def blocks(text: str) -> list[tuple[int, str, list[str]]]:
    """Code of a page: (number of its first line, language, lines), without the indentation that all its lines share."""
    found, lines, n = [], text.splitlines(), 0
    while n < len(lines):
        start, language = n, ""
        if fence := re.match(r"```(\w*)", lines[n]):
            language, start = fence[1], n + 1
            n = lines.index("```", start)
            found.append((start + 1, language, lines[start:n]))
        elif re.match(r" {4,}\S", lines[n]) and not lines[n - 1].strip():
            while n < len(lines) and (lines[n].startswith("    ") or not lines[n].strip()):
                n += 1
            block = [*lines[start:n]]
            while not block[-1].strip():
                block.pop()
            margin = min(len(each) - len(each.lstrip()) for each in block if each.strip())
            found.append((start + 1, language, [each[margin:] for each in block]))
            continue
        n += 1
    return found


def with_output(block: list[str], line: int) -> list[Command]:
    """The commands of a block in which each begins with `$ `, and what stands below each of them."""
    starts = [n for n, each in enumerate(block) if each.startswith("$ ")]
    found = []
    for n, end in zip(starts, [*starts[1:], len(block)], strict=True):
        printed = block[n + 1 : end]
        while printed and not printed[-1].strip():
            printed.pop()
        found.append(Command(block[n][2:], tuple(printed), line + n))
    return found


def pattern(printed: tuple[str, ...]) -> re.Pattern:
    """What a whole output must match: a line `…` stands for any lines, `…` in a line for anything."""
    lines = []
    for each in printed:
        text = VARYING.sub(r"N \2", each.rstrip())
        lines.append(r"(?:.*\n)*?" if text.strip() == "…" else re.escape(text).replace("…", ".*") + r" *\n")
    return re.compile("".join(lines))


def agree(printed: tuple[str, ...], output: str) -> bool:
    """Whether an output is what a guide says."""
    lines = [VARYING.sub(r"N \2", each.rstrip()) for each in output.splitlines()]
    return pattern(printed).fullmatch("".join(f"{each}\n" for each in lines)) is not None
