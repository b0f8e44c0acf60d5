"""The wire format: what goes in comes out, nothing else comes out, and hostile bytes only ever raise WireError."""
import json
import math
import socket
import struct
import threading
import time

import numpy as np
import pytest
import safetensors.torch
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import expect
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


def test_what_topk_returns_arrives_as_a_tuple():
    values, indices = roundtrip(torch.tensor([1.0, 5.0, 3.0]).topk(2))
    assert values.tolist() == [5.0, 3.0] and indices.tolist() == [1, 2]
    assert type(roundtrip([torch.eye(2).max(dim=1)])[0]) is tuple


class Subclass(torch.Tensor):
    pass


class Text(str):
    pass


@pytest.mark.parametrize(
    "value",
    [
        torch.ones(2).as_subclass(Subclass), Text("x"), object(), {1.5: 2}, {"a"}, b"bytes", range(3), np.array(["a"]),
        np.array([object()]), torch.ones(2, dtype=torch.complex128), torch.nn.Linear(1, 1), torch.eye(2).to_sparse(1),
        torch.ones(2, 2, 2).to_sparse(), torch.ones(3).to_sparse(), scipy.sparse.coo_array(np.ones(3)),
        scipy.sparse.coo_array(np.ones((2, 2), dtype=np.complex128)), scipy.sparse.csr_array(np.ones((2, 2), dtype=np.longdouble)),
        type("Own", (scipy.sparse.csr_array,), {})(np.eye(2)), scipy.sparse.csr_array,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_does_not_travel_arrives_as_unsupported(value):
    assert isinstance(roundtrip([value])[0], wire.Unsupported)


MATRIX = np.array([[0, 2, 0, -1], [0, 0, 0, 0], [3, 0, 0, 0], [0, 0, 5, 0], [7, 0, 0, 0], [0, 1, 0, 0]])
SCIPY = [f"{name}_{kind}" for name in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil") for kind in ("array", "matrix")]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("name", SCIPY)
def test_scipy_matrices_arrive_as_indices_and_values(name, dtype):
    back = roundtrip(getattr(scipy.sparse, name)(MATRIX.astype(dtype)))
    assert type(back) is wire.Sparse and back.type_name == f"scipy.sparse.{name}" and back.shape == (6, 4)
    assert back.values.dtype == getattr(torch, dtype)
    assert np.array_equal(back.dense().numpy(), MATRIX.astype(dtype))


@pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
@pytest.mark.parametrize("name", ["coo", "csr", "csc", "bsr", "bsc"])
def test_torch_sparse_matrices_arrive_as_indices_and_values(name, dtype):
    dense = torch.from_numpy(MATRIX).to(dtype)
    sparse = getattr(dense, f"to_sparse_{name}")(*[(2, 2)] * (name in ("bsr", "bsc")))
    back = roundtrip({"W": sparse.requires_grad_(dtype.is_floating_point)})["W"]
    assert type(back) is wire.Sparse and back.shape == (6, 4) and back.values.dtype == dtype
    assert torch.equal(back.dense(), dense.double())


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_entries_at_the_same_place_are_added_and_empty_ones_travel():
    rows, columns, values = [0, 0, 1], [1, 1, 0], [1.0, 2.0, 4.0]
    for twice in (scipy.sparse.coo_array((values, (rows, columns)), (2, 2)), torch.sparse_coo_tensor([rows, columns], values, (2, 2))):
        assert roundtrip(twice).dense().tolist() == [[0.0, 3.0], [4.0, 0.0]]
    for shape in ((0, 0), (0, 3), (4, 2)):
        for empty in (scipy.sparse.csr_array(shape), torch.sparse_coo_tensor(size=shape)):
            assert torch.equal(roundtrip(empty).dense(), torch.zeros(shape, dtype=torch.float64))


def test_a_large_sparse_matrix_stays_small():
    body = wire.pack(scipy.sparse.eye_array(100_000, format="csr"))
    assert len(body) < 3_000_000
    with pytest.raises(ValueError, match="too large"):
        wire.unpack(body).dense()


def sparse_body(shape, indices, values) -> bytes:
    """A frame's body with a sparse matrix of whatever parts."""
    tensors = {"0": torch.as_tensor(indices), "1": torch.as_tensor(values)}
    header = json.dumps({"sparse": ["forged", shape, "0", "1"]}).encode()
    return struct.pack(">I", len(header)) + header + safetensors.torch.save(tensors)


def test_well_formed_sparse_body_is_read():
    assert wire.unpack(sparse_body([2, 3], [[0, 1], [2, 0]], [1.0, 5.0])).dense().tolist() == [[0, 0, 1], [5, 0, 0]]


@pytest.mark.parametrize("shape", [[-1, 3], [2**40, 2], [2], [2, 3, 4], ["2", 3], [2.0, 3], [True, 3], None, 7, {}, [[2], 3], "23", [10**400, 2]])
def test_impossible_shapes_are_refused(shape):
    with pytest.raises(wire.WireError):
        wire.unpack(sparse_body(shape, [[0], [0]], [1.0]))


@pytest.mark.parametrize(
    "indices, values",
    [
        ([[0], [3]], [1.0]), ([[-1], [0]], [1.0]), ([[2], [0]], [1.0]), ([[2**62], [0]], [1.0]), ([[0, 1]], [1.0]), ([0, 1], [1.0]),
        ([[0], [0]], [1.0, 2.0]), ([[0], [0]], [[1.0]]), ([[0], [0]], 1.0), ([[0.0], [0.0]], [1.0]), ([[0], [0], [0]], [1.0]),
        (torch.zeros(2, 1, dtype=torch.int32), [1.0]), (torch.zeros(2, 1, dtype=torch.bool), [1.0]), (torch.zeros(2, 0), []),
    ],
)  # fmt: skip
def test_entries_that_do_not_fit_are_refused(indices, values):
    with pytest.raises(wire.WireError):
        wire.unpack(sparse_body([2, 3], indices, values))


@pytest.mark.parametrize("content", [[], ["x", [1, 1], "0"], "abcd", 3, None, ["x", [1, 1], "0", "9"], ["x", [1, 1], [], {}]])
def test_sparse_matrices_without_their_parts_are_refused(content):
    header = json.dumps({"sparse": content}).encode()
    with pytest.raises(wire.WireError):
        wire.unpack(struct.pack(">I", len(header)) + header + safetensors.torch.save({"0": torch.zeros(2, 0, dtype=torch.int64)}))


@settings(max_examples=300)
@given(st.data())
def test_damaged_sparse_frames_never_raise_anything_else(data):
    body = bytearray(wire.pack([scipy.sparse.csr_array(MATRIX), torch.eye(3).to_sparse()]))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        for each in wire.unpack(bytes(body)):
            expect.describe(each)
            expect.matrix(each, (6, 4), what="W")
    except (wire.WireError, expect.Mismatch, TypeError):  # TypeError: the list itself became something else
        pass


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
