r"""Böhning's bound on the curvature of the gates' surrogate, and steps that need nothing else.

The surrogate of :mod:`moelib.gates.loss` has the Hessian
:math:`\hat E[\mathrm{Cov}_p \otimes x x^\top] + \rho I`. Whatever the probabilities p are,

.. math:: \mathrm{Cov}_p \preceq \tfrac12 \left(I - \tfrac1k 1 1^\top\right),

so that :math:`B = \tfrac12 (I - \tfrac1k 1 1^\top) \otimes \hat E[x x^\top] + \rho I` bounds the
Hessian at all gates at once: a step of :math:`-B^{-1}` times the gradient never raises the
surrogate, without a line search, and B is factored once for a whole climb.

Proof: let :math:`v \in \mathbb R^k`, its last coordinate zero, have mean m and range R. Then
:math:`v^\top \mathrm{Cov}_p v = \mathrm{Var}_p(v) \le R^2 / 4`, and the largest and the smallest
coordinate alone give :math:`v^\top (I - \tfrac1k 1 1^\top) v = \sum_i (v_i - m)^2 \ge R^2 / 2`.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from moelib.data.arrays import as_floats
from moelib.gates.loss import log_gate_probabilities
from moelib.validation import as_count

N_STEPS = 4  # of one call


def curvature_bound(D, n_experts, weights=None, ridge=0.0):
    r"""The bound B itself, ((k-1) p, (k-1) p).

    Parameters
    ----------
    D : (n, p) array
        Design of the gates.
    n_experts : int
        Number of experts k.
    weights : (n,) array, optional
        How often each sample counts, one on average.
    ridge : float or (p,) array
        Weight of the penalty, on each column of D.

    Returns
    -------
    ((k-1) p, (k-1) p) array

    Examples
    --------
    >>> from moelib.gates import covariance_hessian
    >>> rng = np.random.default_rng(0)
    >>> D, p = rng.standard_normal((50, 2)), rng.dirichlet(np.ones(3), 50)
    >>> gap = curvature_bound(D, 3) - covariance_hessian(p, D)
    >>> bool(np.linalg.eigvalsh(gap)[0] >= 0)
    True

    References
    ----------
    Böhning (1992).
    """
    (D,) = as_floats(D)
    m, p = as_count(n_experts, "n_experts") - 1, D.shape[1]
    pattern = (np.eye(m) - 1 / n_experts) / 2
    return np.kron(pattern, _second_moment(D, weights)) + np.diag(
        np.tile(np.broadcast_to(ridge, p), m)
    )


def bound_solver(D, n_experts, weights=None, ridge=0.0):
    """A function that solves B V = G for gates V and gradients G, (k-1, p) both.

    The pattern (I - 11'/k) / 2 has the eigenvalue 1 / (2 k) along the mean of the rows and 1/2 on
    what is left of them: two factors of (p, p) do. A trace of the identity, which only makes the
    bound larger, keeps directions without data at rest.

    Parameters
    ----------
    D : (n, p) array
        Design of the gates.
    n_experts : int
        Number of experts k.
    weights : (n,) array, optional
        How often each sample counts, one on average.
    ridge : float or (p,) array
        Weight of the penalty, on each column of D.

    Returns
    -------
    callable
        Takes a (k-1, p) array and returns one.
    """
    (D,), n_experts = as_floats(D), as_count(n_experts, "n_experts")
    moment, ridge = _second_moment(D, weights), np.diag(np.broadcast_to(ridge, D.shape[1]))
    damping = 1e-9 * (np.trace(moment + ridge) / len(moment) + 1e-9) * np.eye(len(moment))
    apart, together = (
        cho_factor(share * (moment + damping) + ridge) for share in (1 / 2, 1 / (2 * n_experts))
    )

    def solve(gradient):
        gradient = np.asarray(gradient, dtype=float)
        if not gradient.size:  # one expert has no gate
            return gradient
        mean = gradient.mean(axis=0)
        return cho_solve(apart, (gradient - mean).T).T + cho_solve(together, mean)

    return solve


def bound_step(W, D, r, ridge=0.0, *, solve=None, n_steps=N_STEPS):
    """Steps that never raise the convex loss -mean(r log p(W)), in place of one Newton step.

    The responsibilities r (n, k) of a sample sum to its weight, one if there are no weights.

    Parameters
    ----------
    W : (k-1, p) array
        Gates.
    D : (n, p) array
        Their design.
    r : (n, k) array
        Responsibilities.
    ridge : float or (p,) array
        Weight of the penalty, on each column of D.
    solve : callable, optional
        What :func:`bound_solver` returned for this design, these weights and this ridge.
    n_steps : int
        Number of steps.

    Returns
    -------
    tuple
        The gates, and the norm of the gradient at the gates given.
    """
    W, D, r, ridge = as_floats(W, D, r, ridge)
    weights = r.sum(axis=1, keepdims=True)
    solve = bound_solver(D, r.shape[1], weights[:, 0], ridge) if solve is None else solve
    norms = []
    for _ in range(n_steps):
        p = np.exp(log_gate_probabilities(W, D))
        gradient = ridge * W - (r - weights * p)[:, :-1].T @ D / len(D)
        norms.append(float(np.linalg.norm(gradient)))
        W = W - solve(gradient)
    return W, norms[0]


def _second_moment(D, weights):
    return D.T @ (D if weights is None else D * np.asarray(weights, dtype=float)[:, None]) / len(D)
