"""Whether a climb by gradients has ended at rest, and the one vector in which such climbs move.

The vector has all slopes, intercepts and log noises of a model; a mask says which are learned.
"""

from dataclasses import replace

import numpy as np

from moelib.likelihood.score import standardised_gradient
from moelib.parameters import FreeParameters

REST = 0.5  # root mean square of the gradient at the end, in its standard errors


def is_at_rest(model, sample, free, factors):
    """Whether the gradient at a model is small beside its own standard error.

    Parameters
    ----------
    model : GatedModel
        Where to look.
    sample : Sample
        The data.
    free : FreeParameters
        What is learned.
    factors : callable
        Takes projections, the gates' scores, y and the noise, as
        :func:`moelib.likelihood.score.likelihood_factors` does.

    Returns
    -------
    bool
        Whether its root mean square, over what is learned, is below 0.5.
    """
    layout, (mask, ridge) = layout_of(free, model), mask_and_ridge(free, model)
    data = layout.expert_design(sample.X), labels_of(sample)
    options = dict(total=sample.total, ridge=ridge)
    with np.errstate(over="ignore", invalid="ignore"):
        slope = standardised_gradient(
            layout.vector(model), *data, model.n_experts, factors, **options
        )
    return bool(np.sqrt(np.mean(slope[mask] ** 2)) < REST)


def layout_of(free, model):
    """The layout of the vector: slopes on all columns, intercepts, and one noise or k."""
    own = free.noise_per_expert or (not free.noise and np.ndim(model.noise) > 0)
    return FreeParameters(intercepts=True, noise="per-expert" if own else True)


def mask_and_ridge(free, init):
    """Which entries of the vector are learned, and the ridge of each."""
    (k, d), layout = init.experts.shape, layout_of(free, init)
    mask, ridge = np.zeros(layout.count(k, d), dtype=bool), np.zeros(layout.count(k, d))
    experts, gates, log_noises = layout.blocks(mask, k, d)
    experts[:, free.expert_columns(d)], experts[:, d] = True, free.intercepts
    gates[:, free.gate_columns(d)], gates[:, d] = True, free.gate_intercepts
    log_noises[:] = bool(free.noise)
    layout.blocks(ridge, k, d)[1][:, :d] = free.gate_ridge
    return mask, ridge


def with_one_noise(model):
    """The model with one noise, where it has several: for losses in which it plays no part."""
    if np.ndim(model.noise) == 0:
        return model
    return replace(model, noise=float(np.sqrt(np.mean(model.noise**2))))


def labels_of(sample):
    """Labels and the weights of the samples, (n, 2)."""
    weights = np.ones(len(sample)) if sample.weights is None else sample.weights
    return np.column_stack([sample.y, weights])
