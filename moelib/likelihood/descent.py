r"""The standard ways to train a gated layer, which the two losses are compared with.

Squared error and joint likelihood are minimised in all parameters at once, by L-BFGS or by Adam,
with gradients from torch. Gradient EM takes one gradient step in place of EM's M-step.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from moelib.gates.loss import log_gate_probabilities
from moelib.likelihood.em import NOISE_FLOOR, EMFit
from moelib.model import GatedModel
from moelib.parameters import FreeParameters
from moelib.validation import ConvergenceWarning, as_choice, as_matrix, as_vector

SOLVERS = ["lbfgs", "adam"]
ADAM_RATE = 0.02  # falls to zero along a half cosine


@dataclass(frozen=True, eq=False)
class LeastSquaresFit:
    """What :func:`least_squares` found.

    Attributes
    ----------
    model : GatedModel
        The fitted model; its noise is the root mean square residual of the gated mean.
    history : list of float
        Mean squared error after every step.
    converged : bool
        Whether it stopped before its steps ran out.
    path : list of GatedModel
        The models that the history belongs to.
    """

    model: GatedModel
    history: list
    converged: bool
    path: list


def least_squares(X, y, start, free=FreeParameters(), solver="lbfgs", max_iter=1000):
    r"""Minimise :math:`\hat E (y - \sum_i p_i(x) g(\langle a_i, x\rangle))^2` in A and W.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    start : GatedModel
        Where to start; see :func:`joint_likelihood` on gates that are zero.
    free : FreeParameters
        Whether there are intercepts; the noise plays no part.
    solver : {"lbfgs", "adam"}
        How to descend: L-BFGS or Adam.
    max_iter : int
        Most steps.

    Returns
    -------
    LeastSquaresFit

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` steps of L-BFGS were not enough.

    Notes
    -----
    The error of the gated mean hardly tells the experts apart, so a small loss does not mean
    right parameters. Taught in: :ref:`ch-least-squares`.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=5, n_experts=2)
    >>> X, y = model.sample(1000, np.random.default_rng(0))
    >>> fit = least_squares(X, y, start=model)
    >>> bool(fit.history[-1] <= np.mean((y - model.mean(X)) ** 2))
    True
    """
    from moelib.losses import least_squares_loss

    free = FreeParameters(free.intercepts, noise=False, gate_slopes=free.gate_slopes)

    def loss(experts, gates, log_noise, design, labels):
        return least_squares_loss(experts, gates, design, labels, start.link)

    path, history, converged = _descend(X, y, start, free, loss, solver, max_iter)
    residual = float(np.sqrt(np.mean((y - path[-1].mean(X)) ** 2)))
    path[-1] = replace(path[-1], noise=residual)
    return LeastSquaresFit(path[-1], history, converged, path)


def joint_likelihood(X, y, start, free=FreeParameters(), solver="lbfgs", max_iter=1000):
    """Maximise the likelihood in experts, gates and noise at once.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    start : GatedModel
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
    EMFit
        Its history is the log-likelihood per sample.

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` steps of L-BFGS were not enough.

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
    from moelib.losses import log_loss

    def loss(experts, gates, log_noise, design, labels):
        noise = log_noise[0].exp() if free.noise else start.noise
        return log_loss(experts, gates, noise, design, labels, start.link)

    path, losses, converged = _descend(X, y, start, free, loss, solver, max_iter)
    return EMFit(path[-1], [-value for value in losses], converged, path)


def gradient_em(X, y, start, free=FreeParameters(), max_iter=5000, tol=1e-9):
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
    start : GatedModel
        Where to start.
    free : FreeParameters
        What to learn.
    max_iter : int
        Most iterations.
    tol : float
        Stop when an iteration gains less, in nats per sample.

    Returns
    -------
    EMFit

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
    X = as_matrix(X, "X", n_columns=start.n_features)
    y = as_vector(y, "y", len(X))
    expert_design, gate_design = free.expert_design(X), free.gate_design(X)
    expert_step = 1 / _largest_eigenvalue(expert_design)
    gate_step = 2 / _largest_eigenvalue(gate_design)
    floor = NOISE_FLOOR * max(np.std(y), np.finfo(float).tiny)
    model, history, path, converged = start, [], [], False
    for iteration in range(max_iter + 1):
        history.append(float(np.mean(model.log_density(X, y))))
        path.append(model)
        converged = iteration > 0 and history[-1] - history[-2] < tol
        if converged or iteration == max_iter:
            break
        r = model.posterior(X, y)
        experts, gates = free.rows(model)
        p = np.exp(log_gate_probabilities(gates, gate_design))
        gates = gates + gate_step * (r - p)[:, :-1].T @ gate_design / len(X)
        experts = _expert_gradient_step(experts, expert_design, y, r, model.link, expert_step)
        noise = model.noise
        if free.noise:
            squares = (y[:, None] - model.link.value(expert_design @ experts.T)) ** 2
            noise = max(np.sqrt(np.mean(np.sum(r * squares, axis=1))), floor)
        model = free.model(experts, gates, noise, like=model)
    if not converged:
        _warn("gradient EM", max_iter)
    return EMFit(model, history, converged, path)


def _expert_gradient_step(experts, design, y, r, link, step):
    answers = link.value(design @ experts.T)
    residual = y[:, None] - answers
    slope = link.derivative(design @ experts.T)
    direction = (r * residual * slope).T @ design / len(y)
    loss = np.sum(r * residual**2)
    while step > 1e-12:
        candidate = experts + step * direction
        if np.sum(r * (y[:, None] - link.value(design @ candidate.T)) ** 2) <= loss:
            return candidate
        step /= 2
    return experts


def _descend(X, y, start, free, loss, solver, max_iter):
    """Minimise a torch loss of (expert rows, gate rows, log noise); the models and the history."""
    import torch

    as_choice(solver, "solver", SOLVERS)
    if not free.gate_slopes:
        raise ValueError("gate_slopes=False is for EM only")
    X = as_matrix(X, "X", n_columns=start.n_features)
    y = as_vector(y, "y", len(X))
    design, labels = torch.tensor(free.expert_design(X)), torch.tensor(y)
    shape = start.experts.shape

    def loss_of(theta):
        return loss(*free.blocks(theta, *shape), design, labels)

    run = _lbfgs if solver == "lbfgs" else _adam
    vectors, history, converged = run(loss_of, free.vector(start), max_iter)
    return [free.from_vector(vector, like=start) for vector in vectors], history, converged


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
    converged = result.nit < max_iter
    if not converged:
        _warn("L-BFGS", max_iter)
    return vectors, history, converged


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
    return [*vectors, theta.detach().numpy()], history, True


def _largest_eigenvalue(design):
    return float(np.linalg.eigvalsh(design.T @ design / len(design))[-1])


def _warn(what, max_iter):
    warnings.warn(
        f"{what} did not converge in {max_iter} iterations: raise max_iter",
        ConvergenceWarning,
        stacklevel=4,
    )
