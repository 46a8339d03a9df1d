"""Constants of the moments against samples, closed forms and truncated moments of data sets."""

from dataclasses import replace

import numpy as np
import pytest

from moelib import Moments, label_transform, label_transforms, standard_model
from moelib.bounds.concentration import HERMITE4_FOURTH, moment_bound
from moelib.hermite import hermite, score_norm, score_tensor
from moelib.model import random_model
from moelib.quadrature import gaussian_rule


@pytest.mark.parametrize("link,noise", [("identity", 0.05), ("leaky_relu", 0.5)])
@pytest.mark.parametrize("kind", ["polynomial", "optimal"])
def test_constants_bound_the_moments_of_the_terms(link, noise, kind):
    """v and K against half a million samples of a model with skew experts."""
    rng = np.random.default_rng(0)
    model = random_model(6, 3, rng, noise=noise, link=link)
    transforms = label_transforms(link, noise, kind=kind, dimension=3)
    X, y = model.sample(500_000, rng)
    B = np.linalg.qr(model.experts.T)[0]
    for transform, z in ((transforms.q2, X), (transforms.q4, X @ B)):
        bound = moment_bound(transform, z.shape[1], link=link, noise=noise)
        q = transform(y) / transform.c
        u = model.experts[0] if transform.order == 2 else B.T @ model.experts[0]
        if transform.order == 2:
            a = z @ u
            term = np.abs(q) * np.linalg.norm(z * a[:, None] - u, axis=1)
        else:
            term = q * hermite(4, z @ (u / np.linalg.norm(u)))
        assert 0.02 < np.mean(term**2) / bound.variance < 1
        lengths = np.abs(q) * score_norm(z, transform.order)
        assert 0.05 < np.mean(lengths**4) ** 0.25 / bound.length < 1


def test_constants_in_closed_form():
    z, weight = gaussian_rule()
    np.testing.assert_allclose(weight @ hermite(4, z) ** 4, HERMITE4_FOURTH)
    # E|S_2 u|^4 in ten dimensions, by parts: the rest of |x|^2 is chi-squared
    parts = (z**2 - 1) ** 4 + 18 * (z**2 - 1) ** 2 * z**2 + 99 * z**4
    np.testing.assert_allclose(weight @ parts, 60 + 20 * 9 + 3 * 99)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((400_000, 4))
    squares = np.sum(score_tensor(x[:100], 2)[:, 0] ** 2, axis=1)
    a, length = x[:, 0], np.sum(x**2, axis=1)
    np.testing.assert_allclose(squares, (length * a**2 - 2 * a**2 + 1)[:100])
    exact = 60 + 20 * 3 + 3 * 15
    sample = (length * a**2 - 2 * a**2 + 1) ** 2
    assert abs(sample.mean() - exact) < 4 * sample.std() / np.sqrt(len(x))
    # identity link: E He_2^4 = 60 and c = 2
    transform = label_transforms("identity", 1e-6).q2
    np.testing.assert_allclose(
        moment_bound(transform, 4, noise=1e-6).variance, np.sqrt(60 * exact) / 4, rtol=1e-4
    )


@pytest.mark.parametrize("order,r", [(2, 1), (2, 10), (4, 3), (4, 300)])
def test_length_by_the_moments_of_chi_squared(order, r):
    """|S|^2 is a polynomial in |x|^2, whose powers have exact means; Q is He_m without noise."""
    square = [r, -2, 1] if order == 2 else [3 * r**2 + 6 * r, -12 * r - 24, 6 * r + 36, -12, 1]
    power = np.polynomial.Polynomial(np.array(square, dtype=float)) ** 4
    eighth = power.coef @ np.cumprod([1.0, *(r + 2 * np.arange(4 * order))])
    z, weight = np.polynomial.hermite_e.hermegauss(40)
    labels = weight @ hermite(order, z) ** 8 / weight.sum()
    bound = moment_bound(label_transform(order, "identity", 1e-7), r, noise=1e-7)
    c = {2: 2, 4: 24}[order]
    np.testing.assert_allclose(bound.length, (labels * eighth) ** (1 / 8) / c, rtol=1e-6)


@pytest.mark.parametrize("n", [500, 20_000])
def test_truncated_moments_keep_within_their_bounds(n):
    """40 data sets: the bound at delta = 0.05 fails in none of them, and is not vacuous."""
    model = standard_model(5, 2)
    transforms, B = label_transforms("identity", 0.05), np.eye(5)[:, :2]
    second = moment_bound(transforms.q2, 5)
    fourth = moment_bound(transforms.q4, 2)
    shares = model.shares()
    M = (model.experts.T * shares) @ model.experts
    T = np.einsum("i,ia,ib,ic,id->abcd", shares, *[model.experts @ B] * 4)
    angles = np.linspace(0, np.pi, 60)
    u = np.column_stack([np.cos(angles), np.sin(angles)])
    worst = np.zeros(2)
    for seed in range(40):
        X, y = model.sample(n, np.random.default_rng(seed))
        found = Moments(transforms, fourth=False, truncate=second.truncate(n, 0.05)).update(X, y)
        off = np.linalg.norm(found.second_moment - M, 2)
        found = Moments(transforms, B, truncate=fourth.truncate(n, 0.05)).update(X, y)
        gap = found.fourth_moment - T
        worst = np.maximum(
            worst, [off, np.abs(np.einsum("abcd,ia,ib,ic,id->i", gap, u, u, u, u)).max()]
        )
    bounds = second.error(n, 0.05), fourth.error(n, 0.05)
    assert np.all(worst < bounds)
    assert worst[0] > bounds[0] / 40


def test_variances_are_nearly_attained_along_an_expert():
    """Orthonormal experts in the direction of the first, which a third of the labels know."""
    X, y = standard_model(10, 3).sample(200_000, np.random.default_rng(0))
    pair = label_transforms("identity", 0.05)
    f2 = pair.q2(y) / 2 * np.linalg.norm(X * X[:, :1] - np.eye(10)[0], axis=1)
    f4 = pair.q4(y) / 24 * hermite(4, X[:, 0])
    for f, transform, r in ((f2, pair.q2, 10), (f4, pair.q4, 3)):
        assert 0.2 < np.mean(f**2) / moment_bound(transform, r).variance < 1


@pytest.mark.parametrize("order,r,count", [(2, 10, 20), (4, 3, 2 * 17**3)])
def test_truncation_levels_of_both_orders(order, r, count):
    bound = moment_bound(label_transform(order, "identity", 0.05), r, noise=0.05)
    tau = bound.length * (20_000 / np.log(count / 0.05)) ** 0.25
    np.testing.assert_allclose(bound.truncate(20_000, 0.05) * bound.rms, tau)


def test_truncation_level_is_that_of_the_lemma():
    bound = moment_bound(label_transforms("identity", 0.05).q2, 5)
    log = np.log(2 * 5 / 0.1)
    tau = bound.truncate(10_000, 0.1) * bound.rms
    np.testing.assert_allclose(tau, bound.length * (10_000 / log) ** 0.25)
    ratio = log / 10_000
    by_hand = (1 + 2**0.5) * np.sqrt(bound.variance * ratio) + 4 / 3 * bound.length * ratio**0.75
    np.testing.assert_allclose(bound.error(10_000, 0.1), by_hand)
    np.testing.assert_allclose(bound.truncate(1, 0.1) / bound.truncate(10_000, 0.1), 0.1)


@pytest.mark.parametrize("order,r", [(2, 6), (4, 3)])
def test_the_unit_of_truncation_is_that_of_moments(order, r):
    """E Q^2 E|S|^2 over c^2 by sampling, in directions that the label does not know."""
    transform = label_transform(order, "identity", 0.5)
    bound = moment_bound(transform, r, noise=0.5)
    rng = np.random.default_rng(0)
    y = np.sqrt(1.25) * rng.standard_normal(400_000)
    square = np.mean(transform(y) ** 2) * np.mean(
        score_norm(rng.standard_normal((400_000, r)), order) ** 2
    )
    np.testing.assert_allclose(bound.rms, np.sqrt(square) / transform.c, rtol=0.03)


def test_bound_of_the_fourth_moment_by_hand():
    """Identity link without noise: E He_4^4 twice, the net's factor 2 and its 17^k points."""
    transform = label_transforms("identity", 1e-6).q4
    bound = moment_bound(transform, 3, noise=1e-6)
    v = 368_064 / 24**2
    np.testing.assert_allclose(bound.variance, v, rtol=1e-4)
    L, n = np.log(2 * 17**3 / 0.1), 1e5
    expected = 2 * ((1 + 2**0.5) * np.sqrt(v * L / n) + 4 / 3 * bound.length * (L / n) ** 0.75)
    np.testing.assert_allclose(bound.error(n, 0.1), expected, rtol=1e-4)


def test_a_negative_constant_counts_by_its_size():
    transform = label_transform(4, "tanh", 0.5)
    flipped = replace(transform, c=-transform.c, function=lambda y: -transform(y))
    options = dict(link="tanh", noise=0.5)
    assert moment_bound(flipped, 3, **options) == moment_bound(transform, 3, **options)


@pytest.mark.parametrize("method", ["error", "truncate"])
@pytest.mark.parametrize("n", [0, -5, 0.5, np.nan, np.inf, "a"])
def test_sample_sizes_that_are_none_are_refused(method, n):
    bound = moment_bound(label_transforms("identity", 0.05).q2, 5)
    with pytest.raises(ValueError, match="n must be"):
        getattr(bound, method)(n, 0.1)


@pytest.mark.parametrize("method", ["error", "truncate"])
@pytest.mark.parametrize("delta", [0, 1, -0.1, 1.5, np.nan, "a"])
def test_chances_that_are_none_are_refused(method, delta):
    bound = moment_bound(label_transforms("identity", 0.05).q2, 5)
    with pytest.raises(ValueError, match="delta must be a number strictly between 0 and 1"):
        getattr(bound, method)(1000, delta)


@pytest.mark.parametrize("order", [1, 3, 6])
def test_other_orders_are_refused(order):
    with pytest.raises(ValueError, match="transform must be of order 2 or 4"):
        moment_bound(label_transform(order, "relu", 0.5), 3, link="relu", noise=0.5)


@pytest.mark.parametrize("dimension", [0, -1, 2.5, np.nan, "a"])
def test_dimensions_that_are_none_are_refused(dimension):
    with pytest.raises(ValueError, match="dimension must be an integer of at least 1"):
        moment_bound(label_transform(2), dimension)


@pytest.mark.parametrize("noise", [-0.1, np.nan, np.inf, "a"])
def test_noise_that_is_none_is_refused(noise):
    with pytest.raises(ValueError, match="noise must be"):
        moment_bound(label_transform(2), 3, noise=noise)


@pytest.mark.parametrize(
    "transform",
    [
        label_transform(2, "identity", 0.5),  # another noise
        label_transform(2, "identity", 0.051),
        label_transform(2, "identity", 0.5, kind="optimal"),
        label_transform(2, "relu", 0.05),  # another link
        label_transform(4, "identity", 0.05, kind="in-span", dimension=3),
        replace(label_transform(2, "identity", 0.05), c=1.9),
        replace(label_transform(2, "identity", 0.05), function=lambda y: y**2),  # not centred
        replace(label_transform(2, "identity", 0.05), function=lambda y: y**2 + y - 1.0025),
    ],
)
def test_transforms_of_another_law_are_refused(transform):
    with pytest.raises(ValueError, match="transform must be a label transform of this link"):
        moment_bound(transform, 3)


@pytest.mark.parametrize("link", ["identity", "relu", "leaky_relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("kind", ["polynomial", "optimal"])
@pytest.mark.parametrize("noise", [0.02, 0.5, 3.0])
def test_transforms_of_the_library_meet_their_conditions(link, kind, noise):
    transforms = label_transforms(link, noise, kind=kind, dimension=3)
    for transform in (transforms.q2, transforms.q4):
        assert moment_bound(transform, 3, link=link, noise=noise).variance > 0
