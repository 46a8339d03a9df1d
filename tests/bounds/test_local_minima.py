"""Slopes in the proof that there is no local minimum elsewhere, by differences along a turn."""

from itertools import permutations, product

import numpy as np
import pytest

from moelib.experts.l4 import random_unit_rows, tensor_l4
from moelib.experts.tensors import orthogonal_tensor, random_symmetric, tensor_norm


def slopes(T, V, mu, h=1e-3):
    """First two derivatives of L4 when row 1 turns in the plane of the first two columns."""
    W, losses = V.copy(), []
    for angle in (-h, 0, h):
        c, s = np.cos(angle), np.sin(angle)
        W[0, :2] = c * V[0, 0] - s * V[0, 1], s * V[0, 0] + c * V[0, 1]
        losses.append(tensor_l4(T, W, mu)[0])
    low, middle, high = losses
    return np.array([(high - low) / (2 * h), (high - 2 * middle + low) / h**2])


def opponent(k, mu):
    """The disturbance that turns row 1 towards row 2."""
    E = np.zeros((k,) * 4)
    E[0, 1, range(1, k), range(1, k)] = 1
    E[0, 0, 0, 1] = -1 if k == 2 else -mu
    return sum(E.transpose(axes) for axes in permutations(range(4)))


@pytest.mark.parametrize("mu", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("k", [2, 3, 4])
def test_slopes_of_an_orthogonal_tensor_are_exact(k, mu):
    rng = np.random.default_rng(k)
    lam, V = rng.uniform(1, 4, k), random_unit_rows(k, rng)
    s = V**2
    q = 2 * lam * (s[1:].sum(axis=0) - mu * s[0])
    q, p = q[1] - q[0], s[0, 0] * s[0, 1]
    bend = -8 * mu * (lam[0] + lam[1]) * p + 2 * (s[0, 0] - s[0, 1]) * q
    exact = 2 * V[0, 0] * V[0, 1] * q, bend
    np.testing.assert_allclose(slopes(orthogonal_tensor(lam, np.eye(k)), V, mu), exact, atol=1e-3)


def test_slopes_of_a_disturbance_are_bounded_and_the_bounds_nearly_attained():
    reached = []
    for k, mu in product((2, 3, 4), (0.1, 0.5, 0.9)):
        rng = np.random.default_rng(k)
        limits = np.array([4 * (k - 1 + mu), 8 * (k - 1 + 2 * mu)])
        # what the proof makes of the two
        np.testing.assert_allclose(limits @ [1, 0.5] / 16, (2 * (k - 1) + 3 * mu) / 4)
        for E in (opponent(k, mu), random_symmetric(k, 4, rng)):
            E = E / tensor_norm(E, rng)
            first = tensor_l4(E, np.eye(k), mu)[1][0, 1]  # where an expert turns, by the gradient
            assert abs(first) < limits[0] * (1 + 1e-6)
            random = [random_unit_rows(k, rng) for _ in range(5)]
            for W in (np.eye(k), np.ones((k, k)) / np.sqrt(k), *random):
                length = np.linalg.norm(W[0, :2])
                reached.append(np.abs(slopes(E, W, mu)) / length / limits)
    worst = np.max(reached, axis=0)
    assert np.all((worst > 0.6) & (worst < 1.01))
