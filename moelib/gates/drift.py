"""What an error of the frozen experts does to the gates, to first order."""

import numpy as np

from moelib.gates.loss import gate_hessian, log_normals
from moelib.validation import as_matrix, as_sample


def gate_drift(model, X, y, direction):
    r"""Derivative of the fitted gates when the frozen experts move, the noise held fixed.

    With the experts :math:`a_i + \varepsilon \beta_i`, residuals :math:`e_j = y - g(\langle a_j,
    x\rangle)` and :math:`t_j = e_j\, g'(\langle a_j, x\rangle) \langle \beta_j, x\rangle /
    \sigma^2`, it is :math:`H^{-1} D`, where :math:`D_i = \hat E[r_i (t_i - \sum_j r_j t_j)\, x]`.

    Parameters
    ----------
    model : GatedModel
        With gates at a minimum of their loss; no intercepts.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    direction : (k, d) array
        The errors :math:`\beta_i` of the experts, in rows.

    Returns
    -------
    (k-1, d) array
        Times a small :math:`\varepsilon`, the drift of the gates.

    Raises
    ------
    ValueError
        When ``direction`` has not the shape of the experts.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=6)
    >>> X, y = model.sample(500, np.random.default_rng(0))
    >>> gate_drift(model, X, y, np.ones((3, 6))).shape
    (2, 6)

    References
    ----------
    Taught in: :ref:`ch-learning-gates`.
    """
    sample = as_sample(X, y, n_columns=model.n_features)
    beta = as_matrix(direction, "direction", n_columns=model.n_features)
    if len(beta) != model.n_experts:
        raise ValueError(f"direction must have {model.n_experts} rows, got {len(beta)}")
    scores, r = sample.X @ model.experts.T, model._posterior(sample.X, sample.y)
    residuals = sample.y[:, None] - model.link.value(scores)
    t = residuals * model.link.derivative(scores) * (sample.X @ beta.T) / model.noise**2
    move = r * (t - np.sum(r * t, axis=1, keepdims=True))
    D = move[:, :-1].T @ sample.X / len(sample)
    H = gate_hessian(model.gates, sample.X, log_normals(model, sample.X, sample.y))
    return np.linalg.solve(H, D.ravel()).reshape(D.shape)
