"""The estimator: scikit-learn's own checks, bad input, both methods, attributes."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from moelib import (
    AssumptionWarning,
    ConvergenceWarning,
    MixtureOfExperts,
    regressor_error,
    standard_model,
)

TOO_FEW = (
    "fits two experts to 10 samples, fewer than their parameters, which this estimator refuses"
)


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


def data(n=400, **design):
    model = standard_model(**({"d": 4, "n_experts": 2} | design))
    return (model, *model.sample(n, np.random.default_rng(0)))


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_nan_and_infinite_input_are_refused(method):
    """What check_estimators_nan_inf asks, on enough samples."""
    _, X, y = data()
    for bad in (np.nan, np.inf):
        broken = X.copy()
        broken[3, 1] = bad
        with pytest.raises(ValueError, match="Input X contains (NaN|infinity)"):
            MixtureOfExperts(method=method).fit(broken, y)
        labels = y.copy()
        labels[3] = bad
        with pytest.raises(ValueError, match="Input y contains (NaN|infinity)"):
            MixtureOfExperts(method=method).fit(X, labels)
    fit = MixtureOfExperts(method=method, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        fit.predict(np.where(X > 2, np.nan, X))


def test_no_decision_function():
    """What check_regressors_no_decision_function asks, on enough samples."""
    _, X, y = data()
    fit = MixtureOfExperts(random_state=0).fit(X, y)
    for name in ("decision_function", "predict_proba", "predict_log_proba"):
        assert not hasattr(fit, name)


@pytest.mark.parametrize(
    "parameters, message",
    [
        (dict(n_experts=1), "n_experts must be an integer of at least 2, got 1"),
        (dict(n_experts=2.0), "n_experts must be an integer"),
        (dict(n_init=0), "n_init must be an integer of at least 1"),
        (dict(max_iter=0), "max_iter must be an integer of at least 1"),
        (dict(tol=0), "tol must be a positive"),
        (dict(noise=0), "noise must be a positive"),
        (dict(noise=-0.1), "noise must be a positive"),
        (dict(noise=np.nan), "noise must be a positive"),
        (dict(method="adam"), "method must be one of 'two-loss', 'l4-sgd', .*'em', .*; got 'adam'"),
        (dict(link="cubic"), "link must be one of"),
        (dict(mu=1.0), "mu must lie strictly between 0 and 1"),
        (dict(n_experts=5), "which the two-loss method needs .k <= d.: use method='em'"),
        (dict(constant_gate=True), "constant_gate=True needs method='em'"),
        (dict(fit_intercept=True, refine=False), "needs refine=True"),
        (dict(random_state="seed"), "random_state must be None"),
        (dict(random_state=-1), "random_state must be None"),
        (dict(link=np.sign, noise=1e-9), "is not valid at noise"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    _, X, y = data()
    with pytest.raises(ValueError, match=message):
        MixtureOfExperts(**parameters).fit(X, y)


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_bad_data_are_refused(method):
    _, X, y = data()
    estimator = MixtureOfExperts(method=method, random_state=0)
    with pytest.raises(ValueError, match="y is constant"):
        estimator.fit(X, np.full(len(y), 3.0))
    with pytest.raises(ValueError, match="n_samples=13.* at least 14 samples"):
        estimator.fit(X[:13], y[:13])
    with pytest.raises(ValueError, match="Expected 2D array"):
        estimator.fit(y, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        estimator.fit(X, y[1:])
    with pytest.raises(TypeError, match="[Ss]parse"):
        estimator.fit(sparse.csr_array(X), y)
    fit = estimator.fit(X, y)
    with pytest.raises(ValueError, match="expecting 4 features"):
        fit.predict(X[:, :3])
    with pytest.raises(ValueError, match="y must have length 400"):
        fit.log_density(X, y[1:])


def test_duplicate_columns():
    _, X, y = data()
    doubled = np.hstack([X, X[:, :1]])
    with pytest.raises(ValueError, match="columns of X repeat.*method='em'"):
        MixtureOfExperts().fit(doubled, y)
    with pytest.warns(AssumptionWarning, match="not determined"):
        fit = MixtureOfExperts(method="em", n_init=3, random_state=0).fit(doubled, y)
    assert np.all(np.isfinite(fit.predict(doubled)))
    assert not np.any(np.isnan(fit.standard_errors_.experts))


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_integer_float32_and_dataframe_input(method):
    _, X, y = data(n=3000)
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


def test_inputs_that_are_not_standard_normal_are_named():
    _, X, y = data(n=2000)
    for broken, message in [
        (X + 1, "has mean"),
        (X * 2, "covariance has eigenvalues"),
        (np.sign(X) + 0.01 * X, "kurtosis"),
    ]:
        with pytest.warns(AssumptionWarning, match=f"standard normal.*{message}"):
            MixtureOfExperts(random_state=0).fit(broken, y)
    with pytest.warns(AssumptionWarning, match="labels' mean square"):
        MixtureOfExperts(random_state=0).fit(X, y / 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MixtureOfExperts(random_state=0).fit(X, y)


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_attributes_and_scores(method):
    model, X, y = data(n=3000)
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


def test_refine_false_stops_after_the_two_losses():
    model, X, y = data(n=8000)
    fit = MixtureOfExperts(refine=False, random_state=0).fit(X, y)
    np.testing.assert_allclose(np.linalg.norm(fit.experts_, axis=1), 1)
    assert fit.standard_errors_ is None
    assert regressor_error(fit.experts_, model.experts) < 0.1
    em = MixtureOfExperts(method="em", refine=False, random_state=0).fit(X, y)
    assert list(em.history_) == ["em"]
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        MixtureOfExperts(method="em", refine=False, max_iter=2, random_state=0).fit(X, y)


def test_known_noise_stays():
    _, X, y = data(n=2000)
    for method in ("two-loss", "em"):
        fit = MixtureOfExperts(method=method, noise=0.07, random_state=0).fit(X, y)
        assert fit.noise_ == 0.07 and fit.n_parameters_ == 12
        assert fit.standard_errors_.noise == 0


def test_intercepts_are_recovered_by_both_methods():
    model, X, y = data(n=4000)
    shifted = y + 0.5
    for method in ("two-loss", "em"):
        fit = MixtureOfExperts(method=method, fit_intercept=True, random_state=0)
        np.testing.assert_allclose(fit.fit(X, shifted).expert_intercepts_, 0.5, atol=0.02)
        assert regressor_error(fit.experts_, model.experts) < 1e-3


def test_same_seed_same_fit_and_restarts_help():
    _, X, y = data(n=300)
    one, two = (MixtureOfExperts(method="em", n_init=3, random_state=5).fit(X, y) for _ in "ab")
    np.testing.assert_array_equal(one.experts_, two.experts_)
    assert len(one.start_objectives_) == 3
    assert one.log_likelihood_ / 300 >= one.start_objectives_.max() - 1e-12
    for state in (np.random.default_rng(0), np.random.RandomState(0), None, np.int64(3)):
        MixtureOfExperts(method="em", random_state=state).fit(X, y)


def test_progress_is_shown_when_asked_for(capsys):
    _, X, y = data(n=300)
    MixtureOfExperts(method="em", n_init=2, verbose=True, random_state=0).fit(X, y)
    assert "em starts" in capsys.readouterr().err


def test_constant_gate_is_a_mixture_of_regressions():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (3000, 1))
    first = rng.random(3000) < 0.3
    y = np.where(first, 1 + 2 * x[:, 0], -1 - x[:, 0]) + 0.1 * rng.standard_normal(3000)
    fit = MixtureOfExperts(
        method="em", fit_intercept=True, constant_gate=True, n_init=5, random_state=0
    ).fit(x, y)
    order = np.argsort(fit.experts_[:, 0])
    np.testing.assert_allclose(fit.experts_[order, 0], [-1, 2], atol=0.03)
    np.testing.assert_allclose(fit.expert_intercepts_[order], [-1, 1], atol=0.03)
    np.testing.assert_array_equal(fit.gates_, 0)
    share = fit.model_.gate_probabilities(x)[0, order[1]]
    assert share == pytest.approx(first.mean(), abs=0.02)
    assert fit.n_parameters_ == 6
    free = MixtureOfExperts(method="em", fit_intercept=True, n_init=5, random_state=0).fit(x, y)
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
def test_two_losses_with_bounded_experts():
    model = standard_model(d=6, n_experts=3, noise=0.1, link="tanh")
    X, y = model.sample(60_000, np.random.default_rng(0))
    fit = MixtureOfExperts(n_experts=3, link="tanh", random_state=0).fit(X, y)
    assert regressor_error(fit.expert_fit_.experts, model.experts) < 0.02
    assert regressor_error(fit.experts_, model.experts) < 1e-4
