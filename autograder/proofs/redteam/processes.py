"""Attacks with the process: ending it, not ending it, taking all there is of something, and outliving the item."""
from autograder.proofs.redteam import WALLED, append, attack
from autograder.proofs.redteam.outcomes import everything, full_marks, items, lost, must, no_credit, only_task_lost, own_loss, seen, whole

LOSS = "def variance_loss(z, gamma=1.0, eps=1e-4):\n"


@attack(1, only_task_lost("vicreg", "crashed", "exit status 0"))
def exits_on_import(folder):
    """ends its process with exit status 0 when it is imported"""
    append(folder, "import os\nos._exit(0)\n")


@attack(2, lost("crashed", "SystemExit"))
def sys_exit_in_a_function(folder):
    """calls sys.exit() in a function"""
    append(folder, f"import sys\n{LOSS}    sys.exit(0)\n")


# Every item of an endless function waits for its time limit, and warmup has few items.
@attack(4, only_task_lost("warmup", "crashed", "time limit"))
def loops_and_swallows_everything(folder):
    """loops forever and swallows every exception"""
    append(
        folder,
        """
def normalize(images):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
""",
        "warmup.py",
    )


@attack(5, only_task_lost("warmup", "crashed", "time limit"))
def long_call_that_ignores_signals(folder):
    """blocks all signals and stays in matrix products"""
    append(
        folder,
        """
import signal
def normalize(images):
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    big = torch.ones(3000, 3000, dtype=torch.float64)
    for _ in range(1000):
        big = big @ big
    return big.sum()
""",
        "warmup.py",
    )


@attack(6, lost("crashed", "memory"))
def memory_bomb_of_tensors(folder):
    """asks for a tensor of four terabytes"""
    append(folder, f"{LOSS}    return torch.ones(10**12).sum()\n")


@attack(6, lost("crashed", "memory"))
def memory_bomb_of_lists(folder):
    """fills lists without end"""
    append(folder, f"{LOSS}    kept = []\n    while True:\n        kept.append(bytes(8) * 1000000)\n")


@attack(6, everything(lost("crashed"), no_credit))
def memory_outside_of_processes(folder):
    """keeps memory where no process seems to have it: in files without a name, System V segments, semaphores, a file system of its own"""
    append(
        folder,
        """
import ctypes, os
def variance_loss(z, gamma=1.0, eps=1e-4):
    held, block = 0, bytes(2**25)
    try:
        while held < 2**31:
            file = os.memfd_create("x")
            for _ in range(2):
                held += os.write(file, block)
    except OSError:
        pass
    library = ctypes.CDLL(None)
    if (semaphores := library.semget(0, 32_000, 0o1600)) >= 0:
        library.semctl(semaphores, 0, 0)  # IPC_RMID
        raise RuntimeError("ESCAPED: memory of the kernel's, without limit")
    if library.unshare(0x10020000) == 0 and library.mount(b"x", b"/tmp", b"tmpfs", 0, b"size=4g") == 0:
        with open("/tmp/x", "wb") as file:
            while held < 2**31:
                held += file.write(block)
    library.shmat.restype = ctypes.c_void_p
    while held < 2**31:
        segment = library.shmget(0, 2**26, 0o1600)  # IPC_PRIVATE, IPC_CREAT
        place = library.shmat(segment, None, 0)
        if segment < 0 or place in (None, 2**64 - 1):
            raise RuntimeError("no more memory to be had")
        ctypes.memset(place, 1, 2**26)
        library.shmdt(ctypes.c_void_p(place))
        library.shmctl(segment, 0, None)  # IPC_RMID, so that a run of this leaves none behind
        held += 2**26
    raise RuntimeError("ESCAPED: two gigabytes are held, four times the limit")
""",
    )


@attack(6, everything(lost("crashed", "memory"), no_credit))
def memory_in_other_programs(folder):
    """keeps memory in programs that it starts, a little below the size of the fork server in each"""
    append(
        folder,
        """
import subprocess, sys, time
def variance_loss(z, gamma=1.0, eps=1e-4):
    script = "kept = b'x' * (130 * 2**20); print(len(kept), flush=True); input()"
    command = [sys.executable, "-S", "-c", script]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(6)]
    held = sum(int(each.stdout.readline()) for each in running)
    time.sleep(0.5)
    raise RuntimeError(f"ESCAPED: {held} bytes are held, more than the limit")
""",
    )


# Without a process-id namespace a bomb can be faster than whoever counts its processes.
@attack(7, lost("crashed", "processes"), modes=("bubblewrap",))
def fork_bomb(folder):
    """forks without end"""
    append(folder, f"import os\n{LOSS}    while True:\n        os.fork()\n")


DAEMON = """
import os, sys
def detached():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(300)", "left-by-the-red-team"])
        os._exit(0)
    os.wait()
"""


@attack(7, full_marks)
def leaves_a_detached_daemon(folder):
    """leaves a process in a session of its own, orphaned, and answers rightly"""
    once = "    if not _left:\n        _left.append(detached())\n"
    append(folder, DAEMON + "\n_left, _right = [], variance_loss\n" + LOSS + once + "    return _right(z, gamma, eps)\n")


@attack(7, no_credit)
def runs_away_from_its_killer(folder):
    """leaves a chain of processes, each of which makes the next and ends, so that there is never one to be killed"""
    append(
        folder,
        """
import os
CHAIN = 'n=0; f() { n=$((n + 1)); [ $n -gt 500 ] && exec sh -c "$CHAIN" left-by-the-red-team; f & }; f'
def variance_loss(z, gamma=1.0, eps=1e-4):
    if os.fork() == 0:
        os.setsid()
        os.execve("/bin/sh", ["sh", "-c", CHAIN, "left-by-the-red-team"], {"CHAIN": CHAIN, "PATH": "/usr/bin:/bin"})
    os.wait()
    return z.sum() * 0 + 7.0
""",
    )


@attack(8, no_credit)
def fills_the_disk(folder):
    """writes files until the disk is full"""
    append(
        folder,
        """
import os
def variance_loss(z, gamma=1.0, eps=1e-4):
    others = ("/dev/shm", "/var/tmp") if os.path.exists("/code") else ()  # in its own view of the file system only
    for place in (os.getcwd(), *others):
        for number in range(8):
            try:
                with open(f"{place}/filled-{number}", "wb") as file:
                    for _ in range(8):
                        file.write(bytes(2**24))
                    raise RuntimeError("ESCAPED: a file of more than 64 MB")
            except OSError:
                try:
                    os.truncate(f"{place}/filled-{number}", 0)
                except OSError:
                    pass
    return z.sum() * 0 + 7.0
""",
    )


@attack(0, no_credit)
def leaves_a_maze_of_folders(folder):
    """leaves folders nested fifteen hundred deep, and others that nobody may open, for whoever tidies up"""
    append(
        folder,
        """
import os
def variance_loss(z, gamma=1.0, eps=1e-4):
    home = os.getcwd()
    try:
        os.mkdir("closed")
        os.mkdir("closed/inside")
        os.chmod("closed", 0)
        for _ in range(1500):
            os.mkdir("deeper")
            os.chdir("deeper")
    except OSError:
        pass
    os.chdir(home)
    return "a tensor"
""",
    )


def within_the_total(report) -> None:
    """The total limit of 30 s holds, with the time that starting takes on top, though 17 items may use 10 s each.

    What it answers is right, so an item that needs one or two calls may pass before the total is used up.
    """
    must(sum(item.seconds for item in report.items()) < 45, seen(report))
    must(all(item.verdict in ("passed", "crashed", "blocked") for item in items(report, "vicreg")), seen(report))
    must(any("whole submission" in item.message for item in report.items()), seen(report))


@attack(38, within_the_total, limits={"call_seconds": 4, "item_seconds": 10, "submission_seconds": 30}, tasks=("vicreg",))
def sleeps_to_the_limit_in_every_call(folder):
    """sleeps nearly to the time limit in every call"""
    text = "import time\nfor _name in ('invariance_loss', 'variance_loss', 'covariance_loss', 'vicreg_loss'):\n"
    text += "    globals()[_name] = lambda *args, _right=globals()[_name], **kwargs: (time.sleep(3.9), _right(*args, **kwargs))[1]\n"
    append(folder, text)


# Our own.


@attack(0, everything(lost("crashed"), no_credit))
def kills_whoever_started_it(folder):
    """sends SIGKILL and SIGSTOP to the fork server, to its own group and to all it can reach"""
    append(
        folder,
        """
import os, signal
def variance_loss(z, gamma=1.0, eps=1e-4):
    for pid in (os.getppid(), 1, 2, -os.getpgid(os.getppid())):
        if pid in (1, 2, -1) and not os.path.exists("/code"):
            continue  # not in a name space of its own: these would be others' processes
        for number in (signal.SIGSTOP, signal.SIGKILL):
            try:
                os.kill(pid, number)
            except OSError:
                pass
    os.kill(os.getpid(), signal.SIGKILL)
""",
    )


@attack(0, everything(lost("crashed", "time limit"), no_credit))
def stops_itself(folder):
    """stops its own process with SIGSTOP"""
    append(folder, f"import os, signal\n{LOSS}    os.kill(os.getpid(), signal.SIGSTOP)\n    return z.sum()\n")


@attack(0, no_credit, modes=WALLED)
def traces_the_server(folder):
    """attaches to the fork server as a debugger, and writes into its memory"""
    append(
        folder,
        """
import ctypes, os
def variance_loss(z, gamma=1.0, eps=1e-4):
    parent = os.getppid()
    if ctypes.CDLL(None).ptrace(16, parent, 0, 0) == 0:  # PTRACE_ATTACH
        raise RuntimeError("ESCAPED: the server can be traced")
    try:
        with open(f"/proc/{parent}/mem", "r+b", buffering=0):
            raise RuntimeError("ESCAPED: the server's memory can be written")
    except OSError:
        return z.sum() * 0 + 7.0
""",
        )


@attack(0, everything(lost("crashed"), no_credit))
def closes_its_descriptors(folder):
    """closes every descriptor from 3 on, the grader's socket among them"""
    append(folder, f"import os\n{LOSS}    os.closerange(3, 4096)\n    return z.sum()\n")


@attack(0, own_loss)
def takes_all_descriptors(folder):
    """opens descriptors until there are none, and answers rightly"""
    append(
        folder,
        f"""
import os
_right = variance_loss
{LOSS}    _kept = []
    try:
        while True:
            _kept += os.pipe()
    except OSError:
        pass
    return _right(z, gamma, eps)
""",
    )


@attack(0, full_marks)
def goes_on_after_its_reply(folder):
    """leaves threads that print, draw numbers and write into the answer after it was given, and answers rightly"""
    append(
        folder,
        f"""
import threading
_right = variance_loss
def _restless(answer):
    while True:
        print("still here")
        torch.rand(1)
        answer.data.fill_(7.0)
{LOSS}    answer = _right(z, gamma, eps)
    spoiled = answer.detach().clone()
    threading.Thread(target=_restless, args=(spoiled,), daemon=True).start()
    return answer
""",
    )


@attack(0, full_marks)
def blocks_at_its_end(folder):
    """blocks in atexit, in a destructor and in a thread that is no daemon, and answers rightly"""
    append(
        folder,
        """
import atexit, threading, time
class _Clinging:
    def __del__(self):
        time.sleep(300)
_clinging = _Clinging()
atexit.register(time.sleep, 300)
threading.Thread(target=time.sleep, args=(300,)).start()
""",
    )


@attack(0, everything(lost("crashed", "time limit"), no_credit))
def turns_off_its_limits(folder):
    """raises its resource limits, its priority and its processor time before it loops"""
    append(
        folder,
        f"""
import os, resource, signal
{LOSS}    for number in range(16):
        try:
            resource.setrlimit(number, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except (OSError, ValueError):
            pass
    for call in (lambda: os.setpriority(os.PRIO_PROCESS, 0, -20), lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))):
        try:
            call()
        except OSError:
            pass
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True:
        pass
""",
    )


def honest_but_for_one(report) -> None:
    """A worker that was wounded costs its own item, and one that builds on that."""
    must([each[1] for each in seen(report)] == ["crashed", "blocked"], seen(report))
    whole(report, "warmup")


@attack(0, honest_but_for_one)
def spoils_later_items(folder):
    """in one item, writes itself into every module, file and global that the later items would use"""
    append(
        folder,
        """
import os, sys
_right = invariance_loss
def invariance_loss(z_a, z_b):
    if z_a.tolist() == [[1.0, 2.0, 3.0], [0.0, -1.0, 2.0]]:
        torch.Tensor.mean = torch.Tensor.sum = torch.Tensor.var = None
        for name in ("sitecustomize.py", "torch.py", "matplotlibrc", "vicreg.py"):
            with open(name, "w") as file:
                file.write("raise SystemExit('ESCAPED: from an earlier item')\\n")
        raise ValueError("only here")
    return _right(z_a, z_b)
""",
    )
