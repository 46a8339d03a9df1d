"""The figures of the chapter on label transforms, read off their artists."""

import numpy as np
import pandas as pd

from moelib.hermite import hermite
from moelib.pages.figures.label_transforms import (
    draw_label_correlations,
    draw_label_powers,
    draw_link_family,
    draw_seen_in_labels,
    explore_transforms,
)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_powers_leave_out_the_first_direction(readable):
    rng = np.random.default_rng(0)
    runs = {"$y^4$": rng.standard_normal((5, 4)), "$Q_4(y)$": rng.standard_normal((5, 4))}
    (ax,) = readable(draw_label_powers(runs)).axes
    assert legend(ax) == list(runs)
    for i, entries in enumerate(runs.values()):
        middle, error = entries.mean(axis=0)[1:], entries.std(axis=0, ddof=1)[1:] / np.sqrt(5)
        np.testing.assert_allclose(ax.lines[i].get_ydata(), middle)
        np.testing.assert_allclose(ax.lines[i].get_xdata(), [2, 3, 4], atol=0.2)
        ends = np.array(ax.collections[i].get_segments())[:, :, 1]
        np.testing.assert_allclose(
            np.sort(ends), np.transpose([middle - 4 * error, middle + 4 * error])
        )


def test_correlations_have_a_panel_for_each_order(readable):
    noises = [0.1, 1.0, 2.0]
    columns = pd.MultiIndex.from_product([(2, 4), noises])
    table = pd.DataFrame(np.arange(1.0, 13.0).reshape(2, 6), ["identity", "leaky_relu"], columns)
    figure = readable(draw_label_correlations(table))
    for ax, m in zip(figure.axes, (2, 4), strict=True):
        assert ax.get_title(loc="left").endswith(f"order {m}") and ax.get_ylabel() == f"$R_{m}$"
        assert ax.get_xscale() == ax.get_yscale() == "log"
        for line, name in zip(ax.lines, table.index, strict=True):
            np.testing.assert_allclose(line.get_data(), [noises, table.loc[name, m]])
    assert legend(figure.axes[0]) == ["identity", "leaky ReLU"]


def seen(link, sigma):
    y = np.linspace(-1, 3, 41)
    return y, sigma * np.array([y**j for j in range(5)])


def test_seen_has_four_curves_over_the_density_of_the_labels(readable):
    figure = readable(draw_seen_in_labels("identity", {s: seen("identity", s) for s in (0.5, 1.0)}))
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["(a) noise 0.5", "(b) noise 1"]
    for ax, sigma in zip(figure.axes, (0.5, 1.0), strict=True):
        assert ax.get_ylim() == (-9, 20)
        y, h = seen("identity", sigma)
        for line, expected in zip(ax.lines[-4:], h[1:], strict=True):
            np.testing.assert_allclose(line.get_data(), [y, expected])
        # labels are normal with variance 1 + sigma^2: the shade is highest, 7.25 tall, at zero
        outline = ax.collections[0].get_paths()[0].vertices
        top = {round(x, 6): outline[outline[:, 0] == x, 1].max() for x in outline[:, 0]}
        np.testing.assert_allclose(top[0.0], -9 + 0.25 * 29)
        fall = np.exp(-(2.0**2) / 4 / (1 + sigma**2))
        np.testing.assert_allclose(top[2.0], -9 + 0.25 * 29 * fall, rtol=1e-6)
    far = figure.axes[0].lines[0]
    np.testing.assert_allclose(far.get_ydata(), hermite(4, far.get_xdata()))
    assert len(figure.axes[0].lines) == len(figure.axes[1].lines) + 1
    assert legend(figure.axes[1]) == ["$h_1$", "$h_2$", "$h_3$", "$h_4$"]


def test_family_marks_zero_and_gelu(readable):
    family = {"polynomial": np.array([0.9, -0.2, 0.1]), "optimal": np.array([0.9, 0.5, 0.2])}
    (ax,) = readable(draw_link_family(np.array([0.0, 1.0, 4.0]), family)).axes
    assert legend(ax) == ["polynomial", "optimal"]
    for line, values in zip(ax.lines, family.values()):
        np.testing.assert_allclose(line.get_data(), [[0, 1, 4], values])
    zero, gelu = ax.lines[2:]
    assert list(zero.get_ydata()) == [0, 0] and list(gelu.get_xdata()) == [1, 1]
    assert [text.get_text() for text in ax.texts] == ["GELU"]


class Power:
    """A transform that is easy to see."""

    def __init__(self, c, correlation):
        self.c, self.correlation = c, correlation

    def __call__(self, y):
        return self.c * y**2


def both(m, link, sigma):
    return Power(m, sigma / 10), Power(1.0, 0.25)


def test_transforms_move_with_link_and_noise(readable):
    figure = explore_transforms(seen, both)
    assert len(figure.frames) == 10
    alt = figure.frames[(0, 3)]["alt"]
    assert alt.startswith("relu, noise 0.5") and "0.050" in alt and "0.250" in alt
    left, right = readable(figure.draw(link="tanh", sigma=0.2)).axes
    y, h = seen("tanh", 0.2)
    np.testing.assert_allclose([line.get_ydata() for line in left.lines[1:]], h[1:])
    for line in right.lines[1:]:
        np.testing.assert_allclose(line.get_data(), [y, y**2])
    assert legend(right) == ["$Q_4/c_4$", "$T_4$"]
