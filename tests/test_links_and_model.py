"""Links and the gated model, against finite differences, closed forms and its own symmetries."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from moelib import LINKS, GatedModel, Link, random_model, standard_model
from moelib.links import as_link

points = np.array([-3.1, -1.2, -0.4, 0.3, 0.9, 2.7])


@pytest.mark.parametrize("name", LINKS)
def test_link_derivative_matches_finite_differences_and_torch(name):
    link = LINKS[name]
    numeric = (link.value(points + 1e-6) - link.value(points - 1e-6)) / 2e-6
    np.testing.assert_allclose(link.derivative(points), numeric, atol=1e-8)
    t = torch.tensor(points, requires_grad=True)
    value = link.torch_value(t)
    np.testing.assert_allclose(value.detach().numpy(), link.value(points), rtol=1e-14)
    value.sum().backward()
    np.testing.assert_allclose(t.grad.numpy(), link.derivative(points), rtol=1e-12)


def test_user_links():
    softplus = as_link(lambda t: np.logaddexp(0, t))
    np.testing.assert_allclose(softplus.derivative(points), 1 / (1 + np.exp(-points)), atol=1e-9)
    own = Link("cube", lambda t: t**3, lambda t: 3 * t**2)
    assert as_link(own) is own
    with pytest.raises(ValueError, match="link must be one of 'identity', 'relu'"):
        as_link("softmax")
    with pytest.raises(ValueError, match="a function or a Link; got 3"):
        as_link(3)


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
        (dict(experts=np.ones((1, 2)), gates=np.ones((0, 2))), "experts must have at least 2 rows"),
        (dict(gates=np.ones((2, 2))), "gates must have one row fewer than experts"),
        (dict(gates=np.ones((1, 3))), "gates must have 2 columns"),
        (dict(experts=[[np.nan, 1], [1, 1]]), "experts must be finite, got 1"),
        (dict(noise=0), "noise must be a positive"),
        (dict(noise=-1), "noise must be a positive"),
        (dict(noise="small"), "noise must be a positive"),
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
