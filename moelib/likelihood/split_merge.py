r"""EM that repairs its end: an expert that is not needed begins anew where the fit is worst.

Where EM gets stuck some experts are spare, two fitted to the same true one, while another covers
two true ones at once. No small step leads from there to the truth: an expert has to be taken from
one place and put down in another, across a region of lower likelihood. A *repair* does so. It drops
an expert that costs little (:func:`moelib.likelihood.drop_costs`) and fits a new one to
the samples with the lowest density under those that are left. These may come from several true
experts. The fit is therefore *concentrated*, as for least trimmed squares: of a wider pool of badly
fitted samples keep those nearest to the fit, fit again, and so on, which narrows it to one of them.
"""

from itertools import product

import numpy as np

from moelib.climb import Climb, warned
from moelib.gates.degeneracy import is_sound
from moelib.likelihood.em import em_from_sample
from moelib.likelihood.m_step import _fit_expert
from moelib.likelihood.pruning import drop_costs_from_sample, drop_expert
from moelib.model import GatedModel
from moelib.parameters import FreeParameters, spread
from moelib.threads import one_blas_thread
from moelib.units import in_units
from moelib.validation import as_sample

WIDTHS = (3, 5)  # of the pool of badly fitted samples, in units of an expert's mean share n / k
CANDIDATES = 5  # experts that are tried as the one to drop, the cheapest first
CONCENTRATIONS = 10  # fits of a new expert
MAX_REPAIRS = 50
TRIAL_STEPS = 50  # EM iterations before a repair is judged
ROUGH = 1e-5  # tolerance of EM until the last repair, in nats per sample
LEAST_GAIN = 1e-3  # what a repair has to gain, in nats per sample


@one_blas_thread
def split_merge_em(
    X,
    y,
    init,
    *,
    free=FreeParameters(),
    max_iter=1000,
    tol=1e-9,
    max_repairs=MAX_REPAIRS,
    sample_weight=None,
):
    """EM, then repairs for as long as they raise the likelihood.

    A repair drops one of the experts that cost least and puts a new one where the fit is worst. It
    is kept if a few EM iterations take it above the likelihood before, and EM goes on from there.
    The search ends when no repair of a fixed list gains anything. It draws nothing at random.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    init : GatedModel
        Where to start, see :func:`moelib.make_start`; at least 3 experts, or nothing is repaired.
    free : FreeParameters
        What to learn; the rest stays as in ``init``.
    max_iter : int
        Most iterations of EM before the first repair, and after each that is kept.
    tol : float
        Stop EM when an iteration gains less, in nats per sample.
    max_repairs : int
        Most repairs to keep.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    Climb
        Its objective is the log-likelihood per sample, less the ridge's penalty if there is one.
        The climb begins as that of :func:`moelib.expectation_maximization` from the same start and
        never ends below it. Of each repair the history has only the iterations that are above all
        before: it never decreases, and all models of the path have as many experts as ``init``.

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` iterations were not enough after the last repair.

    Notes
    -----
    Done in the units of the sample, see :mod:`moelib.units`. A repair that ends with a noise that
    has collapsed is not kept, see :func:`moelib.find_degeneracies`.

    For when samples are few for many experts: in the stored experiment ``failure-map`` it is right
    more often there than EM, pruned EM and minibatch Adam.
    Taught in: :ref:`ch-likelihood-and-em`.

    Examples
    --------
    >>> from moelib import random_start, regressor_error, standard_model
    >>> model = standard_model(d=6, n_experts=3)
    >>> rng = np.random.default_rng(0)
    >>> X, y = model.sample(1000, rng)
    >>> fit = split_merge_em(X, y, random_start(X, y, 3, rng))
    >>> regressor_error(fit.model.experts, model.experts) < 1e-3
    True

    References
    ----------
    Ueda, Nakano, Ghahramani & Hinton (2000), who merge two components and split a third.
    """
    sample = as_sample(X, y, sample_weight, n_columns=init.n_features)
    options = dict(max_iter=max_iter, tol=tol, max_repairs=max_repairs)
    return warned(in_units(split_merge_from_sample, sample, init, free, **options), "EM", max_iter)


def split_merge_from_sample(sample, init, *, free, max_iter, tol, max_repairs):
    """What :func:`split_merge_em` does, on data that have been checked."""
    options = dict(free=free, max_iter=max_iter)
    climb = plain = em_from_sample(sample, init, **options, tol=tol)
    for _ in range(max_repairs if init.n_experts > 2 else 0):
        trial = _first_gain(sample, climb, free)
        if trial is None:
            break
        climb = _continued(climb, trial)
        climb = _continued(
            climb, em_from_sample(sample, climb.model, **options, tol=max(tol, ROUGH))
        )
    if climb is plain:
        return plain
    return _continued(climb, em_from_sample(sample, climb.model, **options, tol=tol))


def _first_gain(sample, climb, free):
    """The first few iterations of EM after a repair that end above the climb, or ``None``."""
    cheapest = np.argsort(drop_costs_from_sample(climb.model, sample))[:CANDIDATES]
    for width, i in product(WIDTHS, cheapest):
        trial = reseeded(climb.model, int(i), sample, free, width=width)
        trial = em_from_sample(sample, trial, free=free, max_iter=TRIAL_STEPS, tol=ROUGH)
        sound = is_sound(trial.model, sample, free) or not is_sound(climb.model, sample, free)
        if sound and trial.objective > climb.objective + LEAST_GAIN:
            return trial
    return None


def _continued(climb, more):
    """The climb, and of another that ends no lower the part that is above it."""
    above = np.flatnonzero(np.array(more.history) > climb.objective)
    start = int(above[0]) if len(above) else len(more.history)
    history, path = climb.history + more.history[start:], climb.path + more.path[start:]
    return Climb(path[-1], history, more.converged, path)


def reseeded(model, i, sample, free, *, width):
    """The model with expert i dropped and a new one where those that are left fit worst.

    The new expert comes last. Its gate, before the gates are measured from it, is the mean of the
    others.
    """
    left = drop_expert(model, i)
    share = 1 / model.n_experts
    worst = np.argsort(left._log_density(sample.X, sample.y))
    options = dict(free=free, link=model.link, width=width)
    row = concentrated_fit(free.rows(model)[0][i], sample, worst, share, **options)
    d, b = model.n_features, np.append(left.expert_intercepts, model.expert_intercepts[i])
    if free.intercepts:
        b[-1] = row[-1]
    centre = left.gates.sum(axis=0) / left.n_experts
    offset = left.gate_intercepts.sum() / left.n_experts
    slopes = row[:-1] if free.intercepts else row
    noise = model.noise
    if np.ndim(noise):  # a learned one of the expert that is dropped may be tiny
        new = np.sqrt(np.mean(left.noises**2)) if free.noise else model.noises[i]
        noise = np.append(left.noises, new)
    return GatedModel(
        np.vstack([left.experts, spread(slopes[None], free.expert_columns(d), d)]),
        np.vstack([left.gates, np.zeros(d)]) - centre,
        noise,
        model.link,
        b,
        np.append(left.gate_intercepts, 0.0) - offset,
    )


def concentrated_fit(row, sample, order, share, *, free, link, width):
    """An expert's row (p,) for one share of the samples among those that come first in an order.

    It begins with the first ``share`` of all, and moves to those of the first ``width`` shares
    that are nearest to the fit before.
    """
    weights = np.ones(len(sample)) if sample.weights is None else sample.weights
    pool = _first(order, weights, width * share)
    design, y, weights = free.expert_design(sample.X[pool]), sample.y[pool], weights[pool]
    chosen = _first(np.arange(len(pool)), weights, share * len(sample) / weights.sum())
    for _ in range(CONCENTRATIONS):
        row = _fit_expert(row, design[chosen], y[chosen], weights[chosen], link)
        nearest = np.argsort((y - link.value(design @ row)) ** 2)
        chosen = _first(nearest, weights, share * len(sample) / weights.sum())
    return row


def _first(order, weights, share):
    """The first samples of an order whose weights make up a share of the total, at least one."""
    return order[np.append(True, np.cumsum(weights[order])[:-1] < share * weights.sum())]
