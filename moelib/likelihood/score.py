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


def mean_score(model, X, y, free=FreeParameters()):
    """Gradient of the log-likelihood per sample in (A, W, log noise), flattened in that order."""
    return score_moments(model, X, y, free)[0]


def score_moments(model, X, y, free=FreeParameters(), weights=None):
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
    weights : (n,) array, optional
        Weights of the samples, of mean one.

    Returns
    -------
    score : (q,) array
        Mean score. Parameters are in the order experts, gates, log noise; each row of experts and
        gates ends with its intercept if there is one.
    J : (q, q) array
        Mean outer product of the scores, in the same order.
    """
    score, J = 0.0, 0.0
    for block in row_blocks(len(X)):
        S = scores(model, X[block], y[block], free)
        weighted = S if weights is None else S * weights[block, None]
        score, J = score + weighted.sum(axis=0), J + weighted.T @ S
    k, d = model.experts.shape
    curvature = np.zeros(free.count(k, d))
    free.blocks(curvature, k, d)[1][:] = free.ridge(d)
    return score / len(X) - curvature * free.vector(model), J / len(X) + np.diag(curvature)


def scores(model, X, y, free=FreeParameters()):
    """Score of every sample, (n, q); see :func:`score_moments` for the order."""
    expert_weight, gate_weight, log_noise = score_factors(model, X, y)
    parts = [
        (weight[:, :, None] * design[:, None, :]).reshape(len(X), -1)
        for weight, design in (
            (expert_weight, free.expert_design(X)),
            (gate_weight, free.gate_design(X)),
        )
    ]
    return np.hstack(parts + [log_noise] * free.noise)


def score_factors(model, X, y):
    """Factors of x in the scores of experts (n, k) and gates (n, k-1); the noise score (n, 1)."""
    r, p = model.posterior(X, y), model.gate_probabilities(X)
    residual = y[:, None] - model.expert_means(X)
    slope = model.link.derivative(X @ model.experts.T + model.expert_intercepts)
    log_noise = np.sum(r * residual**2, axis=1, keepdims=True) / model.noise**2 - 1
    return r * residual * slope / model.noise**2, (r - p)[:, :-1], log_noise
