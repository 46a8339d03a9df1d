"""Lines, gates and labels, recomputed from the model by hand."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import FillBetweenPolyCollection, LineCollection, PathCollection
from scipy.special import softmax
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from moelib import MixtureOfExperts
from moelib.displays import ExpertsDisplay, GateDependenceDisplay

pytestmark = pytest.mark.filterwarnings("ignore::moelib.validation.AssumptionWarning")


def by_hand(model, row):
    """What the experts answer to one row, and the gate's probabilities."""
    k = model.n_experts
    answers = [model.experts[i] @ row + model.expert_intercepts[i] for i in range(k)]
    scores = [model.gates[i] @ row + model.gate_intercepts[i] for i in range(k - 1)]
    return np.array(answers), softmax([*scores, 0.0])


@pytest.mark.parametrize("feature", ["b", 1, -2])
@pytest.mark.parametrize("k", [1, 3])
def test_lines_are_the_experts_at_the_medians(feature, k, known):
    fit, X, y = known(k=k, d=3)
    shown = ExpertsDisplay.from_estimator(fit, X, y, feature=feature, grid_resolution=7)
    np.testing.assert_allclose(shown.grid, np.linspace(X["b"].min(), X["b"].max(), 7))
    for t, value in enumerate(shown.grid):
        answers, gates = by_hand(fit.model_, np.array([X["a"].median(), value, X["c"].median()]))
        np.testing.assert_allclose(shown.answers[t], answers)
        np.testing.assert_allclose(shown.gates[t], gates)
    np.testing.assert_allclose(shown.noises, 0.2 + 0.3 * np.arange(k))
    assert shown.feature == "b"


def test_what_is_drawn_is_what_is_kept(known):
    fit, X, y = known()
    shown = ExpertsDisplay.from_estimator(fit, X, y)
    top, strip = shown.axes_
    lines = [one for one in top.collections if isinstance(one, LineCollection)][1::2]
    points = [one for one in top.collections if type(one) is PathCollection]
    likely = shown.posterior.argmax(axis=1)
    for i, (line, dots) in enumerate(zip(lines, points, strict=True)):
        ends = np.array(line.get_segments())
        np.testing.assert_allclose(ends[:, 0], np.c_[shown.grid, shown.answers[:, i]][:-1])
        widths = np.argsort(np.argsort(line.get_linewidths()))
        middle = (shown.gates[1:, i] + shown.gates[:-1, i]) / 2
        assert np.corrcoef(widths, np.argsort(np.argsort(middle)))[0, 1] > 0.99
        np.testing.assert_allclose(dots.get_offsets(), np.c_[X["a"], y][likely == i])
        strength = dots.get_alpha()
        assert strength.argmax() == shown.posterior[likely == i, i].argmax()
    assert len({repr(dots.get_paths()) for dots in points}) == 3  # markers differ
    bands = [one for one in top.collections if isinstance(one, FillBetweenPolyCollection)]
    for i, band in enumerate(bands):
        seen = np.concatenate([path.vertices for path in band.get_paths()])
        called = shown.grid[shown.gates[:, i] >= 0.05]
        np.testing.assert_allclose([seen[:, 0].min(), seen[:, 0].max()], called[[0, -1]])
    heights = [area.get_paths()[0].vertices[:, 1].max() for area in strip.collections]
    np.testing.assert_allclose(heights, np.cumsum(shown.gates, axis=1).max(axis=0), atol=1e-6)


def test_limits_show_all_labels(known):
    fit, X, y = known(k=5)
    low, high = ExpertsDisplay.from_estimator(fit, X, y).ax_.get_ylim()
    assert low < y.min() and high > y.max()


def test_adjusted_labels_keep_their_distance_from_the_line_of_their_expert(known):
    fit, X, y = known(d=3)
    plain = ExpertsDisplay.from_estimator(fit, X, y, feature="a")
    shown = ExpertsDisplay.from_estimator(fit, X, y, feature="a", adjust=True)
    np.testing.assert_array_equal(plain.y, y)
    assert shown.label == "adjusted sales"
    for t in range(0, len(y), 9):
        i = shown.posterior[t].argmax()
        own = by_hand(fit.model_, X.to_numpy()[t])[0][i]
        line = by_hand(fit.model_, np.array([X["a"][t], X["b"].median(), X["c"].median()]))[0][i]
        np.testing.assert_allclose(shown.y[t] - line, y[t] - own)


def test_without_labels_only_lines_are_drawn(known):
    fit, X, _ = known()
    shown = ExpertsDisplay.from_estimator(fit, X)
    assert shown.y is None and shown.posterior is None
    assert not [one for one in shown.ax_.collections if type(one) is PathCollection]


def test_one_input_that_never_changes_is_drawn(known):
    fit, X, y = known()
    shown = ExpertsDisplay.from_estimator(fit, X.assign(a=2.0), y)
    assert set(shown.grid) == {2.0} and shown.alt.count("stays at") == 3


@pytest.fixture(scope="module")
def shop():
    """A pipeline over numbers, categories and true or false."""
    rng = np.random.default_rng(3)
    n = 300
    kind = pd.CategoricalDtype(["winter", "spring", "summer"])
    X = pd.DataFrame(
        {
            "price": rng.integers(1, 9, n),
            "season": pd.Series(rng.choice(kind.categories, n, p=[0.2, 0.3, 0.5]), dtype=kind),
            "promo": rng.random(n) < 0.3,
        }
    )
    y = np.where(X["price"] > 4, X["price"], 12.0 - X["price"]) + 2 * (X["season"] == "summer")
    y = y + 0.2 * rng.standard_normal(n)
    encode = OneHotEncoder(drop="first", sparse_output=False)
    columns = make_column_transformer((encode, ["season", "promo"]), remainder="passthrough")
    mixture = MixtureOfExperts(2, "em", fit_intercept=True, n_init=2, random_state=0)
    return make_pipeline(columns, mixture).fit(X, y), X, y


def test_other_categories_stand_at_the_commonest(shop):
    fit, X, y = shop
    shown = ExpertsDisplay.from_estimator(fit, X, y, feature="price", grid_resolution=8)
    row = pd.DataFrame({"price": shown.grid, "season": "summer", "promo": False})
    np.testing.assert_allclose(shown.answers, fit[-1].model_.expert_means(fit[0].transform(row)))
    mean = (shown.gates * shown.answers).sum(axis=1)
    np.testing.assert_allclose(mean, fit.predict(row))


@pytest.mark.parametrize("formula", [None, "price + C(season) | price + promo"])
def test_categories_that_the_estimator_reads_itself_do_as_well(formula, shop):
    _, X, y = shop
    if formula:
        pytest.importorskip("formulaic")
    fit = MixtureOfExperts(2, formula=formula, n_init=2, random_state=0).fit(X, y)
    shown = ExpertsDisplay.from_estimator(fit, X, y, feature="price", grid_resolution=8)
    row = pd.DataFrame({"price": shown.grid, "season": "summer", "promo": False})
    row["season"] = row["season"].astype(X["season"].dtype)
    mean = (shown.gates * shown.answers).sum(axis=1)
    np.testing.assert_allclose(mean, fit.predict(row))
    gates = GateDependenceDisplay.from_estimator(fit, X, feature="season")
    assert gates.grid == ["winter", "spring", "summer"]
    mean = fit.gate_probabilities(X.assign(season=X["season"].where(X.index < 0, "spring")))
    np.testing.assert_allclose(gates.gates[1], mean.mean(axis=0))


def test_an_axis_of_categories_is_refused_and_says_what_to_do(shop):
    fit, X, y = shop
    with pytest.raises(ValueError, match="'season' holds categories.*GateDependenceDisplay"):
        ExpertsDisplay.from_estimator(fit, X, y, feature="season")


@pytest.mark.parametrize("display", [ExpertsDisplay, GateDependenceDisplay])
@pytest.mark.parametrize("feature", ["c", 2, -3, None, 1.5])
def test_an_unknown_feature_is_refused_and_the_known_ones_named(display, feature, known):
    with pytest.raises(ValueError, match="feature must be the name of a column, one of a, b, or"):
        display.from_estimator(*known(), feature=feature)


def test_the_sentence_says_who_is_called_where(known):
    fit, X, y = known()
    shown = ExpertsDisplay.from_estimator(fit, X, y)
    first = [f"expert {i + 1}" for i in shown.gates.argmax(axis=1)]
    told = shown.alt.partition("calls most often ")[2].partition(". ")[0].partition(";")[0]
    assert told.startswith(first[0]) and told.endswith(first[-1])
    assert "noises are 0.2, 0.5 and 0.8" in shown.alt
    assert "noise is 0.4." in ExpertsDisplay.from_estimator(*known(noises=False)).alt
