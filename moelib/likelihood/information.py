r"""The information that a sample holds about the parameters: minus the Hessian of its likelihood.

The density of a label depends on x through linear predictors only: what goes into the link of each
expert, :math:`m_i`, the score of each gate, :math:`h_i`, and the log noises :math:`s_i`. Let
:math:`a_i = e_i g'_i / \sigma_i^2` and :math:`t_i = e_i^2 / \sigma_i^2 - 1` be the derivatives of
expert i's own log-density by :math:`m_i` and :math:`s_i`. Louis' formula, the mean of the second
derivatives of the complete data under the posterior r plus the covariance of the first, gives

.. math::

    \partial_{m_i} \partial_{m_j} &= r_i \bigl(\delta_{ij} (a_i^2 - c_i) - r_j a_i a_j\bigr), &
    c_i &= (g_i'^2 - e_i g''_i) / \sigma_i^2, \\
    \partial_{m_i} \partial_{h_j} &= r_i a_i (\delta_{ij} - r_j), &
    \partial_{h_i} \partial_{h_j} &= (\mathrm{Cov}_r - \mathrm{Cov}_p)_{ij}, \\
    \partial_{m_i} \partial_{s_j} &= r_i \bigl(\delta_{ij} (a_i t_i - 2 a_i) - r_j a_i t_j\bigr), &
    \partial_{h_i} \partial_{s_j} &= r_j t_j (\delta_{ij} - r_i), \\
    \partial_{s_i} \partial_{s_j} &=
        r_i \bigl(\delta_{ij} (t_i^2 - 2 t_i - 2) - r_j t_i t_j\bigr) .

One noise for all is the sum over its experts.
"""

import numpy as np

from moelib.likelihood.score import ridge_of, softmax, with_last_gate
from moelib.parameters import FreeParameters
from moelib.validation import as_sample

ENTRIES = 500_000  # of an array (rows, predictors, predictors) that is formed in one go


def observed_information(model, X, y, *, free=FreeParameters(), sample_weight=None):
    r"""Minus the Hessian of the log-likelihood per sample, less the ridge's part of it.

    .. math:: H = -\hat E\, \partial_\theta^2 \log P(y \mid x; \theta) + \rho I

    Parameters
    ----------
    model : GatedModel
        Where to look.
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
    (q, q) array
        In the order of :meth:`moelib.FreeParameters.vector`; positive definite at a strict maximum.

    Notes
    -----
    O(n q^2). Its expectation under the model is that of the outer product of the scores, see
    :func:`moelib.likelihood.score_moments`; on data that are not from the model they differ. It is
    by the parameters of the data as they are: with columns far from zero it is ill-conditioned, and
    :func:`moelib.standard_errors` takes other units. A single expert has no gate in it.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=3, n_experts=2)
    >>> X, y = model.sample(500, np.random.default_rng(0))
    >>> bool(np.linalg.eigvalsh(observed_information(model, X, y))[0] > 0)
    True

    References
    ----------
    Louis (1982).   Taught in: :ref:`ch-whole-pipeline`.
    """
    sample = as_sample(X, y, sample_weight, n_columns=model.n_features)
    return information_from_sample(model, sample, free)


def information_from_sample(model, sample, free):
    """What :func:`observed_information` does, on data that have been checked."""
    k, total = model.n_experts, 0.0
    rows = max(256, ENTRIES // (3 * k) ** 2)
    for start in range(0, len(sample), rows):
        block = slice(start, start + rows)
        X, y = sample.X[block], sample.y[block]
        curvature = _curvatures(model, X, y, free)
        if sample.weights is not None:
            curvature *= sample.weights[block, None, None]
        total = total + _in_parameters(curvature, X, free, k)
    return np.diag(ridge_of(model, free)) - total / len(sample)


def _curvatures(model, X, y, free):
    """Second derivatives of every log-density by the linear predictors: (n, m, m)."""
    k = model.n_experts
    projections = X @ model.experts.T + model.expert_intercepts
    scores = with_last_gate(X @ model.gates.T + model.gate_intercepts)
    sigma, slope = model.noises, model.link.derivative(projections)
    residual = (y[:, None] - model.link.value(projections)) / sigma
    p, r = softmax(scores), softmax(scores - 0.5 * residual**2 - np.log(sigma))
    a, t = residual * slope / sigma, residual**2 - 1
    c = (slope**2 - residual * sigma * model.link.curvature(projections)) / sigma**2
    K = np.zeros((len(y), 3 * k, 3 * k))
    m, h, s = slice(0, k), slice(k, 2 * k), slice(2 * k, 3 * k)
    own, ra, rt = np.eye(k), r * a, r * t
    K[:, m, m] = own * (r * (a**2 - c))[:, None] - ra[:, :, None] * ra[:, None]
    K[:, m, h] = own * ra[:, None] - ra[:, :, None] * r[:, None]
    K[:, h, h] = own * (r - p)[:, None] - r[:, :, None] * r[:, None] + p[:, :, None] * p[:, None]
    K[:, m, s] = own * (ra * (t - 2))[:, None] - ra[:, :, None] * rt[:, None]
    K[:, h, s] = own * rt[:, None] - r[:, :, None] * rt[:, None]
    K[:, s, s] = own * (r * (t**2 - 2 * t - 2))[:, None] - rt[:, :, None] * rt[:, None]
    K[:, h, m], K[:, s, m], K[:, s, h] = (
        K[:, one, other].transpose(0, 2, 1) for one, other in ((m, h), (m, s), (h, s))
    )
    if free.noise is True:
        K = np.concatenate([K[:, :, : 2 * k], K[:, :, s].sum(axis=2, keepdims=True)], axis=2)
        K = np.concatenate([K[:, : 2 * k], K[:, s].sum(axis=1, keepdims=True)], axis=1)
    last = 2 * k + free.n_noises(k)
    kept = [*range(2 * k - 1), *range(2 * k, last)]  # the last gate is zero
    return K[:, kept][:, :, kept]


def complete_diagonal(model, sample, free):
    """What the diagonal of the information would be if the sample also said who answered: (q,).

    An expert's, its gate's and its noise's own share of the curvature; positive.
    """
    k, d = model.experts.shape
    diagonal = ridge_of(model, free)
    experts, gates, noises = free.blocks(diagonal, k, d)
    p = np.exp(model._log_gate_probabilities(sample.X))
    r = model._posterior(sample.X, sample.y)
    slope = model.link.derivative(sample.X @ model.experts.T + model.expert_intercepts)
    squares = free.expert_design(sample.X) ** 2, free.gate_design(sample.X) ** 2
    for i in range(k):
        own = (r[:, i] * slope[:, i] ** 2)[:, None]
        experts[i] = sample.mean(own * squares[0]) / model.noises[i] ** 2
    for i in range(k - 1):
        gates[i] += sample.mean((p[:, i] * (1 - p[:, i]))[:, None] * squares[1])
    noises[:] = 2 * sample.mean(r) if free.noise_per_expert else 2.0
    return np.where(diagonal > 0, diagonal, 1.0)


def _in_parameters(K, X, free, k):
    """Sum over the samples, from linear predictors to parameters: (n, m, m) -> (q, q)."""
    ones = np.ones((len(X), 1))
    designs = [free.expert_design(X)] * k + [free.gate_design(X)] * (k - 1)
    designs += [ones] * free.n_noises(k)
    wide = np.hstack(designs)
    owner = np.repeat(np.arange(len(designs)), [design.shape[1] for design in designs])
    return np.vstack([D.T @ (K[:, i, owner] * wide) for i, D in enumerate(designs)])
