r"""What else the score moments of labels contain: mean derivatives of the gate.

For a function T of the label with :math:`\tau_r = E[T(Y)\, He_r(Z)]`, and under the assumptions
(G), (U) and (O),

.. math:: E[T(y)\, S_m(x)][u, \dots, u] = \sum_{r=1}^m \binom mr\, \tau_r
          \sum_{i=1}^k \langle a_i, u\rangle^r\; E\, \partial_u^{m-r} p_i(x) .

The terms with r < m are what label transforms are made to hide.
"""

from itertools import product
from math import comb, factorial

import numpy as np

from moelib.experts.assumed import as_theory_model
from moelib.validation import as_count, as_vector

REACH = 8  # standard deviations of the scores that the quadrature covers
POINTS = 24  # on the circle that stands for the derivatives


def gate_slopes(model, u, *, order=4):
    r"""Mean derivatives of the gate along a direction, :math:`E\, \partial_u^j p_i(x)`.

    The trapezoidal rule over the scores of the gates, which are moved along a circle in the complex
    plane for the derivatives (Cauchy's formula). Both converge so fast that six digits of the
    fourth derivative are right.

    Parameters
    ----------
    model : GatedModel
        Of few experts: the rule has some 80^(k-1) nodes, more if gates are long.
    u : (d,) array
        Direction, any length.
    order : int
        Largest order j.

    Returns
    -------
    slopes : (order + 1, k) array
        Row j has the derivatives of order j; row 0 the shares.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=3, n_experts=2)
    >>> gate_slopes(model, model.gates[0], order=1).round(4) + 0.0  # E p' = 0.2066
    array([[ 0.5   ,  0.5   ],
           [ 0.2066, -0.2066]])

    References
    ----------
    Taught in: :ref:`ch-label-transforms`.
    """
    order = as_count(order, "order", least=0)
    W, along = model.gates, model.gates @ as_vector(u, "u", model.n_features)
    rotation, lengths, _ = np.linalg.svd(W, full_matrices=False)
    step = 0.4 / max(2.0, float(lengths.max(initial=0.0)))  # finer than the distance of the poles
    t = np.arange(-REACH, REACH + step, step)
    grid = np.array(list(product(t, repeat=len(lengths))))
    weight = np.exp(-0.5 * np.sum(grid**2, axis=1))
    scores = (rotation * lengths) @ grid.T + model.gate_intercepts[:, None]
    radius = 1 / max(1.0, float(np.linalg.norm(along)))  # no pole of the softmax inside
    circle = radius * np.exp(2j * np.pi * np.arange(POINTS) / POINTS)
    moved = np.array([_mean_softmax(scores + c * along[:, None], weight) for c in circle])
    powers = circle ** -np.arange(order + 1)[:, None]
    factorials = np.array([factorial(j) for j in range(order + 1)])
    return factorials[:, None] * (powers @ moved).real / POINTS


def _mean_softmax(scores, weight):
    """Weighted mean of the softmax of scores (k-1, n), with a last one of zero: (k,)."""
    scores = np.vstack([scores, np.zeros((1, scores.shape[1]))])
    odds = np.exp(scores - scores.real.max(axis=0))
    return (odds / odds.sum(axis=0)) @ weight / weight.sum()


def mixed_moment(t, model, u):
    r"""What the score moment of a function of the label contains along a direction.

    .. math:: E[T(y)\, S_m(x)][u, \dots, u]

    Parameters
    ----------
    t : (m + 1,) array
        The numbers :math:`\tau_0, \dots, \tau_m` of the function T for the link and the noise of
        the model, as from :func:`moelib.quadrature.hermite_moments`.
    model : GatedModel
        Under the assumptions (U) and (O), with one noise and experts without intercepts.
    u : (d,) array
        Direction, any length.

    Returns
    -------
    float

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=3, n_experts=2)
    >>> mixed_moment([0, 0, 0, 0, 24.0], model, model.experts[1])  # a share of a half
    12.0

    References
    ----------
    Taught in: :ref:`ch-label-transforms`.
    """
    as_theory_model(model, "one noise for all experts", "experts without intercepts")
    t, u = as_vector(t, "t"), as_vector(u, "u", model.n_features)
    m = len(t) - 1
    slopes, along = gate_slopes(model, u, order=m), model.experts @ u
    return float(sum(comb(m, r) * t[r] * along**r @ slopes[m - r] for r in range(1, m + 1)))
