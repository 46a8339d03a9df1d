"""The estimator: scikit-learn's own checks, what it learns, its attributes, weights and starts."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from moelib import (
    AssumptionWarning,
    ConvergenceWarning,
    MixtureOfExperts,
    regressor_error,
    standard_errors,
    standard_model,
)
from moelib.gates.loss import gate_gradient, log_normal_density

DESIGN = dict(d=4, n_experts=2)
THEORY = dict(fit_intercept=False, noise="shared", n_init=1, random_state=0)
TOO_FEW = "has fewer samples than the experts have parameters, which this estimator refuses"


# --- scikit-learn ---------------------------------------------------------------------------------


def expected_failures(estimator):
    """Those with too few samples, which other tests stand in for; for one expert a single one."""
    names = ["check_sample_weight_equivalence_on_dense_data"]
    if estimator.n_experts == 1:
        return dict.fromkeys(names, TOO_FEW)
    names += ["check_estimators_nan_inf", "check_regressors_no_decision_function"]
    if not estimator.constant_gate:
        names += ["check_n_features_in_after_fitting"]
    if estimator.method == "em" and not estimator.constant_gate:
        names += ["check_estimators_dtypes"]
    return dict.fromkeys(names, TOO_FEW)


@pytest.mark.filterwarnings("ignore::moelib.AssumptionWarning")
@pytest.mark.filterwarnings("ignore::moelib.ConvergenceWarning")
@parametrize_with_checks(
    [
        MixtureOfExperts(1),
        MixtureOfExperts(n_init=2),
        MixtureOfExperts(n_init=2, constant_gate=True),
        MixtureOfExperts(method="two-loss"),
    ],
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
    fit = MixtureOfExperts(method=method, n_init=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="Input X contains (NaN|infinity)"):
        fit.predict(broken)
    with pytest.raises(ValueError, match="y must be finite, got 1 NaN or infinite entries"):
        fit.log_density(X, labels)


def test_no_decision_function(standard):
    """What check_regressors_no_decision_function asks, on enough samples."""
    _, X, y = standard(400, **DESIGN)
    fit = MixtureOfExperts(n_init=1, random_state=0).fit(X, y)
    for name in ("decision_function", "predict_proba", "predict_log_proba"):
        assert not hasattr(fit, name)


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_integer_float32_and_dataframe_input(standard, method):
    _, X, y = standard(3000, **DESIGN)
    estimator = MixtureOfExperts(method=method, n_init=2, random_state=0)
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
        estimator = MixtureOfExperts(method=method, n_init=2, random_state=0)
        estimator.fit(pd.DataFrame(X, columns=list("abcd")), y)


# --- what it learns -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_attributes_and_scores(standard, method):
    model, X, y = standard(3000, **DESIGN)
    fit = MixtureOfExperts(method=method, n_init=2, random_state=0).fit(X, y)
    q = 16 + (method == "em")  # a noise for each expert
    assert regressor_error(fit.experts_, model.experts) < 1e-3
    assert fit.gates_.shape == (1, 4) and fit.standard_errors_.experts.shape == (2, 4)
    assert fit.converged_ and fit.n_iter_ >= 1 and fit.n_parameters_ == q
    assert fit.sound_ and fit.remarks_ == [] and fit.terms_ == ["x1", "x2", "x3", "x4"]
    assert fit.method_ == method and fit.n_samples_ == 3000
    assert fit.log_likelihood_ == pytest.approx(fit.log_density(X, y).sum())
    assert fit.log_likelihood_ >= model.log_density(X, y).sum()
    assert fit.bic(X, y) == pytest.approx(-2 * fit.log_likelihood_ + q * np.log(3000))
    assert fit.aic(X, y) == pytest.approx(-2 * fit.log_likelihood_ + 2 * q)
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
    fit = MixtureOfExperts(method="two-loss", random_state=0).fit(X, y)
    for name in ("experts", "gates", "noise", "noises", "expert_intercepts", "gate_intercepts"):
        np.testing.assert_array_equal(getattr(fit, f"{name}_"), getattr(fit.model_, name))
    np.testing.assert_array_equal(fit.predict(X), fit.model_.mean(X))
    np.testing.assert_array_equal(fit.posterior(X, y), fit.model_.posterior(X, y))
    np.testing.assert_array_equal(fit.gate_fit_.model.experts, fit.expert_fit_.experts)
    last, first = fit.gate_fit_.model, fit.path_["refine"][0]
    np.testing.assert_allclose(first.gates, last.gates, rtol=1e-12)
    np.testing.assert_allclose(first.mean(X), last.mean(X), atol=1e-12)
    assert fit.path_["refine"][-1] is fit.model_
    assert not hasattr(fit, "start_objectives_")


def test_the_one_noise_of_a_fit_with_a_noise_for_each_is_their_root_mean_square():
    """Over the samples, by how often each expert answered; the sample's residuals say the same."""
    model = replace(standard_model(**DESIGN), noise=[0.1, 1.0])
    X, y = model.sample(3000, np.random.default_rng(0))
    fit = MixtureOfExperts(n_init=3, random_state=0).fit(X, y)
    assert isinstance(fit.noise_, float) and fit.noises_.shape == (2,)
    squares = (y[:, None] - fit.expert_answers(X)) ** 2
    r = fit.posterior(X, y)
    np.testing.assert_allclose(fit.noises_**2, (r * squares).sum(axis=0) / r.sum(axis=0), rtol=1e-4)
    assert fit.noise_**2 == pytest.approx((r * squares).sum() / 3000, rel=1e-4)
    shared = MixtureOfExperts(noise="shared", n_init=3, random_state=0)
    with pytest.warns(AssumptionWarning, match="Use noise='per-expert'"):
        shared.fit(X, y)
    assert shared.noise_ == shared.model_.noise and np.ptp(shared.noises_) == 0


def test_refine_false_stops_after_the_two_losses(standard):
    model, X, y = standard(8000, **DESIGN)
    fit = MixtureOfExperts(method="two-loss", refine=False, random_state=0).fit(X, y)
    np.testing.assert_allclose(np.linalg.norm(fit.experts_, axis=1), 1)
    assert fit.standard_errors_ is None
    assert regressor_error(fit.experts_, model.experts) < 0.1
    em = MixtureOfExperts(refine=False, n_init=1, random_state=0).fit(X, y)
    assert list(em.history_) == ["em"]
    short = MixtureOfExperts(refine=False, n_init=1, max_iter=2, random_state=0)
    with pytest.warns(ConvergenceWarning, match="2 experts did not converge in 2 .*raise max_iter"):
        short.fit(X, y)
    assert not short.converged_ and short.summary().facts["converged"] == "no"
    assert any("did not converge" in remark for remark in short.remarks_)


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_known_noise_stays(standard, method):
    """To its last digit, though the fit is done in other units."""
    _, X, y = standard(2000, **DESIGN)
    for scale in (1, 7e3):
        estimator = MixtureOfExperts(method=method, noise=0.07 * scale, n_init=2, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AssumptionWarning)  # the moments: of other labels
            fit = estimator.fit(X, y * scale)
        assert fit.noise_ == 0.07 * scale and fit.n_parameters_ == 15
        np.testing.assert_array_equal(fit.noises_, 0.07 * scale)
        assert all(model.noise == fit.noise_ for model in fit.path_["refine"])
        assert fit.standard_errors_.noise == 0
        assert "noise" not in fit.summary().table.index.get_level_values("part")


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_intercepts_are_recovered_by_both_methods(standard, method):
    model, X, y = standard(4000, **DESIGN)
    for shift in (0.5, 10.0, 1e4):
        fit = MixtureOfExperts(method=method, n_init=2, random_state=0).fit(X, y + shift)
        np.testing.assert_allclose(fit.expert_intercepts_, shift, atol=0.02)
        assert regressor_error(fit.experts_, model.experts) < 1e-3
        assert fit.remarks_ == []


def test_constant_gate_is_a_mixture_of_regressions():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (3000, 1))
    first = rng.random(3000) < 0.3
    y = np.where(first, 1 + 2 * x[:, 0], -1 - x[:, 0]) + 0.1 * rng.standard_normal(3000)
    settings = dict(n_init=5, random_state=0)
    fit = MixtureOfExperts(constant_gate=True, **settings).fit(x, y)
    same = MixtureOfExperts(gate_features=[], **settings).fit(x, y)
    assert same.log_likelihood_ == fit.log_likelihood_ and same.free_.gate_slopes is False
    order = np.argsort(fit.experts_[:, 0])
    np.testing.assert_allclose(fit.experts_[order, 0], [-1, 2], atol=0.03)
    np.testing.assert_allclose(fit.expert_intercepts_[order], [-1, 1], atol=0.03)
    np.testing.assert_array_equal(fit.gates_, 0)
    share = fit.gate_probabilities(x)[0, order[1]]
    assert share == pytest.approx(first.mean(), abs=0.02)
    assert fit.n_parameters_ == 7
    free = MixtureOfExperts(**settings).fit(x, y)
    assert fit.bic(x, y) < free.bic(x, y)  # here the gate does not depend on x


def test_one_regime_fits_like_least_squares():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 3))
    y = X @ [1.0, 2, 3] + rng.standard_normal(500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = MixtureOfExperts(random_state=0, n_init=3).fit(X, y)
    ols = LinearRegression().fit(X, y)
    assert fit.score(X, y) > ols.score(X, y) - 0.02


@pytest.mark.slow
def test_two_losses_with_bounded_experts(standard):
    model, X, y = standard(60_000, d=6, n_experts=3, noise=0.1, link="tanh")
    fit = MixtureOfExperts(3, "two-loss", link="tanh", **THEORY).fit(X, y)
    assert regressor_error(fit.expert_fit_.experts, model.experts) < 0.02
    assert regressor_error(fit.experts_, model.experts) < 1e-4


def test_ridge_of_a_fit_is_that_of_its_score(standard):
    """Penalised climbs end where the penalised gradient vanishes, for slopes of unit spread."""
    model, X, y = standard(2000, d=6, noise=0.3)
    units = np.array([1.0, 20, 0.1, 1, 1, 5])
    for factor in (np.ones(6), units):
        fit = MixtureOfExperts(3, "two-loss", gate_ridge=0.05, **THEORY)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AssumptionWarning)  # columns of other spread
            fit.fit(X * factor, y)
        gates, experts = fit.gates_ * factor, fit.experts_ * factor
        log_normals = log_normal_density((y[:, None] - X @ experts.T) ** 2, fit.noise_**2)
        plain = gate_gradient(gates, X, log_normals)
        np.testing.assert_allclose(plain, -0.05 * X.var(axis=0) * gates, atol=1e-4)
        assert np.linalg.norm(gates) < 0.9 * np.linalg.norm(model.gates)
        np.testing.assert_allclose(fit.free_.gate_ridge, 0.05 * (X * factor).var(axis=0))
        wider = standard_errors(fit.model_, X * factor, y)
        assert np.all(fit.standard_errors_.gates < wider.gates)


# --- starts and weights ---------------------------------------------------------------------------


def test_same_seed_same_fit_and_restarts_help(standard):
    _, X, y = standard(300, **DESIGN)
    one, two = (MixtureOfExperts(n_init=3, random_state=5).fit(X, y) for _ in "ab")
    np.testing.assert_array_equal(one.experts_, two.experts_)
    assert len(one.start_objectives_) == 3
    assert one.log_likelihood_ / 300 >= one.start_objectives_.max() - 1e-12
    for state in (np.random.default_rng(0), np.random.RandomState(0), None, np.int64(3)):
        MixtureOfExperts(n_init=1, random_state=state).fit(X, y)


def test_progress_is_shown_when_asked_for(standard, capsys):
    _, X, y = standard(300, **DESIGN)
    MixtureOfExperts(n_init=2, verbose=True, random_state=0).fit(X, y)
    assert "em starts" in capsys.readouterr().err
    auto = MixtureOfExperts(method="auto", n_init=1, verbose=True, random_state=0).fit(X, y)
    assert f"method='auto' chose '{auto.method_}' for 2 experts" in capsys.readouterr().out
    MixtureOfExperts(n_init=2, random_state=0).fit(X, y)
    assert capsys.readouterr().err == ""


def test_start_from_a_model(standard):
    model, X, y = standard(3000, d=5, n_experts=2, noise=0.3)
    for settings in ({}, THEORY):
        fit = MixtureOfExperts(2, init=model, **({"n_init": 1} | settings)).fit(X, y)
        first = fit.path_["em"][0]
        np.testing.assert_allclose(first.log_density(X, y).mean(), fit.history_["em"][0])
        np.testing.assert_allclose(first.log_density(X, y), model.log_density(X, y), atol=1e-10)
        np.testing.assert_allclose(first.experts, model.experts, atol=1e-12)
    known = MixtureOfExperts(2, init=model, noise=0.4, n_init=1).fit(X, y)
    assert known.path_["em"][0].noise == known.noise_ == 0.4


@pytest.mark.parametrize("init", ["random", "kmeans"])
def test_weighted_starts_do_not_see_samples_of_weight_zero(standard, init):
    _, X, y = standard(400, d=5, n_experts=2, noise=0.3)
    X[:50], y[:50] = 1e3, 1e3
    weight = np.where(np.arange(400) < 50, 0.0, 1.0)
    settings = dict(init=init, random_state=0, n_init=1)
    left_out = MixtureOfExperts(2, **settings).fit(X[50:], y[50:])
    weighted = MixtureOfExperts(2, **settings).fit(X, y, sample_weight=weight)
    if init == "random":
        np.testing.assert_allclose(weighted.experts_, left_out.experts_, atol=1e-5)
    assert np.abs(weighted.experts_).max() < 3
