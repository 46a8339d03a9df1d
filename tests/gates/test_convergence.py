"""Errors along a map and their rate: against maps whose errors are known in closed form."""

import numpy as np
import pytest

from moelib.gates import errors_along, measured_rate

GOAL = np.array([[1.0, -2.0]])


def turn_and_shrink(W):
    """A turn and half the length: every error is half of the last."""
    c, s = np.cos(1.0), np.sin(1.0)
    return GOAL + 0.5 * (W - GOAL) @ np.array([[c, s], [-s, c]])


def test_errors_are_the_powers_of_the_factor():
    errors = errors_along(turn_and_shrink, GOAL + [[3.0, 4.0]], GOAL, floor=1e-6)
    np.testing.assert_allclose(errors, 5 * 0.5 ** np.arange(24), rtol=1e-6)
    assert errors[-1] <= 1e-6 < errors[-2]


def test_further_arguments_go_to_the_step():
    errors = errors_along(lambda W, by, plus: by * W + plus, np.ones(1), np.full(1, 3.0), 0.5, 1.5)
    np.testing.assert_allclose(errors[:3], [2, 1, 0.5])


def test_errors_stop_when_the_steps_run_out_or_none_is_needed():
    assert len(errors_along(turn_and_shrink, GOAL + 1, GOAL, max_iter=7)) == 7
    np.testing.assert_array_equal(errors_along(turn_and_shrink, GOAL, GOAL), [0])


def test_rate_is_that_of_the_slowest_direction():
    factors = np.array([0.2, 0.7, 0.85])
    errors = errors_along(lambda W: factors * W, np.array([1.0, 1.0, 1e-2]), np.zeros(3))
    assert measured_rate(errors) == pytest.approx(0.85, rel=1e-5)
    early = measured_rate(errors, low=0.05, high=0.9)
    assert early == pytest.approx(0.7, rel=0.02)


def test_rate_needs_two_errors():
    quadratic = np.array([1e-1, 1e-3, 1e-7, 1e-9, 1e-14])
    with pytest.raises(ValueError, match="two or more between 1e-12 and 1e-08, got 1"):
        measured_rate(quadratic)
