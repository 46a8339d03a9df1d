"""The figures and tables of the chapter, drawn from small made-up climbs."""

from types import SimpleNamespace

import numpy as np
import pytest

from moelib import GatedModel
from moelib.climb import Climb
from moelib.pages import (
    draw_climbs,
    draw_noise,
    draw_peaks,
    draw_speeds,
    draw_two_cuts,
    explore_basins,
    show_verdicts,
    show_wins,
)
from moelib.pages.style import PALETTE


def model(experts=np.eye(3), noise=0.05):
    return GatedModel(experts, np.zeros((len(experts) - 1, len(experts))), noise)


def climb(history, noises=(1.0,)):
    path = [model(noise=noise) for noise in noises]
    return Climb(path[-1], history, True, path)


def heights(ax):
    return [line.get_ydata() for line in ax.lines if len(line.get_ydata())]


def colors(ax):
    return [line.get_color() for line in ax.lines if len(line.get_ydata())]


def test_deficits_of_climbs(readable):
    climbs = {"noise learned": [climb([-3.0, -1.0]), climb([-2.0, -0.5])], "known": [climb([-9.0])]}
    figure = readable(draw_climbs(climbs, [-1.0, 0.0], [[True, False], [False]]))
    left, right = figure.axes
    np.testing.assert_allclose(heights(left), [[2.0, 1e-6], [2.0, 0.5]])  # zero is drawn at 1e-6
    np.testing.assert_allclose(heights(right), [[8.0]])
    assert colors(left) == [PALETTE[0], PALETTE[1]] and colors(right) == [PALETTE[1]]
    words = [text.get_text() for text in left.get_legend().get_texts()]
    assert words == ["experts right", "experts wrong"]
    assert "nats per sample" in left.get_ylabel() and left.get_title(loc="left")[:3] == "(a)"


def test_speeds(readable):
    gaps = {"EM": np.array([1.0, 1e-3, 0.0]), "Adam": np.array([1.0, 0.5, 0.2, 0.1])}
    (ax,) = readable(draw_speeds(gaps)).axes
    assert [line.get_label() for line in ax.lines] == ["EM", "Adam"]
    np.testing.assert_allclose(ax.lines[0].get_data(), [[1, 2, 3], [1.0, 1e-3, 1e-12]])
    np.testing.assert_allclose(ax.lines[1].get_data(), [[1, 2, 3, 4], gaps["Adam"]])
    assert ax.get_xscale() == ax.get_yscale() == "log"
    (ax,) = readable(draw_speeds(gaps, {"Adam": 30})).axes
    np.testing.assert_allclose(ax.lines[1].get_xdata(), [1, 11, 21, 31])


def test_verdicts_are_counted_and_summed_up():
    def end(gradient, eigenvalues, deficit):
        point = SimpleNamespace(gradient_norm=gradient, eigenvalues=np.array(eigenvalues))
        return point, deficit, model()

    trials = {
        "EM": [None, end(2e-12, [0.03, 1.0], 1.5), end(3e-13, [0.02, 2.0], 0.25)],
        "Adam": [None, None],
    }
    table = show_verdicts(trials)
    assert table.loc["EM"].tolist() == ["2 / 3", "1 · 10⁻¹¹", "2.0 · 10⁻²", "0.25 to 1.50"]
    assert table.loc["Adam"].tolist() == ["0 / 2", "–", "–", "–"]


def test_peaks_are_cosines_in_sorted_rows(readable):
    fitted = model(np.array([[0.0, 0, -2], [3, 4, 0], [0, 1, 0]]), noise=0.2)
    figure = readable(draw_peaks({"learned": fitted, "known": model()}, model(2 * np.eye(3))))
    first, second, bar = figure.axes
    np.testing.assert_allclose(
        first.images[0].get_array(), [[0.6, 0.8, 0], [0, 1, 0], [0, 0, -1]], atol=1e-12
    )
    np.testing.assert_allclose(second.images[0].get_array(), np.eye(3))
    assert [text.get_text() for text in first.texts[:3]] == ["0.6", "0.8", "0.0"]
    assert first.get_title(loc="left") == "(a) noise learned, σ = 0.20"
    assert bar.get_ylabel() == "cosine"
    assert [label.get_text() for label in first.get_xticklabels()] == ["1", "2", "3"]


def test_noise_and_its_schedule(readable):
    climbs = [climb([0, 0], [0.9, 0.1]), climb([0, 0, 0], [0.8, 0.4, 0.3])]
    (ax,) = readable(draw_noise(climbs, [True, False], n_steps=5)).axes
    one, other, schedule, truth = heights(ax)
    np.testing.assert_allclose(one, [0.9, 0.1])
    np.testing.assert_allclose(other, [0.8, 0.4, 0.3])
    np.testing.assert_allclose(schedule[[0, -1]], [0.8, 0.05])
    np.testing.assert_allclose(np.diff(np.log(schedule)), np.log(0.05 / 0.8) / 4)
    np.testing.assert_allclose(truth, 0.05)
    assert colors(ax)[:2] == [PALETTE[0], PALETTE[1]] and "units of y" in ax.get_ylabel()


def test_wins_with_intervals():
    table = show_wins({6: [[False] * 10, [True] * 8 + [False] * 2, *[[True] * 10] * 3]})
    assert table.loc[6].tolist()[:3] == ["10", "0 [0.00, 0.28]", "8 [0.49, 0.94]"]
    assert table.loc[6].tolist()[3:] == ["10 [0.72, 1.00]"] * 3


def test_two_cuts_of_a_plane(readable):
    truth = GatedModel(np.eye(3)[:2], [[0.0, 0.0, 2.0]], 0.05)
    trap = GatedModel([[0.5, 0.5, 0.4], [0.5, 0.5, -0.4]], [[9.0, -9.0, 0.0]], 0.6)
    X = np.array([[2.0, 1.0, 0.5]])
    figure = readable(draw_two_cuts(X, np.array([2.0]), truth, {"truth": truth, "trap": trap}))
    labels, right, wrong = figure.axes[:3]
    (points,) = labels.collections
    np.testing.assert_allclose(points.get_offsets(), [[1 / np.sqrt(2), 0.5]])
    np.testing.assert_allclose(points.get_array(), [0.5])  # the half-sum answers 1.5
    true, other = (np.asarray(ax.images[0].get_array()) for ax in (right, wrong))
    np.testing.assert_allclose(true[-1, -1], 2.5 / np.sqrt(2))  # (u, v) = (2.5, 2.5)
    np.testing.assert_allclose(true[0, -1], -2.5 / np.sqrt(2))  # rows are u, columns v
    np.testing.assert_allclose(other[-1, [0, -1]], [-0.4 * 2.5, 0.4 * 2.5])


@pytest.fixture
def charts():
    em = np.array([[2, 0, 0], [1, 2, 2], [1, 2, 2]])
    return {0.05: (em, em.T), 0.4: (em, em)}


def test_basins(charts, readable):
    moving = explore_basins(np.array([-90, 0, 90]), charts)
    figure = readable(moving.draw(sigma=0.05))
    left, right = figure.axes
    np.testing.assert_array_equal(left.images[0].get_array(), charts[0.05][0].T)  # φ₁ along x
    np.testing.assert_array_equal(right.images[0].get_array(), charts[0.05][1].T)
    assert tuple(left.images[0].get_extent()) == (-135, 135, -135, 135)
    assert "degrees" in left.get_xlabel() and "degrees" in left.get_ylabel()
    assert list(moving.parameters["sigma"]) == [0.05, 0.4]


def test_what_is_said_of_basins(charts):
    moving = explore_basins(np.array([-90, 0, 90]), charts)
    sentence = moving.alt(sigma=0.05)
    assert "off it 2 starts of EM and 2 of gradient EM, of 6" in sentence
    assert "differ at 44% of the starts" in sentence  # 4 of 9 entries
    assert "differ at 0% of the starts" in moving.alt(sigma=0.4)
