"""Matching and errors, against brute force over all orders (small k only) and by symmetry."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moelib import gate_error, match_experts, regressor_error


def directions(rng, k, d):
    A = rng.standard_normal((k, d))
    return A / np.linalg.norm(A, axis=1, keepdims=True)


@given(st.integers(0, 10**6), st.integers(2, 5))
def test_matching_is_the_best_of_all_orders(seed, k):
    rng = np.random.default_rng(seed)
    A, B = directions(rng, k, 4), directions(rng, k, 4)
    cosines = np.abs(A @ B.T)
    best = max(cosines[list(order), range(k)].min() for order in permutations(range(k)))
    np.testing.assert_allclose(regressor_error(A, B), 1 - best, atol=1e-12)
    permutation, _ = match_experts(A, B)
    np.testing.assert_allclose(cosines[permutation, range(k)].min(), best, atol=1e-12)


@given(st.integers(0, 10**6))
def test_reordered_rescaled_flipped_experts_are_recognised(seed):
    rng = np.random.default_rng(seed)
    A = directions(rng, 6, 8)
    order, signs = rng.permutation(6), rng.choice([-1.0, 1.0], 6)
    estimate = (rng.uniform(0.1, 5, 6) * signs)[:, None] * A[order]
    permutation, found = match_experts(estimate, A)
    np.testing.assert_array_equal(order[permutation], np.arange(6))
    np.testing.assert_array_equal(found, signs[permutation])
    assert regressor_error(estimate, A) < 1e-12


@given(st.integers(0, 10**6))
def test_gates_are_compared_after_reordering_and_shifting(seed):
    rng = np.random.default_rng(seed)
    W = np.vstack([rng.standard_normal((3, 5)), np.zeros(5)])
    order = rng.permutation(4)
    shifted = (W - W[order[-1]])[order][:-1]
    assert gate_error(shifted, W[:-1], permutation=np.argsort(order)) < 1e-12


def test_hand_computed_errors():
    assert regressor_error([[1, 1], [0, 1]], np.eye(2)) == pytest.approx(1 - np.sqrt(0.5))
    assert gate_error([[-1.0, 0.0]], [[1.0, 0.0]]) == 2
    assert gate_error([[0.0, 0.0]], [[1.0, 0.0]]) == 1


def test_many_experts_are_quick():
    A = directions(np.random.default_rng(0), 60, 80)
    assert regressor_error(A[::-1], A) < 1e-12  # 60! orders could not be listed


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match="A must have 3 rows like A_true, got 2"):
        regressor_error(np.eye(3)[:2], np.eye(3))
    with pytest.raises(ValueError, match="permutation must reorder"):
        gate_error([[1.0, 0.0]], [[1.0, 0.0]], permutation=[0, 0])
