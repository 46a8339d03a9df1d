r"""The standard ways to train a gated layer, which the two losses are compared with.

Squared error and joint likelihood are minimised in all parameters at once, by L-BFGS or by Adam,
with gradients from torch.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy.optimize import minimize

from moelib._extras import load
from moelib.climb import Climb, warned
from moelib.likelihood.at_rest import is_at_rest, with_one_noise
from moelib.likelihood.score import likelihood_factors, squares_factors
from moelib.parameters import FreeParameters
from moelib.threads import one_blas_thread
from moelib.units import in_units
from moelib.validation import as_choice, as_sample

NAMES = {"lbfgs": "L-BFGS", "adam": "Adam"}
SOLVERS = list(NAMES)
ADAM_RATE = 0.02  # falls to zero along a half cosine


@one_blas_thread
def least_squares(X, y, init, *, free=FreeParameters(), solver="lbfgs", max_iter=1000):
    r"""Minimise :math:`\hat E (y - \sum_i p_i(x) g(\langle a_i, x\rangle))^2` in A and W.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    init : GatedModel
        Where to start; see :func:`joint_likelihood` on gates that are zero.
    free : FreeParameters
        Whether there are intercepts; the noise plays no part.
    solver : {"lbfgs", "adam"}
        How to descend: L-BFGS or Adam.
    max_iter : int
        Most steps.

    Returns
    -------
    Climb
        Its objective is minus the mean squared error; the noise of its model is the root mean
        square residual of the gated mean.

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` steps were not enough: Adam's end has to be at rest, by the rule of
        :func:`moelib.joint_likelihood_sgd`.

    Notes
    -----
    The error of the gated mean hardly tells the experts apart, so a small loss does not mean
    right parameters. Taught in: :ref:`ch-least-squares`.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=5, n_experts=2)
    >>> X, y = model.sample(1000, np.random.default_rng(0))
    >>> fit = least_squares(X, y, init=model)
    >>> bool(-fit.objective <= np.mean((y - model.mean(X)) ** 2))
    True
    """
    sample = as_sample(X, y, n_columns=init.n_features)
    options = dict(solver=as_choice(solver, "solver", SOLVERS), max_iter=max_iter)
    climb = in_units(squares_from_sample, sample, init, free, squares=True, **options)
    return warned(climb, NAMES[solver], max_iter)


def squares_from_sample(sample, init, *, free, solver, max_iter):
    """What :func:`least_squares` does, on data that have been checked."""
    load("torch", "least_squares")
    from moelib.losses import least_squares_loss

    free.refuse_ridge("least squares")
    free, init = replace(free, noise=False), with_one_noise(init)

    def loss(experts, gates, log_noise, design, labels):
        return least_squares_loss(experts, gates, design, labels, link=init.link)

    factors = partial(_without_noise, init.link)
    path, losses, converged = _descend(sample, init, free, loss, factors, solver, max_iter)
    residual = float(np.sqrt(np.mean((sample.y - path[-1]._mean(sample.X)) ** 2)))
    path[-1] = replace(path[-1], noise=residual)
    return Climb(path[-1], [-value for value in losses], converged, path)


@one_blas_thread
def joint_likelihood(X, y, init, *, free=FreeParameters(), solver="lbfgs", max_iter=1000):
    """Maximise the likelihood in experts, gates and noise at once.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    init : GatedModel
        Where to start. Gates that are all zero are a symmetric point: the experts alone break the
        symmetry.
    free : FreeParameters
        What to learn.
    solver : {"lbfgs", "adam"}
        How to descend: L-BFGS or Adam.
    max_iter : int
        Most steps.

    Returns
    -------
    Climb
        Its objective is the log-likelihood per sample.

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` steps were not enough, as in :func:`least_squares`.

    Examples
    --------
    >>> from moelib import random_start, regressor_error, standard_model
    >>> model = standard_model(d=5, n_experts=2)
    >>> rng = np.random.default_rng(0)
    >>> X, y = model.sample(2000, rng)
    >>> fit = joint_likelihood(X, y, random_start(X, y, 2, rng))
    >>> regressor_error(fit.model.experts, model.experts) < 1e-3
    True

    References
    ----------
    Taught in: :ref:`ch-likelihood-and-em`.
    """
    sample = as_sample(X, y, n_columns=init.n_features)
    options = dict(solver=as_choice(solver, "solver", SOLVERS), max_iter=max_iter)
    climb = in_units(likelihood_from_sample, sample, init, free, **options)
    return warned(climb, NAMES[solver], max_iter)


def likelihood_from_sample(sample, init, *, free, solver, max_iter):
    """What :func:`joint_likelihood` does, on data that have been checked."""
    load("torch", "joint_likelihood")
    from moelib.losses import log_loss

    free.refuse_ridge("joint likelihood")

    def loss(experts, gates, log_noise, design, labels):
        noise = learned_noise(log_noise, free, init)
        return log_loss(experts, gates, noise, design, labels, link=init.link)

    factors = partial(likelihood_factors, link=init.link)
    path, losses, converged = _descend(sample, init, free, loss, factors, solver, max_iter)
    return Climb(path[-1], [-value for value in losses], converged, path)


def learned_noise(log_noises, free, model):
    """The noise of a tensor of log noises, one or k; that of the model if it is not learned."""
    if not free.noise:
        return model.noise
    return log_noises.exp() if free.noise_per_expert else log_noises[0].exp()


def refuse_other_designs(free):
    """Raise ``ValueError`` if gates and experts are not functions of the same columns."""
    if not free.gate_slopes or free.expert_features != free.gate_features:
        raise ValueError(
            "torch's losses take gates and experts of the same columns: use "
            "expectation_maximization, maximum_likelihood or joint_likelihood_sgd"
        )


def _without_noise(link, projections, gate_scores, y, noise):
    return squares_factors(projections, gate_scores, y, link)


def _descend(sample, init, free, loss, factors, solver, max_iter):
    """Minimise a torch loss of (expert rows, gate rows, log noise); the models and the history.

    L-BFGS says by itself whether it has converged; Adam has if its end is at rest.
    """
    import torch

    as_choice(solver, "solver", SOLVERS)
    refuse_other_designs(free)
    design, labels = torch.tensor(free.expert_design(sample.X)), torch.tensor(sample.y)
    shape = init.experts.shape

    def loss_of(theta):
        return loss(*free.blocks(theta, *shape), design, labels)

    run = _lbfgs if solver == "lbfgs" else _adam
    vectors, history, converged = run(loss_of, free.vector(init), max_iter)
    path = [free.from_vector(vector, like=init) for vector in vectors]
    if converged is None:
        converged = is_at_rest(path[-1], sample, free, factors)
    return path, history, converged


def _lbfgs(loss_of, vector, max_iter):
    import torch

    def value_and_gradient(flat):
        theta = torch.tensor(flat, requires_grad=True)
        value = loss_of(theta)
        value.backward()
        return value.item(), theta.grad.numpy()

    vectors, history = [vector], [value_and_gradient(vector)[0]]

    def record(intermediate_result):
        vectors.append(intermediate_result.x.copy())
        history.append(float(intermediate_result.fun))

    result = minimize(
        value_and_gradient,
        vector,
        jac=True,
        method="L-BFGS-B",
        callback=record,
        options={"maxiter": max_iter, "maxfun": 10 * max_iter, "ftol": 1e-12, "gtol": 1e-6},
    )
    return vectors, history, result.nit < max_iter


def _adam(loss_of, vector, max_iter):
    import torch

    theta = torch.tensor(vector, requires_grad=True)
    optimizer = torch.optim.Adam([theta], lr=ADAM_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max_iter)
    vectors, history = [], []
    for _ in range(max_iter):
        vectors.append(theta.detach().numpy().copy())
        optimizer.zero_grad()
        value = loss_of(theta)
        value.backward()
        history.append(value.item())
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        history.append(loss_of(theta).item())
    return [*vectors, theta.detach().numpy()], history, None
