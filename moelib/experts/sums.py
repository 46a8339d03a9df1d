r"""The sums over samples that moments are read off: sums of parts of the data add up.

From coordinates z, labels y and weights, :class:`PlainSums` keep what the means
:math:`\hat E[(Q_m - \bar Q_m)\, S_m(z)]` need, and :class:`ControlSums` what a regression on
Hermite polynomials needs. The sums over all data are ``sum(parts[1:], parts[0])``.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import poch

from moelib.data.arrays import as_floats
from moelib.experts.control_variates import hermite_features, regression_moment
from moelib.hermite import score_norm

CHUNK = 2048  # samples whose products of pairs are made at a time: they stay in the cache


@dataclass(frozen=True, eq=False)
class Sums:
    """What both kinds of sums keep.

    Attributes
    ----------
    n : float
        Sum of the weights.
    zz : (r, r) array
        Weighted sum of :math:`z z^T`.
    """

    n: float
    zz: np.ndarray

    def __add__(self, other):
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return type(self)(*(one + another for one, another in pairs))


@dataclass(frozen=True, eq=False)
class PlainSums(Sums):
    r"""Sums for the plain means; those of order 4 are zero unless they were asked for.

    The products of pairs are :math:`z_a z_b` with :math:`a \le b`, of which there are
    p = r (r + 1) / 2.

    Attributes
    ----------
    n : float
        Sum of the weights.
    zz : (r, r) array
        Weighted sum of :math:`z z^T`.
    q2 : float
        Weighted sum of the transformed labels :math:`Q_2`.
    q2_zz : (r, r) array
        The same of :math:`Q_2\, z z^T`.
    q4 : float
        The same of :math:`Q_4`.
    q4_zz : (r, r) array
        The same of :math:`Q_4\, z z^T`.
    zzzz : (p, p) array
        The same of the products of two pairs.
    q4_zzzz : (p, p) array
        The same of :math:`Q_4` times these.
    """

    q2: float
    q2_zz: np.ndarray
    q4: float = 0.0
    q4_zz: np.ndarray | float = 0.0
    zzzz: np.ndarray | float = 0.0
    q4_zzzz: np.ndarray | float = 0.0

    @classmethod
    def of(cls, z, y, weights, transforms, *, fourth=True, truncate=None):
        """Sums over samples with coordinates z (n, r), labels y (n,) and weights (n,)."""
        weighted = z * weights[:, None]
        q2 = shortened(transforms.q2, z, y, truncate) * weights
        second = weights.sum(), z.T @ weighted, q2.sum(), (z * q2[:, None]).T @ z
        if not fourth:
            return cls(*second)
        q4 = shortened(transforms.q4, z, y, truncate) * weights
        return cls(
            *second,
            q4=q4.sum(),
            q4_zz=(z * q4[:, None]).T @ z,
            zzzz=pair_gram(z, weights),
            q4_zzzz=pair_gram(z, q4),
        )

    def second(self, c2):
        r"""The moment :math:`\hat E[(Q_2 - \bar Q_2)\, S_2(z)] / c_2`, (r, r)."""
        identity = np.eye(len(self.zz))
        weighted = self.q2_zz - self.q2 * identity
        plain = self.zz - self.n * identity
        return (weighted - self.q2 / self.n * plain) / (self.n * c2)

    def fourth(self, c4):
        r"""The moment :math:`\hat E[(Q_4 - \bar Q_4)\, S_4(z)] / c_4`, (r, r, r, r)."""
        weighted = score4_sum(self.q4_zzzz, self.q4_zz, self.q4)
        plain = score4_sum(self.zzzz, self.zz, self.n)
        return (weighted - self.q4 / self.n * plain) / (self.n * c4)


@dataclass(frozen=True, eq=False)
class ControlSums(Sums):
    r"""Sums for the regressions; those of order 4 are zero unless they were asked for.

    Attributes
    ----------
    n : float
        Sum of the weights.
    zz : (r, r) array
        Weighted sum of :math:`z z^T`.
    gram2 : (p, p) array
        Weighted sum of the outer products of the Hermite features of degree at most 2.
    q2_features : (p,) array
        Weighted sum of these features times the transformed labels :math:`Q_2`.
    gram4 : array
        Like ``gram2`` for degree 4.
    q4_features : array
        Like ``q2_features`` for degree 4 and :math:`Q_4`.
    """

    gram2: np.ndarray
    q2_features: np.ndarray
    gram4: np.ndarray | float = 0.0
    q4_features: np.ndarray | float = 0.0

    @classmethod
    def of(cls, z, y, weights, transforms, *, fourth=True):
        """Sums over samples with coordinates z (n, r), labels y (n,) and weights (n,)."""
        regressions: list = []
        for transform in (transforms.q2, transforms.q4)[: 1 + fourth]:
            features = hermite_features(z, transform.order)
            regressions.append((features * weights[:, None]).T @ features)
            regressions.append(features.T @ (transform(y) * weights))
        return cls(weights.sum(), z.T @ (z * weights[:, None]), *regressions)

    def second(self, c2):
        r"""The moment of order 2 divided by :math:`c_2`, (r, r)."""
        return regression_moment(self.gram2, self.q2_features, len(self.zz), 2) / c2

    def fourth(self, c4):
        r"""The moment of order 4 divided by :math:`c_4`, (r, r, r, r)."""
        return regression_moment(self.gram4, self.q4_features, len(self.zz), 4) / c4


def shortened(transform, z, y, truncate):
    r"""Transformed labels, shrunk where a term :math:`Q_m(y)\, S_m(z)` would be too long.

    Parameters
    ----------
    transform : LabelTransform
        The transform :math:`Q_m`.
    z : (n, r) array
        Standard normal coordinates.
    y : (n,) array
        Labels.
    truncate : float or None
        Longest term, in units of the root mean square length; ``None`` shrinks nothing.

    Returns
    -------
    (n,) array
    """
    q = transform(y)
    if truncate is None:
        return q
    m = transform.order
    mean_square = transform.variance * poch(z.shape[1], m)  # E|S_m|^2 = r (r+1) .. (r+m-1)
    lengths = np.abs(q) * score_norm(z, m)
    longest = truncate * np.sqrt(mean_square)
    return q * np.minimum(1.0, longest / np.maximum(lengths, np.finfo(float).tiny))


def pair_gram(z, weights, *, chunk=CHUNK):
    r"""Weighted sum of the products of two pairs of coordinates.

    It is a difference of two Gram matrices, of the samples with a positive weight and of those with
    a negative one; a Gram matrix is symmetric and costs half of a general product.

    Parameters
    ----------
    z : (n, r) array
        Coordinates.
    weights : (n,) array
        Weights of either sign.
    chunk : int
        Samples to treat at a time.

    Returns
    -------
    (p, p) array
        Its rows and columns are the pairs :math:`a \le b` in the order of ``np.triu_indices``.

    Examples
    --------
    >>> pair_gram(np.array([[1.0, 2.0], [1.0, 0.0]]), np.array([1.0, -3.0]))
    array([[-2.,  2.,  4.],
           [ 2.,  4.,  8.],
           [ 4.,  8., 16.]])
    """
    z, weights = as_floats(z, weights)
    first, last = np.triu_indices(z.shape[1])
    total = np.zeros((len(first), len(first)))
    for sign in (1.0, -1.0):
        chosen = np.flatnonzero(sign * weights > 0)
        for start in range(0, len(chosen), chunk):
            rows = chosen[start : start + chunk]
            columns = np.ascontiguousarray(z[rows].T)
            pairs = (columns * np.sqrt(np.abs(weights[rows])))[first]
            pairs *= columns[last]
            total += sign * (pairs @ pairs.T)
    return total


def score4_sum(pair_products, products, weight):
    """Sum of weighted scores :math:`S_4(z)`, from weighted sums of products of coordinates.

    Parameters
    ----------
    pair_products : (p, p) array
        Weighted sum of the products of two pairs, as in :class:`PlainSums`.
    products : (r, r) array
        Weighted sum of :math:`z z^T`.
    weight : float
        Sum of the weights.

    Returns
    -------
    (r, r, r, r) array
    """
    pair_products, products = as_floats(pair_products, products)
    r = len(products)
    pair_index = np.zeros((r, r), dtype=int)
    first, second = np.triu_indices(r)
    pair_index[first, second] = pair_index[second, first] = np.arange(len(first))
    fourth = pair_products[pair_index[:, :, None, None], pair_index[None, None]]
    identity = np.eye(r)
    for outer in ("ab,cd->abcd", "ac,bd->abcd", "ad,bc->abcd"):
        fourth = fourth - np.einsum(outer, identity, products)
        fourth -= np.einsum(outer, products, identity)
        fourth += weight * np.einsum(outer, identity, identity)
    return fourth
