"""Learning the gates with the experts frozen: three solvers, one optimum."""

import numpy as np
import pytest
from scipy.stats import norm

from moelib import (
    AssumptionWarning,
    ConvergenceWarning,
    GatedModel,
    gate_curvature,
    gate_error,
    learn_gates,
)
from moelib.gates.loss import gate_gradient, log_normal_density


@pytest.mark.parametrize("noise", [None, 0.3])
def test_three_solvers_reach_one_optimum(standard, noise):
    model, X, y = standard(4000, d=6, noise=0.3)
    fits = [
        learn_gates(X, y, model.experts, noise=noise, solver=solver, max_iter=5000, tol=1e-11)
        for solver in ("newton", "em", "gradient")
    ]
    first = fits[0].model
    for fit in fits:
        assert fit.converged
        assert np.all(np.diff(fit.history) >= -1e-12)
        np.testing.assert_allclose(fit.model.gates, first.gates, atol=2e-3)
    squares = (y[:, None] - X @ model.experts.T) ** 2
    log_normals = log_normal_density(squares, first.noise**2)
    assert np.abs(gate_gradient(first.gates, X, log_normals)).max() < 1e-5
    assert gate_error(first.gates, model.gates) < 0.02


def test_learned_noise_takes_up_the_experts_error(standard):
    model, X, y = standard(8000, d=6, noise=0.05)
    wrong = model.experts + 0.1 * np.eye(6)[3:]  # each expert off by 0.1 in a new direction
    fit = learn_gates(X, y, wrong)
    assert fit.model.noise == pytest.approx(np.hypot(0.05, 0.1), rel=0.1)


def test_the_model_has_the_experts_and_what_was_known(standard):
    _, X, y = standard(500, d=6, noise=0.3, link="tanh")
    experts = np.random.default_rng(0).standard_normal((4, 6))
    fit = learn_gates(X, y, experts, link="tanh", noise=0.4)
    for model in fit.path:
        np.testing.assert_array_equal(model.experts, experts)
        assert model.noise == pytest.approx(0.4, rel=1e-15) and model.link.name == "tanh"
    assert fit.model is fit.path[-1] and fit.model.gates.shape == (3, 6)


def test_separable_data_stay_finite():
    X = np.column_stack([np.linspace(-1, 1, 200), np.ones(200)])
    y = np.abs(X[:, 0])
    with pytest.warns(AssumptionWarning, match="separates expert 1 from expert 2 perfectly"):
        fit = learn_gates(X, y, [[1.0, 0.0], [-1.0, 0.0]], noise=0.01)
    assert np.all(np.isfinite(fit.model.gates))


def test_a_start_is_where_the_path_begins_and_twins_need_one(standard):
    """From zero, gates of equal experts stay equal; from elsewhere they find the better end."""
    model, _, _ = standard(1, d=6, noise=0.1)
    model = GatedModel(model.experts[[0, 0, 1]], 2 * model.gates, model.noise)
    X, y = model.sample(4000, np.random.default_rng(0))
    stuck = learn_gates(X, y, model.experts)
    np.testing.assert_array_equal(stuck.path[0].gates, 0)
    np.testing.assert_allclose(stuck.model.gates[0], stuck.model.gates[1], atol=1e-6)
    init = np.random.default_rng(1).standard_normal((2, 6))
    free = learn_gates(X, y, model.experts, init=init)
    np.testing.assert_array_equal(free.path[0].gates, init)
    assert free.objective > stuck.objective + 1e-3
    with pytest.raises(ValueError, match="init must have one row fewer than experts"):
        learn_gates(X, y, model.experts, init=np.zeros((3, 6)))


def test_weights_are_repetitions(standard):
    model, X, y = standard(2000, d=6, noise=0.3)
    counts = np.random.default_rng(1).integers(0, 4, len(y))
    weighted = learn_gates(X, y, model.experts, sample_weight=counts).model
    repeated = learn_gates(np.repeat(X, counts, axis=0), np.repeat(y, counts), model.experts).model
    np.testing.assert_allclose(weighted.gates, repeated.gates, atol=1e-8)
    assert weighted.noise == pytest.approx(repeated.noise, rel=1e-8)


@pytest.mark.parametrize("solver", ["newton", "em", "gradient"])
def test_the_path_belongs_to_the_history(standard, solver):
    model, X, y = standard(2000, d=6, noise=0.3)
    fit = learn_gates(X, y, model.experts, solver=solver, gate_ridge=0.01, max_iter=1000)
    assert len(fit.path) == len(fit.history)
    for at, objective in zip(fit.path, fit.history, strict=True):
        penalty = 0.01 / 2 * np.sum(at.gates**2)
        by_hand = np.mean(at.log_density(X, y)) - penalty
        assert objective == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize("ridge", [1e-3, 1e-2, 0.1])
def test_a_ridge_bounds_the_gates_of_separated_samples(standard, ridge):
    """Compared with W = 0: ridge/2 |W|^2 <= log k."""
    model, X, y = standard(1000, d=6, gate_norm=1e5)
    fit = learn_gates(X, y, model.experts, noise=0.05, gate_ridge=ridge)
    assert fit.converged
    assert np.linalg.norm(fit.model.gates) <= np.sqrt(2 * np.log(3) / ridge)
    assert gate_curvature(fit.model, X, y, gate_ridge=ridge).condition_number < 1e4


def test_bad_calls(standard):
    model, X, y = standard(60, d=6)
    with pytest.raises(ValueError, match="solver must be one of"):
        learn_gates(X, y, model.experts, solver="adam")
    with pytest.raises(ValueError, match="experts must have 6 columns"):
        learn_gates(X, y, np.eye(3))
    with pytest.raises(ValueError, match="noise must be a positive"):
        learn_gates(X, y, model.experts, noise=0.0)
    with pytest.raises(ValueError, match="gate_ridge must be a finite number of at least 0"):
        learn_gates(X, y, model.experts, gate_ridge=-1.0)
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        learn_gates(X, y, model.experts, sample_weight=-np.ones(60))


def test_unfinished_runs_warn(standard):
    model, X, y = standard(60, d=6)
    with pytest.warns(ConvergenceWarning, match="in 2 steps of .* or use solver='newton'"):
        learn_gates(X, y, model.experts, solver="gradient", max_iter=2)


@pytest.mark.parametrize("solver", ["newton", "em", "gradient"])
@pytest.mark.parametrize("noise", [None, 0.4])
def test_one_expert_has_no_gate_and_the_noise_of_its_residuals(solver, noise):
    rng = np.random.default_rng(0)
    X, y, counts = rng.standard_normal((50, 2)), rng.standard_normal(50), rng.integers(0, 3, 50)
    fit = learn_gates(X, y, [[1.0, -1.0]], solver=solver, noise=noise, sample_weight=counts)
    residuals = np.repeat(y - X[:, 0] + X[:, 1], counts)
    spread = np.sqrt(np.mean(residuals**2)) if noise is None else noise
    assert fit.converged and fit.model.gates.shape == (0, 2)
    assert fit.model.noise == pytest.approx(spread)
    assert fit.objective == pytest.approx(norm(0, spread).logpdf(residuals).mean())


@pytest.mark.parametrize("solver", ["newton", "em", "gradient"])
@pytest.mark.parametrize("total", [1.0, 1e-6, 1e9])
def test_only_the_proportions_of_weights_move_the_gates(standard, solver, total):
    model, X, y = standard(400, d=3, n_experts=2, noise=0.3)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, len(y))
    fits = [
        learn_gates(X, y, model.experts, solver=solver, sample_weight=scale * weights)
        for scale in (1.0, total / weights.sum())
    ]
    assert fits[0].history == pytest.approx(fits[1].history, rel=1e-9)
    np.testing.assert_allclose(fits[0].model.gates, fits[1].model.gates, rtol=1e-6)
