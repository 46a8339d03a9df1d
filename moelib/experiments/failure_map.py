"""The map of failure: every method on the same data, over designs from easy to hard.

A cell is one design. On each of its data sets every method runs from several random starts, one at
a time: the best of several is computed from these afterwards.
"""

import time

import numpy as np

from moelib.experiments.experiment import Experiment
from moelib.experiments.fits import quiet_fit
from moelib.metrics import gate_error, match_experts, regressor_error
from moelib.model import GatedModel

DATA_SETS = 10
STARTS = 5
BASE = dict(k=3, d=10, n=2000, noise=0.05, gate_norm=1.0, angle=90, link="identity")

# every method in its best fair setting; EM with a known noise is told the true one
METHODS: dict[str, dict] = {
    "two-loss": dict(method="two-loss", max_iter=100),
    "two-loss, unrefined": dict(method="two-loss", refine=False),
    "em": dict(method="em", refine=False, max_iter=300),
    "em, frozen noise": dict(method="em", refine=False, max_iter=300, noise="true"),
    "em, annealed": dict(method="em", refine=False, max_iter=300, noise="true", anneal=True),
    "gradient-em": dict(method="gradient-em", refine=False, max_iter=500),
    "likelihood": dict(method="likelihood", refine=False, max_iter=400),
    "least-squares": dict(method="least-squares", refine=False, max_iter=300),
}


def make_grid():
    """All cells, each once: lines through the base design, and a plane of k against n."""
    lines: list[dict] = [dict(n=n) for n in (100, 150, 250, 500, 1000, 2000, 4000, 8000, 16000)]
    lines += [dict(d=d) for d in (5, 20, 40, 80)]
    lines += [dict(noise=noise) for noise in (0.01, 0.1, 0.2, 0.5, 1.0)]
    lines += [dict(gate_norm=norm) for norm in (0.0, 0.5, 2.0, 4.0, 8.0)]
    lines += [dict(angle=angle) for angle in (60, 45, 30, 20, 10)]
    lines += [dict(link=link) for link in ("relu", "leaky_relu", "tanh", "sigmoid")]
    lines += [dict(link="relu", n=8000)]
    lines += [
        dict(k=k, d=2 * k, n=n)
        for k, sizes in (
            (2, (60, 250, 1000, 4000)),
            (4, (250, 1000, 4000)),
            (6, (250, 1000, 4000)),
            (8, (1000, 4000)),
            (10, (4000,)),
            (16, (1500,)),
        )
        for n in sizes
    ]
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


def run_cell(cell, seed, *, data_sets=DATA_SETS, starts=STARTS, methods=METHODS):
    """All fits of a cell.

    Parameters
    ----------
    cell : dict
        A design of the grid.
    seed : numpy.random.SeedSequence
        Spawned for data sets, and for starts below them.
    data_sets, starts : int
        How many data sets, and starts on each.
    methods : iterable of str
        Names of methods.

    Returns
    -------
    list of dict
        A row for each data set, method and start.
    """
    model = design(cell)
    rows = []
    for data, data_seed in enumerate(seed.spawn(data_sets)):
        sample_seed, *start_seeds = data_seed.spawn(1 + starts)
        X, y = model.sample(cell["n"], np.random.default_rng(sample_seed))
        for method in methods:
            for start, start_seed in enumerate(start_seeds):
                rows.append(
                    {"data": data, "method": method, "start": start}
                    | run_fit(model, X, y, method, np.random.default_rng(start_seed))
                )
    return rows


def run_fit(model, X, y, method, rng):
    """One fit from one start, as a row: errors, the method's objective, iterations, seconds.

    The objective is what the last stage of the method raises, per sample; larger is better.
    """
    begin = time.perf_counter()
    try:
        fit = quiet_fit(model, X, y, METHODS[method], rng)
    except ValueError:  # fewer samples than parameters
        return dict.fromkeys(["e_reg", "e_gate", "objective", "log_density"], np.nan) | {
            "iterations": 0,
            "converged": False,
            "seconds": np.nan,
        }
    seconds = time.perf_counter() - begin
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


FAILURE_MAP = Experiment(
    name="failure-map",
    description=(
        f"Errors of every method on designs from easy to hard: {DATA_SETS} data sets a cell, "
        f"{STARTS} single starts a data set."
    ),
    grid=make_grid(),
    run=run_cell,
    keys=("data", "method", "start"),
)
