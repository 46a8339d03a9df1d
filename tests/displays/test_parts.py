"""What displays are made of: looks, words, typical rows."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from moelib.displays.drawing import PALETTE, fitted_name, ink, legend_above, look
from moelib.displays.reading import feature_names, is_number, levels, typical_rows, with_column
from moelib.displays.words import change, percent, short
from moelib.pages import style


def grey(color):
    return np.array(to_rgb(color)) @ [0.299, 0.587, 0.114]


def test_looks_are_those_of_the_book():
    assert (PALETTE, [look(i) for i in range(6)]) == (
        style.PALETTE,
        [style.expert_style(i) for i in range(6)],
    )


def test_thirty_experts_look_different_and_neighbours_differ_in_grey():
    looks = [tuple(map(str, look(i).values())) for i in range(30)]
    assert len(set(looks)) == 30
    lightness = np.sort([grey(color) for color in PALETTE])
    assert np.diff(lightness).min() > 0.04


@pytest.mark.parametrize("color", PALETTE)
def test_ink_is_the_one_with_more_contrast(color):
    def contrast(other):
        channels = [np.array(to_rgb(c)) for c in (color, other)]
        linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in channels]
        dark, light = sorted(c @ [0.2126, 0.7152, 0.0722] for c in linear)
        return (light + 0.05) / (dark + 0.05)

    assert contrast(ink(color)) > 4.4


@pytest.mark.parametrize("inches", [3, 6, 12])
def test_a_legend_fits_above_its_axes(inches):
    figure, ax = plt.subplots(figsize=(inches, 4), layout="constrained")
    for i in range(9):
        ax.plot([], [], label=f"expert {i + 1}")
    legend = legend_above(ax)
    figure.canvas.draw()
    assert legend.get_window_extent().x1 <= figure.bbox.x1
    assert legend.get_window_extent().y0 >= ax.get_window_extent().y1 - 1


def test_names_are_broken_and_cut():
    lines = fitted_name("a_very_long_name_" * 10, 30).split("\n")
    assert len(lines) == 2 and max(map(len, lines)) <= 30 and lines[1].endswith(" …")
    assert fitted_name("price in $", 30) == "price in $"


def test_shares_that_are_not_zero_do_not_read_as_zero():
    words = [percent(share) for share in (0, 1e-9, 0.01, 0.996, 1 - 1e-9, 1)]
    assert words == ["0 %", "under 1 %", "1 %", "over 99 %", "over 99 %", "100 %"]


def test_numbers_of_any_size():
    written = [short(v) for v in (0, 2.5e12, -1e-7, 999.6, 1998, 12345.6)]
    assert written == ["0", "2.5e+12", "-1e-07", "1e+03", "1998", "12,346"]


def test_a_curve_that_returns_is_told_as_one():
    assert change([0, 5, 0]) == "goes from 0 to 0, between 0 and 5"


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "whole": [1, 2, 4, 9],
            "maybe": pd.array([1.5, None, 2.5, 3.5], dtype="Float64"),
            "yes": [True, False, True, True],
            "day": pd.to_datetime(["2020-01-02", "2020-01-01", "2020-01-02", None]),
            "kind": pd.Categorical(["b", "a", "a", "b"], categories=["b", "a", "c"]),
            "gone": [None] * 4,
        }
    )


def test_typical_rows_are_medians_and_commonest_values(frame):
    rows = typical_rows(frame, 3)
    assert rows["whole"].tolist() == [3.0] * 3 and rows["maybe"].tolist() == [2.5] * 3
    assert rows["yes"].tolist() == [True] * 3 and rows["yes"].dtype == bool
    assert set(rows["day"]) == {pd.Timestamp("2020-01-02")} and set(rows["kind"]) == {"b"}
    assert rows["kind"].dtype == frame["kind"].dtype and rows["gone"].isna().all()


def test_numbers_are_told_from_categories(frame):
    found = [name for name in frame if is_number(frame[name])]
    assert found == ["whole", "maybe"]
    mixed = np.array([[1, "a"], [2, "b"]], dtype=object)
    assert [is_number(mixed[:, j]) for j in (0, 1)] == [True, False]
    assert levels(frame["kind"]) == ["b", "a"] and levels(frame["yes"]) == [False, True]


def test_columns_of_arrays_are_set_without_changing_them():
    X = np.array([[1, 2], [3, 4]])
    np.testing.assert_array_equal(with_column(X, 1, 0.5), [[1, 0.5], [3, 0.5]])
    np.testing.assert_array_equal(typical_rows(X, 1), [[2, 3]])
    np.testing.assert_array_equal(X, [[1, 2], [3, 4]])


def test_names_come_from_the_frame_or_the_fit_or_are_counted(known, frame):
    fit, X, _ = known()
    assert feature_names(frame, fit) == list(frame)
    assert feature_names(X.to_numpy(), fit) == ["a", "b"]
    assert feature_names(np.ones((3, 4)), fit) == ["x1", "x2", "x3", "x4"]
