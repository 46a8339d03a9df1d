"""Problem set 1, "The gated model": what is asked, the right answers, one
student's data.
"""

import numpy as np
from scipy.special import logsumexp

from moelib import GatedModel
from moelib.classroom import Case, Personal, Question, relative, up_to_order
from moelib.classroom.distances import gate_rows

NOISES = np.geomspace(0.01, 10, 13)


def directions(rng, k, d, low=0.8, high=1.6):
    """``k`` vectors in random directions, with lengths between ``low`` and
    ``high``.
    """
    V = rng.standard_normal((k, d))
    return (
        rng.uniform(low, high, (k, 1))
        * V
        / np.linalg.norm(V, axis=1, keepdims=True)
    )


def personal(truth_rng, data_rng):
    """A model in space with inputs, uniforms and normals, and pairs without
    noise from two experts.
    """
    A, W = directions(truth_rng, 3, 3), directions(truth_rng, 2, 3)
    pair, V = directions(truth_rng, 2, 3, 1.2, 2.0), directions(truth_rng, 1, 3)
    X, u, e = (
        data_rng.standard_normal((1800, 3)),
        data_rng.random(1800),
        data_rng.standard_normal(1800),
    )
    X0, y0 = noise_free(pair, V, 60, data_rng)
    arrays = {
        "A": A,
        "W": W,
        "X": X,
        "u": u,
        "e": e,
        "noises": NOISES,
        "X0": X0,
        "y0": y0,
    }
    return Personal(data=arrays, truth={"pair": pair, "gate": V})


# --- the right answers --------------------------------------------------------


def sample_labels(X, u, e, A, W, noise):
    """Labels and experts from given uniforms and normals."""
    model = GatedModel(A, W, noise)
    z = (
        u[:, None] >= np.cumsum(model.gate_probabilities(X), axis=1)[:, :-1]
    ).sum(axis=1)
    return model.expert_means(X)[np.arange(len(X)), z] + noise * e, z


def relabel(A, W, order):
    """The model with its experts in another order, last gate zero."""
    every = np.vstack([W, np.zeros(W.shape[1])])[order]
    return A[order], (every - every[-1])[:-1]


def gate_penalty(W):
    """Squared distances of all pairs of gates, the zero one among them."""
    every = np.vstack([W, np.zeros(W.shape[1])])
    return len(every) * np.sum((every - every.mean(axis=0)) ** 2)


def entropies(X, u, e, A, W, noises):
    """Mean entropy of the posterior, in nats, at every noise."""

    def entropy(noise):
        y, _ = sample_labels(X, u, e, A, W, noise)
        log_joint = GatedModel(A, W, noise).log_joint(X, y)
        log_r = log_joint - logsumexp(log_joint, axis=1, keepdims=True)
        return -np.mean(np.sum(np.exp(log_r) * log_r, axis=1))

    return np.array([entropy(noise) for noise in noises])


def noise_free(pair, V, n, rng):
    """Inputs and exact answers of two experts, a quarter of the samples or more
    from each.
    """
    model = GatedModel(pair, V, 1.0)
    while True:
        X = rng.standard_normal((n, pair.shape[1]))
        y, z = sample_labels(X, rng.random(n), np.zeros(n), pair, V, 1.0)
        if min(np.bincount(z, minlength=model.n_experts)) >= n / 4:
            return X, y


def nats(answer, expected):
    """Largest difference of logarithms, whatever their size."""
    error, words = relative(answer, expected)
    return error * np.abs(expected).max(), words


def in_this_order(answer, expected):
    """Largest relative difference; the zero gate may be written out."""
    A, W = expected
    rows = gate_rows(answer[1], *A.shape) if len(answer) == 2 else None
    if rows is None:
        return relative(answer, expected)
    error, words = relative((answer[0], rows[:-1]), (A, W))
    if rows[-1].any():
        return np.inf, "the last gate is not zero: re-base"
    return error, words


# --- the questions ------------------------------------------------------------


LABELS = (
    "a random model",
    "another random model",
    "scores of hundreds",
    "labels far from all answers",
)


def models(rng):
    """Two ordinary models, one whose scores overflow, one with labels far off.

    In the third the first k - 1 gates share a long part, so that none of them
    silences the others. In the fourth the inputs are small and the gates long:
    answers lie close together, and the label far from all.
    """
    for label, k, length, size, shift in zip(
        LABELS, (3, 4, 4, 3), (0, 0, 800, 0), (1, 1, 1, 0.01), (0, 0, 0, 100)
    ):
        A, W = directions(rng, k, 4), directions(rng, k - 1, 4)
        X, noise = size * rng.standard_normal((50, 4)), rng.uniform(0.1, 0.5)
        W = W / size + length * directions(rng, 1, 4)
        y, _ = sample_labels(
            X, rng.random(50), rng.standard_normal(50), A, W, noise
        )
        yield label, X, y + shift, A, W, noise


def log_gate_cases(rng, personal):
    """Log-probabilities of the gates of the first three models, the third one
    twice.
    """
    *first, third, _ = models(rng)
    cases = []
    for label, X, _, A, W, noise in (
        *first,
        third,
        [*third[:1], -third[1], *third[2:]],
    ):
        expected = GatedModel(A, W, noise).log_gate_probabilities(X)
        cases.append(Case(args=(X, W), expected=expected, label=label))
    return cases


def log_density_cases(rng, personal):
    """Log-densities of labels, near and far."""
    cases = []
    for label, X, y, A, W, noise in models(rng):
        expected = GatedModel(A, W, noise).log_density(X, y)
        cases.append(
            Case(args=(X, y, A, W, noise), expected=expected, label=label)
        )
    return cases


def posterior_cases(rng, personal):
    """Posteriors of labels, near and far."""
    cases = []
    for label, X, y, A, W, noise in models(rng):
        expected = GatedModel(A, W, noise).posterior(X, y)
        cases.append(
            Case(args=(X, y, A, W, noise), expected=expected, label=label)
        )
    return cases


def sample_labels_cases(rng, personal):
    """Draws from given uniforms and normals."""
    cases = []
    for label, X, _, A, W, noise in models(rng):
        u, e = rng.random(len(X)), rng.standard_normal(len(X))
        expected = sample_labels(X, u, e, A, W, noise)
        cases.append(
            Case(args=(X, u, e, A, W, noise), expected=expected, label=label)
        )
    return cases


def relabel_cases(rng, personal):
    """Orders that move the last expert and are not their own inverse."""
    cases = []
    for order in ([1, 2, 0], [2, 0, 1], [3, 0, 1, 2], [1, 4, 3, 0, 2]):
        A, W = (
            directions(rng, len(order), 4),
            directions(rng, len(order) - 1, 4),
        )
        expected = relabel(A, W, order)
        cases.append(Case(args=(A, W, np.array(order)), expected=expected))
    return cases


def gate_penalty_cases(rng, personal):
    """Gates of two to five experts."""
    gates = [directions(rng, k - 1, 4) for k in (3, 4, 5)]
    return [Case(args=(W,), expected=gate_penalty(W)) for W in gates]


def experts_from_pairs_cases(rng, personal):
    """The student's own pairs; four dimensions; a router of two half-spaces;
    experts of opposite directions.
    """
    data, own = personal.data, personal.truth["pair"]
    cases = [
        Case(
            args=(data["X0"], data["y0"]), expected=own, label="your own pairs"
        )
    ]
    a = directions(rng, 1, 3, 1.2, 2.0)
    asked = {
        "four dimensions": (directions(rng, 2, 4, 1.2, 2.0), 1),
        "a router": (directions(rng, 2, 3, 1.2, 2.0), 30),
        "opposite directions": (np.vstack([a, -1.3 * a]), 1),
    }
    for label, (pair, length) in asked.items():
        X, y = noise_free(
            pair, length * directions(rng, 1, pair.shape[1]), 120, rng
        )
        cases.append(Case(args=(X, y), expected=pair, label=label))
    return cases


def entropy_curve_cases(rng, personal):
    """The mean entropies of the student's own model, inputs and draws."""
    d = personal.data
    expected = entropies(d["X"], d["u"], d["e"], d["A"], d["W"], d["noises"])
    return [Case(args=None, expected=expected)]


QUESTIONS = [
    Question("log_gate", log_gate_cases, full=1e-6, none=1e-2, distance=nats),
    Question(
        "log_density", log_density_cases, full=1e-6, none=1e-2, distance=nats
    ),
    Question("posterior", posterior_cases, full=1e-8, none=1e-2),
    Question("sample_labels", sample_labels_cases, full=1e-8, none=1e-2),
    Question(
        "relabel", relabel_cases, full=1e-8, none=1e-2, distance=in_this_order
    ),
    Question("gate_penalty", gate_penalty_cases, full=1e-8, none=1e-2),
    Question(
        "experts_from_pairs",
        experts_from_pairs_cases,
        full=1e-6,
        none=0.1,
        distance=up_to_order,
    ),
    Question("entropy_curve", entropy_curve_cases, full=1e-6, none=1e-2),
]
