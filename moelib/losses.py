r"""The book's losses as functions that torch can differentiate.

``l4_loss`` recovers the experts, ``gate_loss`` the gates once the experts are known;
``least_squares_loss`` and ``log_loss`` are the standard losses that they are compared with.
Each takes tensors, through which gradients flow, or anything that makes an array, and returns a
scalar float64 tensor.
"""

import math

import numpy as np

from moelib._extras import load
from moelib.links import as_link
from moelib.validation import as_labels, as_matrix, as_noise

torch = load("torch", "moelib.losses")


def l4_loss(A, X, y, transforms, *, mu=0.5, lam=1.0, delta=0.0, centred=True):
    r"""The loss L4 in its sample form: no tensor is formed.

    .. math::

        L_4(A) = \sum_{i \ne j} \hat E[Q_4\, t_1(a_i, a_j, x)] / c_4
            - \mu \sum_i \hat E[Q_4\, t_2(a_i, x)] / c_4
            + \lambda \sum_i \bigl(\hat E[Q_2\, t_3(a_i, x)] / c_2 - 1\bigr)^2
            + \tfrac{\delta}{2} \|A\|_F^2

    with :math:`t_1 = S_4[u,u,v,v]`, :math:`t_2 = S_4[u,u,u,u]` and :math:`t_3 = S_2[u,u]`.

    Parameters
    ----------
    A : (k, d) tensor or array
        Candidate experts.
    X : (n, d) tensor or array
        Inputs, standard normal coordinates.
    y : (n,) tensor or array
        Labels.
    transforms : LabelTransforms
        The label transforms.
    mu, lam, delta : float
        Weights of the terms; 0 < mu < 1 keeps stray minima away.
    centred : bool
        Whether to subtract the sample mean from each transform.

    Returns
    -------
    scalar tensor
        O(n d k + n k^2).

    Raises
    ------
    ValueError
        When shapes do not fit together, or an array is not finite.

    Notes
    -----
    From finitely many samples this loss is unbounded below on all of R^{k x d}, and even in the
    population unless ``lam > mu / min(pi)``, which the defaults do not meet: keep the rows on the
    unit sphere, or use :func:`moelib.learn_experts`.
    Taught in: :ref:`ch-deriving-l4`.

    References
    ----------
    In the spirit of Makkuva, Oh, Kannan & Viswanath (2020) and Ge, Lee & Ma (2018).

    Examples
    --------
    >>> import numpy as np
    >>> from moelib import label_transforms, standard_model
    >>> model = standard_model(d=5)
    >>> X, y = model.sample(100_000, np.random.default_rng(0))
    >>> transforms = label_transforms("identity", noise=model.noise)
    >>> right = l4_loss(model.experts, X, y, transforms)
    >>> wrong = l4_loss(model.experts[[0, 0, 1]], X, y, transforms)
    >>> bool(right < wrong)
    True
    """
    A, (X, y) = _as_tensor(A, "A", 2), _data(X, y)
    _refuse_other_columns(X, A=A)
    return l4_of_tensors(A, X, y, transforms, mu=mu, lam=lam, delta=delta, centred=centred)


def l4_of_tensors(A, X, y, transforms, *, mu=0.5, lam=1.0, delta=0.0, centred=True):
    """What :func:`l4_loss` does, for float64 tensors that fit together."""
    q2, q4 = transforms.q2(y), transforms.q4(y)
    if centred:
        q2, q4 = q2 - q2.mean(), q4 - q4.mean()
    q2, q4 = q2 / (len(y) * transforms.c2), q4 / (len(y) * transforms.c4)
    projections = X @ A.T
    squares = projections**2
    gram = A @ A.T
    lengths = gram.diagonal()
    mean_square = q4 @ squares
    # cross[i, j] = E[Q_4 S_4(x)[a_i, a_i, a_j, a_j]] / c_4; its diagonal is the t_2 term
    cross = (
        (squares * q4[:, None]).T @ squares
        - torch.outer(lengths, mean_square)
        - torch.outer(mean_square, lengths)
        - 4 * gram * ((projections * q4[:, None]).T @ projections)
        + q4.sum() * (torch.outer(lengths, lengths) + 2 * gram**2)
    )
    second = q2 @ squares - q2.sum() * lengths
    return (
        cross.sum()
        - (1 + mu) * cross.diagonal().sum()
        + lam * ((second - 1) ** 2).sum()
        + delta / 2 * (A**2).sum()
    )


def least_squares_loss(A, W, X, y, *, link="identity"):
    r"""Mean squared error of the gated mean.

    .. math:: \hat E \bigl(y - \sum_i p_i(x)\, g(\langle a_i, x\rangle)\bigr)^2

    Parameters
    ----------
    A : (k, d) tensor or array
        Experts.
    W : (k-1, d) tensor or array
        Gates; the last gate is zero and left out.
    X : (n, d) tensor or array
        Inputs.
    y : (n,) tensor or array
        Labels.
    link : str or Link
        The link :math:`g`; a Link needs its ``torch_value``.

    Returns
    -------
    scalar tensor

    Examples
    --------
    >>> import numpy as np
    >>> from moelib import standard_model
    >>> model = standard_model(d=5)
    >>> X, y = model.sample(10, np.random.default_rng(0))
    >>> loss = least_squares_loss(model.experts, model.gates, X, y)
    >>> np.allclose(loss, np.mean((y - model.mean(X)) ** 2))
    True
    """
    link = _torch_link(link)
    A, W, X, y = _mixture(A, W, X, y)
    p = torch.softmax(_scores(W, X), dim=1)
    return ((y - (p * link.torch_value(X @ A.T)).sum(dim=1)) ** 2).mean()


def log_loss(A, W, noise, X, y, *, link="identity"):
    r"""Joint negative log-likelihood per sample, :math:`-\hat E \log P(y \mid x; A, W, \sigma)`.

    Parameters
    ----------
    A : (k, d) tensor or array
        Experts.
    W : (k-1, d) tensor or array
        Gates; the last gate is zero and left out.
    noise : float, (k,) array or tensor
        Standard deviation, one for all experts or one for each.
    X : (n, d) tensor or array
        Inputs.
    y : (n,) tensor or array
        Labels.
    link : str or Link
        The link :math:`g`; a Link needs its ``torch_value``.

    Returns
    -------
    scalar tensor

    Raises
    ------
    ValueError
        When the link has no form in torch, or the shapes do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from moelib import standard_model
    >>> model = standard_model(d=5)
    >>> X, y = model.sample(10, np.random.default_rng(0))
    >>> loss = log_loss(model.experts, model.gates, model.noise, X, y)
    >>> np.allclose(loss, -model.log_density(X, y).mean())
    True
    """
    link = _torch_link(link)
    A, W, X, y = _mixture(A, W, X, y)
    noise = _noise(noise, len(A))
    residuals = (y[:, None] - link.torch_value(X @ A.T)) / noise
    log_normal = -0.5 * residuals**2 - torch.log(noise) - 0.5 * math.log(2 * math.pi)
    return -torch.logsumexp(torch.log_softmax(_scores(W, X), dim=1) + log_normal, dim=1).mean()


def gate_loss(W, X, y, experts, noise, *, link="identity"):
    r"""The gates' loss :math:`L_{\log}(W; A)`: the likelihood with experts and noise frozen.

    Parameters
    ----------
    W : (k-1, d) tensor or array
        Gates, to be differentiated.
    X : (n, d) tensor or array
        Inputs.
    y : (n,) tensor or array
        Labels.
    experts : (k, d) tensor or array
        Held fixed: no gradient flows into them.
    noise : float, (k,) array or tensor
        Held fixed as well.
    link : str or Link
        The link :math:`g`, as in :func:`log_loss`.

    Returns
    -------
    scalar tensor
    """
    experts = _as_tensor(experts, "experts", 2).detach()
    return log_loss(experts, W, _noise(noise, len(experts)).detach(), X, y, link=link)


def _scores(W, X):
    return torch.cat([X @ W.T, torch.zeros(len(X), 1, dtype=X.dtype)], dim=1)


def _torch_link(link):
    link = as_link(link)
    if link.torch_value is None:
        raise ValueError(
            f"link {link.name!r} has no form in torch: pass Link(..., torch_value=function)"
        )
    return link


def _mixture(A, W, X, y):
    """Experts, gates, inputs and labels as tensors, once their shapes fit together."""
    A, W, (X, y) = _as_tensor(A, "A", 2), _as_tensor(W, "W", 2), _data(X, y)
    _refuse_other_columns(X, A=A, W=W)
    if len(W) != len(A) - 1:
        raise ValueError(f"W must have one row fewer than A ({len(A) - 1}), got {len(W)}")
    return A, W, X, y


def _data(X, y):
    """Inputs and labels as tensors: one label for each row."""
    X, y = _as_tensor(X, "X", 2), _as_tensor(y, "y", 1)
    if not len(X):
        raise ValueError("X must have at least one row, got none")
    if len(y) != len(X):
        raise ValueError(f"y must have length {len(X)}, got {len(y)}")
    return X, y


def _noise(value, k):
    """The noise as a tensor: a number, or one for each of k experts."""
    if not torch.is_tensor(value):
        return torch.tensor(np.array(as_noise(value, k)))
    if value.ndim and tuple(value.shape) not in ((1,), (k,)):
        raise ValueError(f"noise must be a number or have shape ({k},), got {tuple(value.shape)}")
    return value.double()


def _as_tensor(value, name, n_axes):
    """A tensor as it is, in float64; anything else as an array that is checked at this door."""
    if not torch.is_tensor(value):
        array = as_matrix(value, name) if n_axes == 2 else as_labels(value, None)
        return torch.tensor(np.array(array))
    if n_axes == 1 and value.ndim == 2 and value.shape[1] == 1:
        value = value[:, 0]
    if value.ndim != n_axes:
        raise ValueError(f"{name} must be a {n_axes}-d tensor, got shape {tuple(value.shape)}")
    return value.double()


def _refuse_other_columns(X, **rows):
    for name, value in rows.items():
        if value.shape[1] != X.shape[1]:
            raise ValueError(
                f"{name} must have {X.shape[1]} columns like X, got shape {tuple(value.shape)}"
            )
