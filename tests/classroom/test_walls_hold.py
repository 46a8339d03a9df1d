"""The walls: they hold here, and the tries that say so find a leak where there is one."""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from submissions import needs_walls

from moelib.classroom import Limits, NotContained, leaks
from moelib.classroom.containment import TRIES
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
