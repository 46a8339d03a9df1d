r"""How many samples are enough, by a theorem whose constants are all explicit.

The theorem follows the truncated, reduced two-loss estimator step by step. Each step has its bound:
moments (:mod:`moelib.bounds.concentration`), the span (Davis and Kahan), whitening, the minimum of
L4, the way back to the experts, their signs, and the gates by strong convexity. So the bound is a
number, and so is the n at which it falls below what was asked for; :mod:`moelib.bounds.required`
sets it beside a measured one.
"""

from functools import cache

import numpy as np

from moelib.bounds.concentration import moment_bound
from moelib.bounds.information import fisher_information
from moelib.experts.transforms import label_transforms
from moelib.parameters import FreeParameters
from moelib.quadrature import label_moment, mean_slope
from moelib.validation import as_choice

THIRD_MOMENT = (8 / np.pi) ** 0.5  # E|Z|^3
MOST_SAMPLES = 1e100


class TwoLossBound:
    r"""The theorem for one model: what n samples in each part of the data guarantee.

    Parameters
    ----------
    model : GatedModel
        The truth, which has to meet (G), (U), (O) and (V).
    mu : float
        Weight of the diagonal term of L4.
    kind : {"polynomial", "optimal"}
        Kind of the label transforms, which are made for the true noise.

    Attributes
    ----------
    shares : (k,) array
        Shares :math:`\pi_i` of the experts.
    spectrum : (k,) array
        Eigenvalues of :math:`M = \sum_i \pi_i a_i a_i^\top`, largest first.
    second, fourth : MomentBound
        Bounds on the errors of the two moments.
    curvature : float
        Least eigenvalue of the Fisher information of the gates.

    Raises
    ------
    ValueError
        When experts are not unit vectors or a gate is not orthogonal to them.

    References
    ----------
    Taught in: :ref:`ch-sample-complexity`.

    Examples
    --------
    >>> from moelib import standard_model
    >>> bound = TwoLossBound(standard_model(d=5, n_experts=2))
    >>> bound.experts(1e12, delta=0.1) < 0.01
    True
    >>> bound.experts(1e4, delta=0.1)  # too few samples for any guarantee
    inf
    """

    def __init__(self, model, mu=0.5, kind="polynomial"):
        as_choice(kind, "kind", ["polynomial", "optimal"])
        lengths = np.linalg.norm(model.experts, axis=1)
        if not np.allclose(lengths, 1) or not np.allclose(model.gates @ model.experts.T, 0):
            raise ValueError(
                "model must have unit experts and gates orthogonal to all of them: the theorem "
                "covers no other; scale or project them, or simulate"
            )
        self.model, self.mu = model, mu
        self.shares = expert_shares(model)
        M = (model.experts.T * self.shares) @ model.experts
        k = model.n_experts
        self.spectrum = np.linalg.eigvalsh(M)[::-1][:k]
        transforms = label_transforms(model.link, model.noise, kind, dimension=k)
        self.second = moment_bound(transforms.q2, model.n_features, model.link, model.noise)
        self.fourth = moment_bound(transforms.q4, k, model.link, model.noise)

    @property
    def curvature(self):
        return _gate_information(self.model)

    def steps(self, n, delta):
        """The bound of every step on the way to the experts, from n samples for each moment.

        Parameters
        ----------
        n : int
            Number of samples.
        delta : float
            Probability of failure.

        Returns
        -------
        dict
            ``second``, ``fourth``: errors of the moments; ``span``: sine of the angle between the
            spans; ``whitening``; ``tensor``: error of the whitened tensor, and ``room``, what the
            landscape allows; ``rotation`` (k,): sines between v_i and u_i; ``experts`` (k,): sines
            between experts. ``inf`` where a condition fails.
        """
        model, mu, shares = self.model, self.mu, self.shares
        k = model.n_experts
        e2, e4 = self.second.error(n, delta / 2), self.fourth.error(n, delta / 2)
        room = mu / (4 * k * (k - 1) * (k - 1 + mu) * shares.max())
        found = {"second": e2, "fourth": e4, "room": room}
        names = ("span", "whitening", "tensor")
        nothing = np.full(k, np.inf)
        least = self.spectrum[-1] - e2
        if e2 >= self.spectrum[-1] / 2:
            return found | dict.fromkeys(names, np.inf) | dict(rotation=nothing, experts=nothing)
        span = e2 / least
        tensor = ((1 + span) ** 4 - 1) / shares.min() + e4 / least**2
        found |= {"span": span, "whitening": span, "tensor": tensor}
        if tensor > room:
            return found | dict(rotation=nothing, experts=nothing)
        stiffness = 1 / shares + mu / shares[:, None]  # row i, column m: lambda_m + mu lambda_i
        others = ~np.eye(k, dtype=bool)
        inverse = np.where(others, 1 / stiffness, 0)
        rotation = 2.31 * (k - 1 + mu) * tensor * np.sqrt(np.sum(inverse**2, axis=1))
        stretch = np.sqrt((self.spectrum[0] + e2) / shares)
        return found | {
            "rotation": rotation,
            "experts": span + stretch * (span + 1.04 * rotation),
        }

    def experts(self, n, delta):
        """Largest sine between an expert and its estimate, from n samples for each moment."""
        return float(self.steps(n, delta)["experts"].max())

    def gates(self, n, delta):
        """Length of the error of all gates, from n samples for each moment and n for the gates."""
        sine = self.experts(n, delta / 2)
        if sine > 0.5 or not self._signs_are_right(1.04 * sine, n, delta / 12):
            return np.inf
        return self.gates_given(1.04 * sine, n, 5 * delta / 12)

    def gates_given(self, error, n, delta):
        """The same for experts that are off by at most ``error``, whatever they were found from.

        Parameters
        ----------
        error : float
            Length of the worst error of an expert.
        n : int
            Number of samples.
        delta : float
            Probability of failure.
        """
        model, log = self.model, np.log(5 / delta)
        k, d = model.experts.shape
        h = self.curvature
        relative = _steepest(model.link) * error / model.noise
        cube = THIRD_MOMENT ** (1 / 3) + (np.sqrt(d) + np.sqrt(2 * log)) / n ** (1 / 3)
        drift = 8 * k * relative**2 * (1 + np.log(k) + 3 * k * relative**2)
        square = 2 * drift + 14 / 3 * log / n
        reach = np.sqrt(d) + np.sqrt(2 * (np.log(n) + log))
        count = np.log((k - 1) * d) + log
        sampling = np.sqrt((d + 2) * count / (2 * n)) + 2 * reach**2 * count / (3 * n)
        sampling += np.sqrt(0.75 / n) * np.exp(-log / 2)
        if max(sampling, (2 * square) ** (1 / 3) * cube**2) > h / 4 or cube**2 > 2:
            return np.inf
        gradient = np.sqrt(2 * d / n) * (1 + np.sqrt(log)) + np.sqrt(square) * cube
        radius = h / (4 * np.sqrt(2) * cube**3)
        return float(4 * gradient / h) if 8 * gradient / h < radius else np.inf

    def _signs_are_right(self, error, n, delta):
        """Whether the first moment is known well enough to choose the signs of all experts."""
        model, k = self.model, self.model.n_experts
        least = np.linalg.svd(model.experts)[1][-1] - np.sqrt(k) * error
        slope = abs(mean_slope(model.link))
        if least <= 0 or slope == 0:
            return False
        fourth = label_moment(4, model.link, model.noise)
        noise = 2 * np.sqrt(np.sqrt(3 * fourth) * np.log(2 * k / delta) / n) / least
        return slope * error / least + noise < slope * self.shares.min()


def least_samples(bound, goal):
    """The least n, to 1 %, with ``bound(n) <= goal``, for a bound that falls in n."""
    low, high = 1.0, 2.0
    while bound(high) > goal:
        if high > MOST_SAMPLES:
            return np.inf
        low, high = high, 10 * high
    while high / low > 1.01:
        middle = np.sqrt(low * high)
        low, high = (low, middle) if bound(middle) <= goal else (middle, high)
    return float(high)


def expert_shares(model, n=50_000):
    r"""The shares :math:`\pi_i = E[p_i(x)]`, (k,), by Monte Carlo over x and -x, seed fixed."""
    X = np.random.default_rng(0).standard_normal((n, model.n_features))
    return np.mean([model.gate_probabilities(sign * X) for sign in (1, -1)], axis=(0, 1))


@cache
def _gate_information(model):
    k, d = model.experts.shape
    J = fisher_information(model, FreeParameters(noise=False))
    return float(np.linalg.eigvalsh(J[k * d :, k * d :])[0])


def _steepest(link):
    """Largest slope of the link, on a fine grid near zero and a coarse one far out."""
    far = np.geomspace(12, 1e6, 60)
    z = np.concatenate([-far, np.linspace(-12, 12, 24_001), far])
    with np.errstate(over="ignore"):
        return float(np.abs(link.derivative(z)).max())
