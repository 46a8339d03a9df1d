"""Mean gate probabilities, against loops over samples and against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.inspection import PartialDependenceDisplay
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from moelib import MixtureOfExperts
from moelib.displays import GateDependenceDisplay

pytestmark = pytest.mark.filterwarnings("ignore::moelib.validation.AssumptionWarning")


def brute_force(model, X, j, value):
    """The gate's probabilities, one sample after another."""
    total = []
    for row in np.array(X, dtype=float):
        row[j] = value
        scores = [w @ row + c for w, c in zip(model.gates, model.gate_intercepts)]
        total.append(softmax([*scores, 0.0]))
    return np.array(total)


def test_it_is_the_mean_over_the_samples(known):
    fit, X, _ = known(d=3, n=60)
    shown = GateDependenceDisplay.from_estimator(fit, X, feature="b", grid_resolution=9)
    assert shown.gates.shape == (9, 3)
    np.testing.assert_allclose(shown.grid[[0, -1]], np.quantile(X["b"], [0.05, 0.95]))
    for value, gates in zip(shown.grid, shown.gates):
        np.testing.assert_allclose(gates, brute_force(fit.model_, X, 1, value).mean(axis=0))
    np.testing.assert_allclose(shown.deciles, np.quantile(X["b"], np.linspace(0.1, 0.9, 9)))


def test_a_weight_of_two_counts_as_two(known):
    fit, X, _ = known(n=60)
    weights = np.arange(60) % 3
    once = GateDependenceDisplay.from_estimator(
        fit, X, grid_resolution=5, percentiles=(0, 1), sample_weight=weights
    )
    for value, gates in zip(once.grid, once.gates):
        repeated = X.loc[np.repeat(X.index, weights)]
        np.testing.assert_allclose(gates, brute_force(fit.model_, repeated, 0, value).mean(axis=0))


def test_an_input_with_few_values_has_no_others(known):
    fit, X, _ = known()
    shown = GateDependenceDisplay.from_estimator(fit, X.assign(a=np.arange(200) % 4), feature="a")
    np.testing.assert_array_equal(shown.grid, [0, 1, 2, 3])


def test_levels_of_a_category_stand_side_by_side():
    rng = np.random.default_rng(0)
    kind = pd.CategoricalDtype(["small", "large", "none"])
    X = pd.DataFrame({"size": pd.Series(rng.choice(["small", "large"], 200), dtype=kind)})
    X["x"] = rng.standard_normal(200)
    y = np.where(X["size"] == "large", X["x"], 5 - X["x"]) + 0.1 * rng.standard_normal(200)
    mixture = MixtureOfExperts(2, "em", fit_intercept=True, n_init=3, random_state=0)
    code = OrdinalEncoder(categories=[["small", "large", "none"], sorted(X["x"])])
    fit = make_pipeline(code, mixture).fit(X, y)
    shown = GateDependenceDisplay.from_estimator(fit, X, feature="size")
    assert shown.grid == ["small", "large"] and shown.deciles is None  # "none" does not occur
    for t, level in enumerate(["small", "large"]):
        design = fit[0].transform(X.assign(size=level))
        mean = fit[-1].model_.gate_probabilities(design).mean(axis=0)
        np.testing.assert_allclose(shown.gates[t], mean)
    assert [one.get_text() for one in shown.ax_.get_xticklabels()] == ["small", "large"]
    places = np.array([line.get_xdata() for line in shown.ax_.lines])
    assert np.all(np.abs(places - [0, 1]) < 0.3) and places[0, 0] != places[1, 0]
    assert "at small" in shown.alt and "at large" in shown.alt


def test_lines_are_what_is_kept_and_differ_without_colour(known):
    shown = GateDependenceDisplay.from_estimator(*known(k=5))
    lines = shown.ax_.lines
    for line, gates in zip(lines, shown.gates.T, strict=True):
        np.testing.assert_allclose(line.get_data(), [shown.grid, gates])
    assert len({(line.get_marker(), str(line.get_linestyle())) for line in lines}) == 5


def test_a_search_over_pipelines_is_read_through(known):
    _, X, y = known(k=2)
    mixture = MixtureOfExperts(2, "em", fit_intercept=True, n_init=1, random_state=0)
    line = make_pipeline(StandardScaler(), mixture)
    search = GridSearchCV(line, {"mixtureofexperts__n_init": [1, 2]}, cv=2).fit(X, y)
    shown = GateDependenceDisplay.from_estimator(search, X, feature="a", grid_resolution=5)
    best = search.best_estimator_
    for value, gates in zip(shown.grid, shown.gates):
        design = (X.assign(a=value).to_numpy() - X.to_numpy().mean(axis=0)) / X.to_numpy().std(0)
        mean = best[-1].model_.gate_probabilities(design).mean(axis=0)
        np.testing.assert_allclose(gates, mean)


def test_partial_dependence_of_the_prediction_is_scikit_learns(known):
    fit, X, _ = known()
    shown = PartialDependenceDisplay.from_estimator(fit, X, ["a"], grid_resolution=6)
    found = shown.pd_results[0]
    for value, mean in zip(found["grid_values"][0], found["average"][0]):
        assert mean == pytest.approx(fit.model_.mean(X.assign(a=value).to_numpy()).mean())


def test_long_levels_are_turned_and_stay_on_the_figure():
    names = [f"department of {name}" for name in ("history", "music", "physics", "law", "sport")]
    gates = np.full((5, 2), 0.5)
    shown = GateDependenceDisplay(feature="where", grid=names, gates=gates).plot()
    shown.figure_.canvas.draw()
    boxes = [label.get_window_extent() for label in shown.ax_.get_xticklabels()]
    assert len(boxes) == 5 and min(box.x0 for box in boxes) > 0 and min(b.y0 for b in boxes) > 0


def test_inputs_of_one_dimension_are_refused(known):
    fit, X, _ = known()
    for column in (X["a"], X["a"].to_numpy()):
        with pytest.raises(ValueError, match="X must be a 2-d array or a DataFrame, got shape"):
            GateDependenceDisplay.from_estimator(fit, column)
