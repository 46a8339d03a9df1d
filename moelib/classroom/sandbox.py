"""A submission in its own process: fed, watched, stopped where it takes too much, and heard.

The walls (:mod:`moelib.classroom.walls`) hold inside what they can; the watch out here holds the
time of each step and the memory of all processes together.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from moelib._extras import load
from moelib.classroom.system_calls import write_filter
from moelib.classroom.walls import (
    FILES,
    HOME,
    INSIDE,
    LIBRARY,
    Limits,
    MiB,
    NotContained,
    command,
    environment,
    package,
    rlimits,
)

psutil = load("psutil", "grading")
TOO_LONG = "stopped after"
MACHINE = "stopped: this machine's memory ran out"
EVERY = 0.1  # seconds between two looks at memory
AFTER_FULL = 2.0  # seconds until what was stopped has given its memory back
MOST_STOPS = 20  # new beginnings of one submission
MOST_PARTS = 100_000  # commas of one message: a long list of lists takes a hundred times its bytes


class Crowded(RuntimeError):
    """The machine's memory ran out while several ran: one of them, and nobody knows which."""


@dataclass(frozen=True)
class Job:
    """What is run and asked.

    Attributes
    ----------
    cells : list of dict
        ``{"id": ..., "source": ..., "asks": [[name, number, args or None], ...]}``, args packed.
    files : dict
        Name and path of each file that lies in the work folder.
    library : bool
        Whether moelib can be imported.
    """

    cells: list
    files: dict = field(default_factory=dict)
    library: bool = False


@dataclass
class Outcome:
    """What came out.

    Attributes
    ----------
    answers, errors, stopped : dict
        By step: packed answers, complaints, and why it had to be stopped.
    """

    answers: dict = field(default_factory=dict)
    errors: dict = field(default_factory=dict)
    stopped: dict = field(default_factory=dict)


def run(
    job: Job, limits: Limits | None = None, *, walls: bool = True, alone: bool = True
) -> Outcome:
    """Run a submission inside the walls and collect its answers.

    A step that takes too long or ends its process is not run again: the rest is started anew
    without it, so one endless loop costs one question. After a call that took too long, the other
    calls of that question are not made.

    Parameters
    ----------
    job : Job
        Cells and questions.
    limits : Limits, optional
        What it may use.
    walls : bool
        False runs it without bubblewrap: limits only. For code that is trusted.
    alone : bool
        Whether nothing else fills this machine's memory. If something may, :class:`Crowded` is
        raised when it runs out, and it is nobody's fault; so it is when it is full before.

    Returns
    -------
    Outcome
        Answers not unpacked: nothing in them has been run.
    """
    limits, outcome, begun = limits or Limits(), Outcome(), time.monotonic()
    while (left := limits.total - (time.monotonic() - begun)) > 0:
        step, why = _once(job, replace(limits, total=left), outcome, walls)
        if step == "all":
            return outcome
        if why == MACHINE:
            if not (alone and step):
                raise Crowded(why)
            time.sleep(AFTER_FULL)
        if step in outcome.stopped or len(outcome.stopped) >= MOST_STOPS:
            break
        outcome.stopped[step] = why
        if why.startswith(TOO_LONG):
            name, call, _ = step.partition("/")
            others = [f"{q}/{n}" for c in job.cells for q, n, _ in c["asks"] if call and q == name]
            for other in set(others) - {*outcome.answers, *outcome.errors, *outcome.stopped}:
                outcome.stopped[other] = "not called after a call that was stopped"
    spent = time.monotonic() - begun
    why = f"{TOO_LONG} {limits.total:.0f} seconds in all" if spent > limits.total else "given up"
    outcome.errors.setdefault("all", f"{why}, {len(outcome.stopped)} steps were stopped")
    return outcome


def _once(job, limits, outcome, walls):
    """One process, up to its end or the first step that has to be stopped: (that step, why)."""
    skip = {*outcome.stopped, *outcome.answers, *(e for e in outcome.errors if "/" in e)}
    with tempfile.TemporaryDirectory(prefix="moelib-") as folder:
        files, home = Path(folder, "files"), Path(folder, "home")
        files.mkdir()
        home.mkdir()
        os.chmod(folder, 0o755)
        for name, path in job.files.items():
            shutil.copyfile(path, files / name)
        message = {
            "cells": job.cells,
            "skip": sorted(skip),
            "files": FILES if walls else str(files),
            "home": HOME if walls else str(home),
            "limits": rlimits(limits, walls),
            "library": (LIBRARY if walls else str(package().parent)) if job.library else None,
        }
        words = [sys.executable, "-I", str(INSIDE)]
        with tempfile.TemporaryFile() as calls:
            if walls:
                words = _walled(files, job.library, limits, calls)
            with subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment(HOME if walls else home),
                start_new_session=True,
                pass_fds=[calls.fileno()] if walls else [],
            ) as process:
                try:
                    return _watch(process, json.dumps(message).encode(), limits, job, outcome)
                finally:
                    _kill(process)


def _walled(files, library, limits, calls):
    try:
        write_filter(calls)
    except (ImportError, RuntimeError, OSError, ValueError) as error:
        raise NotContained(f"no filter of system calls could be made: {error}") from error
    return command(files, library, limits, calls.fileno())


def _watch(process, message, limits, job, outcome):
    """Feed the job, read the answers, and stop what takes too much."""
    step, buffer, read, looked = "", b"", 0, 0.0
    known = {cell["id"] for cell in job.cells} | {"all"}
    asked = {f"{name}/{number}" for cell in job.cells for name, number, _ in cell["asks"]}
    begun = since = time.monotonic()
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    try:
        process.stdin.write(message)
        process.stdin.close()
    except BrokenPipeError:
        pass  # what it said before it ended is read below
    while True:
        now = time.monotonic()
        if now - begun > limits.total:
            return step, f"stopped: the notebook took more than {limits.total:.0f} seconds"
        if now - since > limits.step:
            return step, f"{TOO_LONG} {limits.step:.0f} seconds"
        if now - looked > EVERY:
            looked = now
            if _memory(process.pid) > limits.memory:
                return step, f"stopped: more than {limits.memory // MiB} MiB of memory"
            if psutil.virtual_memory().available < limits.reserve:
                return step, MACHINE
        if not selector.select(timeout=EVERY):
            continue
        chunk = os.read(process.stdout.fileno(), MiB)
        if not chunk and not step:
            raise NotContained("it could not be started: " + process.stderr.read(500).decode())
        if not chunk:
            return step, "it ended the process (out of memory, an exit, or a crash)"
        read, buffer = read + len(chunk), buffer + chunk
        *lines, buffer = buffer.split(b"\n")
        if read > limits.answers or len(buffer) > 2 * limits.answer:
            return step, "stopped: it sent more than answers can be"
        for line in lines:
            since = time.monotonic()
            step = _take(line, step, outcome, known, asked)
            if step == "all":
                return step, ""


def _take(line, step, outcome, known, asked):
    """Note one message; returns the step that runs now. What is no message of ours is left out."""
    try:
        if line.count(b",") > MOST_PARTS:
            raise ValueError("more parts than an answer has")
        message = json.loads(line)
        which = str(message["start"] if "start" in message else message["end"])
        if which not in known | asked:
            raise ValueError("a step that there is not")
        if "start" in message:
            return step if which == "all" else which
        if "value" in message and which in asked:
            outcome.answers.setdefault(which, message["value"])
        elif message.get("error"):
            outcome.errors.setdefault(which, str(message["error"])[:500])
        return which if which == "all" else step
    except (ValueError, KeyError, TypeError, RecursionError):
        return step


def _memory(pid):
    """Bytes of memory of a process and all that it has started."""
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0
    for process in family:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def _kill(process):
    """End a process and all that it has started; inside walls the kernel ends the rest with it."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        family = []
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in family:
        try:
            child.kill()
        except psutil.Error:
            continue
    process.stdout.close()
    process.stderr.close()
    process.wait()
