"""Grade one submission: run it inside the walls, compare what comes out, say why."""

import hashlib
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from moelib.classroom.marks import Mark, mark
from moelib.classroom.questions import Assignment
from moelib.classroom.sandbox import run
from moelib.classroom.submission import Unreadable, is_test, job_for, read
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
    """

    question: str
    points: float | None
    most: float
    reason: str = ""


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
    """

    student: str
    assignment: str
    earned: tuple
    remarks: tuple = field(default=())
    digest: str = ""

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
        """Back from :meth:`as_dict`."""
        earned = tuple(Earned(**e) for e in found["earned"])
        return cls(**{**found, "earned": earned, "remarks": tuple(found["remarks"])})


def grade(
    path,
    assignment: Assignment,
    student: str,
    secret: bytes | None = None,
    *,
    limits: Limits | None = None,
    walls: bool = True,
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

    Returns
    -------
    Graded
        With no points where there is no notebook. ``NotContained`` when this machine cannot build
        the walls.
    """
    tests = [cell for cell in assignment.master.cells if is_test(cell)]
    digest = fingerprint(path, assignment, student, secret)
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
        outcome = run(job, limits, walls=walls)
    names = [_question(cell) for cell in tests]
    marks = {name: mark(paper, name, answers_to(name, job, outcome)) for name in names}
    return _graded(assignment, student, marks, tuple(handed_in.remarks), digest)


def fingerprint(path, assignment: Assignment, student: str, secret: bytes | None) -> str:
    """One hash of a submission and of what grades it: equal hashes need no second grading."""
    digest = hashlib.sha256(f"{student}\0{assignment.name}\0".encode() + (secret or b""))
    own = sorted(Path(__file__).parent.glob("*.py"))
    for file in [*own, *sorted(assignment.folder.glob("*.*")), Path(path)]:
        if file.is_file() and not file.is_symlink():
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _graded(assignment, student, marks, remarks, digest):
    """Points by the master's cells: those of the grader, and those that wait for a person."""
    earned = []
    for cell in assignment.master.cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        if is_test(cell):
            m, most = marks[_question(cell)], float(nbgrader["points"])
            earned.append(Earned(_question(cell), round(m.share * most, 4), most, m.reason))
        elif nbgrader.get("grade"):
            earned.append(Earned(nbgrader["grade_id"], None, float(nbgrader["points"])))
    return Graded(student, assignment.name, tuple(earned), remarks, digest)


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
        if step in outcome.answers:
            answers.append(outcome.answers[step])
        else:
            why = outcome.stopped.get(step) or outcome.errors.get(step) or outcome.errors.get("all")
            answers.append(RuntimeError(_in_words(why or "no answer came", name, outcome)))
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
