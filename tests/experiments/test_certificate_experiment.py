"""The stored experiment on certificates: its designs, its counts, and rows computed again."""

import numpy as np
import pytest

from moelib import regressor_error
from moelib.experiments import cell_name, certificate, read_table
from moelib.experiments.tables import rows_again

PARTS = ["second moment", "fourth moment", "gates", "experts"]


@pytest.fixture(scope="module")
def stored():
    """The table, all cells of the grid in it."""
    table = read_table("certificate")
    assert list(table["cell"].unique()) == [cell_name(c) for c in certificate.make_grid()]
    return table


def cell(**settings):
    return certificate.BASE | settings


def test_stored_table_is_whole(stored):
    for one in certificate.make_grid():
        rows = stored[stored["cell"] == cell_name(one)]
        assert rows["batch"].nunique() == certificate.n_batches(one)
        assert (rows["data_sets"] == certificate.data_sets(one)).all()
        assert (rows["certified"] <= rows["kept"]).all()
        counts = rows[[f"p_{100 * level:g}" for level in certificate.LEVELS]].to_numpy()
        assert np.all(np.diff(counts, axis=1) >= 0) and np.all(counts[:, -1] <= rows["certified"])
        every = set(rows["method"])
        assert every <= {*PARTS, "together"} and "together" in every


def test_level_of_the_main_designs_is_between_2_5_and_7_5_percent(stored):
    share = certificate.rejections(stored).reset_index()
    main = share[(share["fit"] == "right") & (share["certified"] >= 500)]
    assert main["design"].nunique() == 4 and main["n"].min() == 100
    assert main.loc[main["method"] == "together", "share"].between(0.025, 0.075).all()
    assert main["share"].max() < 0.1


def test_together_is_no_more_often_below_than_holm_allows(stored):
    """The least of four adjusted p-values is below a level if one p-value is below a quarter."""
    right = stored[(stored["fit"] == "right") & (stored["certified"] > 0)]
    at_half = right.pivot(index=["cell", "batch"], columns="method", values="p_50")
    assert (at_half["together"] <= at_half[PARTS].sum(axis=1)).all()


def test_power_grows_with_the_samples(stored):
    """By no more than three standard errors less, where n doubles or more."""
    share = certificate.rejections(stored).reset_index()
    missing = share[(share["fit"] == "missing") & (share["method"] == "together")]
    for _, line in missing.groupby(["k", "d", "noise", "design"]):
        power = line.sort_values("n")["share"].to_numpy()
        assert np.all(np.diff(power) > -3 * np.sqrt(0.25 / certificate.BATCH) * 1.5)


@pytest.mark.parametrize("settings", ["k=2,d=5,n=100,noise=0.05,design=standard,fit=missing"])
def test_rows_of_a_fresh_run(settings, stored):
    fresh, old = rows_again(certificate.CERTIFICATE, settings, batches=1)
    assert len(fresh) == 1 + len(set(fresh["method"]) - {"together"})
    counts = [name for name in fresh if name.startswith("p_")]
    assert np.abs(fresh[counts] - old[counts]).max(axis=None) <= 2
    np.testing.assert_allclose(fresh["pull"].dropna(), old["pull"].dropna(), atol=0.05)


def test_starts_are_what_the_cells_say():
    rng = np.random.default_rng(0)
    truth, free, X, y = certificate.draw(cell(n=200), rng)
    assert certificate.start(cell(n=200), truth, X, y, rng) is truth
    for kind, k in (("missing", 2), ("merged", 3), ("random", 3), ("hard gate", 3)):
        one = certificate.start(cell(fit=kind, n=200), truth, X, y, rng)
        assert one.n_experts == k and one.n_features == 10
    merged = certificate.start(cell(fit="merged", n=200), truth, X, y, rng)
    np.testing.assert_allclose(merged.experts[0], (truth.experts[0] + truth.experts[1]) / 2)
    np.testing.assert_array_equal(merged.experts[1], merged.experts[2])
    steep = certificate.start(cell(fit="hard gate", n=200), truth, X, y, rng)
    np.testing.assert_allclose(np.linalg.norm(steep.gates, axis=1), certificate.STEEP, rtol=0.1)


def test_a_split_start_has_the_law_of_the_truth_but_for_its_spread():
    settings = cell(fit="split", k=2, d=3, design="own data", noise=0.5, n=100)
    rng = np.random.default_rng(0)
    truth, free, X, y = certificate.draw(settings, rng)
    start = certificate.start(settings, truth, X, y, rng)
    assert start.n_experts == 3 and free.intercepts and free.noise_per_expert
    gap = start.log_density(X, y) - truth.log_density(X, y)
    assert 0.01 < np.abs(gap).mean() < 0.5
    np.testing.assert_allclose(truth.noises, [0.3, 0.8])


def test_inputs_of_the_tanh_design_are_skewed_and_two_valued():
    settings = cell(k=2, d=4, design="tanh", noise=0.3, n=5000)
    truth, _, X, _ = certificate.draw(settings, np.random.default_rng(0))
    assert truth.link.name == "tanh" and set(np.unique(X[:, 0])) == {0, 1}
    assert (np.mean(X[:, 1:] ** 3, axis=0) > 1).all()


def test_only_wrong_ends_are_kept():
    truth, _ = certificate.design(cell())
    for kind in ("merged", "random", "hard gate"):
        assert not certificate.is_wanted(cell(fit=kind), truth, truth)
    assert certificate.is_wanted(cell(fit="right"), truth, truth)
    other = truth.__class__(truth.experts[::-1] + 1.0, truth.gates, 0.05)
    assert regressor_error(other.experts, truth.experts) > certificate.WRONG
    assert certificate.is_wanted(cell(fit="random"), other, truth)


def test_too_few_samples_are_kept_without_a_certificate():
    wanted, found = certificate.one_end(cell(n=60), np.random.default_rng(0))
    assert wanted and found is None
    rows = list(certificate._rows([], {"data_sets": 1, "kept": 1, "certified": 0}))
    assert [row["method"] for row in rows] == ["together"] and rows[0]["p_5"] == 0


def test_samples_needed_by_hand():
    low, n, high = certificate.samples_needed([100, 1000], [0.5, 1.0], [100, 100])
    np.testing.assert_allclose(n, 10**2.6)
    assert 100 < low < n < high < 1000
    assert certificate.samples_needed([100, 1000], [0.9, 1.0], [100, 100])[1] < 101
    assert np.isinf(certificate.samples_needed([100, 1000], [0.1, 0.2], [100, 100])[2])
