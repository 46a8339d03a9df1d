r"""Expectations over one standard normal number, and the moments of a label, by quadrature.

A label is :math:`Y = g(Z) + \sigma N` with independent standard normal :math:`Z, N`.
"""

from math import comb

import numpy as np

from moelib.links import as_link

NEGLIGIBLE = 1e-6  # below this fraction of its scale a computed constant counts as zero


def gaussian_rule(limit=12, panels_per_unit=1, nodes_per_panel=20):
    r"""Nodes and weights for :math:`E[f(Z)] \approx \sum_l w_l f(z_l)`.

    Gauss-Legendre on panels, so that a kink at the end of a panel, such as that of ReLU at 0, costs
    no accuracy.

    Parameters
    ----------
    limit : int
        The rule covers -limit to limit.
    panels_per_unit : int
        Panels in a unit; take more for functions that change fast.
    nodes_per_panel : int
        Nodes of the Gauss-Legendre rule on each panel.

    Returns
    -------
    z : (q,) array
        Nodes.
    weight : (q,) array
        Weights, the density of the normal law included.

    Examples
    --------
    >>> z, weight = gaussian_rule()
    >>> round(float(weight @ z**4), 9)
    3.0
    """
    t, w = np.polynomial.legendre.leggauss(nodes_per_panel)
    n_panels = 2 * limit * panels_per_unit
    left = np.arange(n_panels) / panels_per_unit - limit
    z = (left[:, None] + (t + 1) / (2 * panels_per_unit)).ravel()
    weight = np.tile(w / (2 * panels_per_unit), n_panels)
    return z, weight * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)


def label_power(power, answers, noise):
    r"""The mean of :math:`(g + \sigma N)^{power}` over the noise, for each answer g.

    Examples
    --------
    >>> label_power(2, np.array([3.0]), noise=0.5)
    array([9.25])
    """
    normal_moments = [1.0, 0.0]
    for j in range(2, power + 1):
        normal_moments.append((j - 1) * normal_moments[j - 2])
    return sum(
        comb(power, j) * normal_moments[j] * noise**j * answers ** (power - j)
        for j in range(power + 1)
    )


def label_moment(power, link="identity", noise=0.0):
    r"""Moment :math:`E[Y^{power}]` of a label :math:`Y = g(Z) + \sigma N`.

    Examples
    --------
    >>> round(label_moment(2, "relu", noise=0.5), 6)  # 1/2 + 1/4
    0.75
    """
    z, weight = gaussian_rule()
    return float(weight @ label_power(power, as_link(link).value(z), noise))


def mean_slope(link="identity"):
    """Mean slope of a link under a standard normal input, E[g'(Z)] = E[g(Z) Z].

    Examples
    --------
    >>> round(mean_slope("relu"), 6)
    0.5
    """
    z, weight = gaussian_rule()
    slope = float(weight @ (as_link(link).value(z) * z))
    return 0.0 if abs(slope) < NEGLIGIBLE else slope
