"""Files that are whole or not there, also after Ctrl-C or a power cut."""

import os
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, content: str | Callable[[Path], object]) -> Path:
    """Write text, or let `content` write to the path it is given; then put the file in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")  # keeps the suffix, which tells a figure's format
    try:
        if isinstance(content, str):
            unfinished.write_text(content, encoding="utf-8")
        else:
            content(unfinished)
        with open(unfinished, "rb") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return path
