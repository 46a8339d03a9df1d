"""The census: where ends count as right, and the stored census against fresh runs."""

from itertools import permutations, product

import numpy as np
import pytest

from moelib.experiments import EXPERIMENTS, census
from moelib.experts.l4 import random_unit_rows


def test_distance_is_the_least_over_orders_and_signs():
    rng = np.random.default_rng(0)
    for _ in range(20):
        V, U = random_unit_rows(3, rng), np.linalg.qr(rng.standard_normal((3, 3)))[0]
        least = min(
            np.linalg.norm(np.array(signs)[:, None] * V[list(order)] - U)
            for order in permutations(range(3))
            for signs in product([-1, 1], repeat=3)
        )
        assert census.distance(V, U) == pytest.approx(least)
    assert census.distance(np.eye(3)[[0, 0, 1]], np.eye(3)) == pytest.approx(np.sqrt(2))
    assert census.NEAR < np.sqrt(2)


def test_only_ends_near_the_truth_are_right():
    """A minimum is not right because a descent from the truth ends there: it has to be near."""
    grid = census.make_grid()
    index = grid.index(dict(k=4, mu=0.05, noise=1.0))
    seed = np.random.SeedSequence(0).spawn(len(grid))[index].spawn(1)[0]
    T, U, lam = census.random_tensor(4, 1.0, np.random.default_rng(seed))
    end = census._minimize(T, U, 0.05)
    assert np.abs(end @ end.T).min() > 0.999  # all rows are one, so three are far from the truth
    counts = census.summary(T, end[None], U, 0.05, lam.min())
    assert (counts["right"], counts["stray"], counts["minima"]) == (0, 1, 1)
    counts = census.summary(T, end[None, ::-1], -end, 0.05, lam.min())
    assert (counts["right"], counts["stray"], counts["minima"]) == (1, 0, 1)


def test_stored_census_is_whole_and_shows_the_threshold(stored_table):
    stored = stored_table("census")
    assert (stored.groupby(["cell", "method"]).size() == census.TENSORS).all()
    exact = stored[(stored["noise"] == 0) & (stored["method"] == "descent")]
    assert exact.groupby(["k", "mu"])["starts"].sum().min() >= 1000
    below, above = exact[exact["mu"] < 1], exact[exact["mu"] > 1]
    assert (below["right"] == below["starts"]).all()
    assert above.groupby(["k", "mu"])["stray"].sum().loc[:, [1.5, 3.0]].min() > 100
    newton = stored[(stored["noise"] == 0) & (stored["method"] == "newton")]
    assert (newton[newton["mu"] < 1]["degenerate"] == 0).all()
    assert (stored["noise"] == 0).any() and (exact["minima"] <= exact["promised"]).all()
    descents = stored[stored["method"] == "descent"]
    assert (descents["right"] + descents["stray"] == descents["starts"]).all()
    few = descents[descents["noise"].between(0.01, 0.5)]
    assert len(few) == 100 and few["moved"].max() < census.NEAR and few["stray"].max() == 0
    lost = descents["moved"] > census.NEAR
    assert (descents.loc[lost, "stray"] > 0).all() and lost.sum() > 20


@pytest.mark.parametrize("draw", range(2))
def test_stored_cells_are_what_a_fresh_run_gives(rows_again, draw):
    """Two tensors of random cells; an end near a watershed may fall either way elsewhere."""
    index = int(np.random.default_rng(30).permutation(len(EXPERIMENTS["census"].grid))[draw])
    fresh, old = rows_again("census", index, tensors=2)
    assert len(fresh) == 4
    np.testing.assert_array_equal(fresh["starts"], old["starts"])
    for column in ("right", "stray", "at_saddle", "minima", "saddles"):
        assert np.abs(fresh[column] - old[column]).max() <= 3
    np.testing.assert_allclose(fresh["promised"], old["promised"])
    np.testing.assert_allclose(fresh["moved"], old["moved"], rtol=1e-3, atol=1e-6)
