"""What every climb returns, and how a step finds its length.

A *climb* raises an objective step by step: a log-likelihood, or minus a loss. Objectives are
larger-is-better throughout, per sample, so that histories of different methods read the same way.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from moelib.model import GatedModel
from moelib.validation import ConvergenceWarning, warn

SINGULAR = 1e-12  # eigenvalue of a matrix with unit diagonal; below, a direction is left out
NOISE_FLOOR = 1e-6  # of the labels' standard deviation: keeps the likelihood bounded


@dataclass(frozen=True, eq=False)
class Climb:
    """What a climb found.

    Attributes
    ----------
    model : GatedModel
        Where it ended.
    history : list of float
        The objective per sample at the start and after every step; larger is better.
    converged : bool
        Whether it stopped by itself, before its steps ran out.
    path : list of GatedModel
        The models that the history belongs to.
    """

    model: GatedModel
    history: list
    converged: bool
    path: list

    @property
    def objective(self):
        """The objective at the end, per sample."""
        return self.history[-1]


def backtrack(attempt, shortest, first=1.0):
    """Halve a step until an attempt succeeds.

    Parameters
    ----------
    attempt : callable
        Takes a step length; returns what it found there, or ``None`` to ask for half the step.
    shortest : float
        Steps of this length or below are not tried.
    first : float
        The first step length.

    Returns
    -------
    object or None
        What the first successful attempt returned; ``None`` if none was.

    Examples
    --------
    >>> backtrack(lambda step: step if step**2 < 0.3 else None, shortest=0.01)
    0.5
    """
    step = first
    while step > shortest:
        found = attempt(step)
        if found is not None:
            return found
        step /= 2
    return None


def warned(climb, what, max_iter):
    """The climb itself, after a warning if it has not converged, which names what did not."""
    if not climb.converged:
        warn(f"{what} did not converge in {max_iter} steps: raise max_iter", ConvergenceWarning)
    return climb


def noise_floor(sample):
    """The least noise that a climb may reach, in units of the labels of a ``Sample``."""
    variance = sample.mean((sample.y - sample.mean(sample.y)) ** 2)
    return NOISE_FLOOR * max(float(np.sqrt(variance)), np.finfo(float).tiny)


def solve_scaled(J, score, *, strict=False):
    """Solve J direction = score for a matrix that is not negative; of least norm if singular.

    The matrix is scaled to a unit diagonal before any eigenvalue is cut off.

    Parameters
    ----------
    J : (q, q) array
        Symmetric; an information or a covariance.
    score : (q,) array
        The right side.
    strict : bool
        Whether to return ``None`` where the matrix has a negative eigenvalue after all.

    Returns
    -------
    (q,) array or None

    Examples
    --------
    >>> solve_scaled(np.array([[2e16, 0.0], [0.0, 0.0]]), np.array([2e16, 0.0]))
    array([1., 0.])
    """
    if not (np.all(np.isfinite(J)) and np.all(np.isfinite(score))):
        return None if strict else np.zeros_like(score)  # nowhere to go
    size = np.sqrt(np.where(np.diag(J) > 0, np.diag(J), 1.0))
    values, vectors = eigh(J / np.outer(size, size))
    if strict and values.min(initial=0.0) < -SINGULAR:
        return None
    kept = values > SINGULAR
    return vectors[:, kept] @ (vectors[:, kept].T @ (score / size) / values[kept]) / size
