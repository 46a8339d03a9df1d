r"""The second loss at work: gates by maximum likelihood, with the experts frozen.

.. math:: L_{\log}(W; A) = -\hat E \log \sum_i p_i(x; W)\, N(y; g(\langle a_i, x\rangle), \sigma^2)

With r the posterior over experts, the gradient is :math:`-\hat E[(r - p) \otimes x]` and the
Hessian :math:`\hat E[(\mathrm{Cov}_p - \mathrm{Cov}_r) \otimes x x^\top]`, where
:math:`\mathrm{Cov}_q = \mathrm{Diag}(q) - q q^\top` over the first k-1 coordinates: the curvature
is prior minus posterior uncertainty. Dropping :math:`\mathrm{Cov}_r` leaves the convex surrogate
that EM uses.

Inside this module gates are a (k-1, p) array for a design matrix D (n, p): X, or X and a column
of ones when there are intercepts.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import log_softmax, logsumexp

from moelib.blocks import row_blocks
from moelib.links import as_link
from moelib.validation import ConvergenceWarning, as_choice, as_matrix, as_positive, as_vector


@dataclass(frozen=True, eq=False)
class GateFit:
    """What :func:`learn_gates` found.

    Attributes
    ----------
    gates : (k-1, d) array
    noise : float             standard deviation, inflated by what the experts get wrong
    history : list of float   the loss after every step, in nats per sample; never increasing
    converged : bool
    """

    gates: np.ndarray
    noise: float
    history: list
    converged: bool


def learn_gates(
    X, y, experts, link="identity", noise=None, method="newton", max_iter=100, tol=1e-8
):
    """Recover the gates once the experts are known.

    Parameters
    ----------
    X : (n, d) array,  y : (n,) array
    experts : (k, d) array
    link : str, callable or Link
    noise : float, optional
        Standard deviation. If not given it is learned along with the gates, which is the safe
        choice when the experts are estimates: their error adds to the noise, and a noise level
        that is too small makes the gates over-confident.
    method : {"newton", "gradient", "em"}
        Newton steps on the loss, gradient descent on it, or EM (Newton steps on its convex
        surrogate, the posterior held fixed).
    max_iter : int
    tol : float        stop when a step lowers the loss by less than this (nats per sample);
                       gradient descent, which creeps, stops at a gradient norm of sqrt(tol)

    Returns
    -------
    GateFit

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` steps were not enough.

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
    Jordan & Jacobs (1994).   Taught in: "The whole pipeline".
    """
    X = as_matrix(X, "X")
    y = as_vector(y, "y", len(X))
    experts = as_matrix(experts, "experts", n_columns=X.shape[1])
    step = {"newton": newton_step, "gradient": gradient_step, "em": em_step}[
        as_choice(method, "method", ["newton", "gradient", "em"])
    ]
    squares = (y[:, None] - as_link(link).value(X @ experts.T)) ** 2
    learn_noise = noise is None
    variance = squares.mean() if learn_noise else as_positive(noise, "noise") ** 2
    floor = 1e-12 * max(np.mean(y**2), np.finfo(float).tiny)
    W = np.zeros((len(experts) - 1, X.shape[1]))
    log_normals = log_normal_density(squares, variance)
    history, converged = [negative_log_likelihood(W, X, log_normals)], False
    for _ in range(max_iter):
        W, gradient_norm = step(W, X, log_normals)
        if learn_noise:
            variance = max(np.mean(posterior(W, X, log_normals) * squares) * len(experts), floor)
            log_normals = log_normal_density(squares, variance)
        history.append(negative_log_likelihood(W, X, log_normals))
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
    return GateFit(W, float(np.sqrt(variance)), history, converged)


def log_normal_density(squares, variance):
    """Logarithm of the normal density at squared residuals (n, k)."""
    return -0.5 * (squares / variance + np.log(2 * np.pi * variance))


def log_gate_probabilities(W, D):
    """Log-softmax of the scores (D W', 0): (k-1, p), (n, p) -> (n, k)."""
    return log_softmax(np.column_stack([D @ W.T, np.zeros(len(D))]), axis=1)


def posterior(W, D, log_normals):
    """Posterior over experts, (n, k)."""
    return np.exp(log_softmax(log_gate_probabilities(W, D) + log_normals, axis=1))


def negative_log_likelihood(W, D, log_normals):
    """The gates' loss in nats per sample."""
    return -float(np.mean(logsumexp(log_gate_probabilities(W, D) + log_normals, axis=1)))


def gate_gradient(W, D, log_normals):
    """Gradient of the gates' loss, (k-1, p)."""
    p = np.exp(log_gate_probabilities(W, D))
    return -(posterior(W, D, log_normals) - p)[:, :-1].T @ D / len(D)


def gate_hessian(W, D, log_normals):
    """Hessian of the gates' loss, ((k-1) p, (k-1) p): prior minus posterior uncertainty."""
    p = np.exp(log_gate_probabilities(W, D))
    return covariance_hessian(p, D) - covariance_hessian(posterior(W, D, log_normals), D)


def covariance_hessian(q, D):
    r"""The matrix :math:`\hat E[\mathrm{Cov}_q \otimes x x^\top]` for probabilities q (n, k)."""
    n, p = D.shape
    m = q.shape[1] - 1
    hessian = np.zeros((m * p, m * p))
    for block in row_blocks(n):
        d, weights = D[block], q[block, :m]
        weighted = (weights[:, :, None] * d[:, None, :]).reshape(len(d), m * p)
        hessian -= weighted.T @ weighted
        for i in range(m):
            own = slice(i * p, (i + 1) * p)
            hessian[own, own] += weighted[:, own].T @ d
    return hessian / n


def newton_step(W, D, log_normals):
    """One Newton step on the loss; where that is not convex, on EM's surrogate curvature."""
    p, r = np.exp(log_gate_probabilities(W, D)), posterior(W, D, log_normals)
    prior = covariance_hessian(p, D)
    gradient = -(r - p)[:, :-1].T @ D / len(D)
    direction = _solve(prior - covariance_hessian(r, D), gradient)
    if direction is None:
        direction = _solve_damped(prior, gradient)
    return _descend(W, direction, gradient, lambda V: negative_log_likelihood(V, D, log_normals))


def em_step(W, D, log_normals):
    """One EM step: the posterior r is held fixed and the surrogate gets a Newton step."""
    return surrogate_step(W, D, posterior(W, D, log_normals))


def surrogate_step(W, D, r):
    """One guarded Newton step on the convex loss -mean(r log p(W)), for responsibilities r."""
    p = np.exp(log_gate_probabilities(W, D))
    gradient = -(r - p)[:, :-1].T @ D / len(D)
    direction = _solve_damped(covariance_hessian(p, D), gradient)

    def cross_entropy(V):
        return -float(np.mean(np.sum(r * log_gate_probabilities(V, D), axis=1)))

    return _descend(W, direction, gradient, cross_entropy)


def gradient_step(W, D, log_normals):
    """One step of gradient descent, of length 4 / L: L bounds the eigenvalues of E[x x']."""
    gradient = gate_gradient(W, D, log_normals)
    largest = np.linalg.eigvalsh(D.T @ D / len(D))[-1]
    return _descend(
        W, 4 / largest * gradient, gradient, lambda V: negative_log_likelihood(V, D, log_normals)
    )


def _descend(W, direction, gradient, loss):
    """Step along -direction, halved until the loss falls; return the gates and |gradient|."""
    start, slope = loss(W), np.sum(gradient * direction)
    step, norm = 1.0, float(np.linalg.norm(gradient))
    while step > 1e-10:
        candidate = W - step * direction
        if loss(candidate) <= start - 1e-4 * step * slope:
            return candidate, norm
        step /= 2
    return W, norm


def _solve(hessian, gradient):
    """Solve for the Newton direction; None where the Hessian is not positive definite."""
    try:
        return cho_solve(cho_factor(hessian), gradient.ravel()).reshape(gradient.shape)
    except np.linalg.LinAlgError:
        return None


def _solve_damped(hessian, gradient):
    """Newton direction for a convex surrogate, or the gradient where its curvature has vanished.

    A trace of the identity keeps directions without data at rest. The curvature vanishes when the
    gates separate the samples: there is little left to gain, and any descent direction will do.
    """
    damping = 1e-9 * (np.trace(hessian) / len(hessian) + 1e-9)
    direction = _solve(hessian + damping * np.eye(len(hessian)), gradient)
    return gradient if direction is None else direction
