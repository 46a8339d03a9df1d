"""Curvature, ridge, separation, and what else can be wrong with gates, against independent ways."""

import warnings

import numpy as np
import pytest
import torch

from moelib import (
    AssumptionWarning,
    FreeParameters,
    GatedModel,
    MixtureOfExperts,
    find_degeneracies,
    gate_curvature,
    gate_loss,
    learn_gates,
    maximum_likelihood,
    standard_errors,
    standard_model,
)
from moelib.gates.loss import (
    em_step,
    gate_gradient,
    gate_hessian,
    log_normal_density,
    negative_log_likelihood,
)
from moelib.likelihood.em import penalised
from moelib.likelihood.score import score_moments


def converged_gates(noise, seed=0, n=6000):
    model = standard_model(d=6, noise=noise)
    X, y = model.sample(n, np.random.default_rng(seed))
    fit = learn_gates(X, y, model.experts, noise=noise, tol=1e-13)
    return GatedModel(model.experts, fit.gates, noise), X, y


@pytest.mark.parametrize("link", ["identity", "tanh", "sigmoid"])
@pytest.mark.parametrize("seed", range(3))
def test_hessian_against_autograd_to_eight_digits(link, seed):
    rng = np.random.default_rng(seed)
    experts, W = rng.standard_normal((4, 3)), rng.standard_normal((3, 3))
    model = GatedModel(experts, W, rng.uniform(0.2, 1.0), link)
    X, y = model.sample(200, rng)
    log_normals = log_normal_density((y[:, None] - model.expert_means(X)) ** 2, model.noise**2)

    def loss(flat):
        return gate_loss(flat.reshape(3, 3), X, y, experts, model.noise, link)

    exact = torch.autograd.functional.hessian(loss, torch.tensor(W.ravel()))
    np.testing.assert_allclose(gate_hessian(W, X, log_normals), exact, atol=1e-8)
    found = gate_curvature(model, X, y)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(exact), atol=1e-8)


def test_ridge_and_weights_enter_loss_gradient_and_hessian_alike():
    rng = np.random.default_rng(0)
    model = GatedModel(rng.standard_normal((3, 2)), rng.standard_normal((2, 2)), 0.5)
    X, y = model.sample(50, rng)
    log_normals = log_normal_density((y[:, None] - model.expert_means(X)) ** 2, model.noise**2)
    weights = rng.uniform(0.5, 1.5, 50)
    arguments = (X, log_normals, weights / weights.mean(), np.array([0.3, 0.0]))
    W, steps = np.array(model.gates), 1e-6 * np.eye(4).reshape(4, 2, 2)
    slope = [
        negative_log_likelihood(W + e, *arguments) - negative_log_likelihood(W - e, *arguments)
        for e in steps
    ]
    gradient = gate_gradient(W, *arguments).ravel()
    np.testing.assert_allclose(gradient, np.array(slope) / 2e-6, atol=1e-8)
    turn = [gate_gradient(W + e, *arguments) - gate_gradient(W - e, *arguments) for e in steps]
    hessian = np.array(turn).reshape(4, 4) / 2e-6
    np.testing.assert_allclose(gate_hessian(W, *arguments), hessian, atol=1e-8)


@pytest.mark.parametrize("noise", [0.05, 0.5, 1.5])
def test_positive_definite_at_the_truth(noise):
    for seed in range(5):
        model = standard_model(d=6, noise=noise)
        X, y = model.sample(20_000, np.random.default_rng(seed))
        assert gate_curvature(model, X, y).eigenvalues[0] > 0


@pytest.mark.parametrize("noise", [0.05, 0.3, 0.8])
def test_predicted_rates_are_the_measured_ones(noise):
    """Gradient descent with its best step, and EM, near the minimum."""
    model, X, y = converged_gates(noise)
    predicted = gate_curvature(model, X, y)
    log_normals = log_normal_density((y[:, None] - model.expert_means(X)) ** 2, noise**2)
    goal, rng = np.array(model.gates), np.random.default_rng(1)
    W = goal + 1e-2 * rng.standard_normal(goal.shape)
    errors = []
    for _ in range(60):
        W = W - predicted.gradient_step * gate_gradient(W, X, log_normals)
        errors.append(np.linalg.norm(W - goal))
    errors = np.array(errors)[np.array(errors) > 1e-7]
    measured = (errors[-1] / errors[-11]) ** (1 / 10)
    assert np.log(measured) == pytest.approx(np.log(predicted.gradient_rate), rel=0.1)
    steps = 1e-5 * np.eye(goal.size).reshape(-1, *goal.shape)
    moves = [
        em_step(goal + e, X, log_normals)[0] - em_step(goal - e, X, log_normals)[0] for e in steps
    ]
    shares = np.sort(np.linalg.eigvals(np.array(moves).reshape(goal.size, -1) / 2e-5).real)
    np.testing.assert_allclose(shares, predicted.missing, atol=1e-4)
    assert predicted.em_rate == predicted.missing[-1]


def test_weights_are_repetitions():
    model = standard_model(d=6, noise=0.3)
    X, y = model.sample(2000, np.random.default_rng(0))
    counts = np.random.default_rng(1).integers(0, 4, len(y))
    repeated = learn_gates(np.repeat(X, counts, axis=0), np.repeat(y, counts), model.experts)
    weighted = learn_gates(X, y, model.experts, sample_weight=counts)
    np.testing.assert_allclose(weighted.gates, repeated.gates, atol=1e-8)
    assert weighted.noise == pytest.approx(repeated.noise, rel=1e-8)
    found = gate_curvature(model, X, y, sample_weight=counts)
    again = gate_curvature(model, np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(found.eigenvalues, again.eigenvalues, atol=1e-12)


def test_path_and_noises_belong_to_the_history():
    model = standard_model(d=6, noise=0.3)
    X, y = model.sample(2000, np.random.default_rng(0))
    fit = learn_gates(X, y, model.experts)
    assert len(fit.path) == len(fit.noises) == len(fit.history)
    for W, noise, loss in zip(fit.path, fit.noises, fit.history, strict=True):
        at = GatedModel(model.experts, W, noise)
        assert -np.mean(at.log_density(X, y)) == pytest.approx(loss, abs=1e-12)


@pytest.mark.parametrize("ridge", [1e-3, 1e-2, 0.1])
def test_a_ridge_bounds_the_gates_of_separated_samples(ridge):
    """Compared with W = 0: ridge/2 |W|^2 <= log k."""
    model = standard_model(d=6, gate_norm=1e5)
    X, y = model.sample(1000, np.random.default_rng(0))
    fit = learn_gates(X, y, model.experts, noise=0.05, ridge=ridge)
    assert fit.converged
    assert np.linalg.norm(fit.gates) <= np.sqrt(2 * np.log(3) / ridge)
    at = GatedModel(model.experts, fit.gates, 0.05)
    assert gate_curvature(at, X, y, ridge).condition_number < 1e4


def separated(n=1000):
    model = standard_model(d=6, gate_norm=1e5)
    return model, *model.sample(n, np.random.default_rng(0))


def test_separation_is_named_with_its_cure():
    model, X, y = separated()
    with pytest.warns(AssumptionWarning) as caught:
        fit = MixtureOfExperts(3, random_state=0).fit(X, y)
    messages = [str(w.message) for w in caught if "perfectly" in str(w.message)]
    assert any("separates expert" in m and "gate_ridge=0.001" in m for m in messages)
    assert np.isfinite(fit.gates_).all() and np.isfinite(fit.log_likelihood_)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cured = MixtureOfExperts(3, gate_ridge=0.001, random_state=0).fit(X, y)
    assert not any("perfectly" in str(w.message) for w in caught)
    assert np.isfinite(cured.summary().table.drop(columns="z").to_numpy()).all()


def test_groups_that_are_separated_are_named_once():
    """Experts 1 and 2 share a half of the line, expert 3 has the other."""
    X = np.linspace(-1, 1, 400)[:, None]
    gates = np.array([[1e4], [1e4]])
    model = GatedModel([[1.0], [-1.0], [2.0]], gates, 0.1)
    y, _ = model.sample_labels(X, np.random.default_rng(0))
    sentences = find_degeneracies(model, X, y)
    assert len(sentences) == 1
    assert "separates experts 1, 2 from expert 3 perfectly" in sentences[0]


def test_an_expert_that_never_fires_is_named():
    model = GatedModel(np.eye(4)[:3], np.zeros((2, 4)), 0.1, gate_intercepts=[0.0, -40.0])
    X, y = model.sample(2000, np.random.default_rng(0))
    with pytest.warns(AssumptionWarning, match="expert 2 hardly ever fires: it answers .* of 2000"):
        fit = MixtureOfExperts(3, method="em", fit_intercept=True, init=model).fit(X, y)
    assert np.isfinite(fit.experts_).all() and np.isfinite(fit.predict(X)).all()
    assert np.isfinite(fit.log_likelihood_)


@pytest.mark.parametrize("seed", range(5))
def test_coinciding_experts_are_named_and_different_ones_are_not(seed):
    twins = GatedModel(np.eye(6)[[0, 0, 1]], np.eye(6)[[3, 4]], 0.3)
    X, y = twins.sample(4000, np.random.default_rng(seed))
    with pytest.warns(AssumptionWarning, match="experts . and . coincide as far as"):
        fit = MixtureOfExperts(3, method="em", n_init=3, random_state=seed).fit(X, y)
    assert np.isfinite(fit.experts_).all() and np.isfinite(fit.log_likelihood_)
    model = standard_model(d=6, noise=1.0)
    X, y = model.sample(4000, np.random.default_rng(seed))
    fit = MixtureOfExperts(3, method="em", n_init=3, random_state=seed).fit(X, y)
    covariance = fit.standard_errors_.covariance
    assert find_degeneracies(fit.model_, X, y, covariance=covariance) == []


def test_wald_statistic_is_that_of_the_contrast():
    twins = GatedModel(np.eye(6)[[0, 0, 1]], np.eye(6)[[3, 4]], 0.3)
    X, y = twins.sample(4000, np.random.default_rng(0))
    fit = maximum_likelihood(X, y, twins)
    covariance = standard_errors(fit.model, X, y).covariance
    contrast = np.zeros((6, len(covariance)))
    contrast[:, :6], contrast[:, 6:12] = np.eye(6), -np.eye(6)
    difference = fit.model.experts[0] - fit.model.experts[1]
    wald = difference @ np.linalg.solve(contrast @ covariance @ contrast.T, difference)
    said = find_degeneracies(fit.model, X, y, covariance=covariance)
    assert [f"Wald statistic {wald:.2g}," in sentence for sentence in said] == [True]


def test_score_and_information_with_a_ridge_are_those_of_the_penalised_likelihood():
    """Finite differences of what EM climbs; the information gains the penalty's curvature."""
    model = standard_model(d=4, n_experts=2, noise=0.3)
    X, y = model.sample(200, np.random.default_rng(0))
    free, plain = FreeParameters(intercepts=True, gate_ridge=0.7), FreeParameters(intercepts=True)
    theta, steps = free.vector(model), 1e-6 * np.eye(free.count(2, 4))

    def climbed(vector):
        at = free.from_vector(vector, like=model)
        return penalised(at.log_density(X, y), at, free)

    slope = [(climbed(theta + e) - climbed(theta - e)) / 2e-6 for e in steps]
    score, J = score_moments(model, X, y, free)
    np.testing.assert_allclose(score, slope, atol=1e-6)
    extra = np.diag(J - score_moments(model, X, y, plain)[1])
    np.testing.assert_allclose(extra, np.repeat([0, 0.7, 0], [10, 4, 2]), atol=1e-12)


def test_ridge_of_a_fit_is_that_of_its_score():
    """Penalised EM and scoring end where the penalised gradient vanishes."""
    model = standard_model(d=6, noise=0.3)
    X, y = model.sample(2000, np.random.default_rng(0))
    fit = MixtureOfExperts(3, gate_ridge=0.05, random_state=0).fit(X, y)
    log_normals = log_normal_density((y[:, None] - X @ fit.experts_.T) ** 2, fit.noise_**2)
    plain = gate_gradient(np.array(fit.gates_), X, log_normals)
    np.testing.assert_allclose(plain, -0.05 * fit.gates_, atol=1e-4)
    assert np.linalg.norm(fit.gates_) < 0.9 * np.linalg.norm(model.gates)
    free = FreeParameters(gate_ridge=0.05)
    wider = standard_errors(fit.model_, X, y)
    assert np.all(standard_errors(fit.model_, X, y, free).gates < wider.gates)


def test_bad_calls():
    model, X, y = separated(50)
    with pytest.raises(ValueError, match="ridge must be a finite number of at least 0"):
        learn_gates(X, y, model.experts, ridge=-1.0)
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        learn_gates(X, y, model.experts, sample_weight=-np.ones(50))
    with pytest.raises(ValueError, match="gate_ridge=1 needs method='em' or one of the methods"):
        MixtureOfExperts(3, method="likelihood", gate_ridge=1).fit(X, y)
