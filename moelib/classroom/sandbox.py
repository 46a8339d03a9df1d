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
from moelib.classroom.walls import (
    FILES,
    HOME,
    INSIDE,
    Limits,
    MiB,
    NotContained,
    command,
    environment,
    rlimits,
)

psutil = load("psutil", "grading")
MOST_STOPS = 20  # new beginnings of one submission


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
    """What came out: packed answers and complaints by step, and steps that had to be stopped."""

    answers: dict = field(default_factory=dict)
    errors: dict = field(default_factory=dict)
    stopped: dict = field(default_factory=dict)


def run(job: Job, limits: Limits | None = None, *, walls: bool = True) -> Outcome:
    """Run a submission inside the walls and collect its answers.

    A step that takes too long or ends its process is not run again: the rest is started anew
    without it, so one endless loop costs one question.

    Parameters
    ----------
    job : Job
        Cells and questions.
    limits : Limits, optional
        What it may use.
    walls : bool
        False runs it without bubblewrap: limits only. For code that is trusted.

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
        if step in outcome.stopped or len(outcome.stopped) == MOST_STOPS:
            break
        outcome.stopped[step] = why
    outcome.errors.setdefault("all", f"stopped after {limits.total:.0f} seconds in all")
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
            "library": job.library,
        }
        words = (
            command(files, job.library, limits) if walls else [sys.executable, "-I", str(INSIDE)]
        )
        with subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(HOME if walls else home),
            start_new_session=True,
        ) as process:
            try:
                return _watch(process, json.dumps(message).encode(), limits, outcome)
            finally:
                _kill(process)


def _watch(process, message, limits, outcome):
    """Feed the job, read the answers, and stop what takes too much."""
    step, read, buffer = "", 0, b""
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
            return step, f"stopped after {limits.step:.0f} seconds"
        if _memory(process.pid) > limits.memory:
            return step, f"stopped: more than {limits.memory // MiB} MiB of memory"
        if not selector.select(timeout=0.2):
            continue
        chunk = os.read(process.stdout.fileno(), MiB)
        if not chunk and not step:
            raise NotContained("it could not be started: " + process.stderr.read(500).decode())
        if not chunk:
            return step, "it ended the process (out of memory, an exit, or a crash)"
        read, buffer = read + len(chunk), buffer + chunk
        if read > limits.answers:
            return step, f"stopped: more than {limits.answers // MiB} MiB of answers"
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            since = time.monotonic()
            step = _take(line, step, outcome)
            if step == "all":
                return step, ""


def _take(line, step, outcome):
    """Note one message; returns the step that runs now. What is no message of ours is left out."""
    try:
        message = json.loads(line)
        if "start" in message:
            return str(message["start"])
        done = str(message["end"])
        if "value" in message:
            outcome.answers.setdefault(done, message["value"])
        elif message.get("error"):
            outcome.errors.setdefault(done, str(message["error"])[:500])
        return done if done == "all" else step
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
