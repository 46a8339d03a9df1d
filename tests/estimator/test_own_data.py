"""Data as people have them, in the kinds that once went wrong, each with its right value.

A: units and offsets. B: tables and lists. C: collapse of the noise. D: weights. E: one regime.
F: state, in ``test_results.py``. G: convergence. H: intercepts, label positions and links.
J: messages that say which. (I is about functions of other wings.)
"""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

from moelib import AssumptionWarning, GatedModel, MixtureOfExperts, choose_n_experts, standard_model
from moelib.estimator.methods import METHODS

QUICK = dict(n_init=3, random_state=0)


def quiet(estimator, *data):
    """The fit; what it says is in ``remarks_``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return estimator.fit(*data)


def said(fit, words):
    return [remark for remark in fit.remarks_ if re.search(words, remark)]


def two_regimes(seed, n=300):
    """A gate in the first column; the second plays no part."""
    rng = np.random.default_rng(seed)
    x, junk = rng.standard_normal((2, n))
    first = rng.random(n) < 1 / (1 + np.exp(-2 * x))
    y = np.where(first, 1 + 2 * x, -1 - x) + 0.3 * rng.standard_normal(n)
    return x, junk, y


# --- A: units and offsets -------------------------------------------------------------------------


def test_a_column_of_years_that_plays_no_part_is_not_significant():
    """At the level 5 % in 20 data sets: as often as the centred column, and seldom."""
    hits = 0
    for seed in range(20):
        x, junk, y = two_regimes(seed)
        tables = [
            quiet(MixtureOfExperts(**QUICK), np.column_stack([x, junk + year]), y).summary().table
            for year in (0, 2000)
        ]
        z, z_far = (table["z"].drop("noise").unstack()["x2"] for table in tables)
        np.testing.assert_allclose(z_far, z, rtol=1e-6, atol=1e-8)
        hits += abs(z_far[("gate", "1")]) > 1.96
    assert hits <= 4


@pytest.mark.parametrize("unit", [1e6, 1e8, 1e-7])
def test_labels_in_large_or_small_units_have_the_same_z(unit):
    x, junk, y = two_regimes(0)
    X = np.column_stack([x, junk])
    here, there = (
        quiet(MixtureOfExperts(**QUICK), X, labels).summary().table for labels in (y, unit * y)
    )
    assert np.all(np.isfinite(there["s.e."]))
    np.testing.assert_allclose(there["z"], here["z"], rtol=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("centre", [0.0, 5000.0])
def test_narrow_regimes_far_apart_keep_their_slopes(seed, centre):
    """One regime is five thousand of its standard deviations from the other: two regressions."""
    rng = np.random.default_rng(seed)
    x = np.r_[9999 + rng.standard_normal(100), rng.standard_normal(100)]
    far = x > 5000
    y = np.where(far, 1 + 0.5 * (x - 9999), 2 - 0.3 * x) + 0.05 * rng.standard_normal(200)
    fit = quiet(MixtureOfExperts(2, random_state=0, order_by="x1"), (x - centre)[:, None], y)
    likelihood = 0.0
    for expert, rows in enumerate((~far, far)):
        line = np.polynomial.Polynomial.fit(x[rows], y[rows], 1)
        sigma = np.std(y[rows] - line(x[rows]))
        slope = line.convert().coef[1]
        np.testing.assert_allclose(fit.experts_[expert, 0], slope, rtol=1e-5)
        np.testing.assert_allclose(fit.noises_[expert], sigma, rtol=1e-5)
        error = sigma / (np.sqrt(100) * np.std(x[rows]))
        np.testing.assert_allclose(fit.standard_errors_.experts[expert, 0], error, rtol=1e-5)
        likelihood -= 100 * (np.log(sigma * np.sqrt(2 * np.pi)) + 0.5)
    assert fit.log_likelihood_ == pytest.approx(likelihood, abs=1e-3)
    assert said(fit, "the gate separates expert 1 from expert 2 perfectly")
    assert np.all(np.isinf(fit.standard_errors_.gates))


# --- B: tables and lists --------------------------------------------------------------------------


def eruptions(seed):
    rng = np.random.default_rng(seed)
    long = rng.random(272) < 0.65
    x = np.where(long, rng.normal(4.3, 0.4, 272), rng.normal(2.0, 0.3, 272))
    return x, 33 + 10.5 * x + 6 * rng.standard_normal(272)


def test_selection_takes_series_and_lists_where_a_fit_is_restarted():
    """Whatever the index, as arrays, in a run in which some climb gets stuck."""
    x, y = eruptions(0)
    frame = pd.DataFrame({"eruption": x}, index=np.arange(272) + 500)
    for seed in range(30):
        template = MixtureOfExperts(noise="shared", init="random", n_init=1, random_state=seed)
        template.set_params(max_iter=50)
        options = dict(n_experts=(2, 3, 4))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            table = choose_n_experts(template, x[:, None], y, **options).table
            if not table["restarted"].any():
                continue
            for X, labels in (
                (frame, pd.Series(y, index=np.arange(272) - 7)),
                (x[:, None].tolist(), y.tolist()),
                (frame, y[:, None]),
            ):
                again = choose_n_experts(template, X, labels, **options).table
                pd.testing.assert_frame_equal(again, table)
        return
    pytest.fail("no climb got stuck in 30 runs: nothing was tested")


def test_a_table_causes_no_word():
    X, y = standard_model(d=3, n_experts=2).sample(500, np.random.default_rng(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = MixtureOfExperts(2, **QUICK).fit(pd.DataFrame(X, columns=list("abc")), pd.Series(y))
        fit.predict(pd.DataFrame(X, columns=list("abc")))
    assert fit.remarks_ == [] and fit.terms_ == ["a", "b", "c"]


# --- C: collapse of the noise ---------------------------------------------------------------------


def ratings(rng, n=400):
    X = rng.standard_normal((n, 2))
    return X, np.clip(np.round(3 + X @ [1, 0.5] + rng.standard_normal(n)), 1, 5)


def counts(rng, n=400):
    X = rng.standard_normal((n, 2))
    return X, rng.poisson(np.exp(0.3 + 0.4 * X[:, 0])).astype(float)


def zero_inflated(rng, n=400):
    X = rng.standard_normal((n, 2))
    return X, np.where(rng.random(n) < 0.5, 0.0, 3 + X @ [1, 0.5] + rng.standard_normal(n))


def exact(rng, n=300):
    X = rng.standard_normal((n, 2))
    return X, np.where(rng.random(n) < 0.5, X[:, 0], 2 - X[:, 1])


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("noise", ["shared", "per-expert"])
@pytest.mark.parametrize("labels", [ratings, counts, zero_inflated, exact])
def test_a_collapsed_noise_has_its_name_and_is_never_the_best(labels, noise, seed):
    X, y = labels(np.random.default_rng(seed))
    most = 5 if labels in (ratings, counts) else 3
    template = MixtureOfExperts(noise=noise, n_init=3, tol=1e-6, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = choose_n_experts(template, X, y, n_experts=most)
    levels, often = np.unique(y, return_counts=True)
    step = np.diff(levels).min() if np.any(often > 20) and labels is not zero_inflated else 0.0
    for k, fit in found.fits.items():
        exactly = fit.noises_ < max(step / (2 * np.sqrt(12)), 1e-5 * y.std())
        assert bool(said(fit, "noise .*has collapsed")) == bool(exactly.any())
        assert not (fit.sound_ and exactly.any())
        assert found.table.loc[k, "degenerate"] == (not fit.sound_)
    assert found.best.sound_ and (noise == "shared" or found.table["degenerate"].any())
    sound = found.table[~found.table["degenerate"]]
    assert found.best_k == sound["bic"].idxmin()


def test_labels_rounded_finely_are_not_called_collapsed():
    X, y = standard_model(d=2, n_experts=1, noise=0.5).sample(500, np.random.default_rng(0))
    for digits in (1, 2, 3):
        assert MixtureOfExperts(1).fit(X, np.round(y, digits)).remarks_ == []


@pytest.mark.parametrize("seed", range(4))
def test_experts_that_answer_counts_exactly_do_not_coincide(seed):
    """Known best, not least: their standard errors are those of weighted least squares."""
    rng = np.random.default_rng(seed)
    X, y = counts(rng)
    fit = quiet(MixtureOfExperts(5, noise="shared", n_init=5, tol=1e-6, random_state=0), X, y)
    answers, r = fit.expert_answers(X), fit.posterior(X, y)
    distance = np.abs(answers[:, :, None] - answers[:, None]).min(axis=0) / fit.noise_
    for i, j in re.findall(r"experts (\d) and (\d) coincide", " ".join(fit.remarks_)):
        assert distance[int(i) - 1, int(j) - 1] < 4
    np.fill_diagonal(distance, np.inf)
    Z = np.column_stack([X, np.ones(len(X))])
    for i in np.flatnonzero(distance.min(axis=1) > 8):
        own = fit.noise_ * np.sqrt(np.diag(np.linalg.inv((r[:, [i]] * Z).T @ Z)))
        errors = np.append(
            fit.standard_errors_.experts[i], fit.standard_errors_.expert_intercepts[i]
        )
        np.testing.assert_allclose(errors, own, rtol=0.05)


# --- D: weights (more in test_weights.py) ---------------------------------------------------------


@pytest.mark.parametrize("method", [name for name, row in METHODS.items() if row.knows_weights])
def test_weights_that_sum_to_one_are_named(method):
    X, y = standard_model(d=3, n_experts=2, noise=0.1).sample(300, np.random.default_rng(0))
    estimator = MixtureOfExperts(2, method, n_init=1, random_state=0)
    plain = quiet(clone(estimator), X, y)
    with pytest.warns(AssumptionWarning, match="sample_weight sums to 1: .*number of samples"):
        fit = estimator.fit(X, y, np.full(300, 1 / 300))
    near = 1e-3 if "sgd" in method else 1e-6  # batches are drawn by weight
    np.testing.assert_allclose(fit.experts_, plain.experts_, atol=near)
    assert fit.n_samples_ == pytest.approx(1) and fit.sound_
    np.testing.assert_allclose(
        fit.standard_errors_.experts, plain.standard_errors_.experts * np.sqrt(300), rtol=1e-2
    )


# --- E: one regime --------------------------------------------------------------------------------


def test_one_regression_is_called_one():
    """With the criteria of ordinary least squares at its maximum of the likelihood."""
    ones = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((300, 3))
        y = X @ [1.0, 2, 3] + rng.standard_normal(300)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = choose_n_experts(MixtureOfExperts(**QUICK), X, y, n_experts=2)
        square = np.mean((y - LinearRegression().fit(X, y).predict(X)) ** 2)
        deviance = 300 * (np.log(2 * np.pi * square) + 1)
        assert found.table.loc[1, "bic"] == pytest.approx(deviance + 5 * np.log(300))
        assert found.table.loc[1, "aic"] == pytest.approx(deviance + 10)
        assert found.table.loc[1, "icl"] == pytest.approx(found.table.loc[1, "bic"])
        ones += found.best_k == 1
    assert ones >= 7


def test_two_regimes_with_noise_twelve_and_two_are_called_two():
    twos = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = rng.uniform(0, 10, 400)
        first = rng.random(400) < 1 / (1 + np.exp(5 - x))
        sigma = np.where(first, 12.0, 2.0)
        y = np.where(first, 100 - 5 * x, 20 + 3 * x) + sigma * rng.standard_normal(400)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = choose_n_experts(MixtureOfExperts(**QUICK), x[:, None], y, n_experts=3)
        twos += found.best_k == 2
        if found.best_k == 2:
            np.testing.assert_allclose(np.sort(found.best.noises_), [2, 12], rtol=0.3)
    assert twos >= 5


# --- G: convergence -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["likelihood", "least-squares"])
def test_adam_that_is_not_at_rest_does_not_claim_convergence(method):
    X, y = standard_model(d=5, n_experts=2, noise=0.5).sample(1000, np.random.default_rng(0))
    settings = dict(noise="shared", n_init=1, random_state=0, solver="adam", refine=False)
    with pytest.warns(UserWarning, match="did not converge in 5 iterations"):
        short = MixtureOfExperts(2, method, **settings, max_iter=5).fit(X, y)
    long = quiet(MixtureOfExperts(2, method, **settings, max_iter=3000), X, y)
    assert not short.converged_ and long.converged_
    assert long.history_[method][-1] > short.history_[method][-1] + 0.01


def test_max_iter_reaches_the_gates():
    """Labels of Cauchy's law, with which the gates take long."""
    reached = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((300, 3)), rng.standard_cauchy(300)
        steps = []
        for max_iter in (3, 2000):
            fit = MixtureOfExperts(2, "two-loss", max_iter=max_iter, random_state=0)
            steps.append(len(quiet(fit, X, y).history_["gates"]) - 1)
        assert steps[0] <= 3
        reached.append(steps[1])
    assert max(reached) > 100


def test_all_iterations_are_counted():
    X, y = standard_model(d=5, n_experts=2, noise=0.5).sample(1000, np.random.default_rng(0))
    fit = MixtureOfExperts(2, **QUICK).fit(X, y)
    assert fit.n_iter_ == len(fit.history_["em"]) + len(fit.history_["refine"]) - 2 > 5


# --- H: intercepts, label positions and links -----------------------------------------------------


def clinic(rng, n=500):
    age, bmi = rng.uniform(20, 70, n), rng.normal(26, 4, n)
    first = rng.random(n) < 1 / (1 + np.exp(-(age - 45) / 5))
    y = np.where(first, 120 + 0.5 * bmi, 90 + 1.5 * bmi) + 4 * rng.standard_normal(n)
    return np.column_stack([age, bmi]), y


def centred_with_shift(rng, n=1000):
    X, y = standard_model(d=4, n_experts=2, noise=0.2).sample(n, rng)
    return X, y + 10


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("draw", [clinic, centred_with_shift])
def test_a_missing_intercept_is_named_and_the_default_has_one(draw, seed):
    X, y = draw(np.random.default_rng(seed))
    default = quiet(MixtureOfExperts(2, **QUICK), X, y)
    assert default.remarks_ == [] and default.score(X, y) > 0.3
    for noise in ("shared", "per-expert"):
        without = quiet(MixtureOfExperts(2, noise=noise, fit_intercept=False, **QUICK), X, y)
        assert said(without, "have no intercept, and the data ask for them.*fit_intercept=True")


@pytest.mark.parametrize("method", ["em", "two-loss", "spectral", "spectral-4", "l4-sgd"])
def test_labels_far_from_zero_are_fitted_by_every_method(method):
    model = standard_model(d=4, n_experts=2, noise=0.2)
    X, y = model.sample(3000, np.random.default_rng(0))
    fits = [
        quiet(MixtureOfExperts(2, method, **QUICK), X, y + shift) for shift in (0.0, 10.0, -1e4)
    ]
    for fit in fits:
        assert fit.noise_ == pytest.approx(0.2, rel=0.05) and fit.converged_
        assert fit.log_likelihood_ == pytest.approx(fits[0].log_likelihood_, abs=1e-4)


def sigmoid_far(X, y):
    return "sigmoid", 20 + 5 * y


def relu_below(X, y):
    return "relu", -np.abs(y)


def tanh_far(X, y):
    return "tanh", y - 50


def softplus(t):
    return np.logaddexp(0, t)


def softplus_below(X, y):
    return softplus, -1 - np.abs(y)


def exponential_below(X, y):
    return np.exp, -1 - np.abs(y)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "case", [sigmoid_far, relu_below, tanh_far, softplus_below, exponential_below]
)
def test_a_link_that_cannot_reach_the_labels_is_named(case, seed):
    X, y = standard_model(d=4, n_experts=2, noise=0.2).sample(600, np.random.default_rng(seed))
    link, labels = case(X, y)
    fit = quiet(MixtureOfExperts(2, link=link, max_iter=60, **QUICK), X, labels)
    name = getattr(link, "__name__", link)
    assert said(fit, f"link '{name}' answers between .* the labels lie outside")


# --- J: messages that say which -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_columns_that_determine_each_other_are_named(seed):
    """experience = age - education - 6, as in every wage data set; another column stays good."""
    rng = np.random.default_rng(seed)
    education, age = rng.integers(8, 18, 500) * 1.0, rng.integers(20, 65, 500) * 1.0
    hours = rng.normal(40, 5, 500)
    X = pd.DataFrame(
        {"education": education, "hours": hours, "experience": age - education - 6, "age": age}
    )
    first = rng.random(500) < 0.5
    y = np.where(first, 0.1 * education, 1 + 0.02 * age) + 0.3 * rng.standard_normal(500)
    fit = quiet(MixtureOfExperts(2, **QUICK), X, y)
    assert said(fit, "columns 'education', 'experience' and 'age' determine each other")
    dropped = quiet(MixtureOfExperts(2, **QUICK), X.drop(columns="experience"), y)
    assert fit.log_likelihood_ == pytest.approx(dropped.log_likelihood_, abs=1e-4)
    np.testing.assert_allclose(
        fit.predict(X), dropped.predict(X.drop(columns="experience")), atol=1e-4
    )
    table = fit.summary().table.drop("noise")["s.e."].unstack()
    assert np.all(np.isinf(table[["education", "experience", "age"]]))
    np.testing.assert_allclose(
        np.sort(table["hours"]),
        np.sort(dropped.summary().table.drop("noise")["s.e."].unstack()["hours"]),
        rtol=1e-4,
    )


def test_a_constant_column_is_named():
    X, y = standard_model(d=3, n_experts=2, noise=0.3).sample(500, np.random.default_rng(0))
    X[:, 1] = 7.3
    fit = quiet(MixtureOfExperts(2, **QUICK), X, y)
    assert said(fit, "column 'x2' is constant")
    np.testing.assert_allclose(fit.experts_[:, 1], 0, atol=1e-10)
    assert np.all(np.isinf(fit.standard_errors_.experts[:, 1]))
    assert np.all(np.isfinite(fit.standard_errors_.experts[:, [0, 2]]))


def test_columns_that_only_experts_or_only_gates_use_may_determine_each_other():
    """The same column twice: once for the experts, once for the gate."""
    x, _, y = two_regimes(0)
    X = np.column_stack([x, 2 * x + 1])
    fit = quiet(MixtureOfExperts(2, expert_features=[0], gate_features=[1], **QUICK), X, y)
    plain = quiet(MixtureOfExperts(2, **QUICK), x[:, None], y)
    assert fit.remarks_ == []
    assert fit.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=1e-6)


def test_infinite_errors_have_no_z():
    x, _, y = two_regimes(0)
    fit = quiet(MixtureOfExperts(2, **QUICK), np.column_stack([x, x]), y)
    table = fit.summary().table
    infinite = np.isinf(table["s.e."])
    assert infinite.sum() == 6 and np.all(np.isnan(table["z"][infinite]))
    assert "an infinite s.e. has no z" in str(fit.summary())


def test_warnings_of_a_selection_say_which_number_of_experts():
    X, y = standard_model(d=3, n_experts=2, noise=0.1).sample(300, np.random.default_rng(0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = choose_n_experts(MixtureOfExperts(**QUICK), X[:30], y[:30], n_experts=(1, 2, 4))
    sentences = [str(warning.message) for warning in caught]
    assert sentences and all(re.match(r"k = [124]: ", sentence) for sentence in sentences)
    assert any(s.startswith("k = 4: left out: 30 sample(s)") for s in sentences)
    assert list(found.table.index) == [1, 2]
    small = GatedModel(np.eye(2, 3), np.eye(1, 3, 2), 0.1)
    assert found.best.predict(X).shape == small.mean(X).shape
