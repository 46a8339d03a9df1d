"""Panels, ticks and legends, read off the figures."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from moelib.pages.layout import panel, panels, set_ticks, shared_legend


@pytest.fixture(autouse=True)
def constrained():
    with plt.rc_context({"figure.constrained_layout.use": True}):
        yield


def test_one_panel_has_no_letter():
    figure, ax = panel((4, 3), xlabel="n", ylabel="error", yscale="log")
    assert figure.axes == [ax] and tuple(figure.get_size_inches()) == (4, 3)
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("n", "error", "log")
    assert ax.get_title() == ax.get_title(loc="left") == ""


def test_figures_are_not_shown_twice():
    before = plt.get_fignums()
    panel()
    panels(["a", "b"])
    assert plt.get_fignums() == before


def test_labels_at_the_edges():
    _, axes = panels(["a", "b", "c", "d"], rows=2, xlabel="n", ylabel="error")
    assert [ax.get_xlabel() for ax in axes] == ["", "", "n", "n"]
    assert [ax.get_ylabel() for ax in axes] == ["error", "", "error", ""]
    assert [ax.get_title(loc="left") for ax in axes] == ["(a) a", "(b) b", "(c) c", "(d) d"]


def test_a_label_for_each_panel():
    _, axes = panels(["", ""], xlabel=["n", "d"], ylabel=["error", "time"], ylim=(0, 2))
    assert [ax.get_xlabel() for ax in axes] == ["n", "d"]
    assert [ax.get_ylabel() for ax in axes] == ["error", "time"]
    assert all(ax.get_ylim() == (0, 2) for ax in axes)


def test_shared_axes():
    _, axes = panels(["a", "b"], layout={"sharey": True, "width_ratios": [1, 2]})
    axes[0].set_ylim(0, 7)
    assert axes[1].get_ylim() == (0, 7)


def test_panels_that_do_not_fill_their_rows():
    for titles, rows in ((["a", "b", "c"], 2), ([], 1), (["a"], 2)):
        with pytest.raises(ValueError, match="do not fill rows"):
            panels(titles, rows=rows)
    with pytest.raises(ValueError, match="ylabel must be a string or have 2 entries, got 1"):
        panels(["a", "b"], ylabel=["error"])


def test_ticks_are_what_was_asked():
    figure, ax = panel(xscale="log", yscale="log", xlim=(300, 20_000), ylim=(0.01, 2))
    set_ticks(ax, x=[500, 2000, 8000], y={0.1: "a tenth", 1: "one"}, form=",")
    figure.draw_without_rendering()
    np.testing.assert_array_equal(ax.get_xticks(), [500, 2000, 8000])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["500", "2,000", "8,000"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a tenth", "one"]
    assert len(ax.get_xticks(minor=True)) == len(ax.get_yticks(minor=True)) == 0


def test_an_axis_that_is_not_named_stays():
    figure, ax = panel(xscale="log", xlim=(1, 100), yscale="log", ylim=(1, 100))
    set_ticks(ax, x=[1, 100])
    figure.draw_without_rendering()
    assert len(ax.get_xticks(minor=True)) == 0 < len(ax.get_yticks(minor=True))


def test_a_legend_for_all():
    figure, axes = panels(["a", "b"], (7, 3))
    axes[0].plot([0, 1], label="EM")
    (theirs,) = axes[1].plot([1, 0], label="EM")
    axes[1].plot([1, 2], label="Adam")
    axes[1].plot([2, 2])
    legend = shared_legend(figure, where="lower", fontsize=7)
    figure.draw_without_rendering()
    assert [text.get_text() for text in legend.get_texts()] == ["EM", "Adam"]
    assert figure.legends == [legend] and theirs.axes is axes[1]
    below = legend.get_window_extent().y1
    assert all(below <= ax.get_window_extent().y0 for ax in axes)
