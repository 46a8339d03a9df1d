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
    m : int             order, 0 or more
    t : array of any shape

    Examples
    --------
    >>> hermite(4, np.array([0.0, 1.0]))
    array([ 3., -2.])

    References
    ----------
    Taught in: "The whole pipeline".
    """
    return eval_hermitenorm(m, np.asarray(t, dtype=float))


def score2(x, u):
    r"""Contract the second-order score tensor with a direction, :math:`S_2(x)[u,u]`.

    .. math:: S_2(x)[u,u] = (u^\top x)^2 - \|u\|^2

    Parameters
    ----------
    x : (n, d) array    inputs, standard normal coordinates
    u : (d,) array      direction, any length

    Returns
    -------
    (n,) array

    Examples
    --------
    >>> score2(np.array([[3.0, 0.0]]), np.array([1.0, 0.0]))
    array([8.])
    """
    return (x @ u) ** 2 - u @ u


def score4(x, u, v):
    r"""Contract the fourth-order score tensor with two directions, twice each.

    .. math:: S_4(x)[u,u,v,v] = (u^\top x)^2 (v^\top x)^2 - \|u\|^2 (v^\top x)^2
              - \|v\|^2 (u^\top x)^2 - 4 (u^\top x)(v^\top x)\, u^\top v
              + \|u\|^2 \|v\|^2 + 2 (u^\top v)^2

    Parameters
    ----------
    x : (n, d) array    inputs, standard normal coordinates
    u, v : (d,) arrays  directions, any length

    Returns
    -------
    (n,) array; O(n d), no tensor is formed

    Examples
    --------
    >>> x = np.array([[1.0, 2.0]])
    >>> score4(x, np.eye(2)[0], np.eye(2)[0])  # He_4(1) = 1 - 6 + 3
    array([-2.])

    References
    ----------
    Janzamin, Sedghi & Anandkumar (2014).   Taught in: "The whole pipeline".
    """
    a, b, c = x @ u, x @ v, u @ v
    U, V = u @ u, v @ v
    return a**2 * b**2 - U * b**2 - V * a**2 - 4 * a * b * c + U * V + 2 * c**2


def score_tensor(x, order):
    r"""The score tensor itself, entry by entry, for small ``d``.

    Entry :math:`(j_1, \dots, j_m)` is :math:`\prod_l He_{r_l}(x_l)`, where :math:`r_l` counts how
    often coordinate l occurs among the indices.

    Parameters
    ----------
    x : (n, d) array
    order : int         m, from 1

    Returns
    -------
    (n, d, ..., d) array with ``order`` axes of length d: n d^order numbers

    Examples
    --------
    >>> score_tensor(np.array([[1.0, 2.0]]), order=2)[0]
    array([[0., 2.],
           [2., 3.]])
    """
    n, d = x.shape
    powers = np.stack([hermite(r, x) for r in range(order + 1)])
    tensor = np.empty((d,) * order + (n,))
    for indices in np.ndindex(tensor.shape[:-1]):
        counts = np.bincount(indices, minlength=d)
        tensor[indices] = np.prod(powers[counts, :, np.arange(d)], axis=0)
    return np.moveaxis(tensor, -1, 0)
