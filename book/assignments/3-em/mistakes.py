"""Wrong answers to problem set 3, and right ones in another form."""

import numpy as np

from moelib.classroom import equivalent, mistake


@mistake("e_step", keeps=0.0)
def prior_for_posterior(X, y, A, W, noise):
    """You returned the gate's probabilities: the labels were not used for the
    posteriors.
    """
    scores = X @ np.vstack([W, np.zeros(X.shape[1])]).T
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    gaps = (y[:, None] - X @ A.T) / noise
    f = p * np.exp(-(gaps**2) / 2) / (noise * np.sqrt(2 * np.pi))
    return p, float(np.log(np.maximum(f.sum(axis=1), 1e-300)).mean())


@mistake("e_step", keeps=0.75)
def densities_without_logarithms(X, y, A, W, noise):
    """You multiplied densities: where all of them are zero in floating point
    the posteriors are lost.
    """
    scores = X @ np.vstack([W, np.zeros(X.shape[1])]).T
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    gaps = (y[:, None] - X @ A.T) / noise
    with np.errstate(all="ignore"):
        f = p * np.exp(-(gaps**2) / 2) / (noise * np.sqrt(2 * np.pi))
        total = f.sum(axis=1)
        return f / total[:, None], float(np.log(total).mean())


@mistake("expert_step", keeps=0.0)
def squared_weights(X, y, R):
    """You multiplied both inputs and labels by the posteriors: the squares are
    then weighted by R squared.
    """
    scaled = [(X * r[:, None], y * r) for r in R.T]
    A = np.array([np.linalg.lstsq(*pair, rcond=None)[0] for pair in scaled])
    squares = np.sum(R * (y[:, None] - X @ A.T) ** 2, axis=1)
    return A, float(np.sqrt(np.mean(squares)))


@mistake("expert_step", keeps=0.0)
def variance_for_deviation(X, y, R):
    """You returned the variance: the noise of the book is a standard
    deviation.
    """
    A = np.array([np.linalg.solve((X.T * r) @ X, (X.T * r) @ y) for r in R.T])
    return A, float(np.mean(np.sum(R * (y[:, None] - X @ A.T) ** 2, axis=1)))


@mistake("gate_step", keeps=0.0)
def one_newton_step(X, R, W):
    """You took one Newton step from W: that moves towards the maximiser and is
    not it.
    """
    scores = X @ np.vstack([W, np.zeros(X.shape[1])]).T
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = (p / p.sum(axis=1, keepdims=True))[:, :-1]
    gradient = ((R[:, :-1] - p).T @ X).ravel()
    spread = p[:, :, None] * (np.eye(p.shape[1]) - p[:, None, :])
    H = np.einsum("nij,nd,ne->idje", spread, X, X).reshape(len(gradient), -1)
    return W + np.linalg.lstsq(H, gradient, rcond=None)[0].reshape(W.shape)


@mistake("gate_step", keeps=0.0, wraps=True)
def the_first_gate_zero(answer, X, R, W):
    """You made the first gate zero and returned the others: the book's zero
    gate is the last.
    """
    full = np.vstack([answer, np.zeros(answer.shape[1])])
    return full[1:] - full[0]


@mistake("em_step", keeps=0.0)
def noise_of_the_old_experts(X, y, A, W, noise):
    """You computed the noise from the residuals of the old experts: it belongs
    to the new ones.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    def log_p(V):
        return log_softmax(X @ np.vstack([V, np.zeros(X.shape[1])]).T, axis=1)

    log_f = log_p(W) - ((y[:, None] - X @ A.T) / noise) ** 2 / 2
    R = np.exp(log_softmax(log_f, axis=1))
    new = np.array([np.linalg.solve((X.T * r) @ X, (X.T * r) @ y) for r in R.T])
    old = np.sqrt(np.mean(np.sum(R * (y[:, None] - X @ A.T) ** 2, axis=1)))

    def loss(v):
        V = v.reshape(W.shape)
        slope = (np.exp(log_p(V)) - R)[:, :-1].T @ X / len(X)
        return -np.mean(np.sum(R * log_p(V), axis=1)), slope.ravel()

    ends = minimize(
        loss, W.ravel(), jac=True, method="L-BFGS-B", options={"gtol": 1e-10}
    )
    return new, ends.x.reshape(W.shape), float(old)


@mistake("em", keeps=0.0, wraps=True)
def history_without_the_start(answer, X, y, A0, W0, noise0, n_steps):
    """The history lacks the log-likelihood of the start: n_steps + 1 numbers
    were asked.
    """
    A, W, noise, history = answer
    return A, W, noise, history[1:]


@mistake("score", keeps=0.0, wraps=True)
def slope_in_the_noise(answer, X, y, A, W, noise):
    """The last entry is the derivative in the noise: asked was that in its
    logarithm.
    """
    return np.append(answer[:-1], answer[-1] / noise)


@mistake("score", keeps=0.0, wraps=True)
def sum_for_mean(answer, X, y, A, W, noise):
    """You summed over the samples: L is a mean, and so is its gradient."""
    return answer * len(y)


@mistake("observed_information", keeps=0.0, wraps=True)
def the_hessian_itself(answer, X, y, A, W, noise):
    """You returned the Hessian: the information is minus that, positive at a
    maximum.
    """
    return -answer


@mistake("certificate", keeps=0.0)
def certified_at_the_start(X, y, A0, W0, noise0):
    """The numbers are those of a point that is not at rest: run EM, then
    Newton's method.
    """
    scores = X @ np.vstack([W0, np.zeros(X.shape[1])]).T
    gaps = (y[:, None] - X @ A0.T) / noise0
    f = np.exp(scores - gaps**2 / 2) / np.exp(scores).sum(axis=1, keepdims=True)
    f = f / (noise0 * np.sqrt(2 * np.pi))
    slope = np.mean(np.sum(f * gaps**2, axis=1) / f.sum(axis=1)) - 1
    return abs(slope), 1.0, np.log(f.sum(axis=1)).mean()


@mistake("fit", keeps=0.0, wraps=True)
def flipped_sign(answer, X, y, k, rng):
    """One expert has the opposite sign: signs are no symmetry of a linear
    expert.
    """
    A, W, noise = answer
    return np.vstack([-A[:1], A[1:]]), W, noise


@mistake("fit", keeps=0.0, wraps=True)
def experts_over_the_noise(answer, X, y, k, rng):
    """You returned the experts divided by the noise, the slopes of y / noise:
    lengths count.
    """
    A, W, noise = answer
    return A / noise, W, noise


@mistake("fit", keeps=0.0, wraps=True)
def experts_sorted_alone(answer, X, y, k, rng):
    """You put the experts into another order and left the gates in the old
    one: they belong together.
    """
    A, W, noise = answer
    return np.roll(A, 1, axis=0), W, noise


@mistake("r_squared", keeps=0.0, wraps=True)
def correlation_for_r_squared(answer):
    """You returned the root of R squared."""
    return tuple(abs(r) ** 0.5 for r in answer)


@equivalent("fit")
def another_order(answer, X, y, k, rng):
    """The same mixture with its experts in the opposite order and its gates
    re-based to it.
    """
    A, W, noise = answer
    full = np.vstack([W, np.zeros(W.shape[1])])[::-1]
    return A[::-1], (full - full[-1])[:-1], noise


@equivalent("fit")
def all_gates(answer, X, y, k, rng):
    """The same mixture with all k gates, moved together by one vector."""
    A, W, noise = answer
    return A, np.vstack([W, np.zeros(W.shape[1])]) + 0.7, noise
