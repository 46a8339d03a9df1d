r"""Maximum likelihood of all parameters at once, and their standard errors.

With the score of every sample, see :mod:`moelib.likelihood.score`, the mean outer product J of the
scores estimates the Fisher information. Scoring steps
:math:`\theta \leftarrow \theta + J^{-1} \hat E[\text{score}]` climb to the maximum, and
:math:`(n J)^{-1}` is the covariance of the estimate there.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from moelib.climb import Climb, backtrack, noise_floor, warned
from moelib.likelihood.em import em_from_sample, penalised
from moelib.likelihood.score import score_moments_from_sample
from moelib.parameters import FreeParameters
from moelib.validation import AssumptionWarning, as_sample, warn

LONGEST_STEP = 1e6  # of a scoring step, relative to the parameters
LONGEST_LOG_NOISE_STEP = 2.0


def maximum_likelihood(
    X, y, init, *, free=FreeParameters(), max_iter=1000, tol=1e-9, sample_weight=None
):
    """Climb from a starting model to a maximum of the likelihood, in all parameters.

    EM steps, which never overshoot, do the first part; scoring steps, which converge fast near
    the maximum, the second.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    init : GatedModel
        Where to start, for instance what the two losses found.
    free : FreeParameters
        What to learn.
    max_iter : int
        Most iterations of EM and most steps of scoring, each.
    tol : float
        Stop when the predicted gain is smaller, in nats per sample.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    Climb
        Its objective is the log-likelihood per sample, less the ridge's penalty if there is one.

    Warns
    -----
    ConvergenceWarning
        When it did not converge.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=5, n_experts=2)
    >>> X, y = model.sample(2000, np.random.default_rng(0))
    >>> from moelib.likelihood import mean_score
    >>> fit = maximum_likelihood(X, y, init=model)
    >>> bool(np.abs(mean_score(fit.model, X, y)).max() < 1e-3)
    True

    References
    ----------
    Taught in: :ref:`ch-whole-pipeline`.
    """
    sample = as_sample(X, y, sample_weight, n_columns=init.n_features)
    climb = maximum_from_sample(sample, init, free=free, max_iter=max_iter, tol=tol)
    return warned(climb, "the climb to the maximum of the likelihood", max_iter)


def maximum_from_sample(sample, init, *, free, max_iter, tol):
    """What :func:`maximum_likelihood` does, on data that have been checked."""
    options = dict(free=free, max_iter=max_iter)
    warm = em_from_sample(sample, init, tol=max(tol, 1e-5), **options)
    model, history, path = warm.model, warm.history, warm.path
    for _ in range(max_iter):
        score, J = score_moments_from_sample(model, sample, free)
        direction = _scoring_direction(J, score)
        if score @ direction / 2 < tol:
            return Climb(model, history, True, path)
        raised = _raised(model, sample, direction, history[-1], free)
        if raised is None:
            break
        model, value = raised
        history.append(value)
        path.append(model)
    # scoring stalls where the information is singular; EM still climbs, slowly
    rest = em_from_sample(sample, model, tol=tol, **options)
    return Climb(rest.model, history + rest.history[1:], rest.converged, path + rest.path[1:])


@dataclass(frozen=True, eq=False)
class StandardErrors:
    """Standard errors in the shapes of the parameters; ``inf`` where the data say nothing.

    Attributes
    ----------
    experts : (k, d) array
        Standard errors of the experts.
    gates : (k-1, d) array
        Standard errors of the gates.
    noise : float
        Standard error of the noise.
    expert_intercepts : (k,) array
        Standard errors of the experts' intercepts, zero where not fitted.
    gate_intercepts : (k-1,) array
        Standard errors of the gates' intercepts, zero where not fitted.
    covariance : (q, q) array
        Covariance of all free parameters, in the order of :meth:`moelib.FreeParameters.vector`;
        what the data do not determine is left out of it.
    """

    experts: np.ndarray
    gates: np.ndarray
    noise: float
    expert_intercepts: np.ndarray
    gate_intercepts: np.ndarray
    covariance: np.ndarray


def standard_errors(model, X, y, *, free=FreeParameters(), sample_weight=None):
    r"""Standard errors of maximum-likelihood estimates, from the information matrix.

    They are the roots of the diagonal of :math:`(n J)^{-1}`. With a ridge on the gates, J gets its
    curvature too: these are standard deviations of a posterior then, not of an estimate.

    Parameters
    ----------
    model : GatedModel
        A model at a maximum of the likelihood.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    free : FreeParameters
        What was learned.
    sample_weight : (n,) array, optional
        How often each sample counts: their sum is the number of samples.

    Returns
    -------
    StandardErrors

    Warns
    -----
    AssumptionWarning
        When the information matrix is singular: some parameters are not determined by the data.

    References
    ----------
    Louis (1982) on information in mixtures.   Taught in: :ref:`ch-whole-pipeline`.
    """
    sample = as_sample(X, y, sample_weight, n_columns=model.n_features)
    return errors_from_sample(model, sample, free)


def errors_from_sample(model, sample, free):
    """What :func:`standard_errors` does, on data that have been checked."""
    _, J = score_moments_from_sample(model, sample, free)
    return errors_from_information(model, J, sample.total, free)


def errors_from_information(model, J, n, free):
    """Standard errors of n samples from the information J (q, q) of one; warns if singular."""
    values, vectors = np.linalg.eigh(J)
    regular = values > 1e-12 * values[-1]
    covariance = (vectors[:, regular] / values[regular]) @ vectors[:, regular].T / n
    variance = np.diag(covariance).copy()
    if not regular.all():
        undetermined = (vectors[:, ~regular] ** 2).sum(axis=1) > 1e-6
        variance[undetermined] = np.inf
        warn(
            f"the information matrix is singular: {int(undetermined.sum())} of {len(J)} "
            "parameters are not determined by these data and have infinite standard error: a gate "
            "may separate its experts perfectly, inputs may repeat each other, or experts coincide",
            AssumptionWarning,
        )
    return in_shapes(model, variance, covariance, free)


def in_shapes(model, variance, covariance, free):
    """Standard errors in the shapes of the parameters, from variances (q,) in one vector."""
    k, d = model.experts.shape
    experts, gates, log_noise = free.blocks(np.sqrt(variance), k, d)
    return StandardErrors(
        experts=experts[:, :d],
        gates=gates[:, :d] if free.gate_slopes else np.zeros((k - 1, d)),
        noise=float(model.noise * log_noise[0]) if free.noise else 0.0,
        expert_intercepts=experts[:, d] if free.intercepts else np.zeros(k),
        gate_intercepts=gates[:, -1] if free.gate_intercepts else np.zeros(k - 1),
        covariance=covariance,
    )


def scoring_step(model, X, y, *, free=FreeParameters(), sample_weight=None):
    r"""One step :math:`\theta + J^{-1} \hat E[\text{score}]`, with no search along it.

    Parameters
    ----------
    model : GatedModel
        An estimate, for instance what the two losses found.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    free : FreeParameters
        What is learned.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    GatedModel
        Halved steps are tried only where the full one would leave all bounds.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=5, n_experts=2, noise=0.5)
    >>> X, y = model.sample(20_000, np.random.default_rng(0))
    >>> moved = scoring_step(model, X, y)
    >>> float(moved.log_density(X, y).sum()) > float(model.log_density(X, y).sum())
    True

    References
    ----------
    Taught in: :ref:`ch-best-possible`.
    """
    sample = as_sample(X, y, sample_weight, n_columns=model.n_features)
    score, J = score_moments_from_sample(model, sample, free)
    direction = _scoring_direction(J, score)
    return backtrack(lambda step: _moved(model, step * direction, free), shortest=0.0)


def _scoring_direction(J, score):
    """Solve J direction = score; of least norm where the information is singular."""
    try:
        return cho_solve(cho_factor(J), score)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(J, score, rcond=1e-12)[0]


def _raised(model, sample, direction, before, free):
    """The model along the direction and its objective, which has risen; None if it does not."""
    floor = noise_floor(sample)

    def attempt(step):
        candidate = _moved(model, step * direction, free)
        if candidate is None or candidate.noise < floor:
            return None
        log_density = candidate._log_density(sample.X, sample.y)
        value = penalised(log_density, candidate, free, sample.weights)
        return (candidate, value) if value > before else None

    return backtrack(attempt, shortest=1e-4)


def _moved(model, change, free):
    """The model with its free parameters changed; None where they would leave all bounds."""
    vector = free.vector(model)
    if np.abs(change).max() > LONGEST_STEP * (1 + np.abs(vector).max()):
        return None
    if free.noise and abs(change[-1]) > LONGEST_LOG_NOISE_STEP:
        return None
    return free.from_vector(vector + change, like=model)
