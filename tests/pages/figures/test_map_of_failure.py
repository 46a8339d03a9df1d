"""The figures of the chapter, drawn from a small made-up map."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from moelib.pages import (
    METHOD_NAMES,
    draw_board,
    draw_borders,
    draw_line,
    draw_waits,
    explore_plane,
    show_rates,
    show_settings,
)

METHODS = ["em", "em, frozen noise", "two-loss", "least-squares"]


def table(index, names, success):
    """Rows by method, the last level of the index: ten data sets, half a second."""
    index = pd.MultiIndex.from_tuples([(*key, m) for key in index for m in METHODS])
    rows = {"success": success, "data_sets": 10, "seconds": 0.5}
    return pd.DataFrame(rows, index=index.set_names([*names, "method"]))


@pytest.fixture
def plane():
    cells = [(2, 4, 60), (2, 4, 1000), (3, 10, 1000), (3, 10, 4000)]
    return table(cells, "kdn", np.arange(16) / 16)


@pytest.fixture
def columns(plane):
    easy, hard = plane.loc[3, 10, 4000].copy(), plane.loc[2, 4, 60].copy()
    easy["seconds"] = [0.031, 2.34, 153.2, np.nan]
    return {"easy": easy, "hard": hard.drop("least-squares")}


def wilson(hits, trials):
    return binomtest(hits, trials).proportion_ci(method="wilson")


def test_board_says_percent_and_seconds_where_they_belong(columns, readable):
    (ax,) = readable(draw_board(columns, METHODS)).axes
    said = {}
    for text in ax.texts:
        x, y = text.get_position()
        said.setdefault((round(x), round(y)), []).append(text.get_text())
    sizes = ["0.03 s", "2.3 s", "153 s", ""]
    for y, (q, size) in enumerate(zip(columns["easy"]["success"], sizes, strict=True)):
        assert said[0, y] == [f"{100 * q:.0f}", size]
    assert said[1, 0][0] == "0" and (1, 3) not in said
    hatched = [patch.get_xy() for patch in ax.patches if patch.get_hatch()]
    assert hatched == [(0.5, 2.5)]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["easy", "hard"]
    rows = [METHOD_NAMES[method] for method in METHODS]
    assert [label.get_text() for label in ax.get_yticklabels()] == rows


def test_line_has_wilsons_intervals_by_data_set(readable):
    line = table([(100,), (8000,)], ["n"], [0.0, 0.5, 1.0, 0.2] * 2)
    figure = readable(draw_line(line, {"A": METHODS[:2], "B": METHODS[2:]}))
    for ax, methods in zip(figure.axes, (METHODS[:2], METHODS[2:]), strict=True):
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert names == [METHOD_NAMES[method] for method in methods]
        for curve, bars, method in zip(ax.lines, ax.collections, methods, strict=True):
            q = line.xs(method, level="method")["success"]
            np.testing.assert_allclose(curve.get_ydata(), q)
            ends = [wilson(round(10 * share), 10) for share in q]
            drawn = np.array(bars.get_segments())[:, :, 1]
            np.testing.assert_allclose(drawn, ends, atol=1e-6)


def test_borders_put_tiles_and_lines_in_their_places(plane, readable):
    figure = readable(draw_borders(plane, METHODS))
    for ax, method in zip(figure.axes, METHODS, strict=True):
        assert ax.get_title(loc="left").endswith(METHOD_NAMES[method])
        said = {text.get_position(): text.get_text() for text in ax.texts}
        q = plane.xs(method, level="method")["success"]
        for (k, _, n), share in q.items():
            assert said.pop((n, [2, 3].index(k))) == f"{100 * share:.0f}"
        assert not said
        np.testing.assert_allclose(ax.collections[0].get_array(), q)
        five, fifteen = ax.lines
        np.testing.assert_allclose(five.get_xdata(), [40, 150])
        np.testing.assert_allclose(fifteen.get_xdata(), [120, 450])
        assert five.get_linestyle() != fifteen.get_linestyle()


def test_plane_to_move(plane, readable):
    moving = explore_plane(plane, METHODS)
    assert moving.parameters == {"method": [METHOD_NAMES[method] for method in METHODS]}
    (ax,) = readable(moving.draw(method="EM, told the noise")).axes
    texts = [text.get_text() for text in ax.texts]
    assert "6" in texts and "1–36" in texts  # 1 / 16 of ten data sets
    sentence = moving.alt(method="EM").replace("\N{NO-BREAK SPACE}", " ")
    assert sentence == "EM: 0 of 4 cells reach 90 %; the mean is 38 %."


def test_waits_are_seconds_over_success(columns, readable):
    columns["hard"].loc["two-loss", "success"] = 0.5
    figure = readable(draw_waits(columns, METHODS[:3]))
    (ax,) = figure.axes[1:]
    never, once, half = ax.lines
    np.testing.assert_allclose(never.get_xdata(), 0.5 / wilson(0, 10)[1])
    assert never.get_marker() == ">" and once.get_marker() == "o"
    np.testing.assert_allclose(once.get_xdata(), 0.5 * 16)
    np.testing.assert_allclose(half.get_xydata(), [[1.0, 2]])
    low, high = wilson(5, 10)
    (segment,) = ax.collections[-1].get_segments()
    np.testing.assert_allclose(segment, [[0.5 / high, 2], [0.5 / low, 2]])


def test_rates_come_with_wilsons_interval_best_first(columns):
    table = columns["easy"].dropna().assign(success=[0.5, 1.0, 0.0])
    shown = show_rates(table).replace("\N{NO-BREAK SPACE}", " ", regex=True)
    assert list(shown.index) == ["EM, told the noise", "EM", "two losses, refined"]
    assert list(shown["right"]) == ["100 %", "50 %", "0 %"]
    for text, hits in zip(shown["95 % interval"], (10, 5, 0), strict=True):
        low, high = wilson(hits, 10)
        assert f"{100 * low:.0f}" in text and f"{100 * high:.0f}" in text


def test_settings_are_words(columns):
    given = {"em": {"method": "em", "tol": 1e-7, "refine": False}}
    given["two-loss"] = {"transforms": "in-span", "mu": 0.95, "max_iter": 5000, "anneal": True}
    shown = show_settings(given, {"em": 0.994, "two-loss": 1.0})
    shown = shown.replace("\N{NO-BREAK SPACE}", " ", regex=True)
    assert shown.loc["EM"].tolist() == ["", "1e-07", "", "99 %"]
    words = ["transforms=in-span mu=0.95 anneal=True", "", "5000", "100 %"]
    assert shown.loc["two losses, refined"].tolist() == words
