"""Figures of the landscape show the losses, points and counts that they are given."""

import numpy as np
import pandas as pd

from moelib.pages import draw_disturbed, draw_seats, draw_stray, explore_map, share_interval
from moelib.pages.figures.landscape import CORNERS, draw_map, tell_map


def maps(mu):
    """A loss whose height is the first angle; descent goes wrong in one square, above 1."""
    axis = np.linspace(-45, 135, 7)
    loss = np.tile(axis[:, None], 7)
    wrong = np.zeros((6, 6), dtype=bool)
    wrong[1, 2] = mu > 1
    points = {"right": np.array([[0, 90], [90, 0]]), "saddle": np.array([[45, -30]])}
    return axis, loss, points, wrong


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_triangles_mark_stray_minima_beyond_one_only(readable):
    asked = []

    def loss(s, lam, mu):
        asked.append((s, lam, mu))
        return float(s[2] @ lam)

    taken = np.eye(3)[:2]
    figure = readable(draw_seats(loss, taken, [2.0, 3.0, 4.0], (0.5, 1.5), n_side=4))
    left, right, _ = figure.axes
    assert len(asked) == 2 * 15  # 15 points of a triangle with five on a side
    for s, lam, _ in asked:
        np.testing.assert_allclose(s[:2], taken)
        assert np.isclose(s[2].sum(), 1) and s.min() >= 0 and lam.tolist() == [2, 3, 4]
    assert [len(ax.get_lines()) for ax in (left, right)] == [1, 2]
    np.testing.assert_allclose(left.get_lines()[0].get_xydata(), CORNERS[2:])
    np.testing.assert_allclose(right.get_lines()[1].get_xydata(), CORNERS[:2])
    assert left.get_title(loc="left") == r"(a) $\mu = 0.5$"
    assert [text.get_text() for text in right.texts] == ["$u_1$", "$u_2$", "$u_3$"]


def test_the_map_has_the_first_row_across(readable):
    ax = readable(draw_map(1.5, maps)).axes[0]
    for kind, points in maps(1.5)[2].items():
        np.testing.assert_allclose(lines(ax)[kind].get_xydata(), points)
    hatched = [area for area in ax.collections if any(area.hatches or [])]
    (path,) = (path for area in hatched for path in area.get_paths() if len(path.vertices))
    low, high = path.vertices.min(axis=0), path.vertices.max(axis=0)
    np.testing.assert_allclose((low + high) / 2, [0, 30])  # square [1, 2], its middle
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["$u_1$", "$u_2$"]
    fields = [area for area in ax.collections if area not in hatched]
    assert fields[0].get_clim()[0] <= -45


def test_nothing_is_hatched_where_no_descent_goes_wrong(readable):
    ax = readable(draw_map(0.5, maps)).axes[0]
    assert not any(any(area.hatches or []) for area in ax.collections)


def test_the_sentence_counts_points_and_squares():
    said = tell_map(1.5, maps)
    assert said == (
        "At mu = 1.5, points on the map: 2 right, 1 saddle; "
        "3\N{NO-BREAK SPACE}% of the map drains to a stray minimum."
    )


def test_the_moving_map_goes_from_below_one_to_above(monkeypatch):
    monkeypatch.setattr("moelib.pages.figures.landscape.explore", lambda draw, **rest: rest)
    rest = explore_map(maps)
    assert min(rest["mu"]) < 1 < max(rest["mu"]) and rest["start"]["mu"] in rest["mu"]
    assert rest["alt"](mu=0.5).startswith("At mu = 0.5")


def test_disturbed_tensors_have_a_line_for_each_mu(readable):
    moved = pd.DataFrame({0.05: [0.1, 0.2], 0.5: [0.05, 0.1]}, index=[0.25, 1.0])
    n_bad = pd.DataFrame({0.05: [0, 9], 0.5: [1, 4]}, index=[0.25, 1.0])
    figure = readable(draw_disturbed(moved, n_bad))
    for ax, table in zip(figure.axes, (moved, n_bad)):
        for mu in table:
            line = lines(ax)[rf"$\mu = {mu}$"]
            np.testing.assert_allclose(line.get_ydata(), table[mu])
            np.testing.assert_allclose(line.get_xdata(), table.index)
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.25", "1"]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == [r"$\mu = 0.05$", r"$\mu = 0.5$"]


def test_stray_ends_are_shares_with_wilsons_intervals(readable):
    table = pd.DataFrame({2: [0, 5], 3: [1, 9]}, index=[0.5, 1.5])
    (ax,) = readable(draw_stray(table, 20)).axes
    for k, bars in zip(table, ax.collections):
        np.testing.assert_allclose(lines(ax)[f"$k = {k}$"].get_ydata(), table[k] / 20)
        ends = np.array([segment[:, 1] for segment in bars.get_segments()]).T
        np.testing.assert_allclose(ends, share_interval(table[k], 20))
    np.testing.assert_allclose(lines(ax)["$k = 3$"].get_xdata(), table.index)
    assert ax.get_ylim() == (0, 1)
