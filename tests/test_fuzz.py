"""Random damage to what submissions send and hand in: the wire format and the reader of archives never lose control.

Valid frames and zips are flipped, cut, spliced, repeated and given other lengths; and hypothesis makes JSON that is valid
and means nothing. Whatever comes, the answer is a value or the one error that the format has, in bounded memory and time.
A few seconds of it run always; the marked tests go on for FUZZ_SECONDS each.
"""
import io
import json
import math
import random
import resource
import shutil
import socket
import stat
import struct
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder import staging
from autograder.worker import wire

FUZZ_SECONDS = 300  # of each of the two marked tests
SHORT_SECONDS = 2
MEMORY = 512 * 1024**2  # bytes by which the process may grow, whatever it is given
SLOWEST = 5.0  # seconds for one input; the inputs are of 100 KB or less
FILES = ("warmup.py", "vicreg.py")


# -- frames ---------------------------------------------------------------------------------------------------------

VALUES = [
    None, True, -7, 2.5, math.nan, -math.inf, "text \u202e \0", [], [1, [2, (3, {"a": 4.0})]], {"a": [None], 3: "b"},
    torch.arange(12.0).view(3, 4), torch.zeros(0, 5), torch.tensor(True), torch.ones(2, dtype=torch.bfloat16),
    np.arange(6, dtype=np.uint8).reshape(2, 3), np.float32(1.5), np.array(7), torch.eye(3).to_sparse(),
    {"value": {"loss": torch.tensor(1.0), "terms": [torch.ones(2)] * 3}, "mutated": [0], "changed_settings": []},
    {"error": {"kind": "exception", "type": "ValueError", "bases": ["ValueError"], "message": "m", "frames": [{"line": 3}]}},
]  # fmt: skip
FRAMES = [wire.pack(value) for value in VALUES]
WORDS = [b'"tensor"', b'"sparse"', b'"named"', b'"0"', b'{"list":', b"[[", b"}}", b"NaN", b"1e999", b"-0", b"null", b'"F32"', b'"shape"',
         b'"data_offsets"', b"[0,8]", b"9" * 40, b"\xff\xfe", b"\\ud800", b'"dict"', b"4294967296"]  # fmt: skip


def damaged(data: bytes, others: list[bytes], words: list[bytes], draw: random.Random) -> bytes:
    """`data` after an accident, or up to six."""
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        place, length = draw.randrange(len(data) + 1), draw.choice((1, 1, 2, 4, 8, 64))
        before, cut, after = data[:place], data[place : place + length], data[place + length :]
        other = draw.choice(others)
        start = draw.randrange(len(other) + 1)
        data = draw.choice(
            (
                lambda: before + bytes(each ^ 1 << draw.randrange(8) for each in cut) + after,
                lambda: before + draw.randbytes(len(cut)) + after,
                lambda: before + after,
                lambda: before,
                lambda: before + draw.choice(words) + after,
                lambda: before + draw.choice(words) + cut + after,
                lambda: before + cut * draw.choice((2, 50)) + after,
                lambda: before + other[start : start + draw.choice((8, 64, 1024))] + after,
                lambda: before + struct.pack(draw.choice(("<I", ">I", "<Q", ">Q")), draw.choice(SIZES)) + after,
            )
        )()[:100_000]
    return data


SIZES = (0, 1, 7, 8, 255, 65_535, 2**31 - 1, 2**31, 2**32 - 1)


def read_frame(body: bytes) -> bool:
    """Whether `body` was accepted. What it gave survives the wire once more."""
    try:
        value = wire.unpack(body)
    except wire.WireError:
        return False
    again = wire.unpack(wire.pack(value))
    assert shown(again) == shown(value)
    return True


def shown(value) -> str:
    """A value as text, with types and bits, so that two can be compared. What is made to be received only has no content."""
    if isinstance(value, (wire.Unsupported, wire.Sparse, wire.Named)):
        return "only received"
    if isinstance(value, torch.Tensor):
        return f"tensor {value.dtype} {tuple(value.shape)} {value.contiguous().flatten().view(torch.uint8).tolist()}"
    if isinstance(value, (np.ndarray, np.generic)):
        return f"{type(value).__name__} {value.dtype} {value.shape} {value.tobytes().hex()}"
    if isinstance(value, dict):
        if not all(type(key) in (str, int) for key in value):
            return "only received"
        return f"dict {[(key, shown(each)) for key, each in value.items()]}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__} {[shown(each) for each in value]}"
    return value.encode(errors="replace").decode() if isinstance(value, str) else f"{type(value).__name__} {value!r}"


class Watched:
    """Counts inputs, and holds their time and memory to what is allowed."""

    def __init__(self, seconds: float):
        self.deadline, self.before = time.monotonic() + seconds, peak()
        self.runs = self.accepted = 0

    def go_on(self) -> bool:
        return time.monotonic() < self.deadline

    def run(self, function, *args) -> None:
        started = time.monotonic()
        self.accepted += function(*args)
        self.runs += 1
        assert time.monotonic() - started < SLOWEST
        assert peak() - self.before < MEMORY

    def told(self, what: str) -> None:
        print(f"\n{self.runs} {what}, {self.accepted} of them accepted, {(peak() - self.before) >> 20} MiB more memory")
        assert 0 < self.accepted < self.runs, "damage that is always or never noticed tests nothing"


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fuzz_frames(seconds: float, seed: int) -> None:
    draw, watched = random.Random(seed), Watched(seconds)
    corpus = list(FRAMES)
    while watched.go_on():
        body = damaged(draw.choice(corpus), corpus, WORDS, draw)
        accepted = watched.accepted
        watched.run(read_frame, body)
        if watched.accepted > accepted and len(corpus) < 2000:  # go on from what is odd and still valid
            corpus.append(body)
    watched.told("frames")


def test_damaged_frames_are_values_or_wire_errors():
    fuzz_frames(SHORT_SECONDS, seed=0)


@pytest.mark.slow
def test_damaged_frames_for_long():
    fuzz_frames(FUZZ_SECONDS, seed=1)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
kinds = st.sampled_from(["list", "tuple", "dict", "named", "float", "unsupported", "sparse", "tensor", "array", "scalar", "other"])
trees = st.recursive(
    scalars | st.sampled_from(["0", "1", "nan"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(kinds, inner, max_size=2) | st.lists(st.tuples(st.text(max_size=3), inner), max_size=3),
    max_leaves=12,
)
TENSORS = safetensors.torch.save({"0": torch.arange(4).view(2, 2), "1": torch.ones(2)})


@given(trees)
def test_any_json_is_a_value_or_a_wire_error(tree):
    header = json.dumps(tree).encode()
    read_frame(struct.pack(">I", len(header)) + header + TENSORS)


@given(st.binary(max_size=200), st.integers(0, 2**64 - 1) | st.integers(0, 300))
def test_any_stream_is_a_value_or_one_of_three_errors(body, size):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(struct.pack(">Q", size) + body)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises((wire.WireError, EOFError, TimeoutError)):
            wire.receive(ours, time.monotonic() + 5)
            raise wire.WireError("it happened to be a valid frame")


# -- archives -------------------------------------------------------------------------------------------------------


def zipped(names: list[str], compression: int, mode: int = stat.S_IFREG | 0o644, comment: bytes = b"") -> bytes:
    whole = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(whole, "w") as archive:
        warnings.simplefilter("ignore")  # about a name that is there twice
        for name in names:
            member = zipfile.ZipInfo(name)
            member.compress_type, member.external_attr = compression, mode << 16
            with archive.open(member, "w", force_zip64=len(name) % 2 == 0) as file:
                file.write(b"x = 1\n" * 60)
        archive.comment = comment
    return whole.getvalue()


USUAL = ["assignment/vicreg.py", "assignment/warmup.py", "assignment/notes.txt", "assignment/provided/models.py"]
ARCHIVES = [
    zipped(USUAL, zipfile.ZIP_DEFLATED), zipped(USUAL, zipfile.ZIP_STORED), zipped(USUAL, zipfile.ZIP_BZIP2), zipped(USUAL, zipfile.ZIP_LZMA),
    zipped(["vicreg.py", "vicreg.py", "a/vicreg.py", "a/b/warmup.py"], zipfile.ZIP_DEFLATED), zipped([], zipfile.ZIP_STORED),
    zipped(["../vicreg.py", "/etc/x.py", "a\\b.py", "vicreg.py"], zipfile.ZIP_STORED), zipped(["vicreg.py"], zipfile.ZIP_DEFLATED, stat.S_IFLNK),
    zipped(["assignment/" + "d/" * 60 + "vicreg.py", "vicreg.py", "\u202e.py"], zipfile.ZIP_DEFLATED, comment=b"PK\x05\x06" * 50),
]  # fmt: skip
MARKS = [b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"../", b"/", b"\0", b"vicreg.py", b"\x01\x00\x10\x00",
         b"\x08\x00", b"\x0e\x00", b"\xff\xff\xff\xff", b"assignment/", b"\xf0\x9f", b"\n::error::"]  # fmt: skip


def read_archive(data: bytes, base: Path) -> bool:
    """Whether the zip was accepted. Nothing is written outside of the folder that it is for."""
    path, into = base / "submission.zip", base / "into"
    path.write_bytes(data)
    try:
        staged = staging.stage(path, FILES, into)
    except staging.SubmissionError as error:
        assert str(error)
        return False
    finally:
        assert sorted(each.name for each in base.iterdir()) in (["into", "submission.zip"], ["submission.zip"])
        for name in FILES:
            assert not (into / "assignment" / name).is_symlink()
        for name in FILES:
            (into / "assignment" / name).unlink(missing_ok=True)
    assert isinstance(staged, staging.Staged) and set(staged.missing) <= set(FILES)
    assert not any("\n" in note for note in staged.notes)
    assert names_below(into) == LAID_OUT
    return len(staged.missing) < len(FILES)


def names_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")} - {f"assignment/{name}" for name in FILES}


LAID_OUT: set[str] = set()


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A folder in which the release is laid out once; laying it out anew is most of the time, and not what is tried."""
    staging.lay_out_release(tmp_path / "into")
    LAID_OUT.clear()
    LAID_OUT.update(names_below(tmp_path / "into"))
    monkeypatch.setattr(staging, "lay_out_release", lambda into: None)
    yield tmp_path
    shutil.rmtree(tmp_path)


def fuzz_archives(seconds: float, seed: int, base: Path) -> None:
    draw, watched = random.Random(seed), Watched(seconds)
    corpus = list(ARCHIVES)
    while watched.go_on():
        data = damaged(draw.choice(corpus), corpus, MARKS, draw)
        accepted = watched.accepted
        watched.run(read_archive, data, base)
        if watched.accepted > accepted and len(corpus) < 500:
            corpus.append(data)
    watched.told("archives")


def test_damaged_archives_are_staged_or_refused(base):
    fuzz_archives(SHORT_SECONDS, 0, base)


@pytest.mark.slow
def test_damaged_archives_for_long(base):
    fuzz_archives(FUZZ_SECONDS, 1, base)
