r"""Control variates: the moment of a score read off a regression on Hermite polynomials.

The products :math:`h_\alpha(z) = \prod_j He_{\alpha_j}(z_j) / \sqrt{\alpha!}` are orthonormal under
the standard normal law, so the moment :math:`E[Q(y) S_m(z)]` has the entries
:math:`\sqrt{\alpha!}\, E[Q h_\alpha]`, :math:`|\alpha| = m`, and :math:`E[Q h_\alpha]` is also the
coefficient of :math:`h_\alpha` when Q is regressed on all products of degree at most m. The
coefficient has less variance than the mean: what the regression explains no longer adds noise.
"""

import itertools
from math import factorial

import numpy as np

from moelib.data.arrays import as_floats
from moelib.hermite import hermite
from moelib.quadrature import mean_over_noise
from moelib.validation import as_count, as_vector


def hermite_exponents(r, degree):
    """All exponents of r variables of total degree at most ``degree``, (p, r), lowest first.

    Examples
    --------
    >>> hermite_exponents(2, 2).tolist()
    [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    """
    r, degree, rows = as_count(r, "r"), as_count(degree, "degree", least=0), []
    for m in range(degree + 1):
        for variables in itertools.combinations_with_replacement(range(r), m):
            rows.append(np.bincount(np.array(variables, dtype=int), minlength=r))
    return np.array(rows)


def hermite_features(z, degree):
    r"""The orthonormal products :math:`h_\alpha(z)` of degree at most ``degree``.

    Parameters
    ----------
    z : (n, r) array
        Standard normal coordinates.
    degree : int
        Highest degree of the polynomials.

    Returns
    -------
    (n, p) array
        With p = (r + degree)! / (r! degree!), in the order of :func:`hermite_exponents`.

    Examples
    --------
    >>> hermite_features(np.array([[2.0]]), degree=2)[0].round(3)  # 1, z, (z^2 - 1) / sqrt(2)
    array([1.   , 2.   , 2.121])
    """
    (z,), degree = as_floats(z), as_count(degree, "degree", least=0)
    tables = np.array([hermite(m, z) / np.sqrt(factorial(m)) for m in range(degree + 1)])
    columns = [np.ones(len(z))]
    for exponents in hermite_exponents(z.shape[1], degree)[1:]:
        used = np.flatnonzero(exponents)
        columns.append(np.prod([tables[exponents[j], :, j] for j in used], axis=0))
    return np.column_stack(columns)


def regression_moment(gram, products, r, order):
    r"""The moment :math:`E[Q S_m]` from the sums of a regression on Hermite features.

    Parameters
    ----------
    gram : (p, p) array
        Sum of the features' outer products.
    products : (p,) array
        Sum of the features times the transformed labels.
    r, order : int
        Number of variables, and order m of the moment.

    Returns
    -------
    (r,) * order array
        Symmetric in its axes.

    Raises
    ------
    ValueError
        When there are fewer samples than features.
    """
    try:
        coefficients = np.linalg.solve(gram, products)
    except np.linalg.LinAlgError:
        coefficients = np.full(len(gram), np.nan)
    if gram[0, 0] <= len(gram) or not np.all(np.isfinite(coefficients)):
        raise ValueError(
            f"control=True regresses on {len(gram)} Hermite features, so it needs more samples "
            f"than that (in every block), got {gram[0, 0]:g}"
        )
    exponents = hermite_exponents(r, order)
    scale = [np.sqrt(np.prod([float(factorial(e)) for e in row])) for row in exponents]
    place = {tuple(row): i for i, row in enumerate(exponents)}
    index = np.indices((r,) * order).reshape(order, -1).T
    counts = (index[:, :, None] == np.arange(r)).sum(axis=1)
    entries = [place[tuple(row)] for row in counts]
    return (coefficients * scale)[entries].reshape((r,) * order)


def entry_variances(transform, order, *, shares, noise=0.0, nodes=40):
    r"""What n times the variance of an entry of a moment tends to, without and with control.

    Experts are orthonormal, gates orthogonal to them and the link the identity; the entry is
    :math:`\hat E[Q S_m][a_1, \dots, a_1] / c_m`. With the regression of Q on all products of degree
    at most m, of residual :math:`\varepsilon`, the variances of one sample's terms are those of
    :math:`Q\, He_m(z_1) / c_m` and of :math:`\varepsilon\, He_m(z_1) / c_m`.

    Parameters
    ----------
    transform : callable
        The transform Q; maps labels (q,) to values (q,), elementwise.
    order : int
        Its order m.
    shares : (k,) array
        Shares of the experts, the one of the entry first.
    noise : float
        Noise of the labels.
    nodes : int
        Nodes of the Gauss-Hermite rule in each of the k coordinates.

    Returns
    -------
    plain, control : float
        To first order in 1/n.

    Notes
    -----
    Costs ``nodes`` to the power k. Taught in: :ref:`ch-heavy-tails`.

    Examples
    --------
    >>> entry_variances(lambda y: y**2 - 1, 2, shares=np.array([0.5, 0.5]))  # 15/2 + 1/4
    (7.75, 4.0)
    """
    shares, order = as_vector(shares, "shares"), as_count(order, "order")
    k, nodes = len(shares), as_count(nodes, "nodes")
    t, weight = np.polynomial.hermite_e.hermegauss(nodes)
    z, mass = _product(t, k), np.prod(_product(weight / weight.sum(), k), axis=1)
    powers = (mean_over_noise(transform, t, noise, power=p) for p in (1, 2))
    mean, square = (_product(given, k) @ shares for given in powers)  # of Q, given z
    features, h = hermite_features(z, order), hermite(order, z[:, 0])
    fit, c = features @ (features.T @ (mass * mean)), mass @ (h * mean) / shares[0]
    residual = square - 2 * mean * fit + fit**2
    plain = mass @ (h**2 * square) / c**2 - shares[0] ** 2
    return float(plain), float(mass @ (h**2 * residual) / c**2)


def _product(values, k):
    """Every choice of k of the values, one a row: (q^k, k)."""
    return np.stack(np.meshgrid(*[values] * k, indexing="ij"), axis=-1).reshape(-1, k)
