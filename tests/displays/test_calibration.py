"""The transform of labels, against scipy's normal law, one sample after another."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import binom, kstest, norm

from moelib.displays import CalibrationDisplay
from moelib.displays.calibration import kolmogorov_smirnov


def test_the_transform_is_the_sum_over_experts(known):
    fit, X, y = known()
    shown = CalibrationDisplay.from_estimator(fit, X, y)
    model = fit.model_
    for t in range(0, len(y), 5):
        x = X.to_numpy()[t]
        p = model.gate_probabilities(x[None])[0]
        below = 0.0
        for i, noise in enumerate([0.2, 0.5, 0.8]):
            centre = model.experts[i] @ x + model.expert_intercepts[i]
            below += p[i] * norm.cdf(y[t], loc=centre, scale=noise)
        assert shown.pit[t] == pytest.approx(below, abs=1e-12)


@pytest.mark.parametrize("bins", [4, 10])
def test_bars_band_and_test_are_those_of_scipy(bins, known):
    fit, X, y = known(n=150)
    shown = CalibrationDisplay.from_estimator(fit, X, y, bins=bins)
    counts = [
        np.sum(np.minimum((bins * shown.pit).astype(int), bins - 1) == b) for b in range(bins)
    ]
    np.testing.assert_allclose(shown.heights, np.array(counts) * bins / 150)
    few, many = binom(150, 1 / bins).interval(0.95)
    np.testing.assert_allclose([shown.low, shown.high], np.array([few, many]) * bins / 150)
    assert shown.outside == sum(c < few or c > many for c in counts)
    expected = kstest(shown.pit, "uniform")
    assert shown.statistic == pytest.approx(expected.statistic)
    assert shown.p_value == pytest.approx(expected.pvalue)
    bars = [one for one in shown.ax_.patches if one.get_width() < 1]  # the band is as wide as all
    drawn = [bar.get_height() for bar in sorted(bars, key=lambda bar: bar.get_x())]
    np.testing.assert_allclose(drawn, shown.heights)


def test_a_weight_of_two_counts_as_two(known):
    fit, X, y = known()
    weights = np.arange(len(y)) % 3
    rows = np.repeat(np.arange(len(y)), weights)
    once = CalibrationDisplay.from_estimator(fit, X, y, sample_weight=weights)
    often = CalibrationDisplay.from_estimator(fit, X.iloc[rows], y.iloc[rows])
    for name in ("heights", "low", "high", "statistic", "p_value"):
        np.testing.assert_allclose(getattr(once, name), getattr(often, name))


def test_the_true_model_is_rejected_as_rarely_as_stated(known):
    fit, X, _ = known(n=100)
    rng = np.random.default_rng(1)
    n_sets, rejected, ax = 200, 0, plt.gca()
    for _ in range(n_sets):
        y = fit.model_.sample_labels(X.to_numpy(), rng)[0]
        ax.clear()
        rejected += CalibrationDisplay.from_estimator(fit, X, y, ax=ax).p_value < 0.05
    assert binom.ppf(1e-4, n_sets, 0.05) <= rejected <= binom.ppf(1 - 1e-4, n_sets, 0.05)


@pytest.mark.parametrize(("factor", "heap_at_ends"), [(3, True), (1 / 3, False)])
def test_a_wrong_noise_makes_heaps(factor, heap_at_ends, known):
    fit, X, _ = known(k=1, n=1000)
    centre = fit.model_.expert_means(X.to_numpy())[:, 0]
    y = centre + factor * 0.2 * np.random.default_rng(0).standard_normal(1000)
    shown = CalibrationDisplay.from_estimator(fit, X, y)
    assert shown.p_value < 0.001 and "p value < 0.001" in shown.alt
    assert (shown.heights[[0, -1]].mean() > shown.heights[4:6].mean()) == heap_at_ends


def test_the_test_of_uniformity_counts_ties():
    u = np.array([0.2, 0.2, 0.2, 0.9])
    expected = kstest(u, "uniform")
    np.testing.assert_allclose(kolmogorov_smirnov(u, 4), [expected.statistic, expected.pvalue])
    merged = kolmogorov_smirnov(np.array([0.2, 0.9]), 4, np.array([3.0, 1.0]))
    np.testing.assert_allclose(merged, [expected.statistic, expected.pvalue])
