"""A class: each submission graded once, people's points added, tables for all, a page for each."""

import csv
import json
import os
import re
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from functools import cache
from itertools import cycle, islice
from multiprocessing import SimpleQueue
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from moelib.classroom.feedback import write_feedback
from moelib.classroom.grading import Earned, Graded, fingerprint, grade, on_one_line
from moelib.classroom.people import KEYS, read_sheet, with_people, write_sheet
from moelib.classroom.questions import Assignment, load
from moelib.classroom.sandbox import Crowded
from moelib.classroom.walls import Limits

loaded = cache(load)  # once in each process


def grade_class(
    submissions,
    assignments: dict,
    secret: bytes,
    out,
    *,
    jobs: int = 2,
    limits: Limits | None = None,
    walls: bool = True,
    again: bool = False,
    odd=(),
) -> list[Graded]:
    """Grade all submissions, one by one and apart from each other.

    Parameters
    ----------
    submissions : list of (student, assignment, path)
        From :func:`moelib.classroom.collected.find_submissions`.
    assignments : dict of Assignment
        By name.
    secret : bytes
        The secret of the course.
    out : path
        Where gradebook, feedback, results and the table for people's points are kept.
    jobs : int
        Submissions at a time.
    limits : Limits, optional
        What each may use.
    walls : bool
        Whether to grade inside the walls.
    again : bool
        Also those that did not change since they were last graded.
    odd : list of (name, reason)
        What could not be graded at all: rows of the gradebook, so that a person looks.

    Returns
    -------
    list of Graded
        A submission on which the grader itself fails gets no points and says so; the others go on.
        ``ValueError`` for a ``manual.csv`` that makes no sense, before anything is graded.
    """
    out, done, tasks = Path(out), [], []
    read_sheet(out / "manual.csv")
    for student, name, path in submissions:
        known = None if again else _stored(out / "results" / student / f"{name}.json")
        how = f"{limits or Limits()} {walls}"
        if known and known.digest == _fingerprint(path, assignments[name], student, secret, how):
            done.append(known)
        else:
            tasks.append((path, assignments[name].folder, student, secret, limits, walls))
    with tqdm(total=len(tasks), disable=not tasks, desc="submissions") as bar:
        for graded in _graded_apart(tasks, jobs):
            _store(out / "results" / graded.student, graded)
            done.append(graded)
            bar.update()
    done.sort(key=lambda graded: (graded.student, graded.assignment))
    sheet = read_sheet(out / "manual.csv")
    complete = with_people(done, sheet)
    write_sheet(done, sheet, out / "manual.csv")
    write_gradebook(complete, out, odd)
    for graded in complete:
        write_feedback(graded, out / "feedback" / graded.student / f"{graded.assignment}.html")
    return complete


def _graded_apart(tasks, jobs):
    """Each task's result. What fails for what others may have done is tried again alone."""
    unlucky: list = []
    cores: Any = SimpleQueue()
    for core in islice(cycle(_cores()), jobs):
        cores.put(core)
    with ProcessPoolExecutor(jobs, initializer=_settle, initargs=(cores,)) as pool:
        running = {pool.submit(_one, task, jobs == 1): task for task in tasks}
        for future in as_completed(running):
            if future.exception():  # a process of the pool ended, or the memory of the machine
                unlucky.append(running[future])
            else:
                yield future.result()
    for task in unlucky:
        with ProcessPoolExecutor(1) as pool:
            try:
                yield pool.submit(_one, task, True).result()
            except Exception as error:
                yield _failed(loaded(task[1]), task[2], error)


def _cores():
    """The processors that there are, where the system says so."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None]


def _settle(cores):
    """One processor for each process of the pool: a submission that burns it slows no other."""
    core = cores.get()
    if core is not None:
        os.sched_setaffinity(0, {core})


def _one(task, alone) -> Graded:
    """Grade one submission in a process of the pool; whatever happens in it, there is a result."""
    path, folder, student, secret, limits, walls = task
    assignment = loaded(folder)
    try:
        return grade(path, assignment, student, secret, limits=limits, walls=walls, alone=alone)
    except Crowded:
        raise
    except Exception as error:
        return _failed(assignment, student, error)


def _failed(assignment: Assignment, student: str, error: BaseException) -> Graded:
    """A submission that the grader could not grade: a person has to look."""
    cells = [cell.metadata["nbgrader"] for cell in assignment.master.cells]
    earned = tuple(
        Earned(n["grade_id"].removeprefix("test-"), None, float(n["points"]))
        for n in cells
        if n["grade"]
    )
    remark = on_one_line(f"the grader failed, please look: {type(error).__name__}: {error}")[:500]
    return Graded(student, assignment.name, earned, (remark,))


def write_gradebook(graded: list[Graded], out, odd=()) -> None:
    """Write ``gradebook.csv``, a row for each submission, and ``points.csv``, for each question."""
    rows, points = [], []
    for g in graded:
        rows.append(
            {
                "student": g.student,
                "assignment": g.assignment,
                "points": round(g.points, 2),
                "most": g.most,
                "to grade by hand": sum(e.points is None for e in g.earned),
                "remarks": _cell("; ".join(g.remarks)),
            }
        )
        for e in g.earned:
            key = dict(zip(KEYS, (g.student, g.assignment, e.question)))
            points.append({**key, "points": e.points, "most": e.most, "reason": _cell(e.reason)})
    for name, reason in odd:
        remark = f"not graded: {reason}"
        rows.append({"student": _cell(on_one_line(name)), "remarks": on_one_line(remark)})
    Path(out).mkdir(parents=True, exist_ok=True)
    for file, table in (("gradebook.csv", rows), ("points.csv", points)):
        pd.DataFrame(table).to_csv(Path(out, file), index=False, quoting=csv.QUOTE_NONNUMERIC)


def _cell(text):
    """Text of which no spreadsheet takes a part for a formula, whatever separates its cells."""
    return re.sub(r"(^|[;\t])(\s*)(?=[=+@-])", r"\1\2'", text)


def _fingerprint(path, assignment, student, secret, how):
    try:
        return fingerprint(path, assignment, student, secret, how)
    except OSError:
        return ""


def _store(folder, graded):
    with suppress(OSError):  # it is graded again, then
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{graded.assignment}.json").write_text(json.dumps(graded.as_dict()))


def _stored(path):
    try:
        return Graded.from_dict(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return None
