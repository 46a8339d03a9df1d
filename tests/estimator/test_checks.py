"""What the estimator refuses, and that the message says why."""

import numpy as np
import pytest
from scipy import sparse

from moelib import AssumptionWarning, GatedModel, MixtureOfExperts

DESIGN = dict(d=4, n_experts=2)


@pytest.mark.parametrize(
    "parameters, message",
    [
        (dict(n_experts=1), "n_experts must be an integer of at least 2, got 1"),
        (dict(n_experts=2.0), "n_experts must be an integer"),
        (dict(n_init=0), "n_init must be an integer of at least 1"),
        (dict(max_iter=0), "max_iter must be an integer of at least 1"),
        (dict(tol=0), "tol must be a positive"),
        (dict(noise=0), "noise must be a positive"),
        (dict(noise=-0.1), "noise must be a positive"),
        (dict(noise=np.nan), "noise must be a positive"),
        (dict(method="adam"), "method must be one of 'two-loss', 'l4-sgd', .*'em', .*; got 'adam'"),
        (dict(link="cubic"), "link must be one of"),
        (dict(solver="sgd"), "solver must be one of 'lbfgs', 'adam'; got 'sgd'"),
        (dict(init="zero"), "init must be one of 'random', 'responsibilities', 'kmeans'"),
        (dict(transforms="best"), "transforms must be one of 'polynomial', 'optimal', 'in-span'"),
        (dict(gate_ridge=-1), "gate_ridge must be a finite number of at least 0, got -1"),
        (dict(truncate=-1), "truncate must be a positive"),
        (dict(method="em", truncate=3), "truncate=3 needs one of 'two-loss', 'spectral-4'; not"),
        (dict(mu=1.0), "mu must be a number strictly between 0 and 1, got 1.0"),
        (dict(n_experts=5), "which the two-loss method needs .k <= d.: use method='em'"),
        (dict(constant_gate=True), "constant_gate=True needs one of 'em', 'em-pruned'"),
        (
            dict(method="likelihood", constant_gate=True),
            "constant_gate=True needs one of 'em', 'em-pruned'",
        ),
        (dict(anneal=True, noise=0.1), "anneal=True needs method='em'"),
        (dict(method="em", anneal=True), "anneal=True needs method='em' and a known noise"),
        (dict(method="gradient-em", anneal=True, noise=0.1), "anneal=True needs method='em'"),
        (dict(fit_intercept=True, refine=False), "needs refine=True"),
        (
            dict(method="likelihood", gate_ridge=1),
            "gate_ridge=1 needs one of 'two-loss', .* 'likelihood' knows",
        ),
        (dict(random_state="seed"), "random_state must be None"),
        (dict(random_state=-1), "random_state must be None"),
        (dict(link=np.sign, noise=1e-9), "is not valid at noise"),
    ],
)
def test_bad_parameters_are_refused(standard, parameters, message):
    _, X, y = standard(400, **DESIGN)
    with pytest.raises(ValueError, match=message):
        MixtureOfExperts(**parameters).fit(X, y)


@pytest.mark.parametrize("method", ["two-loss", "em"])
def test_bad_data_are_refused(standard, method):
    _, X, y = standard(400, **DESIGN)
    estimator = MixtureOfExperts(method=method, random_state=0)
    with pytest.raises(ValueError, match="y is constant"):
        estimator.fit(X, np.full(len(y), 3.0))
    with pytest.raises(ValueError, match="n_samples=13.* at least 14 samples"):
        estimator.fit(X[:13], y[:13])
    with pytest.raises(ValueError, match="Expected 2D array"):
        estimator.fit(y, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        estimator.fit(X, y[1:])
    with pytest.raises(TypeError, match="[Ss]parse"):
        estimator.fit(sparse.csr_array(X), y)
    fit = estimator.fit(X, y)
    with pytest.raises(ValueError, match="expecting 4 features"):
        fit.predict(X[:, :3])
    with pytest.raises(ValueError, match="y must have length 400"):
        fit.log_density(X, y[1:])


def test_columns_that_repeat(standard):
    _, X, y = standard(400, **DESIGN)
    doubled = np.hstack([X, X[:, :1]])
    with pytest.raises(ValueError, match="columns of X repeat.*method='em'"):
        MixtureOfExperts().fit(doubled, y)
    with pytest.warns(AssumptionWarning, match="not determined"):
        fit = MixtureOfExperts(method="em", n_init=3, random_state=0).fit(doubled, y)
    assert np.all(np.isfinite(fit.predict(doubled)))
    assert not np.any(np.isnan(fit.standard_errors_.experts))


def test_models_that_cannot_be_begun_with(standard):
    model, X, y = standard(3000, d=5, n_experts=2, noise=0.3)
    with pytest.raises(ValueError, match="init must be a model with 3 experts"):
        MixtureOfExperts(3, method="em", init=model).fit(X, y)
    with pytest.raises(ValueError, match="init must be a model with 2 experts and link 'tanh'"):
        MixtureOfExperts(2, method="em", link="tanh", init=model).fit(X, y)
    with pytest.raises(ValueError, match="init must have 4 features"):
        MixtureOfExperts(2, method="em", init=model).fit(X[:, :4], y)
    with pytest.raises(ValueError, match="needs a method that starts somewhere"):
        MixtureOfExperts(2, init=model).fit(X, y)
    shifted = GatedModel(model.experts, model.gates, 0.3, gate_intercepts=[1.0])
    with pytest.raises(ValueError, match="pass fit_intercept=True"):
        MixtureOfExperts(2, method="em", init=shifted).fit(X, y)
    MixtureOfExperts(2, method="em", init=shifted, fit_intercept=True).fit(X, y)


def test_weights_that_cannot_be_used(standard):
    _, X, y = standard(300, d=5, n_experts=2, noise=0.3)
    able = "'two-loss', 'spectral', 'spectral-4', 'em'"
    with pytest.raises(ValueError, match=f"sample_weight needs one of {able}"):
        MixtureOfExperts(2, method="likelihood").fit(X, y, sample_weight=np.ones(300))
    with pytest.raises(ValueError, match="too few"):
        MixtureOfExperts(2).fit(X, y, sample_weight=np.arange(300) < 5)
    with pytest.raises(ValueError, match="y is constant"):
        heavy = np.where(y > 0, 1.0, 0.0)
        MixtureOfExperts(2).fit(X, np.where(y > 0, 1.0, y), sample_weight=heavy)
