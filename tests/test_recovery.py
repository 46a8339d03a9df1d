"""The main job: recover a standard design from data, by both methods, on many seeds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from moelib import MixtureOfExperts, gate_error, match_experts, regressor_error

DATA = Path(__file__).parents[1] / "book" / "data"
THEORY = dict(fit_intercept=False, noise="shared", n_init=1)


@pytest.mark.slow
def test_two_losses_recover_the_standard_design_on_twenty_seeds(standard):
    for seed in range(20):
        model, X, y = standard(8000, seed)
        fit = MixtureOfExperts(3, "two-loss", **THEORY, random_state=seed).fit(X, y)
        permutation, _ = match_experts(fit.experts_, model.experts)
        assert regressor_error(fit.experts_, model.experts) < 1e-3
        assert gate_error(fit.gates_, model.gates, permutation) < 0.02
        em = MixtureOfExperts(3, **(THEORY | {"n_init": 4}), random_state=seed).fit(X, y)
        assert abs(fit.log_likelihood_ - em.log_likelihood_) / len(y) < 1e-4


def test_experts_are_close_before_refinement_on_nineteen_of_twenty_seeds(standard):
    errors = []
    for seed in range(20):
        model, X, y = standard(8000, seed)
        settings = THEORY | dict(refine=False, random_state=seed)
        fit = MixtureOfExperts(3, "two-loss", **settings).fit(X, y)
        errors.append(regressor_error(fit.experts_, model.experts))
    assert np.sum(np.array(errors) < 0.1) >= 19


@pytest.mark.slow
def test_a_gate_that_depends_on_x_wins_on_the_ethanol_data():
    frame = pd.read_csv(DATA / "ethanol_exhaust.csv", comment="#")
    X, y = frame[["Equivalence"]], frame["NO"]
    with pytest.raises(ValueError, match="k <= d.*method='em'"):
        MixtureOfExperts(2, "two-loss").fit(X, y)
    settings = dict(n_init=20, random_state=0)
    for k in (2, 3):
        gated = MixtureOfExperts(k, **settings)
        with pytest.warns(UserWarning, match="the gate separates expert"):
            gated.fit(X, y)
        constant = MixtureOfExperts(k, constant_gate=True, **settings).fit(X, y)
        assert gated.bic(X, y) < constant.bic(X, y) - 20


@pytest.mark.parametrize("method", ["l4-sgd", "spectral"])
def test_estimator_with_the_other_expert_methods(standard, method):
    model, X, y = standard(20_000)
    for seed in range(3):
        fit = MixtureOfExperts(3, method, **THEORY, random_state=seed).fit(X, y)
        assert regressor_error(fit.expert_fit_.experts, model.experts) < 0.2
        assert regressor_error(fit.experts_, model.experts) < 1e-3
        assert set(fit.history_) == {"experts", "gates", "refine"}
