"""Which noise helps: the one in the gradient, or the one in the model?

Part ``arms``: every data set has one random start, and from it every arm climbs the likelihood.
Arms differ in how the gradient is taken (all samples, or batches) and in what the model's noise may
do (known, learned, learned slowly, held for a while, kept from falling by a floor, or made to take
another arm's path). Part ``stuck``: where EM ends wrong, the noise is raised and held at one level,
or the gradients of batches shake the experts, with the noise learned or not; then EM again.
"""

import time
from dataclasses import replace
from functools import partial

import numpy as np

from moelib.experiments.experiment import Experiment
from moelib.experiments.gradient_climb import ALL, gradient_climb
from moelib.likelihood.em import em_from_sample
from moelib.likelihood.starts import random_start
from moelib.likelihood.temperature import held_noise
from moelib.metrics import regressor_error
from moelib.model import standard_model
from moelib.parameters import FreeParameters
from moelib.validation import as_sample

DATA_SETS, FEW = 40, 20  # where samples are few, fewer show that nothing works well
MANY = 4000  # samples
DESIGN = dict(k=10, d=20, noise=0.05)
FREE, KNOWN = FreeParameters(), FreeParameters(noise=False)
REST = dict(max_iter=5000, tol=1e-9)
HELD = 200  # iterations of EM at one noise
RATE, STEPS, FEWER, BATCH = 0.02, 6000, 1500, 64  # FEWER: on all samples, where seconds count
LEVELS = (0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
RATES = (0.005, 0.01, 0.02, 0.04, 0.08)

EM_ARMS: dict[str, dict] = {
    "em, told": dict(told=True),
    "em": dict(),
    **{f"em, cooling {share}": dict(cooling=share) for share in (0.1, 0.03, 0.01, 0.003)},
    "em, held": dict(hold=0.5),
}
ON_ALL: dict = dict(size=ALL, steps=FEWER)
GRADIENT_ARMS: dict[str, dict] = {
    "batch 64, told": dict(told=True),
    "batch 64": dict(),
    "batch 64, slow": dict(noise_rate=0.3),
    "batch 64, cold": dict(cold=True),
    "all, told": ON_ALL | dict(told=True),
    "all": ON_ALL,
    "all, slow": ON_ALL | dict(noise_rate=0.3),
    "all, heated": ON_ALL | dict(heated=True),
    "all, long": dict(size=ALL),
    **{f"batch {size}": dict(size=size) for size in (16, 256, 1024)},
    **{f"rate {rate}": dict(rate=rate) for rate in (0.002, 0.005, 0.08)},
    "gates later": dict(frozen_gates=0.3),
    **{f"sgd, rate {rate}": dict(rate=rate, adam=False) for rate in (0.03, 0.1, 0.3)},
    "sgd, all": ON_ALL | dict(rate=0.3, adam=False),
}
FEW_ARMS = "em; em, cooling 0.01; em, cooling 0.003; em, held; batch 64; batch 16".split("; ")
FEW_ARMS += ["batch 64, slow", "batch 64, cold", "all", "all, slow", "all, heated", "all, long"]
WAYS: dict[str, dict] = {f"rate {rate}": dict(rate=rate) for rate in RATES}
WAYS |= {f"rate {rate}, cold": dict(rate=rate, free=KNOWN) for rate in RATES}
WAYS |= {"all": ON_ALL, "all, cold": ON_ALL | dict(free=KNOWN)}
WAYS |= {"sgd, rate 0.1, cold": dict(rate=0.1, adam=False, free=KNOWN)}


def make_grid():
    """All cells."""
    cells = [("arms", MANY), ("stuck", MANY), ("arms", MANY // 2)]
    return [dict(part=part, **DESIGN, n=n) for part, n in cells]


def run_cell(cell, seed, *, data_sets=DATA_SETS, arms=None):
    """All climbs of a cell.

    Parameters
    ----------
    cell : dict
        A part and a design.
    seed : numpy.random.SeedSequence
        Spawned for data sets, and below them for samples, starts and climbs.
    data_sets : int
        How many at most; in part ``stuck`` those where EM ends right count too, and have no rows.
    arms : iterable of str, optional
        Names of arms, in part ``arms``. Default: all of the cell.

    Returns
    -------
    list of dict
        A row for each data set and arm: ``e_reg``; ``noise`` at the end; ``hot``, the noise while
        it was held, or halfway; ``objective``, log-likelihood per sample.
    """
    rows = []
    for data, data_seed in enumerate(seed.spawn(DATA_SETS)[:data_sets]):
        sample_seed, start_seed, climb_seed = data_seed.spawn(3)
        truth = standard_model(cell["d"], cell["k"], noise=cell["noise"])
        X, y = truth.sample(cell["n"], np.random.default_rng(sample_seed))
        start = random_start(X, y, cell["k"], np.random.default_rng(start_seed))
        sample = as_sample(X, y)
        if cell["part"] == "stuck":
            climbs = _ways_out(sample, start, truth)
        else:
            climbs = [] if cell["n"] < MANY and data >= FEW else _arms(cell, arms)
        for arm, climb in climbs:
            begin = time.process_time()
            model, hot = climb(sample, start, truth.noise, np.random.default_rng(climb_seed))
            seconds = time.process_time() - begin
            rows.append({"data": data, "method": arm, "noise": model.noise, "hot": hot})
            rows[-1]["e_reg"] = regressor_error(model.experts, truth.experts)
            rows[-1]["objective"] = float(np.mean(model.log_density(X, y)))
            rows[-1]["seconds"] = seconds
    return rows


def _arms(cell, names):
    """Name and climb of the arms of a cell."""
    climbs = {name: partial(em_arm, **options) for name, options in EM_ARMS.items()}
    climbs |= {name: partial(gradient_arm, **options) for name, options in GRADIENT_ARMS.items()}
    names = names or (climbs if cell["n"] >= MANY else FEW_ARMS)
    return [(name, climbs[name]) for name in names]


def em_arm(sample, start, noise, rng, *, told=False, cooling=None, hold=None):
    """EM: told the noise, or cooling slowly, or held for a while at a share of the first noise."""
    free = KNOWN if told else FREE
    if told:
        start = replace(start, noise=noise)
    if hold is not None:
        start = held(sample, start, hold * start.noise)
    path = em_from_sample(sample, start, free=free, cooling=cooling, **REST).path
    return path[-1], path[len(path) // 2].noise


def gradient_arm(sample, start, noise, rng, *, told=False, cold=False, heated=False, **options):
    """A climb by gradients: told the noise; cold, with the noise of a climb on all samples, so that
    batches shake but do not heat; or heated to what batches would hold, without any.
    """
    if told:
        start, options["free"] = replace(start, noise=noise), KNOWN
    if cold:
        options["noise_path"] = gradient_climb(sample, start, rng, **ON_ALL)[1]
    if heated:
        k, d = start.experts.shape
        shares = np.full(k, 1 / k)
        options["noise_floor"] = lambda rate: held_noise(rate, BATCH, shares, d, noise=noise)
    model, noises = gradient_climb(sample, start, rng, **options)
    return model, noises[len(noises) // 2]


def _ways_out(sample, start, truth):
    """Nothing where EM ends right; where it ends wrong, that end and the ways to leave it."""
    end = em_from_sample(sample, start, free=FREE, **REST).model
    if regressor_error(end.experts, truth.experts) < 0.05:
        return
    yield "stuck", lambda *_: (end, end.noise)
    for level in LEVELS:
        yield f"held at {level}", partial(_let_go, end, level)
    for name, options in WAYS.items():
        yield name, partial(_shaken, end, options)


def _let_go(end, level, sample, *_):
    """EM at one noise, and then with the noise learned."""
    return em_from_sample(sample, held(sample, end, level), free=FREE, **REST).model, level


def _shaken(end, options, sample, start, noise, rng):
    """A climb by gradients of one rate, and then EM with the noise learned."""
    options = dict(steps=STEPS // 2, cosine=False) | options
    model, noises = gradient_climb(sample, end, rng, **options)
    hot = float(np.mean(noises[len(noises) // 2 :]))
    return em_from_sample(sample, model, free=FREE, **REST).model, hot


def held(sample, model, level):
    """Where EM arrives in ``HELD`` iterations with the noise held at a level."""
    options = dict(free=KNOWN, max_iter=HELD, tol=-np.inf)
    return em_from_sample(sample, replace(model, noise=level), **options).model


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
