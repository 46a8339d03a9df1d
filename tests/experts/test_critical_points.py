"""Critical points of L4: kinds, an exact list for small k, and basins."""

from itertools import combinations, combinations_with_replacement

import numpy as np
import pytest

from moelib.experts.critical_points import (
    POINT_KINDS,
    basins,
    census,
    classify,
    find_critical_points,
    merge,
    stable_occupancies,
    torus,
)
from moelib.experts.l4 import derivatives, minimize_l4_gradient, random_unit_rows
from moelib.experts.tensors import orthogonal_tensor


def test_kinds_have_a_tolerance():
    spectra = np.array([[-2.0, -1.0], [-1e-9, 1.0], [1e-9, 1.0], [1e-3, 1.0]])
    assert classify(spectra).tolist() == [
        POINT_KINDS[1],
        POINT_KINDS[2],
        POINT_KINDS[2],
        POINT_KINDS[0],
    ]
    assert classify(spectra, tol=1e-2)[3] == POINT_KINDS[2]


def test_merging_ignores_order_and_signs_and_nothing_else():
    rng = np.random.default_rng(0)
    V = np.array([random_unit_rows(4, rng) for _ in range(50)])
    other = V[:, rng.permutation(4)] * rng.choice([-1, 1], (50, 4, 1))
    labels = merge(np.concatenate([V, other + 1e-9 * rng.standard_normal(V.shape)]))
    np.testing.assert_array_equal(labels[:50], labels[50:])
    assert len(np.unique(labels)) == 50
    turned = V * np.array([1, 1, 1, -1])  # a sign within a row is another configuration
    assert len(np.unique(merge(np.concatenate([V, turned])))) == 100


def exact_squares(lam, mu, k):
    """All critical points up to signs: one linear system in s = v^2 for each choice of supports."""
    r, found = len(lam), []
    supports = [s for n in range(1, r + 1) for s in combinations(range(r), n)]
    for chosen in combinations_with_replacement(supports, k):
        cells = [(i, m) for i, support in enumerate(chosen) for m in support]
        row, column = np.array(cells).T
        meets = (column[:, None] == column) * lam[column][:, None]
        own = (row[:, None] == np.arange(k)).astype(float)
        system = np.block(
            [[meets - (1 + mu) * np.diag(lam[column]), -own], [own.T, np.zeros((k, k))]]
        )
        s = np.linalg.solve(system, np.r_[np.zeros(len(cells)), np.ones(k)])[: len(cells)]
        if s.min() > 1e-9:
            squares = np.zeros((k, r))
            squares[row, column] = s
            found.append(squares)
    return np.array(found)


@pytest.mark.parametrize("mu", [0.3, 1.5, 3.3])
@pytest.mark.parametrize("k, n_init", [(2, 400), (3, 4000)])
def test_census_is_complete_for_small_k(k, n_init, mu):
    """Newton's list and the list from linear systems are one and the same, kinds included."""
    rng = np.random.default_rng(k)
    lam = 1 / rng.dirichlet(np.full(k, 5.0))
    T = orthogonal_tensor(lam, np.eye(k))
    points = census(T, mu, rng, n_init=n_init)
    exact = np.sqrt(exact_squares(lam, mu, k))
    exact = exact[np.unique(merge(exact), return_index=True)[1]]
    found = np.abs([p.V for p in points])
    labels = merge(np.concatenate([exact, found]))
    assert set(labels[: len(exact)]) == set(labels[len(exact) :])
    minima = [p for p in points if p.kind == POINT_KINDS[0]]
    assert all(p.index == 0 and p.smallest > 0 for p in minima)
    assert all(p.index > 0 and p.smallest < 0 for p in points if p.kind == POINT_KINDS[1])
    occupancies = {tuple(np.sum(p.V**2, axis=0).round(6).astype(int)) for p in minima}
    assert occupancies == {tuple(n) for n in stable_occupancies(lam, k, mu)}
    assert sum(p.count for p in points) <= n_init
    assert [p.value for p in points] == sorted(p.value for p in points)


def test_promised_minima_by_hand():
    assert stable_occupancies([1.0, 9.0, 5.0], 3, 0.9).tolist() == [[1, 1, 1]]
    assert len(stable_occupancies([1.0, 9.0, 5.0], 3, 1.1)) == 7  # and six with two rows and a gap
    assert stable_occupancies([1.0, 1.0], 4, 0.5).tolist() == [[2, 2]]
    assert stable_occupancies([1.0, 4.0], 4, 0.5).tolist() == [[3, 1]]  # here the weights count


def test_newton_reaches_a_saddle_and_leaves_out_what_is_no_critical_point():
    T = orthogonal_tensor([3.0, 2.0], np.eye(2))
    starts = torus(np.array([[2.0, 3.0], [40.0, 50.0], [87.0, 1.0]]))
    ends = find_critical_points(T, starts, 0.5)
    assert len(ends) == 3
    _, gradient, hessian = derivatives(T, ends, 0.5)
    np.testing.assert_allclose(gradient, 0, atol=1e-8)
    assert np.sum(np.linalg.eigvalsh(hessian)[:, 0] < 0) == 2
    assert len(find_critical_points(T, starts, 0.5, max_iter=1)) == 0


def test_basins_end_where_a_descent_ends():
    T = orthogonal_tensor([1.25, 5.0], np.eye(2))
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 180, (20, 2))
    for mu in (0.5, 1.5):
        ends = torus(basins(T, mu, starts))
        for start, end in zip(starts, ends, strict=True):
            V, _ = minimize_l4_gradient(0.05 * T, torus(start), mu)  # short steps
            np.testing.assert_allclose(end**2, V**2, atol=1e-6)


def test_census_counts_rows_apart_from_dimensions():
    """One row in the plane: two minima at the directions, and the two points between them."""
    T = orthogonal_tensor([3.0, 2.0], np.eye(2))
    points = census(T, 0.5, np.random.default_rng(0), n_init=60, n_experts=1)
    assert all(p.V.shape == (1, 2) for p in points)
    np.testing.assert_allclose([p.value for p in points], [-1.5, -1, -0.6, -0.6], atol=1e-9)
    assert [p.kind for p in points] == [*POINT_KINDS[:1] * 2, *POINT_KINDS[1:2] * 2]


@pytest.mark.parametrize("n_init", [1, 2, 4])
def test_a_census_of_few_starts_lists_what_they_found(n_init):
    T = orthogonal_tensor([3.0, 2.0], np.eye(2))
    points = census(T, 0.5, np.random.default_rng(0), n_init=n_init)
    assert sum(point.count for point in points) <= n_init
    for point in points:
        assert np.abs(derivatives(T, point.V, 0.5)[1]).max() < 1e-7
