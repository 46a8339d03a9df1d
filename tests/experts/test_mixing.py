"""What score moments contain besides the experts, against quadrature in all dimensions."""

import numpy as np
import pytest

from moelib.experts.mixing import gate_slopes, mixed_moment
from moelib.experts.transforms import label_transform
from moelib.hermite import hermite, score_tensor
from moelib.model import GatedModel, random_model, standard_model
from moelib.quadrature import gaussian_rule, hermite_moments, label_power


def by_stein(model, u, order):
    """E[p_i(x) S_j(x)][u, ..., u] for two inputs, on a grid; no derivative is taken."""
    z, weight = gaussian_rule(limit=8)
    x = np.stack(np.meshgrid(z, z), axis=-1).reshape(-1, 2)
    p = np.outer(weight, weight).ravel()[:, None] * model.gate_probabilities(x)
    length = np.linalg.norm(u)
    scores = [length**j * hermite(j, x @ u / length) for j in range(order + 1)]
    return np.array(scores) @ p


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gate_norm", [0.5, 3.0])
def test_slopes_agree_with_steins_lemma(seed, gate_norm):
    rng = np.random.default_rng(seed)
    gates = gate_norm * rng.standard_normal((2, 2)) / np.sqrt(2)
    intercepts = rng.standard_normal(2)
    model = GatedModel(np.eye(3)[:, :2], gates, 0.1, gate_intercepts=intercepts)
    u = 1.5 * rng.standard_normal(2)
    expected = by_stein(model, u, order=5)
    np.testing.assert_allclose(gate_slopes(model, u, order=5), expected, rtol=1e-5, atol=1e-6)


def test_slopes_of_two_experts_are_those_of_the_logistic_function():
    model = standard_model(d=4, n_experts=2, gate_norm=2.0)
    u = np.array([5.0, 0.3, 0.7, -1.0])  # only the third coordinate meets the gate
    z, weight = gaussian_rule()
    p = 1 / (1 + np.exp(-2 * z))
    q = p * (1 - p)
    derivatives = [p, q, q * (1 - 2 * p), q * (1 - 6 * q)]
    expected = [1.4**j * (weight @ values) for j, values in enumerate(derivatives)]
    slopes = gate_slopes(model, u, order=3)
    np.testing.assert_allclose(slopes[:, 0], expected, atol=1e-9)
    np.testing.assert_allclose(slopes.sum(axis=1), [1, 0, 0, 0], atol=1e-9)


def test_one_expert_has_a_share_of_one_that_does_not_move():
    model = GatedModel(np.eye(3)[:1], np.zeros((0, 3)), 0.1)
    expected = [[1.0], [0.0], [0.0]]
    np.testing.assert_allclose(gate_slopes(model, [1.0, 2, 3], order=2), expected, atol=1e-12)


def test_a_gate_of_length_zero_has_shares_and_no_slopes():
    model = GatedModel(np.eye(3), np.zeros((2, 3)), 0.1, gate_intercepts=[np.log(2), 0.0])
    slopes = gate_slopes(model, np.ones(3))
    np.testing.assert_allclose(slopes[0], [0.5, 0.25, 0.25])
    np.testing.assert_allclose(slopes[1:], 0, atol=1e-9)


def test_long_gates_do_not_overflow():
    model = standard_model(d=3, n_experts=2, gate_norm=200.0)
    slopes = gate_slopes(model, model.gates[0] / 200, order=1)
    np.testing.assert_allclose(slopes[0], 0.5)
    # E p'(200 Z) is the density of Z at zero over 200
    np.testing.assert_allclose(slopes[1, 0], 1 / np.sqrt(2 * np.pi), rtol=1e-3)


def test_a_direction_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="u must have"):
        gate_slopes(standard_model(d=3, n_experts=2), np.ones(4))


def by_grid(model, u, order):
    """E[(y^3 + y^4) S_m(x)][u, ..., u] for three inputs, from the tensor and the labels' law."""
    t, w = np.polynomial.hermite_e.hermegauss(30)
    x = np.stack(np.meshgrid(t, t, t), axis=-1).reshape(-1, 3)
    weight = np.prod(np.meshgrid(w, w, w), axis=0).ravel() / w.sum() ** 3
    answers = sum(label_power(p, x @ model.experts.T, model.noise) for p in (3, 4))
    label = np.sum(model.gate_probabilities(x) * answers, axis=1)
    tensor = score_tensor(x, order)
    for _ in range(order):
        tensor = tensor @ u
    return weight @ (label * tensor)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_moment_of_a_polynomial_agrees_with_the_whole_law(order):
    rng = np.random.default_rng(order)
    model = random_model(3, 2, rng, noise=0.5, gate_norm=1.0)
    u = rng.standard_normal(3)
    t = hermite_moments(lambda y: y**3 + y**4, order, "identity", noise=0.5)
    expected = by_grid(model, u, order)
    assert abs(expected) > 0.1
    np.testing.assert_allclose(mixed_moment(t, model, u), expected, rtol=1e-5)


def test_of_a_label_transform_only_the_experts_are_left():
    rng = np.random.default_rng(0)
    model = random_model(5, 3, rng, noise=0.5, gate_norm=2.0, link="relu")
    transform = label_transform(4, "relu", 0.5)
    t = hermite_moments(transform, 4, "relu", 0.5)
    u = rng.standard_normal(5)
    shares = gate_slopes(model, u, order=0)[0]
    expected = transform.c * shares @ (model.experts @ u) ** 4
    np.testing.assert_allclose(mixed_moment(t, model, u), expected, rtol=1e-6)
    plain = hermite_moments(lambda y: y**4, 4, "relu", 0.5)
    assert (
        abs(mixed_moment(plain, model, u) / (plain[4] * shares @ (model.experts @ u) ** 4) - 1)
        > 0.1
    )
