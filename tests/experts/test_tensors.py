"""Symmetric tensors against their entries, one by one, and norms that are known."""

from itertools import permutations

import numpy as np
import pytest

from moelib.experts import orthogonal_tensor, random_symmetric, tensor_norm


def test_sum_of_fourth_powers_entry_by_entry():
    rng = np.random.default_rng(0)
    weights, U = rng.uniform(1, 3, 2), rng.standard_normal((2, 3))
    T = orthogonal_tensor(weights, U)
    for index in np.ndindex(3, 3, 3, 3):
        expected = sum(w * np.prod(u[list(index)]) for w, u in zip(weights, U, strict=True))
        assert T[index] == pytest.approx(expected)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_random_tensors_are_symmetric_and_of_the_stated_variance(order):
    """Of 400 tensors, within four standard errors: order! off the diagonal, (order!)^2 on it."""
    rng = np.random.default_rng(order)
    E = np.array([random_symmetric(4, order, rng) for _ in range(400)])
    for axes in permutations(range(order)):
        np.testing.assert_allclose(E[0], E[0].transpose(axes), atol=1e-12)
    n_orders = len(list(permutations(range(order))))
    apart, same = E[(slice(None), *range(order))], E[(slice(None), *[0] * order)]
    for entries, variance in ((apart, n_orders), (same, n_orders**2)):
        squares = entries**2
        assert abs(squares.mean() - variance) < 4 * squares.std() / np.sqrt(400)


def test_norm_of_a_plane_tensor_by_a_fine_grid():
    angles = np.linspace(0, np.pi, 200_001)
    V = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for seed in range(5):
        T = random_symmetric(2, 4, np.random.default_rng(seed))
        # t[v, v, v, v] as a polynomial in the two coordinates
        values = sum(
            c * T[(0,) * (4 - j) + (1,) * j] * V[:, 0] ** (4 - j) * V[:, 1] ** j
            for j, c in enumerate([1, 4, 6, 4, 1])
        )
        found = tensor_norm(T, np.random.default_rng(0))
        assert found == pytest.approx(np.abs(values).max(), rel=1e-8)


@pytest.mark.parametrize("r", [3, 6])
def test_norm_sees_the_largest_weight_whatever_its_sign(r):
    rng = np.random.default_rng(r)
    U = np.linalg.qr(rng.standard_normal((r, r)))[0]
    weights = rng.uniform(-2, 2, r)
    weights[1] = -4.0
    assert tensor_norm(orthogonal_tensor(weights, U), rng) == pytest.approx(4.0, rel=1e-9)
    assert tensor_norm(np.zeros((r,) * 4), rng) == 0


def test_norm_is_above_every_value_and_below_that_of_the_matrix():
    rng = np.random.default_rng(1)
    for _ in range(5):
        T = random_symmetric(5, 4, rng)
        V = rng.standard_normal((2000, 5))
        V /= np.linalg.norm(V, axis=1, keepdims=True)
        values = np.einsum("abcd,ia,ib,ic,id->i", T, V, V, V, V, optimize=True)
        norm = tensor_norm(T, rng)
        assert np.abs(values).max() <= norm <= np.linalg.norm(T.reshape(25, 25), 2) * (1 + 1e-12)
