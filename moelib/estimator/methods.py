"""What a method is: one row for each, which says what it runs and what it knows.

Methods with *moments* learn the experts first and then the gates, each with a loss of its own; the
others *climb* in all parameters at once, from several starts. Both may be refined at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from moelib.data.batches import BATCH_SIZE, shuffled_batches
from moelib.experts.learn import experts_from_sample
from moelib.experts.sgd import sgd_from_checked
from moelib.experts.spectral import spectral_from_sample
from moelib.likelihood.descent import likelihood_from_sample, squares_from_sample
from moelib.likelihood.em import em_from_sample, gradient_em_from_sample
from moelib.likelihood.minibatch import (
    SGD_DEFAULTS,
    likelihood_sgd_from_sample,
    squares_sgd_from_sample,
)
from moelib.likelihood.pruning import pruned_em_from_sample
from moelib.likelihood.split_merge import MAX_REPAIRS, split_merge_from_sample

LEAST_SGD_STEPS = 300  # of stochastic gradients on L4
COOLING = 0.01  # most that a noise may fall in an iteration of EM that is to go slowly


@dataclass(frozen=True)
class Method:
    """What the estimator has to know of a method.

    Attributes
    ----------
    learn : callable or None
        ``(sample, settings, rng) -> ExpertFit``: methods with moments.
    climb : callable or None
        ``(sample, init, settings, free, rng) -> Climb``: methods that start somewhere.
    surplus : int
        How many times the experts that are asked for a start has.
    truncates : bool
        Whether it can shorten the tails of its moments.
    knows_weights : bool
        Whether it takes sample weights.
    knows_ridge : bool
        Whether it takes a ridge on the gates.
    knows_constant_gate : bool
        Whether it can learn a gate that is constant in x.
    anneals : bool
        Whether it can cool slowly, to a known noise or to one that it learns.
    at_maximum : bool
        Whether it ends at a maximum of the likelihood without a refinement.
    knows_noises : bool
        Whether each expert can have a noise of its own before a refinement.
    knows_features : bool
        Whether experts and gates can use different columns.
    squares : bool
        Whether it climbs minus a squared error, and not a likelihood.
    """

    learn: Callable | None = None
    climb: Callable | None = None
    surplus: int = 1
    truncates: bool = False
    knows_weights: bool = False
    knows_ridge: bool = False
    knows_constant_gate: bool = False
    anneals: bool = False
    at_maximum: bool = False
    knows_noises: bool = False
    knows_features: bool = False
    squares: bool = False


def _l4(sample, settings, rng):
    more = dict(mu=settings.mu, truncate=settings.truncate)
    if settings.solver == "orthonormal":
        more["solver"] = settings.solver
    return experts_from_sample(sample, settings.n_experts, rng, **_of(settings), **more)


def _spectral(sample, settings, rng):
    return spectral_from_sample(sample, settings.n_experts, rng, **_of(settings))


def _spectral_4(sample, settings, rng):
    more = dict(order=4, truncate=settings.truncate)
    return spectral_from_sample(sample, settings.n_experts, rng, **_of(settings), **more)


def _l4_sgd(sample, settings, rng):
    batches = shuffled_batches(sample.X, sample.y, rng)
    n_epochs = -(-LEAST_SGD_STEPS // max(len(sample) // BATCH_SIZE, 1))
    more = dict(mu=settings.mu, n_epochs=n_epochs, verbose=settings.verbose)
    return sgd_from_checked(batches, settings.n_experts, rng, **_of(settings), **more)


def _of(settings):
    """What all methods with moments are told."""
    names = ("link", "n_init", "transforms")
    return {name: getattr(settings, name) for name in names} | {"noise": settings.known_noise}


def _em(sample, init, settings, free, rng):
    slowly: dict = {}
    if settings.anneal and settings.known_noise is None:
        slowly["cooling"] = COOLING
    elif settings.anneal:
        spread = float(np.sqrt(np.cov(sample.y, bias=True, aweights=sample.weights)))
        slowly["anneal_times"] = spread / settings.known_noise
    return em_from_sample(sample, init, **slowly, **to_rest(settings, free))


def _gradient_em(sample, init, settings, free, rng):
    return gradient_em_from_sample(sample, init, **to_rest(settings, free))


def _pruned_em(sample, init, settings, free, rng):
    options = to_rest(settings, free) | dict(n_experts=settings.n_experts)
    return pruned_em_from_sample(sample, init, **options)


def _split_merge_em(sample, init, settings, free, rng):
    options = to_rest(settings, free) | dict(max_repairs=MAX_REPAIRS)
    return split_merge_from_sample(sample, init, **options)


def to_rest(settings, free):
    """What all kinds of EM and the refinement are told."""
    return dict(free=free, max_iter=settings.max_iter, tol=settings.tol)


def _likelihood(sample, init, settings, free, rng):
    options = dict(free=free, solver=settings.solver, max_iter=settings.max_iter)
    return likelihood_from_sample(sample, init, **options)


def _squares(sample, init, settings, free, rng):
    options = dict(free=free, solver=settings.solver, max_iter=settings.max_iter)
    return squares_from_sample(sample, init, **options)


def _likelihood_sgd(sample, init, settings, free, rng):
    options = SGD_DEFAULTS | dict(free=free, verbose=settings.verbose)
    return likelihood_sgd_from_sample(sample, init, rng=rng, **options)


def _squares_sgd(sample, init, settings, free, rng):
    options = SGD_DEFAULTS | dict(free=free, verbose=settings.verbose)
    return squares_sgd_from_sample(sample, init, rng=rng, **options)


WEIGHTS_AND_RIDGE: dict[str, Any] = dict(knows_weights=True, knows_ridge=True)
ANY_EM: dict[str, Any] = dict(
    knows_constant_gate=True, at_maximum=True, knows_noises=True, knows_features=True
)
ANY_GATE: dict[str, Any] = dict(
    knows_constant_gate=True, knows_noises=True, knows_features=True, **WEIGHTS_AND_RIDGE
)

METHODS: dict[str, Method] = {
    "two-loss": Method(learn=_l4, truncates=True, **WEIGHTS_AND_RIDGE),
    "l4-sgd": Method(learn=_l4_sgd, knows_ridge=True),
    "spectral": Method(learn=_spectral, **WEIGHTS_AND_RIDGE),
    "spectral-4": Method(learn=_spectral_4, truncates=True, **WEIGHTS_AND_RIDGE),
    "em": Method(climb=_em, anneals=True, **WEIGHTS_AND_RIDGE, **ANY_EM),
    "em-pruned": Method(climb=_pruned_em, surplus=2, **WEIGHTS_AND_RIDGE, **ANY_EM),
    "em-split-merge": Method(climb=_split_merge_em, **WEIGHTS_AND_RIDGE, **ANY_EM),
    "gradient-em": Method(climb=_gradient_em, **ANY_EM),
    "likelihood": Method(climb=_likelihood, at_maximum=True, knows_noises=True),
    "likelihood-sgd": Method(climb=_likelihood_sgd, **ANY_GATE),
    "least-squares": Method(climb=_squares, squares=True),
    "least-squares-sgd": Method(climb=_squares_sgd, knows_weights=True, squares=True),
}


def recommended(n_experts):
    """What ``method="auto"`` runs, by what the stored experiment ``failure-map`` found.

    EM from several starts for one or two experts; EM that repairs its ends for a few more; and
    minibatch Adam from eight, where a repair takes long.
    """
    if n_experts <= 2:
        return "em"
    return "em-split-merge" if n_experts < 8 else "likelihood-sgd"
