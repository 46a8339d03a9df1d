r"""Expectation-maximisation for a mixture of experts.

The E-step computes the posterior :math:`r_i(x, y)` over experts. The M-step then solves three
separate problems: weighted least squares for each expert (exact for the linear link, one guarded
Gauss-Newton step otherwise), the noise in closed form, and a guarded Newton step, started from
the gates at hand, on the gates' convex surrogate. None of them lowers the likelihood. Gradient EM
is the same loop with another M-step: one gradient step on each problem.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy.special import logsumexp

from moelib.climb import Climb, backtrack, noise_floor, warned
from moelib.gates.loss import log_gate_probabilities, penalty, surrogate_step
from moelib.parameters import FreeParameters
from moelib.validation import as_positive, as_sample

ANNEALING_STEPS = 50


def expectation_maximization(
    X,
    y,
    init,
    *,
    free=FreeParameters(),
    max_iter=1000,
    tol=1e-9,
    anneal_from=None,
    sample_weight=None,
):
    """Run EM from a starting model.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    init : GatedModel
        Where to start, see :func:`moelib.make_start`.
    free : FreeParameters
        What to learn; the rest stays as in ``init``.
    max_iter : int
        Most iterations.
    tol : float
        Stop when an iteration gains less, in nats per sample.
    anneal_from : float, optional
        For a noise that is not learned: begin with this larger one and come down to ``init.noise``
        geometrically over ``ANNEALING_STEPS`` iterations. The history then begins where the
        annealing ends.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    Climb
        Its objective is the log-likelihood per sample, less the ridge's penalty if there is one; it
        never decreases.

    Raises
    ------
    ValueError
        When ``anneal_from`` is given for a noise that is learned.

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` iterations were not enough.

    Examples
    --------
    >>> from moelib import random_start, regressor_error, standard_model
    >>> model = standard_model(d=5, n_experts=2)
    >>> rng = np.random.default_rng(0)
    >>> X, y = model.sample(2000, rng)
    >>> fit = expectation_maximization(X, y, random_start(X, y, 2, rng))
    >>> regressor_error(fit.model.experts, model.experts) < 1e-3
    True

    References
    ----------
    Dempster, Laird & Rubin (1977); Jordan & Jacobs (1994).   Taught in: :ref:`ch-whole-pipeline`.
    """
    sample = as_sample(X, y, sample_weight, n_columns=init.n_features)
    options = dict(free=free, max_iter=max_iter, tol=tol, anneal_from=anneal_from)
    return warned(em_from_sample(sample, init, **options), "EM", max_iter)


def gradient_em(X, y, init, *, free=FreeParameters(), max_iter=5000, tol=1e-9):
    r"""EM with one gradient step on the expected log-likelihood in place of the M-step.

    The steps are as long as the curvature bounds allow: with L the largest eigenvalue of
    :math:`\hat E[x x^\top]`, :math:`\sigma^2 / L` for the experts (halved until the weighted
    squares fall, if the link is not linear) and :math:`2 / L` for the gates. The noise, if
    learned, has its closed form. The likelihood never falls.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    init : GatedModel
        Where to start.
    free : FreeParameters
        What to learn.
    max_iter : int
        Most iterations.
    tol : float
        Stop when an iteration gains less, in nats per sample.

    Returns
    -------
    Climb
        Its objective is the log-likelihood per sample; it never decreases.

    Raises
    ------
    ValueError
        When ``free`` has a ridge on the gates, which only EM and :func:`moelib.maximum_likelihood`
        know.

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` iterations were not enough.

    Examples
    --------
    >>> from moelib import random_start, regressor_error, standard_model
    >>> model = standard_model(d=5, n_experts=2)
    >>> rng = np.random.default_rng(0)
    >>> X, y = model.sample(2000, rng)
    >>> fit = gradient_em(X, y, random_start(X, y, 2, rng))
    >>> regressor_error(fit.model.experts, model.experts) < 1e-3
    True

    References
    ----------
    Taught in: :ref:`ch-likelihood-and-em`.
    """
    sample = as_sample(X, y, n_columns=init.n_features)
    options = dict(free=free, max_iter=max_iter, tol=tol)
    return warned(gradient_em_from_sample(sample, init, **options), "gradient EM", max_iter)


def gradient_em_from_sample(sample, init, *, free, max_iter, tol):
    """What :func:`gradient_em` does, on data that have been checked."""
    free.refuse_ridge("gradient EM")
    expert_step = 1 / _largest_eigenvalue(free.expert_design(sample.X))
    gate_step = 2 / _largest_eigenvalue(free.gate_design(sample.X))
    step = partial(gradient_m_step, expert_step=expert_step, gate_step=gate_step)
    return em_from_sample(sample, init, free=free, max_iter=max_iter, tol=tol, step=step)


def em_from_sample(sample, init, *, free, max_iter, tol, anneal_from=None, step=None):
    """What :func:`expectation_maximization` does, on data that have been checked.

    Parameters
    ----------
    sample : Sample
        The data.
    init : GatedModel
        Where to start.
    free : FreeParameters
        What to learn.
    max_iter : int
        Most iterations.
    tol : float
        Stop when an iteration gains less, in nats per sample.
    anneal_from : float, optional
        As in :func:`expectation_maximization`.
    step : callable, optional
        The M-step, called as :func:`m_step` is, which it replaces.

    Returns
    -------
    Climb
    """
    X, y, weights = sample.X, sample.y, sample.weights
    step = m_step if step is None else step
    designs = free.expert_design(X), free.gate_design(X)
    floor = noise_floor(sample)
    model, history, path, converged = init, [], [], False
    if anneal_from is not None:
        if free.noise:
            raise ValueError("anneal_from needs a noise that is not learned: free.noise=False")
        hot = as_positive(anneal_from, "anneal_from")
        for noise in np.geomspace(hot, init.noise, ANNEALING_STEPS):
            r = weighted_responsibilities(model._posterior(X, y), weights)
            model = step(replace(model, noise=noise), *designs, y, r, free)
    for iteration in range(max_iter + 1):
        log_joint = model._log_joint(X, y)
        log_density = logsumexp(log_joint, axis=1, keepdims=True)
        history.append(penalised(log_density[:, 0], model, free, weights))
        path.append(model)
        converged = iteration > 0 and history[-1] - history[-2] < tol
        if converged or iteration == max_iter:
            break
        r = weighted_responsibilities(np.exp(log_joint - log_density), weights)
        model = step(model, *designs, y, r, free, noise_floor=floor)
    return Climb(model, history, converged, path)


def penalised(log_density, model, free, weights=None):
    """What EM climbs: the mean log-density (n,) of the samples, less the penalty on the gates."""
    _, gates = free.rows(model)
    mean = float(np.average(log_density, weights=weights))
    return mean - penalty(gates, free.ridge(model.n_features))


def weighted_responsibilities(r, weights):
    """Responsibilities (n, k) whose rows sum to the sample's weight."""
    return r if weights is None else r * weights[:, None]


def m_step(model, expert_design, gate_design, y, responsibilities, free, *, noise_floor=0.0):
    """One M-step: experts, noise and gates for given responsibilities (n, k).

    The responsibilities of a sample sum to its weight, one if there are no weights. The designs
    are those of ``free`` for the inputs. Returns a ``GatedModel``.
    """
    experts, gates = free.rows(model)
    experts = np.array(
        [
            _fit_expert(a, expert_design, y, weight, model.link)
            for a, weight in zip(experts, responsibilities.T, strict=True)
        ]
    )
    noise = _noise(model, experts, expert_design, y, responsibilities, free, noise_floor)
    gates, _ = surrogate_step(gates, gate_design, responsibilities, free.ridge(model.n_features))
    return free.model(experts, gates, noise, like=model)


def gradient_m_step(
    model, expert_design, gate_design, y, r, free, *, expert_step, gate_step, noise_floor=0.0
):
    """One gradient step in place of :func:`m_step`, of the given lengths."""
    experts, gates = free.rows(model)
    p = np.exp(log_gate_probabilities(gates, gate_design))
    gates = gates + gate_step * (r - p)[:, :-1].T @ gate_design / len(y)
    experts = _expert_gradient_step(experts, expert_design, y, r, model.link, expert_step)
    noise = _noise(model, experts, expert_design, y, r, free, noise_floor)
    return free.model(experts, gates, noise, like=model)


def _noise(model, experts, design, y, r, free, floor):
    """The noise of experts in rows, in closed form if it is learned."""
    if not free.noise:
        return model.noise
    squares = (y[:, None] - model.link.value(design @ experts.T)) ** 2
    return max(np.sqrt(np.mean(np.sum(r * squares, axis=1))), floor)


def _fit_expert(a, design, y, weight, link):
    """Weighted least squares for one expert; one guarded Gauss-Newton step if not linear."""
    answers = link.value(design @ a)
    slope = link.derivative(design @ a)
    curvature = (design * (weight * slope**2)[:, None]).T @ design
    target = design.T @ (weight * slope * (y - answers))
    direction = np.linalg.lstsq(curvature, target, rcond=1e-12)[0]
    if link.name == "identity":
        return a + direction
    loss = np.sum(weight * (y - answers) ** 2)

    def attempt(step):
        candidate = a + step * direction
        falls = np.sum(weight * (y - link.value(design @ candidate)) ** 2) <= loss
        return candidate if falls else None

    found = backtrack(attempt, shortest=1e-6)
    return a if found is None else found


def _expert_gradient_step(experts, design, y, r, link, first):
    residual = y[:, None] - link.value(design @ experts.T)
    slope = link.derivative(design @ experts.T)
    direction = (r * residual * slope).T @ design / len(y)
    loss = np.sum(r * residual**2)

    def attempt(step):
        candidate = experts + step * direction
        falls = np.sum(r * (y[:, None] - link.value(design @ candidate.T)) ** 2) <= loss
        return candidate if falls else None

    found = backtrack(attempt, shortest=1e-12, first=first)
    return experts if found is None else found


def _largest_eigenvalue(design):
    return float(np.linalg.eigvalsh(design.T @ design / len(design))[-1])
