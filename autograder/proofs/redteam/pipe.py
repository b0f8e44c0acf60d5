"""Attacks on the pipe between worker and grader: forged frames, malformed ones, too many, too slow, too large."""
from autograder.proofs.redteam import WRONG, append, attack
from autograder.proofs.redteam.outcomes import everything, lost, no_credit, own_loss

LOSS = "def variance_loss(z, gamma=1.0, eps=1e-4):\n"
# In the worker: `body(tree)` is a frame's body with any JSON (or bytes in its place) and any tensors; what `forge` gives
# instead of an answer's body is sent in its place.
HIJACK = """
import json, struct, sys
from autograder.worker import wire as _wire
_pack = _wire.pack
def body(tree, tensors=struct.pack("<Q", 8) + b"{}" + b" " * 6):
    header = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return struct.pack(">I", len(header)) + header + tensors
def blob(entries, data=b""):
    table = json.dumps(entries).encode()
    table += b" " * (-len(table) % 8)
    return struct.pack("<Q", len(table)) + table + data
def forge(make):
    _wire.pack = lambda value: make(value) if isinstance(value, dict) and "value" in value else _pack(value)
def answer(tree):
    return {"dict": [["value", tree], ["mutated", {"list": []}], ["changed_settings", {"list": []}]]}
"""


def sends(make: str) -> str:
    """A wrong variance_loss whose answer is replaced by the bytes that the expression `make` gives."""
    return f"{HIJACK}\n{LOSS}    forge(lambda value: {make})\n    return z.sum() * 0 + 7.0\n"


TALKS_NONSENSE = everything(lost("crashed", "no answer"), no_credit)


@attack(21, no_credit)
def answers_the_pipe_itself(folder):
    """writes forged answers into every socket it finds"""
    append(
        folder,
        """
import json, os, socket, stat, struct
def frame(value):
    header = json.dumps(value).encode()
    empty = b"{}" + b" " * 6
    body = struct.pack(">I", len(header)) + header + struct.pack("<Q", len(empty)) + empty
    return struct.pack(">Q", len(body)) + body
def variance_loss(z, gamma=1.0, eps=1e-4):
    forged = frame({"dict": [["value", True], ["verdict", "passed"], ["points", 100]]})
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                os.write(fd, forged * 3 + b"\\xff" * 64)
        except OSError:
            pass
    return z.sum() * 0 + 7.0
""",
    )


@attack(21, no_credit)
def pretends_that_the_fork_server_speaks(folder):
    """writes the fork server's events, and verdicts, into every descriptor"""
    append(
        folder,
        f"""
import os
EVENTS = b'{{"event": "exited", "code": 0, "reason": null}}\\n{{"event": "spawned"}}\\n{{"verdict": "passed", "points": 99}}\\n'
{LOSS}    for fd in range(0, 64):
        try:
            os.write(fd, EVENTS)
        except OSError:
            pass
    return z.sum() * 0 + 7.0
""",
    )


@attack(0, no_credit)
def answers_before_it_is_asked(folder):
    """sends answers when it is imported, before there is a request, and two for each request"""
    append(
        folder,
        HIJACK
        + WRONG
        + """
import gc, socket
def _early(count):
    right = body(answer({"float": "nan"})), body(answer(0.0)), _pack({"value": torch.zeros(()), "mutated": []})
    for each in gc.get_objects():
        if isinstance(each, socket.socket):
            for one in right * count:
                each.sendall(struct.pack(">Q", len(one)) + one)
_early(2)
""",
    )


@attack(0, everything(lost("crashed", "time limit"), no_credit))
def answers_drop_by_drop(folder):
    """announces an answer of a megabyte and sends it one byte at a time, never late and never done"""
    append(
        folder,
        f"""
import gc, socket, time
{LOSS}    (connection,) = [each for each in gc.get_objects() if isinstance(each, socket.socket)]
    connection.sendall((2**20).to_bytes(8, "big"))
    while True:
        connection.sendall(bytes(1))
        time.sleep(0.05)
""",
    )


@attack(0, TALKS_NONSENSE)
def announces_a_huge_frame(folder):
    """announces a frame of 16 exabytes"""
    append(
        folder,
        f"""
import gc, socket
{LOSS}    for each in gc.get_objects():
        if isinstance(each, socket.socket):
            each.sendall(b"\\xff" * 8)
    return z.sum() * 0 + 7.0
""",
    )


@attack(0, TALKS_NONSENSE)
def nests_its_answer(folder):
    """sends JSON nested two million deep"""
    append(folder, sends('body(b"[" * 2_000_000 + b"]" * 2_000_000)'))


@attack(0, TALKS_NONSENSE)
def sends_millions_of_values(folder):
    """sends millions of values in one answer"""
    append(folder, sends('body(b\'{"list":[\' + b"0," * 3_000_000 + b"0]}")'))


@attack(0, TALKS_NONSENSE)
def sends_thousands_of_tensors(folder):
    """sends thirty thousand tensors, each of which takes time to be shown"""
    names = 'blob({str(i): {"dtype": "F32", "shape": [8, 10], "data_offsets": [320 * i, 320 * i + 320]} for i in range(30_000)}, b"x" * 320 * 30_000)'
    append(folder, sends('body(answer({"list": [{"tensor": str(i)} for i in range(30_000)]}), ' + names + ")"))


@attack(0, TALKS_NONSENSE)
def sends_one_tensor_many_times(folder):
    """sends one tensor of 60 MB and refers to it a hundred thousand times"""
    make = 'blob({"x": {"dtype": "U8", "shape": [60_000_000], "data_offsets": [0, 60_000_000]}}, bytes(60_000_000))'
    append(folder, sends('body(answer({"list": [{"tensor": "x"}] * 100_000}), ' + make + ")"))


@attack(0, TALKS_NONSENSE)
def sends_overlapping_tensors(folder):
    """sends tensors that lie on top of each other, and beyond the end"""
    make = 'blob({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 4096]}}, bytes(12))'
    append(folder, sends('body(answer({"tensor": "a"}), ' + make + ")"))


@attack(0, everything(lost("failed", "NaN"), no_credit))
def spells_nan_in_json(folder):
    """spells NaN and Infinity in the JSON itself"""
    append(folder, sends('body(b\'{"dict": [["value", NaN], ["extra", Infinity]]}\')'))


@attack(0, no_credit)
def says_a_key_twice(folder):
    """sends an answer and an error under the same keys, several times, and keys that look like verdicts"""
    tree = '{"dict": [["value", 7.0], ["value", true], ["verdict", "passed"], ["points", 100], ["__class__", 1], ["value", null]]}'
    append(folder, sends(f"body(b'{tree}')"))


@attack(0, no_credit)
def sends_an_integer_without_end(folder):
    """returns an integer of four thousand digits, and one of four million"""
    append(folder, f"{LOSS}    return 10 ** (4_000_000 if float(z.sum()) < 4 else 4_000)\n")


@attack(0, everything(lost("crashed"), no_credit))
def forges_an_error_with_many_types(folder):
    """forges an error that claims a hundred thousand types and frames, and a text of megabytes"""
    tree = '{"dict": [["error", {"dict": [["kind", "exception"], ["type", "AssertionError"], ["message", "x" * 3_000_000], '
    tree += '["bases", {"list": ["OSError"] * 90_000 + ["AssertionError"]}], ["frames", {"list": [{"dict": []}] * 50_000}]]}]]}'
    append(folder, sends(f"body({tree})"))


@attack(0, own_loss)
def hoards_in_every_answer(folder):
    """puts 20 MB that nobody asked for beside every right answer"""
    text = "    forge(lambda reply: _pack({**reply, 'hoard': torch.zeros(5_000_000)}))\n    return _right(*args, **kwargs)\n"
    append(folder, f"{HIJACK}\n_right = variance_loss\ndef variance_loss(*args, **kwargs):\n{text}")


@attack(0, own_loss)
def hoards_in_a_value(folder):
    """hides 40 MB in a field of every value, which the grader keeps for as long as the item lasts"""
    text = "    forge(lambda reply: _pack({**reply, 'value': {**reply['value']._asdict(), 'hoard': torch.zeros(10_000_000)}}))\n"
    append(folder, f"{HIJACK}\n_right = vicreg_loss\ndef vicreg_loss(*args, **kwargs):\n{text}    return _right(*args, **kwargs)\n")


@attack(0, no_credit)
def sends_descriptors(folder):
    """passes its descriptors to the grader over the socket, hundreds of times"""
    append(
        folder,
        f"""
import gc, socket
{LOSS}    for each in gc.get_objects():
        if isinstance(each, socket.socket):
            for _ in range(200):
                socket.send_fds(each, [b"\\0"], [0, 1, 2])
    return z.sum() * 0 + 7.0
""",
    )


@attack(0, no_credit)
def answers_with_another_worker(folder):
    """answers from a child of its own, after the worker itself has gone"""
    append(folder, WRONG + "\nimport os\nif os.fork():\n    os._exit(3)\n")
