r"""Symmetric tensors of order 4: sums of fourth powers, random ones, and their size."""

from itertools import permutations

import numpy as np

from moelib.data.arrays import as_floats
from moelib.experts.l4 import best_of_starts, random_unit_rows
from moelib.validation import as_count, as_generator


def orthogonal_tensor(weights, U):
    r"""The tensor :math:`\sum_m \lambda_m u_m^{\otimes 4}`, orthogonal if the rows of U are.

    Parameters
    ----------
    weights : (k,) array
        The weights :math:`\lambda_m`.
    U : (k, r) array
        The vectors :math:`u_m`, in rows.

    Returns
    -------
    (r, r, r, r) array

    Examples
    --------
    >>> T = orthogonal_tensor([3.0, 2.0], np.eye(2))
    >>> float(T[0, 0, 0, 0]), float(T[1, 1, 1, 1]), float(T[0, 0, 1, 1])
    (3.0, 2.0, 0.0)
    """
    weights, U = as_floats(weights, U)
    return np.einsum("m,ma,mb,mc,md->abcd", weights, U, U, U, U)


def random_symmetric(d, order, rng):
    """A Gaussian tensor summed over all orders of its axes.

    Parameters
    ----------
    d : int
        Dimension.
    order : int
        Number of axes.
    rng : numpy.random.Generator
        For the entries.

    Returns
    -------
    (d,) * order array
        An entry whose indices all differ has variance ``order!``.

    Examples
    --------
    >>> E = random_symmetric(3, 4, np.random.default_rng(0))
    >>> np.allclose(E, E.transpose(2, 0, 3, 1))
    True
    """
    shape = (as_count(d, "d"),) * as_count(order, "order")
    E = as_generator(rng).standard_normal(shape)
    return sum(E.transpose(axes) for axes in permutations(range(order)))


def tensor_norm(T, rng, *, n_init=20):
    r"""Spectral norm of a symmetric tensor, the largest :math:`|T[v, v, v, v]|` over unit v.

    For a single row L4 is :math:`-\mu T[v, v, v, v]`, which is minimised from random starts for T
    and for -T. What is found is attained, so it can be too small but not too large.

    Parameters
    ----------
    T : (r, r, r, r) array
        Symmetric in its four axes.
    rng : numpy.random.Generator
        For the starts.
    n_init : int
        Starts for each sign.

    Returns
    -------
    float

    Examples
    --------
    >>> T = orthogonal_tensor([3.0, -5.0], np.eye(2))
    >>> round(tensor_norm(T, np.random.default_rng(0)), 9)
    5.0
    """
    (T,), n_init = as_floats(T), as_count(n_init, "n_init")
    starts = [random_unit_rows(1, rng, len(T)) for _ in range(n_init)]
    return max(-best_of_starts(sign * T, starts, mu=1.0)[1][-1] for sign in (1, -1))
