"""The standard methods and their certificates, against autograd-free and closed-form ways."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib import (
    ConvergenceWarning,
    FreeParameters,
    GatedModel,
    Link,
    MixtureOfExperts,
    expectation_maximization,
    gradient_em,
    joint_likelihood,
    least_squares,
    make_start,
    maximum_likelihood,
    regressor_error,
    standard_model,
)
from moelib.likelihood.certificates import certify, polish
from moelib.likelihood.score import mean_score
from moelib.losses import least_squares_loss


def data(n=1500, seed=0, **design):
    model = standard_model(**({"d": 4, "n_experts": 2, "noise": 0.1} | design))
    return (model, *model.sample(n, np.random.default_rng(seed)))


@pytest.mark.parametrize("link", ["identity", "tanh", "relu"])
def test_least_squares_loss_is_the_models(link):
    rng = np.random.default_rng(0)
    model = GatedModel(rng.standard_normal((3, 4)), rng.standard_normal((2, 4)), 0.3, link)
    X, y = model.sample(50, rng)
    loss = least_squares_loss(model.experts, model.gates, X, y, link).item()
    assert loss == pytest.approx(np.mean((y - model.mean(X)) ** 2), rel=1e-12)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_least_squares_descends_to_a_stationary_point(solver):
    model, X, y = data(n=400)
    start = make_start(X, y, 2, np.random.default_rng(3))
    fit = least_squares(X, y, start, solver=solver, max_iter=3000)
    assert fit.history[-1] < fit.history[0]
    assert fit.history[-1] == pytest.approx(np.mean((y - fit.model.mean(X)) ** 2))
    assert fit.model.noise == pytest.approx(np.sqrt(fit.history[-1]))
    point = certify(fit.model, X, y, "least-squares", FreeParameters(noise=False))
    assert point.loss == pytest.approx(fit.history[-1])
    assert point.gradient_norm < 1e-2


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("free", [FreeParameters(), FreeParameters(True, False)])
def test_joint_likelihood_reaches_ems_maximum(solver, free):
    model, X, y = data()
    start = make_start(X, y, 2, np.random.default_rng(0), free=free)
    if not free.noise:
        start = replace(start, noise=0.1)
    fit = joint_likelihood(X, y, start, free, solver=solver)
    best = maximum_likelihood(X, y, model, free)
    assert fit.log_likelihood == pytest.approx(best.log_likelihood, abs=1e-5)
    assert fit.log_likelihood == pytest.approx(fit.model.log_density(X, y).mean(), abs=1e-10)
    assert regressor_error(fit.model.experts, model.experts) < 1e-3
    assert free.noise or fit.model.noise == 0.1


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(["identity", "relu", "tanh", "sigmoid"]))
def test_gradient_em_never_lowers_the_likelihood(seed, link):
    rng = np.random.default_rng(seed)
    model = GatedModel(rng.standard_normal((3, 2)), rng.standard_normal((2, 2)), 0.4, link)
    X, y = model.sample(100, rng)
    for free in (FreeParameters(), FreeParameters(intercepts=True, noise=False)):
        start = make_start(X, y, 3, rng, link=link, free=free)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit = gradient_em(X, y, start, free, max_iter=100)
        assert np.all(np.diff(fit.history) >= -1e-10)


def test_gradient_em_and_em_share_their_fixed_points():
    model, X, y = data()
    fit = expectation_maximization(X, y, model, tol=1e-15, max_iter=5000)
    moved = gradient_em(X, y, fit.model)
    np.testing.assert_allclose(moved.model.experts, fit.model.experts, atol=1e-5)
    assert np.abs(mean_score(fit.model, X, y)).max() < 1e-4


def test_annealing_begins_hot_and_ends_at_the_known_noise():
    model, X, y = data(noise=0.05, d=12, n_experts=6, n=3000)
    free = FreeParameters(noise=False)
    cold, annealed = [], []
    for seed in range(8):
        start = make_start(X, y, 6, np.random.default_rng(seed), noise=0.05)
        cold.append(expectation_maximization(X, y, start, free))
        annealed.append(expectation_maximization(X, y, start, free, anneal_from=float(np.std(y))))
    assert all(fit.model.noise == 0.05 for fit in annealed)
    assert all(np.all(np.diff(fit.history) >= -1e-10) for fit in annealed)
    wins = [a.log_likelihood > c.log_likelihood - 1e-6 for a, c in zip(annealed, cold)]
    assert np.mean(wins) >= 0.75
    with pytest.raises(ValueError, match="anneal_from needs a noise that is not learned"):
        expectation_maximization(X, y, start, anneal_from=1.0)


@pytest.mark.parametrize("init", ["random", "responsibilities", "kmeans"])
@pytest.mark.parametrize("free", [FreeParameters(), FreeParameters(intercepts=True)])
def test_every_kind_of_start_leads_to_the_experts(init, free):
    model, X, y = data()
    start = make_start(X, y, 2, np.random.default_rng(1), init=init, free=free)
    other = make_start(X, y, 2, np.random.default_rng(2), init=init, free=free)
    assert not np.allclose(start.experts, other.experts) or init == "kmeans"
    fit = expectation_maximization(X, y, start, free)
    assert regressor_error(fit.model.experts, model.experts) < 1e-2


def test_start_from_responsibilities_is_least_squares_on_a_random_half():
    _, X, y = data()
    rng = np.random.default_rng(5)
    start = make_start(X, y, 2, rng, init="responsibilities")
    rng = np.random.default_rng(5)
    rng.standard_normal((2, 4))
    groups = rng.integers(2, size=len(y))
    for i in range(2):
        by_hand = np.linalg.lstsq(X[groups == i], y[groups == i], rcond=None)[0]
        np.testing.assert_allclose(start.experts[i], by_hand, atol=1e-10)


@pytest.mark.parametrize("method", ["gradient-em", "likelihood", "least-squares"])
def test_estimator_offers_the_baselines(method):
    model, X, y = data()
    fit = MixtureOfExperts(method=method, refine=False, n_init=2, random_state=0).fit(X, y)
    assert list(fit.history_) == [method]
    better = np.min if method == "least-squares" else np.max
    assert fit.history_[method][-1] == better(fit.start_objectives_)
    assert (fit.standard_errors_ is None) == (method == "least-squares")
    refined = MixtureOfExperts(method=method, n_init=2, random_state=0).fit(X, y)
    assert refined.log_likelihood_ >= fit.log_likelihood_


def test_estimator_anneals():
    model, X, y = data()
    fit = MixtureOfExperts(method="em", noise=0.1, anneal=True, random_state=0).fit(X, y)
    assert regressor_error(fit.experts_, model.experts) < 1e-2


def test_bad_calls():
    model, X, y = data(n=100)
    with pytest.raises(ValueError, match="solver must be one of 'lbfgs', 'adam'"):
        joint_likelihood(X, y, model, solver="sgd")
    with pytest.raises(ValueError, match="init must be one of"):
        make_start(X, y, 2, np.random.default_rng(0), init="zero")
    with pytest.raises(ValueError, match="anneal=True needs method='em'"):
        MixtureOfExperts(method="em", anneal=True).fit(X, y)
    with pytest.raises(ValueError, match="constant_gate=True needs method='em'"):
        MixtureOfExperts(method="likelihood", constant_gate=True).fit(X, y)
    with pytest.raises(ValueError, match="gate_slopes=False is for EM only"):
        joint_likelihood(X, y, model, FreeParameters(gate_slopes=False))
    with pytest.raises(ValueError, match="has no form in torch"):
        own = Link("own", np.tanh, np.cos)
        joint_likelihood(X, y, GatedModel(model.experts, model.gates, 0.1, own))
    with pytest.raises(ValueError, match="loss must be one of"):
        certify(model, X, y, "huber")
    with pytest.raises(ValueError, match="squared error has no noise"):
        certify(model, X, y, "least-squares")
    start = make_start(X, y, 2, np.random.default_rng(0))
    for run in (joint_likelihood, least_squares, gradient_em):
        with pytest.warns(ConvergenceWarning, match="in 2 iterations: raise max_iter"):
            run(X, y, start, max_iter=2)


def test_certificate_against_finite_differences():
    model, X, y = data(n=60)
    free = FreeParameters(intercepts=True)
    point = certify(model, X, y, free=free)
    assert point.loss == pytest.approx(-model.log_density(X, y).mean())
    assert point.gradient_norm == pytest.approx(np.linalg.norm(mean_score(model, X, y, free)))
    experts, gates = free.rows(model)
    theta = np.concatenate([experts.ravel(), gates.ravel(), [np.log(model.noise)]])

    def gradient(v):
        e, w, s = free.blocks(v, *model.experts.shape)
        return -mean_score(free.model(e, w, np.exp(s[0]), like=model), X, y, free)

    steps = 1e-5 * np.eye(len(theta))
    hessian = np.array([(gradient(theta + h) - gradient(theta - h)) / 2e-5 for h in steps])
    np.testing.assert_allclose(point.eigenvalues, np.linalg.eigvalsh(hessian), rtol=1e-3, atol=1e-3)


def test_maximum_is_certified_and_the_symmetric_point_is_a_saddle():
    model, X, y = data(n=2000)
    top = polish(maximum_likelihood(X, y, model).model, X, y)
    assert certify(top, X, y).is_strict_minimum
    free = FreeParameters(noise=False)
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    both = GatedModel([beta, beta], np.zeros((1, 4)), 0.1)
    saddle = certify(both, X, y, free=free)
    assert saddle.gradient_norm < 1e-8
    assert saddle.eigenvalues[0] < -1 and not saddle.is_strict_minimum


def test_em_with_frozen_noise_has_bad_strict_maxima():
    """Eight experts, true noise: a certified wrong maximum, worse than the truth."""
    model, X, y = data(n=3000, d=16, n_experts=8, noise=0.05)
    free = FreeParameters(noise=False)
    start = make_start(X, y, 8, np.random.default_rng(0), noise=0.05)
    stuck = polish(expectation_maximization(X, y, start, free).model, X, y, free=free)
    point = certify(stuck, X, y, free=free)
    assert point.is_strict_minimum
    assert regressor_error(stuck.experts, model.experts) > 0.3
    assert -point.loss < model.log_density(X, y).mean() - 1
