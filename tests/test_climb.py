"""Results of climbs, the halving of steps, and the least noise."""

import numpy as np
import pytest

from moelib import ConvergenceWarning, standard_model
from moelib.climb import Climb, backtrack, noise_floor, solve_scaled, warned
from moelib.validation import as_sample


def climb(converged):
    model = standard_model()
    return Climb(model, [-2.0, -1.0], converged, [model, model])


def test_the_objective_is_the_last_of_the_history():
    assert climb(True).objective == -1.0


@pytest.mark.parametrize("wanted", [2.0, 1.0, 0.3, 0.25, 0.01])
def test_the_first_step_that_succeeds_is_taken(wanted):
    tried = []

    def attempt(step):
        tried.append(step)
        return ("found", step) if step <= wanted else None

    found = backtrack(attempt, shortest=1e-3)
    powers = 0.5 ** np.arange(20)
    assert found == ("found", max(powers[powers <= wanted]))
    assert tried == list(powers[: len(tried)])


def test_the_shortest_step_is_not_tried():
    tried = []
    assert backtrack(tried.append, shortest=0.25) is None
    assert tried == [1.0, 0.5]
    assert backtrack(tried.append, shortest=2.0, first=2.0) is None and len(tried) == 2
    assert backtrack(tried.append, shortest=1.0, first=4.0) is None
    assert tried[2:] == [4.0, 2.0]


def test_what_is_found_may_be_false():
    assert backtrack(lambda step: 0.0, shortest=0.1) == 0.0


def test_only_a_climb_that_did_not_converge_brings_a_warning(recwarn):
    done = climb(True)
    assert warned(done, "EM", 7) is done and len(recwarn) == 0
    unfinished = climb(False)
    with pytest.warns(ConvergenceWarning, match="^EM did not converge in 7 steps: raise max_iter$"):
        assert warned(unfinished, "EM", 7) is unfinished


def test_the_floor_is_a_millionth_of_the_labels_deviation():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 1)), 30 * rng.standard_normal(50) + 7
    counts = rng.integers(0, 4, 50)
    assert noise_floor(as_sample(X, y)) == pytest.approx(1e-6 * np.std(y))
    repeated = np.repeat(y, counts)
    assert noise_floor(as_sample(X, y, counts)) == pytest.approx(1e-6 * np.std(repeated))
    assert noise_floor(as_sample(X, np.ones(50))) > 0


# --- systems that may be singular -----------------------------------------------------------------


def information(scales, seed=0):
    """A positive definite matrix, its rows and columns in units that differ."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((20, 4))
    return np.outer(scales, scales) * (root.T @ root), rng.standard_normal(4) * scales


@pytest.mark.parametrize("scales", [[1, 1, 1, 1], [1e-8, 1, 1e8, 1e3]])
def test_regular_systems_are_solved_in_any_units(scales):
    J, score = information(np.array(scales))
    direction = solve_scaled(J, score)
    unit, plain = information(np.ones(4))
    np.testing.assert_allclose(direction * scales, np.linalg.solve(unit, plain), rtol=1e-10)
    np.testing.assert_array_equal(solve_scaled(J, score, strict=True), direction)


def test_singular_systems_have_the_solution_of_least_norm_for_a_unit_diagonal():
    J, score = information(np.ones(4))
    J, score = np.pad(J, (0, 1)), np.append(score, 0.0)  # a parameter of which nothing is known
    found = solve_scaled(J, score)
    np.testing.assert_allclose(found[:4], np.linalg.solve(J[:4, :4], score[:4]), rtol=1e-10)
    assert found[4] == 0
    twice = np.ones((2, 2))  # two that are known together
    np.testing.assert_allclose(solve_scaled(twice, np.array([3.0, 3.0])), [1.5, 1.5])


def test_a_negative_eigenvalue_is_left_out_or_told():
    J = np.array([[1.0, 2.0], [2.0, 1.0]])
    assert solve_scaled(J, np.array([1.0, 1.0]), strict=True) is None
    np.testing.assert_allclose(solve_scaled(J, np.array([1.0, 1.0])), [1 / 3, 1 / 3])
    assert solve_scaled(-np.eye(2), np.ones(2), strict=True) is None
