"""The door of the estimator: what a user passes becomes a checked ``Sample``, once."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from moelib.estimator.frames import Columns
from moelib.parameters import FreeParameters
from moelib.validation import Sample, as_weights


class Inputs:
    """How ``MixtureOfExperts`` reads its data."""

    expert_features: Any
    gate_features: Any
    formula: str | None
    columns_: Columns

    def _read(self, X, y, sample_weight):
        """Columns and data, checked by scikit-learn's rules."""
        if np.asarray(y).dtype.kind in "mM":
            raise ValueError("y holds dates: convert them to numbers first, for instance to days")
        options = dict(expert_features=self.expert_features, gate_features=self.gate_features)
        options["formula"] = self.formula
        if isinstance(X, pd.DataFrame):
            columns, Z = Columns.fit(X, **options)  # first: it names the column that is amiss
            validate_data(self, X, skip_check_array=True)
            y = _check_y(y, y_numeric=True, estimator=self)
            check_consistent_length(Z, y)
        else:
            X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
            columns, Z = Columns.fit(X, **options)
        y, total = np.asarray(y, dtype=np.float64), float(len(y))
        if sample_weight is not None:
            options = dict(dtype=np.float64, ensure_non_negative=True)
            sample_weight = _check_sample_weight(sample_weight, Z, **options)
            total = float(np.sum(sample_weight))
        return columns, Sample(Z, y, as_weights(sample_weight, len(y)), total)

    def _design(self, X):
        """Inputs in the model's columns, checked by scikit-learn's rules: (n, p)."""
        check_is_fitted(self)
        if not isinstance(X, pd.DataFrame):
            X = validate_data(self, X, dtype=np.float64, reset=False)
        elif not self.columns_.by_formula:
            validate_data(self, X, reset=False, skip_check_array=True)
        return self.columns_.transform(X)


def free_parameters(settings, columns, sample):
    """What a fit learns, its ridge in the units of the data."""
    noise: bool | str = False
    if settings.known_noise is None:
        own = settings.noise == "per-expert" and settings.n_experts > 1
        noise = "per-expert" if own else True
    ridge: float | tuple = float(settings.gate_ridge)
    if ridge:
        centre = sample.mean(sample.X)
        ridge = tuple(ridge * sample.mean((sample.X - centre) ** 2))
    return FreeParameters(
        intercepts=settings.fit_intercept,
        noise=noise,
        gate_slopes=not settings.constant_gate,
        gate_ridge=ridge,
        expert_features=columns.expert_features,
        gate_features=columns.gate_features,
    )
