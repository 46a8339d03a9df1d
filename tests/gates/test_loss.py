"""The gates' loss: gradient and Hessian against autograd, and steps that never climb."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from moelib import GatedModel, gate_loss
from moelib.gates.loss import (
    covariance_hessian,
    em_step,
    gate_gradient,
    gate_hessian,
    gradient_step,
    log_gate_probabilities,
    log_normal_density,
    log_normals,
    negative_log_likelihood,
    newton_step,
    surrogate_step,
)


def instance(n=60):
    rng = np.random.default_rng(0)
    model = GatedModel(rng.standard_normal((3, 4)), rng.standard_normal((2, 4)), 0.8)
    X, y = model.sample(n, rng)
    return model, X, y, log_normals_of(model, X, y), rng.standard_normal((2, 4))


def log_normals_of(model, X, y):
    return log_normal_density((y[:, None] - model.expert_means(X)) ** 2, model.noise**2)


def test_gradient_and_hessian_against_autograd():
    model, X, y, log_normals, W = instance()

    def loss(flat):
        return gate_loss(flat.reshape(2, 4), X, y, model.experts, model.noise)

    w = torch.tensor(W.ravel(), requires_grad=True)
    value = loss(w)
    value.backward()
    assert negative_log_likelihood(W, X, log_normals) == pytest.approx(value.item(), rel=1e-12)
    np.testing.assert_allclose(gate_gradient(W, X, log_normals).ravel(), w.grad, atol=1e-12)
    hessian = torch.autograd.functional.hessian(loss, w.detach())
    np.testing.assert_allclose(gate_hessian(W, X, log_normals), hessian, atol=1e-10)


@pytest.mark.parametrize("link", ["identity", "tanh", "sigmoid"])
@pytest.mark.parametrize("seed", range(3))
def test_hessian_against_autograd_to_eight_digits(link, seed):
    rng = np.random.default_rng(seed)
    experts, W = rng.standard_normal((4, 3)), rng.standard_normal((3, 3))
    model = GatedModel(experts, W, rng.uniform(0.2, 1.0), link)
    X, y = model.sample(200, rng)

    def loss(flat):
        return gate_loss(flat.reshape(3, 3), X, y, experts, model.noise, link=link)

    exact = torch.autograd.functional.hessian(loss, torch.tensor(W.ravel()))
    found = gate_hessian(W, X, log_normals_of(model, X, y))
    np.testing.assert_allclose(found, exact, atol=1e-8)


def test_hessian_is_positive_at_the_truth_and_can_be_negative_elsewhere():
    model, X, _y, log_normals, W = instance(n=20_000)
    assert np.linalg.eigvalsh(gate_hessian(np.array(model.gates), X, log_normals))[0] > 0
    far = np.array([[6.0, -6, 6, -6], [-6, 6, 6, -6]])
    assert np.linalg.eigvalsh(gate_hessian(far, X, log_normals))[0] < -1e-3


def test_ridge_and_weights_enter_loss_gradient_and_hessian_alike():
    rng = np.random.default_rng(0)
    model = GatedModel(rng.standard_normal((3, 2)), rng.standard_normal((2, 2)), 0.5)
    X, y = model.sample(50, rng)
    weights = rng.uniform(0.5, 1.5, 50)
    ridge = np.array([0.3, 0.0])
    arguments = (X, log_normals_of(model, X, y), weights / weights.mean(), ridge)
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


def test_steps_do_not_stall_in_rounding(standard):
    """Close to the minimum no fall of the loss can be seen; a step is still taken."""
    for seed in range(5):
        model, X, y = standard(1000, seed, d=6, noise=0.5, gate_norm=3.0)
        log_normals, W = log_normals_of(model, X, y), np.array(model.gates)
        for _ in range(600):
            W, norm = em_step(W, X, log_normals)
        assert norm < 1e-14


def test_gates_that_separate_the_samples_do_no_harm():
    """Where the surrogate's curvature has vanished to rounding, a step still does not climb."""
    for seed in range(50):
        rng = np.random.default_rng(seed)
        X, W = rng.standard_normal((60, 10)), 300 * rng.standard_normal((2, 10))
        r = rng.dirichlet(np.ones(3), 60)
        new, _ = surrogate_step(W, X, r)
        before, after = (
            -np.mean(np.sum(r * log_gate_probabilities(V, X), axis=1)) for V in (W, new)
        )
        assert np.all(np.isfinite(new)) and after <= before


@pytest.mark.parametrize(("k", "p"), [(2, 1), (2, 7), (2, 3), (5, 4), (3, 40)])
@pytest.mark.parametrize("weighted", [False, True])
def test_covariance_hessian_is_the_mean_of_kronecker_products(k, p, weighted):
    """Few experts or many, each of which has its own order of the products."""
    rng, n = np.random.default_rng(0), 700
    q, r = rng.dirichlet(np.ones(k), (2, n))
    D, ridge = rng.standard_normal((n, p)), rng.uniform(0, 1, p)
    weights = rng.uniform(0, 2, n) if weighted else None
    cov = [[np.diag(v) - np.outer(v, v) for v in s[:, :-1]] for s in (q, r)]
    each = np.array([[np.kron(c, np.outer(x, x)) for c, x in zip(s, D)] for s in cov])
    prior, posterior = (np.average(s, axis=0, weights=weights) for s in each)
    scale = 1.0 if weights is None else weights.mean()
    penalty = np.diag(np.tile(ridge, k - 1))
    found = covariance_hessian(q, D, weights, ridge)
    np.testing.assert_allclose(found, scale * prior + penalty, atol=1e-12)
    found = covariance_hessian(q, D, weights, ridge, less=r)
    np.testing.assert_allclose(found, scale * (prior - posterior) + penalty, atol=1e-12)


def test_a_noise_for_each_expert_enters_by_its_density():
    """Loss, gradient and Hessian of the gates against torch, with three noises."""
    model, X, y, _, W = instance()
    each = replace(model, noise=[0.3, 0.8, 2.0])
    normals = log_normals(each, X, y)
    by_hand = norm.logpdf(y[:, None], each.expert_means(X), each.noise)
    np.testing.assert_allclose(normals, by_hand, rtol=1e-12)

    def loss(flat):
        return gate_loss(flat.reshape(2, 4), X, y, each.experts, each.noise)

    w = torch.tensor(W.ravel(), requires_grad=True)
    value = loss(w)
    value.backward()
    assert negative_log_likelihood(W, X, normals) == pytest.approx(value.item(), rel=1e-12)
    np.testing.assert_allclose(gate_gradient(W, X, normals).ravel(), w.grad, atol=1e-12)
    hessian = torch.autograd.functional.hessian(loss, w.detach())
    np.testing.assert_allclose(gate_hessian(W, X, normals), hessian, atol=1e-10)


@pytest.mark.parametrize("step", [em_step, newton_step, gradient_step])
def test_one_expert_has_no_gate_to_move(step):
    """Its loss is that of a regression; steps return the empty gates."""
    rng = np.random.default_rng(0)
    model = GatedModel([[1.0, -1.0]], [], 0.5)
    X, y = model.sample(40, rng)
    normals, W = log_normals(model, X, y), np.zeros((0, 2))
    by_hand = -np.mean(norm.logpdf(y, model.mean(X), 0.5))
    assert negative_log_likelihood(W, X, normals) == pytest.approx(by_hand, rel=1e-12)
    assert gate_hessian(W, X, normals).shape == (0, 0)
    assert gate_gradient(W, X, normals).shape == (0, 2)
    moved, size = step(W, X, normals)
    assert moved.shape == (0, 2) and size == 0
    moved, size = surrogate_step(W, X, np.ones((40, 1)), ridge=0.1)
    assert moved.shape == (0, 2) and size == 0
