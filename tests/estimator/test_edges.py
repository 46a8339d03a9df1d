"""Cases that a hostile user would try: each with the right number, or its name."""

import warnings

import numpy as np
import pandas as pd
import pytest

from moelib import (
    FreeParameters,
    GatedModel,
    MixtureOfExperts,
    choose_n_experts,
    expectation_maximization,
    maximum_likelihood,
)


def quiet(estimator, *data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return estimator.fit(*data, **options)


def said(fit, words):
    return [sentence for sentence in fit.remarks_ if words in sentence]


@pytest.fixture
def line():
    rng = np.random.default_rng(3)
    return rng, rng.uniform(0, 10, (300, 1))


@pytest.mark.parametrize("seed", range(3))
def test_a_collapsed_fit_that_was_set_aside_is_spoken_of(seed):
    """A fixed price: the sound fit is worse, and the fit says that another was likelier."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 10, 300)
    y = np.where(x < 5, 10.0, 300 + 2 * x + 10 * rng.standard_normal(300))
    fit = quiet(MixtureOfExperts(random_state=0), x[:, None], y)
    likelier = 300 * fit.start_objectives_.max() > fit.log_likelihood_ + 1
    assert bool(said(fit, "were set aside")) == (fit.sound_ and likelier)
    assert not fit.sound_ or likelier
    assert said(fit, "were set aside") or said(fit, "collapsed")


def test_a_constant_gate_is_constant_whatever_it_began_with(line):
    rng, X = line
    first = rng.random(300) < 1 / (1 + np.exp(5 - X[:, 0]))
    y = np.where(first, 1 + 2 * X[:, 0], -2 - X[:, 0]) + 0.2 * rng.standard_normal(300)
    begun = quiet(MixtureOfExperts(random_state=0), X, y).model_
    fit = quiet(MixtureOfExperts(constant_gate=True, init=begun, n_init=1), X, y)
    np.testing.assert_array_equal(fit.gates_, 0)
    own = quiet(MixtureOfExperts(constant_gate=True, random_state=0), X, y)
    assert fit.log_likelihood_ == pytest.approx(own.log_likelihood_, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_link_that_overflows_and_cannot_reach_ends_in_words(seed):
    u = np.random.default_rng(seed).standard_normal((300, 1))
    y = -5 + u[:, 0] + 0.1 * np.random.default_rng(9).standard_normal(300)
    assert said(quiet(MixtureOfExperts(link=np.exp, n_init=4, random_state=0), u, y), "link 'exp'")


def test_labels_on_both_sides_of_a_links_range(line):
    rng, X = line
    u = X - 5
    y = 5 * np.tanh(2 * u[:, 0]) + 0.1 * rng.standard_normal(300)
    assert said(quiet(MixtureOfExperts(1, link="tanh"), u, y), "link 'tanh' answers between -1")
    y = np.tanh(u[:, 0]) + 0.8 * rng.standard_normal(300)  # noise alone leads outside
    assert not said(quiet(MixtureOfExperts(1, link="tanh"), u, y), "link")


def test_rows_that_are_copies_are_spoken_of(line):
    rng, X = line
    y = 1 + 0.5 * X[:, 0] + 0.3 * rng.standard_normal(300)
    again = rng.integers(300, size=1200)
    assert said(quiet(MixtureOfExperts(1), X[again], y[again]), "of the rows repeat another")
    assert not said(quiet(MixtureOfExperts(1), X, y), "repeat")
    ratings = np.clip(np.round(y), 1, 5)  # of these rows repeat because labels and columns do
    assert not said(quiet(MixtureOfExperts(1), np.round(X), ratings), "repeat")


def test_weights_that_count_each_row_many_times_are_spoken_of(line):
    rng, X = line
    y = 1 + 0.5 * X[:, 0] + 0.3 * rng.standard_normal(300)
    many, few = (quiet(MixtureOfExperts(1), X, y, sample_weight=[w] * 300) for w in (1e5, 3))
    assert said(many, "each counts as 1e+05 samples") and not said(few, "each counts as")


def test_one_outlier_does_not_ask_for_a_noise_of_its_own(line):
    rng, X = line
    y = 1 + 0.5 * X[:, 0] + 0.3 * rng.standard_normal(300)
    y[7] = 1e4
    fit = quiet(MixtureOfExperts(noise="shared", random_state=0), X, y)
    assert not said(fit, "one noise for all") and said(fit, "hardly ever fires")


def test_a_first_model_with_several_noises_serves_a_fit_with_one_or_none(line):
    rng, X = line
    truth = GatedModel([[1.0], [-1.0]], [[1.0]], [0.1, 0.2])
    y, _ = truth.sample_labels(X - 5, rng)
    free = FreeParameters(noise=False)
    kept = maximum_likelihood(X - 5, y, truth, free=free)
    np.testing.assert_array_equal(kept.model.noise, [0.1, 0.2])
    noises = [
        quiet(
            MixtureOfExperts(method=method, noise="shared", init=truth, n_init=1), X - 5, y
        ).noise_
        for method in ("likelihood", "likelihood-sgd", "em", "em-split-merge", "gradient-em")
    ]
    np.testing.assert_allclose(noises, noises[0], rtol=1e-6)


def test_units_of_columns_are_no_reason_to_refuse_moments(line):
    rng, _ = line
    Z = rng.standard_normal((300, 2)) * [1e5, 0.1]
    y = Z[:, 0] / 1e5 + rng.standard_normal(300)
    assert quiet(MixtureOfExperts(2, method="two-loss", random_state=0), Z, y).model_ is not None


def test_labels_that_mix_exact_and_noisy_never_crash_a_choice():
    """A start from a divided expert whose half is answered exactly keeps a noise above zero."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((200, 2))
        y = np.clip(np.round(3 + X @ [1.0, 0.5] + rng.standard_normal(200)), 1, 5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = choose_n_experts(MixtureOfExperts(n_init=2, random_state=seed), X, y)
        assert found.fits[found.best_k].sound_


def test_complex_numbers_are_refused(line):
    _, X = line
    with pytest.raises(ValueError, match="must be real"):
        expectation_maximization(X + 1j, X[:, 0], GatedModel([[1.0]], [], 1.0))


def test_an_interval_far_from_all_data_is_a_number(line):
    rng, X = line
    y = 1 + X[:, 0] + 0.1 * rng.standard_normal(300)
    fit = quiet(MixtureOfExperts(2, random_state=0, n_init=3), X, y)
    assert np.all(np.isfinite(fit.predict_interval(pd.DataFrame([[1e12]]).to_numpy())))
