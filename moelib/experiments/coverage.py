"""Do the intervals cover? Fits of many simulated data sets against the truth.

A cell is a design and a way to fit it. Every parameter of every fit is asked whether its interval
at the usual levels contains the truth.
"""

import time

import numpy as np

from moelib.estimator.summary import parameter_table
from moelib.experiments.experiment import Experiment
from moelib.experiments.fits import quiet_fit
from moelib.metrics import match_experts, regressor_error, reorder_gates
from moelib.model import standard_model

DATA_SETS = 400
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
FITS: dict[str, dict] = {
    "two-loss": dict(method="two-loss"),
    "em": dict(method="em", n_init=3),
}
FOUND = 0.1  # a fit with a larger error of the experts is at another maximum


def make_grid():
    """All cells."""
    base = dict(d=5, k=2)
    return [
        dict(fit="two-loss", **base, n=5000, noise=0.05),
        dict(fit="em", **base, n=5000, noise=0.05),
        dict(fit="em", **base, n=5000, noise=0.5),
        dict(fit="em", **base, n=5000, noise=1.0),
        dict(fit="em", **base, n=500, noise=0.05),
        dict(fit="em", **base, n=500, noise=0.5),
        dict(fit="em", **base, n=500, noise=1.0),
    ]


def run_cell(cell, seed, *, data_sets=DATA_SETS):
    """A row for every data set and part of the parameters (experts, gates, noise).

    Columns: ``found``, whether the fit is near the truth; ``square``, mean square of the
    standardised errors; ``hits_50`` .. ``hits_99``, how many of the ``parameters`` are in their
    intervals.
    """
    model = standard_model(cell["d"], cell["k"], cell["noise"])
    rows = []
    for data, data_seed in enumerate(seed.spawn(data_sets)):
        sample_seed, fit_seed = data_seed.spawn(2)
        X, y = model.sample(cell["n"], np.random.default_rng(sample_seed))
        begin = time.process_time()
        fit = quiet_fit(model, X, y, FITS[cell["fit"]], np.random.default_rng(fit_seed))
        seconds = time.process_time() - begin
        rows += [{"data": data} | row | {"seconds": seconds} for row in judge(fit, model)]
    return rows


def judge(fit, model):
    """Rows for one fit: experts, gates and noise, each against the truth."""
    order, _ = match_experts(fit.experts_, model.experts)
    back = np.argsort(order)  # the truth in the order of the fit
    truth = {
        "expert": model.experts[back].ravel(),
        "gate": reorder_gates(model.gates, back).ravel(),
        "noise": np.array([model.noise]),
    }
    tables = {p: parameter_table(fit.model_, fit.standard_errors_, level=p) for p in LEVELS}
    found = regressor_error(fit.experts_, model.experts) < FOUND
    for part, goal in truth.items():
        rows = {p: table.loc[[part]] for p, table in tables.items()}
        some = rows[LEVELS[0]]
        yield {
            "method": part,
            "found": found,
            "parameters": len(goal),
            "square": float(np.mean(((some["estimate"] - goal) / some["s.e."]) ** 2)),
        } | {
            f"hits_{100 * p:.0f}": int(np.sum((row["low"] <= goal) & (goal <= row["high"])))
            for p, row in rows.items()
        }


def rates(rows):
    """Share of intervals that hold the truth, for each fit, n, noise and part, at each level."""
    design = ["fit", "n", "noise", "method"]
    total = rows.groupby(design, sort=False).sum(numeric_only=True)
    share = total.filter(like="hits").div(total["parameters"], axis=0)
    return share.set_axis(LEVELS, axis=1)


COVERAGE = Experiment(
    name="coverage",
    description=f"How often intervals cover the truth: {DATA_SETS} data sets a cell.",
    grid=make_grid(),
    run=run_cell,
)
