r"""L4 when nothing holds its rows: descents that may have no end, and what they run away along.

With free rows the loss has a term :math:`\lambda \sum_i (M[a_i, a_i] - 1)^2` for their lengths.
Along a unit vector :math:`\xi` it falls like
:math:`-\rho^4 (\mu\, T[\xi, \xi, \xi, \xi] - \lambda\, M[\xi, \xi]^2)`, without end if that bracket
is positive: the *steepness* of the fall. Rows with :math:`M[a_i, a_i] = 1` cannot fall.
Taught in: :ref:`ch-deriving-l4`.
"""

import numpy as np
from scipy.optimize import minimize

from moelib._extras import load
from moelib.data.arrays import as_floats
from moelib.experts.l4 import best_of_starts, tensor_l4
from moelib.metrics import unit_rows
from moelib.validation import as_count, as_generator, as_matrix

torch = load("torch", "moelib.experts.free_rows")
grad, grad_and_value, tensor = torch.func.grad, torch.func.grad_and_value, torch.tensor


def minimize_free_rows(loss, start, *data, floor=-1e4, wall=1000.0, **weights):
    """Minimise a loss over free rows by L-BFGS, and stop as soon as it falls below a floor.

    Parameters
    ----------
    loss : callable
        ``loss(A, *data, **weights)`` is a scalar tensor that torch can differentiate by A.
    start : (k, d) array
        Start.
    *data : object
        Passed on to the loss.
    floor : float
        A loss below it counts as one that has no bottom.
    wall : float
        Entries are kept between -wall and wall.
    **weights : float
        Passed on to the loss.

    Returns
    -------
    A : (k, d) array
        Where it stopped.
    value : float
        The loss there.

    Examples
    --------
    >>> A, value = minimize_free_rows(lambda A, X: ((A - X) ** 2).sum(), np.zeros((1, 2)), 3.0)
    >>> A
    array([[3., 3.]])
    """
    start = np.array(start, dtype=float)

    def value_and_slope(flat):
        slope, value = grad_and_value(loss)(tensor(flat.reshape(start.shape)), *data, **weights)
        return value.item(), slope.numpy().ravel()

    def stop_below(intermediate_result):
        if intermediate_result.fun < floor:
            raise StopIteration

    walls = [(-wall, wall)] * start.size
    end = minimize(value_and_slope, start.ravel(), jac=True, bounds=walls, callback=stop_below)
    return end.x.reshape(start.shape), end.fun


def gradient_path(loss, start, *data, step=0.01, n_steps=5000, wall=1000.0, **weights):
    """Follow the gradient of a loss over free rows in steps of one size, up to a wall.

    Parameters
    ----------
    loss : callable
        As in :func:`minimize_free_rows`.
    start : (k, d) array
        Start.
    *data : object
        Passed on to the loss.
    step : float
        Size of a step, times the gradient.
    n_steps : int
        Most steps.
    wall : float
        No step is made from where an entry is larger.
    **weights : float
        Passed on to the loss.

    Returns
    -------
    (m, k, d) array
        The start and where each step ended.

    Examples
    --------
    >>> path = gradient_path(lambda A: -(A**2).sum() / 2, np.ones((1, 1)), step=1.0, wall=10.0)
    >>> path.ravel()
    array([ 1.,  2.,  4.,  8., 16.])
    """
    path = [np.array(start, dtype=float)]
    while len(path) <= n_steps and np.abs(path[-1]).max() < wall:
        slope = grad(loss)(tensor(path[-1]), *data, **weights)
        path.append(path[-1] - step * slope.numpy())
    return np.array(path)


def minimize_on_ellipsoid(M, T, A, mu=0.5):
    r"""Minimise L4 over rows with :math:`M[a_i, a_i] = 1`.

    Parameters
    ----------
    M : (d, d) array
        Positive semidefinite.
    T : (d, d, d, d) array
        Symmetric in its four axes.
    A : (k, d) array
        Start; no row may have :math:`M[a_i, a_i] = 0`.
    mu : float
        Weight of the diagonal term of L4.

    Returns
    -------
    (k, d) array

    Examples
    --------
    >>> from moelib.experts.moments import population_moments
    >>> M, T = population_moments(np.eye(2), np.array([0.75, 0.25]))
    >>> np.abs(minimize_on_ellipsoid(M, T, np.array([[2.0, 1.0], [1.0, 2.0]]))).round(3)
    array([[1.155, 0.   ],
           [0.   , 2.   ]])
    """
    M, T, A = as_floats(M, T, A)

    def lengths(A):
        return np.sqrt(np.sum(A @ M * A, axis=1, keepdims=True))

    def value_and_slope(flat):
        r = lengths(flat.reshape(A.shape))
        rows = flat.reshape(A.shape) / r
        value, slope = tensor_l4(T, rows, mu)
        along = np.sum(slope * rows, axis=1, keepdims=True)
        return value, ((slope - along * (rows @ M)) / r).ravel()

    end = minimize(value_and_slope, A.ravel(), jac=True, tol=1e-12).x.reshape(A.shape)
    return end / lengths(end)


def null_vectors(M, rng, *, n_vectors=1000):
    r"""Random unit vectors :math:`\xi` with :math:`M[\xi, \xi] = 0`.

    Sums of a random vector from the eigenspaces of positive eigenvalues and one from those of
    negative eigenvalues, in proportion.

    Parameters
    ----------
    M : (d, d) array
        Symmetric, with eigenvalues of both signs.
    rng : numpy.random.Generator
        Source of randomness.
    n_vectors : int
        How many.

    Returns
    -------
    (n_vectors, d) array

    Raises
    ------
    ValueError
        When M is definite: then there are none.

    Examples
    --------
    >>> xi = null_vectors(np.diag([4.0, -1.0]), np.random.default_rng(0), n_vectors=1)
    >>> np.abs(xi).round(4)
    array([[0.4472, 0.8944]])
    """
    M, rng, n_vectors = as_matrix(M, "M"), as_generator(rng), as_count(n_vectors, "n_vectors")
    values, vectors = np.linalg.eigh(M)
    if not values[0] < 0 < values[-1]:
        raise ValueError(
            "M must have eigenvalues of both signs to have null vectors, got "
            f"{values[0]:.3g} to {values[-1]:.3g}"
        )
    draws = rng.standard_normal((n_vectors, len(M)))
    parts = draws * (values > 0), draws * (values < 0)
    xi = sum(part / np.sqrt(part**2 @ np.abs(values))[:, None] for part in parts)
    return unit_rows(xi @ vectors.T)


def steepness(M, T, lam, starts, *, mu=0.5):
    r"""The largest :math:`\mu\, T[\xi, \xi, \xi, \xi] - \lambda\, M[\xi, \xi]^2` over unit vectors.

    It is minus the least L4 of one row, for the tensor T less :math:`\lambda / \mu` times the
    symmetric part of :math:`M \otimes M`.

    Parameters
    ----------
    M : (d, d) array
        Symmetric.
    T : (d, d, d, d) array
        Symmetric in its four axes.
    lam : float
        Weight of the lengths.
    starts : (n, d) array
        Unit vectors to climb from.
    mu : float
        Weight of the diagonal term of L4.

    Returns
    -------
    float
        The best that was found; positive if L4 with free rows has no bottom.

    Examples
    --------
    >>> from moelib.experts.moments import population_moments
    >>> M, T = population_moments(np.eye(2), np.array([0.75, 0.25]))
    >>> round(steepness(M, T, 1.0, np.eye(2)), 6)  # 0.25 (0.5 - 0.25): the rare expert
    0.0625
    """
    M, T, starts = as_floats(M, T, starts)
    MM = np.multiply.outer(M, M)
    MM = (MM + MM.swapaxes(1, 2) + MM.swapaxes(1, 3)) / 3
    return -best_of_starts(T - lam / mu * MM, starts[:, None], mu)[1][-1]
