r"""L4 by stochastic gradients: every batch is seen once, no moment is kept.

The sample form of L4 is a mean over samples of a function of the rows, so a batch gives an unbiased
gradient of its quartic part. A step follows the gradient's tangential part and puts the rows back
on their spheres; steps get shorter, and the rows are averaged over the second half of the stream.
"""

import numpy as np
from tqdm import tqdm

from moelib._extras import load
from moelib.data.batches import as_batch, checked
from moelib.experts.l4 import random_unit_rows
from moelib.experts.learn import expert_fit
from moelib.experts.reduction import reduce_checked
from moelib.validation import as_count, as_generator, as_matrix, as_positive, as_probability


def learn_experts_sgd(
    batches,
    n_experts,
    rng,
    *,
    link="identity",
    noise=None,
    mu=0.5,
    n_init=1,
    n_epochs=1,
    step=None,
    transforms="polynomial",
    verbose=False,
):
    """Recover the experts from a stream of batches with projected stochastic gradients on L4.

    Parameters
    ----------
    batches : callable
        Each call returns an iterable over (X, y) batches, the same ones or fresh ones; it is called
        twice for the reduction and then ``n_epochs`` times for each start.
    n_experts : int
        Number of experts k, at most d.
    rng : numpy.random.Generator
        For the starting directions.
    link : str, callable or Link
        The link :math:`g`.
    noise : float, optional
        Standard deviation; read off the labels if not given.
    mu : float
        Weight of the diagonal term, between 0 and 1.
    n_init : int
        Random starts; the lowest loss over its last epoch wins.
    n_epochs : int
        Passes over the stream.
    step : float, optional
        First step length, see :func:`l4_sgd`; 0.15 / k if not given, as the whitened loss has
        curvatures of order k.
    transforms : {"polynomial", "optimal", "in-span"}
        Which label transforms to use, see :func:`moelib.label_transform`.
    verbose : bool
        Whether to show progress over the starts.

    Returns
    -------
    ExpertFit
        Its losses are those of the batches, averaged over half the stream.

    Notes
    -----
    Taught in: :ref:`ch-learning-experts`.

    Examples
    --------
    >>> from moelib import regressor_error, standard_model
    >>> model = standard_model(d=6)
    >>> def fresh(rng=np.random.default_rng(0)):
    ...     return (model.sample(2000, rng) for _ in range(100))
    >>> fit = learn_experts_sgd(fresh, 3, np.random.default_rng(1))
    >>> regressor_error(fit.experts, model.experts) < 0.1
    True
    """
    return sgd_from_checked(
        checked(batches),
        n_experts,
        rng,
        link=link,
        noise=noise,
        mu=mu,
        n_init=n_init,
        n_epochs=n_epochs,
        step=step,
        transforms=transforms,
        verbose=verbose,
    )


def sgd_from_checked(
    batches, n_experts, rng, *, mu=0.5, n_init=1, n_epochs=1, step=None, verbose=False, **options
):
    """What :func:`learn_experts_sgd` does, for batches that have been checked."""
    rng, mu, n_init = as_generator(rng), as_probability(mu, "mu"), as_count(n_init, "n_init")
    n_experts, n_epochs = as_count(n_experts, "n_experts"), as_count(n_epochs, "n_epochs")
    step = 0.15 / n_experts if step is None else as_positive(step, "step")
    reduction = reduce_checked(batches, n_experts, **options)

    def stream():
        for _ in range(n_epochs):
            for X, y, *weights in batches():
                if weights:
                    raise ValueError("batches must be (X, y): stochastic gradients know no weights")
                yield X, y / reduction.scale

    runs = []
    for _ in tqdm(range(n_init), desc="l4-sgd starts", disable=not verbose):
        V = random_unit_rows(n_experts, rng)
        found = sgd_of_checked(
            stream(), V, reduction.transforms, mu, step=step, frame=reduction.frame
        )
        runs.append(found)
    return expert_fit(reduction, None, runs)


def l4_sgd(stream, V, transforms, mu=0.5, *, step=0.02, frame=None):
    r"""Projected stochastic gradient descent on the quartic part of L4.

    Step number t has length ``step / sqrt(1 + t / 20)``; a batch whose gradient would turn a row by
    more than half its length is shortened to that.

    Parameters
    ----------
    stream : iterable
        Batches (X, y) of (n, d) inputs and (n,) labels.
    V : (k, r) array
        Start, unit rows.
    transforms : LabelTransforms
        The label transforms.
    mu : float
        Weight of the diagonal term of L4.
    step : float
        Length of the first step per unit of gradient.
    frame : (r, d) array, optional
        Row v stands for the candidate expert ``v @ frame``; the identity if not given, which is the
        plain method on the sphere of the inputs' own space.

    Returns
    -------
    V : (k, r) array
        Unit rows, averaged over the second half of the steps.
    losses : list of float
        L4 of each batch before its step, and last the mean over the second half.

    Examples
    --------
    >>> from moelib import label_transforms, standard_model
    >>> model, rng = standard_model(d=5), np.random.default_rng(0)
    >>> V, losses = l4_sgd([model.sample(1000, rng)] * 3, np.eye(5)[:3], label_transforms())
    >>> V.shape, len(losses)
    ((3, 5), 4)
    """
    step, V = as_positive(step, "step"), as_matrix(V, "V")
    frame = np.eye(V.shape[1]) if frame is None else as_matrix(frame, "frame")
    n_columns = frame.shape[1]
    sound = (as_batch(X, y, n_columns=n_columns) for X, y in stream if len(y))
    return sgd_of_checked(sound, V, transforms, mu, step=step, frame=frame)


def sgd_of_checked(stream, V, transforms, mu, *, step, frame):
    """What :func:`l4_sgd` does, for a stream that has been checked."""
    losses, path = [], []
    for t, (X, y) in enumerate(stream):
        loss, gradient = batch_l4(V @ frame, X, y, transforms, mu)
        losses.append(loss)
        gradient = gradient @ frame.T
        tangent = gradient - np.sum(gradient * V, axis=1, keepdims=True) * V
        move = step / np.sqrt(1 + t / 20) * tangent
        move *= np.minimum(1, 0.5 / np.maximum(np.linalg.norm(move, axis=1, keepdims=True), 1e-300))
        V = V - move
        V = V / np.linalg.norm(V, axis=1, keepdims=True)
        path.append(V)
    if not path:
        raise ValueError("stream must yield at least one batch")
    half = len(path) // 2
    V = np.mean(path[half:], axis=0)
    return V / np.linalg.norm(V, axis=1, keepdims=True), [*losses, float(np.mean(losses[half:]))]


def batch_l4(A, X, y, transforms, mu):
    """The quartic part of L4 on one batch and its gradient in A: the sample form.

    Parameters
    ----------
    A : (k, d) array
        Candidate experts.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    transforms : LabelTransforms
        The label transforms.
    mu : float
        Weight of the diagonal term of L4.

    Returns
    -------
    loss : float
        Value of L4, in O(n d k + n k^2).
    gradient : (k, d) array
        Its gradient.
    """
    torch = load("torch", "learn_experts_sgd")
    from moelib.losses import l4_of_tensors

    rows = torch.tensor(A, requires_grad=True)
    X, y = (torch.tensor(np.ascontiguousarray(values)) for values in (X, y))
    loss = l4_of_tensors(rows, X, y, transforms, mu=mu, lam=0.0)
    loss.backward()
    return loss.item(), rows.grad.numpy()
