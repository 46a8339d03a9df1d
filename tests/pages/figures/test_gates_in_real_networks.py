"""Figures of gates in real networks show the data and models that they are given."""

import numpy as np
import pytest
from scipy.special import softmax

from moelib import GatedModel, standard_model
from moelib.pages import (
    draw_counts,
    draw_hard_limit,
    draw_house,
    draw_role_swap,
    draw_routing,
    draw_winner,
    explore_routing,
)

HOUSE = GatedModel([[-1.0, 0.5], [2.0, 0.0]], [[-3.0, 0.0]], noise=0.2)
EXPERTS = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, -2.0]])


def curves(ax):
    return {line.get_label(): np.array(line.get_data()) for line in ax.get_lines()}


def test_the_house_has_its_experts_its_mean_and_the_line(readable):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal(50), np.ones(50)])
    y, _ = HOUSE.sample_labels(X, rng)
    left, right = readable(draw_house(HOUSE, X, y, line=[0.5, -1.0])).axes
    drawn = curves(left)
    np.testing.assert_allclose(drawn["50 of 50 days"], [X[:, 0], y])
    x, line = drawn["one line"]
    np.testing.assert_allclose(line, 0.5 * x - 1)
    np.testing.assert_allclose(drawn["expert 1: heating"][1], 0.5 - x)
    np.testing.assert_allclose(drawn["expert 2: cooling"][1], 2 * x)
    p = 1 / (1 + np.exp(3 * x))
    np.testing.assert_allclose(drawn["gated sum"][1], p * (0.5 - x) + (1 - p) * 2 * x)
    np.testing.assert_allclose(right.get_lines()[0].get_ydata(), p)


def test_each_cell_counts_on_a_line_and_each_kind_is_named_once(readable):
    free, tied = np.arange(8.0).reshape(2, 4), np.ones((3, 4))
    (ax,) = readable(draw_counts(free, tied)).axes
    _, *lines = ax.get_lines()
    np.testing.assert_allclose([line.get_ydata() for line in lines], [*free, *tied])
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert named == ["bound t of (iii)", "free gates", "tied gates"]
    assert lines[0].get_linestyle() != lines[-1].get_linestyle()


def test_the_hard_limit_draws_what_is_lost_in_its_band(readable):
    def lost_and_bounds(s):
        lost = softmax(s, axis=1)[:, 1:].sum(axis=1)
        return lost, lost / 2, 5 * lost

    (ax,) = readable(draw_hard_limit(lost_and_bounds, leads=[1.0, 2.0])).axes
    for lead, line, band in zip((1, 2), ax.get_lines(), ax.collections):
        x, lost = line.get_data()
        others = np.exp(-lead * x) * (1 + np.exp(-0.3 * x) + np.exp(-0.6 * x))
        np.testing.assert_allclose(lost, others / (1 + others), rtol=1e-6)
        ends = band.get_paths()[0].vertices[:, 1]
        assert ends.max() <= 1 and ends.min() == pytest.approx(lost.min() / 2)
        assert line.get_label() == rf"$\Delta$ = {lead}"


def test_routing_breaks_the_sum_where_it_jumps(readable):
    x = np.linspace(-1, 1, 9)
    weights, total = np.tile([0.2, 0.3, 0.5], (9, 1)), np.where(x < 0, 0.0, 1.0)
    answers, low = readable(draw_routing(x, EXPERTS, weights, total)).axes
    drawn = curves(answers)
    for i, (slope, intercept) in enumerate(EXPERTS):
        np.testing.assert_allclose(drawn[f"expert {i + 1}"][1], slope * x + intercept)
        np.testing.assert_allclose(low.get_lines()[i].get_ydata(), weights[:, i])
    assert np.flatnonzero(np.isnan(drawn["gated sum"][1])).tolist() == [4]
    np.testing.assert_allclose(np.delete(drawn["gated sum"][1], 4), np.delete(total, 4))


def test_the_slider_says_where_the_sum_jumps_and_by_how_much():
    def routed(x, sharpness, kept):
        weights = np.tile([0.25, 0.75, 0.0], (len(x), 1))
        return weights, np.where(x > 0, sharpness, 0.0) + np.where(x > 1, 2.0 * (kept < 3), 0.0)

    told = [frame["alt"] for frame in explore_routing(EXPERTS, routed).frames.values()]
    assert len(told) == 21
    assert told[0].startswith("At 1/τ = 0 with 1 kept, the sum jumps by 2.00 at x = 1;")
    assert told[2].startswith("At 1/τ = 0 with 3 kept, the sum has no jump")
    assert "the sum jumps by 0.50 at x = 0 and 2.00 at x = 1" in told[3]
    assert all("expert 2 weighs 0.75" in sentence for sentence in told)


def test_the_winners_stand_at_their_starts(readable):
    pairs, lines = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]]), np.full((3, 2), 0.5)
    (ax,) = readable(draw_winner([0, 4, 8], pairs, lines)).axes
    drawn = curves(ax)
    x, y = drawn["gated pair, trained"]
    np.testing.assert_allclose(np.abs(x - np.repeat([0, 4, 8], 2)), 0.25)
    np.testing.assert_allclose(y, pairs.ravel())
    np.testing.assert_allclose(drawn["one line, least squares"][1], 0.5)
    assert ax.get_xticks().tolist() == [0, 4, 8]


def test_the_role_swap_turns_the_plane_to_the_gates(readable):
    one = standard_model(d=3, n_experts=2, gate_norm=2.0)
    v_1 = np.array([1.0, -1.0, 0.0]) / np.sqrt(2)
    two = GatedModel(one.experts, [3 * v_1], noise=0.05)
    X = np.random.default_rng(0).standard_normal((20, 3))
    first, second, last = readable(draw_role_swap(one, two, X)).axes

    def tips(ax):
        return [text.xy for text in ax.texts if text.get_text() == ""]

    np.testing.assert_allclose(tips(first), [(0, 2), (0.5**0.5, 0), (-(0.5**0.5), 0)], atol=1e-12)
    np.testing.assert_allclose(tips(second)[0], (3, 0), atol=1e-12)
    predictions = last.get_lines()[1].get_data()
    np.testing.assert_allclose(predictions, [one.mean(X), two.mean(X)])
