"""Problem set 6: what is asked and the right answers. Never released."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

from moelib import GatedModel, learn_gates
from moelib.classroom import Case, Personal, Question, relative, up_to_order
from moelib.classroom.distances import gate_rows

D, K, N, NOISE = 4, 3, 1500, 0.3


def personal(truth_rng, data_rng):
    """A sample of a model in general position, and rough experts."""
    model = random_mixture(
        K, D, truth_rng, noise=NOISE, gate_norm=1.5, apart=True
    )
    rough = roughened(model.experts, truth_rng)
    X, y = model.sample(N, data_rng)
    data = dict(X=X, y=y, noise=np.array(NOISE), A0=rough)
    return Personal(
        data=data, truth={"experts": model.experts, "gates": model.gates}
    )


def random_mixture(k, d, rng, *, noise, gate_norm, apart=False):
    """Experts of lengths 0.75 to 1.5; if asked, none close to another."""
    while True:
        A = rng.standard_normal((k, d))
        A /= np.linalg.norm(A, axis=1, keepdims=True)
        A *= rng.permutation(np.linspace(0.75, 1.5, k))[:, None]
        gaps = np.linalg.norm(A[:, None] - A, axis=2) + 9 * np.eye(k)
        if not apart or gaps.min() > 1.2:
            break
    W = rng.standard_normal((k - 1, d))
    W *= gate_norm / np.linalg.norm(W, axis=1, keepdims=True)
    return GatedModel(A, W, noise=noise)


def roughened(A, rng):
    """Each expert moved by a quarter of its length in a random direction."""
    off = rng.standard_normal(A.shape)
    off /= np.linalg.norm(off, axis=1, keepdims=True)
    return A + 0.25 * np.linalg.norm(A, axis=1, keepdims=True) * off


def logs(W, X, y, A, noise):
    """Logarithms of the gate, and of gate times density of the label."""
    log_p = log_softmax(np.column_stack([X @ W.T, np.zeros(len(X))]), axis=1)
    return log_p, log_p - (y[:, None] - X @ A.T) ** 2 / (2 * noise**2)


def gradient(W, X, y, A, noise):
    """Of the gates' loss, sample by sample."""
    log_p, joint = logs(W, X, y, A, noise)
    gap = np.exp(log_p) - softmax(joint, axis=1)
    return np.mean([np.outer(g[:-1], x) for g, x in zip(gap, X)], axis=0)


def cov(q):
    """Covariances of one-hot draws, cut to all but their last coordinate."""
    q = q[:, :-1]
    return q[:, :, None] * np.eye(q.shape[1]) - q[:, :, None] * q[:, None]


def hessian(W, X, y, A, noise):
    """Of the gates' loss: the mean of Kronecker products, block by block."""
    log_p, joint = logs(W, X, y, A, noise)
    gaps = cov(np.exp(log_p)) - cov(softmax(joint, axis=1))
    rows = [
        np.hstack([(gaps[:, i, j] * X.T) @ X for j in range(len(W))])
        for i in range(len(W))
    ]
    return np.vstack(rows) / len(X)


def derivative_cases(rng, personal, derivative):
    """Three models, the student's own data, and an overflow."""
    cases = []
    for k, d, noise in ((2, 3, 0.5), (3, 4, 0.1), (4, 2, 2.0)):
        model = random_mixture(k, d, rng, noise=noise, gate_norm=2.0)
        args = (
            rng.standard_normal((k - 1, d)),
            *model.sample(200, rng),
            model.experts,
            noise,
        )
        cases.append(Case(args, derivative(*args), f"{k} experts"))
    data = personal.data
    args = (
        rng.standard_normal((K - 1, D)),
        data["X"],
        data["y"],
        data["A0"],
        NOISE,
    )
    cases.append(Case(args, derivative(*args), "your data"))
    args = overflowing(
        random_mixture(3, 2, rng, noise=0.001, gate_norm=800.0), rng
    )
    return [*cases, Case(args, derivative(*args), "overflow")]


def overflowing(model, rng):
    """Gates of 800: inputs that make them sure, and short ones."""
    X = rng.standard_normal((4000, 2))
    gaps = X @ np.stack([*model.gates, model.gates[0] - model.gates[1]]).T
    X = X[np.abs(gaps).min(axis=1) > 50][:100]
    X[::2] /= 800
    p, n = model.gate_probabilities(X), len(X)
    z = np.array([rng.choice(3, p=q) for q in p])
    y = np.sum(model.experts[z] * X, axis=1) + 0.001 * rng.standard_normal(n)
    return model.gates, X, y, model.experts, 0.001


def gradient_cases(rng, personal):
    """See :func:`derivative_cases`."""
    return derivative_cases(rng, personal, gradient)


def hessian_cases(rng, personal):
    """See :func:`derivative_cases`."""
    return derivative_cases(rng, personal, hessian)


def best_gates(X, y, A, noise, ridge, init=None):
    """The library's minimum from a start."""
    options = dict(
        noise=noise, gate_ridge=ridge, init=init, tol=1e-15, max_iter=500
    )
    return learn_gates(X, y, A, **options).model.gates


def bare_newton(X, y, A, noise, ridge):
    """Newton steps from zero without a safeguard; None where they fail."""
    W = np.zeros((len(A) - 1, X.shape[1]))
    for _ in range(40):
        H = hessian(W, X, y, A, noise) + ridge * np.eye(W.size)
        slope = gradient(W, X, y, A, noise) + ridge * W
        W = W - np.linalg.solve(H, slope.ravel()).reshape(W.shape)
        if not np.abs(W).max() < 1e5:
            return None
    return W


def learn_cases(rng, personal):
    """Easy, long, the student's own, and one that needs safeguards."""
    cases = []
    for label, k, d, n, noise, norm, ridge in (
        ("easy", 3, 4, 400, 0.3, 1.5, 1e-2),
        ("long gate", 2, 3, 200, 0.05, 30.0, 1e-3),
    ):
        model = random_mixture(k, d, rng, noise=noise, gate_norm=norm)
        args = (*model.sample(n, rng), model.experts, noise, ridge)
        cases.append(Case(args, best_gates(*args), label))
    data = personal.data
    args = (data["X"], data["y"], data["A0"], NOISE, 1e-3)
    return [*cases, Case(args, best_gates(*args), "your data"), hard_case(rng)]


def hard_case(rng):
    """Bare Newton steps end elsewhere; all starts tried end together."""
    noise, ridge = 0.8, 5e-3
    while True:
        model = random_mixture(4, 3, rng, noise=noise, gate_norm=8.0)
        args = (*model.sample(400, rng), model.experts, noise, ridge)
        right = best_gates(*args)
        scale = 1e-3 * np.abs(right).max()
        if np.abs(gradient(right, *args[:-1]) + ridge * right).max() > 1e-8:
            continue
        starts = (model.gates, -model.gates, 4 * rng.standard_normal((3, 3)))
        if any(
            np.abs(best_gates(*args, start) - right).max() > scale
            for start in starts
        ):
            continue
        bare = bare_newton(*args)
        if bare is None or np.abs(bare - right).max() > 100 * scale:
            return Case(args, right, "not convex")


def information_cases(rng, personal):
    """Close experts, three in general position, experts far apart."""
    cases = []
    for label, k, noise, width in (
        ("close", 2, 1.0, 0.5),
        ("three", 3, 0.5, 1),
        ("far", 2, 0.2, 1),
    ):
        model = random_mixture(k, 3, rng, noise=noise, gate_norm=1.0)
        A = model.experts.mean(axis=0) + width * (
            model.experts - model.experts.mean(axis=0)
        )
        args = (model.gates, rng.standard_normal((100, 3)), A, noise)
        cases.append(Case(args, information(*args), label))
    return cases


def information(W, X, A, noise):
    """By the trapezoidal rule over each input's label."""
    seen, told = 0.0, 0.0
    for x in X:
        means = A @ x
        y = np.linspace(means.min() - 9 * noise, means.max() + 9 * noise, 2001)
        log_p, joint = logs(W, np.tile(x, (len(y), 1)), y, A, noise)
        density = np.exp(logsumexp(joint, axis=1)) / (
            noise * np.sqrt(2 * np.pi)
        )
        p, r = np.exp(log_p), softmax(joint, axis=1)
        gap = (r - p)[:, :-1]
        square = (gap * density[:, None]).T @ gap * (y[1] - y[0])
        told = told + np.kron(square, np.outer(x, x)) / len(X)
        seen = seen + np.kron(cov(p[:1])[0], np.outer(x, x)) / len(X)
    return seen, told


def error_cases(rng, personal):
    """Two models at their fits, and the student's data."""
    cases = []
    for k, d in ((2, 5), (3, 2)):
        model = random_mixture(k, d, rng, noise=0.3, gate_norm=2.0, apart=True)
        X, y = model.sample(400, rng)
        W = best_gates(X, y, model.experts, 0.3, 1e-4)
        args = (W, X, y, model.experts, 0.3)
        cases.append(Case(args, errors(*args), f"{k} experts"))
    data = personal.data
    known = (data["X"], data["y"], data["A0"], NOISE)
    args = (best_gates(*known, 1e-4), *known)
    return [*cases, Case(args, errors(*args), "your data")]


def errors(W, X, y, A, noise):
    """Roots of the diagonal of the inverse observed information."""
    H = len(X) * hessian(W, X, y, A, noise)
    return np.sqrt(np.diag(np.linalg.inv(H))).reshape(W.shape)


def relearn_cases(rng, personal):
    """The student's own data, and two others."""
    data, truth = personal.data, personal.truth
    right = likeliest(
        data["X"], data["y"], truth["experts"], truth["gates"], NOISE
    )
    cases = [
        Case((data["X"], data["y"], data["A0"], NOISE), right, "your data")
    ]
    for k, d in ((2, 3), (3, 4)):
        model = random_mixture(k, d, rng, noise=0.3, gate_norm=1.5, apart=True)
        X, y = model.sample(1200, rng)
        right = likeliest(X, y, model.experts, model.gates, 0.3)
        rough = roughened(model.experts, rng)[rng.permutation(k)]
        cases.append(Case((X, y, rough, 0.3), right, f"{k} experts"))
    return cases


def likeliest(X, y, A, W, noise):
    """The maximum of the likelihood that is reached from the truth."""
    k, d = A.shape

    def loss(theta):
        A, W = theta[: k * d].reshape(k, d), theta[k * d :].reshape(k - 1, d)
        log_p, joint = logs(W, X, y, A, noise)
        r, miss = softmax(joint, axis=1), y[:, None] - X @ A.T
        slopes = (
            ((r * miss).T @ X / noise**2).ravel(),
            ((r - np.exp(log_p)).T @ X)[:-1].ravel(),
        )
        return -logsumexp(joint, axis=1).mean(), -np.concatenate(slopes) / len(
            X
        )

    start, options = (
        np.concatenate([A.ravel(), W.ravel()]),
        dict(gtol=1e-9, maxiter=5000),
    )
    theta = minimize(loss, start, jac=True, method="BFGS", options=options).x
    return theta[: k * d].reshape(k, d), theta[k * d :].reshape(k - 1, d)


def in_any_form(answer, expected):
    """Of gates with any base: (k, d), (k - 1, d) or, for two experts, (d,)."""
    rows = gate_rows(answer, len(expected) + 1, expected.shape[1])
    if rows is not None:
        answer = (rows - rows[-1])[:-1]
    return relative(answer, expected)


QUESTIONS = [
    Question("gate_gradient", gradient_cases, full=1e-8, none=1e-2),
    Question("gate_hessian", hessian_cases, full=1e-6, none=1e-2),
    Question(
        "learn_gates", learn_cases, full=1e-4, none=0.1, distance=in_any_form
    ),
    Question("gate_information", information_cases, full=1e-3, none=0.1),
    Question("standard_errors", error_cases, full=1e-6, none=0.02),
    Question(
        "relearn", relearn_cases, full=2e-3, none=0.15, distance=up_to_order
    ),
]
