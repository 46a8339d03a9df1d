"""Many experts: the two losses on a stream of batches against what climbs on a subsample of it.

The data of a cell are batches, each with its own seed, that are drawn again for every pass and
never held together. Part ``two-loss`` learns the experts from all of them, the gates on the first
batch (the subsample), and refines there. The other parts see the subsample only, and climb the
likelihood from one random start with a free noise: minibatch Adam, EM, and EM with twice the
experts, pruned.
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
from moelib.likelihood.minibatch import joint_likelihood_sgd
from moelib.likelihood.pruning import pruned_em
from moelib.likelihood.starts import random_start
from moelib.metrics import gate_error, match_experts, regressor_error
from moelib.model import GatedModel, standard_model

BATCH = 20_000  # also the subsample
DATA_SEED = 20  # every cell of a design sees the same data
BEST_MOMENTS = dict(transforms="in-span", truncate=3.0, mu=0.95, n_init=5)
STARTS = {"likelihood-sgd": (10, 5, 5), "em": (5, 0, 0), "em-pruned": (2, 0, 0)}  # by data set
EM = dict(max_iter=5000, tol=1e-7)
DESIGNS = (dict(k=10, d=20, n=1_000_000), dict(k=16, d=32, n=4_000_000))
DATA_SETS = 3


def make_grid():
    """All cells."""
    cells: list[dict] = []
    for design in DESIGNS:
        for data in range(DATA_SETS):
            cells.append(dict(part="two-loss", **design, data=data, start=0))
            cells += [
                dict(part=part, **design, data=data, start=start)
                for part, starts in STARTS.items()
                for start in range(starts[data])
            ]
    return cells


def run_cell(cell, seed):
    """A row for every stage of the two losses, or one for a climb.

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
        begin = time.process_time()
        X, y = subsample
        fit = _climb(cell["part"], cell["k"], X, y, rng)
        steps = len(fit.history) - 1
        return [_row(cell["part"], model, fit.model, X, y, steps, fit.converged, begin)]


def _two_loss(cell, model, batches, subsample, rng):
    X, y = subsample
    begin = time.process_time()
    found = learn_experts_from_batches(batches, cell["k"], rng, **BEST_MOMENTS)
    blank = GatedModel(found.experts, np.zeros((cell["k"] - 1, cell["d"])), np.std(y))
    yield _row("l4", model, blank, X, y, len(found.history) - 1, True, begin)
    begin = time.process_time()
    gates = learn_gates(X, y, found.experts)
    yield _row("gates", model, gates.model, X, y, len(gates.history) - 1, gates.converged, begin)
    begin = time.process_time()
    fit = maximum_likelihood(X, y, gates.model)
    yield _row("refined", model, fit.model, X, y, len(fit.history) - 1, fit.converged, begin)


def _climb(part, k, X, y, rng):
    """One climb from one random start with indifferent gates."""
    if part == "likelihood-sgd":
        return joint_likelihood_sgd(X, y, random_start(X, y, k, rng), rng)
    if part == "em-pruned":
        return pruned_em(X, y, random_start(X, y, 2 * k, rng), k, **EM)
    return expectation_maximization(X, y, random_start(X, y, k, rng), **EM)


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
        f"Ten and sixteen experts: two losses on a stream of batches of {BATCH}, climbs from "
        "single random starts on the first of them."
    ),
    grid=make_grid(),
    run=run_cell,
    keys=("method",),
)
