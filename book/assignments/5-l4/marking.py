"""Problem set 5: what is asked and the right answers. Never released."""

import numpy as np

from moelib import GatedModel, Moments, label_transforms
from moelib.classroom import Case, Personal, Question, up_to_order
from moelib.experts import population_moments
from moelib.hermite import score2, score4

D, K, NOISE = 7, 3, 0.1
MU, LAM = 0.5, 4.0
N_SMALL, BATCH, N_BATCHES = 1000, 50_000, 4


def personal(truth_rng, data_rng):
    """A model with skew unit experts: a small sample, moments of a large."""
    frame = np.linalg.qr(truth_rng.standard_normal((D, D)))[0]
    experts = skew_experts(K, truth_rng) @ frame[:K]
    gates = truth_rng.standard_normal((K - 1, D - K))
    gates *= 1.5 / np.linalg.norm(gates, axis=1, keepdims=True)
    model = GatedModel(experts, gates @ frame[K:], noise=NOISE)
    X, y = model.sample(N_SMALL, data_rng)
    sums = Moments(
        label_transforms("identity", NOISE, kind="optimal", dimension=D)
    )
    first = np.zeros(D)
    for _ in range(N_BATCHES):
        batch = model.sample(BATCH, data_rng)
        sums.update(*batch)
        first += batch[0].T @ batch[1] / (N_BATCHES * BATCH)
    data = dict(X=X, y=y, noise=np.array(NOISE), m1=first)
    data |= dict(M=sums.second_moment, T=sums.fourth_moment)
    return Personal(data=data, truth={"experts": experts, "gates": model.gates})


def skew_experts(k, rng):
    """k unit vectors in R^k: random cosines, one of them large; not flat."""
    while True:
        cosines = np.triu(rng.uniform(-0.45, 0.45, (k, k)), 1)
        gram = np.eye(k) + cosines + cosines.T
        if np.linalg.eigvalsh(gram)[0] > 0.4 and np.abs(cosines).max() > 0.35:
            return np.linalg.cholesky(gram)


def random_terms(rng, personal):
    """Arguments that the forms of the loss share: rows and two weights."""
    rows, d = int(rng.integers(2, 5)), int(rng.integers(3, 7))
    A = rng.standard_normal((rows, d))
    return A, rng.uniform(0.2, 0.9), rng.uniform(0.5, 5)


def random_moments(rng, d):
    """A symmetric matrix and a symmetric tensor without structure."""
    u = rng.standard_normal((2 * d, d))
    signs = rng.choice([-1.0, 1.0], 2 * d)
    return population_moments(u, signs)


def loss(A, M, T, mu, lam):
    """L4, row by row."""
    value = 0.0
    for i, a in enumerate(A):
        value += lam * (a @ M @ a - 1) ** 2 - mu * contracted(T, a, a)
        value += sum(contracted(T, a, b) for j, b in enumerate(A) if j != i)
    return value


def contracted(T, a, b):
    """T[a, a, b, b]."""
    return ((T @ b) @ b) @ a @ a


def moment_cases(rng, personal):
    """Random moments, the student's own, and a single row."""
    cases = []
    for label in (
        "random moments",
        "random moments",
        "your moments",
        "one row",
    ):
        A, mu, lam = random_terms(rng, personal)
        A = A[:1] if label == "one row" else A
        M, T = random_moments(rng, A.shape[1])
        if label == "your moments":
            A, M, T = (
                rng.standard_normal((3, D)),
                personal.data["M"],
                personal.data["T"],
            )
        args = (A, M, T, mu, lam)
        cases.append(Case(args, loss(*args), label))
    return cases


def sample_cases(rng, personal):
    """Random numbers for labels, not centred; one sample is wide."""
    cases = []
    for label, n, d in (
        ("few samples", 40, 4),
        ("your X", 0, 0),
        ("wide", 5000, 60),
    ):
        _, mu, lam = random_terms(rng, personal)
        X = rng.standard_normal((n, d)) if n else personal.data["X"]
        q2, q4 = 0.3 + rng.standard_normal((2, len(X)))
        A = rng.standard_normal((3, X.shape[1])) / np.sqrt(X.shape[1])
        cases.append(
            Case(
                (A, X, q2, q4, mu, lam),
                sample_loss(A, X, q2, q4, mu, lam),
                label,
            )
        )
    return cases


def sample_loss(A, X, q2, q4, mu, lam):
    """The same from contracted scores, pair by pair."""
    seen = np.array([[np.mean(q4 * score4(X, a, b)) for b in A] for a in A])
    length = np.array([np.mean(q2 * score2(X, a)) for a in A])
    return (
        seen.sum() - (1 + mu) * np.trace(seen) + lam * np.sum((length - 1) ** 2)
    )


def population_cases(rng, personal):
    """Experts of any length, as many rows as experts or not."""
    cases = []
    for k, d in ((2, 3), (3, 6), (4, 5)):
        experts, shares = (
            rng.standard_normal((k, d)),
            rng.dirichlet(3 * np.ones(k)),
        )
        _, mu, lam = random_terms(rng, personal)
        A = rng.standard_normal((int(rng.integers(1, 5)), d))
        right = loss(A, *population_moments(experts, shares), mu, lam)
        cases.append(
            Case(
                (A, experts, shares, mu, lam),
                right,
                f"{k} experts, {len(A)} rows",
            )
        )
    return cases


def gradient_cases(rng, personal):
    """Two random moments and the student's own."""
    cases = []
    for own in (False, False, True):
        A, mu, lam = random_terms(rng, personal)
        M, T = random_moments(rng, A.shape[1])
        if own:
            A, M, T = (
                rng.standard_normal((3, D)),
                personal.data["M"],
                personal.data["T"],
            )
        label = "your moments" if own else "random moments"
        cases.append(
            Case((A, M, T, mu, lam), gradient(A, M, T, mu, lam), label)
        )
    return cases


def gradient(A, M, T, mu, lam):
    """Of :func:`loss`, row by row."""
    rows = []
    for i, a in enumerate(A):
        row = 4 * lam * (a @ M @ a - 1) * (M @ a) - 4 * mu * ((T @ a) @ a) @ a
        row += 4 * sum(((T @ b) @ b) @ a for j, b in enumerate(A) if j != i)
        rows.append(row)
    return np.array(rows)


def all_critical(weights, mu):
    """Critical angles of two rows, from the cosines of twice the angles."""
    low, high = -1.0, 1.0
    r = (weights[0] - weights[1]) / (weights[0] + weights[1])
    found = [(c, e) for c in (low, high) for e in (low, high)] + [(-r, -r)]
    for edge in (low, high):
        inner = (edge - (mu - 1) * r) / mu
        found += [(edge, inner), (inner, edge)] if low < inner < high else []
    points = {}
    for pair in found:
        first, second = (np.arccos(c) / 2 for c in pair)
        for point in (
            (p, q) for p in (first, -first) for q in (second, -second)
        ):
            turned = np.mod(point, np.pi)
            points[tuple(np.round(turned, 9))] = turned
    return np.array(list(points.values()))


def critical_cases(rng, personal):
    """Two weights of mu below one and two above."""
    cases = []
    for low, high in ((0.1, 0.5), (0.5, 0.9), (1.1, 1.8), (2.0, 4.0)):
        weights, mu = rng.uniform(1.2, 6, 2), rng.uniform(low, high)
        cases.append(
            Case((weights, mu), all_critical(weights, mu), f"mu = {mu:.2f}")
        )
    return cases


def points_missed(answer, expected):
    """One minus the share of points that both lists have; modulo pi."""
    found = np.asarray(answer, dtype=float)
    if found.ndim != 2 or found.shape[1] != 2 or not np.isfinite(found).all():
        return float("inf"), "an array (N, 2) of finite angles was expected"
    away = np.abs(
        np.mod(found[:, None] - expected + np.pi / 2, np.pi) - np.pi / 2
    ).max(axis=2)
    right = int((away < 1e-5).any(axis=0).sum())
    missing, wrong = len(expected) - right, len(found) - right
    words = f"{missing} points are missing, {wrong} are wrong or given twice"
    return (missing + wrong) / (len(expected) + wrong), words


def recover_cases(rng, personal):
    """Exact moments; in the last an expert is at an obtuse angle to m1."""
    cases = []
    for k, d in ((2, 5), (3, 6), (4, 7)):
        experts, shares = skew_experts(k, rng), rng.dirichlet(6 * np.ones(k))
        cases.append(
            recover_case(
                experts, 0.1 / k + 0.9 * shares, d, rng, f"{k} experts"
            )
        )
    gram = np.eye(3) - 0.4 * (np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]]))
    obtuse = np.linalg.cholesky(gram)
    shares = np.array([0.15, 0.45, 0.4])
    return [*cases, recover_case(obtuse, shares, 6, rng, "obtuse angles")]


def recover_case(experts, shares, d, rng, label):
    """The exact moments of these experts, turned at random into R^d."""
    frame = np.linalg.qr(rng.standard_normal((d, d)))[0]
    experts = experts @ frame[: len(experts)]
    M, T = population_moments(experts, shares)
    return Case((shares @ experts, M, T, len(experts)), experts, label)


def own_experts(rng, personal):
    """The truth behind the student's moments."""
    return [Case(None, personal.truth["experts"])]


def own_direction(rng, personal):
    """What is needed to check any direction."""
    kept = {key: personal.data[key] for key in ("M", "T")}
    return [Case(None, kept | {"mu": MU, "lam": LAM})]


def rises(answer, expected):
    """Zero if the loss falls without bound along the direction, one if not."""
    xi = np.asarray(answer, dtype=float)
    if xi.shape != (D,) or not np.isfinite(xi).all() or not xi.any():
        return 1.0, f"a direction, not zero, of shape ({D},) was expected"
    xi = xi / np.linalg.norm(xi)
    length = expected["lam"] * (xi @ expected["M"] @ xi) ** 2
    leading = length - expected["mu"] * contracted(expected["T"], xi, xi)
    words = f"the factor of the fourth power is {leading:+.2g} along it"
    return (0.0, words) if leading < 0 else (1.0, words + ": the loss rises")


QUESTIONS = [
    Question("l4_moments", moment_cases, full=1e-8, none=1e-2),
    Question("l4_samples", sample_cases, full=1e-8, none=1e-3),
    Question("l4_population", population_cases, full=1e-8, none=1e-2),
    Question("l4_gradient", gradient_cases, full=1e-8, none=1e-2),
    Question(
        "critical_points",
        critical_cases,
        full=0,
        none=1,
        distance=points_missed,
    ),
    Question(
        "recover", recover_cases, full=5e-3, none=0.2, distance=up_to_order
    ),
    Question("A_hat", own_experts, full=0.08, none=0.4, distance=up_to_order),
    Question("xi", own_direction, full=0, none=1, distance=rises),
]
