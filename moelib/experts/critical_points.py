r"""All critical points of L4 on the spheres, not only those where a descent ends.

At a critical point V the gradient has no tangential part; the eigenvalues of the Hessian say
whether it is a strict minimum, a strict saddle or degenerate. A descent finds minima only. A
descent on the *length of the gradient* finds saddles as well; many, from random starts, take a
census. Taught in: :ref:`ch-landscape`.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from moelib.data.arrays import as_floats
from moelib.experts.l4 import derivatives, minimize_l4_lbfgs, move, random_unit_rows, tangent_basis
from moelib.validation import as_count, as_generator, as_vector

ZERO = 1e-6  # share of the largest absolute eigenvalue that counts as zero
POINT_KINDS = ["strict minimum", "strict saddle", "degenerate"]


@dataclass(frozen=True, eq=False)
class CriticalPoint:
    """One line of a census.

    Attributes
    ----------
    V : (k, r) array
        Unit rows; rows in another order or with other signs are the same point.
    value : float
        Value of L4.
    kind : str
        Either "strict minimum", "strict saddle" or "degenerate".
    index : int
        Number of negative eigenvalues of the Hessian.
    smallest : float
        Smallest eigenvalue.
    count : int
        Starts that ended there.
    """

    V: np.ndarray
    value: float
    kind: str
    index: int
    smallest: float
    count: int


def classify(eigenvalues, *, tol=ZERO):
    """Kinds of critical points from the eigenvalues of their Hessians.

    Parameters
    ----------
    eigenvalues : (..., q) array
        Eigenvalues of the Hessian, in the last axis.
    tol : float
        What counts as zero, as a share of the largest absolute eigenvalue.

    Returns
    -------
    array of str
        "strict minimum": all positive; "strict saddle": one is negative (maxima too); "degenerate":
        none is negative but one is zero.

    Examples
    --------
    >>> classify(np.array([[1.0, 2.0], [-1.0, 2.0], [0.0, 2.0]])).tolist()
    ['strict minimum', 'strict saddle', 'degenerate']
    """
    (eigenvalues,) = as_floats(eigenvalues)
    low = np.min(eigenvalues, axis=-1)
    zero = tol * np.abs(eigenvalues).max(axis=-1)
    return np.array(POINT_KINDS)[np.where(low > zero, 0, np.where(low < -zero, 1, 2))]


def find_critical_points(T, V, mu, *, max_iter=200, tol=1e-9):
    r"""Lower the length of the gradient from many starts at once; saddles attract like minima.

    Levenberg-Marquardt steps on :math:`|g|^2`: :math:`(H^2 + d I)\, x = -H g`, where the damping d
    falls after a success and grows after a failure. Near a critical point with an invertible
    Hessian they are Newton's.

    Parameters
    ----------
    T : (r, r, r, r) array
        Symmetric in its four axes.
    V : (n, k, r) array
        Starts, in unit rows.
    mu : float
        Weight of the diagonal term of L4.
    max_iter : int
        Most iterations.
    tol : float
        Length of a gradient that counts as zero, as a share of the largest entry of T.

    Returns
    -------
    (m, k, r) array
        The ends with a gradient of zero; the other starts, which stopped at a local minimum of the
        gradient's length, are left out.
    """
    (T,), V = as_floats(T), np.array(V, dtype=float)
    size = np.abs(T).max()
    damping = np.full(len(V), size**2)
    basis = tangent_basis(V)
    _, g, H = derivatives(T, V, mu, basis)
    for _ in range(max_iter):
        live = np.linalg.norm(g, axis=1) > 1e-3 * tol * size
        if not live.any():
            break
        damped = H[live] @ H[live] + damping[live, None, None] * np.eye(g.shape[1])
        x = -np.linalg.solve(damped, H[live] @ g[live, :, None])[..., 0]
        new = move(V[live], x, basis[live])
        new_basis = tangent_basis(new)
        _, new_g, new_H = derivatives(T, new, mu, new_basis)
        better = np.linalg.norm(new_g, axis=1) < np.linalg.norm(g[live], axis=1)
        at = np.flatnonzero(live)[better]
        V[at], basis[at] = new[better], new_basis[better]
        g[at], H[at] = new_g[better], new_H[better]
        damping[live] *= np.where(better, 0.2, 10)
        np.clip(damping, 1e-10 * size**2, 1e12 * size**2, out=damping)
    return V[np.linalg.norm(g, axis=1) < tol * size]


def merge(V, *, tol=1e-5):
    """Label configurations so that equal labels mean equal up to the order and signs of rows.

    Rows are compared through the absolute values of their products with fixed random directions,
    each sorted over the rows: no order and no sign is left, and close points stay close.

    Parameters
    ----------
    V : (n, k, r) array
        The points, in unit rows.
    tol : float
        Distance up to which two configurations are joined.

    Returns
    -------
    (n,) array of int

    Examples
    --------
    >>> merge(np.array([np.eye(2), -np.eye(2)[::-1], [[0.6, 0.8], [1.0, 0.0]]])).tolist()
    [0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    (V,) = as_floats(V)
    k, r = V.shape[1:]
    directions = random_unit_rows(4 * k, np.random.default_rng(0), r)
    features = np.sort(np.abs(V @ directions.T), axis=1).reshape(len(V), -1)
    pairs = cKDTree(features).query_pairs(tol * np.sqrt(features.shape[1]), output_type="ndarray")
    close = coo_array((np.ones(len(pairs)), pairs.T.reshape(2, -1)), shape=(len(V), len(V)))
    return connected_components(close, directed=False)[1]


def census(T, mu, rng, *, n_init=500, n_experts=None):
    """Critical points of L4 that random starts lead to, each once, lowest first.

    One start in five is a descent by L-BFGS, so that the minima are well covered; the others lower
    the length of the gradient. A census may miss points; what it lists is there.

    Parameters
    ----------
    T : (r, r, r, r) array
        Symmetric in its four axes.
    mu : float
        Weight of the diagonal term of L4.
    rng : numpy.random.Generator
        Source of randomness.
    n_init : int
        Number of random starts.
    n_experts : int, optional
        Number of rows; r if not given.

    Returns
    -------
    list of CriticalPoint

    Examples
    --------
    >>> T = np.zeros((2, 2, 2, 2)); T[0, 0, 0, 0], T[1, 1, 1, 1] = 3.0, 2.0
    >>> for p in census(T, 0.5, np.random.default_rng(0), n_init=200):
    ...     print(f"{p.value:5.2f}  {p.kind}, index {p.index}")
    -2.50  strict minimum, index 0
     1.20  strict saddle, index 1
     1.20  strict saddle, index 1
     1.20  strict saddle, index 1
     2.00  strict saddle, index 2
     3.00  strict saddle, index 2
    """
    (T,), rng, n_init = as_floats(T), as_generator(rng), as_count(n_init, "n_init")
    r, n_descents = len(T), n_init // 5
    k = r if n_experts is None else as_count(n_experts, "n_experts")
    starts = np.array([random_unit_rows(k, rng, r) for _ in range(n_init)])
    for i in range(n_descents):
        starts[i] = minimize_l4_lbfgs(T, starts[i], mu)[0]
    V = find_critical_points(T, starts, mu)
    values, _, H = derivatives(T, V, mu)
    spectra = np.linalg.eigvalsh(H)
    kinds = classify(spectra)
    negative = np.sum(spectra < -ZERO * np.abs(spectra).max(axis=1, keepdims=True), axis=1)
    _, first, counts = np.unique(merge(V), return_index=True, return_counts=True)
    points = [
        CriticalPoint(V[i], values[i], str(kinds[i]), int(negative[i]), spectra[i, 0], int(count))
        for i, count in zip(first, counts, strict=True)
    ]
    return sorted(points, key=lambda point: point.value)


def stable_occupancies(lam, k, mu):
    r"""The local minima that theory promises for :math:`T = \sum_m \lambda_m u_m^{\otimes 4}`.

    With :math:`n_m` of the k rows at :math:`\pm u_m`, they are all n such that
    :math:`\lambda_m (n_m - 1 - \mu) < \lambda_{m'} n_{m'}` if :math:`n_m > 0` and :math:`m' \ne m`.

    Parameters
    ----------
    lam : (r,) array
        Weights :math:`\lambda_m` of the tensor.
    k : int
        Number of rows.
    mu : float
        Weight of the diagonal term of L4.

    Returns
    -------
    (count, r) int array

    Examples
    --------
    >>> stable_occupancies([3.0, 2.0], k=2, mu=1.5).tolist()
    [[2, 0], [1, 1], [0, 2]]
    """
    lam, k = as_vector(lam, "lam"), as_count(k, "k")
    rows = np.array(list(combinations_with_replacement(range(len(lam)), k)))
    n = np.sum(rows[:, :, None] == np.arange(len(lam)), axis=1)
    gain = (lam * (n - 1 - mu))[:, :, None] < (lam * n)[:, None, :]
    return n[np.all(gain | (n == 0)[:, :, None] | np.eye(len(lam), dtype=bool), axis=(1, 2))]


def torus(angles):
    """Two rows in the plane from their two angles, in degrees: (..., 2) to (..., 2, 2)."""
    radians = np.radians(np.asarray(angles, dtype=float))
    return np.stack([np.cos(radians), np.sin(radians)], axis=-1)


def basins(T, mu, angles, *, step=0.05, n_steps=200):
    """Where the gradient flow ends, for k = r = 2, from angles (..., 2) in degrees.

    Steps have the length ``step`` in radians, and shrink with the gradient near a critical point.

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
    (..., 2) array
        The angles where they end, between 0 and 180.

    Examples
    --------
    >>> T = np.zeros((2, 2, 2, 2)); T[0, 0, 0, 0], T[1, 1, 1, 1] = 3.0, 2.0
    >>> basins(T, 0.5, np.array([[10.0, 20.0], [80.0, 30.0]])).round() % 180
    array([[ 0., 90.],
           [90.,  0.]])
    """
    V = torus(angles)
    steepest = np.abs(derivatives(T, V, mu)[2]).sum(axis=-1).max()
    for _ in range(n_steps):
        _, gradient, _ = derivatives(T, V, mu)
        length = np.linalg.norm(gradient, axis=-1, keepdims=True)
        V = move(V, -gradient / np.maximum(length / step, steepest))
    return np.degrees(np.arctan2(V[..., 1], V[..., 0])) % 180
