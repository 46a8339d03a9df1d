"""The table of estimates, standard errors and intervals, and the criteria above it."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from moelib import MixtureOfExperts

DESIGN = dict(d=5, n_experts=2, noise=0.3)
QUICK = dict(n_init=1, random_state=0)
THEORY = QUICK | dict(method="two-loss", fit_intercept=False, noise="shared")


@pytest.fixture(scope="module")
def data(standard):
    _, X, y = standard(3000, **DESIGN)
    return pd.DataFrame(X, columns=list("abcde")), y


@pytest.fixture(scope="module")
def fit(data):
    return MixtureOfExperts(2, **QUICK).fit(*data)


def test_summary_has_what_a_statistician_expects(fit):
    summary = fit.summary(level=0.9)
    table, errors = summary.table, fit.standard_errors_
    assert list(table.columns) == ["estimate", "s.e.", "z", "low", "high"]
    assert len(table) == fit.n_parameters_ == 20
    row = table.loc[("expert", "2", "c")]
    a, se = fit.experts_[1, 2], errors.experts[1, 2]
    quantile = norm.ppf(0.95)
    expected = [a, se, a / se, a - quantile * se, a + quantile * se]
    np.testing.assert_allclose(row, expected, rtol=1e-12)
    gate = table.loc[("gate", "1", "e")]
    np.testing.assert_allclose(gate["s.e."], errors.gates[0, 4], rtol=1e-12)
    start = table.loc[("gate", "1", "intercept")]
    wanted = [fit.gate_intercepts_[0], errors.gate_intercepts[0]]
    np.testing.assert_allclose(start[["estimate", "s.e."]], wanted, rtol=1e-12)
    for i in range(2):
        noise, sigma, se = table.loc[("noise", str(i + 1), "")], fit.noises_[i], errors.noise[i]
        np.testing.assert_allclose(noise[["estimate", "s.e."]], [sigma, se])
        ends = sigma * np.exp(np.array([-1, 1]) * quantile * se / sigma)
        np.testing.assert_allclose(noise[["low", "high"]], ends)
        assert np.isnan(noise["z"])


def test_summary_in_the_theorys_setting(data):
    """No intercepts, and one noise for all."""
    fit = MixtureOfExperts(2, **THEORY).fit(*data)
    table = fit.summary().table
    assert len(table) == fit.n_parameters_ == 16
    assert "intercept" not in table.index.get_level_values("term")
    noise = table.loc[("noise", "", "")]
    se = fit.standard_errors_.noise
    np.testing.assert_allclose(noise[["estimate", "s.e."]], [fit.noise_, se])
    assert 0 < noise["low"] < fit.noise_ < noise["high"] and np.isnan(noise["z"])
    assert fit.summary().facts["method"] == "two-loss"
    assert fit.summary().facts["noise"] == "one for all"


def test_summary_reads_well(fit):
    summary = fit.summary(level=0.9)
    text = str(summary)
    assert "log-likelihood" in text and "90% intervals" in text and "nan" not in text.lower()
    assert "<table" in summary._repr_html_() and summary.note in summary._repr_html_()


def test_criteria_by_their_formulas(fit, data):
    X, y = data
    L, p = fit.log_likelihood_, 20
    assert fit.aic(X, y) == pytest.approx(-2 * L + 2 * p)
    assert fit.bic(X, y) == pytest.approx(-2 * L + p * np.log(3000))
    r = fit.posterior(X, y)
    entropy = -np.sum(np.where(r > 0, r * np.log(np.maximum(r, 1e-300)), 0))
    assert fit.icl(X, y) == pytest.approx(fit.bic(X, y) + 2 * entropy)
    facts = fit.summary().facts
    assert facts["BIC"] == f"{fit.bic(X, y):.2f}" and facts["AIC"] == f"{fit.aic(X, y):.2f}"
    assert facts["samples"] == "3000" and facts["parameters"] == 20
    assert facts["log-likelihood"] == f"{L:.2f}" and facts["method"] == "em"
    assert facts["noise"] == "one for each" and facts["experts"] == 2
    assert fit.entropy_ == pytest.approx(entropy)


def test_criteria_count_weights(data):
    X, y = data
    counts = np.arange(3000) % 3
    fit = MixtureOfExperts(2, **QUICK).fit(X, y, sample_weight=counts)
    again = X.loc[np.repeat(X.index, counts)], np.repeat(y, counts)
    for criterion in (fit.aic, fit.bic, fit.icl):
        assert criterion(X, y, counts) == pytest.approx(criterion(*again), rel=1e-12)
    facts = fit.summary().facts
    assert facts["samples"] == str(counts.sum())
    assert facts["BIC"] == f"{fit.bic(X, y, counts):.2f}"


def test_no_summary_without_a_maximum(standard, fit):
    _, X, y = standard(3000, **DESIGN)
    blind = MixtureOfExperts(2, **THEORY, refine=False).fit(X, y)
    with pytest.raises(ValueError, match="use refine=True"):
        blind.summary()
    with pytest.raises(ValueError, match="level must be a number strictly between 0 and 1"):
        fit.summary(level=95)
    with pytest.raises(ValueError, match="errors must be one of 'observed', 'robust'; got 'hc3'"):
        fit.summary(errors="hc3")
