"""The label transforms against a separate quadrature, Monte Carlo, and rivals that should lose."""

from functools import partial
from math import factorial

import numpy as np
import pytest
import torch
from numpy.polynomial import hermite_e
from scipy.optimize import brentq
from scipy.special import ndtr

from moelib import LINKS
from moelib.experts.optimal_transforms import conditional_hermite
from moelib.experts.transforms import label_transform, label_transforms
from moelib.hermite import hermite

NOISES = [0.05, 0.2, 0.5, 1.0]
# Z on each side of the kink at 0, and the noise: rules that the library does not use
NODES, NODE_WEIGHTS = hermite_e.hermegauss(90)
NODE_WEIGHTS = NODE_WEIGHTS / NODE_WEIGHTS.sum()
HALF, HALF_WEIGHTS = np.polynomial.legendre.leggauss(500)
Z = 4.75 * np.concatenate([HALF - 1, HALF + 1])
Z_WEIGHTS = 4.75 * np.tile(HALF_WEIGHTS, 2) * np.exp(-(Z**2) / 2) / np.sqrt(2 * np.pi)


def softplus(t):
    return np.logaddexp(0, t)


def smooth_relu(theta, t):
    """A family from the line (theta = 0) over GELU (1) to the ReLU."""
    return t * ndtr(theta * t)


def value(link):
    return LINKS[link].value if isinstance(link, str) else link


def integrals(transform, link, noise, order):
    """E[T He_j] for j up to the order, and E[T^2]."""
    y = value(link)(Z)[:, None] + noise * NODES
    values = transform(y.ravel()).reshape(y.shape)
    correlations = [Z_WEIGHTS @ (values @ NODE_WEIGHTS * hermite(j, Z)) for j in range(order + 1)]
    return np.array(correlations), Z_WEIGHTS @ (values**2 @ NODE_WEIGHTS)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("link", [*LINKS, softplus])
def test_optimal_transform_by_another_quadrature(link, noise, order):
    best = label_transform(order, link, noise, kind="optimal")
    correlations, square = integrals(best, link, noise, order)
    size = np.sqrt(best.variance)
    # the table has four points in each standard deviation of the noise: good to 1e-4 of the size
    np.testing.assert_allclose(correlations / size, np.eye(order + 1)[order] / size, atol=1e-4)
    np.testing.assert_allclose(square, best.variance, rtol=1e-4)
    assert best.c == 1 and best.coefficients is None and best.order == order


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("link", [*LINKS, softplus])
def test_polynomial_never_beats_the_optimal(link, noise, order):
    plain = label_transform(order, link, noise)
    best = label_transform(order, link, noise, kind="optimal")
    correlations, square = integrals(plain, link, noise, order)
    np.testing.assert_allclose(correlations[:order] / np.sqrt(plain.variance), 0, atol=1e-6)
    np.testing.assert_allclose(correlations[order], plain.c, rtol=1e-5)
    np.testing.assert_allclose(square, plain.variance, rtol=1e-5)
    assert best.variance <= plain.variance / plain.c**2 * (1 + 1e-6)
    assert abs(plain.correlation) <= best.correlation * (1 + 1e-6) <= 1 + 1e-6


def test_gains_worth_having():
    def gain(link, noise):
        plain = label_transform(4, link, noise)
        return plain.variance / plain.c**2 / label_transform(4, link, noise, "optimal").variance

    assert gain("relu", 1.0) == pytest.approx(5.37, abs=0.02)
    assert gain("leaky_relu", 0.05) == pytest.approx(3.00, abs=0.02)


@pytest.mark.parametrize("link", ["tanh", "leaky_relu", "sigmoid"])
@pytest.mark.parametrize("kind", ["polynomial", "optimal"])
def test_moments_by_monte_carlo(link, kind):
    """Within four standard errors, at a noise where fourth moments are mild."""
    rng = np.random.default_rng(0)
    n, noise = 1_000_000, 0.2
    z = rng.standard_normal(n)
    y = value(link)(z) + noise * rng.standard_normal(n)
    for order in (2, 4):
        transform = label_transform(order, link, noise, kind)
        t = transform(y)
        for j in range(order + 1):
            terms = t * hermite(j, z)
            expected = transform.c if j == order else 0.0
            assert abs(terms.mean() - expected) < 4 * terms.std() / np.sqrt(n)
        squares = (t - t.mean()) ** 2
        assert abs(squares.mean() - transform.variance) < 4 * squares.std() / np.sqrt(n)


@pytest.mark.parametrize("link", ["relu", "tanh"])
@pytest.mark.parametrize("order", [2, 4])
def test_no_other_transform_has_less_variance(link, order):
    noise = 0.5
    best = label_transform(order, link, noise, kind="optimal")
    y = value(link)(Z)[:, None] + noise * NODES
    mass = np.outer(Z_WEIGHTS, NODE_WEIGHTS).ravel()
    y = y.ravel()
    kept = mass > 1e-14
    y, mass = y[kept], mass[kept] / mass[kept].sum()
    table = np.linspace(y.min(), y.max(), 4000)
    h = conditional_hermite(table, order, link, noise)
    h = np.array([np.interp(y, table, row) for row in h])
    here = best(y)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        a, b, c = rng.standard_normal(3)
        extra = np.sqrt(best.variance) * (np.sin(2 * a * y + b) + c * np.tanh(y))
        extra = extra - np.linalg.solve((h * mass) @ h.T, (h * mass) @ extra) @ h
        assert np.abs((h * mass) @ extra).max() < 1e-8
        rise = mass @ (here + extra) ** 2 - mass @ here**2
        assert rise > 0
        np.testing.assert_allclose(rise, mass @ extra**2, rtol=2e-2)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_identity_needs_nothing_but_hermite(order, noise):
    s = np.sqrt(1 + noise**2)
    best = label_transform(order, "identity", noise, kind="optimal")
    y = np.linspace(-4 * s, 4 * s, 41)
    expected = s**order * hermite(order, y / s) / factorial(order)
    np.testing.assert_allclose(best(y), expected, rtol=1e-4, atol=1e-4 * s**order)
    np.testing.assert_allclose(best.correlation, s**-order, rtol=1e-6)
    np.testing.assert_allclose(
        label_transform(order, "identity", noise).correlation, s**-order, rtol=1e-6
    )


@pytest.mark.parametrize("noise", [0.05, 0.5])
@pytest.mark.parametrize("kind", ["polynomial", "optimal"])
def test_other_units_change_no_correlation(kind, noise):
    def scaled(t):
        return 5 - 3 * np.tanh(t)

    plain = label_transform(4, "tanh", noise, kind)
    moved = label_transform(4, scaled, 3 * noise, kind)
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


def test_whole_moment_weighs_large_scores():
    """dimension=r: least E[T^2 |S_4|^2], by Monte Carlo on the same million labels."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((1_000_000, 3))
    y = np.tanh(z[:, 0]) + 0.2 * rng.standard_normal(len(z))
    r = np.linalg.norm(z, axis=1)
    square = hermite(4, r) ** 2 + 12 * hermite(2, r) ** 2 + 24  # |S_4|^2 for d = 3
    errors = {}
    for dimension in (None, 3):
        transform = label_transform(4, "tanh", 0.2, "optimal", dimension)
        correlations, _ = integrals(transform, "tanh", 0.2, 4)
        np.testing.assert_allclose(correlations, [0, 0, 0, 0, 1], atol=1e-3)
        errors[dimension] = transform(y) ** 2 * square
    difference = errors[None] - errors[3]
    assert difference.mean() > 4 * difference.std() / 1000


@pytest.mark.parametrize("link", ["relu", "tanh", "identity"])
def test_in_the_span_no_lower_condition_is_met_or_needed(link):
    """c_4 = 1 and mean zero as ever; the orders between are free, and the error is smaller."""
    free = label_transform(4, link, 0.2, "in-span", dimension=3)
    bound = label_transform(4, link, 0.2, "optimal", dimension=3)
    correlations, _ = integrals(free, link, 0.2, 4)
    np.testing.assert_allclose(correlations[[0, 4]], [0, 1], atol=1e-4)
    assert np.abs(correlations[1:4]).max() > 0.1
    rng = np.random.default_rng(0)
    z = rng.standard_normal((400_000, 3))
    y = LINKS[link].value(z[:, 0]) + 0.2 * rng.standard_normal(len(z))
    r = np.linalg.norm(z, axis=1)
    square = hermite(4, r) ** 2 + 12 * hermite(2, r) ** 2 + 24  # |S_4|^2 for d = 3
    difference = (bound(y) ** 2 - free(y) ** 2) * square
    assert difference.mean() > 4 * difference.std() / np.sqrt(len(z))
    pair = label_transforms(link, 0.2, "in-span", dimension=3)
    second = label_transform(2, link, 0.2, "optimal", dimension=3)
    np.testing.assert_array_equal(pair.q2(y[:9]), second(y[:9]))
    np.testing.assert_array_equal(pair.q4(y[:9]), free(y[:9]))


def polynomial_constant(theta):
    """c_4 of smooth_relu(theta) without noise, from Gauss-Legendre sums of its powers."""
    g = smooth_relu(theta, Z)
    K = np.array([[Z_WEIGHTS @ (g**p * hermite(j, Z)) for j in range(1, 5)] for p in range(1, 5)])
    return np.linalg.det(K) / np.linalg.det(K[:3, :3])


def test_a_link_without_a_polynomial_but_with_a_transform():
    root = brentq(polynomial_constant, 0.5, 1.0)
    assert 0.8 < root < 0.81
    link = partial(smooth_relu, root)
    for noise in (0.0, 0.05, 0.5):
        with pytest.raises(ValueError, match=r"not valid at noise .*order 4 has c_4 = .*clearly"):
            label_transform(4, link, noise)
    best = label_transform(4, link, 0.05, kind="optimal")
    assert best.correlation > 0.5
    correlations, _ = integrals(best, link, 0.05, 4)
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
    with pytest.raises(ValueError, match="noise must be positive for kind='optimal'"):
        label_transform(4, "relu", 0, kind="optimal")
    with pytest.raises(ValueError, match="noise must be positive for kind='optimal'"):
        label_transforms("relu", 0.0, kind="optimal")
    for order in (0, 2.0, "4"):
        with pytest.raises(ValueError, match="order must be a positive integer"):
            label_transform(order, "relu", 0.1)
    with pytest.raises(ValueError, match="too many to tabulate"):
        label_transform(2, "identity", 1e-4, kind="optimal")
    assert label_transform(4, "relu", 0).correlation > 0.19


@pytest.mark.parametrize("kind", ["polynomial", "optimal"])
def test_arrays_and_tensors(kind):
    transforms = label_transforms("relu", 0.5, kind)
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
