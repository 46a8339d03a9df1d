"""The stored experiment on coverage: how a fit is judged, and what the intervals cover."""

import itertools

import numpy as np
import pandas as pd
import pytest

from moelib import GatedModel, MixtureOfExperts, standard_model
from moelib.experiments import coverage


def test_coverage_is_between_93_and_97_percent(stored_table):
    """400 data sets, n = 5000, d = 5, k = 2: every part and fit, at the level 95 %."""
    table = stored_table("coverage")
    assert (table.groupby(["cell", "method"])["data"].nunique() == coverage.DATA_SETS).all()
    assert coverage.DATA_SETS == 400
    large = table[table["n"] == 5000]
    assert large["found"].all()
    groups = large.groupby(["cell", "method"])
    share = groups["hits_95"].sum() / groups["parameters"].sum()
    assert len(share) == 4 * 3
    whole = large.groupby("cell")["hits_95"].sum() / large.groupby("cell")["parameters"].sum()
    assert whole.between(0.93, 0.97).all()
    # the noise is one parameter, 400 trials: a standard error of 1.1 %
    standard_error = np.sqrt(0.95 * 0.05 / groups["parameters"].sum())
    assert (np.abs(share - 0.95) < 0.02 + 3 * standard_error).all()


@pytest.mark.slow
@pytest.mark.parametrize("index", [1, 5])
def test_coverage_of_a_fresh_run(rows_again, index):
    fresh, stored = rows_again("coverage", index, data_sets=10)
    assert len(fresh) == 30
    np.testing.assert_allclose(fresh["square"], stored["square"], rtol=0.05)
    assert np.abs(fresh["hits_95"] - stored["hits_95"]).sum() <= 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_judging_a_fit_with_experts_in_another_order(order):
    """However the truth's experts are numbered, it is put into the order of the fit."""
    model = standard_model(d=5, n_experts=3, noise=0.3)
    X, y = model.sample(3000, np.random.default_rng(0))
    settings = dict(fit_intercept=False, noise="shared", n_init=1)
    fit = MixtureOfExperts(3, "two-loss", **settings, random_state=0).fit(X, y)
    gates = np.vstack([model.gates, np.zeros(5)])[list(order)]
    renumbered = GatedModel(model.experts[list(order)], (gates - gates[-1])[:-1], 0.3)
    rows = list(coverage.judge(fit, renumbered))
    assert rows == list(coverage.judge(fit, model))
    assert all(row["square"] < 5 for row in rows)


def test_rates_are_hits_over_parameters():
    rows = pd.DataFrame({"fit": "em", "n": [5, 5, 9], "noise": 0.5, "method": "gates"})
    hits = {f"hits_{100 * level:.0f}": [1, 3, 2] for level in coverage.LEVELS}
    found = coverage.rates(rows.assign(parameters=[4, 4, 2], **hits))
    assert list(found.columns) == list(coverage.LEVELS)
    np.testing.assert_allclose(found.loc[("em", 5, 0.5, "gates")], 0.5)
    np.testing.assert_allclose(found.loc[("em", 9, 0.5, "gates")], 1.0)
