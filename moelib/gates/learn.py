r"""The second loss at work: gates by maximum likelihood, with the experts frozen.

:mod:`moelib.gates.loss` has the loss, its derivatives and the steps; here they are iterated, with
the noise learned along the way.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from moelib.gates.degeneracy import find_degeneracies
from moelib.gates.loss import (
    covariance_hessian,
    em_step,
    gate_gradient,
    gate_hessian,
    gradient_step,
    log_gate_probabilities,
    log_normal_density,
    negative_log_likelihood,
    newton_step,
    posterior,
    surrogate_step,
)
from moelib.links import as_link
from moelib.model import GatedModel
from moelib.validation import (
    AssumptionWarning,
    ConvergenceWarning,
    as_choice,
    as_matrix,
    as_not_negative,
    as_positive,
    as_vector,
    as_weights,
)

__all__ = [
    "GateFit",
    "covariance_hessian",
    "em_step",
    "gate_gradient",
    "gate_hessian",
    "gradient_step",
    "learn_gates",
    "log_gate_probabilities",
    "log_normal_density",
    "negative_log_likelihood",
    "newton_step",
    "posterior",
    "surrogate_step",
]


@dataclass(frozen=True, eq=False)
class GateFit:
    """What :func:`learn_gates` found.

    Attributes
    ----------
    gates : (k-1, d) array
        The gates, in rows; the last gate is zero and left out.
    noise : float
        Standard deviation, inflated by what the experts get wrong.
    history : list of float
        The loss after every step, in nats per sample; never increasing.
    converged : bool
        Whether it stopped before its steps ran out.
    path : (steps + 1, k-1, d) array
        The gates after every step, from the start on.
    noises : (steps + 1,) array
        The noise after every step.
    """

    gates: np.ndarray
    noise: float
    history: list
    converged: bool
    path: np.ndarray
    noises: np.ndarray


def learn_gates(
    X,
    y,
    experts,
    link="identity",
    noise=None,
    method="newton",
    max_iter=100,
    tol=1e-8,
    ridge=0.0,
    sample_weight=None,
    start=None,
):
    """Recover the gates once the experts are known.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    experts : (k, d) array
        The experts, in rows; they stay as they are.
    link : str, callable or Link
        The link :math:`g`.
    noise : float, optional
        Standard deviation. If not given it is learned along with the gates, which is the safe
        choice when the experts are estimates: their error adds to the noise, and a noise level that
        is too small makes the gates over-confident.
    method : {"newton", "gradient", "em"}
        Newton steps on the loss, gradient descent on it, or EM (Newton steps on its convex
        surrogate, the posterior held fixed).
    max_iter : int
        Most steps.
    tol : float
        Stop when a step lowers the loss by less than this (nats per sample); gradient descent,
        which creeps, stops at a gradient norm of sqrt(tol).
    ridge : float
        Weight of the penalty ridge/2 |W|^2; 1/n is a standard normal prior on the gates. Gates that
        separate the samples need one: see :func:`moelib.gate_curvature`.
    sample_weight : (n,) array, optional
        How often each sample counts.
    start : (k-1, d) array, optional
        First gates; zero, an indifferent gate, if not given.

    Returns
    -------
    GateFit

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` steps were not enough.
    AssumptionWarning
        When the gates separate their experts perfectly, or an expert hardly ever fires: see
        :func:`moelib.find_degeneracies`.

    Examples
    --------
    >>> from moelib import gate_error, standard_model
    >>> model = standard_model(d=6)
    >>> X, y = model.sample(8000, np.random.default_rng(0))
    >>> fit = learn_gates(X, y, model.experts)
    >>> gate_error(fit.gates, model.gates) < 0.01, round(fit.noise, 2)
    (True, 0.05)

    References
    ----------
    Jordan & Jacobs (1994).   Taught in: :ref:`ch-learning-gates`.
    """
    X = as_matrix(X, "X")
    y = as_vector(y, "y", len(X))
    experts = as_matrix(experts, "experts", n_columns=X.shape[1])
    step = {"newton": newton_step, "gradient": gradient_step, "em": em_step}[
        as_choice(method, "method", ["newton", "gradient", "em"])
    ]
    weights, ridge = as_weights(sample_weight, len(y)), as_not_negative(ridge, "ridge")
    squares = (y[:, None] - as_link(link).value(X @ experts.T)) ** 2
    learn_noise = noise is None
    variance = (
        np.average(squares.mean(axis=1), weights=weights)
        if learn_noise
        else as_positive(noise, "noise") ** 2
    )
    floor = 1e-12 * max(np.mean(y**2), np.finfo(float).tiny)
    W = np.zeros((len(experts) - 1, X.shape[1]))
    if start is not None:
        W = as_matrix(start, "start", n_columns=X.shape[1])
        if len(W) != len(experts) - 1:
            raise ValueError(
                f"start must have one row fewer than experts ({len(experts) - 1}), got {len(W)}"
            )
    log_normals = log_normal_density(squares, variance)
    history, converged = [negative_log_likelihood(W, X, log_normals, weights, ridge)], False
    path, variances = [W], [variance]
    for _ in range(max_iter):
        W, gradient_norm = step(W, X, log_normals, weights, ridge)
        if learn_noise:
            own = np.sum(posterior(W, X, log_normals) * squares, axis=1)
            variance = max(np.average(own, weights=weights), floor)
            log_normals = log_normal_density(squares, variance)
        history.append(negative_log_likelihood(W, X, log_normals, weights, ridge))
        path.append(W)
        variances.append(variance)
        small_step = history[-2] - history[-1] < tol
        if small_step and (method != "gradient" or gradient_norm < np.sqrt(tol)):
            converged = True
            break
    if not converged:
        warnings.warn(
            f"the gates did not converge in {max_iter} steps of method {method!r}: raise max_iter "
            "or use method='newton'",
            ConvergenceWarning,
            stacklevel=2,
        )
    noises = np.sqrt(variances)
    model = GatedModel(experts, W, noises[-1], link)
    for sentence in find_degeneracies(model, X, y, sample_weight=sample_weight):
        warnings.warn(sentence, AssumptionWarning, stacklevel=2)
    return GateFit(W, float(noises[-1]), history, converged, np.array(path), noises)
