"""What the estimator refuses, and that the message says why."""

import numpy as np
import pytest
from scipy import sparse

from moelib import AssumptionWarning, GatedModel, MixtureOfExperts

DESIGN = dict(d=4, n_experts=2)
TWO = dict(method="two-loss")
THEORY = TWO | dict(fit_intercept=False, noise="shared", n_init=1, random_state=0)


@pytest.mark.parametrize(
    "parameters, message",
    [
        (dict(n_experts=0), "n_experts must be an integer of at least 1, got 0"),
        (dict(n_experts=2.0), "n_experts must be an integer"),
        (dict(n_init=0), "n_init must be an integer of at least 1"),
        (dict(max_iter=0), "max_iter must be an integer of at least 1"),
        (dict(tol=0), "tol must be a positive"),
        (dict(noise=0), "noise must be a positive"),
        (dict(noise=-0.1), "noise must be a positive"),
        (dict(noise=np.nan), "noise must be a positive"),
        (dict(noise="own"), "noise must be one of 'per-expert', 'shared', .*positive.*; got 'own'"),
        (dict(method="adam"), "method must be one of 'auto', 'two-loss', .*'em', .*; got 'adam'"),
        (dict(link="cubic"), "link must be one of"),
        (dict(solver="sgd"), "solver must be one of 'lbfgs', 'adam', 'orthonormal'; got 'sgd'"),
        (dict(method="em", solver="orthonormal"), "solver='orthonormal' is for method='two-loss'"),
        (dict(init="zero"), "init must be one of 'mixed', 'random', 'responsibilities', 'kmeans'"),
        (dict(transforms="best"), "transforms must be one of 'polynomial', 'optimal', 'in-span'"),
        (dict(gate_ridge=-1), "gate_ridge must be a finite number of at least 0, got -1"),
        (dict(truncate=-1), "truncate must be a positive"),
        (
            dict(method="em", truncate=3),
            "truncate=3 needs one of 'two-loss', 'spectral-4'; method='em' does not know it",
        ),
        (dict(mu=1.0), "mu must be a number strictly between 0 and 1, got 1.0"),
        (TWO | dict(n_experts=5), "which the two-loss method needs .k <= d.: use method='em'"),
        (TWO | dict(constant_gate=True), "constant_gate=True needs one of 'em', 'em-pruned'"),
        (TWO | dict(gate_features=[0]), "only experts or only gates use needs one of 'em', "),
        (TWO | dict(expert_features=[0]), "only experts or only gates use needs one of 'em', "),
        (
            dict(method="likelihood", constant_gate=True),
            "constant_gate=True needs one of 'em', 'em-pruned'",
        ),
        (TWO | dict(anneal=True, noise=0.1), "anneal=True needs method='em'"),
        (dict(method="gradient-em", anneal=True, noise=0.1), "anneal=True needs method='em'"),
        (
            TWO | dict(noise="per-expert", refine=False),
            "noise='per-expert' with refine=False needs one of 'em', .*'two-loss' does not know it",
        ),
        (
            dict(method="likelihood", gate_ridge=1),
            "gate_ridge=1 needs one of 'two-loss', .* method='likelihood' does not know it",
        ),
        (dict(expert_features=["x9"]), "expert_features must list .*; the columns are 'x1', 'x2'"),
        (dict(gate_features=[4]), "gate_features must list columns of X by name or position"),
        (dict(expert_features=[], fit_intercept=False), "expert_features is empty"),
        (dict(order_by=0), "order_by must be a rule or the name of a column, got 0"),
        (dict(order_by="size"), "order_by must be one of 'share', 'answer', 'noise', 'x1', .*size"),
        (dict(order_by="x2", expert_features=["x1"]), "order_by must be one of .*'x1'; got 'x2'"),
        (dict(formula="x1"), "formula must be a string, and X a DataFrame"),
        (dict(random_state="seed"), "random_state must be None"),
        (dict(random_state=-1), "random_state must be None"),
        (TWO | dict(link=np.sign, noise=1e-9), "is not valid at noise"),
        (dict(link=np.log), "link 'log' is not finite at -10: a link must take every number"),
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
    q = 16 + (method == "em")  # slopes, intercepts; a noise for each with EM
    with pytest.raises(ValueError, match=f"n_samples={q}.* at least {q + 1} samples"):
        estimator.fit(X[:q], y[:q])
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


def test_dates_are_refused(standard):
    """In labels, where scikit-learn would take them for nanoseconds."""
    _, X, y = standard(400, **DESIGN)
    days = np.datetime64("2020-01-01") + np.arange(400)
    with pytest.raises(ValueError, match="y holds dates: convert them to numbers"):
        MixtureOfExperts().fit(X, days)
    fit = MixtureOfExperts(n_init=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="y holds dates: convert them to numbers"):
        fit.posterior(X, days)


def test_columns_that_repeat(standard):
    _, X, y = standard(400, **DESIGN)
    doubled = np.hstack([X, X[:, :1]])
    with pytest.raises(ValueError, match="columns of X repeat.*method='em'"):
        MixtureOfExperts(**THEORY).fit(doubled, y)
    estimator = MixtureOfExperts(n_init=3, random_state=0)
    with pytest.warns(AssumptionWarning, match="columns 'x1' and 'x5' determine each other"):
        fit = estimator.fit(doubled, y)
    assert any("not determined by these data" in remark for remark in fit.remarks_)
    assert np.all(np.isfinite(fit.predict(doubled)))
    touched = np.array([True, False, False, False, True])
    for errors in (fit.standard_errors_, fit.robust_standard_errors_):
        np.testing.assert_array_equal(np.isinf(errors.experts), np.tile(touched, (2, 1)))
        np.testing.assert_array_equal(np.isinf(errors.gates), [touched])
        assert np.all(np.isfinite(errors.noise)) and np.all(np.isfinite(errors.expert_intercepts))


def test_models_that_cannot_be_begun_with(standard):
    model, X, y = standard(1000, d=5, n_experts=2, noise=0.3)
    with pytest.raises(ValueError, match="init must be a model with 3 experts"):
        MixtureOfExperts(3, method="em", init=model).fit(X, y)
    with pytest.raises(ValueError, match="init must be a model with 2 experts and link 'tanh'"):
        MixtureOfExperts(2, method="em", link="tanh", init=model).fit(X, y)
    with pytest.raises(ValueError, match="init must have 4 features"):
        MixtureOfExperts(2, method="em", init=model).fit(X[:, :4], y)
    with pytest.raises(ValueError, match="needs a method that starts somewhere"):
        MixtureOfExperts(2, method="two-loss", init=model).fit(X, y)
    shifted = GatedModel(model.experts, model.gates, 0.3, gate_intercepts=[1.0])
    with pytest.raises(ValueError, match="pass fit_intercept=True"):
        MixtureOfExperts(2, init=shifted, fit_intercept=False).fit(X, y)
    MixtureOfExperts(2, init=shifted, n_init=1).fit(X, y)


def test_weights_that_cannot_be_used(standard):
    _, X, y = standard(300, d=5, n_experts=2, noise=0.3)
    able = "'two-loss', 'spectral', 'spectral-4', 'em'"
    weighing = "method='likelihood' knows no weights"
    with pytest.raises(ValueError, match=f"sample_weight needs one of {able}.*{weighing}"):
        MixtureOfExperts(2, method="likelihood").fit(X, y, sample_weight=np.ones(300))
    with pytest.raises(ValueError, match="too few"):
        MixtureOfExperts(2).fit(X, y, sample_weight=np.arange(300) < 5)
    with pytest.raises(ValueError, match="y is constant"):
        heavy = np.where(y > 0, 1.0, 0.0)
        MixtureOfExperts(2).fit(X, np.where(y > 0, 1.0, y), sample_weight=heavy)
