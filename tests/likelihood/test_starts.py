"""Where climbs begin: three kinds of start, their scale, and what weights do to them."""

from itertools import product

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
    """Of each column with intercepts, pooled without; no other number of the start changes."""
    _, X, y = standard(5000, **DESIGN)
    for intercepts, scale in product([False, True], [1.0, 10.0, [1, 10, 100, 1000]]):
        free, inputs = FreeParameters(intercepts=intercepts), X * scale + 3 * intercepts
        still, moved = (
            make_start(inputs, y, 40, np.random.default_rng(3), free=free, gate_norm=norm)
            for norm in (0.0, 2.0)
        )
        spread = np.std(inputs, axis=0)
        if not intercepts:  # of columns that powers of two have brought to a mean square near one
            power = 2.0 ** np.trunc(np.log2(np.sqrt(np.mean(inputs**2, axis=0))))
            spread = power * np.sqrt(np.mean(np.var(inputs / power, axis=0)))
        in_units = moved.gates * spread
        np.testing.assert_allclose(np.linalg.norm(in_units, axis=1), 2.0, rtol=1e-12)
        assert np.linalg.norm(in_units.mean(axis=0)) < 4 * 2 / np.sqrt(39)
        np.testing.assert_array_equal(still.gates, 0)
        centre = intercepts * inputs.mean(axis=0)
        np.testing.assert_allclose(moved.gates @ centre + moved.gate_intercepts, 0, atol=1e-9)
        for name in ("experts", "noise", "expert_intercepts"):
            np.testing.assert_array_equal(getattr(still, name), getattr(moved, name))


def test_random_gates_come_after_the_numbers_of_an_indifferent_start(standard):
    """The generator written out: experts, then their intercepts, then the gates' directions."""
    _, X, y = standard(300, **DESIGN)
    made = random_start(X, y, 3, np.random.default_rng(4), fit_intercept=True, gate_norm=1.5)
    rng = np.random.default_rng(4)
    rng.standard_normal((3, 4)), rng.standard_normal(3)
    directions = rng.standard_normal((2, 4))
    directions *= 1.5 / np.linalg.norm(directions, axis=1, keepdims=True)
    np.testing.assert_allclose(made.gates * np.std(X, axis=0), directions, rtol=1e-10)


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


@pytest.mark.parametrize("init", ["random", "responsibilities", "kmeans"])
@pytest.mark.parametrize("link", ["identity", "relu", "tanh"])
def test_starts_do_not_depend_on_units_and_offsets(standard, init, link):
    """The same answers, gates and noise, in the units of the data; tanh has its labels' own."""
    _, X, y = standard(400, **DESIGN)
    free, weights = FreeParameters(intercepts=True), np.arange(400) % 3
    options = dict(free=free, link=link, init=init, sample_weight=weights)
    scale, offset = np.array([1e-6, 1.0, 40.0, 1e5]), np.array([0.0, 2e3, -5.0, 1e9])
    label_scale = 1.0 if link == "tanh" else 1e4
    label_offset = 3e6 if link == "identity" else 0.0
    moved_data = scale * X + offset, label_scale * y + label_offset
    plain, moved = (
        make_start(*data, 3, np.random.default_rng(0), **options) for data in ((X, y), moved_data)
    )
    answers = (moved.expert_means(moved_data[0]) - label_offset) / label_scale
    np.testing.assert_allclose(answers, plain.expert_means(X), atol=1e-8)
    p = moved.gate_probabilities(moved_data[0])
    np.testing.assert_allclose(p, plain.gate_probabilities(X), atol=1e-8)
    assert moved.noise == pytest.approx(label_scale * plain.noise, rel=1e-9)


@pytest.mark.parametrize("init", ["random", "responsibilities", "kmeans"])
def test_starts_keep_to_the_columns_that_experts_and_gates_may_use(standard, init):
    _, X, y = standard(400, **DESIGN)
    free = FreeParameters(intercepts=True, expert_features=(0, 3), gate_features=(1,))
    norm = 1.5 if init == "random" else 0.0
    options = dict(init=init, free=free, gate_norm=norm)
    start = make_start(X, y, 3, np.random.default_rng(0), **options)
    assert np.all((start.experts != 0) == [True, False, False, True])
    assert not np.any(start.gates[:, [0, 2, 3]]) and np.all(start.gates[:, 1])


def test_a_constant_column_gets_no_slope_with_intercepts(standard):
    _, X, y = standard(200, **DESIGN)
    wide = np.column_stack([X, np.full(200, 1e8 + 0.1)])
    free = FreeParameters(intercepts=True)
    start = make_start(wide, y, 2, np.random.default_rng(0), free=free, gate_norm=1.0)
    assert not np.any(start.experts[:, 4]) and not np.any(start.gates[:, 4])
    assert np.all(start.experts[:, :4])


def test_one_expert_can_start(standard):
    _, X, y = standard(200, **DESIGN)
    for init in ("random", "responsibilities", "kmeans"):
        start = make_start(X, y, 1, np.random.default_rng(0), init=init)
        assert start.experts.shape == (1, 4) and start.gates.shape == (0, 4)
    with pytest.raises(ValueError, match="n_experts must be an integer of at least 1, got 0"):
        make_start(X, y, 0, np.random.default_rng(0))


def test_a_known_noise_is_the_starts_to_its_last_digit(standard):
    _, X, y = standard(200, **DESIGN)
    free = FreeParameters(intercepts=True, noise=False)
    for init in ("random", "kmeans"):
        start = make_start(X, 7 * y, 2, np.random.default_rng(0), init=init, free=free, noise=0.3)
        assert start.noise == 0.3


@pytest.mark.parametrize("value", [0.0, 3.0, 1e8 + 0.1])
def test_labels_that_are_all_the_same_are_refused(standard, value):
    _, X, y = standard(50, **DESIGN)
    for free in (FreeParameters(), FreeParameters(intercepts=True)):
        with pytest.raises(ValueError, match="y must not be the same for all samples"):
            make_start(X, np.full(50, value), 2, np.random.default_rng(0), free=free)
