"""Submissions for the tests: a master as students get it, solved, spoilt or emptied."""

from shutil import which

import nbformat
import pytest

from moelib.classroom import load
from moelib.classroom.hidden_tests import masters

NAMES = sorted(path.stem for path in masters().glob("[0-9]*/[0-9]*.ipynb"))
needs_walls = pytest.mark.skipif(
    which("bwrap") is None, reason="bubblewrap is missing: apt install bubblewrap"
)


def assignment(name):
    """An assignment of the book."""
    return load(masters() / name)


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
    value = any(case.args is None for case in found.paper("practice").cases[variant.question])
    answer = cell(nb, variant.question)
    answer.source = f"{answer.source}\n\n{variant.source(value=value)}"
    return nb


def points(graded):
    """Points by question, of those that a program gives."""
    return {e.question: e.points for e in graded.earned if e.points is not None}


def shares(graded):
    """Shares by question, of those that a program gives."""
    return {e.question: e.points / e.most for e in graded.earned if e.points is not None}
