"""Residuals in units of the noise, one sample after another."""

import numpy as np
import pytest

from moelib.displays import ResidualsDisplay


def test_deviations_are_those_of_a_loop(known):
    fit, X, y = known()
    shown, model = ResidualsDisplay.from_estimator(fit, X, y), fit.model_
    for i in range(3):
        square = total = beyond = 0.0
        for x, label, r in zip(X.to_numpy(), y, fit.posterior(X, y)[:, i]):
            off = label - (model.experts[i] @ x + model.expert_intercepts[i])
            off /= [0.2, 0.5, 0.8][i]
            square, total, beyond = square + r * off**2, total + r, beyond + r * (abs(off) > 2)
        assert shown.deviations[i] == pytest.approx(np.sqrt(square / total))
        assert shown.outside[i] == pytest.approx(beyond / total)


def test_the_deviation_is_one_where_the_noise_is_right(known):
    shown = ResidualsDisplay.from_estimator(*known(n=2000))
    margin = 4 / np.sqrt(2 * shown.posterior.sum(axis=0))  # four standard errors
    assert np.all(np.abs(shown.deviations - 1) < margin) and np.all(margin < 0.3)


def test_a_noise_that_is_too_small_is_seen(known):
    fit, X, y = known(k=1, n=400)
    answers = fit.expert_answers(X)[:, 0]
    right = ResidualsDisplay.from_estimator(fit, X, y)
    wide = ResidualsDisplay.from_estimator(fit, X, answers + 3 * (y - answers))
    np.testing.assert_allclose(wide.deviations, 3 * right.deviations)
    assert wide.outside > 0.4 and f"{wide.deviations[0]:.3g}" in wide.alt


def test_a_weight_of_two_counts_as_two(known):
    fit, X, y = known()
    weights = np.arange(len(y)) % 3
    rows = np.repeat(np.arange(len(y)), weights)
    once = ResidualsDisplay.from_estimator(fit, X, y, sample_weight=weights)
    often = ResidualsDisplay.from_estimator(fit, X.iloc[rows], y.iloc[rows])
    np.testing.assert_allclose(once.deviations, often.deviations)
    np.testing.assert_allclose(once.outside, often.outside)


def test_the_mean_line_is_that_of_a_loop(known):
    shown = ResidualsDisplay.from_estimator(*known(n=400))
    for i in range(3):
        r, bins = shown.posterior[:, i], min(8, max(1, int(shown.posterior[:, i].sum() // 15)))
        groups, before = [[] for _ in range(bins)], 0.0
        for t in sorted(range(400), key=lambda t: shown.answers[t, i]):
            place = int((before + r[t] / 2) / r.sum() * bins)
            groups[min(place, bins - 1)].append(t)  # the last may be off by rounding
            before += r[t]
        for values, line in zip((shown.answers, shown.residuals), shown.mean_line(i)):
            means = [np.average(values[group, i], weights=r[group]) for group in groups]
            np.testing.assert_allclose(line, means)
        assert shown.axes_[i].lines[-1].get_ydata() == pytest.approx(line)


def test_the_mean_line_shows_a_curve(known):
    fit, X, _ = known(k=1, n=400)
    answers = fit.model_.expert_means(X.to_numpy())[:, 0]
    bent = answers + (answers - answers.mean()) ** 2
    _, residuals = ResidualsDisplay.from_estimator(fit, X, bent).mean_line(0)
    assert residuals.argmin() in (3, 4) and residuals[0] > residuals[3] < residuals[-1]


def test_points_below_five_per_cent_are_left_out(known):
    shown = ResidualsDisplay.from_estimator(*known())
    for i, ax in enumerate(shown.axes_):
        seen = shown.posterior[:, i] > 0.05
        expected = np.c_[shown.answers[seen, i], shown.residuals[seen, i]]
        np.testing.assert_allclose(ax.collections[0].get_offsets(), expected)
        assert np.all(np.abs(expected[:, 1]) < ax.get_ylim()[1])


def test_titles_give_the_deviation(known):
    shown = ResidualsDisplay.from_estimator(*known())
    for i, ax in enumerate(shown.axes_):
        title = ax.get_title(loc="left")
        assert f"expert {i + 1}" in title and f"sd {shown.deviations[i]:.3g}" in title


def test_an_expert_that_always_says_the_same_is_drawn(known):
    fit, X, y = known(k=1)
    shown = ResidualsDisplay.from_estimator(fit, X * 0, y)
    low, high = shown.ax_.get_xlim()
    assert low < shown.answers[0, 0] < high
