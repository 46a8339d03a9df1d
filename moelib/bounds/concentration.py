r"""How far truncated moments are from their expectations: bounds with every constant.

A term :math:`X = Q_m(y) S_m(z) / c_m` of the moment of order m has heavy tails, so it is shortened
to length :math:`\tau = K (n / L)^{1/4}`. With a variance bound v in every direction, a bound
:math:`E|X|^4 \le K^4` and L the logarithm of one over the chance of failure, the mean of n terms is
then within

.. math:: e = (1 + \sqrt 2) \sqrt{v L / n} + \tfrac43 K (L / n)^{3/4}

of :math:`E X`: a bias of :math:`\sqrt{v L / n}` and Bernstein's inequality.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import poch
from scipy.stats import chi

from moelib.hermite import score_norm
from moelib.links import as_link
from moelib.quadrature import gaussian_rule

HERMITE4_FOURTH = 368_064.0  # E He_4(Z)^4


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
        ratio = (self.log_size - np.log(delta)) / n
        spread = (1 + np.sqrt(2)) * np.sqrt(self.variance * ratio)
        return self.net * (spread + 4 / 3 * self.length * ratio**0.75)

    def truncate(self, n, delta):
        """The level of the theorem, as the argument ``truncate`` of :class:`moelib.Moments`."""
        return self.length * (n / (self.log_size - np.log(delta))) ** 0.25 / self.rms


def moment_bound(transform, r, link="identity", noise=0.05):
    r"""Constants for a transform of order 2 or 4 and scores in r dimensions.

    By the inequality of Cauchy and Schwarz the label and the score part company, whatever the gate:

    .. math:: v = \sqrt{E[Q^4]}\, \sup_{|u| = 1} \sqrt{E[f_u^4]} / c^2, \qquad
              K^8 = E[Q^8]\, E[|S_m|^8] / c^8,

    where :math:`f_u` is :math:`|S_2 u|` or :math:`S_4[u, u, u, u]`.

    Parameters
    ----------
    transform : LabelTransform
        A label transform of mean zero.
    r : int
        Dimension of the scores: d for order 2, k for order 4.
    link : str, callable or Link
        The link :math:`g`.
    noise : float
        Standard deviation of the noise.

    Returns
    -------
    MomentBound

    Examples
    --------
    >>> from moelib import label_transforms
    >>> bound = moment_bound(label_transforms("identity", 0.05).q2, r=10)
    >>> 40 < bound.variance < 50
    True

    References
    ----------
    Tropp (2015).   Taught in: :ref:`ch-sample-complexity`.
    """
    m, c = transform.order, abs(transform.c)
    fourth, eighth = (_label_expectation(transform, p, link, noise) for p in (4, 8))
    if m == 2:
        direction = 60 + 20 * (r - 1) + 3 * (r**2 - 1)
        net, log_size = 1.0, np.log(2 * r)
    else:
        direction = HERMITE4_FOURTH
        net, log_size = 2.0, np.log(2) + r * np.log(17)
    return MomentBound(
        order=m,
        variance=float(np.sqrt(fourth * direction) / c**2),
        length=float((eighth * _score_expectation(m, r, 8)) ** (1 / 8) / c),
        rms=float(np.sqrt(transform.variance * poch(r, m)) / c),
        net=net,
        log_size=float(log_size),
    )


def _label_expectation(transform, power, link, noise):
    """E[Q(Y)^power] for Y = g(Z) + noise N."""
    z, weight = gaussian_rule()
    y = as_link(link).value(z)[:, None] + noise * z
    return float(weight @ transform(y.ravel()).reshape(y.shape) ** power @ weight)


def _score_expectation(m, r, power):
    """E|S_m(x)|^power in r dimensions, over the length of x."""
    t, weight = np.polynomial.legendre.leggauss(400)
    low, high = max(0.0, np.sqrt(r) - 14), np.sqrt(r) + 14
    lengths = low + (high - low) * (t + 1) / 2
    x = np.zeros((len(t), r))
    x[:, 0] = lengths
    values = score_norm(x, m) ** power * chi(r).pdf(lengths)
    return float((high - low) / 2 * weight @ values)
