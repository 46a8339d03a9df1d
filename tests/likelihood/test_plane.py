"""Where pairs of experts end, against the same climbs one at a time."""

import numpy as np
import pytest

from moelib import FreeParameters, GatedModel, expectation_maximization, gradient_em, standard_model
from moelib.likelihood import optima_reached

ANGLES = np.array([-160.0, -70.0, 25.0, 110.0])
KNOWN = FreeParameters(noise=False)


@pytest.fixture(scope="module")
def problem():
    truth = standard_model(d=3, n_experts=2, noise=0.2)
    return (truth, *truth.sample(300, np.random.default_rng(0)))


def one_at_a_time(climb, truth, X, y, max_iter):
    """The same chart by climbs of the library, each from its own start."""
    ends = np.full((len(ANGLES),) * 2, 2)
    for i, j in np.ndindex(ends.shape):
        turn = np.radians(ANGLES[[i, j]])
        A = np.column_stack([np.cos(turn), np.sin(turn), 0 * turn])
        start = GatedModel(A, np.zeros((1, 3)), truth.noise)
        found = climb(X, y, start, free=KNOWN, max_iter=max_iter, tol=-1).model.experts
        for end, experts in enumerate((truth.experts, truth.experts[::-1])):
            if np.abs(found - experts).max() < 0.3:
                ends[i, j] = end
    return ends


@pytest.mark.filterwarnings("ignore:.*did not converge")
@pytest.mark.parametrize(
    "solver, climb, max_iter",
    [("em", expectation_maximization, 60), ("gradient-em", gradient_em, 300)],
)
def test_side_by_side_and_one_at_a_time(problem, solver, climb, max_iter):
    ends = optima_reached(*problem, ANGLES, solver=solver)
    alone = one_at_a_time(climb, *problem, max_iter)
    apart = ~np.eye(len(ANGLES), dtype=bool)  # equal experts: a saddle, where rounding rules
    assert set(ends[apart]) == {0, 1}
    np.testing.assert_array_equal(ends[apart], alone[apart])


def test_unfinished_climbs_of_gradient_em_agree_too(problem):
    """After three steps hardly any start has arrived; the two ways still tell the same ones."""
    ends = optima_reached(*problem, ANGLES, solver="gradient-em", n_steps=3)
    with pytest.warns(UserWarning, match="did not converge"):
        alone = one_at_a_time(gradient_em, *problem, 3)
    np.testing.assert_array_equal(ends, alone)
    assert np.sum(ends == 2) > len(ANGLES)


@pytest.mark.parametrize("solver", ["em", "gradient-em"])
def test_symmetries(problem, solver):
    """Exchanged starts end exchanged, and equal experts stay equal."""
    ends = optima_reached(*problem, ANGLES, solver=solver)
    np.testing.assert_array_equal(np.array([1, 0, 2])[ends], ends.T)
    np.testing.assert_array_equal(np.diag(ends), 2)


def test_what_it_does_not_cover():
    three = standard_model(d=5, n_experts=3)
    X, y = three.sample(20, np.random.default_rng(0))
    with pytest.raises(ValueError, match="truth must have 2 experts .* got 3"):
        optima_reached(three, X, y, ANGLES)
    bent = standard_model(d=5, n_experts=2, link="relu")
    with pytest.raises(ValueError, match="got 2 with the link 'relu'"):
        optima_reached(bent, X, y, ANGLES)
    with pytest.raises(ValueError, match="solver must be one of 'em', 'gradient-em'; got 'adam'"):
        optima_reached(standard_model(d=5, n_experts=2), X, y, ANGLES, solver="adam")
    each = GatedModel(np.eye(3)[:2], [[0.0, 0.0, 1.0]], [0.1, 0.2])
    with pytest.raises(ValueError, match="truth must have one noise for both experts, got"):
        optima_reached(each, X[:, :3], y, ANGLES)
