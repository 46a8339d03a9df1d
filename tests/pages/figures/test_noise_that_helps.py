"""The figures of the chapter on noise that helps, read off their artists."""

import numpy as np

from moelib.pages.figures.noise_that_helps import (
    draw_held_noise,
    draw_ingredients,
    draw_ways_out,
)
from moelib.pages.intervals import share_interval


def test_ingredients_count_in_their_tiles_and_leave_out_what_does_not_exist(readable):
    counts, totals = [[1, 4], [np.nan, 2]], [[4, 4], [np.nan, 4]]
    figure = readable(draw_ingredients(["EM", "Adam"], ["told", "slow"], counts, totals))
    (ax,) = figure.axes
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.25, 1], [np.nan, 0.5]])
    texts = {text.get_position(): text.get_text() for text in ax.texts}
    assert texts == {(0, 0): "1 of 4", (1, 0): "4 of 4", (1, 1): "2 of 4"}


def test_ways_out_have_shares_and_their_intervals(readable):
    levels, rates = np.array([0.15, 0.4, 1.0]), np.array([0.01, 0.04])
    ways = {"learned": [3, 9], "frozen": [1, 4]}
    figure = readable(draw_ways_out(levels, [0, 10, 8], rates, ways, 10))
    by_hand, by_rate = figure.axes
    np.testing.assert_allclose(by_hand.lines[0].get_ydata(), [0, 1, 0.8])
    low, high = share_interval(np.array([0, 10, 8]), 10)
    ends = np.array([segment[:, 1] for segment in by_hand.collections[0].get_segments()])
    np.testing.assert_allclose(ends, np.column_stack([low, high]), atol=1e-12)
    heights = [line.get_ydata() for line in by_rate.lines if len(line.get_ydata()) == 2]
    np.testing.assert_allclose(heights, [[0.3, 0.9], [0.1, 0.4]])


def test_held_noise_puts_each_point_at_said_and_seen(readable):
    said, seen = np.array([0.06, 0.1, 0.2]), np.array([0.06, 0.11, 0.23])
    (ax,) = readable(draw_held_noise(said, seen, ["a", "b", "a"], 1.25)).axes
    points = {
        line.get_label(): line.get_xydata() for line in ax.lines if line.get_marker() != "None"
    }
    np.testing.assert_allclose(points["a"], [[0.06, 0.06], [0.2, 0.23]])
    np.testing.assert_allclose(points["b"], [[0.1, 0.11]])
