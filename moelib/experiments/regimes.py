"""How many regimes are found? The estimator's defaults, and BIC, on data whose number is known.

One regression, two regimes with noise 12 and 2, and labels that no Gaussian mixture describes,
where a likelihood without a maximum must never be ranked above a sound one, or go without a name.
"""

import time
import warnings

import numpy as np

from moelib.estimator.mixture import MixtureOfExperts
from moelib.estimator.selection import choose_n_experts
from moelib.experiments.experiment import Experiment

DATA_SETS = 100
MOST = 4  # experts that are tried
LABELS = ["one regression", "noise 12 and 2", "ratings", "counts"]


def make_grid():
    """All cells."""
    return [dict(labels=labels) for labels in LABELS]


def one_regression(rng):
    """Normal noise about one plane in 1 to 3 columns, 200 to 500 samples."""
    X = rng.standard_normal((int(rng.choice([200, 300, 500])), int(rng.integers(1, 4))))
    return X, 1 + X @ rng.standard_normal(X.shape[1]) + rng.standard_normal(len(X))


def two_noises(rng):
    """Sales by price and promotion in two regimes, one with six times the noise of the other."""
    n = 500
    price, promo = rng.uniform(10, 30, n), (rng.random(n) < 0.4).astype(float)
    noise = rng.standard_normal(n)
    first = rng.random(n) < 1 / (1 + np.exp(-0.3 * (price - 20) + 0.5 * promo))
    loyal, other = 200 - 5 * price + 30 * promo, 100 - 0.85 * price + 5 * promo
    return np.column_stack([price, promo]), np.where(first, loyal + 12 * noise, other + 2 * noise)


def ratings(rng):
    """Whole numbers from 1 to 5."""
    X = rng.standard_normal((400, 2))
    return X, np.clip(np.round(3 + X @ [1.0, 0.5] + rng.standard_normal(400)), 1, 5)


def counts(rng):
    """Poisson counts, mostly small."""
    X = rng.standard_normal((400, 2))
    return X, rng.poisson(np.exp(0.3 + 0.4 * X[:, 0])).astype(float)


DRAW = dict(zip(LABELS, [one_regression, two_noises, ratings, counts]))


def run_cell(cell, seed, *, data_sets=DATA_SETS):
    """A row for every data set.

    Columns: ``best_k``; ``bic_gain``, by how much its BIC is below that of one regression;
    ``degenerate``, how many numbers of experts ended in a collapsed noise; ``named``, how many of
    these a warning names; ``chosen_sound``, whether the chosen one is sound.
    """
    rows = []
    for data, data_seed in enumerate(seed.spawn(data_sets)):
        sample_seed, fit_seed = data_seed.spawn(2)
        X, y = DRAW[cell["labels"]](np.random.default_rng(sample_seed))
        estimator = MixtureOfExperts(random_state=np.random.default_rng(fit_seed))
        begin = time.process_time()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = choose_n_experts(estimator, X, y, n_experts=MOST)
        seconds = time.process_time() - begin
        said = [str(one.message) for one in caught]
        bad = found.table.index[found.table["degenerate"]]
        rows.append(
            {
                "data": data,
                "method": "bic",
                "best_k": found.best_k,
                "bic_gain": float(found.table["bic"][1] - found.table["bic"][found.best_k]),
                "degenerate": len(bad),
                "named": sum(any(_names_it(sentence, k) for sentence in said) for k in bad),
                "chosen_sound": bool(found.fits[found.best_k].sound_),
                "seconds": seconds,
            }
        )
    return rows


def _names_it(sentence, k):
    """Whether a warning of the fit with k experts says what makes it degenerate."""
    causes = ("collapsed", "hardly ever fires")
    return sentence.startswith(f"k = {k}:") and any(cause in sentence for cause in causes)


REGIMES = Experiment(
    name="regimes",
    description=f"How many experts BIC chooses: {DATA_SETS} data sets a kind of labels.",
    grid=make_grid(),
    run=run_cell,
)
