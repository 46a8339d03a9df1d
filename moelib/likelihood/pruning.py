r"""EM with more experts than asked for, of which the needless are dropped.

A start with k random experts often ends with two fitted to the same true one and with one fitted
to two at once. With twice as many experts fewer true ones go without, and what is to spare can be
taken away. Without expert i the gate gives its share to the others, :math:`p_j / (1 - p_i)`, so
that the log-density of a sample becomes

.. math:: \log \sum_{j \ne i} p_j(x) N_j(y) - \log (1 - p_i(x)).

The mean of what is lost, the *drop cost*, is known for every expert from one E-step.
"""

import numpy as np
from scipy.special import logsumexp

from moelib.climb import warned
from moelib.likelihood.em import em_from_sample
from moelib.model import GatedModel
from moelib.parameters import FreeParameters
from moelib.threads import one_blas_thread
from moelib.units import in_units
from moelib.validation import as_count, as_sample

FIRST_STEPS = 100  # EM iterations with all experts
STEPS_BETWEEN = 10  # EM iterations between one drop and the next


@one_blas_thread
def pruned_em(
    X, y, init, n_experts, *, free=FreeParameters(), max_iter=1000, tol=1e-9, sample_weight=None
):
    """EM from a start with too many experts, of which the cheapest are dropped one at a time.

    ``FIRST_STEPS`` iterations of EM with all experts of ``init``; then, until ``n_experts`` are
    left, the expert with the least :func:`drop_costs` goes, with ``STEPS_BETWEEN`` iterations
    between one drop and the next; then EM until it gains less than ``tol``.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    init : GatedModel
        Where to start, with more experts than ``n_experts``; twice as many are a good choice.
    n_experts : int
        How many experts to keep, at least 1.
    free : FreeParameters
        What to learn; the rest stays as in ``init``. A gate that is not learned is renormalised
        as experts go.
    max_iter : int
        Most iterations after the last drop.
    tol : float
        Stop when an iteration gains less, in nats per sample.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    Climb
        Its objective is the log-likelihood per sample, less the ridge's penalty if there is one.
        History and path begin after the last drop: before it the models have more experts, and
        each drop costs likelihood. One expert that is left is a weighted regression.

    Raises
    ------
    ValueError
        When ``n_experts`` is less than 1 or more than ``init`` has.

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` iterations were not enough.

    Examples
    --------
    >>> from moelib import random_start, regressor_error, standard_model
    >>> model = standard_model(d=6, n_experts=3)
    >>> rng = np.random.default_rng(0)
    >>> X, y = model.sample(1000, rng)
    >>> fit = pruned_em(X, y, random_start(X, y, 6, rng), 3)
    >>> fit.model.n_experts, regressor_error(fit.model.experts, model.experts) < 1e-3
    (3, True)

    Notes
    -----
    It takes a few times as long as EM, which stops short where two experts were fitted to one true
    one; the stored experiment ``failure-map`` has both from single starts on the same data.
    Taught in: :ref:`ch-likelihood-and-em`.
    """
    sample = as_sample(X, y, sample_weight, n_columns=init.n_features)
    options = dict(n_experts=n_experts, max_iter=max_iter, tol=tol)
    return warned(in_units(pruned_em_from_sample, sample, init, free, **options), "EM", max_iter)


def pruned_em_from_sample(sample, init, *, n_experts, free, max_iter, tol):
    """What :func:`pruned_em` does, on data that have been checked."""
    n_experts = as_count(n_experts, "n_experts")
    if n_experts > init.n_experts:
        raise ValueError(
            f"n_experts must be at least 1 and at most {init.n_experts}, what init has, "
            f"got {n_experts}"
        )
    model, steps = init, FIRST_STEPS
    while model.n_experts > n_experts:
        model = em_from_sample(sample, model, free=free, max_iter=steps, tol=tol).model
        model, steps = without_cheapest(model, sample), STEPS_BETWEEN
    return em_from_sample(sample, model, free=free, max_iter=max_iter, tol=tol)


def without_cheapest(model, sample):
    """The model without the expert whose loss costs the likelihood of a ``Sample`` least."""
    return drop_expert(model, int(np.argmin(drop_costs_from_sample(model, sample))))


def drop_costs(model, X, y, *, sample_weight=None):
    """What the log-likelihood per sample loses when an expert goes, for each of them.

    The gate is renormalised and nothing is learned anew. Two experts fitted to the same true one
    cost little, either of them; an expert that answers no sample costs nothing.

    Parameters
    ----------
    model : GatedModel
        The model.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    (k,) array
        Costs in nats per sample; negative where the model is better off without the expert.

    Raises
    ------
    ValueError
        When there is one expert only.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=5, n_experts=3)
    >>> X, y = model.sample(500, np.random.default_rng(0))
    >>> drop_costs(model, X, y).round()
    array([61., 58., 53.])
    """
    return drop_costs_from_sample(model, as_sample(X, y, sample_weight, model.n_features))


def drop_costs_from_sample(model, sample):
    """What :func:`drop_costs` does, on data that have been checked."""
    if model.n_experts < 2:
        raise ValueError("model must have at least 2 experts: a single one cannot go")
    X, y = sample.X, sample.y
    log_joint = model._log_joint(X, y)
    without = _leave_one_out(log_joint) - _leave_one_out(model._log_gate_probabilities(X))
    return sample.mean(logsumexp(log_joint, axis=1, keepdims=True) - without)


def drop_expert(model, i):
    """The model without expert i, the gate renormalised.

    Parameters
    ----------
    model : GatedModel
        A model of at least 2 experts.
    i : int
        Which expert to drop. If it is the last, whose gate is zero, the gates of the others are
        measured from the one before it.

    Returns
    -------
    GatedModel

    Raises
    ------
    ValueError
        When there is no expert i, or none could be spared.

    Examples
    --------
    >>> drop_expert(GatedModel(np.eye(3), [[3.0, 0, 0], [1, 1, 0]], 0.1), 2).gates
    array([[ 2., -1.,  0.]])
    """
    if model.n_experts < 2 or not 0 <= i < model.n_experts:
        raise ValueError(f"cannot drop expert {i} of {model.n_experts}: at least 1 has to remain")
    left = np.arange(model.n_experts) != i
    scores = np.vstack([model.gates, np.zeros(model.n_features)])[left]
    offsets = np.append(model.gate_intercepts, 0.0)[left]
    return GatedModel(
        model.experts[left],
        scores[:-1] - scores[-1],
        model.noise[left] if np.ndim(model.noise) else model.noise,
        model.link,
        model.expert_intercepts[left],
        offsets[:-1] - offsets[-1],
    )


def _leave_one_out(logs):
    """Logarithm of the sum over all columns but one, for each one left out: (n, k) -> (n, k).

    The sum less one term, but where that is the largest term, which would cancel: there the
    others are summed anew.
    """
    rows, largest = np.arange(len(logs)), np.argmax(logs, axis=1)
    top = logs[rows, largest, None]
    shares = np.exp(logs - top)
    rest = shares.sum(axis=1, keepdims=True) - shares
    rest[rows, largest] = 1.0  # a place holder
    sums = top + np.log(rest)
    others = logs.copy()
    others[rows, largest] = -np.inf
    sums[rows, largest] = logsumexp(others, axis=1)
    return sums
