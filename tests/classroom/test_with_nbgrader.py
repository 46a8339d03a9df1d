"""Plain nbgrader works with the masters: its release is ours, its points are ours."""

import os
import shutil
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from submissions import assignment

from moelib.classroom import released
from moelib.classroom.hidden_tests import MASTERS, SECRET, masters, points
from moelib.classroom.submission import is_test

NAME = "1-gated-model"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course folder with one set and the worked configuration, and nbgrader's API on it."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import PyFileConfigLoader

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv(MASTERS, str(masters()))
    shutil.copytree(masters() / NAME, tmp_path / "source" / NAME)
    config = PyFileConfigLoader(str(masters() / "nbgrader_config.py")).load_config()
    config.CourseDirectory.root = str(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path, NbGraderAPI(config=config)


def hand_in(course, nb, student):
    folder = course / "submitted" / student / NAME
    folder.mkdir(parents=True)
    shutil.copyfile(masters() / NAME / "data.npz", folder / "data.npz")
    nbformat.write(nb, folder / f"{NAME}.ipynb")


@pytest.mark.slow
def test_nbgraders_release_and_points_are_ours(course):
    folder, api = course
    result = api.generate_assignment(NAME, force=True)
    assert result["success"], result["log"]
    files = {path.name for path in (folder / "release" / NAME).iterdir()}
    assert files == {f"{NAME}.ipynb", "data.npz"}
    release = nbformat.read(folder / "release" / NAME / f"{NAME}.ipynb", as_version=4)
    ours = released(assignment(NAME).master)
    assert [c.source for c in release.cells] == [c.source for c in ours.cells]

    right = nbformat.from_dict(release)
    for c, master in zip(right.cells, assignment(NAME).master.cells):
        if master.metadata["nbgrader"]["solution"]:
            noise = "import warnings\nwarnings.warn('on stderr')\n"
            c.source = (noise if c.cell_type == "code" else "") + master.source
    hand_in(folder, right, "ada")
    hand_in(folder, ours, "emmy")
    tests = [c.metadata["nbgrader"] for c in assignment(NAME).master.cells if is_test(c)]
    earned = {}
    for student in ("ada", "emmy"):
        result = api.autograde(NAME, student, force=True)
        assert result["success"], result["log"]
        with api.gradebook as gradebook:
            notebook = gradebook.find_submission_notebook(NAME, NAME, student)
            grades = {grade.name: grade.auto_score for grade in notebook.grades}
        earned[student] = {t["grade_id"]: grades[t["grade_id"]] for t in tests}
    assert earned["ada"] == {t["grade_id"]: t["points"] for t in tests}
    assert set(earned["emmy"].values()) == {0}


def test_points_in_a_notebook_ask_for_the_students_own_data(tmp_path, monkeypatch, capsys):
    """With the secret set, the folder above the notebook's says whose data are meant."""
    secret = tmp_path / "secret"
    secret.write_text("s" * 40)
    secret.chmod(0o600)
    home = tmp_path / "autograded" / "ada" / NAME
    home.mkdir(parents=True)
    monkeypatch.chdir(home)
    monkeypatch.setenv(SECRET, str(secret))
    found = assignment(NAME)
    full = {c.metadata["nbgrader"]["grade_id"]: c.metadata["nbgrader"]["points"]
            for c in found.master.cells if is_test(c)}  # fmt: skip
    (mine,) = found.paper("ada", b"s" * 40).cases["entropy_curve"]
    (other,) = found.paper("emmy", b"s" * 40).cases["entropy_curve"]
    most = full["test-entropy_curve"]
    assert points(NAME, "entropy_curve", {"entropy_curve": mine.expected}) == most
    assert points(NAME, "entropy_curve", {"entropy_curve": other.expected}) < most
    assert points(NAME, "entropy_curve", {}) == 0
    assert "not defined" in capsys.readouterr().out
    assert np.shape(mine.expected) == np.shape(other.expected)
