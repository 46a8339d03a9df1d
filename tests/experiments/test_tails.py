"""The stored experiment on heavy tails: errors of moments by hand, and what robust means gain."""

import numpy as np
import pytest

from moelib import label_transforms, standard_model
from moelib.experiments import cell_name, tails
from moelib.experts import population_moments


def test_robust_means_lower_the_99th_percentile(stored_table):
    """n = 2000 to 32,000, polynomial transforms: intervals of the ratio to the plain mean."""
    table = stored_table("tails")
    polynomial = table[(table["kind"] == "polynomial") & (table["of"] == "fourth")]
    worst = polynomial[polynomial["statistic"] == "0.99"].set_index(["n", "method"])
    for n in tails.DATA_SETS:
        for method in ("truncate 30", "truncate 10", "10 blocks"):
            assert worst.loc[(n, method), "ratio_high"] < 0.8
    rms = polynomial[polynomial["statistic"] == "rms"].set_index(["n", "method"])
    for n in tails.DATA_SETS:
        assert rms.loc[(n, "control"), "ratio_high"] ** 2 < 0.6


@pytest.mark.slow
def test_tails_of_a_fresh_run(stored_table):
    """200 other data sets: the median error of every estimator within 10 % of the stored one."""
    cell = tails.make_grid()[0]
    found = tails.deviations(cell, np.random.SeedSequence(1), data_sets=200)
    table = stored_table("tails")
    kept = table[(table["cell"] == cell_name(cell)) & (table["statistic"] == "0.5")]
    for row in kept[kept["of"] == "fourth"].itertuples():
        assert abs(np.median(found[row.method, "fourth"]) / row.value - 1) < 0.1


def test_a_small_run_has_the_rows_of_a_stored_cell(stored_table):
    table = stored_table("tails")
    stored = table[table["cell"] == table["cell"].iloc[0]]
    rows = tails.run_cell(
        tails.make_grid()[0] | dict(n=300), np.random.SeedSequence(0), data_sets=4
    )
    keys = ["method", "of", "statistic"]
    assert [[row[key] for key in keys] for row in rows] == stored[keys].to_numpy().tolist()
    assert all(row["ratio"] == row["ratio_low"] == 1 for row in rows if row["method"] == "plain")


def test_exact_shares_are_those_of_a_simulation():
    model = standard_model(5, 3)
    shares = tails.exact_shares(model)
    np.testing.assert_allclose(shares, model.shares(), atol=0.005)
    np.testing.assert_allclose(shares.sum(), 1)
    second, fourth = population_moments(model.experts, shares, model.experts.T)
    np.testing.assert_allclose(np.diag(second), shares, atol=1e-12)
    np.testing.assert_allclose(np.einsum("abcc->ab", fourth), second)


def test_deviations_by_hand():
    cell = dict(kind="polynomial", k=3, d=5, noise=0.05, n=500)
    found = tails.deviations(cell, np.random.SeedSequence(4), data_sets=1)
    model = standard_model(5, 3)
    data_seed = np.random.SeedSequence(4).spawn(1)[0]
    X, y = model.sample(500, np.random.default_rng(data_seed))
    z, transforms = X[:, :3], label_transforms("identity", 0.05)
    q = transforms.q4(y) / transforms.c4
    q = q - q.mean()
    skew = np.mean(q * (z[:, 0] * (z[:, 1] ** 3 - 3 * z[:, 1])))
    np.testing.assert_allclose(found["plain", "skew"], [abs(skew)])
    share = tails.exact_shares(model)[0]
    diagonal = np.mean(q * (z[:, 0] ** 4 - 6 * z[:, 0] ** 2 + 3))
    np.testing.assert_allclose(found["plain", "diagonal"], [abs(diagonal - share)])


def test_statistics_of_deviations():
    errors = np.array([[3.0, 4.0, 0.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(tails.statistic(errors, None), [5 / np.sqrt(3), 1])
    np.testing.assert_allclose(tails.statistic(errors, 0.5), [3, 1])
