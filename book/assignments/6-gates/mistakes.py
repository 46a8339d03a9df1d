"""Problem set 6: wrong answers, other forms of right ones. Never released."""

import numpy as np

from moelib.classroom import equivalent, mistake


@mistake("gate_gradient", keeps=0.0, wraps=True)
def uphill(answer, W, X, y, A, noise):
    """You returned the log-likelihood's gradient: the loss is minus that."""
    return -answer


@mistake("gate_gradient", keeps=0.8)
def exponentials_overflow(W, X, y, A, noise):
    """You divided exponentials: they overflow, or are all zero."""
    with np.errstate(all="ignore"):
        e = np.exp(np.column_stack([X @ W.T, np.zeros(len(X))]))
        p = e / e.sum(axis=1, keepdims=True)
        q = p * np.exp(-((y[:, None] - X @ A.T) ** 2) / (2 * noise**2))
        r = q / q.sum(axis=1, keepdims=True)
    return -(r - p)[:, :-1].T @ X / len(X)


@mistake("gate_hessian", keeps=0.0)
def prior_part_alone(W, X, y, A, noise):
    """You returned the prior part, EM's curvature: as if z were seen."""
    from scipy.special import softmax

    p = softmax(np.column_stack([X @ W.T, np.zeros(len(X))]), axis=1)[:, :-1]
    pairs = np.einsum("ni,na->nia", p, X).reshape(len(X), -1)
    own = np.einsum("ni,ij,na,nb->iajb", p, np.eye(len(W)), X, X)
    return (own.reshape(W.size, W.size) - pairs.T @ pairs) / len(X)


@mistake("gate_hessian", keeps=0.0)
def outer_products_of_scores(W, X, y, A, noise):
    """You averaged outer products of scores: equal at the truth, in mean."""
    from scipy.special import log_softmax, softmax

    log_p = log_softmax(np.column_stack([X @ W.T, np.zeros(len(X))]), axis=1)
    r = softmax(log_p - (y[:, None] - X @ A.T) ** 2 / (2 * noise**2), axis=1)
    gap = (r - np.exp(log_p))[:, :-1]
    scores = np.einsum("ni,na->nia", gap, X).reshape(len(X), -1)
    return scores.T @ scores / len(X)


@mistake("learn_gates", keeps=0.0)
def nearest_expert_for_label(X, y, A, noise, ridge):
    """You fitted a classifier to the nearest expert: r keeps the doubt."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax, softmax

    z = np.argmin((y[:, None] - X @ A.T) ** 2, axis=1)
    hot, shape = np.eye(len(A))[z], (len(A) - 1, X.shape[1])

    def loss(w):
        W = w.reshape(shape)
        s = np.column_stack([X @ W.T, np.zeros(len(X))])
        slope = (softmax(s, axis=1) - hot)[:, :-1].T @ X / len(X) + ridge * W
        value = -np.mean(np.sum(hot * log_softmax(s, axis=1), axis=1))
        return value + ridge / 2 * np.sum(W**2), slope.ravel()

    return minimize(loss, np.zeros(shape).ravel(), jac=True).x.reshape(shape)


@mistake("learn_gates", keeps=0.75)
def bare_newton_steps(X, y, A, noise, ridge):
    """You took bare Newton steps: where the loss is not convex they climb."""
    from scipy.special import log_softmax, softmax

    m, d, eye = len(A) - 1, X.shape[1], np.eye(len(A) - 1)
    W = np.zeros((m, d))
    for _ in range(40):
        log_p = log_softmax(
            np.column_stack([X @ W.T, np.zeros(len(X))]), axis=1
        )
        r = softmax(
            log_p - (y[:, None] - X @ A.T) ** 2 / (2 * noise**2), axis=1
        )[:, :-1]
        H, p = ridge * np.eye(m * d), np.exp(log_p)[:, :-1]
        for q, sign in ((p, 1), (r, -1)):
            C = q[:, :, None] * eye - q[:, :, None] * q[:, None]
            block = np.einsum("nij,na,nb->iajb", C, X, X, optimize=True)
            H = H + sign * block.reshape(m * d, m * d) / len(X)
        g = -(r - p).T @ X / len(X) + ridge * W
        W = W - np.linalg.solve(H, g.ravel()).reshape(m, d)
        if not np.abs(W).max() < 1e5:
            return np.full((m, d), 1e5)
    return W


@equivalent("learn_gates")
def all_gates_of_a_fit(answer, X, y, A, noise, ridge):
    """All k gates, with another base: the last one is not zero."""
    return np.vstack([answer, np.zeros((1, answer.shape[1]))]) - answer[0]


@equivalent("learn_gates")
def one_gate_as_a_row(answer, X, y, A, noise, ridge):
    """For two experts the one gate as an array (d,)."""
    return answer[0] if len(answer) == 1 else answer


@mistake("gate_information", keeps=0.0, wraps=True)
def lost_for_left(answer, W, X, A, noise):
    """You returned the posterior part: that is lost, the rest is left."""
    return answer[0], answer[0] - answer[1]


@mistake("gate_information", keeps=0.0, wraps=True)
def as_if_seen(answer, W, X, A, noise):
    """You took what is known with z for what is known without."""
    return answer[0], answer[0]


@mistake("standard_errors", keeps=0.0, wraps=True)
def of_one_sample(answer, W, X, y, A, noise):
    """You forgot the n: these are the errors of one sample."""
    return answer * np.sqrt(len(X))


@mistake("standard_errors", keeps=0.0)
def without_the_inverse(W, X, y, A, noise):
    """You inverted the diagonal: the inverse's is larger, all being unknown."""
    from scipy.special import log_softmax, softmax

    log_p = log_softmax(np.column_stack([X @ W.T, np.zeros(len(X))]), axis=1)
    r = softmax(log_p - (y[:, None] - X @ A.T) ** 2 / (2 * noise**2), axis=1)
    p = np.exp(log_p)
    own = (p * (1 - p) - r * (1 - r))[:, :-1].T @ X**2
    return 1 / np.sqrt(own)


@mistake("relearn", keeps=0.0)
def frozen_experts(X, y, A0, noise):
    """You left the experts where they were: the likelihood moves them."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax, logsumexp, softmax

    shape = len(A0) - 1, X.shape[1]

    def loss(w):
        scores = np.column_stack([X @ w.reshape(shape).T, np.zeros(len(X))])
        log_p = log_softmax(scores, axis=1)
        joint = log_p - (y[:, None] - X @ A0.T) ** 2 / (2 * noise**2)
        gap = (np.exp(log_p) - softmax(joint, axis=1))[:, :-1]
        return -logsumexp(joint, axis=1).mean(), (gap.T @ X).ravel() / len(X)

    w = minimize(loss, np.zeros(shape).ravel(), jac=True, method="BFGS").x
    return A0, w.reshape(shape)


@mistake("relearn", keeps=0.0, wraps=True)
def flipped_sign(answer, X, y, A0, noise):
    """One expert has the opposite sign: signs are no symmetry."""
    A, W = np.array(answer[0]), answer[1]
    A[0] = -A[0]
    return A, W


@mistake("relearn", keeps=0.0, wraps=True)
def unit_lengths(answer, X, y, A0, noise):
    """You scaled the experts to length one: lengths are in the model."""
    A, W = answer
    return A / np.linalg.norm(A, axis=1, keepdims=True), W


@mistake("relearn", keeps=0.0, wraps=True)
def gates_left_behind(answer, X, y, A0, noise):
    """You put the experts in another order and left the gates as they were."""
    A, W = answer
    return A[::-1], W


@equivalent("relearn")
def another_order(answer, X, y, A0, noise):
    """The experts in another order, the gates with another base."""
    A, W = answer
    gates = np.vstack([W, np.zeros((1, W.shape[1]))])[::-1]
    return A[::-1], (gates - gates[-1])[:-1]


@equivalent("relearn")
def all_gates(answer, X, y, A0, noise):
    """All k gates, none of them zero."""
    A, W = answer
    return A, np.vstack([W, np.zeros((1, W.shape[1]))]) + 0.5
