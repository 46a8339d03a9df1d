"""A climb of the likelihood by gradients whose ingredients can be taken apart, for experiments.

:func:`moelib.joint_likelihood_sgd` is the one to use; here the noise may have a rate, a floor or a
path of its own, the gradient may be plain, and the gates may wait.
"""

from itertools import chain, count, islice

import numpy as np

from moelib.data.batches import shuffled_batches
from moelib.likelihood.at_rest import labels_of, layout_of, mask_and_ridge
from moelib.likelihood.score import likelihood_factors, mean_gradient
from moelib.parameters import FreeParameters

BETAS, EPSILON = (0.9, 0.999), 1e-8  # Adam's
ALL = 10**9  # samples of a batch: all


def gradient_climb(
    sample,
    init,
    rng,
    *,
    free=FreeParameters(),
    size=64,
    steps=6000,
    rate=0.02,
    adam=True,
    cosine=True,
    noise_rate=1.0,
    noise_floor=None,
    noise_path=None,
    frozen_gates=0.0,
):
    """Climb the likelihood by gradients, every ingredient apart.

    Parameters
    ----------
    sample : Sample
        The data.
    init : GatedModel
        Where to start, with one noise.
    rng : numpy.random.Generator
        For the order of the samples.
    free : FreeParameters
        What to learn.
    size : int
        Samples of a batch; ``ALL`` for a gradient without noise.
    steps : int
        Number of steps.
    rate : float
        First learning rate.
    adam : bool
        Adam, or the plain gradient times the rate.
    cosine : bool
        Whether the rate falls to zero along a half cosine.
    noise_rate : float
        Factor of the rate of the log noise.
    noise_floor : callable, optional
        Takes the rate of a step; the noise is kept from falling below what it returns.
    noise_path : (m,) array, optional
        The noise is not learned but follows these values, stretched over all steps.
    frozen_gates : float
        Share of the steps in which gates wait.

    Returns
    -------
    model : GatedModel
        Where it ended.
    noises : (steps,) array
        The noise after every step.
    """
    layout, (mask, _), k = layout_of(free, init), mask_and_ridge(free, init), init.n_experts
    data = layout.expert_design(sample.X), labels_of(sample)
    theta, first, second = layout.vector(init), 0.0, 0.0
    speeds, gates = mask.astype(float), np.zeros(len(mask), dtype=bool)
    speeds[-1] *= noise_rate
    layout.blocks(gates, *init.experts.shape)[1][:] = True
    rates = rate * (
        (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2 if cosine else np.ones(steps)
    )

    def factors(projections, gate_scores, y, noise):
        return likelihood_factors(projections, gate_scores, y, noise, init.link)

    noises = np.zeros(steps)
    for step, (design, labels) in enumerate(_batches(*data, rng, size, steps)):
        if noise_path is not None:
            theta[-1] = np.log(noise_path[int(step / steps * len(noise_path))])
        elif noise_floor is not None:
            theta[-1] = max(theta[-1], np.log(noise_floor(rates[step])))
        gradient = mean_gradient(theta, design, labels, k, factors) * mask
        if step < frozen_gates * steps:
            gradient[gates] = 0.0
        if adam:
            first = BETAS[0] * first + (1 - BETAS[0]) * gradient
            second = BETAS[1] * second + (1 - BETAS[1]) * gradient**2
            size_of = np.sqrt(second / (1 - BETAS[1] ** (step + 1))) + EPSILON
            gradient = first / (1 - BETAS[0] ** (step + 1)) / size_of
        theta = theta + rates[step] * speeds * gradient
        noises[step] = np.exp(theta[-1])
    return layout.from_vector(theta, like=init), noises


def _batches(design, labels, rng, size, steps):
    """So many batches, pass after pass; all samples every time if a batch takes them all."""
    if size >= len(labels):
        return ((design, labels) for _ in range(steps))
    one_pass = shuffled_batches(design, labels, rng, size=size)
    return islice(chain.from_iterable(one_pass() for _ in count()), steps)
