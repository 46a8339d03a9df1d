"""The transforms of least error, against another quadrature, Monte Carlo and rivals that lose."""

from math import factorial

import numpy as np
import pytest

from moelib import LINKS
from moelib.experts.optimal_transforms import conditional_hermite, mean_square, score_weights
from moelib.experts.transforms import label_transform, label_transforms
from moelib.hermite import hermite, score_norm, score_tensor
from moelib.links import as_link

NOISES = [0.05, 0.2, 0.5, 1.0]


def softplus(t):
    return np.logaddexp(0, t)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("link", [*LINKS, softplus])
def test_optimal_transform_by_another_quadrature(rule, link, noise, order):
    best = label_transform(order, link, noise, kind="optimal")
    correlations, square = rule.integrals(best, link, noise, order)
    size = np.sqrt(best.variance)
    # the table has four points in each standard deviation of the noise: good to 1e-4 of the size
    np.testing.assert_allclose(correlations / size, np.eye(order + 1)[order] / size, atol=1e-4)
    np.testing.assert_allclose(square, best.variance, rtol=1e-4)
    assert best.c == 1 and best.coefficients is None and best.order == order


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("link", [*LINKS, softplus])
def test_polynomial_never_beats_the_optimal(rule, link, noise, order):
    plain = label_transform(order, link, noise)
    best = label_transform(order, link, noise, kind="optimal")
    correlations, square = rule.integrals(plain, link, noise, order)
    np.testing.assert_allclose(correlations[:order] / np.sqrt(plain.variance), 0, atol=1e-6)
    np.testing.assert_allclose(correlations[order], plain.c, rtol=1e-5)
    np.testing.assert_allclose(square, plain.variance, rtol=1e-5)
    assert best.variance <= plain.variance / plain.c**2 * (1 + 1e-6)
    assert abs(plain.correlation) <= best.correlation * (1 + 1e-6) <= 1 + 1e-6


def test_gains_worth_having():
    def gain(link, noise):
        plain = label_transform(4, link, noise)
        return (
            plain.variance / plain.c**2 / label_transform(4, link, noise, kind="optimal").variance
        )

    assert gain("relu", 1.0) == pytest.approx(5.37, abs=0.02)
    assert gain("leaky_relu", 0.05) == pytest.approx(3.00, abs=0.02)


@pytest.mark.parametrize("link", ["tanh", "leaky_relu", "sigmoid"])
@pytest.mark.parametrize("kind", ["polynomial", "optimal"])
def test_moments_by_monte_carlo(link, kind):
    """Within four standard errors, at a noise where fourth moments are mild."""
    rng = np.random.default_rng(0)
    n, noise = 1_000_000, 0.2
    z = rng.standard_normal(n)
    y = as_link(link).value(z) + noise * rng.standard_normal(n)
    for order in (2, 4):
        transform = label_transform(order, link, noise, kind=kind)
        t = transform(y)
        for j in range(order + 1):
            terms = t * hermite(j, z)
            expected = transform.c if j == order else 0.0
            assert abs(terms.mean() - expected) < 4 * terms.std() / np.sqrt(n)
        squares = (t - t.mean()) ** 2
        assert abs(squares.mean() - transform.variance) < 4 * squares.std() / np.sqrt(n)


@pytest.mark.parametrize("link", ["relu", "tanh"])
@pytest.mark.parametrize("order", [2, 4])
def test_no_other_transform_has_less_variance(rule, link, order):
    noise = 0.5
    best = label_transform(order, link, noise, kind="optimal")
    y, mass = rule.labels(link, noise).ravel(), rule.mass.ravel()
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


def test_whole_moment_weighs_large_scores(rule):
    """dimension=r: least E[T^2 |S_4|^2], by Monte Carlo on the same million labels."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((1_000_000, 3))
    y = np.tanh(z[:, 0]) + 0.2 * rng.standard_normal(len(z))
    r = np.linalg.norm(z, axis=1)
    square = hermite(4, r) ** 2 + 12 * hermite(2, r) ** 2 + 24  # |S_4|^2 for d = 3
    errors = {}
    for dimension in (None, 3):
        transform = label_transform(4, "tanh", 0.2, kind="optimal", dimension=dimension)
        correlations, _ = rule.integrals(transform, "tanh", 0.2, 4)
        np.testing.assert_allclose(correlations, [0, 0, 0, 0, 1], atol=1e-3)
        errors[dimension] = transform(y) ** 2 * square
    difference = errors[None] - errors[3]
    assert difference.mean() > 4 * difference.std() / 1000


@pytest.mark.parametrize("link", ["relu", "tanh", "identity"])
def test_in_the_span_no_lower_condition_is_met_or_needed(rule, link):
    """c_4 = 1 and mean zero as ever; the orders between are free, and the error is smaller."""
    free = label_transform(4, link, 0.2, kind="in-span", dimension=3)
    bound = label_transform(4, link, 0.2, kind="optimal", dimension=3)
    correlations, _ = rule.integrals(free, link, 0.2, 4)
    np.testing.assert_allclose(correlations[[0, 4]], [0, 1], atol=1e-4)
    assert np.abs(correlations[1:4]).max() > 0.1
    rng = np.random.default_rng(0)
    z = rng.standard_normal((400_000, 3))
    y = LINKS[link].value(z[:, 0]) + 0.2 * rng.standard_normal(len(z))
    r = np.linalg.norm(z, axis=1)
    square = hermite(4, r) ** 2 + 12 * hermite(2, r) ** 2 + 24  # |S_4|^2 for d = 3
    difference = (bound(y) ** 2 - free(y) ** 2) * square
    assert difference.mean() > 4 * difference.std() / np.sqrt(len(z))
    pair = label_transforms(link, 0.2, kind="in-span", dimension=3)
    second = label_transform(2, link, 0.2, kind="optimal", dimension=3)
    np.testing.assert_array_equal(pair.q2(y[:9]), second(y[:9]))
    np.testing.assert_array_equal(pair.q4(y[:9]), free(y[:9]))


@pytest.mark.parametrize("order, dimension", [(2, 2), (2, 4), (3, 3), (4, 2), (4, 5)])
def test_weights_of_a_score_given_one_coordinate(order, dimension):
    """E[|S_m(z)|^2 | t] by averaging explicit tensors over the other coordinates."""
    t, weight = np.polynomial.hermite_e.hermegauss(6)
    others = np.stack(np.meshgrid(*[t] * (dimension - 1), indexing="ij"), axis=-1)
    others = others.reshape(-1, dimension - 1)
    mass = np.ones(1)
    for _ in range(dimension - 1):
        mass = np.outer(mass, weight / weight.sum()).ravel()
    for first in (-1.3, 0.0, 2.1):
        z = np.column_stack([np.full(len(others), first), others])
        lengths = np.sum(score_tensor(z, order).reshape(len(z), -1) ** 2, axis=1)
        squares = [hermite(j, first) ** 2 for j in range(order + 1)]
        assert score_weights(order, dimension) @ squares == pytest.approx(mass @ lengths)


@pytest.mark.parametrize("kind", ["polynomial", "optimal", "in-span"])
@pytest.mark.parametrize("link", ["tanh", "leaky_relu"])
def test_mean_square_by_another_quadrature(rule, link, kind):
    """|S_m|^2 over all three coordinates; also at another noise than the transform was made for."""
    t, weight = np.polynomial.hermite_e.hermegauss(6)
    others = np.stack(np.meshgrid(t, t, indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.outer(weight, weight).ravel() / weight.sum() ** 2
    z = np.concatenate([np.insert(others, 0, first, axis=1) for first in rule.z])
    pair = label_transforms(link, 0.2, kind=kind, dimension=3)
    for noise in (0.2, 0.5):
        y = rule.labels(link, noise)
        for transform in (pair.q2, pair.q4):
            lengths = (score_norm(z, transform.order) ** 2).reshape(len(rule.z), -1) @ mass
            squares = (transform(y.ravel()) / transform.c).reshape(y.shape) ** 2 @ rule.t_weights
            found = mean_square(transform, link, noise, dimension=3)
            expected = rule.z_weights @ (squares * lengths)
            assert found == pytest.approx(expected, rel=1e-4)  # a table ends in a kink


def test_the_optimal_transform_is_where_the_mean_square_is_least():
    """In dimension r, and in dimension 1 that of least variance among scores of one coordinate."""
    best = label_transform(4, "relu", 0.5, kind="optimal", dimension=3)
    least = mean_square(best, "relu", 0.5, dimension=3)
    for other in (
        label_transform(4, "relu", 0.5),
        label_transform(4, "relu", 0.5, kind="optimal"),
        label_transform(4, "relu", 0.5, kind="optimal", dimension=8),
    ):
        assert mean_square(other, "relu", 0.5, dimension=3) > least * 1.001
    free = label_transform(4, "relu", 0.5, kind="in-span", dimension=3)
    assert mean_square(free, "relu", 0.5, dimension=3) < least
