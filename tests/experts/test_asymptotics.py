"""First-order errors of the reduced loss, against its minimiser and against single samples."""

import numpy as np
import pytest

from moelib import label_transforms, random_model, standard_model
from moelib.experts.asymptotics import error_constants, first_order_error
from moelib.experts.l4 import minimize_l4_gradient
from moelib.experts.moments import population_moments
from moelib.experts.orthonormal import minimize_l4_orthonormal
from moelib.experts.reduction import top_eigenpairs
from moelib.experts.tensors import random_symmetric
from moelib.hermite import score_tensor
from moelib.metrics import standard_errors_off, unit_rows
from moelib.model import GatedModel


def minimiser(M, T, A, mu, minimize=minimize_l4_gradient):
    """The experts of the reduced loss with these moments, by descent from the true ones."""
    values, B = top_eigenpairs(M, len(A))
    frame = B / np.sqrt(values)
    T = np.einsum("abcd,ai,bj,ck,dl->ijkl", T, *4 * [frame], optimize=True)
    V, _ = minimize(T, unit_rows(A @ frame), mu, tol=1e-12)
    found = unit_rows((V * np.sqrt(values)) @ B.T)
    return found * np.sign(np.sum(found * A, axis=1, keepdims=True))


@pytest.mark.parametrize("mu", [0.3, 0.8])
def test_moves_are_the_slope_of_the_minimiser(mu):
    rng = np.random.default_rng(int(10 * mu))
    A, shares = random_model(6, 3, rng).experts, np.array([0.5, 0.3, 0.2])
    M, T = population_moments(A, shares)
    F, E = random_symmetric(6, 2, rng) / 6, random_symmetric(6, 4, rng) / 72
    up, down = (minimiser(M + h * F, T + h * E, A, mu) for h in (1e-4, -1e-4))
    moves = first_order_error(F, E, A, shares, mu=mu)
    assert np.abs(moves).max(axis=1).min() > 0.1
    np.testing.assert_allclose((up - down) / 2e-4, moves, atol=1e-4)


def test_moves_over_orthonormal_rows_are_the_slope_of_their_minimiser():
    """Skew experts, unequal shares; mu has no say, and the two minimisers move apart."""
    rng = np.random.default_rng(5)
    A, shares = random_model(6, 4, rng).experts, np.array([0.4, 0.3, 0.2, 0.1])
    M, T = population_moments(A, shares)
    F, E = random_symmetric(6, 2, rng) / 6, random_symmetric(6, 4, rng) / 72
    up, down = (
        minimiser(M + h * F, T + h * E, A, 0.5, minimize_l4_orthonormal) for h in (1e-4, -1e-4)
    )
    moves = first_order_error(F, E, A, shares, solver="orthonormal")
    np.testing.assert_allclose((up - down) / 2e-4, moves, rtol=1e-3, atol=1e-3)
    same = first_order_error(F, E, A, shares, mu=0.9, solver="orthonormal")
    np.testing.assert_array_equal(moves, same)
    assert np.abs(moves - first_order_error(F, E, A, shares)).max() > 0.1


def moves_of_samples(X, q2, q4, A, shares, **options):
    """First-order errors whose F and E are one sample's terms, (n, k, d), by linearity."""
    n, d = X.shape
    no_F, no_E = np.zeros((d, d)), np.zeros((d, d, d, d))
    of_F = [first_order_error(F.reshape(d, d), no_E, A, shares, **options) for F in np.eye(d**2)]
    of_E = [
        first_order_error(no_F, E.reshape(no_E.shape), A, shares, **options) for E in np.eye(d**4)
    ]
    F = q2[:, None] * score_tensor(X, 2).reshape(n, -1)
    E = q4[:, None] * score_tensor(X, 4).reshape(n, -1)
    return np.tensordot(F, of_F, 1) + np.tensordot(E, of_E, 1)


@pytest.mark.parametrize("options", [dict(mu=0.7), dict(solver="orthonormal")])
@pytest.mark.parametrize("link", ["tanh", "leaky_relu"])
def test_constants_are_mean_squares_of_one_samples_moves(link, options):
    model = standard_model(d=5, n_experts=3, noise=0.3, link=link, gate_norm=1.5)
    pair = label_transforms(link, 0.3, kind="optimal", dimension=3)
    X, y = model.sample(40_000, np.random.default_rng(1))
    q2, q4 = pair.q2(y) / pair.c2, pair.q4(y) / pair.c4
    moves = moves_of_samples(X, q2, q4, model.experts, model.shares(), **options)
    parts = moves[:, :, :3], moves[:, :, 3:]
    for part, constant in zip(parts, error_constants(model, pair, **options), strict=True):
        squares = np.sum(part**2, axis=-1)
        assert np.all(squares.std(axis=0) / np.sqrt(len(squares)) < 0.08 * constant)
        assert standard_errors_off(squares, constant).max() < 4


def test_orthonormal_constants_count_every_expert_with_unequal_shares():
    """Four experts, so that two answer with no coordinate in a pair's terms."""
    base = standard_model(d=7, n_experts=4, noise=0.3, link="tanh")
    model = GatedModel(base.experts, base.gates, 0.3, "tanh", gate_intercepts=[1.0, 0.5, -0.5])
    pair = label_transforms("tanh", 0.3, kind="in-span", dimension=4)
    X, y = model.sample(400_000, np.random.default_rng(2))
    shares, z = model.shares(), X[:, :4]
    q2, q4 = pair.q2(y) / pair.c2, pair.q4(y) / pair.c4
    inside, _ = error_constants(model, pair, solver="orthonormal")
    cubes = z**3 - 3 * z
    for i in range(4):
        square = np.zeros(len(y))
        for m in {0, 1, 2, 3} - {i}:
            own, other = cubes[:, i] * z[:, m], cubes[:, m] * z[:, i]
            alpha = q2 * z[:, i] * z[:, m] + q4 * (shares[m] / shares[i] * own - other)
            square += (alpha / (shares[i] + shares[m])) ** 2
        assert square.std() / np.sqrt(len(y)) < 0.03 * inside[i]
        assert standard_errors_off(square, inside[i]) < 4


def test_outer_part_has_a_closed_form_for_two_experts_and_the_identity():
    """p_1(-w) = p_2(w), so E[p w^2] = 1/2; with Y = s u the rest are moments of u."""
    noise, d = 0.8, 7
    s2 = 1 + noise**2
    flat, steep = s2**2 / 2, s2**2 / 4 * (10 / s2 + 2 * (1 - 1 / s2))
    model = standard_model(d=d, n_experts=2, noise=noise, gate_norm=2.0)
    _, outside = error_constants(model, label_transforms("identity", noise))
    np.testing.assert_allclose(outside, (d - 2) * 2 * (flat + steep), rtol=0.03)


def test_skew_experts_are_refused():
    model = random_model(6, 3, np.random.default_rng(0))
    with pytest.raises(ValueError, match="orthonormal"):
        error_constants(model, label_transforms())


def test_an_unknown_solver_is_refused():
    model = standard_model(d=5, n_experts=2)
    with pytest.raises(ValueError, match="solver must be one of"):
        error_constants(model, label_transforms("identity", 0.05), solver="newton")
    with pytest.raises(ValueError, match="solver must be one of"):
        first_order_error(np.eye(2), np.zeros((2,) * 4), np.eye(2), [0.5, 0.5], solver="newton")
