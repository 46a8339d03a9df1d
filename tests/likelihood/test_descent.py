"""Least squares and joint likelihood: where they end, against EM and finite differences."""

from dataclasses import replace

import numpy as np
import pytest

from moelib import (
    ConvergenceWarning,
    FreeParameters,
    GatedModel,
    Link,
    joint_likelihood,
    least_squares,
    make_start,
    maximum_likelihood,
    regressor_error,
)
from moelib.likelihood import certify
from moelib.losses import least_squares_loss

DESIGN = dict(d=4, n_experts=2, noise=0.1)


@pytest.mark.parametrize("link", ["identity", "tanh", "relu"])
def test_least_squares_loss_is_the_models(link):
    rng = np.random.default_rng(0)
    model = GatedModel(rng.standard_normal((3, 4)), rng.standard_normal((2, 4)), 0.3, link)
    X, y = model.sample(50, rng)
    loss = least_squares_loss(model.experts, model.gates, X, y, link=link).item()
    assert loss == pytest.approx(np.mean((y - model.mean(X)) ** 2), rel=1e-12)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_least_squares_descends_to_a_stationary_point(standard, solver):
    model, X, y = standard(400, **DESIGN)
    start = make_start(X, y, 2, np.random.default_rng(3))
    fit = least_squares(X, y, start, solver=solver, max_iter=3000)
    assert fit.history[-1] > fit.history[0]
    assert -fit.objective == pytest.approx(np.mean((y - fit.model.mean(X)) ** 2))
    assert fit.model.noise == pytest.approx(np.sqrt(-fit.objective))
    free = FreeParameters(noise=False)
    point = certify(fit.model, X, y, loss="least-squares", free=free)
    assert point.loss == pytest.approx(-fit.objective)
    assert point.gradient_norm < 1e-2


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("free", [FreeParameters(), FreeParameters(True, False)])
def test_joint_likelihood_reaches_ems_maximum(standard, solver, free):
    model, X, y = standard(1500, **DESIGN)
    start = make_start(X, y, 2, np.random.default_rng(0), free=free)
    if not free.noise:
        start = replace(start, noise=0.1)
    fit = joint_likelihood(X, y, start, free=free, solver=solver)
    best = maximum_likelihood(X, y, model, free=free)
    assert fit.objective == pytest.approx(best.objective, abs=1e-5)
    assert fit.objective == pytest.approx(fit.model.log_density(X, y).mean(), abs=1e-10)
    assert regressor_error(fit.model.experts, model.experts) < 1e-3
    assert free.noise or fit.model.noise == 0.1


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("run", [least_squares, joint_likelihood])
def test_the_path_belongs_to_the_history(standard, run, solver):
    _, X, y = standard(300, **DESIGN)
    start = make_start(X, y, 2, np.random.default_rng(0))
    fit = run(X, y, start, solver=solver, max_iter=300)
    if run is least_squares:
        values = [-np.mean((y - model.mean(X)) ** 2) for model in fit.path]
    else:
        values = [np.mean(model.log_density(X, y)) for model in fit.path]
    np.testing.assert_allclose(fit.history, values, atol=1e-10)
    np.testing.assert_array_equal(fit.path[0].experts, start.experts)
    assert fit.path[-1] is fit.model


def test_bad_calls(standard):
    model, X, y = standard(100, **DESIGN)
    with pytest.raises(ValueError, match="solver must be one of 'lbfgs', 'adam'"):
        joint_likelihood(X, y, model, solver="sgd")
    for run in (joint_likelihood, least_squares):
        with pytest.raises(ValueError, match="gate_slopes=False is for EM only"):
            run(X, y, model, free=FreeParameters(gate_slopes=False))
    with pytest.raises(ValueError, match="has no form in torch"):
        own = Link("own", np.tanh, np.cos)
        joint_likelihood(X, y, GatedModel(model.experts, model.gates, 0.1, own))


@pytest.mark.parametrize("run", [joint_likelihood, least_squares])
def test_unfinished_runs_warn(standard, run):
    model, X, y = standard(100, **DESIGN)
    start = make_start(X, y, 2, np.random.default_rng(0))
    with pytest.warns(ConvergenceWarning, match="did not converge in 2 steps: raise max_iter"):
        run(X, y, start, max_iter=2)
