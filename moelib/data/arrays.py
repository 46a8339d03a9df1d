"""Arrays of any shape, from what a caller passes."""

import numpy as np

from moelib.validation import as_matrix


def as_floats(*values):
    """Each value, a table, a list or an array of any number, as a float64 array of its own shape.

    Examples
    --------
    >>> T, V = as_floats([[1, 2]], np.float32(0.5))
    >>> T, V
    (array([[1., 2.]]), array(0.5))
    """
    return [np.asarray(value, dtype=float) for value in values]


def as_inputs(X, name="X"):
    """Return ``X`` as a finite float64 matrix that has a row; raise ``ValueError`` otherwise.

    Examples
    --------
    >>> as_inputs(np.zeros((0, 2)))
    Traceback (most recent call last):
    ...
    ValueError: X must have at least one row, got shape (0, 2)
    """
    X = as_matrix(X, name)
    if not len(X):
        raise ValueError(f"{name} must have at least one row, got shape {X.shape}")
    return X
