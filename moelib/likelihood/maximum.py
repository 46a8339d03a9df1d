r"""Maximum likelihood of all parameters at once.

EM steps come first. Then Newton steps :math:`\theta \leftarrow \theta + H^{-1}
\hat E[\text{score}]`, with H minus the Hessian, see :mod:`moelib.likelihood.information`. Where it
has a negative eigenvalue *scoring* steps take its place, with the mean outer product J of the
scores, which has none, and which has the same expectation under the model.
"""

import numpy as np

from moelib.climb import Climb, backtrack, noise_floor, solve_scaled, warned
from moelib.likelihood.em import em_from_sample, penalised
from moelib.likelihood.information import information_from_sample
from moelib.likelihood.score import mean_score_from_sample, score_moments_from_sample
from moelib.parameters import FreeParameters
from moelib.threads import one_blas_thread
from moelib.units import in_units
from moelib.validation import as_sample

LONGEST_STEP = 1e6  # of a step, relative to the parameters
LONGEST_LOG_NOISE_STEP = 2.0
LAST_GAIN = 1e-3  # Newton's steps go on to this share of the tolerance: the last ones cost little


@one_blas_thread
def maximum_likelihood(
    X, y, init, *, free=FreeParameters(), max_iter=1000, tol=1e-9, sample_weight=None
):
    """Climb from a starting model to a maximum of the likelihood, in all parameters.

    EM steps, which never overshoot, do the first part; Newton steps, which converge fast near the
    maximum, the second. All in the units of the sample, see :mod:`moelib.units`.

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
        Most iterations of EM and most Newton steps, each.
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
    climb = in_units(maximum_from_sample, sample, init, free, max_iter=max_iter, tol=tol)
    return warned(climb, "the climb to the maximum of the likelihood", max_iter)


def maximum_from_sample(sample, init, *, free, max_iter, tol):
    """What :func:`maximum_likelihood` does, on data that have been checked."""
    options = dict(free=free, max_iter=max_iter)
    warm = em_from_sample(sample, init, tol=max(tol, 1e-5), **options)
    model, history, path = warm.model, warm.history, warm.path
    for _ in range(max_iter):
        direction, gain = _newton_direction(model, sample, free)
        moved = _raised(model, sample, direction, history[-1], free)
        if moved is not None:
            model, value = moved
            history.append(value)
            path.append(model)
        if gain < LAST_GAIN * tol or (moved is None and gain < tol):
            return Climb(model, history, True, path)
        if moved is None:
            break
    # Newton stalls where the information is singular; EM still climbs, slowly
    rest = em_from_sample(sample, model, tol=tol, **options)
    return Climb(rest.model, history + rest.history[1:], rest.converged, path + rest.path[1:])


@one_blas_thread
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
    return in_units(_scored, sample, model, free).model


def _scored(sample, model, free):
    """A scoring step, as a climb of one step."""
    score, J = score_moments_from_sample(model, sample, free)
    direction = solve_scaled(J, score)
    moved = backtrack(lambda step: _moved(model, step * direction, free), shortest=0.0)
    return Climb(moved, [np.nan], False, [moved])


def _newton_direction(model, sample, free):
    """Where to go, and what the quadratic model of the likelihood says is to gain there."""
    score = mean_score_from_sample(model, sample, free)
    direction = solve_scaled(information_from_sample(model, sample, free), score, strict=True)
    if direction is None:
        _, J = score_moments_from_sample(model, sample, free)
        direction = solve_scaled(J, score)
    return direction, float(score @ direction) / 2


def _raised(model, sample, direction, before, free):
    """The model along the direction and its objective, which has risen; None if it does not."""
    floor = noise_floor(sample)

    def attempt(step):
        candidate = _moved(model, step * direction, free, floor)
        if candidate is None:
            return None
        log_density = candidate._log_density(sample.X, sample.y)
        value = penalised(log_density, candidate, free, sample.weights)
        return (candidate, value) if value > before else None

    return backtrack(attempt, shortest=1e-4)


def _moved(model, change, free, floor=0.0):
    """The model with its free parameters changed; None where they would leave all bounds."""
    vector = free.vector(model)
    if np.abs(change).max() > LONGEST_STEP * (1 + np.abs(vector).max()):
        return None
    log_noises = slice(len(change) - free.n_noises(model.n_experts), None)
    if np.any(np.abs(change[log_noises]) > LONGEST_LOG_NOISE_STEP):
        return None
    moved = vector + change
    if floor > 0:
        moved[log_noises] = np.maximum(moved[log_noises], np.log(floor))
    return free.from_vector(moved, like=model)
