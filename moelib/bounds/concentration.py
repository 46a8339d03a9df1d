r"""How far truncated moments are from their expectations: bounds with every constant.

A term :math:`X = Q_m(y) S_m(z) / c_m` of the moment of order m has heavy tails, so it is shortened
to length :math:`\tau = K (n / L)^{1/4}`. With a variance bound v in every direction, a bound
:math:`E|X|^4 \le K^4` and L the logarithm of one over the chance of failure, the mean of n terms is
then within

.. math:: e = (1 + \sqrt 2) \sqrt{v L / n} + \tfrac43 K (L / n)^{3/4}

of :math:`E X`: a bias of :math:`\sqrt{v L / n}` and Bernstein's inequality. Constants are those of
the proof of :prf:ref:`lem-complexity-moments`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import poch
from scipy.stats import chi

from moelib.hermite import score_norm
from moelib.links import as_link
from moelib.quadrature import gaussian_rule, hermite_moments
from moelib.validation import as_count, as_not_negative, as_positive, as_probability

SPREAD = 1 + np.sqrt(2)  # of sqrt(v L / n): one for the bias, sqrt(2) from Bernstein
RANGE = 4 / 3  # of tau L / n, Bernstein's: shortened and centred terms are at most 2 tau long
NET = 2.0  # a tensor of order 4 exceeds its largest value on a net of 1/8 at most twice
NET_POINTS = 17  # to the power k: the size of such a net of the sphere
HERMITE4_FOURTH = 368_064.0  # E He_4(Z)^4
LEAK = 0.01  # of a transform's standard deviation: more than its quadrature can be off
POLYNOMIAL_LEAK = 1e-5  # the same for polynomials, whose quadrature is exact but for rounding


@dataclass(frozen=True)
class MomentBound:
    """Constants of one moment, and what they say of its truncated mean.

    Attributes
    ----------
    order : int
        Order of the moment, 2 or 4.
    variance : float
        Constant v, at least the variance in every direction.
    length : float
        Constant K, at least the fourth root of E|X|^4.
    rms : float
        The unit of ``Moments(truncate=)``, divided by c_m.
    net : float
        How often a supremum over directions exceeds one over the net: 1 or 2.
    log_size : float
        Logarithm of the number of events, so that L = log_size + log(1/delta).
    """

    order: int
    variance: float
    length: float
    rms: float
    net: float
    log_size: float

    def error(self, n, delta):
        """Bound of the moment's error in every direction, with probability 1 - delta."""
        n, delta = as_guarantee(n, delta)
        ratio = (self.log_size - np.log(delta)) / n
        spread = SPREAD * np.sqrt(self.variance * ratio)
        return self.net * (spread + RANGE * self.length * ratio**0.75)

    def truncate(self, n, delta):
        """The level of the theorem, as the argument ``truncate`` of :class:`moelib.Moments`."""
        n, delta = as_guarantee(n, delta)
        return self.length * (n / (self.log_size - np.log(delta))) ** 0.25 / self.rms


def as_guarantee(n, delta):
    """Check what every guarantee is asked for: n samples, at least 1, and the chance of failure."""
    n, delta = as_positive(n, "n"), as_probability(delta, "delta")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n:g}")
    return n, delta


def moment_bound(transform, dimension, *, link="identity", noise=0.05):
    r"""Constants for a transform of order 2 or 4: :prf:ref:`lem-complexity-moments`.

    By the inequality of Cauchy and Schwarz the label and the score part company, whatever the gate:

    .. math:: v = \sqrt{E[Q^4]}\, \sup_{|u| = 1} \sqrt{E[f_u^4]} / c^2, \qquad
              K^8 = E[Q^8]\, E[|S_m|^8] / c^8,

    where :math:`f_u` is :math:`|S_2 u|` or :math:`S_4[u, u, u, u]`.

    Parameters
    ----------
    transform : LabelTransform
        A label transform, made for this link and noise.
    dimension : int
        Dimension of the scores: d for order 2, k for order 4.
    link : str, callable or Link
        The link :math:`g`.
    noise : float
        Standard deviation of the noise.

    Returns
    -------
    MomentBound

    Raises
    ------
    ValueError
        When the order is neither 2 nor 4, or the transform does not meet the conditions of a label
        transform for this link and noise, of every order below its own.

    Examples
    --------
    >>> from moelib import label_transforms
    >>> bound = moment_bound(label_transforms("identity", noise=0.05).q2, dimension=10)
    >>> 40 < bound.variance < 50
    True

    References
    ----------
    Tropp (2015).   Taught in: :ref:`ch-sample-complexity`.
    """
    m, c = transform.order, abs(transform.c)
    if m not in (2, 4):
        raise ValueError(f"transform must be of order 2 or 4, got order {m}")
    dimension = as_count(dimension, "dimension")
    noise = as_not_negative(noise, "noise")
    _check_conditions(transform, link, noise)
    fourth, eighth = (_label_expectation(transform, p, link, noise) for p in (4, 8))
    if m == 2:
        net, log_size = 1.0, np.log(2 * dimension)
    else:
        net, log_size = NET, np.log(2) + dimension * np.log(NET_POINTS)
    return MomentBound(
        order=m,
        variance=float(np.sqrt(fourth * _direction_fourth(m, dimension)) / c**2),
        length=float((eighth * _score_eighth(m, dimension)) ** (1 / 8) / c),
        rms=float(np.sqrt(transform.variance * poch(dimension, m)) / c),
        net=net,
        log_size=float(log_size),
    )


def _check_conditions(transform, link, noise):
    """Refuse what is no transform of this link at this noise, or holds for some gates only."""
    m, c = transform.order, transform.c
    found = hermite_moments(transform, m, link, noise)
    off = np.abs(found - np.append(np.zeros(m), c)).max()
    leak = LEAK if transform.coefficients is None else POLYNOMIAL_LEAK
    if not off <= leak * np.sqrt(transform.variance):
        raise ValueError(
            "transform must be a label transform of this link at this noise, and not 'in-span': "
            f"E[Q(Y) He_j(Z)] must be 0 for j < {m} and {c:.3g} for j = {m}, got {found.round(3)}"
        )


def _label_expectation(transform, power, link, noise):
    """E[Q(Y)^power] for Y = g(Z) + noise N."""
    z, weight = gaussian_rule()
    y = as_link(link).value(z)[:, None] + noise * z
    return float(weight @ transform(y.ravel()).reshape(y.shape) ** power @ weight)


def _direction_fourth(m, d):
    """E f_u^4 for a unit u; for order 2, |S_2 u|^2 = (a^2 - 1)^2 + rho a^2 with rho chi-squared."""
    return 60 + 20 * (d - 1) + 3 * (d**2 - 1) if m == 2 else HERMITE4_FOURTH


def _score_eighth(m, d):
    """E|S_m(x)|^8 in d dimensions, over the length of x."""
    t, weight = np.polynomial.legendre.leggauss(400)
    low, high = max(0.0, np.sqrt(d) - 14), np.sqrt(d) + 14
    lengths = low + (high - low) * (t + 1) / 2
    x = np.zeros((len(t), d))
    x[:, 0] = lengths
    values = score_norm(x, m) ** 8 * chi(d).pdf(lengths)
    return float((high - low) / 2 * weight @ values)
