"""What the theory of the book assumes of a model, asked before its numbers are given.

The theory has experts without intercepts and one noise for all of them; its theorems ask for more.
A number that was derived under an assumption means nothing for a model that does not meet it.
"""

import numpy as np

ROUNDING = 1e-9  # of the lengths and the angles of a model


def _angles(model):
    """Products of gates and experts, in units of the gates' lengths where these exceed one."""
    W = model.gates
    return W @ model.experts.T / np.maximum(1, np.linalg.norm(W, axis=1, keepdims=True))


# what is looked at, and whether it is as it has to be
CONDITIONS = {
    "two experts or more": (
        lambda model: ("n_experts", model.n_experts),
        lambda k: k > 1,
    ),
    "one noise for all experts": (
        lambda model: ("noise", model.noise),
        lambda noise: np.ndim(noise) == 0,
    ),
    "experts without intercepts": (
        lambda model: ("expert_intercepts", model.expert_intercepts),
        lambda b: not np.any(b),
    ),
    "no intercepts": (
        lambda model: ("intercepts", np.append(model.expert_intercepts, model.gate_intercepts)),
        lambda b: not np.any(b),
    ),
    "unit experts": (
        lambda model: ("lengths", np.linalg.norm(model.experts, axis=1)),
        lambda lengths: np.allclose(lengths, 1, rtol=0, atol=ROUNDING),
    ),
    "linearly independent experts": (
        lambda model: ("experts", model.experts),
        lambda A: np.linalg.matrix_rank(A) == len(A),
    ),
    "gates orthogonal to all experts": (
        lambda model: ("products of gates and experts", _angles(model)),
        lambda products: np.allclose(products, 0, rtol=0, atol=ROUNDING),
    ),
}


def as_theory_model(model, *conditions, by="the theory"):
    """Return a model that meets the conditions; refuse any other.

    Parameters
    ----------
    model : GatedModel
        What the caller passed.
    *conditions : str
        Keys of ``CONDITIONS``.
    by : str
        What covers no other model, for the message.

    Returns
    -------
    GatedModel

    Raises
    ------
    ValueError
        When the model does not meet a condition.

    Examples
    --------
    >>> from moelib import GatedModel
    >>> model = GatedModel(np.eye(2), [[0.0, 0.0]], 0.1, expert_intercepts=[5.0, 0.0])
    >>> as_theory_model(model, "experts without intercepts")
    Traceback (most recent call last):
    ...
    ValueError: model must have experts without intercepts: the theory covers no other, got
    expert_intercepts [5. 0.]. Change the model, or simulate: ...
    """
    for condition in conditions:
        look, holds = CONDITIONS[condition]
        name, seen = look(model)
        if not holds(seen):
            shown = np.array2string(np.asarray(seen), precision=4, separator=" ").replace("\n", "")
            raise ValueError(
                f"model must have {condition}: {by} covers no other, got {name} {shown}. Change "
                "the model, or simulate: fit samples that model.sample draws, and see how far off "
                "the fits are"
            )
    return model
