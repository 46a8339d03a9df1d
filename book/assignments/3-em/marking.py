"""What is asked in problem set 3, the right answers, each student's data."""

import math

import numpy as np

from moelib import GatedModel
from moelib.classroom import Case, Personal, Question, Rng
from moelib.classroom.distances import gate_rows, relative, up_to_order
from moelib.gates import surrogate_step
from moelib.likelihood import mean_score, observed_information, polish

K, D, N, NOISE = 4, 3, 500, 0.1


def e_step(X, y, A, W, noise):
    model = GatedModel(A, W, noise)
    return model.posterior(X, y), float(model.log_density(X, y).mean())


def expert_step(X, y, R):
    roots = np.sqrt(R.T)
    A = np.array([np.linalg.pinv(X * r[:, None]) @ (y * r) for r in roots])
    return A, float(np.sqrt(np.sum(R * (y[:, None] - X @ A.T) ** 2) / len(y)))


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


def r_squared_of(model, X, y, weights):
    mean = np.sum(weights * (X @ model.experts.T), axis=1)
    return float(1 - np.mean((y - mean) ** 2) / np.mean(y**2))


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


def gates_apart(answer, expected):
    """Relative error of gates in any form and base; expected: (k-1, d)."""
    m, d = np.shape(expected)
    found = gate_rows(answer, m + 1, d)
    if found is None:
        return math.inf, f"gates of shape {(m, d)} were expected"
    return relative((found - found[-1])[:-1], expected)


def gate_step_distance(answer, expected):
    error, words = gates_apart(answer, expected)
    near = "near to the maximiser: go on until the gradient is below 1e-9"
    return error, words or (near if error < 0.2 else "")


def steps_distance(answer, expected):
    """The worst of experts, gates, noise, history; what to look at first."""
    if not isinstance(answer, tuple | list) or len(answer) != len(expected):
        return math.inf, f"{len(expected)} things were expected"
    distances = (relative, gates_apart, relative, relative)
    parts = [d(a, e) for d, a, e in zip(distances, answer, expected)]
    errors = np.array([error for error, _ in parts])
    words = next(filter(None, (said for _, said in parts)), "")
    off = np.array(["expert_step", "gate_step"])[errors[:2] > 1e-5]
    first = " and ".join(off) or "expert_step"
    words = words or f"it builds on e_step and {first}: repair those first"
    return float(np.max(errors)), words


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
    starts = [(personal.data["X"], personal.data["y"], *_model(rng, D, K))]
    for n, d, k in ((150, 2, 2), (300, 4, 3)):
        X, y, model = _problem(rng, n, d, k)
        starts.append((X, y, model.experts + 0.3, np.zeros((k - 1, d)), 1.0))
    return [Case(args, em(*args, 1)[:3]) for args in starts]


def em_cases(rng, personal):
    own = personal.data
    start = own["X"], own["y"], own["A0"], own["W0"], float(own["noise0"])
    X, y, model = _problem(rng, 200, 2, 2)
    other = X, y, model.experts + 0.3, np.zeros((1, 2)), 1.0
    asked = {"your data": (*start, 10), "two experts": (*other, 15)}
    asked["no step"] = (*other, 0)
    return [Case(args, em(*args), says) for says, args in asked.items()]


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
    points = list(_likelihood_points(rng, personal))
    models = [GatedModel(*p[2:]) for p in points]
    found = [observed_information(m, *p[:2]) for m, p in zip(models, points)]
    return [Case(p, H) for p, H in zip(points, found)]


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
    first, what = "observed_information", "the smallest eigenvalue is another"
    if height > 1e-3:
        first, what = "e_step and em", "L is another, or EM began elsewhere"
    elif rest > 1e-3:
        first, what = "score", "the first number is no zero"
    words = f"{what}; repair {first} first, if points were lost there"
    return float(np.max([rest, bend, height])), words


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
    """The right answer and its neighbours, each by the words that it gets."""
    X, y = personal.data["X"], personal.data["y"]
    models = [personal.truth[name] for name in ("bad", "good")]
    gates = [m.gate_probabilities(X) for m in models]
    weights = {
        "": gates,
        "the mean is over all experts, not the likeliest one's": [
            np.eye(K)[p.argmax(axis=1)] for p in gates
        ],
        "you averaged with the posteriors, which have seen the label: the"
        " prediction uses the gates": [m.posterior(X, y) for m in models],
    }
    values = {
        words: tuple(r_squared_of(m, X, y, w) for m, w in zip(models, pair))
        for words, pair in weights.items()
    }
    roots = tuple(abs(value) ** 0.5 for value in values[""])
    return [Case(None, values | {"you returned the root of it": roots})]


def r_squared_distance(answer, expected):
    error, words = relative(answer, expected[""])
    near = (w for w, e in expected.items() if relative(answer, e)[0] < 1e-3)
    return error, words or next(near, "")


QUESTIONS = [
    Question(name, cases, full=full, none=none, distance=distance)
    for name, cases, full, none, distance in (
        ("e_step", e_step_cases, 1e-8, 1e-2, relative),
        ("expert_step", expert_step_cases, 1e-8, 1e-2, relative),
        ("gate_step", gate_step_cases, 1e-5, 1e-2, gate_step_distance),
        ("em_step", em_step_cases, 1e-5, 1e-2, steps_distance),
        ("em", em_cases, 1e-4, 3e-2, steps_distance),
        ("score", score_cases, 1e-8, 1e-2, relative),
        ("observed_information", information_cases, 1e-4, 1e-1, relative),
        ("certificate", certificate_cases, 1e-3, 1e-1, certificate_distance),
        ("fit", fit_cases, 0.02, 0.5, up_to_order),
        ("r_squared", r_squared_cases, 1e-3, 1e-1, r_squared_distance),
    )
]
