"""The figures of the chapter on learning the experts, read off their artists."""

import numpy as np
import pandas as pd

from moelib.pages.figures.learning_experts import (
    METHODS,
    draw_collapse,
    draw_links,
    draw_methods,
    draw_seconds,
    draw_signs,
    draw_streams,
    draw_troubles,
    draw_weights,
    explore_learned,
)
from moelib.pages.intervals import exponent
from moelib.pages.style import LINESTYLES, expert_color

ENDINGS = ["", ", optimal"]
SIZES = [25_000, 100_000]


def curves(ax):
    """Heights of the curves of a panel."""
    return [np.asarray(line.get_ydata(), dtype=float) for line in ax.lines]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def by_link(values):
    """Values for two links, two kinds of transform and two numbers of samples."""
    index = pd.MultiIndex.from_product([["leaky_relu", "relu"], ["a", "a, optimal"], SIZES])
    return pd.Series(values, index=index).sort_index()


def test_streams_are_thin_for_the_last_row_and_thick_for_the_average(readable):
    last, average = np.array([[9.0, 8.0], [7.0, 6.0]]), np.array([[5.0, 4.0], [3.0, 2.0]])
    (ax,) = readable(draw_streams([1000, 2000], (0.01, 0.2), last, average)).axes
    np.testing.assert_allclose(curves(ax), [*last, *average])
    assert all(thin.get_linewidth() < 1 for thin in ax.lines[:2])
    assert all(thick.get_linewidth() > 2 for thick in ax.lines[2:])
    assert ax.lines[0].get_color() == ax.lines[2].get_color()
    assert legend(ax) == ["first step 0.01", "first step 0.2"]
    assert "degrees" in ax.get_ylabel()


def test_methods_show_medians_and_slopes(readable):
    names = [method + ending for ending in ENDINGS for method in METHODS]
    columns = pd.MultiIndex.from_product([names, SIZES])
    angles = pd.DataFrame(
        np.random.default_rng(0).uniform(0.1, 1, (3, len(columns))), columns=columns
    )
    axes = readable(draw_methods(angles)).axes
    assert [ax.get_title(loc="left") for ax in axes] == ["(a) polynomial", "(b) optimal"]
    for ax, ending in zip(axes, ENDINGS, strict=True):
        for line, (method, name) in zip(ax.lines, METHODS.items(), strict=True):
            rows = angles[method + ending]
            np.testing.assert_allclose(line.get_ydata(), np.median(rows, axis=0))
            slope = f"{exponent(SIZES, rows).mean():.2f}".replace("-", "−")
            assert line.get_label().startswith(f"{name}: {slope} ± ")


def test_seconds_go_from_few_samples_to_many(readable):
    rows = [
        (m + e, n, n / 1e4 + len(e), len(m) / n) for m in METHODS for e in ENDINGS for n in SIZES
    ]
    runs = pd.DataFrame(rows[::-1], columns=["method", "n", "seconds", "angle"])
    (ax,) = readable(draw_seconds(runs)).axes
    assert legend(ax) == list(METHODS.values())
    for line, method in zip(ax.lines, METHODS, strict=True):
        np.testing.assert_allclose(line.get_xdata(), [2.5 + 9, 10 + 9])
        np.testing.assert_allclose(line.get_ydata(), [len(method) / n for n in SIZES])


def test_learned_experts_end_where_they_are_and_the_sentence_says_how_far_off(readable):
    truth, half = np.eye(3)[:2], np.sqrt(0.5)
    off = np.array([[half, half, 0.0], [0.0, 1.0, 0.0]])
    found = {(n, kind): np.array([truth, truth, off]) for n in (500, 1000) for kind in "pq"}
    found[1000, "q"] = np.array([truth, off, off])
    figure = explore_learned(found, truth)
    assert list(figure.frames) == [(0,), (1,)] and figure.start == (1,)
    alt = figure.frames[(1,)]["alt"]
    assert alt.startswith("At n = 1,000, the worst angle has median 0 degrees with p and 45 with q")
    assert alt.endswith("in the worst data set it is 45 and 45.")
    axes = readable(figure.draw(n=1000)).axes
    assert [ax.get_title(loc="left") for ax in axes] == ["(a) p", "(b) q"]
    _, _, first, _, second = axes[1].lines
    np.testing.assert_allclose(first.get_data(), [[1, half, half], [0, half, half]])
    np.testing.assert_allclose(second.get_data(), [[0, 0, 0], [1, 1, 1]])


def test_links_have_a_colour_each_and_a_line_for_each_kind(readable):
    errors = by_link(np.arange(1.0, 9.0) / 10)
    (ax,) = readable(draw_links(errors, goal=0.02)).axes
    *lines, goal = ax.lines
    np.testing.assert_allclose([line.get_ydata() for line in lines], errors.values.reshape(4, 2))
    assert [line.get_linestyle() for line in lines] == ["--", "-", "--", "-"]
    assert [line.get_color() for line in lines] == [expert_color(i) for i in (0, 0, 1, 1)]
    assert legend(ax) == ["leaky relu", "relu"]
    np.testing.assert_allclose(goal.get_ydata(), 0.02)


def test_collapse_divides_by_each_need_and_ends_with_the_formula(readable):
    angles = by_link(np.arange(1.0, 9.0) / 10)
    pairs = angles.index.droplevel(2).unique()
    divisors = {pair: np.array([1.0, 10.0, 100.0]) * (i + 1) for i, pair in enumerate(pairs)}
    axes = readable(draw_collapse(angles, divisors)).axes
    for p, ax in enumerate(axes):
        for line, pair in zip(ax.lines[:4], pairs, strict=True):
            np.testing.assert_allclose(line.get_xdata(), np.array(SIZES) / divisors[pair][p])
            np.testing.assert_allclose(line.get_ydata(), angles[pair])
    assert [len(ax.lines) for ax in axes] == [4, 4, 5]
    x, y = axes[2].lines[4].get_data()
    np.testing.assert_allclose(y, x**-0.5)


def test_weights_have_a_curve_for_each_design(readable):
    columns = pd.MultiIndex.from_product([[3, 5], ["reduced", "reduced, optimal"]])
    errors = pd.DataFrame(np.arange(12.0).reshape(3, 4), index=[0.5, 1.5, 3.0], columns=columns)
    left, right = readable(draw_weights(errors, errors / 20)).axes
    np.testing.assert_allclose(curves(left)[:4], errors.values.T)
    np.testing.assert_allclose(curves(right)[:4], errors.values.T / 20)
    names = [f"k = {k}, {kind}" for k in (3, 5) for kind in ("polynomial", "optimal")]
    assert legend(left) == names and all(ax.lines[4].get_xdata()[0] == 1 for ax in (left, right))


def test_signs_have_a_curve_for_each_way(readable):
    right = {"identity": np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]), "tanh": np.ones((2, 3))}
    axes = readable(draw_signs([25, 50], right)).axes
    for ax, shares in zip(axes, right.values(), strict=True):
        np.testing.assert_allclose(curves(ax), shares.T)
        assert [text.get_text() for text in ax.get_xticklabels()] == ["25", "50"]
    assert legend(axes[0]) == ["first moment", "third moment", "likelihood"]


def test_troubles_have_a_panel_each(readable):
    varied = [250, 1000], [90, 15], [0.3333, 0.03], [0.02, 0.4]
    outcomes = np.arange(16.0).reshape(2, 4, 2)
    figure = readable(draw_troubles(varied, dict(zip(["polynomial", "optimal"], outcomes))))
    for i, ax in enumerate(figure.axes):
        np.testing.assert_allclose(curves(ax), outcomes[:, i])
        assert ax.get_xscale() == ("linear" if i == 3 else "log") and ax.get_ylim()[0] == 0
        assert ax.lines[1].get_linestyle() != LINESTYLES[0]
    ticks = [text.get_text() for text in figure.axes[2].get_xticklabels()]
    assert ticks == ["0.33", "0.03"] and legend(figure.axes[0]) == ["polynomial", "optimal"]
