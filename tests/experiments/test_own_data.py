"""The stored experiment on data as they come: what its intervals cover, and how fits are judged."""

import numpy as np
import pandas as pd
import pytest

from moelib.experiments import own_data


def test_coverage_is_between_93_and_97_percent(stored_table):
    """Of all parameters, in every design, with either kind of standard error, at n = 1000."""
    table = stored_table("own-data")
    assert (table.groupby(["cell", "method"])["data"].nunique() == own_data.DATA_SETS).all()
    assert own_data.DATA_SETS == 400
    large = table[table["n"] == 1000].groupby("design").sum(numeric_only=True)
    assert list(large.index.sort_values()) == sorted(own_data.DESIGNS)
    for hits in ("hits", "robust_hits"):
        assert (large[hits] / large["parameters"]).between(0.93, 0.97).all()


def test_few_samples_cost_some_coverage(stored_table):
    """At n = 300, with 14 to 15 parameters, intervals are a little short."""
    table = stored_table("own-data")
    small = table[table["n"] == 300].groupby("design").sum(numeric_only=True)
    assert (small["hits"] / small["parameters"]).between(0.91, 0.97).all()


def test_an_offset_changes_nothing(stored_table):
    """The designs differ in the seed only: their coverage, by 400 data sets, is the same."""
    table = stored_table("own-data").groupby(["design", "n"]).sum(numeric_only=True)
    rate = (table["hits"] / table["parameters"]).unstack("n")
    assert np.abs(rate.loc["offset"] - rate.loc["per-expert"]).max() < 0.015


@pytest.mark.slow
@pytest.mark.parametrize("index", range(4))
def test_rows_of_a_fresh_run(rows_again, index):
    fresh, stored = rows_again("own-data", index, data_sets=8)
    assert len(fresh) == 8 * 3
    np.testing.assert_allclose(fresh["square"], stored["square"], rtol=0.01)
    assert np.abs(fresh["hits"] - stored["hits"]).sum() <= 1


def test_weights_stand_for_repeated_rows():
    cell = dict(design="weights", n=1000)
    X, y, weights = own_data.draw(cell, np.random.default_rng(0))
    assert weights.sum() == 1000 and len(X) == len(y) == len(weights) < 1000
    assert len(np.unique(np.column_stack([X, y]), axis=0)) == len(X)


def test_years_move_the_intercepts_and_nothing_else():
    near, far = (own_data.truth_of(dict(design=one)) for one in ("per-expert", "offset"))
    X = np.random.default_rng(0).standard_normal((50, 3))
    moved = X + [own_data.YEAR, 0, 0]
    np.testing.assert_allclose(far.expert_means(moved), near.expert_means(X), atol=1e-9)
    np.testing.assert_allclose(far.gate_probabilities(moved), near.gate_probabilities(X), atol=1e-9)


def test_the_truth_of_a_fit_in_another_order_is_reordered():
    cell = dict(design="per-expert", n=1000)
    rows = []
    for seed in range(4):
        X, y, _ = own_data.draw(cell, np.random.default_rng(seed))
        fit = own_data.MixtureOfExperts(2, n_init=3, random_state=seed).fit(X, y)
        judged = [list(own_data.judge(fit, own_data.truth_of(cell), X))]
        judged.append(list(own_data.judge(fit.relabel([1, 0]), own_data.truth_of(cell), X)))
        assert [row["hits"] for row in judged[0]] == [row["hits"] for row in judged[1]]
        rows += judged[0]
    assert pd.DataFrame(rows)["square"].mean() < 3
