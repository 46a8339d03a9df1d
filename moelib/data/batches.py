"""Rows in blocks and samples in batches, so that the working memory stays small.

Samples in batches are a callable: each call is a pass over the data, an iterable of (X, y) or
(X, y, sample_weight). Give it to :func:`moelib.learn_experts_from_batches` or
:func:`moelib.learn_experts_sgd`, or its batches one by one to :meth:`moelib.Moments.update`: the
samples are never held together.
"""

import numpy as np

from moelib.data.arrays import as_floats
from moelib.validation import as_count, as_generator, as_labels, as_matrix, as_vector

BLOCK = 16384  # rows that are worked on at a time
BATCH_SIZE = 1000  # samples of a stochastic gradient


def row_blocks(n):
    """Slices that cut n rows into blocks of at most ``BLOCK``.

    Examples
    --------
    >>> list(row_blocks(20000))
    [slice(0, 16384, None), slice(16384, 20000, None)]
    """
    return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


def shuffled_batches(X, y, rng, *, size=BATCH_SIZE):
    """A fixed sample in batches, in another order at each pass.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    rng : numpy.random.Generator
        For the orders.
    size : int
        Rows of a batch; the last one takes what is left over as well.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        When X and y differ in length, or ``rng`` or ``size`` is not what it has to be.

    Examples
    --------
    >>> batches = shuffled_batches(np.eye(5), np.arange(5.0), np.random.default_rng(0), size=2)
    >>> [len(y) for X, y in batches()]
    [2, 3]
    """
    (X, y), rng, size = as_floats(X, y), as_generator(rng), as_count(size, "size")
    if len(X) != len(y):
        raise ValueError(f"y must have a label for each of the {len(X)} rows of X, got {len(y)}")

    def batches():
        parts = np.array_split(rng.permutation(len(y)), np.arange(1, len(y) // size) * size)
        return ((X[part], y[part]) for part in parts)

    return batches


def drawn_batches(model, n, seed, *, size=BATCH_SIZE):
    """Samples of a model in batches, drawn again at each pass and never held together.

    Parameters
    ----------
    model : GatedModel
        What draws them.
    n : int
        Number of samples.
    seed : numpy.random.SeedSequence
        Every batch gets a seed of its own from it, so that all passes see the same samples.
    size : int
        Rows of a batch; the last one has what is left over.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        When ``n`` or ``size`` is not positive, or ``seed`` is no ``SeedSequence``.

    Examples
    --------
    >>> from moelib import standard_model
    >>> batches = drawn_batches(standard_model(), 2500, np.random.SeedSequence(0))
    >>> [len(y) for X, y in batches()]
    [1000, 1000, 500]
    """
    n, size = as_count(n, "n"), as_count(size, "size")
    if not isinstance(seed, np.random.SeedSequence):
        raise ValueError(
            "seed must be a numpy.random.SeedSequence such as np.random.SeedSequence(0), got "
            f"{seed!r}"
        )
    seeds = seed.spawn(-(-n // size))

    def batches():
        return (
            model.sample(min(size, n - i * size), np.random.default_rng(one))
            for i, one in enumerate(seeds)
        )

    return batches


def one_batch(sample):
    """A :class:`~moelib.validation.Sample` as batches: every pass yields all of it at once."""
    batch = (sample.X, sample.y) if sample.weights is None else (sample.X, sample.y, sample.weights)
    return lambda: [batch]


def as_batch(X, y, sample_weight=None, *, n_columns=None):
    """Check one batch of samples.

    Parameters
    ----------
    X : array-like
        Inputs, two-dimensional.
    y : array-like
        Labels, one for each row of X.
    sample_weight : array-like, optional
        How often each sample counts.
    n_columns : int, optional
        Required number of columns of X.

    Returns
    -------
    tuple of arrays
        (X, y), or (X, y, sample_weight) if weights were given.

    Raises
    ------
    ValueError
        When shapes do not fit together, an entry is not finite, or a weight is negative.

    Examples
    --------
    >>> as_batch([[1.0, 2.0]], [0.5])
    (array([[1., 2.]]), array([0.5]))
    """
    X = as_matrix(X, "X", n_columns)
    y = as_labels(y, len(X))
    if sample_weight is None:
        return X, y
    sample_weight = as_vector(sample_weight, "sample_weight", len(y))
    if np.any(sample_weight < 0):
        raise ValueError("sample_weight must not be negative")
    return X, y, sample_weight


def checked(batches):
    """The same batches, each checked as it comes; all need the same number of columns.

    A batch without rows, which the end of a file may leave, is passed over.

    Parameters
    ----------
    batches : callable
        Each call returns an iterable over (X, y) or (X, y, sample_weight).

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        When ``batches`` is not callable, or a call yields no batch.

    Examples
    --------
    >>> sound = checked(lambda: [([[1.0, 2.0]], [0.5]), ([[1.0]], [0.5])])
    >>> for X, y in sound():
    ...     print(X)
    Traceback (most recent call last):
    ...
    ValueError: X must have 2 columns, got shape (1, 1)
    """
    if not callable(batches):
        raise ValueError(
            "batches must be a function whose every call returns the batches (X, y), got "
            f"{type(batches).__name__}: of a list called data pass lambda: data"
        )

    def passes():
        n_columns = None
        for batch in batches():
            batch = as_batch(*batch, n_columns=n_columns)
            if len(batch[0]):
                n_columns = batch[0].shape[1]
                yield batch
        if n_columns is None:
            raise ValueError(
                "batches must yield a batch (X, y) or more at each call, got none: a generator is "
                "used up after one pass, so make it inside the function"
            )

    return passes
