"""The table of people's points: read as spreadsheets write it, errors named, nothing lost."""

import pytest

from moelib.classroom import Earned, Graded
from moelib.classroom.people import read_sheet, strangers, with_people, write_sheet

GRADED = [
    Graded(student, "set", (Earned("proof", None, 6.0), Earned("code", 2.0, 4.0, "right")))
    for student in ("ada", "emmy")
]


def table(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "manual.csv"
    path.write_bytes(text.encode(encoding))
    return path


def points(path):
    """Points of all questions once people's are added."""
    return [[e.points for e in g.earned] for g in with_people(GRADED, read_sheet(path))]


@pytest.fixture
def blank(tmp_path):
    """The table as the grader writes it first."""
    path = tmp_path / "manual.csv"
    write_sheet(GRADED, read_sheet(path), path)
    return path


def test_the_first_table_has_a_row_for_what_waits(blank):
    assert blank.read_text().splitlines() == [
        "student,assignment,question,most,points,comment",
        "ada,set,proof,6,,",
        "emmy,set,proof,6,,",
    ]
    assert points(blank) == [[None, 2.0], [None, 2.0]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spreadsheets_write_as_they_like(blank, encoding, sign, end):
    filled = blank.read_text().replace("ada,set,proof,6,,", "ada , set,proof,6,2.5,schön")
    text = filled.replace("\n", end).replace(",", sign)
    path = table(blank.parent, text, encoding)
    assert points(path) == [[2.5, 2.0], [None, 2.0]]
    (row,) = [row for row in read_sheet(path).rows.values() if row["points"]]
    assert row["comment"] == "schön"


def test_points_of_people_replace_those_of_the_grader(tmp_path):
    rows = 'ada,set,code,4\nada,set,proof,"1,5"\n'
    path = table(tmp_path, f"Student,assignment,question,points\n{rows}")
    assert points(path) == [[1.5, 4.0], [None, 2.0]]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("ada,set,proof,6,3,good, but short", "line 4: more cells than columns"),
        ("ada,set,proof,6,3,x", "line 4: ada, set, proof stands there twice"),
        ("ada,set,prof,6,3,x", "no question 'prof', but code, proof"),
        ("Emmy,set,code,4,3,x", "no student Emmy; emmy is meant"),
        ("ada,set,code,4,99,x", "points must be 0 to 4, got '99'"),
        ("ada,set,code,4,nan,x", "points must be 0 to 4, got 'nan'"),
        ("ada,set,code,4,good,x", "points must be 0 to 4, got 'good'"),
        ("ada,set,code,4,0_3,x", "points must be 0 to 4, got '0_3'"),
        ('ada,set,code,4,3,"not closed', "after line [34]: unexpected end of data"),
        ('ada,set,code,4,3,"not closed\nemmy,set,code,4,3,"x"', "after line 3: "),
        ('ada,set,code,4,3,"not closed\nemmy,set,code,4,3,x"', "line 5: a quote is not closed"),
        (f"ada,set,code,4,3,{'x' * 200_000}", "after line 3: field larger"),
    ],
)
def test_mistakes_are_named(blank, row, words):
    path = table(blank.parent, blank.read_text() + row + "\n")
    with pytest.raises(ValueError, match=words):
        points(path)


@pytest.mark.parametrize("first", ["student,question,points", "a", "\x00"])
def test_a_table_without_its_columns_is_refused(tmp_path, first):
    with pytest.raises(ValueError, match="its first line lacks"):
        read_sheet(table(tmp_path, f"{first}\nada,proof,3\n"))


@pytest.mark.parametrize("more", ["comment,comment", "comment,,"])
def test_columns_that_cannot_be_told_apart_are_refused(tmp_path, more):
    with pytest.raises(ValueError, match="two columns"):
        read_sheet(table(tmp_path, f"student,assignment,question,points,{more}\n"))


def test_what_excel_puts_before_the_table_is_left_out(tmp_path):
    path = table(tmp_path, "\r\nsep=;\r\nstudent;assignment;question;points\r\nada;set;code;3\r\n")
    assert points(path) == [[None, 3.0], [None, 2.0]]


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_table_is_one_that_is_not_there(tmp_path, text):
    assert read_sheet(table(tmp_path, text)).rows == {}


def test_writing_keeps_columns_rows_and_the_table_before(blank):
    text = (
        "student,assignment,question,most,points,comment,tutor\n"
        'ada,set,proof,6,3,"good, but\nshort",t7\n'
        "zoe,other,proof,6,5,,\n"
        "emmy,set,code,4,,,\n"
    )
    path = table(blank.parent, text)
    sheet = read_sheet(path)
    write_sheet(GRADED, sheet, path)
    again = read_sheet(path)
    assert again.columns[-1] == "tutor"
    assert again.rows[("ada", "set", "proof")] == sheet.rows[("ada", "set", "proof")]
    assert again.rows[("zoe", "other", "proof")]["points"] == "5"
    assert strangers(GRADED, again) == ["zoe, other"]
    assert ("emmy", "set", "code") not in again.rows  # the grader's own, with nothing entered
    assert ("emmy", "set", "proof") in again.rows
    assert path.with_name("manual.csv.bak").read_text() == text
    before = path.read_bytes()
    write_sheet(GRADED, again, path)
    assert path.read_bytes() == before
    assert path.with_name("manual.csv.bak").read_text() == text


def test_without_a_comment_the_graders_reason_stays(tmp_path):
    path = table(tmp_path, "student,assignment,question,points,comment\nada,set,code,4,\n")
    assert with_people(GRADED, read_sheet(path))[0].earned[1].reason == "right"


def test_marks_of_the_other_byte_order_and_signs_of_no_encoding_are_read(tmp_path):
    text = "student,assignment,question,points,comment\nada,set,code,3,ü"
    assert points(table(tmp_path, f"\ufeff{text}", "utf-16-be"))[0] == [None, 3.0]
    path = tmp_path / "manual.csv"
    path.write_bytes(text.encode("cp1252") + b"\x81\n")
    assert read_sheet(path).rows[("ada", "set", "code")]["comment"] == "ü\ufffd"
