"""Böhning's bound: above every Hessian of the surrogate, and its steps never climb."""

import numpy as np
import pytest

from moelib.gates import bound_solver, bound_step, covariance_hessian, curvature_bound
from moelib.gates.loss import log_gate_probabilities, penalty, surrogate_step

RIDGE = np.array([0.3, 0.3, 0.3, 0.0])


def problem(seed, k, n=80):
    """Inputs and a column of ones, responsibilities that sum to weights, and weights."""
    rng = np.random.default_rng(seed)
    D = np.column_stack([rng.standard_normal((n, 3)) @ np.diag([1, 5, 0.2]), np.ones(n)])
    weights = rng.uniform(0, 2, n)
    weights /= weights.mean()
    return D, weights[:, None] * rng.dirichlet(np.full(k, 0.5), n), weights, rng


def surrogate(W, D, r, ridge):
    return penalty(W, ridge) - np.mean(np.sum(r * log_gate_probabilities(W, D), axis=1))


@pytest.mark.parametrize("k", [2, 3, 8])
@pytest.mark.parametrize("ridge", [0.0, RIDGE], ids=["free", "ridge"])
def test_the_bound_is_above_every_hessian(k, ridge):
    D, _, weights, rng = problem(0, k)
    bound = curvature_bound(D, k, weights, ridge)
    for length in (0.0, 0.1, 1.0, 10.0):
        p = np.exp(log_gate_probabilities(length * rng.standard_normal((k - 1, 4)), D))
        gap = bound - covariance_hessian(p, D, weights, ridge)
        assert np.linalg.eigvalsh(gap)[0] >= -1e-12


@pytest.mark.parametrize("k", [2, 3, 8])
def test_no_smaller_multiple_is_a_bound(k):
    """Half of the weight on the last expert, half on another: the curvature between them is B's."""
    D, _, _, _ = problem(1, k)
    p = np.zeros((len(D), k))
    p[:, [0, -1]] = 0.5
    gap = curvature_bound(D, k) - covariance_hessian(p, D)
    values, bound = np.linalg.eigvalsh(gap), np.linalg.eigvalsh(curvature_bound(D, k))
    assert -1e-12 <= values[0] <= 1e-10 * bound[-1]


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("ridge", [0.0, 0.7, RIDGE], ids=["free", "equal", "ridge"])
def test_the_solver_inverts_the_bound(k, ridge):
    D, _, weights, rng = problem(2, k)
    G = rng.standard_normal((k - 1, 4))
    by_hand = np.linalg.solve(curvature_bound(D, k, weights, ridge), G.ravel()).reshape(G.shape)
    np.testing.assert_allclose(bound_solver(D, k, weights, ridge)(G), by_hand, rtol=1e-5)


@pytest.mark.parametrize("k", [2, 4, 9])
@pytest.mark.parametrize("ridge", [0.0, RIDGE], ids=["free", "ridge"])
def test_no_step_raises_the_surrogate(k, ridge):
    """From gates near and far, each single step."""
    for seed in range(10):
        D, r, weights, rng = problem(seed, k)
        solve = bound_solver(D, k, weights, ridge)
        W = 10.0 ** rng.uniform(-1, 1.5) * rng.standard_normal((k - 1, 4))
        values = [surrogate(W, D, r, ridge)]
        for _ in range(30):
            W, _ = bound_step(W, D, r, ridge, solve=solve, n_steps=1)
            values.append(surrogate(W, D, r, ridge))
        assert np.all(np.diff(values) <= 1e-13 * abs(values[0]))


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("ridge", [0.0, RIDGE], ids=["free", "ridge"])
def test_the_steps_end_where_newtons_do(k, ridge):
    D, r, weights, _ = problem(3, k)
    slow = fast = np.zeros((k - 1, 4))
    slow, first = bound_step(slow, D, r, ridge, n_steps=5000)
    for _ in range(50):
        fast, last = surrogate_step(fast, D, r, ridge)
    np.testing.assert_allclose(slow, fast, atol=1e-7)
    assert bound_step(slow, D, r, ridge)[1] < 1e-8 and last < 1e-8
    assert first == pytest.approx(surrogate_step(np.zeros((k - 1, 4)), D, r, ridge)[1])


def test_two_steps_are_twice_one_step_by_hand():
    D, r, weights, rng = problem(4, 3)
    W = start = rng.standard_normal((2, 4))
    for _ in range(2):
        p = np.exp(log_gate_probabilities(W, D))
        gradient = RIDGE * W - (r - weights[:, None] * p)[:, :2].T @ D / len(D)
        B = curvature_bound(D, 3, weights, RIDGE)
        W = W - np.linalg.solve(B, gradient.ravel()).reshape(2, 4)
    np.testing.assert_allclose(bound_step(start, D, r, RIDGE, n_steps=2)[0], W, atol=1e-7)


def test_columns_that_repeat_each_other_do_no_harm():
    """The steps share what one column alone would get, and gates without data stay at rest."""
    D, r, _, _ = problem(5, 3)
    doubled, _ = bound_step(np.zeros((2, 6)), np.column_stack([D, D[:, 0], 0 * D[:, 0]]), r)
    once, _ = bound_step(np.zeros((2, 4)), D, r)
    np.testing.assert_allclose(doubled[:, 0] + doubled[:, 4], once[:, 0], atol=1e-6)
    np.testing.assert_allclose(doubled[:, 5], 0)


def test_one_expert_has_no_gate_to_move():
    D, _, weights, _ = problem(6, 2)
    W = np.zeros((0, 4))
    assert curvature_bound(D, 1, weights).shape == (0, 0)
    assert bound_solver(D, 1, weights)(W).shape == (0, 4)
    moved, size = bound_step(W, D, weights[:, None], RIDGE)
    assert moved.shape == (0, 4) and size == 0
