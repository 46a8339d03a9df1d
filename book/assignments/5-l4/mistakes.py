"""Problem set 5: wrong answers, other forms of right ones. Never released."""

import numpy as np

from moelib.classroom import equivalent, mistake


@mistake("l4_moments", keeps=0.25)
def each_pair_once(A, M, T, mu, lam):
    """You counted each pair of rows once: the sum is over ordered pairs."""
    pairs = np.einsum("abcd,ia,ib,jc,jd->ij", T, A, A, A, A)
    lengths = np.einsum("ab,ia,ib->i", M, A, A)
    overlap = np.triu(pairs, 1).sum()
    return overlap - mu * np.trace(pairs) + lam * np.sum((lengths - 1) ** 2)


@mistake("l4_samples", keeps=0.0)
def powers_for_scores(A, X, q2, q4, mu, lam):
    """You averaged q4 times a power: the score has lower terms as well."""
    t = X @ A.T
    pairs = (t**2).T @ (q4[:, None] * t**2) / len(X)
    lengths = q2 @ t**2 / len(X) - q2.mean() * np.sum(A**2, axis=1)
    return (
        pairs.sum()
        - (1 + mu) * np.trace(pairs)
        + lam * np.sum((lengths - 1) ** 2)
    )


@mistake("l4_samples", keeps=0.0)
def constant_left_out(A, X, q2, q4, mu, lam):
    """You left out the score's constant: only centred q4 forgive that."""
    n, t, G = len(X), X @ A.T, A @ A.T
    g, second = np.diag(G), q4 @ t**2 / n
    pairs = (t**2).T @ (q4[:, None] * t**2) / n - 4 * G * (
        t.T @ (q4[:, None] * t)
    ) / n
    pairs = pairs - np.outer(g, second) - np.outer(second, g)
    lengths = q2 @ t**2 / n - q2.mean() * g
    return (
        pairs.sum()
        - (1 + mu) * np.trace(pairs)
        + lam * np.sum((lengths - 1) ** 2)
    )


@mistake("l4_samples", keeps=0.0)
def rows_taken_for_orthogonal(A, X, q2, q4, mu, lam):
    """You left out 2 Gamma_ij^2 of the score's constant: rows are not
    orthogonal.
    """
    n, t, G = len(X), X @ A.T, A @ A.T
    g, second = np.diag(G), q4 @ t**2 / n
    pairs = (t**2).T @ (q4[:, None] * t**2) / n
    pairs = pairs - 4 * G * (t.T @ (q4[:, None] * t)) / n
    pairs = pairs - np.outer(g, second) - np.outer(second, g)
    pairs = pairs + q4.mean() * np.outer(g, g)
    lengths = q2 @ t**2 / n - q2.mean() * g
    return (
        pairs.sum()
        - (1 + mu) * np.trace(pairs)
        + lam * np.sum((lengths - 1) ** 2)
    )


@mistake("l4_population", keeps=0.0)
def shares_squared(A, experts, shares, mu, lam):
    """You squared the shares: an expert's weight is its share, once."""
    s = shares * (A @ experts.T) ** 2
    pairs = s @ s.T
    miss = s.sum(axis=1) - 1
    return pairs.sum() - (1 + mu) * np.trace(pairs) + lam * np.sum(miss**2)


@mistake("l4_gradient", keeps=0.0)
def half_of_the_pairs(A, M, T, mu, lam):
    """You took each pair once: a row stands in (i, j) and in (j, i)."""
    slices = np.einsum("abcd,jc,jd->jab", T, A, A)
    weights = 2 * (1 - np.eye(len(A))) - 4 * mu * np.eye(len(A))
    seen = np.einsum("ij,jab,ib->ia", weights, slices, A)
    miss = np.einsum("ab,ia,ib->i", M, A, A) - 1
    return seen + 4 * lam * miss[:, None] * (A @ M)


@mistake("critical_points", keeps=0.375)
def seats_only(weights, mu):
    """You found the vertices only: elsewhere slopes in the cosines vanish."""
    right = np.pi / 2
    return np.array([[0, 0], [0, right], [right, 0], [right, right]])


@mistake("critical_points", keeps=0.75)
def the_list_for_small_mu(weights, mu):
    """You gave eight points for every mu: beyond 1 the mixed case has some."""
    right, half = np.pi / 2, np.arccos(np.sqrt(weights[1] / np.sum(weights)))
    seats = [[0, 0], [0, right], [right, 0], [right, right]]
    inner = [[s, t] for s in (half, np.pi - half) for t in (half, np.pi - half)]
    return np.array(seats + inner)


@mistake("recover", keeps=0.0, wraps=True)
def dual_for_experts(answer, m1, M, T, k):
    """You returned the minimisers, a dual basis: M times them are experts."""
    dual = np.linalg.pinv(answer).T
    return dual / np.linalg.norm(dual, axis=1, keepdims=True)


@mistake("recover", keeps=0.75, wraps=True)
def sign_by_the_expert(answer, m1, M, T, k):
    """You took signs from experts times m1: other experts are in m1 too."""
    return answer * np.sign(answer @ m1)[:, None]


@mistake("recover", keeps=0.0, wraps=True)
def flipped_sign(answer, m1, M, T, k):
    """One expert has the opposite sign: the model does not forgive that."""
    return answer * np.where(np.arange(len(answer)) == 0, -1, 1)[:, None]


@mistake("recover", keeps=0.0, wraps=True)
def length_of_the_share(answer, m1, M, T, k):
    """You returned M times the minimisers: their lengths are root shares."""
    shares = np.linalg.pinv(answer).T @ m1
    return answer * np.sqrt(shares)[:, None]


@mistake("A_hat", keeps=0.0)
def eigenvectors_for_experts(M, m1):
    """You returned eigenvectors of M: they are orthogonal, experts are not."""
    top = np.linalg.eigh(M)[1][:, -3:].T
    return top * np.sign(top @ m1)[:, None]


@mistake("xi", keeps=0.0)
def the_best_seen_direction(M):
    """You took what M sees best: there the length term is largest."""
    return np.linalg.eigh(M)[1][:, -1]


@equivalent("recover")
def another_order(answer, m1, M, T, k):
    """The experts in another order."""
    return answer[::-1]


@equivalent("A_hat")
def my_order(answer):
    """The experts in another order."""
    return answer[[1, 2, 0]]
