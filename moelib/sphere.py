"""Minimise L4 over a product of unit spheres: the k rows of V, each of length one.

On the spheres the empirical loss is bounded below, which it is not on all of R^{k x k}.
"""

import warnings

import numpy as np
from scipy.optimize import minimize

from moelib.moments import tensor_l4
from moelib.validation import ConvergenceWarning


def random_unit_rows(k, rng):
    """A (k, k) array of independent rows, each uniform on the unit sphere."""
    V = rng.standard_normal((k, k))
    return V / np.linalg.norm(V, axis=1, keepdims=True)


def minimize_l4_gradient(T, V, mu=0.5, max_iter=2000, tol=1e-8):
    r"""Minimise L4 over the product of unit spheres by gradient descent.

    Each step follows the gradient's tangential part and puts the rows back on their spheres;
    its length is halved until the loss falls enough, and doubled after a success.

    Parameters
    ----------
    T : (k, k, k, k) array     whitened fourth moment
    V : (k, k) array           start, unit rows
    mu : float
    max_iter : int
    tol : float                stop when the tangential gradient is shorter

    Returns
    -------
    V : (k, k) array of unit rows,  history : list of losses, never increasing

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` steps were not enough.
    """
    loss, gradient = tensor_l4(T, V, mu)
    history, step = [loss], 0.1 / max(np.abs(T).max(), np.finfo(float).tiny)
    for _ in range(max_iter):
        tangent = gradient - np.sum(gradient * V, axis=1, keepdims=True) * V
        slope = np.sum(tangent**2)
        if np.sqrt(slope) < tol:
            return V, history
        while True:
            candidate = V - step * tangent
            candidate /= np.linalg.norm(candidate, axis=1, keepdims=True)
            new_loss, new_gradient = tensor_l4(T, candidate, mu)
            if new_loss <= loss - 1e-4 * step * slope:
                break
            step /= 2
            if step * np.sqrt(slope) < 1e-15:  # no descent left at machine precision
                return V, history
        V, loss, gradient, step = candidate, new_loss, new_gradient, 2 * step
        history.append(loss)
    warnings.warn(
        f"gradient descent on L4 stopped after {max_iter} steps: raise max_iter",
        ConvergenceWarning,
        stacklevel=2,
    )
    return V, history


def minimize_l4_lbfgs(T, V, mu=0.5, max_iter=500):
    """Minimise L4 over the product of unit spheres by L-BFGS on free rows u_i, v_i = u_i / |u_i|.

    Parameters and returned values are those of :func:`minimize_l4_gradient`.
    """
    shape, history = V.shape, [tensor_l4(T, V, mu)[0]]

    def loss_and_gradient(flat):
        U = flat.reshape(shape)
        lengths = np.linalg.norm(U, axis=1, keepdims=True)
        rows = U / lengths
        loss, gradient = tensor_l4(T, rows, mu)
        tangent = gradient - np.sum(gradient * rows, axis=1, keepdims=True) * rows
        return loss, (tangent / lengths).ravel()

    result = minimize(
        loss_and_gradient,
        V.ravel(),
        jac=True,
        method="L-BFGS-B",
        callback=lambda intermediate_result: history.append(float(intermediate_result.fun)),
        options={"maxiter": max_iter, "ftol": 1e-14, "gtol": 1e-9},
    )
    if result.nit >= max_iter:
        warnings.warn(
            f"L-BFGS on L4 stopped after {max_iter} steps: raise max_iter",
            ConvergenceWarning,
            stacklevel=2,
        )
    U = result.x.reshape(shape)
    return U / np.linalg.norm(U, axis=1, keepdims=True), history
