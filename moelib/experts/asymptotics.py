r"""How far off the experts of the reduced loss will be, before any data.

To first order the experts are linear in the errors of the two moments, and those are means over
samples: so n times the mean squared angle of an expert tends to a constant, which is a sum of
one-dimensional integrals.
"""

from itertools import permutations

import numpy as np
from scipy.special import factorial

from moelib.data.arrays import as_floats
from moelib.experts.assumed import as_theory_model
from moelib.experts.orthonormal import SOLVERS
from moelib.hermite import hermite
from moelib.quadrature import gaussian_rule, mean_over_noise
from moelib.validation import as_choice, as_probability

GATE_SAMPLES = 100_000  # inputs that the means of the gate are taken over


def first_order_error(F, E, A, shares, *, mu=0.5, solver="lbfgs"):
    r"""Where small errors of the two moments move the experts of the reduced loss.

    With :math:`\hat M = \sum_i \pi_i a_i a_i^\top + F`, :math:`\hat T = \sum_i \pi_i a_i^{\otimes
    4} + E` and the dual basis :math:`a_i^*` of the experts in their span, P the projection off it,
    expert i moves by the part orthogonal to :math:`a_i` of

    .. math:: \sum_{m \ne i} \alpha_{im} a_m + \frac{1}{\pi_i} P F a_i^* ,
              \qquad (\pi_i + \mu \pi_m)\, \alpha_{im} = F[a_i^*, a_m^*]
              - \pi_m \sum_{j \ne i} \frac{E[a_i^*, a_m^*, a_j^*, a_j^*]}{\pi_j}
              + \mu \frac{\pi_m}{\pi_i} E[a_i^*, a_i^*, a_i^*, a_m^*] .

    Over orthonormal rows mu has no say, and of the sum only j = m is left:

    .. math:: (\pi_i + \pi_m)\, \alpha_{im} = F[a_i^*, a_m^*]
              + \frac{\pi_m}{\pi_i} E[a_i^*, a_i^*, a_i^*, a_m^*]
              - E[a_m^*, a_m^*, a_m^*, a_i^*] .

    Parameters
    ----------
    F : (d, d) array
        Error of the second moment, symmetric.
    E : (d, d, d, d) array
        Error of the fourth moment, symmetric.
    A : (k, d) array
        Experts, of length one and linearly independent.
    shares : (k,) array
        Shares :math:`\pi_i` of the experts.
    mu : float
        Weight of the diagonal term of L4.
    solver : {"lbfgs", "gradient", "orthonormal"}
        As in :func:`moelib.learn_experts`: those over unit rows find the same minimum,
        "orthonormal" that over orthonormal rows, whatever mu.

    Returns
    -------
    (k, d) array
        Row i is the move of expert i, orthogonal to it; what it leaves out is of second order.

    Notes
    -----
    *Why, for orthonormal rows.* Whiten by the true M: F and E become F' and E', divided by
    :math:`\sqrt{\pi_i \pi_m}` and the like, and the whitened fourth moment, up to a rotation that
    the rows follow, is :math:`\sum_m \lambda_m (u_m - F' u_m / 2)^{\otimes 4} + E'` with
    :math:`\lambda_m = 1 / \pi_m`. Let :math:`v_i = u_i + \sum_m \omega_{im} u_m` with antisymmetric
    :math:`\omega`. The sum of the :math:`T[v_i^4]` is stationary where
    :math:`T[v_i, v_i, v_i, v_m] = T[v_m, v_m, v_m, v_i]`, to first order
    :math:`\lambda_i (\omega_{mi} - F'_{im}/2) + E'_{iiim} = \lambda_m (\omega_{im} - F'_{im}/2)
    + E'_{mmmi}`. Solve for :math:`\omega_{im}`; the way back to experts adds :math:`F'_{im}/2`, and
    :math:`\alpha_{im} = \sqrt{\pi_m / \pi_i}\, (\omega_{im} + F'_{im}/2)`.

    References
    ----------
    Taught in: :ref:`ch-learning-experts`.

    Examples
    --------
    >>> F, E = np.array([[0.0, 0.25], [0.25, 0.0]]), np.zeros((2, 2, 2, 2))
    >>> first_order_error(F, E, np.eye(2), np.array([0.5, 0.5])).round(6)
    array([[0.      , 0.333333],
           [0.333333, 0.      ]])
    """
    F, E, A, shares = as_floats(F, E, A, shares)
    joint = as_choice(solver, "solver", list(SOLVERS)) == "orthonormal"
    dual = np.linalg.pinv(A).T
    f = dual @ F @ dual.T
    e = np.einsum("abcd,ia,mb,jc,jd->imj", E, dual, dual, dual, dual, optimize=True)
    own = np.einsum("imi->im", e)  # E[a_i*, a_i*, a_i*, a_m*]
    if joint:
        alpha = f + shares * own / shares[:, None] - own.T
    else:
        alpha = f - shares * (e @ (1 / shares)) + (1 + mu) * shares * own / shares[:, None]
    alpha /= shares[:, None] + (1.0 if joint else mu) * shares
    np.fill_diagonal(alpha, 0)
    outside = dual @ F @ (np.eye(len(F)) - A.T @ dual) / shares[:, None]
    moves = alpha @ A + outside
    return moves - np.sum(moves * A, axis=1, keepdims=True) * A


def error_constants(model, transforms, *, mu=0.5, solver="lbfgs"):
    r"""The two parts of what n times the mean squared angle of each expert tends to.

    .. math:: n\, E\, \mathrm{angle}_i^2 \to \sum_{m \ne i} \operatorname{Var} \alpha_{im}
              + \frac{1}{\pi_i^2} \sum_w \operatorname{Var} F[w, a_i] ,

    the variances being those of one sample's terms in :func:`first_order_error`, and w running
    through d - k directions orthogonal to the experts.

    Parameters
    ----------
    model : GatedModel
        With orthonormal experts that are orthogonal to the gates and have no intercepts, and one
        noise.
    transforms : LabelTransforms
        Made for the link and the noise of the model.
    mu : float
        Weight of the diagonal term of L4.
    solver : {"lbfgs", "gradient", "orthonormal"}
        As in :func:`first_order_error`; mu has no say for "orthonormal".

    Returns
    -------
    inside : (k,) array
        The part in the span of the experts.
    outside : (k,) array
        The part off it, which grows in proportion to d - k.

    Raises
    ------
    ValueError
        When the experts are not orthonormal or not orthogonal to the gates.

    Notes
    -----
    Labels are integrated by quadrature, the gate over a fixed random sample of inputs. Left out is
    what the tilt of the estimated span lets in of the gate: zero where the fourth transform is
    uncorrelated with He_3 of the projection, as for even links and the identity, or the gates are
    zero, and one or two per cent behind a ReLU.

    References
    ----------
    Taught in: :ref:`ch-learning-experts`.

    Examples
    --------
    >>> from moelib import label_transforms, standard_model
    >>> near, far = standard_model(d=10), standard_model(d=40)
    >>> pair = label_transforms("identity", near.noise)
    >>> (inside, outside), (same, more) = (error_constants(m, pair) for m in (near, far))
    >>> np.allclose(inside, same, rtol=0.05), np.allclose(more, 37 / 7 * outside, rtol=0.05)
    (True, True)
    """
    as_theory_model(model, "one noise for all experts", "experts without intercepts")
    A, k, mu = model.experts, model.n_experts, as_probability(mu, "mu")
    if not (np.allclose(A @ A.T, np.eye(k)) and np.allclose(A @ model.gates.T, 0)):
        raise ValueError(
            "model must have orthonormal experts that are orthogonal to the gates: for others put "
            "the errors of their moments into first_order_error"
        )
    X = np.random.default_rng(0).standard_normal((GATE_SAMPLES, model.n_features))
    p = model.gate_probabilities(X)
    shares, off_span = p.mean(axis=0), np.sum(X**2, axis=1) - np.sum((X @ A.T) ** 2, axis=1)
    means = _label_means(transforms, model.link, model.noise)
    inside = np.zeros(k)
    joint = as_choice(solver, "solver", list(SOLVERS)) == "orthonormal"
    for i, m in permutations(range(k), 2):
        terms = _orthonormal_terms(i, m, shares) if joint else _unit_terms(i, m, shares, mu)
        weight = shares[i] + (1.0 if joint else mu) * shares[m]
        inside[i] += _variance(terms, shares, means) / weight**2
    # in F[w, a_i] the label sees the coordinate of expert i only if that expert answers
    seen = np.where(np.eye(k, dtype=bool), means[0, 0, 1, 1], means[0, 0, 0, 0])
    return inside, seen @ (off_span @ p / len(X)) / shares**2


def _label_means(transforms, link, noise):
    """E[q q' He_r(Z) He_s(Z)] for q, q' of order 2 and 4, r and s from 0 to 3: (2, 2, 4, 4)."""
    z, weight = gaussian_rule()
    pair = transforms.q2, transforms.q4

    def product(q, p):
        return mean_over_noise(lambda y: q(y) * p(y) / (q.c * p.c), link.value(z), noise)

    products = [[product(q, p) for p in pair] for q in pair]
    H = np.array([hermite(j, z) for j in range(4)])
    return np.einsum("qpz,rz,sz,z->qprs", products, H, H, weight, optimize=True)


def _unit_terms(i, m, shares, mu):
    """The terms of (pi_i + mu pi_m) alpha_im: which transform, weight, orders of the Hermites."""
    unit = np.eye(len(shares), dtype=int)
    both = unit[i] + unit[m]
    return [
        (0, 1.0, both),
        (1, mu * shares[m] / shares[i], both + 2 * unit[i]),
        *((1, -shares[m] / shares[j], both + 2 * unit[j]) for j in range(len(shares)) if j != i),
    ]


def _orthonormal_terms(i, m, shares):
    """The same of (pi_i + pi_m) alpha_im over orthonormal rows."""
    unit = np.eye(len(shares), dtype=int)
    both = unit[i] + unit[m]
    own, other = both + 2 * unit[i], both + 2 * unit[m]
    return [(0, 1.0, both), (1, shares[m] / shares[i], own), (1, -1.0, other)]


def _variance(terms, shares, means):
    """The variance of a sum of terms, weight times q(y) prod_j He_{r_j}(<a_j, x>), of one sample.

    An answering expert whose coordinate is in no term is as good as any other such.
    """
    which, weights, orders = (np.array(part) for part in zip(*terms, strict=True))
    seen = np.sum(orders, axis=0) > 0
    idle = np.flatnonzero(~seen)[:1]
    total = 0.0
    for answering in (*np.flatnonzero(seen), *idle):
        share = shares[answering] if seen[answering] else shares[~seen].sum()
        own, others = orders[:, answering], np.delete(orders, answering, axis=1)
        same = np.all(others[:, None] == others, axis=-1)
        sizes = same * factorial(others).prod(axis=1)  # E[He_r He_s] = r! if r = s, else 0
        labels = means[which[:, None], which, own[:, None], own]
        total += share * (weights @ (sizes * labels) @ weights)
    return total
