"""What is drawn, read off the artists."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb

from moelib.pages.layout import panel
from moelib.pages.plots import (
    draw_arrows,
    draw_curves,
    draw_dots,
    draw_grid,
    draw_guide,
    draw_intervals,
    draw_method_curves,
    draw_plane,
)
from moelib.pages.style import MARKERS, PALETTE, expert_style, method_style


@pytest.fixture
def ax():
    return panel((5, 4))[1]


def look(line):
    return to_hex(line.get_color()), line.get_marker()


def bars(collection):
    """(place, low, high) of each vertical bar, or (place, left, right) of each horizontal one."""
    segments = np.array(collection.get_segments())
    along = int(np.all(np.ptp(segments[..., 0], axis=1) == 0))
    return np.column_stack([segments[:, 0, 1 - along], np.sort(segments[..., along], axis=1)])


def test_curves_have_the_style_of_their_place(ax):
    lines = draw_curves(ax, {"EM": [3, 2, 1], "Adam": [4, 4, 4]}, [10, 20, 30], first=1)
    assert [line.get_label() for line in lines] == ["EM", "Adam"]
    assert [look(line) for line in lines] == [(PALETTE[i], MARKERS[i]) for i in (1, 2)]
    np.testing.assert_array_equal(lines[0].get_data(), [[10, 20, 30], [3, 2, 1]])


def test_curves_of_a_frame(ax):
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, np.nan]}, index=[100, 1000])
    lines = draw_curves(ax, frame)
    for line, name in zip(lines, frame, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), frame.index)
        np.testing.assert_array_equal(line.get_ydata(), frame[name])
    (line,) = draw_curves(ax, {"plain": (7, 8, 9)})
    np.testing.assert_array_equal(line.get_xdata(), [0, 1, 2])


@pytest.mark.parametrize("style", [{"ls": ":", "c": "red"}, {"linestyle": ":", "color": "red"}])
def test_the_style_can_be_changed(ax, style):
    (line,) = draw_curves(ax, {"": [1, 2]}, marker="", label="kept", **style)
    assert line.get_linestyle() == ":" and look(line) == (to_hex("red"), "")
    assert line.get_label() == "kept"


def test_intervals(ax):
    x, middle = np.array([1.0, 2.0, 4.0]), np.array([0.2, 0.5, 0.9])
    estimates = {"raw": (middle, middle - 0.1, middle + 0.3), "refined": (middle,) * 3}
    (line, whiskers), (_, flat) = draw_intervals(ax, estimates, x, ls="")
    np.testing.assert_allclose(bars(whiskers), np.column_stack([x, middle - 0.1, middle + 0.3]))
    assert line.get_linestyle() == "None" and line.get_label() == "raw"
    assert np.ptp(bars(flat)[:, 1:], axis=1).max() == 0
    np.testing.assert_allclose(whiskers.get_color()[0, :3], to_rgb(PALETTE[0]))
    ((third, _),) = draw_intervals(ax, {"third": (middle,) * 3}, x, first=2)
    assert look(third) == (PALETTE[2], MARKERS[2])


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_neighbours_stand_apart(ax, scale):
    ax.set_xscale(scale)
    x, ones = np.array([10.0, 100.0]), np.ones(2)
    drawn = draw_intervals(ax, {name: (ones,) * 3 for name in "abc"}, x, apart=0.2)
    places = [line.get_xdata() for line, _ in drawn]
    np.testing.assert_allclose(places[1], x)
    if scale == "log":
        np.testing.assert_allclose(np.divide(places[2], x), 1.2)
        np.testing.assert_allclose(np.divide(places[0], x), 1 / 1.2)
    else:
        np.testing.assert_allclose(np.subtract(places, x), [[-0.2] * 2, [0] * 2, [0.2] * 2])
    for line, whiskers in drawn:
        np.testing.assert_allclose(bars(whiskers)[:, 0], line.get_xdata())


def test_intervals_of_a_frame_as_a_band(ax):
    middle = pd.Series([1.0, 2.0], index=[3, 5])
    ((line, band),) = draw_intervals(ax, {"": (middle, middle - 1, middle + 1)}, band=True)
    np.testing.assert_array_equal(line.get_xdata(), [3, 5])
    corners = band.get_paths()[0].get_extents()
    np.testing.assert_allclose(corners.extents, [3, 0, 5, 3])


@pytest.mark.parametrize("across", [False, True])
def test_dots(ax, across):
    groups = {"EM": [3.0, 1.0, 2.0, 10.0], "Adam": [5.0]}
    dots = draw_dots(ax, groups, across=across)
    ticks = (ax.get_yticks, ax.get_yticklabels) if across else (ax.get_xticks, ax.get_xticklabels)
    at = dict(zip([t.get_text() for t in ticks[1]()], ticks[0](), strict=True))
    assert at == ({"EM": 1, "Adam": 0} if across else {"EM": 0, "Adam": 1})  # read from the top
    for i, (name, line) in enumerate(zip(groups, dots, strict=True)):
        places, values = line.get_data()[::-1] if across else line.get_data()
        np.testing.assert_array_equal(values, np.sort(groups[name]))
        assert np.abs(places - at[name]).max() < 0.25
        assert look(line) == (PALETTE[i], MARKERS[i]) and line.get_linestyle() == "None"
        middle, low, high = bars(ax.collections[i])[0]
        assert middle == np.median(groups[name]) and low < at[name] < high


def test_two_groups_at_a_tick(ax):
    for j, name in enumerate(("standard", "skew")):
        groups = {"a": np.arange(9.0), "b": np.arange(9.0)}
        draw_dots(ax, groups, shift=0.4 * (j - 0.5), place=j, label=name)
    handles, labels = ax.get_legend_handles_labels()
    assert labels == ["standard", "skew"]
    assert [look(h) for h in handles] == [(PALETTE[j], MARKERS[j]) for j in (0, 1)]
    (a1, b1, a2, b2) = (line.get_xdata() for line in ax.lines)
    assert a1.max() < 0 < a2.min() < a2.max() < b1.min() < b1.max() < 1 < b2.min()
    np.testing.assert_array_equal(ax.get_xticks(), [0, 1])


def test_grid_writes_every_value(ax):
    frame = pd.DataFrame([[0.0, 0.95], [np.nan, -0.5]], index=["EM", "Adam"], columns=[2, 3])
    image = draw_grid(ax, frame, form=".1f", vmin=-1, vmax=1, cmap="Greys")
    cells = {t.get_position(): (t.get_text(), t.get_color()) for t in ax.texts}
    assert cells == {(0, 0): ("0.0", "black"), (1, 0): ("0.9", "white"), (1, 1): ("−0.5", "black")}
    assert [t.get_text() for t in ax.get_yticklabels()] == ["EM", "Adam"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["2", "3"]
    assert image.get_clim() == (-1, 1) and image.get_array().mask.tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize("cmap", ["cividis", "PuOr", "Greys"])
def test_ink_stands_out(ax, cmap):
    """WCAG asks for a contrast of 4.5 for text; of black and white at most one falls short."""

    def luminance(color):
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    values = np.linspace(0, 1, 60).reshape(6, 10)
    image = draw_grid(ax, values, cmap=cmap)
    for text, value in zip(ax.texts, values.ravel(), strict=True):
        ground, ink = (
            luminance(image.cmap(image.norm(value))[:3]),
            luminance(to_rgb(text.get_color())),
        )
        low, high = sorted((ground, ink))
        assert (high + 0.05) / (low + 0.05) > 4.5


def test_grid_with_its_own_texts(ax):
    texts = np.array([["a\nb", "c"]])
    draw_grid(ax, [[1, 2]], texts=texts, names=(["row"], ["x", "y"]))
    assert [t.get_text() for t in ax.texts] == ["a\nb", "c"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["x", "y"]


def test_plane(ax):
    x, y = np.linspace(0, 1, 5), np.linspace(0, 2, 7)
    marks = {"o": [(0.5, 1.0)], "s": [(0, 0), (1, 2)]}
    shading = draw_plane(ax, x, y, x + 10 * y[:, None], levels=[0, 5, 10, 21], marks=marks)
    np.testing.assert_array_equal(shading.levels, [0, 5, 10, 21])
    np.testing.assert_allclose(ax.dataLim.extents, [0, 0, 1, 2])
    drawn = {line.get_marker(): np.transpose(line.get_data()).tolist() for line in ax.lines}
    assert drawn == {"o": [[0.5, 1.0]], "s": [[0, 0], [1, 2]]}


def test_guide_is_a_power_law(ax):
    ax.set(xscale="log", yscale="log")
    line = draw_guide(ax, (10, 1000), -0.5, through=(40, 3), text="$n^{-1/2}$", lw=3)
    x, y = line.get_data()
    np.testing.assert_allclose(y, 3 * (np.array(x) / 40) ** -0.5)
    assert line.get_linewidth() == 3 and line.get_marker() in ("", "None")
    assert line.get_zorder() < min(artist.zorder for artist in draw_curves(ax, {"": [1, 2]}))
    assert ax.texts[0].xy == (1000, y[-1])


def test_guide_is_not_in_the_legend(ax):
    draw_guide(ax, (1, 2), 1, through=(1, 1))
    assert ax.get_legend_handles_labels() == ([], [])


def test_arrows(ax):
    vectors = np.array([[1.0, 0.0], [0.0, -2.0], [0.0, 0.0]])
    arrows = draw_arrows(ax, vectors, ["a", "b"], first=2, ls="--")
    assert [arrow.xy for arrow in arrows] == [tuple(v) for v in vectors]
    assert [arrow.xyann for arrow in arrows] == [(0, 0)] * 3
    names = {t.get_text(): t.get_position() for t in ax.texts if t.get_text()}
    np.testing.assert_allclose([names["a"], names["b"]], [[1.15, 0], [0, -2.15]])
    colors = [to_hex(arrow.arrow_patch.get_edgecolor()) for arrow in arrows]
    assert colors == [expert_style(i)["color"] for i in (2, 3, 4)]


def test_nothing_is_left_open():
    assert plt.get_fignums() == []


def test_curves_of_methods_have_the_styles_of_the_methods():
    _, ax = panel()
    table = pd.DataFrame({"em": [1.0, 2.0], "two-loss": [3.0, 4.0]}, index=[10, 20])
    draw_method_curves(ax, table, marker="")
    for line, name in zip(ax.lines, table, strict=True):
        np.testing.assert_allclose(line.get_data(), [[10, 20], table[name]])
        assert (line.get_color(), line.get_label()) == (method_style(name)["color"], name)
        assert line.get_marker() == ""
