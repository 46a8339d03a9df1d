"""The score test of a wider model: by hand, its size, its power, and what is said of a fit."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, chi2

from moelib import FreeParameters, GatedModel, maximum_likelihood
from moelib.likelihood import scores
from moelib.likelihood.wider import asks_for_intercepts, asks_for_noises, score_test
from moelib.validation import as_sample

ONE = FreeParameters(intercepts=True)
EACH = FreeParameters(intercepts=True, noise="per-expert")


def data(seed, noises=(0.5, 0.5), n=400, offset=1.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2))
    truth = GatedModel([[2.0, 0], [-1, 1]], [[1.5, 0]], noises, "identity", [offset, -offset])
    return X, truth.sample_labels(X, rng)[0], truth


def fitted(X, y, truth, free, weights=None):
    start = replace(truth, noise=float(np.mean(truth.noise)))
    if not free.intercepts:
        start = replace(start, expert_intercepts=[0, 0])
    return maximum_likelihood(X, y, start, free=free, sample_weight=weights).model


@pytest.mark.parametrize("weighted", [False, True])
def test_the_statistic_by_hand(weighted):
    """n times the mean score of the wider model in the metric of its outer products."""
    X, y, truth = data(0, (0.5, 0.9))
    weights = np.random.default_rng(1).integers(0, 4, len(y)) if weighted else None
    model = fitted(X, y, truth, ONE, weights)
    each = replace(model, noise=np.array(model.noises))
    statistic, p_value = score_test(each, as_sample(X, y, weights), ONE, EACH)
    counts = np.ones(len(y), dtype=int) if weights is None else weights
    S = np.repeat(scores(each, X, y, free=EACH), counts, axis=0)
    mean, J = S.mean(axis=0), S.T @ S / len(S)
    by_hand = len(S) * mean @ np.linalg.solve(J, mean)
    assert statistic == pytest.approx(by_hand, rel=1e-8)
    assert p_value == pytest.approx(chi2.sf(by_hand, 1), rel=1e-6)
    assert 0 < statistic < len(S)


def test_a_right_model_is_seldom_called_too_narrow():
    """Of 100 data sets: how many p-values fall below 10 %, as a binomial count."""
    low = []
    for seed in range(100):
        X, y, truth = data(seed, n=800)
        model = fitted(X, y, truth, ONE)
        each = replace(model, noise=np.array(model.noises))
        low.append(score_test(each, as_sample(X, y), ONE, EACH)[1] < 0.1)
    assert 1e-4 < binom.cdf(sum(low), 100, 0.1) < 1 - 1e-4


def test_noises_that_differ_are_asked_for_and_equal_ones_are_not():
    sizes = {(0.5, 0.5): 0, (0.5, 0.6): 0, (0.3, 1.2): 1}  # a tenth is no reason for a warning
    for noises, expected in sizes.items():
        X, y, truth = data(3, noises, n=300)
        model = fitted(X, y, truth, ONE)
        said = list(asks_for_noises(model, as_sample(X, y), ONE))
        assert len(said) == expected
    assert "Use noise='per-expert'" in said[0]
    r = model.posterior(X, y)
    residual = (y[:, None] - model.expert_means(X)) ** 2
    ratios = np.sqrt(np.sum(r * residual, axis=0) / r.sum(axis=0)) / model.noise
    assert ", ".join(f"{ratio:.2g}" for ratio in ratios) in said[0]


def test_nothing_is_asked_for_that_is_learned_or_has_no_meaning():
    X, y, truth = data(4, (0.3, 1.2))
    sample = as_sample(X, y)
    model = fitted(X, y, truth, ONE)
    each = maximum_likelihood(X, y, truth, free=EACH).model
    assert list(asks_for_noises(each, sample, EACH)) == []
    assert list(asks_for_noises(model, sample, replace(ONE, noise=False))) == []
    assert list(asks_for_intercepts(model, sample, ONE)) == []
    alone = GatedModel([[1.0, 1.0]], [], 1.0)
    assert list(asks_for_noises(alone, sample, FreeParameters())) == []


def test_missing_intercepts_are_asked_for():
    """Labels far from zero; and none where the truth has no intercept."""
    for offset, expected in ((0.0, 0), (2.0, 1)):
        X, y, truth = data(5, n=300, offset=offset)
        free = FreeParameters()
        model = fitted(X, y, truth, free)
        said = list(asks_for_intercepts(model, as_sample(X, y), free))
        assert len(said) == expected
    assert "Use fit_intercept=True" in said[0]
