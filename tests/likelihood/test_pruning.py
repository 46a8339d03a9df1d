import numpy as np
import pytest

from moelib import (
    FreeParameters,
    GatedModel,
    make_start,
    random_start,
    regressor_error,
    standard_model,
)
from moelib.likelihood import drop_costs, drop_expert, expectation_maximization, pruned_em
from moelib.validation import ConvergenceWarning


def random_gated(rng, k=4, d=3, link="identity", noise=0.5):
    """A model with random parameters and intercepts."""
    return GatedModel(
        rng.standard_normal((k, d)),
        rng.standard_normal((k - 1, d)),
        noise,
        link,
        rng.standard_normal(k),
        rng.standard_normal(k - 1),
    )


@pytest.mark.parametrize("link", ["identity", "tanh"])
def test_drop_costs_are_those_of_the_smaller_models(link):
    rng = np.random.default_rng(0)
    model = random_gated(rng, link=link)
    X, y = model.sample(300, rng)
    weights = rng.uniform(0.5, 2.0, 300)
    costs = drop_costs(model, X, y, sample_weight=weights)
    for i in range(4):
        lost = model.log_density(X, y) - drop_expert(model, i).log_density(X, y)
        assert costs[i] == pytest.approx(np.average(lost, weights=weights), rel=1e-10)


def test_a_dropped_expert_leaves_the_others_in_their_proportions():
    rng = np.random.default_rng(1)
    model = random_gated(rng)
    X = rng.standard_normal((50, 3))
    p, means = model.gate_probabilities(X), model.expert_means(X)
    for i in range(4):
        smaller, left = drop_expert(model, i), np.delete(p, i, axis=1)
        shares = left / left.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(smaller.gate_probabilities(X), shares, rtol=1e-10)
        np.testing.assert_allclose(smaller.expert_means(X), np.delete(means, i, axis=1))


def test_drop_costs_are_right_where_one_expert_explains_all():
    """Far from all others, the expert's share is 1 to machine precision: no log(1 - 1)."""
    model = GatedModel(np.diag([1.0, 2.0, 3.0]), [[90.0, 0, 0], [0, 1, 0]], 0.01)
    X = np.array([[2.0, 0.3, 0.2]])
    y = model.expert_means(X)[:, 0]
    lost = [model.log_density(X, y) - drop_expert(model, i).log_density(X, y) for i in range(3)]
    costs = drop_costs(model, X, y)
    np.testing.assert_allclose(costs, np.ravel(lost), rtol=1e-10, atol=1e-12)
    assert costs[0] > 1e3


def test_an_idle_expert_and_one_of_a_pair_cost_nothing():
    model = standard_model(d=5, n_experts=3)
    X, y = model.sample(500, np.random.default_rng(2))
    idle = GatedModel(
        np.vstack([np.full((1, 5), 5.0), model.experts]),
        np.vstack([np.zeros((1, 5)), model.gates]),
        model.noise,
        gate_intercepts=[-60.0, 0, 0],
    )
    assert abs(drop_costs(idle, X, y)[0]) < 1e-12
    pair = GatedModel(model.experts[[0, 0, 1, 2]], model.gates[[0, 0, 1]], model.noise)
    costs = drop_costs(pair, X, y)
    assert costs[0] == pytest.approx(costs[1], abs=1e-12)
    assert costs[0] < 0.2 < 1 < costs[2:].min()


def test_pruning_finds_what_em_misses():
    """At k = 10, on data where EM from the same kind of start ends elsewhere."""
    model, X, y = ten_experts(1003)
    plain = expectation_maximization(X, y, random_start(X, y, 10, starts(1003)), tol=1e-6)
    pruned = pruned_em(X, y, random_start(X, y, 20, starts(1003)), 10, tol=1e-6)
    assert regressor_error(plain.model.experts, model.experts) > 0.1
    assert regressor_error(pruned.model.experts, model.experts) < 0.001
    assert pruned.objective > plain.objective + 0.3


def ten_experts(seed):
    model = standard_model(d=20, n_experts=10)
    return model, *model.sample(4000, np.random.default_rng(seed))


def starts(seed):
    return np.random.default_rng(50_000 + seed)


@pytest.mark.parametrize(
    "free, link",
    [
        (FreeParameters(noise=False), "identity"),
        (FreeParameters(intercepts=True, gate_ridge=1e-3), "identity"),
        (FreeParameters(gate_slopes=False), "identity"),
        (FreeParameters(intercepts=True), "tanh"),
        (FreeParameters(), "relu"),
        (FreeParameters(intercepts=True, noise="per-expert"), "identity"),
        (FreeParameters(True, expert_features=(0, 1, 2), gate_features=(3, 4)), "identity"),
    ],
)
def test_pruning_keeps_what_is_not_learned_and_ends_where_em_stays(free, link):
    rng = np.random.default_rng(0)
    model = standard_model(d=6, n_experts=3, noise=0.1, link=link)
    X, y = model.sample(300, rng)
    weights = rng.uniform(0.5, 2.0, 300)
    start = make_start(X, y, 6, rng, link=link, free=free, noise=None if free.noise else 0.3)
    options = dict(free=free, sample_weight=weights, max_iter=2000, tol=1e-7)
    fit = pruned_em(X, y, start, 3, **options)
    assert {model.n_experts for model in fit.path} == {3}
    assert len(fit.path) == len(fit.history) and np.diff(fit.history).min() > -1e-9
    again = expectation_maximization(X, y, fit.model, **options)
    assert again.objective == pytest.approx(fit.objective, abs=1e-6)
    if not free.noise:
        assert fit.model.noise == start.noise
    if not free.intercepts:
        assert not np.any(fit.model.expert_intercepts)


def test_pruning_of_nothing_is_em_and_too_few_are_refused():
    _, X, y = ten_experts(0)
    start = random_start(X[:300], y[:300], 3, starts(0))
    plain = expectation_maximization(X[:300], y[:300], start)
    assert pruned_em(X[:300], y[:300], start, 3).history == plain.history
    for n_experts in (0, 4):
        with pytest.raises(ValueError, match=f"n_experts must be .*at least 1.* got {n_experts}"):
            pruned_em(X, y, start, n_experts)
    for i in (-1, 3):
        with pytest.raises(ValueError, match=f"cannot drop expert {i} of 3"):
            drop_expert(start, i)
    with pytest.raises(ValueError, match="at least 1 has to remain"):
        drop_expert(drop_expert(standard_model(d=3, n_experts=2), 0), 0)


def test_pruning_to_one_expert_is_one_regression():
    """Least squares with the root mean square residual as its noise, both kinds of noise alike."""
    _, X, y = ten_experts(0)
    X, y = X[:300], y[:300]
    weights = starts(1).integers(0, 3, 300)
    beta, noise = weighted_least_squares(X, y, weights)
    for free in (FreeParameters(), FreeParameters(noise="per-expert")):
        start = make_start(X, y, 2, starts(0), free=free)
        fit = pruned_em(X, y, start, 1, free=free, sample_weight=weights)
        np.testing.assert_allclose(fit.model.experts[0], beta, atol=1e-9)
        assert fit.model.noises[0] == pytest.approx(noise, rel=1e-9)


def weighted_least_squares(X, y, weights):
    root = np.sqrt(weights)
    beta = np.linalg.lstsq(X * root[:, None], y * root, rcond=None)[0]
    return beta, np.sqrt(np.average((y - X @ beta) ** 2, weights=weights))


def test_the_only_expert_has_no_price():
    with pytest.raises(ValueError, match="model must have at least 2 experts"):
        drop_costs(GatedModel([[1.0]], [], 0.1), [[1.0], [2.0]], [1.0, 2.0])


def test_each_expert_takes_its_noise_along():
    rng = np.random.default_rng(5)
    model = random_gated(rng, noise=[0.1, 0.2, 0.4, 0.8])
    for i in range(4):
        np.testing.assert_array_equal(drop_expert(model, i).noise, np.delete(model.noise, i))
    X, y = model.sample(300, rng)
    costs = drop_costs(model, X, y)
    for i in range(4):
        lost = model.log_density(X, y) - drop_expert(model, i).log_density(X, y)
        assert costs[i] == pytest.approx(lost.mean(), rel=1e-10)


def test_unfinished_pruning_warns():
    _, X, y = ten_experts(0)
    start = random_start(X[:300], y[:300], 4, starts(0))
    with pytest.warns(ConvergenceWarning, match="^EM did not converge in 2 "):
        pruned_em(X[:300], y[:300], start, 3, max_iter=2)
