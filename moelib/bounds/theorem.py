r"""How many samples are enough, by a theorem whose constants are all explicit.

The theorem follows the truncated, reduced two-loss estimator step by step, and each step has its
bound: the moments (:mod:`moelib.bounds.concentration`); the span, whitening, the minimum of L4, the
way back to the experts, their signs, and the gates (:mod:`moelib.bounds.lemmas`). Joined for one
model, they make the bound a number, and so the n at which it falls below what was asked for;
:mod:`moelib.bounds.required` sets it beside a measured one.
"""

from functools import cached_property

import numpy as np

from moelib.bounds.concentration import as_guarantee, moment_bound
from moelib.bounds.information import fisher_information
from moelib.bounds.lemmas import (
    CHORD,
    expert_bound,
    gate_bound,
    landscape_room,
    rotation_bound,
    signs_are_right,
    span_bound,
    tensor_bound,
)
from moelib.experts.assumed import as_theory_model
from moelib.experts.transforms import LabelTransforms, label_transforms
from moelib.parameters import FreeParameters
from moelib.quadrature import label_moment, mean_slope
from moelib.validation import as_choice, as_not_negative, as_positive, as_probability

MOST_SAMPLES = 1e100
CONDITIONS = (
    "two experts or more",
    "one noise for all experts",
    "no intercepts",
    "unit experts",
    "linearly independent experts",
    "gates orthogonal to all experts",
)


class TwoLossBound:
    r"""The theorem for one model: what n samples in each part of the data guarantee.

    Parameters
    ----------
    model : GatedModel
        The truth, which has to meet (G), (U), (O) and (V), and to have one noise and no
        intercepts.
    mu : float
        Weight of the diagonal term of L4, between 0 and 1.
    transforms : LabelTransforms or {"polynomial", "optimal"}
        The label transforms, for the link and the noise of the model, or their kind.
    curvature : float, optional
        To use in place of the model's own.

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
        When the theorem does not cover the model, the weight or the transforms.

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

    def __init__(self, model, *, mu=0.5, transforms="polynomial", curvature=None):
        self.model = as_theory_model(model, *CONDITIONS, by="the theorem")
        self.mu = as_probability(mu, "mu")
        if curvature is not None:
            self.curvature = as_positive(curvature, "curvature")
        self.shares = model.shares()
        M = (model.experts.T * self.shares) @ model.experts
        k, law = model.n_experts, dict(link=model.link, noise=model.noise)
        self.spectrum = np.linalg.eigvalsh(M)[::-1][:k]
        transforms = _transforms_for(model, transforms)
        self.second = moment_bound(transforms.q2, model.n_features, **law)
        self.fourth = moment_bound(transforms.q4, k, **law)

    @cached_property
    def curvature(self):
        k, d = self.model.experts.shape
        J = fisher_information(self.model, free=FreeParameters(noise=False))
        return float(np.linalg.eigvalsh(J[k * d :, k * d :])[0])

    def steps(self, n, delta):
        """The bound of every step on the way to the experts, from n samples for each moment.

        Each moment fails with probability ``delta / 2``; see :prf:ref:`thm-complexity-experts`.

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
        n, delta = as_guarantee(n, delta)
        e2, e4 = self.second.error(n, delta / 2), self.fourth.error(n, delta / 2)
        span = span_bound(e2, self.spectrum)
        tensor = tensor_bound(e2, e4, self.spectrum, self.shares)
        rotation = rotation_bound(tensor, self.shares, self.mu)
        return {
            "second": e2,
            "fourth": e4,
            "room": landscape_room(self.shares, self.mu),
            "span": span,
            "whitening": span,
            "tensor": tensor,
            "rotation": rotation,
            "experts": expert_bound(e2, rotation, self.spectrum, self.shares),
        }

    def experts(self, n, delta):
        """Largest sine between an expert and its estimate, from n samples for each moment."""
        return float(self.steps(n, delta)["experts"].max())

    def gates(self, n, delta):
        """Length of the error of all gates, from n samples for each moment and n for the gates.

        Of ``delta``, one half is for the experts; the other has six equal parts, one for the signs
        and five for the gates.
        """
        n, delta = as_guarantee(n, delta)
        sine = self.experts(n, delta / 2)
        if sine > 0.5 or not self.signs(CHORD * sine, n, delta / 12):
            return np.inf
        return self.gates_given(CHORD * sine, n, 5 * delta / 12)

    def signs(self, error, n, delta):
        """Whether n samples tell the signs of experts that are off by at most ``error``."""
        model = self.model
        return signs_are_right(
            error,
            n,
            delta,
            shares=self.shares,
            least=np.linalg.svd(model.experts)[1][-1],
            slope=abs(mean_slope(model.link)),
            fourth=label_moment(4, model.link, model.noise),
        )

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
        n, delta = as_guarantee(n, delta)
        (k, d), steepest = self.model.experts.shape, _steepest(self.model.link)
        error = np.inf if error == np.inf else as_not_negative(error, "error")
        if steepest == np.inf or not self.curvature > 0:
            return np.inf
        t = steepest * error / self.model.noise
        return gate_bound(n, delta, k=k, d=d, t=t, h=self.curvature)


def least_samples(bound, goal):
    """The least n, to 1 %, with ``bound(n) <= goal``, for a bound that falls in n.

    Parameters
    ----------
    bound : callable
        Takes n; for instance ``lambda n: two_loss_bound.experts(n, delta=0.1)``.
    goal : float
        What the bound has to reach.

    Returns
    -------
    float
        ``inf`` when even ``MOST_SAMPLES`` are too few.

    Examples
    --------
    >>> n = least_samples(lambda n: n**-0.5, goal=0.01)
    >>> 10_000 <= n < 10_100
    True
    """
    low, high, goal = 1.0, 2.0, as_positive(goal, "goal")
    while not bound(high) <= goal:
        if high > MOST_SAMPLES:
            return np.inf
        low, high = high, 10 * high
    while high / low > 1.01:
        middle = np.sqrt(low * high)
        low, high = (low, middle) if bound(middle) <= goal else (middle, high)
    return float(high)


def _transforms_for(model, transforms):
    """The transforms that were given or named, which have to belong to the model's labels."""
    if not isinstance(transforms, LabelTransforms):
        as_choice(transforms, "transforms", ["polynomial", "optimal"])
        return label_transforms(
            model.link, noise=model.noise, kind=transforms, dimension=model.n_experts
        )
    if (transforms.link.value, transforms.noise) != (model.link.value, model.noise):
        raise ValueError(
            f"transforms must be for the model's link {model.link.name!r} and noise "
            f"{model.noise:g}, got {transforms.link.name!r} and {transforms.noise:g}"
        )
    return transforms


def _steepest(link):
    """Largest slope of the link, on a fine grid near zero and a coarse one far out.

    ``inf`` where it still rises at the far end, so that no bound of it is known.
    """
    far = np.geomspace(12, 1e6, 60)
    z = np.concatenate([-far, np.linspace(-12, 12, 24_001), far])
    with np.errstate(over="ignore", invalid="ignore"):
        slopes = np.abs(link.derivative(z))
    steepest = slopes.max()
    return float(steepest) if steepest <= 1.001 * slopes[np.abs(z) < 1e5].max() else np.inf
