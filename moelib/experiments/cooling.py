"""Which noise helps: the one in the gradient, or the one in the model?

Part ``arms``: every data set has one random start, and from it every arm climbs the likelihood.
Arms differ in how the gradient is taken (all samples, or batches) and in what the model's noise may
do (known, learned, learned slowly, held for a while). Part ``stuck``: where EM ends wrong, the
noise is raised, held at one level by hand or by the learning rate of minibatch Adam, and let go.
"""

import time
from dataclasses import replace
from itertools import chain, count, islice

import numpy as np

from moelib.data.batches import shuffled_batches
from moelib.experiments.experiment import Experiment
from moelib.experiments.failure_map import BASE, draw
from moelib.likelihood.at_rest import labels_of, layout_of, mask_and_ridge
from moelib.likelihood.em import em_from_sample
from moelib.likelihood.score import likelihood_factors, mean_gradient
from moelib.likelihood.starts import random_start
from moelib.metrics import regressor_error
from moelib.parameters import FreeParameters
from moelib.validation import as_sample

DATA_SETS, FEW = 40, 20  # where samples are few it takes fewer to see that nothing works well
FREE, KNOWN = FreeParameters(), FreeParameters(noise=False)
MANY = 4000  # samples
REST = dict(max_iter=5000, tol=1e-7)
HELD = 200  # iterations of EM at one temperature
BETAS, ADAM_EPS = (0.9, 0.999), 1e-8
RATE, STEPS = 0.02, 6000
FEWER = 1500  # steps on all samples, of the arms that are compared at equal seconds
LEVELS = (0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
RATES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)

ALL = 10**9  # samples of a batch: all
EM_ARMS: dict[str, dict] = {
    "em, told": dict(told=True),
    "em": dict(),
    **{f"em, cooling {share}": dict(cooling=share) for share in (0.1, 0.03, 0.01, 0.003)},
    "em, held": dict(hold=0.5),
}
GRADIENT_ARMS: dict[str, dict] = {
    "batch 64, told": dict(told=True),
    "batch 64": dict(),
    "batch 64, slow": dict(noise_rate=0.3),
    "all, told": dict(size=ALL, steps=FEWER, told=True),
    "all": dict(size=ALL, steps=FEWER),
    "all, slow": dict(size=ALL, steps=FEWER, noise_rate=0.3),
    "all, long": dict(size=ALL),
    **{f"batch {size}": dict(size=size) for size in (16, 256, 1024)},
    **{f"rate {rate}": dict(rate=rate) for rate in (0.002, 0.005, 0.08)},
    "gates later": dict(frozen_gates=0.3),
    **{f"sgd, rate {rate}": dict(rate=rate, adam=False) for rate in (0.03, 0.1, 0.3)},
    "sgd, all": dict(size=ALL, steps=FEWER, rate=0.3, adam=False),
}
FEW_SAMPLES = "em; em, cooling 0.01; em, cooling 0.003; em, held; batch 64; batch 16".split("; ")
FEW_SAMPLES += ["batch 64, slow", "all", "all, slow", "all, long"]


def make_grid():
    """All cells."""
    many, few = (BASE | dict(k=10, d=20, n=n) for n in (MANY, MANY // 2))
    return [dict(part=part) | cell for part, cell in (("arms", many), ("stuck", many))] + [
        dict(part="arms") | few
    ]


def run_cell(cell, seed, *, data_sets=DATA_SETS, arms=None):
    """All climbs of a cell.

    Parameters
    ----------
    cell : dict
        A part and a design.
    seed : numpy.random.SeedSequence
        Spawned for data sets, and below them for starts and climbs.
    data_sets : int
        How many at most; with part ``stuck`` it counts those where EM has ended wrong too.
    arms : iterable of str, optional
        Names of arms. Default: all of the cell.

    Returns
    -------
    list of dict
        A row for each data set and arm: ``e_reg``; ``noise`` at the end; ``hot``, the noise while
        it was held, or halfway; ``objective``, log-likelihood per sample.
    """
    rows = []
    most = DATA_SETS if cell["n"] >= MANY else FEW
    for data, data_seed in enumerate(seed.spawn(most)[:data_sets]):
        sample_seed, start_seed, climb_seed = data_seed.spawn(3)
        truth, X, y = draw(cell, np.random.default_rng(sample_seed))
        start = random_start(X, y, cell["k"], np.random.default_rng(start_seed), link=truth.link)
        sample = as_sample(X, y)
        climbs = _stuck(sample, start, truth) if cell["part"] == "stuck" else _arms(cell, arms)
        for arm, climb in climbs:
            begin = time.process_time()
            model, hot = climb(sample, start, truth.noise, np.random.default_rng(climb_seed))
            seconds = time.process_time() - begin
            row = {
                "data": data,
                "method": arm,
                "e_reg": regressor_error(model.experts, truth.experts),
            }
            row |= {"noise": model.noise, "hot": hot, "seconds": seconds}
            row["objective"] = float(np.mean(model.log_density(X, y)))
            rows.append(row)
    return rows


def _arms(cell, names):
    """Name and climb of every arm that a cell has."""
    climbs = {name: _em_arm(**options) for name, options in EM_ARMS.items()}
    climbs |= {name: _gradient_arm(**options) for name, options in GRADIENT_ARMS.items()}
    if names is None:
        names = climbs if cell["n"] >= MANY else FEW_SAMPLES
    return [(name, climbs[name]) for name in names]


def _em_arm(*, told=False, cooling=None, hold=None):
    def climb(sample, start, noise, rng):
        if hold is not None:
            start = held(sample, start, hold * start.noise)
        elif told:
            start = replace(start, noise=noise)
        free = KNOWN if told else FREE
        path = em_from_sample(sample, start, free=free, cooling=cooling, **REST).path
        return path[-1], path[len(path) // 2].noise

    return climb


def _gradient_arm(*, told=False, **options):
    def climb(sample, start, noise, rng):
        start = replace(start, noise=noise) if told else start
        return descend(sample, start, rng, free=KNOWN if told else FREE, **options)

    return climb


def _stuck(sample, start, truth):
    """Nothing where EM ends right; where it ends wrong that end, and the ways to leave it."""
    end = em_from_sample(sample, start, free=FREE, **REST).model
    if regressor_error(end.experts, truth.experts) < 0.05:
        return
    yield "stuck", lambda *_: (end, end.noise)
    for level in LEVELS:
        yield f"held at {level}", lambda *_, level=level: let_go(sample, end, level)
    ways: dict[str, dict] = {f"rate {rate}": dict(rate=rate) for rate in RATES}
    ways["all"] = dict(size=ALL, steps=FEWER)
    ways |= {f"rate {rate}, cold": dict(rate=rate, free=KNOWN) for rate in (RATE, 2 * RATE)}
    for name, options in ways.items():
        yield name, lambda *args, options=options: _by_rate(sample, end, args[-1], **options)


def _by_rate(sample, end, rng, *, steps=STEPS // 2, **options):
    """Adam at one rate, whose batches hold a noise of their own if it is learned; then EM."""
    model, hot = descend(sample, end, rng, steps=steps, cosine=False, **options)
    return em_from_sample(sample, model, free=FREE, **REST).model, hot


def let_go(sample, model, level):
    """EM at one noise for a while, and then with the noise learned; the end, and the level."""
    model = held(sample, model, level)
    return em_from_sample(sample, model, free=FREE, **REST).model, level


def held(sample, model, level):
    """Where EM arrives in ``HELD`` iterations with the noise held at a level."""
    options = dict(free=KNOWN, max_iter=HELD, tol=-np.inf)
    return em_from_sample(sample, replace(model, noise=level), **options).model


def descend(
    sample,
    init,
    rng,
    *,
    free=FREE,
    size=64,
    steps=STEPS,
    rate=RATE,
    noise_rate=1.0,
    frozen_gates=0.0,
    adam=True,
    cosine=True,
):
    """Climb the likelihood by gradients, every ingredient apart.

    Parameters
    ----------
    sample : Sample
        The data.
    init : GatedModel
        Where to start.
    rng : numpy.random.Generator
        For the order of the samples.
    free : FreeParameters
        What to learn.
    size : int
        Samples of a batch; all of them for a gradient without noise.
    steps : int
        Number of steps.
    rate : float
        First learning rate; falls along a half cosine if ``cosine``.
    noise_rate : float
        Factor of the rate of the log noise.
    frozen_gates : float
        Share of the steps in which gates do not move.
    adam : bool
        Adam, or the plain gradient times the rate.
    cosine : bool
        Whether the rate falls.

    Returns
    -------
    model : GatedModel
        Where it ended.
    hot : float
        The noise: its mean over the second half of the steps if the rate stays, else halfway.
    """
    layout, (mask, _), k = layout_of(free, init), mask_and_ridge(free, init), init.n_experts
    data = layout.expert_design(sample.X), labels_of(sample)
    theta, first, second = layout.vector(init), 0.0, 0.0
    rates, gates = np.where(mask, 1.0, 0.0), np.zeros(len(mask), dtype=bool)
    rates[-1] *= noise_rate
    layout.blocks(gates, *init.experts.shape)[1][:] = True

    def factors(projections, gate_scores, y, noise):
        return likelihood_factors(projections, gate_scores, y, noise, init.link)

    log_noises = np.zeros(steps)
    for step, (design, labels) in enumerate(_batches(*data, rng, size, steps)):
        gradient = mean_gradient(theta, design, labels, k, factors) * mask
        if step < frozen_gates * steps:
            gradient[gates] = 0.0
        if adam:
            first = BETAS[0] * first + (1 - BETAS[0]) * gradient
            second = BETAS[1] * second + (1 - BETAS[1]) * gradient**2
            corrected = second / (1 - BETAS[1] ** (step + 1))
            gradient = first / (1 - BETAS[0] ** (step + 1)) / (np.sqrt(corrected) + ADAM_EPS)
        now = rate * ((1 + np.cos(np.pi * step / steps)) / 2 if cosine else 1.0)
        theta = theta + now * rates * gradient
        log_noises[step] = theta[-1]
    half = log_noises[steps // 2 :]
    return layout.from_vector(theta, like=init), float(np.exp(half[0] if cosine else half.mean()))


def _batches(design, labels, rng, size, steps):
    if size >= len(labels):
        return ((design, labels) for _ in range(steps))
    one_pass = shuffled_batches(design, labels, rng, size=size)
    return islice(chain.from_iterable(one_pass() for _ in count()), steps)


COOLING = Experiment(
    name="cooling",
    description=(
        f"Which noise helps: {len(EM_ARMS) + len(GRADIENT_ARMS)} ways to climb the likelihood from "
        f"the same random start, and ways out of EM's wrong ends; {DATA_SETS} data sets."
    ),
    grid=make_grid(),
    run=run_cell,
    keys=("data", "method"),
)
