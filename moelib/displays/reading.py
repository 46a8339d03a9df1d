"""What the pictures ask of a fitted estimator and of its inputs."""

from collections import Counter

import numpy as np
from sklearn.utils.validation import check_is_fitted

from moelib.validation import as_weights


class Reading:
    """A fitted mixture, alone or at the end of a pipeline or a search.

    Parameters
    ----------
    estimator : MixtureOfExperts, Pipeline or search
        What was fitted.

    Raises
    ------
    NotFittedError
        When it is not fitted.
    ValueError
        When no mixture of experts is in it.
    """

    def __init__(self, estimator):
        check_is_fitted(estimator)
        found = getattr(estimator, "best_estimator_", estimator)
        steps = getattr(found, "steps", [(None, found)])
        self.before = found[:-1] if len(steps) > 1 else None
        self.mixture = steps[-1][1]
        if not hasattr(self.mixture, "model_"):
            raise ValueError(
                "estimator must be a fitted MixtureOfExperts, or a pipeline that ends with one, "
                f"got {estimator!r}"
            )
        self.noises = self.mixture.model_.noises

    def inputs(self, X):
        """The columns that the mixture was fitted to."""
        return X if self.before is None else self.before.transform(X)

    def answers(self, X):
        """What each expert answers: (n, k)."""
        return self.mixture.expert_answers(self.inputs(X))

    def gates(self, X):
        """Probability that each expert answers, before the label is seen: (n, k)."""
        return self.mixture.gate_probabilities(self.inputs(X))

    def posterior(self, X, y):
        """Probability that each expert answered, after the label is seen: (n, k)."""
        return self.mixture.posterior(self.inputs(X), y)

    def cdf(self, X, y):
        """Probability of a label of at most y: (n,)."""
        return self.mixture.cdf(self.inputs(X), y)


def as_counts(sample_weight, n):
    """How often each of n samples counts: once, if no weights are given.

    Examples
    --------
    >>> as_counts(None, 2), as_counts([1, 3], 2)
    (array([1., 1.]), array([1., 3.]))
    """
    if as_weights(sample_weight, n) is None:
        return np.ones(n)
    return np.asarray(sample_weight, dtype=float)


def label_name(y, default="y"):
    """The name of a Series, or a default."""
    return str(default if getattr(y, "name", None) is None else y.name)


def as_inputs(X):
    """Return a DataFrame as it is, anything else as a two-dimensional array."""
    if hasattr(X, "columns"):
        return X
    X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"X must be a 2-d array or a DataFrame, got shape {X.shape}")
    return X


def feature_names(X, estimator):
    """Names of the columns: of the frame, else of the frame the fit has seen, else x1, x2, ..."""
    if hasattr(X, "columns"):
        return [str(name) for name in X.columns]
    d = X.shape[1]
    seen = getattr(estimator, "feature_names_in_", ())
    return [str(name) for name in seen] if len(seen) == d else [f"x{j + 1}" for j in range(d)]


def feature_number(feature, names):
    """Place of a column given by name or number; refuse what is not there.

    Examples
    --------
    >>> feature_number("age", ["income", "age"]), feature_number(-1, ["income", "age"])
    (1, 1)
    """
    if isinstance(feature, (int, np.integer)) and -len(names) <= feature < len(names):
        return int(feature) % len(names)
    if feature in names:
        return names.index(feature)
    raise ValueError(
        f"feature must be the name of a column, one of {', '.join(names)}, or a number below "
        f"{len(names)}; got {feature!r}"
    )


def column(X, j):
    """Column j: a Series or an array."""
    return X.iloc[:, j] if hasattr(X, "iloc") else X[:, j]


def is_number(values):
    """Whether a column holds numbers: true and false are two categories."""
    kind = getattr(values.dtype, "kind", "O")
    if kind == "O" and not hasattr(values, "iloc"):  # an array of mixed things
        return all(isinstance(v, (int, float, np.number)) for v in values)
    return kind in "iuf"


def levels(values):
    """The values of a column that occur, in their order."""
    if hasattr(values, "cat"):
        return [level for level in values.cat.categories if (values == level).any()]
    return sorted(set(values), key=lambda v: (str(type(v)), v))


def with_column(X, j, value):
    """A copy of the inputs whose column j is one value, or one for each row."""
    if not hasattr(X, "iloc"):
        X = X.astype(np.result_type(X, np.asarray(value)), copy=True)
        X[:, j] = value
        return X
    import pandas as pd

    X = X.copy()
    values = value if np.ndim(value) else [value] * len(X)
    kind = None if is_number(column(X, j)) else column(X, j).dtype
    X.isetitem(j, pd.Series(list(values), index=X.index, dtype=kind))
    return X


def typical_rows(X, n):
    """n equal rows: each column at its median, or, if it holds no numbers, its commonest value."""
    rows = X.iloc[[0] * n].reset_index(drop=True) if hasattr(X, "iloc") else X[[0] * n]
    for j in range(X.shape[1]):
        values = column(X, j)
        if is_number(values):
            middle = np.nanmedian(np.asarray(values, dtype=float))
        else:
            known = Counter(values[values == values])  # missing values differ from themselves
            if not known:
                continue
            middle = known.most_common(1)[0][0]
        rows = with_column(rows, j, middle)
    return rows
