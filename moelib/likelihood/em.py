r"""Expectation-maximisation for a mixture of experts.

The E-step computes the posterior :math:`r_i(x, y)` over experts. The M-step then solves three
separate problems: weighted least squares for each expert (exact for the linear link, one guarded
Gauss-Newton step otherwise), the noise in closed form, and a step, started from the gates at hand,
on the gates' convex surrogate: of Newton, or of Böhning's bound. None of them lowers the
likelihood. Gradient EM is the same loop with another M-step: one gradient step on each problem.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy.special import logsumexp

from moelib.climb import Climb, noise_floor, warned
from moelib.gates.bound import bound_solver, bound_step
from moelib.gates.loss import penalty
from moelib.likelihood.m_step import gradient_m_step, m_step
from moelib.parameters import FreeParameters
from moelib.threads import one_blas_thread
from moelib.units import in_units
from moelib.validation import as_choice, as_positive, as_probability, as_sample

ANNEALING_STEPS = 50
GATE_STEPS = ["auto", "newton", "bound"]
FEW_EXPERTS = 4  # up to here, the experts' own squares take as long as Newton's Hessian
MANY_GATE_PARAMETERS = 100  # from here on, the bound's steps take less time than Newton's


@one_blas_thread
def expectation_maximization(
    X,
    y,
    init,
    *,
    free=FreeParameters(),
    max_iter=1000,
    tol=1e-9,
    anneal_from=None,
    cooling=None,
    gate_step="auto",
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
    cooling : float, optional
        For a noise that is learned: the most that it may fall in one iteration, as a share of
        itself; 0.01 is slow. Plain EM takes the whole step to the residuals that are left.
    gate_step : {"auto", "newton", "bound"}
        What an M-step does with the gates: one guarded Newton step, whose Hessian takes time that
        grows with the square of the number of gates' parameters, or four steps of Böhning's bound.
        Both end at the same maxima, though from one start not always at the same one. "auto" is
        Newton's for up to 4 experts or fewer than 100 parameters of the gates.
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
        When ``anneal_from`` is given for a noise that is learned, or ``cooling`` for one that is
        not, or not between 0 and 1, or ``gate_step`` is unknown.

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` iterations were not enough.

    Notes
    -----
    Done in the units of the sample, see :mod:`moelib.units`: offsets and scales of columns and
    labels do not count. Cooling costs iterations, and no monotony: a part of the way to the best
    noise is also uphill. With a noise for each expert one that answers few samples, or labels that
    repeat each other, can be as near to them as it likes; see :func:`moelib.find_degeneracies`.
    A single expert is a weighted regression, which one iteration finds.

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
    options = dict(max_iter=max_iter, tol=tol, gate_step=gate_step, cooling=cooling)
    if anneal_from is not None:  # as many times the last noise, in whatever units
        options["anneal_times"] = as_positive(anneal_from, "anneal_from") / init.noise
    return warned(in_units(em_from_sample, sample, init, free, **options), "EM", max_iter)


@one_blas_thread
def gradient_em(X, y, init, *, free=FreeParameters(), max_iter=5000, tol=1e-9):
    r"""EM with one gradient step on the expected log-likelihood in place of the M-step.

    The steps are as long as the curvature bounds allow: with L the largest eigenvalue of
    :math:`\hat E[x x^\top]`, :math:`\sigma^2 / L` for an expert (halved until its own
    weighted squares fall, if the link is not linear) and :math:`2 / L` for the gates. The noise,
    if learned, has its closed form, one for all or one for each. The likelihood never falls. Inputs
    are those in the units of the sample, see :mod:`moelib.units`.

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
    climb = in_units(gradient_em_from_sample, sample, init, free, max_iter=max_iter, tol=tol)
    return warned(climb, "gradient EM", max_iter)


def gradient_em_from_sample(sample, init, *, free, max_iter, tol):
    """What :func:`gradient_em` does, on data that have been checked."""
    free.refuse_ridge("gradient EM")
    expert_step = 1 / _largest_eigenvalue(free.expert_design(sample.X))
    gate_step = 2 / _largest_eigenvalue(free.gate_design(sample.X))
    step = partial(gradient_m_step, expert_step=expert_step, gate_step=gate_step)
    return em_from_sample(sample, init, free=free, max_iter=max_iter, tol=tol, step=step)


def em_from_sample(
    sample,
    init,
    *,
    free,
    max_iter,
    tol,
    anneal_times=None,
    cooling=None,
    gate_step="auto",
    step=None,
):
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
    anneal_times : float or (k,) array, optional
        Begin with a noise so many times as large as that of ``init``, which is not learned.
    cooling : float, optional
        As in :func:`expectation_maximization`.
    gate_step : {"auto", "newton", "bound"}
        As in :func:`expectation_maximization`.
    step : callable, optional
        The M-step, called as :func:`m_step` is, which it replaces, gate's step and all.

    Returns
    -------
    Climb
    """
    X, y, weights = sample.X, sample.y, sample.weights
    designs = free.expert_design(X), free.gate_design(X)
    if step is None:
        step = _m_step_with(gate_step, designs[1], init, weights, free)
    floor = noise_floor(sample)
    least = 0.0 if cooling is None else 1 - _as_cooling(cooling, free)
    model, history, path, converged, slowed = init, [], [], False, False
    if anneal_times is not None:
        if free.noise:
            raise ValueError("anneal_from needs a noise that is not learned: free.noise=False")
        for noise in np.geomspace(anneal_times * init.noise, init.noise, ANNEALING_STEPS):
            r = weighted_responsibilities(model._posterior(X, y), weights)
            model = step(replace(model, noise=noise), *designs, y, r, free)
    for iteration in range(max_iter + 1):
        log_joint = model._log_joint(X, y)
        log_density = logsumexp(log_joint, axis=1, keepdims=True)
        history.append(penalised(log_density[:, 0], model, free, weights))
        path.append(model)
        converged = iteration > 0 and not slowed and history[-1] - history[-2] < tol
        if converged or iteration == max_iter:
            break
        r = weighted_responsibilities(np.exp(log_joint - log_density), weights)
        new = step(model, *designs, y, r, free, noise_floor=floor)
        slowed = bool(np.any(new.noise < least * model.noise))
        model = replace(new, noise=np.maximum(new.noise, least * model.noise)) if slowed else new
    return Climb(model, history, converged, path)


def _as_cooling(cooling, free):
    cooling = as_probability(cooling, "cooling")
    if not free.noise:
        raise ValueError("cooling= is for a noise that is learned; a known one has anneal_from=")
    return cooling


def _m_step_with(gate_step, gate_design, model, weights, free):
    """The M-step with the gates' step of this name; the bound is factored here, once.

    CPU milliseconds an iteration with Newton's step and with the bound's, in the standard design
    with d = 2k and n = 4000: 3 and 2 at k = 2, 4 and 3 at 4, 7 and 4 at 6, 10 and 5 at 8, 9 and 7
    at 10; with n = 20 000, 119 and 62 at k = 16. To a tolerance of 1e-7 the bound takes a tenth
    more iterations up to k = 8, a third more at 10 (seven starts with the same end), and where
    gates are steep, of length 4 at k = 8, up to four times as many: there it is loose.
    """
    as_choice(gate_step, "gate_step", GATE_STEPS)
    n_parameters = (model.n_experts - 1) * gate_design.shape[1]
    many = model.n_experts > FEW_EXPERTS and n_parameters >= MANY_GATE_PARAMETERS
    if gate_step == "newton" or (gate_step == "auto" and not many):
        return m_step
    ridge = free.ridge(model.n_features)
    solve = bound_solver(gate_design, model.n_experts, weights, ridge)
    return partial(m_step, gate_step=partial(bound_step, solve=solve))


def penalised(log_density, model, free, weights=None):
    """What EM climbs: the mean log-density (n,) of the samples, less the penalty on the gates."""
    _, gates = free.rows(model)
    mean = float(np.average(log_density, weights=weights))
    return mean - penalty(gates, free.ridge(model.n_features))


def weighted_responsibilities(r, weights):
    """Responsibilities (n, k) whose rows sum to the sample's weight."""
    return r if weights is None else r * weights[:, None]


def _largest_eigenvalue(design):
    """Of the second moments of the columns; one if all are zero."""
    return float(np.linalg.eigvalsh(design.T @ design / len(design))[-1]) or 1.0
