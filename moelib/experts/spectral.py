r"""The spectral method: whiten a moment of order 3 or 4, take it apart by the power method.

With a transform of order m, :math:`E[Q_m(y)\, S_m(x)] = c_m \sum_i \pi_i a_i^{\otimes m}`. Whitened
by the second moment it is :math:`\sum_i \pi_i^{1 - m/2} u_i^{\otimes m}` with orthonormal
:math:`u_i`, whose power iteration :math:`v \leftarrow T[v, \dots, v, \cdot]`, scaled to length one,
has no attractors but the :math:`\pm u_i`. Order 3 is odd: the signs come along. Order 4 takes the
very tensor that L4 is minimised on, so the two differ in nothing but how they take it apart.
"""

from functools import reduce

import numpy as np

from moelib.data.arrays import as_floats
from moelib.data.batches import one_batch, row_blocks
from moelib.experts.l4 import random_unit_rows
from moelib.experts.learn import ExpertFit, whitened_fourth
from moelib.experts.reduction import reduce_checked, whiten
from moelib.experts.signs import first_moment_signs
from moelib.experts.transforms import label_transform
from moelib.validation import as_choice, as_count, as_generator, as_sample

ORDERS = (3, 4)


def learn_experts_spectral(
    X,
    y,
    n_experts,
    rng,
    *,
    order=3,
    link="identity",
    noise=None,
    n_init=10,
    transforms="polynomial",
    truncate=None,
    sample_weight=None,
):
    r"""Recover the experts from the third or fourth moment, by whitening and the power method.

    Parameters
    ----------
    X : (n, d) array
        Inputs, standard normal.
    y : (n,) array
        Labels.
    n_experts : int
        Number of experts k, at most d.
    rng : numpy.random.Generator
        For the starts of the power method.
    order : {3, 4}
        Which moment: the third, or the fourth as :func:`moelib.learn_experts` makes it.
    link : str, callable or Link
        The link :math:`g`.
    noise : float, optional
        Standard deviation; read off the labels if not given.
    n_init : int
        Random starts for each expert.
    transforms : {"polynomial", "optimal", "in-span"}
        Which label transforms to use, see :func:`moelib.label_transform`.
    truncate : float, optional
        For order 4: shorten the tails, see :class:`moelib.Moments`.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    ExpertFit
        Its losses are minus the sum of the eigenvalues :math:`T[v, \dots, v]` found, its history
        their sum so far. Signs come from the third moment itself, or, at order 4, which has none,
        from the first moment.

    Raises
    ------
    ValueError
        When ``n_experts > d``, or the link has no transform of order 2 or of the order asked for
        (an even one has none of order 3), or ``truncate`` is given for order 3.

    Notes
    -----
    Assumes (G), (U), (O), as :func:`moelib.learn_experts` does.
    Taught in: :ref:`ch-learning-experts`.

    References
    ----------
    Chaganty & Liang (2013); Anandkumar, Ge, Hsu, Kakade & Telgarsky (2014).

    Examples
    --------
    >>> from moelib import regressor_error, standard_model
    >>> model = standard_model(d=6)
    >>> X, y = model.sample(20_000, np.random.default_rng(0))
    >>> fits = [learn_experts_spectral(X, y, 3, np.random.default_rng(1), order=m) for m in (3, 4)]
    >>> [bool(regressor_error(fit.experts, model.experts) < 0.1) for fit in fits]
    [True, True]
    """
    sample = as_sample(X, y, sample_weight)
    options = dict(link=link, noise=noise, n_init=n_init, transforms=transforms)
    return spectral_from_sample(sample, n_experts, rng, order=order, truncate=truncate, **options)


def spectral_from_sample(
    sample,
    n_experts,
    rng,
    *,
    order=3,
    link="identity",
    noise=None,
    n_init=10,
    transforms="polynomial",
    truncate=None,
):
    """What :func:`learn_experts_spectral` does, for a :class:`~moelib.validation.Sample`."""
    rng, order = as_generator(rng), as_choice(order, "order", ORDERS)
    n_init = as_count(n_init, "n_init")
    make = _whitened_third if order == 3 else whitened_fourth
    options = dict(link=link, noise=noise, transforms=transforms)
    if truncate is not None:
        if order == 3:
            raise ValueError("truncate needs order=4: the third moment is not truncated")
        options["truncate"] = truncate
    reduction, tensor = make(one_batch(sample), n_experts, **options)
    directions, history = power_method(tensor, rng, n_init=n_init)
    experts = reduction.experts(directions)
    if order == 4:
        experts *= first_moment_signs(experts, reduction.mean_yx, link=link)[:, None]
    return ExpertFit(
        experts=experts,
        reduction=reduction,
        tensor=tensor,
        directions=directions,
        loss=-history[-1],
        losses=-np.array(history[-1:]),
        starts=directions[None],
        history=history,
    )


def _whitened_third(batches, n_experts, *, link, noise, transforms):
    """The reduction and the whitened third moment, from one batch that has been checked."""
    reduction = reduce_checked(batches, n_experts, link=link, noise=noise, transforms=transforms)
    made_for = reduction.transforms.noise
    transform = label_transform(3, link, made_for, kind=transforms, dimension=n_experts)
    ((X, y, *weights),) = batches()
    moment = third_moment(X, y / reduction.scale, transform, reduction.basis, *weights)
    return reduction, whiten(moment, reduction.eigenvalues)


def third_moment(X, y, transform, basis, weights=None):
    r"""The (r, r, r) tensor :math:`\hat E[(Q_3 - \bar Q_3)\, S_3(B^\top x)] / c_3`.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    transform : LabelTransform
        A label transform of order 3.
    basis : (d, r) array
        Orthonormal columns.
    weights : (n,) array, optional
        Weights of the samples, of mean one.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((100_000, 2))
    >>> T = third_moment(X, X[:, 0], label_transform(3, noise=0.0), np.eye(2))
    >>> bool(abs(T[0, 0, 0] - 1) < 0.1)
    True
    """
    q = transform(y) / transform.c
    q = (q - np.average(q, weights=weights)) / len(q)
    q = q if weights is None else q * weights
    r = basis.shape[1]
    cubic, linear = np.zeros((r * r, r)), np.zeros(r)
    for block in row_blocks(len(X)):
        z = X[block] @ basis
        weighted = z * q[block, None]
        cubic += (z[:, :, None] * z[:, None, :]).reshape(len(z), r * r).T @ weighted
        linear += weighted.sum(axis=0)
    identity = np.eye(r)
    T = cubic.reshape(r, r, r)
    for outer in ("ab,c->abc", "ac,b->abc", "bc,a->abc"):
        T = T - np.einsum(outer, identity, linear)
    return T


def power_method(T, rng, *, n_init=10, n_iter=30, tol=1e-12):
    r"""Take a nearly orthogonal tensor :math:`\sum_m \lambda_m u_m^{\otimes p}`, p = 3, 4, apart.

    For one vector after the other: iterate from ``n_init`` random starts, keep the largest
    :math:`T[v, \dots, v]`, iterate on, and subtract :math:`T[v, \dots, v]\, v^{\otimes p}`.

    At order 4 a negative eigenvalue would attract as a positive one does. So the map is shifted by
    a multiple of v, just enough that each step climbs :math:`T[v, v, v, v]`: by three times the
    lowest eigenvalue of :math:`T[v, v, \cdot, \cdot]` where that is negative, hence not at all once
    noise is small. There each vector is also iterated on the whole tensor, so that no error of
    those before it stays in it; should that take it more than 45 degrees away, to one that has been
    found, it is left as it was.

    Parameters
    ----------
    T : (k, k, k) or (k, k, k, k) array
        Symmetric in its axes.
    rng : numpy.random.Generator
        Source of randomness.
    n_init, n_iter : int
        Starts for each vector, and iterations of each start.
    tol : float
        Change at which the last iterations stop.

    Returns
    -------
    V : (k, k) array
        Unit rows, as a rule the largest eigenvalue first.
    history : list of float
        Sum of the eigenvalues found so far, after each of them.

    References
    ----------
    The robust tensor power method of Anandkumar, Ge, Hsu, Kakade & Telgarsky (2014); the shift is
    that of Kolda & Mayo (2014).

    Examples
    --------
    >>> T = np.zeros((2, 2, 2)); T[0, 0, 0], T[1, 1, 1] = 3.0, -2.0
    >>> power_method(T, np.random.default_rng(0))[0].round(6) + 0.0
    array([[ 1.,  0.],
           [ 0., -1.]])
    """
    (T,), rng, n_init = as_floats(T), as_generator(rng), as_count(n_init, "n_init")
    found: list = []
    history: list = []
    rest, fourth = T, T.ndim == 4
    for _ in range(len(T)):
        V = random_unit_rows(n_init, rng, len(T))
        for _ in range(n_iter):
            V = _step(rest, V)
        v = V[np.argmax(_applied(rest, V, rest.ndim))]
        v = _iterate(rest, v, 10 * n_iter, tol)
        if fourth:
            polished = _iterate(T, v, 10 * n_iter, tol)
            v = polished if abs(polished @ v) > np.sqrt(0.5) else v
        value = _applied(T if fourth else rest, v, T.ndim)
        rest = rest - value * reduce(np.multiply.outer, [v] * T.ndim)
        found.append(v)
        history.append(float((history[-1] if history else 0.0) + value))
    return np.array(found), history


def _iterate(T, v, n_iter, tol):
    """Power iteration from one vector, until it moves by less than ``tol``."""
    for _ in range(n_iter):
        last, v = v, _step(T, v)
        if np.linalg.norm(v - last) < tol:
            break
    return v


def _step(T, V):
    """One step of the power iteration, shifted at order 4."""
    if T.ndim == 3:
        return _unit(_applied(T, V))
    H = _applied(T, V, 2)  # T[v, v, ., .], a twelfth of the Hessian of T[v, v, v, v]
    shift = np.maximum(0, -3 * np.linalg.eigvalsh(H)[..., :1])
    return _unit(np.einsum("...ab,...b->...a", H, V) + shift * V)


def _applied(T, V, times=None):
    """T[v, ..., v, .], for a vector or each row of V; ``times`` as many v, else all but one."""
    axes, row = "abcd"[: T.ndim], "i" * (V.ndim - 1)
    times = T.ndim - 1 if times is None else times
    terms = ",".join([axes] + [row + axis for axis in axes[:times]])
    return np.einsum(f"{terms}->{row}{axes[times:]}", T, *[V] * times, optimize=T.ndim == 4)


def _unit(V):
    length = np.linalg.norm(V, axis=-1, keepdims=True)
    return V / np.maximum(length, np.finfo(float).tiny)
