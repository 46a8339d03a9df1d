r"""Expectations over one standard normal number, and the moments of a label, by quadrature.

A label is :math:`Y = g(Z) + \sigma N` with independent standard normal :math:`Z, N`.
"""

from math import comb

import numpy as np

from moelib.hermite import hermite
from moelib.links import as_link

NEGLIGIBLE = 1e-6  # below this fraction of its scale a computed constant counts as zero


def gaussian_rule(*, limit=12, panels_per_unit=1, nodes_per_panel=20):
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
    answers, normal_moments = np.asarray(answers, dtype=float), [1.0, 0.0]
    for j in range(2, power + 1):
        normal_moments.append((j - 1) * normal_moments[j - 2])
    return sum(
        comb(power, j) * normal_moments[j] * noise**j * answers ** (power - j)
        for j in range(power + 1)
    )


def mean_over_noise(function, answers, noise, *, power=1):
    r"""The mean of :math:`f(g + \sigma N)^{power}` over the noise, for each answer g.

    Parameters
    ----------
    function : callable
        Maps labels (q,) to values (q,), elementwise.
    answers : (n,) array
        Answers g.
    noise : float
        Standard deviation :math:`\sigma` of the noise.
    power : int
        Power of the values.

    Returns
    -------
    (n,) array
        By the quadrature of :func:`gaussian_rule`.

    Examples
    --------
    >>> mean_over_noise(np.sin, np.array([1.0]), noise=0.5).round(6)  # sin(1) exp(-1/8)
    array([0.742596])
    """
    t, weight = gaussian_rule()
    labels = np.asarray(answers, dtype=float)[:, None] + noise * t
    return function(labels.ravel()).reshape(labels.shape) ** power @ weight


def hermite_moments(function, order, link="identity", noise=0.0):
    r"""What a function of the label keeps of each order: :math:`E[f(Y)\, He_j(Z)]`.

    Parameters
    ----------
    function : callable
        Maps labels (q,) to values (q,), elementwise.
    order : int
        Largest j.
    link : str, callable or Link
        The link :math:`g`.
    noise : float
        Standard deviation of the noise, 0 allowed.

    Returns
    -------
    (order + 1,) array
        A transform of order m has zeros before entry m.

    Examples
    --------
    >>> from moelib import label_transform
    >>> q = label_transform(2, "identity", noise=0.5)
    >>> hermite_moments(q, 3, "identity", noise=0.5).round(6) + 0.0
    array([0., 0., 2., 0.])
    """
    z, weight = gaussian_rule()
    values = mean_over_noise(function, as_link(link).value(z), noise)
    return np.array([weight @ (values * hermite(j, z)) for j in range(order + 1)])


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


def joint_rule(model, n_nodes=16):
    r"""Nodes and weights for :math:`E[f(x, y)]` of a model whose inputs are standard normal.

    Gauss-Hermite in each coordinate of x and, around each expert's answer, for y. The number of
    nodes grows like a power of the dimension: for small models.

    Parameters
    ----------
    model : GatedModel
        The law of the label given the input.
    n_nodes : int
        Nodes in each direction; double it to see how accurate the result is.

    Returns
    -------
    X : (q, d) array
        Inputs, q = k ``n_nodes`` ** (d + 1).
    y : (q,) array
        Labels.
    weight : (q,) array
        Weights, which add up to one.

    Examples
    --------
    >>> from moelib import standard_model
    >>> X, y, weight = joint_rule(standard_model(d=3, n_experts=2, noise=0.5))
    >>> round(float(weight @ y**2), 6)  # the noise adds its square
    1.25
    """
    t, w = np.polynomial.hermite_e.hermegauss(n_nodes)
    place = np.indices([n_nodes] * (model.n_features + 1)).reshape(model.n_features + 1, -1)
    x, mass = t[place[:-1]].T, np.prod(w[place] / w.sum(), axis=0)
    y = model.expert_means(x) + model.noise * t[place[-1], None]
    weight = model.gate_probabilities(x) * mass[:, None]
    return np.tile(x, (model.n_experts, 1)), y.T.ravel(), weight.T.ravel()
