"""Stochastic gradients on both standard losses: against autograd, EM and each other."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from moelib import (
    ConvergenceWarning,
    FreeParameters,
    GatedModel,
    Link,
    least_squares,
    make_start,
    maximum_likelihood,
    regressor_error,
)
from moelib.likelihood import joint_likelihood_sgd, least_squares_sgd
from moelib.likelihood.minibatch import likelihood_sgd_from_sample
from moelib.likelihood.score import (
    likelihood_factors,
    mean_gradient,
    mean_score,
    score_moments,
    squares_factors,
    standardised_gradient,
)
from moelib.losses import least_squares_loss, log_loss
from moelib.validation import as_sample

RUNS = [joint_likelihood_sgd, least_squares_sgd]
ALL = FreeParameters(intercepts=True)  # layouts of the vector that Adam moves
EACH = FreeParameters(intercepts=True, noise="per-expert")


def factors_of(run, link):
    if run is joint_likelihood_sgd:
        return lambda a, b, y, noise: likelihood_factors(a, b, y, noise, link)
    return lambda a, b, y, noise: squares_factors(a, b, y, link)


@pytest.mark.parametrize("link", ["identity", "relu", "tanh"])
@pytest.mark.parametrize("run, free", [(RUNS[0], ALL), (RUNS[0], EACH), (RUNS[1], ALL)])
def test_the_gradient_is_autograds(instance, run, link, free):
    model, X, y = instance(link=link, free=free)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(y))
    design, labels = free.expert_design(X), np.column_stack([y, weights])
    vector = free.vector(model)
    found = mean_gradient(vector, design, labels, 3, factors_of(run, model.link))

    theta = torch.tensor(vector, requires_grad=True)
    experts, gates, log_noise = free.blocks(theta, 3, 2)
    noise = log_noise.exp() if free is EACH else log_noise[0].exp()
    total = torch.zeros(())
    for row, label, weight in zip(design, y, weights, strict=True):
        data = row[None], np.array([label])
        if run is joint_likelihood_sgd:
            loss = log_loss(experts, gates, noise, *data, link=link)
        else:
            loss = least_squares_loss(experts, gates, *data, link=link)
        total = total - weight * loss / len(y)
    total.backward()
    np.testing.assert_allclose(found, theta.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("free", [ALL, EACH], ids=["one noise", "noise each"])
def test_standard_errors_of_the_gradient_are_those_of_the_scores(instance, monkeypatch, free):
    """The standardised gradient of weighted data with a ridge, in blocks, from the outer products.

    The information of a ridge counts into ``score_moments``, not into a gradient's error.
    """
    model, X, y = instance(free=free)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(y))
    ridge = np.zeros(free.count(3, 2))
    free.blocks(ridge, 3, 2)[1][:, :2] = 0.3
    score = mean_score(model, X, y, free=replace(free, gate_ridge=0.3), sample_weight=weights)
    J = score_moments(model, X, y, free=free, sample_weight=weights)[1]
    design = free.expert_design(X), np.column_stack([y, weights / weights.mean()])
    monkeypatch.setattr("moelib.data.batches.BLOCK", 17)
    found = standardised_gradient(
        free.vector(model),
        *design,
        3,
        factors_of(joint_likelihood_sgd, model.link),
        total=weights.sum(),
        ridge=ridge,
    )
    np.testing.assert_allclose(found, score / np.sqrt(np.diag(J) / weights.sum()), rtol=1e-9)


def test_one_random_start_finds_three_experts(standard):
    """A fit near the maximum that Newton reaches from the truth, and no experts left over."""
    model, X, y = standard(2000, d=8, n_experts=3)
    rng = np.random.default_rng(1)
    fit = joint_likelihood_sgd(X, y, make_start(X, y, 3, rng), rng)
    assert fit.converged
    assert regressor_error(fit.model.experts, model.experts) < 1e-3
    best = maximum_likelihood(X, y, model)
    assert best.objective - 0.01 < fit.objective <= best.objective + 1e-9
    refined = maximum_likelihood(X, y, fit.model)
    assert refined.objective == pytest.approx(best.objective, abs=1e-8)


@pytest.mark.parametrize("link", ["relu", "tanh"])
@pytest.mark.parametrize("noise_known", [False, True])
def test_intercepts_links_and_known_noise(link, noise_known):
    """From near the truth the run ends near the maximum of the same free parameters."""
    rng = np.random.default_rng(2)
    truth = GatedModel([[1.5, 0, 0], [0, -1.5, 0]], [[0, 0, 2.0]], 0.1, link, [0.3, -0.2], [0.5])
    X, y = truth.sample(1500, rng)
    free = FreeParameters(intercepts=True, noise=not noise_known)
    start = free.moved(truth, 0.2 * rng.standard_normal(free.count(2, 3)))
    fit = joint_likelihood_sgd(X, y, start, rng, free=free, n_steps=3000)
    best = maximum_likelihood(X, y, replace(truth, noise=start.noise), free=free)
    kinks = 1e-4 if link == "relu" else 1e-9  # of the likelihood, where Newton's steps stop
    assert best.objective - 0.01 < fit.objective <= best.objective + kinks
    np.testing.assert_allclose(free.vector(fit.model), free.vector(best.model), atol=0.05)
    assert (fit.model.noise == start.noise) is noise_known


@pytest.mark.filterwarnings("ignore:Adam was not at rest")
@pytest.mark.parametrize("run", RUNS)
def test_what_is_not_free_stays(instance, free, run):
    model, X, y = instance(free=ALL)
    fit = run(X, y, model, np.random.default_rng(0), free=free, n_steps=20)
    ends = fit.model
    assert not np.any(ends.experts == model.experts)
    assert np.all((ends.expert_intercepts == model.expert_intercepts) ^ free.intercepts)
    assert np.all((ends.gates == model.gates) ^ free.gate_slopes)
    assert np.all((ends.gate_intercepts == model.gate_intercepts) ^ free.gate_intercepts)
    if run is joint_likelihood_sgd:
        assert np.any(ends.noise == model.noise) ^ bool(free.noise)


@pytest.mark.parametrize("run", RUNS)
def test_the_path_belongs_to_the_history_and_a_seed_to_the_run(standard, run):
    _, X, y = standard(300, d=4, n_experts=2)
    start = make_start(X, y, 2, np.random.default_rng(0))
    fit, again, other = (
        run(X, y, start, np.random.default_rng(seed), n_steps=500) for seed in (1, 1, 2)
    )
    assert fit.history == again.history and fit.history != other.history
    if run is least_squares_sgd:
        values = [-np.mean((y - model.mean(X)) ** 2) for model in fit.path]
        assert fit.model.noise == pytest.approx(np.sqrt(-fit.objective))
    else:
        values = [np.mean(model.log_density(X, y)) for model in fit.path]
    np.testing.assert_allclose(fit.history, values, atol=1e-12)
    assert len(fit.path) == 21 and fit.path[-1] is fit.model
    np.testing.assert_array_equal(fit.path[0].experts, start.experts)
    assert fit.history[-1] > fit.history[0] + 0.05


@pytest.mark.filterwarnings("ignore:Adam was not at rest")
@pytest.mark.parametrize("run", RUNS)
def test_weights_are_repetitions(standard, run):
    """With all data in one batch nothing is drawn but their order."""
    _, X, y = standard(100, d=4, n_experts=2)
    start = make_start(X, y, 2, np.random.default_rng(0))
    times = np.random.default_rng(1).integers(0, 4, 100)
    options = dict(batch_size=1000, n_steps=300)
    one = run(X, y, start, np.random.default_rng(2), sample_weight=times, **options)
    XX, yy = np.repeat(X, times, axis=0), np.repeat(y, times)
    two = run(XX, yy, start, np.random.default_rng(2), **options)
    np.testing.assert_allclose(one.history, two.history, rtol=1e-6)
    assert one.converged == two.converged


def test_the_ridge_is_that_of_the_likelihood(standard):
    _, X, y = standard(500, d=4, n_experts=2, noise=0.3)
    free, rng = FreeParameters(gate_ridge=0.05), np.random.default_rng(0)
    fit = joint_likelihood_sgd(X, y, make_start(X, y, 2, rng), rng, free=free)
    best = maximum_likelihood(X, y, fit.model, free=free)
    assert fit.objective == pytest.approx(best.objective, abs=1e-3)
    np.testing.assert_allclose(fit.model.gates, best.model.gates, atol=0.03)
    with pytest.raises(ValueError, match="gate_ridge=0.05 is not known to least squares"):
        least_squares_sgd(X, y, fit.model, rng, free=free)


@pytest.mark.parametrize("run", RUNS)
def test_a_short_run_is_not_at_rest(standard, run):
    _, X, y = standard(1000, d=8, n_experts=3)
    start = make_start(X, y, 3, np.random.default_rng(0))
    with pytest.warns(ConvergenceWarning, match="not at rest when its steps ran out"):
        fit = run(X, y, start, np.random.default_rng(0), n_steps=20)
    assert not fit.converged


def test_the_noise_stops_at_its_floor():
    """Labels without noise: the likelihood has no upper bound, the noise a lower one."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2))
    model = GatedModel(np.eye(2), [[3.0, -3.0]], 1e-5)
    y = np.max(X, axis=1)
    options = dict(free=FreeParameters(), learning_rate=0.5, batch_size=200, n_steps=60)
    fit = likelihood_sgd_from_sample(as_sample(X, y), model, rng=rng, verbose=False, **options)
    assert min(one.noise for one in fit.path) >= 1e-6 * np.std(y) * (1 - 1e-12)


def test_each_noise_stops_at_its_floor():
    """One expert's labels have no noise, the other's do."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 2))
    left = X[:, 0] < 0
    y = np.where(left, X[:, 1], -X[:, 1] + 0.3 * rng.standard_normal(300))
    model = GatedModel([[0.0, 1], [0, -1]], [[-9.0, 0]], [1e-5, 0.3])
    free = FreeParameters(noise="per-expert")
    options = dict(free=free, learning_rate=0.5, batch_size=300, n_steps=60)
    fit = likelihood_sgd_from_sample(as_sample(X, y), model, rng=rng, verbose=False, **options)
    floor = 1e-6 * np.std(y)
    assert min(one.noise[0] for one in fit.path) == pytest.approx(floor, rel=1e-9)
    assert min(one.noise[1] for one in fit.path) > 1e-3


@pytest.mark.parametrize("intercepts", [False, True])
def test_noises_and_own_columns_end_near_the_maximum(intercepts):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((1500, 3))
    truth = GatedModel([[1.5, 0, 0], [-1, 0.5, 0]], [[0, 0, 2.0]], [0.2, 1.0])
    y, _ = truth.sample_labels(X, rng)
    free = FreeParameters(intercepts, "per-expert", expert_features=(0, 1), gate_features=(2,))
    start = make_start(X, y, 2, np.random.default_rng(1), free=free)
    fit = joint_likelihood_sgd(X, y, start, rng, free=free)
    best = maximum_likelihood(X, y, truth, free=free)
    assert fit.converged
    assert best.objective - 0.01 < fit.objective <= best.objective + 1e-9
    assert not np.any(fit.model.experts[:, 2]) and not np.any(fit.model.gates[:, :2])
    order = np.argsort(fit.model.noise)
    np.testing.assert_allclose(fit.model.noise[order], best.model.noise, rtol=0.2)


@pytest.mark.filterwarnings("ignore:Adam was not at rest")
def test_known_noises_of_single_experts_stay(instance):
    model, X, y = instance(free=EACH)
    fit = joint_likelihood_sgd(
        X, y, model, np.random.default_rng(0), free=FreeParameters(True, noise=False), n_steps=20
    )
    np.testing.assert_array_equal(fit.model.noise, model.noise)
    assert not np.any(fit.model.experts == model.experts)


@pytest.mark.filterwarnings("ignore::moelib.ConvergenceWarning")
def test_squared_errors_do_not_see_the_noises_they_start_from(instance):
    model, X, y = instance(free=EACH)
    one = replace(model, noise=0.3)
    for run in (
        lambda start: least_squares_sgd(X, y, start, np.random.default_rng(0), n_steps=20),
        lambda start: least_squares(X, y, start, max_iter=20),
        lambda start: least_squares(X, y, start, max_iter=20, solver="adam"),
    ):
        found, expected = run(model), run(one)
        assert found.history == expected.history and np.ndim(found.model.noise) == 0
        np.testing.assert_array_equal(found.model.experts, expected.model.experts)


def test_bad_calls(standard):
    model, X, y = standard(100, d=4, n_experts=2)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="the model has a noise for each expert"):
        joint_likelihood_sgd(X, y, replace(model, noise=[0.1, 0.2]), rng)
    with pytest.raises(ValueError, match=r"rng must be a numpy\.random\.Generator"):
        joint_likelihood_sgd(X, y, model, 0)
    for name in ("learning_rate", "batch_size", "n_steps"):
        with pytest.raises(ValueError, match=f"{name} must be a positive"):
            least_squares_sgd(X, y, model, rng, **{name: 0})


def test_numbers_that_run_away_are_not_returned(standard):
    model, X, y = standard(100, d=4, n_experts=2)
    square = replace(model, link=Link("square", np.square, lambda t: 2 * t))
    for run in RUNS:
        with pytest.raises(FloatingPointError, match="not finite: lower learning_rate"):
            run(X, y, square, np.random.default_rng(0), learning_rate=1e160, n_steps=100)
