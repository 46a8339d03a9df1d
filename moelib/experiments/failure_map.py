"""The map of failure: every method on the same data, over designs from easy to hard.

A cell is one design. On each of its data sets every method runs from random starts, one at a time:
the best of several is computed from these afterwards. Every method runs until it comes to rest, and
gets the setting that served it best on other data. One row more climbs the likelihood *from the
truth*: no method, but what a search could have found there.

Two rules keep the map within hours. Small designs get several starts on a data set, the others one.
With many experts only minibatch Adam and the climb from the truth run on all data sets, the rest
on fewer or, where a fit takes long, on none.
"""

import time

import numpy as np

from moelib.experiments.experiment import Experiment
from moelib.experiments.fits import quiet_fit
from moelib.likelihood.starts import random_start
from moelib.metrics import gate_error, match_experts, regressor_error
from moelib.model import GatedModel

DATA_SETS, FEW = 20, 2
STARTS = 3
SMALL, LARGE, LARGEST = 10_000, 16, 24  # k d n up to, k from, k from
BASE = dict(k=3, d=10, n=2000, noise=0.05, gate_norm=1.0, angle=90, rho=0.0, link="identity")
BASE |= dict(start_gate=0.0)

AT_REST = dict(refine=False, tol=1e-7, max_iter=5000)
BEST_MOMENTS = dict(transforms="in-span", truncate=3.0, mu=0.95, n_init=10)
TRUTH, ADAM = "from the truth", "likelihood-sgd"

# EM with a known noise is told the true one
METHODS: dict[str, dict] = {
    "two-loss": dict(method="two-loss", tol=1e-7, max_iter=5000, **BEST_MOMENTS),
    "two-loss, unrefined": dict(method="two-loss", refine=False, **BEST_MOMENTS),
    ADAM: dict(method=ADAM, refine=False),
    "em": dict(method="em", **AT_REST),
    "em-pruned": dict(method="em-pruned", **AT_REST),
    "em-split-merge": dict(method="em-split-merge", **AT_REST),
    "em, frozen noise": dict(method="em", noise="true", **AT_REST),
    "em, annealed": dict(method="em", noise="true", anneal=True, **AT_REST),
    "gradient-em": dict(method="gradient-em", refine=False, tol=1e-6, max_iter=20_000),
    "likelihood": dict(method="likelihood", **AT_REST),
    "likelihood, adam": dict(method="likelihood", solver="adam", refine=False, max_iter=1000),
    "least-squares": dict(method="least-squares", refine=False, max_iter=1000),
    "least-squares-sgd": dict(method="least-squares-sgd", refine=False),
    TRUTH: dict(method="em", tol=1e-7, max_iter=5000),
}
# data sets with sixteen experts, FEW if not named; refined, two losses take ten minutes a fit there
AT_LARGE = {ADAM: DATA_SETS, TRUTH: DATA_SETS, "em": 10, "two-loss": 0}


def make_grid():
    """All cells, each once: lines through the base design, a plane of k against n, and starts."""
    lines: list[dict] = [dict(n=n) for n in (100, 150, 250, 500, 1000, 2000, 8000)]
    lines += [dict(d=80), dict(noise=1.0), dict(gate_norm=0.0), dict(gate_norm=4.0)]
    lines += [dict(angle=30), dict(rho=0.3), dict(start_gate=8.0)]
    lines += [dict(link="relu"), dict(link="relu", n=8000)]
    two = dict(k=2, d=5, gate_norm=2.0)  # where a gate can close for good
    lines += [two | dict(start_gate=length) for length in (0.0, 2.0, 8.0)]
    plane = [(2, 60), (2, 250), (4, 250), (6, 250), (6, 500), (6, 1000), (8, 1000), (8, 2000)]
    plane += [(8, 4000), (10, 2000), (10, 4000)]
    lines += [dict(k=k, d=2 * k, n=n) for k, n in plane]
    lines += [dict(k=6, d=12, n=1000, start_gate=2.0)]
    beyond = [(16, 5000), (24, 40_000), (16, 20_000)]
    lines += [dict(k=k, d=2 * k, n=n) for k, n in beyond]
    cells = [BASE | line for line in lines]
    return [cell for i, cell in enumerate(cells) if cell not in cells[:i]]


def design(cell):
    """The model of a cell: experts at one common angle, gates orthogonal to all else."""
    k, d = cell["k"], cell["d"]
    cosine = np.cos(np.deg2rad(cell["angle"]))
    gram = (1 - cosine) * np.eye(k) + cosine
    experts, gates = np.zeros((k, d)), np.zeros((k - 1, d))
    experts[:, :k] = np.linalg.cholesky(gram)
    gates[:, k : 2 * k - 1] = cell["gate_norm"] * np.eye(k - 1)
    return GatedModel(experts, gates, cell["noise"], cell["link"])


def draw(cell, rng):
    """The model of a cell and n samples, whose inputs have correlation ``rho`` with each other.

    Parameters
    ----------
    cell : dict
        A design of the grid.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    model : GatedModel
        The truth.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    """
    model, d = design(cell), cell["d"]
    X = rng.standard_normal((cell["n"], d))
    if cell["rho"]:
        X = X @ np.linalg.cholesky((1 - cell["rho"]) * np.eye(d) + cell["rho"]).T
    return model, X, model.sample_labels(X, rng)[0]


def n_starts(cell):
    """How many starts each data set of a cell gets."""
    return STARTS if cell["k"] * cell["d"] * cell["n"] <= SMALL else 1


def n_data_sets(cell, method):
    """On how many data sets of a cell a method runs."""
    if cell["k"] < LARGE:
        return DATA_SETS
    if cell["k"] < LARGEST:
        return AT_LARGE.get(method, FEW)
    return {ADAM: DATA_SETS, TRUTH: FEW}.get(method, 0)


def run_cell(cell, seed, *, data_sets=DATA_SETS, starts=STARTS, methods=METHODS):
    """All fits of a cell.

    Parameters
    ----------
    cell : dict
        A design of the grid.
    seed : numpy.random.SeedSequence
        Spawned for data sets, and for starts below them.
    data_sets, starts : int
        How many data sets, and starts on each, at most.
    methods : iterable of str
        Names of methods.

    Returns
    -------
    list of dict
        A row for each data set, method and start.
    """
    rows = []
    for data, data_seed in enumerate(seed.spawn(DATA_SETS)[:data_sets]):
        sample_seed, *start_seeds = data_seed.spawn(1 + STARTS)
        model, X, y = draw(cell, np.random.default_rng(sample_seed))
        for method in methods:
            if data >= n_data_sets(cell, method):
                continue
            seeds = start_seeds[: 1 if method == TRUTH else min(starts, n_starts(cell))]
            for start, start_seed in enumerate(seeds):
                rng = np.random.default_rng(start_seed)
                row = run_fit(model, X, y, method, rng, start_gate=cell["start_gate"])
                rows.append({"data": data, "method": method, "start": start} | row)
    return rows


def run_fit(model, X, y, method, rng, *, start_gate=0.0):
    """One fit from one start, as a row: errors, the method's objective, iterations, seconds.

    The objective is what the last stage of the method raises, per sample; larger is better. Seconds
    are those of the processor.
    """
    begin = time.process_time()
    try:
        settings = METHODS[method] | start(model, X, y, method, rng, start_gate)
        fit = quiet_fit(model, X, y, settings, rng)
    except ValueError:  # fewer samples than parameters
        return dict.fromkeys(["e_reg", "e_gate", "objective", "log_density"], np.nan) | {
            "iterations": 0,
            "converged": False,
            "seconds": np.nan,
        }
    seconds = time.process_time() - begin
    permutation, _ = match_experts(fit.experts_, model.experts)
    return {
        "e_reg": regressor_error(fit.experts_, model.experts),
        "e_gate": gate_error(fit.gates_, model.gates, permutation),
        "objective": next(reversed(fit.history_.values()))[-1],
        "log_density": fit.log_likelihood_ / len(y),
        "iterations": fit.n_iter_,
        "converged": fit.converged_,
        "seconds": seconds,
    }


def start(model, X, y, method, rng, start_gate):
    """Where a method begins, as a setting; empty for those with moments, which begin nowhere."""
    if method == TRUTH:
        return {"init": model}
    if METHODS[method]["method"] == "two-loss":
        return {}
    k = model.n_experts * (2 if method == "em-pruned" else 1)
    return {"init": random_start(X, y, k, rng, link=model.link, gate_norm=start_gate)}


FAILURE_MAP = Experiment(
    name="failure-map",
    description=(
        f"Errors of every method on designs from easy to hard: {DATA_SETS} data sets a cell, "
        f"{FEW} for most methods with sixteen experts; {STARTS} starts in small cells, else 1."
    ),
    grid=make_grid(),
    run=run_cell,
    keys=("data", "method", "start"),
)
