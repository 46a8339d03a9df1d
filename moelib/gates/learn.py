r"""The second loss at work: gates by maximum likelihood, with the experts frozen.

:mod:`moelib.gates.loss` has the loss, its derivatives and the steps; here they are iterated, with
the noise learned along the way.
"""

import numpy as np

from moelib.climb import Climb, noise_floor
from moelib.gates.degeneracy import degeneracies_from_sample
from moelib.gates.loss import (
    em_step,
    gradient_step,
    log_normal_density,
    negative_log_likelihood,
    newton_step,
    posterior,
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
    as_sample,
    warn,
)

STEPS = {"newton": newton_step, "gradient": gradient_step, "em": em_step}


def learn_gates(
    X,
    y,
    experts,
    *,
    link="identity",
    noise=None,
    solver="newton",
    max_iter=100,
    tol=1e-8,
    gate_ridge=0.0,
    sample_weight=None,
    init=None,
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
    solver : {"newton", "gradient", "em"}
        Newton steps on the loss, gradient descent on it, or EM (Newton steps on its convex
        surrogate, the posterior held fixed).
    max_iter : int
        Most steps.
    tol : float
        Stop when a step lowers the loss by less than this (nats per sample); gradient descent,
        which creeps, stops at a gradient norm of sqrt(tol).
    gate_ridge : float
        Weight of the penalty, half of it times |W|^2; 1/n is a standard normal prior on the gates.
        Gates that separate the samples need one: see :func:`moelib.gate_curvature`.
    sample_weight : (n,) array, optional
        How often each sample counts.
    init : (k-1, d) array, optional
        First gates; zero, an indifferent gate, if not given.

    Returns
    -------
    Climb
        Models with these experts. Their objective is minus the gates' loss, the log-likelihood per
        sample less the ridge's penalty; the noise is inflated by what the experts get wrong.

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
    >>> gate_error(fit.model.gates, model.gates) < 0.01, round(fit.model.noise, 2)
    (True, 0.05)

    References
    ----------
    Jordan & Jacobs (1994).   Taught in: :ref:`ch-learning-gates`.
    """
    sample = as_sample(X, y, sample_weight)
    settings = dict(link=link, noise=noise, solver=solver, max_iter=max_iter, tol=tol, init=init)
    climb = gates_from_sample(sample, experts, gate_ridge=gate_ridge, **settings)
    if not climb.converged:
        warn(
            f"the gates did not converge in {max_iter} steps of solver {solver!r}: raise max_iter "
            "or use solver='newton'",
            ConvergenceWarning,
        )
    for sentence in degeneracies_from_sample(climb.model, sample):
        warn(sentence, AssumptionWarning)
    return climb


def gates_from_sample(
    sample,
    experts,
    *,
    link="identity",
    noise=None,
    solver="newton",
    max_iter=100,
    tol=1e-8,
    gate_ridge=0.0,
    init=None,
):
    """What :func:`learn_gates` does, on data that have been checked, without its warnings."""
    X, weights, link = sample.X, sample.weights, as_link(link)
    experts = as_matrix(experts, "experts", n_columns=X.shape[1])
    step = STEPS[as_choice(solver, "solver", list(STEPS))]
    ridge = as_not_negative(gate_ridge, "gate_ridge")
    squares = (sample.y[:, None] - link.value(X @ experts.T)) ** 2
    known = None if noise is None else as_positive(noise, "noise")
    variance = sample.mean(squares.mean(axis=1)) if known is None else known**2
    floor = noise_floor(sample) ** 2
    W = _first_gates(init, len(experts), X.shape[1])
    log_normals = log_normal_density(squares, variance)
    history = [-negative_log_likelihood(W, X, log_normals, weights, ridge)]
    found, converged = [(W, variance)], False
    for _ in range(max_iter):
        W, gradient_norm = step(W, X, log_normals, weights, ridge)
        if known is None:
            variance = sample.mean(np.sum(posterior(W, X, log_normals) * squares, axis=1))
            variance = max(variance, floor)
            log_normals = log_normal_density(squares, variance)
        history.append(-negative_log_likelihood(W, X, log_normals, weights, ridge))
        found.append((W, variance))
        small_step = history[-1] - history[-2] < tol
        converged = small_step and (solver != "gradient" or gradient_norm < np.sqrt(tol))
        if converged:
            break
    noises = [float(np.sqrt(variance)) if known is None else known for _, variance in found]
    path = [GatedModel(experts, W, noise, link) for (W, _), noise in zip(found, noises)]
    return Climb(path[-1], history, bool(converged), path)


def _first_gates(init, k, d):
    """The gates to start from, zero if none are given."""
    if init is None:
        return np.zeros((k - 1, d))
    W = as_matrix(init, "init", n_columns=d)
    if len(W) != k - 1:
        raise ValueError(f"init must have one row fewer than experts ({k - 1}), got {len(W)}")
    return W
