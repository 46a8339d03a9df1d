r"""The gates' loss with the experts frozen, its derivatives, and one step of each method on it.

.. math:: L_{\log}(W; A) = -\hat E \log \sum_i p_i(x; W)\, N(y; g(\langle a_i, x\rangle), \sigma^2)
            + \tfrac{\rho}{2} |W|^2

With r the posterior over experts, the gradient is :math:`-\hat E[(r - p) \otimes x] + \rho W` and
the Hessian :math:`\hat E[(\mathrm{Cov}_p - \mathrm{Cov}_r) \otimes x x^\top] + \rho I`, where
:math:`\mathrm{Cov}_q = \mathrm{Diag}(q) - q q^\top` over the first k-1 coordinates: the curvature
is prior minus posterior uncertainty. Dropping :math:`\mathrm{Cov}_r` leaves the convex surrogate
that EM uses. The ridge :math:`\rho` is zero unless asked for.

Gates are a (k-1, p) array for a design matrix D (n, p): X, or X and a column of ones when there
are intercepts; a ridge may be a number or one for each column of D. One expert has gates (0, p),
which no step moves. The noise may be one for all experts or one for each. Expectations are means
over samples, weighted if there are ``weights`` (n,), whose mean has to be one.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import log_softmax, logsumexp

from moelib.climb import backtrack
from moelib.data.arrays import as_floats
from moelib.validation import as_labels


def log_normal_density(squares, variance):
    """Logarithm of the normal density at squared residuals (n, k)."""
    squares, variance = as_floats(squares, variance)
    return -0.5 * (squares / variance + np.log(2 * np.pi * variance))


def log_normals(model, X, y):
    """Log-density of the label under each expert, which the gates' loss is given: (n, k)."""
    y = as_labels(y, len(X))
    return log_normal_density((y[:, None] - model.expert_means(X)) ** 2, model.noise**2)


def log_gate_probabilities(W, D):
    """Log-softmax of the scores (D W', 0): (k-1, p), (n, p) -> (n, k)."""
    W, D = as_floats(W, D)
    return log_softmax(np.column_stack([D @ W.T, np.zeros(len(D))]), axis=1)


def posterior(W, D, log_normals):
    """Posterior over experts, (n, k)."""
    (log_normals,) = as_floats(log_normals)
    return np.exp(log_softmax(log_gate_probabilities(W, D) + log_normals, axis=1))


def penalty(W, ridge):
    """The ridge's part of the loss."""
    ridge, W = as_floats(ridge, W)
    return 0.5 * float(np.sum(ridge * W**2))


def negative_log_likelihood(W, D, log_normals, weights=None, ridge=0.0):
    """The gates' loss in nats per sample."""
    (log_normals,) = as_floats(log_normals)
    log_density = logsumexp(log_gate_probabilities(W, D) + log_normals, axis=1)
    return penalty(W, ridge) - float(np.mean(_weighted(log_density, weights)))


def gate_gradient(W, D, log_normals, weights=None, ridge=0.0):
    """Gradient of the gates' loss, (k-1, p)."""
    W, D, log_normals, ridge = as_floats(W, D, log_normals, ridge)
    p = np.exp(log_gate_probabilities(W, D))
    r = posterior(W, D, log_normals)
    return ridge * W - _weighted(r - p, weights)[:, :-1].T @ D / len(D)


def gate_hessian(W, D, log_normals, weights=None, ridge=0.0):
    """Hessian of the gates' loss, ((k-1) p, (k-1) p): prior minus posterior uncertainty."""
    p = np.exp(log_gate_probabilities(W, D))
    r = posterior(W, D, log_normals)
    return covariance_hessian(p, D, weights, ridge, less=r)


def covariance_hessian(q, D, weights=None, ridge=0.0, *, less=None):
    r""":math:`\hat E[(\mathrm{Cov}_q - \mathrm{Cov}_{less}) \otimes x x^\top] + \rho I`.

    The matrix is symmetric in experts and in inputs, so only pairs of each are averaged.

    Parameters
    ----------
    q : (n, k) array
        Probabilities.
    D : (n, p) array
        Design of the gates.
    weights : (n,) array, optional
        How often each sample counts, one on average.
    ridge : float or (p,) array
        Weight of the penalty, on each column of D.
    less : (n, k) array, optional
        Probabilities whose part is taken away.

    Returns
    -------
    ((k-1) p, (k-1) p) array

    Examples
    --------
    >>> covariance_hessian(np.array([[0.25, 0.75]]), np.array([[2.0]]))
    array([[0.75]])

    References
    ----------
    Taught in: :ref:`ch-learning-gates`.
    """
    q, D = as_floats(q, D)
    (n, p), m = D.shape, q.shape[1] - 1
    less = None if less is None else np.asarray(less, dtype=float)
    weights = None if weights is None else np.asarray(weights, dtype=float)
    if not m:
        return np.zeros((0, 0))
    pairs, inputs = _places_of_pairs(m), _places_of_pairs(p)
    few = 4 * (pairs[-1, -1] + 1) < p  # pairs of experts: then products of inputs cost more
    rows = max(256, 400_000 // (inputs[-1, -1] + 1))
    moments = np.zeros((pairs[-1, -1] + 1, p, p))
    for start in range(0, n, rows):
        block = slice(start, start + rows)
        u = _pair_covariances(q[block, :m])
        if less is not None:
            u -= _pair_covariances(less[block, :m])
        if weights is not None:
            u *= weights[block]
        x = D[block].T.copy()
        part = [(row * x) @ x.T for row in u] if few else (u @ _pair_products(x).T)[:, inputs]
        moments += part
    hessian = moments[pairs].transpose(0, 2, 1, 3).reshape(m * p, m * p) / n
    return hessian + np.diag(np.tile(np.broadcast_to(ridge, p), m))


def _pair_products(x):
    """Products of all pairs of rows: (p, n) -> (p (p+1) / 2, n), in the order of their places."""
    return np.concatenate([x[i] * x[i:] for i in range(len(x))])


def _pair_covariances(q):
    """Entries of Cov_q for all pairs of columns of probabilities: (n, m) -> (m (m+1) / 2, n)."""
    q = q.T.copy()
    covariances = -_pair_products(q)
    covariances[np.diag(_places_of_pairs(len(q)))] += q
    return covariances


def _places_of_pairs(m):
    """Where the pair (i, j) stands among all pairs: a symmetric (m, m) array."""
    places = np.empty((m, m), dtype=int)
    i, j = np.triu_indices(m)
    places[i, j] = places[j, i] = np.arange(len(i))
    return places


def newton_step(W, D, log_normals, weights=None, ridge=0.0):
    """One Newton step on the loss; where that is not convex, on EM's surrogate curvature."""
    W, D, log_normals, ridge = as_floats(W, D, log_normals, ridge)
    p, r = np.exp(log_gate_probabilities(W, D)), posterior(W, D, log_normals)
    gradient = ridge * W - _weighted(r - p, weights)[:, :-1].T @ D / len(D)
    direction = _solve(covariance_hessian(p, D, weights, ridge, less=r), gradient)
    if direction is None:
        direction = _solve_damped(covariance_hessian(p, D, weights, ridge), gradient)
    loss = _loss_of_gates(D, log_normals, weights, ridge)
    return _descend(W, direction, gradient, loss)


def em_step(W, D, log_normals, weights=None, ridge=0.0):
    """One EM step: the posterior r is held fixed and the surrogate gets a Newton step."""
    return surrogate_step(W, D, _weighted(posterior(W, D, log_normals), weights), ridge)


def surrogate_step(W, D, r, ridge=0.0):
    """One guarded Newton step on the convex loss -mean(r log p(W)).

    The responsibilities r (n, k) of a sample sum to its weight, one if there are no weights.
    """
    W, D, r, ridge = as_floats(W, D, r, ridge)
    p, weights = np.exp(log_gate_probabilities(W, D)), r.sum(axis=1)
    gradient = ridge * W - (r - _weighted(p, weights))[:, :-1].T @ D / len(D)
    direction = _solve_damped(covariance_hessian(p, D, weights, ridge), gradient)

    def cross_entropy(V):
        fit = -float(np.mean(np.sum(r * log_gate_probabilities(V, D), axis=1)))
        return fit + penalty(V, ridge)

    return _descend(W, direction, gradient, cross_entropy)


def gradient_step(W, D, log_normals, weights=None, ridge=0.0):
    """One step of gradient descent, of length 4 / L: L bounds the eigenvalues of E[x x']."""
    W, D, log_normals, ridge = as_floats(W, D, log_normals, ridge)
    gradient = gate_gradient(W, D, log_normals, weights, ridge)
    largest = np.linalg.eigvalsh(D.T @ _weighted(D, weights) / len(D))[-1]
    step = 1 / (largest / 4 + np.max(ridge))
    loss = _loss_of_gates(D, log_normals, weights, ridge)
    return _descend(W, step * gradient, gradient, loss)


def _loss_of_gates(D, log_normals, weights, ridge):
    return lambda W: negative_log_likelihood(W, D, log_normals, weights, ridge)


def _weighted(values, weights):
    """Rows of values times their weights, if there are any."""
    return values if weights is None else (values.T * np.asarray(weights, dtype=float)).T


def _descend(W, direction, gradient, loss):
    """Step along -direction, halved until the loss falls; return the gates and |gradient|."""
    before, slope = loss(W), np.sum(gradient * direction)
    rounding = np.finfo(float).eps * abs(before)  # near a minimum, where no fall can be seen

    def attempt(step):
        candidate = W - step * direction
        falls = loss(candidate) <= before - 1e-4 * step * slope + rounding
        return candidate if falls else None

    found = backtrack(attempt, shortest=1e-10)
    return (W if found is None else found), float(np.linalg.norm(gradient))


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
    if not gradient.size:  # one expert has no gate
        return gradient
    damping = 1e-9 * (np.trace(hessian) / len(hessian) + 1e-9)
    direction = _solve(hessian + damping * np.eye(len(hessian)), gradient)
    return gradient if direction is None else direction
