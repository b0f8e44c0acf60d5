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

# System calls that a worker is refused, by machine: an architecture's own number, then those of the calls.
# memfd_create, memfd_secret, shmget, msgget: memory that no process is seen to have, and that can outlive them all.
# ptrace, process_vm_readv, process_vm_writev: other processes' memory. io_uring_setup: makes calls that are not looked at.
ARCHITECTURES = {
    "x86_64": (0xC000003E, {"forbidden": (319, 447, 29, 68, 101, 310, 311, 425), "socket": 41}),
    "aarch64": (0xC00000B7, {"forbidden": (279, 447, 194, 186, 117, 270, 271, 425), "socket": 198}),
}


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
    if platform.machine() not in ARCHITECTURES:
        return
    program = b"".join(filter_program(*ARCHITECTURES[platform.machine()]))
    kept = ctypes.create_string_buffer(program, len(program))
    library, no_new_privileges, set_seccomp, by_filter = ctypes.CDLL(None), 38, 22, 2
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(kept))
    library.prctl(no_new_privileges, 1, 0, 0, 0)
    library.prctl(set_seccomp, by_filter, ctypes.create_string_buffer(described, len(described)), 0, 0)


def filter_program(architecture: int, calls: dict) -> list[bytes]:
    """The filter in the kernel's language (seccomp(2)): 8 bytes an instruction, jumps count instructions to be skipped."""

    def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("HBBI", code, if_true, if_false, value)

    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    allow, refuse = instruction(give, 0x7FFF0000), instruction(give, 0x00050001)  # refuse: the error EPERM
    program = [instruction(load, 4), instruction(equal, architecture, 1), refuse]  # a call of another architecture
    program += [instruction(load, 0), instruction(at_least, 0x40000000, 0, 1), refuse]  # x32, another numbering
    for number in calls["forbidden"]:
        program += [instruction(equal, number, 0, 1), refuse]
    program += [instruction(equal, calls["socket"], 1), allow]
    return program + [instruction(load, 16), instruction(equal, 1, 0, 1), allow, refuse]  # 1 is AF_UNIX
