"""The walls: they hold here, and the tries that say so find a leak where there is one."""

import pytest
from submissions import needs_walls

from moelib.classroom import Limits, NotContained, leaks
from moelib.classroom.containment import TRIES
from moelib.classroom.sandbox import Job, run
from moelib.classroom.walls import command

pytestmark = needs_walls


def test_nothing_leaks():
    assert leaks() == []


def test_without_walls_the_tries_find_the_leaks():
    """Memory has a limit of its own, walls or not; moelib hides from an honest import only."""
    found = leaks(Limits(disk=2**20), walls=False)
    assert {"the network is open", "files of this machine can be read"} <= set(found)
    assert "the interpreter's files can be changed" in found
    assert set(found) <= set(TRIES)


def test_without_bubblewrap_grading_says_what_to_install(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(NotContained, match="apt install bubblewrap"):
        command("/nowhere", False, Limits())


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
