"""The figures and tables of the chapter on heavy tails, read off their artists and entries."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from moelib.pages.figures.heavy_tails import (
    draw_flattening,
    draw_jump,
    draw_longest,
    draw_quantiles,
    draw_tail,
    explore_levels,
    show_ratios,
    show_worth,
)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def ends(collection):
    return np.array(collection.get_segments())[:, :, 1]


def test_longest_has_a_dot_for_each_data_set(readable):
    longest, errors = np.array([0.1, 1.0, 0.4]), np.array([0.3, 0.9, 0.5])
    (ax,) = readable(draw_longest(longest, errors, length=0.6)).axes
    dots, equal, length = ax.lines
    np.testing.assert_allclose(dots.get_data(), [longest, errors])
    np.testing.assert_allclose(*equal.get_data())
    assert set(length.get_ydata()) == {0.6} and legend(ax) == ["equal", "length of $T$"]


def test_tail_counts_terms_between_its_bounds(readable):
    terms = np.array([-5.0, 2.0, 16.0, 81.0, 81.0, 700.0])
    above, below = pd.Series([0.5, 0.2], [1e3, 4e3]), pd.Series([0.01, 1e-3], [16.0, 256.0])
    (ax,) = readable(draw_tail(terms, above, below, spread=10.0)).axes
    assert legend(ax) == ["measured", "upper bound", "lower bound", "normal"]
    measured, upper, lower, normal = ax.lines
    root, seen = measured.get_data()
    np.testing.assert_allclose(seen, [np.mean(terms >= r**4) for r in root])
    np.testing.assert_allclose(upper.get_data(), [np.array([1e3, 4e3]) ** 0.25, above])
    np.testing.assert_allclose(lower.get_data(), [[2, 4], below])
    np.testing.assert_allclose(normal.get_ydata(), norm.sf(root**4 / 10))


def test_jump_is_seen_on_one_side_and_on_both(readable):
    off = pd.DataFrame({"plain": [-3.0, 0.1, 2.0, 0.5], "10 blocks": [0.2, -0.2, 0.3, -0.9]})
    bound = pd.Series([0.01, 0.001], [1.0, 2.0])
    left, right = readable(draw_jump(off, bound, spread=0.5)).axes
    assert legend(left) == ["plain mean", "one jump, bound", "normal"]
    t, above = left.lines[0].get_data()
    np.testing.assert_allclose(above, [np.mean(off["plain"] >= v) for v in t])
    np.testing.assert_allclose(left.lines[1].get_data(), [bound.index, bound])
    np.testing.assert_allclose(left.lines[2].get_ydata(), norm.sf(t / 0.5))
    assert legend(right) == list(off)
    for line, name in zip(right.lines, off, strict=True):
        np.testing.assert_allclose(line.get_ydata(), [np.mean(off[name].abs() >= v) for v in t])


def stored():
    """Rows as of the stored experiment, with some of other kinds that must not be shown."""
    rows = []
    for i, n in enumerate((2000, 8000)):
        for j, method in enumerate(("truncate 3", "plain", "control")):
            for k, statistic in enumerate(("0.5", "0.99", "rms")):
                value = 0.1 + 0.05 * i + 0.1 * j + 0.01 * k
                row = {"n": n, "method": method, "statistic": statistic, "value": value}
                row |= {"ratio": value, "ratio_low": value - 0.04, "ratio_high": value + 0.1}
                rows.append(row | {"kind": "polynomial", "of": "fourth"})
                rows.append(row | {"kind": "in-span", "of": "fourth", "value": 9, "ratio": 9})
                rows.append(row | {"kind": "polynomial", "of": "diagonal", "value": 9, "ratio": 9})
    return pd.DataFrame(rows).set_index("method")


def test_quantiles_are_those_of_the_fourth_moment(readable):
    figure = readable(draw_quantiles(stored(), length=0.58))
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["(a) $n = 2000$", "(b) $n = 8000$"]
    for i, ax in enumerate(figure.axes):
        *curves, length = ax.lines
        for j, line in enumerate(curves):
            np.testing.assert_allclose(line.get_xdata(), [0.01, 0.5])
            np.testing.assert_allclose(line.get_ydata(), np.array([0.11, 0.1]) + 0.05 * i + 0.1 * j)
        assert len(curves) == 3 and set(length.get_ydata()) == {0.58}
    (shared,) = figure.legends
    texts = [text.get_text() for text in shared.get_texts()]
    assert texts == ["truncate 3", "plain", "control"]


def test_ratios_have_their_intervals():
    table = show_ratios(stored(), [("0.99", 2000), ("0.5", 8000), ("rms", 8000)])
    expected = [("99 %", "n = 2000"), ("median", "n = 8000"), ("rms", "n = 8000")]
    assert table.columns.tolist() == expected
    assert table.index.tolist() == ["truncate 3", "control"]
    assert table.loc["truncate 3", ("99 %", "n = 2000")] == "0.11 (0.07 to 0.21)"
    assert table.loc["control", ("median", "n = 8000")] == "0.35 (0.31 to 0.45)"


def test_worth_has_medians_quantiles_and_factors():
    angles = {"plain": np.arange(11.0), "cut": np.arange(11.0) / 2}
    worth = pd.DataFrame([[1, 1, 1], [4, 3.25, 5]], angles, ["value", "low", "high"])
    table = show_worth(angles, worth, lambda f, a: (f(a), a.min(), a.max()))
    assert table.index.tolist() == ["plain", "cut"]
    assert table.loc["plain", "median angle"] == "5.0 (0.0 to 10.0)"
    assert table.loc["cut", "90 % quantile"] == "4.5 (0.0 to 5.0)"
    assert table.loc["cut", "factor in n"] == "4.00 (3.25 to 5.00)"


def test_flattening_shows_medians_and_ranges(readable):
    cells = [(90, 1000), (90, 1000), (90, 1000), (90, 4000), (45, 1000), (45, 4000)]
    index = pd.MultiIndex.from_tuples(cells)
    runs = pd.DataFrame({"plain": [9.0, 3, 4, 2, 8, 6], "fixed": [5.0, 7, 6, 1, 9, 9]}, index)
    figure = readable(draw_flattening(runs))
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["(a) orthonormal", "(b) at 45°"] and legend(figure.axes[0]) == list(runs)
    plain, fixed = figure.axes[0].lines
    np.testing.assert_allclose(plain.get_ydata(), [4, 2])
    np.testing.assert_allclose(fixed.get_ydata(), [6, 1])
    assert np.all(plain.get_xdata() < fixed.get_xdata())
    np.testing.assert_allclose(np.sort(ends(figure.axes[0].collections[0])), [[3, 9], [2, 2]])
    np.testing.assert_allclose(figure.axes[1].lines[1].get_ydata(), [9, 9])


def test_levels_take_the_error_apart(readable):
    errors = {
        500: pd.DataFrame({3: [-0.2, -0.1], 30: [-0.1, 0.3]}),
        4000: pd.DataFrame({3: [-0.2, -0.16], 30: [0.0, 0.1]}),
    }
    bias = pd.DataFrame({n: e.mean().abs() for n, e in errors.items()})
    spread = pd.DataFrame({n: e.std(ddof=0) for n, e in errors.items()})
    figure = explore_levels(errors, bias, spread, truth=0.31)
    assert len(figure.frames) == 4 and figure.start == (1, 1)
    alt = figure.frames[(0, 1)]["alt"]  # mean 0.1, spread 0.2
    assert alt == "n = 500, level 30: bias 0.100, spread 0.200, root mean square 0.224."
    left, right = readable(figure.draw(n=500, c=30)).axes
    heights = {round(bar.get_x(), 2): bar.get_height() for bar in left.patches if bar.get_height()}
    assert heights == {0.2: 50, 0.6: 50}  # estimates 0.21 and 0.61
    truth, mean = (line.get_xdata()[0] for line in left.lines)
    np.testing.assert_allclose([truth, mean], [0.31, 0.41])
    assert legend(right) == ["bias", "spread", "root mean square"]
    np.testing.assert_allclose(right.lines[0].get_data(), [[3, 30], bias[500]])
    np.testing.assert_allclose(right.lines[2].get_ydata(), np.hypot(bias[500], spread[500]))
    np.testing.assert_allclose(right.lines[3].get_ydata(), [0.1, 0.2, np.sqrt(0.05)])


def test_estimates_beyond_the_end_are_in_the_last_bin():
    errors = {n: pd.DataFrame({3: [0.0, 2.0], 30: [0.1, 5.0]}) for n in (1, 2)}
    table = pd.DataFrame({n: [0.1, 0.2] for n in errors}, [3, 30])
    left, _ = explore_levels(errors, table, table, truth=0.31).draw(n=1, c=3).axes
    last = left.patches[-1]
    assert last.get_height() == 50 and last.get_x() + last.get_width() > 1.19
