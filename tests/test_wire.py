"""The wire format: what goes in comes out, nothing else comes out, and hostile bytes only ever raise WireError."""
import math
import socket
import struct
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.worker import wire

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=20,
)


def roundtrip(value):
    return wire.unpack(wire.pack(value))


@given(plain)
def test_plain_data_comes_back_equal(value):
    assert roundtrip(value) == _without_surrogates(value)


def _without_surrogates(value):
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, list):
        return [_without_surrogates(each) for each in value]
    if isinstance(value, dict):
        return {key: _without_surrogates(each) for key, each in value.items()}
    return value


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8, torch.int64, torch.bool])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_tensors_keep_dtype_shape_and_values(dtype, shape):
    value = (torch.rand(shape) * 5).to(dtype)
    back = roundtrip({"x": [value, value.numpy() if dtype != torch.bfloat16 else None]})["x"]
    assert back[0].dtype == dtype and torch.equal(back[0], value)
    assert dtype == torch.bfloat16 or (type(back[1]) is np.ndarray and np.array_equal(back[1], value.numpy()))


def test_views_are_sent_as_they_look():
    base = torch.arange(12.0).reshape(3, 4)
    for view in (base.T, base[:, ::2], base[:1].expand(5, 4), base.numpy()[::-1]):
        assert np.array_equal(np.asarray(roundtrip(view)), np.asarray(view))


def test_special_numbers_and_named_tuples():
    assert math.isnan(roundtrip(float("nan"))) and roundtrip(-math.inf) == -math.inf
    pair = __import__("collections").namedtuple("Pair", "a b")(1, torch.ones(2))
    back = roundtrip(pair)
    assert type(back) is wire.Named and back.a == 1 and list(back) == ["a", "b"]


class Subclass(torch.Tensor):
    pass


class Text(str):
    pass


@pytest.mark.parametrize(
    "value",
    [
        torch.ones(2).as_subclass(Subclass), Text("x"), object(), {1.5: 2}, {"a"}, b"bytes", range(3), np.array(["a"]),
        np.array([object()]), torch.eye(2).to_sparse(), torch.ones(2, dtype=torch.complex128), torch.nn.Linear(1, 1),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_does_not_travel_arrives_as_unsupported(value):
    assert isinstance(roundtrip([value])[0], wire.Unsupported)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(data):
    try:
        wire.unpack(data)
    except wire.WireError:
        pass


@settings(max_examples=300)
@given(st.data())
def test_damaged_frames_never_raise_anything_else(data):
    body = bytearray(wire.pack({"a": torch.ones(2, 3), "b": [1, "x", None], "c": np.arange(3)}))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        wire.unpack(bytes(body))
    except wire.WireError:
        pass


@pytest.mark.parametrize("tree", ["[" * 5000 + "]" * 5000, '{"list":' * 5000 + "1" + "}" * 5000, '{"list": [' + "1," * 300_000 + "1]}"])
def test_deep_and_wide_messages_are_refused(tree):
    body = struct.pack(">I", len(tree)) + tree.encode() + b"\x08\0\0\0\0\0\0\0{}      "
    with pytest.raises(wire.WireError):
        wire.unpack(body)


def test_an_announced_size_takes_no_memory_and_is_capped():
    ours, theirs = socket.socketpair()
    theirs.sendall(struct.pack(">Q", 1 << 60))
    with pytest.raises(wire.WireError, match="over the limit"):
        wire.receive(ours, time.monotonic() + 1)


def test_a_slow_peer_meets_the_deadline():
    ours, theirs = socket.socketpair()
    theirs.sendall(struct.pack(">Q", 100) + b"abc")
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        wire.receive(ours, time.monotonic() + 0.2)
    assert time.monotonic() - started < 2


def test_a_peer_that_does_not_read_meets_the_deadline():
    ours, theirs = socket.socketpair()
    with pytest.raises(TimeoutError):
        wire.send(ours, torch.ones(4_000_000), time.monotonic() + 0.3)
    theirs.close()


def test_large_messages_pass_whole():
    ours, theirs = socket.socketpair()
    value = torch.randn(1_000_000)
    thread = threading.Thread(target=wire.send, args=(theirs, value))
    thread.start()
    assert torch.equal(wire.receive(ours, time.monotonic() + 20), value)
    thread.join()
