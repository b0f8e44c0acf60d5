"""Limits that a worker takes on itself, for good, before it sees student code."""
import ctypes
import os
import platform
import resource
import struct
import sys

try:
    import landlockpy
except ImportError:  # not Linux; the grader then never asks for it
    landlockpy = None

# System calls that a worker is refused, by name: their numbers on x86-64 and on ARM (None: it has no such call).
REFUSED = {
    # Memory that no process is seen to have, and that can outlive them all: what one item stores, a later one could read.
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "mq_open": (240, 180), "mq_unlink": (241, 181),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195),
    "semget": (64, 190), "semctl": (66, 191), "semop": (65, 193), "semtimedop": (220, 192),
    "msgget": (68, 186), "msgctl": (71, 187), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    # Other processes: their memory, descriptors, and how they are run.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "kcmp": (312, 272), "pidfd_getfd": (438, 438), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
    # Namespaces of its own, with file systems in memory that nothing counts.
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41), "mount": (165, 40),
    "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fspick": (433, 433),
    # Much of the kernel that no exercise needs. io_uring makes calls that are not looked at.
    "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "bpf": (321, 280), "perf_event_open": (298, 241),
    "fanotify_init": (300, 262), "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
}  # fmt: skip
# Calls that are answered as if they were done, for libraries make them in passing: rights and times of files would outlive
# an item, too, and with Landlock alone they may be those of any file of the user who grades.
PRETENDED = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
}  # fmt: skip
CLONE, CLONE3, PRLIMIT, SOCKET = (56, 220), (435, 435), (302, 261), (41, 198)
NAMESPACES = 0x7E020000  # flags of clone(2) that make a namespace
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # which of the numbers, and the architecture's own

def apply(config: dict, limits: dict) -> None:
    """Resource limits, then Landlock where the grader found it to work."""
    if limits["return_memory"]:
        return_freed_memory()
    data = data_bytes()
    set_limit(resource.RLIMIT_DATA, data + limits["memory_bytes"])
    set_limit(resource.RLIMIT_FSIZE, limits["file_bytes"])
    set_limit(resource.RLIMIT_CPU, int(limits["seconds"]) + 5)
    if config["private_pids"]:  # elsewhere all of the user's processes count, also those that were there before
        set_limit(resource.RLIMIT_NPROC, limits["processes"] + 16)
    set_limit(resource.RLIMIT_NOFILE, 256)
    set_limit(resource.RLIMIT_CORE, 0)
    if config["landlock"]:
        restrict(config["landlock"])
    if sys.platform == "linux":
        forbid_calls()
    os.chdir(config["scratch"])


def return_freed_memory() -> None:
    """Give freed blocks back at once, where the C library is glibc.

    It keeps those below a threshold that grows to 32 MiB. The heap frays, and code that works block by block, as it
    should, seems to hold gigabytes.
    """
    mmap_threshold = -3  # M_MMAP_THRESHOLD of malloc.h
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(mmap_threshold, 32 * 1024)


def set_limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def data_bytes() -> int:
    """What this process's private memory already takes (it was forked with PyTorch loaded)."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def restrict(paths: dict) -> None:
    """Read only below `paths["read"]`, write only below `paths["write"]`, no TCP, no signals or ptrace to the outside."""
    access, scope = landlockpy.AccessFS, landlockpy.Scope
    read = access.READ_FILE | access.READ_DIR | access.EXECUTE
    write = landlockpy.fs_for_abi(landlockpy.abi_version()) & ~(access.MAKE_CHAR | access.MAKE_BLOCK | access.EXECUTE)
    on_files = access.READ_FILE | access.WRITE_FILE | access.EXECUTE | access.TRUNCATE
    with landlockpy.Ruleset(scoped=scope.SIGNAL | scope.ABSTRACT_UNIX_SOCKET) as rules:
        for rights, allowed in ((read, paths["read"]), (write, paths["write"])):
            for path in allowed:
                rules.allow_path(path, rights if os.path.isdir(path) else rights & on_files)
        rules.restrict()


def forbid_calls() -> None:
    """Refuse the system calls above, and sockets but those within this machine, on the architectures that we know."""
    if platform.machine() not in MACHINES:
        return
    program = b"".join(filter_program(*MACHINES[platform.machine()]))
    kept = ctypes.create_string_buffer(program, len(program))
    library, no_new_privileges, set_seccomp, by_filter = ctypes.CDLL(None), 38, 22, 2
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(kept))
    library.prctl(no_new_privileges, 1, 0, 0, 0)
    library.prctl(set_seccomp, by_filter, ctypes.create_string_buffer(described, len(described)), 0, 0)


def filter_program(column: int, architecture: int) -> list[bytes]:
    """The filter in the kernel's language (seccomp(2)): 8 bytes an instruction, jumps count instructions to be skipped."""

    def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("HBBI", code, if_true, if_false, value)

    def errno(number: int) -> bytes:
        return instruction(give, 0x00050000 | number)

    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    call, machine, argument = 0, 4, 16  # where they stand in what the filter is given; of the first argument, the lower half
    allow, refuse, pretend, unknown = instruction(give, 0x7FFF0000), errno(1), errno(0), errno(38)
    program = [instruction(load, machine), instruction(equal, architecture, 1), refuse]  # a call of another architecture
    program += [instruction(load, call), instruction(at_least, 0x40000000, 0, 1), refuse]  # x32, another numbering
    for calls, answer in ((REFUSED, refuse), (PRETENDED, pretend), ({"clone3": CLONE3}, unknown)):
        # Nobody can see the flags of clone3; the C library falls back to clone.
        for number in filter(None, (numbers[column] for numbers in calls.values())):
            program += [instruction(equal, number, 0, 1), answer]
    for number, test in (
        (CLONE[column], [instruction(any_bit, NAMESPACES, 1, 0), allow, refuse]),
        (PRLIMIT[column], [instruction(equal, 0, 0, 1), allow, refuse]),  # of any other process than its own
        (SOCKET[column], [instruction(equal, 1, 0, 1), allow, refuse]),  # 1 is AF_UNIX
    ):
        program += [instruction(equal, number, 0, 1 + len(test)), instruction(load, argument), *test]
    return program + [allow]
