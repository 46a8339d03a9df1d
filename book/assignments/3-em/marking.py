"""What is asked in problem set 3, the right answers, each student's data."""

import math

import numpy as np

from moelib import GatedModel
from moelib.classroom import Case, Personal, Question, Rng, up_to_order
from moelib.gates import surrogate_step
from moelib.likelihood import mean_score, observed_information, polish

K, D, N, NOISE = 4, 3, 500, 0.1


# --- right answers ------------------------------------------------------------


def e_step(X, y, A, W, noise):
    model = GatedModel(A, W, noise)
    return model.posterior(X, y), float(model.log_density(X, y).mean())


def expert_step(X, y, R):
    A = np.array([least_squares(X, y, r) for r in R.T])
    squares = R * (y[:, None] - X @ A.T) ** 2
    return A, float(np.sqrt(np.mean(np.sum(squares, axis=1))))


def least_squares(X, y, weights):
    root = np.sqrt(weights)
    return np.linalg.lstsq(X * root[:, None], y * root, rcond=None)[0]


def gate_step(X, R, W):
    for _ in range(100):
        W, slope = surrogate_step(W, X, R)
        if slope < 1e-12:
            break
    return W


def em(X, y, A, W, noise, n_steps):
    history = []
    for _ in range(n_steps):
        R, level = e_step(X, y, A, W, noise)
        history.append(level)
        (A, noise), W = expert_step(X, y, R), gate_step(X, R, W)
    return A, W, noise, np.array([*history, e_step(X, y, A, W, noise)[1]])


def peak(X, y, A, W, noise, n_steps=150):
    """Where EM from this start ends, finished by Newton's method."""
    return polish(GatedModel(*em(X, y, A, W, noise, n_steps)[:3]), X, y)


def certificate_of(model, X, y):
    """Largest slope, smallest curvature, and mean log-likelihood of a model."""
    slope = np.abs(mean_score(model, X, y)).max()
    curvature = np.linalg.eigvalsh(observed_information(model, X, y))[0]
    return float(slope), float(curvature), float(model.log_density(X, y).mean())


def r_squared_of(model, X, y):
    return 1 - np.mean((y - model.mean(X)) ** 2) / np.mean(y**2)


# --- the data of one student --------------------------------------------------


def two_pairs(rng):
    """Four experts in two close pairs, in a random frame; gates of length 1."""
    U = np.linalg.qr(rng.standard_normal((D, D)))[0]
    near, far = rng.uniform(0.28, 0.36, 2), rng.uniform(0.5, 1.0)
    length = rng.uniform(1.2, 1.6) / np.hypot(1, far)
    middles = np.array([U[0], -length * (U[0] + far * U[1])])
    aside = np.array([near[0] * U[1], near[1] * U[2]])
    A = np.concatenate([middles + aside, middles - aside])
    W = rng.standard_normal((K - 1, D))
    return A[[0, 2, 1, 3]], W / np.linalg.norm(W, axis=1, keepdims=True)


def one_and_three(A, rng):
    """A start with one row amid the first pair, three about the second."""
    middles = A.reshape(2, 2, D).mean(axis=1)
    rows = np.repeat(middles, [1, 3], axis=0)
    rows[1:] += 0.15 * rng.standard_normal((3, D))
    return rows[rng.permutation(K)], np.zeros((K - 1, D)), 0.5


def is_as_wanted(good, bad):
    """Two strict maxima, the second one lower by much."""
    (_, top_curvature, top), (slope, curvature, level) = good, bad
    strict = slope < 1e-9 and min(curvature, top_curvature) > 3e-3
    return strict and top > level + 0.3


def personal(truth_rng, data_rng):
    """Data and a start from which EM ends at a wrong strict maximum."""
    for _ in range(100):
        A, W = two_pairs(truth_rng)
        X, y = GatedModel(A, W, NOISE).sample(N, data_rng)
        start = one_and_three(A, truth_rng)
        good, bad = peak(X, y, A, W, NOISE, 60), peak(X, y, *start)
        ends = [certificate_of(m, X, y) for m in (good, bad)]
        if is_as_wanted(*ends) and np.abs(bad.gates).max() < 5:
            names = zip(["A0", "W0", "noise0"], map(np.asarray, start))
            truth = {"A": A, "W": W, "good": good, "bad": bad}
            return Personal({"X": X, "y": y} | dict(names), truth)
    raise RuntimeError("no start led to a wrong maximum")


# --- cases --------------------------------------------------------------------


def _model(rng, d, k, noise=0.7, gate=1.0):
    gates = gate * rng.standard_normal((k - 1, d))
    return rng.standard_normal((k, d)), gates, noise


def _problem(rng, n, d, k):
    model = GatedModel(*_model(rng, d, k, noise=0.5))
    return *model.sample(n, rng), model


def e_step_cases(rng, personal):
    asked = []
    for n, d, k in ((40, 2, 2), (60, 4, 3)):
        X, y, _ = _problem(rng, n, d, k)
        asked.append(((X, y, *_model(rng, d, k)), "random models"))
    own = personal.data
    asked.append(((own["X"], own["y"], *_model(rng, D, K)), "your data"))
    X, y, _ = _problem(rng, 30, 3, 3)
    extreme = X, y, *_model(rng, 3, 3, noise=0.01, gate=800.0)
    asked.append((extreme, "gates of 800, noise 0.01"))
    return [Case(args, e_step(*args), label) for args, label in asked]


def _soft(rng, n, k, sharp=1.0):
    scores = sharp * rng.standard_normal((n, k))
    return np.exp(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))


def expert_step_cases(rng, personal):
    asked = []
    for n, d, k in ((30, 2, 2), (60, 4, 3), (200, 3, 5)):
        X, y, _ = _problem(rng, n, d, k)
        asked.append((X, y, _soft(rng, n, k)))
    asked.append((personal.data["X"], personal.data["y"], _soft(rng, N, K)))
    return [Case(args, expert_step(*args)) for args in asked]


def gate_step_cases(rng, personal):
    cases = []
    for n, d, k in ((60, 2, 2), (150, 3, 3), (N, D, K)):
        X = personal.data["X"] if n == N else rng.standard_normal((n, d))
        model = GatedModel(*_model(rng, d, k, gate=2.0))
        R = model.gate_probabilities(X) * _soft(rng, n, k)
        R /= R.sum(axis=1, keepdims=True)
        zero = np.zeros((k - 1, d))
        far = 20 * rng.standard_normal((k - 1, d))
        best = gate_step(X, R, zero)
        cases.append(Case((X, R, zero), best, "from zero gates"))
        cases.append(Case((X, R, far), best, "from long gates"))
    return cases


def em_step_cases(rng, personal):
    own = personal.data
    starts = [(own["X"], own["y"], *_model(rng, D, K, noise=1.0))]
    for n, d, k in ((150, 2, 2), (300, 4, 3)):
        X, y, model = _problem(rng, n, d, k)
        starts.append((X, y, model.experts + 0.3, np.zeros((k - 1, d)), 1.0))
    return [Case(args, em(*args, 1)[:3]) for args in starts]


def em_cases(rng, personal):
    own = personal.data
    start = own["X"], own["y"], own["A0"], own["W0"], float(own["noise0"])
    X, y, model = _problem(rng, 200, 2, 2)
    other = X, y, model.experts + 0.3, np.zeros((1, 2)), 1.0
    asked = [(*start, 10), (*other, 15), (*other, 0)]
    labels = ["your data", "two experts", "no step"]
    return [Case(args, em(*args), says) for args, says in zip(asked, labels)]


def _likelihood_points(rng, personal):
    own = personal.data
    for n, d, k in ((50, 2, 2), (80, 4, 3)):
        X, y, _ = _problem(rng, n, d, k)
        yield X, y, *_model(rng, d, k)
    yield own["X"], own["y"], own["A0"], own["W0"] + 0.3, float(own["noise0"])


def score_cases(rng, personal):
    points = list(_likelihood_points(rng, personal))
    X, y, _ = _problem(rng, 30, 3, 3)
    points.append((X, y, *_model(rng, 3, 3, noise=0.2, gate=800.0)))
    return [Case(p, mean_score(GatedModel(*p[2:]), *p[:2])) for p in points]


def information_cases(rng, personal):
    return [
        Case(point, observed_information(GatedModel(*point[2:]), *point[:2]))
        for point in _likelihood_points(rng, personal)
    ]


def certificate_cases(rng, personal):
    X, y = personal.data["X"], personal.data["y"]
    return [Case(None, certificate_of(personal.truth["bad"], X, y))]


def certificate_distance(answer, expected):
    """A slope counts by its size, the two others by how far they are off."""
    found = np.asarray(answer, dtype=float)
    if found.shape != (3,) or not np.isfinite(found).all():
        return math.inf, "three numbers were expected"
    slope, curvature, level = found
    rest = slope / 1e-4 if slope >= 0 else math.inf
    bend, height = abs(curvature / expected[1] - 1), abs(level - expected[2])
    parts = [
        (rest, "the first number is no zero"),
        (bend, "the smallest eigenvalue is another"),
        (height, "the log-likelihood is another"),
    ]
    return max(parts, key=lambda part: part[0])


def restarts(p, confidence):
    if p == 1:
        return 1
    return math.ceil(math.log1p(-confidence) / math.log1p(-p))


def restarts_needed_cases(rng, personal):
    asked = [(0.5, 0.99), (0.05, 0.95), (1.0, 0.99), (0.85, 0.5)]
    asked += [(float(rng.uniform(0.1, 0.6)), 0.97) for _ in range(3)]
    return [Case(args, restarts(*args)) for args in asked]


def count_distance(answer, expected):
    return abs(float(answer) - expected)


def fit_cases(rng, personal):
    own, good = personal.data, personal.truth["good"]
    seeds = [int(seed) for seed in rng.integers(2**31, size=2)]
    A, W = two_pairs(rng)
    X, y = GatedModel(A, W, NOISE).sample(N, rng)
    other = peak(X, y, A, W, NOISE, 60)
    asked = [(own["X"], own["y"], good, "your data"), (X, y, other, "new data")]
    return [
        Case((X, y, K, Rng(seed)), (m.experts, m.gates, float(m.noise)), label)
        for (X, y, m, label), seed in zip(asked, seeds)
    ]


def r_squared_cases(rng, personal):
    X, y = personal.data["X"], personal.data["y"]
    models = (personal.truth[name] for name in ("bad", "good"))
    return [Case(None, tuple(r_squared_of(m, X, y) for m in models))]


QUESTIONS = [
    Question("e_step", e_step_cases, full=1e-8, none=1e-2),
    Question("expert_step", expert_step_cases, full=1e-8, none=1e-2),
    Question("gate_step", gate_step_cases, full=1e-5, none=1e-2),
    Question("em_step", em_step_cases, full=1e-5, none=1e-2),
    Question("em", em_cases, full=1e-4, none=3e-2),
    Question("score", score_cases, full=1e-8, none=1e-2),
    Question("observed_information", information_cases, full=1e-4, none=1e-1),
    Question(
        "certificate",
        certificate_cases,
        full=1e-3,
        none=1e-1,
        distance=certificate_distance,
    ),
    Question(
        "restarts_needed",
        restarts_needed_cases,
        full=0,
        none=1,
        distance=count_distance,
    ),
    Question("fit", fit_cases, full=0.02, none=0.5, distance=up_to_order),
    Question("r_squared", r_squared_cases, full=1e-3, none=1e-1),
]
