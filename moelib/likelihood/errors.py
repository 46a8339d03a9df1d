r"""Standard errors of maximum-likelihood estimates.

With H minus the mean Hessian of the log-likelihood at the estimate and J the mean outer product of
the scores, the covariance of the estimate is

.. math:: \frac{H^{-1}}{n} \quad\text{if the model is right}, \qquad
          \frac{H^{-1} J H^{-1}}{n} \quad\text{also if it is not (the \emph{sandwich}).}

Both are computed in the sample's own units, see :mod:`moelib.units`. The data say nothing of

- a direction in which H has no curvature, beside what it would have if the sample also said which
  expert answered, as where columns determine each other or experts coincide;
- how large a gate is that separates its experts perfectly;
- an expert that never fires.

A parameter that such a direction touches has an infinite standard error; those of the others are as
if it were held.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.csgraph import connected_components

from moelib.climb import SINGULAR
from moelib.gates.degeneracy import counted
from moelib.likelihood.information import complete_diagonal, information_from_sample
from moelib.likelihood.score import score_moments_from_sample
from moelib.parameters import FreeParameters, spread
from moelib.threads import one_blas_thread
from moelib.units import Units
from moelib.validation import AssumptionWarning, as_choice, as_sample, warn

ERRORS = ["observed", "robust"]
TOUCHED = 1e-5  # share of a parameter in a direction without curvature that is more than rounding
SPEAKS = 1e-3  # samples; of what fewer are in doubt about, or answer, the data say nothing


@dataclass(frozen=True, eq=False)
class StandardErrors:
    """Standard errors in the shapes of the parameters; ``inf`` where the data say nothing.

    Attributes
    ----------
    experts : (k, d) array
        Standard errors of the experts, zero where not fitted.
    gates : (k-1, d) array
        Standard errors of the gates, zero where not fitted.
    noise : float or (k,) array
        Standard error of the noise, or of each.
    expert_intercepts : (k,) array
        Standard errors of the experts' intercepts, zero where not fitted.
    gate_intercepts : (k-1,) array
        Standard errors of the gates' intercepts, zero where not fitted.
    covariance : (q, q) array
        Covariance of all free parameters, in the order of :meth:`moelib.FreeParameters.vector`;
        what the data do not determine is left out of it.
    undetermined : (q,) bool array
        Which of them have an infinite standard error.
    """

    experts: np.ndarray
    gates: np.ndarray
    noise: float | np.ndarray
    expert_intercepts: np.ndarray
    gate_intercepts: np.ndarray
    covariance: np.ndarray
    undetermined: np.ndarray


@one_blas_thread
def standard_errors(model, X, y, *, free=FreeParameters(), errors="observed", sample_weight=None):
    r"""Standard errors of maximum-likelihood estimates.

    With a ridge on the gates, H has its curvature too: these are standard deviations of a posterior
    then, not of an estimate.

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
    errors : {"observed", "robust"}
        From the observed information, or from the sandwich, which holds also where the model does
        not.
    sample_weight : (n,) array, optional
        How often each sample counts: their sum is the number of samples.

    Returns
    -------
    StandardErrors

    Raises
    ------
    ValueError
        When ``errors`` is neither.

    Warns
    -----
    AssumptionWarning
        When the information matrix is singular: some parameters are not determined by the data.

    Examples
    --------
    >>> from moelib import maximum_likelihood, standard_model
    >>> model = standard_model(d=3, n_experts=2, noise=0.5)
    >>> X, y = model.sample(4000, np.random.default_rng(0))
    >>> best = maximum_likelihood(X, y, model).model
    >>> robust = standard_errors(best, X, y, errors="robust")
    >>> bool(np.allclose(standard_errors(best, X, y).experts, robust.experts, rtol=0.2))
    True

    References
    ----------
    Louis (1982) on information in mixtures; Huber (1967) and White (1982) on the sandwich.
    Taught in: :ref:`ch-whole-pipeline`.
    """
    sample = as_sample(X, y, sample_weight, n_columns=model.n_features)
    found = errors_from_sample(model, sample, free, as_choice(errors, "errors", ERRORS))
    _warn_of_undetermined(found.undetermined)
    return found


def errors_from_sample(model, sample, free, errors="observed"):
    """What :func:`standard_errors` does, on data that have been checked; warns of nothing."""
    observed, robust, _ = errors_with_covariance(model, sample, free, robust=errors == "robust")
    return robust if errors == "robust" else observed


def errors_with_covariance(model, sample, free, *, robust=True):
    """Both kinds of standard errors, and the covariance in the sample's own units.

    Returns
    -------
    observed, robust : StandardErrors
        The second is None if it is not asked for.
    covariance : (q, q) array
        From the observed information, of the parameters in units where columns and labels are
        centred and of unit spread.
    """
    units = Units.of(sample, free, model.link)
    inner, data, own_free = units.inward(model), units.sample(sample), units.inward_free(free)
    H = information_from_sample(inner, data, own_free)
    size = np.sqrt(complete_diagonal(inner, data, own_free))
    silent, held = _silent(inner, data, own_free)
    inverse, kept = np.zeros_like(H), np.ix_(~held, ~held)
    inverse[kept], left_out = invert_scaled(H[kept], size[~held])
    null = np.hstack([silent, np.eye(len(H))[:, ~held] @ left_out])
    outward = units.jacobian(free, model.n_experts)
    undetermined = _touched(outward, null)

    def carried(covariance):
        return in_shapes(model, outward @ covariance @ outward.T, undetermined, free)

    observed = carried(inverse / sample.total)
    if not robust:
        return observed, None, inverse / sample.total
    _, J = score_moments_from_sample(inner, data, replace(own_free, gate_ridge=0.0))
    return observed, carried(inverse @ J @ inverse / sample.total), inverse / sample.total


def _silent(model, sample, free):
    """Directions, as columns, of which hardly a sample speaks, and parameters to hold for them.

    Scores that move together in a group of experts, of which no sample is in doubt whether one of
    the group answers; and all of an expert that answers no sample.
    """
    k, d = model.experts.shape
    q, n = free.count(k, d), counted(sample)
    experts, gates, noises = free.blocks(np.arange(q), k, d)
    null, held = [], np.zeros(q, dtype=bool)
    p = np.exp(model._log_gate_probabilities(sample.X))
    doubt = [n * sample.mean(p * one[:, None]) for one in p.T]
    n_groups, group = connected_components(np.array(doubt) > SPEAKS / k**2, directed=False)
    without_ridge = free.ridge(d) == 0
    for g in set(range(n_groups)) - {group[-1]}:
        rows = gates[group[:-1] == g][:, without_ridge]
        null += [np.isin(np.arange(q), places) for places in rows.T]
        held[rows[0]] = True
    for i in np.flatnonzero(n * sample.mean(model._posterior(sample.X, sample.y)) < SPEAKS):
        own = np.append(experts[i], noises[i] if free.noise_per_expert else [])
        null += [np.arange(q) == place for place in own]
        held[own.astype(int)] = True
    return np.array(null, dtype=float).reshape(-1, q).T, held


def errors_from_information(model, J, n, free):
    """Standard errors of n samples with standard normal inputs; warns if singular.

    J (q, q) is the information of one.
    """
    k, d = model.experts.shape
    size = np.where(np.diag(J) > 0, np.diag(J), 1.0)
    free.blocks(size, k, d)[1][:] = (1 - 1 / k) / 2  # of gates in doubt, see moelib.gates.bound
    inverse, null = invert_scaled(J, np.sqrt(size))
    undetermined = _touched(np.eye(len(J)), null)
    _warn_of_undetermined(undetermined)
    return in_shapes(model, inverse / n, undetermined, free)


def invert_scaled(H, size):
    """Inverse of an information matrix, and the directions that it does not determine.

    Parameters
    ----------
    H : (q, q) array
        Information.
    size : (q,) array
        Positive; the parameters are multiplied by it before an eigenvalue counts as zero.

    Returns
    -------
    inverse : (q, q) array
        On the directions that have curvature; the others are left out.
    null : (q, m) array
        Those that were left out, as columns.

    Examples
    --------
    >>> inverse, null = invert_scaled(np.array([[2.0, 0.0], [0.0, 0.0]]), np.ones(2))
    >>> inverse, np.abs(null)
    (array([[0.5, 0. ], [0. , 0. ]]), array([[0.], [1.]]))
    """
    scaled = H / np.outer(size, size)
    if not np.all(np.isfinite(scaled)):
        return np.zeros_like(H), np.eye(len(H))
    values, vectors = eigh(scaled)
    regular, vectors = values > SINGULAR, vectors / size[:, None]
    inverse = (vectors[:, regular] / values[regular]) @ vectors[:, regular].T
    left_out = vectors[:, ~regular] * size[:, None]
    share = np.linalg.norm(left_out, axis=1, keepdims=True)
    return inverse, np.where(share > TOUCHED, left_out, 0.0) / size[:, None]


def _touched(outward, null):
    """Which rows of a matrix directions, the columns of ``null``, move beyond rounding."""
    moves, most = outward @ null, np.abs(outward) @ np.abs(null)
    return np.linalg.norm(moves, axis=1) > TOUCHED * np.linalg.norm(most, axis=1)


def in_shapes(model, covariance, undetermined, free):
    """Standard errors in the shapes of the parameters, from their covariance (q, q)."""
    variance = np.where(undetermined, np.inf, np.maximum(np.diag(covariance), 0.0))
    k, d = model.experts.shape
    experts, gates, log_noises = free.blocks(np.sqrt(variance), k, d)
    expert_columns, gate_columns = free.expert_columns(d), free.gate_columns(d)
    noise = model.noises * log_noises if free.noise_per_expert else 0.0
    if free.noise is True:
        noise = float(free.one_noise(model) * log_noises[0])
    return StandardErrors(
        experts=spread(experts[:, : len(expert_columns)], expert_columns, d),
        gates=spread(gates[:, : len(gate_columns)], gate_columns, d),
        noise=noise,
        expert_intercepts=experts[:, -1] if free.intercepts else np.zeros(k),
        gate_intercepts=gates[:, -1] if free.gate_intercepts else np.zeros(k - 1),
        covariance=covariance,
        undetermined=undetermined,
    )


def _warn_of_undetermined(undetermined):
    if np.any(undetermined):
        warn(
            f"the information matrix is singular: {int(undetermined.sum())} of "
            f"{len(undetermined)} parameters are not determined by these data and have infinite "
            "standard error: a gate may separate its experts perfectly, inputs may repeat each "
            "other, experts may coincide or never fire",
            AssumptionWarning,
        )
