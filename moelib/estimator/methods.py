"""What a method is: one row for each, which says what it runs and what it knows.

Methods with *moments* learn the experts first and then the gates, each with a loss of its own; the
others *climb* in all parameters at once, from several starts. Both may be refined at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tqdm import tqdm

from moelib.climb import Climb
from moelib.data.batches import BATCH_SIZE, shuffled_batches
from moelib.estimator.assumptions import check_two_loss_inputs
from moelib.experts.learn import experts_from_sample
from moelib.experts.sgd import sgd_from_checked
from moelib.experts.spectral import spectral_from_sample
from moelib.gates.learn import gates_from_sample
from moelib.likelihood.descent import likelihood_from_sample, squares_from_sample
from moelib.likelihood.em import em_from_sample, gradient_em_from_sample
from moelib.likelihood.maximum import maximum_from_sample
from moelib.likelihood.minibatch import (
    SGD_DEFAULTS,
    likelihood_sgd_from_sample,
    squares_sgd_from_sample,
)
from moelib.likelihood.pruning import pruned_em_from_sample
from moelib.likelihood.split_merge import MAX_REPAIRS, split_merge_from_sample
from moelib.likelihood.starts import start_from_sample
from moelib.model import GatedModel
from moelib.validation import ConvergenceWarning, warn

LEAST_SGD_STEPS = 300  # of stochastic gradients on L4
LEAST_GAIN = 1e-6  # nats per sample by which another end is likelier


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
        Whether it can come down to a known noise.
    at_maximum : bool
        Whether it ends at a maximum of the likelihood without a refinement.
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


@dataclass(frozen=True, eq=False)
class Found:
    """What the stages of a fit found.

    Attributes
    ----------
    climb : Climb
        The last stage.
    stages : dict
        Name of a stage -> its result, which has a history: a ``Climb``, or an ``ExpertFit``.
    start_objectives : (n_init,) array or None
        The last objective of every start, for methods that start somewhere.
    """

    climb: Climb
    stages: dict
    start_objectives: np.ndarray | None = None


def run(settings, sample, free, rng):
    """Run all stages of a fit.

    Parameters
    ----------
    settings : MixtureOfExperts
        Read for its parameters only.
    sample : Sample
        The data.
    free : FreeParameters
        What to learn.
    rng : numpy.random.Generator
        For the starts.

    Returns
    -------
    Found
    """
    method = METHODS[settings.method]
    if method.learn:
        found = _two_losses(method.learn, settings, sample, rng)
    else:
        found = _best_of_starts(method.climb, settings, sample, free, rng)
    if settings.refine:
        refined = _refined(found.climb.model, settings, sample, free)
        found = replace(found, climb=refined, stages=found.stages | {"refine": refined})
    if not found.climb.converged:
        warn("the fit did not converge: raise max_iter", ConvergenceWarning)
    return found


def _refined(model, settings, sample, free):
    """The climb to a maximum of the likelihood.

    Gates that were learned with poor experts can lead astray. So after moments it climbs from
    indifferent gates too, and keeps that end if it is clearly likelier.
    """
    refined = maximum_from_sample(sample, model, **_to_rest(settings, free))
    if not METHODS[settings.method].learn:
        return refined
    noise = float(np.sqrt(sample.mean(sample.y**2))) if free.noise else model.noise
    blank = replace(model, gates=np.zeros_like(model.gates), noise=noise)
    other = maximum_from_sample(sample, blank, **_to_rest(settings, free))
    return other if other.objective > refined.objective + LEAST_GAIN else refined


def _two_losses(learn, settings, sample, rng):
    """First the experts, by a loss without a gate, then the gates with the experts fixed."""
    check_two_loss_inputs(sample, settings.n_experts, link=settings.link)
    experts = learn(sample, settings, rng)
    gates = gates_from_sample(
        sample,
        experts.experts,
        link=settings.link,
        noise=settings.noise,
        gate_ridge=settings.gate_ridge,
    )
    return Found(gates, {"experts": experts, "gates": gates})


def _best_of_starts(climb, settings, sample, free, rng):
    """Climb from every start and keep the best end."""
    climbs, name = [], f"{settings.method} starts"
    for _ in tqdm(range(settings.n_init), desc=name, disable=not settings.verbose):
        start = _start(settings, sample, free, rng)
        climbs.append(climb(sample, start, settings, free, rng))
    objectives = np.array([one.objective for one in climbs])
    best = climbs[int(np.argmax(objectives))]
    return Found(best, {settings.method: best}, objectives)


def _start(settings, sample, free, rng):
    if isinstance(settings.init, GatedModel):
        init = settings.init
        return init if settings.noise is None else replace(init, noise=settings.noise)
    options = dict(init=settings.init, link=settings.link, free=free, noise=settings.noise)
    n_experts = METHODS[settings.method].surplus * settings.n_experts
    return start_from_sample(sample, n_experts, rng, **options)


def _l4(sample, settings, rng):
    more = dict(mu=settings.mu, truncate=settings.truncate)
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
    names = ("link", "noise", "n_init", "transforms")
    return {name: getattr(settings, name) for name in names}


def _em(sample, init, settings, free, rng):
    spread = float(np.sqrt(np.cov(sample.y, bias=True, aweights=sample.weights)))
    anneal_from = spread if settings.anneal else None
    return em_from_sample(sample, init, anneal_from=anneal_from, **_to_rest(settings, free))


def _gradient_em(sample, init, settings, free, rng):
    return gradient_em_from_sample(sample, init, **_to_rest(settings, free))


def _pruned_em(sample, init, settings, free, rng):
    return pruned_em_from_sample(sample, init, settings.n_experts, **_to_rest(settings, free))


def _split_merge_em(sample, init, settings, free, rng):
    options = _to_rest(settings, free) | dict(max_repairs=MAX_REPAIRS)
    return split_merge_from_sample(sample, init, **options)


def _to_rest(settings, free):
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
    return likelihood_sgd_from_sample(sample, init, rng, **options)


def _squares_sgd(sample, init, settings, free, rng):
    options = SGD_DEFAULTS | dict(free=free, verbose=settings.verbose)
    return squares_sgd_from_sample(sample, init, rng, **options)


WEIGHTS_AND_RIDGE: dict[str, Any] = dict(knows_weights=True, knows_ridge=True)
ANY_EM: dict[str, Any] = dict(knows_constant_gate=True, at_maximum=True)

METHODS: dict[str, Method] = {
    "two-loss": Method(learn=_l4, truncates=True, **WEIGHTS_AND_RIDGE),
    "l4-sgd": Method(learn=_l4_sgd, knows_ridge=True),
    "spectral": Method(learn=_spectral, **WEIGHTS_AND_RIDGE),
    "spectral-4": Method(learn=_spectral_4, truncates=True, **WEIGHTS_AND_RIDGE),
    "em": Method(climb=_em, anneals=True, **WEIGHTS_AND_RIDGE, **ANY_EM),
    "em-pruned": Method(climb=_pruned_em, surplus=2, **WEIGHTS_AND_RIDGE, **ANY_EM),
    "em-split-merge": Method(climb=_split_merge_em, **WEIGHTS_AND_RIDGE, **ANY_EM),
    "gradient-em": Method(climb=_gradient_em, **ANY_EM),
    "likelihood": Method(climb=_likelihood, at_maximum=True),
    "likelihood-sgd": Method(climb=_likelihood_sgd, knows_constant_gate=True, **WEIGHTS_AND_RIDGE),
    "least-squares": Method(climb=_squares),
    "least-squares-sgd": Method(climb=_squares_sgd, knows_weights=True),
}
