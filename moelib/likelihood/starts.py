"""Where a climb begins: random parameters, random responsibilities, or clusters."""

from dataclasses import replace

import numpy as np

from moelib.likelihood.em import m_step, weighted_responsibilities
from moelib.links import as_link
from moelib.model import GatedModel
from moelib.parameters import FreeParameters
from moelib.threads import one_blas_thread
from moelib.units import CONSTANT, Units
from moelib.validation import (
    as_choice,
    as_count,
    as_generator,
    as_not_negative,
    as_positive,
    as_sample,
)

STARTS = ["random", "responsibilities", "kmeans"]


def make_start(
    X,
    y,
    n_experts,
    rng,
    init="random",
    *,
    link="identity",
    free=FreeParameters(),
    noise=None,
    gate_norm=0.0,
    sample_weight=None,
):
    """A starting model of one of three kinds, in the units of the sample, :mod:`moelib.units`.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    n_experts : int
        Number of experts k, at least 1.
    rng : numpy.random.Generator
        Source of randomness.
    init : {"random", "responsibilities", "kmeans"}
        Random experts and an indifferent gate (:func:`random_start`); experts fitted to a random
        split of the samples; or experts fitted to the clusters that k-means finds in (x, y).
    link : str, callable or Link
        The link :math:`g`.
    free : FreeParameters
        Which parameters to learn: whether there are intercepts, and which columns are used.
    noise : float, optional
        Standard deviation; that of the labels if not given. One for all: where each expert has its
        own, EM sets them apart.
    gate_norm : float
        Length of the gates, in random directions, for inputs of unit scale; zero makes the gate
        indifferent. Only ``init="random"`` knows gates of its own.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    GatedModel

    Raises
    ------
    ValueError
        When ``init`` is none of the three, or ``gate_norm`` is negative, or given for a gate that
        is fitted to a split or constant; or when all labels are the same.

    Examples
    --------
    >>> from moelib import standard_model
    >>> X, y = standard_model(d=4, n_experts=2).sample(100, np.random.default_rng(0))
    >>> make_start(X, y, 2, np.random.default_rng(1), init="kmeans").experts.shape
    (2, 4)

    References
    ----------
    Taught in: :ref:`ch-likelihood-and-em`.
    """
    sample = as_sample(X, y, sample_weight)
    options = dict(init=init, link=link, free=free, noise=noise, gate_norm=gate_norm)
    return start_from_sample(sample, n_experts, rng, **options)


def start_from_sample(
    sample,
    n_experts,
    rng,
    *,
    init="random",
    link="identity",
    free=FreeParameters(),
    noise=None,
    gate_norm=0.0,
):
    """What :func:`make_start` does, on data that have been checked."""
    as_choice(init, "init", STARTS)
    if gate_norm and (init != "random" or not free.gate_slopes):
        raise ValueError('gate_norm is for init="random" and a gate that depends on x')
    link, k = as_link(link), as_count(n_experts, "n_experts")
    units = Units.of(sample, free, link)
    inner = units.sample(sample)
    if noise is not None:
        noise = as_positive(noise, "noise")
    scaled = None if noise is None else noise / units.label_scale
    options = dict(link=link, intercepts=free.intercepts, noise=scaled, gate_norm=gate_norm)
    model = free.restricted(_random_model(inner, k, rng, **options))
    if init != "random":
        model = _fitted(model, inner, _groups(inner, k, rng, init), free)
    model = units.outward(model)
    return model if noise is None else replace(model, noise=noise)


def _groups(sample, k, rng, init):
    """The number of a group for each sample, (n,)."""
    if init == "responsibilities":
        return rng.integers(k, size=len(sample))
    return _cluster(np.column_stack([sample.X, sample.y]), k, rng, sample.weights)


def _fitted(model, sample, groups, free):
    """The model after an M-step for samples that are split into groups, its noise held."""
    split = weighted_responsibilities(np.eye(model.n_experts)[groups], sample.weights)
    fixed = replace(free, noise=False, gate_ridge=0.0)
    designs = fixed.expert_design(sample.X), fixed.gate_design(sample.X)
    return m_step(model, *designs, sample.y, split, fixed)


def random_start(
    X,
    y,
    n_experts,
    rng,
    *,
    link="identity",
    fit_intercept=False,
    noise=None,
    gate_norm=0.0,
    sample_weight=None,
):
    """A random starting model: random experts of the labels' scale, gates indifferent or random.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    n_experts : int
        Number of experts k.
    rng : numpy.random.Generator
        Source of randomness.
    link : str, callable or Link
        The link :math:`g`.
    fit_intercept : bool
        Whether to spread the experts' intercepts over the labels as well.
    noise : float, optional
        Standard deviation; that of the labels if not given, from which EM then anneals.
    gate_norm : float
        Length of the gates, in random directions, for inputs of unit scale; zero makes the gate
        indifferent.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    GatedModel

    Raises
    ------
    ValueError
        When ``gate_norm`` is negative, or all labels are the same.
    """
    options = dict(free=FreeParameters(intercepts=fit_intercept), noise=noise, gate_norm=gate_norm)
    return make_start(X, y, n_experts, rng, link=link, **options, sample_weight=sample_weight)


def _random_model(sample, k, rng, *, link, intercepts, noise, gate_norm):
    rng, gate_norm = as_generator(rng), as_not_negative(gate_norm, "gate_norm")
    d, spread = sample.X.shape[1], _standard_deviation(sample, sample.y)
    if noise is None and spread <= CONSTANT * abs(sample.mean(sample.y)):
        raise ValueError("y must not be the same for all samples: there is nothing to learn")
    length, scale = spread if link.name == "identity" else 1.0, _scale(sample, intercepts)
    experts = _random_rows(rng, (k, d), length, scale)
    offsets = np.zeros(k)
    if intercepts:
        centre = sample.mean(sample.y) if link.name == "identity" else 0.0
        offsets = centre + length * rng.standard_normal(k)
        offsets -= experts @ sample.mean(sample.X)
    gates = np.zeros((k - 1, d))
    if gate_norm > 0:
        gates = _random_rows(rng, (k - 1, d), gate_norm, scale)
    return GatedModel(experts, gates, spread if noise is None else noise, link, offsets)


def _random_rows(rng, shape, length, scale):
    """Rows in random directions, of this length for inputs of this scale."""
    rows = rng.standard_normal(shape)
    return rows * (length / (np.linalg.norm(rows, axis=1, keepdims=True) * scale))


def _cluster(points, k, rng, weights):
    from sklearn.cluster import KMeans

    centre = np.average(points, axis=0, weights=weights)
    spread = np.sqrt(np.average((points - centre) ** 2, axis=0, weights=weights))
    scaled = (points - centre) / np.maximum(spread, np.finfo(float).tiny)
    seed = int(rng.integers(2**31))
    with one_blas_thread:
        return KMeans(k, n_init=1, random_state=seed).fit_predict(scaled, sample_weight=weights)


def _scale(sample, centred):
    """Standard deviation of the columns, pooled; of centred ones, without those that are constant.

    A constant column gets no slope there, for nothing sets it apart from the intercept.
    """
    spreads = _standard_deviation(sample, sample.X)
    if not centred:
        return float(np.sqrt(np.mean(spreads**2))) or 1.0
    return np.where(spreads > 0, 1.0, np.inf)


def _standard_deviation(sample, values):
    return np.sqrt(sample.mean((values - sample.mean(values)) ** 2))
