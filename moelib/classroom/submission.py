"""From a student's notebook to a job: the master's cells in order, with the student's answers.

Answer cells are found by their nbgrader id. What the master locks (imports, data, checks) is taken
from the master, whatever the student's notebook says. Code cells of the student's own run behind
the cell that they follow. Order, names and deletions can lose an answer, and do nothing else.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from moelib.classroom.inside import pack
from moelib.classroom.questions import Paper
from moelib.classroom.sandbox import Job

MOST_BYTES = 20 * 2**20
MOST_BRACKETS = 500_000  # a list in a file takes a hundred times its bytes in memory
BEGINNING = "the beginning"


class Unreadable(ValueError):
    """A submission that is no notebook; the message says why, for the student."""


@dataclass
class Submission:
    """What a student handed in.

    Attributes
    ----------
    answers : dict
        Source of each answer cell, by id.
    extra : dict
        Sources of cells of the student's own, by the id of the cell of the master before them.
    remarks : list of str
        What is odd about the notebook.
    """

    answers: dict = field(default_factory=dict)
    extra: dict = field(default_factory=dict)
    remarks: list = field(default_factory=list)


def read(path, master) -> Submission:
    """Read a student's notebook, trusting nothing in it.

    Parameters
    ----------
    path : path
        The notebook.
    master : NotebookNode
        The master it answers.

    Returns
    -------
    Submission
        :class:`Unreadable` when there is no notebook in the file.
    """
    known = {_id(cell): is_answer(cell) for cell in master.cells if _id(cell)}
    submission, place, twice = Submission(), BEGINNING, set()
    for cell in _cells(Path(path)):
        grade_id, source = _id(cell), _source(cell)
        if grade_id in known:
            place = grade_id
            if grade_id in submission.answers:
                twice.add(grade_id)
            elif known[grade_id]:
                submission.answers[grade_id] = source
        elif cell.get("cell_type") == "code":
            submission.extra.setdefault(place, []).append(source)
    for grade_id in sorted(twice):
        del submission.answers[grade_id]
        submission.remarks.append(f"two cells are named {grade_id}: neither was run")
    gone = [i for i, answers in known.items() if answers and i not in submission.answers]
    if gone := [grade_id for grade_id in gone if grade_id not in twice]:
        submission.remarks.append(f"cells that are missing or renamed: {', '.join(gone)}")
    return submission


def job_for(submission: Submission, paper: Paper, data) -> Job:
    """What is run for a submission, and what it is asked.

    Parameters
    ----------
    submission : Submission
        From :func:`read`.
    paper : Paper
        What the student is asked.
    data : path
        The student's own data file.

    Returns
    -------
    Job
        With no right answer in it, and no check of the master's.
    """
    assignment = paper.assignment
    cells = [_cell(BEGINNING, i, s) for i, s in enumerate(submission.extra.get(BEGINNING, []))]
    for cell in assignment.master.cells:
        name = _id(cell)
        if cell.cell_type == "code":
            source = submission.answers.get(name, "") if is_answer(cell) else cell.source
            question = name.removeprefix("test-")
            if is_test(cell):  # asked, not run: its checks are for the student
                source = ""
            asks = _asks(question, paper.cases[question]) if is_test(cell) else []
            cells.append({"id": name, "source": source, "asks": asks})
        cells += [_cell(name, i, s) for i, s in enumerate(submission.extra.get(name, []))]
    return Job(cells, {"data.npz": data}, library=assignment.library)


def _asks(question, cases):
    packed = [None if case.args is None else [pack(value) for value in case.args] for case in cases]
    return [[question, number, args] for number, args in enumerate(packed)]


def is_answer(cell) -> bool:
    """Whether students write in a cell."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_test(cell) -> bool:
    """Whether a cell has points that the grader gives."""
    nbgrader = cell.metadata.get("nbgrader", {})
    return bool(nbgrader.get("grade")) and not nbgrader.get("solution")


def _cell(place, number, source):
    return {"id": f"own cell {number + 1} after {place}", "source": source, "asks": []}


def _cells(path):
    """The cells of a notebook file, as far as it is one."""
    if path.is_symlink() or not path.is_file():
        raise Unreadable(f"there is no file {path.name}")
    if path.stat().st_size > MOST_BYTES:
        raise Unreadable(f"it is larger than {MOST_BYTES // 2**20} MiB")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        if text.count("[") + text.count("{") > MOST_BRACKETS:
            raise ValueError("more brackets than a notebook has")
        nb = json.loads(text)
        nb = nbformat.from_dict(nb)
        if nb.get("nbformat", 4) < 4:
            nb = nbformat.convert(nb, 4)
        cells = [cell for cell in nb["cells"] if isinstance(cell, dict)]
    except Exception as error:
        raise Unreadable(f"it is not a notebook: {type(error).__name__}") from None
    return cells


def _source(cell):
    """The text of a cell: a string, or a list of them."""
    source = cell.get("source", "")
    lines = source if isinstance(source, list) else [source]
    return "".join(line for line in lines if isinstance(line, str))


def _id(cell):
    """The nbgrader id of a cell, or an empty string."""
    try:
        return str(cell["metadata"]["nbgrader"]["grade_id"])
    except (KeyError, TypeError):
        return ""
