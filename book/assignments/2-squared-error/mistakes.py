"""Problem set 2: wrong answers with the misconception, right ones reworded."""

import numpy as np

from moelib.classroom import equivalent, mistake


@mistake("mean_function", keeps=0.5)
def exponentials_first(X, A, W):
    """You took exponentials of the scores as they are: hundreds overflow."""
    e = np.exp(np.column_stack([X @ W.T, np.zeros(len(X))]))
    return (e / e.sum(axis=1, keepdims=True) * (X @ A.T)).sum(axis=1)


@mistake("mean_function", keeps=0.0)
def likeliest_answer(X, A, W):
    """You returned the likeliest expert's answer: the mean weighs them all."""
    z = np.column_stack([X @ W.T, np.zeros(len(X))]).argmax(axis=1)
    return (X @ A.T)[np.arange(len(X)), z]


@mistake("mean_function", keeps=0.0)
def gate_forgotten(X, A, W):
    """You averaged the experts alike: the gate depends on the input."""
    return X @ A.mean(axis=0)


@mistake("mean_function", keeps=0.0)
def sigmoid_gates(X, A, W):
    """You weighed each expert by a sigmoid of its own score: these weights do
    not add up to one.
    """
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    return (np.exp(-np.logaddexp(0, -s)) * (X @ A.T)).sum(axis=1)


@mistake("mean_function", keeps=0.0)
def zero_gate_first(X, A, W):
    """You gave the zero gate to the first expert: it is the last one's."""
    s = np.column_stack([np.zeros(len(X)), X @ W.T])
    p = np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))
    return (p * (X @ A.T)).sum(axis=1)


@mistake("loss_gradient", keeps=0.0, wraps=True)
def half_the_loss(answer, X, y, A, W):
    """You differentiated half the loss: a factor of 2 is missing."""
    return answer[0] / 2, answer[1] / 2


@mistake("loss_gradient", keeps=0.0, wraps=True)
def downhill(answer, X, y, A, W):
    """Your signs are those of the step downhill: the gradient points uphill."""
    return -answer[0], -answer[1]


@mistake("loss_gradient", keeps=0.0, wraps=True)
def sum_for_mean(answer, X, y, A, W):
    """You summed over the samples: the loss is their mean."""
    return len(X) * answer[0], len(X) * answer[1]


@mistake("loss_gradient", keeps=0.0)
def scores_apart(X, y, A, W):
    """In the gate you differentiated p_i by its own score alone: raising one
    score lowers all other probabilities, which gives g_i - m and not (1 - p_i)
    g_i.
    """
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))
    g = X @ A.T
    r = 2 * ((p * g).sum(axis=1) - y)[:, None] / len(X)
    return (r * p).T @ X, ((r * p * (1 - p) * g).T @ X)[:-1]


@mistake("loss_gradient", keeps=0.0)
def slopes_not_centred(X, y, A, W):
    """In the gates' part you used p_i g_i: softmax gives p_i (g_i - m)."""
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))
    g = X @ A.T
    r = 2 * ((p * g).sum(axis=1) - y)[:, None] / len(X)
    return (r * p).T @ X, ((r * p * g).T @ X)[:-1]


@mistake("loss_gradient", keeps=0.0)
def gradient_of_sigmoids(X, y, A, W):
    """You weighed each expert by a sigmoid of its own score: mend
    `mean_function` first.
    """
    p = np.exp(-np.logaddexp(0, -X @ np.vstack([W, 0 * W[:1]]).T))
    g = X @ A.T
    r = 2 * ((p * g).sum(axis=1) - y)[:, None] / len(X)
    return (r * p).T @ X, ((r * p * (1 - p) * g).T @ X)[:-1]


@mistake("bread", keeps=0.0)
def gates_not_centred(X, A, W):
    """In the gates' block you used p_i g_i: softmax gives p_i (g_i - m)."""
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))
    factors = np.hstack([p, (p * (X @ A.T))[:, :-1]])
    J = (factors[:, :, None] * X[:, None]).reshape(len(X), -1)
    return J.T @ J / len(X)


@mistake("bread", keeps=0.0)
def scores_alone(X, A, W):
    """In the gates' block you used p_i (1 - p_i) g_i, as if its own score moved
    p_i alone: it moves all of them, which gives p_i (g_i - m).
    """
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))
    factors = np.hstack([p, (p * (1 - p) * (X @ A.T))[:, :-1]])
    J = (factors[:, :, None] * X[:, None]).reshape(len(X), -1)
    return J.T @ J / len(X)


@mistake("bread", keeps=0.0, wraps=True)
def not_averaged(answer, X, A, W):
    """You summed over the inputs: B is a mean."""
    return len(X) * answer


@mistake("bread", keeps=0.0, wraps=True)
def gates_in_front(answer, X, A, W):
    """You put the gates before the experts: the rows of A come first."""
    order = np.roll(np.arange(len(answer)), W.size)
    return answer[np.ix_(order, order)]


@mistake("fit_least_squares", keeps=0.0)
def start_returned(X, y, A0, W0):
    """You returned the start, or hardly moved from it."""
    return A0, W0


@mistake("fit_least_squares", keeps=0.0)
def gates_frozen(X, y, A0, W0):
    """You fitted the experts with the gates held where they start: both are
    unknown.
    """
    s = np.column_stack([X @ W0.T, np.zeros(len(X))])
    p = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    J = (p[:, :, None] * X[:, None]).reshape(len(X), -1)
    return np.linalg.lstsq(J, y, rcond=None)[0].reshape(A0.shape), W0


@mistake("fit_least_squares", keeps=0.0, wraps=True)
def flipped_sign(answer, X, y, A0, W0):
    """One expert has the opposite sign: squared error sees signs, and so does
    the model.
    """
    A, W = np.array(answer[0]), answer[1]
    A[0] = -A[0]
    return A, W


@mistake("fit_least_squares", keeps=0.0, wraps=True)
def twice_the_length(answer, X, y, A0, W0):
    """Gates have twice their length and experts half of it: that trade is
    nearly free for short gates only.
    """
    return np.array(answer[0]) / 2, 2 * np.array(answer[1])


@mistake("fit_least_squares", keeps=0.0, wraps=True)
def order_without_base(answer, X, y, A0, W0):
    """You listed the experts in another order and left the gates as they were:
    gates have to be re-based.
    """
    return np.array(answer[0])[::-1], np.array(answer[1])


@equivalent("fit_least_squares")
def another_order(answer, X, y, A0, W0):
    """Experts in another order, gates moved along and re-based."""
    A, W = np.array(answer[0]), np.array(answer[1])
    gates = np.vstack([W, np.zeros(W.shape[1])])[::-1]
    return A[::-1], (gates - gates[-1])[:-1]


@equivalent("fit_least_squares")
def all_gates_shifted(answer, X, y, A0, W0):
    """All k gates, each shifted by one vector."""
    W = np.array(answer[1])
    return answer[0], np.vstack([W, np.zeros(W.shape[1])]) + 1.5


@mistake("predicted_gain", keeps=0.0)
def one_variance(X, A, W, noise):
    """You counted parameters, q (noise^2 + mean spread) / n: the spread varies
    with x, and so does what a parameter gains.
    """
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    g = X @ A.T
    spread = (p * g**2).sum(axis=1) - (p * g).sum(axis=1) ** 2
    return (A.size + W.size) * (noise**2 + spread.mean()) / len(X)


@mistake("predicted_gain", keeps=0.0)
def noise_alone(X, A, W, noise):
    """You left out the spread: to squared error the draw of the expert is noise
    too.
    """
    return (A.size + W.size) * noise**2 / len(X)


@mistake("predicted_gain", keeps=0.0)
def jacobian_not_centred(X, A, W, noise):
    """Your derivatives by the gates are p_i g_i and not p_i (g_i - m): mend
    `bread` first.
    """
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))
    g = X @ A.T
    v = noise**2 + (p * g**2).sum(axis=1) - (p * g).sum(axis=1) ** 2
    J = np.hstack([p, (p * g)[:, :-1]])[:, :, None] * X[:, None]
    J = J.reshape(len(X), -1)
    return np.trace(np.linalg.solve(J.T @ J, (J.T * v) @ J)) / len(X)


@mistake("predicted_gain", keeps=0.0, wraps=True)
def bread_summed(answer, X, A, W, noise):
    """Your B is a sum over the inputs and your M a mean: check `bread`."""
    return answer / len(X)


@mistake("predicted_gain", keeps=0.0)
def noise_not_squared(X, A, W, noise):
    """You added sigma to the spread: a variance is sigma squared."""
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))
    g, m = X @ A.T, (p * (X @ A.T)).sum(axis=1, keepdims=True)
    v = noise + (p * (g - m) ** 2).sum(axis=1)
    J = np.hstack([p, (p * (g - m))[:, :-1]])[:, :, None] * X[:, None]
    J = J.reshape(len(X), -1)
    return np.trace(np.linalg.solve(J.T @ J, (J.T * v) @ J)) / len(X)


@mistake("predicted_gain", keeps=0.0, wraps=True)
def not_divided(answer, X, A, W, noise):
    """You left out the division by n."""
    return answer * len(X)


@mistake("best_fit", keeps=0.0)
def the_truth(A, W):
    """You returned the truth: on its own sample a fit lies lower."""
    return A, W


@mistake("best_fit", keeps=0.0)
def one_line(X, y):
    """You returned one regression for both experts: the gate is there to do
    better.
    """
    a = np.linalg.lstsq(X, y, rcond=None)[0]
    return np.array([a, a]), np.zeros((1, X.shape[1]))


@equivalent("best_fit")
def both_gates_written(answer, X):
    """Experts in the other order and both gates, shifted by one vector."""
    W = np.array(answer[1])
    return np.array(answer[0])[::-1], np.vstack([0 * W, W]) + 1.5
