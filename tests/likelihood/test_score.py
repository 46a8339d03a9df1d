"""The score of a sample, against finite differences of the log-density."""

import numpy as np
import pytest

from moelib import FreeParameters, GatedModel
from moelib.likelihood import mean_score, score_moments, scores
from moelib.likelihood.em import penalised


@pytest.mark.parametrize("link", ["identity", "tanh", "sigmoid"])
def test_scores_against_finite_differences(instance, link, free):
    model, X, y = instance(link=link, free=free, n=30)
    S = scores(model, X, y, free=free)
    assert S.shape == (30, free.count(3, 2))
    theta = free.vector(model)
    for j, step in enumerate(1e-6 * np.eye(len(theta))):
        above, below = (free.from_vector(theta + e, like=model) for e in (step, -step))
        slope = (above.log_density(X, y) - below.log_density(X, y)) / 2e-6
        np.testing.assert_allclose(S[:, j], slope, atol=1e-6)


def test_moments_are_those_of_the_scores(instance, free):
    model, X, y = instance(free=free)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y))
    S, share = scores(model, X, y, free=free), weights / weights.sum()
    score, J = score_moments(model, X, y, free=free, sample_weight=weights)
    np.testing.assert_allclose(score, share @ S, atol=1e-12)
    np.testing.assert_allclose(J, (S * share[:, None]).T @ S, atol=1e-10)
    alone = mean_score(model, X, y, free=free, sample_weight=weights)
    np.testing.assert_allclose(alone, score, rtol=1e-12, atol=1e-14)


def test_score_moments_do_not_depend_on_the_blocks(instance, monkeypatch):
    model, X, y = instance()
    whole = score_moments(model, X, y)
    monkeypatch.setattr("moelib.data.batches.BLOCK", 17)
    for cut, one in zip(score_moments(model, X, y), whole, strict=True):
        np.testing.assert_allclose(cut, one, atol=1e-12)


def test_score_and_information_with_a_ridge_are_those_of_the_penalised_likelihood(standard):
    """Finite differences of what EM climbs; the information gains the penalty's curvature."""
    model, X, y = standard(200, d=4, n_experts=2, noise=0.3)
    free, plain = FreeParameters(intercepts=True, gate_ridge=0.7), FreeParameters(intercepts=True)
    theta, steps = free.vector(model), 1e-6 * np.eye(free.count(2, 4))

    def climbed(vector):
        at = free.from_vector(vector, like=model)
        return penalised(at.log_density(X, y), at, free)

    slope = [(climbed(theta + e) - climbed(theta - e)) / 2e-6 for e in steps]
    score, J = score_moments(model, X, y, free=free)
    np.testing.assert_allclose(score, slope, atol=1e-6)
    extra = np.diag(J - score_moments(model, X, y, free=plain)[1])
    np.testing.assert_allclose(extra, np.repeat([0, 0.7, 0], [10, 4, 2]), atol=1e-12)


def test_known_noises_of_single_experts_enter_the_scores(instance):
    """As if they were learned, without the scores of their logarithms."""
    model, X, y = instance(free=FreeParameters(noise="per-expert"))
    S = scores(model, X, y, free=FreeParameters(noise=False))
    whole = scores(model, X, y, free=FreeParameters(noise="per-expert"))
    np.testing.assert_array_equal(S, whole[:, :-3])
    one = scores(GatedModel(model.experts, model.gates, 0.5), X, y)
    assert np.abs(S - one[:, :-1]).max() > 0.1


def test_scores_of_several_noises_add_up_to_that_of_one(instance):
    model, X, y = instance()
    each = scores(model, X, y, free=FreeParameters(noise="per-expert"))
    one = scores(model, X, y)
    np.testing.assert_allclose(each[:, -3:].sum(axis=1), one[:, -1], atol=1e-12)
    np.testing.assert_allclose(each[:, :-3], one[:, :-1], atol=1e-12)


def test_one_noise_has_no_score_where_there_are_several(instance):
    model, X, y = instance(free=FreeParameters(noise="per-expert"))
    for look in (scores, mean_score, score_moments):
        with pytest.raises(ValueError, match="the model has a noise for each expert"):
            look(model, X, y)


def test_one_expert_has_no_gate_in_its_score(instance):
    """The score of a regression: e x / sigma^2, and e^2 / sigma^2 - 1."""
    _, X, y = instance()
    model = GatedModel([[1.0, -0.5]], [], 0.7)
    e = y - model.mean(X)
    expected = np.column_stack([e[:, None] * X / 0.49, e**2 / 0.49 - 1])
    for noise in (True, "per-expert"):
        S = scores(model, X, y, free=FreeParameters(noise=noise))
        np.testing.assert_allclose(S, expected, atol=1e-12)
