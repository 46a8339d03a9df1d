r"""The gated model: a mixture of experts with a softmax gate and Gaussian noise.

.. math::

    P(y \mid x) &= \sum_{i=1}^k p_i(x)\,
            N\bigl(y;\, g(\langle a_i, x\rangle + b_i),\, \sigma_i^2\bigr), \\
    p(x) &= \mathrm{softmax}(\langle w_1, x\rangle + c_1, \dots,
            \langle w_{k-1}, x\rangle + c_{k-1}, 0).

The theory of the book has no intercepts (:math:`b = c = 0`, the default) and one noise
:math:`\sigma_i = \sigma` for all experts; real data need the first and often a noise for each.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import log_softmax, logsumexp

from moelib.links import Link, as_link
from moelib.validation import (
    as_count,
    as_generator,
    as_labels,
    as_matrix,
    as_noise,
    as_vector,
)


@dataclass(frozen=True, eq=False)
class GatedModel:
    r"""A mixture of ``k`` experts in ``d`` dimensions.

    Parameters
    ----------
    experts : (k, d) array
        Rows :math:`a_i`.
    gates : (k-1, d) array
        Rows :math:`w_i`; the last gate is zero. One expert has none: (0, d).
    noise : float or (k,) array
        Standard deviation :math:`\sigma > 0`, in units of y: one for all experts, or one for each.
    link : str, callable or Link
        The link :math:`g`.
    expert_intercepts : (k,) array, optional
        Intercepts :math:`b_i`, zero if not given.
    gate_intercepts : (k-1,) array, optional
        Intercepts :math:`c_i`, zero if not given.

    Raises
    ------
    ValueError
        When shapes do not fit together, an entry is not finite, or ``noise <= 0``.

    Examples
    --------
    >>> model = GatedModel(experts=np.eye(2), gates=[[3.0, 0.0]], noise=0.1)
    >>> X, y = model.sample(5, np.random.default_rng(0))
    >>> X.shape, y.shape, model.gate_probabilities(X).sum(axis=1)
    ((5, 2), (5,), array([1., 1., 1., 1., 1.]))

    References
    ----------
    Jacobs, Jordan, Nowlan & Hinton (1991).   Taught in: :ref:`ch-gated-model`.
    """

    experts: np.ndarray
    gates: np.ndarray
    noise: float | np.ndarray
    link: Link = field(default="identity")  # type: ignore[assignment]
    expert_intercepts: np.ndarray = None  # type: ignore[assignment]
    gate_intercepts: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self):
        experts = as_matrix(self.experts, "experts")
        k, d = experts.shape
        if k < 1:
            raise ValueError(f"experts must have at least one row, got shape {experts.shape}")
        gates = self.gates if np.size(self.gates) else np.zeros((0, d))
        gates = as_matrix(gates, "gates", n_columns=d)
        if len(gates) != k - 1:
            raise ValueError(
                f"gates must have one row fewer than experts ({k - 1}), got shape {gates.shape}"
            )
        b = np.zeros(k) if self.expert_intercepts is None else self.expert_intercepts
        c = np.zeros(k - 1) if self.gate_intercepts is None else self.gate_intercepts
        values = {
            "experts": experts,
            "gates": gates,
            "noise": as_noise(self.noise, k),
            "link": as_link(self.link),
            "expert_intercepts": as_vector(b, "expert_intercepts", k),
            "gate_intercepts": as_vector(c, "gate_intercepts", k - 1),
        }
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                value = value.copy()
                value.flags.writeable = False
            object.__setattr__(self, name, value)

    @property
    def n_experts(self):
        """Number of experts k."""
        return len(self.experts)

    @property
    def n_features(self):
        """Number of inputs d."""
        return self.experts.shape[1]

    @property
    def noises(self):
        """Standard deviation of each expert, (k,), also where it is one for all."""
        return np.broadcast_to(self.noise, self.n_experts)

    def sample(self, n, rng, *, return_expert=False):
        """Draw ``n`` pairs with standard normal inputs.

        Parameters
        ----------
        n : int
            Number of samples.
        rng : numpy.random.Generator
            Source of randomness.
        return_expert : bool
            Whether to return which expert answered as well.

        Returns
        -------
        X : (n, d) array
            Inputs.
        y : (n,) array
            Labels.
        z : (n,) int array
            Which expert answered each sample, if asked for.
        """
        rng = as_generator(rng)
        X = rng.standard_normal((as_count(n, "n"), self.n_features))
        y, z = self.sample_labels(X, rng)
        return (X, y, z) if return_expert else (X, y)

    def sample_labels(self, X, rng):
        """Draw a label for each row of X (n, d); return y (n,) and the expert z (n,) behind it."""
        X, rng = self._inputs(X), as_generator(rng)
        cumulative = np.cumsum(np.exp(self._log_gate_probabilities(X)), axis=1)[:, :-1]
        z = (rng.random((len(X), 1)) > cumulative).sum(axis=1)
        answers = np.take_along_axis(self._expert_means(X), z[:, None], axis=1)[:, 0]
        return answers + self.noises[z] * rng.standard_normal(len(X)), z

    def shares(self, n=50_000):
        r"""Share of the samples that each expert answers, :math:`\pi_i = E[p_i(x)]`: (k,).

        By Monte Carlo over n standard normal inputs x and over -x; the seed is fixed.
        """
        X = np.random.default_rng(0).standard_normal((n, self.n_features))
        return np.mean([self.gate_probabilities(sign * X) for sign in (1, -1)], axis=(0, 1))

    def expert_means(self, X):
        """What each expert answers, g(<a_i, x> + b_i): (n, d) -> (n, k)."""
        return self._expert_means(self._inputs(X))

    def log_gate_probabilities(self, X):
        """Logarithm of the gate's softmax: (n, d) -> (n, k)."""
        return self._log_gate_probabilities(self._inputs(X))

    def gate_probabilities(self, X):
        """Probability that each expert answers: (n, d) -> (n, k), rows sum to 1."""
        return np.exp(self.log_gate_probabilities(X))

    def mean(self, X):
        """Conditional mean of y, the gated sum of the experts' answers: (n, d) -> (n,)."""
        return self._mean(self._inputs(X))

    def log_joint(self, X, y):
        """Log p_i(x) + log N(y; expert i, its noise^2): (n, d), (n,) -> (n, k)."""
        X = self._inputs(X)
        return self._log_joint(X, as_labels(y, len(X)))

    def log_density(self, X, y):
        """Log-density of y given x: (n, d), (n,) -> (n,)."""
        return logsumexp(self.log_joint(X, y), axis=1)

    def posterior(self, X, y):
        """Probability that each expert produced y: (n, d), (n,) -> (n, k), rows sum to 1."""
        return np.exp(log_softmax(self.log_joint(X, y), axis=1))

    def _inputs(self, X):
        return as_matrix(X, "X", n_columns=self.n_features)

    # behind the door: for inputs and labels that have been checked

    def _expert_means(self, X):
        return self.link.value(X @ self.experts.T + self.expert_intercepts)

    def _log_gate_probabilities(self, X):
        scores = X @ self.gates.T + self.gate_intercepts
        return log_softmax(np.column_stack([scores, np.zeros(len(X))]), axis=1)

    def _mean(self, X):
        return np.sum(np.exp(self._log_gate_probabilities(X)) * self._expert_means(X), axis=1)

    def _log_joint(self, X, y):
        residual = (y[:, None] - self._expert_means(X)) / self.noise
        log_normal = -0.5 * residual**2 - np.log(self.noise * np.sqrt(2 * np.pi))
        return self._log_gate_probabilities(X) + log_normal

    def _log_density(self, X, y):
        return logsumexp(self._log_joint(X, y), axis=1)

    def _posterior(self, X, y):
        return np.exp(log_softmax(self._log_joint(X, y), axis=1))


def standard_model(d=10, n_experts=3, noise=0.05, *, gate_norm=1.0, link="identity"):
    """The book's standard design: experts e_1..e_k, gates ``gate_norm`` times e_{k+1}..e_{2k-1}.

    Experts are unit, orthogonal to each other and to every gate, so all assumptions of the
    theory hold.

    Parameters
    ----------
    d : int
        Dimension, at least 2 n_experts - 1.
    n_experts : int
        Number of experts k, at least 2.
    noise : float
        Standard deviation, in units of y.
    gate_norm : float
        Length of each gate.
    link : str, callable or Link
        The link :math:`g`.

    Raises
    ------
    ValueError
        When ``d`` is too small to hold the directions.

    Examples
    --------
    >>> standard_model(d=3, n_experts=2).gates
    array([[0., 0., 1.]])
    """
    d, n_experts = as_count(d, "d"), as_count(n_experts, "n_experts")
    if d < 2 * n_experts - 1:
        raise ValueError(
            f"d must be at least 2 * n_experts - 1 = {2 * n_experts - 1} so that "
            f"experts and gates fit, got {d}"
        )
    directions = np.eye(d)
    gates = gate_norm * directions[n_experts : 2 * n_experts - 1]
    return GatedModel(directions[:n_experts], gates, noise, link)


def random_model(d, n_experts, rng, *, noise=0.05, gate_norm=1.0, link="identity", orthogonal=True):
    """Unit experts and gates of length ``gate_norm`` in random directions.

    Parameters
    ----------
    d, n_experts : int
        As in :func:`standard_model`.
    rng : numpy.random.Generator
        For the directions.
    noise, gate_norm : float
        As in :func:`standard_model`.
    link : str, callable or Link
        The link :math:`g`.
    orthogonal : bool
        If true (default) every gate is orthogonal to every expert, while experts keep random angles
        to each other; this needs ``d > n_experts``. If false the gates are random too.

    Examples
    --------
    >>> model = random_model(6, 3, np.random.default_rng(0))
    >>> np.allclose(model.gates @ model.experts.T, 0)
    True
    """
    rng, d, n_experts = as_generator(rng), as_count(d, "d"), as_count(n_experts, "n_experts")
    if orthogonal and d <= n_experts:
        raise ValueError(f"d must exceed n_experts = {n_experts} for orthogonal gates, got {d}")
    experts = _unit_rows(rng.standard_normal((n_experts, d)))
    gates = rng.standard_normal((n_experts - 1, d))
    if orthogonal:
        basis = np.linalg.qr(experts.T)[0]
        gates = gates - gates @ basis @ basis.T
    return GatedModel(experts, gate_norm * _unit_rows(gates), noise, link)


def _unit_rows(A):
    return A / np.linalg.norm(A, axis=1, keepdims=True)
