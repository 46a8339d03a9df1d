"""What students get: the master without solutions, hidden checks, outputs; and their own data."""

import shutil
from pathlib import Path

import nbformat
import numpy as np

from moelib._extras import load
from moelib.classroom.personal import PRACTICE, as_student
from moelib.classroom.questions import Assignment


def released(master):
    """The notebook that students get.

    Parameters
    ----------
    master : NotebookNode
        The master; it is left as it is.

    Returns
    -------
    NotebookNode
        By nbgrader's own preprocessors. Only nbgrader's metadata are left, since a caption or an
        alt text can tell a result.
    """
    steps = load("nbgrader.preprocessors", "a release")

    nb = nbformat.from_dict(master)
    nb = nbformat.reads(nbformat.writes(nb), as_version=4)
    resources: dict = {}
    for step in (
        steps.ClearSolutions(code_stub={"python": "# your code here\nraise NotImplementedError()"}),
        steps.LockCells(),
        steps.CheckCellMetadata(),
        steps.ClearOutput(),
        steps.ClearHiddenTests(),
        steps.ClearMarkScheme(),
    ):
        nb, resources = step.preprocess(nb, resources)
    nb.metadata = {key: nb.metadata[key] for key in ("kernelspec",) if key in nb.metadata}
    for number, cell in enumerate(nb.cells):
        keep = {"nbgrader", "deletable", "editable"}
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in keep}
        cell.id = f"cell-{number}"
        if cell.cell_type == "code":
            cell.execution_count = None
    nb = nbformat.from_dict(nb)
    return steps.ComputeChecksums().preprocess(nb, resources)[0]


def write_release(assignment: Assignment, folder) -> Path:
    """Write the release of an assignment: the notebook and the practice data.

    Parameters
    ----------
    assignment : Assignment
        The assignment.
    folder : path
        The release is ``folder/NAME``; what was there is replaced.

    Returns
    -------
    Path
        The notebook.
    """
    target = Path(folder, assignment.name)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    write_data(assignment, PRACTICE, None, target)
    path = target / f"{assignment.name}.ipynb"
    nbformat.write(released(assignment.master), path)
    return path


def write_data(assignment: Assignment, student: str, secret: bytes | None, folder) -> Path:
    """Write a student's ``data.npz`` into a folder."""
    path = Path(folder, "data.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **assignment.personal(student, secret).data)
    return path


def write_personal(assignments, students, secret: bytes, folder) -> list[Path]:
    """Write every student's data of every assignment: ``folder/STUDENT/ASSIGNMENT/data.npz``."""
    folder = Path(folder)
    return [
        write_data(assignment, student, secret, folder / as_student(student) / assignment.name)
        for student in students
        for assignment in assignments
    ]
