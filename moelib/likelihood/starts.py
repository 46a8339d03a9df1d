"""Where a climb begins: random parameters, random responsibilities, or clusters."""

import numpy as np

from moelib.likelihood.em import m_step, weighted_responsibilities
from moelib.links import as_link
from moelib.model import GatedModel
from moelib.parameters import FreeParameters
from moelib.validation import as_choice, as_generator, as_not_negative, as_positive, as_sample

STARTS = ["random", "responsibilities", "kmeans"]


def make_start(
    X,
    y,
    n_experts,
    rng,
    *,
    init="random",
    link="identity",
    free=FreeParameters(),
    noise=None,
    gate_norm=0.0,
    sample_weight=None,
):
    """A starting model of one of three kinds.

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
    init : {"random", "responsibilities", "kmeans"}
        Random experts and an indifferent gate (:func:`random_start`); experts fitted to a random
        split of the samples; or experts fitted to the clusters that k-means finds in (x, y).
    link : str, callable or Link
        The link :math:`g`.
    free : FreeParameters
        Which parameters to learn: whether there are intercepts.
    noise : float, optional
        Standard deviation; that of the labels if not given.
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
        is fitted to a split or constant.

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
    options = dict(link=link, intercepts=free.intercepts, noise=noise, gate_norm=gate_norm)
    model = _random_model(sample, n_experts, rng, **options)
    if init == "random":
        return model
    if init == "kmeans":
        groups = _cluster(np.column_stack([sample.X, sample.y]), n_experts, rng, sample.weights)
    else:
        groups = rng.integers(n_experts, size=len(sample))
    split = weighted_responsibilities(np.eye(n_experts)[groups], sample.weights)
    fixed = FreeParameters(free.intercepts, noise=False, gate_slopes=free.gate_slopes)
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
        When ``gate_norm`` is negative.
    """
    sample = as_sample(X, y, sample_weight)
    options = dict(link=link, intercepts=fit_intercept, noise=noise, gate_norm=gate_norm)
    return _random_model(sample, n_experts, rng, **options)


def _random_model(sample, n_experts, rng, *, link, intercepts, noise, gate_norm):
    rng, link = as_generator(rng), as_link(link)
    gate_norm = as_not_negative(gate_norm, "gate_norm")
    X, y = sample.X, sample.y
    d, spread = X.shape[1], _standard_deviation(sample, y)
    length = spread if link.name == "identity" else 1.0
    experts = _random_rows(rng, (n_experts, d), length, _scale(sample))
    offsets = np.zeros(n_experts)
    if intercepts:
        centre = sample.mean(y) if link.name == "identity" else 0.0
        offsets = centre + length * rng.standard_normal(n_experts)
        offsets -= experts @ sample.mean(X)
    noise = spread if noise is None else as_positive(noise, "noise")
    gates = np.zeros((n_experts - 1, d))
    if gate_norm > 0:
        gates = _random_rows(rng, (n_experts - 1, d), gate_norm, _scale(sample))
    return GatedModel(experts, gates, noise, link, offsets)


def _random_rows(rng, shape, length, scale):
    """Rows in random directions, of this length for inputs of this scale."""
    rows = rng.standard_normal(shape)
    return rows * (length / (np.linalg.norm(rows, axis=1, keepdims=True) * scale))


def _cluster(points, k, rng, weights):
    from sklearn.cluster import KMeans

    scaled = points / np.maximum(points.std(axis=0), np.finfo(float).tiny)
    seed = int(rng.integers(2**31))
    return KMeans(k, n_init=1, random_state=seed).fit_predict(scaled, sample_weight=weights)


def _scale(sample):
    """Root mean square of a column of X after centring, pooled over columns."""
    spreads = _standard_deviation(sample, sample.X)
    return max(float(np.sqrt(np.mean(spreads**2))), np.finfo(float).tiny)


def _standard_deviation(sample, values):
    return np.sqrt(sample.mean((values - sample.mean(values)) ** 2))
