"""EM and gradient EM: the likelihood never falls, and their steps are the textbook's."""

import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares as least_squares_of

from moelib import (
    ConvergenceWarning,
    FreeParameters,
    GatedModel,
    expectation_maximization,
    find_degeneracies,
    gradient_em,
    joint_likelihood,
    joint_likelihood_sgd,
    least_squares,
    make_start,
    maximum_likelihood,
    random_start,
    regressor_error,
    standard_errors,
)
from moelib.gates import bound_solver
from moelib.likelihood import mean_score, split_merge_em
from moelib.likelihood.em import em_from_sample, gradient_em_from_sample, m_step
from moelib.validation import as_sample

DESIGN = dict(d=4, n_experts=2, noise=0.1)


# --- EM -------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 10**6), link=st.sampled_from(["identity", "relu", "tanh", "sigmoid"]))
def test_em_never_lowers_the_likelihood(instance, free, seed, link):
    _, X, y = instance(seed, link=link, free=free)
    options = dict(link=link, fit_intercept=free.intercepts)
    start = random_start(X, y, 3, np.random.default_rng(seed), **options)
    fit = expectation_maximization(X, y, start, free=free, max_iter=10**4)
    assert np.all(np.diff(fit.history) >= -1e-10)
    assert fit.converged
    assert np.isfinite(fit.objective)


def test_expert_m_step_is_weighted_least_squares(instance):
    model, X, y = instance()
    weights = model.posterior(X, y)
    new = m_step(model, X, X, y, weights, FreeParameters())
    for a, weight in zip(new.experts, weights.T, strict=True):
        root = np.sqrt(weight)
        by_hand = np.linalg.lstsq(X * root[:, None], y * root, rcond=None)[0]
        np.testing.assert_allclose(a, by_hand, atol=1e-9)
    residual = np.sum(weights * (y[:, None] - X @ new.experts.T) ** 2)
    assert new.noise == pytest.approx(np.sqrt(residual / len(y)))


def test_frozen_parameters_do_not_move(instance):
    model, X, y = instance()
    free = FreeParameters(noise=False, gate_slopes=False)
    fit = expectation_maximization(X, y, model, free=free)
    assert fit.model.noise == model.noise
    np.testing.assert_array_equal(fit.model.gates, model.gates)
    np.testing.assert_array_equal(fit.model.expert_intercepts, 0)


def test_em_with_k_equal_regressions_known_in_closed_form(instance):
    """With identical experts and an indifferent gate EM stays at ordinary least squares."""
    _, X, y = instance()
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    start = GatedModel([beta, beta], np.zeros((1, 2)), 1.0)
    fit = expectation_maximization(X, y, start)
    np.testing.assert_allclose(fit.model.experts, [beta, beta], atol=1e-9)
    sigma = np.sqrt(np.mean((y - X @ beta) ** 2))
    expected = -0.5 * np.log(2 * np.pi * sigma**2) - 0.5
    assert fit.objective == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("link", ["relu", "tanh", "sigmoid", "leaky_relu"])
def test_em_recovers_non_linear_experts(standard, link):
    model, X, y = standard(4000, d=5, n_experts=2, noise=0.05, link=link)
    starts = [random_start(X, y, 2, np.random.default_rng(seed), link=link) for seed in range(5)]
    fits = [expectation_maximization(X, y, start) for start in starts]
    best = max(fits, key=lambda fit: fit.objective)
    assert regressor_error(best.model.experts, model.experts) < 1e-2
    assert best.objective > model.log_density(X, y).mean()


def test_annealing_begins_hot_and_ends_at_the_known_noise(standard):
    """From few samples, where most cold starts get stuck, far below."""
    model, X, y = standard(1500, d=12, n_experts=6, noise=0.05)
    options = dict(free=FreeParameters(noise=False))
    cold, annealed = [], []
    for seed in range(8):
        start = make_start(X, y, 6, np.random.default_rng(seed), noise=0.05)
        cold.append(expectation_maximization(X, y, start, **options))
        hot = expectation_maximization(X, y, start, **options, anneal_from=float(np.std(y)))
        annealed.append(hot)
    assert all(fit.model.noise == 0.05 for fit in annealed)
    assert all(np.all(np.diff(fit.history) >= -1e-10) for fit in annealed)
    gains = [a.objective - c.objective for a, c in zip(annealed, cold, strict=True)]
    assert np.mean(np.array(gains) > 1) >= 0.75 and min(gains) > -1e-6


def test_labels_without_noise_leave_the_least_noise(instance):
    """A millionth of the labels' spread, where the likelihood would grow without end."""
    model, X, _ = instance(n=300)
    y = np.where(X[:, 0] > 0, X @ model.experts[0], X @ model.experts[1])
    start = GatedModel(model.experts[:2], [[5.0, 0.0]], 0.1)
    fit = expectation_maximization(X, y, start, max_iter=5000)
    assert fit.model.noise == pytest.approx(1e-6 * np.std(y)) and np.isfinite(fit.objective)


# --- the gates' step ------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["slopes", "intercepts", "constant", "ridge"])
def test_both_gate_steps_climb_to_the_same_maximum(standard, kind, weighted):
    frees = dict(
        slopes=FreeParameters(),
        intercepts=FreeParameters(intercepts=True),
        constant=FreeParameters(gate_slopes=False),
        ridge=FreeParameters(intercepts=True, gate_ridge=0.05),
    )
    model, X, y = standard(400, d=4, n_experts=2, noise=0.3)
    start = GatedModel(model.experts, np.zeros((1, 4)), model.noise)
    weights = np.random.default_rng(1).uniform(0, 2, 400) if weighted else None
    options = dict(free=frees[kind], sample_weight=weights, tol=1e-15, max_iter=5000)
    newton, bound = (
        expectation_maximization(X, y, start, gate_step=step, **options)
        for step in ("newton", "bound")
    )
    assert np.all(np.diff(bound.history) >= -1e-10) and bound.history[1] != newton.history[1]
    assert bound.objective == pytest.approx(newton.objective, abs=1e-10)
    found, expected = (frees[kind].vector(climb.model) for climb in (bound, newton))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("k, d, expected", [(4, 40, "newton"), (6, 19, "newton"), (6, 20, "bound")])
def test_the_gates_size_decides_on_their_step(standard, k, d, expected):
    """From 5 experts and 100 parameters on it is the bound's; what is asked for has its way."""
    _, X, y = standard(300, d=d, n_experts=k)
    start = random_start(X, y, k, np.random.default_rng(0))
    options = dict(free=FreeParameters(), max_iter=4, tol=1e-15)
    auto, newton, bound = (
        em_from_sample(as_sample(X, y), start, **options, gate_step=step).history
        for step in ("auto", "newton", "bound")
    )
    assert newton != bound and auto == dict(newton=newton, bound=bound)[expected]


def test_the_bound_is_factored_once_for_a_climb(standard, monkeypatch):
    _, X, y = standard(300, **DESIGN)
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return bound_solver(*arguments)

    monkeypatch.setattr("moelib.likelihood.em.bound_solver", counted)
    start = random_start(X, y, 2, np.random.default_rng(0))
    fit = expectation_maximization(X, y, start, gate_step="bound")
    assert len(calls) == 1 and len(fit.history) > 5


# --- gradient EM ----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(["identity", "relu", "tanh", "sigmoid"]))
@example(17530, "relu")  # lowered it while one step served experts of different noises
def test_gradient_em_never_lowers_the_likelihood(seed, link):
    rng = np.random.default_rng(seed)
    model = GatedModel(rng.standard_normal((3, 2)), rng.standard_normal((2, 2)), 0.4, link)
    X, y = model.sample(100, rng)
    for free in (
        FreeParameters(),
        FreeParameters(intercepts=True, noise=False),
        FreeParameters(intercepts=True, noise="per-expert"),
        FreeParameters(True, "per-expert", expert_features=(0,), gate_features=(1,)),
    ):
        start = make_start(X, y, 3, rng, link=link, free=free)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit = gradient_em(X, y, start, free=free, max_iter=100)
        assert np.all(np.diff(fit.history) >= -1e-10)


def test_gradient_em_and_em_share_their_fixed_points(standard):
    model, X, y = standard(1500, **DESIGN)
    fit = expectation_maximization(X, y, model, tol=1e-15, max_iter=5000)
    moved = gradient_em(X, y, fit.model)
    np.testing.assert_allclose(moved.model.experts, fit.model.experts, atol=1e-5)
    assert np.abs(mean_score(fit.model, X, y)).max() < 1e-4


def q_function(free, like, r, X, y):
    """What an M-step climbs: the mean of r log(p N), as a function of experts and gates."""

    def value(vector):
        model = free.from_vector(vector, like=like)
        return np.mean(np.sum(r * model.log_joint(X, y), axis=1))

    return value


@pytest.mark.parametrize("link", ["identity", "sigmoid"])
@pytest.mark.parametrize("intercepts", [False, True])
def test_a_gradient_step_is_along_the_gradient_of_the_expected_likelihood(
    instance, link, intercepts
):
    """Lengths: noise^2 / L for the experts, 2 / L for the gates, L of the design's own."""
    free = FreeParameters(intercepts=intercepts, noise=False)
    model, X, y = instance(seed=4, link=link, free=free)
    theta, steps = free.vector(model), 1e-6 * np.eye(free.count(3, 2))
    value = q_function(free, model, model.posterior(X, y), X, y)
    slope = np.array([(value(theta + e) - value(theta - e)) / 2e-6 for e in steps])
    design = np.column_stack([X, np.ones(len(X))]) if intercepts else X
    largest = np.linalg.norm(design, 2) ** 2 / len(X)
    n_experts = 3 * design.shape[1]
    length = np.where(np.arange(len(theta)) < n_experts, model.noise**2, 2) / largest
    climb = gradient_em_from_sample(as_sample(X, y), model, free=free, max_iter=1, tol=1e-9)
    np.testing.assert_allclose(free.vector(climb.model), theta + length * slope, atol=1e-8)


# --- one loop -------------------------------------------------------------------------------------


def by_hand(X, y, model, step, free, n_steps):
    """The loop written out: posterior, then the step, then the mean log-density."""
    designs = free.expert_design(X), free.gate_design(X)
    history = [np.mean(model.log_density(X, y))]
    for _ in range(n_steps):
        model = step(model, *designs, y, model.posterior(X, y), free)
        history.append(np.mean(model.log_density(X, y)))
    return model, history


def test_the_loop_takes_any_m_step(instance, free):
    model, X, y = instance(seed=2, free=free)

    def half_way(model, expert_design, gate_design, y, r, free, *, noise_floor=0.0):
        full = m_step(model, expert_design, gate_design, y, r, free)
        return free.from_vector((free.vector(model) + free.vector(full)) / 2, like=model)

    for step in (m_step, half_way):
        expected, history = by_hand(X, y, model, step, free, 5)
        climb = em_from_sample(as_sample(X, y), model, free=free, max_iter=5, tol=1e-15, step=step)
        np.testing.assert_allclose(climb.history, history, atol=1e-12)
        found = free.vector(climb.model)
        np.testing.assert_allclose(found, free.vector(expected), atol=1e-9)
        assert len(climb.path) == 6 and climb.path[0] is model and climb.path[-1] is climb.model


def test_em_and_gradient_em_differ_by_their_m_step_only(instance, monkeypatch):
    """With each other's M-step put in its place, each gives the other's climb."""
    model, X, y = instance(seed=2)
    sample = as_sample(X, y)
    options = dict(free=FreeParameters(), max_iter=20, tol=1e-12)
    em = em_from_sample(sample, model, **options)
    gradient = gradient_em_from_sample(sample, model, **options)
    assert np.abs(gradient.history[5] - em.history[5]) > 1e-6
    used = []

    def exact(*arguments, expert_step, gate_step, **more):
        used.append((expert_step, gate_step))
        return m_step(*arguments, **more)

    monkeypatch.setattr("moelib.likelihood.em.gradient_m_step", exact)
    again = gradient_em_from_sample(sample, model, **options)
    assert again.history == em.history and len(used) == len(em.history) - 1
    np.testing.assert_array_equal(again.model.experts, em.model.experts)


@pytest.mark.parametrize("noise", [True, "per-expert"])
def test_cooling_holds_the_noise_and_never_lowers_the_likelihood(standard, noise):
    model, X, y = standard(400, **DESIGN)
    free, start = FreeParameters(noise=noise), random_start(X, y, 2, np.random.default_rng(1))
    plain = expectation_maximization(X, y, start, free=free, tol=1e-10)
    slow = expectation_maximization(X, y, start, free=free, tol=1e-10, cooling=0.02)
    ratios = [b.noises / a.noises for a, b in pairwise(slow.path)]
    assert np.min(ratios) == pytest.approx(0.98) and np.sum(np.isclose(ratios, 0.98)) > 50
    assert np.min([b.noises / a.noises for a, b in pairwise(plain.path)]) < 0.9
    assert np.all(np.diff(slow.history) >= -1e-10) and slow.converged
    assert slow.objective == pytest.approx(plain.objective, abs=1e-7)


def test_small_gains_do_not_stop_what_is_still_held_back(standard):
    """At a thousandth an iteration each gain but the first is below the tolerance."""
    model, X, y = standard(400, **DESIGN)
    start = replace(model, noise=1.0)
    slow = expectation_maximization(X, y, start, cooling=0.001, tol=0.01, max_iter=4000)
    assert max(np.diff(slow.history)[1:50]) < 0.01
    assert slow.converged and slow.model.noise == pytest.approx(0.1, rel=0.1)


def test_cooling_is_for_a_noise_that_is_learned_and_a_share(standard):
    model, X, y = standard(100, **DESIGN)
    with pytest.raises(ValueError, match="cooling= is for a noise that is learned"):
        expectation_maximization(X, y, model, free=FreeParameters(noise=False), cooling=0.1)
    with pytest.raises(ValueError, match="cooling must be a number strictly between 0 and 1"):
        expectation_maximization(X, y, model, cooling=1.5)


def test_annealing_takes_the_given_steps_before_the_history_begins(instance):
    """Noise falls from hot to its own in equal ratios; the climb then begins where that ended."""
    free = FreeParameters(noise=False)
    model, X, y = instance(seed=3)
    sample, seen = as_sample(X, y), []

    def watched(model, *arguments, **more):
        seen.append(model.noise)
        return m_step(model, *arguments, **more)

    options = dict(free=free, max_iter=7, tol=1e-15)
    climb = em_from_sample(sample, model, **options, anneal_times=8.0, step=watched)
    assert len(seen) == 50 + 7 and seen[50:] == [0.5] * 7
    np.testing.assert_allclose(np.diff(np.log(seen[:50])), np.log(0.5 / 4) / 49, atol=1e-12)
    assert seen[0] == 4.0
    cold = em_from_sample(sample, climb.path[0], **options)
    np.testing.assert_allclose(cold.history, climb.history, atol=1e-12)


def test_weights_are_repetitions(instance, free):
    model, X, y = instance(seed=5, free=free)
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = expectation_maximization(X, y, model, free=free, sample_weight=counts)
    X, y = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    repeated = expectation_maximization(X, y, model, free=free)
    np.testing.assert_allclose(weighted.history, repeated.history, atol=1e-9)
    found, expected = (free.vector(climb.model) for climb in (weighted, repeated))
    np.testing.assert_allclose(found, expected, atol=1e-7)


# --- what is refused, and what is said ------------------------------------------------------------


def test_annealing_a_noise_that_is_learned_is_refused(instance):
    model, X, y = instance()
    with pytest.raises(ValueError, match="anneal_from needs a noise that is not learned"):
        expectation_maximization(X, y, model, anneal_from=1.0)
    with pytest.raises(ValueError, match="anneal_from must be a positive finite number, got -1"):
        free = FreeParameters(noise=False)
        expectation_maximization(X, y, model, free=free, anneal_from=-1.0)


def test_an_unknown_gate_step_is_refused(instance):
    model, X, y = instance()
    with pytest.raises(ValueError, match="gate_step must be one of .*newton.*; got 'bohning'"):
        expectation_maximization(X, y, model, gate_step="bohning")


@pytest.mark.parametrize("run, name", [(expectation_maximization, "EM"), (gradient_em, "gradi.*")])
def test_unfinished_runs_warn(instance, run, name):
    model, X, y = instance()
    start = random_start(X, y, 3, np.random.default_rng(0))
    with pytest.warns(
        ConvergenceWarning, match=f"^{name} did not converge in 2 .*: raise max_iter"
    ):
        run(X, y, start, max_iter=2)


def test_methods_that_know_no_ridge_refuse_one(standard):
    model, X, y = standard(100, d=4, n_experts=2)
    free = FreeParameters(gate_ridge=0.1)
    for climb in (gradient_em, joint_likelihood, least_squares):
        with pytest.raises(ValueError, match="gate_ridge=0.1 is not known to .* use expectation"):
            climb(X, y, model, free=free)


# --- a noise for each expert ----------------------------------------------------------------------


def test_each_noise_is_the_root_mean_square_of_its_own_residuals(instance):
    free = FreeParameters(intercepts=True, noise="per-expert")
    model, X, y = instance(free=free)
    r = model.posterior(X, y) * np.random.default_rng(0).integers(0, 3, len(y))[:, None]
    D = free.expert_design(X)
    new = m_step(model, D, D, y, r, free)
    for i, weight in enumerate(r.T):
        residual = y - new.expert_means(X)[:, i]
        expected = np.sqrt(np.average(residual**2, weights=weight))
        assert new.noise[i] == pytest.approx(expected, rel=1e-12)
    floored = m_step(model, D, D, y, r, free, noise_floor=float(np.median(new.noise)))
    np.testing.assert_array_equal(floored.noise, np.maximum(new.noise, np.median(new.noise)))


def test_an_expert_that_answers_nothing_keeps_its_row_and_its_noise(instance):
    free = FreeParameters(noise="per-expert")
    model, X, y = instance(free=free)
    r = model.posterior(X, y)
    r[:, 1] = 0
    new = m_step(model, X, X, y, r, free)
    assert new.noise[1] == model.noise[1]
    np.testing.assert_array_equal(new.experts[1], model.experts[1])


def test_equal_noises_are_one_noise(instance):
    """Where residuals are alike the two models climb alike: here noise that is not learned."""
    model, X, y = instance()
    each = replace(model, noise=np.full(3, model.noise))
    free = FreeParameters(noise=False)
    one, other = (
        expectation_maximization(X, y, start, free=free, max_iter=500) for start in (model, each)
    )
    np.testing.assert_allclose(other.history, one.history, atol=1e-12)
    np.testing.assert_allclose(other.model.experts, one.model.experts, atol=1e-9)
    np.testing.assert_array_equal(other.model.noise, each.noise)


def test_noises_that_differ_are_found():
    """Twelve and two: within 5 standard errors of the noises, sigma_i / sqrt(2 n_i)."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 1))
    truth = GatedModel([[30.0], [-20.0]], [[1.0]], [12.0, 2.0], "identity", [5, 40], [0.3])
    y, z = truth.sample_labels(X, rng)
    free = FreeParameters(intercepts=True, noise="per-expert")
    starts = [make_start(X, y, 2, np.random.default_rng(s), free=free) for s in range(5)]
    fits = [expectation_maximization(X, y, start, free=free, tol=1e-7) for start in starts]
    best = max(fits, key=lambda fit: fit.objective)
    assert best.objective > truth.log_density(X, y).mean()
    error = np.array([12.0, 2.0]) / np.sqrt(2 * np.bincount(z))
    order = np.argsort(-best.model.noise)
    assert np.all(np.abs(best.model.noise[order] - [12, 2]) < 5 * error)


# --- one expert -----------------------------------------------------------------------------------


def regression(X, y, weights, intercepts):
    """Weighted least squares, its root mean square residual, and its likelihood per sample."""
    D = np.column_stack([X, np.ones(len(X))]) if intercepts else X
    root = np.sqrt(weights)
    row = np.linalg.lstsq(D * root[:, None], y * root, rcond=None)[0]
    noise = np.sqrt(np.average((y - D @ row) ** 2, weights=weights))
    return row, noise, -0.5 * np.log(2 * np.pi * noise**2) - 0.5


@pytest.mark.parametrize("noise", [True, "per-expert"])
@pytest.mark.parametrize("intercepts", [False, True])
def test_one_expert_is_one_regression(instance, intercepts, noise):
    """From any start, to rounding; every kind of EM and the climb to the maximum."""
    _, X, y = instance(n=200)
    X, y = X + [3, 0] if intercepts else X, y + 7 * intercepts
    weights = np.random.default_rng(1).integers(0, 4, len(y))
    free = FreeParameters(intercepts=intercepts, noise=noise)
    row, sigma, objective = regression(X, y, weights, intercepts)
    start = make_start(X, y, 1, np.random.default_rng(0), free=free, sample_weight=weights)
    for climb in (expectation_maximization, split_merge_em, maximum_likelihood):
        fit = climb(X, y, start, free=free, sample_weight=weights)
        np.testing.assert_allclose(free.rows(fit.model)[0][0], row, rtol=1e-10)
        np.testing.assert_allclose(fit.model.noise, sigma, rtol=1e-10)
        assert np.ndim(fit.model.noise) == (noise == "per-expert") and fit.converged
        assert fit.objective == pytest.approx(objective, abs=1e-12)
        assert fit.model.gates.shape == (0, 2)
    whole = np.repeat(X, weights, axis=0), np.repeat(y, weights)
    slow = gradient_em(*whole, start, free=free, tol=1e-14)
    np.testing.assert_allclose(free.rows(slow.model)[0][0], row, rtol=1e-5)
    assert slow.objective == pytest.approx(objective, abs=1e-9)
    for solver in ("lbfgs", "adam"):
        descent = joint_likelihood(*whole, start, free=free, solver=solver)
        assert descent.objective == pytest.approx(objective, abs=1e-4)
        squares = least_squares(*whole, start, free=FreeParameters(intercepts), solver=solver)
        assert -squares.objective == pytest.approx(sigma**2, rel=1e-3)
    rng = np.random.default_rng(2)
    batches = joint_likelihood_sgd(X, y, start, rng, free=free, sample_weight=weights)
    assert batches.objective == pytest.approx(objective, abs=1e-3)


def test_one_expert_with_a_link_is_nonlinear_least_squares(instance):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 2))
    y = np.tanh(X @ [1.0, -0.5] + 0.3) + 0.1 * rng.standard_normal(300)
    free = FreeParameters(intercepts=True)
    start = make_start(X, y, 1, rng, link="tanh", free=free)
    fit = maximum_likelihood(X, y, start, free=free)
    row = least_squares_of(lambda a: np.tanh(X @ a[:2] + a[2]) - y, [0.5, 0.0, 0.0]).x
    np.testing.assert_allclose(free.rows(fit.model)[0][0], row, atol=1e-6)
    assert fit.converged


# --- designs that are hard ------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1e2, 1e4, 1e6])
def test_a_narrow_regime_far_from_zero_keeps_its_slope(ratio):
    """One regime within one of zero, one far out: each is a regression, in its own coordinates."""
    rng = np.random.default_rng(0)
    x = np.concatenate([ratio + rng.standard_normal(100), rng.standard_normal(100)])
    far = np.arange(200) < 100
    y = np.where(far, 1 + 0.5 * (x - ratio), 2 - 0.3 * x) + 0.05 * rng.standard_normal(200)
    free = FreeParameters(intercepts=True, noise="per-expert")
    start = GatedModel(
        [[0.2], [0.1]],
        [[10 / ratio]],
        [1.0, 1.0],
        expert_intercepts=[1 - 0.2 * ratio, 2.0],
        gate_intercepts=[-5.0],
    )
    for climb in (expectation_maximization, maximum_likelihood):
        fit = climb(x[:, None], y, start, free=free)
        for i, mine in enumerate((far, ~far)):
            centre = ratio if i == 0 else 0.0
            row, sigma, _ = regression((x[mine] - centre)[:, None], y[mine], np.ones(100), True)
            assert fit.model.experts[i, 0] == pytest.approx(row[0], rel=1e-6)
            answer = fit.model.experts[i, 0] * centre + fit.model.expert_intercepts[i]
            assert answer == pytest.approx(row[1], abs=1e-6)
            assert fit.model.noise[i] == pytest.approx(sigma, rel=1e-6)
        assert fit.converged


@pytest.mark.parametrize("gap", [1e-3, 1e-4, 1e-5])
def test_columns_that_nearly_repeat_each_other_are_told_apart(gap):
    """The same fit as from their common part and their difference, scaled to one."""
    rng = np.random.default_rng(1)
    U = rng.standard_normal((400, 2))
    close = np.column_stack([U[:, 0], U[:, 0] + gap * U[:, 1]])
    truth = GatedModel([[2.0, 1.0], [-1.0, 2.0]], [[1.0, 0.5]], [0.3, 0.6])
    y, _ = truth.sample_labels(U, rng)
    free = FreeParameters(intercepts=True, noise="per-expert")
    plain = maximum_likelihood(U, y, truth, free=free)
    back = np.linalg.inv([[1.0, 0.0], [1.0, gap]])
    start = replace(truth, experts=truth.experts @ back, gates=truth.gates @ back)
    fit = maximum_likelihood(close, y, start, free=free)
    assert fit.objective == pytest.approx(plain.objective, abs=1e-9)
    answers, expected = fit.model.expert_means(close), plain.model.expert_means(U)
    np.testing.assert_allclose(answers, expected, atol=1e-4)


@pytest.mark.parametrize("extra", ["twice another", "constant", "sum"])
def test_columns_that_repeat_each_other_change_no_answer(standard, extra):
    _, X, y = standard(300, d=4, n_experts=2, noise=0.3)
    column = {"twice another": 2 * X[:, 0], "constant": np.full(300, 5.0), "sum": X[:, 1] - X[:, 2]}
    wide = np.column_stack([X, column[extra]])
    free = FreeParameters(intercepts=True, noise="per-expert")
    start = make_start(X, y, 2, np.random.default_rng(0), free=free)
    padded = replace(start, experts=np.pad(start.experts, ((0, 0), (0, 1))), gates=np.zeros((1, 5)))
    one, other = (
        maximum_likelihood(X, y, start, free=free),
        maximum_likelihood(wide, y, padded, free=free),
    )
    assert other.objective == pytest.approx(one.objective, abs=1e-9) and other.converged
    answers = other.model.expert_means(wide)
    np.testing.assert_allclose(answers, one.model.expert_means(X), atol=1e-5)


def test_responsibilities_near_the_smallest_number_do_no_harm(instance):
    """An expert that is all but out of the game: its row stays finite."""
    model, X, y = instance()
    for tiny in (1e-100, 1e-300, 5e-324):
        r = model.posterior(X, y)
        r[:, 2] = tiny * (np.arange(len(y)) % 2)
        new = m_step(model, X, X, y, r, FreeParameters(noise="per-expert"))
        assert np.all(np.isfinite(new.experts)) and np.all(new.noise > 0)


def test_rows_of_weight_zero_are_absent(standard):
    """However far out they are: for the climbs, their floors, errors, and what is named."""
    _, X, y = standard(300, d=4, n_experts=2, noise=0.3)
    far = np.full((40, 4), 1e6), np.full(40, -1e7)
    wide, labels = np.vstack([X, far[0]]), np.append(y, far[1])
    weights = np.append(np.arange(300) % 3, np.zeros(40))
    free = FreeParameters(intercepts=True, noise="per-expert")
    found = []
    for A, b, w in ((X, y, weights[:300]), (wide, labels, weights)):
        options = dict(free=free, sample_weight=w)
        start = make_start(A, b, 2, np.random.default_rng(0), **options)
        fit = maximum_likelihood(A, b, start, **options)
        errors = standard_errors(fit.model, A, b, **options)
        named = find_degeneracies(fit.model, A, b, **options, covariance=errors.covariance)
        found.append((start, fit, errors, named))
    (start, fit, errors, named), (start2, fit2, errors2, named2) = found
    np.testing.assert_allclose(start2.experts, start.experts, rtol=1e-9)
    np.testing.assert_allclose(fit2.history, fit.history, atol=1e-9)
    np.testing.assert_allclose(free.vector(fit2.model), free.vector(fit.model), atol=1e-7)
    np.testing.assert_allclose(errors2.experts, errors.experts, rtol=1e-6)
    assert named2 == named


def test_columns_of_zeros_leave_gradient_em_where_it_is(instance):
    _, _, y = instance()
    start = GatedModel(np.ones((2, 2)), np.zeros((1, 2)), 1.0)
    fit = gradient_em(np.zeros((len(y), 2)), y, start)
    np.testing.assert_array_equal(fit.model.experts, start.experts)
    assert fit.model.noise == pytest.approx(np.sqrt(np.mean(y**2)))
