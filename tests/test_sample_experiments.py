"""The stored experiments on tails, sample sizes and efficiency: whole, repeatable, as claimed."""

import numpy as np
import pandas as pd
import pytest

from moelib import GatedModel, cramer_rao_bound, label_transforms, standard_model
from moelib.bounds.theorem import expert_shares
from moelib.experiments import efficiency, samples, tails
from moelib.experiments.runner import EXPERIMENTS, STORED, cell_name, read_table

ROOT = STORED.resolve()


def stored(name):
    table = read_table(name, ROOT)
    assert list(table["cell"].unique()) == [cell_name(c) for c in EXPERIMENTS[name].grid]
    return table


def rows_again(name, index):
    """The rows of one cell, computed again, and the stored ones of the same data sets."""
    grid = EXPERIMENTS[name].grid
    seed = np.random.SeedSequence(0).spawn(len(grid))[index]
    again = pd.DataFrame(EXPERIMENTS[name].run(grid[index], seed))
    table = stored(name)
    kept = table[table["cell"] == cell_name(grid[index])]
    if "data" in kept:
        kept = kept[kept["data"] <= again["data"].max()]
    return again, kept.reset_index(drop=True)


def test_robust_means_lower_the_99th_percentile():
    """n = 2000 to 32,000, polynomial transforms: intervals of the ratio to the plain mean."""
    table = stored("tails")
    polynomial = table[(table["kind"] == "polynomial") & (table["of"] == "fourth")]
    worst = polynomial[polynomial["statistic"] == "0.99"].set_index(["n", "method"])
    for n in tails.DATA_SETS:
        for method in ("truncate 30", "truncate 10", "10 blocks"):
            assert worst.loc[(n, method), "ratio_high"] < 0.8
    rms = polynomial[polynomial["statistic"] == "rms"].set_index(["n", "method"])
    for n in tails.DATA_SETS:
        assert rms.loc[(n, "control"), "ratio_high"] ** 2 < 0.6


@pytest.mark.slow
def test_tails_of_a_fresh_run(monkeypatch):
    """200 other data sets: the median error of every estimator within 10 % of the stored one."""
    monkeypatch.setattr(tails, "DATA_SETS", {2000: 200})
    cell = tails.make_grid()[0]
    found = tails.deviations(cell, np.random.SeedSequence(1))
    table = stored("tails")
    kept = table[(table["cell"] == cell_name(cell)) & (table["statistic"] == "0.5")]
    for row in kept[kept["of"] == "fourth"].itertuples():
        assert abs(np.median(found[row.method, "fourth"]) / row.value - 1) < 0.1


def test_population_moments_of_the_tails():
    model = standard_model(5, 3)
    second, fourth = tails.population_moments(model, model.experts.T)
    np.testing.assert_allclose(np.diag(second), expert_shares(model), atol=0.005)
    np.testing.assert_allclose(np.einsum("abcc->ab", fourth), second)
    np.testing.assert_allclose(np.trace(second), 1)


def test_deviations_by_hand(monkeypatch):
    monkeypatch.setattr(tails, "DATA_SETS", {500: 1})
    cell = dict(kind="polynomial", k=3, d=5, noise=0.05, n=500)
    found = tails.deviations(cell, np.random.SeedSequence(4))
    model = standard_model(5, 3)
    data_seed = np.random.SeedSequence(4).spawn(1)[0]
    X, y = model.sample(500, np.random.default_rng(data_seed))
    z, transforms = X[:, :3], label_transforms("identity", 0.05)
    q = transforms.q4(y) / transforms.c4
    q = q - q.mean()
    skew = np.mean(q * (z[:, 0] * (z[:, 1] ** 3 - 3 * z[:, 1])))
    np.testing.assert_allclose(found["plain", "skew"], [abs(skew)])
    share = tails.population_moments(model, np.eye(5)[:, :3])[0][0, 0]
    diagonal = np.mean(q * (z[:, 0] ** 4 - 6 * z[:, 0] ** 2 + 3))
    np.testing.assert_allclose(found["plain", "diagonal"], [abs(diagonal - share)])


def test_statistics_of_deviations():
    errors = np.array([[3.0, 4.0, 0.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(tails.statistic(errors, None), [5 / np.sqrt(3), 1])
    np.testing.assert_allclose(tails.statistic(errors, 0.5), [3, 1])


@pytest.mark.parametrize("n,sizes", [(45_000, [20_000, 20_000, 5000]), (20_000, [20_000])])
def test_a_stream_repeats_itself_and_has_n_samples(n, sizes):
    batches = samples.stream(standard_model(5, 2), n, np.random.SeedSequence(3))
    first, second = list(batches()), list(batches())
    assert [len(y) for _, y in first] == sizes
    for (X, y), (again, labels) in zip(first, second, strict=True):
        np.testing.assert_array_equal(X, again)
        np.testing.assert_array_equal(y, labels)
    if len(first) > 1:
        assert not np.any(np.isin(first[0][1], first[1][1]))


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


@pytest.mark.slow
def test_samples_of_a_fresh_run(monkeypatch):
    monkeypatch.setattr(samples, "DATA_SETS", dict.fromkeys(samples.DATA_SETS, 3))
    grid = samples.make_grid()
    some = [
        i
        for i, cell in enumerate(grid)
        if cell["n"] <= 10_000 and cell["k"] <= 4 and cell["noise"] == 0.05
    ]
    for index in some[::3]:
        again, kept = rows_again("samples", index)
        np.testing.assert_allclose(again["angle"], kept["angle"], rtol=0.02)


def test_slope_of_the_reduced_method():
    """n = 1e4 .. 1e7, ten data sets: minus one half within 0.05, for both transforms."""
    table = stored("samples")
    part = table[table["part"] == "n"]
    assert part["n"].min() == 10_000 and part["n"].max() == 10_000_000
    for method in ("reduced, polynomial", "reduced, in-span"):
        mean = np.log(part[part["method"] == method].groupby("n")["rms_angle"].median())
        slope = np.polyfit(np.log(mean.index.to_numpy(dtype=float)), mean, 1)[0]
        assert abs(slope + 0.5) < 0.05


@pytest.mark.slow
def test_efficiency_of_a_fresh_run(monkeypatch):
    monkeypatch.setattr(efficiency, "DATA_SETS", dict.fromkeys(efficiency.DATA_SETS, 3))
    grid = efficiency.make_grid()
    some = [i for i, cell in enumerate(grid) if cell["n"] == 3000 and cell["noise"] == 0.05]
    for index in some:
        again, kept = rows_again("efficiency", index)
        assert list(again["method"]) == list(kept["method"])
        close = np.isclose(again["square"], kept["square"], rtol=0.05, atol=1e-9)
        assert close.mean() > 0.9


def test_refined_fits_reach_the_bound():
    """200 data sets, n = 1e5: root mean square error over the bound, experts, gates and noise."""
    table = stored("efficiency")
    check = table[(table["part"] == "check") & (table["method"] == "refined")]
    for (k, d, noise, n), rows in check.groupby(["k", "d", "noise", "n"]):
        bound = cramer_rao_bound(standard_model(d, k, noise), n)
        goals = {
            "experts": np.sum(bound.experts**2),
            "gates": np.sum(bound.gates**2),
            "noise": bound.noise**2,
        }
        assert n == 100_000 and rows["data"].nunique() == 200
        for part, goal in goals.items():
            ratio = np.sqrt(rows[rows["of"] == part]["square"].mean() / goal)
            assert 0.95 < ratio < 1.10
