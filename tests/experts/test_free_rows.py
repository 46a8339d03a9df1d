"""L4 with free rows against closed forms, and against all directions of the plane."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from torch import tensor

from moelib import l4_loss, label_transforms, standard_model
from moelib.experts import (
    gradient_path,
    minimize_free_rows,
    minimize_on_ellipsoid,
    null_vectors,
    population_moments,
    random_symmetric,
    random_unit_rows,
    steepness,
)


def sum_of_squares(A, target, weight=1.0):
    return weight * ((A - target) ** 2).sum()


def fall(A):
    return -(A**4).sum()


def test_a_bowl_is_minimised_to_its_bottom():
    target = np.random.default_rng(0).standard_normal((2, 3))
    A, value = minimize_free_rows(sum_of_squares, np.zeros((2, 3)), tensor(target), weight=5.0)
    np.testing.assert_allclose(A, target, atol=1e-6)
    assert value < 1e-10


def test_a_loss_without_a_bottom_is_left_below_the_floor_or_at_the_walls():
    start = np.full((1, 2), 0.5)
    A, value = minimize_free_rows(fall, start, floor=-100.0)
    assert value < -100 and value == pytest.approx(-np.sum(A**4))
    A, value = minimize_free_rows(fall, start, wall=2.0)
    np.testing.assert_allclose(np.abs(A), 2.0)


def test_the_sample_form_of_l4_is_taken_as_it_is():
    """With a large weight of the lengths the loss has a bottom near; the slope there is zero."""
    model = standard_model(d=4, n_experts=2)
    X, y = model.sample(2000, np.random.default_rng(0))
    transforms = label_transforms("identity", noise=model.noise)
    A, value = minimize_free_rows(l4_loss, model.experts.copy(), X, y, transforms, lam=4.0)
    assert value == pytest.approx(l4_loss(A, X, y, transforms, lam=4.0).item())
    assert value <= l4_loss(model.experts, X, y, transforms, lam=4.0).item()


def test_a_path_of_small_steps_follows_the_gradient_up_to_the_wall():
    path = gradient_path(sum_of_squares, np.full((1, 1), 2.0), 0.0, step=0.1, n_steps=7)
    np.testing.assert_allclose(path.ravel(), 2.0 * 0.8 ** np.arange(8))
    path = gradient_path(sum_of_squares, np.full((1, 1), 2.0), 0.0, step=0.1, weight=-1.0, wall=4)
    np.testing.assert_allclose(path.ravel(), 2.0 * 1.2 ** np.arange(5))
    assert path[-2] < 4 <= path[-1]


@pytest.mark.parametrize("seed", range(5))
def test_on_the_ellipsoid_the_minimisers_are_the_dual_basis(seed):
    """Skew experts in a larger space: each row sees one expert, at a length that its share sets."""
    rng = np.random.default_rng(seed)
    experts, shares = random_unit_rows(3, rng, 5), rng.dirichlet([5, 5, 5])
    M, T = population_moments(experts, shares)
    A = minimize_on_ellipsoid(M, T, random_unit_rows(3, rng, 5))
    np.testing.assert_allclose(np.einsum("ia,ab,ib->i", A, M, A), 1)
    seen = np.abs(A @ experts.T) * np.sqrt(shares)
    rows, columns = linear_sum_assignment(-seen)
    np.testing.assert_allclose(seen[rows][:, columns], np.eye(3), atol=1e-4)


def test_null_vectors_are_unit_random_and_null():
    M = random_symmetric(6, 2, np.random.default_rng(0))
    xi = null_vectors(M, np.random.default_rng(1), n_vectors=200)
    np.testing.assert_allclose(np.linalg.norm(xi, axis=1), 1)
    np.testing.assert_allclose(np.einsum("na,ab,nb->n", xi, M, xi), 0, atol=1e-12)
    assert np.linalg.svd(xi, compute_uv=False).min() > 1  # they fill all directions


@pytest.mark.parametrize("sign", [1, -1])
def test_a_definite_matrix_has_no_null_vectors(sign):
    with pytest.raises(ValueError, match="M must have eigenvalues of both signs"):
        null_vectors(sign * np.diag([1.0, 2.0]), np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(5))
def test_steepness_against_all_directions_of_the_plane(seed):
    rng = np.random.default_rng(seed)
    M, T, lam, mu = random_symmetric(2, 2, rng), random_symmetric(2, 4, rng), 0.7, 0.4
    angles = np.linspace(0, np.pi, 100_001)
    xi = np.column_stack([np.cos(angles), np.sin(angles)])
    quartic = np.einsum("abcd,na,nb,nc,nd->n", T, xi, xi, xi, xi)
    falls = mu * quartic - lam * np.einsum("na,ab,nb->n", xi, M, xi) ** 2
    found = steepness(M, T, lam, xi[::12_500], mu=mu)
    assert found == pytest.approx(falls.max(), rel=1e-6)


def test_steepness_of_the_population_is_that_of_one_expert():
    """For orthonormal experts and a small lam: the largest of the shares times mu - lam share."""
    shares = np.array([0.5, 0.3, 0.2])
    M, T = population_moments(np.eye(3), shares)
    starts = random_unit_rows(20, np.random.default_rng(0), 3)
    assert steepness(M, T, 1.0, starts) == pytest.approx(np.max(shares * (0.5 - shares)))
