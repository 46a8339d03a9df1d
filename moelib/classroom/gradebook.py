"""A class: every submission graded once, people's points kept, a table for all, a page for each."""

import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from moelib.classroom.feedback import write_feedback
from moelib.classroom.grading import Earned, Graded, fingerprint, grade
from moelib.classroom.personal import as_student
from moelib.classroom.questions import Assignment, load
from moelib.classroom.walls import Limits

loaded = cache(load)  # once in each process
KEYS = ["student", "assignment", "question"]


def find_submissions(folder, assignments: dict) -> list[tuple[str, str, Path]]:
    """Who handed in what.

    Parameters
    ----------
    folder : path
        ``STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb``, as nbgrader collects, or, for one assignment,
        ``STUDENT.ipynb``.
    assignments : dict
        The assignments that are graded, by name.

    Returns
    -------
    list of (student, assignment, path)
        Sorted. ``ValueError`` where a file is in neither form, or nothing is there.
    """
    folder, found = Path(folder), []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            for name in assignments:
                notebook = path / name / f"{name}.ipynb"
                if (path / name).is_dir():
                    found.append((as_student(path.name), name, notebook))
        elif path.suffix == ".ipynb" and len(assignments) == 1:
            found.append((as_student(path.stem), next(iter(assignments)), path))
    if not found:
        raise ValueError(
            f"no submissions in {folder}: STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb, or STUDENT.ipynb "
            f"for one assignment, with ASSIGNMENT one of {sorted(assignments)}"
        )
    return found


def grade_class(
    submissions,
    assignments: dict,
    secret: bytes | None,
    out,
    *,
    jobs: int = 2,
    limits: Limits | None = None,
    walls: bool = True,
    again: bool = False,
) -> list[Graded]:
    """Grade all submissions, one by one and apart from each other.

    Parameters
    ----------
    submissions : list of (student, assignment, path)
        From :func:`find_submissions`.
    assignments : dict of Assignment
        By name.
    secret : bytes or None
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

    Returns
    -------
    list of Graded
        A submission on which the grader itself fails gets no points and says so; the others go on.
    """
    out, done = Path(out), []
    tasks = []
    for student, name, path in submissions:
        stored = out / "results" / student / f"{name}.json"
        known = None if again else _stored(stored)
        if known and known.digest == _fingerprint(path, assignments[name], student, secret):
            done.append(known)
        else:
            tasks.append((path, assignments[name].folder, student, secret, limits, walls))
    with ProcessPoolExecutor(jobs) as pool:
        running = {pool.submit(_one, task): task for task in tasks}
        for future in tqdm(as_completed(running), total=len(running), disable=not running):
            done.append(_result(future, running[future]))
            _store(out / "results" / done[-1].student, done[-1])
    done.sort(key=lambda graded: (graded.student, graded.assignment))
    done = with_manual(done, out / "manual.csv")
    write_gradebook(done, out)
    for graded in done:
        write_feedback(graded, out / "feedback" / graded.student / f"{graded.assignment}.html")
    return done


def with_manual(graded: list[Graded], path) -> list[Graded]:
    """Add the points that people gave, and list what they have still to give.

    Parameters
    ----------
    graded : list of Graded
        Of a class.
    path : path
        ``manual.csv``: student, assignment, question, most, points, comment. Rows that are there
        are kept; new ones are added with empty points.

    Returns
    -------
    list of Graded
        ``ValueError`` for points that are no number from 0 to the most.
    """
    path = Path(path)
    rows: dict = {}
    if path.exists():
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        rows = {tuple(row[key] for key in KEYS): row for row in table.to_dict("records")}
    complete = []
    for g in graded:
        earned = []
        for e in g.earned:
            key = (g.student, g.assignment, e.question)
            if e.points is None or key in rows:
                start = {**dict(zip(KEYS, key)), "most": f"{e.most:g}", "points": "", "comment": ""}
                row = rows.setdefault(key, start)
                e = Earned(e.question, _points(row, e), e.most, row["comment"] or e.reason)
            earned.append(e)
        complete.append(replace(g, earned=tuple(earned)))
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [*KEYS, "most", "points", "comment"]
    pd.DataFrame(list(rows.values()), columns=columns).to_csv(path, index=False)
    return complete


def write_gradebook(graded: list[Graded], out) -> None:
    """Write ``gradebook.csv``, a row for each submission, and ``points.csv``, for each question."""
    rows, points = [], []
    for g in graded:
        missing = sum(e.points is None for e in g.earned)
        rows.append(
            {
                "student": g.student,
                "assignment": g.assignment,
                "points": round(g.points, 2),
                "most": g.most,
                "to grade by hand": missing,
                "remarks": _cell("; ".join(g.remarks)),
            }
        )
        for e in g.earned:
            key = dict(zip(KEYS, (g.student, g.assignment, e.question)))
            points.append({**key, "points": e.points, "most": e.most, "reason": _cell(e.reason)})
    Path(out).mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(Path(out, "gradebook.csv"), index=False)
    pd.DataFrame(points).to_csv(Path(out, "points.csv"), index=False)


def _cell(text):
    """Text that no spreadsheet takes for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _points(row, earned):
    if not row["points"].strip():
        return earned.points
    try:
        points = float(row["points"])
    except ValueError:
        points = -1.0
    if not 0 <= points <= earned.most:
        where = ", ".join(row[key] for key in KEYS)
        raise ValueError(
            f"manual.csv, {where}: points must be 0 to {earned.most:g}, got {row['points']!r}"
        )
    return points


def _one(task) -> Graded:
    """Grade one submission in a process of the pool; whatever happens, there is a result."""
    path, folder, student, secret, limits, walls = task
    assignment = loaded(folder)
    try:
        return grade(path, assignment, student, secret, limits=limits, walls=walls)
    except Exception as error:
        return _failed(assignment, student, error)


def _result(future, task) -> Graded:
    try:
        return future.result()
    except Exception as error:  # the process itself ended
        _, folder, student, *_ = task
        return _failed(loaded(folder), student, error)


def _failed(assignment: Assignment, student: str, error: Exception) -> Graded:
    """A submission that the grader could not grade: a person has to look."""
    cells = [cell.metadata["nbgrader"] for cell in assignment.master.cells]
    earned = tuple(
        Earned(n["grade_id"].removeprefix("test-"), None, float(n["points"]))
        for n in cells
        if n["grade"]
    )
    remark = f"the grader failed, please look: {type(error).__name__}: {error}"[:500]
    return Graded(student, assignment.name, earned, (remark,))


def _fingerprint(path, assignment, student, secret):
    try:
        return fingerprint(path, assignment, student, secret)
    except OSError:
        return ""


def _store(folder, graded):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{graded.assignment}.json").write_text(json.dumps(graded.as_dict()))


def _stored(path):
    try:
        return Graded.from_dict(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return None
