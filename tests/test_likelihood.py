"""EM, maximum likelihood and standard errors, against closed forms and finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib import (
    AssumptionWarning,
    ConvergenceWarning,
    FreeParameters,
    GatedModel,
    expectation_maximization,
    match_experts,
    maximum_likelihood,
    random_start,
    regressor_error,
    standard_errors,
    standard_model,
)
from moelib.likelihood.em import m_step
from moelib.likelihood.score import mean_score, score_moments, scores

ALL_FREE = [
    FreeParameters(),
    FreeParameters(intercepts=True),
    FreeParameters(intercepts=True, noise=False),
    FreeParameters(intercepts=True, gate_slopes=False),
    FreeParameters(gate_slopes=False),
]


def instance(seed=0, n=120, link="identity", free=FreeParameters(), k=3, d=2):
    rng = np.random.default_rng(seed)
    model = GatedModel(
        rng.standard_normal((k, d)),
        rng.standard_normal((k - 1, d)) * free.gate_slopes,
        0.5,
        link,
        rng.standard_normal(k) * free.intercepts,
        rng.standard_normal(k - 1) * free.gate_intercepts,
    )
    return (model, *model.sample(n, rng))


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["identity", "relu", "tanh", "sigmoid"]),
    st.sampled_from(ALL_FREE),
)
def test_em_never_lowers_the_likelihood(seed, link, free):
    _, X, y = instance(seed, link=link, free=free)
    start = random_start(X, y, 3, np.random.default_rng(seed), link, free.intercepts)
    fit = expectation_maximization(X, y, start, free, max_iter=10**4)
    assert np.all(np.diff(fit.history) >= -1e-10)
    assert fit.converged
    assert np.isfinite(fit.log_likelihood)


def test_expert_m_step_is_weighted_least_squares():
    model, X, y = instance()
    weights = model.posterior(X, y)
    new = m_step(model, X, X, y, weights, FreeParameters())
    for a, weight in zip(new.experts, weights.T, strict=True):
        root = np.sqrt(weight)
        by_hand = np.linalg.lstsq(X * root[:, None], y * root, rcond=None)[0]
        np.testing.assert_allclose(a, by_hand, atol=1e-9)
    residual = np.sum(weights * (y[:, None] - X @ new.experts.T) ** 2)
    assert new.noise == pytest.approx(np.sqrt(residual / len(y)))


def test_frozen_parameters_do_not_move():
    model, X, y = instance()
    free = FreeParameters(noise=False, gate_slopes=False)
    fit = expectation_maximization(X, y, model, free)
    assert fit.model.noise == model.noise
    np.testing.assert_array_equal(fit.model.gates, model.gates)
    np.testing.assert_array_equal(fit.model.expert_intercepts, 0)


def test_em_with_k_equal_regressions_known_in_closed_form():
    """With identical experts and an indifferent gate EM stays at ordinary least squares."""
    _, X, y = instance()
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    start = GatedModel([beta, beta], np.zeros((1, 2)), 1.0)
    fit = expectation_maximization(X, y, start)
    np.testing.assert_allclose(fit.model.experts, [beta, beta], atol=1e-9)
    sigma = np.sqrt(np.mean((y - X @ beta) ** 2))
    expected = -0.5 * np.log(2 * np.pi * sigma**2) - 0.5
    assert fit.log_likelihood == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("free", ALL_FREE)
@pytest.mark.parametrize("link", ["identity", "tanh", "sigmoid"])
def test_scores_against_finite_differences(link, free):
    model, X, y = instance(link=link, free=free, n=30)
    S = scores(model, X, y, free)
    assert S.shape == (30, free.count(3, 2))
    experts, gates = free.rows(model)
    theta = np.concatenate([experts.ravel(), gates.ravel(), [np.log(model.noise)] * free.noise])

    def log_density(vector):
        expert_rows, gate_rows, log_noise = free.blocks(vector, 3, 2)
        noise = np.exp(log_noise[0]) if free.noise else model.noise
        return free.model(expert_rows, gate_rows, noise, like=model).log_density(X, y)

    for j in range(len(theta)):
        step = np.zeros_like(theta)
        step[j] = 1e-6
        slope = (log_density(theta + step) - log_density(theta - step)) / 2e-6
        np.testing.assert_allclose(S[:, j], slope, atol=1e-6)


def test_score_moments_do_not_depend_on_the_blocks(monkeypatch):
    model, X, y = instance()
    whole = score_moments(model, X, y)
    monkeypatch.setattr("moelib.data.batches.BLOCK", 17)
    for cut, one in zip(score_moments(model, X, y), whole, strict=True):
        np.testing.assert_allclose(cut, one, atol=1e-12)


@pytest.mark.parametrize("free", ALL_FREE)
def test_refined_model_is_stationary(free):
    model, X, y = instance(seed=1, n=3000, free=free)
    fit = maximum_likelihood(X, y, model, free)
    assert fit.converged
    assert np.all(np.diff(fit.history) >= -1e-12)
    assert fit.log_likelihood >= model.log_density(X, y).mean()
    score, J = score_moments(fit.model, X, y, free)
    assert np.abs(score).max() < 1e-3
    assert score @ np.linalg.solve(J, score) < 1e-8


def test_refinement_and_long_em_agree():
    model, X, y = instance(seed=2, n=2000)
    slow = expectation_maximization(X, y, model, max_iter=20_000, tol=1e-14)
    fast = maximum_likelihood(X, y, model)
    assert fast.log_likelihood == pytest.approx(slow.log_likelihood, abs=1e-7)
    np.testing.assert_allclose(fast.model.experts, slow.model.experts, atol=5e-3)


def test_standard_errors_of_a_single_regression_match_the_textbook():
    """Two experts far apart are two ordinary regressions: variance sigma^2 (X_i' X_i)^-1."""
    rng = np.random.default_rng(0)
    n, sigma = 20_000, 0.1
    model = GatedModel(np.zeros((2, 1)), [[0.0]], sigma, "identity", [-50.0, 50.0], [0.0])
    X, y = model.sample(n, rng)
    free = FreeParameters(intercepts=True, gate_slopes=False)
    errors = standard_errors(maximum_likelihood(X, y, model, free).model, X, y, free)
    for i, mine in enumerate([y < 0, y > 0]):
        D = np.column_stack([X[mine], np.ones(mine.sum())])
        textbook = sigma * np.sqrt(np.diag(np.linalg.inv(D.T @ D)))
        np.testing.assert_allclose(errors.experts[i], textbook[0], rtol=0.05)
        np.testing.assert_allclose(errors.expert_intercepts[i], textbook[1], rtol=0.05)
    assert errors.noise == pytest.approx(sigma / np.sqrt(2 * n), rel=0.05)
    assert errors.gate_intercepts[0] == pytest.approx(2 / np.sqrt(n), rel=0.05)
    np.testing.assert_array_equal(errors.gates, 0)


@pytest.mark.slow
def test_standard_errors_match_the_spread_of_estimates():
    model = standard_model(d=4, n_experts=2, noise=0.3)
    estimates, predicted = [], []
    for seed in range(150):
        X, y = model.sample(1500, np.random.default_rng(seed))
        fit = maximum_likelihood(X, y, model).model
        errors = standard_errors(fit, X, y)
        estimates.append(np.concatenate([fit.experts.ravel(), fit.gates.ravel(), [fit.noise]]))
        predicted.append(
            np.concatenate([errors.experts.ravel(), errors.gates.ravel(), [errors.noise]])
        )
    ratio = np.std(estimates, axis=0) / np.mean(predicted, axis=0)
    # 150 repeats know a standard deviation to 6 %; 13 of them stay within 4 standard errors
    np.testing.assert_allclose(ratio, 1, atol=4 / np.sqrt(2 * 150))


def test_undetermined_parameters_get_infinite_errors_and_a_warning():
    model, X, y = instance(n=500)
    doubled = np.hstack([X, X[:, :1]])
    wide = GatedModel(
        np.hstack([model.experts, np.zeros((3, 1))]),
        np.hstack([model.gates, np.zeros((2, 1))]),
        model.noise,
    )
    with pytest.warns(AssumptionWarning, match="10 of 16 parameters are not determined"):
        errors = standard_errors(wide, doubled, y)
    assert np.all(np.isinf(errors.experts[:, [0, 2]]))
    assert np.all(np.isfinite(errors.experts[:, 1]))


def test_unfinished_runs_warn():
    model, X, y = instance()
    start = random_start(X, y, 3, np.random.default_rng(0))
    with pytest.warns(ConvergenceWarning, match="did not converge in 2 iterations"):
        expectation_maximization(X, y, start, max_iter=2)
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        maximum_likelihood(X, y, start, max_iter=1)


@pytest.mark.parametrize("link", ["relu", "tanh", "sigmoid", "leaky_relu"])
def test_em_recovers_non_linear_experts(link):
    model = standard_model(d=5, n_experts=2, noise=0.05, link=link)
    X, y = model.sample(4000, np.random.default_rng(0))
    fits = [
        expectation_maximization(X, y, random_start(X, y, 2, np.random.default_rng(seed), link))
        for seed in range(5)
    ]
    best = max(fits, key=lambda fit: fit.log_likelihood)
    assert regressor_error(best.model.experts, model.experts) < 1e-2
    assert best.log_likelihood > model.log_density(X, y).mean()


def test_random_start_has_the_labels_scale():
    model, X, y = instance(n=5000)
    start = random_start(X, 100 * y + 7, 3, np.random.default_rng(0), fit_intercept=True)
    assert start.noise == pytest.approx(np.std(100 * y))
    spread = np.std(start.expert_means(X), axis=0)
    np.testing.assert_allclose(spread, np.std(100 * y), rtol=0.5)


def test_signs_of_refined_experts_are_the_truths():
    model = standard_model(d=5)
    X, y = model.sample(3000, np.random.default_rng(0))
    fit = maximum_likelihood(X, y, model)
    _, signs = match_experts(fit.model.experts, model.experts)
    np.testing.assert_array_equal(signs, 1)
    assert np.abs(mean_score(fit.model, X, y)).max() < 1e-3
