r"""Tests of means that a fit foretells: freed of the estimate's error, part by part, then together.

With h functions whose mean is zero under the fit and s its score, h - C J^{-1} s has a mean that
does not depend, to first order, on the estimate: :math:`C = E[h s^\top]`, :math:`J = E[s s^\top]`.
"""

import numpy as np
import pandas as pd
from scipy.linalg import eigh
from scipy.stats import chi2

from moelib.data.batches import row_blocks
from moelib.likelihood.errors import invert_scaled
from moelib.likelihood.score import scores

SINGULAR = 0.01  # share of its variance that a function keeps beside scores and others; below: none
ROWS = 16_384  # labels that are drawn in one go


def drawn_moments(model, functions, sample, free, rng, n_draws):
    """Mean outer product of functions and scores under the fit, by labels drawn from it."""
    total, left = 0.0, n_draws
    while left:
        copies = min(left, max(1, ROWS // len(sample)))
        rows = np.tile(np.arange(len(sample)), copies)
        y = model.sample_labels(sample.X[rows], rng)[0]
        part = moments(model, functions, sample, free, rows, y)[1]
        total, left = total + copies * part, left - copies
    return total / n_draws


def moments(model, functions, sample, free, rows, y):
    """Mean and mean outer product of functions and scores, at labels of some of the inputs."""
    total, gram = 0.0, 0.0
    for block in row_blocks(len(rows)):
        here, label = rows[block], y[block]
        X = sample.X[here]
        h = functions.values(label, model._posterior(X, label), here)
        both = np.hstack([h, scores(model, X, label, free=free)])
        weighted = both if sample.weights is None else both * sample.weights[here, None]
        total, gram = total + weighted.sum(axis=0), gram + weighted.T @ both
    return total / len(rows), gram / len(rows)


def orthogonal(means, gram, m):
    """Means of functions that do not feel a small error of the estimate.

    Parameters
    ----------
    means : (m + q,) array
        Of the functions, then of the scores.
    gram : (m + q, m + q) array
        Second moments of both under the fit.
    m : int
        Number of functions.

    Returns
    -------
    shifted : (m,) array
        Means of h - C J^{-1} s, each in units of the standard deviation of h.
    covariance : (m, m) array
        Of one sample, in the same units.
    distance : float
        How far the scores' means are from zero: Rao's statistic of one sample.
    """
    size = np.sqrt(np.where(np.diag(gram) > 0, np.diag(gram), 1.0))
    scaled, means = gram / np.outer(size, size), means / size
    V, C, score = scaled[:m, :m], scaled[:m, m:], means[m:]
    inverse = invert_scaled(scaled[m:, m:], np.ones(len(score)))[0]
    weights = C @ inverse
    return means[:m] - weights @ score, V - weights @ C.T, float(score @ inverse @ score)


def judged(shifted, covariance, parts, n):
    """Statistic, degrees of freedom and p-value of each part, as a table.

    Parameters
    ----------
    shifted : (m,) array
        Means, zero if the labels follow.
    covariance : (m, m) array
        Of one sample.
    parts : (m,) Series
        The part of each function.
    n : float
        Number of samples.

    Returns
    -------
    DataFrame
    """
    rows = []
    for part in pd.unique(parts):
        own = np.flatnonzero(parts == part)
        statistic, df = chi_squared(shifted[own], covariance[np.ix_(own, own)])
        rows.append((part, n * statistic, df, float(chi2.sf(n * statistic, df)) if df else 1.0))
    columns = ["part", "statistic", "df", "p_value"]
    table = pd.DataFrame(rows, columns=columns).set_index("part")
    return table.assign(adjusted=holm(table["p_value"].to_numpy()))


def chi_squared(mean, covariance):
    """The square of a mean in units of its covariance, and the rank of the latter.

    Examples
    --------
    >>> chi_squared(np.array([3.0, 3.0]), np.ones((2, 2)))
    (9.0, 1)
    """
    values, vectors = eigh(covariance)
    kept = values > SINGULAR
    return float(np.sum((vectors[:, kept].T @ mean) ** 2 / values[kept])), int(kept.sum())


def holm(p_values):
    """P-values adjusted by Holm, so that the least of them is one of all together.

    Examples
    --------
    >>> holm(np.array([0.02, 0.5, 0.01]))
    array([0.04, 0.5 , 0.03])
    """
    order, m = np.argsort(p_values), len(p_values)
    steps = np.maximum.accumulate((m - np.arange(m)) * p_values[order])
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
