r"""What an exact density determines: the parameters, read off it without any data.

At one input the law of the label is a mixture :math:`\sum_i p_i N(m_i, \sigma^2)`. Divided by that
of the noise, its Fourier transform is :math:`\sum_i p_i e^{\mathrm i u m_i}`, whose values at 2k
equally spaced u determine the k pairs: Prony's method. A few inputs beside each other then give A
and W.
"""

import numpy as np

from moelib.model import GatedModel
from moelib.validation import as_count, as_vector

REACH, STEP, APART = 8.0, 0.5, 0.01  # largest label, step of u, distance of the inputs


def recover_from_density(log_density, x, n_experts):
    r"""Recover a gated model with the identity link from its density near one input.

    Parameters
    ----------
    log_density : callable
        Takes inputs (n, d) and labels (n,) to :math:`\log P(y \mid x)`, of a model with one noise
        and no intercepts.
    x : (d,) array
        Near it the answers differ and are less than 6 in absolute value, with weights and
        differences that are not tiny.
    n_experts : int
        Number of experts k.

    Returns
    -------
    model : GatedModel
        Its experts come in the order of their answers at x.

    Notes
    -----
    The noise is read off the tail, where the logarithm is a parabola of curvature
    :math:`-1/\sigma^2`. Taught in: :ref:`ch-gated-model`.

    Examples
    --------
    >>> from moelib import GatedModel
    >>> model = GatedModel([[1.0, 0.0], [-1.0, 0.5]], gates=[[0.0, 2.0]], noise=0.1)
    >>> found = recover_from_density(model.log_density, [1.0, 0.3], n_experts=2)
    >>> found.experts[::-1].round(4), round(found.noise, 4)
    (array([[ 1. ,  0. ], [-1. ,  0.5]]), 0.1)
    """
    x, n_experts = as_vector(x, "x"), as_count(n_experts, "n_experts")
    tail = log_density(np.tile(x, (3, 1)), np.array([49.0, 50.0, 51.0]))
    noise = float(1 / np.sqrt(-np.diff(tail, 2)[0]))
    X = x + APART * np.eye(len(x))
    answers, weights = map(
        np.array, zip(*[_read_off(log_density, row, noise, n_experts) for row in X])
    )
    experts = np.linalg.solve(X, answers).T
    gates = np.linalg.solve(X, np.log(weights / weights[:, -1:])).T
    return GatedModel(experts, gates[:-1], noise)


def _read_off(log_density, x, noise, k):
    """Answers at one input, least first, and their weights."""
    from scipy.linalg import hankel

    y, dy = np.linspace(-REACH, REACH, 4001, retstep=True)
    density = np.exp(log_density(np.tile(x, (len(y), 1)), y))
    u = STEP * np.arange(2 * k)
    s = np.exp(1j * np.outer(u, y)) @ density * dy
    s *= np.exp((noise * u) ** 2 / 2)
    now, after = hankel(s[:k], s[k - 1 : -1]), hankel(s[1 : k + 1], s[k:])
    nodes = np.linalg.eigvals(np.linalg.solve(now, after))
    weights = np.linalg.solve(np.vander(nodes, increasing=True).T, s[:k]).real
    order = np.argsort(np.angle(nodes))
    return np.angle(nodes)[order] / STEP, weights[order]
