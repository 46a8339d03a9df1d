"""Many experts: the two losses on a stream of batches against EM on a subsample of it.

The data of a cell are batches, each with its own seed, that are drawn again for every pass and
never held together. Part ``two-loss`` learns the experts from all of them, the gates on the first
batch (the subsample), and refines there. In part ``em``, EM with free noise climbs from one random
start on the same subsample.
"""

import resource
import time
import warnings

import numpy as np

from moelib.data.batches import drawn_batches
from moelib.experiments.experiment import Experiment
from moelib.experts.learn import learn_experts_from_batches
from moelib.gates.learn import learn_gates
from moelib.likelihood.em import expectation_maximization
from moelib.likelihood.maximum import maximum_likelihood
from moelib.likelihood.starts import random_start
from moelib.metrics import gate_error, match_experts, regressor_error
from moelib.model import GatedModel, standard_model

BATCH = 20_000  # also the subsample
DATA_SEED = 20  # every cell of a design sees the same data
L4_STARTS = 5
EM_STARTS, EM_ITERATIONS, EM_TOLERANCE = 10, 600, 1e-6
DESIGNS = (dict(k=10, d=20, n=1_000_000), dict(k=16, d=32, n=4_000_000))
KINDS = ("polynomial", "in-span")
DATA_SETS = 3


def make_grid():
    """All cells."""
    cells: list[dict] = []
    for design in DESIGNS:
        cells += [
            dict(part="two-loss", **design, data=data, kind=kind)
            for data in range(DATA_SETS)
            for kind in KINDS
        ]
        cells += [dict(part="em", **design, data=0, start=start) for start in range(EM_STARTS)]
    return cells


def run_cell(cell, seed, *, em_iterations=EM_ITERATIONS):
    """A row for every stage of the two losses, or one for EM.

    Columns: ``e_reg``, ``e_gate``, ``noise``, ``log_density`` per sample of the subsample,
    ``iterations``, ``converged``, ``peak_gb``: the most memory that the process has held.
    """
    model = standard_model(cell["d"], cell["k"], noise=0.05)
    data_seed = np.random.SeedSequence([DATA_SEED, cell["data"]])
    batches = drawn_batches(model, cell["n"], data_seed, size=BATCH)
    subsample, rng = next(iter(batches())), np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # stops are in the rows
        if cell["part"] == "two-loss":
            return list(_two_loss(cell, model, batches, subsample, rng))
        return [_em(cell, model, subsample, rng, em_iterations)]


def _two_loss(cell, model, batches, subsample, rng):
    X, y = subsample
    begin = time.process_time()
    options = dict(n_init=L4_STARTS, transforms=cell["kind"])
    found = learn_experts_from_batches(batches, cell["k"], rng, **options)
    blank = GatedModel(found.experts, np.zeros((cell["k"] - 1, cell["d"])), np.std(y))
    yield _row("l4", model, blank, X, y, len(found.history) - 1, True, begin)
    begin = time.process_time()
    gates = learn_gates(X, y, found.experts)
    yield _row("gates", model, gates.model, X, y, len(gates.history) - 1, gates.converged, begin)
    begin = time.process_time()
    fit = maximum_likelihood(X, y, gates.model)
    yield _row("refined", model, fit.model, X, y, len(fit.history) - 1, fit.converged, begin)


def _em(cell, model, subsample, rng, max_iter):
    X, y = subsample
    begin = time.process_time()
    start = random_start(X, y, cell["k"], rng)
    fit = expectation_maximization(X, y, start, max_iter=max_iter, tol=EM_TOLERANCE)
    return _row("em", model, fit.model, X, y, len(fit.history) - 1, fit.converged, begin)


def _row(method, truth, model, X, y, iterations, converged, begin):
    seconds = time.process_time() - begin
    order, _ = match_experts(model.experts, truth.experts)
    return {
        "method": method,
        "e_reg": regressor_error(model.experts, truth.experts),
        "e_gate": gate_error(model.gates, truth.gates, order),
        "noise": model.noise,
        "log_density": float(np.mean(model.log_density(X, y))),
        "iterations": iterations,
        "converged": converged,
        "seconds": seconds,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


MANY_EXPERTS = Experiment(
    name="many-experts",
    description=(
        f"Ten and sixteen experts: two losses on a stream of batches of {BATCH}, "
        f"EM from {EM_STARTS} single starts on the first of them."
    ),
    grid=make_grid(),
    run=run_cell,
    keys=("method",),
)
