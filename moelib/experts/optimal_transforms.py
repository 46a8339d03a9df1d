r"""The label transform of least error.

Let :math:`h_j(y) = E[He_j(Z) \mid Y = y]`. Since :math:`E[T(Y)\, He_j(Z)] = E[T(Y)\, h_j(Y)]`, the
conditions on a transform of order m are inner products with :math:`h_0, \dots, h_m`. Among all
functions that meet them with :math:`c_m = 1`, the one with the least :math:`E[T(Y)^2 \omega(Y)]`
is

.. math:: T = \frac1\omega \sum_{j=0}^m b_j h_j, \qquad G b = e_m, \quad
          G_{jl} = E\Bigl[\frac{h_j(Y) h_l(Y)}{\omega(Y)}\Bigr], \qquad
          E[T^2 \omega] = b_m = (G^{-1})_{mm}.

With :math:`\omega = 1` it has the least variance. With
:math:`\omega(y) = E[\,|S_m(z)|^2 \mid Y = y]`, where the label depends on one coordinate of the
r-dimensional :math:`z`, it has the least mean square error of the whole moment
:math:`\hat E[T(y)\, S_m(z)]`. In directions orthogonal to the gates no condition of order
:math:`0 < j < m` is needed, and dropping them lowers the error further. Everything is tabulated on
a grid of labels and interpolated.
"""

from functools import partial

import numpy as np
from scipy.special import comb, poch

from moelib.hermite import hermite
from moelib.links import as_link
from moelib.quadrature import gaussian_rule, mean_over_noise
from moelib.validation import as_count, as_labels, as_positive

REACH = 8  # standard deviations of Z, and of the noise, that the grid of labels covers
STEPS_PER_NOISE = 8  # grid points in one standard deviation of the noise
MAX_GRID = 100_000
LEAST_SINE = 1e-4  # h_m closer than this, in angle, to the span of h_1 .. h_{m-1} counts as in it


def conditional_hermite(y, order, link="identity", noise=0.05):
    r"""What a label says of a Hermite polynomial: :math:`h_j(y) = E[He_j(Z) \mid Y = y]`.

    Parameters
    ----------
    y : (n,) array
        Labels.
    order : int
        Largest j.
    link : str, callable or Link
        The link :math:`g`.
    noise : float
        Standard deviation, positive.

    Returns
    -------
    (order + 1, n) array
        Row j holds h_j; row 0 is one.

    Notes
    -----
    O(n q) with q quadrature nodes, some thousands at noise 0.05.
    Taught in: :ref:`ch-label-transforms`.

    Examples
    --------
    >>> h = conditional_hermite(np.array([0.5]), 1, "identity", noise=1.0)
    >>> h.round(6)  # E[Z | Y] = Y / (1 + noise^2)
    array([[1.  ],
           [0.25]])
    """
    y, noise = as_labels(y, None), as_positive(noise, "noise")
    order = as_count(order, "order", least=0)
    z, log_weight, answers = _nodes(as_link(link), noise)
    hermites = np.array([hermite(j, z) for j in range(order + 1)])
    result = np.empty((order + 1, len(y)))
    for start in range(0, len(y), 1024):
        part = slice(start, start + 1024)
        posterior, _ = _posterior(y[part], answers, noise, log_weight)
        result[:, part] = hermites @ posterior
    return result


def optimal_transform(m, link, noise, *, dimension=None, conditions=True):
    r"""Variance and function of the transform of order m with c_m = 1 and least error.

    Parameters
    ----------
    m : int
        Order of the transform.
    link : str, callable or Link
        The link :math:`g`.
    noise : float
        Standard deviation, positive.
    dimension : int, optional
        Dimension r of the moment whose error counts; least variance if not given.
    conditions : bool
        Whether the orders between 0 and m have to vanish.

    Returns
    -------
    variance : float
        Variance of the transformed label.
    transform : callable
        Maps an array to an array, elementwise.

    Raises
    ------
    ValueError
        When h_m is, to four digits, a combination of the lower ones: then no function of the label
        is a transform of order m.

    Examples
    --------
    >>> variance, transform = optimal_transform(2, as_link("tanh"), 0.5)
    >>> bool(transform(np.array([1.0]))[0] > transform(np.array([0.0]))[0])
    True
    """
    from scipy.interpolate import CubicSpline

    m, link, noise = as_count(m, "m"), as_link(link), as_positive(noise, "noise")
    dimension = None if dimension is None else as_count(dimension, "dimension")
    z, log_weight, answers = _nodes(link, noise)
    grid, step = _grid(answers, noise, link.name)
    hermites = np.array([hermite(j, z) for j in range(m + 1)])
    h, squares, density = (
        np.empty((m + 1, len(grid))),
        np.empty((m + 1, len(grid))),
        np.empty(len(grid)),
    )
    for start in range(0, len(grid), 1024):
        part = slice(start, start + 1024)
        posterior, density[part] = _posterior(grid[part], answers, noise, log_weight)
        h[:, part], squares[:, part] = hermites @ posterior, hermites**2 @ posterior
    omega = np.ones(len(grid)) if dimension is None else score_weights(m, dimension) @ squares
    # labels are smooth on the scale of the noise, so that equal steps integrate them exactly
    h = h if conditions else h[[0, m]]
    gram = (h * (density / omega) * step) @ h.T
    table = _shortest(gram, m, link.name, noise) @ h / omega
    variance = float(np.sum(density * table**2) * step)
    spline = CubicSpline(grid, table)
    return variance, partial(_interpolate, spline, grid[0], grid[-1])


def score_weights(m, dimension):
    r"""Weights w with :math:`E[\,|S_m(z)|^2 \mid t] = \sum_j w_j He_j(t)^2`, t a coordinate of z.

    An entry of :math:`S_m` with j indices on that coordinate is :math:`He_j(t)` times an entry of a
    score of order m - j in the other r - 1 coordinates, so
    :math:`w_j = \binom{m}{j} (r - 1) r \cdots (r + m - j - 2)`.

    Examples
    --------
    >>> score_weights(2, dimension=3)
    array([6., 4., 1.])
    """
    dimension = as_count(dimension, "dimension")
    j = np.arange(as_count(m, "m", least=0) + 1)
    return comb(m, j) * poch(dimension - 1, m - j)


def mean_square(transform, link="identity", noise=0.05, *, dimension):
    r"""Mean square length of one term of a moment, :math:`E[\,|T_m(Y)\, S_m(z) / c_m|^2]`.

    The label Y depends on one coordinate of the r-dimensional z. A moment of n samples has this,
    less the square of its expectation, over n as its mean square error.

    Parameters
    ----------
    transform : LabelTransform
        The transform :math:`T_m`; needs ``order`` and ``c`` and takes labels.
    link : str, callable or Link
        The link :math:`g` of the labels.
    noise : float
        Their noise, which may be another than the transform was made for.
    dimension : int
        Dimension r of the moment.

    Returns
    -------
    float

    Notes
    -----
    Taught in: :ref:`ch-label-transforms` and :ref:`ch-learning-experts`.

    Examples
    --------
    >>> from moelib import label_transform
    >>> plain = label_transform(4, "tanh", 0.5)
    >>> best = label_transform(4, "tanh", 0.5, kind="optimal", dimension=3)
    >>> gain = mean_square(plain, "tanh", 0.5, dimension=3) / mean_square(
    ...     best, "tanh", 0.5, dimension=3)
    >>> bool(gain > 1)
    True
    """
    z, weight = gaussian_rule()
    squares = mean_over_noise(transform, as_link(link).value(z), noise, power=2)
    hermites = np.array([hermite(j, z) ** 2 for j in range(transform.order + 1)])
    of_scores = score_weights(transform.order, dimension) @ hermites  # E|S_m|^2 given z
    return float(weight @ (squares * of_scores) / transform.c**2)


def _shortest(gram, m, name, noise):
    """Solve G b = e_m, after scaling the diagonal of G to one."""
    size = np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
    scaled = gram / np.outer(size, size)
    coefficients = np.linalg.lstsq(scaled[:-1, :-1], scaled[:-1, -1], rcond=1e-12)[0]
    sine_squared = 1 - scaled[-1, :-1] @ coefficients
    if not sine_squared > LEAST_SINE**2 or not size[-1] > LEAST_SINE * size[0]:
        raise ValueError(
            f"link {name!r} is not valid at noise {noise:g}: E[He_{m}(Z) | Y] is zero or a "
            f"combination of those of lower order, so that every function of the label that meets "
            f"the conditions has c_{m} = 0"
        )
    return np.append(-coefficients / size[:-1], 1 / size[-1]) / (size[-1] * sine_squared)


def _nodes(link, noise):
    """Quadrature nodes fine enough for the posterior, log-weights, and the link's answers there."""
    probe = np.linspace(-REACH, REACH, 4001)
    slope = np.abs(np.diff(link.value(probe)) / np.diff(probe)).max()
    panels = int(np.clip(np.ceil(slope / (4 * noise)), 1, 64))
    z, weight = gaussian_rule(limit=REACH, panels_per_unit=panels)
    return z, np.log(weight), link.value(z)


def _posterior(y, answers, noise, log_weight):
    """Weights of the nodes given each label, (q, n), and the density of the labels, (n,)."""
    log_joint = log_weight[:, None] - 0.5 * ((y - answers[:, None]) / noise) ** 2
    top = log_joint.max(axis=0)
    joint = np.exp(log_joint - top)
    total = joint.sum(axis=0)
    density = np.exp(top) * total / (noise * np.sqrt(2 * np.pi))
    return joint / total, density


def _grid(answers, noise, name):
    low, high = answers.min() - REACH * noise, answers.max() + REACH * noise
    n_points = int(np.ceil((high - low) / noise * STEPS_PER_NOISE)) + 1
    if n_points > MAX_GRID:
        raise ValueError(
            f"link {name!r} spreads the labels over {(high - low) / noise:.0f} standard deviations "
            f"of the noise, too many to tabulate: use the 'polynomial' transform"
        )
    grid = np.linspace(low, high, n_points)
    return grid, grid[1] - grid[0]


def _interpolate(spline, low, high, y):
    """The tabulated transform; constant beyond the table. Torch tensors come back as tensors."""
    if isinstance(y, (np.ndarray, float)):
        return spline(np.clip(y, low, high))
    return y.new_tensor(spline(y.detach().numpy().clip(low, high)))
