"""The walls: they hold here, and the tries that say so find a leak where there is one."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from submissions import needs_walls

from moelib.classroom import Limits, NotContained, leaks
from moelib.classroom.containment import TRIES
from moelib.classroom.inside import unpack
from moelib.classroom.sandbox import Crowded, Job, run
from moelib.classroom.walls import command

pytestmark = needs_walls


def test_nothing_leaks():
    assert leaks() == []


def test_without_walls_the_tries_find_the_leaks():
    """Memory of a process has a limit, walls or not; who is not root cannot do all of the rest."""
    own_limits = {"memory of a process is not limited", "processes are not limited"}
    denied_to_some = {
        "a process around the submission can be changed",
        "user namespaces can be made",
        "the kernel's key ring is shared",
    }
    found = leaks(Limits(disk=2**20), walls=False)
    assert set(TRIES) - set(found) <= own_limits | denied_to_some


def test_private_paths_that_can_be_seen_are_a_leak(tmp_path):
    """What lies in an interpreter's own folders is shown with them: grading must not start."""
    secret = tmp_path / "course-secret"
    secret.write_text("x" * 40)
    shown = Path(sys.executable)
    assert leaks(private=[secret, tmp_path]) == []
    assert leaks(private=[secret, shown]) == [f"{shown} can be seen"]
    assert leaks(private=[secret], walls=False)[-1] == f"{secret} can be seen"


def test_a_copy_of_moelib_among_the_packages_is_hidden(tmp_path, monkeypatch):
    """Installed or in development: what is found beside other packages is covered, all of it."""
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    (packages / "moelib").mkdir(parents=True)
    monkeypatch.setattr("moelib.classroom.walls.sys.prefix", str(tmp_path))
    words = command("/nowhere", False, Limits(), 9)
    place = words.index(str(packages / "moelib"))
    assert words[place - 1] == "--tmpfs"
    assert str(packages / "moelib") not in command("/nowhere", True, Limits(), 9)


FILL = """
import os
for number in range(40):
    with open(os.path.join({folder!r}, str(number)), 'wb') as file:
        file.write(bytes(2**20))
"""


@pytest.mark.parametrize("folder", ["/", "/dev", "/dev/shm", "/tmp", "/homework", "/files"])
def test_no_folder_takes_more_than_its_share(folder):
    cells = [{"id": "fill", "source": FILL.format(folder=folder), "asks": []}]

    assert "Error" in run(Job(cells), Limits(disk=2**23)).errors["fill"]


def test_answers_that_nobody_asked_for_are_not_kept():
    """Forged messages fill no memory: unknown steps, and lists of lists of lists."""
    code = """
import os
def put(text):
    text = text.encode()
    while text:
        text = text[os.write(3, text):]
for number in range(300):
    put('{"end": "made up %d", "value": 1}\\n{"end": "up %d", "error": "x"}\\n' % (number, number))
put('{"end": "x/0", "value": [' + '[],' * 200_000 + '[]]}\\n')
x = 3
"""
    cells = [{"id": "forger", "source": code, "asks": [["x", 0, None]]}]
    outcome = run(Job(cells))
    assert set(outcome.answers) == {"x/0"} and outcome.errors == {}
    assert "array" in outcome.answers["x/0"]


class Memory:
    """A machine whose memory is full for a second, some seconds after it is looked at first."""

    def __init__(self, full_from):
        self.full_from, self.first = full_from, None

    def __call__(self):
        self.first = self.first or time.monotonic()
        full = 0 <= time.monotonic() - self.first - self.full_from < 1
        return SimpleNamespace(available=0 if full else 2**40)


def test_when_the_machine_is_full_nobody_else_pays(monkeypatch):
    """Among others the submission is put off; alone, it is what filled the memory."""
    job = Job([{"id": "a", "source": "import time; time.sleep(9)", "asks": []}])
    for alone, full_from in ((False, 3), (True, 0)):
        memory = Memory(full_from)
        monkeypatch.setattr("moelib.classroom.sandbox.psutil.virtual_memory", memory)
        with pytest.raises(Crowded):
            run(job, alone=alone)
    monkeypatch.setattr("moelib.classroom.sandbox.psutil.virtual_memory", Memory(3))
    assert run(job).stopped == {"a": "stopped: this machine's memory ran out"}


def test_without_bubblewrap_grading_says_what_to_install(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(NotContained, match="apt install bubblewrap"):
        command("/nowhere", False, Limits(), 9)


def test_a_wall_that_cannot_be_built_is_not_the_students_fault(monkeypatch):
    broken = ["bwrap", "--no-such-option"]
    monkeypatch.setattr("moelib.classroom.sandbox.command", lambda *given: broken)
    with pytest.raises(NotContained, match="could not be started"):
        run(Job([{"id": "a", "source": "1", "asks": []}]))


def test_messages_that_a_submission_forges_end_nothing_but_itself():
    """Student code finds the channel and writes to it: only its own answers are at stake."""
    code = """
import os
for number in range(3, 64):
    for line in (b'{"end": "all"}', b'{"start": "x"}', b'[1]', b'{"end": {"a": 1}}', b'nonsense'):
        try:
            os.write(number, b'\\n' + line + b'\\n')
        except OSError:
            pass
"""
    cells = [
        {"id": "forger", "source": code, "asks": []},
        {"id": "next", "source": "x = 1", "asks": [["x", 0, None]]},
    ]
    outcome = run(Job(cells), Limits(step=5.0, total=20.0))
    assert set(outcome.answers) <= {"x/0"}


def test_the_limits_of_all_processes_together_hold():
    """Each process stays below the limit; all of them together do not."""
    code = """
import os, time
import numpy as np
for _ in range(8):
    if os.fork() == 0:
        kept = np.ones(2**24)
        time.sleep(30)
        os._exit(0)
time.sleep(30)
"""
    outcome = run(Job([{"id": "many", "source": code, "asks": []}]), Limits(memory=700 * 2**20))
    assert "MiB of memory" in outcome.stopped["many"]


def found(source, name="found", **options):
    """What a name is after a cell was run inside the walls."""
    job = Job([{"id": "cell", "source": source, "asks": [[name, 0, None]]}])
    outcome = run(job, **options)
    assert outcome.errors == outcome.stopped == {}
    return unpack(outcome.answers[f"{name}/0"])


def test_nothing_but_three_folders_is_mounted_for_writing():
    """Whoever runs the grader: no right of a user's is needed to keep what is shown as it is."""
    code = """
mounts = [line.split() for line in open('/proc/mounts')]
found = [m[1] for m in mounts if 'rw' in m[3].split(',')]
"""
    rest = [p for p in found(code) if p != "/proc" and not p.startswith("/dev/")]
    assert sorted(rest) == ["/homework", "/tmp"]


DENIED = ("add_key", "keyctl", "request_key", "msgget", "semget", "shmget", "memfd_create",
          "unshare", "setns", "chroot", "kcmp", "pidfd_open", "pidfd_getfd", "perf_event_open",
          "process_vm_readv", "process_vm_writev", "ptrace", "sched_setaffinity")  # fmt: skip


def test_calls_that_reach_past_the_walls_are_refused():
    seccomp = pytest.importorskip("pyseccomp")
    numbers = {c: seccomp.resolve_syscall(seccomp.Arch.NATIVE, c) for c in (*DENIED, "clone3")}
    clone = seccomp.resolve_syscall(seccomp.Arch.NATIVE, "clone")
    code = f"""
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
found = {{}}
for name, number in {numbers}.items():
    found[name] = ctypes.get_errno() if libc.syscall(number, 0, 0, 0, 0, 0, 0) == -1 else 0
child = libc.syscall({clone}, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
if child == 0:
    os._exit(0)
found['clone'] = ctypes.get_errno() if child == -1 else 0
"""
    expected = {**dict.fromkeys((*DENIED, "clone"), errno.EPERM), "clone3": errno.ENOSYS}
    assert found(code) == expected


def test_after_some_new_beginnings_a_submission_is_given_up(monkeypatch):
    monkeypatch.setattr("moelib.classroom.sandbox.MOST_STOPS", 2)
    cells = [{"id": n, "source": "import os\nos._exit(1)", "asks": []} for n in "abcd"]
    outcome = run(Job(cells))
    assert set(outcome.stopped) == {"a", "b"} and "given up" in outcome.errors["all"]


def test_many_short_messages_are_too_much_as_well():
    code = "import os\nfor _ in range(99):\n    os.write(3, b'{}\\n' * 9999)"
    job = Job([{"id": "flood", "source": code, "asks": []}])
    assert "more than answers" in run(job, Limits(answers=2**20)).stopped["flood"]


def test_a_cell_that_is_asked_nothing_has_no_answer():
    code = 'import os\n_ = os.write(3, b\'\\n{"end": "forger", "value": 1}\\n\')'
    assert run(Job([{"id": "forger", "source": code, "asks": []}])).answers == {}


def test_a_call_that_exits_ends_no_process():
    cell = {"id": "f", "source": "import sys\nf = sys.exit", "asks": [["f", 0, []]]}
    outcome = run(Job([cell]))
    assert outcome.stopped == {} and outcome.errors["f/0"].startswith("SystemExit")


@pytest.mark.skipif(os.getuid() != 0, reason="only root's groups are left")
def test_a_submission_is_in_no_group_of_roots():
    groups = os.getgroups()
    os.setgroups([*groups, 4])
    try:
        assert found("import os\nfound = len(os.getgroups())") == 0
    finally:
        os.setgroups(groups)


def test_a_library_that_cannot_be_imported_is_the_machines_fault(monkeypatch):
    walls = sys.modules["moelib.classroom.walls"]
    monkeypatch.setattr(walls, "_with_library", walls._without_library)
    with pytest.raises(NotContained, match="moelib cannot be imported"):
        leaks()


def test_a_submission_ends_with_its_grader(tmp_path):
    """However the grader ends: here it is killed, and can clean up nothing."""
    cell = {"id": "a", "source": "import os, time\nos.fork()\ntime.sleep(99)", "asks": []}
    code = f"from moelib.classroom.sandbox import Job, run\nrun(Job([{cell}]))"
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], env=env) as grader:
        inside = []
        while len(inside) < 3 and grader.poll() is None:  # bubblewrap, Python, its child
            time.sleep(0.05)
            inside = psutil.Process(grader.pid).children(recursive=True)
        grader.kill()
    left = psutil.wait_procs(inside, timeout=3)[1]
    for process in left:
        process.kill()
    assert inside and not left
