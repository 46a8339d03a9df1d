"""Distances and points: symmetries of the model cost nothing, everything else does."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moelib import GatedModel
from moelib.classroom import (
    Case,
    Personal,
    Question,
    generator,
    mark,
    mistake,
    relative,
    share,
    up_to_order,
)
from moelib.classroom.distances import same_integer
from moelib.classroom.inside import Rng, pack, unpack
from moelib.classroom.personal import read_secret
from moelib.classroom.questions import Assignment
from moelib.metrics import reorder_gates

seeds = st.integers(0, 2**32 - 1)


def mixture(seed, k=3, d=4):
    rng = np.random.default_rng(seed)
    return rng, rng.normal(size=(k, d)), rng.normal(size=(k - 1, d))


# --- distances ------------------------------------------------------------------------------------


@given(seeds, st.permutations(range(3)))
def test_order_and_base_cost_nothing(seed, order):
    rng, A, W = mixture(seed)
    base = rng.normal(size=4)
    full = np.vstack([W, np.zeros(4)])[list(order)] + base
    assert up_to_order((A[list(order)], full), (A, W))[0] < 1e-12
    assert up_to_order((A[list(order)], reorder_gates(W, order)), (A, W))[0] < 1e-12
    assert up_to_order(A[list(order)], A)[0] == 0


@given(seeds)
def test_whatever_costs_nothing_is_the_same_law_of_labels(seed):
    """An answer without distance has the density of the truth, at random labels."""
    rng, A, W = mixture(seed)
    order = rng.permutation(3)
    same = GatedModel(A[order], reorder_gates(W, order), 0.3)
    X, y = rng.normal(size=(20, 4)), rng.normal(size=20)
    np.testing.assert_allclose(
        same.log_density(X, y), GatedModel(A, W, 0.3).log_density(X, y), rtol=1e-9
    )
    assert up_to_order((same.experts, same.gates), (A, W))[0] < 1e-12


@given(seeds, st.integers(0, 2))
def test_signs_and_lengths_cost(seed, i):
    _, A, W = mixture(seed)
    for factor in (-1.0, 0.5, -7.0):
        other = A.copy()
        other[i] *= factor
        assert up_to_order((other, W), (A, W))[0] > 0.1
    assert up_to_order((-7 * A, W), (A, W))[0] > 1
    assert up_to_order((A, -W), (A, W))[0] > 0.5


def test_two_equal_experts_have_the_order_of_their_gates():
    A, W = np.array([[1.0, 0], [1.0, 0], [0, 1.0]]), np.array([[2.0, 1], [-1.0, 3]])
    assert up_to_order((A[[1, 0, 2]], W[::-1]), (A, W))[0] == 0
    near = A + [[1e-3, 0], [0, 0], [0, 0]]  # the order of the experts alone would be the other
    assert up_to_order((near, W[[1, 0]]), (A[[1, 0, 2]], W[[1, 0]]))[0] < 2e-3


def test_gates_of_one_and_two_experts_come_in_several_forms():
    A, W = np.array([[1.0, 0], [0, 2.0]]), np.array([[3.0, 1]])
    for gates in (W, W[0], [3.0, 1.0], np.vstack([W, [[0, 0]]]) + 5, W.astype(int)):
        assert up_to_order((A, gates), (A, W))[0] == 0
    for gates in (np.zeros((0, 2)), [], np.ones((1, 2))):
        assert up_to_order((A[:1], gates), (A[:1], np.zeros((0, 2))))[0] == 0
    for gates in (W.ravel()[:1], np.vstack([W, W, W]), W[None], np.ravel([W, 0 * W]), None):
        assert up_to_order((A, gates), (A, W))[0] == np.inf


def test_numbers_too_large_to_compare_are_far():
    A, W = np.array([[1.0, 0], [0, 2.0]]), np.array([[3.0, 1]])
    for huge in (1.7e308, -1.7e308):
        with np.errstate(all="ignore"):
            assert up_to_order((A, np.array([[huge, -huge]])), (A, W))[0] > 1e300
            assert relative(np.array([huge, -huge]), np.array([1.0, 2.0]))[0] > 1e300


def test_words_say_which_expert_and_what():
    A = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert up_to_order(A * [[1], [-1]], A)[1] == "expert 2 points the opposite way"
    assert up_to_order(A * [[3], [1]], A)[1] == (
        "expert 1 has the right direction and 3 times the length"
    )
    assert up_to_order(A * [[0], [1]], A)[1] == "expert 1 is zero"


NONSENSE = [None, "A", 3, [], {}, np.eye(2), np.full((2, 3), np.nan), [[1, 2], [3]], {"a": {}}]


@pytest.mark.parametrize("answer", [*NONSENSE, (np.eye(3),)])
@pytest.mark.parametrize("distance", [relative, up_to_order])
def test_nonsense_is_infinitely_far(answer, distance):
    for expected in (np.ones((2, 3)), (np.ones((2, 3)), np.ones((1, 3)))):
        assert distance(answer, expected)[0] == np.inf


def test_relative_takes_things_apart():
    right = {"a": (np.eye(2), 3.0), "b": "yes"}
    assert relative({"a": (np.eye(2), 3.0), "b": "yes"}, right)[0] == 0
    assert relative({"a": (np.eye(2), 3.3), "b": "yes"}, right)[0] == pytest.approx(0.1)
    assert relative({"a": (np.eye(2), 3.0), "b": "no"}, right)[0] == np.inf
    assert relative({"a": (np.eye(2), 3.0)}, right)[0] == np.inf
    assert relative(np.array([True, False]), np.array([True, True]))[0] == 1
    assert relative(1 + 1e-3j, 1.0)[0] == pytest.approx(1e-3)


# --- points ---------------------------------------------------------------------------------------


@given(st.floats(1e-12, 0.5), st.floats(1.0, 1e6), st.floats(0, 1e9), st.floats(1, 10))
def test_more_error_never_earns_more(full, none, error, factor):
    assert 0 <= share(error * factor, full, none) <= share(error, full, none) <= 1
    assert share(full, full, none) == 1 and share(none, full, none) == 0


def test_the_fall_is_linear_in_the_logarithm():
    assert share(1e-3, full=1e-4, none=1e-1) == pytest.approx(2 / 3)
    assert share(0.25, full=0, none=1) == 0.75
    assert share(float("inf"), 0, 1) == share(float("nan"), 0, 1) == 0


@mistake("double", keeps=0.0)
def square_for_double(x):
    """You squared the number: twice is not to the power of two."""
    return x**2


def toy(**options):
    """An assignment of one question, made for these tests."""

    def cases(rng, personal):
        numbers = [3.0, *rng.normal(size=2)]
        return [Case((x,), 2 * x, label=f"number {i}") for i, x in enumerate(numbers)]

    question = Question("double", cases, **{"full": 1e-8, "none": 1e-2, **options})
    made = lambda truth, data: Personal({"x": data.normal(size=2)})  # noqa: E731
    return Assignment("toy", None, made, {"double": question}, (square_for_double,))


def answers(function):
    return [pack(function(case.args[0])) for case in toy().paper("practice").cases["double"]]


def test_a_right_answer_and_a_known_mistake_get_their_words():
    assert mark(toy().paper("practice"), "double", answers(lambda x: 2 * x)).reason == "right"
    wrong = mark(toy().paper("practice"), "double", answers(lambda x: x**2))
    assert wrong.share == 0
    assert "You squared the number" in wrong.reason
    half = mark(toy().paper("practice"), "double", answers(lambda x: 6.0))
    assert half.share == pytest.approx(1 / 3)
    assert "number 1, number 2" in half.reason and "You squared" not in half.reason


def nothing(answer, expected):
    """A distance that is not careful: whatever comes is right, or it overflows to NaN."""
    return max(0.0, float(np.ravel(answer)[0]) - float(np.ravel(answer)[0]))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("6.0", "not text"),
        (["6.0"], "not text"),
        (6 + 1j, "not complex numbers"),
        (np.array([6 + 1j]), "not complex numbers"),
        (float("nan"), "not numbers that are not finite"),
        (np.array([6, np.inf]), "not numbers that are not finite"),
        (None, "no answer yet"),
        ((6.0, None), "no answer yet"),
    ],
)
def test_what_is_no_number_is_refused_before_any_distance(answer, words):
    paper = toy(distance=nothing).paper("practice")
    result = mark(paper, "double", [pack(answer)] * 3)
    assert result.share == 0 and words in result.reason


def test_a_complex_number_without_imaginary_part_is_a_number():
    replies = answers(lambda x: 2 * x + 0j)
    assert mark(toy().paper("practice"), "double", replies).share == 1


@pytest.mark.parametrize("error", [-1.0, float("nan"), -float("inf")])
def test_an_error_that_is_none_earns_nothing(error):
    paper = toy(distance=lambda answer, expected: error).paper("practice")
    assert mark(paper, "double", answers(lambda x: 2 * x)).share == 0


@mistake("double", keeps=0.0)
def once_for_double(x):
    """You gave the number itself."""
    return 0.0 if x == 3.0 else x


def test_a_mistake_that_happens_to_be_right_is_not_named():
    """Where a mistake answers as the right one does, a near miss is no sign of it."""
    found = replace(toy(full=1e-12), variants=(once_for_double,))
    question = Question("double", lambda rng, personal: [Case((3.0,), 0.0)], 1e-12, 1e-2)
    paper = replace(found, questions={"double": question}).paper("practice")
    assert "the number itself" not in mark(paper, "double", [pack(1e-320)]).reason


def test_no_answer_is_no_error_of_the_grader():
    replies = [RuntimeError("double is not defined"), {"array": "?"}, {"rng": "x"}]
    result = mark(toy().paper("practice"), "double", replies)
    assert result.share == 0
    assert "double is not defined" in result.reason and "another kind" in result.reason


def test_thresholds_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="must be below"):
        toy(full=1.0, none=0.5)


# --- what crosses the wall ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "text",
        3,
        2.5,
        1 + 2j,
        np.eye(3),
        np.zeros((0, 2)),
        np.array([True, False]),
        (np.arange(3), [1.0, "a"], {"b": np.ones(2)}),
    ],
    ids=str,
)
def test_values_cross_the_wall_unchanged(value):
    back = unpack(pack(value))
    if isinstance(value, tuple):
        (first, second, third), (one, other, last) = back, value
        assert isinstance(back, tuple) and second == other and set(third) == set(last)
        np.testing.assert_array_equal(first, one)
        np.testing.assert_array_equal(third["b"], last["b"])
    else:
        assert type(back) is type(value)
        assert np.array_equal(back, value) and np.shape(back) == np.shape(value)


def test_a_generator_crosses_as_its_seed():
    assert unpack(pack(Rng(5))).normal() == np.random.default_rng(5).normal()


@pytest.mark.parametrize(
    "value",
    [
        np.arange(3.0).astype(object),
        pd.DataFrame(np.arange(6.0).reshape(2, 3)).convert_dtypes(),
        list(np.arange(20_000.0)),
        [[1.0, 2.0]] * 500,
    ],
)
def test_tables_and_long_lists_cross_as_arrays(value):
    np.testing.assert_array_equal(unpack(pack(value)), np.array(value, dtype=float))


def test_forged_arrays_are_no_larger_than_packed_ones():
    packed = pack(np.zeros(5 * 10**5, dtype=bool))
    assert unpack(packed).size == 5 * 10**5
    many = {**packed, "array": packed["array"] * 2, "shape": [10**6]}
    for forged in (many, {**packed, "array": packed["array"] * 40}):
        with pytest.raises(ValueError):
            unpack(forged)


def test_cases_stand_in_an_order_of_the_students_own():
    """A list of the answers, in the order of a neighbour's feedback, is no answer."""
    numbers = list(range(50))
    question = Question("double", lambda rng, personal: [Case((x,), x) for x in numbers], 0, 1)
    found = replace(toy(), questions={"double": question})
    secret = b"a secret of the tests, long enough to be one"
    orders = [
        [case.expected for case in found.paper(student, secret).cases["double"]]
        for student in ("ada", "emmy")
    ]
    assert sorted(orders[0]) == sorted(orders[1]) == numbers
    assert orders[0] != orders[1] and numbers not in orders


@pytest.mark.parametrize("answer", [True, np.array([3]), [3], (3,), "3", None, 3 + 1j])
def test_what_is_no_single_number_is_no_integer(answer):
    question = Question("double", lambda rng, personal: [Case((1,), 3)], 0, 1, same_integer)
    paper = replace(toy(), questions={"double": question}).paper("practice")
    assert mark(paper, "double", [pack(answer)]).share == 0
    assert mark(paper, "double", [pack(3.0)]).share == mark(paper, "double", [pack(3)]).share == 1


def test_a_stack_is_the_tuple_that_it_stands_for():
    right = (np.ones((2, 3)), np.zeros((2, 3)))
    assert relative(np.stack(right), right)[0] == 0
    A, W = np.array([[1.0, 0], [0, 2.0]]), np.array([[3.0, 1], [0, 0]])
    assert up_to_order(np.stack([A, W]), (A, W))[0] == 0


def test_what_is_masked_is_no_answer():
    back = unpack(pack(np.ma.masked_array([1.0, 2.0], mask=[False, True])))
    np.testing.assert_array_equal(back, [1.0, np.nan])


@pytest.mark.parametrize(
    "value",
    [object(), lambda: 0, np.array([object()]), np.zeros(5 * 10**5 + 1), "x" * 201, 10**30],
    ids=["object", "function", "objects", "too many", "long text", "huge"],
)
def test_other_things_do_not_cross(value):
    with pytest.raises(ValueError):
        pack(value)
    with pytest.raises(ValueError):
        pack([[[[[[value]]]]]])


# --- keys -----------------------------------------------------------------------------------------


def test_generators_differ_by_each_of_their_four_keys():
    base = (b"secret", "1", "ada", "truth")
    others = [(b"other", *base[1:]), (*base[:1], "2", *base[2:]), (*base[:2], "emmy", base[3])]
    others += [(*base[:3], "data"), (b"secret", "1a", "da", "truth")]
    first = generator(*base).integers(2**62)
    assert generator(*base).integers(2**62) == first
    assert first not in [generator(*other).integers(2**62) for other in others]


def test_a_secret_is_made_once_long_and_private(tmp_path):
    path = tmp_path / "keys" / "secret"
    secret = read_secret(path, create=True)
    assert len(secret) == 64 and read_secret(path, create=True) == secret
    path.chmod(0o640)
    with pytest.raises(ValueError, match="chmod 600"):
        read_secret(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(ValueError, match="fewer than 32"):
        read_secret(path)
    with pytest.raises(ValueError, match="no course secret"):
        read_secret(tmp_path / "none")


def test_nobody_but_the_practice_student_has_data_without_the_secret():
    with pytest.raises(ValueError, match="need the course secret"):
        toy().personal("ada")


def test_one_row_of_gates_stands_for_two_experts_alone():
    A, W = np.eye(3), np.array([[3.0, 1, 0], [0, 1, 2]])
    assert up_to_order((A, W.ravel()), (A, W))[0] == np.inf


def test_no_words_where_the_length_is_nearly_right():
    assert up_to_order(1.05 * np.eye(2), np.eye(2))[1] == ""


def test_one_mistake_is_named_of_two_that_answer_alike():
    paper = replace(toy(), variants=(square_for_double, square_for_double)).paper("practice")
    replies = [pack(case.args[0] ** 2) for case in paper.cases["double"]]
    assert mark(paper, "double", replies).reason.count("You squared") == 1


def test_equal_thresholds_are_refused():
    with pytest.raises(ValueError, match="must be below"):
        toy(full=0.5, none=0.5)


def test_a_text_of_two_hundred_letters_crosses():
    assert unpack(pack("x" * 200)) == "x" * 200
