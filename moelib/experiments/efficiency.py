"""How close to the best possible: errors of the two losses for the Cramer-Rao bound to judge.

On every data set the two losses run first (stage ``raw``), then one and two scoring steps from
there, then maximum likelihood (stage ``refined``). Part ``check`` has 200 data sets a cell; part
``map`` has many designs with fewer data sets; part ``steps`` has large samples.
"""

import time
import warnings
from functools import cache

import numpy as np
import pandas as pd

from moelib.bounds.information import cramer_rao_bound
from moelib.experiments.experiment import Experiment
from moelib.experts.learn import learn_experts
from moelib.gates.learn import learn_gates
from moelib.likelihood.maximum import maximum_likelihood, scoring_step
from moelib.metrics import matched
from moelib.model import standard_model

DATA_SETS = {"check": 200, "map": 10, "steps": 5}
DESIGN = ["part", "k", "noise", "n"]  # what tells cells apart; d goes with them
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


def run_cell(cell, seed, *, data_sets=None):
    """A row for every data set, stage and part of the parameters.

    Columns: ``square``, the sum of squares of the errors of that part, experts matched to the truth
    and gates based on the same last one.
    """
    model = standard_model(cell["d"], cell["k"], cell["noise"])
    rows = []
    data_sets = DATA_SETS[cell["part"]] if data_sets is None else data_sets
    for data, data_seed in enumerate(seed.spawn(data_sets)):
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
    experts = learn_experts(X, y, model.n_experts, rng, transforms=KIND).experts
    raw = learn_gates(X, y, experts).model
    yield "raw", raw
    moved = raw
    for step in range(1, STEPS + 1):
        moved = scoring_step(moved, X, y)
        yield f"step {step}", moved
    yield "refined", maximum_likelihood(X, y, raw).model


def squares(fit, model):
    """Sum of squares of the errors of experts, gates and noise."""
    A, W = matched(fit.experts, fit.gates, model)
    return {
        "experts": float(np.sum((A - model.experts) ** 2)),
        "gates": float(np.sum((W - model.gates) ** 2)),
        "noise": float((fit.noise - model.noise) ** 2),
    }


def over_bound(table, *, n_draws=200_000, seed=0):
    """Squared errors of the table, and how they compare with the least that can be expected.

    Parameters
    ----------
    table : pandas.DataFrame
        The stored table, or some of its rows.
    n_draws : int
        Samples behind each Cramer-Rao bound.
    seed : int
        For these samples, the same for every design.

    Returns
    -------
    square : pandas.DataFrame
        Squared errors: rows (part, k, noise, n, data), columns (method, of).
    excess : pandas.DataFrame
        Squared errors over the square of their bound, in the same places.
    bound : pandas.DataFrame
        The bounds of the root mean square errors: rows (part, k, noise, n), columns of.
    """
    square = table.pivot(index=[*DESIGN, "data"], columns=["method", "of"], values="square")
    bounds = {}
    for part, k, d, noise, n in table[["part", "k", "d", "noise", "n"]].drop_duplicates().values:
        once = _bound_of_one(k, d, noise, n_draws, seed)
        bounds[part, k, noise, n] = {of: size / np.sqrt(n) for of, size in once.items()}
    bound = pd.DataFrame.from_dict(bounds, orient="index").rename_axis(DESIGN).sort_index()
    rows = bound.loc[square.index.droplevel("data"), square.columns.get_level_values("of")]
    return square, square / rows.to_numpy() ** 2, bound


@cache
def _bound_of_one(k, d, noise, n_draws, seed):
    """Least root mean square errors from one sample, for each part of the parameters."""
    model, rng = standard_model(d, k, noise), np.random.default_rng(seed)
    least = cramer_rao_bound(model, 1, n_draws=n_draws, rng=rng)
    sizes = map(np.linalg.norm, (least.experts, least.gates, least.noise))
    return dict(zip(("experts", "gates", "noise"), sizes))


EFFICIENCY = Experiment(
    name="efficiency",
    description=(
        "Squared errors of the two losses before and after refinement: 200 data sets in part "
        "check, 10 in part map, 5 in part steps."
    ),
    grid=make_grid(),
    run=run_cell,
    keys=("data", "method", "of"),
)
