"""Submissions for the tests: a master as students get it, solved, spoilt or emptied."""

from dataclasses import replace
from functools import cache
from shutil import which

import nbformat
import pytest

from moelib.classroom import load, mark
from moelib.classroom.grading import answers_to
from moelib.classroom.hidden_tests import masters
from moelib.classroom.sandbox import run
from moelib.classroom.submission import job_for, read

NAMES = sorted(path.stem for path in masters().glob("[0-9]*/[0-9]*.ipynb"))
needs_walls = pytest.mark.skipif(
    which("bwrap") is None, reason="bubblewrap is missing: apt install bubblewrap"
)


@cache
def assignment(name):
    """An assignment of the book, read once."""
    return load(masters() / name)


@cache
def paper(name):
    """What the practice student is asked, made once."""
    return assignment(name).paper("practice")


def cell(nb, grade_id):
    """A cell of a notebook by its nbgrader id."""
    return next(c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def write(nb, path):
    """Write a notebook as a student would hand it in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nb, path)
    return path


def answered_with(name, variant):
    """The master with one answer replaced by a known variant."""
    found = assignment(name)
    nb = found.master
    value = any(case.args is None for case in paper(name).cases[variant.question])
    answer = cell(nb, variant.question)
    answer.source = f"{answer.source}\n\n{variant.source(value=value)}"
    return nb


def mark_of(path, found, question):
    """The mark of one question: the notebook is run up to it, and asked nothing else."""
    asked = paper(found.name)
    job = job_for(read(path, found.master), asked, found.folder / "data.npz")
    last = [c["id"] for c in job.cells].index(f"test-{question}")
    cells = [{**c, "asks": []} for c in job.cells[:last]] + [job.cells[last]]
    job = replace(job, cells=cells)
    return mark(asked, question, answers_to(question, job, run(job)))


def points(graded):
    """Points by question, of those that a program gives."""
    return {e.question: e.points for e in graded.earned if e.points is not None}


def shares(graded):
    """Shares by question, of those that a program gives."""
    return {e.question: e.points / e.most for e in graded.earned if e.points is not None}
