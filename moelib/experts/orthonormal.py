r"""L4 over orthonormal rows, where k of them in k dimensions cannot fall onto one.

The whitened truth is orthonormal, so nothing is lost when V is kept so. For orthonormal V in
:math:`\mathbb R^{k \times k}`, :math:`\sum_i v_i v_i^\top = I` makes
:math:`\sum_{ij} T[v_i, v_i, v_j, v_j] = \sum_{ab} T_{aabb}` a constant, hence

.. math:: L_4(V) = \sum_{ab} T_{aabb} - (1 + \mu) \sum_i T[v_i, v_i, v_i, v_i] :

the weight mu scales the loss and has no say in where its minima are. Rows on free spheres can all
go to one direction v with :math:`T[v, v, v, v] < 0`, which noise makes; these cannot.
"""

import numpy as np

from moelib.data.arrays import as_floats
from moelib.experts.l4 import SOLVERS as ON_SPHERES
from moelib.validation import ConvergenceWarning, warn

COINCIDE = 0.8  # rows with a larger |<v_i, v_j>| count as one; between those of the truth it is 0
ROUNDING = 1e-13  # what a sum of fourth powers may fall by, per unit of the tensor's norm
FIRST_SHIFT = 1e-3  # of the largest one that can be needed


def nearest_orthonormal(A):
    """The orthonormal rows nearest to those of a square matrix, its polar factor.

    They are also the orthonormal V of the largest ``np.sum(A * V)``.

    Parameters
    ----------
    A : (k, k) array
        A square matrix.

    Returns
    -------
    (k, k) array

    Examples
    --------
    >>> nearest_orthonormal([[2.0, 0.0], [1e-9, -3.0]]).round(6) + 0.0
    array([[ 1.,  0.],
           [ 0., -1.]])
    """
    left, _, right = np.linalg.svd(as_floats(A)[0])
    return left @ right


def largest_overlap(V):
    r"""The largest :math:`|\langle v_i, v_j\rangle|` of two different rows; zero for one row.

    Parameters
    ----------
    V : (k, r) array
        Unit rows.

    Examples
    --------
    >>> largest_overlap([[1.0, 0.0], [0.6, 0.8], [0.0, -1.0]])
    0.8
    """
    (V,) = as_floats(V)
    first, second = np.triu_indices(len(V), 1)
    return float(np.abs(V @ V.T)[first, second].max(initial=0.0))


def best_run(runs):
    r"""The number of the run that ends lowest, among those whose rows do not coincide.

    Rows coincide if some :math:`|\langle v_i, v_j\rangle|` exceeds 0.8. Such a run loses to every
    run whose rows do not, however low its loss: with k equal rows v, L4 is
    :math:`k (k - 1 - \mu)\, T[v, v, v, v]`, and where noise makes :math:`T[v, v, v, v]` negative,
    one direction taken k times can have the lowest loss of all.

    Parameters
    ----------
    runs : list of tuple
        Directions and losses of every run, as :func:`~moelib.experts.l4.minimize_l4_lbfgs` returns
        them.

    Returns
    -------
    int
        Of runs that end equally low the first; if rows coincide in all of them, of them all.

    Warns
    -----
    ConvergenceWarning
        When rows coincide in every run.

    Examples
    --------
    >>> collapsed = [[1.0, 0.0], [0.96, 0.28]]
    >>> best_run([(collapsed, [-9.0]), (np.eye(2), [-1.0, -3.0]), (np.eye(2), [-2.0])])
    1
    """
    ends = np.array([losses[-1] for _, losses in runs])
    apart = np.array([largest_overlap(V) <= COINCIDE for V, _ in runs])
    if not apart.any():
        warn(
            "L4 ended with coinciding rows from every start, so some experts are found twice and "
            "others not at all: more samples are needed, or, in learn_experts, "
            "solver='orthonormal', whose rows cannot coincide",
            ConvergenceWarning,
        )
        apart = ~apart
    lowest = ends[apart].min()
    return int(np.argmax(apart & (ends <= lowest + 1e-6 * abs(lowest))))


def minimize_l4_orthonormal(T, V, mu=0.5, *, max_iter=2000, tol=1e-9):
    r"""Minimise L4 over k orthonormal rows in k dimensions by a shifted power iteration.

    All rows take a step of the power method at once, with :math:`s \ge 0`, and go back to the
    nearest orthonormal ones:

    .. math:: V \leftarrow \operatorname{polar}(G + s V), \qquad G_i = T[v_i, v_i, v_i, \cdot] .

    Parameters
    ----------
    T : (k, k, k, k) array
        Symmetric in its four axes; the whitened fourth moment.
    V : (k, k) array
        Start; the nearest orthonormal rows are taken.
    mu : float
        Weight of the diagonal term of L4: it scales the losses, and V does not depend on it.
    max_iter : int
        Most steps.
    tol : float
        Stop when the antisymmetric part of :math:`G V^\top`, which is zero where the sum of the
        :math:`T[v_i^4]` is stationary, is smaller than this times :math:`|G|`.

    Returns
    -------
    V : (k, k) array
        The end, in orthonormal rows.
    losses : list of float
        The loss at the start and after every step, never increasing by more than rounding.

    Raises
    ------
    ValueError
        When V is not (k, k): with fewer rows than dimensions the identity does not hold.

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` steps were not enough.

    Notes
    -----
    *Each step climbs* :math:`f(V) = \sum_i T[v_i^4]` if s is at least
    :math:`-3 \min T[v, v, w, w]` over v in the unit ball and unit w: then
    :math:`h(V) = f(V) + 2 s |V|^2` is convex on rows in the unit ball, since
    :math:`12\, T[v, v, \cdot, \cdot] + 4 s I` is its Hessian in each row. With V' the next rows,
    :math:`h(V') \ge h(V) + \langle 4 (G + s V), V' - V\rangle \ge h(V)`, as the polar factor has
    the largest inner product with :math:`G + s V`; and :math:`|V|^2 = |V'|^2 = k`. No s beyond
    :math:`3 |T|` is needed. A smaller one makes longer steps: s is first what the present rows ask
    for, :math:`-3 \min_i` of the lowest eigenvalue of :math:`T[v_i, v_i, \cdot, \cdot]` where that
    is negative, and grows until f climbs. Without noise no shift is needed, and near a solution
    the iteration then converges cubically.

    *Without noise*, :math:`T = \sum_m \lambda_m u_m^{\otimes 4}` with orthonormal :math:`u_m` and
    :math:`\lambda_m > 0`, the global maxima of f are the signed permutations of the :math:`u_m`:
    :math:`f(V) = \sum_m \lambda_m \sum_i \langle u_m, v_i\rangle^4 \le \sum_m \lambda_m`, with
    equality only where each :math:`u_m` is some :math:`\pm v_i`. For k = 2 there are no other
    local maxima, since f is a constant plus :math:`\cos 4 \theta` of the angle, times a positive
    number. That there are none for larger k is not proved here. The theorem on the landscape of L4
    on spheres does not say it, as fewer moves are open to orthonormal rows.

    Taught in: :ref:`ch-learning-experts`.

    References
    ----------
    Without shifts and for equal weights this is the iteration of Zhai, Yang, Liao, Wright & Ma
    (2020); step and symmetric orthogonalisation are those of FastICA (Hyvarinen, 1999); the shift
    is that of Kolda & Mayo (2011, 2014) for a single row.

    Examples
    --------
    >>> T = np.zeros((2, 2, 2, 2)); T[0, 0, 0, 0], T[1, 1, 1, 1] = 3.0, 2.0
    >>> V, losses = minimize_l4_orthonormal(T, [[0.8, -0.5], [0.6, 0.7]], mu=0.5)
    >>> np.abs(V).round(6) + 0.0, round(losses[-1], 6)
    (array([[1., 0.],
           [0., 1.]]), -2.5)
    """
    T, V = as_floats(T, V)
    k = len(T)
    if V.shape != (k, k):
        raise ValueError(f"V must have {k} rows of length {k}, got shape {V.shape}")
    constant, size = np.einsum("aabb->", T), np.linalg.norm(T)
    V = nearest_orthonormal(V)
    slices, G, value = _fourth_powers(T, V)
    losses = [float(constant - (1 + mu) * value)]
    for _ in range(max_iter):
        twist = G @ V.T
        if np.linalg.norm(twist - twist.T) <= 2 * tol * np.linalg.norm(G):
            return V, losses
        shift = max(0.0, -3 * np.linalg.eigvalsh(slices)[:, 0].min())
        while True:
            candidate = nearest_orthonormal(G + shift * V)
            found = _fourth_powers(T, candidate)
            if found[2] >= value - ROUNDING * size:
                break
            if shift > 3 * size:  # no ascent left at machine precision
                return V, losses
            shift = max(2 * shift, FIRST_SHIFT * 3 * size)
        V, (slices, G, value) = candidate, found
        losses.append(float(constant - (1 + mu) * value))
    message = f"L4 on orthonormal rows stopped after {max_iter} steps: raise max_iter"
    warn(message, ConvergenceWarning)
    return V, losses


SOLVERS = ON_SPHERES | {"orthonormal": minimize_l4_orthonormal}


def _fourth_powers(T, V):
    """T[v, v, ., .] and T[v, v, v, .] of each row, and the sum of all T[v, v, v, v]."""
    k = len(T)
    squares = (V[:, :, None] * V[:, None, :]).reshape(k, k * k)
    slices = (squares @ T.reshape(k * k, k * k)).reshape(k, k, k)
    G = np.einsum("iab,ib->ia", slices, V)
    return slices, G, float(np.sum(G * V))
