"""The stages of a fit: which ends of the climbs are set aside, and what is said of them."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from moelib import AssumptionWarning, ConvergenceWarning, GatedModel, MixtureOfExperts
from moelib.estimator.stages import answers_exactly
from moelib.parameters import FreeParameters
from moelib.validation import as_sample

FREE = FreeParameters(intercepts=True, noise="per-expert")


def through(rows, X, y):
    """The expert that answers three rows of two columns exactly, and the two halves of the rest."""
    Z = np.column_stack([X, np.ones(len(X))])
    exact = np.linalg.solve(Z[rows], y[rows])
    experts = np.array([[1.0, 0.5], [-1.0, 1.0], exact[:2]])
    return GatedModel(experts, np.zeros((2, 2)), [0.5, 0.5, 1e-7], "identity", [0.0, 0.0, exact[2]])


@pytest.mark.parametrize("seed", range(3))
def test_an_expert_through_few_samples_says_nothing_of_the_labels(seed):
    """There is one through any three samples; one that answers fifty ties is another matter."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((200, 2))
    first = rng.random(200) < 0.5
    y = np.where(first, X @ [1.0, 0.5], X @ [-1.0, 1.0]) + 0.5 * rng.standard_normal(200)
    model = through([0, 1, 2], X, y)
    assert model.posterior(X, y)[:, 2].sum() == pytest.approx(3, abs=0.01)
    assert not answers_exactly(model, as_sample(X, y), FREE)
    tied = np.where(np.arange(200) < 50, 1.25, y)
    flat = replace(
        model,
        experts=np.vstack([model.experts[:2], np.zeros(2)]),
        expert_intercepts=[0.0, 0.0, 1.25],
    )
    assert flat.posterior(X, tied)[:, 2].sum() == pytest.approx(50, abs=0.01)
    assert answers_exactly(flat, as_sample(X, tied), FREE)
    weights = np.where(np.arange(200) < 50, 0.02, 1.0) * 200
    weights[:50] = 0.0
    weights[:3] = 1.0
    assert not answers_exactly(flat, as_sample(X, tied, weights), FREE)


def test_a_fixed_price_is_spoken_of_and_a_few_points_are_not():
    """Both have starts that end likelier with a collapsed noise."""
    quiet = dict(init="random", n_init=10, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        rng = np.random.default_rng(0)
        x = rng.uniform(0, 10, 300)
        y = np.where(x < 5, 10.0, 300 + 2 * x + 10 * rng.standard_normal(300))
        fixed = MixtureOfExperts(2, **quiet).fit(x[:, None], y)
        likelier, few = 0, []
        for seed in range(12):
            rng = np.random.default_rng(seed)
            X = rng.standard_normal((120, 3))
            first = rng.random(120) < 0.5
            y = np.where(first, X @ [1.0, 0.5, 0], X @ [-1.0, 1.0, 0]) + 0.5 * rng.standard_normal(
                120
            )
            fit = MixtureOfExperts(3, **quiet).fit(X, y)
            likelier += 120 * fit.start_objectives_.max() > fit.log_likelihood_ + 1
            few += [remark for remark in fit.remarks_ if "were set aside" in remark]
    assert any("were set aside" in remark for remark in fixed.remarks_)
    assert likelier >= 1 and few == []


@pytest.mark.parametrize("weighted", [False, True])
def test_fewer_different_samples_than_experts_need_no_clusters(weighted):
    """scikit-learn's k-means would warn of them."""
    X = np.repeat([[0.0, 1], [2, 3], [5, 5]], 100, axis=0)
    y = np.repeat([1.0, 2, 7], 100)
    weights = np.repeat([1.0, 1, 0], 100) if weighted else None
    rows = slice(None) if weighted else y < 5
    fit = MixtureOfExperts(3, noise="shared", n_init=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for own in (AssumptionWarning, ConvergenceWarning):
            warnings.simplefilter("ignore", own)
        fit.fit(X[rows], y[rows], weights)
    np.testing.assert_allclose(fit.predict(X[:200]), y[:200], atol=1e-4)
    assert any("has collapsed" in remark for remark in fit.remarks_)
