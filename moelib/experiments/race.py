"""The race: every method of the library on the same data, from the same number of starts.

A cell is one design. On each of its data sets every method runs from several random starts, one at
a time; processor seconds go to the file of seconds. What a method reaches with equal starts, or
within a budget of seconds, is computed from these rows afterwards, by :func:`solved`.
"""

import time

import numpy as np

from moelib.experiments.experiment import Experiment
from moelib.experiments.fits import quiet_fit
from moelib.metrics import gate_error, match_experts, regressor_error
from moelib.model import standard_model

DATA_SETS = 3
STARTS = 3
BASE = dict(k=3, d=10, n=4000, noise=0.05, gate_norm=1.0, rho=0.0, link="identity")

# every method with enough iterations to converge; EM with a known noise is told the true one
METHODS: dict[str, dict] = {
    "two-loss": dict(method="two-loss"),
    "two-loss, in-span": dict(method="two-loss", transforms="in-span"),
    "spectral": dict(method="spectral"),
    "l4-sgd": dict(method="l4-sgd"),
    "em": dict(method="em", max_iter=300),
    "em, frozen noise": dict(method="em", max_iter=300, noise="true"),
    "gradient-em": dict(method="gradient-em", max_iter=500),
    "likelihood": dict(method="likelihood", max_iter=400),
    "least-squares": dict(method="least-squares", refine=False, max_iter=300),
}


def make_grid():
    """All cells: the base design, and what makes it easier or harder."""
    changes: list[dict] = [
        dict(k=2, d=6),
        dict(),
        dict(n=1000),
        dict(noise=1.0),
        dict(rho=0.3),
        dict(link="relu"),
        dict(k=5, n=10_000),
        dict(k=8, d=16, n=8000),
    ]
    return [BASE | change for change in changes]


def sample(cell, rng):
    """A model, and n samples whose inputs have correlation ``rho`` with each other."""
    k, d = cell["k"], cell["d"]
    model = standard_model(d, k, cell["noise"], gate_norm=cell["gate_norm"], link=cell["link"])
    root = np.linalg.cholesky((1 - cell["rho"]) * np.eye(d) + cell["rho"])
    X = rng.standard_normal((cell["n"], d)) @ root.T
    return model, X, model.sample_labels(X, rng)[0]


def run_cell(cell, seed, *, data_sets=DATA_SETS, starts=STARTS, methods=METHODS):
    """A row for every data set, method and start.

    Columns: ``e_reg``, ``e_gate``; ``objective``, what the method itself optimises and judges its
    starts by, larger is better; ``log_density`` per sample; ``converged``.
    """
    rows = []
    for data, data_seed in enumerate(seed.spawn(data_sets)):
        sample_seed, *start_seeds = data_seed.spawn(1 + starts)
        model, X, y = sample(cell, np.random.default_rng(sample_seed))
        for method in methods:
            for start, start_seed in enumerate(start_seeds):
                rng = np.random.default_rng(start_seed)
                fit, seconds = fit_once(model, X, y, method, rng)
                order, _ = match_experts(fit.experts_, model.experts)
                log_density = fit.log_likelihood_ / len(y)
                blind = method == "least-squares"
                rows.append(
                    {
                        "data": data,
                        "method": method,
                        "start": start,
                        "e_reg": regressor_error(fit.experts_, model.experts),
                        "e_gate": gate_error(fit.gates_, model.gates, order),
                        "objective": fit.history_[method][-1] if blind else log_density,
                        "log_density": log_density,
                        "converged": fit.converged_,
                        "seconds": seconds,
                    }
                )
    return rows


def fit_once(model, X, y, method, rng):
    """One fit from one start, and its processor seconds."""
    begin = time.process_time()
    fit = quiet_fit(model, X, y, METHODS[method], rng)
    return fit, time.process_time() - begin


def solved(rows, budget=np.inf):
    """How many data sets each method solves with the starts it has time for.

    The start with the best objective counts, which a user could pick without knowing the truth.

    Parameters
    ----------
    rows : pandas.DataFrame
        Columns ``cell``, ``method``, ``data``, ``start``, ``objective``, ``seconds`` (of one start)
        and ``found``, whether the experts are right.
    budget : float
        Seconds for each data set; no limit by default.

    Returns
    -------
    pandas.DataFrame
        A row for each cell, a column for each method.
    """
    tried = rows[rows["start"] + 1 <= budget / rows["seconds"]]
    best = tried.loc[tried.groupby(["cell", "method", "data"])["objective"].idxmax()]
    count = best.groupby(["cell", "method"])["found"].sum().unstack()
    count = count.reindex(index=rows["cell"].unique(), columns=list(METHODS))
    return count.fillna(0).astype(int)


RACE = Experiment(
    name="race",
    description=(
        f"Every method on the same data: {DATA_SETS} data sets a cell, {STARTS} single starts a "
        "data set."
    ),
    grid=make_grid(),
    run=run_cell,
    keys=("data", "method", "start"),
)
