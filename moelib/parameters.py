"""Which parameters of a gated model are learned, and how they line up in arrays and vectors.

Inside the fitting code an expert or a gate is one row: its slopes and, if learned, its intercept
last. The matching *design* is X, or the columns of it that they may use, and a column of ones; or
the ones alone.
"""

from dataclasses import dataclass

import numpy as np

from moelib.model import GatedModel

NOISES = (True, False, "per-expert")


@dataclass(frozen=True)
class FreeParameters:
    """The parameters to learn, and the ridge that holds the gates' slopes.

    Parameters
    ----------
    intercepts : bool
        Whether to learn intercepts of experts and gates.
    noise : bool or "per-expert"
        Whether to learn the noise: one for all experts, or one for each.
    gate_slopes : bool
        Whether the gate depends on x; if not it is constant in x, with intercepts of its own.
    gate_ridge : float or (d,) tuple
        Weight of a penalty, half of it times the sum of squares of the gates' slopes, on the
        log-likelihood per sample; for all columns or for each.
    expert_features, gate_features : tuple of int, optional
        Columns of X that experts and gates may use; all if not given. The slopes of the others are
        zero.

    Raises
    ------
    ValueError
        When ``noise`` is none of the three, or the ridge is negative.

    Examples
    --------
    >>> FreeParameters(intercepts=True).count(n_experts=2, n_features=1)  # 2 x 2 + 1 x 2 + 1
    7
    """

    intercepts: bool = False
    noise: bool | str = True
    gate_slopes: bool = True
    gate_ridge: float | tuple = 0.0
    expert_features: tuple | None = None
    gate_features: tuple | None = None

    def __post_init__(self):
        if self.noise not in NOISES:
            raise ValueError(f"noise must be True, False or 'per-expert', got {self.noise!r}")
        if not np.all(np.asarray(self.gate_ridge) >= 0):
            raise ValueError(f"gate_ridge must not be negative, got {self.gate_ridge!r}")
        fixed: dict = {"noise": self.noise if self.noise_per_expert else bool(self.noise)}
        for name in ("expert_features", "gate_features"):
            value = getattr(self, name)
            fixed[name] = None if value is None else tuple(map(int, value))
        if fixed["gate_features"] == ():
            fixed["gate_slopes"] = False
        for name, value in fixed.items():
            object.__setattr__(self, name, value)

    @property
    def gate_intercepts(self):
        """Whether the gate has intercepts: with all others, or because it has nothing else."""
        return self.intercepts or not self.gate_slopes

    @property
    def noise_per_expert(self):
        """Whether each expert has a noise of its own."""
        return self.noise == "per-expert"

    def expert_columns(self, n_features):
        """Numbers of the columns that experts may use."""
        return _columns(self.expert_features, n_features)

    def gate_columns(self, n_features):
        """Numbers of the columns that gates may use."""
        return _columns(self.gate_features if self.gate_slopes else (), n_features)

    def expert_design(self, X):
        """Design matrix of the experts, (n, d) or (n, d + 1) where all columns are used."""
        used = X if self.expert_features is None else X[:, self.expert_columns(X.shape[1])]
        return np.column_stack([used, np.ones(len(X))]) if self.intercepts else used

    def gate_design(self, X):
        """Design matrix of the gates, (n, d), (n, d + 1) or (n, 1)."""
        all_used = self.gate_slopes and self.gate_features is None
        used = X if all_used else X[:, self.gate_columns(X.shape[1])]
        return np.column_stack([used, np.ones(len(X))]) if self.gate_intercepts else used

    def ridge(self, n_features):
        """The ridge of each column of the gates' design: none on an intercept."""
        slopes = np.broadcast_to(self.gate_ridge, n_features)[self.gate_columns(n_features)]
        return np.append(slopes, np.zeros(int(self.gate_intercepts)))

    def widths(self, n_features):
        """Length of an expert's and of a gate's row."""
        experts = len(self.expert_columns(n_features)) + self.intercepts
        return experts, len(self.gate_columns(n_features)) + self.gate_intercepts

    def n_noises(self, n_experts):
        """Number of noises learned: none, one, or one for each expert."""
        return n_experts if self.noise_per_expert else int(self.noise)

    def count(self, n_experts, n_features):
        """Number of free parameters."""
        expert, gate = self.widths(n_features)
        return n_experts * expert + (n_experts - 1) * gate + self.n_noises(n_experts)

    def refuse_ridge(self, method):
        """Raise ``ValueError`` if there is a ridge, for a method that knows none."""
        if np.any(self.gate_ridge):
            raise ValueError(
                f"gate_ridge={np.max(self.gate_ridge):g} is not known to {method}: use "
                "expectation_maximization or maximum_likelihood, or drop it"
            )

    def rows(self, model):
        """A model's expert rows and gate rows."""
        experts = model.experts[:, self.expert_columns(model.n_features)]
        gates = model.gates[:, self.gate_columns(model.n_features)]
        return (
            np.column_stack([experts] + [model.expert_intercepts] * self.intercepts),
            np.column_stack([gates] + [model.gate_intercepts] * self.gate_intercepts),
        )

    def blocks(self, vector, n_experts, n_features):
        """Cut a vector (experts, gates, log noises) into expert rows, gate rows and the rest."""
        expert, gate = self.widths(n_features)
        cut, stop = n_experts * expert, n_experts * expert + (n_experts - 1) * gate
        experts = vector[:cut].reshape(n_experts, expert)
        return experts, vector[cut:stop].reshape(n_experts - 1, gate), vector[stop:]

    def vector(self, model):
        """All free parameters in one vector: experts, gates, log noises; see :meth:`blocks`."""
        experts, gates = self.rows(model)
        noises = model.noises
        if not self.noise_per_expert:
            noises = [self.one_noise(model)] * self.n_noises(model.n_experts)
        return np.concatenate([experts.ravel(), gates.ravel(), np.log(noises)])

    def one_noise(self, model):
        """The noise of a model that has one for all; ``ValueError`` if it has not."""
        if self.noise and np.ndim(model.noise):
            raise ValueError(
                "the model has a noise for each expert: pass free=FreeParameters("
                "noise='per-expert'), or a model with one noise"
            )
        return model.noise

    def from_vector(self, vector, like):
        """The model with these free parameters; what is not learned is taken from ``like``."""
        experts, gates, log_noises = self.blocks(vector, *like.experts.shape)
        noise = like.noise
        if self.noise:
            noise = np.exp(log_noises) if self.noise_per_expert else float(np.exp(log_noises[0]))
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

    def restricted(self, model):
        """The model without slopes on columns that its experts or its gates may not use."""
        experts, gates = self.rows(model)
        without = self.model(experts, gates, model.noise, like=model)
        same = np.array_equal(without.experts, model.experts)
        return model if same and np.array_equal(without.gates, model.gates) else without

    def model(self, experts, gates, noise, like):
        """A model with these rows and this noise; what is not learned is taken from ``like``."""
        d = like.n_features
        slopes = experts[:, :-1] if self.intercepts else experts
        gate_slopes = gates[:, :-1] if self.gate_intercepts else gates
        return GatedModel(
            spread(slopes, self.expert_columns(d), d),
            spread(gate_slopes, self.gate_columns(d), d) if self.gate_slopes else like.gates,
            noise,
            like.link,
            experts[:, -1] if self.intercepts else like.expert_intercepts,
            gates[:, -1] if self.gate_intercepts else like.gate_intercepts,
        )


def _columns(features, n_features):
    if features is None:
        return list(range(n_features))
    if not all(0 <= column < n_features for column in features):
        raise ValueError(
            f"features must be numbers of columns from 0 to {n_features - 1}, got {features}"
        )
    return list(features)


def spread(slopes, columns, n_features):
    """Slopes on some columns as slopes on all, zero on the others: (m, c) -> (m, n_features)."""
    full = np.zeros((len(slopes), n_features))
    full[:, columns] = slopes
    return full
