"""Rows in blocks and samples in batches, so that the working memory stays small."""

import numpy as np

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


def shuffled_batches(X, y, rng, size=BATCH_SIZE):
    """A function that yields a fixed sample in batches, in another order at each call.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    rng : numpy.random.Generator
        Source of randomness.
    size : int
        Rows of a batch; the last one takes what is left over as well.

    Examples
    --------
    >>> batches = shuffled_batches(np.eye(5), np.arange(5.0), np.random.default_rng(0), size=2)
    >>> [len(y) for X, y in batches()]
    [2, 3]
    """

    def batches():
        parts = np.array_split(rng.permutation(len(y)), np.arange(1, len(y) // size) * size)
        return ((X[part], y[part]) for part in parts)

    return batches
