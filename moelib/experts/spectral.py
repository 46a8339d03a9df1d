r"""The third-order spectral method: whiten, then take the tensor apart by the power method.

With a transform of order 3, :math:`E[Q_3(y)\, S_3(x)] = c_3 \sum_i \pi_i a_i^{\otimes 3}`. Whitened
by the second moment it is :math:`\sum_i \pi_i^{-1/2} u_i^{\otimes 3}` with orthonormal :math:`u_i`,
whose power iteration :math:`v \leftarrow T[v, v, \cdot] / |T[v, v, \cdot]|` has no attractors but
the :math:`u_i`. Order 3 is odd: the signs come along.
"""

import numpy as np

from moelib.data.batches import one_batch, row_blocks
from moelib.experts.l4 import random_unit_rows
from moelib.experts.learn import ExpertFit
from moelib.experts.reduction import reduce_checked, whiten
from moelib.experts.transforms import label_transform
from moelib.validation import as_generator, as_sample


def learn_experts_spectral(
    X,
    y,
    n_experts,
    rng,
    *,
    link="identity",
    noise=None,
    n_init=10,
    transforms="polynomial",
    sample_weight=None,
):
    """Recover the experts from the third moment, by whitening and the tensor power method.

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
    link : str, callable or Link
        The link :math:`g`.
    noise : float, optional
        Standard deviation; read off the labels if not given.
    n_init : int
        Random starts for each expert.
    transforms : {"polynomial", "optimal", "in-span"}
        Which label transforms to use, see :func:`moelib.label_transform`.
    sample_weight : (n,) array, optional
        How often each sample counts.

    Returns
    -------
    ExpertFit
        Its losses are minus the sum of the eigenvalues found.

    Raises
    ------
    ValueError
        When ``n_experts > d``, or the link has no transform of order 2 or 3 (as an even one).

    Notes
    -----
    Assumes (G), (U), (O), as :func:`moelib.learn_experts` does, and a valid transform of order 3.
    Taught in: :ref:`ch-learning-experts`.

    References
    ----------
    Chaganty & Liang (2013); Anandkumar, Ge, Hsu, Kakade & Telgarsky (2014).

    Examples
    --------
    >>> from moelib import regressor_error, standard_model
    >>> model = standard_model(d=6)
    >>> X, y = model.sample(20_000, np.random.default_rng(0))
    >>> fit = learn_experts_spectral(X, y, 3, np.random.default_rng(1))
    >>> regressor_error(fit.experts, model.experts) < 0.1
    True
    """
    sample = as_sample(X, y, sample_weight)
    options = dict(link=link, noise=noise, n_init=n_init, transforms=transforms)
    return spectral_from_sample(sample, n_experts, rng, **options)


def spectral_from_sample(
    sample, n_experts, rng, *, link="identity", noise=None, n_init=10, transforms="polynomial"
):
    """What :func:`learn_experts_spectral` does, for a :class:`~moelib.validation.Sample`."""
    rng = as_generator(rng)
    reduction = reduce_checked(
        one_batch(sample), n_experts, link=link, noise=noise, transforms=transforms
    )
    made_for = reduction.transforms.noise
    transform = label_transform(3, link, made_for, kind=transforms, dimension=n_experts)
    y = sample.y / reduction.scale
    moment = third_moment(sample.X, y, transform, reduction.basis, sample.weights)
    tensor = whiten(moment, reduction.eigenvalues)
    directions, history = power_method(tensor, rng, n_init=n_init)
    return ExpertFit(
        experts=reduction.experts(directions),
        reduction=reduction,
        tensor=tensor,
        directions=directions,
        loss=-history[-1],
        losses=-np.array(history[-1:]),
        starts=directions[None],
        history=history,
    )


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
    r"""Take a nearly orthogonal tensor :math:`\sum_m \lambda_m u_m^{\otimes 3}` apart.

    For one vector after the other: iterate from ``n_init`` random starts, keep the largest
    :math:`T[v, v, v]`, iterate on, and subtract :math:`T[v, v, v]\, v^{\otimes 3}`.

    Parameters
    ----------
    T : (k, k, k) array
        Symmetric in its three axes.
    rng : numpy.random.Generator
        Source of randomness.
    n_init, n_iter : int
        Starts for each vector, and iterations of each start.
    tol : float
        Change at which the last iterations stop.

    Returns
    -------
    V : (k, k) array
        Unit rows, the largest eigenvalue first.
    history : list of float
        Sum of the eigenvalues found so far, after each of them.

    Examples
    --------
    >>> T = np.zeros((2, 2, 2)); T[0, 0, 0], T[1, 1, 1] = 3.0, -2.0
    >>> power_method(T, np.random.default_rng(0))[0].round(6) + 0.0
    array([[ 1.,  0.],
           [ 0., -1.]])
    """
    k = len(T)
    found: list = []
    history: list = []
    rest = T
    for _ in range(k):
        V = random_unit_rows(n_init, rng, k)
        for _ in range(n_iter):
            V = _unit(np.einsum("abc,ia,ib->ic", rest, V, V))
        v = V[np.argmax(np.einsum("abc,ia,ib,ic->i", rest, V, V, V))]
        for _ in range(10 * n_iter):
            last, v = v, _unit(np.einsum("abc,a,b->c", rest, v, v))
            if np.linalg.norm(v - last) < tol:
                break
        value = np.einsum("abc,a,b,c->", rest, v, v, v)
        rest = rest - value * np.einsum("a,b,c->abc", v, v, v)
        found.append(v)
        history.append(float((history[-1] if history else 0.0) + value))
    return np.array(found), history


def _unit(V):
    length = np.linalg.norm(V, axis=-1, keepdims=True)
    return V / np.maximum(length, np.finfo(float).tiny)
