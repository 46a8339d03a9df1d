"""The stored experiment on efficiency: squared errors, fresh runs, and the Cramer-Rao bound."""

import numpy as np
import pytest

from moelib import GatedModel, cramer_rao_bound, standard_model
from moelib.experiments import efficiency


def test_squares_after_a_change_of_order_and_sign():
    model = standard_model(6, 3)
    gates = np.vstack([model.gates, np.zeros(6)])
    order = [1, 2, 0]
    moved = (gates[order] - gates[order[-1]])[:-1]
    A = model.experts[order].copy()
    A[0] *= -1
    A[1, 5] += 0.1
    found = efficiency.squares(GatedModel(A, moved, 0.07), model)
    np.testing.assert_allclose(found["experts"], 0.01)
    np.testing.assert_allclose(found["gates"], 0, atol=1e-12)
    np.testing.assert_allclose(found["noise"], 0.02**2)


SMALL = [
    index
    for index, cell in enumerate(efficiency.make_grid())
    if cell["n"] == 3000 and cell["noise"] == 0.05
]


@pytest.mark.slow
@pytest.mark.parametrize("index", SMALL)
def test_efficiency_of_a_fresh_run(rows_again, index):
    fresh, stored = rows_again("efficiency", index, data_sets=3)
    assert len(fresh) == 3 * 4 * 3
    close = np.isclose(fresh["square"], stored["square"], rtol=0.05, atol=1e-9)
    assert close.mean() > 0.9


def test_refined_fits_reach_the_bound(stored_table):
    """200 data sets, n = 1e5: root mean square error over the bound, experts, gates and noise."""
    table = stored_table("efficiency")
    check = table[(table["part"] == "check") & (table["method"] == "refined")]
    for (k, d, noise, n), rows in check.groupby(["k", "d", "noise", "n"]):
        bound = cramer_rao_bound(standard_model(d, k, noise=noise), n)
        goals = {
            "experts": np.sum(bound.experts**2),
            "gates": np.sum(bound.gates**2),
            "noise": bound.noise**2,
        }
        assert n == 100_000 and rows["data"].nunique() == 200
        for part, goal in goals.items():
            ratio = np.sqrt(rows[rows["of"] == part]["square"].mean() / goal)
            assert 0.95 < ratio < 1.10


def test_errors_over_the_bound_by_hand(stored_table):
    """Every entry of one design, and its place, from the rows of the table and the bound."""
    table = stored_table("efficiency").query("part == 'map' and n == 3000 and noise == 0.5")
    square, excess, bound = efficiency.over_bound(table, n_draws=20_000)
    assert excess.shape == (3 * 10, 4 * 3) and bound.shape == (3, 3)
    for k in (2, 3, 4):
        least = cramer_rao_bound(
            standard_model(7, k, 0.5), 3000, n_draws=20_000, rng=np.random.default_rng(0)
        )
        goals = {
            "experts": np.linalg.norm(least.experts),
            "gates": np.linalg.norm(least.gates),
            "noise": least.noise,
        }
        for part, goal in goals.items():
            np.testing.assert_allclose(bound.loc[("map", k, 0.5, 3000), part], goal)
            rows = table.query("k == @k and of == @part and method == 'step 1'").sort_values("data")
            column = excess["step 1", part]["map", k, 0.5, 3000]
            np.testing.assert_allclose(column, rows["square"] / goal**2)
            column = square["step 1", part]["map", k, 0.5, 3000]
            np.testing.assert_array_equal(column, rows["square"])


def test_another_seed_gives_another_bound(stored_table):
    table = stored_table("efficiency").query("part == 'check' and k == 2")
    one, two, again = (efficiency.over_bound(table, n_draws=5000, seed=s)[2] for s in (0, 1, 0))
    assert one.equals(again) and 0 < abs(two / one - 1).max(axis=None) < 0.1
