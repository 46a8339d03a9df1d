"""Where a climb has stopped: is it a minimum of its loss, a saddle, or nowhere in particular?

A certificate is a gradient near zero and the eigenvalues of the Hessian, all of them positive at
a strict local minimum. The gates' last row is zero, so no direction is flat by symmetry.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from moelib._extras import load
from moelib.climb import backtrack
from moelib.likelihood.descent import learned_noise, refuse_other_designs
from moelib.parameters import FreeParameters
from moelib.validation import as_choice, as_sample

LOSSES = ["likelihood", "least-squares"]


@dataclass(frozen=True, eq=False)
class StationaryPoint:
    """What is known of a loss at one point.

    Attributes
    ----------
    loss : float
        Loss per sample.
    gradient_norm : float
        Euclidean norm of the gradient.
    eigenvalues : (q,) array
        Eigenvalues of the Hessian, smallest first.
    """

    loss: float
    gradient_norm: float
    eigenvalues: np.ndarray

    @property
    def is_strict_minimum(self):
        """Whether the gradient is zero to 1e-8 and every curvature exceeds 1e-8."""
        return bool(self.gradient_norm < 1e-8 and self.eigenvalues[0] > 1e-8)


def certify(model, X, y, *, loss="likelihood", free=FreeParameters()):
    """Gradient and Hessian spectrum of a loss at a model.

    Parameters
    ----------
    model : GatedModel
        Where to look.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    loss : {"likelihood", "least-squares"}
        The negative log-likelihood, or the squared error.
    free : FreeParameters
        The parameters that count; squared error has no noise.

    Returns
    -------
    StationaryPoint

    Notes
    -----
    Derivatives are torch's, exact to rounding. Memory grows as n times the number of parameters.
    Taught in: :ref:`ch-likelihood-and-em`.

    Examples
    --------
    >>> from moelib import standard_model
    >>> model = standard_model(d=3, n_experts=2)
    >>> X, y = model.sample(500, np.random.default_rng(0))
    >>> bool(certify(model, X, y).eigenvalues[0] > 0)
    True
    """
    vector, value, derivatives = _loss_of(model, X, y, loss, free)
    gradient, hessian = derivatives(vector)
    return StationaryPoint(
        value(vector), float(np.linalg.norm(gradient)), np.linalg.eigvalsh(hessian)
    )


def polish(model, X, y, *, loss="likelihood", free=FreeParameters(), max_iter=50, tol=1e-10):
    """Newton's method from a point near a minimum, until the gradient is below ``tol``.

    Parameters
    ----------
    model : GatedModel
        Where to start.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    loss : {"likelihood", "least-squares"}
        As in :func:`certify`.
    free : FreeParameters
        As in :func:`certify`.
    max_iter : int
        Most Newton steps.
    tol : float
        Stop when the norm of the gradient is below this.

    Returns
    -------
    GatedModel
        Where Newton's method stopped; certify it.

    Notes
    -----
    Eigenvalues count with their absolute value, so that a step never climbs, and a step that does
    not lower the loss is halved.
    """
    vector, value, derivatives = _loss_of(model, X, y, loss, free)
    for _ in range(max_iter):
        gradient, hessian = derivatives(vector)
        if np.linalg.norm(gradient) < tol:
            break
        values, vectors = np.linalg.eigh(hessian)
        size = np.maximum(np.abs(values), 1e-10 * np.abs(values).max())
        direction = vectors @ ((vectors.T @ gradient) / size)
        moved = backtrack(partial(_descended, value, vector, direction), shortest=1e-8)
        if moved is None:
            break
        vector = moved
    return free.from_vector(vector, like=model)


def _descended(value, vector, direction, step):
    """The vector after a step along -direction; None where the loss would rise."""
    moved = vector - step * direction
    return moved if value(moved) <= value(vector) + 1e-14 else None


def _loss_of(model, X, y, loss, free):
    """The parameters as a vector, the loss of a vector, and its gradient and Hessian."""
    torch = load("torch", "moelib.likelihood.certificates")
    from moelib.losses import least_squares_loss, log_loss

    as_choice(loss, "loss", LOSSES)
    if loss == "least-squares" and free.noise:
        raise ValueError("squared error has no noise: pass free=FreeParameters(noise=False)")
    refuse_other_designs(free)
    sample = as_sample(X, y, n_columns=model.n_features)
    design, labels = torch.tensor(free.expert_design(sample.X)), torch.tensor(sample.y)

    def function(theta):
        A, W, s = free.blocks(theta, *model.experts.shape)
        if loss == "least-squares":
            return least_squares_loss(A, W, design, labels, link=model.link)
        return log_loss(A, W, learned_noise(s, free, model), design, labels, link=model.link)

    def value(v):
        with torch.no_grad():
            return function(torch.tensor(v)).item()

    def derivatives(v):
        theta = torch.tensor(v)
        gradient = torch.func.grad(function)(theta)
        return gradient.numpy(), torch.autograd.functional.hessian(function, theta).numpy()

    return free.vector(model), value, derivatives
