"""The figures of the chapter on sample complexity, read off their artists."""

import numpy as np
import pandas as pd

from moelib.pages.figures.sample_complexity import (
    METHODS,
    draw_looseness,
    draw_sample_exponents,
    explore_accuracy,
)


def made(x, places, methods):
    """Three data sets at each place; the middle one grows with the place and with the method."""
    rows = [
        {x: place, "method": method, "angle": factor * (i + 1) * place}
        for i, method in enumerate(methods)
        for place in places
        for factor in (0.5, 1.0, 4.0)
    ]
    return pd.DataFrame(rows)


def test_exponents_are_medians_with_a_line_of_the_theorem(readable):
    parts = {
        "n": made("n", [100, 1000], METHODS[:2]),
        "d": made("d", [5, 10, 20], METHODS),
        "k": made("k", [2, 4, 10], METHODS[:2]),
    }
    slopes = (-0.5, 0.5, 2.5)
    figure = readable(draw_sample_exponents(parts, slopes))
    for ax, (x, rows), slope in zip(figure.axes, parts.items(), slopes, strict=True):
        assert ax.get_xlabel() == f"${x}$" and ax.get_xscale() == ax.get_yscale() == "log"
        places, names = np.sort(rows[x].unique()), METHODS[: rows["method"].nunique()]
        *curves, guide = ax.lines
        assert [line.get_label() for line in curves] == names
        for i, line in enumerate(curves):
            np.testing.assert_allclose(line.get_data(), [places, (i + 1) * places])
        ends = np.log(guide.get_xydata())
        np.testing.assert_allclose(guide.get_xydata()[0], [places[0], 0.7 * 2 * places[0]])
        np.testing.assert_allclose((ends[1, 1] - ends[0, 1]) / (ends[1, 0] - ends[0, 0]), slope)
        assert ends[1, 0] == np.log(places[-1])
    assert figure.axes[0].get_ylabel() == "worst angle, radians"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == METHODS
    assert [text.get_text() for text in figure.axes[2].get_xticklabels()] == list("2346") + ["10"]


def test_looseness_has_the_first_step_on_top(readable):
    loose = pd.Series({"second": 6.2, "turning": 119.6, "experts": 440.0})
    shuffled = pd.Series({"whitening": 1e4, **loose[::-1]})  # not in the figure
    (ax,) = readable(draw_looseness(shuffled)).axes
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["second moment", "turning part", "experts"]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], loose)
    assert ax.yaxis_inverted() and ax.get_xscale() == "log"
    assert [text.get_text() for text in ax.texts] == ["6", "120", "440"]
    assert ax.get_xlim()[1] > 440 * 2  # room for the numbers


def test_accuracy_moves_with_experts_and_noise(readable):
    ask = np.array([0.01, 0.1, 0.5])
    curves = {
        (k, noise): np.array([[k * 1e12, k * 1e9, k * 1e9], noise / ask**2])
        for k in (2, 3)
        for noise in (0.5, 1.0)
    }
    figure = explore_accuracy(ask, curves)
    assert len(figure.frames) == 4
    alt = figure.frames[(1, 0)]["alt"]
    assert "3 experts and noise 0.5" in alt and "3 · 10⁹" in alt
    assert "flat from 0.1 radians" in alt and alt.endswith("all the way to 2.")
    (ax,) = readable(figure.draw(k=2, noise=1.0)).axes
    for line, heights in zip(ax.lines, curves[2, 1.0], strict=True):
        np.testing.assert_allclose(line.get_data(), [ask, heights])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["theorem", "measured"]
    assert ax.get_title(loc="left") == "$k = 2$, $\\sigma = 1$"
