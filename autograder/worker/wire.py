"""The wire format between the grader and a worker: plain data only, never pickle.

A frame is an 8-byte big-endian length, then a body: a 4-byte length, that many bytes of JSON, and the
tensors as one safetensors blob. The JSON says where each tensor belongs. Whoever reads a frame trusts nothing in it:
sizes are capped before memory is taken, and every malformed frame is a `WireError`.
"""
import json
import math
import socket
import struct
import sys
import time

import numpy as np
import safetensors.torch
import torch

MAX_FRAME = 64 * 1024 * 1024  # bytes; the largest of an honest answer, 400 images, takes 5 MB
MAX_HEADER = 8 * 1024 * 1024  # bytes of JSON, which takes up to 30 times as much memory once it is read
MAX_NODES = 200_000  # values in one message
MAX_TENSORS = 20_000  # in one message
MAX_DEPTH = 32
MAX_SIDE = 2**31  # rows or columns of a sparse matrix
MAX_DENSE = 2**24  # entries of a sparse matrix that is written out densely
_SCALARS = (type(None), bool, int, str)


class WireError(Exception):
    """A frame that is malformed, too large, or holds what the format does not allow."""


class Unsupported:
    """Stands for a value of a type that does not travel (a tensor subclass, a generator, a model ...)."""

    def __init__(self, type_name: str):
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<a value of type {self.type_name}>"


class Sparse:
    """A sparse matrix as plain data, of whichever library and format it was: SciPy's or PyTorch's.

    `indices` (2, entries) int64 holds rows and columns, `values` (entries,) what stands there; what stands twice at
    the same place is to be added.
    """

    def __init__(self, type_name: str, shape: tuple[int, int], indices: torch.Tensor, values: torch.Tensor):
        self.type_name, self.shape, self.indices, self.values = type_name, shape, indices, values

    def __repr__(self) -> str:
        return f"<a sparse matrix ({self.type_name}) of shape {self.shape} with {len(self.values)} entries>"

    def dense(self) -> torch.Tensor:
        """All entries, (rows, columns) float64. ValueError where they are too many: look at the shape first."""
        rows, columns = self.shape
        if rows * columns > MAX_DENSE:
            raise ValueError(f"{self!r} is too large to be written out")
        full = torch.zeros(rows * columns, dtype=torch.float64)
        return full.index_add_(0, self.indices[0] * columns + self.indices[1], self.values.double()).view(rows, columns)


def pack(value) -> bytes:
    """The body of a frame. Types that do not travel become `Unsupported`; types are compared exactly."""
    tensors: dict[str, torch.Tensor] = {}
    tree = _encode(value, tensors, depth=0)
    header = json.dumps(tree).encode()
    return struct.pack(">I", len(header)) + header + safetensors.torch.save(tensors)


def unpack(body: bytes):
    """The value of a frame's body. Raises WireError on anything malformed."""
    try:
        (size,) = struct.unpack_from(">I", body)
        if size > min(len(body) - 4, MAX_HEADER):
            raise WireError("a header longer than its frame or than the limit")
        tree = json.loads(body[4 : 4 + size])
        tensors = safetensors.torch.load(bytes(body[4 + size :]))
        if len(tensors) > MAX_TENSORS:
            raise WireError("a message with too many tensors")
        for each in tensors.values():
            if each.dtype == torch.bool and (each.view(torch.uint8) > 1).any():
                raise WireError("a boolean that is neither true nor false")  # sums would count it as what it is
        return _decode(tree, tensors, [MAX_NODES], depth=0)
    except WireError:
        raise
    except Exception as error:  # any parser's complaint about hostile bytes means the same
        raise WireError(f"malformed frame: {type(error).__name__}") from error


def send(sock: socket.socket, value, deadline: float | None = None) -> None:
    """Send one frame; TimeoutError once `deadline` (time.monotonic) has passed."""
    body = pack(value)
    if len(body) > MAX_FRAME:
        raise WireError(f"a message of {len(body)} bytes is over the limit of {MAX_FRAME}")
    view = memoryview(struct.pack(">Q", len(body)) + body)
    while view:
        _arm(sock, deadline)
        view = view[sock.send(view) :]


def receive(sock: socket.socket, deadline: float | None = None):
    """Receive one frame; EOFError when the peer is gone, TimeoutError after `deadline`."""
    return unpack(receive_body(sock, deadline))


def receive_body(sock: socket.socket, deadline: float | None = None, limit: int = MAX_FRAME) -> bytes:
    """The body of one frame, of at most `limit` bytes."""
    (size,) = struct.unpack(">Q", _read(sock, 8, deadline))
    if size > limit:  # not told: the sender chose the number, and hidden items show this message
        raise WireError("a frame that is over the limit")
    return _read(sock, size, deadline)


def _read(sock: socket.socket, size: int, deadline: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        _arm(sock, deadline)
        chunk = sock.recv(min(size - len(data), 1 << 20))  # grow with what really came, not with what was announced
        if not chunk:
            raise EOFError("the other side closed the connection")
        data += chunk
    return bytes(data)


def _arm(sock: socket.socket, deadline: float | None) -> None:
    if deadline is None:
        sock.settimeout(None)
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    sock.settimeout(left)


def _encode(value, tensors: dict, depth: int):
    if depth > MAX_DEPTH:
        return {"unsupported": "something nested too deeply"}
    kind = type(value)
    if kind in _SCALARS:
        return value.encode(errors="replace").decode() if kind is str else value
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind in (list, tuple):
        return {kind.__name__: [_encode(each, tensors, depth + 1) for each in value]}
    if kind is dict and all(type(key) in (str, int) for key in value):
        return {"dict": [[key, _encode(each, tensors, depth + 1)] for key, each in value.items()]}
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        fields = [[str(name), _encode(each, tensors, depth + 1)] for name, each in zip(kind._fields, tuple(value))]
        return {"named": fields}
    if isinstance(value, tuple) and kind.__module__ == "torch.return_types":  # what topk, sort, max ... return
        return {"tuple": [_encode(each, tensors, depth + 1) for each in tuple(value)]}
    return _encode_array(value, tensors)


def _encode_array(value, tensors: dict):
    kind = type(value)
    try:
        if (sparse := as_sparse(value)) is not None:
            stored = [_store(sparse.indices, tensors), _store(sparse.values, tensors)]
            return {"sparse": [sparse.type_name, list(sparse.shape), *stored]}
        if kind is torch.Tensor or kind is torch.nn.Parameter:
            return {"tensor": _store(value.detach().cpu(), tensors)}
        if kind is np.ndarray or (isinstance(value, np.generic) and kind.__module__ == "numpy"):
            array = np.array(value)  # a copy, and C-contiguous in the machine's byte order
            return {"array" if kind is np.ndarray else "scalar": _store(torch.from_numpy(array), tensors)}
    except (TypeError, RuntimeError, NotImplementedError, ValueError, KeyError):
        return {"unsupported": f"{kind.__name__} ({_properties(value)})"}
    return {"unsupported": f"{kind.__module__}.{kind.__qualname__}"}


def _properties(value) -> str:
    """What may be why an array does not travel: its dtype, and a tensor's layout and device where they are special."""
    found = [str(getattr(value, "dtype", "?"))]
    if isinstance(value, torch.Tensor):
        found += [str(value.layout)] if value.layout is not torch.strided else []
        found += [f"on the device {value.device}"] if value.device.type != "cpu" else []
    return ", ".join(found)


def as_sparse(value) -> Sparse | None:
    """A sparse matrix of SciPy or PyTorch, in any of their formats, as a `Sparse`; None for everything else.

    A tensor that is sparse in another way (more dimensions, values that are tensors themselves) is a TypeError.
    """
    kind = type(value)
    if kind in (torch.Tensor, torch.nn.Parameter) and value.layout is not torch.strided:
        if value.dim() != 2 or value.dense_dim() != 0:
            raise TypeError("not a matrix of numbers")
        entries = value.detach().cpu().to_sparse_coo()
        return Sparse(str(value.layout), tuple(value.shape), entries._indices(), entries._values())
    scipy = sys.modules.get("scipy.sparse")  # not imported: then nothing is of its types
    if scipy is None or not kind.__module__.startswith("scipy.sparse") or not scipy.issparse(value):
        return None
    if value.ndim != 2:
        raise TypeError("not a matrix")
    entries = value.tocoo()
    indices = torch.from_numpy(np.stack([entries.row, entries.col]).astype(np.int64))
    return Sparse(f"scipy.sparse.{kind.__name__}", tuple(map(int, value.shape)), indices, torch.from_numpy(entries.data))


def _store(tensor: torch.Tensor, tensors: dict) -> str:
    tensor = tensor.resolve_conj().resolve_neg().contiguous().clone()
    safetensors.torch.save({"x": tensor[..., :0] if tensor.dim() else tensor})  # KeyError for a dtype that does not travel
    name = str(len(tensors))
    tensors[name] = tensor
    return name


def _decode(tree, tensors: dict, budget: list, depth: int):
    budget[0] -= 1
    if budget[0] < 0 or depth > MAX_DEPTH:
        raise WireError("a message with too many values or nested too deeply")
    if isinstance(tree, _SCALARS + (float,)):
        return tree
    if not isinstance(tree, dict) or len(tree) != 1:
        raise WireError("a value without its kind")
    ((kind, content),) = tree.items()

    def inner(each):
        return _decode(each, tensors, budget, depth + 1)

    if kind in ("list", "tuple"):
        return (list if kind == "list" else tuple)(inner(each) for each in content)
    if kind in ("dict", "named"):
        decoded = {key: inner(each) for key, each in content}
        return Named(decoded) if kind == "named" else decoded
    if kind == "float":
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]
    if kind == "unsupported":
        return Unsupported(str(content)[:200])
    if kind == "sparse":
        type_name, shape, indices, values = content
        return _decode_sparse(str(type_name)[:200], shape, tensors.pop(indices), tensors.pop(values))
    # Taken out: what came once and is named a thousand times would be a thousand tensors to whoever works on it.
    return _decode_array(kind, tensors.pop(content))


def _decode_array(kind: str, tensor: torch.Tensor):
    if kind == "tensor":
        return tensor
    if kind == "array":
        return tensor.numpy()
    if kind == "scalar":
        return tensor.numpy()[()]
    raise WireError("a value of unknown kind")


def _decode_sparse(type_name: str, shape, indices: torch.Tensor, values: torch.Tensor) -> Sparse:
    if not isinstance(shape, list) or len(shape) != 2 or not all(type(n) is int and 0 <= n <= MAX_SIDE for n in shape):
        raise WireError("a sparse matrix of impossible shape")
    if values.dim() != 1 or indices.dtype != torch.int64 or tuple(indices.shape) != (2, len(values)):
        raise WireError("a sparse matrix whose indices and values do not fit together")
    if len(values) and not ((indices >= 0) & (indices < torch.tensor(shape)[:, None])).all():
        raise WireError("a sparse matrix with an index out of its bounds")
    return Sparse(type_name, tuple(shape), indices, values)


class Named(dict):
    """A named tuple on this side of the wire: its fields in order, as a dict with attribute access."""

    def __getattr__(self, name: str):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None
