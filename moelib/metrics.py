r"""How far an estimate is from the truth, up to the model's symmetries.

Experts are known up to order, and up to sign for a fourth-order method; gates up to the same
order and a common shift, which :math:`w_k = 0` fixes. The matching maximises the *worst* cosine
(a bottleneck assignment), by the Hungarian algorithm on thresholded cosines: never by listing
the :math:`k!` orders. Directions are compared, not lengths or intercepts.
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from moelib.validation import AssumptionWarning, as_matrix, warn


def match_experts(A, A_true):
    """Match estimated experts to true ones, maximising the worst absolute cosine.

    Parameters
    ----------
    A, A_true : (k, d) array
        Rows are experts, any non-zero length.

    Returns
    -------
    permutation : (k,) int array
        Row ``permutation[m]`` of A is matched to row m of A_true.
    signs : (k,) array of +-1
        ``signs[m] * A[permutation[m]]`` points the way A_true[m] does.

    Raises
    ------
    ValueError
        When the shapes differ or an entry is not finite.

    Notes
    -----
    Among the matchings with the best worst cosine, the one with the largest sum is returned.
    O(k^3 log k), by the assignments of Kuhn (1955). With one feature every matching is perfect,
    and all that matches here warns. Taught in: :ref:`ch-gated-model`.

    Examples
    --------
    >>> match_experts([[0, -2.0], [1, 0]], np.eye(2))
    (array([1, 0]), array([ 1., -1.]))
    """
    return _matching(_cosines(A, A_true, "A"))


def _matching(cosines):
    """What :func:`match_experts` returns, from cosines with a row for each estimate."""
    if not len(cosines):
        raise ValueError("A must have at least one row, got none")
    cosines = cosines.T
    size = np.abs(cosines)
    thresholds = np.unique(size)
    low, high = 0, len(thresholds) - 1
    while low < high:
        middle = (low + high + 1) // 2
        allowed = size >= thresholds[middle]
        rows, columns = linear_sum_assignment(allowed, maximize=True)
        low, high = (middle, high) if allowed[rows, columns].all() else (low, middle - 1)
    worth = np.where(size >= thresholds[low], size, -float(len(size)))
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return columns, np.where(cosines[rows, columns] < 0, -1.0, 1.0)


def regressor_error(A, A_true):
    r"""Worst expert's misdirection, :math:`1 - \max_\pi \min_i |\cos(a_i, a^*_{\pi(i)})|`.

    Parameters
    ----------
    A, A_true : (k, d) array
        Rows are experts, any non-zero length.

    Returns
    -------
    float in [0, 1]
        0 when every expert points exactly right, up to order and sign. Lengths do not count, and
        neither do intercepts: models that differ in nothing else have an error of 0.

    Examples
    --------
    >>> regressor_error(np.eye(3)[[2, 0, 1]], -np.eye(3))
    0.0
    """
    permutation, _ = _matching(cosines := _cosines(A, A_true, "A"))
    return float(max(0.0, 1 - np.abs(cosines)[permutation, range(len(cosines))].min()))


def gate_error(W, W_true, permutation=None):
    r"""Worst gate's misdirection, :math:`1 - \min_i \cos(w_i, w^*_i)`, after matching.

    Parameters
    ----------
    W, W_true : (k-1, d) array
        Rows are gates; the last gate, zero, is left out.
    permutation : (k,) int array, optional
        From :func:`match_experts`: which estimated expert goes with which true one. The gates are
        reordered by it and shifted so that the last is zero again. Default: no reordering.

    Returns
    -------
    float in [0, 2]
        A gate of length zero has cosine 0. Signs count: gates have no sign symmetry.

    Examples
    --------
    >>> gate_error([[2.0, 0.0]], [[1.0, 0.0]])
    0.0
    >>> gate_error([[-2.0, 0.0]], [[1.0, 0.0]], permutation=[1, 0])
    0.0
    """
    W = as_matrix(W, "W")
    rebased = W if permutation is None else reorder_gates(W, permutation)
    return float(max(0.0, 1 - np.diag(_cosines(rebased, W_true, "W")).min(initial=1.0)))


def reorder_gates(W, permutation):
    r"""The gates of the same experts in another order, the last of them zero again.

    .. math:: w'_m = w_{\pi(m)} - w_{\pi(k)}, \qquad w_k = 0 .

    Parameters
    ----------
    W : (k-1, d) array
        Gates; the last one, zero, is left out. A vector (k-1,) of intercepts will do.
    permutation : (k,) int array
        Which expert comes at each place, as from :func:`match_experts`; ``ValueError`` if it is
        no order of k experts.

    Returns
    -------
    (k-1, d) array

    Examples
    --------
    >>> reorder_gates(np.array([[2.0, 1.0]]), [1, 0])
    array([[-2., -1.]])
    """
    order, W = np.asarray(permutation), np.asarray(W, dtype=float)
    k = len(W) + 1
    if sorted(order.tolist()) != list(range(k)):
        raise ValueError(f"permutation must reorder 0..{k - 1}, got {order}")
    padded = np.concatenate([W, np.zeros((1, *W.shape[1:]))])[order]
    return (padded - padded[-1])[:-1]


def relabelled(model, order):
    """The same model with its experts in another order: labels have the same law.

    Parameters
    ----------
    model : GatedModel
        Any model.
    order : (k,) int array
        Which expert comes at each place, as from :func:`match_experts`.

    Returns
    -------
    GatedModel
        Its last gate is zero again.

    Examples
    --------
    >>> from moelib import standard_model
    >>> relabelled(standard_model(d=3, n_experts=2), [1, 0]).gates
    array([[ 0.,  0., -1.]])
    """
    order = np.asarray(order)
    return replace(
        model,
        gates=reorder_gates(model.gates, order),
        experts=model.experts[order],
        noise=model.noise[order] if np.ndim(model.noise) else model.noise,
        expert_intercepts=model.expert_intercepts[order],
        gate_intercepts=reorder_gates(model.gate_intercepts, order),
    )


def matched(A, W, truth):
    """Experts and gates in the order of the true ones, each expert with the sign that fits.

    Parameters
    ----------
    A, W : (k, d) array and (k-1, d) array
        Estimated experts and gates.
    truth : GatedModel
        The true model.

    Returns
    -------
    experts, gates : (k, d) array and (k-1, d) array
        Reordered; the experts turned, the gates based on the same last one.

    Examples
    --------
    >>> from moelib import standard_model
    >>> truth = standard_model(d=3, n_experts=2)
    >>> A, W = matched(-truth.experts[::-1], -truth.gates, truth)
    >>> np.allclose(A, truth.experts), np.allclose(W, truth.gates)
    (True, True)
    """
    order, signs = match_experts(A, truth.experts)
    return signs[:, None] * as_matrix(A, "A")[order], reorder_gates(as_matrix(W, "W"), order)


def expert_angles(A, A_true):
    """Angle between each true expert and its estimate, after matching, signs left out.

    Parameters
    ----------
    A, A_true : (k, d) array
        Estimated and true experts, in rows of any non-zero length.

    Returns
    -------
    (k,) array
        In radians, from 0 to pi/2, in the order of ``A_true``.

    Examples
    --------
    >>> expert_angles([[0.0, 2.0], [1.0, 1.0]], np.eye(2)).round(4)
    array([0.7854, 0.    ])
    """
    order, _ = _matching(cosines := _cosines(A, A_true, "A"))
    return np.arccos(np.clip(np.abs(cosines)[order, range(len(order))], 0, 1))


def unit_rows(V):
    """Rows divided by their lengths; a row of zeros stays: (..., d) -> (..., d)."""
    V = np.asarray(V, dtype=float)
    lengths = np.linalg.norm(V, axis=-1, keepdims=True)
    return np.divide(V, lengths, out=np.zeros_like(V), where=lengths > 0)


def standard_errors_off(samples, expected):
    """How far the mean of samples is from what it should be, in standard errors of the mean.

    Parameters
    ----------
    samples : (n, ...) array
        Independent draws.
    expected : float or array
        What their mean should be.

    Returns
    -------
    float or array
        Absolute, of the shape of one draw. The spread has the divisor n: stricter than n - 1.

    Examples
    --------
    >>> float(standard_errors_off(np.array([0.0, 2.0, 1.0, 1.0]), expected=1.0))
    0.0
    """
    samples, expected = np.asarray(samples, dtype=float), np.asarray(expected, dtype=float)
    error = samples.std(axis=0) / np.sqrt(len(samples))
    return np.abs(samples.mean(axis=0) - expected) / error


def bias_share(errors):
    """Share of the mean squared error that is squared bias.

    Parameters
    ----------
    errors : (s, ..., p) array
        Errors of p numbers, on s independent data sets.

    Returns
    -------
    (...) array
        From 0 to 1. The squared bias is that of the mean error, less what scatter alone makes of
        it; below zero it counts as zero.

    Examples
    --------
    >>> float(bias_share(np.array([[2.0], [4.0]])))  # bias 3, variance 2: (9 - 1) / 10
    0.8
    """
    errors = np.asarray(errors, dtype=float)
    mean, variance = errors.mean(axis=0), errors.var(axis=0, ddof=1)
    bias_squared = np.sum(mean**2 - variance / len(errors), axis=-1)
    return np.maximum(bias_squared / np.mean(np.sum(errors**2, axis=-1), axis=0), 0)


def _cosines(A, A_true, name):
    A_true = as_matrix(A_true, f"{name}_true")
    A = as_matrix(A, name, n_columns=A_true.shape[1])
    if len(A) != len(A_true):
        raise ValueError(f"{name} must have {len(A_true)} rows like {name}_true, got {len(A)}")
    if A.shape[1] == 1:
        warn(
            "with one feature every direction is the same up to its sign, so any matching is "
            "perfect and says nothing: match by answers with moelib.align_experts instead",
            AssumptionWarning,
        )
    return unit_rows(A) @ unit_rows(A_true).T
