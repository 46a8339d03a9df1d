"""The walls around a submission: what it sees, and how much it may use.

bubblewrap gives it an empty file system with the interpreter in it, read-only, and cuts the
network off. Limits hold memory, processes, files and processor time.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

INSIDE = Path(__file__).with_name("inside.py")
HOME, FILES, LIBRARY, SCRIPT = "/homework", "/files", "/library", "/inside.py"
MiB = 2**20
_STANDING = (Path("/"), Path("/tmp"), Path("/usr"))  # they have their own rights


class NotContained(RuntimeError):
    """Student code cannot be contained on this machine; the message says what is missing."""


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Attributes
    ----------
    step, total : float
        Seconds for one cell or one call, and for the whole notebook.
    memory : int
        Bytes of address space of one process, and of memory of all together.
    processes : int
        Processes and threads at a time.
    disk : int
        Bytes in its work folder, and as many in ``/tmp`` and in ``/dev/shm``.
    answer : int
        Bytes of one answer.
    answers : int
        Bytes of all that one process of it may send.
    reserve : int
        Bytes of the machine's memory that stay free, whoever uses the rest.
    """

    step: float = 60.0
    total: float = 600.0
    memory: int = 4096 * MiB
    processes: int = 48
    disk: int = 64 * MiB
    answer: int = 8 * MiB
    answers: int = 64 * MiB
    reserve: int = 1024 * MiB


def rlimits(limits: Limits, walls: bool) -> dict:
    """Limits by the names of ``resource``, and the user to become when the grader is root."""
    uid = 100_000 + os.getpid() % 100_000 if os.getuid() == 0 and walls else None
    return {
        "AS": limits.memory,
        "NPROC": limits.processes,
        "FSIZE": limits.disk,
        "NOFILE": 256,
        "CPU": int(limits.total) + 1,
        "uid": uid,
        "answer": limits.answer,
    }


def environment(home) -> dict:
    """All that a submission's environment holds: nothing of the grader's."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "IPYTHONDIR": f"{home}/.ipython",
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "MPLBACKEND": "Agg",
        **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")},
    }


def command(files, library: bool, limits: Limits, calls: int) -> list[str]:
    """The bubblewrap command: nothing of the host but the interpreter and its packages.

    Parameters
    ----------
    files : path
        Folder of the files that the submission gets.
    library : bool
        Whether it sees moelib.
    limits : Limits
        What it may use.
    calls : int
        Descriptor of the filter of :func:`moelib.classroom.system_calls.write_filter`.

    Returns
    -------
    list of str
        :class:`NotContained` where bubblewrap is missing.
    """
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        raise NotContained("bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)")
    words = [bubblewrap, "--die-with-parent", "--new-session", "--hostname", "exam"]
    words += ["--seccomp", str(calls), "--proc", "/proc", "--dev", "/dev"]
    for path in (HOME, "/tmp", "/dev/shm"):
        words += ["--size", str(limits.disk), "--perms", "1777", "--tmpfs", path]
    for path in _interpreter():  # after /tmp: an environment may lie in there
        words += [*_open_way(path), "--ro-bind", path, path]
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            words += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
        elif Path("/", name).exists():
            words += ["--ro-bind", f"/{name}", f"/{name}"]
    words += ["--perms", "0755", "--dir", "/etc"]
    for path in ("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts"):
        words += ["--ro-bind-try", path, path]
    words += _with_library() if library else _without_library()
    words += ["--ro-bind", str(files), FILES, "--ro-bind", str(INSIDE), SCRIPT]
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", HOME]
    kinds = ["ipc", "pid", "net", "uts", "cgroup-try"]
    if os.getuid() == 0:  # to leave root's rights, inside, takes two of them
        words += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:  # bubblewrap's own process 1 would be one of the same user: be process 1 instead
        kinds.append("user")
        words.append("--as-pid-1")
    words += [f"--unshare-{kind}" for kind in kinds]
    return [*words, "--", sys.executable, "-I", "-B", SCRIPT]


def _interpreter():
    """Where Python and its packages are: /usr, and the like of it in its prefixes; no more."""
    parts = ("bin", "lib", "lib64", "share", "pyvenv.cfg")
    prefixes = {sys.base_prefix, sys.prefix}
    beside = {str(Path(p, part)) for p in prefixes if not _below(p, "/usr") for part in parts}
    return ["/usr", *sorted(path for path in beside if Path(path).exists())]


def package() -> Path:
    """The folder of the moelib that runs here, installed or not."""
    return Path(__file__).resolve().parents[1]


def _with_library():
    return ["--perms", "0755", "--dir", LIBRARY, "--ro-bind", str(package()), f"{LIBRARY}/moelib"]


def _without_library():
    """Empty folders over every moelib that can be seen, and over the one that runs here."""
    shown, packages = _interpreter(), {str(package())}
    for path in shown:
        for place in ("*-packages", "python*/*-packages", "lib*/python*/*-packages"):
            packages |= {str(found) for found in Path(path).glob(f"{place}/moelib")}
            packages |= {str(found) for found in Path(path).glob(f"local/{place}/moelib")}
    seen = sorted(p for p in packages if any(_below(p, path) for path in shown))
    cover = ["--size", "4096", "--perms", "0555", "--tmpfs"]
    return [word for path in seen for word in (*cover, path, "--remount-ro", path)]


def _below(path, folder):
    return Path(path) == Path(folder) or Path(folder) in Path(path).parents


def _open_way(path):
    """Folders on the way to a path that any user may pass."""
    ways = [str(parent) for parent in reversed(Path(path).parents) if parent not in _STANDING]
    return [part for way in ways for part in ("--perms", "0755", "--dir", way)]
