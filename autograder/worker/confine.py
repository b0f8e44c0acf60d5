"""Limits that a worker takes on itself, for good, before it sees student code."""
import ctypes
import os
import resource
import sys

try:
    import landlockpy
except ImportError:  # not Linux; the grader then never asks for it
    landlockpy = None


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
