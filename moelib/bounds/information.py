r"""The best possible: the Fisher information of a gated model and the Cramér-Rao bound.

With the closed-form score s of one sample in :math:`\theta = (A, W, \log\sigma)`, see
:mod:`moelib.likelihood.score`, the information and the bound are

.. math:: J = E[s s^\top], \qquad \mathrm{Cov}(\hat\theta) \succeq J^{-1} / n

for every unbiased estimator. One scoring step :math:`\theta + \hat J^{-1} \hat E[s]` from an
estimate whose error is small enough reaches the bound as :math:`n \to \infty`.
"""

import numpy as np
from scipy.linalg import block_diag

from moelib.data.batches import row_blocks
from moelib.gates.loss import covariance_hessian
from moelib.likelihood.errors import errors_from_information, in_shapes
from moelib.likelihood.score import score_factors, scores
from moelib.parameters import FreeParameters
from moelib.validation import as_choice, as_generator, as_matrix, as_positive

MOST_NODES = 5_000_000  # of a quadrature
SINGULAR = 1e-12  # of the largest eigenvalue: a smaller one counts as zero


def fisher_information(
    model, *, free=FreeParameters(), method="monte-carlo", n_draws=400_000, rng=None, n_nodes=24
):
    r"""Fisher information of one sample with standard normal inputs, :math:`E[s s^\top]`.

    Parameters
    ----------
    model : GatedModel
        The truth.
    free : FreeParameters
        Which parameters are unknown.
    method : {"monte-carlo", "quadrature"}
        Draw samples, in any dimension; or integrate over the label and the directions that experts
        and gates span, which suits few directions and a noise that is not small.
    n_draws : int
        Samples of the Monte Carlo average, whose relative error is of order one over their root.
    rng : numpy.random.Generator, optional
        Source of randomness; a fixed one if not given.
    n_nodes : int
        Nodes of the quadrature, in each direction and for the label; double it to see how accurate
        the result is.

    Returns
    -------
    (q, q) array
        Parameters in the order of :meth:`moelib.FreeParameters.vector`.

    Raises
    ------
    ValueError
        When the quadrature would need more than ``MOST_NODES`` nodes.

    Examples
    --------
    >>> from moelib import standard_model
    >>> J = fisher_information(standard_model(d=3, n_experts=2))
    >>> J.shape, bool(np.linalg.eigvalsh(J)[0] > 0)
    ((10, 10), True)

    References
    ----------
    Louis (1982).   Taught in: :ref:`ch-best-possible`.
    """
    as_choice(method, "method", ["monte-carlo", "quadrature"])
    n_draws = int(np.ceil(as_positive(n_draws, "n_draws")))
    n_nodes = int(np.ceil(as_positive(n_nodes, "n_nodes")))
    rng = np.random.default_rng(0) if rng is None else as_generator(rng)
    if method == "quadrature":
        return _information_by_quadrature(model, free, n_nodes)
    J = 0.0
    for block in row_blocks(n_draws):
        X, y = model.sample(block.stop - block.start, rng)
        S = scores(model, X, y, free=free)
        J = J + S.T @ S
    return J / n_draws


def complete_information(model, *, free=FreeParameters(), n_draws=400_000, rng=None):
    r"""Fisher information of one sample if it also said which expert answered.

    .. math:: \mathrm{Diag}\bigl(E[p_i\, g'(\langle a_i, x\rangle)^2 x x^\top] / \sigma^2,\;
              E[\mathrm{Cov}_p \otimes x x^\top],\; 2\bigr)

    With a noise for each expert the last entry is :math:`2\, \mathrm{Diag}(E[p_i])` instead.

    Parameters
    ----------
    model : GatedModel
        The truth, whose inputs are standard normal.
    free : FreeParameters
        Which parameters are unknown.
    n_draws : int
        Inputs of the Monte Carlo average.
    rng : numpy.random.Generator, optional
        Source of randomness; a fixed one if not given.

    Returns
    -------
    (q, q) array
        Parameters in the order of :meth:`moelib.FreeParameters.vector`; at least
        :func:`fisher_information`, and its limit, in units of the noise, for little noise.

    Examples
    --------
    >>> from moelib import standard_model
    >>> complete_information(standard_model(d=3, n_experts=2)).shape
    (10, 10)

    References
    ----------
    Louis (1982).   Taught in: :ref:`ch-best-possible`.
    """
    rng = np.random.default_rng(0) if rng is None else as_generator(rng)
    X = rng.standard_normal((int(np.ceil(as_positive(n_draws, "n_draws"))), model.n_features))
    p, design = model.gate_probabilities(X), free.expert_design(X)
    slope = model.link.derivative(X @ model.experts.T + model.expert_intercepts)
    weight = p * slope**2 / (len(X) * model.noises**2)
    experts = [(w * design.T) @ design for w in weight.T]
    gates = covariance_hessian(p, free.gate_design(X))
    noises = 2 * np.eye(int(bool(free.noise)))
    if free.noise_per_expert:
        noises = np.diag(2 * p.mean(axis=0))
    return block_diag(*experts, gates, noises)


def cramer_rao_bound(
    model, n, *, free=FreeParameters(), unit_experts=False, information=None, **options
):
    r"""Least standard deviations of unbiased estimates from n samples: roots of :math:`J^{-1} / n`.

    Parameters
    ----------
    model : GatedModel
        The truth, whose inputs are standard normal.
    n : int
        Number of samples.
    free : FreeParameters
        Which parameters are unknown.
    unit_experts : bool
        Whether the lengths of the experts are known; the bound then holds for errors along the
        spheres.
    information : (q, q) array, optional
        The information J if it is known already.
    **options : dict
        Passed on to :func:`fisher_information`.

    Returns
    -------
    StandardErrors
        In the shapes of the parameters.

    Raises
    ------
    ValueError
        When J has the wrong shape, or does not determine experts of known length.

    Warns
    -----
    AssumptionWarning
        When J is singular: what the law of the data does not determine has an infinite bound.

    Examples
    --------
    >>> from moelib import standard_model
    >>> bound = cramer_rao_bound(standard_model(d=3, n_experts=2, noise=0.1), n=10_000)
    >>> 0.0007 < bound.noise < 0.0008  # with known answers it would be 0.1 / sqrt(20_000)
    True

    References
    ----------
    Rao (1945); Stoica & Ng (1998) for the bound under constraints.
    Taught in: :ref:`ch-best-possible`.
    """
    n, q = as_positive(n, "n"), free.count(*model.experts.shape)
    J = fisher_information(model, free=free, **options) if information is None else information
    J = as_matrix(J, "information", n_columns=q)
    if len(J) != q:
        raise ValueError(f"information must have shape ({q}, {q}) for {free}, got {J.shape}")
    if not unit_experts:
        return errors_from_information(model, J, n, free)
    tangent = _tangent(model, free)
    along = tangent.T @ J @ tangent
    values = np.linalg.eigvalsh(along)
    if not values[0] > SINGULAR * values[-1]:
        raise ValueError(
            "information must determine all parameters along the spheres of the experts, but is "
            "singular there: leave unit_experts out to see which have no bound"
        )
    covariance = tangent @ np.linalg.inv(along) @ tangent.T / n
    return in_shapes(model, covariance, np.zeros(q, dtype=bool), free)


def _tangent(model, free):
    """Orthonormal directions, as columns, that leave the lengths of the experts as they are."""
    k, d = model.experts.shape
    radial = np.zeros((k, free.count(k, d)))
    places, _, _ = free.blocks(np.arange(radial.shape[1]), k, d)
    columns = free.expert_columns(d)
    for i, own in enumerate(places[:, : len(columns)]):
        radial[i, own] = model.experts[i, columns]
    return np.linalg.svd(radial)[2][k:].T


def _information_by_quadrature(model, free, n_nodes):
    """Gauss-Hermite rules over the label and the span U of experts and gates.

    A score is c (x) x, with weights c that see only u = U'x. Outside the span x has mean zero and
    the identity as its covariance: that part adds E[c c'] (x) (I - U U').
    """
    k, d = model.experts.shape
    U = _span(model)
    total = n_nodes ** (len(U) + 1) * k
    if total > MOST_NODES:
        raise ValueError(
            f"quadrature over {len(U)} directions with n_nodes={n_nodes} takes {total:.1e} nodes, "
            f"more than {MOST_NODES:.0e}: give fewer nodes or use method='monte-carlo'"
        )
    t, weight = np.polynomial.hermite_e.hermegauss(n_nodes)
    weight = weight / weight.sum()
    X = _grid(t, len(U)) @ U
    mass = np.prod(_grid(weight, len(U)), axis=1)
    gates, answers = model.gate_probabilities(X), model.expert_means(X)
    q, (slopes, factors, columns) = free.count(k, d), _slope_places(free, k, d)
    J, outside = np.zeros((q, q)), np.zeros((2 * k - 1, 2 * k - 1))
    for expert, (node, share) in ((i, pair) for i in range(k) for pair in zip(t, weight)):
        y = answers[:, expert] + model.noises[expert] * node
        w = (mass * gates[:, expert] * share)[:, None]
        S, C = scores(model, X, y, free=free), np.hstack(score_factors(model, X, y, free)[:2])
        J, outside = J + (S * w).T @ S, outside + (C * w).T @ C
    around = np.eye(d) - U.T @ U
    pairs = outside[np.ix_(factors, factors)] * around[np.ix_(columns, columns)]
    J[np.ix_(slopes, slopes)] += pairs
    return J


def _span(model):
    """Orthonormal rows that span experts and gates; one row at least."""
    values, directions = np.linalg.svd(np.vstack([model.experts, model.gates]))[1:]
    return directions[: max(1, int(np.sum(values > 1e-9 * values[0])))]


def _grid(t, r):
    """All points with r coordinates out of t, in rows."""
    return np.stack(np.meshgrid(*[t] * r, indexing="ij"), axis=-1).reshape(-1, r)


def _slope_places(free, k, d):
    """Of each slope: its place in the vector, its row (experts, then gates) and its column."""
    experts, gates, _ = free.blocks(np.arange(free.count(k, d)), k, d)
    expert_columns, gate_columns = free.expert_columns(d), free.gate_columns(d)
    places = [experts[:, : len(expert_columns)].ravel(), gates[:, : len(gate_columns)].ravel()]
    sizes = [len(expert_columns)] * k + [len(gate_columns)] * (k - 1)
    columns = expert_columns * k + gate_columns * (k - 1)
    return np.concatenate(places), np.repeat(np.arange(2 * k - 1), sizes), columns
