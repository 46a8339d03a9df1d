r"""Hermite polynomials and the score tensors of the standard normal law.

For :math:`x \sim N(0, I_d)` the score tensor :math:`S_m(x)` is the multivariate Hermite
polynomial of order m, and Stein's lemma turns its moments into derivatives:

.. math:: E[f(x)\, S_m(x)] = E[\nabla^m f(x)], \qquad
          S_m(x)[u, \dots, u] = \|u\|^m\, He_m(\langle u, x\rangle / \|u\|).

The contractions never form a tensor; :func:`score_tensor` does, for small checks.
"""

import numpy as np
from scipy.special import eval_hermitenorm


def hermite(m, t):
    r"""Probabilists' Hermite polynomial :math:`He_m(t)`: 1, t, t^2 - 1, t^3 - 3t, ...

    Parameters
    ----------
    m : int
        Order, 0 or more.
    t : array of any shape
        Where to evaluate the polynomial.

    Examples
    --------
    >>> hermite(4, np.array([0.0, 1.0]))
    array([ 3., -2.])

    References
    ----------
    Taught in: :ref:`ch-hermite`.
    """
    return eval_hermitenorm(m, np.asarray(t, dtype=float))


def score2(x, u):
    r"""Contract the second-order score tensor with a direction, :math:`S_2(x)[u,u]`.

    .. math:: S_2(x)[u,u] = (u^\top x)^2 - \|u\|^2

    Parameters
    ----------
    x : (n, d) array
        Inputs, standard normal coordinates.
    u : (d,) array
        Direction, any length.

    Returns
    -------
    (n,) array

    Examples
    --------
    >>> score2(np.array([[3.0, 0.0]]), np.array([1.0, 0.0]))
    array([8.])

    References
    ----------
    Stein (1981).   Taught in: :ref:`ch-hermite`.
    """
    x, u = _floats(x, u)
    return (x @ u) ** 2 - u @ u


def score3(x, u, v):
    r"""Contract the third-order score tensor with one direction twice and another once.

    .. math:: S_3(x)[u,u,v] = (u^\top x)^2 (v^\top x) - \|u\|^2 (v^\top x)
              - 2 (u^\top x)\, u^\top v

    Parameters
    ----------
    x : (n, d) array
        Inputs, standard normal coordinates.
    u, v : (d,) array
        Directions, any length.

    Returns
    -------
    (n,) array
        O(n d), no tensor is formed.

    Examples
    --------
    >>> x = np.array([[2.0, 5.0]])
    >>> score3(x, np.eye(2)[0], np.eye(2)[0])  # He_3(2) = 8 - 6
    array([2.])

    References
    ----------
    Janzamin, Sedghi & Anandkumar (2014).
    Taught in: :ref:`ch-hermite`.
    """
    x, u, v = _floats(x, u, v)
    a, b = x @ u, x @ v
    return a**2 * b - (u @ u) * b - 2 * a * (u @ v)


def score4(x, u, v):
    r"""Contract the fourth-order score tensor with two directions, twice each.

    .. math:: S_4(x)[u,u,v,v] = (u^\top x)^2 (v^\top x)^2 - \|u\|^2 (v^\top x)^2
              - \|v\|^2 (u^\top x)^2 - 4 (u^\top x)(v^\top x)\, u^\top v
              + \|u\|^2 \|v\|^2 + 2 (u^\top v)^2

    Parameters
    ----------
    x : (n, d) array
        Inputs, standard normal coordinates.
    u, v : (d,) array
        Directions, any length.

    Returns
    -------
    (n,) array
        O(n d), no tensor is formed.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0]])
    >>> score4(x, np.eye(2)[0], np.eye(2)[0])  # He_4(1) = 1 - 6 + 3
    array([-2.])

    References
    ----------
    Janzamin, Sedghi & Anandkumar (2014).
    Taught in: :ref:`ch-hermite`.
    """
    x, u, v = _floats(x, u, v)
    a, b, c = x @ u, x @ v, u @ v
    U, V = u @ u, v @ v
    return a**2 * b**2 - U * b**2 - V * a**2 - 4 * a * b * c + U * V + 2 * c**2


def score_norm(x, order):
    r"""Frobenius norm of the score tensor of order 2 or 4; it depends on :math:`r = |x|` alone.

    .. math:: |S_2|^2 = r^4 - 2 r^2 + d, \qquad
              |S_4|^2 = He_4(r)^2 + 6 (d - 1) He_2(r)^2 + 9 (d - 1) + 3 (d - 1)(d - 2)

    Parameters
    ----------
    x : (n, d) array
        Inputs, standard normal coordinates.
    order : {2, 4}
        Order of the score.

    Returns
    -------
    (n,) array

    Raises
    ------
    ValueError
        When ``order`` is neither 2 nor 4.

    Examples
    --------
    >>> score_norm(np.array([[1.0, 0.0]]), order=2)  # diag(0, -1)
    array([1.])

    References
    ----------
    Taught in: :ref:`ch-hermite`.
    """
    if order not in (2, 4):
        raise ValueError(f"order must be 2 or 4, got {order!r}")
    (x,) = _floats(x)
    d, r = x.shape[1], np.linalg.norm(x, axis=1)
    if order == 2:
        square = r**4 - 2 * r**2 + d
    else:
        rest = 9 * (d - 1) + 3 * (d - 1) * (d - 2)
        square = hermite(4, r) ** 2 + 6 * (d - 1) * hermite(2, r) ** 2 + rest
    return np.sqrt(np.maximum(square, 0))


def score_tensor(x, order):
    r"""The score tensor itself, entry by entry, for small ``d``.

    Entry :math:`(j_1, \dots, j_m)` is :math:`\prod_l He_{r_l}(x_l)`, where :math:`r_l` counts how
    often coordinate l occurs among the indices.

    Parameters
    ----------
    x : (n, d) array
        Inputs, standard normal coordinates.
    order : int
        Order m of the score, from 1.

    Returns
    -------
    (n, d, ..., d) array
        With ``order`` axes of length d: n d^order numbers.

    Examples
    --------
    >>> score_tensor(np.array([[1.0, 2.0]]), order=2)[0]
    array([[0., 2.],
           [2., 3.]])

    References
    ----------
    Taught in: :ref:`ch-hermite`.
    """
    (x,) = _floats(x)
    n, d = x.shape
    powers = np.stack([hermite(r, x) for r in range(order + 1)])
    tensor = np.empty((d,) * order + (n,))
    for indices in np.ndindex(tensor.shape[:-1]):
        counts = np.bincount(indices, minlength=d)
        tensor[indices] = np.prod(powers[counts, :, np.arange(d)], axis=0)
    return np.moveaxis(tensor, -1, 0)


def _floats(*values):
    """Each value as a float64 array."""
    return [np.asarray(value, dtype=float) for value in values]
