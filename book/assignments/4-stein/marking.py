"""Problem set 4, "Stars": what is asked, the right answers, and data."""

from math import factorial

import numpy as np
from scipy.special import ndtr

from moelib import GatedModel
from moelib.classroom import Case, Personal, Question, up_to_order
from moelib.hermite import hermite
from moelib.quadrature import label_power

N = 3000


def unit_rows(A):
    """Rows of length one."""
    return A / np.linalg.norm(A, axis=1, keepdims=True)


def experts_apart(rng, k, d, most=0.5):
    """Unit experts in random directions, no two lines within 60 degrees."""
    while True:
        A = unit_rows(rng.standard_normal((k, d)))
        if np.abs(A @ A.T - np.eye(k)).max() < most:
            return A


def personal(truth_rng, data_rng):
    """Ratings of four stars from two experts, gate orthogonal to both."""
    A = experts_apart(truth_rng, 2, 3)
    W = 1.5 * unit_rows(np.cross(A[0], A[1])[None])
    middle, low, high = truth_rng.uniform([-0.3, 1.3, 1.3], [0.3, 1.7, 1.7])
    thresholds = np.array([middle - low, middle, middle + high])
    X = data_rng.standard_normal((N, 3))
    second = (
        data_rng.random(N) >= GatedModel(A, W, 1.0).gate_probabilities(X)[:, 0]
    )
    scores = np.sum(X * A[second.astype(int)], axis=1)
    stars = 1 + np.searchsorted(thresholds, scores)
    return Personal(
        data={"X": X, "stars": stars.astype(np.int8), "thresholds": thresholds},
        truth={"A": A, "W": W},
    )


# --- the right answers --------------------------------------------------------


def gauss_hermite(q):
    """Nodes, ascending, and weights for one standard normal number."""
    z, weight = np.polynomial.hermite_e.hermegauss(q)
    return z, weight / weight.sum()


def q4(g, z, weight, noise):
    """Alpha, beta, gamma, mean and c_4 of the polynomial transform."""
    powers = np.array([label_power(p, g, noise) for p in (1, 2, 3, 4)])
    K = (powers * weight) @ np.array([hermite(j, z) for j in range(5)]).T
    gamma, beta, alpha = np.linalg.solve(K[:3, 1:4].T, -K[3, 1:4])
    mean, *_, c4 = np.array([gamma, beta, alpha, 1.0]) @ K
    return np.array([alpha, beta, gamma, mean, c4])


def star_moments(thresholds, m):
    """E[He_j(Z); level l], j up to m, by Stein's lemma with jumps."""
    phi = np.exp(-(thresholds**2) / 2) / np.sqrt(2 * np.pi)
    rows = [np.diff([0, *ndtr(thresholds), 1])]
    for j in range(1, m + 1):
        rows.append(-np.diff([0, *(hermite(j - 1, thresholds) * phi), 0]))
    return np.array(rows)


def star_transform(thresholds):
    """Values at the L levels of the transform of order L - 1, constant 1."""
    K = star_moments(thresholds, len(thresholds))
    return np.linalg.solve(K, np.eye(len(K))[-1])


def star_price(thresholds):
    """One over the squared correlation of that transform."""
    share = star_moments(thresholds, 0)[0]
    variance = share @ star_transform(thresholds) ** 2
    return factorial(len(thresholds)) * variance


def moment3(X, t):
    """Mean of t times the score tensor of order three."""
    n, d = X.shape
    plain = np.einsum("n,ni,nj,nl->ijl", t / n, X, X, X, optimize=True)
    line = np.multiply.outer(t @ X / n, np.eye(d))
    return plain - sum(np.moveaxis(line, 0, place) for place in range(3))


# --- the questions ------------------------------------------------------------


def hermite_cases(rng, personal):
    """Low orders and a high one."""
    return [
        Case(args=(m, t), expected=hermite(m, t), label=f"order {m}")
        for m, t in ((m, rng.uniform(-3, 3, 20)) for m in (0, 3, 8, 25))
    ]


def gauss_hermite_cases(rng, personal):
    """Small rules and a large one."""
    return [
        Case(args=(q,), expected=gauss_hermite(q), label=f"{q} nodes")
        for q in (2, int(rng.integers(5, 9)), int(rng.integers(15, 25)), 60)
    ]


def q4_cases(rng, personal):
    """Four links, none of them odd and none of them on the sheet."""
    z, weight = gauss_hermite(80)
    u = rng.uniform(0.5, 1.0, 4)
    links = {
        "softplus": np.logaddexp(0, 2 * u[0] * z),
        "a cubic": z + u[1] * z**2 / 4 + z**3 / 6,
        "a shifted sine": np.sin(0.6 * z + u[2]) + z,
        "an exponential": np.exp(u[3] * z / 2),
    }
    noises = rng.uniform(0.4, 0.9, 4)
    return [
        Case((g, z, weight, s), q4(g, z, weight, s), label)
        for (label, g), s in zip(links.items(), noises)
    ]


def star_transform_cases(rng, personal):
    """The student's own levels, and three to six others."""
    own = personal.data["thresholds"]
    cases = [Case((own,), star_transform(own), "your own thresholds")]
    for levels in (3, 4, 5, 6):
        thresholds = np.cumsum(rng.uniform(0.6, 1.2, levels - 1))
        thresholds += rng.uniform(-0.3, 0.3) - thresholds.mean()
        expected = star_transform(thresholds)
        cases.append(Case((thresholds,), expected, f"{levels} levels"))
    return cases


def star_price_cases(rng, personal):
    """The price of the student's own thresholds."""
    return [Case(None, star_price(personal.data["thresholds"]))]


def moment3_cases(rng, personal):
    """The student's own inputs, and fewer in other dimensions."""
    own = personal.data["X"]
    cases = []
    for X in (own, *(rng.standard_normal((40, d)) for d in (1, 2, 5))):
        t = rng.standard_normal(len(X)) + 0.5 + X[:, 0] ** 2
        cases.append(Case((X, t), moment3(X, t), f"{X.shape[1]} dimensions"))
    return cases


def experts_from_moment_cases(rng, personal):
    """Population moments of experts that are not orthogonal."""
    cases = []
    for k, d in ((2, 2), (2, 4), (3, 3), (3, 6)):
        A, shares = experts_apart(rng, k, d), rng.uniform(1, 2, k)
        M3 = np.einsum("i,ia,ib,ic->abc", shares / shares.sum(), A, A, A)
        cases.append(Case((M3, k), A, f"{k} experts in {d} dimensions"))
    return cases


def my_experts_cases(rng, personal):
    """The experts behind the student's own ratings."""
    return [Case(None, personal.truth["A"])]


QUESTIONS = [
    Question("hermite", hermite_cases, full=1e-8, none=1e-2),
    Question("gauss_hermite", gauss_hermite_cases, full=1e-8, none=1e-2),
    Question("q4", q4_cases, full=1e-7, none=1e-2),
    Question("star_transform", star_transform_cases, full=1e-7, none=1e-2),
    Question("star_price", star_price_cases, full=1e-4, none=2e-2),
    Question("moment3", moment3_cases, full=1e-8, none=1e-2),
    Question(
        "experts_from_moment",
        experts_from_moment_cases,
        full=1e-5,
        none=0.1,
        distance=up_to_order,
    ),
    Question(
        "my_experts",
        my_experts_cases,
        full=0.35,
        none=0.8,
        distance=up_to_order,
    ),
]
