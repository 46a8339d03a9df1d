"""Two rows in the plane: each is an angle, so that the whole landscape of L4 is a map.

Opposite edges of the map are the same, since a row and its negative are: it is a torus.
Taught in: :ref:`ch-landscape`.
"""

import numpy as np

from moelib.experts.critical_points import basins, census, torus
from moelib.experts.l4 import derivatives
from moelib.validation import as_count


def landscape_map(T, mu, rng, *, n_side=61):
    """The loss at every pair of angles, its critical points, and where the gradient flow ends.

    Parameters
    ----------
    T : (2, 2, 2, 2) array
        Symmetric in its four axes.
    mu : float
        Weight of the diagonal term of L4.
    rng : numpy.random.Generator
        For the search of critical points.
    n_side : int
        Number n of angles of each row, from -45 to 135 degrees.

    Returns
    -------
    axis : (n,) array
        The angles.
    loss : (n, n) array
        First axis: the angle of the first row.
    points : dict of (p, 2) array
        As :func:`critical_angles`.
    together : (n-1, n-1) array of bool
        Whether the flow from within each square ends with both rows close to each other; the
        starts are a little off the middle, where nothing is symmetric.

    Examples
    --------
    >>> T = np.zeros((2, 2, 2, 2)); T[0, 0, 0, 0], T[1, 1, 1, 1] = 3.0, 2.0
    >>> axis, loss, points, together = landscape_map(T, 1.5, np.random.default_rng(0), n_side=13)
    >>> loss.shape, len(points["saddle"]), round(float(together.mean()), 2)
    ((13, 13), 8, 0.17)
    """
    axis, step = np.linspace(-45, 135, as_count(n_side, "n_side", least=2), retstep=True)
    mesh = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    starts = mesh[:-1, :-1] + step * np.array([1 / 2, 1 / 6])
    loss = derivatives(T, torus(mesh), mu)[0]
    return axis, loss, critical_angles(T, mu, rng), flows_together(T, mu, starts)


def critical_angles(T, mu, rng, *, n_init=200):
    """All critical points on the map, by kind.

    Parameters
    ----------
    T : (2, 2, 2, 2) array
        Symmetric in its four axes.
    mu : float
        Weight of the diagonal term of L4.
    rng : numpy.random.Generator
        For the starts of the search.
    n_init : int
        Number of starts.

    Returns
    -------
    dict of (n, 2) array
        Angles of the two rows in degrees, from -45 to 135. "right" has the minima with rows far
        apart, "stray" those with rows close to each other; then "saddle" and "maximum". A kind
        that does not occur is left out.

    Examples
    --------
    >>> T = np.zeros((2, 2, 2, 2)); T[0, 0, 0, 0], T[1, 1, 1, 1] = 3.0, 2.0
    >>> critical_angles(T, 0.5, np.random.default_rng(0))["right"]
    array([[ 0., 90.],
           [90.,  0.]])
    """
    found: dict = {"right": [], "stray": [], "saddle": [], "maximum": []}
    for point in census(T, mu, rng, n_init=n_init):
        minimum = "stray" if _are_close(point.V) else "right"
        angles = np.degrees(np.arctan2(point.V[:, 1], point.V[:, 0]))
        found[(minimum, "saddle", "maximum")[point.index]] += [angles, angles[::-1]]
    return {
        kind: np.unique((np.round(angles, 3) + 45) % 180 - 45, axis=0)
        for kind, angles in found.items()
        if angles
    }


def flows_together(T, mu, angles, *, step=0.08, n_steps=100):
    """Whether the gradient flow ends with both rows close to each other, up to sign.

    Parameters
    ----------
    T : (2, 2, 2, 2) array
        Symmetric in its four axes.
    mu : float
        Weight of the diagonal term of L4.
    angles : (..., 2) array
        Where the two rows start, in degrees.
    step : float
        Length of a step in radians.
    n_steps : int
        Number of steps.

    Returns
    -------
    (...) array of bool

    Examples
    --------
    >>> T = np.zeros((2, 2, 2, 2)); T[0, 0, 0, 0], T[1, 1, 1, 1] = 3.0, 2.0
    >>> start = np.array([10.0, 20.0])
    >>> bool(flows_together(T, 0.5, start)), bool(flows_together(T, 1.5, start))
    (False, True)
    """
    return _are_close(torus(basins(T, mu, angles, step=step, n_steps=n_steps)))


def _are_close(V):
    """Whether the angle between two unit rows (..., 2, 2), up to sign, is below 45 degrees."""
    return np.abs(np.sum(V[..., 0, :] * V[..., 1, :], axis=-1)) > np.sqrt(0.5)
