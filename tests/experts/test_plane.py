"""The map of two rows against calculus on two angles."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from moelib.experts import critical_angles, flows_together, landscape_map, tensor_l4
from moelib.experts.critical_points import torus

LAM = np.array([3.0, 2.0])
T = np.zeros((2, 2, 2, 2))
T[0, 0, 0, 0], T[1, 1, 1, 1] = LAM


def loss_and_slope(angles, mu):
    """The loss of two rows at angles in radians, typed out, and its gradient."""
    squares = np.array([np.cos(angles) ** 2, np.sin(angles) ** 2])  # columns: rows of V
    both = squares.sum(axis=1)
    loss = LAM @ (both**2 - (1 + mu) * (squares**2).sum(axis=1))
    outer = 2 * LAM[:, None] * (both[:, None] - (1 + mu) * squares)
    return loss, np.sin(2 * angles) * (outer[1] - outer[0])


def test_the_typed_slope_is_that_of_the_loss():
    angles, step = np.array([0.3, 1.9]), 1e-5
    for i in range(2):
        shift = step * np.eye(2)[i]
        rise = loss_and_slope(angles + shift, 0.5)[0] - loss_and_slope(angles - shift, 0.5)[0]
        assert rise / (2 * step) == pytest.approx(loss_and_slope(angles, 0.5)[1][i], rel=1e-6)


@pytest.mark.parametrize(
    "mu, counts",
    [
        (0.5, {"right": 2, "saddle": 4, "maximum": 2}),
        (1.5, {"right": 2, "stray": 2, "saddle": 8, "maximum": 4}),
    ],
)
def test_critical_angles_are_critical_and_complete(mu, counts):
    """On a torus minima and maxima are together as many as saddles."""
    points = critical_angles(T, mu, np.random.default_rng(0))
    assert {kind: len(angles) for kind, angles in points.items()} == counts
    assert sum(counts.values()) == 2 * counts["saddle"]
    for angles in np.radians(np.concatenate(list(points.values()))):
        np.testing.assert_allclose(loss_and_slope(angles, mu)[1], 0, atol=1e-3)
    np.testing.assert_allclose(points["right"], [[0, 90], [90, 0]], atol=1e-3)
    same = points["maximum" if mu < 1 else "stray"]
    np.testing.assert_allclose(same, [[0, 0], [90, 90]], atol=1e-3)


@pytest.mark.parametrize("mu", [0.5, 1.5, 2.5])
def test_where_the_flow_ends_against_an_integrated_gradient_flow(mu):
    starts = np.random.default_rng(0).uniform(-45, 135, (20, 2))
    together = flows_together(T, mu, starts, step=0.01, n_steps=1500)
    for start, found in zip(starts, together, strict=True):
        flow = solve_ivp(
            lambda _, angles: -loss_and_slope(angles, mu)[1], (0, 60), np.radians(start)
        )
        assert found == (np.cos(flow.y[0, -1] - flow.y[1, -1]) ** 2 > 0.5)
    assert together.any() == (mu > 1)


def test_the_map_has_the_loss_of_every_pair_of_angles():
    axis, loss, points, together = landscape_map(T, 1.5, np.random.default_rng(0), n_side=13)
    for i, j in np.ndindex(13, 13):
        expected = tensor_l4(T, torus(axis[[i, j]]), 1.5)[0]
        assert loss[i, j] == pytest.approx(expected)
    np.testing.assert_allclose(np.diff(axis), 15)
    assert set(points) == {"right", "stray", "saddle", "maximum"}
    assert together.shape == (12, 12) and 0 < together.mean() < 0.5
