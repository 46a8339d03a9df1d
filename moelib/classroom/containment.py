"""Do the walls hold on this machine? Tried out, before any submission is run."""

import socket
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from moelib.classroom.sandbox import Job, run
from moelib.classroom.walls import Limits

TRIES: dict[str, str] = {
    "the network is open": "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)",
    "files of this machine can be read": "open({secret!r}).read()",
    "the interpreter's files can be changed": (
        "import os\nopen({prefix!r} + '/changed', 'w').close()\nos.remove({prefix!r} + '/changed')"
    ),
    "memory is not limited": "kept = bytearray({memory})",
    "the work folder has no size": (
        "for i in range(9):\n    open(f'{{i}}', 'wb').write(bytes({disk} // 8))"
    ),
    "moelib can be imported": "import moelib",
    "processes are not limited": (
        "import os, time\nfor i in range({processes} + 9):\n"
        "    if os.fork() == 0:\n        time.sleep(60)\n        os._exit(0)"
    ),
}


def leaks(limits: Limits | None = None, *, walls: bool = True) -> list[str]:
    """What a submission could do on this machine that it must not, tried out inside the walls.

    Parameters
    ----------
    limits : Limits, optional
        The limits that are tried.
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
        tempfile.NamedTemporaryFile(dir=Path.home()) as secret,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        facts: dict = {
            "port": server.getsockname()[1],
            "secret": secret.name,
            "prefix": sys.prefix,
            **asdict(limits),
        }
        cells = [_try(leak, code.format_map(facts)) for leak, code in TRIES.items()]
        outcome = run(Job(cells), limits, walls=walls)
    held = {leak for leak in TRIES if outcome.answers.get(f"done/{leak}", 0) is None}
    return [leak for leak in TRIES if leak not in held and leak not in outcome.stopped]


def _try(leak, code):
    """A cell that tries a leak, and the question whether it got to its end."""
    source = f"done = None\n{code}\ndone = 1"
    return {"id": leak, "source": source, "asks": [["done", leak, None]]}
