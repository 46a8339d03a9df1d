"""The estimator: scikit-learn's own checks, what it learns, its attributes, weights and starts."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from moelib import (
    AssumptionWarning,
    ConvergenceWarning,
    FreeParameters,
    MixtureOfExperts,
    regressor_error,
    standard_errors,
)
from moelib.gates.loss import gate_gradient, log_normal_density

DESIGN = dict(d=4, n_experts=2)
TOO_FEW = (
    "fits two experts to 10 samples, fewer than their parameters, which this estimator refuses"
)


# --- scikit-learn ---------------------------------------------------------------------------------


def expected_failures(estimator):
    names = ["check_estimators_nan_inf", "check_regressors_no_decision_function"]
    names += ["check_sample_weight_equivalence_on_dense_data"]
    return dict.fromkeys(names, TOO_FEW)


@pytest.mark.filterwarnings("ignore::moelib.AssumptionWarning")
@pytest.mark.filterwarnings("ignore::moelib.ConvergenceWarning")
@parametrize_with_checks(
    [MixtureOfExperts(method="em"), MixtureOfExperts(method="two-loss")],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("method", ["two-loss", "em"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinite_input_are_refused(standard, method, bad):
    """What check_estimators_nan_inf asks, on enough samples."""
    _, X, y = standard(400, **DESIGN)
    broken, labels = X.copy(), y.copy()
    broken[3, 1] = labels[3] = bad
    with pytest.raises(ValueError, match="Input X contains (NaN|infinity)"):
        MixtureOfExperts(method=method).fit(broken, y)
    with pytest.raises(ValueError, match="Input y contains (NaN|infinity)"):
        MixtureOfExperts(method=method).fit(X, labels)
    fit = MixtureOfExperts(method=method, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="Input X contains (NaN|infinity)"):
        fit.predict(broken)
    with pytest.raises(ValueError, match="y must be finite, got 1 NaN or infinite entries"):
        fit.log_density(X, labels)


def test_no_decision_function(standard):
    """What check_regressors_no_decision_function asks, on enough samples."""
    _, X, y = standard(400, **DESIGN)
    fit = MixtureOfExperts(random_state=0).fit(X, y)
    for name in ("decision_function", "predict_proba", "predict_log_proba"):
        assert not hasattr(fit, name)


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_integer_float32_and_dataframe_input(standard, method):
    _, X, y = standard(3000, **DESIGN)
    estimator = MixtureOfExperts(method=method, random_state=0)
    reference = clone(estimator).fit(X, y)
    frame = pd.DataFrame(X, columns=list("abcd"))
    named = clone(estimator).fit(frame, pd.Series(y))
    np.testing.assert_array_equal(named.feature_names_in_, list("abcd"))
    np.testing.assert_allclose(named.predict(frame), reference.predict(X), atol=1e-12)
    with pytest.raises(ValueError, match="feature names should match"):
        named.predict(frame[["b", "a", "c", "d"]])
    single = clone(estimator).fit(X.astype(np.float32), y.astype(np.float32))
    np.testing.assert_allclose(single.experts_, reference.experts_, atol=1e-4)
    assert single.experts_.dtype == np.float64
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        whole = clone(estimator).fit(np.round(4 * X).astype(int), np.round(4 * y).astype(int))
    assert np.all(np.isfinite(whole.predict(np.round(4 * X))))


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_names_of_a_table_cause_no_warning_in_fit(standard, method):
    _, X, y = standard(3000, **DESIGN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MixtureOfExperts(method=method, random_state=0).fit(
            pd.DataFrame(X, columns=list("abcd")), y
        )


# --- what it learns -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_attributes_and_scores(standard, method):
    model, X, y = standard(3000, **DESIGN)
    fit = MixtureOfExperts(method=method, random_state=0).fit(X, y)
    assert regressor_error(fit.experts_, model.experts) < 1e-3
    assert fit.gates_.shape == (1, 4) and fit.standard_errors_.experts.shape == (2, 4)
    assert fit.converged_ and fit.n_iter_ >= 1 and fit.n_parameters_ == 13
    assert fit.log_likelihood_ == pytest.approx(fit.log_density(X, y).sum())
    assert fit.log_likelihood_ >= model.log_density(X, y).sum()
    assert fit.bic(X, y) == pytest.approx(-2 * fit.log_likelihood_ + 13 * np.log(3000))
    assert fit.aic(X, y) == pytest.approx(-2 * fit.log_likelihood_ + 26)
    np.testing.assert_allclose(fit.posterior(X, y).sum(axis=1), 1)
    residual = y - fit.predict(X)
    r2 = 1 - np.sum(residual**2) / np.sum((y - y.mean()) ** 2)
    assert fit.score(X, y) == pytest.approx(r2)
    stages = {"two-loss": ["experts", "gates", "refine"], "em": ["em", "refine"]}[method]
    assert list(fit.history_) == stages
    z = fit.experts_ - model.experts[np.abs(fit.experts_ @ model.experts.T).argmax(axis=1)]
    assert np.abs(z / fit.standard_errors_.experts).max() < 5


def test_attributes_are_those_of_the_model_and_the_stages(standard):
    _, X, y = standard(3000, **DESIGN)
    fit = MixtureOfExperts(fit_intercept=True, random_state=0).fit(X, y)
    for name in ("experts", "gates", "noise", "expert_intercepts", "gate_intercepts"):
        np.testing.assert_array_equal(getattr(fit, f"{name}_"), getattr(fit.model_, name))
    np.testing.assert_array_equal(fit.predict(X), fit.model_.mean(X))
    np.testing.assert_array_equal(fit.posterior(X, y), fit.model_.posterior(X, y))
    np.testing.assert_array_equal(fit.gate_fit_.model.experts, fit.expert_fit_.experts)
    assert fit.path_["refine"][0] is fit.gate_fit_.model
    assert not hasattr(fit, "start_objectives_")


def test_refine_false_stops_after_the_two_losses(standard):
    model, X, y = standard(8000, **DESIGN)
    fit = MixtureOfExperts(refine=False, random_state=0).fit(X, y)
    np.testing.assert_allclose(np.linalg.norm(fit.experts_, axis=1), 1)
    assert fit.standard_errors_ is None
    assert regressor_error(fit.experts_, model.experts) < 0.1
    em = MixtureOfExperts(method="em", refine=False, random_state=0).fit(X, y)
    assert list(em.history_) == ["em"]
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        MixtureOfExperts(method="em", refine=False, max_iter=2, random_state=0).fit(X, y)


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_known_noise_stays(standard, method):
    _, X, y = standard(2000, **DESIGN)
    fit = MixtureOfExperts(method=method, noise=0.07, random_state=0).fit(X, y)
    assert fit.noise_ == 0.07 and fit.n_parameters_ == 12
    assert fit.standard_errors_.noise == 0


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_intercepts_are_recovered_by_both_methods(standard, method):
    model, X, y = standard(4000, **DESIGN)
    fit = MixtureOfExperts(method=method, fit_intercept=True, random_state=0).fit(X, y + 0.5)
    np.testing.assert_allclose(fit.expert_intercepts_, 0.5, atol=0.02)
    assert regressor_error(fit.experts_, model.experts) < 1e-3


def test_constant_gate_is_a_mixture_of_regressions():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (3000, 1))
    first = rng.random(3000) < 0.3
    y = np.where(first, 1 + 2 * x[:, 0], -1 - x[:, 0]) + 0.1 * rng.standard_normal(3000)
    settings = dict(method="em", fit_intercept=True, n_init=5, random_state=0)
    fit = MixtureOfExperts(constant_gate=True, **settings).fit(x, y)
    order = np.argsort(fit.experts_[:, 0])
    np.testing.assert_allclose(fit.experts_[order, 0], [-1, 2], atol=0.03)
    np.testing.assert_allclose(fit.expert_intercepts_[order], [-1, 1], atol=0.03)
    np.testing.assert_array_equal(fit.gates_, 0)
    share = fit.model_.gate_probabilities(x)[0, order[1]]
    assert share == pytest.approx(first.mean(), abs=0.02)
    assert fit.n_parameters_ == 6
    free = MixtureOfExperts(**settings).fit(x, y)
    assert fit.bic(x, y) < free.bic(x, y)  # here the gate does not depend on x


def test_one_regime_fits_like_least_squares():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 3))
    y = X @ [1.0, 2, 3] + rng.standard_normal(500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = MixtureOfExperts(method="em", random_state=0, n_init=3).fit(X, y)
    ols = LinearRegression(fit_intercept=False).fit(X, y)
    assert fit.score(X, y) > ols.score(X, y) - 0.02


@pytest.mark.slow
def test_two_losses_with_bounded_experts(standard):
    model, X, y = standard(60_000, d=6, n_experts=3, noise=0.1, link="tanh")
    fit = MixtureOfExperts(n_experts=3, link="tanh", random_state=0).fit(X, y)
    assert regressor_error(fit.expert_fit_.experts, model.experts) < 0.02
    assert regressor_error(fit.experts_, model.experts) < 1e-4


def test_ridge_of_a_fit_is_that_of_its_score(standard):
    """Penalised EM and scoring end where the penalised gradient vanishes."""
    model, X, y = standard(2000, d=6, noise=0.3)
    fit = MixtureOfExperts(3, gate_ridge=0.05, random_state=0).fit(X, y)
    log_normals = log_normal_density((y[:, None] - X @ fit.experts_.T) ** 2, fit.noise_**2)
    plain = gate_gradient(np.array(fit.gates_), X, log_normals)
    np.testing.assert_allclose(plain, -0.05 * fit.gates_, atol=1e-4)
    assert np.linalg.norm(fit.gates_) < 0.9 * np.linalg.norm(model.gates)
    wider = standard_errors(fit.model_, X, y)
    free = FreeParameters(gate_ridge=0.05)
    assert np.all(standard_errors(fit.model_, X, y, free=free).gates < wider.gates)


# --- starts and weights ---------------------------------------------------------------------------


def test_same_seed_same_fit_and_restarts_help(standard):
    _, X, y = standard(300, **DESIGN)
    one, two = (MixtureOfExperts(method="em", n_init=3, random_state=5).fit(X, y) for _ in "ab")
    np.testing.assert_array_equal(one.experts_, two.experts_)
    assert len(one.start_objectives_) == 3
    assert one.log_likelihood_ / 300 >= one.start_objectives_.max() - 1e-12
    for state in (np.random.default_rng(0), np.random.RandomState(0), None, np.int64(3)):
        MixtureOfExperts(method="em", random_state=state).fit(X, y)


def test_progress_is_shown_when_asked_for(standard, capsys):
    _, X, y = standard(300, **DESIGN)
    MixtureOfExperts(method="em", n_init=2, verbose=True, random_state=0).fit(X, y)
    assert "em starts" in capsys.readouterr().err
    MixtureOfExperts(method="em", n_init=2, random_state=0).fit(X, y)
    assert capsys.readouterr().err == ""


def test_start_from_a_model(standard):
    model, X, y = standard(3000, d=5, n_experts=2, noise=0.3)
    fit = MixtureOfExperts(2, method="em", init=model).fit(X, y)
    assert fit.path_["em"][0].log_density(X, y).mean() == fit.history_["em"][0]
    np.testing.assert_array_equal(fit.path_["em"][0].experts, model.experts)
    known = MixtureOfExperts(2, method="em", init=model, noise=0.4).fit(X, y)
    assert known.path_["em"][0].noise == known.noise_ == 0.4


@pytest.mark.parametrize("init", ["random", "kmeans"])
def test_weighted_starts_do_not_see_samples_of_weight_zero(standard, init):
    _, X, y = standard(400, d=5, n_experts=2, noise=0.3)
    X[:50], y[:50] = 1e3, 1e3
    weight = np.where(np.arange(400) < 50, 0.0, 1.0)
    settings = dict(method="em", init=init, random_state=0, fit_intercept=True)
    left_out = MixtureOfExperts(2, **settings).fit(X[50:], y[50:])
    weighted = MixtureOfExperts(2, **settings).fit(X, y, sample_weight=weight)
    if init == "random":
        np.testing.assert_allclose(weighted.experts_, left_out.experts_, atol=1e-5)
    assert np.abs(weighted.experts_).max() < 3
