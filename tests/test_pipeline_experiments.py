"""The stored experiments on coverage, races and many experts: whole, repeatable, as claimed."""

import itertools

import numpy as np
import pandas as pd
import pytest

from moelib import GatedModel, MixtureOfExperts, standard_model
from moelib.experiments import coverage, many_experts, race
from moelib.experiments.runner import EXPERIMENTS, STORED, cell_name, read_table

ROOT = STORED.resolve()


def stored(name):
    table = read_table(name, ROOT)
    assert list(table["cell"].unique()) == [cell_name(c) for c in EXPERIMENTS[name].grid]
    return table


def fresh(name, index):
    """The rows of one cell, computed again."""
    grid = EXPERIMENTS[name].grid
    seed = np.random.SeedSequence(0).spawn(len(grid))[index]
    return pd.DataFrame(EXPERIMENTS[name].run(grid[index], seed))


def test_coverage_is_between_93_and_97_percent():
    """400 data sets, n = 5000, d = 5, k = 2: every part and fit, at the level 95 %."""
    table = stored("coverage")
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
def test_coverage_of_a_fresh_run(monkeypatch):
    monkeypatch.setattr(coverage, "DATA_SETS", 10)
    table = stored("coverage")
    for index in (1, 5):
        again = fresh("coverage", index)
        kept = table[table["cell"] == cell_name(EXPERIMENTS["coverage"].grid[index])]
        kept = kept[kept["data"] < 10].reset_index(drop=True)
        np.testing.assert_allclose(again["square"], kept["square"], rtol=0.05)
        assert np.abs(again["hits_95"] - kept["hits_95"]).sum() <= 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_judging_a_fit_with_experts_in_another_order(order):
    """However the truth's experts are numbered, it is put into the order of the fit."""
    model = standard_model(d=5, n_experts=3, noise=0.3)
    X, y = model.sample(3000, np.random.default_rng(0))
    fit = MixtureOfExperts(3, random_state=0).fit(X, y)
    gates = np.vstack([model.gates, np.zeros(5)])[list(order)]
    renumbered = GatedModel(model.experts[list(order)], (gates - gates[-1])[:-1], 0.3)
    rows = list(coverage.judge(fit, renumbered))
    assert rows == list(coverage.judge(fit, model))
    assert all(row["square"] < 5 for row in rows)


def test_race_is_whole():
    table = stored("race")
    starts = table.groupby(["cell", "data", "method"])["start"].nunique()
    assert (starts == race.STARTS).all()
    assert len(starts) == len(race.make_grid()) * race.DATA_SETS * len(race.METHODS)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["two-loss, in-span", "em", "spectral"])
def test_race_of_a_fresh_run(method, monkeypatch):
    monkeypatch.setattr(race, "DATA_SETS", 1)
    monkeypatch.setattr(race, "METHODS", {method: race.METHODS[method]})
    index = 1
    again = fresh("race", index)
    kept = stored("race")
    kept = kept[(kept["cell"] == cell_name(race.make_grid()[index])) & (kept["method"] == method)]
    kept = kept[kept["data"] == 0]
    np.testing.assert_allclose(again["e_reg"], kept["e_reg"], atol=1e-6)
    np.testing.assert_allclose(again["log_density"], kept["log_density"], atol=1e-6)


def test_many_experts_are_found_by_two_losses_and_not_by_em():
    """k = 16, d = 32, four million samples in batches: the lines that the book stands on."""
    table = stored("many-experts")
    sixteen = table[table["k"] == 16]
    refined = sixteen[sixteen["method"] == "refined"]
    assert set(refined["n"]) == {4_000_000} and set(refined["d"]) == {32}
    assert len(refined) == many_experts.DATA_SETS * len(many_experts.KINDS)
    assert (refined["e_reg"] < 0.02).all()
    em = sixteen[sixteen["method"] == "em"]
    assert len(em) == many_experts.EM_STARTS
    assert np.mean(em["e_reg"] >= 0.02) >= 0.5
    costs = read_table("many-experts-seconds", ROOT)
    assert costs["peak_gb"].max() < 3


def test_batches_of_a_stream_come_again():
    model = standard_model(d=5, n_experts=2)
    batches = many_experts.stream(model, 2 * many_experts.BATCH, data=1)
    for (X, y), (again, labels) in zip(batches(), batches(), strict=True):
        np.testing.assert_array_equal(X, again)
        np.testing.assert_array_equal(y, labels)
    other = next(many_experts.stream(model, many_experts.BATCH, data=2)())
    assert not np.array_equal(next(batches())[0], other[0])


def test_a_small_stream_runs_through_all_stages(monkeypatch):
    monkeypatch.setattr(many_experts, "EM_ITERATIONS", 30)
    cell = dict(k=2, d=5, n=60_000, data=0)
    two = many_experts.run_cell(
        cell | dict(part="two-loss", kind="polynomial"), np.random.SeedSequence(0)
    )
    assert [row["method"] for row in two] == ["l4", "gates", "refined"]
    assert two[2]["e_reg"] < 1e-3 < 0.1 and two[2]["log_density"] > two[1]["log_density"]
    (em,) = many_experts.run_cell(cell | dict(part="em", start=0), np.random.SeedSequence(1))
    assert em["method"] == "em" and em["e_reg"] < 1e-3
