"""Attacks with what is handed in: files that should not be there, links, archives made by hand, bombs."""
import os
import shutil
import stat
import zipfile
from pathlib import Path

from autograder.proofs.redteam import PROJECT, WRONG, append, attack
from autograder.proofs.redteam.outcomes import full_marks, no_credit, note, rejected


@attack(12, note("conftest.py", then=no_credit))
def ships_pytest_files(folder):
    """ships conftest.py, pytest.ini, pyproject.toml and a plugin that turns failures into passes"""
    append(folder, WRONG)
    hook = "import pytest\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
    hook += "    out = yield\n    out.get_result().outcome = 'passed'\n"
    for name in ("conftest.py", "pytest_plugin.py"):
        (folder / name).write_text(hook)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-k nothing'\n")


@attack(13, note("numpy.py", "altered", "provided/models.py"))
def ships_shadow_modules(folder):
    """ships sitecustomize.py, numpy.py, torch.py and an altered module of provided/"""
    for name in ("sitecustomize.py", "usercustomize.py", "numpy.py", "torch.py", "json.py"):
        (folder / name).write_text("raise SystemExit('a shadow module was imported')\n")
    (folder / "provided").mkdir()
    (folder / "provided" / "models.py").write_text("raise SystemExit('an altered given module was imported')\n")


@attack(20, no_credit)
def returns_a_malicious_pickle(folder):
    """returns an object that runs a command when it is unpickled"""
    append(
        folder,
        """
import os
class Bomb:
    def __reduce__(self): return (os.system, ("touch unpickled-ESCAPED",))
def variance_loss(z, gamma=1.0, eps=1e-4):
    return Bomb()
""",
    )


@attack(20, no_credit)
def ships_a_malicious_checkpoint(folder):
    """ships checkpoints that run a command when they are loaded, beside its files and in place of the given ones"""
    bomb = b"cposix\nsystem\n(S'touch unpickled-ESCAPED'\ntR."
    for name in ("model.pt", "vicreg.pkl", "provided/weights.pt", "checkpoint.pth"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(bomb)
    append(folder, WRONG)


@attack(22, rejected("symbolic link"))
def hands_in_a_link(folder):
    """hands in a symbolic link to the reference"""
    (folder / "vicreg.py").unlink()
    (folder / "vicreg.py").symlink_to(PROJECT / "solutions" / "vicreg.py")


@attack(22, rejected("symbolic link"))
def hands_in_a_linked_folder(folder):
    """hands in a symbolic link to the folder of the reference"""
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "assignment").symlink_to(PROJECT / "solutions")


@attack(22, rejected("not a regular file"))
def hands_in_a_fifo(folder):
    """hands in a named pipe, which blocks whoever opens it"""
    (folder / "vicreg.py").unlink()
    os.mkfifo(folder / "vicreg.py")


def archive(folder: Path, extra: dict[str, bytes] = {}, compression=zipfile.ZIP_DEFLATED, skip: str = "") -> Path:
    """The folder as a zip of its own, with `extra` members; the folder itself is removed."""
    path = folder.with_name(folder.name + ".zip")
    with zipfile.ZipFile(path, "w", compression) as made:
        for file in sorted(folder.iterdir()):
            if file.name != skip:
                made.write(file, f"assignment/{file.name}")
        for name, data in extra.items():
            made.writestr(name, data)
    shutil.rmtree(folder)
    return path


@attack(22, rejected("unsafe path"))
def zips_a_path_that_leads_out(folder):
    """hands in a zip with .. in a path"""
    return archive(folder, {"assignment/../../../vicreg.py": b"x"})


@attack(22, rejected("link or a special file"))
def zips_a_device(folder):
    """hands in a zip with a device and a link in it"""
    path = archive(folder)
    with zipfile.ZipFile(path, "a") as made:
        for name, kind in (("assignment/disk", stat.S_IFBLK), ("assignment/link.py", stat.S_IFLNK)):
            member = zipfile.ZipInfo(name)
            member.external_attr = (kind | 0o666) << 16
            made.writestr(member, "/etc/passwd")
    return path


@attack(22, rejected("larger than"))
def zips_a_bomb(folder):
    """hands in a zip whose vicreg.py grows to 400 MB"""
    return archive(folder, {"assignment/vicreg.py": bytes(400 * 1024**2)}, skip="vicreg.py")


# Our own.


@attack(0, rejected("cannot be read"))
def zips_a_bomb_of_another_kind(folder):
    """hands in a zip whose vicreg.py is packed by bzip2, which unpacks at one stroke: to 1 GB from 800 bytes"""
    path = archive(folder, skip="vicreg.py")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_BZIP2) as made, made.open("assignment/vicreg.py", "w", force_zip64=True) as member:
        for _ in range(64):
            member.write(bytes(2**24))
    return path


@attack(0, rejected("table of contents"))
def zips_a_million_names(folder):
    """hands in a zip with a table of contents of half a million names, whose number it does not tell"""
    path = archive(folder)
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    table, closing = data[start:end], bytearray(data[end:])
    times = 500_000 // table.count(b"PK\x01\x02")
    closing[12:16] = (len(table) * times).to_bytes(4, "little")
    path.write_bytes(data[:start] + table * times + closing)
    return path


@attack(0, rejected("cannot be read"))
def zips_with_a_password(folder):
    """hands in a zip that is locked with a password"""
    return patched(archive(folder), 8, b"\x01\x00")


@attack(0, rejected())
def zips_sizes_that_lie(folder):
    """hands in a zip whose members claim other sizes than they have"""
    return patched(archive(folder), 24, b"\x05\x00\x00\x00")


@attack(0, rejected("unsafe path"))
def zips_a_file_without_a_name(folder):
    """hands in a zip whose files have names of no letters"""
    path = archive(folder, skip="vicreg.py")
    with zipfile.ZipFile(path, "a") as made:
        made.writestr("x", b"")
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 28 : entry + 34] = b"\0\0\0\0\x01\0"  # the name is of length 0, and the letter a comment
    path.write_bytes(data)
    return path


def patched(path: Path, offset: int, value: bytes) -> Path:
    """`value` at `offset` of every entry in the zip's table of contents."""
    data = bytearray(path.read_bytes())
    place = data.find(b"PK\x01\x02")
    while place >= 0:
        data[place + offset : place + offset + len(value)] = value
        place = data.find(b"PK\x01\x02", place + 4)
    path.write_bytes(data)
    return path


@attack(0, rejected("twice"))
def zips_a_name_twice(folder):
    """hands in a zip with two files vicreg.py in one folder, spelled in two ways"""
    return archive(folder, {"assignment/./vicreg.py": b"raise SystemExit('which one?')"})


@attack(0, rejected("more than 20000 files"))
def zips_too_many_files(folder):
    """hands in a zip of 20,001 empty files"""
    return archive(folder, {f"assignment/data/{number}": b"" for number in range(20_001)})


@attack(0, rejected("too long"))
def zips_a_long_name(folder):
    """hands in a zip with names that no file can have, for a fault of the grader would give full points"""
    return archive(folder, {f"assignment/{'a' * 300}.py": b"", f"autograder/{'b' * 300}": b""})


@attack(0, rejected("too many folders deep"))
def hands_in_deep_folders(folder):
    """hands in folders nested hundreds deep"""
    here = os.open(folder, os.O_RDONLY)  # whoever goes down by names may fail
    for _ in range(400):
        os.mkdir("a", dir_fd=here)
        below = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


@attack(0, full_marks)
def zips_inside_another_file(folder):
    """hands in a zip that begins with a program and ends with a long comment"""
    path = archive(folder)
    with zipfile.ZipFile(path, "a") as made:
        made.comment = b"x" * 60_000
    path.write_bytes(b"#!/bin/sh\necho ESCAPED > ran\n" + bytes(4096) + path.read_bytes())
    return path


@attack(0, rejected("::error::", "symbolic link"))
def commands_in_a_reason(folder):
    """hands in a link whose name breaks the line, for the reason of its refusal"""
    (folder / "x\n::error::owned\n.py").symlink_to("vicreg.py")


@attack(0, rejected("more than once"))
def nests_copies(folder):
    """hands in two copies of the assignment at one depth"""
    for name in ("final", "final final"):
        (folder / name / "assignment").mkdir(parents=True)
        shutil.copy(folder / "vicreg.py", folder / name / "assignment" / "vicreg.py")
    for path in folder.glob("*.py"):
        path.unlink()


@attack(0, note("not part of the assignment"))
def names_that_look_alike(folder):
    """ships files whose names differ from the right ones by case, accents, dots and blanks"""
    for name in ("VICREG.PY", "vicreg.py.", "vicreg.py ", "vi\u0441reg.py", "vicreg\u200b.py", "..vicreg.py", "ｖｉｃｒｅｇ.py", "con.py"):
        (folder / name).write_text("raise SystemExit('a file of another name was imported')\n")


@attack(0, full_marks)
def a_module_beside_the_package(folder):
    """ships assignment.py, autograder/ and torch/ beside the folder assignment/"""
    inner = folder / "assignment"
    inner.mkdir()
    for path in folder.glob("*.py"):
        path.rename(inner / path.name)
    stop = "raise SystemExit('a module beside the package was imported')\n"
    (folder / "assignment.py").write_text(stop)
    for name in ("autograder/worker/wire.py", "autograder/__init__.py", "torch/__init__.py", "assignment/__init__.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(stop)


@attack(0, note("::", then=full_marks))
def commands_in_file_names(folder):
    """ships files whose names break the line and give commands to a CI service and to the terminal"""
    for name in ("a\n::error::owned.py", "b\r##[error]owned.py", "c\x1b[2J\x1b]0;owned\x07.py", "d\u202eyp.exe.py"):
        (folder / name).write_text("")
    os.rename(os.fsencode(folder / "a\n::error::owned.py"), os.fsencode(folder) + b"/e\xff\xfe\n::set-output name=x::y.py")
    (folder / "a\n::error::owned.py").write_text("")


@attack(0, rejected("larger than"))
def hands_in_a_sparse_file(folder):
    """hands in a vicreg.py of a terabyte that takes no room"""
    with open(folder / "vicreg.py", "r+b") as file:
        file.truncate(2**40)


@attack(0, full_marks)
def hands_in_blank_lines(folder):
    """hands in a right vicreg.py with half a million blank lines, and long lines of words that look like imports"""
    append(folder, "\n" * 500_000 + "#" + " import" * 50_000 + "\n")


@attack(0, full_marks)
def hands_in_what_python_reads_slowly(folder):
    """hands in a right vicreg.py with hundreds of nested brackets and a number of thousands of digits"""
    append(folder, "_deep = " + "(" * 150 + "1" + ")" * 150 + "\n_long = 0x" + "f" * 100_000 + "\n")
