r"""The score of a sample: the gradient of its log-density in :math:`(A, W, \log\sigma)`.

It is closed form: with posterior r, prior p, residuals
:math:`e_i = y - g(\langle a_i, x\rangle)`,

.. math:: \partial_{a_i} = \frac{r_i e_i g'_i}{\sigma^2} x, \quad
          \partial_{w_i} = (r_i - p_i) x, \quad
          \partial_{\log\sigma} = \sum_i r_i \frac{e_i^2}{\sigma^2} - 1 .
"""

import numpy as np

from moelib.data.batches import row_blocks
from moelib.parameters import FreeParameters
from moelib.validation import as_sample


def mean_score(model, X, y, *, free=FreeParameters(), sample_weight=None):
    """Gradient of the log-likelihood per sample in (A, W, log noise), flattened in that order."""
    return score_moments(model, X, y, free=free, sample_weight=sample_weight)[0]


def score_moments(model, X, y, *, free=FreeParameters(), sample_weight=None):
    """Mean score and mean outer product of scores, in blocks of rows; with the ridge's part.

    Parameters
    ----------
    model : GatedModel
        The model.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    free : FreeParameters
        Which parameters count.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    score : (q,) array
        Mean score. Parameters are in the order experts, gates, log noise; each row of experts and
        gates ends with its intercept if there is one.
    J : (q, q) array
        Mean outer product of the scores, in the same order.
    """
    sample = as_sample(X, y, sample_weight, n_columns=model.n_features)
    return score_moments_from_sample(model, sample, free)


def score_moments_from_sample(model, sample, free):
    """What :func:`score_moments` does, on data that have been checked."""
    X, y, n = sample.X, sample.y, len(sample)
    score, J = 0.0, 0.0
    for block in row_blocks(n):
        S = _scores(model, X[block], y[block], free)
        weighted = S if sample.weights is None else S * sample.weights[block, None]
        score, J = score + weighted.sum(axis=0), J + weighted.T @ S
    k, d = model.experts.shape
    curvature = np.zeros(free.count(k, d))
    free.blocks(curvature, k, d)[1][:] = free.ridge(d)
    return score / n - curvature * free.vector(model), J / n + np.diag(curvature)


def scores(model, X, y, *, free=FreeParameters()):
    """Score of every sample, (n, q); see :func:`score_moments` for the order."""
    sample = as_sample(X, y, n_columns=model.n_features)
    return _scores(model, sample.X, sample.y, free)


def _scores(model, X, y, free):
    expert_factor, gate_factor, log_noise = score_factors(model, X, y)
    parts = [
        (factor[:, :, None] * design[:, None, :]).reshape(len(X), -1)
        for factor, design in (
            (expert_factor, free.expert_design(X)),
            (gate_factor, free.gate_design(X)),
        )
    ]
    return np.hstack(parts + [log_noise] * free.noise)


def score_factors(model, X, y):
    """Factors of x in the scores of experts (n, k) and gates (n, k-1); the noise score (n, 1).

    For arrays that have been checked.
    """
    r, p = model._posterior(X, y), np.exp(model._log_gate_probabilities(X))
    residual = y[:, None] - model._expert_means(X)
    slope = model.link.derivative(X @ model.experts.T + model.expert_intercepts)
    log_noise = np.sum(r * residual**2, axis=1, keepdims=True) / model.noise**2 - 1
    return r * residual * slope / model.noise**2, (r - p)[:, :-1], log_noise
