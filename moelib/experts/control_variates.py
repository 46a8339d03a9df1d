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

from moelib.hermite import hermite


def hermite_exponents(r, degree):
    """All exponents of r variables of total degree at most ``degree``, (p, r), lowest first.

    Examples
    --------
    >>> hermite_exponents(2, 2).tolist()
    [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    """
    rows = []
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
