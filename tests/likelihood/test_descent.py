"""Least squares and joint likelihood: where they end, against EM and finite differences."""

from dataclasses import replace
from functools import partial

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
    standard_errors,
)
from moelib.likelihood import certify
from moelib.likelihood.at_rest import is_at_rest
from moelib.likelihood.score import likelihood_factors
from moelib.losses import least_squares_loss
from moelib.validation import as_sample

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
def test_joint_likelihood_learns_a_noise_for_each_expert(solver):
    rng = np.random.default_rng(0)
    truth = GatedModel([[1.0, 0, 0], [0, 1, 0]], [[0, 0, 1.0]], [0.2, 0.8], "identity", [0.5, 0])
    X, y = truth.sample(1500, rng)
    free = FreeParameters(intercepts=True, noise="per-expert")
    start = free.moved(truth, 0.1 * rng.standard_normal(free.count(2, 3)))
    fit = joint_likelihood(X, y, start, free=free, solver=solver, max_iter=2000)
    best = maximum_likelihood(X, y, truth, free=free)
    assert fit.converged and fit.objective == pytest.approx(best.objective, abs=1e-5)
    np.testing.assert_allclose(fit.model.noise, best.model.noise, rtol=0.01)
    assert solver == "adam" or np.all(np.diff(fit.history) >= 0)


def test_adam_converges_only_where_it_is_at_rest(standard):
    """Five steps are not enough, and it says so; enough are."""
    _, X, y = standard(1000, d=5, n_experts=2, noise=0.5)
    start = make_start(X, y, 2, np.random.default_rng(0))
    for run in (joint_likelihood, least_squares):
        with pytest.warns(ConvergenceWarning, match="Adam did not converge in 5 steps"):
            short = run(X, y, start, solver="adam", max_iter=5)
        assert not short.converged
        assert run(X, y, start, solver="adam", max_iter=1500).converged


def test_the_rule_of_rest_is_the_gradient_in_its_standard_errors(standard):
    """At a maximum it is zero; two standard errors away it is not, whatever is off."""
    model, X, y = standard(2000, **DESIGN)
    sample, free = as_sample(X, y), FreeParameters(intercepts=True, noise="per-expert")
    best = maximum_likelihood(X, y, replace(model, noise=[0.1, 0.1]), free=free).model
    factors = partial(likelihood_factors, link=best.link)
    assert is_at_rest(best, sample, free, factors)
    errors = np.sqrt(np.diag(standard_errors(best, X, y, free=free).covariance))
    sides = np.random.default_rng(0).choice([-1, 1], len(errors))
    assert not is_at_rest(free.moved(best, 2 * errors * sides), sample, free, factors)
    off = replace(best, expert_intercepts=best.expert_intercepts + 0.1)
    assert not is_at_rest(off, sample, free, factors)


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
        for free in (FreeParameters(gate_slopes=False), FreeParameters(gate_features=(0, 1))):
            with pytest.raises(ValueError, match="gates and experts of the same columns: use exp"):
                run(X, y, model, free=free)
    with pytest.raises(ValueError, match="has no form in torch"):
        own = Link("own", np.tanh, np.cos)
        joint_likelihood(X, y, GatedModel(model.experts, model.gates, 0.1, own))


@pytest.mark.parametrize("run", [joint_likelihood, least_squares])
def test_unfinished_runs_warn(standard, run):
    model, X, y = standard(100, **DESIGN)
    start = make_start(X, y, 2, np.random.default_rng(0))
    with pytest.warns(ConvergenceWarning, match="did not converge in 2 steps: raise max_iter"):
        run(X, y, start, max_iter=2)
