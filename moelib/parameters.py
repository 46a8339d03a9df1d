"""Which parameters of a gated model are learned, and how they line up in arrays and vectors.

Inside the fitting code an expert or a gate is one row: its slopes and, if learned, its intercept
last. The matching *design* is X, X and a column of ones, or the ones alone.
"""

from dataclasses import dataclass

import numpy as np

from moelib.model import GatedModel


@dataclass(frozen=True)
class FreeParameters:
    """The parameters to learn, experts' slopes always, and the ridge that holds the gates' slopes.

    Parameters
    ----------
    intercepts : bool
        Whether to learn intercepts of experts and gates.
    noise : bool
        Whether to learn the noise.
    gate_slopes : bool
        Whether the gate depends on x; if not it is constant in x, with intercepts of its own.
    gate_ridge : float
        Weight of a penalty, half of it times the sum of squares of the gates' slopes, on the
        log-likelihood per sample.

    Examples
    --------
    >>> FreeParameters(intercepts=True).count(n_experts=2, n_features=1)  # 2 x 2 + 1 x 2 + 1
    7
    """

    intercepts: bool = False
    noise: bool = True
    gate_slopes: bool = True
    gate_ridge: float = 0.0

    @property
    def gate_intercepts(self):
        """Whether the gate has intercepts: with all others, or because it has nothing else."""
        return self.intercepts or not self.gate_slopes

    def expert_design(self, X):
        """Design matrix of the experts, (n, d) or (n, d + 1)."""
        return np.column_stack([X, np.ones(len(X))]) if self.intercepts else X

    def gate_design(self, X):
        """Design matrix of the gates, (n, d), (n, d + 1) or (n, 1)."""
        ones = np.ones((len(X), 1))
        return np.hstack([X] * self.gate_slopes + [ones] * self.gate_intercepts)

    def ridge(self, n_features):
        """The ridge of each column of the gates' design: none on an intercept."""
        slopes = np.full(n_features * self.gate_slopes, self.gate_ridge)
        return np.append(slopes, np.zeros(int(self.gate_intercepts)))

    def count(self, n_experts, n_features):
        """Number of free parameters."""
        expert = n_features + self.intercepts
        gate = n_features * self.gate_slopes + self.gate_intercepts
        return n_experts * expert + (n_experts - 1) * gate + self.noise

    def refuse_ridge(self, method):
        """Raise ``ValueError`` if there is a ridge, for a method that knows none."""
        if self.gate_ridge:
            raise ValueError(
                f"gate_ridge={self.gate_ridge:g} is not known to {method}: use "
                "expectation_maximization or maximum_likelihood, or drop it"
            )

    def rows(self, model):
        """A model's expert rows and gate rows."""
        experts = np.column_stack([model.experts] + [model.expert_intercepts] * self.intercepts)
        gates = np.column_stack(
            [model.gates] * self.gate_slopes + [model.gate_intercepts] * self.gate_intercepts
        )
        return experts, gates

    def blocks(self, vector, n_experts, n_features):
        """Cut a vector (experts, gates, log noise) into expert rows, gate rows and the rest."""
        width = n_features + self.intercepts
        cut = n_experts * width
        stop = len(vector) - self.noise
        experts = vector[:cut].reshape(n_experts, width)
        return experts, vector[cut:stop].reshape(n_experts - 1, -1), vector[stop:]

    def vector(self, model):
        """All free parameters in one vector: experts, gates, log noise; see :meth:`blocks`."""
        experts, gates = self.rows(model)
        log_noise = [np.log(model.noise)] * self.noise
        return np.concatenate([experts.ravel(), gates.ravel(), log_noise])

    def from_vector(self, vector, like):
        """The model with these free parameters; what is not learned is taken from ``like``."""
        experts, gates, log_noise = self.blocks(vector, *like.experts.shape)
        noise = float(np.exp(log_noise[0])) if self.noise else like.noise
        return self.model(experts, gates, noise, like=like)

    def moved(self, model, change):
        """The model with ``change``, a vector in the order of :meth:`vector`, added to these."""
        return self.from_vector(self.vector(model) + change, like=model)

    def derivatives(self, function, model, *, width=1e-5):
        """Derivatives of a function of the model by these parameters, from central differences.

        Parameters
        ----------
        function : function
            Of a GatedModel; returns an array of any shape.
        model : GatedModel
            Where to differentiate.
        width : float
            Step to either side.

        Returns
        -------
        (..., q) array
            One parameter after the other along the last axis, in the order of :meth:`vector`.

        Examples
        --------
        >>> from moelib import standard_model
        >>> free, model = FreeParameters(), standard_model(d=3, n_experts=2)
        >>> free.derivatives(lambda m: m.gates[0], model).shape
        (3, 10)
        """
        slopes = []
        for step in width * np.eye(self.count(*model.experts.shape)):
            ahead, behind = self.moved(model, step), self.moved(model, -step)
            slopes.append((function(ahead) - function(behind)) / (2 * width))
        return np.stack(slopes, axis=-1)

    def model(self, experts, gates, noise, like):
        """A model with these rows and this noise; what is not learned is taken from ``like``."""
        d = like.n_features
        return GatedModel(
            experts[:, :d],
            gates[:, :d] if self.gate_slopes else like.gates,
            noise,
            like.link,
            experts[:, d] if self.intercepts else like.expert_intercepts,
            gates[:, -1] if self.gate_intercepts else like.gate_intercepts,
        )
