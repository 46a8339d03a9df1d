"""How close to the best possible: errors of the two losses for the Cramer-Rao bound to judge.

On every data set the two losses run first (stage ``raw``), then one and two scoring steps from
there, then maximum likelihood (stage ``refined``). Part ``check`` has 200 data sets a cell; part
``map`` has many designs with fewer data sets; part ``steps`` has large samples.
"""

import time
import warnings

import numpy as np

from moelib.experiments.experiment import Experiment
from moelib.experts.learn import learn_experts
from moelib.gates.learn import learn_gates
from moelib.likelihood.maximum import maximum_likelihood, scoring_step
from moelib.metrics import match_experts
from moelib.model import GatedModel, standard_model

DATA_SETS = {"check": 200, "map": 10, "steps": 5}
KIND = "in-span"
STEPS = 2


def make_grid():
    """All cells."""
    check = [
        dict(part="check", k=3, d=10, noise=0.05, n=100_000),
        dict(part="check", k=2, d=5, noise=0.5, n=100_000),
    ]
    cells = [
        dict(part="map", k=k, d=7, noise=noise, n=n)
        for k in (2, 3, 4)
        for noise in (0.05, 0.2, 0.5, 1.0)
        for n in (1000, 3000, 10_000, 30_000)
    ]
    steps = [
        dict(part="steps", k=2, d=5, noise=noise, n=n)
        for noise in (0.2, 0.5, 1.0)
        for n in (10_000, 100_000, 1_000_000)
    ]
    return check + cells + steps


def run_cell(cell, seed):
    """A row for every data set, stage and part of the parameters.

    Columns: ``square``, the sum of squares of the errors of that part, experts matched to the truth
    and gates based on the same last one.
    """
    model = standard_model(cell["d"], cell["k"], cell["noise"])
    rows = []
    for data, data_seed in enumerate(seed.spawn(DATA_SETS[cell["part"]])):
        sample_seed, fit_seed = data_seed.spawn(2)
        X, y = model.sample(cell["n"], np.random.default_rng(sample_seed))
        begin = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # small samples show in the rows
            for method, fit in stages(X, y, model, np.random.default_rng(fit_seed)):
                seconds = time.process_time() - begin
                rows += [
                    {"data": data, "method": method, "of": part, "square": square}
                    | {"seconds": seconds}
                    for part, square in squares(fit, model).items()
                ]
                begin = time.process_time()
    return rows


def stages(X, y, model, rng):
    """Pairs of a name and a model: the two losses, scoring steps from there, the refined fit."""
    experts = learn_experts(X, y, model.n_experts, rng, kind=KIND).experts
    gates = learn_gates(X, y, experts)
    raw = GatedModel(experts, gates.gates, gates.noise)
    yield "raw", raw
    moved = raw
    for step in range(1, STEPS + 1):
        moved = scoring_step(moved, X, y)
        yield f"step {step}", moved
    yield "refined", maximum_likelihood(X, y, raw).model


def squares(fit, model):
    """Sum of squares of the errors of experts, gates and noise."""
    order, signs = match_experts(fit.experts, model.experts)
    gates = np.vstack([fit.gates, np.zeros(model.n_features)])[order]
    return {
        "experts": float(np.sum((signs[:, None] * fit.experts[order] - model.experts) ** 2)),
        "gates": float(np.sum(((gates - gates[-1])[:-1] - model.gates) ** 2)),
        "noise": float((fit.noise - model.noise) ** 2),
    }


EFFICIENCY = Experiment(
    name="efficiency",
    description=(
        "Squared errors of the two losses before and after refinement: 200 data sets in part "
        "check, 10 in part map, 5 in part steps."
    ),
    grid=make_grid(),
    run=run_cell,
)
