"""What every display keeps to: where it draws, what it says, whom it refuses."""

import subprocess
import sys
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

import moelib.displays
from moelib import MixtureOfExperts
from moelib.displays import (
    CalibrationDisplay,
    ExpertsDisplay,
    GateDependenceDisplay,
    ResidualsDisplay,
    ResponsibilitiesDisplay,
    SelectionDisplay,
)

OF_FITS = [
    ExpertsDisplay,
    ResponsibilitiesDisplay,
    GateDependenceDisplay,
    ResidualsDisplay,
    CalibrationDisplay,
]
LONG = "average_monthly_household_income_before_taxes_and_transfers_in_thousands_of_euros"
every = pytest.mark.parametrize("display", OF_FITS)


def choice(n=5):
    table = pd.DataFrame(
        {"bic": np.arange(n) ** 2 + 900.0, "icl": 950.0, "aic": 800.0 + np.arange(n)},
        index=np.arange(1, n + 1),
    )
    return SelectionDisplay.from_selection(SimpleNamespace(table=table, best_k=1))


def drawn(axes):
    return [len(ax.lines) + len(ax.patches) + len(ax.collections) for ax in np.ravel(axes)]


def axes_of(shown):
    return np.ravel(getattr(shown, "axes_", shown.ax_))


def test_the_face_lists_them_all():
    assert {*moelib.displays.__all__} == {one.__name__ for one in [*OF_FITS, SelectionDisplay]}


def writing(figure):
    """All texts of a drawn figure: those at ticks, some of them out of sight, and the others."""
    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    ticks = {label for axis in axes for label in axis.get_ticklabels(which="both")}
    texts = {one for one in figure.findobj(Text) if one.get_text() and one.get_visible()}
    return texts & ticks, texts - ticks


@every
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_all_writing_is_on_the_figure_and_large_enough(display, k, known):
    shown = display.from_estimator(*known(k=k, names=[LONG, "price in $ or $ per kg"]))
    figure = shown.figure_
    figure.canvas.draw()
    ticks, others = writing(figure)
    assert len(ticks) > 5 and len(others) > 2
    shrunk = 700 / max(figure.bbox.width, 700)  # a page is 700 pixels wide
    for text in ticks | others:
        assert text.get_fontsize() / 72 * figure.dpi * shrunk >= 9, text
    for text in others:
        box = text.get_window_extent()
        assert box.x0 > -1 and box.y0 > -1, text
        assert box.x1 < figure.bbox.x1 + 1 and box.y1 < figure.bbox.y1 + 1, text


@every
@pytest.mark.parametrize("k", [1, 2, 5])
def test_axes_say_what_they_show_and_none_is_empty(display, k, known):
    axes = axes_of(display.from_estimator(*known(k=k)))
    assert min(drawn(axes)) > 0
    assert any(ax.get_xlabel() for ax in axes)
    assert any(ax.get_ylabel() for ax in axes)


@every
def test_given_axes_are_drawn_in_and_nothing_outside_their_place(display, known):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
    place = right.get_position().padded(1e-9)
    shown = display.from_estimator(*known(), ax=right)
    assert shown.ax_ is right and shown.figure_ is figure and plt.get_fignums() == [figure.number]
    assert drawn(left) == [0]
    for ax in axes_of(shown):
        box = ax.get_position()
        assert place.x0 <= box.x0 < box.x1 <= place.x1 and place.y0 <= box.y0 < box.y1 <= place.y1


@pytest.mark.filterwarnings("ignore:There are no gridspecs:UserWarning")  # only loose axes
@every
@pytest.mark.parametrize("layout", [None, "constrained"])
def test_axes_outside_any_grid_are_divided_too(display, layout, known):
    figure = plt.figure(layout=layout)
    ax = figure.add_axes((0.5, 0.25, 0.4, 0.5))
    axes = axes_of(display.from_estimator(*known(), ax=ax))
    figure.canvas.draw()
    boxes = np.array([one.get_position().extents for one in axes])
    np.testing.assert_allclose(boxes[:, :2].min(axis=0), [0.5, 0.25])
    np.testing.assert_allclose(boxes[:, 2:].max(axis=0), [0.9, 0.75])


@every
def test_panels_do_not_cover_each_other(display, known):
    axes = axes_of(display.from_estimator(*known(k=5)))
    axes[0].figure.canvas.draw()
    boxes = [ax.get_position() for ax in axes]
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            assert (
                one.x1 <= other.x0
                or other.x1 <= one.x0
                or one.y1 <= other.y0
                or (other.y1 <= one.y0)
            )


@pytest.mark.parametrize("display", [ResidualsDisplay, ResponsibilitiesDisplay])
def test_rows_of_panels_have_room_for_titles_where_nothing_lays_out_the_figure(display, known):
    _, ax = plt.subplots(figsize=(8, 6))
    axes = display.from_estimator(*known(k=5), ax=ax).axes_
    boxes = [panel.get_tightbbox() for panel in axes]
    assert min(box.y0 for box in boxes[:3]) > max(box.y1 for box in boxes[3:])


@every
def test_it_can_be_drawn_again_elsewhere(display, known):
    shown = display.from_estimator(*known())
    first, alt = shown.figure_, shown.alt
    assert shown.plot() is shown and shown.figure_ is not first and shown.alt == alt
    assert drawn(axes_of(shown)) == drawn(first.axes)


@every
def test_array_and_frame_give_the_same(display, known):
    fit, X, y = known()
    frame = display.from_estimator(fit, X, y)
    with pytest.warns(UserWarning, match="feature names"):  # scikit-learn's own
        array = display.from_estimator(fit, X.to_numpy(), y.to_numpy())
    assert array.alt == frame.alt


@every
def test_a_column_of_labels_and_any_index_do(display, known):
    fit, X, y = known()
    alt = display.from_estimator(fit, X, y).alt
    X.index = y.index = np.arange(len(y))[::-1] + 7
    assert display.from_estimator(fit, X, y).alt == alt
    assert display.from_estimator(fit, X, y.to_frame()).alt == alt


@pytest.mark.parametrize("display", [one for one in OF_FITS if one is not CalibrationDisplay])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_sentence_names_every_expert(display, k, known):
    alt = display.from_estimator(*known(k=k)).alt
    assert [f"expert {i}" in alt.lower() for i in range(1, 8)] == [i <= k for i in range(1, 8)]
    assert alt[0].isupper() and alt.endswith(".")


@every
def test_an_expert_that_answers_nothing_is_drawn_too(display, known):
    fit, X, y = known()
    shown = display.from_estimator(fit, X, y * 0 + 1e3)
    shown.figure_.canvas.draw()
    assert "nan" not in shown.alt


@every
def test_who_is_not_fitted_is_refused(display):
    with pytest.raises(NotFittedError):
        display.from_estimator(MixtureOfExperts(2), np.ones((4, 1)), np.arange(4.0))
    assert plt.get_fignums() == []


@every
def test_what_is_no_mixture_is_refused(display):
    other = LinearRegression().fit(np.arange(4.0)[:, None], np.arange(4.0))
    with pytest.raises(ValueError, match=r"estimator must be a fitted MixtureOfExperts.*Linear"):
        display.from_estimator(other, np.ones((4, 1)), np.arange(4.0))


@every
def test_labels_of_another_length_are_refused(display, known):
    fit, X, y = known()
    if display is not GateDependenceDisplay:
        with pytest.raises(ValueError, match="y must have length 200, got 199"):
            display.from_estimator(fit, X, y[:-1])


@pytest.mark.parametrize(
    "display", [ResponsibilitiesDisplay, GateDependenceDisplay, ResidualsDisplay]
)
def test_weights_that_are_not_weights_are_refused(display, known):
    fit, X, y = known()
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        display.from_estimator(fit, X, y, sample_weight=-np.ones(len(y)))


@every
def test_neither_data_nor_settings_change(display, known):
    fit, X, y = known()
    before, settings = X.copy(), dict(matplotlib.rcParams)
    display.from_estimator(fit, X, y)
    pd.testing.assert_frame_equal(X, before)
    assert dict(matplotlib.rcParams) == settings


def test_the_path_over_k_keeps_to_it_as_well():
    figure, ax = plt.subplots(layout="constrained")
    shown = choice()
    again = shown.plot(ax)
    assert again is shown and shown.ax_ is ax and shown.figure_ is figure
    figure.canvas.draw()
    for text in writing(figure)[1]:
        box = text.get_window_extent()
        assert box.x0 > -1 and box.x1 < figure.bbox.x1 + 1 and box.y1 < figure.bbox.y1 + 1


def test_modules_load_without_matplotlib():
    names = ", ".join(one.__module__ for one in [*OF_FITS, SelectionDisplay])
    code = f"import {names}; import sys; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
