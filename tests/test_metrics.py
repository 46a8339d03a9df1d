"""Matching and errors, against brute force over all orders (small k only) and by symmetry."""

import warnings
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from moelib import (
    AssumptionWarning,
    GatedModel,
    gate_error,
    match_experts,
    random_model,
    regressor_error,
)
from moelib.metrics import (
    bias_share,
    expert_angles,
    matched,
    relabelled,
    reorder_gates,
    standard_errors_off,
    unit_rows,
)


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


# --- errors up to symmetry, taken apart -----------------------------------------------------------


def disguised(truth, rng):
    """A model with the same law of (x, y squared): experts reordered and turned, gates rebased."""
    k = truth.n_experts
    order, signs = rng.permutation(k), rng.choice([-1.0, 1.0], k)
    W = np.vstack([truth.gates, np.zeros(truth.n_features)])[order]
    return signs[:, None] * truth.experts[order], (W - W[-1])[:-1]


@given(st.integers(0, 10**6), st.integers(2, 5))
def test_matched_finds_its_way_back(seed, k):
    rng = np.random.default_rng(seed)
    truth = random_model(7, k, rng, gate_norm=2.0)
    A, W = matched(*disguised(truth, rng), truth)
    np.testing.assert_allclose(A, truth.experts, atol=1e-12)
    np.testing.assert_allclose(W, truth.gates, atol=1e-12)


@given(st.integers(0, 10**6), st.integers(2, 5))
def test_matched_estimates_are_the_same_model_up_to_signs(seed, k):
    """The gate's probabilities move with the experts, whatever the estimates are."""
    rng = np.random.default_rng(seed)
    truth, found = (random_model(7, k, rng, orthogonal=False) for _ in range(2))
    A, W = matched(found.experts, found.gates, truth)
    X = rng.standard_normal((20, 7))
    before, after = found.gate_probabilities(X), GatedModel(A, W, 0.1).gate_probabilities(X)
    for i, expert in enumerate(found.experts):
        (place,) = np.flatnonzero(np.all(np.isclose(np.abs(A), np.abs(expert)), axis=1))
        np.testing.assert_allclose(after[:, place], before[:, i], atol=1e-12)
    assert np.all(np.sum(A * truth.experts, axis=1) >= 0)


@given(st.integers(0, 10**6), st.permutations(range(4)))
def test_reordered_gates_send_the_samples_the_same_way(seed, order):
    rng = np.random.default_rng(seed)
    model = GatedModel(
        rng.standard_normal((4, 3)),
        rng.standard_normal((3, 3)),
        0.1,
        gate_intercepts=rng.standard_normal(3),
    )
    moved = GatedModel(
        model.experts[order],
        reorder_gates(model.gates, order),
        0.1,
        gate_intercepts=reorder_gates(model.gate_intercepts, order),
    )
    X = rng.standard_normal((20, 3))
    expected = model.gate_probabilities(X)[:, order]
    np.testing.assert_allclose(moved.gate_probabilities(X), expected, atol=1e-12)


@given(st.integers(0, 10**6), st.integers(2, 5))
def test_expert_angles_by_the_arc_tangent(seed, k):
    """Of each pair in the best order of all, by parts along and across."""
    rng = np.random.default_rng(seed)
    A, B = directions(rng, k, 6), directions(rng, k, 6)
    cosines = np.abs(A @ B.T)
    orders = [list(order) for order in permutations(range(k))]
    worst = [cosines[order, range(k)].min() for order in orders]
    angles = expert_angles(rng.uniform(0.1, 5, (k, 1)) * A, B)
    order, _ = match_experts(A, B)
    assert cosines[order, range(k)].min() == pytest.approx(max(worst))
    along = np.sum(A[order] * B, axis=1)
    across = np.linalg.norm(A[order] - along[:, None] * B, axis=1)
    np.testing.assert_allclose(angles, np.arctan2(across, np.abs(along)), atol=1e-6)
    assert 1 - np.cos(angles.max()) == pytest.approx(regressor_error(A, B), abs=1e-12)


def test_expert_angles_are_in_the_order_of_the_truth():
    turned = [[np.cos(0.3), np.sin(0.3), 0.0], [0.0, 0.0, -2.0]]
    angles = expert_angles(turned, [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(angles, [0.0, 0.3], atol=1e-12)


def test_unit_rows():
    rng = np.random.default_rng(0)
    V = rng.standard_normal((4, 3, 5))
    units = unit_rows(V)
    np.testing.assert_allclose(np.einsum("...i,...i", units, units), 1, rtol=1e-14)
    np.testing.assert_allclose(np.einsum("...i,...j", units, V), np.einsum("...i,...j", V, units))
    assert np.all(np.einsum("...i,...i", units, V) > 0)
    np.testing.assert_array_equal(unit_rows([[0, 0], [3, 4]]), [[0, 0], [0.6, 0.8]])


def test_standard_errors_off_is_students_t_with_the_divisor_n():
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((50, 3)) + 1
    by_scipy = np.abs(ttest_1samp(samples, [1.0, 1.1, 0.0]).statistic) * np.sqrt(50 / 49)
    off = standard_errors_off(samples, [1.0, 1.1, 0.0])
    np.testing.assert_allclose(off, by_scipy, rtol=1e-12)
    single = standard_errors_off(samples[:, 2], 0.0)
    assert np.ndim(single) == 0 and single == pytest.approx(off[2])


def test_bias_share_is_that_of_a_known_law():
    """Bias b and standard deviation s in each of p numbers: b^2 / (b^2 + s^2)."""
    rng = np.random.default_rng(0)
    bias = np.array([[0.0], [1.0], [3.0]])
    errors = bias + rng.standard_normal((2000, 3, 10))
    np.testing.assert_allclose(bias_share(errors), [0, 0.5, 0.9], atol=0.02)


def test_bias_share_is_fair_for_few_data_sets():
    """Where all is scatter, a mean of few errors is not zero, but its excess is taken off."""
    errors = np.random.default_rng(1).standard_normal((4, 500, 10))
    naive = np.sum(errors.mean(axis=0) ** 2, axis=1) / np.mean(np.sum(errors**2, axis=2), axis=0)
    assert naive.mean() > 0.2 and np.median(bias_share(errors)) < 0.05
    assert bias_share(errors).min() == 0


def test_relabelling_changes_no_density():
    rng = np.random.default_rng(0)
    intercepts = rng.standard_normal(4), rng.standard_normal(3)
    model = GatedModel(directions(rng, 4, 3), rng.standard_normal((3, 3)), 0.3, "tanh", *intercepts)
    X, y = model.sample(50, rng)
    own = replace(model, noise=[0.1, 0.4, 0.2, 0.8])
    for one in (model, own):
        for order in ([3, 0, 2, 1], np.array([1, 2, 3, 0])):
            moved = relabelled(one, order)
            np.testing.assert_allclose(moved.posterior(X, y), one.posterior(X, y)[:, order])
            np.testing.assert_allclose(moved.log_density(X, y), one.log_density(X, y))
    np.testing.assert_array_equal(relabelled(own, [3, 0, 2, 1]).noise, [0.8, 0.1, 0.2, 0.4])
    for order in ([0, 1, 1, 2], [0, 1, 2], [0, 1, 2, 4]):
        with pytest.raises(ValueError, match="permutation must reorder 0..3"):
            relabelled(model, order)


def test_one_expert_is_its_own_match():
    truth = GatedModel([[3.0, 4.0]], np.zeros((0, 2)), 0.5)
    order, signs = match_experts([[-4.0, 3.0]], truth.experts)
    assert order.tolist() == [0] and abs(signs) == 1
    assert regressor_error([[-6.0, -8.0]], truth.experts) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(expert_angles([[3.0, 0.0]], truth.experts), np.arccos(0.6))
    assert gate_error(truth.gates, truth.gates) == gate_error(truth.gates, truth.gates, [0]) == 0
    A, W = matched(-truth.experts, truth.gates, truth)
    np.testing.assert_array_equal(A, truth.experts)
    assert W.shape == reorder_gates(truth.gates, [0]).shape == (0, 2)
    moved = relabelled(replace(truth, noise=[0.5]), [0])
    np.testing.assert_array_equal(moved.experts, truth.experts)
    assert moved.noises.tolist() == [0.5]
    with pytest.raises(ValueError, match="A must have at least one row"):
        match_experts(np.zeros((0, 2)), np.zeros((0, 2)))


# --- directions of one feature --------------------------------------------------------------------


def alike(d):
    """Experts and gates that a first feature alone does not tell from the true ones."""
    A, W = np.ones((2, d)), np.ones((1, d))
    return A, W, GatedModel([[2.0] + [0.0] * (d - 1), [1.0] * d], 2 * W, 0.1)


@pytest.mark.parametrize(
    "compare",
    [
        lambda A, W, truth: match_experts(A, truth.experts),
        lambda A, W, truth: regressor_error(A, truth.experts),
        lambda A, W, truth: expert_angles(A, truth.experts),
        lambda A, W, truth: gate_error(W, truth.gates),
        matched,
    ],
)
def test_directions_of_one_feature_tell_nothing(compare):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(*alike(2))
    message = r"with one feature every direction is the same .* moelib\.align_experts"
    with pytest.warns(AssumptionWarning, match=message) as said:
        compare(*alike(1))
    assert len(said) == 1


def test_with_one_feature_the_error_is_zero_whatever_the_experts():
    with pytest.warns(AssumptionWarning, match="with one feature"):
        assert regressor_error([[5.0], [-1.0]], [[0.1], [0.2]]) == 0
