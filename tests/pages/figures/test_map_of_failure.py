"""The figures of the chapter, drawn from a small made-up map."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from moelib.pages import draw_budgets, draw_lines, draw_load, draw_tiles, explore_tiles
from moelib.pages.style import PALETTE

METHODS = ["two-loss", "two-loss, unrefined", "em", "em, frozen noise"]


def table(index, rates):
    return pd.DataFrame(rates, index=index, columns=METHODS)


@pytest.fixture
def lines():
    n = table(pd.Index([100, 200, 400], name="n"), np.arange(12).reshape(3, 4) / 12)
    return {"n": n, "link": table(pd.Index(["leaky_relu", "tanh"], name="link"), 0.5)}


@pytest.fixture
def plane():
    cells = pd.MultiIndex.from_tuples([(3, 4000), (2, 60), (3, 1000), (2, 1000)], names=["k", "n"])
    return table(cells, np.arange(16).reshape(4, 4) / 16)


def bars(ax):
    return [np.array(bar.get_segments())[:, :, 1] for bar in ax.collections]


def test_lines(lines, readable):
    figure = readable(draw_lines(lines, ["n", "link"], 10, floor=300))
    assert len(figure.axes) == 4
    for ax, pair in zip(figure.axes[:2], (METHODS[:2], METHODS[2:]), strict=True):
        drawn = {line.get_label(): line.get_ydata() for line in ax.lines[:2]}
        for method in pair:
            np.testing.assert_allclose(drawn[method], lines["n"][method])
        assert ax.lines[2].get_xdata()[0] == 1.5  # the floor, between 200 and 400
        assert [text.get_text() for text in ax.get_legend().get_texts()] == pair
        assert [label.get_text() for label in ax.get_xticklabels()] == ["100", "200", "400"]
        assert ax.get_xlabel() == "samples n"
    bottom = figure.axes[2]
    assert [line.get_linestyle() for line in bottom.lines] == ["None", "None"]
    assert [label.get_text() for label in bottom.get_xticklabels()] == ["leaky\nrelu", "tanh"]


def test_intervals_are_wilsons_by_data_set(lines):
    ax = draw_lines({"link": lines["link"]}, ["link"], 10).axes[0]
    for segments in bars(ax):
        np.testing.assert_allclose(segments, [[0.2366, 0.7634]] * 2, atol=1e-4)


def test_load(readable):
    cells = [(2, 4, 80), (4, 8, 320), (6, 12, 720), (16, 32, 1500)]
    index = pd.MultiIndex.from_tuples(cells, names=["k", "d", "n"])
    rates = table(index, np.arange(16).reshape(4, 4) / 16)[["em", "em, frozen noise"]]
    figure = readable(draw_load(rates, 10))
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["(a) em", "(b) em, frozen noise"]
    for ax, method in zip(figure.axes, rates, strict=True):
        few, many, most, floor = ax.lines
        np.testing.assert_allclose(few.get_xdata() * 1.04, [10, 10])
        np.testing.assert_allclose(few.get_ydata(), rates[method][:2])
        np.testing.assert_allclose([many.get_ydata()[0], most.get_ydata()[0]], rates[method][2:])
        assert floor.get_xdata()[0] == 5
        shades = [to_hex(line.get_color()) for line in (few, many, most)]
        assert shades == [PALETTE[0], PALETTE[1], PALETTE[3]]
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 3


def test_tiles_stand_where_they_belong(plane, readable):
    figure = readable(draw_tiles(plane))
    bottom, left = figure.axes[2], figure.axes[0]
    assert [label.get_text() for label in bottom.get_xticklabels()] == ["60", "1000", "4000"]
    assert [label.get_text() for label in left.get_yticklabels()] == ["2", "3"]
    for ax, method in zip(figure.axes, METHODS, strict=True):
        assert ax.get_title(loc="left") == method
        said = {text.get_position(): text.get_text() for text in ax.texts}
        for (k, n), q in plane[method].items():
            place = ([60, 1000, 4000].index(n), [2, 3].index(k))
            assert said.pop(place) == f"{100 * q:.0f}"
        assert not said
        hatched = [patch.get_xy() for patch in ax.patches if patch.get_hatch()]
        assert sorted(hatched) == [(-0.5, 0.5), (1.5, -0.5)]  # k = 3, n = 60 and k = 2, n = 4000


def test_tiles_to_move(plane, readable):
    moving = explore_tiles({1: plane, 5: 0 * plane + 0.95}, 10)
    (ax,) = readable(moving.draw(method=2, starts=1)).axes
    assert ax.get_title(loc="left") == "two-loss, unrefined, best of 1"
    texts = [text.get_text() for text in ax.texts]
    assert "6" in texts and "1–36" in texts  # 1 / 16 of ten data sets
    sentence = moving.alt(method=3, starts=1).replace("\N{NO-BREAK SPACE}", " ")
    assert sentence == "em, best of 1: 0 of 4 cells reach 90 %; the mean is 50 %."
    assert "4 of 4 cells" in moving.alt(method=3, starts=5)
    assert moving.parameters == {"method": [1, 2, 3, 4], "starts": [1, 5]}


def test_budgets(readable):
    curves = {
        "k = 3": pd.DataFrame({"em": [0.0, 0.5], "em, frozen noise": [0.0, 0.1]}, index=[0.1, 1.0])
    }
    curves["k = 8"] = 2 * curves["k = 3"]
    figure = readable(draw_budgets(curves))
    for ax, (title, rates) in zip(figure.axes, curves.items(), strict=True):
        assert ax.get_title(loc="left").endswith(title) and "seconds" in ax.get_xlabel()
        assert ax.get_xscale() == "log"
        for line, method in zip(ax.lines, rates, strict=True):
            np.testing.assert_allclose(line.get_data(), [rates.index, rates[method]])
            assert line.get_drawstyle() == "steps-post"
