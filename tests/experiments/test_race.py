"""The stored race: whole and repeatable."""

import numpy as np
import pandas as pd
import pytest

from moelib.experiments import race


def test_race_is_whole(stored_table):
    starts = stored_table("race").groupby(["cell", "data", "method"])["start"].nunique()
    assert (starts == race.STARTS).all()
    assert len(starts) == len(race.make_grid()) * race.DATA_SETS * len(race.METHODS)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["two-loss, in-span", "em", "spectral"])
def test_race_of_a_fresh_run(rows_again, method):
    fresh, stored = rows_again("race", 1, data_sets=1, methods=[method])
    assert len(fresh) == race.STARTS
    np.testing.assert_allclose(fresh["e_reg"], stored["e_reg"], atol=1e-6)
    np.testing.assert_allclose(fresh["log_density"], stored["log_density"], atol=1e-6)


def test_objectives_are_larger_for_better_fits(rows_again):
    """Of least squares, whose objective is no likelihood; the smallest cell, one start."""
    fresh, stored = rows_again("race", 0, data_sets=1, starts=1, methods=["least-squares"])
    assert len(fresh) == 1 and fresh["objective"][0] < 0
    np.testing.assert_allclose(fresh["objective"], stored["objective"], rtol=1e-3)


def test_solved_counts_the_best_start_that_the_budget_allows():
    rows = pd.DataFrame(
        {
            "cell": "one",
            "method": ["em"] * 4 + ["spectral"] * 2,
            "data": [0, 0, 1, 1, 0, 0],
            "start": [0, 1] * 3,
            "objective": [1.0, 2.0, 5.0, 4.0, 1.0, 2.0],
            "seconds": [1.0] * 4 + [3.0] * 2,
            "found": [False, True, True, False, True, False],
        }
    )
    assert race.solved(rows).loc["one", ["em", "spectral", "two-loss"]].to_list() == [2, 0, 0]
    assert race.solved(rows, 1.5).loc["one", ["em", "spectral"]].to_list() == [1, 0]
    assert race.solved(rows, 4).loc["one", ["em", "spectral"]].to_list() == [2, 1]
    assert list(race.solved(rows).columns) == list(race.METHODS)
