"""The figures of the chapter on the whole pipeline, read off their artists."""

import numpy as np
import pandas as pd
import pytest

from moelib import GatedModel
from moelib.pages.figures.whole_pipeline import (
    CHOICES,
    CLIMBS,
    draw_correlation,
    draw_coverage,
    draw_many,
    draw_stages,
    explore_stages,
    show_choice,
    show_rivals,
)


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_stages_meet_at_zero_and_the_first_fit_stands_out(readable):
    gates = np.array([[0.1, 1.0], [0.1, 0.2]])
    refine = np.array([[0.1, 0.2], [0.01, 0.3], [0.001, 0.4]])
    other = {"gates": gates[:1] / 2, "refine": refine[:2] / 2}
    experts, gate = readable(draw_stages([{"gates": gates, "refine": refine}, other])).axes
    quiet, thick = experts.lines
    assert thick.get_linewidth() > quiet.get_linewidth()
    np.testing.assert_allclose(thick.get_data(), [[-1, 0, 1, 2], [0.1, 0.1, 0.01, 0.001]])
    np.testing.assert_allclose(quiet.get_data(), [[0, 1], [0.05, 0.005]])
    np.testing.assert_allclose(gate.lines[1].get_ydata(), [1.0, 0.2, 0.3, 0.4])
    assert experts.get_yscale() == "log"


BASES = {"two-loss, unrefined": 9.0, "two-loss": 3.0, "em": 1.0, "likelihood-sgd": 2.0}


def stage_rows():
    """Two data sets at n = 2000 and 100, errors that tell n, method and column."""
    rows = [
        {"n": n, "method": method, "e_reg": base * n / 1e6, "e_gate": base * n / 1e5}
        for n in (100, 2000)
        for method, base in BASES.items()
        for _ in range(2)
    ]
    return pd.DataFrame(rows).set_index(["n", "method"]).sort_index()


def test_stages_move_with_n(readable):
    figure = explore_stages(stage_rows())
    assert figure.texts["n"] == ["100", "2000"] and figure.start == (1,)
    said = figure.frames[(0,)]["alt"]
    assert said == "At n = 100 the median expert errors are 0.0009 two losses, 0.0003 refined, " + (
        "0.0001 EM, 0.0002 Adam."
    )
    experts, gates = readable(figure.draw(n=100)).axes
    names = [tick.get_text() for tick in experts.get_xticklabels()]
    assert names == ["two losses", "refined", "EM", "Adam"]
    for ax, scale in ((experts, 1e-4), (gates, 1e-3)):
        for line, base in zip(ax.lines, BASES.values(), strict=True):
            np.testing.assert_allclose(line.get_ydata(), base * scale)


def test_coverage_is_in_points_above_its_level(readable):
    keys = [("em", n, s, p) for n in (500, 5000) for s in (0.1, 1.0) for p in ("expert", "noise")]
    index = pd.MultiIndex.from_tuples(keys, names=["fit", "n", "noise", "method"])
    values = np.array([0.5, 0.9]) + np.arange(8)[:, None] / 100
    rate = pd.DataFrame(values, index, [0.5, 0.9])
    low, high = np.array([0.45, 0.88]), np.array([0.55, 0.92])
    large, few = readable(draw_coverage(rate, low, high)).axes
    assert [ax.get_title(loc="left") for ax in (large, few)] == ["(a) $n = 5000$", "(b) $n = 500$"]
    points = [line.get_ydata() for line in few.lines[1:]]
    np.testing.assert_allclose(points, np.repeat(np.arange(4)[:, None], 2, axis=1), atol=1e-9)
    bands = [band.get_paths()[0].vertices[:, 1] for band in few.collections]
    np.testing.assert_allclose([(b.min(), b.max()) for b in bands], [(-5, 5), (-2, 2)])
    assert [tick.get_text() for tick in few.get_xticklabels()] == ["0.5", "0.9"]
    markers = {line.get_label(): line.get_marker() for line in large.lines[1:3]}
    assert markers == {"expert": "o", "noise": "^"}


def test_rivals_are_counted_and_a_success_is_priced():
    base = pd.DataFrame(
        {"found": [20, 5, 0], "of": [20, 20, 20], "seconds": [0.5, 0.25, 3.0]}, ["b", "a", "c"]
    )
    large = pd.DataFrame({"found": [1], "of": [5], "seconds": [8.0]}, ["a"])
    table = show_rivals({"base": base, "large": large}, ["a", "b", "c"])
    assert table["base"].to_dict() == {"a": "5/20, 1", "b": "20/20, 0.5", "c": "0/20"}
    assert table["large"].to_list() == ["1/5, 40", "–", "–"]
    assert list(table.index) == ["a", "b", "c"]
    short = show_rivals({"base": base, "large": large}, ["a", "c"], total=20)
    assert short.to_numpy().tolist() == [["5, 1", "1/5, 40"], ["0", "–"]]


def test_many_experts_are_measured_from_the_best_start(readable):
    rows = [("likelihood-sgd", 1.5, 1e-4), ("em", 1.0, 0.6), ("em", 1.4, 2e-4), ("l4", -9.0, 0.1)]
    ends = pd.DataFrame(rows, columns=["method", "log_density", "e_reg"])
    axes = readable(draw_many({10: ends, 16: ends}, {10: 2e-5, 16: 4e-5})).axes
    for ax, level in zip(axes, (2e-5, 4e-5), strict=True):
        line, adam, em, pruned = ax.lines
        np.testing.assert_allclose(line.get_ydata(), level)
        np.testing.assert_allclose(adam.get_data(), [[0.0], [1e-4]])
        np.testing.assert_allclose(em.get_data(), [[-0.5, -0.1], [0.6, 2e-4]])
        assert len(pruned.get_xdata()) == 0
    assert labels(axes[0]) == ["two losses, refined", *CLIMBS.values()]


def test_choice_counts_what_was_found():
    scores = []
    for _, method, _, rival, raw in CHOICES.values():
        rows = {method: (20, 20, 0.031, 1e-4), rival: (3, 5, 66.4, 0.5), raw: (1, 20, 1.0, 0.61)}
        columns = ["found", "of", "seconds", "e_reg"]
        scores.append(pd.DataFrame.from_dict(rows, orient="index", columns=columns))
    table = show_choice(scores).data
    assert table["situation"].to_list() == list(CHOICES)
    assert set(table["found"]) == {"20/20, 0.031 s"} and set(table["found "]) == {"3/5, 66 s"}
    assert set(table["raw experts"]) == {"1/20, 0.61"}
    with pytest.raises(ValueError):
        show_choice(scores[:1])


class Fit:
    """A fit of two lines whose gate switches at x = 1."""

    def __init__(self, slope):
        self.model_ = GatedModel(
            [[1.0], [-1.0]],
            [[slope]],
            0.3,
            expert_intercepts=[0.5, 3.0],
            gate_intercepts=[-slope],
        )

    def log_density(self, X, y):
        return self.model_.log_density(X, y)

    def predict(self, X):
        return np.sum(self.model_.gate_probabilities(X) * self.model_.expert_means(X), axis=1)


def test_correlation_has_medians_and_ranges(readable):
    rhos, sweep = [0.0, 0.5], np.array([[1.0, 5.0], [2.0, 6.0], [9.0, 7.0]])
    sweep = np.stack([sweep, 10 * sweep])
    (ax,) = readable(draw_correlation(rhos, sweep)).axes
    np.testing.assert_allclose([line.get_ydata() for line in ax.lines], [[2, 20], [6, 60]])
    ends = [band.get_paths()[0].vertices[:, 1] for band in ax.collections]
    np.testing.assert_allclose([(e.min(), e.max()) for e in ends], [(1, 90), (5, 70)])
    assert [label.split(",")[0] for label in labels(ax)] == ["as they come", "whitened"]
