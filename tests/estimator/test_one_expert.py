"""One expert is a regression: everything as least squares has it."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit
from scipy.stats import norm

from moelib import MixtureOfExperts
from moelib.estimator.methods import METHODS


def data(seed, n=60, d=3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * [1.0, 20.0, 0.01] + [0.0, 2000.0, 5.0]
    y = 300 + X @ [1.0, -0.2, 40.0] + rng.standard_normal(n)
    return X, y, rng.integers(4, size=n).astype(float)


def least_squares(X, y, weights, intercept=True):
    """Coefficients, noise at the maximum of the likelihood, and (Z' W Z)^-1, by a QR."""
    centre = np.average(X, axis=0, weights=weights) if intercept else np.zeros(X.shape[1])
    Z = X - centre
    if intercept:
        Z = np.column_stack([Z, np.ones(len(X))])
    root = np.sqrt(weights)[:, None]
    Q, R = np.linalg.qr(root * Z)
    beta = np.linalg.solve(R, Q.T @ (root[:, 0] * y))
    residual = y - Z @ beta
    sigma = np.sqrt(np.average(residual**2, weights=weights))
    back = np.eye(len(beta))  # the intercept of the columns as they are
    if intercept:
        back[-1, :-1] = -centre
    inverse = back @ np.linalg.inv(R.T @ R) @ back.T
    return back @ beta, sigma, inverse, residual, Z @ np.linalg.inv(back)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_one_expert_is_least_squares(seed, intercept, weighted):
    X, y, counts = data(seed)
    weights = counts if weighted else np.ones(len(y))
    settings = dict(fit_intercept=intercept, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that an intercept is missing
        fit = MixtureOfExperts(1, **settings).fit(X, y, counts if weighted else None)
    beta, sigma, inverse, residual, Z = least_squares(X, y, weights, intercept)
    found = np.append(fit.experts_[0], fit.expert_intercepts_[0] if intercept else [])
    np.testing.assert_allclose(found, beta, rtol=1e-8)
    np.testing.assert_allclose([fit.noise_, *fit.noises_], sigma, rtol=1e-9)
    assert fit.n_parameters_ == len(beta) + 1 and fit.gates_.shape == (0, 3)
    errors = fit.standard_errors_
    own = np.append(errors.experts[0], errors.expert_intercepts[0] if intercept else [])
    np.testing.assert_allclose(own, sigma * np.sqrt(np.diag(inverse)), rtol=1e-7)
    assert errors.noise == pytest.approx(sigma / np.sqrt(2 * weights.sum()), rel=1e-7)
    meat = (Z * (weights * residual**2)[:, None]).T @ Z  # White's sandwich, HC0
    robust = np.sqrt(np.diag(inverse @ meat @ inverse))
    errors = fit.robust_standard_errors_
    own = np.append(errors.experts[0], errors.expert_intercepts[0] if intercept else [])
    np.testing.assert_allclose(own, robust, rtol=1e-6)
    density = norm(y - residual, sigma).logpdf(y)
    assert fit.log_likelihood_ == pytest.approx(weights @ density, rel=1e-10)
    np.testing.assert_allclose(fit.log_density(X, y), density, rtol=1e-7)
    np.testing.assert_allclose(fit.predict(X), y - residual, rtol=1e-9)


@pytest.mark.parametrize("method", [*METHODS, "auto"])
def test_every_method_fits_one_expert(method):
    """They all have the same maximum, which is found from any start."""
    X, y, _ = data(0)
    beta, sigma, _, _, _ = least_squares(X, y, np.ones(len(y)))
    fit = MixtureOfExperts(1, method, random_state=0).fit(X, y)
    np.testing.assert_allclose(np.append(fit.experts_, fit.expert_intercepts_), beta, rtol=1e-8)
    assert fit.noise_ == pytest.approx(sigma) and fit.converged_ and fit.remarks_ == []


def test_tables_and_predictions_of_one_expert():
    X, y, _ = data(1)
    frame = pd.DataFrame(X, columns=["a", "year", "b"])
    fit = MixtureOfExperts(1, random_state=0).fit(frame, y)
    table = fit.summary().table
    assert list(table.index) == [
        ("expert", "1", "a"),
        ("expert", "1", "year"),
        ("expert", "1", "b"),
        ("expert", "1", "intercept"),
        ("noise", "", ""),
    ]
    np.testing.assert_array_equal(fit.gate_probabilities(frame), 1)
    np.testing.assert_array_equal(fit.posterior(frame, y), 1)
    assert fit.entropy_ == 0 and fit.icl(frame, y) == fit.bic(frame, y)
    low, high = fit.predict_interval(frame, 0.9).T
    z = norm.ppf(0.95) * fit.noise_
    np.testing.assert_allclose(low, fit.predict(frame) - z, rtol=1e-9)
    np.testing.assert_allclose(high, fit.predict(frame) + z, rtol=1e-9)
    assert fit.relabel([0]) is fit
    np.testing.assert_array_equal(fit.summary().table["s.e."], table["s.e."])


@pytest.mark.parametrize("link", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("seed", range(3))
def test_one_expert_with_a_link_is_nonlinear_least_squares(link, seed):
    """Several starts: a single one may end where the link is flat."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((400, 2))
    g = {
        "tanh": np.tanh,
        "sigmoid": lambda t: 1 / (1 + np.exp(-t)),
        "relu": lambda t: np.maximum(t, 0),
    }[link]
    truth = np.array([1.0, -0.5, 0.3])
    Z = np.column_stack([X, np.ones(400)])
    y = g(Z @ truth) + 0.1 * rng.standard_normal(400)
    fit = MixtureOfExperts(1, link=link, random_state=seed).fit(X, y)
    best, _ = curve_fit(lambda Z, *a: g(Z @ np.array(a)), Z, y, p0=truth)
    if link != "relu":  # whose squares have many minima, between the kinks
        np.testing.assert_allclose(np.append(fit.experts_, fit.expert_intercepts_), best, atol=1e-4)
    spread = np.sqrt(np.mean((y - g(Z @ best)) ** 2))
    assert 0.99 * spread < fit.noise_ < 1.0001 * spread


def test_a_known_noise_and_a_start_of_one_expert():
    X, y, _ = data(2)
    fit = MixtureOfExperts(1, noise=2.0).fit(X, y)
    _, _, inverse, _, _ = least_squares(X, y, np.ones(len(y)))
    own = np.append(fit.standard_errors_.experts, fit.standard_errors_.expert_intercepts)
    np.testing.assert_allclose(own, 2.0 * np.sqrt(np.diag(inverse)), rtol=1e-7)
    assert fit.noise_ == 2.0 and fit.n_parameters_ == 4
    again = MixtureOfExperts(1, init=fit.model_).fit(X, y)
    np.testing.assert_allclose(again.experts_, fit.experts_, rtol=1e-8)
