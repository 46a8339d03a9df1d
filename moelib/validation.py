"""Argument checks and warnings: each names the argument, what it got and what it needs.

Data are checked once, at the public door: :func:`as_sample` makes a :class:`Sample`, and what
stands behind the door takes that.
"""

import inspect
import numbers
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

_heard: ContextVar[list | None] = ContextVar("heard", default=None)


class ConvergenceWarning(UserWarning):
    """An iteration stopped before it had converged."""


class AssumptionWarning(UserWarning):
    """The data look unlike what a method assumes, or do not determine every parameter."""


def as_matrix(value, name, n_columns=None):
    """Return ``value`` as a finite float64 matrix.

    Parameters
    ----------
    value : array-like
        What the caller passed.
    name : str
        The argument's name, for the message.
    n_columns : int, optional
        Required number of columns.

    Raises
    ------
    ValueError
        When ``value`` is not two-dimensional, not finite, or has the wrong number of columns.

    Examples
    --------
    >>> as_matrix([[1, 2]], "experts").dtype
    dtype('float64')
    """
    array = np.asarray(_real(value, name), dtype=float, order="C")
    if array.ndim != 2:
        raise ValueError(f"{name} must be a 2-d array, got shape {array.shape}")
    if n_columns is not None and array.shape[1] != n_columns:
        raise ValueError(f"{name} must have {n_columns} columns, got shape {array.shape}")
    return _finite(array, name)


def as_vector(value, name, length=None):
    """Return ``value`` as a finite float64 vector; raise ``ValueError`` as :func:`as_matrix` does.

    Examples
    --------
    >>> as_vector([1, 2], "y", length=2)
    array([1., 2.])
    """
    array = np.asarray(_real(value, name), dtype=float, order="C")
    if array.ndim != 1:
        raise ValueError(f"{name} must be a 1-d array, got shape {array.shape}")
    if length is not None and len(array) != length:
        raise ValueError(f"{name} must have length {length}, got {len(array)}")
    return _finite(array, name)


def as_labels(y, n):
    """Return labels as a finite float64 vector of length n; a single column is taken as one.

    Examples
    --------
    >>> as_labels([[1], [2]], 2)
    array([1., 2.])
    """
    y = np.asarray(y)
    if y.dtype.kind in "mM":
        raise ValueError("y holds dates: convert them to numbers first, for instance to days")
    return as_vector(y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y, "y", n)


def as_positive(value, name):
    """Return ``value`` as a positive finite float; raise ``ValueError`` otherwise."""
    if not isinstance(value, numbers.Real) or not np.isfinite(float(value)) or value <= 0:
        raise ValueError(f"{name} must be a positive finite number, got {value!r}")
    return float(value)


def as_not_negative(value, name):
    """Return ``value`` as a finite float of at least 0; raise ``ValueError`` otherwise.

    Examples
    --------
    >>> as_not_negative(0, "ridge")
    0.0
    """
    if not isinstance(value, numbers.Real) or not np.isfinite(float(value)) or value < 0:
        raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")
    return float(value)


def as_count(value, name, least=1):
    """Return ``value`` as an integer of at least ``least``; raise ``ValueError`` otherwise."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    return int(value)


def as_noise(value, k):
    """Return a noise as a positive float, one for all, or as a vector, one for each of k experts.

    Examples
    --------
    >>> as_noise([1, 2], 2)
    array([1., 2.])
    """
    if np.ndim(value) == 0:
        return as_positive(value[()] if isinstance(value, np.ndarray) else value, "noise")
    noise = as_vector(value, "noise", k)
    if np.any(noise <= 0):
        raise ValueError(f"noise must be positive for each expert, got {noise}")
    return noise


def as_probability(value, name):
    """Return ``value`` as a float strictly between 0 and 1; raise ``ValueError`` otherwise.

    Examples
    --------
    >>> as_probability(0.95, "level")
    0.95
    """
    if not isinstance(value, numbers.Real) or not 0 < float(value) < 1:
        raise ValueError(f"{name} must be a number strictly between 0 and 1, got {value!r}")
    return float(value)


def as_weights(sample_weight, n):
    """Return sample weights scaled to mean one; ``None``, for equal weights, stays ``None``.

    Examples
    --------
    >>> as_weights([1, 3], 2)
    array([0.5, 1.5])
    """
    if sample_weight is None:
        return None
    weights = as_vector(sample_weight, "sample_weight", n)
    if np.any(weights < 0) or not weights.sum() > 0:
        raise ValueError("sample_weight must not be negative, and not zero everywhere")
    return weights / weights.mean()


@dataclass(frozen=True, eq=False)
class Sample:
    """Inputs, labels and weights that have been checked.

    Attributes
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    weights : (n,) array or None
        How much each sample counts, of mean one; ``None`` if all count the same.
    total : float
        Number of samples, or the sum of their weights as they were given.
    """

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    total: float

    def __len__(self):
        return len(self.y)

    def mean(self, values):
        """Mean over the samples, weighted if there are weights: (n, ...) -> (...)."""
        return np.average(values, axis=0, weights=self.weights)


def as_sample(X, y, sample_weight=None, n_columns=None):
    """Check data at a public door.

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
    Sample

    Raises
    ------
    ValueError
        When shapes do not fit together or an entry is not finite, or weights are negative or all
        zero.

    Examples
    --------
    >>> as_sample([[1.0], [2.0]], [0.5, 0.7], sample_weight=[1, 3]).total
    4.0
    """
    X = as_matrix(X, "X", n_columns)
    if not len(X):
        raise ValueError(f"X must have at least one row, got shape {X.shape}")
    y = as_labels(y, len(X))
    weights = as_weights(sample_weight, len(y))
    return Sample(X, y, weights, float(len(y) if weights is None else np.sum(sample_weight)))


@contextmanager
def listening():
    """A list of all that the library warns of inside, each once, whatever is shown of it.

    Examples
    --------
    >>> with listening() as sentences, warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     warn("columns repeat", AssumptionWarning)
    >>> sentences
    ['columns repeat']
    """
    sentences: list[str] = []
    token = _heard.set(sentences)
    try:
        yield sentences
    finally:
        _heard.reset(token)


def heard():
    """What was heard so far in the innermost :func:`listening`."""
    sentences = _heard.get()
    return [] if sentences is None else sentences


def warn(message, category):
    """Issue a warning that points at the caller's own line: the first outside the library.

    Parameters
    ----------
    message : str or Warning
        What happened, and what to do.
    category : type
        Kind of the warning.
    """
    if str(message) not in (sentences := heard()):
        sentences.append(str(message))
    frame, level = inspect.currentframe(), 0
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] == "moelib":
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level + 1)


def as_generator(rng, name="rng"):
    """Return ``rng`` if it is a ``numpy.random.Generator``; refuse anything else."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(
            f"{name} must be a numpy.random.Generator such as np.random.default_rng(0), got {rng!r}"
        )
    return rng


def as_choice(value, name, choices):
    """Return ``value`` if it is one of ``choices``; otherwise raise ``ValueError`` listing them."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
    return value


def _real(value, name):
    if np.iscomplexobj(value):
        raise ValueError(f"{name} must be real, got complex numbers")
    return value


def _finite(array, name):
    if not np.all(np.isfinite(array)):
        n_bad = int(np.sum(~np.isfinite(array)))
        raise ValueError(
            f"{name} must be finite, got {n_bad} NaN or infinite entries: drop or impute them"
        )
    return array
