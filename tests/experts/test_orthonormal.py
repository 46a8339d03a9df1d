"""L4 over orthonormal rows: its identity, its climb, its ends, and what noise makes of others."""

import warnings

import numpy as np
import pytest

from moelib.experts import orthogonal_tensor
from moelib.experts.l4 import minimize_l4_lbfgs, random_unit_rows, tensor_l4
from moelib.experts.orthonormal import (
    best_run,
    largest_overlap,
    minimize_l4_orthonormal,
    nearest_orthonormal,
)
from moelib.experts.tensors import random_symmetric
from moelib.validation import ConvergenceWarning


def disturbed(k, seed, size):
    """A whitened moment with noise: it has unequal weights, and negative curvature somewhere."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((k, k)))[0]
    noise = random_symmetric(k, 4, rng)
    T = orthogonal_tensor(1 / rng.dirichlet(np.full(k, 5.0)), U)
    return T + size * noise / np.linalg.norm(noise), U, rng


def collapsing(k, mu):
    """Equal weights k, less a flat direction v: T[v^4] is below -mu k / (k - 1 - mu)."""
    v = np.full(k, k**-0.5)
    depth = 1.5 + mu * k / (k - 1 - mu)
    return orthogonal_tensor(np.full(k, float(k)), np.eye(k)) - depth * orthogonal_tensor(
        [1.0], [v]
    )


def distance_to_permutation(V, U):
    """How far the products <v_i, u_m> are from those of a signed permutation."""
    products = np.abs(V @ U.T)
    nearest = np.eye(len(U))[products.argmax(axis=1)]
    assert np.all(nearest.sum(axis=0) == 1)
    return np.abs(products - nearest).max()


@pytest.mark.parametrize("mu", [0.2, 0.95])
def test_the_weight_scales_the_loss_of_orthonormal_rows(mu):
    T, _, rng = disturbed(5, 0, 30.0)
    V = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    value = np.einsum("abcd,ia,ib,ic,id->", T, V, V, V, V, optimize=True)
    expected = np.einsum("aabb->", T) - (1 + mu) * value
    assert tensor_l4(T, V, mu)[0] == pytest.approx(expected, rel=1e-12)


def test_nearest_orthonormal_rows_have_the_largest_product():
    rng = np.random.default_rng(3)
    A = rng.standard_normal((4, 4))
    V = nearest_orthonormal(A)
    np.testing.assert_allclose(V @ V.T, np.eye(4), atol=1e-12)
    others = np.linalg.qr(rng.standard_normal((1000, 4, 4)))[0]
    assert np.sum(A * V) > np.sum(A * others, axis=(1, 2)).max()


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
def test_without_noise_every_start_ends_at_the_truth(population_tensor, k):
    """From 20 starts each: unequal weights, signed permutations, the last steps cubic."""
    rng = np.random.default_rng(k)
    T, U, weights = population_tensor(k, rng)
    for _ in range(20):
        V, losses = minimize_l4_orthonormal(T, random_unit_rows(k, rng), 0.5)
        assert distance_to_permutation(V, U) < 1e-6
        assert losses[-1] == pytest.approx(-0.5 * weights.sum(), rel=1e-9)
        assert len(losses) < 60


@pytest.mark.parametrize("seed", range(5))
def test_every_step_climbs_to_a_stationary_point(seed):
    """Noise larger than any weight: a shift is needed, and without one the loss would rise."""
    T, _, rng = disturbed(4, seed, 60.0)
    start = random_unit_rows(4, rng)
    V, losses = minimize_l4_orthonormal(T, start, 0.3)
    np.testing.assert_allclose(V @ V.T, np.eye(4), atol=1e-12)
    assert np.max(np.diff(losses)) <= 1e-11 * np.linalg.norm(T)
    assert losses[-1] == pytest.approx(tensor_l4(T, V, 0.3)[0], abs=1e-9 * np.linalg.norm(T))
    G = np.einsum("abcd,ia,ib,ic->id", T, V, V, V, optimize=True)
    assert np.abs(G @ V.T - V @ G.T).max() < 1e-7 * np.linalg.norm(G)
    turns = np.linalg.qr(np.eye(4) + 1e-3 * rng.standard_normal((200, 4, 4)))[0]
    turns *= np.sign(np.einsum("nii->ni", turns))[:, None, :]
    nearby = turns @ V
    values = np.einsum("abcd,nia,nib,nic,nid->n", T, *[nearby] * 4, optimize=True)
    best = np.sum(G * V)
    assert values.max() < best  # a maximum, not a saddle


def test_without_shifts_the_sum_would_fall():
    """What the shift is for: on the same tensors the plain iteration goes down in some step."""
    falls = 0
    for seed in range(5):
        T, _, rng = disturbed(4, seed, 60.0)
        V, values = nearest_orthonormal(random_unit_rows(4, rng)), []
        for _ in range(30):
            G = np.einsum("abcd,ia,ib,ic->id", T, V, V, V, optimize=True)
            values.append(np.sum(G * V))
            V = nearest_orthonormal(G)
        falls += min(np.diff(values)) < -1e-6 * np.linalg.norm(T)
    assert falls > 0


def test_the_weight_has_no_say_in_the_end():
    T, _, rng = disturbed(5, 1, 10.0)
    start = random_unit_rows(5, rng)
    ends = [minimize_l4_orthonormal(T, start, mu)[0] for mu in (0.1, 0.9)]
    np.testing.assert_array_equal(*ends)


def test_where_unit_rows_collapse_orthonormal_ones_do_not():
    """Flat direction below the threshold: k equal rows are lower than the truth, and are found."""
    k, mu = 8, 0.5
    T, rng = collapsing(k, mu), np.random.default_rng(0)
    v = np.full((k, k), k**-0.5)
    flat = np.einsum("abcd,a,b,c,d->", T, *v[:4], optimize=True)
    assert flat < -mu * k / (k - 1 - mu)
    assert tensor_l4(T, v, mu)[0] < tensor_l4(T, np.eye(k), mu)[0] - 1
    starts = [random_unit_rows(k, rng) for _ in range(10)]
    on_spheres = [minimize_l4_lbfgs(T, V, mu) for V in starts]
    lowest = min(on_spheres, key=lambda run: run[1][-1])[0]
    assert largest_overlap(lowest) > 0.99
    for V in starts:
        assert distance_to_permutation(minimize_l4_orthonormal(T, V, mu)[0], np.eye(k)) < 0.05
    upright = minimize_l4_lbfgs(T, np.eye(k), mu)  # the truth's own minimum is still there
    runs = [*on_spheres, upright]
    assert largest_overlap(runs[best_run(runs)][0]) < 0.8


def test_a_run_with_coinciding_rows_never_wins():
    near = np.array([[1.0, 0.0], [0.81, np.sqrt(1 - 0.81**2)]])
    apart = np.array([[1.0, 0.0], [-0.79, np.sqrt(1 - 0.79**2)]])
    opposite = np.array([[1.0, 0.0], [-1.0, 0.0]])
    runs = [(near, [-9.0]), (apart, [-1.0]), (opposite, [-99.0]), (apart, [-1.0 - 1e-9])]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert best_run(runs) == 1  # of two equally low the first
        assert best_run([(np.eye(1), [2.0]), (np.eye(1), [1.0])]) == 1


def test_if_all_coincide_the_lowest_wins_with_a_warning():
    same = np.ones((3, 3)) / np.sqrt(3)
    with pytest.warns(ConvergenceWarning, match="more samples.*solver='orthonormal'"):
        assert best_run([(same, [-1.0]), (same, [-3.0]), (same, [-2.0])]) == 1


def test_too_few_steps_bring_a_warning():
    T, _, rng = disturbed(4, 0, 60.0)
    with pytest.warns(ConvergenceWarning, match="after 2 steps: raise max_iter"):
        _, losses = minimize_l4_orthonormal(T, random_unit_rows(4, rng), max_iter=2)
    assert len(losses) == 3


def test_fewer_rows_than_dimensions_are_refused():
    T = orthogonal_tensor(np.ones(3), np.eye(3))
    with pytest.raises(ValueError, match=r"V must have 3 rows of length 3, got shape \(2, 3\)"):
        minimize_l4_orthonormal(T, np.eye(3)[:2])
