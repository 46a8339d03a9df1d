"""Data unlike what the two losses assume are named, and data like it are not."""

import warnings

import numpy as np
import pytest

from moelib import AssumptionWarning, MixtureOfExperts
from moelib.estimator import check_two_loss_inputs
from moelib.validation import as_sample

DESIGN = dict(d=4, n_experts=2)
THEORY = dict(method="two-loss", fit_intercept=False, noise="shared", n_init=1, random_state=0)


def test_inputs_that_are_not_standard_normal_are_named(standard):
    _, X, y = standard(2000, **DESIGN)
    for broken, message in [
        (X + 1, "has mean"),
        (X * 2, "covariance has eigenvalues"),
        (np.sign(X) + 0.01 * X, "kurtosis"),
    ]:
        with pytest.warns(AssumptionWarning, match=f"standard normal.*{message}"):
            MixtureOfExperts(**THEORY).fit(broken, y)
    with pytest.warns(AssumptionWarning, match="labels' mean square"):
        MixtureOfExperts(**THEORY).fit(X, y / 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MixtureOfExperts(**THEORY).fit(X, y)


def test_with_intercepts_means_are_no_fault(standard):
    """Columns and labels are centred before the moments; a scale that is off is still named."""
    _, X, y = standard(2000, **DESIGN)
    estimator = MixtureOfExperts(method="two-loss", random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator.fit(X + [100, -5, 0, 2000], y + 30)
    with pytest.warns(AssumptionWarning, match="standard normal.*covariance has eigenvalues"):
        estimator.fit(2 * X, y)


def said(X, y, weights=None):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_two_loss_inputs(as_sample(X, y, weights), 2)
    return [str(warning.message) for warning in caught]


def test_weights_are_repetitions(standard):
    """Of a set of samples whose mean is off, by weights only."""
    _, X, y = standard(2000, **DESIGN)
    assert said(X, y) == []
    counts = np.where(X[:, 0] > 0, 3, 1)
    weighted, repeated = (
        said(X, y, counts),
        said(np.repeat(X, counts, axis=0), np.repeat(y, counts)),
    )
    assert len(weighted) == 1 and "a column has mean" in weighted[0]
    assert weighted[0][:90] == repeated[0][:90]


def test_uneven_weights_count_as_the_fewer_samples_that_they_are(standard):
    """As many as the square of their sum over the sum of their squares: here one in fifty."""
    _, X, y = standard(20_000, **DESIGN)
    weights = np.random.default_rng(0).pareto(1.05, 20_000)
    share = weights / weights.sum()
    assert 1 / np.sum(share**2) < 20_000 / 50
    assert np.abs(share @ X).max() > 6 / np.sqrt(20_000)  # far off for equal weights
    assert said(X, y, weights) == []


def test_samples_of_weight_zero_are_not_seen(standard):
    _, X, y = standard(2000, **DESIGN)
    far = np.arange(2000) < 100
    assert said(np.where(far[:, None], 50.0, X), y, np.where(far, 0.0, 1.0)) == []
