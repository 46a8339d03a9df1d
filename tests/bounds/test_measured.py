"""The errors that the lemmas bound: against constructions whose errors are known."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch

from moelib import random_model, standard_model
from moelib.bounds.lemmas import expert_bound, span_bound, tensor_bound
from moelib.bounds.measured import gate_errors, largest_cube, posterior_errors, step_errors
from moelib.experts.tensors import orthogonal_tensor

PI = np.array([0.6, 0.3, 0.1])
A = np.eye(5)[:3]
M = np.diag([0.6, 0.3, 0.1, 0, 0])


def errors(M_hat, E4=0.0, seed=0):
    return step_errors(A, PI, M_hat, E4 + np.zeros((3,) * 4), np.random.default_rng(seed))


def test_exact_moments_have_no_errors():
    for key, value in errors(M).items():
        np.testing.assert_allclose(value, 0, atol=1e-5, err_msg=key)


def test_a_second_moment_that_is_too_small():
    """D is diagonal with entries m / (m - e2), and the whitened tensor has D^2 for I."""
    found, e2 = errors(M - 0.02 * np.eye(5)), 0.02
    D = PI / (PI - e2)
    np.testing.assert_allclose([found["second"], found["span"]], [e2, 0], atol=1e-12)
    np.testing.assert_allclose(found["whitening"], D.max() - 1)
    np.testing.assert_allclose(found["tensor"], max((D**2 - 1) / PI), rtol=1e-6)
    np.testing.assert_allclose(found["own"], found["tensor"], rtol=1e-6)
    np.testing.assert_allclose(found["turning"], 0, atol=1e-9)
    np.testing.assert_allclose(found["experts"], 0, atol=1e-5)


def test_a_span_that_tilts():
    """The rarest expert and a direction outside: a rotation by half the arc tangent of 2 e / m."""
    M_hat = M.copy()
    M_hat[2, 3] = M_hat[3, 2] = 0.03
    found, tilt = errors(M_hat), np.arctan2(2 * 0.03, 0.1) / 2
    np.testing.assert_allclose(found["span"], np.sin(tilt))
    np.testing.assert_allclose(found["second"], 0.03)
    np.testing.assert_allclose(found["experts"], [0, 0, np.sin(tilt)], atol=1e-5)
    assert found["experts"][2] < expert_bound(0.03, found["rotation"], PI, PI)[2]


@pytest.mark.parametrize("mu", [0.3, 0.7])
def test_an_error_of_the_fourth_moment_turns_a_row(mu):
    """To first order by the formula, written out; back in the inputs it is stretched."""
    e, E4 = 1e-6, np.zeros((3,) * 4)
    for axes in set(permutations((0, 0, 0, 2))):
        E4[axes] = e
    found = step_errors(A, PI, M, E4, np.random.default_rng(0), mu=mu)
    E = e / np.sqrt(0.6**3 * 0.1)  # whitened; moves rows 1 and 3
    np.testing.assert_allclose(found["turning"], E, rtol=1e-6)  # the larger of 1 and mu
    first, third = mu * E / (1 / 0.1 + mu / 0.6), E / (1 / 0.6 + mu / 0.1)
    np.testing.assert_allclose(found["rotation"], [first, 0, third], atol=3e-7)
    np.testing.assert_allclose(found["own"], 0, atol=1e-12)


def test_every_bound_is_kept_for_skew_experts():
    rng = np.random.default_rng(1)
    for _ in range(5):
        skew, pi = random_model(7, 3, rng).experts, rng.dirichlet(9 * np.ones(3))
        exact = (skew.T * pi) @ skew
        spectrum = np.linalg.eigvalsh(exact)[-3:]
        F = rng.standard_normal((7, 7))
        F = (F + F.T) / np.linalg.norm(F + F.T, 2) * 0.01 * spectrum[0]
        E4 = orthogonal_tensor([1e-4 * spectrum[0] ** 2], rng.standard_normal((1, 3)))
        found = step_errors(skew, pi, exact + F, E4, rng)
        e2, e4 = found["second"], found["fourth"]
        np.testing.assert_allclose(e2, 0.01 * spectrum[0])
        assert found["span"] <= span_bound(e2, spectrum)
        assert found["whitening"] <= span_bound(e2, spectrum)
        assert found["own"] <= found["tensor"] * (1 + 1e-6)
        assert found["tensor"] <= tensor_bound(e2, e4, spectrum, pi)
        assert np.all(found["experts"] <= expert_bound(e2, found["rotation"], spectrum, pi))


def test_posterior_of_two_experts_by_hand():
    """Two experts, one sample at a time: sigmoid of a difference of squares."""
    model = standard_model(3, 2, noise=0.5, gate_norm=2.0)
    X, y, z = model.sample(50, np.random.default_rng(0), return_expert=True)
    experts, squares = model.experts + [[0.1, 0, 0.2], [0, -0.3, 0]], []
    for i in range(50):
        p, xi = 1 / (1 + np.exp(-X[i] @ model.gates[0])), y[i] - X[i, :2]
        r = []
        for B in (model.experts, experts):
            away = (y[i] - X[i] @ B[0]) ** 2 - (y[i] - X[i] @ B[1]) ** 2
            r.append(p / (p + (1 - p) * np.exp(2 * away)))
        squares.append((2 * (r[1] - r[0])) ** 2)
        weighted = r[0] * xi[0] ** 2 + (1 - r[0]) * xi[1] ** 2
        log_p = np.log(p if z[i] == 0 else 1 - p)
        moves = [(X[i, 0] * 0.1 + X[i, 2] * 0.2) ** 2, (0.3 * X[i, 1]) ** 2]
        near = 2 * xi[z[i]] ** 2 - 0.5 * log_p + 2 * moves[z[i]]
        one = posterior_errors(model, experts, X[[i]], y[[i]], z[[i]], slope=1.0)
        shares = (
            squares[-1] / (4 / 0.5**4 * near * sum(moves)),
            weighted / (xi[z[i]] ** 2 - 0.5 * log_p),
        )
        np.testing.assert_allclose(one, [squares[-1], *shares], rtol=1e-8, atol=1e-14)
        assert max(shares) < 1 + 1e-12
    found = posterior_errors(model, experts, X, y, z, slope=1.0)
    np.testing.assert_allclose(found[0], np.mean(squares))


def test_cubes_on_a_fine_grid():
    X = np.random.default_rng(0).standard_normal((30, 2))
    angles = np.linspace(0, np.pi, 20_001)
    grid = np.mean(np.abs(X @ [np.cos(angles), np.sin(angles)]) ** 3, axis=0).max()
    found = largest_cube(X, np.random.default_rng(1))
    np.testing.assert_allclose(found**3, grid, rtol=1e-6)


def test_gate_errors_by_autograd():
    model = random_model(4, 3, np.random.default_rng(0), noise=0.4)
    X, y = model.sample(200, np.random.default_rng(1))
    experts = model.experts + 0.05

    def loss(W, A):
        X_, y_ = torch.tensor(X), torch.tensor(y)
        logits = torch.cat([X_ @ W.T, torch.zeros(200, 1, dtype=X_.dtype)], dim=1)
        log_p = torch.log_softmax(logits, dim=1)
        squares = (y_[:, None] - X_ @ torch.tensor(A).T) ** 2
        return -torch.logsumexp(log_p - squares / (2 * 0.4**2), dim=1).mean()

    W = torch.tensor(model.gates)
    before, after = (
        torch.func.grad(lambda W, B=B: loss(W, B))(W).numpy() for B in (model.experts, experts)
    )
    H = torch.func.hessian(lambda W: loss(W, model.experts))(W).reshape(8, 8).numpy()
    found = gate_errors(model, experts, X, y, curvature=0.3)
    expected = np.linalg.norm(before), np.linalg.norm(after - before)
    np.testing.assert_allclose(found[:2], expected, rtol=1e-8)
    np.testing.assert_allclose(found[2], 0.3 - np.linalg.eigvalsh(H)[0], rtol=1e-8)
    assert gate_errors(replace(model), model.experts, X, y, curvature=0.3)[1] == 0


@pytest.mark.parametrize(
    "changes", [dict(expert_intercepts=[0.0, 5]), dict(gate_intercepts=[1.0]), dict(noise=[0.1, 1])]
)
def test_the_lemmas_on_gates_know_one_noise_and_no_intercepts(changes):
    model = replace(standard_model(3, 2), **changes)
    X, y = model.sample(20, np.random.default_rng(0))
    z = np.zeros(20, dtype=int)
    for call in (
        lambda: gate_errors(model, model.experts, X, y, curvature=0.1),
        lambda: posterior_errors(model, model.experts, X, y, z, slope=1.0),
    ):
        with pytest.raises(ValueError, match="model must have (no intercepts|one noise)"):
            call()
