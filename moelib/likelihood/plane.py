"""Two experts in a plane: where climbs end that start at all pairs of angles, run side by side."""

import numpy as np
from scipy.special import expit

from moelib.validation import as_choice, as_sample, as_vector

STEPS = {"em": 60, "gradient-em": 300}
NEAR = 0.3  # no entry of an expert is further than this from its true one
FLOOR = 1e-12  # added to the curvature of an expert whom no sample belongs to


def optima_reached(truth, X, y, angles, *, solver="em", n_steps=None):
    r"""Which optimum two experts reach, by the angles where they start.

    A start has its experts at :math:`\cos\varphi\, a_1 + \sin\varphi\, a_2`, an indifferent gate,
    and the true noise, which is held.

    Parameters
    ----------
    truth : GatedModel
        Two experts with the linear link.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    angles : (m,) array
        In degrees; each expert starts at each of them.
    solver : {"em", "gradient-em"}
        How to climb: weighted least squares for the experts and a step on the gate of the length
        that the bound 1/4 on its curvature allows, or one gradient step on both, as in
        :func:`moelib.gradient_em`.
    n_steps : int, optional
        How many steps. Default: 60 and 300.

    Returns
    -------
    ends : (m, m) int array
        By the angle of the first expert and that of the second: 0 where each ends at the true one
        of its own number, 1 where they end exchanged, 2 elsewhere.

    Raises
    ------
    ValueError
        When there are not two experts, their link is not linear, or each has a noise of its own.

    Examples
    --------
    >>> from moelib import standard_model
    >>> truth = standard_model(d=3, n_experts=2)
    >>> X, y = truth.sample(300, np.random.default_rng(0))
    >>> optima_reached(truth, X, y, [10, 80])
    array([[2, 0],
           [1, 2]])

    References
    ----------
    Taught in: :ref:`ch-likelihood-and-em`.
    """
    if truth.n_experts != 2 or truth.link.name != "identity":
        what = f"{truth.n_experts} with the link {truth.link.name!r}"
        raise ValueError(f"truth must have 2 experts with the link 'identity', got {what}")
    if np.ndim(truth.noise):
        raise ValueError(f"truth must have one noise for both experts, got {truth.noise}")
    sample = as_sample(X, y, n_columns=truth.n_features)
    turn = np.radians(as_vector(angles, "angles"))[:, None]
    circle = np.cos(turn) * truth.experts[0] + np.sin(turn) * truth.experts[1]
    m = len(circle)
    starts = np.repeat(circle, m, axis=0), np.tile(circle, (m, 1))
    exact = as_choice(solver, "solver", list(STEPS)) == "em"
    found = _climb(sample.X, sample.y, truth.noise, starts, exact, n_steps or STEPS[solver])
    own, exchanged = (_near(found, order) for order in (truth.experts, truth.experts[::-1]))
    return np.where(own, 0, np.where(exchanged, 1, 2)).reshape(m, m)


def _climb(X, y, noise, pair, exact, n_steps):
    """Where s climbs end, as a pair of experts (s, d); their gates are zero at first.

    Both experts go through the same operations, so that equal ones stay equal to the last digit.
    """
    n, d = X.shape
    squares, second = X[:, :, None] * X[:, None], X.T @ X / n
    top = np.linalg.eigvalsh(second)[-1] * np.eye(d)
    gates, gate_curvature = np.zeros_like(pair[0]), second / 4 if exact else top / 2
    for _ in range(n_steps):
        scores, residuals = gates @ X.T, [y - a @ X.T for a in pair]
        r = expit(scores + (residuals[1] ** 2 - residuals[0] ** 2) / (2 * noise**2))
        moved = []
        for a, q, residual in zip(pair, (r, 1 - r), residuals):
            curvature = np.tensordot(q, squares, 1) / n + FLOOR * np.eye(d) if exact else top
            slope = (q * residual) @ X / n
            moved.append(a + np.linalg.solve(curvature, slope[..., None])[..., 0])
        pair = moved
        gates = gates + np.linalg.solve(gate_curvature, X.T @ (r - expit(scores)).T / n).T
    return pair


def _near(pair, experts):
    return np.all([np.abs(a - b).max(axis=1) < NEAR for a, b in zip(pair, experts)], axis=0)
