"""Maximum likelihood and standard errors, against long EM, textbooks and the spread of fits."""

from itertools import pairwise

import numpy as np
import pytest

from moelib import (
    AssumptionWarning,
    ConvergenceWarning,
    FreeParameters,
    GatedModel,
    expectation_maximization,
    match_experts,
    maximum_likelihood,
    random_start,
    standard_errors,
    standard_model,
)
from moelib.likelihood import mean_score, observed_information, score_moments


def test_refined_model_is_stationary(instance, free):
    model, X, y = instance(seed=1, n=3000, free=free)
    fit = maximum_likelihood(X, y, model, free=free)
    assert fit.converged
    assert np.all(np.diff(fit.history) >= -1e-12)
    assert fit.objective >= model.log_density(X, y).mean()
    score, J = score_moments(fit.model, X, y, free=free)
    assert np.abs(score).max() < 1e-3
    assert score @ np.linalg.solve(J, score) < 1e-8


def test_refinement_and_long_em_agree(instance):
    model, X, y = instance(seed=2, n=2000)
    slow = expectation_maximization(X, y, model, max_iter=20_000, tol=1e-14)
    fast = maximum_likelihood(X, y, model)
    assert fast.objective == pytest.approx(slow.objective, abs=1e-7)
    np.testing.assert_allclose(fast.model.experts, slow.model.experts, atol=5e-3)


@pytest.mark.parametrize("scoring", ["climbs", "stalls"])
def test_the_path_belongs_to_the_history(instance, free, scoring, monkeypatch):
    """From EM's part to the scoring steps', or to more of EM's where those stall."""
    if scoring == "stalls":
        monkeypatch.setattr("moelib.likelihood.maximum._raised", lambda *_: None)
    _, X, y = instance(seed=1, n=500, free=free)
    options = dict(fit_intercept=free.intercepts)
    start = free.restricted(random_start(X, y, 3, np.random.default_rng(0), **options))
    fit = maximum_likelihood(X, y, start, free=free)
    values = [np.mean(model.log_density(X, y)) for model in fit.path]
    np.testing.assert_allclose(fit.history, values, atol=1e-10)
    assert fit.path[0] is start and fit.path[-1] is fit.model
    assert len(set(map(id, fit.path))) == len(fit.path)


def test_newton_steps_double_the_digits(instance):
    """At the end of the path the gradient falls as its square, in the sample's own units."""
    free = FreeParameters(intercepts=True, noise="per-expert")
    model, X, y = instance(seed=3, n=1000, free=free)
    fit = maximum_likelihood(X, y, model, free=free, tol=1e-12)
    sizes = [np.abs(mean_score(m, X, y, free=free)).max() for m in fit.path[-4:]]
    assert sizes[-1] < 1e-9 and len(fit.path) < 60
    for before, after in pairwise(sizes):
        assert after < 1e-11 or after < 10 * before**1.8


def test_a_saddle_is_left_by_scoring(standard):
    """Where the Hessian has a negative eigenvalue a Newton step would climb to the saddle."""
    model, X, y = standard(2000, d=4, n_experts=2, noise=0.3)
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    pair = np.array([beta, beta]) + 1e-3 * np.array([[1, -1, 0, 0], [-1, 1, 0, 0]])
    start = GatedModel(pair, np.zeros((1, 4)), np.std(y))
    assert np.linalg.eigvalsh(observed_information(start, X, y))[0] < 0
    fit = maximum_likelihood(X, y, start)
    best = maximum_likelihood(X, y, model)
    assert fit.converged and fit.objective == pytest.approx(best.objective, abs=1e-8)


def test_a_maximum_at_the_floor_of_the_noise_is_reached():
    """Labels without noise: the end is at the floor, and no step goes below."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 2))
    y = np.where(X[:, 1] > 0, 1, -1) * X[:, 0]
    free = FreeParameters(noise="per-expert", gate_ridge=1e-3)
    start = GatedModel([[0.8, 0.1], [-0.9, 0.1]], [[0.0, 2.0]], [0.5, 0.5])
    fit = maximum_likelihood(X, y, start, free=free)
    np.testing.assert_allclose(fit.model.noise, 1e-6 * np.std(y), rtol=1e-6)
    assert np.all(np.diff(fit.history) >= -1e-12) and fit.converged
    np.testing.assert_allclose(fit.model.experts, [[1, 0], [-1, 0]], atol=1e-6)


def test_standard_errors_of_a_single_regression_match_the_textbook():
    """Two experts far apart are two ordinary regressions: variance sigma^2 (X_i' X_i)^-1."""
    rng = np.random.default_rng(0)
    n, sigma = 20_000, 0.1
    model = GatedModel(np.zeros((2, 1)), [[0.0]], sigma, "identity", [-50.0, 50.0], [0.0])
    X, y = model.sample(n, rng)
    free = FreeParameters(intercepts=True, gate_slopes=False)
    errors = standard_errors(maximum_likelihood(X, y, model, free=free).model, X, y, free=free)
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
        for values, found in ((estimates, fit), (predicted, errors)):
            parts = [found.experts.ravel(), found.gates.ravel(), [found.noise]]
            values.append(np.concatenate(parts))
    ratio = np.std(estimates, axis=0) / np.mean(predicted, axis=0)
    # 150 repeats know a standard deviation to 6 %; 13 of them stay within 4 standard errors
    np.testing.assert_allclose(ratio, 1, atol=4 / np.sqrt(2 * 150))


def test_undetermined_parameters_get_infinite_errors_and_a_warning(instance):
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


def test_signs_of_refined_experts_are_the_truths(standard):
    model, X, y = standard(3000, d=5)
    fit = maximum_likelihood(X, y, model)
    _, signs = match_experts(fit.model.experts, model.experts)
    np.testing.assert_array_equal(signs, 1)
    assert np.abs(mean_score(fit.model, X, y)).max() < 1e-3


def test_unfinished_runs_warn(instance):
    model, X, y = instance()
    start = random_start(X, y, 3, np.random.default_rng(0))
    with pytest.warns(ConvergenceWarning, match="did not converge in 1 steps: raise max_iter"):
        maximum_likelihood(X, y, start, max_iter=1)
