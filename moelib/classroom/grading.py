"""Grade one submission: run it inside the walls, compare what comes out, say why."""

import ast
import hashlib
import re
import tempfile
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from moelib.classroom.marks import Mark, mark
from moelib.classroom.questions import Assignment
from moelib.classroom.release import released
from moelib.classroom.sandbox import run
from moelib.classroom.submission import (
    MOST_BYTES,
    Unreadable,
    is_answer,
    is_test,
    job_for,
    read,
)
from moelib.classroom.walls import Limits


@dataclass(frozen=True)
class Earned:
    """One question of a graded submission.

    Attributes
    ----------
    question : str
        Its name.
    points : float or None
        What it earned; None while a person has still to grade it.
    most : float
        What it could earn.
    reason : str
        Why.
    part : str
        The heading above it in the notebook.
    """

    question: str
    points: float | None
    most: float
    reason: str = ""
    part: str = ""


@dataclass(frozen=True)
class Graded:
    """A graded submission.

    Attributes
    ----------
    student, assignment : str
        Whose, and of what.
    earned : tuple of Earned
        The questions in the order of the notebook.
    remarks : tuple of str
        What was odd.
    digest : str
        What was graded, by what.
    title : str
        The assignment's, for readers.
    """

    student: str
    assignment: str
    earned: tuple
    remarks: tuple = field(default=())
    digest: str = ""
    title: str = ""

    @property
    def points(self) -> float:
        """All points so far."""
        return float(sum(e.points or 0.0 for e in self.earned))

    @property
    def most(self) -> float:
        """All points there are."""
        return float(sum(e.most for e in self.earned))

    def as_dict(self) -> dict:
        """For a JSON file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: dict) -> "Graded":
        """Back from :meth:`as_dict`; ``ValueError`` or ``TypeError`` for what cannot be from it."""
        earned = tuple(Earned(**e) for e in found["earned"])
        for e in earned:
            if not (isinstance(e.reason, str) and (e.points is None or 0 <= e.points <= e.most)):
                raise ValueError(f"{e.question}: points {e.points} of {e.most}, {e.reason}")
        return cls(**{**found, "earned": earned, "remarks": tuple(found["remarks"])})


def grade(
    path,
    assignment: Assignment,
    student: str,
    secret: bytes | None = None,
    *,
    limits: Limits | None = None,
    walls: bool = True,
    alone: bool = True,
) -> Graded:
    """Grade one notebook.

    Parameters
    ----------
    path : path
        The student's notebook.
    assignment : Assignment
        What it answers.
    student : str
        Whose it is: decides on data and questions.
    secret : bytes, optional
        The secret of the course; not needed for the student "practice".
    limits : Limits, optional
        What the notebook may use.
    walls : bool
        False runs it without bubblewrap, for notebooks that are trusted.
    alone : bool
        Whether no other submission runs meanwhile; ``Crowded`` is raised when it is not alone and
        the machine's memory runs out.

    Returns
    -------
    Graded
        With no points where there is no notebook. ``NotContained`` when this machine cannot build
        the walls.
    """
    tests = [cell for cell in assignment.master.cells if is_test(cell)]
    digest = fingerprint(path, assignment, student, secret, f"{limits or Limits()} {walls}")
    try:
        handed_in = read(path, assignment.master)
    except Unreadable as error:
        nothing = {
            _question(cell): Mark(0.0, f"the notebook cannot be read: {error}") for cell in tests
        }
        return _graded(assignment, student, nothing, (str(error),), digest)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.npz")
        paper = assignment.paper(student, secret)
        np.savez(data, **paper.personal.data)
        job = job_for(handed_in, paper, data)
        outcome = run(job, limits, walls=walls, alone=alone)
    names = [_question(cell) for cell in tests]
    marks = {name: mark(paper, name, answers_to(name, job, outcome)) for name in names}
    marks = _first_things_first(marks, handed_in) | _untouched(handed_in, assignment)
    remarks = (*handed_in.remarks, *_broken(assignment, outcome))
    return _graded(assignment, student, marks, remarks, digest)


@cache
def _code() -> bytes:
    """One hash of this library, as it was when the process began to grade."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()


def fingerprint(
    path, assignment: Assignment, student: str, secret: bytes | None, how: str = ""
) -> str:
    """One hash of a submission and of what grades it: equal hashes need no second grading."""
    words = f"{student}\0{assignment.name}\0{how}\0".encode()
    digest = hashlib.sha256(words + _code() + (secret or b""))
    for file in [*sorted(assignment.folder.glob("*.*")), Path(path)]:
        if file.is_file() and not file.is_symlink():
            too_large = file.stat().st_size > MOST_BYTES  # it will not be read for grading either
            content = b"too large" if too_large else file.read_bytes()
            digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def on_one_line(text: str) -> str:
    """Text that students had a part in, as one line that every file can hold."""
    text = text.encode("utf-8", "replace").decode()
    return "".join(sign if sign.isprintable() else " " for sign in text)[:2000]


def _graded(assignment, student, marks, remarks, digest):
    """Points by the master's cells: those of the grader, and those that wait for a person."""
    earned, part = [], ""
    for cell in assignment.master.cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        part = _heading(cell) or part
        if nbgrader.get("grade"):
            name, most = _question(cell), float(nbgrader["points"])
            found = marks.get(name)
            points = round(found.share * most, 4) if found else None
            reason = on_one_line(found.reason) if found else ""
            earned.append(Earned(name, points, most, reason, part))
    lines = tuple(on_one_line(remark) for remark in remarks)
    return Graded(student, assignment.name, tuple(earned), lines, digest, assignment.title)


def _heading(cell):
    """The first heading of a given text, without its number signs and points."""
    if cell.cell_type != "markdown" or is_answer(cell):
        return ""
    found = re.search(r"^##+ +(.+?)(?: \(.*\))?$", cell.source, re.MULTILINE)
    return found[1] if found else ""


def _first_things_first(marks, submission):
    """Marks that say which earlier answers with faults an answer is built on."""
    told, faulty = {}, list[str]()
    for name, found in marks.items():
        if found.share < 1:
            used = _names(submission.answers.get(name, ""))
            built_on = [other for other in faulty if other in used]
            faulty.append(name)
            if built_on:
                words = f"{found.reason}; it uses {', '.join(built_on)}: repair that first"
                found = Mark(found.share, words)
        told[name] = found
    return told


def _names(source) -> set:
    """Names that code uses; none where it is no Python."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _untouched(submission, assignment):
    """No points for texts and figures that are as they were released."""
    blank = {
        cell.metadata["nbgrader"]["grade_id"]: cell.source
        for cell in released(assignment.master).cells
        if is_answer(cell) and cell.metadata["nbgrader"]["grade"]
    }
    same = [name for name, text in submission.answers.items() if blank.get(name) == text]
    return {name: Mark(0.0, "nothing was written here") for name in same}


def _broken(assignment, outcome):
    """Remarks on given cells that failed: that is seldom the fault of an answer."""
    for cell in assignment.master.cells:
        name = cell.metadata["nbgrader"]["grade_id"]
        why = outcome.errors.get(name) or outcome.stopped.get(name)
        if why and not is_answer(cell):
            yield f"the given cell {name} failed: {why}"


def answers_to(name, job, outcome):
    """For each case of a question its packed answer, or a ``RuntimeError`` with why there is none.

    Parameters
    ----------
    name : str
        The question.
    job : Job
        What was run.
    outcome : Outcome
        What came out.

    Returns
    -------
    list
        For :func:`moelib.classroom.marks.mark`.
    """
    cells = {cell["id"]: cell for cell in job.cells}
    answers = []
    for question, number, _ in cells[f"test-{name}"]["asks"]:
        step = f"{question}/{number}"
        if outcome.answers.get(step) is not None:
            answers.append(outcome.answers[step])
        else:
            why = outcome.stopped.get(step) or outcome.errors.get(step) or outcome.errors.get("all")
            none = "no answer yet" if step in outcome.answers else "no answer came"
            answers.append(RuntimeError(_in_words(why or none, name, outcome)))
    return answers


def _in_words(why, name, outcome):
    """Why there is no answer, with what happened in the cell that should have made it."""
    if why.startswith("NotImplementedError"):
        return "no answer yet"
    before = outcome.stopped.get(name) or outcome.errors.get(name)
    if before and before.startswith("NotImplementedError"):
        return "no answer yet"
    return f"{why} (the answer's cell: {before})" if before else why


def _question(cell):
    return cell.metadata["nbgrader"]["grade_id"].removeprefix("test-")
