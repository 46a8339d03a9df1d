"""The stored experiment on which noise helps: what the book stands on, and a small run."""

import numpy as np
import pytest

from moelib import FreeParameters, joint_likelihood_sgd, random_start, standard_model
from moelib.experiments import cooling
from moelib.experiments.gradient_climb import ALL, gradient_climb
from moelib.likelihood import held_noise
from moelib.validation import as_sample


@pytest.fixture(scope="module")
def small():
    truth = standard_model(d=8, n_experts=4, noise=0.05)
    X, y = truth.sample(600, np.random.default_rng(0))
    return truth, as_sample(X, y), random_start(X, y, 4, np.random.default_rng(1))


@pytest.mark.parametrize("noise", [True, False])
def test_the_climb_taken_apart_is_the_library_s(small, noise):
    _, sample, start = small
    free = FreeParameters(noise=noise)
    mine, _ = gradient_climb(sample, start, np.random.default_rng(2), free=free, steps=300)
    theirs = joint_likelihood_sgd(
        sample.X, sample.y, start, np.random.default_rng(2), free=free, n_steps=300
    )
    np.testing.assert_allclose(mine.experts, theirs.model.experts, atol=1e-6)
    assert mine.noise == pytest.approx(theirs.model.noise, abs=1e-6)


def test_ingredients_do_what_they_are_called(small):
    _, sample, start = small

    def climb(**options):
        return gradient_climb(sample, start, np.random.default_rng(3), steps=100, **options)

    model, noises = climb(frozen_gates=1.0)
    np.testing.assert_array_equal(model.gates, start.gates)
    assert noises[0] == pytest.approx(start.noise * np.exp(-0.02), rel=1e-3)
    assert climb(noise_rate=0.1)[1][0] == pytest.approx(start.noise * np.exp(-0.002), rel=1e-3)
    path = np.geomspace(1, 0.1, 50)
    np.testing.assert_allclose(climb(noise_path=path)[1][::2], path, rtol=0.1)
    floored = climb(noise_floor=lambda rate: 50 * rate, rate=0.02)[1]
    assert np.all(floored >= 0.95 * 50 * 0.01 * (1 + np.cos(np.pi * np.arange(100) / 100)))
    plain, _ = climb(size=ALL, adam=False, rate=1e-6)
    assert 0 < np.abs(plain.experts - start.experts).max() < 1e-2
    for options in ({}, dict(adam=False)):
        one, two = (climb(size=ALL, **options)[0].experts for _ in range(2))
        np.testing.assert_array_equal(one, two)


def test_heated_arms_stay_above_what_batches_would_hold(small):
    truth, sample, start = small
    rng = np.random.default_rng(4)
    options = dict(size=ALL, steps=200)
    _, hot = cooling.gradient_arm(sample, start, truth.noise, rng, heated=True, **options)
    assert hot >= 0.98 * held_noise(0.01, 64, np.full(4, 0.25), 8, noise=truth.noise)


def test_who_is_told_the_noise_keeps_it(small):
    truth, sample, start = small
    told = dict(told=True)
    model, hot = cooling.em_arm(sample, start, truth.noise, None, **told)
    assert model.noise == hot == truth.noise
    rng = np.random.default_rng(5)
    model, hot = cooling.gradient_arm(sample, start, truth.noise, rng, steps=50, **told)
    assert (model.noise, hot) == pytest.approx((truth.noise, truth.noise))


def test_cold_batches_follow_the_noise_of_all_samples(small):
    truth, sample, start = small
    options = dict(cold=True, steps=100)
    _, hot = cooling.gradient_arm(sample, start, truth.noise, np.random.default_rng(6), **options)
    _, path = gradient_climb(sample, start, np.random.default_rng(6), **cooling.ON_ALL)
    assert hot == pytest.approx(path[len(path) // 2], rel=0.05)
    free, free_hot = cooling.gradient_arm(
        sample, start, truth.noise, np.random.default_rng(6), steps=100
    )
    assert abs(np.log(free_hot / hot)) > 0.2


def test_a_held_fit_has_its_noise(small):
    truth, sample, _ = small
    assert cooling.held(sample, truth, 0.4).noise == 0.4


def test_a_small_run_has_a_row_for_every_arm():
    cell = cooling.make_grid()[0] | dict(k=2, d=4, n=cooling.MANY)
    arms = ["em, cooling 0.03", "batch 64, told", "batch 64, cold", "all, heated"]
    cut = dict(data_sets=1, arms=arms)
    rows = cooling.run_cell(cell, np.random.SeedSequence(0), **cut)
    assert [row["method"] for row in rows] == arms
    assert all(row["e_reg"] < 1e-2 for row in rows)
    again = cooling.run_cell(cell, np.random.SeedSequence(0), **cut | dict(arms=arms[:1]))
    assert again[0]["e_reg"] == rows[0]["e_reg"]


def test_the_stored_arms(stored_table):
    """What the chapter says: told the noise nothing works, cooled slowly everything does."""
    table = stored_table("cooling")
    right = table["e_reg"] < 0.05
    hits = right.groupby([table["part"], table["n"], table["method"]]).mean()
    many = hits["arms", cooling.MANY]
    assert max(many[f"{arm}, told"] for arm in ("em", "batch 64", "all")) < 0.1
    assert min(many[arm] for arm in ("em, cooling 0.003", "all, slow", "batch 64")) > 0.85
    assert many["em"] < 0.8
