"""The figures of the chapter on Hermite polynomials, read off their artists."""

import numpy as np

from moelib.hermite import score2, score3, score4
from moelib.pages.figures.hermite_stein_scores import (
    draw_hessian,
    draw_patterns,
    draw_price,
    explore_taylor,
)


def bars(ax):
    """Places, lower and upper ends of the vertical bars of the first panel's collections."""
    segments = np.concatenate([np.array(found.get_segments()) for found in ax.collections])
    return segments[:, 0, 0], segments[:, 0, 1], segments[:, 1, 1]


def test_hessian_has_each_entry_once_with_four_standard_errors(readable):
    rng = np.random.default_rng(0)
    truth = np.array([[1.0, 2.0], [2.0, -3.0]])
    products = truth + rng.standard_normal((50, 2, 2))
    (ax,) = readable(draw_hessian(truth, products)).axes
    diagonal, points = ax.lines
    np.testing.assert_allclose(diagonal.get_xdata(), diagonal.get_ydata())
    estimate = [products[:, i, j].mean() for i, j in ((0, 0), (0, 1), (1, 1))]
    error = [products[:, i, j].std() / np.sqrt(50) for i, j in ((0, 0), (0, 1), (1, 1))]
    np.testing.assert_allclose(points.get_data(), [[1.0, 2.0, -3.0], estimate])
    _, low, high = bars(ax)
    np.testing.assert_allclose(low, np.subtract(estimate, np.multiply(4, error)))
    np.testing.assert_allclose(high, np.add(estimate, np.multiply(4, error)))


def polynomials(m, n):
    return np.array([np.full(5, 1.0), np.full(5, m + n / 1000)])


def test_taylor_moves_with_order_and_samples():
    grid, smooth = np.linspace(-2, 2, 5), np.array([0.0, 0.5, 1.0, 1.5, 9.0])
    figure = explore_taylor(grid, smooth, polynomials, [1000, 2000])
    assert len(figure.frames) == 12 and figure.texts["n"] == ["1,000", "2,000"]
    # order 2, 1,000 samples: the second curve is 3, far from 0.5 near 0 and from 9 beyond
    alt = figure.frames[(2, 0)]["alt"]
    assert alt.startswith("Order 2, 1,000 samples") and "within 2.50 of F" in alt
    assert "8.0 for |s| up to 2." in alt


def test_taylor_draws_the_relu_the_smoothed_one_and_at_most_five_polynomials(readable):
    grid, smooth = np.linspace(-2, 2, 5), np.array([0.0, 0.5, 1.0, 1.5, 9.0])
    figure = explore_taylor(grid, smooth, polynomials, [1000, 2000])
    (ax,) = readable(figure.draw(m=1, n=2000)).axes
    curves = [line.get_ydata() for line in ax.lines]
    np.testing.assert_allclose(curves, [[0, 0, 0, 1, 2], np.ones(5), np.full(5, 3.0), smooth])
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["ReLU", "Taylor polynomial, 5 seeds", "$F$, smoothed"]


def score(x, *us):
    """Contractions by the library; with two directions the last one comes twice or not."""
    if len(us) == 2:
        u, v = us
        return (score2(x, u + v) - score2(x, u) - score2(x, v)) / 2
    return score3(x, us[0], us[2]) if len(us) == 3 else score4(x, us[0], us[3])


def signs(ax, name):
    """Where a sign is written, from left to right."""
    return sorted(text.get_position() for text in ax.texts if text.get_text() == name)


def test_patterns_have_a_sign_on_every_hill(readable):
    axes = readable(draw_patterns(score)).axes
    titles = [ax.get_title(loc="left") for ax in axes]
    assert titles[0] == "(a) $S_2[u,u]$" and titles[5] == "(f) $S_4[u,u,v,v]$, 45°"
    counts = [(len(signs(ax, "+")), len(signs(ax, "−"))) for ax in axes]
    assert counts == [(2, 1), (2, 2), (3, 2), (2, 2), (5, 4), (3, 2)]
    # t^2 - 1 times the density is least at 0 and largest at +-sqrt(3); cells are 0.06 wide
    (middle,) = signs(axes[0], "−")
    np.testing.assert_allclose(middle, (0, 0), atol=1e-9)
    np.testing.assert_allclose(signs(axes[0], "+"), [(-(3**0.5), 0), (3**0.5, 0)], atol=0.06)


def test_price_has_the_range_of_the_seeds_and_the_prediction(readable):
    sizes, constants = np.array([100, 400]), np.array([1.0, 5.0])
    errors = np.arange(1.0, 13.0).reshape(3, 2, 2)
    (ax,) = readable(draw_price(sizes, errors, constants)).axes
    marks, lines = ax.lines[:2], ax.lines[2:]
    for i, (mark, line) in enumerate(zip(marks, lines, strict=True)):
        assert mark.get_color() == line.get_color() and mark.get_label() == f"order {i + 1}"
        np.testing.assert_allclose(
            mark.get_ydata(), [np.linalg.norm(e) / 3**0.5 for e in errors[:, :, i].T]
        )
        np.testing.assert_allclose(line.get_ydata(), constants[i] / np.array([10, 20]))
    _, low, high = bars(ax)
    np.testing.assert_allclose(low, [1, 3, 2, 4])
    np.testing.assert_allclose(high, [9, 11, 10, 12])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["order 1", "order 2"]
