"""Warnings and refusals are kept, none is shown, and the caller's filters stay."""

import warnings

import pytest

from moelib.pages.messages import heard, refused


def speak(times, *, kind=UserWarning, returns=None):
    for i in range(times):
        warnings.warn(f"number {i}", kind, stacklevel=1)
    return returns


def test_all_is_kept_in_order(recwarn):
    result, said = heard(speak, 3, kind=RuntimeWarning, returns="done")
    assert result == "done" and [str(w) for w in said] == ["number 0", "number 1", "number 2"]
    assert all(isinstance(w, RuntimeWarning) for w in said)
    assert len(recwarn) == 0


def test_what_is_said_twice_is_heard_twice():
    def again():
        for _ in range(2):  # Python's default shows a warning of a line once
            warnings.warn("again", UserWarning, stacklevel=1)

    assert [str(w) for w in heard(again)[1]] == ["again", "again"]
    assert heard(speak, 0) == (None, [])


def test_filters_stay():
    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(heard(speak, 1)[1]) == 1  # not an error inside
        with pytest.raises(UserWarning):
            speak(1)
    assert warnings.filters == before


def test_errors_pass():
    with pytest.raises(ZeroDivisionError):
        heard(divmod, 1, 0)


def test_a_refusal_is_kept():
    def door(x, *, limit):
        if x > limit:
            raise ValueError(f"x must be at most {limit}, got {x}")
        return x

    assert refused(door, 3, limit=2) == "x must be at most 2, got 3"
    with pytest.raises(AssertionError, match="not refused: the call returned 1"):
        refused(door, 1, limit=2)
    with pytest.raises(TypeError):
        refused(door, "1", limit=2)
