"""Figures of the chapter on the loss show the rows, losses and errors that they are given."""

import numpy as np
import pandas as pd
import pytest

from moelib.pages import draw_cures, draw_dual, draw_ends, draw_steepness, explore_turn
from moelib.pages.figures.deriving_l4 import draw_turn, tell_turn

EXPERTS = np.array([[1.0, 0.0], [0.6, 0.8]])
DUAL = np.linalg.pinv(EXPERTS).T


def terms(angle, length):
    return np.array([angle / 60, -length, length**2])


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_tables_have_the_sizes_of_all_coordinates(readable):
    rows = np.array([[0.5, -2.0, 0.25], [1.5, 0.125, -1.0]])
    start, end = readable(draw_ends({"start": rows, "end": 2 * rows})).axes
    assert [text.get_text() for text in start.texts] == [f"{abs(x):.2f}" for x in rows.ravel()]
    np.testing.assert_allclose(end.images[0].get_array(), np.abs(2 * rows))
    assert start.get_title(loc="left") == "start" and end.get_title(loc="left") == "end"
    names = [label.get_text() for label in end.get_xticklabels()]
    assert names == ["$a^*_1$", "$a^*_2$", "$e_3$"]
    assert start.images[0].get_clim() == end.images[0].get_clim()


def test_the_row_turns_and_the_curves_are_the_terms(readable):
    plane, curves = readable(draw_turn(90, 1.5, terms, second=1.2)).axes
    heads = [arrow.xy for arrow in plane.texts if getattr(arrow, "arrow_patch", None)]
    np.testing.assert_allclose(heads, [[0, 1.5], [0, 1.2]], atol=1e-12)
    angles, heights = lines(curves)["avoid"].get_data()
    np.testing.assert_allclose(heights, angles / 60)
    assert angles[0] == 0 and angles[-1] == 180
    np.testing.assert_allclose(lines(curves)["sum"].get_ydata(), angles / 60 - 1.5 + 1.5**2)
    marks = [line for line in curves.get_lines() if len(line.get_xdata()) == 1]
    np.testing.assert_allclose(
        [mark.get_xydata()[0] for mark in marks],
        np.column_stack([[90] * 4, [1.5 - 1.5 + 2.25, 1.5, -1.5, 2.25]]),
    )


def test_the_sentence_names_all_values():
    said = tell_turn(90, 1.5, terms)
    assert said == (
        "Row 1, of length 1.5, at 90 degrees: avoid 1.50, align -1.50, length 2.25, sum 2.25."
    )


def test_the_moving_figure_has_every_angle_and_length(monkeypatch):
    monkeypatch.setattr("moelib.pages.figures.deriving_l4.explore", lambda draw, **rest: rest)
    rest = explore_turn(terms, second=1.0)
    assert len(rest["angle"]) * len(rest["length"]) == 15
    assert rest["start"]["angle"] in rest["angle"] and rest["start"]["length"] in rest["length"]
    assert rest["alt"](angle=45.0, length=0.6).startswith("Row 1, of length 0.6, at 45 degrees")


def test_the_ellipse_and_the_dual_basis(readable):
    M = np.array([[2.0, 0.5], [0.5, 1.0]])
    (ax,) = readable(draw_dual(EXPERTS, DUAL, M, [DUAL, -DUAL])).axes
    a = lines(ax)["$M[a, a] = 1$"].get_xydata()
    np.testing.assert_allclose(np.sum(a @ M * a, axis=1), 1)
    np.testing.assert_allclose(lines(ax)["minimisers"].get_xydata(), np.vstack([DUAL, -DUAL]))
    heads = [arrow.xy for arrow in ax.texts if getattr(arrow, "arrow_patch", None)]
    np.testing.assert_allclose(heads, np.vstack([EXPERTS, DUAL]))
    words = [text.get_text() for text in ax.texts if text.get_text()]
    assert words == ["$a^*_1$", "$a^*_2$", r"$a^\dagger_1$", r"$a^\dagger_2$"]
    assert ax.get_aspect() == 1


def test_steepness_lines_join_medians(readable):
    rows = [(lam, n, lam / n * s) for lam in (1.0, 4.0) for n in (100, 900) for s in (1, 2, 9)]
    slopes = pd.DataFrame(rows, columns=["lam", "n", "steepness"])
    (ax,) = readable(draw_steepness(slopes, plateau=0.05)).axes
    for lam in (1.0, 4.0):
        line = lines(ax)[rf"$\lambda = {lam:g}$"]
        np.testing.assert_allclose(line.get_xydata(), [[100, lam / 50], [900, lam / 450]])
    clouds = [line for line in ax.get_lines() if line.get_linestyle() == "None"]
    drawn = np.sort(np.concatenate([cloud.get_ydata() for cloud in clouds]))
    np.testing.assert_allclose(drawn, np.sort(slopes["steepness"]))
    assert any(set(line.get_ydata()) == {0.05} for line in ax.get_lines())
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_cures_keep_their_order_and_all_their_errors(readable):
    rng = np.random.default_rng(0)
    order, designs = ["unit-rows", "unit-rows-truncated", "in-span"], ["standard", "skew"]
    rows = [
        (cure, design, error)
        for design in designs
        for error in rng.uniform(0.01, 1, 4)
        for cure in order
    ]
    table = pd.DataFrame(rows, columns=["cure", "design", "error"])
    (ax,) = readable(draw_cures(table)).axes
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert ticks == ["unit rows", "unit rows,\ntruncated", "in span"]
    dots = [line for line in ax.get_lines() if len(line.get_xdata()) == 4]
    assert len(dots) == 6
    wanted = [table[(table.cure == c) & (table.design == d)].error for d in designs for c in order]
    for line, errors in zip(dots, wanted):
        np.testing.assert_allclose(np.sort(line.get_ydata()), np.sort(errors))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == designs
    medians = [bar.get_segments()[0][0, 1] for bar in ax.collections]
    assert medians == pytest.approx([np.median(errors) for errors in wanted])
