r"""Maximum likelihood of all parameters at once, and their standard errors.

The score of a sample, the gradient of its log-density in :math:`(A, W, \log\sigma)`, is closed
form: with posterior r, prior p, residuals :math:`e_i = y - g(\langle a_i, x\rangle)`,

.. math:: \partial_{a_i} = \frac{r_i e_i g'_i}{\sigma^2} x, \quad
          \partial_{w_i} = (r_i - p_i) x, \quad
          \partial_{\log\sigma} = \sum_i r_i \frac{e_i^2}{\sigma^2} - 1 .

The mean outer product J of the scores estimates the Fisher information. Scoring steps
:math:`\theta \leftarrow \theta + J^{-1} \hat E[\text{score}]` climb to the maximum, and
:math:`(n J)^{-1}` is the covariance of the estimate there.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from moelib.blocks import row_blocks
from moelib.em import EMFit, expectation_maximization
from moelib.parameters import FreeParameters
from moelib.validation import AssumptionWarning, ConvergenceWarning, as_matrix, as_vector


def maximum_likelihood(X, y, start, free=FreeParameters(), max_iter=1000, tol=1e-9):
    """Climb from a starting model to a maximum of the likelihood, in all parameters.

    EM steps, which never overshoot, do the first part; scoring steps, which converge fast near
    the maximum, the second.

    Parameters
    ----------
    X : (n, d) array,  y : (n,) array
    start : GatedModel         for instance what the two losses found
    free : FreeParameters      what to learn
    max_iter : int             for EM and for scoring, each
    tol : float                stop when the predicted gain is smaller, in nats per sample

    Returns
    -------
    EMFit

    Warns
    -----
    ConvergenceWarning
        When it did not converge.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=5, n_experts=2)
    >>> X, y = model.sample(2000, np.random.default_rng(0))
    >>> fit = maximum_likelihood(X, y, start=model)
    >>> bool(np.abs(mean_score(fit.model, X, y)).max() < 1e-3)
    True

    References
    ----------
    Taught in: "The whole pipeline".
    """
    X = as_matrix(X, "X", n_columns=start.n_features)
    y = as_vector(y, "y", len(X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # EM only warms up here
        warm = expectation_maximization(X, y, start, free, max_iter, tol=max(tol, 1e-5))
    model, history = warm.model, warm.history
    for _ in range(max_iter):
        score, J = score_moments(model, X, y, free)
        direction = _scoring_direction(J, score)
        if score @ direction / 2 < tol:
            return EMFit(model, history, converged=True)
        model, log_likelihood = _climb(model, X, y, direction, history[-1], free)
        if log_likelihood <= history[-1]:
            break
        history.append(log_likelihood)
    # scoring stalls where the information is singular; EM still climbs, slowly
    rest = expectation_maximization(X, y, model, free, max_iter, tol)
    return EMFit(rest.model, history + rest.history[1:], rest.converged)


@dataclass(frozen=True, eq=False)
class StandardErrors:
    """Standard errors in the shapes of the parameters; ``inf`` where the data say nothing.

    Attributes
    ----------
    experts : (k, d),  gates : (k-1, d),  noise : float
    expert_intercepts : (k,),  gate_intercepts : (k-1,)      zero where not fitted
    """

    experts: np.ndarray
    gates: np.ndarray
    noise: float
    expert_intercepts: np.ndarray
    gate_intercepts: np.ndarray


def standard_errors(model, X, y, free=FreeParameters()):
    """Standard errors of maximum-likelihood estimates, from the information matrix.

    Parameters
    ----------
    model : GatedModel         at a maximum of the likelihood
    X : (n, d) array,  y : (n,) array
    free : FreeParameters      what was learned

    Returns
    -------
    StandardErrors

    Warns
    -----
    AssumptionWarning
        When the information matrix is singular: some parameters are not determined by the data.

    References
    ----------
    Louis (1982) on information in mixtures.   Taught in: "The whole pipeline".
    """
    _, J = score_moments(model, X, y, free)
    values, vectors = np.linalg.eigh(J)
    regular = values > 1e-12 * values[-1]
    variance = (vectors[:, regular] ** 2 / values[regular]).sum(axis=1) / len(X)
    if not regular.all():
        undetermined = (vectors[:, ~regular] ** 2).sum(axis=1) > 1e-6
        variance[undetermined] = np.inf
        warnings.warn(
            f"the information matrix is singular: {int(undetermined.sum())} of {len(J)} "
            "parameters are not determined by these data and have infinite standard error: a gate "
            "may separate its experts perfectly, inputs may repeat each other, or experts coincide",
            AssumptionWarning,
            stacklevel=2,
        )
    k, d = model.experts.shape
    experts, gates, log_noise = free.blocks(np.sqrt(variance), k, d)
    return StandardErrors(
        experts=experts[:, :d],
        gates=gates[:, :d] if free.gate_slopes else np.zeros((k - 1, d)),
        noise=float(model.noise * log_noise[0]) if free.noise else 0.0,
        expert_intercepts=experts[:, d] if free.intercepts else np.zeros(k),
        gate_intercepts=gates[:, -1] if free.gate_intercepts else np.zeros(k - 1),
    )


def mean_score(model, X, y, free=FreeParameters()):
    """Gradient of the log-likelihood per sample in (A, W, log noise), flattened in that order."""
    return score_moments(model, X, y, free)[0]


def score_moments(model, X, y, free=FreeParameters()):
    """Mean score and mean outer product of scores, in blocks of rows.

    Returns
    -------
    score : (q,) array,  J : (q, q) array
        Parameters in the order experts, gates, log noise; each row of experts and gates ends with
        its intercept if there is one.
    """
    score, J = 0.0, 0.0
    for block in row_blocks(len(X)):
        S = scores(model, X[block], y[block], free)
        score, J = score + S.sum(axis=0), J + S.T @ S
    return score / len(X), J / len(X)


def scores(model, X, y, free=FreeParameters()):
    """Score of every sample, (n, q); see :func:`score_moments` for the order."""
    r, p = model.posterior(X, y), model.gate_probabilities(X)
    residual = y[:, None] - model.expert_means(X)
    slope = model.link.derivative(X @ model.experts.T + model.expert_intercepts)
    expert_weight = r * residual * slope / model.noise**2
    gate_weight = (r - p)[:, :-1]
    parts = [
        (weight[:, :, None] * design[:, None, :]).reshape(len(X), -1)
        for weight, design in (
            (expert_weight, free.expert_design(X)),
            (gate_weight, free.gate_design(X)),
        )
    ]
    if free.noise:
        parts.append(np.sum(r * residual**2, axis=1, keepdims=True) / model.noise**2 - 1)
    return np.hstack(parts)


def _scoring_direction(J, score):
    """Solve J direction = score; of least norm where the information is singular."""
    try:
        return cho_solve(cho_factor(J), score)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(J, score, rcond=1e-12)[0]


def _climb(model, X, y, direction, log_likelihood, free):
    """Move along the direction, halved until the likelihood rises."""
    step = 1.0
    while step > 1e-4:
        candidate = _moved(model, step * direction, free)
        value = float(np.mean(candidate.log_density(X, y))) if candidate else -np.inf
        if value > log_likelihood:
            return candidate, value
        step /= 2
    return model, log_likelihood


def _moved(model, change, free):
    """The model with its free parameters changed; None where the noise would leave all bounds."""
    experts, gates = free.rows(model)
    expert_change, gate_change, log_noise = free.blocks(change, *model.experts.shape)
    noise = model.noise
    if free.noise:
        if abs(log_noise[0]) > 2:
            return None
        noise = noise * np.exp(log_noise[0])
    return free.model(experts + expert_change, gates + gate_change, noise, like=model)
