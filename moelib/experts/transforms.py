r"""Label transforms: functions of the label whose score moments see the experts alone.

With :math:`Y = g(Z) + \sigma N` for independent standard normal :math:`Z, N`, a transform of order
m is a function :math:`T_m` with

.. math:: E[T_m(Y)\, He_j(Z)] = 0 \quad (0 \le j < m), \qquad
          c_m = E[T_m(Y)\, He_m(Z)] \neq 0.

The polynomial one is :math:`Q_m(y) = y^m + \dots`, minus its mean: the conditions are linear in its
coefficients. The one of least variance is in :mod:`moelib.experts.optimal_transforms`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import factorial

import numpy as np

from moelib.experts.optimal_transforms import optimal_transform
from moelib.hermite import hermite
from moelib.links import Link, as_link
from moelib.quadrature import NEGLIGIBLE, gaussian_rule, label_moment, label_power
from moelib.validation import as_choice, as_count, as_labels, as_not_negative, as_positive

KINDS = ["polynomial", "optimal", "in-span"]
LEAST_NOISE = 1e-3  # the least that labels are said to tell


@dataclass(frozen=True, eq=False)
class LabelTransform:
    r"""A transform :math:`T_m` of one order: call it on labels, an array, a list or a tensor.

    Attributes
    ----------
    order : int
        Order m of the score it belongs to.
    c : float
        The constant :math:`c_m = E[T_m(Y)\, He_m(Z)]`.
    variance : float
        The variance :math:`\operatorname{Var} T_m(Y)`.
    function : callable
        Maps an array to an array, elementwise.
    coefficients : array or None
        Coefficients of 1, y, ..., y^m; None unless it is a polynomial.
    """

    order: int
    c: float
    variance: float
    function: Callable
    coefficients: np.ndarray | None = None

    def __call__(self, y):
        return self.function(y if hasattr(y, "detach") else np.asarray(y, dtype=float))

    @property
    def correlation(self):
        r"""Correlation of :math:`T_m(Y)` with :math:`He_m(Z)`, between 0 and 1 in size.

        .. math:: c_m / \sqrt{m!\, \operatorname{Var} T_m(Y)}

        Near zero the link is nearly invalid. In directions orthogonal to experts and gates, a
        moment with :math:`T_m / c_m` has variance 1 / correlation^2 for each sample.
        """
        return self.c / np.sqrt(factorial(self.order) * self.variance)


@dataclass(frozen=True, eq=False)
class LabelTransforms:
    r"""The transforms of order 2 and 4 of one link at one noise level.

    Attributes
    ----------
    link : Link
        The link that they were made for.
    noise : float
        Standard deviation that they were made for.
    q2, q4 : LabelTransform
        The two transforms; call them on labels, arrays or tensors.
    c2, c4 : float
        The constants :math:`c_m` of the key lemma.
    q2_coefficients, q4_coefficients : array or None
        Coefficients of 1, y, ..., y^m; None if not polynomial.
    """

    link: Link
    noise: float
    q2: LabelTransform
    q4: LabelTransform

    @property
    def c2(self):
        return self.q2.c

    @property
    def c4(self):
        return self.q4.c

    @property
    def q2_coefficients(self):
        return self.q2.coefficients

    @property
    def q4_coefficients(self):
        return self.q4.coefficients


def label_transforms(link="identity", noise=0.05, kind="polynomial", *, dimension=None):
    r"""Compute the label transforms of order 2 and 4 of a link by quadrature.

    Parameters
    ----------
    link : str, callable or Link
        The link :math:`g`.
    noise : float
        Standard deviation :math:`\sigma`, 0 allowed.
    kind : {"polynomial", "optimal", "in-span"}
        See :func:`label_transform`. ``"in-span"`` is for the moment of order 4; that of order 2,
        which has to find the span first, is then ``"optimal"``.
    dimension : int, optional
        Dimension of the moments; least variance if not given.

    Returns
    -------
    LabelTransforms

    Raises
    ------
    ValueError
        When the link is not *valid*: no transform meets the conditions with :math:`c_2 \ne 0` and
        :math:`c_4 \ne 0`.

    Examples
    --------
    >>> transforms = label_transforms("identity", noise=0.5)
    >>> transforms.q4_coefficients.round(6)  # s^4 He_4(y / s) with s^2 = 1.25
    array([ 4.6875,  0.    , -7.5   ,  0.    ,  1.    ])
    >>> round(transforms.c2, 6), round(transforms.c4, 6)
    (2.0, 24.0)

    References
    ----------
    In the spirit of Makkuva, Oh, Kannan & Viswanath (2020); our derivation.
    Taught in: :ref:`ch-label-transforms`.
    """
    link = as_link(link)
    second = "optimal" if kind == "in-span" else kind
    q2 = label_transform(2, link, noise, kind=second, dimension=dimension)
    q4 = label_transform(4, link, noise, kind=kind, dimension=dimension)
    return LabelTransforms(link, 0.0 if noise == 0 else float(noise), q2, q4)


def label_transform(order, link="identity", noise=0.05, kind="polynomial", *, dimension=None):
    r"""Compute the label transform of one order.

    Parameters
    ----------
    order : int
        Order m, at least 1.
    link : str, callable or Link
        The link :math:`g`.
    noise : float
        Standard deviation :math:`\sigma`, 0 allowed.
    kind : {"polynomial", "optimal", "in-span"}
        ``"polynomial"``: the one of degree m, with leading coefficient one and mean zero.
        ``"optimal"``: the best among all functions with :math:`c_m = 1`. ``"in-span"``: the best
        without the conditions of order 0 < j < m, which are not needed in directions orthogonal to
        the gates, as in the experts' span under (O). The last two need ``noise > 0``.
    dimension : int, optional
        What is best: the least mean square error of the whole moment in this many dimensions, as
        after a reduction to k; or, if not given, the least variance, which is the error in
        directions orthogonal to the experts. For the identity link the polynomial has the least
        variance.

    Returns
    -------
    LabelTransform

    Raises
    ------
    ValueError
        When there is no such transform; the message gives :math:`c_m` and what is wrong.

    Examples
    --------
    >>> plain = label_transform(4, "relu", noise=1.0)
    >>> best = label_transform(4, "relu", noise=1.0, kind="optimal")
    >>> gain = plain.variance / plain.c**2 / best.variance
    >>> bool(gain > 4)  # the polynomial needs more than four times the samples
    True

    References
    ----------
    Taught in: :ref:`ch-label-transforms`.
    """
    as_choice(kind, "kind", KINDS)
    order, link = as_count(order, "order"), as_link(link)
    noise = 0.0 if np.ndim(noise) == 0 and noise == 0 else as_positive(noise, "noise")
    dimension = None if dimension is None else as_count(dimension, "dimension")
    if kind == "polynomial":
        return _polynomial_transform(order, link, noise)
    if noise == 0:
        raise ValueError(
            f"noise must be positive for {kind!r} transforms: without noise the posterior of Z "
            "given the label has no density; use 'polynomial' ones"
        )
    found = optimal_transform(order, link, noise, dimension=dimension, conditions=kind == "optimal")
    return LabelTransform(order, 1.0, *found)


def noise_from_labels(y, *, link="identity", floor=LEAST_NOISE):
    r"""Read the noise level off the labels: :math:`\sigma^2 = E[y^2] - E[g(Z)^2]`.

    With unit experts every label has the law of :math:`g(Z) + \sigma N`, whatever the gate.

    Parameters
    ----------
    y : (n,) array
        Labels.
    link : str, callable or Link
        The link :math:`g`.
    floor : float
        Least value returned: the difference can come out negative, its standard error is of order
        :math:`1/\sqrt n`.

    Returns
    -------
    float
        Standard deviation, in units of y.

    Examples
    --------
    >>> round(noise_from_labels(1.25**0.5 * np.array([-1.0, 1.0])), 3)
    0.5
    """
    y, floor = as_labels(y, None), as_not_negative(floor, "floor")
    if not len(y):
        raise ValueError("y must have at least one label, got none")
    return noise_from_size(np.sqrt(np.mean(y**2)), link, floor)


def noise_from_size(size, link, floor=LEAST_NOISE):
    """What :func:`noise_from_labels` does, from the root mean square of the labels."""
    excess = size**2 - label_moment(2, link, noise=0.0)
    return float(np.sqrt(max(excess, floor**2)))


def _polynomial_transform(m, link, noise):
    """The transform y^m + ... of order m."""
    z, weight = gaussian_rule()
    answers = link.value(z)
    powers = np.array([label_power(p, answers, noise) for p in range(2 * m + 1)])
    weighted_hermites = weight * np.array([hermite(j, z) for j in range(m + 1)])
    # correlation[p, j] = E[Y^p He_j(Z)], scaled so that powers of small labels do not vanish
    scale = np.sqrt(weight @ powers[2]) if np.all(np.isfinite(powers)) else np.nan
    if not scale > 0:
        raise ValueError(f"link {link.name!r} has no finite non-zero second moment")
    scaling = scale ** -np.arange(m + 1.0)
    correlation = scaling[:, None] * (powers[: m + 1] @ weighted_hermites.T)
    lower = np.linalg.lstsq(correlation[1:m, 1:m].T, -correlation[m, 1:m], rcond=1e-12)[0]
    scaled = np.concatenate([[0.0], lower, [1.0]])
    leak = np.abs(scaled @ correlation[:, 1:m])
    c = scaled @ correlation[:, m]
    coefficients = scaled * scaling * scale**m
    mean = coefficients @ (powers[: m + 1] @ weight)
    square = np.convolve(coefficients, coefficients)
    variance = max(square @ (powers @ weight) - mean**2, 0.0)
    spread = np.sqrt(variance) / scale**m
    if abs(c) <= NEGLIGIBLE * spread or np.any(leak > NEGLIGIBLE * max(spread, abs(c))):
        raise ValueError(
            f"link {link.name!r} is not valid at noise {noise:g}: its polynomial transform of "
            f"order {m} has c_{m} = {c * scale**m:.3g} and leaks {leak.max(initial=0):.3g} into "
            f"lower orders, but c_{m} must be clearly non-zero and the leak zero"
        )
    coefficients[0] = -mean
    function = partial(_polynomial, coefficients)
    return LabelTransform(m, float(c * scale**m), float(variance), function, coefficients)


def _polynomial(coefficients, y):
    value = coefficients[-1] * y
    for c in coefficients[-2:0:-1]:
        value = (value + c) * y
    return value + coefficients[0]
