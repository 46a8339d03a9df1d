"""The map of failure: its designs, and the stored map against fresh runs."""

import numpy as np
import pytest

from moelib.experiments import EXPERIMENTS, failure_map, read_table


def test_design_of_a_cell():
    cell = failure_map.BASE | dict(k=4, d=9, angle=30, gate_norm=2.0)
    model = failure_map.design(cell)
    gram = model.experts @ model.experts.T
    np.testing.assert_allclose(gram[np.triu_indices(4, 1)], np.cos(np.pi / 6))
    np.testing.assert_allclose(np.diag(gram), 1)
    np.testing.assert_allclose(model.gates @ model.experts.T, 0, atol=1e-12)
    np.testing.assert_allclose(model.gates @ model.gates.T, 4 * np.eye(3), atol=1e-12)


def test_fits_that_cannot_be_made_are_rows_without_numbers():
    cell = failure_map.BASE | dict(n=40)
    model = failure_map.design(cell)
    X, y = model.sample(40, np.random.default_rng(0))
    row = failure_map.run_fit(model, X, y, "em", np.random.default_rng(0))
    assert np.isnan(row["e_reg"]) and not row["converged"]


@pytest.mark.parametrize("method", ["least-squares", "two-loss, unrefined"])
def test_objectives_of_losses_are_larger_for_better_fits(method, standard):
    """Least squares: minus the mean square; gates alone: the log-density that they reach."""
    model, X, y = standard(1000, d=5, n_experts=2, noise=0.5)
    row = failure_map.run_fit(model, X, y, method, np.random.default_rng(0))
    if method == "least-squares":
        assert -np.var(y) < row["objective"] < -0.9 * model.noise**2
    else:
        np.testing.assert_allclose(row["objective"], row["log_density"], rtol=1e-6)


def test_stored_map_is_whole(stored_table):
    stored, grid = stored_table("failure-map"), failure_map.make_grid()
    assert len(grid) >= 40 and max(cell["k"] for cell in grid) == 16
    assert len(failure_map.METHODS) >= 6
    count = stored.groupby(["cell", "method"]).size()
    assert len(count) == len(grid) * len(failure_map.METHODS)
    assert (count == failure_map.DATA_SETS * failure_map.STARTS).all()
    assert failure_map.DATA_SETS >= 10 and failure_map.STARTS >= 5


def test_stored_objectives_are_larger_for_better_fits(stored_table):
    """The log-density, except for least squares, whose mean square cannot be positive."""
    stored = stored_table("failure-map").dropna(subset="objective")
    squares = stored["method"] == "least-squares"
    assert (stored.loc[squares, "objective"] < 0).all() and squares.sum() > 2000
    rest = stored[~squares]
    np.testing.assert_array_equal(rest["objective"], rest["log_density"])


@pytest.mark.slow
@pytest.mark.parametrize("draw", range(4))
def test_stored_cells_are_what_a_fresh_run_gives(rows_again, draw):
    """A random sample of the cheaper cells, two data sets each; last digits differ by machine."""
    seconds = read_table("failure-map-seconds").groupby("cell")["seconds"].sum()
    cheap = sorted(seconds.index[seconds < seconds.median()])
    name = np.random.default_rng(20).permutation(cheap)[draw]
    (index,) = EXPERIMENTS["failure-map"].find(name)
    fresh, old = rows_again("failure-map", index, data_sets=2)
    assert len(fresh) == 2 * failure_map.STARTS * len(failure_map.METHODS)
    same = np.abs(fresh["objective"] - old["objective"]) < 1e-3 * (1 + np.abs(old["objective"]))
    assert same.mean() >= 0.95
    success = (fresh["e_reg"] < 0.05) == (old["e_reg"] < 0.05)
    assert success.mean() >= 0.95
