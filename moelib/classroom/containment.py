"""Do the walls hold on this machine? Tried out, before any submission is run."""

import socket
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from moelib.classroom.sandbox import Job, run
from moelib.classroom.walls import Limits, NotContained

# Code that comes to its end where there is a leak, and fails where there is none.
TRIES: dict[str, str] = {
    "the network is open": "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)",
    "files of this machine can be read": """
for path in {files!r}:
    try:
        open(path).read()
        break
    except OSError:
        continue
else:
    raise OSError""",
    "files of this machine can be changed": """
import os
for folder in {folders!r}:
    try:
        open(os.path.join(folder, 'changed'), 'w').close()
        os.remove(os.path.join(folder, 'changed'))
        break
    except OSError:
        continue
else:
    raise OSError""",
    "moelib can be imported": """
import sys
sys.modules.pop('moelib', None)
from moelib import GatedModel""",
    "memory of a process is not limited": "kept = bytearray({memory})",
    "processes are not limited": """
import os, time
for i in range({processes} + 9):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)""",
    "memory can be held by no process": """
import ctypes, os
libc = ctypes.CDLL(None)
shared, semaphores = libc.shmget(0, ctypes.c_size_t(4096), 0o1600), libc.semget(0, 9, 0o1600)
if shared >= 0:
    libc.shmctl(shared, 0, None)
if semaphores >= 0:
    libc.semctl(semaphores, 0, 0)
if shared < 0 and semaphores < 0:
    os.memfd_create('kept')""",
    "a process around the submission can be changed": """
import os
if os.getpid() == 1:
    raise OSError
open('/proc/1/mem', 'r+b').close()""",
    "other processors can be taken": "import os\nos.sched_setaffinity(0, os.sched_getaffinity(0))",
    "user namespaces can be made": """
import ctypes, os
child = os.fork()
if child == 0:
    os._exit(ctypes.CDLL(None).unshare(0x10000000) != 0)
if os.waitpid(child, 0)[1]:
    raise OSError""",
    "the kernel's key ring is shared": """
import ctypes, os
call = {{'x86_64': 250, 'aarch64': 219}}.get(os.uname().machine)
if call is not None and ctypes.CDLL(None).syscall(call, 0, ctypes.c_int(-3), 1) < 0:
    raise OSError""",
    **{
        f"{folder} has no size": f"""
import shutil, tempfile
folder = tempfile.mkdtemp(dir='{folder}')
try:
    for i in range(9):
        open(f'{{{{folder}}}}/{{{{i}}}}', 'wb').write(bytes({{disk}} // 8))
finally:
    shutil.rmtree(folder)"""
        for folder in (".", "/tmp", "/dev/shm")
    },
}


def leaks(
    limits: Limits | None = None, *, private: Iterable[Path] = (), walls: bool = True
) -> list[str]:
    """What a submission could do on this machine that it must not, tried out inside the walls.

    Parameters
    ----------
    limits : Limits, optional
        The limits that are tried.
    private : iterable of Path
        Files and folders that submissions must not see, such as the secret and the masters.
    walls : bool
        False tries without walls: to see that the tries find what they look for.

    Returns
    -------
    list of str
        One sentence for each leak; empty when the walls hold. :class:`NotContained` when they
        cannot be built at all.
    """
    limits = replace(limits or Limits(), step=20.0)
    with (
        tempfile.NamedTemporaryFile(dir=Path.home()) as own,
        tempfile.NamedTemporaryFile() as open_to_all,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        Path(open_to_all.name).chmod(0o644)
        folders = ["/", "/dev", "/etc", "/usr", str(Path.home())]
        folders += [f"{p}/{part}" for p in (sys.prefix, sys.base_prefix) for part in ("bin", "lib")]
        facts: dict = {
            "port": server.getsockname()[1],
            "files": [own.name, open_to_all.name],
            "folders": folders,
            **asdict(limits),
        }
        tries = {leak: code.format_map(facts) for leak, code in TRIES.items()}
        tries |= {f"{path} can be seen": _see(path) for path in private}
        cells = [_try(leak, code) for leak, code in tries.items()]
        outcome = run(Job(cells), limits, walls=walls)
    _needs_library(limits, walls)
    held = {leak for leak in tries if outcome.answers.get(f"done/{leak}", 0) is None}
    return [leak for leak in tries if leak not in held and leak not in outcome.stopped]


def _needs_library(limits, walls):
    """A project may import moelib: where that fails, no student is to blame."""
    found = run(Job([_try("library", "import moelib.metrics")], library=True), limits, walls=walls)
    if found.answers.get("done/library") is None:
        raise NotContained(f"moelib cannot be imported inside the walls: {found.errors}")


def _see(path):
    return f"import os\nos.stat({str(Path(path).resolve())!r})"


def _try(leak, code):
    """A cell that tries a leak, and the question whether it got to its end."""
    source = f"done = None\n{code}\ndone = 1"
    return {"id": leak, "source": source, "asks": [["done", leak, None]]}
