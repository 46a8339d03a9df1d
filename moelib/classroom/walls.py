"""The walls around a submission: what it sees, and how much it may use.

bubblewrap gives it an empty file system with the interpreter in it, read-only, and cuts the
network off. Limits hold memory, processes, files and processor time.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

INSIDE = Path(__file__).with_name("inside.py")
HOME, FILES, SCRIPT = "/homework", "/files", "/inside.py"
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
        Bytes in its work folder, and as many in ``/tmp``.
    answers : int
        Bytes of all answers together.
    """

    step: float = 60.0
    total: float = 600.0
    memory: int = 4096 * MiB
    processes: int = 48
    disk: int = 64 * MiB
    answers: int = 64 * MiB


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


def command(files, library: bool, limits: Limits) -> list[str]:
    """The bubblewrap command: nothing of the host but the interpreter and its packages."""
    if shutil.which("bwrap") is None:
        raise NotContained("bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)")
    prefixes = sorted({"/usr", sys.base_prefix, sys.prefix}, key=len)
    shown = [p for p in prefixes if p == "/usr" or not p.startswith("/usr/")]
    words = ["bwrap", "--die-with-parent", "--new-session", "--unshare-all", "--hostname", "exam"]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for path in (HOME, "/tmp"):
        words += ["--size", str(limits.disk), "--perms", "1777", "--tmpfs", path]
    for path in shown:  # after /tmp: an environment may lie in there
        words += [*_open_way(path), "--ro-bind", path, path]
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            words += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
        elif Path("/", name).exists():
            words += ["--ro-bind", f"/{name}", f"/{name}"]
    for path in ("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts"):
        words += ["--ro-bind-try", path, path]
    for path in _library():
        if library:
            words += [*_open_way(path), "--ro-bind", path, path]
        elif any(path.startswith(f"{prefix}/") for prefix in shown):
            words += ["--tmpfs", path]
    words += ["--ro-bind", str(files), FILES, "--ro-bind", str(INSIDE), SCRIPT, "--chdir", HOME]
    if os.getuid() == 0:  # to leave root's rights, inside, takes two of them
        words += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        words.remove("--unshare-all")
        words += [f"--unshare-{name}" for name in ("ipc", "pid", "net", "uts", "cgroup-try")]
    return [*words, "--", sys.executable, "-I", "-B", SCRIPT]


def _open_way(path):
    """Folders on the way to a path that any user may pass."""
    ways = [str(parent) for parent in reversed(Path(path).parents) if parent not in _STANDING]
    return [part for way in ways for part in ("--perms", "0755", "--dir", way)]


def _library():
    """Folders of moelib, wherever it is installed."""
    spec = find_spec("moelib")
    return list(spec.submodule_search_locations or []) if spec else []
