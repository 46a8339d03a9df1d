"""What a fit says of new inputs: answers, gates, distribution, intervals and draws."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, kstest, norm

from moelib import GatedModel, MixtureOfExperts

N = 1200


@pytest.fixture(scope="module")
def fitted():
    """A fit of a table with unequal noises, and new inputs."""
    model = GatedModel(
        [[1.0, 0.5], [-1.0, 1.0]], [[2.0, -1.0]], [0.3, 1.0], "identity", [3.0, -3.0], [0.3]
    )
    rng = np.random.default_rng(0)
    X, y = model.sample(N, rng)
    frame = pd.DataFrame(X, columns=["dose", "age"])
    fit = MixtureOfExperts(2, n_init=2, random_state=0).fit(frame, y)
    fresh = rng.standard_normal((300, 2))
    return fit, pd.DataFrame(fresh, columns=["dose", "age"]), model.sample_labels(fresh, rng)[0]


def parts(fit, frame):
    """Gate probabilities and answers from the attributes, by hand."""
    X = frame.to_numpy()
    score = X @ fit.gates_[0] + fit.gate_intercepts_[0]
    p = 1 / (1 + np.exp(-score))
    return np.column_stack([p, 1 - p]), X @ fit.experts_.T + fit.expert_intercepts_


def test_answers_gates_and_their_mean(fitted):
    fit, frame, _ = fitted
    p, answers = parts(fit, frame)
    np.testing.assert_allclose(fit.gate_probabilities(frame), p, rtol=1e-10)
    np.testing.assert_allclose(fit.expert_answers(frame), answers, rtol=1e-10)
    np.testing.assert_allclose(fit.predict(frame), np.sum(p * answers, axis=1), rtol=1e-10)


def test_density_distribution_and_posterior_by_scipy(fitted):
    fit, frame, y = fitted
    p, answers = parts(fit, frame)
    each = norm(answers, fit.noises_)
    joint = p * each.pdf(y[:, None])
    np.testing.assert_allclose(fit.log_density(frame, y), np.log(joint.sum(axis=1)), rtol=1e-9)
    np.testing.assert_allclose(
        fit.posterior(frame, y), joint / joint.sum(axis=1, keepdims=True), atol=1e-12
    )
    below = np.sum(p * each.cdf(y[:, None]), axis=1)
    np.testing.assert_allclose(fit.cdf(frame, y), below, atol=1e-12)
    for labels in (pd.Series(y, index=np.arange(300) + 9), y[:, None], y.tolist()):
        np.testing.assert_array_equal(fit.cdf(frame, labels), fit.cdf(frame, y))


def test_quantiles_invert_the_distribution(fitted):
    fit, frame, _ = fitted
    several = fit.quantile(frame, [0.1, 0.5, 0.9])
    assert several.shape == (300, 3)
    np.testing.assert_array_equal(fit.quantile(frame, 0.5), several[:, 1])
    for level, column in zip((0.1, 0.5, 0.9), several.T, strict=True):
        np.testing.assert_allclose(fit.cdf(frame, column), level, rtol=1e-10)
    interval = fit.predict_interval(frame, 0.8)
    np.testing.assert_allclose(interval, several[:, [0, 2]], rtol=1e-9)


def test_intervals_hold_their_share_of_new_labels(fitted):
    """Between two regimes too, where the mean lies where no label does."""
    fit, frame, y = fitted
    for level in (0.5, 0.9, 0.99):
        low, high = fit.predict_interval(frame, level).T
        inside = np.sum((low <= y) & (y <= high))
        assert 1e-3 < binom.cdf(inside, 300, level) or inside / 300 > level
        assert binom.sf(inside - 1, 300, level) > 1e-3 or inside / 300 < level


def test_draws_against_the_distribution_and_monte_carlo(fitted):
    fit, frame, _ = fitted
    draws = fit.sample(frame, n_draws=200, random_state=0)
    assert draws.shape == (200, 300) and fit.sample(frame, random_state=0).shape == (300,)
    np.testing.assert_array_equal(draws, fit.sample(frame, n_draws=200, random_state=0))
    assert np.any(draws != fit.sample(frame, n_draws=200, random_state=1))
    ranks = np.array([fit.cdf(frame, labels) for labels in draws[:20]]).ravel()
    assert kstest(ranks, "uniform").pvalue > 1e-4
    p, answers = parts(fit, frame)
    mean = np.sum(p * answers, axis=1)
    variance = np.sum(p * (answers**2 + fit.noises_**2), axis=1) - mean**2
    z = (draws.mean(axis=0) - fit.predict(frame)) / np.sqrt(variance / 200)
    assert np.abs(z).max() < 5 and 0.7 < z.std() < 1.3


def test_what_is_asked_for_must_make_sense(fitted):
    fit, frame, y = fitted
    for level in (0, 1, 1.5, 95, "a", np.nan):
        with pytest.raises(ValueError, match="level must be a number strictly between 0 and 1"):
            fit.predict_interval(frame, level)
    for q in (0.0, [0.5, 1.0], -0.1):
        with pytest.raises(ValueError, match="levels must be strictly between 0 and 1"):
            fit.quantile(frame, q)
    for n_draws in (0, 1.5, -1):
        with pytest.raises(ValueError, match="n_draws must be an integer of at least 1"):
            fit.sample(frame, n_draws=n_draws)
    with pytest.raises(ValueError, match="random_state must be None"):
        fit.sample(frame, random_state="seed")
    for call in (fit.cdf, fit.posterior, fit.log_density):
        with pytest.raises(ValueError, match="y must have length 300, got 299"):
            call(frame, y[1:])
        with pytest.raises(ValueError, match="y must be finite"):
            call(frame, np.full(300, np.nan))
    with pytest.raises(ValueError, match="feature names should match"):
        fit.predict(frame[["age", "dose"]])
    with pytest.raises(ValueError, match="dose"):
        fit.predict_interval(frame.assign(dose=np.nan))
