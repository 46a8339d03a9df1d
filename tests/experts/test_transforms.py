"""Label transforms: the conditions they meet, closed forms, and links that have none."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import ndtr

from moelib import LINKS, GatedModel, label_transforms
from moelib.experts.transforms import label_transform, noise_from_labels
from moelib.hermite import hermite, score2, score4
from moelib.quadrature import label_moment


def softplus(t):
    return np.logaddexp(0, t)


def smooth_relu(theta, t):
    """A family from the line (theta = 0) over GELU (1) to the ReLU."""
    return t * ndtr(theta * t)


@pytest.mark.parametrize("noise", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("link", LINKS)
def test_transforms_meet_their_conditions(rule, link, noise):
    transforms = label_transforms(link, noise)
    second, fourth = (rule.integrals(q, link, noise, 4)[0] for q in (transforms.q2, transforms.q4))
    np.testing.assert_allclose(second[:2], 0, atol=1e-9)
    np.testing.assert_allclose(second[2], transforms.c2, rtol=1e-7)
    np.testing.assert_allclose(fourth[:4], 0, atol=1e-9)
    np.testing.assert_allclose(fourth[4], transforms.c4, rtol=1e-6)


def test_linear_link_has_the_closed_form():
    noise = 0.7
    s = np.sqrt(1 + noise**2)
    transforms = label_transforms("identity", noise)
    y = np.linspace(-2, 2, 9)
    np.testing.assert_allclose(transforms.q4(y), s**4 * hermite(4, y / s), atol=1e-10)
    np.testing.assert_allclose(transforms.q2(y), y**2 - s**2, atol=1e-10)
    np.testing.assert_allclose([transforms.c2, transforms.c4], [2, 24], rtol=1e-10)


@pytest.mark.parametrize(
    "link, c4",
    [("relu", 0.50), ("leaky_relu", 2.57), ("tanh", 0.157), ("sigmoid", 0.0094)],
)
def test_constants_at_small_noise(link, c4):
    assert label_transforms(link, 0.05).c4 == pytest.approx(c4, rel=0.01)


def test_a_readers_own_link():
    softplus = label_transforms(lambda t: np.logaddexp(0, t), 0.1)
    assert softplus.c4 > 0.1
    square = label_transforms(np.square, 0.05)
    assert square.c4 > 100


@pytest.mark.parametrize("link", [np.sign, np.zeros_like])
def test_links_without_a_transform_are_refused(link):
    with pytest.raises(ValueError, match="is not valid at noise 0: .*c_|no finite non-zero second"):
        label_transforms(link, 0.0)


@pytest.mark.parametrize("link", LINKS)
def test_noise_is_read_off_the_labels(link):
    rng = np.random.default_rng(0)
    n, noise = 400_000, 0.8
    y = LINKS[link].value(rng.standard_normal(n)) + noise * rng.standard_normal(n)
    tolerance = 4 * np.std(y**2) / np.sqrt(n)
    assert abs(noise_from_labels(y, link=link) ** 2 - noise**2) < tolerance
    assert abs(np.mean(y**2) - label_moment(2, link, noise)) < tolerance
    assert noise_from_labels(np.zeros(3), link=link) == 1e-3


@pytest.mark.parametrize("noise", [0.05, 0.5])
@pytest.mark.parametrize("kind", ["polynomial", "optimal"])
def test_other_units_change_no_correlation(kind, noise):
    def scaled(t):
        return 5 - 3 * np.tanh(t)

    plain = label_transform(4, "tanh", noise, kind=kind)
    moved = label_transform(4, scaled, 3 * noise, kind=kind)
    assert moved.correlation == pytest.approx(plain.correlation, rel=1e-5)
    y = np.linspace(-1, 1, 11)
    scale = 81.0 if kind == "polynomial" else 1.0
    size = np.sqrt(moved.variance)
    np.testing.assert_allclose(moved(5 - 3 * y) / size, scale * plain(y) / size, atol=1e-4)


@pytest.mark.parametrize("link", [*LINKS, softplus])
def test_noise_does_not_move_the_constant_of_a_polynomial(link):
    for order in (2, 3, 4):
        if link == "sigmoid" and order == 4:
            continue  # c_4 = 0.009 and noise 1: the digits are gone
        quiet, loud = (label_transform(order, link, noise) for noise in (0.0, 1.0))
        assert loud.c == pytest.approx(quiet.c, rel=1e-5)


def polynomial_constant(rule, theta):
    """c_4 of smooth_relu(theta) without noise, from Gauss-Legendre sums of its powers."""
    g, Z, Z_WEIGHTS = smooth_relu(theta, rule.z), rule.z, rule.z_weights
    K = np.array([[Z_WEIGHTS @ (g**p * hermite(j, Z)) for j in range(1, 5)] for p in range(1, 5)])
    return np.linalg.det(K) / np.linalg.det(K[:3, :3])


def test_a_link_without_a_polynomial_but_with_a_transform(rule):
    root = brentq(partial(polynomial_constant, rule), 0.5, 1.0)
    assert 0.8 < root < 0.81
    link = partial(smooth_relu, root)
    for noise in (0.0, 0.05, 0.5):
        with pytest.raises(ValueError, match=r"not valid at noise .*order 4 has c_4 = .*clearly"):
            label_transform(4, link, noise)
    best = label_transform(4, link, 0.05, kind="optimal")
    assert best.correlation > 0.5
    correlations, _ = rule.integrals(best, link, 0.05, 4)
    np.testing.assert_allclose(correlations, [0, 0, 0, 0, 1], atol=1e-4)
    assert label_transform(4, partial(smooth_relu, root - 0.2), 0.05).c > 0
    assert label_transform(4, partial(smooth_relu, root + 0.2), 0.05).c < 0  # GELU


@pytest.mark.parametrize(
    "link, order", [(np.sign, 2), (np.sign, 3), (np.sign, 4), (np.abs, 3), (np.square, 1)]
)
def test_invalid_links_are_refused_with_the_reason(link, order):
    with pytest.raises(
        ValueError, match=rf"not valid at noise 0.5.*c_{order} = .*clearly non-zero"
    ):
        label_transform(order, link, 0.5)
    with pytest.raises(ValueError, match=rf"E\[He_{order}\(Z\) \| Y\] is zero or .*c_{order} = 0"):
        label_transform(order, link, 0.5, kind="optimal")


def test_bad_arguments():
    with pytest.raises(ValueError, match="noise must be positive for 'optimal' transforms"):
        label_transform(4, "relu", 0, kind="optimal")
    with pytest.raises(ValueError, match="noise must be positive for 'in-span' transforms"):
        label_transform(4, "relu", 0, kind="in-span")
    with pytest.raises(ValueError, match="noise must be positive for 'optimal' transforms"):
        label_transforms("relu", 0.0, kind="optimal")
    with pytest.raises(ValueError, match="noise must be a positive"):
        label_transforms("relu", -0.1)
    with pytest.raises(ValueError, match="kind must be one of 'polynomial'"):
        label_transforms("relu", 0.1, kind="magic")
    for order in (0, 2.0, "4"):
        with pytest.raises(ValueError, match="order must be an integer of at least 1"):
            label_transform(order, "relu", 0.1)
    with pytest.raises(ValueError, match="too many to tabulate"):
        label_transform(2, "identity", 1e-4, kind="optimal")
    assert label_transform(4, "relu", 0).correlation > 0.19


@pytest.mark.parametrize("kind", ["polynomial", "optimal"])
def test_arrays_and_tensors(kind):
    transforms = label_transforms("relu", 0.5, kind=kind)
    y = np.linspace(-30, 30, 12).reshape(3, 4)
    for transform in (transforms.q2, transforms.q4):
        values = transform(y)
        assert values.shape == (3, 4) and np.all(np.isfinite(values))
        tensor = transform(torch.tensor(y))
        assert isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64
        np.testing.assert_allclose(tensor.numpy(), values, rtol=1e-12)
        assert float(transform(0.5)) == pytest.approx(transform(np.array([0.5]))[0])
    assert (transforms.c2, transforms.c4) == (transforms.q2.c, transforms.q4.c)
    if kind == "optimal":
        assert transforms.q4_coefficients is None
        assert transforms.q4(np.array([1e9])) == transforms.q4(np.array([1e12]))


@pytest.mark.slow
@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("link", LINKS)
def test_key_lemma_within_four_standard_errors(link, order):
    """E[Q_m S_m] = c_m sum_i pi_i a_i^(x m), contracted with random directions."""
    experts = np.array([[1.0, 0, 0, 0], [0.6, 0.8, 0, 0]])
    model = GatedModel(experts, [[0, 0, 1.5, -1.0]], 0.2, link)
    rng = np.random.default_rng(7)
    X, y = model.sample(1_000_000, rng)
    transforms = label_transforms(link, model.noise)
    pi = model.gate_probabilities(X).mean(axis=0)
    for _ in range(5):
        u, v = rng.standard_normal((2, 4)) / 2
        if order == 2:
            terms = transforms.q2(y) * score2(X, u)
            expected = transforms.c2 * pi @ (experts @ u) ** 2
        else:
            terms = transforms.q4(y) * score4(X, u, v)
            expected = transforms.c4 * pi @ ((experts @ u) ** 2 * (experts @ v) ** 2)
        # pi is itself a mean over the sample; its error is far below that of the terms
        assert abs(terms.mean() - expected) < 4 * terms.std() / np.sqrt(len(y))
        assert terms.std() / np.sqrt(len(y)) < 0.25 * abs(transforms.c4 if order == 4 else 1)
