"""Signs of the experts: three ways that agree, where one is silent, and even links."""

import numpy as np
import pytest

from moelib import Link, random_model, standard_model
from moelib.experts.signs import first_moment_signs, likelihood_signs, third_moment_signs


def test_signs_by_the_first_moment():
    experts = np.array([[1.0, 0, 0], [0.6, -0.8, 0]])
    truth = np.array([-1.0, 1.0])
    mean_yx = (truth[:, None] * experts * [[0.3], [0.7]]).sum(axis=0)
    np.testing.assert_array_equal(first_moment_signs(experts, mean_yx), truth)
    np.testing.assert_array_equal(first_moment_signs(experts, mean_yx, link=np.square), [1, 1])


@pytest.mark.parametrize("link", ["identity", "tanh", "leaky_relu"])
def test_three_ways_to_the_same_signs(link):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        model = random_model(8, 3, rng, link=link)
        X, y = model.sample(50_000, rng)
        flips = rng.choice([-1.0, 1.0], 3)
        flipped = flips[:, None] * model.experts
        first = first_moment_signs(flipped, X.T @ (y - y.mean()) / len(y), link=link)
        third = third_moment_signs(flipped, X, y, link=link, noise=model.noise)
        likely = likelihood_signs(flipped, X, y, 0.2, link=link)
        np.testing.assert_array_equal([first, third, likely], [flips] * 3)


def test_signs_where_the_first_moment_is_silent():
    """An odd link of mean slope zero: the third moment and the likelihood still see the sign."""
    b = 2 * np.exp(-1.5)  # the mean slope of sin(a t) is a exp(-a^2 / 2)
    link = Link(
        "waves",
        lambda t: np.sin(2 * t) - b * np.sin(t),
        lambda t: 2 * np.cos(2 * t) - b * np.cos(t),
    )
    model = standard_model(6, 2, link=link)
    X, y = model.sample(100_000, np.random.default_rng(0))
    flips = np.array([-1.0, 1.0])
    flipped = flips[:, None] * model.experts
    moment = X.T @ (y - y.mean()) / len(y)
    np.testing.assert_array_equal(first_moment_signs(flipped, moment, link=link), [1, 1])
    third = third_moment_signs(flipped, X, y, link=link, noise=model.noise, transforms="optimal")
    np.testing.assert_array_equal(third, flips)
    np.testing.assert_array_equal(likelihood_signs(flipped, X, y, 0.2, link=link), flips)


def test_signs_of_an_even_link():
    model = standard_model(6, 2, link=np.square)
    X, y = model.sample(2000, np.random.default_rng(0))
    np.testing.assert_array_equal(
        likelihood_signs(model.experts, X, y, 0.2, link=np.square), [1, 1]
    )
    with pytest.raises(ValueError, match="order 3 has c_3"):
        third_moment_signs(model.experts, X, y, link=np.square, noise=model.noise)


def test_what_cannot_be_used_is_refused(standard):
    model, X, y = standard(100, d=6)
    with pytest.raises(ValueError, match="X must have 6 columns"):
        likelihood_signs(model.experts, X[:, 1:], y, 0.2)
    with pytest.raises(ValueError, match="transforms must be one of 'polynomial'"):
        third_moment_signs(model.experts, X, y, transforms="magic")
