"""Tables with categories and formulas, through fits, predictions, pipelines and selections."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from moelib import MixtureOfExperts, choose_n_experts

QUICK = dict(n_init=2, random_state=0)
N = 600


@pytest.fixture(scope="module")
def shop():
    """Sales with two regimes: which one is asked depends on the price, the season shifts one."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "price": rng.uniform(1, 3, N),
            "promo": rng.random(N) < 0.4,
            "season": rng.choice(["fall", "spring", "summer"], N),
        },
        index=np.arange(N) * 3 + 5,
    )
    first = rng.random(N) < 1 / (1 + np.exp(4 * (frame["price"] - 2)))
    high = 9 + 2 * frame["promo"] - frame["price"] + 1.5 * (frame["season"] == "summer")
    low = 1 + 0.5 * frame["price"]
    sigma = np.where(first, 0.8, 0.2)
    return frame, pd.Series(
        np.where(first, high, low) + sigma * rng.standard_normal(N), frame.index
    )


def by_hand(frame):
    """Design of the table: numbers, and a column for each level but the first."""
    dummies = pd.get_dummies(frame, columns=["season"], prefix_sep="=", drop_first=True)
    return dummies.astype(float)


# --- fits and predictions -------------------------------------------------------------------------


def test_categories_through_fit_predict_and_summary(shop):
    frame, y = shop
    fit = MixtureOfExperts(2, **QUICK).fit(frame, y)
    hand = by_hand(frame)
    plain = MixtureOfExperts(2, **QUICK).fit(hand.to_numpy(), y)
    assert fit.terms_ == list(hand.columns) and list(fit.feature_names_in_) == list(frame.columns)
    np.testing.assert_allclose(fit.experts_, plain.experts_, atol=1e-10)
    np.testing.assert_allclose(fit.predict(frame), plain.predict(hand.to_numpy()), atol=1e-10)
    assert fit.remarks_ == []
    terms = fit.summary().table.index.get_level_values("term")
    assert {"price", "promo", "season=spring", "season=summer", "intercept"} <= set(terms)
    shuffled = frame.sample(frac=1, random_state=0)
    np.testing.assert_array_equal(
        fit.predict(shuffled), pd.Series(fit.predict(frame), frame.index)[shuffled.index]
    )
    for call in (fit.gate_probabilities, fit.predict_interval, fit.expert_answers):
        assert call(frame[:7]).shape == (7, 2)
    with pytest.raises(ValueError, match="column 'season' has the new level 'winter'.*'fall'"):
        fit.predict(frame.assign(season="winter"))
    with pytest.raises(ValueError, match="price"):
        fit.predict(frame.drop(columns="price"))


def test_columns_for_experts_and_gates(shop):
    """By name, position or selector; the same model as with the slopes of the others at zero."""
    frame, y = shop
    asked = dict(expert_features=["promo", "season"], gate_features=["price"])
    fit = MixtureOfExperts(2, **asked, **QUICK).fit(frame, y)
    assert fit.n_parameters_ == 2 * (3 + 1) + 2 + 2
    zero = np.array(fit.terms_) == "price"
    np.testing.assert_array_equal(fit.experts_[:, zero], 0)
    np.testing.assert_array_equal(fit.gates_[:, ~zero], 0)
    terms = fit.summary().table.loc["gate"].index.get_level_values("term")
    assert list(terms) == ["price", "intercept"]
    other = MixtureOfExperts(2, expert_features=[1, 2], gate_features=[0], **QUICK).fit(frame, y)
    assert other.log_likelihood_ == fit.log_likelihood_
    chosen = make_column_selector(dtype_include=float)
    third = MixtureOfExperts(
        2, expert_features=asked["expert_features"], gate_features=chosen, **QUICK
    )
    assert third.fit(frame, y).log_likelihood_ == fit.log_likelihood_
    full = MixtureOfExperts(2, **QUICK).fit(frame, y)
    assert full.log_likelihood_ > fit.log_likelihood_
    # moving what only the gate uses leaves the experts' answers where they are
    moved = frame.assign(price=frame["price"] + 1)
    np.testing.assert_array_equal(fit.expert_answers(moved), fit.expert_answers(frame))
    assert np.abs(fit.gate_probabilities(moved) - fit.gate_probabilities(frame)).max() > 0.1


def test_a_formula_is_the_design_by_hand(shop):
    frame, y = shop
    fit = MixtureOfExperts(2, formula="price * promo + season | np.log(price)", **QUICK)
    fit.fit(frame.assign(unused=pd.Timestamp("2020-01-01")), y)
    hand = by_hand(frame)
    hand["price:promo"], hand["log"] = hand["price"] * hand["promo"], np.log(hand["price"])
    plain = MixtureOfExperts(
        2, expert_features=[name for name in hand if name != "log"], gate_features=["log"], **QUICK
    ).fit(hand, y)
    assert fit.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=1e-6)
    np.testing.assert_allclose(fit.predict(frame), plain.predict(hand), atol=1e-6)
    assert fit.n_parameters_ == plain.n_parameters_ == 2 * 6 + 2 + 2
    assert "price:promo" in fit.terms_ and "np.log(price)" in fit.terms_
    assert fit.predict(frame[["season", "promo", "price"]]).shape == (N,)


@pytest.mark.filterwarnings("ignore:one noise for all experts")
def test_search_and_cross_validation_take_tables(shop):
    frame, y = shop
    template = MixtureOfExperts(2, **QUICK)
    scores = cross_val_score(template, frame, y, cv=3)
    line = cross_val_score(LinearRegression(), by_hand(frame), y, cv=3)
    assert np.all(scores > line)
    grid = {"noise": ["shared", "per-expert"], "gate_features": [None, ["price"]]}
    search = GridSearchCV(template, grid, cv=3).fit(frame, y)
    assert search.best_score_ > line.mean() and clone(search.best_estimator_).noise in grid["noise"]


# --- pipelines and selections ---------------------------------------------------------------------


def encoded():
    return make_column_transformer(
        (OneHotEncoder(drop="first", sparse_output=False), ["season"]),
        (StandardScaler(), ["price"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )


def test_a_pipeline_with_an_encoder_is_the_same_model(shop):
    frame, y = shop
    pipeline = make_pipeline(encoded(), MixtureOfExperts(2, **QUICK)).fit(frame, y)
    plain = MixtureOfExperts(2, **QUICK).fit(frame, y)
    assert pipeline[-1].log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=1e-5)
    np.testing.assert_allclose(pipeline.predict(frame), plain.predict(frame), atol=1e-5)


@pytest.mark.parametrize(
    ("before", "names"),
    [
        ([StandardScaler()], ["price", "promo"]),
        ([encoded()], ["season_spring", "season_summer", "price", "promo"]),
        ([StandardScaler(), SelectKBest(f_regression, k=1)], ["price"]),
        ([StandardScaler(), PCA(2)], ["pca0", "pca1"]),
        ([FunctionTransformer(np.asarray)], ["x1", "x2"]),  # names no columns
        ([], ["price", "promo"]),
    ],
)
def test_a_selection_keeps_the_names_of_a_pipeline(shop, before, names):
    frame, y = shop
    X = frame if len(names) == 4 else frame[["price", "promo"]]
    steps = [(f"step {i}", step) for i, step in enumerate(before)]
    pipeline = Pipeline([*steps, ("mixture", MixtureOfExperts(**QUICK))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = choose_n_experts(pipeline, X, y, n_experts=(1, 2))
    assert found.best_k == 2 and isinstance(found.best, Pipeline)
    assert found.best[-1] is found.fits[2] and found.best[-1].terms_ == names
    assert [name for name, _ in found.best.steps] == [name for name, _ in pipeline.steps]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prediction = found.best.predict(X)
    Z = X
    for _, step in steps:
        Z = clone(step).fit_transform(Z, y)
    alone = MixtureOfExperts(2, **QUICK).fit(np.asarray(Z, dtype=float), y)
    assert found.table.loc[2, "log_likelihood"] == pytest.approx(alone.log_likelihood_, abs=1e-5)
    np.testing.assert_allclose(prediction, alone.predict(np.asarray(Z, dtype=float)), atol=1e-5)
    assert not hasattr(pipeline[-1], "model_")


@pytest.mark.parametrize("formula", [None, "price + season | price"])
def test_a_selection_takes_tables_and_is_the_same_in_parallel(shop, formula):
    frame, y = shop
    template = MixtureOfExperts(formula=formula, **QUICK)
    tables, said = [], []
    for n_jobs in (None, 2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = choose_n_experts(template, frame, y, n_experts=3, n_jobs=n_jobs)
        said.append([str(warning.message) for warning in caught if "k = " in str(warning.message)])
        tables.append(found.table)
        assert found.best_k == 2 and list(found.table.index) == [1, 2, 3]
        np.testing.assert_array_equal(found.best.predict(frame), found.fits[2].predict(frame))
    pd.testing.assert_frame_equal(*tables)
    assert said[0] == said[1]


def test_progress_over_numbers_of_experts_is_shown_when_asked_for(shop, capsys):
    frame, y = shop
    for verbose in (True, False):
        choose_n_experts(MixtureOfExperts(**QUICK), frame, y, n_experts=(1, 2), verbose=verbose)
        assert ("numbers of experts" in capsys.readouterr().err) == verbose
