"""A class of sixty: graded unattended, each as if alone, with what people add, again and again."""

import csv
import json
import os
import re

import nbformat
import pandas as pd
import pytest
from submissions import answered_with, assignment, cell, needs_walls, points, write

from moelib.classroom import (
    Earned,
    Graded,
    Limits,
    find_submissions,
    grade,
    grade_class,
    read_roster,
    read_secret,
    released,
)
from moelib.classroom.__main__ import main
from moelib.classroom.collected import beside_the_roster
from moelib.classroom.gradebook import _cell, write_gradebook
from moelib.classroom.grading import fingerprint
from moelib.classroom.sandbox import Crowded
from moelib.classroom.submission import MOST_BYTES

pytestmark = needs_walls
NAME = "1-gated-model"
SECRET = b"a secret of the tests, long enough to be one"
QUICK = Limits(step=5.0, total=60.0)
CRASHES = {
    "s07": "import os\nos._exit(1)",
    "s21": "while True:\n    pass",
    "s33": "import ctypes\nctypes.string_at(0)",
}


def hand_in_all(folder):
    """Sixty submissions: most are right, some wrong, three crash, two are no notebooks."""
    found = assignment(NAME)
    right = found.master
    wrong = answered_with(NAME, found.mistakes[0])
    for number in range(60):
        student = f"s{number:02d}"
        nb = [right, wrong, released(right)][0 if number % 5 else (number // 5) % 3]
        nb = nbformat.from_dict(json.loads(json.dumps(nb)))
        if student in CRASHES:
            c = cell(nb, "gate_penalty")
            c.source = f"{CRASHES[student]}\n{c.source}"
        write(nb, folder / student / NAME / f"{NAME}.ipynb")
    (folder / "s58" / NAME / f"{NAME}.ipynb").write_text("{")
    (folder / "s59" / NAME / f"{NAME}.ipynb").unlink()


@pytest.fixture(scope="module")
def graded_class(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    hand_in_all(folder / "submitted")
    assignments = {NAME: assignment(NAME)}
    found, _ = find_submissions(folder / "submitted", assignments)
    done = grade_class(found, assignments, SECRET, folder / "grades", limits=QUICK)
    return folder, found, done


@pytest.mark.slow
def test_all_sixty_have_a_mark_and_a_page(graded_class):
    folder, _, done = graded_class
    table = pd.read_csv(folder / "grades" / "gradebook.csv")
    assert len(done) == len(table) == 60
    assert sorted(table.student) == [f"s{number:02d}" for number in range(60)]
    assert len(list((folder / "grades" / "feedback").glob("*/*.html"))) == 60
    by = dict(zip(table.student, table.points))
    most = max(by.values())
    assert by["s58"] == by["s59"] == 0
    for student in CRASHES:
        assert 0 < by[student] < most
    assert sum(value == most for value in by.values()) >= 40


@pytest.mark.slow
@pytest.mark.parametrize("student", ["s00", "s01", "s05", "s10", "s33", "s58"])
def test_the_result_is_that_of_grading_alone(graded_class, student):
    _, found, done = graded_class
    path = next(path for who, _, path in found if who == student)
    alone = grade(path, assignment(NAME), student, SECRET, limits=QUICK)
    together = next(g for g in done if g.student == student)
    assert points(alone) == points(together)
    assert [e.reason for e in alone.earned if e.points is not None] == [
        e.reason for e in together.earned if e.points is not None
    ]


@pytest.mark.slow
def test_points_of_people_are_kept_and_nothing_is_graded_twice(graded_class, monkeypatch):
    folder, found, done = graded_class
    manual = folder / "grades" / "manual.csv"
    table = pd.read_csv(manual, dtype=str, keep_default_na=False)
    waiting = [e for g in done for e in g.earned if e.points is None]
    assert len(table) == len(waiting) > 60
    assert set(table.points) == {""}
    table.loc[0, ["points", "comment"]] = ["1.5", "step 2 is missing"]
    table.to_csv(manual, index=False)

    def fail(*args, **options):
        raise AssertionError("graded again")

    monkeypatch.setattr("moelib.classroom.gradebook._one", fail)
    assignments = {NAME: assignment(NAME)}
    again = grade_class(found, assignments, SECRET, folder / "grades", limits=QUICK)
    before = {g.student: g.points for g in done}
    first = table.student[0]
    assert {g.student: g.points for g in again} == {**before, first: before[first] + 1.5}
    page = (folder / "grades" / "feedback" / first / f"{NAME}.html").read_text()
    assert "step 2 is missing" in page
    table.loc[0, "points"] = "99"
    table.to_csv(manual, index=False)
    with pytest.raises(ValueError, match="points must be 0 to"):
        grade_class(found, assignments, SECRET, folder / "grades", limits=QUICK)


# --- what students write into tables and pages ----------------------------------------------------


def test_words_of_a_student_are_text_in_pages_and_tables(tmp_path):
    """An exception's message is the student's: it must run nowhere."""
    nb = assignment(NAME).master
    words = r"<script>alert(1)</script>\r=1+1\n\x00\ud800 ada,1,=2+2"
    code = f"def gate_penalty(W):\n    raise ValueError('{words}')"
    cell(nb, "gate_penalty").source = code
    nb.cells[0].metadata["nbgrader"]["grade_id"] = "=1+1"
    path = write(nb, tmp_path / "submitted" / "ada.ipynb")
    assignments = {NAME: assignment(NAME)}
    found, _ = find_submissions(path.parent, assignments)
    grade_class(found, assignments, SECRET, tmp_path / "grades", limits=QUICK)
    page = (tmp_path / "grades" / "feedback" / "ada" / f"{NAME}.html").read_text()
    assert "alert(1)" in page and "<script" not in page
    for file in ("gradebook.csv", "points.csv", "manual.csv"):
        with open(tmp_path / "grades" / file) as table:
            rows = list(csv.reader(table))
        cells = [value for row in rows for value in row]
        assert {len(row) for row in rows} == {len(rows[0])} and "\r" not in str(rows)
        assert not [value for value in cells if re.match(r"[=+@\t\r]|-\D", value)]


@pytest.mark.parametrize("name", ["../up", "=cmd", "a b", "", ".hidden", "x" * 65, "ä"])
def test_a_student_has_an_id_that_is_a_plain_word(name, tmp_path):
    from moelib.classroom.personal import as_student

    with pytest.raises(ValueError, match="a student's id"):
        as_student(name)


def test_nothing_to_grade_is_an_error_that_says_the_forms(tmp_path):
    with pytest.raises(ValueError, match="STUDENT/ASSIGNMENT"):
        find_submissions(tmp_path, [NAME])


def test_odd_folders_are_named_and_stop_nobody(tmp_path):
    """What people and tools leave in a folder of submissions: a line each, and the rest goes on."""
    nb = assignment(NAME).master
    for place in ("ada", "Ada", "Ann Müller", "bob (1)", "practice"):
        write(nb, tmp_path / place / NAME / f"{NAME}.ipynb")
    write(nb, tmp_path / "cy" / "1-gated_model" / f"{NAME}.ipynb")
    write(nb, tmp_path / "dan.ipynb")
    write(nb, tmp_path / "eve" / NAME / "solution.ipynb")
    (tmp_path / "fay" / NAME / f"{NAME}.ipynb").mkdir(parents=True)
    (tmp_path / "gil" / NAME).mkdir(parents=True)
    os.mkfifo(tmp_path / "gil" / NAME / f"{NAME}.ipynb")
    (tmp_path / "hal").symlink_to(tmp_path / "ada")
    (tmp_path / "ida").mkdir()
    (tmp_path / "ida" / NAME).symlink_to(assignment(NAME).folder)
    (tmp_path / "notes.txt").write_text("hello")
    found, odd = find_submissions(tmp_path, [NAME])
    assert {student for student, _, _ in found} == {"Ada", "dan", "eve", "fay", "gil"}
    reasons = dict(odd)
    assert set(reasons) == {
        "ada", "Ann Müller", "bob (1)", "practice", "cy", "hal", "ida", "notes.txt",
    }  # fmt: skip
    assert "1-gated_model" in reasons["cy"] and "public" in reasons["practice"]
    assert "Ada" in reasons["ada"] and "link" in reasons["hal"] and "link" in reasons["ida"]
    for student, _, path in found:
        if student in ("eve", "fay", "gil"):
            result = grade(path, assignment(NAME), student, SECRET)
            assert sum(points(result).values()) == 0
            assert "there is no file" in result.remarks[0]


def test_a_roster_names_who_is_missing_and_who_is_strange(tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_bytes('\ufeffid;name\r\nada;Ada, Countess\r\n"emmy";Emmy\r\n'.encode())
    students = read_roster(roster)
    assert students == ["ada", "emmy"]
    found = [("ada", NAME, tmp_path), ("carl", NAME, tmp_path)]
    assert beside_the_roster(found, students) == [
        ("carl", "not on the roster"),
        ("emmy", "nothing handed in"),
    ]


@pytest.mark.parametrize("lines", ["ada\nada", "ada\nAda", "ada\npractice", "ada l\n"])
def test_a_roster_with_ids_that_cannot_be_told_apart_is_refused(lines, tmp_path):
    (tmp_path / "roster.csv").write_text(lines)
    with pytest.raises(ValueError):
        read_roster(tmp_path / "roster.csv")


@pytest.mark.parametrize("spoilt", ["{", '{"earned": 3}', "points", "reason"])
def test_a_stored_result_that_cannot_be_is_graded_again(spoilt, tmp_path, monkeypatch):
    """Whatever lies in the folder of results, it neither stops a class nor earns a point."""
    graded = lambda path, assignment, student, secret, **_: Graded(  # noqa: E731
        student, NAME, (Earned("q", 1.0, 2.0, "half"),)
    )
    monkeypatch.setattr("moelib.classroom.gradebook.grade", graded)
    monkeypatch.setattr("moelib.classroom.gradebook.fingerprint", lambda *given: "")
    found, out = [("ada", NAME, tmp_path / "ada.ipynb")], tmp_path / "out"
    (done,) = grade_class(found, {NAME: assignment(NAME)}, SECRET, out)
    stored = out / "results" / "ada" / f"{NAME}.json"
    if not spoilt.startswith("{"):
        content = json.loads(stored.read_text())
        content["earned"][0][spoilt] = {"points": 1000.0, "reason": None}[spoilt]
        spoilt = json.dumps(content)
    stored.write_text(spoilt)
    assert grade_class(found, {NAME: assignment(NAME)}, SECRET, out) == [done]


def test_words_that_a_spreadsheet_would_run_are_disarmed():
    cells = ["=1+1", " @x", "a;=HYPERLINK(0);", "a\t-1", "error 2, -1; largest error 0.5"]
    assert [_cell(text) for text in cells] == [
        "'=1+1",
        " '@x",
        "a;'=HYPERLINK(0);",
        "a\t'-1",
        "error 2, -1; largest error 0.5",
    ]


def test_odd_folders_have_a_row_in_the_gradebook(tmp_path):
    write_gradebook([], tmp_path, [("=1+1", "it is\ra link"), ("\ud800", "x")])
    table = pd.read_csv(tmp_path / "gradebook.csv")
    assert list(table.student) == ["'=1+1", "?"]
    assert table.remarks[0] == "not graded: it is a link"


def test_a_process_of_the_grader_that_dies_costs_nobody_a_mark(tmp_path, monkeypatch):
    """The pool breaks, everyone in it is graded again, alone; who breaks it again is named."""
    alive = os.getpid()

    def fragile(path, assignment, student, secret, *, alone, **options):
        if student == "s3" and os.getpid() != alive:
            os._exit(1)
        if student == "s2" and not alone:
            raise Crowded("full")
        return Graded(student, NAME, (Earned("q", 1.0, 1.0),))

    monkeypatch.setattr("moelib.classroom.gradebook.grade", fragile)
    students = [f"s{number}" for number in range(8)]
    tasks = [(student, NAME, tmp_path / student) for student in students]
    done = grade_class(tasks, {NAME: assignment(NAME)}, SECRET, tmp_path / "out")
    assert [g.student for g in done] == students
    assert [g.points for g in done] == [0.0 if s == "s3" else 1.0 for s in students]
    assert "the grader failed, please look" in done[3].remarks[0]


# --- the command line -----------------------------------------------------------------------------


@pytest.mark.slow
def test_release_and_grade_from_the_command_line(tmp_path, capsys):
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name\nada,Ada\nemmy,Emmy\n")
    secret, out = tmp_path / "course-secret", tmp_path / "out"
    words = ["--assignment", NAME, "--secret", str(secret)]
    assert main(["release", *words, "--out", str(out), "--students", str(roster)]) == 0
    assert secret.stat().st_mode & 0o077 == 0
    assert (out / "personal" / "ada" / NAME / "data.npz").exists()
    files = {path.name for path in (out / "release" / NAME).iterdir()}
    assert files == {f"{NAME}.ipynb", "data.npz"}
    for student in ("ada", "emmy"):
        write(assignment(NAME).master, tmp_path / "in" / student / NAME / f"{NAME}.ipynb")
    write(assignment(NAME).master, tmp_path / "in" / "carl" / NAME / f"{NAME}.ipynb")
    grades = tmp_path / "grades"
    on_roster = ["--students", str(roster)]
    assert main(["grade", str(tmp_path / "in"), *words, "--out", str(grades), *on_roster]) == 0
    remarks = pd.read_csv(grades / "gradebook.csv").set_index("student").remarks
    assert remarks["carl"] == "not graded: not on the roster"
    table = pd.read_csv(grades / "points.csv").dropna()
    assert set(table.student) == {"ada", "emmy"} and (table.points == table.most).all()
    secret.chmod(0o644)
    assert main(["grade", str(tmp_path / "in"), *words, "--out", str(grades)]) == 1
    assert "chmod 600" in capsys.readouterr().err


def test_grading_refuses_where_the_walls_leak(tmp_path, monkeypatch, capsys):
    write(assignment(NAME).master, tmp_path / "ada.ipynb")
    words = ["grade", str(tmp_path), "--assignment", NAME, "--out", str(tmp_path / "out")]
    assert main([*words, "--secret", str(tmp_path / "misspelt")]) == 1
    assert "there is no course secret" in capsys.readouterr().err
    read_secret(tmp_path / "secret", create=True)
    words += ["--secret", str(tmp_path / "secret")]
    monkeypatch.setattr("moelib.classroom.__main__.leaks", lambda **_: ["the network is open"])
    assert main(words) == 1
    assert "cannot be contained on this machine: the network is open" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_hidden_files_and_empty_folders_are_nothing_odd(tmp_path):
    write(assignment(NAME).master, tmp_path / "ada" / NAME / f"{NAME}.ipynb")
    (tmp_path / ".DS_Store").write_text("")
    (tmp_path / "bob").mkdir()
    assert find_submissions(tmp_path, [NAME])[1] == []


def test_a_fingerprint_knows_the_limits_and_reads_neither_large_files_nor_links(tmp_path):
    large, link, small = (tmp_path / f"{name}.ipynb" for name in ("large", "link", "small"))
    link.symlink_to(small)
    seen = []
    for sign in (b"a", b"b"):
        large.write_bytes(sign * (MOST_BYTES + 1))
        small.write_bytes(sign)
        seen.append([fingerprint(p, assignment(NAME), "ada", SECRET) for p in (large, link)])
    assert seen[0] == seen[1]
    assert fingerprint(large, assignment(NAME), "ada", SECRET, "other limits") != seen[0][0]


def test_what_changed_is_graded_again_and_everything_when_asked(tmp_path, monkeypatch):
    path, given = tmp_path / "ada.ipynb", tmp_path / "points"

    def graded(path, assignment, student, secret, **_):
        earned = Earned("q", float(given.read_text()), 9.0)
        return Graded(student, NAME, (earned,), digest=path.read_text())

    def once(points, text, **options):
        given.write_text(points)
        path.write_text(text)
        found = [("ada", NAME, path)]
        (done,) = grade_class(found, {NAME: assignment(NAME)}, SECRET, tmp_path / "out", **options)
        return done.points

    monkeypatch.setattr("moelib.classroom.gradebook.grade", graded)
    monkeypatch.setattr("moelib.classroom.gradebook.fingerprint", lambda path, *_: path.read_text())
    assert [once("1", "a"), once("2", "a"), once("3", "b")] == [1, 1, 3]
    assert once("4", "b", again=True) == 4


def test_a_table_that_makes_no_sense_is_refused_before_grading(tmp_path, monkeypatch):
    graded = lambda path, assignment, student, *_, **__: Graded(student, NAME, ())  # noqa: E731
    monkeypatch.setattr("moelib.classroom.gradebook.grade", graded)
    (tmp_path / "manual.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match="first line lacks"):
        grade_class([("ada", NAME, tmp_path)], {NAME: assignment(NAME)}, SECRET, tmp_path)
    assert not (tmp_path / "results").exists()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_each_process_of_the_pool_has_one_processor(tmp_path, monkeypatch):
    def graded(path, assignment, student, *_, **__):
        return Graded(student, NAME, (), (str(len(os.sched_getaffinity(0))),))

    monkeypatch.setattr("moelib.classroom.gradebook.grade", graded)
    found = [("ada", NAME, tmp_path / "ada.ipynb")]
    (done,) = grade_class(found, {NAME: assignment(NAME)}, SECRET, tmp_path / "out")
    assert done.remarks == ("1",)
