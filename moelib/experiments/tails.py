"""Heavy tails: how far moments stray, and what truncation, blocks and control variates do about it.

A cell is a transform and a number of samples. On each of its data sets, in the coordinates of the
experts' span, every estimator of the moments meets the same samples; the table keeps quantiles of
its error, with percentile intervals from a bootstrap over data sets, and the ratio to the plain
mean on the same data sets.
"""

import time

import numpy as np

from moelib.experiments.experiment import Experiment
from moelib.experts.moments import Moments, population_moments
from moelib.experts.transforms import label_transforms
from moelib.model import standard_model

DATA_SETS = {2000: 2000, 8000: 2000, 32_000: 1000}
LEVELS = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995)
RESAMPLES = 1000
ESTIMATORS: dict[str, dict] = {
    "plain": {},
    "truncate 30": dict(truncate=30.0),
    "truncate 10": dict(truncate=10.0),
    "truncate 3": dict(truncate=3.0),
    "10 blocks": dict(n_blocks=10),
    "40 blocks": dict(n_blocks=40),
    "control": dict(control=True),
}


def make_grid():
    """All cells."""
    base = dict(k=3, d=5, noise=0.05)
    cells = [dict(kind="polynomial") | base | dict(n=n) for n in DATA_SETS]
    return [*cells, dict(kind="in-span") | base | dict(n=8000)]


def run_cell(cell, seed, *, data_sets=None):
    """Rows for each estimator, kind of error and statistic.

    Columns: ``of``, which error: Frobenius norm of that of the ``fourth`` or ``second`` moment, or
    absolute error of the entries T[0,0,0,0] (``diagonal``) and T[0,1,1,1] (``skew``);
    ``statistic``, a quantile or ``rms``; ``value``, ``low``, ``high``, its 95 % interval;
    ``ratio``, ``ratio_low``, ``ratio_high``, the same for its ratio to the plain mean.
    """
    sample_seed, boot_seed = seed.spawn(2)
    data_sets = DATA_SETS[cell["n"]] if data_sets is None else data_sets
    begin = time.process_time()
    found = deviations(cell, sample_seed, data_sets)
    seconds = time.process_time() - begin
    boot_rng = np.random.default_rng(boot_seed)
    picks = boot_rng.integers(data_sets, size=(RESAMPLES, data_sets))
    rows = []
    for (method, of), errors in found.items():
        plain = found["plain", of]
        for level in (*LEVELS, None):
            values, plains = statistic(errors[picks], level), statistic(plain[picks], level)
            low, high = np.quantile(values, [0.025, 0.975])
            ratio_low, ratio_high = np.quantile(values / plains, [0.025, 0.975])
            rows.append(
                {"method": method, "of": of, "statistic": str(level or "rms")}
                | {"value": statistic(errors, level), "low": low, "high": high}
                | {"ratio": statistic(errors, level) / statistic(plain, level)}
                | {"ratio_low": ratio_low, "ratio_high": ratio_high, "seconds": seconds}
            )
    return rows


def statistic(errors, level):
    """The quantile of errors (..., data sets) at a level, or their root mean square for None."""
    if level is None:
        return np.sqrt(np.mean(errors**2, axis=-1))
    return np.quantile(errors, level, axis=-1)


def deviations(cell, seed, data_sets):
    """Errors on every data set, as a dict from (estimator, kind of error) to an array."""
    model = standard_model(cell["d"], cell["k"], cell["noise"])
    basis = model.experts.T
    transforms = label_transforms("identity", cell["noise"], kind=cell["kind"], dimension=cell["k"])
    second, fourth = population_moments(model.experts, exact_shares(model), basis)
    found: dict = {}
    for data_seed in seed.spawn(data_sets):
        X, y = model.sample(cell["n"], np.random.default_rng(data_seed))
        for method, options in ESTIMATORS.items():
            moments = Moments(transforms, basis, **options).update(X, y)
            off = moments.fourth_moment - fourth
            errors = {
                "fourth": np.linalg.norm(off),
                "second": np.linalg.norm(moments.second_moment - second),
                "diagonal": abs(off[0, 0, 0, 0]),
                "skew": abs(off[0, 1, 1, 1]),
            }
            for of, error in errors.items():
                found.setdefault((method, of), []).append(error)
    return {key: np.array(errors) for key, errors in found.items()}


def exact_shares(model, nodes=60):
    """Shares of three experts with orthogonal gates, by quadrature over the two gates: (3,)."""
    t, weight = np.polynomial.hermite_e.hermegauss(nodes)
    lengths = np.linalg.norm(model.gates, axis=1)
    scores = np.stack(np.meshgrid(*[t * length for length in lengths], indexing="ij"), axis=-1)
    mass = np.outer(weight, weight) / weight.sum() ** 2
    odds = np.exp(np.concatenate([scores, np.zeros((nodes, nodes, 1))], axis=-1))
    return np.einsum("ab,abi->i", mass, odds / odds.sum(axis=-1, keepdims=True))


TAILS = Experiment(
    name="tails",
    description="Quantiles of the moments' errors over 1000 or 2000 data sets a cell.",
    grid=make_grid(),
    run=run_cell,
    keys=("method", "of", "statistic"),
)
