"""The figures of the chapter on learning the gates, read off their artists."""

import numpy as np

from moelib.pages.figures.learning_gates import (
    draw_convexity,
    draw_rates,
    draw_three_samples,
    draw_wrong_experts,
    explore_one_input,
)


def grey(ax):
    """Where the first shaded ground of a panel begins and ends."""
    corners = ax.collections[0].get_paths()[0].vertices[:, 0]
    return corners.min(), corners.max()


def test_three_samples_marks_ends_on_the_curves_and_shades_negative_curvature(readable):
    w = np.linspace(-8, 15, 24)
    loss, curvature = (w - 3) ** 2, np.where(np.abs(w) < 3, -1.0, 1.0)
    figure = readable(draw_three_samples(w, loss, curvature, [0.0, 4.0]))
    for ax, curve in zip(figure.axes, (loss, curvature)):
        line, ends = ax.lines[:2]
        np.testing.assert_allclose(line.get_ydata(), curve)
        np.testing.assert_allclose(ends.get_ydata(), np.interp([0.0, 4.0], w, curve))
        assert grey(ax) == (-2.0, 2.0)


def test_convexity_has_a_count_in_its_cell(readable):
    negative, met = np.array([[0.0, 0.2], [0.5, 1.0]]), np.array([[2, 1]])
    ax, _ = readable(draw_convexity(negative, met, [0.05, 3.2], [1, 8])).axes
    np.testing.assert_allclose(ax.images[0].get_array(), negative)
    texts = {text.get_position(): text.get_text() for text in ax.texts}
    assert texts == {(0, 0): "2", (1, 0): "1"}
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0.05", "3.2"]


def test_one_input_moves_with_noise_and_gate(readable):
    w = np.linspace(-12, 12, 25)

    def losses(sigma, gate):
        return w, sigma + (w - gate) ** 2, np.where(w > 8, -1.0, 1.0)

    figure = explore_one_input(losses, [0.5, 1.0], [2.0, 4.0])
    assert len(figure.frames) == 4
    assert "negative on 16% of the window; the lowest point is at 4.0" in figure.frames[1, 1]["alt"]
    (ax,) = readable(figure.draw(sigma=0.5, gate=4.0)).axes
    np.testing.assert_allclose(ax.lines[0].get_ydata(), (w - 4) ** 2)
    assert grey(ax) == (9.0, 12.0)


def test_rates_have_predicted_slopes_where_there_is_a_rate(readable):
    errors = [0.5 ** np.arange(30.0), 0.1 ** np.arange(12.0), np.array([1.0, 1e-4, 1e-13])]
    figure = readable(draw_rates({"one": (errors, [0.5, 0.1]), "two": (errors, [])}))
    left, right = figure.axes
    assert len(left.lines) == 5 and len(right.lines) == 3
    for line, e in zip(right.lines, errors):
        np.testing.assert_allclose(line.get_ydata(), e)
    assert [text.get_text() for text in right.get_legend().texts] == ["gradient", "EM", "Newton"]
    for line, rate, last in zip(left.lines[3:], (0.5, 0.1), (29, 11)):
        prediction = line.get_ydata()
        np.testing.assert_allclose(prediction[1:] / prediction[:-1], rate)
        assert line.get_xdata()[-1] == last


def test_wrong_experts_shows_medians_ranges_and_theory(readable):
    rng, sizes = np.random.default_rng(0), np.array([0.01, 0.1, 1.0])
    noise, drifts, gaps = rng.random((5, 3)), rng.random((2, 5, 3)), rng.random((2, 5, 3))
    theory = np.array([1.0, 2.0, 3.0])
    pairs = (noise, theory), (drifts, 2 * theory)
    figure = draw_wrong_experts(sizes, [0.1, 0.3, 0.2], *pairs, gaps)
    first, second, third = readable(figure).axes
    np.testing.assert_allclose(first.lines[0].get_ydata(), np.median(noise, axis=0))
    np.testing.assert_allclose(first.lines[1].get_ydata(), theory)
    np.testing.assert_allclose(second.lines[2].get_ydata(), 2 * theory)
    for ax, values in ((second, drifts), (third, gaps)):
        for j in range(2):
            np.testing.assert_allclose(ax.lines[j].get_ydata(), np.median(values[j], axis=0))
            bars = np.array(ax.collections[j].get_segments())
            np.testing.assert_allclose(bars[:, 0, 1], values[j].min(axis=0))
            np.testing.assert_allclose(bars[:, 1, 1], values[j].max(axis=0))
    band = second.patches[0].get_extents().transformed(second.transData.inverted())
    np.testing.assert_allclose([band.y0, band.y1], [0.1, 0.3])
