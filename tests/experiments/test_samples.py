"""The stored experiment on sample sizes: slopes, the length of a gate error, fresh runs."""

import numpy as np
import pytest

from moelib import standard_model
from moelib.experiments import samples


def test_gate_distance_after_a_change_of_order():
    model = standard_model(6, 3)
    gates = np.vstack([model.gates, np.zeros(6)])
    order = [2, 0, 1]
    moved = gates[order] - gates[order[-1]]
    assert samples.gate_distance(model.experts[order], moved[:-1], model) < 1e-12
    off = moved[:-1].copy()
    off[0, 3] += 0.2
    # the first row is the old reference: all other gates move against it
    np.testing.assert_allclose(
        samples.gate_distance(model.experts[order], off, model), 0.2 * np.sqrt(2)
    )


SMALL = [
    index
    for index, cell in enumerate(samples.make_grid())
    if cell["n"] <= 10_000 and cell["k"] <= 4 and cell["noise"] == 0.05
][::3]


@pytest.mark.slow
@pytest.mark.parametrize("index", SMALL)
def test_samples_of_a_fresh_run(rows_again, index):
    fresh, stored = rows_again("samples", index, data_sets=3)
    assert set(fresh["data"]) == {0, 1, 2}
    np.testing.assert_allclose(fresh["angle"], stored["angle"], rtol=0.02)


def test_slope_of_the_reduced_method(stored_table):
    """n = 1e4 .. 1e7, ten data sets: minus one half within 0.05, for both transforms."""
    table = stored_table("samples")
    part = table[table["part"] == "n"]
    assert part["n"].min() == 10_000 and part["n"].max() == 10_000_000
    for method in ("reduced, polynomial", "reduced, in-span"):
        mean = np.log(part[part["method"] == method].groupby("n")["rms_angle"].median())
        slope = np.polyfit(np.log(mean.index.to_numpy(dtype=float)), mean, 1)[0]
        assert abs(slope + 0.5) < 0.05
