r"""From d dimensions to k, and from skew experts to orthonormal ones.

The second moment :math:`M = \sum_i \pi_i a_i a_i^\top` has the experts' span as its range, with
eigenpairs :math:`(B, \Lambda)`. In coordinates :math:`z = B^\top x`, again standard normal, the
vectors :math:`u_i = \sqrt{\pi_i}\, \Lambda^{-1/2} B^\top a_i` are orthonormal, and
:math:`a_i \propto B \Lambda^{1/2} u_i`.
"""

from dataclasses import dataclass

import numpy as np

from moelib.data.arrays import as_floats
from moelib.data.batches import checked
from moelib.experts.moments import Moments
from moelib.experts.transforms import KINDS, LabelTransforms, label_transforms, noise_from_size
from moelib.links import as_link
from moelib.validation import AssumptionWarning, as_choice, as_count, as_matrix, warn

EIGENVALUE_FLOOR = 1e-3  # relative; a smaller eigenvalue of M is noise and would blow up whitening
LEAST_GAP = 1.5  # the k-th eigenvalue should exceed the size of all further ones by this factor


@dataclass(frozen=True, eq=False)
class Reduction:
    r"""What two passes over the data say of the experts' span.

    Attributes
    ----------
    transforms : LabelTransforms
        Made for the labels divided by ``scale``.
    scale : float
        What the labels are divided by.
    n : float
        Number of samples, or the sum of their weights.
    mean_yx : (d,) array
        Estimate of :math:`E[(y - E y)\, x]`.
    second_moment : (d, d) array
        The estimate :math:`\hat M`.
    eigenvalues : (k,) array
        Top of its spectrum, largest first.
    basis : (d, k) array
        The matching eigenvectors B.
    """

    transforms: LabelTransforms
    scale: float
    n: float
    mean_yx: np.ndarray
    second_moment: np.ndarray
    eigenvalues: np.ndarray
    basis: np.ndarray

    @property
    def frame(self):
        r"""The (k, d) map :math:`\Lambda^{-1/2} B^\top`: row v of the k-dimensional problem stands
        for the candidate ``v @ frame`` in the original coordinates."""
        return (self.basis / np.sqrt(self.eigenvalues)).T

    def experts(self, V):
        """Unit experts (k, d), up to sign, from orthonormal directions V (k, k)."""
        (V,) = as_floats(V)
        experts = (V * np.sqrt(self.eigenvalues)) @ self.basis.T
        return experts / np.linalg.norm(experts, axis=1, keepdims=True)


def reduce_batches(
    batches,
    n_experts,
    *,
    link="identity",
    noise=None,
    transforms="polynomial",
    truncate=None,
    n_blocks=1,
):
    """Find the span of the experts in two passes over the data.

    Parameters
    ----------
    batches : callable
        Each call returns an iterable over the same batches (X, y) or (X, y, sample_weight).
    n_experts : int
        Number of experts k, at most d.
    link : str, callable or Link
        The link :math:`g`.
    noise : float, optional
        Standard deviation; read off the labels if not given.
    transforms : {"polynomial", "optimal", "in-span"}
        Which label transforms to use, see :func:`moelib.label_transform`.
    truncate : float, optional
        Shorten the tails, see :class:`moelib.Moments`.
    n_blocks : int
        Median of the moments of so many blocks, see :class:`moelib.Moments`.

    Returns
    -------
    Reduction

    Raises
    ------
    ValueError
        When ``n_experts > d`` (experts must be linearly independent) or the link is not valid.

    Notes
    -----
    The identity link with polynomial transforms needs no noise level: labels are scaled to mean
    square one instead.
    Taught in: :ref:`ch-deriving-l4`.

    Examples
    --------
    >>> from moelib import standard_model
    >>> X, y = standard_model(d=6).sample(20_000, np.random.default_rng(0))
    >>> found = reduce_batches(lambda: [(X, y)], n_experts=3)
    >>> bool(np.abs(found.basis[3:]).max() < 0.2)  # the span is that of e_1, e_2, e_3
    True
    """
    return reduce_checked(
        checked(batches),
        n_experts,
        link=link,
        noise=noise,
        transforms=transforms,
        truncate=truncate,
        n_blocks=n_blocks,
    )


def reduce_checked(
    batches,
    n_experts,
    *,
    link="identity",
    noise=None,
    transforms="polynomial",
    truncate=None,
    n_blocks=1,
):
    """What :func:`reduce_batches` does, for batches that have been checked."""
    n_experts, link = as_count(n_experts, "n_experts"), as_link(link)
    kind = as_choice(transforms, "transforms", KINDS)
    scale, mean, noise = _label_statistics(batches, link, noise, kind)
    made = label_transforms(link, noise, kind=kind, dimension=n_experts)
    second = Moments(made, fourth=False, truncate=truncate, n_blocks=n_blocks)
    first = np.zeros(1)
    for X, y, *weights in batches():
        second.add(X, y / scale, *weights)
        first = first + X.T @ np.prod([y - mean, *weights], axis=0)
    d = len(first)
    if n_experts > d:
        raise ValueError(
            f"n_experts must be at most the number of features ({d}), as moments need linearly "
            f"independent experts; got {n_experts}: with more experts use "
            "expectation_maximization, or MixtureOfExperts(method='em')"
        )
    M = second.second_moment
    eigenvalues, basis = top_eigenpairs(M, n_experts)
    return Reduction(made, scale, second.n, first / second.n, M, eigenvalues, basis)


def top_eigenpairs(M, k):
    """The k largest eigenvalues of a symmetric matrix, largest first, and their eigenvectors.

    Eigenvalues below ``EIGENVALUE_FLOOR`` times the largest are raised to it. That, or a smallest
    one of the k that does not stand out from the size of the others, brings a warning: experts are
    dependent, one hardly ever answers, or there are too few samples.

    Parameters
    ----------
    M : (d, d) array
        A symmetric matrix.
    k : int
        Number of eigenvalues, at most d.

    Examples
    --------
    >>> top_eigenpairs(np.diag([1.0, 3.0, 2.0]), 2)[0]
    array([3., 2.])
    """
    M, k = as_matrix(M, "M"), as_count(k, "k")
    values, vectors = np.linalg.eigh(M)
    others = np.abs(values[:-k]).max(initial=0.0)
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    floor = EIGENVALUE_FLOOR * max(np.abs(values).max(), np.finfo(float).tiny)
    least = max(floor, LEAST_GAP * others)
    if values[-1] < least:
        warn(
            f"the second moment has only {int(np.sum(values >= least))} eigenvalues that stand out "
            f"for {k} experts: more samples or fewer experts are needed, or the inputs are not "
            "standard normal",
            AssumptionWarning,
        )
    return np.maximum(values, floor), vectors


def whiten(T, eigenvalues):
    r"""Apply :math:`\Lambda^{-1/2}` to each axis of a symmetric tensor of any order.

    Examples
    --------
    >>> T = 16.0 * np.ones((1, 1, 1, 1))
    >>> float(whiten(T, np.array([4.0]))[0, 0, 0, 0])
    1.0
    """
    T, eigenvalues = as_floats(T, eigenvalues)
    for axis in range(T.ndim):
        shape = [1] * T.ndim
        shape[axis] = -1
        T = T / np.sqrt(eigenvalues).reshape(shape)
    return T


def _label_statistics(batches, link, noise, kind):
    """Scale and mean of the labels, and the noise the transforms are made for.

    A polynomial hardly depends on a small noise. The optimal transform does, so it is made for no
    less noise than the labels can tell from none: one standard error of their mean square.
    """
    sums = np.zeros(4)
    for _, y, *given in batches():
        w = given[0] if given else np.ones(len(y))
        sums += [w.sum(), w @ y, w @ y**2, w @ y**4]
    if not sums[2] > 0:
        raise ValueError("there must be at least one sample with a non-zero label")
    n = sums[0]
    mean, square, fourth = sums[1:] / n
    size = np.sqrt(square)
    if link.name == "identity" and kind == "polynomial":
        return size, mean, 0.0
    if noise is None:
        noise = noise_from_size(size, link)
        if kind != "polynomial":
            noise = max(noise, (max(fourth - square**2, 0.0) / n) ** 0.25)
    return 1.0, mean, noise
