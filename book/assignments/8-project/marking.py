"""Problem set 8: what is asked, the right answers, one student's data."""

import warnings

import numpy as np

from moelib import GatedModel, MixtureOfExperts
from moelib.classroom import Case, Personal, Question
from moelib.classroom.distances import relative, same_integer, up_to_order
from moelib.predictive import quantiles

LIBRARY = True
COLUMNS = np.array(["dose", "age", "distance"])


# The right answers.


def split(groups, seed):
    """Which rows are test rows: all rows of a quarter of the groups."""
    names = np.unique(groups)
    order = np.random.default_rng(seed).permutation(len(names))
    return np.isin(groups, names[order[: round(len(names) / 4)]])


def prepare(X, test):
    """Gaps filled and columns scaled, by the training rows alone."""
    mean = np.nanmean(X[~test], axis=0)
    filled = np.where(np.isnan(X), mean, X)
    return (filled - mean) / filled[~test].std(axis=0)


def mixture(X, y, k):
    """The fit that the notebook asks for; its warnings are not for here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MixtureOfExperts(k, n_init=5, random_state=0).fit(X, y)


def fit(X, y, k):
    """Experts and gates as rows, slopes first, the intercept last."""
    found = mixture(X, y, k)
    A = np.column_stack([found.experts_, found.expert_intercepts_])
    return A, np.column_stack([found.gates_, found.gate_intercepts_])


def held_out_gain(X, y, test, k):
    """Mean gain of k experts over one on the test rows, and its s.e."""
    one, more = (
        mixture(X[~test], y[~test], m).log_density(X[test], y[test])
        for m in (1, k)
    )
    gain = more - one
    return gain.mean(), gain.std(ddof=1) / np.sqrt(len(gain))


def predict_interval(X, y, X_new):
    """90 % intervals; experts are added as long as that lowers BIC."""
    best = mixture(X, y, 1)
    for k in (2, 3):
        more = mixture(X, y, k)
        if more.bic(X, y) > best.bic(X, y):
            break
        best = more
    return best.predict_interval(X_new, level=0.9)


# The data of one student.


def spread_out(rng, k, d=3, least=2.5):
    """Slopes of k experts, every two of them well apart."""
    while True:
        slopes = rng.standard_normal((k, d))
        slopes *= rng.uniform(1.5, 2.5, (k, 1)) / np.linalg.norm(
            slopes, axis=1, keepdims=True
        )
        gaps = np.linalg.norm(slopes[:, None] - slopes, axis=2)
        if np.all(gaps[~np.eye(k, dtype=bool)] > least):
            return slopes


def regimes(rng, k):
    """A model of k regimes with intercepts and a noise for each."""
    gates = rng.standard_normal((k - 1, 3))
    gates *= 1.5 / np.linalg.norm(gates, axis=1, keepdims=True)
    return GatedModel(
        spread_out(rng, k),
        gates,
        rng.uniform(0.3, 0.5, k),
        expert_intercepts=rng.uniform(-1, 1, k),
        gate_intercepts=rng.uniform(-0.3, 0.3, k - 1),
    )


def personal(truth_rng, data_rng):
    """A table of 480 rows from 96 sites, with one, two or three regimes."""
    k = int(truth_rng.integers(1, 4))
    model = regimes(truth_rng, k)
    groups = data_rng.permutation(np.repeat(np.arange(96), 5))
    X = data_rng.standard_normal((480, 3))
    X[:, 2] = data_rng.standard_normal(96)[groups]  # a site has one distance
    y, _ = model.sample_labels(X, data_rng)
    data = {"X": X, "y": y, "groups": groups, "columns": COLUMNS}
    return Personal(data=data, truth={"k": k, "model": model})


# What student code is called with.


def split_cases(rng, personal):
    """The student's sites; names that do not count from zero; uneven sites."""
    names = [7, 11, 12, 30, 45, 60, 80, 81, 95, 300, 401, 777]
    uneven = rng.choice(names, 90)
    many = rng.integers(1000, 1040, 150)
    tables = personal.data["groups"], many, uneven
    calls = [(groups, int(rng.integers(10_000))) for groups in tables]
    return [Case(args=args, expected=split(*args)) for args in calls]


def prepare_cases(rng, _):
    """Gaps, other units, and test rows that lie far from the others."""
    cases = []
    for shift in (0.0, 5.0, -20.0):
        test = rng.random(80) < 0.3
        X = rng.standard_normal((80, 3)) * [1, 30, 0.1] + [0, 100, -3]
        X[test] += shift * np.array([1, 30, 0.1])
        X[rng.random(X.shape) < 0.1] = np.nan
        cases.append(Case(args=(X, test), expected=prepare(X, test)))
    return cases


def n_regimes_cases(_, personal):
    """How many regimes made the student's table."""
    return [Case(args=None, expected=personal.truth["k"])]


def fit_cases(rng, _):
    """Two and three regimes."""
    cases = []
    for k in (2, 3):
        X, y = regimes(rng, k).sample(500, rng)
        cases.append(Case(args=(X, y, k), expected=fit(X, y, k)))
    return cases


def held_out_gain_cases(rng, _):
    """Test labels unlike those of the training rows: a fit that saw them
    shows.
    """
    cases = []
    for spread in (1.5, 2.5):
        X, y = regimes(rng, 2).sample(320, rng)
        test = rng.random(320) < 0.4
        moved = y + spread * rng.choice([-1, 1], 320)
        args = X, np.where(test, moved, y), test, 2
        cases.append(Case(args, held_out_gain(*args)))
    return cases


def predict_interval_cases(rng, _):
    """One, two and three regimes; the grader holds the labels of new rows."""
    cases = []
    for k in (1, 2, 3):
        model = regimes(rng, k)
        X, y = model.sample(400, rng)
        X_new, y_new = model.sample(2000, rng)
        low, high = quantiles(model, X_new, [0.05, 0.95]).T
        width = float(np.mean(high - low))
        right = {"y": y_new, "width": width}
        cases.append(Case((X, y, X_new), right, f"{k} regimes"))
    return cases


# How far an answer is off.


def gain_distance(answer, expected):
    """The worse of the two relative errors, of the gain and of its s.e."""
    if not isinstance(answer, tuple | list | np.ndarray) or len(answer) != 2:
        return np.inf, "a gain and its standard error were expected"
    parts = [relative(a, e)[0] for a, e in zip(answer, expected)]
    words = ("the gain", "the standard error")[np.argmax(parts)]
    return float(np.max(parts)), f"{words} is off most"


def interval_distance(answer, expected):
    """How far from 90 % it covers, or how much wider than the truth's it is.

    An interval with its ends reversed would make the mean width smaller.
    """
    ends, y = np.asarray(answer, dtype=float), expected["y"]
    if ends.shape != (len(y), 2) or not np.isfinite(ends).all():
        return np.inf, f"finite numbers of shape {(len(y), 2)} were expected"
    if np.any(ends[:, 0] > ends[:, 1]):
        return np.inf, "a lower end lies above its upper end"
    covers = np.mean((ends[:, 0] <= y) & (y <= ends[:, 1]))
    wider = np.mean(ends[:, 1] - ends[:, 0]) / expected["width"] - 1
    words = f"covers {100 * covers:.1f} %, width {100 * wider:+.0f} %"
    words += " against equal tails of the true law"
    return float(np.max([abs(covers - 0.9) / 0.1, wider / 0.3])), words


QUESTIONS = [
    Question("split", split_cases, 0, 1),
    Question("prepare", prepare_cases, 1e-8, 1e-3),
    Question("n_regimes", n_regimes_cases, 0, 1, same_integer),
    Question("fit", fit_cases, 0.02, 0.5, up_to_order),
    Question("held_out_gain", held_out_gain_cases, 0.02, 0.2, gain_distance),
    Question(
        "predict_interval", predict_interval_cases, 0.6, 1, interval_distance
    ),
]
