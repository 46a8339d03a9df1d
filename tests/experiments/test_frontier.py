"""The stored experiment on the frontier: its plan, its methods, and what is read off its table."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from moelib import regressor_error
from moelib.experiments import cell_name, frontier, read_table
from moelib.experiments.frontier_plan import (
    ADAM,
    BOTH,
    COLD,
    COOLED,
    FALLING,
    FEW,
    HELD,
    L4,
    LEAKY,
    METHODS,
    RAW,
    STREAM,
    TRUTH,
    make_grid,
    n_data_sets,
)
from moelib.experiments.frontier_reading import borders, rates, raw_border, winners
from moelib.experiments.frontier_schedules import SIZE, held_rate
from moelib.experts import error_constants, label_transforms, learn_experts
from moelib.likelihood import held_noise
from moelib.model import standard_model

SMALL = dict(link="identity", noise=0.05, shares="equal", k=8, n=3100)


def test_plan_spans_four_decades_and_gives_every_cell_something_to_do():
    grid = make_grid()
    names = [cell_name(cell) for cell in grid]
    assert len(set(names)) == len(names) and STREAM in grid
    sizes = [cell["n"] for cell in grid]
    assert min(sizes) < 1000 and max(sizes) == 10_000_000
    assert {cell["k"] for cell in grid} == {8, 12, 16, 24, 32, 48}
    for cell in grid:
        counts = {method: n_data_sets(cell, method) for method in METHODS}
        assert 0 < max(counts.values()) <= 10 and min(counts.values()) >= 0
        if 2 * cell["k"] * cell["n"] > HELD:
            assert {m for m, count in counts.items() if count} <= {RAW, L4}
        assert cell["k"] > 16 or counts[COLD] in (counts[BOTH], FEW)


def test_contested_sizes_have_ten_data_sets_where_they_can_be_paid():
    for cell in make_grid():
        if cell["k"] <= 24 and cell["link"] == "identity" and cell["shares"] == "equal":
            for method in (ADAM, RAW, BOTH):
                assert n_data_sets(cell, method) in (0, FEW, 5, 10)


def test_unequal_shares_fall_geometrically_to_a_quarter_of_the_equal_one():
    k = 8
    model = frontier.design(SMALL | dict(shares="skew"))
    X = np.random.default_rng(1).standard_normal((200_000, 2 * k))
    shares = model.gate_probabilities(X).mean(axis=0)
    np.testing.assert_allclose(shares[-1], 1 / (4 * k), rtol=0.03)
    ratios = shares[1:] / shares[:-1]
    np.testing.assert_allclose(ratios, ratios.mean(), rtol=0.03)


@pytest.mark.parametrize("k", [8, 24])
def test_rate_holds_the_noise_that_it_is_named_for(k):
    rate = held_rate(0.15, k)
    assert np.isclose(held_noise(rate, SIZE, np.full(k, 1 / k), 2 * k), 0.15)


def test_a_row_does_not_depend_on_what_else_runs():
    run = dict(data_sets=2)
    seed = np.random.SeedSequence(3)
    one = frontier.run_cell(SMALL, seed, methods=(RAW, L4), **run)
    two = frontier.run_cell(SMALL, np.random.SeedSequence(3), methods=(RAW,), **run)
    kept = [row["e_reg"] for row in one if row["method"] == RAW]
    assert kept == [row["e_reg"] for row in two] and len(kept) == 2


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_method_runs_and_the_climb_from_the_truth_is_right():
    cell = SMALL | dict(n=1500, k=8)
    truth = frontier.design(cell)
    X, y = truth.sample(1500, np.random.default_rng(0))
    data = (lambda: [(X, y)]), X, y
    for method in (TRUTH, RAW, L4):
        found = frontier.FITS[method](cell, truth, data, np.random.default_rng(1))
        row = frontier.found_row(found, truth)
        assert 0 <= row["found"] <= 8 and 0 <= row["e_reg"] <= 1
        assert method != TRUTH or (row["e_reg"] < 0.01 and row["found"] == 8)


@pytest.mark.parametrize(
    ("method", "noise", "first", "rest"),
    [
        (ADAM, 0.04, [], 25_600),
        (LEAKY, 0.04, [0.2], 17_920),
        (FALLING, 0.04, [0.175, 0.125, 0.075, 0.025], 6_144),
        (BOTH, 0.02, [], 6000),
        (COLD, 0.02, [], 6000),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_schedules_behind_a_relu(monkeypatch, method, noise, first, rest):
    """Rate, steps and leaks of a cell, and a third of the steps far beyond the border."""
    cell = SMALL | dict(link="relu", n=1000)
    truth = frontier.design(cell)
    X, y = truth.sample(1000, np.random.default_rng(0))
    seen = []

    def climb(sample, init, rng, *, steps, rate, **options):
        slope = -init.link.value(np.array(-1.0))
        seen.append((round(float(slope), 3), steps, rate))
        return init, None

    def last(cell, X, y, init, rng, schedule):
        assert init.link.name == "relu"
        seen.append((0.0, schedule[1], schedule[0]))
        return init

    monkeypatch.setattr(frontier, "gradient_climb", climb)
    monkeypatch.setattr(frontier, "_climb", last)
    data = (lambda: [(X, y)]), X, y
    frontier.FITS[method](cell, truth, data, np.random.default_rng(1))
    slopes, steps, rates = zip(*seen)
    assert list(slopes) == [*first, 0.0] and steps[-1] == rest
    np.testing.assert_allclose(rates, noise * 8 / 8**1.5)
    total = sum(steps)
    seen.clear()
    frontier.FITS[method](cell | dict(n=49_000), truth, data, np.random.default_rng(1))
    third = method != FALLING
    assert sum(count for _, count, _ in seen) == (total // 3 if third else total)


def test_row_counts_experts_and_bears_a_fit_without_numbers():
    truth = standard_model(6, 3)
    turned = truth.experts.copy()
    turned[1] = -turned[1]
    turned[2, 0] = turned[2, 2]
    row = frontier.found_row(turned, truth)
    assert row["found"] == 2 and np.isclose(row["e_reg"], 1 - np.sqrt(0.5))
    assert frontier.found_row(np.full((3, 6), np.nan), truth)["found"] == 0


def table(rows):
    """Rows by n and method: hits, data sets and seconds."""
    keys = [("identity", 0.05, "equal", 8, n, method) for n, method in rows]
    hits, sizes, seconds = np.array(list(rows.values())).T
    names = ["link", "noise", "shares", "k", "n", "method"]
    index = pd.MultiIndex.from_tuples(keys, names=names)
    ends = [binomtest(int(h), int(s)).proportion_ci(method="wilson") for h, s in zip(hits, sizes)]
    found = pd.DataFrame({"success": hits / sizes, "data_sets": sizes, "seconds": seconds}, index)
    found[["low", "high"]] = np.clip(ends, 0, 1)
    for name, share in (("wait", "success"), ("wait_low", "high"), ("wait_high", "low")):
        with np.errstate(divide="ignore"):
            found[name] = found["seconds"] / found[share].where(found[share] > 1e-12, 0)
    return found


def test_rates_count_successes_and_divide_seconds():
    fits = pd.DataFrame([SMALL | {"method": ADAM, "e_reg": e} for e in (0.01, 0.5, 0.02, np.nan)])
    seconds = pd.DataFrame([SMALL | {"method": ADAM, "seconds": 3.0}])
    (row,) = rates(fits, seconds).to_dict("records")
    expected = binomtest(2, 4).proportion_ci(method="wilson")
    assert row["success"] == 0.5 and row["wait"] == 6.0 and row["data_sets"] == 4
    np.testing.assert_allclose([row["low"], row["high"]], expected)
    assert rates(fits, seconds, bound=0.015)["success"].tolist() == [0.25]


def test_border_is_where_success_crosses_a_half_with_honest_ends():
    sizes = {100: 0, 200: 2, 400: 1, 800: 9, 1600: 10}
    (row,) = borders(table({(n, ADAM): (hits, 10, 1) for n, hits in sizes.items()})).to_dict(
        "records"
    )
    assert row["low"] == 400 and row["high"] == 800
    assert np.isclose(row["border"], 400 * 2 ** (0.35 / 0.75))  # 200 and 400 are pooled


@pytest.mark.parametrize(("hits", "above"), [(0, False), (10, True)])
def test_border_beyond_the_cells_is_missing(hits, above):
    rows = table({(n, ADAM): (hits, 10, 1) for n in (100, 200)})
    (row,) = borders(rows).to_dict("records")
    assert np.isnan(row["border"]) and row["ends_high"] == above
    assert (row["first"], row["last"]) == (100, 200)


def test_winner_is_clear_only_if_no_interval_of_another_kind_meets_its_own():
    rows = {(1, BOTH): (10, 10, 1.0), (1, ADAM): (10, 10, 9.0), (1, COLD): (9, 10, 8.0)}
    won = winners(table(rows)).iloc[0]
    assert won["winner"] == "two losses, then Adam" and won["clear"] and won["compared"]
    assert won["rival"] == "Adam" and np.isclose(won["rival_wait"], 8 / 0.9)
    few = {(1, BOTH): (2, 2, 1.0), (1, ADAM): (10, 10, 2.0)}
    assert not winners(table(few))["clear"].iloc[0]
    alone = {(1, BOTH): (0, 10, 1.0), (1, RAW): (10, 10, 1.0), (1, TRUTH): (10, 10, 0.1)}
    won = winners(table(alone)).iloc[0]
    assert won["winner"] == "two losses" and not won["compared"] and not won["clear"]


@pytest.mark.parametrize(("trials", "clear"), [(2, False), (10, True)])
def test_a_rival_without_success_may_be_unlucky(trials, clear):
    rows = {(1, ADAM): (10, 10, 1.0), (1, BOTH): (10, 10, 9.0), (1, COOLED): (0, trials, 0.5)}
    assert winners(table(rows))["clear"].iloc[0] == clear


@pytest.mark.parametrize(("hits", "winner", "clear"), [(6, 0, True), (8, 0, False), (10, 1, True)])
def test_two_losses_count_only_where_one_run_is_enough(hits, winner, clear):
    """They cannot start again on the same samples, Adam can."""
    rows = {(1, ADAM): (9, 10, 4.0), (1, BOTH): (10, 10, 1.0), (1, RAW): (hits, 10, 0.1)}
    won = winners(table(rows)).iloc[0]
    assert won["winner"] == ["two losses, then Adam", "two losses"][winner]
    assert won["clear"] == clear
    assert winners(table({(1, ADAM): (1, 10, 1.0)}))["winner"].tolist() == ["Adam"]
    assert not len(winners(table({(1, RAW): (8, 10, 1.0), (1, ADAM): (0, 10, 1.0)})))


def test_who_was_run_on_few_data_sets_was_not_compared():
    rows = {(1, ADAM): (0, 2, 90.0), (1, BOTH): (10, 10, 1.0)}
    won = winners(table(rows)).iloc[0]
    assert not won["compared"] and not won["clear"]


def test_a_kind_may_leave_samples_away():
    rows = {(1, ADAM): (0, 10, 1.0), (2, ADAM): (10, 10, 1.0), (4, ADAM): (10, 10, 3.0)}
    rows |= {(4, BOTH): (10, 10, 2.0), (8, BOTH): (10, 10, 0.5)}
    won = winners(table(rows)).droplevel([0, 1, 2, 3])
    assert won.index.tolist() == [2, 4, 8] and won["wait"].tolist() == [1.0, 1.0, 0.5]
    assert won["used"].tolist() == [2, 2, 8] and won.loc[4, "rival_wait"] == 2.0
    assert won["compared"].tolist() == [False, True, True]


def test_first_order_border_is_where_the_worst_expert_has_its_median_at_the_bound():
    """Errors drawn anew, direction by direction."""
    model = standard_model(18, 4)
    made = label_transforms("identity", model.noise, kind="in-span", dimension=4)
    inside, outside = error_constants(model, made, solver="orthonormal")
    rng, spread = np.random.default_rng(7), np.sqrt(inside / 3)
    z, w = rng.standard_normal((20_000, 3, 4)), rng.standard_normal((20_000, 14, 4))
    squares = np.sum((z * spread) ** 2, axis=1) + np.sum((w * np.sqrt(outside / 14)) ** 2, axis=1)
    bound = np.tan(np.arccos(0.95)) ** 2
    worst = np.median((squares / raw_border(model)).max(axis=1))
    np.testing.assert_allclose(worst, bound, rtol=0.03)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_first_order_border_lies_between_failure_and_success():
    """A quarter of it fails on nearly all data sets, four times it succeeds: 60 seeds tried."""
    model = standard_model(8, 4)
    border, right = raw_border(model), {}
    for factor in (0.25, 4):
        errors = []
        for seed in range(6):
            X, y = model.sample(int(factor * border), np.random.default_rng(seed))
            options = dict(transforms="in-span", solver="orthonormal")
            fit = learn_experts(X, y, 4, np.random.default_rng(0), **options)
            errors.append(regressor_error(fit.experts, model.experts) < 0.05)
        right[factor] = np.sum(errors)
    assert right[0.25] <= 1 and right[4] >= 5


def test_stored_rows_are_those_of_the_plan():
    stored = read_table("frontier")
    grid = {cell_name(cell): cell for cell in make_grid()}
    assert set(stored["cell"]) <= set(grid)
    counts = stored.groupby(["cell", "method"]).size()
    for (cell, method), count in counts.items():
        assert count == n_data_sets(grid[cell], method)
    assert (stored["found"] <= stored["k"]).all()
    assert (
        stored.loc[stored["e_reg"] < 0.05, "found"] == stored["k"][stored["e_reg"] < 0.05]
    ).all()


def test_likelihood_needs_fewer_samples_than_two_losses_for_linear_experts():
    """The order of the borders, wherever both are measured."""
    found = borders(rates(read_table("frontier"), read_table("frontier-seconds")))["border"]
    linear = found.loc["identity", 0.05, "equal"].unstack("method")
    both = linear[[ADAM, RAW]].dropna()
    assert len(both) and (both[ADAM] * 4 < both[RAW]).all()
