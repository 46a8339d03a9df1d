"""The path over k: differences, hollow points and the choice."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from moelib import MixtureOfExperts, choose_n_experts
from moelib.displays import SelectionDisplay

pytestmark = pytest.mark.filterwarnings("ignore::moelib.validation.AssumptionWarning")


@pytest.fixture
def found():
    table = pd.DataFrame(
        {
            "bic": [500.0, 410.0, 414.0, 380.0],
            "icl": [500.0, 430.0, 470.0, 460.0],
            "aic": [490.0, 400.0, 398.0, 350.0],
            "degenerate": [False, False, False, True],
        },
        index=[1, 2, 3, 4],
    )
    return SimpleNamespace(table=table, best_k=2)


def test_heights_are_above_the_lowest_sound_fit(found):
    above = SelectionDisplay.from_selection(found).above
    assert above["bic"].tolist() == [90, 0, 4, -30]
    assert above["icl"].tolist() == [70, 0, 40, 30]
    assert above["aic"].tolist() == [92, 2, 0, -48]


def test_degenerate_fits_are_hollow_and_others_are_not(found):
    shown = SelectionDisplay.from_selection(found, criteria="bic")
    marks = {
        (x, y): line.get_markerfacecolor()
        for line in shown.ax_.lines
        if line.get_linestyle() == "None"
        for x, y in zip(*line.get_data())
    }
    assert {place for place, color in marks.items() if color == "white"} == {(4, -30)}
    assert set(marks) == {(1, 90), (2, 0), (3, 4), (4, -30)}


def test_the_choice_is_marked_and_named(found):
    shown = SelectionDisplay.from_selection(found)
    (band,) = shown.ax_.patches
    assert band.get_x() < 2 < band.get_x() + band.get_width() < 3
    assert "2 is chosen" in shown.alt and "Hollow, since degenerate: 4." in shown.alt
    assert "BIC, against its lowest: 90 above at 1, 0 at 2, 4 above at 3 and 30 below" in shown.alt


def test_fits_without_a_criterion_are_left_out(found):
    found.table.loc[4, "bic"] = np.nan
    shown = SelectionDisplay.from_selection(found, criteria=["bic"])
    shown.figure_.canvas.draw()
    assert "4 above at 3." in shown.alt


def test_if_all_are_degenerate_heights_are_above_the_lowest(found):
    found.table["degenerate"] = True
    assert SelectionDisplay.from_selection(found).above.min().tolist() == [0, 0, 0]


def test_an_unknown_criterion_is_refused(found):
    with pytest.raises(ValueError, match="criteria must be one of 'bic', 'icl', 'aic'; got 'r2'"):
        SelectionDisplay.from_selection(found, criteria=["r2"])
    with pytest.raises(ValueError, match="got 'icl'"):
        SelectionDisplay.from_selection(
            SimpleNamespace(table=found.table[["bic"]], best_k=2), criteria="icl"
        )


def test_it_draws_what_choose_n_experts_returns():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 1))
    y = np.where(X[:, 0] > 0, 3 * X[:, 0], 4 - X[:, 0]) + 0.2 * rng.standard_normal(200)
    template = MixtureOfExperts(method="em", fit_intercept=True, n_init=2, random_state=0)
    found = choose_n_experts(template, X, y, n_experts=(2, 3))
    shown = SelectionDisplay.from_selection(found)
    for name in ("bic", "icl", "aic"):
        expected = found.table[name] - found.table[name].min()
        if not shown.degenerate.any():
            np.testing.assert_allclose(shown.above[name], expected)
    assert f"{found.best_k} is chosen" in shown.alt
