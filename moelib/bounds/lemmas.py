r"""The steps of the sample-complexity theorem: one function for each lemma of the chapter.

Each takes what the lemma takes, in the symbols of the page, and returns what the lemma bounds,
``inf`` where a condition fails. :class:`moelib.bounds.TwoLossBound` joins them for one model. The
first step, the moments, is in :mod:`moelib.bounds.concentration`.
"""

import numpy as np

from moelib.bounds.concentration import as_guarantee
from moelib.validation import as_not_negative, as_positive, as_probability, as_vector

TURN = 2.31  # above 2 sqrt(4/3): what turns a row v_i with <v_i, u_i>^2 >= 3/4
CHORD = 1.04  # above 1 / cos(15 degrees): the chord of an angle up to 30 over its sine
DOUBLED = 2.0  # above sqrt(2) + 1/3 + 1/4: Bernstein and bias of a mean of shortened terms
FOURTH_MOMENT = 3.0  # E Z^4
THIRD_MOMENT = (8 / np.pi) ** 0.5  # E|Z|^3
POSTERIOR_RANGE = 14 / 3  # 2 + 8/3, of L / n: Bernstein for psi^2, which is at most 4
CUT_OFF = 0.75  # E[Z^4] / 4: what long inputs carry of the Hessian's square


def span_bound(e2, spectrum):
    r"""How far the span is off: :prf:ref:`lem-complexity-span`.

    .. math:: \eta = e_2 / (m_k - e_2) \quad \text{if} \quad e_2 < m_k / 2

    Parameters
    ----------
    e2 : float
        Error of the second moment, in operator norm.
    spectrum : (k,) array
        Eigenvalues :math:`m_1, \dots, m_k` of :math:`M`, those other than zero.

    Examples
    --------
    >>> span_bound(0.1, [0.5, 0.3])
    0.5
    >>> span_bound(0.15, [0.5, 0.3])
    inf
    """
    e2, least = _as_error(e2, "e2"), as_vector(spectrum, "spectrum").min()
    return float(e2 / (least - e2)) if e2 < least / 2 else np.inf


def tensor_bound(e2, e4, spectrum, shares):
    r"""Error :math:`|E|` of the whitened tensor: :prf:ref:`lem-complexity-whitening`.

    .. math:: \frac{(1 + \eta)^4 - 1}{\min_m \pi_m} + \frac{e_4}{(m_k - e_2)^2}

    Parameters
    ----------
    e2, e4 : float
        Errors of the two moments, in operator norm.
    spectrum : (k,) array
        Eigenvalues of :math:`M`, those other than zero.
    shares : (k,) array
        Shares :math:`\pi_m` of the experts.
    """
    eta, e4 = span_bound(e2, spectrum), _as_error(e4, "e4")
    if eta == np.inf:
        return np.inf
    least = as_vector(spectrum, "spectrum").min()
    return ((1 + eta) ** 4 - 1) / _as_shares(shares).min() + e4 / (least - e2) ** 2


def landscape_room(shares, mu):
    r"""The error :math:`|E|` that the minimum of L4 tolerates: :prf:ref:`thm-complexity-landscape`.

    .. math:: \frac{\mu\, \lambda_{\min}}{4 k (k - 1)(k - 1 + \mu)}, \qquad \lambda_m = 1 / \pi_m

    Parameters
    ----------
    shares : (k,) array
        Shares :math:`\pi_m` of the experts.
    mu : float
        Weight of the diagonal term of L4.
    """
    shares, mu = _as_shares(shares), as_probability(mu, "mu")
    k = len(shares)
    return mu / (4 * k * (k - 1) * (k - 1 + mu) * shares.max())


def rotation_bound(tensor, shares, mu):
    r"""Sines between the rows v_i of the minimum and u_i: :prf:ref:`thm-complexity-landscape`.

    .. math:: \phi_i = 2.31\, (k - 1 + \mu)\, |E|\,
              \Bigl(\sum_{m \ne i} (\lambda_m + \mu \lambda_i)^{-2}\Bigr)^{1/2}

    Parameters
    ----------
    tensor : float
        Error :math:`|E|` of the whitened tensor.
    shares : (k,) array
        Shares :math:`\pi_m = 1 / \lambda_m` of the experts.
    mu : float
        Weight of the diagonal term of L4.

    Returns
    -------
    (k,) array
    """
    shares, k = _as_shares(shares), len(shares)
    if not _as_error(tensor, "tensor") <= landscape_room(shares, mu):
        return np.full(k, np.inf)
    stiffness = 1 / shares + mu / shares[:, None]  # row i, column m: lambda_m + mu lambda_i
    inverse = np.where(np.eye(k, dtype=bool), 0, 1 / stiffness)
    return TURN * (k - 1 + mu) * tensor * np.sqrt(np.sum(inverse**2, axis=1))


def expert_bound(e2, rotation, spectrum, shares):
    r"""Sines between experts and their estimates: :prf:ref:`lem-complexity-back`.

    .. math:: \eta + \sqrt{(m_1 + e_2) / \pi_i}\, (\eta + 1.04\, \phi_i)
              \quad \text{if} \quad \phi_i \le 1/2

    Parameters
    ----------
    e2 : float
        Error of the second moment, in operator norm.
    rotation : (k,) array
        Sines :math:`\phi_i`.
    spectrum : (k,) array
        Eigenvalues of :math:`M`, those other than zero.
    shares : (k,) array
        Shares :math:`\pi_i` of the experts.

    Returns
    -------
    (k,) array
    """
    eta, shares = span_bound(e2, spectrum), _as_shares(shares)
    if eta == np.inf:
        return np.full(len(shares), np.inf)
    rotation = np.asarray(rotation, dtype=float)
    stretch = np.sqrt((as_vector(spectrum, "spectrum").max() + e2) / shares)
    return np.where(rotation <= 0.5, eta + stretch * (eta + CHORD * rotation), np.inf)


def signs_are_right(error, n, delta, *, shares, least, slope, fourth):
    r"""Whether the first moment tells the signs of all experts: :prf:ref:`lem-complexity-signs`.

    .. math:: s > 0 \quad \text{and} \quad
              \bar g\, \frac es + 2 \sqrt{\frac{v L}n} < \bar g \min_i \pi_i, \qquad
              v = \sqrt{3\, E\, y^4} / s^2, \quad L = \log(2 k / \delta)

    Parameters
    ----------
    error : float
        Length e of the worst error of an expert, signs left out.
    n : int
        Number of samples.
    delta : float
        Probability of failure.
    shares : (k,) array
        Shares :math:`\pi_i` of the experts.
    least : float
        Least singular value of the experts' matrix; :math:`s` is this less :math:`\sqrt k\, e`.
    slope : float
        Mean slope :math:`\bar g` of the link, sign left out.
    fourth : float
        Fourth moment of the labels.

    Returns
    -------
    bool
    """
    n, delta = as_guarantee(n, delta)
    shares, k = _as_shares(shares), len(shares)
    s = least - np.sqrt(k) * _as_error(error, "error")
    if not s > 0:
        return False
    root = np.sqrt(np.sqrt(FOURTH_MOMENT * fourth) * np.log(2 * k / delta) / n)
    return bool(slope * error / s + DOUBLED * root / s < slope * shares.min())


def posterior_bound(k, t):
    r"""Mean square of the posterior's move: :prf:ref:`lem-complexity-posterior`.

    .. math:: E\, \psi^2 \le 8 k t^2 (1 + \log k + 3 k t^2), \qquad t = G e / \sigma

    Parameters
    ----------
    k : int
        Number of experts.
    t : float
        Error of the experts, times the steepest slope of the link, over the noise.
    """
    t = _as_error(t, "t")
    return 8 * k * t**2 * (1 + np.log(k) + 3 * k * t**2)


def cube_bound(d, n, L):
    r"""Root of the mean cube in the worst direction: :prf:ref:`lem-complexity-cubes`.

    .. math:: m_3^{1/3} \le (8 / \pi)^{1/6} + (\sqrt d + \sqrt{2 L})\, n^{-1/3}

    Parameters
    ----------
    d, n : int
        Numbers of inputs and of samples.
    L : float
        Logarithm of one over the probability of failure.
    """
    d, n, L = as_positive(d, "d"), as_positive(n, "n"), as_not_negative(L, "L")
    return THIRD_MOMENT ** (1 / 3) + (np.sqrt(d) + np.sqrt(2 * L)) / n ** (1 / 3)


def lost_curvature(n, *, k, d, L):
    r"""What the Hessian of n samples may fall short of h: :prf:ref:`thm-complexity-gates`.

    .. math:: \omega = \sqrt{\frac{(d + 2) L'}{2 n}} + \frac{2 R^2 L'}{3 n}
              + \sqrt{\frac3{4n}}\, e^{-L/2}, \qquad
              L' = L + \log((k - 1) d), \quad R = \sqrt d + \sqrt{2 (L + \log n)}

    Parameters
    ----------
    n : int
        Number of samples.
    k, d : int
        Numbers of experts and of inputs.
    L : float
        Logarithm of one over the probability of failure of each event.
    """
    count = np.log((k - 1) * d) + L
    R = np.sqrt(d) + np.sqrt(2 * (np.log(n) + L))
    lost = np.sqrt((d + 2) * count / (2 * n)) + 2 * R**2 * count / (3 * n)
    return lost + np.sqrt(CUT_OFF / n) * np.exp(-L / 2)


def gate_bound(n, delta, *, k, d, t, h):
    r"""Length of the error of all gates: :prf:ref:`thm-complexity-gates`.

    .. math:: 4 \gamma / h \quad \text{if} \quad c^2 \le 2, \quad \omega \le h / 4, \quad
              8 \gamma / h < \varrho = h / (4 \sqrt 2\, c^3)

    Parameters
    ----------
    n : int
        Number of samples.
    delta : float
        Probability of failure.
    k, d : int
        Numbers of experts and of inputs.
    t : float
        Error of the experts, times the steepest slope of the link, over the noise.
    h : float
        Least eigenvalue of the Fisher information of the gates; at most 1/2 for any model.
    """
    n, delta = as_guarantee(n, delta)
    if k < 2 or d < 1:
        raise ValueError(f"k must be at least 2 and d at least 1, got k={k}, d={d}")
    h, L = as_positive(h, "h"), np.log(5 / delta)  # five events
    c = cube_bound(d, n, L)
    nu = 2 * posterior_bound(k, t) + POSTERIOR_RANGE * L / n
    gamma = np.sqrt(2 * d / n) * (1 + np.sqrt(L)) + np.sqrt(nu) * c
    convex = c**2 <= 2 and lost_curvature(n, k=k, d=d, L=L) <= h / 4
    convex = convex and (2 * nu) ** (1 / 3) * c**2 <= h / 4  # follows from the last if h <= 1/2
    return (
        float(4 * gamma / h) if convex and 8 * gamma / h < h / (4 * np.sqrt(2) * c**3) else np.inf
    )


def _as_error(value, name):
    """An error or the bound of one: at least 0, and ``inf`` where there is no bound."""
    return value if value == np.inf else as_not_negative(value, name)


def _as_shares(shares):
    shares = as_vector(shares, "shares")
    if len(shares) < 2 or np.any(shares < 0) or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(f"shares must be those of two experts or more and sum to 1, got {shares}")
    return shares
