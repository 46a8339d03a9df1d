"""Problem set 1: wrong answers with the misconception behind them, and right
ones in other words.
"""

import numpy as np

from moelib.classroom import equivalent, mistake


@mistake("log_gate", keeps=0.5)
def softmax_first(X, W):
    """You took the softmax first and its logarithm afterwards: with scores of
    hundreds `exp` overflows.
    """
    e = np.exp(np.column_stack([X @ W.T, np.zeros(len(X))]))
    return np.log(e / e.sum(axis=1, keepdims=True))


@mistake("log_gate", keeps=0.0)
def sigmoids(X, W):
    """You gave every expert a sigmoid of its own score: these weights do not
    add up to one.
    """
    scores = np.column_stack([X @ W.T, np.zeros(len(X))])
    return -np.logaddexp(0, -scores)


@mistake("log_gate", keeps=0.0, wraps=True)
def zero_gate_first(answer, X, W):
    """You gave the zero gate to the first expert: it is the last one's."""
    return np.roll(answer, 1, axis=1)


@mistake("log_density", keeps=0.0)
def mean_of_logs(X, y, A, W, noise):
    """You averaged the logarithms of the experts' densities: the density is the
    average, then comes the logarithm.
    """
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))
    logs = -(((y[:, None] - X @ A.T) / noise) ** 2) / 2 - np.log(
        noise * np.sqrt(2 * np.pi)
    )
    return (p * logs).sum(axis=1)


@mistake("log_density", keeps=0.0)
def around_the_mean(X, y, A, W, noise):
    """You put one Gaussian around the conditional mean: the label lies around
    one expert's answer, not around their average.
    """
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))
    off = (y - (p * (X @ A.T)).sum(axis=1)) / noise
    return -(off**2) / 2 - np.log(noise * np.sqrt(2 * np.pi))


@mistake("log_density", keeps=0.0, wraps=True)
def not_normalised(answer, X, y, A, W, noise):
    """You left out the factor of the Gaussian, 1 / (noise sqrt(2 pi))."""
    return answer + np.log(noise * np.sqrt(2 * np.pi))


@mistake("log_density", keeps=0.0)
def density_of_sigmoids(X, y, A, W, noise):
    """Your weights are sigmoids, not a softmax: mend `log_gate` first."""
    logs = -np.logaddexp(0, -np.column_stack([X @ W.T, np.zeros(len(X))]))
    t = logs - ((y[:, None] - X @ A.T) / noise) ** 2 / 2
    return np.logaddexp.reduce(t, axis=1) - np.log(noise * np.sqrt(2 * np.pi))


@mistake("posterior", keeps=0.0)
def gate_for_posterior(X, y, A, W, noise):
    """You returned the gate's probabilities: the label was not used."""
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    return np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))


@mistake("posterior", keeps=0.0)
def no_prior(X, y, A, W, noise):
    """You compared the experts by their residuals alone: Bayes' rule weighs
    each by its gate probability.
    """
    s = -(((y[:, None] - X @ A.T) / noise) ** 2) / 2
    return np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))


@mistake("posterior", keeps=0.5)
def densities_that_vanish(X, y, A, W, noise):
    """You multiplied densities and divided by their sum: far from all answers
    that is zero by zero.
    """
    e = np.exp(np.column_stack([X @ W.T, np.zeros(len(X))]))
    p = e / e.sum(axis=1, keepdims=True)
    joint = p * np.exp(-(((y[:, None] - X @ A.T) / noise) ** 2) / 2)
    return joint / joint.sum(axis=1, keepdims=True)


@mistake("posterior", keeps=0.0)
def posterior_of_sigmoids(X, y, A, W, noise):
    """Your weights are sigmoids, not a softmax: mend `log_gate` first."""
    logs = -np.logaddexp(0, -np.column_stack([X @ W.T, np.zeros(len(X))]))
    t = logs - ((y[:, None] - X @ A.T) / noise) ** 2 / 2
    return np.exp(t - np.logaddexp.reduce(t, axis=1, keepdims=True))


@mistake("sample_labels", keeps=0.0)
def noise_around_the_mean(X, u, e, A, W, noise):
    """Your label is the conditional mean plus noise: one expert answers, they
    do not vote.
    """
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))
    z = (u[:, None] >= np.cumsum(p, axis=1)[:, :-1]).sum(axis=1)
    return (p * (X @ A.T)).sum(axis=1) + noise * e, z


@mistake("sample_labels", keeps=0.0)
def likeliest_expert(X, u, e, A, W, noise):
    """You let the likeliest expert answer every time: the gate draws."""
    z = np.column_stack([X @ W.T, np.zeros(len(X))]).argmax(axis=1)
    return (X @ A.T)[np.arange(len(X)), z] + noise * e, z


@mistake("sample_labels", keeps=0.0)
def variance_for_deviation(X, u, e, A, W, noise):
    """You scaled the normals by the square root of the noise: sigma is a
    standard deviation already.
    """
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))
    z = (u[:, None] >= np.cumsum(p, axis=1)[:, :-1]).sum(axis=1)
    return (X @ A.T)[np.arange(len(X)), z] + np.sqrt(noise) * e, z


@mistake("relabel", keeps=0.0)
def no_rebasing(A, W, order):
    """You moved the gates with their experts and did not re-base: the gate that
    now stands last is not zero.
    """
    return A[order], np.vstack([W, np.zeros(W.shape[1])])[order][:-1]


@mistake("relabel", keeps=0.0)
def inverse_order(A, W, order):
    """You applied the inverse permutation: `order[i]` is the old place of the
    expert that goes to place i.
    """
    order = np.argsort(order)
    every = np.vstack([W, np.zeros(W.shape[1])])[order]
    return A[order], (every - every[-1])[:-1]


@equivalent("relabel")
def zero_gate_written(answer, A, W, order):
    """All k gates, the last one zero."""
    return answer[0], np.vstack([answer[1], np.zeros(W.shape[1])])


@mistake("gate_penalty", keeps=0.0)
def plain_ridge(W):
    """You summed the squared lengths of the gates: that number depends on which
    expert stands last.
    """
    return np.sum(W**2)


@mistake("gate_penalty", keeps=0.0, wraps=True)
def every_pair_twice(answer, W):
    """You counted every pair twice, as (i, j) and as (j, i)."""
    return 2 * answer


@mistake("gate_penalty", keeps=0.0)
def without_the_zero_gate(W):
    """You compared the first k - 1 gates with each other and left out the last
    one, which is zero but counts.
    """
    return len(W) * np.sum((W - W.mean(axis=0)) ** 2)


@mistake("experts_from_pairs", keeps=0.0, wraps=True)
def flipped_sign(answer, X, y):
    """One expert has the opposite sign: that is another law."""
    answer = np.array(answer)
    answer[0] = -answer[0]
    return answer


@mistake("experts_from_pairs", keeps=0.0, wraps=True)
def directions_only(answer, X, y):
    """You scaled the experts to length one: the data determine lengths."""
    answer = np.array(answer)
    return answer / np.linalg.norm(answer, axis=1, keepdims=True)


@mistake("experts_from_pairs", keeps=0.0)
def one_line(X, y):
    """You fitted one regression to all samples, which is neither expert."""
    a = np.linalg.lstsq(X, y, rcond=None)[0]
    return np.array([a, a])


@mistake("experts_from_pairs", keeps=0.0)
def split_by_sign(X, y):
    """You split the samples by the sign of the label: both experts give labels
    of both signs.
    """
    halves = [(X[y > 0], y[y > 0]), (X[y <= 0], y[y <= 0])]
    return np.array([np.linalg.lstsq(U, v, rcond=None)[0] for U, v in halves])


@mistake("experts_from_pairs", keeps=0.0)
def off_the_diagonal_once(X, y):
    """An entry of P off the diagonal stands twice in the quadratic form: you
    took the sum of the two for one.
    """
    d, (i, j) = X.shape[1], np.triu_indices(X.shape[1])
    system = np.hstack([y[:, None] * X, -X[:, i] * X[:, j]])
    found = np.linalg.lstsq(system, y**2, rcond=None)[0]
    s, P = found[:d], np.zeros((d, d))
    P[i, j] = P[j, i] = found[d:]
    values, V = np.linalg.eigh(np.outer(s, s) - 4 * P)
    delta = np.sqrt(max(values[-1], 0)) * V[:, -1]
    return np.array([s + delta, s - delta]) / 2


@equivalent("experts_from_pairs")
def another_order(answer, X, y):
    """The experts in the other order."""
    return np.array(answer)[::-1]


@mistake("entropy_curve", keeps=0.0, wraps=True)
def in_bits(answer, X):
    """Your entropies are in bits: the book measures in nats, with the natural
    logarithm.
    """
    return answer / np.log(2)


@mistake("entropy_curve", keeps=0.0)
def entropy_of_the_mean(X, u, e, A, W, noises):
    """You averaged the posteriors and took the entropy of the average: take the
    entropy of each, then average.
    """
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    z = (u[:, None] >= np.cumsum(p, axis=1)[:, :-1]).sum(axis=1)
    curve = []
    for noise in noises:
        y = (X @ A.T)[np.arange(len(X)), z] + noise * e
        t = s - (((y[:, None] - X @ A.T) / noise) ** 2) / 2
        r = np.exp(t - np.logaddexp.reduce(t, axis=1, keepdims=True))
        r = r.mean(axis=0)
        curve.append(-(r * np.log(r)).sum())
    return np.array(curve)


@mistake("entropy_curve", keeps=0.0)
def labels_of_one_noise(X, u, e, A, W, noises):
    """You drew the labels once, at the smallest noise, and only changed the
    noise of the posterior: each noise has its own labels.
    """
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    z = (u[:, None] >= np.cumsum(p, axis=1)[:, :-1]).sum(axis=1)
    y, curve = (X @ A.T)[np.arange(len(X)), z] + noises[0] * e, []
    for noise in noises:
        t = s - (((y[:, None] - X @ A.T) / noise) ** 2) / 2
        r = np.exp(t - np.logaddexp.reduce(t, axis=1, keepdims=True))
        curve.append(-(r * np.log(np.maximum(r, 1e-300))).sum(axis=1).mean())
    return np.array(curve)


@mistake("entropy_curve", keeps=0.0)
def entropy_without_the_gate(X, u, e, A, W, noises):
    """Your posterior leaves out the gate: mend `posterior` first."""
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    p = np.exp(s - np.logaddexp.reduce(s, axis=1, keepdims=True))
    z = (u[:, None] >= np.cumsum(p, axis=1)[:, :-1]).sum(axis=1)
    g, curve = X @ A.T, []
    for noise in noises:
        y = g[np.arange(len(X)), z] + noise * e
        t = -(((y[:, None] - g) / noise) ** 2) / 2
        t = t - np.logaddexp.reduce(t, axis=1, keepdims=True)
        curve.append(-(np.exp(t) * t).sum(axis=1).mean())
    return np.array(curve)


@mistake("entropy_curve", keeps=0.0)
def entropy_of_the_gate(X, u, e, A, W, noises):
    """You gave the entropy of the gate: the label was not used."""
    s = np.column_stack([X @ W.T, np.zeros(len(X))])
    s = s - np.logaddexp.reduce(s, axis=1, keepdims=True)
    return np.full(len(noises), -(np.exp(s) * s).sum(axis=1).mean())
