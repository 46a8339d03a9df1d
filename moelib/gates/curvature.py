r"""How hard is it to learn the gates? Answers from the eigenvalues of their loss.

The Hessian :math:`H = \hat E[(\mathrm{Cov}_p - \mathrm{Cov}_r) \otimes x x^\top]` is prior minus
posterior uncertainty. Its condition number sets the pace of gradient descent, and what the
posterior takes away from the prior sets the pace of EM.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from moelib.gates.loss import covariance_hessian
from moelib.validation import as_not_negative, as_sample


@dataclass(frozen=True, eq=False)
class GateCurvature:
    r"""Eigenvalues of the gates' loss at one point, and what they predict.

    Attributes
    ----------
    eigenvalues : (m,) array
        Eigenvalues of the Hessian H, smallest first; m = (k-1) d.
    prior_eigenvalues : (m,) array
        Eigenvalues of the prior part :math:`H_p`, EM's convex surrogate.
    missing : (m,) array
        Eigenvalues of :math:`H_p^{-1} H_r`, between 0 and 1: the share of the prior curvature that
        the hidden expert takes away.
    prior_uncertainty : (k,) array
        The mean :math:`\hat E[p_i (1 - p_i)]` for every expert.
    posterior_uncertainty : (k,) array
        The same of the posterior probabilities.
    """

    eigenvalues: np.ndarray
    prior_eigenvalues: np.ndarray
    missing: np.ndarray
    prior_uncertainty: np.ndarray
    posterior_uncertainty: np.ndarray

    @property
    def convex(self):
        """Whether the loss is convex here: no eigenvalue below zero."""
        return bool(self.eigenvalues[0] >= 0)

    @property
    def condition_number(self):
        """Largest over smallest eigenvalue; ``inf`` where the smallest is not positive."""
        if self.eigenvalues[0] <= 0:
            return np.inf
        return float(self.eigenvalues[-1] / self.eigenvalues[0])

    @property
    def gradient_step(self):
        r"""The step of gradient descent that contracts fastest, :math:`2 / (h_1 + h_m)`."""
        return float(2 / (self.eigenvalues[0] + self.eigenvalues[-1]))

    @property
    def gradient_rate(self):
        """Factor by which that step shrinks the error near a minimum: (c - 1) / (c + 1)."""
        if np.isinf(self.condition_number):
            return 1.0
        return (self.condition_number - 1) / (self.condition_number + 1)

    @property
    def em_rate(self):
        """Factor by which EM shrinks the error near a minimum: the largest missing share."""
        return float(self.missing[-1])


def slowest_directions(model, X, y):
    r"""The directions around a minimum in which gradient descent and EM are slowest.

    Gradient descent is slowest along the eigenvector of the least eigenvalue of H, EM along the
    generalised one of :math:`H_r u = \lambda H_p u` with the largest :math:`\lambda`.

    Parameters
    ----------
    model : GatedModel
        With gates at a minimum of their loss.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.

    Returns
    -------
    gradient : (k-1, d) array
        For gradient descent, of length one.
    em : (k-1, d) array
        For EM, of length one in the metric of :math:`H_p`.
    """
    sample = as_sample(X, y, n_columns=model.n_features)
    _refuse_one_expert(model)
    prior = covariance_hessian(np.exp(model._log_gate_probabilities(sample.X)), sample.X)
    posterior = covariance_hessian(model._posterior(sample.X, sample.y), sample.X)
    gradient, em = eigh(prior - posterior)[1][:, 0], eigh(posterior, prior)[1][:, -1]
    return gradient.reshape(model.gates.shape), em.reshape(model.gates.shape)


def gate_curvature(model, X, y, *, gate_ridge=0.0, sample_weight=None):
    r"""Diagnose the gates' loss at a model.

    Parameters
    ----------
    model : GatedModel
        Experts, gates and noise at which to look.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    gate_ridge : float
        Weight of the penalty, as in :func:`moelib.learn_gates`.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    GateCurvature

    Raises
    ------
    ValueError
        When shapes do not fit together, or the model has one expert and hence no gate.

    Notes
    -----
    O(n k^2 d^2). Intercepts of the gates, if there are any, are held fixed.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=6)
    >>> found = gate_curvature(model, *model.sample(8000, np.random.default_rng(0)))
    >>> found.convex, found.condition_number < 10, found.em_rate < 0.2
    (True, True, True)

    References
    ----------
    Dempster, Laird & Rubin (1977) on the rate of EM.   Taught in: :ref:`ch-learning-gates`.
    """
    sample = as_sample(X, y, sample_weight, n_columns=model.n_features)
    _refuse_one_expert(model)
    X, weights = sample.X, sample.weights
    ridge = as_not_negative(gate_ridge, "gate_ridge")
    p, r = np.exp(model._log_gate_probabilities(X)), model._posterior(X, sample.y)
    prior = covariance_hessian(p, X, weights, ridge)
    posterior = covariance_hessian(r, X, weights)
    damping = 1e-14 * max(np.trace(prior), np.finfo(float).tiny) * np.eye(len(prior))
    return GateCurvature(
        eigenvalues=np.linalg.eigvalsh(prior - posterior),
        prior_eigenvalues=np.linalg.eigvalsh(prior),
        missing=eigh(posterior, prior + damping, eigvals_only=True),
        prior_uncertainty=sample.mean(p * (1 - p)),
        posterior_uncertainty=sample.mean(r * (1 - r)),
    )


def _refuse_one_expert(model):
    if model.n_experts == 1:
        raise ValueError("model must have two experts or more: a single one has no gate")
