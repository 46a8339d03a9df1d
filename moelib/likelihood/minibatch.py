"""Both standard losses by stochastic gradients: Adam on small batches, in all parameters at once.

The gradients are closed form, see :mod:`moelib.likelihood.score`.
"""

from dataclasses import replace
from itertools import chain, count, islice

import numpy as np
from tqdm import tqdm

from moelib._extras import load
from moelib.climb import Climb, noise_floor
from moelib.data.batches import row_blocks, shuffled_batches
from moelib.likelihood.at_rest import (
    is_at_rest,
    labels_of,
    layout_of,
    mask_and_ridge,
    with_one_noise,
)
from moelib.likelihood.em import penalised
from moelib.likelihood.score import likelihood_factors, mean_gradient, squares_factors
from moelib.parameters import FreeParameters
from moelib.threads import one_blas_thread
from moelib.units import in_units
from moelib.validation import ConvergenceWarning, as_generator, as_positive, as_sample, warn

N_STEPS, N_EPOCHS = 6000, 30  # a run is as long as the longer of the two
N_RECORDS = 20  # how often the objective is taken on all data
SGD_DEFAULTS = dict(learning_rate=0.02, batch_size=64, n_steps=None)  # of both doors


@one_blas_thread
def joint_likelihood_sgd(
    X,
    y,
    init,
    rng,
    *,
    free=FreeParameters(),
    learning_rate=0.02,
    batch_size=64,
    n_steps=None,
    sample_weight=None,
    verbose=False,
):
    """Maximise the likelihood in experts, gates and noise at once, by Adam on small batches.

    Parameters
    ----------
    X : (n, d) array
        Inputs. The run is in units where columns have about unit scale, which one learning rate
        suits, and, with intercepts, mean zero.
    y : (n,) array
        Labels.
    init : GatedModel
        Where to start, see :func:`moelib.random_start`.
    rng : numpy.random.Generator
        For the order of the samples, another one in each pass.
    free : FreeParameters
        What to learn; the rest stays as in ``init``.
    learning_rate : float
        Adam's first rate; it falls to zero along a half cosine.
    batch_size : int
        Samples of a step; the last batch of a pass takes what is left over as well.
    n_steps : int, optional
        Steps; 6000 or thirty passes over the data, whichever is more, if not given.
    sample_weight : (n,) array, optional
        How often each sample counts.
    verbose : bool
        Whether to show progress, and the objective at each record.

    Returns
    -------
    Climb
        Its objective is the log-likelihood per sample, less the ridge's penalty if there is one.
        History and path hold the start and 20 equally spaced steps, each time on all data; a batch
        may lower it. The model is the last one.

    Raises
    ------
    FloatingPointError
        When the objective is no longer finite.

    Warns
    -----
    ConvergenceWarning
        When the run was not at rest at its end, see the notes.

    Notes
    -----
    What is commonly tried first on a gated network. From one random start it can find all experts
    where EM, with many of them, stops short; the stored experiment ``failure-map`` counts both. A
    step costs one batch and no matrix of second derivatives. Compare several starts by their
    objective.

    The rate ends at zero, so a run always ends. It has *converged* if its end is at rest: there the
    gradient on all data, each entry in units of its own standard error, has a root mean square
    below 0.5. That is a bound on the gradient and not a maximum to rounding, and a run that is
    too short may rest on a plateau; :func:`moelib.maximum_likelihood` refines what it found.

    Examples
    --------
    >>> from moelib import random_start, regressor_error, standard_model
    >>> model = standard_model(d=5, n_experts=2)
    >>> rng = np.random.default_rng(0)
    >>> X, y = model.sample(2000, rng)
    >>> fit = joint_likelihood_sgd(X, y, random_start(X, y, 2, rng), rng, n_steps=3000)
    >>> regressor_error(fit.model.experts, model.experts) < 1e-3
    True

    References
    ----------
    Kingma & Ba (2015).   Taught in: :ref:`ch-likelihood-and-em`.
    """
    sample = as_sample(X, y, sample_weight, n_columns=init.n_features)
    options = dict(rng=rng, learning_rate=learning_rate, batch_size=batch_size)
    options |= dict(n_steps=n_steps, verbose=verbose)
    return _rested(in_units(likelihood_sgd_from_sample, sample, init, free, **options))


def likelihood_sgd_from_sample(sample, init, *, rng, free, **options):
    """What :func:`joint_likelihood_sgd` does, on data that have been checked.

    The options are ``learning_rate``, ``batch_size``, ``n_steps`` and ``verbose``.
    """

    def factors(projections, gate_scores, y, noise):
        return likelihood_factors(projections, gate_scores, y, noise, init.link)

    def objective(model):
        parts = [model._log_density(sample.X[b], sample.y[b]) for b in row_blocks(len(sample))]
        return penalised(np.concatenate(parts), model, free, sample.weights)

    return _adam(sample, init, rng, free, factors, objective, **options)


@one_blas_thread
def least_squares_sgd(
    X,
    y,
    init,
    rng,
    *,
    free=FreeParameters(),
    learning_rate=0.02,
    batch_size=64,
    n_steps=None,
    sample_weight=None,
    verbose=False,
):
    r"""Minimise :math:`\hat E (y - \sum_i p_i(x) g(\langle a_i, x\rangle))^2` by Adam on batches.

    Parameters
    ----------
    X : (n, d) array
        Inputs. The run is in units where columns have about unit scale, which one learning rate
        suits, and, with intercepts, mean zero.
    y : (n,) array
        Labels.
    init : GatedModel
        Where to start.
    rng : numpy.random.Generator
        For the order of the samples, another one in each pass.
    free : FreeParameters
        Whether there are intercepts; the noise plays no part.
    learning_rate, batch_size, n_steps, sample_weight, verbose : optional
        As in :func:`joint_likelihood_sgd`.

    Returns
    -------
    Climb
        Its objective is minus the mean squared error on all data, at the start and at 20 equally
        spaced steps; the noise of its model is the root mean square residual of the gated mean.

    Warns
    -----
    ConvergenceWarning
        When the run was not at rest at its end, by the rule of :func:`joint_likelihood_sgd`.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model, rng = standard_model(d=5, n_experts=2), np.random.default_rng(0)
    >>> X, y = model.sample(1000, rng)
    >>> fit = least_squares_sgd(X, y, model, rng, n_steps=2000)
    >>> bool(-fit.objective <= np.mean((y - model.mean(X)) ** 2))
    True
    """
    sample = as_sample(X, y, sample_weight, n_columns=init.n_features)
    options = dict(rng=rng, learning_rate=learning_rate, batch_size=batch_size)
    options |= dict(n_steps=n_steps, verbose=verbose, squares=True)
    return _rested(in_units(squares_sgd_from_sample, sample, init, free, **options))


def squares_sgd_from_sample(sample, init, *, rng, free, **options):
    """What :func:`least_squares_sgd` does, on data that have been checked.

    The options are ``learning_rate``, ``batch_size``, ``n_steps`` and ``verbose``.
    """
    free.refuse_ridge("least squares")
    init = with_one_noise(init)

    def factors(projections, gate_scores, y, noise):
        return squares_factors(projections, gate_scores, y, init.link)

    def objective(model):
        means = [model._mean(sample.X[block]) for block in row_blocks(len(sample))]
        return -float(sample.mean((sample.y - np.concatenate(means)) ** 2))

    free = replace(free, noise=False)
    climb = _adam(sample, init, rng, free, factors, objective, **options)
    residual = max(float(np.sqrt(-climb.objective)), noise_floor(sample))
    model = replace(climb.model, noise=residual)
    return replace(climb, model=model, path=[*climb.path[:-1], model])


def _adam(
    sample, init, rng, free, factors, objective, *, learning_rate, batch_size, n_steps, verbose
):
    """Climb by Adam; every parameter that is not free has gradient zero."""
    torch = load("torch", "a climb by stochastic gradients")
    k = init.n_experts
    rng, rate = as_generator(rng), as_positive(learning_rate, "learning_rate")
    size = min(int(as_positive(batch_size, "batch_size")), len(sample))
    n_steps = _steps(n_steps, len(sample), size)
    layout = layout_of(free, init)
    data = layout.expert_design(sample.X), labels_of(sample)
    theta = torch.from_numpy(layout.vector(init))
    flat, (mask, ridge) = theta.numpy(), mask_and_ridge(free, init)  # flat: the memory of theta
    noises = slice(len(flat) - layout.n_noises(k), None)
    optimizer = torch.optim.Adam([theta], maximize=True, fused=True)
    cosine = (1 + np.cos(np.pi * np.arange(n_steps) / n_steps)) / 2
    floor = np.log(noise_floor(sample)) if free.noise else -np.inf
    records = set(np.linspace(0, n_steps, N_RECORDS + 1).astype(int)[1:])
    path, history = [init], [_finite(objective(init))]
    batches = tqdm(_batches(*data, rng, size, n_steps), total=n_steps, disable=not verbose)
    with np.errstate(over="ignore", invalid="ignore"):
        for step, (design, labels) in enumerate(batches, start=1):
            gradient = mean_gradient(flat, design, labels, k, factors)
            theta.grad = torch.from_numpy((gradient - ridge * flat) * mask)
            optimizer.param_groups[0]["lr"] = rate * cosine[step - 1]
            optimizer.step()
            flat[noises] = np.maximum(flat[noises], floor)
            if step in records:
                path.append(_model(_finite(flat), init, free))
                history.append(_finite(objective(path[-1])))
                batches.set_postfix(objective=f"{history[-1]:.4f}")
    return Climb(path[-1], history, is_at_rest(path[-1], sample, free, factors), path)


def _steps(n_steps, n, size):
    if n_steps is None:
        return max(N_STEPS, -(-N_EPOCHS * n // size))
    return max(int(as_positive(n_steps, "n_steps")), 1)


def _batches(design, labels, rng, size, n_steps):
    """Batches of the rows, pass after pass: n_steps in all."""
    one_pass = shuffled_batches(design, labels, rng, size=size)
    return islice(chain.from_iterable(one_pass() for _ in count()), n_steps)


def _model(flat, init, free):
    model = layout_of(free, init).from_vector(flat, like=init)
    return model if free.noise else replace(model, noise=init.noise)


def _finite(values):
    if not np.all(np.isfinite(values)):
        raise FloatingPointError("the objective is not finite: lower learning_rate")
    return values


def _rested(climb):
    if not climb.converged:
        warn(
            "Adam was not at rest when its steps ran out: raise n_steps, or refine the model with "
            "maximum_likelihood",
            ConvergenceWarning,
        )
    return climb
