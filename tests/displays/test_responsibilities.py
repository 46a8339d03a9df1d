"""Counts and doubts, one sample after another."""

import numpy as np
import pytest

from moelib.displays import ResponsibilitiesDisplay


def test_counts_are_those_of_a_loop(known):
    fit, X, y = known(k=4)
    shown = ResponsibilitiesDisplay.from_estimator(fit, X, y, bins=7)
    counts, own = np.zeros((4, 7)), np.zeros((4, 7))
    for row in fit.posterior(X, y):
        for i, r in enumerate(row):
            if r >= 1e-4:
                counts[i, min(int(7 * r), 6)] += 1
                own[i, min(int(7 * r), 6)] += i == row.argmax()
    np.testing.assert_array_equal(shown.counts, counts)
    np.testing.assert_array_equal(shown.own, own)
    assert shown.own.sum() == len(y)


@pytest.mark.parametrize("sure", [0.6, 0.9])
def test_doubt_is_what_no_expert_is_sure_of(sure, known):
    fit, X, y = known(n=2000)
    shown = ResponsibilitiesDisplay.from_estimator(fit, X, y, sure=sure)
    posterior = fit.posterior(X, y)
    likely, unsure = posterior.argmax(axis=1), posterior.max(axis=1) < sure
    assert shown.doubt == pytest.approx(unsure.mean()) and 0 < unsure.mean() < 1
    for i in range(3):
        assert shown.shares[i] == pytest.approx(np.mean(likely == i))
        assert shown.doubts[i] == pytest.approx(np.mean(unsure[likely == i]))


def test_a_weight_of_two_counts_as_two_and_none_as_nothing(known):
    fit, X, y = known()
    weights = np.arange(len(y)) % 3
    rows = np.repeat(np.arange(len(y)), weights)
    once = ResponsibilitiesDisplay.from_estimator(fit, X, y, sample_weight=weights)
    often = ResponsibilitiesDisplay.from_estimator(fit, X.iloc[rows], y.iloc[rows])
    for name in ("counts", "own", "shares", "doubts"):
        np.testing.assert_allclose(getattr(once, name), getattr(often, name))


def test_one_expert_leaves_no_doubt(known):
    shown = ResponsibilitiesDisplay.from_estimator(*known(k=1))
    assert shown.doubt == 0 and shown.shares.tolist() == [1.0] and shown.counts[0, -1] == 200


def test_an_expert_that_answers_nothing_is_drawn(known):
    fit, X, y = known(k=2)
    shown = ResponsibilitiesDisplay.from_estimator(fit, X, y * 0 + 1e3)
    assert sorted(shown.shares) == [0, 1] and not shown.doubts.any()
    assert "for 0 % of the samples" in shown.alt


def test_bars_are_the_counts(known):
    shown = ResponsibilitiesDisplay.from_estimator(*known())
    for i, ax in enumerate(shown.axes_):
        heights = [bar.get_height() for bar in ax.patches]
        np.testing.assert_array_equal(heights, [*shown.counts[i], *shown.own[i]])


@pytest.mark.parametrize("sure", [0, 1, "high"])
def test_sure_is_a_probability(sure, known):
    with pytest.raises(ValueError, match="sure must be a number strictly between 0 and 1"):
        ResponsibilitiesDisplay.from_estimator(*known(), sure=sure)
