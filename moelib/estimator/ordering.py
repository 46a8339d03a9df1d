"""Experts come in no order: number them by a rule, or as another fit has them."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from moelib.data.arrays import as_inputs
from moelib.likelihood.errors import in_shapes
from moelib.metrics import reorder_gates

RULES = ["share", "answer", "noise"]


def check_rule(by, names):
    """Raise ``ValueError`` for a rule that cannot order experts with slopes on these columns."""
    if by not in RULES and by not in names:
        known = ", ".join(map(repr, [*RULES, *names]))
        raise ValueError(f"order_by must be one of {known}; got {by!r}")


def expert_order(model, sample, by, names):
    """The order of the experts by a rule, from the smallest up.

    Parameters
    ----------
    model : GatedModel
        The model.
    sample : Sample
        The data, for shares and mean inputs.
    by : {"share", "answer", "noise"} or str
        Share of the samples, answer to mean inputs, noise, or slope on a column of this name.
    names : list of str
        Names of the columns of X.

    Returns
    -------
    (k,) int array
    """
    if by == "share":
        values = sample.mean(model._posterior(sample.X, sample.y))
    elif by == "answer":
        values = model._expert_means(sample.mean(sample.X)[None])[0]
    elif by == "noise":
        values = model.noises
    else:
        values = model.experts[:, names.index(by)]
    return np.argsort(values, kind="stable")


def align_experts(model, reference, X):
    r"""The order in which a model's experts answer as those of another do.

    The cost of a pair is the mean squared difference of their answers over the inputs, each sample
    weighted by how often the two are asked, :math:`p_i(x) + p^*_j(x)`; the matching with the least
    sum is found by the Hungarian algorithm. It works with one feature, with intercepts and with
    experts of any length, where directions say nothing.

    Parameters
    ----------
    model : GatedModel or fitted MixtureOfExperts
        The one to reorder.
    reference : GatedModel or fitted MixtureOfExperts
        The one whose order to take; as many experts.
    X : (n, d) array
        Inputs to compare the answers at.

    Returns
    -------
    (k,) int array
        Expert ``order[j]`` of the model answers as expert j of the reference: for
        ``MixtureOfExperts.relabel``.

    Raises
    ------
    ValueError
        When the numbers of experts differ.

    Examples
    --------
    >>> from moelib import GatedModel
    >>> one = GatedModel([[1.0], [1.0]], [[0.0]], 0.1, expert_intercepts=[0.0, 5.0])
    >>> other = GatedModel([[1.1], [0.9]], [[0.0]], 0.1, expert_intercepts=[5.1, 0.1])
    >>> align_experts(other, one, np.linspace(-1, 1, 9)[:, None])
    array([1, 0])

    References
    ----------
    Kuhn (1955) for the algorithm.
    """
    answers, p = _answers(model, X)
    wanted, q = _answers(reference, X)
    if answers.shape[1] != wanted.shape[1]:
        raise ValueError(
            f"model has {answers.shape[1]} experts and reference {wanted.shape[1]}: only fits with "
            "as many experts can be aligned"
        )
    weight = p[:, :, None] + q[:, None, :]
    squares = weight * (answers[:, :, None] - wanted[:, None, :]) ** 2
    cost = squares.sum(axis=0) / np.maximum(weight.sum(axis=0), np.finfo(float).tiny)
    rows, columns = linear_sum_assignment(cost)
    return rows[np.argsort(columns)]


def _answers(fit, X):
    """Answers and gate probabilities of a model, or of a fitted estimator: (n, k) both."""
    if hasattr(fit, "model_"):
        return fit.expert_answers(X), fit.gate_probabilities(X)
    X = as_inputs(X)
    return fit.expert_means(X), fit.gate_probabilities(X)


def reordered_errors(errors, model, order, free):
    """Standard errors of the same fit with its experts in another order.

    Parameters
    ----------
    errors : StandardErrors or None
        In the old order.
    model : GatedModel
        In the new order.
    order : (k,) int array
        Which expert comes at each place.
    free : FreeParameters
        What was learned.

    Returns
    -------
    StandardErrors or None
    """
    if errors is None:
        return None
    k, d = model.experts.shape
    basis = np.eye(free.count(k, d))
    change = np.column_stack([_reordered(free.blocks(e, k, d), order, free) for e in basis])
    covariance = change @ errors.covariance @ change.T
    undetermined = (np.abs(change) > 0)[:, errors.undetermined].any(axis=1)
    return in_shapes(model, covariance, undetermined, free)


def _reordered(blocks, order, free):
    experts, gates, log_noises = blocks
    order = np.asarray(order)
    gates = reorder_gates(gates, order) if len(order) > 1 else gates
    log_noises = log_noises[order] if free.noise_per_expert else log_noises
    return np.concatenate([experts[order].ravel(), gates.ravel(), log_noises])
