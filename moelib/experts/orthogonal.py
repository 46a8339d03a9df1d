r"""L4 of an orthogonal tensor, by theory: all critical points, and how firm the minima are.

For :math:`T = \sum_m \lambda_m u_m^{\otimes 4}` with orthonormal :math:`u_m` the loss is quadratic
in the squares :math:`s_{im} = \langle u_m, v_i\rangle^2`. For 0 < mu < 1 its minima are the signed
permutations of the :math:`u_m`. Taught in: :ref:`ch-landscape`.
"""

from itertools import combinations, combinations_with_replacement

import numpy as np

from moelib.data.arrays import as_floats
from moelib.validation import as_count

POSITIVE = 1e-9  # a smaller solution counts as zero: the point belongs to other columns


def critical_squares(lam, mu, k):
    r"""Squares of all critical points, up to the order of rows, by linear systems.

    With :math:`S_i` the set of columns where row i is not zero, a point is critical if and only if
    there are numbers :math:`\kappa_i` with

    .. math:: \lambda_m \Bigl[\sum_j s_{jm} - (1 + \mu) s_{im}\Bigr] = \kappa_i
              \quad (m \in S_i), \qquad \sum_{m \in S_i} s_{im} = 1 .

    Each choice of the :math:`S_i` is a system; its solution counts if it is positive.

    Parameters
    ----------
    lam : (r,) array
        Weights :math:`\lambda_m`.
    mu : float
        Weight of the diagonal term of L4.
    k : int
        Number of rows. There are :math:`\binom{2^r + k - 2}{k}` systems: 84 for k = r = 3, and
        324,632 for k = r = 5.

    Returns
    -------
    (n, k, r) array
        Rows that sum to one.

    Raises
    ------
    numpy.linalg.LinAlgError
        When a system is singular, which happens at finitely many mu for given weights.

    Examples
    --------
    >>> critical_squares([3.0, 2.0], 0.5, k=1).round(2).tolist()
    [[[1.0, 0.0]], [[0.0, 1.0]], [[0.4, 0.6]]]
    """
    (lam,), k = as_floats(lam), as_count(k, "k")
    r, found = len(lam), []
    sets = [chosen for n in range(1, r + 1) for chosen in combinations(range(r), n)]
    for columns in combinations_with_replacement(sets, k):
        i, m = np.array([(i, m) for i in range(k) for m in columns[i]]).T
        A = lam[m] * (m[:, None] == m) - (1 + mu) * np.diag(lam[m])
        B = 1.0 * (i[:, None] == np.arange(k))
        system = np.block([[A, -B], [B.T, np.zeros((k, k))]])
        s = np.linalg.solve(system, np.repeat([0.0, 1.0], [len(i), k]))[: len(i)]
        if s.min() > POSITIVE:
            found.append(np.zeros((k, r)))
            found[-1][i, m] = s
    return np.array(found).reshape(-1, k, r)


def first_order_move(E, U, lam, mu):
    r"""Where the minimum at the :math:`u_m` moves when E is added to the tensor, to first order.

    .. math:: \xi_{im} = - \frac{\sum_{j \ne i} E[u_i, u_m, u_j, u_j]
              - \mu\, E[u_i, u_i, u_i, u_m]}{\lambda_m + \mu \lambda_i} \qquad (m \ne i)

    Parameters
    ----------
    E : (k, k, k, k) array
        Symmetric in its four axes.
    U : (k, k) array
        The :math:`u_m`, in orthonormal rows.
    lam : (k,) array
        Weights :math:`\lambda_m`.
    mu : float
        Weight of the diagonal term of L4, between 0 and 1.

    Returns
    -------
    (k, k) array
        The products :math:`\langle v_i, u_m\rangle`, up to :math:`O(|E|^2)`; zero for m = i.

    Examples
    --------
    >>> E = np.zeros((2, 2, 2, 2))
    >>> for place in [(0, 0, 0, 1), (0, 0, 1, 0), (0, 1, 0, 0), (1, 0, 0, 0)]:
    ...     E[place] = 0.1
    >>> first_order_move(E, np.eye(2), np.array([1.0, 1.0]), 0.5).round(4)
    array([[ 0.    ,  0.0333],
           [-0.0667,  0.    ]])
    """
    E, U, lam = as_floats(E, U, lam)
    E = np.einsum("abcd,ia,jb,kc,ld->ijkl", E, U, U, U, U)
    own = np.einsum("iiim->im", E)
    pairs = np.einsum("imjj->im", E) - own
    xi = -(pairs - mu * own) / (lam + mu * lam[:, None])
    return xi - np.diag(np.diag(xi))


def farthest_move(size, lam, mu):
    r"""Bound on the distance that the minimum moves when E is added to the tensor.

    .. math:: 4 \sqrt k\, (k - 1 + \mu)\, \frac{|E|}{\min_{i \ne m} (\lambda_m + \mu \lambda_i)}

    Parameters
    ----------
    size : float
        Frobenius norm of E, small enough.
    lam : (k,) array
        Weights :math:`\lambda_m`.
    mu : float
        Weight of the diagonal term of L4, between 0 and 1.

    Returns
    -------
    float

    Examples
    --------
    >>> round(farthest_move(0.01, [1.0, 2.0, 2.0], 0.5), 4)
    0.0866
    """
    (lam,) = as_floats(lam)
    k, others = len(lam), ~np.eye(len(lam), dtype=bool)
    least = np.add.outer(lam, mu * lam)[others].min()
    return float(4 * np.sqrt(k) * (k - 1 + mu) * size / least)
