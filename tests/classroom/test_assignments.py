"""Every assignment: solvable, nothing for a blank, no leak; mistakes lose what they should."""

import inspect
import re
import shutil
from functools import cache

import nbformat
import numpy as np
import pytest
import submissions
from submissions import NAMES, answered_with, cell, needs_walls, shares, write

from moelib.classroom import grade, load, mark, released
from moelib.classroom.grading import answers_to
from moelib.classroom.inside import complaint, pack, unpack
from moelib.classroom.sandbox import run
from moelib.classroom.submission import is_answer, is_test, job_for, read

SECRET = b"a secret of the tests, long enough to be one"
pytestmark = needs_walls
STUDENTS = ("practice", "ada", "emmy")
VARIANTS = [
    pytest.param(name, variant, id=f"{name}-{variant.function.__name__}")
    for name in NAMES
    for variant in submissions.assignment(name).variants
]
assignment = submissions.assignment
NOISE = "import sys, warnings\nwarnings.warn('look')\nprint('!', file=sys.stderr)"
INTERVAL = "predict_interval"
every_set = pytest.mark.parametrize("name", NAMES)


def graded(nb, name, tmp_path, student="practice", **options):
    return grade(write(nb, tmp_path / "s.ipynb"), assignment(name), student, SECRET, **options)


def solution_lines(master):
    """Lines of the master that a student must not get, each long enough to be no accident."""
    secret, given = set(), set()
    for c in master.cells:
        inside = None
        for line in c.source.splitlines():
            if "### BEGIN" in line:
                inside = line
            (secret if inside else given).add(line.strip())
            if "### END" in line:
                inside = None
    return {line for line in secret - given if len(line) > 12 and not line.startswith("### ")}


@cache
def reference(name):
    """The paper of the practice student, and what the model answers to it."""
    found = assignment(name)
    paper, path = submissions.paper(name), found.folder / f"{name}.ipynb"
    job = job_for(read(path, found.master), paper, found.folder / "data.npz")
    outcome = run(job)
    return paper, {q: answers_to(q, job, outcome) for q in found.questions}


def each_array(change, value):
    """A value with all its numbers and arrays changed."""
    if isinstance(value, dict):
        return {key: each_array(change, part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(each_array(change, part) for part in value)
    return value if isinstance(value, bool | str) else change(np.asarray(value))


# --- right answers --------------------------------------------------------------------------------


@every_set
@pytest.mark.parametrize("student", STUDENTS)
def test_the_reference_earns_everything(name, student, tmp_path):
    """With a warning and words on stderr in every answer: they cost nothing."""
    nb = assignment(name).master
    for c in nb.cells:
        if c.cell_type == "code" and is_answer(c):
            c.source = f"{NOISE}\n{c.source}"
    result = graded(nb, name, tmp_path, student)
    assert {q: s for q, s in shares(result).items() if s < 1} == {}, result
    assert result.remarks == ()


SAME = {
    "lists": lambda a: a.tolist(),
    "no imaginary part": lambda a: a + 0j,
    "objects": lambda a: a.astype(object) if a.ndim else a.item(),
}
STRANGE = {
    "text": lambda a: a.astype(str).tolist(),
    "complex": lambda a: a + 1e6j * np.maximum(1, np.abs(a)),
    "NaN": lambda a: a * np.nan,
    "infinite": lambda a: a * 0.0 + np.inf,
    "huge": lambda a: a * 0.0 + 1.7e308,
    "minus huge": lambda a: -1e308 * np.sign(a + 0.1),
    "nothing": lambda a: None,
    "empty": lambda a: np.zeros(0),
    "masked": lambda a: np.ma.masked_array(a, mask=True),
}


@every_set
@pytest.mark.parametrize("form", [*SAME, *STRANGE])
def test_forms_of_the_right_answer(name, form):
    """Every question takes numbers in the forms that libraries have, and no other things."""
    paper, replies = reference(name)
    change = {**SAME, **STRANGE}[form]
    for question, right in replies.items():
        changed = []
        for reply in right:
            try:
                changed.append(pack(each_array(change, unpack(reply))))
            except ValueError as error:
                changed.append(RuntimeError(str(error)))
        result = mark(paper, question, changed)
        assert result.share == (form in SAME), (question, result)


@pytest.mark.parametrize("far", [1e3, 1e6, 1.7e308])
def test_reversed_intervals_do_not_make_wide_ones_narrow(far):
    """Nine in ten cover everything, the tenth has its ends exchanged: the mean width is small."""
    asked, replies = reference("8-project")
    ends = [np.tile([-far / 9, far / 9], (len(unpack(reply)), 1)) for reply in replies[INTERVAL]]
    for one in ends:
        one[::10] = far, -far
    assert mark(asked, INTERVAL, [pack(one) for one in ends]).share == 0


def replies_of(name, variant):
    """What a known answer replies to the practice student's paper, asked here and now."""
    asked, right = reference(name)
    for case, reply in zip(asked.cases[variant.question], right[variant.question]):
        given = [unpack(reply)] if variant.wraps else []
        if case.args is None:
            names = list(inspect.signature(variant.function).parameters)[len(given) :]
            args = [asked.personal.data[key] for key in names]
        else:
            args = [unpack(pack(value)) for value in case.args]
        try:
            yield pack(variant.function(*given, *args))
        except Exception as error:
            yield RuntimeError(complaint(error))


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
@pytest.mark.filterwarnings("ignore")  # of mistakes, which divide by what they should not
def test_a_variant_keeps_what_it_should(name, variant):
    asked, _ = reference(name)
    result = mark(asked, variant.question, list(replies_of(name, variant)))
    assert abs(result.share - variant.keeps) < 0.05, result


@every_set
def test_a_mistake_in_a_notebook_costs_its_own_question(name, tmp_path):
    """As many points as here, when a student writes it down and hands it in."""
    asked, _ = reference(name)
    wrong = assignment(name).mistakes[-1]
    result = graded(answered_with(name, wrong), name, tmp_path)
    (earned,) = [e for e in result.earned if e.question == wrong.question]
    here = mark(asked, wrong.question, list(replies_of(name, wrong)))
    assert abs(earned.points / earned.most - here.share) < 1e-3
    assert earned.reason != "right"


@every_set
def test_mistakes_are_enough_and_named(name):
    found = assignment(name)
    assert len(found.mistakes) >= 5
    assert len({mistake.question for mistake in found.mistakes}) >= 3
    assert any(variant.keeps == 1 for variant in found.variants), "a right answer in another form"
    assert all(len(variant.sentence) > 25 for variant in found.variants)


# --- the blank release ----------------------------------------------------------------------------


@every_set
def test_the_blank_release_earns_nothing(name, tmp_path):
    result = graded(released(assignment(name).master), name, tmp_path)
    assert [e.points for e in result.earned] == [0.0] * len(result.earned)
    words = {"no answer yet", "nothing was written here"}
    assert {e.reason.split(": ")[-1] for e in result.earned} <= words, result


@every_set
def test_the_release_leaks_nothing(name):
    master = assignment(name).master
    release = nbformat.writes(released(master))
    nb = nbformat.reads(release, as_version=4)
    secret = solution_lines(master)
    text = {line.strip() for c in nb.cells for line in c.source.splitlines()}
    assert len(secret) > 20
    assert secret & text == set()
    for word in ("BEGIN", "HIDDEN", "SOLUTION", "Rubric", "moelib.classroom", "mistake"):
        assert word not in release, word
    for c in nb.cells:
        assert set(c.metadata) <= {"nbgrader", "deletable", "editable"}
        assert not c.get("outputs") and c.get("execution_count") is None
    assert set(nb.metadata) <= {"kernelspec"}


# --- the master -----------------------------------------------------------------------------------


@every_set
def test_questions_cells_and_points_fit_together(name):
    found = assignment(name)
    tests = [c.metadata["nbgrader"] for c in found.master.cells if is_test(c)]
    ids = [c.metadata["nbgrader"]["grade_id"] for c in found.master.cells]
    assert sorted(t["grade_id"] for t in tests) == sorted(f"test-{q}" for q in found.questions)
    assert len(set(ids)) == len(ids)
    for question in found.questions:
        assert ids.index(question) < ids.index(f"test-{question}")
        hidden = f'points("{name}", "{question}", globals())'
        assert hidden in cell(found.master, f"test-{question}").source


@every_set
def test_the_frame_says_what_a_student_needs(name):
    master = assignment(name).master
    first = master.cells[0].source
    for part in (
        "# Problem set",
        "**Objectives**",
        "**Prerequisites**",
        "**Points**",
        "**Time**",
        "**Honour and collaboration**",
        "(instructor: edit this line)",
        "**What is graded and how**",
    ):
        assert part in first, part
    total = sum(c.metadata["nbgrader"].get("points", 0) for c in master.cells)
    table = [line.strip()[1:-1].split("|") for line in first.splitlines() if line.startswith("|")]
    column = [cell.strip().lower() for cell in table[0]].index("points")
    rows = [row[column] for row in table[2:] if row[0].strip().lower() not in ("total", "sum")]
    assert sum(int(number) for row in rows for number in re.findall(r"\d+", row)) == total
    assert 40 <= total <= 100


@pytest.mark.parametrize("name", NAMES[:-1])  # the project has no extension
def test_a_set_is_whole_without_its_extension(name, tmp_path):
    """An instructor deletes the cells of the parts that are named so, and nothing else."""
    folder = shutil.copytree(assignment(name).folder, tmp_path / name)
    master, kept, extension = assignment(name).master, [], False
    for c in master.cells:
        if c.cell_type == "markdown" and c.source.startswith("## "):
            extension = ", extension)" in c.source.splitlines()[0]
        kept += [] if extension else [c]
    assert 10 < len(kept) < len(master.cells)
    master.cells = kept
    path = write(master, folder / f"{name}.ipynb")
    result = grade(path, load(folder), "ada", SECRET)
    assert set(shares(result).values()) == {1.0} and result.remarks == ()
    assert 30 <= result.most < 60


@every_set
def test_what_people_grade_has_a_rubric_that_sums_to_its_points(name):
    found = 0
    for c in assignment(name).master.cells:
        nbgrader = c.metadata["nbgrader"]
        if nbgrader["grade"] and nbgrader["solution"]:
            rubric = c.source.partition("Rubric")[2]
            points = [float(p) for p in re.findall(r"-\s+\(([\d.]+)\)", rubric)]
            assert sum(points) == nbgrader["points"], nbgrader["grade_id"]
            found += 1
    assert found >= 2


@every_set
def test_practice_data_are_those_of_the_practice_student(name):
    found = assignment(name)
    made = found.personal("practice").data
    with np.load(found.folder / "data.npz") as stored:
        assert set(stored) == set(made)
        for key, array in made.items():
            if array.dtype.kind == "f":  # sums may be taken in another order
                np.testing.assert_allclose(stored[key], array, rtol=1e-9, atol=1e-12)
            else:
                np.testing.assert_array_equal(stored[key], array)


@every_set
def test_every_student_has_other_data_and_other_truth(name):
    one, other = (assignment(name).personal(student, SECRET) for student in ("ada", "emmy"))
    assert any(not np.array_equal(one.data[key], other.data[key]) for key in one.data)
    again = assignment(name).personal("ada", SECRET)
    assert all(np.array_equal(one.data[key], again.data[key]) for key in one.data)


@every_set
def test_stored_points_of_the_master_are_full(name):
    for c in filter(is_test, assignment(name).master.cells):
        (output,) = [o for o in c.outputs if o.output_type == "execute_result"]
        assert float(output.data["text/plain"]) == c.metadata["nbgrader"]["points"]
