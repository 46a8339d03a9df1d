"""Trimming: the trimmed likelihood never falls, and outliers do not move the fit."""

import warnings

import numpy as np
import pytest

from moelib import MixtureOfExperts
from moelib.estimator.trimming import densest
from moelib.validation import as_sample


def two_regimes(seed, *, n=400, shifted=0.01):
    """Two regimes, and the same labels with one in a hundred moved by thirty times the noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2))
    first = rng.random(n) < 1 / (1 + np.exp(-2 * X[:, 1]))
    y = np.where(first, 1 + 2 * X[:, 0], 3 - X[:, 0]) + 0.4 * rng.standard_normal(n)
    out = rng.choice(n, round(shifted * n), replace=False)
    moved = y.copy()
    moved[out] += 12
    return X, y, moved, out


def quiet(**settings):
    return MixtureOfExperts(2, random_state=0, order_by="x1", n_init=5, **settings)


@pytest.mark.parametrize("seed", range(5))
def test_outliers_are_left_out_and_do_not_move_the_fit(seed):
    X, y, moved, out = two_regimes(seed)
    clean = quiet().fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bare = quiet().fit(X, moved)
    fit = quiet(trim=0.02).fit(X, moved)
    assert not fit.kept_[out].any() and (~fit.kept_).sum() == 8
    error = clean.standard_errors_.experts
    assert np.max(np.abs(fit.experts_ - clean.experts_) / error) < 2
    assert fit.noise_ < 0.45 < 0.8 < bare.noise_
    assert fit.n_samples_ == 392


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weighted", [False, True])
def test_the_trimmed_likelihood_never_falls(seed, weighted):
    X, _, moved, _ = two_regimes(seed, shifted=0.05)
    weights = np.random.default_rng(seed).integers(1, 4, len(moved)) if weighted else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = quiet(trim=0.1).fit(X, moved, weights)
    assert np.all(np.diff(fit.history_["trim"]) > -1e-9)
    sample = as_sample(X, moved, weights)
    again = densest(fit.model_, sample, 0.1)
    np.testing.assert_array_equal(again.kept, fit.kept_)
    assert fit.log_likelihood_ == pytest.approx(fit.n_samples_ * fit.history_["trim"][-1])


def test_integer_weights_trim_as_repeated_rows_do():
    """As long as the cut does not fall within the copies of one row."""
    X, _, moved, out = two_regimes(0)
    weights = np.ones(len(moved))
    weights[out] = 2  # eight of the 404 are to go, the copies of the four outliers
    rows = np.repeat(np.arange(len(moved)), weights.astype(int))
    fit = quiet(trim=8 / 404).fit(X, moved, weights)
    longer = quiet(trim=8 / 404).fit(X[rows], moved[rows])
    np.testing.assert_array_equal(longer.kept_, fit.kept_[rows])
    assert longer.log_likelihood_ == pytest.approx(fit.log_likelihood_, abs=1e-6)
    np.testing.assert_allclose(longer.experts_, fit.experts_, rtol=1e-6)


@pytest.mark.parametrize("trim", [-0.1, 0.5, "a", np.nan])
def test_what_no_share_is(trim):
    with pytest.raises(ValueError, match="trim must be a share of at least 0 and below 0.5"):
        MixtureOfExperts(trim=trim).fit([[1.0], [2.0]], [1.0, 2.0])


def test_trimming_needs_a_maximum():
    with pytest.raises(ValueError, match="trim .* needs refine=True"):
        MixtureOfExperts(trim=0.1, refine=False).fit([[1.0], [2.0]], [1.0, 2.0])
