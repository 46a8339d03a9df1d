"""The gated model, against closed forms, quadrature and its own symmetries."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm

from moelib import GatedModel, random_model, standard_model


def random_instance(seed, k=4, d=6, link="tanh"):
    rng = np.random.default_rng(seed)
    model = GatedModel(
        rng.standard_normal((k, d)),
        rng.standard_normal((k - 1, d)),
        0.3,
        link,
        rng.standard_normal(k),
        rng.standard_normal(k - 1),
    )
    return (model, *model.sample(50, rng))


def test_density_is_the_gated_sum_of_normals_and_integrates_to_one():
    model, X, y = random_instance(0)
    p, means = model.gate_probabilities(X), model.expert_means(X)
    by_hand = np.sum(p * norm.pdf(y[:, None], means, model.noise), axis=1)
    np.testing.assert_allclose(np.exp(model.log_density(X, y)), by_hand, rtol=1e-12)
    np.testing.assert_allclose(model.mean(X), np.sum(p * means, axis=1), rtol=1e-12)
    grid = np.linspace(-4, 4, 4001)
    density = np.exp(model.log_density(np.repeat(X[:1], len(grid), axis=0), grid))
    np.testing.assert_allclose(np.trapezoid(density, grid), 1, atol=1e-8)


def test_posterior_is_bayes_rule():
    model, X, y = random_instance(1)
    joint = model.gate_probabilities(X) * norm.pdf(y[:, None], model.expert_means(X), model.noise)
    expected = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.posterior(X, y), expected, rtol=1e-10)


@given(st.integers(0, 10**6), st.permutations(range(4)))
def test_reordering_experts_and_rebasing_gates_changes_nothing(seed, order):
    model, X, y = random_instance(seed)
    gates = np.vstack([model.gates, np.zeros(6)])[order]
    offsets = np.append(model.gate_intercepts, 0.0)[order]
    reordered = GatedModel(
        model.experts[order],
        (gates - gates[-1])[:-1],
        model.noise,
        model.link,
        model.expert_intercepts[order],
        (offsets - offsets[-1])[:-1],
    )
    np.testing.assert_allclose(reordered.log_density(X, y), model.log_density(X, y), atol=1e-10)
    np.testing.assert_allclose(
        reordered.posterior(X, y), model.posterior(X, y)[:, order], atol=1e-10
    )


def test_samples_follow_the_model():
    model = GatedModel(np.eye(3)[:2], [[0.0, 0.0, 2.0]], 0.5)
    n = 200_000
    X, y, z = model.sample(n, np.random.default_rng(0), return_expert=True)
    p = model.gate_probabilities(X)
    chosen = (z == 0) - p[:, 0]
    assert abs(chosen.mean()) < 4 * chosen.std() / np.sqrt(n)
    against_gate = chosen * X[:, 2]
    assert abs(against_gate.mean()) < 4 * against_gate.std() / np.sqrt(n)
    residual = y - model.expert_means(X)[np.arange(n), z]
    assert abs(residual.var() - 0.25) < 4 * 0.25 * np.sqrt(2 / n)


def test_sampling_is_repeatable_and_the_model_cannot_be_changed():
    model = standard_model()
    first, second = (model.sample(5, np.random.default_rng(3))[1] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    with pytest.raises(ValueError, match="read-only"):
        model.experts[0, 0] = 5


def test_gates_of_huge_score_stay_finite():
    model = GatedModel(np.eye(2), [[1e4, 0.0]], 0.1)
    X, y = model.sample(100, np.random.default_rng(0))
    assert np.all(np.isfinite(model.log_density(X, y)))


def test_designs():
    model = standard_model(d=10, n_experts=4, gate_norm=2.0)
    np.testing.assert_array_equal(model.gates @ model.experts.T, 0)
    np.testing.assert_allclose(np.linalg.norm(model.gates, axis=1), 2.0)
    drawn = random_model(9, 3, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.gates @ drawn.experts.T, 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(drawn.experts, axis=1), 1)
    free = random_model(3, 3, np.random.default_rng(0), orthogonal=False)
    assert np.abs(free.gates @ free.experts.T).max() > 0.01


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(experts=np.ones(3)), "experts must be a 2-d array"),
        (
            dict(experts=np.ones((0, 2)), gates=np.ones((0, 2))),
            "experts must have at least one row",
        ),
        (dict(experts=np.ones((1, 2))), r"gates must have one row fewer than experts \(0\)"),
        (dict(gates=np.ones((2, 2))), "gates must have one row fewer than experts"),
        (dict(gates=np.ones((1, 3))), "gates must have 2 columns"),
        (dict(experts=[[np.nan, 1], [1, 1]]), "experts must be finite, got 1"),
        (dict(noise=0), "noise must be a positive"),
        (dict(noise=-1), "noise must be a positive"),
        (dict(noise="small"), "noise must be a positive"),
        (dict(noise=[0.1, 0.2, 0.3]), "noise must have length 2, got 3"),
        (dict(noise=[0.1, 0.0]), "noise must be positive for each expert"),
        (dict(noise=[0.1, np.nan]), "noise must be finite"),
        (dict(link="cubic"), "link must be one of"),
        (dict(expert_intercepts=[1.0]), "expert_intercepts must have length 2"),
        (dict(gate_intercepts=[[1.0]]), "gate_intercepts must be a 1-d array"),
    ],
)
def test_bad_models_are_refused(arguments, message):
    good = dict(experts=np.eye(2), gates=[[1.0, 0.0]], noise=0.1)
    with pytest.raises(ValueError, match=message):
        GatedModel(**(good | arguments))


def test_bad_calls_are_refused():
    with pytest.raises(ValueError, match="rng must be a numpy.random.Generator"):
        standard_model().sample(5, 0)
    with pytest.raises(ValueError, match="d must be at least 2"):
        standard_model(d=4, n_experts=3)
    with pytest.raises(ValueError, match="d must exceed n_experts"):
        random_model(3, 3, np.random.default_rng(0))
    with pytest.raises(ValueError, match="y must have length 4"):
        standard_model().log_density(np.zeros((4, 10)), np.zeros(3))


@pytest.mark.parametrize("intercept", [0.0, 0.8])
def test_shares_of_two_experts_by_quadrature(intercept):
    model = GatedModel(np.eye(3)[:2], [[0.0, 1.2, 1.6]], 0.1, gate_intercepts=[intercept])
    node, weight = np.polynomial.hermite_e.hermegauss(60)
    first = np.sum(weight * expit(2 * node + intercept)) / weight.sum()
    shares = model.shares()
    np.testing.assert_allclose(shares.sum(), 1, atol=1e-12)
    # the spread of expit of a normal is below 1/2, and x with -x has less than half its variance
    assert abs(shares[0] - first) < 4 * 0.5 / np.sqrt(100_000)
    np.testing.assert_array_equal(shares, model.shares())


def test_shares_follow_what_is_drawn(standard):
    model, _, _ = standard(1, gate_norm=3.0)
    _, _, z = model.sample(100_000, np.random.default_rng(1), return_expert=True)
    drawn = np.bincount(z, minlength=3) / 100_000
    np.testing.assert_allclose(model.shares(), drawn, atol=5 * 0.5 * np.sqrt(2 / 100_000))


def test_behind_the_door_is_what_is_before_it():
    model, X, y = random_instance(2)
    for name in ("expert_means", "log_gate_probabilities", "mean"):
        behind = getattr(model, f"_{name}")(X)
        np.testing.assert_array_equal(behind, getattr(model, name)(X))
    for name in ("log_joint", "log_density", "posterior"):
        behind = getattr(model, f"_{name}")(X, y)
        np.testing.assert_array_equal(behind, getattr(model, name)(X, y))


@pytest.mark.parametrize("name", ["log_joint", "log_density", "posterior"])
def test_doors_refuse_what_is_not_finite_or_does_not_fit(name):
    model, X, y = random_instance(2)
    door = getattr(model, name)
    with pytest.raises(ValueError, match="X must be finite, got 1 NaN"):
        door(np.where(X == X.max(), np.nan, X), y)
    with pytest.raises(ValueError, match="y must be finite, got 1 NaN"):
        door(X, np.where(y == y.max(), np.inf, y))
    with pytest.raises(ValueError, match="X must have 6 columns"):
        door(X[:, :5], y)


# --- a noise for each expert, and one expert ------------------------------------------------------


def test_each_expert_has_its_noise_in_the_density():
    model, X, y = random_instance(3)
    noises = np.array([0.1, 0.3, 0.9, 2.7])
    each = replace(model, noise=noises)
    p, means = each.gate_probabilities(X), each.expert_means(X)
    by_hand = np.sum(p * norm.pdf(y[:, None], means, noises), axis=1)
    np.testing.assert_allclose(np.exp(each.log_density(X, y)), by_hand, rtol=1e-10)
    joint = p * norm.pdf(y[:, None], means, noises)
    expected = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(each.posterior(X, y), expected, rtol=1e-9)
    equal = replace(model, noise=np.full(4, model.noise))
    np.testing.assert_allclose(equal.log_density(X, y), model.log_density(X, y), rtol=1e-12)
    np.testing.assert_array_equal(model.noises, np.full(4, model.noise))
    np.testing.assert_array_equal(each.noises, noises)
    for one in (each, model):
        with pytest.raises(ValueError, match="read-only"):
            one.noises[0] = 5.0


def test_samples_have_the_noise_of_their_expert():
    """Mean squares of the residuals within 5 standard errors, sigma_i^2 (2 / n_i)^(1/2)."""
    model = GatedModel(np.eye(3), np.zeros((2, 3)), [0.2, 1.0, 5.0])
    X, y, z = model.sample(30_000, np.random.default_rng(0), return_expert=True)
    residual = y - model.expert_means(X)[np.arange(len(y)), z]
    for i, noise in enumerate(model.noise):
        mine = residual[z == i]
        assert abs(np.mean(mine**2) - noise**2) < 5 * noise**2 * np.sqrt(2 / len(mine))


@pytest.mark.parametrize("gates", [np.zeros((0, 2)), [], ()])
@pytest.mark.parametrize("noise", [0.5, [0.5]])
def test_one_expert_is_a_regression(gates, noise):
    model = GatedModel([[1.0, -2.0]], gates, noise, expert_intercepts=[3.0])
    X, y, z = model.sample(50, np.random.default_rng(0), return_expert=True)
    mean = X @ [1.0, -2.0] + 3
    assert model.n_experts == 1 and model.gates.shape == (0, 2) and not np.any(z)
    np.testing.assert_allclose(model.mean(X), mean, rtol=1e-12)
    np.testing.assert_allclose(model.log_density(X, y), norm.logpdf(y, mean, 0.5), rtol=1e-12)
    np.testing.assert_array_equal(model.gate_probabilities(X), np.ones((50, 1)))
    np.testing.assert_array_equal(model.posterior(X, y), np.ones((50, 1)))
    assert model.shares() == [1.0]


def test_labels_are_drawn_for_inputs_that_fit_by_a_generator():
    model = standard_model()
    with pytest.raises(ValueError, match="rng must be a numpy.random.Generator"):
        model.sample_labels(np.zeros((3, 10)), 0)
    with pytest.raises(ValueError, match="X must have 10 columns"):
        model.sample_labels(np.zeros((3, 9)), np.random.default_rng(0))
