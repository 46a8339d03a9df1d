"""The frontier: how many samples, and how many seconds, until all of many experts are found.

A cell is a design with d = 2k and a number of samples. On each of its data sets every method runs
once: Adam on batches from one random start, two schedules with a leaky link at first, EM that cools
slowly or splits and merges, the two losses alone, and the two losses as the start of Adam. Each has
the setting that served it best on other data. One row climbs *from the truth*: no method, but what
a search could have found.

Data of at most ``HELD`` numbers are in memory, and drawing them costs no method anything. Larger
ones are streams: only the two losses run, each pass draws them again, and that counts.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax

from moelib.data.batches import drawn_batches
from moelib.experiments.experiment import Experiment
from moelib.experiments.frontier_plan import (
    ADAM,
    BOTH,
    COLD,
    COOLED,
    DATA_SETS,
    FALLING,
    FEW,
    HELD,
    L4,
    LEAKY,
    MERGED,
    METHODS,
    RAW,
    TRUTH,
    make_grid,
    n_data_sets,
)
from moelib.experiments.frontier_schedules import LEAKS, SIZE, schedule, warm_schedule
from moelib.experiments.gradient_climb import gradient_climb
from moelib.experts.learn import learn_experts_from_batches
from moelib.likelihood.em import expectation_maximization
from moelib.likelihood.minibatch import joint_likelihood_sgd
from moelib.likelihood.split_merge import split_merge_em
from moelib.likelihood.starts import random_start
from moelib.metrics import expert_angles, regressor_error
from moelib.model import GatedModel, standard_model
from moelib.parameters import FreeParameters
from moelib.validation import as_sample

BATCH = 20_000  # samples of a streamed batch
FROM_RANDOM = (ADAM, LEAKY, FALLING, COOLED, MERGED, COLD)  # all from the same random experts
REST = dict(max_iter=2000, tol=1e-7)
SOLVERS: dict[str, dict] = {RAW: dict(solver="orthonormal"), L4: dict(mu=0.95)}


def design(cell):
    """The model of a cell: orthonormal experts, and gates orthogonal to them."""
    k, skew = cell["k"], cell["shares"] == "skew"
    base = standard_model(2 * k, k, noise=cell["noise"])
    intercepts = skewed_intercepts(k) if skew else np.zeros(k - 1)
    noise, link = cell["noise"], cell["link"]
    return GatedModel(base.experts, base.gates, noise, link, gate_intercepts=intercepts)


def skewed_intercepts(k):
    """Gate intercepts that make shares fall geometrically to 1/(4k), for gates of length one."""
    ratio = brentq(lambda r: r ** (k - 1) / np.sum(r ** np.arange(k)) - 1 / (4 * k), 0.5, 1 - 1e-9)
    logs = np.log(ratio) * np.arange(k)
    X = np.random.default_rng(5).standard_normal((50_000, k - 1))
    scores = np.column_stack([np.concatenate([X, -X]), np.zeros(2 * len(X))])
    c = logs.copy()
    for _ in range(100):
        c += logs - np.log(softmax(scores + c, axis=1).mean(axis=0))
        c -= c[-1]
    return c[:-1]


def run_cell(cell, seed, *, data_sets=DATA_SETS, methods=METHODS):
    """All fits of a cell.

    Parameters
    ----------
    cell : dict
        A design of the grid.
    seed : numpy.random.SeedSequence
        Spawned for data sets, and below them for samples, starts and methods.
    data_sets : int
        How many data sets at most.
    methods : iterable of str
        Names of methods.

    Returns
    -------
    list of dict
        A row for each data set and method: ``e_reg``; ``found``, how many experts have a cosine
        above 0.95 with their own; ``learned_noise``; ``seconds`` of the processor.
    """
    _load_all()
    truth, rows = design(cell), []
    for data, data_seed in enumerate(seed.spawn(DATA_SETS)[:data_sets]):
        chosen = [m for m in METHODS if m in methods and data < n_data_sets(cell, m)]
        if not chosen:
            continue
        sample_seed, start_seed, *seeds = data_seed.spawn(2 + len(METHODS))
        batches = drawn_batches(truth, cell["n"], sample_seed, size=BATCH)
        X, y = None, None
        if cell["n"] * truth.n_features <= HELD:
            X, y = (np.concatenate(parts) for parts in zip(*batches(), strict=True))
            batches = partial(_slices, X, y)
        seeds = dict(zip(METHODS, seeds, strict=True)) | {"start": start_seed}
        seeds[BOTH] = seeds[RAW]
        for method in chosen:
            rng = np.random.default_rng(seeds["start" if method in FROM_RANDOM else method])
            begin = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # what ends wrong shows in the rows
                found = FITS[method](cell, truth, (batches, X, y), rng)
            seconds = time.process_time() - begin
            rows.append({"data": data, "method": method} | found_row(found, truth))
            rows[-1]["seconds"] = seconds
    return rows


def found_row(found, truth):
    """The row of a fit, a model or an array of experts; nothing is found if it has no numbers."""
    experts = getattr(found, "experts", found)
    if not np.all(np.isfinite(experts)):
        return {"e_reg": np.nan, "found": 0, "learned_noise": np.nan}
    angles = expert_angles(experts, truth.experts)
    return {
        "e_reg": regressor_error(experts, truth.experts),
        "found": int(np.sum(np.cos(angles) > 0.95)),
        "learned_noise": getattr(found, "noise", np.nan),
    }


def _load_all():
    """A first run of Adam, which loads its programs before any clock does."""
    model, rng = standard_model(3, 2), np.random.default_rng(0)
    X, y = model.sample(100, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        joint_likelihood_sgd(X, y, model, rng, n_steps=1)


def _slices(X, y):
    return ((X[i : i + BATCH], y[i : i + BATCH]) for i in range(0, len(y), BATCH))


def _free(cell):
    return FreeParameters(intercepts=cell["shares"] == "skew")


def _climb(cell, X, y, init, rng, rate_and_steps):
    options = dict(zip(("learning_rate", "n_steps"), rate_and_steps, strict=True))
    return joint_likelihood_sgd(X, y, init, rng, free=_free(cell), batch_size=SIZE, **options).model


def _adam(cell, truth, data, rng):
    _, X, y = data
    intercepts = _free(cell).intercepts
    init = random_start(X, y, cell["k"], rng, link=cell["link"], fit_intercept=intercepts)
    return _climb(cell, X, y, init, rng, schedule(cell))


def _leaky(method, cell, truth, data, rng):
    """Adam with a leaky link at a constant rate, then with the true link and a half cosine."""
    (_, X, y), (rate, steps) = data, schedule(cell, method)
    share, slopes = LEAKS[method]
    part, sample = int(share * steps / len(slopes)), as_sample(X, y)
    model = random_start(X, y, cell["k"], rng, link="leaky_relu")
    for slope in slopes:
        model = replace(model, link=_with_leak(model.link, slope))
        options = dict(size=SIZE, steps=part, rate=rate, cosine=False)
        model, _ = gradient_climb(sample, model, rng, **options)
    rest = steps - part * len(slopes)
    return _climb(cell, X, y, replace(model, link=truth.link), rng, (rate, rest))


def _with_leak(link, slope):
    """The link with this slope on negative inputs."""
    return replace(
        link,
        value=lambda t: np.where(t > 0, t, slope * t),
        derivative=lambda t: np.where(t > 0, 1.0, slope),
        torch_value=None,
    )


def _em(climb, cell, truth, data, rng, **options):
    _, X, y = data
    return climb(
        X, y, random_start(X, y, cell["k"], rng, link=cell["link"]), **REST, **options
    ).model


def _from_truth(cell, truth, data, rng):
    return expectation_maximization(*data[1:], truth, free=_free(cell), **REST).model


def _moments(method, cell, truth, data, rng):
    options = dict(transforms="in-span", n_init=5) | SOLVERS[method]
    return learn_experts_from_batches(data[0], cell["k"], rng, link=cell["link"], **options).experts


def _both(cell, truth, data, rng):
    """Adam from the raw experts."""
    return _warm(cell, data, _moments(RAW, cell, truth, data, rng), rng)


def _cold(cell, truth, data, rng):
    """The same from random experts."""
    _, X, y = data
    return _warm(cell, data, random_start(X, y, cell["k"], rng, link=cell["link"]).experts, rng)


def _warm(cell, data, experts, rng):
    """From these experts and indifferent gates, with a noise of 0.3 standard deviations."""
    (_, X, y), k = data, cell["k"]
    init = GatedModel(experts, np.zeros((k - 1, 2 * k)), 0.3 * float(np.std(y)), cell["link"])
    return _climb(cell, X, y, init, rng, warm_schedule(cell))


FITS: dict[str, Callable] = {
    ADAM: _adam,
    LEAKY: partial(_leaky, LEAKY),
    FALLING: partial(_leaky, FALLING),
    COOLED: partial(_em, expectation_maximization, cooling=0.01),
    MERGED: partial(_em, split_merge_em),
    RAW: partial(_moments, RAW),
    L4: partial(_moments, L4),
    BOTH: _both,
    COLD: _cold,
    TRUTH: _from_truth,
}

FRONTIER = Experiment(
    name="frontier",
    description=(
        f"Many experts, d = 2k: {len(METHODS) - 2} methods, once on each data set of a cell; "
        f"{DATA_SETS} data sets where some fail and some succeed or seconds are compared, fewer "
        f"with 24 to 48 experts and where a run is dear; {FEW} where all is clear."
    ),
    grid=make_grid(),
    run=run_cell,
)
