"""Do the intervals cover on data as they come: intercepts, unequal noise, calendar years, weights?

One design with two regimes, fitted with the estimator's defaults. Every parameter of every fit is
asked whether its 95 % interval, of either kind of standard error, contains the truth.
"""

import time
import warnings

import numpy as np

from moelib.estimator.mixture import MixtureOfExperts
from moelib.estimator.ordering import align_experts
from moelib.estimator.summary import parameter_table
from moelib.experiments.experiment import Experiment
from moelib.metrics import relabelled
from moelib.model import GatedModel

DATA_SETS = 400
YEAR = 2000.0  # where the first column lies in the design "offset"
STEP = 0.02  # labels of the design "weights" are rounded to this, so that some repeat
VALUES = 4  # of each column in that design
DESIGNS = ["shared", "per-expert", "offset", "weights"]


def make_grid():
    """All cells."""
    return [dict(design=design, n=n) for n in (1000, 300) for design in DESIGNS]


def truth_of(cell):
    """The model that a cell draws from."""
    noise = 0.5 if cell["design"] == "shared" else np.array([0.3, 0.8])
    experts = np.array([[1.0, 0.5, 0.0], [-0.5, 1.0, 0.8]])
    gates = np.array([[1.5, -1.0, 0.5]])
    far = np.array([YEAR, 0.0, 0.0]) if cell["design"] == "offset" else np.zeros(3)
    return GatedModel(
        experts,
        gates,
        noise,
        expert_intercepts=[1.0, -1.0] - experts @ far,
        gate_intercepts=[0.3] - gates @ far,
    )


def draw(cell, rng):
    """A data set of a cell.

    Parameters
    ----------
    cell : dict
        A design and n.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    X : (m, 3) array
        Inputs.
    y : (m,) array
        Labels.
    weights : (m,) array or None
        How often each row was seen, in the design "weights"; they sum to n.
    """
    truth, shape = truth_of(cell), (cell["n"], 3)
    if cell["design"] != "weights":
        X = rng.standard_normal(shape)
        X[:, 0] += YEAR * (cell["design"] == "offset")
        return X, truth.sample_labels(X, rng)[0], None
    X = rng.integers(VALUES, size=shape) - (VALUES - 1) / 2
    y = np.round(truth.sample_labels(X, rng)[0] / STEP) * STEP
    rows, counts = np.unique(np.column_stack([X, y]), axis=0, return_counts=True)
    return rows[:, :3], rows[:, 3], counts.astype(float)


def run_cell(cell, seed, *, data_sets=DATA_SETS):
    """A row for every data set and part of the parameters (experts, gates, noise).

    Columns: ``parameters``, how many there are; ``hits`` and ``robust_hits``, how many of them are
    in their 95 % intervals; ``square``, mean square of the standardised errors.
    """
    truth, rows = truth_of(cell), []
    for data, data_seed in enumerate(seed.spawn(data_sets)):
        sample_seed, fit_seed = data_seed.spawn(2)
        X, y, weights = draw(cell, np.random.default_rng(sample_seed))
        noise = "shared" if cell["design"] == "shared" else "per-expert"
        fit = MixtureOfExperts(
            2, noise=noise, n_init=3, random_state=np.random.default_rng(fit_seed)
        )
        begin = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            fit.fit(X, y, weights)
        seconds = time.process_time() - begin
        rows += [{"data": data} | row | {"seconds": seconds} for row in judge(fit, truth, X)]
    return rows


def judge(fit, truth, X):
    """Rows for one fit: experts, gates and noise, each against the truth."""
    truth = relabelled(truth, align_experts(truth, fit, X))
    tables = [
        parameter_table(fit.model_, errors, free=fit.free_)
        for errors in (fit.standard_errors_, fit.robust_standard_errors_)
    ]
    goal = fit.free_.vector(truth)
    n_noises = fit.free_.n_noises(2)
    goal[-n_noises:] = np.exp(goal[-n_noises:])
    hits = [(table["low"] <= goal) & (goal <= table["high"]) for table in tables]
    square = ((tables[0]["estimate"] - goal) / tables[0]["s.e."]) ** 2
    for part in ("expert", "gate", "noise"):
        yield {
            "method": part,
            "parameters": len(square.loc[part]),
            "hits": int(hits[0].loc[part].sum()),
            "robust_hits": int(hits[1].loc[part].sum()),
            "square": float(square.loc[part].mean()),
        }


OWN_DATA = Experiment(
    name="own-data",
    description=f"Coverage of 95 % intervals on data as they come: {DATA_SETS} data sets a cell.",
    grid=make_grid(),
    run=run_cell,
)
