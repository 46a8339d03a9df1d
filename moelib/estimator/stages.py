"""The stages of a fit: starts, climbs, moments and the refinement, in the sample's own units."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
from tqdm import tqdm

from moelib.climb import Climb
from moelib.estimator.assumptions import check_two_loss_inputs
from moelib.estimator.methods import METHODS, to_rest
from moelib.estimator.remarks import say
from moelib.gates.degeneracy import collapsed_experts, counted, is_sound
from moelib.gates.learn import gates_from_sample
from moelib.likelihood.maximum import maximum_from_sample
from moelib.likelihood.starts import start_from_sample
from moelib.links import as_link
from moelib.model import GatedModel
from moelib.units import Units
from moelib.validation import ConvergenceWarning

LEAST_GAIN = 1e-6  # nats per sample by which another end is likelier
ROUGH = 1e-5  # nats per sample; starts that are to be compared and refined climb no closer
TRIES = 3  # ends that are refined in the search for one that is sound


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
    at_maximum : bool
        Whether the likelihood was maximised.
    """

    climb: Climb
    stages: dict
    start_objectives: np.ndarray | None = None
    at_maximum: bool = False


def run(settings, sample, free, rng):
    """Run all stages of a fit, in the sample's own units, and carry them back.

    Parameters
    ----------
    settings : namespace
        Parameters of ``MixtureOfExperts``, see :func:`moelib.estimator.checks.resolved`.
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
    with np.errstate(over="ignore", invalid="ignore"):  # a link may overflow where steps overshoot
        found = _run(settings, sample, free, rng)
    if not found.climb.converged:
        say(_what_did_not_converge(settings), ConvergenceWarning)
    return found


def _run(settings, sample, free, rng):
    method, units = METHODS[settings.method], Units.of(sample, free, as_link(settings.link))
    data, inner_free = units.sample(sample), units.inward_free(free)
    inner = _inward(settings, units)
    if method.learn:
        found = _two_losses(method.learn, settings, sample, free, rng)
        if settings.refine:
            start = units.inward(found.climb.model)
            refined = _likelier(start, inner, data, inner_free)
            refined = units.outward_climb(refined, known_noise=settings.known_noise)
            found = replace(found, climb=refined, stages=found.stages | {"refine": refined})
    else:
        found = _best_of_starts(method, inner, data, inner_free, rng)
        found = _outward(found, units, settings, squares=method.squares)
    return replace(found, at_maximum=settings.refine or method.at_maximum)


def _inward(settings, units):
    """The settings, their known noise and their first model in the sample's own units."""
    inner = SimpleNamespace(**vars(settings))
    if settings.known_noise is not None:
        inner.known_noise = settings.known_noise / units.label_scale
    if isinstance(settings.init, GatedModel):
        inner.init = units.inward(settings.init)
    return inner


def _outward(found, units, settings, *, squares):
    """What was found, of the data as they are."""
    stages = {}
    for stage, climb in found.stages.items():
        options = dict(squares=squares and stage == settings.method)
        if not options["squares"]:
            options["known_noise"] = settings.known_noise
        stages[stage] = units.outward_climb(climb, **options)
    factor, shift = (units.label_scale**2, 0.0) if squares else (1.0, np.log(units.label_scale))
    objectives = factor * found.start_objectives - shift
    return replace(
        found, climb=list(stages.values())[-1], stages=stages, start_objectives=objectives
    )


def _what_did_not_converge(settings):
    many = f"{settings.n_experts} expert" + "s" * (settings.n_experts > 1)
    if settings.method in ("likelihood-sgd", "least-squares-sgd") and not settings.refine:
        return f"Adam was not at rest with {many} when its steps ran out: use refine=True"
    return (
        f"the fit of {many} did not converge in {settings.max_iter} iterations: raise max_iter; or "
        "use fewer experts, for climbs creep where two of them coincide"
    )


def _likelier(model, settings, data, free):
    """The climb to a maximum of the likelihood, after moments.

    Gates that were learned with poor experts can lead astray. So it climbs from indifferent gates
    too, and keeps that end if it is clearly likelier, or sound where the first is not.
    """
    refined = maximum_from_sample(data, model, **to_rest(settings, free))
    noise = float(np.sqrt(data.mean(data.y**2))) if free.noise else model.noise
    blank = replace(model, gates=np.zeros_like(model.gates), noise=noise)
    other = maximum_from_sample(data, blank, **to_rest(settings, free))
    clearly = other.objective > refined.objective + LEAST_GAIN
    sound, other_sound = (is_sound(one.model, data, free) for one in (refined, other))
    return other if (other_sound, clearly) > (sound, False) else refined


def _two_losses(learn, settings, sample, free, rng):
    """First the experts, by a loss without a gate, then the gates with the experts fixed.

    Neither loss knows intercepts. Where they are asked for, columns and labels are centred before
    and the experts share one line's offset until the refinement.
    """
    centring = _centring(sample, free, as_link(settings.link))
    data = centring.sample(sample)
    check_two_loss_inputs(data, settings.n_experts, link=settings.link)
    with np.errstate(all="ignore"):  # moments that are zero: the experts' own warning says so
        experts = learn(data, settings, rng)
    units = centring
    if settings.gate_ridge:  # it is for columns of unit spread, which the moments' need not be
        units = replace(centring, scale=np.sqrt(data.mean((data.X - data.mean(data.X)) ** 2)))
    gates = gates_from_sample(
        units.sample(sample),
        experts.experts * units.scale,
        link=settings.link,
        noise=settings.known_noise,
        gate_ridge=settings.gate_ridge,
        max_iter=settings.max_iter,
    )
    gates = units.outward_climb(gates, known_noise=settings.known_noise)
    return Found(gates, {"experts": experts, "gates": gates})


def _centring(sample, free, link):
    """Units of centred data, of the scale they have."""
    d = sample.X.shape[1]
    centre = sample.mean(sample.X) if free.intercepts else np.zeros(d)
    moves = free.intercepts and link.name == "identity"
    return Units(centre, np.ones(d), float(sample.mean(sample.y)) if moves else 0.0, 1.0)


def _best_of_starts(method, settings, data, free, rng):
    """Climb from every start, keep the best end, refine it if asked to.

    A fit whose noise has collapsed has a likelihood without a maximum. It comes after all that are
    sound, at the end of the starts and after the refinement.
    """
    rough, climbs, name = SimpleNamespace(**vars(settings)), [], f"{settings.method} starts"
    if settings.n_init > 1 and settings.refine:
        rough.tol = max(settings.tol, ROUGH)
    for kind in tqdm(_kinds(settings), desc=name, disable=not settings.verbose):
        start = _start(settings, kind, data, free, rng)
        climbs.append(method.climb(data, start, rough, free, rng))
    ranks = [(is_sound(one.model, data, free), one.objective) for one in climbs]
    order = sorted(range(len(climbs)), key=ranks.__getitem__, reverse=True)
    objectives = np.array([one.objective for one in climbs])
    ends = (_finished(climbs[i], settings, data, free) for i in order[:TRIES])
    best = next(ends)
    if not is_sound(best.climb.model, data, free):
        best = next((end for end in ends if is_sound(end.climb.model, data, free)), best)
    exact = [answers_exactly(one.model, data, free) for one in climbs]
    ahead = objectives > best.climb.objective + LEAST_GAIN
    if is_sound(best.climb.model, data, free) and np.any(ahead & exact):
        say(
            f"{np.sum(ahead & exact)} of {len(climbs)} starts ended likelier, in a fit whose noise "
            "had collapsed, and were set aside: some labels can be answered exactly. If that is a "
            "regime of its own (a fixed price, a cap, zeros), model it apart"
        )
    return replace(best, start_objectives=objectives)


def answers_exactly(model, data, free):
    """Whether an expert whose noise has collapsed answers many samples.

    Through a few samples, no more than twice its parameters, there is always an expert that answers
    them exactly: that says nothing about the labels.
    """
    collapsed = collapsed_experts(model, data, free)
    answers = counted(data) * data.mean(model._posterior(data.X, data.y))
    return bool(np.any(answers[collapsed] > 2 * free.widths(model.n_features)[0]))


def _finished(climb, settings, data, free):
    stages = {settings.method: climb}
    if settings.refine:
        climb = maximum_from_sample(data, climb.model, **to_rest(settings, free))
        stages["refine"] = climb
    return Found(climb, stages)


def _kinds(settings):
    """The kind of each start. Mixed are random ones, but for the last of several.

    Random experts miss regimes that are far apart, k-means those that overlap.
    """
    kinds = [settings.init] * settings.n_init
    if isinstance(settings.init, GatedModel) or settings.init != "mixed":
        return kinds
    return ["random"] * (settings.n_init - 1) + ["kmeans" if settings.n_init > 1 else "random"]


def _start(settings, kind, data, free, rng):
    if isinstance(kind, GatedModel):
        kind, noise = free.restricted(kind), settings.known_noise
        if not free.gate_slopes:  # constant in x, whatever it was
            kind = replace(kind, gates=np.zeros_like(kind.gates))
        if noise is None and free.noise is True:  # one for all, whatever it had
            noise = float(np.sqrt(np.mean(kind.noises**2)))
        return kind if noise is None else replace(kind, noise=noise)
    n_experts = METHODS[settings.method].surplus * settings.n_experts
    if settings.init == "mixed" and kind == "kmeans" and not _has_points(data, n_experts):
        kind = "random"
    options = dict(init=kind, link=settings.link, free=free, noise=settings.known_noise)
    return start_from_sample(data, n_experts, rng, **options)


def _has_points(data, k):
    """Whether there are k different samples, which k clusters need."""
    seen = slice(None) if data.weights is None else data.weights > 0
    if len(np.unique(data.y[seen])) >= k:
        return True
    return len(np.unique(np.column_stack([data.X, data.y])[seen], axis=0)) >= k
