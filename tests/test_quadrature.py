"""Expectations by quadrature, against closed forms, another rule and Monte Carlo."""

import numpy as np
import pytest
from scipy.stats import norm

from moelib import LINKS, GatedModel, random_model
from moelib.hermite import hermite
from moelib.links import as_link
from moelib.metrics import standard_errors_off
from moelib.quadrature import (
    gaussian_rule,
    hermite_moments,
    joint_rule,
    label_moment,
    label_power,
    mean_over_noise,
    mean_slope,
)


def test_mean_slope():
    assert mean_slope("identity") == pytest.approx(1)
    assert mean_slope("leaky_relu") == pytest.approx(0.6)
    assert mean_slope(np.square) == 0


@pytest.mark.parametrize("options", [{}, dict(limit=9, panels_per_unit=4, nodes_per_panel=8)])
def test_the_rule_integrates_polynomials_and_kinks(options):
    z, weight = gaussian_rule(**options)
    for power, moment in ((0, 1), (1, 0), (2, 1), (4, 3), (6, 15), (8, 105)):
        assert weight @ z**power == pytest.approx(moment, abs=1e-9)
    assert weight @ np.maximum(z, 0) == pytest.approx(norm.pdf(0), abs=1e-12)
    assert weight @ (z > 1) == pytest.approx(norm.sf(1), abs=1e-12)


@pytest.mark.parametrize("power", [1, 2, 3, 4, 8])
def test_powers_of_a_label_are_means_over_the_noise(power):
    answers = np.array([-1.5, 0.0, 0.3, 2.0])
    by_rule = mean_over_noise(lambda y: y**power, answers, 0.7)
    np.testing.assert_allclose(by_rule, label_power(power, answers, 0.7), atol=1e-12)
    by_power = mean_over_noise(lambda y: y, answers, 0.7, power=power)
    np.testing.assert_allclose(by_power, by_rule, atol=1e-12)


def test_mean_over_the_noise_of_a_wave_and_of_a_step():
    answers = np.array([-0.4, 0.1, 1.2])
    waves = mean_over_noise(np.sin, answers, 0.5)
    np.testing.assert_allclose(waves, np.sin(answers) * np.exp(-0.125), atol=1e-12)
    steps = mean_over_noise(lambda y: np.maximum(y, 0), answers, 0.5)
    ratio = answers / 0.5  # E max(g + s N, 0) = g Phi(g/s) + s phi(g/s)
    exact = answers * norm.cdf(ratio) + 0.5 * norm.pdf(ratio)
    np.testing.assert_allclose(steps, exact, atol=1e-4)  # the kink falls within a panel
    np.testing.assert_array_equal(
        mean_over_noise(np.tanh, answers, 0.0).round(12), np.tanh(answers).round(12)
    )


@pytest.mark.parametrize("link", ["relu", "tanh"])
def test_hermite_moments_by_monte_carlo(link):
    rng = np.random.default_rng(0)
    z = rng.standard_normal(1_000_000)
    y = LINKS[link].value(z) + 0.3 * rng.standard_normal(len(z))
    found = hermite_moments(np.cos, 4, link, noise=0.3)
    for j, expected in enumerate(found):
        assert standard_errors_off(np.cos(y) * hermite(j, z), expected) < 4
    assert len(found) == 5 and np.abs(found[2]) > 0.1


def test_hermite_moments_are_derivatives():
    """Without noise and for the identity, E[f(Z) He_j(Z)] = E f^(j)(Z); here f = exp(t / 2)."""
    expected = 0.5 ** np.arange(6) * np.exp(0.125)
    found = hermite_moments(lambda y: np.exp(y / 2), 5)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("power", [1, 2, 4])
def test_label_moments_by_monte_carlo(link, power):
    rng = np.random.default_rng(power)
    z, noise = rng.standard_normal(400_000), 0.8
    y = as_link(link).value(z) + noise * rng.standard_normal(len(z))
    assert standard_errors_off(y**power, label_moment(power, link, noise)) < 4


@pytest.mark.parametrize("link", ["identity", "tanh"])
def test_the_rule_of_a_model_has_the_moments_of_its_samples(link):
    rng = np.random.default_rng(0)
    model = random_model(2, 3, rng, noise=0.5, link=link, orthogonal=False)
    X, y, weight = joint_rule(model, 24)
    assert len(X) == len(y) == len(weight) == 3 * 24**3
    np.testing.assert_allclose(weight.sum(), 1)
    np.testing.assert_allclose(weight @ X, 0, atol=1e-12)
    np.testing.assert_allclose((weight * X.T) @ X, np.eye(2), atol=1e-12)
    drawn, labels = model.sample(200_000, rng)
    for f in (lambda X, y: y * X[:, 0], lambda X, y: y**2 * X[:, 1] ** 2, model.log_density):
        assert standard_errors_off(f(drawn, labels), weight @ f(X, y)) < 4


def test_the_rule_of_a_model_is_exact_for_polynomials_along_its_experts():
    """Equal experts answer alike: the label is normal, and its moments are known."""
    model = GatedModel([[0.6, 0.8], [0.6, 0.8]], np.zeros((1, 2)), 0.5)
    X, y, weight = joint_rule(model, 4)
    for power, moment in ((2, 1.25), (4, 3 * 1.25**2), (6, 15 * 1.25**3)):
        np.testing.assert_allclose(weight @ y**power, moment)
    np.testing.assert_allclose((weight * y) @ X, [0.6, 0.8])
