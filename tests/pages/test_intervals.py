"""Intervals against SciPy, closed forms and their own coverage."""

import numpy as np
import pytest
from scipy import stats

from moelib.pages.intervals import bootstrap, exponent, mean_interval, share_interval


@pytest.mark.parametrize("method", ["wilson", "exact"])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_shares_against_scipy(method, level):
    for trials in (1, 2, 10, 47):
        hits = np.arange(trials + 1)
        low, high = share_interval(hits, trials, level=level, method=method)
        for h in hits:
            theirs = stats.binomtest(int(h), trials).proportion_ci(level, method)
            np.testing.assert_allclose((low[h], high[h]), theirs, atol=1e-9)


def test_wilson_solves_its_equation():
    """The ends are the shares p whose score |h/n - p| / sqrt(p (1 - p) / n) is z."""
    z = stats.norm.ppf(0.975)
    hits, trials = np.array([0.6, 2.25, 7.5]), np.array([10, 5, 8])
    for end in share_interval(hits, trials):
        score = (hits / trials - end) / np.sqrt(end * (1 - end) / trials)
        np.testing.assert_allclose(np.abs(score), z, rtol=1e-9)


def test_the_exact_interval_covers():
    n, level = 12, 0.9
    low, high = share_interval(np.arange(n + 1), n, level=level, method="exact")
    for p in np.linspace(0.01, 0.99, 99):
        covered = stats.binom.pmf(np.arange(n + 1), n, p)[(low <= p) & (p <= high)].sum()
        assert covered >= level


@pytest.mark.parametrize("hits, trials", [(-1, 3), (4, 3), (0, 0), (np.nan, 3)])
def test_no_number_of_hits(hits, trials):
    with pytest.raises(ValueError, match="hits must lie between"):
        share_interval(hits, trials)


def test_unknown_method_and_level():
    with pytest.raises(ValueError, match="method.*'wald'"):
        share_interval(1, 2, method="wald")
    with pytest.raises(ValueError, match="level.*95"):
        share_interval(1, 2, level=95)


def test_exponent_of_a_power_law():
    x = np.array([1.0, 3.0, 10.0, 200.0])
    b = np.array([[-0.5, 0.0], [2.0, 7.5]])
    values = np.array([[0.1], [30.0]])[..., None] * x ** b[..., None]
    np.testing.assert_allclose(exponent(x, values), b, atol=1e-12)


def test_exponent_is_least_squares():
    rng = np.random.default_rng(0)
    x, values = rng.uniform(1, 9, 7), rng.uniform(1, 9, (3, 7))
    theirs = [stats.linregress(np.log(x), np.log(row)).slope for row in values]
    np.testing.assert_allclose(exponent(x, values), theirs)
    assert exponent(x, values[0]).shape == ()


def test_no_logarithm():
    with pytest.raises(ValueError, match="x must be positive"):
        exponent([0, 1], [1, 1])
    with pytest.raises(ValueError, match="values must be positive"):
        exponent([1, 2], [1, -1])


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_mean_against_scipy(level):
    values = np.random.default_rng(0).standard_normal(9)
    mean, half = mean_interval(values, level=level)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(level)
    np.testing.assert_allclose((mean - half, mean + half), theirs)


def test_one_value_has_no_spread():
    for values in ([1.0], 1.0, [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="at least two"):
            mean_interval(values)


def test_bootstrap_against_scipy():
    values = np.random.default_rng(0).exponential(size=60)
    for statistic, level in ((np.mean, 0.95), (np.median, 0.8)):
        ours = bootstrap(statistic, values, rng=np.random.default_rng(1), draws=4000, level=level)
        theirs = stats.bootstrap(
            (values,),
            statistic,
            n_resamples=4000,
            confidence_level=level,
            method="percentile",
            rng=np.random.default_rng(2),
        ).confidence_interval
        assert ours[0] == statistic(values)
        # Monte Carlo only: within a tenth of the width
        np.testing.assert_allclose(ours[1:], theirs, atol=0.1 * (theirs.high - theirs.low))


def test_bootstrap_of_a_mean_is_normal():
    values = np.random.default_rng(0).standard_normal(400)
    _, low, high = bootstrap(np.mean, values, rng=np.random.default_rng(0), draws=5000)
    half = stats.norm.ppf(0.975) * values.std() / np.sqrt(400)
    np.testing.assert_allclose(
        (low, high), values.mean() + half * np.array([-1, 1]), atol=0.1 * half
    )


def test_samples_are_drawn_together():
    one = np.random.default_rng(0).standard_normal((30, 4))
    rng = np.random.default_rng(1)
    value, low, high = bootstrap(lambda a, b: (b - 2 * a).mean(axis=0), one, 2 * one, rng=rng)
    assert value.shape == low.shape == high.shape == (4,)
    np.testing.assert_allclose([value, low, high], 0, atol=1e-12)


def test_samples_of_two_lengths():
    with pytest.raises(ValueError, match=r"equally long.*\[3, 4\]"):
        bootstrap(np.subtract, np.ones(3), np.ones(4), rng=np.random.default_rng(0))
