r"""L4 on a product of unit spheres, the k rows of V in R^r: its derivatives and its minimisers.

After the reduction r = k. On the spheres the empirical loss is bounded below, which it is not on
all of R^{k x r}. The sample form, which needs no tensor, is :func:`moelib.l4_loss`.
"""

import numpy as np
from scipy.optimize import minimize

from moelib.data.arrays import as_floats
from moelib.validation import ConvergenceWarning, as_choice, as_count, as_generator, warn


def random_unit_rows(k, rng, r=None):
    """A (k, r) array of independent rows, each uniform on the unit sphere; r is k if not given."""
    k, r = as_count(k, "k"), as_count(k if r is None else r, "r")
    V = as_generator(rng).standard_normal((k, r))
    return V / np.linalg.norm(V, axis=1, keepdims=True)


def tensor_l4(T, V, mu):
    r"""The quartic part of L4 for a symmetric tensor, and its gradient.

    .. math:: \sum_{i \ne j} T[v_i, v_i, v_j, v_j] - \mu \sum_i T[v_i, v_i, v_i, v_i]

    Parameters
    ----------
    T : (r, r, r, r) array
        Symmetric in its four axes.
    V : (k, r) array
        Candidate experts.
    mu : float
        Weight of the diagonal term of L4.

    Returns
    -------
    loss : float
        Value of L4.
    gradient : (k, r) array
        Its gradient.

    Examples
    --------
    >>> T = np.zeros((2, 2, 2, 2)); T[0, 0, 0, 0] = T[1, 1, 1, 1] = 2.0
    >>> loss, gradient = tensor_l4(T, np.eye(2), mu=0.5)
    >>> loss
    -2.0
    """
    T, V = as_floats(T, V)
    k, r = V.shape
    squares = (V[:, :, None] * V[:, None, :]).reshape(k, r * r)
    slices = (squares @ T.reshape(r * r, r * r)).reshape(k, r, r)  # T[v_i, v_i, ., .]
    all_slices = V @ slices.sum(axis=0)  # sum_j T[v_j, v_j, v_i, .]
    own_slices = np.einsum("iab,ib->ia", slices, V)
    difference = all_slices - (1 + mu) * own_slices
    return float(np.sum(V * difference)), 4 * difference


def tangent_basis(V):
    """Orthonormal bases of the planes orthogonal to each row: (..., k, r) to (..., k, r, r - 1).

    A reflection maps the first axis to plus or minus the row; the other axes go to the basis.
    """
    w = np.array(V, dtype=float)
    w[..., 0] += np.where(w[..., 0] < 0, -1.0, 1.0)
    outer = w[..., :, None] * w[..., None, 1:]
    return np.eye(w.shape[-1])[:, 1:] - 2 * outer / np.sum(w**2, axis=-1)[..., None, None]


def move(V, x, basis=None):
    """Unit rows after a step x (..., k (r-1)) in the tangent basis: add, go back to the spheres."""
    basis = tangent_basis(V) if basis is None else basis
    k, q = V.shape[-2], V.shape[-1] - 1
    step = np.einsum("...kaq,...kq->...ka", basis, np.reshape(x, (*np.shape(x)[:-1], k, q)))
    return (V + step) / np.linalg.norm(V + step, axis=-1, keepdims=True)


def derivatives(T, V, mu, basis=None):
    r"""Value, Riemannian gradient and Riemannian Hessian of L4 on the product of spheres.

    With the Euclidean gradient :math:`G_i` and Hessian blocks :math:`H_{ij}` of L4 and a tangent
    basis :math:`B_i` for each row, they are :math:`B_i^\top G_i` and
    :math:`B_i^\top H_{ij} B_j - [i = j] \langle G_i, v_i\rangle I`, where

    .. math:: G_i &= 4 \sum_j T[v_j, v_j, v_i, \cdot] - 4 (1 + \mu) T[v_i, v_i, v_i, \cdot], \\
              H_{ij} &= 8\, T[v_i, v_j, \cdot, \cdot] \quad (i \ne j), \\
              H_{ii} &= 4 \sum_j T[v_j, v_j, \cdot, \cdot]
                        - (4 + 12 \mu)\, T[v_i, v_i, \cdot, \cdot] .

    Parameters
    ----------
    T : (r, r, r, r) array
        Symmetric in its four axes.
    V : (..., k, r) array
        Unit rows.
    mu : float
        Weight of the diagonal term of L4.
    basis : (..., k, r, r - 1) array, optional
        Tangent basis at V; made from V if not given.

    Returns
    -------
    value : (...) array
        Value of L4.
    gradient : (..., k (r-1)) array
        Its gradient in the tangent basis.
    hessian : (..., k (r-1), k (r-1)) array
        Its Hessian in the tangent basis.

    Notes
    -----
    Taught in: :ref:`ch-landscape`.

    Examples
    --------
    >>> T = np.zeros((2, 2, 2, 2)); T[0, 0, 0, 0] = T[1, 1, 1, 1] = 2.0
    >>> value, gradient, hessian = derivatives(T, np.eye(2), mu=0.5)
    >>> np.diag(hessian)          # 4 (2 + 0.5 * 2), twice
    array([12., 12.])
    """
    T, V, B = as_floats(T, V, tangent_basis(V) if basis is None else basis)
    k, r = V.shape[-2:]
    pairs = V[..., :, None, :, None] * V[..., None, :, None, :]
    slices = (pairs.reshape(*V.shape[:-2], k * k, r * r) @ T.reshape(r * r, r * r)).reshape(
        *V.shape[:-2], k, k, r, r
    )  # T[v_i, v_j, ., .]
    rows = np.arange(k)
    own = slices[..., rows, rows, :, :]
    total = own.sum(axis=-3)
    difference = np.einsum("...ab,...ib->...ia", total, V)
    difference -= (1 + mu) * np.einsum("...iab,...ib->...ia", own, V)
    along = np.sum(difference * V, axis=-1)
    gradient = np.einsum("...iaq,...ia->...iq", B, 4 * difference)
    blocks = 8 * slices
    blocks[..., rows, rows, :, :] = 4 * total[..., None, :, :] - (4 + 12 * mu) * own
    hessian = np.swapaxes(B, -1, -2)[..., :, None, :, :] @ blocks @ B[..., None, :, :, :]
    hessian[..., rows, rows, :, :] -= 4 * along[..., None, None] * np.eye(r - 1)
    hessian = np.moveaxis(hessian, -2, -3).reshape(*V.shape[:-2], k * (r - 1), k * (r - 1))
    return along.sum(axis=-1), gradient.reshape(*V.shape[:-2], -1), hessian


def minimize_l4_gradient(T, V, mu=0.5, *, max_iter=2000, tol=1e-8):
    r"""Minimise L4 over the product of unit spheres by gradient descent.

    Each step follows the gradient's tangential part and puts the rows back on their spheres; its
    length is halved until the loss falls enough and the slope along the step has not turned to
    more than half of its size, uphill; it is doubled after a success. Without the second condition
    steps of nearly twice the right length pass, and descent bounces from wall to wall.

    Parameters
    ----------
    T : (r, r, r, r) array
        Symmetric in its four axes; the whitened fourth moment, then r = k.
    V : (k, r) array
        Start, unit rows.
    mu : float
        Weight of the diagonal term of L4.
    max_iter : int
        Most steps.
    tol : float
        Stop when the tangential gradient is shorter than this.

    Returns
    -------
    V : (k, r) array
        The end, in unit rows.
    losses : list of float
        The loss at the start and after every step, never increasing.

    Warns
    -----
    ConvergenceWarning
        When ``max_iter`` steps were not enough.
    """
    T, V = as_floats(T, V)
    loss, gradient = tensor_l4(T, V, mu)
    tangent = _tangential(gradient, V)
    losses, step = [loss], 0.1 / max(np.abs(T).max(), np.finfo(float).tiny)
    for _ in range(max_iter):
        slope = np.sum(tangent**2)
        if np.sqrt(slope) < tol:
            return V, losses
        while True:
            candidate = V - step * tangent
            candidate /= np.linalg.norm(candidate, axis=1, keepdims=True)
            new_loss, gradient = tensor_l4(T, candidate, mu)
            new_tangent = _tangential(gradient, candidate)
            falls = new_loss <= loss - 1e-4 * step * slope
            if falls and np.sum(tangent * new_tangent) >= -slope / 2:
                break
            step /= 2
            if step * np.sqrt(slope) < 1e-15:  # no descent left at machine precision
                return V, losses
        V, loss, tangent, step = candidate, new_loss, new_tangent, 2 * step
        losses.append(loss)
    message = f"gradient descent on L4 stopped after {max_iter} steps: raise max_iter"
    warn(message, ConvergenceWarning)
    return V, losses


def minimize_l4_lbfgs(T, V, mu=0.5, *, max_iter=500):
    """Minimise L4 over the product of unit spheres by L-BFGS on free rows u_i, v_i = u_i / |u_i|.

    The loss does not see the lengths |u_i|, so nothing holds them, while the curvature in u_i
    falls as 1 / |u_i|^2: left alone, a row can grow until L-BFGS hardly moves it. When a length
    leaves [1/4, 4] all rows go back to length one, and L-BFGS starts again from there.

    Returned values are those of :func:`minimize_l4_gradient`.

    Parameters
    ----------
    T : (r, r, r, r) array
        As in :func:`minimize_l4_gradient`.
    V : (k, r) array
        Start, unit rows.
    mu : float
        Weight of the diagonal term of L4.
    max_iter : int
        Most steps.
    """
    T, V = as_floats(T, V)
    shape, losses, steps = V.shape, [tensor_l4(T, V, mu)[0]], 0

    def loss_and_gradient(flat):
        U = flat.reshape(shape)
        lengths = np.linalg.norm(U, axis=1, keepdims=True)
        rows = U / lengths
        loss, gradient = tensor_l4(T, rows, mu)
        return loss, (_tangential(gradient, rows) / lengths).ravel()

    def is_stretched(flat):
        lengths = np.linalg.norm(flat.reshape(shape), axis=1)
        return lengths.max() > 4 or lengths.min() < 1 / 4

    def record(intermediate_result):
        losses.append(float(intermediate_result.fun))
        if is_stretched(intermediate_result.x):
            raise StopIteration

    while True:
        result = minimize(
            loss_and_gradient,
            V.ravel(),
            jac=True,
            method="L-BFGS-B",
            callback=record,
            options={"maxiter": max_iter - steps, "ftol": 1e-14, "gtol": 1e-9},
        )
        steps += result.nit
        U = result.x.reshape(shape)
        V = U / np.linalg.norm(U, axis=1, keepdims=True)
        if steps >= max_iter or not is_stretched(result.x):
            break
    if steps >= max_iter:
        warn(f"L-BFGS on L4 stopped after {max_iter} steps: raise max_iter", ConvergenceWarning)
    return V, losses


SOLVERS = {"lbfgs": minimize_l4_lbfgs, "gradient": minimize_l4_gradient}


def best_of_starts(T, starts, mu=0.5, *, solver="lbfgs"):
    """Minimise L4 from several starts and keep the run that ends lowest.

    Parameters
    ----------
    T : (r, r, r, r) array
        Symmetric in its four axes.
    starts : iterable of (k, r) arrays
        Starts, in unit rows.
    mu : float
        Weight of the diagonal term of L4.
    solver : {"lbfgs", "gradient"}
        How to descend: :func:`minimize_l4_lbfgs` or :func:`minimize_l4_gradient`.

    Returns
    -------
    V : (k, r) array
        The lowest end, in unit rows; the first of equals.
    losses : list of float
        The losses on the way there.

    Examples
    --------
    >>> T = np.zeros((2, 2, 2, 2)); T[0, 0, 0, 0], T[1, 1, 1, 1] = 3.0, 2.0
    >>> starts = [random_unit_rows(1, np.random.default_rng(seed), 2) for seed in range(5)]
    >>> V, losses = best_of_starts(T, starts)  # of one row: at the larger weight
    >>> round(losses[-1], 6)
    -1.5
    """
    run = SOLVERS[as_choice(solver, "solver", list(SOLVERS))]
    (T,), starts = as_floats(T), list(starts)
    if not starts:
        raise ValueError("starts must have at least one start, got none")
    return min((run(T, V, mu) for V in starts), key=lambda found: found[1][-1])


def _tangential(gradient, V):
    """The part of a gradient (k, r) that is orthogonal to each row of V."""
    return gradient - np.sum(gradient * V, axis=1, keepdims=True) * V
