"""Checks of arguments: what passes, what is refused, and where a warning points."""

import inspect
import warnings

import numpy as np
import pytest

from moelib.validation import (
    as_choice,
    as_count,
    as_generator,
    as_matrix,
    as_noise,
    as_not_negative,
    as_positive,
    as_probability,
    as_sample,
    as_vector,
    as_weights,
    warn,
)

# --- arrays ---------------------------------------------------------------------------------------


def test_arrays_become_float64_and_stay_the_same_if_they_are():
    matrix = np.arange(6.0).reshape(3, 2)
    assert as_matrix(matrix, "X") is matrix
    assert np.shares_memory(as_vector(matrix[0], "y"), matrix)
    assert as_matrix(matrix.astype(np.float32), "X").dtype == np.float64
    np.testing.assert_array_equal(as_matrix([[1, 2]], "X", n_columns=2), [[1.0, 2.0]])
    np.testing.assert_array_equal(as_vector((1, 2), "y", length=2), [1.0, 2.0])


@pytest.mark.parametrize(
    "check, message",
    [
        (lambda: as_matrix([1.0], "X"), r"X must be a 2-d array, got shape \(1,\)"),
        (lambda: as_matrix([[1.0]], "X", 2), r"X must have 2 columns, got shape \(1, 1\)"),
        (lambda: as_matrix([[np.nan, np.inf, 1]], "X"), "X must be finite, got 2 NaN or infinite"),
        (lambda: as_vector([[1.0]], "y"), r"y must be a 1-d array, got shape \(1, 1\)"),
        (lambda: as_vector([1.0], "y", 2), "y must have length 2, got 1"),
        (lambda: as_vector([-np.inf], "y"), "y must be finite, got 1 NaN or infinite"),
    ],
)
def test_arrays_that_are_refused(check, message):
    with pytest.raises(ValueError, match=message):
        check()


# --- numbers and choices --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "check, good, bad",
    [
        (as_positive, [1, 1e-300, np.float32(2)], [0, -1, np.inf, np.nan, "1", None, [1.0]]),
        (as_not_negative, [0, 1, np.int64(3)], [-1e-9, np.inf, np.nan, "0", None]),
        (as_probability, [0.5, 1e-9, np.float64(0.999)], [0, 1, -0.1, 95, np.nan, "0.5", None]),
    ],
)
def test_numbers(check, good, bad):
    for value in good:
        found = check(value, "level")
        assert type(found) is float and found == value
    for value in bad:
        with pytest.raises(ValueError, match="level must be .*, got"):
            check(value, "level")


@pytest.mark.parametrize("bad", [0, -3, 2.0, "2", None, True, np.nan])
def test_counts(bad):
    for good in (1, 7, np.int64(3)):
        assert as_count(good, "n_init") == good and type(as_count(good, "n_init")) is int
    with pytest.raises(ValueError, match="n_init must be an integer of at least 1, got"):
        as_count(bad, "n_init")
    with pytest.raises(ValueError, match="k must be an integer of at least 3, got 2"):
        as_count(2, "k", least=3)


def test_noises():
    for one in (0.5, 1, np.float32(0.5), np.array(0.5)):
        assert type(as_noise(one, 3)) is float and as_noise(one, 3) == one
    np.testing.assert_array_equal(as_noise([0.5, 1, 2], 3), [0.5, 1.0, 2.0])
    assert as_noise([0.5], 1).shape == (1,)
    for bad, message in (
        (0, "noise must be a positive finite number, got 0"),
        (np.array(-1.0), "noise must be a positive finite number"),
        ([1, 2], "noise must have length 3, got 2"),
        ([1, 2, 0], "noise must be positive for each expert"),
        ([1, 2, np.inf], "noise must be finite"),
        ([[1, 2, 3]], "noise must be a 1-d array"),
    ):
        with pytest.raises(ValueError, match=message):
            as_noise(bad, 3)


def test_choices_and_generators():
    rng = np.random.default_rng(0)
    assert as_generator(rng) is rng and as_choice("a", "kind", ["a", "b"]) == "a"
    with pytest.raises(ValueError, match="kind must be one of 'a', 'b'; got 'c'"):
        as_choice("c", "kind", ["a", "b"])
    for bad in (0, None, np.random.RandomState(0)):
        with pytest.raises(ValueError, match="seed must be a numpy.random.Generator"):
            as_generator(bad, "seed")


# --- samples --------------------------------------------------------------------------------------


def test_a_sample_holds_the_arrays_themselves(standard):
    _, X, y = standard(20)
    sample = as_sample(X, y)
    assert sample.X is X and sample.y is y and sample.weights is None
    assert len(sample) == 20 and sample.total == 20.0 and type(sample.total) is float


def test_weights_are_repetitions(standard):
    _, X, y = standard(20)
    counts = np.arange(20) % 3
    sample = as_sample(X, y, counts)
    assert sample.total == counts.sum() and np.mean(sample.weights) == pytest.approx(1)
    for values in (X, y):
        repeated = np.repeat(values, counts, axis=0).mean(axis=0)
        np.testing.assert_allclose(sample.mean(values), repeated, atol=1e-12)
        np.testing.assert_allclose(as_sample(X, y).mean(values), values.mean(axis=0))


@pytest.mark.parametrize(
    "X, y, weights, message",
    [
        (np.ones(3), np.ones(3), None, "X must be a 2-d array"),
        (np.ones((3, 2)), np.ones(2), None, "y must have length 3, got 2"),
        (np.ones((3, 1)), np.ones(3), None, "X must have 2 columns"),
        (np.full((3, 2), np.nan), np.ones(3), None, "X must be finite, got 6"),
        (np.ones((3, 2)), np.full(3, np.inf), None, "y must be finite, got 3"),
        (np.ones((3, 2)), np.ones(3), np.ones(2), "sample_weight must have length 3"),
        (np.ones((3, 2)), np.ones(3), [1, 1, -1], "sample_weight must not be negative"),
        (np.ones((3, 2)), np.ones(3), [0, 0, 0], "not zero everywhere"),
        (np.ones((3, 2)), np.ones(3), [1, 1, np.nan], "sample_weight must be finite"),
    ],
)
def test_samples_that_are_refused(X, y, weights, message):
    with pytest.raises(ValueError, match=message):
        as_sample(X, y, weights, n_columns=2)


def test_no_weights_stay_none():
    assert as_weights(None, 3) is None


# --- warnings -------------------------------------------------------------------------------------

# a chain of three functions, as of a module of this name
CHAIN = """
def outer(depth):
    return inner(depth) if depth else warn("careful", UserWarning)

def inner(depth):
    return outer(depth - 1)
"""


def chain(name):
    scope = {"__name__": name, "warn": warn}
    exec(compile(CHAIN, f"<{name}>", "exec"), scope)
    return scope["outer"]


@pytest.mark.parametrize("name", ["moelib", "moelib.likelihood.em"])
@pytest.mark.parametrize("depth", range(3))
def test_a_warning_points_past_all_of_the_library(name, depth):
    outer = chain(name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1
        outer(depth)
    (warning,) = caught
    assert warning.filename == __file__ and warning.lineno == line
    assert warning.category is UserWarning


@pytest.mark.parametrize("name", ["moelibrary", "other.moelib"])
def test_and_not_past_a_caller_whose_name_is_like_it(name):
    outer = chain(name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outer(1)
    assert caught[0].filename == f"<{name}>" and caught[0].lineno == 3


def test_a_warning_that_was_caught_can_be_issued_again():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn(DeprecationWarning("again"), DeprecationWarning)
    assert str(caught[0].message) == "again" and caught[0].filename == __file__
