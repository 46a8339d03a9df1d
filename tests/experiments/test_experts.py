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
        n_sets = experts.SETS_OF.get(name.split(",")[0].removeprefix("part="), experts.DATA_SETS)
        assert set(rows["data"]) == set(range(n_sets))
        assert (rows.groupby("method")["data"].nunique() == n_sets).all()
    links = stored[stored["part"] == "links"]
    assert set(links["link"]) == set(experts.LINKS)
    assert set(links["method"]) >= {"reduced", "reduced, optimal", "spectral", "refined"}


@pytest.mark.slow
@pytest.mark.parametrize("draw", range(5))
def test_stored_cells_are_what_a_fresh_run_gives(rows_again, draw):
    """Two data sets of a random cell with few samples, of each part that is not slow."""
    grid, rng = EXPERIMENTS["experts"].grid, np.random.default_rng(draw)
    part = ("links", "mu", "span", "power", "orders")[draw]
    chosen = [i for i, c in enumerate(grid) if c["n"] <= 50_000 and c["part"] == part]
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


def test_one_tensor_is_taken_apart_in_four_ways():
    """The rows of a small cell: each way's own objective, and L4 no worse than where it began."""
    cell = dict(part="orders", d=6, k=2, link="identity", noise=0.05, n=4000)
    rows = experts.run_cell(cell, np.random.SeedSequence(0), data_sets=1)
    found = {(row["method"], row.get("mu")): row for row in rows}
    assert len(found) == len(rows) == 10
    for kind in ("optimal", "in-span"):
        assert found[f"power, then L4, {kind}", 1.0]["angle"] < 0.3
        assert found[f"reduced, {kind}", 0.95]["loss"] < found[f"reduced, {kind}", 0.5]["loss"]
        assert found[f"power, {kind}", None]["loss"] < 0
        assert found[f"spectral, {kind}", None]["angle"] < 0.3


def test_in_the_span_loss_and_power_are_within_a_fifth(stored_table):
    """What the page's table says: no way is far from another, and L4 after the power is best."""
    stored = stored_table("experts")
    rows = stored[(stored["part"] == "orders") & stored["method"].str.endswith("in-span")]
    rms = rows.groupby(["link", "k", "method", "mu"], dropna=False)["rms_angle"].median()
    for _, medians in rms.groupby(level=["link", "k"]):
        medians = medians.droplevel(["link", "k"])
        at_half, power = medians["reduced, in-span", 0.5], medians.xs("power, in-span").iloc[0]
        both = medians.xs("power, then L4, in-span").iloc[0]
        assert 0.8 * at_half < power < at_half
        assert both < 1.02 * power
