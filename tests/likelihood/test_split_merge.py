from dataclasses import replace

import numpy as np
import pytest

from moelib import (
    FreeParameters,
    GatedModel,
    make_start,
    random_start,
    regressor_error,
    standard_model,
)
from moelib.gates.degeneracy import is_sound
from moelib.likelihood import expectation_maximization, split_merge_em
from moelib.likelihood.split_merge import _first_gain, concentrated_fit, reseeded
from moelib.validation import ConvergenceWarning, as_sample

FREE = FreeParameters()


def stuck(seed, k=10, n=4000):
    """Data, and a random start from which EM ends away from the truth."""
    model = standard_model(d=2 * k, n_experts=k)
    X, y = model.sample(n, np.random.default_rng(seed))
    return model, X, y, random_start(X, y, k, np.random.default_rng(50000 + seed))


def test_repairs_free_em_where_it_is_stuck():
    model, X, y, start = stuck(1003)
    plain = expectation_maximization(X, y, start)
    fit = split_merge_em(X, y, start)
    assert regressor_error(plain.model.experts, model.experts) > 0.1
    assert regressor_error(fit.model.experts, model.experts) < 0.001
    assert fit.objective > plain.objective + 0.3


@pytest.mark.parametrize(
    "free, link",
    [
        (FreeParameters(noise=False), "identity"),
        (FreeParameters(intercepts=True, gate_ridge=1e-3), "identity"),
        (FreeParameters(gate_slopes=False), "identity"),
        (FreeParameters(intercepts=True), "tanh"),
        (FREE, "relu"),
        (FreeParameters(intercepts=True, noise="per-expert"), "identity"),
        (FreeParameters(True, expert_features=(0, 1, 2, 3), gate_features=(4, 5)), "identity"),
    ],
)
def test_repairs_climb_from_the_end_of_em(free, link):
    rng = np.random.default_rng(0)
    model = standard_model(d=8, n_experts=4, noise=0.1, link=link)
    X, y = model.sample(400, rng)
    weights = rng.uniform(0.5, 2.0, 400)
    start = make_start(X, y, 4, rng, link=link, free=free, noise=None if free.noise else 0.3)
    options = dict(free=free, sample_weight=weights, max_iter=400, tol=1e-6)
    plain = expectation_maximization(X, y, start, **options)
    fit = split_merge_em(X, y, start, max_repairs=3, **options)
    m = len(plain.history)
    assert fit.history[:m] == plain.history
    assert len(fit.path) == len(fit.history) and np.diff(fit.history).min() > -1e-9
    assert fit.model.n_experts == 4 and fit.path[-1] is fit.model
    if not free.noise:
        assert fit.model.noise == start.noise
    if not free.intercepts:
        assert not np.any(fit.model.expert_intercepts)


def test_repairs_gain_somewhere():
    """The gain of the test before: what it compares is not EM with itself."""
    rng = np.random.default_rng(0)
    model = standard_model(d=8, n_experts=4)
    X, y = model.sample(400, rng)
    pair = GatedModel(model.experts[[0, 0, 1, 2]], model.gates[[0, 0, 1]] * [[1], [0.5], [1]], 0.5)
    plain = expectation_maximization(X, y, pair, max_iter=400, tol=1e-6)
    fit = split_merge_em(X, y, pair, max_iter=400, tol=1e-6)
    assert len(fit.history) >= len(plain.history)
    assert regressor_error(fit.model.experts, model.experts) < 0.01


def test_no_repair_is_plain_em():
    _, X, y, start = stuck(0, k=3, n=300)
    plain = expectation_maximization(X, y, start)
    assert split_merge_em(X, y, start, max_repairs=0).history == plain.history
    two = random_start(X, y, 2, np.random.default_rng(0))
    assert split_merge_em(X, y, two).history == expectation_maximization(X, y, two).history


@pytest.mark.parametrize("link", ["identity", "tanh"])
def test_a_concentrated_fit_finds_the_larger_of_two_groups(link):
    """The first two thirds of the pool are one expert's, the rest another's."""
    rng = np.random.default_rng(3)
    truth = GatedModel(np.eye(4)[:2], np.zeros((1, 4)), 0.01, link)
    X = rng.standard_normal((300, 4))
    means = truth.expert_means(X)
    y = np.where(np.arange(300) < 200, means[:, 0], means[:, 1])
    order = rng.permutation(300)
    sample, first = as_sample(X, y), 0.1 * np.ones(4)
    options = dict(free=FREE, link=truth.link)
    row = concentrated_fit(first, sample, order, 0.4, width=2.5, **options)
    np.testing.assert_allclose(row, truth.experts[0], atol=1e-3)
    everything = concentrated_fit(first, sample, order, 1.0, width=1.0, **options)
    assert abs(everything[0] - 1) > 0.1


def test_a_new_expert_lands_on_the_samples_that_no_other_fits():
    """Expert 0 is missing, expert 1 is there twice: the new one is expert 0."""
    model = standard_model(d=8, n_experts=4)
    X, y = model.sample(2000, np.random.default_rng(4))
    pair = GatedModel(model.experts[[1, 1, 2, 3]], model.gates, model.noise)
    new = reseeded(pair, 0, as_sample(X, y), FREE, width=1)
    np.testing.assert_allclose(new.experts[-1], model.experts[0], atol=0.15)  # others: 1 away
    np.testing.assert_allclose(new.experts[:3], model.experts[1:])
    p = new.gate_probabilities(X)
    others = np.log(p[:, :3])
    np.testing.assert_allclose(np.log(p[:, 3]), others.mean(axis=1))
    left = np.exp(pair.log_gate_probabilities(X)[:, 1:])
    np.testing.assert_allclose(
        p[:, :3] / p[:, :3].sum(1, keepdims=True), left / left.sum(1, keepdims=True)
    )


def test_a_new_expert_gets_a_noise_of_its_own():
    """The root mean square of the others', for that of the dropped may be tiny; if known, its."""
    model = standard_model(d=8, n_experts=4)
    X, y = model.sample(500, np.random.default_rng(4))
    noises = np.array([1e-6, 0.1, 0.2, 0.4])
    each, sample = replace(model, noise=noises), as_sample(X, y)
    learned = reseeded(each, 0, sample, FreeParameters(noise="per-expert"), width=1)
    np.testing.assert_array_equal(learned.noise[:3], noises[1:])
    assert learned.noise[3] == pytest.approx(np.sqrt(np.mean(noises[1:] ** 2)))
    known = reseeded(each, 2, sample, FreeParameters(noise=False), width=1)
    np.testing.assert_array_equal(known.noise, noises[[0, 1, 3, 2]])


def test_a_repair_does_not_trade_soundness_for_likelihood():
    """Some labels repeat: an expert put on them would be as likely as it likes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 2))
    truth = GatedModel([[2.0, 0], [-2, 0], [0, 2]], np.zeros((2, 2)), 0.5)
    y = np.where(rng.random(300) < 0.1, 0.7, truth.sample_labels(X, rng)[0])
    free = FreeParameters(intercepts=True, noise="per-expert")
    sample, start = as_sample(X, y), replace(truth, noise=[0.5, 0.5, 0.5])
    plain = expectation_maximization(X, y, start, free=free, tol=1e-7)
    fit = split_merge_em(X, y, start, free=free, tol=1e-7)
    assert is_sound(plain.model, sample, free) and is_sound(fit.model, sample, free)
    spike = replace(
        plain.model,
        experts=plain.model.experts * [[0], [1], [1]],
        expert_intercepts=[0.7, *plain.model.expert_intercepts[1:]],
        noise=[1e-3, *plain.model.noise[1:]],
    )
    better = expectation_maximization(X, y, spike, free=free, tol=1e-7)
    assert better.objective > fit.objective and not is_sound(better.model, sample, free)


def test_unfinished_repairs_warn():
    _, X, y, start = stuck(0, k=3, n=300)
    with pytest.warns(ConvergenceWarning, match="^EM did not converge in 2 "):
        split_merge_em(X, y, start, max_iter=2, max_repairs=0)


def test_a_repair_that_only_comes_back_is_not_kept():
    """At the right maximum every repair ends there again, or lower: none of them is a gain."""
    model = standard_model(d=6, n_experts=3)
    X, y = model.sample(600, np.random.default_rng(0))
    sample, top = as_sample(X, y), expectation_maximization(X, y, model)
    assert _first_gain(sample, top, FREE) is None
    pair = GatedModel(model.experts[[0, 0, 1]], model.gates, 0.5)
    stuck_at = expectation_maximization(X, y, pair, max_iter=3, tol=np.inf)
    assert _first_gain(sample, stuck_at, FREE).objective > stuck_at.objective
