"""The curvature of the gates' loss: against autograd, and the rates that it predicts."""

import numpy as np
import pytest
import torch

from moelib import GatedModel, gate_curvature, gate_loss, learn_gates
from moelib.gates import slowest_directions
from moelib.gates.loss import em_step, gate_gradient, log_normal_density, log_normals


@pytest.mark.parametrize("link", ["identity", "tanh", "sigmoid"])
@pytest.mark.parametrize("seed", range(3))
def test_eigenvalues_against_autograd_to_eight_digits(link, seed):
    rng = np.random.default_rng(seed)
    experts, W = rng.standard_normal((4, 3)), rng.standard_normal((3, 3))
    model = GatedModel(experts, W, rng.uniform(0.2, 1.0), link)
    X, y = model.sample(200, rng)

    def loss(flat):
        return gate_loss(flat.reshape(3, 3), X, y, experts, model.noise, link=link)

    exact = torch.autograd.functional.hessian(loss, torch.tensor(W.ravel()))
    found = gate_curvature(model, X, y)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(exact), atol=1e-8)
    assert found.convex == (found.eigenvalues[0] >= 0)


def test_a_ridge_lifts_every_eigenvalue(standard):
    model, X, y = standard(500, d=6)
    plain, held = (gate_curvature(model, X, y, gate_ridge=ridge) for ridge in (0.0, 0.5))
    for name in ("eigenvalues", "prior_eigenvalues"):
        lifted = getattr(plain, name) + 0.5
        np.testing.assert_allclose(getattr(held, name), lifted, atol=1e-12)


@pytest.mark.parametrize("noise", [0.05, 0.5, 1.5])
def test_positive_definite_at_the_truth(standard, noise):
    for seed in range(5):
        model, X, y = standard(20_000, seed, d=6, noise=noise)
        assert gate_curvature(model, X, y).eigenvalues[0] > 0


def converged_gates(standard, noise):
    model, X, y = standard(6000, d=6, noise=noise)
    return learn_gates(X, y, model.experts, noise=noise, tol=1e-13).model, X, y


def log_normals_of(model, X, y):
    return log_normal_density((y[:, None] - model.expert_means(X)) ** 2, model.noise**2)


@pytest.mark.parametrize("noise", [0.05, 0.3, 0.8])
def test_gradient_descent_shrinks_the_error_as_predicted(standard, noise):
    """With its best step, near the minimum."""
    model, X, y = converged_gates(standard, noise)
    predicted, log_normals = gate_curvature(model, X, y), log_normals_of(model, X, y)
    goal, rng = np.array(model.gates), np.random.default_rng(1)
    W = goal + 1e-2 * rng.standard_normal(goal.shape)
    errors = []
    for _ in range(60):
        W = W - predicted.gradient_step * gate_gradient(W, X, log_normals)
        errors.append(np.linalg.norm(W - goal))
    errors = np.array(errors)[np.array(errors) > 1e-7]
    measured = (errors[-1] / errors[-11]) ** (1 / 10)
    assert np.log(measured) == pytest.approx(np.log(predicted.gradient_rate), rel=0.1)


@pytest.mark.parametrize("noise", [0.05, 0.3, 0.8])
def test_em_shrinks_the_error_by_the_missing_shares(standard, noise):
    """The derivative of an EM step at the minimum has them as eigenvalues."""
    model, X, y = converged_gates(standard, noise)
    predicted, log_normals = gate_curvature(model, X, y), log_normals_of(model, X, y)
    goal = np.array(model.gates)
    steps = 1e-5 * np.eye(goal.size).reshape(-1, *goal.shape)
    moves = [
        em_step(goal + e, X, log_normals)[0] - em_step(goal - e, X, log_normals)[0] for e in steps
    ]
    shares = np.sort(np.linalg.eigvals(np.array(moves).reshape(goal.size, -1) / 2e-5).real)
    np.testing.assert_allclose(shares, predicted.missing, atol=1e-4)
    assert predicted.em_rate == predicted.missing[-1]


def test_where_the_loss_is_not_convex_no_rate_is_promised():
    model = GatedModel(np.eye(4)[:3], [[6.0, -6, 6, -6], [-6, 6, 6, -6]], 0.8)
    X, _ = model.sample(2000, np.random.default_rng(0))
    y = X[:, 3]  # which no expert answers
    found = gate_curvature(model, X, y)
    assert found.eigenvalues[0] < 0 and not found.convex
    assert found.condition_number == np.inf and found.gradient_rate == 1.0


def test_weights_are_repetitions(standard):
    model, X, y = standard(2000, d=6, noise=0.3)
    counts = np.random.default_rng(1).integers(0, 4, len(y))
    weighted = gate_curvature(model, X, y, sample_weight=counts)
    repeated = gate_curvature(model, np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.eigenvalues, repeated.eigenvalues, atol=1e-12)
    for name in ("prior_uncertainty", "posterior_uncertainty"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), atol=1e-12)


def test_bad_calls(standard):
    model, X, y = standard(50, d=6)
    with pytest.raises(ValueError, match="gate_ridge must be a finite number of at least 0"):
        gate_curvature(model, X, y, gate_ridge=-1.0)
    with pytest.raises(ValueError, match="X must have 6 columns"):
        gate_curvature(model, X[:, :5], y)
    alone = GatedModel([np.ones(6)], np.zeros((0, 6)), 0.1)
    for look in (gate_curvature, slowest_directions):
        with pytest.raises(ValueError, match="model must have two experts or more: a single one"):
            look(alone, X, y)


def test_methods_contract_at_their_rate_along_their_slowest_direction(standard):
    model, X, y = standard(6000, d=6, noise=0.5)
    model = learn_gates(X, y, model.experts, noise=0.5, tol=1e-13).model
    predicted, goal = gate_curvature(model, X, y), np.array(model.gates)
    at, length = (X, log_normals(model, X, y)), predicted.gradient_step
    gradient, em = slowest_directions(model, X, y)
    for u, step, rate in (
        (gradient, lambda W: W - length * gate_gradient(W, *at), predicted.gradient_rate),
        (em, lambda W: em_step(W, *at)[0], predicted.em_rate),
    ):
        moved = step(goal + 1e-5 * u) - step(goal - 1e-5 * u)
        np.testing.assert_allclose(moved / 2e-5, rate * u, atol=1e-4)
