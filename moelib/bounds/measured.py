r"""The errors themselves that the lemmas of the theorem bound, where the truth is known.

Beside each bound of :mod:`moelib.bounds.lemmas` stands what it is a bound of, so that the two can
be compared for moments with known errors or for simulated data.
"""

from dataclasses import replace

import numpy as np

from moelib.data.arrays import as_floats, as_inputs
from moelib.experts.assumed import as_theory_model
from moelib.experts.l4 import best_of_starts, random_unit_rows
from moelib.experts.moments import population_moments
from moelib.experts.orthogonal import first_order_move
from moelib.experts.reduction import top_eigenpairs, whiten
from moelib.experts.tensors import orthogonal_tensor, tensor_norm
from moelib.gates.loss import gate_gradient, gate_hessian, log_normals
from moelib.metrics import expert_angles, unit_rows
from moelib.validation import as_count, as_generator, as_matrix, as_positive, as_sample, as_vector

PLAIN = "one noise for all experts", "no intercepts"  # what the lemmas on gates assume


def step_errors(A, shares, M_hat, E4, rng, *, mu=0.5, n_init=5):
    r"""The error of every step from two moments to the experts: :prf:ref:`thm-complexity-experts`.

    The basis :math:`u_m` that whitening turns the experts into is found by a polar decomposition,
    as in the proof of :prf:ref:`lem-complexity-whitening`; the minimum of L4 from the :math:`u_m`
    and from random starts.

    Parameters
    ----------
    A : (k, d) array
        True experts, of length one.
    shares : (k,) array
        Their shares :math:`\pi_m`.
    M_hat : (d, d) array
        Estimate of the second moment.
    E4 : (k, k, k, k) array
        Error of the fourth moment, in the directions of the top eigenvectors of ``M_hat``.
    rng : numpy.random.Generator
        For the starts.
    mu : float
        Weight of the diagonal term of L4.
    n_init : int
        Number of random starts.

    Returns
    -------
    dict
        The keys of :meth:`moelib.bounds.TwoLossBound.steps` but ``room``; and of the error E of the
        whitened tensor ``turning``, the largest numerator of the first-order move of a row, and
        ``own``, the largest :math:`|E[u_m, u_m, u_m, u_m]|`.

    Examples
    --------
    >>> A, shares = np.eye(3)[:2], np.array([0.75, 0.25])
    >>> M_hat = np.diag([0.75, 0.25, 0]) - 0.05 * np.eye(3)
    >>> rng = np.random.default_rng(0)
    >>> errors = step_errors(A, shares, M_hat, np.zeros((2, 2, 2, 2)), rng)
    >>> float(errors["second"].round(9)), float(errors["whitening"].round(9))
    (0.05, 0.25)
    """
    A, shares = as_matrix(A, "A"), as_vector(shares, "shares", len(A))
    (E4,), rng, n_init = as_floats(E4), as_generator(rng), as_count(n_init, "n_init")
    scale, B = top_eigenpairs(M_hat, len(A))
    M, T = population_moments(A, shares)[0], population_moments(A, shares, B)[1]
    low = np.sqrt(shares)[:, None] * (A @ B) / np.sqrt(scale)
    left, _, right = np.linalg.svd(low)
    U = left @ right
    whitened = whiten(T + E4, scale)
    E = whitened - orthogonal_tensor(1 / shares, U)
    starts = [U, *(random_unit_rows(len(A), rng) for _ in range(n_init))]
    V, _ = best_of_starts(whitened, starts, mu)
    numerators = (1 + mu) * first_order_move(E, U, np.ones(len(A)), mu)
    return {
        "second": np.linalg.norm(M_hat - M, 2),
        "fourth": tensor_norm(E4, rng),
        "span": np.linalg.norm(A - A @ B @ B.T, axis=1).max(),
        "whitening": np.linalg.norm(low.T @ low - np.eye(len(A)), 2),
        "tensor": tensor_norm(E, rng),
        "turning": np.abs(numerators).max(),
        "own": np.abs(np.einsum("abcd,ia,ib,ic,id->i", E, U, U, U, U)).max(),
        "rotation": np.sin(expert_angles(V, U)),
        "experts": np.sin(expert_angles((V * np.sqrt(scale)) @ B.T, A)),
    }


def posterior_errors(model, experts, X, y, z, *, slope):
    r"""How far other experts move the posterior: :prf:ref:`lem-complexity-posterior` and its proof.

    Parameters
    ----------
    model : GatedModel
        The truth, with one noise and no intercepts.
    experts : (k, d) array
        Estimated experts.
    X, y : (n, d) array and (n,) array
        Samples.
    z : (n,) array of int
        The experts that answered.
    slope : float
        Steepest slope G of the link.

    Returns
    -------
    square : float
        Mean of :math:`\psi^2`.
    pointwise : float
        Largest share of its pointwise bound in the proof that :math:`\psi^2` reaches.
    gibbs : float
        Largest share of :math:`\xi_z^2 + 2 \sigma^2 \log(1 / p_z)` that
        :math:`\sum_j r_j \xi_j^2` reaches, at the true experts.
    """
    as_theory_model(model, *PLAIN, by="the lemma")
    sample, slope = as_sample(X, y, n_columns=model.n_features), as_positive(slope, "slope")
    (X, y), experts = (sample.X, sample.y), as_matrix(experts, "experts", model.n_features)
    z = np.asarray(as_vector(z, "z", len(y)), dtype=int)
    rows, variance = np.arange(len(y)), model.noise**2
    r, r_hat = (m._posterior(X, y) for m in (model, replace(model, experts=experts)))
    residuals = (y[:, None] - model._expert_means(X)) ** 2
    moves = (X @ (experts - model.experts).T) ** 2
    own, rare = residuals[rows, z], -variance * model._log_gate_probabilities(X)[rows, z]
    near = 2 * own + 2 * rare + 2 * slope**2 * moves[rows, z]
    square = np.abs(r_hat - r).sum(axis=1) ** 2
    bound = 4 * slope**2 / variance**2 * near * moves.sum(axis=1)
    weighted = np.sum(r * residuals, axis=1)
    return square.mean(), np.max(square / bound), np.max(weighted / (own + 2 * rare))


def largest_cube(X, rng, *, n_init=10, n_steps=40):
    r"""Root :math:`m_3^{1/3}` of the largest mean cube: :prf:ref:`lem-complexity-cubes`.

    The worst direction is found by ascent from random ones, so what is found can only be too small.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    rng : numpy.random.Generator
        For the starts.
    n_init : int
        Number of starts.
    n_steps : int
        Steps from each.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> round(largest_cube(X, np.random.default_rng(0)) ** 3, 9)
    4.0
    """
    X = as_inputs(X)
    U = random_unit_rows(as_count(n_init, "n_init"), rng, X.shape[1])
    for _ in range(n_steps):
        P = X @ U.T
        U = unit_rows((P * np.abs(P)).T @ X)
    return float(np.max(np.mean(np.abs(X @ U.T) ** 3, axis=0)) ** (1 / 3))


def gate_errors(model, experts, X, y, *, curvature):
    r"""What the proof of :prf:ref:`thm-complexity-gates` bounds at the true gates.

    Parameters
    ----------
    model : GatedModel
        The truth, with one noise and no intercepts.
    experts : (k, d) array
        Estimated experts.
    X, y : (n, d) array and (n,) array
        Samples.
    curvature : float
        Least eigenvalue h of the Fisher information of the gates.

    Returns
    -------
    gradient : float
        Length of the gradient of the loss, with the true experts.
    change : float
        Length of its change with the estimated experts.
    lost : float
        What the least eigenvalue of the Hessian, with the true experts, falls short of h.
    """
    as_theory_model(model, *PLAIN, by="the theorem")
    sample = as_sample(X, y, n_columns=model.n_features)
    (X, y), experts = (sample.X, sample.y), as_matrix(experts, "experts", model.n_features)
    true, moved = (log_normals(m, X, y) for m in (model, replace(model, experts=experts)))
    before, after = (gate_gradient(model.gates, X, fixed) for fixed in (true, moved))
    least = np.linalg.eigvalsh(gate_hessian(model.gates, X, true))[0]
    return np.linalg.norm(before), np.linalg.norm(after - before), curvature - least
