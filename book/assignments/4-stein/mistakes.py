"""Problem set 4: wrong answers with the misconception behind them, and right
ones in other words.
"""

import numpy as np

from moelib.classroom import equivalent, mistake


@mistake("hermite", keeps=0.25)
def physicists(m, t):
    """You used the physicists' polynomials, orthogonal under exp(-t^2): the
    book's are the probabilists', with leading coefficient one.
    """
    return np.polynomial.hermite.hermval(t, np.eye(m + 1)[m])


@mistake("hermite", keeps=0.25)
def forgot_the_order(m, t):
    """Your recurrence subtracts He_(j-1) and not j He_(j-1)."""
    before, now = np.zeros_like(t), np.ones_like(t)
    for _ in range(m):
        before, now = now, t * now - before
    return now


@mistake("gauss_hermite", keeps=0.0)
def rule_for_another_weight(q):
    """Your rule is for the weight exp(-z^2): a standard normal number has
    density proportional to exp(-z^2 / 2).
    """
    z, weight = np.polynomial.hermite.hermgauss(q)
    return z, weight / weight.sum()


@mistake("gauss_hermite", keeps=0.0)
def weights_without_the_density(q):
    """Your weights add up to the square root of 2 pi: those of an expectation
    add up to one.
    """
    return np.polynomial.hermite_e.hermegauss(q)


@mistake("q4", keeps=0.0)
def noise_forgotten(g, z, weight, noise):
    """You took the powers of g(Z) for those of the label: the noise adds to the
    even ones, and beta has to answer.
    """
    t = [np.ones_like(z), z, z**2 - 1, z**3 - 3 * z, z**4 - 6 * z**2 + 3]
    K = np.array([[weight @ (g**p * h) for h in t] for p in (1, 2, 3, 4)])
    gamma, beta, alpha = np.linalg.solve(K[:3, 1:4].T, -K[3, 1:4])
    mean, *_, c4 = np.array([gamma, beta, alpha, 1.0]) @ K
    return np.array([alpha, beta, gamma, mean, c4])


@mistake("q4", keeps=0.0)
def orthogonal_to_powers_of_the_label(g, z, weight, noise):
    """You made Q_4 uncorrelated with y, y^2 and y^3: it has to be uncorrelated
    with He_j(Z), that is with the input.
    """
    e, v = np.polynomial.hermite_e.hermegauss(12)
    y = np.add.outer(g, noise * e)
    p = np.outer(weight, v / v.sum())
    mu = [np.sum(p * y**r) for r in range(8)]
    C = np.array([[mu[r + s] - mu[r] * mu[s] for s in (1, 2, 3)]
                  for r in (1, 2, 3, 4)])  # fmt: skip
    gamma, beta, alpha = np.linalg.solve(C[:3].T, -C[3])
    Q = y**4 + alpha * y**3 + beta * y**2 + gamma * y
    c4 = np.sum(p * Q * (z**4 - 6 * z**2 + 3)[:, None])
    return np.array([alpha, beta, gamma, np.sum(p * Q), c4])


@mistake("q4", keeps=0.0, wraps=True)
def constant_over_24(answer, g, z, weight, noise):
    """You divided c_4 by 4!: the constant of the book is the mean of
    Q_4(Y) He_4(Z) as it stands.
    """
    return np.array([*answer[:4], answer[4] / 24])


@mistake("q4", keeps=0.0)
def hermite_without_the_order(g, z, weight, noise):
    """Your c_4 is the one of a wrong He_4, whose recurrence subtracts He_(j-1)
    and not j He_(j-1): mend `hermite` first.
    """
    s, t = noise**2, [np.ones_like(z), z]
    for _ in range(3):
        t.append(z * t[-1] - t[-2])
    powers = [g, g**2 + s, g**3 + 3 * s * g, g**4 + 6 * s * g**2 + 3 * s**2]
    K = (np.array(powers) * weight) @ np.array(t).T
    gamma, beta, alpha = np.linalg.solve(K[:3, 1:4].T, -K[3, 1:4])
    mean, *_, c4 = np.array([gamma, beta, alpha, 1.0]) @ K
    return np.array([alpha, beta, gamma, mean, c4])


@mistake("star_transform", keeps=0.0, wraps=True)
def other_side_of_the_jump(answer, thresholds):
    """Your boundary terms have the opposite sign: a level begins at its lower
    threshold with a jump up.
    """
    return -np.array(answer)


@mistake("star_transform", keeps=0.0, wraps=True)
def constant_of_hermite(answer, thresholds):
    """You scaled to c_m = m!: asked is the transform with c_m = 1."""
    answer = np.array(answer)
    return answer * np.prod(np.arange(1, len(answer)))


@mistake("star_transform", keeps=0.0)
def quadrature_through_the_jumps(thresholds):
    """You integrated with Gauss-Hermite nodes: they do not see where between
    two of them a threshold lies. Use Stein's lemma with jumps.
    """
    z, weight = np.polynomial.hermite_e.hermegauss(60)
    level = np.searchsorted(thresholds, z)
    size = len(thresholds) + 1
    H = np.polynomial.hermite_e.hermevander(z, size - 1)
    K = (weight / weight.sum() * H.T) @ np.eye(size)[level]
    return np.linalg.solve(K, np.eye(size)[-1])


@mistake("star_price", keeps=0.0, wraps=True)
def one_over_the_correlation(answer, thresholds):
    """You returned 1/R and not 1/R^2: samples pay for squared errors."""
    return np.sqrt(answer)


@mistake("star_price", keeps=0.0, wraps=True)
def variance_alone(answer, thresholds):
    """You returned the variance of the transform and left out m!, the variance
    of the Hermite polynomial beside it.
    """
    return answer / 6


@mistake("star_price", keeps=0.0, wraps=True)
def price_of_another_scale(answer, thresholds):
    """Your transform has c_3 = 3! and your price takes c_3 to be 1: scale it,
    or divide by the square of its own constant.
    """
    return answer * 36


@mistake("moment3", keeps=0.0)
def plain_cubes(X, t):
    """You averaged t x x x: the score tensor also subtracts x at each of the
    three places.
    """
    return np.einsum("n,ni,nj,nl->ijl", t / len(t), X, X, X)


@mistake("moment3", keeps=0.0)
def one_place_of_three(X, t):
    """You subtracted the identity at one place: there are three ways to pick a
    pair out of three indices.
    """
    plain = np.einsum("n,ni,nj,nl->ijl", t / len(t), X, X, X)
    return plain - np.multiply.outer(t @ X / len(t), np.eye(X.shape[1]))


@mistake("experts_from_moment", keeps=0.0)
def eigenvectors_of_one_contraction(M3, k):
    """You took the eigenvectors of one contraction: they are orthogonal, and
    the experts need not be. It takes two contractions.
    """
    v = np.cos(np.arange(len(M3)) + 1.0)
    values, vectors = np.linalg.eigh(M3 @ v)
    A = vectors[:, np.argsort(-np.abs(values))[:k]].T
    return A * np.sign(np.einsum("abc,ia,ib,ic->i", M3, A, A, A))[:, None]


@mistake("experts_from_moment", keeps=0.0, wraps=True)
def flipped_sign(answer, M3, k):
    """One expert has the opposite sign: an eigenvector has none, and the third
    moment, which is odd, has to decide it.
    """
    answer = np.array(answer)
    answer[0] = -answer[0]
    return answer


@mistake("experts_from_moment", keeps=0.0, wraps=True)
def share_in_the_length(answer, M3, k):
    """You put the cube root of the share into the length of each expert: by (U)
    the length is one and the share stands beside it.
    """
    A = np.array(answer)
    cubes = np.array([np.multiply.outer(np.outer(a, a), a).ravel() for a in A])
    shares = np.linalg.lstsq(cubes.T, np.ravel(M3), rcond=None)[0]
    return np.cbrt(shares)[:, None] * A


@equivalent("experts_from_moment")
def last_expert_first(answer, M3, k):
    """The experts in another order."""
    return np.array(answer)[::-1]


@mistake("my_experts", keeps=0.0, wraps=True)
def one_expert_flipped(answer, X):
    """One of your experts points the opposite way: whoever gives many stars
    where the other gives few is another expert.
    """
    answer = np.array(answer)
    answer[1] = -answer[1]
    return answer


@equivalent("my_experts")
def other_order_of_mine(answer, X):
    """Your experts in the other order."""
    return np.array(answer)[::-1]
