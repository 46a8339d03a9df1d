"""Where climbs begin: three kinds of start, their scale, and what weights do to them."""

import numpy as np
import pytest

from moelib import (
    FreeParameters,
    expectation_maximization,
    make_start,
    random_start,
    regressor_error,
)

DESIGN = dict(d=4, n_experts=2, noise=0.1)


@pytest.mark.parametrize("init", ["random", "responsibilities", "kmeans"])
@pytest.mark.parametrize("free", [FreeParameters(), FreeParameters(intercepts=True)])
def test_every_kind_of_start_leads_to_the_experts(standard, init, free):
    model, X, y = standard(1500, **DESIGN)
    start, other = (
        make_start(X, y, 2, np.random.default_rng(seed), init=init, free=free) for seed in (1, 2)
    )
    assert not np.allclose(start.experts, other.experts) or init == "kmeans"
    fit = expectation_maximization(X, y, start, free=free)
    assert regressor_error(fit.model.experts, model.experts) < 1e-2


@pytest.mark.parametrize("weights", [None, np.arange(1500) % 4])
def test_start_from_responsibilities_is_least_squares_on_a_random_half(standard, weights):
    _, X, y = standard(1500, **DESIGN)
    options = dict(init="responsibilities", sample_weight=weights)
    start = make_start(X, y, 2, np.random.default_rng(5), **options)
    root = np.sqrt(np.ones(1500) if weights is None else weights)
    rng = np.random.default_rng(5)
    rng.standard_normal((2, 4))
    groups = rng.integers(2, size=len(y))
    for i in range(2):
        mine = root[groups == i]
        design = X[groups == i] * mine[:, None]
        by_hand = np.linalg.lstsq(design, y[groups == i] * mine, rcond=None)[0]
        np.testing.assert_allclose(start.experts[i], by_hand, atol=1e-10)


def test_random_start_has_the_labels_scale(instance):
    _, X, y = instance(n=5000)
    start = random_start(X, 100 * y + 7, 3, np.random.default_rng(0), fit_intercept=True)
    assert start.noise == pytest.approx(np.std(100 * y))
    spread = np.std(start.expert_means(X), axis=0)
    np.testing.assert_allclose(spread, np.std(100 * y), rtol=0.5)


def test_random_start_sees_repetitions_in_the_weights(standard):
    _, X, y = standard(300, d=5, n_experts=2, noise=0.3)
    counts = np.where(y > 0.5, 5, 1)
    options = dict(fit_intercept=True)
    weighted = random_start(X, y, 2, np.random.default_rng(0), **options, sample_weight=counts)
    X, y = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    repeated = random_start(X, y, 2, np.random.default_rng(0), **options)
    for name in ("experts", "noise", "expert_intercepts"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-10)


def test_random_start_is_unchanged_by_equal_weights(standard):
    _, X, y = standard(300, d=5, n_experts=2, noise=0.3)
    one, two = (
        random_start(X, y, 2, np.random.default_rng(0), sample_weight=w)
        for w in (None, np.ones(300))
    )
    np.testing.assert_allclose(one.experts, two.experts, rtol=1e-12)


def test_the_two_doors_make_the_same_random_start(standard):
    _, X, y = standard(300, **DESIGN)
    for intercepts in (False, True):
        options = dict(noise=0.2, sample_weight=np.arange(300))
        one = random_start(X, y, 2, np.random.default_rng(0), fit_intercept=intercepts, **options)
        free = FreeParameters(intercepts=intercepts)
        other = make_start(X, y, 2, np.random.default_rng(0), free=free, **options)
        np.testing.assert_array_equal(one.experts, other.experts)
        np.testing.assert_array_equal(one.expert_intercepts, other.expert_intercepts)
        assert one.noise == other.noise == 0.2


def test_random_gates_have_their_length_in_units_of_the_inputs(standard):
    """Inputs that are ten times as large get gates a tenth as long; no other number changes."""
    _, X, y = standard(5000, **DESIGN)
    options = dict(free=FreeParameters(intercepts=True))
    for scale in (1.0, 10.0):
        still, moved = (
            make_start(scale * X, y, 40, np.random.default_rng(3), **options, gate_norm=norm)
            for norm in (0.0, 2.0)
        )
        spread = scale * np.sqrt(np.mean(np.var(X, axis=0)))
        np.testing.assert_allclose(np.linalg.norm(moved.gates, axis=1) * spread, 2.0, rtol=1e-12)
        np.testing.assert_array_equal(still.gates, 0)
        np.testing.assert_array_equal(moved.gate_intercepts, 0)
        for name in ("experts", "noise", "expert_intercepts"):
            np.testing.assert_array_equal(getattr(still, name), getattr(moved, name))
    assert np.linalg.norm(moved.gates.mean(axis=0)) * spread < 4 * 2 / np.sqrt(39)


def test_random_gates_come_after_the_numbers_of_an_indifferent_start(standard):
    """The generator written out: experts, then their intercepts, then the gates' directions."""
    _, X, y = standard(300, **DESIGN)
    made = random_start(X, y, 3, np.random.default_rng(4), fit_intercept=True, gate_norm=1.5)
    rng = np.random.default_rng(4)
    rng.standard_normal((3, 4)), rng.standard_normal(3)
    directions = rng.standard_normal((2, 4))
    directions *= 1.5 / np.linalg.norm(directions, axis=1, keepdims=True)
    spread = np.sqrt(np.mean(np.var(X, axis=0)))
    np.testing.assert_allclose(made.gates * spread, directions, rtol=1e-12)


def test_bad_calls(standard):
    _, X, y = standard(100, **DESIGN)
    with pytest.raises(ValueError, match="init must be one of"):
        make_start(X, y, 2, np.random.default_rng(0), init="zero")
    with pytest.raises(ValueError, match="noise must be a positive"):
        random_start(X, y, 2, np.random.default_rng(0), noise=0)
    for door in (make_start, random_start):
        with pytest.raises(ValueError, match="gate_norm must be a finite number of at least 0"):
            door(X, y, 2, np.random.default_rng(0), gate_norm=-1.0)
    for options in (dict(init="kmeans"), dict(free=FreeParameters(gate_slopes=False))):
        with pytest.raises(ValueError, match="gate_norm is for"):
            make_start(X, y, 2, np.random.default_rng(0), gate_norm=1.0, **options)
    with pytest.raises(ValueError, match="rng must be a numpy.random.Generator"):
        random_start(X, y, 2, 0)
