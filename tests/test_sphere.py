"""Minimisers of L4 on spheres: one loss, two solvers, rows in any dimension."""

import numpy as np
import pytest

from moelib import regressor_error
from moelib.experts.l4 import minimize_l4_gradient, minimize_l4_lbfgs, random_unit_rows

MINIMIZERS = [minimize_l4_gradient, minimize_l4_lbfgs]


def population_tensor(k, rng):
    U = np.linalg.qr(rng.standard_normal((k, k)))[0]
    weights = 1 / rng.dirichlet(np.full(k, 3.0))
    return np.einsum("m,ma,mb,mc,md->abcd", weights, U, U, U, U), U


def test_random_rows_have_length_one_in_any_dimension():
    V = random_unit_rows(3, np.random.default_rng(0), 5)
    assert V.shape == (3, 5) and random_unit_rows(3, np.random.default_rng(0)).shape == (3, 3)
    np.testing.assert_allclose(np.linalg.norm(V, axis=1), 1)


def test_lbfgs_does_not_starve_a_row():
    """Free rows once grew without bound: of 600 starts at mu = .95 about ten ran out of steps."""
    lengths = []
    for seed in range(600):
        rng = np.random.default_rng(seed)
        T, U = population_tensor(6, rng)
        V, history = minimize_l4_lbfgs(T, random_unit_rows(6, rng), 0.95)
        assert regressor_error(V, U) < 1e-9
        assert np.diff(history).max() <= 1e-12 * abs(history[-1])
        lengths.append(len(history))
    assert max(lengths) < 150


def test_gradient_descent_does_not_bounce():
    """Steps of nearly twice the right length once passed: on this tensor no start converged."""
    T = np.einsum("m,ma,mb,mc,md->abcd", np.array([2.74, 2.16, 5.8]), *4 * [np.eye(3)])
    rng = np.random.default_rng(0)
    for mu in (0.5, 1.5):
        for _ in range(10):
            V, history = minimize_l4_gradient(T, random_unit_rows(3, rng), mu)
            np.testing.assert_allclose((V**2).max(axis=1), 1, atol=1e-12)
            assert len(history) < 150 and np.all(np.diff(history) <= 0)


@pytest.mark.parametrize("minimize", MINIMIZERS)
@pytest.mark.parametrize("k", [2, 4])
def test_fewer_or_more_dimensions_than_rows(minimize, k):
    """With r = 3: two rows find two of three directions, four rows share three (mu = 1.5)."""
    rng = np.random.default_rng(0)
    weights, U = np.array([2.0, 3.0, 4.0]), np.linalg.qr(rng.standard_normal((3, 3)))[0]
    T = np.einsum("m,ma,mb,mc,md->abcd", weights, U, U, U, U)
    for _ in range(5):
        V, history = minimize(T, random_unit_rows(k, rng, 3), 0.5 if k == 2 else 1.5)
        squares = (V @ U.T) ** 2
        np.testing.assert_allclose(squares.max(axis=1), 1, atol=1e-6)
        assert V.shape == (k, 3) and squares.round().sum(axis=0).max() == k // 2
        assert np.all(np.diff(history) <= 1e-9)
