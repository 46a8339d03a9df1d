"""The law of a label given its input, against scipy's distributions, loops and draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize
from scipy.stats import binom, kstest, norm

from moelib import GatedModel
from moelib.predictive import cdf, quantiles

LEVELS = [1e-9, 0.01, 0.25, 0.5, 0.75, 0.975, 1 - 1e-9]


def random_model(seed, k, d=2, scale=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    return GatedModel(
        scale * rng.standard_normal((k, d)),
        rng.standard_normal((k - 1, d)),
        scale * 10 ** rng.uniform(-2, 0, k),
        expert_intercepts=shift + 3 * scale * rng.standard_normal(k),
        gate_intercepts=rng.standard_normal(k - 1),
    ), rng.standard_normal((20, d))


@pytest.mark.parametrize("k", [1, 2, 4])
def test_distribution_function_by_loops_over_experts(k):
    model, X = random_model(0, k)
    y = model.mean(X) + np.linspace(-2, 2, 20)
    expected = [
        sum(
            model.gate_probabilities(x[None])[0, i]
            * norm(model.expert_means(x[None])[0, i], model.noises[i]).cdf(label)
            for i in range(k)
        )
        for x, label in zip(X, y, strict=True)
    ]
    np.testing.assert_allclose(cdf(model, X, y), expected, rtol=1e-10)


def test_distribution_function_is_the_integral_of_the_density():
    model, X = random_model(1, 3)
    for x in X[:4]:
        ends = np.sort(model.expert_means(x[None])[0])
        label = float(model.mean(x[None])[0])
        below, _ = integrate.quad(
            lambda y, x=x: np.exp(model.log_density(x[None], [y])[0]),
            ends[0] - 12,
            label,
            points=[end for end in ends if end < label] or None,
            limit=500,
        )
        assert cdf(model, x[None], [label])[0] == pytest.approx(below, abs=1e-7)


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("scale, shift", [(1.0, 0.0), (1e-8, 0.0), (1e8, 0.0), (1.0, 1e6)])
def test_quantiles_are_where_the_distribution_function_has_the_level(k, scale, shift):
    model, X = random_model(2, k, scale=scale, shift=shift)
    found = quantiles(model, X, LEVELS)
    assert found.shape == (20, len(LEVELS)) and np.all(np.diff(found, axis=1) > 0)
    near = dict(rtol=1e-9) if shift == 0 else dict(rtol=1e-4, atol=1e-7)  # digits of y itself
    for column, level in zip(found.T, LEVELS, strict=True):
        np.testing.assert_allclose(cdf(model, X, column), level, **near)


def test_quantiles_by_brents_method():
    model, X = random_model(3, 3)
    found = quantiles(model, X, [0.05, 0.6])
    for x, row in zip(X, found, strict=True):
        for level, value in zip((0.05, 0.6), row, strict=True):
            root = optimize.brentq(
                lambda y, x=x, level=level: cdf(model, x[None], [y])[0] - level, -50, 50, xtol=1e-12
            )
            assert value == pytest.approx(root, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    level=st.floats(1e-12, 1 - 1e-12),
    answers=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=2),
    log_noises=st.lists(st.floats(-8, 2), min_size=2, max_size=2),
    lean=st.floats(-30, 30),
)
def test_quantiles_lie_between_those_of_the_experts(level, answers, log_noises, lean):
    """Also with one expert nearly never asked, and noises of very different size."""
    noises = 10 ** np.array(log_noises)
    model = GatedModel([[0.0], [0.0]], [[0.0]], noises, "identity", answers, [lean])
    (value,) = quantiles(model, [[0.0]], [level])[0]
    own = np.array(answers) + noises * norm.ppf(level)
    slack = 1e-5 * noises.max() + 1e-9 * np.abs(own).max()
    assert own.min() - slack <= value <= own.max() + slack


def test_high_quantiles_are_low_ones_of_the_mirrored_law():
    """Up to the last level below one, where the distribution function has no digits left."""
    tails = 2.0 ** -np.arange(30, 53)
    for seed in range(5):
        model, X = random_model(seed, 3)
        mirrored = GatedModel(
            -model.experts,
            model.gates,
            model.noise,
            "identity",
            -model.expert_intercepts,
            model.gate_intercepts,
        )
        high, low = quantiles(model, X, 1 - tails), quantiles(mirrored, X, tails)
        np.testing.assert_allclose(high, -low, rtol=1e-12)
        assert np.all(np.isfinite(low)) and np.all(np.diff(low, axis=1) < 0)


def test_one_expert_has_normal_quantiles():
    model = GatedModel([[2.0]], [], 0.5, expert_intercepts=[1.0])
    expected = norm(loc=[[1.0], [5.0]], scale=0.5).ppf([0.1, 0.9])
    np.testing.assert_allclose(quantiles(model, [[0.0], [2.0]], [0.1, 0.9]), expected, rtol=1e-10)


def test_draws_have_the_law():
    """Their probability integral transform is uniform, and quantiles hold their share of them."""
    model, _ = random_model(4, 3)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 2))
    y, _ = model.sample_labels(X, rng)
    assert kstest(cdf(model, X, y), "uniform").pvalue > 1e-4
    for level, column in zip(
        (0.05, 0.5, 0.9), quantiles(model, X, [0.05, 0.5, 0.9]).T, strict=True
    ):
        assert 1e-4 < binom.cdf(np.sum(y <= column), 4000, level) < 1 - 1e-4


@pytest.mark.parametrize("levels", [[0.0], [1.0], [0.5, 1.2], [-0.1], [np.nan]])
def test_levels_that_are_none_are_refused(levels):
    model, X = random_model(0, 2)
    with pytest.raises(ValueError, match="levels must be"):
        quantiles(model, X, levels)
