"""A larger model that contains a smaller one: an expert doubled, and climbs from there."""

import warnings
from dataclasses import replace

import numpy as np
from sklearn.base import clone
from sklearn.cluster import KMeans

from moelib.climb import noise_floor
from moelib.likelihood.em import weighted_responsibilities
from moelib.likelihood.m_step import m_step

# what a climb from a model needs, whatever was asked for
TO_CLIMB = dict(method="em", n_init=1, refine=True, anneal=False, truncate=None)


def with_twin(model, i):
    """The same law of the data with one expert more: expert ``i`` and its twin share its part.

    Needs gate intercepts in what follows. The twin stands first, so that the last expert stays the
    reference.

    Parameters
    ----------
    model : GatedModel
        The model to enlarge.
    i : int
        Number of the expert that gets a twin.

    Examples
    --------
    >>> from moelib import GatedModel
    >>> model = GatedModel(np.eye(2), [[1.0, 0.0]], 0.1)
    >>> X, y = model.sample(5, np.random.default_rng(0))
    >>> np.allclose(with_twin(model, 1).log_density(X, y), model.log_density(X, y))
    True
    """
    k = model.n_experts
    slopes = np.vstack([model.gates, np.zeros(model.n_features)])
    intercepts = np.append(model.gate_intercepts, 0.0)
    intercepts[i] -= np.log(2)
    slopes, intercepts = np.vstack([slopes[i], slopes]), np.append(intercepts[i], intercepts)
    noise = np.append(model.noise[i], model.noise) if np.ndim(model.noise) else model.noise
    return replace(
        model,
        experts=np.vstack([model.experts[i], model.experts]),
        expert_intercepts=np.append(model.expert_intercepts[i], model.expert_intercepts),
        gates=(slopes - slopes[-1])[:k],
        gate_intercepts=(intercepts - intercepts[-1])[:k],
        noise=noise,
    )


def is_nested(fit):
    """Whether models of fewer experts lie inside those of more, at no cost.

    The gate needs intercepts, and no ridge: twins would pay it twice.
    """
    return fit.free_.gate_intercepts and not np.any(fit.free_.gate_ridge)


def from_twins(fit, smaller, data):
    """Climb from the smaller model with each expert doubled in turn, and keep the best.

    Exact twins come first: they stay twins and cannot end below the smaller model. Then the twins
    divide the samples of their expert, and may end above.

    Parameters
    ----------
    fit : MixtureOfExperts
        The fit of the larger model that ended too low.
    smaller : GatedModel
        The better model with fewer experts.
    data : tuple
        X, y and sample_weight, as for ``fit``.

    Returns
    -------
    fit : MixtureOfExperts
        The best of the climbs.
    caught : list of warnings.WarningMessage
        What it warned of.
    """
    sample = fit._read(*data)[1]
    climbs, noise = [], fit.noise
    if fit.free_.noise:  # as the fit understood it, whose method may have another default
        noise = "per-expert" if fit.free_.noise_per_expert else "shared"
    for i in range(smaller.n_experts):
        twins = with_twin(smaller, i)
        while twins.n_experts < fit.model_.n_experts:
            twins = with_twin(twins, 0)
        for start in (twins, _divided(twins, sample, fit.free_)):
            climber = clone(fit).set_params(init=start, noise=noise, **TO_CLIMB)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                climbs.append((climber.fit(*data), caught))
    return max(climbs, key=lambda climb: (climb[0].sound_, climb[0].log_likelihood_))


def _divided(twins, sample, free):
    """Give the first expert half of what the twins answer, the other half to its twin.

    The halves are two clusters of inputs and residuals.
    """
    X, y = sample.X, sample.y
    r = weighted_responsibilities(twins._posterior(X, y), sample.weights)
    residual = (y - twins._expert_means(X)[:, 0]) / twins.noises[0]
    centre = sample.mean(X)
    spread = np.sqrt(sample.mean((X - centre) ** 2))
    points = np.column_stack([(X - centre) / np.where(spread > 0, spread, 1.0), residual])
    halves = KMeans(2, n_init=1, random_state=0).fit_predict(points, sample_weight=r[:, 0] + 1e-12)
    rows = np.column_stack([twins.experts, twins.expert_intercepts])
    place = np.flatnonzero(np.all(rows == rows[0], axis=1))[:2]
    together = r[:, place].sum(axis=1)
    r[:, place[0]], r[:, place[1]] = together * (halves == 0), together * (halves == 1)
    designs, floor = (free.expert_design(X), free.gate_design(X)), noise_floor(sample)
    return m_step(twins, *designs, y, r, free, noise_floor=floor)
