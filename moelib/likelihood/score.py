r"""The score of a sample: the gradient of its log-density in :math:`(A, W, \log\sigma)`.

It is closed form: with posterior r, prior p, residuals
:math:`e_i = y - g(\langle a_i, x\rangle)`,

.. math:: \partial_{a_i} = \frac{r_i e_i g'_i}{\sigma^2} x, \quad
          \partial_{w_i} = (r_i - p_i) x, \quad
          \partial_{\log\sigma} = \sum_i r_i \frac{e_i^2}{\sigma^2} - 1 .

Where each expert has a noise of its own, :math:`\partial_{\log\sigma_i} =
r_i (e_i^2 / \sigma_i^2 - 1)`.
For the squared error of the gated mean, :math:`m = \sum_i p_i g_i`, the gradient of
:math:`-(y - m)^2` has the same form,

.. math:: \partial_{a_i} = 2 (y - m)\, p_i g'_i\, x, \quad
          \partial_{w_i} = 2 (y - m)\, p_i (g_i - m)\, x .
"""

import numpy as np

from moelib.data.batches import row_blocks
from moelib.parameters import FreeParameters
from moelib.validation import as_sample


def mean_score(model, X, y, *, free=FreeParameters(), sample_weight=None):
    """Gradient of the log-likelihood per sample in (A, W, log noises), flattened in that order."""
    sample = as_sample(X, y, sample_weight, n_columns=model.n_features)
    return mean_score_from_sample(model, sample, free)


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
        Mean score. Parameters are in the order experts, gates, log noise, one or one for each
        expert; each row of experts and gates ends with its intercept if there is one.
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
    ridge = ridge_of(model, free)
    return score / n - ridge * free.vector(model), J / n + np.diag(ridge)


def mean_score_from_sample(model, sample, free):
    """The first of the two alone, on data that have been checked: in less time."""
    total = np.zeros(free.count(*model.experts.shape))
    for block in row_blocks(len(sample)):
        X = sample.X[block]
        parts = list(score_factors(model, X, sample.y[block], free))
        if sample.weights is not None:
            parts = [part * sample.weights[block, None] for part in parts]
        sums = [parts[0].T @ free.expert_design(X), parts[1].T @ free.gate_design(X)]
        if free.noise:
            sums.append(parts[2].sum(axis=0))
        total = total + np.concatenate([part.ravel() for part in sums])
    return total / len(sample) - ridge_of(model, free) * free.vector(model)


def ridge_of(model, free):
    """The ridge of every parameter: zero for all but the gates' slopes."""
    k, d = model.experts.shape
    ridge = np.zeros(free.count(k, d))
    free.blocks(ridge, k, d)[1][:] = free.ridge(d)
    return ridge


def scores(model, X, y, *, free=FreeParameters()):
    """Score of every sample, (n, q); see :func:`score_moments` for the order."""
    sample = as_sample(X, y, n_columns=model.n_features)
    return _scores(model, sample.X, sample.y, free)


def _scores(model, X, y, free):
    expert_factor, gate_factor, log_noises = score_factors(model, X, y, free)
    parts = [
        (factor[:, :, None] * design[:, None, :]).reshape(len(X), -1)
        for factor, design in (
            (expert_factor, free.expert_design(X)),
            (gate_factor, free.gate_design(X)),
        )
    ]
    return np.hstack(parts + [log_noises] * bool(free.noise))


def score_factors(model, X, y, free=FreeParameters()):
    """Factors of x in the scores of experts (n, k) and gates (n, k-1); scores of the log noise.

    For arrays that have been checked. The last is (n, 1), or (n, k) if each expert has its own.
    """
    noise = model.noises if free.noise_per_expert else model.noise
    if free.noise is True:
        free.one_noise(model)
    projections = X @ model.experts.T + model.expert_intercepts
    gate_scores = X @ model.gates.T + model.gate_intercepts
    return likelihood_factors(projections, gate_scores, y, noise, model.link)


def likelihood_factors(projections, gate_scores, y, noise, link):
    """What :func:`score_factors` returns, from plain arrays: no model is made.

    Parameters
    ----------
    projections : (n, k) array
        What goes into the link, each expert's row times x.
    gate_scores : (n, k-1) array
        Each gate's row times x; the last gate is zero and left out.
    y : (n,) array
        Labels.
    noise : float or (k,) array
        Standard deviation, one for all experts or one for each.
    link : Link
        The link :math:`g`.

    Returns
    -------
    experts : (n, k) array
        Factors of x in the scores of the experts.
    gates : (n, k-1) array
        Factors of x in the scores of the gates.
    log_noise : (n, 1) or (n, k) array
        Scores of the log noise.
    """
    residual = (y[:, None] - link.value(projections)) / noise
    scores = with_last_gate(gate_scores)
    if np.ndim(noise):
        r = softmax(scores - 0.5 * residual**2 - np.log(noise))
        log_noise = r * (residual**2 - 1)
    else:
        r = softmax(scores - 0.5 * residual**2)
        log_noise = np.sum(r * residual**2, axis=1, keepdims=True) - 1
    gates = (r - softmax(scores))[:, :-1]
    return r * residual * link.derivative(projections) / noise, gates, log_noise


def squares_factors(projections, gate_scores, y, link):
    """Factors of x in the gradient of minus the squared error, shaped as the likelihood's."""
    p, answers = softmax(with_last_gate(gate_scores)), link.value(projections)
    mean = np.sum(p * answers, axis=1, keepdims=True)
    share = 2 * (y[:, None] - mean) * p
    gates = (share * (answers - mean))[:, :-1]
    return share * link.derivative(projections), gates, np.zeros((len(y), 1))


def mean_gradient(theta, design, labels, k, factors):
    """Mean gradient of a batch by the vector of experts, gates and log noise.

    Parameters
    ----------
    theta : (q,) array
        Experts, gates, log noise (one or k); each row ends with its intercept.
    design : (n, d + 1) array
        Inputs and a column of ones.
    labels : (n, 2) array
        Labels, and the weights of the samples.
    k : int
        Number of experts.
    factors : callable
        Takes projections, the gates' scores, y and the noise, as :func:`likelihood_factors` does.

    Returns
    -------
    (q,) array
    """
    weighted = _factors(theta, design, labels, k, factors) * labels[:, 1:]
    return _entries(weighted, design, k) / len(labels)


def standardised_gradient(theta, design, labels, k, factors, *, total, ridge):
    """The mean gradient, less ``ridge * theta``, each entry in units of its own standard error.

    As :func:`mean_gradient`, in blocks of rows; ``total`` is how many samples there are. An entry
    that no sample moves is zero.
    """
    first, second = 0.0, 0.0
    for block in row_blocks(len(labels)):
        D, parts = design[block], _factors(theta, design[block], labels[block], k, factors)
        weighted = parts * labels[block, 1:]
        first = first + _entries(weighted, D, k)
        second = second + _entries(weighted * parts, D**2, k)
    gradient, error = first / len(labels) - ridge * theta, np.sqrt(second / len(labels) / total)
    return np.divide(gradient, error, out=np.zeros_like(gradient), where=error > 0)


def _factors(theta, design, labels, k, factors):
    cut = (2 * k - 1) * design.shape[1]
    products = design @ theta[:cut].reshape(2 * k - 1, -1).T
    noise = np.exp(theta[cut:] if len(theta) > cut + 1 else theta[-1])
    return np.hstack(factors(products[:, :k], products[:, k:], labels[:, 0], noise))


def _entries(parts, design, k):
    """Sum over the rows: each factor times x, flat, and last the log noises' own."""
    cut = 2 * k - 1
    return np.append(parts[:, :cut].T @ design, parts[:, cut:].sum(axis=0))


def with_last_gate(gate_scores):
    """The scores of all gates (n, k), from those of all but the last (n, k-1), which is zero."""
    scores = np.zeros((len(gate_scores), gate_scores.shape[1] + 1))
    scores[:, :-1] = gate_scores
    return scores


def softmax(scores):
    """Softmax of each row; for small arrays faster than scipy's."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers
