"""Figures of the gated model show the model that they are given."""

import numpy as np
from matplotlib.colors import to_rgb
from scipy.stats import norm

from moelib import GatedModel
from moelib.pages import (
    draw_leaders,
    draw_marginals,
    draw_road,
    expert_color,
    explore_leaders,
)

THREE = GatedModel(np.array([[1, 0], [0, 1], [-1, 0.0]]), [[4, 0], [0, 4.0]], noise=0.3)
STAR = np.array([0.5, 1.0])


def curves(ax):
    return {line.get_label(): np.array(line.get_data()) for line in ax.get_lines()}


def test_the_road_has_all_labels_and_every_experts_line(readable):
    X = np.column_stack([np.linspace(-1, 1, 30), np.ones(30)])
    y, z = THREE.sample_labels(X, np.random.default_rng(0))
    seen, happened = readable(draw_road(THREE, X, y, z)).axes
    np.testing.assert_allclose(seen.collections[0].get_offsets(), np.c_[X[:, 0], y])
    for i, (dots, line) in enumerate(zip(happened.collections, happened.get_lines())):
        np.testing.assert_allclose(dots.get_offsets(), np.c_[X[:, 0], y][z == i])
        np.testing.assert_allclose(line.get_ydata(), X @ THREE.experts[i])
    assert len(happened.get_legend().get_texts()) == 3


def test_the_plane_is_coloured_by_the_leader(readable):
    plane, _ = readable(draw_leaders(THREE, STAR)).axes
    image = plane.images[0].get_array()
    side = np.linspace(-2.5, 2.5, 101)
    for row, column in [(10, 90), (90, 10), (90, 20), (10, 10)]:
        leader = THREE.gate_probabilities([[side[column], side[row]]])[0].argmax()
        darkest = np.argmin(image[row, column]), np.argmin(to_rgb(expert_color(leader)))
        assert darkest[0] == darkest[1]
    star = plane.get_lines()[0].get_xydata()
    np.testing.assert_allclose(star, [STAR])
    assert [text.get_text() for text in plane.texts] == ["1", "2", "3"]


def test_a_gate_of_length_zero_has_no_leaders(readable):
    flat = GatedModel(THREE.experts, np.zeros((2, 2)), noise=0.3)
    plane, _ = readable(draw_leaders(flat, STAR)).axes
    assert not plane.texts and np.all(plane.images[0].get_array() == 1)


def test_the_density_at_the_star_is_the_sum_of_the_experts_parts(readable):
    _, density = readable(draw_leaders(THREE, STAR)).axes
    p = THREE.gate_probabilities(STAR[None])[0]
    parts = curves(density)
    assert len(parts) == 3
    for share, a, (y, heights) in zip(p, THREE.experts, parts.values()):
        expected = share * norm.pdf(y, a @ STAR, 0.3)
        np.testing.assert_allclose(heights, expected, atol=1e-12)


def test_the_slider_tells_what_it_was_told():
    figure = explore_leaders(
        lambda R, sigma: GatedModel(THREE.experts, R * THREE.gates, sigma),
        STAR,
        shares_right=lambda R, sigma: (0.25 + R / 100, 0.5),
        bumps=lambda R, sigma: 2 if sigma < 0.2 else 1,
    )
    told = [frame["alt"] for frame in figure.frames.values()]
    assert len(told) == 25
    assert told[0].startswith("A blank plane") and "two bumps" in told[0] and "25\xa0%" in told[0]
    assert told[-1].startswith("Three sectors") and "one bump" in told[-1]
    assert "33\xa0% of the time from the input, 50\xa0%" in told[-1]


def test_marginals_are_densities_beside_the_prediction(readable):
    rng = np.random.default_rng(0)
    y, z = rng.standard_normal(4000), rng.integers(2, size=4000)
    figure = readable(draw_marginals({"one": (y, z), "other": (2 * y, z)}, predicted=1.5))
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["(a) one", "(b) other"]
    for ax, scale in zip(figure.axes, (1, 2)):
        for i, (x, heights) in enumerate(curves(ax).values()):
            half = (x[1] - x[0]) / 2
            inside = [np.mean(np.abs(scale * y[z == i] - middle) < half) for middle in x]
            share = np.mean(np.abs(scale * y[z == i]) < 4)
            np.testing.assert_allclose(heights, inside / share / (2 * half), atol=1e-9)
        top = ax.collections[0].get_paths()[0].vertices[:, 1].max()
        np.testing.assert_allclose(top, norm.pdf(0, scale=1.5**0.5), rtol=1e-6)
