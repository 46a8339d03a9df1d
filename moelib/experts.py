r"""The first loss at work: experts from L4, after a reduction to k dimensions and a whitening.

The second moment :math:`\hat M` has the experts' span as its top eigenspace, with eigenpairs
:math:`(V, \Lambda)`. In coordinates :math:`z = V^\top x`, again standard normal, the fourth moment
is a k x k x k x k tensor; whitened by :math:`\Lambda^{-1/2}` it is, in the limit,
:math:`\sum_m \lambda_m u_m^{\otimes 4}` with orthonormal :math:`u_m` and
:math:`\lambda_m = 1/\pi_m`. On the product of unit spheres L4 then has no stray minima for
:math:`0 < \mu < 1`, and :math:`a_i \propto V \Lambda^{1/2} v_i`.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from moelib.labels import label_transforms, mean_slope, noise_from_labels
from moelib.links import as_link
from moelib.moments import Moments
from moelib.sphere import minimize_l4_gradient, minimize_l4_lbfgs, random_unit_rows
from moelib.validation import (
    AssumptionWarning,
    as_choice,
    as_generator,
    as_matrix,
    as_vector,
)

EIGENVALUE_FLOOR = 1e-3  # relative; a smaller eigenvalue of M is noise and would blow up whitening


@dataclass(frozen=True, eq=False)
class ExpertFit:
    r"""What :func:`learn_experts` found, stage by stage.

    Attributes
    ----------
    experts : (k, d) array           unit rows, signs chosen by the first moment
    second_moment : (d, d) array     :math:`\hat M`
    eigenvalues : (k,) array         top of its spectrum, largest first
    basis : (d, k) array             the matching eigenvectors V
    tensor : (k, k, k, k) array      the whitened fourth moment
    directions : (k, k) array        unit rows v_i, the minimiser of L4
    loss : float                     L4 there
    losses : (n_init,) array         L4 at the end of every start
    starts : (n_init, k, k) array    the end point of every start
    history : list of float          L4 along the best start
    """

    experts: np.ndarray
    second_moment: np.ndarray
    eigenvalues: np.ndarray
    basis: np.ndarray
    tensor: np.ndarray
    directions: np.ndarray
    loss: float
    losses: np.ndarray
    starts: np.ndarray
    history: list


def learn_experts(
    X, y, n_experts, rng, link="identity", noise=None, mu=0.5, n_init=5, solver="lbfgs"
):
    """Recover the experts' directions with the loss L4.

    Parameters
    ----------
    X : (n, d) array              inputs, standard normal
    y : (n,) array                labels
    n_experts : int               k, at most d
    rng : numpy.random.Generator  for the starting directions
    link : str, callable or Link
    noise : float, optional       standard deviation; read off the labels if not given
    mu : float                    weight of the diagonal term, between 0 and 1
    n_init : int                  random starts; the lowest loss wins, the first of equals
    solver : {"lbfgs", "gradient"}

    Returns
    -------
    ExpertFit

    Raises
    ------
    ValueError
        When ``n_experts > d`` (experts must be linearly independent) or the link is not valid.

    Notes
    -----
    Assumes (G) standard normal inputs, (U) unit experts and (O) gates orthogonal to experts.
    Taught in: "The whole pipeline".

    Examples
    --------
    >>> from moelib import regressor_error, standard_model
    >>> model = standard_model(d=6)
    >>> X, y = model.sample(20_000, np.random.default_rng(0))
    >>> fit = learn_experts(X, y, 3, np.random.default_rng(1))
    >>> regressor_error(fit.experts, model.experts) < 0.1
    True
    """
    X = as_matrix(X, "X")
    y = as_vector(y, "y", len(X))
    return learn_experts_from_batches(
        lambda: [(X, y)], n_experts, rng, link, noise, mu, n_init, solver
    )


def learn_experts_from_batches(
    batches, n_experts, rng, link="identity", noise=None, mu=0.5, n_init=5, solver="lbfgs"
):
    """Recover the experts from data that need not fit in memory.

    Parameters
    ----------
    batches : callable            each call returns an iterable over the same (X, y) batches;
                                  it is called three times, once per pass over the data
    n_experts, rng, link, noise, mu, n_init, solver
        As in :func:`learn_experts`.

    Returns
    -------
    ExpertFit
    """
    link, rng = as_link(link), as_generator(rng)
    if not 0 < mu < 1:
        raise ValueError(f"mu must lie strictly between 0 and 1, got {mu!r}")
    as_choice(solver, "solver", ["lbfgs", "gradient"])
    scale, mean, noise = _label_statistics(batches, link, noise)
    transforms = label_transforms(link, noise)
    second, first = Moments(transforms, fourth=False), np.zeros(1)
    for X, y in batches():
        second.update(X, y / scale)
        first = first + X.T @ (y - mean)
    d = len(first)
    if n_experts > d:
        raise ValueError(
            f"n_experts must be at most the number of features ({d}) for the two-loss method, "
            f"which needs linearly independent experts; got {n_experts}: use method='em'"
        )
    eigenvalues, basis = top_eigenpairs(second.second_moment, n_experts)
    fourth = Moments(transforms, basis)
    for X, y in batches():
        fourth.update(X, y / scale)
    tensor = whiten(fourth.fourth_moment, eigenvalues)
    run = minimize_l4_lbfgs if solver == "lbfgs" else minimize_l4_gradient
    runs = [run(tensor, random_unit_rows(n_experts, rng), mu) for _ in range(n_init)]
    losses = np.array([history[-1] for _, history in runs])
    best = np.argmax(losses <= losses.min() + 1e-6 * abs(losses.min()))  # first of equals
    directions, history = runs[best]
    experts = (directions * np.sqrt(eigenvalues)) @ basis.T
    experts /= np.linalg.norm(experts, axis=1, keepdims=True)
    return ExpertFit(
        experts=experts * first_moment_signs(experts, first / second.n, link)[:, None],
        second_moment=second.second_moment,
        eigenvalues=eigenvalues,
        basis=basis,
        tensor=tensor,
        directions=directions,
        loss=float(losses[best]),
        losses=losses,
        starts=np.array([V for V, _ in runs]),
        history=history,
    )


def top_eigenpairs(M, k):
    """The k largest eigenvalues of a symmetric matrix, largest first, and their eigenvectors.

    Eigenvalues below ``EIGENVALUE_FLOOR`` times the largest are raised to it, with a warning: they
    mean dependent experts, an expert that hardly ever answers, or too few samples.

    Examples
    --------
    >>> top_eigenpairs(np.diag([1.0, 3.0, 2.0]), 2)[0]
    array([3., 2.])
    """
    values, vectors = np.linalg.eigh(M)
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    floor = EIGENVALUE_FLOOR * max(np.abs(values).max(), np.finfo(float).tiny)
    if values[-1] < floor:
        warnings.warn(
            f"the second moment has only {int(np.sum(values >= floor))} clearly positive "
            f"eigenvalues for {k} experts: more samples or fewer experts are needed, or the "
            "inputs are not standard normal",
            AssumptionWarning,
            stacklevel=3,
        )
    return np.maximum(values, floor), vectors


def whiten(T, eigenvalues):
    r"""Apply :math:`\Lambda^{-1/2}` to each axis of a fourth-order tensor.

    Examples
    --------
    >>> T = 16.0 * np.ones((1, 1, 1, 1))
    >>> float(whiten(T, np.array([4.0]))[0, 0, 0, 0])
    1.0
    """
    s = 1 / np.sqrt(eigenvalues)
    return np.einsum("abcd,a,b,c,d->abcd", T, s, s, s, s)


def first_moment_signs(experts, mean_yx, link="identity"):
    r"""Signs that make every expert's weight in the first moment positive.

    By Stein's lemma and (O), the part of :math:`E[y x]` in the experts' span is
    :math:`E[g'(Z)] \sum_i \pi_i a_i`, so its coordinates have the signs of the :math:`a_i`.

    Parameters
    ----------
    experts : (k, d) array        unit rows, each known up to sign
    mean_yx : (d,) array          estimate of :math:`E[y x]`
    link : str, callable or Link  if :math:`E[g'(Z)] = 0`, as for an even link, the first moment
                                  knows no sign and all are returned as +1

    Returns
    -------
    (k,) array of +-1

    Examples
    --------
    >>> first_moment_signs(np.diag([1.0, -1.0]), np.array([0.5, 0.5]))
    array([ 1., -1.])
    """
    slope = mean_slope(link)
    weights = np.linalg.lstsq(experts.T, mean_yx, rcond=None)[0]
    return np.where(weights * slope < 0, -1.0, 1.0)


def _label_statistics(batches, link, noise):
    """Scale and mean of the labels, and the noise the transforms are made for.

    The linear link needs no noise level: labels are scaled to mean square one instead.
    """
    n, total, total_square = 0, 0.0, 0.0
    for X, y in batches():
        if len(X) != len(y):
            raise ValueError(
                f"X and y of a batch must match, got {len(X)} rows and {len(y)} labels"
            )
        n, total, total_square = n + len(y), total + np.sum(y), total_square + np.sum(y**2)
    if n == 0 or not total_square > 0:
        raise ValueError("batches must yield at least one sample with a non-zero label")
    if link.name == "identity":
        return np.sqrt(total_square / n), total / n, 0.0
    if noise is None:
        noise = noise_from_labels(np.sqrt([total_square / n]), link)
    return 1.0, total / n, noise
