"""What is read from the map, against counting by hand."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from moelib.experiments.map_reading import (
    along,
    best_of,
    duels,
    leaders,
    ranks_right,
    restarts,
    summarise,
    verdicts,
    with_success,
)

NAMES = {10: "k=2,n=10", 20: "k=2,n=20"}


def fits(*groups, n=10):
    """Fits from groups (method, data set, successes, objectives), all densities the objectives."""
    tables = []
    for method, data, right, score in groups:
        table = pd.DataFrame({"success": np.array(right, bool), "objective": score})
        table["log_density"], table["converged"] = table["objective"], True
        tables.append(table.assign(cell=NAMES[n], k=2, n=n, data=data, method=method))
    first = ["cell", "k", "n", "data", "method"]
    return pd.concat(tables, ignore_index=True)[[*first, *tables[0].columns[:4]]]


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_best_of_is_the_share_of_subsets_whose_best_is_a_success(m):
    rng = np.random.default_rng(0)
    groups = [("em", j, rng.random(5) < 0.4, rng.random(5)) for j in range(4)]
    groups += [("gd", 0, rng.random(5) < 0.4, rng.random(5))]
    found = best_of(fits(*groups), m)
    for method, data, right, score in groups:
        winners = [max(some, key=score.__getitem__) for some in combinations(range(5), m)]
        np.testing.assert_allclose(found[NAMES[10], method, data], np.mean(right[winners]))


def test_best_of_needs_enough_starts_and_a_fit_without_numbers_never_wins():
    table = fits(("em", 0, [1, 0], [0.3, np.nan]), ("em", 1, [1], [0.1]))
    assert best_of(table, 2).to_dict() == {(NAMES[10], "em", 0): 1.0}
    assert len(best_of(table, 1)) == 2


def test_ranks_right_where_every_success_is_better():
    groups = [("em", 0, [1, 0, 1], [3, 1, 2]), ("em", 1, [1, 0, 1], [3, 2, 1])]
    groups += [("em", 2, [1, 1], [1, 2]), ("gd", 0, [0, 0], [1, 2])]  # one outcome only
    groups += [("gd", 1, [0, 1], [np.nan, -5])]
    found = {key[1:]: held for key, held in ranks_right(fits(*groups)).items()}
    assert found == {("em", 0): True, ("em", 1): False, ("gd", 1): True}


def test_verdicts_tell_a_search_from_want_of_samples():
    table = fits(
        *[("truth", j, [right], [2.0]) for j, right in enumerate((1, 1, 1, 0, 0, 1))],
        ("em", 0, [1, 0], [2, 1]),  # found
        ("em", 1, [0, 0], [1, 0]),  # the truth's climb is right and likelier
        ("em", 2, [0, 1], [3, 2]),  # a wrong fit is likelier than the right ones
        ("em", 3, [0, 0], [1, 1]),  # the truth's climb leaves
        ("em", 4, [1, 0], [3, 1]),  # it leaves, but a method is right, and likelier
        ("em", 5, [0, 0], [2.0, np.nan]),  # a tie does not count against the truth
        ("em", 6, [0, 0], [2, 2]),  # no climb from the truth: no verdict
    )
    found = verdicts(table, "truth").loc[NAMES[10]]
    assert list(found["verdict"]) == ["found", "search", "samples", "samples", "found", "search"]
    np.testing.assert_allclose(found["margin"].iloc[[0, 1, 2, 4, 5]], [1, 1, -1, 1, 0])
    assert list(found["climb_right"]) == [True, True, True, False, False, True]


def test_duels_pick_the_best_rival_on_the_same_data_sets():
    ten = [("two", j, [1, 1], [1, 1]) for j in range(6)]
    ten += [("a", j, [j < 3], [1]) for j in range(8)] + [("b", j, [j > 6], [1]) for j in range(8)]
    twenty = [("two", j, [0, 1], [1, 1]) for j in range(2)]
    twenty += [(name, j, [name == "b"], [1]) for name in "ab" for j in range(2)]
    found = duels(pd.concat([fits(*ten), fits(*twenty, n=20)]), "two", ["a", "b"])
    assert list(found["rival"]) == ["a", "b"]
    np.testing.assert_allclose(found["rival_success"], [0.5, 1])
    np.testing.assert_allclose(found["success"], [1, 0.5])
    np.testing.assert_allclose(found["p"], [0.25, 0.5])
    np.testing.assert_allclose(found["p_holm"], [0.5, 0.5])


def test_summary_weighs_data_sets_alike_and_a_line_keeps_what_varies():
    ten = fits(("em", 0, [1, 1, 1, 0], [1, 1, 1, 1]), ("em", 1, [0], [1]))
    both = pd.concat([ten, fits(("em", 0, [1], [1]), n=20)])
    seconds = pd.DataFrame({"k": 2, "n": [20, 10], "method": "em", "seconds": [5.0, 3.0]})
    table = summarise(both, seconds)
    assert table.loc[2, 10, "em"].to_dict() == {
        "success": 0.375,
        "data_sets": 2,
        "converged": 1,
        "seconds": 3,
    }
    assert along(table, {"k": 2, "n": 20}).index.tolist() == ["em"]
    assert along(table, {"k": 2, "n": 20}, "n").index.tolist() == [(10, "em"), (20, "em")]


def test_success_is_an_error_below_the_bound():
    errors = pd.DataFrame({"e_reg": [0.001, 0.04, 0.06, np.nan]})
    assert list(with_success(errors)["success"]) == [True, True, False, False]
    assert list(with_success(errors, 0.01)["success"]) == [True, False, False, False]


def test_restarts_of_the_stored_rows_counted_by_hand():
    groups = [("em", 0, [1, 0], [1, 2]), ("em", 1, [1, 0], [2, 1]), ("em", 2, [0, 0], [2, 1])]
    groups += [("gd", 0, [1, 1], [2, 1]), ("gd", 1, [1], [2])]  # the last has one start
    table = pd.concat([fits(group).assign(start=range(len(group[2]))) for group in groups])
    found = restarts(table, most=2)
    np.testing.assert_allclose(found.loc["em"], [1 / 3, 1 / 3, 2, 1])
    np.testing.assert_allclose(found.loc["gd"], [1, 1, 0, 0])


def test_leaders_are_right_most_often_and_soonest():
    index = pd.MultiIndex.from_product([[1, 2, 3], ["a", "b", "c"]], names=["n", "method"])
    rows = {
        "success": [0.5, 1.0, 0.0, 0.2, 0.8, 1.0, 0.5, 0.0, 0.1],
        "seconds": [1.0, 6.0, 1.0] * 3,
    }
    found = leaders(pd.DataFrame(rows, index=index))
    assert found == {"most": "b", "success": pytest.approx(0.6), "soonest": "a", "solution": 2}
    assert leaders(pd.DataFrame(rows, index=index).drop((1, "a")))["soonest"] == "b"
    never = leaders(pd.DataFrame(rows, index=index).loc[[1]].query("method == 'c'"))
    assert never["solution"] == np.inf
