"""Which parameters are learned, and their places in vectors."""

from itertools import product

import numpy as np
import pytest

from moelib import FreeParameters, GatedModel
from moelib.likelihood import scores

CHOICES = [
    FreeParameters(intercepts=i, noise=n, gate_slopes=s, gate_ridge=0.3)
    for i, n, s in product([False, True], [False, True, "per-expert"], [False, True])
]
OWN_COLUMNS = [
    FreeParameters(i, n, expert_features=e, gate_features=g, gate_ridge=(0.3, 0.5))
    for i, n, (e, g) in product(
        [False, True], [True, "per-expert"], [((0,), (1,)), (None, (0,)), ((1, 0), None)]
    )
]


def two_models(free=FreeParameters()):
    """Two models of the same sizes that share no parameter; with a noise for each expert or one."""
    rng = np.random.default_rng(0)
    return [
        GatedModel(
            rng.standard_normal((3, 2)),
            rng.standard_normal((2, 2)),
            rng.uniform(0.1, 1, 3) if free.noise_per_expert else rng.uniform(0.1, 1),
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
    model, other = two_models(free)
    back = free.from_vector(free.vector(model), like=other)
    for name in ("experts", "gates", "noise", "expert_intercepts", "gate_intercepts"):
        source = model if name in learned(free) else other
        np.testing.assert_allclose(getattr(back, name), getattr(source, name), rtol=1e-14)
    assert back.link is other.link


@pytest.mark.parametrize("free", CHOICES, ids=str)
def test_the_vector_has_a_place_for_each_parameter(free):
    model, _ = two_models(free)
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
    expected = model.noise if free.noise_per_expert else [model.noise] * free.noise
    np.testing.assert_allclose(np.exp(log_noise), expected)
    assert len(log_noise) == free.n_noises(3)


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
    model, _ = two_models(free)
    change = np.random.default_rng(1).standard_normal(free.count(3, 2))
    moved = free.moved(model, change)
    np.testing.assert_allclose(free.vector(moved), free.vector(model) + change)
    for name in {"experts", "gates", "expert_intercepts", "gate_intercepts"} - learned(free):
        np.testing.assert_array_equal(getattr(moved, name), getattr(model, name))


@pytest.mark.parametrize("free", CHOICES, ids=str)
def test_derivatives_of_the_log_density_are_the_scores(free):
    """In closed form; the error of differences shrinks with the square of the width."""
    model, _ = two_models(free)
    X, y = model.sample(20, np.random.default_rng(2))
    exact = scores(model, X, y, free=free)
    wide, narrow = (
        np.abs(free.derivatives(lambda m: m.log_density(X, y), model, width=w) - exact).max()
        for w in (1e-2, 1e-3)
    )
    assert narrow < 0.02 * wide and narrow < 1e-2


# --- own columns of experts and gates -------------------------------------------------------------


@pytest.mark.parametrize("free", OWN_COLUMNS, ids=str)
def test_own_columns_have_their_places_and_the_others_no_slope(free):
    model, other = two_models(free)
    vector = free.vector(model)
    back = free.from_vector(vector, like=other)
    experts, gates, _ = free.blocks(vector, 3, 2)
    e, g = (
        list(range(2)) if c is None else list(c) for c in (free.expert_features, free.gate_features)
    )
    np.testing.assert_array_equal(experts[:, : len(e)], model.experts[:, e])
    np.testing.assert_array_equal(gates[:, : len(g)], model.gates[:, g])
    np.testing.assert_array_equal(back.experts != 0, np.isin(np.arange(2), e) * np.ones((3, 1)))
    np.testing.assert_array_equal(back.gates != 0, np.isin(np.arange(2), g) * np.ones((2, 1)))
    np.testing.assert_array_equal(back.experts, free.restricted(model).experts)
    np.testing.assert_array_equal(back.gates, free.restricted(model).gates)
    own = len(e) + free.intercepts, len(g) + free.intercepts
    assert free.widths(2) == own
    assert len(vector) == free.count(3, 2) == 3 * own[0] + 2 * own[1] + free.n_noises(3)
    penalty = np.sum(free.ridge(2) * free.rows(model)[1] ** 2)
    assert penalty == pytest.approx(np.sum(np.array([0.3, 0.5])[g] * model.gates[:, g] ** 2))


@pytest.mark.parametrize("free", OWN_COLUMNS, ids=str)
def test_rows_on_designs_of_own_columns_are_the_models_scores(free):
    model, _ = two_models(free)
    model = free.from_vector(
        free.vector(model), like=GatedModel(np.zeros((3, 2)), np.zeros((2, 2)), 1.0)
    )
    X = np.random.default_rng(1).standard_normal((10, 2))
    experts, gates = free.rows(model)
    np.testing.assert_allclose(free.expert_design(X) @ experts.T, model.expert_means(X), atol=1e-12)
    scores = np.column_stack([free.gate_design(X) @ gates.T, np.zeros(10)])
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, model.gate_probabilities(X), rtol=1e-12)


def test_a_gate_without_columns_is_constant():
    free = FreeParameters(gate_features=())
    assert not free.gate_slopes and free.gate_intercepts and free.widths(4) == (4, 1)
    assert free == FreeParameters(gate_slopes=False, gate_features=())


def test_experts_without_columns_are_constants():
    free = FreeParameters(intercepts=True, expert_features=())
    np.testing.assert_array_equal(free.expert_design(np.zeros((3, 2))), np.ones((3, 1)))
    assert free.count(3, 2) == 3 + 2 * 3 + 1


def test_one_expert_has_no_gate():
    free = FreeParameters(intercepts=True, noise="per-expert")
    model = GatedModel([[1.0, 2.0]], [], [0.5], expert_intercepts=[3.0])
    np.testing.assert_allclose(free.vector(model), [1.0, 2.0, 3.0, np.log(0.5)])
    back = free.from_vector(free.vector(model), like=model)
    assert back.gates.shape == (0, 2) and back.noise.shape == (1,)


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(noise="each"), "noise must be True, False or 'per-expert', got 'each'"),
        (dict(gate_ridge=-0.1), "gate_ridge must not be negative, got -0.1"),
        (dict(gate_ridge=(0.1, np.nan)), "gate_ridge must not be negative"),
    ],
)
def test_bad_choices_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FreeParameters(**settings)


def test_columns_that_are_not_there_are_refused():
    model, _ = two_models()
    for name in ("expert_features", "gate_features"):
        for bad in ((2,), (-1,), (0, 5)):
            with pytest.raises(ValueError, match="features must be numbers of columns from 0 to 1"):
                FreeParameters(**{name: bad}).vector(model)


def test_one_noise_is_not_taken_from_several():
    model, _ = two_models(FreeParameters(noise="per-expert"))
    with pytest.raises(ValueError, match="a noise for each expert: pass free=FreeParameters"):
        FreeParameters().vector(model)
    assert len(FreeParameters(noise=False).vector(model)) == 10


def test_settings_of_numpy_are_plain_ones():
    free = FreeParameters(noise=np.bool_(True), expert_features=np.array([0, 2]))
    assert free == FreeParameters(noise=True, expert_features=(0, 2)) and free.noise is True
    assert hash(free) == hash(FreeParameters(noise=True, expert_features=(0, 2)))
