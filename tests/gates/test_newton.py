"""Newton's method in gates and noise together: against autograd, one after the other, and all."""

import numpy as np
import pytest
import torch

from moelib import AssumptionWarning, GatedModel, learn_gates
from moelib.gates import newton
from moelib.gates.learn import _climb_in_turn
from moelib.gates.loss import em_step
from moelib.gates.newton import Frozen, climb_together, gradient, hessian, place, step_together


def instance(n=60, k=4, d=3, seed=0, noise=0.8, ridge=0.0, weighted=False):
    """A sample with frozen experts, and gates and a variance to look from."""
    rng = np.random.default_rng(seed)
    model = GatedModel(rng.standard_normal((k, d)), rng.standard_normal((k - 1, d)), noise)
    X, y = model.sample(n, rng)
    weights = rng.uniform(0.2, 1.8, n) if weighted else None
    if weighted:
        weights /= weights.mean()
    squares = (y - model.experts @ X.T) ** 2
    return Frozen(X, squares, weights, ridge), rng.standard_normal((k - 1, d)), 0.7


def torch_loss(frozen):
    """The loss of gates and log-variance in torch, from its definition."""
    X, squares = torch.tensor(frozen.X), torch.tensor(frozen.squares)
    weights = torch.ones(len(X)) if frozen.weights is None else torch.tensor(frozen.weights)

    def loss(theta):
        W, s = theta[:-1].reshape(-1, X.shape[1]), theta[-1]
        scores = torch.cat([W @ X.T, torch.zeros(1, len(X), dtype=X.dtype)])
        density = torch.exp(-squares / (2 * torch.exp(s))) / torch.sqrt(2 * np.pi * torch.exp(s))
        likelihood = (torch.softmax(scores, dim=0) * density).sum(dim=0)
        return frozen.ridge / 2 * (W**2).sum() - (weights * torch.log(likelihood)).mean()

    return loss


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_loss_gradient_and_hessian_against_autograd(weighted, ridge, seed):
    frozen, W, variance = instance(seed=seed, ridge=ridge, weighted=weighted)
    at, loss = place(frozen, W, variance), torch_loss(frozen)
    theta = torch.tensor(np.append(W, np.log(variance)))
    assert at.loss == pytest.approx(loss(theta).item(), rel=1e-12)
    np.testing.assert_allclose(gradient(frozen, at), torch.func.grad(loss)(theta), atol=1e-12)
    np.testing.assert_allclose(hessian(frozen, at), torch.func.hessian(loss)(theta), atol=1e-10)


def test_curvature_of_every_third_sample_is_that_of_a_smaller_sample():
    frozen, W, variance = instance(n=100, ridge=0.1, weighted=True)
    few = frozen.every(3)
    assert len(few.X) == 34 and few.weights.mean() == pytest.approx(1, rel=1e-12)
    found = hessian(frozen, place(frozen, W, variance), every=3)
    np.testing.assert_allclose(found, hessian(few, place(few, W, variance)), atol=1e-12)


@pytest.mark.parametrize("learn_noise", [True, False])
def test_no_step_climbs_from_anywhere(learn_noise):
    """Long gates and a small noise, where the loss is seldom convex."""
    hard = 0
    for seed in range(8):
        frozen, W, _ = instance(n=200, seed=seed, noise=1.5)
        at, options = place(frozen, 5 * W, 0.01), dict(learn_noise=learn_noise, floor=1e-6)
        hard += np.linalg.eigvalsh(hessian(frozen, at))[0] < 0
        for _ in range(10):
            new = step_together(frozen, at, **options)
            assert new.loss <= at.loss + 1e-12
            assert learn_noise or new.variance == 0.01
            at = new
    assert hard >= 5


@pytest.mark.parametrize("weighted", [False, True])
def test_together_is_quadratic_and_ends_where_one_after_the_other_does(weighted):
    frozen, W, variance = instance(n=3000, noise=0.4, weighted=weighted)
    options = dict(max_iter=500, learn_noise=True, floor=1e-12)
    together, _ = climb_together(
        frozen, place(frozen, 0 * W, variance), tol=1e-15, **options | dict(max_iter=12)
    )
    apart, _ = _climb_in_turn(em_step, frozen, 0 * W, variance, tol=1e-15, **options)
    np.testing.assert_allclose(together[-1][0], apart[-1][0], atol=1e-5)
    assert together[-1][1] == pytest.approx(apart[-1][1], rel=1e-6)
    at = place(frozen, *together[-1][:2])
    assert np.abs(gradient(frozen, at)).max() < 1e-12  # twelve steps; turns need dozens
    assert len(apart) > 20


def test_labels_without_noise_end_at_the_floor():
    X = np.random.default_rng(0).standard_normal((300, 2))
    y = np.where(X[:, 1] > 0, 1, -1) * X[:, 0]
    with pytest.warns(AssumptionWarning, match="the noise has collapsed to 1e-06 of the labels'"):
        fit = learn_gates(X, y, [[1.0, 0.0], [-1.0, 0.0]], gate_ridge=1e-3)
    assert fit.converged and fit.model.noise == pytest.approx(1e-6 * y.std(), rel=1e-6)


@pytest.mark.parametrize("noise", [None, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_stages_end_where_all_samples_end(standard, monkeypatch, noise, weighted):
    model, X, y = standard(40_000, d=6, noise=0.3)
    weights = np.random.default_rng(1).integers(0, 4, len(y)) if weighted else None
    options = dict(noise=noise, sample_weight=weights, gate_ridge=1e-4)
    full = learn_gates(X, y, model.experts, **options)
    monkeypatch.setattr(newton, "LARGE", 40_000)
    staged = learn_gates(X, y, model.experts, **options)
    assert staged.converged and staged.history[1] > full.history[1]
    np.testing.assert_allclose(staged.model.gates, full.model.gates, atol=1e-4)  # 0.03: sampling
    assert staged.model.noise == pytest.approx(full.model.noise, rel=1e-5)
    assert staged.history[0] == full.history[0] and np.all(staged.path[0].gates == 0)
    for at, objective in zip(staged.path, staged.history, strict=True):
        penalty = 1e-4 / 2 * np.sum(at.gates**2)
        by_hand = np.average(at.log_density(X, y), weights=weights) - penalty
        assert objective == pytest.approx(by_hand, abs=1e-12)


def test_rows_that_mislead_the_stages_do_no_harm(standard, monkeypatch):
    """Every row that the first stages see has a label that the others contradict."""
    model, X, y = standard(20_000, d=6, noise=0.3)
    stride = 20_000 // (512 * 13)
    y[::stride] = (X @ model.experts[0])[::stride]
    full = learn_gates(X, y, model.experts)
    monkeypatch.setattr(newton, "LARGE", 20_000)
    staged = learn_gates(X, y, model.experts)
    assert staged.converged and np.all(np.diff(staged.history) >= -1e-12)
    np.testing.assert_allclose(staged.model.gates, full.model.gates, atol=2e-3)
