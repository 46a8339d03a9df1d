r"""Newton's method for the gates and the noise together, with the experts frozen.

Gates and noise are coupled: in turn, one step each, they converge only linearly. So the logarithm
:math:`s = \log \sigma^2` joins the gates in one system. With :math:`t_i = \partial_s \log N_i =
(\Delta_i^2 / \sigma^2 - 1) / 2`, :math:`\Delta_i` the residual of expert i, and
:math:`\bar t = \sum_i r_i t_i`,

.. math:: \partial_s L = -\hat E[\bar t], \quad
          \partial_s^2 L = \tfrac12 + \hat E[\bar t] - \hat E[\mathrm{Var}_r(t)], \quad
          \partial_s \partial_{w_j} L = -\hat E[r_j (t_j - \bar t)\, x] .

Samples of ``LARGE`` and more do not pay for all of themselves at every step. The steps begin on
every m-th row, fewer rows first, and go on on all; there the curvature still comes from every m-th
row, the gradient and the loss from all, so that they end where they would have ended. Every m-th
row is taken for a fair sample of all: rows in an order with a period make a poorer start.

Here samples are columns: the arrays that have a row for each expert are (k, n).
"""

from dataclasses import dataclass

import numpy as np

from moelib.climb import backtrack
from moelib.data.batches import row_blocks
from moelib.gates.loss import _solve, _solve_damped, covariance_hessian, penalty

LARGE = 100_000  # samples; with fewer, every step looks at all of them
STAGES = (32, 128, 512)  # samples for each parameter, at first and for the curvature at last


@dataclass(frozen=True, eq=False)
class Frozen:
    """Samples as frozen experts see them.

    Attributes
    ----------
    X : (n, d) array
        Inputs.
    squares : (k, n) array
        Squared residuals of every expert.
    weights : (n,) array or None
        How much each sample counts, of mean one.
    ridge : float
        Weight of the penalty on the gates.
    """

    X: np.ndarray
    squares: np.ndarray
    weights: np.ndarray | None
    ridge: float

    def mean(self, values):
        """Mean over the samples, the last axis, weighted if there are weights."""
        return np.average(values, axis=-1, weights=self.weights)

    def every(self, m):
        """Every m-th sample, the weights again of mean one."""
        if m == 1:
            return self
        weights = None if self.weights is None else self.weights[::m] / self.weights[::m].mean()
        return Frozen(self.X[::m].copy(), self.squares[:, ::m].copy(), weights, self.ridge)


@dataclass(frozen=True, eq=False)
class Place:
    """Gates W and a variance, the loss there, and probabilities before and after the label.

    Attributes
    ----------
    W : (k-1, d) array
        Gates.
    variance : float
        Of the noise.
    loss : float
        In nats per sample.
    p, r : (k, n) array
        The gate's probabilities and the posterior.
    """

    W: np.ndarray
    variance: float
    loss: float
    p: np.ndarray
    r: np.ndarray


def place(frozen, W, variance):
    """Look at the samples from gates W and a variance: a ``Place``."""
    k, n = frozen.squares.shape
    p, r, fit = np.empty((k, n)), np.empty((k, n)), np.empty(n)
    for block in row_blocks(n):
        scores = np.vstack([W @ frozen.X[block].T, np.zeros(len(fit[block]))])
        joint = scores - 0.5 * (frozen.squares[:, block] / variance + np.log(2 * np.pi * variance))
        p[:, block], before = _softmax(scores)
        r[:, block], after = _softmax(joint)
        fit[block] = after - before
    return Place(W, variance, penalty(W, frozen.ridge) - float(frozen.mean(fit)), p, r)


def gradient(frozen, at):
    """Gradient of the loss in the gates, row by row, and the log-variance: ((k-1) d + 1,)."""
    excess = _weighted((at.r - at.p)[:-1], frozen.weights)
    in_gates = frozen.ridge * at.W - excess @ frozen.X / len(frozen.X)
    mean_t = 0.5 * (_squares_left(frozen, at) / at.variance - 1)
    return np.append(in_gates, -mean_t)


def hessian(frozen, at, every=1):
    """Hessian of the loss in the same coordinates, from every so-manieth sample of a place."""
    few, p, r = frozen.every(every), at.p[:, ::every], at.r[:, ::every]
    t = 0.5 * (few.squares / at.variance - 1)
    mean_t = np.sum(r * t, axis=0)
    apart = r * (t - mean_t)
    cross = -_weighted(apart[:-1], few.weights) @ few.X / len(few.X)
    own = 0.5 + few.mean(mean_t - np.sum(apart * t, axis=0))
    gates = covariance_hessian(p.T, few.X, few.weights, few.ridge, less=r.T)
    return np.block([[gates, cross.reshape(-1, 1)], [cross.reshape(1, -1), np.array([[own]])]])


def step_together(frozen, at, *, learn_noise=True, floor=0.0, every=1):
    """One Newton step in gates and noise; where their loss is not convex, one after the other.

    Parameters
    ----------
    frozen : Frozen
        The samples.
    at : Place
        Where the step starts.
    learn_noise : bool
        Whether the variance moves.
    floor : float
        The least variance.
    every : int
        The curvature comes from every so-manieth sample.

    Returns
    -------
    Place
        With a loss that is not larger.
    """
    slope, curvature = gradient(frozen, at), hessian(frozen, at, every)
    if learn_noise and (at.variance > floor or slope[-1] < 0):
        direction = _solve(curvature, slope)
        found = None if direction is None else _descend(frozen, at, direction, slope, floor)
        if found is not None:
            return found
    in_gates = _solve(curvature[:-1, :-1], slope[:-1])
    if in_gates is None:
        few = frozen.every(every)
        prior = covariance_hessian(at.p[:, ::every].T, few.X, few.weights, few.ridge)
        in_gates = _solve_damped(prior, slope[:-1])
    found = _descend(frozen, at, np.append(in_gates, 0.0), slope, floor) or at
    if not learn_noise:
        return found
    return place(frozen, found.W, max(_squares_left(frozen, found), floor))


def climb_together(frozen, at, *, max_iter, tol, every=1, **options):
    """Newton steps from a ``Place``, until one gains less than ``tol``.

    Returns
    -------
    found : list of (W, variance, loss)
        At the start and after every step.
    converged : bool
        Whether the steps were enough.
    """
    found = [(at.W, at.variance, at.loss)]
    for _ in range(max_iter):
        at = step_together(frozen, at, every=every, **options)
        found.append((at.W, at.variance, at.loss))
        if found[-2][-1] - at.loss < tol:
            return found, True
    return found, False


def climb_in_stages(frozen, W, variance, *, max_iter, tol, **options):
    """The same; on large samples the first step of all is what every m-th row has found."""
    n, n_parameters = len(frozen.X), W.size + 1
    first = place(frozen, W, variance)
    if n < LARGE:
        return climb_together(frozen, first, max_iter=max_iter, tol=tol, **options)
    strides = [max(n // (per_parameter * n_parameters), 1) for per_parameter in STAGES]
    for stride in strides:
        if stride > 1:
            few = frozen.every(stride)
            enough = max(tol, 0.1 * n_parameters / len(few.X))  # a fifth of its sampling error
            start = place(few, W, variance)
            stage, _ = climb_together(few, start, max_iter=max_iter, tol=enough, **options)
            W, variance, _ = stage[-1]
    begun = place(frozen, W, variance)
    best = begun if begun.loss < first.loss else first
    options |= dict(max_iter=max_iter, tol=tol, every=strides[-1])
    found, converged = climb_together(frozen, best, **options)
    return [(first.W, first.variance, first.loss), *found], converged


def _descend(frozen, at, direction, slope, floor):
    """Along minus a direction, halved until the loss falls; ``None`` if it never does."""
    downhill = slope @ direction
    rounding = np.finfo(float).eps * abs(at.loss)  # near a minimum, where no fall can be seen

    def attempt(step):
        W = at.W - step * direction[:-1].reshape(at.W.shape)
        variance = at.variance * np.exp(-step * direction[-1])
        new = place(frozen, W, max(float(variance), floor))
        return new if new.loss <= at.loss - 1e-4 * step * downhill + rounding else None

    first = 1 / max(1.0, abs(direction[-1]))  # the variance at most e-fold, up or down
    return backtrack(attempt, shortest=1e-10, first=first)


def _squares_left(frozen, at):
    """Mean squared residual under the posterior: what EM makes of the variance."""
    return float(frozen.mean(np.einsum("in,in->n", at.r, frozen.squares)))


def _softmax(scores):
    """Softmax over the rows of (k, n), and the logarithm of its sum of exponentials, (n,)."""
    top = scores.max(axis=0)
    powers = np.exp(scores - top)
    total = powers.sum(axis=0)
    return powers / total, top + np.log(total)


def _weighted(values, weights):
    """Columns of values times their weights, if there are any."""
    return values if weights is None else values * weights
