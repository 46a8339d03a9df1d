"""Points inside nbgrader: the same questions and marks, asked in the notebook's own kernel.

Student code runs in the same process and could reach the answers: this way is for classes that
are trusted. :mod:`moelib.classroom.grading` is the way for all others.
"""

import io
import os
import warnings
from contextlib import redirect_stderr
from pathlib import Path

from moelib.classroom.inside import answer, complaint, pack
from moelib.classroom.marks import mark
from moelib.classroom.personal import PRACTICE, read_secret
from moelib.classroom.questions import load

SECRET, MASTERS = "MOELIB_COURSE_SECRET", "MOELIB_ASSIGNMENTS"


def points(assignment: str, question: str, namespace: dict) -> float:
    """The points of a question, as the last line of an nbgrader test cell.

    Parameters
    ----------
    assignment, question : str
        Their names.
    namespace : dict
        ``globals()`` of the notebook.

    Returns
    -------
    float
        A number that nbgrader takes as partial credit. The reason is printed.

    Notes
    -----
    The student is the folder above the notebook's, as in nbgrader's ``autograded/STUDENT/NAME``,
    when the environment variable ``MOELIB_COURSE_SECRET`` names the file of the course secret;
    otherwise the practice data are meant. ``MOELIB_ASSIGNMENTS`` names the folder of the masters.
    """
    found = load(masters() / assignment)
    secret = read_secret(os.environ[SECRET]) if SECRET in os.environ else None
    student = Path.cwd().parent.name if secret else PRACTICE
    paper, replies = found.paper(student, secret), []
    for case in paper.cases[question]:
        args = None if case.args is None else [pack(value) for value in case.args]
        with redirect_stderr(io.StringIO()), warnings.catch_warnings():  # would cost all points
            warnings.simplefilter("ignore")
            try:
                replies.append(answer(namespace, question, args))
            except Exception as error:
                replies.append(RuntimeError(complaint(error)))
    result = mark(paper, question, replies)
    print(result.reason)
    tests = {cell.metadata["nbgrader"]["grade_id"]: cell for cell in found.master.cells}
    return round(result.share * tests[f"test-{question}"].metadata["nbgrader"]["points"], 4)


def masters() -> Path:
    """The folder of the masters: what the environment names, or that of the book."""
    if MASTERS in os.environ:
        return Path(os.environ[MASTERS])
    return Path(__file__).resolve().parents[2] / "book" / "assignments"
