"""Numbering experts by a rule, and as another fit has them."""

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from moelib import GatedModel, MixtureOfExperts, align_experts
from moelib.metrics import relabelled

QUICK = dict(n_init=3, random_state=0)


@pytest.fixture(scope="module")
def data():
    model = GatedModel(
        [[2.0, 0.0], [-1.0, 1.0], [0.5, -2.0]],
        [[2.0, 1.0], [-1.0, 2.0]],
        [0.2, 0.5, 0.35],
        "identity",
        [1.0, -3.0, 4.0],
        [0.8, 0.2],
    )
    X, y = model.sample(900, np.random.default_rng(0))
    return pd.DataFrame(X, columns=["age", "dose"]), y


def by_rule(fit, X, y, rule):
    """What the experts are ordered by, from public predictions."""
    if rule == "share":
        return fit.posterior(X, y).mean(axis=0)
    if rule == "answer":
        return fit.expert_answers(X.mean().to_frame().T)[0]
    if rule == "noise":
        return fit.noises_
    return fit.experts_[:, list(X.columns).index(rule)]


@pytest.mark.parametrize(
    ("rule", "method"),
    [(rule, "em") for rule in ("share", "answer", "noise", "age", "dose")] + [("age", "two-loss")],
)
def test_experts_are_numbered_by_the_rule(data, rule, method):
    X, y = data
    settings = dict(method=method, noise="per-expert", **QUICK)
    if method == "two-loss":  # for which d >= k is needed, and unit experts
        X = X.assign(more=np.random.default_rng(1).standard_normal(len(X)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fit = MixtureOfExperts(3, order_by=rule, **settings).fit(X, y)
        plain = MixtureOfExperts(3, **settings).fit(X, y)
    values = by_rule(fit, X, y, rule)
    assert np.all(np.diff(values) > 0)
    order = np.argsort(by_rule(plain, X, y, rule))
    plain.relabel(order)
    for name in ("experts_", "gates_", "noises_", "expert_intercepts_", "gate_intercepts_"):
        np.testing.assert_allclose(getattr(fit, name), getattr(plain, name), atol=1e-9)
    np.testing.assert_allclose(
        fit.summary().table["s.e."], plain.summary().table["s.e."], rtol=1e-6
    )
    assert fit.log_likelihood_ == plain.log_likelihood_


def test_the_same_numbers_for_every_seed(data):
    X, y = data
    fits = [
        MixtureOfExperts(3, order_by="answer", n_init=5, random_state=seed).fit(X, y)
        for seed in range(4)
    ]
    for fit in fits[1:]:
        np.testing.assert_allclose(fit.experts_, fits[0].experts_, atol=1e-4)


def test_a_level_of_a_category_orders_by_its_slope():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.standard_normal(600), "shop": rng.choice(["a", "b"], 600)})
    high = rng.random(600) < 0.5
    y = np.where(high, 5 - 2 * (frame["shop"] == "b"), 1 + 2 * (frame["shop"] == "b"))
    y = y + frame["x"] + 0.2 * rng.standard_normal(600)
    fit = MixtureOfExperts(2, order_by="shop=b", **QUICK).fit(frame, y)
    assert fit.terms_ == ["x", "shop=b"]
    np.testing.assert_allclose(fit.experts_[:, 1], [-2, 2], atol=0.2)


def test_a_rule_that_is_none_is_refused_before_the_fit(data, monkeypatch):
    X, y = data
    monkeypatch.setattr("moelib.estimator.mixture.run", lambda *_: pytest.fail("it was fitted"))
    with pytest.raises(
        ValueError, match="order_by must be one of 'share', .* 'dose'; got 'weight'"
    ):
        MixtureOfExperts(2, order_by="weight").fit(X, y)


# --- alignment ------------------------------------------------------------------------------------


def random_model(rng, k, d):
    return GatedModel(
        rng.standard_normal((k, d)),
        rng.standard_normal((k - 1, d)),
        rng.uniform(0.1, 1, k),
        expert_intercepts=2 * rng.standard_normal(k),
        gate_intercepts=rng.standard_normal(k - 1),
    )


def cost(model, other, X, order):
    """Weighted mean squared difference of the answers, matched in an order, by loops."""
    p, q = model.gate_probabilities(X), other.gate_probabilities(X)
    a, b = model.expert_means(X), other.expert_means(X)
    total = 0.0
    for j, i in enumerate(order):
        weight = p[:, i] + q[:, j]
        total += np.average((a[:, i] - b[:, j]) ** 2, weights=weight)
    return total


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("d", [1, 3])
def test_alignment_is_the_best_of_all_permutations(k, d):
    for seed in range(5):
        rng = np.random.default_rng([seed, k, d])
        model, other, X = random_model(rng, k, d), random_model(rng, k, d), rng.random((40, d))
        best = min(itertools.permutations(range(k)), key=lambda order: cost(model, other, X, order))
        np.testing.assert_array_equal(align_experts(model, other, X), best)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_a_model_is_aligned_with_its_own_reordering(k):
    rng = np.random.default_rng(k)
    model, X = random_model(rng, k, 2), rng.standard_normal((50, 2))
    order = rng.permutation(k)
    moved = relabelled(model, order)
    found = align_experts(moved, model, X)
    np.testing.assert_array_equal(order[found], np.arange(k))
    back = relabelled(moved, found)
    np.testing.assert_allclose(back.gates, model.gates, atol=1e-12)
    np.testing.assert_array_equal(back.experts, model.experts)


def test_fits_of_tables_are_aligned(data):
    """Two halves of the data, the experts of the second numbered as those of the first."""
    X, y = data
    one = MixtureOfExperts(3, **QUICK).fit(X[::2], y[::2])
    two = MixtureOfExperts(3, n_init=3, random_state=5).fit(X[1::2], y[1::2])
    two.relabel(align_experts(two, one, X))
    np.testing.assert_allclose(two.experts_, one.experts_, atol=0.4)
    np.testing.assert_allclose(two.expert_intercepts_, one.expert_intercepts_, atol=0.4)
    np.testing.assert_array_equal(align_experts(two, one, X), [0, 1, 2])
    np.testing.assert_array_equal(align_experts(two.model_, one, X), [0, 1, 2])


def test_fits_with_other_numbers_of_experts_are_not_aligned(data):
    X, y = data
    two = GatedModel(np.eye(2), np.ones((1, 2)), 1.0)
    three = replace(
        two,
        experts=np.ones((3, 2)),
        gates=np.ones((2, 2)),
        expert_intercepts=np.ones(3),
        gate_intercepts=np.ones(2),
    )
    with pytest.raises(ValueError, match="model has 2 experts and reference 3"):
        align_experts(two, three, X.to_numpy())
