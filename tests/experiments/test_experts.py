"""The stored experiment ``experts``: whole, repeatable, and what the page says of it."""

import numpy as np
import pytest

from moelib import standard_model
from moelib.experiments import EXPERIMENTS, experts


def test_errors_of_a_turned_expert():
    model = standard_model(d=6)
    A = -model.experts[[1, 2, 0]]
    A[0] = -(np.cos(0.3) * model.experts[1] + np.sin(0.3) * np.eye(6)[5])
    found = experts.errors(A, model)
    np.testing.assert_allclose(found["angle"], 0.3)
    np.testing.assert_allclose(found["rms_angle"], 0.3 / np.sqrt(3))
    np.testing.assert_allclose(found["e_reg"], 1 - np.cos(0.3))


def test_stored_table_is_whole(stored_table):
    stored = stored_table("experts")
    assert experts.DATA_SETS >= 10
    for name, rows in stored.groupby("cell"):
        n_sets = experts.DATA_SETS_MU if "part=mu" in name else experts.DATA_SETS
        assert set(rows["data"]) == set(range(n_sets))
        assert (rows.groupby("method")["data"].nunique() == n_sets).all()
    links = stored[stored["part"] == "links"]
    assert set(links["link"]) == set(experts.LINKS)
    assert set(links["method"]) >= {"reduced", "reduced, optimal", "spectral", "refined"}


@pytest.mark.slow
@pytest.mark.parametrize("draw", range(3))
def test_stored_cells_are_what_a_fresh_run_gives(rows_again, draw):
    """A random link at a small n, with and without conditions, and a sweep of mu: two data sets."""
    grid, rng = EXPERIMENTS["experts"].grid, np.random.default_rng(draw)
    part = ("links", "mu", "span")[draw]
    chosen = [i for i, c in enumerate(grid) if c["n"] < 50_000 and c["part"] == part]
    fresh, old = rows_again("experts", rng.choice(chosen), data_sets=2)
    assert set(fresh["data"]) == {0, 1}
    assert np.mean(np.abs(fresh["angle"] - old["angle"]) < 1e-3) >= 0.95


def test_reduction_beats_the_sphere_of_the_inputs(stored_table):
    """d = 48, k = 3, n = 200,000: at most a third of the angle, whatever mu on the sphere."""
    stored = stored_table("experts")
    rows = stored[(stored["part"] == "methods") & (stored["n"] == 200_000)]
    angle = rows.groupby(["method", "mu"], dropna=False)["angle"].median()
    assert angle["reduced", 0.5] < angle["sphere"].min() / 3
    assert angle["reduced, optimal", 0.5] < angle["sphere, optimal"].min() / 1.3


def test_in_the_span_every_link_is_learned(stored_table):
    """n = 100,000, k = 5: below 0.02 on ten of ten data sets for every link, ReLU included."""
    stored = stored_table("experts")
    rows = stored[(stored["part"] == "span") & (stored["n"] == 100_000)]
    assert set(rows["link"]) == set(experts.LINKS) and len(rows) == 50
    assert rows["e_reg"].max() < 0.02


def test_bounded_links_are_learned(stored_table):
    stored = stored_table("experts")
    rows = stored[(stored["part"] == "links") & (stored["n"] == 100_000)]
    worst = rows.groupby(["link", "method"])["e_reg"].max()
    for link in ("tanh", "sigmoid"):
        assert worst[link, "reduced"] < 0.02 and worst[link, "reduced, optimal"] < 0.02
        assert worst[link, "refined"] < 1e-3
