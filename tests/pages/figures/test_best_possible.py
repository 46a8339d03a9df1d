"""The figures of the chapter on the best possible, read off their artists."""

import numpy as np
import pandas as pd

from moelib.pages.figures.best_possible import (
    draw_best_gap,
    draw_best_ratio,
    draw_hodges,
    draw_one_step,
    explore_best_gap,
)

PARTS = ["experts", "gates", "noise"]
SIZES = [1000, 3000, 10_000]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def errors(rows):
    """Made-up ratios of errors and their bounds."""
    columns = pd.MultiIndex.from_product([["raw", "refined"], PARTS], names=["method", "of"])
    ratio = np.random.default_rng(0).uniform(1, 3, (len(rows), 6))
    bound = np.outer(np.linspace(0.2, 0.1, len(rows)), [1, 2, 0.5])
    return pd.DataFrame(ratio, rows, columns), pd.DataFrame(bound, rows, PARTS)


def test_gap_has_the_bound_and_both_fits_in_a_panel_for_each_part(readable):
    ratio, least = errors(pd.Index(SIZES, name="n"))
    ratio.loc[1000, ("raw", "noise")] = 1e9
    figure = readable(draw_best_gap(ratio, least, limits={"gates": (0.05, 7)}))
    for ax, part in zip(figure.axes, PARTS, strict=True):
        assert ax.get_title(loc="left").endswith(part) and ax.get_xlabel() == "samples $n$"
        assert ax.get_xscale() == ax.get_yscale() == "log"
        bound, refined, raw = ax.lines
        np.testing.assert_allclose(bound.get_data(), [SIZES, least[part]])
        np.testing.assert_allclose(refined.get_ydata(), ratio["refined", part] * least[part])
        shown = np.minimum(ratio["raw", part] * least[part], ax.get_ylim()[1])
        np.testing.assert_allclose(raw.get_data(), [SIZES, shown])
        assert raw.get_fillstyle() == "none" and not raw.get_clip_on()
    assert (
        figure.axes[1].get_ylim() == (0.05, 7)
        and figure.axes[2].get_ylim()[1] == raw.get_ydata()[0]
    )
    assert legend(figure.axes[1]) == ["bound", "refined", "raw"]


def test_every_design_has_its_gap(readable):
    levels = [2, 3], [0.05, 0.5], SIZES
    ratio, least = errors(pd.MultiIndex.from_product(levels, names=["k", "noise", "n"]))
    figure = explore_best_gap(ratio, least)
    assert len(figure.frames) == 4
    shown = readable(figure.draw(noise=0.5, k=3))
    here = ratio.loc[3, 0.5], least.loc[3, 0.5]
    np.testing.assert_allclose(shown.axes[1].lines[0].get_ydata(), here[1]["gates"])
    alt = figure.frames[(1, 1)]["alt"]
    raw, refined = here[0].loc[10_000, "raw"], here[0].loc[1000, "refined"]
    assert alt.startswith("At noise 0.5 with 3 experts and n = 10,000")
    assert f"{raw['experts']:.1f} (experts)" in alt and f"{refined['noise']:.2f}." in alt


def test_ratios_have_intervals_before_and_after(readable):
    rows = pd.MultiIndex.from_product([["raw", "refined"], PARTS, SIZES])
    middle = np.random.default_rng(1).uniform(1, 3, len(rows))
    spread = pd.DataFrame({"ratio": middle, "low": 0.9 * middle, "high": 1.2 * middle}, rows)
    figure = readable(draw_best_ratio(spread))
    for ax, stage in zip(figure.axes, ("raw", "refined"), strict=True):
        assert ax.get_xscale() == "log" and list(ax.lines[-1].get_ydata()) == [1, 1]
        for line, bars, part in zip(ax.lines, ax.collections, PARTS):
            expected = spread.loc[stage, part]
            np.testing.assert_allclose(line.get_ydata(), expected["ratio"])
            np.testing.assert_allclose(line.get_xdata(), SIZES, rtol=0.13)
            ends = np.array(bars.get_segments())[:, :, 1]
            np.testing.assert_allclose(ends, expected[["low", "high"]])
    before, after = figure.axes
    assert before.get_yscale() == "log" and after.get_yscale() == "linear"
    assert [text.get_text() for text in before.texts] == PARTS
    assert {line.get_linestyle() for line in after.lines[:3]} == {"None"}


def test_one_step_against_the_heuristic(readable):
    rows = pd.MultiIndex.from_product([[2, 3], [0.05, 0.5]], names=["k", "noise"])
    rules = pd.Series([0.1, 1.0, 10.0, 100.0], rows)
    worse = pd.DataFrame({"experts": [1, 2, 3, 50], "gates": [4, 5, 6, 7]}, rows, dtype=float)
    figure = readable(draw_one_step(rules, worse))
    for ax, part in zip(figure.axes, worse, strict=True):
        low, high, here, one = ax.lines
        for line, noise in ((low, 0.05), (high, 0.5)):
            x, y = rules.xs(noise, level="noise"), worse[part].xs(noise, level="noise")
            np.testing.assert_allclose(line.get_data(), [x, np.minimum(y, 20)])
        assert list(here.get_xdata()) == list(one.get_ydata()) == [1, 1]
        assert ax.get_ylim() == (0.7, 20)
    assert legend(figure.axes[0]) == ["σ = 0.05", "σ = 0.5"]


def test_hodges_has_a_curve_for_each_size(readable):
    (ax,) = readable(draw_hodges(lambda h, n: 1 + h**2 / n)).axes
    assert legend(ax) == ["n = 100", "n = 1,000", "n = 10,000"] and ax.get_yscale() == "log"
    for line in ax.lines[:3]:
        theta, height = line.get_data()
        np.testing.assert_allclose(height, 1 + theta**2)
    assert list(ax.lines[3].get_ydata()) == [1, 1]
