"""Theory of the orthogonal tensor against searches, derivatives and disturbed minima."""

from itertools import permutations

import numpy as np
import pytest

from moelib.experts import (
    critical_squares,
    derivatives,
    farthest_move,
    find_critical_points,
    first_order_move,
    merge,
    orthogonal_tensor,
    random_symmetric,
    random_unit_rows,
)


@pytest.mark.parametrize("mu", [0.3, 0.7, 1.5])
def test_the_list_is_critical_and_nothing_else_is(mu):
    rng = np.random.default_rng(0)
    lam = rng.uniform(1, 4, 3)
    T, V = orthogonal_tensor(lam, np.eye(3)), np.sqrt(critical_squares(lam, mu, k=2))
    np.testing.assert_allclose(np.sum(V**2, axis=2), 1)
    assert np.abs(derivatives(T, V, mu)[1]).max() < 1e-9
    starts = np.array([random_unit_rows(2, rng, 3) for _ in range(400)])
    searched = np.abs(find_critical_points(T, starts, mu))
    labels = merge(np.concatenate([V, searched]))
    assert len(set(labels[: len(V)])) == len(V)
    assert set(labels[len(V) :]) == set(labels[: len(V)])


def test_one_row_has_a_critical_point_for_every_set_of_columns():
    """With one row the squares are proportional to 1 / lambda on any set of columns."""
    lam = np.array([1.0, 2.0, 4.0])
    found = {tuple(s[0].round(9)) for s in critical_squares(lam, 0.5, k=1)}
    expected = set()
    for chosen in np.ndindex(2, 2, 2):
        if any(chosen):
            s = np.array(chosen) / lam
            expected.add(tuple((s / s.sum()).round(9)))
    assert found == expected


@pytest.mark.parametrize("mu", [0.05, 0.5, 0.95])
def test_the_first_order_move_leaves_over_a_square(mu):
    rng = np.random.default_rng(0)
    lam, U = rng.uniform(1, 3, 3), np.linalg.qr(rng.standard_normal((3, 3)))[0]
    T, E = orthogonal_tensor(lam, U), random_symmetric(3, 4, rng) / 24
    left = []
    for size in (1e-2, 1e-3):
        V = find_critical_points(T + size * E, U[None], mu)[0]
        move = V @ U.T - np.eye(3)
        np.fill_diagonal(move, 0)
        left.append(np.abs(move - first_order_move(size * E, U, lam, mu)).max())
        assert left[-1] < 0.1 * np.abs(move).max()
    assert 50 < left[0] / left[1] < 200


def test_the_farthest_move_is_typed_out_and_not_exceeded():
    rng = np.random.default_rng(0)
    lam, mu = rng.uniform(1, 3, 4), 0.6
    least = min(lam[m] + mu * lam[i] for i, m in permutations(range(4), 2))
    expected = 4 * 2 * (3 + mu) * 0.05 / least
    assert farthest_move(0.05, lam, mu) == pytest.approx(expected)
    E = random_symmetric(4, 4, rng)
    E *= 0.05 / np.linalg.norm(E)
    V = find_critical_points(orthogonal_tensor(lam, np.eye(4)) + E, np.eye(4)[None], mu)[0]
    assert 0 < np.linalg.norm(V - np.eye(4)) < expected
