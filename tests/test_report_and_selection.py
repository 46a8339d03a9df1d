"""Summary, criteria, choice of k, sample weights and warm starts of the estimator."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from moelib import (
    AssumptionWarning,
    ConvergenceWarning,
    GatedModel,
    MixtureOfExperts,
    choose_n_experts,
    learn_experts,
    random_start,
    standard_model,
)
from moelib.estimator.selection import _divided, with_twin
from moelib.experts.spectral import learn_experts_spectral


def data(n=3000, **design):
    model = standard_model(**({"d": 5, "n_experts": 2, "noise": 0.3} | design))
    return (model, *model.sample(n, np.random.default_rng(0)))


@pytest.fixture(scope="module")
def fit():
    _, X, y = data()
    frame = pd.DataFrame(X, columns=list("abcde"))
    return MixtureOfExperts(2, random_state=0).fit(frame, y)


def test_summary_has_what_a_statistician_expects(fit):
    summary = fit.summary(level=0.9)
    table, errors = summary.table, fit.standard_errors_
    assert list(table.columns) == ["estimate", "s.e.", "z", "low", "high"]
    assert len(table) == fit.n_parameters_ == 16
    row = table.loc[("expert", "2", "c")]
    a, se = fit.experts_[1, 2], errors.experts[1, 2]
    quantile = norm.ppf(0.95)
    expected = [a, se, a / se, a - quantile * se, a + quantile * se]
    np.testing.assert_allclose(row, expected, rtol=1e-12)
    gate = table.loc[("gate", "1", "e")]
    np.testing.assert_allclose(gate["s.e."], errors.gates[0, 4], rtol=1e-12)
    noise = table.loc[("noise", "", "")]
    np.testing.assert_allclose(noise[["estimate", "s.e."]], [fit.noise_, errors.noise])
    assert 0 < noise["low"] < fit.noise_ < noise["high"] and np.isnan(noise["z"])
    text = str(summary)
    assert "log-likelihood" in text and "90% intervals" in text and "nan" not in text.lower()
    assert "<table" in summary._repr_html_()


def test_criteria_by_their_formulas(fit):
    _, X, y = data()
    X = pd.DataFrame(X, columns=list("abcde"))
    L, p = fit.log_likelihood_, 16
    assert fit.aic(X, y) == pytest.approx(-2 * L + 2 * p)
    assert fit.bic(X, y) == pytest.approx(-2 * L + p * np.log(3000))
    r = fit.posterior(X, y)
    entropy = -np.sum(np.where(r > 0, r * np.log(np.maximum(r, 1e-300)), 0))
    assert fit.icl(X, y) == pytest.approx(fit.bic(X, y) + 2 * entropy)
    facts = fit.summary().facts
    assert facts["BIC"] == f"{fit.bic(X, y):.2f}" and facts["AIC"] == f"{fit.aic(X, y):.2f}"


def test_no_summary_without_a_maximum():
    _, X, y = data()
    blind = MixtureOfExperts(2, refine=False, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="fit with refine=True"):
        blind.summary()
    with pytest.raises(ValueError, match="level must be a number strictly between 0 and 1"):
        MixtureOfExperts(2, random_state=0).fit(X, y).summary(level=95)


@pytest.mark.parametrize("method", ["two-loss", "spectral", "em"])
def test_weights_are_repetitions(method):
    _, X, y = data()
    counts = np.random.default_rng(1).integers(0, 3, len(y))
    settings = dict(method=method, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        repeated = MixtureOfExperts(2, **settings).fit(
            np.repeat(X, counts, axis=0), np.repeat(y, counts)
        )
        weighted = MixtureOfExperts(2, **settings).fit(X, y, sample_weight=counts)
    np.testing.assert_allclose(weighted.experts_, repeated.experts_, atol=1e-6)
    np.testing.assert_allclose(weighted.gates_, repeated.gates_, atol=1e-5)
    assert weighted.log_likelihood_ == pytest.approx(repeated.log_likelihood_, rel=1e-9)
    assert weighted.bic(X, y, counts) == pytest.approx(repeated.bic(X, y, counts), rel=1e-9)
    np.testing.assert_allclose(
        weighted.standard_errors_.experts, repeated.standard_errors_.experts, rtol=1e-4
    )


@pytest.mark.parametrize("learn", [learn_experts, learn_experts_spectral])
def test_weighted_moments_are_those_of_repeated_samples(learn):
    model, X, y = data(8000, link="tanh")
    counts = np.random.default_rng(1).integers(0, 3, len(y))
    rng = [np.random.default_rng(0) for _ in range(2)]
    weighted = learn(X, y, 2, rng[0], link="tanh", sample_weight=counts)
    again = learn(np.repeat(X, counts, axis=0), np.repeat(y, counts), 2, rng[1], link="tanh")
    np.testing.assert_allclose(weighted.tensor, again.tensor, atol=1e-9)
    np.testing.assert_allclose(weighted.experts, again.experts, atol=1e-6)


@pytest.mark.parametrize("init", ["random", "kmeans"])
def test_weighted_starts_do_not_see_samples_of_weight_zero(init):
    _, X, y = data(400)
    X[:50], y[:50] = 1e3, 1e3
    weight = np.where(np.arange(400) < 50, 0.0, 1.0)
    settings = dict(method="em", init=init, random_state=0, fit_intercept=True)
    left_out = MixtureOfExperts(2, **settings).fit(X[50:], y[50:])
    weighted = MixtureOfExperts(2, **settings).fit(X, y, sample_weight=weight)
    if init == "random":
        np.testing.assert_allclose(weighted.experts_, left_out.experts_, atol=1e-5)
    assert np.abs(weighted.experts_).max() < 3


def test_weights_that_cannot_be_used():
    _, X, y = data(300)
    with pytest.raises(ValueError, match="sample_weight needs one of 'two-loss', 'spectral', 'em'"):
        MixtureOfExperts(2, method="likelihood").fit(X, y, sample_weight=np.ones(300))
    with pytest.raises(ValueError, match="too few"):
        MixtureOfExperts(2).fit(X, y, sample_weight=np.arange(300) < 5)


def test_start_from_a_model():
    model, X, y = data()
    fit = MixtureOfExperts(2, method="em", init=model).fit(X, y)
    assert fit.path_["em"][0].log_density(X, y).mean() == fit.history_["em"][0]
    np.testing.assert_array_equal(fit.path_["em"][0].experts, model.experts)
    with pytest.raises(ValueError, match="init must be a model with 3 experts"):
        MixtureOfExperts(3, method="em", init=model).fit(X, y)
    with pytest.raises(ValueError, match="init must have 4 features"):
        MixtureOfExperts(2, method="em", init=model).fit(X[:, :4], y)
    with pytest.raises(ValueError, match="needs a method that starts somewhere"):
        MixtureOfExperts(2, init=model).fit(X, y)
    shifted = GatedModel(model.experts, model.gates, 0.3, gate_intercepts=[1.0])
    with pytest.raises(ValueError, match="pass fit_intercept=True"):
        MixtureOfExperts(2, method="em", init=shifted).fit(X, y)


@pytest.mark.parametrize("method", ["two-loss", "em", "gradient-em", "likelihood", "least-squares"])
def test_every_stage_has_a_path_as_long_as_its_history(method):
    _, X, y = data(1000)
    fit = MixtureOfExperts(2, method=method, max_iter=50, random_state=0).fit(X, y)
    assert set(fit.path_) == set(fit.history_) - {"experts"}
    for stage, path in fit.path_.items():
        assert len(path) == len(fit.history_[stage])
    assert fit.path_["refine"][-1] is fit.model_
    values = [np.mean(m.log_density(X, y)) for m in fit.path_["refine"]]
    np.testing.assert_allclose(values, fit.history_["refine"], atol=1e-10)


@pytest.mark.parametrize("i", range(3))
def test_a_twin_changes_nothing(i):
    rng = np.random.default_rng(i)
    model = GatedModel(
        rng.standard_normal((3, 2)),
        rng.standard_normal((2, 2)),
        0.5,
        expert_intercepts=rng.standard_normal(3),
        gate_intercepts=rng.standard_normal(2),
    )
    X, y = model.sample(50, rng)
    wider = with_twin(model, i)
    assert wider.n_experts == 4
    np.testing.assert_allclose(wider.log_density(X, y), model.log_density(X, y), atol=1e-12)


def test_larger_models_are_not_worse_and_the_warning_says_which():
    """One random start, hard data: some climb gets stuck below a smaller model."""
    X, y = exhaust_data()
    stuck = 0
    for seed in range(4):
        template = MixtureOfExperts(method="em", fit_intercept=True, random_state=seed)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = choose_n_experts(template, X, y, (2, 3, 4))
        assert np.all(np.diff(found.table["log_likelihood"]) >= -1e-4)
        said = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
        named = [
            k for k in (3, 4) if any(f"{k} experts fitted worse" in str(w.message) for w in said)
        ]
        assert named == list(found.table.index[found.table["restarted"]])
        stuck += len(named)
    assert stuck > 0


def test_choice_finds_the_true_number():
    settings = dict(method="em", fit_intercept=True, n_init=2, tol=1e-6)
    for seed in range(3):
        model = standard_model(d=5, n_experts=3, noise=0.3)
        X, y = model.sample(1000, np.random.default_rng(seed))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            template = MixtureOfExperts(random_state=seed, **settings)
            found = choose_n_experts(template, X, y, (2, 3, 4))
        assert found.best_k == 3 and found.best is found.fits[3]
        assert found.table["icl"].idxmin() == 3


def test_models_without_gate_intercepts_are_not_nested():
    """At x = 0 two experts share in halves, three in thirds: no three match two."""
    _, X, y = data(8000)
    template = MixtureOfExperts(method="em", n_init=3, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = choose_n_experts(template, X, y, (2, 3)).table
    assert table.loc[3, "log_likelihood"] < table.loc[2, "log_likelihood"] - 100
    assert not table["restarted"].any()
    assert not any(issubclass(w.category, ConvergenceWarning) for w in caught)


def exhaust_data():
    exhaust = pd.read_csv("book/data/ethanol_exhaust.csv", comment="#")
    return exhaust[["Equivalence"]].to_numpy(), exhaust["NO"].to_numpy()


def test_no_nesting_is_claimed_under_a_ridge():
    """Twins would pay the ridge twice, so a larger model may fit worse: no warning, no restart."""
    X, y = exhaust_data()
    template = MixtureOfExperts(
        method="em", fit_intercept=True, gate_ridge=0.05, random_state=0, tol=1e-6
    )
    for seed in range(4):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = choose_n_experts(template.set_params(random_state=seed), X, y, (2, 3, 4))
        assert not found.table["restarted"].any()
        assert not any("fitted worse" in str(w.message) for w in caught)


def test_restarts_do_not_see_samples_of_weight_zero():
    X, y = exhaust_data()
    template = MixtureOfExperts(method="em", fit_intercept=True, n_init=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        fit = template.fit(X, y)
    twins, outliers = with_twin(fit.model_, 1), np.arange(len(y)) < 5
    for value in (1e3, -1e3):
        spoiled = np.where(outliers, value, y)
        start = _divided(twins, X, spoiled, fit.free_, np.where(outliers, 0.0, 1.0))
        assert np.abs(start.expert_intercepts).max() < 100 and start.noise < 1


def test_selection_that_cannot_be_made():
    _, X, y = data(300)
    with pytest.raises(ValueError, match="criterion must be one of 'bic', 'icl', 'aic'"):
        choose_n_experts(MixtureOfExperts(), X, y, criterion="mdl")
    with pytest.raises(ValueError, match="at least one number of experts"):
        choose_n_experts(MixtureOfExperts(), X, y, n_experts=())
    with pytest.raises(ValueError, match="criteria compare maxima"):
        choose_n_experts(MixtureOfExperts(refine=False), X, y, n_experts=(2,))


def test_random_start_sees_repetitions_in_the_weights():
    _, X, y = data(300)
    counts = np.where(y > 0.5, 5, 1)
    settings = dict(fit_intercept=True)
    weighted = random_start(X, y, 2, np.random.default_rng(0), **settings, sample_weight=counts)
    X, y = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    repeated = random_start(X, y, 2, np.random.default_rng(0), **settings)
    for name in ("experts", "noise", "expert_intercepts"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-10)


def test_random_start_is_unchanged_by_equal_weights():
    _, X, y = data(300)
    one, two = (
        random_start(X, y, 2, np.random.default_rng(0), sample_weight=w)
        for w in (None, np.ones(300))
    )
    np.testing.assert_allclose(one.experts, two.experts, rtol=1e-12)
