"""Fits from twins: never below the smaller model, and never a collapse before a sound one."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from moelib import GatedModel, MixtureOfExperts
from moelib.climb import Climb
from moelib.estimator import stages
from moelib.estimator.twins import from_twins, is_nested

QUICK = dict(n_init=1, random_state=0)


def quiet(call, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return call(*arguments)


def draw(seed, n=300):
    model = GatedModel(
        [[1.0, 0.5, 0], [-1.0, 1.0, 0]], [[0, 0, 2.0]], [0.3, 0.6], "identity", [1.0, -1.0]
    )
    return model.sample(n, np.random.default_rng(seed))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        dict(noise="shared"),
        dict(noise=0.4),
        dict(constant_gate=True),
        dict(gate_features=[2]),
        dict(method="two-loss", truncate=3.0),
        dict(method="em-pruned"),
        dict(order_by="share"),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_fit_from_twins_is_not_below_the_smaller_one(settings, weighted):
    """Whatever was asked for, and two experts at once as well as one."""
    X, y = draw(0)
    weights = np.arange(300) % 3 * 1.0 if weighted else None
    small = quiet(MixtureOfExperts(1, **QUICK, **settings).fit, X, y, weights)
    for k in (2, 3):
        large = quiet(MixtureOfExperts(k, **QUICK, **settings).fit, X, y, weights)
        assert is_nested(large)
        again, _ = quiet(from_twins, large, small.model_, (X, y, weights))
        assert again.log_likelihood_ >= small.log_likelihood_ - 1e-6
        assert again.model_.n_experts == k and again.n_parameters_ == large.n_parameters_
        assert again.n_samples_ == large.n_samples_


def test_a_ridge_and_gates_without_intercepts_are_not_nested():
    X, y = draw(0)
    for settings in (dict(gate_ridge=0.1), dict(fit_intercept=False)):
        assert not is_nested(quiet(MixtureOfExperts(2, **QUICK, **settings).fit, X, y))


# --- a collapse never comes before a sound fit ----------------------------------------------------


def with_ties(seed, n=200):
    """A regression in which a fifth of the labels are exactly zero."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2))
    return X, np.where(rng.random(n) < 0.2, 0.0, 2 + X @ [1.0, -1.0] + 0.5 * rng.standard_normal(n))


@pytest.mark.parametrize("seed", range(4))
def test_the_best_start_is_sound_if_any_is(seed, monkeypatch):
    """Every end of the climbs is looked at: a collapsed one is likelier by far."""
    X, y = with_ties(seed)
    ends = []
    plain = stages._finished

    def watched(climb, settings, data, free):
        end = plain(climb, settings, data, free)
        ends.append((stages.is_sound(end.climb.model, data, free), end.climb.objective))
        return end

    monkeypatch.setattr(stages, "_finished", watched)
    collapsed = GatedModel(
        [[0, 0], [1.0, -1.0]], np.zeros((1, 2)), [1e-3, 0.5], "identity", [0, 2.0]
    )
    fit = quiet(MixtureOfExperts(2, init=collapsed, n_init=1).fit, X, y)
    assert not fit.sound_ and any("has collapsed" in remark for remark in fit.remarks_)
    ends.clear()
    mixed = MixtureOfExperts(2, n_init=8, random_state=seed)
    best = quiet(mixed.fit, X, y)
    assert best.sound_ == any(sound for sound, _ in ends)
    if best.sound_:
        assert best.log_likelihood_ < fit.log_likelihood_


@pytest.mark.parametrize("seed", range(3))
def test_a_climb_from_twins_is_sound_if_any_is(seed):
    """Exact twins of a sound fit are sound; a collapsed climb beside them would be likelier."""
    X, y = with_ties(seed)
    one = quiet(MixtureOfExperts(1).fit, X, y)
    two = quiet(MixtureOfExperts(2, n_init=3, random_state=seed).fit, X, y)
    again, _ = quiet(from_twins, two, one.model_, (X, y, None))
    assert one.sound_ and again.sound_
    assert again.log_likelihood_ >= one.log_likelihood_ - 1e-6


@pytest.mark.parametrize("bad", [0, 1])
def test_moments_keep_the_sound_end_of_two(bad, monkeypatch):
    """Of the climb from the learned gates and the one from indifferent gates."""
    X, y = draw(0)
    plain, climbs = stages.maximum_from_sample, []

    def one_collapses(data, model, **options):
        climb = plain(data, model, **options)
        if len(climbs) == bad:
            collapsed = replace(climb.model, noise=[1e-9, 0.5])
            climb = Climb(collapsed, [0.0, 1e3], True, [model, collapsed])
        climbs.append(climb)
        return climb

    monkeypatch.setattr(stages, "maximum_from_sample", one_collapses)
    fit = quiet(MixtureOfExperts(2, "two-loss", noise="per-expert", random_state=0).fit, X, y)
    assert len(climbs) == 2 and fit.sound_
    expected = climbs[1 - bad].objective - np.log(y.std())
    assert fit.history_["refine"][-1] == pytest.approx(expected)
