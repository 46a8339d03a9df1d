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
