"""The figures of the chapter, drawn from a small made-up table."""

import numpy as np
import pandas as pd
import pytest

from moelib.pages.figures.many_experts import (
    GROUNDS,
    LOOKS,
    SHORT,
    draw_frontier,
    draw_solutions,
    explore_frontier,
    show_frontier,
)

NAMES = ["link", "noise", "shares", "k", "n", "method"]
BEST, OTHER = "two-loss, adam", "adam"


@pytest.fixture
def rates():
    """Two methods, two k, two n: success 0, a half, one; a second a run."""
    cells = [("relu", 0.05, "equal", k, n, m) for k in (8, 16) for n in (1000, 4000) for m in LOOKS]
    success = np.resize([0.0, 0.5, 1.0, 1.0], len(cells))
    index = pd.MultiIndex.from_tuples(cells, names=NAMES)
    table = pd.DataFrame({"success": success, "data_sets": 10, "seconds": 1.0}, index)
    table["low"], table["high"] = np.clip(success - 0.3, 0, 1), np.clip(success + 0.2, 0, 1)
    with np.errstate(divide="ignore"):
        table["wait"], table["wait_low"] = 1 / table["success"], 1 / table["high"]
        table["wait_high"] = 1 / table["low"]
    return table


@pytest.fixture
def won():
    cells = [("relu", 0.05, "equal", 8, 4000), ("relu", 0.05, "equal", 16, 4000)]
    rows = {"winner": ["Adam", "two losses, then Adam"], "clear": [True, False]}
    rows |= {"wait": [1.0, 12.0], "wait_low": [0.5, 10.0], "wait_high": [2.0, np.inf]}
    return pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(cells, names=NAMES[:-1]))


def test_every_kind_has_a_ground_and_a_letter_of_its_own():
    assert set(GROUNDS) == set(SHORT) and len(set(SHORT.values())) == len(SHORT)
    looks = [look[1:] for look in LOOKS.values()]
    assert len(set(looks)) == len(looks)


def test_table_counts_hits_and_sorts_by_success(rates):
    shown = show_frontier(rates.loc["relu", 0.05, "equal", 8, 1000])
    hits = [int(text.split(" of ")[0]) for text in shown["right"]]
    assert hits == sorted(hits, reverse=True) and shown["right"].iloc[0] == "10 of 10"
    assert shown["seconds to a solution"].iloc[-1] == "–"
    assert set(shown.index) == {look[0] for look in LOOKS.values()}


def test_borders_are_marked_and_open_ends_point_outwards(readable):
    index = pd.MultiIndex.from_product([[OTHER, BEST], [8, 16]], names=["method", "k"])
    rows = pd.DataFrame({"border": [900.0, 7000.0, np.nan, np.nan]}, index)
    rows["low"], rows["high"] = [600.0, 5000.0, 4000.0, 0.0], [1200.0, np.inf, np.inf, 500.0]
    rows["first"], rows["last"] = 500.0, 9000.0
    rows["ends_high"] = [False, False, False, True]
    line = pd.Series([1000.0, 8000.0], [8, 16])
    figure = readable(draw_frontier({"ReLU": rows}, {"ReLU": {OTHER: line}}))
    (ax,) = figure.axes
    marks = {x.get_marker(): x.get_ydata().tolist() for x in ax.lines if len(x.get_ydata())}
    assert marks["s"] == [900.0, 7000.0] and marks["^"] == [9000.0] and marks["v"] == [500.0]
    assert marks["None" if "None" in marks else ""] == [1000.0, 8000.0]
    bars = np.concatenate([c.get_segments() for c in ax.collections if len(c.get_segments())])
    assert bars[:, :, 1].tolist() == [[600.0, 1200.0], [5000.0, 9000.0]]


def test_solutions_have_intervals_and_arrows_where_nothing_succeeds(readable, rates):
    rows = rates.loc["relu", 0.05, "equal", 8]
    (ax,) = readable(draw_solutions({"k = 8": rows})).axes
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    solved = rows[np.isfinite(rows["wait"])].xs(BEST, level="method").sort_index()
    np.testing.assert_allclose(drawn[LOOKS[BEST][0]], solved["wait"])
    arrows = np.concatenate([x.get_ydata() for x in ax.lines if "uparrow" in str(x.get_marker())])
    failed = rows[~np.isfinite(rows["wait"])]
    np.testing.assert_allclose(sorted(arrows), sorted(failed["wait_low"]))


def test_reader_chooses_design_and_tiles(won, rates):
    found = explore_frontier(won, rates, {"ReLU": ("relu", 0.05, "equal")})
    assert len(found.frames) == 3
    said = [frame["alt"] for frame in found.frames.values()]
    assert said[0] == "ReLU: the soonest is Adam in 1, two losses, then Adam in 1 of the cells."
    assert "Adam succeeds on nine in ten" in said[1]
    figure = found.draw(design="ReLU", tiles="the soonest")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"A", "2+A", "1.0", "12"} <= set(texts)
    hatched = [c for c in figure.axes[0].collections if c.get_hatch()]
    assert len(hatched) == 2
