"""The stored experiment on the number of regimes."""

import numpy as np
import pytest

from moelib.experiments import regimes


def test_one_regression_is_called_one_and_two_regimes_two(stored_table):
    """In at least 95 of 100 data sets each."""
    table = stored_table("regimes")
    assert (table.groupby("labels")["data"].nunique() == regimes.DATA_SETS).all()
    assert regimes.DATA_SETS == 100
    best = table.groupby("labels")["best_k"]
    assert (best.get_group("one regression") == 1).sum() >= 95
    assert (best.get_group("noise 12 and 2") == 2).sum() >= 95


def test_no_collapse_is_chosen_and_none_goes_without_its_name(stored_table):
    """On ratings and counts every degenerate fit is named, and a sound one is chosen."""
    table = stored_table("regimes")
    rough = table[table["labels"].isin(["ratings", "counts"])]
    assert rough["chosen_sound"].all() and rough["degenerate"].sum() >= 20
    np.testing.assert_array_equal(rough["named"], rough["degenerate"])


@pytest.mark.slow
@pytest.mark.parametrize("index", range(4))
def test_rows_of_a_fresh_run(rows_again, index):
    fresh, stored = rows_again("regimes", index, data_sets=2)
    np.testing.assert_array_equal(fresh["best_k"], stored["best_k"])
    np.testing.assert_allclose(fresh["bic_gain"], stored["bic_gain"], rtol=1e-3, atol=1e-3)
