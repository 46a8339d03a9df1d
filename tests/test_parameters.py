"""Which parameters are learned, and their places in vectors."""

from itertools import product

import numpy as np
import pytest

from moelib import FreeParameters, GatedModel
from moelib.likelihood import scores

CHOICES = [
    FreeParameters(intercepts=i, noise=n, gate_slopes=s, gate_ridge=0.3)
    for i, n, s in product([False, True], repeat=3)
]


def two_models():
    """Two models of the same sizes that share no parameter."""
    rng = np.random.default_rng(0)
    return [
        GatedModel(
            rng.standard_normal((3, 2)),
            rng.standard_normal((2, 2)),
            rng.uniform(0.1, 1),
            "tanh",
            rng.standard_normal(3),
            rng.standard_normal(2),
        )
        for _ in range(2)
    ]


def learned(free):
    """Names of the arrays of a model that are learned."""
    names = {"experts"}
    names |= {"expert_intercepts", "gate_intercepts"} if free.intercepts else set()
    names |= {"gates"} if free.gate_slopes else {"gate_intercepts"}
    return names | ({"noise"} if free.noise else set())


@pytest.mark.parametrize("free", CHOICES, ids=str)
def test_a_model_comes_back_from_its_vector_and_the_rest_stays(free):
    model, other = two_models()
    back = free.from_vector(free.vector(model), like=other)
    for name in ("experts", "gates", "noise", "expert_intercepts", "gate_intercepts"):
        source = model if name in learned(free) else other
        np.testing.assert_allclose(getattr(back, name), getattr(source, name), rtol=1e-14)
    assert back.link is other.link


@pytest.mark.parametrize("free", CHOICES, ids=str)
def test_the_vector_has_a_place_for_each_parameter(free):
    model, _ = two_models()
    vector = free.vector(model)
    sizes = {name: np.size(getattr(model, name)) for name in learned(free)}
    assert len(vector) == free.count(3, 2) == sum(sizes.values())
    experts, gates, log_noise = free.blocks(vector, 3, 2)
    np.testing.assert_array_equal(experts[:, :2], model.experts)
    if free.intercepts:
        np.testing.assert_array_equal(experts[:, 2], model.expert_intercepts)
    if free.gate_slopes:
        np.testing.assert_array_equal(gates[:, :2], model.gates)
    if free.gate_intercepts:
        np.testing.assert_array_equal(gates[:, -1], model.gate_intercepts)
    np.testing.assert_allclose(np.exp(log_noise), [model.noise] * free.noise)


@pytest.mark.parametrize("free", CHOICES, ids=str)
def test_rows_on_designs_are_the_models_scores(free):
    """For a model whose parameters are zero where they are not learned."""
    model, _ = two_models()
    zero = GatedModel(np.zeros((3, 2)), np.zeros((2, 2)), 0.1, "tanh")
    model = free.from_vector(free.vector(model), like=zero)
    X = np.random.default_rng(1).standard_normal((10, 2))
    experts, gates = free.rows(model)
    answers = np.tanh(free.expert_design(X) @ experts.T)
    np.testing.assert_allclose(answers, model.expert_means(X), rtol=1e-12)
    scores = free.gate_design(X) @ gates.T
    shares = np.exp(np.column_stack([scores, np.zeros(10)]))
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, model.gate_probabilities(X), rtol=1e-12)


@pytest.mark.parametrize("free", CHOICES, ids=str)
def test_the_ridge_lies_on_slopes_only(free):
    model, _ = two_models()
    _, gates = free.rows(model)
    penalty = np.sum(free.ridge(2) * gates**2)
    expected = 0.3 * np.sum(model.gates**2) if free.gate_slopes else 0.0
    assert penalty == pytest.approx(expected)


@pytest.mark.parametrize("free", CHOICES, ids=str)
def test_moving_adds_to_what_is_learned_and_leaves_the_rest(free):
    model, _ = two_models()
    change = np.random.default_rng(1).standard_normal(free.count(3, 2))
    moved = free.moved(model, change)
    np.testing.assert_allclose(free.vector(moved), free.vector(model) + change)
    for name in {"experts", "gates", "expert_intercepts", "gate_intercepts"} - learned(free):
        np.testing.assert_array_equal(getattr(moved, name), getattr(model, name))


@pytest.mark.parametrize("free", CHOICES, ids=str)
def test_derivatives_of_the_log_density_are_the_scores(free):
    """In closed form; the error of differences shrinks with the square of the width."""
    model, _ = two_models()
    X, y = model.sample(20, np.random.default_rng(2))
    exact = scores(model, X, y, free=free)
    wide, narrow = (
        np.abs(free.derivatives(lambda m: m.log_density(X, y), model, width=w) - exact).max()
        for w in (1e-2, 1e-3)
    )
    assert narrow < 0.02 * wide and narrow < 1e-2
