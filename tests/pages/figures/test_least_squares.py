"""Figures of least squares show the losses, errors and spectra that they are given."""

import numpy as np

from moelib.pages import (
    draw_failure,
    draw_scatter,
    draw_slices,
    draw_spectra,
    draw_success,
    draw_swap,
    draw_torus,
    explore_torus,
)

LENGTHS = [0.25, 0.5, 1.0, 2.0]


def curves(ax):
    return {line.get_label(): np.array(line.get_data()) for line in ax.get_lines()}


def ticks(ax):
    return [label.get_text() for label in ax.get_xticklabels()]


def test_failure_has_losses_in_thousandths_and_errors(readable):
    rows = np.random.default_rng(0).random((6, 2))
    found = {"one": rows, "other": rows + 1}
    losses, errors = readable(draw_failure(found)).axes
    (edge, *first), (limit, *second) = losses.get_lines(), errors.get_lines()
    assert set(edge.get_xdata()) == {0} and set(limit.get_xdata()) == {0.1}
    for i, table in enumerate(found.values()):
        np.testing.assert_allclose(first[i].get_xdata(), np.sort(1000 * table[:, 0]))
        np.testing.assert_allclose(second[i].get_xdata(), np.sort(table[:, 1]))
    names = [label.get_text() for label in losses.get_yticklabels()]
    assert names == ["one", "other"]


def test_the_swap_has_its_curves_and_the_sixth_power(readable):
    costs = {"swapped model": 1e-3, "where the optimiser stops": 2e-3, "$D(R)$": 3e-3}
    given = [np.full(4, value) for value in costs.values()]
    (ax,) = readable(draw_swap(LENGTHS, *given, needed=np.full(4, 4e-3))).axes
    drawn = curves(ax)
    for name, value in (*costs.items(), ("$z = 1$, $n = 4000$", 4e-3)):
        np.testing.assert_allclose(drawn[name], [LENGTHS, np.full(4, value)])
    x, power = drawn["$R^6 / 96$"]
    np.testing.assert_allclose(power, x**6 / 96)
    assert ax.get_xscale() == ax.get_yscale() == "log" and len(ax.get_legend().get_texts()) == 5


def marked(ax):
    return [tuple(point) for line in ax.get_lines() for point in line.get_xydata()]


def test_slices_evaluate_both_losses_where_the_axes_say(readable):
    asked = {"angles": [], "lengths": []}

    def excess(name):
        def two(u, v):
            asked[name].append((u, v))
            return 0.5, 5.0

        return two

    figure = readable(draw_slices(excess("angles"), excess("lengths")))
    top_left, top_right, low_left, low_right = figure.axes[:4]
    for name, ends in (("angles", (-np.pi, np.pi)), ("lengths", (0.1, 4))):
        points = np.array(asked[name])
        np.testing.assert_allclose(
            [points.min(axis=0), points.max(axis=0)], [[e] * 2 for e in ends]
        )
    assert marked(top_left) == marked(low_left) == [(0, 90)]
    assert marked(top_right) == marked(low_right) == [(1, 2**0.5)]
    titles = [ax.get_title(loc="left") for ax in figure.axes[:4]]
    assert titles == [
        f"({c}) {t}" for c, t in zip("abcd", ["least squares"] * 2 + ["likelihood"] * 2)
    ]


def level_at(ax, x, y):
    """Index of the band of a filled contour plot that covers a point."""
    (filled,) = ax.collections
    return [path.contains_point((x, y)) for path in filled.get_paths()].index(True)


def test_the_torus_is_dark_where_the_excess_is_small(readable):
    def turned(phi, psi):
        near = phi**2 + psi**2
        return near, 100 * (psi - np.pi) ** 2

    squares, nats = readable(draw_torus(turned)).axes[:2]
    assert level_at(squares, 2, 2) < level_at(squares, 100, 2) < level_at(squares, 200, 200)
    assert level_at(nats, 100, 178) < level_at(nats, 100, 100)
    assert marked(squares) == marked(nats) == [(0, 0), (180, 180), (90, 90)]


def test_the_slider_tells_the_excess_at_the_swap():
    at_swap = [(2e-6, 40.0), (0.25, 70.4)]
    figure = explore_torus(lambda R, phi, psi: (R, R), [0.5, 1.0], at_swap)
    told = [frame["alt"] for frame in figure.frames.values()]
    assert told[0].startswith("R = 0.5.") and "2.0 · 10⁻⁶" in told[0]
    assert "with the noise known, is 40 nats" in told[0]
    assert told[1].startswith("R = 1.") and "70 nats" in told[1]
    assert figure.start == (1,)


def test_spectra_have_a_line_for_each_eigenvalue(readable):
    spectra = np.random.default_rng(0).uniform(0.1, 1, (4, 2, 3))
    predicted = np.array([[0.1, 0.2]] * 4)
    figure = readable(draw_spectra(LENGTHS, spectra, predicted, measured={1.0: 0.3}))
    *planes, last = figure.axes
    for i, ax in enumerate(planes):
        drawn = [line.get_ydata() for line in ax.get_lines()]
        np.testing.assert_allclose(drawn, spectra[:, i].T)
    drawn = curves(last)
    np.testing.assert_allclose(drawn["least squares"][1], predicted[:, 0])
    np.testing.assert_allclose(drawn["likelihood"][1], predicted[:, 1])
    np.testing.assert_allclose(drawn["measured"], [[1.0], [0.3]])
    assert ticks(last) == ["¼", "½", "1", "2"]


def test_success_has_a_point_and_a_bar_for_each_column(readable):
    shares = np.array([[0.9, 0.2], [0.8, 0.3]])
    designs = [("identity", 0.5), ("tanh", 4.0)]
    (ax,) = readable(draw_success(designs, shares, shares - 0.1, shares + 0.05)).axes
    drawn = curves(ax)
    np.testing.assert_allclose(drawn["first start"][1], shares[:, 1])
    np.testing.assert_allclose(drawn["lowest loss of 5"][1], shares[:, 0])
    for bars, column in zip(ax.collections, (1, 0)):
        ends = np.array(bars.get_segments())[:, :, 1]
        np.testing.assert_allclose(ends[:, 0], shares[:, column] - 0.1)
        np.testing.assert_allclose(ends[:, 1], shares[:, column] + 0.05)
    assert ticks(ax) == ["identity\n$R = 0.5$", "tanh\n$R = 4$"]


def test_scatter_compares_fits_of_a_data_set_with_each_other(readable):
    losses = np.array([[-0.009, -0.012], [-0.002, -0.004], [-0.010, -0.010]])
    errors = np.array([[0.5, 0.05], [0.6, 0.02], [0.7, 0.09]])
    fits, right = np.stack([losses, errors], axis=2), losses[:, 1] + 0.001
    pooled, each = readable(draw_scatter(fits, right)).axes
    for i in (0, 1):  # the first start of each data set is wrong, the second right
        drawn = curves(pooled)[["wrong", "right"][i]]
        np.testing.assert_allclose(drawn, [1000 * losses[:, i], errors[:, i]])
        x, y = curves(each)[["wrong", "right"][i]]
        np.testing.assert_allclose(x, 1000 * (losses[:, i] - right))
        np.testing.assert_array_equal(y, [0, 1, 2])
    assert set(each.get_lines()[-1].get_xdata()) == {0}
