"""How often a certificate refuses right fits, and from how many samples on it refuses wrong ones.

A cell is a design, a number of samples, and what is wrong with the fit:

- *right*: EM climbs from the truth. Rejections are the level.
- *missing*: one expert fewer, from the truth with two experts joined; with one expert left there is
  one fit.
- *merged*: from two experts joined and a third one twice; an end counts if an expert is wrong.
- *random*: the end of EM from one random start, if an expert is wrong.
- *hard gate*: the same from starts with gates of length 8.
- *split*: one expert more than the truth, from a copy: the law is right.

A row counts the data sets of a batch, a hundred, or fifty where one takes long, for a part or for
all together.
"""

import time
from dataclasses import replace

import numpy as np

from moelib.estimator.certificate import certificate_from_sample
from moelib.estimator.twins import with_twin
from moelib.experiments.experiment import Experiment
from moelib.likelihood.maximum import maximum_from_sample
from moelib.likelihood.starts import random_start
from moelib.metrics import regressor_error
from moelib.model import GatedModel, standard_model
from moelib.parameters import FreeParameters
from moelib.validation import as_sample

BATCH = 100  # data sets
LEVELS = (0.01, 0.05, 0.1, 0.5)
WRONG = 0.1  # an expert's error, one minus a cosine, from which the end counts as wrong
BASE = dict(k=3, d=10, n=500, noise=0.05, design="standard", fit="right")
STEEP = 8.0  # length of the gates of the starts "hard gate"
SPREAD = 0.1  # of a copy about its expert
ENOUGH = 0.8  # power


def make_grid():
    """All cells."""
    lines: list[dict] = [dict(n=n) for n in (100, 250, 500, 2000)]
    lines += [dict(d=5, design="relu", noise=0.3, n=1000)]
    lines += [dict(k=8, d=16, n=1000)]
    lines += [dict(k=2, d=4, design="tanh", noise=0.3, n=1000)]
    lines += [dict(k=2, d=3, design="own data", noise=0.5, n=1000)]
    lines += [dict(noise=1.0, n=n) for n in (2000, 8000)]
    return [BASE | line for line in lines + _missing() + _other()]


def _missing():
    sizes, missing = (100, 200, 500, 1000, 2000), dict(fit="missing")
    lines: list[dict] = [missing | dict(noise=s, n=n) for s in (0.05, 0.5) for n in sizes]
    lines += [missing | dict(noise=1.0, n=n) for n in (1000, 3000)]
    lines += [missing | dict(noise=2.0, n=n) for n in (3000, 10_000, 30_000)]
    lines += [missing | dict(k=2, d=5, n=n) for n in sizes[:3]]
    lines += [missing | dict(k=8, d=16, n=1000)]
    return lines + [missing | dict(d=5, design="relu", noise=0.3, n=n) for n in sizes[1:4]]


def _other():
    merged, own = dict(fit="merged", k=6, d=12), dict(k=2, d=3, design="own data", noise=0.5)
    lines: list[dict] = [merged | dict(n=n) for n in (200, 250, 350)]
    lines += [merged | dict(noise=0.3, n=n) for n in (250, 350, 500, 700)]
    lines += [merged | dict(noise=0.5, n=n) for n in (500, 1000)]
    lines += [dict(fit="hard gate", k=2, d=5, n=n) for n in (50, 75, 100, 150, 200, 500)]
    lines += [dict(fit="split", n=n) | own for n in (200, 500, 2000)]
    lines += [dict(fit="random", n=n) for n in (100, 150)]
    return [*lines, dict(fit="random", k=8, d=16, n=2000)]


def n_batches(cell):
    """How many batches a cell has: up to ten for the level, fewer where fits take long."""
    if cell["fit"] == "hard gate":
        return 2
    if cell["fit"] != "right" or cell["k"] > 3 or cell["n"] == 8000:
        return 1
    if cell["n"] == 2000:
        return 3 if cell["noise"] == 1.0 else 1
    return 5 if cell["design"] == "relu" or cell["n"] < 500 else 10


def data_sets(cell):
    """How many data sets a batch has: a hundred, fewer where each takes seconds."""
    return 50 if cell["fit"] == "merged" else BATCH


def design(cell):
    """The truth of a cell, and what its fits learn."""
    k, d, noise = cell["k"], cell["d"], cell["noise"]
    if cell["design"] == "own data":
        truth = GatedModel(
            np.array([[1.0, 0.5, 0.0], [-0.5, 1.0, 0.8]]),
            np.array([[1.5, -1.0, 0.5]]),
            noise * np.array([0.6, 1.6]),
            expert_intercepts=np.array([1.0, -1.0]),
            gate_intercepts=np.array([0.3]),
        )
        return truth, FreeParameters(intercepts=True, noise="per-expert")
    link = "identity" if cell["design"] == "standard" else cell["design"]
    norm = 2.0 if cell["fit"] == "hard gate" else 1.0
    return standard_model(d, k, noise, gate_norm=norm, link=link), FreeParameters()


def draw(cell, rng):
    """A data set of a cell; inputs are normal but in the design "tanh", where they are skewed.

    Parameters
    ----------
    cell : dict
        A design of the grid.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    truth : GatedModel
        The truth.
    free : FreeParameters
        What a fit learns.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    """
    truth, free = design(cell)
    X = rng.standard_normal((cell["n"], cell["d"]))
    if cell["design"] == "tanh":
        X = rng.exponential(size=X.shape) - 1
        X[:, 0] = X[:, 0] > 0
    return truth, free, X, truth.sample_labels(X, rng)[0]


def start(cell, truth, X, y, rng):
    """Where the climb of a cell begins."""
    kind = cell["fit"]
    if kind == "right":
        return truth
    if kind == "split":
        wider = with_twin(truth, 0)
        moved = wider.experts + SPREAD * rng.standard_normal(wider.experts.shape)
        return replace(wider, experts=moved)
    if kind in ("random", "hard gate"):
        norm = STEEP if kind == "hard gate" else 0.0
        return random_start(X, y, truth.n_experts, rng, link=truth.link, gate_norm=norm)
    A, W = truth.experts, np.vstack([truth.gates, np.zeros(truth.n_features)])
    A, W = np.vstack([(A[0] + A[1]) / 2, A[2:]]), np.vstack([(W[0] + W[1]) / 2, W[2:]])
    if kind == "merged":
        shift = rng.standard_normal(truth.n_features) / np.sqrt(truth.n_features)
        A = np.vstack([A[:2], A[1:]])
        W = np.vstack([W[0], W[1] + shift, W[1] - shift, W[2:]])
    return GatedModel(A, (W - W[-1])[:-1], float(np.std(y)), truth.link)


def is_wanted(cell, fit, truth):
    """Whether the end of a climb is of the kind that a cell is about."""
    if cell["fit"] not in ("merged", "random", "hard gate"):
        return True
    return regressor_error(fit.experts, truth.experts) > WRONG


def run_cell(cell, seed, *, batches=None):
    """A row for each batch and part, and one for all parts together.

    Columns: ``data_sets``; ``kept``, how many ends were of the kind wanted; ``certified``, how many
    of them got a certificate and were not refused one; ``p_1`` .. ``p_50``, in how many of these
    the p-value was below; ``pull``, the mean of the statistic less its degrees of freedom, in units
    of its standard deviation.
    """
    rows, size = [], data_sets(cell)
    for batch, batch_seed in enumerate(seed.spawn(n_batches(cell))[:batches]):
        begin = time.process_time()
        ends = [one_end(cell, np.random.default_rng(one)) for one in batch_seed.spawn(size)]
        kept = [certificate for wanted, certificate in ends if wanted]
        found = [certificate for certificate in kept if certificate is not None]
        counts = {"data_sets": size, "kept": len(kept), "certified": len(found)}
        seconds = {"seconds": (time.process_time() - begin) / size}
        rows += [{"batch": batch} | row | seconds for row in _rows(found, counts)]
    return rows


def one_end(cell, rng):
    """Whether the end on one data set is of the kind wanted, and its certificate.

    The latter is None where there is none: with fewer samples than it needs, or a noise that has
    collapsed.
    """
    truth, free, X, y = draw(cell, rng)
    first, data = start(cell, truth, X, y, rng), as_sample(X, y)
    fit = maximum_from_sample(data, first, free=free, max_iter=1000, tol=1e-8).model
    if not is_wanted(cell, fit, truth):
        return False, None
    try:
        return True, certificate_from_sample(fit, data, free, rng)[0]
    except ValueError:
        return True, None


def _rows(found, counts):
    """How often each part and all together rejected, and how far each statistic is off."""
    parts = list(found[0].table.index) if found else []
    for part in [*parts, "together"]:
        p = [one.p_value if part == "together" else one.table["p_value"][part] for one in found]
        row: dict = {"method": part, **counts}
        row |= {f"p_{100 * level:g}": int(np.sum(np.array(p) < level)) for level in LEVELS}
        if part != "together":
            tables = [one.table.loc[part] for one in found]
            pulls = [(t["statistic"] - t["df"]) / np.sqrt(2 * t["df"]) for t in tables]
            row["pull"] = float(np.mean(pulls))
        yield row


def rejections(table, level=0.05):
    """Share of the certificates that reject, for each cell and part, over its batches.

    Parameters
    ----------
    table : DataFrame
        The stored table.
    level : float
        One of ``LEVELS``.

    Returns
    -------
    DataFrame
        ``share``, ``certified`` and ``kept`` by the settings of a cell and ``method``.
    """
    settings = [*BASE, "method"]
    total = table.groupby(settings, sort=False).sum(numeric_only=True)
    share = total[f"p_{100 * level:g}"] / total["certified"]
    return total[["certified", "kept", "data_sets"]].assign(share=share)


def samples_needed(n, share, certified):
    """Where a power of 80 % is reached, on a line in log n through the two points next to it.

    Parameters
    ----------
    n : (m,) array
        Numbers of samples, rising.
    share : (m,) array
        Power at each.
    certified : (m,) array
        How many data sets each share is of.

    Returns
    -------
    low, n, high : float
        Where the power with two standard errors added, as it is, and with two subtracted reaches
        80 %; the least n if it does at the first, and infinite if at none.

    Examples
    --------
    >>> samples_needed([100, 1000], [0.6, 1.0], [200, 200])[1]
    316.22...
    """
    share = np.asarray(share, dtype=float)
    error = np.sqrt(share * (1 - share) / np.asarray(certified))
    ends = [_crossing(np.log(n), np.clip(share + by * error, 0, 1)) for by in (2, 0, -2)]
    return tuple(float(np.exp(end)) for end in ends)


def _crossing(place, power):
    reached = np.flatnonzero(power >= ENOUGH)
    if not len(reached):
        return np.inf
    j = reached[0]
    if j == 0:
        return place[0]
    part = (ENOUGH - power[j - 1]) / (power[j] - power[j - 1])
    return place[j - 1] + part * (place[j] - place[j - 1])


CERTIFICATE = Experiment(
    name="certificate",
    description=(
        f"How often a certificate refuses right and wrong fits: {BATCH} to {10 * BATCH} data sets "
        "a cell, 50 where one takes long."
    ),
    grid=make_grid(),
    run=run_cell,
    keys=("batch", "method"),
)
