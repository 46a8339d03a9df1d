"""The second loss: gradient and Hessian against autograd, three methods, one optimum."""

import numpy as np
import pytest
import torch

from moelib import (
    AssumptionWarning,
    ConvergenceWarning,
    gate_error,
    gate_loss,
    learn_gates,
    standard_model,
)
from moelib.gates.loss import (
    em_step,
    gate_gradient,
    gate_hessian,
    log_gate_probabilities,
    log_normal_density,
    negative_log_likelihood,
    surrogate_step,
)
from moelib.model import GatedModel


def instance(n=60):
    rng = np.random.default_rng(0)
    model = GatedModel(rng.standard_normal((3, 4)), rng.standard_normal((2, 4)), 0.8)
    X, y = model.sample(n, rng)
    log_normals = log_normal_density((y[:, None] - model.expert_means(X)) ** 2, model.noise**2)
    return model, X, y, log_normals, rng.standard_normal((2, 4))


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


def test_hessian_is_positive_at_the_truth_and_can_be_negative_elsewhere():
    model, X, _y, log_normals, W = instance(n=20_000)
    assert np.linalg.eigvalsh(gate_hessian(np.array(model.gates), X, log_normals))[0] > 0
    far = np.array([[6.0, -6, 6, -6], [-6, 6, 6, -6]])
    assert np.linalg.eigvalsh(gate_hessian(far, X, log_normals))[0] < -1e-3


@pytest.mark.parametrize("noise", [None, 0.3])
def test_three_methods_reach_one_optimum(noise):
    model = standard_model(d=6, noise=0.3)
    X, y = model.sample(4000, np.random.default_rng(0))
    fits = [
        learn_gates(X, y, model.experts, noise=noise, method=method, max_iter=5000, tol=1e-11)
        for method in ("newton", "em", "gradient")
    ]
    for fit in fits:
        assert fit.converged
        assert np.all(np.diff(fit.history) <= 1e-12)
        np.testing.assert_allclose(fit.gates, fits[0].gates, atol=2e-3)
    squares = (y[:, None] - X @ model.experts.T) ** 2
    log_normals = log_normal_density(squares, fits[0].noise ** 2)
    assert np.abs(gate_gradient(fits[0].gates, X, log_normals)).max() < 1e-5
    assert gate_error(fits[0].gates, model.gates) < 0.02


def test_learned_noise_takes_up_the_experts_error():
    model = standard_model(d=6, noise=0.05)
    X, y = model.sample(8000, np.random.default_rng(0))
    wrong = model.experts + 0.1 * np.eye(6)[3:]  # each expert off by 0.1 in a new direction
    fit = learn_gates(X, y, wrong)
    assert fit.noise == pytest.approx(np.hypot(0.05, 0.1), rel=0.1)


def test_separable_data_stay_finite():
    X = np.column_stack([np.linspace(-1, 1, 200), np.ones(200)])
    y = np.abs(X[:, 0])
    with pytest.warns(AssumptionWarning, match="separates expert 1 from expert 2 perfectly"):
        fit = learn_gates(X, y, [[1.0, 0.0], [-1.0, 0.0]], noise=0.01)
    assert np.all(np.isfinite(fit.gates))


def test_a_start_is_where_the_path_begins_and_twins_need_one():
    """From zero, gates of equal experts stay equal; from elsewhere they find the better end."""
    model = standard_model(d=6, noise=0.1)
    model = GatedModel(model.experts[[0, 0, 1]], 2 * model.gates, model.noise)
    X, y = model.sample(4000, np.random.default_rng(0))
    stuck = learn_gates(X, y, model.experts)
    np.testing.assert_allclose(stuck.gates[0], stuck.gates[1], atol=1e-6)
    start = np.random.default_rng(1).standard_normal((2, 6))
    free = learn_gates(X, y, model.experts, start=start)
    np.testing.assert_array_equal(free.path[0], start)
    assert free.history[-1] < stuck.history[-1] - 1e-3
    with pytest.raises(ValueError, match="start must have one row fewer than experts"):
        learn_gates(X, y, model.experts, start=np.zeros((3, 6)))


def test_steps_do_not_stall_in_rounding():
    """Close to the minimum no fall of the loss can be seen; a step is still taken."""
    for seed in range(5):
        model = standard_model(d=6, noise=0.5, gate_norm=3.0)
        X, y = model.sample(1000, np.random.default_rng(seed))
        squares = (y[:, None] - model.expert_means(X)) ** 2
        log_normals, W = log_normal_density(squares, 0.25), np.array(model.gates)
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


def test_bad_calls():
    model, X, y, _, _ = instance()
    with pytest.raises(ValueError, match="method must be one of"):
        learn_gates(X, y, model.experts, method="adam")
    with pytest.raises(ValueError, match="experts must have 4 columns"):
        learn_gates(X, y, np.eye(3))
    with pytest.raises(ValueError, match="noise must be a positive"):
        learn_gates(X, y, model.experts, noise=0.0)
    with pytest.warns(ConvergenceWarning, match="use method='newton'"):
        learn_gates(X, y, model.experts, method="gradient", max_iter=2)
