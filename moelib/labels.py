r"""Label transforms: functions of the label whose score moments see the experts alone.

With :math:`Y = g(Z) + \sigma N` for independent standard normal :math:`Z, N`, a transform of order
m is a function :math:`T_m` with

.. math:: E[T_m(Y)\, He_j(Z)] = 0 \quad (0 < j < m), \qquad c_m = E[T_m(Y)\, He_m(Z)] \neq 0.

The polynomial ones are :math:`Q_2 = y^2 + b y` and
:math:`Q_4 = y^4 + \alpha y^3 + \beta y^2 + \gamma y`, each minus its mean. The conditions are
linear in the coefficients, and every expectation is an integral over the line.
"""

from dataclasses import dataclass
from math import comb

import numpy as np

from moelib.hermite import hermite
from moelib.links import Link, as_link
from moelib.validation import as_choice, as_positive, as_vector

NEGLIGIBLE = 1e-6  # c_m below this fraction of the transform's spread counts as zero


@dataclass(frozen=True, eq=False)
class LabelTransforms:
    r"""The transforms of order 2 and 4 of one link at one noise level.

    Attributes
    ----------
    link : Link
    noise : float                         standard deviation :math:`\sigma` they were made for
    q2_coefficients : (3,) array          of 1, y, y^2
    q4_coefficients : (5,) array          of 1, y, ..., y^4
    c2, c4 : float                        the constants :math:`c_m` of the key lemma
    """

    link: Link
    noise: float
    q2_coefficients: np.ndarray
    q4_coefficients: np.ndarray
    c2: float
    c4: float

    def q2(self, y):
        """Transform of order 2, elementwise; y an array or a tensor."""
        return _polynomial(self.q2_coefficients, y)

    def q4(self, y):
        """Transform of order 4, elementwise; y an array or a tensor."""
        return _polynomial(self.q4_coefficients, y)


def label_transforms(link="identity", noise=0.05, kind="polynomial"):
    r"""Compute the label transforms of a link by quadrature.

    Parameters
    ----------
    link : str, callable or Link
    noise : float                 standard deviation :math:`\sigma`, 0 allowed
    kind : {"polynomial"}

    Returns
    -------
    LabelTransforms

    Raises
    ------
    ValueError
        When the link is not *valid*: no polynomial of the right degree meets the conditions with
        :math:`c_2 \ne 0` and :math:`c_4 \ne 0`.

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
    Taught in: "The whole pipeline".
    """
    as_choice(kind, "kind", ["polynomial"])
    link = as_link(link)
    noise = 0.0 if noise == 0 else as_positive(noise, "noise")
    q2, c2 = _polynomial_transform(2, link, noise)
    q4, c4 = _polynomial_transform(4, link, noise)
    return LabelTransforms(link, noise, q2, q4, c2, c4)


def noise_from_labels(y, link="identity", floor=1e-3):
    r"""Read the noise level off the labels: :math:`\sigma^2 = E[y^2] - E[g(Z)^2]`.

    With unit experts every label has the law of :math:`g(Z) + \sigma N`, whatever the gate.

    Parameters
    ----------
    y : (n,) array
    link : str, callable or Link
    floor : float                 least value returned: the difference can come out negative,
                                  its standard error is of order :math:`1/\sqrt n`

    Returns
    -------
    float, in units of y

    Examples
    --------
    >>> round(noise_from_labels(1.25**0.5 * np.array([-1.0, 1.0])), 3)
    0.5
    """
    excess = np.mean(as_vector(y, "y") ** 2) - label_moment(2, link, noise=0.0)
    return float(np.sqrt(max(excess, floor**2)))


def label_moment(power, link="identity", noise=0.0):
    r"""Moment :math:`E[Y^{power}]` of a label :math:`Y = g(Z) + \sigma N`, by quadrature.

    Examples
    --------
    >>> round(label_moment(2, "relu", noise=0.5), 6)  # 1/2 + 1/4
    0.75
    """
    z, weight = _gaussian_rule()
    return float(weight @ _label_power(power, as_link(link).value(z), noise))


def mean_slope(link="identity"):
    """Mean slope of a link under a standard normal input, E[g'(Z)] = E[g(Z) Z], by quadrature.

    Examples
    --------
    >>> round(mean_slope("relu"), 6)
    0.5
    """
    z, weight = _gaussian_rule()
    slope = float(weight @ (as_link(link).value(z) * z))
    return 0.0 if abs(slope) < NEGLIGIBLE else slope


def _polynomial_transform(m, link, noise):
    """Coefficients (of 1, y, ..., y^m; leading one 1) and c_m of the transform of order m."""
    z, weight = _gaussian_rule()
    answers = link.value(z)
    powers = np.array([_label_power(p, answers, noise) for p in range(2 * m + 1)])
    weighted_hermites = weight * np.array([hermite(j, z) for j in range(m + 1)])
    # correlation[p, j] = E[Y^p He_j(Z)], scaled so that powers of small labels do not vanish
    scale = np.sqrt(weight @ powers[2]) if np.all(np.isfinite(powers)) else np.nan
    if not scale > 0:
        raise ValueError(f"link {link.name!r} has no finite non-zero second moment")
    scaling = scale ** -np.arange(m + 1.0)
    correlation = scaling[:, None] * (powers[: m + 1] @ weighted_hermites.T)
    lower = np.linalg.lstsq(correlation[1:m, 1:m].T, -correlation[m, 1:m], rcond=1e-12)[0]
    scaled = np.concatenate([[0.0], lower, [1.0]])
    leak = scaled @ correlation[:, 1:m]
    c = scaled @ correlation[:, m]
    coefficients = scaled * scaling * scale**m
    mean = coefficients @ (powers[: m + 1] @ weight)
    square = np.convolve(coefficients, coefficients)
    spread = np.sqrt(max(square @ (powers @ weight) - mean**2, 0.0)) / scale**m
    if abs(c) <= NEGLIGIBLE * spread or np.any(np.abs(leak) > NEGLIGIBLE * max(spread, abs(c))):
        raise ValueError(
            f"link {link.name!r} is not valid at noise {noise:g}: its polynomial transform of "
            f"order {m} has c_{m} = {c * scale**m:.3g} and leaks {np.abs(leak).max():.3g} into "
            f"lower orders, but c_{m} must be clearly non-zero and the leak zero"
        )
    coefficients[0] = -mean
    return coefficients, float(c * scale**m)


def _label_power(p, answers, noise):
    """E[(g(z) + sigma N)^p] for each answer g(z), by the binomial theorem."""
    normal_moments = [1.0, 0.0]
    for j in range(2, p + 1):
        normal_moments.append((j - 1) * normal_moments[j - 2])
    return sum(comb(p, j) * normal_moments[j] * noise**j * answers ** (p - j) for j in range(p + 1))


def _gaussian_rule(limit=12, nodes_per_panel=20):
    """Nodes and weights for E[f(Z)]: Gauss-Legendre on unit panels, exact with a kink at 0."""
    t, w = np.polynomial.legendre.leggauss(nodes_per_panel)
    left = np.arange(-limit, limit)
    z = (left[:, None] + (t + 1) / 2).ravel()
    weight = np.tile(w / 2, 2 * limit) * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return z, weight


def _polynomial(coefficients, y):
    value = coefficients[-1] * y
    for c in coefficients[-2:0:-1]:
        value = (value + c) * y
    return value + coefficients[0]
