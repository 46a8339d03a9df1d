"""EM and gradient EM: the likelihood never falls, and their steps are the textbook's."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moelib import (
    ConvergenceWarning,
    FreeParameters,
    GatedModel,
    expectation_maximization,
    gradient_em,
    joint_likelihood,
    least_squares,
    make_start,
    random_start,
    regressor_error,
)
from moelib.gates import bound_solver
from moelib.likelihood import mean_score
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
def test_gradient_em_never_lowers_the_likelihood(seed, link):
    rng = np.random.default_rng(seed)
    model = GatedModel(rng.standard_normal((3, 2)), rng.standard_normal((2, 2)), 0.4, link)
    X, y = model.sample(100, rng)
    for free in (FreeParameters(), FreeParameters(intercepts=True, noise=False)):
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


def test_annealing_takes_the_given_steps_before_the_history_begins(instance):
    """Noise falls from hot to its own in equal ratios; the climb then begins where that ended."""
    free = FreeParameters(noise=False)
    model, X, y = instance(seed=3)
    sample, seen = as_sample(X, y), []

    def watched(model, *arguments, **more):
        seen.append(model.noise)
        return m_step(model, *arguments, **more)

    options = dict(free=free, max_iter=7, tol=1e-15)
    climb = em_from_sample(sample, model, **options, anneal_from=4.0, step=watched)
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
