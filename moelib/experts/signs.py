r"""Even moments see an expert only up to its sign. Three ways to choose it, none of which sees the
truth: the first moment, the third moment, and the likelihood.
"""

import numpy as np
from scipy.special import logsumexp

from moelib.experts.transforms import KINDS, label_transform
from moelib.hermite import hermite
from moelib.links import as_link
from moelib.quadrature import mean_slope
from moelib.validation import as_choice, as_matrix, as_positive, as_sample, as_vector


def first_moment_signs(experts, mean_yx, *, link="identity"):
    r"""Signs that make every expert's weight in the first moment positive.

    By Stein's lemma and (O), the part of :math:`E[y x]` in the experts' span is
    :math:`E[g'(Z)] \sum_i \pi_i a_i`, so its coordinates have the signs of the :math:`a_i`.

    Parameters
    ----------
    experts : (k, d) array
        Unit rows, each known up to sign.
    mean_yx : (d,) array
        Estimate of :math:`E[y x]`.
    link : str, callable or Link
        The link :math:`g`. If :math:`E[g'(Z)] = 0`, as for an even link, the first moment knows no
        sign and all are returned as +1.

    Returns
    -------
    (k,) array of +-1

    Examples
    --------
    >>> first_moment_signs(np.diag([1.0, -1.0]), np.array([0.5, 0.5]))
    array([ 1., -1.])

    References
    ----------
    Taught in: :ref:`ch-learning-experts`.
    """
    experts = as_matrix(experts, "experts")
    mean_yx = as_vector(mean_yx, "mean_yx", experts.shape[1])
    slope = mean_slope(link)
    weights = np.linalg.lstsq(experts.T, mean_yx, rcond=None)[0]
    return np.where(weights * slope < 0, -1.0, 1.0)


def third_moment_signs(experts, X, y, *, link="identity", noise=0.05, transforms="polynomial"):
    r"""Signs from the third moment, :math:`E[Q_3(y) S_3(x)] = c_3 \sum_i \pi_i a_i^{\otimes 3}`.

    It is contracted with the dual basis :math:`b_i` of the experts, which leaves
    :math:`c_3 \pi_i \langle a_i, b_i\rangle^3`.

    Parameters
    ----------
    experts : (k, d) array
        Unit rows, each known up to sign, linearly independent.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    link : str, callable or Link
        The link :math:`g`.
    noise : float
        Standard deviation.
    transforms : {"polynomial", "optimal", "in-span"}
        Which label transform to use; a link whose first moment is silent, E[g'(Z)] = 0, may have no
        polynomial.

    Returns
    -------
    (k,) array of +-1

    Raises
    ------
    ValueError
        When the link has no transform of order 3, as an even one.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=6)
    >>> X, y = model.sample(20_000, np.random.default_rng(0))
    >>> third_moment_signs(model.experts * np.array([[1.0], [-1.0], [1.0]]), X, y)
    array([ 1., -1.,  1.])
    """
    kind = as_choice(transforms, "transforms", KINDS)
    experts = as_matrix(experts, "experts")
    sample = as_sample(X, y, n_columns=experts.shape[1])
    transform = label_transform(3, link, noise, kind=kind, dimension=len(experts))
    dual = np.linalg.pinv(experts).T
    lengths = np.linalg.norm(dual, axis=1)
    q = transform(sample.y) / transform.c
    moments = (q - q.mean()) @ hermite(3, sample.X @ (dual / lengths[:, None]).T)
    return np.where(moments < 0, -1.0, 1.0)


def likelihood_signs(experts, X, y, noise, *, link="identity"):
    r"""Signs that maximise the likelihood of a mixture whose gate is indifferent.

    Starts from the signs given and turns one expert at a time, while the likelihood grows: at most
    a few passes of k turns, never :math:`2^k`.

    Parameters
    ----------
    experts : (k, d) array
        Unit rows, each known up to sign.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    noise : float
        Standard deviation, that of the experts' error included.
    link : str, callable or Link
        The link :math:`g`.

    Returns
    -------
    (k,) array of +-1
        +1 where turning changes nothing, as for an even link.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=6)
    >>> X, y = model.sample(2000, np.random.default_rng(0))
    >>> likelihood_signs(model.experts * np.array([[1.0], [-1.0], [1.0]]), X, y, noise=0.2)
    array([ 1., -1.,  1.])
    """
    experts, noise = as_matrix(experts, "experts"), as_positive(noise, "noise")
    sample, value = as_sample(X, y, n_columns=experts.shape[1]), as_link(link).value
    y, projections = sample.y[:, None], sample.X @ experts.T
    by_sign = {s: -0.5 * ((y - value(s * projections)) / noise) ** 2 for s in (1.0, -1.0)}
    signs, current = np.ones(len(experts)), by_sign[1.0].copy()
    best, improved = logsumexp(current, axis=1).sum(), True
    while improved:
        improved = False
        for i, sign in enumerate(signs):
            current[:, i] = by_sign[-sign][:, i]
            turned = logsumexp(current, axis=1).sum()
            if turned > best + 1e-9 * abs(best):
                signs[i], best, improved = -sign, turned, True
            else:
                current[:, i] = by_sign[sign][:, i]
    return signs
