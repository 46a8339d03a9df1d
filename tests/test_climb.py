"""Results of climbs, the halving of steps, and the least noise."""

import numpy as np
import pytest

from moelib import ConvergenceWarning, standard_model
from moelib.climb import Climb, backtrack, noise_floor, warned
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
