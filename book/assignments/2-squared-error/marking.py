"""Problem set 2, "Squared error": what is asked, right answers, the data."""

import numpy as np
from scipy.optimize import least_squares

from moelib import GatedModel
from moelib.classroom import Case, Personal, Question, up_to_order
from moelib.classroom.distances import gate_rows

NOISE = 0.1


def directions(rng, k, d, low=0.8, high=1.6):
    """``k`` vectors in random directions, lengths from ``low`` to ``high``."""
    V = rng.standard_normal((k, d))
    V = V / np.linalg.norm(V, axis=1, keepdims=True)
    return rng.uniform(low, high, (k, 1)) * V


def apart(rng, k, d):
    """Experts that are pairwise at least 1 apart."""
    while True:
        A = directions(rng, k, d)
        gaps = np.linalg.norm(A[:, None] - A[None], axis=2)
        if gaps[np.triu_indices(k, 1)].min() >= 1:
            return A


def pair(rng, d):
    """Two experts and a gate of length 2.5 that is not along their difference.

    Close to it all starts may end in the right basin: nothing to compare.
    """
    while True:
        A, W = apart(rng, 2, d), directions(rng, 1, d, 2.5, 2.5)
        delta = A[0] - A[1]
        if abs(W[0] @ delta) <= 0.5 * 2.5 * np.linalg.norm(delta):
            return A, W


def personal(truth_rng, data_rng):
    """A sample of a pair with its parameters, and a triple to take apart."""
    A, W = pair(truth_rng, 4)
    A3, W3 = apart(truth_rng, 3, 4), directions(truth_rng, 2, 4)
    X, y = GatedModel(A, W, NOISE).sample(600, data_rng)
    return Personal(data={"A": A, "W": W, "X": X, "y": y, "A3": A3, "W3": W3})


# --- the right answers --------------------------------------------------------


def mean_and_jacobian(X, A, W):
    """The conditional mean, and its derivatives by the rows of A and of W."""
    model = GatedModel(A, W, 1.0)
    p, answers, m = (
        model.gate_probabilities(X),
        model.expert_means(X),
        model.mean(X),
    )
    factors = np.hstack([p, (p * (answers - m[:, None]))[:, :-1]])
    return m, (factors[:, :, None] * X[:, None]).reshape(len(X), -1)


def loss_gradient(X, y, A, W):
    """Gradient of the mean squared error in A and in W."""
    m, J = mean_and_jacobian(X, A, W)
    slopes = (2 * (m - y) @ J / len(X)).reshape(-1, X.shape[1])
    return slopes[: len(A)], slopes[len(A) :]


def bread(X, A, W):
    """The mean of the outer products of the derivatives."""
    _, J = mean_and_jacobian(X, A, W)
    return J.T @ J / len(X)


def predicted_gain(X, A, W, noise):
    """What a fit is expected to gain in training over the truth."""
    m, J = mean_and_jacobian(X, A, W)
    model = GatedModel(A, W, noise)
    p, answers = model.gate_probabilities(X), model.expert_means(X)
    variance = noise**2 + np.sum(p * (answers - m[:, None]) ** 2, axis=1)
    return np.trace(np.linalg.solve(J.T @ J, (J.T * variance) @ J)) / len(X)


def loss(X, y, A, W):
    """The mean squared error."""
    return np.mean((y - GatedModel(A, W, 1.0).mean(X)) ** 2)


def fit(X, y, A, W):
    """Least squares from a start."""
    (k, d), theta = A.shape, np.vstack([A, W]).ravel()

    def parts(theta):
        rows = theta.reshape(-1, d)
        m, J = mean_and_jacobian(X, rows[:k], rows[k:])
        return m - y, J

    end = least_squares(
        lambda t: parts(t)[0], theta, lambda t: parts(t)[1], method="lm"
    )
    rows = end.x.reshape(-1, d)
    return rows[:k], rows[k:]


def lowest_loss(X, y, A, W):
    """The lowest loss of a climb from the truth and twelve random starts."""
    rng = np.random.default_rng(0)
    starts = [0.5 * rng.standard_normal((3, X.shape[1])) for _ in range(12)]
    starts = [(A, W), *((rows[:2], rows[2:]) for rows in starts)]
    return min(loss(X, y, *fit(X, y, *start)) for start in starts)


def excess_loss(answer, expected):
    """How far the loss of a fit is above the lowest, relative to it."""
    X, y, lowest = expected
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return np.inf, "a pair of experts and gates was expected"
    d = X.shape[1]
    A, gates = np.asarray(answer[0], float), gate_rows(answer[1], 2, d)
    if A.shape != (2, d) or gates is None:
        return np.inf, f"experts {(2, d)} and gates {(1, d)} were expected"
    reached = loss(X, y, A, (gates - gates[-1])[:-1])
    if not np.isfinite(reached):
        return np.inf, "its loss is not finite"
    words = f"its loss is {reached:.5f}, and there is one of {lowest:.5f}"
    return np.maximum(0.0, reached / lowest - 1), words


def with_advice(answer, expected):
    """Distance up to order; what to look at first if a fit went nowhere."""
    error, words = up_to_order(answer, expected)
    if error > 0.1 and words in ("", "the gates do not fit"):
        advice = "check your derivatives first, by differences, then your steps"
        return error, ": ".join(filter(None, [words, advice]))
    return error, words


# --- the questions ------------------------------------------------------------

LABELS = ("a random model", "another random model", "scores of hundreds")


def models(rng):
    """Two ordinary models, and two whose scores overflow.

    In those the first k - 1 gates share a long part of one sign and of the
    other, so that none of them silences the others.
    """
    for label, k, length in zip(
        (*LABELS, LABELS[2]), (3, 4, 4, 3), (0, 0, 800, 800)
    ):
        A, W = directions(rng, k, 4), directions(rng, k - 1, 4)
        W = W + length * directions(rng, 1, 4)
        X = rng.standard_normal((60, 4))
        yield label, X, rng.standard_normal(60), A, W


def mean_function_cases(rng, personal):
    """Conditional means of four models."""
    return [
        Case((X, A, W), GatedModel(A, W, 1.0).mean(X), label)
        for label, X, _, A, W in models(rng)
    ]


def loss_gradient_cases(rng, personal):
    """Gradients for four models, and for the student's own sample."""
    cases = [
        Case((X, y, A, W), loss_gradient(X, y, A, W), label)
        for label, X, y, A, W in models(rng)
    ]
    X, y = personal.data["X"], personal.data["y"]
    A, W = directions(rng, 2, 4), directions(rng, 1, 4)
    own = Case((X, y, A, W), loss_gradient(X, y, A, W), "your own sample")
    return [*cases, own]


def bread_cases(rng, personal):
    """The matrix for two to four experts."""
    cases = []
    for k, d in ((2, 4), (3, 3), (4, 5)):
        A, W = directions(rng, k, d), directions(rng, k - 1, d)
        X = rng.standard_normal((200, d))
        cases.append(Case((X, A, W), bread(X, A, W), f"{k} experts"))
    return cases


def near(rng, rows):
    """Each row moved by a quarter of its length in a random direction."""
    moves = directions(rng, *rows.shape, 0.25, 0.25)
    return rows + np.linalg.norm(rows, axis=1, keepdims=True) * moves


def fit_least_squares_cases(rng, personal):
    """Labels without noise or spread, starts near the truth."""
    cases = []
    for k, d, turned in ((2, 4, False), (2, 5, True), (3, 4, False)):
        A, W = apart(rng, k, d), directions(rng, k - 1, d, 2.0, 3.0)
        X = rng.standard_normal((500, d))
        y, A0, W0 = GatedModel(A, W, 1.0).mean(X), near(rng, A), near(rng, W)
        start = (A0[::-1], -W0) if turned else (A0, W0)
        cases.append(Case((X, y, *start), (A, W), f"{k} experts"))
    return cases


def predicted_gain_cases(rng, personal):
    """The student's own truth and inputs, and two models with fresh inputs."""
    data = personal.data
    asked = {"your own sample": (data["X"], data["A"], data["W"], NOISE)}
    for k, d in ((2, 4), (3, 4)):
        A, W = apart(rng, k, d), directions(rng, k - 1, d, 2.0, 3.0)
        X = rng.standard_normal((400, d))
        asked[f"{k} experts"] = X, A, W, rng.uniform(0.05, 0.5)
    return [Case(a, predicted_gain(*a), label) for label, a in asked.items()]


def best_fit_cases(rng, personal):
    """The student's own sample, and the lowest loss we know."""
    X, y = personal.data["X"], personal.data["y"]
    lowest = lowest_loss(X, y, personal.data["A"], personal.data["W"])
    return [Case(args=None, expected=(X, y, lowest))]


QUESTIONS = [
    Question("mean_function", mean_function_cases, full=1e-8, none=1e-2),
    Question("loss_gradient", loss_gradient_cases, full=1e-8, none=1e-2),
    Question("bread", bread_cases, full=1e-8, none=1e-2),
    Question(
        "fit_least_squares",
        fit_least_squares_cases,
        full=1e-3,
        none=0.1,
        distance=with_advice,
    ),
    Question("predicted_gain", predicted_gain_cases, full=1e-6, none=1e-2),
    Question(
        "best_fit", best_fit_cases, full=1e-4, none=5e-3, distance=excess_loss
    ),
]
