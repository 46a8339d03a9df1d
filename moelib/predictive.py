r"""The law of a label given its input, beyond its density: distribution function and quantiles.

.. math:: F(y \mid x) = \sum_i p_i(x)\, \Phi\bigl((y - g_i(x)) / \sigma_i\bigr)
"""

import numpy as np
from scipy.optimize import elementwise
from scipy.special import ndtr, ndtri

from moelib.validation import as_matrix, as_vector

SLACK = 1e-6  # noises by which the search for a quantile goes beyond the experts' own


def cdf(model, X, y):
    """Distribution function of each label given its input: (n, d), (n,) -> (n,).

    On data from the model its values are uniform between 0 and 1: the *probability integral
    transform*.

    Examples
    --------
    >>> from moelib import GatedModel
    >>> cdf(GatedModel([[0.0]], [], 1.0), [[3.0]], [0.0])
    array([0.5])

    References
    ----------
    Rosenblatt (1952) for the transform.
    """
    X = as_matrix(X, "X", model.n_features)
    return cdf_at(as_vector(y, "y", len(X)), *components(model, X))


def quantiles(model, X, levels):
    """Quantiles of the label given its input: (n, d), (m,) -> (n, m).

    Parameters
    ----------
    model : GatedModel
        The model.
    X : (n, d) array
        Inputs.
    levels : (m,) array
        Probabilities, strictly between 0 and 1.

    Returns
    -------
    (n, m) array
        Where the distribution function takes each level; found between the experts' own quantiles.

    Raises
    ------
    ValueError
        When a level is not between 0 and 1.

    Examples
    --------
    >>> from moelib import GatedModel
    >>> quantiles(GatedModel([[0.0]], [], 1.0), [[3.0]], [0.025, 0.975]).round(2)
    array([[-1.96,  1.96]])
    """
    levels = as_vector(levels, "levels")
    if not np.all((levels > 0) & (levels < 1)):
        raise ValueError(f"levels must be strictly between 0 and 1, got {levels}")
    parts = components(model, as_matrix(X, "X", model.n_features))
    return np.column_stack([_quantile(level, *parts) for level in levels])


def components(model, X):
    """Gate probabilities, answers and noises of the experts, (n, k) each, for checked inputs."""
    p, answers = np.exp(model._log_gate_probabilities(X)), model._expert_means(X)
    return p, answers, np.broadcast_to(model.noises, answers.shape)


def cdf_at(y, p, answers, noises):
    """Distribution function at labels (n,), for what :func:`components` returned."""
    return np.sum(p * ndtr((y[:, None] - answers) / noises), axis=1)


def _quantile(level, p, answers, noises):
    if level > 0.5:  # mirrored: small probabilities have more digits
        return -_quantile(1 - level, p, -answers, noises)
    base = answers.min(axis=1)  # measured from here, no digit is lost far from zero
    answers = answers - base[:, None]
    own = answers + noises * ndtri(level)  # there each expert's own function has the level
    slack = SLACK * (noises.max(axis=1) + np.abs(own).max(axis=1))
    rows = np.arange(len(p))

    def excess(y, row):
        return cdf_at(y, p[row], answers[row], noises[row]) - level

    bracket = own.min(axis=1) - slack, own.max(axis=1) + slack
    return base + elementwise.find_root(excess, bracket, args=(rows,)).x
