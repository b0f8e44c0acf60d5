"""The wall itself: fork server, workers and confinement, in each mode that this machine offers."""
import sys
import time

import pytest
import torch
from torch.utils.data import DataLoader

from autograder import sandbox, staging
from autograder.forkserver import Crash, ForkServer, Limits

STUDENT = '''
import os, signal, socket, sys, time
import torch

def double(x):
    print("printed by the student")
    return x * 2

def die(code):
    os._exit(code)

def crash_hard():
    os.kill(os.getpid(), signal.SIGSEGV)

def sleep(seconds):
    time.sleep(seconds)

def spam(megabytes):
    for _ in range(megabytes):
        sys.stdout.write("\\x00\\x1b[31m" + "x" * 1_000_000)
    return "done"

def detach(path):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                with open(path, "a") as file:
                    file.write("alive ")
                time.sleep(0.02)
        os._exit(0)
    time.sleep(0.2)
    return os.path.exists(path)

def bomb():
    while True:
        os.fork()

def many_children_that_take_memory(count, megabytes):
    for _ in range(count):
        if os.fork() == 0:
            kept = bytes(8) * (megabytes * 131072)
            time.sleep(60)
    time.sleep(60)

def attempt(action, *args):
    try:
        return str({"read": read, "list": os.listdir, "write": write, "kill": os.kill, "tcp": tcp, "udp": udp}[action](*args))
    except OSError as error:
        return "denied: " + type(error).__name__

def read(path):
    return open(path, "rb").read(20)

def write(path, size):
    with open(path, "wb") as file:
        file.write(b"x" * size)

def fill(folder, size, count):
    """Total bytes written before the disk said no."""
    total = 0
    for i in range(count):
        try:
            with open(f"{folder}/{i}", "wb") as file:
                total += file.write(b"x" * size)
        except OSError:
            break
    return total

def search_in_blocks(rows, block):
    x = torch.randn(rows, 2, dtype=torch.float64)
    found = []
    for start in range(0, rows, block):
        part = x[start : start + block]
        squares = part.pow(2).sum(dim=1, keepdim=True) - 2 * part @ x.T + x.pow(2).sum(dim=1)
        distances = squares.clamp(min=0).sqrt()
        distances[torch.arange(len(part)), torch.arange(start, start + len(part))] = torch.inf
        found.append(distances.topk(1, largest=False))
    return torch.cat([each.indices for each in found])

def tcp(port):
    socket.create_connection(("127.0.0.1", port), timeout=2)
    return "connected"

def udp():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 9))  # an address for documentation
    return "sent"

def compute():
    from joblib import cpu_count
    from sklearn.cluster import KMeans
    cores = cpu_count(), cpu_count(only_physical_cores=True)
    halves = torch.ones(64, 64, dtype=torch.float16) @ torch.ones(64, 64, dtype=torch.float16)
    return min(cores), len(KMeans(2, n_init=1).fit([[0.0], [1.0], [9.0]]).labels_), float(halves.max())

def load():
    from torch.utils.data import DataLoader
    generator = torch.Generator().manual_seed(3)
    options = {"num_workers": 2, "prefetch_factor": 2, "persistent_workers": True, "generator": generator}
    return torch.cat(list(DataLoader(torch.arange(10), batch_size=4, shuffle=True, **options)))

def touch(folder):
    """Change what outlives the files in a folder, its rights and times, and tell them."""
    before = os.stat(folder)
    os.chmod(folder, 0o711)
    os.utime(folder, (77, 77))
    now = os.stat(folder)
    return [now.st_mode == before.st_mode, now.st_mtime == before.st_mtime]

def store(what):
    library = __import__("ctypes").CDLL(None, use_errno=True)
    actions = {
        "semaphores": lambda: library.semget(0, 1, 0o1600),
        "messages": lambda: library.msgget(0, 0o1600),
        "a namespace": lambda: library.unshare(0x10000000),
        "an attribute": lambda: os.setxattr(".", "user.kept", b"x"),
        "the server's limit": lambda: __import__("resource").prlimit(os.getppid(), 12, (5, 5)),
        "the server's priority": lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 5),
    }
    try:
        return "denied: PermissionError" if actions[what]() == -1 else "done"
    except OSError as error:
        return "denied: " + type(error).__name__

def parent():
    return os.getppid()

def scratch():
    return os.getcwd()
'''


def modes() -> list[str]:
    found = ["none"]
    if sandbox.landlock_works():
        found.append("landlock")
    if sandbox.working_bubblewrap():
        found.append("bubblewrap")
    return found


@pytest.fixture(scope="module", params=modes())
def server(request, tmp_path_factory):
    code = tmp_path_factory.mktemp("code")
    staging.lay_out_release(code)
    (code / "assignment" / "vicreg.py").write_text(STUDENT)
    with ForkServer(code, sandbox.choose(request.param)) as running:
        yield running


def ask(server, function: str, *args, limits: Limits | None = None):
    """One call in a fresh worker; the value, or the crash's kind."""
    worker = server.spawn(limits or Limits(call_seconds=10))
    try:
        request = {"op": "call", "target": f"vicreg.{function}", "args": list(args), "kwargs": {}, "seed": 0}
        reply = worker.request(request)
        return reply["value"] if "value" in reply else reply["error"]
    except Crash as crash:
        return f"crash: {crash.kind}"
    finally:
        worker.close()


def test_values_come_back(server):
    assert torch.equal(ask(server, "double", torch.ones(3)), torch.full((3,), 2.0))


def test_libraries_find_what_they_read_of_the_machine(server):
    cores, labels, largest = ask(server, "compute", limits=Limits(call_seconds=60))
    assert cores > 0 and (labels, largest) == (3, 64)


def test_a_data_loader_with_processes_gives_the_same_order_everywhere(server):
    """With Landlock alone it cannot start any: semaphores would lie in /dev/shm, which is everybody's."""
    generator = torch.Generator().manual_seed(3)
    here = torch.cat(list(DataLoader(torch.arange(10), batch_size=4, shuffle=True, generator=generator)))
    assert torch.equal(ask(server, "load", limits=Limits(call_seconds=60)), here)


@pytest.mark.skipif(sys.platform != "linux", reason="system calls of Linux")
@pytest.mark.parametrize(
    "what", ["semaphores", "messages", "a namespace", "an attribute", "the server's limit", "the server's priority"]
)
def test_nothing_is_stored_where_a_later_item_could_find_it(server, what):
    assert ask(server, "store", what) == "denied: PermissionError"


@pytest.mark.skipif(sys.platform != "linux", reason="system calls of Linux")
def test_rights_and_times_of_folders_are_not_changed_though_libraries_may_ask_for_it(server):
    assert ask(server, "touch", ".") == [True, True]


def test_a_dead_worker_costs_one_call_and_the_next_gets_a_fresh_one(server):
    assert ask(server, "die", 0) == "crash: exit"
    assert ask(server, "crash_hard") == "crash: signal"
    assert torch.equal(ask(server, "double", torch.ones(1)), torch.tensor([2.0]))


@pytest.mark.slow
@pytest.mark.parametrize("block", [1, 50])
def test_memory_in_use_is_what_counts_not_what_the_c_library_keeps(server, block):
    """7,000 × 7,000 distances take 390 MB; of these blocks of 3 MB at most, glibc kept as much."""
    limits = Limits(call_seconds=60, memory_bytes=256 * 1024**2, return_memory=True)
    assert len(ask(server, "search_in_blocks", 7_000, block, limits=limits)) == 7_000
    assert "memory" in str(ask(server, "search_in_blocks", 7_000, 7_000, limits=limits))


def test_a_call_over_its_time_is_stopped(server):
    started = time.monotonic()
    assert ask(server, "sleep", 60, limits=Limits(call_seconds=0.5)) == "crash: timeout"
    assert time.monotonic() - started < 5


def test_output_is_kept_short_and_never_blocks(server):
    worker = server.spawn(Limits(call_seconds=30))
    request = {"op": "call", "target": "vicreg.spam", "args": [100], "kwargs": {}, "seed": 0}
    assert worker.request(request)["value"] == "done"
    worker.close()
    assert len(worker.printed()) <= 8 * 1024 and worker.output_bytes > 100e6


def test_what_is_printed_before_a_crash_is_kept(server):
    worker = server.spawn(Limits())
    worker.request({"op": "call", "target": "vicreg.double", "args": [torch.ones(1)], "kwargs": {}, "seed": 0})
    worker.close()
    worker.drain.join(5)
    assert "printed by the student" in worker.printed()


def test_a_fork_bomb_is_stopped_and_leaves_nothing(server):
    if server.confinement.mode != "bubblewrap":
        pytest.skip("only tried where a process-id namespace holds it")
    assert ask(server, "bomb") == "crash: processes"
    assert torch.equal(ask(server, "double", torch.ones(1)), torch.tensor([2.0]))


def test_a_detached_process_does_not_outlive_its_item(server):
    if server.confinement.mode == "none":
        path = server.scratch + "/alive"
    else:
        path = ask(server, "scratch") + "/alive"
    assert ask(server, "detach", path) is True
    size = ask(server, "attempt", "read", path)
    time.sleep(0.2)
    worker = server.spawn(Limits())
    requests = [{"op": "call", "target": "vicreg.attempt", "args": ["read", path], "kwargs": {}, "seed": 0}] * 2
    first = worker.request(requests[0])["value"]
    worker.close()
    assert first == size  # the same beginning; the growth is measured below, outside
    before = _size(server, path)
    time.sleep(0.3)
    assert _size(server, path) == before


def _size(server, path):
    import os

    return os.path.getsize(path) if os.path.exists(path) else None


def test_children_count_towards_the_memory_limit(server):
    limits = Limits(call_seconds=20, memory_bytes=400 * 1024**2, processes=16)
    assert ask(server, "many_children_that_take_memory", 6, 150, limits=limits) == "crash: memory"


def test_files_and_signals_are_out_of_reach(server):
    if server.confinement.mode == "none":
        pytest.skip("without a sandbox nothing is promised")
    for path in (staging.PROJECT / "solutions" / "vicreg.py", staging.PROJECT / "autograder" / "rubric.toml", "/etc/passwd"):
        assert ask(server, "attempt", "read", str(path)).startswith("denied"), path
    assert ask(server, "attempt", "list", str(staging.PROJECT / "tests")).startswith("denied")
    assert ask(server, "attempt", "write", f"{server.code}/assignment/vicreg.py", 1).startswith("denied")
    assert ask(server, "attempt", "kill", ask(server, "parent"), 9).startswith("denied")


def test_the_network_is_out_of_reach(server):
    if server.confinement.mode != "bubblewrap":
        pytest.skip("promised by bubblewrap only; the report says so")
    assert ask(server, "attempt", "udp").startswith("denied")
    assert ask(server, "attempt", "tcp", 9).startswith("denied")


def test_the_disk_is_capped(server):
    if server.confinement.mode != "bubblewrap":
        pytest.skip("a single file is capped everywhere, the whole only by bubblewrap")
    written = ask(server, "fill", ask(server, "scratch"), 30_000_000, 30, limits=Limits(call_seconds=60))
    assert 0 < written <= sandbox.SCRATCH_BYTES
    assert ask(server, "attempt", "write", "/dev/shm/x", 10**8).startswith("denied")


def test_a_single_file_is_capped(server):
    where = ask(server, "scratch")
    assert ask(server, "attempt", "write", f"{where}/big", 70 * 1024**2).startswith("denied")


def test_the_server_is_restarted_when_it_was_brought_down(server):
    server.wait_ready()
    server.process.kill()
    server.process.wait()
    with pytest.raises(Exception, match="sandbox|answer|pipe|reset|Traceback|"):
        server.spawn(Limits())
    server.restart()
    assert torch.equal(ask(server, "double", torch.ones(1)), torch.tensor([2.0]))


def test_a_required_sandbox_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(sandbox, "working_bubblewrap", lambda user="": None)
    monkeypatch.setattr(sandbox, "landlock_works", lambda: False)
    assert sandbox.choose().mode == "none" and "can read files" in sandbox.choose().describe()
    with pytest.raises(sandbox.SandboxError, match="required"):
        sandbox.choose(required=True)
    with pytest.raises(sandbox.SandboxError, match="bubblewrap does not work"):
        sandbox.choose("bubblewrap")
